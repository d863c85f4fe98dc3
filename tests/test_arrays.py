import pytest

pytest.importorskip("numpy")

from engine import functions
from engine.replay.backends import numpy as backend
from engine.replay.roll import roll
from engine.replay.watch import record
from engine.value import Value

XS = [Value(0.5 * k) for k in range(1, 9)]
WS = [[Value(0.25 * k - j) for k in range(3)] for j in range(5)]


def lines(f, inputs):
    """The lines of the forward function, and of the backward one."""
    with record() as seen:
        result = f()
    outputs = result if isinstance(result, list) else [result]
    tape = seen.tape(inputs, outputs, [True] * len(inputs))
    source = backend.compile(roll(tape), tape).source
    parts = [part.split("\n\n")[0].splitlines()[1:] for part in source.split("\ndef ")[1:]]
    return [[line.strip() for line in part] for part in parts]


def forward(f, inputs):
    return lines(f, inputs)[0]


@pytest.mark.parametrize(
    ("f", "calls"),
    [
        pytest.param(lambda: [x.tanh() for x in XS], ["np.tanh("], id="one call a loop"),
        pytest.param(lambda: [x * x for x in XS], ["np.multiply("], id="an operand read twice"),
        pytest.param(lambda: functions.dot(XS, XS), ["np.dot("], id="one dot"),
        pytest.param(
            lambda: [functions.dot(w, x) for x in (XS[:3], XS[3:6]) for w in WS],
            ["np.matmul("],
            id="dots over rows and columns are a product of matrices",
        ),
        pytest.param(
            lambda: [functions.dot(w, x, 2.5) for x in (XS[:3], XS[3:6]) for w in WS],
            ["np.matmul(", "np.add("],
            id="a bias is added",
        ),
    ],
)
def test_loops_are_calls(f, calls):
    lines = forward(f, XS)
    assert len(lines) == len(calls)
    assert all(line.startswith(call) for line, call in zip(lines, calls, strict=True))


def test_a_row_alone_is_computed_in_floats():
    assert not any("np." in line for line in forward(lambda: XS[0] * XS[1] + 0.5, XS))


def test_places_without_steps_are_read_from_a_table():
    scattered = [XS[k] for k in (0, 5, 2, 7, 1, 3, 3, 6, 0, 4, 1, 1, 2)]
    take, exp = forward(lambda: [x.exp() for x in scattered], XS)
    assert take.startswith("x1.take(table1, ")
    assert exp.startswith("np.exp(")


@pytest.mark.parametrize(
    ("f", "calls"),
    [
        pytest.param(
            lambda: functions.sum([x.exp() for x in XS]), ["np.multiply("], id="of one number"
        ),
        pytest.param(
            lambda: functions.sum([x - y for x, y in zip(XS, WS[0] + WS[1] + WS[2], strict=False)]),
            ["np.copyto(", "np.negative("],
            id="differences need no product",
        ),
        pytest.param(
            lambda: functions.sum([x * WS[0][0] for x in XS]),
            ["np.multiply(", "np.dot("],
            id="what all rows share is a dot",
        ),
        pytest.param(
            lambda: functions.sum([functions.dot(w, x) for x in (XS[:3], XS[3:6]) for w in WS]),
            ["np.copyto(", "np.dot(", "np.copyto(", "np.copyto(", "np.dot(", "np.copyto("],
            id="matrices with one number for all adjoints are sums",
        ),
    ],
)
def test_adjoints_are_calls(f, calls):
    _, (seed, *found) = lines(f, [*XS, *(w for row in WS for w in row)])
    assert seed.endswith("= seeds[0]")
    assert [line[: line.index("(") + 1] for line in found] == calls


def test_adjoints_of_a_matrix_are_products_of_matrices():
    def f():
        return [functions.dot(w, x) for x in (XS[:3], XS[3:6]) for w in WS]

    _, backward = lines(f, [*XS, *(w for row in WS for w in row)])
    assert [line.startswith("np.matmul(") for line in backward[2:]] == [True, True]
