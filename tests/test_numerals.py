import math
import random

import pytest

from nn.numerals import (
    PLAIN,
    WAYS,
    Spelling,
    is_missing,
    looks_like_a_number,
    number,
    spellings,
    usual_spelling,
)


@pytest.mark.parametrize(
    ("cells", "numbers", "words"),
    [
        (["1.5", "-2e3"], [1.5, -2000], ""),
        (["1,5", "-2,25"], [1.5, -2.25], "a comma as decimal point"),
        ([",5", "0,123"], [0.5, 0.123], "a comma as decimal point"),
        (["1,234,567", "5"], [1234567, 5], "commas between thousands"),
        (["1,234.5", "-12,345"], [1234.5, -12345], "commas between thousands"),
        (["1.234,5"], [1234.5], "a comma as decimal point, points between thousands"),
        (["1.234.567"], [1234567], "points between thousands"),
        (["1 234", "5"], [1234, 5], "blanks between thousands"),
        (["1\u00a0234,5"], [1234.5], "a comma as decimal point, blanks between thousands"),
        (["1'234.5"], [1234.5], "apostrophes between thousands"),
        (["$5", "-$1,200.50", "7"], [5, -1200.5, 7], "commas between thousands, amounts in $"),
        (["5,50 €", "€ 3,25"], [5.5, 3.25], "a comma as decimal point, amounts in €"),
        (["5%", "-2.5 %"], [5, -2.5], "percentages (5 for 5%)"),
        (["\u22125"], [-5], ""),
    ],
)
def test_numbers_that_can_be_read_in_one_way(cells, numbers, words):
    [(way, found)] = spellings(cells).items()
    assert (found, [way(cell) for cell in cells]) == (numbers, numbers)
    assert words in (way.says(), way.says().replace("a comma as decimal point, points", "points"))


@pytest.mark.parametrize(
    "cells", [["1,234"], ["1,234", "56,789", "3"], ["-1,250", "2"], ["$1,234", "$5"]]
)
def test_three_digits_behind_each_comma_can_be_read_in_two_ways(cells):
    thousands, decimals = spellings(cells).values()
    assert thousands == [x if x == int(x) and abs(x) < 100 else 1000 * x for x in decimals]
    assert [*spellings(cells, decimal=",").values()] == [decimals]
    assert [*spellings(cells, thousands=",").values()] == [thousands]
    assert [*spellings(cells, decimal=".").values()] == [thousands]


@pytest.mark.parametrize(
    "cells",
    [
        *(["red"], ["1,5", "1.5,3"], ["1,2,3"], ["5%", "5"], ["$5", "€5"], ["1,5", "x"], ["--5"]),
        *(["1_000"], ["inf", "1"], ["1e999"], ["5%%"], ["$"], ["%"], ["1 2"], ["e5"], ["."]),
    ],
)
def test_what_is_no_column_of_numbers(cells):
    assert spellings(cells) == {}


def test_a_file_that_says_otherwise_is_heard_where_it_can_be():
    assert [*spellings(["1.5"], decimal=",").values()] == [[1.5]]
    assert [*spellings(["1.234"], decimal=",").values()] == [[1234.0]]
    assert next(iter(spellings(["1.234"]).values())) == [1.234]


def test_fast_and_slow_agree():
    """The fast way is for plain decimals: it must take nothing that the other refuses."""
    rng = random.Random(3)
    for way in WAYS:
        for _ in range(500):
            cell = "".join(rng.choice("0123456789,.-+eE \n") for _ in range(rng.randint(1, 7)))
            found = way.fast([cell, "1"])
            assert not found or found == [way(cell), 1.0], (way, cell)


@pytest.mark.parametrize("x", [0.1, -1234.5678, 1e300, 5e-324, 123456789.0, -0.0])
def test_a_decimal_comma_loses_no_bit(x):
    [found] = Spelling(",").fast([repr(x).replace(".", ",")])
    assert math.copysign(1, found) == math.copysign(1, x)
    assert found == x == Spelling(",")(repr(x).replace(".", ","))


def test_the_usual_spelling_is_that_of_most_cells():
    assert usual_spelling({"1,5": 1, "2.5": 2, "red": 5}) == PLAIN
    assert usual_spelling({"$5": 3, "5%": 1}) == Spelling(sign="$")
    assert usual_spelling({"1,234": 1}, decimal=",") == Spelling(",")


WORDS = ["", " ", "NA", "n/a", "NaN", "NULL", "None", "?", "-", "."]


@pytest.mark.parametrize("cell", WORDS)
def test_words_for_what_is_not_known(cell):
    assert is_missing(cell)
    assert not looks_like_a_number(cell) or number(cell) != number(cell)


@pytest.mark.parametrize("cell", ["0", "unknown", "x", "-1", "N.A.", "--", "??"])
def test_other_words_are_none(cell):
    assert not is_missing(cell)
