"""The arguments of a replayed function: their numbers apart from the shape they came in."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MappingView,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from itertools import chain, count, islice
from numbers import Real
from operator import is_
from typing import Any, NamedTuple

from engine.integer import Integer, is_data
from engine.value import Operand, Value

PLAIN = (type(None), bool, int, str)  # what a result may hold beside numbers


def flatten(argument: Any, numbers: list[Any], whole: bool = False) -> Any:
    """Appends the numbers of an argument; what is left is its shape, equal for equal shapes.

    Integers are numbers too where these are to be `whole` ones as well, else a part of the shape.
    TypeError for what is no data and cannot stand for itself either, such as a container that
    changes; ValueError for a list that contains itself.

    >>> numbers = []
    >>> flatten([[1.0, 2.0], 3.0, True], numbers)[1]
    (<class 'list'>, 2)
    >>> numbers
    [1.0, 2.0, 3.0]
    >>> flatten([3, 4], numbers, whole=True), numbers[-2:]
    ((<class 'list'>, <class 'int'>, <class 'int'>), [3, 4])
    """
    kind = type(argument)
    if kind is float or kind is Value:
        numbers.append(argument)
        return kind
    if kind in _INTEGERS or isinstance(argument, float):
        return _number(argument, numbers, whole)
    shape: Any = None
    try:
        if kind is list or kind is tuple:
            grid = _grid(argument, numbers, whole)
            shape = kind, *(grid or [flatten(part, numbers, whole) for part in argument])
        elif kind is dict:
            parts = argument.items()
            shape = kind, *[(_told(key), flatten(part, numbers, whole)) for key, part in parts]
        elif _is_array(argument):
            _check_kept(argument)
            shape = kind, *argument.shape, flatten(argument.ravel().tolist(), numbers, whole)
        elif hasattr(argument, "tolist"):  # NumPy's numbers
            shape = flatten(_plain(argument), numbers, whole)
    except RecursionError:
        raise ValueError(
            f"replay expected numbers in lists, got a {kind.__name__} that contains itself, or is "
            "nested too deep"
        ) from None
    if shape is None and kind not in PLAIN:
        _check_constant(argument)
    return _told(argument) if shape is None else shape


_INTEGERS = (int, Integer)


def _number(x: Any, numbers: list[Any], whole: bool) -> Any:
    """Notes a number; its shape is its kind, or of an integer that is no number the integer."""
    if type(x) not in _INTEGERS:  # a float of the user's, or NumPy's
        numbers.append(float(x))
        return float
    if type(x) is Integer and (x.v is None or not whole):
        x = x.number()
    if whole and (type(x) is Integer or is_data(x)):
        numbers.append(x)
        return int
    return _told(x)


def _check_kept(array: Any) -> None:
    """TypeError for an array whose parts come out anew each time, or cannot be Values."""
    if array.dtype.kind in "cmMSV":
        remedy = "split it into .real and .imag" if array.dtype.kind == "c" else "pass a list"
        raise TypeError(
            f"replay expected arrays of real numbers or texts, got one of {array.dtype}: {remedy}"
        )


def _plain(thing: Any) -> Any:
    """What NumPy's numbers, and arrays of no dimension, are in Python; TypeError for others."""
    plain, name = thing.tolist(), type(thing).__name__
    if isinstance(plain, list) and hasattr(thing, "__array__"):  # whose + would join lists
        raise TypeError(f"replay expected lists or NumPy arrays, got {name}")
    if type(plain) is type(thing):
        remedy = "float(x)" if isinstance(thing, Real) else "x.real and x.imag"
        raise TypeError(f"replay expected numbers as Python has them, got {name}: pass {remedy}")
    return plain


def _check_constant(thing: Any) -> None:
    """TypeError for what cannot stand for itself: a container may have changed by the next call.

    What else cannot be hashed, such as a dataclass, is told apart by identity.
    """
    if not hasattr(thing, "__iter__") and not hasattr(thing, "__getitem__"):
        return
    changing = (Iterator, MappingView, MutableSequence, MutableSet, MutableMapping)
    if isinstance(thing, changing) or not _is_hashable(thing):
        makes = ((MutableSet, "sorted"), (Mapping, "dict"), (Iterable, "list"))
        make = next((make for kind, make in makes if isinstance(thing, kind)), "")
        raise TypeError(
            "replay expected numbers, lists, tuples and dicts of them, or what can be told apart "
            f"by hashing, got {type(thing).__name__}"
            + (f": pass {make}(...) of it" if make else "")
        )


