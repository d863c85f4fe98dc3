import pytest

from nn.dataset import DataError, Dataset, DataWarning, as_dataset, is_apart


def test_a_dataset_unpacks_and_shows_itself():
    data = Dataset([[1.0]], [2.0], ("a",), (), "b")
    xs, ys = data
    assert (xs, ys) == ([[1.0]], [2.0])
    assert repr(data) == "Dataset(1 rows, features a; target b)"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (5, r"data must be a pair of lists, \(xs, ys\)"),
        (([1],), r"data must be a pair of lists, \(xs, ys\)"),
        (([[1.0], [2.0]], [1]), "data has 2 rows in xs but 1 targets in ys"),
        (([], []), "data has no rows"),
    ],
)
def test_what_is_no_data_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        as_dataset(data)


@pytest.mark.parametrize("kind", [DataError, DataWarning])
def test_what_is_said_of_a_file_reaches_no_terminal_as_it_is(kind):
    assert str(kind("\x1b[2Ja")).isprintable()


def test_rows_are_the_same_however_they_were_read():
    assert Dataset([[1.0]], [2.0], reading="one way") == Dataset([[1.0]], [2.0])


@pytest.mark.parametrize(("least", "most", "apart"), [(1e16, 1e16 + 2, False), (0, 1e-300, True)])
def test_apart_by_more_than_rounding(least, most, apart):
    assert is_apart(least, most) is apart
