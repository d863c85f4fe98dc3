"""The command line: help, version, the names of commands."""

import re

import pytest
from commands import run

import nn.cli
from nn.cli import COMMANDS, main

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_shows_an_example_that_is_understood(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "usage: brickgrad" in text
    for name in command or COMMANDS:
        example = COMMANDS[name].example
        assert f"  {example}\n" in text
        nn.cli.parser().parse_args(example.partition(" >")[0].split()[1:])


def test_no_command_shows_the_help(capsys):
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 0
    assert "commands:" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert re.fullmatch(r"brickgrad (\d+\.\d+\.\d+|\(not installed\))\n", capsys.readouterr().out)


@pytest.mark.whole
def test_the_module_runs_as_a_program():
    done = run("predict", "none.json", "none.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "brickgrad: none.json: No such file or directory\n"
