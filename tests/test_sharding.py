"""Shards of a batch on workers: the bits of one process, or an error that changes nothing."""

import json
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from array import array
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import needs
import pytest
import sharded
from executors import Deaf
from sharded import Built, Counting, Frozen, Keeping, Letters, Line, Noisy, Unlike
from trainings import available, iris_net, numbers, small_iris

from engine.modes import detect_anomaly
from engine.replay import backends
from engine.replay.runs import LIMIT
from nn import ShardError, processes
from nn.data import moons
from nn.history import DivergedError
from nn.loss import cross_entropy, hinge, l2, mse
from nn.module import MLP
from nn.optim import SGD, Adam
from nn.shard import KEPT, Recipe, Shard, compute, packed
from nn.sharding import cut
from nn.train import fit

AMOUNTS = [[0.5 * k] for k in range(-6, 7)], [1.5 * k for k in range(-6, 7)]
pytestmark = needs.processes


def of_dask(test):
    """A test on Dask, which is slow to begin and leaves warnings of its own."""
    return pytest.mark.whole(pytest.mark.filterwarnings("default")(test))


def adam(model):
    return Adam(model.parameters(), lr=0.05)


def trained(make=iris_net, loss=cross_entropy, data=None, optimizer=adam, **settings):
    """Everything that a training leaves: numbers, optimizer, history but its times."""
    model = make()
    optimizer = optimizer(model)
    settings = {"steps": 5, "batch_size": 11, "backend": "python", **settings}
    history = fit(model, loss, data or small_iris(), optimizer=optimizer, **settings)
    return left(model, optimizer, history)


def left(model, optimizer, history):
    columns = [history.loss, history.accuracy, history.gradient_norm, history.points_seen]
    return numbers(model), optimizer.state_dict(), columns


