"""A forward and a backward pass as a list of steps: to read, to play, to watch on a page."""

import json
import math
import sys
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, overload

from engine.files import write
from engine.names import no_such
from engine.pictures.drawing.collapse import around
from engine.pictures.drawing.outline import Names, boxes_of, named
from engine.pictures.drawing.picture import Picture, picture, short, visible
from engine.pictures.drawing.svg import svg
from engine.pictures.page.page import page
from engine.pictures.story.differences import checks
from engine.pictures.story.record import (
    Record,
    Sweep,
    added,
    hasty,
    mirrored,
    record,
    replaced,
    sweep,
)
from engine.pictures.story.sentences import Words
from engine.value import Value, toposort

WHOLE = 1000  # nodes; of a larger graph the page shows a picture with neurons and layers collapsed
ARROWS = 6000  # the same
COLLAPSED = 60
MOST_EVENTS = 20_000  # on a page
MOST_LINES = 1000  # in a terminal
HEIGHT = 720  # of the page in a notebook, in pixels

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


class Event(dict[str, Any]):
    """One thing that happens, as plain data; as a text, its line."""

    def __str__(self) -> str:
        return str(self["text"])


class Watchable(ABC):
    """What a notebook shows as a page, a terminal as a transcript, and `save` writes."""

    about = ""  # what the title of the page begins with, such as the row

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """All of it as plain data."""

    @abstractmethod
    def transcript(self) -> str:
        """All of it in lines, each with its number."""

    @property
    @abstractmethod
    def picture(self) -> Picture:
        """The graph with its numbers at the end of the backward pass."""

    def to_json(self) -> str:
        """The plain data as JSON, in ASCII; nan and inf are the texts "nan", "inf" and "-inf"."""
        document = self.document()
        title = ": ".join(filter(None, (self.about, document["title"])))
        plain = _plain({**document, "title": title})
        return json.dumps(plain, separators=(",", ":"), allow_nan=False)

    @cached_property
    def html(self) -> str:
        """The page: one file that needs nothing else."""
        return page(self.to_json(), svg(self.picture))

    def save(self, path: str | Path) -> Path:
        """Writes the page, whole or not at all; ValueError unless the name ends in .html."""
        path = Path(path)
        if path.suffix.lower() != ".html":
            raise ValueError(f"save expected a name ending in .html, got {path.name!r}")
        write(path, self.html)
        return path

    def play(self) -> None:
        """Prints one line after the other; Enter shows the next, b the one before, q ends it."""
        play(self.transcript().splitlines())

    def __repr__(self) -> str:
        lines = self.transcript().splitlines()
        if len(lines) > MOST_LINES:
            half = MOST_LINES // 2
            left_out = f"... {len(lines) - 2 * half:,} lines more in transcript() ..."
            lines = [*lines[:half], left_out, *lines[-half:]]
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """The page over a still picture, which is what stays where scripts are not trusted."""
        still = b64encode(svg(self.picture).encode()).decode()
        title = escape(self.picture.text.partition("\n")[0])
        fill = "position:absolute;top:0;left:0;width:100%;height:100%;border:0;background:white"
        return {
            "text/html": f'<div style="position:relative;height:{HEIGHT}px">'
            f'<img alt="{title}" style="max-width:100%;max-height:100%" '
            f'src="data:image/svg+xml;base64,{still}">'
            f'<iframe title="{title}" sandbox="allow-scripts" style="{fill}" '
            f'srcdoc="{escape(self.html)}"></iframe></div>',
            "text/plain": repr(self),
        }


