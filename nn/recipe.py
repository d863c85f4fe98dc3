"""How the command and the estimators train unless told otherwise: one table, chosen by trial.

Chosen on tables that scikit-learn ships and on made ones (`python -m benchmarks --only tables`
prints how they fare). Two starts are tried. The straight one begins as nearly a straight line, with
small weights before the bends (tanh) and large ones after them, and bends only as far as it helps:
where a line is right, it is not worse than one. But what no line sees at all (a circle, a product
of two columns) it finds late or never. The bent one begins with larger weights before the bends,
and finds it. Both learn a little, from a part of the rows; the straight one is taken unless the
bent one does clearly better on the others.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from engine.names import no_such
from engine.pictures.texts import many
from engine.value import Value
from nn.data import Dataset
from nn.loss import l2
from nn.module import MLP
from nn.optim import SGD, Adam, AdamW, Optimizer
from nn.parting import parted
from nn.schedules import Schedule, constant, cosine, linear

ENOUGH = 200  # rows to learn from, of which some can be held out
MOST_HELD_OUT = 2000  # rows: more would tell little more, and cost a look at each pass
STARTS = {  # times the usual weights of each of two hidden layers, and of the last
    "usual": (1.0, 1.0),
    "straight": (0.1, 3.0),
    "bent": (0.5, 1.5),
}

OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda lr, steps: constant(lr),
    "linear": linear,
    "cosine": cosine,
}


@dataclass(frozen=True)
class Recipe:
    """How to train: `hold_out` is a share of the rows, `decay` is in 1 / rows, 0 is none of it.

    `start` names weights before training, of STARTS. `rival` is the same with another start, to be
    tried beside it for a share `trial` of the steps, LONGEST_TRIAL at most; None where none is, or
    where it is `chosen`: then `why` says by what.
    """

    optimizer: str
    lr: float
    schedule: str
    batch: int  # points in a step; 0: all
    steps: int
    hold_out: float = 0.0
    decay: float = 0.0
    start: str = "usual"
    trial: float = 0.0
    rival: "Recipe | None" = None
    why: str = ""

    def __str__(self) -> str:
        """In words, for a reader of the command's output."""
        rate = f"rate {self.lr:g}" + f" ({self.schedule})" * (self.schedule != "constant")
        batch = many(self.batch, "point") if self.batch else "all points"
        words = f"{self.optimizer}, {rate}, {batch} a step, {self.steps:,} steps"
        if self.hold_out:
            words += f" at most: it stops early by {self.hold_out:.0%} of the rows, held out"
        elif self.decay:
            words += f", weight decay {self.decay:g} / rows"
        return words + f"; {self.why}" * bool(self.why)


STRAIGHT = partial(Recipe, start="straight")
# fmt: off
RECIPES = {  #          name    rate   schedule    batch steps hold out, decay
    ("sgd", False):   Recipe("sgd",     0.05,  "constant", 1,  3000),
    ("sgd", True):    Recipe("sgd",     0.05,  "constant", 1,  3000),
    ("adam", False):  STRAIGHT("adam",  0.004, "cosine",   64, 1000, decay=30.0, trial=0.7),
    ("adam", True):   STRAIGHT("adam",  0.002, "cosine",   64, 6000, hold_out=0.2, trial=0.25),
    ("adamw", False): STRAIGHT("adamw", 0.004, "cosine",   64, 1000, decay=30.0, trial=0.7),
    ("adamw", True):  STRAIGHT("adamw", 0.002, "cosine",   64, 6000, hold_out=0.2, trial=0.25),
}
RIVALS: dict[tuple[str, bool], dict[str, Any]] = {  # what differs where the start is another
    (name, is_enough): {"lr": 0.004, "start": "bent"} if is_enough
                       else {"decay": 0.3, "start": "usual"}
    for name in ("adam", "adamw") for is_enough in (False, True)
}
# fmt: on
USUAL = "adam"


def recipe_for(rows: int, optimizer: str = USUAL, **wishes: Any) -> Recipe:
    """The recipe for so many rows to learn from; `wishes` that are not None take its place.

    A `hold_out` of 0 asks for the recipe of few rows, another for that of enough. A `start` that is
    named has no rival. ValueError for an optimizer, a schedule or a start that is not there.

    >>> recipe_for(120).decay, recipe_for(1200).hold_out
    (30.0, 0.2)
    >>> print(recipe_for(120, "sgd", batch=5))
    sgd, rate 0.05, 5 points a step, 3,000 steps
    """
    wanted = {name: wish for name, wish in wishes.items() if wish is not None}
    _check("optimizer", optimizer, OPTIMIZERS)
    _check("schedule", wanted.get("schedule", "constant"), SCHEDULES)
    _check("start", wanted.get("start", "usual"), STARTS)
    hold_out = wanted.get("hold_out")
    is_enough = rows >= ENOUGH if hold_out is None else hold_out > 0
    recipe = RECIPES[optimizer, is_enough]
    recipe = replace(recipe, hold_out=min(recipe.hold_out, MOST_HELD_OUT / rows))
    other = RIVALS.get((optimizer, is_enough))
    if other and wanted.get("start", recipe.start) == recipe.start:
        rival = None if "start" in wanted else replace(recipe, **{**other, **wanted})
        return replace(recipe, **{"rival": rival, **wanted})
    return replace(recipe, **{**(other or {}), **wanted})


def _check(what: str, name: object, names: Collection[str]) -> None:
    """ValueError for a name that is not there."""
    if not isinstance(name, str) or name not in names:
        raise ValueError(no_such(what, name, names))


# --- which rows, which weights ----------------------------------------------------------------


def places(recipe: Recipe, rows: Dataset, seed: int) -> tuple[list[int], list[int]]:
    """The places of the rows to learn from, and of those held out for an early stop.

    Raises ValueError where the share leaves one of them empty.
    """
    if not recipe.hold_out:
        return [*range(len(rows.xs))], []
    n = len(rows.xs)
    learned, others = parted(rows, recipe.hold_out, seed)
    if not 0 < round((1 - recipe.hold_out) * n) < n or not learned or not others:
        raise ValueError(
            f"to hold out {recipe.hold_out:g} of {n} rows leaves none to learn from or "
            "none to stop by: give more rows, or hold out 0 (hold_out=0; --hold-out 0 of the "
            "command)"
        )
    return learned, others


def parts(recipe: Recipe, rows: Dataset, seed: int) -> tuple[Dataset, Dataset | None]:
    """The rows to learn from, and those held out, where there are any; raises as `places`."""
    learned, others = places(recipe, rows, seed)
    return (rows.pick(learned), rows.pick(others)) if others else (rows, None)


def begin(net: MLP, start: str) -> None:
    """Gives a new net the weights of a start: those before the bends times one number, the last
    ones times another.

    The first are as small all together in deep nets as in one of two hidden layers.
    """
    before, after = STARTS[start]
    small = before ** (2 / max(len(net.layers) - 1, 2))
    for layer in net.layers:
        for w in [w for neuron in layer.neurons for w in neuron.w]:
            w.data *= after if layer is net.layers[-1] else small


def bending(strength: float, net: MLP) -> Value:
    """What a net pays for its bends: half the squares of the weights before them, `strength` times.

    >>> bending(2.0, MLP(1, [1, 1], init=0.0)).data
    0.0
    """
    weights = [w for layer in net.layers[:-1] for neuron in layer.neurons for w in neuron.w]
    return strength / 2 * l2(weights)
