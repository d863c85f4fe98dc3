"""A file of rows as columns of text: its encoding, its separator, its names."""

import csv
import io
import math
import re
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from reprlib import repr as short

from engine.drawing.picture import many
from engine.names import no_such
from nn.dataset import DataError
from nn.numerals import is_missing, looks_like_a_number, number

LONGEST = csv.field_size_limit()  # letters of a cell
LARGEST = 2_000_000_000  # bytes of a file
MOST_PROBLEMS_SHOWN = 5
SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "blanks"}
BYTE_ORDER_MARKS = {  # the longer one first: that of utf-16 begins like that of utf-32
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}
LOOKED_AT = 200  # lines that a separator and a header are found from
QUOTED = re.compile(r'(?:(?<=[,;\t| ])|^)"(?:[^"]|"")*"', re.M)


@dataclass(frozen=True)
class Format:
    """What a file does not say by itself: "", or None for `header`, where it is to be found."""

    encoding: str = ""
    header: bool | None = None
    decimal: str = ""
    thousands: str = ""

    @property
    def points_part(self) -> bool:
        """Whether a point was said to part thousands, as in 1.234."""
        return self.decimal == "," or self.thousands == "."


FOUND = Format()
OR_HEADER = "; or say --header"


@dataclass(frozen=True)
class Sheet:
    """The columns of a file by name, as texts with the blanks around them.

    `lines` has the number of the line that each row began on; `ragged` says of rows, by place,
    that they have too many cells or too few; their cells are empty. `nameless` are the columns
    that had no name, and got "column 3" or the like; `remarks` are what was assumed.
    """

    path: str
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    separator: str = ","
    has_header: bool = True
    ragged: Mapping[int, str] = field(default_factory=dict)
    nameless: Sequence[str] = ()
    remarks: Sequence[str] = ()
    has_underscores: bool = True
    _floats: dict[str, list[float] | None] = field(default_factory=dict)

    def texts(self, name: str) -> Sequence[str]:
        """A column as it is in the file; DataError where there is none of this name."""
        if name in self.columns:
            return self.columns[name]
        is_found = any(line.endswith(OR_HEADER) for line in self.remarks)
        hint = " (its first line looks like a row; else say --header)" if is_found else ""
        raise DataError(f"{self.path}: {no_such('column', name, self.columns)}{hint}")

    def cells(self, name: str) -> list[str]:
        """The cells of a column, without the blanks around them."""
        return list(map(str.strip, self.texts(name)))

    def floats(self, name: str) -> list[float] | None:
        """A column of finite numbers, the usual, and fast; None where it holds something else."""
        if name not in self._floats:
            self._floats[name] = _floats(self.texts(name), self.has_underscores)
        return self._floats[name]

    def refuse_ragged(self) -> None:
        """Raise where rows have another number of cells than there are names."""
        is_one = len(self.columns) == 1
        hint = " (is it a CSV file? Put # before a title)" if is_one else ""
        self.refuse(self.ragged, hint)

    def refuse(self, faults: Mapping[int, str], hint: str = "") -> None:
        """Raise for rows at fault, if there are any: what is wrong with each, by place."""
        refuse(self.path, [f"line {self.lines[i]}: {faults[i]}" for i in sorted(faults)], hint)


def some(problems: Sequence[str]) -> str:
    """The first few of several problems, and how many more there are."""
    more = len(problems) - MOST_PROBLEMS_SHOWN
    return "; ".join([*problems[:MOST_PROBLEMS_SHOWN], *([f"and {more} more"] if more > 0 else ())])


def refuse(path: str, problems: Sequence[str], hint: str = "") -> None:
    """DataError that shows the first few problems of a file, if there are any."""
    if problems:
        raise DataError(f"{path}: {some(problems)}{hint}")


def read_sheet(path: str | PathLike[str], format: Format = FOUND) -> Sheet:
    """The columns of a file, as texts; DataError, with the line, for what is no table.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("# by hand\\na;b\\n1,5;x\\n")
    ...     sheet = read_sheet(f"{folder}/a.csv")
    >>> sheet.cells("a"), sheet.cells("b"), sheet.lines, sheet.separator
    (['1,5'], ['x'], range(3, 4), ';')
    """
    path = fspath(path)
    text = _decoded(path, _bytes(path), format.encoding)
    text, skipped, told, comment = _without_preamble(text)
    separator = told or _separator(text)
    remarks = []
    if separator == " ":
        text, comment = _blanks_as_tabs(text), _blanks_as_tabs(comment)
    sign = "\t" if separator == " " else separator
    columns, lines, ragged, bare = _columns(path, text, sign, skipped)
    if bare:
        remarks.append(f"{many(bare, 'line')} of separators alone left out")
    if not columns:
        raise DataError(f"{path}: the file is empty: expected a line of names, then rows")
    header = _has_header(columns) if format.header is None else format.header
    comments = [cell.strip() for cell in comment.split(sign)]
    if header:
        names = [column[0].strip() for column in columns]
        lines, columns = lines[1:], [column[1:] for column in columns]
        ragged = {i - 1: words for i, words in ragged.items() if i}
        if format.header is None and all(map(looks_like_a_number, filter(None, names))):
            remarks.append("the first line holds numbers, and is read as names; or say --no-header")
    elif format.header is None and len(comments) == len(columns) > 1:
        header, names = True, comments
        remarks.append(f"line {skipped} begins with #, and is read as the names of the columns")
    else:
        names = [""] * len(columns)
        found = "" if format.header is False else f"line {lines[0]} looks like the others, "
        hint = "" if format.header is False else OR_HEADER
        remarks.append(
            f"{found}no names: the columns are 'column 1' to {_nth(len(columns))!r}{hint}"
        )
    nameless = [_nth(k) for k, name in enumerate(names, 1) if not name] if header else []
    names = [name or _nth(k) for k, name in enumerate(names, 1)]
    (twice, count), *_ = Counter(names).most_common(1)
    if count > 1:
        raise DataError(
            f"{path}: every column needs a name of its own, got {twice!r} in {short(names)}"
        )
    if not lines:
        raise DataError(f"{path}: only a header, no rows")
    return Sheet(
        path,
        dict(zip(names, columns, strict=True)),
        lines,
        separator,
        header,
        ragged,
        nameless,
        remarks,
        has_underscores=text.count("_") > "".join(names).count("_"),
    )


