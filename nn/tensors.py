"""Nets as files of safetensors, with the names that PyTorch's Sequential gives to its layers."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from nn.checks import finite
from nn.files import check_format, parse
from nn.module import Module, is_activation
from nn.stack import Linear, Stack, built, fill, is_fused, places, stack_of, undefined

SUFFIX = ".safetensors"
NOTE = "brickgrad"  # the key of what we write beside the tensors
FORMAT = "brickgrad tensors"
VERSION = 1
PARTS = {"activations": list, "fused": bool, "meta": dict}
SHOWN = 6  # names of tensors in an error

# From the bytes of each type to an array of floats; all of them are float64 exactly.
NUMBERS: Mapping[str, Callable[[Any, bytes], Any]] = {
    "F64": lambda numpy, raw: numpy.frombuffer(raw, "<f8"),
    "F32": lambda numpy, raw: numpy.frombuffer(raw, "<f4"),
    "F16": lambda numpy, raw: numpy.frombuffer(raw, "<f2"),
    "BF16": lambda numpy, raw: (numpy.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4"),
}


class Content(NamedTuple):
    """What a file of safetensors says: its tensors, and what we wrote beside them."""

    tensors: dict[str, Any]  # each an array of float64
    note: dict[str, Any]  # empty where we did not


def is_tensors(path: str | PathLike[str]) -> bool:
    """Whether a file of this name is one of safetensors.

    >>> is_tensors("net.safetensors"), is_tensors("net.json")
    (True, False)
    """
    return Path(path).suffix.lower() == SUFFIX


def to_tensors(model: Module, meta: Mapping[str, Any]) -> bytes:
    """The content of such a file; errors as those of `nn.save`, and ImportError without the extra.

    PyTorch takes the tensors by their names; activations and `meta` stand beside them as JSON.
    """
    numpy, library = _library("save")
    stack = stack_of("save to .safetensors", model)
    activations = [layer.activation for layer in stack]
    note = json.dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            "activations": activations,
            "fused": is_fused(model),
            "meta": dict(meta),
        }
    )
    parse(note)  # ValueError where `meta` holds what is not finite
    tensors = {}
    for (weight, bias), layer in zip(_names(activations), stack, strict=True):
        tensors[weight] = numpy.array(layer.weights, dtype="<f8")
        tensors[bias] = numpy.array(layer.biases, dtype="<f8")
    for name, tensor in tensors.items():
        _check_finite(numpy, name, tensor)
    content: bytes = library.numpy.save(tensors, {NOTE: note})
    return content


def from_tensors(path: str | PathLike[str], into: Module | None) -> tuple[Module, dict[str, Any]]:
    """The net of such a file, and its `meta`; or `into`, with those numbers.

    Raises ValueError naming the file where it is damaged, does not fit `into`, or does not say
    which activations its net has, as one that PyTorch wrote: those are asked of `into`.
    """
    ours = None if into is None else stack_of("load of .safetensors", into)
    with _naming(path):
        tensors, note = _content(Path(path).read_bytes())
        if not note and ours is None:
            raise ValueError(
                "it does not say which activations its net has: give a net of the same structure, "
                f"as in nn.load(path, into={_example(tensors)})"
            )
        said = note.get("activations", [layer.activation for layer in ours or ()])
        for activation in said:
            if not is_activation(activation):
                raise ValueError(f"it is a net of {undefined(activation)}")
        stack = _stack(tensors, said)
        if ours is not None and (here := _words(ours)) != (there := _words(stack)):
            raise ValueError(f"expected {here}, got {there}")
    meta = note.get("meta", {})
    if into is None:
        return built(stack, fused=note["fused"]), meta
    fill(into, stack)
    return into, meta


def _content(raw: bytes) -> Content:
    numpy, library = _library("load")
    try:
        found = library.deserialize(raw)
    except library.SafetensorError as error:
        raise ValueError(f"it is no file of safetensors ({error})") from error
    tensors = {}
    for name, tensor in found:
        kind = tensor["dtype"]
        if kind not in NUMBERS:
            raise ValueError(f"{name:.80} expected {', '.join(NUMBERS)}, got {kind}")
        numbers = NUMBERS[kind](numpy, tensor["data"]).astype("f8").reshape(tensor["shape"])
        _check_finite(numpy, name, numbers)
        tensors[name] = numbers
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    text = (header.get("__metadata__") or {}).get(NOTE)
    note: dict[str, Any] = {} if text is None else parse(text)
    if text is not None:
        check_format(note, FORMAT, VERSION, PARTS)
    return Content(tensors, note)


def _stack(tensors: Mapping[str, Any], activations: Sequence[str]) -> list[Linear]:
    """The layers that are made of these tensors; a bias that is not there is 0, as in PyTorch."""
    names = list(_names(activations))
    weights = [weight for weight, _ in names]
    known = {name for pair in names for name in pair}
    if not weights or not set(weights) <= tensors.keys() <= known:
        raise ValueError(
            f"expected the tensors of {_listed(weights)}, got {_listed(sorted(tensors))}; where "
            "PyTorch gave them other names, load them there, and take nn.from_torch of the module"
        )
    stack = list[Linear]()
    for (weight, bias), activation in zip(names, activations, strict=True):
        shape = tensors[weight].shape
        if len(shape) != 2 or 0 in shape or (stack and stack[-1].sizes[1] != shape[1]):
            inputs = stack[-1].sizes[1] if stack else "some"
            raise ValueError(f"{weight} expected rows of {inputs} numbers, got {_shape(shape)}")
        biases = tensors.get(bias)
        if biases is not None and biases.shape != shape[:1]:
            raise ValueError(f"{bias} expected {shape[0]} numbers, got {_shape(biases.shape)}")
        zeros = [0.0] * shape[0]
        layer = tensors[weight].tolist(), zeros if biases is None else biases.tolist()
        stack.append(Linear(*layer, activation))
    return stack


def _names(activations: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What PyTorch calls the weights and the biases of each layer."""
    for place in places(activations):
        yield f"{place}.weight", f"{place}.bias"


