"""One training in a process of its own, on one core: `whole` starts it and reads what it writes."""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

Halfway = Callable[[int], None]  # to be called, with their number, when half the steps are done
EVERY = 100  # steps from one loss that is compared to the next


class Outcome(NamedTuple):
    """What a training gives: numbers of each step, and the seconds of it that do not count."""

    losses: Sequence[float]
    rights: Sequence[float] = ()  # shares of right answers
    apart: float = 0.0
    a_step: float = 0.0  # its seconds, where the training itself keeps count


Training = Callable[[Halfway], Outcome]
Contest = Callable[[Any], Training]  # a task in; its data is ready when the training comes out


class Moment(NamedTuple):
    """Seconds so far, by the clock and of the processor: of this process and of its children."""

    clock: float
    processor: float

    def since(self, other: "Moment") -> "Moment":
        """The seconds between two."""
        return Moment(self.clock - other.clock, self.processor - other.processor)


def moment() -> Moment:
    """Now. Children count when they have ended."""
    times = os.times()
    return Moment(
        time.perf_counter(), time.process_time() + times.children_user + times.children_system
    )


def main() -> None:
    """The arguments name a module, a contest in it and a file for the answer; stdin has the task.

    The module is imported here and not before, so that its imports are seen as such.
    """
    module, function, answer = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    task = json.load(sys.stdin)
    moments = [moment()]
    contest: Contest = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    moments.append(moment())
    train = contest(task)
    moments.append(moment())
    half: list[tuple[int, Moment]] = []
    outcome = train(lambda done: half.append((done, moment())))
    moments.append(moment())
    imports, data, training = (b.since(a) for a, b in pairwise(moments))
    seconds = {"imports, s": imports.clock, "data, s": data.clock}
    for done, then in half:
        milliseconds = moments[-1].since(then).clock * 1000
        seconds["a step, ms"] = milliseconds / (task["steps"] - done)
    if outcome.a_step:
        seconds["a step, ms"] = outcome.a_step * 1000
    found = {
        "results": results(task, outcome),
        "seconds": training.clock - outcome.apart,
        "processor": training.processor,
        "processor of all": moments[-1].processor,
        "also": seconds,
    }
    Path(answer).write_text(json.dumps(found), encoding="utf-8")


def results(task: Any, outcome: Outcome) -> list[float]:
    """What all contenders are to agree on: some losses, the last one, the share of right answers.

    Where a contender tells only the mean loss of a pass: that of the last `pass`.
    """
    losses, rights, *_ = outcome
    if "pass" in task:
        last = losses[-task["pass"] :]
        return [sum(last) / len(last)]
    shares = [sum(rights) / len(rights)] if rights else []
    return [*losses[::EVERY], *losses[-1:], *shares]


if __name__ == "__main__":
    main()
