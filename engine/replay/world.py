"""Guards: whether what a recording read outside its arguments is as it was.

They are looked at before each replay. What they do not see, and why:

- `isinstance(x, Value)` and `type(x)` of an argument, where a function of Python's own asks, and
  whether two integers are one object: Python answers without asking them (where the user's code
  asks for kinds, `engine.replay.kinds` tries both);
- the state of C extensions, and what Python's own library keeps for itself, such as the decimal
  context, `ABC.register`, the time zone, whether a lock is taken: no place of the user's holds it
  (objects of the library that are written in C, such as readers of `csv`, are refused);
- what a C extension of others does to the world: of Python's own it is known which functions do;
- `object.__setattr__` on a `nn.Module`, which passes by the note that it changed (looking at each
  attribute would cost ten times as much);
- another `__dict__` that is given to a function;
- weak references are refused, since a guard would keep alive what they point to;
- which Value a plain number outside is: one that changes becomes an input only where no code that
  ran can ask (`try`, `with`, `getattr`, `isinstance` of other classes than Python's own numbers and
  containers, C functions that are not arithmetic); elsewhere each number is recorded for itself;
- what another thread sets between the guards and the kernel, or in a parameter while steps of `fit`
  have its number in the memory of a kernel, and a number that it reads while a
  recording has a Value in its place;
- gradients of results with respect to each other: a replay gives each output by itself, so that
  after `total.backward()` the `grad` of another output of the same call reads 0.0.

For these the function itself is compared with its replay at the calls 2, 20, 200, ...
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from keyword import iskeyword
from operator import is_, itemgetter
from types import FunctionType
from typing import Any

from engine.operators import GENERATED
from engine.replay.cells import (
    MISSING,
    PLAIN,
    SETTABLE,
    Cell,
    alike,
    attributes_of,
    is_a,
    member,
    now,
    put,
    stamp,
    tells,
)
from engine.replay.reach import Reached
from engine.replay.watch import equal
from engine.value import Value

TINY, HUGE = 1e-100, 1e100  # beyond, products and quotients may be 0 or inf
_PLAIN_EQUALITY: tuple[Any, ...] = (object.__eq__, equal)

_TESTS = {  # h is the owner, v what stood there
    "attribute": "{h}.{name} is {v}",
    "slot": "{h}.{name} is {v}",
    "class": "{h}.{name} is {v}",
    "code": "{h}.{name} is {v}",
    "size": "len({h}) == {v}",
    "type": "type({h}) is {v}",
    "length": "len({h}) == {v}",
    "item": "{h}[{n}] is {v}",
    "closure": "{h}.cell_contents is {v}",
    "context": "{h}.get(MISSING) is {v}",
    "items": "len({h}) == {size} and all(map(is_, {h}, {v}))",
    "pairs": "len({h}) == {size} and all(map(is_, {h}, {k})) and all(map(is_, {h}.values(), {v}))",
}


class World:
    """The guards of a recording on what is outside its arguments.

    `free` are places of plain numbers that are inputs of the recording: they may change.
    """

    def __init__(self, cells: Iterable[Cell], free: Sequence[Cell] = ()) -> None:
        self.free = free
        self._free_keys = {place.key for place in free}
        self.cells = [c for c in _opened(cells, free) if c.key not in self._free_keys]
        self._stamp: object = None
        self._write()
        self.holds()

    def holds(self) -> bool:
        """Whether all is as it was when the recording was made."""
        latest = stamp[0]
        try:
            if latest is self._stamp:
                if self._test():
                    return True
            elif self._test() and self._test_told():
                self._stamp = latest
                return True
        except (AttributeError, LookupError, ValueError, RuntimeError):
            pass
        return self._look()

    def _look(self) -> bool:
        """The slow way: plain data by value. What is equal is what is compared with from now on."""
        latest, fresh = stamp[0], dict[int, Cell]()
        if not all(is_free(now(place)) for place in self.free):
            return False
        for n, cell in enumerate(self.cells):
            value = now(cell)
            if not _is_same(cell.value, value):
                if not alike(cell.value, value):
                    return False
                fresh[n] = cell._replace(value=value)
        for n, cell in fresh.items():
            self.cells[n] = cell
        if fresh and self._single.issuperset(fresh):  # to write all anew takes long
            self._names.update({f"v{n}": cell.value for n, cell in fresh.items()})
        else:
            self._write()
        self._stamp = latest
        return True

    def changed(self) -> list[tuple[Cell, Any]]:
        """The cells that hold something else now, and what."""
        pairs = [(cell, now(cell)) for cell in self.cells]
        found = [(cell, value) for cell, value in pairs if not alike(cell.value, value)]
        return found + [(p, now(p)) for p in self.free if not is_free(now(p))]

    def moved(self) -> list[Cell]:
        """The places of plain numbers that are others now, and those that are free."""
        return [*self.free, *(part for cell, x in self.changed() for part in _parts(cell, x))]

    def numbers(self) -> list[float]:
        """The numbers that stand in the free places now."""
        return [float(now(place)) for place in self.free]

    def _write(self) -> None:
        """Writes the guards out as functions: those of a kind at once, else one comparison each."""
        self._names: dict[str, Any] = {
            "MISSING": MISSING, "is_": is_, "is_free": is_free, "now": now,
            "attributes_of": attributes_of, "alike": alike, "chain": chain.from_iterable,
        }  # fmt: skip
        self._single: set[int] = set()  # cells with a test that compares with v and their number
        tests: list[str] = []
        told: list[str] = []
        many = _Many()
        for n, cell in enumerate(self.cells):
            is_told = cell.kind in ("attribute", "type", "keys") and tells(cell.owner)
            if not is_told and many.take(cell):
                continue
            if cell.kind != "pairs":
                self._single.add(n)
            (told if is_told else tests).append(_test(n, cell, self._names))
        for n, place in enumerate(self.free, len(self.cells)):
            self._names[f"p{n}"] = place
            tests.append(f"is_free(now(p{n}))")
        tests += many.tests(self._names)
        self._test, self._test_told = _compiled(tests, self._names), _compiled(told, self._names)


class _Many:
    """Cells of a kind that one comparison guards together."""

    def __init__(self) -> None:
        self._empty: dict[int, Any] = {}  # attributes of functions that have none, as most
        self._bare: dict[int, Any] = {}  # others without attributes: their dict may be another
        self._shelves: dict[int, tuple[Any, list[Any], list[Any]]] = {}  # dicts, names, things
        self._lists: list[tuple[Any, list[Any]]] = []
        self._rows: list[tuple[Any, tuple[Any, ...]]] = []

    def take(self, cell: Cell) -> bool:
        """Whether the cell is one of them."""
        kind, owner, name, value, _ = cell
        if kind == "attribute" and value is MISSING and not attributes_of(owner):
            if type(owner) is FunctionType:
                own = attributes_of(owner)
                self._empty[id(own)] = own
            else:
                self._bare[id(owner)] = owner
        elif kind == "global" and value is not MISSING and is_plainly_equal(value):
            _, names, things = self._shelves.setdefault(id(owner), (owner, [], []))
            names.append(name)
            things.append(value)
        elif kind == "items" and type(owner) is list and value:
            kinds = set(map(type, value))
            if all(map(is_plainly_equal, value)):
                self._lists.append((owner, list(value)))
            elif kinds == {float} or kinds.isdisjoint(PLAIN):
                self._rows.append((owner, value))
            else:
                return False
        else:
            return False
        return True

    def tests(self, names: dict[str, Any]) -> Iterator[str]:
        """The comparisons as text; their things go among the names."""
        if self._empty:
            names["empty"] = list(self._empty.values())
            yield "not any(empty)"
        for n, owner in enumerate(self._bare.values()):
            names[f"b{n}"] = owner
            yield f"not {f'b{n}.__dict__' if _is_plain_dict(owner) else f'attributes_of(b{n})'}"
        if self._shelves:
            same = names["same"] = []
            for n, (shelf, words, things) in enumerate(self._shelves.values()):
                # the first one again: one name alone would give no tuple
                names[f"s{n}"], names[f"get{n}"] = shelf, itemgetter(*words, words[0])
                same += [*things, things[0]]
            yield f"[{', '.join(f'*get{n}(s{n})' for n in range(len(self._shelves)))}] == same"
        if self._lists:
            names["lists"], names["held"] = map(list, zip(*self._lists, strict=True))
            yield "held == lists"
        if self._rows:
            names["rows"] = [a for a, _ in self._rows]
            names["lengths"] = [len(b) for _, b in self._rows]
            names["flat"] = [x for _, b in self._rows for x in b]
            yield "[*map(len, rows)] == lengths and all(map(is_, chain(rows), flat))"


def is_plainly_equal(x: Any) -> bool:
    """Whether it equals itself alone."""
    return type(x).__eq__ in _PLAIN_EQUALITY


def _is_plain_dict(thing: Any) -> bool:
    """Whether `thing.__dict__` asks no code of anybody."""
    asked = (member(type(thing), name) for name in ("__getattribute__", "__dict__"))
    return not any(isinstance(found, (FunctionType, property)) for found in asked)


def _is_same(a: Any, b: Any) -> bool:
    """Whether it is one thing, or tuples of the same things."""
    if a is b or type(a) is not tuple or type(b) is not tuple or len(a) != len(b):
        return a is b
    return all(map(is_, a, b)) or all(map(_is_same, a, b))


def _test(n: int, cell: Cell, names: dict[str, Any]) -> str:
    """One comparison as text; its things go among the names."""
    kind, owner, name, value, _ = cell
    names[f"h{n}"], names[f"v{n}"] = owner, value
    h, v = f"h{n}", f"v{n}"
    is_word = isinstance(name, str) and name.isidentifier() and not iskeyword(name)
    plain = is_word and not name.startswith("__")
    own = kind == "attribute" and (
        "__getattribute__" in vars(type(owner)) or not _is_found_first(owner, name)
    )
    if kind in ("global", "module") or own:
        names[f"n{n}"] = name
        if own and type(owner) is not FunctionType:  # whose dict may be another by then
            attributes = f"{h}.__dict__" if _is_plain_dict(owner) else f"attributes_of({h})"
            return f"{attributes}.get(n{n}, MISSING) is {v}"
        names[h] = owner if kind == "global" else attributes_of(owner) if own else vars(owner)
        return f"{h}.get(n{n}, MISSING) is {v}"
    is_odd = kind == "item" and type(owner) not in (dict, list, deque)
    is_named = kind not in ("attribute", "slot") or plain
    if value is MISSING or kind not in _TESTS or is_odd or not is_named:
        names[f"c{n}"] = cell
        return f"alike(now(c{n}), {v})"
    if kind in ("class", "code") and not is_word:
        names[f"c{n}"] = cell
        return f"now(c{n}) is {v}"
    size = 0
    if kind == "size":
        names[h] = vars(owner)
    elif kind in ("items", "pairs") and not (value if kind == "items" else value[0]):
        return f"len({h}) == 0"
    elif kind == "pairs":
        names[f"k{n}"], names[v] = value
        size = len(value[0])
    elif kind == "items":
        size = len(value)
    names[f"n{n}"] = name
    return _TESTS[kind].format(h=h, v=v, k=f"k{n}", n=f"n{n}", name=name, size=size)


def _is_found_first(owner: Any, name: str) -> bool:
    """Whether `owner.name` is what stands in its own dict."""
    return name in attributes_of(owner) and not hasattr(type(member(type(owner), name)), "__set__")


def _compiled(tests: list[str], names: dict[str, Any]) -> Callable[[], bool]:
    """One function of all comparisons, in pieces of a few hundred."""
    made: list[Callable[[], bool]] = []
    for start in range(0, len(tests), 300):
        text = " and ".join(tests[start : start + 300])
        made.append(eval(compile(f"lambda: {text}", f"{GENERATED} guards", "eval"), names))
    return made[0] if len(made) == 1 else lambda: all(test() for test in made)


def _opened(cells: Iterable[Cell], free: Sequence[Cell]) -> Iterator[Cell]:
    """The cells; lists and dicts in which a place is free item by item."""
    owners = {id(place.owner) for place in free if place.kind == "item"}
    for cell in cells:
        if cell.kind == "items" and id(cell.owner) in owners:
            yield cell._replace(kind="length", value=len(cell.value))
            for k, thing in enumerate(cell.value):
                yield Cell("item", cell.owner, k, thing, cell.path)
        elif cell.kind == "pairs" and id(cell.owner) in owners:
            yield cell._replace(kind="length", value=len(cell.value[0]))
            for key, thing in zip(*cell.value, strict=True):
                yield Cell("item", cell.owner, key, thing, cell.path)
        else:
            yield cell


def is_number(x: Any) -> bool:
    """Whether it is a plain number, NumPy's float among them."""
    return type(x) is float or type(x) is int or type(x).__name__ == "float64"


