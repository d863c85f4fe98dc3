"""The command `brickgrad`: a demo, and the same for a CSV file of your own."""

import argparse
import csv
import math
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NoReturn

from engine.check import GradientError, check_grads
from engine.modes import no_grad
from engine.names import no_such
from engine.ops import fsum
from engine.pictures.drawing.picture import many, visible
from engine.pictures.steps import Mistake, Steps
from engine.replay import backends
from engine.value import Value
from nn import data
from nn.by_recipe import backend_for, chosen, grounds_of, train_by
from nn.columns import POLICIES
from nn.data import iris
from nn.files import check_replaceable, check_writable
from nn.finding import Wishes
from nn.history import INTERRUPTED as STOPPED
from nn.history import DivergedError, History, TrainingInterrupted
from nn.judging import judging
from nn.look import line_to_type, look
from nn.module import MLP
from nn.numerals import SEPARATORS
from nn.optim import SGD
from nn.output import steady_output
from nn.plan import Plan, plan_for
from nn.progress import collector_put_off, stages
from nn.reading import Seen, read_rows
from nn.recipe import OPTIMIZERS, RECIPES, RIVALS, SCHEDULES, USUAL, Recipe, recipe_for
from nn.rows import EachRow
from nn.sheet import Format, some
from nn.suspicion import giveaways
from nn.task import Task, load_task
from nn.train import gradient_descent, stochastic_gradient_descent
from nn.trial import (
    FILES,
    SAMPLE,
    Trial,
    goal,
    interrupted,
    introduce,
    judging_net,
    keep,
    leave,
    look_at,
    print_table,
    print_verdict,
    step_graph,
    trial,
)
from nn.watch import MISTAKES, watch
from nn.wording import option as option_of
from nn.wording import typed

WRONG = 1
BAD_INPUT = 2
LARGEST = 5000  # pixels of a picture that need no remark
INTERRUPTED = 130  # what shells report for Ctrl-C

NO_STEP = "no step was done yet, and nothing was saved"
ANOTHER_START = (
    "Give the options it began with (--steps too, unless --schedule is constant); one that began "
    "with other defaults, before Adam was the usual, starts anew without --resume"
)
DEMO_LAYERS = (8,)
DEMO_LOSS = 0.1  # the demo counts the points looked at until the loss is below this
DEMO: dict[str, tuple[Callable[..., History], float, int]] = {  # with learning rate and steps
    "gradient descent": (gradient_descent, 0.5, 200),
    "stochastic": (stochastic_gradient_descent, 0.05, 6000),
}


# --- the commands -----------------------------------------------------------------------------


