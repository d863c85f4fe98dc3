"""Where a training stands, as a file of JSON: a run that was interrupted goes on, bit for bit."""

import hashlib
import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from os import PathLike
from reprlib import repr as short
from types import MappingProxyType
from typing import Any, NamedTuple

from engine.replay import backends
from engine.replay.arguments import digest
from engine.value import Value, set_each
from nn.checks import finite
from nn.described import (
    PYTHON,
    counted,
    described,
    described_before,
    first_difference,
    without_code,
)
from nn.files import check_format, check_keys, check_type, parse, reading, write
from nn.module import Module
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
Weights = dict[str, Value]
Facts = Mapping[str, str | float | None]


class Identity(NamedTuple):
    """What a training is, in words; and in those that files of version 1 have.

    `now` tells again what may hold numbers that change: a loss may read one that a callback sets.
    `former_data` gives the data as it was told of while classes were rows of 0 and 1.
    """

    start: Facts = MappingProxyType({})
    before: Facts = MappingProxyType({})
    now: Callable[[], Facts] = dict
    former_data: Callable[[], object] = lambda: None


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


# --- what a training is -----------------------------------------------------------------------


def weights_of(model: Any, optimizer: Optimizer) -> Weights:
    """All that training may move, by name: of the model, then what else the optimizer has."""
    if isinstance(model, Module):
        named = dict(model.named_parameters())
    else:
        parameters: list[Value] = getattr(model, "parameters", list)()
        named = {str(k): p for k, p in enumerate(parameters)}
    known = set(named.values())
    unknown = [p for p in optimizer.parameters if p not in known]
    others = {f"optimizer.{k}": p for k, p in enumerate(unknown)}
    if twice := named.keys() & others.keys():
        raise ValueError(
            f"two parameters have the name {min(twice)!r}: one of the model, and one that only the "
            "optimizer has; call the model's something else, or keep both in one Module"
        )
    return named | others


def identity(
    model: Any,
    loss: Any,
    penalty: Any,
    optimizer: Optimizer,
    data: tuple[Sequence[Any], Sequence[Any]],
    validation: Any,
    lr: Any,
    **settings: int,
) -> Identity:
    """What must be the same in a training that goes on; `settings` are those of its batches."""
    weights = weights_of(model, optimizer)
    known = {
        "parameters": len(weights),
        "optimizer": _settings(optimizer),
        "examples": len(data[0]),
        "data": digest(data),
        "validation": validation and digest(validation),
        **settings,
        "python": PYTHON,
    }

    def outside(tell: Callable[[Any], str]) -> dict[str, str | float | None]:
        """What is the user's own, and may hold what changes."""
        return {
            "model": repr(model) if isinstance(model, Module) else tell(model),
            "loss": tell(loss),
            "penalty": penalty and tell(penalty),
            "lr": tell(lr) if callable(lr) else lr,
        }

    def now() -> Facts:
        tell = partial(described, parameters=weights.values())
        more = {"model_state": tell(model), "optimizer_kind": tell(type(optimizer))}
        return outside(tell) | more

    start, before = (
        {"model": None, **known, **facts} for facts in (now(), outside(described_before))
    )
    del before["python"]
    return Identity(start, before, now)


def _settings(optimizer: Optimizer) -> str:
    """The optimizer with its settings; the rate is told apart from them."""
    state = optimizer.state_dict()
    kept = [name for name in state if name not in ("lr", "steps", *optimizer.MEMORY)]
    words = ", ".join(f"{name}={state[name]!r}" for name in kept)
    return f"{type(optimizer).__name__}({words})"


# --- there and back ---------------------------------------------------------------------------


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
        "training_now": _changed(identity),
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
        _compare(identity.before if is_old else identity.start, document, identity.former_data)
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
    if is_old and _settings(optimizer) != document["training"]["optimizer"]:
        warnings.warn(
            f"{path} goes on with {_settings(optimizer)}, its training began with "
            f"{document['training']['optimizer']}: right if a callback changed the optimizer",
            stacklevel=4,
        )
    set_each("data", weights.values(), numbers)
    return state


def _changed(identity: Identity) -> Facts:
    """What is told in other words than at the start."""
    return {name: fact for name, fact in identity.now().items() if fact != identity.start[name]}