class _Same(NamedTuple):
    """What is told apart by identity: two models that call themselves equal are two models."""

    thing: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)

    def __repr__(self) -> str:
        return repr(self.thing)


def _told(thing: Any) -> tuple[Any, ...]:
    """What tells a thing from others: its value where that is all there is to it."""
    kind = type(thing)
    if kind is tuple:
        return kind, *map(_told, thing)
    if isinstance(thing, float):
        return float, repr(float(thing))  # which tells -0.0 from 0.0
    return kind, thing if kind in PLAIN else _Same(thing)


def _grid(rows: Sequence[Any], numbers: list[Any], whole: bool) -> tuple[Any, ...] | None:
    """The shape of a list of floats, or of lists of floats of one length: the usual, and fast.

    Of integers too, where they are numbers.
    """
    kind = type(rows[0]) if rows else float
    if not _are_all(kind, rows):
        return None
    if kind is float:
        numbers += rows
        return (len(rows),)
    if kind is int and whole and is_data(min(rows)) and is_data(max(rows)):
        numbers += rows
        return (int,) * len(rows)
    if kind is list and len(set(map(len, rows))) == 1:
        entries: list[Any] = []
        for row in rows:
            entries += row
        if _are_all(float, entries):
            numbers += entries
            return len(rows), len(rows[0])
    return None


def _are_all(kind: type, things: Sequence[Any]) -> bool:
    return list(map(type, things)).count(kind) == len(things)


def _is_hashable(thing: Any) -> bool:
    try:
        hash(thing)
    except TypeError:
        return False
    return True


def rebuild(argument: Any, values: Iterator[Any], whole: bool = False) -> Any:
    """The argument again, its numbers replaced by the next of `values`; `whole` as in `flatten`."""
    kind, again = type(argument), argument
    if isinstance(argument, float) or kind is Value:
        again = next(values)
    elif kind is int:
        again = next(values) if whole and is_data(argument) else argument
    elif kind is Integer:
        again = next(values) if whole else argument.number()
    elif kind is list or kind is tuple:
        if set(map(type, argument)) == {float}:
            again = kind(islice(values, len(argument)))
        else:
            again = kind(rebuild(part, values, whole) for part in argument)
    elif kind is dict:
        again = {key: rebuild(part, values, whole) for key, part in argument.items()}
    elif _is_array(argument):
        parts = rebuild(argument.ravel().tolist(), values, whole)
        keeps_kind = argument.dtype.kind not in "fO" and Integer not in set(map(type, parts))
        again = argument.copy() if keeps_kind else argument.astype(object)
        again.flat = parts
    elif hasattr(argument, "tolist"):
        again = rebuild(argument.tolist(), values, whole)
    return again


def settled(thing: Any) -> Any:
    """The thing with ints in place of what stood for them in a recording."""
    try:
        return _settled(thing)
    except RecursionError:
        return thing


def _settled(thing: Any) -> Any:
    kind = type(thing)
    if kind is Integer:
        return thing.number()
    if kind is list or kind is tuple:
        parts = [_settled(part) for part in thing]
        return thing if all(map(is_, parts, thing)) else kind(parts)
    if kind is dict:
        parts = [_settled(part) for part in thing.values()]
        same = all(map(is_, parts, thing.values()))
        return thing if same else dict(zip(thing, parts, strict=True))
    return thing


def _is_array(thing: Any) -> bool:
    """Whether it is an array of NumPy, of one dimension or more: a list to all, but for `+`."""
    kind = type(thing)
    return (kind.__module__, kind.__name__) == ("numpy", "ndarray") and thing.ndim > 0


def holds_objects(thing: Any) -> bool:
    """Whether it is an array of NumPy in which there are objects, such as Values."""
    return _is_array(thing) and thing.dtype.kind == "O"


def copies(numbers: Sequence[Operand], is_strict: bool = True) -> list[Value]:
    """Values of their own in place of the numbers.

    One for each Value however often it comes, or, unless `is_strict`, one for each place.
    """
    made = (
        {id(x): Value(x.data, x.label) for x in numbers if isinstance(x, Value)}
        if is_strict
        else {}
    )
    return [
        (made.get(id(x)) or Value(x.data, x.label)) if isinstance(x, Value) else Value(x)
        for x in numbers
    ]


def twins(values: Sequence[Any]) -> list[int]:
    """For each thing the place where it comes first.

    >>> twins(["a", "b", "a"])
    [0, 1, 0]
    """
    first: dict[int, int] = {}
    return [first.setdefault(id(v), k) for k, v in enumerate(values)]


