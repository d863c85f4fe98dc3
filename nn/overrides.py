"""Tells whether an optimiser steps as this package wrote it, or by code of somebody else."""

from operator import attrgetter
from typing import Any

from nn.optim import SGD, Optimizer
from nn.plain import is_arithmetic, is_of

_OURS = (Optimizer.__module__, SGD.__module__)
_STEP = ("step", "take", "zero_grad", "check", "columns", "check_lengths")
_methods_of = attrgetter(*_STEP, "rates")
_ACCESS = ("__setattr__", "__getattribute__", "__getattr__", "__delattr__")
_READ = {"lr", "parameters", "steps", "MEMORY", "_settings"}  # by each step, beside the memory


def steps_of(optimizer: Optimizer) -> tuple[Any, ...]:
    """What decides whose the steps of an optimiser are: quick to compare."""
    kind = type(optimizer)
    return kind, *vars(optimizer), *_methods_of(kind)


def is_ours(optimizer: Optimizer) -> bool:
    """Whether nothing in it is the user's, so that one look is enough."""
    kind, own = type(optimizer), vars(optimizer)
    are_ours = all(is_of(Optimizer, getattr(kind, name)) for name in (*_STEP, "rates", "moved"))
    return are_ours and kind.__module__ in _OURS and not any(map(callable, own.values()))


def is_overridden(optimizer: Optimizer) -> bool:
    """Whether somebody else says what a step is, in a subclass or on the instance.

    So do rates and settings that are more than arithmetic on settings: while steps are replayed
    the numbers of the parameters are elsewhere, and rates are asked for more often than once.
    """
    own, kind = vars(optimizer), type(optimizer)
    if any(name in own or not is_of(Optimizer, getattr(kind, name)) for name in _STEP):
        return True
    if "moved" in own:
        return True
    others = [c for c in kind.__mro__ if c.__module__ not in _OURS and c is not object]
    found = {name: thing for c in others for name, thing in vars(c).items()}
    if found.keys() & set(_ACCESS):
        return True
    read = (_READ | set(optimizer._settings) | set(optimizer.MEMORY)) & found.keys()
    computed = [found[name] for name in read if hasattr(type(found[name]), "__get__")]
    if not all(
        isinstance(each, property) and each.fset is None and is_arithmetic(each.fget, optimizer)
        for each in computed
    ):
        return True
    rates = getattr(own.get("rates", optimizer.rates), "__func__", own.get("rates"))
    return not (is_ours(optimizer) or is_arithmetic(rates, optimizer))
