from array import array

import pytest

from engine.replay.arguments import read
from nn.table import Table, _rows

XS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
YS = [0.5, 1.5, 2.5]


def test_rows_of_one_shape_are_columns_of_numbers():
    xs, ys = Table(XS, YS).columns
    assert (xs.numbers.tolist(), xs.width) == ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2)
    assert (ys.numbers.tolist(), ys.width) == (YS, 1)


@pytest.mark.parametrize("rows", [array("i", [2, 0]), array("i", [1]), None])
def test_a_batch_has_the_shape_of_its_rows(rows):
    table = Table(XS, YS)
    chosen = range(3) if rows is None else rows
    expected = [XS[i] for i in chosen], [YS[i] for i in chosen]
    assert table.batch(rows) == expected
    assert table.shape(rows) == read(expected, {}).shape
    assert table.given(rows).numbers == read(expected, {}).numbers


def test_rows_of_several_shapes_have_no_columns():
    table = Table([[1.0], [1.0, 2.0]], [0.0, 1.0])
    assert table.columns is None
    shapes = [table.shape(array("i", rows)) for rows in ([0], [1], [0, 1])]
    assert len(set(map(repr, shapes))) == 3


def test_labels_are_a_column_and_what_has_no_numbers_is_none():
    table = Table(XS, [0, 2, 1])
    assert [rows.numbers.tolist() for rows in table.columns][1] == [0.0, 2.0, 1.0]
    assert len(Table(["a", "a"], [1.0, 2.0]).columns) == 1
    assert Table(["a", "b"], [1.0, 2.0]).columns is None


def test_the_numbers_of_all_rows():
    table = Table([[1.0, 2.0], [3.0, 4.0], [5.0]], [0.5, 1, 2.5])
    assert table.numbers.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 0.5, 1.0, 2.5]
    assert len(table) == 3


@pytest.mark.parametrize(
    ("things", "width"),
    [
        ([1.0, 2.0], 1),
        ([1, 2], 1),
        ([1, 2**80], None),
        ([2**80, 2**80], 0),
        ([1.0, 2], None),
        ([[1.0, 2.0], [3.0, 4.0]], 2),
        ([[1.0, 2], [3.0, 4.0]], None),
        ([[1.0, 2], [3.0, 4]], 2),
        ([[1.0], [3.0, 4.0]], None),
        ([(1.0, 2.0), (3.0, 4.0)], 2),
        ([{"a": 1.0}, {"a": 2.0}], 1),
        ([[], []], 0),
    ],
)
def test_rows_of_one_shape_are_laid_down(things, width):
    found = _rows(things)
    assert (found and found.width) == width


def test_a_batch_is_read_once_for_its_shape_and_its_numbers():
    table = Table([[1.0], [2.0, 3.0], [4.0]], [5.0, 6.0, 7.0])
    rows, others = array("i", [1]), array("i", [2])
    given = table.given(rows)
    assert table.given(rows) is given
    assert table.shape(rows) == given.shape
    assert table.given(others).numbers == [4.0, 7.0]
    assert table.given(rows).numbers == given.numbers == [2.0, 3.0, 6.0]


def test_a_table_of_columns_gives_its_first_few_examples():
    given = Table([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0.0, 1.0, 2.0]).given(None)
    assert (given.examples, given.few(2).numbers) == (3, [1.0, 2.0, 3.0, 4.0, 0.0, 1.0])
    assert Table([[1.0], [2.0, 3.0]], [0.0, 1.0]).given(None).few is None
