"""Builds the packages, and tries them in clean environments: `python -m tests.packages [ROW...]`.

A row is a version of Python, which gets the wheel and runs the quick tests of the sdist, or an
extra, which is installed alone and does the one thing that it is for. Without rows it takes all:
that is an hour on two cores, and many downloads: PyTorch for Linux alone takes 5 GB.
"""

import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Mapping
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SHOWN = 25  # last lines of what a failing command said
LEAST = 11  # of Python 3
NET = "from nn import MLP, load, save; net = MLP(2, [3, 1], 'tanh', seed=0)"
DESCENT = "from nn import gradient_descent, mse; from nn.data import xor; gradient_descent(net, mse"
REPLAYED = (
    "from engine import Value, replay; w = Value(2.0); assert replay(lambda x: w * x, backend"
)

Command = tuple[str, ...]


class Row(NamedTuple):
    """One environment: what is installed with the wheel, and the commands that have to work there.

    The first word of a command is a program of the environment. `alone` run in an empty folder,
    where only what is installed can be found; `in_sdist` where the sdist was unpacked.
    """

    extra: str
    alone: tuple[Command, ...] = ()
    in_sdist: tuple[Command, ...] = ()
    variables: Mapping[str, str] = {}


def program(text: str) -> tuple[Command, ...]:
    """One command: a program of Python, given as its text."""
    return (("python", "-c", text),)


DEMO = (("brickgrad", "--version"), ("brickgrad", "demo"))
QUICK = (("python", "-m", "pytest", "-q", "-rfE", "-n", "1", "-p", "no:cacheprovider"),)
EXTRAS = {
    "plot": Row("plot", program("from nn import chart; chart.bars({'a': 1}).save('chart.svg')")),
    "progress": Row("progress", program(f"import tqdm; {NET}; {DESCENT}, xor(), progress=True)")),
    "numpy": Row("numpy", program(f"{REPLAYED}='numpy')(3.0).data == 6.0")),
    "wasm": Row("wasm", program(f"{REPLAYED}='wasm')(3.0).data == 6.0")),
    "native": Row(
        "native",
        program(f"{REPLAYED}='c')(3.0).data == 6.0"),
        variables={"PATH": "", "CC": ""},  # no compiler but that of the extra
    ),
    "data": Row(
        "data",
        program(
            "from nn.estimators import NetClassifier; from sklearn.datasets import load_iris;"
            " net = NetClassifier(random_state=0).fit(*load_iris(return_X_y=True));"
            " assert net.score(*load_iris(return_X_y=True)) > 0.9"
        ),
    ),
    "torch": Row(
        "torch",
        program(
            f"{NET}; from nn import from_torch, to_torch;"
            " assert from_torch(to_torch(net)).state_dict() == net.state_dict()"
        ),
    ),
    "safetensors": Row(
        "safetensors",
        program(
            f"{NET}; save(net, 'm.safetensors');"
            " assert load('m.safetensors').state_dict() == net.state_dict()"
        ),
    ),
    "dask": Row(
        "dask",
        program(
            "import json; from nn import sweep; from distributed import Client;"
            " client = Client(processes=False, dashboard_address=None);"
            " done = sweep({'s': ['{\"loss\": 1}']}, json.loads, executor=client.get_executor());"
            " client.close(); assert done.rows[0]['loss'] == 1"
        ),
    ),
    "parallel": Row(
        "parallel",
        program(
            "import json; from nn import sweep;"
            " from joblib.externals.loky import get_reusable_executor as pool;"
            " done = sweep({'s': ['{\"loss\": 1}']}, json.loads, executor=pool(1));"
            " assert done.rows[0]['loss'] == 1"
        ),
    ),
    "notebook": Row(
        "notebook",
        (
            ("brickgrad", "course", "--no-open", "course"),
            ("jupyter", "execute", "course/00_build_value.ipynb"),
            ("jupyter", "lab", "--version"),
        ),
    ),
    "docs": Row("docs", in_sdist=(("python", "-m", "web", "docs"),)),
    "lite": Row("lite", in_sdist=(("python", "-m", "web", "lite"),)),
    "browser": Row(
        "browser",
        program(
            "import axe_playwright_python; from playwright.sync_api import sync_playwright;"
            " sync_playwright().start().stop()"
        ),
    ),
    "oracle": Row("oracle", program("import onnx, onnxscript, safetensors.torch, torch")),
    "bench": Row("bench", in_sdist=(("python", "-m", "benchmarks", "--quick", "--only", "W1"),)),
    "dev": Row("dev", in_sdist=(("ruff", "check", "--no-cache"), ("mypy",))),
}


