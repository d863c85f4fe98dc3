"""A picture as SVG, placed by the built-in layout: pure Python, everywhere the same bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from engine.pictures.drawing import looks
from engine.pictures.drawing.layout import layout
from engine.pictures.drawing.looks import LOOKS, entries, is_count, width_of
from engine.pictures.drawing.picture import UNKNOWN, Edge, Kind, Node, Picture
from engine.pictures.drawing.places import Item, Layout, Point, Rectangle
from engine.pictures.texts import clipped


def svg(picture: Picture, direction: str = "LR", is_alone: bool = True) -> str:
    """The picture as an SVG document; one that is alone is dark where its reader has set that."""
    partials: list[list[str]] = [[] for _ in picture.nodes]
    for edge in picture.edges:
        partials[edge.head].append(edge.text)
    measure = _upright if direction in looks.UPRIGHT else _lying
    shapes = [measure(n, texts) for n, texts in zip(picture.nodes, partials, strict=True)]
    placed = layout(
        [shape.item() for shape in shapes],
        [(edge.tail, edge.head) for edge in picture.edges],
        [box.parent for box in picture.boxes],
        looks.PADDING[direction],
    )
    style = STYLE if is_alone else ""
    return "\n".join(_document(picture, shapes, placed, _Page(direction, placed), style))


def _style() -> Iterator[str]:
    """What a picture looks like in dark; pages have a style of their own, and allow no other."""
    yield "@media(prefers-color-scheme:dark){"
    yield f":root.graph{{color-scheme:dark;fill:{looks.DARK[looks.INK]}}}"
    for light, dark in looks.DARK.items():
        for paint in ("fill", "stroke"):
            yield f':root.graph [{paint}="{light}"]{{{paint}:{dark}}}'
    yield "}"


STYLE = f"<style>{''.join(_style())}</style>"


# ---- measures


@dataclass(frozen=True, slots=True)
class Shape:
    """A node's extents along and across the edges: the partials, the operation, the card."""

    node: Node
    card: Point
    op: Point = (0.0, 0.0)
    partials: float = 0.0
    entries: Sequence[float] = ()

    def item(self) -> Item:
        """What the layout has to place."""
        stem = looks.STEM if self.node.op else 0.0
        length = self.partials + self.op[0] + stem + self.card[0]
        return Item(length, max(self.card[1], self.op[1]), self.node.box, self.entries)


def _lying(node: Node, partials: Sequence[str]) -> Shape:
    """For edges that run to the right or left: entries stand one below the other."""
    width, height = _card_size(node)
    if not node.op:
        return Shape(node, (width, height))
    entries = _entries(len(partials), looks.PORT)
    op = (_sign_width(node.op), max(looks.CIRCLE, entries[-1] * 2 + 16))
    return Shape(node, (width, height), op, _widest(partials) + 14, entries)


def _upright(node: Node, partials: Sequence[str]) -> Shape:
    """For edges that run down or up: entries stand side by side."""
    width, height = _card_size(node)
    if not node.op:
        return Shape(node, (height, width))
    entries = _entries(len(partials), _widest(partials) + 12)
    op = (looks.CIRCLE, max(_sign_width(node.op), entries[-1] * 2 + 16))
    return Shape(node, (height, width), op, 16, entries)


def _widest(partials: Sequence[str]) -> float:
    """The room for slopes; counts of arrows take what they need."""
    return max(width_of(text if is_count(text) else looks.SLOPE, looks.SMALL) for text in partials)


def _entries(count: int, apart: float) -> list[float]:
    return [(n - (count - 1) / 2) * apart for n in range(count)]


def _sign_width(op: str) -> float:
    return max(looks.CIRCLE, width_of(clipped(op, 12), looks.TEXT) + 12)


