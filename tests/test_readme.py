"""The README, besides its examples, which conftest.py runs; and the picture that it shows."""

import re
import tomllib
from pathlib import Path

import pytest

from engine.pictures.drawing.svg import svg

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
PICTURES = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
PICTURE = ROOT / "notebooks" / "step.svg"


def picture():
    """The picture of the example that draws one."""
    names = {}
    [example, *_] = re.findall(r"^```python\n(.*?)^```$", PICTURES, flags=re.M | re.S)
    exec(example, names)
    return svg(names["drawing"].picture)


def test_the_picture_is_what_the_example_draws():
    same = PICTURE.read_text(encoding="utf-8") == picture()
    assert same, "the README's picture is old: write it with python -m tests.test_readme"


@pytest.mark.parametrize(
    "command",
    [
        'python3 -m venv .venv && .venv/bin/pip install -e ".[progress]"'
        " && .venv/bin/brickgrad demo",
        'python3 -m venv .venv && .venv/bin/pip install -e ".[dev]" && .venv/bin/pytest',
    ],
)
def test_each_command_stands_on_a_line_of_its_own(command):
    assert f"\n    {command}\n" in TEXT


def test_it_leads_to_the_pages_that_begin():
    for page in (
        "install",
        "first_steps",
        "micrograd",
        "your_own_data",
        "command",
        "trust",
        "index",
    ):
        assert f"](docs/{page}.md)" in TEXT


def test_extras_named_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    pages = TEXT + INSTALL
    named = re.findall(r'"\.\[([a-z,]+)\]"', pages) + re.findall(r"--extra ([a-z]+)", pages)
    assert named
    for names in named:
        assert set(names.split(",")) <= extras.keys()


def test_the_table_of_extras_is_complete():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    rows = re.findall(r"^\| (`[^|]+) \|", INSTALL, flags=re.M)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == extras.keys()


def test_it_is_short():
    assert len(TEXT.splitlines()) <= 80


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8", newline="\n")
