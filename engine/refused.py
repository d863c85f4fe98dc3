"""What a Value refuses, such as `float(v)` or `v._backward = f`, with what to write instead."""

from collections.abc import Callable
from typing import NoReturn, TypeVar

from engine.number import number, short

T = TypeVar("T", bound=type)

OF_YOUR_OWN = (
    "an operation of your own (micrograd's Value(t, (v,), 'swish') with a _backward) is written "
    "swish = engine.define('swish', 'swish', 'x * sigmoid(x)', 'z + sigmoid(x) * (1 - z)', "
    "at=[(0.3,), (-2.0,)]), and then swish(v)"
)
_STATE = "keep it in a dict, state[v] = 0.0 (a Value is a key), or take an optimiser of nn"
# Names that programs for other engines set on a Value.
_INSTEAD = {
    **dict.fromkeys(("_backward", "_prev", "_op"), OF_YOUR_OWN),
    **dict.fromkeys(("m", "v", "velocity", "momentum", "cache", "state"), _STATE),
    "name": "write v.label",
    "requires_grad": "all Values have a gradient; v.detach() is a constant, and engine.no_grad()",
}


def foreign_names(value: T) -> T:
    """The class, its instances with words for such names (a decorator)."""
    for name in _INSTEAD:
        setattr(value, name, _Foreign(name, getattr(vars(value).get(name), "fget", None)))
    return value


class _Foreign:
    """A name that is refused; one that is a property already is still read.

    Names that are not here meet Python's own AttributeError: a `__setattr__` with words for all of
    them would be called ten times for each new node.
    """

    def __init__(self, name: str, read: Callable[[object], object] | None) -> None:
        self.name, self.read = name, read

    def __get__(self, v: object, owner: type) -> object:
        if v is None:
            return self
        if self.read:
            return self.read(v)
        raise AttributeError(f"Value has no {self.name}: {_INSTEAD[self.name]}")

    def __set__(self, v: object, x: object) -> None:
        raise AttributeError(
            f"cannot set {self.name} of a Value, which has slots alone: {_INSTEAD[self.name]}"
        )


def to_float(v: object) -> NoReturn:
    """TypeError for `float(v)`, and for `math.sin(v)`."""
    raise TypeError(
        "expected a number, got a Value: those functions that dir(engine) lists are written "
        "engine.exp(v), others are made with operators or engine.define, and the number is "
        "v.data"
    )


def to_int(v: object) -> NoReturn:
    """TypeError for `int(v)`."""
    raise TypeError(
        "int expected a number, got a Value: write int(v.data); no gradient flows through it"
    )


def subclass(cls: type) -> NoReturn:
    """TypeError for a class made from `Value`."""
    raise TypeError(
        f"{cls.__name__} cannot be a subclass of Value: operations give plain Values; "
        "hold a Value in it, or make operations of your own with engine.define"
    )


def check_leaf(label: object, op: object, children: object) -> None:
    """TypeError for a Value that is to be more than a number and its label."""
    if op is not None or children is not None:
        raise TypeError(
            f"Value expected a number and a label, got children or an operation; {OF_YOUR_OWN}"
        )
    if not isinstance(label, str):
        is_micrograds = isinstance(label, tuple | set | list)
        own = "operations of your own are made with engine.define"
        raise TypeError(
            f"Value expected a str as label, got {type(label).__name__} ({short(label)}); "
            f"{OF_YOUR_OWN if is_micrograds else own}"
        )


def check_digits(digits: object) -> None:
    """TypeError for `round(v, digits)`."""
    if digits is not None:
        raise TypeError(
            f"round of a Value gives a whole number: for text write f'{{v:.{digits}f}}', and "
            f"for a number round(v.data, {digits})"
        )


def seed(gradient: object) -> float:
    """The gradient that a backward begins with, as a float; TypeError if it is no number."""
    try:
        return number(gradient)
    except TypeError:
        raise TypeError(
            "backward expected a number as the gradient to begin with, "
            f"got {type(gradient).__name__} ({short(gradient)}): write y.backward(5.0)"
        ) from None
