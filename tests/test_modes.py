import inspect
import math
import threading

import pytest

import engine
from engine.modes import detect_anomaly, enable_grad, modes, no_grad
from engine.ops import OPS
from engine.value import Value


def test_no_grad_keeps_no_graph():
    x = Value(2.0)
    with no_grad():
        results = [x * 3, 3 - x, -x, x.exp(), engine.dot([x], [x], x), engine.sum([x, x])]
        results += [engine.max(x, 3.0), x.leaky_relu(), *engine.softmax([x, x])]
        with no_grad():
            results.append(x + x)
        results.append(x + x)
    assert all(v.op is None and v.parents == () for v in results)
    assert (results[0].data, results[4].data) == (6.0, 6.0)
    assert (x * 3).parents == (x, 3.0)


def test_anomalies_are_found_where_no_graph_is_kept():
    for first, second in [(no_grad, detect_anomaly), (detect_anomaly, no_grad)]:
        with first(), second(), pytest.raises(FloatingPointError, match="log\\(0"):
            Value(0.0).log()
        with first(), second():
            assert Value(1.0).exp().op is None


def test_modes_end_with_an_exception():
    with pytest.raises(RuntimeError, match="mine"), no_grad(), detect_anomaly():
        raise RuntimeError("mine")
    assert modes == []
    assert (Value(0.0).log() * 2).op is OPS["mul"]


def test_modes_belong_to_their_thread():
    seen = []
    with no_grad(), detect_anomaly():
        thread = threading.Thread(target=lambda: seen.append(Value(0.0).log()))
        thread.start()
        thread.join()
    assert seen[0].op is OPS["log"]


HERE = __file__
ANOMALIES = {
    "log(0.0) gave -inf": lambda: Value(0.0).log(),
    "log(-1.0) gave nan": lambda: engine.log(Value(-1.0)),
    "div(1.0, 0.0) gave inf": lambda: 1 / Value(0.0),
    "exp(1000.0) gave inf": lambda: Value(1000.0).exp(),
    "pow(-8.0, 0.5) gave nan": lambda: Value(-8.0) ** 0.5,
    "dot(1e+200, 1e+200, 0.0) gave inf": lambda: engine.dot([Value(1e200)], [1e200]),
    "sum(inf, 1.0) gave inf": lambda: engine.sum([Value(math.inf), 1.0]),
    "logsumexp(nan, 0.0, 0.0, ... 9 operands) gave nan": lambda: engine.logsumexp(
        [Value(math.nan), *[0.0] * 8]
    ),
    "max(nan, 1.0) gave nan": lambda: engine.max(Value(math.nan), 1.0),
    "neg(inf) gave -inf": lambda: -Value(math.inf),
}


@pytest.mark.parametrize(("words", "build"), ANOMALIES.items(), ids=ANOMALIES)
def test_detect_anomaly_names_operation_operands_and_line(words, build):
    with pytest.raises(FloatingPointError) as caught, detect_anomaly():
        build()
    message, _, line = str(caught.value).rpartition(":")
    assert message == f"{words}, at {HERE}"
    first = inspect.getsourcelines(build)[1]
    assert first <= int(line) <= first + 2


def test_detect_anomaly_in_a_backward():
    x = Value(0.0)
    with detect_anomaly():
        y = x.sqrt()
        line = inspect.currentframe().f_lineno - 1
        with pytest.raises(FloatingPointError) as caught:
            y.backward()
    assert str(caught.value) == (
        f"backward through sqrt(0.0): 1.0 * inf gave inf, made at {HERE}:{line}"
    )
    assert not x.has_grad


def test_detect_anomaly_finds_shares_that_add_up_to_infinity():
    x = Value(1e-300, "x")
    y = engine.sum([x * 1e308 for _ in range(2)])
    with detect_anomaly(), pytest.raises(FloatingPointError) as caught:
        y.backward()
    words = "backward: the shares of Value(data=1e-300, grad=0.0, label='x') add up to inf"
    assert str(caught.value) == words
    assert not x.has_grad


def test_detect_anomaly_is_quiet_where_all_is_finite():
    x = Value(2.0)
    with detect_anomaly():
        y = (x * 3).tanh() + engine.dot([x], [x])
        y.backward()
    assert x.grad == pytest.approx(4.0, rel=1e-3)


def test_gradients_are_kept_again_inside_no_grad():
    w = Value(2.0)
    with no_grad():
        with enable_grad():
            inner = w * 3
        assert (w * 3).parents == ()
    assert inner.parents == (w, 3.0)
    with enable_grad():
        assert (w * 3).parents == (w, 3.0)


# --- copies ---------------------------------------------------------------------------------------
