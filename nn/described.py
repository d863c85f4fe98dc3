"""Describes functions and objects in words that are the same in each process, to compare them."""

import hashlib
import pickle
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from types import SimpleNamespace as Namespace
from typing import Any

from engine.op import Op
from engine.pictures.texts import WRITTEN_OUT, in_runs
from engine.value import Value
from nn.optim import Optimizer

PYTHON = str(sys.implementation.cache_tag)  # the digests of code are those of one version
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...), range, slice)
DEEPEST = 30  # things in things
LONGEST = 2000  # letters that are kept as they are
LIBRARY = ("engine", "nn")
DIGEST = re.compile("#[0-9a-f]{12}")


def described(thing: object, parameters: Iterable[Value] = (), by_bytes: bool = False) -> str:
    """A thing by all that it says and does: names, code, what it holds; `parameters` are skipped.

    Code of the library, of Python and of installed packages goes by its name. `by_bytes`: things of
    installed packages and of Python, such as a table or a generator, by what pickle makes of them,
    and an optimiser by all of its state, which a checkpoint has in another place.

    >>> from nn.optim import cosine
    >>> described(cosine(0.5, 10))
    'cosine.<locals>.at(final=0.0, lr=0.5, steps=10)'
    """
    text = _Teller(parameters, by_bytes).tell(thing)
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}... and more, {len(text)} letters in all {_digest(text)}"


def without_code(text: str) -> str:
    """The same without the digests of code: what two versions of Python can have in common."""
    return DIGEST.sub("", text)


def first_difference(before: str, after: str, width: int = 160) -> tuple[str, str]:
    """Two texts cut to where they begin to differ, if they are long.

    >>> first_difference("a" * 500 + "b", "a" * 500 + "c", width=8)
    ('...aaaab', '...aaaac')
    """
    if max(len(before), len(after)) <= width:
        return before, after
    pairs = enumerate(zip(before, after, strict=False))
    place = next((k for k, (a, b) in pairs if a != b), min(len(before), len(after)))
    start = max(0, place - width // 2)
    cut = [text[start : start + width] for text in (before, after)]
    return (f"...{cut[0]}", f"...{cut[1]}") if start else (cut[0], cut[1])


class _Teller:
    """Tells one thing and all in it; what was told once, or is being told, keeps its words."""

    def __init__(self, parameters: Iterable[Value], by_bytes: bool) -> None:
        self.by_bytes = by_bytes
        self.parameters = {id(p) for p in parameters}
        self.told: dict[int, tuple[object, str]] = {}  # with the thing, so that its id stays its
        self.depth = 0

    def tell(self, thing: object) -> str:
        if type(thing) in PLAIN:
            return repr(thing)
        if id(thing) not in self.told:
            if self.depth >= DEEPEST:
                return "..."
            self.told[id(thing)] = thing, f"(that {type(thing).__name__} again)"  # within itself
            self.depth += 1
            self.told[id(thing)] = thing, self._tell(thing)
            self.depth -= 1
        return self.told[id(thing)][1]

    def _tell(self, thing: Any) -> str:
        for kind, way in WAYS:
            if isinstance(thing, kind):
                return way(self, thing)
        if callable(getattr(thing, "tolist", None)):  # NumPy's
            return self.call(thing, self.tell(thing.tolist()))
        if self.by_bytes and not (_is_users(type(thing)) or _is_of(type(thing), LIBRARY)):
            with suppress(Exception):
                return self.call(thing, _digest(repr(pickle.dumps(thing))))
        if hasattr(thing, "__wrapped__"):
            return self.call(thing, self.tell(thing.__wrapped__))
        state = dict(state_of(thing))
        is_python = _is_of(type(thing), sys.stdlib_module_names)
        if is_python or not (state or _is_users(type(thing))):
            return _repr(thing)
        return self.call(thing, *self.named(state)) + self.code_of(type(thing))

    def call(self, thing: object, *inside: str) -> str:
        return f"{type(thing).__qualname__}({', '.join(inside)})"

    def named(self, things: Mapping[str, object]) -> list[str]:
        return [f"{name}={self.tell(thing)}" for name, thing in things.items()]

    def row(self, things: Iterable[object]) -> str:
        return f"[{in_runs(map(self.tell, things))}]"

    def sequence(self, things: Sequence[object]) -> str:
        kind = "" if type(things) is list else type(things).__qualname__
        return f"{kind}{self.row(things)}"

    def mapping(self, things: Mapping[object, object]) -> str:
        pairs = sorted(f"{self.tell(key)}: {self.tell(thing)}" for key, thing in things.items())
        return f"{'' if type(things) is dict else type(things).__qualname__}{{{', '.join(pairs)}}}"

    def group(self, things: Set[object]) -> str:
        return f"{type(things).__qualname__}{{{', '.join(sorted(map(self.tell, things)))}}}"

    def value(self, value: Value) -> str:
        if id(value) in self.parameters:
            return "a parameter"
        return f"Value({value.data!r})" if value.op is None else "a result"  # of the last run

    def optimizer(self, optimizer: Optimizer) -> str:
        name = type(optimizer).__qualname__
        return f"{name}({self.tell(optimizer.state_dict())})" if self.by_bytes else name

    def function(self, function: FunctionType) -> str:
        code, held = function.__code__, held_by(function) | vars(function)
        if not _is_users(function):
            return f"{function.__qualname__}({', '.join(self.named(held))})"
        consts = [x for x in code.co_consts if type(x) in PLAIN and x != function.__doc__]
        known = [*code.co_names, *map(repr, consts)]
        inside = ", ".join([*known, *self.named(held)])
        return f"{function.__qualname__}({inside}){self.code(code, function.__doc__)}"

    def method(self, method: MethodType) -> str:
        return f"{self.tell(method.__func__)} of {self.tell(method.__self__)}"

    def builtin(self, function: BuiltinFunctionType) -> str:
        owner = function.__self__
        is_bound = owner is not None and not isinstance(owner, ModuleType)
        return f"{function.__qualname__}{f' of {self.tell(owner)}' if is_bound else ''}"

    def part(self, thing: Any) -> str:  # a functools.partial
        inside = [*map(self.tell, thing.args), *self.named(thing.keywords)]
        return self.call(thing, self.tell(thing.func), *inside)

    def kind(self, kind: type) -> str:
        return f"{kind.__qualname__}{self.code_of(kind)}"

    def code_of(self, kind: type) -> str:
        """A digest of the methods of a user's class, and of what else stands in it."""
        inside: dict[str, Any] = {}
        for each in kind.__mro__:
            for name, thing in vars(each).items() if _is_users(each) else ():
                function = getattr(thing, "fget", None) or getattr(thing, "__func__", thing)
                if isinstance(function, FunctionType) or not name.startswith("__"):
                    inside.setdefault(name, function)
        return _digest(self.tell(inside)) if inside else ""

    def code(self, code: CodeType, docstring: str | None = None) -> str:
        """A digest of what code does, wherever its lines stand."""
        consts = [None if x is docstring else x for x in code.co_consts]
        inside = [self.code(x) if isinstance(x, CodeType) else self.tell(x) for x in consts]
        names = (code.co_names, code.co_freevars, code.co_cellvars)
        counts = (code.co_argcount, code.co_kwonlyargcount, code.co_flags)
        return _digest(repr((code.co_code, code.co_exceptiontable, names, counts, inside)))


WAYS: tuple[tuple[type, Callable[[_Teller, Any], str]], ...] = (
    (Value, _Teller.value),
    (Op, lambda teller, op: f"Op({op.name}, {op.formula}, {', '.join(op.partials)})"),
    (Optimizer, _Teller.optimizer),
    (FunctionType, _Teller.function),
    (MethodType, _Teller.method),
    (BuiltinFunctionType, _Teller.builtin),
    (CodeType, _Teller.code),
    (ModuleType, lambda teller, module: str(module.__name__)),
    (partial, _Teller.part),
    (type, _Teller.kind),
    (Namespace, lambda teller, thing: teller.call(thing, *teller.named(vars(thing)))),
    (random.Random, lambda teller, rng: teller.call(rng, _digest(repr(rng.getstate())))),
    (Mapping, _Teller.mapping),
    (Set, _Teller.group),
    (Sequence, _Teller.sequence),
)


def held_by(function: FunctionType) -> dict[str, object]:
    """What a function holds besides its code: defaults, and names of the functions around it."""
    code, defaults = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    held: dict[str, object] = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    held |= function.__kwdefaults__ or {}
    return held | dict(
        zip(code.co_freevars, map(_content, function.__closure__ or ()), strict=True)
    )


def _digest(text: str) -> str:
    return f"#{hashlib.sha256(text.encode(errors='backslashreplace')).hexdigest()[:12]}"


def _repr(thing: object) -> str:
    """Its own words, where these are the same in each process."""
    text = repr(thing)
    return type(thing).__qualname__ if " at 0x" in text else text


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return ...  # not set yet


def state_of(thing: object) -> Iterator[tuple[str, object]]:
    """The attributes of an object, in its slots too."""
    yield from getattr(thing, "__dict__", {}).items()
    for kind in type(thing).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                yield name, getattr(thing, name)


def _is_of(thing: Any, packages: Iterable[str]) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] in packages


