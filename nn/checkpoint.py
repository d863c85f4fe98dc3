"""Where a training stands, as a file of JSON: a run that was interrupted goes on, bit for bit."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from reprlib import repr as short
from typing import Any, NamedTuple

from engine import backends
from engine.arguments import digest
from engine.value import Value, set_each
from nn.files import check_format, check_keys, check_type, parse, reading, write
from nn.module import Module, finite
from nn.optim import Optimizer

FORMAT = "brickgrad checkpoint"
VERSION = 1
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
Identity = Mapping[str, str | float | None]


class Watched(NamedTuple):
    """What an early stop remembers: the lowest loss, looks since then, the parameters there."""

    lowest: float = math.inf
    looks_since: int = 0
    best: tuple[float, ...] = ()


class Standing(NamedTuple):
    """Where a training stands, besides its weights and its optimiser.

    `columns` are those of the history; their length is the number of steps. `backend` is what
    computed the steps, `recorded` tells which recordings it made.
    """

    columns: Mapping[str, list[Any]]
    watched: Watched
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
    others = [p for p in optimizer.parameters if p not in known]
    return named | {f"optimizer.{k}": p for k, p in enumerate(others)}


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
    state = optimizer.state_dict()
    kept = [name for name in state if name not in ("lr", "steps", *optimizer.MEMORY)]
    words = ", ".join(f"{name}={state[name]!r}" for name in kept)
    return {
        "model": repr(model) if isinstance(model, Module) else _told(model),
        "parameters": len(weights_of(model, optimizer)),
        "loss": _told(loss),
        "penalty": penalty and _told(penalty),
        "optimizer": f"{type(optimizer).__name__}({words})",
        "examples": len(data[0]),
        "data": digest(data),
        "validation": validation and digest(validation),
        **settings,
        "lr": _told(lr) if callable(lr) else lr,
    }


def _told(thing: Any) -> str:
    """A function by its name; a lambda, inner function or partial also by what stands in it."""
    name = str(getattr(thing, "__qualname__", type(thing).__qualname__))
    code = getattr(thing, "__code__", None)
    if isinstance(thing, partial):
        name, inside = _told(thing.func), (*thing.args, *thing.keywords.values())
    elif code and "<" in name:
        cells = [cell.cell_contents for cell in thing.__closure__ or ()]
        defaults = [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
        inside = (*code.co_names, *code.co_consts, *cells, *defaults)
    else:
        return name
    known = [getattr(x, "__qualname__", x) for x in inside]
    return f"{name}({', '.join([str(x) for x in known if isinstance(x, (str, int, float))])})"


# --- there and back ---------------------------------------------------------------------------


def save(
    path: str | PathLike[str],
    identity: Identity,
    weights: Weights,
    optimizer: Optimizer,
    standing: Standing,
) -> None:
    """Writes where a training stands; after an error the former file is there, as it was."""
    lowest, looks_since, best = standing.watched
    document = {
        "format": FORMAT,
        "version": VERSION,
        "training": dict(identity),
        "backend": standing.backend,
        "recorded": standing.recorded,
        "weights": {name: p.data for name, p in weights.items()},
        "optimizer": optimizer.state_dict(),
        "early_stop": {
            "lowest": _written(lowest),
            "looks_since": looks_since,
            "best": best,
        },
        "history": {
            **standing.columns,
            "validation_loss": [*map(_written, standing.columns["validation_loss"])],
        },
    }
    write(path, json.dumps(document, allow_nan=False) + "\n")


def resume(
    path: str | PathLike[str],
    identity: Identity,
    weights: Weights,
    optimizer: Optimizer,
    most: int,
) -> Standing:
    """Sets weights and optimizer as they were when the file was written, or, on an error, neither.

    Raises ValueError, naming the file, where it is damaged, belongs to another training, or has
    more than `most` steps.
    """
    with reading(path, "a checkpoint of this training") as text:
        document = _document(text)
        former, saved = document["training"], document["weights"]
        check_keys("training", former, tuple(identity))
        for name, ours in identity.items():
            if former[name] != ours:
                raise ValueError(_difference(name, former[name], ours))
        if saved.keys() != weights.keys():
            raise ValueError(f"its weights are {short(list(saved))}, here {short(list(weights))}")
        numbers = [finite(name, saved[name]) for name in weights]
        standing = _standing(document, len(optimizer.parameters))
        done = len(standing.columns["step"])
        if done > most:
            raise ValueError(
                f"it has {done} steps already, which is more than the {most} asked for"
            )
        optimizer.load_state_dict(document["optimizer"])
    set_each("data", weights.values(), numbers)
    return standing


def _difference(name: str, former: object, ours: object) -> str:
    if name in ("data", "validation"):
        return f"its {name} differs: the same rows, columns, share and seed are expected"
    return f"its {name} is {former!r:.200}, here it is {ours!r:.200}"


def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = parse(text)
    check_format(document, FORMAT, VERSION, tuple(_PARTS))
    for part, kind in _PARTS.items():
        check_type(part, document[part], kind)
    for pattern in document["recorded"]:
        check_type("each of recorded", pattern, str)
    if document["backend"] not in ("eager", *backends.NAMES):
        raise ValueError(f"no backend {short(document['backend'])}")
    return document


def _standing(document: Mapping[str, Any], parameters: int) -> Standing:
    history, stop = document["history"], document["early_stop"]
    check_keys("history", history, tuple(_COLUMNS))
    check_keys("early_stop", stop, Watched._fields)
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
    watched = Watched(lowest, looks, best)
    return Standing(columns, watched, document["backend"], document["recorded"])


def _whole(name: str, x: object) -> int:
    if type(x) is not int or x < 0:
        raise ValueError(f"{name} expected a whole number from 0 on, got {short(x)}")
    return x


def _or_none(name: str, x: object) -> float | None:
    return None if x is None else finite(name, x)


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
    "accuracy": _or_none,
    "gradient_norm": _NOT_NEGATIVE,
    "learning_rate": _NOT_NEGATIVE,
    "seconds": _NOT_NEGATIVE,
    "points_seen": _whole,
    "validation_loss": _loss_or_none,
    "validation_accuracy": _or_none,
}
