"""The walk: from a function through everything that its code can reach by name.

Before a run each function that can be reached counts; after it only the code that ran. Objects of
kinds that the walk does not know are named as such: it is a list of what is known.
"""

from __future__ import annotations

import builtins
import datetime
import decimal
import enum
import functools
import logging
import operator
import random
import re
import sys
import threading
import types
import weakref
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from itertools import chain
from types import CodeType
from typing import Any, NamedTuple

from engine.integer import Integer
from engine.operators import GENERATED
from engine.replay.cells import (
    INSIDE,
    MISSING,
    PLAIN,
    Cell,
    Observed,
    attributes_of,
    is_a,
    member,
    read_array,
    read_closure,
    read_random,
    read_slot,
    spelled,
)
from engine.replay.witness import (
    HOUSE,
    KINDS,
    MODULES,
    Names,
    is_house,
    is_installed,
    is_library,
    is_made_by_library,
    is_ours,
    names_of,
    within,
)
from engine.value import Value

MOST = 1_000_000  # things in a walk
_ATOMS = {
    *PLAIN,
    *(Value, Integer, range, slice, CodeType, re.Pattern, decimal.Decimal, type(MISSING), object),
    *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone),
    *(type(threading.Lock()), type(threading.RLock()), types.GenericAlias, types.UnionType),
    *(types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType),
    *(types.GetSetDescriptorType, types.MemberDescriptorType, types.MethodWrapperType),
}
# Classes of Python's own whose attributes only matter where they are asked for by name.
_FRANK = {
    *("_thread", "abc", "argparse", "contextlib", "enum", "fractions", "functools", "logging"),
    *("numbers", "pathlib", "types", "typing", "warnings", "dataclasses", "inspect", "collections"),
}
_LOGGERS = {
    "level",
    "disabled",
    "parent",
    "manager",
    "disable",
    "_disable",
}  # a call asks for these
_ASKS_LEVEL = {"isEnabledFor", "getEffectiveLevel"}
_ASKED = {  # by their own code
    "logging": _LOGGERS,
    "collections": {"data", "maps"},
    "contextlib": {"enter_result", "thing", "_exceptions", "_exit_callbacks"},
}
_TOLD = {  # by functions about themselves
    *("__name__", "__qualname__", "__doc__", "__module__", "__annotations__"),
    *("__code__", "__defaults__", "__kwdefaults__"),
}
_TOLD_BY_CLASSES = {"__name__", "__qualname__"}
_HIDDEN = {  # what classes written in C keep beside attributes, and is asked for by name
    BaseException: ("args", "__cause__", "__context__"),
    defaultdict: ("default_factory",),
}
_PLAIN_C = {  # modules whose classes, written in C, do not change, or have a visitor
    *("_struct", "_thread", "_contextvars", "_abc", "functools", "re", "typing"),
    *("datetime", "decimal", "zoneinfo", "fractions", "operator", "collections"),
}
_LISTS = (list, tuple, deque, set, frozenset, bytearray, array)


class Reached(NamedTuple):
    """What a walk found."""

    cells: dict[tuple[str, int, Any], Cell]
    names: Names
    codes: Mapping[CodeType, dict[str, Any]]
    unknown: list[tuple[str, Any]]  # what cannot be watched: its kind and its path
    held: list[Any]  # so that ids stay theirs
    values: dict[int, Value]  # the Values that stand in cells, by id
    aliases: set[int]  # ids of what is reached in several ways
    library: frozenset[str]  # the names that code of Python's own asked for
    looks_at_modules: bool  # as `parameters()` does: at all that a Module has


def reach(
    roots: Sequence[tuple[Any, str]],
    codes: Mapping[CodeType, dict[str, Any]] | None = None,
    known: Mapping[CodeType, dict[str, Any]] | None = None,
    is_below: bool = False,
    looks_around: bool = False,
    library: Iterable[CodeType] = (),
) -> Reached:
    """Walks from the roots, which come with their names.

    `codes` are those that ran; before a run each function that can be reached counts, with those
    `known` from former runs. `library` is code of Python's own that ran. `is_below`: only what
    hangs on the roots, not the globals.
    """
    walk = _Walk(codes, known or {}, is_below, looks_around)
    while not walk.go(roots):
        pass
    return Reached(
        *(walk.cells, walk.names, walk.codes, walk.unknown),
        *(walk.held, walk.values, walk.aliases),
        frozenset(chain.from_iterable(map(_asked_by, library))),
        walk.looks_at_modules,
    )


