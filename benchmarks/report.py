"""The figures as a table: medians, ratios of turns, goals reached or missed."""

import math
from collections.abc import Sequence
from statistics import median

from benchmarks.turns import Measured
from benchmarks.works import Goal, Work

TOLERANCE = 1e-12  # losses are the same to 12 digits

Turns = list[Measured]  # of one contender, the warm-up first


def disagreement(measured: dict[str, Turns]) -> tuple[float, int]:
    """The largest relative difference of the losses of one step, and how many steps are compared.

    Those that all contenders took; inf for nan.
    """
    losses = [[loss for turn in turns for loss in turn.results] for turns in measured.values()]
    steps = list(zip(*losses, strict=False))
    largest = 0.0
    for results in steps:
        spread = (max(results) - min(results)) / (max(map(abs, results)) or 1.0)
        largest = max(largest, spread if math.isfinite(math.fsum(results)) else math.inf)
    return largest, len(steps)


def ratio(slow: Turns, fast: Turns) -> float:
    """How many times as fast: the median of the ratios of turns side by side."""
    return median(a.amount / b.amount for a, b in zip(slow[1:], fast[1:], strict=False))


def table(work: Work, measured: dict[str, Turns], same: bool) -> list[str]:
    """A line for each contender (median, lowest, ratios, remark), then one for each goal."""
    against = dict.fromkeys(goal.against for goal in work.goals)
    peers = [name for name in against if name in measured]
    lines = [f"  {'':26}{'median':>10}{'lowest':>10}  {work.unit:14}" + _cells(peers)]
    for name, turns in measured.items():
        amounts = [turn.amount for turn in turns[1:]]
        ratios = [f"{short(ratio(measured[peer], turns))}x" if same else "" for peer in peers]
        line = f"  {name:26}{short(median(amounts)):>10}{short(min(amounts)):>10}"
        lines.append(f"{line}{'':16}{_cells(ratios)}{turns[-1].note}".rstrip())
    width = max(len(goal.contender) for goal in work.goals)
    goals = [
        f"  {goal.contender:{width}}  {goal}: {fate(goal, measured, same)}" for goal in work.goals
    ]
    return lines + goals


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
        figure = ratio(measured[goal.against], turns)
        return f"{short(figure)}x, {goal.fate(figure)}"
    figure = median(turn.amount for turn in turns[1:])
    return f"{short(figure)}, {goal.fate(figure)}"
