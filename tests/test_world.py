"""A replay, at each call, gives what the plain function gives, or refuses: never an old number.

Each row is a function that reads or writes something outside its arguments, and what changes there
before the calls 2, 3, 10, 11, 20 and 27. A row is tried with its names as globals, closure cells,
attributes of an object and default arguments, and behind decorators and the like; one row is
`pytest tests/test_world.py -k "slot and python"`.
"""

import functools
import io
import itertools
import sys
import types
import warnings
from collections import deque
from contextvars import ContextVar
from typing import Any, NamedTuple

import pytest
from worlds import (
    CALLS,
    NUMBERS,
    SCOPES,
    WAYS,
    WRAPS,
    Box,
    Text,
    World,
    alike,
    assigned,
    build,
    compared,
    forgotten,
    random_program,
    run,
    stored,
    told,
)

import engine
import nn
from engine import Value
from engine.replay import backends
from engine.replay.cells import MISSING, SETTABLE, Cell, put
from engine.replay.compare import ReplayError
from engine.replay.world import World as Guards
from engine.replay.world import is_filled, is_plainly_equal
from nn import SGD, fit, gradient_descent, mse, stochastic_gradient_descent

REPLAYS, EITHER = "replays", "replays or is refused"
FEW, MANY = 3, 8  # recordings, where plain numbers change, and where each is recorded for itself
SUMMED = FEW if sys.version_info < (3, 12) else MANY  # Python sums floats better than Values since
BACKENDS = [name for name in backends.NAMES if backends._runs(name)]


class _Row(NamedTuple):
    """What is outside, what a function does with it, what changes, and what must come of it."""

    name: str
    setup: str
    body: str
    change: str = ""
    expected: str = REPLAYS  # or EITHER, or a word of the message that refuses it
    by: int = CALLS  # the call that is refused at the latest
    most: int = MANY  # recordings
    look: str = "None"
    ways: tuple[str, ...] = WAYS

    @property
    def text(self) -> Text:
        return Text(self.name, self.setup, self.body, self.change, self.look)


NEW_OBJECTS = {  # the number stands in a new object each time: each is recorded for itself
    *("attribute of an object swapped", "default of a helper", "keyword default of a helper"),
    *("containers in containers", "tuple replaced", "unpacked", "frozen dataclass replaced"),
    *("NamedTuple replaced", "partial replaced"),
}


def _number(name: str, setup: str, path: str, change: str = "", **more: Any) -> _Row:
    """A row in which a number changes that is a factor."""
    return _Row(
        name,
        setup,
        f"w * x * {path}",
        change or f"{path} = n",
        **{"most": MANY if name in NEW_OBJECTS else FEW} | more,
    )


def _refused(name: str, setup: str, body: str, word: str, by: int, **more: Any) -> _Row:
    return _Row(name, setup, body, more.pop("change", ""), word, by, **more)


IN_MODULE = ("module", "wraps", "partial", "nested", "values")

# --- numbers ------------------------------------------------------------------------------------

CONFIG = "cfg = types.ModuleType('cfg_world')\nsys.modules['cfg_world'] = cfg\ncfg.scale = 3.0"
SPARE = "class Spare:\n    def __getattr__(self, name):\n        return self.__dict__['at'][name]\n"
OVER = (
    "class Over:\n    def __getattribute__(self, name):\n"
    "        return 2.0 * object.__getattribute__(self, name)\n"
)
KINDS: dict[str, list[_Row]] = {}
KINDS["numbers"] = [
    _number("attribute", "box = Box(k=3.0)", "box.k"),
    _number("attribute at depth 2", "box = Box(cfg=Box(k=3.0))", "box.cfg.k"),
    _number("attribute at depth 4", "box = Box(a=Box(b=Box(c=Box(k=3.0))))", "box.a.b.c.k"),
    _number("attribute of an object swapped", "box = Box(a=Box(k=3.0))", "box.a.k",
            "box.a = Box(k=n)"),
    _number("slot", "box = Slotted(3.0)", "box.k"),
    _number("slot in a slot", "box = Slotted(Slotted(3.0))", "box.k.k"),
    _number("property", "box = Thing(3.0)", "box.double", "box.k = n"),
    _number("property over a list", "class P:\n    @property\n    def at(self):\n"
            "        return self.ks[-1]\n"
            "box = P()\nbox.ks = [1.0, 3.0]", "box.at", "box.ks[-1] = n"),
    _number("cached property", "class P:\n    @functools.cached_property\n    def at(self):\n"
            "        return self.k * 2.0\nbox = P()\nbox.k = 3.0",
            "box.at", "box.k = n\nbox.__dict__.pop('at', None)", most=8),
    _number("class attribute", "class C:\n    k = 3.0", "C.k"),
    _number("inherited class attribute", "class B:\n    k = 3.0\nclass C(B):\n    pass\nbox = C()",
            "box.k", "B.k = n"),
    _number("class attribute shadowed later", "class C:\n    k = 3.0\nbox = C()", "box.k"),
    _number("class attribute shadowed by a subclass later",
            "class B:\n    k = 3.0\nclass C(B):\n    pass\nbox = C()", "box.k", "C.k = n"),
    _number("instance attribute deleted", "class C:\n    k = 3.0\nbox = C()\nbox.k = 5.0", "box.k",
            "if 'k' in vars(box):\n    del box.k\nelse:\n    box.k = n", most=4),
    _number("name", "k = 3.0", "k"),
    _number("name of a helper", "k = 3.0\ndef g(y):\n    return y * k", "g(1.0)", "k = n"),
    _number("name of a helper's helper", "k = 3.0\ndef h():\n    return k\ndef g():\n"
            "    return h()",
            "g()", "k = n"),
    _number("name read by a lambda in a list", "k = 3.0\nhs = [lambda: k]", "hs[0]()", "k = n"),
    _number("default of a helper", "def g(y=3.0):\n    return y", "g()", "g.__defaults__ = (n,)"),
    _number("keyword default of a helper", "def g(*, y=3.0):\n    return y", "g()",
            "g.__kwdefaults__ = {'y': n}"),
    _number("item of a keyword default", "def g(*, y=3.0):\n    return y", "g()",
            "g.__kwdefaults__['y'] = n"),
    _number("default that is a list", "def g(ys=[3.0]):\n    return ys[0]", "g()",
            "g.__defaults__[0][0] = n"),
    _number("attribute of a function", "def g(y):\n    return y * g.k\ng.k = 3.0", "g(1.0)",
            "g.k = n"),
    _number("cell of a helper", "def outer(k):\n    return (lambda: k), None\n"
            "g = outer(3.0)[0]", "g()", "g.__closure__[0].cell_contents = n"),
    _number("closures made in a loop", "gs = [(lambda j: lambda: j)(j + 2.0) for j in range(3)]",
            "gs[1]()", "gs[1].__closure__[0].cell_contents = n"),
    _number("item of a list", "ks = [1.0, 3.0]", "ks[1]"),
    _number("item of a dict", "ks = {'a': 3.0}", "ks['a']"),
    _number("dict by get", "ks = {'a': 3.0}", "ks.get('a', 1.0)", "ks['a'] = n"),
    _number("containers in containers", "cfg = {'a': [{'k': (1.0, 3.0)}]}", "cfg['a'][0]['k'][1]",
            "cfg['a'][0]['k'] = (1.0, n)"),
    _number("tuple replaced", "ks = (1.0, 3.0)", "ks[1]", "ks = (1.0, n)"),
    _number("unpacked", "ks = (1.0, 3.0)", "(lambda a, b: a * b)(*ks)", "ks = (1.0, n)"),
    _number("unpacked from a dict", "ks = {'a': 1.0, 'b': 3.0}", "(lambda a, b: a * b)(**ks)",
            "ks['b'] = n"),
    _number("dataclass", "import dataclasses\n@dataclasses.dataclass\nclass C:\n"
            "    k: float = 3.0\n"
            "cfg = C()", "cfg.k"),
    _number("dataclass with slots", "import dataclasses\n@dataclasses.dataclass(slots=True)\n"
            "class C:\n    k: float = 3.0\ncfg = C()", "cfg.k"),
    _number("frozen dataclass replaced", "import dataclasses\n@dataclasses.dataclass(frozen=True)\n"
            "class C:\n    k: float\ncfg = C(3.0)", "cfg.k", "cfg = dataclasses.replace(cfg, k=n)"),
    _number("frozen dataclass forced", "import dataclasses\n@dataclasses.dataclass(frozen=True)\n"
            "class C:\n    k: float\ncfg = C(3.0)", "cfg.k", "object.__setattr__(cfg, 'k', n)"),
    _number("NamedTuple replaced", "from typing import NamedTuple\nclass C(NamedTuple):\n"
            "    k: float\ncfg = C(3.0)", "cfg.k", "cfg = cfg._replace(k=n)"),
    _number("SimpleNamespace", "cfg = types.SimpleNamespace(k=3.0)", "cfg.k"),
    _number("module attribute", CONFIG, "cfg.scale"),
    _number("module in a module", CONFIG + "\ncfg.sub = types.ModuleType('cfg_sub')\n"
            "cfg.sub.scale = 3.0", "cfg.sub.scale"),
    _number("numpy array", "import numpy\nks = numpy.array([1.0, 3.0])", "float(ks[1])",
            "ks[1] = n", most=8),
    _number("numpy array as numbers", "import numpy\nks = numpy.array([1.0, 3.0])", "ks[1]",
            "ks[1] = n", most=8),
    _number("numpy array replaced", "import numpy\nks = numpy.array([1.0, 3.0])", "float(ks.sum())",
            "ks = numpy.array([1.0, n])", most=8),
    _number("numpy view of another array", "import numpy\nbase = numpy.zeros(4)\nks = base[1:3]",
            "float(ks[0])", "base[1] = n", most=8),
    _number("numpy array in an attribute", "import numpy\nbox = Box(ks=numpy.ones((2, 2)))",
            "float(box.ks[1, 0])", "box.ks[1, 0] = n", most=8),
    _number("deque", "import collections\nks = collections.deque([1.0, 3.0])", "ks[1]"),
    _number("OrderedDict", "import collections\nks = collections.OrderedDict(a=3.0)", "ks['a']"),
    _number("defaultdict", "import collections\nks = collections.defaultdict(float, a=3.0)",
            "ks['a']"),
    _number("Counter", "import collections\nks = collections.Counter(a=3)", "ks['a']",
            "ks['a'] = call"),
    _number("ChainMap", "import collections\nks = collections.ChainMap({}, {'a': 3.0})", "ks['a']",
            expected=EITHER),
    _number("UserDict", "import collections\nks = collections.UserDict(a=3.0)", "ks['a']",
            expected=EITHER),
    _number("mapping proxy", "under = {'a': 3.0}\nks = types.MappingProxyType(under)", "ks['a']",
            "under['a'] = n", expected=EITHER),
    _number("array.array", "import array\nks = array.array('d', [3.0])", "ks[0]", expected=EITHER),
    _number("bytearray", "ks = bytearray([3])", "ks[0]", "ks[0] = call", expected=EITHER),
    _number("memoryview", "under = bytearray([3])\nks = memoryview(under)", "ks[0]",
            "under[0] = call", expected=EITHER),
    _number("contextvar", "import contextvars\nk = contextvars.ContextVar('k', default=3.0)",
            "k.get()", "k.set(n)", expected=EITHER),
    _number("weakref", "import weakref\nbox = Box(k=3.0)\nref = weakref.ref(box)", "ref().k",
            "box.k = n", expected=EITHER),
    _number("weakref proxy", "import weakref\nbox = Box(k=3.0)\nref = weakref.proxy(box)", "ref.k",
            "box.k = n", expected=EITHER),
    _number("subclass of list", "class L(list):\n    pass\nks = L([3.0])", "ks[0]"),
    _number("subclass of dict", "class D(dict):\n    pass\nks = D(a=3.0)", "ks['a']"),
    _number("subclass of dict with __missing__", "class D(dict):\n    def __missing__(self, key):\n"
            "        return 3.0\nks = D()", "ks['a']"),
    _number("subclass of float", "class F(float):\n    pass\nk = F(3.0)", "k", "k = type(k)(n)",
            most=8),
    _number("fractions", "import fractions\nk = fractions.Fraction(3)", "float(k)",
            "k = fractions.Fraction(n)", most=8, expected=EITHER),
    _number("own __getitem__", "class L:\n    def __getitem__(self, at):\n"
            "        return self.ks[at]\n"
            "ks = L()\nks.ks = [3.0]", "ks[0]", "ks.ks[0] = n"),
    _number("own __len__", "class L:\n    def __len__(self):\n        return self.n\n"
            "ks = L()\nks.n = 3", "len(ks)", "ks.n = call", most=8),
    _number("own __float__", "class F:\n    def __float__(self):\n        return self.k\n"
            "box = F()\nbox.k = 3.0", "float(box)", "box.k = n", most=8),
    _number("own __iter__", "class L:\n    def __iter__(self):\n        yield self.k\n"
            "box = L()\nbox.k = 3.0", "sum(box)", "box.k = n"),
    _number("own __contains__", "class L:\n    def __contains__(self, key):\n"
            "        return self.k > 1\n"
            "box = L()\nbox.k = 3.0", "(2.0 if 5 in box else 1.0)", "box.k = n", most=8),
    _number("own __call__", "class L:\n    def __call__(self):\n        return self.k\n"
            "box = L()\nbox.k = 3.0", "box()", "box.k = n"),
    _number("own __enter__", "class L:\n    def __enter__(self):\n        return self.k\n"
            "    def __exit__(self, *_):\n        pass\nbox = L()\nbox.k = 3.0\n"
            "def g():\n    with box as k:\n        return k", "g()", "box.k = n", most=8),
    _number("descriptor", "class D:\n    def __get__(self, instance, owner):\n"
            "        return instance.k\n"
            "class C:\n    at = D()\nbox = C()\nbox.k = 3.0", "box.at", "box.k = n"),
    _number("number in a descriptor", "class D:\n    def __get__(self, instance, owner):\n"
            "        return self.k\nclass C:\n    at = D()\nbox = C()\nvars(C)['at'].k = 3.0",
            "box.at", "vars(C)['at'].k = n"),
    _number("metaclass", "class M(type):\n    @property\n    def k(cls):\n"
            "        return cls.under\n"
            "class C(metaclass=M):\n    under = 3.0", "C.k", "C.under = n"),
    _number("__getattr__", SPARE + "box = Spare()\nbox.at = {'k': 3.0}", "box.k",
            "box.at['k'] = n"),
    _number("__getattr__ overtaken later", SPARE + "box = Spare()\nbox.at = {'k': 3.0}", "box.k"),
    _number("__getattribute__", OVER + "box = Over()\nbox.k = 3.0", "box.k"),
    _number("module __getattr__", CONFIG + "\ncfg.under = {'k': 3.0}\n"
            "cfg.__getattr__ = lambda name: cfg.under[name]", "cfg.k", "cfg.under['k'] = n",
            expected=EITHER),
    _number("getattr", "box = Box(k=3.0)", "getattr(box, 'k')", "box.k = n", most=8),
    _number("getattr with a computed name", "box = Box(ka=3.0)", "getattr(box, 'k' + chr(97))",
            "box.ka = n", expected=EITHER),
    _number("getattr with a name from outside", "box = Box(a=3.0, b=7.0)\nat = 'a'",
            "getattr(box, at)", "at = 'b' if at == 'a' else 'a'\nbox.a = n", expected=EITHER),
    _number("globals()", "k = 3.0", "globals()['k']", "k = n", ways=IN_MODULE, expected=EITHER),
    _number("vars()", "box = Box(k=3.0)", "vars(box)['k']", "box.k = n", expected=EITHER),
    _number("__dict__", "box = Box(k=3.0)", "box.__dict__['k']", "box.k = n", expected=EITHER),
    _number("all of vars()", "box = Box(a=3.0)", "sum(vars(box).values())", "box.a = n",
            expected=EITHER),
    _number("attrgetter", "import operator\nbox = Box(k=3.0)\nget = operator.attrgetter('k')",
            "get(box)", "box.k = n", expected=EITHER),
    _number("itemgetter", "import operator\nks = {'k': 3.0}\nget = operator.itemgetter('k')",
            "get(ks)", "ks['k'] = n", expected=EITHER),
    _number("methodcaller", "import operator\nbox = Thing(3.0)\n"
            "get = operator.methodcaller('scaled', 1.0)",
            "get(box)", "box.k = n", expected=EITHER),
    _number("eval", "k = 3.0", "eval('k')", "k = n", ways=IN_MODULE, expected=EITHER),
    _number("sys.modules", CONFIG, "sys.modules['cfg_world'].scale", "cfg.scale = n",
            expected=EITHER),
    _number("partial replaced", "def g(y, k):\n    return y * k\n"
            "p = functools.partial(g, 1.0, 3.0)",
            "p()", "p = functools.partial(g, 1.0, n)"),
    _number("keywords of a partial", "def g(y, k):\n    return y * k\n"
            "p = functools.partial(g, 1.0, k=3.0)", "p()", "p.keywords['k'] = n", expected=EITHER),
    _number("list in a partial", "def g(ks):\n    return ks[0]\np = functools.partial(g, [3.0])",
            "p()", "p.args[0][0] = n"),
    _number("partialmethod", "class C:\n    def at(self, j):\n        return self.ks[j]\n"
            "    first = functools.partialmethod(at, 0)\nbox = C()\nbox.ks = [3.0]", "box.first()",
            "box.ks[0] = n"),
    _number("decorator with a state", "def times(by):\n    def wrap(g):\n"
            "        @functools.wraps(g)\n"
            "        def h():\n            return g() * by.k\n        return h\n    return wrap\n"
            "box = Box(k=3.0)\n@times(box)\ndef g():\n    return 1.0", "g()", "box.k = n"),
    _number("staticmethod", "k = 3.0\nclass C:\n    @staticmethod\n    def at():\n        return k",
            "C.at()", "k = n"),
    _number("classmethod", "class C:\n    k = 3.0\n    @classmethod\n    def at(cls):\n"
            "        return cls.k", "C.at()", "C.k = n"),
    _number("super()", "class B:\n    def at(self):\n        return self.k\nclass C(B):\n"
            "    def at(self):\n        return super().at() * 1.0\nbox = C()\nbox.k = 3.0",
            "box.at()",
            "box.k = n"),
    _number("bound method kept", "box = Thing(3.0)\nat = box.scaled", "at(1.0)", "box.k = n"),
    _number("method of a list item", "things = [Thing(1.0), Thing(3.0)]", "things[1].scaled(1.0)",
            "things[1].k = n"),
    _number("generator helper", "ks = [1.0, 3.0]\ndef g():\n    for k in ks:\n        yield k",
            "sum(g())", "ks[1] = n", most=SUMMED),
    _number("recursive helper", "k = 3.0\ndef g(j):\n    return k if j == 0 else g(j - 1)", "g(3)",
            "k = n"),
    _number("map over a list", "ks = [1.0, 3.0]", "sum(map(abs, ks))", "ks[1] = n",
            most=SUMMED),
    _number("dict of functions", "k = 3.0\nhs = {'a': lambda: k}", "hs['a']()", "k = n"),
    _number("linked list", "box = Box(next=Box(next=Box(k=3.0, next=None), k=1.0), k=1.0)\n"
            "def g(b):\n    return b.k if b.next is None else g(b.next)", "g(box)",
            "box.next.next.k = n"),
    _number("cycle of objects", "box = Box(k=3.0)\nbox.other = Box(back=box)", "box.other.back.k",
            "box.k = n"),
    _number("long chain of objects", "box = Box(k=3.0)\nfor _ in range(50):\n    box = Box(a=box)\n"
            "def g(b):\n    while hasattr(b, 'a'):\n        b = b.a\n    return b",
            "g(box).k", "b = box\nwhile hasattr(b, 'a'):\n    b = b.a\nb.k = n",
            ways=("module", "wraps"), most=8),
]  # fmt: skip

