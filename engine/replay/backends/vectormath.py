"""The functions of mathematics in C: of the text in `vectormath.h` what a program needs."""

import re
from functools import cache
from pathlib import Path

_PATH = Path(__file__).with_name("vectormath.h")
_DEFINITION = re.compile(r"^INLINE \w+ (\w+)\(", re.MULTILINE)


def needed(source: str) -> str:
    """The functions that a source calls, each after those that it calls itself.

    >>> [line for line in needed("v_sigmoid_slope(x)").splitlines() if "INLINE double v_s" in line]
    ['INLINE double v_sigmoid(double x)', 'INLINE double v_sigmoid_slope(double x)']
    """
    first, functions = _parts()
    wanted = _names(source)
    for name, text in reversed(functions.items()):
        if name in wanted:
            wanted |= _names(text)
    return "\n\n".join([first, *(text for name, text in functions.items() if name in wanted)])


def names() -> list[str]:
    """What there is, by the names in Python.

    >>> "exp" in names(), "lgamma" in names()
    (True, False)
    """
    return [name.removeprefix("v_") for name in _parts()[1]]


def text(name: str) -> str:
    """The text of a function, its comment with it; of none what all functions need.

    >>> text("v_bits").splitlines()[1]
    'INLINE uint64_t v_bits(double x)'
    """
    first, functions = _parts()
    return functions[name] if name else first


def _names(text: str) -> set[str]:
    return {*re.findall(r"\bv_\w+", text)}


@cache
def _parts() -> tuple[str, dict[str, str]]:
    """What all functions need, and their texts by their names."""
    parts = _PATH.read_text(encoding="ascii").strip().split("\n\n")
    (first,) = [text for text in parts if text.startswith("#define")]
    names = [(_DEFINITION.search(text), text) for text in parts]
    return first, {found[1]: text for found, text in names if found}
