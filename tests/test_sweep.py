"""Sweeps: the same rows on every executor, whatever is killed, and errors that lose nothing."""

import csv
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import pytest
from executors import Deaf
from needs import processes, threads
from swept import (
    clashing,
    ends_at_0,
    failing,
    killed_always,
    killed_once,
    leaving,
    lines,
    noted,
    nothing,
    odd,
    reckoned,
    trained,
)

import nn
from benchmarks.sweep import main as figures
from engine.value import Value
from nn.history import INTERRUPTED, TrainingInterrupted
from nn.ledger import OWN, Ledger
from nn.one_run import run
from nn.optim import SGD
from nn.processes import awaited, ours
from nn.sweep import ALL_RUN, points, sweep
from nn.workers import SweepError

ROOT = Path(__file__).parents[1]
SPAWN = get_context("spawn")
SETTINGS = {"lr": [0.3, 0.1], "seed": range(4)}
ALL = [(lr, seed) for lr, seed in product(SETTINGS["lr"], SETTINGS["seed"])]


def bits(swept):
    """All but the seconds, in digits that tell -0.0 from 0.0 and nan from nothing."""
    return [{k: repr(x) for k, x in row.items() if k != "seconds"} for row in swept.rows]


@pytest.fixture(scope="module")
def serial():
    return sweep(SETTINGS, trained)


# --- in this process ------------------------------------------------------------------------------


def test_each_setting_is_tried_with_each_in_their_order(serial):
    assert [(row["lr"], row["seed"]) for row in serial.rows] == ALL
    assert serial.ended == ALL_RUN
    assert serial.settings == ("lr", "seed")
    for row in serial.rows:
        assert row["loss"] == trained(row["lr"], row["seed"])["loss"]
        assert row["error"] == ""
        assert row["seconds"] > 0


def test_settings_may_be_a_list_of_dicts():
    given = [{"lr": 0.1, "seed": 3}, {"lr": 0.3, "seed": 0}]
    done = sweep(given, reckoned)
    assert [(row["lr"], row["seed"]) for row in done.rows] == [(0.1, 3), (0.3, 0)]


def test_a_run_that_raises_is_a_row_with_its_error():
    done = sweep(SETTINGS, failing)
    assert len(done) == len(ALL)
    assert [row["seed"] for row in done.failed] == [1, 1]
    assert done.failed[0]["error"] == "ValueError: no luck with 1, and a comma"
    assert done.failed[0]["loss"] is None
    assert "8 runs over lr, seed, 2 failed" in repr(done)


def test_one_that_ends_the_program_is_a_row_too():
    assert {row["error"] for row in sweep(SETTINGS, leaving).rows} == {"SystemExit: gone"}


@pytest.mark.parametrize(
    ("train", "words"),
    [(nothing, "expected to give results by name"), (clashing, "cannot be called 'lr'")],
)
def test_results_that_no_table_can_hold_are_said_in_the_row(train, words):
    assert all(words in row["error"] for row in sweep(SETTINGS, train).rows)


def test_numbers_of_numpy_and_values_count_as_numbers():
    numpy = pytest.importorskip("numpy")
    [row] = sweep({"lr": [numpy.float64(0.5)]}, lambda lr: {"a": numpy.int64(3), "b": nn.mse}).rows
    assert "b expected a number or a text" in row["error"]
    [row] = sweep({"lr": numpy.array([0.5])}, lambda lr: {"a": numpy.int64(3)}).rows
    assert (type(row["lr"]), type(row["a"]), row["a"]) == (float, int, 3)


@pytest.mark.parametrize("of_file", [False, True])
def test_rows_are_the_same_from_a_file_as_from_a_run(of_file, tmp_path):
    path = tmp_path / "runs.csv" if of_file else None
    done = sweep(SETTINGS, odd, path=path)
    again = sweep(SETTINGS, odd, path=path)
    assert bits(again) == bits(done)
    row = done.rows[1]
    assert (row["loss"], row["tiny"], row["count"]) == (0.1 + 0.2, 5e-324, 10**20)
    assert (row["flag"], row["digits"]) == (True, "007")
    assert "none" not in row  # what no run gave is no column
    assert row["text"] == 'a, "b"\u240a'
    assert (repr(row["only"]), done.rows[0]["only"]) == ("-0.0", None)


