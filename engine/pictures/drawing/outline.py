"""A graph as lists, and for each of its nodes the neuron and the layer that it belongs to."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.graph import toposort
from engine.ops import PICK
from engine.value import Value


class Named(Protocol):
    """What knows the names of its Values, such as a net."""

    def named_parameters(self) -> Iterable[tuple[str, Value]]:
        """Each name with its Value."""


Names = Mapping[str, Value] | Iterable[tuple[str, Value]] | Named

LINEAR = ("add", "sub", "mul", "div", "neg", "sum", "dot")  # what a neuron is made of,
NO_ACTIVATION = (*LINEAR, "pow", "pick")  # and what is no activation on top of it


@dataclass(frozen=True, slots=True)
class Product:
    """One product of a `dot` that is drawn expanded."""

    data: float
    partials: tuple[float, float]
    whole: Value


Atom = Value | Product | float


@dataclass(slots=True)
class Graph:
    """`atoms`, operands first, the root last; `operands[i]` are the places of i's operands.

    Every use of a constant is an atom of its own.
    """

    atoms: list[Atom] = field(default_factory=list)
    operands: list[Sequence[int]] = field(default_factory=list)

    def add(self, atom: Atom, operands: Sequence[int] = ()) -> int:
        """Appends an atom; its place."""
        self.atoms.append(atom)
        self.operands.append(operands)
        return len(self.atoms) - 1

    def row(self, place: int) -> str:
        """The name of the operation's row in the calculus; "" for a leaf."""
        atom = self.atoms[place]
        if isinstance(atom, Product):
            return "mul"
        return atom.op.name if isinstance(atom, Value) and atom.op else ""

    def symbol(self, place: int) -> str:
        """What is drawn for the operation; "" for a leaf."""
        atom = self.atoms[place]
        if isinstance(atom, Product):
            return "*"
        if not isinstance(atom, Value) or atom.op is None:
            return ""
        if atom.op is PICK:
            return f"pick {atom.dx.place}"
        return "+" if self.expanded(place) else atom.op.symbol

    def expanded(self, place: int) -> bool:
        """Whether this is a `dot` whose products are atoms: what is left of it is a sum."""
        operands = self.operands[place]
        return (
            bool(operands) and getattr(self.atoms[operands[0]], "whole", None) is self.atoms[place]
        )


@dataclass(frozen=True, slots=True)
class Box:
    """A neuron or a layer: "neuron 2", called "layers.0.neurons.2" in full, in a `parent` box."""

    title: str
    name: str
    parent: int | None


def graph_of(root: Value, expand: bool, also: Iterable[Value] = ()) -> Graph:
    """The graph of everything `root` was computed from.

    Those of `also` that it was not computed from come first, without operands.
    """
    graph = Graph()
    at: dict[Value, int] = {}
    order = toposort(root)
    if also := list(also):
        inside = set(order)
        for value in dict.fromkeys(also):
            if value not in inside:
                graph.add(value)
    for value in order:
        places = [at[p] if isinstance(p, Value) else graph.add(p) for p in _shown(value)]
        if expand and value.op and value.op.name == "dot":
            places = _products(graph, value, places)
        at[value] = graph.add(value, tuple(places))
    return graph


def _shown(value: Value) -> tuple[Value | float, ...]:
    """The operands, but for the 0 that a `dot` without a bias starts from."""
    if value.op is None:
        return ()
    parents = value.parents
    return parents[:-1] if value.op.name == "dot" and parents[-1:] == (0.0,) else parents


def _products(graph: Graph, dot: Value, places: list[int]) -> list[int]:
    half = len(dot.parents) // 2
    terms = [p.data if isinstance(p, Value) else p for p in dot.parents]
    products = [
        graph.add(Product(x * y, (y, x), dot), (places[i], places[half + i]))
        for i, (x, y) in enumerate(zip(terms[:half], terms[half:-1], strict=True))
    ]
    return products + places[2 * half :]


