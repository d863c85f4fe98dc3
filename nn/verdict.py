"""Says what a net's answers are worth: beside no net at all, class by class, by its curves."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import eq
from typing import Any

from engine.ieee import fsum
from engine.pictures.texts import many, visible
from nn.data import Decision
from nn.extremes import MOST_OF_IT, RARE
from nn.history import ALL_DONE, INTERRUPTED, History
from nn.task import Task

MOST_CLASSES = 12  # of which a table fits on a screen
LONGEST = 18  # letters of a class in a table
FEWEST_STEPS = 100  # of which curves say something
FEWEST_LOOKS = 8  # at rows held out: the same
STILL = 0.01  # the loss moves by less than this share between two quarters: a plateau
FALLING = 0.05  # by more than this: it still falls
RISEN = 1.1  # times the lowest loss of rows held out: more is learning by heart
FEWEST_ROWS = 20  # kept aside, of which a loss says something
APART = 2.0  # times the loss of rows learned from: the same, of rows kept aside


def usual_answer(task: Task, ys: Sequence[float]) -> float:
    """The answer without a net: the most frequent class of the (scaled) targets, or their mean.

    >>> from nn.data import iris
    >>> from nn.task import learn
    >>> usual_answer(learn(iris()), [2, 1, 2, 0])
    2
    """
    [(most, _)] = Counter(ys).most_common(1)
    return most if task.classes else fsum(ys) / len(ys)


def in_words(task: Task, answer: float) -> str:
    """The answer without a net, as a person would give it."""
    return f"always {visible(task.words(answer))[:LONGEST]}" + ", the mean" * (not task.classes)


def figures(task: Task, ys: Sequence[Any], answers: Sequence[Any]) -> dict[str, str]:
    """How good answers are, by the name of each measure.

    Of classes the share that is right. Of numbers the root of the mean squared error in the unit of
    the target, and R2: 1 where all is right, 0 for the mean of the targets, below 0 for worse, and
    not defined where all targets are the same.
    """
    if task.classes:
        return {task.measure: task.quality(0.0, right(ys, answers))}
    lost = squares(ys, answers)
    spread = squares(ys, [fsum(ys) / len(ys)] * len(ys))
    return {
        task.measure: task.quality(lost, None),
        "R2": f"{1 - lost / spread:.3f}" if spread else "not defined",
    }


def right(ys: Sequence[Any], answers: Sequence[Any]) -> float:
    """The share of answers that are their targets."""
    return float(sum(map(eq, ys, answers)) / len(ys))


def squares(ys: Sequence[float], answers: Sequence[float]) -> float:
    """The mean squared error."""
    return fsum([(y - answer) ** 2 for y, answer in zip(ys, answers, strict=True)]) / len(ys)


def answers_of(task: Task, outputs: Sequence[Any]) -> list[Any]:
    """What outputs of a net stand for: classes by their place, numbers as they are."""
    return Decision(range(task.outputs), 0.0).labels_of(outputs) if task.classes else [*outputs]


def comparison(
    task: Task, ys: Sequence[Any], rows: Mapping[str, Sequence[Any]]
) -> dict[str, dict[str, str]]:
    """Columns of figures, with a line for each kind of answers, by its name."""
    lines = {name: figures(task, ys, answers) for name, answers in rows.items()}
    measures = next(iter(lines.values()))
    return {measure: {name: line[measure] for name, line in lines.items()} for measure in measures}


def gain(
    task: Task, ys: Sequence[Any], answers: Sequence[Any], others: Sequence[Any]
) -> tuple[float, float]:
    """By how much answers are better than others, and how much of that may be chance.

    Of classes by so many right answers, of which the root of those that differ may be chance. Of
    numbers by the mean squared error, with the standard error of the difference.

    >>> from nn.data import iris
    >>> from nn.task import learn
    >>> gain(learn(iris()), [0, 1, 1, 2], [0, 1, 1, 0], [0, 0, 0, 2])
    (1.0, 1.7320508075688772)
    """
    if task.classes:
        hits = [(y == a) - (y == b) for y, a, b in zip(ys, answers, others, strict=True)]
        return float(sum(hits)), math.sqrt(sum(map(abs, hits)))
    saved = [(y - b) ** 2 - (y - a) ** 2 for y, a, b in zip(ys, answers, others, strict=True)]
    mean = fsum(saved) / len(saved)
    spread = fsum([(x - mean) ** 2 for x in saved])
    return mean, math.sqrt(spread / max(1, len(saved) - 1) / len(saved))


def outweighed(task: Task, ys: Sequence[float], answers: Sequence[float]) -> str:
    """A line where so few rows make nearly all of the squared error that it says little of others.

    Else "".

    >>> from nn.data import Dataset
    >>> from nn.task import learn
    >>> task = learn(Dataset([[1.0], [2.0]], [-1.0, 1.0], ("a",), (), "y"))
    >>> outweighed(task, [0.0] * 20, [0.5] * 19 + [100.0])
    'Of the squared error 100% is that of 1 row in 20; without it the typical error is 0.5.'
    """
    lost = sorted([(y - answer) ** 2 for y, answer in zip(ys, answers, strict=True)])
    few = max(1, int(RARE * len(ys)))
    others, whole = fsum(lost[:-few]), fsum(lost)
    if len(ys) < FEWEST_ROWS or not whole - others > MOST_OF_IT * whole:
        return ""
    return (
        f"Of the squared error {(whole - others) / whole:.0%} is that of {many(few, 'row')} in "
        f"{len(ys):,}; without {'it' if few == 1 else 'them'} the typical error is "
        f"{task.quality(others / (len(ys) - few), None)}."
    )


def beside_no_net(task: Task, ys: Sequence[Any], answers: Sequence[Any], usual: Any) -> str:
    """What is to be warned of where a net's answers are not clearly better than the usual one.

    Else "". Where all targets are the same class, that is said: they cannot tell.
    """
    words = in_words(task, usual)
    target = visible(task.target)
    if task.classes and set(ys) == {usual} and set(answers) == {usual}:
        return (
            f"all these rows are {visible(task.words(usual))[:LONGEST]!r}, so they cannot tell "
            f"whether the net found anything; rows of other classes, or another --seed, would"
        )
    better, chance = gain(task, ys, answers, [usual] * len(ys))
    if better <= 0:
        return (
            f"the net is no better than {words!r}: it found nothing in the columns that tells "
            f"{target!r}; more rows, other columns or another --seed may help"
        )
    if better < chance:
        return (
            f"the net is better than {words!r} by so little that it may be chance: these "
            f"{many(len(ys), 'row')} do not say that it found anything that tells {target!r}"
        )
    return ""


def confusion(task: Task, ys: Sequence[Any], answers: Sequence[Any]) -> dict[str, dict[str, str]]:
    """Columns of a table with a line for each class: how its rows were answered, and its recall.

    Recall is the share of a class's rows that was found. Of many classes the columns of answers are
    left out, and the lines are those of the lowest recall.

    >>> from nn.data import iris
    >>> from nn.task import learn
    >>> confusion(learn(iris()), [0, 1, 1], [0, 1, 2])["recall"]
    {'setosa': '100.0%', 'versicolor': '50.0%', 'virginica': 'no rows'}
    """
    pairs, rows = Counter(zip(ys, answers, strict=True)), Counter(ys)
    shares = {k: pairs[k, k] / rows[k] if rows[k] else math.inf for k in range(len(task.classes))}
    names = _names(task.classes)
    kinds = [*range(len(names))]
    table = {}
    if len(names) <= MOST_CLASSES:
        for answer in kinds:
            table[f"-> {names[answer]}"] = {names[y]: f"{pairs[y, answer]:,}" for y in kinds}
    else:
        kinds = sorted(kinds, key=shares.__getitem__)[:MOST_CLASSES]
        table["rows"] = {names[y]: f"{rows[y]:,}" for y in kinds}
    table["recall"] = {names[y]: f"{shares[y]:.1%}" if rows[y] else "no rows" for y in kinds}
    return table


def _names(classes: Sequence[str]) -> list[str]:
    """Short names that stay apart."""
    short = [visible(name)[:LONGEST] for name in classes]
    twice = {name for name, count in Counter(short).items() if count > 1}
    return [f"{name} ({k})" if name in twice else name for k, name in enumerate(short, 1)]


def remarks(history: History, learned: float, aside: float | None = None) -> list[str]:
    """What the curves of a training say: an early stop, learning by heart, a plateau.

    `learned` is the loss of the rows learned from at the end, `aside` that of rows kept aside.
    """
    found, looks = [], [loss for loss in history.validation_loss if loss is not None]
    if history.kept is not None:
        lowest, last = history.validation_loss[history.kept], looks[-1]
        found.append(
            f"{_kept(history)} are kept: there the loss of the rows held out was lowest, "
            f"{lowest:.4g}."
        )
        if lowest is not None and last > RISEN * lowest:
            found.append(
                f"From there on it rose to {last:.4g}: the net began to learn by heart "
                "(overfitting). More rows or smaller --layers may help."
            )
    elif aside is not None and aside > APART * learned:
        found.append(
            f"The loss on rows kept aside is {aside / learned:.2g} times that on rows learned "
            "from: some was learned by heart (overfitting). More rows, smaller --layers or fewer "
            "--steps may help."
        )
    enough = len(history) >= FEWEST_STEPS and not 0 < len(looks) < FEWEST_LOOKS
    if enough and history.ended == ALL_DONE:
        found += _end_of(looks, " on the rows held out") if looks else _end_of(history.loss)
    return found


def _kept(history: History) -> str:
    """How a training with rows held out ended, and which weights it left."""
    step, taken = f"step {(history.kept or 0) + 1:,}", many(len(history), "step")
    if history.ended == ALL_DONE:
        return f"The weights of {step} of {len(history):,}"
    how = "Ctrl-C stopped it" if history.ended == INTERRUPTED else "It stopped early,"
    return f"{how} after {taken}; the weights of {step}"


def _end_of(curve: Sequence[float], where: str = "") -> list[str]:
    """Whether a loss was still falling at the end, or stood still."""
    n = len(curve)
    quarters = [curve[a:b] for a, b in pairwise((n // 2, 3 * n // 4, n))]
    third, fourth = (fsum(losses) / len(losses) for losses in quarters)
    if abs(third - fourth) <= STILL * abs(third):
        return [
            f"In the last half of the steps the loss{where} stayed near {fourth:.4g} (a plateau). "
            "The net may have found all that there is, or be stuck: another --seed, a larger --lr "
            "or more --steps would tell."
        ]
    if fourth < (1 - FALLING) * third:
        return [
            f"The loss{where} was still falling at the end ({third:.4g} to {fourth:.4g} in the "
            "last half): more --steps may lower it."
        ]
    return []
