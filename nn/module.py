"""`Neuron`, `Layer`, `MLP`, and `Module`, which finds the parameters of any model."""

import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from reprlib import repr as short
from typing import Any, NoReturn, cast

from engine.functions import dot
from engine.names import no_such
from engine.ops import OPS
from engine.pictures.texts import in_runs
from engine.replay.arguments import holds_objects
from engine.replay.cells import Observed, attributes_of
from engine.sweep import set_each
from engine.value import Value, apply
from nn.checks import Seed, finite, generator, size, switch

Inputs = Sequence[Value | float]
USUAL = "".join("relu")  # no other "relu" is this object: whether one was given can be told


class Module(Observed):
    """Anything with parameters. Subclass it and keep Values, Modules, or lists of them in it.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...     def __call__(self, x):
    ...         return self.slope * x + self.offset
    >>> Line().state_dict()
    {'slope': 2.0, 'offset': 1.0}
    """

    def named_parameters(self) -> list[tuple[str, Value]]:
        """Every parameter once, as (dotted path, Value), attributes in the order they were set.

        A parameter is a Value that stands in an attribute and is not the result of an operation.
        Raises ValueError where two of them would have one name, such as those of `{1: v, "1": w}`.

        >>> [name for name, _ in Neuron(2).named_parameters()]
        ['w.0', 'w.1', 'b']
        """
        places: dict[str, str] = {}
        for name, place, _ in _parameters(self):
            if name in places:
                raise ValueError(
                    f"two parameters of {type(self).__name__} have the name {name!r:.80}: "
                    f"{places[name]:.80} and {place:.80}; call one of them something else"
                )
            places[name] = place
        return [(name, value) for name, _, value in _parameters(self)]

    def parameters(self) -> list[Value]:
        """The same without the names: each neuron's weights and then its bias."""
        return [value for _, _, value in _parameters(self)]

    def zero_grad(self) -> None:
        """Forgets the gradient of every parameter."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def state_dict(self) -> dict[str, float]:
        """The number of every parameter by its name."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Sets every parameter to the number under its name, or, on an error, none of them.

        Raises ValueError where a name is missing or unknown, or something is no finite number.
        """
        own = dict(self.named_parameters())
        missing = [name for name in own if name not in state]
        unknown = [name for name in state if name not in own]
        if missing or unknown:
            raise ValueError(
                f"{type(self).__name__} expected its {len(own)} parameters, got {len(state)} names;"
                f" missing: {short(missing)}, unknown: {short(unknown)}"
            )
        set_each("data", own.values(), [finite(name, state[name]) for name in own])

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {len(self.parameters())} parameters"


class Neuron(Module):
    """activation(b + w1 * x1 + w2 * x2 + ...) for `nin` inputs: one `dot` node and one more.

    `nonlin=False` leaves the activation out. `activation` is "linear" or an operation of the
    calculus with one operand, such as "relu", "tanh", "sigmoid" or "gelu"; a text in the place of
    `nonlin` is the activation too: `Neuron(2, "tanh")`. With `fused=False` every product and every
    sum is a node of its own.

    The bias starts at 0, each weight at a random number between -r and r, where r is given by
    `init`, as a number or as one of these names:

    - "uniform": r = 1, as in micrograd;
    - "he": r = sqrt(6 / nin), which keeps the size of signals through relu layers
      (He et al. 2015, arXiv 1502.01852);
    - "xavier": r = sqrt(6 / (nin + nout)), the same for tanh (Glorot and Bengio 2010).

    `seed` is an int or a `random.Random`; without it the weights come from `random.uniform`.

    >>> neuron = Neuron(2, activation="tanh", seed=1)
    >>> neuron.load_state_dict({"w.0": 1.0, "w.1": -2.0, "b": 0.5})
    >>> print(f"{neuron([3.0, 1.0]):.4f}")  # tanh(0.5 + 3 - 2)
    0.9051
    """

    def __init__(
        self,
        nin: int,
        nonlin: bool | str = True,
        *,
        activation: str = USUAL,
        init: str | float = "uniform",
        fused: bool = True,
        seed: Seed = None,
    ) -> None:
        """A neuron; raises ValueError for a size below 1 and for names that are not there.

        Raises TypeError for a switch that is neither True nor False, nor 1 nor 0.
        """
        activation, is_nonlinear = _activation("Neuron", nonlin, activation)
        reach = _reach(init, size("inputs", nin), 1)
        uniform = random.uniform if seed is None else generator(seed).uniform
        self.w = [Value(uniform(-reach, reach)) for _ in range(nin)]
        self.b = Value(0.0)
        self.activation = activation
        self.nonlin = is_nonlinear
        self.fused = switch("fused", fused)
        self._activate = activation_named(activation)

    def __call__(self, x: Inputs, *more: NoReturn) -> Value:
        """The output for one example, a list of `nin` numbers or Values."""
        if more:
            raise _not_a_list("Neuron", x, *more)
        try:
            given = len(x)
        except TypeError:
            raise TypeError(
                f"Neuron({len(self.w)}) expected a list of {len(self.w)} inputs, such as "
                f"net([1.0, ...]), got {type(x).__name__}"
            ) from None
        if given != len(self.w):
            raise ValueError(f"Neuron({len(self.w)}) expected {len(self.w)} inputs, got {given}")
        if self.fused:
            total = dot(self.w, x, self.b)
        else:
            total = self.b
            for wi, xi in zip(self.w, x, strict=True):
                total = total + wi * xi
        return self._activate(total) if self.nonlin else total

    def __repr__(self) -> str:
        name = self.activation if self.nonlin else "linear"
        return f"{_TITLES.get(name, name.title())}Neuron({len(self.w)})"


class Layer(Module):
    """`nout` neurons side by side, each fed all `nin` inputs; settings as in `Neuron`.

    >>> Layer(2, 3, activation="tanh")
    Layer of [TanhNeuron(2), TanhNeuron(2), TanhNeuron(2)]
    """

    def __init__(
        self,
        nin: int,
        nout: int,
        nonlin: bool | str = True,
        *,
        activation: str = USUAL,
        init: str | float = "uniform",
        fused: bool = True,
        seed: Seed = None,
    ) -> None:
        """A layer; raises ValueError and TypeError as `Neuron` does."""
        activation, is_nonlinear = _activation("Layer", nonlin, activation)
        reach = _reach(init, size("inputs", nin), size("neurons", nout))
        seed = None if seed is None else generator(seed)
        self.neurons = [
            Neuron(nin, is_nonlinear, activation=activation, init=reach, fused=fused, seed=seed)
            for _ in range(nout)
        ]

    def __call__(self, x: Inputs, *more: NoReturn) -> list[Value]:
        """The outputs for one example: always a list, of `nout` Values."""
        if more:
            raise _not_a_list("Layer", x, *more)
        return [neuron(x) for neuron in self.neurons]

    def __repr__(self) -> str:
        return f"Layer of [{in_runs(map(repr, self.neurons))}]"


class MLP(Module):
    """A multi-layer perceptron: `nin` inputs, then layers of `nouts` neurons.

    The last layer has no activation. Settings as in `Neuron`. The output for one example is a list
    of `nouts[-1]` Values; a single one comes without its list.

    >>> MLP(2, [1, 1])
    MLP of [Layer of [ReLUNeuron(2)], Layer of [LinearNeuron(1)]]
    >>> MLP(2, [16, 1])
    MLP of [Layer of [16 x ReLUNeuron(2)], Layer of [LinearNeuron(16)]]
    >>> len(MLP(2, [16, 16, 1]).parameters())
    337
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        activation: str = "relu",
        *,
        init: str | float = "uniform",
        fused: bool = True,
        seed: Seed = None,
    ) -> None:
        """A net; raises ValueError and TypeError as `Neuron` does, and for a net without layers."""
        if not isinstance(nouts, Sequence):
            raise TypeError(
                f"MLP expected a list of layer sizes such as [16, 1], got {type(nouts).__name__}"
            )
        if not nouts:
            raise ValueError("MLP expected at least 1 layer, got 0: write [1] for a single neuron")
        seed = None if seed is None else generator(seed)
        sizes = [nin, *nouts]
        self.layers = [
            Layer(a, b, k < len(nouts), activation=activation, init=init, fused=fused, seed=seed)
            for k, (a, b) in enumerate(zip(sizes, nouts, strict=False), 1)
        ]

    def __call__(self, x: Inputs, *more: NoReturn) -> Value | list[Value]:
        """The output for one example, a list of `nin` numbers or Values."""
        if more:
            raise _not_a_list("MLP", x, *more)
        outputs = self.layers[0](x)
        for layer in self.layers[1:]:
            outputs = layer(outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def __repr__(self) -> str:
        return f"MLP of [{in_runs(map(repr, self.layers))}]"


def activation_named(name: str) -> Callable[[Value], Value]:
    """The operation of one operand of that name; ValueError with the choices if there is none."""
    if not is_activation(name):
        others = [op.name for op in OPS.values() if op.arity == 1 and op.name not in ACTIVATIONS]
        raise ValueError(no_such("activation", name, [*ACTIVATIONS, *others]))
    return ACTIVATIONS.get(name) or partial(apply, OPS[name])


def is_activation(name: object) -> bool:
    """Whether there is an operation of one operand of that name, one that was defined too."""
    return isinstance(name, str) and (name in ACTIVATIONS or (name in OPS and OPS[name].arity == 1))


def _same(x: Value) -> Value:
    return x


def _activation(kind: str, nonlin: object, activation: str) -> tuple[str, bool]:
    """The activation's name, and whether there is one at work; a text as `nonlin` names it too."""
    if isinstance(nonlin, str):
        if activation is not USUAL and activation != nonlin:
            raise ValueError(
                f"{kind} expected one activation, got {nonlin!r:.40} and {activation!r:.40}"
            )
        return nonlin, nonlin != "linear"
    return activation, switch("nonlin", nonlin) and activation != "linear"


def _not_a_list(kind: str, *given: object) -> TypeError:
    numbers = ", ".join("..." if isinstance(x, Value) else f"{x!r:.20}" for x in given[:3])
    more = ", ..." * (len(given) > 3)
    return TypeError(
        f"{kind} expected its inputs as one list, such as net([{numbers}{more}]), "
        f"got {len(given)} arguments"
    )


def _reach(init: str | float, nin: int, nout: int) -> float:
    if isinstance(init, str):
        if init not in INITS:
            raise ValueError(f"{no_such('init', init, INITS)}, or a number")
        return INITS[init](nin, nout)
    return finite("init", init, least=0.0)


def _parameters(module: Module) -> Iterator[tuple[str, str, Value]]:
    """Each parameter with its name, and with its place as one would write it in Python."""
    found: dict[int, tuple[str, str, object]] = {}
    _collect(module, "", "", found)
    for name, place, value in found.values():
        if isinstance(value, Value):
            yield name, place, value


def _collect(
    thing: object, name: str, place: str, found: dict[int, tuple[str, str, object]]
) -> None:
    children: Iterable[tuple[object, object]]
    if isinstance(thing, Value):
        if thing.op is None:
            found.setdefault(id(thing), (name, place, thing))
        return
    if isinstance(thing, Module):
        if id(thing) in found:
            return
        found[id(thing)] = (name, place, thing)
        children = attributes_of(thing).items()
    elif isinstance(thing, (list, tuple, deque)):
        children = enumerate(thing)
    elif isinstance(thing, dict):
        children = thing.items()
    elif isinstance(thing, (set, frozenset)) and any(isinstance(x, Value) for x in thing):
        raise TypeError(f"{place} is a set of Values, which has no order: keep them in a list")
    elif holds_objects(thing):
        children = enumerate(cast(Any, thing))
    else:
        return
    is_module = isinstance(thing, Module)
    for key, child in children:
        there = f"{place}.{key}".lstrip(".") if is_module else f"{place}[{key!r}]"
        _collect(child, f"{name}.{key}" if name else str(key), there, found)


INITS: dict[str, Callable[[int, int], float]] = {
    "uniform": lambda nin, nout: 1.0,
    "he": lambda nin, nout: math.sqrt(6 / nin),
    "xavier": lambda nin, nout: math.sqrt(6 / (nin + nout)),
}
ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "linear": _same,
    **{name: getattr(Value, name) for name, op in OPS.items() if op.takes_one},
}
_TITLES = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "gelu": "GELU"}
