"""Rows by an integer: embeddings, labels, letters; eager, then in replays."""

import copy
import itertools
import json
import math
import numbers
import random
import warnings

import pytest
from graphs import picks as picks_graph
from graphs import recorded
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import Value, check_grads, draw, grad, pick, replay, steps, toposort
from engine.replay import backends
from engine.replay.arguments import digest
from engine.replay.backends import python
from engine.replay.compare import ReplayError
from engine.replay.recorder import Recorder
from nn import MLP, Adam, Module, checkpoint, evaluate, fit
from nn.loss import cross_entropy as nn_cross_entropy
from nn.stepping import batches
from nn.table import Table

np = pytest.importorskip("numpy")

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
        return [v.op.name for v in pick(rows, k).adjoints() if v.op]

    assert order(0) == order(1) == order(2) == ["exp", "sin", "tanh", "pick"]


def test_only_what_was_picked_is_in_pictures_and_sorts():
    rows = [Value(float(k), f"row {k}") for k in range(9)]
    loss = pick(rows, 4) * 2
    assert {v.label for v in toposort(loss) if v.op is None} == {"row 4"}
    assert "1 input, 1 constant, 2 operations" in str(draw(loss))
    assert "pick 4" in draw(loss).dot.source
    assert str(steps(loss)[0]) == "pick1 = rows[4] = row 4 = 4"
    assert toposort(loss)[-1] is loss


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


# --- replays ---------------------------------------------------------------------------------

BACKENDS = [
    "python",
    *(name for name in ("numpy", "wasm", "c") if backends._runs(name)),
]
each_backend = pytest.mark.parametrize("backend", BACKENDS)


def gradients(total, leaves):
    for v in leaves:
        v.zero_grad()
    total.backward()
    return [(v.grad, v.has_grad) for v in leaves]


def same(backend, got, want):
    """Equal to the bit in Python; else what rounding does in another order."""
    (a, grads), (b, expected) = got, want
    if backend == "python":
        assert (a, grads) == (b, expected)
        return
    assert a == pytest.approx(b, rel=1e-12, abs=1e-12)
    assert [has for _, has in grads] == [has for _, has in expected]
    slopes = [g for g, _ in expected]
    assert [g for g, _ in grads] == pytest.approx(slopes, rel=1e-11, abs=1e-12, nan_ok=True)


def compared(backend, f, calls, leaves, recordings):
    """A replay beside the function itself, call by call."""
    step = replay(f, backend=backend)
    for arguments in calls:
        got, want = step(*arguments), f(*arguments)
        same(backend, (got.data, gradients(got, leaves)), (want.data, gradients(want, leaves)))
    assert step.made == recordings, step.explain()
    return step


class Bigrams:
    """A GPT without its layers: letters and places embedded, added, and made logits."""

    def __init__(self, letters=9, width=4, length=8):
        self.letters, self.places = table(letters, width), table(length, width)
        self.head = table(letters, width)

    def parameters(self):
        return [*flat(self.letters), *flat(self.places), *flat(self.head)]

    def logits(self, letter, place):
        row, where = pick(self.letters, letter), pick(self.places, place)
        x = [(a + b).tanh() for a, b in zip(row, where, strict=True)]
        return [engine.dot(w, x) for w in self.head]

    def __call__(self, word):
        losses = [
            -pick(engine.softmax(self.logits(a, place)), b).log()
            for place, (a, b) in enumerate(itertools.pairwise(word))
        ]
        return sum(losses) / len(losses)


def words(count, lengths=(4, 5, 7), letters=9):
    return [[RNG.randrange(letters) for _ in range(RNG.choice(lengths))] for _ in range(count)]


@pytest.mark.some(2)
@each_backend
def test_words_of_one_length_are_recorded_once(backend):
    model = Bigrams()
    calls = [(word,) for word in words(25)]
    step = compared(backend, model, calls, model.parameters(), 3)
    assert "picks from 9 rows" in step.source()
    assert len(step.source().splitlines()) <= 12


