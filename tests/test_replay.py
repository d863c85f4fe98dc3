import builtins
import copy
import gc
import math
import pickle
import random
import types
import warnings
import weakref
from collections import namedtuple
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
from disturbed import in_threads
from graphs import GRAPHS

import engine
from engine import detect_anomaly, draw, no_grad
from engine.replay import backends
from engine.replay.backends import python
from engine.replay.compare import gradients
from engine.replay.recorder import Recorder
from engine.replay.replay import ReplayError, replay
from engine.replay.runs import LIMIT, TOO_MANY
from engine.value import Value, data_of
from nn.loss import cross_entropy, hinge, l2
from nn.module import MLP

BACKENDS = [name for name in backends.NAMES if backends._runs(name)]
each_backend = pytest.mark.parametrize("backend", BACKENDS)


def slack(backend, expected):
    return 0.0 if backend == "python" else 1e-12 * max(map(abs, expected), default=0.0)


def grads(values):
    return [v.grad for v in values]


def same(got, expected, backend="python"):
    return got == pytest.approx(expected, rel=0, abs=slack(backend, expected))


# --- replay is eager, faster ------------------------------------------------------------------


@pytest.mark.some(4)
@each_backend
def test_the_demo_of_micrograd(backend):
    draw_ = random.Random(1)
    batches = [
        ([[draw_.random(), draw_.random()] for _ in range(20)], [1.0, -1.0] * 10) for _ in range(4)
    ]
    model, twin = MLP(2, [8, 8, 1], seed=1), MLP(2, [8, 8, 1], seed=1)

    def loss(net):
        def total(xs, ys):
            pairs = zip(map(net, xs), ys, strict=True)
            return sum((1 - y * z).relu() for z, y in pairs) * (1 / len(xs)) + 1e-4 * l2(
                net.parameters()
            )

        return total

    step = replay(loss(model), backend=backend)
    for xs, ys in batches:
        got, expected = step(xs, ys), loss(twin)(xs, ys)
        assert same([got.data], [expected.data], backend)
        got.backward()
        expected.backward()
        assert same(grads(model.parameters()), grads(twin.parameters()), backend)
        for net in (model, twin):
            for p in net.parameters():
                p.data -= 0.1 * p.grad
                p.zero_grad()
    assert step.backend == backend


@pytest.mark.some(9)
@each_backend
@pytest.mark.parametrize("name", [name for name in GRAPHS if "," not in name])
def test_all_kinds_of_graphs(name, backend):
    leaves, f = GRAPHS[name]()

    def swept(outputs):
        outputs = outputs if isinstance(outputs, list) else [outputs]
        for v in leaves:
            v.zero_grad()
        engine.sum([z for z in outputs if isinstance(z, Value)]).backward()
        return [*map(data_of, outputs), *grads(leaves)]

    expected, step = swept(f()), replay(f, backend=backend)
    for _ in range(3):
        got = swept(step())  # sums over several outputs, in another order than eager's
        assert got == pytest.approx(expected, rel=0, abs=1e-12 * max(map(abs, expected)))


def scaled(w):
    return replay(lambda x: w * x * x)


# --- arguments --------------------------------------------------------------------------------

Pair = namedtuple("Pair", "a b")


@pytest.mark.some(3)
@each_backend
@pytest.mark.parametrize(
    ("arguments", "others"),
    [
        ((2.0,), (3.0,)),
        (([1.0, 2.0],), ([3.0, -4.0],)),
        (([[1.0, 2.0], [3.0]],), ([[0.5, 0.25], [7.0]],)),
        (([[1.0, 2.0], [3.0, 4.0]], (5.0, [6.0])), ([[4.0, 3.0], [2.0, 1.0]], (0.0, [9.0]))),
        (({"a": 1.0, "b": [2.0]},), ({"a": 3.0, "b": [4.0]},)),
        (([1.0, True, None, "text", 3],), ([2.0, True, None, "text", 3],)),
        (([], 2.0, ()), ([], 4.0, ())),
        (([[]], 2.0), ([[]], 4.0)),
        ((1e308, [math.inf, -0.0]), (2.0, [5e-324, 1.0])),
    ],
)
def test_arguments_of_many_shapes(arguments, others, backend):
    w = Value(1.5)

    def numbers(thing):
        if isinstance(thing, float | Value):
            return [thing]
        if isinstance(thing, dict):
            thing = list(thing.values())
        return (
            [x for part in thing for x in numbers(part)] if isinstance(thing, list | tuple) else []
        )

    def f(*things):
        return sum(w * x / (k + 2) for k, x in enumerate(numbers(things)))

    step = replay(f, backend=backend)
    for given in (arguments, others, others, arguments):
        z = step(*given)
        eager = replay(f, backend="eager")(*given)
        assert same([z.data], [eager.data], backend)
    assert step.made == 1


ARRAYS = {
    "added, not joined": lambda w, xs: w * engine.sum([x for row in xs + xs for x in row]),
    "scaled": lambda w, xs: w * engine.sum([x for row in 2 * xs for x in row]),
    "a product": lambda w, xs: (xs @ xs.T).sum() * w,
    "functions": lambda w, xs: __import__("numpy").tanh(xs).mean() * w,
    "indexed": lambda w, xs: xs[1, 0] * xs[:, 1].sum() * w,
    "asked": lambda w, xs: w * xs[0, 0] if (xs == 2.0).any() else w,
}


@pytest.mark.some(2)
@each_backend
@pytest.mark.parametrize("f", ARRAYS.values(), ids=ARRAYS)
def test_arrays_stay_arrays(f, backend):
    np = pytest.importorskip("numpy")
    w = Value(2.0)
    step = replay(lambda xs: f(w, xs), backend=backend)
    for k in range(4):
        xs = np.array([[0.5, k], [1.5, -1.0]])
        assert step(xs).data == pytest.approx(f(w, xs).data, rel=1e-14)


def test_arrays_come_back_as_arrays():
    np = pytest.importorskip("numpy")
    w = Value(3.0)
    step = replay(lambda x: {"out": np.array([[w * x, w + x]]), "none": np.zeros((0, 2))})
    for x in (1.0, 2.0, 4.0):
        out = step(x)["out"]
        assert ([v.data for v in (out * 2).flat], out.shape) == ([6 * x, 6 + 2 * x], (1, 2))
        assert out[0, 1].parents == (w,)


