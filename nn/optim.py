"""Optimisers, which move parameters against their gradients, and schedules of the learning rate.

Arguments, defaults and every step are those of torch.optim. A parameter without a computed
gradient stays as it is. A step to numbers that are not finite is refused, where torch takes it.
"""

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import repeat
from reprlib import repr as short
from typing import Any, ClassVar

from engine.value import NOT_COMPUTED, Value, set_each
from nn.module import finite, size

Schedule = Callable[[int], float]


class Optimizer(ABC):
    """What all optimisers share. `lr`, the learning rate, may be set between steps."""

    # lists with one entry per parameter that a step reads and replaces: (first entry, least)
    MEMORY: ClassVar[Mapping[str, tuple[float | None, float]]]
    lr: float

    def __init__(self, parameters: Iterable[Value], **settings: Any) -> None:
        """Holds the parameters; raises ValueError for settings out of range."""
        self.parameters = _checked(type(self).__name__, parameters)
        self._settings = tuple(settings)
        for name, setting in settings.items():
            setattr(self, name, _SETTINGS[name](name, setting))
        for name, (start, _) in self.MEMORY.items():
            setattr(self, name, [start] * len(self.parameters))

    @abstractmethod
    def step(self) -> None:
        """Moves every parameter once, by its gradient.

        Raises FloatingPointError, and changes nothing, where a number would not be finite.
        """

    def _take(self, data: list[float], **memory: list[Any]) -> None:
        """Sets the parameters, and the lists of memory, all of finite numbers."""
        for name, numbers in (("data", data), *memory.items()):
            if not all(map(math.isfinite, filter(None, numbers))):
                k = next(k for k, x in enumerate(numbers) if x and not math.isfinite(x))
                raise FloatingPointError(f"the {name} of parameter {k} would become {numbers[k]}")
        set_each("data", self.parameters, data)
        vars(self).update(memory)

    def zero_grad(self) -> None:
        """Forgets the gradient of every parameter."""
        set_each("grad", self.parameters, repeat(NOT_COMPUTED))

    def state_dict(self) -> dict[str, Any]:
        """Settings and memory by name, ready for JSON."""
        return {name: getattr(self, name) for name in (*self._settings, *self.MEMORY)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a `state_dict()` of its kind; ValueError, and no change, if it is none."""
        kind = type(self).__name__
        if state.keys() != self.state_dict().keys():
            raise ValueError(f"{kind} expected {list(self.state_dict())}, got {list(state)}")
        fresh = type(self)(self.parameters, **{name: state[name] for name in self._settings})
        for name, (start, least) in self.MEMORY.items():
            entries = _listed(name, state[name])
            if len(entries) != len(self.parameters):
                raise ValueError(
                    f"{kind} expected one {name} for each of its {len(self.parameters)} parameters,"
                    f" got {len(entries)}"
                )
            read = _whole if isinstance(start, int) else finite
            setattr(fresh, name, [e if e is start else read(name, e, least) for e in entries])
        vars(self).update(vars(fresh))

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._settings)
        return f"{type(self).__name__}({len(self.parameters)} parameters, {settings})"


class SGD(Optimizer):
    """Gradient descent: `p -= lr * gradient`, with momentum if wanted.

    With momentum the step goes along a velocity, `v = momentum * v + (1 - dampening) * gradient`,
    or with `nesterov` along `gradient + momentum * v`. `weight_decay` adds `weight_decay * p` to
    the gradient.

    >>> p = Value(3.0)
    >>> optimizer = SGD([p], lr=0.1)
    >>> (p * p).backward()
    >>> optimizer.step()
    >>> f"{p:.4f}"  # 3 - 0.1 * 6
    '2.4000'
    """

    MEMORY: ClassVar = {"velocity": (None, -math.inf)}
    momentum: float
    dampening: float
    weight_decay: float
    nesterov: bool
    velocity: list[float | None]

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        """Raises ValueError for negative settings, and for nesterov without plain momentum."""
        super().__init__(
            parameters,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
        )
        if nesterov and not (self.momentum > 0 and self.dampening == 0):
            raise ValueError(
                "nesterov expected a momentum above 0 and a dampening of 0, "
                f"got momentum={momentum}, dampening={dampening}"
            )

    def step(self) -> None:
        """Moves every parameter once, by its gradient."""
        lr, decay, momentum, nesterov = self.lr, self.weight_decay, self.momentum, self.nesterov
        data, velocity = [p.data for p in self.parameters], self.velocity.copy()
        for k, p in enumerate(self.parameters):
            if not p.has_grad:
                continue
            g = p.grad
            if decay:
                g += decay * p.data
            if momentum:
                v = velocity[k]
                v = g if v is None else momentum * v + (1 - self.dampening) * g
                velocity[k] = v
                g = g + momentum * v if nesterov else v
            data[k] -= lr * g
        self._take(data, velocity=velocity)


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

    MEMORY: ClassVar = {"steps": (0, 0.0), "mean": (0.0, -math.inf), "mean_square": (0.0, 0.0)}
    DECOUPLED: ClassVar = False  # whether decay moves p itself, past the means
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    steps: list[int]
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

    def step(self) -> None:
        """Moves every parameter once, by its gradient."""
        lr, eps, decay, decoupled = self.lr, self.eps, self.weight_decay, self.DECOUPLED
        beta1, beta2 = self.betas
        data, steps = [p.data for p in self.parameters], self.steps.copy()
        means, squares = self.mean.copy(), self.mean_square.copy()
        corrected_for = 0  # nearly always all parameters are at the same step
        for k, p in enumerate(self.parameters):
            if not p.has_grad:
                continue
            t = steps[k] = steps[k] + 1
            if t != corrected_for:
                corrected_for = t
                rate = lr / (1 - beta1**t)
                shrink = math.sqrt(1 - beta2**t)
            g = p.grad
            if decay and decoupled:
                data[k] *= 1 - lr * decay
            elif decay:
                g += decay * p.data
            m = means[k] = beta1 * means[k] + (1 - beta1) * g
            s = squares[k] = beta2 * squares[k] + (1 - beta2) * g * g
            data[k] -= rate * m / (math.sqrt(s) / shrink + eps)
        self._take(data, steps=steps, mean=means, mean_square=squares)


class AdamW(Adam):
    """Adam whose `weight_decay` shrinks p itself by `lr * weight_decay * p`, past the means.

    (Loshchilov and Hutter 2019, arXiv 1711.05101.)
    """

    DECOUPLED: ClassVar = True

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
        raise ValueError(f"{kind} expected each parameter once, got one of them twice")
    return parameters


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


def _switch(name: str, setting: bool) -> bool:
    if not isinstance(setting, bool):
        raise ValueError(f"{name} expected True or False, got {setting!r}")
    return setting


_NOT_NEGATIVE = partial(finite, least=0.0)
_SETTINGS: dict[str, Callable[[str, Any], Any]] = {
    "lr": _NOT_NEGATIVE,
    "momentum": _NOT_NEGATIVE,
    "dampening": _NOT_NEGATIVE,
    "weight_decay": _NOT_NEGATIVE,
    "nesterov": _switch,
    "betas": _two_means,
    "eps": partial(finite, least=sys.float_info.min),  # 0 / 0 for a gradient of 0
}
