"""The recordings that are kept of a function: which suit a call, and whether one more pays."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable
from itertools import chain
from threading import RLock
from typing import Any
from weakref import WeakSet

from engine.fork import after_fork
from engine.replay.arguments import Given
from engine.replay.backends.choice import Spent
from engine.replay.causes import cause, guarded
from engine.replay.recorded import Recorded
from engine.replay.runs import LIMIT, TOO_MANY, Runs
from engine.replay.witness import outside


class Kept:
    """Recordings by the shape of their arguments, and what is known of all of them together."""

    def __init__(self, runs: Runs, wanted: str) -> None:
        """Recordings of what `runs` runs; `wanted` is the backend that was asked for."""
        self.by_shape: dict[Any, list[Recorded]] = {}
        self.made = 0
        self.patterns: list[str] = []  # shape and comparisons of each recording that counts
        self.causes: deque[str] = deque(maxlen=8)  # why it was recorded anew, or not at all
        self.spent = Spent()
        self.lock = RLock()
        self._runs, self._wanted = runs, wanted
        self._lost: set[str] = set()  # patterns of a former run, not made again yet
        self._hits = 0  # calls that a recording answered
        _living.add(self)

    @property
    def all(self) -> list[Recorded]:
        """All recordings, the oldest first."""
        found = chain.from_iterable(self.by_shape.values())
        return sorted(found, key=lambda recorded: recorded.number)

    def candidates(self, given: Given) -> list[Recorded]:
        """The recordings for such arguments; which of them fits, the guards say."""
        alike = self.by_shape.get(given.shape, ())
        return [recorded for recorded in alike if recorded.suits(given.numbers)]

    def note_call(self, is_answered: bool, calls: int = 1) -> None:
        """Counts a call, or some, that a recording answered or another."""
        self.spent.calls += calls
        self._hits += is_answered * calls

    def announce(self, calls: int) -> None:
        """Says how many calls are to come: "auto" compiles early where there are many."""
        self.spent.announced = self.spent.calls + calls

    def recall(self, patterns: Iterable[str]) -> None:
        """Counts the recordings of a run before, and makes each again where it is needed."""
        self.patterns = list(patterns)
        self._lost = set(patterns)

    # --- how many

    @property
    def is_busy(self) -> bool:
        """Whether recordings took longer than they saved so far; "auto" makes no more then."""
        return self._wanted == "auto" and self.made >= TOO_MANY and self._hits < self.made

    def is_full(self, given: Given) -> bool:
        """Whether one more recording for such arguments would take longer than it saves."""
        return not self._lost and self._has_enough(given)

    def is_spare(self, given: Given, pattern: str) -> bool:
        """Whether there is enough without this one, while those of a former run are made again."""
        return bool(self._lost) and pattern not in self._lost and self._has_enough(given)

    def _has_enough(self, given: Given) -> bool:
        shape = self._runs.digest(given)
        alike = [pattern for pattern in self.patterns if pattern.startswith(shape)]
        return len(alike) >= TOO_MANY or len(self.patterns) >= LIMIT

    def keep(self, given: Given, recorded: Recorded, pattern: str) -> None:
        """Adds a recording; the oldest goes where there are more than LIMIT."""
        with self.lock:
            self.made += 1
            if self.made > 1:
                for other in self.all:
                    other.choice.expect_many()
                self.causes.append(f"recorded anew: {self._cause(given, recorded)}")
            if self.made == TOO_MANY:
                self._warn(given, recorded)
            if pattern not in self._lost:
                self.patterns = [*self.patterns, pattern][:LIMIT]
            self._lost.discard(pattern)
            alike = self.by_shape.setdefault(given.shape, [])
            alike.append(recorded)
            same = self.candidates(given)
            if len(same) == TOO_MANY and self._wanted == "auto":
                alike[:] = [other for other in alike if other not in same]
            oldest, *others = self.all or [recorded]
            if len(others) >= LIMIT:
                self.forget(oldest)

    def forget(self, recorded: Recorded) -> None:
        """Keeps a recording no longer."""
        with self.lock:
            for shape, alike in list(self.by_shape.items()):
                alike[:] = [other for other in alike if other is not recorded]
                if not alike:
                    del self.by_shape[shape]

    def _cause(self, given: Given, recorded: Recorded) -> str:
        return cause(self._runs.function, self.by_shape, self.candidates(given), given, recorded)

    def _warn(self, given: Given, recorded: Recorded) -> None:
        stays = "; what is new runs without a recording from here on" if self.is_busy else ""
        warnings.warn(
            f"{self._runs.name} was recorded {TOO_MANY} times, which takes longer than it saves: "
            f"{self._cause(given, recorded)}{stays}",
            stacklevel=outside(),
        )

    def explain(self) -> str:
        """The recordings in words: what guards each, why it was recorded anew, or refused."""
        name, kept = self._runs.name, self.all
        if self._wanted == "eager":
            head = f"{name} is not recorded: backend='eager'"
        elif not kept:
            head = f"{name} has {'no recording left' if self.made else 'not been recorded yet'}"
        else:
            count = "1 recording" if len(kept) == 1 else f"{len(kept)} recordings"
            head = f"{name}: {count}, which answered {self._hits} of {self.spent.calls} calls"
        return "\n".join([head, *map(guarded, kept), *self.causes])


_living: WeakSet[Kept] = WeakSet()


@after_fork
def _renew() -> None:
    """In the child of a fork the thread that held a lock is gone."""
    for kept in list(_living):
        kept.lock = RLock()
