"""Recordings in words: what each is guarded by, and why another one was made."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any

from engine.replay.arguments import Given, changed_argument
from engine.replay.cells import Cell
from engine.replay.recorded import Recorded
from engine.replay.tape import Tape
from engine.replay.witness import is_house
from engine.value import Value

SYMBOLS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


def guarded(recorded: Recorded) -> str:
    """A recording and what it is guarded by, in words."""
    cells = [cell for cell in recorded.world.cells if cell.kind not in ("code", "size", "type")]
    of_users = [cell for cell in cells if not is_of_the_house(cell)]
    words = list(dict.fromkeys(cell.words for cell in of_users or cells))
    shown = ", ".join(words[:8]) + (f" and {len(words) - 8} more" if len(words) > 8 else "")
    if of_users and len(cells) > len(of_users):
        shown += f"; and {len(cells) - len(of_users)} places of brickgrad and Python"
    parts = [f"recording {recorded.number} runs on {recorded.backend}"]
    pins = [pin.words for pin in recorded.pins.values()]
    if pins:
        more = f" and {len(pins) - 8} more" if len(pins) > 8 else ""
        parts.append(f"it is for {', '.join(pins[:8])}{more}")
    if recorded.choice.words:
        parts.append(f"measured: {', '.join(recorded.choice.words)}")
    if words:
        parts.append(f"it holds while these are the same (but for data of Values): {shown}")
    if recorded.world.free:
        inputs = ", ".join(place.words for place in recorded.world.free)
        parts.append(f"read at every call: {inputs}")
    if recorded.tape.guards:
        parts.append(f"comparisons asked at every call: {len(recorded.tape.guards)}")
    if recorded.sets:
        parts.append(f"set at every call: {', '.join(cell.words for cell in recorded.sets)}")
    return "; ".join(parts)


def is_of_the_house(cell: Cell) -> bool:
    """Whether it is a name in brickgrad or Python, which users do not change."""
    owner = cell.owner
    if cell.kind == "global":
        return is_house(str(owner.get("__file__", "")))
    code = getattr(getattr(owner, "__wrapped__", owner), "__code__", None)
    if isinstance(code, CodeType):
        return is_house(code.co_filename)
    home = owner if cell.kind == "module" else sys.modules.get(getattr(owner, "__module__", ""))
    is_named = cell.kind in ("module", "class")
    return is_named and (home is builtins or is_house(str(getattr(home, "__file__", ""))))


def cause(
    function: Callable[..., Any],
    by_shape: Mapping[Any, Sequence[Recorded]],
    alike: Sequence[Recorded],
    given: Given,
    recorded: Recorded,
) -> str:
    """What makes a new recording differ from the one before, in words.

    `by_shape` are those that there are, and `alike` those of them for such arguments.
    """
    shapes = {old.number: shape for shape, olds in by_shape.items() for old in olds}
    of_shape = by_shape.get(given.shape)
    if alike:
        return _changed_place(alike[-1]) or changed_guard(alike[-1].tape, recorded.tape)
    if of_shape:
        return _changed_integer(of_shape[-1], given)
    if shapes:
        return changed_argument(function, shapes[max(shapes)], given.shape)
    return "its parameters are others from call to call"


def _changed_place(before: Recorded) -> str:
    """Which places outside changed; empty where none did."""
    changed = [cell.words for cell, _ in before.world.changed()]
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f"{', '.join(changed[:3])}{more}, outside its arguments, changes" if changed else ""


def _changed_integer(before: Recorded, given: Given) -> str:
    """Which integer that is part of the shape changed."""
    pins = before.pins.items()
    k, pin = next((k, pin) for k, pin in pins if given.numbers[k] != pin.number)
    where = f", as at {pin.line}" if pin.line else ""
    return (
        f"{pin.name} changes, such as from {pin.number} to {given.numbers[k]}, and each int is "
        f"recorded for itself where more is done than to compare or pick{where}: pass a number as "
        "a float, and choose by engine.pick"
    )


def changed_guard(before: Tape, now: Tape) -> str:
    """Which comparison makes two recordings of the same shape differ, in words."""
    for k, (old, new) in enumerate(zip(before.guards, now.guards, strict=False)):
        if old != new:
            right = now.leaves[-1 - new.right] if new.right < 0 else None
            other = "another Value" if right is None or isinstance(right, Value) else right
            return (
                f"comparison {k} in it, Value {SYMBOLS[new.relation]} {other}, comes out "
                "differently from call to call; relu, abs, max and min need no comparison"
            )
    return "its comparisons are so close that rounding decides them"
