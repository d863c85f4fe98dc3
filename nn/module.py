"""`Neuron`, `Layer`, `MLP`, and `Module`, which finds the parameters of any model."""

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import index
from reprlib import repr as short

from engine.functions import dot
from engine.names import no_such
from engine.ops import OPS
from engine.value import Value, apply, number, set_each

Inputs = Sequence[Value | float]
Seed = int | random.Random | None


class Module:
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

        >>> [name for name, _ in Neuron(2).named_parameters()]
        ['w.0', 'w.1', 'b']
        """
        found: dict[int, tuple[str, object]] = {}
        _collect(self, "", found)
        return [(name, value) for name, value in found.values() if isinstance(value, Value)]

    def parameters(self) -> list[Value]:
        """The same without the names: each neuron's weights and then its bias."""
        return [value for _, value in self.named_parameters()]

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
    calculus with one operand, such as "relu", "tanh", "sigmoid" or "gelu". With `fused=False` every
    product and every sum is a node of its own.

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
        nonlin: bool = True,
        *,
        activation: str = "relu",
        init: str | float = "uniform",
        fused: bool = True,
        seed: Seed = None,
    ) -> None:
        """A neuron; raises ValueError for a size below 1 and for names that are not there."""
        reach = _reach(init, size("inputs", nin), 1)
        uniform = random.uniform if seed is None else _generator(seed).uniform
        self.w = [Value(uniform(-reach, reach)) for _ in range(nin)]
        self.b = Value(0.0)
        self.activation = activation
        self.nonlin = nonlin and activation != "linear"
        self.fused = fused
        self._activate = activation_named(activation)

    def __call__(self, x: Inputs) -> Value:
        """The output for one example, a list of `nin` numbers or Values."""
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
        nonlin: bool = True,
        *,
        activation: str = "relu",
        init: str | float = "uniform",
        fused: bool = True,
        seed: Seed = None,
    ) -> None:
        """A layer; raises ValueError as `Neuron` does."""
        reach = _reach(init, size("inputs", nin), size("neurons", nout))
        seed = None if seed is None else _generator(seed)
        self.neurons = [
            Neuron(nin, nonlin, activation=activation, init=reach, fused=fused, seed=seed)
            for _ in range(nout)
        ]

    def __call__(self, x: Inputs) -> list[Value]:
        """The outputs for one example: always a list, of `nout` Values."""
        return [neuron(x) for neuron in self.neurons]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(repr, self.neurons))}]"


class MLP(Module):
    """A multi-layer perceptron: `nin` inputs, then layers of `nouts` neurons.

    The last layer has no activation. Settings as in `Neuron`. The output for one example is a list
    of `nouts[-1]` Values; a single one comes without its list.

    >>> MLP(2, [1, 1])
    MLP of [Layer of [ReLUNeuron(2)], Layer of [LinearNeuron(1)]]
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
        """A net; raises ValueError as `Neuron` does, and for a net without layers."""
        if not isinstance(nouts, Sequence):
            raise TypeError(
                f"MLP expected a list of layer sizes such as [16, 1], got {type(nouts).__name__}"
            )
        if not nouts:
            raise ValueError("MLP expected at least 1 layer, got 0: write [1] for a single neuron")
        seed = None if seed is None else _generator(seed)
        sizes = [nin, *nouts]
        self.layers = [
            Layer(a, b, k < len(nouts), activation=activation, init=init, fused=fused, seed=seed)
            for k, (a, b) in enumerate(zip(sizes, nouts, strict=False), 1)
        ]

    def __call__(self, x: Inputs) -> Value | list[Value]:
        """The output for one example, a list of `nin` numbers or Values."""
        outputs = self.layers[0](x)
        for layer in self.layers[1:]:
            outputs = layer(outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(repr, self.layers))}]"


def activation_named(name: str) -> Callable[[Value], Value]:
    """The operation of one operand of that name; ValueError with the choices if there is none."""
    others = {op.name: op for op in OPS.values() if op.arity == 1 and op.name not in ACTIVATIONS}
    if name not in ACTIVATIONS and name not in others:
        raise ValueError(no_such("activation", name, [*ACTIVATIONS, *others]))
    return ACTIVATIONS.get(name) or partial(apply, others[name])


def size(what: str, n: int) -> int:
    """`n`, where it is an int of at least 1."""
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"the number of {what} must be an int, got {short(n)}")
    if index(n) < 1:
        raise ValueError(f"the number of {what} must be at least 1, got {short(n)}")
    return index(n)


def finite(name: str, x: object, least: float = -math.inf, below: float = math.inf) -> float:
    """`x` as a float, where it is a finite number with `least <= x < below`; else ValueError."""
    try:
        z = math.nan if isinstance(x, bool) else number(x)
    except (TypeError, OverflowError):
        z = math.nan
    if not (math.isfinite(z) and least <= z < below):
        bounds = f" of at least {least:g}" if least > -math.inf else ""
        bounds += f" and below {below:g}" if below < math.inf else ""
        raise ValueError(f"{name} expected a finite number{bounds}, got {short(x)}")
    return z


def _same(x: Value) -> Value:
    return x


def _generator(seed: int | random.Random) -> random.Random:
    return seed if isinstance(seed, random.Random) else random.Random(seed)


def _reach(init: str | float, nin: int, nout: int) -> float:
    if isinstance(init, str):
        if init not in INITS:
            raise ValueError(f"{no_such('init', init, INITS)}, or a number")
        return INITS[init](nin, nout)
    return finite("init", init, least=0.0)


def _collect(thing: object, name: str, found: dict[int, tuple[str, object]]) -> None:
    children: Iterable[tuple[object, object]]
    if isinstance(thing, Value):
        if thing.op is None:
            found.setdefault(id(thing), (name, thing))
        return
    if isinstance(thing, Module):
        if id(thing) in found:
            return
        found[id(thing)] = (name, thing)
        children = vars(thing).items()
    elif isinstance(thing, (list, tuple)):
        children = enumerate(thing)
    elif isinstance(thing, dict):
        children = thing.items()
    else:
        return
    for key, child in children:
        _collect(child, f"{name}.{key}" if name else str(key), found)


INITS: dict[str, Callable[[int, int], float]] = {
    "uniform": lambda nin, nout: 1.0,
    "he": lambda nin, nout: math.sqrt(6 / nin),
    "xavier": lambda nin, nout: math.sqrt(6 / (nin + nout)),
}
ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "linear": _same,
    **{name: getattr(Value, name) for name in OPS if hasattr(Value, name)},
}
_TITLES = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "gelu": "GELU"}
