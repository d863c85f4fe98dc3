"""Packages of npm and PyPI, fetched by name and version, and the project's own wheel.

They lie in `build/packages`, are fetched once, and none is committed.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
PACKAGES = BUILD / "packages"


class BuildError(RuntimeError):
    """What is missing here, and what to do."""


def npm(name: str, version: str) -> Path:
    """The folder of an npm package, without what it depends on and without its scripts run.

    Raises BuildError where npm is missing or does not have it.
    """
    folder = PACKAGES / f"{name.replace('/', '-').lstrip('@')}-{version}"
    if not folder.exists():
        with tempfile.TemporaryDirectory() as room:
            packed = ["npm", "pack", "--silent", "--pack-destination", room, f"{name}@{version}"]
            _run(packed, "install Node with npm (Debian: apt-get install nodejs npm)")
            (archive,) = Path(room).glob("*.tgz")
            with tarfile.open(archive) as tar:
                tar.extractall(room, filter="data")
            _settle(Path(room) / "package", folder)
    return folder


def wheels(requirements: Sequence[str], python: str) -> list[Path]:
    """Wheels of pure Python, as the version of Python takes them, and not what they depend on.

    Raises BuildError where PyPI does not have one.
    """
    folder = PACKAGES / "wheels"
    found: list[Path] = []
    for requirement in requirements:
        own = folder / requirement.replace("==", "-")
        if not own.exists():
            with tempfile.TemporaryDirectory() as room:
                pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
                pure = ["--only-binary", ":all:", "--python-version", python]
                _run([*pip, *pure, "--dest", f"{room}/got", requirement], "see what pip says above")
                _settle(Path(room) / "got", own)
        found += own.glob("*.whl")
    return found


def own_wheel() -> Path:
    """The wheel of this project as it stands now."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as room:  # two may build at once
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        _run([*pip, "--wheel-dir", room, str(ROOT)], "see what pip says above")
        (wheel,) = Path(room).glob("brickgrad-*.whl")
        return wheel.replace(BUILD / wheel.name)


def _run(command: Sequence[str], advice: str) -> None:
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        raise BuildError(f"there is no {command[0]} here: {advice}") from None
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{' '.join(command)} ended with {error.returncode}: {advice}") from None


def _settle(made: Path, folder: Path) -> None:
    """Puts a folder in its place at once, so that a half of one never stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    near = Path(tempfile.mkdtemp(dir=folder.parent))
    shutil.copytree(made, near, dirs_exist_ok=True)
    try:
        near.rename(folder)
    except OSError:  # somebody else was quicker
        shutil.rmtree(near)