def _is_users(thing: Any) -> bool:
    """Whether a function or class is in code of the user's own, which may change between runs."""
    if _is_of(thing, LIBRARY) or (
        _is_of(thing, sys.stdlib_module_names) and thing.__module__ != "__main__"
    ):
        return False
    module = sys.modules.get(str(thing.__module__))
    return not {"site-packages", "dist-packages"} & {
        *re.split(r"[\\/]", str(getattr(module, "__file__", "")))
    }


# --- as the version before did ----------------------------------------------------------------


def described_before(thing: Any) -> str:
    """A function by its name; a lambda, inner function or partial also by some of what is in it."""
    name = str(getattr(thing, "__qualname__", type(thing).__qualname__))
    code = getattr(thing, "__code__", None)
    inside: tuple[Any, ...]
    if isinstance(thing, partial):
        name, inside = described_before(thing.func), (*thing.args, *thing.keywords.values())
    elif code and "<" in name:
        cells = [cell.cell_contents for cell in thing.__closure__ or ()]
        defaults = [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
        inside = (*code.co_names, *code.co_consts, *cells, *defaults)
    else:
        return name
    known = [getattr(x, "__qualname__", x) for x in inside]
    return f"{name}({', '.join([str(x) for x in known if isinstance(x, (str, int, float))])})"


def counted(text: str) -> str:
    """A net as the version before wrote it, each neuron by its name, as it is written now.

    >>> counted("Layer of [" + ", ".join(["ReLUNeuron(2)"] * 6) + "]")
    'Layer of [6 x ReLUNeuron(2)]'
    """
    for one in (r"\w+Neuron\(\d+\)", r"Layer of \[[^\[\]]*\]"):
        alike = re.compile(rf"({one})((?:, \1){{{WRITTEN_OUT},}})")
        text = alike.sub(lambda run: f"{run[0].count(run[1])} x {run[1]}", text)
    return text
