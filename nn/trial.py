"""A training on a file's rows: how it begins, what it reached, and the files it leaves."""

import csv
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.functions import max as largest
from engine.ieee import fsum
from engine.pictures.draw import Drawing, draw
from engine.pictures.texts import many, visible
from engine.value import Value, set_each
from nn import verdict
from nn.data import Dataset, Rows, decision
from nn.extremes import extremes
from nn.history import INTERRUPTED, History, Step
from nn.judging import judging, mean_and_accuracy
from nn.module import MLP
from nn.optim import SGD
from nn.parting import thin_classes
from nn.plan import Plan
from nn.plot import boundary, plot_comparison, write_svg
from nn.rows import EachRow
from nn.save import save
from nn.task import Task
from nn.train import evaluate
from nn.watch import watch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLE = 2000  # rows that say which columns tell most, and how an untrained net is
CURVES = ("loss and length of the gradient", "loss, accuracy and length of the gradient")
PLOTS = ("curves.svg", "boundary.svg")
FILES = ("model.json", "history.csv", "graph.svg", "step.html", *PLOTS)  # that a training leaves


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


def introduce(plan: Plan, net: MLP, start: Look) -> None:
    """Says what is going to be learned, by which net, how it starts; and what looks odd in it."""
    task = plan.task
    there = plan.aside.ys if plan.aside else []
    odd = thin_classes(task.classes, plan.rows.ys, there) if task.classes else []
    odd += [*plan.remarks, *extremes(plan.rows, plan.training)]
    kinds = visible(", ".join(task.classes)) or "an amount"
    others = many(len(plan.aside.xs), "other") if plan.aside else ""
    aside = f" {others} kept aside for testing." if others else ""
    quality = task.quality(start.loss, start.accuracy)
    print(
        f"Learning {task.target!r} ({kinds}) from {many(len(plan.rows.xs), 'row')}.{aside}\n"
        f"The net: {' -> '.join(map(str, plan.sizes))}, {len(net.parameters())} parameters; "
        f"untrained: loss {start.loss:.4g}, {task.measure} {quality}.\n"
        + "".join(f"{visible(line[0].upper() + line[1:])}.\n" for line in odd),
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


def print_verdict(plan: Plan, done: Trial, untrained: Sequence[float]) -> str:
    """Says how good the net is beside itself untrained and no net at all, and what its curves say.

    On the rows kept aside, where there are some. `untrained` are its parameters before training.
    Returns a warning where the net is no better than no net, else "".
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
    enough = done.aside is not None and len(ys) >= verdict.FEWEST_ROWS
    said = verdict.remarks(done.history, done.look.loss, look.loss if enough else None)
    if said:
        print(*said, "", sep="\n")
    warning = verdict.beside_no_net(task, ys, answers, usual)
    if warning and done.history.ended == INTERRUPTED:
        return (
            f"after {many(len(done.history), 'step')} the net is not clearly better than {words!r}"
        )
    return warning


def interrupted(trials: Mapping[str, Trial]) -> bool:
    """Whether Ctrl-C ended one of them."""
    return any(trial.history.ended == INTERRUPTED for trial in trials.values())


# --- what a training leaves -------------------------------------------------------------------


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


def keep(out: Path, plan: Plan, model: MLP, histories: Mapping[str, History]) -> None:
    """Writes what cannot be made again: the net, and the numbers of every step."""
    save(model, out / "model.json", plan.task.meta())
    write_histories(out / "history.csv", histories)
    *_, last = histories.values()
    if last.ended == INTERRUPTED:
        taken = many(len(last), "step")
        words = f"Stopped by Ctrl-C after {taken}; what was learned until then is kept.\n"
        print(words, flush=True)


def leave(out: Path, plan: Plan, trials: Mapping[str, Trial]) -> None:
    """Draws the pictures of a training, and says what each file is for."""
    last, training = [*trials.values()][-1], plan.training
    model, place = last.model, last.look.hardest
    histories = {name: trial.history for name, trial in trials.items()}
    row, x, y = plan.numbers[place], training.xs[place], training.ys[place]
    step_graph(plan.task, model, x, y, row).save(out / "graph.svg")
    words = {
        "step.html": f"one training step, number by number, on row {row}: that of the largest loss",
        "graph.svg": "the graph of that step",
    }
    plotting = find_spec("matplotlib") is not None
    plots = figures(plan, last, histories) if plotting else {}
    for name, (meaning, figure) in plots.items():
        write_svg(figure, out / name)
        words[name] = meaning
    for name in PLOTS:
        if name not in plots:
            (out / name).unlink(missing_ok=True)  # one of an earlier training
    words["history.csv"] = "the numbers of every step"
    words["model.json"] = "the net: its weights, and the columns it reads"
    width = max(len(str(out / name)) for name in words)
    learner = deepcopy(model)
    example = plan.task.named(Dataset([x], [y]))
    optimizer = SGD(learner.parameters(), lr=max(last.history.learning_rate))
    step = watch(learner, plan.task.loss, example, optimizer)
    step.about = f"row {row}, {plan.task.words(y)}"
    step.save(out / "step.html")
    print("Open next:")
    for name, meaning in words.items():
        print(f"  {out / name!s:<{width}}   {meaning}")
    if not plotting:
        print(f"No {' and '.join(PLOTS)}: they need matplotlib: pip install matplotlib")


def figures(
    plan: Plan, last: Trial, histories: Mapping[str, History]
) -> dict[str, tuple[str, "Figure"]]:
    """What each figure shows, and the figure, by file name."""
    task = plan.task
    if len(histories) > 1:
        drawn = {"curves.svg": ("the way down of each loss", plot_comparison(histories))}
    else:
        (history,) = histories.values()
        dashed = "; dashed: on the rows held out" if history.kept is not None else ""
        curves = f"{CURVES[bool(task.classes)]} at each step{dashed}"
        drawn = {"curves.svg": (curves, history.plot())}
    numbers = number_columns(plan.training) if task.classes else []
    if task.classes and len(task.features) > 1 and len(numbers) < 2:
        print(
            f"No boundary.svg: it shows two columns of numbers, and here {_are(len(numbers))}; the "
            "others are 0 or 1, as texts are."
        )
    elif len(numbers) > 1:
        columns = telling_columns(task, last.judge, plan.training, numbers)

        def outputs(rows: Rows) -> list[Any]:
            judged = last.judge(task.inputs(rows), [0] * len(rows))  # any target
            return [output for _, output in judged]

        why = "over the two columns of numbers that move the loss most"
        drawn["boundary.svg"] = (
            f"which answer the net gives where, {why}",
            boundary(*(plan.rows, task.inputs.means, columns, last.look.outputs, outputs), why=why),
        )
    return drawn


def _are(count: int) -> str:
    return "is one" if count else "is none"


def number_columns(rows: Dataset) -> list[int]:
    """The inputs that have more than two values; texts and gaps are inputs of 0 and 1."""
    found = []
    for k, first in enumerate(rows.xs[0]):
        second = next((row[k] for row in rows.xs if row[k] != first), first)
        if any(row[k] not in (first, second) for row in rows.xs):
            found.append(k)
    return found


def telling_columns(
    task: Task, judge: EachRow, training: Dataset, among: Sequence[int] | None = None
) -> tuple[int, int]:
    """The two columns that move the loss most: those with the largest sums of abs(slope).

    Those `among` which to look; None: all. Of many rows each k-th is looked at, SAMPLE and some
    more.
    """
    stride = max(1, len(training.xs) // SAMPLE)
    slopes = judge.slopes(training.xs[::stride], training.ys[::stride])
    blame = [sum(map(abs, column)) for column in zip(*slopes, strict=True)]
    places = range(len(blame)) if among is None else among
    first, second, *_ = sorted(places, key=lambda column: -blame[column])
    return first, second


def write_histories(path: Path, histories: Mapping[str, History]) -> None:
    """One line a step; where there are several histories, with the name of each in front."""
    if len(histories) == 1:
        next(iter(histories.values())).to_csv(path)
        return
    with open(path, "w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("method", *Step._fields))
        for name, history in histories.items():
            lines.writerows((name, *history[i]) for i in range(len(history)))


def step_graph(
    task: Task, model: MLP, x: Sequence[float], y: Any, row: int, max_nodes: int = 60
) -> Drawing:
    """One row's graph after a backward from the loss, or, where y is None, from the answer."""
    model.zero_grad()
    output = model([Value(number, name) for number, name in zip(x, task.standardised, strict=True)])
    outputs = output if isinstance(output, list) else [output]
    for value, name in zip(outputs, task.classes or (task.target,), strict=True):
        value.label = name
    if y is None:
        root = largest(outputs)
        root.label = f"answer, row {row}"
    else:
        root = task.loss(output, y)
        root.label = f"loss, row {row}: {task.words(y)}"
    root.backward()
    return draw(root, model, max_nodes=max_nodes)
