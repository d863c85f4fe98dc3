"""One sweep of a graph at a time: marks and adjoints live in the nodes."""

import sys
import threading
from collections.abc import Callable
from types import CodeType
from typing import TypeVar

from engine.fork import after_fork

F = TypeVar("F", bound=Callable[..., object])

lock = threading.RLock()
_alone: set[CodeType] = set()


@after_fork
def _renew() -> None:
    """In the child of a fork other threads are gone, with the locks they held."""
    global lock  # noqa: PLW0603 (the old lock stays taken)
    lock = threading.RLock()


def sweeps(function: F) -> F:
    """Marks a function that looks through a graph under the lock: nothing may come in between."""
    _alone.add(function.__code__)
    return function


def check_alone() -> None:
    """RuntimeError in code that interrupts a sweep of its own thread."""
    owned = lock._is_owned()  # type: ignore[attr-defined]  # as threading.Condition asks
    frame = sys._getframe(1).f_back if owned else None
    while frame:
        if frame.f_code in _alone:
            raise RuntimeError(
                "this thread is in the middle of a backward or a sort, interrupted by a signal "
                "handler or __del__: set a flag there, and use graphs afterwards"
            )
        frame = frame.f_back
