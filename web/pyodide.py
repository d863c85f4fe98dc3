"""Pyodide, CPython for browsers, under Node: what belongs to it, and programs run in it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from web.packages import ROOT, BuildError, npm

VERSION = "314.0.7"
PYTHON = "3.14"  # that is in this Pyodide
GRAPHVIZ = "graphviz==0.21"
SCRIPT = Path(__file__).with_suffix(".mjs")


def folder() -> Path:
    """Where the npm package lies: its wasm, its standard library, its lock of packages."""
    return npm("pyodide", VERSION)


def run(program: Path, packages: Sequence[Path], *arguments: str) -> int:
    """Runs a file of Python in Pyodide, with wheels installed and this checkout at /brickgrad.

    What it prints goes to the terminal; its `sys.exit` is what this returns.
    """
    command = ["node", str(SCRIPT), str(folder()), str(ROOT), str(program)]
    try:
        done = subprocess.run([*command, *map(str, packages), "--", *arguments], check=False)
    except FileNotFoundError:
        raise BuildError("there is no node here: Debian: apt-get install nodejs npm") from None
    return done.returncode
