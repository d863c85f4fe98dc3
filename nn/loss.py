"""Losses: how wrong a prediction is, as one Value to make small.

Each takes `(prediction, target)` for one example, or a list of each for a batch, and returns the
mean. Lists may be nested as long as both have the same shape.

>>> mse([Value(1.0), Value(4.0)], [0.0, 2.0]).data  # (1 + 4) / 2
2.5
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from itertools import compress
from typing import Any

from engine.functions import cross_entropy as cross_entropy_of_one
from engine.functions import dot, logsumexp
from engine.functions import sum as sum_of
from engine.op import row
from engine.value import Value, call
from nn.module import MLP, Layer, Neuron

# No chance of something infinite is nothing: 0 times inf would be nan, and a class given as its
# number would not have the loss that it has as a row of 0 and 1.
SHARE = row("share", "*", "0.0 if x == 0 else x * y", "y", "x", at=[(1.5, 2.0), (-3.0, 0.5)])

Prediction = Value | Sequence[Any]
Target = Value | float | Sequence[Any]


def mse(prediction: Prediction, target: Target) -> Value:
    """The mean of (prediction - target) ** 2.

    >>> mse(Value(3.0), 1.0).data
    4.0
    """
    errors = [p - t for p, t in _pairs("mse", prediction, target)]
    return errors[0] ** 2 if len(errors) == 1 else dot(errors, errors) / len(errors)


def mae(prediction: Prediction, target: Target) -> Value:
    """The mean of abs(prediction - target), with slope 0 where they are equal.

    >>> mae([Value(1.0), Value(4.0)], [0.0, 2.0]).data
    1.5
    """
    return _mean([abs(p - t) for p, t in _pairs("mae", prediction, target)])


def hinge(score: Prediction, target: Target) -> Value:
    """The mean of relu(1 - target * score), targets -1 or 1: no loss where the margin is 1.

    >>> hinge([Value(0.5), Value(3.0)], [-1, 1]).data
    0.75
    """
    pairs = _pairs("hinge", score, target)
    _check_targets("hinge", pairs, "-1 or 1", lambda t: t in (-1, 1))
    return _mean([(1 - t * s).relu() for s, t in pairs])


def binary_cross_entropy(logit: Prediction, target: Target) -> Value:
    """The mean of -log of the chance that sigmoid(logit) gives the target, from 0 to 1.

    Exact for logits of any size: `t * softplus(-z) + (1 - t) * softplus(z)`.

    >>> f"{binary_cross_entropy(Value(0.0), 1):.4f}"  # log 2
    '0.6931'
    >>> binary_cross_entropy(Value(-1000.0), 1).data
    1000.0
    """
    name = "binary_cross_entropy"
    pairs = _pairs(name, logit, target)
    _check_targets(name, pairs, "from 0 to 1", lambda t: 0 <= t <= 1)
    return _mean([_bce_of_logit(z, t) for z, t in pairs])


def cross_entropy(logits: Sequence[Any], target: Any) -> Value:
    """The mean of -log softmax(logits)[target].

    The target of an example is the index of its class, or a list with the chance of each class:
    one without a chance adds nothing, though its logit be -inf. A batch is a list of lists of
    logits with a list of targets.

    >>> f"{cross_entropy([Value(0.0), Value(0.0)], 1):.4f}"  # log 2
    '0.6931'
    >>> f"{cross_entropy([[Value(0.0), Value(0.0)], [Value(9.0), Value(0.0)]], [1, 0]):.4f}"
    '0.3466'
    """
    if _is_many(logits) and len(logits) and _is_many(logits[0]):
        _check_lengths("cross_entropy", logits, target)
        return _mean([cross_entropy(z, t) for z, t in zip(logits, target, strict=True)])
    if not _is_many(logits) or len(logits) < 2:
        raise ValueError(
            "cross_entropy expected a logit for each of 2 or more classes, got "
            f"{len(logits) if _is_many(logits) else 'a single number'}:"
            " for two classes told apart by one logit there is binary_cross_entropy"
        )
    if _is_many(target) and not isinstance(target, Mapping | Set) and len(target) == len(logits):
        return _cross_entropy_of_chances(logits, target)
    loss: Value = cross_entropy_of_one(logits, target)
    return loss


def l2(parameters: Iterable[Value]) -> Value:
    """The sum of squares of the parameters, as one node.

    >>> l2([Value(3.0), Value(4.0)]).data
    25.0
    """
    parameters = list(parameters)
    if not parameters:
        raise ValueError("l2 expected at least one parameter, got none")
    squares: Value = dot(parameters, parameters)
    return squares


def check_loss(who: str, model: object, loss: object) -> None:
    """TypeError, with an example, for what is no loss, or stands where the model should."""
    if not callable(loss):
        raise TypeError(f"{who} expected a loss, a function such as nn.mse, got {loss!r:.60}")
    if any(model is known for known in LOSSES) or isinstance(loss, Neuron | Layer | MLP):
        raise TypeError(
            f"{who} expected the model and then the loss, such as {who}(net, mse, ...), "
            f"got {_named(model)} and {_named(loss)}: swap them"
        )


def _named(thing: object) -> str:
    return str(getattr(thing, "__name__", type(thing).__name__))


def _bce_of_logit(z: Value, t: Value | float) -> Value:
    """-log of the chance that sigmoid(z) gives t."""
    if isinstance(t, Value):  # also where `fit` made a number of a class one
        some: Value = call(SHARE, t, (-z).softplus()) + call(SHARE, 1 - t, z.softplus())
        return some
    if 0 < t < 1:
        return t * (-z).softplus() + (1 - t) * z.softplus()
    return (-z if t else z).softplus()


def _cross_entropy_of_chances(logits: Sequence[Any], chances: Sequence[Any]) -> Value:
    """The mean of -log softmax(logits), weighted by the chances of the classes."""
    total = logsumexp(logits)
    gaps = [total - z for z in logits]
    if any(isinstance(chance, Value) for chance in chances):
        gaps = [call(SHARE, chance, gap) for chance, gap in zip(chances, gaps, strict=True)]
        chances = [1.0] * len(gaps)  # so that both ways add in the same order
    else:
        counts = [bool(chance) or gap < math.inf for chance, gap in zip(chances, gaps, strict=True)]
        chances, gaps = (list(compress(column, counts)) for column in (chances, gaps))
    mean: Value = dot(chances, gaps)
    return mean


def _pairs(name: str, prediction: Any, target: Any) -> list[tuple[Value, Value | float]]:
    """Both as flat lists, side by side, after checking that they have one shape."""
    if isinstance(prediction, Value) and not _is_many(target):
        return [(prediction, target)]
    if not _is_many(prediction) and not _is_many(target):
        raise TypeError(f"{name} expected a Value to compare, got {type(prediction).__name__}")
    _check_lengths(name, prediction, target)
    return [pair for p, t in zip(prediction, target, strict=True) for pair in _pairs(name, p, t)]


def _check_lengths(name: str, prediction: Any, target: Any) -> None:
    shapes = [f"a list of {len(x)}" if _is_many(x) else "a number" for x in (prediction, target)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"{name} expected predictions and targets of one shape, got {' and '.join(shapes)}"
        )
    if not len(target):
        raise ValueError(f"{name} expected at least 1 prediction, got 0")


def _check_targets(
    name: str,
    pairs: list[tuple[Value, Value | float]],
    expected: str,
    holds: Callable[[float], bool],
) -> None:
    for _, t in pairs:
        if not isinstance(t, Value) and not holds(t):
            raise ValueError(f"{name} expected targets {expected}, got {t!r}")


def _is_many(x: object) -> bool:
    return hasattr(x, "__len__") and not isinstance(x, str)


def _mean(losses: list[Value]) -> Value:
    return losses[0] if len(losses) == 1 else sum_of(losses) / len(losses)


LOSSES: tuple[Callable[..., Value], ...] = (mse, mae, hinge, binary_cross_entropy, cross_entropy)