BETA = "box = Box(k=3.0)"
KINDS["arithmetic"] = [
    _Row("one minus it", BETA, "w * x * (1 - box.k)", "box.k = n", most=FEW),
    _Row("in a min", BETA, "w * x * min(1.0, box.k)", "box.k = n", most=4),
    _Row("in a max", BETA, "w * x * max(1.0, box.k)", "box.k = n", most=4),
    _Row("its square", BETA, "w * x * box.k**2", "box.k = n"),
    _Row("its exponential", BETA, "w * x * math.exp(-box.k)", "box.k = n"),
    _Row("as an exponent", BETA, "(w * x) ** box.k", "box.k = n"),
    _Row("as a divisor", BETA, "w * x / box.k", "box.k = n", most=FEW),
    _Row("twice", BETA, "w * x * box.k + box.k", "box.k = n", most=FEW),
    _Row("equal to a literal", "box = Box(k=2.5)", "w * x * box.k + 2.5 * w", "box.k = n", most=4),
    _Row("equal to another number", "box = Box(k=3.0, j=3.0)", "w * x * box.k + w * box.j",
         "box.k = n", most=FEW),
    _Row("equal to another number in turn", "box = Box(k=3.0, j=3.0)", "w * x * box.k + w * box.j",
         "if call % 2:\n    box.k = n\nelse:\n    box.j = n", most=FEW),
    _Row("numbers that change places", "box = Box(k=3.0, j=1.0)", "w * x * box.k + w * box.j",
         "box.k, box.j = box.j, box.k", most=FEW),
    _Row("their product equal to a literal", "box = Box(k=3.0)", "w * x * (box.k * 2) + 6.0 * w",
         "box.k = n", most=4),
    _Row("times zero", BETA, "w * x * (0.0 * box.k)", "box.k = n", most=FEW),
    _Row("in a comparison of plain numbers", BETA, "w * x * box.k if box.k > 1.0 else w * x",
         "box.k = n"),
    _Row("in a comparison with a Value", BETA, "w * x if w * x > box.k else w + x", "box.k = n"),
    _Row("in a comparison with the argument", BETA, "w * x if x > box.k else w + x", "box.k = n"),
    _Row("rounded", BETA, "w * x * round(box.k)", "box.k = n"),
    _Row("as a range", "box = Box(k=3)", "sum([w * x for _ in range(box.k)], x)", "box.k = call"),
    _Row("as an index", "box = Box(k=0)\nks = [1.0, 3.0, 7.0]", "w * x * ks[box.k]",
         "box.k = call % 3"),
    _Row("as a key", "box = Box(k=0)\nks = {0: 1.0, 1: 3.0, 2: 7.0}", "w * x * ks[box.k]",
         "box.k = call % 3"),
    _Row("in a text", BETA, "{f'at {box.k}': w * x}", "box.k = n"),
    _Row("an int", "box = Box(k=3)", "w * x * box.k", "box.k = call", most=FEW),
    _Row("an int in a fraction", "box = Box(t=1)", "w * x / (1 + box.t)", "box.t = call", most=FEW),
    _Row("an int that is an exponent", "box = Box(k=3)", "w * x**box.k", "box.k = call % 4"),
    _Row("an int, a float, a flag", "box = Box(k=1)", "w * x * box.k, box.k",
         "box.k = [1, 1.0, True][call % 3]"),
    _Row("a zero of another sign", "box = Box(k=0.0)", "w * x * box.k", "box.k = -box.k", most=FEW),
    _Row("a nan", BETA, "w * x * box.k", "box.k = n if call % 2 else math.nan", most=FEW),
    _Row("an infinity", BETA, "w * x * box.k", "box.k = n if call % 2 else math.inf", most=FEW),
    _Row("set to the same number", BETA, "w * x * box.k", "box.k = float('3.0')", most=1),
    _Row("set and set back", BETA, "w * x * box.k", "box.k = n\nbox.k = 3.0", most=1),
    _Row("sum of a list", "ks = [1.0, 2.0, 3.0]", "w * x * sum(ks)", "ks[call % 3] = n"),
    _Row("largest of a list", "ks = [1.0, 2.0, 3.0]", "w * x * max(ks)", "ks[call % 3] = n"),
    _Row("sorted", "ks = [1.0, 2.0, 3.0]", "w * x * sorted(ks)[1]", "ks[call % 3] = n"),
    _Row("weights that are plain numbers", "ks = [[1.0, 2.0], [3.0, 4.0]]",
         "sum(a * b * x * w for a, b in ks)", "ks[call % 2][0] = n"),
    _Row("a complex detour", BETA, "w * x * abs(complex(box.k, 0.0))", "box.k = n"),
    _Row("parsed from a text", "box = Box(k='3.0')", "w * x * float(box.k)", "box.k = str(n)"),
    _Row("a number in a result", BETA, "w * x, box.k", "box.k = n"),
    _Row("a number alone", BETA, "box.k", "box.k = n"),
    _Row("a number that is not used", BETA, "unused = box.k\nreturn w * x", "box.k = n"),
    _Row("a number read in another branch", "box = Box(k=3.0, on=False)",
         "w * x * box.k if box.on else w * x", "box.k = n"),
]  # fmt: skip

# --- flags --------------------------------------------------------------------------------------

MODES = "import enum\nclass Mode(enum.Enum):\n    TRAIN = 1\n    TEST = 2\n"
TWO = (
    "class A:\n    def at(self):\n        return 2.0\n"
    "class B(A):\n    def at(self):\n        return 5.0\n"
)
KINDS["flags"] = [
    _Row("flag", "box = Box(on=True)", "w * x if box.on else w + x", "box.on = not box.on", most=2),
    _Row("flag of a class", "class C:\n    on = True", "w * x if C.on else w + x",
         "C.on = not C.on", most=2),
    _Row("flag that is a name", "on = True", "w * x if on else w + x", "on = not on", most=2),
    _Row("flag in a dict", "cfg = {'on': True}", "w * x if cfg['on'] else w + x",
         "cfg['on'] = not cfg['on']", most=2),
    _Row("flag in a helper", "box = Box(on=True)\ndef g(y):\n    return y if box.on else -y",
         "g(w * x)", "box.on = not box.on", most=2),
    _Row("flag behind a property", "class P:\n    @property\n    def on(self):\n"
         "        return self.mode == 'a'\nbox = P()\nbox.mode = 'a'", "w * x if box.on else w + x",
         "box.mode = 'b' if box.mode == 'a' else 'a'", most=2),
    _Row("train and eval", "class Net:\n    def train(self, on=True):\n        self.on = on\n"
         "net = Net()\nnet.train()", "w * x * 0.5 if net.on else w * x", "net.train(not net.on)",
         most=2),
    _Row("text", "box = Box(mode='a')", "w * x if box.mode == 'a' else w + x",
         "box.mode = 'ba'[call % 2]", most=2),
    _Row("text that is made anew", "box = Box(mode='mode a')",
         "w * x if box.mode == 'mode a' else w + x", "box.mode = 'mode ' + chr(97)", most=1),
    _Row("None", "box = Box(at=None)", "w * x if box.at is None else w * x * box.at",
         "box.at = None if box.at else n"),
    _Row("a list that is empty", "ks = []", "w * x if ks else w + x",
         "ks.clear() if ks else ks.append(1.0)"),
    _Row("and, or", "box = Box(a=True, b=False)", "w * x if box.a and not box.b else w + x",
         "box.a, box.b = box.b, box.a", most=2),
    _Row("enum", MODES + "box = Box(mode=Mode.TRAIN)", "w * x if box.mode is Mode.TRAIN else w + x",
         "box.mode = Mode(2 - call % 2)", most=2),
    _Row("value of an enum", MODES + "box = Box(mode=Mode.TRAIN)", "w * x * box.mode.value",
         "box.mode = Mode(2 - call % 2)", most=2),
    _Row("match", "box = Box(mode='a')", "match box.mode:\n    case 'a':\n        return w * x\n"
         "    case str():\n        return w + x", "box.mode = 'ba'[call % 2]", most=2),
    _Row("match of an object", "box = Box(mode='a', k=3.0)", "match box:\n"
         "    case Box(mode='a', k=k):\n        return w * x * k\n    case _:\n"
         "        return w + x",
         "box.mode = 'ba'[call % 2]\nbox.k = n", expected=EITHER),
    _Row("match of a dict", "cfg = {'mode': 'a', 'k': 3.0}", "match cfg:\n"
         "    case {'mode': 'a', 'k': k}:\n        return w * x * k\n    case _:\n"
         "        return w + x",
         "cfg['mode'] = 'ba'[call % 2]\ncfg['k'] = n"),
    _Row("isinstance", TWO + "box = A()", "w * x if isinstance(box, B) else w + x",
         "box = B() if type(box) is A else A()", most=8),
    _Row("__class__ set", TWO + "box = A()", "w * x * box.at()",
         "box.__class__ = B if type(box) is A else A"),
    _Row("type()", TWO + "box = A()", "w * x if type(box) is A else w + x",
         "box.__class__ = B if type(box) is A else A"),
    _Row("length", "ks = [1.0]", "w * x * len(ks)", "ks.append(n)"),
    _Row("in a list", "ks = ['a']", "w * x if 'b' in ks else w + x", "ks.append('b')"),
    _Row("in a set", "ks = {'a'}", "w * x if 'b' in ks else w + x",
         "ks.symmetric_difference_update('b')"),
    _Row("in a dict", "ks = {'a': 1.0}", "w * x if 'b' in ks else w + x",
         "ks.pop('b') if 'b' in ks else ks.update(b=n)"),
    _Row("callable", "box = Box(at=None)", "w * x if callable(box.at) else w + x",
         "box.at = None if box.at else abs", most=8),
    _Row("is", "a = Box()\nb = Box()\nbox = Box(one=a)", "w * x if box.one is a else w + x",
         "box.one = b if box.one is a else a", most=8),
    _Row("== of objects", "class E:\n    def __eq__(self, other):\n"
         "        return self.k == other.k\n"
         "    __hash__ = None\na = E()\nb = E()\na.k = b.k = 1", "w * x if a == b else w + x",
         "a.k = call % 2", most=8),
    _Row("bool of an object", "class T:\n    def __bool__(self):\n        return self.on\n"
         "box = T()\nbox.on = True", "w * x if box else w + x", "box.on = not box.on"),
    _Row("length of an object in an if", "class T:\n    def __len__(self):\n"
         "        return len(self.ks)\n"
         "box = T()\nbox.ks = []", "w * x if box else w + x", "box.ks.append(1)"),
    _Row("isinstance of the argument", "on = True", "w * x * 2 if isinstance(x, float) else w * x",
         most=1, ways=(*SCOPES, "wraps", "partial", "nested", "owned")),
    _Row("isinstance of the argument, several kinds", "on = True",
         "w * x * 2 if isinstance(x, (int, float)) else w * x", most=1,
         ways=(*SCOPES, "wraps", "partial", "nested", "owned")),
    _Row("isinstance in a match", "on = True",
         "match x:\n    case float():\n        return w * x * 2\n    case _:\n        return w * x",
         most=1, ways=(*SCOPES, "wraps", "partial", "nested", "owned")),
    _Row("made a Value if it is none", "on = True",
         "y = x if isinstance(x, Value) else Value(x)\nreturn w * y", most=1),
    _Row("flag that ends early", "box = Box(on=True)",
         "if box.on:\n    return w * x\nreturn [w, w * x]", "box.on = not box.on", most=2),
    _Row("flag that raises", "box = Box(on=False)",
         "if box.on:\n    raise KeyError('on')\nreturn w * x", "box.on = call in (3, 20)", most=2),
    _Row("assert", "box = Box(on=True)", "assert box.on\nreturn w * x",
         "box.on = call not in (3, 20)", most=2),
    _Row("two flags", "box = Box(a=True, b=True)",
         "(w if box.a else x) * (x if box.b else 2.0)",
         "box.a, box.b = bool(call & 1), bool(call & 2)", most=4),
    _Row("__debug__-like module flag", CONFIG + "\ncfg.debug = False",
         "w * x * 3.0 if cfg.debug else w * x", "cfg.debug = not cfg.debug", most=2),
    _Row("a mode of the engine", "on = True",
         "w * x if engine.modes.is_grad_enabled() else w + x", ways=IN_MODULE),
]  # fmt: skip

# --- Values and layers --------------------------------------------------------------------------

