"""Pages besides their examples, which conftest.py runs: links, the manual, the site."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace
from urllib.parse import urlsplit

import pytest
from taught import run

import engine
import nn
from nn.cli import COMMANDS
from nn.commands.options import FORMAT, READING
from web import docs

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
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
    if not find_spec("myst_nb"):
        pytest.skip("needs the extra docs: pip install -e .[docs]")
    site = docs.written(tmp_path, *docs.NOT_RUN)
    pages = {path.relative_to(tmp_path).as_posix(): page for path, page in site.items()}
    ours = [*DOCS.rglob("*.md"), *NOTEBOOKS, ROOT / "SECURITY.md", ROOT / "benchmarks/README.md"]
    named = {path.relative_to(ROOT).with_suffix(".html").as_posix() for path in ours}
    assert named | {"index.html"} <= pages.keys()
    assert sum(len(page.to) for page in pages.values()) > 500
    for package in (engine, nn):
        assert not missing(package, pages[f"docs/{package.__name__}.html"])
    assert "DIFFERENCES.html" in pages["tests/README.html"].to
    assert "rights of the one who runs them" in (tmp_path / "SECURITY.html").read_text()


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        *(("b.html", True), ("b.html#there", True), ("#here", True), ("", True)),
        *(("../c.html", True), ("https://nowhere.invalid/x", True), ("b.html#%74here", True)),
        *(("b.html#here", False), ("c.html", False), ("#there", False), ("d.png", False)),
    ],
)
def test_links_that_lead_nowhere_are_found(link, leads, tmp_path):
    texts = {"a/a.html": f'<a id="here" href="{link}">', "a/b.html": '<p id="there">', "c.html": ""}
    pages = {}
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        pages[path] = docs.Page(text)
    assert docs.leading_nowhere(pages) == ([] if leads else [f"a.html leads to {link}"])


@pytest.mark.parametrize("base", ["", "https://school.invalid/playground.html"])
def test_blocks_of_python_can_be_opened_in_the_playground(base, monkeypatch):
    nodes = pytest.importorskip("docutils.nodes")
    there = SimpleNamespace(link=lambda code, base: f"{base}#{code}")
    monkeypatch.setitem(sys.modules, "web.playground", there)
    monkeypatch.setenv("PYTHONPATH", "")  # which the settings write
    settings = run_path(str(DOCS / "conf.py"))
    languages = {"x = 1": "python", "pip install": "text", "y = 2": "ipython3"}
    blocks = [nodes.literal_block(text, text, language=k) for text, k in languages.items()]
    tree = nodes.section("", *blocks)
    settings["playable"](SimpleNamespace(config=SimpleNamespace(playground=base)), tree, "page")
    opened = [reference["refuri"] for reference in tree.findall(nodes.reference)]
    assert opened == ([f"{base}#x = 1", f"{base}#y = 2"] if base else [])


def test_each_cell_of_the_gallery_shows_something():
    formatter = pytest.importorskip("IPython.core.formatters").DisplayFormatter()
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\}\n(.*?)^```$", text, flags=re.M | re.S)
    names = {}
    for cell in cells:
        shown, _ = formatter.format(run(cell, names))
        assert re.search("<svg|<iframe", "".join(shown.values()))
    assert len(cells) == len(re.findall("^## ", text, flags=re.M)) > 8


def missing(package, page):
    """The public names of a package that its reference has no place for."""
    names = {name for name in dir(package) if name[0] != "_"}
    public = {name for name in names if not isinstance(getattr(package, name), ModuleType)}
    assert len(public) > 40
    return {name for name in public if f"{package.__name__}.{name}" not in page.places}


if __name__ == "__main__":
    head = MANUAL.read_text(encoding="utf-8").partition(WRITTEN)[0]
    MANUAL.write_text(f"{head}{WRITTEN}\n{manual()}", encoding="utf-8", newline="\n")
