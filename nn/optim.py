"""Optimisers, which move parameters against their gradients.

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
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from engine.elementary import sqrt as sqrt_of_value
from engine.number import NOT_COMPUTED
from engine.pictures.texts import short
from engine.value import Value
from nn.optimizer import Numbers, Optimizer, check_rate, numbers_of
from nn.schedules import Schedule, constant, cosine, linear, step

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "Schedule", "constant", "cosine", "linear", "step"]


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

    def update_in_words(
        self, k: int, name: str, old: float, grad: float, new: float
    ) -> tuple[str, str]:
        """`lr` times the gradient, or the velocity, is taken away."""
        lr, momentum = self.lr, self.momentum
        direction, text = _with_decay(self.weight_decay, old, grad)
        if not momentum:
            return f"{text}{name} = {short(old)} - {lr:g} * {short(direction)}", "p - lr * gradient"
        velocity = self.velocity[k]
        text += f"velocity = {short(velocity)}; "
        formula = "velocity = momentum * velocity + (1 - dampening) * gradient; p - lr * velocity"
        if self.nesterov:
            text += f"step = {short(direction)} + {momentum:g} * {short(velocity)}; "
            direction += momentum * velocity
            formula = formula.replace("lr * velocity", "lr * (gradient + momentum * velocity)")
        else:
            direction = velocity
        return f"{text}{name} = {short(old)} - {lr:g} * {short(direction)}", formula

    def _completed(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of the version before: one with momentum has a velocity from its first step on."""
        if "has_velocity" in state or not {"momentum", "steps", "velocity"} <= state.keys():
            return state
        pairs = zip(
            *(numbers_of(name, state[name]) for name in ("steps", "velocity")), strict=False
        )
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

    def update_in_words(
        self, k: int, name: str, old: float, grad: float, new: float
    ) -> tuple[str, str]:
        """A step of `lr` times the mean by the root of the mean square."""
        lr, steps = self.lr, self.steps[k]
        *_, shrink, decay = self.rates(steps)
        mean = self.mean[k] / (1 - self.betas[0] ** steps)
        root = math.sqrt(self.mean_square[k] / (1 - self.betas[1] ** steps))
        formula = "p - lr * mean / (root mean square + eps)"
        if shrink < 1:
            text, old = f"{name} shrinks by {1 - shrink:.2%}; ", shrink * old
            formula = f"p = (1 - lr * decay) * p; {formula}"
        else:
            _, text = _with_decay(decay, old, grad)
        step = f"{lr:g} * {short(mean)} / ({short(root)} + {self.eps:g})"
        return f"{text}{name} = {short(old)} - {step}", formula


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


def _with_decay(decay: float, old: float, grad: float) -> tuple[float, str]:
    """The gradient that an optimizer goes by, and how it came about."""
    if not decay:
        return grad, ""
    total = grad + decay * old
    return total, f"gradient = {short(grad)} + {decay:g} * {short(old)} = {short(total)}; "
