"""Splits a text into columns of cells: finds the separator, and whether a header is there."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from engine.pictures.texts import many
from nn.dataset import DataError
from nn.numerals import is_missing, looks_like_a_number, number

LONGEST = csv.field_size_limit()  # letters of a cell
SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "blanks"}
EARLIEST, LATEST = 1900, 2100  # years that may be names of columns
LOOKED_AT = 200  # lines that a separator and a header are found from
QUOTED = re.compile(r'(?:(?<=[,;\t| ])|^)"(?:[^"]|"")*"', re.M)


def separator_of(text: str) -> str:
    """What parts most lines in as many cells as each other; "," where nothing does.

    Blanks are in texts too: they part cells where nothing else does, and each line in as many.

    >>> separator_of('a;b\\n1,5;"x;y"'), separator_of("a  b\\n1  2"), separator_of("a b\\nx")
    (';', ' ', ',')
    """
    lines = [line for line in _sample(text).splitlines() if line.strip()][:LOOKED_AT]
    if not lines:
        return ","
    shares = {}
    for separator in list(SEPARATORS)[:-1]:
        counts = [line.count(separator) for line in lines]
        (usual, _), *_ = Counter(counts[1:] or counts).most_common(1)
        shares[separator] = counts.count(usual) / len(counts) if usual and counts[0] else 0.0
    best = max(shares, key=lambda sign: (shares[sign], *_rank(sign, lines)))
    words = [len(line.split()) for line in lines]
    has_blanks = {*words[1:]} <= {words[0], words[0] + 1} and len({*words[1:]}) == 1 < min(words)
    is_aligned = best == "\t" and all("  " in line for line in lines[1:])
    if has_blanks and (not shares[best] or is_aligned):
        return " "
    return best if shares[best] else ","


def _rank(separator: str, lines: Sequence[str]) -> tuple[bool, int]:
    """What counts where two signs may part cells: commas between digits alone are of decimals."""
    text = "\n".join(lines)
    is_decimal = separator == "," and not re.search(r"(?<!\d),|,(?!\d)", text)
    return not is_decimal, text.count(separator)


def _sample(text: str) -> str:
    """The first lines, with a letter for each quoted cell."""
    part = text[: 64 * 1024]
    if len(part) < len(text):
        part = part[: part.rfind("\n") + 1] or part
    return QUOTED.sub("Q", part)


def blanks_as_tabs(text: str) -> str:
    """The lines of a text with a tab for each run of blanks outside quotes.

    >>> blanks_as_tabs('1   "a b" ')
    '1\\t"a b"'
    """
    lines = re.split(r"\r\n|\r|\n", text)
    cells = (re.findall(r'"(?:[^"]|"")*"|\S+', line) for line in lines)
    return "\n".join(map("\t".join, cells))


Columns = list[Sequence[str]]


def columns_of(
    path: str, text: str, separator: str, skipped: int
) -> tuple[Columns, Sequence[int], dict[int, str], dict[int, int]]:
    """The columns, the lines that rows began on, the rows of another length, the empty ones.

    These are no rows: they are told by the place that they would have, with their lines.
    """
    if columns := _usual_columns(text, separator):
        return columns, range(skipped + 1, skipped + 1 + len(columns[0])), {}, {}
    lines, records, bare = _records(path, text, separator, skipped)
    if not records:
        return [], [], {}, {}
    width = len(records[0])
    if len(records) > 2 and width > 1 and {len(cells) for cells in records[1:]} == {width + 1}:
        firsts, lasts = ({cells[k].strip() for cells in records[1:]} for k in (0, -1))
        if lasts == {""}:  # a separator at the end of each row
            records[0], width = [*records[0], ""], width + 1
        elif len(firsts) == len(records) - 1:  # names of rows, as R writes them
            records[0], width = ["", *records[0]], width + 1
    ragged = {
        i: f"expected {many(width, 'field')}, got {len(cells)}"
        for i, cells in enumerate(records)
        if len(cells) != width
    }
    for i in ragged:
        records[i] = [""] * width
    return list(zip(*records, strict=True)), lines, ragged, bare


def _usual_columns(text: str, separator: str) -> Columns | None:
    """The columns of the usual text, faster than `_records`.

    None for a text with quotes, with blank lines, or with lines of another length.
    """
    text = text.replace("\r\n", "\n").removesuffix("\n")
    if separator not in text or any(sign in text for sign in '"\r\0'):
        return None
    cells = text.replace("\n", f"{separator}\n").split(separator)
    count = text.count("\n") + 1
    width = len(cells) // count
    columns: Columns = [cells[k::width] for k in range(width)]
    begins = [cell[:1] == "\n" for cell in columns[0]]  # this blank goes with the others
    are_lines = len(cells) == count * width and begins == [False] + [True] * (count - 1)
    if not are_lines or len(max(cells, key=len)) > LONGEST:
        return None
    has_blank_lines = width == 1 and not all(map(str.strip, columns[0]))
    gaps = [i for i, cell in enumerate(columns[0]) if not cell.strip()]
    if has_blank_lines or any(all(not c[i].strip() for c in columns) for i in gaps):
        return None
    return columns


def _records(
    path: str, text: str, separator: str, skipped: int
) -> tuple[list[int], list[Sequence[str]], dict[int, int]]:
    """The numbers of the lines that are not blank, their cells; the lines of empty cells alone."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True
    )
    lines: list[int] = []
    records: list[Sequence[str]] = []
    bare: dict[int, int] = {}
    line = 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                lines.append(line + skipped)
                records.append(cells)
            elif len(cells) > 1 and records:
                bare[len(records) + len(bare)] = line + skipped
            line = reader.line_num + 1
    except csv.Error as error:
        words = "its quotes are never closed" if "end of data" in str(error) else str(error)
        raise DataError(f"{path}: line {line + skipped}: broken CSV: {words}") from None
    return lines, records, bare


