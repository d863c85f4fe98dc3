"""The page as a text: what is in it, what is escaped, the same bytes each time."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hostile import HOSTILE
from processes import printed

from engine.pictures.drawing.svg import svg
from engine.pictures.page.page import SCRIPTS, page, record_of
from engine.pictures.steps import steps
from engine.value import Value
from nn.data import iris
from nn.document import STYLE
from nn.loss import cross_entropy, mse
from nn.module import MLP
from nn.optim import SGD, Adam
from nn.watch import watch

ROOT = Path(__file__).parents[1]
ENDINGS = ["</script>", "<!--<script>", "\u2028\u2029", "{{steps}}", "javascript:alert(1)"]
EMPTY = '{"title": "t", "nodes": [], "edges": [], "events": []}'


class Tags(HTMLParser):
    """Counts tags, and keeps the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.title = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found = dict(attrs)
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.tags[-1:] == ["script"]:
            self.scripts[-1] += data
        if self.tags[-1:] == ["title"] and not self.title:
            self.title = data


@pytest.mark.some(2)
@pytest.mark.parametrize("text", [*HOSTILE, *ENDINGS], ids=lambda text: ascii(text[:20]))
def test_hostile_labels_add_no_tags_and_survive_as_data(text):
    plain, hostile = (steps(Value(3.0, label) * 2.0) for label in ("plain", text))
    found = Tags(hostile.html)
    assert len(found.tags) == len(Tags(plain.html).tags)
    known = {**json.loads(hostile.to_json()), "picture": svg(hostile.picture, is_alone=False)}
    assert json.loads(record_of(hostile.html)) == known


@pytest.mark.parametrize("text", ["</title><b>", "{{script}}", "a & b", '"'])
def test_the_title_is_a_text(text):
    written = page(json.dumps({**json.loads(EMPTY), "title": text}), "<svg></svg>")
    assert Tags(written).title == text


def test_every_script_is_in_the_page_once_in_order():
    written = page(EMPTY, "<svg></svg>")
    folder = ROOT / "engine" / "pictures" / "page"
    places = [written.index((folder / name).read_text()) for name in SCRIPTS]
    assert places == sorted(places)
    assert {path.name for path in folder.glob("*.js")} == set(SCRIPTS)


