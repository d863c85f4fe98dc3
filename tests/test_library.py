"""The cache of compiled libraries: private, checked, and useful after any accident."""

import ctypes
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine import backends
from engine.backends import library
from engine.replay import replay
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

    def watched(command: list[str]) -> "subprocess.CompletedProcess[str]":
        if "-shared" in command:
            seen.append(command)
        return run(command)

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


def test_a_damaged_library_is_compiled_again(home: Path, commands: list[list[str]]) -> None:
    library.load(SOURCE % 6)
    (path,) = kept(home)
    whole = path.read_bytes()
    path.unlink()  # the one that is loaded keeps its bytes
    path.write_bytes(whole[: len(whole) // 2])
    assert library.load(SOURCE % 6).answer() == 6
    assert len(commands) == 2
    assert len(kept(home)[0].read_bytes()) > len(whole) // 2


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


JUNK = "for a; do case $before in -o) made=$a;; esac; before=$a; done; echo junk > $made"


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
    w = Value(2.0)
    step = replay(lambda xs: sum(w * x for x in xs))
    step([1.0, 2.0])
    if broken == "not a script":
        Path(script(home, "")).write_bytes(b"\x00\x01")
        broken = str(home / "broken")
    elif " " in broken and "cc" not in broken and "nobody" not in broken:
        broken = script(home, broken)
    monkeypatch.setenv("CC", broken)
    monkeypatch.setattr(backends, "COMPILING", (0.0, 0.0))
    with pytest.raises(RuntimeError, match=message):
        replay(lambda x: w * x, backend="c")(1.0)
    for _ in range(3):
        total = step([1.0, 2.0])
    total.backward()
    assert (total.data, w.grad, step.backend) == (6.0, 3.0, "python")
    assert kept(home) == []


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
