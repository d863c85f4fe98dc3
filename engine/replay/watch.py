"""Watches a function while it runs, and notes what its tape is made of.

Comparisons become guards. Who looks at a number of a Value, such as `.data`, or changes one, is
noted with the line, unless it is the arithmetic of the engine: a number that leaves the graph would
be frozen, and what is set would be set once.
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
from functools import partial
from numbers import Real
from types import CodeType, FrameType
from typing import Any, cast

from engine import modes, value
from engine.derivatives import grad
from engine.fork import after_fork
from engine.integer import Integer
from engine.modes import mode
from engine.operators import GENERATED
from engine.replay.tape import Escape, Recording, operands_of
from engine.replay.witness import within
from engine.value import Operand, Value, apply, data_of

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
    while frame.f_code in _HELPERS and frame.f_back:
        frame = frame.f_back
    if frame.f_code in _READERS:
        if frame is first:
            _may_look[id(frame.f_code)] = frame.f_code
        return
    while _is_ours(frame) and frame.f_back:
        frame = frame.f_back
    line = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    for seen in _recording.get():
        seen.escapes.append(Escape(what, line))


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


def _code(*functions: Any) -> set[CodeType]:
    """The code of functions, that of their comprehensions too."""
    return {code for function in functions for code in within(function.__code__)}


# The functions of the engine that may look: what they read stays in the graph.
_HELPERS = _code(data_of, cast(property, Value.partials).fget)  # they look for those who call them
_READERS = _code(apply, modes.examine, modes.words_for, grad, _asked, Recording.tape)


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
        unread += operands_of(v)
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


def equal(left: Value, right: object) -> Any:
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


# Not in _WATCH: stand-ins are compared by number too where a replayed function runs unrecorded.
setattr(Value, "__eq__", equal)  # noqa: B010 (mypy refuses to assign a method)


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
    global _one_at_a_time  # noqa: PLW0603 (the old lock stays taken)
    if not is_recording():
        _one_at_a_time = threading.RLock()
        _set_back(_UNWATCHED)
