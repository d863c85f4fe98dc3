import cProfile
import gc
import logging
import math
import os
import random
import sys
import time

import pytest

from engine.replay.witness import Stopped, Witness, is_library, names_of, within
from engine.value import Value

SOURCE = random.Random(1)


def names(f):
    return names_of(f.__code__)


# --- what code names ------------------------------------------------------------------------------


def test_names_are_told_apart():
    outside = 1.0

    def f(box):
        global made  # noqa: PLW0603 (one for the process)
        made = box.k + outside + len(box.xs)
        box.h = made

    found = names(f)
    assert found.attributes == {"k", "xs"}
    assert found.set_attributes == {"h"}
    assert (found.globals, found.set_globals) == ({"len", "made"}, {"made"})
    assert found.variables == {"outside"}
    first = f.__code__.co_firstlineno
    assert (found.lines["k"], found.set_lines["h"]) == (first + 2, first + 3)


@pytest.mark.parametrize(
    ("f", "attributes", "looks_around"),
    [
        (lambda b: getattr(b, "k"), {"k"}, False),  # noqa: B009 (a function that people write)
        (lambda b: getattr(b, "k", 3.0), {"k"}, False),
        (lambda b: hasattr(b, "k"), {"k"}, False),
        (lambda b, n: getattr(b, n), set(), True),  # noqa: PLW0108 (a function that people write)
        (lambda b: getattr(b, "k" + str()), set(), True),  # noqa: UP018 (compilers fold constants)
        (lambda b, n: getattr(b, "k" + n), set(), True),
        (lambda b: vars(b), set(), True),  # noqa: PLW0108 (a function that people write)
        (lambda b: b.__dict__, {"__dict__"}, True),
    ],
)
def test_attributes_that_are_asked_for_by_a_text(f, attributes, looks_around):
    assert attributes <= names(f).attributes
    assert names(f).looks_around is looks_around


def test_a_pattern_of_a_class_looks_around():
    def f(b):
        match b:
            case Odd(1):
                return 1.0
        return 2.0

    assert names(f).looks_around
    assert names(f).asks_kind


def test_what_is_only_filled_is_not_read():
    notes, seen = {}, {}

    def f(h):
        notes["h"] = h
        seen["h"] = seen["a"] = h
        return seen["a"]

    assert names(f).filled == {"notes"}


@pytest.mark.parametrize(
    ("f", "asks"),
    [
        (lambda a, b: a is b, True),
        (lambda a: id(a), True),  # noqa: PLW0108 (a function that people write)
        (lambda a: a.parents, True),
        (lambda a: a is None, False),
        (lambda a, b: a == b, False),  # seen when it is asked
    ],
)
def test_which_one_a_value_is(f, asks):
    assert names(f).asks_identity is asks


def test_functions_within_functions():
    def outer():
        def inner():
            return sorted([2, 1], key=lambda x: -x)

        return inner

    assert {code.co_name for code in within(outer.__code__)} >= {"outer", "inner", "<lambda>"}


def test_whose_code_it_is():
    assert is_library(logging.debug.__code__)
    assert is_library(Value.backward.__code__)
    assert not is_library(test_whose_code_it_is.__code__)


class Odd:
    kinds = (int, float)


@pytest.mark.parametrize(
    ("f", "asks"),
    [
        (lambda x: isinstance(x, float), False),
        (lambda x: isinstance(x.k[0], (int, float)), False),
        (lambda x: isinstance(abs(x), list) and isinstance(x, (list, tuple)), False),
        (lambda x: isinstance(x, Value), True),
        (lambda x: isinstance(x, (float, Value)), True),
        (lambda x: isinstance(x, Odd.kinds), True),
        (lambda x: isinstance(x, list) or isinstance(x, Value), True),  # noqa: SIM101 (a function that people write)
        (lambda x: list(map(isinstance, [x], [float])), True),
        (lambda x: type(x) is float, True),
        (lambda x: getattr(x, "k", 1.0), True),
        (lambda x: x.dtype, True),
        (lambda x: x.k * 2 + max(x, 1), False),
    ],
)
def test_what_may_tell_a_number_from_a_value(f, asks):
    assert names(f).asks_kind is asks


