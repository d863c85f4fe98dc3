"""Data to learn from: made, bundled, or read from a file. Always rows `xs` and targets `ys`."""

import csv
import io
import math
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import eq, sub, truediv
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from engine.drawing.picture import many, visible
from engine.names import no_such
from engine.value import data_of
from nn.module import finite, generator, size, switch
from nn.progress import collector_paused

MOST_CATEGORIES = 32
MOST_PROBLEMS_SHOWN = 5
EMPTY = "empty"
LONGEST = csv.field_size_limit()  # letters of a cell
DELIMITERS = (",", ";", "\t")
ROUNDING = 8 * sys.float_info.epsilon  # of a number that a few operations computed, beside itself

Rows = list[list[float]]


class DataError(ValueError):
    """A file that cannot be learned from; the message says where and why.

    It may quote the file, whose control characters no terminal should get.
    """

    def __init__(self, message: str) -> None:
        super().__init__(visible(message))


@dataclass(frozen=True)
class Dataset:
    """Rows with names. It unpacks as `xs, ys`, so it goes wherever data goes.

    `ys` holds class indices (into `classes`), or amounts where `classes` is empty.
    """

    xs: Rows
    ys: list[Any]
    features: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    target: str = ""

    def __iter__(self) -> Iterator[Any]:
        return iter((self.xs, self.ys))

    def __repr__(self) -> str:
        aims = "classes " + ", ".join(self.classes) if self.classes else f"target {self.target}"
        features = ", ".join(self.features)
        return visible(f"Dataset({len(self.xs)} rows, features {features}; {aims})")

    def pick(self, indices: Sequence[int]) -> "Dataset":
        """The rows at `indices`, in that order."""
        return replace(self, xs=[self.xs[i] for i in indices], ys=[self.ys[i] for i in indices])


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


# --- data made by formula ---------------------------------------------------------------------
# Only random() is used: Python promises its numbers, and no other draw's, for every version.
# Results are rounded, so that the last bit of a platform's sin and cos does not show.


def _bell(rng: random.Random) -> float:
    """About a standard normal: mean 0, variance 1. Sums alone, so exact on every platform."""
    return math.fsum(rng.random() for _ in range(12)) - 6


def _scatter(points: list[tuple[float, float]], noise: float, seed: int) -> Rows:
    noise, rng = finite("noise", noise, least=0.0), generator(seed)
    return [[round(c + noise * _bell(rng), 9) + 0.0 for c in point] for point in points]


def _at_least(smallest: int, n: int) -> int:
    """`n` as an int; TypeError for what is none, ValueError for too few points."""
    if size("points", n) < smallest:
        raise ValueError(f"expected at least {smallest} points, got {n}")
    return size("points", n)


