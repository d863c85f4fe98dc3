"""Chooses which of two starts a net is trained from: each is tried for a while."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any, cast

from engine.ieee import fsum
from engine.pictures.texts import many
from engine.sweep import set_each
from engine.value import data_of
from nn.checkpoint import glance
from nn.data import Dataset
from nn.described import described
from nn.ground import Ground
from nn.history import INTERRUPTED, DivergedError, History, LossExploded, TrainingInterrupted
from nn.judging import Loss
from nn.module import MLP
from nn.recipe import Recipe, places
from nn.starting import (
    Grounds,
    grounds_of,
    patience_of,
    penalty_of,
    rate_of,
    train_from_start,
)

TRIAL_PATIENCE = 0.5  # as PATIENCE, of a trial, whose way is short
TRIAL_BATCH = 32  # points in a step of a trial at most: recording it takes half as long
TRIED_ON = 0.3  # of the rows, where none are held out: those that tell which start is better
FEWEST_TO_TRY = 10  # rows, of which some say which start is better
LONGEST_TRIAL = 1500  # steps
SHORTEST = 100  # steps of a training: a shorter one is not worth a trial before it


def has_trial(recipe: Recipe, net: MLP, rows: Dataset) -> bool:
    """Whether two starts are worth to be tried: for a net with bends, of rows and steps enough."""
    is_enough = recipe.steps >= SHORTEST and len(rows.xs) >= FEWEST_TO_TRY
    return recipe.rival is not None and is_enough and len(net.layers) > 1


class TrialInterrupted(KeyboardInterrupt):
    """Ctrl-C while two starts were tried: the net has the weights that one of them came to.

    `history` has its steps, `recipe` is that start, not chosen yet: it has the other as its rival.
    """

    def __init__(self, recipe: Recipe, history: History) -> None:
        super().__init__(
            f"interrupted while two starts were tried: the net is that of the {recipe.start} one "
            f"after {many(len(history), 'step')}, and learned from a part of the rows"
        )
        self.recipe, self.history = recipe, replace(history, ended=INTERRUPTED)


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

    Raises ValueError as `places`, TrialInterrupted after Ctrl-C, and KeyboardInterrupt where that
    came before the first step.
    """
    rival = recipe.rival
    if rival is None:
        return recipe
    single = replace(recipe, rival=None)
    if resume is not None:
        began = _began(resume, (single, rival), net, len(places(recipe, rows, seed)[0]))
        return replace(began, why=f"{began.start} start, as it began")
    if not has_trial(recipe, net, rows):
        return single
    if not recipe.hold_out:
        tried = replace(recipe, hold_out=TRIED_ON)
        grounds = grounds_of(tried, net, loss, rows, seed, backend)
    grounds = grounds or grounds_of(recipe, net, loss, rows, seed, backend)
    settings = {"backend": backend, "progress": progress}
    lost, trials = list[list[float]](), list[tuple[History, list[float]]]()
    try:
        for one in (single, rival):
            with _put_back(net):
                history = _tried(one, recipe.trial, net, loss, grounds, seed, settings)
                trials.append((history, list(map(data_of, net.parameters()))))
                lost.append(_losses(grounds, history))
    except KeyboardInterrupt:
        each = (recipe, replace(rival, rival=single))
        for one, (history, weights) in zip(each, trials, strict=False):
            if len(history):
                set_each("data", net.parameters(), weights)
                raise TrialInterrupted(one, history) from None
        raise
    means = [fsum(losses) / len(losses) for losses in lost]
    best, worst = (rival, single) if _is_clearly_less(lost[1], lost[0]) else (single, rival)
    here, there = means if best is single else means[::-1]
    why = (
        f"{best.start} start, tried on {many(len(lost[0]), 'row')} beside the {worst.start} one "
        f"(loss {here:.3g} and {there:.3g})"
    )
    return replace(best, why=why)


@contextmanager
def _put_back(net: MLP) -> Iterator[None]:
    """What is done to the net inside is undone at the end."""
    before = [p.data for p in net.parameters()]
    try:
        yield
    finally:
        set_each("data", net.parameters(), before)
        net.zero_grad()


def _tried(
    recipe: Recipe,
    share: float,
    net: MLP,
    loss: Loss,
    grounds: Grounds,
    seed: int,
    settings: dict[str, Any],
) -> History:
    """A short training; the net is left as it was at its best. No steps where it diverged.

    KeyboardInterrupt after Ctrl-C before the first step.
    """
    learned, n = grounds.learned, len(grounds.learned.table)
    batches = math.ceil(n / min(recipe.batch or n, TRIAL_BATCH))
    batch = n // batches  # all of one size: each other one is recorded anew
    learned = learned.first(batches * batch)
    short = replace(recipe, steps=min(int(share * recipe.steps), LONGEST_TRIAL), batch=batch)
    watched = {
        **settings,
        "validation": grounds.held_out,
        "early_stop": patience_of(short, len(learned.table), TRIAL_PATIENCE),
    }
    with warnings.catch_warnings():
        for kind in (TrainingInterrupted, LossExploded):  # who calls this knows more
            warnings.simplefilter("ignore", kind)
        try:
            history = train_from_start(short, net, loss, learned, seed, **watched)
        except DivergedError:
            return History()
    if history.ended == INTERRUPTED and not len(history):
        raise KeyboardInterrupt
    return history


def _losses(grounds: Grounds, history: History) -> list[float]:
    """The loss of each of the rows that judge, after a trial; inf where it diverged.

    KeyboardInterrupt where Ctrl-C ended it.
    """
    judges = cast(Ground, grounds.held_out)
    if history.ended == INTERRUPTED:
        raise KeyboardInterrupt
    if not len(history):
        return [math.inf] * len(judges.table)
    return [float(lost) for lost, _ in judges.judge(judges.table.xs, judges.table.ys)]


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
    told = glance(path).get("training")
    tell = partial(described, parameters=net.parameters())
    for recipe in recipes:
        if not isinstance(told, dict):
            break
        penalty = penalty_of(recipe, net, rows)
        facts = {"penalty": penalty and tell(penalty), "lr": tell(rate_of(recipe))}
        if all(told.get(name) == fact for name, fact in facts.items()):
            return recipe
    return recipes[0]
