"""The runs of a sweep as a CSV file that grows by a line a run, and is whole after any crash.

The first columns are the settings, then come the results, then `seconds`, `error` and `sweep`: what
was run, the same in each line, by which a line is known to be of this sweep, and to be whole.
"""

import csv
import errno
import io
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import IO, NoReturn

from engine.files import check_writable, write
from engine.pictures.texts import visible
from nn.history import as_csv

Cell = bool | int | float | str | None
Key = tuple[Cell, ...]  # what a run is known by
HELD: set[str] = set()  # the files that sweeps of this process have open
OWN = ("seconds", "error", "sweep")  # the last columns
TRUE_OR_FALSE = {"True": True, "False": False}
SHEETS = {"TRUE": "True", "FALSE": "False"}  # as spreadsheets write them
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def text_of(cell: Cell) -> str:
    """A cell as it stands in the file: a float in so many digits that it comes back as it was.

    >>> text_of(0.1), text_of(None), text_of("two\\nlines")
    ('0.1', '', 'two\u240alines')
    """
    return "" if cell is None else visible(cell) if isinstance(cell, str) else repr(cell)


def cell_of(text: str) -> Cell:
    """What a text of the file stands for: a number where it is written as `text_of` writes it.

    >>> cell_of("0.1"), cell_of("7"), cell_of("007"), cell_of(""), cell_of("True")
    (0.1, 7, '007', None, True)
    """
    if text == "":
        return None
    for kind in (int, float):
        with suppress(ValueError):
            number = kind(text)
            if repr(number) == text:
                return number
    return TRUE_OR_FALSE.get(text, text)


def key_of(cells: Iterable[Cell]) -> Key:
    """What a run is known by: its settings, a number by its value however it is written.

    So a file that a spreadsheet wrote anew, 0.00001 for 1e-05, still has its runs.

    >>> key_of([1e-05, "relu"]) == key_of(["0.00001", "relu"])
    True
    """
    texts = map(text_of, cells)
    return tuple(
        _number(text) if NUMBER.fullmatch(text) else SHEETS.get(text, text) for text in texts
    )


def _number(text: str) -> float | str:
    """To 15 digits, which spreadsheets keep; a text where it is no float, such as 1e999."""
    if text.lstrip("-").isdigit():
        return int(text)
    number = float(f"{float(text):.15g}")
    return text if math.isinf(number) else number