def amounts(make, loss=mse, **settings):
    return trained(make, loss, AMOUNTS, batch_size=5, **settings)


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler of Dask and two workers, each a process of its own, that talk by TCP."""
    distributed = pytest.importorskip("distributed")
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    paths = [*filter(None, sys.path), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    scheduler = ["dask_scheduler", "--port", "0", "--no-dashboard"]
    worker = ["dask_worker", "--no-nanny", "--nthreads", "1", "--no-dashboard"]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{name}", *given, "--scheduler-file", file],
            env=environment,
            cwd=file.parent,
            stderr=subprocess.DEVNULL,
        )
        for name, *given in (scheduler, worker, worker)
    ]
    try:
        with distributed.Client(scheduler_file=str(file), timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            yield client
    finally:
        for process in started:
            process.kill()
            process.wait()


def loky(workers):
    return pytest.importorskip("joblib.externals.loky").get_reusable_executor(workers)


# --- the same bits ---------------------------------------------------------------------------


@pytest.mark.whole
@pytest.mark.some(3)
@pytest.mark.parametrize("backend", ["eager", *backends.NAMES])
def test_one_shard_has_the_bits_of_a_training_without(backend):
    available(backend)
    assert trained(backend=backend, shards=1) == trained(backend=backend)


@pytest.mark.some(4)
@pytest.mark.parametrize("backend", ["eager", *backends.NAMES])
def test_shards_give_the_gradient_of_the_batch(backend):
    available(backend)
    plain = trained(backend="python")
    for shards in (2, 3, 50):
        ours = trained(backend=backend, shards=shards)
        assert ours[0] == pytest.approx(plain[0], rel=1e-9)
        assert ours[2][0] == pytest.approx(plain[2][0], rel=1e-12)
        assert ours[2][1] == plain[2][1]


def test_a_step_is_the_mean_slope_computed_by_hand():
    # of w x + b at 0.3 and -0.2, with y = 3 x: mean 2 (y' - y) x, and mean 2 (y' - y)
    model = Line()
    fit(model, mse, AMOUNTS, steps=1, lr=0.1, shards=4)
    pairs = list(zip(*AMOUNTS, strict=True))
    off = [2 * (0.3 * x - 0.2 - y) for [x], y in pairs]
    w = 0.3 - 0.1 * math.fsum(d * x for d, ([x], _) in zip(off, pairs, strict=True)) / len(pairs)
    assert numbers(model) == pytest.approx([w, -0.2 - 0.1 * math.fsum(off) / len(pairs)])


@pytest.mark.whole
@pytest.mark.some(2)
@pytest.mark.parametrize("backend", ["python", "numpy"])
def test_the_bits_are_those_of_this_process_in_a_pool(backend, pool):
    available(backend)
    for shards in (1, 2, 3):
        here = trained(backend=backend, shards=shards)
        assert trained(backend=backend, shards=shards, executor=pool) == here


@pytest.mark.whole
def test_the_bits_hang_on_no_number_of_workers(figure):
    cases = [(backend, shards) for backend in ("python", "numpy") for shards in (1, 2, 4, 8)]
    runs = [partial(trained, backend=backend, shards=shards, steps=2) for backend, shards in cases]
    here, tried = [run() for run in runs], 0
    for workers in (1, 2, 4, 8):
        for executor in (ProcessPoolExecutor(workers), loky(workers)):
            assert [run(executor=executor) for run in runs] == here
            executor.shutdown()
            tried += len(runs)
    figure("sharding", "processes and loky, 1 to 8 workers, 1 to 8 shards: bits", tried)


@of_dask
def test_the_bits_are_those_of_this_process_on_dask(cluster, figure):
    addresses = sorted(cluster.scheduler_info()["workers"])
    tried = 0
    for shards in (1, 2, 4, 8):
        here = trained(shards=shards, steps=3)
        for workers in (1, 2):
            executor = cluster.get_executor(workers=addresses[:workers])
            assert trained(shards=shards, steps=3, executor=executor) == here
            tried += 1
    figure("sharding", "Dask, 1 and 2 workers by TCP, 1 to 8 shards: bits", tried)


def test_threads_are_workers_too():
    with ThreadPoolExecutor(4) as threads:
        assert trained(shards=6, executor=threads) == trained(shards=6)


@pytest.mark.whole
@pytest.mark.some(4)
@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": None},
        {"replacement": True},
        {"optimizer": lambda m: SGD(m.parameters(), lr=0.1, momentum=0.9)},
        {"penalty": lambda m: 0.01 * l2(m.parameters())},
        {"lr": lambda step: 0.1 / (1 + step)},
        {"callbacks": [lambda step: None]},
        {"validation": small_iris(), "early_stop": 2},
    ],
)
def test_settings_of_fit_hold_with_shards(settings, pool):
    ours = trained(shards=2, executor=pool, **settings)
    assert ours == trained(shards=2, **settings)
    assert ours[0] == pytest.approx(trained(**settings)[0], rel=1e-9)


def test_a_single_output_is_judged_too():
    def run(**more):
        return trained(lambda: MLP(2, [4, 1], seed=1), hinge, moons(20), **more)

    assert run(shards=1) == run()
    assert run(shards=3)[2][1] == run()[2][1]


@pytest.mark.some(3)
@pytest.mark.parametrize("make", [Line, Frozen, Built, Unlike])
@pytest.mark.parametrize("loss", [mse, sharded.scaled, sharded.half()])
def test_models_and_losses_of_ones_own(make, loss, pool):
    here = amounts(make, loss, shards=1, executor=pool)
    assert here == amounts(make, loss)


def test_what_no_row_of_a_batch_reads_is_not_moved(pool):
    """The parameters of a letter rest, momentum and all, where the batch lacks it."""
    data = [[[k % 5], 0.1 * k] for k in range(20)]
    xs, ys = zip(*data, strict=True)

    def run(**more):
        def moving(model):
            return SGD(model.parameters(), lr=0.1, momentum=0.9)

        return trained(
            lambda: Letters(6), mse, (xs, ys), moving, batch_size=3, backend="eager", **more
        )

    assert run(shards=1) == run()
    assert run(shards=2, executor=pool) == run(shards=2)
    assert run(shards=2)[0] == pytest.approx(run()[0], rel=1e-12)


def test_what_a_callback_sets_counts_at_the_next_step(pool):
    def at_two(set_it, make, **more):
        model = make()
        callbacks = [lambda step: set_it(model) if step.step == 1 else None]
        return trained(lambda: model, mse, AMOUNTS, batch_size=5, callbacks=callbacks, **more)

    def factor(model):
        model.factor = 3.0

    def gain(model):
        model.gain.data = 5.0

    def w(model):
        model.w.data = 0.75

    for set_it, make in ((factor, Line), (gain, Frozen), (w, Line)):
        there = at_two(set_it, make, shards=1, executor=pool)
        assert there == at_two(set_it, make)
        assert there != amounts(make)


def test_a_parameter_that_is_added_on_the_way_is_moved_from_then_on():
    def run(**more):
        model = Frozen()
        optimizer = SGD([model.w, model.b], lr=0.01)

        def add(step):
            if step.step == 1:
                optimizer.parameters.append(model.gain)
                optimizer.steps.append(2)
                optimizer.velocity.append(0.0)
                optimizer.has_velocity.append(0.0)

        return trained(
            lambda: model, mse, AMOUNTS, lambda _: optimizer, batch_size=5, callbacks=[add], **more
        )

    assert run(shards=1) == run()


def test_under_detect_anomaly_steps_are_taken_here():
    with detect_anomaly():
        assert trained(shards=2) == trained()


@pytest.mark.whole
def test_a_worker_forgets_the_oldest_and_is_told_again():
    """More trainings than a worker remembers take turns."""
    here = amounts(Line, shards=2)

    def interrupted(step):
        for _ in range(KEPT + 1):
            amounts(Line, shards=1, steps=1)

    assert amounts(Line, shards=2, callbacks=[interrupted]) == here


@pytest.mark.filterwarnings("ignore:the loss of a batch was recorded")
def test_of_many_recordings_the_last_ones_are_kept():
    """A loss that is another function for other rows does not fill the memory."""
    model = Unlike()
    known = list(model.parameters())
    function, values = packed((model, mse), known)
    xs = [[-1.0], [2.0]]  # on either side
    data = pickle.dumps((xs, [1.0, 1.0]))
    shard = Shard(pickle.dumps(tuple(Recipe(function, len(values), 2, data, "python", False))))
    for k in range(2 * LIMIT):
        rows = array("i", [k >> j & 1 for j in range(7)])
        shard.part(array("d", [0.3, -0.2]).tobytes(), rows, 1.0, False)
        assert len(shard._links) <= LIMIT


def test_rows_are_cut_into_parts_of_even_length():
    for n in range(1, 30):
        for count in range(1, 12):
            parts = cut(array("i", range(n)), count)
            assert [row for part in parts for row in part] == list(range(n))
            lengths = {*map(len, parts)}
            assert len(parts) == min(n, count)
            assert max(lengths) - min(lengths) <= 1


# --- going on --------------------------------------------------------------------------------


@pytest.mark.whole
def test_a_training_goes_on_with_or_without_workers(pool, tmp_path):
    path = tmp_path / "run.json"
    whole = trained(shards=3, steps=7)
    trained(shards=3, steps=4, executor=pool, checkpoint=path)
    assert trained(shards=3, steps=7, resume=path) == whole
    assert trained(shards=3, steps=7, resume=path, executor=pool) == whole


def test_another_number_of_shards_is_another_training(tmp_path):
    path = tmp_path / "run.json"
    trained(shards=3, checkpoint=path)
    for shards in (None, 4):
        with pytest.raises(ValueError, match=f"its shards is 3, here it is {shards}"):
            trained(shards=shards, steps=7, resume=path)
    document = json.loads(path.read_text())
    assert document["training"]["shards"] == 3


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"executor": 3}, TypeError, "executor expected one with submit"),
        ({"executor": ProcessPoolExecutor}, TypeError, "executor expected one with submit"),
        ({"shards": 0}, ValueError, "the number of shards must be at least 1, got 0"),
        ({"shards": 2.0}, TypeError, "the number of shards must be an int, got 2.0"),
        ({"shards": 2, "backend": "cuda"}, ValueError, "expected a backend of auto"),
    ],
)
def test_what_is_no_setting_is_said(given, error, words):
    with pytest.raises(error, match=words):
        trained(**given)


def test_workers_without_a_number_of_shards_are_refused(pool):
    with pytest.raises(ValueError, match="executor expected shards too, a number that you fix"):
        trained(executor=pool)


def nothing_lost(run, error, words):
    """A training that fails in its first step leaves model, optimizer and world as they were."""
    model, optimizers = run.keywords["make"](), []

    def remembered(model):
        optimizers.append(adam(model))
        return optimizers[0]

    before = numbers(model), adam(model).state_dict()
    with pytest.raises(error, match=words) as caught:
        run(make=lambda: model, optimizer=remembered)
    assert (numbers(model), optimizers[0].state_dict()) == before
    if error is ShardError:
        assert len(caught.value.history) == 0
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "loss", "error", "words"),
    [
        (Line, lambda z, y: (z - y) ** 2, ValueError, "pickle can send .* with def at the top"),
        (Counting, mse, ShardError, "cannot be computed elsewhere: .* changes .*calls"),
        (Noisy, mse, ShardError, "cannot be computed elsewhere: .*random"),
        (Keeping, mse, ShardError, "sets .*last, and workers would set it on copies"),
        (Line, sharded.told, ShardError, "a Value that is neither in the model nor in the loss"),
    ],
)
def test_what_cannot_be_computed_elsewhere_is_refused(make, loss, error, words, pool):
    for executor in (None, pool):
        run = partial(
            trained, make=make, loss=loss, data=AMOUNTS, shards=2, executor=executor, steps=3
        )
        nothing_lost(run, error, words)


def test_a_global_that_differs_in_a_worker_is_found():
    with ProcessPoolExecutor(1, initializer=sharded.set_scale, initargs=(2.0,)) as pool:
        run = partial(
            trained, make=Line, loss=sharded.scaled, data=AMOUNTS, shards=2, executor=pool
        )
        nothing_lost(run, ShardError, "it reads a global that differs there")


def test_a_global_that_only_one_class_reads_is_compared_too():
    with ProcessPoolExecutor(1, initializer=sharded.set_scale, initargs=(5.0,)) as pool:
        run = partial(trained, make=iris_net, loss=sharded.rarely_scaled, shards=2, executor=pool)
        nothing_lost(run, ShardError, "it reads a global that differs there")


@pytest.mark.whole
@pytest.mark.parametrize("shards", [1, 3])
def test_what_a_callback_changes_deep_in_a_loss_counts_at_the_next_step(shards):
    def losses(**settings):
        loss = sharded.Rare()

        def change(step):
            if step.step == 2:
                loss.inner.number = 9.0

        return fit(
            iris_net(), loss, small_iris(), steps=5, lr=0.1, callbacks=[change], backend="python",
            **settings,
        ).loss  # fmt: skip

    assert losses(shards=shards) == pytest.approx(losses(), rel=1e-12)


def test_many_more_shards_than_rows_are_as_many_as_rows():
    assert trained(shards=10**9) == trained(shards=150)


def test_a_global_that_changes_is_found(monkeypatch, pool):
    monkeypatch.setattr(sharded, "SCALE", [1.0])
    model, seen = Line(), []

    def change(step):
        seen.append(numbers(model))
        if step.step == 1:
            sharded.SCALE[0] = 2.0

    with pytest.raises(ShardError, match=r"step 2: .*SCALE.* was changed, and workers do not hear"):
        fit(
            model, sharded.scaled, AMOUNTS, steps=5, lr=0.01, callbacks=[change], shards=2,
            executor=pool, backend="python",
        )  # fmt: skip
    assert seen[-1] == numbers(model)


def test_an_executor_that_does_not_answer_is_said(monkeypatch):
    monkeypatch.setattr("nn.processes.PATIENCE", 0.05)
    net = iris_net()
    with Deaf(2) as executor, pytest.warns(RuntimeWarning, match="no worker has answered") as said:
        fit(net, cross_entropy, small_iris(), lr=0.1, steps=1, shards=2, executor=executor)
    assert {warning.filename for warning in said} == {__file__}


@pytest.mark.parametrize("kind", ["processes", "loky"])
def test_a_closed_executor_is_said(kind):
    executor = ProcessPoolExecutor(1) if kind == "processes" else loky(1)
    executor.shutdown()
    run = partial(trained, make=iris_net, shards=2, executor=executor)
    nothing_lost(run, ShardError, "step 0: the executor takes no task: is it closed")


@of_dask
def test_a_closed_client_is_said(cluster):
    executor = cluster.get_executor()
    executor.shutdown()
    run = partial(trained, make=iris_net, shards=2, executor=executor)
    nothing_lost(run, ShardError, "step 0: the executor takes no task: is it closed")


@pytest.mark.whole
def test_a_worker_of_another_version_is_said(monkeypatch):
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(os.getpid).result()
        here = processes.ours()
        monkeypatch.setattr("nn.sharding.ours", lambda: "brickgrad 9.9 (files 0) and Python 3.11")
        run = partial(trained, make=iris_net, shards=2, executor=pool)
        nothing_lost(run, ShardError, "a worker has brickgrad .* install the same in both")
        monkeypatch.undo()
        assert processes.ours() == here
        assert trained(shards=2, executor=pool) == trained(shards=2)


@pytest.mark.filterwarnings("ignore:A worker stopped:UserWarning")
def test_a_worker_without_the_package_is_said(tmp_path):
    """One whose `nn` is another's, as in a folder of that name."""
    executor = pytest.importorskip("joblib.externals.loky").ProcessPoolExecutor(
        1, initializer=exec, initargs=("import sys; sys.modules['nn.shard'] = None",)
    )
    with executor:
        run = partial(trained, make=iris_net, shards=2, executor=executor)
        nothing_lost(run, ShardError, "a worker has no brickgrad, or another version")