def _together(codes: Mapping[CodeType, dict[str, Any]]) -> Names:
    """The names in all of them; the name of each counts as one that is read."""
    parts = {code: names_of(code) for code in codes}

    def all_of(field: str) -> frozenset[str]:
        return frozenset().union(*(getattr(names, field) for names in parts.values()))

    others = (n.globals | n.attributes | n.variables for n in parts.values())
    loaded = frozenset().union(
        *(names - n.filled for names, n in zip(others, parts.values(), strict=True))
    )
    return Names(
        globals=all_of("globals"),
        attributes=all_of("attributes") | {code.co_name for code in parts},
        set_attributes=all_of("set_attributes"),
        set_globals=all_of("set_globals"),
        modules=all_of("modules"),
        variables=all_of("variables"),
        set_variables=all_of("set_variables"),
        filled=all_of("filled") - loaded,
        absent=all_of("absent"),
        looks_around=any(n.looks_around for code, n in parts.items() if not _is_of_modules(code)),
        reads_globals=any(n.reads_globals for n in parts.values()),
        asks_identity=any(n.asks_identity for n in parts.values()),
        asks_kind=any(
            n.asks_kind or n.globals & KINDS & codes[code].keys()
            for code, n in parts.items()
            if not (is_ours(code) or is_made_by_library(code, codes[code]))
        ),
        lines={},
        set_lines={},
    )


def _is_of_modules(code: CodeType) -> bool:
    """Whether it is code of `nn.Module`, which looks around in modules alone."""
    return code.co_filename == MODULES


class _Kind(NamedTuple):
    """What the code may ask of the objects of a class, by the names in it."""

    of_all: bool  # whether any attribute may be read, by whatever name
    slots: list[str]
    absent: set[str]  # attributes that would count if they were set
    asked: set[str]  # those that code of Python's own asks for


def _asked_by(code: CodeType) -> frozenset[str]:
    return names_of(code).attributes | {code.co_name}


