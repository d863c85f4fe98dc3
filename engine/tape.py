"""A function of Values as a flat list (Wengert list): one row for each operation it did.

What a list cannot hold is watched while the function runs. Comparisons become guards, to be asked
again at each replay. Who looks at a number, such as `.data`, or changes one is noted with the line,
unless it is the arithmetic of the engine: a number that leaves the graph would be frozen, and what
is set would be set once.
"""

from __future__ import annotations

import copy
import operator
import os
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from numbers import Real
from types import CodeType, FrameType
from typing import Any, NamedTuple, cast

from engine import value
from engine.fork import after_fork
from engine.integer import Integer
from engine.modes import mode
from engine.operators import GENERATED
from engine.ops import OPS, PICK, Op
from engine.value import Operand, Value, data_of

Row = tuple[Op, tuple[int, ...]]


@dataclass(frozen=True)
class Guard:
    """A comparison that the function made, and how it came out."""

    left: int
    relation: str  # a function of the module `operator`: "lt", "le", "gt", "ge", "eq", "ne"
    right: int
    outcome: bool


class Bound(NamedTuple):
    """Where an integer stands that something was picked by, and the least and largest it may be."""

    place: int
    low: int
    high: int


def graded(row: Row) -> tuple[int, ...]:
    """The operands of a row that a backward reaches: all, but of a pick not the integer."""
    op, operands = row
    return operands[1:] if op is PICK else operands


@dataclass(frozen=True)
class Tape:
    """Rows in the order they were made; an operand is the place of an earlier row, or of a leaf.

    Places from 0 on are rows. Those of leaves are negative: -1 is the first of `leaves`, a float
    for a constant, a Value for an input or a parameter. The inputs come first. `order` has the
    rows below the outputs as their backward sorts them; the others are there for the guards.
    A row that picks has the integer as its first operand, then all candidates.
    """

    rows: tuple[Row, ...]
    leaves: tuple[Operand, ...]
    inputs: int
    input_grads: tuple[bool, ...]  # for which inputs a gradient is wanted
    outputs: tuple[int, ...]
    order: tuple[int, ...]
    guards: tuple[Guard, ...]
    bounds: tuple[Bound, ...] = ()

    def order_below(self, output: int) -> tuple[int, ...]:
        """The rows below one of the outputs, as its own backward sorts them.

        >>> x, y = Value(2.0), Value(3.0)
        >>> with record() as seen:
        ...     outputs = [x + y, x * y]
        >>> seen.tape([x, y], outputs).order_below(1)
        (1,)
        """
        first = self.outputs[output]
        if first < 0:
            return ()
        order, unread, met = [], [first], bytearray(len(self.rows))
        while unread:
            place = unread[-1]
            if not met[place]:
                met[place] = 1
                unread += [p for p in reversed(graded(self.rows[place])) if p >= 0 and not met[p]]
                continue
            unread.pop()
            if met[place] == 1:
                met[place] = 2
                order.append(place)
        return tuple(order)


class Escape(NamedTuple):
    """Where a number left the graph."""

    what: str  # such as "looks at the .data"
    line: str


