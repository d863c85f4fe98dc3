"""Places outside a function that somebody may set, and objects that say when they were set.

A cell is an attribute, a global, a variable of an enclosing function, what a list holds. It is
looked at without asking the objects: what users wrote into their classes does not run.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "nothing"})()
PLAIN = (int, float, str, bytes, bool, complex, type(None), type(...), type(NotImplemented))


stamp = [object()]  # another one after each change of an `Observed` object, in any thread
# whose dict somebody may still hold, by id: models need no hash
_handed_out: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


class _Bare:
    """Where the dict of an `Observed` is found."""


_dict_of = _Bare.__dict__["__dict__"].__get__
_set_dict = _Bare.__dict__["__dict__"].__set__


class Observed(_Bare):
    """An object that says when an attribute is set: guards look at the others only then."""

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        stamp[0] = object()

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        stamp[0] = object()

    @property
    def __dict__(self) -> dict[str, Any]:
        """The attributes; who holds them may set one unseen, so they are looked at from now on."""
        _handed_out[id(self)] = self
        stamp[0] = object()
        own: dict[str, Any] = _dict_of(self)
        return own

    @__dict__.setter
    def __dict__(self, attributes: dict[str, Any]) -> None:
        _handed_out[id(self)] = self
        _set_dict(self, attributes)
        stamp[0] = object()


_TOLD = ("__setattr__", "__delattr__")
_HANDS_OUT = vars(Observed)["__dict__"]


def is_a(thing: Any, kind: type) -> bool:
    """As `isinstance`, without asking the object itself."""
    return kind in type(thing).__mro__


def attributes_of(thing: Any) -> dict[str, Any]:
    """The attributes of an object, as `vars` gives them; empty where it has no dict."""
    if is_a(thing, Observed):
        own: dict[str, Any] = _dict_of(thing)
        return own
    try:
        found = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


def tells(thing: Any) -> bool:
    """Whether it says when an attribute is set."""
    return (
        is_a(thing, Observed)
        and all(getattr(type(thing), name) is getattr(Observed, name) for name in _TOLD)
        and member(type(thing), "__dict__") is _HANDS_OUT  # and no mixin's
        and id(thing) not in _handed_out
    )


class Cell(NamedTuple):
    """A place outside a function, by the kind of its owner."""

    kind: str
    owner: Any
    name: Any
    value: Any
    path: Any  # of the owner, as pairs that end with its own name

    @property
    def key(self) -> tuple[str, int, Any]:
        """What tells places apart."""
        return self.kind, id(self.owner), self.name

    @property
    def words(self) -> str:
        """The place as the user may have written it."""
        where = spelled(self.path)
        if self.kind in INSIDE:
            return f"the {_title(self.owner)} {where}".rstrip()
        if self.kind == "item":
            return f"{where}[{self.name!r}]"
        if self.kind in ("attribute", "slot", "class", "code", "module"):
            return f"{where}.{self.name}" if where else str(self.name)
        return str(where if self.kind == "closure" else self.name)


def _title(owner: object) -> str:
    return type(owner).__name__


def spelled(path: Any) -> str:
    """A path as the user may have written it."""
    parts = []
    while path:
        path, part = path
        parts.append(part)
    return "".join(reversed(parts)).lstrip(".")


def _read_dict(owner: Any, name: Any) -> Any:
    return owner.get(name, MISSING)


def read_closure(owner: Any, _: Any) -> Any:
    """A variable of an enclosing function."""
    try:
        return owner.cell_contents
    except ValueError:
        return MISSING


def read_slot(owner: Any, name: str) -> Any:
    """A slot, past all hooks."""
    try:
        return member(type(owner), name).__get__(owner)
    except AttributeError:
        return MISSING


def read_random(owner: Any, _: Any) -> Any:
    """The state of a source of random numbers."""
    try:
        return repr(state_of(owner))
    except NotImplementedError:  # of the system: every number is another one
        return object()


def read_array(owner: Any, _: Any) -> Any:
    """The form and content of an array."""
    if owner.dtype == object:
        return owner.shape, tuple(owner.ravel().tolist())
    return owner.shape, owner.dtype.str, owner.tobytes()


def _read_item(owner: Any, name: Any) -> Any:
    """An item of a list or a dict, whatever its class does when it is asked."""
    for kind in (dict, list, deque):
        if is_a(owner, kind):
            try:
                return kind.__getitem__(owner, name)
            except LookupError:
                break
    return MISSING


_READ: dict[str, Callable[[Any, Any], Any]] = {
    "attribute": lambda owner, name: attributes_of(owner).get(name, MISSING),
    "slot": read_slot,
    "class": lambda owner, name: getattr(owner, name, MISSING),
    "size": lambda owner, _: len(owner.__dict__),
    "global": _read_dict,
    "module": lambda owner, name: vars(owner).get(name, MISSING),
    "closure": read_closure,
    "code": getattr,
    "items": lambda owner, _: tuple(owner),
    "pairs": lambda owner, _: (tuple(owner), tuple(owner.values())),
    "item": _read_item,
    "cache": lambda owner, _: owner.cache_info()[1:],
    "form": lambda owner, _: type(now(owner)),
    "length": lambda owner, _: len(owner),
    "array": read_array,
    "keys": lambda owner, _: tuple(attributes_of(owner)),
    "type": lambda owner, _: type(owner),
    "context": lambda owner, _: owner.get(MISSING),
    "random": read_random,
}
INSIDE = ("items", "pairs", "cache", "keys", "length", "array", "context", "random", "type", "size")


def put(place: Cell, value: Any) -> None:
    """Sets a place past all hooks."""
    kind, owner, name = place[:3]
    if kind == "attribute":
        attributes_of(owner)[name] = value
        stamp[0] = object()
    elif kind == "slot":
        member(type(owner), name).__set__(owner, value)
    elif kind == "class":
        home = next(c for c in owner.__mro__ if name in c.__dict__)
        type.__setattr__(home, name, value)
    elif kind == "closure":
        owner.cell_contents = value
    elif kind == "module":
        vars(owner)[name] = value
    else:
        base: Any = next(each for each in (dict, list, deque) if is_a(owner, each))
        base.__setitem__(owner, name, value)


SETTABLE = ("attribute", "slot", "class", "closure", "global", "module", "item")


def now(cell: Cell) -> Any:
    """What stands in a cell now; MISSING where nothing does."""
    try:
        return _READ[cell.kind](cell.owner, cell.name)
    except (AttributeError, LookupError, ValueError, RuntimeError):
        return MISSING


def alike(a: Any, b: Any) -> bool:
    """Whether they are one and the same, or plain data of the same kind and digits."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) in PLAIN:
        return repr(a) == repr(b)
    return type(a) is tuple and len(a) == len(b) and all(map(alike, a, b))


def member(kind: type, name: str) -> Any:
    """An attribute of a class as it stands there, or None."""
    return next((c.__dict__[name] for c in kind.__mro__ if name in c.__dict__), None)


def state_of(source: Any) -> Any:
    """The state of a source of random numbers, Python's or NumPy's."""
    for name in ("getstate", "get_state"):
        if hasattr(source, name):
            return getattr(source, name)()
    return source.bit_generator.state