def test_what_a_worker_cannot_make_comes_back_in_words():
    key = b"0" * 32
    task = processes.ours(), os.getpid(), key, None, b"", b"", 1.0, False
    assert compute(*task) is None
    words = compute(*task[:3], b"nonsense", *task[4:])
    assert words.startswith("a worker cannot make the model and the loss (UnpicklingError: ")
    assert compute(*task) is None


def test_a_step_that_diverges_is_not_taken(pool):
    run = partial(trained, Line, mse, AMOUNTS, lambda m: SGD(m.parameters(), lr=1e200), steps=9)
    for executor in (None, pool):
        with pytest.raises(DivergedError) as ours:
            run(shards=2, executor=executor)
        with pytest.raises(DivergedError) as plain:
            run()
        assert len(ours.value.history) == len(plain.value.history)
        assert ours.value.history.loss == pytest.approx(plain.value.history.loss)


# --- workers that are lost -------------------------------------------------------------------


class Killer:
    """A callback that stops a worker after a step, and kills it in the midst of the next one."""

    def __init__(self, pid, at=2):
        self.pid, self.at, self.killed = pid, at, math.inf

    def __call__(self, step):
        if step.step == self.at:
            os.kill(self.pid, signal.SIGSTOP)
            threading.Timer(0.3, self.kill).start()

    def kill(self):
        self.killed = time.perf_counter()
        os.kill(self.pid, signal.SIGKILL)


