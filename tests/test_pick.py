"""Rows by an integer: embeddings, labels, letters; eager, then in replays."""

import copy
import math
import random

import numpy as np
import pytest

import engine
from engine import Value, check_grads, draw, grad, pick, steps, toposort
from engine.value import toposort as sort_of

RNG = random.Random(13)


def values(numbers):
    return [values(n) if isinstance(n, list) else Value(n) for n in numbers]


def table(rows, columns):
    return values([[RNG.gauss(0, 1) for _ in range(columns)] for _ in range(rows)])


def flat(thing):
    return [v for part in thing for v in flat(part)] if isinstance(thing, list) else [thing]


def as_tensor(torch, thing):
    numbers = [[v.data for v in row] for row in thing] if isinstance(thing[0], list) else None
    numbers = numbers or [v.data for v in thing]
    return torch.tensor(numbers, dtype=torch.float64, requires_grad=True)


# --- eager -----------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [1, -2, True, np.int64(1), 1.0, Value(1.0), Value(-2.0)])
def test_the_gradient_goes_to_what_was_picked(index):
    rows = values([4.0, 5.0, 6.0])
    picked = pick(rows, index)
    (picked * 3).backward()
    assert picked.data == 5.0
    assert [row.grad for row in rows] == [0.0, 3.0, 0.0]
    assert all(row.has_grad for row in rows)
    assert picked.parents == (rows[1],)
    assert picked.partials == (1.0,)
    if isinstance(index, Value):
        assert not index.has_grad


def test_a_row_of_lists_gives_a_list():
    rows = values([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    a, b = pick(rows, 2)
    (a * b).backward()
    assert [v.grad for v in flat(rows)] == [0, 0, 0, 0, 6.0, 5.0]
    deep = pick([[[1.0], [2.0]], [[3.0], [4.0]]], 1)
    assert deep == [[3.0], [4.0]]
    assert pick(np.array([[1.0, 2.0], [3.0, 4.0]]), 1) == [3.0, 4.0]


def test_constants_among_the_rows():
    x = Value(2.0)
    rows = [1.0, x, 3]
    taken, other = pick(rows, 1), pick(rows, 2)
    assert (taken.parents, other.parents, other.partials) == ((x,), (3.0,), (None,))
    other.backward()
    assert (x.grad, x.has_grad) == (0.0, True)
    assert pick([1.0, 2], 1) == 2.0
    assert pick([1.0, 2.0], Value(0.0)).data == 1.0


def test_what_is_below_rows_that_were_not_picked_has_a_gradient_too():
    x, y, k = Value(2.0), Value(3.0), Value(1.0)
    pick([x * x, y * 5, (x + 1).log()], k).backward()
    assert (x.grad, x.has_grad, y.grad) == (0.0, True, 5.0)


def test_the_order_of_a_backward_does_not_depend_on_the_index():
    def order(k):
        x = Value(0.5, "x")
        rows = [x.exp(), x.sin(), x.tanh()]
        return [v.op.name for v in pick(rows, k).sweep() if v.op]

    assert order(0) == order(1) == order(2) == ["exp", "sin", "tanh", "pick"]


def test_only_what_was_picked_is_in_pictures_and_sorts():
    rows = [Value(float(k), f"row {k}") for k in range(9)]
    loss = pick(rows, 4) * 2
    assert {v.label for v in toposort(loss) if v.op is None} == {"row 4"}
    assert "1 input, 1 constant, 2 operations" in str(draw(loss))
    assert "pick 4" in draw(loss).dot.source
    assert str(steps(loss)[0]) == "pick1 = rows[4] = row 4 = 4"
    assert sort_of(loss)[-1] is loss


def test_second_derivatives():
    x, y = Value(2.0), Value(3.0)
    z = pick([x * x * y, x + y], 0) * pick([x, y], 1)
    slope = grad(z, x)
    assert slope.data == 2 * 2 * 3 * 3
    assert [v.data for v in grad(slope, [x, y])] == [18.0, 24.0]
    check_grads(lambda a, b: pick([a * b, a.exp(), b], 1) * pick([[a], [b]], 0)[0], [0.3, 0.7])
    check_grads(lambda *xs: engine.cross_entropy(xs, 2), [0.3, -0.7, 1.5])


def test_a_copy_has_its_own_rows():
    rows = values([1.0, 2.0])
    picked = pick(rows, 1)
    other = copy.deepcopy(picked)
    other.backward()
    assert not rows[1].has_grad
    assert other.parents[0] is not rows[1]
    assert [v.grad for v in other.x] == [0.0, 1.0]
    again = copy.copy(picked)
    again.backward()
    assert [v.grad for v in rows] == [0.0, 1.0]


def test_an_infinite_gradient_leaves_the_others_at_zero():
    rows = values([1.0, 2.0])
    pick(rows, 0).backward(math.inf)
    assert [v.grad for v in rows] == [math.inf, 0.0]


BAD = {
    "too large": (3, IndexError, r"pick expected an index from -3 to 2, one of 3 rows, got 3"),
    "too small": (-4, IndexError, r"pick expected an index from -3 to 2, one of 3 rows, got -4"),
    "Value": (Value(3.0), IndexError, "from -3 to 2, one of 3 rows, got 3"),
    "huge": (10**400, IndexError, "from -3 to 2"),
    "fraction": (1.5, TypeError, r"pick expected a whole number as index, got float \(1.5\)"),
    "fraction in a Value": (Value(0.5), TypeError, "expected a whole number as index, got Value"),
    "nan": (math.nan, TypeError, r"got float \(nan\)"),
    "inf": (Value(math.inf), TypeError, "got Value"),
    "text": ("1", TypeError, r"got str \('1'\)"),
    "nothing": (None, TypeError, "got NoneType"),
    "list": ([1], TypeError, r"got list \(\[1\]\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_indices(name):
    index, error, words = BAD[name]
    with pytest.raises(error, match=words):
        pick(values([1.0, 2.0, 3.0]), index)


def test_bad_rows():
    with pytest.raises(ValueError, match="pick expected at least one value, got none"):
        pick([], 0)
    with pytest.raises(ValueError, match="rows of one length, got 1 and 2 numbers"):
        pick([[1.0], [1.0, 2.0]], 0)
    with pytest.raises(ValueError, match="rows of one length, got 0 and 1 numbers"):
        pick([[1.0], 2.0], 0)
    with pytest.raises(TypeError, match="expected a real number, got str"):
        pick([Value(1.0), "a"], 0)
    with pytest.raises(TypeError, match="expected a real number, got list"):
        pick([Value(1.0), [2.0]], 0)


def test_an_embedding_against_torch():
    torch = pytest.importorskip("torch")
    letters = [3, 0, 3, 6, 1]
    ours = table(7, 4)
    theirs = as_tensor(torch, ours)
    weights = [[RNG.gauss(0, 1) for _ in range(4)] for _ in letters]
    rows = [pick(ours, letter) for letter in letters]
    total = engine.sum(engine.dot(row, w).tanh() for row, w in zip(rows, weights, strict=True))
    total.backward()
    picked = torch.nn.functional.embedding(torch.tensor(letters), theirs)
    expected = torch.tanh((picked * torch.tensor(weights, dtype=torch.float64)).sum(1)).sum()
    expected.backward()
    assert total.data == pytest.approx(expected.item(), rel=1e-14)
    grads = [[v.grad for v in row] for row in ours]
    assert grads == [pytest.approx(row, rel=1e-13, abs=1e-300) for row in theirs.grad.tolist()]
    assert all(v.has_grad for v in flat(ours))