def test_the_file_has_settings_then_results_in_columns(tmp_path):
    path = tmp_path / "runs.csv"
    done = sweep(SETTINGS, reckoned, path=path)
    with open(path, newline="", encoding="utf-8") as file:
        head, *table = csv.reader(file)
    assert head == ["lr", "seed", "loss", *OWN]
    assert [float(line[2]) for line in table] == [row["loss"] for row in done.rows]


# --- a file that goes on --------------------------------------------------------------------------


def test_a_row_that_is_there_is_not_run_again(tmp_path):
    train = partial(noted, str(tmp_path))
    first = sweep({"lr": [0.3], "seed": range(2)}, train, path=tmp_path / "runs.csv")
    more = sweep(SETTINGS, train, path=tmp_path / "runs.csv")
    assert sorted(lines(tmp_path, "begun")) == sorted(f"{lr} {seed}" for lr, seed in ALL)
    assert more.rows[:2] == first.rows  # their seconds too: they are those of the file
    assert bits(more) == bits(sweep(SETTINGS, reckoned))


def test_a_file_that_a_spreadsheet_wrote_anew_still_has_its_runs(tmp_path):
    train, path = partial(noted, str(tmp_path)), tmp_path / "runs.csv"
    settings = {"lr": [1e-05, 0.3], "seed": range(2)}
    first = sweep(settings, train, path=path)
    path.write_text(path.read_text().replace("1e-05", "0.00001").replace("0.3,", "0.30,"))
    again = sweep(settings, train, path=path)
    assert (first.ran, again.ran, again.rows) == (4, 0, first.rows)
    assert len(lines(tmp_path, "begun")) == 4


@pytest.mark.parametrize("values", [[1, 1.0], [1, "1"], [0.5, "5e-1"], [-0.0, 0]])
def test_a_number_is_one_setting_however_it_is_written(values):
    with pytest.raises(ValueError, match="each combination once, got lr"):
        points({"lr": values})


def test_texts_that_are_no_numbers_are_told_apart_by_their_letters():
    values = ["007", "7", "1_0", "10", " 5", "5", "nan", "inf", "True"]
    assert len(points({"code": values})[1]) == len(values)


def test_rows_of_other_values_stay_in_the_file(tmp_path):
    path = tmp_path / "runs.csv"
    sweep({"lr": [0.3, 0.5], "seed": [0]}, reckoned, path=path)
    done = sweep({"lr": [0.3], "seed": [0, 1]}, reckoned, path=path)
    assert len(done) == 2
    assert len(path.read_text().splitlines()) == 4


def test_a_row_with_an_error_is_run_again_when_its_line_is_taken_out(tmp_path):
    path = tmp_path / "runs.csv"
    sweep(SETTINGS, failing, path=path)
    before = path.read_text().splitlines()
    sweep(SETTINGS, failing, path=path)
    assert path.read_text().splitlines() == before
    path.write_text("\n".join(line for line in before if "no luck" not in line) + "\n")
    assert len(sweep(SETTINGS, failing, path=path).failed) == 2
    assert sorted(line.split(",")[:2] for line in path.read_text().splitlines()) == sorted(
        line.split(",")[:2] for line in before
    )


class Told:
    """A function that says what it is about."""

    def __init__(self, about, power=2):
        self.about, self.power = about, power

    def __call__(self, lr, seed):
        return {"loss": lr**self.power}


class Held:
    def __init__(self, power):
        self.power = power

    def __call__(self, lr, seed):
        return {"loss": lr**self.power}

    def method(self, lr, seed):
        return {"loss": lr**self.power}


class Child(Held):
    kind = 1


class Other(Held):
    kind = 2


P = [Value(0.5)]


def reckoned_with(optimizer, lr, seed):
    return {"loss": lr + seed}


