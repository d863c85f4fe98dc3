"""The command `sweep`: trainings on a file over seeds and settings, with a table that goes on."""

import argparse
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from engine.files import check_replaceable
from engine.names import no_such
from engine.pictures.texts import many, visible
from engine.replay import backends
from nn.by_setting import SETTINGS, by_table
from nn.commands.learn import writable
from nn.commands.options import count, format_of, layers, whole_number, wishes_of
from nn.commands.said import INTERRUPTED, WRONG, remark, steadily
from nn.history import INTERRUPTED as STOPPED
from nn.progress import stages
from nn.reading import read_rows
from nn.spread import Spread
from nn.suspicion import giveaways
from nn.sweep import Sweep, sweep
from nn.workers import SweepError

RUNS, PLOT = "runs.csv", "sweep.svg"
MOST_RUNS = 100_000


def list_of(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """A reader of values of one kind, parted by commas, each once.

    >>> list_of(float)("0.3,0.1")
    [0.3, 0.1]
    """

    def read(text: str) -> list[Any]:
        return list(dict.fromkeys(map(kind, text.split(","))))

    return read


def seeds(text: str) -> list[int]:
    """Whole numbers parted by commas; "0:10" are those from 0 to 9.

    >>> seeds("0:3,7")
    [0, 1, 2, 7]
    """
    return list(dict.fromkeys(chain.from_iterable(map(_seeds, text.split(",")))))


def _seeds(text: str) -> Sequence[int]:
    first, colon, end = text.partition(":")
    if not colon:
        return [int(whole_number(text))]
    found = range(int(whole_number(first)), int(whole_number(end)))
    if not 0 < found.stop - found.start <= MOST_RUNS:
        raise argparse.ArgumentTypeError(
            f"expected seeds from a number to a larger one such as 0:10, got {text!r}"
        )
    return found


def one_of(what: str, names: Collection[str]) -> Callable[[str], str]:
    """A reader of one of some names, in any case."""

    def read(text: str) -> str:
        if text.lower() not in names:
            raise argparse.ArgumentTypeError(no_such(what, text, names))
        return text.lower()

    return read


def sizes(text: str) -> str:
    """The sizes of hidden layers as a text, such as "16,16"."""
    return ",".join(map(str, layers(text)))


def points_or_all(text: str) -> int | str:
    """A number of points, or "all"."""
    return "all" if text.lower() == "all" else int(count(text))


@steadily
def sweep_file(options: argparse.Namespace) -> int:
    """Trains on a file by each setting and seed: a table of all runs, their medians, a chart."""
    if options.workers is not None and options.dask is not None:
        raise ValueError("--workers is for this machine, --dask for others: give one of them")
    if options.dask == "":
        raise ValueError("--dask expected the address of a scheduler, got nothing")
    given = {name: getattr(options, name) for name in SETTINGS if getattr(options, name)}
    out = Path(options.out)
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out expected a folder, got the file {options.out}")
    path, picture = out / RUNS, out / PLOT
    for name in (path, picture):
        check_replaceable(name)
        if name.resolve() == Path(options.data).resolve():
            raise ValueError(f"{options.data} would be overwritten: give another --out")
    print(f"Reading {visible(options.data)}.", flush=True)
    rows, assumed = read_rows(
        options.data, options.target, wishes_of(options), format_of(options), stages()
    )
    for line in [*assumed, *giveaways(rows)]:
        remark(line)
    fixed = {
        "layers": "16,16",
        "keep_aside": options.keep_aside,
        "hold_out": options.hold_out,
        "backend": backend(options.backend),
    }
    train = by_table(rows, fixed)
    writable(options.out)
    with executor_of(options) as where:
        done = swept(given, train, path, where)
    return report(done, picture, path, options)


def backend(name: str) -> str:
    """The backend by name: for "auto" the fastest that is here, so that all runs have the same."""
    if name != "auto":
        return name
    return next(each for each in reversed(backends.NAMES) if backends._runs(each))


@contextmanager
def executor_of(options: argparse.Namespace) -> Iterator[Mapping[str, Any]]:
    """Where the runs go, as `sweep` takes it."""
    if not options.dask:
        is_here = options.workers in (None, 1)
        yield {} if is_here else {"workers": options.workers}
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError('--dask needs Dask: pip install "brickgrad[dask]"') from error
    try:
        client = Client(options.dask, timeout=10)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"--dask expected the address of a scheduler such as tcp://10.0.0.1:8786, and found "
            f"none at {options.dask!r}: {error or type(error).__name__}"
        ) from error
    with client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise ValueError(
                f"the scheduler at {options.dask} has no workers: start one with dask worker "
                f"{options.dask}"
            )
        yield {"executor": client.get_executor()}


def swept(
    given: Mapping[str, Any], train: Callable[..., Any], path: Path, where: Mapping[str, Any]
) -> Sweep:
    """All runs; an error in words of the command."""
    try:
        return sweep(given, train, path=path, progress=True, **where)
    except SweepError as error:
        raise ValueError(str(error)) from error
    except ValueError as error:
        words = str(error).replace("Give another path, or move the file", "Give another --out")
        raise ValueError(words) from error


def report(done: Sweep, picture: Path, path: Path, options: argparse.Namespace) -> int:
    """Prints the medians, draws them, and says what to open next."""
    measure = next(
        (y for y in ("validation_loss", "loss") if any(y in row for row in done.rows)), ""
    )
    if measure:
        spreads = done.spread(measure)
        print(*lines_of(spreads, measure), sep="\n")
        draw(done, measure, picture)
    if not done.ran:
        print(f"All {many(len(done), 'run')} were in {path}: nothing was run.")
    print("Open next:")
    if measure and picture.exists():
        print(f"  {picture}   {measure} over the settings: median, and range over seeds")
    print(f"  {path}   all runs, a line each")
    for row in done.failed[:1]:
        remark(f"{many(len(done.failed), 'run')} failed, the first one by {row['error']}")
    if done.ended == STOPPED:
        print(f"Stopped by Ctrl-C after {many(len(done), 'run')}. To go on: the same command.")
        return INTERRUPTED
    return WRONG if len(done.failed) == len(done) else 0


def draw(done: Sweep, measure: str, picture: Path) -> None:
    """Writes the chart, where there is something to compare."""
    try:
        done.plot(measure).save(picture)
    except ValueError as error:
        picture.unlink(missing_ok=True)  # one of an earlier sweep
        print(f"No {picture.name}: {error}.")


def lines_of(spreads: Sequence[Spread], measure: str) -> list[str]:
    """A table of the spreads, the lowest median first."""
    names = list(spreads[0].setting)
    head = [*names, measure, "least", "most", "runs", "failed"]
    ordered = sorted(spreads, key=lambda one: (one.median != one.median, one.median))
    table = [head, *map(_cells, ordered)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "",
        *("  " + "   ".join(map(str.rjust, line, widths)) for line in table),
        "",
        f"{measure} is the median over seeds; {head[len(names) + 1]} and most are its range.",
    ]


def _cells(one: Spread) -> list[str]:
    numbers = [f"{x:.4g}" if x == x else "-" for x in (one.median, one.low, one.high)]
    return [*map(str, one.setting.values()), *numbers, f"{one.runs:,}", f"{one.failed:,}"]
