import decimal
import math
import random
import threading
import warnings

import pytest

from engine.functions import exp, softmax
from engine.modes import detect_anomaly, no_grad
from engine.replay import backends
from engine.replay.compare import ReplayError
from engine.replay.recorder import Recorder
from engine.replay.replay import Replay
from engine.value import Value
from nn import rows as rows_module
from nn.loss import binary_cross_entropy, cross_entropy, hinge, mae, mse
from nn.module import MLP, Layer, Module, Neuron
from nn.rows import EachRow

BACKENDS = [name for name in backends.NAMES if backends._runs(name)]
SIZE = 8  # rows of a block here


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(rows_module, "MOST", SIZE)
    monkeypatch.setattr(rows_module, "PAYS", 2)


@pytest.fixture
def recordings(monkeypatch):
    """How often something was recorded."""
    made = []
    record = Recorder.record

    def noted(self, *arguments, **settings):
        made.append(self)
        return record(self, *arguments, **settings)

    monkeypatch.setattr(Recorder, "record", noted)
    return made


def numbers(count, width, seed=0):
    rng = random.Random(seed)
    return [[rng.gauss(0, 1) for _ in range(width)] for _ in range(count)]


def plain(result):
    """A result with numbers in the places of Values, by another way than that of the rows."""
    if isinstance(result, Value):
        return result.data
    if isinstance(result, dict):
        return {key: plain(part) for key, part in result.items()}
    if isinstance(result, list | tuple):
        return type(result)([plain(part) for part in result])
    return result


def expected(function, *columns):
    return [plain(function(*row)) for row in zip(*columns, strict=True)]


def flat(result):
    if isinstance(result, dict):
        return flat([*result.keys(), *result.values()])
    if isinstance(result, list | tuple):
        return [type(result), len(result), *(x for part in result for x in flat(part))]
    return [result]


def close(found, wanted):
    """Whether two results have one form, and numbers that are equal but for rounding."""
    pairs = list(zip(flat(found), flat(wanted), strict=True))
    return all(
        math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-14) if isinstance(b, float) else a == b
        for a, b in pairs
    )


# --- models of all kinds ----------------------------------------------------------------------


class Branching(Module):
    """Asks how large an input is."""

    def __init__(self):
        self.w, self.v = Value(0.5), Value(-1.5)

    def __call__(self, x):
        return self.w * x[0] if x[1] > 0 else self.v * x[1]


class Named(Module):
    """Takes a dict, and gives one."""

    def __init__(self):
        self.w = Value(0.5)

    def __call__(self, x):
        return {"first": self.w * x["a"], "list": [x["b"] * self.w, (x["a"] * x["b"], None)]}


class Remembers(Module):
    """Sets at each call what it computed."""

    def __init__(self):
        self.w, self.hidden = Value(0.7), None

    def __call__(self, x):
        self.hidden = exp(self.w * x[0])
        return self.hidden * x[1]


class Lazy(Module):
    """Built when first called."""

    def __init__(self):
        self.layer = None

    def __call__(self, x):
        if self.layer is None:
            self.layer = Layer(len(x), 2, seed=3)
        return self.layer(x)


class Total(Module):
    """Of any number of inputs."""

    def __init__(self):
        self.w = Value(0.3)

    def __call__(self, x):
        return sum(self.w * number for number in x)


def pair(model):
    def both(x):
        first, second = model(x)
        return first, [second * 2, "words", 3, None, first * second]

    return both


def chances_of(model):
    return lambda x: softmax(model(x))


MODELS = {
    "one output": MLP(3, [5, 1], "tanh", seed=0),
    "several outputs": MLP(3, [5, 4], seed=0),
    "a neuron": Neuron(3, activation="sigmoid", seed=0),
    "a layer": Layer(3, 2, "tanh", seed=0),
    "products and sums": MLP(3, [4, 2], fused=False, seed=0),
    "a branch": Branching(),
    "a tuple of more than numbers": pair(Layer(3, 2, seed=1)),
    "chances": chances_of(Layer(3, 3, seed=2)),
    "it sets": Remembers(),
    "built late": Lazy(),
    "a sum": Total(),
}


