"""Nets that go to PyTorch and come back: the same function, the same slopes, the same numbers."""

import math
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.value import Value
from nn.module import MLP, Layer, Module, Neuron
from nn.pytorch import TWINS, from_torch, to_torch
from nn.save import save

torch = pytest.importorskip("torch", reason="needs the extra torch: pip install -e .[torch]")

ROOT = Path(__file__).parents[1]
SIZES = [(1, [1]), (3, [4]), (2, [16, 1]), (4, [5, 7, 3])]
CLOSE = 1e-12


def rows(nin, count=5, seed=0, scale=1.0):
    draw = random.Random(seed)
    return [[draw.uniform(-scale, scale) for _ in range(nin)] for _ in range(count)]


def outputs(model, x):
    found = model(x)
    return found if isinstance(found, list) else [found]


def tensor(numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def worst(ours, theirs):
    """The largest difference, relative to the number where that is above 1."""
    pairs = list(zip(ours, theirs, strict=True))
    assert all(map(math.isfinite, (*ours, *theirs)))
    return max(abs(a - b) / max(1.0, abs(b)) for a, b in pairs)


def their_slopes(module):
    """The gradient of every number, in the order in which ours stand: a neuron, then its bias."""
    for linear in module:
        if isinstance(linear, torch.nn.Linear):
            for weights, bias in zip(
                linear.weight.grad.tolist(), linear.bias.grad.tolist(), strict=True
            ):
                yield from (*weights, bias)


def compare(model, module, xs):
    """Forward and gradients of a net and its twin, on the sum of the squares of the outputs."""
    ours = [[y.data for y in outputs(model, x)] for x in xs]
    theirs = module(tensor(xs))
    assert worst([y for row in ours for y in row], theirs.flatten().tolist()) <= CLOSE
    model.zero_grad()
    sum(y * y for x in xs for y in outputs(model, x)).backward()
    module.zero_grad()
    (theirs**2).sum().backward()
    slopes = [p.grad for p in model.parameters()]
    assert worst(slopes, list(their_slopes(module))) <= CLOSE


# --- there --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("activation", ["linear", *TWINS])
def test_the_twin_gives_the_same_outputs_and_gradients(activation, sizes):
    model = MLP(*sizes, activation, init="xavier", seed=1)
    module = to_torch(model)
    assert all(p.dtype == torch.float64 and p.requires_grad for p in module.parameters())
    compare(model, module, rows(sizes[0]))


@pytest.mark.parametrize("activation", TWINS)
def test_the_activation_is_the_same_function_at_large_numbers_too(activation):
    layer = to_torch(Neuron(1, activation, seed=0))[1]
    near = [k / 8 for k in range(-400, 401)]
    far = [sign * 10.0**k for k in range(1, 101) for sign in (-1, 1)]
    for x in (*near, *far, 709.5, 710.0, -745.5, 0.0, 1.0, -1.0):
        ours, theirs = Value(x), tensor(x).requires_grad_()
        z, w = getattr(ours, activation)(), layer(theirs)
        z.backward()
        w.backward()
        assert worst([z.data, ours.grad], [w.item(), theirs.grad.item()]) <= CLOSE, x


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: Neuron(3, "tanh", seed=0), ["Linear", "Tanh"]),
        (lambda: Neuron(3, False, seed=0), ["Linear"]),
        (lambda: Layer(3, 2, "gelu", seed=0), ["Linear", "GELU"]),
        (lambda: MLP(3, [4, 2], "linear", seed=0), ["Linear", "Linear"]),
        (lambda: MLP(3, [4, 2], "silu", fused=False, seed=0), ["Linear", "SiLU", "Linear"]),
    ],
)
def test_layers_and_neurons_too(make, shown):
    model = make()
    module = to_torch(model)
    assert [type(layer).__name__ for layer in module] == shown
    compare(model, module, rows(3))


def test_numbers_are_copied_and_the_generator_of_pytorch_stays():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    model = MLP(2, [2, 1], seed=0)
    module = to_torch(model)
    assert torch.equal(torch.get_rng_state(), before)
    kept = model.state_dict()
    with torch.no_grad():
        module[0].weight += 1.0
    assert model.state_dict() == kept


class Line(Module):
    def __init__(self):
        self.w = Value(1.0)

    def __call__(self, x):
        return self.w * x[0]


class Doubled(MLP):
    def __call__(self, x):
        return 2 * super().__call__(x)


class Named(MLP):
    """An MLP in all that it does."""