NEWER = {  # in the language since 2021
    "a ??= b": r"\?\?=|\|\|=|&&=",
    "1_000": r"\b\d+_\d",
    "(?<=a)": r"\(\?<[=!]",  # of 2018, in Safari since 2023
    "#field": r"this\.#|^\s*#\w+\s*[=(;]",
    "static { }": r"\bstatic\s*\{",
    "/a/v": r"/[gimsuy]*[dv][gimsuy]*[.,;)]",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_written_as_browsers_of_2020_read_them(name):
    """What is built in is taken away in a browser, see test_page_browser.py."""
    script = (ROOT / "engine" / "pictures" / "page" / name).read_text()
    assert [said for said, form in NEWER.items() if re.search(form, script, re.M)] == []


NEWER_STYLES = {  # in browsers since 2021 or later: they drop the declaration, or the whole rule
    "colours": r"light-dark\(|color-mix\(|\b(?:oklch|oklab|lab|lch)\(|(?:rgb|hsl)a?\(from\b",
    "selectors": r":(?:has|is|where|user-valid|user-invalid|state)\(",
    "rules": r"@(?:layer|container|property|scope|starting-style)\b",
    "nesting": r"(?:^|[{;])\s*&",
    "inset": r"\binset(?:-[a-z-]+)?\s*:",
    "lengths": r"\d(?:[dsl]v[hwib]|cq\w+)\b",
    "width > 600px": r"@media[^{]*[<>]",
}
STYLES = {p.name: p.read_text() for part in ("engine", "nn") for p in (ROOT / part).rglob("*.css")}


@pytest.mark.parametrize("name", [*STYLES, "charts"])
def test_styles_are_written_as_browsers_of_2020_read_them(name):
    style = {**STYLES, "charts": STYLE}[name]
    plain = re.sub(r"/\*.*?\*/", "", style, flags=re.S)
    assert [said for said, form in NEWER_STYLES.items() if re.search(form, plain, re.M)] == []


def test_the_styles_of_all_pages_are_judged():
    assert {*STYLES} == {"base.css", "player.css", "walk.css"}


def test_no_address_outside_is_named():
    net = MLP(2, [2, 1], seed=1)
    written = steps(mse(net([1.0, 2.0]), 1.0), net.named_parameters()).html
    addresses = set(re.findall(r"https?://[^\"' )]*", written))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, nothing is fetched
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import)\(", written)


def test_only_json_is_taken():
    with pytest.raises(ValueError, match="Expecting"):
        page("not json", "<svg></svg>")


def test_a_page_of_a_training_step_is_under_500_kb():
    net = MLP(2, [8, 8, 1], "tanh", seed=1)
    written = watch(net, mse, ([1.0, -2.0], 1.0), SGD(net.parameters(), lr=0.05)).html
    assert len(written.encode()) < 500_000


def test_the_page_of_a_step_of_the_net_that_train_makes_is_under_700_kb():
    net = MLP(4, [16, 16, 3], "tanh", seed=0)
    optimizer = Adam(net.parameters(), lr=0.004)
    step = watch(net, cross_entropy, iris().pick([70]), optimizer)
    assert len(step) == 1356
    assert len(step.html.encode()) < 700_000


def test_the_page_of_a_run_of_12_steps_is_under_700_kb():
    """As in notebook 05."""
    net = MLP(2, [3, 3, 1], "tanh", seed=1)
    run = watch(net, mse, ([1.0, -2.0], 1.0), SGD(net.parameters(), lr=0.6), steps=12)
    assert all(step["steps"] for step in run.document()["runs"])  # each can be opened
    assert len(run.html.encode()) < 700_000


@pytest.mark.whole
def test_a_page_of_many_large_steps_opens_some_and_is_under_700_kb():
    net = MLP(4, [16, 16, 3], "tanh", seed=0)
    run = watch(net, cross_entropy, iris(), Adam(net.parameters(), lr=0.004), steps=12)
    opened = [number for number, step in enumerate(run.document()["runs"]) if step["steps"]]
    assert len(opened) >= 6
    assert (opened[0], opened[-1]) == (0, 11)
    assert f"{len(opened)} of 12 training steps can be opened" in run.document()["cut"]
    assert len(run.html.encode()) < 700_000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "<html></html>", "it has no record of one"),
        (lambda text: text.replace('id="steps">', 'id="steps">!'), "cannot be unpacked"),
        (lambda text: text.replace('id="steps">', 'id="steps">////'), "cannot be unpacked"),
        (lambda text: re.sub(r'(id="steps">.{8}).*?<', r"\1<", text), "is cut off"),
    ],
)  # fmt: skip
def test_a_record_that_is_spoilt_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        record_of(change(page(EMPTY, "<svg></svg>")))


def test_a_record_that_is_too_large_is_refused(monkeypatch):
    text = page(EMPTY, "x" * 2000)
    monkeypatch.setattr("engine.pictures.page.page.MOST", len(record_of(text)))
    assert "x" * 2000 in record_of(text)
    monkeypatch.setattr("engine.pictures.page.page.MOST", len(record_of(text)) - 1)
    with pytest.raises(ValueError, match="more than 2,0"):
        record_of(text)


@pytest.mark.whole
def test_without_scripts_a_large_net_is_shown_in_few_cards():
    net = MLP(4, [16, 16, 3], "tanh", seed=0)
    step = steps(mse(net([1.0, 2.0, 3.0, 4.0])[0], 1.0), net.named_parameters())
    still = re.search(r"<noscript>(<svg.*?</svg>)</noscript>", step.html, re.S)[1]
    assert 10 < still.count('<g class="node ') <= 2 * 60
    assert "several in one" in still


@pytest.mark.whole
def test_two_processes_write_the_same_bytes():
    program = (
        "import hashlib; from engine.pictures.steps import steps; from nn.loss import mse\n"
        "from nn.module import MLP; net = MLP(2, [4, 1], seed=1)\n"
        "html = steps(mse(net([1.0, 2.0]), 1.0), net.named_parameters()).html\n"
        "print(hashlib.sha256(html.encode()).hexdigest())"
    )
    assert printed(program, 1) == printed(program, 2)
