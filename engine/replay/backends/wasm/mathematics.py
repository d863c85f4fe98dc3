"""The functions of mathematics as trees: read from the C of `vectormath.h`, their one home.

What stands there is arithmetic, bits and choices, one spelling for each. So the C of an expression
is that of Python but for choices, casts and pointers, and Python's own parser reads it.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from engine.replay.backends import vectormath

_HEAD = re.compile(r"^INLINE (\w+) \w+\((.*?)\)", re.MULTILINE)
_DECLARED = re.compile(r"(?:const )?(?:double|uint64_t|int) (.*)")
_ASSIGNED = re.compile(r"\*?(\w+) (-?)= (.*)")
_FUSED = re.compile(r"#if .*?#else\n(.*?)#endif", re.DOTALL)  # WebAssembly rounds twice
_SPELLED = (
    (r"/\*.*?\*/", ""),
    (r"\((?:uint64_t|int)\)", ""),  # casts: a number knows what it is
    (r"[&*](?=[a-z])", ""),  # pointers: a name stands for what is there
    (r"!(?!=)", "~"),
)


class Written(NamedTuple):
    """A function: its parameters, those that are pointers, statements in turn, what it gives."""

    parameters: list[str]
    pointers: list[str]
    statements: list[tuple[str, ast.expr]]
    value: ast.expr


@cache
def written(name: str) -> Written:
    """What the text says of a function.

    >>> written("v_expm1").parameters, ast.unparse(written("v_sigmoid_slope").value)
    (['x'], 'v_fused(-s, s, s)')
    """
    text = _FUSED.sub(r"\1", vectormath.text(name))
    for spelled, plain in _SPELLED:
        head, _, body = text.partition("\n{")
        text = f"{head}\n{{{re.sub(spelled, plain, body, flags=re.DOTALL)}"
    found = _HEAD.search(text)
    declared = found[2].split(", ") if found else []
    parameters = [re.findall(r"\w+$", each)[0] for each in declared]
    pointers = [p for p, each in zip(parameters, declared, strict=True) if "*" in each]
    body = text[text.index("\n{") + 2 : text.rindex("}")]
    statements: list[tuple[str, ast.expr]] = []
    for statement in map(str.strip, body.split(";")):
        if statement.startswith("return "):
            return Written(parameters, pointers, statements, _tree(statement[7:]))
        if not statement.startswith("if"):  # a way by the library of C
            statements += _assigned(" ".join(statement.split()))
    raise ValueError(f"{name} in vectormath.h returns nothing")


@cache
def constants() -> dict[str, float]:
    """The numbers that the text names.

    >>> constants()["SHIFT"]
    6755399441055744.0
    """
    named = re.findall(r"#define (\w+) ([\d.e+-]+)", vectormath.text(""))
    return {name: float(x) for name, x in named} | {"INFINITY": float("inf"), "NAN": float("nan")}


def _assigned(statement: str) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement gives values to."""
    declared = _DECLARED.fullmatch(statement)
    for part in _parts(declared[1], ",") if declared else [statement]:
        found = _ASSIGNED.fullmatch(part.strip())
        if found:
            name, less, value = found.groups()
            yield name, _tree(f"{name} - ({value})" if less else value)


def _tree(text: str) -> ast.expr:
    return ast.parse(_python(text), mode="eval").body


def _python(text: str) -> str:
    """An expression as Python writes it.

    >>> _python("f(a > 1 ? x : y, 2) * (b ? c : d ? e : f)")
    'f(x if a > 1 else y, 2) * (c if b else e if d else f)'
    """
    condition, *rest = _parts(text, "?", 1)
    if rest:
        body, other = _branches(rest[0])
        return f"{_python(body)} if {_python(condition)} else {_python(other)}"
    made, at = "", 0
    while (start := text.find("(", at)) >= 0:
        stop = _end(text, start)
        inside = ", ".join(map(_python, _parts(text[start + 1 : stop], ",")))
        made, at = f"{made}{text[at:start]}({inside})", stop + 1
    return (made + text[at:]).strip()


def _branches(text: str) -> tuple[str, str]:
    """What stands before and after the colon that belongs to a question before it."""
    parts, open_ = _parts(text, ":"), 1
    for k, part in enumerate(parts, 1):
        open_ += len(_parts(part, "?")) - 2
        if not open_:
            return ":".join(parts[:k]), ":".join(parts[k:])
    raise ValueError(f"a choice without an end: {text}")


def _parts(text: str, mark: str, most: int = -1) -> list[str]:
    """A text cut at a mark that stands in no parentheses."""
    parts: list[str] = []
    depth = start = 0
    for k, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == mark and not depth and len(parts) != most:
            parts.append(text[start:k])
            start = k + 1
    return [*parts, text[start:]]


def _end(text: str, start: int) -> int:
    """Where the parenthesis ends that begins there."""
    depth = 0
    for k in range(start, len(text)):
        depth += (text[k] == "(") - (text[k] == ")")
        if not depth:
            return k
    raise ValueError(f"a parenthesis without an end: {text}")
