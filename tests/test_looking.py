"""What a column that is learned from becomes."""

import pytest
from sheets import N, found, kinds, sheet

from nn.columns import MISSING, OTHER
from nn.sheet import Format

LEFT_OUT = {
    "the same": ([5] * 120, "is the same in every row"),
    "the same text": (["u"] * 120, "is the same in every row"),
    "empty": ([""] * 120, "is empty throughout"),
    "gaps": (["", "NA", "?"] * 40, "is empty throughout"),
    "rounding": ([0.3, 0.1 + 0.2] * 60, "differs by rounding alone"),
    "texts of their own": ([f"name {k}" for k in range(120)], "is another text in nearly every"),
    "nearly": (
        [f"name {max(k, 9)}" for k in range(120)],
        "is another text in nearly every row (--text a learns from it)",
    ),
    "dates": ([f"2024-02-{k % 28 + 1:02}" for k in range(120)], "holds dates or times: make colu"),
    "German dates": ([f"{k % 28 + 1}.2.2024" for k in range(120)], "holds dates or times: make"),
    "times": ([f"{k % 24}:{k % 60:02}" for k in range(120)], "holds dates or times: make"),
    "moments": ([f"2024-02-03T{k % 24:02}:00" for k in range(120)], "holds dates or times: make"),
    "too many texts": (
        [f"t{k % 100}" for k in range(120)],
        "holds 100 texts, too many to tell apart",
    ),
}


@pytest.mark.parametrize(("cells", "why"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_columns_without_anything_to_learn_from(cells, why):
    seen = found(b=N, a=cells)
    assert (kinds(seen), [*seen.left_out]) == ({"b": "number"}, ["a"])
    assert why in seen.left_out["a"]
    assert seen.lines == [f"left out: 'a' {seen.left_out['a']}"]
    is_text = "text" in why or "dates" in why or cells[0] == "u"
    kind = "text" if is_text else "number"
    asked = found(b=N, a=cells, wishes={kind: ["a"]})
    assert kinds(asked) == {"b": "number", "a": kind}


@pytest.mark.parametrize(
    ("name", "cells", "is_out"),
    [
        ("id", [3 * k + 5 for k in range(120)], True),
        ("user_id", [900 - k for k in range(120)], True),
        ("customerID", range(120), True),
        ("Unnamed: 0", range(120), True),
        ("row", range(120), True),
        ("id", N, False),
        ("id", [k + 0.5 for k in range(120)], False),
        ("humid", range(120), False),
        ("width", range(120), False),
        ("period", range(120), False),
    ],
)
def test_columns_that_are_named_like_an_id(name, cells, is_out):
    assert (name in found(b=N, **{name: cells}).left_out) is is_out


def test_a_first_column_that_counts():
    assert found(a=range(5, 125), b=N).left_out == {
        "a": "counts the rows (--number a learns from it)"
    }
    assert kinds(found(b=N, a=range(120))) == {"b": "number", "a": "number"}
    assert kinds(found(a=range(120))) == {"a": "number"}, "nothing would be left"
    assert kinds(found(a=range(5), b=N[:5])) == {"a": "number", "b": "number"}, "a few rows count"


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (range(120), "has no name and counts the rows: an index"),
        ([f"car {k}" for k in range(120)], "has no name and is another text in each row: an index"),
    ],
)
def test_an_index_without_a_name(cells, why):
    assert found(nameless=["a"], a=cells, b=N).left_out == {"a": why}


def test_an_index_at_each_writing():
    names = {"Unnamed: 0.1": range(120), "Unnamed: 0": range(7, 247, 2), "b": N, "Unnamed: 3": N}
    seen = found(**names)
    assert [*seen.left_out] == ["Unnamed: 0.1", "Unnamed: 0"]
    assert kinds(seen) == {"b": "number", "Unnamed: 3": "number"}


def test_other_columns_without_a_name_are_read():
    seen = found(nameless=["a"], a=N, b=N)
    assert kinds(seen) == {"a": "number", "b": "number"}
    assert seen.lines == ["'a': has no name in the file"]


def test_numbers_with_gaps_are_numbers():
    seen = found(a=["NA", "-", "", "?", *N])
    assert (kinds(seen), seen.lines) == ({"a": "number"}, [])


def test_many_texts_keep_the_most_frequent():
    cells = ["red", "blue"] * 50 + [f"t{k}" for k in range(40)]
    seen = found(a=cells)
    [column] = seen.reading.columns
    assert (len(column.texts), column.texts[-1], column.rest) == (32, OTHER, OTHER)
    assert {"red", "blue"} < {*column.texts}
    assert seen.lines == [
        "'a' (42 texts): the 31 texts most frequent in the rows learned from are kept, others are "
        "'other'"
    ]
    assert not found(a=[f"t{k % 32}" for k in range(120)]).reading.columns[0].rest


