"""Takes the steps of a training: several in one call where nobody looks in between."""

import operator
import random
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice, repeat, takewhile
from typing import Any, cast

from engine.functions import sum as sum_of
from engine.modes import is_watched
from engine.value import Value
from nn.checks import finite
from nn.data import Decision, shuffled
from nn.descent import BatchLoss, Descent, Taken
from nn.history import DivergedError, History, Step
from nn.judging import Loss, Model
from nn.link import Aims
from nn.plain import is_arithmetic
from nn.schedules import Schedule
from nn.table import Batch, Table

UNSEEN = 0.005  # seconds of steps between two looks at the world, as Python's threads take turns


def mean_loss(model: Model, loss: Loss, penalty: Callable[[Any], Value] | None) -> BatchLoss:
    """The function of a batch that training makes small; it returns the outputs too."""

    def run(xs: Sequence[Any], ys: Sequence[Any]) -> tuple[Value, list[Any]]:
        outputs = [model(x) for x in xs]
        losses = [loss(output, y) for output, y in zip(outputs, ys, strict=True)]
        total = losses[0] if len(losses) == 1 else sum_of(losses) / len(losses)
        return (total + penalty(model) if penalty else total), outputs

    run.__name__ = "the loss of a batch"  # to those who read a message
    return run


class Stepping:
    """The steps of a training, some at a time: between these nobody looks at the parameters."""

    def __init__(
        self,
        descent: Descent,
        decide: Decision | None,
        data: Table,
        batches: Iterator[Batch],
        rate: Schedule | None,
        history: History,
    ) -> None:
        self._descent, self._optimizer, self._data = descent, descent.optimizer, data
        self._decide, self._rate = decide, rate
        self._points_seen = history.points_seen[-1] if len(history) else 0
        self._batches, self._drawn = batches, deque[Batch]()
        self._labels = list(map(decide.label_of, data.ys)) if decide else []
        self._aims = _aims(decide, self._labels) if decide else None
        self._most = 2  # that are tried together

    def take(self, number: int, most: int) -> list[Sequence[Any]]:
        """Takes the step of a number, and some after it, at most so many: columns as of `Step`."""
        start = time.perf_counter()
        count = min(most, self._most)
        rates = self._rates_of(number, count) if self._rate and count > 1 else []
        group = self._group(len(rates) if self._rate else count)
        several = self._descent.several
        many = several(self._data, group, rates, self._aims) if len(group) > 1 else None
        if not (many and many.losses):
            return [(each,) for each in self._one(number, start)]
        taken, points = len(many.losses), self._points(group[0])
        for _ in range(taken):
            self._drawn.popleft()
        seconds = time.perf_counter() - start
        if seconds > UNSEEN:
            self._most = max(2, self._most // 2)
        elif taken == self._most:
            self._most *= 2
        first = self._points_seen + points
        self._points_seen += taken * points
        nothing = [None] * taken
        return [
            range(number, number + taken),
            many.losses,
            [right / points for right in many.rights] if self._decide else nothing,
            many.gradient_norms,
            rates[:taken] or [self._optimizer.lr] * taken,
            [seconds / taken] * taken,
            range(first, self._points_seen + 1, points),
            nothing,
            nothing,
        ]

    def _group(self, most: int) -> list[Batch]:
        """The next batches of one length, at most so many; they are still to be taken."""
        most = max(1, most)
        self._drawn.extend(islice(self._batches, max(0, most - len(self._drawn))))
        points = self._points(self._drawn[0])
        alike = takewhile(lambda rows: self._points(rows) == points, self._drawn)
        return list(islice(alike, most))

    def _points(self, rows: Batch) -> int:
        return len(self._data if rows is None else rows)

    def _rates_of(self, number: int, count: int) -> list[float]:
        """The rates of the next steps; fewer where one is wrong, none where code may look."""
        found: list[float] = []
        with suppress(Exception):  # a step of its own meets it again
            if is_arithmetic(self._rate):
                found.extend(map(self._rate_of, range(number, number + count)))
        return found

    def _rate_of(self, number: int) -> float:
        lr = cast(Schedule, self._rate)(number)
        if lr is self._optimizer.lr:  # which was looked at
            return lr
        return finite(f"the learning rate of step {number}", lr, least=0.0)

    def _one(self, number: int, start: float) -> Step:
        """Takes one step."""
        rows, optimizer = self._drawn.popleft(), self._optimizer
        if self._rate:
            if not is_arithmetic(self._rate):  # it may look at the parameters, and move them
                self._descent.store()
            lr = self._rate_of(number)
            if lr != optimizer.lr:
                optimizer.lr = lr
        try:
            taken = self._descent.step(self._data, rows)
        except FloatingPointError as error:
            origin = "" if is_watched() else self._descent.origin(self._data, rows)
            where = f": {origin}" if origin else ""
            raise DivergedError(
                f"step {number}: {error}{where}. The parameters are as before this step. Try a "
                f"smaller learning rate (now {optimizer.lr:g}) or smaller inputs (standardise)"
            ) from error
        self._points_seen += self._points(rows)
        accuracy = self._accuracy(taken, rows) if self._decide else None
        seconds = time.perf_counter() - start
        loss, norm = taken.loss, taken.gradient_norm
        return Step(number, loss, accuracy, norm, optimizer.lr, seconds, self._points_seen)

    def _accuracy(self, taken: Taken, rows: Batch) -> float:
        aims = self._labels if rows is None else [self._labels[row] for row in rows]
        chosen = taken.largest()
        if chosen is None:
            chosen = cast(Decision, self._decide).labels_of(taken.outputs())
        return float(sum(map(operator.eq, chosen, aims)) / len(aims))


def _aims(decide: Decision, labels: Sequence[int]) -> Aims:
    places = {label: k for k, label in enumerate(decide.labels)}
    return Aims(array("i", [places.get(label, -1) for label in labels]), 2 * decide.threshold)


def batches(n: int, batch: int, replacement: bool, rng: random.Random) -> Iterator[Batch]:
    """Endless batches of n rows: the next of a shuffled pass, or, with replacement, drawn anew."""
    if batch >= n and not replacement:
        yield from repeat(None)
    while True:
        order = [int(rng.random() * n) for _ in range(batch)] if replacement else shuffled(n, rng)
        rows = array("i", order)
        for start in range(0, len(rows), batch):
            yield rows[start : start + batch]