def steadily(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command that goes on to its end, and writes its files, where what it prints is lost."""

    @wraps(run)
    def to_its_end(options: argparse.Namespace) -> int:
        with steady_output() as lost:
            code = run(options)
            error = lost()
        if error is None:
            return code
        remark(f"the files are written, but not all that was to be printed: {error.strerror}")
        return code or BAD_INPUT

    return to_its_end


@steadily
def demo(options: argparse.Namespace) -> int:
    """Trains twice on iris: by gradient descent and by stochastic gradient descent."""
    check_files(options.out)
    out = writable(options.out)
    plan = plan_for(iris(), DEMO_LAYERS, 0.2, options.seed)
    net = plan.net()
    introduce(plan, net, look_at(plan.task, judging_net(plan.task, net), plan.training))
    trials: dict[str, Trial] = {}
    for name, (method, lr, steps) in DEMO.items():
        print(f"{name}: {steps:,} steps", flush=True)
        model, reached = plan.net(), dict[str, int]()
        history = method(
            model,
            plan.task.loss,
            plan.training,
            lr=lr,
            steps=steps,
            seed=options.seed,
            callbacks=[goal(plan, model, DEMO_LOSS, reached)],
        )
        refuse_no_step(history)
        earlier = {name: trial.history for name, trial in trials.items()}
        keep(out, plan, model, {**earlier, name: history})
        with saying_what_is_kept(out):
            looked_at = f"{reached['points']:,}" if reached else "not reached"
            more = {f"points looked at until loss {DEMO_LOSS}": looked_at}
            trials[name] = trial(plan, model, judging_net(plan.task, model), history, more)
        if interrupted(trials):
            break
    with saying_what_is_kept(out):
        print_table({name: trial.figures for name, trial in trials.items()})
        leave(out, plan, trials)
    flowers = typed(str(shortest(data.__file__).with_name("iris.csv")))
    model_file = typed(str(out / "model.json"))
    print("\nThe same with a file, such as these flowers or your own:")
    print(f"  {program()} train {flowers} --target species")
    print(f"  {program()} predict {model_file} {flowers}")
    print(f"  {program()} draw {model_file} {flowers} --row 3 --max-nodes 100")
    print(f"  {program()} watch {model_file} {flowers} --row 3")
    return INTERRUPTED if interrupted(trials) else 0


@steadily
def train(options: argparse.Namespace) -> int:
    """Trains on a file: reads, learns, writes the net, and only then says how good it is."""
    check_files(options.out, options.checkpoint, options.resume, options.data)
    print(f"Reading {visible(options.data)}.", flush=True)
    rows, assumed = read_rows(
        options.data, options.target, wishes_of(options), format_of(options), stages()
    )
    for line in assumed:
        remark(line)
    out = writable(options.out)
    wishes = ("lr", "schedule", "batch", "steps", "hold_out")
    given = {name: getattr(options, name) for name in wishes}
    recipe_of: Callable[[int], Recipe] = partial(recipe_for, optimizer=options.optimizer, **given)
    plan = plan_for(rows, options.layers, options.keep_aside, options.seed, recipe_of)
    for line in giveaways(plan.rows):
        remark(line)
    model = plan.net()
    judge = judging_net(plan.task, model)
    every = max(1, len(plan.training.xs) // SAMPLE)  # of many rows some tell how it starts
    sample = plan.training.pick(range(0, len(plan.training.xs), every))
    start = look_at(plan.task, judge, sample)
    introduce(plan, model, start)
    untrained = [p.data for p in model.parameters()]
    history, recipe = learned(options, recipe_of(len(plan.training.xs)), plan, model, judge)
    keep(out, plan, model, {options.optimizer: history})
    with saying_what_is_kept(out):
        done = judged(options, plan, model, judge, history, untrained)
        print("Drawing the pictures.", flush=True)
        leave(out, plan, {options.optimizer: done})
    kept = options.checkpoint or options.resume
    if kept and history.ended == STOPPED:
        print(f"To go on: the same command with --resume {typed(kept)}")
    before, after = start.loss, fsum(done.look.losses[::every]) / len(sample.xs)
    if after > before:
        remark(
            f"the loss is larger than before training ({before:.4g} -> {after:.4g}): "
            f"try a smaller --lr (now {recipe.lr:g}) or more --steps"
        )
    return INTERRUPTED if history.ended == STOPPED else 0


def learned(
    options: argparse.Namespace, recipe: Recipe, plan: Plan, model: MLP, judge: EachRow
) -> tuple[History, Recipe]:
    """The history of a training, and how it was done; ValueError, with what to try, where it cannot
    go on."""
    training = (model, plan.task.loss, plan.training, options.seed)
    settings: dict[str, Any] = {
        "checkpoint": options.checkpoint or options.resume,
        "resume": options.resume,
        "progress": True,
    }
    settings["backend"] = backend_for(options.backend, **settings)
    try:
        if recipe.rival and not options.resume:
            print("Trying two starts.", flush=True)
        grounds = grounds_of(recipe, *training, settings["backend"], judge, plan.table)
        recipe = chosen(recipe, *training, grounds=grounds, **settings)
        print(f"Training: {recipe}.", flush=True)
        history = train_by(recipe, *training, grounds=grounds, every=options.every, **settings)
    except KeyboardInterrupt:  # later ones end the training as if all was done
        raise KeyboardInterrupt(NO_STEP) from None
    except DivergedError as error:
        raise ValueError(
            f"step {len(error.history) + 1}: {error.__cause__}. Try a smaller --lr (now "
            f"{recipe.lr:g}). Nothing was saved; {options.out} is as it was"
        ) from error
    except ValueError as error:
        hint = f". {ANOTHER_START}" * (" here it is " in str(error) or " differs: " in str(error))
        raise ValueError(f"{error}{hint}") from error
    refuse_no_step(history)
    return history, recipe


def refuse_no_step(history: History) -> None:
    """KeyboardInterrupt where it came before the first step: there is nothing to keep."""
    if not len(history):
        raise KeyboardInterrupt(NO_STEP)


@contextmanager
def saying_what_is_kept(out: Path) -> Iterator[None]:
    """A Ctrl-C inside says which files are there already."""
    try:
        yield
    except KeyboardInterrupt:
        kept = f"{typed(str(out / 'model.json'))} and {typed(str(out / 'history.csv'))}"
        raise KeyboardInterrupt(f"{kept} are written, the pictures may be missing") from None


def judged(
    options: argparse.Namespace,
    plan: Plan,
    model: MLP,
    judge: EachRow,
    history: History,
    untrained: Sequence[float],
) -> Trial:
    """What a training reached, printed."""
    print("Judging the net.", flush=True)
    done = trial(plan, model, judge, history, {})
    print_table({options.optimizer: done.figures})
    if warning := print_verdict(plan, done, untrained):
        remark(warning)
    return done


def look_at_file(options: argparse.Namespace) -> int:
    """Says what would be read of a file, and how; and what to type next."""
    wishes, format = wishes_of(options), format_of(options)
    lines, remarks, is_readable = look(options.data, options.target, wishes, format, stages())
    given = [
        *(option_of(what, name) for what in LISTS for name in getattr(options, what) or ()),
        *(f"--{flag.replace('_', '-')}" for flag in FLAGS if getattr(options, flag)),
        *(option_of(what, getattr(options, what)) for what in TOLD if getattr(options, what)),
        *([option_of("missing", options.missing)] if options.missing != "fill" else ()),
    ]
    print(*map(visible, lines), sep="\n")
    print(*(f"- {visible(text)}" for text in remarks), sep="\n", end="\n\n" if remarks else "")
    if not is_readable:
        print("Decide this first, by an option or in the file; then look again.")
        return WRONG
    line = line_to_type(program(), options.data, options.target, given)
    print(f"To learn from it:\n  {visible(line)}")
    return 0


def predict(options: argparse.Namespace) -> int:
    """Prints the net's answer for each row as CSV; how many are right goes to stderr.

    A row that cannot be answered has an empty answer. A terminal gets texts as they can be shown; a
    file or another program gets them as they are.
    """
    if sys.stdout is None:
        raise ValueError("standard output is closed: there is nowhere to write the answers")
    model, task = opened(options)
    seen = task.ready(task.read(options.data, format_of(options)))
    answers, verdict = answered(model, task, seen)
    for line in seen.said([*answers]):
        remark(line)
    header = ["row", task.target, *["chance"] * bool(task.classes)]
    empty = [""] * (len(header) - 1)
    lines = [header, *([str(i + 1), *answers.get(i, empty)] for i in range(len(seen.lines)))]
    shown = visible if sys.stdout.isatty() else str
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
    xs, ys = seen.rows.xs, seen.rows.ys
    known = [k for k, y in enumerate(ys) if y is not None]
    outputs: Sequence[Any] = ()
    verdict = f"not scored: {seen.unscored or 'no row can be read'}"
    if known:
        scored = look_at(task, judging(model, task.loss), seen.rows.pick(known))
        quality = task.quality(scored.loss, scored.accuracy)
        outputs, verdict = (
            scored.outputs,
            f"{task.measure} on {'these ' * (len(known) > 1)}{many(len(known), 'row')}",
        )
        verdict += f": {quality}"
        if seen.wrong:
            wrong = [seen.named(place) for place in sorted(seen.wrong)]
            verdict += f"; not scored: {some(wrong)}"
    if len(known) < len(xs):
        outputs = EachRow(model)(xs)
    answers: dict[int, Sequence[str]] = {}
    for place, output in zip(seen.places, outputs, strict=True):
        try:
            answers[place] = list(filter(None, task.answer(output)))
        except ValueError as error:
            seen.faults[place] = str(error)
    return answers, verdict


def draw_row(options: argparse.Namespace) -> int:
    """Draws the net at work on one row."""
    model, task = opened(options)
    seen = read(task, options)
    place, scaled = place_of_row(options, seen), seen.rows
    answer, chance = answer_to(task, model, scaled.xs[place], options.row)
    y = scaled.ys[place] if scaled.ys else None
    drawing = step_graph(task, model, scaled.xs[place], y, options.row, options.max_nodes)
    beside = Path(options.model).with_name(f"row-{options.row}.svg")
    out = drawing.save(options.out or beside)
    width, height = drawing.size
    if max(width, height) > LARGEST:
        remark(f"{out} is {width:,} x {height:,} pixels: a smaller --max-nodes collapses neurons")
    print(*str(drawing).splitlines()[:2], sep="\n")
    print(f"the net's answer: {visible(answer)}" + (f" (chance {chance})" if chance else ""))
    print(f"Open next: {out}")
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
    optimizer = SGD(model.parameters(), lr=options.lr)
    beside = Path(options.model).with_name(f"row-{options.row}.html")
    out = Path(options.out or beside)
    seen: Steps | Mistake
    if options.mistake:
        seen = watch(model, task.loss, row, optimizer, mistake=options.mistake)
        first = seen.first_difference
        words = first["text"] if first else "no number differs on this row"
    else:
        seen = watch(model, task.loss, row, optimizer)
        words = f"{many(len(seen), 'event')}; {seen[-1]}"
    seen.about = f"row {options.row}, {task.words(row.ys[0])}"
    seen.save(out)
    print(words)
    print(f"Open next: {out}")
    return 0


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
    try:
        check_grads(loss, parameters, order=1)
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
    seen = task.ready(task.read(options.data, format_of(options)))
    if not seen.places:
        raise ValueError(some(list(map(seen.named, sorted(seen.faults)))))
    return seen


def format_of(options: argparse.Namespace) -> Format:
    """What the command line says of how a file is written."""
    if options.header and options.no_header:
        raise ValueError("--header and --no-header are opposites: give one of them")
    header = True if options.header else False if options.no_header else None
    return Format(options.encoding or "", header, options.decimal or "", options.thousands or "")


def wishes_of(options: argparse.Namespace) -> Wishes:
    """What the command line says of columns."""
    if options.classes and options.numbers:
        raise ValueError("--classes and --numbers are opposites: give one of them")
    as_classes = True if options.classes else False if options.numbers else None
    ignore, text, number = (tuple(getattr(options, name) or ()) for name in LISTS)
    return Wishes(ignore, text, number, as_classes, options.missing)


def tell(text: str) -> None:
    """One line beside the results, where there is a place for it."""
    if sys.stderr is not None:
        print(text, file=sys.stderr)


def remark(text: str) -> None:
    """One line on stderr, whatever a file made part of it."""
    tell(f"brickgrad: {visible(text)}")


def check_files(
    folder: str, checkpoint: str | None = None, resume: str | None = None, data: str = ""
) -> None:
    """OSError or ValueError where a file cannot be written, or one to go on from is not there.

    Before anything is made, so that no training is lost; nor is the data.
    """
    out = Path(folder)
    written = [*(out / name for name in FILES), *map(Path, filter(None, (checkpoint, resume)))]
    if data and Path(data).resolve() in [path.resolve() for path in written]:
        raise ValueError(f"{data} would be overwritten: give another --out, or --checkpoint")
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out expected a folder, got the file {folder}")
    for name in FILES:
        check_replaceable(out / name)
    if resume:
        with open(resume, "rb"):
            pass
    for name in filter(None, (checkpoint, resume)):
        path = Path(name)
        if path.parent.resolve() == out.resolve():
            if path.name in FILES:
                raise ValueError(f"a checkpoint {name} would be overwritten: give it another name")
            check_replaceable(path)
        else:
            check_writable(path)


def writable(folder: str) -> Path:
    """A folder that can be written to, made if need be; OSError now rather than after training."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=path):
        return path


def program() -> str:
    """What to type here to run this command."""
    if shutil.which("brickgrad"):
        return "brickgrad"
    called = shortest(sys.argv[0])
    return str(called) if called.stem == "brickgrad" else "python -m nn.cli"


def shortest(path: str) -> Path:
    """A path as one would type it here."""
    relative = os.path.relpath(path)
    return Path(path if relative.startswith(os.pardir) else relative)


# --- the command line -------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with exit code 2."""
        if message.endswith("expected one argument"):
            option = message.split()[1].strip(":")
            message += f"; what begins with - is written {option}=-x"
        self.exit(BAD_INPUT, f"brickgrad: {visible(message)} (see {self.prog} --help)\n")


def numbers(
    kind: Callable[[str], float], holds: Callable[[Any], bool], expected: str
) -> Callable[[str], Any]:
    """A reader of numbers of one kind; what it refuses, it answers with what was expected."""

    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not holds(number):
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return number

    return read


whole_number = numbers(int, lambda n: n == n, "a whole number such as 3")
count = numbers(int, lambda n: n >= 1, "a whole number of at least 1")
positive = numbers(float, lambda x: 0 < x < math.inf, "a number above 0 such as 0.05")
share = numbers(float, lambda x: 0 <= x < 1, "a number from 0 to below 1")


def batch(text: str) -> int:
    """A number of points, or 0 for "all"."""
    return 0 if text.lower() == "all" else int(count(text))


def layers(text: str) -> tuple[int, ...]:
    """The sizes of hidden layers, such as "16,16"."""
    try:
        return tuple(map(count, text.split(",")))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"expected sizes of at least 1 such as 16,16, got {text!r}"
        ) from None