@dataclass
class Recording:
    """What was seen while a function ran."""

    nodes: list[Value] = field(default_factory=list)
    made: list[Value] = field(default_factory=list)  # leaves that the function made itself
    guards: list[tuple[Value, str, Operand, bool]] = field(default_factory=list)
    escapes: list[Escape] = field(default_factory=list)
    lent: list[Value] = field(default_factory=list)  # inputs that stood for numbers outside
    asks_identity: bool = False  # whether somebody asked which of the Values one is
    order: list[Value] = field(default_factory=list)  # all below the first output of a tape, sorted
    integers: list[Integer | None] = field(default_factory=list)  # in the places of the arguments

    def has_used(self, values: Iterable[Value]) -> bool:
        """Whether one of these was an operand, or compared."""
        known = set(map(id, values))
        operands = chain.from_iterable(map(_operands, self.nodes))
        compared = (side for left, _, right, _ in self.guards for side in (left, right))
        return not known.isdisjoint(map(id, chain(operands, compared)))

    def calculates_otherwise(self) -> bool:
        """Whether numbers outside do what floats do not do as Values do, such as 1 / 0."""
        plain = set(map(id, self.lent))
        for node in self.nodes:
            operands = _operands(node)
            if plain.isdisjoint(map(id, operands)):
                continue
            if all(type(p) is not Value or id(p) in plain for p in operands):
                plain.add(id(node))
                name = cast(Op, node.op).name
                divides = name == "truediv" and type(operands[1]) is not Value and operands[1] != 0
                if name == "add" and SUMS_BETTER and not _are_leaves(operands):
                    return True
                if name not in ("add", "sub", "mul", "neg", "abs") and not divides:
                    return True
        return False

    def tape(
        self, inputs: Sequence[Value], outputs: Sequence[Operand], input_grads: Sequence[bool] = ()
    ) -> Tape:
        """The rows that the outputs, the guards and the bounds need.

        `input_grads` says for which inputs a gradient is wanted; for none unless given.
        """
        sides = [side for left, _, right, _ in self.guards for side in (left, right)]
        picks = [v for v in self.nodes if v.op is PICK and type(v._dx.index) is Value]
        sides += [v._dx.index for v in picks]
        computed = [side for side in sides if type(side) is Value and side.op is not None]
        made = set(map(id, self.made))
        leaves: list[Operand] = []
        constants: dict[int, int] = {}

        def place(operand: Any) -> int:
            if type(operand) is Value:
                if type(operand.adjoint) is not int:
                    leaves.append(operand._data if id(operand) in made else operand)
                    operand.adjoint = -len(leaves)
                return operand.adjoint
            if id(operand) not in constants:
                leaves.append(operand)
                constants[id(operand)] = -len(leaves)
            return constants[id(operand)]

        tables: dict[tuple[int, ...], tuple[int, ...]] = {}

        def chosen(v: Value) -> tuple[int, ...]:
            """The operands of a pick; many have the same candidates."""
            index, *candidates = _operands(v)
            known = tuple(map(id, candidates))
            if known not in tables:
                tables[known] = tuple(map(place, candidates))
            return (place(index), *tables[known])

        with value.sweeping:  # until its end places stand where a sweep has adjoints
            for side in sides:
                if type(side) is Value:
                    side.adjoint = None  # no place yet, though it be a leaf that no sort meets
            order = _sorted(outputs)
            first = next((k for k, v in enumerate(order) if v is outputs[0]), -1) if outputs else -1
            self.order = order[: first + 1]
            met = other = order[-1].adjoint
            beside = [v for v in computed if v.adjoint is not met]
            if beside:
                other = _sorted(beside)[-1].adjoint
            nodes = [v for v in self.nodes if v.adjoint is met or v.adjoint is other]
            for v in inputs:
                leaves.append(v)
                v.adjoint = -len(leaves)
            for row, v in enumerate(nodes):
                v.adjoint = row
            rows = [(v.op, chosen(v) if v.op is PICK else tuple(_places(v, place))) for v in nodes]
            ends = tuple(map(place, outputs))
            guards = dict.fromkeys(
                Guard(place(a), relation, place(b), c) for a, relation, b, c in self.guards
            )
            bounds = dict.fromkeys(
                Bound(place(v._dx.index), v._dx.low, v._dx.size - 1) for v in picks
            )
            return Tape(
                rows=cast(tuple[Row, ...], tuple(rows)),
                leaves=tuple(leaves),
                inputs=len(inputs),
                input_grads=tuple(input_grads) or (False,) * len(inputs),
                outputs=ends,
                order=tuple(
                    [v.adjoint for v in order if type(v.adjoint) is int and v.adjoint >= 0]
                ),
                guards=tuple(guards),
                bounds=tuple(bounds),
            )


