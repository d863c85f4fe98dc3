"""Steps of training in a web page: this checkout in Pyodide, in Chromium."""

import io
import json
import shutil
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import browser
from benchmarks.turns import Measured, Step
from benchmarks.works import MADE, SIZE, STEP
from web import lite, playground, pyodide
from web.packages import ROOT, wheels
from web.visited import first_output, served

NEEDS = f"{browser.NEEDS}, and npm"
PAGE = """<!doctype html><title>brickgrad in a page</title><script type="module">
  import { loadPyodide } from "./pyodide.mjs";
  const python = await loadPyodide();
  for (const name of ["graphviz.zip", "brickgrad.zip"])
    python.unpackArchive(await (await fetch(name)).arrayBuffer(), "zip", { extractDir: "." });
  window.python = python;
</script>"""
ASKED = "import json; from benchmarks.inside import figures; json.dumps(figures(%r))"


def steps(work: str, _: Any) -> Step:
    """How many times as fast as in Python a step is as WebAssembly; beside it eager, and making."""

    def step(number: int) -> Measured:
        taken = {name: 1000 * seconds for name, seconds in _figures(work).items()}
        eager, python, wasm, making = (taken[k] for k in ("eager", "python", "wasm", "making"))
        note = (
            f"eager {eager:,.1f} ms a step, Python {python:,.2f}, WebAssembly {wasm:.3f}; "
            f"made in {making:.0f} ms"
        )
        return Measured([], python / wasm, note, {STEP: wasm, MADE: making})

    return step


def playing(_: Any) -> Step:
    """Seconds from opening the playground to its first output, and its size."""
    path = playground.build()

    def step(number: int) -> Measured:
        seconds, size = browser.first_output(path)
        return Measured([], seconds, "", {SIZE: size / 1e6})

    return step


def in_lite(_: Any) -> Step:
    """Seconds from opening a notebook of the course to its first output."""
    lite.build()

    def step(number: int) -> Measured:
        seconds, size = first_output()
        return Measured([], seconds, f"a site of {size:.0f} MB")

    return step


def _figures(work: str) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        _laid(Path(folder))
        with served(Path(folder)) as address:
            program = playwright.chromium.launch(
                executable_path=browser.program(), args=browser.FLAGS
            )
            page = program.new_page()
            page.set_default_timeout(300_000)
            page.goto(address)
            page.wait_for_function("window.python")
            found = page.evaluate("text => window.python.runPython(text)", ASKED % work)
            program.close()
    figures: dict[str, float] = json.loads(found)
    return figures


def _laid(folder: Path) -> None:
    """Pyodide, what it needs, and this checkout, with a page that loads them."""
    shutil.copytree(pyodide.folder(), folder, dirs_exist_ok=True)
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    (graphviz,) = wheels([pyodide.GRAPHVIZ], pyodide.PYTHON)
    shutil.copy(graphviz, folder / "graphviz.zip")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("engine", "nn", "benchmarks"):
            for path in sorted((ROOT / part).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.write(path, path.relative_to(ROOT))
    (folder / "brickgrad.zip").write_bytes(packed.getvalue())
