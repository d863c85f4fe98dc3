"""A graph of Values as plain data, ready to be laid out and written: nodes, edges and boxes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from engine.pictures.drawing.collapse import around, collapse, operands_of, ordered
from engine.pictures.drawing.outline import (
    Box,
    Boxed,
    Graph,
    Names,
    Product,
    boxes_of,
    graph_of,
    inside,
    named,
)
from engine.pictures.texts import many, number, short, visible
from engine.value import Value

Kind = Literal["parameter", "input", "constant", "value", "root", "summary"]
Row = tuple[str, str]
UNKNOWN = "not computed"


@dataclass(frozen=True, slots=True)
class Node:
    """One card of the picture, with the sign of its operation; a summary stands for many nodes."""

    kind: Kind
    title: str
    rows: tuple[Row, ...] = ()
    op: str = ""
    hint: str = ""
    box: int | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """From an operand to what takes it; the text is the operation's slope for it."""

    tail: int
    head: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """Nodes, operands first; the edges into a node stand in the order of its operands.

    `shown` has the node that shows each atom of the graph.
    """

    nodes: list[Node]
    edges: list[Edge]
    boxes: list[Box]
    text: str
    shown: list[int]


class Numbers(NamedTuple):
    """What is shown of each atom of a graph; no gradient where none was computed."""

    data: Sequence[float]
    grads: Sequence[float | None]
    labels: Sequence[str]

    def at(self, place: int) -> tuple[float, float | None, str]:
        """Those of one atom."""
        return self.data[place], self.grads[place], self.labels[place]


def numbers_of(graph: Graph) -> Numbers:
    """Those that the atoms have now; a product inside a `dot` has the gradient of the `dot`."""
    data, grads = list[float](), list[float | None]()
    for atom in graph.atoms:
        source = atom.whole if isinstance(atom, Product) else atom
        data.append(atom if isinstance(atom, float) else atom.data)
        grads.append(source.grad if isinstance(source, Value) and source.has_grad else None)
    return Numbers(data, grads, [getattr(atom, "label", "") for atom in graph.atoms])


def picture(
    root: Value,
    names: Names | None,
    expand: bool,
    max_nodes: int | None,
) -> Picture:
    """What `root` was computed from, in `max_nodes` nodes.

    None collapses nothing, however wide the picture gets.
    """
    graph, called = graph_of(root, expand), named(names)
    return picture_of(graph, numbers_of(graph), called, boxes_of(graph, called), max_nodes)


def picture_of(
    graph: Graph, numbers: Numbers, called: dict[Value, str], boxed: Boxed, max_nodes: int | None
) -> Picture:
    """The same of a graph with these numbers, and its boxes."""
    boxes, box = boxed
    whole = list(range(len(graph.atoms)))
    part = whole if max_nodes is None else collapse(graph, boxes, box, max_nodes)
    order = ordered(operands_of(graph, part))
    members: dict[int, list[int]] = {p: [] for p in order}
    for place, p in enumerate(part):
        members[p].append(place)
    describe = _Describe(graph, numbers, boxes, box, called, part)
    nodes = [describe.one(p) if len(members[p]) == 1 else describe.many(members[p]) for p in order]
    used = sorted({b for node in nodes for b in around(boxes, node.box)})
    new = {b: n for n, b in enumerate(used)}
    at = {p: n for n, p in enumerate(order)}
    return Picture(
        [replace(node, box=new.get(node.box) if node.box is not None else None) for node in nodes],
        describe.edges(order, members),
        [_renumbered(boxes[b], new) for b in used],
        "\n".join([describe.words(), *map(_collapsed, filter(_is_summary, nodes))]),
        [at[p] for p in part],
    )


def _renumbered(box: Box, new: dict[int, int]) -> Box:
    parent = None if box.parent is None else new[box.parent]
    return Box(visible(box.title), visible(box.name), parent)


def _is_summary(node: Node) -> bool:
    return node.kind == "summary"


def _collapsed(node: Node) -> str:
    rows = ", ".join(" ".join(filter(None, row)) for row in node.rows)
    return f"collapsed: {node.hint}: {rows}"


