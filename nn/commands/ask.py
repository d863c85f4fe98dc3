"""The commands that ask a trained net: `predict`, `draw`, `watch` and `check`."""

import argparse
import csv
import io
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.check import GradientError, check_grads
from engine.modes import no_grad
from engine.pictures.story.mistake import Mistake
from engine.pictures.story.steps import Steps
from engine.pictures.texts import many, visible
from engine.value import Value
from nn.commands.options import format_of
from nn.commands.said import WRONG, remark, tell, to_open
from nn.data import Dataset, decision
from nn.falling import falling_rate
from nn.judging import judging, mean_and_accuracy
from nn.module import MLP
from nn.optim import SGD
from nn.progress import reporting, stages
from nn.reading import Seen
from nn.results import step_graph
from nn.rows import EachRow
from nn.sheet import some
from nn.task import Task, load_task
from nn.watch import watch

MANY = 10_000  # rows: with more, it is shown how far a command is
PART = 5000  # rows answered between two reports
STEEPEST = 0.05  # learning rate of a step to watch
AT_ONCE = 20  # gradients compared between two reports
LARGEST = 5000  # pixels of a picture that need no remark


def predict(options: argparse.Namespace) -> int:
    """Prints the net's answer for each row as CSV; how many are right goes to stderr.

    A row that cannot be answered has an empty answer. A terminal gets texts as they can be shown; a
    file or another program gets them as they are, in UTF-8.
    """
    if sys.stdout is None:
        raise ValueError("standard output is closed: there is nowhere to write the answers")
    model, task = opened(options)
    seen = task.ready(task.read(options.data, format_of(options), stages()))
    answers, verdict = answered(model, task, seen)
    for line in seen.said([*answers]):
        remark(line)
    header = ["row", task.target, *["chance"] * bool(task.classes)]
    empty = [""] * (len(header) - 1)
    lines = [header, *([str(i + 1), *answers.get(i, empty)] for i in range(len(seen.lines)))]
    is_shown = sys.stdout.isatty()
    if not is_shown and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as all files here
    shown = visible if is_shown else str
    csv.writer(sys.stdout, lineterminator="\n").writerows(map(shown, line) for line in lines)
    tell(verdict)
    reasons = list(map(seen.named, sorted(seen.faults)))
    if reasons:
        remark(f"no answer for {many(len(reasons), 'row')}: {some(reasons)}")
    return WRONG if reasons else 0


def answered(model: MLP, task: Task, seen: Seen) -> tuple[dict[int, Sequence[str]], str]:
    """The answer to each row that has one, by its place in the file; and how good they are.

    A row whose answer is no number is at fault from now on.
    """
    xs, ys = seen.rows.xs, seen.rows.ys or [None] * len(seen.rows.xs)
    judge, net = judging(model, task.loss), EachRow(model)
    judged, known = list[tuple[float, Any]](), list[Any]()
    answers: dict[int, Sequence[str]] = {}
    with reporting(len(xs) >= MANY, len(xs), "row") as report:
        for start in range(0, len(xs), PART):
            part = range(start, min(start + PART, len(xs)))
            scored = [k for k in part if ys[k] is not None]
            known += [ys[k] for k in scored]
            judged += judge([xs[k] for k in scored], known[len(judged) :])
            outputs = [output for _, output in judged[len(judged) - len(scored) :]]
            if len(scored) < len(part):
                outputs = net(xs[start : part.stop])
            for place, output in zip(seen.places[start : part.stop], outputs, strict=True):
                try:
                    answers[place] = list(filter(None, task.answer(output)))
                except ValueError as error:
                    seen.faults[place] = str(error)
            report(part.stop, "rows answered")
    if not known:
        return answers, f"not scored: {seen.unscored or 'no row can be read'}"
    quality = task.quality(*mean_and_accuracy(judged, decision(known, judged[0][1]), known))
    verdict = f"{task.measure} on {'these ' * (len(known) > 1)}{many(len(known), 'row')}: {quality}"
    wrong = [seen.named(place) for place in sorted(seen.wrong)]
    return answers, verdict + f"; not scored: {some(wrong)}" * bool(wrong)


def draw_row(options: argparse.Namespace) -> int:
    """Draws the net at work on one row."""
    model, task = opened(options)
    seen = read(task, options)
    place, scaled = place_of_row(options, seen), seen.rows
    answer, chance = answer_to(task, model, scaled.xs[place], options.row)
    y = scaled.ys[place] if scaled.ys else None
    drawing = step_graph(task, model, scaled.xs[place], y, options.row, options.max_nodes)
    beside = Path(options.model).with_name(f"row-{options.row}.svg")
    out = Path(options.out or beside)
    opening = to_open(out)
    drawing.save(out)
    width, height = drawing.size
    if max(width, height) > LARGEST:
        remark(f"{out} is {width:,} x {height:,} pixels: a smaller --max-nodes collapses neurons")
    print(*str(drawing).splitlines()[:2], sep="\n")
    print(f"the net's answer: {visible(answer)}" + (f" (chance {chance})" if chance else ""))
    print(opening)
    return 0