def changed(change):
    net = MLP(2, [3, 2], "tanh", seed=0)
    change(net, *net.layers)
    return net


CHANGES = {
    "without neurons": lambda net, first, last: first.neurons.clear(),
    "layer 1 of this one does not take 2 inputs": lambda net, first, last: first.neurons.pop(),
    "layer 0 of this one has neurons of several activations": lambda net, first, last: setattr(
        first.neurons[1], "nonlin", False
    ),
    "'scale' beside its layers": lambda net, first, last: setattr(net, "scale", Value(1.0)),
    "uses a parameter twice": lambda net, first, last: setattr(
        first.neurons[0], "b", first.neurons[1].b
    ),
    "a weight that is no parameter": lambda net, first, last: setattr(
        last.neurons[0], "b", first.neurons[1].b * 2
    ),
}


@pytest.mark.parametrize(("words", "change"), CHANGES.items(), ids=CHANGES)
def test_a_net_that_is_no_stack_of_layers_any_more(words, change):
    with pytest.raises(ValueError, match=f"^to_torch expected a net as MLP .*{words}"):
        to_torch(changed(change))


@pytest.mark.parametrize(
    "thing", [Line(), Doubled(2, [1], seed=0), Value(1.0), [MLP(2, [1])], MLP], ids=repr
)
def test_only_what_is_a_stack_of_layers(thing):
    with pytest.raises(TypeError, match=r"^to_torch expected an MLP, a Layer or a Neuron, got "):
        to_torch(thing)


def test_a_class_of_ones_own_that_does_as_mlp_does():
    model = Named(2, [3, 1], "tanh", seed=0)
    compare(model, to_torch(model), rows(2))


@pytest.mark.parametrize("activation", ["sin", "exp", "round"])
def test_an_activation_that_is_no_layer_there(activation):
    with pytest.raises(ValueError, match=f"a layer in PyTorch, got '{activation}': there are lin"):
        to_torch(MLP(2, [3, 1], activation))
    alone = MLP(2, [1], activation, seed=0)  # of which the one layer has none
    compare(alone, to_torch(alone), rows(2))


# --- and back -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("activation", ["linear", *TWINS])
def test_the_net_comes_back(activation, sizes):
    model = MLP(*sizes, activation, init="he", seed=2)
    again = from_torch(to_torch(model))
    assert repr(again) == repr(model)
    assert again.state_dict() == model.state_dict()


def linear(nin, nout, **settings):
    torch.manual_seed(nin + 10 * nout)
    return torch.nn.Linear(nin, nout, **settings)


def sequential(*layers):
    return torch.nn.Sequential(*layers)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_numbers_of_every_precision_come_exactly(dtype):
    module = sequential(linear(3, 4), torch.nn.Tanh(), linear(4, 2)).to(dtype)
    model = from_torch(module)
    numbers = [x.item() for p in module.parameters() for x in p.flatten()]
    assert sorted(model.state_dict().values()) == sorted(numbers)
    compare(model, module.double(), rows(3))


def test_a_layer_without_bias():
    module = sequential(linear(3, 4, bias=False), torch.nn.ReLU(), linear(4, 1, bias=False))
    model = from_torch(module)
    assert [neuron.b.data for layer in model.layers for neuron in layer.neurons] == [0.0] * 5
    xs = rows(3)
    ours = [model(x).data for x in xs]
    assert worst(ours, module.double()(tensor(xs)).flatten().tolist()) <= CLOSE


def test_several_activations_and_modules_in_modules():
    module = sequential(
        sequential(linear(2, 3), torch.nn.Identity(), torch.nn.GELU()),
        sequential(sequential(linear(3, 3)), torch.nn.ELU()),
        linear(3, 2),
        torch.nn.Sigmoid(),
    ).double()
    model = from_torch(module)
    assert [layer.neurons[0].activation for layer in model.layers] == ["gelu", "elu", "sigmoid"]
    xs = rows(2)
    ours = [y.data for x in xs for y in model(x)]
    assert worst(ours, module(tensor(xs)).flatten().tolist()) <= CLOSE
    compare(model, to_torch(model), xs)


def test_one_linear_alone():
    assert repr(from_torch(linear(2, 1))) == "MLP of [Layer of [LinearNeuron(2)]]"


def test_the_generators_stay():
    state, theirs = random.getstate(), torch.get_rng_state()
    from_torch(sequential(torch.nn.Identity(), torch.nn.utils.skip_init(torch.nn.Linear, 2, 1)))
    assert random.getstate() == state
    assert torch.equal(torch.get_rng_state(), theirs)


