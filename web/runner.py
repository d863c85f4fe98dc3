"""Runs a program inside the playground: what it prints and shows goes to the page as it comes."""

import ast
import base64
import builtins
import gc
import io
import json
import linecache
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from types import ModuleType, TracebackType
from typing import Any

PROGRAM = "program.py"  # what the reader's code is called in a traceback
MOST_TEXT = 100_000  # characters that a run may print
MOST_SHOWN = 200  # pictures and pages of a run
MOST_SIZE = 8_000_000  # characters of one of them
MOST_CALLS = 20  # of a traceback, the last ones
PAUSE = 0.1  # seconds after which text is sent that has no end of line yet

# What a page can show beside text, best first, and the method that gives it.
METHODS = {
    "image/svg+xml": "_repr_svg_",
    "text/html": "_repr_html_",
    "image/png": "_repr_png_",
    "text/markdown": "_repr_markdown_",
}
PLAIN = {
    "AssertionError": "An assert says what must be true here, and it is not.",
    "FileNotFoundError": "A page has no files of yours: write the data into the code.",
    "EOFError": "Nobody can type here while a program runs: write what it asks for into the code.",
    "ImportError": "Here are Python's own modules, engine and nn. Others cannot be loaded.",
    "IndentationError": "Lines that belong together begin at the same column.",
    "IndexError": "A list of n things has the places 0 to n - 1.",
    "MemoryError": "The program needs more memory than a page has. Make it smaller.",
    "ModuleNotFoundError": "Here are Python's own modules, engine and nn. Others cannot be loaded.",
    "NameError": "Nothing has this name yet. Is it spelt right, and made before this line?",
    "RecursionError": "A function called itself, and that again, too many times.",
    "ZeroDivisionError": "Nothing can be divided by 0.",
}
ABSENT = {  # a part of what Python says where a page lacks something, and that in plain words
    "can't start new thread": "A page has no threads: call the function itself.",
    "does not support processes": "A page has no other programs: there is this one alone.",
    "Cannot stack switch": "A page cannot wait inside a program: call what needs no await.",
    "TLS not supported": "A page asks no address: write the data into the code.",
    "urlopen error": "A page asks no address: write the data into the code.",
    "'await' outside function": "A page cannot wait inside a program: call what needs no await.",
}


class Page:
    """Where the messages go, and what of them has been used up in this run."""

    def __init__(self, post: Callable[[str], object]) -> None:
        self.post = post
        self.pads: dict[int, Callable[[list[float]], object]] = {}
        self.begin()

    def begin(self) -> None:
        """A new run, with all its room."""
        self.pads.clear()
        self.shown = 0
        self.room = MOST_TEXT
        self.left_out = 0
        self.stream, self.waiting = "", list[str]()
        self.sent = 0.0

    def send(self, kind: str, **content: Any) -> None:
        """A message, after the text that came before it."""
        self.flush()
        self.post(json.dumps({"kind": kind, **content}))

    def write(self, stream: str, text: str) -> None:
        """Text of a stream, sent by lines; what does not fit is counted."""
        if stream != self.stream:
            self.flush()
        fits = text[: self.room]
        self.room -= len(fits)
        self.left_out += len(text) - len(fits)
        self.stream = stream
        self.waiting.append(fits)
        if "\n" in fits or time.monotonic() - self.sent > PAUSE:
            self.flush()

    def flush(self) -> None:
        """Sends the text that waits."""
        text, self.waiting, self.sent = "".join(self.waiting), [], time.monotonic()
        if text:
            self.post(json.dumps({"kind": "text", "stream": self.stream, "text": text}))
        if self.left_out:
            self.post(json.dumps({"kind": "left out", "characters": self.left_out}))


