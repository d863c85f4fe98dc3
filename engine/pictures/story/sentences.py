"""A record in words: what each number is called, and the line that tells each event."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.op import Op
from engine.ops import PICK
from engine.pictures.drawing.collapse import around
from engine.pictures.drawing.outline import Box, boxes_of, inside
from engine.pictures.story.record import Edge, Record, Share
from engine.pictures.texts import clipped, isolated, many, short, visible
from engine.value import Value

TERMS = 16  # a longer sum is cut
FIRST = 3  # terms of it that are written out
LONG = 40  # letters; a longer slope stands in the picture alone
LONGEST = 100  # letters of a name; nobody reads more

ONES = {"1.0": "1", "-1.0": "-1"}


def _sum(terms: Sequence[str]) -> str:
    if len(terms) > TERMS:
        terms = [*terms[:FIRST], f"... ({len(terms)} terms)"]
    return " + ".join(terms)


def _dot(terms: Sequence[str]) -> str:
    half = len(terms) // 2
    products = [f"{x} * {y}" for x, y in zip(terms[:half], terms[half:], strict=False)]
    return _sum([*terms[2 * half :], *products])


FORMS: dict[str, Callable[[Sequence[str]], str]] = {
    "neg": lambda terms: f"-({terms[0]})",
    "pow": lambda terms: "{} ** {}".format(*(_enclosed(term) for term in terms)),
    "sum": _sum,
    "dot": _dot,
}


def _enclosed(term: str) -> str:
    return f"({term})" if term.startswith("-") else term


def expression(op: Op, terms: Sequence[str]) -> str:
    """An operation on operands.

    >>> from engine.ops import OPS
    >>> expression(OPS["mul"], ["w", "x"]), expression(OPS["tanh"], ["0.5"])
    ('w * x', 'tanh(0.5)')
    """
    if op.name in FORMS:
        return FORMS[op.name](terms)
    if op.arity == 2 and not op.symbol.isidentifier():
        return f"{terms[0]} {visible(op.symbol)} {terms[1]}"
    shown = terms if len(terms) <= TERMS else [*terms[:FIRST], f"... ({len(terms)} operands)"]
    return f"{op.name}({', '.join(shown)})"


def slope(
    op: Op,
    position: int,
    operands: Sequence[Any],
    result: str,
    name: Callable[[Any], str] = str,
) -> str:
    """The formula of the slope of an operation for one operand; `name` gives the name of one.

    Only those in the formula are named: a `dot` may have thousands of others.

    >>> from engine.ops import OPS
    >>> slope(OPS["dot"], 1, ["w0", "w1", "x0", "x1", "b"], "dot1")
    'x1'
    """
    half = len(operands) // 2
    if op.arity == 2:
        kind, meaning = position, dict(zip("xy", operands, strict=True))
    elif op.name == "dot" and position < 2 * half:
        kind, first = position // half, position % half
        meaning = {"x": operands[first], "y": operands[half + first]}
    else:
        kind, meaning = (2 if op.name == "dot" else 0), {"x": operands[position]}
    text = (op.textbook or op.partials)[kind]
    names = {**{letter: name(operand) for letter, operand in meaning.items()}, "z": result}
    told = re.sub(r"\b[xyz]\b", lambda found: names[found[0]], ONES.get(text, text))
    return re.sub(r" \*\* \((-?[\d.]+) - 1\)", _power, told)


def _power(exponent: re.Match[str]) -> str:
    """The end of a slope of x ** 3, " ** 2", where the exponent is a number."""
    less = float(exponent[1]) - 1
    return "" if less == 1 else f" ** {_enclosed(short(less))}"


def _factor(formula: str) -> str:
    """A formula as it stands in a product."""
    return formula if re.fullmatch(r"[\w.]+|[\w.]+\([^()]*\)", formula) else f"({formula})"


def d(name: str) -> str:
    """The letter d before a name.

    >>> d("w"), d("layers.0.b")
    ('dw', 'd(layers.0.b)')
    """
    return f"d{name}" if name.isidentifier() else f"d({name})"


@dataclass(frozen=True)
class Words:
    """The texts of a record; `names` has those of the parameters, by their places."""

    record: Record
    names: Mapping[int, str]

    @cached_property
    def labels(self) -> list[str]:
        """What each place is called: its name, its label, or its operation with a number."""
        record, counts = self.record, Counter[str]()
        found = [self.names.get(p, "") or label for p, label in enumerate(record.labels)]
        leaves = (p for p, operands in enumerate(record.graph.operands) if not operands)
        for place in (*leaves, *record.operations):
            if isinstance(record.graph.atoms[place], float):
                found[place] = short(record.data[place])
            elif not found[place]:
                row = record.graph.row(place) or "input"
                counts[row] += 1
                found[place] = f"{row}{counts[row]}"
        return [visible(label) for label in found]

    @cached_property
    def named(self) -> dict[Value, str]:
        """The name of each parameter."""
        atoms = self.record.graph.atoms
        found = ((atoms[place], name) for place, name in self.names.items())
        return {atom: name for atom, name in found if isinstance(atom, Value)}

    @cached_property
    def boxes(self) -> tuple[list[Box], list[int | None]]:
        """The neurons and layers, and the innermost of each place."""
        return boxes_of(self.record.graph, self.named)

    @cached_property
    def called(self) -> list[str]:
        """The names that sentences use: of a parameter that one box alone takes, that in the box.

        `labels` has them in full.
        """
        boxes, box = self.boxes
        found = self.labels.copy()
        for place, name in self.names.items():
            own = box[place]
            if (
                all(own in around(boxes, box[edge.head]) for edge in self._users[place])
                or own is None
            ):
                found[place] = visible(inside(name, None if own is None else boxes[own]))
        return [isolated(clipped(label, LONGEST)) for label in found]

    def where(self, *places: int, paths: bool = False) -> str:
        """The boxes around one place after the other: "layer 0, neuron 2", or the box's path."""
        boxes, box = self.boxes
        found = dict.fromkeys(
            boxes[own].name if paths else ", ".join(boxes[b].title for b in around(boxes, own))
            for place in places
            if (own := box[place]) is not None
        )
        return " -> ".join(map(visible, found))

    def d(self, place: int) -> str:
        """What a place is called in a derivative, such as dw or d(mul1)."""
        atom = self.record.graph.atoms[place]
        made_up = isinstance(atom, Value) and atom.op and not self.record.labels[place]
        return f"d({self.called[place]})" if made_up else d(self.called[place])

    def _gradient(self, place: int) -> str:
        return "dL/dL" if place == self.record.root else f"dL/{self.d(place)}"

    @cached_property
    def _users(self) -> list[list[Edge]]:
        users: list[list[Edge]] = [[] for _ in self.record.data]
        for edge in self.record.edges:
            users[edge.tail].append(edge)
        return users

    def _op(self, place: int) -> tuple[Op, Sequence[int]]:
        atom = self.record.graph.atoms[place]
        assert isinstance(atom, Value)
        assert atom.op
        return atom.op, self.record.graph.operands[place]

    def _slope(self, edge: int) -> str:
        _, head, position, _ = self.record.edges[edge]
        op, operands = self._op(head)
        return slope(op, position, operands, self.called[head], self.called.__getitem__)

    def computed(self, place: int) -> str:
        """How an operation got its number."""
        op, operands = self._op(place)
        atom, data = self.record.graph.atoms[place], self.record.data
        called = [self.called[o] for o in operands]
        numbers = [short(data[o]) for o in operands]
        parts = dict.fromkeys([expression(op, called), expression(op, numbers)])
        if isinstance(atom, Value) and op is PICK:
            parts = dict.fromkeys([f"rows[{atom.dx.place}]", called[0]])
        return " = ".join([self.called[place], *parts, short(data[place])])

    def partial(self, edge: int) -> str:
        """The slope along an edge: "dv/dw = x"; "" from a constant."""
        tail, head, _, partial = self.record.edges[edge]
        if partial is None:
            return ""
        return f"{self.d(head)}/{self.d(tail)} = {self._slope(edge)}"

    def loss(self) -> str:
        """What the whole is about."""
        return f"the loss, to be made small: {self.called[-1]} = {short(self.record.data[-1])}"

    def seed(self) -> str:
        """Where the blame starts."""
        name = self.called[self.record.root]
        return f"backward starts at the loss L = {name}, which moves as itself: dL/dL = 1"

    def share(self, share: Share, adds: bool = True) -> str:
        """The chain rule for one edge, and the sum where paths meet."""
        tail, head, _, partial = self.record.edges[share.edge]
        assert partial is not None
        op, _ = self._op(head)
        formula = self._slope(share.edge)
        is_told = formula not in ONES.values() and len(formula) <= LONG
        slopes = [_factor(formula)] if is_told else []
        if op.name != "dot" or not slopes:
            slopes.insert(0, f"{self.d(head)}/{self.d(tail)}")
        products = [f"{self._gradient(head)} * {slope}" for slope in slopes]
        products.append(f"{short(share.adjoint)} * {short(partial)}")
        told = f"{self._gradient(tail)} {'+=' if adds else '='} {products[0]}"
        text = " = ".join([told, *products[1:], short(share.contribution)])
        if adds and share.old != 0:
            numbers = f"{short(share.old)} + {short(share.contribution)}"
            text += f"; paths meet: {numbers} = {short(share.new)}"
        return text

    def why(self, place: int, grads: Sequence[float]) -> tuple[str | None, str]:
        """Why a gradient is 0, in a word and in a sentence; (None, "") where it is not."""
        record = self.record
        if isinstance(record.graph.atoms[place], float):
            return "constant", "a constant is never changed: it gets no gradient"
        if grads[place] != 0:
            return None, ""
        if place < record.outside:
            return "no path", "the loss was computed without it: no path leads there"
        users = self._users[place]
        if any(edge.partial != 0 and grads[edge.head] != 0 for edge in users):
            return None, "its shares cancel each other, or are too small for a float"
        flat = [self.called[edge.head] for edge in users if edge.partial == 0]
        if flat:
            return (
                "dead",
                f"the slope of {flat[0]} for it is 0: moving it changes nothing",
            )
        return "dead", f"the gradient of {self.called[users[0].head]} is 0: no blame arrives"

    def title(self) -> str:
        """The record in a line."""
        count = many(len(self.record.operations), "operation")
        return f"{self.called[-1]} = {short(self.record.data[-1])}, {count}"