class _Walk:
    def __init__(
        self,
        codes: Mapping[CodeType, dict[str, Any]] | None,
        known: Mapping[CodeType, Any],
        is_below: bool,
        looks_around: bool,
    ) -> None:
        self.is_before, self._is_below = codes is None, is_below
        self._looks_around = looks_around
        self.codes: dict[CodeType, dict[str, Any]] = dict(known if codes is None else codes)

    def go(self, roots: Sequence[tuple[Any, str]]) -> bool:
        """One walk with the names known so far; whether no code was met that knows more."""
        began = self.names = self._all_names()
        self._wanted = self.names.attributes | self.names.set_attributes
        self.looks_at_modules = any(
            names_of(code).looks_around for code in self.codes if _is_of_modules(code)
        )
        self._kinds: dict[type, _Kind] = {}
        self.cells: dict[tuple[str, int, Any], Cell] = {}
        self.unknown: list[tuple[str, Any]] = []
        self.held: list[Any] = []
        self.values: dict[int, Value] = {}
        self.aliases: set[int] = set()
        self._met: set[int] = set()
        self._todo: list[tuple[Any, Any]] = [(thing, (None, name)) for thing, name in roots]
        for code, its_globals in () if self._is_below else list(self.codes.items()):
            self._globals(code, its_globals)
        while self._todo and len(self.held) < MOST:
            thing, path = self._todo.pop()
            kind = type(thing)
            if kind is Value:
                self.values[id(thing)] = thing
                if "label" in self.names.attributes:
                    self.cell("slot", thing, "label", thing.label, path)
            if kind in _ATOMS:
                continue
            if id(thing) in self._met:
                self.aliases.add(id(thing))
                continue
            self._met.add(id(thing))
            self.held.append(thing)
            _visitor(thing)(self, thing, path)
        if self._todo:
            self.unknown.append((f"world of more than {MOST:,} things below", path))
        return began == self._all_names()

    def _all_names(self) -> Names:
        names = _together(self.codes)
        return names._replace(looks_around=True) if self._looks_around else names

    def found(self, code: CodeType, its_globals: dict[str, Any]) -> None:
        """Notes code that may run, with that of the functions that it makes."""
        for each in within(code):
            if each not in self.codes:
                self.codes[each] = its_globals
                if not self._is_below:
                    self._globals(each, its_globals)

    def cell(self, kind: str, owner: Any, name: Any, value: Any, path: Any) -> None:
        """Notes a cell."""
        key = kind, id(owner), name
        if key not in self.cells:
            self.cells[key] = Cell(kind, owner, name, value, path)
            self.held.append(owner)

    def then(self, thing: Any, path: Any, name: str) -> None:
        """Goes on to what stands in a cell."""
        if type(thing) not in _ATOMS or type(thing) is Value:
            self._todo.append((thing, (path, name)))

    def _globals(self, code: CodeType, its_globals: dict[str, Any]) -> None:
        names = names_of(code)
        for name in sorted(names.globals | names.set_globals):
            value = its_globals.get(name, MISSING)
            self.cell("global", its_globals, name, value, None)
            if value is MISSING and hasattr(builtins, name):
                value = getattr(builtins, name)
                self.cell("module", builtins, name, value, None)
            self.then(value, None, name)
        for name in sorted(names.modules):
            for part in {name, name.partition(".")[0]}:
                if part in sys.modules:
                    self.cell("global", sys.modules, part, sys.modules[part], None)
                    self.then(sys.modules[part], None, part)

    # what there is to see in a thing of each kind

    def function(self, f: Any, path: Any) -> None:
        code, own = f.__code__, (None, f.__name__)
        self._attributes(f, path)
        if is_library(code):
            if not code.co_filename.startswith((HOUSE, GENERATED)):
                self._variables(f)  # such as the functions that `singledispatch` chooses from
            if f.__module__ == "logging":
                self.then(logging.root, (None, "logging"), ".root")
            return
        told = _TOLD if self.names.looks_around else _TOLD & self._wanted
        for name in sorted(told):
            self.cell("code", f, name, getattr(f, name), own)
            self.then(getattr(f, name), own, f".{name}")
        if self.is_before:
            if is_installed(code) and code not in self.codes:
                return
            self.found(code, f.__globals__)
        elif code not in self.codes:
            return
        self.cell("code", f, "__code__", code, own)
        self._its_defaults(f, own)
        self._variables(f)

    def _its_defaults(self, f: Any, own: Any) -> None:
        for name in ("__defaults__", "__kwdefaults__"):
            value = getattr(f, name)
            self.cell("code", f, name, value, own)
            if isinstance(value, dict):
                self.then(value, own, f".{name}")
            for parameter, default in _defaults(f.__code__, value):
                self.then(default, None, parameter)

    def _variables(self, f: Any) -> None:
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=False):
            value = read_closure(cell, None)
            if is_library(f.__code__) and type(value) is weakref.WeakKeyDictionary:
                continue  # the cache of `singledispatch`
            self.cell("closure", cell, None, value, (None, name))
            self.then(value, None, name)

    def method(self, m: Any, path: Any) -> None:
        self.then(m.__self__, path[0] if path else None, path[1] if path else "self")
        self.then(m.__func__, path, "")

    def partial(self, p: Any, path: Any) -> None:
        self.then(p.func, path, ".func")
        self.then(p.args, path, ".args")
        self.then(p.keywords, path, ".keywords")
        self._attributes(p, path)

    def builtin(self, f: Any, path: Any) -> None:
        owner = f.__self__
        if owner is not None and not isinstance(owner, (type, types.ModuleType)):
            self.then(owner, path, "")

    def wrapper(self, thing: Any, path: Any) -> None:
        """What wraps another: properties, static methods and the like."""
        for name in ("fget", "fset", "func", "__func__", "__wrapped__"):
            self.then(getattr(thing, name, None), path, "")

    def cache(self, cached: Any, path: Any) -> None:
        """An `lru_cache`: what it keeps was computed by code that may not run now."""
        self.cell("cache", cached, None, cached.cache_info()[1:], path)
        code = getattr(cached.__wrapped__, "__code__", None)
        if code is not None and not is_library(code):
            self.found(code, cached.__wrapped__.__globals__)
        self.wrapper(cached, path)
        self._attributes(cached, path)

    def items(self, things: Any, path: Any) -> None:
        found = tuple(things)
        if type(things) not in (tuple, frozenset):
            self.cell("items", things, None, found, path)
        for k, thing in enumerate(found):
            self.then(thing, path, f"[{k}]")
        if type(things) not in _LISTS:
            self.instance(things, path)

    def modules(self, path: Any) -> None:
        """`sys.modules`: those that the code names in a text, and not all there are."""
        texts = chain.from_iterable(names_of(code).lines for code in self.codes)
        named = set(texts) & sys.modules.keys()
        for name in sorted(named):
            self.cell("item", sys.modules, name, sys.modules[name], path)
            self.then(sys.modules[name], path, f"[{name!r}]")
        if not named:
            self.refused(sys.modules, path)

    def pairs(self, d: Any, path: Any) -> None:
        if d is sys.modules:
            self.modules(path)
            return
        keys, values = tuple(d), tuple(d.values())
        self.cell("pairs", d, None, (keys, values), path)
        for key, value in zip(keys, values, strict=True):
            self.then(value, path, f"[{key!r}]" if type(key) in PLAIN else "[...]")
            self.then(key, path, "")
        if type(d) is not dict:
            self.instance(d, path)

    def module(self, m: Any, path: Any) -> None:
        own = vars(m)
        name = (None, m.__name__)
        is_engine = str(own.get("__file__", "")).startswith(HOUSE)
        around = {"__getattr__"} if "__getattr__" in own else set()
        for attribute in sorted((self._wanted | around) & own.keys()):
            self.cell("module", m, attribute, own[attribute], name)
            if not (is_engine or self._only_shares(m, attribute)):
                self.then(own[attribute], name, f".{attribute}")
        absent = self.names.attributes if around or self.names.looks_around else self.names.absent
        for attribute in sorted(absent - own.keys()):
            self.cell("module", m, attribute, MISSING, name)

    def _only_shares(self, m: Any, name: str) -> bool:
        """Whether it is a file of nn that has the name of something else: nothing in it is used."""
        file = vars(m)[name]
        is_file = type(file) is types.ModuleType and file.__name__ == f"{m.__name__}.{name}"
        is_ours = is_file and is_house(str(getattr(file, "__file__", "")))
        wanted = (self._wanted & vars(file).keys()) if is_ours else set[str]()
        return is_ours and all(each == name or each.startswith("__") for each in wanted)

    def kind(self, t: Any, path: Any) -> None:
        """A class: each name as it is found from there."""
        if _is_built_in(t):
            return
        its = (None, t.__name__)
        is_own = _is_own(t)
        self.then(type(t), None, type(t).__name__)
        if issubclass(t, enum.Enum):
            for member_ in t.__dict__["_member_map_"].values():
                self.then(member_, its, f".{member_._name_}")
        for name in sorted(_TOLD_BY_CLASSES & self._wanted):
            self.cell("code", t, name, getattr(t, name), its)
        met: set[str] = set()
        for c in t.__mro__:
            if _is_built_in(c):
                continue
            if _is_own(c):
                self.cell("size", c, None, len(c.__dict__), (None, c.__name__))
            for name in self._names_on(c):
                raw = c.__dict__[name]
                is_first = name not in met
                met.add(name)
                if is_own and is_first and type(raw) is not classmethod and not _is_fickle(raw):
                    self.cell("class", t, name, getattr(t, name, MISSING), its)
                else:
                    self.cell("module", c, name, raw, its)
                self.then(raw, its, f".{name}")

    def _names_on(self, t: type) -> list[str]:
        """The names on a class itself that may be asked for."""
        names = self._wanted & t.__dict__.keys()
        if self.is_before or _is_own(t):
            names |= {n for n, f in t.__dict__.items() if _is_called_by_python(n, f)}
        return sorted(names - {"__dict__", "__weakref__"})

    def array(self, a: Any, path: Any) -> None:
        self.cell("array", a, None, read_array(a, None), path)
        if a.dtype == object:
            for thing in a.ravel().tolist():
                self.then(thing, path, "[...]")

    def context(self, variable: Any, path: Any) -> None:
        self.cell("context", variable, None, variable.get(MISSING), path)
        self.then(variable.get(None), path, "")

    def chance(self, source: Any, path: Any) -> None:
        self.cell("random", source, None, read_random(source, None), path)
        self.then(type(source), None, type(source).__name__)

    def getter(self, thing: Any, path: Any) -> None:
        """An attrgetter and the like: a function of names."""
        parts = thing.__reduce__()[1]
        extra = {n for text in parts if isinstance(text, str) for n in text.split(".")}
        self._wanted |= extra
        self.names = self.names._replace(attributes=self.names.attributes | extra)
        self._kinds.clear()
        for part in parts:
            self.then(part, path, "")

    def engines(self, thing: Any, path: Any) -> None:
        """A replay, and what else the engine makes: what it wraps."""
        own = attributes_of(thing)
        self.then(own.get("__wrapped__"), path, "")
        inner = own.get("_inner", own.keys())
        for name in sorted(self._wanted & (self.names.absent | own.keys()) - inner):
            self.cell("attribute", thing, name, own.get(name, MISSING), path)
            self.then(own.get(name), path, f".{name}")

    def nothing(self, thing: Any, path: Any) -> None:
        pass

    def refused(self, thing: Any, path: Any) -> None:
        self.unknown.append((type(thing).__name__, path))

    def instance(self, thing: Any, path: Any) -> None:
        kind = type(thing)
        self.then(kind, None, kind.__name__)
        if kind.__flags__ & _HEAP:
            self.cell("type", thing, None, kind, path)
        self._attributes(thing, path)
        for base in _HIDDEN.keys() & kind.__mro__:
            for name in _HIDDEN[base]:
                if name in self._wanted or base is defaultdict:  # which calls it itself
                    self.cell("code", thing, name, getattr(thing, name), path)
                    self.then(getattr(thing, name), path, f".{name}")
        for name in self._kind(kind).slots:
            value = read_slot(thing, name)
            self.cell("slot", thing, name, value, path)
            self.then(value, path, f".{name}")

    def _attributes(self, thing: Any, path: Any) -> None:
        own, kind = attributes_of(thing), self._kind(type(thing))
        asked = kind.asked & own.keys()
        found = frozenset(own if kind.of_all else self._wanted & own.keys()) | asked
        if kind.of_all and type(thing) is not types.FunctionType:
            self.cell("keys", thing, None, tuple(own), path)
        for name in sorted(found):
            self.cell("attribute", thing, name, own[name], path)
            if name in self.names.attributes or name in asked or kind.of_all:
                self.then(own[name], path, f".{name}")
        if "__wrapped__" in own:
            self.then(own["__wrapped__"], path, "")
        if _has_dict(thing):
            for name in kind.absent - own.keys():
                self.cell("attribute", thing, name, MISSING, path)

    def _kind(self, kind: type) -> _Kind:
        if kind not in self._kinds:
            of_all = (
                self.names.looks_around
                or bool(_standard_homes(kind) - _FRANK)
                or (self.looks_at_modules and issubclass(kind, Observed))
            )
            slots = [
                name
                for c in kind.__mro__
                for name, raw in list(c.__dict__.items())
                if type(raw) is types.MemberDescriptorType and not _is_built_in(c)
                if name in self._wanted or of_all
            ]
            absent = {name for name in self._wanted if self._counts(kind, name)}
            self._kinds[kind] = _Kind(of_all, slots, absent, _asked_of(kind))
        return self._kinds[kind]

    def _counts(self, kind: type, name: str) -> bool:
        """Whether a name that is not set on an object of a class would count if it were."""
        if name in self.names.set_attributes:
            return kind not in _HAVE_DICT or name in self.names.attributes
        if name.startswith("__") and name.endswith("__") and name not in self.names.absent:
            return False
        raw = member(kind, name)
        if raw is None:
            is_asked = hasattr(kind, "__getattr__") or self.names.looks_around
            return is_asked or name in self.names.absent
        return not hasattr(type(raw), "__set__")


