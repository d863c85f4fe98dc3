import math
import random
from dataclasses import replace
from statistics import median

import pytest

from nn.columns import MISSING, OTHER, Column, Reading
from nn.dataset import Dataset
from nn.learned import filled, from_places, learned, middle_of, read_as

NAN = math.nan
ROWS = Dataset(
    [[1.0, 0.0, 4.0], [NAN, 1.0, 4.0], [5.0, 1.0, 6.0], [6.0, 1.0, 8.0]],
    [0, 1, 0, 1],
    ("a", "t=u", "b"),
    reading=Reading((Column("a"), Column("t", "text", texts=("u",)), Column("b")), None, "fill"),
)


def with_learned(rows, others):
    reading = learned(rows).reading
    return [filled(read_as(part, reading))[0] for part in (rows, others)]


def test_the_rows_learned_from_say_what_fills_gaps():
    others = replace(ROWS, xs=[[NAN, 0.0, NAN], [2.0, 0.0, 3.0]], ys=[1, 0])
    rows, others = with_learned(ROWS, others)
    assert rows.features == others.features == ("a", "a was missing", "t=u", "b")
    assert rows.xs == [[1, 0, 0, 4], [5, 1, 1, 4], [5, 0, 1, 6], [6, 0, 1, 8]]
    assert others.xs == [[5, 1, 0, 5], [2, 0, 0, 3]]  # the median of 4, 4, 6, 8 is 5
    assert [column.fill for column in rows.reading.columns] == [5.0, None, 5.0]


def test_places_in_a_file_say_the_same():
    more = replace(ROWS, xs=[*ROWS.xs, [NAN, 0.0, NAN]], ys=[*ROWS.ys, 1])
    rows, columns, remarks = from_places(more, range(4))
    assert rows.xs[3:] == [[6, 0, 1, 8], [5, 1, 0, 5]]
    assert rows.xs == list(map(list, zip(*columns, strict=True)))
    assert filled(read_as(more, rows.reading)) == (rows, {"a": 2, "b": 1})
    assert remarks == []


def test_rows_without_gaps_stay_as_they_are():
    full = ROWS.pick([0, 2, 3])
    rows, *_ = from_places(full, range(3))
    assert rows.xs is full.xs
    assert [column.fill for column in rows.reading.columns] == [5.0, None, 6.0]


def test_rows_that_no_file_gave_stay_as_they_are():
    rows = Dataset([[1.0]], [2.0])
    assert (learned(rows), filled(rows)) == (rows, (rows, {}))
    assert from_places(rows, [0]) == (rows, [(1.0,)], [])
    errors = replace(ROWS, reading=replace(ROWS.reading, missing="error"))
    assert (learned(errors), filled(errors)) == (errors, (errors, {}))


def test_a_column_without_any_number_is_filled_with_0():
    rows = Dataset([[NAN], [NAN]], [0, 1], ("a",), reading=Reading((Column("a"),), None, "fill"))
    assert filled(learned(rows))[0].xs == [[0.0, 1.0], [0.0, 1.0]]


def test_an_input_for_gaps_has_a_name_of_its_own():
    columns = (Column("a"), Column("a was missing"))
    reading = Reading(columns, None, "fill")
    rows = Dataset([[1.0, 0.0], [NAN, NAN]], [0, 1], reading.features, reading=reading)
    assert learned(rows).features == (
        *("a", "(a was missing)"),
        *("a was missing", "a was missing was missing"),
    )


def many_texts(cells, gap="", missing="fill"):
    """Rows of a column of which some texts are kept; none of them is decided yet."""
    texts = ("?", *([gap] if gap else []), OTHER)
    column = Column("t", "text", texts=texts, rest=OTHER, gap=gap)
    reading = Reading((column,), None, missing)
    xs = [[0.0] * len(texts) for _ in cells]
    return Dataset(xs, [0] * len(xs), reading.features, reading=reading, texts={"t": cells})


COMMON = [f"t{k}" for k in range(31) for _ in range(2)]


