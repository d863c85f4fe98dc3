import functools
import gc
import logging
import types
import weakref
from fnmatch import fnmatch

import pytest

import engine
import nn
import nn.look
import nn.loss
from engine.replay.cells import Cell
from engine.replay.reach import _Walk, is_read, line_of, reach
from engine.replay.witness import Witness
from engine.replay.world import written
from engine.value import Value


def after(f, *given):
    """What the code that runs in a call can reach."""
    with Witness() as seen:
        f(*given)
    return reach([(f, "")], seen.codes)


def words(reached):
    return {cell.words for cell in reached.cells.values() if cell.kind not in ("code", "size")}


class Box:
    def __init__(self, **attributes):
        vars(self).update(attributes)


def test_what_the_code_names_is_reached_and_nothing_else():
    box = Box(k=1.0, other=2.0, inner=Box(scale=3.0, unread=4.0))
    found = words(after(lambda: box.k * box.inner.scale))
    assert {"box", "box.k", "box.inner", "box.inner.scale"} <= found
    assert not found & {"box.other", "box.inner.unread"}


def test_code_that_did_not_run_counts_before_a_run_only():
    box = Box(on=False, k=1.0)

    def other():
        return box.k

    def f():
        return other() if box.on else 0.0

    assert "box.k" in words(reach([(f, "")]))
    assert "box.k" not in words(after(f))


def test_values_that_stand_in_places_are_told():
    v, w = Value(1.0), Value(2.0)
    box = Box(vs=[v], w=w)
    assert after(lambda: box.vs[0] * box.w).values.keys() == {id(v), id(w)}


@pytest.mark.parametrize(
    "thing", [iter([1.0]), (x for x in ()), memoryview(b"a"), {}.items().__iter__()]
)
def test_what_cannot_be_watched_is_named(thing):
    box = Box(thing=thing)
    ((kind, _),) = after(lambda: box.thing).unknown
    assert kind == type(thing).__name__


def test_what_a_cache_stands_for_is_reached_but_code_of_pythons_own():
    box = Box(k=1.0)
    own, library, builtin = map(functools.cache, (lambda: box.k, fnmatch, len))
    own()
    found = after(lambda: (own(), library("a", "*"), builtin("ab")))
    assert {"box.k", "the _lru_cache_wrapper own", "the _lru_cache_wrapper builtin"} <= words(found)
    assert own.__wrapped__.__code__ in found.codes
    assert fnmatch.__code__ not in found.codes


def test_what_a_run_wrote():
    box = Box(n=0, m=1, h=None, seen=[])

    def f():
        box.n += 1
        box.h = box.m
        box.seen.append(1)

    before = reach([(f, "")])
    now = after(f)
    found = written(before, now)
    assert {cell.words for cell, _ in found} == {"box.n", "box.h", "the list box.seen"}
    assert {cell.name for cell, _ in found if not is_read(now, cell)} == {"h"}
    lines = {cell.words: line_of(now, cell) for cell, _ in found}
    first = f.__code__.co_firstlineno
    assert lines["box.n"] == f"{__file__}:{first + 1}"
    assert lines["the list box.seen"] == f"{__file__}:{first + 3}"


def test_what_is_set_on_a_module_or_a_class_is_read_where_it_is_named():
    module, kind = types.ModuleType("m"), type("Kind", (), {"h": 0.0, "k": 1.0})
    module.h = module.k = 1.0

    def f():
        module.h = module.k
        kind.h = kind.k
        return kind()

    before, now = reach([(f, "")]), after(f)
    found = {(c.kind, c.name): is_read(now, c) for c in now.cells.values() if c.name in ("h", "k")}
    assert found == {
        **dict.fromkeys([("module", "h"), ("class", "h")], False),
        **dict.fromkeys([("module", "k"), ("class", "k")], True),
    }
    assert written(before, now)


def test_what_a_module_gives_by_its_getattr_is_reached():
    box, module, plain = Box(k=1.0), types.ModuleType("m"), types.ModuleType("n")
    module.__getattr__ = lambda name: box.k
    plain.k = 1.0
    found = after(lambda: module.k * plain.k)
    named = {(c.owner, c.name) for c in found.cells.values() if c.kind == "module"}
    assert {(module, "k"), (module, "__getattr__"), (plain, "k")} <= named
    assert (plain, "__getattr__") not in named
    assert "box.k" in words(found)


def test_calls_of_the_log_ask_for_its_root():
    asked, other = after(lambda: logging.debug("x")), after(lambda: fnmatch("a", "*"))
    assert [
        any(c.owner is logging.root for c in each.cells.values()) for each in (asked, other)
    ] == [True, False]


def test_two_names_of_one_list_are_one_list():
    a = [1.0]
    b = a

    def f(x):
        r = a[0]
        b[0] = x
        return r

    now = after(f, 2.0)
    cell = now.cells["items", id(a), None]
    assert isinstance(cell, Cell)
    assert is_read(now, cell)


def test_nothing_of_the_users_is_kept():
    class Own:
        k = 2.0

        def __call__(self, x):
            return x * self.k

    own = Own()
    step = engine.replay(own, backend="python")
    assert [step(1.0).data, step(2.0).data] == [2.0, 4.0]
    kept = [weakref.ref(Own), weakref.ref(own), weakref.ref(step)]
    del Own, own, step
    gc.collect()
    assert [ref() for ref in kept] == [None, None, None]


def test_nothing_of_a_training_is_kept():
    class Net(nn.Module):
        def __init__(self):
            self.w = Value(0.5)

        def __call__(self, x):
            return self.w * x

    net = Net()
    nn.fit(net, nn.mse, ([1.0, 2.0], [2.0, 4.0]), steps=3, lr=0.1, backend="python")
    kept = weakref.ref(Net), weakref.ref(net)
    del Net, net
    gc.collect()
    assert [ref() for ref in kept] == [None, None]


@pytest.mark.whole  # test_kinds.py has the same of a replay
def test_a_file_of_nn_is_no_part_of_the_world_because_of_its_name(monkeypatch):
    """A net with an attribute `look` does not need what nn/look.py stands on."""

    class Net(nn.Module):
        def __init__(self):
            self.look, self.beta = Value(2.0), 1.5

        def __call__(self, x):
            return self.look * x * self.beta

    net, kind = Net(), nn
    roots = [(lambda x: net(x) if kind else None, "")]
    assert nn.look
    few = len(reach(roots).cells)
    assert few < 2_000
    monkeypatch.setattr(_Walk, "_only_shares", lambda self, m, name: False)
    assert len(reach(roots).cells) > 2 * few  # so many would be found


def test_what_is_used_of_a_file_of_nn_is_part_of_the_world():
    """Somebody may put another loss there."""
    package = nn
    found = reach([(lambda x: package.loss.mse(x, 1.0), "")])
    assert any(c.owner is nn.loss and c.name == "mse" for c in found.cells.values())
