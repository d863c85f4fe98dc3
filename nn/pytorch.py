"""`to_torch` and `from_torch`: nets of brickgrad and of PyTorch, one made from the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from nn.checks import finite
from nn.module import MLP, Module
from nn.stack import Linear, built, stack_of

if TYPE_CHECKING:
    import torch


class Twin(NamedTuple):
    """What PyTorch calls an activation, and the settings that make it the same function.

    Of several values each is the same to 1e-8 or better, and the first is the one to write.
    """

    kind: str
    settings: Mapping[str, tuple[Any, ...]] = {}


TWINS = {
    "relu": Twin("ReLU"),
    "tanh": Twin("Tanh"),
    "sigmoid": Twin("Sigmoid"),
    "gelu": Twin("GELU", {"approximate": ("none",)}),
    "silu": Twin("SiLU"),
    "mish": Twin("Mish"),
    "elu": Twin("ELU", {"alpha": (1.0,)}),
    "selu": Twin("SELU"),
    "leaky_relu": Twin("LeakyReLU", {"negative_slope": (0.01,)}),
    # Above its threshold PyTorch takes x itself: from 20 on this leaves out 2e-9 at most.
    "softplus": Twin("Softplus", {"beta": (1.0,), "threshold": (40.0, 20.0)}),
    "log_sigmoid": Twin("LogSigmoid"),
    "hard_tanh": Twin("Hardtanh", {"min_val": (-1.0,), "max_val": (1.0,)}),
}
SUPPORTED = f"Sequential, Linear, Identity, {', '.join(twin.kind for twin in TWINS.values())}"
NOT_TWO = "a layer has one activation here: put Linear before each one"
SCORES = "nn.cross_entropy takes the numbers before it: leave it out"
ADVICE = {
    "Softmax": SCORES,
    "LogSoftmax": SCORES,
    "Dropout": "it changes nothing once a net is trained: leave it out",
}


def to_torch(model: Module) -> torch.nn.Sequential:
    """The same net as PyTorch's Sequential, in float64: of an MLP, a Layer or a Neuron.

    The output keeps a last dimension of one where `model` gives a single Value. Numbers are copied:
    training one of the two leaves the other alone.

    Raises ImportError without PyTorch, ValueError for an activation that it does not have.
    """
    torch = _torch("to_torch")
    stack = stack_of("to_torch", model)
    for layer in stack:
        if layer.activation not in TWINS and layer.activation != "linear":
            raise ValueError(
                f"to_torch expected an activation that is a layer in PyTorch, got "
                f"{layer.activation!r:.80}: there are linear, {', '.join(TWINS)}"
            )
    layers = []
    for layer in stack:
        linear = torch.nn.utils.skip_init(torch.nn.Linear, *layer.sizes, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(layer.weights, dtype=torch.float64))
            linear.bias.copy_(torch.tensor(layer.biases, dtype=torch.float64))
        layers.append(linear)
        if layer.activation != "linear":
            kind, settings = TWINS[layer.activation]
            first = {name: values[0] for name, values in settings.items()}
            layers.append(getattr(torch.nn, kind)(**first))
    return torch.nn.Sequential(*layers)


def from_torch(module: torch.nn.Module) -> MLP:
    """The MLP with the numbers of a Linear, or of a Sequential of Linear and activations.

    Numbers of any precision become float64 exactly; a layer without bias gets the bias 0.

    Raises ValueError naming the first layer that has no counterpart, and TypeError for anything
    but a module.
    """
    torch = _torch("from_torch")
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"from_torch expected a torch.nn.Module, got {type(module).__name__}: of a file or a "
            "state_dict, load it into the module first"
        )
    stack = list[Linear]()
    for place, layer in _layers(torch, module, ""):
        where = _named(place, layer)
        if _forward(layer) is torch.nn.Linear.forward:
            with _evaluated(layer):
                stack.append(_linear(where, layer))
            sizes = [each.sizes for each in stack[-2:]]
            if sizes[0][1] != sizes[-1][0] and len(sizes) > 1:
                raise ValueError(f"{where} does not take the {sizes[0][1]} outputs before it")
        elif type(layer) is not torch.nn.Identity:
            activation = _activation(torch, where, layer)
            if not stack or stack[-1].activation != "linear":
                raise ValueError(f"{where} does not follow a Linear: {NOT_TWO}")
            stack[-1] = stack[-1]._replace(activation=activation)
        _expect_plain(torch, where, layer)
    if not stack:
        raise ValueError(f"from_torch expected a module with a Linear in it, got {module}")
    return built(stack)


def _layers(torch: Any, module: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Each layer with its place, of a Sequential in another too: "1.0"."""
    if _forward(module) is not torch.nn.Sequential.forward:
        yield place, module
        return
    _expect_plain(torch, _named(place, module), module)
    for name, layer in module._modules.items():  # also one that is there twice
        yield from _layers(torch, layer, f"{place}.{name}".lstrip("."))