def named(names: Names | None) -> dict[Value, str]:
    """What each Value is called; the first of two names stays."""
    found: dict[Value, str] = {}
    for pair in _pairs(names):
        name, value = pair if isinstance(pair, tuple) and len(pair) == 2 else (None, None)
        if not (isinstance(name, str) and isinstance(value, Value)):
            raise TypeError(
                f"names expected a model, a mapping or (name, Value) pairs, got {pair!r:.60}"
            )
        found.setdefault(value, name)
    return found


def _pairs(names: Any) -> Iterable[Any]:
    if isinstance(names, Mapping):
        return names.items()
    if hasattr(names, "named_parameters"):
        return _pairs(names.named_parameters())
    if names is None or isinstance(names, Iterable):
        return names or ()
    raise TypeError(
        f"names expected a model, a mapping or (name, Value) pairs, got {type(names).__name__}"
    )


def steps_of(name: str) -> list[tuple[str, str]]:
    """The boxes that a parameter's name tells of, outermost first, as (attribute, index).

    >>> steps_of("layers.0.neurons.2.w.1"), steps_of("w.1")
    ([('layers', '0'), ('neurons', '2')], [])
    """
    parts = name.split(".")
    while len(parts) > 1 and parts[-1].isdecimal():
        parts.pop()
    steps: list[tuple[str, str]] = []
    for part in parts[:-1]:
        if part.isdecimal() and steps and not steps[-1][1]:
            steps[-1] = (steps[-1][0], part)
        else:
            steps.append((part, ""))
    return steps


Boxed = tuple[list[Box], list[int | None]]


def inside(name: str, box: Box | None) -> str:
    """What a parameter is called in its box.

    >>> inside("layers.0.w.1", Box("layer 0", "layers.0", None)), inside("w.1", None)
    ('w1', 'w1')
    """
    own = name if box is None else name.removeprefix(f"{box.name}.")
    return re.sub(r"^(\w*[^\W\d])\.(\d+)$", r"\1\2", own)


def boxes_of(graph: Graph, names: dict[Value, str]) -> Boxed:
    """All boxes, parents first, and the innermost box of each atom."""
    boxes: list[Box] = []
    known: dict[str, int] = {}
    home: dict[int, int] = {}
    for place, atom in enumerate(graph.atoms if names else ()):
        if not isinstance(atom, Value) or atom.op is not None or atom not in names:
            continue
        parent: int | None = None
        name = ""
        for attribute, index in steps_of(names[atom]):
            name = ".".join(filter(None, (name, attribute, index)))
            if name not in known:
                known[name] = len(boxes)
                title = f"{attribute.removesuffix('s')} {index}" if index else attribute
                boxes.append(Box(title, name, parent))
            parent = known[name]
        if parent is not None:
            home[place] = parent
    return boxes, owners(graph, home)


def owners(graph: Graph, home: dict[int, int]) -> list[int | None]:
    """The box of each atom, given those of the parameters.

    What takes a box's parameters is in it, and so are sums and products of that until they hold
    all of the parameters, and one activation on top.
    """
    box: list[int | None] = [None] * len(graph.atoms)
    if not home:
        return box
    whole: Counter[int] = Counter()  # a box's parameters, one bit each
    held = [0] * len(box)
    for place, own in home.items():
        box[place] = own
        held[place] = 1 << whole[own].bit_length()
        whole[own] |= held[place]
    uses = Counter(o for operands in graph.operands for o in operands)
    for place, operands in enumerate(graph.operands):
        constants = [o for o in operands if isinstance(graph.atoms[o], float)]
        values = [o for o in operands if not isinstance(graph.atoms[o], float)]
        mine = {home[o] for o in operands if o in home}
        if not mine and graph.row(place) in LINEAR:
            mine = {b for o in operands if (b := box[o]) is not None and 0 < held[o] < whole[b]}
        if len(mine) == 1:
            (box[place],) = mine
            for o in operands:
                held[place] |= held[o] if box[o] == box[place] else 0
        elif len(values) == 1 and uses[values[0]] == 1 and _is_activation(graph, place, values[0]):
            box[place] = box[values[0]]
        for o in constants:
            box[o] = box[place]
    return box


def _is_activation(graph: Graph, place: int, below: int) -> bool:
    """Whether an atom may be the activation on a sum or a product below."""
    return graph.row(place) not in NO_ACTIVATION and graph.row(below) in LINEAR
