"""A Chromium for tests: Debian's, or the one that Playwright installs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmarks.browser import FLAGS, program

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
