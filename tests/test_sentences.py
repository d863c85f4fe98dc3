"""The texts of a story: names, the chain rule, and why a gradient is 0."""

import math
import re

import pytest
from hostile import HOSTILE
from tangles import tangle

from engine.functions import dot, logsumexp
from engine.functions import sum as sum_of
from engine.ops import OPS
from engine.pictures.story.record import record, sweep
from engine.pictures.story.sentences import FORMS, Words, d, expression, slope
from engine.value import Value, apply
from nn.module import MLP

FUNCTIONS = {name: getattr(math, name) for name in dir(math) if name[0] != "_"}


def words_of(root, names=(), also=()):
    recorded = record(root, also)
    at = recorded.place_of()
    return Words(recorded, {at[v]: name for name, v in names})


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if not op.many])
def test_slopes_as_written_are_the_slopes_of_the_rows(name):
    op = OPS[name]
    for point in op.at:
        z, *expected = op.forward(point)
        letters = dict(zip("xy", point, strict=False)) | {"z": z}
        for position, number in enumerate(expected):
            text = slope(op, position, "xy"[: op.arity], "z")
            assert eval(text, {**FUNCTIONS, **{n: OPS[n] for n in OPS if n not in FUNCTIONS}},
                        letters) == pytest.approx(number, rel=1e-12)  # fmt: skip


def test_slopes_as_written_are_of_rows_and_short():
    assert FORMS.keys() <= OPS.keys()
    assert all(len(text) < 25 for op in OPS.values() for text in op.textbook)


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.name != "logsumexp"])
def test_expressions_are_what_is_computed(name):
    op = OPS[name]
    functions = {**FUNCTIONS, **{n: OPS[n] for n in OPS if n not in ("abs", "max", "min")}}
    for point in op.at:
        text = expression(op, [repr(x) for x in point])
        assert eval(text, functions) == pytest.approx(op(*point), rel=1e-12)


def test_slopes_of_many_operands():
    assert slope(OPS["dot"], 0, ["w", "x", "b"], "v") == "x"
    assert slope(OPS["dot"], 1, ["w", "x", "b"], "v") == "w"
    assert slope(OPS["dot"], 2, ["w", "x", "b"], "v") == "1"
    assert slope(OPS["sum"], 2, ["p", "q", "r"], "v") == "1"
    assert slope(OPS["logsumexp"], 1, ["p", "q"], "v") == "exp(q - v)"


@pytest.mark.parametrize("position", [0, 1500, 3000])
def test_of_many_operands_those_in_the_slope_alone_are_named(position):
    """Each edge of a `dot` asks for its slope: to name all operands took quadratic time."""
    named = []

    def name(place):
        named.append(place)
        return f"w{place}"

    others = {0: "w1500", 1500: "w0", 3000: "1"}
    assert slope(OPS["dot"], position, range(3001), "v", name) == others[position]
    assert len(named) <= 2


@pytest.mark.parametrize(
    ("exponent", "text"),
    [
        ("2", "2 * x"),
        ("3", "3 * x ** 2"),
        ("0.5", "0.5 * x ** (-0.5)"),
        ("-1", "-1 * x ** (-2)"),
        ("n", "n * x ** (n - 1)"),
    ],
)
def test_the_slope_of_a_power(exponent, text):
    assert slope(OPS["pow"], 0, ["x", exponent], "z") == text


def test_names_that_hold_letters_of_formulas_are_not_replaced_again():
    assert slope(OPS["pow"], 0, ["y", "z"], "x") == "z * y ** (z - 1)"


def test_names_come_from_the_model_then_labels_then_operations():
    w, x = Value(1.0, "label of w"), Value(2.0, "x")
    root = (w * x + Value(3.0)).tanh() * 0.5
    words = words_of(root, [("layer.w", w)])
    assert words.labels == ["layer.w", "x", "mul1", "input1", "add1", "tanh1", "0.5", "mul2"]


@pytest.mark.parametrize(("name", "text"), [
    ("w", "dw"), ("w0", "dw0"), ("layers.0.w", "d(layers.0.w)"), ("a b", "d(a b)")
])  # fmt: skip
def test_d_of_names(name, text):
    assert d(name) == text


def test_a_dot_in_words_that_a_beginner_understands():
    ws, xs = [Value(0.5, "w0"), Value(-1.0, "w1")], [Value(2.0, "x0"), Value(4.0, "x1")]
    recorded = record(dot(ws, xs, Value(0.25, "b")).tanh())
    words = Words(recorded, {})
    texts = [words.share(share) for share in sweep(recorded).shares]
    assert words.computed(recorded.operations[0]) == (
        "dot1 = b + w0 * x0 + w1 * x1 = 0.25 + 0.5 * 2 + -1 * 4 = -2.75"
    )
    assert texts[1] == "dL/dw0 += dL/d(dot1) * x0 = 0.01621 * 2 = 0.03243"
    assert texts[3] == "dL/dx0 += dL/d(dot1) * w0 = 0.01621 * 0.5 = 0.008107"
    assert texts[5] == "dL/db += dL/d(dot1) * d(dot1)/db = 0.01621 * 1 = 0.01621"


