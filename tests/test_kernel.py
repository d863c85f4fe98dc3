from graphs import GRAPHS, recorded

from engine.replay.backends.kernel import memory


def test_memory_has_the_constants_and_room_for_the_rest():
    of = recorded(GRAPHS["shared"]())
    values = memory(of.program)
    assert values.typecode == "d"
    assert len(values) == of.program.size
    count = len(of.program.constants)
    assert tuple(values[:count]) == of.program.constants
    assert 0.5 in of.program.constants
    assert not any(values[count:])


def test_memory_of_a_program_without_constants():
    of = recorded(GRAPHS["sparse"]())
    assert of.program.constants == (0.0,) or not of.program.constants
    assert len(memory(of.program)) == of.program.size