NET = "net = nn.MLP(1, [2, 1], 'tanh', seed=1)\nv = leaf(1.0)"
MODULE = (
    "class Net(nn.Module):\n    def __init__(self):\n        self.a, self.beta = leaf(1.5), 3.0\n"
    "    def __call__(self, x):\n        return self.a * x * self.beta\nnet = Net()"
)
KINDS["Values"] = [
    _Row("data of a Value", "v = leaf(1.0)", "v * x + w", "v.data = n", most=1),
    _Row("Value in an attribute", "box = Box(v=leaf(1.0))", "box.v * x", "box.v = leaf(n)"),
    _Row("Value that is a name", "v = leaf(1.0)", "v * x + w", "v = leaf(n)"),
    _Row("Value in a list", "vs = [leaf(1.0), leaf(2.0)]", "vs[0] * x + vs[1]", "vs[0] = leaf(n)"),
    _Row("Value in a dict", "vs = {'a': leaf(1.0)}", "vs['a'] * x", "vs['a'] = leaf(n)"),
    _Row("Value in a slot", "box = Slotted(leaf(1.0))", "box.k * x", "box.k = leaf(n)"),
    _Row("Value in a tuple", "box = Box(vs=(leaf(1.0), 2.0))", "box.vs[0] * x * box.vs[1]",
         "box.vs = (leaf(n), 2.0)"),
    _Row("Value of the same number", "box = Box(v=leaf(1.0))", "box.v * x", "box.v = leaf(1.0)"),
    _Row("Value in a dataclass", "import dataclasses\n@dataclasses.dataclass\nclass C:\n"
         "    v: object\n"
         "box = C(leaf(1.0))", "box.v * x", "box.v = leaf(n)"),
    _Row("Value behind a property", "class P:\n    @property\n    def v(self):\n"
         "        return self.vs[-1]\nbox = P()\nbox.vs = [leaf(1.0)]", "box.v * x",
         "box.vs.append(leaf(n))"),
    _Row("Value in an array", "import numpy\nvs = numpy.array([leaf(1.0), leaf(2.0)])",
         "vs[0] * x + vs[1]", "vs[0] = leaf(n)"),
    _Row("Value that becomes a number", "box = Box(v=leaf(1.0))", "box.v * x * w",
         "box.v = n if call % 2 else leaf(n)"),
    _Row("Values that change places", "box = Box(a=leaf(1.0), b=leaf(2.0))", "box.a * x + box.b",
         "box.a, box.b = box.b, box.a"),
    _Row("two names of one Value", "box = Box(a=leaf(1.0), b=leaf(1.0))", "box.a * box.b * x",
         "box.b = box.a if call % 2 else leaf(n)"),
    _Row("order of Values", "vs = [leaf(1.0), leaf(2.0), leaf(3.0)]",
         "sum(v * x**k for k, v in enumerate(vs))", "vs.reverse()"),
    _Row("Values sorted by their numbers", "vs = [leaf(1.0), leaf(2.0)]", "max(vs) * x",
         "vs[0].data = n"),
    _Row("shared Value", "v = leaf(1.0)\na = Box(v=v)\nb = Box(v=v)", "a.v * x + b.v",
         "b.v = leaf(n)"),
    _Row("result of an operation", "v = leaf(1.0)\nh = v * 2.0", "h * x", "h = v * n",
         expected=EITHER),
    _Row("label", "v = leaf(1.0, 'a')", "v * x if v.label == 'a' else v + x",
         "v.label = 'ba'[call % 2]", expected=EITHER),
    _Row("layer swapped", NET, "net([x]) * v",
         "net.layers[1] = nn.Layer(2, 1, activation='relu', seed=call)"),
    _Row("first layer swapped", NET, "net([x]) * v",
         "net.layers[0] = nn.Layer(1, 2, activation='tanh', seed=call)"),
    _Row("neuron swapped", NET, "net([x]) * v",
         "net.layers[0].neurons[0] = nn.Neuron(1, activation='relu', seed=call)"),
    _Row("weight of a neuron", NET, "net([x]) * v", "net.layers[0].neurons[1].w[0] = leaf(n)"),
    _Row("bias of a neuron", NET, "net([x]) * v", "net.layers[0].neurons[1].b = leaf(n)"),
    _Row("net swapped", NET, "net([x]) * v", "net = nn.MLP(1, [2, 1], 'tanh', seed=call)"),
    _Row("layer added", NET, "net([x]) * v", "net.layers.append(nn.Layer(1, 1, seed=call))"),
    _Row("layer removed", "net = nn.MLP(1, [1] * 9, 'tanh', seed=1)\nv = leaf(1.0)", "net([x]) * v",
         "net.layers.pop()"),
    _Row("neuron without its activation", NET, "net([x]) * v",
         "net.layers[0].neurons[0].nonlin = not net.layers[0].neurons[0].nonlin", most=2),
    _Row("activation replaced", NET, "net([x]) * v",
         "net.layers[0].neurons[0]._activate = [Value.relu, Value.tanh][call % 2]"),
    _Row("fused or not", NET, "net([x]) * v",
         "net.layers[0].neurons[0].fused = not net.layers[0].neurons[0].fused", most=2),
    _Row("parameters loaded", NET, "net([x]) * v",
         "net.load_state_dict({name: n * 0.1 for name in net.state_dict()})", most=1),
    _Row("module with a number", MODULE, "net(x) * w", "net.beta = n", most=FEW),
    _Row("module in a module", MODULE + "\nbig = nn.Module()\nbig.parts = {'a': [net]}",
         "big.parts['a'][0](x) * w", "net.beta = n", most=FEW),
    _Row("module swapped in a module", MODULE + "\nbig = nn.Module()\nbig.parts = {'a': [net]}",
         "big.parts['a'][0](x) * w", "big.parts['a'][0] = Net()"),
    _Row("penalty of all parameters", MODULE, "net(x) + 0.1 * nn.l2(net.parameters())",
         "net.extra = leaf(n)"),
    _Row("named parameters", MODULE, "sum((v * x for _, v in net.named_parameters()), w)",
         "setattr(net, f'extra{call}', leaf(n))"),
    _Row("nets in a list", "nets = [nn.MLP(1, [1], seed=k) for k in range(2)]\nv = leaf(1.0)",
         "sum(net([x]) for net in nets) * v", "nets.append(nn.MLP(1, [1], seed=call))"),
    _Row("number of attention heads", "vs = [leaf(0.5 + k) for k in range(4)]\nbox = Box(heads=2)",
         "sum(v * x for v in vs[: box.heads])", "box.heads = 1 + call % 4"),
]  # fmt: skip

# --- containers that grow and shrink ------------------------------------------------------------

KINDS["containers"] = [
    _Row("list grows by a number", "ks = [1.0]", "sum(k * x for k in ks) * w", "ks.append(n)"),
    _Row("list grows by a Value", "vs = [leaf(1.0)]", "sum(v * x for v in vs)",
         "vs.append(leaf(n))"),
    _Row("list shrinks", "vs = [leaf(k + 1.0) for k in range(9)]", "sum(v * x for v in vs)",
         "vs.pop()"),
    _Row("list shrinks at its head", "vs = [leaf(k + 1.0) for k in range(9)]",
         "sum(v * x for v in vs)", "del vs[0]"),
    _Row("list filled anew", "ks = [1.0]", "sum(k * x for k in ks) * w",
         "ks[:] = [n] * (1 + call % 3)"),
    _Row("list replaced", "ks = [1.0]", "sum(k * x for k in ks) * w", "ks = [n] * (1 + call % 3)"),
    _Row("list replaced by an equal one", "ks = [1.0, 3.0]", "sum(k * x for k in ks) * w",
         "ks = list(ks)"),
    _Row("list reversed", "ks = [1.0, 3.0]", "w * x * ks[0]", "ks.reverse()", most=FEW),
    _Row("list in a list grows", "ks = [[1.0], [2.0]]", "sum(k * x for row in ks for k in row) * w",
         "ks[1].append(n)"),
    _Row("rows are added", "ks = [[1.0], [2.0]]", "sum(k * x for row in ks for k in row) * w",
         "ks.append([n, n])"),
    _Row("slice", "ks = [1.0, 2.0, 3.0]", "sum(k * x for k in ks[1:]) * w", "ks.insert(1, n)"),
    _Row("last item", "ks = [1.0]", "w * x * ks[-1]", "ks.append(n)"),
    _Row("zip ends with the shorter", "a = [1.0, 2.0, 3.0]\nb = [1.0]",
         "sum(i * j * x for i, j in zip(a, b)) * w", "b.append(n)"),
    _Row("enumerate", "ks = [1.0]", "sum(j * k * x for j, k in enumerate(ks, 1)) * w",
         "ks.append(n)"),
    _Row("reversed", "ks = [1.0]", "w * x * next(reversed(ks))", "ks.append(n)"),
    _Row("starred", "ks = [1.0]", "first, *rest = ks\nreturn w * x * (first + sum(rest))",
         "ks.append(n)"),
    _Row("index of a key", "ks = ['a', 'b']", "w * x * (1 + ks.index('b'))", "ks.insert(0, 'z')"),
    _Row("dict gets a key", "ks = {'a': 1.0}", "sum(k * x for k in ks.values()) * w",
         "ks[f'k{call}'] = n"),
    _Row("dict loses a key", "ks = {f'k{j}': 1.0 + j for j in range(9)}",
         "sum(k * x for k in ks.values()) * w", "ks.popitem()"),
    _Row("dict in another order", "ks = {'a': 1.0, 'b': 2.0}", "w * x * next(iter(ks.values()))",
         "ks['a'] = ks.pop('a') if call % 2 else n"),
    _Row("keys of a dict", "ks = {'a': 1.0}", "{key: w * x for key in ks}", "ks[f'k{call}'] = n"),
    _Row("items of a dict", "ks = {'a': 1.0}", "{key: w * x * k for key, k in ks.items()}",
         "ks[f'k{call}'] = n"),
    _Row("dict merged", "ks = {'a': 1.0}\nmore = {}", "sum(({**ks, **more}).values()) * w * x",
         "more['a'] = n"),
    _Row("dict by setdefault of a key there", "ks = {'a': 1.0}", "w * x * ks.setdefault('a', 9.0)",
         "ks['a'] = n"),
    _Row("set grows", "ks = {1, 2}", "w * x * sum(sorted(ks))", "ks.add(call + 5)"),
    _Row("frozenset replaced", "ks = frozenset({1, 2})", "w * x * len(ks)", "ks = ks | {call + 5}"),
    _Row("deque turned", "import collections\nks = collections.deque([1.0, 2.0, 3.0])",
         "w * x * ks[0]",
         "ks.rotate(1)"),
    _Row("deque grows", "import collections\nks = collections.deque([1.0])",
         "sum(k * x for k in ks) * w", "ks.append(n)"),
    _Row("list of functions grows", "hs = [lambda y: y * 2.0]",
         "y = w * x\nfor h in hs:\n    y = h(y)\nreturn y", "hs.append(lambda y: y + 1.0)"),
    _Row("text grows", "box = Box(at='a')", "w * x * len(box.at)", "box.at += 'b'"),
    _Row("text split", "box = Box(at='1 2')", "w * x * sum(map(float, box.at.split()))",
         "box.at += f' {call}'"),
    _Row("bytes", "box = Box(at=b'a')", "w * x * box.at[-1]", "box.at += bytes([call])"),
    _Row("range", "box = Box(at=range(3))", "w * x * sum(box.at)", "box.at = range(call)"),
    _Row("own list type grows", "class L(list):\n    def total(self):\n        return sum(self)\n"
         "ks = L([1.0])", "w * x * ks.total()", "ks.append(n)"),
    _Row("ring of objects grows", "box = Box(k=1.0, next=None)\nbox.next = box",
         "total, at = box.k, box.next\nwhile at is not box:\n"
         "    total, at = total + at.k, at.next\n"
         "return w * x * total", "box.next = Box(k=n, next=box.next)"),
    _Row("tree grows", "tree = {'k': 1.0, 'parts': []}\ndef total(node):\n"
         "    return node['k'] + sum(total(part) for part in node['parts'])", "w * x * total(tree)",
         "tree['parts'].append({'k': n, 'parts': []})"),
    _Row("array grows", "import numpy\nks = numpy.ones(2)", "w * x * float(ks.sum())",
         "ks = numpy.append(ks, n)"),
    _Row("array reshaped", "import numpy\nks = numpy.ones((2, 3))", "w * x * ks.shape[0]",
         "ks = ks.T"),
    _Row("array of integers", "import numpy\nks = numpy.array([1, 2])", "w * x * int(ks[0])",
         "ks[0] = call"),
]  # fmt: skip

# --- functions and methods ----------------------------------------------------------------------

FS = "def g(y):\n    return y * 2.0\ndef h(y):\n    return y + 5.0\n"
CLASS = FS + "class C:\n    def at(self, y):\n        return y * 3.0\nbox = C()"
SWAP = "g, h = h, g"
KINDS["functions"] = [
    _Row("function replaced", FS, "g(w * x)", SWAP),
    _Row("function in an attribute", FS + "box = Box(at=g)", "box.at(w * x)",
         "box.at = h if box.at is g else g"),
    _Row("function in a list", FS + "hs = [g, h]", "hs[0](w * x)", "hs.reverse()"),
    _Row("function in a dict", FS + "hs = {'a': g}", "hs['a'](w * x)", "hs['a'] = h"),
    _Row("function of a helper", FS + "def outer(y):\n    return g(y)", "outer(w * x)", SWAP),
    _Row("code of a function", FS, "g(w * x)", "g.__code__, h.__code__ = h.__code__, g.__code__"),
    _Row("lambda", "g = lambda y: y * 2.0", "g(w * x)",
         "g = (lambda y: y + n) if call % 2 else abs",
         ways=("module", "closure", "method")),
    _Row("method of a class", CLASS, "box.at(w * x)", "C.at = lambda self, y: y + n"),
    _Row("method of an instance", CLASS, "box.at(w * x)", "box.at = lambda y: y + n"),
    _Row("method of a class that is inherited", CLASS + "\nclass D(C):\n    pass\nbox = D()",
         "box.at(w * x)", "C.at = lambda self, y: y + n"),
    _Row("method added to a subclass", CLASS + "\nclass D(C):\n    pass\nbox = D()",
         "box.at(w * x)",
         "D.at = lambda self, y: y + n"),
    _Row("method of a subclass deleted", CLASS + "\nclass D(C):\n    def at(self, y):\n"
         "        return -y\nbox = D()", "box.at(w * x)", "if 'at' in vars(D):\n    del D.at"),
    _Row("base class changed", CLASS + "\nclass E:\n    def at(self, y):\n        return -y\n"
         "class D(C):\n    pass\nbox = D()", "box.at(w * x)",
         "D.__bases__ = (E,) if D.__bases__ == (C,) else (C,)"),
    _Row("__call__ of a class", FS + "class C:\n    def __call__(self, y):\n"
         "        return y * 3.0\n"
         "box = C()", "box(w * x)", "C.__call__ = lambda self, y: y + n"),
    _Row("__call__ of an instance is not asked", FS + "class C:\n    def __call__(self, y):\n"
         "        return y * 3.0\nbox = C()", "box(w * x)", "box.__call__ = lambda y: y + n"),
    _Row("property of a class", "class P:\n    @property\n    def at(self):\n        return 3.0\n"
         "box = P()", "w * x * box.at", "P.at = property(lambda self: n)"),
    _Row("staticmethod replaced", FS + "class C:\n    at = staticmethod(g)", "C.at(w * x)",
         "C.at = staticmethod(h)"),
    _Row("classmethod replaced", FS + "class C:\n    @classmethod\n    def at(cls, y):\n"
         "        return y * 2.0", "C.at(w * x)", "C.at = classmethod(lambda cls, y: y + n)"),
    _Row("operator of a class", "class V:\n    def __rmul__(self, y):\n        return y * 3.0\n"
         "box = V()", "2.0 * box * w * x", "V.__rmul__ = lambda self, y: y * n"),
    _Row("__getattr__ of a class replaced", SPARE + "box = Spare()\nbox.at = {'k': 3.0}",
         "w * x * box.k", "Spare.__getattr__ = lambda self, name: n"),
    _Row("__getattr__ added later", "class C:\n    k = 3.0\nbox = C()", "w * x * box.k",
         "C.__getattribute__ = lambda self, name: n"),
    _Row("partial of another function", FS + "p = functools.partial(g)", "p(w * x)",
         "p = functools.partial(g if call % 2 else h)"),
    _Row("bound method of another object", "a = Thing(3.0)\nb = Thing(5.0)\nat = a.scaled",
         "at(w * x)", "at = a.scaled if call % 2 else b.scaled"),
    _Row("builtin shadowed by a name", "other = 1.0", "abs(w * x)", "abs = (lambda y: y + 7.0)",
         ways=("module", "wraps", "nested")),
    _Row("function of a module", CONFIG + "\ncfg.g = lambda y: y * 2.0", "cfg.g(w * x)",
         "cfg.g = lambda y: y + n"),
    _Row("function under a decorator", FS + "box = Box(at=g)\ndef wrap(y):\n    return box.at(y)\n"
         "wrap.__wrapped__ = g", "wrap(w * x)", "box.at = h"),
    _Row("singledispatch", "@functools.singledispatch\ndef g(kind, y):\n    return y * 2.0",
         "g('a', w * x)", "g.register(str, lambda kind, y: y + n)", expected=EITHER),
    _Row("function of the engine replaced in a name", "tanh = engine.tanh", "tanh(w * x)",
         "tanh = engine.tanh if call % 2 else engine.exp"),
    _Row("activation by name", "box = Box(at='tanh')", "getattr(engine, box.at)(w * x)",
         "box.at = ['exp', 'tanh'][call % 2]", expected=EITHER),
    _Row("lru_cache over a number", "k = 3.0\n@functools.lru_cache\ndef g(j):\n    return j * k",
         "w * x * g(2)", "k = n\ng.cache_clear()", expected=EITHER),
    _Row("table of operations", "ops = {'a': (2.0, Value.tanh), 'b': (3.0, Value.exp)}\n"
         "way = ['a']",
         "y = w * x\nfor name in way:\n    k, op = ops[name]\n    y = op(y * k)\nreturn y",
         "way[0] = 'ba'[call % 2]", most=2),
    _Row("function made by exec", "space = {}\nexec('def g(y): return y * 2.0', space)",
         "space['g'](w * x)", "exec(f'def g(y): return y * {n}', space)"),
    _Row("global of another module's function", "space = {'k': 3.0}\n"
         "exec('def made(y): return y * k', space)\ng = space['made']", "g(w * x)",
         "space['k'] = n"),
    _Row("import inside", CONFIG, "import cfg_world\nreturn w * x * cfg_world.scale",
         "cfg.scale = n",
         expected=EITHER),
    _Row("import of a name inside", CONFIG, "from cfg_world import scale\nreturn w * x * scale",
         "cfg.scale = n", expected=EITHER),
    _Row("imported module swapped", CONFIG, "import cfg_world\nreturn w * x * cfg_world.scale",
         "cfg = types.ModuleType('cfg_world')\nsys.modules['cfg_world'] = cfg\ncfg.scale = n",
         expected=EITHER),
]  # fmt: skip

# --- what is not there yet ----------------------------------------------------------------------

