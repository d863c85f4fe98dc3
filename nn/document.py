"""A Chart: panels as one SVG document, in a notebook or a file."""

import math
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from html import escape
from os import PathLike
from pathlib import Path
from typing import NamedTuple, NoReturn, ParamSpec, TypeVar

from engine.files import write
from engine.pictures.drawing.looks import FONT
from engine.pictures.texts import clipped, many, short, visible
from nn.mark import PAINTS, Mark, paint
from nn.panel import (
    TEXT,
    WIDTH,
    Panel,
    drawn,
    height_above,
    height_below,
    width_of_panel,
)

P = ParamSpec("P")
R = TypeVar("R")

# What charts were as figures of matplotlib had, and what to write instead.
GONE = {
    "axes": "chart.panels has what is drawn",
    "ax": "nn.chart.beside(a, b) puts charts beside each other",
    "figsize": "it scales: save it and show it at any width",
    "dpi": "it scales: save it and show it at any width",
    "format": "save it by a name that ends in .svg",
    "gca": "chart.panels has what is drawn",
    "set_size_inches": "it scales: save it and show it at any width",
    "show": "end a cell of a notebook with it, or save('chart.svg') and open that",
    "subplots": "nn.chart.beside(a, b) puts charts beside each other",
    "suptitle": "give title=, x= and y= to the function that makes it",
    "tight_layout": "nothing overlaps, leave the call out",
}
NO_FIGURE = "it is SVG of our own, no figure of matplotlib"


def for_charts(function: Callable[P, R]) -> Callable[P, R]:
    """Refuses an argument that matplotlib knows, and says what to do instead."""

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs.keys() & GONE.keys():
            words = f"{function.__name__} has no {name}=: a Chart comes of it, and {NO_FIGURE}"
            raise TypeError(f"{words}; {GONE[name]}")
        return function(*args, **kwargs)

    return checked


@dataclass(frozen=True, eq=False, repr=False)
class Chart:
    """One or more panels, each a frame with what is drawn in it; a notebook shows them.

    `panels` has the numbers that are drawn. Side by side where there is room, else (and in a file)
    one below the other; in light or dark colours as the reader has set.
    """

    panels: tuple[Panel, ...]

    @cached_property
    def svg(self) -> str:
        """All panels, one below the other, as an SVG document of less than 200 kB."""
        return _document(self.panels, repr(self))

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        """Images, as Jupyter shows these also in a notebook that it does not trust."""
        tallest = Size(*map(max, zip(*map(_size, self.panels), strict=True)))
        images = "".join(_image(panel, tallest) for panel in self.panels)
        return f'<div style="{_columns(tallest.width)}">{images}</div>'

    def __repr__(self) -> str:
        return "\n".join(map(_told, self.panels))

    def save(self, path: str | PathLike[str]) -> Path:
        """Writes the file, whole or not at all; its name ends in .svg.

        OSError names it where it cannot be written. A browser opens it, and can print it.
        """
        if not isinstance(path, str | PathLike):
            raise TypeError(f"save expected the name of a file, 'chart.svg', got {path!r:.40}")
        path = Path(path)
        if path.suffix.lower() != ".svg":
            raise ValueError(
                f"a chart is saved as .svg, got {path.name!r}: choose a name ending in .svg; a "
                "browser opens it, and prints it as .pdf"
            )
        write(path, self.svg)
        return path

    def savefig(self, path: str | PathLike[str], **settings: object) -> None:
        """The same as `save`, by the name that it has in matplotlib."""
        for name in settings:
            what = GONE.get(name, "give it the name of the file alone")
            raise TypeError(f"savefig has no {name}= here: {NO_FIGURE}; {what}")
        self.save(path)

    def __getattr__(self, name: str) -> NoReturn:
        what = f": {NO_FIGURE}; {GONE[name]}" if name in GONE else ""
        raise AttributeError(f"a Chart has no {name!r}{what}", name=name, obj=self)


# --- the document --------------------------------------------------------------------------------


