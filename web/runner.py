"""Runs a program inside the playground: what it prints and shows goes to the page as it comes."""

import ast
import base64
import gc
import io
import json
import linecache
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from warnings import catch_warnings

from web.afresh import put_back
from web.errors import MOST_TEXT, PROGRAM, clipped, described

MOST_SHOWN = 200  # pictures and pages of a run
MOST_SIZE = 8_000_000  # characters of one of them
PAUSE = 0.1  # seconds after which text is sent that has no end of line yet

# What a page can show beside text, best first, and the method that gives it.
METHODS = {
    "image/svg+xml": "_repr_svg_",
    "text/html": "_repr_html_",
    "image/png": "_repr_png_",
    "text/markdown": "_repr_markdown_",
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

    display.__qualname__ = "display"
    return display


def padder(page: Page) -> Callable[..., None]:
    """The function `pad` of a program."""

    def pad(answer: Callable[[list[float]], object], title: str = "Draw here") -> None:
        """A square to draw in: `answer(pixels)` gets 64 numbers, 0 to 1, and what to show comes.

        The pixels are 8 rows of 8, as in `nn.digits`: 0 is white, 1 is ink.
        """
        if not callable(answer):
            raise TypeError(f"pad expected a function of 64 numbers, got {answer!r:.60}")
        slot = _slot(page)
        page.pads[slot] = answer
        page.send("pad", slot=slot, title=str(title))

    pad.__qualname__ = "pad"  # as errors name it
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
    told = clipped(bundle.get("text/plain") or repr(thing))
    mime = next((mime for mime in METHODS if bundle.get(mime)), "text/plain")
    content = bundle[mime] if mime in METHODS else told
    if len(content) > MOST_SIZE:
        size = f"{len(content):,} characters, {MOST_SIZE:,} can be shown"
        return "text/plain", f"{clipped(told, 200)}\n(too large for this page: {size})", told
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


# --- a run ---------------------------------------------------------------------------------------


_page: Page
_undo: Callable[[], None]


def start(post: Callable[[str], object], folder: str = "") -> None:
    """Makes ready: messages are JSON texts, and `post` takes them to the page.

    Programs run in the `folder`, which each of them finds empty.
    """
    global _page, _undo  # noqa: PLW0603 (one worker has one page)
    _page = Page(post)
    __import__("nn")  # so that the first run need not wait for it
    _undo = put_back(folder)


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
    _undo()  # what a program did to Python and to this project ends with it
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
        with (
            redirect_stdout(Stream(page, "out")),
            redirect_stderr(Stream(page, "err")),
            catch_warnings(),
        ):
            yield
    except KeyboardInterrupt:
        page.send("stopped")
    except SystemExit as end:
        if end.code not in (None, 0):
            page.write("err", f"The program ended itself: {end.code}\n")
    except BaseException as error:
        page.send("error", **described(error, __file__))
    page.send("done", seconds=time.monotonic() - began)
