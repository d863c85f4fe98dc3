"""What the page of a training step takes in Chromium, driven by Playwright."""

import importlib.util
import shutil
import time
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.turns import Measured, Step
from engine.pictures.story.watchable import Watchable
from nn.loss import mse
from nn.module import MLP
from nn.optim import SGD
from nn.watch import watch

NEEDS = "Playwright with Chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
NAMES = ("chromium", "chromium-browser", "google-chrome")
OPENED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
STEPPED = """async () => {
  const times = [];
  for (let n = 0; n < 5; n++) await new Promise(requestAnimationFrame);  // the page is painted
  for (const key of ['ArrowRight', 'ArrowLeft']) for (let n = 0; n < 100; n++) {
    const start = performance.now();
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    document.body.getBoundingClientRect();  // the browser has to lay out what changed
    times.push(performance.now() - start);
  }
  return times;
}"""


def program() -> str | None:
    """Debian's Chromium or the like, else the one that Playwright installed, or None."""
    if importlib.util.find_spec("playwright") is None:
        return None
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            own = playwright.chromium.executable_path
        found = own if Path(own).exists() else None
    return found


def small() -> Watchable:
    """A training step of an MLP 2-8-8-1."""
    return _step(2, [8, 8, 1])


def large() -> Watchable:
    """A training step of an MLP 16-16-16-1."""
    return _step(16, [16, 16, 1])


def wrong() -> Watchable:
    """A training step beside one with a mistake, of an MLP 2-8-1."""
    return _step(2, [8, 1], mistake="forgotten zero_grad")


def opening(made: Any, _: Any) -> Step:
    """How long the page takes until all of it is there, in milliseconds."""
    watched = made()

    def step(number: int) -> Measured:
        amount = _in_browser(watched, OPENED)
        return Measured([], amount, f"{len(watched.html) / 1000:,.0f} kB")

    return step


def stepping(made: Any, _: Any) -> Step:
    """What 95 of 100 presses of an arrow key stay below, layout included, in milliseconds."""
    watched = made()

    def step(number: int) -> Measured:
        times = _in_browser(watched, STEPPED)
        note = f"{len(times)} steps: median {median(times):.1f}, slowest {max(times):.1f}"
        return Measured([], quantiles(times, n=20)[-1], note)

    return step


def first_output(path: Path) -> tuple[float, int]:
    """Seconds from opening the playground to the picture of its first example, and its bytes.

    Run is pressed as soon as the page is there: Python starts first.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=FLAGS)
        page = browser.new_page()
        began = time.perf_counter()
        page.goto(path.as_uri())
        page.locator("#run").click()
        page.locator("#results img").wait_for(timeout=120_000)
        seconds = time.perf_counter() - began
        browser.close()
    return seconds, path.stat().st_size


def _step(nin: int, nouts: list[int], **options: Any) -> Watchable:
    net = MLP(nin, nouts, "tanh", seed=0)
    example = [0.1 * (n + 1) for n in range(nin)], 0.5
    found: Watchable = watch(net, mse, example, SGD(net.parameters(), lr=0.1), **options)
    return found


def _in_browser(watched: Watchable, script: str) -> Any:
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = watched.save(Path(folder) / "step.html")
        browser = playwright.chromium.launch(executable_path=program(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.goto(path.as_uri())
        found = page.evaluate(script)
        browser.close()
        return found