class Ledger:
    """The file of a sweep, open to be added to; `done` has what each run in it gave, by its key.

    What else is in the file stays there: runs of other values of these settings. A line that was
    being written in a crash is cut off; its run counts as not done.

    Raises ValueError, and leaves the file as it is, where a line is damaged or of another sweep, or
    where another process has it open; OSError where it cannot be written.
    """

    def __init__(self, path: str | PathLike[str], settings: Sequence[str], sweep: str) -> None:
        self.path = Path(path).absolute()  # wherever a training goes
        self.settings, self.sweep = tuple(settings), sweep
        self.results: tuple[str, ...] = ()
        self.done: dict[Key, dict[str, Cell]] = {}
        self.lines: list[list[str]] = []
        check_writable(path)
        self.held = os.path.realpath(path)
        if self.held in HELD:  # locks are a process's: its threads would all have it
            self._in_use("another sweep of this process")
        HELD.add(self.held)
        try:
            self.file = self._opened()
            self._read()
        except BaseException:
            self._let_go()
            raise

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *error: object) -> None:
        self._let_go()

    def _let_go(self) -> None:
        HELD.discard(self.held)
        if hasattr(self, "file"):
            self.file.close()

    @property
    def header(self) -> tuple[str, ...]:
        """The names of all columns."""
        return (*self.settings, *self.results, *OWN)

    def add(
        self,
        setting: Sequence[Cell],
        results: Mapping[str, Cell],
        seconds: float,
        error: str,
    ) -> None:
        """A line for a run, on the disk when this returns; after an OSError the file is as it was.

        Results that no run before it had become columns: then all of the file is written anew.
        """
        cells = {
            **dict(zip(self.settings, map(text_of, setting), strict=True)),
            **{name: text_of(cell) for name, cell in results.items()},
            **dict(zip(OWN, (repr(seconds), visible(error), self.sweep), strict=True)),
        }
        former, fresh = self.header, [name for name in results if name not in self.results]
        if fresh:
            self.results = (*self.results, *fresh)
            table = [dict(zip(former, line, strict=True)) for line in self.lines]
            self.lines = [self._in_order(line) for line in table]
        line = self._in_order(cells)
        try:
            _lock(self.file)  # anew: a lock of this kind ends where its process closes the file
        except OSError:
            self._in_use("another process")
        if fresh or not self._is_there(self.file):
            self._rewrite([*self.lines, line])
        else:
            self._append(as_csv([line]).encode())
        self.lines.append(line)
        self.done[key_of(setting)] = self._gave(line)

    def _in_order(self, cells: Mapping[str, str]) -> list[str]:
        return [cells.get(name, "") for name in self.header]

    def _gave(self, line: Sequence[str]) -> dict[str, Cell]:
        """The results of a line, its seconds and its error."""
        cells = dict(zip(self.header, map(cell_of, line), strict=True))
        error = line[-2]
        return {**{name: cells[name] for name in (*self.results, "seconds")}, "error": error}

    def _append(self, raw: bytes) -> None:
        end = self.file.seek(0, os.SEEK_END)
        try:
            if self.file.write(raw) < len(raw):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.fsync(self.file.fileno())
        except BaseException:
            with suppress(OSError):
                self.file.truncate(end)
            raise

    def _is_there(self, file: IO[bytes]) -> bool:
        """False where the file was taken away, or another put in its place, as some editors do."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _rewrite(self, lines: Iterable[Sequence[str]]) -> None:
        former = self.file
        if os.name == "nt":  # which replaces no open file; elsewhere it stays locked until then
            former.close()
        try:
            write(self.path, as_csv([self.header, *lines]))
        except BaseException:
            self.file = self._opened() if former.closed else former
            raise
        self.file = self._opened()
        former.close()

    def _opened(self, is_again: bool = False) -> IO[bytes]:
        """The file, this process's alone as long as it is open."""
        file = open(self.path, "a+b", buffering=0)  # noqa: SIM115 (it stays open)
        try:
            _lock(file)
        except OSError:
            file.close()
            self._in_use("another process")
        if not (is_again or self._is_there(file)):  # another was put in its place meanwhile
            file.close()
            return self._opened(is_again=True)
        return file

    def _in_use(self, by: str) -> NoReturn:
        raise ValueError(f"{self.path} is being written by {by}: wait for it, or stop it") from None

    # --- a file that is there ---------------------------------------------------------------------

    def _read(self) -> None:
        self.file.seek(0)
        raw = self.file.read()
        *lines, tail = raw.split(b"\n")
        if not lines:
            if not as_csv([(*self.settings, *OWN)]).encode().startswith(tail):
                self._refuse("is no file of a sweep", "no line of it ends by LF, or by CR and LF")
            self._rewrite([])
            return
        self.results = self._results_of(self._parsed(lines[0], 1))
        for number, line in enumerate(lines[1:], 2):
            if line.strip(b" ,\r"):  # a spreadsheet leaves commas where a row was emptied
                self._take(self._parsed(line, number), number)
        if tail and self._is_whole(tail):
            self._take(self._parsed(tail, len(lines) + 1), len(lines) + 1)
            self._append(b"\n")
        elif tail:
            self.file.truncate(len(raw) - len(tail))

    def _results_of(self, header: Sequence[str]) -> tuple[str, ...]:
        n, own = len(self.settings), len(OWN)
        if tuple(header[-own:]) != OWN or len({*header}) < len(header):
            names = ", ".join(OWN)
            self._refuse("is no file of a sweep", f"its first line does not end with {names}")
        if tuple(header[:n]) != self.settings or len(header) < n + own:
            there, here = ", ".join(header[:-own]), ", ".join(self.settings)
            self._refuse("is of another sweep", f"its columns are {there}; the settings are {here}")
        return tuple(header[n:-own])

    def _parsed(self, raw: bytes, number: int) -> list[str]:
        """The cells of a line; ValueError where it has none."""
        try:
            return _cells(raw)
        except (ValueError, csv.Error) as error:
            self._damaged(number, str(error))

    def _take(self, line: list[str], number: int) -> None:
        """Notes a run that the file has."""
        if len(line) != len(self.header):
            self._damaged(number, f"it has {len(line)} cells, the first line {len(self.header)}")
        if line[-1] != self.sweep:
            there, here = (text.rpartition(" ")[0] for text in (line[-1], self.sweep))
            of = f"{line[-1]!r:.100}, this one is {self.sweep!r}"
            of = "the same function with other data or options" if there == here else of
            self._refuse("is of another sweep", f"line {number} is of {of}")
        key, gave = key_of(line[: len(self.settings)]), self._gave(line)
        former = self.done.setdefault(key, gave)
        if repr(former | {"seconds": 0}) != repr(gave | {"seconds": 0}):  # nan is not equal to nan
            self._damaged(number, "a line before it is of the same run, with other results")
        self.lines.append(line)

    def _is_whole(self, tail: bytes) -> bool:
        """Whether a last line lacks nothing but its end, which an editor may have taken."""
        try:
            cells = _cells(tail)
        except (ValueError, csv.Error):
            return False
        return len(cells) == len(self.header) and cells[-1] == self.sweep

    def _damaged(self, number: int, why: str) -> NoReturn:
        raise ValueError(
            f"{self.path}: line {number} is damaged, {visible(why)}: mend it, or take it out to "
            "have it run again"
        )

    def _refuse(self, what: str, why: str) -> NoReturn:
        raise ValueError(f"{self.path} {what}: {visible(why)}. Give another path, or move the file")


def _cells(raw: bytes) -> list[str]:
    (cells,) = csv.reader(io.StringIO(raw.decode("utf-8-sig").rstrip("\r")), strict=True)
    return cells


def _lock(file: IO[bytes]) -> None:
    """OSError where another process has it; nothing where a system, or a disk, has no such locks.

    They end with their process, also by SIGKILL, and no child of it has them.
    """
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise
