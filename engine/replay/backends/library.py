"""C source as a loaded library: compiled once, kept in a cache, checked before it is loaded.

A library is named by a hash of all that made it and a signature of its own bytes, and comes into
the cache by one rename. So two processes that compile the same do not disturb each other and need
no lock, a crash leaves at most a folder that nobody reads, and a file that is damaged or was not
made here is seen before it is loaded, and made anew.
"""

import atexit
import ctypes
import hashlib
import hmac
import importlib
import importlib.util
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from engine.fork import after_fork
from engine.replay import beside

# Nothing here changes a number: no -ffast-math, and no product and sum in one rounding but those
# that `vectormath` asks for. gcc's "expensive" ones leave the vector registers clean (vzeroupper):
# with dirty ones all code that does not know them is slow, the library of C and Python itself.
FLAGS = (
    *("-O1", "-fexpensive-optimizations", "-ftree-vectorize", "-ffp-contract=off"),
    *("-fno-math-errno", "-fno-trapping-math", "-fPIC", "-shared", "-w"),
)
KEPT = 500  # libraries in the cache
NOT_KEPT = "it was not compiled before"
LIMIT = 60.0  # seconds for a run of the compiler; gcc takes up to 4, zig 20 when it is new
PROCESSOR = ("-march", "-mcpu", "-target", "--target")  # flags that name a processor

_stopped: set[tuple[str, ...]] = set()  # compilers that took longer: one wait is enough
_running: set[subprocess.Popen[str]] = set()


class TimeLimitError(RuntimeError):
    """The compiler took longer than LIMIT."""


def compiler() -> list[str] | None:
    """The command of the C compiler: `CC`, cc, gcc, clang, or that of the ziglang wheel.

    None where there is none; RuntimeError where `CC` is not a command.
    """
    chosen = os.environ.get("CC", "").strip()
    if chosen:
        try:
            command = shlex.split(chosen, posix=os.name != "nt")
        except ValueError as error:
            raise RuntimeError(f"the C compiler CC={chosen!r} is not a command: {error}") from None
        if not command or not shutil.which(command[0]):
            raise RuntimeError(f"the C compiler CC={chosen!r} was not found")
        return command
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    return None


def target(command: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The flags for the processor, and all that the compiler says of itself and of it.

    It is the processor at hand, unless the command names one.
    """
    path = shutil.which(command[0]) or command[0]
    try:
        return _target(tuple(command), path, os.stat(path).st_mtime_ns)
    except OSError as error:
        raise RuntimeError(_complaint(command, str(error))) from error


@cache
def _target(command: tuple[str, ...], path: str, changed: int) -> tuple[tuple[str, ...], str]:
    is_named = any(word.startswith(PROCESSOR) for word in command)
    for native in [()] if is_named else [("-march=native",), ("-mcpu=native",), ()]:
        with _passing_folder() as folder:
            empty = folder / "empty.c"
            empty.touch()
            said = _run(command, [*native, "-dM", "-E", str(empty)])
        if said.returncode == 0:
            return native, said.stdout
    raise RuntimeError(_complaint(command, said.stderr))


def load(source: str, functions: Sequence[str] = (), compiles: bool = True) -> ctypes.CDLL:
    """The library of this source, from the cache or compiled; it must have these functions.

    Raises RuntimeError where the compiler is missing, refuses, takes longer than LIMIT, or makes
    something else; without `compiles`, where it is not in the cache.
    """
    command = compiler()
    if command is None:
        raise RuntimeError("no C compiler was found")
    if not compiles and not any(next(f.glob("*.lib"), None) for f in folders()):
        raise RuntimeError(NOT_KEPT)
    native, version = target(command)
    options = [*FLAGS, *native]
    made_of = "\0".join([source, *command, *options, version])
    key = hashlib.sha256(made_of.encode()).hexdigest()[:32]
    complaint = ""
    try:
        for folder in folders():
            try:  # in a folder that is full, or from which nothing may run, this fails
                path = _kept(key, folder)
                if compiles:
                    path = path or _compiled(source, command, options, key, folder)
                if path:
                    return _opened(path, tuple(functions))
            except TimeLimitError:
                raise
            except (OSError, RuntimeError, AttributeError) as error:
                complaint = str(error)
    except OSError as error:  # not even a temporary folder
        complaint = str(error)
    raise RuntimeError(_complaint([*command, *options], complaint) if compiles else NOT_KEPT)


_places: dict[tuple[object, ...], dict[str, int]] = {}  # of functions in memory, by compiler


def places(
    functions: Iterable[str], source: Callable[[Sequence[str]], str], compiles: bool = True
) -> dict[str, int]:
    """Where functions are in memory; those that are not there yet are compiled together.

    `source` gives the source of some of them. A name stands for one text. Raises RuntimeError as
    `load` does.
    """
    command = compiler()
    if command is None:
        raise RuntimeError("no C compiler was found")
    known = _places.setdefault((*command, *target(command)[0]), {})
    missing = [name for name in functions if name not in known]
    if missing:
        made = load(source(missing), missing, compiles)
        for name in missing:
            known[name] = ctypes.cast(getattr(made, name), ctypes.c_void_p).value or 0
    return known


def forget() -> None:
    """Has all functions compiled anew, or taken from the cache."""
    _places.clear()


def _kept(key: str, folder: Path) -> Path | None:
    """The library in a folder; those that are damaged or were not made here are removed."""
    for path in folder.glob(f"{key}-*.lib"):
        if path.name == _name(key, path, folder):
            with suppress(OSError):
                os.utime(path)
            return path
        path.unlink(missing_ok=True)
    return None


@cache
def _opened(path: Path, functions: tuple[str, ...]) -> ctypes.CDLL:
    """A library in memory, where it stays; a file that is none, or another, is removed."""
    try:
        opened = ctypes.CDLL(str(path))
        for function in functions:
            getattr(opened, function)
        return opened
    except (OSError, AttributeError):
        path.unlink(missing_ok=True)
        raise


def folders() -> Iterator[Path]:
    """Where libraries may be kept: the user's cache, then a folder that ends with this process."""
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home
        folder = _user_cache()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_private(folder):
            yield folder
    yield _own_folder(os.getpid())


def _user_cache() -> Path:
    with suppress(ImportError):
        platformdirs = importlib.import_module("platformdirs")
        return Path(platformdirs.user_cache_dir("brickgrad", appauthor=False), "native")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "brickgrad", "native")


