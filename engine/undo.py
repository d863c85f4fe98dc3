"""Trials: what a run does to the state of models is undone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from engine.cells import (
    MISSING,
    SETTABLE,
    Cell,
    alike,
    attributes_of,
    is_a,
    now,
    put,
    stamp,
    state_of,
)
from engine.reach import Reached, reach


@contextmanager
def undone(*things: Any) -> Iterator[None]:
    """What happens inside to the state of these is undone, but for Values that were built.

    A layer may be built when first called: it stays, and so do the random numbers it took.

    >>> counted = []
    >>> def count(x):
    ...     counted.append(x)
    >>> with undone(count):
    ...     count(3.0)
    >>> counted
    []
    """
    before = reach([(thing, type(thing).__name__) for thing in things])
    chances = chances_in(before)
    try:
        yield
    finally:
        put_back(before, chances)


def chances_in(before: Reached) -> list[tuple[Any, Any]]:
    """The sources of random numbers that a walk found, each with its state."""
    sources = [cell.owner for cell in before.cells.values() if cell.kind == "random"]
    return [(source, state_of(source)) for source in sources]


def put_back(before: Reached, chances: Sequence[tuple[Any, Any]], keeps: bool = True) -> None:
    """Sets what a walk found to what it was then; `keeps` what was built, and its numbers."""
    is_built = False
    for cell in before.cells.values():
        value = now(cell)
        if cell.kind in ("random", "cache") or alike(cell.value, value):
            continue
        made = reach([(value, "")], before.codes, is_below=True).values.items() if keeps else ()
        if any(key not in before.values and v.op is None for key, v in made):
            is_built = True
        else:
            _put_back(cell)
    for source, state in () if is_built else chances:
        _set_state(source, state)


def _set_state(source: Any, state: Any) -> None:
    for name in ("setstate", "set_state"):
        if hasattr(source, name):
            getattr(source, name)(state)
            return
    source.bit_generator.state = state


def _put_back(cell: Cell) -> None:
    """What a cell held before."""
    owner, value = cell.owner, cell.value
    if cell.kind == "items" and hasattr(owner, "clear"):
        owner.clear()
        (owner.update if is_a(owner, set) else owner.extend)(value)
    elif cell.kind == "items" and hasattr(owner, "__setitem__"):
        owner[:] = value if is_a(owner, list) else type(owner)(owner.typecode, value)
    elif cell.kind == "pairs" and hasattr(owner, "clear"):
        owner.clear()
        owner.update(zip(*value, strict=True))
    elif cell.kind == "array":
        owner[...] = _array_of(owner, value)
    elif cell.kind in SETTABLE and value is not MISSING:
        put(cell, value)
    elif cell.kind == "attribute":
        attributes_of(owner).pop(cell.name, None)
        stamp[0] = object()
    elif cell.kind == "global":
        owner.pop(cell.name, None)
    elif cell.kind == "module":
        vars(owner).pop(cell.name, None)


def _array_of(owner: Any, value: Any) -> Any:
    shape, *_, content = value
    numbers = owner.copy().reshape(shape)
    if isinstance(content, bytes):
        numbers.view("u1" if numbers.ndim else None).reshape(-1)[:] = memoryview(content)
    else:
        numbers.flat = content
    return numbers
