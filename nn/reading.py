"""A file as rows to learn from: the one reader of the command, of `load_csv` and of estimators."""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from typing import Any

from engine.drawing.picture import many
from engine.names import no_such
from nn.columns import EMPTY, POLICIES, Column, Laid, Reading, filled, laid, learned_fills
from nn.dataset import DataError, Dataset, DataWarning
from nn.finding import Found, Wishes, find
from nn.module import switch
from nn.numerals import PERCENT, PLAIN, is_missing, spellings
from nn.progress import collector_paused
from nn.sheet import FOUND, Format, Sheet, read_sheet, refuse
from nn.useless import listed

GAPS = " (fill it in, or say missing='fill' or 'drop': --missing fill of the command)"


@dataclass(frozen=True)
class Seen:
    """The rows of a file that can be read, for a net that reads them as others before.

    `places` has the place in the file of each row, `faults` says what is wrong with the others,
    `lines` are those of all rows. Without targets `unscored` says why; a target that is
    missing is None.
    """

    rows: Dataset
    places: Sequence[int]
    faults: dict[int, str]
    lines: Sequence[int]
    unscored: str = ""
    remarks: list[str] = field(default_factory=list)

    def named(self, place: int) -> str:
        """What a row is called, and what is wrong with it."""
        return f"row {place + 1} (line {self.lines[place]}): {self.faults[place]}"


@collector_paused()
def read_rows(
    path: str | PathLike[str],
    target: str | None,
    wishes: Wishes,
    format: Format = FOUND,
) -> tuple[Dataset, list[str]]:
    """The rows of a file, nan in the gaps that are to be filled; and what was assumed, in lines.

    DataError for what cannot be read.
    """
    sheet = read_sheet(path, format)
    sheet.refuse_ragged()
    found = find(sheet, target, wishes, format)
    if found.problems:
        raise DataError(f"{sheet.path}: {'; '.join(found.problems.values())}")
    return found_rows(sheet, found), found.lines


def found_rows(sheet: Sheet, found: Found) -> Dataset:
    """The rows of a sheet as they were found to be; DataError where one is at fault."""
    reading, target = found.reading, found.reading.target
    _refuse_twice(sheet.path, reading.features, "features", "a column, or a text in it")
    told = laid(sheet, reading)
    ys, wrong, without = _targets(sheet, target)
    faults, gaps = {**wrong, **told.faults}, told.gaps
    if reading.missing == "error":
        lacking = dict.fromkeys(without, f"{target.name!r} is {EMPTY}") if target else {}
        sheet.refuse({**lacking, **gaps, **faults}, "" if faults else GAPS)
    sheet.refuse(faults)
    out = {*without, *(gaps if reading.missing == "drop" else ())}
    if target and without:
        found.remarks.append(f"{many(len(without), 'row')} without {target.name!r} left out")
    if reading.missing == "drop" and gaps.keys() - {*without}:
        found.remarks.append(f"{many(len(gaps.keys() - {*without}), 'row')} with gaps left out")
    spans = reading.spans if reading.missing == "fill" else {}
    for column in reading.columns if spans else ():
        numbers = told.columns[spans[column.name].start]
        if column.kind == "number" and (n := sum(x != x for x in numbers)):
            found.say(
                "missing cells hold the median of the rows learned from; where these have "
                "gaps, an input says so",
                f"{column.name!r} ({n})",
            )
    kept = [i for i in range(len(sheet.lines)) if i not in out] if out else None
    if kept == []:
        raise DataError(f"{sheet.path}: no row is left to learn from: each one has gaps")
    return _dataset(told, reading, ys, kept)


def _targets(
    sheet: Sheet, target: Column | None
) -> tuple[list[Any], dict[int, str], dict[int, None]]:
    """The targets, faults by place, and the places where there is none."""
    if target is None:
        return [], {}, {}
    ys: list[Any]
    if target.kind == "text":
        ys, wrong = target.places(sheet)
        gone = [i for i, place in enumerate(ys) if place == -1] if -1 in ys else []
    else:
        ys, wrong = target.numbers(sheet)
        gone = [i for i, y in enumerate(ys) if y != y and i not in wrong]
    return ys, {i: f"{target.name!r} is {words}" for i, words in wrong.items()}, dict.fromkeys(gone)