def test_an_array_is_not_the_list_of_its_numbers():
    np = pytest.importorskip("numpy")
    w = Value(3.0)
    step = replay(lambda xs: engine.sum([w * x for x in xs + xs]))
    for _ in range(3):
        assert step(np.array([1.0, 2.0])).data == 18.0
        assert step([1.0, 2.0]).data == 18.0
    assert step.made == 2
    with pytest.raises(ReplayError, match="changes a list, a dict or an array"):
        replay(lambda xs: xs.sort() or xs[0] * w)(np.array([2.0, 1.0]))


def test_arrays_of_integers_and_flags_are_what_they_were():
    np = pytest.importorskip("numpy")
    w = Value(3.0)
    step = replay(lambda xs, places, mask: w * (xs[places][mask].sum() + places.sum() / 2))
    for k in range(4):
        xs = np.array([1.0, 2.0, 4.0 + k])
        z = step(xs, np.array([0, 2, 2]), np.array([True, False, True]))
        assert z.data == 3.0 * (1.0 + 4.0 + k + 2.0)
    assert step.made == 1


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrices_are_refused():
    np = pytest.importorskip("numpy")
    for kind in (np.matrix, np.ma.array):
        with pytest.raises(TypeError, match=r"expected lists or NumPy arrays, got [mM]a"):
            replay(lambda xs: xs[0, 0])(kind([[1.0, 2.0]]))


def test_tensors_are_refused():
    torch = pytest.importorskip("torch")
    step = replay(lambda xs: engine.sum(list(xs + xs)))
    with pytest.raises(TypeError, match="expected lists or NumPy arrays, got Tensor"):
        step(torch.tensor([1.0, 2.0]))
    assert step([torch.tensor(1.0)]).data == 2.0


def test_what_reads_lists_reads_arrays():
    np = pytest.importorskip("numpy")
    w = Value(2.0)
    step = replay(lambda xs, y: sum(w * x for row in xs for x in row) - y)
    for given in ([[1.0, 2.0]], [(1.0, 2.0)], [np.array([1.0, 2.0])], np.array([[1.0, 2.0]])):
        assert step(given, 1.0).data == 5.0
    assert step(np.array([[1.0, 2.0]]), np.float64(3.0)).data == 3.0
    assert step(np.array([[2.0, 2.0]], dtype="f4"), 1.0).data == 7.0


def test_integers_flags_and_texts_reach_the_function_as_they_are():
    seen = []

    def f(x, n, flag, text, nothing):
        seen.append((n, flag, text, nothing))
        return x * n

    step = replay(f)
    assert step(2.0, 3, True, "a", None).data == 6.0
    assert step(2.0, 4, True, "a", None).data == 8.0
    assert step(2.0, 1, True, "a", None).data == step(2.0, True, True, "a", None).data == 2.0
    assert seen == [(n, True, "a", None) for n in (3, 4, 1, True)]
    assert [type(n) for n, *_ in seen] == [int, int, int, bool]


def test_keywords_are_arguments():
    step = replay(lambda x, *, scale=1.0, power=2: scale * x**power)
    assert step(3.0).data == 9.0
    assert [step(3.0, scale=s).data for s in (2.0, 3.0, 4.0)] == [18.0, 27.0, 36.0]
    assert step(3.0, power=3).data == 27.0
    assert step.made == 3


@each_backend
def test_values_passed_in_receive_their_gradient(backend):
    w, step = Value(2.0), None
    step = replay(lambda x, y, c: w * x + x * y * c, backend=backend)
    for k in (1.0, 2.0, 3.0):
        x, y = Value(k, "x"), Value(5.0)
        for v in (w, x, y):
            v.zero_grad()
        z = step(x, y, 10.0)
        z.backward()
        assert (z.data, x.grad, y.grad, w.grad) == (52.0 * k, 52.0, 10.0 * k, k)
    assert step.made == 1


def test_values_passed_in_may_be_results():
    w, v = Value(2.0), Value(3.0)
    step = scaled(w)
    for _ in range(3):
        w.zero_grad()
        v.zero_grad()
        step(v * 4.0).backward()
        assert (w.grad, v.grad) == (144.0, 2 * 2.0 * 12.0 * 4.0)


def test_the_same_value_twice_is_not_one_argument():
    step = replay(lambda x, y: x * x * y)
    a, b = Value(2.0), Value(3.0)
    step(a, a).backward()
    assert a.grad == 12.0
    a.zero_grad()
    z = step(a, b)
    z.backward()
    assert (z.data, a.grad, b.grad) == (12.0, 12.0, 4.0)


def test_a_parameter_may_be_passed_too():
    w = Value(3.0)
    step = replay(lambda x: w * x * x)
    for _ in range(3):
        w.zero_grad()
        step(w).backward()
        assert w.grad == 27.0
    w.zero_grad()
    v = Value(1.0)
    step(v).backward()
    assert (w.grad, v.grad) == (1.0, 6.0)


def test_functions_of_a_model_take_it_as_an_argument():
    step = replay(lambda net, x: net.w[0] * x)
    nets = [MLP(1, [1], seed=k).layers[0].neurons[0] for k in (1, 2)]
    for _ in range(3):
        assert [step(net, 2.0).data for net in nets] == [2 * net.w[0].data for net in nets]
    assert step.made == 2


@pytest.mark.parametrize("thing", [{1.0, 2.0}, [bytearray(b"x")], (x for x in [1.0]), iter([1.0])])
def test_what_cannot_be_an_argument(thing):
    message = "expected numbers, lists, tuples and dicts of them, or what can be told apart"
    with pytest.raises(TypeError, match=message):
        replay(lambda x: 1.0)(thing)


# --- results ----------------------------------------------------------------------------------


