import copy
import math
import pickle
import random
from collections import deque
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import printed

from engine import ops
from engine.functions import define
from engine.value import Value, toposort
from nn.checks import check_model
from nn.module import ACTIVATIONS, MLP, Layer, Module, Neuron

X = [0.7, -1.2, 2.5]


def set_all(model, numbers):
    for p, number in zip(model.parameters(), numbers, strict=True):
        p.data = number


# --- one neuron, by hand ---------------------------------------------------------------------


def test_a_neuron_is_its_weighted_sum_and_its_bias():
    neuron = Neuron(2, nonlin=False)
    set_all(neuron, [2.0, -3.0, 0.5])
    out = neuron([4.0, 1.0])
    out.backward()
    assert out.data == 0.5 + 2 * 4 - 3 * 1
    assert [p.grad for p in neuron.parameters()] == [4.0, 1.0, 1.0]


def test_gradients_reach_the_inputs():
    neuron = Neuron(2)
    set_all(neuron, [2.0, -3.0, 0.5])
    x = [Value(4.0), Value(1.0)]
    neuron(x).backward()
    assert [v.grad for v in x] == [2.0, -3.0]


@pytest.mark.parametrize(
    ("activation", "f"),
    [
        ("linear", lambda s: s),
        ("relu", lambda s: max(s, 0.0)),
        ("leaky_relu", lambda s: s if s > 0 else 0.01 * s),
        ("tanh", math.tanh),
        ("sigmoid", lambda s: 1 / (1 + math.exp(-s))),
        ("softplus", lambda s: math.log(1 + math.exp(s))),
        ("gelu", lambda s: s * (1 + math.erf(s / math.sqrt(2))) / 2),
        ("sin", math.sin),
        ("neg", lambda s: -s),
        ("abs", abs),
    ],
)
@pytest.mark.parametrize("bias", [-0.8, 1.3])
@pytest.mark.parametrize("fused", [True, False])
def test_activations_by_name(activation, f, bias, fused):
    neuron = Neuron(1, activation=activation, fused=fused)
    set_all(neuron, [0.5, bias])
    out = neuron([3.0])
    out.backward()
    slope = (f(1.5 + bias + 1e-6) - f(1.5 + bias - 1e-6)) / 2e-6
    assert out.data == pytest.approx(f(1.5 + bias), rel=1e-14)
    assert neuron.b.grad == pytest.approx(slope, rel=1e-8)
    assert neuron.w[0].grad == pytest.approx(3 * slope, rel=1e-8)


def test_an_operation_of_the_user_is_an_activation(monkeypatch):
    monkeypatch.setitem(ops.OPS, "doubled_here", None)  # restored after the test
    del ops.OPS["doubled_here"]
    define("doubled_here", "2x", "2 * x", "2.0", at=[(0.3,)])
    neuron = Neuron(1, activation="doubled_here")
    set_all(neuron, [3.0, 1.0])
    out = neuron([5.0])
    out.backward()
    assert (out.data, neuron.w[0].grad) == (32.0, 10.0)


@pytest.mark.parametrize("name", ["rellu", "add", "pow", "dot", "data", "backward", "", "max"])
def test_unknown_activations_list_the_choices(name):
    with pytest.raises(ValueError, match=r"no activation '.*'.* There are: linear, .*tanh.*relu"):
        Neuron(2, activation=name)


def test_an_unknown_activation_is_refused_even_where_no_layer_uses_it():
    with pytest.raises(ValueError, match="no activation 'rellu'"):
        MLP(2, [1], "rellu")


@pytest.mark.parametrize(("fused", "operations"), [(True, 2), (False, 2 * 3 + 1)])
def test_nodes_of_a_neuron(fused, operations):
    graph = toposort(Neuron(3, fused=fused)(X))
    assert sum(v.op is not None for v in graph) == operations
    assert sum(v.op is None for v in graph) == 3 + 1