@pytest.mark.parametrize("missing", ["fill", "drop", "error"])
def test_the_rows_learned_from_say_which_texts_are_kept(missing):
    cells = [*COMMON, "t5", "rare", *["late"] * 50]
    rows, columns, remarks = from_places(many_texts(cells, missing=missing), range(64))
    (column,) = rows.reading.columns
    assert column.texts == (*[f"t{k}" for k in range(31)], OTHER)
    assert (column.usual, column.rest, remarks) == ("t5", OTHER, [])
    assert [x.index(1) for x in rows.xs] == [*[k // 2 for k in range(62)], 5, *[31] * 51]
    assert {*map(sum, rows.xs)} == {1}
    assert [[*row] for row in zip(*columns, strict=True)] == rows.xs


def test_other_rows_change_nothing_of_which_texts_are_kept():
    rows = many_texts(COMMON)
    for other in ("t3", "late", ""):
        more = many_texts([*COMMON, *[other] * 100])
        found, _, _ = from_places(more, range(62))
        assert found.reading == learned(rows).reading
        assert found.xs[:62] == learned(rows).xs


def test_a_gap_is_a_text_of_its_own_where_rows_learned_from_have_one():
    cells = ["u", "v", "u", "", "v", "v"]
    rows, _, remarks = from_places(many_texts(cells, MISSING), range(4))
    assert (rows.features, remarks) == (("t=u", "t=v", "t=(missing)", "t=other"), [])
    assert rows.xs[3] == [0, 0, 1, 0]
    rows, _, remarks = from_places(many_texts(cells, MISSING), range(3))
    assert (rows.features, rows.xs[3]) == (("t=u", "t=v", "t=other"), [1, 0, 0])
    assert remarks == [
        "the rows learned from have no gap there, others get the usual text: 't' ('u')"
    ]


def test_the_same_of_texts_that_all_have_inputs():
    column = Column("t", "text", texts=("u", "v", MISSING), gap=MISSING, usual="v")
    reading = Reading((column,), None, "fill")
    xs = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    rows = Dataset(xs, [0, 1, 0, 1], reading.features, reading=reading)
    found, _, _ = from_places(rows, range(3))
    assert found.reading.columns[0] == replace(column, texts=("u", "v"), gap="", usual="u")
    assert found.xs == [[1, 0], [0, 1], [1, 0], [1, 0]]
    found, _, remarks = from_places(rows, [0, 2, 3])
    assert (found.features, found.xs) == (rows.features, xs)
    assert remarks == [
        "in no row learned from, so that it is chance what the net makes of it: 't': 'v'"
    ]


@pytest.mark.parametrize("still", [[5.0, 5.0], [0.3, 0.1 + 0.2], [NAN, NAN]])
def test_what_is_the_same_in_the_rows_learned_from_is_left_out(still):
    xs = [[1.0, still[0]], [2.0, still[1]], [3.0, 1e6]]
    reading = Reading((Column("a"), Column("b")), None, "fill")
    rows = Dataset(xs, [0, 1, 0], ("a", "b"), reading=reading)
    found, columns, remarks = from_places(rows, [0, 1])
    assert found.xs == [[1.0], [2.0], [3.0]]
    assert [[*column] for column in columns] == [[1.0, 2.0, 3.0]]
    assert remarks == ["left out, as the rows learned from hold one thing there: 'b'"]
    with pytest.raises(ValueError, match=r"each column is the same in all 2 rows to learn from: "):
        from_places(replace(rows.pick([0, 0, 1]), xs=[[1.0, 5.0]] * 3), [0, 1])


def test_a_column_that_only_has_gaps_or_one_number_says_where_they_are():
    rows = Dataset(
        [[NAN], [7.0], [7.0]], [0, 1, 0], ("a",), reading=Reading((Column("a"),), None, "fill")
    )
    found, _, remarks = from_places(rows, range(3))
    assert (found.xs, remarks) == ([[7, 1], [7, 0], [7, 0]], [])


@pytest.mark.parametrize("n", [1, 4, 4999, 5000, 5001, 20_000])
@pytest.mark.parametrize("kind", ["spread", "few values", "in order", "two heaps", "infinite"])
def test_the_median_of_many_numbers_is_that_of_statistics(n, kind):
    draw = random.Random(n)
    numbers = {
        "spread": lambda k: draw.gauss(0, 1e3),
        "few values": lambda k: float(draw.randrange(4)),
        "in order": lambda k: float(k * k),
        "two heaps": lambda k: draw.random() + 1e6 * (k < n // 2),
        "infinite": lambda k: draw.choice([-math.inf, 1.5, 2.5, math.inf]),
    }[kind]
    found = [numbers(k) for k in range(n)]
    assert middle_of(found) == median(found)
    found.sort(key=lambda x: x % 7 if math.isfinite(x) else 0)
    assert middle_of(found) == median(found)