def test_picks_become_loops_and_indexed_loads():
    model = Bigrams()
    step = replay(model, backend="python")
    step([1, 2, 3, 4, 5, 6, 7])
    lines = step.source().splitlines()
    assert lines[:2] == ["6 x 4 picks from 8 rows", "6 x 4 picks from 9 rows"]
    assert "6 picks from 9 rows, then log, then neg" in lines
    assert "row_of(" in step.source("c")
    assert "row_places(" in step.source("numpy")


@each_backend
def test_labels_over_logits_that_were_computed(backend):
    ws = table(5, 3)
    xs = [[RNG.gauss(0, 1) for _ in range(3)] for _ in range(6)]

    def loss(xs, labels):
        logits = [[engine.dot(w, x) for w in ws] for x in xs]
        return nn_cross_entropy(logits, labels)

    calls = [(xs, [RNG.randrange(5) for _ in xs]) for _ in range(12)]
    step = compared(backend, loss, calls, flat(ws), 1)
    assert "6 picks from 5 rows" in step.source()
    for label, words in ((5, "from 0 to 4, got 5"), (-1, "from 0 to 4, got -1")):
        with pytest.raises(ValueError, match=f"cross_entropy expected a class {words}"):
            step(xs, [0, 1, 2, 3, 4, label])
    assert step(xs, [4] * 6).data == pytest.approx(loss(xs, [4] * 6).data, rel=1e-14)
    assert step.made == 1


@each_backend
@pytest.mark.parametrize("index", [3, -4, 7, 10**400])
def test_an_index_out_of_range_raises_at_that_call(backend, index):
    rows = values([1.0, 2.0, 3.0])
    step = replay(lambda k, x: pick(rows, k) * x, backend=backend)
    assert [step(k, 2.0).data for k in (0, -1, 2, 1)] == [2.0, 6.0, 6.0, 4.0]
    with pytest.raises(IndexError, match="from -3 to 2, one of 3 rows"):
        step(index, 2.0)
    assert step(-3, 2.0).data == 2.0
    assert step.made == 1


@each_backend
def test_a_number_that_is_no_whole_one_raises_at_that_call(backend):
    rows = values([1.0, 2.0, 3.0])
    step = replay(lambda k: pick(rows, k) * 2, backend=backend)
    assert [step(k).data for k in (0.0, 2.0, -1.0)] == [2.0, 6.0, 6.0]
    for k in (0.5, math.nan, math.inf):
        with pytest.raises(TypeError, match="pick expected a whole number as index, got Value"):
            step(k)
    with pytest.raises(IndexError, match="one of 3 rows, got 3"):
        step(3.0)
    assert step.made == 1


@each_backend
def test_an_index_that_is_computed(backend):
    rows = values([1.0, 2.0, 3.0])

    def f(k, scale):
        return pick(rows, k * 1.0 + scale) * scale

    calls = [(Value(float(k)), s) for k, s in ((0, 1.0), (1, 1.0), (2, -1.0), (1, -2.0))]
    step = compared(backend, f, calls, rows, 1)
    with pytest.raises(IndexError, match="got 3"):
        step(Value(2.0), 1.0)
    with pytest.raises(TypeError, match="whole number"):
        step(Value(2.0), 0.5)


@each_backend
def test_a_table_of_plain_numbers(backend):
    w = Value(2.0)
    calls = [(k,) for k in (0, 2, 1, -1)]
    compared(backend, lambda k: w * pick([0.5, 1.5, 2.5], k), calls, [w], 1)