def _card_size(node: Node) -> Point:
    title = width_of(clipped(node.title), looks.TITLE) * 1.06  # bold
    if node.kind == "constant":
        return width_of(looks.SLOPE, looks.TITLE) + 4, 14.0
    rows = [_row_width(key, text) + 4 for key, text in node.rows]
    extra = 3.0 if node.kind == "summary" else 2 * _inner(node.kind)
    height = looks.ROW * (len(node.rows) + bool(node.title)) + 8 + extra
    return max([title, *rows]) + 14 + extra, height


def _inner(kind: Kind) -> float:
    """How far inside its outline a card has a second one."""
    return 3.0 if LOOKS[kind].double else 0.0


def _row_width(key: str, text: str) -> float:
    """The width of a row: of words what they need, of numbers (two in a range) what any needs."""
    if not key:
        return width_of(text, looks.TEXT)
    numbers = " to ".join(looks.NUMBER for _ in text.split(" to "))
    return max(width_of(f"{key} {words}", looks.TEXT) for words in (numbers, UNKNOWN))


@dataclass(frozen=True, slots=True)
class _Page:
    """From the layout's coordinates to the page's."""

    direction: str
    placed: Layout

    def point(self, x: float, y: float) -> Point:
        """A point on the page."""
        x = self.placed.length - x if self.direction in ("RL", "BT") else x
        x, y = x + looks.MARGIN, y + looks.MARGIN
        return (y, x) if self.direction in looks.UPRIGHT else (x, y)

    def area(self, r: Rectangle) -> Rectangle:
        """The same for a rectangle."""
        (a, b), (c, d) = self.point(r.x, r.y), self.point(r.x + r.length, r.y + r.breadth)
        return Rectangle(min(a, c), min(b, d), abs(a - c), abs(b - d))


# ---- the document


def _document(
    picture: Picture, shapes: list[Shape], placed: Layout, page: _Page, style: str
) -> Iterator[str]:
    sizes = placed.length, placed.breadth
    width, height = (
        2 * looks.MARGIN + n for n in (sizes[::-1] if page.direction in looks.UPRIGHT else sizes)
    )
    legend, below = _legend(picture, width, height - 4)
    height += below
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" class="graph" '
        f'font-family="{looks.FONT}, Arial, sans-serif" font-size="{looks.TEXT:g}" '
        f'fill="{looks.INK}">'
    )
    yield f"<title>{escape(picture.text.partition(chr(10))[0])}</title>"
    yield f"<desc>{escape(picture.text)}</desc>"
    if style:
        yield style
    yield f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>'
    for n, (box, frame) in enumerate(zip(picture.boxes, placed.boxes, strict=True)):
        r = page.area(frame)
        parent = "" if box.parent is None else f' data-parent="b{box.parent}"'
        yield f'<g class="box" id="b{n}"{parent}><title>{escape(box.name)}</title>'
        yield _rect(
            r, 8, f'fill="{looks.PAPER if box.parent is None else "white"}" stroke="{looks.FRAME}"'
        )
        title = clipped(box.title, int(r.length / (looks.TITLE * 0.6)))
        yield _text(r.x + 8, r.y + 14, title, looks.TITLE, fill=looks.GREY, weight="bold")
        yield "</g>"
    weight = 1.1 if len(placed.wires) < looks.CROWD else 0.5
    stroke = f'fill="none" stroke="{looks.LINE}" stroke-width="{weight}"'
    for n, (edge, wire) in enumerate(zip(picture.edges, placed.wires, strict=True)):
        yield from _edge(n, edge, wire, shapes[edge.head], stroke, page)
    for n, (shape, place) in enumerate(zip(shapes, placed.items, strict=True)):
        yield from _node(n, shape, place, page)
    yield from legend
    yield "</svg>"


