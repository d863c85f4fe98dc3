"""Contenders in processes of their own, asked for steps in turn.

In one process the garbage of one contender is collected on the time of another.
"""

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from traceback import format_exc
from typing import Any, NamedTuple, cast

BURST = 0.1  # seconds: a faster contender takes several steps in a turn, past a cold start
PATIENCE = 12.0  # seconds of turns; then a contender sits out the rest


class Measured(NamedTuple):
    """A turn: the loss (or result) of each of its steps, what a step cost, and a remark."""

    results: list[float]
    amount: float
    note: str = ""
    also: Mapping[str, float] = {}  # other figures of the turn, by name and unit


Step = Callable[[int], float | Measured]  # the step of a number
Contest = Callable[[Any], Step]  # set-up for a task


def take_turns(
    contests: Mapping[str, Contest], task: Any, rounds: int, warm_up: int = 3
) -> dict[str, list[Measured]]:
    """A warm-up of some steps, then `rounds` turns of each contender, fewer of one that is slow.

    A step costs the milliseconds it took, unless it returns a `Measured` of its own. Raises
    RuntimeError with the traceback of a contender that fails.
    """
    context = get_context("spawn")
    pipes, processes = {}, []
    for name, contest in contests.items():
        pipes[name], theirs = context.Pipe()
        processes.append(context.Process(target=_work, args=(contest, task, warm_up, theirs)))
        processes[-1].start()
        theirs.close()
    try:
        measured = {name: [_ask(name, pipe)] for name, pipe in pipes.items()}
        spent = dict.fromkeys(contests, 0.0)
        for _ in range(rounds):
            for name, pipe in pipes.items():
                if spent[name] < PATIENCE:
                    start = time.perf_counter()
                    measured[name].append(_ask(name, pipe))
                    spent[name] += time.perf_counter() - start
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


def _work(contest: Contest, task: Any, warm_up: int, pipe: "Connection[Any, Any]") -> None:
    try:
        step = contest(task)
        pipe.recv()
        first = []
        for number in range(warm_up):
            start = time.perf_counter()
            first.append(_turn(step, [number]))
            burst = math.ceil(BURST / (time.perf_counter() - start))
        gc.collect()
        gc.freeze()
        pipe.send(Measured([result for turn in first for result in turn.results], math.nan))
        for taken in count(warm_up, burst):
            pipe.recv()
            pipe.send(_turn(step, range(taken, taken + burst)))
    except EOFError:
        return
    except Exception:
        pipe.send(format_exc())


def _turn(step: Step, numbers: Sequence[int]) -> Measured:
    start = time.perf_counter()
    results = [step(number) for number in numbers]
    milliseconds = (time.perf_counter() - start) * 1000
    for result in results:
        if isinstance(result, Measured):
            return result
    return Measured(cast(list[float], results), milliseconds / len(numbers))