@each_backend
def test_rows_that_do_not_lie_evenly(backend):
    ws = values([RNG.gauss(0, 1) for _ in range(12)])
    rows = [ws[0], ws[1], ws[7], 0.5, ws[3], ws[10] * ws[11]]

    def f(ks):
        mixed = [ws[0], ws[1], ws[7], 0.5, ws[3], ws[10] * ws[11]]
        picked = [pick(mixed, k) * pick(ws[j : j + 6], k) for j, k in enumerate(ks)]
        return engine.sum(x.tanh() for x in picked)

    calls = [([RNG.randrange(-6, 6) for _ in range(6)],) for _ in range(10)]
    assert len(rows) == 6
    step = compared(backend, f, calls, ws, 1)
    assert step.source().count("picks from 6 rows") == 2


@each_backend
def test_an_infinite_logit_is_as_in_eager(backend):
    ws = values([0.5, -1.5, 2.0])

    def loss(low, label):
        return engine.cross_entropy([ws[0], low, ws[1], ws[2]], label)

    calls = [(low, k) for low in (-math.inf, 0.5) for k in (0, 2, 1, 3)]
    compared(backend, loss, calls, ws, 1)


@each_backend
def test_zero_times_infinity_is_as_in_eager(backend):
    x, y = Value(0.0), Value(2.0)
    f = replay(lambda k: pick([x.log(), y, y * y], k) * 1.0, backend=backend)
    for k in (1, 2, 1):
        got = gradients(f(k), [x, y])
        want = gradients(pick([x.log(), y, y * y], k) * 1.0, [x, y])
        assert repr(got) == repr(want)
        assert math.isnan(got[0][0])  # as in PyTorch


def test_a_graph_of_very_many_rows_has_the_bits_of_eager():
    of = recorded(picks_graph())
    lists = python.Lists(of.program, of.tape)
    first = len(of.program.constants)
    lists.values[first : of.program.leaves] = [v.data for v in of.leaves]
    lists.forward()
    lists.backward(of.seeds)
    outputs, grads = of.eager()
    assert [lists.values[p] for p in of.program.outputs] == outputs
    assert list(lists.adjoints[first : of.program.leaves]) == grads


quick = settings(max_examples=60)
WHERE = st.integers(0, 10**6)


@st.composite
def programs(draw):
    """Picks from leaves and results, by integers that are given, and what is made of them."""
    return [
        (
            draw(st.sampled_from(["pick", "pick", "mul", "tanh", "sum", "logsumexp"])),
            draw(st.lists(WHERE, min_size=1, max_size=6)),
            draw(WHERE),
        )
        for _ in range(draw(st.integers(1, 20)))
    ]


@pytest.mark.whole
@quick
@given(programs(), st.lists(st.lists(st.integers(-6, 5), min_size=3, max_size=3), min_size=2))
def test_random_programs_have_the_bits_of_eager(steps, calls):
    leaves = values([0.5, -1.25, 2.0, 0.75])

    def f(ks):
        made = [*leaves, 1.5]
        for name, chosen, extra in steps:
            xs = [made[k % len(made)] for k in chosen]
            if name == "pick":
                made.append(pick([*xs, *xs, *xs, *xs, *xs, *xs][:6], ks[extra % 3]))
            elif name == "mul":
                made.append(xs[0] * xs[-1])
            elif name == "tanh":
                made.append(engine.tanh(xs[0]))
            else:
                made.append(getattr(engine, name)(xs))
        return engine.sum(made)

    step = replay(f, backend="python")
    for ks in calls:
        got, want = step(ks), f(ks)
        assert repr(got.data) == repr(want.data)
        assert repr(gradients(got, leaves)) == repr(gradients(want, leaves))
    assert step.made == 1


# --- integers of a recording: what is data, what is guarded, what belongs to the shape -----------


def recordings(f, *calls):
    """How many recordings such calls need, each right."""
    step = replay(f, backend="python")
    for arguments in calls:
        got, want = step(*arguments), f(*arguments)
        assert repr(getattr(got, "data", got)) == repr(getattr(want, "data", want))
    return step.made


ROWS = values([1.0, 2.0, 3.0, 4.0])

