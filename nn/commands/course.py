"""The commands of a course: its notebooks in a folder, pages for a class, worksheets to print."""

import argparse
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from engine.files import write
from engine.pictures.texts import many, visible
from nn.commands.said import WRONG, program, to_open
from nn.exercise import progress
from nn.pages.walks import WalkPage, fog_page, race_page
from nn.wording import typed
from nn.worksheet import worksheet

HERE = Path(__file__).parents[1]
PLACES = (HERE / "notebooks", HERE.parent / "notebooks")  # of a wheel, of a clone
PAGES: dict[str, Callable[[], WalkPage]] = {"fog": fog_page, "race": race_page}
KINDS = ("*.ipynb", "*.csv")


def course(options: argparse.Namespace) -> int:
    """Copies the notebooks to a folder and opens them there; or says what is done of them."""
    folder = Path(options.folder)
    if options.progress:
        if not folder.is_dir():
            begin = f"{program()} course {typed(options.folder)}"
            raise ValueError(f"there is no folder {folder}: begin with {begin}")
        print(progress(folder))
        return 0
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"expected a folder, got the file {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    new, changed = copied(folder)
    print(f"{folder}: {many(len(new), 'file')} copied" if new else f"{folder}: nothing to copy")
    if changed:
        names = ", ".join(changed)
        print(f"Left as you changed them: {names}. Delete one to get it as it was.")
    if find_spec("jupyterlab") and not options.no_open:
        return open_lab(folder)
    install = (
        'install JupyterLab, pip install "brickgrad[notebook]" (in a clone: '
        'pip install -e ".[notebook]"), then: '
    )
    needs = "" if find_spec("jupyterlab") else install
    print(f"To open them: {needs}jupyter lab {typed(options.folder)}")
    return 0


def notebooks() -> list[Path]:
    """The notebooks that came with brickgrad, and the files that they read."""
    for place in PLACES:
        if found := sorted(path for kind in KINDS for path in place.glob(kind)):
            return found
    raise ValueError("the notebooks are not installed: they are in brickgrad's repository")


def copied(folder: Path) -> tuple[list[str], list[str]]:
    """Copies what is not there; which files those were, and which are there and differ."""
    new, changed = list[str](), list[str]()
    for path in notebooks():
        content, target = path.read_bytes(), folder / path.name
        if not target.exists():
            write(target, content)
            new.append(path.name)
        elif target.read_bytes() != content:
            changed.append(path.name)
    return new, changed


def open_lab(folder: Path) -> int:
    """Runs JupyterLab until it ends; Ctrl-C is for it to answer, which asks before it ends."""
    print("Opening JupyterLab; Ctrl-C ends it.", flush=True)
    lab = subprocess.Popen([sys.executable, "-m", "jupyterlab"], cwd=folder)
    try:
        while lab.poll() is None:
            with suppress(KeyboardInterrupt):
                lab.wait()
    finally:
        lab.terminate()
    return WRONG if lab.returncode else 0


def write_worksheet(options: argparse.Namespace) -> int:
    """Writes the worksheet of a page, and its answers, beside it."""
    page = Path(options.page)
    names = [page.with_name(f"{page.stem}-{what}.html") for what in ("worksheet", "answers")]
    for name, text in zip(names, worksheet(page), strict=True):
        write(name, text)
    print(visible("To print: {}; with the answers: {}".format(*names)))
    return 0


def write_page(options: argparse.Namespace) -> int:
    """Writes a page with sliders for a class."""
    out = Path(options.out or f"{options.name}.html")
    opening = to_open(out)
    PAGES[options.name]().save(out)
    print(visible(opening))
    return 0
