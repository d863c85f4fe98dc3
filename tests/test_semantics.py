"""The cases that small engines get wrong somewhere, one test for each; some in full elsewhere."""

import copy
import math
import pickle
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hostile import HOSTILE
from oracles import close

import engine
from engine.pictures.draw import draw
from engine.pictures.drawing.svg import svg
from engine.pictures.texts import visible
from engine.value import Value
from nn.module import MLP, Layer, Neuron

inf, nan = math.inf, math.nan


def slopes(f, *at: float) -> tuple[float, ...]:
    """f, and its derivatives by backward; grad must agree."""
    values = [Value(x) for x in at]
    out = f(*values)
    again = [v.data for v in engine.grad(out, values)]
    out.backward()
    grads = [v.grad for v in values]
    assert all(close(a, b, 0.0) for a, b in zip(again, grads, strict=True))
    return out.data, *grads


def same(got, want, tolerance=1e-15) -> bool:
    return all(close(a, b, tolerance) for a, b in zip(got, want, strict=True))


# --- backward more than once --------------------------------------------------------------------


def test_backward_twice_on_a_product_of_three():
    x = Value(3.0)
    y = x * x * x
    y.backward()
    y.backward()
    assert x.grad == 54.0


def test_backward_twice_with_the_leaf_zeroed_between():
    x = Value(3.0)
    y = x * x * x
    y.backward()
    x.zero_grad()
    y.backward()
    assert x.grad == 27.0


def test_two_losses_that_share_an_inner_value():
    a = Value(2.0)
    b = a * a
    (b * 3).backward()
    assert a.grad == 12.0
    (b * 2).backward()
    assert a.grad == 20.0
    assert b.grad == 2.0


def test_backward_on_an_inner_value_and_then_on_the_root():
    a = Value(2.0)
    b = a * a
    c = b * 5
    b.backward()
    c.backward()
    assert (a.grad, b.grad) == (24.0, 5.0)


@pytest.mark.whole
def test_a_long_chain_is_built_differentiated_copied_drawn_and_freed():
    """A tenth of the million nodes that tests/test_value.py builds, differentiates and frees."""
    x = Value(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.backward()
    assert (x.grad, copy.deepcopy(y).data) == (1.0, 100_001.0)
    assert len(draw(y).picture.nodes) <= 60


@pytest.mark.whole
def test_the_sum_of_many_losses():
    x = Value(1.0)
    losses = [x * float(i) for i in range(100_000)]
    for total in (engine.sum(losses), sum(losses)):
        x.zero_grad()
        total.backward()
        assert x.grad == sum(range(100_000))


def test_data_changed_between_forward_and_backward():
    x, y = Value(3.0), Value(5.0)
    z = (x * y).tanh()
    before = 1 / math.cosh(15.0) ** 2
    x.data = y.data = 0.0
    z.backward()
    assert x.grad == pytest.approx(5 * before, rel=1e-14)
    assert y.grad == pytest.approx(3 * before, rel=1e-14)


# --- powers, division, limits -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "at", "want"),
    [
        (lambda x: x**0, (0.0,), (1.0, 0.0)),
        (lambda x: x**0.5, (0.0,), (0.0, inf)),
        (lambda x: 0**x, (-1.0,), (inf, -inf)),
        (lambda x: x**-1, (0.0,), (inf, -inf)),
        (lambda x: 1 / x, (0.0,), (inf, -inf)),
        (lambda x, y: x / y, (0.0, 0.0), (nan, inf, nan)),
        (lambda x: x ** (1 / 3), (-8.0,), (nan, nan)),
        (lambda x, y: x**y, (2.0, 3.0), (8.0, 12.0, 8 * math.log(2))),
        (lambda y: 2**y, (3.0,), (8.0, 8 * math.log(2))),
        (lambda x: x**400, (10.0,), (inf, inf)),
        (lambda y: 10.0**y, (400.0,), (inf, inf)),
        (lambda x: x.exp(), (1000.0,), (inf, inf)),
        (lambda x: x.tanh(), (1000.0,), (1.0, 0.0)),
        (lambda x: x.tanh(), (-1000.0,), (-1.0, 0.0)),
        (lambda x: x.sigmoid(), (1000.0,), (1.0, 0.0)),
        (lambda x: x.sigmoid(), (-1000.0,), (0.0, 0.0)),
        (lambda x: x.tanh(), (17.7,), (math.tanh(17.7), 1.6905784627687253e-15)),
        (lambda x: x.sigmoid(), (40.0,), (1.0, 4.248354255291589e-18)),
        (lambda x: x.log(), (0.0,), (-inf, inf)),
        (lambda x: x.log(), (-1.0,), (nan, -1.0)),
        (lambda x: x.relu(), (nan,), (nan, 1.0)),
        (lambda x: x.relu() * inf, (-1.0,), (nan, nan)),
        (lambda x: engine.max(x, 1.0), (nan,), (nan, 1.0)),
        (lambda x: engine.max(1.0, x), (nan,), (nan, 1.0)),
        (lambda x: x / 10, (3.0,), (0.3, 0.1)),
        (lambda x, y: x / y, (49.0, 49.0), (1.0, 1 / 49, -1 / 49)),
        (lambda x, y: x / y, (1e-310, 1e-310), (1.0, inf, -inf)),
        (lambda x, y: x / y, (1e200, 1e200), (1.0, 1e-200, -1e-200)),
    ],
)
def test_numbers_follow_ieee_754(f, at, want):
    assert same(slopes(f, *at), want)