def _dataset(told: Laid, reading: Reading, ys: list[Any], kept: Sequence[int] | None) -> Dataset:
    columns: Any = told.columns
    if kept is not None:
        columns = [[column[i] for i in kept] for column in columns]
        ys = [ys[i] for i in kept] if ys else ys
    target = reading.target
    return Dataset(
        list(map(list, zip(*columns, strict=True))),
        ys,
        reading.features,
        target.texts if target and target.kind == "text" else (),
        target.name if target else "",
        reading,
        () if kept is None else [i + 1 for i in kept],
    )


@collector_paused()
def read_again(path: str | PathLike[str], how: Callable[[Sheet], Reading], format: Format) -> Seen:
    """The rows of another file, read as a reading says: what cannot be read stops no other row.

    DataError where a column is missing.
    """
    sheet = read_sheet(path, format)
    reading = how(sheet)
    if (format.decimal, format.thousands) != (reading.format.decimal, reading.format.thousands):
        reading = respelt(sheet, reading, format)
    told = laid(sheet, replace(reading, target=None))
    faults = {**told.gaps, **told.faults}
    places = [i for i in range(len(sheet.lines)) if i not in faults]
    ys: list[Any] = []
    target, unscored = reading.target, ""
    if target is not None:
        try:
            ys, wrong, without = _targets(sheet, target)
            sheet.refuse({i: words for i, words in wrong.items() if i not in faults})
            ys = [None if i in without else y for i, y in enumerate(ys)]
            if all(ys[i] is None for i in places):
                raise DataError(f"{sheet.path}: every {target.name!r} is empty")
        except DataError as error:
            unscored, target, ys = str(error), None, []
    told_of = replace(reading, target=target)
    if not places:
        return Seen(Dataset([], [], told_of.features), [], faults, sheet.lines, unscored)
    rows, counts = filled(_dataset(told, told_of, ys, places if faults else None))
    gaps = [f"{name!r} ({n})" for name, n in counts.items()]
    remarks = [*sheet.remarks]
    if gaps:
        remarks.append(f"missing cells hold the median of the rows learned from: {listed(gaps)}")
    if told.usual:
        usual = [f"{name} ({n})" for name, n in told.usual.items()]
        remarks.append(f"empty cells are the most frequent text: {listed(usual)}")
    return Seen(rows, places, faults, sheet.lines, unscored, remarks)


def respelt(sheet: Sheet, reading: Reading, format: Format) -> Reading:
    """A reading whose numbers are written as in another file, where `format` says how."""

    def spelt(column: Column) -> Column:
        is_plain = not format.points_part and sheet.floats(column.name) is not None
        if column.kind == "text":
            return column
        if is_plain and column.spelling.sign != PERCENT:
            return replace(column, spelling=PLAIN)
        filled = {cell for cell in sheet.cells(column.name) if not is_missing(cell)}
        ways = [
            way
            for way in spellings(filled, format.decimal, format.thousands)
            if way.sign == column.spelling.sign
        ]
        return replace(column, spelling=ways[0]) if ways else column

    target = reading.target and spelt(reading.target)
    return replace(reading, columns=tuple(map(spelt, reading.columns)), target=target)


# --- for programs ----------------------------------------------------------------------------


