"""A Chromium for tests: Debian's, or the one that Playwright installs; where a page of steps is."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmarks.browser import FLAGS, program
from engine.pictures.page.page import record_of

PLAYWRIGHT = 'no Playwright: pip install -e ".[browser]"'
CHROMIUM = "no Chromium: apt-get install chromium, or: playwright install chromium"


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser of a test, which is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason=PLAYWRIGHT)
    path = program()
    if path is None:
        pytest.skip(CHROMIUM)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def content(page: Any) -> Any:
    """The record of a page of steps."""
    return json.loads(record_of(page.content()))


def go(page: Any, position: int) -> None:
    """Moves such a page to an event, as its slider does."""
    page.evaluate(
        "n => { const time = document.getElementById('time');"
        " time.value = n; time.dispatchEvent(new Event('input')); }",
        position,
    )


def at(page: Any) -> int:
    """The event that such a page shows, counted from 1."""
    return int(page.locator("#count").inner_text().split()[1])
