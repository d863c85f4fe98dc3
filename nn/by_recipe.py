"""Trains a net by a recipe: chooses one of its two starts, then trains from that one."""

import warnings
from os import PathLike
from typing import Any

from engine.replay import backends
from engine.replay.witness import outside
from nn.checkpoint import glance
from nn.choosing import TrialInterrupted, chosen
from nn.data import Dataset
from nn.history import History, TrainingInterrupted
from nn.judging import Loss
from nn.module import MLP
from nn.recipe import Recipe
from nn.starting import Grounds, grounds_of, patience_of, train_from_start


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

    A recipe with a rival is `chosen` first; after Ctrl-C there the net is the one of that trial.
    `grounds` are the `grounds_of` these, where they are at hand.

    >>> from nn.data import iris, standardise
    >>> from nn.loss import cross_entropy
    >>> from nn.recipe import recipe_for
    >>> rows, net = standardise(iris())[0], MLP(4, [8, 3], "tanh", init="xavier", seed=0)
    >>> history = train_by(recipe_for(150, steps=200), net, cross_entropy, rows, seed=0)
    >>> history.accuracy[-1] > 0.9
    True
    """
    settings = {**settings, "backend": backend_for(**settings)}
    grounds = grounds or grounds_of(recipe, net, loss, rows, seed, settings["backend"])
    try:
        recipe = chosen(recipe, net, loss, rows, seed, grounds=grounds, **settings)
    except TrialInterrupted as stopped:
        warnings.warn(str(stopped), TrainingInterrupted, stacklevel=outside())
        return stopped.history
    learned, held_out = grounds
    if held_out:
        patience = patience_of(recipe, len(learned.table))
        settings = {**settings, "validation": held_out, "early_stop": patience}
    return train_from_start(recipe, net, loss, learned, seed, **settings)


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
    former = glance(resume).get("backend")
    names = [name for name in backends.NAMES if name == former]
    return next(name for name in (*names, *reversed(backends.NAMES)) if backends._runs(name))