Shape = tuple[tuple[Any, ...], tuple[tuple[str, Any], ...]]  # of arguments, and by keyword


class Given(NamedTuple):
    """The arguments of a call, and their numbers apart from their shape."""

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    shape: Shape
    numbers: list[Any]  # floats, Values, and integers
    examples: int = 0  # how many there are in them, where `few` gives them with fewer
    few: Callable[[int], Given] | None = None


def digest(thing: object) -> str:
    """16 letters that tell a thing from others by its repr, the same in each process."""
    return hashlib.sha256(repr(thing).encode()).hexdigest()[:16]


def read(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Given:
    """The arguments of a call taken apart; TypeError where they cannot be."""
    numbers: list[Any] = []
    shape = tuple([flatten(argument, numbers, True) for argument in arguments])
    named = tuple([(name, flatten(argument, numbers, True)) for name, argument in keywords.items()])
    return Given(arguments, keywords, (shape, named), numbers)


def identities(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Shape, list[int]]:
    """What tells whether something was put in, taken out or moved in between."""
    given = read(arguments, keywords)
    return given.shape, [x if type(x) is int else id(x) for x in given.numbers]


def numbers_of(result: Any) -> list[Operand]:
    """The numbers of what a function returned; TypeError where it holds more than that."""
    found: list[Operand] = []
    todo = [flatten(result, found)]
    while todo:
        shape = todo.pop()
        if type(shape) is tuple and shape and _is_sequence(shape[0]):
            todo += [part for part in shape[1:] if type(part) is not int]
        elif type(shape) is tuple and shape and shape[0] is dict:
            todo += [part for _, part in shape[1:]]
        elif type(shape) is tuple and shape[0] not in PLAIN:
            raise TypeError(
                "replay expected Values, numbers, and lists, tuples and dicts of them as the "
                f"result, got {shape[0].__name__}"
            )
    return found


def _is_sequence(kind: Any) -> bool:
    return kind in (list, tuple) or hasattr(kind, "tolist")


def _named(
    function: Callable[..., Any], arguments: Iterable[Any], keywords: Mapping[str, Any]
) -> dict[Any, Any]:
    """Arguments by the names that the function has for them."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some builtins have none
        names = []
    return {**dict(zip(chain(names, count(len(names))), arguments, strict=False)), **keywords}


def name_of(function: Callable[..., Any], given: Given, place: int) -> str:
    """How the number in a place is written, such as `xs[2]`."""
    todo: list[tuple[str, Any]] = [
        (str(name), part)
        for name, part in _named(function, given.arguments, given.keywords).items()
    ]
    while todo:
        path, part = todo.pop(0)
        found: list[Any] = []
        flatten(part, found, True)
        if place >= len(found):
            place -= len(found)
        elif isinstance(part, dict):
            todo = [(f"{path}[{key!r}]", each) for key, each in part.items()]
        elif isinstance(part, (list, tuple)) or _is_array(part):
            todo = [(f"{path}[{k}]", each) for k, each in enumerate(part)]
        else:
            return path
    return "an argument"


_PAD = " (lists padded to one length are recorded once)"


def changed_argument(function: Callable[..., Any], before: Shape, now: Shape) -> str:
    """Which argument makes two shapes differ, in words."""
    old, new = (_named(function, shape, dict(named)) for shape, named in (before, now))
    for name in old.keys() & new.keys():
        if old[name] != new[name]:
            return _changed(old[name], new[name], str(name))
    return "the number of arguments changes"


def _changed(old: Any, new: Any, path: str) -> str:
    """Where two shapes differ, in words."""
    if type(old) is not tuple or type(new) is not tuple or old[0] is not new[0]:
        return f"{path} changes its type"
    kind = old[0]
    if kind is not dict and not _is_sequence(kind):
        return (
            f"{path} changes, such as from {old[1]!r} to {new[1]!r}, and each {kind.__name__} is "
            "recorded for itself"
        )
    if len(old) != len(new):
        return f"the length of {path} changes, such as from {len(old) - 1} to {len(new) - 1}{_PAD}"
    parts = zip(old[1:], new[1:], strict=True)
    k, a, b = next((k, a, b) for k, (a, b) in enumerate(parts) if a != b)
    if int in (type(a), type(b)):
        return f"the length of {path} changes, such as from {a} to {b}{_PAD}"
    return (
        _changed(a[1], b[1], f"{path}[{b[0][1]!r}]")
        if kind is dict
        else _changed(a, b, f"{path}[{k}]")
    )
