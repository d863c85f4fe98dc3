"""Contenders in processes of their own, asked for one step each, in turn.

In one process the garbage of one contender is collected on the time of another.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from traceback import format_exc
from typing import Any, NamedTuple


class Measured(NamedTuple):
    """One step: the loss (or result) it computed, and what it cost in the unit of the work."""

    result: float
    amount: float


class Turns(Iterator[int]):
    """The steps of one contender: each begins when it is asked for.

    `turns.take(step)` calls `step(number) -> loss` for all of them. Where that does not fit,
    `next(turns)` waits for a step and `turns.done(loss)` ends it. All before the first is set-up.
    """

    def __init__(self, steps: int, pipe: "Connection[Any, Any]") -> None:
        self.steps, self.pipe = steps, pipe
        self.taken = 0
        self.start = 0.0

    def __next__(self) -> int:
        if self.taken == self.steps:
            raise StopIteration
        if self.taken == 0:
            gc.collect()
            gc.freeze()
        self.pipe.recv()
        self.start = time.perf_counter()
        return self.taken

    def take(self, step: Callable[[int], float]) -> None:
        """All steps; the graph of one is gone before the next begins."""
        for number in self:
            self.done(step(number))

    def done(self, result: float, amount: float | None = None) -> None:
        """Ends a step; it costs the milliseconds it took where there is no other `amount`."""
        elapsed = (time.perf_counter() - self.start) * 1000
        self.pipe.send(Measured(result, elapsed if amount is None else amount))
        self.taken += 1


Contest = Callable[[Any, Turns], None]


def take_turns(
    contenders: Mapping[str, Contest], task: Any, steps: int
) -> dict[str, list[Measured]]:
    """`steps` steps of each contender, one of each at a time.

    Raises RuntimeError with the traceback of a contender that fails.
    """
    context = get_context("spawn")
    pipes, processes = {}, []
    for name, contest in contenders.items():
        pipes[name], theirs = context.Pipe()
        processes.append(context.Process(target=_work, args=(contest, task, steps, theirs)))
        processes[-1].start()
        theirs.close()
    try:
        measured: dict[str, list[Measured]] = {name: [] for name in contenders}
        for _ in range(steps):
            for name, pipe in pipes.items():
                measured[name].append(_ask(name, pipe))
        return measured
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _ask(name: str, pipe: "Connection[Any, Any]") -> Measured:
    try:
        pipe.send("go")
        answer = pipe.recv()
    except (EOFError, ConnectionError):
        raise RuntimeError(f"{name} died without a word") from None
    if isinstance(answer, str):
        raise RuntimeError(f"{name} failed:\n{answer}")
    measured: Measured = answer
    return measured


def _work(contest: Contest, task: Any, steps: int, pipe: "Connection[Any, Any]") -> None:
    try:
        contest(task, Turns(steps, pipe))
    except Exception:
        pipe.send(format_exc())
