"""`auto`: which backend it ends with, and that nobody notices how it gets there."""

import gc
import math
import os
import stat
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest
from disturbed import stopped, traced
from graphs import GRAPHS, recorded

from engine import Value
from engine.replay import backends
from engine.replay import recorded as recorded_module
from engine.replay.backends import choice, library
from engine.replay.backends.choice import Attempt, attempts
from engine.replay.replay import ReplayError, replay
from engine.replay.roll import roll
from engine.replay.watch import record
from nn.data import moons
from nn.descent import Descent
from nn.loss import hinge, mse
from nn.module import MLP
from nn.optim import SGD, Adam
from nn.stepping import mean_loss
from nn.table import Table
from nn.train import fit

needs_c = pytest.mark.skipif(not backends._runs("c"), reason="no C compiler here")
needs_numpy = pytest.mark.skipif(not backends._runs("numpy"), reason="no NumPy here")
posix = pytest.mark.skipif(os.name == "nt", reason="runs shell scripts")
PATIENCE = 60  # seconds until a test gives up


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A cache of the test's own, and compilers that nobody has waited for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(library, "_stopped", set())
    monkeypatch.setattr(library, "_places", {})
    return tmp_path


@pytest.fixture
def tries(monkeypatch):
    """Says what is tried, at the first call."""

    def set_to(*names):
        wanted = [Attempt(0.0, *name.split()) for name in names]
        monkeypatch.setattr(
            choice,
            "attempts",
            lambda program, running, *_: [a for a in wanted if a.name != running],
        )

    return set_to


