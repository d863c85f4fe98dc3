"""Programs as people write them are replayed, and not refused, whatever stands around them.

Each of PROGRAMS makes a function, its parameters and what changes before a call, all anew; it runs
25 times by replay beside the plain function. One of them is `-k lru_cache`.
"""

import collections
import contextlib
import copy
import cProfile
import dataclasses
import enum
import functools
import itertools
import logging
import math
import operator
import random
import sys
import threading
import time
import types
import typing
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import pytest
from worlds import difference, seen

import engine
from engine import Value, replay
from engine.replay import backends
from nn import MLP, SGD, Adam, Layer, Module, Neuron, cross_entropy, fit, hinge, l2, mse

CALLS = 25
BACKENDS = [name for name in backends.NAMES if backends._runs(name)]
XS = [[0.5, -1.0], [1.5, 0.25]]
SCALE = 1.5  # a constant of this module
LOG = logging.getLogger("brickgrad.tests.ordinary")


class Program(NamedTuple):
    """A function, its parameters, and what is done before a call, counted from 1."""

    f: Callable[..., Any]
    parameters: Callable[[], list[Value]]  # those that there are by now
    change: Callable[[int], object] = id
    given: Callable[[int], tuple[Any, ...]] = lambda call: (numbers(call),)
    look: Callable[[], object] = lambda: None  # what else can be seen after a call


def numbers(call: int) -> list[list[float]]:
    return [[x + 0.125 * (call % 4) for x in row] for row in XS]


PROGRAMS: dict[str, tuple[Callable[[], Program], int]] = {}


def program(made: int = 1) -> Callable[[Callable[[], Program]], Callable[[], Program]]:
    """Adds to the table a maker of a program, and how many recordings a person would expect."""

    def add(make: Callable[[], Program]) -> Callable[[], Program]:
        PROGRAMS[make.__name__] = make, made
        return make

    return add


def total(outputs: Any) -> Any:
    return sum(outputs) / len(outputs)


def net(**settings: Any) -> MLP:
    return MLP(2, [3, 1], "tanh", seed=1, **settings)


def of(model: Any, around: Callable[[Any, Any], Any] | None = None) -> Program:
    """The mean of a model's outputs; `around(x, model)` where it is called in another way."""

    def f(xs):
        return total([around(x, model) if around else model(x) for x in xs])

    return Program(f, model.parameters)


# --- what stands around -------------------------------------------------------------------------


@program()
def a_logger_at_a_disabled_level():
    model = net()

    def loss(xs):
        LOG.debug("a batch of %d", len(xs))
        return total([model(x) for x in xs])

    return Program(loss, model.parameters)


@program()
def a_logger_asked_for_its_level():
    model = net()

    def loss(xs):
        if LOG.isEnabledFor(logging.DEBUG):
            LOG.debug("a batch")
        logging.debug("another")
        return total([model(x) for x in xs])

    return Program(loss, model.parameters)


@program()
def a_logger_in_scope_only():
    model, log = net(), logging.getLogger("other")

    def loss(xs, chatty=False):
        if chatty:
            log.warning("a batch of %d", len(xs))
        return total([model(x) for x in xs])

    return Program(loss, model.parameters, lambda call: log.setLevel(10 + call))


@program()
def a_bar_in_scope():
    tqdm = pytest.importorskip("tqdm")
    model, bar = net(), tqdm.tqdm(total=CALLS, disable=True)

    def loss(xs):
        if bar.n > 1e9:
            bar.write("done")
        return total([model(x) for x in xs])

    return Program(loss, model.parameters)


@program()
def a_bar_that_goes_on_outside():
    tqdm = pytest.importorskip("tqdm")
    model, box = net(), types.SimpleNamespace(bar=tqdm.tqdm(total=CALLS, disable=True))
    box.model = model
    return Program(
        lambda xs: total([box.model(x) for x in xs]),
        model.parameters,
        lambda _: box.bar.update(),
    )


class Locked(Module):
    def __init__(self):
        self.w, self.lock = Value(1.5), threading.Lock()

    def __call__(self, x):
        with self.lock:
            return self.w * x[0] * x[1]


@program()
def a_lock():
    return of(Locked())


