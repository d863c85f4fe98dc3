"""Tells, without running code, whether it is plain arithmetic, or keeps nothing from a call."""

import builtins
import math
import os
import sys
from functools import cache
from types import BuiltinFunctionType, CodeType, FunctionType
from typing import Any

from engine.replay.witness import names_of, within
from nn.loss import LOSSES
from nn.module import ACTIVATIONS, MLP, Layer, Neuron
from nn.schedules import constant

_SCHEDULES = constant.__code__.co_filename  # whose code is this package's
_NUMBERS = {float, int, bool, str, type(None)}
_HARMLESS = {
    *("abs", "bool", "divmod", "enumerate", "float", "int", "len", "max", "min", "pow", "range"),
    *("round", "sorted", "sum", "super", "tuple", "zip", "ValueError", "TypeError"),
}
_OF_NUMBERS = {name for kind in (math, float, int) for name in dir(kind) if name[0] != "_"}


def is_arithmetic(function: Any, owner: Any = None) -> bool:
    """Whether a function reads plain numbers alone, and changes nothing.

    It may call functions of the same kind, and those of `math`. As a method it may also read what
    `owner` has of numbers and of such methods. What it reads may change: ask before each call,
    which takes a microsecond or two.

    >>> start = 0.1
    >>> is_arithmetic(lambda step: start / (1 + step))
    True
    >>> weights = []
    >>> is_arithmetic(lambda step: weights.append(step) or start)
    False
    """
    try:
        code = getattr(function, "__code__", None)
        is_ours = owner is None and code is not None and code.co_filename == _SCHEDULES
        return is_ours or _is_arithmetic(function, owner, set())
    except ValueError:  # nothing stands in a variable of its closure yet
        return False


def _is_arithmetic(function: Any, owner: Any, met: set[int]) -> bool:
    if type(function) is not FunctionType:
        return False
    if id(function) in met:
        return True
    met.add(id(function))
    asked = _asked(function.__code__)
    if asked is None:
        return False
    names, attributes = asked
    its_globals = function.__globals__
    for name in names:
        if name not in its_globals and (name not in _HARMLESS or not hasattr(builtins, name)):
            return False
    things = [its_globals[name] for name in names if name in its_globals]
    things += [cell.cell_contents for cell in function.__closure__ or ()]
    things += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for thing in things:
        if type(thing) not in _NUMBERS and not _is_plain(thing, owner, met):
            return False
    return all(_is_plain_on(owner, name, met) for name in attributes)


_Asked = tuple[frozenset[str], frozenset[str]] | None
# By the id of its code, since a hash of that reads all its constants.
_known: dict[int, tuple[CodeType, _Asked]] = {}


def _asked(code: CodeType) -> _Asked:
    """The globals and the attributes that it reads; None where it does more than read."""
    found = _known.get(id(code))
    if found is None:
        if len(_known) > 1000:
            _known.clear()
        found = _known[id(code)] = code, _found_in(code)
    return found[1]


def _found_in(code: CodeType) -> _Asked:
    parts = [names_of(each) for each in within(code)]
    for n in parts:
        changes = n.set_attributes or n.set_globals or n.set_variables
        if changes or n.modules or n.looks_around or n.reads_globals:
            return None
    names, attributes = ([getattr(n, field) for n in parts] for field in ("globals", "attributes"))
    return frozenset().union(*names), frozenset().union(*attributes)


def _is_plain(thing: Any, owner: Any, met: set[int]) -> bool:
    """Whether it is a number, some numbers, what computes with them, or the owner."""
    kind = type(thing)
    if kind in _NUMBERS or thing is math:
        return True
    if kind is tuple:
        return all(type(part) in _NUMBERS for part in thing)
    if kind is BuiltinFunctionType:
        is_harmless = thing.__self__ is builtins and thing.__name__ in _HARMLESS
        return is_harmless or thing.__self__ is math
    if owner is not None and (thing is owner or thing in type(owner).__mro__):
        return True
    return _is_arithmetic(thing, owner, met)


def _is_plain_on(owner: Any, name: str, met: set[int]) -> bool:
    """Whether an attribute is one of a number or of `math`, and, if the owner has it, plain."""
    found = [] if owner is None else [vars(c)[name] for c in type(owner).__mro__ if name in vars(c)]
    if owner is not None and name in vars(owner):
        found.append(vars(owner)[name])
    if not found:
        return name in _OF_NUMBERS
    return all(_is_plain(_function_of(thing), owner, met) for thing in found)


def _function_of(thing: Any) -> Any:
    """What runs when a property is read, or a method of a class called; else the thing."""
    if isinstance(thing, property):
        return thing.fget
    return getattr(thing, "__func__", thing)


def is_of(kind: type, function: Any) -> bool:
    """Whether a function was written in the folder of a class, and is not wrapped by another.

    >>> is_of(MLP, MLP.__call__), is_of(MLP, len)
    (True, False)
    """
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename.startswith(_folder_of(kind.__module__))


@cache
def _folder_of(module: str) -> str:
    return os.path.join(os.path.dirname(str(sys.modules[module].__file__)), "")


def is_stateless(model: Any, loss: Any) -> bool:
    """Whether model and loss are this package's own, which keep nothing of a call."""
    return any(loss is known for known in LOSSES) and _is_our_own(model)


def _is_our_own(model: Any) -> bool:
    """Whether it is a net of this package, with nothing else inside."""
    kind = type(model)
    if kind not in (MLP, Layer, Neuron) or not is_of(MLP, kind.__call__):
        return False
    if kind is Neuron:
        return model._activate is ACTIVATIONS.get(model.activation)
    return all(map(_is_our_own, model.layers if kind is MLP else model.neurons))
