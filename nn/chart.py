"""Charts as SVG of our own: curves, dots, bars, cells and contours, which a notebook shows.

They need no library, in a browser without a network neither. None that is pure Python and kept up
draws filled decision boundaries, and texts were measured for drawings of graphs already.

>>> chart = lines({"falls": ([1, 2, 3], [4.0, 2.0, 1.0])}, title="A loss", x="step")
>>> print(chart)
A loss: falls, 3 points from (1, 4) to (3, 1)
>>> chart.save("falls.svg")  # doctest: +SKIP
"""

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from engine.modes import no_grad
from engine.pictures.texts import many, short, visible
from engine.value import data_of
from nn.axis import Axis, Tick, axis_of, ticks
from nn.contour import areas, contour
from nn.document import Chart, for_charts
from nn.mark import LOOKS, Mark
from nn.panel import HEIGHT, WIDTH, Panel, Scale

__all__ = ["Chart", "bars", "beside", "cells", "contours", "dots", "lines"]

Numbers = Sequence[float]
Curves = Mapping[str, tuple[Numbers, Numbers]]

GRID = 80  # points along each side of a plane on which a function is looked at
LEVELS = 10  # of contours, at most
MAP = 320.0  # the height of a map
MOST_SHAPES = 2000  # points; more are pale dots
MOST_DOTS = 100  # of a path; one with more points is a line alone
BAR = 26.0  # the height of a bar and the room around it
BANDS = 0  # the look of a map
CELL = 20.0  # the side of a cell, at most
ACROSS = 0.02  # room at the ends of the axis below, as a part of it


@for_charts
def lines(
    curves: Curves,
    *,
    title: str = "",
    x: str = "",
    y: str = "",
    log_x: bool = False,
    log_y: bool = False,
    marked: Mapping[str, float] | None = None,
) -> Chart:
    """Curves by name, each `(xs, ys)`, with dashes of their own.

    `x` and `y` are the names of the axes; `log_x` and `log_y` make them logarithmic. `marked` are
    places on the axis below, by name: a line from the bottom to the top at each. What is nan, inf,
    or not above 0 on a logarithmic axis is left out, and a line below says how much.

    >>> lines({"a": ([0, 1], [3.0, 5.0])}, marked={"here": 0.5})
    a, 2 points from (0, 3) to (1, 5); here at 0.5
    """
    columns, notes = _columns("lines", curves, log_x, log_y)
    return _plot("line", columns, title, x, y, (log_x, log_y), marked or {}, notes)


@for_charts
def dots(
    groups: Curves,
    *,
    title: str = "",
    x: str = "",
    y: str = "",
    log_x: bool = False,
    log_y: bool = False,
    marked: Mapping[str, float] | None = None,
) -> Chart:
    """Points by name, each `(xs, ys)`, with a shape of their own; the rest as in `lines`.

    More than 2,000 of them are small and pale.

    >>> dots({"flowers": ([4.9, 5.1], [1.4, 1.6])}, x="length (cm)", y="width (cm)")
    flowers, 2 points from (4.9, 1.4) to (5.1, 1.6)
    """
    columns, notes = _columns("dots", groups, log_x, log_y)
    return _plot("dots", columns, title, x, y, (log_x, log_y), marked or {}, notes)


@for_charts
def bars(
    amounts: Mapping[str, float], *, title: str = "", x: str = "", log_x: bool = False
) -> Chart:
    """A bar for each amount, by name, from the left; the amount stands beside its name.

    ValueError for one below 0, or not above it where `log_x` makes the axis logarithmic.

    >>> bars({"eager": 20.0, "numpy": 0.5}, title="A step", x="milliseconds")
    A step: eager: 20, numpy: 0.5
    """
    if not amounts:
        raise ValueError("bars expected at least 1 amount, got none")
    numbers = _numbers("bars: the amounts", amounts.values())
    for name, number in zip(amounts, numbers, strict=True):
        if not (math.isfinite(number) and (number > 0 or (number == 0 and not log_x))):
            least = "above 0" if log_x else "of at least 0"
            raise ValueError(f"bars expected amounts {least}, got {number:g} for {name!r:.40}")
    low = min(numbers) / 2 if log_x else 0.0
    across = Axis(low, axis_of([*numbers, low], log_x).high, log_x)
    count = len(numbers)
    names = tuple(
        Tick(float(k), f"{visible(name)}: {_amount(number)}")
        for k, (name, number) in enumerate(zip(amounts, numbers, strict=True))
    )
    up = Scale("", Axis(count - 0.5, -0.5), names)
    mark = Mark("bars", numbers, array("d", range(count)))
    return Chart((Panel(title, Scale(x, across), up, [mark], height=BAR * count),))