@collector_paused()
def load_csv(
    path: str | PathLike[str],
    target: str | None = None,
    *,
    features: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    like: Dataset | None = None,
    as_classes: bool | None = None,
    ignore: Sequence[str] = (),
    text: Sequence[str] = (),
    number: Sequence[str] = (),
    missing: str = "error",
    encoding: str = "",
    header: bool | None = None,
    decimal: str = "",
    thousands: str = "",
) -> Dataset:
    """A file of rows as a Dataset: its separator, names and kinds of columns are found by looking.

    A column of numbers is a feature; one of texts is one of 0 or 1 for each text, `column=text`.
    A target of texts, or of two whole numbers or a few that count, is classes; other numbers are
    amounts; `as_classes` says which. `missing` is "error", "drop" (rows with gaps), or "fill": by
    the median, with a feature `column was missing`; by "(missing)" among texts. Left out are the
    columns in `ignore` and those without anything to learn from, unless they stand in `text` or
    `number`, which say what a column is. `header`, `encoding`, `decimal` and `thousands` say of
    the file what cannot be found.

    Another file is read the same way with `like`, an earlier Dataset, or with its `features` (a
    plain name must be a column of numbers) and `classes`. Without `target`, `ys` is empty.

    DataError (a ValueError) for a file that does not fit, with the line numbers; a DataWarning for
    each assumption.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("size;kind\\n1,5;small\\n7,25;large\\n")
    ...     with warnings.catch_warnings(record=True) as remarks:
    ...         warnings.simplefilter("always")
    ...         rows = load_csv(f"{folder}/a.csv", "kind")
    >>> rows.xs, rows.ys, rows.classes
    ([[1.5], [7.25]], [1, 0], ('large', 'small'))
    >>> print(remarks[0].message)
    'size' (1,5): read as numbers with a comma as decimal point
    """
    if missing not in POLICIES:
        raise ValueError(no_such("missing", missing, POLICIES))
    as_classes = None if as_classes is None else switch("as_classes", as_classes)
    told = Format(encoding, header, decimal, thousands)
    wishes = Wishes(ignore, text, number, as_classes, missing)
    if like is not None:
        return _load_like(path, like, told)
    if features is None and classes is None:
        rows, lines = read_rows(path, target, wishes, told)
    else:
        rows, lines = _load_named(path, target, features, classes, wishes, told)
    for line in lines:
        warnings.warn(DataWarning(line), stacklevel=3)
    return filled(learned_fills(rows))[0]


def _load_like(path: str | PathLike[str], like: Dataset, told: Format) -> Dataset:
    """The rows of a file, read as those of an earlier one; DataError where one is at fault."""
    if like.reading is None:
        raise ValueError("like expected a Dataset that was read from a file, got another one")
    reading: Reading = like.reading
    seen = read_again(path, lambda sheet: reading, reading.format.but(told))
    refuse(fspath(path), list(map(seen.named, sorted(seen.faults))))
    for line in (*([seen.unscored] if seen.unscored else ()), *seen.remarks):
        warnings.warn(DataWarning(line), stacklevel=4)
    return seen.rows


def _load_named(
    path: str | PathLike[str],
    target: str | None,
    features: Sequence[str] | None,
    classes: Sequence[str] | None,
    wishes: Wishes,
    told: Format,
) -> tuple[Dataset, list[str]]:
    """The rows of a file, with the features and the classes of another one."""
    sheet = read_sheet(path, told)
    _refuse_twice(sheet.path, features or (), "features", "a column, or a text in it")
    _refuse_twice(sheet.path, classes or (), "classes", "a class")
    sheet.refuse_ragged()
    if classes and len(classes) < 2:
        raise DataError(f"{sheet.path}: every {target!r} is {classes[0]!r}: nothing to tell apart")
    columns = None if features is None else named(sheet, features)
    found = find(sheet, target, wishes, told, columns, classes or ())
    if found.problems:
        raise DataError(f"{sheet.path}: {'; '.join(found.problems.values())}")
    rows = found_rows(sheet, found)
    if features is None or rows.features == tuple(features):
        return rows, found.lines
    order = list(map(rows.features.index, features))
    xs = [[row[k] for k in order] for row in rows.xs]
    return replace(rows, xs=xs, features=tuple(features), reading=None), found.lines


# --- by the names of features -----------------------------------------------------------------


def named(sheet: Sheet, features: Sequence[str]) -> tuple[Column, ...]:
    """The columns of features by name: one of numbers, or a text of one as "column=text"."""
    texts: dict[str, list[str]] = {}
    for feature in features:
        textual = [name for name in sheet.columns if feature.startswith(f"{name}=")]
        name = feature if feature in sheet.columns else max(textual, key=len, default=feature)
        texts.setdefault(name, []).append(feature[len(name) + 1 :])
    return tuple(
        Column(name) if found == [""] else Column(name, "text", texts=tuple(found))
        for name, found in texts.items()
    )


def as_named(
    features: Sequence[str], target: str, classes: Sequence[str]
) -> Callable[[Sheet], Reading]:
    """How a net reads that was saved before readings were: by the names of its features."""
    aim = Column(target, "text", texts=tuple(classes)) if classes else Column(target)
    return lambda sheet: Reading(named(sheet, features), aim)


def _refuse_twice(path: str, names: Sequence[str], what: str, which: str) -> None:
    """DataError for two of one name: only one of them would be learned from."""
    (name, count), *_ = [*Counter(names).most_common(1), ("", 0)]
    if count > 1:
        raise DataError(f"{path}: two {what} have the name {name!r}: rename {which}")
