"""A picture in DOT, for Graphviz.

Labels are HTML-like tables, so that any text can stand in them. The slopes are cells of the
operations instead of labels of the edges: Graphviz 2.43 crashes on labelled edges and clusters.
"""

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from engine.pictures.drawing import looks
from engine.pictures.drawing.collapse import around
from engine.pictures.drawing.looks import LOOKS, Entry, entries
from engine.pictures.drawing.picture import UNKNOWN, Edge, Node, Picture
from engine.pictures.texts import clipped

if TYPE_CHECKING:
    from graphviz import Digraph

FONT = "Arial"  # Graphviz takes the widths of another font for Helvetica
SIDES = {"LR": ("e", "w"), "RL": ("w", "e"), "TB": ("s", "n"), "BT": ("n", "s")}  # out, in
GRAPH = {
    "bgcolor": "white",
    "fontname": FONT,
    "fontsize": "10",
    "fontcolor": looks.GREY,
    "labeljust": "l",
    "pad": "0.15",
    "nodesep": "0.12",
    "ranksep": "0.6",
}
NODE = {
    "fontname": FONT,
    "fontsize": "10",
    "fontcolor": looks.INK,
    "margin": "0.08,0.06",
    "width": "0",
    "height": "0",
}
EDGE = {"color": looks.LINE, "arrowsize": "0.5"}


def digraph(picture: Picture, direction: str) -> "Digraph":
    """Node `n3` is a card, `o3` its operation, `cluster_b1` a box.

    A wire into a box runs through a point `g3_1` (of node 3 into box 1) beside the parameters in
    that box; else Graphviz leads it around the box.
    """
    from graphviz import Digraph  # the rest works without it

    explained = entries(picture)
    around_all = (
        GRAPH | {"rankdir": direction} | ({"label": _legend(explained)} if explained else {})
    )
    dot = Digraph("picture", graph_attr=around_all, node_attr=NODE, edge_attr=EDGE)
    partials: list[list[str]] = [[] for _ in picture.nodes]
    for edge in picture.edges:
        partials[edge.head].append(edge.text)
    _fill(dot, picture, None, partials, direction)
    outward, inward = SIDES[direction]
    port = [0] * len(picture.nodes)
    gates: dict[str, None] = {}
    for edge in picture.edges:
        tail, head = f"n{edge.tail}:{outward}", f"n{edge.head}:{inward}"
        if picture.nodes[edge.head].op:
            head = f"o{edge.head}:p{port[edge.head]}:{inward}"
        port[edge.head] += 1
        gate = _gate(picture, edge)
        if gate and gate not in gates:
            gates[gate] = None
            dot.edge(tail, gate, arrowhead="none", headclip="false")
        dot.edge(gate or tail, head, **({"tailclip": "false"} if gate else {}))
    return dot


def _gate(picture: Picture, edge: Edge) -> str:
    """The point where an edge to an operation enters its box from outside; "" for all others."""
    head = picture.nodes[edge.head]
    around_tail = around(picture.boxes, picture.nodes[edge.tail].box)
    if not head.op or head.box is None or head.box in around_tail:
        return ""
    return f"g{edge.tail}_{head.box}"


def _fill(
    dot: "Digraph", picture: Picture, box: int | None, partials: list[list[str]], direction: str
) -> None:
    """Adds what is in a box, or outside of all."""
    for place, node in enumerate(picture.nodes):
        if node.box == box:
            _add(dot, place, node, partials[place], direction)
    into = (edge for edge in picture.edges if picture.nodes[edge.head].box == box)
    for gate in dict.fromkeys(_gate(picture, edge) for edge in into):
        if gate:
            dot.node(gate, label="", shape="point", width="0.04", height="0.04", color=looks.LINE)
    for n, inner in enumerate(picture.boxes):
        if inner.parent != box:
            continue
        with dot.subgraph(name=f"cluster_b{n}") as cluster:
            cluster.attr(
                label=_table([f"<TD><B>{markup(clipped(inner.title))}</B></TD>"], padding=3),
                tooltip=tooltip(inner.name),
                style="rounded,filled",
                color=looks.FRAME,
                fillcolor=looks.PAPER if box is None else "white",
            )
            _fill(cluster, picture, n, partials, direction)


def _add(dot: "Digraph", place: int, node: Node, partials: list[str], direction: str) -> None:
    look = LOOKS[node.kind]
    styles = ["filled"] + ["dashed"] * bool(look.dash) + ["rounded"] * bool(look.radius)
    dot.node(
        f"n{place}",
        label=_card(node),
        tooltip=tooltip(node.hint),
        shape=look.shape,
        style=",".join(styles) if look.shape == "box" else "filled",
        fillcolor=look.fill,
        color=look.stroke,
        penwidth=f"{look.width:g}",
        peripheries="2" if look.double else "1",
        margin="0.12,0.1" if look.shape == "box3d" or look.double else NODE["margin"],
    )
    if node.op:
        label = _operation(node.op, partials, direction)
        dot.node(f"o{place}", label=label, shape="plain", tooltip=tooltip(node.op))
        dot.edge(f"o{place}", f"n{place}", arrowhead="none", color=looks.INK, weight="9")