def compiler(folder, body):
    """A compiler that does something of its own, and writes down each process."""
    path = Path(folder, "compiler")
    path.write_text(
        f'#!/bin/sh\ncase $* in *-dM*) exec cc "$@";; esac\necho $$ >> "$0.pids"\n{body}\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


HANGS = 'sleep 1000 & echo $! >> "$0.pids"; wait'
SLOW = 'sleep 1; exec cc "$@"'
JUNK = "for a; do case $before in -o) made=$a;; esac; before=$a; done; echo junk > $made"


def asked(path):
    """The processes of a compiler so far."""
    pids = Path(f"{path}.pids")
    return [int(line) for line in pids.read_text().split()] if pids.exists() else []


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")  # one that nobody waits for is a zombie
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def all_end(processes):
    start = time.monotonic()
    while any(map(is_running, processes)):
        if time.monotonic() - start > PATIENCE:
            return False
        time.sleep(0.05)
    return True


def weighted(w):
    """A function of a weight, and what it gives for 3: the result, and the gradient."""

    def f(x):
        return (w * x).tanh() * w

    return f


def called(step, w, x=0.75):
    w.zero_grad()
    z = step(x)
    z.backward()
    return z.data, w.grad


def expected(w, x=0.75):
    t = math.tanh(w.data * x)
    return t * w.data, t + w.data * x * (1 - t * t)


def called_until_it_rests(step, w):
    """Calls until all was tried; the numbers are right all the time. How many calls it took."""
    step(0.75)
    (own,) = next(iter(step.kept.by_shape.values()))
    start, calls = time.monotonic(), 0
    while own.choice.attempts:
        w.data = 0.5 + calls % 7 / 8
        assert called(step, w) == pytest.approx(expected(w), rel=1e-14)
        calls += 1
        assert time.monotonic() - start < PATIENCE
    assert called(step, w) == pytest.approx(expected(w), rel=1e-14)
    return calls


# --- what it begins with, and what it tries -------------------------------------------------------


@needs_numpy
def test_small_graphs_begin_in_python_and_large_ones_in_numpy(monkeypatch):
    w = Value(2.0)
    large = replay(lambda xs: sum(w * x for x in xs))
    large([0.5] * 1000)
    assert choice.first(recorded(GRAPHS["recurrent"]()).program) == "python"
    assert large.backend == "numpy"
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert choice.first(recorded(GRAPHS["moons, fused=True"]()).program) == "python"


def test_what_is_tried_costs_more_and_more():
    for name, running in (("moons, fused=True", "numpy"), ("recurrent", "python")):
        wanted = attempts(recorded(GRAPHS[name]()).program, running)
        assert [a.name for a in wanted if a.name == "c"] == ["c", "c"]
        assert running not in [a.name for a in wanted]
        assert [a.worth for a in wanted] == sorted(a.worth for a in wanted)
        assert wanted[0].worth > 0.002


def test_one_core_waits_longer_for_a_compiler(monkeypatch):
    program = recorded(GRAPHS["moons, fused=True"]()).program
    worth = []
    for cores in (1, 2):
        monkeypatch.setattr(choice, "_cores", lambda cores=cores: cores)
        worth.append(max(a.worth for a in attempts(program, "numpy") if a.name == "c"))
    assert worth[0] > 3 * worth[1]


@posix
def test_a_short_training_asks_no_compiler(home, monkeypatch):
    path = compiler(home, "exit 1")
    monkeypatch.setenv("CC", path)
    fit(MLP(2, [8, 1], seed=1), mse, ([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0]), lr=0.1, steps=100)
    assert asked(path) == []


# --- the faster one, and no other ----------------------------------------------------------------


@pytest.mark.some(2)
@pytest.mark.parametrize("name", [pytest.param("numpy", marks=needs_numpy), "c"])
def test_a_faster_one_takes_over(name, tries, monkeypatch):
    if not backends._runs(name):
        pytest.skip(f"{name} is not there")
    tries(name)
    slowed(monkeypatch, "python")
    w = Value(0.5)
    step = replay(weighted(w))
    assert called_until_it_rests(step, w) >= choice.TURNS
    assert step.backend == name
    assert f"{name} 1" in step.explain() or "python took" in step.explain()


def slowed(monkeypatch, name, forward=0.0005, backward=0.0):
    """Kernels of a backend that take so long."""
    module = backends.backend(name)
    compile_ = module.compile

    class Slow:
        def __init__(self, kernel):
            self.kernel = kernel

        def __getattr__(self, name):
            return getattr(self.kernel, name)

        def forward(self):
            time.sleep(forward)
            self.kernel.forward()

        def backward(self, seeds):
            time.sleep(backward)
            self.kernel.backward(seeds)

    monkeypatch.setattr(module, "compile", lambda *of: Slow(compile_(*of)))


@pytest.mark.some(2)
@needs_c
@pytest.mark.parametrize("times", [(0.002, 0.0), (0.0, 0.002)], ids=["forward", "backward"])
def test_a_slower_one_does_not(times, tries, monkeypatch):
    tries("c")
    slowed(monkeypatch, "c", *times)
    w = Value(0.5)
    step = replay(weighted(w))
    called_until_it_rests(step, w)
    assert step.backend == "python"
    assert "python took" in step.explain()


@pytest.mark.whole
@needs_c
def test_what_never_goes_backward_is_timed_forward_alone(tries, monkeypatch):
    tries("c")
    slowed(monkeypatch, "python")
    slowed(monkeypatch, "c", 0.0, 0.05)
    w = Value(0.5)
    step = replay(weighted(w))
    step(0.75)
    start = time.monotonic()
    while step.backend == "python" and time.monotonic() - start < PATIENCE:
        assert step(0.75).data == pytest.approx(expected(w)[0], rel=1e-14)
    assert step.backend == "c"


@needs_c
@needs_numpy
def test_of_three_the_fastest_stays(tries, monkeypatch):
    tries("numpy", "c")
    slowed(monkeypatch, "python", 0.001)
    slowed(monkeypatch, "numpy", 0.0005)
    w = Value(0.5)
    step = replay(weighted(w))
    called_until_it_rests(step, w)
    assert step.backend == "c"
    tries("c", "numpy")
    step = replay(weighted(w))
    called_until_it_rests(step, w)
    assert step.backend == "c"


@needs_c
def test_a_kernel_that_is_wrong_is_an_error_at_once(tries, monkeypatch):
    tries("c")
    slowed(monkeypatch, "python")
    module = backends.backend("c")
    compile_ = module.compile

    class Wrong:
        def __init__(self, kernel):
            self.values, self.adjoints = kernel.values, kernel.adjoints
            self.forward, self.backward = kernel.forward, lambda seeds: None

    monkeypatch.setattr(module, "compile", lambda *of: Wrong(compile_(*of)))
    w = Value(0.5)
    step = replay(weighted(w))
    with pytest.raises(ReplayError, match=r"a gradient is 0\.0 replayed and .* computed anew"):
        called_until_it_rests(step, w)


@needs_c
def test_no_comparison_with_the_function_where_kernels_agree(tries, monkeypatch):
    tries("c")
    slowed(monkeypatch, "python")
    w, runs = Value(0.5), []
    f = weighted(w)
    step = replay(f, check=10**9)
    step(0.75)
    own = next(iter(step.kept.by_shape.values()))[0]
    with traced(lambda code: code is f.__code__, runs.append):
        while own.choice.attempts:
            called(step, w)
    assert (step.backend, runs) == ("c", [])


@pytest.mark.some(2)
@pytest.mark.parametrize("name", ["c", "c kept"])
def test_nothing_stays_behind(name, tries):
    tries(name)
    w = Value(0.5)
    step = replay(weighted(w))
    called_until_it_rests(step, w)
    program = weakref.ref(next(iter(step.kept.by_shape.values()))[0].program)
    gc.disable()
    try:
        del step
        assert program() is None
    finally:
        gc.enable()


# --- what can go wrong with a compiler -----------------------------------------------------------


@pytest.mark.some(4)
@needs_c
@posix
@pytest.mark.parametrize(
    "body", [JUNK, "exit 3", "echo cannot do this >&2; exit 1", "kill -9 $$", "exec true"]
)
def test_a_compiler_that_fails_is_none(body, tries, home, monkeypatch):
    path = compiler(home, body)
    monkeypatch.setenv("CC", path)
    tries("c kept", "c")
    w = Value(0.5)
    step = replay(weighted(w))
    called_until_it_rests(step, w)
    assert step.backend == "python"
    assert "without c: the C compiler failed" in step.explain()
    assert asked(path)


@pytest.mark.parametrize("error", [ValueError, MemoryError, SystemExit, AssertionError])
def test_an_error_in_the_thread_is_no_backend(error, tries, monkeypatch):
    tries("numpy") if backends._runs("numpy") else tries("c")
    name = "numpy" if backends._runs("numpy") else "c"

    def fails(*_):
        assert threading.current_thread() is not threading.main_thread()
        raise error("broken")

    monkeypatch.setattr(backends.backend(name), "compile", fails)
    w = Value(0.5)
    step = replay(weighted(w))
    called_until_it_rests(step, w)
    assert step.backend == "python"
    assert f"without {name}: " in step.explain()
    assert "broken" in step.explain()


@pytest.mark.whole
@needs_c
@posix
def test_a_compiler_that_hangs_is_given_up_and_stops_nobody(tries, home, monkeypatch):
    path = compiler(home, HANGS)
    monkeypatch.setenv("CC", path)
    monkeypatch.setattr(library, "LIMIT", 1.5)
    tries("c")
    w = Value(0.5)
    step = replay(weighted(w))
    step(0.75)
    start, longest, calls = time.monotonic(), 0.0, 0
    own = next(iter(step.kept.by_shape.values()))[0]
    while own.choice.attempts:
        before = time.monotonic()
        assert called(step, w) == pytest.approx(expected(w), rel=1e-14)
        longest, calls = max(longest, time.monotonic() - before), calls + 1
        assert before - start < PATIENCE
    assert time.monotonic() - start >= 1.4
    assert longest < 1.0
    assert calls > 100
    assert step.backend == "python"
    assert "without c: the C compiler was stopped" in step.explain()
    assert all_end(asked(path))
    called_until_it_rests(replay(weighted(w)), w)  # it is not asked again
    assert len(asked(path)) == 2


@needs_c
@posix
def test_training_goes_on_while_a_compiler_works(tries, home, monkeypatch):
    path = compiler(home, SLOW)
    monkeypatch.setenv("CC", path)
    tries("c")
    slowed(monkeypatch, "python")
    w = Value(0.5)
    step = replay(weighted(w))
    assert called_until_it_rests(step, w) > 100
    assert step.backend == "c"


@needs_c
def test_what_was_compiled_before_is_loaded(tries, monkeypatch):
    replay(weighted(Value(0.5)), backend="c")(0.75)
    run = library._run

    def no_compilation(command, arguments):
        assert "-shared" not in arguments
        return run(command, arguments)

    monkeypatch.setattr(library, "_run", no_compilation)
    slowed(monkeypatch, "python")
    tries("c kept")
    w = Value(0.5)
    step = replay(weighted(w))
    called_until_it_rests(step, w)
    assert step.backend == "c"


@needs_c
def test_what_was_not_compiled_before_starts_nothing_for_a_look(tries, monkeypatch):
    monkeypatch.setattr(library, "_run", lambda *_: pytest.fail("a compiler was started"))
    tries("c kept")
    w = Value(0.5)
    step = replay(weighted(w))
    called_until_it_rests(step, w)
    assert step.backend == "python"


# --- whole trainings ------------------------------------------------------------------------------

POINTS = moons(12, noise=0.1, seed=3)


class Both:
    """A training by `auto` beside an eager one."""

    def __init__(self, kind=SGD, **options):
        self.models = [MLP(2, [4, 1], "tanh", seed=1) for _ in range(2)]
        self.optimizers = [kind(m.parameters(), **options) for m in self.models]
        self.ours, self.eager = (
            Descent(mean_loss(model, hinge, None), optimizer, backend)
            for model, optimizer, backend in zip(
                self.models, self.optimizers, ("auto", "eager"), strict=True
            )
        )
        self.table = Table(*POINTS)

    def step(self, *rows):
        got, want = (d.step(self.table, *rows) for d in (self.ours, self.eager))
        assert got[0] == pytest.approx(want[0], rel=1e-9, abs=1e-12)
        assert got[2] == pytest.approx(want[2], rel=1e-9, abs=1e-12)

    def train(self, name):
        self.step()
        start = time.monotonic()
        while self.ours.backend != name:
            self.step()
            assert time.monotonic() - start < PATIENCE
        for _ in range(5):
            self.step()
        self.compare()

    def compare(self):
        self.ours.store()
        for a, b in zip(*(m.parameters() for m in self.models), strict=True):
            assert a.data == pytest.approx(b.data, rel=1e-9, abs=1e-12)
        ours, theirs = self.optimizers
        assert ours.steps == theirs.steps
        for name in ours.MEMORY:
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-9, abs=1e-12)