def test_a_text_that_is_called_other_is_a_text():
    cells = ["red", OTHER] * 50 + [f"t{k}" for k in range(40)]
    [column] = found(a=cells).reading.columns
    assert (column.texts.count(OTHER), column.rest) == (1, "(other)")
    [column] = found(a=["male", "other"] * 60).reading.columns
    assert (column.texts, column.rest) == (("male", "other"), "")
    assert column.places(sheet(a=["MALE", "other"]))[0] == [-2, 1]
    assert found("y", a=N, y=["fish", "other"] * 60).reading.target.rest == ""


def test_a_text_that_is_called_missing_is_a_text():
    [column] = found(a=["u", MISSING, "", "u"] * 5).reading.columns
    assert (column.texts, column.gap) == ((MISSING, "u", "((missing))"), "((missing))")
    assert column.places(sheet(a=[MISSING, "", "u"]))[0] == [0, 2, 1]


def test_empty_cells_among_texts_are_a_text():
    seen = found(a=["u", "v", "", "u"] * 5)
    [column] = seen.reading.columns
    assert (column.texts, column.usual) == (("u", "v", MISSING), "u")
    assert seen.lines == []  # said with the rows that are read, `found_rows`


def test_texts_between_numbers():
    seen = found(a=["2", "3", "4", "5more"] * 30)
    assert kinds(seen) == {"a": "text"}
    assert seen.lines == [
        "'a': read as texts, with '5more' (30) between the numbers; --number a takes that as "
        "missing"
    ]
    seen = found(a=["2", "3", "4", "5more"] * 30, wishes={"number": ["a"]})
    assert seen.lines == ["'a': read as numbers; what is none counts as missing: '5more' (30)"]
    slip = found(a=["2", "3", "4", "7"] * 30 + ["5more"])
    assert slip.problems == {
        "a": "line 122: 'a' is '5more', expected a finite number (--number a takes it as missing, "
        "--text a reads the column as texts)"
    }
    assert kinds(found(a=["2", "5more"] * 30, wishes={"text": ["a"]})) == {"a": "text"}


def test_words_that_look_like_gaps_among_texts():
    seen = found(a=["u", "?", "unknown", "v"] * 30)
    words = "'?' (30), 'unknown' (30)"
    assert seen.lines == [f"'a': a text like any other, though it looks like a gap: {words}"]


def test_a_gap_that_is_called_as_its_word_is_a_text_of_its_own():
    seen = found(a=["u", "other", "v", ""] * 5)
    [column] = seen.reading.columns
    assert column.places(sheet(a=["", "(missing)"]))[0] == [3, -2]


def test_texts_that_are_no_numbers_have_no_advice_to_be_some():
    truth = ["True", "False"] * 60
    asked = found(a=truth, b=N, wishes={"number": ["a"]})
    assert asked.problems["a"].endswith("'False' (60): leave --number a out")
    asked = found("y", y=truth, b=N, wishes={"as_classes": False})
    assert asked.problems["y"].endswith("which are no amounts: leave --numbers out")


def test_an_empty_column_that_is_asked_for_as_texts():
    for cells in ([""] * 120, ["", " "] * 60):
        seen = found(a=cells, b=N, wishes={"text": ["a"]})
        assert seen.left_out == {"a": "is empty throughout"}


def test_columns_are_left_out_whichever_way_they_are_written():
    ids = [f"{3 * k + 1000:,}" for k in range(120)]
    assert "named like an id" in found(b=N, id=ids, format=Format(thousands=",")).left_out["id"]
    same = ["5", "5.0", "", "5"] * 30
    assert "the same in every row where it has no gap" in found(b=N, a=same).left_out["a"]
    for dates in (
        [f"2020-{k % 12 + 1:02}" for k in range(120)],
        [20200101 + k % 28 for k in range(120)],
    ):
        assert "holds dates" in found(b=N, a=dates).left_out["a"]


def test_codes_with_zeros_before_them():
    seen = found(a=[f"0{k}" for k in N])
    assert seen.lines == [
        "'a' (07): read as numbers, without the zeros before them; --text a keeps them, as of codes"
    ]
    assert found(a=[f"0.{k}" for k in N]).lines == []
    assert found(a=[f"0{k}" for k in N], wishes={"number": ["a"]}).lines == []