_CACHED = type(functools.cache(lambda: 0))
_HAVE_DICT = (types.FunctionType, types.SimpleNamespace, _CACHED)  # and are no classes of Python
_HEAP = 1 << 9  # of a type's flags: made by a class statement
_STANDARD = sys.stdlib_module_names - {"__main__"}


def _standard_homes(kind: type) -> set[str]:
    """The modules of Python's own that a class and those above it are of."""
    homes = {_home(c) for c in kind.__mro__ if c.__flags__ & _HEAP}
    return (homes & _STANDARD) - {"builtins"}


def is_standard(thing: Any) -> bool:
    """Whether a class of Python's own, written in Python, is among a thing's."""
    return bool(_standard_homes(type(thing)))


def _asked_of(kind: type) -> set[str]:
    """The attributes of a class of Python's own that its code asks for, and nobody names."""
    return set[str]().union(*(_ASKED.get(home, ()) for home in _standard_homes(kind)))


def _is_called_by_python(name: str, thing: Any) -> bool:
    """Whether it is such as `__call__`, which nobody calls by name."""
    return name.startswith("__") and name.endswith("__") and type(thing) is types.FunctionType


def _has_dict(thing: Any) -> bool:
    if is_a(thing, Observed):
        return True
    try:
        object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return False
    return True