def test_a_fused_neuron_is_a_dot_and_its_activation():
    out = Neuron(3, activation="tanh")(X)
    assert out.op.name == "tanh"
    assert out.parents[0].op.name == "dot"


# --- micrograd's nets ------------------------------------------------------------------------


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("sizes", [(3, [4, 4, 1]), (3, [5, 2]), (3, [1])])
def test_the_same_bits_as_micrograd(sizes, fused):
    theirs = pytest.importorskip("micrograd.nn")
    random.seed(7)
    expected = theirs.MLP(*sizes)
    random.seed(7)
    model = MLP(*sizes, fused=fused)
    assert [p.data for p in model.parameters()] == [p.data for p in expected.parameters()]

    want, got = expected(X), model(X)
    want, got = (v if isinstance(v, list) else [v] for v in (want, got))
    assert [v.data for v in got] == [v.data for v in want]

    for outputs in (want, got):
        sum(v * k for k, v in enumerate(outputs, 1)).backward()
    for p, q in zip(model.parameters(), expected.parameters(), strict=True):
        assert p.grad == pytest.approx(q.grad, rel=1e-14, abs=1e-15)


def test_the_names_that_micrograd_shows():
    theirs = pytest.importorskip("micrograd.nn")
    assert repr(MLP(3, [4, 1])) == repr(theirs.MLP(3, [4, 1]))
    assert repr(Layer(2, 2, nonlin=False)) == repr(theirs.Layer(2, 2, nonlin=False))
    assert repr(Neuron(5, nonlin=False)) == repr(theirs.Neuron(5, nonlin=False))


def test_a_module_written_for_micrograd_runs():
    class Line(Module):
        def __init__(self):
            self.hidden = [Value(1.0)]

        def parameters(self):
            return self.hidden

    line = Line()
    (line.hidden[0] * 3).backward()
    assert line.hidden[0].grad == 3.0
    line.zero_grad()
    assert line.hidden[0].grad == 0.0


@pytest.mark.parametrize(
    ("activation", "title"), [("tanh", "Tanh"), ("gelu", "GELU"), ("leaky_relu", "LeakyReLU")]
)
def test_names_of_neurons(activation, title):
    assert repr(Neuron(3, activation=activation)) == f"{title}Neuron(3)"


@pytest.mark.parametrize(
    "make", [lambda *a, **s: Layer(2, 1, *a, **s).neurons[0], partial(Neuron, 2)]
)
def test_a_text_in_the_place_of_nonlin_is_the_activation(make):
    assert repr(make("tanh")) == repr(make(activation="tanh")) == "TanhNeuron(2)"
    assert repr(make(nonlin="linear")) == "LinearNeuron(2)"
    assert repr(make("tanh", activation="tanh")) == "TanhNeuron(2)"
    with pytest.raises(ValueError, match="no activation 'tahn', did you mean 'tanh'"):
        make("tahn")
    with pytest.raises(ValueError, match="expected one activation, got 'tanh' and 'relu'"):
        make("tanh", activation="relu")
    with pytest.raises(ValueError, match="no activation None"):
        make(activation=None)
    x = [0.3, -0.4]
    assert make("tanh", seed=1)(x).data == make(activation="tanh", seed=1)(x).data


@pytest.mark.parametrize("make", [partial(Neuron, 2), partial(Layer, 2, 1)])
def test_switches_are_true_or_false(make):
    np = pytest.importorskip("numpy")
    for off in (False, 0, np.False_):
        assert "Linear" in repr(make(off))
        assert "Linear" in repr(make(nonlin=off, activation="tanh"))
    for on in (True, 1, np.True_):
        assert "ReLU" in repr(make(on))
    for wrong in (None, 2, 0.5, [], [1], Value(1.0), np.ones(2)):
        with pytest.raises(TypeError, match=r"^nonlin expected True or False, got "):
            make(wrong)
    with pytest.raises(TypeError, match=r"^fused expected True or False, got 'no'"):
        make(fused="no")
    with pytest.raises(TypeError, match=r"^fused expected True or False, got 'no'"):
        MLP(2, [1], fused="no")


