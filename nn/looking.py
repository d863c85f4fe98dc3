"""Looks at one column after another: is it of numbers, and how are they written, or of texts?"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from nn.columns import MISSING, MOST_CATEGORIES, OTHER, Column, free, plain
from nn.found import Found, Wishes
from nn.numerals import (
    BRACKETS,
    PERCENT,
    PLAIN,
    Spelling,
    is_missing,
    looks_like_a_number,
    natural,
    number,
    signs_of,
    spellings,
    usual_spelling,
)
from nn.sheet import Format, Sheet, some
from nn.useless import NAMELESS, listed, useless_cells, useless_numbers, useless_texts
from nn.wording import option

SHARE_OF_A_TEXT = 0.1  # of the cells, for texts between numbers to be no slip
SAMPLE = 2000  # cells that show whether numbers begin with zeros
GAP_WORDS = {"na", "n/a", "n.a.", "nan", "null", "none", "?", "-", ".", "unknown", "missing"}


@dataclass(frozen=True)
class Look:
    """A look at one column after another of a sheet; what is assumed is noted in `found`."""

    sheet: Sheet
    wishes: Wishes
    format: Format
    found: Found
    first: str  # column
    last: str
    several: bool  # columns to learn from
    aim: str | None = None  # the target

    def feature(self, name: str) -> Column | None:
        """How a column is read; None where it is left out, or cannot be."""
        is_asked = name in self.wishes.number or name in self.wishes.text
        why = "" if is_asked else self._empty(name)
        column = None if why else self.kind(name)
        if column is not None and column.kind == "number":
            why = "" if is_asked else self._useless(column)
            self._remark_zeros(name)
        if why:
            self.found.left_out[name] = why
            return None
        return self._texts(name) if column is not None and column.kind == "text" else column

    def _empty(self, name: str) -> str:
        """Why cells have nothing to learn from, whatever they are; "" where they may have."""
        if self.sheet.floats(name) is not None:
            return ""
        is_first, is_last = name == self.first, name == self.last
        nameless = name in self.sheet.nameless
        return useless_cells(self.sheet.cells(name), is_first and nameless, is_last and nameless)

    def _useless(self, column: Column) -> str:
        """Why numbers have nothing to learn from; "" where they have."""
        name, numbers = column.name, column.numbers(self.sheet)[0]
        nameless = self._is_nameless(name)
        is_first = name == self.first or name in self._indexes
        return useless_numbers(name, numbers, is_first, nameless, self.several)

    def _is_nameless(self, name: str) -> bool:
        return name in self.sheet.nameless or bool(NAMELESS.fullmatch(name))

    @cached_property
    def _indexes(self) -> set[str]:
        """The first columns, as long as they have no names: one may be added at each writing."""
        return {*takewhile(self._is_nameless, self.sheet.columns)}

    def _remark_zeros(self, name: str) -> None:
        """Notes where numbers begin with zeros, as codes do."""
        cells = self.sheet.cells(name, SAMPLE)
        example = next((cell for cell in cells if cell[:1] == "0" != cell and cell.isdigit()), "")
        if example and name not in self.wishes.number:
            self.found.say(
                f"read as numbers, without the zeros before them; {option('text', name)} keeps "
                "them, as of codes",
                f"{name!r} ({example})",
            )

    # --- numbers or texts

    def kind(self, name: str) -> Column | None:
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
            says = way.says()
            if way.sign != BRACKETS and any("(" in cell for cell in filled):
                says += ", brackets as minus"
            self.found.say(f"read as numbers with {says}", f"{name!r} ({example})")
        return Column(name, spelling=way)

    def _lenient(self, name: str, filled: dict[str, int]) -> Column | None:
        """A column of numbers by wish: its other texts count as missing, its other numbers do not.

        None where it has such, or no number at all: a problem is noted.
        """
        way = usual_spelling(filled, self.format.decimal)
        others = {cell: n for cell, n in filled.items() if way(cell) is None}
        shown = listed([f"{cell!r:.80} ({n})" for cell, n in others.items()], 3)
        if len(others) == len(filled):
            self.found.problems[name] = (
                f"{name!r} holds no number, but {shown}: leave {option('number', name)} out"
            )
        elif any(map(looks_like_a_number, others)):
            self.found.problems[name] = self._several_ways(name, filled, way)
        else:
            self.found.say(f"read as numbers; what is none counts as missing: {shown}", repr(name))
            return Column(name, spelling=way, is_lenient=True)
        return None

    def _several_ways(self, name: str, filled: dict[str, int], way: Spelling) -> str:
        """What is wrong with numbers in more ways than one: none of them may become a gap."""
        money = sorted(signs_of(filled) - {"", PERCENT, BRACKETS})
        if len(money) > 1:
            return (
                f"{name!r} holds amounts in {' and '.join(money)}: convert them into one in the "
                f"file, or {option('ignore', name)}"
            )
        usual = next(cell for cell in filled if way(cell) is not None)
        other = next(c for c in filled if way(c) is None and looks_like_a_number(c))
        return (
            f"{name!r} holds {usual!r} and {other!r}, numbers in two ways to write them: write all "
            f"of them in one way in the file, or {option('text', name)} reads them as texts"
        )

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
        self.refuse_slips(name, filled)
        return None

    def refuse_slips(self, name: str, filled: dict[str, int]) -> None:
        """Notes as a problem the lines whose cells are not like the numbers of a column."""
        way = usual_spelling(filled, self.format.decimal)
        others = [cell for cell in filled if way(cell) is None]
        if len(others) < len(filled) and any(map(looks_like_a_number, others)):
            self.found.problems[name] = self._several_ways(name, filled, way)
            return
        is_target = name == self.aim
        becomes = "leaves these rows out" if is_target else "takes it as missing"
        hints = [f"{option('number', name)} {becomes}"]
        if not is_target or len(filled) <= MOST_CATEGORIES:
            hints.append(f"{option('text', name)} reads the column as texts")
        faults = Column(name, spelling=way).numbers(self.sheet)[1]
        lines = [f"line {self.sheet.lines[i]}: {name!r} is {faults[i]}" for i in faults]
        self.found.problems[name] = f"{some(lines)} ({', '.join(hints)})"

    # --- texts

    def _texts(self, name: str) -> Column | None:
        """A column of texts, with those that have an input; None where it is left out."""
        counts = self.counts(name)
        gaps = counts.pop("", 0)
        is_told = name in self.wishes.text
        is_own = bool(gaps) and self.wishes.missing == "fill"  # a gap is a text of its own
        why = "" if is_told else useless_texts(name, counts)
        if not counts:
            why = "is empty throughout"
        elif len(counts) == 1 and gaps and not is_own and not is_told:
            why = "is the same in every row where it has no gap"
        if why:
            self.found.left_out[name] = why
            return None
        kept, gap, rest = list(counts), "", ""
        self.remark_texts(name, counts)
        if len(counts) > MOST_CATEGORIES:
            kept = [text for text, _ in counts.most_common(MOST_CATEGORIES - 1)]
            rest = free(OTHER, counts)
            self.found.say(
                f"the {len(kept)} texts most frequent in the rows learned from are kept, others "
                f"are {rest!r}",
                f"{name!r} ({len(counts)} texts)",
            )
        if is_own:
            gap = free(MISSING, counts)
        texts = (*sorted(kept, key=natural), *filter(None, (gap, rest)))
        usual = max(counts, key=counts.__getitem__)
        return Column(name, "text", gap=gap, texts=texts, rest=rest, usual=usual)

    def counts(self, name: str) -> Counter[str]:
        """How often each text is in a column; whole numbers are one text, be it 1 or 1.0."""
        counts = Counter(self.sheet.cells(name))
        if are_plain(counts):
            merged = Counter[str]()
            for text, n in counts.items():
                merged[plain(text)] += n
            return merged
        return counts

    def remark_texts(self, name: str, counts: Counter[str]) -> None:
        """Notes texts that look like gaps, and those that look like others."""
        gaps = [f"{text!r:.80} ({n})" for text, n in counts.items() if text.casefold() in GAP_WORDS]
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
        raw = {text.lstrip("\r\n") for text in {*self.sheet.texts(name)}}  # ends of lines
        if len(raw) > len({*map(str.strip, raw)}):
            example = next(text for text in raw if text != text.strip() in raw)
            self.found.say(
                f"blanks around texts do not count: {example!r:.80} is {example.strip()!r:.80}",
                repr(name),
            )


def are_plain(cells: Iterable[str]) -> bool:
    """Whether all are numbers as Python writes them, or gaps."""
    return all(number(cell) is not None or is_missing(cell) for cell in cells)
