"""The command `brickgrad`: a demo, and the same for a CSV file of your own."""

import argparse
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

from engine.names import no_such
from engine.pictures.texts import visible
from nn.commands.ask import STEEPEST, check, draw_row, predict, watch_row
from nn.commands.course import PAGES, course, write_page, write_worksheet
from nn.commands.learn import demo, look_at_file, train
from nn.commands.options import (
    BACKENDS,
    DATA,
    FORMAT,
    MODEL,
    READING,
    ROW,
    SEED,
    Option,
    batch,
    count,
    layers,
    option,
    positive,
    share,
    usual,
)
from nn.commands.said import BAD_INPUT, INTERRUPTED, remark
from nn.commands.sweep import list_of, one_of, points_or_all, seeds, sizes, sweep_file
from nn.history import LossExploded, TrainingInterrupted
from nn.output import show_as_codes
from nn.progress import collector_put_off
from nn.recipe import OPTIMIZERS, SCHEDULES, USUAL
from nn.watch import MISTAKES
from nn.wording import typed


@dataclass(frozen=True)
class Command:
    """One command: what it does, an example to paste, what it takes."""

    run: Callable[[argparse.Namespace], int]
    help: str
    example: str
    options: Sequence[Option]


# fmt: off
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
        option("--every", "N", "steps between two writings of it (default 100)", type=count),
        option("--resume", "FILE", "go on from a checkpoint, with the other options as they were; "
               "writes there again"),
        SEED,
        *READING,
    )),
    "sweep": Command(
        sweep_file, "train on a CSV file by each of some settings and seeds: a table, and a chart",
        "brickgrad sweep data.csv --target price --lr 0.03,0.01,0.003 --seed 0:10 --workers 4", (
        DATA,
        option("--target", "COLUMN", "what to learn: texts are classes, numbers amounts",
               required=True),
        option("--lr", "RATE,RATE", f"learning rates ({usual('lr')})", type=list_of(positive)),
        option("--schedule", "NAME,NAME", f"how the rate falls: {', '.join(SCHEDULES)} "
               f"({usual('schedule')})", type=list_of(one_of("schedule", SCHEDULES))),
        option("--optimizer", "NAME,NAME", f"of {', '.join(OPTIMIZERS)} (default {USUAL})",
               type=list_of(one_of("optimizer", OPTIMIZERS))),
        option("--batch", "N,N", f'points in one step, or "all" ({usual("batch")})',
               type=list_of(points_or_all)),
        option("--steps", "N,N", f"steps to take at most ({usual('steps')})", type=list_of(count)),
        option("--layers", "N,N", "sizes of the hidden layers; again for others (default 16,16)",
               type=sizes, action="append"),
        option("--seed", "N,N", "starts of the random numbers; 0:10 are those from 0 to 9", "0",
               type=seeds),
        option("--hold-out", "SHARE", "share of the rows to learn from that says when to stop, as "
               "of train", type=share),
        option("--keep-aside", "SHARE", "share of the rows that validation_loss is of", "0.2",
               type=share),
        option("--backend", "NAME", f"what runs the steps: {', '.join(BACKENDS)}; auto is the "
               "fastest that is here, by name", "auto", type=str.lower, choices=BACKENDS),
        option("--workers", "N", "processes that train at the same time (default 1)", type=count),
        option("--dask", "ADDRESS", "of a scheduler of Dask, whose workers train, such as "
               "tcp://10.0.0.1:8786 (needs the extra dask)"),
        option("--out", "DIR", "folder for the results; what its runs.csv has is not run again",
               "brickgrad-sweep"),
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
        option("--lr", "RATE", f"learning rate of the step (default {STEEPEST:g}, or so much less "
               "that the loss falls)", type=positive),
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
    "course": Command(
        course, "copy the notebooks of the course to a folder, and open them in JupyterLab",
        "brickgrad course", (
        option("folder", "FOLDER", "where to; what you changed there stays as it is",
               "brickgrad-course", nargs="?"),
        ("--no-open", {"action": "store_true", "help": "copy them, and open nothing"}),
        ("--progress", {"action": "store_true", "help": "say which exercises are done there"}),
    )),
    "page": Command(
        write_page, "write a page with sliders for a class: the walk in fog, or the race",
        "brickgrad page race", (
        option("name", "NAME", f"which one: {', '.join(PAGES)}", choices=PAGES),
        option("--out", "FILE", "name ending in .html (default: NAME.html)"),
    )),
    "worksheet": Command(
        write_worksheet, "write a worksheet of a step to print, and its answers",
        "brickgrad worksheet step.html", (
        option("page", "step.html", "a page of `watch` or `demo`, or one that `save` wrote"),
    )),
}

# fmt: on


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with exit code 2."""
        if message.endswith("expected one argument"):
            option = message.split()[1].strip(":")
            message += f"; what begins with - is written {option}=-x"
        self.exit(BAD_INPUT, f"brickgrad: {visible(message)} (see {self.prog} --help)\n")


@cache
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


@contextmanager
def ending_in_order() -> Iterator[None]:
    """SIGTERM inside ends the program by an exit, which leaves no half-written file behind."""
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns 0, 1 for a bad result, 2 for bad input, or 130 after Ctrl-C."""
    given = sys.argv[1:] if arguments is None else arguments
    known = parser()
    if given and (reason := mistyped(given)):
        known.error(reason)
    show_as_codes(sys.stdout)
    options = known.parse_args(given or ["--help"])
    try:
        with (
            ending_in_order(),
            warnings.catch_warnings(),
            collector_put_off(),
        ):  # no step leaves a cycle to collect
            for kind in (TrainingInterrupted, LossExploded):  # the commands say so themselves
                warnings.simplefilter("ignore", kind)
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
