"""Numbers as people write them: decimal commas, thousands, percentages, amounts of money."""

import math
import re
import shlex
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

LOOKED_AT = 100  # cells that tell most ways to write numbers apart
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-", "."})
PERCENT = "%"
BRACKETS = "()"  # around some numbers: a minus
_BLANKS = " \u00a0\u202f"  # three kinds of blanks, which look alike
_GROUPED = {  # how each separator of thousands and decimals looks as a regular expression
    ",": ",",
    ".": r"\.",
    " ": f"[{_BLANKS}]",
    "'": "['\u2019]",
}


def number(cell: str) -> float | None:
    """A cell as Python writes numbers; None for any other text.

    >>> number(" 1e3 "), number("1_000"), number("1,5")
    (1000.0, None, None)
    """
    try:
        return None if "_" in cell else float(cell.replace("\u2212", "-"))
    except ValueError:
        return None


def finite_number(cell: str) -> float | None:
    """The same, None for what is not finite too."""
    found = number(cell)
    return found if found is not None and math.isfinite(found) else None


def is_missing(cell: str) -> bool:
    """Whether a cell of a column of numbers stands for "not known".

    >>> [is_missing(cell) for cell in ("", "NA", "?", "0", "unknown")]
    [True, True, True, False, False]
    """
    return not cell[-1:].isdigit() and cell.strip().casefold() in MISSING


class Spelling(NamedTuple):
    """How the numbers of one column are written. Call it with a cell: a float, or None.

    `sign` stands before or after each number: "%" on every one, a currency on some. With a sign
    brackets are a minus; "()" where there is no other.

    >>> Spelling(",", ".", "€")("1.234,50 €"), Spelling(",")("1.5"), Spelling(sign="%")("5")
    (1234.5, None, None)
    """

    decimal: str = "."
    thousands: str = ""
    sign: str = ""

    def __call__(self, cell: str) -> float | None:
        """The number that a cell holds, be it finite or not; None where it holds none."""
        if self == PLAIN:
            return number(cell)
        sign, bare = _bare(cell)
        if sign not in (self.sign, BRACKETS) and (sign or self.sign == PERCENT):
            return None
        found = _pattern(self.decimal, self.thousands).fullmatch(bare)
        if not found:
            return None
        whole, fraction, power = (part or "" for part in found.groups())
        digits = "".join(letter for letter in whole if letter in "+-" or letter.isdigit())
        try:
            return float(f"{digits}.{fraction}{power}")
        except ValueError:  # there is no digit in it
            return None

    def each(self, cells: Sequence[str]) -> Sequence[float | None]:
        """The number that each of several cells holds."""
        return self.fast(cells) or [self(cell) for cell in cells]

    def fast(self, cells: Sequence[str]) -> list[float]:
        """The numbers of all cells, where all are plain decimals; else an empty list."""
        text = "\n".join(cells)
        if not (self.thousands or self.sign) and _ONLY[self.decimal].fullmatch(text):
            try:
                found = list(map(float, text.replace(self.decimal, ".").split("\n")))
            except ValueError:  # one of them is no number
                return []
            return found if len(found) == len(cells) else []  # a cell may have several lines
        return []

    def says(self) -> str:
        """The spelling in words; "" for that of Python."""
        parts = []
        if self.decimal == ",":
            parts.append("a comma as decimal point")
        if self.thousands:
            name = {",": "commas", ".": "points", " ": "blanks", "'": "apostrophes"}
            parts.append(f"{name[self.thousands]} between thousands")
        if self.sign == PERCENT:
            parts.append("percentages (5 for 5%)")
        elif self.sign == BRACKETS:
            parts.append("brackets as minus")
        elif self.sign:
            parts.append(f"amounts in {self.sign}")
        return ", ".join(parts)


_ONLY = {sign: re.compile(rf"[-+eE0-9{sign}\n]*") for sign in ",."}
_UNSIGNED = re.compile(r"[-+eE0-9.,\n]*")
PLAIN = Spelling()
WAYS = (  # each way to write numbers, the usual one first
    PLAIN,
    Spelling(".", ","),
    Spelling(",", "."),
    Spelling(".", " "),
    Spelling(",", " "),
    Spelling(".", "'"),
    Spelling(",", "'"),
)
SEPARATORS = {"--decimal": (".", ","), "--thousands": (",", ".", " ", "'")}


@cache
def _pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    """The sign and the whole part of a number, its fraction, its power of ten."""
    groups = rf"[1-9]\d{{0,2}}(?:{_GROUPED[thousands]}\d{{3}})+|" if thousands else ""
    return re.compile(rf"([-+]?(?:{groups}\d*))(?:{_GROUPED[decimal]}(\d+))?([eE][-+]?\d+)?")


def _bare(cell: str) -> tuple[str, str]:
    """The sign of a cell, and the number without it."""
    cell = cell.strip()
    if _UNSIGNED.fullmatch(cell):
        return "", cell
    cell = cell.replace("\u2212", "-")
    if cell[:1] == "(" and cell[-1:] == ")":  # as accountants write a minus
        sign, bare = _bare(cell[1:-1])
        return sign or BRACKETS, f"-{bare}"
    lead = cell[:1] if cell[:1] in "+-" else ""
    rest = cell[len(lead) :].strip()
    for sign, bare in ((rest[:1], rest[1:]), (rest[-1:], rest[:-1])):
        if sign == PERCENT or (sign and unicodedata.category(sign) == "Sc"):
            return sign, _joined(lead, bare.strip())
    return "", _joined(lead, rest)


