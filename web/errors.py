"""Errors of a reader's program in plain words: where it went wrong, what that means, what to do."""

import linecache
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from types import TracebackType
from typing import Any

PROGRAM = "program.py"  # what the reader's code is called in a traceback
MOST_TEXT = 100_000  # characters that a run may print
MOST_CALLS = 20  # of a traceback, the last ones
HOMES = ("engine", "nn")  # where names are looked for that were not imported

PACKAGES = "Here are Python's own modules, engine and nn. Others cannot be loaded"
PLAIN = {
    "AssertionError": "An assert says what must be true here, and it is not.",
    "FileNotFoundError": "A page has no files of yours: write the data into the code.",
    "EOFError": "Nobody can type here while a program runs: write what it asks for into the code.",
    "ImportError": f"{PACKAGES}.",
    "IndentationError": "Lines that belong together begin at the same column.",
    "IndexError": "A list of n things has the places 0 to n - 1.",
    "MemoryError": "The program needs more memory than a page has. Make it smaller.",
    "ModuleNotFoundError": f"{PACKAGES}: lists and math do what small programs need.",
    "NameError": "Nothing has this name yet. Is it spelt right, and made before this line?",
    "RecursionError": "A function called itself, and that again, too many times.",
    "ZeroDivisionError": "Nothing can be divided by 0.",
}
SAID = {  # a part of what Python says, and that in plain words
    "can't start new thread": "A page has no threads: call the function itself.",
    "does not support processes": "A page has no other programs: there is this one alone.",
    "Cannot stack switch": "A page cannot wait inside a program: call what needs no await.",
    "TLS not supported": "A page asks no address: write the data into the code.",
    "urlopen error": "A page asks no address: write the data into the code.",
    "'await' outside function": "A page cannot wait inside a program: call what needs no await.",
    "'method'": "A method is called with brackets: v.tanh() is a Value, v.tanh is none.",
    "'function' object has no": "A function is called with brackets: f() gives what it makes.",
    "No module named 'tkinter'": "A page has no windows: display(...) shows things here.",
    "No module named 'turtle'": "A page has no windows: display(...) shows things here.",
}
TYPED = {  # a line that is no Python, and what it wants
    r"\s*[!%]?\s*(python3? -m )?pip3? ": f"{PACKAGES}.",
    r"\s*(>>>|In \[\d*\]:)": "This was copied with its prompt: take the >>> away.",
    r"\s*[!%]": "This is for notebooks: here it is Python alone.",
}


def described(error: BaseException, hidden: str) -> dict[str, Any]:
    """An error in plain words: where in the program, what, and through which calls it came.

    Lines and columns count from 1, columns in characters; `line` is 0 where none of the program's
    is known. Calls in the file `hidden` are left out.
    """
    told = traceback.TracebackException(type(error), error, error.__traceback__, limit=-MOST_CALLS)
    name = type(error).__name__
    is_syntax = isinstance(error, SyntaxError) and error.filename == PROGRAM
    if isinstance(error, SyntaxError) and is_syntax:
        where = (error.lineno or 0, error.offset or 0, error.end_lineno, error.end_offset or 0)
        words = error.msg
    else:
        where = _place(error.__traceback__)
        words = "".join(told.format_exception_only()).strip().removeprefix(name).lstrip(": ")
    line, column, end_line, end = where
    return {
        "name": name,
        "words": clipped(words, 4_000),
        "plain": _plain(error, words, linecache.getline(PROGRAM, line) if is_syntax else ""),
        "is_syntax": is_syntax,
        "line": line,
        "column": column,
        "end": end if end_line == line else 0,
        "calls": "" if is_syntax else clipped("".join(_calls(told, hidden)), 10_000),
    }


def clipped(text: str, most: int = MOST_TEXT) -> str:
    """A text, or as much of it as is shown.

    >>> clipped("abcdef", 4)
    'abcd\\n... 2 characters more are left out'
    """
    if len(text) <= most:
        return text
    return f"{text[:most]}\n... {len(text) - most:,} characters more are left out"


def _plain(error: BaseException, words: str, line: str) -> str:
    """What an error means in a page; "" where its own words are all."""
    typed = [plain for pattern, plain in TYPED.items() if line and re.match(pattern, line)]
    said = [SAID[part] for part in SAID if part in words]
    kinds = [PLAIN[c.__name__] for c in type(error).__mro__ if c.__name__ in PLAIN]
    return next(iter([*typed, *said, *_meant(error, words), *kinds]), "")


def _meant(error: BaseException, words: str) -> Iterator[str]:
    """What a name was meant to be, where Python itself has no guess."""
    name = getattr(error, "name", None) or ""
    if isinstance(error, NameError):
        homes = (home for home in HOMES if hasattr(sys.modules.get(home), name))
        yield from (f"Write this first: from {home} import {name}" for home in homes)
    elif isinstance(error, ModuleNotFoundError):
        yield from _near(name, {*sys.stdlib_module_names, *HOMES})
    elif isinstance(error, AttributeError) and "id you mean" not in words:
        with suppress(Exception):  # the program's own __dir__ may fail
            yield from _near(name, dir(error.obj))


def _near(name: str, names: Iterable[str]) -> Iterator[str]:
    known = [known for known in names if not known.startswith("_")]
    for found in get_close_matches(name, known, n=1, cutoff=0.7):
        yield f"Did you mean {found}?"


def _place(trace: TracebackType | None) -> tuple[int, int, int, int]:
    """Where the program's own code was last."""
    found = (0, 0, 0, 0)
    while trace:
        code = trace.tb_frame.f_code
        if code.co_filename == PROGRAM:
            positions = list(code.co_positions())[trace.tb_lasti // 2]
            line, end_line, *columns = (place or 0 for place in positions)
            column, end = map(_characters, (line, end_line), columns)
            found = (trace.tb_lineno or line, column + 1, end_line, end + 1)
        trace = trace.tb_next
    return found


def _characters(line: int, column: int) -> int:
    """How many characters of a line so many bytes are, by which Python counts."""
    return len(linecache.getline(PROGRAM, line).encode()[:column].decode(errors="ignore"))


def _calls(told: traceback.TracebackException, hidden: str) -> Iterator[str]:
    """The traceback as Python prints it, without the frames of a file."""
    one: traceback.TracebackException | None = told
    while one:
        kept = [frame for frame in one.stack if frame.filename != hidden]
        one.stack = traceback.StackSummary.from_list(kept)
        one = one.__cause__ or one.__context__
    return told.format()