class Tried(NamedTuple):
    """What came of a row: seconds to install and to run, and the end of what went wrong."""

    row: str
    installing: float
    running: float
    wrong: str


def pythons() -> dict[str, str]:
    """Each version of Python from 3.11 on that is here: on the path, or pyenv's, or uv's."""
    managed = (".pyenv/versions/*/bin", ".local/share/uv/python/*/bin")
    folders = [*map(Path, os.get_exec_path()), *chain.from_iterable(map(Path.home().glob, managed))]
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    for folder in folders:
        for file in folder.glob("python3.*"):
            version = re.fullmatch(r"python3\.(\d+)(\.exe)?", file.name)
            name = version and f"3.{version[1]}"
            if name and int(version[1]) >= LEAST and name not in found and makes_venvs(file):
                found[name] = str(file)
    return found


def makes_venvs(python: Path) -> bool:
    """Whether it is a Python that can make environments, and no shim for one that is not set."""
    asked = [str(python), "-c", "import ensurepip, ssl, venv"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def environment(folder: Path, python: str, *packages: str) -> Path:
    """A new environment with these packages; the folder of its programs."""
    run([python, "-m", "venv", str(folder)], folder.parent)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    run([str(programs / "python"), "-m", "pip", "install", "--quiet", *packages], folder.parent)
    return programs


def run(command: Iterable[str], folder: Path, **variables: str) -> None:
    """Runs a command, which sees nothing of this checkout; CalledProcessError where it fails."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [*command],
        check=True, cwd=folder, env={**clean, **variables},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def build(room: Path) -> tuple[Path, Path]:
    """The wheel, made from the sdist, and the folder of the unpacked sdist."""
    programs = environment(room / "builder", sys.executable, "build")
    made = room / "dist"
    run([str(programs / "python"), "-m", "build", "--outdir", str(made), str(ROOT)], room)
    (wheel,), (archive,) = made.glob("*.whl"), made.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(room / "sdist", filter="data")
    (sdist,) = (room / "sdist").iterdir()
    return wheel, sdist


def tried(name: str, row: Row, python: str, wheel: Path, sdist: Path) -> Tried:
    """Makes an environment for a row, and runs its commands there."""
    times, wrong = [time.perf_counter()], ""
    with TemporaryDirectory() as place:
        room, empty = Path(place), Path(place, "empty")
        empty.mkdir()
        try:
            programs = environment(room / "venv", python, f"{wheel}[{row.extra}]")
            times.append(time.perf_counter())
            for folder, commands in ((empty, row.alone), (sdist, row.in_sdist)):
                for first, *words in commands:
                    run([str(programs / first), *words], folder, **row.variables)
        except (subprocess.CalledProcessError, OSError) as error:
            wrong = said(error)
        times.append(time.perf_counter())
    installing, *running = (after - before for before, after in pairwise(times))
    return Tried(name, installing, sum(running), wrong)


def said(error: subprocess.CalledProcessError | OSError) -> str:
    """What failed, and the last lines of what it said."""
    if isinstance(error, OSError):
        return str(error)
    return "\n".join([" ".join(error.cmd), *str(error.output).splitlines()[-SHOWN:]])


def rows() -> dict[str, tuple[Row, str]]:
    """Every row by its name, with the Python that it is for."""
    versions = {name: (Row("dev", DEMO, QUICK), python) for name, python in pythons().items()}
    return versions | {name: (row, sys.executable) for name, row in EXTRAS.items()}


def main(names: list[str]) -> int:
    """Tries the rows of these names, or all; 1 where one fails, 2 where there is no such row."""
    known = rows()
    if unknown := set(names) - known.keys():
        print(f"no row {min(unknown)!r}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    failed = False
    with TemporaryDirectory() as room:
        try:
            wheel, sdist = build(Path(room))
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"the packages cannot be built: {said(error)}", file=sys.stderr)
            return 1
        print(f"{wheel.name}, {sdist.name}.tar.gz\n{'row':<12}    install        run", flush=True)
        for name in names or known:
            _, installing, running, wrong = tried(name, *known[name], wheel, sdist)
            seconds = f"{installing:>7.1f} s  {running:>7.1f} s"
            print(f"{name:<12}  {seconds}  {'FAILED' if wrong else 'works'}", flush=True)
            print("".join(f"    {line}\n" for line in wrong.splitlines()), end="", flush=True)
            failed = failed or bool(wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
