"""Files of JSON: written whole or not at all, read with suspicion."""

import errno
import json
import os
import secrets
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from os import PathLike
from pathlib import Path
from reprlib import repr as short
from tempfile import TemporaryFile
from typing import Any, NoReturn, TypeVar

from nn.checks import finite

T = TypeVar("T")
Reader = Callable[[str, Any], Any]  # takes the name of a part and what stands there
Readers = Mapping[str, Reader]
_JSON_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}


def parse(text: str) -> Any:
    """What JSON says; ValueError for numbers that are not finite, and for keys that come twice.

    >>> parse('{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    """
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


def write(path: str | PathLike[str], text: str) -> None:
    """A new file beside the old one, on the disk before it takes its name and its mode.

    The file is there as a whole, or, after an error or a crash, as it was before. OSError, naming
    the file, where writing fails or what has the name is no regular file. A folder that refuses to
    be put on the disk is no error, as the new file has its name by then: there a power cut may
    bring back the former one.
    """
    target = Path(path).resolve()
    fresh = target.with_name(f".brickgrad.{secrets.token_hex(8)}")
    try:
        with _naming(target):
            mode = _mode(target)
            private = partial(os.open, mode=0o666 if mode is None else mode)
            with open(fresh, "x", encoding="utf-8", opener=private) as file:
                if mode is not None:
                    os.chmod(fresh, mode)  # what the umask took from it
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, target)
    finally:
        with suppress(OSError):
            fresh.unlink()
    with suppress(OSError):
        _sync_folder(target.parent)


def check_replaceable(path: str | PathLike[str]) -> None:
    """OSError, naming it, for what is there by this name and is no file, such as a folder."""
    target = Path(path).resolve()
    with _naming(target):
        _mode(target)


def check_writable(path: str | PathLike[str]) -> None:
    """OSError, naming the file, where nothing can be written by this name."""
    target = Path(path).resolve()
    with _naming(target):
        _mode(target)
        with TemporaryFile(dir=target.parent):
            pass


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors inside name this file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    thing = dict(pairs)
    if len(thing) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {short(name)} stands there twice")
    return thing


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"expected finite numbers, got {name}")


def _mode(path: Path) -> int | None:
    """The permissions of a file, None where there is none yet."""
    if not path.exists():
        return None
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "only a regular file can be replaced")
    return stat.S_IMODE(mode)


def _sync_folder(path: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows cannot open a folder
    folder = os.open(path, os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
