"""Walks downhill as pages: a mountain in fog, and the race of all points against a batch."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import chain
from os import PathLike
from pathlib import Path
from statistics import fmean, linear_regression
from typing import Any

from engine.pictures.page.page import assembled, frame, in_script, saved, text_of
from engine.pictures.texts import visible
from engine.replay.backends import javascript
from engine.replay.roll import Program, roll
from engine.replay.watch import record
from engine.value import Value
from nn.axis import ticks
from nn.chart import contours
from nn.checks import finite
from nn.data import Data
from nn.document import STYLE
from nn.loss import mse
from nn.mark import Mark, Numbers, Points, drawn_mark
from nn.module import Neuron
from nn.panel import Panel, Scale

__all__ = ["FOG", "RACE", "WalkPage", "fog_page", "noisy_line", "race_page", "valley"]

HERE = Path(__file__).parent
SCRIPTS = (HERE / "walk.js", HERE / "show.js")
WIDE, HIGH = 500, 400  # of the map, in units of its own
TICKS = 6  # along each axis, at most
EPOCHS = 20  # in how many orders the points come, before the first comes again
MOST_POINTS = 500  # of a race: the page holds each 20 times
FRAME = "width:100%;height:720px;border:0"
# The stops of the slider: about as many for each power of ten.
RATES = tuple(float(f"{n}e{power}") for power in (-3, -2, -1) for n in (1, 1.5, 2, 3, 4, 5, 7))
RATES = (*RATES, 1.0)
FOG = "Downhill in fog"
RACE = "The race: all points, or a few?"
FOG_WORDS = (
    "You feel the slope under your feet and take a step against it: learning rate times slope. "
    "More colour is higher. The dashed line is the next step."
)
RACE_WORDS = (
    "A line y = w x + b through {count} noisy points. The map is its loss; more colour is higher, "
    "and the ring is the best line. Whoever has looked at fewer points takes the next step."
)


def valley(x: Any, y: Any) -> Any:
    """The mountain of the notebook on descent: x**2 + 3 * y**2 + x * y, of numbers or Values.

    >>> valley(1.0, -1.0)
    3.0
    """
    return x**2 + 3 * y**2 + x * y


def noisy_line(count: int = 50, seed: int = 0) -> tuple[list[list[float]], list[float]]:
    """Points around y = 2 x + 1 with x from -1 to 1; the noise has a deviation of 0.3.

    >>> xs, ys = noisy_line(2)
    >>> [round(x, 3) for (x,) in xs], [round(y, 3) for y in ys]
    ([0.689, 0.516], [2.174, 2.143])
    """
    rng = random.Random(seed)
    xs = [[rng.uniform(-1, 1)] for _ in range(count)]
    return xs, [2 * x + 1 + rng.gauss(0, 0.3) for (x,) in xs]


@dataclass(frozen=True, repr=False)
class WalkPage:
    """A page of HTML, which a notebook shows; `html` is all of it."""

    title: str
    html: str = field(repr=False)

    def save(self, path: str | PathLike[str]) -> Path:
        """Writes the page, whole or not at all; ValueError unless the name ends in .html."""
        return saved(self.html, path)

    def _repr_html_(self) -> str:
        return frame(self.html, self.title, FRAME)

    def __repr__(self) -> str:
        return f"{self.title}: a page to open in a browser, save('page.html') writes it"


def fog_page(
    function: Callable[[Any, Any], Any] = valley,
    across: tuple[float, float] = (-1.5, 1.5),
    up: tuple[float, float] = (-1.2, 1.2),
    start: tuple[float, float] = (1.0, -0.7),
) -> WalkPage:
    """A walk down a function of two numbers, step by step, with a slider for the learning rate.

    `across` and `up` are the ends of the axes. Where the first is 1.25 times as long as the other,
    steps stand at right angles to the lines of one height. The function is recorded once, at the
    start: ValueError where it compares its numbers, as with `if`, or takes a number out of its
    graph; TypeError where what it gives is not computed from them.

    >>> fog_page(lambda x, y: x * x + y * y)
    Downhill in fog: a page to open in a browser, save('page.html') writes it
    """
    x, y = _start(start)
    height = _recorded(function, x, y)
    panel = contours(lambda x, y: function(Value(x), Value(y)), across, up).panels[0]
    if not (across[0] <= x.data <= across[1] and up[0] <= y.data <= up[1]):
        raise ValueError(f"fog_page: start expected a place on the map, got {start!r:.60}")
    content: dict[str, Any] = {
        "names": ["x", "y"],
        "height": "height",
        "start": [x.data, y.data],
        "points": [[]],
        "order": [0],
        "walkers": [{"name": "you", "batch": 1}],
        "slider": None,
        "rate": RATES.index(0.1),
        "most": 200,
        "pause": 400,
    }
    return _page(FOG, FOG_WORDS, panel, height, (x, y), content)


def _start(start: Sequence[float]) -> tuple[Value, Value]:
    """The place where a walk begins."""
    try:
        x, y = (Value(finite("start", number)) for number in start)
    except (TypeError, ValueError):
        raise ValueError(f"fog_page: start expected two numbers, got {start!r:.60}") from None
    return x, y


def _recorded(function: Callable[[Any, Any], Any], x: Value, y: Value) -> Program:
    """The program of a height, whose parameters are the two numbers."""
    with record() as seen:
        height = function(x, y)
    if not isinstance(height, Value) or height.op is None:
        raise TypeError(
            f"fog_page expected a function that computes a Value from x and y, got {height!r:.60}"
        )
    if seen.guards or seen.escapes:
        what = "{0.what} at {0.line}".format(*seen.escapes) if seen.escapes else "compares numbers"
        raise ValueError(
            f"fog_page records the function once, but it {what}: the page would not see what "
            "changes elsewhere; use operations alone, such as abs(x) or engine.relu(x)"
        )
    return roll(seen.tape([], [height]))


def race_page(data: Data | None = None) -> WalkPage:
    """Gradient descent and batches of 1 to all points race to the best line through points.

    `data` are rows of one number each and their targets: those of `noisy_line` unless given. Both
    begin at the weights of `Neuron(1, nonlin=False, seed=0)`. The points of the batches come in an
    order that is drawn with seed 0, so that a class sees the same. ValueError for other data.

    >>> race_page()
    The race: all points, or a few?: a page to open in a browser, save('page.html') writes it
    """
    points = _points(*(noisy_line() if data is None else data))
    line = Neuron(1, nonlin=False, seed=0)
    x, y = map(Value, points[0])
    with record() as seen:
        loss = mse(line([x]), y)
    weights = line.w[0], line.b
    count, rng = len(points), random.Random(0)
    orders = (rng.sample(range(count), count) for _ in range(EPOCHS))
    content: dict[str, Any] = {
        "height": "loss",
        "start": [weight.data for weight in weights],
        "points": points,
        "order": list(chain.from_iterable(orders)),
        "walkers": [{"name": "all points", "batch": count}, {"name": "a batch", "batch": 0}],
        "slider": {"most": count, "at": min(5, count)},
        "rate": RATES.index(0.1),
        "most": 50 * count,
        "pause": 60,
    }
    panel = _map_of(points, [weight.data for weight in weights])
    words = RACE_WORDS.format(count=count)
    return _page(RACE, words, panel, roll(seen.tape([x, y], [loss])), weights, content)


def _points(xs: Sequence[Sequence[float]], ys: Sequence[float]) -> list[tuple[float, float]]:
    """The points of a race; ValueError for what no line can go through."""
    try:
        pairs = [(x, y) for (x,), y in zip(xs, ys, strict=True)]
    except (TypeError, ValueError):
        words = "race_page expected rows of one number, [[0.5], [1.0]], and their targets"
        raise ValueError(words) from None
    points = [(finite("x", x), finite("y", y)) for x, y in pairs]
    if len({x for x, _ in points}) < 2 or len(points) > MOST_POINTS:
        raise ValueError(
            f"race_page expected 2 to {MOST_POINTS} points, not all with one x, got {len(points)}"
        )
    return points


def _map_of(points: Sequence[tuple[float, float]], start: Sequence[float]) -> Panel:
    """The loss of a line by slope and offset, with the start and the best line well inside."""

    def loss(w: float, b: float) -> float:
        return fmean((w * x + b - y) ** 2 for x, y in points)

    best = linear_regression(*zip(*points, strict=True))
    shape = WIDE / HIGH
    reach = max(abs(best[0] - start[0]) / shape, abs(best[1] - start[1]), 1e-3)
    (w, b), half = ((start[k] + best[k]) / 2 for k in range(2)), 0.9 * reach
    across = w - half * shape, w + half * shape
    panel = contours(loss, across, (b - half, b + half), x="w", y="b").panels[0]
    return replace(panel, marks=[*panel.marks, Mark("rings", [best[0]], [best[1]])])


# --- the page -----------------------------------------------------------------------------------


def _page(
    title: str,
    words: str,
    panel: Panel,
    program: Program,
    weights: Sequence[Value],
    content: dict[str, Any],
) -> WalkPage:
    """`content` is what walk.js and show.js read, with what is added to it here."""
    ends = [[scale.axis.low, scale.axis.high] for scale in (panel.across, panel.up)]
    at = [next((k for k, p in enumerate(program.parameters) if p is w), None) for w in weights]
    style = "\n".join([text_of("base.css"), STYLE, _text(HERE / "walk.css")])
    scripts = [text_of("numbers.js"), javascript.script(program), *map(_text, SCRIPTS)]
    known = {**content, "ends": ends, "at": at, "rates": RATES, "frame": [WIDE, HIGH]}
    parts = {
        "title": escape(visible(title)),
        "words": escape(words),
        "map": "".join(_map(panel)),
        "content": in_script(known),
    }
    html = assembled(_text(HERE / "walk.html"), style, "\n".join(scripts), parts)
    return WalkPage(title, html)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _map(panel: Panel) -> Iterator[str]:
    """The contours of a panel, and the numbers along its axes as large as other texts."""

    def place(xs: Numbers, ys: Numbers) -> Points:
        pairs = zip(panel.across.axis.places(xs), panel.up.axis.places(ys), strict=True)
        return [(WIDE * x, HIGH * (1 - y)) for x, y in pairs]

    yield f'<span class="name up">{panel.up.name}</span>'
    yield from _numbers(panel.up, "up", 'x="100%" y="{:.2f}%"', lambda share: 1 - share)
    label = escape(visible("; ".join(panel.notes)))
    yield f'<svg class="plane" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="Map: {label}">'
    yield '<clipPath id="near"><circle r="60"/></clipPath><g id="ground">'
    yield f'<rect width="{WIDE}" height="{HIGH}"/>'
    yield from (drawn_mark(mark, place) for mark in panel.marks)
    yield '</g><g id="walks"></g></svg>'
    yield from _numbers(panel.across, "across", 'x="{:.2f}%" y="1em"', lambda share: share)
    yield f'<span class="name across">{panel.across.name}</span>'


def _numbers(scale: Scale, side: str, form: str, at: Callable[[float], float]) -> Iterator[str]:
    """The round numbers along an axis."""
    yield f'<svg class="numbers {side}" aria-hidden="true">'
    found = ticks(scale.axis, TICKS)
    for share, (_, text) in zip(scale.axis.places(n for n, _ in found), found, strict=True):
        if 0.02 < share < 0.98:  # none beyond the corners
            yield f"<text {form.format(100 * at(share))}>{text}</text>"
    yield "</svg>"
