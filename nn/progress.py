"""What surrounds a long loop: a line that shows how far it is, and a Ctrl-C that waits."""

import gc
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Protocol

SECONDS_BETWEEN_REPORTS = 0.1
SECONDS_BETWEEN_LINES = 5.0  # in a file, where each report stays
SECONDS_BEFORE_STAGES = 1.0
WIDTH = 79

Report = Callable[[int, object], None]


class Interrupt:
    """`with Interrupt() as interrupt:` a first Ctrl-C only sets `asked`; a second one raises.

    So no step is cut in half. Outside the main thread, and where the program has a handler of its
    own, nothing changes.
    """

    asked = False

    def __enter__(self) -> "Interrupt":
        self._ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._ours:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def collector_paused() -> Iterator[None]:
    """Inside, the garbage collector rests: it looks for cycles, and graphs have none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def collector_put_off() -> Iterator[None]:
    """The same for a whole command, which most often ends the process: nor are cycles looked for
    as soon as it is done.

    What it leaves is among the old objects then, which are looked at when there are many more.
    """
    with collector_paused():
        try:
            yield
        finally:
            if hasattr(gc, "freeze") and not gc.get_freeze_count():  # PyPy has none
                gc.freeze()
                gc.unfreeze()


@contextmanager
def reporting(wanted: bool | None, total: int, unit: str = "step") -> Iterator[Report]:
    """`report(done, state)` shows on stderr how many of `total` are done, ten times a second.

    A bar where tqdm is installed, else a line. `wanted=None`: only where stderr is a terminal.
    Where it is none, such as a file, plain lines: one in five seconds, none of a shorter loop.
    """
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    if sys.stderr is None or not (is_terminal if wanted is None else wanted):
        yield _nothing
        return
    show, close = _display(total, unit) if is_terminal else (partial(_show_plain, total), _no_end)
    pause = SECONDS_BETWEEN_REPORTS if is_terminal else SECONDS_BETWEEN_LINES
    latest = shown = None
    start = time.monotonic()
    shown_at = -math.inf if is_terminal else start

    def report(done: int, state: object) -> None:
        nonlocal latest, shown, shown_at
        latest = done, state
        now = time.monotonic()
        if now - shown_at >= pause:
            show(done, state)
            shown, shown_at = latest, now

    try:
        yield report
    finally:
        if latest and shown_at != start and latest is not shown:
            show(*latest)
        close()


def _nothing(done: int, state: object) -> None:
    pass


def _display(total: int, unit: str) -> tuple[Report, Callable[[], None]]:
    try:
        from tqdm import tqdm
    except ImportError:
        return partial(_show_line, total), _end_line
    bar = tqdm(total=total, unit=unit, mininterval=0)

    def show(done: int, state: object) -> None:
        bar.set_postfix_str(str(state), refresh=False)
        bar.update(done - bar.n)

    return show, bar.close


def _show_line(total: int, done: int, state: object) -> None:
    line = f"{done} of {total}: {state}"[:WIDTH]
    print(f"\r{line:<{WIDTH}}", end="", file=sys.stderr, flush=True)


def _end_line() -> None:
    print(file=sys.stderr)


def _show_plain(total: int, done: int, state: object) -> None:
    print(f"{done:,} of {total:,}: {state}", file=sys.stderr, flush=True)


def _no_end() -> None:
    pass


class Stage(Protocol):
    """What is told of each stage of some work, before it begins."""

    def __call__(self, words: str, is_long: bool = False) -> None:
        """Takes words for the stage; `is_long` if it takes seconds."""


def no_stage(words: str, is_long: bool = False) -> None:
    """Says nothing."""


def stages() -> Stage:
    """A Stage that says on stderr what is being done, in plain lines, once work takes long.

    The first line comes after a second, or before a long stage; others each five seconds.
    """
    due = time.monotonic() + SECONDS_BEFORE_STAGES

    def stage(words: str, is_long: bool = False) -> None:
        nonlocal due
        now = time.monotonic()
        if (is_long or now >= due) and sys.stderr is not None:
            print(f"{words} ...", file=sys.stderr, flush=True)
            due = now + SECONDS_BETWEEN_LINES

    return stage
