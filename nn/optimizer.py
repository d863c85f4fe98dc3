"""What all optimisers share: the parameters, their memory, a step, and its settings."""

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from reprlib import repr as short
from typing import Any, ClassVar

from engine.number import NOT_COMPUTED
from engine.pictures.texts import short as figures
from engine.sweep import forget_each, set_each
from engine.value import Value
from nn.checks import finite, switch

Numbers = Sequence[Any]  # floats, or Values


class Optimizer(ABC):
    """What all optimisers share. `lr`, the learning rate, may be set between steps."""

    MEMORY: ClassVar[Mapping[str, float]]  # lists of one number per parameter, and their least
    lr: float
    steps: list[int]  # how often each parameter was moved

    def __init__(self, parameters: Iterable[Value], **settings: Any) -> None:
        """Holds the parameters; raises ValueError for settings out of range."""
        self.parameters = _checked(type(self).__name__, parameters)
        self._settings = tuple(settings)
        for name, setting in settings.items():
            setattr(self, name, setting)
        self.steps = [0] * len(self.parameters)
        for name in self.MEMORY:
            setattr(self, name, [0.0] * len(self.parameters))

    def __setattr__(self, name: str, thing: Any) -> None:
        """Settings are checked whenever they are set: 1 as `nesterov` is True, 1 as `lr` is 1.0."""
        read = _SETTINGS.get(name)
        object.__setattr__(self, name, read(name, thing) if read else thing)

    @abstractmethod
    def rates(self, steps: int) -> tuple[float, ...]:
        """The numbers that `moved` takes for the `steps`-th step of a parameter."""

    @abstractmethod
    def moved(
        self, ps: Numbers, gs: Numbers, memory: Sequence[Numbers], rates: Sequence[Any]
    ) -> tuple[Numbers, ...]:
        """Parameters moved by their gradients, and the lists of their memory after that.

        The arithmetic of an optimiser: on floats, or on Values when it is recorded.
        """

    def step(self) -> None:
        """Moves every parameter once, by its gradient.

        Raises FloatingPointError, and changes nothing, where a number would not be finite.
        """
        columns, t = self.columns(), self.steps[0] + 1
        grads = [p.grad for p in self.parameters if p.grad is not NOT_COMPUTED]
        if self.steps.count(self.steps[0]) == len(grads) == len(self.parameters):
            moved = self.moved(columns[0], grads, columns[1:], self.rates(t))
            self.take(moved, [t] * len(grads))
            return
        self.check_lengths()
        grads = [p.grad for p in self.parameters]
        groups: dict[int, list[int]] = {}
        for k, (t, grad) in enumerate(zip(self.steps, grads, strict=True)):
            if grad is not NOT_COMPUTED:
                groups.setdefault(t + 1, []).append(k)
        steps, after = self.steps.copy(), [list(column) for column in columns]
        for t, places in groups.items():
            gs, ps, *memory = ([column[k] for k in places] for column in (grads, *columns))
            moved = self.moved(ps, gs, memory, self.rates(t))
            for column, entries in zip((steps, *after), ([t] * len(places), *moved), strict=True):
                for k, entry in zip(places, entries, strict=True):
                    column[k] = entry
        self.take(after, steps)

    def columns(self) -> list[Numbers]:
        """The numbers of the parameters, then each list of the memory."""
        return [[p.data for p in self.parameters], *(getattr(self, name) for name in self.MEMORY)]

    def check_lengths(self) -> None:
        """ValueError where the memory is not that of the parameters, which were replaced."""
        if len(self.steps) != len(self.parameters):
            raise ValueError(
                f"{type(self).__name__} was made for {len(self.steps)} parameters and has "
                f"{len(self.parameters)} now: make a new optimizer"
            )

    def check(self, columns: Sequence[Numbers], places: Sequence[int] | None = None) -> None:
        """FloatingPointError where a new number is not finite; `places` are of the parameters."""
        for name, column in zip(("data", *self.MEMORY), columns, strict=True):
            if column is vars(self).get(name) or math.isfinite(sum(column)):
                continue
            if not all(map(math.isfinite, column)):
                numbered = zip(places or range(len(column)), column, strict=True)
                place, x = min((place, x) for place, x in numbered if not math.isfinite(x))
                raise FloatingPointError(f"the {name} of parameter {place} would become {x}")

    def take(self, columns: Sequence[Numbers], steps: list[int]) -> None:
        """Sets the numbers of the parameters, and what is remembered of them, all of them finite.

        Raises FloatingPointError, and changes nothing, where one is not.
        """
        self.check(columns)
        data, *memory = columns
        try:
            set_each("data", self.parameters, data)
        finally:  # an interrupt does not part them
            vars(self).update(zip(self.MEMORY, memory, strict=True), steps=steps)

    def update_in_words(
        self, k: int, name: str, old: float, grad: float, new: float
    ) -> tuple[str, str]:
        """How the last step moved parameter `k`, in numbers, and the formula that it followed."""
        return f"{name} = {figures(old)} + {figures(new - old)}", f"{type(self).__name__}.step()"

    def zero_grad(self) -> None:
        """Forgets the gradient of every parameter."""
        forget_each(self.parameters)

    def state_dict(self) -> dict[str, Any]:
        """Settings and memory by name, ready for JSON."""
        return {name: getattr(self, name) for name in (*self._settings, "steps", *self.MEMORY)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a `state_dict()` of its kind; ValueError, and no change, if it is none."""
        kind = type(self).__name__
        state = self._completed(state)
        if state.keys() != self.state_dict().keys():
            raise ValueError(f"{kind} expected {list(self.state_dict())}, got {list(state)!r:.300}")
        fresh = type(self)(self.parameters, **{name: state[name] for name in self._settings})
        for name, least in {"steps": 0.0, **self.MEMORY}.items():
            entries = numbers_of(name, state[name])
            if len(entries) != len(self.parameters):
                raise ValueError(
                    f"{kind} expected one {name} for each of its {len(self.parameters)} parameters,"
                    f" got {len(entries)}"
                )
            read = _whole if name == "steps" else finite
            setattr(fresh, name, [read(name, e, least) for e in entries])
        vars(self).update(vars(fresh))

    def _completed(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """A state with what the version that wrote it did not write."""
        return state

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._settings)
        return f"{type(self).__name__}({len(self.parameters)} parameters, {settings})"


def check_optimizer(who: str, thing: object) -> Optimizer:
    """An optimizer; TypeError, with an example, for anything else."""
    if not isinstance(thing, Optimizer):
        raise TypeError(
            f"{who} expected an optimizer, such as SGD(model.parameters(), lr=0.1), "
            f"got {thing!r:.60}"
        )
    return thing


def check_rate(optimizer: Optimizer) -> None:
    """ValueError where nobody gave the optimizer a learning rate."""
    if optimizer.lr is None:
        raise ValueError(
            f"{type(optimizer).__name__} expected a learning rate, as no number suits all slopes: "
            "write SGD(model.parameters(), lr=0.1), or give `fit` its lr"
        )


def _checked(kind: str, parameters: Iterable[Value]) -> list[Value]:
    if not isinstance(parameters, Iterable):
        raise TypeError(
            f"{kind} expected a list of parameters, got {type(parameters).__name__}:"
            " write model.parameters()"
        )
    parameters = list(parameters)
    if not parameters:
        raise ValueError(f"{kind} expected at least 1 parameter, got 0")
    for k, p in enumerate(parameters):
        if not isinstance(p, Value):
            raise TypeError(f"{kind} expected Values, got {type(p).__name__} as parameter {k}")
        if p.op:
            raise ValueError(
                f"{kind} can only move leaves: parameter {k} is the result of {p.op.name}"
            )
    if len(set(parameters)) < len(parameters):
        raise ValueError(
            f"{kind} expected each parameter once, got one of them twice, at {_twice(parameters)}: "
            "of models that share a layer write [*dict.fromkeys(a.parameters() + b.parameters())], "
            "or keep both in one Module, whose parameters() has each once"
        )
    return parameters


def _twice(parameters: Sequence[Value]) -> str:
    """The first two places of a parameter that comes twice."""
    seen: dict[Value, int] = {}
    return next(
        f"{seen[p]} and {k}" for k, p in enumerate(parameters) if seen.setdefault(p, k) != k
    )


def numbers_of(name: str, numbers: Any) -> Sequence[Any]:
    """A list of numbers; ValueError for what is none."""
    if isinstance(numbers, str) or not isinstance(numbers, Sequence):
        raise ValueError(f"{name} expected a list of numbers, got {short(numbers)}")
    return numbers


def _whole(name: str, x: object, least: float) -> int:
    z = finite(name, x, least)
    if not z.is_integer():
        raise ValueError(f"{name} expected whole numbers, got {z}")
    return int(z)


def _two_means(name: str, setting: tuple[float, float]) -> tuple[float, float]:
    if len(numbers_of(name, setting)) != 2:
        raise ValueError(f"{name} expected 2 numbers, got {len(setting)}")
    beta1, beta2 = (finite(name, beta, least=0.0, below=1.0) for beta in setting)
    return beta1, beta2


def _switch(name: str, setting: object) -> bool:
    try:
        return switch(name, setting)
    except TypeError as error:
        raise ValueError(error) from None


_NOT_NEGATIVE = partial(finite, least=0.0)
_SHARE = partial(finite, least=0.0, most=1.0)
_SETTINGS: dict[str, Callable[[str, Any], Any]] = {
    "lr": _NOT_NEGATIVE,
    "momentum": _SHARE,
    "dampening": _SHARE,
    "weight_decay": _NOT_NEGATIVE,
    "nesterov": _switch,
    "betas": _two_means,
    "eps": partial(finite, least=sys.float_info.min),  # 0 / 0 for a gradient of 0
}
