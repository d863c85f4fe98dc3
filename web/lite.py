"""The course in JupyterLite: notebooks that run in a browser, from files that ask nobody.

JupyterLite and its kernel are the extra `lite`. Pyodide comes from npm, and what the kernel imports
from PyPI as wheels of pure Python, under the names that Pyodide's own lock has for them.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from web import pyodide
from web.packages import BUILD, ROOT, BuildError, own_wheel, wheels

IMPORTED = ("micropip", "ipython", "jedi", "packaging")  # by the kernel, in Pyodide's lock
COMM = "comm==0.2.3"  # by the kernel too, and not there
LOCK = "pyodide-lock.json"
SITE = BUILD / "lite"
KERNEL = {  # its settings: what is loaded before the first cell, and that nobody is asked
    "disablePyPIFallback": True,
    "loadPyodideOptions": {"packages": ["brickgrad", *IMPORTED]},
}


def build() -> Path:
    """Builds the site; its front page."""
    if not find_spec("jupyterlite_pyodide_kernel"):
        raise BuildError('there is no JupyterLite here: pip install -e ".[lite]"')
    began = time.perf_counter()
    source = BUILD / "lite_source"
    for folder in (source, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    kept = shutil.ignore_patterns(".*", "*.json")  # what a learner's runs left there
    shutil.copytree(ROOT / "notebooks", source / "files", ignore=kept)
    with_packages(source / "static" / "pyodide")
    settings = {"@jupyterlite/pyodide-kernel-extension:kernel": KERNEL}
    config = {"appName": "brickgrad", "exposeAppInBrowser": True, "litePluginSettings": settings}
    written = {"jupyter-lite-schema-version": 0, "jupyter-config-data": config}
    (source / "jupyter-lite.json").write_text(json.dumps(written), encoding="utf-8")
    command = [sys.executable, "-m", "jupyterlite_core", "build", "--no-libarchive"]
    places = ["--lite-dir", str(source), "--contents", str(source / "files")]
    done = subprocess.run(
        [*command, *places, "--output-dir", str(SITE)],
        check=False,
        cwd=source,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BuildError(f"JupyterLite ended with {done.returncode}: {done.stdout}{done.stderr}")
    size = sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file())
    print(f"{size / 1e6:.0f} MB, {time.perf_counter() - began:.0f} s")
    return SITE / "lab" / "index.html"


def with_packages(folder: Path) -> None:
    """Copies Pyodide to a folder, with the packages of `IMPORTED`, ours, and a lock of them."""
    shutil.copytree(pyodide.folder(), folder, ignore=shutil.ignore_patterns("*.map", "*.html"))
    lock = json.loads((folder / LOCK).read_text(encoding="utf-8"))
    entries = {}
    for name, entry, wheel in locked(lock["packages"]):
        shutil.copy(wheel, folder)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        entries[name] = {**entry, "file_name": wheel.name, "sha256": digest}
    (folder / LOCK).write_text(json.dumps({**lock, "packages": entries}), encoding="utf-8")


def locked(packages: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], Path]]:
    """What the kernel needs of the packages of a lock, and ours: names, entries, wheels."""
    names = list(IMPORTED)
    for name in names:  # which grows
        needs = (need.replace("_", "-") for need in packages[name]["depends"])
        names += [need for need in needs if need not in names]
    for name in names:
        entry = packages[name]
        (wheel,) = wheels([f"{entry['name']}=={entry['version']}"], pyodide.PYTHON)
        yield name, entry, wheel
    added = [own_wheel(), *wheels([pyodide.GRAPHVIZ, COMM], pyodide.PYTHON)]
    for wheel in added:
        name, version, *_ = wheel.name.split("-")
        depends = [other.name.split("-")[0] for other in added[1:]] if wheel is added[0] else []
        own = {"name": name, "version": version, "imports": [], "depends": depends}
        yield name, {**packages["packaging"], **own}, wheel
