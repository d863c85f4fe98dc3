"""A Chromium for tests: Debian's, or the one that Playwright installs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
NAMES = ("chromium", "chromium-browser", "google-chrome")
PLAYWRIGHT = 'no Playwright: pip install -e ".[browser]"'
CHROMIUM = "no Chromium: apt-get install chromium, or: playwright install chromium"


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser of a test, which is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason=PLAYWRIGHT)
    with api.sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        path = next(filter(None, map(shutil.which, NAMES)), own if Path(own).exists() else None)
        if path is None:
            pytest.skip(CHROMIUM)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
