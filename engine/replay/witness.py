"""Which code runs in a call, and whether it calls what a replay cannot repeat."""

from __future__ import annotations

import contextlib
import dis
import gc
import os
import sys
import sysconfig
from collections import defaultdict, deque
from collections.abc import Callable, Container, Mapping
from functools import cache, lru_cache
from itertools import pairwise
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple, cast

from engine import operators
from engine.operators import GENERATED

HOUSE = os.path.join(os.path.dirname(os.path.abspath(operators.__file__)), "")
_PATHS = sysconfig.get_paths()
_LIBRARIES = {_PATHS["stdlib"], _PATHS["platstdlib"], os.path.dirname(dis.__file__)}  # or a zip
_PYTHON = tuple(os.path.join(folder, "") for folder in _LIBRARIES)
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_DECORATED = contextlib.__file__  # a call of what `no_grad` decorates stands there
_NETS = os.path.join(os.path.dirname(os.path.dirname(HOUSE)), "nn", "")
MODULES = f"{_NETS}module.py"

# C functions whose results depend on the world, or which change it: modules, and single names.
_MODULES = {
    *("_io", "io", "_random", "time", "_queue", "mmap", "fcntl", "termios", "readline", "syslog"),
    *("posix", "nt", "msvcrt", "_winapi", "winreg", "winsound", "pwd", "grp", "spwd", "nis"),
    *("_posixsubprocess", "_multiprocessing", "_posixshmem", "_xxsubinterpreters", "_asyncio"),
    *("_socket", "_ssl", "select", "_overlapped", "_signal", "signal", "atexit", "resource"),
    *("_sqlite3", "sqlite3", "_dbm", "_gdbm", "_ctypes", "_curses", "_curses_panel", "_tkinter"),
    *("_uuid", "_locale", "ossaudiodev", "gc", "faulthandler", "_tracemalloc", "_lsprof"),
    *("_interpreters", "_interpchannels", "_interpqueues", "_remote_debugging"),
}
_NAMES = {
    *(("builtins", name) for name in ("input", "print", "open", "breakpoint")),
    *(("datetime", name) for name in ("now", "today", "utcnow")),
    *(("_warnings", name) for name in ("warn", "warn_explicit")),
    *(("_thread", name) for name in ("start_new_thread", "start_new", "start_joinable_thread")),
    *(("_thread", name) for name in ("get_ident", "get_native_id", "_count", "stack_size")),
    *(("_thread", name) for name in ("interrupt_main", "locked", "daemon_threads_allowed")),
    *(("_csv", name) for name in ("register_dialect", "unregister_dialect", "field_size_limit")),
    *(("_codecs", name) for name in ("register", "unregister", "register_error")),
    *(("_weakref", name) for name in ("getweakrefcount", "getweakrefs")),
    *(("_contextvars", name) for name in ("copy_context",)),
}
_FIXED = {  # of modules that otherwise depend on it
    "sys": {
        *("intern", "exc_info", "exception", "getsizeof", "audit", "getdefaultencoding"),
        *("_getframe", "_getframemodulename", "is_finalizing", "displayhook", "excepthook"),
    },
}
_OF_ALL_CLASSES = {"__subclasses__"}
# Python's own that asks for the thread it runs in only to come out of a loop.
_ASKS_THREAD = {"reprlib.py", "dataclasses.py"}
# Python's own code that does, written in Python: os.environ, and what wakes another thread.
_WORLDLY = (
    *("_Environ.", "Condition.notify", "Condition.wait"),
    *("Thread.start", "Thread.join", "Thread.is_alive"),
)

# Who names one of these may read any attribute of what it reaches; who calls one of those by a
# text in the code reads this one.
_AROUND = {
    *("__dict__", "__getattribute__", "__setattr__", "__delattr__", "attrgetter", "methodcaller"),
    *("asdict", "astuple", "deepcopy", "getmembers", "getattr_static"),
}
_AROUND_AS_GLOBALS = _AROUND | {"vars", "dir", "eval", "exec", "replace", "copy", "attributes_of"}
# Who names one of these may ask where a Value comes from, and which one it is.
_LOOKS_BEHIND = {
    *("id", "op", "_op", "parents", "_prev", "x", "y", "toposort"),
    *("grad", "jacobian", "hessian", "hvp", "jvp"),
}
_BY_TEXT = {"getattr", "hasattr", "setattr", "delattr"}


