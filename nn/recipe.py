"""How the command and the estimators train unless told otherwise: one table, chosen by trial.

Chosen on tables that scikit-learn ships and on made ones (`python -m benchmarks --only tables`
prints how they fare). Two starts are tried. The straight one begins as nearly a straight line, with
small weights before the bends (tanh) and large ones after them, and bends only as far as it helps:
where a line is right, it is not worse than one. But what no line sees at all (a circle, a product
of two columns) it finds late or never. The bent one begins with larger weights before the bends,
and finds it. Both learn a little, from a part of the rows; the straight one is taken unless the
bent one does clearly better on the others.
"""

import json
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from typing import Any, NamedTuple, cast

from engine import backends
from engine.drawing.picture import many
from engine.names import no_such
from engine.ops import fsum
from engine.value import Value, set_each
from nn.data import Dataset
from nn.described import described
from nn.ground import Ground, ground, ground_of
from nn.history import INTERRUPTED, DivergedError, History
from nn.judging import Loss
from nn.loss import l2
from nn.module import MLP
from nn.optim import SGD, Adam, AdamW, Optimizer, Schedule, constant, cosine, linear
from nn.parting import parted
from nn.rows import EachRow
from nn.table import Table
from nn.train import fit

ENOUGH = 200  # rows to learn from, of which some can be held out
MOST_HELD_OUT = 2000  # rows: more would tell little more, and cost a look at each pass
PATIENCE = 0.2  # of all steps: so long may training go on without a lower loss on rows held out
TRIAL_PATIENCE = 0.5  # the same of a trial, whose way is short
TRIAL_BATCH = 32  # points in a step of a trial at most: recording it takes half as long
FEWEST_LOOKS = 5  # that it goes on anyway
TRIED_ON = 0.3  # of the rows, where none are held out: those that tell which start is better
FEWEST_TO_TRY = 10  # rows, of which some say which start is better
LONGEST_TRIAL = 1500  # steps
SHORTEST = 100  # steps of a training: a shorter one is not worth a trial before it
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


# --- training ---------------------------------------------------------------------------------


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


def train_by(
    recipe: Recipe,
    net: MLP,
    loss: Loss,
    rows: Dataset,
    seed: int,
    grounds: Grounds | None = None,
    **settings: Any,
) -> History:
    """Trains a new net on scaled rows; `settings` are those of `fit`, which says what it raises.

    A recipe with a rival is `chosen` first. `grounds` are the `grounds_of` these, where they are
    at hand.

    >>> from nn.data import iris, standardise
    >>> from nn.loss import cross_entropy
    >>> rows, net = standardise(iris())[0], MLP(4, [8, 3], "tanh", init="xavier", seed=0)
    >>> history = train_by(recipe_for(150, steps=500), net, cross_entropy, rows, seed=0)
    >>> history.accuracy[-1] > 0.9
    True
    """
    settings = {**settings, "backend": backend_for(**settings)}
    grounds = grounds or grounds_of(recipe, net, loss, rows, seed, settings["backend"])
    recipe = chosen(recipe, net, loss, rows, seed, grounds=grounds, **settings)
    learned, held_out = grounds
    if held_out:
        patience = _patience(recipe, len(learned.table))
        settings = {**settings, "validation": held_out, "early_stop": patience}
    return _fitted(recipe, net, loss, learned, seed, **settings)


def _fitted(
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
        lr=_rate(recipe),
        penalty=_penalty(recipe, net, len(learned.table)),
        seed=seed,
        **settings,
    )


def _rate(recipe: Recipe) -> Schedule:
    return SCHEDULES[recipe.schedule](recipe.lr, recipe.steps)


def _penalty(recipe: Recipe, net: MLP, rows: int) -> Callable[[Any], Value] | None:
    has_bends = len(net.layers) > 1
    return partial(bending, recipe.decay / rows) if recipe.decay and has_bends else None


def _patience(recipe: Recipe, rows: int, share: float = PATIENCE) -> int:
    """Looks at the rows held out, one after each pass, that need not be lower."""
    looks = recipe.steps / math.ceil(rows / min(recipe.batch or rows, rows))
    return max(FEWEST_LOOKS, math.ceil(share * looks))


def backend_for(
    backend: str = "auto",
    checkpoint: str | PathLike[str] | None = None,
    resume: str | PathLike[str] | None = None,
    **others: object,
) -> str:
    """The backend of a training: with a checkpoint a named one, for the same bits when it goes on.

    That is the one asked for, else that of the file, else the fastest that is there.

    >>> backend_for(), backend_for("numpy", "run.json")
    ('auto', 'numpy')
    """
    if backend != "auto" or (checkpoint is None and resume is None):
        return backend
    former = _document(resume).get("backend")
    names = [name for name in backends.NAMES if name == former]
    return next(name for name in (*names, "c", "numpy", "python") if backends._runs(name))


