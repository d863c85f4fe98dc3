import pytest

pytest.importorskip("numpy")

from engine import functions
from engine.backends import numpy as backend
from engine.roll import roll
from engine.tape import record
from engine.value import Value

XS = [Value(0.5 * k) for k in range(1, 9)]
WS = [[Value(0.25 * k - j) for k in range(3)] for j in range(5)]


def forward(f, inputs):
    """The lines of the forward function."""
    with record() as seen:
        result = f()
    tape = seen.tape(inputs, result if isinstance(result, list) else [result])
    source = backend.compile(roll(tape), tape).source
    lines = source.split("def forward():\n")[1].split("\n\n")[0]
    return [line.strip() for line in lines.splitlines()]


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
