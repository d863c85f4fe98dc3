"""What all commands say in the same way: lines to paste, names of strangers."""

import sys
from pathlib import Path

import pytest

import nn.commands.learn
import nn.commands.said
from nn.cli import main

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.parametrize(
    ("found", "called", "expected"),
    [
        ("/usr/bin/brickgrad", "/usr/bin/brickgrad", "brickgrad"),
        (None, ".venv/bin/brickgrad", str(Path(".venv/bin/brickgrad"))),
        (None, "/somewhere/nn/cli.py", "python -m nn.cli"),
    ],
)
def test_commands_to_paste_name_the_program(monkeypatch, found, called, expected):
    monkeypatch.setattr(nn.commands.said.shutil, "which", lambda name: found)
    monkeypatch.setattr(sys, "argv", [called])
    assert nn.commands.said.program() == expected


@pytest.mark.usefixtures("plain")
def test_lines_to_paste_are_quoted(capsys, monkeypatch):
    for name, (method, lr, _) in nn.commands.learn.DEMO.items():
        monkeypatch.setitem(nn.commands.learn.DEMO, name, (method, lr, 3))
    assert main(["demo", "--out", "my demo", "--seed", "0"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " predict " in line]
    assert "'my demo/model.json'" in lines[0]