KINDS["absent"] = [
    _Row("attribute that appears", "box = Box()",
         "try:\n    return w * x * box.k\nexcept AttributeError:\n    return w + x",
         "if hasattr(box, 'k'):\n    del box.k\nelse:\n    box.k = n"),
    _Row("attribute that appears on the class", "class C:\n    pass\nbox = C()",
         "try:\n    return w * x * box.k\nexcept AttributeError:\n    return w + x", "C.k = n"),
    _Row("hasattr", "box = Box()", "w * x if hasattr(box, 'k') else w + x", "box.k = n"),
    _Row("getattr with a default", "box = Box()", "w * x * getattr(box, 'k', 3.0)", "box.k = n"),
    _Row("name that appears", "other = 1.0",
         "try:\n    return w * x * late\nexcept NameError:\n    return w + x", "late = n",
         ways=IN_MODULE),
    _Row("name that goes and comes", "k = 3.0",
         "try:\n    return w * x * k\nexcept NameError:\n    return w + x",
         "if 'k' in globals():\n    del k\nelse:\n    k = n", ways=IN_MODULE),
    _Row("cell that is filled later", "def outer():\n    def of(y):\n        return y * late\n"
         "    def to(n):\n        nonlocal late\n        late = n\n    if False:\n"
         "        late = 0\n"
         "    return of, to\ng, fill = outer()",
         "try:\n    return g(w * x)\nexcept NameError:\n    return w + x", "fill(n)"),
    _Row("key that appears", "ks = {}", "w * x * ks.get('a', 3.0)", "ks['a'] = n"),
    _Row("key that appears, by KeyError", "ks = {}",
         "try:\n    return w * x * ks['a']\nexcept KeyError:\n    return w + x", "ks['a'] = n"),
    _Row("item that appears, by IndexError", "ks = []",
         "try:\n    return w * x * ks[1]\nexcept IndexError:\n    return w + x", "ks.append(n)"),
    _Row("slot that is filled", "box = Slotted.__new__(Slotted)",
         "try:\n    return w * x * box.k\nexcept AttributeError:\n    return w + x", "box.k = n"),
    _Row("module attribute that appears", CONFIG,
         "try:\n    return w * x * cfg.late\nexcept AttributeError:\n    return w + x",
         "cfg.late = n"),
    _Row("module that appears", "other = 1.0",
         "try:\n    import cfg_late\nexcept ImportError:\n    return w + x\nreturn w * x",
         "sys.modules['cfg_late'] = types.ModuleType('cfg_late')", expected=EITHER),
    _Row("weakref that dies", "import weakref\nbox = Box(k=3.0)\nref = weakref.ref(box)",
         "w * x * ref().k if ref() is not None else w + x", "box = None", expected=EITHER,
         ways=("module", "closure", "method")),
    _Row("attribute gone for good", "box = Box(k=3.0)", "w * x * box.k",
         "if hasattr(box, 'k'):\n    del box.k"),
    _Row("key gone for good", "ks = {'a': 3.0}", "w * x * ks['a']", "ks.clear()"),
    _Row("item of a list gone for good", "ks = [1.0, 3.0]", "w * x * ks[1]", "del ks[-1:]"),
    _Row("function gone for good", "box = Box(at=abs)", "box.at(w * x)", "box.at = None"),
]  # fmt: skip

# --- the form of the result ---------------------------------------------------------------------

KINDS["forms"] = [
    _Row("key of a dict", "box = Box(key='a')", "{box.key: w * x}", "box.key = f'k{call}'"),
    _Row("order of keys", "box = Box(keys=['a', 'b'])", "{key: w * x for key in box.keys}",
         "box.keys.reverse()", most=2),
    _Row("integer in a result", "box = Box(step=0)", "[w * x, box.step]", "box.step = call"),
    _Row("text in a result", "box = Box(name='a')", "(w * x, box.name)", "box.name = f'k{call}'"),
    _Row("None in a result", "box = Box(at=None)", "[w * x, box.at]",
         "box.at = None if box.at else 'a'"),
    _Row("flag in a result", "box = Box(on=True)", "[w * x, box.on]", "box.on = not box.on",
         most=2),
    _Row("1, 1.0 and True", "box = Box(at=1)", "[w * x, box.at]",
         "box.at = [1, 1.0, True][call % 3]"),
    _Row("length of a result", "box = Box(k=1)", "[w * x] * box.k", "box.k = call"),
    _Row("nesting of a result", "box = Box(k=1)",
         "z = w * x\nfor _ in range(box.k):\n    z = [z]\nreturn z", "box.k = 1 + call % 5"),
    _Row("list or tuple", "box = Box(kind=list)", "box.kind([w * x, x])",
         "box.kind = [tuple, list][call % 2]", most=2),
    _Row("Value or number", "box = Box(on=True)", "w * x if box.on else 5.0", "box.on = not box.on",
         most=2),
    _Row("result of numbers alone", "box = Box(k=3.0)", "{'k': box.k, 'n': 2}", "box.k = n"),
    _Row("result without numbers", "box = Box(k='a')", "[box.k, None, True]", "box.k = f'k{call}'"),
    _Row("None", "box = Box(on=True)", "w * x if box.on else None", "box.on = not box.on", most=2),
    _Row("the object outside itself", "ks = [1.0, 2.0]", "[w * x, ks]", "ks.append(n)"),
    _Row("a dict outside itself", "ks = {'a': 1.0}", "[w * x, ks]", "ks['a'] = n\nks[call] = n"),
    _Row("a Value outside itself", "box = Box(v=leaf(1.0))", "[w * x, box.v]", "box.v = leaf(n)"),
    _Row("enough of a list", "vs = [leaf(1.0), leaf(2.0)]", "list(vs)", "vs.append(leaf(n))"),
    _Row("keys from a counter outside", "box = Box(t=0)", "{f'step {box.t}': w * x}",
         "box.t = call"),
]  # fmt: skip

# --- state that the function changes and reads --------------------------------------------------

KINDS["state"] = [
    _refused("running mean", "box = Box(mean=0.0)",
             "box.mean = 0.9 * box.mean + 0.1  # here\nreturn w * x * box.mean", "mean", 2),
    _refused("running mean of the outputs", "box = Box(mean=0.0)",
             "z = w * x\nbox.mean = box.mean * 0.9 + z * 0.1  # here\nreturn z - box.mean", "mean",
             2),
    _refused("counter that is a name", "total = 0",
             "total = total + 1  # here\nreturn w * x * total", "total", 2,
             ways=("module", "closure", "method", "wraps", "nested")),
    _refused("counter in an attribute", "box = Box(count=0)",
             "box.count += 1  # here\nreturn w * x * box.count", "count", 2),
    _refused("counter that only counts", "box = Box(count=0)",
             "box.count += 1  # here\nreturn w * x", "count", 2, look="box.count"),
    _refused("counter in a class", "class C:\n    count = 0",
             "C.count += 1  # here\nreturn w * x * C.count", "count", 2),
    _refused("counter in a dict", "ks = {'a': 0}",
             "ks['a'] += 1  # here\nreturn w * x * ks['a']", "dict", 2),
    _refused("counter in a list", "ks = [0]", "ks[0] += 1  # here\nreturn w * x * ks[0]", "list",
             2),
    _refused("counter in a slot", "box = Slotted(0)", "box.k += 1  # here\nreturn w * x * box.k",
             "k", 2),
    _refused("counter in a helper", "box = Box(count=0)\ndef g():\n    box.count += 1  # here\n"
             "    return box.count", "w * x * g()", "count", 2),
    _refused("counter in a method", "class C:\n    count = 0\n    def at(self):\n"
             "        self.count += 1  # here\n        return self.count\nbox = C()",
             "w * x * box.at()",
             "count", 2),
    _refused("counter in a property", "class C:\n    under = 0\n    @property\n    def at(self):\n"
             "        self.under += 1  # here\n        return self.under\nbox = C()",
             "w * x * box.at",
             "under", 2),
    _refused("counter by setattr", "box = Box(count=0)",
             "setattr(box, 'count', box.count + 1)  # here\nreturn w * x * box.count", "count", 2),
    _refused("counter by vars", "box = Box(count=0)",
             "vars(box)['count'] += 1  # here\nreturn w * x * box.count", "count", 2),
    _refused("counter of an array", "import numpy\nks = numpy.zeros(1)",
             "ks[0] += 1  # here\nreturn w * x * float(ks[0])", "array", 2),
    _refused("array by a ufunc", "import numpy\nks = numpy.zeros(1)",
             "numpy.add(ks, 1.0, out=ks)  # here\nreturn w * x * float(ks[0])", "array", 2),
    _refused("append", "seen = []", "seen.append(1.0)  # here\nreturn w * x * len(seen)", "list",
             2),
    _refused("append of the argument", "seen = []",
             "seen.append(x)  # here\nreturn w * sum(seen)", "list", 2),
    _refused("append that is not read", "seen = []", "seen.append(1)  # here\nreturn w * x",
             "list", 2,
             look="len(seen)"),
    _refused("append to a deque", "import collections\nseen = collections.deque(maxlen=3)",
             "seen.append(x)  # here\nreturn w * sum(seen)", "deque", 2),
    _refused("set", "seen = set()", "seen.add(len(seen))  # here\nreturn w * x * len(seen)", "set",
             2),
    _refused("queue", "ks = [float(k) for k in range(100)]",
             "return w * x * ks.pop()  # here", "list", 2),
    _refused("iterator", "ks = iter(range(100))", "return w * x * next(ks)  # here", "iterator", 2),
    _refused("iterator for ever", "import itertools\nks = itertools.count()",
             "return w * x * next(ks)  # here", "count", 2),
    _refused("generator", "def g():\n    k = 0\n    while True:\n        k += 1\n        yield k\n"
             "ks = g()", "return w * x * next(ks)  # here", "generator", 2),
    _refused("generator by send", "def g():\n    k = 0\n    while True:\n"
             "        k = k + (yield k)\n"
             "ks = g()\nnext(ks)", "return w * x * ks.send(1)  # here", "generator", 2),
    _refused("flag that the function turns", "box = Box(on=True)",
             "box.on = not box.on  # here\nreturn w * x if box.on else w + x", "on", 2),
    _refused("Value that the function replaces", "box = Box(v=Value(1.0))",
             "box.v = box.v * 0.5 + w * x  # here\nreturn box.v", "v", 2),
    _refused("memory of the last call", "box = Box(last=0.0)",
             "z = w * x * (1.0 + box.last)  # here\nbox.last = x  # here\nreturn z", "last", 2),
    _refused("hidden state of a cell", "box = Box(h=Value(0.0))",
             "box.h = engine.tanh(w * x + 0.5 * box.h)  # here\nreturn box.h", "h", 2),
    _refused("first call only", "box = Box(done=0)",
             "box.done = min(2, box.done + 1)  # here\nreturn w * x if box.done == 1 else w + x",
             "done", 2),
    _refused("nonlocal in a helper", "def outer():\n    count = 0\n    def up():\n"
             "        nonlocal count\n        count += 1  # here\n        return count\n"
             "    return up\n"
             "g = outer()", "w * x * g()", "count", 2),
    _refused("attribute of a function", "def g():\n    g.count += 1  # here\n    return g.count\n"
             "g.count = 0", "w * x * g()", "count", 2),
    _refused("default that grows", "def g(ks=[]):\n    ks.append(1)  # here\n    return len(ks)",
             "w * x * g()", "list", 2),
    _refused("defaultdict that counts", "import collections\nks = collections.defaultdict(int)",
             "ks['a'] += 1  # here\nreturn w * x * ks['a']", "dict", 2),
    _refused("contextvar", "import contextvars\nk = contextvars.ContextVar('k', default=0)",
             "k.set(k.get() + 1)  # here\nreturn w * x * k.get()", "", 2),
    _refused("object made anew from itself", "box = Box(state=Box(k=1.0))",
             "box.state = Box(k=box.state.k + 1.0)  # here\nreturn w * x * box.state.k", "state",
             2),
    _refused("delete and set", "box = Box(k=1.0)",
             "k = box.k\ndel box.k\nbox.k = k + 1.0  # here\nreturn w * x * k", "k", 2),
    _refused("swap of two", "box = Box(a=1.0, b=2.0)",
             "box.a, box.b = box.b, box.a  # here\nreturn w * x * box.a", "a", 2),
    _refused("reverse", "ks = [1.0, 2.0]", "ks.reverse()  # here\nreturn w * x * ks[0]", "list", 2),
    _refused("parameter moved by hand", "v = Value(1.0)",
             "v.data = v.data * 0.5  # here\nreturn v * x", "data", 1),
    _refused("state through a replay inside", "box = Box(count=0)\ndef g(y):\n"
             "    box.count += 1  # here\n    return y * box.count\ninner = replayed(g)",
             "w * inner(x)", "count", 2),
    _Row("state that comes to rest", "box = Box(done=False)", "box.done = True\nreturn w * x",
         look="box.done", most=2),
    _Row("state that somebody else resets", "box = Box(done=False)",
         "box.done = True\nreturn w * x", "box.done = False", look="box.done", most=8),
    _Row("state that is set to what it was", "box = Box(done=True)",
         "box.done = True\nreturn w * x", "box.done = False", look="box.done", most=8),
    _Row("a global that is set to what it was", "mode = 'train'",
         "global mode\nmode = 'train'\nreturn w * x", "mode = 'eval'", look="mode", most=8,
         ways=IN_MODULE),
    _Row("lazily built", "box = Box(v=None)",
         "if box.v is None:\n    box.v = Value(1.5)\nreturn box.v * x", look="box.v", most=2),
    _Row("lazily built in a dict", "vs = {}",
         "if 'v' not in vs:\n    vs['v'] = Value(1.5)\nreturn vs['v'] * x", look="vs['v']", most=2),
    _Row("lazily built again", "box = Box(v=None)",
         "if box.v is None:\n    box.v = Value(1.5)\nreturn box.v * x", "box.v = None",
         look="box.v",
         most=16),
    _Row("cache of a number", "memo = {}",
         "if 'k' not in memo:\n    memo['k'] = math.exp(0.5)\nreturn w * x * memo['k']", most=2),
    _Row("cache that is emptied", "memo = {}\nbox = Box(k=3.0)",
         "if 'k' not in memo:\n    memo['k'] = box.k\nreturn w * x * memo['k']",
         "box.k = n\nmemo.clear()", most=16),
]  # fmt: skip

# --- what is set at every call and never read ---------------------------------------------------

KINDS["set"] = [
    _Row("attribute", "box = Box(h=None)", "box.h = w * x\nreturn box.h * 2.0", look="box.h",
         most=2),
    _Row("attribute that was not there", "box = Box()", "box.h = w * x\nreturn w + x", look="box.h",
         most=2),
    _Row("attribute at depth", "box = Box(a=Box(h=None))", "box.a.h = w * x\nreturn w + x",
         look="box.a.h", most=2),
    _Row("slot", "box = Slotted()", "box.p = w * x\nreturn w + x", look="box.p", most=2),
    _Row("class attribute", "class C:\n    h = None", "C.h = w * x\nreturn w + x", look="C.h",
         most=2),
    _Row("name", "h = None", "h = w * x\nreturn w + x", look="h", most=2,
         ways=("module", "closure", "method", "wraps", "nested")),
    _Row("item of a dict", "hs = {}", "hs['h'] = w * x\nreturn w + x", look="hs['h']", most=2),
    _Row("item of a list", "hs = [None]", "hs[0] = w * x\nreturn w + x", look="hs[0]", most=2),
    _Row("list of them", "box = Box(hs=None)", "box.hs = [w * x, w + x]\nreturn w * x * 3.0",
         look="box.hs", most=2),
    _Row("dict of them", "box = Box(hs=None)", "box.hs = {'a': w * x, 'b': 1}\nreturn w + x",
         look="box.hs", most=2),
    _Row("the argument", "box = Box(x=None)", "box.x = x\nreturn w * x", look="box.x", most=2),
    _Row("a parameter", "box = Box(v=None)", "box.v = w\nreturn w * x", look="box.v is w", most=2,
         ways=("module", "closure", "wraps")),
    _Row("twice", "box = Box(h=None)", "box.h = w * x\nbox.h = box.h * 2.0\nreturn w + x",
         look="box.h", most=2),
    _Row("by setattr", "box = Box(h=None)", "setattr(box, 'h', w * x)\nreturn w + x", look="box.h",
         most=2),
    _Row("by a method", "class C:\n    def at(self, z):\n        self.h = z * 2.0\n"
         "        return z\n"
         "box = C()", "box.at(w * x)", look="box.h", most=2),
    _Row("by a property", "class C:\n    @property\n    def h(self):\n        return self.under\n"
         "    @h.setter\n    def h(self, z):\n        self.under = z\nbox = C()",
         "box.h = w * x\nreturn w + x", look="box.under", most=2),
    _Row("by a helper", "box = Box(h=None)\ndef keep(z):\n    box.h = z\n    return z",
         "keep(w * x) * 2.0",
         look="box.h", most=2),
    _Row("in each layer", "layers = [Box(k=1.0, out=None), Box(k=2.0, out=None)]",
         "for layer in layers:\n    x = w * x * layer.k\n    layer.out = x\nreturn x",
         look="[layer.out for layer in layers]", most=2),
    _Row("beside a number that changes", "box = Box(k=3.0, h=None)",
         "box.h = w * x * box.k\nreturn box.h + w", "box.k = n", look="box.h", most=FEW),
    _Row("where a flag says so", "box = Box(on=True, h=None)",
         "if box.on:\n    box.h = w * x\nreturn w + x", "box.on = not box.on", look="box.h",
         most=3),
    _Row("and set back by somebody else", "box = Box(h=None)", "box.h = w * x\nreturn w + x",
         "box.h = n", look="box.h", most=3),
    _Row("by object.__setattr__", "box = Box(h=None)",
         "object.__setattr__(box, 'h', w * x)\nreturn w + x", look="box.h", expected=EITHER),
    _Row("by vars().update", "box = Box(h=None)", "vars(box).update(h=w * x)\nreturn w + x",
         look="box.h", expected=EITHER),
    _Row("a list cleared and filled", "hs = []", "hs.clear()\nhs.append(w * x)\nreturn w + x",
         look="list(hs)", expected=EITHER),
    _Row("a list filled by a slice", "hs = [None]", "hs[:] = [w * x]\nreturn w + x",
         look="list(hs)",
         expected=EITHER),
]  # fmt: skip

