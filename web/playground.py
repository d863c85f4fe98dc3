"""The playground: one HTML file with an editor, Python and this project, that asks nobody.

It needs npm for the build alone; the page opens from disk or from any static host.
"""

import base64
import gzip
import json
import platform
import re
import subprocess
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from engine.pictures.page.page import in_script
from engine.pictures.page.page import text_of as shared
from web import pyodide
from web.packages import BUILD, BuildError, npm, own_wheel, wheels

INSIDE = ("__init__.py", "runner.py", "afresh.py", "errors.py")  # what runs in the page
HERE = Path(__file__).parent / "page"
NAME = "brickgrad-playground.html"
ESBUILD = "0.28.2"
EDITOR = {  # CodeMirror and what it needs, each at a version of its own
    "@codemirror/autocomplete": "6.20.4",
    "@codemirror/commands": "6.11.1",
    "@codemirror/lang-python": "6.2.1",
    "@codemirror/language": "6.13.1",
    "@codemirror/state": "6.7.6",
    "@codemirror/streamparser": "6.0.0",
    "@codemirror/view": "6.43.15",
    "@lezer/common": "1.5.5",
    "@lezer/highlight": "1.2.5",
    "@lezer/lr": "1.4.12",
    "@lezer/python": "1.1.19",
    "@marijn/find-cluster-break": "1.0.4",
    "crelt": "1.0.7",
    "style-mod": "4.1.5",
    "w3c-keyname": "2.2.8",
}
SCRIPTS = {**EDITOR, "pyodide": pyodide.VERSION}  # what the scripts of the page import
OPTIONS = (
    "--bundle",
    "--minify",
    "--charset=utf8",
    "--legal-comments=inline",
    "--log-level=error",
    "--define:import.meta.url=location.href",  # a worker from a blob is no module
    "--external:node:*",  # Pyodide asks for them under Node alone
    "--external:ws",
)
MOST_CODE = 100_000  # characters of a link, as link.js has it
POLICY = {
    "default-src": "'none'",
    # Frames take over this policy, and their pages have scripts and styles of their own.
    "script-src": "'unsafe-inline' 'wasm-unsafe-eval' blob:",
    "style-src": "'unsafe-inline'",
    "img-src": "blob: data:",
    "worker-src": "blob:",
    "base-uri": "'none'",
    "form-action": "'none'",
}
ESBUILDS = {  # by what Python calls the system and the processor
    ("Linux", "x86_64"): "linux-x64",
    ("Linux", "aarch64"): "linux-arm64",
    ("Darwin", "x86_64"): "darwin-x64",
    ("Darwin", "arm64"): "darwin-arm64",
    ("Windows", "AMD64"): "win32-x64",
    ("Windows", "ARM64"): "win32-arm64",
}
EXAMPLE = re.compile(r"^## ([^\n]+)\n\n(.*?)\n\n```python\n(.*?)^```$", re.M | re.S)


def build() -> Path:
    """The playground as it stands now, in `build/`.

    Raises BuildError where a package cannot be had, or the scripts cannot be bundled.
    """
    path = BUILD / NAME
    page = filled((HERE / "playground.html").read_text(encoding="utf-8"), _parts())
    path.write_text(page, encoding="utf-8")
    return path


def link(code: str, base: str = NAME) -> str:
    """An address that opens the playground with this code; nothing runs before Run is pressed.

    ValueError for more code than a link holds.

    >>> link("1 + 1", "there.html")[:16]
    'there.html#code='
    """
    if len(code) > MOST_CODE:
        raise ValueError(
            f"a link holds {MOST_CODE:,} characters of code, got {len(code):,}: save it as a file"
        )
    deflate = zlib.compressobj(level=9, wbits=-15)
    packed = deflate.compress(code.encode()) + deflate.flush()
    return f"{base}#code={base64.urlsafe_b64encode(packed).decode().rstrip('=')}"


class Example(NamedTuple):
    """A program of the list, and what to see and to try in it."""

    name: str
    words: list[str]
    code: str


def examples() -> list[Example]:
    """The programs of the list, in its order."""
    text = (HERE / "examples.md").read_text(encoding="utf-8")
    return [
        Example(name, [" ".join(words.split()) for words in about.split("\n\n")], code.rstrip())
        for name, about, code in EXAMPLE.findall(text)
    ]


def filled(template: str, parts: dict[str, str]) -> str:
    """A template with each `{{name}}` replaced by its part."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _parts() -> dict[str, str]:
    folder = pyodide.folder()
    lock = json.loads((folder / "pyodide-lock.json").read_text(encoding="utf-8"))
    runner = {
        "sources": {name: (HERE.parent / name).read_text(encoding="utf-8") for name in INSIDE},
        "lock": {"info": lock["info"], "packages": {}},
    }
    parts = [
        _json("examples", [example._asdict() for example in examples()]),
        _json("runner", runner),
        _bytes("worker", gzip.compress(bundled("worker.js", "iife").encode(), 9, mtime=0)),
        _bytes("wasm", gzip.compress((folder / "pyodide.asm.wasm").read_bytes(), 9, mtime=0)),
        _bytes("library", (folder / "python_stdlib.zip").read_bytes()),
    ]
    parts += [
        _bytes(wheel.name, wheel.read_bytes(), 'data-kind="wheel" ')
        for wheel in (own_wheel(), *wheels([pyodide.GRAPHVIZ], pyodide.PYTHON))
    ]
    return {
        "policy": "; ".join(f"{name} {allowed}" for name, allowed in POLICY.items()),
        "style": shared("base.css") + (HERE / "playground.css").read_text(encoding="utf-8"),
        "script": bundled("page.js", "esm"),
        "parts": "\n".join([*parts, _licences()]),
    }


def _licences() -> str:
    """What others have written in this page, and on which terms."""
    texts = []
    for name, version in SCRIPTS.items():
        folder = npm(name, version)
        about = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        terms = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("LICENSE*"))]
        source = about.get("repository", {})
        where = source if isinstance(source, str) else source.get("url", "")
        texts.append("\n".join([f"{name} {version}: {about['license']}, {where}", *terms]))
    return _json("licences", texts)


def _json(name: str, content: Any) -> str:
    return f'<script type="application/json" id="{name}">{in_script(content)}</script>'


def _bytes(name: str, content: bytes, kind: str = "") -> str:
    letters = base64.b64encode(content).decode()
    return f'<script type="text/plain" {kind}id="{name}">{letters}</script>'


def bundled(name: str, form: str) -> str:
    """A script of the page with all that it imports, as one that can stand inside of HTML."""
    system = platform.system(), platform.machine()
    if system not in ESBUILDS:
        raise BuildError(f"esbuild is not taken here for {' '.join(system)}: see ESBUILDS")
    package = npm(f"@esbuild/{ESBUILDS[system]}", ESBUILD)
    program = package / ("esbuild.exe" if system[0] == "Windows" else "bin/esbuild")
    aliases = [f"--alias:{name}={npm(name, version)}" for name, version in SCRIPTS.items()]
    command = [str(program), str(HERE / name), f"--format={form}", *aliases, *OPTIONS]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        raise BuildError(f"esbuild cannot bundle {name}:\n{done.stderr}")
    return re.sub(r"</(?=script)", r"<\\/", done.stdout, flags=re.I)