# --- layers and nets -------------------------------------------------------------------------


@pytest.mark.parametrize("nout", [1, 2])
def test_a_layer_always_returns_a_list(nout):
    out = Layer(3, nout)(X)
    assert isinstance(out, list)
    assert len(out) == nout


def test_only_a_last_single_output_comes_without_its_list():
    assert isinstance(MLP(3, [1, 1])(X), Value)
    assert isinstance(MLP(3, [1])(X), Value)
    assert len(MLP(3, [1, 2])(X)) == 2


@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=4),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_a_net_is_its_matrices(sizes, seed, fused):
    np = pytest.importorskip("numpy")
    model = MLP(sizes[0], sizes[1:], "tanh", fused=fused, seed=seed)
    x = [math.sin(seed + k) for k in range(sizes[0])]
    state = model.state_dict()
    z = np.array(x)
    for k, (a, b) in enumerate(pairwise(sizes)):
        name = f"layers.{k}.neurons"
        w = np.array([[state[f"{name}.{i}.w.{j}"] for j in range(a)] for i in range(b)])
        z = w @ z + np.array([state[f"{name}.{i}.b"] for i in range(b)])
        z = np.tanh(z) if k < len(sizes) - 2 else z
    out = model(x)
    out = out if isinstance(out, list) else [out]
    assert [v.data for v in out] == pytest.approx(z.tolist(), rel=1e-12, abs=1e-13)


def test_gradients_of_a_net_against_torch():
    torch = pytest.importorskip("torch")
    model = MLP(3, [4, 5, 2], "gelu", seed=3)
    net = torch.nn.Sequential(
        *(torch.nn.Linear(3, 4), torch.nn.GELU(), torch.nn.Linear(4, 5), torch.nn.GELU()),
        torch.nn.Linear(5, 2),
    ).double()
    state = iter(model.state_dict().values())
    linear = [m for m in net if isinstance(m, torch.nn.Linear)]
    with torch.no_grad():
        for m in linear:
            for row in range(m.out_features):
                weights = [next(state) for _ in range(m.in_features)]
                m.weight[row] = torch.tensor(weights, dtype=torch.float64)
                m.bias[row] = next(state)
    a, b = model(X)
    (a * b).backward()
    out = net(torch.tensor(X, dtype=torch.float64))
    (out[0] * out[1]).backward()
    expected = []
    for m in linear:
        for row in range(m.out_features):
            expected += [*m.weight.grad[row].tolist(), m.bias.grad[row].item()]
    got = [p.grad for p in model.parameters()]
    assert got == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("x", [[], [1.0, 2.0], [1.0] * 5])
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    "make", [Neuron, lambda n, **s: Layer(n, 2, **s), lambda n, **s: MLP(n, [2, 1], **s)]
)
def test_wrong_lengths_are_named(make, x, fused):
    with pytest.raises(ValueError, match=rf"^Neuron\(3\) expected 3 inputs, got {len(x)}$"):
        make(3, fused=fused)(x)


@pytest.mark.parametrize("x", [3.0, Value(3.0), None])
def test_an_input_without_its_list(x):
    with pytest.raises(
        TypeError, match=rf"^Neuron\(2\) expected a list of 2 .* got {type(x).__name__}$"
    ):
        MLP(2, [2, 1])(x)


