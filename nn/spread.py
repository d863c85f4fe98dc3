"""The median and the range of a result over seeds: in numbers, and as a chart."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from statistics import median
from typing import Any, NamedTuple, Protocol

from engine.names import no_such
from engine.pictures.texts import many
from nn.axis import Tick, are_steps_of_ratio, axis_of, is_wide
from nn.chart import ACROSS
from nn.document import Chart, for_charts
from nn.ledger import Key, key_of
from nn.mark import LOOKS, Mark
from nn.panel import Panel, Scale

Row = Mapping[str, Any]


class Spread(NamedTuple):
    """One setting: its values by name, and the median, the least and the most over its runs.

    nan where no run of it gave a number. `runs` counts those that did, `failed` the others.
    """

    setting: dict[str, Any]
    median: float
    low: float
    high: float
    runs: int
    failed: int


class Swept(Protocol):
    """What a plot reads of a Sweep."""

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of the settings."""

    @property
    def rows(self) -> Sequence[Row]:
        """A row for each run."""


def spread(rows: Sequence[Row], settings: Sequence[str], y: str, over: str) -> list[Spread]:
    """The median and the range of `y` over the runs that differ in `over` alone.

    In the order of the rows. A number that is not finite counts as failed. ValueError for a result
    that is not there.

    >>> rows = [{"lr": 0.1, "seed": k, "loss": k / 8} for k in range(3)]
    >>> spread(rows, ("lr", "seed"), "loss", "seed")
    [Spread(setting={'lr': 0.1}, median=0.125, low=0.0, high=0.25, runs=3, failed=0)]
    """
    if over != "seed" and over not in settings:
        raise ValueError(no_such("setting", over, list(settings)))
    results = [
        name for name in dict(chain(*map(dict.items, map(dict, rows)))) if _is_number(rows, name)
    ]
    if y not in results:
        raise ValueError(no_such("result of numbers", y, [n for n in results if n not in settings]))
    names = [name for name in settings if name != over]
    groups: dict[Key, tuple[dict[str, Any], list[float]]] = {}
    for row in rows:
        setting = {name: row[name] for name in names}
        groups.setdefault(key_of(setting.values()), (setting, []))[1].append(_number(row[y]))
    found = []
    for setting, numbers in groups.values():
        good = [x for x in numbers if math.isfinite(x)]
        three = (median(good), min(good), max(good)) if good else (math.nan,) * 3
        found.append(Spread(setting, *three, len(good), len(numbers) - len(good)))
    return found


def _is_number(rows: Sequence[Row], name: str) -> bool:
    return any(isinstance(row.get(name), int | float) for row in rows)


def _number(cell: Any) -> float:
    try:
        return float(cell) if isinstance(cell, int | float) else math.nan
    except OverflowError:  # an int beyond floats
        return math.nan


@for_charts
def plot_sweep(
    sweep: Swept, y: str = "loss", x: str | None = None, over: str = "seed", title: str = ""
) -> Chart:
    """A result against a setting: the median over seeds as a line, its range as an area.

    `x` is a setting: the one with most values unless given. Each combination of the other settings
    is a curve of its own, 7 at most. Axes whose numbers are far apart are logarithmic, also that of
    a setting such as 0.03, 0.1, 0.3; a setting of texts has its values side by side. ValueError
    where there is no such setting or result, and where there are more curves.

    >>> from nn.sweep import sweep
    >>> def train(lr, seed):
    ...     return {"loss": (lr - 0.25) ** 2 + seed / 8}
    >>> plot_sweep(sweep({"lr": [0.5, 0.25], "seed": range(3)}, train))
    loss over lr: median of 3 runs, 2 points from (0.25, 0.125) to (0.5, 0.1875); pale: its range
    """
    spreads = spread(sweep.rows, sweep.settings, y, over)
    names = [name for name in sweep.settings if name != over]
    values = {name: _different(one.setting[name] for one in spreads) for name in names}
    if not names:
        raise ValueError(f"plot_sweep expected a setting besides {over!r}, got none")
    x = max(names, key=lambda name: len(values[name])) if x is None else x
    if x not in names:
        raise ValueError(no_such("setting", x, names))
    curves: dict[str, list[tuple[float, Spread]]] = {}
    places = dict(zip(map(_key, values[x]), _places(values[x]), strict=True))
    for one in spreads:
        curve = curves.setdefault(_curve_of(one, x, values), [])
        if one.runs:
            curve.append((places[_key(one.setting[x])], one))
    if len(curves) > LOOKS:
        raise ValueError(
            f"plot_sweep has room for {LOOKS} curves, got {len(curves)}: leave settings out, or "
            "give another x"
        )
    return _drawn(curves, x, y, title, _names_of(values[x]))


def _key(value: Any) -> Key:
    return key_of([value])


def _different(values: Iterable[Any]) -> list[Any]:
    """Each value once: True is another one than 1."""
    return list({_key(value): value for value in values}.values())


def _places(values: Sequence[Any]) -> list[float]:
    """Where values stand on the axis below: numbers as they are, others side by side."""
    numbers = list(map(_number, values))
    return numbers if all(map(math.isfinite, numbers)) else [float(k) for k in range(len(values))]


def _names_of(values: Sequence[Any]) -> tuple[Tick, ...] | None:
    is_number = all(math.isfinite(_number(v)) for v in values)
    return None if is_number else tuple(Tick(float(k), str(v)) for k, v in enumerate(values))


def _curve_of(one: Spread, x: str, values: Mapping[str, Sequence[Any]]) -> str:
    """What tells a curve from the others."""
    parts = [f"{n} {v}" for n, v in one.setting.items() if n != x and len(values[n]) > 1]
    return ", ".join(parts)


def _drawn(
    curves: Mapping[str, list[tuple[float, Spread]]],
    x: str,
    y: str,
    title: str,
    names: tuple[Tick, ...] | None,
) -> Chart:
    each = [pair for curve in curves.values() for pair in curve]
    if not each:
        raise ValueError(f"plot_sweep expected a run that gave {y}, got none")
    across = [place for place, _ in each]
    heights = [height for _, one in each for height in (one.low, one.high)]
    marks, areas = list[Mark](), list[Mark]()
    for look, (name, curve) in enumerate(curves.items()):
        curve.sort(key=lambda pair: pair[0])
        xs = [place for place, _ in curve]
        ones = [one for _, one in curve]
        if not xs:
            continue
        if any(one.low < one.high for one in ones) and len(xs) > 1:
            edge = [*(one.low for one in ones), *(one.high for one in reversed(ones))]
            areas.append(Mark("areas", [*xs, *reversed(xs)], edge, look=look))
        elif len(xs) == 1:
            areas.append(Mark("line", xs * 2, [ones[0].low, ones[0].high], look=look))
        runs = max(one.runs for one in ones)
        words = f"median of {many(runs, 'run')}"
        middle = [one.median for one in ones]
        marks.append(Mark("line", xs, middle, f"{name}: {words}" if name else words, look))
        marks.append(Mark("dots", xs, middle, look=look))
    is_log = names is None and (is_wide(across) or are_steps_of_ratio(across))
    axis = axis_of(across, is_log, 0.1 if names else ACROSS)
    up = axis_of(heights, is_wide(heights))
    gone = sum(one.failed for _, one in each)
    notes = ["pale: its range", *([f"{many(gone, 'run')} without it"] if gone else [])]
    scales = Scale(x, axis, names), Scale(y, up)
    return Chart((Panel(title or f"{y} over {x}", *scales, [*areas, *marks], notes),))
