"""Recordings in words."""

import types

from engine.functions import dot
from engine.replay.causes import changed_guard, guarded, is_of_the_house
from engine.replay.cells import Cell
from engine.replay.replay import replay
from engine.replay.watch import record
from engine.value import Value


class Scaled:
    scale = 2.0

    def loss(self, x):
        return x * self.scale if x > 0.5 else x


def test_places_of_users_are_named_as_they_wrote_them():
    thing = Scaled()
    step = replay(lambda x: dot([thing.loss(x), 1.0], [2.0, 3.0]))
    step(1.0)
    step(1.0)  # Python 3.14 sets something up in the first call, which is not kept
    ((recorded,),) = step.kept.by_shape.values()
    words = guarded(recorded)
    assert words.startswith("recording 1 runs on python; it holds while these are the same ")
    places = words.split(" data of Values): ")[1].split("; ")[0].split(", ")
    loss = {"thing.loss", "thing.scale", "Scaled.loss", "Scaled.scale"}
    assert set(places) == {"dot", "thing", *loss}
    assert words.endswith("comparisons asked at every call: 1")


def test_integers_that_a_recording_is_for_are_named():
    step = replay(lambda x, n: x * n)
    step(1.0, 3)
    ((recorded,),) = step.kept.by_shape.values()
    assert "it is for n" in guarded(recorded)


def test_eight_of_many_are_named():
    box = types.SimpleNamespace(**{f"k{n}": float(n) for n in range(10)})
    text = " + ".join(f"box.k{n}" for n in range(10))
    step = replay(eval(f"lambda x, ns: x * ({text}) * sum([x, *map(abs, ns)])", {"box": box}))
    step(1.0, list(range(10)))
    (recorded,) = step.kept.all
    words = guarded(recorded)
    starts = "data of Values): ", "it is for "
    places, pins = (words.split(start)[1].split("; ")[0] for start in starts)
    assert (places.count(","), pins.count(",")) == (7, 7)
    assert places.endswith(" more")
    assert pins.endswith("ns[7] = 7 (see <string>:1) and 2 more")


def test_three_of_many_places_that_changed_are_named():
    box = types.SimpleNamespace(a="1", b="2", c="3", d="4", e="5")
    step = replay(lambda x: x * len(box.a + box.b + box.c + box.d + box.e))
    step(1.0)
    for name in "abcde":
        setattr(box, name, "ten")
    step(1.0)
    box.b = "2"
    step(1.0)
    assert list(step.kept.causes) == [
        "recorded anew: box.a, box.b, box.c and 2 more, outside its arguments, changes",
        "recorded anew: box.b, outside its arguments, changes",
    ]


def test_names_of_brickgrad_are_of_the_house():
    found = [is_of_the_house(Cell("code", f, "", None, None)) for f in (dot, Scaled.loss)]
    assert found == [True, False]


def _tape(f, number):
    x = Value(number)
    with record() as seen:
        z = f(x)
    return seen.tape([x], [z])


def test_the_comparison_that_comes_out_differently():
    def f(x):
        return x * 2.0 if x > 0.5 else x * 3.0

    words = changed_guard(_tape(f, 1.0), _tape(f, 0.0))
    assert words.startswith("comparison 0 in it, Value > 0.5, comes out differently")
    assert "rounding decides" in changed_guard(_tape(f, 1.0), _tape(f, 1.0))
