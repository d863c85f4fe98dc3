"""Prepares a training on a file's rows: splits and scales them, and chooses the net's sizes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from engine.pictures.texts import many
from nn.dataset import Dataset, as_rows, grid_of
from nn.extremes import extremes
from nn.learned import from_places
from nn.module import MLP
from nn.parting import parted, thin_classes
from nn.recipe import Recipe, places
from nn.table import Table, table_of
from nn.task import Task, prepared_columns

MOST_PARAMETERS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What a training starts from: its task, the rows in two parts, the net's sizes, the seed."""

    task: Task
    rows: Dataset
    training: Dataset  # the same, scaled
    table: Table  # the same, as trainings take them
    aside: Dataset | None
    testing: Dataset | None  # the rows kept aside, scaled
    numbers: tuple[int, ...]  # of `rows` in their file, from 1
    sizes: tuple[int, ...]
    seed: int
    recipe: Recipe | None = None
    remarks: Sequence[str] = ()  # on what was learned of columns

    @property
    def odd(self) -> list[str]:
        """What looks odd in the rows, in lines."""
        classes, there = self.task.classes, self.aside.ys if self.aside else []
        thin = thin_classes(classes, self.rows.ys, there) if classes else []
        return [*thin, *self.remarks, *extremes(self.rows, self.training)]

    def net(self) -> MLP:
        """The net before training: the same one each time."""
        return MLP(self.sizes[0], self.sizes[1:], "tanh", init="xavier", seed=self.seed)


def plan_for(
    rows: Dataset,
    hidden: Sequence[int],
    keep_aside: float,
    seed: int,
    recipe_of: Callable[[int], Recipe] | None = None,
) -> Plan:
    """The plan for a file's rows; ValueError where the net would be too large.

    `recipe_of` gives the recipe for so many rows to learn from. Gaps are filled, texts kept and
    columns scaled by what the rows that it learns from say, without those that it holds out.
    """
    n = len(rows.xs)
    numbers = rows.numbers or range(1, n + 1)
    learned, others = [*range(n)], list[int]()
    if keep_aside:
        if not 0 < round((1 - keep_aside) * n) < n:
            needed = math.ceil(round(1 / min(keep_aside, 1 - keep_aside), 6))
            raise ValueError(
                f"--keep-aside {keep_aside:g} of {many(n, 'row')} leaves none to learn "
                f"from or none to test on: give {needed} rows or more, or --keep-aside 0"
            )
        learned, others = parted(rows, keep_aside, seed)
    recipe, told = recipe_of(len(learned)) if recipe_of else None, learned
    if recipe:
        told = [learned[k] for k in places(recipe, rows.pick(learned), seed)[0]]
    rows, columns, remarks = from_places(rows, told)
    task, columns, ys = prepared_columns(rows, told, columns)
    sizes = (len(task.features), *hidden, task.outputs)
    count = sum((a + 1) * b for a, b in pairwise(sizes))
    if count > MOST_PARAMETERS:
        raise ValueError(
            f"a net of {'-'.join(map(str, sizes))} has {count:,} parameters, more than the "
            f"{MOST_PARAMETERS:,} that fit here: give smaller --layers"
        )
    order = [*learned, *others]
    numbers, rows = tuple(numbers[k] for k in learned), rows.pick(order)
    grid = grid_of(columns, order)
    scaled = replace(rows, xs=as_rows(grid, len(columns)), ys=[ys[k] for k in order])
    here, there = range(len(learned)), range(len(learned), n)
    training = scaled.pick(here)
    return Plan(
        task,
        rows.pick(here),
        training,
        table_of(training.xs, training.ys, grid[: len(columns) * len(learned)]),
        rows.pick(there) if others else None,
        scaled.pick(there) if others else None,
        numbers,
        sizes,
        seed,
        recipe,
        remarks,
    )
