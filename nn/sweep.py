"""Trainings over seeds and settings, on any executor, with a table of results that can go on."""

import signal
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from itertools import product
from os import PathLike
from typing import Any

from engine.pictures.texts import many
from engine.replay.witness import outside
from nn.checks import size
from nn.history import INTERRUPTED, TrainingInterrupted
from nn.ledger import OWN, Cell, Key, Ledger, key_of
from nn.one_run import Outcome, plain
from nn.processes import line_of
from nn.progress import Report, reporting
from nn.spread import Spread, plot_sweep, spread
from nn.swept import check_train, identity_of, to_be_sent
from nn.workers import Maker, SweepError, Workers, given_or_made, outcomes

ALL_RUN = "all runs done"
Row = dict[str, Cell]
Settings = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, repr=False)
class Sweep:
    """What a sweep gave: `rows`, one for each run that is done, in the order of the settings.

    A row has the settings (their names are in `settings`), the results, `seconds` and `error`,
    which is "" where there was none; a result that a run did not give is None. `ended` says
    whether all runs are done, and `ran` how many this call did: the others were in its file.
    """

    settings: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    ended: str = ALL_RUN
    ran: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return (
            f"Sweep({many(len(self), 'run')} over {', '.join(self.settings)}{failed}; {self.ended})"
        )

    @property
    def failed(self) -> list[Row]:
        """The rows that have an error."""
        return [row for row in self.rows if row["error"]]

    def spread(self, y: str = "loss", over: str = "seed") -> list[Spread]:
        """The median of a result, and its range, over the seeds of each setting."""
        return spread(self.rows, self.settings, y, over)

    def plot(self, y: str = "loss", x: str | None = None, over: str = "seed") -> Any:
        """The same as a Chart: see `nn.plot_sweep`."""
        return plot_sweep(self, y, x, over)


def sweep(
    settings: Settings,
    train: Callable[..., Mapping[str, Any]],
    *,
    executor: Executor | Maker | None = None,
    workers: int | None = None,
    path: str | PathLike[str] | None = None,
    retries: int = 1,
    progress: bool | None = None,
) -> Sweep:
    """Calls `train(**setting)` for each setting, and gives a table of what came of it.

    `settings` are lists by name, `{"lr": [0.1, 0.01], "seed": range(5)}`, of which each is tried
    with each, or a list of dicts of the same names. Their values are numbers, texts, True, False or
    None; 1, 1.0 and the text "1" are one value. `train` gives numbers or texts by name, such as
    `{"loss": 0.1}`. A run that raises is a row with its error.

    Without `executor` and `workers` runs are done here, one after the other. `workers=4` does them
    in four processes. `executor` is any of `concurrent.futures`, which stays open, or what makes
    one, such as `partial(ProcessPoolExecutor, 4)`, which is closed at the end: also those of
    joblib, Dask (`client.get_executor()`) and mpi4py. What travels is the name of `train`, so that
    it has to be in a file that workers can import; a `partial` of it takes data along, best as
    flat lists. The rows are the same, but for their `seconds`, wherever they run.

    A run whose worker is lost (killed, out of memory) is tried again, `retries` times, alone; then
    it is a row with an error. Runs that were in flight beside it are tried again too: whose fault
    it was shows when they run alone, so there is such a try also with `retries=0`. This takes an
    executor that can be made anew: `workers`, or what makes one. Dask does it by itself.

    `path` is a CSV file to which each run is added as it ends. A run that has a line there, also
    one with an error, is not done again: the same call goes on where it was stopped, and with more
    values runs those. Take a line out to have it run anew. The file is refused where it is of other
    settings, another `train` or version, or where what `train` holds differs (the arguments of a
    partial, the attributes of an object, or its attribute `about`, a text); its code is not
    compared.

    `progress` shows a bar on stderr; None: where that is a terminal. Ctrl-C ends the sweep, with
    the rows so far, after a `TrainingInterrupted` warning; what was in flight is lost.

    Raises TypeError or ValueError before the first run for bad settings, a `train` that does not
    take them or cannot be sent, and a file that is damaged or of another sweep, which stays as it
    is; and SweepError, whose `sweep` has the rows so far, where an executor is closed or broken, or
    a worker has no brickgrad, or another version.

    >>> def train(lr, seed):
    ...     return {"loss": (lr - 0.25) ** 2 + seed / 8}
    >>> done = sweep({"lr": [0.5, 0.25], "seed": range(2)}, train)
    >>> done
    Sweep(4 runs over lr, seed; all runs done)
    >>> [row["loss"] for row in done.rows]
    [0.0625, 0.1875, 0.0, 0.125]
    """
    names, wanted = points(settings)
    check_train(train, wanted[0])
    workers = None if workers is None else min(size("workers", workers), len(wanted))
    given = given_or_made(executor, workers)
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ValueError(f"retries expected a whole number of at least 0, got {retries!r:.40}")
    sent = to_be_sent(train, is_here=executor is None and workers is None)
    ledger = nullcontext() if path is None else Ledger(path, names, identity_of(train, names))
    keys = [key_of(setting.values()) for setting in wanted]
    with ledger as book:
        done = {} if book is None else {key: book.done[key] for key in keys if key in book.done}
        there = len(done)
        todo = {key: s for key, s in zip(keys, wanted, strict=True) if key not in done}
        team = Workers(given, sent)
        ended = INTERRUPTED
        try:
            with _listening(team), reporting(progress, len(wanted), "run") as report:
                _run_all(team, todo, retries, done, book, report)
            ended = INTERRUPTED if team.is_stopped and len(done) < len(wanted) else ALL_RUN
        except KeyboardInterrupt:
            if not team.is_stopped:  # it was not ours to hear
                raise
        except (SweepError, OSError) as error:
            failed = error if isinstance(error, SweepError) else SweepError(line_of(error))
            failed.sweep = _table(names, keys, wanted, done, str(failed), there)
            failed.args = (f"{failed}. {_left(len(done), len(wanted), path)}",)
            raise failed from error.__cause__ if failed is error else error
    if ended == INTERRUPTED:
        words = f"sweep interrupted after {len(done)} of {many(len(wanted), 'run')}"
        warnings.warn(words, TrainingInterrupted, stacklevel=outside())
    return _table(names, keys, wanted, done, ended, there)