# --- which start ------------------------------------------------------------------------------


def chosen(
    recipe: Recipe,
    net: MLP,
    loss: Loss,
    rows: Dataset,
    seed: int,
    backend: str = "auto",
    progress: bool | None = None,
    resume: str | PathLike[str] | None = None,
    grounds: Grounds | None = None,
    **others: object,
) -> Recipe:
    """The recipe with one start: its own, or its rival where that does clearly better.

    Each trains the net for a share of the steps, and is judged by rows that it did not learn from:
    those held out, or else some of the others; then the net is as it was. Clearly is by more than
    one standard error of the mean difference. A training that goes on has the start that it began
    with. `grounds` are the `grounds_of` these, where they are at hand.

    Raises ValueError as `places`, and KeyboardInterrupt after Ctrl-C.
    """
    rival = recipe.rival
    if rival is None:
        return recipe
    single = replace(recipe, rival=None)
    if resume is not None:
        began = _began(resume, (single, rival), net, len(places(recipe, rows, seed)[0]))
        return replace(began, why=f"{began.start} start, as it began")
    if recipe.steps < SHORTEST or len(rows.xs) < FEWEST_TO_TRY or len(net.layers) == 1:
        return single
    if not recipe.hold_out:
        tried = replace(recipe, hold_out=TRIED_ON)
        grounds = grounds_of(tried, net, loss, rows, seed, backend)
    grounds = grounds or grounds_of(recipe, net, loss, rows, seed, backend)
    settings = {"backend": backend, "progress": progress}
    lost = [_lost(one, recipe.trial, net, loss, grounds, seed, settings) for one in (single, rival)]
    means = [fsum(losses) / len(losses) for losses in lost]
    best, worst = (rival, single) if _is_clearly_less(lost[1], lost[0]) else (single, rival)
    here, there = means if best is single else means[::-1]
    why = (
        f"{best.start} start, tried on {many(len(lost[0]), 'row')} beside the {worst.start} one "
        f"(loss {here:.3g} and {there:.3g})"
    )
    return replace(best, why=why)


def _lost(
    recipe: Recipe,
    share: float,
    net: MLP,
    loss: Loss,
    grounds: Grounds,
    seed: int,
    settings: dict[str, Any],
) -> list[float]:
    """The loss of each of the rows that judge, after a short training: as it was at its best."""
    learned, judges = grounds.learned, cast(Ground, grounds.held_out)
    n, before = len(learned.table), [p.data for p in net.parameters()]
    batches = math.ceil(n / min(recipe.batch or n, TRIAL_BATCH))
    batch = n // batches  # all of one size: each other one is recorded anew
    learned = learned.first(batches * batch)
    short = replace(recipe, steps=min(int(share * recipe.steps), LONGEST_TRIAL), batch=batch)
    watched = {
        **settings,
        "validation": judges,
        "early_stop": _patience(short, len(learned.table), TRIAL_PATIENCE),
    }
    try:
        history = _fitted(short, net, loss, learned, seed, **watched)
        if history.ended == INTERRUPTED:
            raise KeyboardInterrupt
        return [float(lost) for lost, _ in judges.judge(judges.table.xs, judges.table.ys)]
    except DivergedError:
        return [math.inf] * len(judges.table)
    finally:
        set_each("data", net.parameters(), before)
        net.zero_grad()


def _is_clearly_less(losses: Sequence[float], others: Sequence[float]) -> bool:
    """Whether the mean is less by more than a standard error; never of numbers that are not finite.

    >>> _is_clearly_less([0.1, 0.2, 0.1], [0.6, 0.7, 0.8]), _is_clearly_less([0.1, 0.9], [0.6, 0.5])
    (True, False)
    """
    apart = [b - a for a, b in zip(losses, others, strict=True)]
    n = len(apart)
    if n < 2 or not all(map(math.isfinite, losses)):
        return False
    if not all(map(math.isfinite, others)):
        return True
    mean = fsum(apart) / n
    return mean > math.sqrt(fsum([(x - mean) ** 2 for x in apart]) / (n - 1) / n)


def _began(path: str | PathLike[str], recipes: Sequence[Recipe], net: MLP, rows: int) -> Recipe:
    """The recipe of which a checkpoint tells; the first one where it tells of none."""
    told = _document(path).get("training")
    tell = partial(described, parameters=net.parameters())
    for recipe in recipes:
        if not isinstance(told, dict):
            break
        penalty = _penalty(recipe, net, rows)
        facts = {"penalty": penalty and tell(penalty), "lr": tell(_rate(recipe))}
        if all(told.get(name) == fact for name, fact in facts.items()):
            return recipe
    return recipes[0]


def _document(path: str | PathLike[str] | None) -> dict[str, Any]:
    """What is in a checkpoint; nothing where it cannot be read: `fit` says what is wrong."""
    if path is None:
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