PINS = {
    "a length": lambda i, n: sum(pick(ROWS, i) for _ in range(n)),
    "a plain list": lambda i, n: pick(ROWS, i) * [1.0, 2.0, 3.0, 4.0][n],
    "a list of Values": lambda i, n: pick(ROWS, i) * ROWS[n],
    "a slice": lambda i, n: pick(ROWS, i) * engine.sum(ROWS[:n]),
    "a dict": lambda i, n: pick(ROWS, i) * {1: 2.0, 2: 3.0, 3: 4.0}[n],
    "a set": lambda i, n: pick(ROWS, i) * len({n, 2}),
    "arithmetic": lambda i, n: pick(ROWS, i) * (n + 1),
    "arithmetic with a Value": lambda i, n: pick(ROWS, i) * n,
    "from the right": lambda i, n: 2**n * pick(ROWS, i),
    "a power": lambda i, n: pick(ROWS, i) ** n,
    "a float": lambda i, n: pick(ROWS, i) * math.sqrt(n),
    "a text": lambda i, n: pick(ROWS, i) * len(f"{n:03d}" + str(n)),
    "a method": lambda i, n: pick(ROWS, i) * n.bit_length(),
    "a repetition": lambda i, n: pick(ROWS, i) * len([0] * n),
    "a letter": lambda i, n: pick(ROWS, i) * ord("abcd"[n]),
    "an index to compute with": lambda i, n: pick(ROWS, i) * pick(ROWS, n - 1),
}


@pytest.mark.parametrize("name", PINS)
def test_only_an_integer_whose_number_is_asked_for_belongs_to_the_shape(name):
    f = PINS[name]
    letters = [(0, 2), (3, 2), (1, 2), (-1, 2)]
    assert recordings(f, *letters) == 1
    assert recordings(f, *letters, (0, 3), (2, 3), (2, 2), (1, 1)) == 3


GUARDS = {
    "==": lambda i, n: pick(ROWS, i) * (2.0 if n == 2 else 3.0),
    "== from the left": lambda i, n: pick(ROWS, i) * (2.0 if 2 == n else 3.0),  # noqa: SIM300 (a function that people write)
    "!=": lambda i, n: pick(ROWS, i) * (2.0 if n != 2 else 3.0),
    "in": lambda i, n: pick(ROWS, i) * (2.0 if n in (2, 7) else 3.0),
    ">": lambda i, n: pick(ROWS, i) * (2.0 if 1 < n < 3 else 3.0),
    "match": lambda i, n: pick(ROWS, i) * matched(n),
    "another integer": lambda i, n: pick(ROWS, i) * (2.0 if n == i else 3.0),
}


def matched(n):
    match n:
        case 2:
            return 2.0
        case _:
            return 3.0


@pytest.mark.parametrize("name", sorted(GUARDS.keys() - {"another integer"}))
def test_another_integer_with_the_same_outcome_records_nothing_anew(name):
    calls = [(i, n) for n in (2, 3, 4, 2, 900, 0, -7) for i in (0, 3)]
    most = 3 if name in (">", "in") else 2  # "in" and ">" ask twice
    assert 2 <= recordings(GUARDS[name], *calls) <= most


def test_integers_are_compared_with_each_other_and_with_numbers():
    equal = GUARDS["another integer"]
    assert recordings(equal, (1, 1), (2, 2), (0, 0)) == 1
    assert recordings(equal, (1, 1), (2, 2), (1, 2), (3, 0)) == 2
    assert (
        recordings(lambda i, x: pick(ROWS, i) * (2.0 if x == i else 3.0), (1, 1.0), (2, 2.0)) == 1
    )
    assert recordings(lambda i, x: pick(ROWS, i) * (2.0 if i < x else 3.0), (1, 1.5), (2, 7.0)) == 1
    assert recordings(lambda i: pick(ROWS, i) * (2.0 if i else 3.0), (1,), (3,), (0,)) == 2
    assert recordings(lambda i, w=ROWS[2]: pick(ROWS, i) * (i == w), (1,), (3,)) == 1
    assert recordings(lambda i: pick(ROWS, i) * (i is None or i == "1"), (1,), (3,)) == 1
    huge = 2**53
    assert recordings(lambda i: pick(ROWS, i) * (1 + (i == huge) + (i < huge)), (1,), (3,)) == 2


