import json
import math
import random
import re
import subprocess
import sys
import tracemalloc
import warnings
from functools import partial, wraps
from itertools import product
from pathlib import Path

import pytest
from audit import nothing_executed
from mutated import mutated_bytes, mutated_json
from trainings import available

from engine.replay import backends
from engine.value import Value
from nn.checkpoint import _checksum, glance
from nn.data import iris, split, standardise
from nn.described import counted
from nn.history import DivergedError, Step
from nn.loss import cross_entropy, l2, mae, mse
from nn.module import MLP, Module
from nn.optim import SGD, Adam, AdamW, cosine
from nn.train import fit

ROOT = Path(__file__).parents[1]
TRAINING, ASIDE = split(standardise(iris())[0].pick(range(0, 150, 6)), 0.8)
STEPS = 12
OPTIMIZERS = {
    "sgd": lambda ps: SGD(ps, lr=0.01),
    "nesterov": lambda ps: SGD(ps, lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda ps: Adam(ps, lr=0.01),
    "adamw": lambda ps: AdamW(ps, lr=0.01),
}
BATCHES = {
    "all": {},
    "one": {"batch_size": 1},
    "uneven": {"batch_size": 8},
    "drawn": {"batch_size": 7, "replacement": True},
}


def net():
    return MLP(4, [4, 3], "tanh", seed=0)


def run(optimizer="adam", steps=STEPS, stop_at=None, model=None, **settings):
    """All that a training leaves, besides the seconds: parameters, memory, history."""
    model = model or net()
    held = OPTIMIZERS[optimizer](model.parameters())
    calls = [lambda step: step.step == stop_at] if stop_at is not None else []
    options = {"lr": cosine(0.05, STEPS), "validation": ASIDE, "seed": 3, "backend": "python"}
    history = fit(
        model,
        cross_entropy,
        TRAINING,
        steps=steps,
        optimizer=held,
        callbacks=calls,
        **{**options, **settings},
    )
    columns = {name: getattr(history, name) for name in Step._fields if name != "seconds"}
    return [p.data.hex() for p in model.parameters()], held.state_dict(), columns, history.ended


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.json"


@pytest.fixture
def document(path):
    run(steps=9, checkpoint=path)
    return json.loads(path.read_text())


# --- bit for bit ------------------------------------------------------------------------------


@pytest.mark.some(30)
@pytest.mark.parametrize("backend", ["eager", "auto", *backends.NAMES])
@pytest.mark.parametrize("batches", BATCHES)
def test_a_run_in_two_parts_has_the_bits_of_one(path, amount, figure, backend, batches):
    available(backend)
    settings = {"backend": backend, **BATCHES[batches]}
    ways = list(product(("nesterov", "adam"), (1, 5), ("stop_at", "steps")))
    ways = ways[:: amount(3, 1)]
    for optimizer, cut, how in ways:
        part = {"stop_at": cut - 1} if how == "stop_at" else {"steps": cut}
        run(optimizer, checkpoint=path, **part, **settings)
        assert run(optimizer, resume=path, **settings) == run(optimizer, **settings)
    figure("c", f"save and resume, {backend}, batches {batches}: parameters differ", len(ways))


@pytest.mark.nightly
def test_ten_thousand_cuts(path, figure):
    rng = random.Random("c resume")
    count = 10_000
    whole = {}
    for k in range(count):
        backend = {0: "python", 1: "numpy", 2: "c", 3: "wasm"}.get(k % 20, "eager")
        available(backend)
        key = optimizer, batches, _ = rng.choice([*OPTIMIZERS]), rng.choice([*BATCHES]), backend
        settings = {"backend": backend, **BATCHES[batches]}
        steps = {"steps": 6, "validation": None}
        if key not in whole:
            whole[key] = run(optimizer, **steps, **settings)
        run(optimizer, **{**steps, "steps": rng.randint(1, 5)}, checkpoint=path, **settings)
        assert run(optimizer, **steps, resume=path, **settings) == whole[key]
    figure("c", "save and resume at random steps: parameters differ", count)


class Reader(Module):
    """Reads numbers one by one."""

    def __init__(self, branches):
        self.w, self.u, self.branches = Value(0.5), Value(0.4), branches

    def __call__(self, xs):
        h = 0.0
        for x in xs:
            h = (self.w * x + self.u * h).tanh()
            if self.branches and h > 0.2:
                h = h * self.u + 0.1
        return h


def read(branches, lengths, **settings):
    rng, model = random.Random(5), Reader(branches)
    xs = [[rng.uniform(-1, 1) for _ in range(length)] for length in lengths]
    ys = [rng.uniform(-1, 1) for _ in xs]
    optimizer = Adam(model.parameters(), lr=0.05)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the loss of a batch was recorded 9 times")
        return fit(model, mse, (xs, ys), optimizer=optimizer, **settings).loss


READERS = {  # more recordings than are made, of one shape and of many
    "branches": {"branches": True, "lengths": [1, 2, 3, 4] * 2},
    "branches, batches": {"branches": True, "lengths": [3] * 24, "batch_size": 6},
    "lengths": {"branches": False, "lengths": range(1, 41), "batch_size": 1},
}


@pytest.mark.whole
@pytest.mark.some(18)
@pytest.mark.parametrize("backend", backends.NAMES)
@pytest.mark.parametrize("name", READERS)
def test_a_run_goes_on_with_the_recordings_it_had(path, amount, figure, name, backend):
    available(backend)
    settings = {**READERS[name], "backend": backend}
    whole = read(steps=60, **settings)
    if backend != "python":
        assert whole != read(steps=60, **{**settings, "backend": "eager"})
    few = 1 if backend == "c" else 3  # it compiles each recording
    cuts = random.Random(name).sample(range(1, 60), amount(few, 20))
    for cut in cuts:
        read(steps=cut, checkpoint=path, **settings)
        assert read(steps=60, resume=path, **settings) == whole
    figure("c", f"save and resume, {backend}, {name}: losses differ", len(cuts))


@pytest.mark.whole
@pytest.mark.parametrize("backend", backends.NAMES)
def test_a_run_that_went_on_eagerly_goes_on_so(path, backend):
    """A loss that counts its calls, and is another one after so many, is not replayed."""
    available(backend)

    def counting(former=0, **settings):
        model, calls = net(), [former]

        def loss(z, y):
            calls[0] += 1
            return (1.0 if calls[0] <= 50 * len(TRAINING.xs) else 1.5) * cross_entropy(z, y)

        optimizer = Adam(model.parameters(), lr=0.01)
        history = fit(model, loss, TRAINING, optimizer=optimizer, backend=backend, **settings)
        assert calls == [history.points_seen[-1]]
        return history.loss, model.state_dict(), optimizer.state_dict()

    with pytest.warns(UserWarning, match="training goes on without replay.* changes") as warned:
        whole = counting(steps=60)
    with pytest.warns(UserWarning, match="training goes on without replay.* changes"):
        counting(steps=40, checkpoint=path)
    assert len(warned) == 1
    assert json.loads(path.read_text())["backend"] == "eager"
    assert counting(40 * len(TRAINING.xs), steps=60, resume=path) == whole


@pytest.mark.whole
@pytest.mark.some(32)
@pytest.mark.parametrize("backend", ["eager", *backends.NAMES])
@pytest.mark.parametrize("cut", [4, 5, 6, 40])
def test_a_run_whose_loss_reads_a_number_that_changes_goes_on_so(path, backend, cut):
    """A callback changes it: that counts at the next step, and no graph is built."""
    available(backend)

    def changing(backend=backend, held=1.0, **settings):
        model, scale = net(), [held]

        def change(step):
            scale[0] = 1.0 if step.step < 4 else 1.5

        history = fit(
            model,
            lambda z, y: scale[0] * cross_entropy(z, y),
            TRAINING,
            optimizer=Adam(model.parameters(), lr=0.01),
            callbacks=[change],
            backend=backend,
            **settings,
        )
        return history.loss

    whole = changing(steps=60)
    assert whole == pytest.approx(changing("eager", steps=60), rel=1e-9)
    changing(steps=cut, checkpoint=path)
    assert json.loads(path.read_text())["backend"] == backend
    assert changing(held=1.0 if cut < 5 else 1.5, steps=60, resume=path) == whole


def test_the_first_step_of_a_recording_is_that_of_its_kernel():
    """Else a resumed run, which records anew, would differ in the last bits."""
    pytest.importorskip("numpy")
    models = [net(), net()]
    for model, steps in zip(models, ([1] * 5, [5]), strict=True):
        for count in steps:
            fit(model, cross_entropy, TRAINING, lr=0.1, steps=count, backend="numpy")
    first, second = ([p.data for p in model.parameters()] for model in models)
    assert first == second


@pytest.mark.some(2)
@pytest.mark.parametrize("cut", [2, 5, 9])
def test_an_early_stop_remembers_what_it_saw(path, cut):
    def stopping(**settings):
        model = MLP(1, [1], "linear", seed=0)
        data = [[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0]
        options = {"lr": 0.02, "validation": ([[1.0]], [1.0]), "early_stop": 3, **settings}
        history = fit(model, mse, data, steps=options.pop("steps", 1000), **options)
        return [p.data for p in model.parameters()], history.loss, history.ended, len(history)

    whole = stopping()
    assert whole[2] == "early stop"
    stopping(steps=min(cut, whole[3] - 1), checkpoint=path)
    assert stopping(resume=path, checkpoint=path) == whole
    assert stopping(resume=path) == whole  # of a run that has stopped


@pytest.mark.parametrize("cut", [1, 3])
def test_an_early_stop_remembers_a_loss_of_minus_infinity(path, cut):
    """The logarithm of w, which goes from -1 to 0, and then towards 1."""

    def stopping(**settings):
        w = Value(-1.0)
        history = fit(
            lambda x: w * x,
            lambda z, y: (z - y) ** 2 if y else abs(z).log(),
            ([1.0], [1.0]),
            optimizer=SGD([w], lr=0.25),
            validation=([1.0], [0.0]),
            early_stop=5,
            **settings,
        )
        return w.data, history.validation_loss, history.ended

    whole = stopping(steps=9)
    assert (whole[0], whole[1][0], whole[2]) == (0.0, -math.inf, "early stop")
    stopping(steps=cut, checkpoint=path)
    assert stopping(steps=9, resume=path) == whole


def test_checkpoints_of_every_few_steps_and_of_the_end(path):
    seen = []

    def look(step):
        seen.append(len(json.loads(path.read_text())["history"]["step"]) if path.exists() else 0)

    fit(net(), cross_entropy, TRAINING, lr=0.1, steps=8, checkpoint=path, every=3, callbacks=[look])
    assert seen == [0, 0, 0, 3, 3, 3, 6, 6]
    assert len(json.loads(path.read_text())["history"]["step"]) == 8


def test_a_run_that_is_done_takes_no_more_steps(path):
    whole = run(batch_size=8, checkpoint=path)
    assert run(batch_size=8, resume=path) == whole
    model = net()
    with pytest.raises(ValueError, match="it has 12 steps already, which is more than the 5 asked"):
        run(steps=5, resume=path, batch_size=8, model=model)
    assert [p.data for p in model.parameters()] == [p.data for p in net().parameters()]


def test_without_callbacks_or_validation_nothing_else_happens(path):
    plain = {"validation": None}
    run(steps=7, checkpoint=path, every=2, **plain)
    assert run(resume=path, **plain) == run(**plain)


@pytest.mark.whole
def test_what_the_optimizer_moves_besides_the_model_is_kept(path):
    def both(**settings):
        model, scale = net(), Value(1.0)
        optimizer = Adam([*model.parameters(), scale], lr=0.01)
        history = fit(
            model,
            lambda z, y: cross_entropy([scale * part for part in z], y),
            TRAINING,
            optimizer=optimizer,
            penalty=lambda m: 0.01 * l2(m.parameters()),
            **settings,
        )
        return scale.data, [p.data for p in model.parameters()], history.loss

    both(steps=4, checkpoint=path)
    assert both(steps=9, resume=path) == both(steps=9)
    assert both(steps=9)[0] != 1.0


def test_losses_of_validation_data_that_are_not_finite(path):
    settings = {"validation": ([[1e200] * 4], [1e200]), "lr": 1e-3, "backend": "eager"}
    data = [[0.1, 0.2, 0.3, 0.4]], [0.5]
    whole = fit(MLP(4, [1], "linear", seed=1), mse, data, steps=6, **settings)
    assert math.inf in whole.validation_loss
    model = MLP(4, [1], "linear", seed=1)
    fit(model, mse, data, steps=3, checkpoint=path, **settings)
    again = fit(MLP(4, [1], "linear", seed=1), mse, data, steps=6, resume=path, **settings)
    assert again.validation_loss == whole.validation_loss


PROGRAM = """
import sys
sys.path[:0] = ["tests", "tests/helpers"]
from test_checkpoint import run
print(run(**eval(sys.argv[1])))
"""


def elsewhere(**settings):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, repr(settings)],
        capture_output=True,
        check=True,
        text=True,
        cwd=ROOT,
    )
    return done.stdout.strip()