@program()
def a_lock_that_can_be_taken_again():
    model, lock = net(), threading.RLock()

    def loss(xs):
        with lock:
            return total([model(x) for x in xs])

    return Program(loss, model.parameters)


class Frame:
    """A table as pandas has it: it answers all attributes and compares item by item."""

    def __init__(self, **columns):
        self.__dict__["_columns"] = columns

    def __getattr__(self, name):
        try:
            return self.__dict__["_columns"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name):
        return self._columns[name]

    def __eq__(self, other):
        return Frame(**dict.fromkeys(self._columns))

    def __bool__(self):
        raise ValueError("the truth value of a Frame is ambiguous")

    __hash__ = None

    def __len__(self):
        return len(next(iter(self._columns.values())))


@program()
def a_table_in_scope():
    model, table = net(), Frame(a=[1.0] * 1000, b=[2.0] * 1000)

    def loss(xs):
        if len(xs) > 1e9:
            return table.a
        return total([model(x) for x in xs])

    return Program(loss, model.parameters)


@program()
def a_table_that_is_read():
    model, table = net(), Frame(scale=[2.0, 3.0])
    return Program(lambda xs: total([model(x) * table["scale"][1] for x in xs]), model.parameters)


@program()
def a_data_frame_in_scope():
    pandas = pytest.importorskip("pandas")
    model, log = net(), pandas.DataFrame({"call": [0.0]})

    def write(call):
        log.loc[len(log)] = float(call)

    def loss(xs):
        if len(xs) > 1e9:
            write(len(xs))
        return total([model(x) for x in xs])

    return Program(loss, model.parameters, write)


@program()
def a_trainer_with_everything_in_it():
    class Trainer:
        def __init__(self):
            self.model, self.history, self.started = net(), [], time.time()
            self.log, self.lock, self.rng = LOG, threading.Lock(), random.Random(1)
            self.optimizer = SGD(self.model.parameters(), lr=0.1)
            self.loss_of, self.best, self.step = mse, math.inf, 0

        def loss(self, xs):
            return total([self.loss_of(self.model(x), 1.0) for x in xs])

        def after(self, call):
            self.step += 1
            self.history.append(self.rng.random())
            self.best = min(self.best, self.history[-1])

    trainer = Trainer()
    return Program(trainer.loss, trainer.model.parameters, trainer.after)


@program()
def random_in_the_constructor_only():
    class Noisy(Module):
        def __init__(self):
            self.rng = random.Random(3)
            self.w = [Value(self.rng.gauss(0, 1)) for _ in range(2)]

        def __call__(self, x):
            return engine.dot(self.w, x)

    return of(Noisy())


@program()
def time_imported_and_not_called():
    model = net()

    def loss(xs, timed=False):
        start = time.perf_counter() if timed else 0.0
        return total([model(x) for x in xs]) + 0.0 * start

    return Program(loss, model.parameters)


@program(made=2)
def dropout_that_is_off():
    class Dropout(Module):
        def __init__(self):
            self.inner, self.rate, self.training = net(), 0.5, False
            self.rng = random.Random(1)

        def __call__(self, x):
            if self.training and self.rng.random() < self.rate:
                return 0.0 * self.inner(x)
            return self.inner(x)

    return of(Dropout())


