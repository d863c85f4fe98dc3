"""A picture in DOT, for Graphviz.

Labels are HTML-like tables, so that any text can stand in them. The local partials are cells of
the operations instead of labels of the edges: Graphviz 2.43 crashes on labelled edges and clusters.
"""

from html import escape
from typing import TYPE_CHECKING

from engine.drawing.collapse import around
from engine.drawing.picture import UNKNOWN, Edge, Node, Picture
from engine.drawing.svg import FONT, FRAME, GREY, INK, LINE, LOOKS, PAPER, VIOLET, clipped

if TYPE_CHECKING:
    from graphviz import Digraph

TABLE = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">'
SIDES = {"LR": ("e", "w"), "RL": ("w", "e"), "TB": ("s", "n"), "BT": ("n", "s")}  # out, in
GRAPH = {
    "bgcolor": "white",
    "fontname": FONT,
    "fontsize": "10",
    "fontcolor": GREY,
    "labeljust": "l",
    "nodesep": "0.12",
    "ranksep": "0.6",
}
NODE = {
    "fontname": FONT,
    "fontsize": "10",
    "fontcolor": INK,
    "margin": "0.06,0.03",
    "width": "0",
    "height": "0",
}
EDGE = {"color": LINE, "arrowsize": "0.5"}


def digraph(picture: Picture, direction: str) -> "Digraph":
    """Node `n3` is a card, `o3` its operation, `cluster_b1` a box.

    A wire into a box runs through a point `g3_1` (of node 3 into box 1) beside the parameters in
    that box; else Graphviz leads it around the box.
    """
    from graphviz import Digraph  # the rest works without it

    around_all = GRAPH | {"rankdir": direction}
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
            dot.node(gate, label="", shape="point", width="0.02", color=LINE)
    for n, inner in enumerate(picture.boxes):
        if inner.parent != box:
            continue
        with dot.subgraph(name=f"cluster_b{n}") as cluster:
            cluster.attr(
                label=f"<<B>{markup(clipped(inner.title))}</B>>",
                tooltip=tooltip(inner.name),
                style="rounded,filled",
                color=FRAME,
                fillcolor=PAPER if box is None else "white",
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
        margin="0.1,0.08" if look.shape == "box3d" else NODE["margin"],
    )
    if node.op:
        label = _operation(node.op, partials, direction)
        dot.node(f"o{place}", label=label, shape="plain", tooltip=tooltip(node.op))
        dot.edge(f"o{place}", f"n{place}", arrowhead="none", color=INK, weight="9")


def _card(node: Node) -> str:
    if node.kind == "constant":
        return f"<{markup(node.title)}>"
    wide = '<TR><TD COLSPAN="2">{}</TD></TR>'
    rows = [wide.format(f"<B>{markup(clipped(node.title))}</B>")] if node.title else []
    for key, text in node.rows:
        grey = f'<FONT COLOR="{GREY}">{markup(key)}</FONT>'
        if key and text != UNKNOWN:
            cells = f'<TD ALIGN="LEFT">{grey}</TD><TD ALIGN="RIGHT">{markup(text)}</TD>'
            rows.append(f"<TR>{cells}</TR>")
        else:
            both = markup(f"{key} {text}".strip())
            rows.append(wide.format(f'<FONT COLOR="{GREY}">{both}</FONT>'))
    return f"<{TABLE}{''.join(rows)}</TABLE>>"


def _operation(sign: str, partials: list[str], direction: str) -> str:
    """The operation's sign and, at the ports where its edges end, the local partials."""
    ports = [
        f'<TD PORT="p{n}"><FONT COLOR="{VIOLET}" POINT-SIZE="9">{markup(text) or " "}</FONT></TD>'
        for n, text in enumerate(partials)
    ]
    name = (
        f'<TABLE BORDER="0" CELLPADDING="5" STYLE="ROUNDED" BGCOLOR="{INK}"><TR><TD>'
        f'<FONT COLOR="white"><B>{markup(clipped(sign, 12))}</B></FONT></TD></TR></TABLE>'
    )
    if direction in ("TB", "BT"):
        rows = ["".join(ports), f'<TD COLSPAN="{len(ports)}">{name}</TD>']
        rows = rows if direction == "TB" else rows[::-1]
    else:
        tall = f'<TD ROWSPAN="{len(ports)}">{name}</TD>'
        rows = [ports[0] + tall if direction == "LR" else tall + ports[0], *ports[1:]]
    return f"<{TABLE}{''.join(f'<TR>{row}</TR>' for row in rows)}</TABLE>>"


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