def _sorted(values: Sequence[Operand]) -> list[Value]:
    """The graph of all of them, as the backward of their sum sorts it; that sum is the last."""
    root = Value(0.0)
    root.op, root.x = OPS["sum"], tuple(v for v in values if type(v) is Value)
    return value.sort(root)


def _places(v: Value, place: Callable[[Any], int]) -> Iterable[int]:
    """Where the operands of a node are: `place` finds those that have no place yet."""
    x: Any = v.x
    y: Any = v.y
    if type(x) is not tuple:
        a = x.adjoint if type(x) is Value else None
        a = a if type(a) is int else place(x)
        if y is None:
            return (a,)
        b = y.adjoint if type(y) is Value else None
        return a, b if type(b) is int else place(y)
    operands = _operands(v)
    if operands is x:
        places = [p.adjoint for p in x]
        if type(sum(places)) is int:  # else some have no place but a float
            return places
    return [
        p.adjoint if type(p) is Value and type(p.adjoint) is int else place(p) for p in operands
    ]


def _operands(v: Value) -> Any:
    """The operands of a node in order, as they stand in its slots; of a pick as in a tape."""
    if type(v.x) is tuple:
        operands = v.x if v.y is None else v.y
        return operands if v.op is not PICK else (v._dx.index, *cast("tuple[Any, ...]", operands))
    return (v.x,) if v.y is None else (v.x, v.y)


SUMS_BETTER = sys.version_info >= (3, 12)  # sum() of three floats is not a + b + c


def _are_leaves(operands: Any) -> bool:
    return all(type(p) is not Value or p.op is None for p in operands)


# --- the watch ---------------------------------------------------------------------------------

_recording: ContextVar[tuple[Recording, ...]] = ContextVar("recording", default=())
_one_at_a_time = threading.RLock()  # the watch stands on the class that all threads share
_ENGINE = (
    os.path.join(os.path.dirname(os.path.abspath(value.__file__)), ""),
    GENERATED,
    copy.__file__,  # its lines are nobody's
)


def is_recording() -> bool:
    """Whether a function is being recorded in this thread."""
    return bool(_recording.get())


@contextmanager
def turn() -> Iterator[bool]:
    """Whether this thread may record now: another one may wait for it while it records."""
    is_ours = _one_at_a_time.acquire(blocking=False)
    try:
        yield is_ours
    finally:
        if is_ours:
            _one_at_a_time.release()


@contextmanager
def record() -> Iterator[Recording]:
    """Inside `with record() as seen:` what this thread does with Values is noted in `seen`.

    >>> x = Value(2.0)
    >>> with record() as seen:
    ...     y = x * x + 1 if x > 0 else -x
    >>> seen.tape([x], [y]).rows
    ((Op('mul'), (-1, -1)), (Op('add'), (0, -2)))
    """
    seen = Recording()
    with _one_at_a_time, mode(partial(seen.nodes.append)), _watched():
        before = _recording.set((*_recording.get(), seen))
        try:
            yield seen
        finally:
            _recording.reset(before)


@contextmanager
def _watched() -> Iterator[None]:
    """The class with a watch over it."""
    before, asked = _attributes(), _CLASS.fget
    for name, watch in _WATCH.items():
        setattr(Value, name, watch)
    _CLASS.__init__(_class_of)  # what isinstance asks where the type is another
    try:
        yield
    finally:
        _CLASS.__init__(asked)
        _set_back(before)


_PLAIN_INIT = Value.__init__
_SLOTS: dict[str, Any] = {name: vars(Value)[name] for name in value.NUMBERS}

# The functions of the engine that may look: what they read stays in the graph.
_HELPERS = {"value.data_of", "value.Value.partials"}  # they look for those who call them
_READERS = {
    *("value.apply", "modes._examined", "modes._in_words", "derivatives.grad"),
    *("tape._asked", "tape.Recording.tape"),
}