def test_what_catches_may_tell_a_number_from_a_value():
    def tries():
        try:
            return 1
        except KeyError:
            return 2

    def ends():
        try:
            return 1
        finally:
            Odd()

    def suppresses(thing):
        with thing:
            return 1

    assert all(names(f).asks_kind for f in (tries, ends, suppresses))
    assert not names(lambda xs: [x for x in xs if x]).asks_kind


# --- what ran -------------------------------------------------------------------------------------


def refused(f):
    with Witness() as seen:
        f()
    return seen.refused


def test_the_code_that_ran_is_noted_with_its_globals():
    def used():
        return 1

    def unused():
        return 2

    with Witness() as seen:
        sorted([2, 1], key=lambda _: used())
    assert used.__code__ in seen.codes
    assert unused.__code__ not in seen.codes
    assert seen.codes[used.__code__] is globals()


@pytest.mark.parametrize(
    ("f", "what"),
    [
        (lambda: random.random(), "random"),  # noqa: PLW0108 (a function that people write)
        (lambda: random.triangular(0, 1), "random.triangular"),
        (lambda: SOURCE.uniform(0, 1), "random.uniform"),
        (lambda: time.time(), "time.time"),  # noqa: PLW0108 (a function that people write)
        (lambda: os.environ["PATH"], "os.__getitem__"),
        (lambda: print(end=""), "print"),
        (lambda: os.getpid(), "posix.getpid"),  # noqa: PLW0108 (a function that people write)
        (lambda: __import__("datetime").datetime.now(), "datetime.now"),  # noqa: PLW0108 (a function that people write)
        (lambda: __import__("uuid").uuid4(), "uuid.uuid4"),
    ],
)
def test_what_depends_on_the_world_is_named_with_its_line(f, what):
    (called, line), *_ = refused(f)
    assert called == what
    assert line == f"{__file__}:{f.__code__.co_firstlineno}"


def test_what_does_not_is_not():
    log = logging.getLogger("quiet")
    log.setLevel(logging.ERROR)
    assert not refused(lambda: (log.debug("x"), sorted([2, 1]), os.fspath("a"), [].append(1)))


@pytest.mark.parametrize(
    ("call", "is_for_good"),
    [
        (lambda: print("never"), False),
        (lambda: open("never"), False),  # noqa: SIM115 (a function that people write)
        (lambda: random.random(), False),  # noqa: PLW0108 (a function that people write)
        (lambda: os.environ.pop("never"), False),
        (lambda: sorted([1], key=lambda x: -x), False),  # code that is not known
        (lambda: callable(SOURCE), True),
        (lambda: __import__("json").dumps(1), True),
    ],
)
def test_a_run_is_stopped_before_it_does_something(call, is_for_good, capsys):
    witness = Witness({call.__code__})
    with pytest.raises(Stopped) as caught, witness:
        call()
    assert caught.value.is_for_good is is_for_good
    assert capsys.readouterr().out == ""
    assert sys.getprofile() is None


def test_a_run_that_only_computes_is_not_stopped():
    def compute():
        return max(abs(x) for x in [1.0, math.sqrt(2)]), sorted([2, 1]), {}.get("a"), len("a")

    known = set(within(compute.__code__))
    with Witness(known) as seen:
        compute()
    assert seen.codes.keys() == known


def test_what_the_garbage_collector_calls_is_not_of_the_function():
    def tell(*_):
        time.perf_counter()

    def f():
        for _ in range(2_000):
            ring = []
            ring.append(ring)

    gc.callbacks.append(tell)
    try:
        assert not refused(f)
    finally:
        gc.callbacks.remove(tell)
    assert gc.isenabled()


def test_a_profiler_of_the_user_goes_on():
    def mine(*_):
        pass

    sys.setprofile(mine)
    try:
        with Witness():
            pass
        assert sys.getprofile() is mine
    finally:
        sys.setprofile(None)
    profile = cProfile.Profile()
    profile.enable()
    with Witness():
        pass
    after = time.perf_counter
    after()
    profile.disable()
    assert any("perf_counter" in str(entry.code) for entry in profile.getstats())