def test_zero_plus_a_value_is_that_value():
    v = Value(-0.0)
    assert 0 + v is v
    assert math.copysign(1, (0 + v).data) == -1
    assert math.copysign(1, (v + 0.0).data) == 1


@pytest.mark.parametrize("gap", [1000.0, -1000.0])
def test_cross_entropy_at_a_gap_of_1000(gap):
    def loss(x, y):
        return engine.cross_entropy([x, y], 1)

    assert slopes(loss, gap, 0.0) == ((1000.0, 1.0, -1.0) if gap > 0 else (0.0, 0.0, 0.0))


def test_one_operation_makes_one_node():
    a, b = Value(1.0), Value(2.0)
    for v in (a - b, a / b, -a, engine.sum([a, b]), engine.dot([a], [b]), a.sigmoid()):
        assert set(v._prev) <= {a, b}
        assert len(engine.toposort(v)) == 1 + len(set(v._prev))


def test_the_sum_of_many_is_correctly_rounded():
    values = [Value(1e16), *(Value(1.0) for _ in range(100)), Value(-1e16)]
    total = engine.sum(values)
    total.backward()
    assert total.data == 100.0
    assert {v.grad for v in values} == {1.0}


# --- kinds of operands --------------------------------------------------------------------------


def test_numpy_scalars_keep_the_graph():
    np = pytest.importorskip("numpy")
    v = Value(3.0)
    for out, slope in ((np.float64(2) * v, 2.0), (v ** np.int64(2), 6.0)):
        v.zero_grad()
        out.backward()
        assert v.grad == slope


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Value("1"), "str"),
        (lambda: Value([1]), "list"),
        (lambda: Value(1j), "complex"),
        (lambda: Value(Value(1.0)), "Value"),
        (lambda: Value(1.0) * "ab", "str"),
    ],
)
def test_what_is_no_number_is_a_type_error_that_names_it(make, name):
    with pytest.raises(TypeError, match=f"expected a real number, got {name} "):
        make()


def test_truth_and_order_go_by_data():
    a, b = Value(2.0), Value(-1.0)
    assert not bool(Value(0.0))
    assert bool(b)
    assert max(a, b) is a
    assert min(a, b) is b
    assert sorted([a, b]) == [b, a]