@each_backend
def test_results_keep_their_form(backend):
    w = Value(2.0)

    def f(x):
        y = w * x
        return {"y": y, "all": [y, (y, x), 1.5], "w": w, "n": 3, "none": None, "text": "a"}

    step = replay(f, backend=backend)
    for x in (1.0, 4.0, 5.0):
        got = step(x)
        (a, (b, c), constant) = got["all"]
        assert [v.data for v in (got["y"], a, b, c, got["w"])] == [2 * x, 2 * x, 2 * x, x, 2.0]
        assert constant == 1.5
        assert type(constant) is float
        assert [got[key] for key in ("n", "none", "text")] == [3, None, "a"]
        w.zero_grad()
        (a + 10 * got["w"]).backward()
        assert w.grad == x + 10


@pytest.mark.parametrize("result", [1.5, None, [], (), {}, True, [2, "a"]])
def test_results_without_values(result):
    step = replay(lambda x: result)
    assert [step(1.0), step(2.0), step(3.0)] == [result] * 3


def test_an_input_may_come_back():
    step = replay(lambda x: x)
    assert [step(k).data for k in (1.0, 2.0, 3.0)] == [1.0, 2.0, 3.0]
    x = Value(4.0)
    for _ in range(3):
        step(x).backward()
    assert x.grad == 3.0


@pytest.mark.parametrize(
    "make", [lambda z: {z}, lambda z: iter([z]), lambda z: Pair(z, 1.0), object]
)
def test_results_of_other_kinds_are_refused(make):
    w = Value(2.0)
    with pytest.raises(TypeError, match="replay expected"):
        replay(lambda x: make(w * x) if make is not object else object())(1.0)


# --- results are Values like any other --------------------------------------------------------


@each_backend
def test_a_later_call_does_not_disturb_an_earlier_result(backend):
    w = Value(2.0)
    step = replay(lambda x: (w * x).exp(), backend=backend)
    first, second = step(0.5), step(0.25)
    third = step(1.0)
    w.data = 7.0
    for z, x in ((first, 0.5), (third, 1.0), (second, 0.25)):
        w.zero_grad()
        z.backward()
        assert w.grad == pytest.approx(x * math.exp(2.0 * x), rel=1e-14)


@each_backend
def test_a_result_goes_on_in_other_graphs(backend):
    w = Value(3.0)
    step = replay(lambda x: w * x, backend=backend)
    for _ in range(3):
        w.zero_grad()
        loss = step(2.0) * step(5.0) + w**2
        loss.backward()
        assert (loss.data, w.grad) == (99.0, 66.0)


def test_backward_twice_adds_up():
    w = Value(3.0)
    step = replay(lambda x: w * x * w)
    for _ in range(3):
        z = step(2.0)
    z.backward()
    z.backward()
    assert (z.grad, w.grad) == (1.0, 24.0)
    step(1.0).backward()
    assert w.grad == 30.0


def test_an_output_gives_gradients_to_what_is_below_it_only():
    v, w, x = Value(2.0), Value(3.0), Value(4.0)
    step = replay(lambda x: [v * x, w * 2.0 * x, v * w])
    for _ in range(3):
        for p in (v, w, x):
            p.zero_grad()
        first, second, third = step(x)
        first.backward()
        assert (v.grad, x.grad, w.has_grad) == (4.0, 2.0, False)
        (second + 100 * third).backward()
        assert (v.grad, w.grad, x.grad) == (304.0, 208.0, 8.0)


def test_a_parameter_that_is_only_compared_has_no_gradient():
    v, w = Value(2.0), Value(3.0)
    step = replay(lambda x: w * x if v > 0 else x)
    for _ in range(3):
        step(1.0).backward()
    assert (w.grad, v.has_grad) == (3.0, False)


def test_a_parameter_may_be_a_result():
    v = Value(2.0)
    w = v * v
    step = replay(lambda x: w * x)
    for _ in range(3):
        v.zero_grad()
        step(5.0).backward()
        assert (w.grad, v.grad) == (5.0, 20.0)


def test_signs_of_zero_and_gradients_that_were_zero():
    w = Value(0.0)
    w.grad = 0.0
    step = scaled(w)
    for _ in range(3):
        step(2.0).backward()
    assert w.grad == 12.0


def test_a_result_can_be_drawn_copied_and_shown():
    w = Value(2.0, label="w")
    step = scaled(w)
    z = [step(3.0) for _ in range(3)][-1]
    assert z._op == "replay"
    assert z.parents == (w,)
    assert z.partials == (9.0,)
    assert "replay" in draw(z).svg
    twin = copy.deepcopy(z)
    twin.backward()
    assert (twin.data, twin.parents[0].grad, w.has_grad) == (18.0, 9.0, False)
    with pytest.raises(TypeError, match="cannot pickle the result of an operation"):
        pickle.dumps(z)


def test_a_result_keeps_no_graph_and_leaves_no_cycle():
    """In Python alone: "auto" may make another kernel beside, which stays."""
    w = Value(2.0)
    step = replay(lambda xs: sum((w * x).tanh() for x in xs), backend="python")
    xs = [0.5] * 100
    for _ in range(3):
        step(xs)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(50):
            step(xs).backward()
        assert len(gc.get_objects()) - before < 50
        assert gc.collect() == 0
    finally:
        gc.enable()


# --- derivatives of derivatives ---------------------------------------------------------------


@pytest.mark.some(9)
@each_backend
@pytest.mark.parametrize("order", [1, 2, 3])
def test_grad_inside_to_any_order(backend, order):
    w, v = Value(0.7), Value(0.3)

    def f(x):
        z = (w * x).tanh() * v.exp() + w**3 * (v * x).relu()
        for _ in range(order):
            z = engine.grad(z, w) + engine.grad(z, v) ** 2
        return z

    step = replay(f, backend=backend)
    for x in (0.5, 0.25, -0.5, 0.75):
        results = []
        for g in (step, lambda x: f(Value(x))):
            for p in (w, v):
                p.zero_grad()
            z = g(x)
            z.backward()
            results.append([z.data, *grads([w, v])])
        assert same(*results, "python" if backend == "python" else backend)


def test_grad_of_a_result_says_what_to_do():
    w = Value(2.0)
    z = scaled(w)(3.0)
    with pytest.raises(RuntimeError, match=r"call backward\(\), or call grad inside the function"):
        engine.grad(z, w)
    with pytest.raises(RuntimeError, match="grad inside the function"):
        engine.grad(z * z, [w])


# --- guards -----------------------------------------------------------------------------------


