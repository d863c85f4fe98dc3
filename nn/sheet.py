"""A file of rows as columns of text: its encoding, its separator, its names."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike, fspath
from typing import NamedTuple

from engine.names import no_such
from engine.pictures.texts import many
from nn.dataset import DataError
from nn.encoding import ENCODING, text_of
from nn.numerals import SEPARATORS, looks_like_a_number
from nn.progress import Stage, no_stage
from nn.splitting import Columns, blanks_as_tabs, columns_of, names_columns, separator_of

MANY_LETTERS = 50_000_000  # take more than a second to split
MOST_PROBLEMS_SHOWN = 5


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

    def __post_init__(self) -> None:
        """Refuses what no file can be."""
        if not isinstance(self.encoding, str) or not self.encoding.isprintable():
            raise ValueError(ENCODING.format(self.encoding))
        if self.header not in (None, True, False):
            raise ValueError(f"header expected True, False or None, got {self.header!r:.60}")
        for option, signs in SEPARATORS.items():
            sign = getattr(self, option[2:])
            if sign not in ("", *signs):
                raise ValueError(f"{option} expected one of {' '.join(signs)}, got {sign!r:.60}")
        if self.decimal and self.decimal == self.thousands:
            raise ValueError(f"--decimal and --thousands are both {self.decimal!r}")

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
    bare: Mapping[int, int] = field(default_factory=dict)  # lines of empty cells, by place in file
    _floats: dict[str, list[float] | None] = field(default_factory=dict)

    def texts(self, name: str) -> Sequence[str]:
        """A column as it is in the file; DataError where there is none of this name."""
        if name in self.columns:
            return self.columns[name]
        is_found = any(line.endswith(OR_HEADER) for line in self.remarks)
        hint = " (its first line looks like a row; else say --header)" if is_found else ""
        raise DataError(f"{self.path}: {no_such('column', name, self.columns)}{hint}")

    def cells(self, name: str, most: int | None = None) -> list[str]:
        """The cells of a column, without the blanks around them; or the first of them."""
        return list(map(str.strip, self.texts(name)[:most]))

    def floats(self, name: str) -> list[float] | None:
        """A column of finite numbers, the usual, and fast; None where it holds something else."""
        if name not in self._floats:
            self._floats[name] = _floats(self.texts(name), self.has_underscores)
        return self._floats[name]

    @cached_property
    def places(self) -> Sequence[int]:
        """The place of each row in the file, where rows of empty cells count too."""
        count = len(self.lines) + len(self.bare)
        return [k for k in range(count) if k not in self.bare] if self.bare else range(count)

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


def read_sheet(path: str | PathLike[str], format: Format = FOUND, stage: Stage = no_stage) -> Sheet:
    """The columns of a file, as texts; DataError, with the line, for what is no table.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("# by hand\\na;b\\n1,5;x\\n")
    ...     sheet = read_sheet(f"{folder}/a.csv")
    >>> sheet.cells("a"), sheet.cells("b"), sheet.lines, sheet.separator
    (['1,5'], ['x'], range(3, 4), ';')
    """
    path = fspath(path)
    text = text_of(path, format.encoding, format.usual)
    stage(f"splitting {len(text):,} letters into cells", len(text) > MANY_LETTERS)
    text, skipped, told, comment = _without_preamble(text)
    separator = told or separator_of(text)
    if separator == " ":
        text, comment = blanks_as_tabs(text), blanks_as_tabs(comment)
    sign = "\t" if separator == " " else separator
    columns, lines, ragged, bare = columns_of(path, text, sign, skipped)
    if not columns:
        raise DataError(f"{path}: the file is empty: expected a line of names, then rows")
    comments = [cell.strip() for cell in comment.split(sign)]
    head = _head(columns, format, comments, skipped, lines[0])
    if head.is_first_line:
        lines, columns = lines[1:], [column[1:] for column in columns]
        ragged = {k - 1: words for k, words in ragged.items() if k}
        bare = {k - 1: line for k, line in bare.items()}
    if not lines:
        raise DataError(f"{path}: only a header, no rows")
    names, twice = _apart([name or _nth(k) for k, name in enumerate(head.names, 1)])
    remarks = [f"{many(len(bare), 'line')} of separators alone left out"] if bare else []
    return Sheet(
        path,
        dict(zip(names, columns, strict=True)),
        lines,
        separator,
        head.has_names,
        ragged,
        [_nth(k) for k, name in enumerate(head.names, 1) if not name and head.has_names],
        [*remarks, *head.remarks, *twice],
        None if head.has_names and not head.is_first_line else head.is_first_line,
        has_underscores=text.count("_") > "".join(names).count("_"),
        bare=_inside(bare, len(lines)),
    )


class _Head(NamedTuple):
    """The names of columns, "" for none; whether they are the first line; what was assumed."""

    names: list[str]
    is_first_line: bool
    remarks: Sequence[str] = ()
    has_names: bool = True


def _head(
    columns: Columns,
    format: Format,
    comments: list[str],
    skipped: int,
    first_line: int,
) -> _Head:
    """The names of the columns, from their first line, from a comment above them, or none."""
    is_found = format.header is None
    if names_columns(columns) if is_found else format.header:
        names = [column[0].strip() for column in columns]
        is_odd = is_found and all(map(looks_like_a_number, filter(None, names)))
        odd = "the first line holds numbers, and is read as names; or say --no-header"
        return _Head(names, True, [odd] if is_odd else [])
    if is_found and len(comments) == len(columns) > 1:
        return _Head(
            comments,
            False,
            [f"line {skipped} begins with #, and is read as the names of the columns"],
        )
    found = f"line {first_line} looks like the others, " if is_found else ""
    last = _nth(len(columns))
    words = f"{found}no names: the columns are 'column 1' to {last!r}{OR_HEADER * is_found}"
    return _Head([""] * len(columns), False, [words], has_names=False)


def _apart(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names that differ, as pandas makes them of those that do not; and a line that says so.

    >>> _apart(["a", "b", "a"])
    (['a', 'b', 'a.1'], ["columns of one name are told apart by numbers: 'a.1'"])
    """
    seen, found, new = {*names}, list[str](), list[str]()
    counts = Counter[str]()
    for name in names:
        other = name
        while counts[name] and other in seen:
            other = f"{name}.{counts[name]}"
            counts[name] += other in seen
        counts[name] += 1
        if other != name:
            new.append(repr(other))
            seen.add(other)
        found.append(other)
    words = "columns of one name are told apart by numbers: "
    return found, [words + ", ".join(new[:MOST_PROBLEMS_SHOWN])] if new else []


def _inside(bare: Mapping[int, int], rows: int) -> dict[int, int]:
    """The empty lines that rows come after: those at the end shift no number of a row."""
    last = rows + len(bare) - 1
    while last in bare:
        last -= 1
    return {k: line for k, line in bare.items() if k < last}


def _nth(k: int) -> str:
    return f"column {k}"


def _without_preamble(text: str) -> tuple[str, int, str, str]:
    """The text without a line "sep=;" and lines of "#"; how many these are; the separator told.

    The last is the last such line, which may hold the names.
    """
    if "\n" not in text:  # as old Macs end lines
        text = text.replace("\r", "\n")
    skipped, told, comment, start = 0, "", "", 0
    while True:
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else None].strip()
        if not told and re.fullmatch(r'(?i)sep=[^"]?', text[start:end].rstrip("\r\n")):
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