@pytest.mark.parametrize(
    ("settings", "train", "words"),
    [
        ({"lr": [0.3], "seed": [0]}, failing, "is of another sweep: line 2 is of 'swept.noted"),
        ({"seed": [0], "lr": [0.3]}, partial(noted, "a"), "its columns are lr, seed"),
        ({"lr": [0.3], "seed": [0], "seconds_": [1]}, partial(noted, "a"), "of another sweep"),
        ({"lr": [0.3], "seed": [0]}, partial(noted, "elsewhere"), "is of another sweep: line 2"),
    ],
)
def test_a_file_of_another_sweep_is_refused_and_stays(settings, train, words, tmp_path):
    if "seconds_" in settings:
        settings, train = {"lr": [0.3], "seed": [0], "seconds": [1]}, None
    path = tmp_path / "runs.csv"
    sweep({"lr": [0.3], "seed": [0]}, partial(noted, str(tmp_path)), path=path)
    before = path.read_bytes()
    if train is None:
        with pytest.raises(ValueError, match="cannot be called 'seconds'"):
            sweep(settings, reckoned, path=path)
    else:
        with pytest.raises(ValueError, match=words):
            sweep(settings, train, path=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("train", "same", "other"),
    [
        (Told("a"), Told("a", power=3), Told("b")),
        (Held(2), Held(2), Held(3)),
        (Held(2).method, Held(2).method, Held(3).method),
        (Child(2).method, Child(2).method, Other(2).method),
        (partial(reckoned_with, SGD(P, lr=0.1)), None, partial(reckoned_with, SGD(P, lr=0.2))),
        (partial(noted, "/tmp/none", seconds=0.0), None, partial(noted, "/tmp/none", seconds=0.1)),
    ],
)
def test_what_a_function_holds_tells_sweeps_apart(train, same, other, tmp_path):
    path = tmp_path / "runs.csv"
    sweep(SETTINGS, train, path=path)
    assert len(sweep(SETTINGS, same or train, path=path)) == len(ALL)
    with pytest.raises(ValueError, match="of another sweep"):
        sweep(SETTINGS, other, path=path)


@pytest.mark.parametrize("text", ["name,age\nAnn,3\n", "not a table", "lr,seed\n0.3,1\n", "\x00"])
def test_a_file_that_is_no_sweeps_is_refused_and_stays(text, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"runs\.csv is (no file of a|of another) sweep"):
        sweep(SETTINGS, reckoned, path=path)
    assert path.read_text() == text


def test_a_file_that_cannot_be_written_is_said_before_the_first_run(tmp_path):
    train = partial(noted, str(tmp_path))
    for path in (tmp_path, tmp_path / "none" / "runs.csv"):
        with pytest.raises(OSError, match=path.name):
            sweep(SETTINGS, train, path=path)
    assert not lines(tmp_path, "begun")


def elsewhere(lr, seed):
    os.chdir("/")
    return {"loss": lr + seed}


def test_a_training_that_changes_the_folder_leaves_the_file_where_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep(SETTINGS, elsewhere, path="runs.csv")
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 1 + len(ALL)


@pytest.mark.parametrize("how", ["unlink", "replace"])
def test_a_file_that_is_taken_away_on_the_way_is_written_anew(how, tmp_path):
    path = tmp_path / "runs.csv"

    def train(lr, seed):
        if seed == 1 and how == "unlink":
            path.unlink()
        elif seed == 1:
            (tmp_path / "other").write_text("of an editor")
            (tmp_path / "other").replace(path)
        return {"loss": lr + seed}

    done = sweep({"lr": [0.1], "seed": range(4)}, train, path=path)
    assert bits(sweep({"lr": [0.1], "seed": range(4)}, train, path=path)) == bits(done)
    assert len(path.read_text().splitlines()) == 5


def test_a_file_is_one_sweeps_at_a_time_in_one_process(tmp_path):
    path = tmp_path / "runs.csv"

    def train(lr, seed):
        return {"loss": sweep(SETTINGS, reckoned, path=path).rows[0]["loss"]}

    done = sweep({"lr": [0.1], "seed": [0]}, train, path=path)
    assert "is being written by another sweep of this process" in done.rows[0]["error"]


class Slotted:
    """A function that holds a number in a slot."""

    __slots__ = ("times",)

    def __init__(self, times):
        self.times = times

    def __call__(self, lr, seed):
        return {"loss": self.times * lr}

    def run(self, lr, seed):
        """The same, as a method."""
        return self(lr, seed)


@pytest.mark.parametrize("of", [lambda train: train, lambda train: train.run])
def test_what_stands_in_slots_tells_sweeps_apart(of, tmp_path):
    path = tmp_path / "runs.csv"
    done = sweep(SETTINGS, of(Slotted(1)), path=path)
    assert bits(sweep(SETTINGS, of(Slotted(1)), path=path)) == bits(done)
    with pytest.raises(ValueError, match="is of the same function with other data or options"):
        sweep(SETTINGS, of(Slotted(7000)), path=path)


