import pytest

from engine.functions import dot, logsumexp
from engine.functions import sum as total
from engine.op import row
from engine.replay.backends import scalars
from engine.replay.backends.steps import Writer
from engine.replay.loops import adjoint, lower
from engine.replay.roll import roll
from engine.replay.watch import record
from engine.value import Value, apply


def lines(f, inputs):
    """The lines of the last loop, then those of its adjoints."""
    with record() as seen:
        y = f()
    loop = lower(roll(seen.tape(inputs, [y], [True] * len(inputs))))[-1]
    writer = Writer()
    for each in (loop, *adjoint([loop])):
        scalars.write(writer, each)
    return [step.text.format(*step.operands) for step in writer.steps]


@pytest.mark.parametrize(
    ("f", "line", "factors"),
    [
        (lambda x, y: x * y, "values[0] * values[1]", [" * values[1]", " * values[0]"]),
        (
            lambda x, y: x / y,
            "ieee.div(values[0], values[1])",
            [" * ieee.div(1.0, values[1])", " * ieee.div(-values[2], values[1])"],
        ),
        (lambda x, y: x + y, "values[0] + values[1]", ["", ""]),
        (lambda x, y: total([x, y]), "ieee.fsum([values[0], values[1]])", ["", ""]),
        (
            lambda x, y: logsumexp([x, y]),
            "ieee.logsumexp([values[0], values[1]])",
            [" * ieee.exp(values[0] - values[2])", " * ieee.exp(values[1] - values[2])"],
        ),
        (
            lambda x, y: dot([x], [y], x),
            "values[0] + values[0] * values[1]",
            [" * values[1]", " * values[0]", ""],
        ),
    ],
)
def test_lines_and_factors(f, line, factors):
    x, y = Value(2.0), Value(3.0)
    forward, *backward = lines(lambda: f(x, y), [x, y])
    assert forward == f"values[2] = {line}"
    assert [text.split("+= adjoints[2]")[1] for text in backward] == factors


def test_all_that_comes_to_a_place_is_one_line():
    x, ys = Value(2.0), [Value(3.0), Value(4.0)]
    *_, by_y = lines(lambda: dot([x, x], ys, 1.0), [x, *ys])
    assert by_y == "adjoints[3] += adjoints[4] * values[1]"
    by_x = lines(lambda: dot([x, x], ys, 1.0), [x, *ys])[1]
    assert by_x == "adjoints[1] += adjoints[4] * values[2] + adjoints[4] * values[3]"


def test_names_of_a_formula_cannot_meet_ours():
    x = Value(0.3)
    assert lines(x.sigmoid, [x])[0] == (
        "values[1] = (ieee.div(1.0, 1.0 + ieee.exp(-values[0])) if values[0] >= 0.0 "
        "else ieee.div((e_part := ieee.exp(values[0])), 1.0 + e_part))"
    )


def test_a_part_that_is_called_as_the_adjoint_is():
    x = Value(0.3)
    cube = row("cube", "cube", "x * x * x", "3 * (g := x) * g", at=[])
    _, share = lines(lambda: apply(cube, x), [x])
    assert share == "adjoints[0] += adjoints[1] * (3.0 * (g__part := values[0]) * g__part)"
