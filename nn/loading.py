"""`load_csv`: a file of rows as a Dataset, for programs."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike, fspath
from typing import Any

from engine.replay.witness import outside
from nn.columns import Reading
from nn.dataset import DataError, Dataset, DataWarning, names_of
from nn.finding import find
from nn.found import Wishes
from nn.learned import filled, learned
from nn.progress import collector_paused
from nn.reading import BARE, found_rows, named, read_again, read_rows, refuse_twice, respelt
from nn.sheet import FOUND, Format, read_sheet, refuse, some
from nn.wording import in_python


@collector_paused()
def load_csv(  # noqa: PLR0913 (settings, by keyword)
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
    given = {"target": target, "features": features, "classes": classes, "as_classes": as_classes}
    given |= {"ignore": ignore, "text": text, "number": number}
    try:
        told = Format(encoding, header, decimal, thousands)
        if like is not None:
            rows, lines = _load_like(path, like, told, {**given, "missing": missing})
        else:
            wishes = Wishes(ignore, text, number, as_classes, missing)
            rows, lines = _load_named(path, target, features, classes, wishes, told)
    except DataError as error:
        raise DataError(in_python(str(error))) from None
    except ValueError as error:
        raise ValueError(in_python(str(error))) from None
    for line in lines:
        warnings.warn(DataWarning(in_python(line)), stacklevel=outside())
    return filled(learned(rows))[0] if like is None else rows


def _load_like(
    path: str | PathLike[str], like: Dataset, told: Format, given: dict[str, Any]
) -> tuple[Dataset, list[str]]:
    """The rows of a file, read as those of an earlier one; DataError where one is at fault."""
    reading: Reading | None = getattr(like, "reading", None)
    if reading is None:
        what = "another one" if isinstance(like, Dataset) else type(like).__name__
        raise ValueError(f"like expected a Dataset that was read from a file, got {what}")
    usual = {"target": like.target, "missing": reading.missing}
    wrong = [
        name
        for name, thing in given.items()
        if thing not in (None, (), usual.get(name)) and (name, thing) != ("missing", "error")
    ]
    if wrong:
        raise ValueError(f"like reads as the earlier file was read: leave {', '.join(wrong)} out")
    seen = read_again(path, lambda sheet: reading, reading.format.but(told))
    faults = [place for place, words in seen.faults.items() if words != BARE]
    refuse(fspath(path), list(map(seen.named, sorted(faults))))
    if seen.wrong:
        unscored = some([f"line {seen.lines[i]}: {words}" for i, words in seen.wrong.items()])
        unscored, rows = f"{fspath(path)}: {unscored}", replace(seen.rows, ys=[])
    else:
        unscored, rows = seen.unscored, seen.rows
    return rows, [*([unscored] if unscored else ()), *seen.said(seen.places)]


def _load_named(
    path: str | PathLike[str],
    target: str | None,
    features: Sequence[str] | None,
    classes: Sequence[str] | None,
    wishes: Wishes,
    told: Format,
) -> tuple[Dataset, list[str]]:
    """The rows of a file, also with the features and the classes of another one."""
    if target is not None and not isinstance(target, str):
        raise ValueError(f"target expected the name of a column, got {target!r:.60}")
    if features is None and classes is None:
        return read_rows(path, target, wishes, told)
    features = None if features is None else names_of("features", features)
    classes = () if classes is None else names_of("classes", classes)
    sheet = read_sheet(path, told)
    refuse_twice(sheet.path, features or (), "features", "a column, or a text in it")
    refuse_twice(sheet.path, classes, "classes", "a class")
    sheet.refuse_ragged()
    if len(classes) == 1:
        raise DataError(f"{sheet.path}: every {target!r} is {classes[0]!r}: nothing to tell apart")
    columns = None if features is None else named(sheet, features)
    if columns and (told.decimal or told.thousands):
        columns = tuple(respelt(sheet, FOUND, told, column) for column in columns)
    if columns and any(column.name == target for column in columns):
        raise DataError(f"{sheet.path}: {target!r} cannot be both the target and a feature")
    found = find(sheet, target, wishes, told, columns, classes)
    if found.problems:
        raise DataError(f"{sheet.path}: {'; '.join(found.problems.values())}")
    rows = found_rows(sheet, found)
    if features is None or rows.features == features:
        return rows, found.lines
    order = list(map(rows.features.index, features))
    xs = [[row[k] for k in order] for row in rows.xs]
    return replace(rows, xs=xs, features=features, reading=None), found.lines