def around(width):
    def train(lr, seed):
        return {"loss": width * lr}

    return train


def with_default(width):
    def train(lr, seed, width=width):
        return {"loss": width * lr}

    return train


def drawn(rng, lr, seed):
    return {"loss": lr}


def of_numpy(seed):
    return partial(drawn, pytest.importorskip("numpy").random.default_rng(seed))


def of_pandas(x):
    return partial(drawn, pytest.importorskip("pandas").DataFrame({"x": [1.0, float(x)]}))


@pytest.mark.parametrize("make", [around, with_default, of_numpy, of_pandas])
def test_what_is_around_a_function_tells_sweeps_apart(make, tmp_path):
    path = tmp_path / "runs.csv"
    done = sweep(SETTINGS, make(8), path=path)
    assert bits(sweep(SETTINGS, make(8), path=path)) == bits(done)
    with pytest.raises(ValueError, match="is of the same function with other data or options"):
        sweep(SETTINGS, make(16), path=path)


class MuteError(Exception):
    """An error that has no words."""

    def __str__(self):
        raise RuntimeError("no words")


def talks(lr, seed):
    if lr == 0.3:
        raise MuteError if seed else ValueError("no " * 100_000)
    return {"loss": lr, "words": "x" * (200_000 if seed == 2 else 5_000)}


def test_words_without_end_and_none_leave_a_file_that_is_read(tmp_path):
    path = tmp_path / "runs.csv"
    done = sweep(SETTINGS, talks, path=path)
    errors = {(row["lr"], row["seed"]): row["error"] for row in done.rows}
    assert errors[0.3, 0].startswith("ValueError: no no")
    assert len(errors[0.3, 0]) < 11_000
    assert errors[0.3, 1] == "MuteError"
    assert errors[0.1, 2] == "ValueError: words expected at most 10,000 letters, got 200,000"
    assert errors[0.1, 1] == ""
    assert bits(sweep(SETTINGS, talks, path=path)) == bits(done)


class Rate(float):
    """A number with words of its own."""

    def __repr__(self):
        return "a rate"


def test_settings_that_are_numbers_of_another_kind():
    kinds = {"lr": [Rate(0.5), Rate(0.25)], "seed": [signal.SIGINT, True]}
    assert points(kinds)[1] == [
        {"lr": lr, "seed": seed} for lr in (0.5, 0.25) for seed in (int(signal.SIGINT), True)
    ]
    assert [type(x) for x in points(kinds)[1][0].values()] == [float, int]
    with pytest.raises(TypeError, match="lr expected a number of at most 10000 bits"):
        sweep({"lr": [10**5000], "seed": [0]}, trained)
    np = pytest.importorskip("numpy")
    with pytest.raises(TypeError, match=r"lr expected a list of values, got array\(3\.\)"):
        sweep({"lr": np.array(3.0)}, trained)


class Client:
    """As Dask's, which is no executor and cannot be called."""

    def get_executor(self):
        raise NotImplementedError


def test_what_makes_no_executor_is_said():
    with pytest.raises(TypeError, match=r"got .*Client.*: write client\.get_executor\(\)"):
        sweep(SETTINGS, trained, executor=Client())
    with pytest.raises(TypeError, match=r"to make an executor when it is called.* missing 1 req"):
        sweep(SETTINGS, trained, executor=lambda number: None)


class Odd(BaseException):
    """What no `except Exception` hears."""


def raises_odd(lr, seed):
    raise Odd("no luck")


def test_a_run_that_raises_anything_is_a_row():
    assert {row["error"] for row in sweep(SETTINGS, raises_odd).rows} == {"Odd: no luck"}


def test_a_disk_that_is_full_keeps_the_rows(tmp_path, monkeypatch):
    def full(self, raw):
        if len(self.lines) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return append(self, raw)

    append = Ledger._append
    monkeypatch.setattr(Ledger, "_append", full)
    with pytest.raises(SweepError, match="No space left on device") as said:
        sweep(SETTINGS, reckoned, path=tmp_path / "runs.csv")
    assert len(said.value.sweep) == 3
    monkeypatch.undo()
    assert len(sweep(SETTINGS, reckoned, path=tmp_path / "runs.csv")) == len(ALL)


