"""Marks of a chart, each as an element of SVG: lines, dots, areas, bars, cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter

Numbers = Sequence[float]
Points = list[tuple[float, float]]
Place = Callable[[Numbers, Numbers], Points]  # from numbers to units in the frame

HAZE = 2.0  # the size of pale dots; those at one place are one
MANY = 1000  # points; a line of more is thinned
GREYS = 64  # from white to black
FAR = 1e4  # units; what is farther out is drawn there

# What is drawn in which colour: in light and in dark. Those with a number are for curves and
# classes; the first four are near to Okabe and Ito's, and also colour-blind readers can tell all of
# them apart. Each has its own dash and shape, so that nothing depends on colour alone.
PAINTS = {
    "paper": ("#ffffff", "#14171d"),
    "ink": ("#1b2430", "#e8ebf0"),
    "soft": ("#566072", "#a3adbd"),
    "line": ("#d5dae2", "#323947"),
    "0": ("#0072b2", "#5bb0ea"),
    "1": ("#d55e00", "#f58a3c"),
    "2": ("#00845f", "#22c495"),
    "3": ("#b4548c", "#e79cc8"),
    "4": ("#780000", "#d83048"),
    "5": ("#7818f0", "#9060f0"),
    "6": ("#1b2430", "#e8ebf0"),
}
LOOKS = 7
DASHES = ("", "9 4", "10 3 2 3", "2 3", "14 4", "5 2", "14 3 2 3 2 3")
SHAPES = (  # around a point
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
    "m-4.4 3.4h8.8l-4.4-8z",
    "m-3.6-3.6h7.2v7.2h-7.2z",
    "m-5 0l5-5l5 5l-5 5z",
    "m-4.4-3.4h8.8l-4.4 8z",
    "m-1.6-4.4h3.2v2.8h2.8v3.2h-2.8v2.8h-3.2v-2.8h-2.8v-3.2h2.8z",
    "m-4.4-2.2l2.2-2.2l2.2 2.2l2.2-2.2l2.2 2.2l-2.2 2.2l2.2 2.2l-2.2 2.2l-2.2-2.2l-2.2 2.2"
    "l-2.2-2.2l2.2-2.2z",
)
RING = "m-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0"


@dataclass(frozen=True)
class Mark:
    """Something at numbers `xs` and `ys` of a panel: its kind is one of those in DRAWN.

    A nan among them ends a line or an area, and begins another. `look` is its colour, dash and
    shape; a mark with a name is in the legend. `amounts` are those of the cells.
    """

    kind: str
    xs: Sequence[float]
    ys: Sequence[float]
    name: str = ""
    look: int = 0
    amounts: Sequence[float] = ()


def paint(name: str) -> str:
    """Attributes that give an element a colour; those without the style are those in light."""
    return f'class="chart-{name}" color="{PAINTS[name][0]}"'


def coordinate(x: float) -> str:
    """A length in the text of an SVG."""
    return f"{min(max(x, -FAR), FAR):.1f}".removesuffix(".0")


def _runs(mark: Mark, place: Place) -> list[Points]:
    """The places of a mark, parted at those that are nan."""
    points = place(mark.xs, mark.ys)
    gaps = [i for i, (x, y) in enumerate(points) if x != x or y != y]
    ends = pairwise([-1, *gaps, len(points)])
    return [points[start + 1 : end] for start, end in ends if end - start > 1]


def _path(points: Points) -> str:
    return "M" + "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points)


def _thin(points: Points) -> Points:
    """Of each unit across the first, lowest, highest and last: the line looks the same."""
    if len(points) < MANY:
        return points
    found = []
    for _, run in groupby(points, lambda point: int(point[0])):
        here = list(run)
        heights = [y for _, y in here]
        ends = {0, heights.index(min(heights)), heights.index(max(heights)), len(here) - 1}
        found += [here[i] for i in sorted(ends)]
    return found


def _line(mark: Mark, place: Place) -> str:
    """A line; a point alone is a dot."""
    d = "".join(
        _path(points if len(points) > 1 else points * 2)
        for points in map(_thin, _runs(mark, place))
    )
    dash = DASHES[mark.look % LOOKS]
    dashed = f' stroke-dasharray="{dash}"' if dash else ' stroke-linecap="round"'
    return (
        f'<path d="{d}" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linejoin="round"{dashed}/>'
    )


def _at_points(mark: Mark, place: Place, shape: str) -> str:
    return "".join(
        f"M{coordinate(x)} {coordinate(y)}{shape}"
        for points in _runs(mark, place)
        for x, y in points
    )


def _dots(mark: Mark, place: Place) -> str:
    d = _at_points(mark, place, SHAPES[mark.look % LOOKS])
    paper = f'stroke="{PAINTS["paper"][0]}" class="chart-edge"'
    return f'<path d="{d}" fill="currentColor" {paper} stroke-width="0.8"/>'


def _rings(mark: Mark, place: Place) -> str:
    d = _at_points(mark, place, RING)
    return f'<path d="{d}" fill="none" stroke="currentColor" stroke-width="1.5"/>'


def _haze(mark: Mark, place: Place) -> str:
    """Pale dots, however many: those side by side are one stroke."""
    at = {(int(x / HAZE), int(y / HAZE)) for x, y in place(mark.xs, mark.ys) if 0 <= y < FAR}
    words = []
    for column, dots in groupby(sorted(at), itemgetter(0)):
        heights = [height for _, height in dots]
        breaks = [i for i, (a, b) in enumerate(pairwise(heights), 1) if b - a > 1]
        for start, end in pairwise([0, *breaks, len(heights)]):
            top, length = heights[start] * HAZE, (end - start) * HAZE
            words.append(f"M{(column + 0.5) * HAZE:.0f} {top:.0f}v{length:.0f}")
    d = "".join(words)
    return f'<path d="{d}" stroke="currentColor" stroke-width="{HAZE:g}" opacity="0.45"/>'


def _areas(mark: Mark, place: Place) -> str:
    d = "".join(f"{_path(points)}z" for points in _runs(mark, place))
    return f'<path d="{d}" fill="currentColor" fill-rule="evenodd" opacity="0.22"/>'


def _edges(mark: Mark, place: Place) -> str:
    d = "".join(_path(points) for points in _runs(mark, place))
    return f'<path d="{d}" fill="none" stroke="currentColor" stroke-width="1"/>'


def _bars(mark: Mark, place: Place) -> str:
    """From the left of the frame to each number."""
    words = []
    for x, y in zip(mark.xs, mark.ys, strict=True):
        (end, top), (_, bottom) = place((x, x), (y - 0.35, y + 0.35))
        words.append(f"M0 {coordinate(top)}H{coordinate(max(end, 1.0))}V{coordinate(bottom)}H0z")
    return f'<path d="{"".join(words)}" fill="currentColor"/>'


def _cells(mark: Mark, place: Place) -> str:
    """Squares from white, for an amount of 0, to black, for 1: a path for each grey."""
    greys: dict[int, list[str]] = {}
    cells = zip(mark.ys, mark.xs, mark.amounts, strict=True)
    for (grey, y), run in groupby(cells, lambda cell: (round(cell[2] * (GREYS - 1)), cell[0])):
        here = [x for _, x, _ in run]
        sides = (here[0] - 0.5, here[-1] + 0.5), (y - 0.5, y + 0.5)
        (left, top), (right, bottom) = place(*sides)
        corners = f"M{coordinate(left)} {coordinate(top)}H{coordinate(right)}V{coordinate(bottom)}"
        greys.setdefault(grey, []).append(f"{corners}H{coordinate(left)}z")
    shade = {grey: round(255 * (1 - grey / (GREYS - 1))) for grey in greys}
    return "".join(
        f'<path d="{"".join(d)}" fill="#{shade[grey]:02x}{shade[grey]:02x}{shade[grey]:02x}"/>'
        for grey, d in sorted(greys.items())
    )


DRAWN: dict[str, Callable[[Mark, Place], str]] = {
    "line": _line,
    "dots": _dots,
    "rings": _rings,
    "haze": _haze,
    "areas": _areas,
    "edges": _edges,
    "bars": _bars,
    "cells": _cells,
}
COLOURLESS = {"rings": "ink", "edges": "soft"}


def drawn_mark(mark: Mark, place: Place) -> str:
    """The element of a mark whose numbers are placed so."""
    colour = COLOURLESS.get(mark.kind, str(mark.look % LOOKS))
    return f"<g {paint(colour)}>{DRAWN[mark.kind](mark, place)}</g>"