# Whom a number outside must not meet as a Value: what names one of these may tell them apart.
_ASKS_KIND = {"type", "getattr", "hasattr", "callable"}
_TELLS_KIND = {
    *("__doc__", "__module__", "__dir__", "__sizeof__", "__reduce__", "__reduce_ex__"),
    *("__slots__", "dtype", "itemsize", "nbytes"),
}
KINDS = {  # a Value in place of a number says of these what the number says
    *("int", "float", "complex", "bool", "str", "bytes"),
    *("list", "tuple", "dict", "set", "frozenset"),
}
# C functions to which it is as its number, or which fail: by their modules, and the exceptions.
_NUMERIC = {
    "builtins": {
        *("abs", "all", "any", "divmod", "isinstance", "iter", "len", "max", "min", "pow"),
        *("round", "sorted", "sum", "__build_class__"),
    },
    "_functools": {"reduce"},
    "_operator": {
        *("abs", "add", "and_", "contains", "delitem", "eq", "floordiv", "ge", "getitem", "gt"),
        *("iadd", "imul", "index", "isub", "itruediv", "le", "lt", "matmul", "mod", "mul", "ne"),
        *("neg", "not_", "or_", "pos", "pow", "setitem", "sub", "truediv", "truth"),
    },
}
_NUMERIC_BUT = {"math": {"prod", "sumprod"}}
_CONTAINERS = (list, tuple, dict, set, frozenset, str, bytes, deque)
# Python's own code that does not look at the numbers that pass through it.
_BLIND = (
    "<frozen",
    *(
        os.path.join(path, name)
        for path in _PYTHON
        for name in (
            "enum.py",
            "functools.py",
            "logging",
            "threading.py",
            "types.py",
            "typing.py",
        )
    ),
)

_ASKS = (getattr, hasattr, vars, dir)
_FORMATS = ("format", "format_map")  # "{0.k}".format(box)
_BY_ANY_NAME = {"copy.py", "dataclasses.py", "inspect.py", "operator.py", "pprint.py", "reprlib.py"}
_ANY_GLOBAL = {"globals", "__globals__"}
_BY_IMPORT = {"import_module", "__import__"}


class Names(NamedTuple):
    """What a piece of code asks for by name."""

    globals: frozenset[str]
    attributes: frozenset[str]
    set_attributes: frozenset[str]
    set_globals: frozenset[str]
    modules: frozenset[str]
    variables: frozenset[str]  # of enclosing functions, that are read
    set_variables: frozenset[str]
    filled: frozenset[str]  # named only to set an item, as in `notes["h"] = h`
    absent: frozenset[str]  # attributes that may be missing: asked for in a try, or by hasattr
    looks_around: bool  # vars(x), getattr(x, name): at any attribute
    reads_globals: bool  # by texts, as in globals()["k"]
    asks_identity: bool  # `is` between things, id(), where a Value comes from
    asks_kind: bool  # type(x), getattr(x, "k", 0), try, with: a number and a Value differ there
    lines: Mapping[str, int]  # where each name and text stands first
    set_lines: Mapping[str, int]  # where each name is set


@lru_cache(maxsize=4096)
def names_of(code: CodeType) -> Names:
    """The names in a code object, not those in functions that it makes.

    >>> names = names_of((lambda box: box.scale * weight).__code__)
    >>> names.globals, names.attributes
    (frozenset({'weight'}), frozenset({'scale'}))
    """
    found: dict[str, set[str]] = defaultdict(set)
    lines: dict[str, int] = {}
    set_lines: dict[str, int] = {}
    line = code.co_firstlineno
    steps = [s for s in dis.get_instructions(code) if s.opname not in ("CACHE", "PUSH_NULL")]
    for step in steps:
        name, does = step.argval, step.opname
        line = (step.positions and step.positions.lineno) or line
        if does in _KINDS:
            found[_KINDS[does]].add(name)
            lines.setdefault(name, line)
            if does.startswith("STORE"):
                set_lines[name] = line
        elif does == "LOAD_CONST" and isinstance(name, str):
            lines.setdefault(name, line)
    globals_, attributes = found["globals"], found["attributes"]
    matches = any(step.opname == "MATCH_CLASS" for step in steps)
    asked = [_text_asked(steps, k) for k, s in enumerate(steps) if _is_by_text(s)]
    around = bool(attributes & _AROUND or globals_ & _AROUND_AS_GLOBALS) or None in asked
    around = around or matches  # by __match_args__
    texts = {text for text in asked if text}
    if (globals_ | attributes) & _BY_IMPORT:
        found["modules"] |= {text for text in code.co_consts if isinstance(text, str)}
    if around:
        texts |= {text for constant in code.co_consts for text in _texts(constant)}
    tries = any(step.opname == "PUSH_EXC_INFO" for step in steps)  # also for `with`
    asks = any(
        step.opname == "IS_OP" and former.opname != "LOAD_CONST" for former, step in pairwise(steps)
    )
    is_instance = not all(_is_of_kind(steps, k) for k, s in enumerate(steps) if _is_isinstance(s))
    asks_kind = bool(globals_ & _ASKS_KIND or attributes & _TELLS_KIND) or is_instance
    return Names(
        globals=frozenset(globals_),
        attributes=frozenset(attributes | texts),
        set_attributes=frozenset(found["set_attributes"]),
        set_globals=frozenset(found["set_globals"]),
        modules=frozenset(found["modules"]),
        variables=frozenset(found["variables"]),
        set_variables=frozenset(found["set_variables"]),
        filled=_filled(steps),
        absent=frozenset(texts | attributes if tries else texts),
        looks_around=around,
        reads_globals=bool((globals_ | attributes) & _ANY_GLOBAL),
        asks_identity=asks or bool((globals_ | attributes) & _LOOKS_BEHIND),
        asks_kind=asks_kind or asks or tries or matches,
        lines=lines,
        set_lines=set_lines,
    )


