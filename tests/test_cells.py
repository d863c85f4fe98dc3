import copy
import pickle

import pytest

from engine.replay.cells import MISSING, Cell, Observed, alike, attributes_of, now, put, tells
from engine.value import Value


class Thing(Observed):
    shared = 1.0

    def __init__(self):
        self.k = 2.0


class Slotted:
    __slots__ = ("k",)


class Loud:
    """Whose hooks must not be asked."""

    def __getattribute__(self, name):
        raise AssertionError(name)


def closed(k):
    return (lambda: k).__closure__[0]


def slotted(k):
    thing = Slotted()
    thing.k = k
    return thing


# --- places ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "owner", "name"),
    [
        ("attribute", Thing(), "k"),
        ("slot", slotted(2.0), "k"),
        ("class", type("C", (), {"k": 2.0}), "k"),
        ("class", type("D", (type("C", (), {"k": 2.0}),), {}), "k"),
        ("closure", closed(2.0), None),
        ("global", {"k": 2.0}, "k"),
        ("module", __import__("types").ModuleType("m"), "k"),
        ("item", [1.0, 2.0], 1),
        ("item", {"k": 2.0}, "k"),
    ],
)
def test_a_place_is_read_and_set(kind, owner, name):
    place = Cell(kind, owner, name, None, None)
    put(place, 3.0)
    assert now(place) == 3.0
    put(place, 2.0)
    assert now(place) == 2.0


def test_what_is_not_there_is_missing():
    for kind, owner, name in (
        *(("attribute", Thing(), "j"), ("slot", Slotted(), "k"), ("class", Thing, "j")),
        *(("global", {}, "k"), ("item", [], 0), ("item", {}, "k")),
    ):
        assert now(Cell(kind, owner, name, None, None)) is MISSING


def test_hooks_of_users_are_not_asked():
    assert attributes_of(Loud()) == {}


def test_words_are_what_a_user_may_have_written():
    path = ((None, "model"), ".layers"), "[0]"
    assert Cell("attribute", Thing(), "k", 2.0, path).words == "model.layers[0].k"
    assert Cell("items", [], None, (), path).words == "the list model.layers[0]"
    assert Cell("item", [], 3, 2.0, path).words == "model.layers[0][3]"
    assert Cell("closure", closed(1), None, 1, (None, "rate")).words == "rate"


def test_plain_data_is_alike_by_kind_and_digits_and_the_rest_by_identity():
    nan, xs, v = float("nan"), [1.0], Value(1.0)
    for a, b in ((2.0, 2.0), (nan, float("nan")), ("a", "a"), (xs, xs), ((v, 1), (v, 1))):
        assert alike(a, b)
    for a, b in ((0.0, -0.0), (1, 1.0), (1, True), (xs, [1.0]), (v, Value(1.0)), ((1,), (1, 2))):
        assert not alike(a, b)


# --- objects that say when they change ------------------------------------------------------------


def stamp():
    from engine.replay.cells import stamp

    return stamp[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: setattr(t, "k", 3.0),
        lambda t: setattr(t, "j", 3.0),
        lambda t: delattr(t, "k"),
        lambda t: setattr(t, "__class__", type("Other", (Thing,), {})),
        lambda t: vars(t).update(k=3.0),
        lambda t: t.__dict__.clear(),
        lambda t: setattr(t, "__dict__", {"k": 3.0}),
    ],
)
def test_each_change_is_told(change):
    thing = Thing()
    before = stamp()
    change(thing)
    assert stamp() is not before


def test_who_holds_the_dict_may_change_it_unseen():
    thing = Thing()
    assert tells(thing)
    held = vars(thing)
    held["k"] = 3.0
    assert not tells(thing)
    assert tells(Thing())


def test_own_hooks_and_dicts_of_others_tell_nothing():
    class Hooked(Thing):
        def __setattr__(self, name, value):
            object.__setattr__(self, name, value)

    class Mixin:
        pass

    class Mixed(Mixin, Thing):
        pass

    assert not tells(Hooked())
    assert not tells(Mixed())
    assert not tells(object())


def test_they_can_be_copied_and_pickled():
    thing = Thing()
    assert (
        copy.deepcopy(thing).k == copy.copy(thing).k == pickle.loads(pickle.dumps(thing)).k == 2.0
    )