Option = tuple[str, dict[str, Any]]


def option(
    name: str, metavar: str, help: str, default: str | None = None, **settings: Any
) -> Option:
    """One argument of a command, as argparse takes it; a default is parsed as if it was typed."""
    shown = f"{help} (default {default})" if default else help
    return name, {"metavar": metavar, "help": shown, "default": default, **settings}


@dataclass(frozen=True)
class Command:
    """One command: what it does, an example to paste, what it takes."""

    run: Callable[[argparse.Namespace], int]
    help: str
    example: str
    options: Sequence[Option]


# fmt: off
def usual(of: str) -> str:
    """What the recipes say unless an option does: for few rows, for many, for sgd."""
    few, many, sgd = (RECIPES[key] for key in ((USUAL, False), (USUAL, True), ("sgd", False)))
    of_few, of_many, of_sgd = (str(getattr(recipe, of)) for recipe in (few, many, sgd))
    if of in RIVALS[USUAL, True]:
        of_many += f" or, from a bent start, {RIVALS[USUAL, True][of]}"
    usually = of_few if of_few == of_many else f"{of_few}, or {of_many} where rows are held out"
    return f"default {usually}; for sgd {of_sgd}"


BACKENDS = (*backends.NAMES, "auto")
SEED = option("--seed", "N", "start of the random numbers", "0", type=whole_number)
MODEL = option("model", "model.json", "a net from `brickgrad train`")
ROW = option("--row", "N", "1 is the first row under the header", "1", type=whole_number)
DATA = option("data", "data.csv", "a header line, then rows")

