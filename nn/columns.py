"""How columns of a file become inputs of a net: decided once, kept in the model's file."""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, NamedTuple

from nn.numerals import PLAIN, Spelling, finite_number, is_missing, other_ways
from nn.sheet import FOUND, Format, Sheet

VERSION = 2  # 1 told by the name of a text whether it stood for gaps, or for the rest
MISSING = "(missing)"
OTHER = "other"
EMPTY = "empty"
MOST_CATEGORIES = 32
LARGEST_WHOLE = 1e15  # that is written with all its digits
KINDS = ("number", "text")
POLICIES = ("fill", "drop", "error")
_WHOLE = re.compile(r"(-?\d+)\.0+")


@dataclass(frozen=True)
class Column:
    """One column: of numbers, which are one input, or of texts, which are one for each text.

    Numbers: `spelling` is how they are written; `fill` stands for a gap, None where none may be;
    `gap` names a second input, which says where there was one. Texts: an empty cell is the one
    of `texts` that `gap` names, else `usual`; a text that is not among them is the one that `rest`
    names, else it is at fault. "" names none. What is no number is a gap where `is_lenient`.

    >>> Column("size", "text", texts=("L", "S", "other"), rest="other").features
    ('size=L', 'size=S', 'size=other')
    >>> Column("age", fill=30.0, gap="age was missing").features
    ('age', 'age was missing')
    """

    name: str
    kind: str = "number"
    spelling: Spelling = PLAIN
    fill: float | None = None
    gap: str = ""
    texts: tuple[str, ...] = ()
    rest: str = ""
    usual: str | None = None
    is_numeric: bool = False  # of texts: they are numbers, be it 1 or 1.0; NA is a gap
    is_lenient: bool = False

    @property
    def features(self) -> tuple[str, ...]:
        """The names of its inputs."""
        if self.kind == "text":
            return tuple(f"{self.name}={text}" for text in self.texts)
        return (self.name, self.gap) if self.gap else (self.name,)

    def numbers(self, sheet: Sheet) -> tuple[list[float], dict[int, str]]:
        """The numbers of a sheet, nan for a gap; and of each row at fault, what its cell is."""
        found = sheet.floats(self.name) if self.spelling == PLAIN else None
        if found is not None:
            return found, {}
        cells = sheet.cells(self.name)
        usual = [x for x in self.spelling.fast(cells) if math.isfinite(x)]
        if len(usual) == len(cells):
            return usual, {}
        different = [cell for cell in {*cells} if not is_missing(cell)]
        numbers = map(self._number, self.spelling.each(different))
        gaps = dict.fromkeys({*cells} - {*different}, math.nan)
        known = {**gaps, **dict(zip(different, numbers, strict=True))}
        faults = {i: self._fault(cell) for i, cell in enumerate(cells) if known[cell] is None}
        return [math.nan if (x := known[cell]) is None else x for cell in cells], faults

    def _number(self, found: float | None) -> float | None:
        is_number = found is not None and math.isfinite(found)
        return found if is_number else math.nan if self.is_lenient else None

    def _fault(self, cell: str) -> str:
        expected = f"numbers: {self.spelling.says()}" if self.spelling.says() else "a finite number"
        ways = other_ways(cell, self.spelling)
        hint = f" (say {' or '.join(ways)})" if ways else ""
        return f"{cell!r:.80}, expected {expected}{hint}"

    def places(self, sheet: Sheet) -> tuple[list[int], dict[int, str]]:
        """The place of each cell in `texts`, -1 for a gap; and of each row at fault, what it is."""
        cells = sheet.cells(self.name)
        known = self.known({*cells})
        found = [known[cell] for cell in cells]
        if min(known.values()) > -2:
            return found, {}
        expected = f"expected one of {', '.join(self.texts)}"
        faults = {i: f"{cells[i]!r:.80}, {expected}" for i, k in enumerate(found) if k == -2}
        return found, faults

    def known(self, cells: Collection[str]) -> dict[str, int]:
        """The place of each of different cells, -1 for a gap, -2 for what has none."""
        texts = [*enumerate(self.texts)]
        place = {text: i for i, text in texts if text not in (self.gap, self.rest)}
        rest = self.texts.index(self.rest) if self.rest else -2
        if self.is_numeric:
            each = {finite_number(text): i for text, i in place.items()}
            known = {cell: place.get(cell, each.get(finite_number(cell), rest)) for cell in cells}
            known |= {cell: -1 for cell in cells if self._is_gap(cell)}
        else:
            known = {cell: place.get(cell, place.get(plain(cell), rest)) for cell in cells}
        return known | {"": self.texts.index(self.gap) if self.gap else -1}

    def _is_gap(self, cell: str) -> bool:
        """Whether a cell among numbers is none."""
        return is_missing(cell) or (self.is_lenient and finite_number(cell) is None)