def test_integers_that_are_not_used_are_no_part_of_the_shape():
    assert recordings(lambda xs, seed: xs[0] * 2, ([1.0], 3), ([2.0], 4), ([3.0], 10**400)) == 2


def test_integers_are_ints_to_the_function():
    seen = []

    def f(i, many):
        seen.append([isinstance(i, int), isinstance(i, numbers.Integral), isinstance(i, Value)])
        assert all(isinstance(k, int) for k in many)
        return pick(ROWS, i) * len(many)

    assert replay(f)(2, [1, 2]).data == 6.0
    assert seen == [[True, True, False]]


def test_integers_of_numpy_are_data_too():
    def f(i, labels):
        return engine.sum(pick(ROWS, k) for k in labels) * pick(ROWS, i)

    calls = [(np.int64(k), np.array([k, 0, -k])) for k in (1, 2, 3)]
    assert recordings(f, *calls) == 1
    kinds = replay(lambda ks: ROWS[0] * float(np.arange(10.0)[ks].sum()))
    assert [kinds(np.array([k, 1])).data for k in (1, 2, 2)] == [2.0, 3.0, 3.0]
    assert kinds.made == 2


def test_what_takes_no_stand_in_gets_the_int():
    def f(i, n):
        return pick(ROWS, i) * len(json.dumps({"n": n}))

    assert recordings(f, (0, 5), (0, 5), (1, 5), (1, 777)) == 3


def test_who_asks_for_the_type_of_an_integer_is_refused_where_it_matters():
    matters = replay(lambda i, x: pick(ROWS, i) * (2.0 if type(i) is int else x))
    with pytest.raises(ReplayError, match=r"asks at .* what kind of thing a number is"):
        matters(1, 5.0)

    def f(i, x, ks):
        assert type(i) is not str
        return pick(ROWS, i) * x * len(ks)

    assert recordings(f, (1, 5.0, [0, 3]), (2, 6.0, [1, 2])) == 1


def test_a_mistake_of_the_function_is_its_own():
    step = replay(lambda i: pick(ROWS, i) * math.exp("a"))
    for _ in range(2):
        with pytest.raises(TypeError, match="must be real number, not str"):
            step(1)
    assert step.made == 0


def test_a_result_with_integers_has_ints():
    def f(i, n):
        return {"value": pick(ROWS, i) * 2, "which": [n, (i,)], "next": n + 1}

    step = replay(f, backend="python")
    for i, n in ((1, 5), (1, 5), (2, 5), (2, 6)):
        found = step(i, n)
        assert found["value"].data == 2 * ROWS[i].data
        assert (found["which"], found["next"]) == ([n, (i,)], n + 1)
        assert [type(x) for x in (found["which"][0], found["which"][1][0])] == [int, int]


class Remembers:
    def __init__(self):
        self.last = self.rows = None

    def __call__(self, i):
        self.last = i
        return pick(ROWS, i) * 2


def test_what_is_set_is_an_int():
    model = Remembers()
    step = replay(model, backend="python")
    for i in (1, 2, 1, 1):
        step(i)
        assert model.last == i
        assert type(model.last) is int


def test_an_integer_that_is_kept_is_an_int():
    kept = []

    def f(i):
        kept.append((i, [i]))
        return pick(ROWS, i) * 2

    step = replay(f, backend="python")
    step(3)
    assert kept == [(3, [3])]
    assert type(kept[0][1][0]) is int


def test_a_replay_inside_a_recording_gets_integers():
    inner = replay(lambda i: pick(ROWS, i) * 3)
    assert recordings(lambda i: inner(i) + 1, (1,), (2,), (3,)) == 1