def _is_built_in(t: type) -> bool:
    """Whether nobody sets anything on such a class."""
    return not t.__flags__ & _HEAP or _home(t) in ("typing", "abc") or _is_engine(t)


def _home(t: type) -> str:
    """The package that a class is of; those of Cython have no text there."""
    home = t.__module__
    return home.partition(".")[0] if isinstance(home, str) else ""


def _is_own(t: type) -> bool:
    """Whether it is a class of the user's; of code that was run as text nobody knows the module."""
    home = _home(t)
    return home not in _STANDARD or home == "builtins"


def _is_engine(t: type) -> bool:
    return _home(t) == "engine"


def _is_of_c(t: type) -> bool:
    """Whether it is a class of Python's own with a state that no walk sees, written in C."""
    home = _home(t)
    if home not in _STANDARD or home in (*_PLAIN_C, "builtins"):
        return False
    return home == "ctypes" or _is_made_in_c(t)


@functools.cache  # of Python's own classes alone: those of the user may go
def _is_made_in_c(t: type) -> bool:
    kinds = (types.MethodDescriptorType, types.WrapperDescriptorType)
    made = (raw for raw in t.__dict__.values() if type(raw) in kinds)
    return not t.__flags__ & _HEAP or any(raw.__objclass__ is t for raw in made)