_KINDS = {  # what an instruction does with a name
    **dict.fromkeys(("LOAD_GLOBAL", "LOAD_NAME"), "globals"),
    **dict.fromkeys(("STORE_GLOBAL", "DELETE_GLOBAL"), "set_globals"),
    **dict.fromkeys(("STORE_ATTR", "DELETE_ATTR"), "set_attributes"),
    **dict.fromkeys(("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"), "attributes"),
    **dict.fromkeys(("LOAD_SUPER_ATTR", "LOAD_SUPER_METHOD"), "attributes"),
    **dict.fromkeys(("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"), "variables"),
    **dict.fromkeys(("STORE_DEREF", "DELETE_DEREF"), "set_variables"),
    **dict.fromkeys(("LOAD_FAST", "LOAD_FAST_BORROW"), "own"),
    "IMPORT_NAME": "modules",
}


_CALLS = ("PRECALL", "CALL")


def _is_by_text(step: dis.Instruction) -> bool:
    return step.opname == "LOAD_GLOBAL" and step.argval in _BY_TEXT


def _text_asked(steps: list[dis.Instruction], start: int) -> str | None:
    """The text that a call such as `getattr(x, "k")` has; None where it is computed."""
    depth = 0  # of the operands of the call
    for k in range(start + 1, len(steps) - 2):
        step, then = steps[k], zip((2, 3), steps[k + 1 : k + 3], strict=True)
        if "JUMP" in step.opname:
            return None
        if depth == 1 and step.opname == "LOAD_CONST" and type(step.argval) is str:
            ends = any(s.arg == count and s.opname in _CALLS for count, s in then)
            return step.argval if ends else None
        depth += dis.stack_effect(step.opcode, step.arg, jump=False)
        if depth < 0:
            return None
    return None


def _is_isinstance(step: dis.Instruction) -> bool:
    return step.opname in _KINDS and step.argval == "isinstance"


def _is_of_kind(steps: list[dis.Instruction], start: int) -> bool:
    """Whether a call such as `isinstance(x, (int, float))` asks for KINDS alone."""
    depth = 0  # of the operands of the call
    kinds = True  # whether what stands on the first operand is KINDS
    for step, then in pairwise(steps[start + 1 :]):
        if "JUMP" in step.opname:
            return False
        if depth == 1:
            kinds = True
        if step.opname == "LOAD_GLOBAL":
            kinds = kinds and step.argval in KINDS
        elif step.opname != "BUILD_TUPLE":
            kinds = False
        depth += dis.stack_effect(step.opcode, step.arg, jump=False)
        if depth == 2 and kinds and then.opname.startswith(("PRECALL", "CALL")):
            return True
        if depth < 0:
            return False
    return False


def _filled(steps: list[dis.Instruction]) -> frozenset[str]:
    """The names that are loaded only to set an item of what they name."""
    fills: set[str] = set()
    others: set[str] = set()
    for step, key, then in zip(steps, steps[1:], [*steps[2:], steps[-1]], strict=False):
        if step.opname.startswith("LOAD") and step.opname in _KINDS:
            is_filled = key.opname in ("LOAD_CONST", "LOAD_FAST") and then.opname == "STORE_SUBSCR"
            (fills if is_filled else others).add(step.argval)
    return frozenset(fills - others)


