"""A training half done, as a file of JSON: a run that was interrupted goes on, bit for bit."""

import hashlib
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial
from os import PathLike
from reprlib import repr as short
from typing import Any, NamedTuple

from engine.files import write
from engine.replay import backends
from engine.replay.witness import outside
from engine.sweep import set_each
from nn.checks import finite
from nn.files import (
    Readers,
    check_format,
    check_keys,
    check_type,
    list_of,
    or_none,
    parse,
    read_as,
    reading,
)
from nn.identity import Identity, Weights, changed, compare, settings_of
from nn.optim import Optimizer

FORMAT = "brickgrad checkpoint"
VERSION = 2  # 1 said less of functions and objects, and had no checksum
_PARTS = {
    "training": dict,
    "backend": str,
    "recorded": list,
    "weights": dict,
    "optimizer": dict,
    "early_stop": dict,
    "history": dict,
}
ABSENT = ("nan", "inf", "-inf")  # JSON has no numbers for these losses of validation data


class EarlyStop(NamedTuple):
    """What an early stop remembers: the lowest loss, looks since then, the parameters there."""

    lowest: float = math.inf
    looks_since: int = 0
    best: tuple[float, ...] = ()


class TrainingState(NamedTuple):
    """Where a training stands, besides its weights and its optimiser.

    `columns` are those of the history; their length is the number of steps. `backend` is what
    computed the steps, `recorded` tells which recordings it made.
    """

    columns: Mapping[str, list[Any]]
    early_stop: EarlyStop
    backend: str
    recorded: Sequence[str] = ()


def save(
    path: str | PathLike[str],
    identity: Identity,
    weights: Weights,
    optimizer: Optimizer,
    state: TrainingState,
) -> None:
    """Writes where a training stands; after an error the former file is there, as it was."""
    lowest, looks_since, best = state.early_stop
    document = {
        "format": FORMAT,
        "version": VERSION,
        "training": dict(identity.start),
        "training_now": changed(identity),
        "backend": state.backend,
        "recorded": state.recorded,
        "weights": {name: p.data for name, p in weights.items()},
        "optimizer": optimizer.state_dict(),
        "early_stop": {
            "lowest": _written(lowest),
            "looks_since": looks_since,
            "best": best,
        },
        "history": {
            **state.columns,
            "validation_loss": [*map(_written, state.columns["validation_loss"])],
        },
    }
    document["checksum"] = _checksum(document)
    write(path, json.dumps(document, allow_nan=False) + "\n")


def resume(
    path: str | PathLike[str],
    identity: Identity,
    weights: Weights,
    optimizer: Optimizer,
    most: int,
) -> TrainingState:
    """Sets weights and optimizer as they were when the file was written, or, on an error, neither.

    Raises ValueError, naming the file, where it is damaged, belongs to another training, or has
    more than `most` steps. A file of version 1 is compared by what it says, and warned about where
    the settings of its optimizer are not those that its training began with.
    """
    with reading(path, "a checkpoint of this training") as text:
        document = _document(text)
        saved, is_old = document["weights"], document["version"] < VERSION
        compare(identity.before if is_old else identity.start, document, identity.former_data)
        if saved.keys() != weights.keys():
            raise ValueError(f"its weights are {short(list(saved))}, here {short(list(weights))}")
        numbers = [finite(name, saved[name]) for name in weights]
        state = _state_of(document, len(optimizer.parameters))
        done = len(state.columns["step"])
        if done > most:
            raise ValueError(
                f"it has {done} steps already, which is more than the {most} asked for"
            )
        of_file = copy(optimizer)
        of_file.load_state_dict(document["optimizer"])
        if not is_old and document["checksum"] != _checksum(document):
            raise ValueError(
                "its numbers are not those that were written, as its checksum says: the file was "
                "changed since. Take an unchanged copy, or train from the start"
            )
        vars(optimizer).update(vars(of_file))
    if is_old and settings_of(optimizer) != document["training"]["optimizer"]:
        warnings.warn(
            f"{path} goes on with {settings_of(optimizer)}, its training began with "
            f"{document['training']['optimizer']}: right if a callback changed the optimizer",
            stacklevel=outside(),
        )
    set_each("data", weights.values(), numbers)
    return state


def glance(path: str | PathLike[str] | None) -> dict[str, Any]:
    """What a checkpoint says, unchecked; nothing where it cannot be read: `resume` says why."""
    if path is None:
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _checksum(document: Mapping[str, Any]) -> str:
    """Of all that a file says besides."""
    said = {key: part for key, part in document.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = parse(text)
    check_type("the file", document, dict)
    is_old = document.get("version") == 1 and document["version"] is not True
    parts = _PARTS if is_old else {**_PARTS, "training_now": dict, "checksum": str}
    check_format(document, FORMAT, 1 if is_old else VERSION, parts)
    for pattern in document["recorded"]:
        check_type("each of recorded", pattern, str)
    if document["backend"] not in ("eager", *backends.NAMES):
        raise ValueError(f"no backend {short(document['backend'])}")
    return document


def _state_of(document: Mapping[str, Any], parameters: int) -> TrainingState:
    history, stop = document["history"], document["early_stop"]
    check_keys("history", history, tuple(_COLUMNS))
    check_keys("early_stop", stop, EarlyStop._fields)
    columns: dict[str, list[Any]] = read_as(dict, history, _COLUMNS)
    lengths = sorted(set(map(len, columns.values())))
    if len(lengths) > 1 or columns["step"] != list(range(lengths[0])):
        raise ValueError(f"history expected the steps from 0 on in each column, got {lengths}")
    early_stop = read_as(EarlyStop, stop, _EARLY_STOP)
    if len(early_stop.best) not in (0, parameters):
        raise ValueError(f"best expected {parameters} numbers or none, got {len(early_stop.best)}")
    return TrainingState(columns, early_stop, document["backend"], document["recorded"])


def _whole(name: str, x: object) -> int:
    if type(x) is not int or x < 0:
        raise ValueError(f"{name} expected a whole number from 0 on, got {short(x)}")
    return x


def _loss(name: str, x: object) -> float:
    return float(x) if isinstance(x, str) and x in ABSENT else finite(name, x)


def _written(loss: float | None) -> float | str | None:
    return loss if loss is None or math.isfinite(loss) else repr(loss)


_NOT_NEGATIVE = list_of(partial(finite, least=0.0))
_SHARES = list_of(or_none(partial(finite, least=0.0, most=1.0)))
_EARLY_STOP: Readers = {
    "lowest": _loss,
    "looks_since": _whole,
    "best": lambda name, numbers: tuple(list_of(finite)(name, numbers)),
}
_COLUMNS: Readers = {
    "step": list_of(_whole),
    "loss": list_of(finite),
    "accuracy": _SHARES,
    "gradient_norm": _NOT_NEGATIVE,
    "learning_rate": _NOT_NEGATIVE,
    "seconds": _NOT_NEGATIVE,
    "points_seen": list_of(_whole),
    "validation_loss": list_of(or_none(_loss)),
    "validation_accuracy": _SHARES,
}