def is_free(x: Any) -> bool:
    """Whether a number may be an input: Values do with it what plain numbers do."""
    return is_number(x) and (TINY < abs(x) < HUGE if type(x) is not int else 0 < abs(x) < 2**26)


def _parts(cell: Cell, value: Any) -> list[Cell]:
    """Where a cell holds other plain numbers."""
    old = cell.value
    if cell.kind in SETTABLE and is_number(old) and is_number(value):
        return [cell]
    is_row = is_a(cell.owner, list) or is_a(cell.owner, deque)
    if cell.kind == "items" and is_row and len(old) == len(value):
        places = zip(range(len(old)), old, value, strict=True)
    elif (
        cell.kind == "pairs"
        and is_a(cell.owner, dict)
        and value is not MISSING
        and alike(old[0], value[0])
    ):
        places = zip(old[0], old[1], value[1], strict=True)
    else:
        return []
    return [
        Cell("item", cell.owner, name, a, cell.path)
        for name, a, b in places
        if is_number(a) and is_number(b) and not alike(a, b)
    ]


class Lent:
    """Inside, other things stand in some places; afterwards those are back, unless set anew."""

    def __init__(self, places: Sequence[Cell], values: Sequence[Any]) -> None:
        self._places, self._values = places, values

    def __enter__(self) -> None:
        self._former = [now(place) for place in self._places]
        self._in = []
        for place, v in zip(self._places, self._values, strict=True):
            self._in.append(place)
            put(place, v)

    def __exit__(self, *_: object) -> None:
        for place, v, x in zip(self._in, self._values, self._former, strict=False):
            found = now(place)
            if found is v:
                put(place, x)
            elif is_number(x) and type(found) is Value:
                put(place, found.data)


