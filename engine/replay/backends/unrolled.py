"""The rows of a tape as loops, one for all rows that do the same, as they were made.

Rolling changes the order of additions, so who wants the bits of eager mode prints from these: they
are lowered, and adjoints derived from them, as those of any program. Then each point of each loop
is a row's, or a term of it, and a printer may take the rows in the order it likes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.op import Op
from engine.ops import PICK
from engine.replay.loops import Loop, lowered
from engine.replay.roll import Rolled
from engine.replay.tape import Tape, graded
from engine.replay.views import View, packed
from engine.value import Value


def unrolled(tape: Tape, needs: Sequence[bool]) -> Iterator[tuple[Op, Loop]]:
    """For all rows but those that pick an operation and its loop, on places of the tape.

    `needs` says by place where a gradient is wanted.

    >>> from engine.replay.watch import record
    >>> x, y = Value(2.0), Value(3.0)
    >>> with record() as seen:
    ...     z = (x / y) / x
    >>> tape = seen.tape([x, y], [z], [True, True])
    >>> [(op, loop)] = unrolled(tape, needs(tape))
    >>> op, loop.expression, loop.reads["x"].places(), loop.reads["y"].places()
    (Op('div'), 'x / y', [-1, 0], [-2, -1])
    """
    kinds: dict[tuple[Op, int], list[int]] = {}
    for row, (op, operands) in enumerate(tape.rows):
        kinds.setdefault((op, len(operands)), []).append(row)
    for (op, count), rows in kinds.items():
        if op is PICK:
            continue
        columns: list[Sequence[int]] = op.columns(range(count))
        cut, terms = (2, (len(columns[0]),)) if op.many else (0, ())
        views = []
        for k, column in enumerate(columns):
            table = tuple([tape.rows[row][1][place] for row in rows for place in column])
            shape = (len(rows), *(terms if k < cut else ()))
            views.append(View("v", 0, shape, packed(shape), table))
        scalars, vectors = views[cut:], views[:cut]
        wanted = [any(map(needs.__getitem__, v.table or ())) for v in (*scalars, *vectors)]
        rolled = Rolled(op, (len(rows),), terms, (*scalars,), (*vectors,), 0, (*wanted,))
        loop = lowered(rolled)
        yield op, loop._replace(target=loop.target._replace(table=tuple(rows)))


def needs(tape: Tape) -> list[bool]:
    """By place, whether a gradient is wanted there or below; leaves from the end backwards."""
    leaves = [
        tape.input_grads[k] if k < tape.inputs else isinstance(leaf, Value)
        for k, leaf in enumerate(tape.leaves)
    ]
    found = [*[False] * len(tape.rows), *reversed(leaves)]
    for place, row in enumerate(tape.rows):
        found[place] = any(map(found.__getitem__, graded(row)))
    return found
