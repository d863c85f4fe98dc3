import copy
import math
import operator
import pickle
from fractions import Fraction

import pytest

from engine.integer import LARGEST, Integer, is_data
from engine.replay.watch import record, standing_in
from engine.value import Value

np = pytest.importorskip("numpy")

NUMBERS = {
    **{name: getattr(operator, name) for name in ("neg", "pos", "abs", "invert", "index")},
    **{f.__name__: f for f in (int, float, complex, hash, str, repr, format, round, oct, chr)},
    **{f.__name__: f for f in (math.trunc, math.floor, math.ceil, math.sqrt, copy.copy, range)},
    "real": lambda i: i.real,
    "to_bytes": lambda i: i.to_bytes(2, "big"),
    "pickle": lambda i: pickle.loads(pickle.dumps(i)),
    "percent": lambda i: "%d %s" % (i, i),  # noqa: UP031 (a function that people write)
    "slice": lambda i: "abcdefghij"[:i],
    "repeated": lambda i: [0] * i,
    "array": lambda i: np.zeros(i).size,
}
PAIRS = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv),
    *(operator.mod, operator.pow, operator.lshift, operator.rshift, operator.and_),
    *(operator.or_, operator.xor, divmod),
]
RELATIONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)


def stand_in(n=5):
    v = Value(float(n))
    return Integer(n, v), v


@pytest.mark.parametrize("name", NUMBERS)
def test_what_asks_for_the_number_is_noted(name):
    i, _ = stand_in()
    assert NUMBERS[name](i) == NUMBERS[name](5)
    assert type(NUMBERS[name](i)) is type(NUMBERS[name](5))
    assert ":" in i.pinned


@pytest.mark.parametrize("pair", PAIRS)
def test_arithmetic_gives_plain_numbers(pair):
    for given in ((stand_in()[0], 3), (3, stand_in()[0])):
        assert pair(*given) == pair(*[5 if type(x) is Integer else x for x in given])
        assert [x.pinned != "" for x in given if type(x) is Integer] == [True]


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("other", [5, 4, 6, 5.0, 5.5, True, Integer(4, Value(4.0)), math.inf])
def test_comparisons_are_noted_as_guards(relation, other):
    i, v = stand_in()
    behind = [x for x in (v, getattr(other, "v", None)) if x is not None]
    with record() as seen, standing_in(behind):
        assert relation(i, other) is relation(5, getattr(other, "n", other))
        assert relation(other, i) is relation(getattr(other, "n", other), 5)
    if other == math.inf:
        assert i.pinned != ""
    else:
        assert len(seen.guards) == 2
        assert i.pinned == ""


@pytest.mark.parametrize("other", [None, "5", "a"])
def test_what_is_no_number_never_equals_one(other):
    i, v = stand_in()
    with record() as seen, standing_in([v]):
        assert i != other
        assert not i == other  # noqa: SIM201 (the operator that is tested)
    assert (seen.guards, i.pinned) == ([], "")


@pytest.mark.parametrize("other", [LARGEST, -LARGEST, 10**400, Fraction(5), np.int64(5), 5 + 0j])
def test_other_numbers_are_compared_with_the_number(other):
    i, v = stand_in()
    with record() as seen, standing_in([v]):
        assert (i == other) == (other == 5)
    assert (seen.guards, i.pinned != "") == ([], True)


def test_truth_is_a_comparison_with_0():
    i, v = stand_in(0)
    with record() as seen, standing_in([v]):
        assert not i
    assert len(seen.guards) == 1
    assert i.pinned == ""


def test_after_the_recording_it_is_a_number():
    i = Integer(5, None)
    assert i == 5
    assert i < 6.5
    assert i
    assert {5: "a"}[i] == "a"
    assert not hasattr(i, "missing")


def test_it_is_an_int_to_who_asks():
    i, _ = stand_in()
    assert isinstance(i, int)
    assert not isinstance(i, float)
    assert not hasattr(i, "__len__")
    assert i.pinned == ""


def test_data_are_integers_that_floats_tell_apart():
    assert [is_data(n) for n in (0, -5, 2**53 - 1, 2**53, -(2**53))] == [True] * 3 + [False] * 2
