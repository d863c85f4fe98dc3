"""Saving a net as JSON, and loading it: the same bits come back, and nothing in it can run."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from nn.module import MLP, finite, size

FORMAT = "brickgrad model"
VERSION = 1


def save(model: MLP, path: str | Path, meta: Mapping[str, Any] | None = None) -> None:
    """Writes the net's sizes, activation and weights, and `meta`: whatever JSON can hold.

    The file is there as a whole, or, after an error or a crash, as it was before. Raises TypeError
    for anything but an MLP, ValueError where a weight is not finite, OSError where writing fails.
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
        raise ValueError(f"{path} is not a model that brickgrad saved: {error}") from error


def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        text,
        object_pairs_hook=_object,
        parse_float=lambda digits: finite("a number in the file", float(digits)),
        parse_constant=_not_finite,
    )
    _check_keys("the file", document, ("format", "version", "model", "weights", "meta"))
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ValueError(
            f"expected format {FORMAT!r} version {VERSION},"
            f" got {document['format']!r} version {document['version']!r}"
        )
    for key in ("model", "weights", "meta"):
        if not isinstance(document[key], dict):
            raise ValueError(f"{key} expected an object, got {type(document[key]).__name__}")
    return document


def _model(document: dict[str, Any]) -> MLP:
    settings, weights = document["model"], document["weights"]
    _check_keys("model", settings, ("nin", "nouts", "activation", "fused"))
    nin, nouts, fused = settings["nin"], settings["nouts"], settings["fused"]
    if not isinstance(nouts, list) or not isinstance(fused, bool):
        raise ValueError(f"expected nouts a list and fused true or false, got {nouts!r}, {fused!r}")
    sizes = [size("units", n) for n in (nin, *nouts)]
    expected = sum((a + 1) * b for a, b in zip(sizes, nouts, strict=False))
    if expected != len(weights):  # before anything of that size is built
        raise ValueError(f"a net of sizes {sizes} has {expected} weights, got {len(weights)}")
    model = MLP(nin, nouts, settings["activation"], fused=fused, seed=0)
    model.load_state_dict(weights)
    return model


def _check_keys(what: str, thing: object, expected: tuple[str, ...]) -> None:
    if not isinstance(thing, dict) or sorted(thing) != sorted(expected):
        got = ", ".join(thing) if isinstance(thing, dict) else type(thing).__name__
        raise ValueError(f"{what} expected the keys {', '.join(expected)}, got {got}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    thing = dict(pairs)
    if len(thing) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in thing if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return thing


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"expected finite numbers, got {name}")


def _write(path: Path, text: str) -> None:
    """A new file beside the old one, on the disk before it takes its name."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            with open(fresh, "x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
        if hasattr(os, "O_DIRECTORY"):  # Windows cannot open a folder
            folder = os.open(path.parent, os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
