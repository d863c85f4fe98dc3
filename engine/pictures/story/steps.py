"""One pass as its events: forward, the loss, and backward, with the graph that they are about."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, overload

from engine.op import Op
from engine.pictures.drawing.collapse import around
from engine.pictures.drawing.picture import Numbers, Picture, picture_of
from engine.pictures.story.differences import checks
from engine.pictures.story.record import Record, Sweep
from engine.pictures.story.sentences import Words
from engine.pictures.story.watchable import Event, Watchable
from engine.pictures.texts import visible
from engine.value import Value

WHOLE = 1000  # nodes; of a larger graph the page shows a picture with neurons and layers collapsed
ARROWS = 6000  # the same
COLLAPSED = 60
MOST_EVENTS = 20_000  # on a page


class Live(NamedTuple):
    """What a page needs to compute a step again: a printer of rows, and the learning rate."""

    printed: Callable[[Iterable[Op]], str]  # as JavaScript
    rate: float


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
        live: Live | None = None,
    ) -> None:
        """`before` and `after` are events around those of the pass.

        With `live` the page can compute the step again from other numbers.
        """
        self.record, self.words, self.sweep, self.adds = record, words, sweep, adds
        self._before, self._after, self.live = before, after, live

    @cached_property
    def events(self) -> list[Event]:
        """All events in order."""
        after = [self._done()] if self._after is None else self._after
        return [*self._before, *self._pass(), *after]

    @cached_property
    def nodes(self) -> list[dict[str, Any]]:
        """What is in the graph: operands first, the loss last."""
        record, words, grads = self.record, self.words, self._held
        boxes, box = words.boxes
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
                    "name": words.called[place],
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
        return self._drawn(None if self._whole else COLLAPSED)

    @cached_property
    def still(self) -> Picture:
        """The same in few cards."""
        return self._drawn(COLLAPSED)

    def _drawn(self, most: int | None) -> Picture:
        record, words = self.record, self.words
        labels = [
            label or ("" if place in words.names else words.labels[place])
            for place, label in enumerate(record.labels)
        ]
        numbers = Numbers(record.data, self.sweep.grads, labels)
        return picture_of(record.graph, numbers, words.named, words.boxes, most)

    @property
    def _live(self) -> dict[str, Any] | None:
        """The row of each operation by its key, None of a leaf; nothing where some are left out."""
        if self.live is None or not self._whole:
            return None
        ops = [atom.op if isinstance(atom, Value) else None for atom in self.record.graph.atoms]
        return {"rate": self.live.rate, "rows": [op.key if op else None for op in ops]}

    @property
    def script(self) -> str:
        """The functions of the rows."""
        if self.live is None or not self._whole:
            return ""
        atoms = self.record.graph.atoms
        return self.live.printed(v.op for v in atoms if isinstance(v, Value) and v.op)

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
            "live": self._live,
            "runs": None,
            "data": None,
            "mistake": None,
        }

    def transcript(self, *, paths: bool = False) -> str:
        """One line for each event, counted from 1 as on the page, with the neuron where it happens.

        With `paths` the neuron is written as in the names of its parameters, "layers.0.neurons.2".
        """
        width = len(str(len(self)))
        lines = []
        for n, event in enumerate(self, 1):
            places = [event[key] for key in ("node", "from", "to") if key in event]
            where = self.words.where(*places, paths=paths)
            lines.append(f"{n:>{width}}. {where}{': ' * bool(where)}{event}")
        return "\n".join(lines)

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