KINDS = [(SGD, {"lr": 0.05}), (SGD, {"lr": 0.05, "momentum": 0.9}), (Adam, {"lr": 0.01})]


@pytest.mark.whole
@pytest.mark.some(6)
@needs_c
@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("begins", ["python", pytest.param("numpy", marks=needs_numpy)])
def test_a_training_moves_and_its_optimizer_with_it(begins, kind, options, tries, monkeypatch):
    tries("c kept", "c")
    slowed(monkeypatch, begins, 0.001)
    monkeypatch.setattr(choice, "first", lambda program: begins)
    monkeypatch.setattr(recorded_module, "first", lambda program: begins)
    threads = []
    run = library._run

    def watched(*of):
        threads.append(threading.current_thread())
        return run(*of)

    monkeypatch.setattr(library, "_run", watched)
    both = Both(kind, **options)
    both.train("c")
    both.step()
    assert both.ours._mover.backend == "c"
    assert threads
    assert threading.current_thread() not in threads


@needs_numpy
def test_a_training_moves_from_python_to_numpy_and_back(tries, monkeypatch):
    tries("numpy")
    slowed(monkeypatch, "python", 0.001)
    Both(Adam, lr=0.01).train("numpy")
    monkeypatch.undo()
    tries("python")
    monkeypatch.setattr(recorded_module, "first", lambda program: "numpy")
    slowed(monkeypatch, "numpy", 0.001)
    Both(Adam, lr=0.01).train("python")