@pytest.mark.parametrize("kind", [Neuron, lambda n: Layer(n, 2), lambda n: MLP(n, [2, 1])])
def test_inputs_without_their_list(kind):
    model = kind(2)
    name = type(model).__name__
    with pytest.raises(
        TypeError, match=rf"^{name} expected .* one list, such as net\(\[1.0, 2.0\]\), got 2 arg"
    ):
        model(1.0, 2.0)
    with pytest.raises(TypeError, match=r"such as net\(\[1.0, \.\.\., 3, \.\.\.\]\), got 4 arg"):
        model(1.0, Value(2.0), 3, 4)
    assert repr(model(x=[1.0, 2.0])) == repr(model([1.0, 2.0]))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Neuron(0), ValueError, "inputs must be at least 1, got 0"),
        (lambda: Neuron(-3), ValueError, "inputs must be at least 1, got -3"),
        (lambda: Neuron(2.0), TypeError, "inputs must be an int, got 2.0"),
        (lambda: Neuron("3"), TypeError, "inputs must be an int, got '3'"),
        (lambda: Neuron(True), TypeError, "inputs must be an int, got True"),
        (lambda: Layer(2, 0), ValueError, "neurons must be at least 1, got 0"),
        (lambda: Layer(0, 2), ValueError, "inputs must be at least 1, got 0"),
        (lambda: MLP(2, [0, 1]), ValueError, "neurons must be at least 1, got 0"),
        (lambda: MLP(2, [3, -1]), ValueError, "neurons must be at least 1, got -1"),
        (lambda: MLP(2, [3, 1.5]), TypeError, "neurons must be an int, got 1.5"),
        (lambda: MLP(2, "33"), TypeError, "neurons must be an int, got '3'"),
        (lambda: MLP(-2, [1]), ValueError, "inputs must be at least 1, got -2"),
        (lambda: MLP(2, []), ValueError, "at least 1 layer, got 0"),
        (lambda: MLP(2, 3), TypeError, "a list of layer sizes such as .*, got int"),
        (lambda: Neuron(2, init="zeros"), ValueError, "no init 'zeros'. There are: .*he, xavier"),
        (lambda: Neuron(2, init=math.nan), ValueError, "init expected a finite .*, got nan"),
        (lambda: Neuron(2, init=-0.1), ValueError, "init expected a finite .*, got -0.1"),
        (lambda: Neuron(2, init=math.inf), ValueError, "init expected a finite .*, got inf"),
    ],
)
def test_bad_settings(make, error, message):
    with pytest.raises(error, match=message):
        make()


# --- where weights start ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("init", "variance"),
    [("uniform", 1 / 3), ("he", 2 / 30), ("xavier", 2 / (30 + 50)), (0.3, 0.3**2 / 3)],
)
def test_variance_of_the_weights(init, variance):
    weights = [w.data for n in Layer(30, 50, init=init, seed=5).neurons for w in n.w]
    mean_square = math.fsum(w * w for w in weights) / len(weights)
    assert mean_square == pytest.approx(variance, rel=0.05)
    reach = math.sqrt(3 * variance)  # of a uniform distribution with that variance
    assert 0.99 * reach < max(map(abs, weights)) <= reach


def test_biases_start_at_zero():
    assert [n.b.data for n in Layer(3, 4, init="he").neurons] == [0.0] * 4


def test_one_seed_one_net_and_the_global_generator_untouched():
    random.seed(1)
    before = random.getstate()
    first, second, other = (MLP(3, [4, 2], seed=s).state_dict() for s in (11, 11, 12))
    assert first == second != other
    assert len(set(first.values())) == 3 * 4 + 4 * 2 + 1  # all weights differ, all biases 0
    assert random.getstate() == before


def test_a_generator_as_seed():
    generator = random.Random(3)
    a, b = Neuron(2, seed=generator), Neuron(2, seed=generator)
    draws = random.Random(3)
    assert [w.data for w in a.w + b.w] == [draws.uniform(-1, 1) for _ in range(4)]


@pytest.mark.whole
def test_one_seed_gives_the_same_bits_in_every_process():
    code = (
        "from nn.module import MLP\n"
        "m = MLP(2, [3, 1], 'tanh', seed=4)\n"
        "out = m([0.1, -0.7]); out.backward()\n"
        "print(out.data.hex(), [p.grad.hex() for p in m.parameters()])"
    )
    assert len({printed(code, seed) for seed in range(3)}) == 1


# --- modules of one's own --------------------------------------------------------------------


