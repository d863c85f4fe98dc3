"""Names that programs for other engines set on a Value, with what to write here instead."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=type)

OF_YOUR_OWN = (
    "an operation of your own (micrograd's Value(t, (v,), 'swish') with a _backward) is written "
    "swish = engine.define('swish', 'swish', 'x * sigmoid(x)', 'z + sigmoid(x) * (1 - z)', "
    "at=[(0.3,), (-2.0,)]), and then swish(v)"
)
_STATE = "keep it in a dict, state[v] = 0.0 (a Value is a key), or take an optimiser of nn"
_INSTEAD = {
    **dict.fromkeys(("_backward", "_prev", "_op"), OF_YOUR_OWN),
    **dict.fromkeys(("m", "v", "velocity", "momentum", "cache", "state"), _STATE),
    "name": "write v.label",
    "requires_grad": "all Values have a gradient; v.detach() is a constant, and engine.no_grad()",
}


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


def refuse_foreign_names(value: T) -> T:
    """The class, its instances with words for such names (a decorator)."""
    for name in _INSTEAD:
        setattr(value, name, _Foreign(name, getattr(vars(value).get(name), "fget", None)))
    return value
