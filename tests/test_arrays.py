"""How many calls of NumPy a program is; what they compute is judged in test_numpy."""

import re
from collections import Counter

import pytest

pytest.importorskip("numpy")

from engine import functions
from engine.replay.backends import numpy as backend
from engine.replay.roll import roll
from engine.replay.watch import record
from engine.value import Value

XS = [Value(0.5 * k) for k in range(1, 9)]
WS = [[Value(0.25 * k - j) for k in range(3)] for j in range(5)]


def calls(f, inputs):
    """What is called how often in the forward function, and in the backward one."""
    with record() as seen:
        result = f()
    outputs = result if isinstance(result, list) else [result]
    tape = seen.tape(inputs, outputs, [True] * len(inputs))
    source = backend.compile(roll(tape), tape).source
    parts = [part.split("\n\n")[0] for part in source.split("\ndef ")[1:]]
    return [Counter(re.findall(r"(?:np|\w+)\.(\w+)\(", part)) for part in parts]


def dots(*bias):
    return [functions.dot(w, x, *bias) for x in (XS[:3], XS[3:6]) for w in WS]


@pytest.mark.parametrize(
    ("f", "made"),
    [
        pytest.param(lambda: [x.tanh() for x in XS], {"tanh": 1}, id="one call a loop"),
        pytest.param(lambda: [x * x for x in XS], {"multiply": 1}, id="an operand read twice"),
        pytest.param(lambda: functions.dot(XS, XS), {"dot": 1}, id="one dot"),
        pytest.param(
            dots, {"matmul": 1}, id="dots over rows and columns are a product of matrices"
        ),
        pytest.param(lambda: dots(2.5), {"matmul": 1, "add": 1}, id="a bias is added"),
        pytest.param(lambda: XS[0] * XS[1] + 0.5, {}, id="a row alone is computed in floats"),
        pytest.param(
            lambda: [XS[k].exp() for k in (0, 5, 2, 7, 1, 3, 3, 6, 0, 4, 1, 1, 2)],
            {"take": 1, "exp": 1},
            id="places without steps are read from a table",
        ),
    ],
)
def test_loops_are_calls(f, made):
    assert calls(f, XS)[0] == made


@pytest.mark.parametrize(
    ("f", "made"),
    [
        pytest.param(
            lambda: functions.sum([x.exp() for x in XS]), {"multiply": 1}, id="of one number"
        ),
        pytest.param(
            lambda: functions.sum([x - y for x, y in zip(XS, WS[0] + WS[1] + WS[2], strict=False)]),
            {"copyto": 1, "negative": 1},
            id="differences need no product",
        ),
        pytest.param(
            lambda: functions.sum([x * WS[0][0] for x in XS]),
            {"multiply": 1, "dot": 1},
            id="what all rows share is a dot",
        ),
        pytest.param(
            lambda: functions.sum(dots()),
            {"copyto": 4, "dot": 2},
            id="matrices with one number for all adjoints are sums",
        ),
        pytest.param(
            dots, {"copyto": 2, "matmul": 2}, id="those of a matrix are products of matrices"
        ),
    ],
)
def test_adjoints_are_calls(f, made):
    assert calls(f, [*XS, *(w for row in WS for w in row)])[1] == made
