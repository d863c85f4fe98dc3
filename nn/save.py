"""Saving a net as JSON, and loading it: the same bits come back, and nothing in it can run."""

import json
import os
import secrets
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from reprlib import repr as short
from typing import Any, NoReturn

from nn.module import MLP, finite, size

FORMAT = "brickgrad model"
VERSION = 1
_JSON_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}


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
    _write(Path(path).resolve(), text)


def load(path: str | Path) -> MLP:
    """The net that `save` wrote; ValueError naming the file where it is damaged."""
    return load_with_meta(path)[0]


def load_with_meta(path: str | Path) -> tuple[MLP, dict[str, Any]]:
    """The net and the `meta` that `save` wrote; ValueError naming the file where it is damaged."""
    content = Path(path).read_bytes()
    try:
        document = _document(content.decode())
        return _model(document), document["meta"]
    except (ValueError, TypeError, RecursionError) as error:
        no_json = isinstance(error, (json.JSONDecodeError, UnicodeDecodeError))
        reason = f"it is not JSON ({error})" if no_json else error
        raise ValueError(f"{path} is not a model that brickgrad saved: {reason}") from error


def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        text,
        object_pairs_hook=_object,
        parse_float=lambda digits: finite("a number in the file", float(digits)),
        parse_constant=_not_finite,
    )
    _check_type("the file", document, dict)
    _check_keys("the file", document, ("format", "version", "model", "weights", "meta"))
    kind, version = document["format"], document["version"]
    if kind != FORMAT or version is True or version != VERSION:
        raise ValueError(
            f"expected format {FORMAT!r} version {VERSION},"
            f" got {short(kind)} version {short(version)}"
        )
    for key in ("model", "weights", "meta"):
        _check_type(key, document[key], dict)
    return document


def _model(document: dict[str, Any]) -> MLP:
    settings, weights = document["model"], document["weights"]
    _check_keys("model", settings, ("nin", "nouts", "activation", "fused"))
    nouts, activation, fused = settings["nouts"], settings["activation"], settings["fused"]
    _check_type("nouts", nouts, list)
    _check_type("activation", activation, str)
    _check_type("fused", fused, bool)
    sizes = [size("units", n) for n in (settings["nin"], *nouts)]
    if sum((a + 1) * b for a, b in pairwise(sizes)) != len(weights):  # before building any of them
        raise ValueError(f"{len(weights)} weights do not make a net of sizes {short(sizes)}")
    model = MLP(sizes[0], sizes[1:], activation, fused=fused, seed=0)
    model.load_state_dict(weights)
    return model


def _check_type(name: str, thing: object, expected: type) -> None:
    if not isinstance(thing, expected):
        raise ValueError(f"{name} expected {_JSON_NAMES[expected]}, got {short(thing)}")


def _check_keys(name: str, thing: dict[str, Any], expected: tuple[str, ...]) -> None:
    if sorted(thing) != sorted(expected):
        keys = ", ".join(expected)
        raise ValueError(f"{name} expected the keys {keys}, got {short(list(thing))}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    thing = dict(pairs)
    if len(thing) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {short(name)} stands there twice")
    return thing


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"expected finite numbers, got {name}")


def _write(path: Path, text: str) -> None:
    """A new file beside the old one, on the disk before it takes its name."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(fresh, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        fresh.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows cannot open a folder
    folder = os.open(path, os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