# --- what nobody can foresee --------------------------------------------------------------------

NUMPY = "import numpy\n"
KINDS["chance"] = [
    _refused("random.random", "import random", "return w * x * random.random()  # here", "random",
             1),
    _refused("random.gauss", "import random", "return w * x * random.gauss(0, 1)  # here", "gauss",
             1),
    _refused("random.choice", "import random", "return w * x * random.choice([1.0, 2.0])  # here",
             "choice", 1),
    _refused("random.shuffle", "import random",
             "ks = [1.0, 2.0, 3.0]\nrandom.shuffle(ks)  # here\nreturn w * x * ks[0]", "shuffle",
             1),
    _refused("a name of random.random", "from random import random",
             "return w * x * random()  # here",
             "random", 1),
    _refused("a generator of one's own", "import random\nrng = random.Random(1)",
             "return w * x * rng.random()  # here", "random", 1),
    _refused("a generator in a model", "import random\nbox = Box(rng=random.Random(1))",
             "return w * x * box.rng.uniform(0, 1)  # here", "uniform", 1),
    _refused("one coin a call", "import random\nrng = random.Random(1)",
             "return w * x if rng.random() < 0.9 else w + x  # here", "random", 1),
    _refused("random by map", "import random\nrng = random.Random(1)",
             "return w * x * sum(map(rng.gauss, [0.0], [1.0]))  # here", "gauss", 1),
    _refused("random by map, in C", "import random\nrng = random.Random(1)",
             "return w * x * sum(map(rng.getrandbits, [3]))  # here", "random", 1),
    _refused("random by sorted", "import random",
             "ks = sorted([1.0, 2.0], key=lambda _: random.random())"
             "  # here\nreturn w * x * ks[0]", "random", 1),
    _refused("random in a default", "import random\ndef g(draw=random.random):\n"
             "    return draw()  # here",
             "w * x * g()", "random", 1),
    _refused("random in a helper of a helper", "import random\ndef h():\n"
             "    return random.random()  # here\n"
             "def g():\n    return h()", "w * x * g()", "random", 1),
    _refused("a generator made inside", "import random",
             "return w * x * random.Random().random()  # here",
             "random", 1),
    _refused("NumPy's random", NUMPY, "return w * x * numpy.random.rand()  # here", "rand", 1),
    _refused("NumPy's generator", NUMPY + "rng = numpy.random.default_rng(1)",
             "return w * x * rng.normal()  # here", "normal", 1),
    _refused("NumPy's generator, an array", NUMPY + "rng = numpy.random.default_rng(1)",
             "return w * x * float(rng.random(3).sum())  # here", "random", 1),
    _refused("NumPy's generator made inside", NUMPY,
             "return w * x * numpy.random.default_rng().random()  # here", "random", 1),
    _refused("NumPy's permutation", NUMPY + "rng = numpy.random.RandomState(1)",
             "return w * x * float(rng.permutation(3)[0])  # here", "permutation", 1),
    _refused("time.time", "import time", "return w * x * (time.time() % 1.0)  # here", "time", 1),
    _refused("time.perf_counter", "import time", "return w * x * time.perf_counter()  # here",
             "perf_counter", 1),
    _refused("time.monotonic", "from time import monotonic", "return w * x * monotonic()  # here",
             "monotonic", 1),
    _refused("a clock that only measures", "import time",
             "start = time.perf_counter()  # here\nz = w * x\nreturn z", "perf_counter", 1),
    _refused("time.sleep", "import time", "time.sleep(0.0)  # here\nreturn w * x", "sleep", 1),
    _refused("datetime.now", "import datetime",
             "return w * x * datetime.datetime.now().microsecond  # here", "now", 1),
    _refused("date.today", "import datetime", "return w * x * datetime.date.today().day  # here",
             "today", 1),
    _refused("os.environ", "import os", "return w * x * len(os.environ['PATH'])  # here",
             "environ", 1),
    _refused("os.environ.get", "import os",
             "return w * x * float(os.environ.get('CFG_WORLD', 1))  # here", "environ", 1),
    _refused("os.getenv", "import os", "return w * x * float(os.getenv('CFG_WORLD', 1))  # here",
             "getenv", 1),
    _refused("os.getcwd", "import os", "return w * x * len(os.getcwd())  # here", "getcwd", 1),
    _refused("os.urandom", "import os", "return w * x * os.urandom(1)[0]  # here", "urandom", 1),
    _refused("os.path.exists", "import os", "return w * x * os.path.exists('/')  # here", "", 1),
    _refused("open", "import os", "with open(os.devnull) as file:  # here\n    return w * x",
             "open", 1),
    _refused("pathlib", "import pathlib", "pathlib.Path('/dev/null').read_text()  # here\n"
             "return w * x",
             "", 1),
    _refused("input", "import builtins", "input()  # here\nreturn w * x", "input", 1),
    _refused("a file in scope", "import io\nfile = io.StringIO('1\\n2\\n')",
             "return w * x * float(file.readline() or 1)  # here", "readline", 1),
    _refused("print", "other = 1.0", "print('a')  # here\nreturn w * x", "print", 1),
    _refused("print of a Value's form", "other = 1.0", "print(type(x))  # here\nreturn w * x",
             "print", 1),
    _refused("sys.stdout.write", "other = 1.0", "sys.stdout.write('a')  # here\nreturn w * x",
             "write", 1),
    _refused("uuid4", "import uuid", "return w * x * (uuid.uuid4().int % 7)  # here", "uuid", 1),
    _refused("secrets", "import secrets", "return w * x * secrets.randbelow(7)  # here", "", 1),
    _refused("logging that is heard", "import logging\nlog = logging.getLogger('cfg_world')\n"
             "log.setLevel(10)\nlog.propagate = False\n"
             "log.handlers = [logging.StreamHandler(sys.stdout)]",
             "log.debug('a')  # here\nreturn w * x", "", 1),
    _refused("warning", "import warnings", "warnings.warn('a')  # here\nreturn w * x", "warn", 1),
    _refused("chance that comes later", "import random\nbox = Box(at=lambda: 3.0)",
             "return w * x * box.at()  # here", "random", 2, change="box.at = random.random"),
    _refused("chance behind a flag", "import random\nbox = Box(on=False)",
             "if box.on:\n    x = x * random.random()  # here\nreturn w * x", "random", 2,
             change="box.on = True"),
]  # fmt: skip

# --- what may be asked in other ways --------------------------------------------------------------

DUCK = "box = Box(k=1.5)\nV = Value"
KINDS["numbers that tell what they are"] = [  # as inputs they would be Values
    _Row("isinstance under another name", DUCK,
         "w * x * (box.k if isinstance(box.k, V) else box.k * 10)", "box.k = n"),
    _Row("isinstance of an attribute's name", DUCK + "\nbox.V = V",
         "w * x * (box.k if isinstance(box.k, (int, box.V)) else box.k * 10)", "box.k = n"),
    _Row("isinstance under a number's name", DUCK + "\nfloat = Value",
         "w * x * (box.k if isinstance(box.k, float) else box.k * 10)", "box.k = n",
         ways=("module",)),
    _Row("isinstance by another name", DUCK + "\nasks = isinstance",
         "w * x * (box.k if asks(box.k, V) else box.k * 10)", "box.k = n"),
    _Row("isinstance by map", DUCK,
         "w * x * (box.k if any(map(isinstance, [box.k], [V])) else box.k * 10)", "box.k = n"),
    _Row("type by another name", DUCK + "\nkind = type",
         "w * x * (box.k if kind(box.k) in (V,) else box.k * 10)", "box.k = n"),
    _Row("match of the kind", DUCK,
         "match box.k:\n    case Value():\n        return w * x\n    case _:\n"
         "        return w * x * box.k", "box.k = n"),
    _Row("hasattr", DUCK, "w * x * (box.k if hasattr(box.k, 'backward') else box.k * 10)",
         "box.k = n"),
    _Row("getattr with a default", DUCK, "w * x * getattr(box.k, 'real', 7.0)", "box.k = n"),
    _Row("getattr by another name", DUCK + "\nask = getattr",
         "w * x * ask(box.k, 'real', 7.0)", "box.k = n", expected=EITHER),
    _Row("callable method", DUCK,
         "w * x * (2.0 if callable(getattr(box.k, 'is_integer', None)) else 3.0) * box.k",
         "box.k = n"),
    _Row("contextlib.suppress", DUCK + "\nimport contextlib",
         "z = 9.0\nwith contextlib.suppress(AttributeError):\n"
         "    z = 1.0 if box.k.is_integer() else 2.0\nreturn w * x * z * box.k", "box.k = n"),
    _Row("a bare except", DUCK, "try:\n    z = 2.0 if box.k.is_integer() else 1.0\n"
         "except:\n    z = 9.0\nreturn w * x * z * box.k", "box.k = n"),
    _Row("finally that returns", DUCK + "\ndef g():\n    z = 9.0\n    try:\n"
         "        z = 2.0 if box.k.is_integer() else 1.0\n    finally:\n        return z",
         "w * x * g() * box.k", "box.k = n"),
    _Row("the dtype of an array of it", DUCK + "\nimport numpy",
         "w * x * (1.0 if numpy.array([box.k]).dtype == float else 9.0) * box.k", "box.k = n"),
    _Row("the dtype of a product", DUCK + "\nimport numpy\nones = numpy.ones(2)",
         "w * x * (1.0 if (ones * box.k).dtype == float else 9.0) * box.k", "box.k = n"),
    _Row("its documentation", DUCK, "w * x * box.k * len(box.k.__doc__)", "box.k = n"),
    _Row("one number in two places", "box = Box(k=1.5, j=1.5)",
         "w * x * box.k if box.k is box.j else w * x * (box.k + box.j)",
         "box.k = n\nbox.j = n"),
    _Row("a mean of statistics", DUCK + "\nimport statistics",
         "w * x * statistics.mean([box.k, 1.0])", "box.k = n"),
    _Row("isinstance of plain kinds", DUCK,
         "w * x * (box.k if isinstance(box.k, (int, float)) else 9.0) * (1 + isinstance(x, list))",
         "box.k = n", most=FEW, ways=tuple(way for way in WAYS if way != "default")),
    # Value is a default there: who knows whether it is asked for. So each number is recorded.
    _Row("isinstance of plain kinds beside Value", DUCK,
         "w * x * (box.k if isinstance(box.k, (int, float)) else 9.0) * (1 + isinstance(x, list))",
         "box.k = n", ways=("default",)),
]  # fmt: skip

LOG = "import logging\nlog = logging.getLogger('cfg_world')\nlog.setLevel(30)\n"
QUIET = "log.propagate = False\nlog.handlers = [logging.StreamHandler(sys.stdout)]\n"
KINDS["Python's own objects"] = [
    _Row("threading.Event", "import threading\nwarm = threading.Event()",
         "w * x * (3.0 if warm.is_set() else 1.0)", "warm.clear() if call % 2 else warm.set()",
         most=3),
    _Row("threading.Event of a subclass", "import threading\nclass E(threading.Event):\n    pass\n"
         "warm = E()", "w * x * (3.0 if warm.is_set() else 1.0)",
         "warm.clear() if call % 2 else warm.set()", most=3),
    _Row("level of a logger", LOG, "w * x * (3.0 if log.isEnabledFor(20) else 1.0)",
         "log.setLevel(10 + 20 * (call % 2))", most=3),
    _Row("level of its parent", LOG + "sub = logging.getLogger('cfg_world.sub')",
         "w * x * (3.0 if sub.isEnabledFor(20) else 1.0)",
         "log.setLevel(10 + 20 * (call % 2))", most=3),
    _Row("getEffectiveLevel", LOG, "w * x * log.getEffectiveLevel() * 0.1",
         "log.setLevel(10 + 20 * (call % 2))", most=3),
    _Row("what all loggers leave out", "import logging\n"
         "them = logging.Manager(logging.RootLogger(10))\nlog = them.getLogger('cfg_world')",
         "w * x * (3.0 if log.isEnabledFor(20) else 1.0)",
         "them.disable = 50 * (call % 2)\nthem._clear_cache()", most=3),
    _Row("a logger that is heard later", LOG + QUIET, "log.debug('a')  # here\nreturn w * x",
         "log.setLevel(10)", "log", by=2),
    _Row("a parent that is heard later", LOG + QUIET + "sub = logging.getLogger('cfg_world.sub')",
         "sub.debug('a')  # here\nreturn w * x", "log.setLevel(10)", "", by=2),
    _Row("a future", "import concurrent.futures\n"
         "job = concurrent.futures.Future()", "w * x * (3.0 if job.done() else 1.0)",
         "if not job.done():\n    job.set_result(1.0)", most=3),
    _Row("the result of a future", "import concurrent.futures\njob = concurrent.futures.Future()\n"
         "job.set_result(1.0)", "w * x * job.result()", "job._result = n"),
    _Row("a queue", "import queue\njobs = queue.Queue()", "w * x * (3.0 if jobs.empty() else 1.0)",
         "jobs.get() if call % 2 else jobs.put(1.0)"),
    _Row("an event that is set inside", "import threading\nwarm = threading.Event()",
         "warm.set()  # here\nreturn w * x", "", "set", by=1),
    _Row("a thread that is alive", "import threading\njob = threading.Thread()",
         "return w * x * (3.0 if job.is_alive() else 1.0)  # here", "", "is_alive", by=1),
]  # fmt: skip

