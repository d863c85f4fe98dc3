"""What holds for all tests, doctests and examples of pages: pytest finds this file first."""

import gc

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from engine.ops import OPS

PAGES = Sybil(
    [PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "CONTRIBUTING.md", "docs/*.md"],
    excludes=["docs/replay.md"],  # tests/test_walk.py
    fixtures=["no_operation_stays"],
)
pytest_collect_file = PAGES.pytest()
collect_ignore = ["web/inside.py"]  # which runs in Pyodide

LAST = (  # the slow ones: they train, compile, start processes, open browsers
    *("train", "link", "descent", "checkpoint", "world", "contraction", "backends", "fuzz", "c"),
    *("vectormath", "wasm", "generated"),
    *("choice", "processors", "ask", "look", "output", "gaps", "by_recipe", "learn", "estimators"),
    *("files", "docs", "pytorch", "mutants", "benchmarks", "notebooks", "jupyterlab", "lite"),
    *("sweep", "sweep_command", "sweep_dask", "page_browser", "playground"),
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """All processors for a whole run; files that are named begin sooner in one process."""
    return None if config.args_source is config.ArgsSource.TESTPATHS else 0


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """The tests stay until the end: the collector of garbage need not go through them each time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.get_freeze_count = lambda: 1  # which would count all of them, and each command asks
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Pages come first: their examples stand on each other, so one process has to take them all.

    Then the files of quick tests, and those of LAST in its order.
    """
    place = {f"test_{name}.py": k for k, name in enumerate(LAST, 1)}
    items.sort(key=lambda item: (item.path.suffix != ".md", place.get(item.path.name, 0)))


@pytest.fixture(autouse=True)
def no_operation_stays():
    """What a test or an example defines ends with it."""
    kept = dict(OPS)
    yield
    OPS.clear()
    OPS.update(kept)
