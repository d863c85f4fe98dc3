"""Whether code that ran may tell a number from a Value, which a recording has in its place."""

from __future__ import annotations

import builtins
import dis
import math
import types
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from types import CodeType
from typing import Any

from engine.functions import dot
from engine.replay.cells import is_a
from engine.replay.reach import Reached
from engine.replay.witness import is_installed, is_library, is_made_by_library, is_ours, names_of
from engine.value import Operand, Value, data_of

CLOSE = 1e-9
_ASKS_KIND = (isinstance, issubclass)
_ASKS_TEXT = (hasattr, getattr)
_ONE_HAS = frozenset(set(dir(float)) ^ set(dir(Value)))  # of a number and a Value
_COMMON = {"x", "y", "op", "line", "dx", "dy"} | set(dir(math))  # names of much else


def kind_asked(after: Reached) -> str:
    """The line of the user's at which it may have been asked; empty where there is none."""
    codes = {
        c: g
        for c, g in after.codes.items()
        if not (is_ours(c) or is_library(c) or is_made_by_library(c, g))
    }
    catches = any(_catches(code) for code in codes if not is_installed(code))

    @cache
    def is_within() -> bool:
        """Whether the class stands anywhere but in the globals of this code."""
        cells = [c for c in after.cells.values() if c.kind in _INNER and not _is_package(c.owner)]
        return any(_holds(cell.value, after.names.attributes) for cell in cells)

    for code, its_globals in codes.items():
        names = names_of(code)
        found = {name: its_globals.get(name, _BUILTINS.get(name)) for name in names.globals}
        asks = [name for name, thing in found.items() if any(thing is a for a in _ASKS_KIND)]
        asks += names.attributes & {"isinstance", "issubclass"}
        asks += ["Value"] if names.looks_around and _matches(code) else []
        if asks and (any(_holds(x, names.attributes) for x in found.values()) or is_within()):
            return _line(code, asks[0])
        if is_installed(code):  # which knows nothing of Values, or has the class
            continue
        if any(thing is type for thing in found.values()):
            return _line(code, "type")
        if any(thing is a for thing in found.values() for a in _ASKS_TEXT):
            texts = names.absent & _ONE_HAS
            if texts:
                return _line(code, min(texts))
        missed = names.attributes & _ONE_HAS - _COMMON if catches else None
        if missed:
            return _line(code, min(missed))
    return ""


_BUILTINS = vars(builtins)
_INNER = {"closure", "attribute", "class", "slot", "module", "code", "items"}


def _is_package(owner: Any) -> bool:
    """Whether it is a module of this project (of other things nobody asks for their names)."""
    return type(owner) is types.ModuleType and owner.__name__.startswith(("nn.", "engine."))


def _holds(thing: Any, attributes: Iterable[str]) -> bool:
    """Whether it is the class Value, or holds it."""
    if thing is Value:
        return True
    if type(thing) in (tuple, list, types.UnionType):
        parts = thing.__args__ if type(thing) is types.UnionType else thing
        return any(part is Value or (type(part) is tuple and Value in part) for part in parts)
    if is_a(thing, types.ModuleType) or is_a(thing, type):
        return any(vars(thing).get(name) is Value for name in attributes)
    return False


@lru_cache(maxsize=4096)
def _catches(code: CodeType) -> bool:
    """Whether it catches errors, which a Value raises where a number does not."""
    steps = [step.opname for step in dis.get_instructions(code)]
    is_try = any(a == "PUSH_EXC_INFO" and b != "WITH_EXCEPT_START" for a, b in pairwise(steps))
    names = names_of(code)
    return is_try or "suppress" in names.globals | names.attributes


@lru_cache(maxsize=4096)
def _matches(code: CodeType) -> bool:
    return any(step.opname == "MATCH_CLASS" for step in dis.get_instructions(code))


def _line(code: CodeType, name: str) -> str:
    return f"{code.co_filename}:{names_of(code).lines.get(name, code.co_firstlineno)}"


def is_the_same(
    ours: Sequence[Operand], plain: Sequence[Operand], known: Iterable[Operand]
) -> bool:
    """Whether two runs gave the same numbers, and the same slopes of these for other leaves."""
    if len(ours) != len(plain):
        return False
    constants = set(map(id, known))
    (a, slopes), (b, others) = (_told(results, constants) for results in (ours, plain))
    if slopes.keys() != others.keys() or not all(map(_is_close, a, b)):
        return False
    return all(_is_close(slope, others[key]) for key, slope in slopes.items())


def _told(results: Sequence[Operand], constants: set[int]) -> tuple[list[float], dict[int, float]]:
    """The numbers, and the slopes of an odd sum of them for each leaf that is no constant."""
    values = [x for x in results if type(x) is Value]
    slopes = {}
    if values:
        weights = [1 + math.sin(k) / 3 for k in range(len(values))]
        order = dot(values, weights).adjoints()
        slopes = {id(v): v.adjoint for v in order if v.op is None and id(v) not in constants}
    return list(map(data_of, results)), {key: x for key, x in slopes.items() if x}


def _is_close(a: float, b: float) -> bool:
    return a == b or (a != a and b != b) or math.isclose(a, b, rel_tol=CLOSE, abs_tol=1e-300)