PHASE = "import enum\nclass Phase(enum.Enum):\n    A = 'a'\nPhase.A.k = 1.0"
BASES = (
    "class B0:\n    def at(self):\n        return 1.0\nclass B1(B0):\n    pass\nclass B2(B1):\n"
    "    def at(self):\n        return super().at()\nbox = B2()"
)
LEAF = "class Base:\n    pass\nclass Leaf(Base):\n    pass\nbox = Leaf()"
META = "class M0(type):\n    pass\nclass M1(M0):\n    pass\nclass Leaf(metaclass=M1):\n    pass\n"
HELPER = "def g(y):\n    return y\n"
NAMESPACE = "box = types.SimpleNamespace()"
KINDS["what is asked in other ways"] = [
    _Row("attribute of the function itself", "gs = []",
         "w * x * getattr(gs[0], 'k', 1.0) if gs else w + x", "gs[:] = [f]\nf.k = n", most=8,
         ways=("module",)),
    _Row("attribute of a helper that is absent", HELPER, "g(w * x) * getattr(g, 'k', 1.0)",
         "g.k = n", most=8),
    _Row("attribute of a helper in a try", HELPER + "def h():\n    try:\n        return g.k\n"
         "    except AttributeError:\n        return 1.0", "w * x * h()", "g.k = n", most=8),
    _Row("attribute of a wrapped helper", HELPER + "@functools.wraps(g)\ndef h(*a):\n"
         "    return g(*a)\nh.k = 1.0", "h(w * x) * h.k", "h.k = n"),
    _Row("attribute of a method", "class C:\n    def at(self, y):\n        return y * C.at.k\n"
         "C.at.k = 3.0\nbox = C()", "box.at(w * x) * box.at.k", "C.at.k = n"),
    _Row("attribute of a replay", HELPER + "r = engine.replay(g)\nr.k = 3.0", "r(w * x) * r.k",
         "r.k = n"),
    _Row("attribute of a replay that is absent", HELPER + "r = engine.replay(g)",
         "r(w * x) * getattr(r, 'k', 1.0)", "r.k = n", most=8),
    _Row("documentation of a helper", HELPER + "g.__doc__ = 'a'", "w * x * len(g.__doc__)",
         "g.__doc__ = 'a' * call", most=8),
    _Row("name of a class", "class C:\n    pass", "w * x * len(C.__name__)",
         "C.__name__ = 'a' * call", most=8),
    _Row("arguments of an exception", "class E(Exception):\n    pass\n"
         "e = E(3.0)", "w * x * e.args[0]", "e.args = (n,)", most=8),
    _Row("arguments of a KeyError", "e = KeyError(3.0)", "w * x * e.args[0]", "e.args = (n,)",
         most=8),
    _Row("default of a defaultdict", "import collections\n"
         "ks = collections.defaultdict(lambda: 1.0)", "w * x * ks.default_factory()",
         "ks.default_factory = lambda: n", most=8),
    _Row("attribute of a cache that is absent", "g = functools.cache(lambda: 1.0)",
         "w * x * getattr(g, 'k', 1.0)", "g.k = n", most=8),
    _Row("what a helper wraps", HELPER, "w * x * getattr(g, '__wrapped__', lambda: 1.0)()",
         "g.__wrapped__ = lambda: n", most=8),
    _Row("signature of a helper", "import inspect\n" + HELPER,
         "w * x * len(inspect.signature(g).parameters)",
         "g.__code__ = (lambda y, z=1: y).__code__", expected=EITHER, most=8),
    _Row("default in a signature", "import inspect\ndef g(y=3.0):\n    return y\n",
         "w * x * inspect.signature(g).parameters['y'].default", "g.__defaults__ = (n,)",
         expected=EITHER, most=8),
    _Row("SimpleNamespace, absent", NAMESPACE, "w * x * getattr(box, 'k', 1.0)", "box.k = n",
         most=8),
    _Row("SimpleNamespace, hasattr", NAMESPACE, "w * x if hasattr(box, 'k') else w + x",
         "box.k = n", most=8),
    _Row("SimpleNamespace, in a try", NAMESPACE, "try:\n    return w * x * box.k\n"
         "except AttributeError:\n    return w * x", "box.k = n", most=8),
    _Row("UserDict", "import collections\nks = collections.UserDict(k=3.0)", "w * x * ks['k']",
         "ks['k'] = n", most=8),
    _Row("UserList", "import collections\nks = collections.UserList([3.0])", "w * x * ks[0]",
         "ks[0] = n", most=8),
    _Row("UserString", "import collections\nks = collections.UserString('a')",
         "w * x * len(ks)", "ks.data = 'a' * call", most=8),
    _Row("ChainMap", "import collections\nover = {}\nks = collections.ChainMap(over, {'k': 3.0})",
         "w * x * ks['k']", "over['k'] = n", most=8),
    _Row("subclass of UserDict", "import collections\nclass D(collections.UserDict):\n    pass\n"
         "ks = D(k=3.0)", "w * x * ks['k']", "ks['k'] = n", most=8),
    _Row("nullcontext", "box = contextlib.nullcontext({'k': 3.0})",
         "with box as d:\n    return w * x * d['k']", "box.enter_result['k'] = n", most=8),
    _Row("nullcontext filled anew", "box = contextlib.nullcontext(3.0)",
         "with box as k:\n    return w * x * k", "box.enter_result = n", most=8),
    _Row("closing", "class C:\n    def close(self):\n        pass\nc = C()\nc.k = 3.0\n"
         "box = contextlib.closing(c)", "with box as c:\n    return w * x * c.k",
         "box.thing.k = n", most=8),
    _Row("enum by its value", PHASE, "w * x * Phase('a').k", "Phase.A.k = n", most=8),
    _Row("enum by its name", PHASE, "w * x * Phase['A'].k", "Phase.A.k = n", most=8),
    _Row("enum, all of it", PHASE, "w * x * sum(p.k for p in Phase)", "Phase.A.k = n", most=8),
    _Row("attribute added to a base class", LEAF, "w * x * getattr(box, 'k', 1.0)", "Base.k = n",
         most=8),
    _Row("attribute added to a base, of a class", LEAF, "w * x * getattr(Leaf, 'k', 1.0)",
         "Base.k = n", most=8),
    _Row("attribute added to a metaclass's base", META, "w * x * getattr(Leaf, 'k', 1.0)",
         "M0.k = n", most=8),
    _Row("method added between, behind super()", BASES, "w * x * box.at()",
         "B1.at = lambda self: n", most=8),
    _Row("method replaced behind super()", BASES, "w * x * box.at()", "B0.at = lambda self: n",
         most=8),
    _Row("classmethod added between", BASES.replace("(self)", "(cls)").replace(
        "    def", "    @classmethod\n    def"), "w * x * box.at()",
         "B1.at = classmethod(lambda cls: n)", most=8),
    _Row("singledispatch", "@functools.singledispatch\ndef g(y):\n    return 1.0\n"
         "@g.register\ndef _(y: str):\n    return float(len(y))", "w * x * g('ab')",
         "g.register(str, lambda y: n)", most=8),
    _refused("subclasses", LEAF + "\nLeaf.k = 3.0",
             "return w * x * sum(c.k for c in Base.__subclasses__())  # here", "subclasses", 1),
    _refused("the thread it runs in", "import threading",
             "return w * x * len(threading.current_thread().name)  # here", "current_thread", 1),
    _refused("the number of its thread", "import threading",
             "return w * x * (threading.get_ident() % 7)  # here", "get_ident", 1),
    _refused("a row of a structured array", "import numpy\n"
             "rows = numpy.zeros(2, dtype=[('k', float)])\nrow = rows[0]",
             "return w * x * (1.0 + row['k'])  # here", "void", 1),
    _refused("a database", "import sqlite3\ndb = sqlite3.connect(':memory:')",
             "return w * x * db.execute('select 3.0').fetchone()[0]  # here", "execute", 1),
    _refused("a database that is written", "import sqlite3\ndb = sqlite3.connect(':memory:')\n"
             "db.execute('create table t(x)')",
             "db.execute('insert into t values (1)')  # here\nreturn w * x", "execute", 1),
    _refused("a number of ctypes", "import ctypes\nk = ctypes.c_double(3.0)",
             "return w * x * k.value  # here", "c_double", 1),
    _refused("an array of ctypes", "import ctypes\nks = (ctypes.c_double * 2)(1.0, 3.0)",
             "return w * x * ks[1]  # here", "c_double", 1),
    _refused("a reader of rows", "import csv\nrows = csv.reader(['1.0'] * 99)",
             "return w * x * float(next(rows)[0])  # here", "reader", 1),
    _Row("subclass of partial", "class P(functools.partial):\n    pass\np = P(max, 3.0)",
         "w * x * p(0.0)", "p = type(p)(max, n)", most=8),
    _refused("subclass of a file", "import io\nclass F(io.StringIO):\n    pass\n"
             "file = F('3.0\\n' * 99)", "return w * x * float(next(file))  # here", "F", 1),
    _refused("a thread", "import threading",
             "threading.Thread(target=abs, args=(1,)).start()  # here\nreturn w * x", "thread", 1),
    _refused("a signal", "import signal",
             "signal.signal(signal.SIGUSR1, signal.SIG_DFL)  # here\nreturn w * x", "signal", 1),
    _refused("a process", "import subprocess",
             "subprocess.run(['true'], check=True)  # here\nreturn w * x", "subprocess", 1),
    _refused("a socket", "import socket", "return w * x * len(socket.gethostname())  # here",
             "socket", 1),
    _refused("a setting of the interpreter", "limit = 1000",
             "return w * x * (sys.getrecursionlimit() > 5)  # here", "getrecursionlimit", 1),
]  # fmt: skip

ROWS = [(kind, row) for kind, rows in KINDS.items() for row in rows]
C_ROWS = 8  # the quick suite takes every eighth


@functools.cache
def _ways(row: _Row) -> list[str]:
    """The ways in which a row can be written."""
    sets = assigned(row.setup) & stored(row.body)
    return [way for way in row.ways if not (sets and way == "default")]


def _in_turn(number: int, ways: list[str]) -> list[str]:
    """One of some, another for each row."""
    return [ways[number % len(ways)]] if ways else []


def _cases(backend: str) -> list[Any]:
    """The rows with their ways; those that only `--nightly` tries are marked.

    In Python each commit tries all scopes and in turn one wrap, and each night all; elsewhere it is
    one way, and in C every eighth row, and each night two. A quick run takes some of them; of those
    with a Module of one's own, where all that it reaches is read for seconds, one in all.
    """
    cases = []
    for number, (kind, row) in enumerate(ROWS):
        ways = _ways(row)
        scopes, wraps = ([way for way in ways if way in some] for some in (SCOPES, WRAPS))
        if backend == "python":
            quick, all_ = [*scopes, *_in_turn(number, wraps)], ways
        else:
            quick = _in_turn(number, ways) if backend == "numpy" or number % C_ROWS == 0 else []
            all_ = dict.fromkeys([*quick, *_in_turn(number, scopes), *_in_turn(number, wraps)])
        for way in all_:
            some = pytest.mark.some(120) if MODULE in row.setup else pytest.mark.some(6)
            marks = [some] if way in quick else [pytest.mark.nightly]
            name = f"{kind}-{row.name}-{way}-{backend}"
            cases.append(pytest.param(row, way, backend, id=name, marks=marks))
    return cases


def test_there_are_many_rows():
    names = [(kind, row.name) for kind, row in ROWS]
    assert len(set(names)) == len(names) >= 150


# What changes nothing that can be seen: the same number, a number in another branch ...
STILL = {
    *("set to the same number", "set and set back", "a number that is not used"),
    *("a number read in another branch", "text that is made anew", "fused or not"),
    *(
        "list replaced by an equal one",
        "__call__ of an instance is not asked",
        "lazily built again",
    ),
    *("state that somebody else resets", "and set back by somebody else"),
    *("state that is set to what it was", "a global that is set to what it was"),
}


@pytest.mark.whole
def test_each_change_changes_something():
    for _, row in ROWS:
        if row.change and row.name not in STILL and row.expected in (REPLAYS, EITHER):
            with forgotten():
                changed = list(run(build(row.text, row.ways[0]), row.ways[0], CALLS, NUMBERS))
                same = list(run(build(row.text, row.ways[0]), row.ways[0], CALLS, {}))
            assert repr(changed) != repr(same), row.name


@pytest.mark.filterwarnings("ignore:^a$", "ignore:.*was recorded 9 times")
@pytest.mark.parametrize(
    ("row", "way", "backend"), [case for backend in BACKENDS for case in _cases(backend)]
)
def test_a_call_gives_what_the_plain_function_gives(row, way, backend, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n" * 99))
    outcome = compared(row.text, way, backend, counts=backend == "python")
    assert outcome.wrong is None
    # an input that cannot be one is found by a run that is stopped before it has an effect
    pure = row.expected in (REPLAYS, EITHER)
    assert outcome.runs <= 1 + pure, "the function ran twice in one call"
    if row.expected == REPLAYS:
        assert not outcome.message
        assert 1 <= outcome.made <= row.most
        assert outcome.backend == backend
    elif row.expected != EITHER:
        assert outcome.refused_at is not None, "it was not refused"
        assert outcome.refused_at <= row.by
        assert row.expected in outcome.message
        assert any(line in outcome.message for line in outcome.marked), outcome.message


# --- numbers that change at every call ----------------------------------------------------------

DECAY = "box.k *= 0.9"
ANNEALED = [
    _Row("attribute", "box = Box(k=3.0)", "w * x * box.k", DECAY),
    _Row("slot", "box = Slotted(3.0)", "w * x * box.k", DECAY),
    _Row("property", "box = Thing(3.0)", "w * x * box.double", DECAY),
    _Row("method", "box = Thing(3.0)", "box.scaled(w * x)", DECAY),
    _Row("name", "k = 3.0", "w * x * k", "k *= 0.9"),
    _Row("name of a helper", "k = 3.0\ndef g(y):\n    return y * k", "g(w * x)", "k *= 0.9"),
    _Row("item of a list", "ks = [3.0]", "w * x * ks[0]", "ks[0] *= 0.9"),
    _Row("item of a dict", "ks = {'a': 3.0}", "w * x * ks['a']", "ks['a'] *= 0.9"),
    _Row("module", CONFIG, "w * x * cfg.scale", "cfg.scale *= 0.9"),
    _Row("class attribute", "class C:\n    k = 3.0", "w * x * C.k", "C.k *= 0.9"),
    _Row("dataclass", "import dataclasses\n@dataclasses.dataclass\nclass C:\n    k: float = 3.0\n"
         "cfg = C()", "w * x * cfg.k", "cfg.k *= 0.9"),
    _Row("one minus it", "box = Box(k=0.9)", "w * x * (1 - box.k)", DECAY),
    _Row("it and one minus it", "box = Box(k=0.9)", "box.k * w * x + (1 - box.k) * x", DECAY),
    _Row("in a min", "box = Box(k=3.0)", "w * x * min(1.0, box.k)", DECAY),
    _Row("in a max", "box = Box(k=3.0)", "w * x * max(0.5, box.k)", DECAY),
    _Row("clipped to both sides", "box = Box(k=3.0)", "w * x * max(0.5, min(1.0, box.k))", DECAY,
         most=4),  # the first, and one for each side
    _Row("its square", "box = Box(k=3.0)", "w * x * box.k**2", DECAY),
    _Row("its root", "box = Box(k=3.0)", "w * x * box.k**0.5", DECAY),
    _Row("its exponential", "box = Box(k=3.0)", "w * x * math.exp(-box.k)", DECAY),
    _Row("its negative", "box = Box(k=3.0)", "w * x * -box.k", DECAY),
    _Row("as a divisor", "box = Box(k=3.0)", "w * x / box.k", DECAY),
    _Row("a temperature", "box = Box(k=3.0)", "(w * x / box.k).tanh() * box.k", DECAY),
    _Row("in a loop", "box = Box(k=0.9)", "sum(w * x * box.k**j for j in range(4))", DECAY),
    _Row("product of two", "box = Box(k=3.0, j=2.0)", "w * x * (box.k * box.j)",
         DECAY + "\nbox.j += 0.125"),
    _Row("two of them", "box = Box(k=3.0, j=2.0)", "w * x * box.k + w * box.j",
         DECAY + "\nbox.j += 0.125"),
    _Row("equal to a literal at first", "box = Box(k=2.0)", "w * x * box.k + 2.0 * w", DECAY),
    _Row("equal to one another at first", "box = Box(k=2.0, j=2.0)", "w * x * box.k + w * box.j",
         DECAY),
    _Row("a step counter", "box = Box(t=0)", "w * x / (1 + box.t)", "box.t += 1"),
    _Row("a step counter in a warm-up", "box = Box(t=0)", "w * x * min(1.0, box.t / 10)",
         "box.t += 1"),
    _Row("a cosine", "box = Box(t=0)", "w * x * (0.5 + 0.5 * math.cos(math.pi * box.t / 30))",
         "box.t += 1"),
    _Row("of a module in a list", MODULE + "\nnets = [net]", "nets[0](x) * w", "net.beta *= 0.9"),
    _Row("beside a Value that is set", "box = Box(k=3.0, h=None)",
         "box.h = w * x * box.k\nreturn box.h + w", DECAY, look="box.h"),
    _Row("in a comparison that holds", "box = Box(k=3.0)",
         "w * x * box.k if box.k > 0 else w + x", DECAY),
    _Row("in a comparison with a Value", "box = Box(k=3.0)", "w * x if w * x > box.k else w + x",
         DECAY),
    _Row("alone in the result", "box = Box(k=3.0)", "[w * x * box.k, box.k]", DECAY),
    _Row("beside numbers of math", "box = Box(k=3.0)", "w * x * box.k * math.sqrt(2.0)", DECAY),
    _Row("beside isinstance", "box = Box(k=3.0)",
         "w * x * box.k * (2.0 if isinstance(x, (list, tuple)) else 1.0)", DECAY),
]  # fmt: skip
TOGGLED = [
    _Row("flag", "box = Box(on=True)", "w * x if box.on else w + x", "box.on = not box.on"),
    _Row("flag that is a name", "on = True", "w * x if on else w + x", "on = not on"),
    _Row("train and eval", "class Net:\n    def train(self, on=True):\n        self.on = on\n"
         "net = Net()\nnet.train()", "w * x * 0.5 if net.on else w * x", "net.train(not net.on)"),
    _Row("three modes", "box = Box(mode='a')",
         "{'a': w * x, 'b': w + x, 'c': w - x}[box.mode]", "box.mode = 'abc'[call % 3]"),
    _Row("one of two functions", FS + "box = Box(at=g)", "box.at(w * x)",
         "box.at = h if box.at is g else g"),
    _Row("one of two Values", "a = leaf(1.0)\nb = leaf(2.0)\nbox = Box(v=a)", "box.v * x * w",
         "box.v = b if box.v is a else a"),
    _Row("a flag beside an annealed number", "box = Box(on=True, k=3.0)",
         "w * x * box.k if box.on else w + x", "box.on = not box.on\n" + DECAY),
]  # fmt: skip
ALWAYS = {call: 0.9**call for call in range(2, CALLS + 1)}


@pytest.mark.some(48)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("way", ["module", "closure", "method"])
@pytest.mark.parametrize("row", ANNEALED + TOGGLED, ids=lambda row: row.name)
def test_what_changes_at_every_call_needs_few_recordings(row, way, backend):
    outcome = compared(row.text, way, backend, numbers=ALWAYS, counts=False)
    assert outcome.wrong is None
    assert not outcome.message
    assert 1 <= outcome.made <= max(FEW, row.most if row.most == 4 else 0)
    assert outcome.backend == backend


# --- training -----------------------------------------------------------------------------------

GOES_ON = "training goes on without replay"
DATA = [0.5, 1.0, 0.75], [1.0, -0.5, 0.25]
STEPS = 12
PLACES = ("model", "loss", "penalty")


class _Trained(NamedTuple):
    """What is left after a training."""

    parameters: list[float]
    losses: list[float]
    looked: Any
    error: str
    warned: list[str]
    marked: list[str]


def _total(result: Any) -> Any:
    """The sum of the Values in what a function returned."""
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, list | tuple):
        return sum(map(_total, result))
    return result if isinstance(result, Value | float) else 0.0


def _at_places(world: World, place: str) -> dict[str, Any]:
    """The function of a world as the model, the loss or the penalty of a training."""
    f, w = world.call, world.space["w"]
    settings: dict[str, Any] = {"model": lambda x: w * x, "loss": mse}
    if place == "model":
        settings["model"] = lambda x: _total(f(x)) + w * x
    elif place == "loss":
        settings["loss"] = lambda z, y: (_total(f(z)) + z - y) ** 2
    else:
        settings["penalty"] = lambda _: 0.1 * _total(f(1.5))
    lr = 1e-4 if place == "loss" else 0.01
    return {**settings, "optimizer": SGD(world.leaves, lr=lr, momentum=0.5)}


