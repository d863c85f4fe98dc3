"""A net as the stack of linear layers that it is: read off its neurons, and made into neurons."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from engine.names import no_such
from engine.pictures.texts import many
from engine.sweep import set_each
from nn.module import ACTIVATIONS, MLP, Layer, Module, Neuron


class Linear(NamedTuple):
    """One layer: a row of weights and a bias for each neuron, and what follows."""

    weights: list[list[float]]
    biases: list[float]
    activation: str = "linear"

    @property
    def sizes(self) -> tuple[int, int]:
        """The number of inputs, and of outputs."""
        return len(self.weights[0]), len(self.weights)


Stack = Sequence[Linear]

NEURONS: Mapping[type[Module], Callable[[Any], list[list[Neuron]]]] = {
    MLP: lambda net: [_as(Layer, layer).neurons for layer in net.layers],
    Layer: lambda layer: [layer.neurons],
    Neuron: lambda neuron: [[neuron]],
}


def stack_of(who: str, model: Module) -> list[Linear]:
    """The layers of an MLP, a Layer or a Neuron, with the numbers that it has now.

    Raises TypeError for another module, whose code is its own, and ValueError for a net that was
    changed until it is no such stack: `who` names the function that needs one.

    >>> neuron = Neuron(2, "tanh", seed=0)
    >>> neuron.load_state_dict({"w.0": 1.0, "w.1": -2.0, "b": 0.5})
    >>> stack_of("save", neuron)
    [Linear(weights=[[1.0, -2.0]], biases=[0.5], activation='tanh')]
    """
    try:
        rows = _neurons(model)
    except TypeError:
        raise TypeError(
            f"{who} expected an MLP, a Layer or a Neuron, got {type(model).__name__}: what its "
            "code does cannot be read off its parameters"
        ) from None
    if words := _change(model, rows):
        raise ValueError(f"{who} expected a net as MLP or Layer builds it; {words}")
    return [
        Linear(
            [[w.data for w in neuron.w] for neuron in row],
            [neuron.b.data for neuron in row],
            _activation(row[0]),
        )
        for row in rows
    ]


def is_fused(model: Module) -> bool:
    """Whether the neurons of such a net take the sum of their products as one node."""
    return _neurons(model)[0][0].fused


def built(stack: Stack, *, fused: bool = True) -> MLP:
    """The net of these layers; also one that `MLP(...)` cannot say, of several activations.

    >>> built([Linear([[1.0], [2.0]], [0.0, 0.0], "relu"), Linear([[1.0, 1.0]], [0.0], "tanh")])
    MLP of [Layer of [ReLUNeuron(1), ReLUNeuron(1)], Layer of [TanhNeuron(2)]]
    """
    sizes = [layer.sizes for layer in stack]
    net = MLP(sizes[0][0], [nout for _, nout in sizes], "linear", fused=fused, seed=0)
    net.layers = [
        Layer(*layer.sizes, activation=layer.activation, fused=fused, seed=0) for layer in stack
    ]
    fill(net, stack)
    return net


def fill(model: Module, stack: Stack) -> None:
    """Gives a net of this structure the numbers of a stack: all of them, or, on an error, none."""
    parameters = [p for row in _neurons(model) for neuron in row for p in (*neuron.w, neuron.b)]
    numbers = [
        x
        for layer in stack
        for weights, bias in zip(layer.weights, layer.biases, strict=True)
        for x in (*weights, bias)
    ]
    set_each("data", parameters, numbers)


def places(activations: Sequence[str]) -> Iterator[int]:
    """Where each linear layer stands in PyTorch's Sequential, in which activations are layers too.

    >>> list(places(["tanh", "linear", "relu", "linear"]))
    [0, 2, 3, 5]
    """
    place = 0
    for activation in activations:
        yield place
        place += 1 + (activation != "linear")


def undefined(activation: object) -> str:
    """What to do where a file names an activation that is not there."""
    return (
        f"the activation {activation!r:.80}, which is not defined here: if it is an operation of "
        "your own, `define` it first, as before saving; else there is "
        f"{no_such('activation', activation, ACTIVATIONS)}"
    )


def _as(kind: type[Module], thing: Any) -> Any:
    """The thing, where it is called as this class is; else TypeError."""
    if not isinstance(thing, kind) or type(thing).__call__ is not kind.__call__:
        raise TypeError
    return thing


def _neurons(model: Module) -> list[list[Neuron]]:
    kind = next((kind for kind in NEURONS if isinstance(model, kind)), MLP)
    rows = NEURONS[kind](_as(kind, model))
    return [[_as(Neuron, neuron) for neuron in row] for row in rows]


def _activation(neuron: Neuron) -> str:
    return neuron.activation if neuron.nonlin else "linear"


def _change(model: Module, rows: list[list[Neuron]]) -> str:
    """What makes a net something else than a stack of layers; nothing where it is one."""
    if not rows or not all(rows):
        return "this one has a layer without neurons"
    inputs = len(rows[0][0].w)
    for k, row in enumerate(rows):
        if any(len(neuron.w) != inputs for neuron in row):
            return f"layer {k} of this one does not take {many(inputs, 'input')}"
        if len({_activation(neuron) for neuron in row}) > 1:
            return f"layer {k} of this one has neurons of several activations"
        inputs = len(row)
    own = Counter(id(p) for row in rows for neuron in row for p in (*neuron.w, neuron.b))
    known = dict(model.named_parameters())
    beside = [name for name, value in known.items() if id(value) not in own]
    if beside:
        return f"this one has {beside[0]!r:.80} beside its layers"
    if max(own.values()) > 1 or len(own) > len(known):
        return "this one uses a parameter twice, or has a weight that is no parameter"
    return ""
