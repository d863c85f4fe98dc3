import shlex

import pytest

from nn.wording import in_python, option, typed


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("say --thousands , or --decimal ,", "say thousands=',' or decimal=','"),
        ("or --decimal .", "or decimal='.'"),
        ("(--text 'a b' reads it)", "(text=['a b'] reads it)"),
        ("--ignore a,b leaves", "ignore=['a,b'] leaves"),
        ("--number=-x learns", "number=['-x'] learns"),
        (option("text", "it's"), 'text=["it\'s"]'),
        ("; or say --header", "; or say header=True"),
        ("; or say --no-header", "; or say header=False"),
        ("--numbers learns amounts", "as_classes=False learns amounts"),
        ("--classes learns classes", "as_classes=True learns classes"),
        ("--encoding expected a name", "encoding expected a name"),
        ("--decimal and --thousands are both ','", "decimal and thousands are both ','"),
        ("--thousands ' '", "thousands=' '"),
        ("a -- b", "a -- b"),
    ],
)
def test_options_in_python(message, expected):
    assert in_python(message) == expected


@pytest.mark.parametrize("name", ["a", "a b", "it's", "-x", "é", ""])
def test_options_are_taken_by_a_shell(name):
    words = shlex.split(option("target", name))
    assert words in (["--target", name], [f"--target={name}"])
    assert words[-1].startswith("--target=") == name.startswith("-")


def test_paths_are_no_options():
    assert (typed("a.csv"), typed("-d.csv"), typed("a b.csv")) == ("a.csv", "./-d.csv", "'a b.csv'")
