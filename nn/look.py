"""The report of `brickgrad look`: how each column would be read, what is left out, what to type."""

from collections import Counter
from collections.abc import Sequence
from os import PathLike

from engine.pictures.texts import many
from nn.columns import Column, class_name
from nn.dataset import DataError, Dataset
from nn.finding import find
from nn.found import Found, Wishes
from nn.numerals import finite_number, is_missing
from nn.plan import plan_for
from nn.progress import Stage, no_stage
from nn.reading import found_rows
from nn.recipe import recipe_for
from nn.sheet import Format, Sheet, read_sheet, some
from nn.splitting import SEPARATORS
from nn.suspicion import giveaways
from nn.useless import listed
from nn.wording import option, typed

WIDTH = 30  # letters of a column's name
MOST_SHOWN = 200  # columns
AS_USUAL = ((16, 16), 0.2, 0, recipe_for)  # a plan as `train` has it without more options


def look(
    path: str | PathLike[str],
    target: str | None,
    wishes: Wishes,
    format: Format,
    stage: Stage = no_stage,
) -> tuple[list[str], list[str], bool]:
    """Lines about a file, those that warn, and whether it can be learned from as it is.

    DataError where it is no table, or where a name that was given is not there.
    """
    sheet = read_sheet(path, format, stage)
    if 2 * len(sheet.ragged) > len(sheet.lines):
        sheet.refuse_ragged()
    found = find(sheet, target, wishes, format, stage=stage)
    lines = [
        f"{sheet.path}: {many(len(sheet.lines), 'row')} of {many(len(sheet.columns), 'column')}, "
        f"separated by {SEPARATORS.get(sheet.separator, repr(sheet.separator))}; "
        f"{'with' if sheet.has_header else 'without'} names",
        "",
        *table(sheet, found, target),
        "",
    ]
    warnings = [*found.lines]
    problems = [f"line {sheet.lines[i]}: {words}" for i, words in sheet.ragged.items()]
    problems = [*([some(problems)] if problems else ()), *found.problems.values()]
    if not problems:
        try:
            rows = found_rows(sheet, found)
        except DataError as error:
            problems.append(str(error))
        else:
            warnings = [*found.lines, *(_suspicions(rows) if target else ())]
    return lines, [*warnings, *(f"cannot be read: {words}" for words in problems)], not problems


def _suspicions(rows: Dataset) -> list[str]:
    """What `train` would say of rows, or why it would refuse them."""
    try:
        plan = plan_for(rows, *AS_USUAL)
    except ValueError as error:
        return [f"train would refuse these rows: {error}"]
    return [*giveaways(plan.rows), *plan.odd]


def table(sheet: Sheet, found: Found, target: str | None) -> list[str]:
    """A line for each column: its name, its kind, its gaps, its range or its texts."""
    aim = found.reading.target
    kinds = {column.name: column for column in [*found.reading.columns, *([aim] if aim else [])]}
    rows = [("column", "kind", "missing", "holds")]
    shown = [*sheet.columns][:MOST_SHOWN]
    if target is not None and target not in shown:
        shown[-1] = target
    for name in shown:
        column = None if name in found.problems else kinds.get(name)
        if name == target and column:
            kind = "target: classes" if column.kind == "text" else "target: amounts"
        elif column:
            kind = {"number": "numbers", "text": "texts"}[column.kind]
        else:
            kind = "left out" if name not in found.problems else "to be decided"
        rows.append((_short(name), kind, *_content(sheet, name, column, kind != "to be decided")))
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = [
        f"  {a:<{widths[0]}}   {b:<{widths[1]}}   {c:>{widths[2]}}   {d}" for a, b, c, d in rows
    ]
    more = len(sheet.columns) - MOST_SHOWN
    return [*lines, f"  and {many(more, 'more column')}"] if more > 0 else lines


def _content(sheet: Sheet, name: str, column: Column | None, is_decided: bool) -> tuple[str, str]:
    """How many cells are missing, and what the others hold."""
    cells = [cell for i, cell in enumerate(sheet.cells(name)) if i not in sheet.ragged]
    if column and column.kind == "number":
        known = [x for x in column.numbers(sheet)[0] if x == x]
        if known:
            gaps = len(cells) - len(known)
            return str(gaps or ""), f"{min(known):g} to {max(known):g}"
    counts = Counter(cells)
    if column is None or column.is_numeric or column.kind == "number":
        words = [cell for cell in counts if is_missing(cell)]
        words = words if is_decided or len(words) == len(counts) else [""]
    else:
        words = [""]
    gaps = sum(counts.pop(word, 0) for word in words)
    if column and column.is_numeric:
        counts = _classes(column, counts)
        gaps = len(cells) - counts.total()
    shown = listed([f"{_short(text)} ({n})" for text, n in counts.most_common(3)], 3)
    more = f" and {len(counts) - 3:,} more" if len(counts) > 3 else ""
    return str(gaps or ""), shown + more


def _classes(column: Column, counts: Counter[str]) -> Counter[str]:
    """How often each class of numbers is there, however it is written."""
    found = Counter[str]()
    for cell, n in counts.items():
        if (x := finite_number(cell)) is not None and class_name(x) in column.texts:
            found[class_name(x)] += n
    return found


def _short(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def line_to_type(program: str, path: str, target: str | None, options: Sequence[str]) -> str:
    """The line to type next, with options as a shell takes them; COLUMN is to be replaced.

    >>> line_to_type("brickgrad", "my data.csv", "-y", ["--ignore 'a b'"])
    "brickgrad train 'my data.csv' --target=-y --ignore 'a b'"
    """
    aim = option("target", "COLUMN" if target is None else target)
    return " ".join([program, "train", typed(path), aim, *options])
