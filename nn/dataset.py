"""Rows with names: what every file and every maker of data gives, and every loop takes."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.drawing.picture import visible

ROUNDING = 8 * sys.float_info.epsilon  # of a number that a few operations computed, beside itself

Rows = list[list[float]]


class DataError(ValueError):
    """A file that cannot be learned from; the message says where and why.

    It may quote the file, whose control characters no terminal should get.
    """

    def __init__(self, message: str) -> None:
        super().__init__(visible(message))


class DataWarning(UserWarning):
    """What was assumed of a file; the command says the same on stderr."""

    def __init__(self, message: str) -> None:
        super().__init__(visible(message))


@dataclass(frozen=True)
class Dataset:
    """Rows with names. It unpacks as `xs, ys`, so it goes wherever data goes.

    `ys` holds class indices (into `classes`), or amounts where `classes` is empty. `reading` is
    how a file was read (a `nn.columns.Reading`); None for other rows.
    """

    xs: Rows
    ys: list[Any]
    features: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    target: str = ""
    reading: Any = field(default=None, compare=False)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.xs, self.ys))

    def __repr__(self) -> str:
        aims = "classes " + ", ".join(self.classes) if self.classes else f"target {self.target}"
        features = ", ".join(self.features)
        return visible(f"Dataset({len(self.xs)} rows, features {features}; {aims})")

    def pick(self, indices: Sequence[int]) -> "Dataset":
        """The rows at `indices`, in that order."""
        return replace(self, xs=[self.xs[i] for i in indices], ys=[self.ys[i] for i in indices])


Data = Dataset | tuple[Sequence[Any], Sequence[Any]]


def as_dataset(data: Data) -> Dataset:
    """`data` as a Dataset; ValueError unless it is xs and ys of one length, with rows in it."""
    if not isinstance(data, Dataset):
        try:
            xs, ys = data
            data = Dataset(list(xs), list(ys))
        except (TypeError, ValueError):
            raise ValueError("data must be a pair of lists, (xs, ys)") from None
    if len(data.xs) != len(data.ys):
        raise ValueError(f"data has {len(data.xs)} rows in xs but {len(data.ys)} targets in ys")
    if not data.xs:
        raise ValueError("data has no rows: there is nothing to learn from")
    return data


def is_apart(least: float, most: float) -> bool:
    """Whether two numbers differ by more than rounding: a spread that counts as one.

    >>> is_apart(0.3, 0.1 + 0.2), is_apart(0.3, 0.3000001)
    (False, True)
    """
    return most - least > ROUNDING * max(abs(least), abs(most))