def test_softplus_as_pytorch_has_it_is_off_by_2e_9_above_its_threshold_and_nowhere_else():
    module = sequential(linear(1, 1), torch.nn.Softplus()).double()
    with torch.no_grad():
        module[0].weight[:], module[0].bias[:] = 1.0, 0.0
    model = from_torch(module)
    off = [abs(model([x]).data - module(tensor([x])).item()) for x in (19.999, 20.001, 30.0, 41.0)]
    assert off[0] < 1e-14
    assert off[1] == pytest.approx(math.exp(-20.001), rel=1e-5)
    assert off[2] == pytest.approx(math.exp(-30), rel=0.02)
    assert off[3] == 0.0


def with_nan():
    layer = linear(2, 1)
    with torch.no_grad():
        layer.weight[0, 1] = math.nan
    return layer


NOT_HERE = {
    r"layer 1 of the module, Conv1d\(.*, has no counterpart: supported are Sequential, Linear, "
    "Identity, ReLU, Tanh, .*Hardtanh$": lambda: (linear(2, 1), torch.nn.Conv1d(1, 1, 1)),
    r"layer 1.0 of the module, ReLU6\(\), has no": lambda: (
        linear(2, 1),
        sequential(torch.nn.ReLU6()),
    ),
    r"layer 1 .*, GELU\(approximate='tanh'\), has no counterpart: expected approximate=none": (
        lambda: (linear(2, 1), torch.nn.GELU(approximate="tanh"))
    ),
    r"layer 1 .*ELU\(alpha=2.0\), has no counterpart: expected alpha=1.0": lambda: (
        linear(2, 1),
        torch.nn.ELU(2.0),
    ),
    r"layer 1 .*threshold=5.*, has no counterpart: expected threshold=40.0": lambda: (
        linear(2, 1),
        torch.nn.Softplus(threshold=5),
    ),
    r"layer 1 .*Softmax\(dim=-1\), has no counterpart: nn.cross_entropy takes the numbers": (
        lambda: (linear(2, 2), torch.nn.Softmax(dim=-1))
    ),
    r"layer 1 .*Dropout.*, has no counterpart: it changes nothing once": lambda: (
        linear(2, 2),
        torch.nn.Dropout(),
    ),
    r"layer 0 .*Tanh\(\), does not follow a Linear": lambda: (torch.nn.Tanh(), linear(2, 1)),
    r"layer 2 .*Tanh\(\), does not follow a Linear": lambda: (
        linear(2, 1),
        torch.nn.ReLU(),
        torch.nn.Tanh(),
    ),
    r"layer 1 .*Linear\(.*, does not take the 3 outputs before it": lambda: (
        linear(2, 3),
        linear(4, 1),
    ),
    r"layer 0 .*, expected a finite number, got nan": lambda: (with_nan(),),
    r"layer 0 .*, expected real numbers as weights, got torch.complex64": lambda: (
        linear(2, 1, dtype=torch.complex64),
    ),
    "expected a module with a Linear in it, got Sequential": lambda: (),
}


@pytest.mark.parametrize(("words", "make"), NOT_HERE.items())
def test_what_has_no_counterpart_is_one_error_with_its_place(words, make):
    module = sequential(*make())
    with pytest.raises(ValueError, match=words) as caught:
        from_torch(module)
    assert "\n" not in str(caught.value)


