"""Arrays laid over rows of memory: a first place, and a step along each axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Lengths = tuple[int, ...]
Strides = tuple[int, ...]


class View(NamedTuple):
    """An array of `shape` within a memory, its strides counted in numbers."""

    memory: str
    base: int
    shape: Lengths
    strides: Strides

    @property
    def least(self) -> View:
        """The same without axes that repeat one number: NumPy is fastest when told so."""
        return self if any(self.strides) else View(self.memory, self.base, (), ())

    def along(self, axes: Sequence[int]) -> View:
        """Of all axes these, in this order."""
        shape, strides = (tuple(part[k] for k in axes) for part in (self.shape, self.strides))
        return View(self.memory, self.base, shape, strides)

    def over(self, axes: Sequence[int], shape: Lengths) -> View:
        """As one of more axes, of which it has these; along the others it repeats."""
        own = dict(zip(axes, self.strides, strict=True))
        strides = tuple(own.get(k, 0) for k in range(len(shape)))
        return View(self.memory, self.base, shape, strides)

    def at(self, indices: Sequence[tuple[int, int]]) -> View:
        """The same moved to (axis, index) pairs."""
        return self._replace(base=self.base + sum(self.strides[k] * i for k, i in indices))

    @property
    def own(self) -> list[int]:
        """The axes along which it does not repeat."""
        return [k for k, step in enumerate(self.strides) if step]


def packed(shape: Lengths) -> Strides:
    """The strides of an array without gaps.

    >>> packed((2, 3, 4))
    (12, 4, 1)
    """
    strides = []
    step = 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def joined(shape: Sequence[int], *columns: Strides) -> tuple[Lengths, list[Strides]]:
    """The same places with few axes: neighbours are one where all columns step through evenly.

    >>> joined((2, 3, 4), (12, 4, 1), (0, 0, 5))
    ((6, 4), [(4, 1), (0, 5)])
    """
    axes: list[tuple[int, ...]] = []
    for n, *steps in zip(shape, *columns, strict=True):
        if n == 1:
            continue
        if axes and list(axes[-1][1:]) == [n * step for step in steps]:
            axes[-1] = (axes[-1][0] * n, *steps)
        else:
            axes.append((n, *steps))
    lengths, *strides = zip(*axes, strict=True) if axes else ((),) * (1 + len(columns))
    return tuple(lengths), [tuple(column) for column in strides]


def laid(views: Sequence[View]) -> list[View]:
    """Views of one shape, with few axes."""
    shape, columns = joined(views[0].shape, *[view.strides for view in views])
    return [
        view._replace(shape=shape, strides=strides)
        for view, strides in zip(views, columns, strict=True)
    ]


def is_one_to_one(view: View) -> bool:
    """Whether no place comes twice: each stride leaps over all that the smaller ones reach."""
    reach = 0
    for step, n in sorted(
        (abs(step), n) for n, step in zip(view.shape, view.strides, strict=True) if n > 1
    ):
        if step <= reach:
            return False
        reach += step * (n - 1)
    return True


def is_matrix(view: View) -> bool:
    """Whether the last two axes are a matrix that BLAS takes: no steps between its numbers."""
    (rows, columns), (down, right) = view.shape[-2:], view.strides[-2:]
    return (right == 1 and down >= columns) or (down == 1 and right >= rows)