def places_set(cell: Cell, value: Any) -> list[Cell]:
    """The places in a cell that hold something else now; of what holds others each of those."""
    if cell.kind not in ("items", "pairs"):
        return [cell._replace(value=value)]
    if cell.kind == "items":
        old, new = dict(enumerate(cell.value)), dict(enumerate(value))
    else:
        old, new = (dict(zip(*pairs, strict=True)) for pairs in (cell.value, value))
    if not old.keys() <= new.keys() or (cell.kind == "items" and len(old) != len(new)):
        return [cell._replace(value=value)]
    return [
        Cell("item", cell.owner, key, x, cell.path)
        for key, x in new.items()
        if key not in old or not alike(old[key], x)
    ]


def is_filled(cell: Cell, value: Any) -> bool:
    """Whether a place that held nothing holds something now, as a cache does."""
    if cell.kind == "keys":
        return alike(cell.value, value[: len(cell.value)])
    if cell.kind == "pairs":
        (old, values), (keys, others) = cell.value, value
        n = len(old)
        return alike(old, keys[:n]) and all(map(is_, values, others[:n]))
    return cell.value is MISSING or cell.value is None


def written(before: Reached, after: Reached) -> list[tuple[Cell, Any]]:
    """The cells that a run between two walks has set, of those its code can reach, and to what."""
    cells = (c for key, c in before.cells.items() if key in after.cells and c.kind != "cache")
    found = [(c, now(c)) for c in cells]
    return [(c, value) for c, value in found if not alike(c.value, value)]