@pytest.mark.whole
@needs_c
def test_batches_of_two_sizes_move_one_after_the_other(tries, monkeypatch):
    from array import array

    tries("c")
    slowed(monkeypatch, "python", 0.001)
    both = Both(Adam, lr=0.01)
    large, small = array("i", range(8)), array("i", range(8, 12))
    start = time.monotonic()
    for turn in range(10**6):
        both.step(large if turn % 3 else small)
        kept = [r for olds in both.ours._replay.kept.by_shape.values() for r in olds]
        if turn > 3 and all(r.backend == "c" for r in kept):
            break
        assert time.monotonic() - start < PATIENCE
    for turn in range(9):
        both.step(large if turn % 3 else small)
    both.compare()


@needs_c
def test_an_optimizer_whose_arithmetic_is_for_floats_keeps_what_it_has(tries, monkeypatch):
    class Rooted(SGD):
        def moved(self, parameters, gradients, memory, rates):
            (rate, *_) = rates
            moved = [
                p - rate * math.copysign(1.0, g) for p, g in zip(parameters, gradients, strict=True)
            ]
            return [moved, *memory]

    tries("c")
    slowed(monkeypatch, "python", 0.001)
    both = Both(Rooted, lr=0.01)
    for _ in range(5):
        both.step()
    start = time.monotonic()
    (own,) = next(iter(both.ours._replay.kept.by_shape.values()))
    while own.choice.attempts and time.monotonic() - start < PATIENCE:
        both.step()
    both.compare()
    assert both.ours.backend == "python"


