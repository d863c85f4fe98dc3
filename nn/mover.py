"""Moves parameters by their optimiser's own code, on lists of floats, while a loss is replayed."""

import math
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from engine.ieee import fsum
from engine.replay.backends.choice import Compiled
from engine.replay.backends.kernel import TINY, Memory
from engine.replay.compare import ReplayError
from engine.sweep import set_each
from engine.value import Value
from nn.optim import Optimizer
from nn.plain import is_of

NOTHING_TO_MOVE = (
    "the loss gave no parameter of the optimizer a gradient: build the optimizer from "
    "model.parameters(), and train outside no_grad()"
)
View = Any  # a memoryview of doubles, or a list of them


class Mover:
    """The parameters of a loss and what moves them: the optimiser itself, on lists of floats."""

    is_exact = True  # it has the bits of eager mode
    data: Any
    gradient: Any
    _memory: Sequence[Any]

    def __init__(self, optimizer: Optimizer, parameters: tuple[Value, ...]) -> None:
        if not parameters:
            raise ValueError(NOTHING_TO_MOVE)
        self.optimizer, self.parameters = optimizer, parameters
        self._all = list(optimizer.parameters)
        place = {p: k for k, p in enumerate(optimizer.parameters)}
        self.places = [place[p] for p in parameters]
        self._picked = _picker(self.places)
        self._spread = None  # a column of the loss's parameters, all of them, as the optimizer's
        if len(self.places) == len(place):
            self._spread = _picker(sorted(range(len(place)), key=self.places.__getitem__))
        self._left: list[list[Any]] = []  # data and memory, as `store` left them
        self._still: set[int] = set()  # which lists of the memory no move changes
        self._is_ours = is_of(Optimizer, type(optimizer).moved)
        self.spare: Any = None  # on flat memory, for a backend that is still to come

    def is_as_recorded(self) -> bool:
        """Whether the optimiser does what it did; ReplayError where it holds another number."""
        return True

    def is_outdated(self) -> bool:
        """Whether parameters were taken away or added."""
        return self._all != self.optimizer.parameters

    def load(self) -> None:
        """Takes the numbers of the parameters, and what the optimiser remembers of them."""
        self._loaded = self._now()
        self.data, *self._memory = self._loaded
        self.gradient = [0.0] * len(self.data)
        self._has_gradient = False

    def _now(self) -> list[list[Any]]:
        """The numbers of the parameters, and the memory of the optimiser."""
        self.optimizer.check_lengths()
        steps, *memory = map(self._of_all, ("steps", *self.optimizer.MEMORY))
        self._steps, self._taken = steps, 0
        is_even = steps.count(steps[0]) == len(steps)
        self._counts = steps[:1] if is_even else list(dict.fromkeys(steps))
        return [[p.data for p in self.parameters], *memory]

    def _rates_now(self, ahead: int = 0) -> tuple[float, ...]:
        """The rates of the next move, or of one further `ahead`.

        ReplayError where that is not the same for all parameters.
        """
        move = self._taken + ahead + 1
        rates = self.optimizer.rates(self._counts[0] + move)
        if len(self._counts) > 1 and any(
            self.optimizer.rates(count + move) != rates for count in self._counts
        ):
            raise ReplayError(
                "some parameters were moved more often than others, and the rates of "
                f"{type(self.optimizer).__name__} differ by that"
            )
        return rates

    def _of_all(self, name: str) -> list[Any]:
        """A list of the optimiser, such as `steps`, for the parameters of the loss alone."""
        return list(self._picked(getattr(self.optimizer, name)))

    def use(self, backend: str, company: Sequence[Compiled]) -> None:
        """Moves to a kernel that was made for it, if there is one, and of a faster backend."""

    def move(self) -> float | None:
        """Moves the parameters; the length of the gradient, or None where guards do not hold."""
        self._has_gradient = True
        norm = length(self.gradient)
        if not self._is_ours:
            self.store()  # it may look at the parameters
        rates = self._rates_now()
        moved = self.optimizer.moved(self.data, self.gradient, self._memory, rates)
        self.optimizer.check(moved, self.places)
        self._taken, (self.data, *self._memory) = self._taken + 1, moved
        return norm

    def store(self) -> None:
        """Sets data and gradient of the parameters, and the memory of the optimiser.

        All of it: where it is interrupted it begins again, and the interrupt comes after.
        """
        try:
            self._store()
        except BaseException:
            self._store()
            raise

    def _store(self) -> None:
        memory = enumerate(self._memory, 1)
        self._left = [
            list(self.data),
            *(self._loaded[k] if k in self._still else list(column) for k, column in memory),
        ]
        set_each("data", self.parameters, self._left[0])
        if self._has_gradient:
            if not self._spread:
                self.optimizer.zero_grad()
            set_each("grad", self.parameters, self.gradient)
        if len(self._counts) == 1:
            counts = [self._counts[0] + self._taken] * len(self._steps)
        else:
            counts = [count + self._taken for count in self._steps]
        named = zip(("steps", *self.optimizer.MEMORY), [counts, *self._left[1:]], strict=True)
        for k, (name, numbers) in enumerate(named):
            if k in self._still:
                continue
            if self._spread:
                column = list(self._spread(numbers))
            else:
                column = getattr(self.optimizer, name).copy()
                for place, number in zip(self.places, numbers, strict=True):
                    column[place] = number
            setattr(self.optimizer, name, column)


def _picker(places: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What picks the things at places out of a list; quick where all are in order."""
    n = len(places)
    if list(places) == list(range(n)):
        return lambda things: things[:n]
    return itemgetter(*places) if n > 1 else lambda things: (things[places[0]],)


def view(numbers: Memory) -> View:
    """The numbers, parts of which can be set from other arrays without a copy."""
    return numbers if isinstance(numbers, list) else memoryview(numbers)


def length(gradient: Sequence[float]) -> float:
    """The length of a gradient, the same in any order; FloatingPointError if it is not finite."""
    squares = fsum([g * g for g in gradient])
    norm = math.sqrt(squares) if TINY < squares < math.inf else math.hypot(*gradient)
    check_finite("the length of the gradient", norm)
    return norm


def check_finite(name: str, x: float) -> None:
    """FloatingPointError, with its name, for a number that is not finite."""
    if not math.isfinite(x):
        raise FloatingPointError(f"{name} is {x}")