class Own(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = linear(2, 1)

    def forward(self, x):
        return self.body(x) + x.sum()


def test_a_module_of_ones_own_is_refused_for_its_code():
    with pytest.raises(ValueError, match=r"layer 0 of the module, Own\(.*has no counterpart"):
        from_torch(Own())


@pytest.mark.parametrize("thing", [MLP(2, [1]), {}, torch.zeros(2), torch.nn.Linear], ids=str)
def test_only_modules_come_back(thing):
    with pytest.raises(TypeError, match=r"from_torch expected a torch\.nn\.Module, got "):
        from_torch(thing)


# --- and beyond it --------------------------------------------------------------------------------


@pytest.mark.whole
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_lines_of_the_page_write_onnx_that_computes_the_same(dtype, tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs the extra oracle: pip install -e .[oracle]")
    pytest.importorskip("onnxscript", reason="needs the extra oracle")
    from onnx.reference import ReferenceEvaluator

    page = (ROOT / "docs" / "outgrow.md").read_text(encoding="utf-8").partition("## ONNX\n")[2]
    lines = "\n".join(re.findall(r"^    (.*)$", page, flags=re.M))
    assert lines.count("\n") == 3
    if dtype == "float32":
        assert f"`to_torch(net).float()` and `dtype=torch.{dtype}`" in " ".join(page.split())
        lines = lines.replace(".eval()", ".float().eval()").replace("float64", dtype)
    save(net := MLP(4, [8, 3], "tanh", init="xavier", seed=0), tmp_path / "net.json")
    imports = "import torch; from nn import load, to_torch; net = load('net.json')"
    subprocess.run(  # in a process of its own, as PyTorch warns of its own code
        [sys.executable, "-c", f"{imports}\n{lines}"],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    model = onnx.load(tmp_path / "net.onnx")
    xs = rows(4, count=7)
    array = torch.tensor(xs, dtype=getattr(torch, dtype)).numpy()
    (theirs,) = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: array})
    ours = [y.data for x in xs for y in net(x)]
    assert str(theirs.dtype) == dtype
    assert worst(ours, theirs.flatten().tolist()) <= {"float64": CLOSE, "float32": 1e-6}[dtype]


def test_a_layer_that_is_there_twice_is_taken_twice():
    act, linear = torch.nn.Tanh(), torch.nn.Linear(3, 3)
    module = torch.nn.Sequential(linear, act, torch.nn.Linear(3, 3), act, linear).double()
    for x in rows(3):
        ours = [y.data for y in outputs(from_torch(module), x)]
        assert worst(ours, module(tensor(x)).tolist()) < CLOSE


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: torch.nn.LazyLinear(2), "has no numbers yet"),
        (lambda: torch.nn.Linear(2, 2, device="meta"), "has no numbers yet"),
        (lambda: hooked(torch.nn.Linear(2, 2)), "has a hook"),
        (lambda: torch.nn.Linear(0, 4), r"has no weights: \(4, 0\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules", "ignore:Initializing zero-element")
def test_layers_that_are_not_what_they_seem_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        from_torch(torch.nn.Sequential(make()))


def hooked(layer, register="register_forward_hook"):
    getattr(layer, register)(lambda layer, given, *found: None)
    return layer


def with_a_forward_of_its_own(layer):
    layer.forward = lambda x: 2 * x
    return layer


class Doubled(torch.nn.Linear):
    def __call__(self, x):
        return 2 * super().__call__(x)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: hooked(torch.nn.Sequential(of_two())), "layer 0 .* has a hook"),
        (
            lambda: torch.nn.Sequential(
                hooked(torch.nn.Sequential(of_two()), "register_forward_pre_hook")
            ),
            "layer 0 .* has a hook",
        ),
        (lambda: torch.nn.Sequential(with_a_forward_of_its_own(of_two())), "forward or __call__"),
        (
            lambda: torch.nn.Sequential(of_two(), with_a_forward_of_its_own(torch.nn.Tanh())),
            "layer 1 .* forward or __call__",
        ),
        (lambda: with_a_forward_of_its_own(torch.nn.Sequential(of_two())), "forward or __call__"),
        (lambda: torch.nn.Sequential(Doubled(2, 2)), "forward or __call__"),
        (lambda: torch.nn.Sequential(of_two(), None), "layer 1 .*None, has no counterpart"),
        (lambda: torch.jit.trace(torch.nn.Sequential(of_two()), torch.zeros(2)), "no counterpart"),
        (
            lambda: torch.jit.freeze(torch.jit.script(torch.nn.Sequential(of_two()).eval())),
            "no counterpart",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_may_give_other_numbers_than_its_layers_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        from_torch(make())


def test_a_hook_of_all_modules_is_refused():
    hook = torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        with pytest.raises(ValueError, match="has a hook"):
            from_torch(of_two())
    finally:
        hook.remove()


def of_two():
    return torch.nn.Linear(2, 2)


@pytest.mark.parametrize("is_training", [True, False])
def test_weights_that_pytorch_computes_come_as_they_are_and_stay(is_training):
    linear = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(3, 2))
    module = torch.nn.Sequential(linear, torch.nn.Tanh()).train(is_training)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    weights = [[w.data for w in neuron.w] for neuron in from_torch(module).layers[0].neurons]
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert {layer.training for layer in module.modules()} == {is_training}
    assert weights == module.eval()[0].weight.double().tolist()