FORMAT = (
    option("--encoding", "NAME", "of the file, where it is not UTF-8 and has no mark: cp1252"),
    ("--header", {"action": "store_true", "help": "the first line names the columns"}),
    ("--no-header", {"action": "store_true", "help": "it does not: they are column 1, column 2"}),
    option("--decimal", "SIGN", "the decimal point of its numbers: . or ,",
           choices=SEPARATORS["--decimal"]),
    option("--thousands", "SIGN", "what parts thousands in them: , . ' or a blank",
           choices=SEPARATORS["--thousands"]),
)
LISTS = ("ignore", "text", "number")
FLAGS = ("classes", "numbers", "header", "no_header")
TOLD = ("encoding", "decimal", "thousands")
READING = (
    ("--classes", {"action": "store_true", "help": "the target is a class, also a number"}),
    ("--numbers", {"action": "store_true", "help": "the target is an amount, also a few"}),
    option("--ignore", "COLUMN", "not to learn from, such as an id; again for others",
           action="append"),
    option("--text", "COLUMN", "of texts, also where they are numbers; again for others",
           action="append"),
    option("--number", "COLUMN", "of numbers: what is none is missing; again for others",
           action="append"),
    option("--missing", "WAY", "what becomes of gaps: " + ", ".join(POLICIES), "fill",
           choices=POLICIES),
    *FORMAT,
)

