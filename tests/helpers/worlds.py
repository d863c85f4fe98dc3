"""Programs that read and write what is outside their arguments, from texts, and random ones."""

import ast
import contextlib
import functools
import linecache
import math
import os
import random
import re
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import engine
import nn
from engine import Value
from engine.replay.compare import ReplayError

CALLS = 30
NUMBERS = {2: 2.5, 3: -0.5, 10: 1.5, 11: 2.0, 20: 0.25, 27: 3.0}  # what changes are made with
HERE = os.path.dirname(os.path.abspath(__file__))
REFUSED_AT = "# here"  # marks the lines that a refusal may name
WRITTEN = re.compile(r"\b(self|me)\.")


class Box:
    """An object with attributes."""

    def __init__(self, **attributes: Any) -> None:
        for name, thing in attributes.items():
            setattr(self, name, thing)


class Slotted:
    """An object with slots; one of them may be empty."""

    __slots__ = ("k", "p")

    def __init__(self, k: Any = None, p: Any = None) -> None:
        self.k, self.p = k, p


class Thing:
    """An object with a method and properties that read its attribute."""

    def __init__(self, k: float) -> None:
        self.k = k

    def scaled(self, x: Any) -> Any:
        return x * self.k

    @property
    def double(self) -> float:
        return 2.0 * self.k


# --- a program from texts -----------------------------------------------------------------------


class Text(NamedTuple):
    """What is outside, a function f of x that reads it, and what changes it before a call.

    In `change` and `look` there are `call`, counted from 1, and a number `n`; `w` is a Value that
    all have. `look` is what else can be seen after a call.
    """

    name: str
    setup: str
    body: str
    change: str = ""
    look: str = "None"


@dataclass
class World:
    """A program that was made of a text."""

    file: str
    source: str
    space: dict[str, Any]
    leaves: list[Value]
    call: Callable[..., Any] = field(default=id)
    step: Any = None  # the replay that the calls go to

    def change(self, call: int, n: float) -> None:
        self.space["change"](call, n)

    def look(self) -> Any:
        return self.space["look"]()

    @property
    def marked(self) -> list[str]:
        """Such as "row.py:3": the lines that a refusal may name."""
        name = os.path.basename(self.file)
        numbered = enumerate(self.source.splitlines(), 1)
        return [f"{name}:{k}" for k, line in numbered if REFUSED_AT in line]


SCOPES = ("module", "closure", "method", "default")
WRAPS = ("wraps", "partial", "nested", "owned", "values")
WAYS = SCOPES + WRAPS
ENDS = {  # what is called, and the replay in it
    "method": "Me.f = f\nstep = call = replayed(me.f)",
    "owned": "Me.f = replayed(f)\nstep, call = Me.f, me.f",
    "wraps": (
        "@functools.wraps(f)\ndef wrapped(*given, **named):\n    return f(*given, **named)\n"
        "step = call = replayed(wrapped)"
    ),
    "partial": "step = call = replayed(functools.partial(f, None))",
    "nested": (
        "within = replayed(f)\ndef without(x):\n    return within(x)\n"
        "step = call = replayed(without)"
    ),
}


@functools.lru_cache(maxsize=4)
def source_of(text: Text, way: str) -> str:
    """The text as a module, in which the names are globals, closure cells, attributes ..."""
    setup, body, change, look = f"w = leaf(2.0)\n{text.setup}", text.body, text.change, text.look
    names = assigned(setup)
    is_owned = way in ("method", "owned")
    if is_owned:
        setup, change, look = (owned("me", names, code) for code in (setup, change, look))
        body, setup = owned("self", names, body), f"class Me:\n    pass\nme = Me()\n{setup}"
    body = f"return {body}" if is_expression(body) else body
    inner = [] if is_owned else sorted(names & stored(body))
    outer = sorted(stored(change) - {"n", "call"})
    scope = "nonlocal" if way == "closure" else "global"
    if way == "closure":
        outer = sorted(set(outer) & bound(setup))
    head = {"partial": "extra, x"}.get(way, "self, x" if is_owned else "x")
    if way == "default":
        head += "".join(f", {name}={name}" for name in sorted(names))
    parts = [
        setup,
        function(f"f({head})", body, scope, inner),
        function("change(call, n)", change or "pass", scope, outer),
        function("look()", f"return {look}", scope, []),
    ]
    if way == "closure":
        parts = [function("make()", "\n".join([*parts, "return f, change, look"]), scope, [])]
        parts.append("f, change, look = make()")
    return "\n".join([*parts, ENDS.get(way, "step = call = replayed(f)"), ""])