@program()
def warnings_in_scope():
    model = net()

    def loss(xs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return total([model(x) for x in xs])

    return Program(loss, model.parameters)


@program()
def a_warning_in_a_branch_not_taken():
    model = net()

    def loss(xs):
        if not xs:
            warnings.warn("an empty batch", stacklevel=2)
        return total([model(x) for x in xs])

    return Program(loss, model.parameters)


# --- what is built or kept on the way -----------------------------------------------------------


@program(made=2)
def a_layer_built_in_the_first_call():
    class Lazy(Module):
        def __init__(self):
            self.scale, self.layer = Value(0.5), None

        def __call__(self, x):
            if self.layer is None:
                self.layer = Layer(len(x), 1, activation="tanh", seed=1)
            return self.layer(x)[0] * self.scale

    model = Lazy()
    return Program(lambda xs: total([model(x) for x in xs]), model.parameters)


@program(made=4)
def a_dict_cache_by_length():
    model, masks = net(), {}

    def weights(n):
        if n not in masks:
            masks[n] = [1.0 / (1 + k) for k in range(n)]
        return masks[n]

    def loss(xs):
        return sum(a * model(x) for a, x in zip(weights(len(xs)), xs, strict=True))

    rows = lambda call: ((numbers(call) * 2)[: 2 + call % 2],)
    return Program(loss, model.parameters, given=rows)


@program(made=2)
def an_lru_cache():
    model = net()

    @functools.lru_cache
    def factors(n):
        return tuple(math.sqrt(k + 1) for k in range(n))

    def loss(xs):
        return sum(a * model(x) for a, x in zip(factors(len(xs)), xs, strict=True))

    return Program(loss, model.parameters)


@program(made=2)
def a_cached_property():
    class Scaled(Module):
        def __init__(self):
            self.w, self.width = Value(1.5), 4

        @functools.cached_property
        def scale(self):
            return 1 / math.sqrt(self.width)

        def __call__(self, x):
            return self.w * x[0] * self.scale

    return of(Scaled())


@program(made=2)
def hidden_numbers_kept():
    class Hidden(Module):
        def __init__(self):
            self.inner, self.out, self.hidden = Layer(2, 3, seed=1), Neuron(3, seed=2), None

        def __call__(self, x):
            self.hidden = self.inner(x)
            return self.out(self.hidden)

    model = Hidden()
    return of(model)._replace(look=lambda: model.hidden)


@program()
def a_step_counter_that_nobody_reads():
    model = net()
    box = types.SimpleNamespace(model=model, step=0)

    def count(_):
        box.step += 1

    return Program(lambda xs: total([box.model(x) for x in xs]), model.parameters, count)


@program(made=3)
def annealing():
    model = net()
    box = types.SimpleNamespace(beta=1.0)

    def anneal(_):
        box.beta *= 0.9

    return Program(
        lambda xs: total([model(x) for x in xs]) + box.beta * l2(model.parameters()),
        model.parameters,
        anneal,
    )


@program(made=3)
def train_and_eval():
    class Net(Module):
        training = True

        def __init__(self):
            self.inner = net()

        def train(self, on=True):
            self.training = on

        def __call__(self, x):
            return self.inner(x) * (0.5 if self.training else 1.0)

    model = Net()
    return of(model)._replace(change=lambda call: model.train(call % 3 > 0))


# --- ways to write it ---------------------------------------------------------------------------


@dataclasses.dataclass
class Line(Module):
    slope: Value
    offset: Value
    scale: float = 2.0
    names: list[str] = dataclasses.field(default_factory=list)

    def __call__(self, x: list[float]) -> Value:
        z: Value = self.slope * x[0] * self.scale + self.offset
        return z


@program()
def a_dataclass():
    return of(Line(Value(1.5), Value(0.5)))


class Config(NamedTuple):
    width: int = 3
    rate: float = 0.25
    activation: str = "tanh"


@program()
def a_named_tuple_of_settings():
    config, model = Config(), net()

    def loss(xs):
        width, rate, _ = config
        return total([model(x) for x in xs]) * rate + config.rate * width

    return Program(loss, model.parameters)


class Mode(enum.Enum):
    MEAN = "mean"
    SUM = "sum"


class Kinds(enum.IntFlag):
    A = 1
    B = 2


@program()
def an_enum():
    model, mode, kinds = net(), Mode.MEAN, Kinds.A | Kinds.B

    def loss(xs):
        z = sum(model(x) for x in xs)
        z = z / len(xs) if mode is Mode.MEAN else z
        return z * 2 if Kinds.B in kinds else z

    return Program(loss, model.parameters)


class Base(Module, ABC):
    gain: ClassVar[float] = 2.0

    def __init__(self):
        self.w = Value(1.5)

    @abstractmethod
    def inner(self, x): ...

    def __call__(self, x):
        return self.inner(x) * self.gain


class Child(Base):
    def __init__(self):
        super().__init__()
        self.v = Value(0.5)

    def inner(self, x):
        return self.w * x[0] + self.v

    def __call__(self, x):
        return super().__call__(x) + self.v


@program()
def inheritance():
    return of(Child())


class Properties(Module):
    def __init__(self):
        self.w, self._scale = Value(1.5), 2.0

    @property
    def scale(self):
        return self._scale

    @scale.setter
    def scale(self, x):
        self._scale = x

    @staticmethod
    def squared(z):
        return z * z

    @classmethod
    def named(cls):
        return cls.__name__

    def __call__(self, x):
        return self.squared(self.w * x[0]) * self.scale * len(self.named())


@program()
def properties_and_methods_of_all_kinds():
    return of(Properties())


@program()
def closures_made_in_loops():
    ws = [Value(0.5 * k) for k in range(1, 4)]
    layers = [(lambda x, w=w: w * x) for w in ws] + [functools.partial(operator.mul, w) for w in ws]

    def loss(xs):
        return sum(layer(x) for layer in layers for row in xs for x in row)

    return Program(loss, lambda: ws)


@program()
def a_partial():
    model = net()

    def loss(model, scale, xs, *, offset):
        return total([model(x) for x in xs]) * scale + offset

    return Program(functools.partial(loss, model, 2.0, offset=1.0), model.parameters)


@program()
def a_model_in_a_module():
    module = types.ModuleType("ordinary_model")
    module.model, module.SCALE = net(), 2.0
    sys.modules["ordinary_model"] = module
    return Program(
        lambda xs: total([module.model(x) for x in xs]) * module.SCALE * SCALE,
        module.model.parameters,
    )


@program()
def asserts_and_messages_not_needed():
    model = net()

    def loss(xs):
        assert len(xs) == 2, f"expected 2 rows, got {len(xs)}: {xs}"
        if any(len(x) != 2 for x in xs):
            raise ValueError(f"rows of {[len(x) for x in xs]} numbers for {model}")
        return total([model(x) for x in xs])

    return Program(loss, model.parameters)


@program()
def tries():
    model = net()

    def loss(xs):
        try:
            scale = {"a": 2.0}["b"]
        except KeyError:
            scale = 3.0
        else:
            scale = 4.0
        finally:
            scale_ = 1.0
        with contextlib.suppress(IndexError):
            scale = xs[7][0]
        return total([model(x) for x in xs]) * scale * scale_

    return Program(loss, model.parameters)


@contextlib.contextmanager
def scaled(by: float) -> Iterator[float]:
    yield by * 2.0


@program()
def a_context_manager():
    model = net()

    def loss(xs):
        with scaled(1.5) as scale, contextlib.nullcontext(2.0) as more:
            return total([model(x) for x in xs]) * scale * more

    return Program(loss, model.parameters)


@program()
def a_match():
    model, how = net(), ("scaled", 2.0)

    def loss(xs):
        z = total([model(x) for x in xs])
        match how:
            case ("scaled", float(by)):
                return z * by
            case ("shifted", by):
                return z + by
        return z

    return Program(loss, model.parameters)


@program()
def comprehensions():
    model = net()

    def loss(xs):
        by_place = {k: model(x) for k, x in enumerate(xs)}
        lengths = {len(x) for x in xs}
        scales = [[a + b for a in range(2)] for b in range(2)]
        return sum(z * scales[k][0] for k, z in by_place.items()) + sum(lengths)

    return Program(loss, model.parameters)


@program()
def itertools_and_the_like():
    model = net()

    def loss(xs):
        outputs = list(map(model, xs))
        pairs = itertools.product(outputs, repeat=2)
        ahead = itertools.accumulate(outputs, operator.add)
        z = sum(a * b for a, b in pairs) + functools.reduce(operator.add, ahead)
        for k, (a, b) in enumerate(zip(outputs, reversed(outputs), strict=True)):
            z = z + a * b * k
        ordered = sorted([3.0, 1.0, 2.0], key=lambda y: -y)
        return z * ordered[0] + sum(itertools.islice(itertools.cycle(outputs), 3))

    return Program(loss, model.parameters)


@program()
def star_arguments_and_a_walrus():
    model = net()

    def add(*terms, scale=1.0, **others):
        return sum(terms) * scale * others.get("more", 1.0)

    def loss(xs):
        first, *rest = [model(x) for x in xs]
        if (count := len(rest)) > 0:
            return add(first, *rest, scale=2.0, **{"more": 3.0}) / count
        return first

    return Program(loss, model.parameters)


@program()
def recursion():
    ws = [Value(0.5), Value(1.5)]

    def tree(depth, x):
        return ws[depth % 2] * x if depth == 0 else tree(depth - 1, x) + tree(depth - 1, x) * ws[1]

    return Program(lambda xs: tree(3, xs[0][0]), lambda: ws)


def windows(row: list[Any], size: int = 2) -> Iterator[list[Any]]:
    for start in range(len(row) - size + 1):
        yield row[start : start + size]


@program()
def a_generator_helper():
    model = net()

    def loss(xs):
        return sum(model(window) for row in xs for window in windows([*row, 1.0]))

    return Program(loss, model.parameters)


def logged(f):
    calls = []

    @functools.wraps(f)
    def wrapped(*given, **named):
        if len(calls) > 1e9:
            calls.clear()
        return f(*given, **named)

    return wrapped


@program()
def a_decorator():
    model = net()
    return Program(logged(lambda xs: total([model(x) for x in xs])), model.parameters)


T = typing.TypeVar("T")


@program()
def annotations_and_generics():
    class Store(typing.Generic[T]):
        limit: ClassVar[int] = 3

        def __init__(self, thing: T) -> None:
            self.thing: T = thing

    store = Store[Value](Value(1.5))

    def loss(xs: list[list[float]]) -> Value:
        z: Value = typing.cast(Value, store.thing) * xs[0][0]
        return z * Store.limit

    return Program(loss, lambda: [store.thing])


@program()
def models_of_models():
    class Big(Module):
        def __init__(self):
            self.parts = {"a": net(), "b": [Neuron(2, seed=2), Neuron(2, seed=3)]}
            self.mix = (Value(0.5), Value(0.25))

        def __call__(self, x):
            b = [part(x) for part in self.parts["b"]]
            return self.mix[0] * self.parts["a"](x) + self.mix[1] * sum(b)

    return of(Big())


@program()
def a_made_value_if_it_is_none():
    w = Value(1.5)

    def value(x):
        return x if isinstance(x, Value) else Value(x)

    return Program(lambda xs: sum(w * value(x) for row in xs for x in row), lambda: [w])


@program()
def numbers_checked_by_isinstance():
    w = Value(1.5)

    def checked(x):
        if not isinstance(x, int | float | Value):
            raise TypeError(f"expected a number, got {x!r}")
        return x

    return Program(lambda xs: sum(w * checked(x) for row in xs for x in row), lambda: [w])


@program()
def an_array_of_constants():
    numpy = pytest.importorskip("numpy")
    w, table = Value(1.5), numpy.linspace(0.0, 1.0, 6).reshape(3, 2)
    return Program(
        lambda xs: sum(w * x * a for row in xs for x, a in zip(row, table[1], strict=True)),
        lambda: [w],
    )


@program()
def collections_of_all_kinds():
    ws = {"a": Value(0.5), "b": Value(1.5)}
    ordered, queue = collections.OrderedDict(ws), collections.deque([1.0, 2.0], maxlen=2)
    counts, chosen = collections.Counter("abca"), frozenset("ab")

    def loss(xs):
        terms = [w * counts[name] * queue[-1] for name, w in ordered.items() if name in chosen]
        return sum(terms) * xs[0][0]

    return Program(loss, lambda: list(ws.values()))


@program()
def attention_as_people_write_it():
    rng = random.Random(1)
    names = ("query", "key", "value")
    matrix = lambda: [[Value(rng.gauss(0, 1)) for _ in range(2)] for _ in range(2)]
    layers = {name: matrix() for name in names}

    def linear(x, w):
        return [sum(a * b for a, b in zip(row, x, strict=True)) for row in w]

    def loss(xs):
        qs, ks, vs = ([linear(x, layers[name]) for x in xs] for name in names)
        scores = [sum(a * b for a, b in zip(qs[-1], k, strict=True)) / 2**0.5 for k in ks]
        shares = engine.softmax(scores)
        return sum(share * v[0] for share, v in zip(shares, vs, strict=True))

    return Program(loss, lambda: [v for rows in layers.values() for row in rows for v in row])


@program()
def a_deep_copy_of_a_model():
    model = copy.deepcopy(net())
    frozen = copy.deepcopy(model)
    return Program(lambda xs: total([(model(x) - frozen(x)) ** 2 for x in xs]), model.parameters)


@program()
def a_closure_over_its_own_replay():
    model = net()
    inner = replay(model.__call__)
    return Program(lambda xs: total([inner(x) for x in xs]), model.parameters)


@program()
def micrograds_demo():
    model = MLP(2, [4, 4, 1], seed=1)

    def loss(xs):
        scores = list(map(model, xs))
        losses = [(1 + -y * score).relu() for y, score in zip([1, -1], scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        reg_loss = 1e-4 * sum(p * p for p in model.parameters())
        return data_loss + reg_loss

    return Program(loss, model.parameters)


# --- what runs beside ---------------------------------------------------------------------------


def _traced(frame: types.FrameType, event: str, arg: object) -> Any:
    return _traced


def _profiled(frame: types.FrameType, event: str, arg: object) -> None:
    return None


@contextlib.contextmanager
def debugged() -> Iterator[None]:
    """A debugger, or coverage."""
    former = sys.gettrace()
    sys.settrace(_traced)
    try:
        yield
        assert sys.gettrace() is _traced, "the debugger is gone"
    finally:
        sys.settrace(former)


@contextlib.contextmanager
def profiled() -> Iterator[None]:
    former = sys.getprofile()
    sys.setprofile(_profiled)
    try:
        yield
        assert sys.getprofile() is _profiled, "the profiler is gone"
    finally:
        sys.setprofile(former)


def _last() -> None:
    """What a profiler that is still there sees."""


@contextlib.contextmanager
def profiled_in_c() -> Iterator[None]:
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
        _last()
    finally:
        profile.disable()
    codes = [entry.code for entry in profile.getstats()]
    assert _last.__code__ in codes, "the profiler is gone"


BESIDE = {
    "nothing": contextlib.nullcontext,
    "a debugger": debugged,
    "a profiler": profiled,
    "cProfile": profiled_in_c,
}
FEW = ("a_lock", "inheritance", "a_layer_built_in_the_first_call", "annealing", "micrograds_demo")


def _cases() -> list[Any]:
    """All programs in Python, beside nothing; few of them beside all; each night all in all."""
    cases = []
    for name, beside, backend in itertools.product(PROGRAMS, BESIDE, BACKENDS):
        alone = beside == "nothing"
        quick = (alone and backend == "python") or (name in FEW and (alone or backend == "python"))
        marks = [] if quick else [pytest.mark.nightly]
        if alone or backend == "python":
            id_ = f"{name}-{beside}-{backend}"
            cases.append(pytest.param(name, beside, backend, id=id_, marks=marks))
    return cases


def run(made: Program, f: Callable[..., Any]) -> Iterator[Any]:
    """What each call gives."""
    for call in range(1, CALLS + 1):
        made.change(call)
        result = f(*made.given(call))
        yield seen(result, made.look(), made.parameters())


def test_there_are_many_programs():
    assert len(PROGRAMS) >= 30


@pytest.mark.some(12)
@pytest.mark.parametrize(("name", "beside", "backend"), _cases())
def test_an_ordinary_program_is_replayed(name, beside, backend):
    make, recordings = PROGRAMS[name]
    made = make()
    expected = list(run(made, made.f))
    made = make()
    step = replay(made.f, backend=backend)
    with BESIDE[beside]():
        got = list(run(made, step))
    for call, (ours, plainly) in enumerate(zip(got, expected, strict=True), 1):
        assert difference(ours, plainly, backend == "python") is None, f"call {call}"
    assert 1 <= step.made <= recordings
    assert step.backend == backend


def test_tracing_goes_on_inside_of_a_recording():
    """A debugger sees the lines of the function that is recorded."""
    w, lines = Value(2.0), []

    def f(x):
        return w * x

    def trace(frame, event, arg):
        if frame.f_code is f.__code__:
            lines.append(event)
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        replay(f, backend="python")(1.0)
    finally:
        sys.settrace(former)
    assert {"call", "line", "return"} <= set(lines)
    assert lines.count("call") == 1


# --- training -----------------------------------------------------------------------------------

DATA = [[0.5, -1.0], [1.5, 0.25], [-0.5, 1.0], [1.0, 1.0]], [1.0, -1.0, 1.0, -1.0]
CLASSES = DATA[0], [0, 1, 2, 1]
TRAININGS: dict[str, Callable[[], dict[str, Any]]] = {}


def training(make: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Adds the arguments of a training to the table."""
    TRAININGS[make.__name__] = make
    return make


@training
def a_net():
    return {"model": net(), "loss": hinge}


@training
def a_net_of_classes_in_batches():
    model = MLP(2, [3, 3], seed=1)
    return {"model": model, "loss": cross_entropy, "data": CLASSES, "batch_size": 2}


@training
def a_penalty():
    return {"model": net(), "loss": mse, "penalty": lambda model: 1e-3 * l2(model.parameters())}


@training
def early_stopping():
    return {"model": net(), "loss": mse, "validation": DATA, "early_stop": 3}


@training
def adam_with_a_schedule():
    model = net()
    optimizer, rate = Adam(model.parameters(), lr=0.01), lambda step: 0.1 / (1 + step)
    return {"model": model, "loss": mse, "optimizer": optimizer, "lr": rate}


@training
def a_step_counter_in_a_callback():
    model = net()
    model.step = 0

    def count(step):
        model.step += 1

    return {"model": model, "loss": mse, "callbacks": [count]}


@training
def a_history_of_weights_in_a_callback():
    model, kept = net(), []
    keep = lambda step: kept.append([p.data for p in model.parameters()])
    return {"model": model, "loss": mse, "callbacks": [keep]}


@training
def annealing_in_a_callback():
    model = net()
    box = types.SimpleNamespace(beta=1.0)

    def anneal(step):
        box.beta *= 0.9

    penalty = lambda model: box.beta * l2(model.parameters())
    return {"model": model, "loss": mse, "penalty": penalty, "callbacks": [anneal]}


@training
def a_flag_in_a_callback():
    class Net(Module):
        def __init__(self):
            self.inner, self.training = net(), True

        def __call__(self, x):
            return self.inner(x) * (0.5 if self.training else 1.0)

    model = Net()
    turn = lambda step: setattr(model, "training", step.step % 2 == 0)
    return {"model": model, "loss": mse, "callbacks": [turn]}


@training
def a_logger_in_a_callback():
    tell = lambda step: LOG.debug("step %d", step.step)
    return {"model": net(), "loss": mse, "callbacks": [tell]}


@training
def clipping_in_a_callback():
    model = net()

    def clip(step):
        for p in model.parameters():
            p.data = max(-1.0, min(1.0, p.data))

    return {"model": model, "loss": mse, "callbacks": [clip]}


@training
def a_lazily_built_model():
    class Lazy(Module):
        layer = None

        def __call__(self, x):
            if self.layer is None:
                self.layer = Layer(len(x), 1, activation="linear", seed=1)
            return self.layer(x)[0]

    model = Lazy()
    model(DATA[0][0])
    return {"model": model, "loss": mse}


@training
def a_loss_of_ones_own():
    def huber(z, y, delta=1.0):
        d = abs(z - y)
        return 0.5 * d * d if isinstance(y, float) else delta * (d - 0.5 * delta)

    return {"model": net(), "loss": huber}


@training
def a_model_that_keeps_its_hidden_numbers():
    class Hidden(Module):
        def __init__(self):
            self.inner, self.out, self.hidden = Layer(2, 3, seed=1), Neuron(3, seed=2), None

        def __call__(self, x):
            self.hidden = self.inner(x)
            return self.out(self.hidden)

    return {"model": Hidden(), "loss": mse}


@training
def a_model_with_dropout_that_is_off():
    class Dropout(Module):
        def __init__(self):
            self.inner, self.rng, self.training = net(), random.Random(1), False

        def __call__(self, x):
            if self.training and self.rng.random() < 0.5:
                return 0.0 * self.inner(x)
            return self.inner(x)

    return {"model": Dropout(), "loss": mse}


@pytest.mark.some(12)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", TRAININGS)
def test_an_ordinary_training_is_replayed(name, backend):
    """Without a warning: they are errors here."""
    found = []
    for way in (backend, "eager"):
        given = {"steps": CALLS, "data": DATA, **TRAININGS[name]()}
        given |= {} if "optimizer" in given else {"lr": 0.05}
        model = given.pop("model")
        history = fit(model, given.pop("loss"), given.pop("data"), backend=way, **given)
        found.append([*history.loss, *(p.data for p in model.parameters())])
    ours, eager = found
    assert ours == (eager if backend == "python" else pytest.approx(eager, rel=1e-9))
