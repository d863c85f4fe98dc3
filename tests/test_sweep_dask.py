"""Sweeps on Dask: a real scheduler, and workers in processes of their own, over TCP."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from needs import processes
from swept import killed_once, lines, noted, reckoned, trained
from test_sweep import SETTINGS, bits

from nn.processes import ours
from nn.sweep import sweep
from nn.workers import SweepError

pytestmark = [
    pytest.mark.whole,
    processes,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Dask's own
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
ROOT = Path(__file__).parents[1]
HERE = [str(ROOT), str(ROOT / "tests" / "helpers"), str(ROOT / "tests")]


@contextmanager
def program(module, *arguments, paths=HERE, folder=None):
    """A part of Dask in a process of its own, with these folders to import from."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def worker(address, name, *more, **settings):
    return program(
        "dask_worker", address, "--name", name, "--nthreads", "1", "--no-dashboard",
        "--host", "127.0.0.1", "--death-timeout", "60", *more, **settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    pytest.importorskip("distributed")
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    told = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file)
    with program("dask_scheduler", *told, folder=file.parent):
        end = time.monotonic() + 100
        while not (file.exists() and file.read_text().endswith("}")):
            assert time.monotonic() < end
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"]


@pytest.fixture(scope="module")
def cluster(scheduler, tmp_path_factory):
    """A client of a scheduler that has two workers, which nannies bring back."""
    from distributed import Client

    folder = tmp_path_factory.mktemp("workers")
    with (
        worker(scheduler, "one", folder=folder),
        worker(scheduler, "two", folder=folder),
        Client(scheduler) as client,
    ):
        client.wait_for_workers(2, timeout=100)
        yield client


def test_the_same_bits(cluster, tmp_path):
    executor = cluster.get_executor()
    done = sweep(SETTINGS, trained, executor=executor, path=tmp_path / "runs.csv")
    assert bits(done) == bits(sweep(SETTINGS, trained))
    assert executor.submit(abs, -1).result() == 1  # it stays open


def test_an_executor_that_is_closed_is_said(cluster):
    executor = cluster.get_executor()
    executor.shutdown()
    with pytest.raises(SweepError, match="the executor takes no run"):
        sweep(SETTINGS, reckoned, executor=executor)


def test_a_client_that_is_closed_is_said(scheduler, cluster):
    from distributed import Client

    client = Client(scheduler)
    executor = client.get_executor()
    client.close()
    with pytest.raises(SweepError, match="executor"):
        sweep(SETTINGS, reckoned, executor=executor)


def test_a_worker_that_is_killed_costs_its_run_a_retry(cluster, tmp_path):
    train = partial(killed_once, str(tmp_path))
    done = sweep(SETTINGS, train, executor=cluster.get_executor(), path=tmp_path / "runs.csv")
    assert bits(done) == bits(sweep(SETTINGS, reckoned))
    assert len(lines(tmp_path, "killed")) == 1


def test_rows_that_are_there_are_not_run_again(cluster, tmp_path):
    train = partial(noted, str(tmp_path))
    sweep({"lr": [0.3], "seed": range(4)}, train, path=tmp_path / "runs.csv")
    done = sweep(SETTINGS, train, executor=cluster.get_executor(), path=tmp_path / "runs.csv")
    assert bits(done) == bits(sweep(SETTINGS, reckoned))
    assert len(lines(tmp_path, "begun")) == len(done)


@contextmanager
def only(cluster, name, paths, folder):
    """An executor on one more worker alone, which imports from these folders."""
    address = cluster.scheduler.address
    with worker(address, name, "--no-nanny", paths=paths, folder=folder) as process:
        end = time.monotonic() + 100
        while True:
            there = cluster.scheduler_info(n_workers=-1)["workers"]
            found = [where for where, told in there.items() if told["name"] == name]
            if found:
                break
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        yield cluster.get_executor(workers=found)


def test_a_worker_without_the_package_is_said(cluster, tmp_path):
    """Its `nn` is somebody else's, and empty."""
    other = tmp_path / "other"
    for name in ("nn", "engine"):
        (other / name).mkdir(parents=True)
        (other / name / "__init__.py").write_text("")
    path = tmp_path / "runs.csv"
    with (
        only(cluster, "without", [str(other)], tmp_path) as executor,
        pytest.raises(SweepError) as said,
    ):
        sweep(SETTINGS, reckoned, executor=executor, path=path)
    assert "a worker has no brickgrad, or another version (ModuleNotFoundError" in str(said.value)
    assert f"here it is {ours()}" in str(said.value)
    assert bits(sweep(SETTINGS, reckoned, path=path)) == bits(sweep(SETTINGS, reckoned))


def test_a_worker_of_another_version_is_said(cluster, tmp_path):
    for name in ("nn", "engine"):
        shutil.copytree(ROOT / name, tmp_path / name)
    with open(tmp_path / "nn" / "loss.py", "a", encoding="utf-8") as file:
        file.write("\n# another version\n")
    paths = [str(tmp_path), *HERE[1:]]
    with (
        only(cluster, "older", paths, tmp_path) as executor,
        pytest.raises(SweepError, match="install the same in both") as said,
    ):
        sweep(SETTINGS, reckoned, executor=executor)
    assert ours() in str(said.value)


def test_a_worker_that_does_not_find_the_function_is_said(cluster, tmp_path):
    with (
        only(cluster, "alone", [str(ROOT)], tmp_path) as executor,
        pytest.raises(SweepError, match=r"cannot import the function .*No module named 'sw"),
    ):
        sweep(SETTINGS, reckoned, executor=executor)


def test_a_scheduler_that_ends_keeps_what_is_done(tmp_path):
    from distributed import Client

    file, path = tmp_path / "scheduler.json", tmp_path / "runs.csv"
    told = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file)
    with program("dask_scheduler", *told, folder=tmp_path) as process:
        while not (file.exists() and file.read_text().endswith("}")):
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        with worker(address, "one", folder=tmp_path), Client(address, timeout=5) as client:
            client.wait_for_workers(1, timeout=100)
            train = partial(ending, process.pid, str(tmp_path))
            with pytest.raises(SweepError, match="8 runs are in"):
                sweep(SETTINGS, train, executor=client.get_executor(), path=path)
    done = len(path.read_text().splitlines()) - 1
    assert done < 8
    assert len(sweep(SETTINGS, train, path=path)) == 8


def ending(pid, folder, lr, seed):
    """The scheduler is killed while the fourth run goes on."""
    if seed == 3 and not lines(folder, "killed"):
        Path(folder, "killed").write_text("once\n")
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        time.sleep(1)
    return reckoned(lr, seed)