def _edge(
    n: int, edge: Edge, wire: list[Point], shape: Shape, stroke: str, page: _Page
) -> Iterator[str]:
    start, y = wire[-1]
    stop = start + shape.partials
    tip = (page.point(stop, y), page.point(stop - 6, y - 3), page.point(stop - 6, y + 3))
    corners = " ".join(f"{a:.1f},{b:.1f}" for a, b in tip)
    title = f"{edge.tail} to {edge.head} {edge.text}".strip()
    yield f'<g class="edge" id="e{n}"><title>{escape(title)}</title>'
    yield f'<path d="{_curve([*wire, (stop, y)], page)}" {stroke}/>'
    yield f'<polygon points="{corners}" fill="{looks.GREY}"/>'
    if edge.text and shape.node.op:
        room = 0.0 if is_count(edge.text) else width_of(looks.SLOPE, looks.SMALL)
        if page.direction in looks.UPRIGHT:
            a, b = page.point(stop - 8, y)
            yield _text(
                a + 3, b + 3, edge.text, looks.SMALL, fill=looks.VIOLET, name="partial", room=room
            )
        else:
            a, b = page.point((start + stop - 6) / 2, y)
            place = {"anchor": "middle", "name": "partial"}
            yield _text(a, b - 2.5, edge.text, looks.SMALL, fill=looks.VIOLET, room=room, **place)
    yield "</g>"


def _curve(points: list[Point], page: _Page) -> str:
    """Straight along the columns, an S between them."""
    words = ["M{:.1f},{:.1f}".format(*page.point(*points[0]))]
    for (x, y), (u, v) in pairwise(points):
        if abs(y - v) < 0.05:
            words.append("L{:.1f},{:.1f}".format(*page.point(u, v)))
        else:
            bow = max(abs(u - x) / 2, 12.0)
            ends = page.point(x + bow, y), page.point(u - bow, v), page.point(u, v)
            words.append("C" + " ".join(f"{a:.1f},{b:.1f}" for a, b in ends))
    return "".join(words)


def _node(n: int, shape: Shape, place: Rectangle, page: _Page) -> Iterator[str]:
    node, (length, breadth), (along, across) = shape.node, shape.card, shape.op
    middle, end = place.y + place.breadth / 2, place.x + place.length
    if node.op:
        start = place.x + shape.partials
        r = page.area(Rectangle(start, middle - across / 2, along, across))
        stem = page.point(start + along, middle), page.point(end - length, middle)
        line = "M{:.1f},{:.1f}L{:.1f},{:.1f}".format(*stem[0], *stem[1])
        size = looks.TEXT if node.op[0].isalnum() else looks.SIGN
        x, y = r.x + r.length / 2, r.y + r.breadth / 2 + size * 0.35
        yield f'<g class="edge stem"><path d="{line}" stroke="{looks.INK}"/></g>'
        yield f'<g class="node op" id="o{n}"><title>{escape(node.op)}</title>'
        yield _rect(r, looks.CIRCLE / 2, f'fill="{looks.INK}"')
        sign = clipped(node.op, 12)
        yield _text(x, y, sign, size, fill="white", anchor="middle", weight="bold") + "</g>"
    card = page.area(Rectangle(end - length, middle - breadth / 2, length, breadth))
    box = "" if node.box is None else f' data-box="b{node.box}"'
    yield f'<g class="node {node.kind}" id="n{n}"{box}><title>{escape(node.hint)}</title>'
    yield from _constant(node, card) if node.kind == "constant" else _card(node, card)
    yield "</g>"


def _constant(node: Node, r: Rectangle) -> Iterator[str]:
    room = width_of(looks.SLOPE, looks.TITLE)
    yield _text(r.x + r.length - 2, r.y + 11, node.title, looks.TITLE, anchor="end", room=room)


