import collections
import math
import types
from dataclasses import dataclass

import pytest

from engine.integer import Integer
from engine.replay.arguments import (
    copies,
    flatten,
    holds_objects,
    identities,
    numbers_of,
    read,
    rebuild,
    twins,
)
from engine.replay.replay import replay
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


# --- what is refused ----------------------------------------------------------------------------


class Layers(list):
    """A container that calls itself hashable."""

    __hash__ = object.__hash__


SCALES = {"a": 1.0, "b": 2.0}
CHANGING = [
    (SCALES.values(), "got dict_values: pass list"),
    (SCALES.keys(), "got dict_keys: pass list"),
    (SCALES.items(), "got dict_items: pass list"),
    ({1.0}, "got set: pass sorted"),
    (collections.deque([1.0]), "got deque: pass list"),
    (bytearray(b"a"), "got bytearray: pass list"),
    (Layers([1.0]), "got Layers: pass list"),
    (collections.UserList([1.0]), "got UserList: pass list"),
    (collections.OrderedDict(SCALES), "got OrderedDict: pass dict"),
    (collections.defaultdict(float), "got defaultdict: pass dict"),
    (types.MappingProxyType(SCALES), "got mappingproxy: pass dict"),
    ((x for x in [1.0]), "got generator: pass list"),
    (map(float, [1]), "got map: pass list"),
]


@pytest.mark.parametrize(("container", "words"), CHANGING, ids=[w for _, w in CHANGING])
def test_a_container_that_may_change_is_no_constant(container, words):
    for argument in (container, [container], {"k": (1.0, container)}):
        with pytest.raises(TypeError, match=words):
            replay(lambda x: Value(1.0))(argument)


def test_what_is_advised_is_data():
    w = Value(2.0)
    total = replay(lambda xs: sum(w * x for x in xs), backend="python")
    scales = dict(SCALES)
    for scales["a"] in (1.0, 5.0):
        assert total(list(scales.values())).data == 2 * sum(scales.values())
    assert total.made == 1


def test_what_contains_itself_is_told_so():
    things = [1.0]
    things.append(things)
    named = {}
    named["self"] = named
    for argument, kind in ((things, "list"), (named, "dict"), ((1.0, things), "list")):
        with pytest.raises(ValueError, match=f"got a {kind} that contains itself, or is nested"):
            flatten(argument, [])
    array = pytest.importorskip("numpy").array([None, 1.0], dtype=object)
    array[0] = array
    with pytest.raises(ValueError, match="that contains itself"):
        flatten(array, [])


@pytest.mark.parametrize(
    ("name", "advice"),
    [("longdouble", r"float\(x\)"), ("clongdouble", r"x\.real and x\.imag")],
)
def test_numbers_of_numpy_that_python_has_not_are_named(name, advice):
    x = getattr(pytest.importorskip("numpy"), name)(1)
    for argument in (x, [x], {"k": (x,)}):
        with pytest.raises(TypeError, match=rf"as Python has them, got {name}: pass {advice}"):
            replay(lambda x: Value(1.0))(argument)


@pytest.mark.parametrize("kind", ["complex128", "clongdouble", "M8[D]", "m8[s]", "S3"])
def test_an_array_of_other_things_is_named_as_the_cause(kind):
    array = pytest.importorskip("numpy").ones(2, dtype="i8").astype(kind)
    with pytest.raises(TypeError, match=r"arrays of real numbers or texts, got one of .*: "):
        replay(lambda x: Value(1.0))(array)


@pytest.mark.parametrize("kind", ["f4", "f2", "i8", "?", "U3", "O"])
def test_an_array_of_numbers_or_texts_is_taken(kind):
    array = pytest.importorskip("numpy").ones(2, dtype="i8").astype(kind)
    w = Value(3.0)
    f = replay(lambda x: w * float(x[0]) if kind == "U3" else w * x[0], backend="python")
    assert [f(array).data for _ in range(3)] == [3.0, 3.0, 3.0]


def test_what_is_put_in_the_place_of_an_equal_number_is_seen():
    a, b = Value(1.0), Value(1.0)
    assert identities(([a, b],), {}) == identities(([a, b],), {})
    assert identities(([a, b],), {}) != identities(([b, a],), {})
    million, again = int("1000000"), int("1000000")
    assert identities(([million],), {}) == identities(([again],), {})


@pytest.mark.parametrize("whole", [True, False])
def test_what_stands_for_an_integer_is_one_where_it_is_no_input(whole):
    """`v` is None after a recording."""
    numbers, behind = [], Value(3.0)
    alive, dead = Integer(3, behind), Integer(3, None)
    told = flatten(alive, numbers, whole), flatten(dead, numbers, whole)
    assert told == (flatten(3, [], whole),) * 2
    assert list(map(type, numbers)) == ([Integer, int] if whole else [])


@pytest.mark.parametrize("inside", [lambda x: [x], lambda x: ([], (1.0, x)), lambda x: {"a": [x]}])
def test_a_result_holds_nothing_but_data_at_any_depth(inside):
    assert numbers_of(inside(2.0))[-1] == 2.0
    with pytest.raises(TypeError, match="as the result, got Alike"):
        numbers_of(inside(Alike()))


@pytest.mark.parametrize(("kind", "remedy"), [("c16", "split it into .real"), ("M8[s]", "a list")])
def test_an_array_of_other_numbers_is_refused_with_a_remedy(kind, remedy):
    np = pytest.importorskip("numpy")
    with pytest.raises(TypeError, match=f"got one of .*: (pass )?{remedy}"):
        flatten(np.zeros(2, kind), [])


def test_an_array_of_objects_is_told_from_one_of_numbers():
    np = pytest.importorskip("numpy")
    assert holds_objects(np.array([Value(1.0), 2.0]))
    assert not holds_objects(np.array([1.0, 2.0]))
    assert not holds_objects([Value(1.0)])


def test_what_stood_for_an_integer_is_replaced_as_an_integer_is():
    of_before = [Integer(3, None), 4]
    assert rebuild(of_before, iter([7, 8]), whole=True) == [7, 8]
    again = rebuild(of_before, iter([]))
    assert again == [3, 4]
    assert type(again[0]) is int