@dataclass(frozen=True, slots=True)
class _Describe:
    """The texts of nodes and edges."""

    graph: Graph
    numbers: Numbers
    boxes: list[Box]
    box: list[int | None]
    names: dict[Value, str]
    part: list[int]

    def kind(self, place: int) -> Kind:
        atom = self.graph.atoms[place]
        if isinstance(atom, float):
            return "constant"
        if place == len(self.graph.atoms) - 1:
            return "root"
        if self.graph.operands[place]:
            return "value"
        return "parameter" if atom in self.names else "input"

    def one(self, place: int) -> Node:
        atom, box = self.graph.atoms[place], self.box[place]
        if isinstance(atom, float):
            return Node("constant", short(atom), hint=f"constant {atom!r}", box=box)
        data, grad, label = self.numbers.at(place)
        name = self.names.get(atom, "") if isinstance(atom, Value) else ""
        called = " ".join(dict.fromkeys(filter(None, (name, label))))
        shown, exact = (UNKNOWN, UNKNOWN) if grad is None else (number(grad), repr(grad))
        return Node(
            self.kind(place),
            visible(label or inside(name, None if box is None else self.boxes[box])),
            (("data", number(data)), ("grad", shown)),
            visible(self.graph.symbol(place)),
            f"{visible(called)} data {data!r}, grad {exact}".strip(),
            box,
        )

    def many(self, members: list[int]) -> Node:
        """A summary: of a box where one holds all members, else of what they have in common."""
        computed = [i for i in members if self.graph.operands[i]]
        parameters = [i for i in members if self.kind(i) == "parameter"]
        shared = self._shared(members)
        if shared is None:
            parent, name = None, ""
            title, rows = self._alike(members, computed)
        else:
            box = self.boxes[shared]
            ends = self._ends(members)
            label = self.numbers.labels[ends[0]] if len(ends) == 1 else ""
            parent, name, title = box.parent, box.name, ": ".join(filter(None, (box.title, label)))
            inner = [b.title.rpartition(" ")[0] or "box" for b in self.boxes if b.parent == shared]
            held = (len(inner), inner[0]) if inner else (len(parameters), "parameter")
            output = [("data", number(self.numbers.data[ends[0]]))] if len(ends) == 1 else []
            rows = [("", many(*held)), *output]
        rows += self._blame(parameters or computed)
        return Node(
            "summary",
            visible(title),
            tuple((key, visible(text)) for key, text in rows),
            hint=visible(name or title),
            box=parent,
        )

    def _alike(self, members: list[int], computed: list[int]) -> tuple[str, list[Row]]:
        signs = Counter(self.graph.symbol(i) for i in computed)
        data = ("data", _range([self.numbers.data[i] for i in members]))
        if not computed:
            kinds = Counter(self.kind(i) for i in members)
            return ", ".join(many(count, kind) for kind, count in kinds.items()), [data]
        counts = [f"{count:,} \u00d7 {sign}" for sign, count in signs.most_common(3)]
        if len(signs) == 1 and len(computed) == len(members):
            return counts[0], [data]
        return many(len(computed), "operation"), [*(("", text) for text in counts), data]

    def _shared(self, members: list[int]) -> int | None:
        """The innermost box that holds all members."""
        held = dict.fromkeys(self.box[i] for i in members)
        shared = None
        for level in zip(*(around(self.boxes, b) for b in held), strict=False):
            if len(dict.fromkeys(level)) == 1:
                shared = level[0]
        return shared

    def _ends(self, members: list[int]) -> list[int]:
        """Those members that none of the others takes: of a neuron its output."""
        inside = dict.fromkeys(o for i in members for o in self.graph.operands[i])
        return [i for i in members if i not in inside]

    def _blame(self, members: list[int]) -> list[Row]:
        """The sum of |grad|, which says how much of the loss these could change."""
        values = [i for i in members if not isinstance(self.graph.atoms[i], float)]
        grads = [grad for i in values if (grad := self.numbers.grads[i]) is not None]
        if not values:
            return []
        if len(grads) < len(values):
            return [("grad", UNKNOWN)]
        return [("sum|grad|", number(sum(map(abs, grads))))]

    def edges(self, order: list[int], members: dict[int, list[int]]) -> list[Edge]:
        """Each operand of a plain node is an edge; from and to a summary they are counted."""
        at = {p: n for n, p in enumerate(order)}
        found: list[Edge] = []
        for p in order:
            wires: dict[tuple[int, ...], list[tuple[int, int]]] = {}
            for place in members[p]:
                for n, o in enumerate(self.graph.operands[place]):
                    q = self.part[o]
                    plain = len(members[p]) == len(members[q]) == 1
                    if p != q:
                        wires.setdefault((q, n) if plain else (q,), []).append((place, n))
            for (q, *_), uses in wires.items():
                text = f"{len(uses):,}\u00d7"
                if len(uses) == 1:
                    text = self._partial(*uses[0]) if len(members[p]) == 1 else ""
                found.append(Edge(at[q], at[p], text))
        return found

    def _partial(self, place: int, n: int) -> str:
        """d result / d operand; nothing flows to a constant, so its edge has none."""
        atom, operand = self.graph.atoms[place], self.graph.operands[place][n]
        if isinstance(atom, float) or isinstance(self.graph.atoms[operand], float):
            return ""
        slope = 1.0 if self.graph.expanded(place) else atom.partials[n]
        return "" if slope is None else short(slope)

    def words(self) -> str:
        root = self.graph.atoms[-1]
        assert isinstance(root, Value)
        kinds = Counter(map(self.kind, range(len(self.graph.atoms))))
        counts = {
            "parameter": kinds["parameter"],
            "input": kinds["input"],
            "constant": kinds["constant"],
            "operation": sum(map(bool, self.graph.operands)),
        }
        listed = ", ".join(many(count, noun) for noun, count in counts.items() if count)
        data, grad, label = self.numbers.at(-1)
        shown = UNKNOWN if grad is None else number(grad)
        title = visible(label or self.names.get(root, "") or "value")
        return f"{title}: data {number(data)}, grad {shown}\n{listed}".strip()


def _range(numbers: Sequence[float]) -> str:
    low, high = number(min(numbers)), number(max(numbers))
    return low if low == high else f"{low} to {high}"
