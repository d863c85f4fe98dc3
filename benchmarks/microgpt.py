"""A GPT as people publish it, one number at a time, and a word at a time.

The design of Karpathy's microgpt: letters as integers, embeddings looked up in a table, products
summed with `sum`, attention of several heads over the letters so far, a relu MLP, rmsnorm before
both; the loss is the mean of -log of the chance that the right letter had.

Three edits make it a program that is recorded once for each length of word:

1. `pick(table, letter)` where one writes `table[letter]`, and `pick(chances, letter)` where one
   writes `chances[letter]`: a letter is data then, and no part of the shape of a recording; and
   rows of a table that a word does not pick have a gradient of 0, so that Adam moves them too.
2. `max(logits)`, that of `engine`, in `softmax`, where one writes `max(z.data for z in logits)`: a
   recording does not let a function look at `.data`.
3. `nn.fit` with `nn.Adam` and `nn.linear` where one writes a loop of steps and the arithmetic of
   Adam with a learning rate that falls to 0.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import engine
from engine import Value, max, pick
from nn.module import Module

LETTERS = ".abcdefghijklmnopqrstuvwxyz"  # the dot stands before and after a word
WIDTH, HEADS, CONTEXT = 16, 4, 16
HEAD = WIDTH // HEADS

SHAPES = {
    "letter": (len(LETTERS), WIDTH),
    "position": (CONTEXT, WIDTH),
    **dict.fromkeys(("query", "key", "value", "mixed"), (WIDTH, WIDTH)),
    "up": (4 * WIDTH, WIDTH),
    "down": (WIDTH, 4 * WIDTH),
    "guess": (len(LETTERS), WIDTH),
}

Vector = Sequence[Any]  # of Values or floats


def total(xs: Vector, ys: Vector) -> Any:
    """The sum of the products."""
    return sum(x * y for x, y in zip(xs, ys, strict=True))


def softmax(logits: Vector) -> list[Any]:
    """Chances that add up to 1; shifted by the largest logit, so that nothing overflows."""
    top = max(logits)
    parts = [(z - top).exp() for z in logits]
    whole = sum(parts)
    return [part / whole for part in parts]


class Sums(NamedTuple):
    """How products and chances are computed."""

    total: Callable[[Vector, Vector], Any]
    softmax: Callable[[Vector], list[Any]]


PUBLISHED = Sums(total, softmax)
FUSED = Sums(engine.dot, engine.softmax)


class GPT(Module):
    """One layer of a transformer; called with letters, it gives the chances of the next ones.

    >>> model = GPT(seed=1)
    >>> len(model.parameters())
    4192
    >>> chances = model(letters("emma")[:-1])  # after the dot, and after each of four letters
    >>> len(chances), len(chances[0])
    (5, 27)
    """

    def __init__(self, seed: int = 0, sums: Sums = PUBLISHED) -> None:
        draw = random.Random(seed).gauss
        self.weights: dict[str, list[list[Any]]] = {
            name: [[Value(draw(0, 0.08)) for _ in range(columns)] for _ in range(rows)]
            for name, (rows, columns) in SHAPES.items()
        }
        self.total, self.softmax = sums

    def __call__(self, text: Sequence[int]) -> list[Vector]:
        """The chances of the next letter, after each letter of the text."""
        w, keys, values, chances = self.weights, *(list[Vector]() for _ in range(3))
        for place, letter in enumerate(text):
            x = self.normed(added(pick(w["letter"], letter), pick(w["position"], place)))
            y = self.normed(x)
            query = self.linear("query", y)
            keys.append(self.linear("key", y))
            values.append(self.linear("value", y))
            x = added(x, self.linear("mixed", self.attention(query, keys, values)))
            y = [h.relu() for h in self.linear("up", self.normed(x))]
            x = added(x, self.linear("down", y))
            chances.append(self.softmax(self.linear("guess", x)))
        return chances

    def linear(self, name: str, x: Vector) -> Vector:
        """One number for each row of weights."""
        return [self.total(row, x) for row in self.weights[name]]

    def normed(self, x: Vector) -> Vector:
        """Scaled so that the mean of the squares is 1 (rmsnorm)."""
        scale = (self.total(x, x) / len(x) + 1e-5) ** -0.5
        return [xi * scale for xi in x]

    def attention(self, query: Vector, keys: list[Vector], values: list[Vector]) -> Vector:
        """Each head's mean of the values so far, weighted by how well query and key match."""
        mixed = list[Any]()
        for head in (slice(start, start + HEAD) for start in range(0, WIDTH, HEAD)):
            scores = [self.total(query[head], key[head]) / HEAD**0.5 for key in keys]
            shares = self.softmax(scores)
            columns = zip(*[value[head] for value in values], strict=True)
            mixed += [self.total(shares, column) for column in columns]
        return mixed


def surprise(chances: Sequence[Vector], text: Sequence[int]) -> Any:
    """The mean of -log of the chance of each letter that came."""
    pairs = zip(chances, text, strict=True)
    return sum(-pick(chance, letter).log() for chance, letter in pairs) / len(text)


def letters(word: str) -> list[int]:
    """The places of its letters in `LETTERS`, with a dot before and after.

    >>> letters("cab")
    [0, 3, 1, 2, 0]
    """
    return [LETTERS.index(letter) for letter in f".{word}."]


def added(x: Vector, y: Vector) -> Vector:
    """Both, number by number."""
    return [xi + yi for xi, yi in zip(x, y, strict=True)]
