"""What processes of one job tell one another: which code they run, and errors in a line."""

import hashlib
import pickle
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine import fork
from engine.pictures.texts import visible
from engine.replay.witness import outside

LISTEN = 0.5  # seconds between two looks at what may have come: Ctrl-C, or a pool that broke
LONGEST = 10_000  # letters of a text that is kept
PATIENCE = 30.0  # seconds after which somebody who waits is told so


def installed() -> str:
    """The version of brickgrad, where it is installed."""
    try:
        return version("brickgrad")
    except PackageNotFoundError:
        return "of no version"


@cache
def ours() -> str:
    """This package and Python, in a line that is the same where the same code runs.

    Two versions of the package in work have one number, so their files are told apart too.

    >>> ours() == ours()
    True
    """
    digest = hashlib.sha256()
    for folder in (Path(fork.__file__).parent, Path(__file__).parent):
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes())
    python = ".".join(map(str, sys.version_info[:2]))
    return f"brickgrad {installed()} (files {digest.hexdigest()[:8]}) and Python {python}"


def other_than(theirs: str) -> str:
    """What to do where who asks, with `theirs`, has other code than this process; else "".

    >>> other_than(ours())
    ''
    """
    if theirs == ours():
        return ""
    return (
        f"a worker has {ours()}, who asks has {theirs}: install the same in both, and start the "
        "workers anew"
    )


def line_of(error: BaseException) -> str:
    """An error in a line.

    >>> line_of(ValueError("no\\nlr"))
    'ValueError: no lr'
    """
    try:
        words = shortened(" ".join(str(error).split()))
    except Exception:  # an error of a user's may have no words
        words = ""
    return visible(f"{type(error).__name__}: {words}" if words else type(error).__name__)


class _Call:
    """A call that is made where this is unpickled, and gives its answer there."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


def call_of(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[..., Any], bytes]:
    """A function of this package and its arguments, as a worker can be sent them.

    One that cannot import the package has an error to tell then; if it was sent the function
    itself, Dask's would end by it, and who asks wait forever.

    >>> function, argument = call_of(line_of, ValueError("no"))
    >>> function(argument)
    'ValueError: no'
    """
    return pickle.loads, pickle.dumps(_Call(function, arguments), pickle.HIGHEST_PROTOCOL)


def sent(executor: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """The future of a task; BrokenExecutor where the executor lost its workers, also just now."""
    try:
        return executor.submit(function, *arguments)
    except OSError as error:
        if is_broken(executor):  # its pipe was closed while this task was on its way
            raise BrokenExecutor(line_of(error)) from error
        raise


def is_broken(executor: Any) -> bool:
    """Whether a pool of processes lost one: those of `concurrent.futures` and of loky say so."""
    flags = getattr(executor, "_flags", None)
    why = getattr(executor, "_broken", None) or getattr(flags, "broken", None)
    return hasattr(executor, "_processes") and isinstance(why, str | BaseException)


def call_off(executor: Any, futures: Iterable[Any]) -> None:
    """Cancels what has not begun; not in a pool that breaks, whose thread sets these itself.

    In Python 3.11 it ends where one is cancelled before it comes to it, and the program waits for
    its processes forever.
    """
    if not is_broken(executor):
        for future in futures:
            with suppress(Exception):
                future.cancel()


def shortened(text: str) -> str:
    """A text that fits in a line of a file, cut in the middle where it is too long."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"


def awaited(future: Any, executor: Any = None) -> Any:
    """What a future gives, whenever that is; a RuntimeWarning where no answer comes for long.

    An executor without workers takes tasks and never says a word. One that breaks while it is
    given a task may forget that one: then BrokenExecutor.
    """
    began, is_told = time.monotonic(), False
    while True:
        was_broken = is_broken(executor)
        try:
            return future.result(timeout=min(LISTEN, PATIENCE))
        except TimeoutError:
            if future.done():  # it is the task's own, or came just now
                return future.result()
        if was_broken:
            raise BrokenExecutor("a worker ended while it was given a task")
        if not is_told and time.monotonic() - began > PATIENCE:
            is_told = True
            warnings.warn(
                f"no worker has answered for {PATIENCE:.0f} s: the executor may have none, or "
                "they are at work still (Ctrl-C ends the wait)",
                RuntimeWarning,
                stacklevel=outside(),
            )
