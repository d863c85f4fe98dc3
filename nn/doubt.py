"""Asks about numbers such as 1.234, whose point may be decimal or part thousands."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nn.columns import Column
from nn.numerals import BRACKETS, PERCENT, finite_number, is_missing, spellings
from nn.sheet import Sheet

_GROUPS = re.compile(r"[^\d.,]*[1-9]\d{0,2}(\.\d{3})+[^\d.,]*")  # one point, or several
_GROUP = re.compile(r"[^\d.,]*[1-9]\d{0,2}\.\d{3}[^\d.,]*")


class ColumnWarnings(NamedTuple):
    """What has to be decided, and what is worth a line, by the names of columns."""

    problems: dict[str, str]
    remarks: dict[str, str]


def column_warnings(
    sheet: Sheet, columns: Sequence[Column], is_known: bool = False
) -> ColumnWarnings:
    """What to say of each column whose points may mean what they were not read as.

    Such a number is 1.234. What the other numbers of the sheet are like speaks against one meaning;
    `is_known` where the columns are those of a file that was read before.
    """
    found, remarks = dict[str, str](), dict[str, str]()
    read = [column for column in columns if column.kind == "number"]
    has_commas = any(_has_decimal_commas(sheet, column, is_known) for column in read)
    for column in read:
        is_money = column.spelling.sign not in ("", PERCENT, BRACKETS)
        parts = column.spelling.thousands == "."
        if not (has_commas or is_money or parts):
            continue
        example = _ambiguous(sheet, column)
        if not example:
            continue
        way = "--decimal , if its points part thousands, or --decimal ."
        if parts and not has_commas and is_known:
            if sheet.separator == "," or any(_has_points(sheet, other) for other in read):
                found[column.name] = (
                    f"{column.name!r} holds {example!r}, and this file has no decimal commas, as "
                    f"the one learned from: say {way}"
                )
            else:
                remarks[column.name] = (
                    f"{column.name!r} ({example}): points part thousands, as in the file learned "
                    "from; else say --decimal ."
                )
        elif not parts and has_commas:
            found[column.name] = (
                f"{column.name!r} holds {example!r}, and other numbers have decimal commas: "
                f"say {way}"
            )
        elif not parts and not any(_has_points(sheet, other) for other in read):
            found[column.name] = f"{column.name!r} holds {example!r}: say {way}"
    return ColumnWarnings(found, remarks)


def _different(sheet: Sheet, column: Column) -> set[str]:
    return {cell for cell in {*sheet.cells(column.name)} if not is_missing(cell)}


def _ambiguous(sheet: Sheet, column: Column) -> str:
    """The least of the numbers with points, if each has three digits behind each of them."""
    cells = [cell for cell in _different(sheet, column) if "." in cell]
    is_so = cells and all(_GROUPS.fullmatch(c) for c in cells) and any(map(_GROUP.fullmatch, cells))
    return min(filter(_GROUP.fullmatch, cells)) if is_so else ""


def _unread(sheet: Sheet, column: Column) -> Iterator[str]:
    """The cells that are no numbers in the way of their column."""
    if sheet.floats(column.name) is None:
        cells = _different(sheet, column)
        yield from (cell for cell in cells if column.spelling(cell) is None)


def _has_decimal_commas(sheet: Sheet, column: Column, is_known: bool) -> bool:
    if column.spelling.decimal == "," and any("," in c for c in _different(sheet, column)):
        return True
    if not (is_known or column.is_lenient):
        return False  # all of its cells are read
    ways = (spellings([cell]) for cell in _unread(sheet, column) if "," in cell)
    return any(way.decimal == "," for found in ways for way in found)


def _has_points(sheet: Sheet, column: Column) -> bool:
    """Whether a number has a point that can only be a decimal one."""
    cells = _different(sheet, column)
    return any(
        "." in c and finite_number(c) is not None and not _GROUPS.fullmatch(c) for c in cells
    )