def test_explain_says_which_integers_belong_to_the_shape():
    step = replay(lambda letters, n: sum(pick(ROWS, k) for k in letters[0] for _ in range(n)))
    step([[1, 2]], 2)
    step([[3, 2]], 3)
    step([[0, 2]], 3)
    text = step.explain()
    assert "recording 1 runs on python; it is for n = 2 (see " in text
    assert f"(see {__file__}:" in text
    assert (
        "recorded anew: n changes, such as from 2 to 3, and each int is recorded for itself" in text
    )
    assert "letters" not in text


def test_a_function_that_begins_to_ask_for_a_number_is_found():
    step = replay(lambda i: pick(ROWS, i) * 2, backend="python", check=1)
    for i in (1, 2):
        assert step(i).data == ROWS[i].data * 2
    step.function = lambda i: pick(ROWS, i) * len(range(i))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert step(2).data == ROWS[2].data * 2
        assert step(3).data == ROWS[3].data * 3
    assert "it asks for the number of an integer" in step.explain()


def test_an_integer_in_another_kind_of_argument_is_named():
    step = replay(lambda x, k=0, **more: x * more["deep"][0]["n"] * k, backend="python")
    step(2.0, 3, deep=[{"n": 2}])
    step(2.0, 3, deep=[{"n": 5}])
    assert "deep[0]['n'] changes, such as from 2 to 5" in step.explain()
    assert "k = 3" in step.explain()


@pytest.mark.parametrize("n", range(12))
def test_many_numbers_that_are_asked_for_end_in_eager(n):
    step = replay(lambda i, n: pick(ROWS, i) * n)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for k in range(n):
            assert step(k % 4, k).data == ROWS[k % 4].data * k
    assert len(seen) == (n >= 9)


# --- training --------------------------------------------------------------------------------


class Letters(Module):
    """A letter embedded, and logits for the next one."""

    def __init__(self, letters=6, width=3):
        draw = random.Random(7)
        self.rows = values([[draw.gauss(0, 1) for _ in range(width)] for _ in range(letters)])
        self.head = values([[draw.gauss(0, 1) for _ in range(width)] for _ in range(letters)])

    def __call__(self, letter):
        x = pick(self.rows, letter)
        return [engine.dot(w, x) for w in self.head]


def in_torch(torch, model, batches, lr):
    """The parameters after steps of Adam."""
    rows, head = as_tensor(torch, model.rows), as_tensor(torch, model.head)
    optimizer = torch.optim.Adam([rows, head], lr=lr)
    for xs, ys in batches:
        optimizer.zero_grad()
        x = torch.nn.functional.embedding(torch.tensor(xs), rows)
        torch.nn.functional.cross_entropy(x @ head.T, torch.tensor(ys)).backward()
        optimizer.step()
    return [*rows.flatten().tolist(), *head.flatten().tolist()]


LETTERS = [RNG.randrange(6) for _ in range(30)], [RNG.randrange(6) for _ in range(30)]


@pytest.mark.some(4)
@pytest.mark.parametrize("backend", ["eager", *BACKENDS])
def test_adam_moves_rows_that_were_not_picked_as_in_torch(backend):
    torch = pytest.importorskip("torch")
    model, seed = Letters(), 3
    drawn = itertools.islice(batches(len(LETTERS[0]), 2, False, random.Random(seed)), 40)
    expected = in_torch(torch, model, map(Table(*LETTERS).batch, drawn), 0.05)
    adam = Adam(model.parameters(), lr=0.05)
    settings = {"optimizer": adam, "steps": 40, "batch_size": 2, "seed": seed, "backend": backend}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = fit(model, nn_cross_entropy, LETTERS, **settings)
    ours = [v.data for v in (*flat(model.rows), *flat(model.head))]
    assert ours == pytest.approx(expected, rel=1e-10)
    assert len(history) == 40
    assert all(v.has_grad for v in model.parameters())


