"""Row e1 of the battery: texts that break careless writers, wherever a text can stand.

In a real browser: tests/test_page_browser.py.
"""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from audit import nothing_executed
from hostile import HOSTILE

from engine.functions import define
from engine.pictures.draw import draw
from engine.pictures.drawing.svg import svg
from engine.pictures.steps import steps
from engine.pictures.texts import visible
from engine.replay.replay import replay
from engine.value import Value
from nn.loss import mse
from nn.module import MLP

NAME = "hostile_operation"
PLACES = ("label", "operation", "scope", "collapsed scope", "title")
SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("svg", "g", "title", "desc", "style", "rect", "path", "polygon", "text")
TAGS = {f"{SVG}{name}" for name in NAMES}


def graph(place, text):
    """A loss with a text at a place, the names of its parameters, and how many nodes to show."""
    if place == "collapsed scope":
        net = MLP(2, [3, 1], seed=0)
        return mse(net([1.0, 2.0]), 1.0), [(f"{text}.{n}", p) for n, p in net.named_parameters()], 8
    operation = define(NAME, text if place == "operation" else "$", "x * y", "y", "x", at=[(1, 2)])
    a, w = Value(2.0, text if place == "label" else "a"), Value(3.0)
    loss = operation(a, w).tanh() + a
    loss.label = text if place == "title" else "loss"
    return loss, [(f"{text if place == 'scope' else 'net'}.w", w)], 60


class Page(HTMLParser):
    """The tags of a page, its texts, and what its attributes say."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.said, self.handlers = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.said += [said for _, said in attrs if said]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.said.append(data)


def dot_shape(source):
    """How many lines make an edge, a node and a box, and how many there are."""
    kinds = (r"\s*\S+ -> \S+", r"\s*\w+ \[", r"\s*subgraph ", "")
    return [len(re.findall(f"^{kind}", source, flags=re.M)) for kind in kinds]


def shows(said, text):
    """Whether a text is there, or its beginning where a card is too narrow."""
    start = visible(text)[:6]
    return any(start in words.replace("\u00a0", " ") for words in said)


@pytest.mark.some(12)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_is_shown_and_nothing_else(text, place, figure):
    (loss, names, most), (plain_loss, plain_names, _) = (graph(place, t) for t in (text, "plain"))
    loss.backward()
    plain_loss.backward()
    drawing, plain = (
        draw(loss, names, max_nodes=most),
        draw(plain_loss, plain_names, max_nodes=most),
    )
    assert len(drawing.picture.nodes) == len(plain.picture.nodes)
    assert len(drawing.picture.edges) == len(plain.picture.edges)

    assert dot_shape(drawing.dot.source) == dot_shape(plain.dot.source)

    with nothing_executed():
        root, plain_root = (ET.fromstring(svg(each.picture)) for each in (drawing, plain))
    assert {element.tag for element in root.iter()} <= TAGS
    assert len(list(root.iter(f"{SVG}g"))) == len(list(plain_root.iter(f"{SVG}g")))
    said = [*root.itertext(), *(v for element in root.iter() for v in element.attrib.values())]
    assert shows(said, text)

    told, plain_told = steps(loss, names), steps(plain_loss, plain_names)
    page, plain_page = Page(told.html), Page(plain_told.html)
    assert page.tags == plain_page.tags
    assert page.handlers == plain_page.handlers
    document, plain_document = (json.loads(each.to_json()) for each in (told, plain_told))
    assert len(document["nodes"]) == len(plain_document["nodes"])
    assert len(document["edges"]) == len(plain_document["edges"])

    lines = told.transcript().splitlines()
    assert len(lines) == len(plain_told.transcript().splitlines())
    assert not [line for line in lines if visible(line) != line]
    if len(text) < 1000:
        said = [json.dumps(document, ensure_ascii=False), *lines]
        assert shows([*said, *json_texts(document)], text)
    figure("e1", f"hostile texts as {place}: texts lost, nodes or tags gained", 1)


def json_texts(thing):
    """All texts of a document."""
    if isinstance(thing, str):
        return [thing]
    parts = thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list) else []
    return [text for part in parts for text in json_texts(part)]


@pytest.mark.some(5)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_names_in_the_words_of_a_replay_stay_in_their_line(text):
    net = MLP(2, [3, 1], seed=0)
    loss = replay(lambda x: mse(net(x), 1.0), backend="python")
    loss([1.0, 2.0])
    names = net.named_parameters()
    plain = loss.source(names=names).splitlines()
    told = loss.source(names=[(f"{text}.{name}", p) for name, p in names]).splitlines()
    assert len(told) == len(plain)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_name_of_an_operation_is_an_identifier(text):
    with pytest.raises(ValueError, match="define expected a name such as 'swish', got "):
        define(text if not text.isidentifier() else f"_{text}", "$", "x", "1.0", at=[(1.0,)])
