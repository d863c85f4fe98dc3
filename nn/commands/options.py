"""The options that commands share, as data: what each takes, and what it says of a file."""

import argparse
import math
from collections.abc import Callable
from typing import Any

from engine.replay import backends
from nn.columns import POLICIES
from nn.found import Wishes
from nn.numerals import SEPARATORS
from nn.recipe import RECIPES, RIVALS, USUAL
from nn.sheet import Format

Option = tuple[str, dict[str, Any]]


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


def option(
    name: str, metavar: str, help: str, default: str | None = None, **settings: Any
) -> Option:
    """One argument of a command, as argparse takes it; a default is parsed as if it was typed."""
    shown = f"{help} (default {default})" if default else help
    return name, {"metavar": metavar, "help": shown, "default": default, **settings}


# fmt: off
def usual(of: str) -> str:
    """What the recipes say unless an option does: for few rows, for many, for sgd."""
    few, many, sgd = (RECIPES[key] for key in ((USUAL, False), (USUAL, True), ("sgd", False)))
    of_few, of_many, of_sgd = (str(getattr(recipe, of)) for recipe in (few, many, sgd))
    if of in RIVALS[USUAL, True]:
        of_many = f"the better of {of_many} and {RIVALS[USUAL, True][of]}"
    usually = of_few if of_few == of_many else f"{of_few}; with rows held out {of_many}"
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

# fmt: on


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