def watch_row(options: argparse.Namespace) -> int:
    """Records a training step on one row as a page; the model's file stays as it is."""
    model, task = opened(options)
    found = read(task, options)
    place = place_of_row(options, found)
    if found.unscored or found.rows.ys[place] is None:
        is_wrong = options.row - 1 in found.wrong
        why = found.unscored or f"row {options.row}: {task.target!r} is empty"
        why = found.named(options.row - 1) if is_wrong else why
        raise ValueError(f"no training step without a target: {why}")
    row = task.named(found.rows).pick([place])
    lr = options.lr or rate_for(task, model, row)
    optimizer = SGD(model.parameters(), lr=lr)
    beside = Path(options.model).with_name(f"row-{options.row}.html")
    out = Path(options.out or beside)
    seen: Steps | Mistake
    if options.mistake:
        seen = watch(model, task.loss, row, optimizer, mistake=options.mistake)
        first = seen.first_difference
        words = first["text"] if first else "no number differs on this row"
    else:
        seen = watch(model, task.loss, row, optimizer)
        words = f"{many(len(seen), 'event')}, rate {lr:g}; {seen[-1]}"
    seen.about = f"row {options.row}, {task.words(row.ys[0])}"
    opening = to_open(out)
    seen.save(out)
    print(words)
    print(opening)
    return 0


def rate_for(task: Task, model: MLP, row: Dataset) -> float:
    """A learning rate at which a step lowers the loss on one row."""
    (x,), (y,) = row
    return falling_rate(lambda: task.loss(model(x), y), model.parameters(), STEEPEST)


def place_of_row(options: argparse.Namespace, seen: Seen) -> int:
    """The index of --row among those read; ValueError where the file has no such row.

    What is assumed of this row is said.
    """
    count, place = len(seen.lines), options.row - 1
    if not 0 <= place < count:
        raise ValueError(f"{options.data} has rows 1 to {count}, got --row {options.row}")
    if place in seen.faults:
        raise ValueError(seen.named(place))
    for line in seen.said([place]):
        remark(line)
    return seen.places.index(place)


def check(options: argparse.Namespace) -> int:
    """Compares the gradients of the loss with finite differences."""
    model, task = opened(options)
    seen = read(task, options)
    known = [k for k, y in enumerate(seen.rows.ys) if y is not None][: options.rows]
    if seen.unscored or not known:
        why = seen.unscored or f"every {task.target!r} is empty"
        raise ValueError(f"no loss without a target: {why}")
    for line in seen.said([seen.places[k] for k in known]):
        remark(line)
    scaled = seen.rows.pick(known)
    parameters = model.named_parameters()

    def loss() -> Value:
        outputs = [model(x) for x in scaled.xs]
        return task.loss(outputs, scaled.ys)

    if not math.isfinite(loss().data):
        for k, x in zip(known, scaled.xs, strict=True):
            answer_to(task, model, x, seen.places[k] + 1)
        raise ValueError(
            f"the loss on {many(len(scaled.xs), 'row')} is {loss().data}: expected a finite number "
            "to compare the gradients of"
        )
    done = 0
    try:
        with reporting(True, len(parameters), "gradient") as report:
            for done in range(0, len(parameters), AT_ONCE):
                report(done, "gradients compared")
                check_grads(loss, parameters[done : done + AT_ONCE], order=1)
            report(len(parameters), "gradients compared")
    except KeyboardInterrupt:
        words = (
            f"{done:,} of {len(parameters):,} gradients were compared{', they agree' * (done > 0)}"
        )
        raise KeyboardInterrupt(words) from None
    except GradientError as error:
        print(f"A gradient of the loss on {many(len(known), 'row')} is wrong: {error}")
        return WRONG
    print(
        f"All {len(parameters)} gradients of the loss on {many(len(known), 'row')} agree with "
        "finite differences to 1 part in 1,000,000."
    )
    return 0


def answer_to(task: Task, model: MLP, x: Sequence[float], row: int) -> tuple[str, str]:
    """The net's answer and its chance; ValueError naming the row where there is none."""
    with no_grad():
        return answer_of(task, model(x), row)


def answer_of(task: Task, output: Any, row: int) -> tuple[str, str]:
    """What an output says, and its chance; ValueError naming the row where it says nothing."""
    try:
        return task.answer(output)
    except ValueError as error:
        raise ValueError(f"row {row}: {error}") from None


def opened(options: argparse.Namespace) -> tuple[MLP, Task]:
    """The net and the task of a command that was given a model and data, in this order."""
    given = options.model, options.data
    if [Path(name).suffix.lower() for name in given] == [".csv", ".json"]:
        raise ValueError(f"expected the model and then the data, got {' '.join(given)}: swap them")
    return load_task(options.model)


def read(task: Task, options: argparse.Namespace) -> Seen:
    """The rows of a file, scaled, as a task reads them.

    ValueError where there is none that can be read.
    """
    seen = task.ready(task.read(options.data, format_of(options), stages()))
    if not seen.places:
        raise ValueError(some(list(map(seen.named, sorted(seen.faults)))))
    return seen
