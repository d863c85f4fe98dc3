from collections import Counter

import pytest

pytest.importorskip("numpy")

from engine.replay.backends.steps import Step, Writer


def test_lines_are_kept_in_order_with_their_operands():
    writer = Writer(Counter())
    writer.do("{0} = {1} + 1", 3, 4)
    writer.do("{0} = 0.5", 5)
    assert writer.steps == [Step("{0} = {1} + 1", (3, 4)), Step("{0} = 0.5", (5,))]


def test_temporaries_lie_side_by_side_until_they_are_given_back():
    room: Counter[str] = Counter()
    writer = Writer(room)
    first, second = writer.temporary((2, 3)), writer.temporary((4,))
    assert (first.base, first.shape, first.strides) == (0, (2, 3), (3, 1))
    assert (second.base, room["scratch"]) == (6, 10)
    writer.clear()
    assert writer.temporary((5,)).base == 0
    assert room["scratch"] == 10  # the most that was ever needed


def test_memories_are_counted_apart():
    room: Counter[str] = Counter()
    forward, backward = Writer(room), Writer(room)
    forward.temporary((3,), "masks")
    backward.temporary((2,), "masks")
    assert forward.ones(7).shape == (7,)
    assert backward.ones(4).strides == (1,)
    assert room == {"masks": 3, "ones": 7}