class Tied(Module):
    def __init__(self):
        self.gain = Value(2.0)
        self.parts = [Neuron(1, seed=1), {"deep": (Value(3.0), [Value(4.0)])}]
        self.again = self.parts[0]
        self.same = self.gain
        self.owner = self
        self.name, self.rows, self.none = "tied", [1.0, 2.0], None
        self.cached = self.gain * 2


def test_parameters_are_found_in_order_and_once():
    model = Tied()
    names = ["gain", "parts.0.w.0", "parts.0.b", "parts.1.deep.0", "parts.1.deep.1.0"]
    assert [name for name, _ in model.named_parameters()] == names
    assert model.parameters() == [value for _, value in model.named_parameters()]
    assert model.parameters()[0] is model.gain
    assert model.parameters()[-1].data == 4.0


def test_names_of_a_net():
    names = [name for name, _ in MLP(2, [2, 1]).named_parameters()]
    assert names == [
        *("layers.0.neurons.0.w.0", "layers.0.neurons.0.w.1", "layers.0.neurons.0.b"),
        *("layers.0.neurons.1.w.0", "layers.0.neurons.1.w.1", "layers.0.neurons.1.b"),
        *("layers.1.neurons.0.w.0", "layers.1.neurons.0.w.1", "layers.1.neurons.0.b"),
    ]


class Holding(Module):
    def __init__(self, **parts):
        vars(self).update(parts)


@pytest.mark.parametrize(
    ("parts", "name", "places"),
    [
        ({"d": {1: Value(1.0), "1": Value(2.0)}}, "d.1", r"d\[1\] and d\['1'\]"),
        (
            {"d": {"b.c": Value(1.0), "b": {"c": Value(2.0)}}},
            "d.b.c",
            r"d\['b.c'\] and d\['b'\]\['c'\]",
        ),
        (
            {"d": {"b.w": Value(1.0), "b": Holding(w=Value(2.0))}},
            "d.b.w",
            r"d\['b.w'\] and d\['b'\].w",
        ),
        ({"a.w": Value(1.0), "a": Holding(w=Value(2.0))}, "a.w", "a.w and a.w"),
        ({"d": {True: [Value(1.0)], "True": [Value(1.0)]}}, "d.True.0", r"d\[True\]\[0\] and "),
    ],
)
def test_two_parameters_of_one_name_are_refused_by_all_that_name_them(parts, name, places):
    model = Holding(**parts)
    message = rf"^two parameters of Holding have the name '{name}': {places}"
    for use in (model.state_dict, model.named_parameters, lambda: model.load_state_dict({name: 1})):
        with pytest.raises(ValueError, match=message):
            use()
    assert len(model.parameters()) == 2


def test_one_parameter_under_two_names_has_the_first():
    shared = Value(1.0)
    assert Holding(d={1: shared, "1": shared}, e=shared).state_dict() == {"d.1": 1.0}


def test_what_is_alike_is_counted_where_it_is_many():
    model = MLP(2, [16, 16, 16, 16, 16, 16, 5, 4, 1], "tanh")
    assert repr(model) == (
        "MLP of [Layer of [16 x TanhNeuron(2)], 5 x Layer of [16 x TanhNeuron(16)], "
        "Layer of [5 x TanhNeuron(16)], "
        "Layer of [TanhNeuron(5), TanhNeuron(5), TanhNeuron(5), TanhNeuron(5)], "
        "Layer of [LinearNeuron(4)]]"
    )
    layer = Layer(2, 6)
    layer.neurons[0] = Neuron(2, "tanh")
    assert repr(layer) == "Layer of [TanhNeuron(2), 5 x ReLUNeuron(2)]"


def test_a_module_shows_how_many_parameters_it_has():
    assert repr(Tied()) == "Tied of 5 parameters"
    assert Module().parameters() == []


