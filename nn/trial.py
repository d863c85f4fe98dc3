"""A training on a file's rows: how it begins, and what it reached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.ieee import fsum
from engine.pictures.texts import many, visible
from engine.sweep import set_each
from nn import verdict
from nn.data import Dataset, decision
from nn.history import INTERRUPTED, History, Step
from nn.judging import judging, mean_and_accuracy
from nn.module import MLP
from nn.plan import Plan
from nn.rows import EachRow
from nn.task import Task
from nn.train import evaluate

if TYPE_CHECKING:
    pass

SAMPLE = 2000  # rows that say which columns tell most, and how an untrained net is


class Look(NamedTuple):
    """What a net makes of rows: the loss and the output of each, their mean, the share of hits."""

    losses: Sequence[float]
    outputs: Sequence[Any]
    loss: float
    accuracy: float | None

    @property
    def hardest(self) -> int:
        """The place of the row with the largest loss."""
        return self.losses.index(max(self.losses))


@dataclass(frozen=True)
class Trial:
    """A net after training, and the numbers to show of it."""

    model: MLP
    judge: EachRow  # of the net: gives loss and output of each row
    history: History
    figures: Mapping[str, str]
    look: Look  # at the rows learned from
    aside: Look | None = None  # at those kept aside


def judging_net(task: Task, net: MLP) -> EachRow:
    """What gives the loss and the output of each row, and slopes; once for all that is asked."""
    return judging(net, task.loss, has_slopes=True)


def look_at(task: Task, judge: EachRow, rows: Dataset) -> Look:
    """What a net makes of scaled rows."""
    judged = judge(rows.xs, rows.ys)
    losses, outputs = zip(*judged, strict=True)
    decide = decision(rows.ys, outputs[0])
    return Look(losses, outputs, *mean_and_accuracy(judged, decide, rows.ys))


def looks_at(plan: Plan, judge: EachRow) -> dict[str, Look]:
    """A look at each part of the rows."""
    parts = {"": plan.training}
    if plan.testing:
        parts[f" on {many(len(plan.testing.xs), 'other')}"] = plan.testing
    return {part: look_at(plan.task, judge, rows) for part, rows in parts.items()}


def print_plan(plan: Plan, net: MLP, start: Look) -> None:
    """Says what is going to be learned, by which net, how it starts; and what looks odd in it."""
    task = plan.task
    kinds = visible(", ".join(task.classes)) or "an amount"
    others = many(len(plan.aside.xs), "other") if plan.aside else ""
    aside = f" {others} kept aside for testing." if others else ""
    quality = task.quality(start.loss, start.accuracy)
    print(
        f"Learning {task.target!r} ({kinds}) from {many(len(plan.rows.xs), 'row')}.{aside}\n"
        f"The net: {' -> '.join(map(str, plan.sizes))}, {len(net.parameters())} parameters; "
        f"untrained: loss {start.loss:.4g}, {task.measure} {quality}.\n"
        + "".join(f"{visible(line[0].upper() + line[1:])}.\n" for line in plan.odd),
        flush=True,
    )


def goal(plan: Plan, model: MLP, loss: float, reached: dict[str, int]) -> Callable[[Step], None]:
    """A callback that notes the points looked at when the loss on all rows first is below `loss`.

    It looks each time when as many points were looked at as there are rows.
    """
    rows = plan.training

    def look(step: Step) -> None:
        due = not reached and step.points_seen % len(rows.xs) == 0
        if due and evaluate(model, plan.task.loss, rows)[0] < loss:
            reached["points"] = step.points_seen

    return look


def trial(
    plan: Plan, model: MLP, judge: EachRow, history: History, more: Mapping[str, str]
) -> Trial:
    """What a training reached, and what it cost; `more` are figures of the caller's."""
    if not len(history):
        raise KeyboardInterrupt
    task, looks = plan.task, looks_at(plan, judge)
    if not task.classes:  # two amounts are classes to `fit`
        none: list[float | None] = [None] * len(history)
        history = replace(history, accuracy=none, validation_accuracy=none)
    figures = {
        "points in one step": f"{history.points_seen[0]:,}",
        "learning rate": f"{max(history.learning_rate):g}",
        "steps": f"{len(history):,}",
        "points looked at": f"{history.points_seen[-1]:,}",
        **more,
        "time": f"{fsum(history.seconds):.1f} s",
        **{f"loss{part}": f"{look.loss:.4g}" for part, look in looks.items()},
        **{
            f"{task.measure}{part}": task.quality(look.loss, look.accuracy)
            for part, look in looks.items()
        },
    }
    others = [look for part, look in looks.items() if part]
    return Trial(model, judge, history, figures, looks[""], *others)


def print_verdict(
    plan: Plan, done: Trial, untrained: Sequence[float], has_risen: bool = False
) -> str:
    """Says how good the net is beside itself untrained and no net at all, and what its curves say.

    On the rows kept aside, where there are some. `untrained` are its parameters before training.
    `has_risen` where the loss is far larger than before: then no reason is looked for in the rows,
    nor in the curves. Returns a warning where the net is no better than no net, else "".
    """
    task, parameters = plan.task, done.model.parameters()
    rows, look = plan.testing or plan.training, done.aside or done.look
    ys, answers = rows.ys, verdict.answers_of(task, look.outputs)
    trained = [p.data for p in parameters]
    set_each("data", parameters, untrained)
    try:
        before = verdict.answers_of(task, look_at(task, done.judge, rows).outputs)
    finally:
        set_each("data", parameters, trained)
    usual = verdict.usual_answer(task, plan.training.ys)
    constant, words = [usual] * len(ys), verdict.in_words(task, usual)
    where = (
        f"{many(len(ys), 'row')} kept aside, looked at once, now"
        if done.aside
        else f"the {many(len(ys), 'row')} learned from, which says little about new ones"
    )
    unit = "" if task.classes else f" (typical error in the unit of {visible(task.target)!r})"
    print(f"On {where}{unit}:")
    kinds = {"the net": answers, "the net untrained": before, words: constant}
    print_table(verdict.comparison(task, ys, kinds))
    if task.classes:
        print("How the rows of each class were answered; recall is the share that was found:")
        print_table(verdict.confusion(task, ys, answers))
    few = "" if task.classes else verdict.outweighed(task, ys, answers)
    if few and not has_risen:
        print(few, "", sep="\n")
    enough = done.aside is not None and len(ys) >= verdict.FEWEST_ROWS and not few
    said = verdict.remarks(done.history, done.look.loss, look.loss if enough else None)
    if said and not has_risen:
        print(*said, "", sep="\n")
    warning = verdict.beside_no_net(task, ys, answers, usual)
    if warning and (has_risen or few or done.history.ended == INTERRUPTED):
        return (
            f"after {many(len(done.history), 'step')} the net is not clearly better than {words!r}"
        )
    return warning


def interrupted(trials: Mapping[str, Trial]) -> bool:
    """Whether Ctrl-C ended one of them."""
    return any(trial.history.ended == INTERRUPTED for trial in trials.values())


def print_table(columns: Mapping[str, Mapping[str, str]]) -> None:
    """Columns of figures side by side, under their names."""
    names = next(iter(columns.values()))
    lines = [("", *columns), *((name, *(c[name] for c in columns.values())) for name in names)]
    first, *others = (max(map(len, cells)) for cells in zip(*lines, strict=True))
    print()
    for name, *cells in lines:
        aligned = (f"{cell:>{width}}" for cell, width in zip(cells, others, strict=True))
        print(f"  {name:<{first}}", *aligned, sep="   ")
    print()
