"""What all commands share: exit codes, lines beside the results, what to type here."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from engine.pictures.texts import visible
from nn.output import steady_output

WRONG = 1
BAD_INPUT = 2
INTERRUPTED = 130  # what shells report for Ctrl-C


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


def tell(text: str) -> None:
    """One line beside the results, where there is a place for it."""
    if sys.stderr is not None:
        print(text, file=sys.stderr)


def remark(text: str) -> None:
    """One line on stderr, whatever a file made part of it."""
    tell(f"brickgrad: {visible(text)}")


def to_open(out: Path) -> str:
    """Which file is to be looked at next, and whether it takes the place of a former one."""
    return f"Open next: {out}{', in place of a former one' * out.exists()}"


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