def _nth(k: int) -> str:
    return f"column {k}"


# --- from bytes to text -----------------------------------------------------------------------


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            is_device = stat.S_ISCHR(Path(path).stat().st_mode) and not file.isatty()
            raw = b"" if is_device else file.read(LARGEST + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot read it: {error.strerror or error}") from None
    except ValueError as error:  # a name with a NUL in it
        raise DataError(f"{path}: cannot read it: {error}") from None
    if is_device:
        raise DataError(f"{path}: cannot read it: it is a device, expected a file")
    if len(raw) > LARGEST:
        raise DataError(f"{path}: expected at most {LARGEST:,} bytes: give a part of its rows")
    return raw


def _decoded(path: str, raw: bytes, encoding: str) -> str:
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if raw.startswith(mark)), "")
    name = (marked or encoding or "utf-8").upper()
    try:
        text = raw.decode(name)
        line = int(3 * text[:1000].count("\0") > len(text[:1000]))  # it is utf-16 without a mark
    except LookupError:
        raise DataError(
            f"--encoding expected a name such as cp1252, latin-1 or utf-16, got {encoding!r}"
        ) from None
    except UnicodeError as error:
        line = raw.count(b"\n", 0, getattr(error, "start", 0)) + 1
    if not line:
        return text
    hint = "cp1252" if b"\0" not in raw[:1000] else "utf-16-be" if raw[:1] == b"\0" else "utf-16-le"
    raise DataError(
        f"{path}: line {line} is not {name} text: save the file as UTF-8, or say in which encoding "
        f"it is, such as --encoding {hint}"
    )


def _without_preamble(text: str) -> tuple[str, int, str, str]:
    """The text without a line "sep=;" and lines of "#"; how many these are; the separator told.

    The last is the last such line, which may hold the names.
    """
    skipped, told, comment, start = 0, "", "", 0
    while True:
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else None].strip()
        if not skipped and re.fullmatch(r"(?i)sep=.?", text[start:end].rstrip("\r\n")):
            told = text[start:end].rstrip("\r\n")[4:]
        elif line.startswith("#"):
            comment = line.lstrip("# ")
        elif line or end < 0:
            return text[start:], skipped, told, comment
        skipped, start = skipped + 1, end + 1
        if end < 0:
            return "", skipped, told, comment


# --- from text to columns ---------------------------------------------------------------------


def _separator(text: str) -> str:
    """What parts most lines in as many cells as each other; "," where nothing does.

    Blanks are in texts too: they part cells where nothing else does, and each line in as many.
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


def _blanks_as_tabs(text: str) -> str:
    lines = re.split(r"\r\n|\r|\n", text)
    cells = (re.findall(r'"(?:[^"]|"")*"|\S+', line) for line in lines)
    return "\n".join(map("\t".join, cells))


Columns = list[Sequence[str]]


def _columns(
    path: str, text: str, separator: str, skipped: int
) -> tuple[Columns, Sequence[int], dict[int, str], int]:
    """The columns, the lines that rows began on, the rows of another length, how many are empty."""
    if columns := _usual_columns(text, separator):
        return columns, range(skipped + 1, skipped + 1 + len(columns[0])), {}, 0
    lines, records, bare = _records(path, text, separator, skipped)
    if not records:
        return [], [], {}, 0
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
) -> tuple[list[int], list[Sequence[str]], int]:
    """The numbers of the lines that are not blank, their cells; how many have empty cells alone."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[int] = []
    records: list[Sequence[str]] = []
    line, bare = 1, 0
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                lines.append(line + skipped)
                records.append(cells)
            else:
                bare += len(cells) > 1
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}: line {line + skipped}: broken CSV: {error}") from None
    return lines, records, bare


def _floats(cells: Sequence[str], has_underscores: bool) -> list[float] | None:
    """The cells as finite numbers; None where one is something else."""
    try:
        found = list(map(float, cells))  # which takes blanks around a number, and underscores
    except ValueError:
        return None
    if has_underscores and "_" in "".join(cells):
        return None
    return found if math.isfinite(sum(found)) or all(map(math.isfinite, found)) else None


# --- the first line ---------------------------------------------------------------------------


def _has_header(columns: Columns) -> bool:
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
    if len(ranges) > 1 and all(_is_far(x, body) for x, body in ranges):
        return True  # such as years as names
    texts = [
        (first, body)
        for (above, below, first), body in zip(pairs, bodies, strict=True)
        if not above and not below
    ]
    if any(above and below for above, below, _ in pairs):
        return not all(first in body or _are_unique(body) for first, body in texts)
    return not all(first in body for first, body in texts)


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