@pytest.mark.whole
@needs_c
def test_a_kernel_of_the_optimizer_that_is_wrong_moves_nothing(tries, monkeypatch):
    tries("c")
    slowed(monkeypatch, "python", 0.001)
    module = backends.backend("c")
    compile_ = module.compile

    def compiled(program, tape, *many):
        kernel = compile_(program, tape, *many)
        if not any(loop.op.name == "tanh" for loop in program.loops):
            kernel.forward = lambda: None
        return kernel

    monkeypatch.setattr(module, "compile", compiled)
    both = Both(Adam, lr=0.01)
    with pytest.warns(UserWarning, match="kernel of Adam.moved in c is wrong: please report it"):
        both.train("eager")


@pytest.mark.whole
@needs_c
def test_a_setting_that_is_turned_on_while_a_compiler_works(tries, monkeypatch, home):
    monkeypatch.setenv("CC", compiler(home, SLOW))
    tries("c")
    slowed(monkeypatch, "python", 0.001)
    both = Both(SGD, lr=0.05)
    for _ in range(20):
        both.step()
    for optimizer in both.optimizers:
        optimizer.momentum = 0.9
    both.train("c")


@pytest.mark.some(16)
@needs_c
@pytest.mark.parametrize("line", range(0, 120, 3))
def test_ctrl_c_anywhere_in_a_choice_loses_nothing(line, tries, monkeypatch):
    replay(weighted(Value(0.5)), backend="c")(0.75)
    tries("c kept")
    slowed(monkeypatch, "python")
    w = Value(0.5)
    step = replay(weighted(w))
    step(0.75)
    own = next(iter(step.kept.by_shape.values()))[0]
    files = ("choice.py", "recorded.py")
    try:
        with stopped(lambda code: code.co_filename.endswith(files), 10 * line):
            for _ in range(30):
                called(step, w)
                time.sleep(0.002)
    except KeyboardInterrupt:
        pass
    start = time.monotonic()
    while own.choice.attempts:
        assert called(step, w) == pytest.approx(expected(w), rel=1e-14)
        assert time.monotonic() - start < PATIENCE
    assert called(step, w) == pytest.approx(expected(w), rel=1e-14)
    assert step.backend in ("c", "python")


