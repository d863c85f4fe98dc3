"""The site of the pages in `docs`: guides, notebooks as they ran, a gallery, the API."""

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from web import playground
from web.packages import BUILD, ROOT, BuildError

FRONT = "docs/index.html"
TO_FRONT = (
    f'<!doctype html><title>brickgrad</title><meta http-equiv="refresh" content="0; {FRONT}">'
)
NOT_RUN = ("-D", "nb_execution_mode=off")  # notebooks as they are stored, without outputs


def build() -> Path:
    """Builds the site, and says how large it is, how long that took, and where it leads to."""
    began = time.perf_counter()
    site = BUILD / "docs"
    pages = written(site, *beside(site))
    print("links to other sites, which nobody followed:", *sorted(outside(pages)), sep="\n  ")
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    print(f"{len(pages)} pages, {size / 1e6:.1f} MB, {time.perf_counter() - began:.0f} s")
    return site / "index.html"


def beside(site: Path) -> tuple[str, ...]:
    """Puts the playground beside the pages; gives the settings by which examples lead to it.

    Where it cannot be built (no npm, no network) it says so, and the site has no such links.
    """
    try:
        made = playground.build()
    except BuildError as error:
        print(f"no links to the playground: {error}", file=sys.stderr)
        return ()
    site.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made, site / playground.NAME)
    return "-D", f"playground={playground.NAME}"


def written(site: Path, *settings: str) -> dict[Path, "Page"]:
    """Writes the pages of the site to a folder, with settings of Sphinx, and reads them back.

    Warnings, and links that lead nowhere, are a BuildError.
    """
    if not find_spec("myst_nb"):
        raise BuildError('there is no MyST-NB here: pip install -e ".[docs]"')
    sphinx = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs"]
    places = ["-d", str(BUILD / "doctrees" / site.name), ".", str(site)]
    done = subprocess.run([*sphinx, *settings, *places], check=False, cwd=ROOT)
    if done.returncode:
        raise BuildError(f"Sphinx ended with {done.returncode}: see its warnings above")
    (site / "index.html").write_text(TO_FRONT, encoding="utf-8")
    ours = [path for path in site.rglob("*.html") if path.name != playground.NAME]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in ours}
    if astray := leading_nowhere(pages):
        raise BuildError("\n  ".join(["links lead nowhere:", *astray]))
    return pages


class Page(HTMLParser):
    """Where a page leads to, and the places in it that others can lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.to: set[str] = set()
        self.places = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One tag."""
        self.places |= {value for key, value in attrs if key in ("id", "name") and value}
        self.to |= {value for key, value in attrs if key in ("href", "src") and value}


def leading_nowhere(pages: Mapping[Path, Page]) -> list[str]:
    """The links inside a site that lead to no file, or to no place in a page."""
    astray = []
    for path, page in pages.items():
        for link in map(urlsplit, page.to):
            if link.scheme or link.netloc:
                continue
            target = (path.parent / unquote(link.path)).resolve() if link.path else path
            there = pages.get(target)
            if not target.exists() or (there and unquote(link.fragment) not in there.places):
                astray.append(f"{path.name} leads to {link.geturl()}")
    return astray


def outside(pages: Mapping[Path, Page]) -> set[str]:
    """The links that lead to other sites."""
    return {link for page in pages.values() for link in page.to if urlsplit(link).netloc}