def _is_fickle(raw: Any) -> bool:
    """Whether a class gives something new each time it is asked for it."""
    return (
        hasattr(type(raw), "__get__")
        and not isinstance(
            raw, (types.FunctionType, staticmethod, property, functools.cached_property)
        )
        and type(raw) not in (types.MemberDescriptorType, types.GetSetDescriptorType)
    )


_VISITORS: dict[type, Callable[[_Walk, Any, Any], None]] = {
    types.FunctionType: _Walk.function,
    types.MethodType: _Walk.method,
    types.BuiltinFunctionType: _Walk.builtin,
    functools.partial: _Walk.partial,
    property: _Walk.wrapper,
    staticmethod: _Walk.wrapper,
    classmethod: _Walk.wrapper,
    functools.cached_property: _Walk.wrapper,
    functools.partialmethod: _Walk.wrapper,
    _CACHED: _Walk.cache,
    types.MappingProxyType: _Walk.pairs,
    ContextVar: _Walk.context,
    weakref.ref: _Walk.refused,
    operator.attrgetter: _Walk.getter,
    operator.itemgetter: _Walk.getter,
    operator.methodcaller: _Walk.getter,
    types.ModuleType: _Walk.module,
    types.SimpleNamespace: _Walk.instance,
    type(NamedTuple("_", [("x", int)]).x): _Walk.nothing,  # type: ignore[attr-defined]
}
_BY_KIND: tuple[tuple[Any, Callable[[_Walk, Any, Any], None]], ...] = (
    (types.ModuleType, _Walk.module),
    (type, _Walk.kind),
    (random.Random, _Walk.chance),
    (functools.partial, _Walk.partial),
    (_LISTS, _Walk.items),
    (dict, _Walk.pairs),
    (weakref.ref, _Walk.refused),
    (enum.Enum, _Walk.instance),
    (BaseException, _Walk.instance),
)
_VIEWS: tuple[Any, ...] = (type({}.keys()), type({}.values()), type({}.items()))


