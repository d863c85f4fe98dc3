"""Data that fits a model and a loss, prepared once, so that several trainings can use it."""

from typing import Any, NamedTuple

from engine.replay.replay import Replay
from nn.data import Data, Decision
from nn.judging import Loss, Model, as_floats, fitting, judging, plain_data
from nn.rows import EachRow
from nn.table import Table


class Ground(NamedTuple):
    """Examples and targets that fit a model and a loss.

    `plain` are the lists as they were given, `table` has floats where these take floats, `decide`
    says how outputs become classes, and `judge` gives the loss and the output of each row.
    `replays` has what was recorded of the loss of batches, by backend.
    """

    plain: tuple[list[Any], list[Any]]
    table: Table
    decide: Decision | None
    judge: EachRow
    replays: dict[str, Replay]

    def first(self, count: int) -> "Ground":
        """The same of the first rows."""
        xs, ys = self.plain
        return self._replace(plain=(xs[:count], ys[:count]), table=self.table.first(count))

    def hits(self, looks: int = 0) -> list[bool]:
        """Whether the model, as it stands, names the class of each row; so many looks were before.

        ValueError where the targets are amounts.
        """
        xs, ys = self.table.xs, self.plain[1]
        if self.decide is None:
            raise ValueError("hits expected targets that are classes, got amounts")
        judged = self.judge(xs, self.table.ys, before=looks * len(ys))
        return list(map(self.decide.is_right, [output for _, output in judged], ys))


def ground_of(model: Model, loss: Loss, table: Table) -> Ground:
    """The ground that a table of finite floats and of targets is; ValueError as of `ground`."""
    plain = list(table.xs), list(table.ys)
    return Ground(plain, table, fitting(model, loss, *plain), judging(model, loss), {})


def ground(
    model: Model,
    loss: Loss,
    data: Data | Ground,
    name: str = "",
    backend: str = "auto",
    judge: EachRow | None = None,
) -> Ground:
    """The ground that data is for a model; ValueError, with the `name`, where it does not fit.

    A `judge` of this model and loss that is at hand needs not be made anew.
    """
    if isinstance(data, Ground):
        return data
    xs, ys = plain_data(data, loss, name)
    decide = fitting(model, loss, xs, ys)
    table = Table(*as_floats(model, loss, xs, ys))
    return Ground((xs, ys), table, decide, judge or judging(model, loss, backend), {})