@each_backend
def test_comparisons_choose_the_recording(backend):
    w = Value(1.0)

    def f(x):
        if w * x > 0:
            return w * x
        return -2 * w * x if x else w + 7

    step = replay(f, backend=backend)
    for x, y, slope in ((3.0, 3.0, 3.0), (-1.0, 2.0, 2.0), (0.0, 8.0, 1.0)) * 3:
        w.zero_grad()
        z = step(x)
        z.backward()
        assert (z.data, w.grad) == (y, slope)
    assert step.made == 3


@each_backend
@pytest.mark.parametrize(
    "choose", [max, min, lambda *xs: sorted(xs)[1], lambda *xs: xs[xs[0] > xs[1]]]
)
def test_builtins_that_compare(choose, backend):
    step = replay(lambda x, y, z: choose(x, y, z) * 2, backend=backend)
    for given in [[1.0, 2.0, 3.0], [3.0, 1.0, 2.0], [5.0, 7.0, 6.0], [1.0, 1.0, 1.0]] * 3:
        values = [Value(x) for x in given]
        assert step(*given).data == 2 * data_of(choose(*given))
        step(*values).backward()
        assert sum(grads(values)) == 2.0
    assert step.made <= 2 * 4


def test_the_guards_of_parameters_count_too():
    w = Value(1.0)
    step = replay(lambda x: w * x if w > 0 else x)
    for data in (1.0, 2.0, -1.0, 3.0, -2.0):
        w.data = data
        assert step(5.0).data == (5.0 * data if data > 0 else 5.0)
    assert step.made == 2


def test_the_number_of_recordings_has_a_limit():
    step = replay(lambda x, n: x * n, backend="python")
    counted(step, [((2.0, n), {}) for n in range(LIMIT + 20)])
    assert sum(map(len, step.kept.by_shape.values())) == LIMIT
    assert step(2.0, 0).data == 0.0


def test_the_ninth_recording_warns_once_at_the_line_of_the_call():
    step = replay(lambda x, n: x * n)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for n in range(TOO_MANY - 1):
            step(2.0, n)
        assert not seen
        for n in range(TOO_MANY, 2 * TOO_MANY):
            step(2.0, n)
    (warning,) = seen
    assert warning.filename == __file__
    assert str(warning.message).endswith(STAYS)


STAYS = "; what is new runs without a recording from here on"


@pytest.mark.parametrize(("backend", "times", "stays"), [("auto", 1, True), ("auto", 3, False),
                                                         ("python", 1, False)])  # fmt: skip
def test_the_warning_says_whether_what_is_new_is_recorded(backend, times, stays):
    step = replay(lambda x, n: x * n, backend=backend)
    said = counted(step, [((2.0, n), {}) for n in range(TOO_MANY) for _ in range(times)])
    assert said.endswith(STAYS) == stays


def test_a_number_that_is_no_input_and_changes_at_each_call_is_recorded_when_it_rests():
    w, box, made = Value(2.0), types.SimpleNamespace(k=0.5), []
    step = replay(lambda x: w * x * math.floor(box.k), backend="python")
    for box.k in (1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 6.5, 6.5):
        assert step(1.0).data == 2.0 * math.floor(box.k)
        made.append(step.made)
    assert made == [1, 2, 2, 2, 2, 2, 3, 3]


def test_a_number_that_changes_stays_one_where_code_runs_for_the_first_time():
    """Who knows what that does with a Value; at the next change the number is an input."""
    w, box, made = Value(2.0), types.SimpleNamespace(k=0.5), []

    def doubled(y):
        return y * 2.0

    step = replay(lambda x: w * x * box.k if box.k < 2 else doubled(w * x * box.k))
    for box.k in (1.0, 1.25, 1.5, 2.5, 3.5, 4.5, 1.75):
        assert step(1.0).data == 2.0 * box.k * (1 if box.k < 2 else 2)
        made.append(step.made)
    assert made == [1, 2, 2, 3, 4, 4, 4]


def asking(ask, *asks):
    """A number if it is one, as two other names of `type` say."""
    return lambda k: k if (asks[0] if asks else ask)(k) == float else 7.0  # noqa: E721 (a function that people write)


@pytest.mark.parametrize("given", [asking(type), asking(None, type)], ids=["one", "of some"])
def test_a_number_that_changes_stays_one_where_its_kind_is_asked_by_another_name(given):
    w, box = Value(2.0), types.SimpleNamespace(k=1.5)
    step = replay(lambda x: w * x * given(box.k), backend="python")
    for box.k in (1.5, 2.5, 3.5, 4.5):
        assert step(1.0).data == 2.0 * box.k


@pytest.mark.parametrize(("check", "calls"), [(None, [2, 20, 200]), (70, [70, 140])])
def test_a_replay_is_compared_with_the_function_at_few_calls(check, calls, monkeypatch):
    compared, compare = [], Recorder.compare

    def noted(self, recorded, *of):
        compared.append(recorded.calls)
        return compare(self, recorded, *of)

    monkeypatch.setattr(Recorder, "compare", noted)
    step = replay(lambda x: x * 2.0, backend="python", check=check)
    for _ in range(209):
        step(1.0)
    assert compared == calls


