"""Work in a thread beside the program: one piece at a time, ended with it, gone where it forks."""

import atexit
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from engine.fork import after_fork

PATIENCE = 2.0  # seconds that the end of the program waits for work that was stopped

T = TypeVar("T")


class Work(Generic[T]):
    """A function that runs in a thread, after those that were begun before.

    >>> work = Work(lambda: 6 * 7)
    >>> while not work.is_done:
    ...     time.sleep(0.001)
    >>> work.result
    42
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self.is_done = False
        self.is_lost = False  # in the child of a fork, where its thread is not
        self.result: T | None = None
        self.error = ""  # what it raised, in words: a traceback would hold what is done with
        self._function = function
        if sys.platform == "emscripten":  # a web page, where no thread can be started
            self._run()
            return
        self._thread = _Thread(target=self._run, name="brickgrad", daemon=True)
        _unfinished.add(self)
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads, or none at all on such a system
            self.error, self.is_done = str(error), True

    def wait(self, seconds: float) -> None:
        """Waits until it is done, but no longer."""
        if not self.is_done:  # it is at once where no thread could be started
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            with _one_at_a_time:
                go_on()
                self.result = self._function()
        except BaseException as error:
            self.error = str(error) or repr(error)
        finally:
            self.is_done = True
            _unfinished.discard(self)


class _Thread(threading.Thread):
    """One that works beside the program."""


_unfinished: WeakSet[Work[Any]] = WeakSet()
_one_at_a_time = threading.Lock()
_is_ending = threading.Event()
_stops: list[Callable[[], None]] = []


def stops(stop: Callable[[], None]) -> Callable[[], None]:
    """Has a function called when the program ends, to stop what works beside it (a decorator)."""
    _stops.append(stop)
    return stop


def go_on() -> None:
    """Raises RuntimeError in work beside a program that ends."""
    if _is_ending.is_set() and isinstance(threading.current_thread(), _Thread):
        raise RuntimeError("the program ends")


@atexit.register
def _end() -> None:
    _is_ending.set()
    for stop in _stops:
        stop()
    latest = time.monotonic() + PATIENCE
    for work in list(_unfinished):
        work._thread.join(max(0.0, latest - time.monotonic()))


@after_fork
def _renew() -> None:
    """In the child of a fork no other thread is left."""
    global _one_at_a_time  # noqa: PLW0603 (the old lock stays taken)
    _one_at_a_time = threading.Lock()
    for work in list(_unfinished):
        work.is_lost = True
    _unfinished.clear()
