"""A file as rows to learn from: the one reader of the command, of `load_csv` and of estimators."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from typing import Any

from engine.pictures.texts import many
from nn.columns import EMPTY, Column, Features, Noted, Reading, features_of, gaps_of, plain
from nn.dataset import DataError, Dataset, by_rows
from nn.doubt import column_warnings
from nn.finding import find
from nn.found import Found, Wishes
from nn.learned import filled
from nn.looking import are_plain
from nn.numerals import PERCENT, PLAIN, is_missing, spellings
from nn.progress import Stage, collector_paused, no_stage
from nn.sheet import FOUND, Format, Sheet, read_sheet
from nn.useless import listed

GAPS = " (fill it in, or say --missing fill or --missing drop)"

BARE = "every cell is empty"


@dataclass(frozen=True)
class Seen:
    """The rows of a file that can be read, for a net that reads them as others before.

    `places` has the place in the file of each row, `faults` says what is wrong with the others,
    `lines` are those of all rows. `wrong` says of rows what is wrong with their targets, which are
    None, as those that are missing; where no target can be read `unscored` says why. `noted` is
    what became of cells that nothing was learned from.
    """

    rows: Dataset
    places: Sequence[int]
    faults: dict[int, str]
    lines: Sequence[int]
    unscored: str = ""
    wrong: dict[int, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    noted: Noted = field(default_factory=dict)

    def named(self, place: int) -> str:
        """What a row is called, and what is wrong with it, or with its target."""
        words = self.faults[place] if place in self.faults else self.wrong[place]
        return f"row {place + 1} (line {self.lines[place]}): {words}"

    def said(self, places: Collection[int]) -> list[str]:
        """What was assumed of the file, and of the cells of these rows."""
        wanted, lines = {*places}, []
        for what, columns in self.noted.items():
            counts = {name: len(wanted.intersection(found)) for name, found in columns.items()}
            told = [f"{name} ({n})" for name, n in counts.items() if n]
            lines += [f"{what}: {listed(told)}"] if told else []
        return [*self.remarks, *lines]


@collector_paused()
def read_rows(
    path: str | PathLike[str],
    target: str | None,
    wishes: Wishes,
    format: Format = FOUND,
    stage: Stage = no_stage,
) -> tuple[Dataset, list[str]]:
    """The rows of a file, nan in the gaps that are to be filled; and what was assumed, in lines.

    DataError for what cannot be read.
    """
    sheet = read_sheet(path, format, stage)
    sheet.refuse_ragged()
    found = find(sheet, target, wishes, format, stage=stage)
    if found.problems:
        raise DataError(f"{sheet.path}: {'; '.join(found.problems.values())}")
    stage(f"laying out {len(sheet.lines):,} rows")
    return found_rows(sheet, found), found.lines


def found_rows(sheet: Sheet, found: Found) -> Dataset:
    """The rows of a sheet as they were found to be; DataError where one is at fault."""
    reading, target = found.reading, found.reading.target
    refuse_twice(sheet.path, reading.features, "features", "a column, or a text in it")
    told = features_of(sheet, reading)
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
    if reading.missing == "fill":
        _say_fills(told, reading, found, out)
    kept = [i for i in range(len(sheet.lines)) if i not in out] if out or sheet.bare else None
    if kept == []:
        raise DataError(f"{sheet.path}: no row is left to learn from: each one has gaps")
    rows = replace(_dataset(told, reading, ys, kept), texts=_many_texts(sheet, reading, kept))
    if not sheet.bare:
        return rows
    return replace(rows, numbers=[sheet.places[i - 1] + 1 for i in rows.numbers])


def _say_fills(told: Features, reading: Reading, found: Found, out: Collection[int]) -> None:
    """Notes what becomes of gaps, with how many there are in the rows that are not left out."""
    spans = reading.spans
    for column in sorted(reading.columns, key=lambda column: column.kind, reverse=True):
        start = spans[column.name].start
        if column.kind == "number":
            words = (
                "missing cells hold the median of the rows learned from; where these have gaps, an "
                "input says so"
            )
            gaps = gaps_of(told.columns[start])
        elif column.gap:
            words = f"an empty cell is a text of its own, {column.gap!r}"
            gaps = [
                i for i, x in enumerate(told.columns[start + column.texts.index(column.gap)]) if x
            ]
        else:
            continue
        if count := sum(i not in out for i in gaps):
            found.say(words, f"{column.name!r} ({count})")


def _many_texts(sheet: Sheet, reading: Reading, kept: Sequence[int] | None) -> dict[str, list[str]]:
    """The cells of columns of which only some texts are kept; 1.0 is 1, where all are numbers."""
    found = {}
    for name in [column.name for column in reading.columns if column.rest]:
        cells = sheet.cells(name)
        cells = list(map(plain, cells)) if are_plain({*cells}) else cells
        found[name] = cells if kept is None else [cells[i] for i in kept]
    return found


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


def _dataset(
    told: Features, reading: Reading, ys: list[Any], kept: Sequence[int] | None
) -> Dataset:
    columns: Any = told.columns
    if kept is not None:
        columns = [[column[i] for i in kept] for column in columns]
        ys = [ys[i] for i in kept] if ys else ys
    target = reading.target
    return Dataset(
        by_rows(columns),
        ys,
        reading.features,
        target.texts if target and target.kind == "text" else (),
        target.name if target else "",
        reading,
        () if kept is None else [i + 1 for i in kept],
    )


@collector_paused()
def read_again(
    path: str | PathLike[str],
    how: Callable[[Sheet], Reading],
    format: Format,
    stage: Stage = no_stage,
) -> Seen:
    """The rows of another file, read as a reading says: what cannot be read stops no other row.

    DataError where a column is missing, or where numbers may mean something else.
    """
    sheet = read_sheet(path, format, stage)
    stage(f"laying out {len(sheet.lines):,} rows")
    reading = how(sheet)
    spelt = partial(respelt, sheet, reading.format, format)
    columns, aim = tuple(map(spelt, reading.columns)), reading.target
    unscored, remarks = _doubted(sheet, columns, aim, format)
    reading = replace(reading, columns=columns, target=None)
    told = features_of(sheet, reading)
    faults = {**told.gaps, **told.faults}
    places = [i for i in range(len(sheet.lines)) if i not in faults]
    target, ys, wrong = None, list[Any](), dict[int, str]()
    if aim is not None and not unscored:
        try:
            target = spelt(aim)
            ys, wrong = _known_targets(sheet, target, places)
        except DataError as error:
            unscored, target = str(error), None
    rows = _dataset(told, replace(reading, target=target), ys, places if faults else None)
    if places:
        rows = filled(rows)[0]
    remarks = [*sheet.remarks, *remarks]
    seen = Seen(rows, places, faults, sheet.lines, unscored, wrong, remarks, told.noted)
    return _in_file(sheet, seen)


def _doubted(
    sheet: Sheet, columns: Sequence[Column], target: Column | None, format: Format
) -> tuple[str, list[str]]:
    """Why targets cannot be read, and remarks, where points may part thousands.

    DataError where numbers that the answers come from may mean something else.
    """
    if format.decimal or format.points_part:
        return "", []
    read = [*columns, *([target] if target and target.name in sheet.columns else [])]
    problems, remarks = column_warnings(sheet, read, is_known=True)
    unscored = problems.pop(target.name, "") if target else ""
    if problems:
        raise DataError(f"{sheet.path}: {'; '.join(problems.values())}")
    return unscored, [*remarks.values()]


def _known_targets(
    sheet: Sheet, target: Column, places: Sequence[int]
) -> tuple[list[Any], dict[int, str]]:
    """The targets, None for those that are missing or wrong, and what is wrong with these.

    DataError where none of the rows at `places` has one.
    """
    ys, wrong, without = _targets(sheet, target)
    if any(i not in wrong and i not in without for i in places):
        return [None if i in without or i in wrong else y for i, y in enumerate(ys)], wrong
    sheet.refuse({i: wrong[i] for i in places if i in wrong})
    raise DataError(f"{sheet.path}: every {target.name!r} is empty")


def _in_file(sheet: Sheet, seen: Seen) -> Seen:
    """What was seen of a sheet, by places in its file, where rows of empty cells count too."""
    if not sheet.bare:
        return seen
    place = sheet.places
    lines = {**dict(zip(place, sheet.lines, strict=True)), **sheet.bare}
    return replace(
        seen,
        places=[place[i] for i in seen.places],
        faults={place[i]: words for i, words in seen.faults.items()}
        | dict.fromkeys(sheet.bare, BARE),
        lines=[lines[k] for k in sorted(lines)],
        wrong={place[i]: words for i, words in seen.wrong.items()},
        noted={
            what: {name: [place[i] for i in found] for name, found in columns.items()}
            for what, columns in seen.noted.items()
        },
    )


def respelt(sheet: Sheet, before: Format, format: Format, column: Column) -> Column:
    """A column whose numbers are written as in another file, where `format` says how.

    It stays as it is where that was said `before` too.
    """
    is_same = (format.decimal, format.thousands) == (before.decimal, before.thousands)
    if is_same or column.kind == "text":
        return column
    is_plain = not format.points_part and sheet.floats(column.name) is not None
    if is_plain and column.spelling.sign != PERCENT:
        return replace(column, spelling=PLAIN)
    filled = {cell for cell in sheet.cells(column.name) if not is_missing(cell)}
    ways = [
        way
        for way in spellings(filled, format.decimal, format.thousands)
        if way.sign == column.spelling.sign
    ]
    return replace(column, spelling=ways[0]) if ways else column


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


def refuse_twice(path: str, names: Sequence[str], what: str, which: str) -> None:
    """DataError for two of one name: only one of them would be learned from."""
    (name, count), *_ = [*Counter(names).most_common(1), ("", 0)]
    if count > 1:
        raise DataError(f"{path}: two {what} have the name {name!r}: rename {which}")