@pytest.mark.whole
def test_another_process_goes_on_with_the_same_bits(path):
    run(steps=9, batch_size=8, checkpoint=path)
    assert elsewhere(batch_size=8, resume=str(path)) == str(run(batch_size=8))


# --- what does not fit ------------------------------------------------------------------------

OTHERS = {
    "model": ({"model": MLP(4, [5, 3], "tanh", seed=0)}, "its model is "),
    "activation": ({"model": MLP(4, [4, 3], "relu", seed=0)}, "its model is "),
    "optimizer": ({"optimizer": "sgd"}, r"its optimizer is 'Adam\(.*', here it is 'SGD\("),
    "settings": ({"optimizer": "adamw"}, "its optimizer is "),
    "batch size": ({"batch_size": 7}, "its batch_size is 20, here it is 7"),
    "replacement": ({"replacement": True}, "its replacement is False, here it is True"),
    "seed": ({"seed": 4}, "its seed is 3, here it is 4"),
    "validation": ({"validation": None}, "its validation differs: the same rows"),
    "schedule": (
        {"lr": cosine(0.06, STEPS)},
        r"its lr is 'cosine.<locals>.at\(.*lr=0.05, .*', here it is '.*lr=0.06, steps=12",
    ),
    "rate": ({"lr": 0.5}, "its lr is '.*', here it is 0.5"),
    "rate of the optimizer": ({"lr": None}, "its lr is '.*', here it is 0.01"),
    "penalty": ({"penalty": lambda m: l2(m.parameters())}, "its penalty is None, here it is"),
}


