"""A notebook of the course as it runs in JupyterLite: what came out, when, and who was asked."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from benchmarks.browser import FLAGS, program
from web.lite import SITE

READY = """async name => {
  const { jupyterapp } = window;
  await jupyterapp.restored;
  const widget = await jupyterapp.commands.execute('docmanager:open', { path: name });
  await widget.context.ready;
  await widget.sessionContext.ready;
}"""
RUN = """async () => {
  const { commands, shell } = window.jupyterapp;
  await commands.execute('notebook:run-all-cells');
  return shell.currentWidget.content.model.toJSON().cells;
}"""
FIRST = """() => {
  const cells = window.jupyterapp?.shell.currentWidget?.content.model.toJSON().cells ?? [];
  return cells.some(cell => cell.outputs?.length);
}"""


class Visited(NamedTuple):
    """The cells of a notebook after its run, seconds until its first output, and addresses."""

    cells: list[dict[str, Any]]
    first: float
    seconds: float
    asked: set[str]


class _Quiet(SimpleHTTPRequestHandler):
    def guess_type(self, path: Any) -> str:
        """As browsers ask for it, whatever this machine says."""
        kinds = {".mjs": "text/javascript", ".wasm": "application/wasm"}
        return kinds.get(Path(path).suffix) or super().guess_type(path)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Inside, the address of a folder on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def visited(browser: Any, address: str, name: str, limit: float) -> tuple[Any, Visited]:
    """Opens a notebook in a new page, and runs it to its end; the page stays open.

    TimeoutError of Playwright after `limit` seconds.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(1000 * limit)
    asked: set[str] = set()
    context.on("request", lambda request: asked.add(request.url))
    page = context.new_page()
    began = time.perf_counter()
    page.goto(f"{address}lab/index.html")
    page.wait_for_function("window.jupyterapp")
    page.evaluate(READY, name)
    running = page.evaluate_handle(f"() => ({{ cells: ({RUN})() }})")
    page.wait_for_function(FIRST)
    first = time.perf_counter() - began
    cells = running.evaluate("running => running.cells")
    return page, Visited(cells, first, time.perf_counter() - began, asked)


def first_output(name: str = "00_build_value.ipynb") -> tuple[float, float]:
    """Seconds from opening a notebook of the built site to its first output, and its MB."""
    from playwright.sync_api import sync_playwright

    with served(SITE) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=FLAGS)
        _, run = visited(browser, address, name, limit=120)
        browser.close()
    return run.first, sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file()) / 1e6
