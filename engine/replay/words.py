"""The loops of a program in words."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from engine.ops import OPS, PICK
from engine.pictures.texts import visible
from engine.replay.roll import Program, Rolled
from engine.replay.views import View
from engine.value import Value


def in_words(program: Program, names: Iterable[tuple[str, Value]] = ()) -> str:
    """The loops of a program, one line each.

    "100 x 16 dots of 2 terms" are 100 times 16 numbers, each a sum of 2 products. `names` are
    those of parameters: a loop is named by what the names of its parameters have in common. A loop
    without such a name is a hidden layer, or the output layer, where there are several dots of
    parameters, each with the results of the one before, and the first with inputs.
    """
    lines: list[str] = []
    named = _by_names(program, {v: name for name, v in names}) or _as_layers(program)
    for k, loop in enumerate(program.loops):
        if k and _goes_on(program, k - 1):
            lines[-1] += f", then {loop.op.name}"
        else:
            name = f"{visible(named[k])}: " if named.get(k) else ""
            lines.append(f"{name}{_loop(loop)}")
    return "\n".join(lines)


def _loop(loop: Rolled) -> str:
    size = " x ".join(map(str, loop.shape))
    if loop.op is PICK:
        return f"{size} pick{'' if loop.rows == 1 else 's'} from {loop.terms[0]} rows"
    count = " x ".join(map(str, loop.terms))
    terms = f" of {count} term{'s' * (count != '1')}" if loop.terms else ""
    return f"{size} {loop.op.name}{'' if loop.rows == 1 else 's'}{terms}"


def _goes_on(program: Program, k: int) -> bool:
    """Whether the next loop does one more operation on each result of this one, and only that."""
    if k + 1 == len(program.loops):
        return False
    loop, after = program.loops[k : k + 2]
    return (
        after.op.arity == 1
        and after.rows == loop.rows
        and after.scalars[0].places() == list(range(loop.out, loop.out + loop.rows))
    )


def _parameters(program: Program, view: View) -> list[int] | None:
    """The indices of the parameters that an operand reads; None where it reads other places."""
    first = program.leaves - len(program.parameters)
    places = view.places()
    if not all(first <= place < program.leaves for place in (min(places), max(places))):
        return None
    return [place - first for place in places]


def _by_names(program: Program, names: dict[Value, str]) -> dict[int, str]:
    named = {}
    for k, loop in enumerate(program.loops):
        read = [
            names[program.parameters[i]]
            for vector in loop.vectors
            for i in _parameters(program, vector) or ()
            if program.parameters[i] in names
        ]
        columns = zip(*(name.split(".") for name in read), strict=False)
        common = takewhile(lambda column: len(set(column)) == 1, columns)
        if read:
            named[k] = ".".join(parts[0] for parts in common)
    return named


def _as_layers(program: Program) -> dict[int, str]:
    """Names for dots of parameters, where each of them reads what the one before computed."""
    layers: list[int] = []
    start, stop = len(program.constants), program.leaves - len(program.parameters)
    for k, loop in enumerate(program.loops):
        if loop.op is not OPS["dot"]:
            continue
        others = [v for v in loop.vectors if _parameters(program, v) is None]
        if len(others) != 1 or loop.rows == 1:
            continue
        places = others[0].places()
        if not start <= min(places) <= max(places) < stop:
            return {}
        layers.append(k)
        end = k
        while _goes_on(program, end):
            end += 1
        start, stop = program.loops[end].out, program.loops[end].out + loop.rows
    if len(layers) < 2:
        return {}
    hidden = {k: f"hidden layer {number}" for number, k in enumerate(layers[:-1], 1)}
    return {**hidden, layers[-1]: "output layer"}
