"""Saving a module, and loading it: the same bits come back, and nothing in the file can run."""

import json
import math
import warnings
from collections.abc import Iterable, Mapping
from itertools import pairwise, takewhile
from pathlib import Path
from reprlib import repr as short
from typing import Any, TypeVar, overload

from engine.files import write
from engine.replay.witness import outside
from nn.checks import finite, size
from nn.files import check_format, check_keys, check_type, parse, reading
from nn.module import MLP, Module, is_activation
from nn.stack import undefined
from nn.tensors import from_tensors, is_tensors, to_tensors

FORMAT = "brickgrad model"
VERSION = 1
SETTINGS = ("nin", "nouts", "activation", "fused")  # what an MLP is built from
DIFFERENCES_SHOWN = 4  # of parameters that do not fit

M = TypeVar("M", bound=Module)


def save(model: Module, path: str | Path, meta: Mapping[str, Any] | None = None) -> None:
    """Writes the weights by their names, and `meta`: whatever JSON can hold.

    Of an MLP it writes sizes and activation too, so that `load(path)` builds it. Any other module
    is code of yours: make one of the same structure, and `load(path, into=module)` fills it.

    The file is JSON. Where its name ends in ".safetensors" it is one of that format, with the names
    that PyTorch gives to the tensors: of an MLP, a Layer or a Neuron.

    The file is there as a whole, or, after an error or a crash, as it was before. Raises TypeError
    for anything but a Module, ValueError where a weight is not finite, OSError where writing fails.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save(MLP(2, [3, 1]), f"{folder}/m.json")
    ...     load(f"{folder}/m.json")
    MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(3)]]
    """
    _check_module("save", model)
    if is_tensors(path):
        write(path, to_tensors(model, meta or {}))
        return
    document = {
        "format": FORMAT,
        "version": VERSION,
        "model": _settings(model) or {"class": type(model).__name__},
        "weights": {name: finite(name, x) for name, x in model.state_dict().items()},
        "meta": dict(meta or {}),
    }
    text = json.dumps(document, indent=1) + "\n"
    parse(text)  # ValueError where `meta` holds what is not finite
    write(path, text)


@overload
def load(path: str | Path) -> MLP: ...
@overload
def load(path: str | Path, into: M) -> M: ...
def load(path: str | Path, into: Module | None = None) -> Module:
    """The net that `save` wrote; or `into`, a module of the same structure, with those weights.

    Raises ValueError naming the file where it is damaged, where it fits `into` badly (which then
    stays as it is), and without `into` where the file is not of an MLP, or is one of safetensors
    that PyTorch wrote, which does not say the activations. A warning names what else
    the file holds: a net of `brickgrad train` reads scaled columns.

    >>> from tempfile import TemporaryDirectory
    >>> from nn.module import Layer
    >>> with TemporaryDirectory() as folder:
    ...     save(Layer(2, 1, seed=0), f"{folder}/layer.json")
    ...     layer = load(f"{folder}/layer.json", into=Layer(2, 1))
    >>> layer.state_dict() == Layer(2, 1, seed=0).state_dict()
    True
    """
    module, meta = load_with_meta(path, into) if into is not None else load_with_meta(path)
    if meta:
        warnings.warn(
            f"{path} holds {short(list(meta))} beside the net: `nn.load_with_meta` gives both",
            stacklevel=outside(),
        )
    return module


@overload
def load_with_meta(path: str | Path) -> tuple[MLP, dict[str, Any]]: ...
@overload
def load_with_meta(path: str | Path, into: M) -> tuple[M, dict[str, Any]]: ...
def load_with_meta(path: str | Path, into: Module | None = None) -> tuple[Module, dict[str, Any]]:
    """What `load` gives, and the `meta` that `save` wrote; errors as those of `load`.

    Raises ValueError too where the net's activation is an operation that is not defined here.
    """
    if into is not None:
        _check_module("load", into)
    if is_tensors(path):
        return from_tensors(path, into)
    with reading(path, "a model") as text:
        document = _document(text)
        model, weights, meta = (document[key] for key in ("model", "weights", "meta"))
        activation = model.get("activation")
        known = is_activation(activation) or not isinstance(activation, str)
        if into is None and "class" not in model and known:
            return _built(model, weights), meta
    if into is not None:
        if words := _misfit(into, model, weights):
            raise ValueError(f"{path} does not fit the {type(into).__name__} to load into: {words}")
        into.load_state_dict(weights)
        return into, meta
    if "class" in model:
        raise ValueError(
            f"{path} holds the weights of {short(model['class'])}, and your code makes such a one: "
            "give one of the same structure, as in nn.load(path, into=module)"
        )
    raise ValueError(f"{path} is a net of {undefined(activation)}")


