"""Runs in Pyodide: the quick tests, counted by file, and what cannot run there by its reason."""

import io
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import PurePath
from typing import Any

import js  # type: ignore[import-not-found]  # of Pyodide
import pytest

LEFT_OUT = {  # files that are not looked at: tests/test_NAME.py
    "arrays": "needs NumPy",
    "ask": "trains for long",
    "backends_steps": "needs NumPy",
    "benchmarks": "needs processes",
    "by_recipe": "trains for long",
    "c": "needs a C compiler",
    "chart_browser": "needs a browser",
    "checkpoint": "takes minutes, and is about files",
    "choice": "trains for long",
    "contraction": "needs a C compiler",
    "docs": "needs Sphinx",
    "exercise": "runs the notebooks, which tests/test_lite.py does in a browser",
    "experiments": "trains for long",
    "floors": "reads the files of the project",
    "fuzz": "needs gmpy2",
    "gaps": "trains for long",
    "generated": "needs a C compiler",
    "hostile": "takes a minute, and is about texts",
    "javascript": "needs Node",
    "jupyterlab": "needs a browser",
    "learn": "trains for long",
    "link": "needs a C compiler",
    "lite": "needs a browser",
    "look": "trains for long",
    "memorise": "trains for long",
    "mutants": "needs processes",
    "notebooks": "needs Jupyter",
    "numpy": "needs NumPy",
    "ordinary": "trains for long",
    "output": "trains for long",
    "packages": "needs processes",
    "page_browser": "needs a browser",
    "page_geometry": "needs a browser",
    "page_scripts": "needs Node",
    "page_wall": "needs a browser",
    "processors": "needs a C compiler",
    "sweep": "needs processes",
    "sweep_command": "needs processes",
    "sweep_dask": "needs processes",
    "vectormath": "needs a C compiler",
    "walk": "needs NumPy and a C compiler",
    "world": "takes minutes, and is about guards",
}

Rows = tuple[tuple[type[Exception], str, str], ...]
# What Pyodide lacks: the error that comes, a part of its text, and what a test needs.
LACKING: Rows = (
    (ModuleNotFoundError, "No module named", "a module with code of its own in C"),
    (RuntimeError, "the numpy backend needs NumPy", "NumPy"),
    (RuntimeError, "no C compiler was found", "a C compiler"),
)
ASKED: Rows = (  # the same, where a test asks for it; where the engine does, the test fails
    (OSError, "does not support processes", "processes"),
    (OSError, "Function not implemented", "processes"),
    (RuntimeError, "can't start new thread", "threads"),
    (AttributeError, "has no attribute 'setitimer'", "signals"),
)
OURS = ("engine", "nn", "tests")
OPTIONS = (
    *("-p", "no:cacheprovider", "-o", "addopts=", "-o", "testpaths=tests", "--tb=short"),
    "--continue-on-collection-errors",
    *("-W", "ignore::hypothesis.errors.HypothesisWarning"),  # of its own random numbers, in 3.14
)


def needed(error: BaseException) -> str:
    """What a test needs that is not here, by the error that it ended with; "" for other errors."""
    files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    places = [part for file in files for part in PurePath(file).parts if part in OURS]
    by_test = places[-1:] == ["tests"]
    for kind, text, need in (*LACKING, *(ASKED if by_test else ())):
        if isinstance(error, kind) and text in str(error):
            return need
    return ""


class Counted:
    """A plugin that counts what passed, failed and was skipped in each file, and says why."""

    def __init__(self) -> None:
        self.say = partial(print, file=sys.stdout, flush=True)
        self.file, self.seconds = "", 0.0
        self.here: Counter[str] = Counter()
        self.all: Counter[str] = Counter()
        self.why: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self) -> Iterator[None]:
        """Skips a test that asks for what is not here."""
        try:
            return (yield)
        except (Exception, pytest.fail.Exception) as error:
            chain = (error, error.__context__) if error.__context__ else (error,)
            if need := next(filter(None, map(needed, chain)), ""):
                pytest.skip(f"needs {need}")
            raise

    pytest_fixture_setup = pytest_pyfunc_call

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tells Node which test is next, which says so where Pyodide ends in it."""
        js.current = nodeid

    def pytest_collectreport(self, report: Any) -> None:
        """Counts files that fail or are skipped as a whole."""
        if not report.passed:
            self.note(report)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Counts a test."""
        self.seconds += report.duration
        if report.when == "call" or not report.passed:
            self.note(report)

    def note(self, report: Any) -> None:
        """Counts what a report tells, and prints why a test failed."""
        file = PurePath(report.nodeid.partition("::")[0]).name
        if file != self.file:
            self.line()
            self.file = file
        self.here[report.outcome] += 1
        if report.failed:
            self.say(f"{report.nodeid}\n{report.longreprtext}")
        if report.skipped:
            why = getattr(report, "wasxfail", None) or report.longrepr[2]
            self.why[why.removeprefix("Skipped: ")] += 1

    def line(self) -> None:
        """Prints what became of a file, and begins anew."""
        if self.here:
            self.say(f"{self.file:<28}{told(self.here):<44}{self.seconds:5.1f} s")
        self.all += self.here
        self.here.clear()
        self.seconds = 0.0


def told(counts: Counter[str]) -> str:
    """Counts in words."""
    return ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items()))


def main(options: list[str]) -> int:
    """Runs the tests and prints the counts; 1 where one failed, or none passed."""
    counted = Counted()
    ignored = [f"--ignore=tests/test_{name}.py" for name in LEFT_OUT]
    with redirect_stdout(io.StringIO()):
        pytest.main([*OPTIONS, *ignored, *options], plugins=[counted])
    counted.line()
    for name, why in LEFT_OUT.items():
        print(f"{f'test_{name}.py':<28}left out: {why}")
    for why, count in counted.why.most_common():
        print(f"{count:6,} skipped: {why}")
    print(f"in Pyodide: {told(counted.all)}; {len(LEFT_OUT)} files left out")
    return int(counted.all["failed"] > 0 or not counted.all["passed"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