@pytest.mark.whole
@pytest.mark.some(2)
@pytest.mark.filterwarnings("ignore:A worker stopped:UserWarning")
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals of Unix")
@pytest.mark.parametrize("kind", ["processes", "loky"])
def test_a_worker_that_is_lost_ends_the_step_and_changes_nothing(kind, figure):
    executor = ProcessPoolExecutor(1) if kind == "processes" else loky(1)
    killer = Killer(executor.submit(os.getpid).result())
    model = iris_net()
    optimizer = adam(model)
    with pytest.raises(ShardError, match=r"^step 3: a worker was lost") as caught:
        trained(
            lambda: model, optimizer=lambda _: optimizer, shards=2, executor=executor,
            callbacks=[killer], steps=6,
        )  # fmt: skip
    took = time.perf_counter() - killer.killed
    figure("sharding", f"{kind}: from the kill of a worker to the error", 1, took, 2, "s")
    assert left(model, optimizer, caught.value.history) == trained(shards=2, steps=3)


class Forgets(ThreadPoolExecutor):
    """A pool that breaks while it is given its third task, and forgets it (Python 3.11)."""

    _broken, _processes, given = False, {}, 0

    def submit(self, fn, /, *args):
        self.given += 1
        if self.given < 3:
            return super().submit(fn, *args)
        self._broken, self.forgotten = "A child process terminated abruptly", Future()
        return self.forgotten


def test_a_task_that_a_breaking_pool_forgets_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("nn.processes.LISTEN", 0.05)
    with Forgets(1) as pool, pytest.raises(ShardError, match="step 0: a worker was lost"):
        trained(shards=4, steps=2, executor=pool)
    # Python 3.11's pool sets it an error still, and ends its processes only then
    assert not pool.forgotten.cancelled()


@of_dask
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals of Unix")
def test_dask_gives_the_work_of_a_lost_worker_to_another(cluster):
    pid = min(cluster.run(os.getpid).values())
    killer = Killer(pid, at=0)
    executor = cluster.get_executor()
    there = trained(shards=4, steps=4, executor=executor, callbacks=[killer])
    assert killer.killed < math.inf
    assert there == trained(shards=4, steps=4)
