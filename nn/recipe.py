"""How the command and the estimators train unless told otherwise: one table, chosen by trial.

Chosen on tables that scikit-learn ships and on made ones (`python -m benchmarks --only tables`
prints how they fare), so that a net is not worse than a straight line where a line is right. The
net begins as nearly a straight line, with small weights before its bends (tanh) and large ones
after them. It bends as far as it helps: on rows held out, where there are enough to hold some out;
else its weights before the bends are held small.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from engine.drawing.picture import many
from engine.value import Value
from nn.data import Dataset, split
from nn.history import History
from nn.judging import Loss
from nn.loss import l2
from nn.module import MLP
from nn.optim import SGD, Adam, AdamW, Optimizer, Schedule, constant, cosine, linear
from nn.train import fit

ENOUGH = 200  # rows to learn from, of which some can be held out
MOST_HELD_OUT = 2000  # rows: more would tell little more, and cost a look at each pass
PATIENCE = 0.2  # of all steps: so long may training go on without a lower loss on rows held out
FEWEST_LOOKS = 5  # that it goes on anyway
STRAIGHT = 0.1  # of the usual weights of each of two hidden layers
STEEP = 3.0  # of those of the last

OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda lr, steps: constant(lr),
    "linear": linear,
    "cosine": cosine,
}


@dataclass(frozen=True)
class Recipe:
    """How to train: `hold_out` is a share of the rows, `decay` is in 1 / rows, 0 is none of it."""

    optimizer: str
    lr: float
    schedule: str
    batch: int  # points in a step; 0: all
    steps: int
    hold_out: float = 0.0
    decay: float = 0.0
    starts_straight: bool = True

    def __str__(self) -> str:
        """In words, for a reader of the command's output."""
        rate = f"rate {self.lr:g}" + f" ({self.schedule})" * (self.schedule != "constant")
        batch = many(self.batch, "point") if self.batch else "all points"
        words = f"{self.optimizer}, {rate}, {batch} a step, {self.steps:,} steps"
        if self.hold_out:
            return f"{words} at most: it stops early by {self.hold_out:.0%} of the rows, held out"
        return f"{words}, weight decay {self.decay:g} / rows" if self.decay else words


# fmt: off
RECIPES = {  #          name    rate   schedule    batch steps hold out, decay
    ("sgd", False):   Recipe("sgd",   0.05,  "constant", 1,  3000, starts_straight=False),
    ("sgd", True):    Recipe("sgd",   0.05,  "constant", 1,  3000, starts_straight=False),
    ("adam", False):  Recipe("adam",  0.004, "cosine",   64, 1000, decay=30.0),
    ("adam", True):   Recipe("adam",  0.002, "cosine",   64, 6000, hold_out=0.2),
    ("adamw", False): Recipe("adamw", 0.004, "cosine",   64, 1000, decay=30.0),
    ("adamw", True):  Recipe("adamw", 0.002, "cosine",   64, 6000, hold_out=0.2),
}
# fmt: on
USUAL = "adam"


def recipe_for(rows: int, optimizer: str = USUAL, **wishes: Any) -> Recipe:
    """The recipe for so many rows to learn from; `wishes` that are not None take its place.

    A `hold_out` of 0 asks for the recipe of few rows, another for that of enough.

    >>> recipe_for(120).decay, recipe_for(1200).hold_out
    (30.0, 0.2)
    >>> print(recipe_for(120, "sgd", batch=5))
    sgd, rate 0.05, 5 points a step, 3,000 steps
    """
    hold_out = wishes.get("hold_out")
    is_enough = rows >= ENOUGH if hold_out is None else hold_out > 0
    wanted = {name: wish for name, wish in wishes.items() if wish is not None}
    recipe = RECIPES[optimizer, is_enough]
    share = min(recipe.hold_out, MOST_HELD_OUT / rows)
    return replace(recipe, **{"hold_out": share, **wanted})


def parts(recipe: Recipe, rows: Dataset, seed: int) -> tuple[Dataset, Dataset | None]:
    """The rows to learn from, and those held out for an early stop, where there are any.

    Raises ValueError where the share leaves one of them empty.
    """
    if not recipe.hold_out:
        return rows, None
    if not 0 < round((1 - recipe.hold_out) * len(rows.xs)) < len(rows.xs):
        raise ValueError(
            f"--hold-out {recipe.hold_out:g} of {len(rows.xs)} rows leaves none to learn from or "
            "none to stop by: give more rows, or --hold-out 0"
        )
    return split(rows, 1 - recipe.hold_out, seed=seed)


def straighten(net: MLP) -> None:
    """Makes a new net nearly a straight line: small weights before the bends, large ones after.

    As small all together in deep nets as in one of two hidden layers.
    """
    *hidden, last = net.layers
    small = STRAIGHT ** (2 / max(len(hidden), 2))
    for layer in net.layers:
        for w in [w for neuron in layer.neurons for w in neuron.w]:
            w.data *= STEEP if layer is last else small


def bending(strength: float, net: MLP) -> Value:
    """What a net pays for its bends: half the squares of the weights before them, `strength` times.

    >>> bending(2.0, MLP(1, [1, 1], init=0.0)).data
    0.0
    """
    weights = [w for layer in net.layers[:-1] for neuron in layer.neurons for w in neuron.w]
    return strength / 2 * l2(weights)


def train_by(
    recipe: Recipe, net: MLP, loss: Loss, rows: Dataset, seed: int, **settings: Any
) -> History:
    """Trains a new net on scaled rows; `settings` are those of `fit`, which says what it raises.

    >>> from nn.data import iris, standardise
    >>> from nn.loss import cross_entropy
    >>> rows, net = standardise(iris())[0], MLP(4, [8, 3], "tanh", init="xavier", seed=0)
    >>> history = train_by(recipe_for(150, steps=500), net, cross_entropy, rows, seed=0)
    >>> history.accuracy[-1] > 0.9
    True
    """
    learning, held_out = parts(recipe, rows, seed)
    if recipe.starts_straight:
        straighten(net)
    if held_out:
        batch = min(recipe.batch or len(learning.xs), len(learning.xs))
        looks = recipe.steps / math.ceil(len(learning.xs) / batch)
        patience = max(FEWEST_LOOKS, math.ceil(PATIENCE * looks))
        settings = {**settings, "validation": held_out, "early_stop": patience}
    if recipe.decay and len(net.layers) > 1:
        settings["penalty"] = partial(bending, recipe.decay / len(learning.xs))
    return fit(
        net,
        loss,
        learning,
        steps=recipe.steps,
        batch_size=recipe.batch or None,
        optimizer=OPTIMIZERS[recipe.optimizer](net.parameters(), lr=recipe.lr),
        lr=SCHEDULES[recipe.schedule](recipe.lr, recipe.steps),
        seed=seed,
        **settings,
    )
