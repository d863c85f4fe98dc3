"""The command `course`: copies of the notebooks, JupyterLab, what is done."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from commands import fails

import nn.commands.course
from nn.cli import main
from nn.exercises.table import EXERCISES
from nn.homework import FILE

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.usefixtures("own_folder")


def test_the_notebooks_are_copied_and_nothing_is_opened(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(nn.commands.course, "find_spec", lambda name: True)
    assert main(["course", "--no-open"]) == 0
    folder = tmp_path / "brickgrad-course"
    assert sorted(path.name for path in folder.iterdir()) == NOTEBOOKS
    for name in NOTEBOOKS:
        assert (folder / name).read_bytes() == (ROOT / "notebooks" / name).read_bytes()
    assert capsys.readouterr().out == (
        f"brickgrad-course: {len(NOTEBOOKS)} files copied\n"
        "To open them: jupyter lab brickgrad-course\n"
    )


def test_what_a_learner_changed_stays(capsys, tmp_path):
    main(["course", "mine", "--no-open"])
    changed, gone = (tmp_path / "mine" / name for name in NOTEBOOKS[:2])
    changed.write_text("{}")
    gone.unlink()
    capsys.readouterr()
    assert main(["course", "mine", "--no-open"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "mine: 1 file copied",
        f"Left as you changed them: {NOTEBOOKS[0]}. Delete one to get it as it was.",
    ]
    assert changed.read_text() == "{}"
    assert gone.exists()
    (tmp_path / "mine" / NOTEBOOKS[2]).write_text("")
    main(["course", "mine", "--no-open"])
    assert f"Left as you changed them: {NOTEBOOKS[0]}, {NOTEBOOKS[2]}." in capsys.readouterr().out


def test_without_jupyterlab_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr(nn.commands.course, "find_spec", lambda name: None)
    assert main(["course", "my course"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        'To open them: install JupyterLab, pip install "brickgrad[notebook]" (in a clone: pip '
        "install -e \".[notebook]\"), then: jupyter lab 'my course'"
    )


class Lab:
    """A JupyterLab that goes on after a first Ctrl-C, and then ends."""

    def __init__(self, command, cwd, ends_with):
        self.how, self.ends_with = (command, cwd), ends_with
        self.returncode, self.interrupts, self.terminated = None, [KeyboardInterrupt], False

    def poll(self):
        return self.returncode

    def wait(self):
        if self.interrupts:
            raise self.interrupts.pop()
        self.returncode = self.ends_with

    def terminate(self):
        self.terminated = True


@pytest.mark.parametrize(("ends_with", "code"), [(0, 0), (1, 1), (-15, 1)])
def test_jupyterlab_runs_in_the_folder_until_it_ends_itself(ends_with, code, capsys, monkeypatch):
    labs = []

    def start(command, cwd):
        labs.append(Lab(command, cwd, ends_with))
        return labs[0]

    monkeypatch.setattr(nn.commands.course, "find_spec", lambda name: True)
    monkeypatch.setattr(subprocess, "Popen", start)
    assert main(["course", "mine"]) == code
    [lab] = labs
    assert lab.how == ([sys.executable, "-m", "jupyterlab"], Path("mine"))
    assert (lab.returncode, lab.interrupts) == (ends_with, [])
    assert capsys.readouterr().out.splitlines()[1] == "Opening JupyterLab; Ctrl-C ends it."


def test_progress_of_a_folder(capsys, tmp_path):
    main(["course", "mine", "--no-open"])
    capsys.readouterr()
    assert main(["course", "mine", "--progress"]) == 0
    assert capsys.readouterr().out.startswith(f"0 of {len(EXERCISES)} exercises done\n")
    rows = {"02.2": {"hints": 0, "done": True}, "01.2": {"hints": 9, "done": False}}
    document = {"format": "brickgrad progress", "version": 1, "exercises": rows}
    (tmp_path / "mine" / FILE).write_text(json.dumps(document))
    assert main(["course", "mine", "--progress"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"1 of {len(EXERCISES)} exercises done"
    states = {line.split()[0]: line.split()[1:3] for line in lines[1:]}
    assert list(states) == list(EXERCISES)
    assert states["01.2"] == ["3", "hints"]
    assert states["02.2"][0] == "done"


def test_what_cannot_be_done_is_said_in_a_line(capsys, tmp_path, monkeypatch):
    assert "there is no folder mine: begin with " in fails(capsys, "course", "mine", "--progress")
    (tmp_path / "file").write_text("")
    assert "expected a folder, got the file file" in fails(capsys, "course", "file")
    (tmp_path / FILE).write_text("[]")
    assert "is not the progress of a course" in fails(capsys, "course", ".", "--progress")
    monkeypatch.setattr(nn.commands.course, "PLACES", (tmp_path / "none",))
    assert "the notebooks are not installed" in fails(capsys, "course")


def test_a_wheel_has_the_notebooks_where_the_command_looks():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    wheel = settings["targets"]["wheel"]
    assert "notebooks" in wheel["only-include"]
    assert nn.commands.course.PLACES[0] == ROOT / wheel["sources"]["notebooks"]