def test_many_settings_are_looked_through_once():
    names, rows = points({"seed": range(100_000)})
    assert (names, len(rows)) == (("seed",), 100_000)


def test_a_spread_over_what_is_no_setting_is_said_and_huge_numbers_are_left_out():
    done = sweep({"lr": [1, 2], "seed": [0]}, huge)
    with pytest.raises(ValueError, match="no setting 'sed', did you mean 'seed'"):
        done.spread("loss", over="sed")
    assert [(one.runs, one.failed) for one in done.spread("loss")] == [(1, 0), (0, 1)]


def huge(lr, seed):
    return {"loss": 1.0 if lr == 1 else 10**400}


@pytest.mark.whole
@processes
def test_a_file_is_one_sweeps_at_a_time(tmp_path):
    pytest.importorskip("fcntl")
    path = tmp_path / "runs.csv"
    program = (
        f"from nn.ledger import Ledger; import sys\n"
        f"book = Ledger({str(path)!r}, ['lr', 'seed'], 'x'); print('open', flush=True)\n"
        "sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    with other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(ValueError, match="is being written by another process"):
            sweep(SETTINGS, reckoned, path=path)
    assert len(sweep(SETTINGS, reckoned, path=path)) == len(ALL)


# --- what is refused before anything runs ---------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({}, ValueError, "at least one value"),
        ({"lr": []}, ValueError, "at least one value"),
        ([], ValueError, "at least one value"),
        ({"lr": "0.1"}, TypeError, "lr expected a list of values"),
        ({"lr": 0.1}, TypeError, "lr expected a list of values"),
        ({"lr": [[1, 2]]}, TypeError, "write it as a text"),
        ({"lr": ["a\nb"]}, ValueError, "a text in one line"),
        ({"lr": [0.1, 0.1]}, ValueError, "each combination once, got lr 0.1 twice"),
        ({"two words": [1]}, ValueError, "cannot be called 'two words'"),
        ({"error": [1]}, ValueError, "cannot be called 'error'"),
        ([{"lr": 1}, {"seed": 1}], ValueError, "the same names in each dict, got lr and seed"),
        (3, TypeError, "expected lists by name"),
        ("lr", TypeError, "expected lists by name"),
        ({"lr": [0.1], "width": [3]}, TypeError, "train does not take lr, width"),
        ({"lr": [0.1]}, TypeError, "missing a required argument: 'seed'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, error, words):
    with pytest.raises(error, match=words):
        sweep(settings, reckoned)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"executor": 3}, TypeError, "executor expected one of concurrent.futures"),
        ({"executor": list}, TypeError, "expected to make an executor, got"),
        ({"workers": 0}, ValueError, "number of workers must be at least 1"),
        ({"workers": 2, "executor": list}, ValueError, "executor or workers, not both"),
        ({"retries": -1}, ValueError, "retries expected a whole number"),
        ({"retries": True}, ValueError, "retries expected a whole number"),
    ],
)
def test_wrong_settings_of_the_sweep_itself(given, error, words):
    with pytest.raises(error, match=words):
        sweep(SETTINGS, reckoned, **given)


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="expected a function of the settings, got 3"):
        sweep(SETTINGS, 3)


@pytest.mark.parametrize("where", [{"workers": 1}, {"executor": ThreadPoolExecutor}])
def test_what_cannot_be_pickled_is_refused_before_anything_runs(where):
    begun = []

    def train(lr, seed):
        begun.append(lr)
        return {}

    for each in (train, lambda lr, seed: {}, partial(reckoned, lock=threading.Lock())):
        with pytest.raises(TypeError, match=r"cannot be sent to workers.*|train does not take"):
            sweep(SETTINGS, each, **where)
    assert not begun


@pytest.mark.parametrize(
    "kind", [ThreadPoolExecutor, partial(ProcessPoolExecutor, mp_context=SPAWN)]
)
@threads
def test_an_executor_that_is_closed_is_said(kind, tmp_path):
    executor = kind(1)
    executor.shutdown()
    with pytest.raises(
        SweepError, match=r"the executor takes no run .* 0 of 8 runs are in"
    ) as said:
        sweep(SETTINGS, reckoned, executor=executor, path=tmp_path / "runs.csv")
    assert len(said.value.sweep) == 0