@for_charts
def cells(
    rows: Sequence[Numbers],
    *,
    title: str = "",
    low: float | None = None,
    high: float | None = None,
) -> Chart:
    """A matrix or a small image as grey cells, the first row at the top.

    `low` is white and `high` black: the least and the largest number unless given. What is nan or
    inf has no cell, and a line below says how many.

    >>> cells([[0.0, 1.0], [0.5, 0.0]], title="Two by two")
    Two by two: 2 x 2 cells; white 0, black 1
    """
    if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
        lengths = sorted({len(row) for row in rows})
        raise ValueError(f"cells expected rows of one length, got lengths {lengths}")
    width, height = len(rows[0]), len(rows)
    numbers = _numbers("cells: the rows", (number for row in rows for number in row))
    finite = [number for number in numbers if math.isfinite(number)]
    if not finite:
        raise ValueError("cells expected at least one finite number, got none")
    low = min(finite) if low is None else low
    high = max(finite) if high is None else high
    if not low <= high:
        raise ValueError(f"cells expected low below high, got {low:g} and {high:g}")
    places = [k for k, number in enumerate(numbers) if math.isfinite(number)]
    span = high - low or 1.0
    amounts = [min(max((numbers[k] - low) / span, 0.0), 1.0) for k in places]
    xs, ys = [float(k % width) for k in places], [float(k // width) for k in places]
    side = min(CELL, HEIGHT / height, (WIDTH - 28) / width)
    notes = [f"white {short(low)}, black {short(high)}", *_said(len(numbers) - len(places), "cell")]
    across, up = Axis(-0.5, width - 0.5), Axis(height - 0.5, -0.5)
    marks = [Mark("cells", xs, ys, amounts=amounts)]
    scales = Scale("", across, ()), Scale("", up, ())
    return Chart((Panel(title, *scales, marks, notes, side * height, side * width),))


@for_charts
def contours(
    function: Callable[[float, float], Any],
    across: tuple[float, float],
    up: tuple[float, float],
    *,
    paths: Curves | None = None,
    title: str = "",
    x: str = "x",
    y: str = "y",
) -> Chart:
    """A function of two variables as a map: lines of one height, more colour where it is higher.

    `across` and `up` are the ends of the two axes; `paths` are walks on the map by name, each
    `(xs, ys)`. The function is looked at on a grid of 80 x 80 points.

    >>> contours(lambda x, y: x * x + y * y, (-1, 1), (-1, 1), paths={"walk": ([1, 0], [1, 0])})
    walk, 2 points from (1, 1) to (0, 0); lines at 0.2, 0.4, 0.6, ..., 2.0; more colour is higher
    """
    for name, ends in (("across", across), ("up", up)):
        if not (len(ends) == 2 and ends[0] < ends[1] and all(map(math.isfinite, ends))):
            raise ValueError(f"contours: {name} expected two numbers (low, high), got {ends!r:.60}")
    xs, ys = grid(*across), grid(*up)
    with no_grad():
        rows = [[float(data_of(function(x, y))) for x in xs] for y in ys]
    finite = [height for row in rows for height in row if math.isfinite(height)]
    if not finite:
        raise ValueError("contours: the function is nowhere finite on this plane")
    rows = [[h if math.isfinite(h) else max(finite) for h in row] for row in rows]
    levels = ticks(axis_of(finite, margin=0.0), LEVELS)
    marks = []
    for level, _ in levels:
        marks.append(joined("areas", areas(xs, ys, rows, level), look=BANDS))
        marks.append(joined("edges", contour(xs, ys, rows, level)))
    columns, notes = _columns("contours", paths or {}, False, False)
    for look, (name, path) in enumerate(columns.items(), 1):
        marks.append(Mark("line", *path, name, look))
        if len(path[0]) <= MOST_DOTS:
            marks.append(Mark("dots", *path, "", look))
    shown = [text for _, text in levels]
    shown = [*shown[:3], "...", shown[-1]] if len(shown) > 4 else shown
    words = f"lines at {', '.join(shown)}; more colour is higher"
    notes = [words, *notes, *_said(len(xs) * len(ys) - len(finite), "place")]
    scales = Scale(x, Axis(xs[0], xs[-1])), Scale(y, Axis(ys[0], ys[-1]))
    return Chart((Panel(title, *scales, marks, notes, MAP),))


def beside(*charts: Chart) -> Chart:
    """Several charts as one: their panels stand beside each other where there is room.

    >>> beside(bars({"a": 1.0}, title="First"), bars({"b": 2.0}, title="Second"))
    First: a: 1
    Second: b: 2
    """
    if not charts or not all(isinstance(chart, Chart) for chart in charts):
        got = ", ".join(type(chart).__name__ for chart in charts) or "nothing"
        raise TypeError(f"beside expected charts, got {got}")
    return Chart(tuple(panel for chart in charts for panel in chart.panels))


# --- numbers ------------------------------------------------------------------------------------


def grid(low: float, high: float) -> list[float]:
    """GRID numbers at equal steps, from the lowest to the highest."""
    return [low + (high - low) * (k / (GRID - 1)) for k in range(GRID)]


def joined(kind: str, found: Iterable[Sequence[tuple[float, float]]], look: int = 0) -> Mark:
    """Lines or areas as one mark."""
    xs, ys = array("d"), array("d")
    for points in found:
        xs.extend(x for x, _ in points)
        ys.extend(y for _, y in points)
        xs.append(math.nan)
        ys.append(math.nan)
    return Mark(kind, xs, ys, look=look)


def _numbers(what: str, given: Iterable[Any]) -> "array[float]":
    try:
        return array("d", [data_of(number) for number in given])
    except (TypeError, ValueError):
        raise TypeError(f"{what} expected numbers, got something else among them") from None


def _columns(
    what: str, curves: Curves, log_x: bool, log_y: bool
) -> tuple[dict[str, tuple["array[float]", "array[float]"]], list[str]]:
    """The numbers of each curve, nan where one is left out; and what was left out."""
    if not isinstance(curves, Mapping):
        raise TypeError(f"{what} expected curves by name, {{'a': (xs, ys)}}, got {curves!r:.40}")
    columns, notes = {}, []
    for name, curve in curves.items():
        try:
            xs, ys = curve
        except (TypeError, ValueError):
            raise TypeError(f"{what}: {name!r:.40} expected (xs, ys), got {curve!r:.40}") from None
        xs, ys = (_numbers(f"{what}: {name!r:.40}", numbers) for numbers in (xs, ys))
        if len(xs) != len(ys):
            words = f"as many xs as ys, got {len(xs)} and {len(ys)}"
            raise ValueError(f"{what}: {name!r:.40} expected {words}")
        columns[str(name)], gone = left_out(xs, ys, log_x, log_y)
        notes += [f"{name}: {words}" for words in gone]
    return columns, notes


def left_out(
    xs: Numbers, ys: Numbers, log_x: bool = False, log_y: bool = False
) -> tuple[tuple["array[float]", "array[float]"], list[str]]:
    """Points with nan in the place of those that cannot be drawn; and how many they are, in words.

    >>> (xs, ys), words = left_out([1.0, 2.0, 3.0], [5.0, math.inf, 7.0])
    >>> list(ys), words
    ([5.0, nan, 7.0], ['1 point left out: nan, inf'])
    """
    columns = array("d", xs), array("d", ys)
    gone: set[int] = set()
    for numbers, is_log in zip(columns, (log_x, log_y), strict=True):
        if not all(map(math.isfinite, numbers)) or (is_log and min(numbers) <= 0):
            fits = (math.isfinite(x) and (x > 0 or not is_log) for x in numbers)
            gone.update(k for k, fit in enumerate(fits) if not fit)
    if len(gone) == len(columns[0]):
        raise ValueError(f"a chart expected points that can be drawn, got none among {len(gone)}")
    for k in gone:
        columns[0][k] = columns[1][k] = math.nan
    return columns, _said(len(gone), "point", " or not above 0" if log_x or log_y else "")


def _said(gone: int, noun: str, more: str = "") -> list[str]:
    return [f"{many(gone, noun)} left out: nan, inf{more}"] if gone else []


def _plot(
    kind: str,
    columns: Mapping[str, tuple["array[float]", "array[float]"]],
    title: str,
    x: str,
    y: str,
    log: tuple[bool, bool],
    marked: Mapping[str, float],
    notes: list[str],
) -> Chart:
    if not columns:
        raise ValueError(f"a chart expected at least 1 {kind.rstrip('s')}, got none")
    if kind == "dots" and sum(len(xs) for xs, _ in columns.values()) > MOST_SHAPES:
        kind = "haze"
    marks = [Mark(kind, *pair, name, look) for look, (name, pair) in enumerate(columns.items())]
    xs = [x for mark in marks for x in mark.xs if x == x] + list(marked.values())
    ys = [y for mark in marks for y in mark.ys if y == y]
    across = axis_of(xs, log[0], ACROSS if kind == "line" else 0.05)
    up = axis_of(ys, log[1])
    for k, (name, place) in enumerate(marked.items()):
        marks.append(upright(place, name, up, LOOKS - 1 - k))
    return Chart((Panel(title, Scale(x, across), Scale(y, up), marks, notes),))


def upright(place: float, name: str, up: Axis, look: int) -> Mark:
    """A line from the bottom to the top."""
    return Mark("line", (place, place), (up.low, up.high), name, look)


def _amount(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
