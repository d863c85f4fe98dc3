"""One run of a sweep, as a worker does it: looks whether it can, runs, and gives plain results."""

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from engine.value import Value
from nn.ledger import OWN, Cell, cell_of, text_of
from nn.processes import LONGEST, line_of, other_than

MOST_BITS = 10_000  # of an int: Python writes no longer ones
Train = Callable[..., Mapping[str, Any]]


class Outcome(NamedTuple):
    """What a run gave, or the error it ended with; and how long it took."""

    results: Mapping[str, Cell]
    error: str
    seconds: float


def run(
    theirs: str, asker: tuple[int, int], train: bytes | Train, setting: Mapping[str, Cell] | None
) -> Any:
    """One run, in a worker: an Outcome as a plain tuple, or, in a text, why there can be none.

    `theirs` is the code of who asks, as `ours()` has it; `asker` is its process and the number of
    this call, so that Dask, which keeps what it knows, has no two calls that are the same. Without
    a setting nothing is run: "" where it could be.
    """
    is_here = asker[0] == os.getpid()
    if not is_here and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the sweep, which ends us
    if words := other_than(theirs):
        return words
    try:
        function = pickle.loads(train) if isinstance(train, bytes) else train
    except Exception as error:
        return (
            f"a worker cannot import the function to train with ({line_of(error)}): put it in a "
            "file that the workers have too, and can import (PYTHONPATH)"
        )
    return "" if setting is None else tuple(_run(function, setting, is_here))


def _run(train: Train, setting: Mapping[str, Cell], is_here: bool) -> Outcome:
    start, results, error = time.perf_counter(), dict[str, Cell](), ""
    try:
        results = checked(train(**setting), setting)
    except BaseException as raised:
        if isinstance(raised, KeyboardInterrupt) and is_here:
            raise
        error = line_of(raised)
    return Outcome(results, error, time.perf_counter() - start)


def checked(results: Any, setting: Mapping[str, Cell]) -> dict[str, Cell]:
    """Results as the file gives them back; TypeError or ValueError for what cannot stand there."""
    if not isinstance(results, Mapping):
        kind = type(results).__name__
        raise TypeError(f"train expected to give results by name, {{'loss': 0.5}}, got {kind}")
    for name in results:
        if not isinstance(name, str) or name in (*setting, *OWN) or not name.isprintable():
            raise ValueError(f"a result cannot be called {name!r:.40}: that is another column")
    found = {name: plain(name, x) for name, x in results.items()}
    for name, x in found.items():
        if isinstance(x, str) and len(x) > LONGEST:
            raise ValueError(f"{name} expected at most {LONGEST:,} letters, got {len(x):,}")
    return {name: cell_of(text_of(x)) for name, x in found.items()}


def plain(name: str, x: Any) -> Cell:
    """A number or a text of Python, also where it was a Value's or NumPy's; TypeError for others.

    >>> plain("loss", 1), plain("loss", 0.5), plain("kind", None)
    (1, 0.5, None)
    """
    x = x.data if isinstance(x, Value) else x
    item = getattr(x, "item", None)
    found = item() if callable(item) and getattr(x, "shape", None) == () else x
    if isinstance(found, int) and found.bit_length() > MOST_BITS:
        raise TypeError(f"{name} expected a number of at most {MOST_BITS} bits")
    for kind in (bool, int, float, str):
        if isinstance(found, kind):
            return kind(found)  # of a class of its own, such as an enum's, the number
    if found is None:
        return None
    raise TypeError(f"{name} expected a number or a text, got {x!r:.60}")
