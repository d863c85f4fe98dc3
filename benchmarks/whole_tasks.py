"""What whole trainings are given, as JSON can hold it: peers get our weights and our order."""

import random
from collections.abc import Sequence
from typing import Any

from benchmarks.microgpt import GPT, HEADS, letters
from benchmarks.whole import scratch
from nn.data import digits, shuffled
from nn.module import MLP

CONSONANTS, VOWELS = "nrlstmdkbghvjpczfyw", "aeiou"  # the first ones come most often
BATCH = 32
COLUMNS, KINDS = 20, ("low", "middle", "high")
Task = dict[str, Any]


def digits_task(activation: str = "relu", steps: int = 1000, process: bool = False) -> Task:
    """An MLP 64-32-10 on the digits, batches of 32 shuffled, SGD."""
    init, seed = {"relu": "he", "tanh": "xavier"}[activation], 1337
    count = len(digits().xs)
    weights = list[Any]()
    for layer in MLP(64, [32, 10], activation, init=init, seed=seed).layers:
        weights.append([[w.data for w in neuron.w] for neuron in layer.neurons])
        weights.append([neuron.b.data for neuron in layer.neurons])
    task = {
        **{"activation": activation, "init": init, "seed": seed, "lr": 0.1, "batch": BATCH},
        **{"steps": steps, "weights": weights, "order": _order(count, BATCH, seed, steps)},
    }
    return {**task, "process": True, "pass": -(-count // BATCH)} if process else task


def words_task(steps: int = 1000, words: Sequence[str] = ()) -> Task:
    """A GPT on as many words, one in each step, by Adam with a rate that falls to 0."""
    seed, words = 1, words or made_up(steps)
    weights = {
        name: [[w.data for w in row] for row in rows] for name, rows in GPT(seed).weights.items()
    }
    texts = [letters(words[row]) for (row,) in _order(steps, 1, seed, steps)]
    return {
        **{"steps": steps, "seed": seed, "lr": 0.01, "betas": [0.85, 0.99], "heads": HEADS},
        **{"words": words, "weights": weights, "texts": texts},
    }


def made_up(count: int) -> list[str]:
    """Words of 3 to 10 letters that can be spoken, the same ones each time.

    >>> made_up(5)
    ['baman', 'sanajan', 'elunoran', 'adile', 'nis']
    """
    draw, words = random.Random(7).random, []
    for _ in range(count):
        length, kinds = (
            3 + int(8 * draw()),
            (CONSONANTS, VOWELS) if draw() < 0.6 else (VOWELS, CONSONANTS),
        )
        some = [kinds[k % 2] for k in range(length)]
        words.append("".join(kind[int(len(kind) * draw() ** 2)] for kind in some))
    return words


def table_task(rows: int = 50_000) -> Task:
    """A CSV file: columns of numbers, each on a scale of its own, and a class to learn."""
    rng, place = random.Random(5), scratch()
    names = [f"x{k}" for k in range(1, COLUMNS + 1)]
    means, scales, slopes = ([rng.uniform(-2, 2) for _ in names] for _ in range(3))
    path = place / f"{rows}-rows.csv"
    with path.open("w", encoding="ascii") as file:
        print(*names, "kind", sep=",", file=file)
        for _ in range(rows):
            xs = [rng.gauss(0, 1) for _ in names]
            size = sum(x * slope for x, slope in zip(xs, slopes, strict=True))
            kind = KINDS[(size > -2) + (size > 2)]
            cells = [f"{m + 10**s * x:.4f}" for x, m, s in zip(xs, means, scales, strict=True)]
            print(*cells, kind, sep=",", file=file)
    return {"path": str(path), "target": "kind", "out": str(place / "trained"), "rows": rows}


def _order(count: int, batch: int, seed: int, steps: int) -> list[list[int]]:
    """The rows of each step, as `fit` takes them: the next ones of a shuffled pass."""
    rng, order = random.Random(seed), list[list[int]]()
    while len(order) < steps:
        rows = shuffled(count, rng)
        order += [rows[k : k + batch] for k in range(0, count, batch)]
    return order[:steps]
