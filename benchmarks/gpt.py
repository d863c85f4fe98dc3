"""A GPT written one number at a time: it reads characters and guesses the next one.

The same design as Karpathy's microgpt: embeddings, attention of several heads that looks back only,
a relu MLP, and rmsnorm in front of both. No matrix stands here; replay finds them.
"""

import random
from collections.abc import Sequence
from typing import Any

from engine.functions import cross_entropy, softmax
from engine.value import Value
from nn.module import Module

CHARACTERS = ".abcdefghijklmnopqrstuvwxyz"  # the dot stands before and after a word
WIDTH, HEADS, CONTEXT = 16, 4, 16
HEAD = WIDTH // HEADS

SHAPES = {
    "character": (WIDTH, len(CHARACTERS)),
    "position": (CONTEXT, WIDTH),
    **dict.fromkeys(("query", "key", "value", "mixed"), (WIDTH, WIDTH)),
    "up": (4 * WIDTH, WIDTH),
    "down": (WIDTH, 4 * WIDTH),
    "guess": (len(CHARACTERS), WIDTH),
}

Vector = Sequence[Any]  # of Values or floats


class GPT(Module):
    """One layer of a transformer; called with a text as `one_hot` rows, it gives logits.

    >>> model = GPT(seed=1)
    >>> len(model.parameters())
    4192
    >>> rows = one_hot(".emma.")
    >>> logits = model(rows[:-1])  # of the next character, after each of five
    >>> len(logits), len(logits[0])
    (5, 27)
    """

    softmax: Any = staticmethod(softmax)

    def __init__(self, seed: int = 0) -> None:
        draw = random.Random(seed).gauss
        self.weights: dict[str, list[list[Any]]] = {
            name: [[Value(draw(0, 0.08)) for _ in range(columns)] for _ in range(rows)]
            for name, (rows, columns) in SHAPES.items()
        }

    def __call__(self, text: Sequence[Vector]) -> list[Vector]:
        """The logits of the next character, after each character of the text."""
        w = self.weights
        keys: list[Vector] = []
        values: list[Vector] = []
        logits = []
        for character, position in zip(text, w["position"], strict=False):
            x = normed(added(self.embedded(character), position))
            y = normed(x)
            query = linear(w["query"], y)
            keys.append(linear(w["key"], y))
            values.append(linear(w["value"], y))
            x = added(x, linear(w["mixed"], self.attention(query, keys, values)))
            y = [h.relu() for h in linear(w["up"], normed(x))]
            x = added(x, linear(w["down"], y))
            logits.append(linear(w["guess"], x))
        return logits

    def embedded(self, character: Vector) -> Vector:
        """The column of the character: what a product with a one-hot row picks."""
        return linear(self.weights["character"], character)

    def attention(self, query: Vector, keys: list[Vector], values: list[Vector]) -> Vector:
        """Each head's mean of the values so far, weighted by how well query and key match."""
        mixed = []
        for start in range(0, WIDTH, HEAD):
            head = slice(start, start + HEAD)
            scores = [total(query[head], key[head]) / HEAD**0.5 for key in keys]
            shares = self.softmax(scores)
            mixed += [total(shares, column) for column in zip(*[v[head] for v in values])]  # noqa: B905 (heads are alike)
        return mixed


def surprise(logits: Sequence[Vector], text: Sequence[Vector]) -> Value:
    """The mean cross-entropy of the guesses, for the characters that came."""
    pairs = zip(logits, text, strict=True)
    loss: Value = sum(cross_entropy(guess, character) for guess, character in pairs) / len(text)
    return loss


def one_hot(text: str) -> list[list[float]]:
    """A row for each character, with 1 at its place in `CHARACTERS`.

    A replay takes them as data. Integers would be part of its shape: a recording for every word.
    """
    return [[float(character == c) for c in CHARACTERS] for character in text]


def linear(rows: Sequence[Vector], x: Vector) -> Vector:
    """One number for each row of weights."""
    return [total(row, x) for row in rows]


def normed(x: Vector) -> Vector:
    """Scaled so that the mean of the squares is 1 (rmsnorm)."""
    scale = (total(x, x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def added(x: Vector, y: Vector) -> Vector:
    """Both, number by number."""
    return [xi + yi for xi, yi in zip(x, y, strict=True)]


def total(x: Vector, y: Vector) -> Any:
    """The sum of the products."""
    return sum(xi * yi for xi, yi in zip(x, y, strict=True))