def _joined(lead: str, bare: str) -> str:
    return bare if bare[:1] in ("+", "-") and not lead else lead + bare


def signs_of(cells: Collection[str]) -> set[str]:
    """The signs that numbers have: "", "%", currencies, "()" for brackets.

    >>> sorted(signs_of(["1", "(2)", "3 %", "$4"]))
    ['', '$', '%', '()']
    """
    return {_bare(cell)[0] for cell in cells}


def natural(text: str) -> tuple[bool, float, tuple[str | int, ...]]:
    """What to sort texts by: numbers first, by size, then others, with the numbers in them by size.

    >>> sorted(["grade 10", "4+", "grade 2", "10", "9"], key=natural)
    ['9', '10', '4+', 'grade 2', 'grade 10']
    """
    x = finite_number(text)
    parts = re.split(r"([0-9]+)", text)
    return x is None, x or 0.0, tuple(int(part) if k % 2 else part for k, part in enumerate(parts))


def looks_like_a_number(cell: str) -> bool:
    """Whether a cell is a number in some way to write one.

    >>> [looks_like_a_number(cell) for cell in ("1,5", "$1,200", "5%", "1 000", "5more", "")]
    [True, True, True, True, False, False]
    """
    found = number(cell)
    if found is not None:
        return math.isfinite(found)
    sign, _ = _bare(cell)
    return any(way._replace(sign=sign)(cell) is not None for way in WAYS)


def other_ways(cell: str, spelling: Spelling) -> list[str]:
    """The options by which a cell is a number that it is not as numbers are written here.

    >>> other_ways("0,5", PLAIN), other_ways("1,234", PLAIN), other_ways("x", PLAIN)
    (['--decimal , if that is 0.5'], ['--thousands , if that is 1234', '--decimal , if that is \
1.234'], [])
    """
    found: dict[str, float] = {}
    for way in WAYS:
        x = way._replace(sign=spelling.sign)(cell)
        if x is not None and math.isfinite(x):
            is_decimal = way.decimal != spelling.decimal
            sign = way.decimal if is_decimal else shlex.quote(way.thousands)
            name = "decimal" if is_decimal else "thousands"
            if is_decimal or way.thousands:
                found.setdefault(f"--{name} {sign}", x)
    return [f"{option} if that is {x:.10g}" for option, x in found.items()]


def usual_spelling(counts: Mapping[str, int], decimal: str = "") -> Spelling:
    """The way to write numbers in which most cells are some, by how often each is there.

    >>> usual_spelling({"1,5": 3, "1.5": 1, "red": 9}).says()
    'a comma as decimal point'
    """
    signs = ["", *sorted(signs_of(counts) - {""})]
    ways = [way._replace(sign=sign) for way in WAYS for sign in signs]
    asked = [way for way in ways if decimal in ("", way.decimal)]
    best = max(asked, key=lambda way: sum(n for cell, n in counts.items() if way(cell) is not None))
    return _simplest(best, "\n".join(cell for cell in counts if best(cell) is not None))


def spellings(
    cells: Collection[str], decimal: str = "", thousands: str = ""
) -> dict[Spelling, list[float]]:
    """Each way in which all of the cells are numbers, with the numbers; those that differ.

    `decimal` and `thousands`, where given, settle what both readings fit.

    >>> [way.says() for way in spellings(["1,234", "5"])]
    ['commas between thousands', 'a comma as decimal point']
    >>> spellings(["1,234", "5"], decimal=",")
    {Spelling(decimal=',', thousands='', sign=''): [1.234, 5.0]}
    """
    found: dict[Spelling, list[float]] = {}
    for way, numbers in _readings(cells):
        is_asked = decimal in ("", way.decimal) and thousands in ("", way.thousands)
        if (is_asked or not (decimal or thousands)) and numbers not in found.values():
            found[way] = numbers
    if found or not (decimal or thousands):
        return found
    return dict([*_readings(cells)][:1])


def _readings(cells: Collection[str]) -> Iterator[tuple[Spelling, list[float]]]:
    """Each way in which all of the cells are numbers, with the numbers."""
    cells = list(cells)
    text = "\n".join(cells)
    signs = {""} if _UNSIGNED.fullmatch(text) else {_bare(cell)[0] for cell in cells}
    currency = signs - {""} if signs <= {"", BRACKETS} else signs - {"", BRACKETS}
    if len(currency) > 1 or (PERCENT in signs and "" in signs):
        return
    (sign,) = currency or ("",)
    seen = set[Spelling]()
    for full in WAYS:
        way = _simplest(full, text)._replace(sign=sign)
        if way in seen or any(way(cell) is None for cell in cells[:LOOKED_AT]):
            continue
        seen.add(way)
        numbers = way.each(cells)
        kept = [x for x in numbers if x is not None and math.isfinite(x)]
        if len(kept) == len(numbers):
            yield way, kept


def _simplest(way: Spelling, text: str) -> Spelling:
    """`way` without the signs that a text does not have."""
    group = _GROUPED.get(way.thousands)
    thousands = way.thousands if group and re.search(group, text) else ""
    is_used = way.decimal in text or thousands == "."
    return way._replace(thousands=thousands, decimal=way.decimal if is_used else ".")