def _style() -> Iterator[str]:
    yield ":root.chart{color-scheme:light dark}"
    for name, (light, _) in PAINTS.items():
        yield f".chart-{name}{{color:{light};color:var(--chart-{name},{light})}}"
    light, _ = PAINTS["paper"]
    yield f".chart-edge{{stroke:{light};stroke:var(--chart-paper,{light})}}"
    dark = ";".join(f"--chart-{name}:{dark}" for name, (_, dark) in PAINTS.items())
    yield f"@media(prefers-color-scheme:dark){{:root.chart{{{dark}}}}}"


STYLE = "".join(_style())
LEAST, MOST = 360, 640  # pixels across, of a panel in a notebook


class Size(NamedTuple):
    """Of a panel: its width, and the heights above and below the top of its frame."""

    width: float
    above: float
    below: float


def _size(panel: Panel) -> Size:
    below = panel.height + height_below(panel)
    return Size(width_of_panel(panel), height_above(panel), below)


def _document(panels: Sequence[Panel], told: str, tallest: Size | None = None) -> str:
    """Panels in rows; one of a row of documents is as high as the tallest of them."""
    rows: list[list[Panel]] = []
    parts, y, room = list[str](), 0.0, 0.0
    for panel in panels:
        if room < width_of_panel(panel):
            rows.append([])
            room = WIDTH
        rows[-1].append(panel)
        room -= width_of_panel(panel)
    width = max(sum(map(width_of_panel, row)) for row in rows)
    for row in rows:
        x, (_, above, below) = 0.0, tallest or Size(*map(max, zip(*map(_size, row), strict=True)))
        for panel in row:
            parts += [f'<g transform="translate({x:g} {y:g})">', *drawn(panel, above), "</g>"]
            x += width_of_panel(panel)
        y += above + below
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="{width:g}" height="{y:g}" '
        f'viewBox="0 0 {width:g} {y:g}" role="img" font-family="{FONT}, Arial, sans-serif" '
        f'font-size="{TEXT:g}" style="max-width:100%;height:auto">'
        f"<title>{escape(told.partition(chr(10))[0])}</title><desc>{escape(told)}</desc>"
        f"<style>{STYLE}</style>"
        f'<rect width="{width:g}" height="{y:g}" fill="currentColor" {paint("paper")}/>'
        f"{''.join(parts)}</svg>"
    )


def _columns(width: float) -> str:
    """The style of a row: columns of one width, as many as there is room for."""
    least, most = (LEAST, "1fr") if width == WIDTH else (width, f"{width:g}px")
    columns = f"repeat(auto-fit,minmax(min({least:g}px,100%),{most}))"
    return f"display:grid;grid-template-columns:{columns};gap:8px"


def _image(panel: Panel, tallest: Size) -> str:
    told = _told(panel)
    source = b64encode(_document([panel], told, tallest).encode()).decode()
    return (
        f'<img alt="{escape(told)}" style="width:100%;max-width:{MOST}px;height:auto" '
        f'src="data:image/svg+xml;base64,{source}"/>'
    )


# --- in words ----------------------------------------------------------------------------------


LONGEST = 100  # letters of a name


def _told(panel: Panel) -> str:
    """What a panel shows, in a line."""
    words = [told for mark in panel.marks if (told := _told_mark(mark, panel))]
    text = "; ".join([*words, *panel.notes])
    return visible(f"{clipped(panel.title, LONGEST)}: {text}" if panel.title else text)


def _told_mark(mark: Mark, panel: Panel) -> str:
    if mark.kind == "bars":
        return ", ".join(clipped(text, LONGEST) for _, text in panel.up.ticks or ())
    if mark.kind == "cells":
        return f"{len(set(mark.ys))} x {len(set(mark.xs))} cells"
    if not mark.name:
        return ""
    name = clipped(mark.name, LONGEST)
    places = range(len(mark.xs))
    first, last = (
        next(k for k in way if mark.xs[k] == mark.xs[k]) for way in (places, places[::-1])
    )
    (x, y), (u, v) = ((mark.xs[k], mark.ys[k]) for k in (first, last))
    if x == u and (y, v) == (panel.up.axis.low, panel.up.axis.high):
        return f"{name} at {short(x)}"
    count = len(mark.xs) - sum(map(math.isnan, mark.xs))
    ends = f"({short(x)}, {short(y)}) to ({short(u)}, {short(v)})"
    return f"{name}, {many(count, 'point')} from {ends}"