def test_deep_copies_have_gradients_of_their_own():
    x = Value(3.0)
    y = x * x
    twin_x, twin_y = copy.deepcopy((x, y))
    twin_y.backward()
    assert (twin_x.grad, x.grad) == (6.0, 0.0)


def test_pickling_a_deep_graph_says_what_to_save():
    y = Value(1.0)
    for _ in range(50_000):
        y = y + 1.0
    with pytest.raises(
        TypeError, match=r"save the leaves it was computed from, or model\.state_dict"
    ):
        pickle.dumps(y)


@pytest.mark.parametrize("count", [2, 5])
def test_a_neuron_counts_its_inputs(count):
    with pytest.raises(ValueError, match=rf"Neuron\(3\) expected 3 inputs, got {count}"):
        Neuron(3)([1.0] * count)


@pytest.mark.parametrize(
    "make", [lambda: MLP(2, [0, 1]), lambda: MLP(-1, [1]), lambda: Layer(2, -3), lambda: Neuron(-1)]
)
def test_sizes_below_one_are_refused(make):
    with pytest.raises(ValueError, match=r"-?\d"):
        make()


def test_weights_that_are_no_numbers_are_refused():
    model = MLP(2, [1], seed=0)
    state = model.state_dict()
    name = next(iter(state))
    with pytest.raises(ValueError, match=name):
        model.load_state_dict({**state, name: nan})
    assert model.state_dict() == state


def test_only_the_last_single_output_of_a_model_is_unwrapped():
    assert isinstance(MLP(2, [1, 1])([1.0, 2.0]), Value)
    assert len(Layer(2, 1)([1.0, 2.0])) == 1


def test_a_misspelt_attribute_is_an_error():
    with pytest.raises(AttributeError):
        Value(1.0).gard = 0


def test_an_exception_in_a_backward_leaves_gradients_as_they_were():
    """At every line and by signals: tests/test_value.py."""
    x, y = Value(2.0), Value(3.0)
    z = x * y
    z.dx = None
    with pytest.raises(TypeError):
        (z + x).backward()
    assert (x.grad, y.grad, x.has_grad) == (0.0, 0.0, False)
    z.dx = 3.0
    (z + x).backward()
    assert (x.grad, y.grad) == (4.0, 2.0)


@pytest.mark.whole
def test_twelve_processes_with_one_seed_give_the_same_bits():
    program = (
        "from nn import MLP, moons, gradient_descent\n"
        "from nn.loss import mse\nfrom engine import Value\n"
        "m = MLP(2, [4, 1], seed=5); loss = mse([m([.1, i]) for i in range(5)], [1.0] * 5)\n"
        "loss.backward()\n"
        "print([p.data.hex() + p.grad.hex() for p in m.parameters()], loss.data.hex())"
    )
    here = Path(__file__).parents[1]
    running = [
        subprocess.Popen([sys.executable, "-c", program], cwd=here, stdout=subprocess.PIPE)
        for _ in range(12)
    ]
    outputs = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0] * 12
    assert len(outputs) == 1


# --- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_labels_are_text_and_nothing_else(label):
    def drawing(text):
        a, b = Value(1.0, text), Value(2.0, "b")
        return draw(a * b + a)

    hostile, plain = drawing(label).picture, drawing("a").picture
    assert len(hostile.nodes) == len(plain.nodes)
    assert len(hostile.edges) == len(plain.edges)
    root = ET.fromstring(svg(hostile, "LR"))
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert len(list(root.iter())) == len(list(ET.fromstring(svg(plain, "LR")).iter()))
    shown = "".join(root.itertext())
    assert visible(label)[:10] in shown
    assert drawing(label).dot.source.count("->") == drawing("a").dot.source.count("->")


def test_an_operand_used_twice_has_two_edges():
    a = Value(2.0, "a")
    drawing = draw(a + a)
    assert (a + a)._prev == (a, a)
    n = drawing.dot.source.count("->")
    assert n == draw(a + Value(1.0, "b")).dot.source.count("->") == 3