def _texts(constant: object) -> list[str]:
    if isinstance(constant, str):
        return [constant] if constant.isidentifier() else []
    if isinstance(constant, (tuple, frozenset)):
        return [text for part in constant for text in _texts(part)]
    return []


@lru_cache(maxsize=4096)
def within(code: CodeType) -> tuple[CodeType, ...]:
    """A code object and those of the functions that it makes."""
    inner = [
        c for constant in code.co_consts if type(constant) is CodeType for c in within(constant)
    ]
    return code, *inner


@lru_cache(maxsize=4096)
def is_library(code: CodeType) -> bool:
    """Whether nobody changes such code between two calls: the engine, Python's own, NumPy."""
    file = code.co_filename
    if file.startswith((HOUSE, GENERATED, "<frozen")):
        return True
    is_package = any(part in file for part in _PACKAGES)
    if is_package:
        return f"{os.sep}numpy{os.sep}" in file
    return file.startswith(_PYTHON)


@lru_cache(maxsize=4096)
def is_installed(code: CodeType) -> bool:
    """Whether it is a package's: too much to walk through before it has run."""
    file = code.co_filename
    return any(part in file for part in _PACKAGES) and not file.startswith(_NETS)


_ALWAYS_THE_SAME = {"fspath"}


@lru_cache(maxsize=4096)
def is_ours(code: CodeType) -> bool:
    """Whether it is of this project's nets, which take numbers and Values alike."""
    return code.co_filename.startswith(_NETS)


@cache
def _depends(module: str | None, name: str) -> str:
    """The name of a C function that depends on the world; empty for others."""
    if name in _ALWAYS_THE_SAME:
        return ""
    is_changing = name not in _FIXED[module] if module in _FIXED else module in _MODULES
    if is_changing or (module, name) in _NAMES or name in _OF_ALL_CLASSES:
        return f"{module}.{name}" if module != "builtins" else name
    return ""


def is_house(file: str) -> bool:
    """Whether a file is of this project."""
    return file.startswith((HOUSE, _NETS))