@threads
def test_an_executor_that_is_closed_on_the_way_loses_no_row(tmp_path):
    executor = ThreadPoolExecutor(1)

    def close(lr, seed):
        if seed == 2:
            executor.shutdown(wait=False, cancel_futures=True)
        return reckoned(lr, seed)

    sys.modules["swept"].close, close.__module__, close.__qualname__ = close, "swept", "close"
    with pytest.raises(SweepError) as said:
        sweep(SETTINGS, close, executor=executor, path=tmp_path / "runs.csv")
    there = len((tmp_path / "runs.csv").read_text().splitlines()) - 1
    assert len(said.value.sweep) == there >= 2
    assert f"{there} of 8 runs are in {tmp_path}" in str(said.value)
    assert len(sweep(SETTINGS, close, path=tmp_path / "runs.csv")) == len(ALL)


def test_a_worker_of_another_version_says_both():
    said = run("brickgrad 9.9 and Python 3.99", (os.getpid(), 0), reckoned, {"lr": 0.1, "seed": 0})
    assert "brickgrad 9.9 and Python 3.99" in said
    assert ours() in said
    assert "install the same in both" in said


def test_a_worker_that_does_not_find_the_function_says_so():
    said = run(ours(), (os.getpid(), 0), b"cnowhere\ntrain\n.", None)
    assert "cannot import the function to train with (ModuleNotFoundError" in said


# --- executors ------------------------------------------------------------------------------------


@threads
def test_an_executor_that_does_not_answer_is_said(monkeypatch):
    monkeypatch.setattr("nn.processes.PATIENCE", 0.05)
    with (
        Deaf(1) as executor,
        pytest.warns(RuntimeWarning, match=r"no worker has answered for") as said,
    ):
        assert len(sweep({"lr": [0.1], "seed": [0]}, reckoned, executor=executor)) == 1
    assert [warning.filename for warning in said] == [__file__]


class Breaks(ThreadPoolExecutor):
    """A pool that loses a worker while it is given its second task, as Python 3.11 does it: it
    refuses with an OSError, or it takes the task and forgets it."""

    _broken, _processes, given = False, {}, 0

    def __init__(self, forgets):
        super().__init__(1)
        self.forgets = forgets

    def submit(self, fn, /, *args, **kwargs):
        self.given += 1
        if self.given < 2:
            return super().submit(fn, *args, **kwargs)
        self._broken = "A child process terminated abruptly"
        if self.forgets:
            return Future()
        raise OSError("handle is closed")


@pytest.fixture
def listens_closely(monkeypatch):
    for name in ("processes", "workers"):
        monkeypatch.setattr(f"nn.{name}.LISTEN", 0.05)


@threads
@pytest.mark.usefixtures("listens_closely")
@pytest.mark.parametrize("forgets", [True, False])
def test_a_pool_that_breaks_while_it_is_given_a_run(forgets, serial):
    made = iter([Breaks(forgets), ThreadPoolExecutor(2)])
    done = sweep(SETTINGS, trained, executor=lambda: next(made))
    assert bits(done) == bits(serial)


@threads
@pytest.mark.usefixtures("listens_closely")
@pytest.mark.parametrize("forgets", [True, False])
def test_a_given_pool_that_breaks_while_it_is_given_a_run(forgets):
    with Breaks(forgets) as pool, pytest.raises(SweepError, match="lost a worker, and is broken"):
        sweep(SETTINGS, trained, executor=pool)


class Refuses(ThreadPoolExecutor):
    """Sound, but that it takes no second task; with an attribute that says nothing of a pool."""

    given = 0

    def _broken(self):
        raise NotImplementedError

    def submit(self, fn, /, *args, **kwargs):
        self.given += 1
        if self.given == 2:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().submit(fn, *args, **kwargs)


@threads
def test_what_an_executor_says_that_takes_no_run_is_told():
    with (
        Refuses(1) as executor,
        pytest.raises(SweepError, match=r"takes no run \(OSError: .* Too many open files\)"),
    ):
        sweep(SETTINGS, trained, executor=executor)


@threads
def test_a_time_out_of_a_task_is_no_wait():
    def late():
        raise TimeoutError("of the task")

    with ThreadPoolExecutor(1) as executor, pytest.raises(TimeoutError, match="of the task"):
        awaited(executor.submit(late))


@threads
def test_threads_give_the_same_bits(serial):
    with ThreadPoolExecutor(2) as executor:
        assert bits(sweep(SETTINGS, trained, executor=executor)) == bits(serial)
        assert executor.submit(abs, -1).result() == 1  # it stays open


