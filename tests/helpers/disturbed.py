"""Code that a debugger steps through, that an exception stops anywhere, or that threads share."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from types import CodeType, FrameType
from typing import Any

Belongs = Callable[[CodeType], bool]


@contextmanager
def traced(belongs: Belongs, at_line: Callable[[FrameType], None]) -> Iterator[None]:
    """Calls `at_line` before each line of the code that belongs."""

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if not belongs(frame.f_code):
            return None
        if event == "line":
            at_line(frame)
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(former)


def stopped(
    belongs: Belongs, line: int, error: type[BaseException] = KeyboardInterrupt
) -> AbstractContextManager[None]:
    """Raises before a line, counted from 0 as they run, of the code that belongs."""
    lines = count()

    def at_line(_: FrameType) -> None:
        if next(lines) == line:
            raise error

    return traced(belongs, at_line)


def in_threads(work: Callable[[int], Any], threads: int) -> list[Any]:
    """work(0), work(1), ... in threads that take turns all the time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(work, range(threads)))
    finally:
        sys.setswitchinterval(interval)
