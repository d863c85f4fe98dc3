import itertools
import random
import sys
from collections import deque
from fractions import Fraction

import pytest

from engine.replay.cells import Cell
from engine.replay.undo import settle, trial, undone
from engine.value import Value
from nn.module import Layer, Module


class Counting(Module):
    def __init__(self):
        self.w, self.calls, self.seen, self.means = Value(2.0), 0, [], {"m": 0.0}
        self.last, self.rng = deque(maxlen=2), random.Random(3)

    def __call__(self, x):
        self.calls += 1
        self.seen.append(x)
        self.means["m"] = 0.9 * self.means["m"] + x
        self.means[x] = x
        self.last.append(x)
        self.extra = x * self.rng.random() * random.random()
        return self.w * x


def state(model):
    parts = model.calls, model.seen, model.means, list(model.last), hasattr(model, "extra")
    return repr(parts), model.rng.getstate(), random.getstate()


def test_what_a_trial_changes_is_undone():
    model = Counting()
    model(1.0)
    model.last.clear()
    before, seen = state(model), model.seen
    with undone(model):
        model(2.0)
        model(3.0)
    assert state(model) == before
    assert model.seen is seen


def test_it_is_undone_after_an_error_too():
    model = Counting()
    before = state(model)
    with pytest.raises(ZeroDivisionError), undone(model):
        model(1 / (model(2.0).data - 4.0))
    assert state(model) == before


def test_a_layer_that_is_built_when_first_called_stays():
    class Lazy(Module):
        def __init__(self):
            self.layer, self.calls = None, 0

        def __call__(self, x):
            self.calls += 1
            if self.layer is None:
                self.layer = Layer(len(x), 1, nonlin=False)
            return self.layer(x)[0]

    model = Lazy()
    trial(lambda model: model([1.0, 2.0]), model)
    assert len(model.parameters()) == 3
    assert model.calls == 0


class Noisy(Module):
    """Keeps the noise that it draws, as a Value."""

    def __init__(self, source):
        self.w, self.source, self.kept = Value(1.0), source, []

    def __call__(self, x):
        self.noise = Value(next(self.source) if hasattr(self.source, "__next__") else
                           self.source.random())  # fmt: skip
        self.kept.append(self.noise)
        return self.w * x + self.noise


SOURCES = {
    "random": lambda: random.Random(1),
    "a list's iterator": lambda: iter([0.1, 0.2, 0.3]),
    "counted": itertools.count,
    "counted by tenths": lambda: itertools.count(0.3, 0.1),
    "zipped": lambda: map(float, [1, 2, 3]),
}
ONE_WAY = {"a generator": lambda: (x for x in (0.1, 0.2, 0.3, 0.4))}  # cannot be wound back
# Python 3.14 copies nothing of itertools any more; of a count the text says where it is.
(ONE_WAY if sys.version_info >= (3, 14) else SOURCES).update({
    "a cycle": lambda: itertools.cycle([0.1, 0.2, 0.3, 0.4]),
    "counted in thirds": lambda: itertools.count(Fraction(1, 3)),
})  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_values_that_are_made_at_each_call_do_not_stay(name):
    model, other = Noisy(SOURCES[name]()), Noisy(SOURCES[name]())
    assert trial(lambda model: model(2.0), model).data == other(2.0).data
    assert not hasattr(model, "noise")
    assert model.kept == []
    assert model(2.0).data == other.kept[0].data + 2.0


@pytest.mark.parametrize("name", ONE_WAY)
def test_what_cannot_be_copied_is_not_wound_back_and_all_else_is(name):
    model, first = Noisy(ONE_WAY[name]()), next(ONE_WAY[name]())
    trial(lambda model: model(2.0), model)
    assert model.kept == []
    assert next(model.source) > first


def test_an_iterator_that_two_share_is_one_in_a_trial_too():
    shared = itertools.count(1)
    models = Noisy(shared), Noisy(shared)
    got = trial(lambda a, b: (a(2.0).data, b(2.0).data), *models)
    assert got == (3.0, 4.0)
    assert (models[0].source, next(shared)) == (shared, 1)


RATE, BOX = 1.0, [1.0]


def test_a_global_that_is_set_is_set_back():
    def f():
        global RATE, BOX
        RATE, BOX = RATE + 1.0, [2.0]

    former = BOX
    with undone(f):
        f()
        assert RATE == 2.0
    assert RATE == 1.0
    assert BOX is former
    assert undone.__name__ == "undone"  # all other names are there still


def test_numbers_that_stood_for_plain_ones_are_plain_again():
    x, own = Value(3.0), Value(5.0)
    made = x * 2.0
    pairs, items, queue = {"a": x, "b": own, "c": 1.0}, [made, own, "text"], deque([own, x])
    box = type("Box", (), {})()
    box.h, box.kept = [x, [made]], [own]
    kept = box.kept
    settle(
        [
            (Cell("pairs", pairs, None, (), None), (tuple(pairs), tuple(pairs.values()))),
            *((Cell("items", each, None, (), None), tuple(each)) for each in (items, queue)),
            *((Cell("attribute", box, k, None, None), getattr(box, k)) for k in ("h", "kept")),
        ],
        {id(x): x},
    )
    assert pairs == {"a": 3.0, "b": own, "c": 1.0}
    assert (items, list(queue)) == ([6.0, own, "text"], [own, 3.0])
    assert [*map(type, (pairs["a"], items[0], queue[1]))] == [float] * 3
    assert box.h == [3.0, [6.0]]
    assert type(box.h[1][0]) is float
    assert box.kept is kept


def test_an_error_in_a_trial_leaves_nothing():
    model = Counting()
    before = state(model)
    with pytest.raises(ZeroDivisionError):
        trial(lambda model: model(1 / (model(2.0).data - 4.0)), model)
    assert state(model) == before