@processes
@pytest.mark.whole
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_processes_give_the_same_bits(workers, serial, tmp_path):
    done = sweep(SETTINGS, trained, workers=workers, path=tmp_path / "runs.csv")
    assert bits(done) == bits(serial)


@processes
@pytest.mark.whole
def test_a_pool_of_ones_own_gives_the_same_bits(serial):
    with ProcessPoolExecutor(2, SPAWN) as executor:
        assert bits(sweep(SETTINGS, trained, executor=executor)) == bits(serial)


@processes
@pytest.mark.whole
def test_joblibs_loky_gives_the_same_bits(serial):
    loky = pytest.importorskip("joblib.externals.loky")
    done = sweep(SETTINGS, trained, executor=partial(loky.get_reusable_executor, 2))
    assert bits(done) == bits(serial)


# --- what is killed -------------------------------------------------------------------------------


MAKERS = [{"workers": 2}, {"executor": partial(ProcessPoolExecutor, 2, SPAWN)}]


@processes
@pytest.mark.whole
@pytest.mark.parametrize("where", MAKERS)
def test_a_worker_that_is_killed_costs_its_run_a_retry(where, tmp_path):
    train = partial(killed_once, str(tmp_path))
    done = sweep(SETTINGS, train, path=tmp_path / "runs.csv", **where)
    assert bits(done) == bits(sweep(SETTINGS, reckoned))
    assert len(lines(tmp_path, "killed")) == 1


@processes
@pytest.mark.whole
def test_a_worker_of_loky_that_is_killed_costs_its_run_a_retry(tmp_path):
    loky = pytest.importorskip("joblib.externals.loky")
    train = partial(killed_once, str(tmp_path))
    done = sweep(SETTINGS, train, executor=partial(loky.get_reusable_executor, 2))
    assert bits(done) == bits(sweep(SETTINGS, reckoned))


@processes
@pytest.mark.whole
def test_a_run_that_kills_its_worker_each_time_is_a_row_with_an_error(tmp_path):
    done = sweep(SETTINGS, partial(killed_always, str(tmp_path)), workers=2)
    assert [(row["lr"], row["seed"]) for row in done.failed] == [(0.3, 1), (0.1, 1)]
    assert {row["error"] for row in done.failed} == {"its worker was lost 2 times"}
    assert len(lines(tmp_path, "killed")) == 4
    good = [row for row in bits(sweep(SETTINGS, reckoned)) if row["seed"] != "1"]
    assert [row for row in bits(done) if row["error"] == "''"] == good


@processes
@pytest.mark.whole
def test_without_retries_only_the_run_that_kills_its_worker_has_failed():
    done = sweep({"lr": [0.1], "seed": range(4)}, ends_at_0, workers=2, retries=0)
    assert [bool(row["error"]) for row in done.rows] == [True, False, False, False]


@processes
@pytest.mark.whole
def test_a_pool_that_was_given_and_broke_keeps_what_is_done(tmp_path):
    train, path = partial(killed_once, str(tmp_path)), tmp_path / "runs.csv"
    with ProcessPoolExecutor(1, SPAWN) as executor:
        with pytest.raises(SweepError, match=r"is broken for good .*call again with another"):
            sweep(SETTINGS, train, executor=executor, path=path)
        assert len(path.read_text().splitlines()) == 2  # the header, and the run before
        with pytest.raises(SweepError, match="the workers ended before"):
            sweep(SETTINGS, train, executor=executor, path=path)
    assert bits(sweep(SETTINGS, train, path=path)) == bits(sweep(SETTINGS, reckoned))
    assert len(lines(tmp_path, "ended")) == len(ALL)


KILLED = """
import sys
from functools import partial
from swept import noted
from nn.sweep import sweep
if __name__ == "__main__":
    folder, workers = sys.argv[1:]
    where = {"workers": int(workers)} if workers != "0" else {}
    sweep({"lr": [0.3, 0.1], "seed": range(4)}, partial(noted, folder, seconds=0.3),
          path=folder + "/runs.csv", **where)
"""


