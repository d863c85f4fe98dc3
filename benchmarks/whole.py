"""Whole trainings: each in a process of its own that begins with nothing, in turn, on one core."""

import atexit
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.turns import Contest, Measured, Step

LIMIT = 60.0  # seconds; a training that takes longer is stopped, and counts as endless
PATIENCE = 25.0  # seconds of trainings; then a contender sits out the rest
ROOT = Path(__file__).parents[1]


def take_whole(
    contests: Mapping[str, Contest], task: Any, rounds: int
) -> dict[str, list[Measured]]:
    """Up to `rounds` trainings of each contender, one after the other; nobody needs a warm-up."""
    steps = {name: contest(task) for name, contest in contests.items()}
    measured = {name: [Measured([], math.nan)] for name in steps}
    spent = dict.fromkeys(steps, 0.0)
    for number in range(rounds):
        for name, step in steps.items():
            if spent[name] < PATIENCE:
                start = time.perf_counter()
                turn = step(number)
                spent[name] += time.perf_counter() - start
                measured[name].append(turn)  # type: ignore[arg-type]
    return measured


def training(module: str, function: str, task: Any, warm: bool = False) -> Step:
    """A contest of `child`: each of its steps is a training.

    The cache for compiled C is empty, or, where it is to be `warm`, as the last training of this
    function left it that began with an empty one. Of a task that says `process` the whole process
    counts, imports and all, of others the training.
    """
    given = json.dumps(task)
    cache = scratch() / f"{module}.{function}"

    def step(number: int) -> Measured:
        if not warm:
            shutil.rmtree(cache / "brickgrad", ignore_errors=True)
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        return _run([module, function], given, environment, task.get("process", False))

    return step


def _run(contest: list[str], given: str, environment: Mapping[str, str], whole: bool) -> Measured:
    """A `child`; RuntimeError with what it said, where it fails."""
    paths = [str(ROOT), environment.get("PYTHONPATH", "")]
    environment = {**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with tempfile.TemporaryDirectory() as place:
        answer = Path(place, "answer.json")
        command = [sys.executable, "-m", "benchmarks.child", *contest, str(answer)]
        start = time.perf_counter()
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,  # a compiler that it started is stopped with it
        ) as process:
            try:
                _, said = process.communicate(given, timeout=LIMIT)
            except BaseException as error:
                _stop(process)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                return Measured([], math.inf, f"stopped after {LIMIT:g} s")
        seconds = time.perf_counter() - start
        if process.returncode:
            raise RuntimeError(f"{'.'.join(contest)} failed:\n{said}")
        found = json.loads(answer.read_text(encoding="utf-8"))
    also, amounts = found["also"], (found["seconds"], seconds)
    also["training, s" if whole else "process, s"] = amounts[not whole]
    also["processor, s"] = found["processor of all" if whole else "processor"]
    return Measured(found["results"], amounts[whole], _warned(said), also)


def _stop(process: "subprocess.Popen[str]") -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _warned(said: str) -> str:
    """The last warning, in short."""
    warnings = [line.partition("Warning: ")[2] for line in said.splitlines()]
    return f"warned: {warnings[-1]:.60}..." if (warnings := list(filter(None, warnings))) else ""


@cache
def scratch() -> Path:
    """A folder that ends with this process."""
    folder = tempfile.mkdtemp(prefix="brickgrad-figures-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