def _words(stack: Stack) -> str:
    """The sizes and activations of layers, in short."""
    return "; ".join(
        f"{nin} x {nout} {activation}"
        for (nin, nout), activation in ((layer.sizes, layer.activation) for layer in stack)
    )


def _example(tensors: Mapping[str, Any]) -> str:
    """A net of the sizes that a file has, as one would write it, if its names are as expected."""
    tables = {name: tensor.shape for name, tensor in tensors.items() if len(tensor.shape) == 2}
    ours = sorted(name for name in tables if name.removesuffix(".weight").isdecimal())
    shapes = [tables[name] for name in sorted(ours, key=lambda name: int(name[:-7]))]
    if not shapes or len(shapes) > SHOWN:
        return 'MLP(2, [16, 1], "relu")'
    return f'MLP({shapes[0][1]}, {[nout for nout, _ in shapes]}, "relu")'


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _listed(names: Sequence[str]) -> str:
    more = ", ..." * (len(names) > SHOWN)
    return ", ".join(f"{name:.80}" for name in names[:SHOWN]) + more or "none"


def _check_finite(numpy: Any, name: str, tensor: Any) -> None:
    if not numpy.isfinite(tensor).all():
        finite(f"{name:.80}", float(tensor[~numpy.isfinite(tensor)][0]))


@contextmanager
def _naming(path: str | PathLike[str]) -> Iterator[None]:
    """Errors on what a file says name it."""
    try:
        yield
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error


def _library(who: str) -> tuple[Any, Any]:
    try:
        import numpy
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            f"nn.{who} of a file of safetensors needs its package and NumPy: pip install "
            f'"brickgrad[safetensors]" ({error})'
        ) from None
    return numpy, safetensors