# --- the first line ---------------------------------------------------------------------------


def names_columns(columns: Columns) -> bool:
    """Whether the first line names the columns, rather than looking like the lines below it.

    A name is a text above numbers. A line without one is a row where it has numbers above
    numbers, or known texts alone, and where each of its texts is found again below it.
    """
    firsts = [column[0].strip() for column in columns]
    bodies = [list(map(str.strip, column[1 : 1 + LOOKED_AT])) for column in columns]
    if not bodies[0]:
        return not all(map(looks_like_a_number, firsts))
    numeric = list(map(_is_numeric, bodies))
    numbers = list(map(looks_like_a_number, firsts))
    pairs = list(zip(numbers, numeric, firsts, strict=True))
    if any(below and not above and not is_missing(first) for above, below, first in pairs):
        return True
    if firsts[firsts[0] == "" :] == list(map(str, range(len(firsts) - (firsts[0] == "")))):
        return len(firsts) > 2  # as pandas numbers columns
    ranges = [
        (number(first), list(filter(None, map(number, body))))
        for (above, below, first), body in zip(pairs, bodies, strict=True)
        if above and below
    ]
    are_far = len(ranges) > 1 and all(_is_far(x, body) for x, body in ranges)
    if are_far or _are_years([x for x, _ in ranges]):
        return True
    texts = [
        (first, body)
        for (above, below, first), body in zip(pairs, bodies, strict=True)
        if not above and not below
    ]
    if any(above and below for above, below, _ in pairs):
        return not all(first in body or _are_unique(body) for first, body in texts)
    return not all(first in body for first, body in texts)


def _are_years(firsts: Sequence[float | None]) -> bool:
    """Whether numbers are years in a row, as names of columns."""
    known = [x for x in firsts if x is not None]
    runs = len(known) > 1 and all(b == a + 1 for a, b in pairwise(known))
    return runs and known[0] >= EARLIEST and known[-1] <= LATEST


def _is_numeric(body: Sequence[str]) -> bool:
    filled = [cell for cell in body if not is_missing(cell)]
    return bool(filled) and sum(map(looks_like_a_number, filled)) >= 0.9 * len(filled)


def _is_far(x: float | None, body: Sequence[float]) -> bool:
    """Whether a number is further from others than these are from each other."""
    if x is None or len(body) < 5:
        return False
    least, most = min(body), max(body)
    return max(least - x, x - most) > most - least


def _are_unique(body: Sequence[str]) -> bool:
    return 2 * len(set(body)) > len(body) > 4