@pytest.mark.some(3)
@pytest.mark.parametrize("name", OTHERS)
def test_another_training_is_refused_and_nothing_changes(path, name):
    settings, message = OTHERS[name]
    run(steps=9, checkpoint=path)
    model = settings.get("model") or net()
    before = [p.data for p in model.parameters()]
    with pytest.raises(ValueError, match=message) as caught:
        run(resume=path, **{**settings, "model": model})
    assert str(caught.value).startswith(f"{path} is not a checkpoint of this training that ")
    assert [p.data for p in model.parameters()] == before


def weighted(loss, weight, z, y):
    return weight * loss(z, y)


def weighting(z, y, weight, offset):
    return weight * mse(z, y) + offset


class Weighted:
    """A loss that is an object."""

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, z, y):
        if isinstance(self.weight, list):
            return self.weight[0](z, y)
        return self.weight * mse(z, y)

    def call(self, z, y):
        return self(z, y)


class Slotted:
    __slots__ = ("weight",)

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, z, y):
        return self.weight * mse(z, y)


def made_class(operator, rate=1.0):
    """A class as if its file had been edited between two runs."""
    text = f"class Made:\n    rate = {rate}\n    def __call__(self, z, y):\n"
    text += f"        return self.rate * (z - y) ** 2 {operator} 2.0"
    scope = {"__name__": __name__}
    exec(text, scope)
    return scope["Made"]