def _run_all(
    team: Workers,
    todo: Mapping[Key, Row],
    retries: int,
    done: dict[Key, Row],
    book: Ledger | None,
    report: Report,
) -> None:
    """Runs what is to do, and notes each as it ends."""
    failed = sum(bool(row["error"]) for row in done.values())
    if not todo:
        return
    keys = list(todo)
    runs = outcomes(team, list(todo.values()), retries)
    try:
        for k, outcome in runs:
            if book is not None:
                book.add([*todo[keys[k]].values()], outcome.results, outcome.seconds, outcome.error)
            done[keys[k]] = _row(outcome)
            failed += bool(outcome.error)
            report(len(done), f"{failed} failed")
    finally:
        runs.close()


def _row(outcome: Outcome) -> Row:
    return {**outcome.results, "seconds": outcome.seconds, "error": outcome.error}


def _table(
    names: tuple[str, ...],
    keys: Sequence[Key],
    wanted: Sequence[Row],
    done: Mapping[Key, Row],
    ended: str,
    there: int,
) -> Sweep:
    """Rows of the same columns, whatever came from where: `there` of them from a file."""
    pairs = [(s, done[key]) for key, s in zip(keys, wanted, strict=True) if key in done]
    found = dict.fromkeys(name for _, row in pairs for name, x in row.items() if x is not None)
    results = [name for name in found if name not in OWN]
    rows = [
        {**setting, **{name: row.get(name) for name in (*results, "seconds", "error")}}
        for setting, row in pairs
    ]
    return Sweep(names, rows, ended, len(rows) - there)


def _left(done: int, total: int, path: str | PathLike[str] | None) -> str:
    where = f"are in {path}: the same call goes on from there" if path else "are in error.sweep"
    return f"{done} of {many(total, 'run')} {where}"


@contextmanager
def _listening(team: Workers) -> Iterator[None]:
    """Ctrl-C inside stops the team, unless the program has a handler of its own."""
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not is_ours:
        yield
        return
    signal.signal(signal.SIGINT, team.stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# --- what is asked --------------------------------------------------------------------------------


def points(settings: Settings) -> tuple[tuple[str, ...], list[Row]]:
    """The names of settings, and each combination of their values; the last name runs fastest.

    >>> points({"lr": [0.1], "seed": range(2)})
    (('lr', 'seed'), [{'lr': 0.1, 'seed': 0}, {'lr': 0.1, 'seed': 1}])
    """
    if isinstance(settings, Mapping):
        lists = {name: _values(name, values) for name, values in settings.items()}
        given = [dict(zip(lists, each, strict=True)) for each in product(*lists.values())]
    elif isinstance(settings, Sequence) and all(isinstance(each, Mapping) for each in settings):
        given = [dict(each) for each in settings]
    else:
        raise TypeError(
            "settings expected lists by name, {'lr': [0.1, 0.01], 'seed': range(5)}, or a list of "
            f"dicts, got {settings!r:.60}"
        )
    if not given or not given[0]:
        raise ValueError("settings expected at least one value of one setting, got none")
    names = tuple(given[0])
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or name in OWN:
            raise ValueError(f"a setting cannot be called {name!r:.40}: it is an argument of train")
    if other := next((each for each in given if each.keys() != given[0].keys()), None):
        words = f"{', '.join(names)} and {', '.join(map(str, other))}"
        raise ValueError(f"settings expected the same names in each dict, got {words}")
    rows = [{name: _value(name, each[name]) for name in names} for each in given]
    keys = [key_of(row.values()) for row in rows]
    if len(set(keys)) < len(keys):
        [(twice, _)] = Counter(keys).most_common(1)
        same = ", ".join(
            f"{name} {'nothing' if x == '' else x}" for name, x in zip(names, twice, strict=True)
        )
        raise ValueError(f"settings expected each combination once, got {same} twice")
    return names, rows


def _values(name: str, values: Any) -> list[Any]:
    if not isinstance(values, str | bytes | Mapping):
        with suppress(TypeError):
            return list(values)
    raise TypeError(f"settings: {name} expected a list of values, got {values!r:.40}")


def _value(name: str, x: Any) -> Cell:
    if isinstance(x, str) and not x.isprintable():
        raise ValueError(f"settings: {name} expected a text in one line, got {x!r:.40}")
    try:
        return plain(name, x)
    except TypeError as error:
        raise TypeError(f"settings: {error}; write it as a text that train reads") from None