class Steps(Watchable, Sequence[Event]):
    """The events of one pass: forward, the loss, and backward, one for each edge.

    The numbers are copied when it is made. Words, the check by differences and the picture are
    made when they are asked for.
    """

    def __init__(
        self,
        record: Record,
        words: Words,
        sweep: Sweep,
        *,
        before: Iterable[Event] = (),
        after: Iterable[Event] | None = None,
        adds: bool = True,
    ) -> None:
        """`before` and `after` are events around those of the pass."""
        self.record, self.words, self.sweep, self.adds = record, words, sweep, adds
        self._before, self._after = before, after

    @cached_property
    def events(self) -> list[Event]:
        """All events in order."""
        after = [self._done()] if self._after is None else self._after
        return [*self._before, *self._pass(), *after]

    @cached_property
    def nodes(self) -> list[dict[str, Any]]:
        """What is in the graph: operands first, the loss last."""
        record, words, grads = self.record, self.words, self._held
        boxes, box = boxes_of(record.graph, self._named())
        agree = checks(record, grads)
        nodes = []
        for place, atom in enumerate(record.graph.atoms):
            zero, why = words.why(place, grads)
            constant = isinstance(atom, float)
            nodes.append(
                {
                    "id": place,
                    "kind": self._kind(place),
                    "label": words.labels[place],
                    "symbol": visible(record.graph.symbol(place)),
                    "data": record.data[place],
                    "grad": None if constant else grads[place],
                    "group": [boxes[b].title for b in around(boxes, box[place])],
                    "check": agree[place],
                    "zero": zero,
                    "why": why,
                }
            )
        return nodes

    @property
    def _held(self) -> list[float]:
        """Every gradient at the end: that of the pass, and what is left over of earlier ones."""
        left = {event["node"]: event["new"] for event in self.events if event["kind"] == "leftover"}
        return [left.get(place, grad) for place, grad in enumerate(self.sweep.grads)]

    @cached_property
    def edges(self) -> list[dict[str, Any]]:
        """From each operand to what takes it, with its slope."""
        return [
            {
                "id": e,
                "from": edge.tail,
                "to": edge.head,
                "position": edge.position,
                "partial": edge.partial,
                "partial_text": self.words.partial(e),
            }
            for e, edge in enumerate(self.record.edges)
        ]

    @cached_property
    def picture(self) -> Picture:
        """The graph with its numbers at the end of the backward pass."""
        record = self.record
        copies = [Value(0.0) for _ in range(record.outside)]
        copies += toposort(deepcopy(record.graph.atoms[-1]))  # type: ignore[arg-type]
        at = dict(zip(record.place_of().values(), copies, strict=True))
        for place, copy in at.items():
            copy.data, copy.label = record.data[place], record.labels[place]
            if place not in self.words.names and not copy.label:
                copy.label = self.words.labels[place]
            copy.grad = self.sweep.grads[place]
        names = [(name, at[place]) for place, name in self.words.names.items()]
        limit = None if self._whole else COLLAPSED
        return picture(copies[-1], names, False, limit, copies[: record.outside])

    @property
    def _whole(self) -> bool:
        return len(self.record.data) <= WHOLE and len(self.record.edges) <= ARROWS

    def document(self) -> dict[str, Any]:
        """All of it as plain data."""
        kept = self.events
        cut = None
        if len(kept) > MOST_EVENTS:
            half = MOST_EVENTS // 2
            kept = [*kept[:half], *kept[-half:]]
            cut = (
                f"{len(self.events):,} steps are too many for a page: it shows the first {half:,} "
                f"and the last {half:,}. Steps.transcript() has them all."
            )
        return {
            "format": "brickgrad steps",
            "version": 1,
            "title": self.words.title(),
            "nodes": self.nodes,
            "edges": self.edges,
            "events": kept,
            "shown": None if self._whole else self.picture.shown,
            "cut": cut,
            "runs": None,
            "data": None,
            "mistake": None,
        }

    def transcript(self) -> str:
        """One line for each event, counted from 1 as on the page."""
        width = len(str(len(self)))
        return "\n".join(f"{n:>{width}}. {event}" for n, event in enumerate(self, 1))

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        return self.events[index]

    def __len__(self) -> int:
        return len(self.events)

    def _kind(self, place: int) -> str:
        atom = self.record.graph.atoms[place]
        if isinstance(atom, float):
            return "constant"
        if place == self.record.root:
            return "loss"
        if self.record.graph.operands[place]:
            return "operation"
        return "parameter" if place in self.words.names else "input"

    def _named(self) -> dict[Value, str]:
        atoms = self.record.graph.atoms
        found = ((atoms[place], name) for place, name in self.words.names.items())
        return {atom: name for atom, name in found if isinstance(atom, Value)}

    def _pass(self) -> Iterator[Event]:
        record, words, root = self.record, self.words, self.record.root
        data, edges = record.data, record.edges
        for p in record.operations:
            yield Event(kind="forward", node=p, data=data[p], text=words.computed(p))
        yield Event(kind="loss", node=root, data=data[root], text=words.loss())
        yield Event(kind="seed", node=root, grad=1.0, text=words.seed())
        for share in self.sweep.shares:
            edge = edges[share.edge]
            yield Event(
                kind="backward",
                edge=share.edge,
                **{"from": edge.head, "to": edge.tail},
                adjoint=share.adjoint,
                partial=edge.partial,
                contribution=share.contribution,
                old=share.old,
                new=share.new,
                text=words.share(share, self.adds),
            )

    def _done(self) -> Event:
        text = "done: every gradient is known; no .data and no .grad was changed"
        return Event(kind="done", loss_before=self.record.data[-1], loss_after=None, text=text)


