"""The cache of compiled libraries: private, checked, and useful after any accident."""

import ctypes
import hashlib
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine.replay.backends import choice, library
from engine.replay.replay import Replay, replay
from engine.value import Value

pytestmark = pytest.mark.skipif(library.compiler() is None, reason="no C compiler here")

SOURCE = "int answer(void) { return %d; }\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that compile, as they are run."""
    seen: list[list[str]] = []
    run = library._run

    def watched(command: list[str], arguments: list[str]) -> "subprocess.CompletedProcess[str]":
        if "-shared" in arguments:
            seen.append([*command, *arguments])
        return run(command, arguments)

    monkeypatch.setattr(library, "_run", watched)
    return seen


def kept(home: Path) -> list[Path]:
    return sorted(home.rglob("*.lib"))


def test_a_source_is_compiled_once(home: Path, commands: list[list[str]]) -> None:
    assert library.load(SOURCE % 42).answer() == 42
    assert library.load(SOURCE % 42).answer() == 42
    assert library.load(SOURCE % 43).answer() == 43
    assert len(commands) == 2
    assert len(kept(home)) == 2


def test_flags_keep_the_meaning_of_numbers(commands: list[list[str]]) -> None:
    library.load(SOURCE % 1)
    assert "-ffp-contract=off" in commands[0]
    assert not any("fast" in flag for flag in commands[0])


def test_other_flags_are_another_library(
    home: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    library.load(SOURCE % 2)
    monkeypatch.setattr(library, "FLAGS", (*library.FLAGS, "-DOTHER"))
    library.load(SOURCE % 2)
    assert len(commands) == 2


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_the_cache_is_private(home: Path) -> None:
    library.load(SOURCE % 3)
    folder = kept(home)[0].parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_cache_that_others_may_write_to_is_not_used(home: Path) -> None:
    library.load(SOURCE % 4)
    folder = kept(home)[0].parent
    folder.chmod(0o777)
    assert library.load(SOURCE % 5).answer() == 5
    assert len(kept(home)) == 1


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize(
    ("mode", "is_used"), [(0o777, False), (0o775, False), (0o1777, True), (0o755, True)]
)
@pytest.mark.parametrize("through", ["itself", "a link"])
def test_a_cache_below_a_folder_that_others_may_write_to(
    mode: int, is_used: bool, through: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = home / "shared"
    (shared / "mine").mkdir(parents=True)
    (home / "link").symlink_to(shared / "mine")
    shared.chmod(mode)
    base = shared / "mine" if through == "itself" else home / "link"
    monkeypatch.setenv("XDG_CACHE_HOME", str(base))
    assert library.load(SOURCE % 13).answer() == 13
    assert bool(kept(home)) == is_used


def test_a_damaged_library_is_compiled_again(home: Path, commands: list[list[str]]) -> None:
    library.load(SOURCE % 6)
    (path,) = kept(home)
    whole = path.read_bytes()
    path.unlink()  # the one that is loaded keeps its bytes
    path.write_bytes(whole[: len(whole) // 2])
    assert library.load(SOURCE % 6).answer() == 6
    assert len(commands) == 2
    assert len(kept(home)[0].read_bytes()) > len(whole) // 2


ANOTHER = "int another(void) { return 1; }\n"


@pytest.mark.some(4)
@pytest.mark.parametrize("junk", ["junk", "half", "nothing", "another"])
@pytest.mark.parametrize("is_named_after", [True, False])
def test_a_file_that_was_not_made_here_is_not_loaded(
    junk: str, is_named_after: bool, home: Path, commands: list[list[str]]
) -> None:
    library.load(ANOTHER)
    (foreign,) = kept(home)
    other = foreign.read_bytes()
    library.load(SOURCE % 14)
    (path,) = set(kept(home)) - {foreign}
    whole = path.read_bytes()
    content = {"junk": b"junk" * 999, "half": whole[: len(whole) // 2], "nothing": b""}.get(
        junk, other
    )
    path.unlink()  # the one that is loaded keeps its bytes
    if is_named_after:
        key, _ = path.name.split("-")
        path = path.with_name(f"{key}-{hashlib.sha256(content).hexdigest()[:32]}.lib")
    path.write_bytes(content)
    for _ in range(2):
        assert library.load(SOURCE % 14, ["answer"]).answer() == 14
    assert len(commands) == 3
    assert content not in [path.read_bytes() for path in set(kept(home)) - {foreign}]


def test_a_library_without_its_functions_is_not_kept(home: Path) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"(?s)the C compiler failed.*another"):
            library.load(SOURCE % 15, ["answer", "another"])
        assert kept(home) == []


def test_a_cache_that_lost_its_secret_is_made_anew(home: Path, commands: list[list[str]]) -> None:
    library.load(SOURCE % 16)
    (path,) = kept(home)
    (path.parent / "secret").unlink()
    assert library.load(SOURCE % 16).answer() == 16
    assert len(commands) == 2
    assert len(kept(home)) == 1
    assert path not in kept(home)


def test_a_crash_while_compiling_leaves_the_cache_usable(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(library.os, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            library.load(SOURCE % 7)
    assert kept(home) == []
    assert library.load(SOURCE % 7).answer() == 7


def test_a_full_disk_is_no_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        if home in Path(target).parents:
            raise OSError(28, "No space left on device")
        replace(source, target)

    replace = os.replace
    monkeypatch.setattr(library.os, "replace", full)
    assert library.load(SOURCE % 8).answer() == 8
    assert kept(home) == []


def test_a_cache_that_cannot_be_made_is_no_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "file"))
    assert library.load(SOURCE % 9).answer() == 9


def test_without_platformdirs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert library.load(SOURCE % 10).answer() == 10
    assert kept(home)[0].parent == home / "brickgrad" / "native"


def test_what_the_compiler_says_is_passed_on() -> None:
    with pytest.raises(RuntimeError, match=r"the C compiler failed(.*\n)*.*nonsense") as caught:
        library.load("nonsense nonsense;\n" * 50)
    assert len(str(caught.value).splitlines()) <= 6


def test_the_cache_is_bounded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "KEPT", 2)
    for k in range(4):
        library.load(SOURCE % (100 + k))
    assert len(kept(home)) == 2


def test_many_at_once(home: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: library.load(SOURCE % 11).answer(), range(6)))
    assert answers == [11] * 6
    assert [p for p in home.rglob("*") if p.is_dir() and p.name.startswith("making-")] == []


@pytest.mark.parametrize(
    ("there", "want"),
    [(["gcc"], ["gcc"]), (["clang", "cc"], ["cc"]), ([], None)],
)
def test_the_compiler_is_looked_for(
    there: list[str], want: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(library.shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr(library.importlib.util, "find_spec", lambda name: None)
    assert library.compiler() == want


def test_cc_is_a_command_with_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library.shutil, "which", lambda name: name)
    monkeypatch.setenv("CC", "ccache gcc")
    assert library.compiler() == ["ccache", "gcc"]


def test_the_wheel_of_zig_is_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(library.shutil, "which", lambda name: None)
    monkeypatch.setattr(library.importlib.util, "find_spec", lambda name: object())
    assert library.compiler() == [sys.executable, "-m", "ziglang", "cc"]


def script(folder: Path, body: str) -> str:
    """A compiler that does its own thing after it was asked for the machine."""
    path = folder / "broken"
    path.write_text(f"#!/bin/sh\ncase $* in *-dM*) exit 0;; esac\n{body}\n")
    path.chmod(0o755)
    return str(path)


def called_until_it_rests(step: Replay) -> Any:
    """Calls until `auto` has tried all that it knows; the last result."""
    total = step([1.0, 2.0])
    ((own,),) = step.kept.by_shape.values()
    while own.choice and own.choice.attempts:
        total = step([1.0, 2.0])
    return total


JUNK = "for a; do case $before in -o) made=$a;; esac; before=$a; done; echo junk > $made"


@pytest.mark.some(5)
@pytest.mark.skipif(os.name == "nt", reason="runs shell scripts")
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("gcc '", 'CC="gcc \'" is not a command: No closing quotation'),
        ("''", "was not found"),
        ("nobody-has-this --fast", "CC='nobody-has-this --fast' was not found"),
        ("cc -c", "(?s)the C compiler failed: cc -c .*lib"),
        ("true", "(?s)the C compiler failed: true .*it made nothing"),
        ("false", "the C compiler failed: false"),
        (JUNK, "(?s)the C compiler failed: .*broken"),
        ("exit 3", "(?s)the C compiler failed: .*broken"),
        ("echo cannot do this >&2; exit 1", "(?s)broken.*cannot do this"),
        ("not a script", "(?s)the C compiler failed: .*broken.*Exec format error"),
    ],
)
def test_a_compiler_that_is_broken_is_one_error_and_none_in_auto(
    broken: str, message: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "attempts", lambda *_: [choice.Attempt(0.0, "c")])
    if broken == "not a script":
        Path(script(home, "")).write_bytes(b"\x00\x01")
        broken = str(home / "broken")
    elif " " in broken and "cc" not in broken and "nobody" not in broken:
        broken = script(home, broken)
    monkeypatch.setenv("CC", broken)
    w = Value(2.0)
    step = replay(lambda xs: sum(w * x for x in xs))
    with pytest.raises(RuntimeError, match=message):
        replay(lambda x: w * x, backend="c")(1.0)
    total = called_until_it_rests(step)
    total.backward()
    assert (total.data, w.grad, step.backend) == (6.0, 3.0, "python")
    assert kept(home) == []


SLEEP = 'echo $$ >> "$0.pids"; sleep 1000 & echo $! >> "$0.pids"; wait'


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")  # one that nobody waits for is a zombie
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.some(2)
@pytest.mark.skipif(os.name == "nt", reason="runs shell scripts")
@pytest.mark.parametrize("is_deaf", [False, True], ids=["never compiles", "never says what it is"])
def test_a_compiler_that_never_returns_is_stopped(
    is_deaf: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = script(home, SLEEP)
    if is_deaf:
        Path(broken).write_text(f"#!/bin/sh\n{SLEEP}\n")
    monkeypatch.setattr(choice, "attempts", lambda *_: [choice.Attempt(0.0, "c")])
    monkeypatch.setenv("CC", broken)
    monkeypatch.setattr(library, "LIMIT", 0.5)
    w = Value(2.0)
    step = replay(lambda xs: sum(w * x for x in xs))
    total = called_until_it_rests(step)
    total.backward()
    assert (total.data, w.grad, step.backend) == (6.0, 3.0, "python")
    message = rf"(?s)the C compiler was stopped.* 0\.5 seconds.*{broken} .*Set CC to another"
    for _ in range(3):
        with pytest.raises(RuntimeError, match=message):
            replay(lambda x: w * x, backend="c")(1.0)
    started = [int(line) for line in Path(f"{broken}.pids").read_text().split()]
    assert len(started) == 2  # it is asked once
    for _ in range(100):
        if not any(map(is_running, started)):
            break
        time.sleep(0.05)
    assert not any(map(is_running, started))
    assert kept(home) == []


@pytest.mark.whole
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_the_compiler_too(home: Path) -> None:
    broken = script(home, SLEEP)
    code = f"from engine.replay.backends import library; library.load({SOURCE % 17!r})"
    environment = {**os.environ, "CC": broken, "PYTHONPATH": os.getcwd()}
    pids = Path(f"{broken}.pids")
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        for _ in range(400):
            if pids.exists() and len(pids.read_text().split()) == 2:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert said.rstrip().endswith("KeyboardInterrupt")
    for _ in range(100):  # a killed process goes when the machine comes to it
        if not any(is_running(int(line)) for line in pids.read_text().split()):
            break
        time.sleep(0.05)
    assert not any(is_running(int(line)) for line in pids.read_text().split())


@pytest.mark.parametrize("flag", ["-march=x86-64", "-mcpu=native", "--target=x86_64-linux-gnu"])
def test_a_processor_that_cc_names_is_kept(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], arguments: list[str]) -> "subprocess.CompletedProcess[str]":
        asked.append(arguments)
        return subprocess.CompletedProcess([], 0, "macros", "")

    monkeypatch.setattr(library, "_run", run)
    monkeypatch.setenv("CC", f"cc {flag} -g")
    assert library.target(library.compiler() or []) == ((), "macros")
    assert not any(word.startswith("-m") for word in asked[0])


def test_a_blank_cc_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "  ")
    assert library.compiler()


def test_where_nothing_may_run_the_next_folder_is_tried(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noexec(path: str) -> ctypes.CDLL:
        if home in Path(path).parents:
            raise OSError(f"{path}: failed to map segment from shared object")
        return load(path)

    load = ctypes.CDLL
    monkeypatch.setattr(library.ctypes, "CDLL", noexec)
    assert library.load(SOURCE % 12).answer() == 12
    assert kept(home) == []
