"""Trials: what a run does to the state of models is undone."""

from __future__ import annotations

import warnings
from ast import literal_eval
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy, deepcopy
from itertools import count
from typing import Any

from engine.replay.arguments import numbers_of, rebuild, settled
from engine.replay.cells import (
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
from engine.replay.reach import Reached, reach
from engine.replay.watch import is_computed_from
from engine.value import Value


@contextmanager
def undone(*things: Any) -> Iterator[None]:
    """What happens inside to the state of these is undone.

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


def trial(run: Callable[..., Any], *things: Any) -> Any:
    """What `run(*things)` gives; what it does to the state of these is undone.

    But for Values that it built for good: a layer may be built when first called. It stays, and so
    do the random numbers that it took. A second run tells it from what is made at each call.
    Things that hold iterators, which cannot be wound back, are tried as copies where these can be
    made.
    """
    before = reach([(thing, type(thing).__name__) for thing in things])
    iterators = _iterators(before)
    copies = _copies(things, iterators) if iterators else None
    chances, built = chances_in(before), dict[Any, list[Value]]()
    try:
        result = run(*(copies or things))
        built = _built(before)
        if built:
            then = chances_in(before)
            run(*things)
            again = _built(before)
            built = {key: made for key, made in built.items() if _are_same(made, again.get(key))}
            chances = then if built else chances
    finally:
        put_back(before, chances, built)
    return result


def copied(thing: Any) -> Any:
    """A thing with places of its own, or the thing itself where no copy can be made.

    >>> copied([1.0]), next(copied(count(3)))
    ([1.0], 3)
    """
    with suppress(Exception), _copying():  # generators, files and the like
        return _copied_counts([thing]).get(id(thing)) or copy(thing)
    return thing


def _copies(things: Sequence[Any], iterators: Iterable[Any]) -> Any:
    """Copies of things that hold these iterators, if they can be made; else None."""
    with suppress(Exception), _copying():
        return deepcopy(things, _copied_counts(iterators))
    return None


@contextmanager
def _copying() -> Iterator[None]:
    """Inside, Python does not warn: 3.12 does, of iterators of itertools; 3.14 copies none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*itertools", DeprecationWarning)
        yield


def _copied_counts(iterators: Iterable[Any]) -> dict[int, Any]:
    """Counts that go on where these do, by their text: `count(3)` or `count(0.5, 0.1)`."""
    found = dict[int, Any]()
    for each in iterators:
        if type(each) is count:
            with suppress(ValueError, SyntaxError):  # of numbers that are no literals, as fractions
                numbers = literal_eval(f"({repr(each).removeprefix('count(')[:-1]},)")
                found[id(each)] = count(*numbers)
    return found


def _iterators(before: Reached) -> list[Any]:
    """Those in the places that a walk found."""
    held = (c.value if isinstance(c.value, tuple) else (c.value,) for c in before.cells.values())
    return [thing for things in held for thing in things if hasattr(type(thing), "__next__")]


def _built(before: Reached) -> dict[Any, list[Value]]:
    """The leaves that stand where a walk found something else, or nothing."""
    found = {}
    for cell in before.cells.values():
        value = now(cell)
        if cell.kind not in ("random", "cache") and not alike(cell.value, value):
            made = reach([(value, "")], before.codes, is_below=True).values.items()
            leaves = [v for key, v in made if key not in before.values and v.op is None]
            if leaves:
                found[cell.key] = leaves
    return found


def _are_same(made: Sequence[Value], others: Sequence[Value] | None) -> bool:
    return list(map(id, made)) == list(map(id, others or ()))


Chances = list[tuple[Any, Any]]  # sources of random numbers with their states


def chances_in(before: Reached) -> Chances:
    """The sources of random numbers that a walk found, each with its state."""
    sources = [cell.owner for cell in before.cells.values() if cell.kind == "random"]
    return [(source, state_of(source)) for source in sources]


def put_back(
    before: Reached, chances: Sequence[tuple[Any, Any]], but: Collection[Any] = ()
) -> None:
    """Sets what a walk found to what it was then, `but` the cells of these keys."""
    for key, cell in before.cells.items():
        if cell.kind in ("random", "cache") or key in but or alike(cell.value, now(cell)):
            continue
        _put_back(cell)
    for source, state in chances:
        _set_state(source, state)


def do_again(done: Sequence[tuple[Cell, Any]]) -> None:
    """Sets what a run had set, and was put back: the cells come with what they held after it."""
    for cell, value in done:
        _put_back(cell._replace(value=value))


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


def settle(state: Sequence[tuple[Cell, Any]], floats: dict[int, Value]) -> None:
    """Sets what was computed from plain numbers alone, or stands for one, to plain numbers."""

    def plain(x: Any) -> Any:
        return x.data if is_computed_from(x, [floats]) else settled(x)

    for cell, value in state:
        if cell.kind == "pairs" or (cell.kind == "items" and hasattr(cell.owner, "__setitem__")):
            entries = zip(*value, strict=True) if cell.kind == "pairs" else enumerate(value)
            for key, x in entries:
                if plain(x) is not x:
                    cell.owner[key] = plain(x)
        elif cell.kind in SETTABLE and is_data(cell._replace(value=value)):
            numbers = numbers_of(value)
            found = list(map(plain, numbers))
            are_plain = all(a is b for a, b in zip(numbers, found, strict=True))
            again = settled(value) if are_plain else rebuild(value, iter(found))
            if again is not value:
                put(cell, again)


def is_data(cell: Cell) -> bool:
    """Whether what was set can be set again at each call."""
    try:
        numbers_of(cell.value)
    except (TypeError, ValueError, RecursionError):
        return False
    return cell.kind in SETTABLE
