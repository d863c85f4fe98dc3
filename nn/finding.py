"""What each column of a file is, found by looking: numbers, texts, or nothing to learn from."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from nn.columns import MISSING, OTHER, Column, Reading, plain
from nn.dataset import DataError
from nn.numerals import (
    PLAIN,
    Spelling,
    is_missing,
    looks_like_a_number,
    number,
    spellings,
    usual_spelling,
)
from nn.sheet import Format, Sheet, some
from nn.useless import (
    FEW,
    MOST_CATEGORIES,
    listed,
    option,
    useless_cells,
    useless_numbers,
    useless_texts,
)

SHARE_OF_A_CLASS = 0.05  # of the rows, for whole numbers to be classes
SHARE_OF_A_TEXT = 0.1  # of the cells, for texts between numbers to be no slip
_A_GAP = re.compile(r"(?i)na|n/a|n\.a\.|nan|null|none|\?|-|\.|unknown|missing")


@dataclass(frozen=True)
class Wishes:
    """What the caller says of columns: those not to read, those of texts, those of numbers.

    `as_classes` is None where the target's kind is to be found.
    """

    ignore: Sequence[str] = ()
    text: Sequence[str] = ()
    number: Sequence[str] = ()
    as_classes: bool | None = None
    missing: str = "error"


@dataclass
class Found:
    """How a sheet is read; of columns left out, why; what was assumed, and what cannot be."""

    reading: Reading = field(default_factory=lambda: Reading(()))
    left_out: dict[str, str] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)  # of columns, by what is said
    remarks: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def say(self, what: str, column: str) -> None:
        """Notes an assumption: one line for all columns that it is made of."""
        self.said.setdefault(what, []).append(column)

    @property
    def lines(self) -> list[str]:
        """All that was assumed, one line for each assumption."""
        left: dict[str, list[str]] = {}
        for name, why in self.left_out.items():
            left.setdefault(why, []).append(repr(name))
        return [
            *self.remarks,
            *(f"{listed(names)}: {what}" for what, names in self.said.items()),
            *(f"left out: {listed(names)} {why}" for why, names in left.items()),
        ]


def find(
    sheet: Sheet,
    target: str | None,
    wishes: Wishes,
    format: Format,
    features: tuple[Column, ...] | None = None,
    classes: Sequence[str] = (),
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
    look = _Look(sheet, wishes, format, found, first, last, len(names) > 1)
    columns = (
        [column for name in names if (column := look.feature(name))]
        if features is None
        else list(features)
    )
    aim = None
    if target is not None:
        known = Column(target, "text", texts=tuple(classes))
        aim = known if classes else look.target(target)
    read = [*columns, *([aim] if aim else [])]
    if any(column.spelling.decimal == "," for column in read):
        for column in read:
            look.doubt_points(column)
    for name in sheet.nameless:
        if any(column.name == name for column in read):
            found.say("has no name in the file", repr(name))
    if not columns and not found.problems:
        reasons = "".join(f"; {name!r} {why}" for name, why in [*found.left_out.items()][:3])
        besides = "" if target is None else f" besides {target!r}"
        raise DataError(f"{sheet.path}: no column is left to learn from{besides}{reasons}")
    found.reading = Reading(tuple(columns), aim, wishes.missing, format.kept(sheet.first_line))
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


@dataclass(frozen=True)
class _Look:
    """A look at one column after another of a sheet; what is assumed is noted in `found`."""

    sheet: Sheet
    wishes: Wishes
    format: Format
    found: Found
    first: str  # column
    last: str
    several: bool  # columns to learn from

    def feature(self, name: str) -> Column | None:
        """How a column is read; None where it is left out, or cannot be."""
        why = self._nothing(name)
        if why:
            self.found.left_out[name] = why
            return None
        column = self._kind(name)
        return self._texts(name) if column is not None and column.kind == "text" else column

    def _nothing(self, name: str) -> str:
        """Why a column has nothing to learn from, "" where it has, or where it was asked for."""
        if name in self.wishes.number or name in self.wishes.text:
            return ""
        numbers = self.sheet.floats(name)
        is_first, nameless = name == self.first, name in self.sheet.nameless
        if numbers is not None:
            return useless_numbers(name, numbers, is_first, nameless, self.several)
        is_last = name == self.last
        return useless_cells(self.sheet.cells(name), is_first and nameless, is_last and nameless)

    def _kind(self, name: str) -> Column | None:
        """A column of numbers, and how they are written; or one of texts, which are not looked at.

        None where it may be either: a problem is noted.
        """
        sheet, wishes = self.sheet, self.wishes
        if name in wishes.text:
            return Column(name, "text")
        if sheet.floats(name) is not None and not self.format.points_part:
            return Column(name)
        counts = Counter(sheet.cells(name))
        filled = {cell: n for cell, n in counts.items() if not is_missing(cell)}
        if not filled:
            return Column(name)
        found = spellings(filled, self.format.decimal, self.format.thousands)
        if found:
            return self._spelt(name, filled, found)
        if name in wishes.number:
            return self._lenient(name, filled)
        return self._mixed(name, filled)

    def _mixed(self, name: str, filled: dict[str, int]) -> Column | None:
        """A column of texts, or of texts between numbers; None where these may be slips."""
        texts = {cell: n for cell, n in filled.items() if not looks_like_a_number(cell)}
        total, share = sum(filled.values()), sum(texts.values())
        if 2 * share > total:
            return Column(name, "text")
        is_choice = len(filled) <= MOST_CATEGORIES and share >= SHARE_OF_A_TEXT * total
        if is_choice and min(texts.values(), default=0) > 1:
            examples = listed([f"{cell!r:.80} ({n})" for cell, n in texts.items()], 3)
            self.found.say(
                f"read as texts, with {examples} between the numbers; "
                f"{option('number', name)} takes that as missing",
                repr(name),
            )
            return Column(name, "text")
        self._refuse_slips(name, filled)
        return None

    def _spelt(
        self, name: str, filled: dict[str, int], found: dict[Spelling, list[float]]
    ) -> Column | None:
        """A column of numbers in the one way that they can be read; None where there are two."""
        way, *others = found
        example = next((c for c in filled if "," in c), next(iter(filled)))
        is_told = self.format.decimal or self.format.thousands
        if way.thousands and others and not is_told:
            self.found.problems[name] = (
                f"{name!r} holds {example!r}, which is {way(example):,.10g} or "
                f"{others[0](example):.10g}: say --thousands , or --decimal ,"
            )
            return None
        if way.decimal == "," and self.sheet.separator == "," and not is_told:
            self.found.problems[name] = (
                f"{name!r} holds {example!r}: say --decimal , if that is "
                f"{way(example):.10g}, or {option('text', name)} if it is a text"
            )
            return None
        if way != PLAIN:
            self.found.say(f"read as numbers with {way.says()}", f"{name!r} ({example})")
        return Column(name, spelling=way)

    def doubt_points(self, column: Column) -> None:
        """Notes a problem where points may part thousands, as others have decimal commas."""
        if column.kind == "text" or column.spelling != PLAIN or self.format.decimal:
            return
        cells = {cell for cell in self.sheet.cells(column.name) if "." in cell}
        if cells and all(re.fullmatch(r"-?[1-9]\d{0,2}(\.\d{3})+", cell) for cell in cells):
            self.found.problems[column.name] = (
                f"{column.name!r} holds {min(cells)!r}, and other columns have decimal commas: say "
                "--decimal , if its points part thousands, or --decimal ."
            )

    def _lenient(self, name: str, filled: dict[str, int]) -> Column:
        """A column of numbers by wish: its other texts count as missing."""
        way = usual_spelling(filled, self.format.decimal)
        texts = [f"{cell!r:.80} ({n})" for cell, n in filled.items() if way(cell) is None]
        self.found.say(
            f"read as numbers; what is none counts as missing: {listed(texts, 3)}", repr(name)
        )
        return Column(name, spelling=way, lenient=True)

    def _refuse_slips(self, name: str, filled: dict[str, int]) -> None:
        """Notes as a problem the lines whose cells are not like the numbers of a column."""
        column = Column(name, spelling=usual_spelling(filled, self.format.decimal))
        faults = column.numbers(self.sheet)[1]
        hint = (
            f" ({option('number', name)} takes it as missing, {option('text', name)} reads the "
            "column as texts)"
        )
        lines = [f"line {self.sheet.lines[i]}: {name!r} is {faults[i]}" for i in faults]
        self.found.problems[name] = some(lines) + hint

    def _texts(self, name: str) -> Column | None:
        """A column of texts, with those that have an input; None where it is left out."""
        counts = self._counts(name)
        gaps = counts.pop("", 0)
        rows, is_told = counts.total(), name in self.wishes.text
        if not is_told and (why := useless_texts(name, counts)):
            self.found.left_out[name] = why
            return None
        kept = [text for text, _ in counts.most_common(MOST_CATEGORIES - 1) if text != OTHER]
        if len(counts) <= MOST_CATEGORIES:
            kept = list(counts)
        texts = sorted(kept, key=_by_size)
        self._remark_texts(name, counts)
        if gaps and self.wishes.missing == "fill":
            texts = [*(text for text in texts if text != MISSING), MISSING]
            self.found.say(f"an empty cell is a text of its own, {MISSING!r}", f"{name!r} ({gaps})")
        if len(counts) > MOST_CATEGORIES:
            others = rows - sum(counts[text] for text in kept)
            self.found.say(
                f"of its texts the {len(kept)} most frequent are kept, others are {OTHER!r}",
                f"{name!r} ({others} of {rows})",
            )
            texts.append(OTHER)
        return Column(name, "text", texts=tuple(texts), usual=max(counts, key=counts.__getitem__))

    def _counts(self, name: str) -> Counter[str]:
        """How often each text is in a column; whole numbers are one text, be it 1 or 1.0."""
        counts = Counter(self.sheet.cells(name))
        if _are_plain(counts):
            merged = Counter[str]()
            for text, n in counts.items():
                merged[plain(text)] += n
            return merged
        return counts

    def _remark_texts(self, name: str, counts: Counter[str]) -> None:
        gaps = [f"{text!r:.80} ({n})" for text, n in counts.items() if _A_GAP.fullmatch(text)]
        if gaps:
            self.found.say(
                f"a text like any other, though it looks like a gap: {listed(gaps, 3)}", repr(name)
            )
        alike: dict[str, list[str]] = {}
        for text in counts:
            alike.setdefault("".join(text.casefold().split()), []).append(text)
        pairs = [
            " and ".join(f"{text!r:.80}" for text in same)
            for same in alike.values()
            if len(same) > 1
        ]
        if pairs:
            self.found.say(
                f"texts that differ only in case or blanks are not one: {listed(pairs, 3)}",
                repr(name),
            )

    def target(self, name: str) -> Column | None:
        """How the target is read; None where it cannot be."""
        as_classes = self.wishes.as_classes
        column = self._of_classes(name) if as_classes else self._kind(name)
        if column is None:
            return None
        if column.kind == "number" and not as_classes:
            is_amount = not self._holds_classes(column)
            return column if is_amount else self._classes(name, are_numbers=True)
        if as_classes is False:
            self._refuse_slips(name, Counter(filter(None, self.sheet.cells(name))))
            return None
        return self._classes(name, are_numbers=column.kind == "number")

    def _holds_classes(self, column: Column) -> bool:
        """Whether numbers are learned as classes; DataError where there is nothing to learn."""
        numbers = [x for x in column.numbers(self.sheet)[0] if x == x]
        path, name, as_classes = self.sheet.path, column.name, self.wishes.as_classes
        if not numbers:
            raise DataError(f"{path}: every {name!r} is empty: nothing to learn")
        if min(numbers) == max(numbers) and len(numbers) > 1:
            raise DataError(f"{path}: every {name!r} is {numbers[0]:g}: nothing to learn")
        if as_classes is False:
            return False
        is_class = column.spelling == PLAIN and _are_classes(numbers)
        if is_class or _are_few(numbers):
            shown = listed([f"{x:g}" for x in sorted({*numbers})], FEW)
            ways = ("classes", "--numbers learns amounts"), ("amounts", "--classes learns classes")
            kind, other = ways[not is_class]
            self.found.say(f"whole numbers ({shown}) learned as {kind}; {other}", repr(name))
        return is_class

    def _classes(self, name: str, are_numbers: bool) -> Column:
        """A target of classes; DataError where there are too many, or is only one."""
        counts, path = self._counts(name), self.sheet.path
        if are_numbers:
            counts = Counter({text: n for text, n in counts.items() if not is_missing(text)})
        del counts[""]
        if len(counts) > MOST_CATEGORIES:
            raise DataError(
                f"{path}: column {name!r} holds {len(counts)} different texts, more than the "
                f"{MOST_CATEGORIES} that can be told apart: is it the right column to learn?"
            )
        if len(counts) < 2:
            (only,) = counts or ("empty",)
            raise DataError(f"{path}: every {name!r} is {only!r}: nothing to tell apart")
        self._remark_texts(name, counts)
        if 2 * len(counts) > max(counts.total(), 4):
            self.found.say(
                f"{len(counts)} different texts in {counts.total()} rows: each one becomes a class",
                repr(name),
            )
        texts = tuple(sorted(counts, key=_by_size))
        return Column(name, "text", texts=texts, lenient=are_numbers)

    def _of_classes(self, name: str) -> Column:
        """A target that is classes by wish: of numbers as Python writes them, or of texts."""
        cells = {*self.sheet.cells(name)}
        return Column(name, "number" if _are_plain(cells) else "text")


def _are_plain(cells: Iterable[str]) -> bool:
    return all(number(cell) is not None or is_missing(cell) for cell in cells)


def _by_size(text: str) -> tuple[float, str]:
    return (number(text) or 0.0, text)


def _are_few(numbers: Sequence[float]) -> bool:
    """Whether amounts are so few whole numbers that they may be meant as classes."""
    some = {*islice(numbers, 10_000)}
    return len(some) <= min(FEW, len(numbers) / 5) and all(x.is_integer() for x in {*numbers})


def _are_classes(numbers: Sequence[float]) -> bool:
    """Two whole numbers; or 3 to 10 that run from 0 or 1, each in 5% of the rows."""
    different = {*islice(numbers, 1000)}
    if len(different) > FEW or not all(x.is_integer() for x in different):
        return False
    counts = Counter(numbers)
    if len(counts) > FEW or not all(x.is_integer() for x in counts) or len(counts) < 2:
        return False
    if 2 * len(counts) > len(numbers):
        return False  # most of them stand once: nothing to count on
    first, last = min(counts), max(counts)
    runs = first in (0, 1) and last - first == len(counts) - 1
    return len(counts) == 2 or (runs and min(counts.values()) >= SHARE_OF_A_CLASS * len(numbers))