def made_function(operator):
    scope = {"__name__": __name__}
    exec(f"def made(z, y):\n    return (z - y) ** 2 {operator} 2.0", scope)
    return scope["made"]


def twice(loss):
    @wraps(loss, updated=())
    def doubled(z, y):
        return 2 * loss(z, y)

    doubled.__qualname__ = "doubled"
    return doubled


def weighing(loss, weight):
    def inner(z, y):
        return weight * loss(z, y)

    return inner


PAIRS = {  # with the same name
    "numbers": (lambda z, y: 1e-4 * mse(z, y), lambda z, y: 10 * mse(z, y)),
    "names": (lambda z, y: 1 * mse(z, y), lambda z, y: 1 * mae(z, y)),
    "defaults": [lambda z, y, weight=weight: weight * mse(z, y) for weight in (1.0, 2.0)],
    "keywords": [lambda z, y, *, weight=weight: weight * mse(z, y) for weight in (1.0, 2.0)],
    "outer numbers": (weighing(mse, 1.0), weighing(mse, 2.0)),
    "outer functions": (weighing(mse, 1.0), weighing(mae, 1.0)),
    "numbers of partials": (partial(weighted, mse, 1.0), partial(weighted, mse, 2.0)),
    "functions of partials": (partial(weighted, mse, 1.0), partial(weighted, mae, 1.0)),
    "keywords of partials": (
        partial(weighting, weight=1.0, offset=2.0),
        partial(weighting, offset=1.0, weight=2.0),
    ),
    "tuples": [lambda z, y, ws=ws: ws[0] * mse(z, y) for ws in ((1.0,), (2.0,))],
    "lists": [lambda z, y, ws=ws: ws[0][-1] * mse(z, y) for ws in ([[0, 1.0]], [[0, 2.0]])],
    "dicts": [lambda z, y, ws=ws: ws["a"] * mse(z, y) for ws in ({"a": 1.0}, {"a": 2.0})],
    "constant tuples": (
        lambda z, y: (1.0, 2.0)[0] * mse(z, y),
        lambda z, y: (2.0, 2.0)[0] * mse(z, y),
    ),
    "operators": (lambda z, y: (z + y) ** 2, lambda z, y: (z - y) ** 2),
    "nested code": (
        lambda z, y: sum(map(lambda e: e * e, [z - y])),  # noqa: C417 (a function that people write)
        lambda z, y: sum(map(lambda e: e * e * e * e, [z - y])),  # noqa: C417 (a function that people write)
    ),
    "nested names": (
        lambda z, y: sum(map(lambda e: mse(z, e), [y])),  # noqa: C417 (a function that people write)
        lambda z, y: sum(map(lambda e: mae(z, e), [y])),  # noqa: C417 (a function that people write)
    ),
    "state": (Weighted(1.0), Weighted(2.0)),
    "state within state": (Weighted([Weighted(1.0)]), Weighted([Weighted(2.0)])),
    "state in slots": (Slotted(1.0), Slotted(2.0)),
    "methods": (Weighted(1.0).call, Weighted(2.0).call),
    "code of a method": (made_class("*")(), made_class("+")()),
    "a number in the class": (made_class("*", 1.0)(), made_class("*", 2.0)()),
    "what a decorator holds": (twice(Weighted(1.0)), twice(Weighted(2.0))),
    "Values": [lambda z, y, w=w: w * mse(z, y) for w in (Value(1.0), Value(2.0))],
    "bodies of named functions": (made_function("*"), made_function("+")),
}


