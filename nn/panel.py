"""A panel of a chart as SVG: a frame, axes, marks, and a legend that covers none of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import pairwise
from typing import NamedTuple

from engine.pictures.drawing.looks import width_of
from engine.pictures.texts import visible
from nn.axis import Axis, Tick, ticks
from nn.mark import Mark, Numbers, Points, coordinate, drawn_mark, paint

WIDTH = 520.0  # of a panel; all lengths here are in its units, which are pixels unless scaled
HEIGHT = 240.0  # of a frame, unless the panel says otherwise
NARROW = 160.0  # of a panel, at least
PAD = 14.0
TITLE, TEXT = 15.0, 13.0  # sizes of fonts
LINE = 18.0  # of text
BELOW = 18.0  # from a frame to the foot of the numbers on its axis
SAMPLE = 26.0  # of a mark, in the legend
APART = 12.0  # texts along an axis, at least


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


# --- texts --------------------------------------------------------------------------------------


def fitted(text: str, size: float, room: float) -> str:
    """As much of a text as there is room for.

    >>> fitted("petal width (cm)", 10, 40)
    'petal\u2026'
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
    place = f'x="{coordinate(x)}" y="{coordinate(y)}"'
    return f'<text {place} {paint(colour)} fill="currentColor"{more}>{escape(text)}</text>'


BOLD = f' font-size="{TITLE:g}" font-weight="bold"'
MIDDLE, END = ' text-anchor="middle"', ' text-anchor="end"'
WIDER = 1.08  # a bold text, than one that is not


# --- a panel ------------------------------------------------------------------------------------


def _as_they_are(xs: Numbers, ys: Numbers) -> Points:
    return list(zip(xs, ys, strict=True))


def _sample(mark: Mark, x: float, y: float) -> str:
    """A mark as the legend shows it, a pale dot at full size."""
    mark = replace(mark, kind="dots") if mark.kind == "haze" else mark
    xs = (x, x + SAMPLE - 6) if mark.kind == "line" else (x + (SAMPLE - 6) / 2,)
    return drawn_mark(replace(mark, xs=xs, ys=(y,) * len(xs)), _as_they_are)


def width_of_panel(panel: Panel) -> float:
    """All of it, with the room around the frame."""
    return max(panel.width + 2 * PAD, NARROW) if panel.width else WIDTH


def _room(panel: Panel) -> float:
    return width_of_panel(panel) - 2 * PAD


def title_of(panel: Panel) -> list[str]:
    """The lines of its title."""
    return wrapped(panel.title, TITLE * WIDER, _room(panel))


def legend_of(panel: Panel) -> list[list[tuple[Mark, str]]]:
    """The marks with a name, and as much of it as there is room for, in rows."""
    rows: list[list[tuple[Mark, str]]] = []
    room = 0.0
    for mark in panel.marks:
        if mark.name:
            name = fitted(mark.name, TEXT, _room(panel) - SAMPLE)
            wide = SAMPLE + width_of(name, TEXT) + APART
            if room < wide - APART:
                rows.append([])
                room = _room(panel)
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
    return BELOW + LINE * lines


def _notes(panel: Panel) -> list[str]:
    return [line for note in panel.notes for line in wrapped(note, TEXT, _room(panel))]


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
        ends, places = [], scale.axis.places(number for number, _ in found)
        for place, (_, text) in zip(places, found, strict=True):
            x = _middle(left + width * place, text)
            ends.append((x - width_of(text, TEXT) / 2, x + width_of(text, TEXT) / 2))
        if found and all(b + APART <= c for (_, b), (c, _) in pairwise(ends)):
            break
    return found


def drawn(panel: Panel, above: float) -> Iterator[str]:
    """The elements of a panel whose frame begins so far down."""
    ticks_up = _up_ticks(panel)
    texts = [fitted(text, TEXT, 0.4 * WIDTH) for _, text in ticks_up]
    left = PAD + max([width_of(text, TEXT) + 6 for text in texts if text], default=0.0)
    width = panel.width or WIDTH - left - PAD
    yield from _head(panel)
    if panel.up.name:
        name = fitted(panel.up.name, TEXT, WIDTH - left - PAD)
        yield _text(left, above - 7, name, "soft")
    lines = []
    below = above + panel.height + BELOW
    numbers = across_ticks(panel.across, left, width)
    places = panel.across.axis.places(number for number, _ in numbers)
    for x, (_, text) in zip((width * place for place in places), numbers, strict=True):
        lines.append(f"M{coordinate(left + x)} {coordinate(above)}v{coordinate(panel.height)}")
        if text:
            yield _text(_middle(left + x, text), below, text, "soft", MIDDLE)
    places = panel.up.axis.places(number for number, _ in ticks_up)
    for place, text in zip(places, texts, strict=True):
        at = above + panel.height * (1 - place)
        if panel.up.ticks is None:
            lines.append(f"M{coordinate(left)} {coordinate(at)}h{coordinate(width)}")
        yield _text(left - 6, at + 4.5, text, "soft", END)
    if lines:
        yield f'<path d="{"".join(lines)}" fill="none" stroke="currentColor" {paint("line")}/>'
    yield from _framed(panel, left, above, width)
    yield from _foot(panel, below, left + width / 2)


def _up_ticks(panel: Panel) -> Sequence[Tick]:
    if panel.up.ticks is not None:
        return panel.up.ticks
    return ticks(panel.up.axis, max(2, int(panel.height // 40)))


def _head(panel: Panel) -> Iterator[str]:
    """Title and legend."""
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


def _framed(panel: Panel, left: float, above: float, width: float) -> Iterator[str]:
    """The marks, and the frame around them."""

    def place(xs: Numbers, ys: Numbers) -> Points:
        pairs = zip(panel.across.axis.places(xs), panel.up.axis.places(ys), strict=True)
        return [(width * x, panel.height * (1 - y)) for x, y in pairs]

    # An svg inside an svg shows nothing outside of itself.
    size = f'width="{coordinate(width)}" height="{coordinate(panel.height)}"'
    yield f'<svg x="{coordinate(left)}" y="{coordinate(above)}" {size}>'
    yield from (drawn_mark(mark, place) for mark in panel.marks)
    yield "</svg>"
    yield (
        f'<rect x="{coordinate(left)}" y="{coordinate(above)}" {size} fill="none" '
        f'stroke="currentColor" {paint("soft")} stroke-width="0.8"/>'
    )


def _foot(panel: Panel, below: float, middle: float) -> Iterator[str]:
    """The name of the axis below, and the notes."""
    if panel.across.ticks != ():
        below += LINE
    if panel.across.name:
        name = fitted(panel.across.name, TEXT, _room(panel))
        yield _text(_middle(middle, name), below, name, "soft", MIDDLE)
        below += LINE
    for k, line in enumerate(_notes(panel)):
        yield _text(PAD, below + k * LINE, line, "soft")
