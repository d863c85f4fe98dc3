"""Frees a deep graph node after node, where the interpreter would do it by recursion.

CPython in a browser lets go of a number, inside of that of its operands, inside of that of theirs,
on the stack of JavaScript. Some 5,000 levels overflow it, which ends the interpreter. Elsewhere
CPython itself stops before that.
"""

from typing import Any

_waiting: list[Any] = []  # operands to let go, over a None while a call of `free` is at work


def free(node: Any) -> None:
    """A `__del__` of nodes: their operands are let go when they are gone."""
    try:
        x, y = node.x, node.y
    except AttributeError:  # an error came while it was made
        return
    if x is None:
        return
    node.x = node.y = None
    if _waiting:
        _waiting.extend((x, y))
        return
    _waiting[:] = None, x, y
    del x, y
    try:
        while _waiting:
            _waiting.pop()
    finally:
        _waiting.clear()  # after an interrupt: the rest, each with a call of its own