@dataclass(frozen=True)
class Reading:
    """The columns that are read, and what is learned of them, None where nothing is.

    `missing` is what becomes of gaps: "fill", "drop" (the row) or "error".
    """

    columns: tuple[Column, ...]
    target: Column | None = None
    missing: str = "error"
    format: Format = FOUND

    @property
    def features(self) -> tuple[str, ...]:
        """The names of all inputs."""
        return tuple(chain.from_iterable(column.features for column in self.columns))

    @property
    def spans(self) -> dict[str, slice]:
        """Where in a row the inputs of each column stand."""
        found, start = {}, 0
        for column in self.columns:
            found[column.name] = slice(start, start + len(column.features))
            start += len(column.features)
        return found

    def meta(self) -> dict[str, Any]:
        """It as JSON can hold it."""
        return {"version": VERSION, **asdict(self)}


def free(name: str, taken: Collection[str]) -> str:
    """A name, in brackets where it is taken.

    >>> free("other", ["red", "other"])
    '(other)'
    """
    while name in taken:
        name = f"({name})"
    return name


def plain(cell: str) -> str:
    """A whole number without the zeros behind its point, as pandas writes it beside gaps.

    >>> plain("3.0"), plain("3.5"), plain("a.0")
    ('3', '3.5', 'a.0')
    """
    found = _WHOLE.fullmatch(cell)
    return found[1] if found else cell


def class_name(x: float) -> str:
    """A number as the name of a class, the same however it was written.

    >>> class_name(1.0), class_name(-0.0), class_name(0.5)
    ('1', '0', '0.5')
    """
    return str(int(x)) if x.is_integer() and abs(x) < LARGEST_WHOLE else repr(x)


Noted = dict[str, dict[str, Sequence[int]]]  # what is said: of columns, the places in the file


class Features(NamedTuple):
    """A list of numbers for each feature, nan in a gap that is to be filled.

    Of rows that cannot be read, by place: what is wrong with them, and which gap they have. `noted`
    is what became of the others: gaps that hold a median or the usual text, and texts of the rest.
    """

    columns: list[list[float]]
    faults: dict[int, str]
    gaps: dict[int, str]
    noted: Noted


MEDIANS = "missing cells hold the median of the rows learned from"
USUAL_TEXT = "empty cells are the most frequent text"
THE_REST = "texts that were not learned one by one"


def features_of(sheet: Sheet, reading: Reading) -> Features:
    """The columns of a sheet, as a reading has them."""
    found: list[list[float]] = []
    faults, lacking = dict(sheet.ragged), dict[int, str]()
    noted: Noted = {MEDIANS: {}, USUAL_TEXT: {}, THE_REST: {}}
    is_filled = reading.missing == "fill"
    for column in reading.columns:
        if column.kind == "number":
            numbers, wrong = column.numbers(sheet)
            found.append(numbers)
            gaps = gaps_of(numbers)
            if column.gap:
                found.append([float(x != x) for x in numbers])
            if is_filled:
                gaps, noted[MEDIANS][repr(column.name)] = [], [i for i in gaps if i not in wrong]
        else:
            places, wrong = column.places(sheet)
            found += [[float(k == p) for p in places] for k in range(len(column.texts))]
            gaps = [i for i, p in enumerate(places) if p == -1] if -1 in places else []
            if is_filled and gaps and column.usual in column.texts:
                usual = found[column.texts.index(column.usual) - len(column.texts)]
                for i in gaps:
                    usual[i] = 1.0
                gaps, noted[USUAL_TEXT][f"{column.name!r}: {column.usual!r}"] = [], gaps
            if column.rest:
                rest = column.texts.index(column.rest)
                others = [i for i, p in enumerate(places) if p == rest]
                noted[THE_REST][f"{column.name!r}: {column.rest!r}"] = others
        cells = sheet.texts(column.name) if gaps else ()
        for i in gaps:
            word = cells[i].strip()
            lacking.setdefault(i, f"{column.name!r} is {repr(word) if word else EMPTY}")
        for i, words in wrong.items():
            faults.setdefault(i, f"{column.name!r} is {words}")
    gone = {i: words for i, words in lacking.items() if i not in faults}
    return Features(found, faults, gone, noted)


def gaps_of(numbers: Sequence[float]) -> list[int]:
    """The places of the gaps among numbers, fast where there are none."""
    return [i for i, x in enumerate(numbers) if x != x] if math.isnan(sum(numbers)) else []
