"""Names: which ones a package shows, and what to say when one was mistyped."""

import builtins
import sys
from collections.abc import Collection
from difflib import get_close_matches
from types import ModuleType
from typing import Any


def no_such(what: str, name: object, names: Collection[str]) -> str:
    """Words for a name that is not there: the nearest of those that are, and all of them.

    >>> no_such("activation", "Tanh", ["relu", "tanh"])
    "no activation 'Tanh', did you mean 'tanh'? There are: relu, tanh"
    """
    alike = {known.casefold(): known for known in names}
    typed = str(name).casefold()
    swapped = [known for known in alike if sorted(known) == sorted(typed)]
    near = swapped or get_close_matches(typed, alike, n=1)
    hint = f", did you mean {alike[near[0]]!r}?" if near else "."
    return f"no {what} {name!r:.80}{hint} There are: {', '.join(names)}"


def show(package: dict[str, Any]) -> None:
    """Makes `dir` of a package, given by its globals, show no modules that it is made of.

    `import *` takes the same names, but leaves Python's own alone, such as `sum`. Type checkers do
    not see this: to them what is not in `__all__` could not be imported by name either.

    >>> import math
    >>> package = {"exp": math.exp, "sum": sum, "math": math, "__name__": "engine"}
    >>> show(package)
    >>> package["__all__"], package["__dir__"]()
    (['exp'], ['__name__', 'exp', 'sum'])
    """

    def names() -> list[str]:
        return sorted(
            name
            for name, thing in package.items()
            if not isinstance(thing, ModuleType) and name not in ("__all__", "__dir__")
        )

    package["__all__"] = [
        name for name in names() if name[0] != "_" and not hasattr(builtins, name)
    ]
    package["__dir__"] = names


def moved(**folders: str) -> None:
    """Lets modules of the engine be imported by their former names: each is in a folder now.

    >>> moved(draw="pictures")
    >>> from engine.draw import draw
    """
    for name, folder in folders.items():
        sys.modules[f"engine.{name}"] = sys.modules[f"engine.{folder}.{name}"]
