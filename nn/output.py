"""Lets a command finish its work where what it prints is lost, such as in a closed pipe."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Steady:
    """A stream that takes texts also after it broke; the first error is kept in `lost`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes, if the stream still takes texts."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """The same for what was written before."""
        self._try(self._stream.flush)

    def _try(self, do: Callable[[], object]) -> None:
        if self.lost is None:
            try:
                do()
            except OSError as error:
                self.lost = error
                _close_quietly(self._stream)


def show_as_codes(stream: TextIO | None) -> None:
    """From now on a stream writes letters that its encoding lacks as codes, and does not fail.

    So does stderr by itself. On Windows a file or a pipe has an old encoding of few letters.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


@contextmanager
def steady_output() -> Iterator[Callable[[], OSError | None]]:
    """Inside, no `print` fails. Gives what asks for the error of stdout that is no closed pipe."""
    out, err = sys.stdout, sys.stderr
    steady: Any = [None if stream is None else Steady(stream) for stream in (out, err)]
    sys.stdout, sys.stderr = steady

    def lost() -> OSError | None:
        if steady[0] is None:
            return None
        steady[0].flush()
        found: OSError | None = steady[0].lost
        return None if isinstance(found, BrokenPipeError) else found

    try:
        yield lost
    finally:
        for stream in filter(None, steady):
            stream.flush()
        sys.stdout, sys.stderr = out, err


def _close_quietly(stream: TextIO) -> None:
    """Lets what is still in a broken stream go nowhere, so that Python's exit does not fail."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
