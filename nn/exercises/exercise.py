"""What an exercise is: what is asked, and what is said of answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WAYS = ("up", "down", "neither")
ZEROS = ("not computed", "no path", "dead", "constant")


@dataclass(frozen=True)
class Exercise:
    """What is asked, and what is said of an answer.

    `answer` is the right one: a word or a number, or a dict or list of them; or a function that
    gives it from the numbers of the notebook; with `points`, the function that is asked for, which
    is compared there; or None, where gradients are asked for of a graph, or with `words` which way
    its end goes.

    `slips` has wrong answers of the same kind, by what is said of them; of words all that can be
    chosen are in `words`. `solution` and each of `wrong` are lines to write above the call of
    `check`; beside a wrong one stands a part of the reply.
    """

    asks: str
    hints: tuple[str, ...]
    solution: str
    wrong: Mapping[str, str]
    answer: Any = None
    slips: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    points: tuple[float, ...] = ()
