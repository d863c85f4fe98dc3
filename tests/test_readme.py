"""What the README says besides its examples, which conftest.py runs."""

import re
import tomllib
from pathlib import Path

import pytest

from engine.pictures.drawing.svg import svg

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PICTURE = ROOT / "notebooks" / "step.svg"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.M | re.S)


def picture():
    """The picture of the example that draws one."""
    names = {}
    [example] = [code for code in EXAMPLES if "drawing =" in code]
    exec("from engine import Value\nfrom nn import MLP\n" + example, names)
    return svg(names["drawing"].picture)


def test_the_picture_is_what_the_example_draws():
    same = PICTURE.read_text(encoding="utf-8") == picture()
    assert same, "the README's picture is old: write it with python -m tests.test_readme"


@pytest.mark.parametrize(
    "command",
    [
        'python3 -m venv .venv && .venv/bin/pip install -e ".[plot,progress]"'
        " && .venv/bin/brickgrad demo",
        'python3 -m venv .venv && .venv/bin/pip install -e ".[dev]" && .venv/bin/pytest',
    ],
)
def test_each_command_stands_on_a_line_of_its_own(command):
    assert f"\n    {command}\n" in TEXT


def test_links_and_files_exist():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert len(links) >= 5
    for link in links:
        assert (ROOT / link).exists(), link
    rows = re.findall(r"^\| (`[^|]*) \|", TEXT, flags=re.M)
    folder = ""
    for name in re.findall(r"`([^`]+)`", " ".join(rows)):
        folder = name.rpartition("/")[0] or folder
        assert (ROOT / folder / Path(name).name).exists(), name


def test_extras_named_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    named = re.findall(r'"\.\[([a-z,]+)\]"', TEXT) + re.findall(r"--extra ([a-z]+)", TEXT)
    assert named
    for names in named:
        assert set(names.split(",")) <= extras.keys()


def test_it_is_short():
    assert len(TEXT.splitlines()) <= 240


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8", newline="\n")