def _own(world: World, _: str) -> dict[str, Any]:
    """Those that a text names."""
    names = ("model", "loss", "penalty", "lr", "optimizer", "data")
    return {"loss": mse} | {name: world.space[name] for name in names if name in world.space}


def _trained(
    text: Text,
    backend: str,
    settings: Any = _own,
    place: str = "",
    always: bool = False,
    loop: Any = fit,
) -> _Trained:
    """Trains, with the changes made by a callback after steps; `always`: after each."""
    numbers = ALWAYS if always else NUMBERS
    with forgotten(), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        world = build(text, "module")

        def changing(step: Any) -> None:
            call = step.step + 2
            if call in numbers:
                world.change(call, numbers[call])

        given = settings(world, place)
        history, error = None, ""
        try:
            model, loss = given.pop("model"), given.pop("loss")
            more = {"callbacks": [changing], "steps": STEPS, "backend": backend, **given}
            history = loop(model, loss, more.pop("data", DATA), **more)
        except Exception as caught:
            error = type(caught).__name__
        optimizer = given.get("optimizer")
        values = [*world.leaves, *(optimizer.parameters if optimizer else model.parameters())]
        looked: list[Any] = []
        form = told(world.look(), looked)
        looked = [form, *(x.data if isinstance(x, Value) else x for x in looked)]
    losses = history.loss if history else []
    warned = [str(each.message) for each in seen if each.category is not nn.LossExploded]
    return _Trained([v.data for v in values], losses, looked, error, warned, world.marked)


def _check_training(ours: _Trained, eager: _Trained, backend: str, expected: str) -> None:
    assert eager.warned == []
    assert ours.error == eager.error
    is_exact = backend == "python"
    for got, plainly in zip(ours[:3], eager[:3], strict=True):
        assert len(got) == len(plainly)
        for a, b in zip(got, plainly, strict=True):
            assert a == b if isinstance(b, str) else alike(a, b, is_exact)
    if expected == REPLAYS:
        assert ours.warned == []
        return
    assert all(words.startswith(GOES_ON) for words in ours.warned)
    assert len(ours.warned) <= 1
    if expected != EITHER:
        (words,) = ours.warned
        assert expected in words
        assert not ours.marked or any(line in words for line in ours.marked), words


FITTED = [row for kind, row in ROWS if kind not in ("forms", "chance") and "module" in row.ways]


def _fit_cases() -> list[Any]:
    """Rows at one place in turn, in Python every second one; each night all, there everywhere."""
    cases = []
    for (number, row), place, backend in itertools.product(enumerate(FITTED), PLACES, BACKENDS):
        turn = PLACES[number % 3] == place
        if not turn and backend != "python":
            continue
        quick = turn and number % (2 if backend == "python" else 24) == 0
        marks = [] if quick else [pytest.mark.nightly]
        name = f"{row.name}-{place}-{backend}"
        cases.append(pytest.param(row, place, backend, id=name, marks=marks))
    return cases


# Their state comes to rest where steps repeat what they did before: there is nothing to refuse.
RESTS = {"first call only": PLACES, "memory of the last call": ("penalty",)}


@pytest.mark.some(144)
@pytest.mark.filterwarnings("ignore:.*was recorded 9 times")
@pytest.mark.parametrize(("row", "place", "backend"), _fit_cases())
def test_training_sees_what_a_call_sees(row, place, backend):
    eager = _trained(row.text, "eager", _at_places, place)
    ours = _trained(row.text, backend, _at_places, place)
    few = [words for words in ours.warned if "was recorded 9 times" not in words]
    rests = place in RESTS.get(row.name, ())
    _check_training(ours._replace(warned=few), eager, backend, EITHER if rests else row.expected)


# --- models, losses, penalties, schedules, callbacks and optimisers as people write them --------


class _Fit(NamedTuple):
    """What a training is made of, what its callback does, and what must come of it."""

    name: str
    setup: str  # names model, and loss, penalty, lr, optimizer where they are others
    change: str = "pass"
    expected: str = REPLAYS
    look: str = "None"
    always: bool = False

    @property
    def text(self) -> Text:
        return Text(self.name, self.setup, "x", self.change, self.look)


def _net(body: str, init: str = "", name: str = "Net", more: str = "") -> str:
    """A model with a parameter `a` of 1.5."""
    inits, bodies = (code.replace("\n", "\n        ") for code in (init or "pass", body))
    return (
        f"class {name}(nn.Module):\n    def __init__(self):\n        self.a = Value(1.5)\n"
        f"        {inits}\n    def __call__(self, x):\n        {bodies}\n{more}\nmodel = {name}()"
    )


OPTIMIZER = "\noptimizer = nn.SGD(model.parameters(), lr=0.05, momentum=0.5)"
LINE = _net("return self.a * x") + OPTIMIZER
MLP = "model = nn.MLP(1, [3, 1], 'tanh', seed=1)\ninner = model\n" + (
    "model = lambda x: inner([x])\noptimizer = nn.SGD(inner.parameters(), lr=0.05)"
)
RATE = "\nlr = 0.05"


def _mine(body: str, kind: str = "SGD", options: str = "lr=0.05") -> str:
    """A line with an optimiser of one's own."""
    lines = body.replace("\n", "\n    ")
    return (
        _net("return self.a * x")
        + f"\nclass Mine(nn.{kind}):\n    {lines}\noptimizer = Mine(model.parameters(), {options})"
    )


CLIP = "for p in {0}.parameters:\n    p.grad = max(-0.1, min(0.1, p.grad))\n"
FITS = {
    "model": [
        _Fit("annealed attribute", _net("return self.a * x * self.beta", "self.beta = 1.0") + RATE,
             "model.beta *= 0.9", always=True),
        _Fit("one minus it", _net("return self.a * x * (1 - self.beta)", "self.beta = 1.0") + RATE,
             "model.beta *= 0.9", always=True),
        _Fit("clipped", _net("return self.a * x * min(1.0, self.beta)", "self.beta = 1.5") + RATE,
             "model.beta *= 0.9", always=True),
        _Fit("step counter read by the model", _net("return self.a * x / (1 + self.t)",
             "self.t = 0")
             + RATE, "model.t += 1", always=True),
        _Fit("gate that a callback opens",
             _net("return self.a * x if self.on else x + self.a * 0.1",
             "self.on = False") + RATE, "model.on = call > 5"),
        _Fit("train and eval", _net("return self.a * x * (0.5 if self.training else 1.0)",
             "self.training = True") + RATE, "model.training = not model.training", always=True),
        _Fit("curriculum", _net("return sum((self.a * x * k for k in self.ks[: self.n]), self.a)",
             "self.ks, self.n = [0.1, 0.2, 0.3, 0.4], 1") + RATE,
             "model.n = min(4, call // 3 + 1)"),
        _Fit("parameter replaced", _net("return self.a * x + self.b",
             "self.b = Value(1.0)") + RATE, "model.a = Value(n)"),
        _Fit("parameter added", _net("return sum((v * x for v in self.more), self.a)",
             "self.more = []") + RATE, "model.more.append(Value(n))"),
        _Fit("layer swapped",
             MLP, "inner.layers[0] = nn.Layer(1, 3, activation='tanh', seed=call)"),
        _Fit("layer frozen by another list", MLP, "optimizer.lr = 0.05 / call"),
        _Fit("weight pruned", MLP, "inner.layers[0].neurons[call % 3].w[0] = Value(0.0)"),
        _Fit("activation replaced", MLP,
             "for neuron in inner.layers[0].neurons:\n"
             "    neuron._activate = [Value.relu, Value.tanh]"
             "[call % 2]"),
        _Fit("weights set by hand", MLP, "inner.layers[0].neurons[0].w[0].data = n * 0.1"),
        _Fit("model given another body", _net("return self.a * x") + RATE,
             "Net.__call__ = lambda self, x: self.a * x * n"),
        _Fit("call overridden in a subclass of MLP",
             "class Mine(nn.MLP):\n    k = 2.0\n    def __call__(self, x):\n"
             "        return super().__call__(x) * self.k\nmodel = Mine(1, [2, 1], seed=1)\n"
             "data = [[0.5], [1.0]], [1.0, -0.5]" + RATE,
             "model.k = n"),
        _Fit("call overridden in a subclass of Layer",
             "class Mine(nn.Layer):\n    k = 2.0\n    def __call__(self, x):\n"
             "        return [self.k * z for z in super().__call__(x)]\n"
             "inner = nn.MLP(1, [2, 1], seed=1)\ninner.layers[0] = Mine(1, 2, seed=2)\n"
             "model = lambda x: inner([x])\noptimizer = nn.SGD(inner.parameters(), lr=0.05)",
             "inner.layers[0].k = n"),
        _Fit("call overridden in a subclass of Neuron",
             "class Mine(nn.Neuron):\n    k = 2.0\n    def __call__(self, x):\n"
             "        return super().__call__(x) * self.k\n"
             "inner = nn.MLP(1, [2, 1], seed=1)\ninner.layers[0].neurons[0] = Mine(1, seed=2)\n"
             "model = lambda x: inner([x])\noptimizer = nn.SGD(inner.parameters(), lr=0.05)",
             "Mine.k = n"),
        _Fit("call on the instance, which Python does not ask", _net("return self.a * x") + RATE,
             "model.__call__ = lambda x: x * n"),
        _Fit("parameters overridden in a class", _net("return self.a * x + self.b",
             "self.b = Value(1.0)",
             more="    def parameters(self):\n"
             "        return [self.b]") + RATE, look="[model.a, model.b]"),
        _Fit("parameters overridden on the instance",
             _net("return self.a * x + self.b", "self.b = Value(1.0)")
             + "\nmodel.parameters = lambda: [model.b]" + RATE, look="[model.a, model.b]"),
        _Fit("parameters that become others", _net("return self.a * x + self.b",
             "self.b = Value(1.0)")
             + RATE, "model.parameters = lambda: [model.b]", look="[model.a, model.b]"),
        _Fit("lazily built", _net("if self.b is None:\n    self.b = Value(0.5)\n"
             "return self.a * x + self.b",
             "self.b = None") + "\nmodel(1.0)" + OPTIMIZER, look="model.b"),
        _Fit("hidden numbers that a callback reads", _net("self.h = self.a * x\n"
             "return self.h.tanh()",
             "self.h = None") + OPTIMIZER + "\nhs = []", "hs.append(model.h.data)", look="hs",
             always=True),
        _Fit("running mean", _net("z = self.a * x\n"
             "self.mean = 0.9 * self.mean + 0.1 * z.data  # here\n"
             "return z - self.mean", "self.mean = 0.0") + OPTIMIZER, "pass", "", "model.mean"),
        _Fit("running mean of plain numbers",
             _net("self.mean = 0.9 * self.mean + 0.1  # here\nreturn self.a * x * self.mean",
                  "self.mean = 0.0") + OPTIMIZER, "pass", "mean", "model.mean"),
        _Fit("counts its calls", _net("self.calls += 1  # here\nreturn self.a * x",
             "self.calls = 0")
             + OPTIMIZER, "pass", "calls", "model.calls"),
        _Fit("warms up by itself", _net("self.t += 1  # here\n"
             "return self.a * x * min(1.0, self.t / 20)",
             "self.t = 0") + OPTIMIZER, "pass", "t", "model.t"),
        _Fit("collects its outputs", _net("self.seen.append(1)  # here\nreturn self.a * x",
             "self.seen = []") + OPTIMIZER, "pass", "list", "len(model.seen)"),
        _Fit("dropout", "import random\n" + _net("keep = self.rng.random() < 0.5  # here\n"
             "return self.a * x * (2.0 if keep else 0.0) + 0.1 * self.a",
             "self.rng = random.Random(1)")
             + OPTIMIZER, "pass", "random"),
        _Fit("dropout, one coin a step", "import random\nrandom.seed(3)\n"
             + _net("return self.a * x * (0.5 if random.random() < 0.1 else 1.0)  # here")
             + OPTIMIZER,
             "pass", "random"),
        _Fit("dropout that is off", "import random\n" + _net(
             "if self.rate > 0 and self.rng.random() < self.rate:\n    return 0.0 * self.a\n"
             "return self.a * x", "self.rng, self.rate = random.Random(1), 0.0") + OPTIMIZER),
        _Fit("dropout that is turned on", "import random\n" + _net(
             "if self.rate > 0 and self.rng.random() < self.rate:  # here\n"
             "    return 0.1 * self.a\n"
             "return self.a * x", "self.rng, self.rate = random.Random(1), 0.0") + OPTIMIZER,
             "model.rate = 0.5", "random"),
        _Fit("noise of NumPy",
             "import numpy\n" + _net("return self.a * x + self.rng.normal()  # here",
             "self.rng = numpy.random.default_rng(1)") + OPTIMIZER, "pass", "normal"),
        _Fit("a clock", "import time\n" + _net("start = time.perf_counter()  # here\n"
             "return self.a * x")
             + OPTIMIZER, "pass", "perf_counter"),
        _Fit("target network", "import copy\n" + _net("return self.a * x + 0.1 * self.target.a",
             "self.target = Box(a=Value(1.0))") + "\noptimizer = nn.SGD([model.a], lr=0.05)",
             "model.target.a.data = model.a.data", look="model.target.a"),
        _Fit("target network copied",
             "import copy\n" + _net("return self.a * x + 0.1 * self.target.a",
             "self.target = Box(a=Value(1.0))") + "\noptimizer = nn.SGD([model.a], lr=0.05)",
             "model.target = Box(a=copy.deepcopy(model.a))"),
        _Fit("mean of the weights in a callback", LINE + "\nmean = Box(a=0.0)",
             "mean.a = 0.9 * mean.a + 0.1 * model.a.data", look="mean.a", always=True),
        _Fit("isinstance of the input",
             _net("return self.a * x * 2 if isinstance(x, float) else self.a")
             + OPTIMIZER),
        _Fit("attribute that appears",
             _net("return self.a * x * getattr(self, 'k', 1.0)") + OPTIMIZER,
             "model.k = n"),
        _Fit("function of a module", CONFIG + "\ncfg.act = Value.tanh\n"
             + _net("return cfg.act(self.a * x)") + OPTIMIZER,
             "cfg.act = [Value.sigmoid, Value.tanh][call % 2]"),
    ],
    "loss": [
        _Fit("object with a weight", LINE + "\nclass Loss:\n    k = 1.0\n"
             "    def __call__(self, z, y):\n"
             "        return self.k * (z - y) ** 2\nloss = Loss()", "loss.k = n * n"),
        _Fit("object with an annealed weight", LINE + "\nclass Loss:\n    k = 1.0\n"
             "    def __call__(self, z, y):\n        return self.k * (z - y) ** 2\nloss = Loss()",
             "loss.k *= 0.9", always=True),
        _Fit("function of a global", LINE + "\nk = 1.0\ndef loss(z, y):\n"
             "    return k * (z - y) ** 2",
             "k = n * n"),
        _Fit("closure", LINE + "\ndef weighted(box):\n"
             "    return lambda z, y: box.k * (z - y) ** 2\n"
             "box = Box(k=1.0)\nloss = weighted(box)", "box.k = n * n"),
        _Fit("partial", LINE + "\ndef plain_loss(z, y, ks):\n    return ks[0] * (z - y) ** 2\n"
             "ks = [1.0]\nloss = functools.partial(plain_loss, ks=ks)", "ks[0] = n * n"),
        _Fit("its call replaced", LINE + "\nclass Loss:\n    def __call__(self, z, y):\n"
             "        return (z - y) ** 2\nloss = Loss()",
             "Loss.__call__ = lambda self, z, y: n * n * (z - y) ** 2"),
        _Fit("call overridden in a subclass", LINE + "\nclass Base:\n"
             "    def __call__(self, z, y):\n"
             "        return (z - y) ** 2\nclass Loss(Base):\n    k = 2.0\n"
             "    def __call__(self, z, y):\n"
             "        return super().__call__(z, y) * self.k\nloss = Loss()", "Loss.k = n * n"),
        _Fit("switch between two", LINE + "\nhow = 'square'\ndef loss(z, y):\n"
             "    return (z - y) ** 2 if how == 'square' else abs(z - y)",
             "how = 'square' if how == 'abs' else 'abs'"),
        _Fit("label smoothing", LINE + "\nsmooth = [0.0]\ndef loss(z, y):\n"
             "    return (z - (1 - smooth[0]) * y) ** 2", "smooth[0] += 0.05", always=True),
        _Fit("keeps the last", LINE + "\nclass Loss:\n    last = None\n"
             "    def __call__(self, z, y):\n"
             "        self.last = (z - y) ** 2\n        return self.last\nloss = Loss()\nls = []",
             "ls.append(loss.last.data)", look="ls", always=True),
        _Fit("counts", LINE + "\nks = {'n': 0}\ndef loss(z, y):\n    ks['n'] += 1  # here\n"
             "    return (z - y) ** 2", "pass", "dict", "ks['n']"),
        _Fit("isinstance of the target", LINE + "\ndef loss(z, y):\n"
             "    return (z - y) ** 2 if isinstance(y, float) else abs(z)"),
    ],
    "penalty": [
        _Fit("of a global", LINE + "\nk = 0.1\npenalty = lambda model: k * model.a**2",
             "k = n * 0.1"),
        _Fit("annealed", LINE + "\nks = [0.5]\npenalty = lambda model: ks[0] * model.a**2",
             "ks[0] *= 0.9", always=True),
        _Fit("object", LINE + "\nclass P:\n    k = 0.1\n    def __call__(self, model):\n"
             "        return self.k * nn.l2(model.parameters())\npenalty = P()",
             "penalty.k = n * 0.1"),
        _Fit("of more parameters", LINE + "\n"
             "penalty = lambda model: 0.1 * nn.l2(model.parameters())",
             "setattr(model, f'a{call}', Value(n))"),
        _Fit("turned on and off", LINE + "\non = True\n"
             "penalty = lambda model: 0.1 * model.a**2 if on else 0.0 * model.a", "on = not on"),
        _Fit("towards where it was", LINE + "\nwas = [1.0]\n"
             "penalty = lambda model: 0.5 * (model.a - was[0]) ** 2", "was[0] = model.a.data",
             always=True),
        _Fit("of chance", LINE + "\nimport random\nrng = random.Random(1)\n"
             "penalty = lambda model: rng.random() * model.a**2  # here", "pass", "random"),
    ],
    "schedule": [
        _Fit("of a global", LINE + "\nrate = 0.05\nlr = lambda step: rate",
             "rate = 0.01 * (1 + call % 3)"),
        _Fit("of an object", LINE + "\nbox = Box(rate=0.05)\n"
             "lr = lambda step: box.rate / (1 + step)",
             "box.rate = 0.02 * (1 + call % 3)"),
        _Fit("that counts its calls", LINE + "\ncalls = []\ndef lr(step):\n    calls.append(step)\n"
             "    return 0.05 / len(calls)", look="calls"),
        _Fit("of chance", LINE + "\nimport random\nrng = random.Random(1)\n"
             "lr = lambda step: 0.05 * rng.random()"),
        _Fit("of the parameters", LINE + "\nlr = lambda step: 0.05 / (1 + abs(model.a.data))"),
        _Fit("set by a callback", LINE, "optimizer.lr = 0.02 * (1 + call % 3)"),
    ],
    "optimizer": [
        _Fit("momentum set by a callback", LINE, "optimizer.momentum = 0.1 * (call % 5)",
             always=True),
        _Fit("weight decay set by a callback", LINE, "optimizer.weight_decay = 0.1 * (call % 2)"),
        _Fit("nesterov set by a callback", LINE, "optimizer.nesterov = not optimizer.nesterov"),
        _Fit("its memory set by a callback", LINE, "optimizer.velocity = [0.0]"),
        _Fit("step of a subclass", _mine("def step(self):\n"
             + "\n".join("    " + line for line in CLIP.format("self").splitlines())
             + "\n    super().step()"), "pass", EITHER),
        _Fit("step of a subclass of Adam", _mine("def step(self):\n    for p in self.parameters:\n"
             "        p.grad = p.grad * 0.5\n    super().step()", "Adam", "lr=0.05"), "pass",
             EITHER),
        _Fit("step of a subclass that leaves some out", _mine("calls = 0\ndef step(self):\n"
             "    self.calls += 1\n    if self.calls % 2:\n        super().step()"), "pass", EITHER,
             "optimizer.calls"),
        _Fit("step on the instance", LINE + "\nformer = optimizer.step\ndef step():\n"
             + "\n".join("    " + line for line in CLIP.format("optimizer").splitlines())
             + "\n    former()\noptimizer.step = step", "pass", EITHER),
        _Fit("step replaced by a callback", LINE + "\nformer = optimizer.step\ngrads = []\n"
             "def mine():\n"
             "    grads.append(model.a.grad)\n    former()", "optimizer.step = mine",
             EITHER, "grads"),
        _Fit("step of the class replaced by a callback", _mine("pass") + "\ndef mine(self):\n"
             "    for p in self.parameters:\n        p.data -= 0.01 * p.grad",
             "Mine.step = mine", EITHER),
        _Fit("take of a subclass", _mine("def take(self, columns, steps):\n"
             "    data = [min(1.2, x) for x in columns[0]]\n"
             "    super().take([data, *columns[1:]], steps)"), "pass", EITHER),
        _Fit("take on the instance", LINE + "\nformer = optimizer.take\n"
             "optimizer.take = lambda columns, steps: former([[min(1.2, x) for x in columns[0]],"
             " *columns[1:]], steps)", "pass", EITHER),
        _Fit("take that a callback replaces", LINE + "\nformer = optimizer.take\n"
             "def take(columns, steps):\n"
             "    former([[min(1.2, x) for x in columns[0]], *columns[1:]],"
             " steps)", "optimizer.take = take", EITHER),
        _Fit("zero_grad of a subclass", _mine("calls = 0\ndef zero_grad(self):\n"
             "    self.calls += 1\n"
             "    if self.calls % 2:\n        super().zero_grad()", options="lr=0.01"), "pass",
             EITHER,
             "optimizer.calls"),
        _Fit("zero_grad on the instance", LINE + "\noptimizer.zero_grad = lambda: None", "pass",
             EITHER),
        _Fit("moved of a subclass", _mine("k = 0.5\ndef moved(self, ps, gs, memory, rates):\n"
             "    return super().moved(ps, [self.k * g for g in gs], memory, rates)")),
        _Fit("moved of a subclass with a number that changes",
             _mine("k = 0.5\ndef moved(self, ps, gs, memory, rates):\n"
                   "    return super().moved(ps, [self.k * g for g in gs], memory, rates)"),
             "optimizer.k = n * 0.5", EITHER),
        _Fit("moved of a subclass, a global", _mine("def moved(self, ps, gs, memory, rates):\n"
             "    return super().moved(ps, [factor * g for g in gs], memory, rates)") + "\n"
             "factor = 0.5",
             "factor = n * 0.5", EITHER),
        _Fit("moved that a callback replaces", LINE + "\nformer = optimizer.moved\n"
             "def moved(ps, gs, memory, rates):\n"
             "    return former(ps, [0.5 * g for g in gs], memory, rates)",
             "optimizer.moved = moved",
             EITHER),
        _Fit("moved of chance", "import random\n" + _mine("rng = random.Random(1)\n"
             "def moved(self, ps, gs, memory, rates):\n"
             "    return super().moved(ps, [g + self.rng.random() for g in gs], memory, rates)"),
             "pass", EITHER),
        _Fit("rates of a subclass", _mine("def rates(self, steps):\n"
             "    first, *others = super().rates(steps)\n    return (first * 0.5, *others)")),
        _Fit("rates with a number that changes", _mine("k = 0.5\ndef rates(self, steps):\n"
             "    first, *others = super().rates(steps)\n    return (first * self.k, *others)"),
             "optimizer.k = abs(n) * 0.5"),
        _Fit("columns of a subclass", _mine("def columns(self):\n"
             "    return super().columns()"), "pass",
             EITHER),
        _Fit("check of a subclass", _mine("seen = 0\ndef check(self, *given):\n    self.seen += 1\n"
             "    super().check(*given)"), "pass", EITHER),
        _Fit("a property for lr", _mine("k = 1.0\n@property\ndef lr(self):\n"
             "    return self.under * self.k\n"
             "@lr.setter\ndef lr(self, x):\n    self.under = x"), "optimizer.k = 0.5 + call % 2",
             EITHER),
    ],
}  # fmt: skip
LOOPS = {"fit": fit, "gradient_descent": gradient_descent, "sgd": stochastic_gradient_descent}