@functools.lru_cache(maxsize=4)
def compiled(source: str, file: str) -> types.CodeType:
    return compile(source, file, "exec")


def function(head: str, body: str, scope: str, names: list[str]) -> str:
    lines = [f"{scope} {', '.join(names)}"] * bool(names) + body.splitlines()
    return "\n".join([f"def {head}:", *(f"    {line}" for line in lines)])


def is_expression(code: str) -> bool:
    try:
        ast.parse(code, mode="eval")
    except SyntaxError:
        return False
    return True


def assigned(code: str) -> set[str]:
    """The names that statements at the top assign."""
    found = ast.parse(code).body
    targets = [t for s in found if isinstance(s, ast.Assign) for t in s.targets]
    nodes = [node for target in targets for node in ast.walk(target)]
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def bound(code: str) -> set[str]:
    """Those, and what is defined and imported there."""
    names = assigned(code)
    for statement in ast.parse(code).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in statement.names}
    return names


def stored(code: str) -> set[str]:
    """The names that are set or deleted anywhere, but for functions in it."""
    tree = ast.parse(function("code()", code, "", []) if code else "")
    inner = {id(node) for f in ast.walk(tree) if is_scope(f, tree) for node in ast.walk(f)}
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in inner]
    return {node.id for node in nodes if not isinstance(node.ctx, ast.Load)}


def is_scope(node: ast.AST, tree: ast.AST) -> bool:
    kinds = (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    return isinstance(node, kinds) and node not in getattr(tree, "body", ())


def owned(owner: str, names: set[str], code: str) -> str:
    """The code with names as attributes of an owner; `name=` is a keyword."""
    if not names or not code:
        return code
    return re.sub(rf"(?<![\w.\"'])({'|'.join(sorted(names))})\b(?![\"'=])", rf"{owner}.\1", code)


def plain(f: Callable[..., Any]) -> Callable[..., Any]:
    """In place of `replay`, for the plain run."""
    return f


def build(text: Text, way: str, replayed: Callable[..., Any] = plain) -> World:
    """A fresh program; `replayed` is what is done to its function."""
    slug = re.sub(r"\W+", "_", f"world {text.name} {way}")
    world = World(os.path.join(HERE, f"{slug}.py"), source_of(text, way), {}, [])
    module = types.ModuleType(slug)
    world.space = vars(module)

    def leaf(x: float, label: str = "") -> Value:
        world.leaves.append(Value(x, label))
        return world.leaves[-1]

    tools = {"Box": Box, "Slotted": Slotted, "Thing": Thing, "Value": Value, "engine": engine}
    more = {"nn": nn, "leaf": leaf, "replayed": replayed, "types": types, "sys": sys, "math": math}
    world.space.update(tools, **more, functools=functools, contextlib=contextlib)
    sys.modules[slug] = module
    lines = world.source.splitlines(keepends=True)
    linecache.cache[world.file] = (len(world.source), None, lines, world.file)
    exec(compiled(world.source, world.file), world.space)
    world.call, world.step = world.space["call"], world.space["step"]
    return world


@contextmanager
def forgotten() -> Iterator[None]:
    """Modules that programs put there are gone at the end."""
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            if name.startswith(("world_", "cfg_")):
                del sys.modules[name]


# --- what can be seen of a call -----------------------------------------------------------------


class Seen(NamedTuple):
    """The form of a result, its numbers, and the gradient of each of them in each leaf."""

    form: str
    numbers: list[float]
    gradients: list[list[float | None]]


def told(thing: Any, values: list[Any]) -> str:
    """The form of a result in words; its floats and Values are added to `values`."""
    if isinstance(thing, float | Value):
        values.append(thing)
        return "number"
    if isinstance(thing, list | tuple):
        return f"{type(thing).__name__}({', '.join(told(part, values) for part in thing)})"
    if isinstance(thing, dict):
        pairs = [f"{key!r}: {told(part, values)}" for key, part in thing.items()]
        return f"{type(thing).__name__}({', '.join(pairs)})"
    return f"{type(thing).__name__} {thing!r}"


def seen(result: Any, looked: Any, leaves: list[Value]) -> Seen:
    """What a call gave, and what else can be seen after it: a leaf there counts as one."""
    values: list[Any] = []
    there: list[Any] = []
    form = f"{told(result, values)}; {told(looked, there)}"
    built = [v for v in there if isinstance(v, Value) and v.op is None and v not in leaves]
    values += there
    numbers = [float(v.data if isinstance(v, Value) else v) for v in values]
    return Seen(form, numbers, [slopes(v, [*leaves, *built]) for v in values])


def slopes(v: Any, leaves: list[Value]) -> list[float | None]:
    """The gradient of each leaf, None where there is none."""
    if not isinstance(v, Value) or v.op is None:
        return [None] * len(leaves)
    for each in leaves:
        each.zero_grad()
    v.backward()
    found = [each.grad if each.has_grad else None for each in leaves]
    for each in leaves:
        each.zero_grad()
    return found


def difference(got: Seen, expected: Seen, is_exact: bool) -> str | None:
    """How two calls differ, in words."""
    if got.form != expected.form:
        return f"the form is {got.form}, plainly {expected.form}"
    for a, b in zip(got.numbers, expected.numbers, strict=True):
        if not alike(a, b, is_exact):
            return f"a number is {a!r}, plainly {b!r}"
    for ours, theirs in zip(got.gradients, expected.gradients, strict=True):
        if not all(map(alike, ours, theirs, [is_exact] * len(ours))):  # what both have
            return f"a gradient is {ours}, plainly {theirs}"
    return None


def alike(a: float | None, b: float | None, is_exact: bool) -> bool:
    if a is None or b is None or is_exact:
        return repr(a) == repr(b)
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) or repr(a) == repr(b)