def begun(tmp_path, workers):
    """A sweep in a process of its own, of which some runs are done."""
    (tmp_path / "killed.py").write_text(KILLED)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")])
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "killed.py"), str(tmp_path), str(workers)],
        env={**os.environ, "PYTHONPATH": paths},
        stderr=subprocess.PIPE,
    )
    path = tmp_path / "runs.csv"
    until(lambda: path.exists() and path.read_bytes().count(b"\n") >= 3)
    return process, path


def until(happened, seconds=60):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


@processes
@pytest.mark.whole
@pytest.mark.parametrize("workers", [0, 2])
def test_a_sweep_that_is_killed_goes_on_with_nothing_lost(workers, tmp_path):
    process, path = begun(tmp_path, workers)
    with process:
        process.kill()
    there = [line.split(",")[:2] for line in path.read_text().splitlines()[1:]]
    done = sweep(SETTINGS, partial(noted, str(tmp_path), seconds=0.3), path=path)
    assert bits(done) == bits(sweep(SETTINGS, reckoned))
    counts = lines(tmp_path, "ended")
    assert all(counts.count(" ".join(key)) == 1 for key in there)  # what was there ran once
    table = [line.split(",")[:2] for line in path.read_text().splitlines()[1:]]
    assert sorted(table) == sorted([repr(lr), repr(seed)] for lr, seed in ALL)
    assert table[: len(there)] == there


@processes
@pytest.mark.whole
def test_workers_end_with_a_sweep_that_is_killed(tmp_path):
    if not Path("/proc/self/environ").exists():
        pytest.skip("needs /proc")
    process, _ = begun(tmp_path, 2)
    with process:
        family = children(process.pid)
        assert family
        process.kill()
    until(lambda: not any(map(runs, family)))


def children(pid):
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@processes
@pytest.mark.whole
@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_keeps_what_is_done(workers, tmp_path):
    process, path = begun(tmp_path, workers)
    with process:
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
        assert process.wait(60) == 0  # the program goes on after the sweep
    assert "TrainingInterrupted: sweep interrupted after" in said
    assert "Traceback" not in said
    there = len(path.read_text().splitlines()) - 1
    assert 2 <= there < len(ALL)
    assert len(sweep(SETTINGS, partial(noted, str(tmp_path), seconds=0.3), path=path)) == len(ALL)
    assert len(lines(tmp_path, "ended")) == len(ALL)


def interrupting(lr, seed):
    if (lr, seed) == (0.1, 1):
        signal.raise_signal(signal.SIGINT)
    return trained(lr, seed)


def test_ctrl_c_in_a_training_here_leaves_no_half_trained_row(tmp_path):
    with pytest.warns(TrainingInterrupted, match="interrupted after 5 of 8 runs"):
        done = sweep(SETTINGS, interrupting, path=tmp_path / "runs.csv")
    assert done.ended == INTERRUPTED
    assert len(done) == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


UNGUARDED = """
from swept import reckoned
from nn.sweep import sweep
sweep({"lr": [0.3], "seed": range(4)}, reckoned, workers=2)
"""


@processes
@pytest.mark.whole
def test_a_script_without_the_line_that_processes_need_is_told_of_it(tmp_path):
    (tmp_path / "script.py").write_text(UNGUARDED)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")])
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 1
    assert "needs the line if __name__ == '__main__'" in done.stderr.splitlines()[-1]


@pytest.mark.whole
@processes
def test_a_function_of_the_prompt_is_refused():
    program = (
        "from nn.sweep import sweep\ndef train(lr): return {}\n"
        "try: sweep({'lr': [1.0]}, train, workers=1)\nexcept TypeError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "train was written in a notebook or at the prompt" in done.stdout


@processes
@pytest.mark.whole
def test_the_figures_of_a_sweep_are_printed_and_compared(capsys):
    assert figures(["--runs", "4", "--only", "serial", "--only", "2 processes"]) == 0
    said = capsys.readouterr().out
    assert said.count("4, equal") == 2
    assert "DIFFER" not in said


def test_true_is_another_setting_than_1():
    done = sweep({"bn": [1, True, 10**400], "seed": range(2)}, by_kind)
    found = [(one.setting["bn"], one.median, one.runs) for one in done.spread("loss")]
    assert repr(found) == repr([(1, 0.5, 2), (True, 1.5, 2), (10**400, 0.5, 2)])
    assert "3 points" in repr(done.plot("loss", x="bn"))


def by_kind(bn, seed):
    return {"loss": float((bn is True) + seed)}
