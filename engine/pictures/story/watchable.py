"""What is watched, on a page or in a terminal: events, and what is made of them."""

import json
import math
import sys
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from engine.pictures.drawing.picture import Picture
from engine.pictures.drawing.svg import svg
from engine.pictures.page.page import frame, page, saved

MOST_LINES = 1000  # in a terminal
HEIGHT = 720  # of the page in a notebook, in pixels


class Event(dict[str, Any]):
    """One thing that happens, as plain data; as a text, its line."""

    def __str__(self) -> str:
        return str(self["text"])


class Watchable(ABC):
    """What a notebook shows as a page, a terminal as a transcript, and `save` writes."""

    about = ""  # what the title of the page begins with, such as the row

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """All of it as plain data."""

    @abstractmethod
    def transcript(self) -> str:
        """All of it in lines, each with its number."""

    @property
    @abstractmethod
    def picture(self) -> Picture:
        """The graph with its numbers at the end of the backward pass."""

    @property
    @abstractmethod
    def still(self) -> Picture:
        """The same in few cards, for a page without scripts, where nothing opens or closes."""

    @property
    def script(self) -> str:
        """The recorded formulas that the page computes with, if it does."""
        return ""

    def to_json(self) -> str:
        """The plain data as JSON, in ASCII; nan and inf are the texts "nan", "inf" and "-inf"."""
        document = self.document()
        title = ": ".join(filter(None, (self.about, document["title"])))
        plain = _plain({**document, "title": title})
        return json.dumps(plain, separators=(",", ":"), allow_nan=False)

    @cached_property
    def html(self) -> str:
        """The page: one file that needs nothing else."""
        drawn, still = svg(self.picture, is_alone=False), svg(self.still, is_alone=False)
        return page(self.to_json(), drawn, still, repr(self), self.script)

    def save(self, path: str | Path) -> Path:
        """Writes the page, whole or not at all; ValueError unless the name ends in .html."""
        return saved(self.html, path)

    def play(self) -> None:
        """Prints one line after the other; Enter shows the next, b the one before, q ends it."""
        play(self.transcript().splitlines())

    def __repr__(self) -> str:
        lines = self.transcript().splitlines()
        if len(lines) > MOST_LINES:
            half = MOST_LINES // 2
            left_out = f"... {len(lines) - 2 * half:,} lines more in transcript() ..."
            lines = [*lines[:half], left_out, *lines[-half:]]
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """The page over a still picture, which is what stays where scripts are not trusted."""
        still = b64encode(svg(self.picture, is_alone=False).encode()).decode()
        title = self.picture.text.partition("\n")[0]
        fill = "position:absolute;top:0;left:0;width:100%;height:100%;border:0;background:white"
        return {
            "text/html": f'<div style="position:relative;height:{HEIGHT}px">'
            f'<img alt="{escape(title)}" style="max-width:100%;max-height:100%" '
            f'src="data:image/svg+xml;base64,{still}">'
            f"{frame(self.html, title, fill)}</div>",
            "text/plain": repr(self),
        }


def play(lines: Sequence[str]) -> None:
    """Prints lines one by one, waiting for Enter where somebody can press it."""
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        print("Enter shows the next line, b the one before, q ends.")
    n = 0
    while n < len(lines):
        try:
            answer = input(lines[n]).strip().lower()
        except EOFError:
            print("", *lines[n + 1 :], sep="\n")
            return
        except KeyboardInterrupt:
            print()
            return
        if not is_terminal:
            print()  # nobody's Enter ended the line
        if answer == "q":
            return
        n = max(n - 1, 0) if answer == "b" else n + 1


def _plain(thing: Any) -> Any:
    """The same with nan and inf as texts, which JSON can hold."""
    if isinstance(thing, float):
        return thing if math.isfinite(thing) else str(thing)
    if isinstance(thing, Mapping):
        return {key: _plain(part) for key, part in thing.items()}
    return list(map(_plain, thing)) if isinstance(thing, list | tuple) else thing
