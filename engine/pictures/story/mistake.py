"""A pass with a mistake beside the right one: which numbers differ, and which first."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from engine.pictures.drawing.picture import Picture
from engine.pictures.story.record import added, hasty, mirrored, replaced
from engine.pictures.story.steps import Steps
from engine.pictures.story.watchable import Event, Watchable
from engine.pictures.texts import short

MISTAKES = {
    "= instead of +=": (
        "Where paths meet, the blame of one path replaces that of the others. It has to be added.",
        mirrored,
        replaced,
    ),
    "wrong order": (
        "A number hands on its blame as soon as the first share arrives. What arrives later stays "
        "there. It has to wait until all shares are in.",
        hasty,
        added,
    ),
}


class Mistake(Watchable):
    """A right pass and a wrong one, side by side."""

    def __init__(self, name: str, text: str, right: Steps, wrong: Steps) -> None:
        self.name, self.text, self.right, self.wrong = name, text, right, wrong

    @property
    def picture(self) -> Picture:
        """That of the right pass."""
        return self.right.picture

    @property
    def still(self) -> Picture:
        """The same in few cards."""
        return self.right.still

    @cached_property
    def first_difference(self) -> dict[str, Any] | None:
        """The first number of the wrong pass that is not that of the right one."""
        return next(self.differences(), None)

    @cached_property
    def partners(self) -> list[int | None]:
        """For each event of the wrong pass the one of the right pass that is about the same."""
        found = {name: n for n, event in enumerate(self.right) for name in _identities(event)}
        return [found.get(_identities(event)[0]) for event in self.wrong]

    def differences(self) -> Iterator[dict[str, Any]]:
        """Each event of the wrong pass that has another number than its partner has."""
        for n, (event, partner) in enumerate(zip(self.wrong, self.partners, strict=True)):
            if partner is None:
                continue
            for key in ("new",) if event["kind"] == "leftover" else NUMBERS:
                wrong, right = event.get(key), self.right[partner].get(key)
                if wrong is not None and right is not None and not _same(wrong, right):
                    what = self._called(key, event)
                    yield {
                        "event": n,
                        "right_event": partner,
                        "key": key,
                        "what": what,
                        "right": right,
                        "wrong": wrong,
                        "text": f"the first number that differs: {what} is {short(wrong)} "
                        f"instead of {short(right)}",
                    }
                    break

    def _called(self, key: str, event: Event) -> str:
        names = {
            role: self.right.nodes[event[role]]["name"]
            for role in ("node", "from", "to")
            if role in event
        }
        return NUMBERS[key].format(**{"to": names.get("node"), **names})

    def document(self) -> dict[str, Any]:
        """All of it as plain data."""
        parts = ("nodes", "edges", "events")
        right, wrong = self.right.document(), self.wrong.document()
        mistake = {
            "name": self.name,
            "text": self.text,
            "right": {part: right[part] for part in parts},
            "wrong": {part: wrong[part] for part in parts},
            "partners": None if right["cut"] else self.partners,
            "first_difference": None if right["cut"] else self.first_difference,
        }
        return {**right, "live": None, "mistake": mistake}

    def transcript(self) -> str:
        """The wrong pass line by line, with the right line below each that differs."""
        differences = {found["event"]: found for found in self.differences()}
        lines = [f"mistake: {self.name}", self.text]
        for n, line in enumerate(self.wrong.transcript().splitlines()):
            lines.append(line)
            if n in differences:
                margin = " " * (line.index(".") + 2)
                if differences[n] == self.first_difference:
                    lines.append(f"{margin}<-- {differences[n]['text']}")
                lines.append(f"{margin}right: {self.right[differences[n]['right_event']]}")
        if not differences:
            lines.append("no number differs: this graph does not show the mistake")
        return "\n".join(lines)


NUMBERS = {  # of an event, in the order in which they come, and what they are called
    "data": "{node}",
    "adjoint": "{from}.grad",
    "contribution": "the contribution to {to}.grad",
    "old": "{to}.grad so far",
    "new": "{to}.grad",
    "before": "{node} before the update",
    "after": "{node} after the update",
    "loss_after": "the loss after the update",
}


def _identities(event: Event) -> list[tuple[object, ...]]:
    """What an event is about, to find its partner in another pass; the first is its own name."""
    match event:
        case {"kind": "leftover", "node": node}:
            return [("gradient", node)]
        case {"kind": "backward", "edge": edge, "to": node}:
            return [("backward", edge), ("gradient", node)]
        case _:
            return [(event["kind"], event.get("node"))]


def _same(x: float, y: float) -> bool:
    return x == y or (x != x and y != y)
