import pytest

pytest.importorskip("numpy")

from engine.replay.backends.steps import Step, Writer


def test_lines_are_kept_in_order_with_their_operands():
    writer = Writer()
    writer.do("{0} = {1} + 1", 3, 4)
    writer.do("{0} = 0.5", 5)
    assert writer.steps == [Step("{0} = {1} + 1", (3, 4)), Step("{0} = 0.5", (5,))]


def test_temporaries_lie_side_by_side_until_they_are_given_back():
    writer = Writer()
    first, second = writer.temporary((2, 3)), writer.temporary((4,))
    assert (first.base, first.shape, first.strides) == (0, (2, 3), (3, 1))
    assert (second.base, writer.room["scratch"]) == (6, 10)
    writer.clear()
    assert writer.temporary((5,)).base == 0
    assert writer.room["scratch"] == 10  # the most that was ever needed


def test_memories_are_counted_apart():
    writer = Writer()
    writer.temporary((3,), "masks")
    writer.clear()
    writer.temporary((2,), "masks")
    assert writer.ones(7).shape == (7,)
    assert writer.ones(4).strides == (1,)
    assert writer.room == {"masks": 3, "ones": 7}
