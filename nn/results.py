"""The files that a training on a file's rows leaves: the net, its history, pictures."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from engine.files import write
from engine.functions import max as largest
from engine.pictures.draw import Drawing, draw
from engine.pictures.texts import many
from engine.value import Value
from nn.boundary import boundary
from nn.data import Dataset, Rows
from nn.document import Chart
from nn.history import INTERRUPTED, History, Step, as_csv
from nn.module import MLP
from nn.optim import SGD
from nn.plan import Plan
from nn.plot import plot_comparison
from nn.rows import EachRow
from nn.save import save
from nn.task import Task
from nn.trial import SAMPLE, Trial
from nn.watch import watch

CURVES = ("loss and length of the gradient", "loss, accuracy and length of the gradient")
PLOTS = ("curves.svg", "boundary.svg")
FILES = ("model.json", "history.csv", "graph.svg", "step.html", *PLOTS)  # that a training leaves


def write_net(out: Path, plan: Plan, model: MLP, histories: Mapping[str, History]) -> None:
    """Writes what cannot be made again: the net, and the numbers of every step."""
    save(model, out / "model.json", plan.task.meta())
    write_histories(out / "history.csv", histories)
    *_, last = histories.values()
    if last.ended == INTERRUPTED:
        taken = many(len(last), "step")
        words = f"Stopped by Ctrl-C after {taken}; what was learned until then is kept.\n"
        print(words, flush=True)


def write_results(out: Path, plan: Plan, trials: Mapping[str, Trial]) -> None:
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
    plots = charts(plan, last, histories)
    for name, (meaning, chart) in plots.items():
        chart.save(out / name)
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


def charts(
    plan: Plan, last: Trial, histories: Mapping[str, History]
) -> dict[str, tuple[str, Chart]]:
    """What each chart shows, and the chart, by file name."""
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
    lines: list[tuple[Any, ...]] = [("method", *Step._fields)]
    for name, history in histories.items():
        lines += [(name, *history[i]) for i in range(len(history))]
    write(path, as_csv(lines))


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
