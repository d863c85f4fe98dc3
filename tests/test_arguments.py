import math
from dataclasses import dataclass

import pytest

from engine.arguments import copies, flatten, numbers_of, read, rebuild, twins
from engine.value import Value


def shape(*arguments, **keywords):
    return read(arguments, keywords).shape


@dataclass(frozen=True)
class Settings:
    scale: float


class Alike:
    """A model that calls itself equal to all others."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, True),
        (0, False),
        ({1: 2.0}, {True: 2.0}),
        ({0.0: 2.0}, {-0.0: 2.0}),
        ({(1, 0.0): 2.0}, {(1, -0.0): 2.0}),
        (Settings(0.0), Settings(-0.0)),
        (Alike(), Alike()),
        ([1.0], (1.0,)),
        ([[1.0], [2.0]], [[1.0, 2.0]]),
        (1.0, Value(1.0)),
        (1.0, 1),
    ],
)
def test_what_is_not_the_same_has_another_shape(a, b):
    assert shape(a) != shape(b)
    assert shape(k=a) != shape(k=b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1.0, math.nan),
        ([1.0, [2.0]], [3.0, [4.0]]),
        ({"k": 1.0}, {"k": 2.0}),
        (Value(1.0), Value(2.0)),
        ("text", "te" + "xt"),
        ({(1, "a"): 1.0}, {(1, "a"): 2.0}),
    ],
)
def test_numbers_are_no_part_of_the_shape(a, b):
    assert shape(a) == shape(b)
    assert hash(shape(a)) == hash(shape(b))


def test_a_model_has_the_shape_of_itself():
    model = Alike()
    assert shape(model) == shape(model)


def test_what_was_taken_apart_can_be_put_together():
    given = {"a": [1.0, (2.0, 3)], "b": [[1.0, 2.0], [3.0, 4.0]], "c": None}
    numbers = []
    flatten(given, numbers)
    assert rebuild(given, iter(numbers)) == given
    assert numbers_of(given) == numbers == [1.0, 2.0, 1.0, 2.0, 3.0, 4.0]


def test_copies_keep_labels_and_who_is_who():
    v, w = Value(1.0, "v"), Value(1.0)
    a, b, c, d = copies([v, 2.0, v, w])
    assert a is c is not v
    assert (a.label, a.data, b.data, d.label) == ("v", 1.0, 2.0, "")
    assert d is not a
    assert twins([v, w, v, v]) == [0, 1, 0, 0]