# --- processes ------------------------------------------------------------------------------------

HEAD = """
import os, signal, sys, time, warnings
from engine import Value, replay
from engine.replay.backends import choice
from nn.module import MLP
from nn.loss import mse
from nn.train import fit
choice.attempts = lambda *_: [choice.Attempt(0.0, "c")]
data = [[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0]
pids = os.environ["CC"] + ".pids"
def asked():
    return os.path.exists(pids) and len(open(pids).read().split()) > 1
"""


def program(text, path, home, **more):
    environment = {**os.environ, "CC": path, "PYTHONPATH": os.getcwd()}
    environment["XDG_CACHE_HOME"] = str(home)
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + text],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


@pytest.mark.whole
@pytest.mark.some(4)
@needs_c
@posix
@pytest.mark.parametrize(
    ("end", "code"), [("", 0), ("sys.exit(3)", 3), ("raise SystemExit", 0), ("1 / 0", 1)]
)
def test_the_end_of_the_program_ends_the_compiler_in_silence(end, code, home):
    path = compiler(home, HANGS)
    text = f"""
fit(MLP(2, [4, 1]), mse, data, lr=0.1, steps=10**6, callbacks=[lambda step: asked()])
{end}
"""
    with program(text, path, home) as process:
        _, said = process.communicate(timeout=PATIENCE)  # the compiler sleeps for longer
    assert process.returncode == code
    assert said == "" or said.rstrip().endswith("ZeroDivisionError: division by zero")
    assert said.count("Traceback") == (code == 1)
    assert len(asked(path)) == 2
    assert all_end(asked(path))
    assert list(home.rglob("making-*")) == []


@pytest.mark.whole
@needs_c
@posix
def test_ctrl_c_ends_the_training_and_not_the_compiler(home):
    path = compiler(home, 'echo $$ >> "$0.pids"; ' + SLOW)
    text = """
warnings.simplefilter("ignore")
def interrupt(step):
    if asked() and not heard:
        heard.append(1)
        os.killpg(0, signal.SIGINT)  # as a terminal does
signal.signal(signal.SIGINT, signal.default_int_handler)
heard = []
history = fit(MLP(2, [4, 1]), mse, data, lr=0.1, steps=10**6, callbacks=[interrupt])
print(history.ended, flush=True)
w = Value(2.0)
step = replay(lambda x: sum(w * x for _ in range(100)) / 100)  # in Python far slower than in C
start = time.monotonic()
while step.backend != "c" and time.monotonic() - start < 60:
    step(3.0)
print(step.backend, step(3.0).data)
"""
    with program(text, path, home, start_new_session=True) as process:
        out, said = process.communicate(timeout=PATIENCE + 30)
    assert (out, said) == ("interrupted\nc 6.0\n", "")
    assert len(list(home.rglob("*.lib"))) >= 2  # that of the training that was interrupted too


@pytest.mark.whole
@needs_c
@posix
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_fork_in_the_middle(home):
    path = compiler(home, 'echo $$ >> "$0.pids"; ' + SLOW)
    text = """
warnings.simplefilter("ignore")
w = Value(2.0)
step = replay(lambda x: sum((w * x).exp() for _ in range(64)) / 64)  # far slower than in C
def until(is_done):
    start = time.monotonic()
    while not is_done() and time.monotonic() - start < 60:
        w.zero_grad()
        step(0.0).backward()
        assert w.grad == 0.0
        w.zero_grad()
        step(0.5).backward()
        assert abs(w.grad - 0.5 * 2.718281828459045) < 1e-14, w.grad
until(asked)
child = os.fork()
if child == 0:
    for _ in range(100):
        until(lambda: True)
    if os.fork():
        sys.exit(0)  # the parent's compiler goes on
    until(lambda: step.backend == "c")
    open(pids + ".c", "w").write(step.backend)
    sys.exit(0)
os.waitpid(child, 0)
until(lambda: step.backend == "c")
print(step.backend)
start = time.monotonic()
while not os.path.exists(pids + ".c") and time.monotonic() - start < 60:
    time.sleep(0.05)
print(open(pids + ".c").read())
"""
    with program(text, path, home) as process:
        out, said = process.communicate(timeout=PATIENCE + 90)
    assert (out, said) == ("c\nc\n", "")


