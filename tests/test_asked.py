"""What a recording asks of its numbers after a forward."""

import math

import pytest
from graphs import recorded

import engine
from engine.replay.asked import asked
from engine.replay.backends.kernel import memory
from engine.value import Value


def holds(program, numbers):
    """Whether the recording is for such numbers, that stand where its first inputs are."""
    values = memory(program)
    for place, x in enumerate(numbers, len(program.constants)):
        values[place] = x
    return asked(program)(values)


@pytest.mark.parametrize("between", [[], [Value(0.25)]], ids=["side by side", "apart"])
def test_integers_that_pick_are_whole_and_name_a_row(between):
    k, j = Value(0.0), Value(1.0)
    table, pair = [Value(0.1), Value(0.2), Value(0.3)], [Value(0.5), Value(0.6)]
    picks = lambda: [engine.pick(table, k), engine.pick(table, j), *(x * 2.0 for x in between)]
    program = recorded(([k, *between, j], picks)).program
    rest = [0.25] * len(between)
    for good in (0.0, -0.0, 2.0, -3.0):
        assert holds(program, [good, *rest, 1.0])
        assert holds(program, [1.0, *rest, good])
    for bad in (3.0, -4.0, 0.5, math.nan, math.inf):
        assert not holds(program, [bad, *rest, 1.0])
        assert not holds(program, [1.0, *rest, bad])
    short = recorded(([k, j], lambda: [engine.pick(table, k), engine.pick(pair, j)])).program
    assert holds(short, [2.0, 1.0])
    assert not holds(short, [1.0, 2.0])


def test_comparisons_come_out_as_they_did():
    x, y = Value(1.0), Value(2.0)
    program = recorded(([x, y], lambda: [x * y if x < y else y, x + y if x > y else x])).program
    assert holds(program, [1.0, 2.0])
    assert not holds(program, [2.0, 2.0])
    assert not holds(program, [3.0, 2.0])
    assert not holds(program, [math.nan, 2.0])
