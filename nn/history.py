"""What a training leaves: the numbers of each step, and how it ended."""

import csv
import io
import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.files import write
from engine.ieee import fsum
from engine.replay.witness import outside

if TYPE_CHECKING:
    from nn.document import Chart

ALL_DONE, INTERRUPTED = "all steps done", "interrupted"
EXPLODED = 1e6  # times the loss at the start


class Step(NamedTuple):
    """One step of training, counted from 0.

    `loss` (with the penalty), `accuracy` (from 0 to 1, None where targets are amounts) and
    `gradient_norm` are those of its batch before the parameters moved; `seconds` is its own time;
    `points_seen` counts examples since the start, each as often as it was looked at. The
    validation numbers (without the penalty) stand at the end of each pass over the data.
    """

    step: int
    loss: float
    accuracy: float | None
    gradient_norm: float
    learning_rate: float
    seconds: float
    points_seen: int
    validation_loss: float | None = None
    validation_accuracy: float | None = None

    def __str__(self) -> str:
        parts = [f"loss {self.loss:.4g}"]
        if self.accuracy is not None:
            parts.append(f"accuracy {self.accuracy:.1%}")
        if self.validation_loss is not None:
            parts.append(f"validation loss {self.validation_loss:.4g}")
        return ", ".join(parts)


@dataclass(repr=False)
class History:
    """The numbers of every step: one list for each field of `Step`; `history[-1]` is a `Step`.

    `ended` says why training ended; `kept` is the step whose weights an early stop left (or None).
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    accuracy: list[float | None] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    points_seen: list[int] = field(default_factory=list)
    validation_loss: list[float | None] = field(default_factory=list)
    validation_accuracy: list[float | None] = field(default_factory=list)
    ended: str = ALL_DONE
    kept: int | None = None  # the step whose weights an early stop left

    def __len__(self) -> int:
        return len(self.step)

    def __getitem__(self, index: int) -> Step:
        if isinstance(index, str):
            known = f": history.{index} is a list" if index in Step._fields else ""
            raise TypeError(f"a History gives a step by its number, history[-1]{known}")
        if isinstance(index, slice):
            raise TypeError("a History gives one step, history[-1]; slice a list: history.loss[:2]")
        return Step(*(column[index] for column in self._columns()))

    def __repr__(self) -> str:
        last = f"{self[-1]}; {fsum(self.seconds):.3g} s; " if len(self) else ""
        start, end = self.start_and_end() if len(self) else (0.0, 0.0)
        risen = f"; the loss rose, {start:.4g} -> {end:.4g}: try a smaller lr" * (end > start)
        return f"History({len(self)} steps; {last}{self.ended}{risen})"

    def start_and_end(self) -> tuple[float, float]:
        """The mean loss of the first hundredth of the steps, and that of the last tenth."""
        first, last = (math.ceil(len(self) / share) for share in (100, 10))
        return fsum(self.loss[:first]) / first, fsum(self.loss[-last:]) / last

    def _columns(self) -> list[list[Any]]:
        return [getattr(self, name) for name in Step._fields]

    def append(self, step: Step) -> None:
        """Adds one step."""
        self.extend([(each,) for each in step])

    def extend(self, columns: Sequence[Sequence[Any]]) -> None:
        """Adds some steps, as a column for each field of `Step`."""
        for column, numbers in zip(self._columns(), columns, strict=True):
            column.extend(numbers)

    def replace_last(self, step: Step) -> None:
        """Puts another step in the place of the last one."""
        for column, number in zip(self._columns(), step, strict=True):
            column[-1] = number

    def elapsed(self) -> list[float]:
        """The seconds from the start to the end of each step."""
        return list(accumulate(self.seconds))

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Writes one line a step under a line of names; a field that is None stays empty."""
        write(path, as_csv([Step._fields, *zip(*self._columns(), strict=True)]))

    def plot(self, path: str | PathLike[str] | None = None) -> "Chart":
        """The curves as a Chart; with a path, "curves.svg", it is written there."""
        from nn.plot import plot_history

        chart = plot_history(self)
        if path is not None:
            chart.save(path)
        return chart


class DivergedError(FloatingPointError):
    """A step met nan or inf and was not taken; `history` has the steps before it."""

    history: History


def as_csv(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as the text of a CSV file; None is an empty cell.

    >>> print(as_csv([("step", "loss"), (0, 0.5), (1, None)]), end="")
    step,loss
    0,0.5
    1,
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


class LossExploded(UserWarning):
    """The loss ended a million times larger than it began, without an inf or nan to stop at."""


class TrainingInterrupted(UserWarning):
    """Ctrl-C ended training before all steps were done; `history.ended` says "interrupted"."""


def warn_of_end(history: History, total: int) -> None:
    """Warns of a training that ended early, or badly."""
    if history.ended == INTERRUPTED:
        words = f"training interrupted at step {len(history)} of {total}"
        warnings.warn(words, TrainingInterrupted, stacklevel=outside())
    if exploded := _exploded(history):
        warnings.warn(exploded, LossExploded, stacklevel=outside())


def _exploded(history: History) -> str:
    """Words for a loss that ended a million times larger than it began; "" where it did not.

    One below 1 only wanders: a net that fits to the last digit begins near 0.
    """
    start, end = history.start_and_end() if len(history) else (0.0, 0.0)
    if not (0 < start < end / EXPLODED and end > 1):
        return ""
    return (
        f"the loss exploded, from {start:.4g} to {end:.4g}: try a smaller lr (now "
        f"{history.learning_rate[-1]:g}), or smaller inputs and targets (nn.standardise)"
    )