def _card(node: Node, r: Rectangle) -> Iterator[str]:
    if node.kind == "summary":
        r = Rectangle(r.x, r.y + 3, r.length - 3, r.breadth - 3)
    yield from _outline(node.kind, r)
    inner = _inner(node.kind)
    r = Rectangle(r.x + inner, r.y + inner, r.length - 2 * inner, r.breadth - 2 * inner)
    y = r.y + 1
    if node.title:
        y += looks.ROW
        title = clipped(node.title)
        yield _text(r.x + r.length / 2, y, title, looks.TITLE, anchor="middle", weight="bold")
    for key, text in node.rows:
        y += looks.ROW
        if key and text != UNKNOWN:
            yield _text(r.x + 7, y, key, looks.TEXT, fill=looks.GREY)
            yield _text(r.x + r.length - 7, y, text, looks.TEXT, anchor="end", name=key)
        else:
            style = "italic" if key else ""
            both = f"{key} {text}".strip()
            x = r.x + r.length / 2
            yield _text(
                x, y, both, looks.TEXT, fill=looks.GREY, anchor="middle", style=style, name=key
            )


def _outline(kind: Kind, r: Rectangle) -> Iterator[str]:
    look = LOOKS[kind]
    stroke = f'stroke="{look.stroke}" stroke-width="{look.width:g}"'
    if look.dash:
        stroke += f' stroke-dasharray="{look.dash}"'
    if kind == "summary":
        yield _rect(r.moved(3, -3), look.radius, f'fill="{looks.SHADE}" {stroke}')
    yield _rect(r, look.radius, f'fill="{look.fill}" {stroke}')
    if inner := _inner(kind):
        second = Rectangle(r.x + inner, r.y + inner, r.length - 2 * inner, r.breadth - 2 * inner)
        yield _rect(second, inner, f'fill="none" stroke="{look.stroke}" stroke-width="0.8"')


def _legend(picture: Picture, width: float, y: float) -> tuple[list[str], float]:
    """Lines under the picture, and their height; an entry that is too wide is left out."""
    x, top, lines = looks.MARGIN, y, list[str]()
    for entry in entries(picture):
        mark = 25.0 if entry.kind else 18.0 if entry.sample else 0.0
        wide = mark + width_of(entry.words, looks.SMALL)
        if wide > width - 2 * looks.MARGIN:
            continue
        if x + wide > width - looks.MARGIN:
            x, y = looks.MARGIN, y + looks.LEGEND_ROW
        sign = "".join(_outline(entry.kind, Rectangle(x, y, 18, 12))) if entry.kind else ""
        if entry.sample:
            sign = _text(x, y + 9.5, entry.sample, looks.SMALL, fill=looks.VIOLET)
        words = _text(x + mark, y + 9.5, entry.words, looks.SMALL, fill=looks.GREY)
        lines.append(f'<g class="legend">{sign}{words}</g>')
        x += wide + 17
    return lines, y - top + looks.LEGEND_ROW + 4 if lines else 0.0


def _rect(r: Rectangle, radius: float, paint: str) -> str:
    corner = min(radius, r.breadth / 2, r.length / 2)
    return (
        f'<rect x="{r.x:.1f}" y="{r.y:.1f}" width="{r.length:.1f}" height="{r.breadth:.1f}"'
        f' rx="{corner:g}" {paint}/>'
    )


def _text(  # noqa: PLR0913 (looks, by keyword)
    x: float,
    y: float,
    text: str,
    size: float,
    *,
    fill: str = looks.INK,
    anchor: str = "start",
    weight: str = "",
    style: str = "",
    name: str = "",
    room: float = 0.0,
) -> str:
    """A line of text; set narrower where it needs more than `room`."""
    long = room and width_of(text, size) > room
    attributes = {
        "class": name,
        "font-size": f"{size:g}" if size != looks.TEXT else "",
        "fill": fill if fill != looks.INK else "",
        "text-anchor": anchor if anchor != "start" else "",
        "font-weight": weight,
        "font-style": style,
        "textLength": f"{room:.1f}" if long else "",
        "lengthAdjust": "spacingAndGlyphs" if long else "",
    }
    words = "".join(f' {key}="{value}"' for key, value in attributes.items() if value)
    return f'<text x="{x:.1f}" y="{y:.1f}"{words}>{escape(text)}</text>'