@pytest.mark.whole
@pytest.mark.some(20)
@pytest.mark.parametrize("name", PAIRS)
def test_functions_of_one_name_are_told_apart(path, name):
    def taught(loss, **settings):
        model = MLP(1, [1], "linear", seed=0)
        return fit(model, loss, ([[1.0], [2.0]], [2.0, 4.0]), lr=0.01, **settings)

    loss, other = PAIRS[name]
    taught(loss, steps=2, checkpoint=path)
    with pytest.raises(ValueError, match=r"its loss is ['\"].*, here it is ['\"]") as caught:
        taught(other, steps=3, resume=path)
    there, here = re.search("its loss is (.*), here it is (.*)", str(caught.value)).groups()
    assert there != here
    assert taught(loss, steps=3, resume=path).loss == taught(loss, steps=3).loss


@pytest.mark.whole
def test_a_schedule_and_a_penalty_that_are_objects(path):
    class Penalty:
        def __init__(self, *shares):
            self.shares = shares

        def __call__(self, model):
            return self.shares[0] * l2(model.parameters())

    class Rate:
        def __init__(self, **settings):
            vars(self).update(settings)

        def __call__(self, step):
            return self.first / (1 + step)

    given = {"lr": Rate(first=0.1, more=[1]), "penalty": Penalty(0.01, 2)}
    run(steps=9, checkpoint=path, **given)
    assert run(resume=path, **given) == run(**given)
    again = {"lr": Rate(first=0.1, more=[1]), "penalty": Penalty(0.01, 2)}
    assert run(resume=path, **again) == run(**given)
    with pytest.raises(ValueError, match=r"its lr is '.*Rate\(first=0.1, .* it is '.*first=0.2"):
        run(resume=path, **{**given, "lr": Rate(first=0.2, more=[1])})
    with pytest.raises(ValueError, match=r"its lr is '.*more=\[1\].* it is '.*more=\[2\]"):
        run(resume=path, **{**given, "lr": Rate(first=0.1, more=[2])})
    with pytest.raises(ValueError, match=r"its penalty is '.*\[0.01, 2\].* is '.*\[0.02, 2\]"):
        run(resume=path, **{**given, "penalty": Penalty(0.02, 2)})


def test_a_model_of_other_settings(path):
    def trained(scale, **settings):
        return fit(Scaled(scale), mse, ([1.0, 2.0], [2.0, 4.0]), lr=0.01, **settings).loss

    trained(1.0, steps=2, checkpoint=path)
    with pytest.raises(ValueError, match=r"its model_state is '.*scale=1.0.* it is '.*scale=2.0"):
        trained(2.0, steps=4, resume=path)
    assert trained(1.0, steps=4, resume=path) == trained(1.0, steps=4)


def test_a_training_goes_on_with_the_objects_of_its_first_part(path):
    """As in a notebook: the weights are others by now, and a model may keep what it computed."""
    model, other = Scaled(1.0), Scaled(1.0)
    settings = {"data": ([1.0, 2.0], [2.0, 4.0]), "lr": 0.01, "backend": "eager"}
    whole = fit(other, mse, steps=6, penalty=Charge(other), **settings).loss
    penalty = Charge(model)
    fit(model, mse, steps=3, checkpoint=path, penalty=penalty, **settings)
    fit(model, mse, steps=2, penalty=penalty, **settings)
    assert fit(model, mse, steps=6, resume=path, penalty=penalty, **settings).loss == whole


def test_numbers_that_callbacks_set_may_be_those_of_the_start_or_of_the_file(path):
    def changing(start, **settings):
        model, held = net(), [start]
        history = fit(
            model,
            lambda z, y: held[0] * cross_entropy(z, y),
            TRAINING,
            lr=0.1,
            callbacks=[lambda step: held.__setitem__(0, 1.0 if step.step < 4 else 1.5)],
            backend="eager",
            **settings,
        )
        return history.loss

    whole = changing(1.0, steps=12)
    changing(1.0, steps=8, checkpoint=path)
    assert changing(1.5, steps=12, resume=path) == whole
    assert changing(1.0, steps=12, resume=path)[:8] == whole[:8]
    with pytest.raises(
        ValueError, match=r"its loss is .*held=\[1.0\].*, here it is .*held=\[2.5\]"
    ):
        changing(2.5, steps=12, resume=path)


class Scaled(Module):
    def __init__(self, scale):
        self.scale, self.w, self.seen = scale, Value(0.5), None

    def __call__(self, x):
        self.seen = self.w * x * self.scale
        return self.seen