def _check_module(who: str, module: object) -> None:
    if not isinstance(module, Module):
        kind = f"the class {module.__name__}" if isinstance(module, type) else type(module).__name__
        raise TypeError(
            f"{who} expected a Module, such as a net, got {kind}: "
            "keep Values in attributes of a class of your own that inherits from nn.Module"
        )


def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = parse(text)
    check_format(document, FORMAT, VERSION, {"model": dict, "weights": dict, "meta": dict})
    model = document["model"]
    check_keys("model", model, ("class",) if "class" in model else SETTINGS)
    for name, weight in document["weights"].items():
        finite(name, weight)
    return document


def _settings(module: Module) -> dict[str, Any] | None:
    """What an MLP is built from; None for another module, and for a net that was changed since."""
    if type(module) is not MLP:
        return None
    try:
        first = module.layers[0].neurons[0]
        nouts = [len(layer.neurons) for layer in module.layers]
        settings = len(first.w), nouts, first.activation, first.fused
        twin = MLP(*settings[:3], fused=first.fused, seed=0)
    except (AttributeError, IndexError, TypeError, ValueError):  # layers of another kind, or none
        return None
    same = repr(twin) == repr(module) and [*twin.state_dict()] == [*module.state_dict()]
    return dict(zip(SETTINGS, settings, strict=True)) if same else None


def _built(settings: dict[str, Any], weights: dict[str, float]) -> MLP:
    nouts, activation, fused = settings["nouts"], settings["activation"], settings["fused"]
    check_type("nouts", nouts, list)
    check_type("activation", activation, str)
    check_type("fused", fused, bool)
    sizes = [size("units", n) for n in (settings["nin"], *nouts)]
    if sum((a + 1) * b for a, b in pairwise(sizes)) != len(weights):  # before building any of them
        raise ValueError(f"{len(weights)} weights do not make a net of sizes {short(sizes)}")
    model = MLP(sizes[0], sizes[1:], activation, fused=fused, seed=0)
    model.load_state_dict(weights)
    return model


def _misfit(into: Module, model: dict[str, Any], weights: dict[str, float]) -> str:
    """What a module expects of a file, and what came instead; nothing where they fit."""
    ours = _settings(into)
    if ours and "class" not in model:
        expected, got = (", ".join(short(s[key]) for key in SETTINGS[:3]) for s in (ours, model))
        if expected != got:
            return f"expected MLP({expected}), got MLP({got})"
    state = into.state_dict()
    for described in (_sized, list):  # where lists are of the same sizes, the names tell
        here, there = described(state), described(weights)
        lacking, more = (
            [name for name in names if name not in others]
            for names, others in ((here, set(there)), (there, set(here)))
        )
        if lacking or more:
            return f"expected {_some(lacking) or 'nothing more'}, got {_some(more) or 'none of it'}"
    return ""


def _sized(names: Iterable[str]) -> list[str]:
    """Each parameter by its name, those in a list together, with the size of the list.

    >>> _sized(["w.0.0", "w.0.1", "w.0.2", "w.1.0", "w.1.1", "w.1.2", "b"])
    ['w of 2 x 3', 'b']
    """
    places: dict[str, list[tuple[int, ...]]] = {}
    for name in names:
        parts = name.split(".")
        indices = [*takewhile(lambda part: part.isdecimal() and len(part) < 10, parts[:0:-1])]
        stem = ".".join(parts[: len(parts) - len(indices)])
        places.setdefault(stem, []).append(tuple(map(int, reversed(indices))))
    described = []
    for stem, found in places.items():
        shape = [max(along) + 1 for along in zip(*found, strict=False)]
        sizes = shape if math.prod(shape) == len(found) else [len(found)]  # one that has gaps
        described.append(f"{stem} of {' x '.join(map(str, sizes))}" if sizes else stem)
    return described


def _some(names: list[str]) -> str:
    shown = ", ".join(f"{name:.80}" for name in names[:DIFFERENCES_SHOWN])
    more = len(names) - DIFFERENCES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
