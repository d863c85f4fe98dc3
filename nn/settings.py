"""The settings of `fit`: checked before the first step, and what stands for those not given."""

import inspect
from collections.abc import Callable, Iterable, Mapping

from engine.names import no_such
from nn.checks import check_model, finite, size
from nn.judging import Model
from nn.loss import check_loss
from nn.optim import SGD
from nn.optimizer import Optimizer, check_rate
from nn.schedules import Schedule, constant

USUAL_PAUSE = 100  # steps between two checkpoints


def check_names(function: Callable[..., object], mistyped: Mapping[str, object]) -> None:
    """TypeError for settings that a function has not; `mistyped` holds these."""
    if mistyped:
        known = [name for name in inspect.signature(function).parameters if name != "mistyped"]
        who = getattr(function, "__name__", "")
        raise TypeError(f"{who} has {no_such('argument', next(iter(mistyped)), known)}")


def check_model_and_loss(who: str, model: object, loss: object) -> None:
    """TypeError for what is no model or no loss."""
    check_loss(who, model, loss)
    check_model(who, model)


def check_functions(callbacks: object, penalty: object) -> None:
    """TypeError for what is no function where one is needed."""
    if callable(callbacks) or not isinstance(callbacks, Iterable):
        raise TypeError(
            f"callbacks expected a list of functions, such as [print], got {callbacks!r:.40}"
        )
    for name, thing in (*(("a callback", each) for each in callbacks), ("penalty", penalty)):
        if not (callable(thing) or (name == "penalty" and thing is None)):
            raise TypeError(f"{name} expected a function, got {thing!r:.40}")


def pause_of(every: int | None, checkpoint: object, resume: object) -> int:
    """The steps between two checkpoints; ValueError where there are none to write."""
    if every is None:
        return USUAL_PAUSE
    pause = size("steps between checkpoints", every)
    if checkpoint is None:
        path = "run.json" if resume is None else resume
        raise ValueError(
            f"every={pause} says how often a checkpoint is written, and none is: give "
            f"checkpoint={path!r:.60} too, or leave every out"
        )
    return pause


def default_optimizer(model: Model, lr: float | Schedule | None) -> Optimizer:
    """Plain `SGD`; ValueError without a rate, TypeError for a model without parameters."""
    if lr is None:
        raise ValueError("fit expected lr (a number, or a function of the step) or optimizer")
    if not hasattr(model, "parameters"):
        raise TypeError(
            f"fit expected a model with parameters(), got {type(model).__name__}: derive it from "
            "nn.Module, or give optimizer=SGD([...], lr=...) what to learn"
        )
    return SGD(model.parameters(), lr=0.0)  # `rate_of` sets lr before each step


def step_count(steps: int | None, epochs: int | None, per_pass: int) -> int:
    """The steps of a training; ValueError unless one of the two is given."""
    if steps is not None and epochs is None:
        return size("steps", steps)
    if epochs is not None and steps is None:
        return size("epochs", epochs) * per_pass
    raise ValueError("fit expected one of steps and epochs")


def rate_of(lr: float | Schedule | None, optimizer: Optimizer) -> Schedule | None:
    """The schedule that sets the optimizer's rate at each step; None: its own counts."""
    if lr is None:
        check_rate(optimizer)
        return None
    return lr if callable(lr) else constant(finite("lr", lr, least=0.0))
