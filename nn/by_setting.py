"""Trains on rows by one setting of a sweep, as `brickgrad train` does; the rows travel flat."""

import hashlib
import warnings
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from nn.by_recipe import train_by
from nn.dataset import Dataset, as_rows
from nn.history import LossExploded
from nn.ledger import Cell
from nn.plan import plan_for
from nn.recipe import recipe_for
from nn.trial import judging_net, looks_at

SETTINGS = ("lr", "schedule", "optimizer", "batch", "steps", "layers", "seed")
PLANNED = ("lr", "schedule", "optimizer", "batch", "steps", "hold_out")  # of the recipe


@dataclass(frozen=True)
class ByTable:
    """A function of settings that trains a net on rows, and says what it reached.

    `grid` has the numbers of the rows, one after the other; `options` are those of the command that
    are the same in each run. `about` is a digest of both.
    """

    rows: Dataset
    grid: "array[float]"
    options: Mapping[str, Any]
    about: str

    def __call__(self, **setting: Cell) -> dict[str, Cell]:
        """The losses on the rows learned from and on those kept aside, and what they come to."""
        given = {**self.options, **setting}
        given["batch"] = 0 if given.get("batch") == "all" else given.get("batch")
        wishes = {name: given[name] for name in PLANNED if given.get(name) is not None}
        width = len(self.grid) // len(self.rows.ys)
        rows = replace(self.rows, xs=as_rows(self.grid, width))
        layers = tuple(map(int, str(given["layers"]).split(",")))
        recipe_of: Any = partial(recipe_for, **wishes)
        plan = plan_for(rows, layers, given["keep_aside"], given["seed"], recipe_of)
        net, task = plan.net(), plan.task
        training = (net, task.loss, plan.training, given["seed"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LossExploded)  # its loss stands in the table
            recipe = recipe_of(len(plan.training.xs))
            history = train_by(recipe, *training, backend=given["backend"], progress=False)
        results: dict[str, Cell] = {}
        looks = looks_at(plan, judging_net(task, net)).values()
        for part, look in zip(("", "validation_"), looks, strict=False):
            results[f"{part}loss"] = look.loss
            if task.classes:
                results[f"{part}accuracy"] = look.accuracy
            else:
                results[f"{part}typical_error"] = look.loss**0.5 * task.answers.scales[0]
        return {**results, "steps_taken": len(history)}


def by_table(rows: Dataset, options: Mapping[str, Any]) -> ByTable:
    """The function that trains on rows as a file gave them.

    >>> from nn.data import iris
    >>> options = {"layers": "4", "keep_aside": 0.2, "backend": "python", "optimizer": "adam"}
    >>> done = by_table(iris(), options)(lr=0.02, seed=0, steps=50)
    >>> sorted(done)
    ['accuracy', 'loss', 'steps_taken', 'validation_accuracy', 'validation_loss']
    """
    grid = array("d", chain.from_iterable(rows.xs))
    told = (rows.ys, rows.features, rows.classes, rows.target, rows.texts, sorted(options.items()))
    digest = hashlib.sha256(grid.tobytes() + repr(told).encode()).hexdigest()[:12]
    return ByTable(replace(rows, xs=[]), grid, dict(options), digest)
