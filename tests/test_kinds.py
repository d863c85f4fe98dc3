import builtins
import contextlib
import math
import warnings

import pytest

import engine
import nn
import nn.look
from engine import Value, replay
from engine import Value as Number
from engine.replay.compare import ReplayError
from engine.replay.kinds import kind_asked
from engine.replay.reach import reach
from engine.replay.witness import Witness
from nn import MLP, Module, evaluate, fit, mse

DATA = [[0.1 * i, 0.2 - 0.05 * i] for i in range(10)], [0.3 * i - 1 for i in range(10)]
KINDS, EITHER, asks = (int, Value), Value | int, isinstance


def suppressed(v):
    with contextlib.suppress(AttributeError):
        return v.backward and v
    return 3 * v


def tried(v):
    try:
        return v * (1.0 if v.has_grad is not None else 2.0)
    except AttributeError:
        return 3 * v


def tried_bare(v):
    try:
        return v.backward and v
    except:  # noqa: E722 (a program that people write)
        return 3 * v


def tried_by_a_caller(v):
    try:
        return of_a_value(v)
    except AttributeError:
        return 3 * v


def of_a_value(v):
    return v.detach() * 1.0


def matched(v):
    match v:
        case Number():
            return v
    return 3 * v


def imported(v):
    from engine.value import Value as Hidden

    return v if isinstance(v, Hidden) else 3 * v


def default(v, kind=Value):
    return v if isinstance(v, kind) else 3 * v


def in_a_variable():
    kind = Value
    return lambda v: v if isinstance(v, kind) else 3 * v


class Holder:
    kind = Value

    def __call__(self, v):
        return v if isinstance(v, self.kind) else 3 * v


OTHERWISE = {  # that give something else for a Value than for a float
    "isinstance": lambda v: v if isinstance(v, Value) else 3 * v,
    "another name": lambda v: v if isinstance(v, Number) else 3 * v,
    "of a module": lambda v: v if isinstance(v, engine.Value) else 3 * v,
    "several kinds": lambda v: v if isinstance(v, KINDS) else 3 * v,
    "a union": lambda v: v if isinstance(v, EITHER) else 3 * v,
    "isinstance by another name": lambda v: v if asks(v, Value) else 3 * v,
    "isinstance of builtins": lambda v: v if builtins.isinstance(v, Value) else 3 * v,
    "issubclass": lambda v: v if issubclass(type(v), Value) else 3 * v,
    "type is float": lambda v: 3 * v if type(v) is float else v,
    "type is Value": lambda v: v if type(v) is Value else 3 * v,
    "name of the type": lambda v: 3 * v if type(v).__name__ == "float" else v,
    "hasattr": lambda v: v if hasattr(v, "backward") else 3 * v,
    "hasattr of a float": lambda v: v if hasattr(v, "is_integer") else 3 * v,
    "getattr": lambda v: v if getattr(v, "data", None) is not None else 3 * v,
    "callable": lambda v: v if callable(getattr(v, "exp", None)) else 3 * v,
    "suppressed": suppressed,
    "tried": tried,
    "tried, bare": tried_bare,
    "tried by a caller": tried_by_a_caller,
    "matched": matched,
    "imported": imported,
    "default": default,
    "in a variable": in_a_variable(),
    "in a class": Holder(),
}
ALIKE = {
    "made a Value": lambda v: v if isinstance(v, Value) else Value(v),
    "isinstance float": lambda v: 3 * v if isinstance(v, float) else v,
    "checked": lambda v: v if isinstance(v, float | Value) else math.nan,
    "looks around": lambda v: v * (len(vars(Holder)) if Value else 1),
    "type of something else": lambda v: v * len(type(DATA).__name__),
    "data of one": lambda v: (v.data if isinstance(v, Value) else v) if DATA is None else v,
}
TABLE = {**{name: (f, True) for name, f in OTHERWISE.items()}}
TABLE |= {name: (f, False) for name, f in ALIKE.items()}


