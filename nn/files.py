"""Reads files of JSON, and trusts nothing that they say before it is checked."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from os import PathLike
from pathlib import Path
from reprlib import repr as short
from typing import Any, NoReturn, TypeVar

from nn.checks import finite

T = TypeVar("T")
Reader = Callable[[str, Any], Any]  # takes the name of a part and what stands there
Readers = Mapping[str, Reader]
_JSON_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
_LEVELS = 500  # of lists and objects in each other
_MARKS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[][{}]', re.DOTALL)  # texts, and what opens and closes
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


def _levels(text: str) -> int:
    """How deep lists and objects lie in each other; where they are few, how many there are."""
    count = text.count("[") + text.count("{")
    if count <= _LEVELS:
        return count
    return max(accumulate(_STEP.get(mark[0], 0) for mark in _MARKS.findall(text)))


def parse(text: str) -> Any:
    """What JSON says; ValueError for numbers that are not finite, and for keys that come twice.

    RecursionError where lists and objects lie too deep in each other.

    >>> parse('{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    """
    if _levels(text) > _LEVELS:  # in a browser it would end the interpreter
        raise RecursionError(f"expected at most {_LEVELS} levels of recursion, got more")
    return json.loads(
        text,
        object_pairs_hook=_object,
        parse_float=lambda digits: finite("a number in the file", float(digits)),
        parse_constant=_not_finite,
    )


def check_format(document: Any, kind: str, version: int, parts: Mapping[str, type]) -> None:
    """ValueError unless it is a document of this kind and version, of these parts alone."""
    check_type("the file", document, dict)
    got = document.get("format"), document.get("version")
    if got != (kind, version) or got[1] is True:
        raise ValueError(
            f"expected format {kind!r} version {version},"
            f" got {short(got[0])} version {short(got[1])}"
        )
    check_keys("the file", document, ("format", "version", *parts))
    for part, expected in parts.items():
        check_type(part, document[part], expected)


def check_type(name: str, thing: object, expected: type) -> None:
    """ValueError unless it is an object, a list, a string or a truth value, as expected."""
    if not isinstance(thing, expected):
        raise ValueError(f"{name} expected {_JSON_NAMES[expected]}, got {short(thing)}")


def check_keys(name: str, thing: dict[str, Any], expected: Sequence[str]) -> None:
    """ValueError unless an object has these keys, in any order."""
    if sorted(thing) != sorted(expected):
        keys = ", ".join(expected)
        raise ValueError(f"{name} expected the keys {keys}, got {short(list(thing))}")


def read_as(kind: Callable[..., T], thing: Mapping[str, Any], readers: Readers) -> T:
    """What an object of a file tells of, each of its parts read by a reader of its own.

    >>> read_as(dict, {"lr": 1}, {"lr": finite})
    {'lr': 1.0}
    """
    return kind(**{name: read(name, thing[name]) for name, read in readers.items()})


def list_of(read: Reader) -> Reader:
    """The reader of a list of what `read` reads."""

    def read_list(name: str, things: Any) -> list[Any]:
        check_type(name, things, list)
        return [read(name, x) for x in things]

    return read_list


def or_none(read: Reader) -> Reader:
    """The reader of what `read` reads, or of null, which is None."""
    return lambda name, x: None if x is None else read(name, x)


@contextmanager
def reading(path: str | PathLike[str], what: str) -> Iterator[str]:
    """Gives the text of a file; errors on what it says become a ValueError that names the file."""
    content = Path(path).read_bytes()
    try:
        yield content.decode()
    except (ValueError, TypeError, RecursionError) as error:
        no_json = isinstance(error, (json.JSONDecodeError, UnicodeDecodeError))
        reason = f"it is not JSON ({error})" if no_json else error
        raise ValueError(f"{path} is not {what} that brickgrad saved: {reason}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    thing = dict(pairs)
    if len(thing) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {short(name)} stands there twice")
    return thing


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"expected finite numbers, got {name}")
