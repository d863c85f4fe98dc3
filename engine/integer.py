"""`Integer` stands for an int argument while a function is recorded, and notes how it is used."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from engine.modes import line_of_user
from engine.value import Value

LARGEST = 2**53  # from here on floats have gaps: such an integer is a constant


def is_data(n: int) -> bool:
    """Whether an int is one that a float can hold, and its neighbours too."""
    return -LARGEST < n < LARGEST


class Integer:
    """Stands for an int; `pick` and comparisons see the Value behind it, and it stays data.

    For all else it gives its number, and notes the line: the recording is good for this number
    alone. After the recording `v` is None.

    >>> i = Integer(3, Value(3.0))
    >>> isinstance(i, int), i.pinned
    (True, '')
    >>> list(range(i)), i.pinned != ""
    ([0, 1, 2], True)
    """

    __slots__ = ("n", "pinned", "v")
    __class__ = property(lambda _: int)  # what isinstance asks

    def __init__(self, n: int, v: Value | None) -> None:
        self.n, self.v = n, v
        self.pinned = ""  # the line where it had to give its number

    def number(self) -> int:
        """The number, which the recording depends on from now on."""
        if not self.pinned:
            self.pinned = line_of_user()
        return self.n

    def __getattr__(self, name: str) -> Any:
        return getattr(self.number() if hasattr(int, name) else self.n, name)

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (self.number(),)


def _unary(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda i, *rest: function(i.number(), *rest)


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Integer, Any], Any]:
    return lambda i, other: function(i.number(), other)


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[Integer, Any], Any]:
    return lambda i, other: function(other, i.number())


def _compared(relation: Callable[[Any, Any], Any]) -> Callable[[Integer, Any], Any]:
    """A comparison, which is asked again at each replay where the other side is a number."""

    def compared(i: Integer, other: Any) -> Any:
        if i.v is None or other is None or type(other) is str:
            return relation(i.n, other)
        if type(other) is Integer:
            other = other.n if other.v is None else other.v
        if type(other) is not Value and (
            type(other) not in (int, float, bool) or not is_data(other)
        ):
            return relation(i.number(), other)
        return relation(i.v, other)

    return compared


_SHARED = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift")
_BINARY = {
    **{name: getattr(operator, name) for name in (*_SHARED, "matmul", "xor")},
    **{"and": operator.and_, "or": operator.or_, "divmod": divmod},
}
_UNARY = {
    **{name: getattr(operator, name) for name in ("neg", "pos", "abs", "invert", "index")},
    **{"int": int, "float": float, "complex": complex, "hash": hash, "round": round},
    **{"trunc": math.trunc, "floor": math.floor, "ceil": math.ceil},
    **{"str": str, "repr": repr, "format": format},
}
for _name, _function in _BINARY.items():
    setattr(Integer, f"__{_name}__", _binary(_function))
    setattr(Integer, f"__r{_name}__", _reflected(_function))
for _name, _function in _UNARY.items():
    setattr(Integer, f"__{_name}__", _unary(_function))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Integer, f"__{_name}__", _compared(getattr(operator, _name)))
setattr(Integer, "__bool__", lambda i: i != 0)  # noqa: B010 (mypy refuses to assign a method)