def counted(step, arguments):
    """What the only warning says."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for given, keywords in arguments:
            step(*given, **keywords)
    assert len(seen) == 1
    return str(seen[0].message).partition("it saves: ")[2]


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ([((1.0, k), {}) for k in range(9)], "y changes, such as from 7 to 8, and each int is"),
        ([(([1.0], [0, [k]]), {}) for k in range(9)], "y[1][0] changes, such as from 7 to 8"),
        ([((1.0,), {"y": str(k)}) for k in range(9)], "y changes, such as from '7' to '8'"),
        ([((1.0, {"a": 0, "b": k}), {}) for k in range(9)], "y['b'] changes, such as from 7 to 8"),
        ([((1.0, [1.0] * k), {}) for k in range(9)], "the length of y changes, such as from 7 to"),
        ([((1.0, [[1.0] * k]), {}) for k in range(9)], "the length of y changes, such as from 7"),
        ([((1.0, [[0] * k]), {}) for k in range(9)], "the length of y[0] changes, such as from 7"),
        ([(([1.0] * 3, *range(k)), {}) for k in range(9)], "the number of arguments changes"),
        ([((1.0, k if k % 2 else str(k)), {}) for k in range(9)], "y changes its type"),
    ],
)
def test_the_warning_names_the_argument(arguments, cause):
    def asks(thing):
        for part in thing.values() if isinstance(thing, dict) else thing:
            if isinstance(part, list | dict):
                asks(part)
            elif isinstance(part, int):
                range(part)

    def f(x, y=0, *more):
        asks([y, *more])
        return 1.0

    assert counted(replay(f), arguments).startswith(cause)


def test_the_warning_names_the_comparison():
    step = replay(lambda xs: sum(x if x > 0.5 else -x for x in xs))
    patterns = [([float(k >> bit & 1) for bit in range(4)],) for k in range(9)]
    cause = counted(step, [(given, {}) for given in patterns])
    assert cause.startswith("comparison 0 in it, Value > 0.5, comes out differently")
    step = replay(lambda x, y: x if x < y + 1 else y)
    for recorded in (step(1.0, 2.0), step(5.0, 2.0)):
        assert recorded.data in (1.0, 2.0)


# --- what must not be replayed ----------------------------------------------------------------


def test_a_look_at_data_is_refused_with_its_line():
    w = Value(1.0)

    def f(x):
        top = w.data
        return x * top

    line = f.__code__.co_firstlineno + 1
    with pytest.raises(ReplayError, match=rf"f looks at the \.data .*test_replay\.py:{line}"):
        replay(f)(1.0)
    with pytest.raises(ReplayError, match=r"engine\.max and engine\.softmax"):
        replay(lambda x: w * float(x.data))(1.0)
    assert replay(f, backend="eager")(3.0).data == 3.0


@each_backend
def test_random_numbers_are_refused_with_their_line(backend):
    w, numbers = Value(2.0), random.Random(1)

    def f(x):
        return w * x * numbers.random()

    line = f.__code__.co_firstlineno + 1
    with pytest.raises(ReplayError, match=rf"f calls random at .*test_replay\.py:{line}: .*pass"):
        replay(f, backend=backend)(1.0)


@each_backend
def test_numbers_outside_count_at_the_next_call(backend):
    w, scale = Value(2.0), [1.0]
    step = replay(lambda x: w * x * scale[0], backend=backend)
    for k in range(30):
        scale[0] = 1.0 + k // 4
        w.zero_grad()
        z = step(1.0)
        z.backward()
        assert (z.data, w.grad) == (2.0 * scale[0], scale[0])
    assert step.made == 2  # the second has it as an input


def test_a_flag_that_turns_between_the_first_two_calls():
    class Net:
        training = True

    w = Value(2.0)
    step = replay(lambda x: w * x * (0.5 if Net.training else 1.0))
    for k in range(12):
        Net.training = k % 2 == 0
        assert step(1.0).data == (1.0 if Net.training else 2.0)
    assert step.made == 2


def test_parameters_replaced_after_the_recording_count_at_once():
    model = MLP(1, [2, 1], seed=1)
    step = replay(lambda x: model([x]), check=3)
    assert [step(1.0).data for _ in range(2)] == [model([1.0]).data] * 2
    model.layers[1] = MLP(2, [1], seed=5).layers[0]
    step(1.0).backward()
    assert step(1.0).data == model([1.0]).data
    assert all(p.has_grad for p in model.layers[1].parameters())


def test_a_replaced_parameter_is_recorded_anew_where_no_call_missed_it():
    net = {"w": Value(2.0)}
    step = replay(lambda x: net["w"] * x)
    step(3.0)
    net["w"] = Value(2.0)
    step(3.0).backward()
    assert (net["w"].grad, step.made) == (3.0, 2)


@each_backend
def test_a_wrong_gradient_is_found_though_losses_agree(monkeypatch, backend):
    module = backends.backend(backend)
    compile_ = module.compile

    class Wrong:
        def __init__(self, kernel):
            self.kernel, self.values, self.adjoints = kernel, kernel.values, kernel.adjoints

        def forward(self):
            self.kernel.forward()

        def backward(self, seeds):
            self.kernel.backward(seeds)
            self.adjoints[1] *= 1.5  # that of b

    monkeypatch.setattr(module, "compile", lambda *of: Wrong(compile_(*of)))
    w, b = Value(2.0), Value(1.0)
    step = replay(lambda x: w * x + b, backend=backend)
    message = rf"the {backend} kernel of .* a gradient is 1\.5 replayed and 1\.0 computed anew"
    with pytest.raises(ReplayError, match=message):
        step(3.0)


def test_a_check_changes_no_gradient():
    w = Value(2.0)
    step = replay(lambda x: w * x, check=1)
    step(3.0).backward()
    w.grad = 123.0
    step(3.0)
    assert w.grad == 123.0


@pytest.mark.parametrize("x", [0.0, -1.0, math.inf, math.nan])
@each_backend
def test_numbers_that_are_not_finite_are_replayed_too(x, backend):
    step = replay(lambda x: x.log() + x.sqrt() / x, backend=backend)
    eager = replay(lambda x: x.log() + x.sqrt() / x, backend="eager")
    for _ in range(3):
        assert repr(step(x).data).lstrip("-") == repr(eager(x).data).lstrip("-")


# --- what is found, and when -------------------------------------------------------------------


def compared_at(calls, **settings):
    """The calls at which a replay is compared: there the function runs."""
    w, found = Value(2.0), []
    step = replay(lambda x: w * x, **settings)
    compare = step.recorder.compare
    step.recorder.compare = lambda *given: [found.append(k), compare(*given)][1]
    for k in range(1, calls + 1):
        step(float(k))
    return found


def test_comparisons_are_a_logarithm_of_the_calls():
    assert compared_at(220) == [2, 20, 200]
    assert compared_at(9, check=3) == [3, 6, 9]


def test_a_comparison_that_fails_to_run_is_made_up_for():
    def fails(x):
        raise TimeoutError

    def other(x):
        return x * 3.0

    step = replay(lambda x: x * 1.0)
    step(1.0)
    step.function, function = fails, step.function
    with pytest.raises(TimeoutError):
        step(1.0)
    step.function = other
    with pytest.raises(ReplayError, match=r"a number is 1\.0 in the recording and 3\.0 now"):
        step(1.0)
    step.function = function
    assert step(2.0).data == 2.0


def test_a_layer_that_is_built_when_first_called():
    built = {}

    def f(x):
        built.setdefault("w", Value(2.0))
        return (built["w"] * x) ** 2

    step = replay(f)
    for x in (3.0, 4.0, 5.0):
        built.get("w", Value(0.0)).zero_grad()
        step(x).backward()
        assert built["w"].grad == 2 * 2.0 * x * x


def test_a_parameter_that_joins_later():
    weights = [Value(1.0)]
    step = replay(lambda x: sum(w * x for w in weights))
    step(2.0)
    weights.append(Value(0.0))
    step(2.0).backward()
    assert grads(weights) == [2.0, 2.0]


def test_one_that_joins_late_counts_at_once():
    weights = [Value(1.0)]
    step = replay(lambda x: sum(w * x for w in weights))
    for _ in range(17):
        step(2.0)
    weights.append(Value(0.0))
    step(2.0).backward()
    assert grads(weights) == [2.0, 2.0]


@pytest.mark.parametrize(
    "look",
    [lambda x: float(f"{x:.3f}"), lambda x: (x * x).partials[0], lambda x: x.grad, lambda x: x.dx],
)
def test_looks_at_numbers_are_refused(look):
    with pytest.raises(
        ReplayError, match=r"(looks at|uses) the \.?\w+ of a Value at .*test_replay"
    ):
        replay(lambda x: x * (look(x) or 1.0))(2.0)


def test_a_backward_inside_is_refused():
    w = Value(2.0)

    def f(x):
        (w * x).backward()
        return w * x

    with pytest.raises(ReplayError, match="what is set would be set once"):
        replay(f)(1.0)


def test_a_random_number_is_called_so_where_values_are_passed():
    draw = random.Random(0)

    def noise(x):
        return x * draw.random()

    with pytest.raises(ReplayError, match=r"noise calls random at .*test_replay\.py"):
        replay(noise, backend="python")(Value(2.0))


def test_who_an_argument_is_cannot_be_asked():
    w = Value(2.0)
    with pytest.raises(ReplayError, match="asks whether an argument is a certain Value"):
        replay(lambda x: x * 2 if x is w else x * 3)(w)


@each_backend
def test_the_same_value_twice_stays_the_same(backend):
    v, w = Value(2.0, "v"), Value(5.0)
    step = replay(lambda x, y: x * 2 if x is y else x * 3 * len(x.label), backend=backend)
    for _ in range(3):
        for x, y, z, slope in ((v, v, 4.0, 2.0), (v, w, 6.0, 3.0)):
            v.zero_grad()
            got = step(x, y)
            got.backward()
            assert (got.data, v.grad) == (z, slope)
    assert step.made == 2


@pytest.mark.parametrize("backend", ["auto", "python"])
def test_comparisons_that_come_out_in_many_ways(backend):
    """By itself it is eager then; a backend that was asked for goes on."""
    step = replay(lambda xs: sum(x if x > 0.5 else -x for x in xs), backend=backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(16):
            xs = [float(k >> bit & 1) for bit in range(4)]
            assert step(xs).data == 2 * sum(xs) - sum(xs)
    assert step.made == (TOO_MANY if backend == "auto" else 16)


def test_the_warning_names_a_whole_number():
    step = replay(lambda xs: sum(x if x > 3 else -x for x in xs))
    patterns = [([8.0 * (k >> bit & 1) for bit in range(4)],) for k in range(9)]
    cause = counted(step, [(given, {}) for given in patterns])
    assert cause.startswith("comparison 0 in it, Value > 3, comes out differently")


# --- modes, exceptions, threads ---------------------------------------------------------------


def test_the_class_is_as_before_after_an_exception():
    before = dict(vars(Value))
    w = Value(2.0)

    def f(x):
        if x > 1:
            raise KeyError("too large")
        return w * x

    step = replay(f)
    with pytest.raises(KeyError, match="too large"):
        step(2.0)
    assert dict(vars(Value)) == before
    assert [step(1.0).data for _ in range(3)] == [2.0] * 3
    with pytest.raises(KeyError, match="too large"):
        step(3.0)


@pytest.mark.parametrize("calls", [0, 1, 3])
def test_no_grad_gives_leaves(calls):
    w = Value(2.0)
    step = scaled(w)
    for _ in range(calls):
        step(3.0)
    with no_grad():
        z = step(3.0)
    assert (z.data, z.parents) == (18.0, ())
    assert step(1.0).parents == (w,)


def test_detect_anomaly_names_the_operation():
    w = Value(-1.0)
    step = replay(lambda x: (w * x).log())
    for _ in range(3):
        assert math.isnan(step(1.0).data)
    with detect_anomaly(), pytest.raises(FloatingPointError, match=r"log\(-1\.0\) gave nan"):
        step(1.0)


def test_replays_inside_replays():
    w = Value(3.0)
    inner = replay(lambda x: w * x)
    outer = replay(lambda x, y: inner(x) * inner(y) + inner(2.0))
    for x in (1.0, 2.0, 4.0, 5.0):
        w.zero_grad()
        z = outer(x, 2.0)
        z.backward()
        assert (z.data, w.grad) == (18 * x + 6, 12 * x + 2)
    assert inner.made == 0


def test_a_function_may_call_itself_by_its_replay():
    w = Value(2.0)

    @replay
    def power(x, n):
        return x if n == 0 else w * power(x, n - 1)

    for _ in range(3):
        assert power(1.0, 5).data == 32.0


def test_threads_may_call_one_replay():
    w = Value(2.0)
    step = replay(lambda xs: [(w * x).exp() for x in xs])
    wrong = []

    def work(seed):
        numbers = random.Random(seed)
        for _ in range(200):
            xs = [numbers.random() for _ in range(numbers.choice([3, 4, 5]))]
            zs = step(xs)
            slopes = [gradients(z, [w])[0] for z in zs]
            expected = [math.exp(2 * x) for x in xs]
            if [z.data for z in zs] != pytest.approx(expected, rel=1e-14):
                wrong.append((xs, zs))
            if slopes != pytest.approx([x * y for x, y in zip(xs, expected, strict=True)]):
                wrong.append((xs, slopes))

    in_threads(work, 4)
    assert not wrong


# --- the decorator ----------------------------------------------------------------------------


def test_what_is_equal_but_has_no_hash_is_told_apart_by_identity():
    @dataclass
    class Line:
        slope: Value
        scale: float = 1.0

        @replay
        def loss(self, x):
            return (self.slope * x * self.scale - 1.0) ** 2

    lines = [Line(Value(2.0)), Line(Value(3.0))]
    for _ in range(3):
        assert [line.loss(1.0).data for line in lines] == [1.0, 4.0]
    assert Line.loss.made == 2
    lines[0].slope, lines[1].scale = Value(5.0), 2.0
    assert [line.loss(1.0).data for line in lines] == [16.0, 25.0]
    step, space = replay(lambda space, x: space.w * x), types.SimpleNamespace(w=Value(2.0))
    for w in (2.0, 2.0, 3.0):
        space.w = Value(w)
        assert step(space, 1.0).data == w


def test_a_method_is_replayed_for_each_instance():
    class Model:
        def __init__(self, w):
            self.w = Value(w)

        @replay
        def loss(self, x):
            """The loss."""
            return self.w * x

        @replay(backend="python", check=1)
        def other(self, x):
            return self.w + x

    models = [Model(2.0), Model(3.0)]
    for _ in range(3):
        assert [model.loss(2.0).data for model in models] == [4.0, 6.0]
        assert [model.other(2.0).data for model in models] == [4.0, 5.0]
    assert models[0].loss.source() == "1 mul"
    assert Model.loss.__doc__ == "The loss."
    assert Model.loss.__name__ == "loss"


def module_level(x):
    return x * 2


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_a_copy_begins_anew(copied):
    step = replay(module_level, backend="python", check=7)
    step(1.0)
    twin = copied(step)
    assert (twin.wanted, twin.check, twin.backend, twin.made) == ("python", 7, "eager", 0)
    assert twin(3.0).data == 6.0


def test_a_deep_copy_of_a_model_replays_its_own_parameters():
    class Model:
        def __init__(self):
            self.w = Value(2.0)
            self.step = replay(self.forward)

        def forward(self, x):
            return self.w * x

    model = Model()
    model.step(1.0)
    twin = copy.deepcopy(model)
    twin.w.data = 5.0
    assert [twin.step(1.0).data, model.step(1.0).data] == [5.0, 2.0]


def test_a_replay_can_be_forgotten():
    step = replay(lambda x: x * 2)
    step(1.0)
    gone = weakref.ref(step)
    with nullcontext():
        del step
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"backend": "rust"},
            ValueError,
            "expected a backend of auto, eager, python, numpy, wasm, c",
        ),
        ({"check": 0}, ValueError, "expected check of 1 or more calls, got 0"),
    ],
)
def test_settings_that_make_no_sense(settings, error, message):
    with pytest.raises(error, match=message):
        replay(lambda x: x, **settings)


def test_what_is_no_function():
    with pytest.raises(TypeError, match="replay expected a function, got int"):
        replay(3)


# --- looking inside ---------------------------------------------------------------------------


@each_backend
def test_sources(backend):
    w = Value(2.0)
    step = replay(lambda xs: sum(w * x for x in xs).tanh(), backend=backend)
    assert step.backend == "eager"
    with pytest.raises(ReplayError, match="has no recording yet: call it first"):
        step.source()
    step([1.0, 2.0])
    assert step.backend == backend
    assert step.source() == "1 dot of 2 terms, then tanh"
    signs = {"python": "def run", "numpy": "np.", "wasm": "(func", "c": "void"}
    for name in BACKENDS:
        assert signs[name] in step.source(name)
    with pytest.raises(
        ValueError, match="There are: words, loops, javascript, python, numpy, wasm, c"
    ):
        step.source("fortran")
    step([1.0, 2.0, 3.0])
    assert step.source() == "1 dot of 3 terms, then tanh"


def test_source_names_layers_by_the_names_of_their_parameters():
    model = MLP(2, [3, 2], seed=1)
    step = replay(model)
    step([1.0, 2.0])
    assert step.source().splitlines()[0] == "hidden layer 1: 3 dots of 2 terms, then relu"
    named = step.source(names=model.named_parameters())
    assert named.splitlines()[0] == "layers.0.neurons: 3 dots of 2 terms, then relu"


def test_one_hot_targets_need_one_recording_for_all_classes():
    model = MLP(2, [3], seed=1)
    step = replay(lambda x, y: cross_entropy(model(x), y))
    for k in range(3):
        target = [float(k == j) for j in range(3)]
        assert step([0.5, 0.25], target).data == cross_entropy(model([0.5, 0.25]), k).data
    assert step.made == 1
    step = replay(lambda x, y: hinge(model(x)[0], y))
    for y in (1.0, -1.0):
        assert step([0.5, 0.25], y).data == hinge(model([0.5, 0.25])[0], y).data


def test_python_is_always_there():
    assert python.unavailable() is None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "f",
    [
        lambda w, x: w * x if x == 2.0 else w,
        lambda w, x: w * x if x != 2.0 else w,
        lambda w, x: w * x if x in [2.0, 5.0] else w,
        lambda w, x: w * [0.0, 1.0, 2.0].index(x),
        lambda w, x: w * [1.0, 2.0, 2.0].count(x),
        lambda w, x: w * x if 2 * x - 1 == 3.0 else w,
        lambda w, x: w * x if engine.sum([x, x, -1.0]) == 3.0 else w,
        lambda w, x: w * x if x * x == x + x else w,
        lambda w, x: w * x if x * w == 6.0 else w,  # a Value to the caller: no number
    ],
)
def test_equality_of_plain_numbers_is_that_of_their_data(f, backend):
    w = Value(3.0)
    step = replay(lambda x: f(w, x), backend=backend)
    for x in (2.0, 1.0, 2.0, 1.0):
        assert step(x).data == f(w, x).data


@each_backend
def test_equality_of_plain_numbers_wherever_the_function_runs(backend):
    w = Value(3.0)

    def f(x, t):
        return w * x if 2 * t == 2.0 else -w * x

    step = replay(f, backend=backend)
    with no_grad():
        assert step(2.0, 1.0).data == 6.0
    with detect_anomaly():
        assert step(2.0, 1.0).data == 6.0
    assert replay(f, backend="eager")(2.0, 1.0).data == 6.0
    assert replay(lambda x: step(x, 1.0), backend=backend)(2.0).data == 6.0
    assert replay(lambda t: step(2.0, t), backend=backend)(0.5).data == -6.0


@pytest.mark.filterwarnings("ignore:.*was recorded 9 times")
def test_equality_of_plain_numbers_after_many_recordings():
    w = Value(3.0)

    @replay
    def step(x, t, c):
        steps = sum(1 for i in range(20) if c > i)
        return (w * x if t == 1.0 else -w * x) + 0.0 * steps

    assert [step(2.0, 1.0, c + 0.5).data for c in range(12)] == [6.0] * 12


def test_no_grad_replays_too():
    w = Value(3.0)
    step = replay(lambda xs: {"all": [w * x for x in xs], "n": len(xs)})
    with no_grad():
        for k in range(3):
            out = step([1.0, float(k)])
            assert [(v.data, v.parents) for v in out["all"]] == [(3.0, ()), (3.0 * k, ())]
    assert (step.made, out["n"]) == (1, 2)
    assert step([1.0, 2.0])["all"][0].parents == (w,)


def test_values_passed_in_are_equal_to_themselves_alone():
    x = Value(2.0)
    step = replay(lambda v: v * 3.0 if v == 2.0 else v)
    assert [step(x).data for _ in range(3)] == [2.0] * 3


@pytest.mark.parametrize(
    ("f", "later"),
    [
        (lambda a, w: w * (2 if a is w else 3), lambda w: w),
        (lambda a, w: a * 2 if a.op is None else a * 3, lambda w: w * 1),
        (lambda a, w: engine.grad(a * a, w), lambda w: w * 2),
    ],
)
def test_later_arguments_that_are_other_values_to_the_function(f, later):
    w = Value(3.0)
    step = replay(lambda a: f(a, w))
    assert [step(Value(1.0)).data for _ in range(3)] == [f(Value(1.0), w).data] * 3
    with pytest.raises(ReplayError, match="asks whether an argument is a certain Value"):
        step(later(w))


@each_backend
def test_arguments_that_are_parameters_or_results_now_and_then(backend):
    w = Value(3.0)
    step = replay(lambda a: a * w, backend=backend)
    for a in (Value(1.0), w, w * 2, Value(5.0), w, w * w):
        w.zero_grad()
        step(a).backward()
        got = w.grad
        w.zero_grad()
        (a * w).backward()
        assert got == w.grad


def _appends(xs):
    xs.append(1.0)


def _sets(xs):
    xs[0] = xs[0] * 2


def _sorts(xs):
    xs.sort()


@pytest.mark.parametrize("change", [_appends, _sets, _sorts])
@pytest.mark.parametrize("backend", ["auto", "eager"])
def test_a_change_of_an_argument_is_refused(change, backend):
    def f(xs):
        change(xs)
        return engine.sum(xs)

    xs = [2.0, 1.0]
    with pytest.raises(ReplayError, match="f changes a list, a dict or an array that it was given"):
        replay(f, backend=backend)(xs)
    assert xs == [2.0, 1.0]


@each_backend
@pytest.mark.parametrize(
    ("f", "x", "after"),
    [
        (lambda x: x * 1e200 * 1e200, 1e-300, 1e-200),
        (lambda x: x.sqrt(), 0.0, 0.0),
        (lambda x: x * 0.1 * 0.3, 0.7, 0.7),
        (lambda x: [x, x * 0.1 * 0.3], 0.7, 0.7),
    ],
)
def test_what_comes_after_a_replay_goes_down_through_it(f, x, after, backend):
    """Slopes alone would overflow, or have other digits."""

    def slope(function):
        v = Value(x)
        z = function(v)
        ((z[-1] if isinstance(z, list) else z) * after).backward()
        return v.grad

    step = replay(f, backend=backend)
    for _ in range(3):
        assert repr(slope(step)) == repr(slope(f))


def test_a_plain_number_as_a_key_is_refused():
    step = replay(lambda x: Value(2.0) * {1.0: 10.0}.get(x, 0.0))
    with pytest.raises(ReplayError, match=r"takes the hash of a Value at .*test_replay\.py"):
        step(1.0)


def test_attributes_of_a_function_stay_the_users():
    def f(x):
        return 2.0 * x

    f.calls, f.hits = "mine", 7
    step = replay(f, backend="python")
    assert [step(1.0).data, step(2.0).data] == [2.0, 4.0]
    assert (step.calls, step.hits) == ("mine", 7)
    assert "which answered 1 of 2 calls" in step.explain()


# --- sums of numbers outside: from Python 3.12 on a sum of floats is compensated -----------------

box, total = types.SimpleNamespace(k=3.0), sum
WAYS_TO_SUM = {
    "in a list": lambda: sum([1e16, 1.0, box.k]),
    "first": lambda: sum([box.k, 1e16, 1.0]),
    "from a start": lambda: sum([1.0, box.k], 1e16),
    "by another name": lambda: total([1e16, 1.0, box.k]),
    "of the module": lambda: builtins.sum([1e16, 1.0, box.k]),
    "by map": lambda: max(map(sum, [[1e16, 1.0, box.k]])),
    "by a text": lambda: getattr(builtins, "sum")([1e16, 1.0, box.k]),  # noqa: B009 (as people write it)
    "of products": lambda: sum([1e16, 2.0 * box.k, box.k * box.k]),
    "plainly": lambda: 1e16 + 1.0 + box.k,
}


@pytest.mark.parametrize("way", WAYS_TO_SUM)
def test_numbers_outside_are_summed_as_python_does(way, monkeypatch):
    add_up, w = WAYS_TO_SUM[way], Value(1.0)
    step = replay(lambda x: w * x * add_up(), backend="python")
    for k in (3.0, 1.0, 5.0, 7.0, 0.5):
        monkeypatch.setattr(box, "k", k)
        assert step(1.0).data == add_up()
