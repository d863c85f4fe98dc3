"""The DOT text: counts, escapes, and Graphviz itself where it is installed."""

import random
import re
import xml.etree.ElementTree as ET

import pytest
from hostile import HOSTILE

from engine.pictures.draw import programs, render
from engine.pictures.drawing.digraph import digraph, markup
from engine.pictures.drawing.looks import DIRECTIONS
from engine.pictures.drawing.picture import picture
from engine.pictures.texts import visible
from engine.value import Value
from nn.module import MLP

SVG = "{http://www.w3.org/2000/svg}"
needs_dot = pytest.mark.skipif(not programs(), reason="needs Graphviz or graphviz-pure")


def source(root: Value, names: object = None, direction: str = "LR") -> str:
    return str(digraph(picture(root, names, False, 60), direction).source)  # type: ignore[arg-type]


def rendered(text: str) -> ET.Element:
    return ET.fromstring(render(programs()[0], "svg", text))


def count(text: str) -> tuple[int, int]:
    """Lines that declare nodes, and lines that declare edges."""
    nodes = re.findall(r"^\t+[nog]\d+(?:_\d+)? \[label", text, re.MULTILINE)
    edges = re.findall(r"^\t+\S+ -> \S+", text, re.MULTILINE)
    return len(nodes), len(edges)


def step(sizes: list[int], fused: bool = True) -> tuple[Value, object]:
    model = MLP(2, sizes, seed=1, fused=fused)
    outs = model([Value(0.5, label="x1"), Value(-0.2, label="x2")])
    loss = (outs - 1.0) ** 2
    loss.backward()
    return loss, model.named_parameters()


def test_nodes_and_edges() -> None:
    a = Value(2.0)
    assert count(source(a + a)) == (3, 3)
    assert count(source((a * 2.0).tanh())) == (6, 5)


def test_no_edge_has_a_label() -> None:
    edges = [line for line in source(*step([4, 1])).splitlines() if " -> " in line]
    assert edges
    assert not [line for line in edges if "label" in line]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_ascii_and_add_nothing(text: str) -> None:
    a, w = Value(1.0, label=text), Value(2.0)
    root = (a * w).tanh()
    dot = source(root, [(f"{text}.w", w)])
    assert all(c.isascii() or c > "\uffff" for c in dot)
    assert count(dot) == count(source(root, [("n.w", w)]))
    assert markup(visible(text)) in dot


@needs_dot
@pytest.mark.parametrize("text", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_graphviz_shows_hostile_texts_as_they_are(text: str) -> None:
    a = Value(1.0, label=text)
    root = rendered(source(a.tanh()))
    kinds = [g.get("class") for g in root.iter(f"{SVG}g")]
    assert (kinds.count("node"), kinds.count("edge")) == (3, 2)
    # dot keeps no spaces at the ends and makes the others hard ones
    shown = [(t.text or "").replace("\u00a0", " ").strip() for t in root.iter(f"{SVG}text")]
    assert visible(text).strip() in shown
    hints = [link.get("{http://www.w3.org/1999/xlink}title", "") for link in root.iter(f"{SVG}a")]
    assert any(hint.startswith(f"{visible(text)} data 1.0") for hint in hints)
    assert not list(root.iter(f"{SVG}script"))


@pytest.mark.some(4)
@needs_dot
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("sizes", [[1], [2, 1], [4, 1], [3, 2, 1]])
def test_graphviz_draws_nets(sizes: list[int], fused: bool, direction: str) -> None:
    text = source(*step(sizes, fused), direction)
    root = rendered(text)
    kinds = [g.get("class") for g in root.iter(f"{SVG}g")]
    assert (kinds.count("node"), kinds.count("edge")) == count(text)
    assert kinds.count("cluster") == len(sizes) + sum(sizes)


@needs_dot
@pytest.mark.parametrize("seed", range(10))
def test_graphviz_draws_tangles(seed: int) -> None:
    draw = random.Random(seed)
    values = [Value(draw.random(), label=f"v{n}") for n in range(4)]
    names = {f"n.{n % 2}.w.{n}": value for n, value in enumerate(values)}
    for _ in range(12):
        a, b = draw.choice(values), draw.choice(values)
        values.append(draw.choice([a * b, a + b, a.tanh(), a - 2.0]))
    text = source(values[-1] * values[-2], names)
    kinds = [g.get("class") for g in rendered(text).iter(f"{SVG}g")]
    assert (kinds.count("node"), kinds.count("edge")) == count(text)


def test_the_same_text_each_time() -> None:
    assert source(*step([4, 1])) == source(*step([4, 1]))


@needs_dot
def test_graphviz_shows_the_legend_under_the_picture() -> None:
    root = rendered(source(*step([2, 1])))
    texts = {
        (t.text or "").strip("\u00a0 "): float(t.get("y", "0")) for t in root.iter(f"{SVG}text")
    }
    words = ("parameter", "input", "computed", "result", "slope of the operation for this operand")
    assert {*words, "dot: x1 * y1 + x2 * y2 + ... (+ bias)"} < {
        text.replace("\u00a0", " ") for text in texts
    }
    lowest = max(y for text, y in texts.items() if text in ("data", "grad"))
    assert all(texts[word] > lowest for word in words[:4])


def test_a_single_number_needs_no_legend() -> None:
    assert "result" not in source(Value(1.0))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_each_operand_has_a_port_of_its_own(direction: str) -> None:
    dot = source(*step([2, 1]), direction)
    ports = [set(re.findall(r'PORT="(p\d+)"', line)) for line in dot.splitlines()]
    drawn = re.findall(r"-> o\d+:(p\d+):", dot)
    assert sum(map(len, ports)) == len(drawn) == sum(dot.count(f'PORT="p{n}"') for n in range(9))


@needs_dot
def test_wires_have_no_gap_where_they_enter_a_box() -> None:
    """The point between the two halves of a wire is as large as what they are short of it."""
    points = list(rendered(source(*step([2, 1]))).iter(f"{SVG}ellipse"))
    assert points
    assert all(float(point.get("rx", "0")) >= 1 for point in points)