COMMANDS = {
    "demo": Command(
        demo, "watch a net learn 150 flowers by gradient descent, and by one point at a time",
        "brickgrad demo", (
        option("--out", "DIR", "folder for the results", "brickgrad-demo"),
        SEED,
    )),
    "train": Command(
        train, "train a net on a CSV file of your own",
        "brickgrad train data.csv --target price --layers 16,16 --steps 10000", (
        DATA,
        option("--target", "COLUMN", "what to learn: texts are classes, numbers amounts",
               required=True),
        option("--layers", "N,N", "sizes of the hidden layers", "16,16", type=layers),
        option("--optimizer", "NAME", f"one of {', '.join(OPTIMIZERS)}; sgd takes single points at "
               "a constant rate, to see how descent works", USUAL, type=str.lower,
               choices=OPTIMIZERS),
        option("--batch", "N", f'points in one step, or "all" ({usual("batch")})', type=batch),
        option("--lr", "RATE", f"learning rate ({usual('lr')})", type=positive),
        option("--schedule", "NAME", f"how the rate falls: {', '.join(SCHEDULES)} "
               f"({usual('schedule')})", type=str.lower, choices=SCHEDULES),
        option("--steps", "N", f"steps to take at most ({usual('steps')})", type=count),
        option("--hold-out", "SHARE", "share of the rows to learn from that says when to stop: the "
               "weights that do best on it are kept (default 0.2, at most 2,000 rows, from 200 rows"
               " on, else 0; for sgd 0)", type=share),
        option("--keep-aside", "SHARE", "share of the rows to test on", "0.2", type=share),
        option("--backend", "NAME", f"what runs the steps: {', '.join(BACKENDS)}; with a name the "
               "same seed gives the same bits, auto changes it by the clock", "auto",
               type=str.lower, choices=BACKENDS),
        option("--out", "DIR", "folder for the results", "brickgrad-train"),
        option("--checkpoint", "FILE", "where to keep how far the training is, such as run.json"),
        option("--every", "N", "steps between two writings of it", "100", type=count),
        option("--resume", "FILE", "go on from a checkpoint, with the other options as they were; "
               "writes there again"),
        SEED,
        *READING,
    )),
    "look": Command(
        look_at_file, "say what would be read of a file, and how, before any training",
        "brickgrad look data.csv --target price", (
        DATA,
        option("--target", "COLUMN", "what is to be learned"),
        *READING,
    )),
    "predict": Command(
        predict, "print the net's answer for each row as CSV",
        "brickgrad predict brickgrad-train/model.json data.csv > answers.csv", (
        MODEL,
        DATA,
        *FORMAT,
    )),
    "draw": Command(
        draw_row, "draw the net at work on one row, with its gradients",
        "brickgrad draw brickgrad-train/model.json data.csv --row 3", (
        MODEL,
        DATA,
        ROW,
        option("--max-nodes", "N", "collapse neurons where there are more", "60", type=count),
        option("--out", "FILE", "name ending in .svg, .png, .pdf or .gv (default: row-N.svg "
               "beside the model)"),
        *FORMAT,
    )),
    "watch": Command(
        watch_row, "watch one training step of the net on one row, as a page to step through",
        "brickgrad watch brickgrad-train/model.json data.csv --row 3 --out step.html", (
        MODEL,
        DATA,
        ROW,
        option("--lr", "RATE", "learning rate of the step", "0.05", type=positive),
        option("--mistake", "NAME", f"beside a wrong step: {', '.join(MISTAKES)}",
               choices=MISTAKES),
        option("--out", "FILE", "name ending in .html (default: row-N.html beside the model)"),
        *FORMAT,
    )),
    "check": Command(
        check, "compare the net's gradients with finite differences",
        "brickgrad check brickgrad-train/model.json data.csv", (
        MODEL,
        DATA,
        option("--rows", "N", "look at the first N rows", "3", type=count),
        *FORMAT,
    )),
}
# fmt: on