# --- a replay beside the plain function ---------------------------------------------------------


@dataclass
class Outcome:
    """How far a replay went; `wrong` is a silent difference in words."""

    made: int
    backend: str
    runs: int = 0  # of the function in one call, at most
    refused_at: int | None = None
    message: str = ""
    wrong: str | None = None
    marked: list[str] = field(default_factory=list)


class Runs:
    """Counts, from outside, how often the f of a world runs in one call: a debugger does that."""

    def __init__(self, world: World) -> None:
        self.file, self.count, self.most = world.file, 0, 0

    def __enter__(self) -> "Runs":
        self.former, self.count, self.mine = sys.gettrace(), 0, self.trace
        sys.settrace(self.mine)
        return self

    def __exit__(self, *_: object) -> None:
        survived = sys.gettrace() is self.mine
        sys.settrace(self.former)
        self.most = max(self.most, self.count)
        assert survived, "the debugger of before is gone"

    def trace(self, frame: types.FrameType, event: str, _: object) -> None:
        code = frame.f_code
        self.count += code.co_filename == self.file and code.co_name == "f"


def run(
    world: World,
    way: str,
    calls: int,
    numbers: dict[int, float],
    around: AbstractContextManager[Any] | None = None,
) -> Iterator[Seen | str | ReplayError]:
    """What each call gives, the changes made before it: or a refusal, or the name of an error."""
    for call in range(1, calls + 1):
        if call in numbers:
            world.change(call, numbers[call])
        x = 1.0 + 0.125 * (call % 5)
        given = Value(x, "x") if way == "values" else x
        try:
            with around or nullcontext():
                result = world.call(given)
        except ReplayError as error:
            yield error
        except Exception as error:
            yield type(error).__name__
        else:
            passed = [given] if isinstance(given, Value) else []
            yield seen(result, world.look(), [*world.leaves, *passed])


def compared(
    text: Text,
    way: str = "module",
    backend: str = "python",
    calls: int = CALLS,
    numbers: dict[int, float] = NUMBERS,
    counts: bool = True,
) -> Outcome:
    """Runs a program plainly, then a fresh one by replay, up to a refusal or a difference."""
    with forgotten():
        expected = list(run(build(text, way), way, calls, numbers))
    with forgotten():
        world = build(text, way, lambda f: engine.replay(f, backend=backend))
        runs = Runs(world)
        replayed = run(world, way, calls, numbers, runs if counts else None)
        outcome = beside(replayed, expected, backend == "python")
    outcome.made, outcome.backend = world.step.made, world.step.backend
    outcome.runs, outcome.marked = runs.most, world.marked
    return outcome


