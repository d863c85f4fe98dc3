"""The function that a sweep calls: whether it takes the settings, how it is sent and told apart."""

import hashlib
import inspect
import pickle
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from nn.described import described, held_by, state_of
from nn.ledger import Cell
from nn.one_run import Train
from nn.processes import installed


def check_train(train: Train, setting: Mapping[str, Cell]) -> None:
    """TypeError where the function does not take the settings."""
    if not callable(train):
        raise TypeError(f"train expected a function of the settings, got {train!r:.60}")
    try:
        signature = inspect.signature(train)
    except ValueError:
        return
    try:
        signature.bind(**setting)
    except TypeError as error:
        raise TypeError(f"train does not take {', '.join(setting)}: {error}") from None


def to_be_sent(train: Train, is_here: bool) -> bytes | Train:
    """A function as bytes, which name it; TypeError where it has no name that workers know."""
    try:
        sent = pickle.dumps(train)
    except Exception as error:
        if is_here:
            return train
        raise TypeError(
            f"train cannot be sent to workers, which import it by its name ({error}): write it with"
            " def in a file of its own and import it; give data to it by functools.partial"
        ) from None
    main = sys.modules["__main__"]
    if not is_here and _function(train).__module__ == "__main__" and not hasattr(main, "__file__"):
        raise TypeError(
            "train was written in a notebook or at the prompt, where workers do not find it: write "
            "it to a file of its own and import it"
        )
    return sent


def identity_of(train: Train, names: Sequence[str]) -> str:
    """What stands in the last column of a sweep's file."""
    held = described((tuple(names), _held(train)), by_bytes=True)
    digest = hashlib.sha256(held.encode()).hexdigest()[:12]
    return f"{_name(train)} brickgrad-{installed().replace(' ', '-')} {digest}"


def _function(train: Train) -> Any:
    while isinstance(train, partial):
        train = train.func
    return train


def _name(train: Train) -> str:
    function = _function(train)
    kind = function if hasattr(function, "__qualname__") else type(function)
    script = getattr(sys.modules["__main__"], "__file__", None)
    module = Path(script).stem if script and kind.__module__ == "__main__" else kind.__module__
    return f"{module}.{kind.__qualname__}"


def _held(train: Train) -> object:
    """What a function has besides its code."""
    about = getattr(train, "about", None)
    if isinstance(about, str):
        return about
    if isinstance(train, partial):
        return _held(train.func), train.args, train.keywords
    owner = getattr(train, "__self__", None)
    if owner is not None and not inspect.ismodule(owner):
        return type(owner).__qualname__, _of_class(type(owner)), dict(state_of(owner))
    if inspect.isfunction(train):
        return vars(train), *held_by(train).values()
    return () if inspect.isclass(train) else dict(state_of(train))


def _of_class(kind: type) -> dict[str, object]:
    """What stands in a class and those above it, beside what is called."""
    found: dict[str, object] = {}
    for each in reversed(kind.__mro__):
        own = {name: thing for name, thing in vars(each).items() if not name.startswith("_")}
        found |= {name: x for name, x in own.items() if not (callable(x) or hasattr(x, "__get__"))}
    return found