def _noted(name: str) -> property:
    """A number of a Value, noting the line of the user where somebody looks at it or sets it."""
    slot = _SLOTS[name]

    def look(v: Value) -> Any:
        if id(sys._getframe(1).f_code) not in _may_look and _recording.get():
            _note(f"looks at the .{name}", sys._getframe(1))
        return slot.__get__(v)

    def change(v: Value, x: Any) -> None:
        if id(sys._getframe(1).f_code) not in _may_look and _recording.get():
            _note(f"sets the .{name}", sys._getframe(1))
        slot.__set__(v, x)

    return property(look, change)


# Code that was found to be written out, or one of the readers, by its id.
_may_look: dict[int, CodeType] = {}


def _note(what: str, frame: FrameType) -> None:
    first = frame
    while _is_ours(frame) and _function(frame) in _HELPERS and frame.f_back:
        frame = frame.f_back
    if _is_ours(frame) and _function(frame) in _READERS:
        if frame is first:
            _may_look[id(frame.f_code)] = frame.f_code
        return
    while _is_ours(frame) and frame.f_back:
        frame = frame.f_back
    line = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    for seen in _recording.get():
        seen.escapes.append(Escape(what, line))


def _function(frame: FrameType) -> str:
    """The name of the function that a frame runs, or a comprehension of that."""
    file = os.path.basename(frame.f_code.co_filename).removesuffix(".py")
    return f"{file}.{frame.f_code.co_qualname.partition('.<locals>')[0]}"


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_ENGINE)


def _born(v: Value, data: float, label: str = "") -> None:
    """A new leaf: a constant of the recording."""
    _PLAIN_INIT(v, data, label)
    for seen in _recording.get():
        seen.made.append(v)


def _asked(left: Value, relation: str, right: Any) -> bool:
    """A comparison by data, noted as a guard."""
    if type(right) is Integer:
        right = right.n if right.v is None else right.v
    outcome: bool = getattr(operator, relation)(data_of(left), data_of(right))
    for seen in _recording.get():
        seen.guards.append((left, relation, right, outcome))
    return outcome


# --- Values that stand for floats --------------------------------------------------------------

_stand_ins: ContextVar[tuple[Mapping[int, Value], ...]] = ContextVar("stand_ins", default=())
_kinds: ContextVar[Mapping[int, type]] = ContextVar("kinds", default=types.MappingProxyType({}))


@contextmanager
def standing_in(values: Iterable[Value], kinds: Iterable[type] = ()) -> Iterator[None]:
    """Inside, these are floats to the caller, as is what is computed from them and numbers alone.

    Such a Value compares with `==` as its number does. `kinds` are the types of the numbers where
    they may be int.
    """
    values = list(values)
    before = _stand_ins.set((*_stand_ins.get(), {id(v): v for v in values}))
    others = _kinds.set({**_kinds.get(), **dict(zip(map(id, values), kinds, strict=False))})
    try:
        yield
    finally:
        _kinds.reset(others)
        _stand_ins.reset(before)


def _is_stand_in(v: object) -> bool:
    return is_computed_from(v, _stand_ins.get())


def is_computed_from(v: object, known: Sequence[Mapping[int, Value]]) -> bool:
    """Whether it is one of these Values, or what was computed from them and numbers alone."""
    if not any(known) or type(v) is not Value:
        return False
    met: set[int] = set()
    unread: list[Any] = [v]
    while unread:
        v = unread.pop()
        if type(v) is not Value or id(v) in met or any(id(v) in values for values in known):
            continue
        if v.op is None:
            return False
        met.add(id(v))
        unread += _operands(v)
    return True


