from collections import Counter

import pytest

from engine.backends import scalars
from engine.backends.steps import Writer
from engine.functions import dot, logsumexp
from engine.functions import sum as total
from engine.roll import roll
from engine.tape import record
from engine.value import Value


def lines(f, inputs):
    """The lines of the last loop, and its shares."""
    with record() as seen:
        y = f()
    loop = roll(seen.tape(inputs, [y], [True] * len(inputs))).loops[-1]
    writer = Writer(Counter())
    scalars.forward(writer, loop)
    return [step.text.format(*step.operands) for step in writer.steps], list(scalars.shares(loop))


@pytest.mark.parametrize(
    ("f", "line", "factors"),
    [
        (lambda x, y: x * y, "values[2] = values[0] * values[1]", ["values[1]", "values[0]"]),
        (lambda x, y: x - y, "values[2] = values[0] - values[1]", ["1.0", "-1.0"]),
        (
            lambda x, y: x / y,
            "values[2] = ieee.div(values[0], values[1])",
            ["ieee.div(1.0, values[1])", "ieee.div(-values[2], values[1])"],
        ),
        (lambda x, y: x + y, "values[2] = values[0] + values[1]", ["1.0", "1.0"]),
        (
            lambda x, y: total([x, y]),
            "values[2] = ieee.fsum([values[0], values[1]])",
            ["1.0", "1.0"],
        ),
        (
            lambda x, y: logsumexp([x, y]),
            "values[2] = ieee.logsumexp([values[0], values[1]])",
            ["ieee.exp(values[0] - values[2])", "ieee.exp(values[1] - values[2])"],
        ),
        (
            lambda x, y: dot([x], [y], x),
            "values[2] = values[0] + values[0] * values[1]",
            ["1.0", "values[1]", "values[0]"],
        ),
    ],
)
def test_lines_and_factors(f, line, factors):
    x, y = Value(2.0), Value(3.0)
    written, shares = lines(lambda: f(x, y), [x, y])
    assert written == [line]
    found = [
        share.factor.format("", "", *operands)
        for share in shares
        for _, _, operands in share.places
    ]
    assert found == factors


def test_names_of_a_formula_cannot_meet_ours():
    x = Value(0.3)
    assert lines(x.sigmoid, [x])[0] == [
        "values[1] = ieee.div(1.0, 1.0 + ieee.exp(-values[0])) if values[0] >= 0.0 "
        "else ieee.div((e_ := ieee.exp(values[0])), 1.0 + e_)"
    ]
