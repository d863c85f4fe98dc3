"""A run of watched training steps, as plain data that says only once what is the same in all."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, overload

from engine.pictures.drawing.picture import Picture
from engine.pictures.story.steps import Steps
from engine.pictures.story.watchable import Event, Watchable
from engine.pictures.texts import many, short
from nn.data import Dataset

MOST_POINTS = 1000  # of the data, on a page
MOST_EVENTS = 10_000  # of all steps together, on a page of at most 700 kB


class Run(Watchable, Sequence[Steps]):
    """The steps of a training run; `points[i]` has the rows that step i looked at.

    `mean_losses` are those of all of the data, before the first step and after the last.
    """

    def __init__(
        self,
        steps: list[Steps],
        points: list[list[int]],
        data: Dataset,
        mean_losses: tuple[float, float],
    ) -> None:
        self.steps, self.points, self.data = steps, points, data
        self.mean_losses = mean_losses

    @property
    def losses(self) -> list[float]:
        """The loss of each step, on its own points, before the update."""
        return [float(steps[-1]["loss_before"]) for steps in self.steps]

    @property
    def picture(self) -> Picture:
        """That of the first step."""
        return self.steps[0].picture

    @property
    def still(self) -> Picture:
        """The same in few cards."""
        return self.steps[0].still

    def document(self) -> dict[str, Any]:
        """The first step as plain data, and below `runs` what is different in each step."""
        first, kept = self.steps[0].document(), self._kept()
        cut = None
        if len(kept) < len(self):
            cut = f"{len(kept)} of {len(self)} training steps can be opened; more would be too many"
        runs = [
            {
                "step": number,
                "loss": steps[-1]["loss_before"],
                "loss_after": steps[-1]["loss_after"],
                "point": points[0] if len(points) == 1 else None,
                "points": points,
                "steps": packed(self.steps[0], steps) if number in kept else None,
            }
            for number, (steps, points) in enumerate(zip(self.steps, self.points, strict=True))
        ]
        data = {
            "features": self.data.features,
            "x": self.data.xs[:MOST_POINTS],
            "y": self.data.ys[:MOST_POINTS],
            "classes": self.data.classes,
        }
        before, after = map(short, self.mean_losses)
        title = f"{many(len(self), 'training step')}: mean loss of "
        title += f"{many(len(self.data.xs), 'point')} from {before} to {after}"
        changed = {"title": title, "cut": first["cut"] or cut, "live": None}
        return {**first, **changed, "runs": runs, "data": data}

    def transcript(self) -> str:
        """One line for each training step, counted from 1."""
        width = len(str(len(self)))
        return "\n".join(
            f"{n:>{width}}. {_listed(points)}: loss {short(steps[-1]['loss_before'])} -> "
            f"{short(steps[-1]['loss_after'])}"
            for n, (steps, points) in enumerate(zip(self.steps, self.points, strict=True), 1)
        )

    @overload
    def __getitem__(self, index: int) -> Steps: ...
    @overload
    def __getitem__(self, index: slice) -> list[Steps]: ...
    def __getitem__(self, index: int | slice) -> Steps | list[Steps]:
        return self.steps[index]

    def __len__(self) -> int:
        return len(self.steps)

    def _kept(self) -> set[int]:
        """The steps that fit on a page in full: the first, the last, and some between them."""
        last = len(self) - 1
        room = max(MOST_EVENTS // len(self.steps[0]), 2)
        some = range(len(self)) if last < room else [i * last // (room - 1) for i in range(room)]
        shape = _shape(self.steps[0])
        return {i for i in some if _shape(self.steps[i]) == shape}


def _listed(points: Sequence[int]) -> str:
    return f"point {points[0]}" if len(points) == 1 else many(len(points), "point")


def _shape(steps: Steps) -> tuple[object, ...]:
    """What steps have in common that are told with the same words and other numbers."""
    record = steps.record
    return record.graph.operands, record.labels, [event["kind"] for event in steps]


# --- what is different ------------------------------------------------------------------------

COLUMNS = {"backward": "contribution", "update": "after", "forward again": "data"}
OF_NODES = ("label", "name", "check", "zero", "why")
MANY = 5  # words left out one after the other, told as a tab with their number
OF_EDGES = ("partial_text",)


def packed(first: Steps, steps: Steps) -> dict[str, Any]:
    """A step beside the first one: the numbers from which all others follow.

    `data` has one number for each node and `partial` one for each edge; `contribution`, `after`
    and `again` have one for each event of a kind. Below `nodes` and `edges` stands what else is
    different, such as the name of a constant.
    """
    columns = {
        kind: [event[key] for event in steps if event["kind"] == kind]
        for kind, key in COLUMNS.items()
    }
    return {
        "data": steps.record.data,
        "nodes": _different(first.nodes, steps.nodes, OF_NODES),
        "partial": [edge.partial for edge in steps.record.edges],
        "edges": _different(first.edges, steps.edges, OF_EDGES),
        "contribution": columns["backward"],
        "again": columns["forward again"],
        "texts": [_other_words(old, new) for old, new in zip(first, steps, strict=True)],
        "after": columns["update"],  # last: near the same numbers, with which the next step begins
    }


def _different(
    before: Sequence[dict[str, Any]], now: Sequence[dict[str, Any]], keys: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The fields that are not as before, by the id of their node or edge."""
    fields = (
        {key: new[key] for key in keys if new[key] != old[key]}
        for old, new in zip(before, now, strict=True)
    )
    return {str(place): found for place, found in enumerate(fields) if found}


def _other_words(old: Event, new: Event) -> str:
    """A text without the words that the other one has at the same places; many of them counted."""
    known, words = str(old).split(" "), str(new).split(" ")
    if len(known) != len(words):
        return str(new)
    left = ("" if a == b else b for a, b in zip(known, words, strict=True))
    runs = ((word, len(list(run))) for word, run in groupby(left))
    return " ".join(
        f"\t{n}" if n >= MANY and not word else " ".join([word] * n) for word, n in runs
    )
