import random
from collections import deque

import pytest

from engine.undo import undone
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
    with undone(model):
        model([1.0, 2.0])
    assert len(model.parameters()) == 3
    assert model.calls == 0