class Charge:
    def __init__(self, model):
        self.model = model

    def __call__(self, model):
        return 0.01 * self.model.w


def test_what_a_callback_changed_goes_on(path):
    def turning(**settings):
        model = net()
        optimizer = SGD(model.parameters(), lr=0.1)

        def turn(step):
            if step.step == 2:
                optimizer.momentum = 0.9

        data = {"callbacks": [turn], "optimizer": optimizer, "backend": "python"}
        return fit(model, cross_entropy, TRAINING, **data, **settings).loss

    turning(steps=6, checkpoint=path)
    assert turning(steps=12, resume=path) == turning(steps=12)


def test_two_parameters_of_one_name(path):
    class Odd(Module):
        def __init__(self):
            self.optimizer = [Value(0.5)]

        def __call__(self, x):
            return self.optimizer[0] * x

    model, other = Odd(), Value(1.0)
    optimizer = SGD([*model.parameters(), other], lr=0.1)
    data, settings = ([1.0], [2.0]), {"optimizer": optimizer, "steps": 1}
    fit(model, lambda z, y: other * mse(z, y), data, **settings)
    with pytest.raises(ValueError, match=r"two parameters have the name 'optimizer\.0'"):
        fit(model, lambda z, y: other * mse(z, y), data, checkpoint=path, **settings)


# --- files of the version before --------------------------------------------------------------

FORMER = Path(__file__).with_name("former") / "checkpoint-1.json"  # of run(steps=9)


def test_a_file_of_version_1_goes_on():
    numbers, state, columns, ended = run(resume=FORMER)
    wanted = run()
    assert [float.fromhex(x) for x in numbers] == pytest.approx(
        [float.fromhex(x) for x in wanted[0]], rel=1e-12
    )
    assert (state["steps"], len(columns["step"]), ended) == (wanted[1]["steps"], 12, wanted[3])


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_version_1_does_not_go_on_as_another(name):
    settings, _ = OTHERS[name]
    with pytest.raises(ValueError, match=r"its \w+( \w+)* (is|differs)"):
        run(resume=FORMER, **settings)


def test_a_file_of_version_1_names_each_neuron_of_a_net(path):
    document = json.loads(FORMER.read_text())
    wide = "Layer of [" + ", ".join(["TanhNeuron(4)"] * 4) + "]"
    assert document["training"]["model"].startswith(f"MLP of [{wide}")
    assert counted(f"MLP of [{', '.join([wide] * 6)}]") == f"MLP of [6 x {wide}]"
    model = MLP(4, [7, 7, 5, 3], "tanh")
    written = [", ".join(map(repr, layer.neurons)) for layer in model.layers]
    assert counted(f"MLP of [{', '.join(f'Layer of [{w}]' for w in written)}]") == repr(model)


@pytest.mark.parametrize("name", ["eps", "weight_decay"])
def test_settings_of_version_1_that_are_not_those_of_the_start_are_said(path, name):
    document = json.loads(FORMER.read_text())
    document["optimizer"][name] = 0.125
    path.write_text(json.dumps(document))
    with pytest.warns(UserWarning, match=rf"goes on with Adam\(.*{name}=0.125.*training began"):
        run(resume=path)


def test_a_file_of_another_python(path, document):
    document["training"]["python"] = "cpython-310"
    document["training"]["loss"] += "#0123456789ab"
    del document["checksum"]
    path.write_text(json.dumps({**document, "checksum": _checksum(document)}))
    assert run(resume=path) == run()
    document["training"]["loss"] += "other"
    path.write_text(json.dumps({**document, "checksum": _checksum(document)}))
    with pytest.raises(ValueError, match=r"its loss is .* written by 'cpython-310': go on with it"):
        run(resume=path)


@pytest.mark.parametrize(
    ("count", "change", "message"),
    [
        (19, 0.0, "its examples is 20, here it is 19"),
        (20, 1e-9, "its data differs: the same rows"),
    ],
)
def test_other_data_is_refused(path, count, change, message):
    run(steps=9, checkpoint=path)
    model, data = net(), TRAINING.pick(range(count))
    data.xs[0] = [data.xs[0][0] + change, *data.xs[0][1:]]
    with pytest.raises(ValueError, match=message):
        fit(
            model,
            cross_entropy,
            data,
            steps=10,
            optimizer=Adam(model.parameters()),
            validation=ASIDE,
            seed=3,
            resume=path,
        )


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"run\.json"):
        run(resume=path)


def test_a_glance_gives_what_a_file_says_or_nothing(path):
    assert glance(None) == glance(path) == {}
    for text, said in (('{"version": 2}', {"version": 2}), ("[2]", {}), ("{", {})):
        path.write_text(text)
        assert glance(path) == said


