"""`Dataset`, rows with names: what readers and makers of data give, and training loops take."""

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from engine.pictures.texts import many, visible

ROUNDING = 8 * sys.float_info.epsilon  # of a number that a few operations computed, as a part of it

Rows = list[list[float]]
Columns = Sequence[Sequence[float]]


class DataError(ValueError):
    """A file that cannot be learned from; the message says where and why.

    It may quote the file, whose control characters no terminal should get.
    """

    def __init__(self, message: str) -> None:
        super().__init__(visible(message))


class DataWarning(UserWarning):
    """What was assumed of a file; the command says the same on stderr."""

    def __init__(self, message: str) -> None:
        super().__init__(visible(message))


@dataclass(frozen=True)
class Dataset:
    """Rows with names. It unpacks as `xs, ys`, so it goes wherever data goes.

    `ys` holds class indices (into `classes`), or amounts where `classes` is empty. `reading` is
    how a file was read (a `nn.columns.Reading`); None for other rows. `numbers` are those of the
    rows in their file, from 1, where some of its rows are not here. `texts` has the cells of
    columns of many texts, by name, until it is decided which of them are kept.
    """

    xs: Rows
    ys: list[Any]
    features: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    target: str = ""
    reading: Any = field(default=None, compare=False)
    numbers: Sequence[int] = field(default=(), compare=False)
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False, repr=False)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.xs, self.ys))

    def __repr__(self) -> str:
        aims = "classes " + ", ".join(self.classes) if self.classes else f"target {self.target}"
        features = ", ".join(self.features)
        return visible(f"Dataset({len(self.xs)} rows, features {features}; {aims})")

    def pick(self, indices: Sequence[int]) -> "Dataset":
        """The rows at `indices`, in that order."""
        xs, ys = [self.xs[i] for i in indices], [self.ys[i] for i in indices]
        numbers = [self.numbers[i] for i in indices] if self.numbers else ()
        texts = {name: [cells[i] for i in indices] for name, cells in self.texts.items()}
        return replace(self, xs=xs, ys=ys, numbers=numbers, texts=texts)


def by_rows(columns: Columns) -> Rows:
    """Columns as rows.

    >>> by_rows([[1.0, 2.0], [3.0, 4.0]])
    [[1.0, 3.0], [2.0, 4.0]]
    """
    return list(map(list, zip(*columns, strict=True)))


def picked(columns: Columns, places: Sequence[int]) -> Columns:
    """The numbers of columns at some places, side by side in memory: so it is fast to read them."""
    if len(places) < 2:  # of which `itemgetter` makes no tuple
        return [[column[k] for k in places] for column in columns]
    pick = itemgetter(*places)
    return [pick(array("d", column)) for column in columns]


def grid_of(columns: Columns, places: Sequence[int]) -> "array[float]":
    """The numbers of rows at some places, one row after the other.

    >>> grid_of([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [2, 0]).tolist()
    [3.0, 6.0, 1.0, 4.0]
    """
    width = len(columns)
    grid = array("d", bytes(8 * width * len(columns[0])))
    for k, column in enumerate(columns):
        grid[k::width] = array("d", column)
    return rows_at(grid, width, places)


def rows_at(grid: "array[float]", width: int, places: Sequence[int]) -> "array[float]":
    """Rows of so many numbers each, in the order of the places."""
    raw, size = grid.tobytes(), 8 * width
    return array("d", b"".join([raw[k * size : (k + 1) * size] for k in places]))


def as_rows(grid: "array[float]", width: int) -> Rows:
    """The same as lists, whose numbers lie in memory as they are gone through.

    That takes a third of the time that it takes where they lie anywhere.
    """
    numbers = grid.tolist()
    return [numbers[k : k + width] for k in range(0, len(numbers), width)]


Data = Dataset | tuple[Sequence[Any], Sequence[Any]]


def as_dataset(data: Data, name: str = "data") -> Dataset:
    """`data` as a Dataset; ValueError unless it is xs and ys of one length, with rows in it."""
    if not isinstance(data, Dataset):
        try:
            xs, ys = data
            found = Dataset(list(xs), list(ys))
        except (TypeError, ValueError):
            found = None
        if found is None or isinstance(data, dict | str):
            raise ValueError(f"{name} must be a pair of lists, (xs, ys){_in_place_of_data(data)}")
        data = found
    if len(data.xs) != len(data.ys):
        raise ValueError(f"{name} has {len(data.xs)} rows in xs but {len(data.ys)} targets in ys")
    if not data.xs:
        raise ValueError(f"{name} has no rows: there is nothing to learn from")
    return data


def _in_place_of_data(thing: Any) -> str:
    """What came in place of a pair of lists, and what to write instead."""
    if isinstance(thing, str | Path):
        words = f"the text {str(thing)!r:.40}: nn.load_csv reads a file"
    elif isinstance(thing, dict):
        words = f"a dict: give {' and '.join(map(repr, list(thing)[:2]))} of it as a pair"
    elif isinstance(thing, float) and 0 < thing < 1:
        words = f"{thing}: nn.split keeps a share of the rows aside"
    elif callable(thing):
        words = f"{type(thing).__name__}: the order is model, loss, data"
    elif not isinstance(thing, Sequence):
        words = type(thing).__name__
    elif thing and all(isinstance(row, Sequence) and len(row) == 2 for row in thing):
        words = f"{many(len(thing), 'pair')}: xs, ys = zip(*pairs) makes two lists of them"
    else:
        words = many(len(thing), "thing")
    return f", got {words}"


def names_of(what: str, names: Any) -> tuple[str, ...]:
    """Names of columns as they were given; ValueError for what is no list of texts.

    >>> names_of("ignore", ["id"])
    ('id',)
    """
    is_list = isinstance(names, Iterable) and not isinstance(names, str | bytes)
    found = tuple(names) if is_list else ()
    if not is_list or not all(isinstance(name, str) for name in found):
        raise ValueError(f"{what} expected a list of names, such as ['a'], got {names!r:.60}")
    return found


def is_apart(least: float, most: float) -> bool:
    """Whether two numbers differ by more than rounding: a spread that counts as one.

    >>> is_apart(0.3, 0.1 + 0.2), is_apart(0.3, 0.3000001)
    (False, True)
    """
    return most - least > ROUNDING * max(abs(least), abs(most))
