import subprocess
import sys
from collections import Counter, deque
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import needs
import pytest

from engine.value import Value
from nn.described import described, described_before, first_difference, without_code
from nn.module import MLP, Module
from nn.optim import Adam, cosine

ROOT = Path(__file__).parents[1]


class Thing:
    def __init__(self, **parts):
        vars(self).update(parts)


class Slotted:
    """One of its slots is empty."""

    __slots__ = ("__weakref__", "a", "b")

    def __init__(self, a):
        self.a = a


def itself():
    thing = Thing(a=1)
    thing.inside = [thing]
    return thing


def recursive():
    def count(n):
        return count(n - 1) if n else 0

    return count


THINGS = {
    "numbers": lambda: [1, 1.0, True, None, 1j, "1", b"1", ..., range(3)],
    "containers": lambda: [(1,), [1], {1}, frozenset({1}), {1: 2}, deque([1]), Counter("aab")],
    "texts in sets": lambda: {"one", "two", "three", "four", "five"},
    "stdlib": lambda: [Fraction(1, 3), Path("a"), SimpleNamespace(a=[1]), partial(max, 1, key=abs)],
    "functions": lambda: [len, "a".join, max, described, cosine(0.1, 3), lambda x: x in {"a", "b"}],
    "itself": itself,
    "a function within itself": recursive,
    "objects": lambda: [Thing(a=1, b=Thing(c=(2,))), object(), Thing],
    "a net": lambda: MLP(2, [16, 1], "gelu", seed=0),
    "deep": lambda: deep(5000),
    "a surrogate": lambda: "\ud800",
}


def deep(levels):
    thing = []
    for _ in range(levels):
        thing = [thing]
    return thing


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=needs.stack) if n == "deep" else n for n in THINGS]
)
def test_words_are_the_same_each_time_and_short(name):
    first, second = described(THINGS[name]()), described(THINGS[name]())
    assert first == second
    assert " at 0x" not in first
    assert len(first) < 2100


@pytest.mark.whole
def test_words_are_the_same_in_another_process():
    program = "import sys; sys.path[:0] = ['tests', 'tests/helpers']; import test_described as t\n"
    program += "for make in t.THINGS.values(): print(ascii(t.described(make())))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            text=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ("1", 1),
        ([1], (1,)),
        ({1: 2}, {2: 1}),
        (Thing(a=1), Thing(a=2)),
        (Thing(a=1), Thing(b=1)),
        (Slotted(1), Slotted(2)),
        (lambda x: x + 1, lambda x: x - 1),
        (lambda x: x < 1, lambda x: x > 1),
        (lambda x: [y for y in x], lambda x: [y for y in x if y]),  # noqa: C416 (a function that people write)
        ([0.5] * 5000 + [1.0], [0.5] * 5000 + [2.0]),
        (list(range(5000)), [*range(4999), -1]),
        (Value(1.0), Value(2.0)),
        (0.0, -0.0),
        ("a".join, "b".join),
        ([[k] for k in range(99)], [*([k] for k in range(98)), [0]]),
    ],
)
def test_things_that_differ_have_other_words(one, other):
    assert described(one) != described(other)


def test_order_counts_only_where_python_says_so():
    assert described({"a": 1, "b": 2}) == described({"b": 2, "a": 1})
    assert described(["a", "b"]) != described(["b", "a"])


def test_parameters_and_results_are_left_out():
    p = Value(1.0)
    thing = Thing(p=p, twice=p * 2, held=Value(3.0), optimizer=Adam([p]))
    before = described(thing, [p])
    p.data, thing.twice = 5.0, p * 3
    assert described(thing, [p]) == before
    assert "Value(3.0)" in before


def test_a_docstring_a_comment_and_a_place_do_not_matter():
    def make(text, line=1):
        scope = {"__name__": "mine"}
        exec(compile("\n" * line + text, "mine.py", "exec"), scope)
        return scope["f"]

    plain = make('def f(x):\n    "one"\n    return x * 2')
    assert described(plain) == described(
        make('def f(x):\n    "two"\n    # so\n    return x * 2', 9)
    )
    assert described(plain) != described(make('def f(x):\n    "one"\n    return x * 3'))


def test_code_of_the_library_goes_by_its_name():
    assert described(MLP) == "MLP"
    assert described(cosine) == "cosine(final=0.0)"

    class Mine(Module):
        def __call__(self, x):
            return x

    assert without_code(described(Mine)) == f"{Mine.__qualname__}"
    assert described(Mine) != f"{Mine.__qualname__}"


def test_the_version_before_looked_into_functions_without_a_name_of_their_own_alone():
    def inner(x, scale=2.0):
        return x * scale

    class Local:
        pass

    assert described_before(deep) == "deep"
    assert described_before(Local) == Local.__qualname__
    assert described_before(inner).endswith(".inner(2.0)")
    assert described_before(partial(deep, 3)) == "deep(3)"


def test_long_texts_are_cut_to_where_they_differ():
    one, other = (f"{'a' * 300}{x}{'c' * 300}" for x in "bd")
    before, after = first_difference(one, other)
    assert ("b" in before, "d" in after, len(before)) == (True, True, 163)
    assert first_difference("short", "shirt") == ("short", "shirt")
    assert first_difference("a" * 200, "a" * 300) == (f"...{'a' * 80}", f"...{'a' * 160}")