@pytest.mark.some(36)
@pytest.mark.parametrize("count", [1, 2, 3, SIZE, SIZE + 1, SIZE + 2, 2 * SIZE + 1, 5 * SIZE + 3])
@pytest.mark.parametrize("backend", BACKENDS)
def test_blocks_have_the_numbers_of_the_rows(backend, count):
    for name, model in MODELS.items():
        xs = numbers(count, 3)
        wanted = expected(model, xs)
        found = EachRow(model, backend)(xs, before=1000)
        assert close(found, wanted), name
        if backend == "python":
            assert repr(found) == repr(wanted), name


@pytest.mark.some(9)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("loss", "outputs", "target"),
    [
        (mse, 1, math.sin),
        (mse, 2, lambda k: [math.sin(k), 0.5]),
        (mae, 1, math.cos),
        (hinge, 1, lambda k: 1.0 - 2 * (k % 2)),
        (binary_cross_entropy, 1, lambda k: float(k % 2)),
        (cross_entropy, 3, lambda k: [float(k % 3 == i) for i in range(3)]),
        (cross_entropy, 3, lambda k: k % 3),
        (lambda output, y: abs(output - y) ** 3, 1, math.sin),
        (lambda output, y: (output - y) ** 2 if output > y else y - output, 1, lambda k: 0.1),
    ],
)
def test_blocks_have_the_losses_of_the_rows(backend, loss, outputs, target):
    model = MLP(3, [4, outputs], "tanh", seed=1)
    xs, ys = numbers(45, 3), [target(k) for k in range(45)]

    def judge(x, y):
        output = model(x)
        return loss(output, y), output

    found = EachRow(judge, backend)(xs, ys)
    wanted = expected(judge, xs, ys)
    assert close(found, wanted)
    if backend == "python":
        assert repr(found) == repr(wanted)


def test_rows_that_are_dicts():
    xs = [{"a": a, "b": b} for a, b in numbers(50, 2)]
    assert close(EachRow(Named())(xs), expected(Named(), xs))


def test_ragged_rows_are_computed_row_by_row(recordings):
    rng = random.Random(1)
    xs = [[rng.random() for _ in range(rng.randrange(1, 9))] for _ in range(100)]
    assert EachRow(Total())(xs) == expected(Total(), xs)
    assert not recordings


def test_integers_that_are_computed_with_are_recorded_once_in_vain(recordings):
    rng = random.Random(1)
    xs = [[rng.randrange(9), rng.randrange(9), rng.randrange(9)] for _ in range(100)]
    assert close(EachRow(Total())(xs), expected(Total(), xs))
    assert len(recordings) == 1


def test_runs_of_rows_of_one_length_are_recorded_for_each_length(recordings):
    xs = [row for width in (2, 3, 4) for row in numbers(100, width)]
    each = EachRow(Total())
    assert close(each(xs), expected(Total(), xs))
    assert len(recordings) == 3


def test_what_is_no_number_comes_as_it_is():
    class Answer:
        def __init__(self, value):
            self.value = value

    w = Value(2.0)
    found = EachRow(lambda x: Answer(w * x))([1.0] * 50)
    assert [answer.value.data for answer in found] == [2.0] * 50
    assert EachRow(lambda x: x + 1)([1.0] * 50) == [2.0] * 50
    assert EachRow(lambda x: "word")([1.0] * 50) == ["word"] * 50
    assert EachRow(lambda x: w)([1.0] * 50) == [2.0] * 50


def test_things_that_are_no_arguments_of_a_replay(recordings):
    class Thing:
        __hash__ = None

        def __init__(self, number):
            self.number = number

    w = Value(2.0)
    xs = [Thing(float(k)) for k in range(50)]
    assert EachRow(lambda x: w * x.number)(xs) == [2.0 * k for k in range(50)]
    assert not recordings


def test_no_rows():
    assert EachRow(Total())([]) == []


# --- what happens happens once, in order ------------------------------------------------------


