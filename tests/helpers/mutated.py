"""Files that somebody spoilt: in their bytes, or in what their JSON says."""

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

PIECES = (
    *(b"", b"0", b"9", b"e9", b"-", b'"', b"[", b"]", b"{", b",", b":", b"\xc3", b"\x00", b"\\u"),
    *(b"true", b"null", b"NaN", b"1e999", b"Infinity", b'"step": [', b'"weights": {', b"[[[["),
)
DEEP = "goes here: lists in lists"
THINGS = (
    *(None, True, False, 0, 1, -1, 0.5, -0.5, 3, 2**31, 2**63, 10**30, 10**308, 10**400, -(10**30)),
    *(1e308, -1e308, 1e155, 5e-324, -0.0, 1.0, float("nan"), float("inf")),
    *(
        "",
        "0",
        "nan",
        "inf",
        "-inf",
        "linear",
        "tanh",
        "eager",
        "a" * 50_000,
        "\ud800",
        "\x00",
        DEEP,
    ),
    *([], {}, [[]], [None], {"": 0}, [0.0] * 3, [1e308] * 3),
)


def mutated_bytes(good: bytes, rng: Random) -> bytes:
    """A file with 1 to 3 places changed, cut off, doubled, or moved."""
    content = bytearray(good)
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(content) + 1)
        stop = start + rng.choice((0, 1, 1, 4, 40))
        other = rng.randrange(len(content) + 1)
        content[start:stop] = rng.choice((rng.choice(PIECES), content[other : other + 40]))
    return bytes(content[: rng.randrange(len(content) + 1)] if rng.random() < 0.1 else content)


def mutated_json(good: bytes, rng: Random) -> bytes:
    """JSON that still is JSON, with 1 to 3 of its nodes changed."""
    top = [json.loads(good)]  # in a list, so that the whole is a node too
    for _ in range(rng.choice((1, 1, 2, 3))):
        holder, key = _place(top, rng)
        other, there = _place(top, rng)
        _replace(holder, key, rng.choice(CHANGES)(holder[key], deepcopy(other[there]), rng))
    lists = "[" * 50_000 + "]" * 50_000
    return "".join(json.dumps(part) for part in top).replace(json.dumps(DEEP), lists).encode()


def _place(top: list[Any], rng: Random) -> tuple[Any, Any]:
    """A random node, as what holds it and its key there; one of each depth is about as likely."""
    holder: Any = top or [None]
    key: Any = 0
    while isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.75:
        holder = holder[key]
        key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    return holder, key


def _replace(holder: Any, key: Any, things: list[Any]) -> None:
    """Puts none, one or two things in the place of a node."""
    if isinstance(holder, list):
        holder[key : key + 1] = things
    else:
        del holder[key]
        holder.update(zip((key, f"{key}.1"), things, strict=False))


def _number(x: Any, other: Any, rng: Random) -> list[Any]:
    """Another number, or a list of one; what is no number stays."""
    if isinstance(x, list):
        return [[rng.choice(THINGS)] * len(x)]
    is_number = type(x) is float or (type(x) is int and abs(x) < 2**53)
    return [rng.choice((-x, x + 1, x * 1e9, x * 1e300, x / 1e300, str(x)))] if is_number else [x]


def _shorter(x: Any, other: Any, rng: Random) -> list[Any]:
    """A part of a list; of an object, the same part of each of its lists."""
    part = rng.choice((slice(1), slice(-1), slice(0), slice(1, None), slice(None, None, -1)))
    if isinstance(x, dict):
        return [{key: entry[part] if type(entry) is list else entry for key, entry in x.items()}]
    return [x[part] if isinstance(x, list | str) else [x]]


CHANGES: tuple[Callable[[Any, Any, Random], list[Any]], ...] = (
    lambda x, other, rng: [],
    lambda x, other, rng: [x, deepcopy(x)],
    lambda x, other, rng: [other],
    lambda x, other, rng: [x * 2 if isinstance(x, list) else [x]],
    lambda x, other, rng: [deepcopy(rng.choice(THINGS))],
    lambda x, other, rng: [deepcopy(rng.choice(THINGS))],
    _number,
    _number,
    _shorter,
)