def _card(node: Node) -> str:
    if node.kind == "constant":
        return f"<{markup(node.title)}>"
    wide = '<TD COLSPAN="2">{}</TD>'
    rows = [wide.format(f"<B>{markup(clipped(node.title))}</B>")] if node.title else []
    for key, text in node.rows:
        grey = f'<FONT COLOR="{looks.GREY}">{markup(key)}&#160;&#160;</FONT>'
        if key and text != UNKNOWN:
            cells = f'<TD ALIGN="LEFT">{grey}</TD><TD ALIGN="RIGHT">{markup(text)}</TD>'
            rows.append(cells)
        else:
            both = markup(f"{key} {text}".strip())
            rows.append(wide.format(f'<FONT COLOR="{looks.GREY}">{both}</FONT>'))
    return _table(rows, padding=1)


def _operation(sign: str, partials: list[str], direction: str) -> str:
    """The operation's sign and, where its edges end, lines on to it with the slopes beside them."""
    font = f'<FONT COLOR="{looks.VIOLET}" POINT-SIZE="9">'
    slopes = [f'<TD CELLPADDING="1">{font}{markup(text) or " "}</FONT></TD>' for text in partials]
    thin = f'BGCOLOR="{looks.LINE}" WIDTH="1" HEIGHT="1"'
    lines = [f'<TD PORT="p{n}" {thin}></TD>' for n in range(len(partials))]
    name = (
        f'<TABLE BORDER="0" CELLPADDING="4" STYLE="ROUNDED" BGCOLOR="{looks.INK}"><TR><TD>'
        f'<FONT COLOR="white"><B>{markup(clipped(sign, 12))}</B></FONT></TD></TR></TABLE>'
    )
    if direction in looks.UPRIGHT:
        ports = "".join(line + slope for line, slope in zip(lines, slopes, strict=True))
        rows = [ports, f'<TD COLSPAN="{2 * len(lines)}">{name}</TD>']
        rows = rows if direction == "TB" else rows[::-1]
    else:
        first, *others = (cell for pair in zip(slopes, lines, strict=True) for cell in pair)
        tall = f'<TD ROWSPAN="{2 * len(lines) + 1}">{name}</TD>'
        below = '<TD HEIGHT="9"></TD>'  # so that the lines stand around the middle of the sign
        rows = [first + tall if direction == "LR" else tall + first, *others, below]
    return _table(rows, padding=0)


def _table(rows: Iterable[str], padding: int, spacing: int = 0) -> str:
    """An HTML-like label."""
    settings = f'BORDER="0" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="{padding}"'
    return f"<<TABLE {settings}>{''.join(f'<TR>{row}</TR>' for row in rows)}</TABLE>>"


def _legend(explained: list[Entry]) -> str:
    """The kinds of nodes in one row, what else there is in one row each."""
    kinds = [entry for entry in explained if entry.kind]
    rows = ["".join(map(_sample, kinds))]
    for entry in explained:
        if not entry.kind:
            violet = (
                f'<FONT COLOR="{looks.VIOLET}">{markup(entry.sample)} </FONT>'
                if entry.sample
                else ""
            )
            wide = f'<TD COLSPAN="{2 * len(kinds)}" ALIGN="LEFT">'
            rows.append(f"{wide}{violet}{markup(entry.words)}</TD>")
    return _table(rows, padding=1, spacing=3)


def _sample(entry: Entry) -> str:
    """Two cells: a frame like that of the kind's nodes, and what it is called."""
    look = LOOKS[entry.kind or "value"]
    style = "DASHED" if look.dash else "ROUNDED" if look.radius else "SOLID"
    frame = f'BORDER="{max(1, round(look.width))}" STYLE="{style}" COLOR="{look.stroke}"'
    return (
        f'<TD WIDTH="20" {frame} BGCOLOR="{look.fill}"> </TD>'
        f'<TD ALIGN="LEFT">{markup(entry.words)}&#160;&#160;</TD>'
    )


def markup(text: str) -> str:
    """Text for an HTML-like label: nothing in it is markup or an escape.

    ASCII and entities, but for characters beyond U+FFFF, whose entities Graphviz gets wrong.

    >>> markup("<b> é")
    '&lt;b&gt; &#233;'
    """
    escaped = escape(text).replace("\\", "&#92;" * 2)
    return "".join(c if c < "\x80" or c > "\uffff" else f"&#{ord(c)};" for c in escaped)


def tooltip(text: str) -> str:
    """Text for a tooltip, where backslashes are read twice."""
    return markup(text.replace("\\", "\\" * 2))