def test_zero_grad_forgets_all_gradients():
    model = MLP(3, [2, 1], "tanh", seed=1)
    model(X).backward()
    assert all(p.has_grad for p in model.parameters())
    model.zero_grad()
    assert not any(p.has_grad for p in model.parameters())


# --- states ----------------------------------------------------------------------------------


def test_a_state_moves_to_another_net():
    one, two = MLP(3, [4, 2], seed=1), MLP(3, [4, 2], seed=2)
    two.load_state_dict(one.state_dict())
    assert two.state_dict() == one.state_dict()
    assert [v.data for v in two(X)] == [v.data for v in one(X)]


def test_a_state_is_a_copy():
    neuron = Neuron(1)
    state = neuron.state_dict()
    neuron.b.data = 9.0
    assert state["b"] == 0.0


@pytest.mark.parametrize("number", [3, 2.5, -0.0, 5e-324, 1.7e308])
def test_numbers_that_load(number):
    neuron = Neuron(1)
    neuron.load_state_dict({"w.0": 1.0, "b": number})
    assert neuron.b.data.hex() == float(number).hex()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": math.nan}, "b expected a finite number, got nan"),
        ({"b": math.inf}, "b expected a finite number, got inf"),
        ({"b": "1.0"}, "b expected a finite number, got '1.0'"),
        ({"b": True}, "b expected a finite number, got True"),
        ({"b": None}, "b expected a finite number, got None"),
        ({"b": [1.0]}, r"b expected a finite number, got \[1.0\]"),
        ({"b": 1j}, "b expected a finite number, got 1j"),
        ({"b": 10**400}, "b expected a finite number, got 1000"),
        ({"c": 1.0}, r"expected its 3 parameters, got 4 names; missing: \[\], unknown: \['c'\]"),
        ({"w.2": 1.0, "w.3": 1.0}, r"got 5 names; missing: \[\], unknown: \['w.2', 'w.3'\]"),
    ],
)
def test_bad_states_change_nothing(change, message):
    neuron = Neuron(2, seed=1)
    before = neuron.state_dict()
    with pytest.raises(ValueError, match=message):
        neuron.load_state_dict({"w.0": 7.0, "w.1": 8.0, "b": 9.0} | change)
    assert neuron.state_dict() == before


def test_a_state_with_a_name_missing():
    neuron = Neuron(2, seed=1)
    with pytest.raises(ValueError, match=r"3 parameters, got 2 names; missing: \['w.1'\]"):
        neuron.load_state_dict({"w.0": 7.0, "b": 9.0})


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_copies_of_a_net_stand_alone(copied, activation):
    model = MLP(2, [2, 1], activation, seed=1)
    twin = copied(model)
    assert twin.state_dict() == model.state_dict()
    assert twin([0.3, 0.4]).data == pytest.approx(model([0.3, 0.4]).data, rel=0, nan_ok=True)
    assert not set(twin.parameters()) & set(model.parameters())


def test_values_in_arrays_and_deques_are_parameters():
    numpy = pytest.importorskip("numpy")

    class Net(Module):
        def __init__(self):
            self.grid = numpy.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
            self.row = deque([Value(5.0)])

    names = {name: p.data for name, p in Net().named_parameters()}
    expected = {"grid.0.0": 1.0, "grid.0.1": 2.0, "grid.1.0": 3.0, "grid.1.1": 4.0, "row.0": 5.0}
    assert names == expected


def test_a_set_of_values_is_refused():
    class Net(Module):
        def __init__(self):
            self.ws = {Value(1.0)}

    with pytest.raises(TypeError, match=r"^ws is a set of Values, which has no order: keep them"):
        Net().parameters()


class Forward(Module):
    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            Forward(),
            "^fit expected a model to call with one example, Forward: name its me",
        ),
        (MLP, "^fit expected a model, got the class MLP: make one"),
        (3, "^fit expected a model to call with one example, int: got no function and no net$"),
    ],
)
def test_what_is_no_model_is_refused(model, words):
    with pytest.raises(TypeError, match=words):
        check_model("fit", model)
