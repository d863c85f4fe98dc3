"""The figures as a table: medians, ratios of turns, goals reached or missed."""

import math
from collections.abc import Sequence
from statistics import median

from benchmarks.turns import Measured
from benchmarks.works import Goal, Work

Turns = list[Measured]  # of one contender, the warm-up first


def disagreement(measured: dict[str, Turns]) -> tuple[float, int]:
    """The largest relative difference of the losses of one step, and how many steps are compared.

    Those that all contenders took who were not stopped; inf for nan.
    """
    losses = [[loss for turn in turns for loss in turn.results] for turns in measured.values()]
    steps = list(zip(*filter(None, losses), strict=False))
    largest = 0.0
    for results in steps:
        spread = (max(results) - min(results)) / (max(map(abs, results)) or 1.0)
        largest = max(largest, spread if math.isfinite(math.fsum(results)) else math.inf)
    return largest, len(steps)


def figures(turns: Turns, of: str = "") -> list[float]:
    """One of the figures of each turn but the warm-up: its amount, or what is named."""
    return [turn.also.get(of, math.inf) if of else turn.amount for turn in turns[1:]]


def ratio(slow: Turns, fast: Turns, of: str = "") -> float:
    """How many times as fast: the median of the ratios of turns side by side."""
    pairs = zip(figures(slow, of), figures(fast, of), strict=False)
    return median(a / b for a, b in pairs)


def table(work: Work, measured: dict[str, Turns], same: bool) -> list[str]:
    """A line for each contender (median, lowest, ratios, remark), then one for each goal.

    So for each of the figures that the work shows; the others stand in remarks, as medians.
    """
    against = dict.fromkeys(goal.against for goal in work.goals)
    peers = [name for name in against if name in measured]
    wide = max([24, *map(len, measured)]) + 2
    lines = []
    for of in work.shown:
        lines.append(f"  {of:{wide}}{'median':>10}{'lowest':>10}  {'' if of else work.unit:14}")
        lines[-1] = (lines[-1] + _cells(peers)).rstrip()
        for name, turns in measured.items():
            found = figures(turns, of)
            if of and math.isinf(median(found)):  # no figure of this contender's
                continue
            ratios = [
                f"{short(ratio(measured[peer], turns, of))}x" if same else "" for peer in peers
            ]
            line = f"  {name:{wide}}{short(median(found)):>10}{short(min(found)):>10}"
            remark = "" if of else _remark(turns, work.shown)
            lines.append(f"{line}{'':16}{_cells(ratios)}  {remark}".rstrip())
    width = max(len(goal.contender) for goal in work.goals)
    goals = [
        f"  {goal.contender:{width}}  {goal}: {fate(goal, measured, same)}" for goal in work.goals
    ]
    return lines + goals


def _remark(turns: Turns, shown: Sequence[str]) -> str:
    others = [name for name in turns[-1].also if name not in shown]
    parts = []
    for name in others:
        words, _, unit = name.rpartition(", ")
        parts.append(f"{words} {short(median(figures(turns, name)))} {unit}")
    return "; ".join(filter(None, [*parts, turns[-1].note]))


def _cells(texts: Sequence[str | None]) -> str:
    return "".join(f"{text or '':>18}" for text in texts)


def short(amount: float) -> str:
    """Three digits of a small number, all of a large one."""
    return f"{amount:,.0f}" if abs(amount) >= 100 else f"{amount:.3g}"


def fate(goal: Goal, measured: dict[str, Turns], same: bool) -> str:
    """The figure of a goal, and whether it is reached; or why nobody knows."""
    for name in (goal.contender, goal.against):
        if name and name not in measured:
            return f"unknown, {name} is not here"
    if not same:
        return "MISSED, the losses differ"
    turns = measured[goal.contender]
    if goal.against:
        figure = ratio(measured[goal.against], turns, goal.of)
        return f"{short(figure)}x, {goal.fate(figure)}"
    figure = median(figures(turns, goal.of))
    return f"{short(figure)}, {goal.fate(figure)}"