def _own_cases() -> list[Any]:
    cases = []
    for kind, rows in FITS.items():
        for number, (row, backend) in enumerate(itertools.product(rows, BACKENDS)):
            quick = backend == "python" or number % 12 == 1
            marks = [] if quick else [pytest.mark.nightly]
            cases.append(pytest.param(row, backend, id=f"{kind}-{row.name}-{backend}", marks=marks))
    return cases


@pytest.mark.some(36)
@pytest.mark.filterwarnings("ignore:.*was recorded 9 times")
@pytest.mark.parametrize(("row", "backend"), _own_cases())
def test_training_is_as_without_replay(row, backend):
    eager = _trained(row.text, "eager", always=row.always)
    ours = _trained(row.text, backend, always=row.always)
    _check_training(ours, eager, backend, row.expected)


@pytest.mark.some(6)
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "row", [*FITS["model"][:8], *FITS["loss"][:2], *FITS["penalty"][:2]], ids=lambda row: row.name
)
def test_each_loop_sees_it(row, loop):
    def settings(world: World, _: str) -> dict[str, Any]:
        given = _own(world, "")
        return given if loop == "fit" else {"lr": 0.01} | given

    trained = [
        _trained(row.text, way, settings, always=row.always, loop=LOOPS[loop])
        for way in ("python", "eager")
    ]
    _check_training(*trained, "python", row.expected)


# --- random programs ----------------------------------------------------------------------------

CHUNKS = 4  # in processes of their own, where there are several
AMOUNTS = {"python": (80, 2_000, 50_000), "c": (8, 50, 1_000)}
SMALL = {"c": {"calls": (6, 6), "terms": 2}}  # a C compiler takes its time


@pytest.mark.some(4)
@pytest.mark.filterwarnings("ignore:.*was recorded 9 times")
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("backend", [name for name in AMOUNTS if name in BACKENDS])
def test_random_programs(backend, chunk, amount, figure):
    count, wrong, only_read, refused = amount(*AMOUNTS[backend]), [], 0, 0
    for seed in range(chunk, count, CHUNKS):
        program = random_program(seed, **SMALL.get(backend, {}))
        numbers = {call: 0.5 + 0.25 * call for call in range(2, program.calls + 1)}
        text, way, calls, only_reads = program
        outcome = compared(text, way, backend, calls, numbers, counts=False)
        if outcome.wrong:
            wrong.append(f"program {seed}: {outcome.wrong}")
        only_read += only_reads
        refused += only_reads and (outcome.refused_at is not None or outcome.backend == "eager")
    what = f"random programs beside the plain functions, {backend}"
    figure("h", f"{what}: silent differences", len(range(chunk, count, CHUNKS)), len(wrong), 0)
    figure(
        "h",
        f"{what}: refused of those that only read",
        only_read,
        100 * refused / only_read,
        5,
        "%",
    )
    assert not wrong, f"{len(wrong)} silent differences, such as {wrong[0]}"
    assert refused < 0.05 * only_read


# --- what one would not think of ---------------------------------------------------------------


def sets_kind(box, x):
    box.kind = type(x).__name__


def sets_what_is_no_value(box, x):
    if not isinstance(x, Value):
        box.kind = x


@pytest.mark.parametrize("sets", [sets_kind, sets_what_is_no_value])
def test_what_is_set_by_the_kind_of_a_number_is_refused(sets):
    box, plain, w = Box(kind=None), Box(kind=None), Value(2.0)

    @engine.replay(backend="python")
    def f(x):
        sets(box, x)
        return w * x

    for x in (1.0, 2.0, 3.0):
        sets(plain, x)
        with pytest.raises(ReplayError, match="what kind of thing a number is") as refused:
            f(x)
        assert refused.value.result[0].data == 2.0 * x
        assert box.kind == plain.kind


def test_settings_that_the_package_reads_by_name_are_guarded():
    w = Value(2.0)
    optimizer = nn.SGD([w], lr=0.1, weight_decay=0.5)
    decay = engine.replay(
        lambda x: optimizer.state_dict()["weight_decay"] * w * x, backend="python"
    )
    assert [decay(1.0).data, decay(1.0).data] == [1.0, 1.0]
    optimizer.weight_decay = 0.25
    assert decay(1.0).data == 0.5


@pytest.mark.parametrize("base", [object, nn.Module])
@pytest.mark.parametrize("is_asked", [False, True])
def test_another_dict_of_attributes_is_seen(base, is_asked):
    kind = type("Own", (base,), {} if is_asked else {"k": 1.0})
    w, own = Value(2.0), kind()
    f = engine.replay(
        lambda x: (getattr(own, "k", 1.0) if is_asked else own.k) * w * x, backend="python"
    )
    assert [f(1.0).data, f(1.0).data] == [2.0, 2.0]
    own.__dict__ = {"k": 5.0}
    assert f(1.0).data == 10.0


def test_an_equal_number_compiles_no_guards(monkeypatch):
    box, w = Box(k=1.5, ones=[1.0, 1.0]), Value(2.0)
    f = engine.replay(lambda x: box.k * w * x * box.ones[0], backend="python")
    assert [f(1.0).data, f(2.0).data] == [3.0, 6.0]
    written = []
    monkeypatch.setattr(Guards, "_write", written.append)
    for k in range(5):
        box.k = float("1.5")
        assert f(float(k)).data == 3.0 * k
    assert (written, f.made) == ([], 1)


class _Slots:
    __slots__ = ("k",)


class _Asks(Box):
    def __getattribute__(self, name):
        return object.__getattribute__(self, name)


def _places():
    """Places of each kind that guards are written for, and what sets another thing there."""
    k, v = 1.0, [2.0, Value(3.0)]
    box, own, bare, asks, slots = Box(k=k), nn.Module(), Box(), _Asks(k=k), _Slots()
    base = type("Base", (), {"k": k})
    kind, names, module = type("Kind", (base,), {}), {"k": k}, types.ModuleType("m")
    numbers, mixed, pairs, queue = [1.0, 2.0], list(v), {"a": v}, deque([v])
    variable = ContextVar("variable")
    own.k = slots.k = module.k = k
    variable.set(v)
    closed = (lambda: v).__closure__[0]
    f = lambda x=v: x
    f.k = k
    return [
        *(Cell("attribute", each, "k", k, None) for each in (box, own, asks, f)),
        *(Cell("attribute", each, "j", MISSING, None) for each in (box, bare, own, lambda: 0)),
        Cell("slot", slots, "k", k, None),
        *(Cell("class", each, "k", k, None) for each in (base, kind)),
        Cell("size", base, None, len(vars(base)), None),
        Cell("type", box, None, Box, None),
        Cell("code", f, "__defaults__", f.__defaults__, None),
        Cell("code", f, "__code__", f.__code__, None),
        *(Cell("global", names, name, names.get(name, MISSING), None) for name in ("k", "j")),
        Cell("module", module, "k", k, None),
        *(Cell("items", each, None, tuple(each), None) for each in (numbers, mixed, [], queue)),
        Cell("pairs", pairs, None, (("a",), (v,)), None),
        Cell("pairs", {}, None, ((), ()), None),
        Cell("length", mixed, None, 2, None),
        *(Cell("item", *each, None) for each in ((mixed, 0, v[0]), (pairs, "a", v), (queue, 0, v))),
        Cell("closure", closed, None, v, None),
        Cell("context", variable, None, v, None),
    ]


def _sets_another(cell):
    if cell.kind in SETTABLE:
        put(cell, [9.0])
    elif cell.kind == "size":
        cell.owner.other = 1.0
    elif cell.kind == "type":
        cell.owner.__class__ = _Asks
    elif cell.kind == "code":
        setattr(cell.owner, cell.name, getattr(lambda x=5.0: 7.0, cell.name))
    elif cell.kind == "context":
        cell.owner.set([9.0])
    elif isinstance(cell.owner, dict):
        cell.owner["new"] = 9.0
    else:
        cell.owner.append(9.0)


@pytest.mark.parametrize("k", range(len(_places())))
def test_guards_of_places_need_no_slow_look_while_they_hold(k, monkeypatch):
    cells = _places()
    for some in (cells, cells[k : k + 1]):
        world = Guards(some)
        with monkeypatch.context() as patched:
            patched.setattr(Guards, "_look", lambda self: False)
            assert world.holds()
            assert world.holds()
    _sets_another(cells[k])
    assert not world.holds()


def test_places_whose_numbers_changed_are_told_one_by_one():
    xs, rates, box = [1.0, 2.0, "a"], {"a": 1.0, "b": 2.0}, Box(k=1.0, j=2.0)
    world = Guards([
        *(Cell("attribute", box, name, vars(box)[name], None) for name in "kj"),
        Cell("items", xs, None, tuple(xs), None),
        Cell("pairs", rates, None, (("a", "b"), (1.0, 2.0)), None),
    ])  # fmt: skip
    xs[0], xs[2], rates["b"], box.k = 1.5, "b", 2.5, 1.5
    moved = [(cell.kind, cell.name, cell.value) for cell in world.moved()]
    assert moved == [("attribute", "k", 1.0), ("item", 0, 1.0), ("item", "b", 2.0)]
    rates["c"] = 3.0
    xs.append(3.0)
    assert [cell.name for cell in world.moved()] == ["k"]


def test_what_held_nothing_is_filled():
    def filled(old, new, kind="attribute"):
        return is_filled(Cell(kind, None, None, old, None), new)

    assert filled(MISSING, 1.0)
    assert filled(None, 1.0)
    assert not filled(2.0, 1.0)
    assert filled(("a",), ("a", "b"), "keys")
    assert not filled(("a",), ("b", "a"), "keys")
    xs = [1.0]
    assert filled((("a",), (xs,)), (("a", "b"), (xs, 1.0)), "pairs")
    assert not filled((("a",), (xs,)), (("a", "b"), ([1.0], 1.0)), "pairs")


def test_values_are_compared_as_what_they_are():
    """By one call for many of them: the watch has set what `==` of a Value asks."""
    assert is_plainly_equal(Value(1.0))
    assert is_plainly_equal(fit)
    assert not is_plainly_equal([1.0])
