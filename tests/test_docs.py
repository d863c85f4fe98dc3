"""Pages besides their examples, which conftest.py runs: links, the manual, the site."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest

import engine
import nn
from nn.cli import COMMANDS
from nn.commands.options import FORMAT, READING

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
HOUSE = (DOCS / "house.md").read_text(encoding="utf-8")
MANUAL = DOCS / "command.md"
WRITTEN = "<!-- what follows is written by python -m tests.test_docs -->\n"


# --- the pages as they lie ----------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    for link in links:
        assert (page.parent / link.partition("#")[0]).exists() or urlsplit(link).scheme, link


def test_the_index_leads_to_every_page():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\]\((\w+\.md)\)", index))
    assert named == {page.name for page in DOCS.glob("*.md")} - {"index.md"}


def test_the_map_names_files_that_exist():
    rows = re.findall(r"^\| (.*`[^|]*) \|", HOUSE, flags=re.M)
    text, folder, found = " ".join(re.sub(r"^\| |\*\*", "", row) for row in rows), "", 0
    for name in re.findall(r"`([^`]+)`", text):
        if name.endswith("/") and (ROOT / name).is_dir():
            folder = name
        elif name.endswith((".py", "/")) or name == "commands":
            assert (ROOT / folder / name).exists(), f"{folder}{name}"
            found += 1
    assert found > 60


def test_the_page_of_helpers_names_each_of_them():
    folder = ROOT / "tests" / "helpers"
    named = re.findall(r"^\| `(\w+\.py)` \|", (folder / "README.md").read_text(), flags=re.M)
    assert sorted(named) == sorted(path.name for path in folder.glob("*.py"))


# --- what is said of micrograd --------------------------------------------------------------------


def examples(page):
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), flags=re.M | re.S)


def test_what_runs_unchanged_runs_in_micrograd_itself():
    pytest.importorskip("micrograd")
    arithmetic, nets, drawing, *_ = examples(DOCS / "micrograd.md")
    ours = arithmetic + nets + drawing
    theirs = ours.replace("from engine", "from micrograd.engine").replace(
        "from nn", "from micrograd.nn"
    )
    assert theirs.count("micrograd") == 2
    names, there = {}, {}
    exec(ours, names)
    exec(theirs, there)
    assert type(there["a"]).__module__ == "micrograd.engine"
    assert names["total_loss"].data == pytest.approx(there["total_loss"].data, rel=1e-12)


def test_the_numbers_that_micrograd_is_said_to_give():
    make = pytest.importorskip("micrograd.engine").Value
    x = make(2.0)
    y = x * x * 3
    y.backward()
    y.backward()
    p, q = make(2.0), make(5.0)
    product = p * q
    q.data = 7.0
    product.backward()
    text = (DOCS / "micrograd.md").read_text()
    assert f"micrograd says {x.grad:g}\n" in text
    assert f"micrograd says {p.grad:g}\n" in text
    assert (x * x)._prev == {x}
    assert (x.relu()._op, (x**2)._op) == ("ReLU", "**2")


# --- the manual of the command --------------------------------------------------------------------


def manual():
    """A table of options for each command, and two of those that several share."""
    parts = []
    for name, command in COMMANDS.items():
        own = [option for option in command.options if option not in READING]
        parts += [f"## brickgrad {name}", f"{command.help[0].upper()}{command.help[1:]}."]
        parts += [f"    {command.example}", table(own)]
        if READING[0] in command.options:
            parts.append("And those [of the columns](#of-the-columns).")
        elif FORMAT[0] in command.options:
            parts.append("And those [of a file](#of-a-file).")
    parts += [
        "## Of a file",
        "How it is written, where that is not found by looking:",
        table(FORMAT),
    ]
    columns = [option for option in READING if option not in FORMAT]
    parts += ["## Of the columns", "For `look` and `train`, with those [of a file](#of-a-file):"]
    return "\n\n".join([*parts, table(columns)]) + "\n"


def table(options):
    rows = [
        f"| {' '.join(f'`{word}`' for word in words(name, settings))} | {settings['help']} |"
        for name, settings in options
    ]
    return "\n".join(["| option | what it says |", "|---|---|", *rows])


def words(name, settings):
    """An option and what it takes, or a file by what it is called."""
    taken = [settings["metavar"]] if "metavar" in settings else []
    return [name, *taken] if name.startswith("-") else taken


def test_the_manual_has_every_option_as_the_command_has_it():
    written = MANUAL.read_text(encoding="utf-8").partition(WRITTEN)[2].lstrip("\n")
    assert written == manual(), "docs/command.md is old: write it with python -m tests.test_docs"


# --- the site -------------------------------------------------------------------------------------


@pytest.mark.whole
def test_the_site_is_built_without_warnings_and_whole(tmp_path):
    if not find_spec("sphinx"):
        pytest.skip("needs the extra docs: pip install -e .[docs]")
    settings, source, _ = re.search(
        r"^    \.venv/bin/sphinx-build (.+) (\S+) (\S+)$", HOUSE, flags=re.M
    ).groups()
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *settings.split(), "-q", source, tmp_path],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pages = {page.name: Links(page.read_text(encoding="utf-8")) for page in tmp_path.glob("*.html")}
    assert {f"{page.stem}.html" for page in DOCS.glob("*.md")} <= pages.keys()
    assert follow(pages, tmp_path) > 500
    for package in (engine, nn):
        assert not missing(package, pages[f"{package.__name__}.html"])
    assert "differences.html" in pages["tests.html"].to  # a link inside a file from elsewhere
    assert "rights of the one who runs them" in (tmp_path / "security.html").read_text()


class Links(HTMLParser):
    """Where a page leads to, and the places in it that others can lead to."""

    def __init__(self, text):
        super().__init__()
        self.to, self.places = set(), {""}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """One tag."""
        self.places |= {value for key, value in attrs if key in ("id", "name") and value}
        self.to |= {value for key, value in attrs if key in ("href", "src") and value}


def follow(pages, folder):
    """Follows each link inside the site; how many there were."""
    followed = 0
    for page, links in pages.items():
        for link in map(urlsplit, links.to):
            if link.scheme or link.netloc:
                continue
            target = unquote(link.path) or page
            assert (folder / target).exists(), f"{page} leads to {target}"
            if target in pages:
                assert unquote(link.fragment) in pages[target].places, (page, link.geturl())
            followed += 1
    return followed


def missing(package, page):
    """The public names of a package that its reference has no place for."""
    names = {name for name in dir(package) if name[0] != "_"}
    public = {name for name in names if not isinstance(getattr(package, name), ModuleType)}
    assert len(public) > 40
    return {name for name in public if f"{package.__name__}.{name}" not in page.places}


if __name__ == "__main__":
    head = MANUAL.read_text(encoding="utf-8").partition(WRITTEN)[0]
    MANUAL.write_text(f"{head}{WRITTEN}\n{manual()}", encoding="utf-8", newline="\n")