def test_every_is_a_number_of_steps(path):
    with pytest.raises(ValueError, match="steps between checkpoints must be at least 1, got 0"):
        run(checkpoint=path, every=0)


# --- damaged files ----------------------------------------------------------------------------

FIRST = "layers.0.neurons.0.w.0"
DAMAGE = [
    (("format",), "brickgrad model", "expected format 'brickgrad checkpoint' version 2"),
    (("version",), 3, "version 3"),
    (("version",), 1, "the file expected the keys "),
    (("training_now",), [], "training_now expected an object"),
    (("training_now", "loss"), "mse", "its numbers are not those that were written"),
    (("checksum",), None, "checksum expected a string, got None"),
    (("checksum",), "0" * 64, "its numbers are not those that were written"),
    (("weights", "layers.0.neurons.0.w.0"), 0.5, "its numbers are not those that were written"),
    (("optimizer", "eps"), 0.1, "its numbers are not those .*: the file was changed since"),
    (("optimizer", "weight_decay"), 0.1, "its numbers are not those that were written"),
    (("optimizer", "lr"), 0.1, "its numbers are not those that were written"),
    (("history", "loss"), [0.5] * 9, "its numbers are not those that were written"),
    (("history", "accuracy"), [1e18] * 9, "accuracy expected a finite number .* at most 1"),
    (("history", "accuracy"), [-0.5] * 9, "accuracy expected a finite number of at least 0"),
    (("history", "validation_accuracy"), [2] * 9, "validation_accuracy expected .* at most 1"),
    (("version",), True, "version True"),
    (("extra",), 1, "the file expected the keys"),
    (("training",), [], "training expected an object"),
    (("training", "seed"), True, "its seed is True, here it is 3"),
    (("training", "seed"), None, "its seed is None, here it is 3"),
    (("training", "more"), 1, "training expected the keys"),
    (("backend",), "os.system", "no backend 'os.system'"),
    (("backend",), ["c"], "backend expected a string"),
    (("recorded",), {}, "recorded expected a list"),
    (("recorded",), [1], "each of recorded expected a string, got 1"),
    (("weights",), [], "weights expected an object"),
    (("weights", FIRST), True, f"{FIRST} expected a finite number, got True"),
    (("weights", FIRST), "0.5", f"{FIRST} expected a finite number, got '0.5'"),
    (("weights", FIRST), None, f"{FIRST} expected a finite number, got None"),
    (("weights", FIRST), [0.5], f"{FIRST} expected a finite number"),
    (("weights", FIRST), 10**400, f"{FIRST} expected a finite number"),
    (("weights", "w"), 0.5, "its weights are "),
    (("optimizer",), {}, "Adam expected "),
    (("optimizer", "k" * 5000), 1, "Adam expected "),
    (("optimizer", "lr"), -1, "lr expected a finite number of at least 0"),
    (("optimizer", "betas"), [0.9], "betas expected 2 numbers, got 1"),
    (("optimizer", "betas"), 0.9, "betas expected a list of numbers"),
    (("optimizer", "steps"), [1], "expected one steps for each of its 35 parameters, got 1"),
    (("optimizer", "steps"), [1.5] * 35, "steps expected whole numbers, got 1.5"),
    (("optimizer", "mean"), [True] * 35, "mean expected a finite number, got True"),
    (("optimizer", "mean"), "x" * 35, "mean expected a list of numbers"),
    (
        ("optimizer", "mean_square"),
        [-1.0] * 35,
        "mean_square expected a finite number of at least 0",
    ),
    (("early_stop", "lowest"), "low", "lowest expected a finite number"),
    (("early_stop", "looks_since"), -1, "looks_since expected a whole number from 0 on, got -1"),
    (("early_stop", "looks_since"), True, "looks_since expected a whole number from 0 on"),
    (("early_stop", "best"), [1.0], "best expected 35 numbers or none, got 1"),
    (("early_stop", "best"), None, "best expected a list"),
    (("history",), {}, "history expected the keys"),
    (("history", "loss"), [], "history expected the steps from 0 on"),
    (("history", "loss"), 5, "loss expected a list"),
    (("history", "loss"), ["1"] * 9, "loss expected a finite number, got '1'"),
    (("history", "step"), [0] * 9, "history expected the steps from 0 on"),
    (("history", "step"), [*range(1, 10)], "history expected the steps from 0 on"),
    (("history", "step"), [0.0] * 9, "step expected a whole number"),
    (("history", "accuracy"), [True] * 9, "accuracy expected a finite number .*, got True"),
    (("history", "seconds"), [-1] * 9, "seconds expected a finite number of at least 0"),
    (("history", "points_seen"), [2**0.5] * 9, "points_seen expected a whole number"),
    (("history", "validation_loss"), ["infinite"] * 9, "validation_loss expected a finite number"),
]


