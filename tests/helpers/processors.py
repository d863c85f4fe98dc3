"""Processors that this machine may not be: code for them is compiled, and run where it can."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.replay.backends import library

LANES = {"x86-64": 2, "x86-64-v3": 4, "x86-64-v4": 8, "arm64": 2}
NEEDS = {  # what gcc calls the most telling abilities
    "x86-64": [],
    "x86-64-v3": ["avx2", "bmi2", "fma"],
    "x86-64-v4": ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"],
}
CROSS = "aarch64-linux-gnu-gcc"


@pytest.fixture(params=LANES)
def processor(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A processor that the compiler makes code for; a test ends as skipped where it would run."""
    name = str(request.param)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    here = " ".join(library.compiler() or [])
    if platform.machine() in ("arm64", "aarch64") and name == "arm64":
        return name
    if name == "arm64":
        if not can_cross():
            pytest.skip(f"{CROSS} or its C library is not installed: nothing compiled for arm64")
        monkeypatch.setenv("CC", CROSS)
    else:
        flag = f"-march={name.replace('-', '_') if 'ziglang' in here else name}"
        monkeypatch.setenv("CC", f"{here} {flag[: len('-march=x86-64')]}")
        try:
            library.target(library.compiler() or [])
        except RuntimeError:
            pytest.skip(f"{here} makes no code for {name}")
        is_here = has(NEEDS[name])
        monkeypatch.setenv("CC", f"{here} {flag}")
        if is_here:
            return name

    def made(path: Path, *_: object) -> None:
        assert path.stat().st_size > 1000
        pytest.skip(f"compiled for {name}, not run: this processor is not known to run it")

    monkeypatch.setattr(library, "_opened", made)
    return name


def can_cross() -> bool:
    if not shutil.which(CROSS):
        return False
    command = [CROSS, "-x", "c", "-fsyntax-only", "-"]
    said = subprocess.run(
        command, input="#include <math.h>", text=True, capture_output=True, check=False
    )
    return said.returncode == 0


def has(abilities: list[str]) -> bool:
    """Whether this processor, and the system on it, can do all of this."""
    asked = "".join(f' && __builtin_cpu_supports("{ability}")' for ability in abilities)
    source = f"int runs(void) {{ __builtin_cpu_init(); return 1{asked}; }}"
    return bool(library.load(source).runs())