def moons(n: int = 100, *, noise: float = 0.1, seed: int = 0) -> tuple[Rows, list[int]]:
    """Two half circles that reach into each other; `ys` -1 (upper) and +1 (lower), in turn.

    `noise` is the standard deviation added to both coordinates.

    >>> moons(4, noise=0)
    ([[1.0, 0.0], [0.0, 0.5], [-1.0, 0.0], [2.0, 0.5]], [-1, 1, -1, 1])
    """
    n = _at_least(4, n)
    points, ys = [], []
    for i in range(n):
        lower = i % 2
        angle = math.pi * (i // 2) / ((n - lower - 1) // 2)
        x, y = math.cos(angle), math.sin(angle)
        points.append((1 - x, 0.5 - y) if lower else (x, y))
        ys.append(1 if lower else -1)
    return _scatter(points, noise, seed), ys


def circles(
    n: int = 100, *, noise: float = 0.05, factor: float = 0.5, seed: int = 0
) -> tuple[Rows, list[int]]:
    """A circle of radius 1 (`ys` -1) around one of radius `factor` (`ys` +1), in turn.

    >>> circles(4, noise=0)
    ([[1.0, 0.0], [0.5, 0.0], [-1.0, 0.0], [-0.5, 0.0]], [-1, 1, -1, 1])
    """
    n, factor = _at_least(2, n), finite("factor", factor, least=0.0)
    points, ys = [], []
    for i in range(n):
        inner = i % 2
        angle = 2 * math.pi * (i // 2) / ((n + 1 - inner) // 2)
        radius = factor if inner else 1.0
        points.append((radius * math.cos(angle), radius * math.sin(angle)))
        ys.append(1 if inner else -1)
    return _scatter(points, noise, seed), ys


def xor(n: int = 4, *, noise: float = 0.0, seed: int = 0) -> tuple[Rows, list[int]]:
    """The corners of a square; `ys` is +1 where exactly one coordinate is 1, else -1.

    >>> xor()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [-1, 1, 1, -1])
    """
    n = _at_least(1, n)
    bits = [(i // 2 % 2, i % 2) for i in range(n)]
    corners = [(float(a), float(b)) for a, b in bits]
    return _scatter(corners, noise, seed), [1 if a != b else -1 for a, b in bits]


def spirals(
    n: int = 300, *, classes: int = 3, noise: float = 0.03, seed: int = 0
) -> tuple[Rows, list[int]]:
    """Arms that wind two thirds of a turn around the origin; `ys` 0 to classes - 1, in turn.

    >>> xs, ys = spirals(6, noise=0)
    >>> xs[3:], ys
    ([[-0.5, -0.866025404], [1.0, 0.0], [-0.5, 0.866025404]], [0, 1, 2, 0, 1, 2])
    """
    classes = size("classes", classes)
    n = _at_least(2 * classes, n)
    points, ys = [], []
    for i in range(n):
        arm = i % classes
        radius = (i // classes) / ((n - arm - 1) // classes)
        angle = 2 * math.pi * (arm / classes + radius * 2 / 3)
        points.append((radius * math.cos(angle), radius * math.sin(angle)))
        ys.append(arm)
    return _scatter(points, noise, seed), ys


# --- real data --------------------------------------------------------------------------------


def iris() -> Dataset:
    """150 iris flowers of three species, measured by E. Anderson, published by R. A. Fisher.

    Source: Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics
    7 (1936), with the values of R and scikit-learn (the UCI copy has two wrong rows).

    >>> iris()  # doctest: +ELLIPSIS
    Dataset(150 rows, features sepal length (cm), ...; classes setosa, versicolor, virginica)
    """
    return load_csv(Path(__file__).with_name("iris.csv"), target="species")


def digits() -> Dataset:
    """1,797 handwritten digits of 8 x 8 pixels from 0 (white) to 1 (black), through scikit-learn.

    Source: E. Alpaydin and C. Kaynak, UCI "Optical Recognition of Handwritten Digits" (1998).
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError("digits need scikit-learn: pip install scikit-learn") from None
    found = load_digits()
    return Dataset(
        xs=(found.data / 16).tolist(),
        ys=found.target.tolist(),
        features=tuple(found.feature_names),
        classes=tuple(str(name) for name in found.target_names),
        target="digit",
    )


# --- a file of your own -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Table:
    """A CSV file as columns of text, with the line each row began on."""

    path: str
    columns: Mapping[str, Sequence[str]]  # with the blanks around a cell
    lines: Sequence[int]
    parsed: dict[str, list[float] | None]
    has_underscores: bool

    def _column(self, name: str) -> Sequence[str]:
        if name not in self.columns:
            raise DataError(f"{self.path}: {no_such('column', name, self.columns)}")
        return self.columns[name]

    def cells(self, name: str) -> list[str]:
        return list(map(str.strip, self._column(name)))

    def floats(self, name: str) -> list[float] | None:
        """A column of finite numbers, the usual, and fast; None where it holds something else."""
        if name not in self.parsed:
            self.parsed[name] = _floats(self._column(name), self.has_underscores)
        return self.parsed[name]

    def refuse(self, name: str, faults: dict[int, str]) -> None:
        """Raise for the rows whose cell of column `name` is at fault, if there are any."""
        hint = " (fill in what is empty, or delete its row)" if EMPTY in faults.values() else ""
        _refuse(self.path, [f"line {self.lines[i]}: {name!r} is {faults[i]}" for i in faults], hint)


def _refuse(path: str, problems: list[str], hint: str = "") -> None:
    if problems:
        shown = problems[:MOST_PROBLEMS_SHOWN]
        if more := len(problems) - len(shown):
            shown.append(f"and {more} more")
        raise DataError(f"{path}: {'; '.join(shown)}{hint}")


def _read(path: str) -> str:
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot read it: {error.strerror or error}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}: line {line} is not UTF-8 text: save the file as UTF-8") from None


def _columns(text: str, delimiter: str) -> tuple[list[list[str]], Sequence[int]] | None:
    """The columns, and the numbers of the lines, of the usual text, faster than `_records`.

    None for a text with quotes, with blank lines, or with lines of another length.
    """
    text = text.replace("\r\n", "\n").removesuffix("\n")
    if delimiter not in text or any(sign in text for sign in '"\r\0'):
        return None
    cells = text.replace("\n", f"{delimiter}\n").split(delimiter)
    count = text.count("\n") + 1
    width = len(cells) // count
    columns = [cells[k::width] for k in range(width)]
    begins = [cell[:1] == "\n" for cell in columns[0]]  # this blank goes with the others
    are_lines = len(cells) == count * width and begins == [False] + [True] * (count - 1)
    is_usual = are_lines and all(map(str.strip, columns[0])) and len(max(cells, key=len)) <= LONGEST
    return (columns, range(1, count + 1)) if is_usual else None


def _records(path: str, text: str, delimiter: str) -> tuple[list[int], list[list[str]]]:
    """The numbers of the lines that are not blank, and their cells."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines, records = [], []
    line = 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                lines.append(line)
                records.append(cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}: line {line}: broken CSV: {error}") from None
    return lines, records


def _table(path: str) -> _Table:
    text = _read(path)
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    columns, lines = _columns(text, delimiter) or ((), ())
    records = list[list[str]]()
    if not columns:
        lines, records = _records(path, text, delimiter)
    header = [cells[0] for cells in columns] or (records[0] if records else [])
    names = list(map(str.strip, header))
    if not names:
        raise DataError(f"{path}: the file is empty: expected a line of names, then rows")
    if all(_number(name) is not None for name in names):
        raise DataError(f"{path}: the first line holds numbers, expected the columns' names")
    twice = sorted({name for name in names if names.count(name) > 1 or not name})
    if twice:
        raise DataError(
            f"{path}: every column needs a name of its own, got {twice[0]!r} in {names}"
        )
    if len(lines) == 1:
        raise DataError(f"{path}: only a header, no rows")
    _refuse(
        path,
        [
            f"line {line}: expected {many(len(names), 'field')}, got {len(cells)}"
            for line, cells in zip(lines[1:], records[1:], strict=False)
            if len(cells) != len(names)
        ],
        " (is it a CSV file?)" if len(names) == 1 else "",
    )
    bodies = (cells[1:] for cells in columns or zip(*records, strict=True))
    has_underscores = text.count("_") > "".join(header).count("_")
    return _Table(path, dict(zip(names, bodies, strict=True)), lines[1:], {}, has_underscores)


def _floats(cells: Sequence[str], has_underscores: bool) -> list[float] | None:
    """The cells as finite numbers; None where one is something else."""
    try:
        found = list(map(float, cells))  # which takes blanks around a number, and underscores
    except ValueError:
        return None
    if has_underscores and "_" in "".join(cells):
        return None
    return found if math.isfinite(sum(found)) or all(map(math.isfinite, found)) else None


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _without_comma(cell: str) -> str:
    """A number written with commas as one without them; "" for any other text.

    >>> _without_comma("1,200"), _without_comma("95,7"), _without_comma("red, green")
    ('1200', '95.7', '')
    """
    if re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", cell):
        return cell.replace(",", "")
    return cell.replace(",", ".") if re.fullmatch(r"[-+]?\d+,\d+", cell) else ""


def _is_numeric(table: _Table, name: str) -> bool:
    """Half of the filled cells decide, so that one slip in a column of numbers is found."""
    if table.floats(name) is not None:
        return True
    filled = Counter(filter(None, table.cells(name)))
    numeric = [n for cell, n in filled.items() if _number(cell) is not None or _without_comma(cell)]
    return 2 * sum(numeric) >= filled.total()


def _fault(cell: str) -> str:
    """What is wrong with a cell that should hold a finite number."""
    if not cell:
        return EMPTY
    if plain := _without_comma(cell):
        return f"{cell!r}, which looks like a number with a comma: write {plain}"
    return f"{cell!r}, expected a finite number"


def _numbers(table: _Table, name: str) -> list[float]:
    found = table.floats(name)
    if found is None:
        cells = table.cells(name)
        numbers = list(map(_number, cells))
        table.refuse(
            name,
            {
                i: _fault(cell)
                for i, (cell, number) in enumerate(zip(cells, numbers, strict=True))
                if number is None or not math.isfinite(number)
            },
        )
        found = [number for number in numbers if number is not None]
    return found


def _categories(table: _Table, name: str, hint: str) -> list[str]:
    """The different texts of a column, sorted, numbers by size."""
    texts = sorted(set(table.cells(name)), key=lambda text: (_number(text) or 0.0, text))
    if len(texts) > MOST_CATEGORIES:
        raise DataError(
            f"{table.path}: column {name!r} holds {len(texts)} different texts, more than the "
            f"{MOST_CATEGORIES} that can be told apart: {hint}"
        )
    return texts


def _indices(table: _Table, name: str, categories: Sequence[str]) -> list[int]:
    """Each cell of a column as its place in `categories`."""
    cells = table.cells(name)
    place = {category: i for i, category in enumerate(categories) if category}
    found = [place.get(cell, -1) for cell in cells]
    faults = [i for i, k in enumerate(found) if k < 0] if -1 in found else []
    expected = f"expected one of {', '.join(categories)}"
    table.refuse(name, {i: f"{cells[i]!r}, {expected}" if cells[i] else EMPTY for i in faults})
    return found


def _feature_names(table: _Table, name: str) -> list[str]:
    if _is_numeric(table, name):
        return [name]
    hint = f"leave it out (ignore=[{name!r}], or --ignore of the command)"
    return [f"{name}={category}" for category in _categories(table, name, hint)]


def _column(table: _Table, feature: str) -> str:
    """The column that a feature is read from."""
    if feature in table.columns:
        return feature
    textual = [column for column in table.columns if feature.startswith(f"{column}=")]
    return max(textual, key=len, default=feature)


def _refuse_twice(table: _Table, names: Sequence[str], what: str, which: str) -> None:
    """DataError for two of one name: only one of them would be learned from."""
    (name, count), *_ = [*Counter(names).most_common(1), ("", 0)]
    if count > 1:
        raise DataError(f"{table.path}: two {what} have the name {name!r}: rename {which}")


def _feature_columns(table: _Table, features: Sequence[str]) -> list[list[float]]:
    """One list of numbers for each feature, be it a column or `column=category`."""
    categories: dict[str, list[str]] = {}
    for name in features:
        categories.setdefault(_column(table, name), []).append(name)
    columns: dict[str, list[float]] = {}
    for column, names in categories.items():
        if names == [column]:
            columns[column] = _numbers(table, column)
        else:
            indices = _indices(table, column, [name[len(column) + 1 :] for name in names])
            for place, name in enumerate(names):
                columns[name] = [float(index == place) for index in indices]
    return [columns[name] for name in features]


@collector_paused()
def load_csv(
    path: str | PathLike[str],
    target: str | None = None,
    *,
    features: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    as_classes: bool = False,
    ignore: Sequence[str] = (),
) -> Dataset:
    """A CSV file with a header line as a Dataset: UTF-8; commas, semicolons or tabs.

    A column of numbers becomes a feature; a column of text (at most 32 different ones) becomes
    one feature of 0 or 1 for each text, named `column=text`. A target of numbers is an amount;
    of text, or of anything with `as_classes`, a class. Columns named in `ignore` are left out.
    `features` and `classes` of an earlier Dataset read another file the same way: a plain name in
    `features` must be a column of numbers. Without `target`, `ys` is empty.

    DataError (a ValueError) for every file that does not fit, with the line numbers.
    """
    as_classes = switch("as_classes", as_classes)
    table = _table(fspath(path))
    for name in (*ignore, *([] if target is None else [target])):
        table.cells(name)
    if target in ignore:
        raise DataError(f"{table.path}: {target!r} cannot be both the target and left out")
    if features is None:
        others = [name for name in table.columns if name != target and name not in ignore]
        features = [feature for name in others for feature in _feature_names(table, name)]
    _refuse_twice(table, features, "features", "a column, or a text in it")
    _refuse_twice(table, classes or (), "classes", "a class")
    if not features:
        raise DataError(f"{table.path}: no column is left to learn from besides {target!r}")
    xs = list(map(list, zip(*_feature_columns(table, features), strict=True)))
    if target is None:
        return Dataset(xs, [], tuple(features))
    if classes is None and not as_classes and _is_numeric(table, target):
        return Dataset(xs, _numbers(table, target), tuple(features), target=target)
    names = tuple(classes or _categories(table, target, "is it the right column to learn?"))
    ys = _indices(table, target, names)
    if len(names) < 2:
        raise DataError(f"{table.path}: every {target!r} is {names[0]!r}: nothing to tell apart")
    return Dataset(xs, ys, tuple(features), names, target)


# --- preparing --------------------------------------------------------------------------------


def shuffled(n: int, rng: random.Random) -> list[int]:
    """The numbers 0 to n - 1 in random order, from `random()` alone."""
    keys = [rng.random() for _ in range(n)]
    return sorted(range(n), key=keys.__getitem__)


def split(data: Data, fraction: float = 0.8, *, seed: int = 0) -> tuple[Dataset, Dataset]:
    """The rows in two parts at random: `fraction` of them, and the rest.

    >>> training, held_out = split(iris(), 0.8)
    >>> len(training.xs), len(held_out.xs)
    (120, 30)
    """
    whole = as_dataset(data)
    n = len(whole.xs)
    share = 0.0 if fraction != fraction else finite("split: the fraction", fraction)
    count = round(share * n) if 0 < share < 1 else 0
    if not 0 < count < n:
        raise ValueError(
            f"split expected a fraction between 0 and 1 that leaves rows on both sides, "
            f"got {fraction} of {n} rows"
        )
    order = shuffled(n, generator(seed))
    return whole.pick(order[:count]), whole.pick(order[count:])


@dataclass(frozen=True)
class Scaler:
    """`(x - mean) / scale`, column by column. Call it with new rows.

    >>> Scaler(means=(2.0, 7.0), scales=(1.0, 2.0))([[5.0, 8.0]])
    [[3.0, 0.5]]
    """

    means: tuple[float, ...]
    scales: tuple[float, ...]

    @collector_paused()
    def __call__(self, xs: Sequence[Sequence[float]]) -> Rows:
        """The rows, scaled; ValueError for a row of another length."""
        for i, row in enumerate(xs):
            if len(row) != len(self.means):
                raise ValueError(f"row {i} expected {len(self.means)} numbers, got {len(row)}")
        means, scales = self.means, self.scales
        return [list(map(truediv, map(sub, row, means), scales)) for row in xs]


def _scaled(column: Sequence[float]) -> tuple[float, float, list[float]]:
    """Its mean, its scale, and the column as a Scaler of these gives it."""
    least, most = min(column), max(column)
    is_constant = least == most and math.isfinite(least)
    try:
        mean = column[0] if is_constant else math.fsum(column) / len(column)
    except OverflowError:
        mean = math.inf
    apart = [x - mean for x in column]
    scale = math.hypot(*apart) / math.sqrt(len(column))
    if not math.isfinite(scale):
        raise ValueError(
            f"standardise expected smaller numbers, got a column from {least:g} to {most:g}: "
            "its sum or its spread is too large for a float"
        )
    scale = scale if is_apart(least, most) else 1.0
    return mean, scale, [x / scale for x in apart]


def is_apart(least: float, most: float) -> bool:
    """Whether two numbers differ by more than rounding: a spread that counts as one.

    >>> is_apart(0.3, 0.1 + 0.2), is_apart(0.3, 0.3000001)
    (False, True)
    """
    return most - least > ROUNDING * max(abs(least), abs(most))


def standardise(data: Data) -> tuple[Dataset, Scaler]:
    """Rows with mean 0 and standard deviation 1 in each column, and how to do it to new rows.

    A constant column becomes 0, and one whose numbers differ by no more than rounding keeps the
    scale 1. Raises ValueError for rows that are none, and for numbers that are not finite, or too
    large.

    >>> scaled, scaler = standardise(([[1.0, 7.0], [3.0, 7.0]], [0, 1]))
    >>> scaled.xs, scaler([[5.0, 8.0]])
    ([[-1.0, 0.0], [1.0, 0.0]], [[3.0, 1.0]])
    """
    whole = as_dataset(data)
    with collector_paused():
        try:
            found = list(map(_scaled, zip(*whole.xs, strict=True)))
            means, scales, columns = zip(*found, strict=True)
        except (TypeError, ValueError, OverflowError):
            _refuse_rows(whole.xs)
            raise
        xs = list(map(list, zip(*columns, strict=True)))
    return replace(whole, xs=xs), Scaler(means, scales)


def _refuse_rows(xs: Sequence[Any]) -> None:
    """ValueError for what is no row of finite numbers, if there is one."""
    for i, row in enumerate(xs):
        if not hasattr(row, "__len__") or isinstance(row, str):
            raise ValueError(
                f"standardise expected rows, lists of numbers, got {row!r:.60} in xs[{i}]"
            )
        for j, x in enumerate(row):
            if not _is_finite(x):
                raise ValueError(
                    f"standardise expected finite numbers, got {x!s:.60} in xs[{i}][{j}]"
                )


def _is_finite(x: Any) -> bool:
    try:
        return math.isfinite(x)
    except (TypeError, OverflowError):
        return False


def one_hot(index: int, classes: int) -> list[float]:
    """A list of `classes` numbers, 1 at `index` and 0 elsewhere.

    >>> one_hot(1, 3)
    [0.0, 1.0, 0.0]
    """
    if not _is_finite(index) or index not in range(classes):
        raise ValueError(f"one_hot expected an index from 0 to {classes - 1}, got {index!s:.60}")
    return [float(i == index) for i in range(classes)]


# --- classes ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decision:
    """How a model's output names a class: the largest of several outputs, or the sign of one.

    A single output above `threshold` means the second of two `labels`.
    """

    labels: range
    threshold: float

    def scores(self, output: Any) -> list[float]:
        """A number for each label from `output`, a Value or a list of them: the largest wins."""
        if isinstance(output, list):
            return list(map(data_of, output))
        return [2 * self.threshold - data_of(output), data_of(output)]

    def __call__(self, output: Any) -> int:
        """The label that `output` stands for."""
        scores = self.scores(output)
        return self.labels[scores.index(max(scores))]

    def labels_of(self, outputs: Sequence[Any]) -> list[int]:
        """The label that each output stands for."""
        if {*map(type, outputs)} == {float}:
            (low, high), twice = self.labels, 2 * self.threshold
            return [high if z > twice - z else low for z in outputs]
        lists = outputs if {*map(type, outputs)} == {list} else ()
        if {*map(type, chain.from_iterable(lists))} == {float}:
            return [self.labels[scores.index(max(scores))] for scores in outputs]
        return list(map(self, outputs))

    def label_of(self, target: Any) -> int:
        """The label that a target stands for: itself, or the place of the 1 in a list."""
        return int(target.index(1) if isinstance(target, list) else target)

    def share_right(self, outputs: Sequence[Any], targets: Sequence[Any]) -> float:
        """The share of outputs that stand for the labels of their targets."""
        hits = sum(map(eq, self.labels_of(outputs), map(self.label_of, targets)))
        return float(hits / len(outputs))

    def is_right(self, output: Any, target: Any) -> bool:
        """Whether `output` stands for the label of `target`."""
        return self(output) == self.label_of(target)


def decision(ys: Sequence[Any], output: Any, threshold: float | None = None) -> Decision | None:
    """The Decision that fits the targets `ys` and an example of an output; None for amounts.

    Targets are classes where they are indices (ints from 0) or lists of one 1 and zeros, with an
    output for each class; or two numbers, -1 and 1 or 0 and 1, with a single output. Then the
    threshold is halfway between them unless given.
    """
    several = isinstance(output, list)
    if any(isinstance(y, list) for y in ys):
        one_hots = all(isinstance(y, list) and sorted(y) == [0] * (len(y) - 1) + [1] for y in ys)
        return Decision(range(len(output)), 0.0) if several and one_hots else None
    if several:
        indices = all(isinstance(y, int) and y >= 0 for y in ys)
        return Decision(range(len(output)), 0.0) if indices else None
    for labels in (range(-1, 2, 2), range(2)):
        if set(ys) == set(labels):
            return Decision(labels, sum(labels) / 2 if threshold is None else threshold)
    return None
