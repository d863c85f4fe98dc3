"""A panel of a chart as SVG: a frame, axes, marks, and a legend that covers none of them."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import groupby, pairwise
from typing import NamedTuple

from engine.pictures.drawing.looks import width_of
from engine.pictures.texts import visible
from nn.axis import Axis, Tick, ticks

WIDTH = 520.0  # of a panel; all lengths here are in its units, which are pixels unless scaled
HEIGHT = 240.0  # of a frame, unless the panel says otherwise
PAD = 14.0
TITLE, TEXT = 15.0, 13.0  # sizes of fonts
LINE = 18.0  # of text
SAMPLE = 26.0  # of a mark, in the legend
APART = 12.0  # texts along an axis, at least
HAZE = 2.0  # the size of pale dots; those at one place are one
GREYS = 64  # from white to black
FAR = 1e4  # units; what is farther out is drawn there

# What is drawn in which colour: in light and in dark. Those with a number are for curves and
# classes: Okabe and Ito's, which colour-blind readers can tell apart, the paler ones of them
# darker on white. Each has its own dash and shape too, so that nothing depends on colour alone.
PAINTS = {
    "paper": ("#ffffff", "#14171d"),
    "ink": ("#1b2430", "#e8ebf0"),
    "soft": ("#566072", "#a3adbd"),
    "line": ("#d5dae2", "#323947"),
    "0": ("#0072b2", "#5bb0ea"),
    "1": ("#d55e00", "#f58a3c"),
    "2": ("#00845f", "#22c495"),
    "3": ("#b4548c", "#e79cc8"),
    "4": ("#a87400", "#f2c14e"),
    "5": ("#6a5acd", "#a99df5"),
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


class Scale(NamedTuple):
    """An axis with its name; without ticks it gets as many round numbers as it has room for."""

    name: str
    axis: Axis
    ticks: tuple[Tick, ...] | None = None


@dataclass(frozen=True)
class Panel:
    """A frame with its marks; `notes` stand below.

    The frame is `height` high, and as wide as there is room for unless it has a `width`.
    """

    title: str
    across: Scale
    up: Scale
    marks: Sequence[Mark] = field(default_factory=list)
    notes: Sequence[str] = ()
    height: float = HEIGHT
    width: float | None = None


Place = Callable[[float, float], tuple[float, float]]


# --- marks: each as an element of SVG -----------------------------------------------------------


def paint(name: str) -> str:
    """Attributes that give an element a colour; those without the style are those in light."""
    return f'class="chart-{name}" color="{PAINTS[name][0]}"'


def _number(x: float) -> str:
    return f"{min(max(x, -FAR), FAR):.1f}".removesuffix(".0")


def _runs(mark: Mark, place: Place) -> Iterator[list[tuple[float, float]]]:
    """The places of a mark, parted at those that are nan."""
    pairs = zip(mark.xs, mark.ys, strict=True)
    for is_gap, run in groupby(pairs, lambda pair: math.isnan(pair[0] + pair[1])):
        if not is_gap:
            yield [place(x, y) for x, y in run]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points)


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of each unit across the first, lowest, highest and last: the line looks the same."""
    found = []
    for _, run in groupby(points, lambda point: min(max(point[0], -FAR), FAR) // 1):
        here = list(run)
        if len(here) > 4:
            heights = [y for _, y in here]
            ends = heights.index(min(heights)), heights.index(max(heights))
            here = [here[i] for i in sorted({0, *ends, len(here) - 1})]
        found += here
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
        f"M{_number(x)} {_number(y)}{shape}" for points in _runs(mark, place) for x, y in points
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
    columns: dict[int, set[int]] = {}
    for points in _runs(mark, place):
        for x, y in points:
            if 0 <= y < FAR:
                columns.setdefault(round(x / HAZE), set()).add(round(y / HAZE))
    words, side = [], HAZE / 2
    for column in sorted(columns):
        heights = sorted(columns[column])
        breaks = [i for i, (a, b) in enumerate(pairwise(heights), 1) if b - a > 1]
        for start, end in pairwise([0, *breaks, len(heights)]):
            top, length = heights[start] * HAZE - side, (end - start) * HAZE
            words.append(f"M{column * HAZE:.0f} {top:.0f}v{length:.0f}")
    d = "".join(words)
    return f'<path d="{d}" stroke="currentColor" stroke-width="{HAZE:g}" opacity="0.35"/>'


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
        (end, top), (_, bottom) = place(x, y - 0.35), place(x, y + 0.35)
        words.append(f"M0 {_number(top)}H{_number(max(end, 1.0))}V{_number(bottom)}H0z")
    return f'<path d="{"".join(words)}" fill="currentColor"/>'


def _cells(mark: Mark, place: Place) -> str:
    """Squares from white, for an amount of 0, to black, for 1: a path for each grey."""
    greys: dict[int, list[str]] = {}
    cells = zip(mark.ys, mark.xs, mark.amounts, strict=True)
    for (grey, y), run in groupby(cells, lambda cell: (round(cell[2] * (GREYS - 1)), cell[0])):
        here = [x for _, x, _ in run]
        (left, top), (right, bottom) = place(here[0] - 0.5, y - 0.5), place(here[-1] + 0.5, y + 0.5)
        corners = f"M{_number(left)} {_number(top)}H{_number(right)}V{_number(bottom)}"
        greys.setdefault(grey, []).append(f"{corners}H{_number(left)}z")
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


def _drawn(mark: Mark, place: Place) -> str:
    colour = COLOURLESS.get(mark.kind, str(mark.look % LOOKS))
    return f"<g {paint(colour)}>{DRAWN[mark.kind](mark, place)}</g>"


def _sample(mark: Mark, x: float, y: float) -> str:
    """The mark of the legend."""
    xs = (x, x + SAMPLE - 6) if mark.kind == "line" else (x + (SAMPLE - 6) / 2,)
    return _drawn(replace(mark, xs=xs, ys=(y,) * len(xs)), lambda x, y: (x, y))


# --- texts --------------------------------------------------------------------------------------


def fitted(text: str, size: float, room: float) -> str:
    """As much of a text as there is room for.

    >>> fitted("petal width (cm)", 10, 40)
    'petal w\u2026'
    """
    text = visible(text)
    if width_of(text, size) <= room:
        return text
    end, width = 0, width_of("\u2026", size)
    while end < len(text) and (width := width + width_of(text[end], size)) <= room:
        end += 1
    return text[:end].rstrip() + "\u2026"


def wrapped(text: str, size: float, room: float) -> list[str]:
    """A text in lines for which there is room, parted between words."""
    lines = [""]
    for word in visible(text).split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and width_of(longer, size) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return [fitted(line, size, room) for line in lines if line]


def _text(x: float, y: float, text: str, colour: str = "ink", more: str = "") -> str:
    place = f'x="{_number(x)}" y="{_number(y)}"'
    return f'<text {place} {paint(colour)} fill="currentColor"{more}>{escape(text)}</text>'


BOLD = f' font-size="{TITLE:g}" font-weight="bold"'
MIDDLE, END = ' text-anchor="middle"', ' text-anchor="end"'
WIDER = 1.08  # a bold text, than one that is not


# --- a panel ------------------------------------------------------------------------------------


def title_of(panel: Panel) -> list[str]:
    """The lines of its title."""
    return wrapped(panel.title, TITLE * WIDER, WIDTH - 2 * PAD)


def legend_of(panel: Panel) -> list[list[tuple[Mark, str]]]:
    """The marks with a name, and as much of it as there is room for, in rows."""
    rows: list[list[tuple[Mark, str]]] = []
    room = 0.0
    for mark in panel.marks:
        if mark.name:
            name = fitted(mark.name, TEXT, WIDTH - 2 * PAD - SAMPLE)
            wide = SAMPLE + width_of(name, TEXT) + APART
            if room < wide - APART:
                rows.append([])
                room = WIDTH - 2 * PAD
            rows[-1].append((mark, name))
            room -= wide
    return rows


def height_above(panel: Panel) -> float:
    """What title, legend and the name of the upright axis take above the frame."""
    lines = len(title_of(panel)) + len(legend_of(panel)) + bool(panel.up.name)
    return PAD + LINE * lines + 4


def height_below(panel: Panel) -> float:
    """What numbers, the name of the axis and notes take below the frame."""
    has_numbers = panel.across.ticks != ()
    lines = has_numbers + bool(panel.across.name) + len(_notes(panel))
    return LINE * lines + PAD


def _notes(panel: Panel) -> list[str]:
    room = WIDTH - 2 * PAD
    return [line for note in panel.notes for line in wrapped(note, TEXT, room)]


def _middle(x: float, text: str) -> float:
    """Where the middle of a text stands, so that all of it is in the panel."""
    half = width_of(text, TEXT) / 2 + 2
    return min(max(x, half), WIDTH - half)


def across_ticks(scale: Scale, left: float, width: float) -> list[Tick]:
    """Those of the axis below: as many as do not touch each other."""
    if scale.ticks is not None:
        return list(scale.ticks)
    found = []
    for most in range(8, 0, -1):
        found = ticks(scale.axis, most)
        ends = []
        for number, text in found:
            x = _middle(left + width * scale.axis.place(number), text)
            ends.append((x - width_of(text, TEXT) / 2, x + width_of(text, TEXT) / 2))
        if found and all(b + APART <= c for (_, b), (c, _) in pairwise(ends)):
            break
    return found


def drawn(panel: Panel, above: float) -> Iterator[str]:
    """The elements of a panel whose frame begins so far down."""
    height = panel.height
    up_ticks = panel.up.ticks
    if up_ticks is None:
        up_ticks = tuple(ticks(panel.up.axis, max(2, int(height // 40))))
    texts = [fitted(text, TEXT, 0.4 * WIDTH) for _, text in up_ticks]
    left = PAD + max([width_of(text, TEXT) + 6 for text in texts if text], default=0.0)
    width = panel.width or WIDTH - left - PAD
    across, up = panel.across.axis, panel.up.axis

    def place(x: float, y: float) -> tuple[float, float]:
        return width * across.place(x), height * (1 - up.place(y))

    y = PAD + 11
    for line in title_of(panel):
        yield _text(PAD, y, line, more=BOLD)
        y += LINE
    for row in legend_of(panel):
        x = PAD
        for mark, name in row:
            yield _sample(mark, x, y - 4.5)
            yield _text(x + SAMPLE, y, name)
            x += SAMPLE + width_of(name, TEXT) + APART
        y += LINE
    if panel.up.name:
        name = fitted(panel.up.name, TEXT, WIDTH - 2 * PAD)
        yield _text(PAD, above - 8, name, "soft")
    lines = []
    below = above + height + 15
    for number, text in across_ticks(panel.across, left, width):
        x = width * across.place(number)
        lines.append(f"M{_number(left + x)} {_number(above)}v{_number(height)}")
        if text:
            yield _text(_middle(left + x, text), below, text, "soft", MIDDLE)
    for (number, _), text in zip(up_ticks, texts, strict=True):
        at = above + height * (1 - up.place(number))
        if panel.up.ticks is None:
            lines.append(f"M{_number(left)} {_number(at)}h{_number(width)}")
        yield _text(left - 6, at + 4.5, text, "soft", END)
    d = "".join(lines)
    yield f'<path d="{d}" fill="none" stroke="currentColor" {paint("line")}/>' if d else ""
    # An svg inside an svg shows nothing outside of itself.
    size = f'width="{_number(width)}" height="{_number(height)}"'
    yield f'<svg x="{_number(left)}" y="{_number(above)}" {size}>'
    yield from (_drawn(mark, place) for mark in panel.marks)
    yield "</svg>"
    yield (
        f'<rect x="{_number(left)}" y="{_number(above)}" {size} fill="none" '
        f'stroke="currentColor" {paint("soft")} stroke-width="0.8"/>'
    )
    if panel.across.ticks != ():
        below += LINE
    if panel.across.name:
        name = fitted(panel.across.name, TEXT, WIDTH - 2 * PAD)
        yield _text(_middle(left + width / 2, name), below, name, "soft", MIDDLE)
        below += LINE
    for k, line in enumerate(_notes(panel)):
        yield _text(PAD, below + k * LINE, line, "soft")
