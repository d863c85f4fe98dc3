"""Files that are written whole or not at all."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile


def write(path: str | PathLike[str], content: str | bytes) -> None:
    """A new file beside the old one, on the disk before it takes its name and its mode.

    A text is written as UTF-8. The file is there as a whole, or, after an error or a crash, as it
    was before. OSError, naming the file, where writing fails or what has the name is no regular
    file. A folder that refuses to be put on the disk is no error, as the new file has its name by
    then: there a power cut may bring back the former one.
    """
    raw = content.encode() if isinstance(content, str) else content
    target = Path(path).resolve()
    fresh = target.with_name(f".brickgrad.{secrets.token_hex(8)}")
    try:
        with _naming(target):
            mode = _mode(target)
            private = partial(os.open, mode=0o666 if mode is None else mode)
            with open(fresh, "xb", opener=private) as file:
                if mode is not None:
                    os.chmod(fresh, mode)  # what the umask took from it
                file.write(raw)
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