def outside() -> int:
    """How many calls up the stack the user's line is, for `warnings.warn` where this is called."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and (is_house(file := frame.f_code.co_filename) or file == _DECORATED):
        level, frame = level + 1, frame.f_back
    return level


def depends_on_the_world(called: Any) -> str:
    """Its name, where it is a C function that depends on the world or changes it."""
    owner = getattr(called, "__self__", None)
    if owner is None or type(owner) is ModuleType:
        return _depends(called.__module__, called.__name__)
    kind = owner if isinstance(owner, type) else type(owner)
    for each in kind.__mro__:
        found = _depends(each.__module__, called.__name__)
        if found:
            return "random" if each.__module__ == "_random" else found
    return ""


def is_made_by_library(code: CodeType, its_globals: dict[str, Any]) -> bool:
    """Whether it is such as the `__new__` of a named tuple, or a method of a dataclass of ours."""
    home = str(its_globals.get("__name__", ""))
    return code.co_filename == "<string>" and home.startswith(("namedtuple_", "engine.", "nn."))


@cache
def _is_numeric(module: str | None, name: str) -> bool:
    """Whether a C function does with a Value what it does with its number, or fails."""
    if module in _NUMERIC_BUT:
        return name not in _NUMERIC_BUT[module]
    return name in _NUMERIC.get(module or "", ())


def _is_blind(called: Any) -> bool:
    """The same, of methods too: containers compare and hash, which is seen."""
    owner = getattr(called, "__self__", None)
    if owner is None or type(owner) is ModuleType:
        return _is_numeric(called.__module__, called.__name__)
    return isinstance(owner, _CONTAINERS)


class Stopped(BaseException):
    """A run with Values in the place of numbers outside ends here: it is to be made without them.

    `is_for_good`: such Values cannot be there at any call.
    """

    def __init__(self, is_for_good: bool) -> None:
        super().__init__("a number outside is not used as a Value could be")
        self.is_for_good = is_for_good


class Witness:
    """Inside `with Witness() as seen:` notes what runs in this thread.

    A profiler waits as long (cProfile goes on from Python 3.12 on), and so does the garbage
    collector: what it calls in between (`gc.callbacks`, a `__del__`) is not the function's.

    >>> with Witness() as seen:
    ...     _ = sorted([2, 1], key=lambda x: -x)
    >>> [code.co_name for code in seen.codes]
    ['<lambda>']
    """

    def __init__(self, known: Container[CodeType] | None = None) -> None:
        """With `known` code it raises Stopped before other code runs, and before a C function is
        called that tells a Value from a number, depends on the world or changes it.
        """
        self._allowed = known
        self.codes: dict[CodeType, dict[str, Any]] = {}  # with their globals
        self.library: set[CodeType] = set()  # Python's own that ran
        self.refused: list[tuple[str, str]] = []  # what was called, and the line
        # Of code by its id, since a hash of it reads all its constants.
        self._known: dict[int, tuple[CodeType, bool]] = {}  # whether it is a library's
        self._quiet: set[int] = set()  # whose calls of C need no look
        self._worldly: set[int] = set()
        self.looks_around = False

    def __enter__(self) -> Witness:
        self._before, self._collects = sys.getprofile(), gc.isenabled()
        gc.disable()
        sys.setprofile(self._watch())
        return self

    def __exit__(self, *_: object) -> None:
        before: Any = self._before
        if before is not None and not callable(before):  # cProfile's
            sys.setprofile(None)
            before.enable()
        else:
            sys.setprofile(before)
        if self._collects:
            gc.enable()

    def _watch(self) -> Callable[[FrameType, str, Any], None]:
        """What a profile calls at each call and return: hundred thousands of times, so plain."""
        known, quiet, worldly = self._known, self._quiet, self._worldly

        def see(frame: FrameType, event: str, arg: Any) -> None:
            if event == "call":
                code = id(frame.f_code)
                if code not in known:
                    self._meet(frame.f_code, frame)
                if worldly and code in worldly:
                    self._refuse(frame.f_code.co_qualname, frame)
            elif event == "c_call" and id(frame.f_code) not in quiet:
                self._called(frame.f_code, frame, arg)

        return see

    def _called(self, code: CodeType, frame: FrameType, arg: Any) -> None:
        """A function written in C is called."""
        if arg in _ASKS or getattr(arg, "__name__", "") in _FORMATS:
            is_named = names_of(code).globals & (_BY_TEXT | _AROUND_AS_GLOBALS)
            _, is_library = self._known.get(id(code), (code, False))
            by_any_name = os.path.basename(code.co_filename) in _BY_ANY_NAME
            self.looks_around |= by_any_name if is_library else not is_named
        found = depends_on_the_world(arg)
        if found == "_thread.get_ident" and os.path.basename(code.co_filename) in _ASKS_THREAD:
            return
        if found:
            self._refuse(found, frame)
        elif self._allowed is not None:
            _, is_library = self._known.get(id(code), (code, False))
            is_unseen = arg is isinstance and "isinstance" not in names_of(code).globals
            if not is_library and (is_unseen or not _is_blind(arg)):
                raise Stopped(is_for_good=True)

    def _meet(self, code: CodeType, frame: FrameType) -> None:
        library = is_library(code) or is_made_by_library(code, frame.f_globals)
        self._known[id(code)] = code, library
        if self._allowed is not None:
            self._allow(code, library, frame)
        if library:
            if code.co_filename.startswith((HOUSE, GENERATED, "<frozen importlib")):
                self._quiet.add(id(code))
            elif code.co_filename.startswith(_PYTHON):
                self.library.add(code)
            if code.co_qualname.startswith(_WORLDLY):
                self._worldly.add(id(code))
        elif is_ours(code):
            self.codes[code] = frame.f_globals
            self._quiet.add(id(code))
        elif code.co_name != "<module>" or code.co_filename.startswith("<"):
            self.codes[code] = frame.f_globals

    def _allow(self, code: CodeType, library: bool, frame: FrameType) -> None:
        """Raises Stopped where code must not run with Values in the place of numbers outside."""
        if not library and not is_ours(code) and code not in cast("Any", self._allowed):
            raise Stopped(is_for_good=False)
        caller: FrameType | None = frame
        while caller and is_library(caller.f_code):
            if caller.f_code.co_filename.startswith((HOUSE, GENERATED, *_BLIND)):
                return
            caller = caller.f_back
        if library and not is_made_by_library(code, frame.f_globals):
            raise Stopped(is_for_good=True)

    def _refuse(self, what: str, frame: FrameType) -> None:
        line = ""
        step: FrameType | None = frame
        while step:
            code = step.f_code
            if code.co_filename.startswith("<frozen importlib"):
                return  # a module is read for the first time
            if not line and not is_library(code):
                line = f"{code.co_filename}:{step.f_lineno}"
            elif not line:  # as the user called it
                is_made = code.co_name == "__init__"
                name = code.co_qualname.removesuffix(".__init__") if is_made else code.co_name
                what = f"{step.f_globals.get('__name__', '')}.{name}"
            step = step.f_back
        if self._allowed is not None:
            raise Stopped(is_for_good=False)
        self.refused.append((what, line))
