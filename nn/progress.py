"""What stands around a long loop: a line that shows how far it is, and a Ctrl-C that waits."""

import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

SECONDS_BETWEEN_REPORTS = 0.1
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
    """Graphs have no cycles: looking for some in them is time lost."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def reporting(wanted: bool | None, total: int) -> Iterator[Report]:
    """`report(done, state)` shows on stderr how many of `total` are done, ten times a second.

    A bar where tqdm is installed, else a line. `wanted=None`: only where stderr is a terminal.
    """
    if wanted is None:
        wanted = sys.stderr is not None and sys.stderr.isatty()
    if not wanted:
        yield _nothing
        return
    show, close = _display(total)
    latest: tuple[int, object] | None = None
    shown_at = -float("inf")

    def report(done: int, state: object) -> None:
        nonlocal latest, shown_at
        latest = done, state
        now = time.monotonic()
        if now - shown_at >= SECONDS_BETWEEN_REPORTS:
            show(done, state)
            shown_at = now

    try:
        yield report
    finally:
        if latest:
            show(*latest)
        close()


def _nothing(done: int, state: object) -> None:
    pass


def _display(total: int) -> tuple[Report, Callable[[], None]]:
    try:
        from tqdm import tqdm
    except ImportError:
        return partial(_show_line, total), _end_line
    bar = tqdm(total=total, unit="step", mininterval=0)

    def show(done: int, state: object) -> None:
        bar.set_postfix_str(str(state), refresh=False)
        bar.update(done - bar.n)

    return show, bar.close


def _show_line(total: int, done: int, state: object) -> None:
    line = f"{done} of {total}: {state}"[:WIDTH]
    print(f"\r{line:<{WIDTH}}", end="", file=sys.stderr, flush=True)


def _end_line() -> None:
    print(file=sys.stderr)