def _visitor(thing: Any) -> Callable[[_Walk, Any, Any], None]:
    """What there is to see in a thing."""
    kind = type(thing)
    found = _VISITORS.get(kind) or next((v for base, v in _BY_KIND if issubclass(kind, base)), None)
    home = _home(kind)
    is_hidden = not found and any(map(_is_of_c, kind.__mro__))
    is_odd = is_a(thing, threading.local) or "ndarray" in {c.__name__ for c in kind.__mro__[1:]}
    if is_hidden or is_odd:
        return _Walk.refused
    if found:
        return found
    if home == "numpy":
        return _of_numpy(thing)
    if kind in _VIEWS or _is_engine(kind):
        return _Walk.items if kind in _VIEWS else _Walk.engines
    if kind.__flags__ & _HEAP and home != "itertools":
        return _Walk.instance
    return _Walk.nothing if home in ("_thread", "typing") else _Walk.refused


def _of_numpy(thing: Any) -> Callable[[_Walk, Any, Any], None]:
    kind = type(thing)
    if kind.__name__ == "ndarray":
        return _Walk.array
    if str(kind.__module__).startswith("numpy.random"):
        is_chance = hasattr(thing, "get_state") or hasattr(thing, "bit_generator")
        return _Walk.chance if is_chance else _Walk.nothing
    bases = {c.__name__ for c in kind.__mro__}
    changes = {"ndarray", "poly1d", "vectorize", "flatiter", "nditer", "void"} & bases
    return _Walk.refused if changes else _Walk.nothing


def _defaults(code: CodeType, values: Any) -> Iterable[tuple[str, Any]]:
    """The parameters that have defaults, with these."""
    if not values:
        return ()
    if isinstance(values, dict):
        return values.items()
    names = code.co_varnames[: code.co_argcount]
    return zip(names[-len(values) :], values, strict=False)


# --- what was found ------------------------------------------------------------


def is_read(reached: Reached, cell: Cell) -> bool:
    """Whether the code that ran asks for a cell by name; else it is set there, and no more."""
    names = reached.names
    if cell.kind == "closure":
        word = spelled(cell.path)
        return word in names.variables or word not in names.set_variables
    if cell.kind == "global":
        modules = {part for name in names.modules for part in (name, name.partition(".")[0])}
        return cell.name in names.globals | modules
    if cell.kind in ("attribute", "slot", "module", "class"):
        is_on_class = cell.kind in ("class", "module") and cell.name.startswith("__")
        return (
            cell.name in names.attributes
            or names.looks_around
            or (reached.looks_at_modules and is_a(cell.owner, Observed))
            or is_on_class
            or _is_asked_by_library(reached, cell)
        )
    if cell.kind in ("items", "pairs"):
        word = (cell.path[1] if cell.path else "").lstrip(".")
        return word not in names.filled or id(cell.owner) in reached.aliases
    return True


def _is_asked_by_library(reached: Reached, cell: Cell) -> bool:
    """Whether Python's own code that ran asks an object of its own for it."""
    if is_a(cell.owner, logging.Logger) or is_a(cell.owner, logging.Manager):
        return cell.name in _LOGGERS and not _ASKS_LEVEL.isdisjoint(reached.library)
    return cell.name in reached.library and is_standard(cell.owner)


def line_of(reached: Reached, cell: Cell) -> str:
    """The line at which a cell is set, or else first named: empty where none is known."""
    if not isinstance(cell.name, str) or cell.kind in INSIDE or cell.kind == "item":
        return line_on(reached, cell.path)
    return line_with(reached, cell.name, is_set=True) or line_with(reached, cell.name)


def line_on(reached: Reached, path: Any) -> str:
    """The line that names the last of a path that is named at all."""
    words = re.findall(r"[^\W\d]\w*", spelled(path))
    return next(filter(None, (line_with(reached, word) for word in reversed(words))), "")


def line_with(reached: Reached, word: str, is_set: bool = False) -> str:
    """File and line at which the code that ran first has a name; empty where it has not."""
    for code in reached.codes:
        names = names_of(code)
        lines = names.set_lines if is_set else names.lines
        if word in lines:
            return f"{code.co_filename}:{lines[word]}"
    return ""