@pytest.mark.whole
@needs_c
@posix
def test_a_training_in_another_thread_is_ended_with_the_program(home):
    path = compiler(home, HANGS)
    text = """
import threading
def train():
    fit(MLP(2, [4, 1]), mse, data, lr=0.1, steps=10**9, backend="auto")
threading.Thread(target=train, daemon=True).start()
while not asked():
    time.sleep(0.01)
print("end")
"""
    with program(text, path, home) as process:
        out, said = process.communicate(timeout=PATIENCE)
    assert (out, said, process.returncode) == ("end\n", "", 0)
    assert all_end(asked(path))


@pytest.mark.parametrize(
    ("announced", "begins"), [(0, [21, 22]), (10_000, list(range(10, 23))), (1_500, [])]
)
def test_an_attempt_pays_by_the_calls_announced_or_by_those_so_far(announced, begins, monkeypatch):
    begun = []
    monkeypatch.setattr(choice, "attempts", lambda *_: [Attempt(1.0, "numpy")])
    monkeypatch.setattr(choice.Choice, "_begin", lambda self, attempt: begun.append(self._runs))
    x = Value(2.0)
    with record() as seen:
        y = x * 3.0
    tape = seen.tape([x], [y])
    spent = choice.Spent(announced=announced)
    asked_of = choice.Choice(roll(tape), tape, "python", spent=spent)
    for k in range(22):
        asked_of.note_run(1e-3 if k < 20 else 1.0)
        spent.calls += 1
    assert begun == begins


def test_calls_to_come_are_those_of_programs_that_may_get_a_faster_kernel(monkeypatch):
    """A short last batch, one step in fifty, does not pay for a kernel of its own."""
    monkeypatch.setattr(choice, "attempts", lambda *_: [Attempt(1.0, "numpy")])
    begun = []
    monkeypatch.setattr(choice.Choice, "_begin", lambda self, attempt: begun.append(self))
    x = Value(2.0)
    with record() as seen:
        y = x * 3.0
    tape = seen.tape([x], [y])
    spent = choice.Spent(announced=10_000)
    often, seldom = (choice.Choice(roll(tape), tape, "python", spent=spent) for _ in range(2))
    for k in range(1_000):
        (seldom if k % 50 == 0 else often).note_run(1e-3)
        spent.calls += 1
    assert spent.to_come == 9_000
    often._end("numpy is faster", "numpy")
    assert spent.to_come == 9_000 * 20 / 1_000
    begun.clear()
    for _ in range(20):
        seldom.note_run(1e-3)
        spent.calls += 1
    assert begun == []


@pytest.mark.parametrize(
    ("cores", "announced", "waited"), [(1, 10_000, [0.2]), (1, 0, []), (2, 10_000, [])]
)
def test_on_a_single_core_a_compiler_that_pays_is_waited_for(cores, announced, waited, monkeypatch):
    """Beside it the steps were half as fast, and the faster kernel came later."""
    found, is_over = [], threading.Event()

    class Slow(choice.Work):
        def __init__(self, function):
            super().__init__(lambda: is_over.wait(PATIENCE))

        def wait(self, seconds):
            found.append(seconds)

    monkeypatch.setattr(choice, "Work", Slow)
    monkeypatch.setattr(choice, "_cores", lambda: cores)
    monkeypatch.setattr(choice, "attempts", lambda *_: [Attempt(0.1, "numpy")])
    x = Value(2.0)
    with record() as seen:
        y = x * 3.0
    tape = seen.tape([x], [y])
    spent = choice.Spent(announced=announced)
    asked_of = choice.Choice(roll(tape), tape, "python", spent=spent)
    for _ in range(200):
        asked_of.note_run(1e-3)
        spent.calls += 1
    is_over.set()
    assert found == waited
