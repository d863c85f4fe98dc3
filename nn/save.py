"""Saving a net as JSON, and loading it: the same bits come back, and nothing in it can run."""

import json
import warnings
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from reprlib import repr as short
from typing import Any

from engine.names import no_such
from nn.checks import size
from nn.files import check_format, check_keys, check_type, parse, reading, write
from nn.module import ACTIVATIONS, MLP, is_activation

FORMAT = "brickgrad model"
VERSION = 1


def save(model: MLP, path: str | Path, meta: Mapping[str, Any] | None = None) -> None:
    """Writes the net's sizes, activation and weights, and `meta`: whatever JSON can hold.

    The file is there as a whole, or, after an error or a crash, as it was before. Raises TypeError
    for anything but an MLP, ValueError where a weight is not finite, OSError where writing fails.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save(MLP(2, [3, 1]), f"{folder}/m.json")
    ...     load(f"{folder}/m.json")
    MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(3)]]
    """
    if type(model) is not MLP:
        raise TypeError(
            f"save expected an MLP, got {type(model).__name__}: write its state_dict() as JSON"
        )
    first = model.layers[0].neurons[0]
    document = {
        "format": FORMAT,
        "version": VERSION,
        "model": {
            "nin": len(first.w),
            "nouts": [len(layer.neurons) for layer in model.layers],
            "activation": first.activation,
            "fused": first.fused,
        },
        "weights": model.state_dict(),
        "meta": dict(meta or {}),
    }
    text = json.dumps(document, indent=1) + "\n"
    if repr(_model(_document(text))) != repr(model):
        raise ValueError(f"save expected an MLP as it was built, got layers changed since: {model}")
    write(path, text)


def load(path: str | Path) -> MLP:
    """The net that `save` wrote; ValueError naming the file where it is damaged.

    A warning names what else the file holds: a net of `brickgrad train` reads scaled columns.
    """
    model, meta = load_with_meta(path)
    if meta:
        warnings.warn(
            f"{path} holds {short(list(meta))} beside the net: `nn.load_with_meta` gives both",
            stacklevel=2,
        )
    return model


def load_with_meta(path: str | Path) -> tuple[MLP, dict[str, Any]]:
    """The net and the `meta` that `save` wrote; ValueError naming the file where it is damaged.

    Raises ValueError too where the net's activation is an operation that is not defined here.
    """
    with reading(path, "a model") as text:
        document = _document(text)
        activation = document["model"].get("activation")
        if is_activation(activation) or not isinstance(activation, str):
            return _model(document), document["meta"]
    raise ValueError(
        f"{path} is a net of the activation {activation!r:.80}, which is not defined here: if it "
        "is an operation of your own, `define` it first, as before saving; else there is "
        f"{no_such('activation', activation, ACTIVATIONS)}"
    )


def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = parse(text)
    check_format(document, FORMAT, VERSION, {"model": dict, "weights": dict, "meta": dict})
    return document


def _model(document: dict[str, Any]) -> MLP:
    settings, weights = document["model"], document["weights"]
    check_keys("model", settings, ("nin", "nouts", "activation", "fused"))
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