@pytest.mark.parametrize(("bias", "text"), [
    (0.0, "w * x = 0.5 * 2 = 1"),
    (0.25, "0.25 + w * x = 0.25 + 0.5 * 2 = 1.25"),
    (Value(0.0, "b"), "b + w * x = 0 + 0.5 * 2 = 1"),
])  # fmt: skip
def test_a_bias_that_is_no_number_of_the_net_is_left_out(bias, text):
    words = words_of(dot([Value(0.5, "w")], [Value(2.0, "x")], bias))
    assert words.computed(words.record.root) == f"dot1 = {text}"


def test_paths_that_meet():
    a = Value(3.0, "a")
    recorded = record(a * a)
    words = Words(recorded, {})
    assert [words.share(share) for share in sweep(recorded).shares] == [
        "dL/da += dL/dL * d(mul1)/da = dL/dL * a = 1 * 3 = 3",
        "dL/da += dL/dL * d(mul1)/da = dL/dL * a = 1 * 3 = 3; paths meet: 3 + 3 = 6",
    ]


def test_partials_in_words():
    v = Value(2.0, "v")
    root = (v * Value(5.0, "w")).tanh()
    words = words_of(root)
    assert [words.partial(e) for e in range(3)] == [
        "d(mul1)/dv = w",
        "d(mul1)/dw = v",
        "d(tanh1)/d(mul1) = 1 - tanh1 ** 2",
    ]
    assert words_of(v * 2.0).partial(1) == ""


def test_long_sums_are_cut():
    root = sum_of([Value(float(i), f"v{i}") for i in range(100)])
    text = words_of(root).computed(100)
    assert text == "sum1 = v0 + v1 + v2 + ... (100 terms) = 0 + 1 + 2 + ... (100 terms) = 4950"
    root = logsumexp([Value(float(i), f"v{i}") for i in range(100)])
    assert "(v0, v1, v2, ... (100 operands))" in words_of(root).computed(100)


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_stay_in_one_short_line(label):
    a = Value(2.0, label)
    recorded = record(a * a)
    words = Words(recorded, {})
    texts = [words.computed(1), words.loss(), words.partial(0), words.title()]
    texts += [words.share(share) for share in sweep(recorded).shares]
    for text in texts:
        assert len(text.splitlines()) == 1
        assert len(text) < 400
        text.encode()
    assert len(words.labels[0]) == len(label)


@pytest.mark.parametrize("seed", range(10))
def test_lines_of_the_backward_pass_end_in_their_number(seed):
    recorded = record(tangle(seed)[0])
    words = Words(recorded, {})
    for share in sweep(recorded).shares:
        end = share.new if share.old != 0 else share.contribution
        assert float(words.share(share).rpartition(" = ")[2]) == pytest.approx(end, rel=1e-3)
    for place in recorded.operations:
        text = words.computed(place)
        assert float(text.rpartition(" = ")[2]) == pytest.approx(recorded.data[place], rel=1e-3)
        assert not re.search(r"\n|\r", text)


# --- zeros ------------------------------------------------------------------------------------


def why(root, value, also=()):
    words = words_of(root, also=also)
    swept = sweep(words.record)
    place = len(swept.grads) - 2 if value is None else words.record.place_of()[value]
    return words.why(place, swept.grads)


def test_the_zeros_are_told_apart():
    a, b = Value(-2.0, "a"), Value(3.0, "b")
    hidden = a.relu()
    loss = hidden * b
    hidden.label = "hidden"
    kind, text = why(loss, a)
    assert kind == "dead"
    assert text == "the slope of hidden for it is 0: moving it changes nothing"
    assert why(loss, b)[0] == "dead"
    assert why(loss, hidden) == (None, "")
    lost = Value(1.0)
    assert why(loss, lost, [lost])[0] == "no path"
    kind, text = why(b * 2.0, None)
    assert (kind, "never changed" in text) == ("constant", True)


def test_blame_that_ends_above():
    a = Value(-2.0)
    inner = a * 1.0
    assert why((inner).relu() * 1.0, a) == ("dead", "the gradient of mul1 is 0: no blame arrives")


def test_saturated():
    assert why(Value(1000.0).tanh() * 2.0, None)[0] == "constant"
    x = Value(1000.0)
    assert why(x.tanh() + 1.0, x)[0] == "dead"


def test_shares_that_cancel_are_not_dead():
    a = Value(2.0)
    kind, text = why(a - a, a)
    assert kind is None
    assert "cancel" in text


def test_a_net_with_a_part_that_is_not_used():
    net = MLP(2, [2, 1], "tanh", seed=0)
    unused = Value(1.0)
    words = words_of(net([1.0, 2.0]), [*net.named_parameters(), ("spare", unused)], [unused])
    assert words.why(0, sweep(words.record).grads)[0] == "no path"
    assert words.labels[0] == "spare"


def test_operations_of_a_user_are_told_by_their_row():
    op = OPS["gelu"]
    assert expression(op, ["v"]) == "gelu(v)"
    recorded = record(apply(op, Value(0.5, "v")))
    assert Words(recorded, {}).partial(0).startswith("d(gelu1)/dv = 0.5 * erfc(")
