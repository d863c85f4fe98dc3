"""Checks that data, model and loss fit together, and measures how good a model is on data."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from reprlib import repr as short
from typing import Any, Protocol

from engine.ieee import fsum
from engine.replay.undo import trial
from engine.value import Value
from nn.checks import finite
from nn.data import Data, Decision, as_dataset, decision, one_hot
from nn.loss import binary_cross_entropy, cross_entropy, hinge, mae, mse
from nn.module import MLP
from nn.plain import is_stateless
from nn.progress import collector_paused
from nn.rows import EachRow, with_floats

Loss = Callable[[Any, Any], Value]
LETTERS = 256  # integers in examples that a model is tried on before training


class Model(Protocol):
    """What can be trained: called with one example, and made of parameters."""

    def __call__(self, x: Any, /) -> Any:
        """The output for one example: a Value, or a list of them."""

    def parameters(self) -> list[Value]:
        """The Values to learn."""


def plain_data(data: Data, loss: Loss, name: str = "") -> tuple[list[Any], list[Any]]:
    """xs and ys as lists of finite numbers, or of lists and dicts of them.

    Classes are ints, though they came as floats. ValueError naming another number.
    """
    whole = as_dataset(data, name or "data")
    beginning = f"{name} " if name else ""
    xs, ys = _numbers(whole.xs, f"{beginning}xs"), _numbers(whole.ys, f"{beginning}ys")
    if loss is cross_entropy:
        ys = [int(y) if isinstance(y, float) and y.is_integer() else y for y in ys]
    return xs, ys


def _numbers(thing: Any, where: str) -> Any:
    if hasattr(thing, "tolist"):  # NumPy's
        thing = thing.tolist()
    if isinstance(thing, dict):
        return {key: _numbers(part, f"{where}[{key!r}]") for key, part in thing.items()}
    if not isinstance(thing, (list, tuple)):
        if isinstance(thing, str | bool):
            of_text = "texts need numbers of their own, such as names.index(text)"
            words = of_text if isinstance(thing, str) else "write int(x) for 1 or 0"
            raise ValueError(f"{where} expected a finite number, got {short(thing)}: {words}")
        finite(where, thing)
        return thing
    if _are_finite(thing):
        return list(thing)
    if {*map(type, thing)} == {list} and _are_finite([*chain.from_iterable(thing)]):
        return list(map(list, thing))
    return [_numbers(part, f"{where}[{i}]") for i, part in enumerate(thing)]


def _are_finite(things: Sequence[Any]) -> bool:
    """Whether these are finite numbers of Python: the usual, and fast."""
    if not {*map(type, things)} <= {float, int}:
        return False
    try:
        return math.isfinite(sum(things)) or all(map(math.isfinite, things))
    except OverflowError:  # an int beyond floats
        return False


def fitting(model: Model, loss: Loss, xs: list[Any], ys: list[Any]) -> Decision | None:
    """Tries the loss on every target, then says how outputs become classes.

    The model runs once for each length of its input, and for letters, up to some number, that it
    did not meet before. What it counts or remembers is undone; a layer that it builds when first
    called stays.
    """
    tried = partial(_tried, xs, ys)
    with collector_paused():  # the graphs have no cycles: to look for some is time lost
        output = _trial(model, loss, tried)
    return decision(ys, output, threshold=0.0 if loss is binary_cross_entropy else None)


def _trial(model: Model, loss: Loss, run: Callable[[Model, Loss], Any]) -> Any:
    """What a run gives, whose traces are undone where it can leave some."""
    return run(model, loss) if is_stateless(model, loss) else trial(run, model, loss)


def _tried(xs: list[Any], ys: list[Any], model: Model, loss: Loss) -> Any:
    """An output of the model; ValueError naming the first example that does not fit."""
    outputs: dict[int | None, Any] = {}
    known: set[int] = set()
    tried: set[Any] = set()
    lengths = [len(x) if isinstance(x, list) else None for x in xs]
    firsts: dict[int | None, int] = {}
    for i, length in enumerate(lengths):
        firsts.setdefault(length, i)
    for i in dict.fromkeys([*firsts.values(), *range(len(xs))]):  # each length, then letters
        x, y, length = xs[i], ys[i], lengths[i]
        letters = set() if type(model) is MLP else _integers(x) - known
        kind = length, _asked(loss, y)
        if kind in tried and not (letters and len(known) < LETTERS):
            continue
        tried.add(kind)
        try:
            if length not in outputs or (letters and len(known) < LETTERS):
                known |= letters
                outputs[length] = _learnable(model(x))
            result = loss(outputs[length], y)
        except (ValueError, TypeError, IndexError) as error:
            raise ValueError(f"example {i} does not fit: {error}") from error
        if not isinstance(result, Value):
            raise ValueError(
                f"the loss returned {result!r:.40}, expected a Value: compute with what the model "
                "returned, not with its .data"
            )
    return outputs.popitem()[1]


def _learnable(output: Any) -> Any:
    """What a model returned; ValueError where it is plain numbers."""
    parts = output if isinstance(output, list | tuple) and output else [output]
    if all(isinstance(part, int | float) for part in parts):
        raise ValueError(
            f"the model returned {short(output)}, expected Values: are its weights Values, and "
            "computed with, not with their .data?"
        )
    return output


def _integers(x: Any) -> set[int]:
    """The integers in an example, which may be rows to pick."""
    if isinstance(x, list):
        return {n for part in x for n in _integers(part)}
    return {x} if isinstance(x, int) else set()


def _asked(loss: Loss, y: Any) -> Any:
    """What targets that fit equally well share: shape and value, or shape where any number fits."""
    if isinstance(y, list):
        return (list, *[_asked(loss, part) for part in y])
    if not isinstance(y, (int, float)):
        return object()  # like no other
    return None if loss in (mse, mae) else (type(y), y)


def judging(model: Model, loss: Loss, backend: str = "auto", has_slopes: bool = False) -> EachRow:
    """A function of rows that gives the loss and the output of each."""

    def judge(x: Any, y: Any) -> tuple[Value, Any]:
        output = model(x)
        return loss(output, y), output

    return EachRow(judge, backend, has_slopes)


def mean_and_accuracy(
    judged: Sequence[tuple[float, Any]], decide: Decision | None, ys: Sequence[Any]
) -> tuple[float, float | None]:
    """The mean of the losses, and the share of the outputs that stand for their targets."""
    losses, outputs = zip(*judged, strict=True)
    return fsum(losses) / len(losses), decide.share_right(outputs, ys) if decide else None


def as_floats(model: Model, loss: Loss, xs: list[Any], ys: list[Any]) -> tuple[Any, Any]:
    """Data with floats where the model and the loss take floats as well as integers.

    Integers that are computed with are part of the shape of a recording, so that each of them
    would need its own; classes are not, since a loss only picks by them.
    """
    if loss in (mse, mae, hinge, binary_cross_entropy):
        ys = [float(y) if isinstance(y, int) else y for y in ys]
    return with_floats(model, xs), ys


def with_rows(
    model: Model, loss: Loss, xs: Sequence[Any], ys: Sequence[Any]
) -> tuple[Any, Any] | None:
    """The data with classes as rows of 0 and 1, which is what older checkpoints tell of."""
    if loss is not cross_entropy or any(isinstance(y, list) for y in ys):
        return None
    classes = len(_trial(model, loss, lambda model, loss: model(xs[0])))
    return xs, [one_hot(y, classes) for y in ys]
