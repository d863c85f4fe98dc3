"""A file of rows as columns of text: its encoding, its separator, its names."""

import math
import re
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from pathlib import Path
from reprlib import repr as short

from engine.drawing.picture import many
from engine.names import no_such
from nn.dataset import DataError
from nn.numerals import looks_like_a_number
from nn.splitting import blanks_as_tabs, columns_of, names_columns, separator_of

LARGEST = 2_000_000_000  # bytes of a file
MOST_PROBLEMS_SHOWN = 5
BYTE_ORDER_MARKS = {  # the longer one first: that of utf-16 begins like that of utf-32
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}
OTHER_FILES = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an Excel file",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file",
    b"PAR1": "a Parquet file",
}


@dataclass(frozen=True)
class Format:
    """What a file does not say by itself: "", or None for `header`, where it is to be found.

    `usual` is the encoding of a file that is not marked, and not UTF-8, where none is given.
    """

    encoding: str = ""
    header: bool | None = None
    decimal: str = ""
    thousands: str = ""
    usual: str = ""

    def kept(self, header: bool | None) -> "Format":
        """It for files like the one that was read, which had a line of names or had not."""
        return replace(self, encoding="", usual=self.encoding, header=header)

    def but(self, other: "Format") -> "Format":
        """It with what another one says in its place.

        >>> Format(decimal=",").but(Format("cp1252", False))
        Format(encoding='cp1252', header=False, decimal=',', thousands='', usual='')
        """
        told = {name: x for name, x in vars(other).items() if x not in ("", None)}
        return replace(self, **told)

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
    first_line: bool | None = None  # whether it holds the names; None where another one does
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
    text = _decoded(path, _bytes(path), format)
    text, skipped, told, comment = _without_preamble(text)
    separator = told or separator_of(text)
    remarks = []
    if separator == " ":
        text, comment = blanks_as_tabs(text), blanks_as_tabs(comment)
    sign = "\t" if separator == " " else separator
    columns, lines, ragged, bare = columns_of(path, text, sign, skipped)
    if bare:
        remarks.append(f"{many(bare, 'line')} of separators alone left out")
    if not columns:
        raise DataError(f"{path}: the file is empty: expected a line of names, then rows")
    header = names_columns(columns) if format.header is None else format.header
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
    is_comment = names is comments
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
        None if is_comment else header,
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


def _decoded(path: str, raw: bytes, format: Format) -> str:
    for magic, kind in OTHER_FILES.items():
        if raw.startswith(magic):
            raise DataError(f"{path}: it is {kind}, expected text: save the table as CSV")
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if raw.startswith(mark)), "")
    told = marked or format.encoding
    names = [told] if told else ["utf-8", *filter(None, [format.usual])]
    lines = []
    for name in names:
        try:
            text = raw.decode(name)
        except LookupError:
            raise DataError(
                f"--encoding expected a name such as cp1252, latin-1 or utf-16, got {name!r}"
            ) from None
        except UnicodeError as error:
            lines.append(raw.count(b"\n", 0, getattr(error, "start", 0)) + 1)
            continue
        if 3 * text[:1000].count("\0") <= len(text[:1000]):
            return text
        lines.append(1)  # it is utf-16 without a mark
    zeros = "utf-16-be" if raw[:1] == b"\0" else "utf-16-le"
    raise DataError(
        f"{path}: line {lines[0]} is not {names[0].upper()} text: save the file as UTF-8, or say "
        f"in which encoding it is, such as --encoding {zeros if 0 in raw[:1000] else 'cp1252'}"
    )


def _without_preamble(text: str) -> tuple[str, int, str, str]:
    """The text without a line "sep=;" and lines of "#"; how many these are; the separator told.

    The last is the last such line, which may hold the names.
    """
    skipped, told, comment, start = 0, "", "", 0
    while True:
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else None].strip()
        if not skipped and re.fullmatch(r'(?i)sep=[^"]?', text[start:end].rstrip("\r\n")):
            told = text[start:end].rstrip("\r\n")[4:]
        elif line.startswith("#"):
            comment = line.lstrip("# ")
        elif line or end < 0:
            return text[start:], skipped, told, comment
        skipped, start = skipped + 1, end + 1
        if end < 0:
            return "", skipped, told, comment


def _floats(cells: Sequence[str], has_underscores: bool) -> list[float] | None:
    """The cells as finite numbers; None where one is something else."""
    try:
        found = list(map(float, cells))  # which takes blanks around a number, and underscores
    except ValueError:
        return None
    if has_underscores and "_" in "".join(cells):
        return None
    return found if math.isfinite(sum(found)) or all(map(math.isfinite, found)) else None
