"""The page as a text: what is in it, what is escaped, the same bytes each time."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hostile import HOSTILE
from processes import printed

from engine.pictures.page.page import SCRIPTS, page
from engine.pictures.steps import steps
from engine.value import Value
from nn.loss import mse
from nn.module import MLP
from nn.optim import SGD
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


@pytest.mark.parametrize("text", [*HOSTILE, *ENDINGS], ids=lambda text: ascii(text[:20]))
def test_hostile_labels_add_no_tags_and_survive_as_data(text):
    plain, hostile = (steps(Value(3.0, label) * 2.0) for label in ("plain", text))
    found = Tags(hostile.html)
    assert len(found.tags) == len(Tags(plain.html).tags)
    assert json.loads(found.scripts[0]) == json.loads(hostile.to_json())


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


def test_two_processes_write_the_same_bytes():
    program = (
        "import hashlib; from engine.pictures.steps import steps; from nn.loss import mse\n"
        "from nn.module import MLP; net = MLP(2, [4, 1], seed=1)\n"
        "html = steps(mse(net([1.0, 2.0]), 1.0), net.named_parameters()).html\n"
        "print(hashlib.sha256(html.encode()).hexdigest())"
    )
    assert printed(program, 1) == printed(program, 2)
