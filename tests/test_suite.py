"""How the tests are counted in Pyodide, which `python -m web suite` runs them in."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.files import write
from web.__main__ import THINGS, main

TESTS = Path(__file__).parent


@pytest.fixture
def inside(monkeypatch):
    """The module that runs there, with what it asks of JavaScript."""
    monkeypatch.setitem(sys.modules, "js", SimpleNamespace())
    import web.inside

    return web.inside


def test_files_that_are_left_out_exist(inside):
    assert [n for n in inside.LEFT_OUT if not (TESTS / f"test_{n}.py").exists()] == []


def raised(function):
    with pytest.raises(Exception) as caught:  # noqa: PT011 (of each kind, looked at below)
        function()
    return caught.value


def test_a_test_that_asks_for_processes_needs_them_and_an_engine_that_asks_fails(
    inside, monkeypatch, tmp_path
):
    def missing(*_, **__):
        raise OSError(138, "emscripten does not support processes.")

    monkeypatch.setattr(subprocess, "run", missing)
    assert inside.needed(raised(lambda: subprocess.run(["true"], check=True))) == "processes"
    monkeypatch.setattr("engine.files.os.replace", missing)
    monkeypatch.setattr("engine.files.os.fsync", missing)
    assert inside.needed(raised(lambda: write(tmp_path / "x", "y"))) == ""


def fails(error):
    raise error


@pytest.mark.parametrize(
    ("error", "need"),
    [
        (ModuleNotFoundError("No module named 'numpy'"), "a module with code of its own in C"),
        (RuntimeError("can't start new thread"), "threads"),
        (RuntimeError("the numpy backend needs NumPy: pip install"), "NumPy"),
        (RuntimeError("something else"), ""),
        (AssertionError("does not support processes"), ""),
    ],
)
def test_what_a_test_needs_is_told_by_its_error(inside, error, need):
    assert inside.needed(raised(lambda: fails(error))) == need


def test_counts_in_words(inside):
    assert inside.told(Counter(skipped=2, passed=1200)) == "1,200 passed, 2 skipped"


def test_the_command_lists_what_it_builds(capsys):
    assert (main([]), main(["nothing"])) == (2, 2)
    printed = capsys.readouterr().err
    assert all(printed.count(f"  {name} ") == 2 for name in THINGS)
