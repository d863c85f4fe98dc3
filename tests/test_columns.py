import json
import math
from dataclasses import replace

import pytest

from nn.columns import (
    MISSING,
    OTHER,
    USUAL_TEXT,
    Column,
    Reading,
    features_of,
)
from nn.numerals import Spelling
from nn.readings import reading_of
from nn.sheet import Format, Sheet

NAN = math.nan
SIZE = Column("size", fill=3.0, gap="size was missing")
KIND = Column("kind", "text", texts=("a", "b", MISSING), gap=MISSING, usual="b")
RATE = Column("rate", spelling=Spelling(",", "", "%"), fill=1.5, is_lenient=True)
READING = Reading(
    (SIZE, KIND, RATE),
    Column("y", "text", texts=("0", "1"), is_numeric=True),
    "fill",
    Format("", False, ",", ".", "cp1252"),
)


def sheet(**columns):
    count = len(next(iter(columns.values())))
    return Sheet("a.csv", columns, range(2, 2 + count))


def test_columns_become_inputs():
    found = features_of(
        sheet(
            size=["1", "", " 2e1 ", "NA"], kind=["a", " b", "", "a"], rate=["5%", "2,5%", "x", ""]
        ),
        READING,
    )
    assert READING.features == (
        *("size", "size was missing"),
        *("kind=a", "kind=b", "kind=(missing)"),
        "rate",
    )
    assert (found.faults, found.gaps) == ({}, {})
    assert repr(found.columns) == repr(
        [
            [1.0, NAN, 20.0, NAN],
            [0.0, 1.0, 0.0, 1.0],
            [1.0, 0.0, 0.0, 1.0],
            [0.0, 1.0, 0.0, 0.0],
            [0.0, 0.0, 1.0, 0.0],
            [5.0, 2.5, NAN, NAN],
        ]
    )


@pytest.mark.parametrize(
    ("column", "cell", "fault"),
    [
        (Column("a"), "x", "'a' is 'x', expected a finite number"),
        (Column("a"), "inf", "'a' is 'inf', expected a finite number"),
        (Column("a"), "1,5", "'a' is '1,5', expected a finite number"),
        (Column("a", spelling=Spelling(",")), "1.5", "'a' is '1.5', expected numbers: a comma as"),
        (Column("a", spelling=Spelling(sign="%")), "5", "'a' is '5', expected numbers: percent"),
        (Column("a", "text", texts=("u", "v")), "w", "'a' is 'w', expected one of u, v"),
    ],
)
def test_a_cell_that_does_not_fit_is_told(column, cell, fault):
    found = features_of(
        sheet(a=["1" if column.kind == "number" else "u", cell]), Reading((column,))
    )
    assert [*found.faults] in ([1], [0, 1])  # 1 is no percentage either
    assert found.faults[1].startswith(fault)


def test_texts_that_are_not_known_are_other():
    column = Column("a", "text", texts=("u", "v", OTHER), rest=OTHER)
    assert features_of(sheet(a=["w", "v", OTHER, "u"]), Reading((column,))).columns == [
        [0, 0, 0, 1],
        [0, 1, 0, 0],
        [1, 0, 1, 0],
    ]


def test_whole_numbers_as_texts_are_one_text_with_and_without_a_point():
    column = Column("a", "text", texts=("1", "2"))
    assert features_of(sheet(a=["1.0", "2", "1"]), Reading((column,))).columns == [
        [1, 0, 1],
        [0, 1, 0],
    ]


@pytest.mark.parametrize("missing", ["drop", "error"])
def test_gaps_that_are_not_filled_are_told(missing):
    columns = (Column("a"), Column("b", "text", texts=("u",)))
    found = features_of(
        sheet(a=["1", "?", "2"], b=["u", "u", ""]), Reading(columns, missing=missing)
    )
    assert found.gaps == {1: "'a' is '?'", 2: "'b' is empty"}


def test_a_gap_in_texts_that_had_none_is_the_usual_text():
    columns = (Column("b", "text", texts=("u", "v"), usual="v"),)
    found = features_of(sheet(b=["u", ""]), Reading(columns, missing="fill"))
    assert (found.columns, found.gaps) == ([[1, 0], [0, 1]], {})
    assert found.noted[USUAL_TEXT] == {"'b': 'v'": [1]}


def test_a_reading_comes_back_from_json():
    assert reading_of(json.loads(json.dumps(READING.meta()))) == READING
    assert reading_of(json.loads(json.dumps(Reading((KIND,)).meta()))) == Reading((KIND,))


@pytest.mark.parametrize(
    ("place", "thing"),
    [
        (("version",), 3),
        (("version",), True),
        (("missing",), "full"),
        (("format", "decimal"), ";"),
        (("format", "header"), "yes"),
        (("format", "usual"), None),
        (("columns", 0, "kind"), "date"),
        (("columns", 0, "name"), 3),
        (("columns", 0, "fill"), "1"),
        (("columns", 0, "fill"), None),
        (("columns", 0, "gap"), 1),
        (("columns", 0, "spelling"), ["."]),
        (("columns", 0, "spelling"), ["x", "", ""]),
        (("columns", 1, "texts"), "ab"),
        (("columns", 1, "gap"), "c"),
        (("columns", 1, "rest"), "c"),
        (("columns", 1, "is_lenient"), 1),
        (("columns", 1, "texts"), [1]),
        (("columns", 1, "texts"), ["\ud800"]),
        (("target",), []),
        (("columns",), None),
    ],
)
def test_a_damaged_reading_is_refused(place, thing):
    meta = json.loads(json.dumps(READING.meta()))
    holder = meta
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = thing
    with pytest.raises((ValueError, TypeError, KeyError)):
        reading_of(meta)


def test_numbers_as_classes_are_one_class_however_they_are_written():
    column = Column("y", "text", texts=("0", "1"), is_numeric=True)
    cells = ["0", "-0.0", "01", "+1", "1e0", "NA", "", "2", "x"]
    assert column.places(sheet(y=cells))[0] == [0, 0, 1, 1, 1, -1, -1, -2, -2]
    column = replace(column, is_lenient=True)
    assert column.places(sheet(y=cells))[0] == [0, 0, 1, 1, 1, -1, -1, -2, -1]
