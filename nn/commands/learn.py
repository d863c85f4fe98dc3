"""The commands on a file to learn from: `look` at it, `train` a net by it; and the `demo`."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from engine.files import check_replaceable, check_writable
from engine.ieee import fsum
from engine.pictures.texts import visible
from nn import data
from nn.by_recipe import backend_for, train_by
from nn.choosing import TrialInterrupted, chosen, has_trial
from nn.commands.options import FLAGS, LISTS, TOLD, format_of, wishes_of
from nn.commands.said import INTERRUPTED, WRONG, program, remark, shortest, steadily
from nn.data import iris
from nn.history import INTERRUPTED as STOPPED
from nn.history import DivergedError, History
from nn.look import line_to_type, look
from nn.module import MLP
from nn.plan import Plan, plan_for
from nn.progress import stages
from nn.reading import read_rows
from nn.recipe import Recipe, recipe_for
from nn.results import FILES, write_net, write_results
from nn.rows import EachRow
from nn.starting import grounds_of
from nn.suspicion import giveaways
from nn.train import gradient_descent, stochastic_gradient_descent
from nn.trial import (
    SAMPLE,
    Look,
    Trial,
    goal,
    interrupted,
    judging_net,
    look_at,
    print_plan,
    print_table,
    print_verdict,
    trial,
)
from nn.wording import option as option_of
from nn.wording import typed

NO_STEP = "no step was done yet, and nothing was saved"
ANOTHER_START = (
    "Give the options it began with (--steps too, unless --schedule is constant); one that began "
    "with other defaults, before Adam was the usual, starts anew without --resume"
)
FAILED = 2.0  # times the loss before training: one that ends higher did not just find nothing
DEMO_LAYERS = (8,)
DEMO_LOSS = 0.1  # the demo counts the points looked at until the loss is below this
DEMO: dict[str, tuple[Callable[..., History], float, int]] = {  # with learning rate and steps
    "gradient descent": (gradient_descent, 0.5, 200),
    "stochastic": (stochastic_gradient_descent, 0.05, 6000),
}


@steadily
def demo(options: argparse.Namespace) -> int:
    """Trains twice on iris: by gradient descent and by stochastic gradient descent."""
    check_files(options.out)
    out = writable(options.out)
    with saying(NO_STEP):
        plan = plan_for(iris(), DEMO_LAYERS, 0.2, options.seed)
        net = plan.net()
        print_plan(plan, net, look_at(plan.task, judging_net(plan.task, net), plan.training))
    trials: dict[str, Trial] = {}
    for name, (method, lr, steps) in DEMO.items():
        print(f"{name}: {steps:,} steps", flush=True)
        model, reached = plan.net(), dict[str, int]()
        with saying(kept_in(out) if trials else NO_STEP):
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
        write_net(out, plan, model, {**earlier, name: history})
        with saying(kept_in(out)):
            looked_at = f"{reached['points']:,}" if reached else "not reached"
            more = {f"points looked at until loss {DEMO_LOSS}": looked_at}
            trials[name] = trial(plan, model, judging_net(plan.task, model), history, more)
        if interrupted(trials):
            break
    with saying(kept_in(out)):
        print_table({name: trial.figures for name, trial in trials.items()})
        write_results(out, plan, trials)
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
    if options.every and not (options.checkpoint or options.resume):
        raise ValueError("--every says how often a checkpoint is written: give --checkpoint too")
    check_files(options.out, options.checkpoint, options.resume, options.data)
    with saying(NO_STEP):
        print(f"Reading {visible(options.data)}.", flush=True)
        rows, assumed = read_rows(
            options.data, options.target, wishes_of(options), format_of(options), stages()
        )
        for line in assumed:
            remark(line)
        out = writable(options.out)
        wishes = ("lr", "schedule", "batch", "steps", "hold_out")
        given = {name: getattr(options, name) for name in wishes}
        recipe_of: Callable[[int], Recipe] = partial(
            recipe_for, optimizer=options.optimizer, **given
        )
        plan = plan_for(rows, options.layers, options.keep_aside, options.seed, recipe_of)
        for line in giveaways(plan.rows):
            remark(line)
        model = plan.net()
        judge = judging_net(plan.task, model)
        every = max(1, len(plan.training.xs) // SAMPLE)  # of many rows some tell how it starts
        sample = plan.training.pick(range(0, len(plan.training.xs), every))
        start = look_at(plan.task, judge, sample)
        print_plan(plan, model, start)
        history, recipe = learned(options, recipe_of(len(plan.training.xs)), plan, model, judge)
    write_net(out, plan, model, {options.optimizer: history})
    with saying(kept_in(out)):
        done, before, after = judged(options, plan, model, judge, history, start, every)
        print("Drawing the pictures.", flush=True)
        write_results(out, plan, {options.optimizer: done})
    kept = None if recipe.rival else options.checkpoint or options.resume  # no start was chosen yet
    if kept and history.ended == STOPPED:
        print(f"To go on: the same command with --resume {typed(kept)}")
    if after > before:
        remark(
            f"the loss is larger than before training ({before:.4g} -> {after:.4g}): "
            f"try a smaller --lr (now {recipe.lr:g}) or more --steps"
        )
    if history.ended == STOPPED:
        return INTERRUPTED
    return WRONG if after > FAILED * before else 0


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
        if has_trial(recipe, model, plan.training) and not options.resume:
            print("Trying two starts.", flush=True)
        grounds = grounds_of(recipe, *training, settings["backend"], judge, plan.table)
        recipe = chosen(recipe, *training, grounds=grounds, **settings)
        print(f"Training: {recipe}.", flush=True)
        history = train_by(recipe, *training, grounds=grounds, every=options.every, **settings)
    except TrialInterrupted as stopped:
        remark(str(stopped))
        return stopped.history, stopped.recipe
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
        raise KeyboardInterrupt


@contextmanager
def saying(words: str) -> Iterator[None]:
    """A Ctrl-C inside, where no training ends by it, says what there is already."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(words) from None


def kept_in(out: Path) -> str:
    """What a training has left when it is done, before its pictures."""
    kept = f"{typed(str(out / 'model.json'))} and {typed(str(out / 'history.csv'))}"
    return f"{kept} are written, the pictures may be missing"


def judged(
    options: argparse.Namespace,
    plan: Plan,
    model: MLP,
    judge: EachRow,
    history: History,
    start: Look,
    every: int,
) -> tuple[Trial, float, float]:
    """What a training reached, printed; its loss before, as `start` looked at it, and after.

    `start` was a look at each `every`-th row.
    """
    print("Judging the net.", flush=True)
    done = trial(plan, model, judge, history, {})
    print_table({options.optimizer: done.figures})
    before, after = start.loss, fsum(done.look.losses[::every]) / len(start.losses)
    untrained = [p.data for p in plan.net().parameters()]
    if warning := print_verdict(plan, done, untrained, after > FAILED * before):
        remark(warning)
    return done, before, after


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
