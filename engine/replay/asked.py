"""What a recording asks of its numbers after a forward: comparisons, and integers that pick."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from engine.replay.backends.kernel import Memory
from engine.replay.roll import Program
from engine.replay.tape import Bound
from engine.replay.views import side_by_side

Places = slice | tuple[int, ...]


def asked(program: Program) -> Callable[[Memory], bool]:
    """A function that says whether the numbers in a memory are such as were recorded.

    Comparisons come out as they did, and what picks a row is a whole number that names one.

    >>> from engine.replay.roll import roll
    >>> from engine.replay.watch import record
    >>> from engine.value import Value
    >>> x = Value(2.0)
    >>> with record() as seen:
    ...     y = x * x if x > 1 else x
    >>> holds = asked(roll(seen.tape([x], [y])))
    >>> holds([1.0, 5.0, 25.0]), holds([1.0, 0.5, 0.25])  # the constant 1, x, y
    (True, False)
    """
    guards = [
        (getattr(operator, guard.relation), guard.left, guard.right, guard.outcome)
        for guard in program.guards
    ]
    bounds = _grouped(program.bounds)

    def holds(values: Memory) -> bool:
        for relation, left, right, outcome in guards:
            if relation(values[left], values[right]) is not outcome:
                return False
        return all(_are_rows(values, *group) for group in bounds)

    return holds


def _grouped(bounds: Sequence[Bound]) -> list[tuple[Places, int, int]]:
    """The places of integers that have the same least and largest value, with these two."""
    places: dict[tuple[int, int], list[int]] = {}
    for bound in bounds:
        places.setdefault((bound.low, bound.high), []).append(bound.place)
    found: list[tuple[Places, int, int]] = []
    for limits, group in places.items():
        runs = list(side_by_side(group))
        where = slice(group[0], group[0] + len(group)) if len(runs) == 1 else tuple(group)
        found.append((where, *limits))
    return found


def _are_rows(values: Memory, places: Places, low: int, high: int) -> bool:
    """Whether these are whole numbers in bounds: a kernel takes row 0 where one is not."""
    found = values[places] if type(places) is slice else [values[place] for place in places]
    return all(map(float.is_integer, found)) and low <= min(found) and max(found) <= high
