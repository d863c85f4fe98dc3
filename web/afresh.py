"""What is there before any program, and how it is put back: each program begins from nothing."""

import builtins
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

HOUSE = ("engine", "nn")


def put_back(folder: str = "") -> Callable[[], None]:
    """A function that undoes what a program did to what is there now.

    That is: functions and classes of all modules, attributes of the classes of `engine` and `nn`,
    operations that were defined, and Python's own names. Where a `folder` is given, its files and
    the modules that were read from there go too, and the next program begins in it.

    >>> import math
    >>> undo = put_back()
    >>> right, math.sin = math.sin, None
    >>> undo()
    >>> math.sin is right
    True
    """
    from engine.ops import OPS

    modules = [(one, _callables(vars(one))) for one in _modules()]
    kinds = [(kind, dict(vars(kind))) for kind in _classes_of_the_house()]
    rows, names, deepest = dict(OPS), dict(vars(builtins)), sys.getrecursionlimit()

    def undo() -> None:
        vars(builtins).update(names)
        for module, functions in modules:
            now = vars(module)
            now.update({key: f for key, f in functions.items() if now.get(key) is not f})
        for kind, attributes in kinds:
            _restore(kind, attributes)
        OPS.clear()
        OPS.update(rows)
        sys.setrecursionlimit(deepest)
        if folder:
            _empty(folder)

    return undo


def _modules() -> list[ModuleType]:
    found = [one for name, one in sys.modules.items() if name not in ("__main__", __name__)]
    return [one for one in found if isinstance(one, ModuleType)]


def _classes_of_the_house() -> Iterator[type]:
    for module in _modules():
        if module.__name__.partition(".")[0] in HOUSE:
            own = [thing for thing in vars(module).values() if isinstance(thing, type)]
            yield from (kind for kind in own if kind.__module__ == module.__name__)


def _callables(names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: thing for name, thing in names.items() if callable(thing)}


def _restore(kind: type, before: Mapping[str, Any]) -> None:
    """The attributes of a class; what Python notes there for itself stays."""
    now = dict(vars(kind))
    for name in now.keys() | before.keys():
        is_pythons = name.startswith("__") and not any(callable(d.get(name)) for d in (now, before))
        if is_pythons or now.get(name) is before.get(name):
            continue
        if name in before:
            setattr(kind, name, before[name])
        else:
            delattr(kind, name)


def _empty(folder: str) -> None:
    """Takes away what a program wrote there, and the modules that it read from there."""
    inside = os.path.join(folder, "")
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None)).startswith(inside):
            del sys.modules[name]
    os.chdir(folder)
    for path in Path(folder).iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