def _compare(ours: Facts, document: Mapping[str, Any], former_data: Callable[[], object]) -> None:
    """ValueError, saying what differs, where a file is of another training.

    What changed until the file was written may be as it was at the start, or as it was then.
    """
    former, later = document["training"], document.get("training_now", {})
    check_keys("training", former, tuple(ours))
    is_same_python = former.get("python", PYTHON) == PYTHON
    read = str if is_same_python else without_code
    hint = "" if is_same_python else f"; it was written by {former['python']!r:.40}: go on with it"
    for name in [name for name in ours if name != "python"]:
        facts = former[name], later.get(name, former[name]), ours[name]
        there, then, here = (read(x) if isinstance(x, str) else x for x in facts)
        if name == "model" and isinstance(there, str):
            there = counted(there)
        if name == "data" and here != there and digest(former_data()) == there:
            continue
        if here not in (there, then):
            raise ValueError(f"{_difference(name, there, here)}{hint}")


def _difference(name: str, former: object, ours: object) -> str:
    if name in ("data", "validation"):
        return f"its {name} differs: the same rows, columns, share and seed are expected"
    if isinstance(former, str) and isinstance(ours, str):
        former, ours = first_difference(former, ours)
    return f"its {name} is {former!r:.200}, here it is {ours!r:.200}"


def _checksum(document: Mapping[str, Any]) -> str:
    """Of all that a file says besides."""
    said = {key: part for key, part in document.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = parse(text)
    check_type("the file", document, dict)
    is_old = document.get("version") == 1 and document["version"] is not True
    parts = _PARTS if is_old else {**_PARTS, "training_now": dict, "checksum": str}
    check_format(document, FORMAT, 1 if is_old else VERSION, tuple(parts))
    for part, kind in parts.items():
        check_type(part, document[part], kind)
    for pattern in document["recorded"]:
        check_type("each of recorded", pattern, str)
    if document["backend"] not in ("eager", *backends.NAMES):
        raise ValueError(f"no backend {short(document['backend'])}")
    return document


def _state_of(document: Mapping[str, Any], parameters: int) -> TrainingState:
    history, stop = document["history"], document["early_stop"]
    check_keys("history", history, tuple(_COLUMNS))
    check_keys("early_stop", stop, EarlyStop._fields)
    check_type("best", stop["best"], list)
    columns = {}
    for name, read in _COLUMNS.items():
        check_type(name, history[name], list)
        columns[name] = [read(name, x) for x in history[name]]
    lengths = sorted(set(map(len, columns.values())))
    if len(lengths) > 1 or columns["step"] != list(range(lengths[0])):
        raise ValueError(f"history expected the steps from 0 on in each column, got {lengths}")
    best = tuple([finite("best", x) for x in stop["best"]])
    if len(best) not in (0, parameters):
        raise ValueError(f"best expected {parameters} numbers or none, got {len(best)}")
    lowest, looks = _loss("lowest", stop["lowest"]), _whole("looks_since", stop["looks_since"])
    early_stop = EarlyStop(lowest, looks, best)
    return TrainingState(columns, early_stop, document["backend"], document["recorded"])


def _whole(name: str, x: object) -> int:
    if type(x) is not int or x < 0:
        raise ValueError(f"{name} expected a whole number from 0 on, got {short(x)}")
    return x


def _share_or_none(name: str, x: object) -> float | None:
    return None if x is None else finite(name, x, least=0.0, most=1.0)


def _loss(name: str, x: object) -> float:
    return float(x) if isinstance(x, str) and x in ABSENT else finite(name, x)


def _loss_or_none(name: str, x: object) -> float | None:
    return None if x is None else _loss(name, x)


def _written(loss: float | None) -> float | str | None:
    return loss if loss is None or math.isfinite(loss) else repr(loss)


_NOT_NEGATIVE = partial(finite, least=0.0)
_COLUMNS: dict[str, Callable[[str, Any], Any]] = {
    "step": _whole,
    "loss": finite,
    "accuracy": _share_or_none,
    "gradient_norm": _NOT_NEGATIVE,
    "learning_rate": _NOT_NEGATIVE,
    "seconds": _NOT_NEGATIVE,
    "points_seen": _whole,
    "validation_loss": _loss_or_none,
    "validation_accuracy": _share_or_none,
}