def trained(f, backend):
    class Net(Module):
        def __init__(self):
            self.net, self.calls = MLP(2, [3, 1], "tanh", seed=0), 0

        def __call__(self, x):
            return self.net([f(v) for v in x])

    net = Net()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        history = fit(net, mse, DATA, lr=0.05, steps=6, backend=backend)
    return history.loss, evaluate(net, mse, DATA)[0], [str(each.message) for each in seen]


@pytest.mark.some(32)
@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("backend", ["python", "numpy"])
def test_training_is_that_of_eager_mode(name, backend):
    f, is_warned = TABLE[name]
    (ours, end, warned), (eager, expected, _) = trained(f, backend), trained(f, "eager")
    assert ours == pytest.approx(eager, rel=1e-12)
    assert end == pytest.approx(expected, rel=1e-12)
    assert [words.partition(":")[0] for words in warned] == [
        "training goes on without replay, slower"
    ] * is_warned
    assert all("test_kinds.py:" in words for words in warned)


@pytest.mark.parametrize("name", TABLE)
def test_a_replay_gives_what_the_function_gives_or_refuses(name):
    f, is_refused = TABLE[name]
    w = Value(2.0)
    fast = replay(lambda x: w * f(x))
    for x in (1.5, 2.5, 3.5):
        if is_refused:
            with pytest.raises(ReplayError, match=r"test_kinds\.py:"):
                fast(x)
        else:
            assert fast(x).data == (w * f(x)).data


def test_who_looks_around_or_asks_for_floats_does_not_ask_for_values():
    def line(f):
        with Witness() as seen:
            f(1.5)
        return kind_asked(reach([(f, "")], seen.codes))

    assert line(ALIKE["looks around"]) == ""
    assert line(lambda v: v * math.sqrt(4.0) if isinstance(v, float) else v) == ""
    for name in ("matched", "isinstance", "hasattr", "of a module"):
        assert line(OTHERWISE[name]).startswith(f"{__file__}:")


def test_values_that_are_passed_are_values():
    fast = replay(OTHERWISE["isinstance"])
    for x in (1.5, 2.5):
        v = Value(x)
        z = fast(v)
        z.backward()
        assert (z.data, v.grad) == (x, 1.0)


def test_integers_that_only_an_int_can_be_are_ints_where_kinds_are_asked_too():
    w = Value(2.0)
    fast = replay(lambda x, n: w * ALIKE["made a Value"](x) * int.bit_length(n))
    for x, n in ((1.5, 5), (2.5, 5), (2.5, 9), (1.5, 5)):
        assert fast(x, n).data == 2.0 * x * n.bit_length()
    assert fast.made == 2


@pytest.mark.filterwarnings("ignore:training goes on")
def test_a_model_that_asks_and_counts_is_as_eager():
    class Counting(Module):
        def __init__(self):
            self.w, self.calls, self.seen = Value(0.5), 0, []

        def __call__(self, x):
            self.calls += 1
            self.seen.append(x)
            return self.w * OTHERWISE["isinstance"](x) / (1 + self.calls)

    found = []
    for backend in ("eager", "python", "c"):
        model = Counting()
        loss = fit(model, mse, ([1.0, 2.0], [2.0, 4.0]), lr=0.1, steps=5, backend=backend).loss
        found.append((loss, model.calls, model.seen, model.w.data))
    assert found[0] == found[1] == found[2]


def test_a_file_of_ours_that_shares_a_name_changes_nothing():
    """A name of the user's may be that of a file of nn that is there for something else."""

    class Net(nn.Module):
        def __init__(self):
            self.look, self.beta = Value(2.0), 1.5

        def __call__(self, x):
            return self.look * x * self.beta

    net, kind = Net(), nn
    step = replay(lambda x: net(x) if kind else None, backend="python")
    found = []
    for k in range(12):
        net.beta = 1.5 + k
        found.append(step(1.0).data)
    assert found == [2.0 * (1.5 + k) for k in range(12)]
    assert step.made <= 3