def parser() -> Parser:
    """The command line, as read off COMMANDS."""
    examples = "\n".join(f"  {command.example}" for command in COMMANDS.values())
    whole = Parser(
        prog="brickgrad",
        description="A scalar autograd engine and tiny neural nets, with pictures.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"brickgrad {_version()}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=command.help,
            description=command.help,
            epilog=f"example:\n  {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for argument, settings in command.options:
            sub.add_argument(argument, **settings)
        sub.set_defaults(run=command.run)
    return whole


def mistyped(given: Sequence[str]) -> str:
    """What is wrong with the name of a command, or of its options; "" where they are right.

    >>> mistyped(["trian", "data.csv"]).partition(" There are: ")[0]
    "no command 'trian', did you mean 'train'?"
    """
    command, *words = given
    if command.startswith("-"):
        return ""
    if command not in COMMANDS:
        return no_such("command", command, COMMANDS)
    options = [name for name, _ in COMMANDS[command].options if name.startswith("-")]
    files = [word for word in words if word.startswith("-") and Path(word).is_file()]
    if files:
        return f"a file whose name begins with - is written {typed(files[0])}"
    names = [word.partition("=")[0] for word in words if word.startswith("--")]
    wrong = [name for name in names if name not in (*options, "--", "--help")]
    return no_such("option", wrong[0], options) if wrong else ""


def _version() -> str:
    try:
        return version("brickgrad")
    except PackageNotFoundError:
        return "(not installed)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns 0, 2 for bad input, or 130 after Ctrl-C."""
    given = sys.argv[1:] if arguments is None else arguments
    known = parser()
    if given and (reason := mistyped(given)):
        known.error(reason)
    options = known.parse_args(given or ["--help"])
    try:
        with warnings.catch_warnings(), collector_put_off():  # no step leaves a cycle to collect
            warnings.simplefilter("ignore", TrainingInterrupted)  # the commands say so themselves
            warnings.showwarning = lambda message, *_: remark(str(message))
            run: Callable[[argparse.Namespace], int] = options.run
            code = run(options)
            if sys.stdout is not None:
                sys.stdout.flush()  # where a disk is full it fails here
            return code
    except KeyboardInterrupt as error:
        remark(": ".join(filter(None, ("stopped by Ctrl-C", str(error)))))
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except (ValueError, ArithmeticError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())
    remark(reason)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