class Mistake(Watchable):
    """A right pass and a wrong one, side by side."""

    def __init__(self, name: str, text: str, right: Steps, wrong: Steps) -> None:
        self.name, self.text, self.right, self.wrong = name, text, right, wrong

    @property
    def picture(self) -> Picture:
        """That of the right pass."""
        return self.right.picture

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
                    yield {
                        "event": n,
                        "right_event": partner,
                        "key": key,
                        "right": right,
                        "wrong": wrong,
                        "text": "the first number that differs: "
                        f"{short(wrong)} instead of {short(right)}",
                    }
                    break

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
        return {**right, "mistake": mistake}

    def transcript(self) -> str:
        """The wrong pass line by line, with the right line below each that differs."""
        differences = {found["event"]: found for found in self.differences()}
        lines = [f"mistake: {self.name}", self.text]
        for n, line in enumerate(self.wrong.transcript().splitlines()):
            lines.append(line)
            if n in differences:
                if differences[n] == self.first_difference:
                    lines[-1] += f"   <-- {differences[n]['text']}"
                margin = " " * (line.index(".") + 2)
                lines.append(f"{margin}right: {self.right[differences[n]['right_event']]}")
        if not differences:
            lines.append("no number differs: this graph does not show the mistake")
        return "\n".join(lines)


NUMBERS = ("data", "adjoint", "contribution", "old", "new", "before", "after", "loss_after")


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


def steps(loss: Value, names: Names | None = None) -> Steps:
    """What happens when `loss` is computed and `backward()` runs, step by step.

    No `backward()` is needed before, and no `grad` changes. `names` says what the parameters are
    called, as in `draw`: `model.named_parameters()`. Those that the loss does not use are there
    too.

    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> loss = (w * x - 3.0) ** 2
    >>> print(steps(loss).transcript())
     1. mul1 = w * x = 0.5 * 2 = 1
     2. sub1 = mul1 - 3 = 1 - 3 = -2
     3. pow1 = sub1 ** 2 = (-2) ** 2 = 4
     4. the loss, to be made small: pow1 = 4
     5. backward starts at the loss L = pow1, which moves as itself: dL/dL = 1
     6. dL/d(sub1) += dL/dL * d(pow1)/d(sub1) = dL/dL * (2 * sub1) = 1 * -4 = -4
     7. dL/d(mul1) += dL/d(sub1) * d(sub1)/d(mul1) = -4 * 1 = -4
     8. dL/dw += dL/d(mul1) * d(mul1)/dw = dL/d(mul1) * x = -4 * 2 = -8
     9. dL/dx += dL/d(mul1) * d(mul1)/dx = dL/d(mul1) * w = -4 * 0.5 = -2
    10. done: every gradient is known; no .data and no .grad was changed
    """
    recorded, words = recorded_with_words(loss, names)
    return Steps(recorded, words, sweep(recorded))


def mistake(loss: Value, name: str, names: Names | None = None) -> Mistake:
    """The same beside a backward pass with a mistake: "= instead of +=" or "wrong order".

    >>> a = Value(3.0, "a")
    >>> b = a + a
    >>> found = mistake(b + b, "wrong order").first_difference
    >>> found["key"], found["wrong"], found["right"]
    ('adjoint', 1.0, 2.0)
    """
    if name not in MISTAKES:
        raise ValueError(no_such("mistake", name, MISTAKES))
    recorded, words = recorded_with_words(loss, names)
    text, way, combine = MISTAKES[name]
    wrong = Steps(recorded, words, sweep(recorded, way, combine), adds=combine is added)
    return Mistake(name, text, Steps(recorded, words, sweep(recorded)), wrong)


def recorded_with_words(loss: Value, names: Names | None) -> tuple[Record, Words]:
    """The record of a loss and of the parameters named; TypeError where it is no Value."""
    if not isinstance(loss, Value):
        raise TypeError(f"steps expected a Value, such as a loss, got {type(loss).__name__}")
    called = named(names)
    recorded = record(loss, [v for v in called if v.op is None])
    if not called:
        return recorded, Words(recorded, {})
    places = recorded.place_of()
    return recorded, Words(recorded, {places[v]: n for v, n in called.items() if v in places})


def play(lines: Sequence[str]) -> None:
    """Prints lines one by one, waiting for Enter where somebody can press it."""
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        print("Enter shows the next line, b the one before, q ends.")
    n = 0
    while n < len(lines):
        try:
            answer = input(lines[n]).strip().lower()
        except EOFError:
            print("", *lines[n + 1 :], sep="\n")
            return
        except KeyboardInterrupt:
            print()
            return
        if not is_terminal:
            print()  # nobody's Enter ended the line
        if answer == "q":
            return
        n = max(n - 1, 0) if answer == "b" else n + 1


def _plain(thing: Any) -> Any:
    """The same with nan and inf as texts, which JSON can hold."""
    if isinstance(thing, float):
        return thing if math.isfinite(thing) else str(thing)
    if isinstance(thing, Mapping):
        return {key: _plain(part) for key, part in thing.items()}
    return list(map(_plain, thing)) if isinstance(thing, list | tuple) else thing