def beside(
    replayed: Iterator[Seen | str | ReplayError], expected: list[Any], is_exact: bool
) -> Outcome:
    """Looks for the first refusal or difference."""
    for call, (got, plainly) in enumerate(zip(replayed, expected, strict=True), 1):
        if isinstance(got, ReplayError):
            return Outcome(0, "", refused_at=call, message=str(got))
        if isinstance(got, str) or isinstance(plainly, str):
            wrong = None if got == plainly else f"{got}, plainly {plainly}"
        else:
            wrong = difference(got, plainly, is_exact)
        if wrong:
            return Outcome(0, "", wrong=f"call {call}: {wrong}")
    return Outcome(0, "")


# --- random programs ----------------------------------------------------------------------------

FUNCTIONS = (
    "def twice(y):\n    return 2.0 * y\ndef more(y):\n    return y + 1.5\n"
    "def bent(y):\n    return y * y - y"
)
KINDS = {  # what may stand somewhere: what it is at first, terms that read it at P, its changes
    "number": (
        ["3.0", "0.5", "2.0"],
        ["w * x * P", "(x + P) * w", "w * x * (1 - P)", "w * x * min(1.0, P)", "P", "x * P**2"],
        ["P = n", "P = P * 0.5", "P = P", "P = 2.0"],
    ),
    "int": (
        ["3", "1"],
        ["w * x * P", "sum(w * x for _ in range(P))", "x ** P", "[x, w, w * x][P % 3]"],
        ["P = call", "P = 1", "P = P + 1"],
    ),
    "flag": (
        ["True", "False"],
        ["(w * x if P else w + x)", "(x if not P else w)", "(P and w * x or x)"],
        ["P = not P", "P = True", "P = False"],
    ),
    "text": (
        ["'a'", "'b'"],
        ["(w * x if P == 'a' else w + x)", "{'a': w, 'b': x}[P]", "w * len(P)"],
        ["P = 'ab'[call % 2]", "P = 'b'", "P = 'a'"],
    ),
    "none": (
        ["None", "1.5"],
        ["(w if P is None else P * x)", "w * x * (P or 0.5)"],
        ["P = None if P else n", "P = n"],
    ),
    "value": (
        ["leaf(1.5)", "leaf(-0.5)"],
        ["P * x", "(P * w).tanh()", "(P if P > x else x)"],
        ["P = leaf(n)", "P.data = n", "P = n", "P = w"],
    ),
    "list": (
        ["[1.0, 2.0]", "[leaf(1.0), 0.5]", "[leaf(0.5)]"],
        ["sum(v * x for v in P)", "P[0] * x", "P[-1] * w", "w * len(P)", "sum(P[1:], x)"],
        ["P.append(n)", "P.append(leaf(n))", "P[0] = n", "P.reverse()", "P = [*P, n]"],
    ),
    "dict": (
        ["{'a': 1.0, 'b': leaf(2.0)}", "{'a': 0.5}"],
        ["P['a'] * x * w", "sum(v * x for v in P.values())", "P.get('z', 0.5) * w", "w * len(P)"],
        ["P['a'] = n", "P['z'] = n", "P[f'k{call}'] = n", "P = {'a': n}", "P['a'] = leaf(n)"],
    ),
    "function": (
        ["twice", "more"],
        ["P(w * x)", "P(x) * w", "sum(map(P, [x, w]))"],
        ["P = bent", "P = more", "P = lambda y: y * n"],
    ),
    "thing": (
        ["Thing(3.0)", "Thing(0.5)"],
        ["P.scaled(w * x)", "w * x * P.double", "w * x * P.k", "sum(map(P.scaled, [x, w]))"],
        ["P.k = n", "P = Thing(n)", "P.scaled = lambda y: y + n"],
    ),
    "maybe": (
        ["Box(k=2.0)", "Box()"],
        ["w * x * getattr(P, 'k', 0.5)", "(w * x if hasattr(P, 'k') else x)"],
        ["P.k = n", "P = Box()", "P = Box(k=n)"],
    ),
    "set": (
        ["{1, 2}", "frozenset({1})"],
        ["(w * x if 2 in P else x)", "w * len(P)"],
        ["P = P | {call}", "P = {2}", "P = frozenset()"],
    ),
}
STEPS = ("{}.p", "{}['p']", "{}[0]", "{}.k", "{}.own")  # from an object to what is in it
INSIDE = {  # how each of these objects is made around what is in it
    "{}.p": "Box(p={})",
    "{}['p']": "{{'p': {}}}",
    "{}[0]": "[{}]",
    "{}.k": "Slotted({})",
    "{}.own": "Kept({})",
}
KEPT = (
    "class Kept:\n    shared = 1.0\n    def __init__(self, thing):\n        self.under = thing\n"
    "    @property\n    def own(self):\n        return self.under\n"
    "    @own.setter\n    def own(self, thing):\n        self.under = thing"
)
READS = (  # how a term is read
    "total = total + T",
    "y = T\ntotal = total + y",
    "total = total + (lambda: T)()",
    "total = sum([T for _ in [0]], total)",
    "def inner():\n    return T\ntotal = total + inner()",
    "for z in [T]:\n    total = total + z",
)
WRITES = {  # a setup, what is done, and whether the function reads it again
    "count": ("s = Box(t=0)", "s.t = s.t + 1\ntotal = total * s.t"),
    "append": ("s = []", "s.append(1.0)\ntotal = total + len(s)"),
    "mean": ("s = {'m': 1.0}", "s['m'] = 0.5 * s['m'] + 1.0\ntotal = total * s['m']"),
    "hidden": ("s = Box(h=None)", "s.h = total"),
}