def _is_private(folder: Path) -> bool:
    """Whether nobody else can put a library there, nor another folder in the place of one above."""
    if os.name == "nt":
        return True
    above = {*folder.absolute().parents, *folder.resolve().parents}
    found = folder.stat()
    return found.st_uid == os.getuid() and not _is_open(found) and all(map(_is_safe, above))


def _is_safe(folder: Path) -> bool:
    """Whether others cannot rename what lies there; in a sticky folder such as /tmp they cannot."""
    found = folder.stat()
    is_sticky = bool(found.st_mode & stat.S_ISVTX)
    return found.st_uid in (0, os.getuid()) and (is_sticky or not _is_open(found))


def _is_open(found: os.stat_result) -> bool:
    return bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


@cache
def _own_folder(process: int) -> Path:
    folder = tempfile.mkdtemp(prefix="brickgrad-")
    atexit.register(_remove_own, process, folder)
    return Path(folder)


def _remove_own(process: int, folder: str) -> None:
    if os.getpid() == process:  # not in the child of a fork
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _passing_folder(within: Path | None = None) -> Iterator[Path]:
    """A folder for as long as it takes. A TemporaryDirectory ends with the child of a fork too."""
    folder = tempfile.mkdtemp(dir=within, prefix="making-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compiled(
    source: str, command: Sequence[str], options: Sequence[str], key: str, folder: Path
) -> Path:
    with _passing_folder(folder) as place:
        text, made = place / "kernel.c", place / "kernel.lib"
        text.write_text(source, encoding="ascii")
        said = _run(command, [*options, str(text), "-o", str(made), "-lm"])
        if said.returncode or not made.exists():
            raise RuntimeError(said.stderr or "it made nothing")
        path = folder / _name(key, made, folder)
        with suppress(PermissionError):  # Windows: another process has loaded the very same
            os.replace(made, path)
    _forget_oldest(folder)
    return path


def _name(key: str, path: Path, folder: Path) -> str:
    """What a library is called in a folder: only there do its name and its bytes fit."""
    message = key.encode() + path.read_bytes()
    return f"{key}-{hmac.new(_secret(folder), message, 'sha256').hexdigest()[:32]}.lib"


def _secret(folder: Path) -> bytes:
    """What the names of a folder are signed with. Where it is lost, all is compiled anew."""
    path = folder / "secret"
    with suppress(FileExistsError), path.open("xb") as new:
        new.write(os.urandom(32))
    return path.read_bytes()


def _run(command: Sequence[str], arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A run of the compiler, which ends within LIMIT, and its children with it."""
    if tuple(command) in _stopped:
        raise TimeLimitError(_slow(command, arguments))
    beside.go_on()
    with subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},
        start_new_session=True,  # a group of its own, to be killed as one
    ) as process:
        _running.add(process)
        try:
            beside.go_on()  # nothing that begins in the last moment stays
            out, complaints = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            _kill(process)
            _stopped.add(tuple(command))
            raise TimeLimitError(_slow(command, arguments)) from None
        except BaseException:  # Ctrl-C, which another group does not hear
            _kill(process)
            raise
        finally:
            _running.discard(process)
    return subprocess.CompletedProcess(process.args, process.returncode, out, complaints)


def _kill(process: subprocess.Popen[str]) -> None:
    """Ends a process and its children."""
    if os.name == "nt":
        tree = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(tree, capture_output=True, check=False)
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


@beside.stops
def _stop_all() -> None:
    for process in list(_running):
        if process.returncode is None:
            _kill(process)


after_fork(_running.clear)  # those are the parent's


def _slow(command: Sequence[str], arguments: Sequence[str]) -> str:
    first = shlex.join([*command, *arguments][:3])
    return (
        f"the C compiler was stopped: it is to take at most {LIMIT:g} seconds, and took longer: "
        f'{first} ...\nSet CC to another compiler, or use backend="numpy" or "python"; this '
        "process does not ask it again"
    )


def _complaint(command: Sequence[str], message: str) -> str:
    first = "\n".join(message.strip().splitlines()[:5])
    return f"the C compiler failed: {shlex.join(command[:3])} ...\n{first}"


def _forget_oldest(folder: Path) -> None:
    with suppress(OSError):
        found = sorted(folder.glob("*.lib"), key=lambda path: path.stat().st_mtime)
        for path in found[:-KEPT]:
            path.unlink(missing_ok=True)
