"""The SVG: valid XML, everything in it once, no text over another, the same bytes each time."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import combinations, product

import pytest
from hostile import HOSTILE
from processes import printed

from engine.functions import dot
from engine.pictures.drawing.looks import (
    DARK,
    DIRECTIONS,
    GREY,
    INK,
    LOOKS,
    PAPER,
    VIOLET,
    width_of,
)
from engine.pictures.drawing.picture import picture
from engine.pictures.drawing.svg import STYLE, svg
from engine.pictures.texts import clipped, visible
from engine.value import Value
from nn.module import MLP

NAME = "{http://www.w3.org/2000/svg}"


def step(label: str = "loss") -> tuple[Value, MLP]:
    model = MLP(2, [4, 1], seed=1)
    loss = (model([Value(0.5, label="x1"), Value(-0.2, label="x2")]) - 1.0) ** 2
    loss.label = label
    loss.backward()
    return loss, model


def drawn(root: Value, names: object = None, direction: str = "LR", limit: int = 60) -> ET.Element:
    return ET.fromstring(svg(picture(root, names, False, limit), direction))  # type: ignore[arg-type]


def groups(root: ET.Element, kind: str) -> list[ET.Element]:
    return [g for g in root.iter(f"{NAME}g") if kind in g.get("class", "").split()]


def text_areas(root: ET.Element) -> list[tuple[str, float, float, float, float]]:
    """Each text with its left, right, top and bottom."""
    found = []
    for text in root.iter(f"{NAME}text"):
        size = float(text.get("font-size", "10"))
        width = width_of(text.text or "", size)
        x, y = float(text.get("x", "0")), float(text.get("y", "0"))
        left = x - {"middle": width / 2, "end": width}.get(text.get("text-anchor", ""), 0.0)
        found.append((text.text or "", left, left + width, y - size * 0.7, y))
    return found


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_node_edge_and_box_is_there_once(direction: str) -> None:
    loss, model = step()
    p = picture(loss, model.named_parameters(), False, 60)
    root = ET.fromstring(svg(p, direction))
    operations = sum(bool(n.op) for n in p.nodes)
    assert len(groups(root, "node")) == len(p.nodes) + operations
    assert len(groups(root, "op")) == operations
    assert len(groups(root, "edge")) == len(p.edges) + operations
    assert len(groups(root, "box")) == len(p.boxes) == 7
    assert len({g.get("id") for g in groups(root, "node")}) == len(groups(root, "node"))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_everything_is_on_the_page(direction: str) -> None:
    root = drawn(*step_names(), direction=direction)
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    for rect in root.iter(f"{NAME}rect"):
        x, y = float(rect.get("x", "0")), float(rect.get("y", "0"))
        assert x >= 0
        assert y >= 0
        assert x + float(rect.get("width", "0")) <= width
        assert y + float(rect.get("height", "0")) <= height


def step_names() -> tuple[Value, object]:
    loss, model = step()
    return loss, model.named_parameters()


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("limit", [6, 20, 60])
def test_no_text_stands_on_another(direction: str, limit: int) -> None:
    root = drawn(*step_names(), direction=direction, limit=limit)
    for (s, a, b, c, d), (t, e, f, g, h) in combinations(text_areas(root), 2):
        assert b <= e + 0.5 or f <= a + 0.5 or d <= g + 0.5 or h <= c + 0.5, (s, t)


def test_texts_stay_inside_their_cards() -> None:
    a = Value(-1e-300, label="a rather long label of a leaf")
    for card in groups(drawn(a * a), "node"):
        rects = list(card.iter(f"{NAME}rect"))
        left = float(rects[0].get("x", "0"))
        right = left + float(rects[0].get("width", "0"))
        for _, start, end, _, _ in text_areas(card):
            assert left <= start
            assert end <= right


def test_it_says_data_gradient_label_and_partial() -> None:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = a * b
    loss.label = "L"
    assert "grad not computed" in "".join(drawn(loss).itertext())
    loss.backward()
    texts = [text for text, *_ in text_areas(drawn(loss))]
    for text in ("a", "b", "L", "2.0000", "-3.0000", "-6.0000", "1.0000", "-3", "2", "*"):
        assert text in texts


def test_a_script_finds_everything_by_its_id() -> None:
    loss, model = step()
    p = picture(loss, model.named_parameters(), False, 60)
    root = ET.fromstring(svg(p))
    by_id = {g.get("id", ""): g for g in root.iter(f"{NAME}g")}
    for n, node in enumerate(p.nodes):
        assert by_id[f"n{n}"].get("data-box") == (None if node.box is None else f"b{node.box}")
        rows = {text.get("class"): text.text for text in by_id[f"n{n}"].iter(f"{NAME}text")}
        assert all(rows[key] == text for key, text in node.rows)
    for n, edge in enumerate(p.edges):
        title = by_id[f"e{n}"].findtext(f"{NAME}title", "")
        assert title.startswith(f"{edge.tail} to {edge.head}")
    for n, box in enumerate(p.boxes):
        parent = None if box.parent is None else f"b{box.parent}"
        assert by_id[f"b{n}"].get("data-parent") == parent


def test_a_summary_for_readers_who_do_not_see_it() -> None:
    root = drawn(*step_names())
    assert root.get("role") == "img"
    assert root.findtext(f"{NAME}title", "").startswith("loss: data ")
    assert "17 parameters" in root.findtext(f"{NAME}desc", "")


def test_kinds_differ_by_more_than_colour() -> None:
    outlines = [(k.width, k.radius, k.dash, k.double, k.shape) for k in LOOKS.values()]
    assert len(set(outlines)) == len(outlines)


def test_the_page_is_white() -> None:
    first = next(drawn(Value(1.0)).iter(f"{NAME}rect"))
    assert first.get("fill") == "white"


def test_each_colour_has_one_for_dark_pages() -> None:
    loss, model = step()
    painted = {
        element.get(paint)
        for limit in (60, 6)
        for element in drawn(loss, model.named_parameters(), limit=limit).iter()
        for paint in ("fill", "stroke")
    }
    assert painted - {None, "none"} <= DARK.keys()
    for colour in painted & DARK.keys():
        assert f'[fill="{colour}"]{{fill:{DARK[colour]}}}' in STYLE


def light(colour: str) -> float:
    """Its luminance, as WCAG has it."""
    whole = "#ffffff" if colour == "white" else colour
    parts = [int(whole[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colour", [lambda x: x, DARK.get], ids=["light", "dark"])
def test_letters_and_outlines_can_be_read_on_their_paper(colour: Callable[[str], str]) -> None:
    papers = ["white", PAPER, *(look.fill for look in LOOKS.values() if look.fill != "none")]
    strokes = [look.stroke for look in LOOKS.values() if look.stroke != "none"]
    for least, inks in ((4.5, [INK, GREY, VIOLET]), (3.0, strokes)):
        for ink, paper in product(inks, papers):
            lights = sorted([light(colour(ink)), light(colour(paper))])
            contrast = (lights[1] + 0.05) / (lights[0] + 0.05)
            assert contrast >= least, (ink, paper, contrast)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts(text: str) -> None:
    a, w = Value(1.0, label=text), Value(2.0)
    root = drawn(dot([w], [a]).tanh(), [(f"{text}.{text}.w.0", w)])
    assert len(groups(root, "node")) == 6
    assert len(groups(root, "edge")) == 5
    titles = [title.text or "" for title in root.iter(f"{NAME}title")]
    assert any(visible(text) in title for title in titles)
    shown = [shown for shown, *_ in text_areas(root)]
    assert clipped(visible(text)) in shown
    names = {element.tag.removeprefix(NAME) for element in root.iter()}
    assert names <= {"svg", "g", "title", "desc", "style", "rect", "path", "polygon", "text"}
    assert [f"<style>{style.text}</style>" for style in root.iter(f"{NAME}style")] == [STYLE]


@pytest.mark.whole
def test_the_same_bytes_in_other_processes() -> None:
    program = (
        "import random; random.seed(1); from test_svg import step; "
        "from engine.pictures.drawing.picture import *; "
        "from engine.pictures.drawing.svg import svg; import hashlib; loss, model = step(); "
        "p = picture(loss, model.named_parameters(), False, 60); "
        "print(hashlib.sha256(svg(p).encode()).hexdigest())"
    )
    assert printed(program, 0) == printed(program, 1) != ""


def test_a_large_picture_is_thin_lined() -> None:
    model = MLP(2, [16, 16, 1], seed=1)
    p = picture(model([Value(1.0), Value(2.0)]), model.named_parameters(), False, 60)
    assert len(p.edges) > 150
    assert 'stroke-width="0.5"' in svg(p)


def test_clipped() -> None:
    assert clipped("x" * 32) == "x" * 32
    assert clipped("x" * 33) == "x" * 31 + "\u2026"


def legend_of(root: Value, names: object = None, limit: int = 60) -> list[str]:
    return ["".join(g.itertext()) for g in groups(drawn(root, names, limit=limit), "legend")]


def test_the_legend_explains_what_is_in_the_picture_and_nothing_else() -> None:
    loss, model = step()
    slope = "0.5slope of the operation for this operand"
    dot_words = "dot: x1 * y1 + x2 * y2 + ... (+ bias)"
    kinds = ["parameter", "input", "computed", "result"]
    assert sorted(legend_of(loss, model)) == sorted([*kinds, slope, dot_words])
    words = legend_of(loss, model, limit=10)
    assert "several in one" in words
    assert "sum|grad|: the sizes of all gradients inside, added" in words
    assert dot_words not in words
    a = Value(2.0, label="a")
    assert legend_of(a * 3.0) == ["input", "result", slope]


def test_the_legend_breaks_its_lines_at_the_width_of_the_picture() -> None:
    a, b = Value(2.0, label="a"), Value(1.0, label="b")
    root = drawn((a * b).relu(), direction="TB")
    bottoms = {text.get("y") for g in groups(root, "legend") for text in g.iter(f"{NAME}text")}
    assert len(bottoms) > 1


def places(root: ET.Element) -> list[tuple[str, ...]]:
    """Where every box, card, sign and line stands."""
    keys = ("x", "y", "width", "height", "d")
    return [
        tuple(part.get(key, "") for key in keys)
        for part in root.iter()
        if part.tag.endswith(("}rect", "}path"))
    ]


@pytest.mark.some(2)
@pytest.mark.parametrize("limit", [60, 6])
@pytest.mark.parametrize("factor", [-1.0, 1e3, 1e7, 1e-9, float("nan")])
@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_nothing_moves_when_numbers_change(direction: str, factor: float, limit: int) -> None:
    net, other = step()[1], step()[1]
    for parameter in other.parameters():
        parameter.data = 0.123456 * factor
    (x, y) = (Value(1234.5678, "a"), Value(-2e-7, "b"))
    first, second = (n([x * k, y]) - k for n, k in ((net, 1.0), (other, -0.00012345)))
    second.backward()
    assert places(drawn(first, net, direction, limit)) == places(
        drawn(second, other, direction, limit)
    )
