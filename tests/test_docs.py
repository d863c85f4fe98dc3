"""Pages besides their examples, which conftest.py runs: links, the manual, the site."""

import re
import subprocess
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
from tests.written import FOLDERS, HOUSE, PARTS, WRITTEN
from web import docs
from web.opens import stands_alone
from web.playground import MOST_CODE, NAME, link

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]


# --- the pages as they lie ----------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    for to in links:
        assert (page.parent / to.partition("#")[0]).exists() or urlsplit(to).scheme, to


def test_the_index_leads_to_every_page():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\]\((\w+\.md)\)", index))
    assert named == {page.name for page in DOCS.glob("*.md")} - {"index.md"}


def test_the_map_names_files_that_exist():
    rows = re.findall(r"^\| (.*`[^|]*) \|", HOUSE.read_text(encoding="utf-8"), flags=re.M)
    text, folder, found = " ".join(re.sub(r"^\| |\*\*", "", row) for row in rows), "", 0
    for name in re.findall(r"`([^`]+)`", text):
        if name.endswith("/") and (ROOT / name).is_dir():
            folder = name
        elif name.endswith((".py", "/")) or name == "commands":
            assert (ROOT / folder / name).exists(), f"{folder}{name}"
            found += 1
    assert found > 40


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


# --- what is written by a command -----------------------------------------------------------------


@pytest.mark.parametrize("page", PARTS, ids=lambda page: page.name)
def test_what_is_written_of_a_page_is_as_it_would_be_now(page):
    written = page.read_text(encoding="utf-8").partition(WRITTEN)[2].lstrip("\n")
    assert written == PARTS[page](), f"{page.name} is old: write it with python -m tests.written"


def test_the_command_that_writes_them_begins():
    subprocess.run([sys.executable, "-c", "import tests.written"], check=True, cwd=ROOT)


def test_every_folder_of_the_house_is_listed():
    files = [path for top in ("engine", "nn", "web") for path in (ROOT / top).rglob("*.py")]
    assert {path.parent.relative_to(ROOT).as_posix() for path in files} == set(FOLDERS)


# --- the site -------------------------------------------------------------------------------------


@pytest.mark.whole
def test_the_site_is_built_without_warnings_and_whole(tmp_path):
    if not find_spec("myst_nb"):
        pytest.skip("needs the extra docs: pip install -e .[docs]")
    (tmp_path / NAME).write_text("<title>the playground</title>")
    site = docs.written(tmp_path, *docs.NOT_RUN, "-D", f"playground={NAME}")
    pages = {path.relative_to(tmp_path).as_posix(): page for path, page in site.items()}
    ours = [*DOCS.rglob("*.md"), *NOTEBOOKS, ROOT / "SECURITY.md", ROOT / "benchmarks/README.md"]
    named = {path.relative_to(ROOT).with_suffix(".html").as_posix() for path in ours}
    assert named | {"index.html"} <= pages.keys()
    assert sum(len(page.to) for page in pages.values()) > 500
    for package in (engine, nn):
        assert not missing(package, pages[f"docs/{package.__name__}.html"])
    playable = {to for page in pages.values() for to in page.to if f"{NAME}#code=" in to}
    assert len(playable) > 25
    assert {to.partition("#")[0] for to in playable} == {NAME, f"../{NAME}"}
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


ALONE = "from engine import Value\nprint(Value(2.0) * 3)"
THERE = "https://school.invalid/playground.html"


def opened(page, blocks, base, monkeypatch):
    """The addresses that the site has below blocks of code, by the block before each."""
    nodes = pytest.importorskip("docutils.nodes")
    monkeypatch.setenv("PYTHONPATH", "")  # which the settings write
    settings = run_path(str(DOCS / "conf.py"))
    made = [nodes.literal_block(text, text, language=kind) for text, kind in blocks]
    tree = nodes.section("", nodes.title("", "A page"), *made)
    settings["playable"](SimpleNamespace(config=SimpleNamespace(playground=base)), tree, page)
    links = [(tree.index(one.parent), one["refuri"]) for one in tree.findall(nodes.reference)]
    return {tree[place - 1].astext(): address for place, address in links}


@pytest.mark.parametrize(
    ("base", "leads"),
    [("", None), (THERE, THERE), ("play.html", "../play.html"), ("a/play.html", "../a/play.html")],
)
def test_examples_that_stand_alone_open_in_the_playground(base, leads, monkeypatch):
    blocks = [
        *((ALONE, "python"), ("print(net)", "python"), ("pip install", "text")),
        *(("import torch", "python"), ("1 + 1", "ipython3"), (">>> 1 + 1", "python")),
        *(("", "python"), (f"x = {'1' * MOST_CODE}", "python")),
    ]
    found = opened("docs/page", blocks, base, monkeypatch)
    assert found == ({code: link(code, leads) for code in (ALONE, "1 + 1")} if base else {})


@pytest.mark.parametrize(
    ("cells", "whole"),
    [
        (["x = 2", "x + 1"], "x = 2\n\ndisplay(x + 1)"),
        (["def f():\n    return 1\n\nf(\n)"], "def f():\n    return 1\n\ndisplay(f(\n))"),
        (["import numpy"], None),
        (["x = 2", "%timeit x"], None),
        ([], None),
    ],
)
def test_a_notebook_opens_whole_in_the_playground(cells, whole, monkeypatch):
    blocks = [(cell, "ipython3") for cell in cells]
    found = opened("notebooks/one", blocks, "play.html", monkeypatch)
    assert found == ({"A page": link(whole, "../play.html")} if whole else {})


@pytest.mark.whole
def test_each_example_with_such_a_link_runs_alone(tmp_path, monkeypatch):
    """Without extras, in an empty folder, as in the playground."""
    lacking = "\n".join(f"sys.modules[{name!r}] = None" for name in ("numpy", "torch", "sklearn"))
    texts = [page.read_text(encoding="utf-8") for page in [*PAGES, *ROOT.glob("*/README.md")]]
    fences = re.compile(r"^```(?:python|\{code-cell\})\n(.*?)^```$", flags=re.M | re.S)
    alone = [code for text in texts for code in fences.findall(text) if stands_alone(code)]
    assert len(alone) > 15
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = tmp_path / "program.py"
    for code in alone:
        program.write_text(f"import sys\n{lacking}\n{code}", encoding="utf-8")
        done = subprocess.run(
            [sys.executable, program.name],
            cwd=tmp_path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, code + done.stderr


@pytest.mark.whole
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
