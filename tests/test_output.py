"""What a command prints where nobody reads it: its work is not lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nn.cli import main
from nn.output import Steady, steady_output

ROOT = Path(__file__).parents[1]
TRAIN = [sys.executable, "-m", "nn.cli", "train", "data.csv", "--target", "y", "--steps", "3"]
TRAIN += ["--layers", "2"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Broken:
    def __init__(self, error):
        self.error, self.written = error, []

    def write(self, text):
        if "\n" not in text and self.written:
            raise self.error
        self.written.append(text)

    def flush(self):
        pass


def test_a_stream_that_breaks_takes_texts_for_ever(monkeypatch):
    stream = Broken(OSError(28, "No space left on device"))
    monkeypatch.setattr(sys, "stdout", stream)
    with steady_output() as lost:
        for text in ("one", "two", "three"):
            print(text, end="")
        assert lost() is stream.error
    assert sys.stdout is stream
    assert stream.written == ["one"]


def test_a_closed_pipe_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Steady(Broken(BrokenPipeError())))
    with steady_output() as lost:
        print("one", "two", sep="")
        print("three", end="")
        assert lost() is None


def test_no_stream_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with steady_output() as lost:
        print("one")
        assert lost() is None


@pytest.mark.whole
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_letters_that_the_output_lacks_do_not_stop_a_command(tmp_path, encoding):
    """As on Windows, where what goes into a file or a pipe is cp1252."""
    rows = "".join(f"{k},{('да', 'нет')[k % 2]}\n" for k in range(40))
    (tmp_path / "data.csv").write_text(f"счёт,ответ\n{rows}", encoding="utf-8")
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": encoding}

    def run(*arguments):
        command = [sys.executable, "-m", "nn.cli", *arguments]
        return subprocess.run(
            command, capture_output=True, cwd=tmp_path, env=environment, check=False
        )

    done = run("train", "data.csv", "--target", "ответ", "--steps", "3", "--layers", "2")
    assert done.returncode in (0, 1)
    assert rb"Learning '\u043e\u0442\u0432\u0435\u0442' (\u0434\u0430, " in done.stdout
    assert b"model.json   " in done.stdout
    done = run("look", "data.csv", "--target", "ответ")
    assert (done.returncode, done.stderr) == (0, b"")
    done = run("predict", "brickgrad-train/model.json", "data.csv")
    lines = done.stdout.decode("utf-8").splitlines()  # as all files here
    assert (done.returncode, lines[0], len(lines)) == (0, "row,ответ,chance", 41)
    assert {line.split(",")[1] for line in lines[1:]} <= {"да", "нет"}


@pytest.fixture
def _data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text("a,y\n" + "".join(f"{k * 7 % 13},{k * k}\n" for k in range(40)))


@pytest.mark.whole
@pytest.mark.some(4)
@pytest.mark.skipif(os.name == "nt", reason="shells of POSIX")
@pytest.mark.usefixtures("_data")
@pytest.mark.parametrize("pipe", ["{} | head -1", "{} 2>&1 | head -1"])
def test_a_training_into_a_pipe_that_closes_is_not_lost(pipe):
    command = pipe.format(" ".join(TRAIN))
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert done.stdout == "Reading data.csv.\n"
    assert "Traceback" not in done.stderr
    made = {path.name for path in Path("brickgrad-train").iterdir()}
    assert {"model.json", "history.csv", "step.html", "graph.svg"} <= made


@pytest.mark.whole
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a full disk to try")
@pytest.mark.usefixtures("_data")
def test_a_training_onto_a_full_disk_is_not_lost():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            TRAIN, stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False
        )
    assert done.returncode == 2
    assert done.stderr.endswith(
        "brickgrad: the files are written, but not all that was to be printed: No space left on "
        "device\n"
    )
    assert Path("brickgrad-train/model.json").exists()
    with open("/dev/full", "w") as full:
        answers = [*TRAIN[:3], "predict", "brickgrad-train/model.json", "data.csv"]
        done = subprocess.run(
            answers, stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False
        )
    assert done.returncode == 2
    assert done.stderr.endswith("brickgrad: No space left on device\n") or (
        "No space left on device" in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.whole
@pytest.mark.skipif(os.name == "nt", reason="shells of POSIX")
@pytest.mark.usefixtures("_data", "plain")
def test_answers_without_a_place_to_go():
    assert main(TRAIN[3:]) == 0
    command = f"{' '.join(TRAIN[:3])} predict brickgrad-train/model.json data.csv >&-"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        "brickgrad: standard output is closed: there is nowhere to write the answers\n"
    )
