"""brickgrad's whole trainings: what a user would write."""

import csv
import io
import re
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np  # noqa: F401 (the first recording would import it)

import nn
from benchmarks.child import Halfway, Outcome, Training
from benchmarks.microgpt import FUSED, GPT, PUBLISHED, Sums, letters, surprise


def digits(task: Any) -> Training:
    """`fit` on the digits, with everything it does unless told otherwise."""
    data = nn.digits()

    def train(halfway: Halfway) -> Outcome:
        model = nn.MLP(64, [32, 10], task["activation"], init=task["init"], seed=task["seed"])
        history = nn.fit(
            model,
            nn.cross_entropy,
            data,
            steps=task["steps"],
            batch_size=task["batch"],
            lr=task["lr"],
            seed=task["seed"],
        )
        return outcome(history)

    return train


def gpt(sums: Sums, task: Any) -> Training:
    """`fit` on words, one in each step."""
    texts = [letters(word) for word in task["words"]]
    data = [text[:-1] for text in texts], [text[1:] for text in texts]

    def train(halfway: Halfway) -> Outcome:
        model = GPT(task["seed"], sums)
        history = nn.fit(
            model,
            surprise,
            data,
            steps=task["steps"],
            batch_size=1,
            optimizer=nn.Adam(model.parameters(), betas=tuple(task["betas"])),
            lr=nn.linear(task["lr"], task["steps"]),
            seed=task["seed"],
        )
        return outcome(history)

    return train


published = partial(gpt, PUBLISHED)
fused = partial(gpt, FUSED)


def outcome(history: nn.History) -> Outcome:
    """What came of it; the time of a step, in the second half, as the history has it.

    A clock of our own in it, a callback or a schedule that looks at more than numbers, would have
    each step bring back the parameters.
    """
    rights = [right for right in history.accuracy if right is not None]
    second_half = history.seconds[len(history) // 2 :]
    return Outcome(history.loss, rights, a_step=sum(second_half) / len(second_half))


def command(task: Any) -> Training:
    """`brickgrad train` on a file; the seconds of its training, as its history has them, apart."""
    from nn import cli

    given = ["train", task["path"], "--target", task["target"], "--out", task["out"]]

    def train(halfway: Halfway) -> Outcome:
        with redirect_stdout(io.StringIO()) as said:
            if cli.main(given):
                raise RuntimeError("brickgrad train failed")
        with Path(task["out"], "history.csv").open(encoding="utf-8", newline="") as file:
            seconds = sum(float(row["seconds"]) for row in csv.DictReader(file))
        shares = re.findall(r"(?m)^ +accuracy.* ([\d.]+)%$", said.getvalue())
        learned_from, aside = (float(share) / 100 for share in shares)
        return Outcome([], [0.8 * learned_from + 0.2 * aside], seconds)

    return train