class Stream(io.TextIOBase):
    """What stdout or stderr is while a program runs."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.stream = page, name

    def writable(self) -> bool:
        """As `print` asks."""
        return True

    def write(self, text: str) -> int:
        """To the page."""
        self.page.write(self.stream, text)
        return len(text)

    def flush(self) -> None:
        """At once."""
        self.page.flush()


# --- what a program can show ---------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """Something that is shown, and can be shown anew in its place."""

    slot: int
    page: Page = field(repr=False)

    def update(self, thing: object) -> None:
        """Shows another thing in its place."""
        mime, content, told = looks(thing)
        self.page.send("show", slot=self.slot, mime=mime, content=content, told=told)


def displayer(page: Page) -> Callable[..., Shown | None]:
    """The function `display` of a program, as notebooks have it."""

    def display(*things: object, display_id: object = None) -> Shown | None:
        """Shows things; with `display_id=True` gives a handle: `handle.update(thing)`."""
        handle = None
        for thing in things:
            handle = Shown(_slot(page), page)
            handle.update(thing)
        return handle if display_id else None

    return display


def padder(page: Page) -> Callable[..., None]:
    """The function `pad` of a program."""

    def pad(answer: Callable[[list[float]], object], title: str = "Draw here") -> None:
        """A square to draw in: `answer(pixels)` gets 64 numbers, 0 to 1, and what to show comes.

        The pixels are 8 rows of 8, as in `nn.digits`: 0 is white, 1 is ink.
        """
        slot = _slot(page)
        page.pads[slot] = answer
        page.send("pad", slot=slot, title=title)

    return pad


def _slot(page: Page) -> int:
    if page.shown == MOST_SHOWN:
        raise RuntimeError(
            f"a run shows {MOST_SHOWN} things at most; to change one that is shown: "
            "handle = display(thing, display_id=True), then handle.update(other)"
        )
    page.shown += 1
    return page.shown


def looks(thing: object) -> tuple[str, str, str]:
    """How a page shows a thing: the kind, its content, and the thing in words.

    >>> looks([1, 2])
    ('text/plain', '[1, 2]', '[1, 2]')
    """
    bundle = _bundle(thing)
    told = _clipped(bundle.get("text/plain") or repr(thing))
    mime = next((mime for mime in METHODS if bundle.get(mime)), "text/plain")
    content = bundle[mime] if mime in METHODS else told
    if len(content) > MOST_SIZE:
        size = f"{len(content):,} characters, {MOST_SIZE:,} can be shown"
        return "text/plain", f"{_clipped(told, 200)}\n(too large for this page: {size})", told
    return mime, content, told


def _bundle(thing: object) -> Mapping[str, str]:
    """What a thing is in the kinds that it knows."""
    if isinstance(thing, type):
        return {}
    if isinstance(thing, str):
        return {"text/plain": thing}
    if hasattr(thing, "_repr_mimebundle_"):
        return dict(thing._repr_mimebundle_() or {})
    found = {}
    for mime, method in METHODS.items():
        given = getattr(thing, method, lambda: None)()
        if given is not None:
            found[mime] = base64.b64encode(given).decode() if isinstance(given, bytes) else given
    return found


def _clipped(text: str, most: int = MOST_TEXT) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}\n... {len(text) - most:,} characters more are left out"


# --- a run ---------------------------------------------------------------------------------------


_page: Page
_own = dict(vars(builtins))  # as they were before any program


def start(post: Callable[[str], object]) -> None:
    """Makes ready: messages are JSON texts, and `post` takes them to the page."""
    global _page  # noqa: PLW0603 (one worker has one page)
    _page = Page(post)
    __import__("nn")  # so that the first run need not wait for it


def free(all: bool) -> None:
    """Forgets the program that has run; with `all` also one whose pads are in use."""
    if all or not _page.pads:
        _page.pads.clear()
        sys.modules["__main__"] = ModuleType("__main__")
        gc.collect()


def run(code: str) -> None:
    """Runs a program as a new `__main__`, and shows the value of its last expression."""
    page = _page
    page.begin()
    vars(builtins).update(_own)  # what a program did to them ends with it
    main = ModuleType("__main__")
    main.__dict__.update(display=displayer(page), pad=padder(page))
    sys.modules["__main__"] = main
    linecache.cache[PROGRAM] = (len(code), None, code.splitlines(keepends=True), PROGRAM)
    with _reported(page):
        tree = ast.parse(code, PROGRAM)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            tree.body.pop()
        exec(compile(tree, PROGRAM, "exec", dont_inherit=True), main.__dict__)
        if isinstance(last, ast.Expr):
            shown = ast.Expression(last.value)
            value = eval(compile(shown, PROGRAM, "eval", dont_inherit=True), main.__dict__)
            if value is not None:
                thing = repr(value) if isinstance(value, str) else value
                Shown(_slot(page), page).update(thing)


def call(slot: int, numbers: Sequence[float]) -> None:
    """Asks a pad's function, and shows what it gives."""
    answer = _page.pads.get(slot)
    if answer is not None:
        with _reported(_page):
            value = answer(list(numbers))
            if value is not None:
                Shown(-slot, _page).update(value)


@contextmanager
def _reported(page: Page) -> Iterator[None]:
    """Sends what is printed inside, then how it ended."""
    began = time.monotonic()
    try:
        with redirect_stdout(Stream(page, "out")), redirect_stderr(Stream(page, "err")):
            yield
    except KeyboardInterrupt:
        page.send("stopped")
    except SystemExit as end:
        if end.code not in (None, 0):
            page.write("err", f"The program ended itself: {end.code}\n")
    except BaseException as error:
        page.send("error", **described(error))
    page.send("done", seconds=time.monotonic() - began)


def described(error: BaseException) -> dict[str, Any]:
    """An error in plain words: where in the program, what, and through which calls it came.

    Lines and columns count from 1; `line` is 0 where none of the program's is known.
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
        "words": _clipped(words, 4_000),
        "plain": _plain(type(error), words),
        "is_syntax": is_syntax,
        "line": line,
        "column": column,
        "end": end if end_line == line else 0,
        "calls": "" if is_syntax else _clipped("".join(_calls(told)), 10_000),
    }


def _plain(kind: type[BaseException], words: str) -> str:
    """What an error means in a page; "" where its own words are all."""
    said = [ABSENT[part] for part in ABSENT if part in words]
    return next(
        iter([*said, *(PLAIN[c.__name__] for c in kind.__mro__ if c.__name__ in PLAIN)]), ""
    )


def _place(trace: TracebackType | None) -> tuple[int, int, int, int]:
    """Where the program's own code was last."""
    found = (0, 0, 0, 0)
    while trace:
        code = trace.tb_frame.f_code
        if code.co_filename == PROGRAM:
            positions = list(code.co_positions())[trace.tb_lasti // 2]
            line, end_line, column, end = (place or 0 for place in positions)
            found = (trace.tb_lineno or line, column + 1, end_line, end + 1)
        trace = trace.tb_next
    return found


def _calls(told: traceback.TracebackException) -> Iterator[str]:
    """The traceback as Python prints it, without the frames of this file."""
    one: traceback.TracebackException | None = told
    while one:
        kept = [frame for frame in one.stack if frame.filename != __file__]
        one.stack = traceback.StackSummary.from_list(kept)
        one = one.__cause__ or one.__context__
    return told.format()
