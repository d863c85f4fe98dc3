"""What is typed in tests of the command, the trainings that several of them use."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nn.cli
import nn.commands.ask
import nn.commands.learn
import nn.commands.said
from nn.cli import main

ROOT = Path(__file__).parents[2]
IRIS = str(ROOT / "nn" / "iris.csv")
TRAIN = ["train", IRIS, "--target", "species"]
SMALL = ["--layers", "4"]
QUICK = ["--steps", "300", *SMALL]


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def plain(monkeypatch):
    """Trainings leave no charts: a boundary takes most of a short one's time."""
    monkeypatch.setattr(nn.results, "charts", lambda *_: {})


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder that a training on iris left."""
    out = tmp_path_factory.mktemp("trained")
    assert main([*TRAIN, *QUICK, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def amounts(tmp_path_factory):
    """The folder of a training on y = 3 a + 100 [b = yes], and the file."""
    folder = tmp_path_factory.mktemp("amounts")
    rows = [(a, b, 3 * a + 100 * (b == "yes")) for a in range(20) for b in ("yes", "no")]
    text = "\n".join(["a;b;y", *(";".join(map(str, row)) for row in rows)])
    (folder / "data.csv").write_text(text)
    arguments = ["train", folder / "data.csv", "--target", "y", "--steps", 2000, "--out", folder]
    assert main([*map(str, arguments)]) == 0
    return folder


def run(*arguments, **settings):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "nn.cli", *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=100,
        **settings,
    )


@pytest.fixture
def start():
    """Starts the command; what still runs after the test is stopped."""
    started = []
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # a command inherits "ignore"

    def begin(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "nn.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        return process

    yield begin
    signal.signal(signal.SIGINT, former)
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def fails(capsys, *arguments):
    """The one line on stderr of a command that ends with exit code 2."""
    try:
        code = main([*map(str, arguments)])
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.err.startswith("brickgrad: ")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.fixture(scope="session")
def demonstrated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    start = time.monotonic()
    done = run("demo", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 60
    return folder / "brickgrad-demo", done.stdout


def figures(text, name):
    """The numbers of a table's line."""
    [line] = [line for line in text.splitlines() if re.match(rf"  {re.escape(name)}  ", line)]
    return [float(word.strip("%").replace(",", "")) for word in line[len(name) + 2 :].split()[:2]]
