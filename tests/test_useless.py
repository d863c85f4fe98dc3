from collections import Counter
from math import nan
from random import Random

import pytest

from nn.data import shuffled
from nn.useless import useless_cells, useless_numbers, useless_texts


@pytest.mark.parametrize(
    ("numbers", "is_first", "nameless", "several", "why"),
    [
        (range(20), True, False, True, "counts the rows (--number a learns from it)"),
        (range(20), True, False, False, ""),
        (range(20), False, False, True, ""),
        (range(3), True, True, False, "has no name and counts the rows: an index"),
        ([1, 2, 4], True, True, True, "has no name and is another whole number in each row: an "),
        ([1, 2, 2], True, True, True, ""),
        ([1.5, 2, 4], True, True, True, ""),
        ([*range(30), *range(20)], True, True, True, "has no name and counts from 0 several times"),
        ([*range(20), *range(30)], True, False, True, ""),
        ([3, 9, 4], True, False, True, ""),
        (
            [5, nan, 5],
            False,
            False,
            True,
            "is the same in every row where it has no gap (--number a ",
        ),
        ([0.3, nan, 0.1 + 0.2], False, False, True, "differs by rounding alone"),
        ([20240131, 20240201] * 9, False, False, True, "holds dates or times: make columns of "),
        ([20240131, 20241301] * 9, False, False, True, ""),
        ([20240131] * 18, False, False, True, "is the same in every row"),
        ([4], True, False, True, ""),
        ([4, 4], False, False, False, "is the same in every row"),
    ],
)
def test_numbers(numbers, is_first, nameless, several, why):
    numbers = [*map(float, numbers)]
    found = useless_numbers("a", numbers, is_first, nameless, several)
    assert found.startswith(why)
    assert bool(found) == bool(why)


def of_some_rows(sizes, share, seed):
    """The index of tables put together, of which a share of the rows was drawn."""
    draw = Random(seed)
    kept = [float(k) for size in sizes for k in range(size) if draw.random() < share]
    return [kept[i] for i in shuffled(len(kept), draw)]


SEVERAL_TABLES = "has no name and counts from 0 several times: the indexes of several tables"
SOME_ROWS = "has no name and numbers as of rows picked from tables: an index (--number a learns "


@pytest.mark.some(4)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sizes", [(200, 200), (1000, 200, 50), (344, 333), (300, 300, 300)])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95, 1.0])
def test_an_index_of_drawn_rows(sizes, share, seed):
    index = of_some_rows(sizes, share, seed)
    assert useless_numbers("a", index, True, True, True).startswith((SOME_ROWS, SEVERAL_TABLES))
    for is_first, nameless, several in [(False, True, True), (True, False, True), (True, True, 0)]:
        if share < 1:
            assert useless_numbers("a", index, is_first, nameless, several) == ""


def test_an_index_drawn_again_and_again():
    draw = Random(0)
    index = [float(int(draw.random() * 400)) for _ in range(400)]
    assert useless_numbers("a", index, True, True, True).startswith(SOME_ROWS)
    assert useless_numbers("a", [*index, nan], True, True, True) == ""


AMOUNTS = {
    "ages": lambda draw: draw.uniform(18, 80),
    "other ages": lambda draw: max(0.0, draw.gauss(30, 14)),
    "scores": lambda draw: min(100.0, max(0.0, draw.gauss(65, 20))),
    "prices": lambda draw: draw.lognormvariate(5, 1),
    "steady prices": lambda draw: draw.lognormvariate(7, 0.5),
    "waits": lambda draw: draw.expovariate(1 / 200),
    "weights": lambda draw: draw.gauss(3000, 500),
    "hours": lambda draw: int(24 * draw.random()),
    "days": lambda draw: 1 + int(31 * draw.random()),
    "years": lambda draw: draw.uniform(1900, 2020),
    "balances": lambda draw: draw.gauss(0, 300),
    "counts": lambda draw: draw.expovariate(1 / 3),
}


@pytest.mark.parametrize("kind", AMOUNTS)
@pytest.mark.parametrize("count", [80, 200, 500])
def test_amounts_without_a_name_are_no_index(kind, count):
    draw = Random(count)
    numbers = [float(round(AMOUNTS[kind](draw))) for _ in range(count)]
    assert useless_numbers("a", numbers, True, True, True) == ""


def test_ids_with_a_gap_are_ids():
    numbers = [float(3 * k) if k != 7 else nan for k in range(60)]
    words = "is named like an id, and another in nearly every row (--number id learns from it)"
    assert useless_numbers("id", numbers, False, False, True) == words
    assert useless_numbers("a", [nan, *map(float, range(4, 24))], True, False, True) == (
        "counts the rows (--number a learns from it)"
    )


@pytest.mark.parametrize(
    ("cells", "may_be_index", "may_be_end", "why"),
    [
        (["", ""], False, True, "is empty: separators at the ends of the lines"),
        (["", "?"], True, False, "is empty throughout"),
        (["u", "v"], True, False, "has no name and is another text in each row: an index"),
        (["u", "u"], True, True, "is the same in every row"),
        (["u", "u", ""], True, True, ""),
        (["u"], True, True, ""),
    ],
)
def test_cells(cells, may_be_index, may_be_end, why):
    assert useless_cells(cells, may_be_index, may_be_end) == why


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["1/2/2024", "3.4.24", "2024-05-06 07:08", "9:10 pm"], "holds dates or times"),
        (["2020-01", "2020-12", "1999/3"], "holds dates or times"),
        (["Jan 1 2020", "5 March 2021", "Mon, 6 Jan 2020", "Dec 24th, 1999"], "holds dates or "),
        (["Sep-2020", "1-Feb-20"], "holds dates or times"),
        (["2020-13", "1234-56", "may be 7"], ""),
        ([f"{k}.5 kg" for k in range(20)], "is another text in nearly every row (--text a learns "),
        (["1/2.2024", "2024-05/06", "9:1", "x"], ""),
        ([f"t{k}" for k in range(10)], "is another text in nearly every row"),
        ([f"t{k}" for k in range(9)], ""),
        ([f"t{k % 40}" for k in range(400)], ""),
        ([f"t{k % 62}" for k in range(620)], "holds 62 texts, too many to tell apart"),
        ([f"t{k % 61}" for k in range(610)], ""),
    ],
)
def test_texts(texts, why):
    found = useless_texts("a", Counter(texts))
    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_numbers_with_a_unit():
    for texts in ([f"{k}.79 kg" for k in range(20)], [f"{k}.3k" for k in range(20)]):
        assert useless_texts("a", Counter(texts)).endswith(
            ": numbers with a unit? Without it they are numbers"
        )
    assert "unit" not in useless_texts("a", Counter(f"name {k}" for k in range(20)))