def _named(place: str, layer: Any) -> str:
    return f"layer {place or '0'} of the module, {' '.join(str(layer).split()):.200},"


def _forward(layer: Any) -> Any:
    """The function of its class; None for what has none, such as a module that was compiled."""
    return getattr(type(layer), "forward", None)


def _expect_plain(torch: Any, where: str, layer: Any) -> None:
    """ValueError where something beside the layer's own function may change what it gives."""
    every = torch.nn.modules.module
    hooks = (layer, "_forward_hooks"), (layer, "_forward_pre_hooks")
    hooks_of_all = (every, "_global_forward_hooks"), (every, "_global_forward_pre_hooks")
    if any(getattr(owner, name, None) for owner, name in (*hooks, *hooks_of_all)):
        raise ValueError(f"{where} has a hook, which may change what it gives: remove it first")
    if "forward" in vars(layer) or type(layer).__call__ is not torch.nn.Module.__call__:
        raise ValueError(f"{where} has a forward or __call__ of its own: it may give other numbers")


@contextmanager
def _evaluated(layer: Any) -> Iterator[None]:
    """Inside, it does not learn: in training, reading weights that are computed moves them."""
    modes = [(part, part.training) for part in layer.modules()]
    for part, _ in modes:
        part.training = False
    try:
        yield
    finally:
        for part, was in modes:
            part.training = was


def _linear(where: str, layer: Any) -> Linear:
    tensors = [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
    if any(tensor.is_meta or _is_lazy(tensor) for tensor in tensors):
        raise ValueError(f"{where} has no numbers yet: give it some first, by an input or load")
    if not layer.weight.numel():
        raise ValueError(f"{where} has no weights: {tuple(layer.weight.shape)}")
    if not all(tensor.is_floating_point() for tensor in tensors):
        raise ValueError(f"{where} expected real numbers as weights, got {layer.weight.dtype}")
    weights, *bias = (tensor.detach().double().tolist() for tensor in tensors)
    biases = bias[0] if bias else [0.0] * len(weights)
    for row in (*weights, biases):
        for x in row:
            finite(where, x)
    return Linear(weights, biases)


def _is_lazy(tensor: Any) -> bool:
    return type(tensor).__name__.startswith("Uninitialized")


def _activation(torch: Any, where: str, layer: Any) -> str:
    for name, (kind, settings) in TWINS.items():
        if type(layer) is getattr(torch.nn, kind):
            for setting, values in settings.items():
                if getattr(layer, setting) not in values:
                    raise ValueError(f"{where} has no counterpart: expected {setting}={values[0]}")
            return name
    advice = ADVICE.get(type(layer).__name__)
    raise ValueError(f"{where} has no counterpart: {advice or f'supported are {SUPPORTED}'}")


def _torch(who: str) -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f'nn.{who} needs PyTorch: pip install "brickgrad[torch]" ({error})'
        ) from None
    return torch