def test_training_by_python_has_the_bits_of_eager():
    found = []
    for backend in ("eager", "python"):
        model = Letters()
        fit(model, nn_cross_entropy, LETTERS, lr=0.3, steps=30, batch_size=4, backend=backend)
        found.append([v.data for v in model.parameters()])
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", [int, float, np.int64, np.float64])
def test_labels_that_appear_later_need_no_new_recording(kind, monkeypatch):
    made = []
    record = Recorder.record
    monkeypatch.setattr(Recorder, "record", lambda *a, **k: made.append(1) or record(*a, **k))
    xs = [[float(k % 7), 1.0] for k in range(24)]
    ys = [kind(0 if k < 20 else k % 4) for k in range(24)]
    order = list(range(24))
    monkeypatch.setattr("nn.stepping.shuffled", lambda n, rng: order)
    model = MLP(2, [4], seed=1)
    history = fit(
        model, nn_cross_entropy, (xs, ys), lr=0.1, epochs=2, batch_size=4, backend="python"
    )
    assert len(made) == 1
    assert all(type(share) is float for share in history.accuracy)
    loss, accuracy = evaluate(model, nn_cross_entropy, (xs, ys))
    assert math.isfinite(loss)
    assert 0 <= accuracy <= 1


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (6, "example 2 does not fit: cross_entropy expected a class from 0 to 5, got 6"),
        (-1, "example 2 does not fit: cross_entropy expected a class from 0 to 5, got -1"),
        (1.5, r"example 2 does not fit: cross_entropy expected a class index .*got float \(1.5\)"),
        (math.nan, r"ys\[2\] expected a finite number"),
        ([1, 0], "example 2 does not fit: cross_entropy expected 6 probabilities, got 2"),
    ],
)
@pytest.mark.parametrize("run", [evaluate, lambda *a: fit(*a, lr=0.1, steps=5)])
def test_bad_labels_are_named_and_nothing_is_lost(run, label, words):
    model = Letters()
    before = [v.data for v in model.parameters()]
    ys = [*LETTERS[1][:2], label, *LETTERS[1][3:]]
    with pytest.raises(ValueError, match=words):
        run(model, nn_cross_entropy, (LETTERS[0], ys))
    assert [v.data for v in model.parameters()] == before
    assert not any(v.has_grad for v in model.parameters())


def test_a_letter_that_is_no_row_is_named():
    with pytest.raises(ValueError, match="example 1 does not fit: pick expected an index from -6"):
        fit(Letters(), nn_cross_entropy, ([0, 6], [1, 2]), lr=0.1, steps=5)


def test_checkpoints_of_trainings_on_rows_of_0_and_1_go_on(tmp_path):
    settings = {"lr": 0.2, "batch_size": 8, "backend": "python", "seed": 5}
    xs, ys = [[RNG.gauss(0, 1), 1.0] for _ in LETTERS[1]], LETTERS[1]
    path = tmp_path / "run.json"
    nets = [MLP(2, [6], seed=1) for _ in range(3)]
    fit(nets[0], nn_cross_entropy, (xs, ys), steps=20, **settings)
    fit(nets[1], nn_cross_entropy, (xs, ys), steps=7, checkpoint=path, **settings)
    document = json.loads(path.read_text())
    rows = [[float(k == y) for k in range(6)] for y in ys]
    document["training"]["data"] = digest((xs, rows))  # as they were written
    document["recorded"] = ["of another shape"]
    document["checksum"] = checkpoint._checksum(document)
    path.write_text(json.dumps(document))
    fit(nets[2], nn_cross_entropy, (xs, ys), steps=20, resume=path, **settings)
    assert [v.data for v in nets[2].parameters()] == [v.data for v in nets[0].parameters()]
    with pytest.raises(ValueError, match="its data differs"):
        fit(nets[2], nn_cross_entropy, (xs, ys[::-1]), steps=20, resume=path, **settings)
