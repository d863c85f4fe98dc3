"""What a training is, in words: a run that goes on is compared with the one that stopped."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from engine.replay.arguments import digest
from engine.value import Value
from nn.described import (
    PYTHON,
    counted,
    described,
    described_before,
    first_difference,
    without_code,
)
from nn.files import check_keys
from nn.module import Module
from nn.optim import Optimizer

Weights = dict[str, Value]
Facts = Mapping[str, str | float | None]
UNSAID = {"shards": None}  # what older files do not say, and what holds for them


class Identity(NamedTuple):
    """What a training is, in words; and in those that files of version 1 have.

    `now` tells again what may hold numbers that change: a loss may read one that a callback sets.
    `former_data` gives the data as it was told of while classes were rows of 0 and 1.
    """

    start: Facts = MappingProxyType({})
    before: Facts = MappingProxyType({})
    now: Callable[[], Facts] = dict
    former_data: Callable[[], object] = lambda: None


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
    **settings: int | None,
) -> Identity:
    """What must be the same in a training that goes on; `settings` are those of its batches."""
    weights = weights_of(model, optimizer)
    known = {
        "parameters": len(weights),
        "optimizer": settings_of(optimizer),
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


def settings_of(optimizer: Optimizer) -> str:
    """The optimizer with its settings; the rate is told apart from them."""
    state = optimizer.state_dict()
    kept = [name for name in state if name not in ("lr", "steps", *optimizer.MEMORY)]
    words = ", ".join(f"{name}={state[name]!r}" for name in kept)
    return f"{type(optimizer).__name__}({words})"


def changed(identity: Identity) -> Facts:
    """What is told in other words than at the start."""
    return {name: fact for name, fact in identity.now().items() if fact != identity.start[name]}


def compare(ours: Facts, document: Mapping[str, Any], former_data: Callable[[], object]) -> None:
    """ValueError, saying what differs, where a file is of another training.

    What changed until the file was written may be as it was at the start, or as it was then.
    """
    former, later = UNSAID | document["training"], document.get("training_now", {})
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
