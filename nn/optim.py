"""Optimisers, which move parameters against their gradients, and schedules of the learning rate.

Arguments, defaults and every step are those of torch.optim, with these differences:

- Plain descent has no learning rate of its own, as no number suits all slopes: `SGD`, and the
  loops that use it, insist on one. (torch takes 0.001.) Adam's steps have a size of their own, so
  `Adam` and `AdamW` keep the default of 0.001.
- A step to numbers that are not finite is refused, where torch takes it.
- `momentum` and `dampening` are at most 1. (torch sets no limit: above 1 a velocity grows by
  itself, whatever the gradients, or goes uphill.)

A parameter without a computed gradient stays as it is. Settings may be set between steps, and are
checked then as they are at first.
"""

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from reprlib import repr as short
from typing import Any, ClassVar

from engine.elementary import sqrt as sqrt_of_value
from engine.value import NOT_COMPUTED, Value, forget_each, set_each
from nn.module import finite, size, switch

Schedule = Callable[[int], float]
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
            entries = _listed(name, state[name])
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


class SGD(Optimizer):
    """Gradient descent: `p -= lr * gradient`, with momentum if wanted.

    With momentum the step goes along a velocity, `v = momentum * v + (1 - dampening) * gradient`,
    or with `nesterov` along `gradient + momentum * v`; the first velocity of a parameter is its
    gradient, also where momentum is turned on later. `weight_decay` adds `weight_decay * p` to the
    gradient.

    `lr` has no default, as no number suits all slopes: give it here, to `fit`, or set it before
    the first step. `momentum` and `dampening` go from 0 to 1: a velocity of more than 1 times
    itself grows whatever the gradients, and a dampening above 1 would push it uphill.

    >>> p = Value(3.0)
    >>> optimizer = SGD([p], lr=0.1)
    >>> (p * p).backward()
    >>> optimizer.step()
    >>> f"{p:.4f}"  # 3 - 0.1 * 6
    '2.4000'
    """

    MEMORY: ClassVar = {"velocity": -math.inf, "has_velocity": 0.0}
    momentum: float
    dampening: float
    weight_decay: float
    nesterov: bool
    velocity: list[float]
    has_velocity: list[float]  # 1 from the first step with momentum on, 0 before: arithmetic, too

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float | None = None,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        """Raises ValueError for settings out of range, and for nesterov without plain momentum."""
        super().__init__(
            parameters,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
        )
        if self.nesterov and not (self.momentum > 0 and self.dampening == 0):
            raise ValueError(
                "nesterov expected a momentum above 0 and a dampening of 0, "
                f"got momentum={momentum}, dampening={dampening}"
            )

    def __setattr__(self, name: str, thing: Any) -> None:
        """As of every optimiser; `lr` may also be None, until it is needed."""
        if name == "lr" and thing is None:
            object.__setattr__(self, name, None)
        else:
            super().__setattr__(name, thing)

    def step(self) -> None:
        """As every optimiser does; in one pass where a step is `p - lr * gradient` and no more."""
        check_rate(self)
        is_plain = type(self) is SGD and not (self.weight_decay or self.momentum)
        ps, lr, t = self.parameters if is_plain else (), self.lr, self.steps[0] + 1
        data = [p.data - lr * p.grad for p in ps if p.grad is not NOT_COMPUTED]
        if self.steps.count(self.steps[0]) == len(data) == len(self.parameters):
            self.take((data, self.velocity, self.has_velocity), [t] * len(data))
        else:
            super().step()

    def rates(self, steps: int) -> tuple[float, ...]:
        """The settings."""
        return self.lr, self.weight_decay, self.momentum, self.dampening

    def moved(
        self, ps: Numbers, gs: Numbers, memory: Sequence[Numbers], rates: Sequence[Any]
    ) -> tuple[Numbers, ...]:
        """The parameters, their velocities, and which of these there are."""
        lr, decay, momentum, dampening = rates
        vs, known = memory
        if decay:
            gs = [g + decay * p for g, p in zip(gs, ps, strict=True)]
        if momentum:
            vs = [
                momentum * v + (1.0 - dampening * is_known) * g  # a velocity that is new is 0
                for v, is_known, g in zip(vs, known, gs, strict=True)
            ]
            known = [0.0 * is_known + 1.0 for is_known in known]
            gs = [g + momentum * v for g, v in zip(gs, vs, strict=True)] if self.nesterov else vs
        return [p - lr * g for p, g in zip(ps, gs, strict=True)], vs, known

    def _completed(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of the version before: one with momentum has a velocity from its first step on."""
        if "has_velocity" in state or not {"momentum", "steps", "velocity"} <= state.keys():
            return state
        pairs = zip(*(_listed(name, state[name]) for name in ("steps", "velocity")), strict=False)
        is_on = bool(state["momentum"])
        known = [float(v != 0 or (is_on and steps != 0)) for steps, v in pairs]
        return {**state, "has_velocity": known}


class Adam(Optimizer):
    """Steps of about `lr` in each parameter, whatever the size of its gradient.

    Running means of the gradient (`betas[0]`) and of its square (`betas[1]`), both corrected for
    their start at 0: `p -= lr * mean / (sqrt(mean square) + eps)` (Kingma and Ba 2015, arXiv
    1412.6980). `weight_decay` adds `weight_decay * p` to the gradient.

    >>> p = Value(3.0)
    >>> optimizer = Adam([p], lr=0.1)
    >>> (p * p).backward()
    >>> optimizer.step()
    >>> f"{p:.4f}"
    '2.9000'
    """

    MEMORY: ClassVar = {"mean": -math.inf, "mean_square": 0.0}
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    mean: list[float]
    mean_square: list[float]

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        """Raises ValueError for negative settings, betas from 1 on, and an eps of 0."""
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def rates(self, steps: int) -> tuple[float, ...]:
        """The settings, `lr` and the scale of the root corrected for the start at 0."""
        beta1, beta2 = self.betas
        rate, scale = self.lr / (1 - beta1**steps), 1 / math.sqrt(1 - beta2**steps)
        return rate, scale, beta1, 1 - beta1, beta2, 1 - beta2, self.eps, *self._decay()

    def _decay(self) -> tuple[float, float]:
        """What multiplies p, and how much of p is added to the gradient."""
        return 1.0, self.weight_decay

    def moved(
        self, ps: Numbers, gs: Numbers, memory: Sequence[Numbers], rates: Sequence[Any]
    ) -> tuple[Numbers, ...]:
        """The parameters and their two means."""
        rate, scale, keep1, new1, keep2, new2, eps, shrink, decay = rates
        if decay:
            gs = [g + decay * p for g, p in zip(gs, ps, strict=True)]
        if shrink < 1:
            ps = [shrink * p for p in ps]
        means, squares = memory
        means = [keep1 * mean + new1 * g for mean, g in zip(means, gs, strict=True)]
        squares = [keep2 * square + new2 * (g * g) for square, g in zip(squares, gs, strict=True)]
        sqrt = math.sqrt if type(squares[0]) is float else sqrt_of_value
        moved = [
            p - rate * mean / (sqrt(square) * scale + eps)
            for p, mean, square in zip(ps, means, squares, strict=True)
        ]
        return moved, means, squares


class AdamW(Adam):
    """Adam whose `weight_decay` shrinks p itself by `lr * weight_decay * p`, past the means.

    (Loshchilov and Hutter 2019, arXiv 1711.05101.)
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        """Raises ValueError as `Adam` does."""
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def _decay(self) -> tuple[float, float]:
        return 1 - self.lr * self.weight_decay, 0.0


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


def constant(lr: float) -> Schedule:
    """The same learning rate at every step.

    >>> constant(0.1)(7)
    0.1
    """
    return lambda step: lr


def linear(lr: float, steps: int, final: float = 0.0) -> Schedule:
    """A straight line from `lr` at step 0 to `final` at `steps`, `final` from there on.

    >>> linear(1.0, 4)(1)
    0.75
    """
    size("steps", steps)

    def at(step: int) -> float:
        t = _share(step, steps)
        return (1 - t) * lr + t * final

    return at


def cosine(lr: float, steps: int, final: float = 0.0) -> Schedule:
    """Half a cosine wave from `lr` at step 0 down to `final` at `steps`, `final` from there on.

    >>> cosine(1.0, 4)(4)
    0.0
    """
    size("steps", steps)

    def at(step: int) -> float:
        return final + (lr - final) * (1 + math.cos(math.pi * _share(step, steps))) / 2

    return at


def step(lr: float, every: int, factor: float = 0.1) -> Schedule:
    """Stairs: `lr`, multiplied by `factor` after every `every` steps.

    >>> step(1.0, every=10, factor=0.5)(20)
    0.25
    """
    size("steps", every)
    return lambda step: lr * factor ** (max(step, 0) // every)


def _share(step: int, steps: int) -> float:
    """How much of the way is gone: 0 before the first step, 1 after the last."""
    return min(max(step / steps, 0.0), 1.0)


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


def _listed(name: str, numbers: Any) -> Sequence[Any]:
    if isinstance(numbers, str) or not isinstance(numbers, Sequence):
        raise ValueError(f"{name} expected a list of numbers, got {short(numbers)}")
    return numbers


def _whole(name: str, x: object, least: float) -> int:
    z = finite(name, x, least)
    if not z.is_integer():
        raise ValueError(f"{name} expected whole numbers, got {z}")
    return int(z)


def _two_means(name: str, setting: tuple[float, float]) -> tuple[float, float]:
    if len(_listed(name, setting)) != 2:
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