def _class_of(v: Value) -> type:
    """Of a Value that stands for a float, for who asks outside the engine: float."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename == "<frozen abc>" and frame.f_back:
        frame = frame.f_back
    if _is_ours(frame) or not _stand_ins.get() or not is_recording():
        return Value
    return _kinds.get().get(id(v), float) if _is_stand_in(v) else Value


_CLASS: Any = vars(Value)["__class__"]


def _equal(left: Value, right: object) -> Any:
    """Whether they are one and the same; of stand-ins whether their numbers are equal."""
    is_number = isinstance(right, Real) or _is_stand_in(right)
    if is_number and _is_stand_in(left):
        return _asked(left, "eq", cast(Operand, right))
    _note_identity(sys._getframe(1))
    return object.__eq__(left, right)


def _note_identity(frame: FrameType) -> None:
    for seen in () if _is_ours(frame) else _recording.get():
        seen.asks_identity = True


def _hashed(v: Value) -> int:
    """Of a Value that stands for a float, that of its number: it is found in a dict of floats."""
    frame = sys._getframe(1)
    if not _is_ours(frame) and _is_stand_in(v):
        _note("takes the hash", frame)
        return hash(_number(v))
    _note_identity(frame)
    return object.__hash__(v)


def _number(v: Value) -> float:
    """What a stand-in stands for."""
    kind = _kinds.get().get(id(v), float)
    return cast(float, kind(_SLOTS["data"].__get__(v)))


def _operated(name: str) -> Callable[..., Any]:
    """What `float` does and a Value does not: a stand-in does it, and the line is noted."""
    former = vars(Value).get(name)
    is_binary = name.strip("_").removeprefix("r") in ("mod", "floordiv", "divmod")

    def does(v: Value, *others: Any) -> Any:
        if all(_is_stand_in(x) for x in (v, *others) if type(x) is Value):
            frame = sys._getframe(1)
            if former is None or not _is_ours(frame):
                _note(f"uses the {name.strip('_')}", frame)
                numbers = [_number(x) if type(x) is Value else x for x in (v, *others)]
                return getattr(numbers[0], name)(*numbers[1:])
        if former is not None:
            return former(v, *others)
        if is_binary:
            return NotImplemented
        raise TypeError(f"a Value has no {name}: write it with v.data")

    return does


def _of_floats(name: str) -> property:
    """The same of an attribute or a method."""

    def look(v: Value) -> Any:
        if not _is_stand_in(v):
            raise AttributeError(f"'Value' object has no attribute {name!r}")
        _note(f"uses the {name}", sys._getframe(1))
        return getattr(_number(v), name)

    return property(look)


_OF_FLOATS = set(dir(float)) - set(dir(Value)) - {"__getformat__", "__getnewargs__"}


setattr(Value, "__eq__", _equal)  # noqa: B010 (mypy refuses to assign a method)


class _Key:
    """A Value where a formula compares it: `==` asks for its number too."""

    def __init__(self, v: Value) -> None:
        self.v = v


def _comparison(relation: str) -> Callable[[Any, Any], bool]:
    def compared(left: Any, right: Any) -> bool:
        sides = [side.v if isinstance(side, _Key) else side for side in (left, right)]
        return _asked(sides[0], relation, sides[1])

    return compared


for _relation in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(_Key, f"__{_relation}__", _comparison(_relation))

_WATCH: dict[str, Any] = {
    **{name: _noted(name) for name in value.NUMBERS},
    "_key": property(_Key),
    "__init__": _born,
    **{
        name: _operated(name) if name.startswith("__") else _of_floats(name)
        for name in (*sorted(_OF_FLOATS), "__float__", "__int__", "__repr__", "__format__")
    },
    "__bool__": lambda v: _asked(v, "ne", 0.0),
    "__hash__": _hashed,
    **{f"__{relation}__": _comparison(relation) for relation in ("lt", "le", "gt", "ge")},
}


def _attributes() -> dict[str, Any]:
    """What the watch takes the place of, as it is now."""
    return {name: vars(Value).get(name, vars(object).get(name)) for name in _WATCH}


def _set_back(attributes: Mapping[str, Any]) -> None:
    for name, attribute in attributes.items():
        if attribute is not None:
            setattr(Value, name, attribute)
        elif name in vars(Value):
            delattr(Value, name)


_UNWATCHED = _attributes()


@after_fork
def _renew() -> None:
    """In the child of a fork a thread that was recording is gone, and its watch with it."""
    global _one_at_a_time  # noqa: PLW0603
    if not is_recording():
        _one_at_a_time = threading.RLock()
        _set_back(_UNWATCHED)