def test_counts_are_those_of_one_call_a_row():
    class Counts(Total):
        def __init__(self):
            super().__init__()
            self.calls, self.seen = 0, []

        def __call__(self, x):
            self.calls += 1
            self.seen.append(x[0] * 1)
            return super().__call__(x) * self.calls

    model, again, xs = Counts(), Counts(), numbers(60, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = EachRow(model)(xs)
    assert found == expected(again, xs)
    assert model.calls == 60
    assert list(map(plain, model.seen)) == [x[0] for x in xs]


def test_random_numbers_are_drawn_in_order():
    def model(rng):
        w = Value(2.0)
        return lambda x: w * x * rng.random()

    xs = [float(k) for k in range(60)]
    assert EachRow(model(random.Random(5)))(xs) == expected(model(random.Random(5)), xs)


def test_a_random_choice_in_the_model_alone():
    random.seed(7)
    model = MLP(2, [3, 1], seed=0)

    def dropped(x):
        return model([number if random.random() < 0.5 else 0.0 for number in x])

    xs = numbers(60, 2)
    found = EachRow(dropped)(xs)
    random.seed(7)
    assert found == expected(dropped, xs)


def test_prints_come_once_for_each_row(capsys):
    w = Value(2.0)

    def model(x):
        result = w * x
        print(f"row {x:g}")
        return result

    EachRow(model)([float(k) for k in range(60)])
    assert capsys.readouterr().out.splitlines() == [f"row {k}" for k in range(60)]


def test_an_error_comes_at_its_row():
    w, seen = Value(2.0), []

    def model(x):
        seen.append(x)
        if x > 40:
            raise ValueError("too large")
        return w * x

    with pytest.raises(ValueError, match=r"^too large$"):
        EachRow(model)([float(k) for k in range(60)])
    assert [float(plain(x)) for x in seen] == [float(k) for k in range(42)]


def test_what_a_model_sets_is_that_of_the_last_row():
    for count in (1, 20, 5 * SIZE + 1, 5 * SIZE + 5):
        model, again, xs = Remembers(), Remembers(), numbers(count, 2)
        EachRow(model)(xs)
        expected(again, xs)
        assert math.isclose(model.hidden.data, again.hidden.data, rel_tol=1e-14)


def test_a_layer_that_is_built_when_first_called_is_built_once():
    model, xs = Lazy(), numbers(60, 3)
    found = EachRow(model)(xs)
    assert close(found, expected(model, xs))


def test_a_cache_keeps_its_numbers():
    class Cached(Module):
        def __init__(self):
            self.w, self.kept = Value(3.0), {}

        def __call__(self, x):
            key = "double"
            if key not in self.kept:
                self.kept[key] = 2.0
            return self.w * x * self.kept[key]

    assert EachRow(Cached())([1.0] * 60) == [6.0] * 60


# --- the world changes ------------------------------------------------------------------------


def test_a_recording_is_made_once_and_sees_what_changes(recordings):
    model, xs = MLP(3, [4, 1], seed=0), numbers(60, 3)
    each = EachRow(model)
    first = each(xs)
    assert each(xs) == first
    assert each(xs[:30]) == first[:30]
    for parameter in model.parameters():
        parameter.data += 0.25
    assert close(each(xs), expected(model, xs))
    assert len(recordings) == 1
    model.layers[1].neurons[0].w[2] = Value(5.0)
    assert close(each(xs), expected(model, xs))
    model.layers[0].neurons[0].nonlin = False
    assert close(each(xs), expected(model, xs))


def test_the_same_rows_give_the_same_numbers_in_each_run():
    model, xs = MLP(3, [4, 1], "tanh", seed=0), numbers(60, 3)
    first = EachRow(model)(xs)
    each = EachRow(model)
    each(xs[:40])
    assert each(xs) == first == each(xs)


def test_few_rows_are_not_recorded(recordings):
    each, xs = EachRow(Total()), numbers(2 * SIZE, 3)
    assert each(xs[:-1]) == expected(Total(), xs[:-1])
    assert not recordings
    each(xs[:-1], before=1)
    assert len(recordings) == 1


def test_eager_is_never_recorded(recordings):
    xs = numbers(60, 3)
    assert EachRow(Total(), "eager")(xs) == expected(Total(), xs)
    assert not recordings


def test_inside_a_mode_rows_are_computed_one_by_one(recordings):
    each, xs = EachRow(MODELS["one output"]), numbers(60, 3)
    with detect_anomaly():
        assert each(xs) == expected(MODELS["one output"], xs)
    assert not recordings
    with no_grad():
        found = each(xs)
    assert len(recordings) == 1
    assert close(found, expected(MODELS["one output"], xs))
    nothing = EachRow(lambda x: Value(0.0).log())
    with detect_anomaly(), pytest.raises(FloatingPointError):
        nothing(xs)


def test_a_model_that_is_a_replay_itself():
    model = Replay(MODELS["several outputs"])
    xs = numbers(60, 3)
    assert close(EachRow(model)(xs), expected(MODELS["several outputs"], xs))


def test_rows_in_a_function_that_is_recorded():
    w = Value(2.0)
    each = EachRow(lambda x: w * x)
    with pytest.raises(ReplayError, match=r"looks at the \.data of a Value"):
        Replay(lambda x: x * sum(each([1.0] * 60)))(1.5)


def test_what_no_guard_sees_is_found_by_comparison_and_computed_anew():
    w, precision = Value(2.0), decimal.getcontext().prec

    def model(x):
        return w * x * (3.0 if decimal.getcontext().prec == 77 else 1.0)

    each, xs = EachRow(model), [float(k) for k in range(100)]
    assert each(xs) == [2.0 * x for x in xs]
    decimal.getcontext().prec = 77
    with pytest.warns(UserWarning, match="^rows are computed anew without replay") as seen:
        found = each(xs * 4)
    assert found == [6.0 * x for x in xs * 4]
    assert seen[0].filename == __file__
    assert each(xs) == [6.0 * x for x in xs]
    decimal.getcontext().prec = precision


def test_two_threads_at_once():
    model, xs = MLP(3, [6, 1], "tanh", seed=0), numbers(200, 3)
    each, found = EachRow(model), []
    wanted = each(xs)

    def work():
        found.extend([each(xs) for _ in range(5)])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 15


# --- slopes -----------------------------------------------------------------------------------


@pytest.mark.some(3)
@pytest.mark.parametrize("backend", ["eager", *BACKENDS])
@pytest.mark.parametrize("count", [1, 3, SIZE, SIZE + 1, 5 * SIZE + 3])
def test_slopes_are_those_of_the_rows(backend, count):
    model = MLP(3, [4, 2], "tanh", seed=0)
    xs, ys = numbers(count, 3), [[float(k % 2), 1.0 - k % 2] for k in range(count)]

    def judge(x, y):
        output = model(x)
        return cross_entropy(output, y), output

    wanted = []
    for x, y in zip(xs, ys, strict=True):
        inputs = [Value(number) for number in x]
        judge(inputs, y)[0].backward()
        wanted.append([v.grad for v in inputs])
    for parameter in model.parameters():
        parameter.zero_grad()
    each = EachRow(judge, backend, has_slopes=True)
    assert close(each.slopes(xs, ys), wanted)
    assert close(each(xs, ys), expected(judge, xs, ys))
    assert close(each.slopes(xs, ys), wanted)
    assert not any(p.has_grad for p in model.parameters())


def test_slopes_of_ragged_rows_and_of_inputs_that_play_no_part():
    w = Value(3.0)
    xs = [[1.0, 2.0], *[[float(k)] for k in range(60)]]
    found = EachRow(lambda x: w * x[0] * x[0], has_slopes=True).slopes(xs)
    assert found == [[6.0, 0.0], *[[6.0 * k] for k in range(60)]]


@pytest.mark.parametrize(
    ("missing", "want"),
    [((), "numpy"), (("numpy",), "wasm"), (("numpy", "wasm"), "python")],
)
def test_rows_run_by_what_is_there_and_never_by_a_compiler(missing, want, monkeypatch):
    runs = backends._runs
    if not all(map(runs, ("numpy", "wasm"))):
        pytest.skip("needs NumPy and wasmtime")
    monkeypatch.setattr(backends, "_runs", lambda name: name not in missing and runs(name))
    w, xs = Value(3.0), [k / 7 for k in range(40)]
    each = EachRow(lambda x: (w * x).tanh() - x)
    assert each(xs) == pytest.approx([math.tanh(3.0 * x) - x for x in xs], rel=1e-14, abs=1e-16)
    assert each._replay.backend == want
