"""What fills the gaps of a file's rows: the medians of the rows that are learned from."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import cast

from nn.columns import Reading, free, gaps_of
from nn.dataset import Columns, Dataset, by_rows, picked

MANY, SOME, NEAR = 5000, 1000, (0.45, 0.55)  # numbers; those that tell which lie near the median


def filled(rows: Dataset) -> tuple[Dataset, dict[str, int]]:
    """Rows whose gaps, nan, hold what their reading says; and how many there were, by column."""
    if not has_fills(rows.reading):
        return rows, {}
    columns, counts = _filled(list(zip(*rows.xs, strict=True)), rows.reading)
    return (replace(rows, xs=by_rows(columns)) if counts else rows), counts


def learned_fills(rows: Dataset) -> Dataset:
    """Rows with gaps, whose reading gets from them what is to fill gaps: the median of each column.

    A column that has gaps here gets a second input. The gaps stay: `filled` fills them.

    >>> import math
    >>> from nn.columns import Column
    >>> column = Column("a")
    >>> rows = Dataset([[1.0], [math.nan], [4.0]], [0, 1, 1], ("a",), reading=Reading((column,)))
    >>> rows = learned_fills(replace(rows, reading=replace(rows.reading, missing="fill")))
    >>> filled(rows)
    (Dataset(3 rows, features a, a was missing; target ), {'a': 1})
    >>> filled(rows)[0].xs
    [[1.0, 0.0], [2.5, 1.0], [4.0, 0.0]]
    """
    if not has_fills(rows.reading):
        return rows
    return with_gaps(rows, _learned(list(zip(*rows.xs, strict=True)), rows.reading))


def with_gaps(rows: Dataset, reading: Reading | None) -> Dataset:
    """Rows as another reading of their columns has them, which may say where gaps were."""
    if rows.reading is None or reading is None or rows.reading.features == reading.features:
        return replace(rows, reading=reading)
    columns = _with_gaps(list(zip(*rows.xs, strict=True)), rows.reading, reading)
    return replace(rows, xs=by_rows(columns), features=reading.features, reading=reading)


def with_fills(rows: Dataset, places: Sequence[int]) -> tuple[Dataset, Columns, Columns]:
    """Rows, their gaps filled by what those at some places say; their columns, and these there."""
    columns: Columns = list(zip(*rows.xs, strict=True))
    known = picked(columns, places)
    if not has_fills(rows.reading):
        return rows, columns, known
    reading = _learned(known, rows.reading)
    if rows.reading.features != reading.features:
        columns, known = (_with_gaps(c, rows.reading, reading) for c in (columns, known))
    columns, counts = _filled(columns, reading)
    known, _ = _filled(known, reading)
    xs = by_rows(columns) if counts else rows.xs
    return replace(rows, xs=xs, features=reading.features, reading=reading), columns, known


def has_fills(reading: Reading | None) -> bool:
    """Whether gaps are filled."""
    return reading is not None and reading.missing == "fill"


def _learned(found: Columns, reading: Reading) -> Reading:
    """A reading that knows the medians of columns, and which of them have gaps."""
    columns, spans, taken = [], reading.spans, {*reading.features}
    for column in reading.columns:
        if column.kind == "number":
            numbers = found[spans[column.name].start]
            known = [x for x in numbers if x == x]
            middle = middle_of(known) if known else 0.0
            gap = free(f"{column.name} was missing", taken) if len(known) < len(numbers) else ""
            taken.add(gap)
            columns.append(replace(column, fill=middle, gap=gap))
        else:
            columns.append(column)
    return replace(reading, columns=tuple(columns))


def middle_of(numbers: Sequence[float]) -> float:
    """The median. Of many numbers only those are sorted that lie near it, as some of them say."""
    n = len(numbers)
    if n >= MANY:
        some = sorted(numbers[:: n // SOME])
        low, high = (some[int(share * len(some))] for share in NEAR)
        near = sorted([x for x in numbers if low <= x <= high])
        k = n // 2 - len([x for x in numbers if x < low])
        if 0 < k < len(near):
            return near[k] if n % 2 else (near[k - 1] + near[k]) / 2
    return median(numbers)


def _with_gaps(found: Columns, before: Reading, reading: Reading) -> Columns:
    """Columns as another reading has them."""
    columns, spans = list[Sequence[float]](), before.spans
    for column in reading.columns:
        span = spans[column.name]
        columns += found[span.start : span.stop]
        if column.gap and column.kind == "number":
            columns.append([float(x != x) for x in found[span.start]])
    return columns


def _filled(found: Columns, reading: Reading) -> tuple[Columns, dict[str, int]]:
    """Columns without gaps, and how many there were."""
    columns, counts, spans = [*found], dict[str, int](), reading.spans
    for column in reading.columns:
        k = spans[column.name].start
        if column.kind == "number" and (gaps := gaps_of(columns[k])):
            fill = cast(float, column.fill)
            counts[column.name] = len(gaps)
            columns[k] = [x if x == x else fill for x in columns[k]]
    return columns, counts