def refuses(path, message):
    model = net()
    before = [p.data for p in model.parameters()]
    with pytest.raises(ValueError, match=message) as caught:
        run(resume=path, model=model)
    assert str(caught.value).startswith(f"{path} is not a checkpoint")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 900
    assert [p.data for p in model.parameters()] == before


@pytest.mark.some(24)
@pytest.mark.parametrize(("where", "what", "message"), DAMAGE)
def test_documents_that_are_no_checkpoint(path, document, where, what, message):
    part = document
    for key in where[:-1]:
        part = part[key]
    part[where[-1]] = what
    path.write_text(json.dumps(document))
    refuses(path, message)


CONTENTS = {
    b"": "it is not JSON",
    b"{": "it is not JSON",
    b"\xff\xfe": "it is not JSON",
    b"\x80\x04}q\x00.": "it is not JSON",
    b"null": "the file expected an object",
    b'{"a": 1, "a": 1}': "the key 'a' stands there twice",
    b'{"a": NaN}': "expected finite numbers, got NaN",
    b'{"a": 1e999}': "expected a finite number, got inf",
    b"[" * 100_000: "recursion",
    b'{"a":' * 100_000: "recursion",
}


@pytest.mark.parametrize(("content", "message"), CONTENTS.items(), ids=range(len(CONTENTS)))
def test_contents_that_are_no_checkpoint(path, content, message):
    path.write_bytes(content)
    refuses(path, message)


POINTS, ANSWERS = [[0.0, 1.0], [1.0, 0.5], [2.0, 0.25], [-1.0, 3.0]], [0, 1, 1, 0]


def small():
    return MLP(2, [2, 2], "tanh", seed=0)


def go_on(model, optimizer, steps, **settings):
    """A training with all that a checkpoint can hold."""
    fit(
        model,
        cross_entropy,
        (POINTS, ANSWERS),
        steps=steps,
        batch_size=3,
        optimizer=OPTIMIZERS[optimizer](model.parameters()),
        lr=cosine(0.1, 20),
        validation=(POINTS[:2], ANSWERS[:2]),
        early_stop=3,
        backend="eager",
        **settings,
    )


def sealed(content):
    """With the checksum of what it says by now, so that the checks before that one are tried."""
    try:
        document = json.loads(content)
        document["checksum"] = _checksum(document)
        return json.dumps(document).encode()
    except (AttributeError, ValueError, TypeError, RecursionError):
        return content


MUTATIONS = {  # with counts, and the share of files that is accepted at least
    "their bytes": (mutated_bytes, (50, 200, 25_000), 0.0),
    "what their JSON says": (mutated_json, (50, 200, 12_500), 0.05),
}


@pytest.mark.some(4)
@pytest.mark.parametrize("optimizer", ["adam", "nesterov"])
@pytest.mark.parametrize("kind", MUTATIONS)
@pytest.mark.filterwarnings("ignore::nn.history.LossExploded")
def test_mutated_files_give_an_error_that_names_them_or_a_step(
    path, amount, figure, kind, optimizer
):
    """Nothing is executed; memory stays within 60 times the file and two runs without one.

    Two, since what Python keeps of a run, such as caches, differs from run to run. A file that
    takes more is tried again: a table of Python's own may have grown just then, which it does once.
    """
    mutated, counts, share = MUTATIONS[kind]
    before = small().state_dict()
    go_on(small(), optimizer, 6, checkpoint=path)
    good, rng, count = path.read_bytes(), random.Random(f"e3 {kind}"), amount(*counts)
    taken = 0
    alone = small()
    go_on(small(), optimizer, 7)  # what is kept for all runs is made here
    tracemalloc.start()
    go_on(alone, optimizer, 7)
    allowed = 2 * tracemalloc.get_traced_memory()[1]
    assert allowed < 300_000

    def tried(content):
        """The model after it, what was said, and the memory beyond 60 times the file."""
        model, refusal = small(), ""
        path.write_bytes(content)
        tracemalloc.reset_peak()
        start = tracemalloc.get_traced_memory()[0]
        try:
            with nothing_executed():
                go_on(model, optimizer, 7, resume=path)
        except DivergedError:
            pass
        except ValueError as error:
            refusal = str(error)
        return model, refusal, tracemalloc.get_traced_memory()[1] - start - 60 * len(content)

    for k in range(count):
        content = mutated(good, rng)
        content = sealed(content) if k % 4 else content
        model, refusal, used = tried(content)
        assert used < allowed or tried(content)[2] < allowed
        taken += not refusal
        if refusal:
            assert refusal.startswith(f"{path} is not a checkpoint of this training")
            assert len(refusal) < 5000
            assert model.state_dict() == before
        assert all(map(math.isfinite, model.state_dict().values()))
    tracemalloc.stop()
    assert share * count <= taken < count / 2
    figure("e3", f"checkpoints mutated in {kind}: raw errors, code run, memory", count)
    figure("e3", f"of those by {kind}: accepted, and trained on", taken)