class Random(NamedTuple):
    """A random program, the way it is written, its calls, and whether it only reads."""

    text: Text
    way: str
    calls: int
    only_reads: bool


def random_program(seed: int, calls: tuple[int, int] = (6, 10), terms: int = 4) -> Random:
    """The same for the same seed."""
    rng = random.Random(seed)
    setup, body, changes = [FUNCTIONS, KEPT], ["total = w * x"], []
    count = rng.randint(*calls)
    for number in range(rng.randint(1, terms)):
        paths, first, kind = somewhere(rng, f"r{number}")
        setup.append(f"{paths[0]} = {first}")
        _, reads, kind_changes = KINDS[kind]
        for _ in range(rng.randint(1, 2)):
            term = rng.choice(reads).replace("P", paths[-1])
            body += rng.choice(READS).replace("T", term).splitlines()
        some = [c.replace("P", paths[-1]) for c in rng.sample(kind_changes, 2)]
        if len(paths) > 1:  # an object on the way is swapped for another
            at = rng.randrange(len(paths) - 1)
            some.append(f"{paths[at]} = {made(paths, at, rng.choice(KINDS[kind][0]))}")
        some = rng.sample(some, rng.randint(1, len(some)))
        changes += [(rng.randint(2, count), change) for change in some]
    writes = rng.random() < 0.1
    if writes:
        more, done = rng.choice(list(WRITES.values()))
        setup.append(more)
        body += done.splitlines()
    body.append(rng.choice(["return total", "return [total, w]", "return {'a': total}"]))
    lines = [
        f"if call == {call}:\n    with contextlib.suppress(AttributeError, TypeError):\n"
        f"        {change}"
        for call, change in sorted(changes)
    ]
    text = Text(f"random {seed}", "\n".join(setup), "\n".join(body), "\n".join(lines) or "pass")
    return Random(text, rng.choice(SCOPES), count, not writes)


def somewhere(rng: random.Random, name: str) -> tuple[list[str], str, str]:
    """Paths from a name down to something, how the first is made, and the kind of the last."""
    paths = [name]
    for _ in range(rng.randint(0, 3)):
        paths.append(rng.choice(STEPS).format(paths[-1]))
    kind = rng.choice(list(KINDS))
    return paths, made(paths, 0, rng.choice(KINDS[kind][0])), kind


def made(paths: list[str], start: int, last: str) -> str:
    """The expression for what stands at the start of a path whose end is `last`."""
    for above, below in zip(reversed(paths[start:-1]), reversed(paths[start + 1 :]), strict=True):
        step = next(step for step in STEPS if step.format(above) == below)
        last = INSIDE[step].format(last)
    return last
