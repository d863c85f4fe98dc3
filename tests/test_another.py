"""Another `nn` or `engine` before ours on the path is named at import, with what to do."""

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def python(folder, program, *before):
    """A program run in a folder, which Python looks into first, and in `before`; and what it said.

    Warnings are shown as a user sees them.
    """
    path = os.pathsep.join(map(str, [*before, ROOT]))
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": ""},
    )  # fmt: skip


def package(folder, name, text=""):
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(text)
    return folder / name / "__init__.py"


@pytest.mark.whole
@pytest.mark.some(2)
@pytest.mark.parametrize("where", ["here", "on the path"])
def test_an_nn_that_is_not_ours_is_a_warning_at_the_line_that_imports(tmp_path, where):
    away = tmp_path / "away"
    away.mkdir()
    theirs = package(tmp_path, "nn", "raise SystemError('it is not to be imported')")
    if where == "here":
        done = python(tmp_path, "import engine; print((engine.Value(2.0) * 3).data)")
    else:
        done = python(away, "import engine; print((engine.Value(2.0) * 3).data)", tmp_path)
    assert (done.returncode, done.stdout) == (0, "6.0\n")
    first, *_ = done.stderr.splitlines()
    assert first.startswith(f"<string>:1: UserWarning: `import nn` gives {theirs}, which is not of")
    assert "call it something else, or run Python elsewhere" in first
    assert "pip uninstall nn, and install brickgrad again" in first


@pytest.mark.whole
def test_an_nn_that_took_the_place_of_ours(tmp_path):
    """The package of PyPI has files of the same names: installed later, it overwrites ours."""
    for name in ("engine", "nn"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "nn").unlink()
    theirs = package(tmp_path, "nn", "from nn.core import Network")
    (theirs.parent / "another.py").symlink_to(ROOT / "nn" / "another.py")
    done = python(tmp_path, "import engine", tmp_path)
    assert f"`import nn` gives {theirs}, which is not of brickgrad" in done.stderr


@pytest.mark.parametrize("kind", ["a package", "a file", "one that has a Value", "ones own script"])
def test_an_engine_that_is_not_ours_stops_the_import_with_its_place(tmp_path, kind):
    theirs = tmp_path / "engine.py"
    if kind == "a package":
        theirs = package(tmp_path, "engine")
    else:
        texts = {"a file": "", "one that has a Value": "class Value: ..."}
        theirs.write_text(texts.get(kind, "from nn import MLP\nMLP(2, [1])"))
    program = "import runpy; runpy.run_path('engine.py')" if "script" in kind else "import nn"
    done = python(tmp_path, program)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        f"ImportError: `import engine` gives {theirs}, which is not of brickgrad"
    )
    assert "call it something else, or run Python elsewhere" in last


def test_an_error_within_our_own_engine_stays_what_it_is(tmp_path):
    program = "import sys; sys.modules['engine.value'] = None; import nn"
    last = python(tmp_path, program).stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: import of engine.value halted")


@pytest.mark.whole
@pytest.mark.some(2)
@pytest.mark.parametrize(
    "program", ["import engine", "import nn", "import nn.cli", "import engine, nn"]
)
def test_ours_are_found_and_nothing_is_said(tmp_path, program):
    (tmp_path / "nn").mkdir()  # folders that are no packages do not come before ours
    (tmp_path / "engine").mkdir()
    done = python(tmp_path, program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.whole
def test_ours_are_known_where_only_compiled_files_are(tmp_path):
    for name in ("engine", "nn"):
        for file in (ROOT / name).rglob("*.py"):
            to = tmp_path / file.relative_to(ROOT).with_suffix(".pyc")
            to.parent.mkdir(parents=True, exist_ok=True)
            py_compile.compile(str(file), str(to), doraise=True)
        for file in (ROOT / name).rglob("*"):
            if file.is_file() and file.suffix not in (".py", ".pyc"):
                to = tmp_path / file.relative_to(ROOT)
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes(file.read_bytes())
    program = "import engine, nn; print(engine.__file__, nn.__file__)"
    done = python(tmp_path, program)
    assert done.stdout.split() == [
        str(tmp_path / name / "__init__.pyc") for name in ("engine", "nn")
    ]
    assert done.stderr == ""
