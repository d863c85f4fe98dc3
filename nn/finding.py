"""Finds out what each column of a file is: numbers, texts, or nothing to learn from."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from nn.aims import Aim
from nn.columns import Column, Reading
from nn.dataset import DataError
from nn.doubt import column_warnings
from nn.found import Found, Wishes
from nn.progress import Stage, no_stage
from nn.sheet import Format, Sheet

__all__ = ["Found", "Wishes", "find"]


def find(
    sheet: Sheet,
    target: str | None,
    wishes: Wishes,
    format: Format,
    features: tuple[Column, ...] | None = None,
    classes: Sequence[str] = (),
    stage: Stage = no_stage,
) -> Found:
    """How a sheet is to be read; `features` and `classes` where they are known already.

    DataError where a name that was given is not there, or no column is left to learn from.
    """
    found = Found(remarks=list(sheet.remarks))
    ignore, texts, numbers = (
        _names(sheet, given) for given in (wishes.ignore, wishes.text, wishes.number)
    )
    if target is not None:
        sheet.texts(target)
    if target in ignore:
        raise DataError(f"{sheet.path}: {target!r} cannot be both the target and left out")
    if both := {*texts} & {*numbers}:
        raise DataError(f"{sheet.path}: {min(both)!r} cannot be both of texts and of numbers")
    wishes = replace(wishes, ignore=ignore, text=texts, number=numbers)
    names = [name for name in sheet.columns if name != target and name not in wishes.ignore]
    first, *_, last = [*sheet.columns] * 2
    look = Aim(sheet, wishes, format, found, first, last, len(names) > 1, target)
    columns = _features(look, names, stage) if features is None else list(features)
    aim = None
    if target is not None:
        known = Column(target, "text", texts=tuple(classes))
        aim = known if classes else look.target(target)
    read = [*columns, *([aim] if aim else [])]
    if not (format.decimal or format.points_part):
        found.problems |= column_warnings(sheet, read).problems
    for name in sheet.nameless:
        if any(column.name == name for column in read):
            found.say("has no name in the file", repr(name))
    if not columns and not found.problems:
        reasons = "".join(f"; {name!r} {why}" for name, why in [*found.left_out.items()][:3])
        besides = "" if target is None else f" besides {target!r}"
        raise DataError(f"{sheet.path}: no column is left to learn from{besides}{reasons}")
    found.reading = Reading(tuple(columns), aim, wishes.missing, format.kept(sheet.first_line))
    return found


def _features(look: Aim, names: Sequence[str], stage: Stage) -> list[Column]:
    """How columns are read, without those that are left out."""
    found = []
    for k, name in enumerate(names, 1):
        stage(f"looking at column {k} of {len(names)}")
        if column := look.feature(name):
            found.append(column)
    return found


def _names(sheet: Sheet, given: Iterable[str]) -> tuple[str, ...]:
    """Names of columns; one that is none may be several with commas between them."""
    found = list[str]()
    for text in given:
        parts = [text] if text in sheet.columns else [part.strip() for part in text.split(",")]
        found += filter(None, parts)
    for name in found:
        sheet.texts(name)
    return tuple(found)
