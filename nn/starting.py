"""Trains a new net from one start, as a recipe says: on which rows, how fast, how patiently."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from engine.value import Value
from nn.data import Dataset
from nn.ground import Ground, ground, ground_of
from nn.history import History
from nn.judging import Loss
from nn.module import MLP
from nn.recipe import OPTIMIZERS, SCHEDULES, Recipe, begin, bending, places
from nn.rows import EachRow
from nn.schedules import Schedule
from nn.table import Table
from nn.train import fit

PATIENCE = 0.2  # of all steps: so long may training go on without a lower loss on rows held out
FEWEST_LOOKS = 5  # without a lower loss, at least, before training stops


class Grounds(NamedTuple):
    """The rows to learn from, and those held out, where there are any, as a net takes them."""

    learned: Ground
    held_out: Ground | None


def grounds_of(
    recipe: Recipe,
    net: MLP,
    loss: Loss,
    rows: Dataset,
    seed: int,
    backend: str = "auto",
    judge: EachRow | None = None,
    table: Table | None = None,
) -> Grounds:
    """What `chosen` and `train_by` stand on, to be made once for both; raises as `places`.

    A `judge` of this net, which is of the backend "auto", serves where that is asked for. `table`
    has the same rows, finite floats, laid down already.
    """
    judge = judge if backend == "auto" else None
    learned, held_out = places(recipe, rows, seed)
    others = None
    if held_out:
        others = ground(net, loss, rows.pick(held_out), "validation", backend, judge)
    if table is None:
        return Grounds(ground(net, loss, rows.pick(learned) if held_out else rows), others)
    table = table.pick(learned) if held_out else table
    return Grounds(ground_of(net, loss, table), others)


def train_from_start(
    recipe: Recipe, net: MLP, loss: Loss, learned: Ground, seed: int, **settings: Any
) -> History:
    """Trains a new net from the recipe's start on the rows to learn from."""
    begin(net, recipe.start)
    return fit(
        net,
        loss,
        learned,
        steps=recipe.steps,
        batch_size=recipe.batch or None,
        optimizer=OPTIMIZERS[recipe.optimizer](net.parameters(), lr=recipe.lr),
        lr=rate_of(recipe),
        penalty=penalty_of(recipe, net, len(learned.table)),
        seed=seed,
        **settings,
    )


def rate_of(recipe: Recipe) -> Schedule:
    """The learning rate of each step."""
    return SCHEDULES[recipe.schedule](recipe.lr, recipe.steps)


def penalty_of(recipe: Recipe, net: MLP, rows: int) -> Callable[[Any], Value] | None:
    """What is added to the loss; None without decay, or where nothing in the net can bend."""
    has_bends = len(net.layers) > 1
    return partial(bending, recipe.decay / rows) if recipe.decay and has_bends else None


def patience_of(recipe: Recipe, rows: int, share: float = PATIENCE) -> int:
    """Looks at the rows held out, one after each pass, that need not be lower."""
    looks = recipe.steps / math.ceil(rows / min(recipe.batch or rows, rows))
    return max(FEWEST_LOOKS, math.ceil(share * looks))
