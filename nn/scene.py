"""One training step, recorded: forward, loss, backward, update, and forward again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.modes import no_grad
from engine.pictures.steps import recorded_with_words
from engine.pictures.story.record import Combine, Record, Way, added, mirrored, sweep
from engine.pictures.story.sentences import Words
from engine.pictures.story.steps import Live, Steps
from engine.pictures.story.watchable import Event
from engine.pictures.texts import short
from engine.replay.backends.javascript import rows as rows_text
from engine.replay.kinds import is_the_same, kind_asked
from engine.replay.reach import reach
from engine.replay.undo import chances_in, put_back, settle, undone
from engine.replay.watch import record, standing_in
from engine.replay.witness import Witness
from engine.replay.world import written
from engine.sweep import set_each
from engine.value import Value, data_of
from nn.data import Dataset
from nn.judging import Loss, Model
from nn.mover import NOTHING_TO_MOVE
from nn.optim import SGD, Optimizer
from nn.plain import is_stateless
from nn.stepping import mean_loss


@dataclass(frozen=True)
class Scene:
    """What stays the same from step to step."""

    model: Model
    loss: Loss
    optimizer: Optimizer

    @cached_property
    def names(self) -> list[tuple[str, Value]]:
        """The parameters, those of the model by their paths; of two names the first counts."""
        named = getattr(self.model, "named_parameters", list)
        parameters = enumerate(self.optimizer.parameters)
        return [*named(), *((p.label or f"parameter {k}", p) for k, p in parameters)]

    def step(
        self,
        rows: Dataset,
        *,
        forgets: bool = True,
        way: Way = mirrored,
        combine: Combine = added,
    ) -> Steps:
        """Takes one step; `forgets`, `way` and `combine` are where mistakes come in."""
        optimizer = self.optimizer
        text = "nobody called zero_grad: the gradients of the step before are still there"
        if forgets:
            optimizer.zero_grad()
            text = "zero_grad: the gradients of the step before are forgotten"
        before = [Event(kind="zero", text=text)]
        inputs = _labelled(rows)
        total = self.forward(inputs, rows)
        record, words = recorded_with_words(total, self.names)
        swept = sweep(record, way, combine)
        parameters = optimizer.parameters
        held = [p.grad if p.has_grad else None for p in parameters]
        at = record.place_of()
        places = [at[p] for p in parameters]
        total.backward()
        if not any(p.has_grad for p in parameters):
            raise ValueError(NOTHING_TO_MOVE)
        if (way, combine) != (mirrored, added):
            moved = [(p, place) for p, place in zip(parameters, places, strict=True) if p.has_grad]
            set_each("grad", [p for p, _ in moved], [swept.grads[place] for _, place in moved])
        update = _take(optimizer, words, places)
        with self.unnoticed():
            again, words_again = recorded_with_words(self.forward(inputs, rows), self.names)

        def after() -> Iterator[Event]:
            yield from _leftovers(words, swept.grads, dict(zip(places, held, strict=True)))
            yield from update.events()
            yield from _again(record, again, words_again)
            yield _done(record, again, update.refused)

        is_right = forgets and (way, combine) == (mirrored, added)
        return Steps(
            record,
            words,
            swept,
            before=before,
            after=after(),
            adds=combine is added,
            live=Live(rows_text, optimizer.lr) if is_right and _is_plain(optimizer) else None,
        )

    def unnoticed(self) -> AbstractContextManager[None]:
        """Inside, what model and loss do to their own state is put back."""
        return nullcontext() if self.is_stateless else undone(self.model, self.loss)

    @property
    def is_stateless(self) -> bool:
        """Whether a call leaves nothing behind."""
        return is_stateless(self.model, self.loss)

    def mean_loss(self, rows: Dataset) -> float:
        """The mean of the losses of all rows."""
        with no_grad(), self.unnoticed():
            return data_of(mean_loss(self.model, self.loss, None)(rows.xs, rows.ys)[0])

    def run(self, inputs: Sequence[Any], rows: Dataset) -> tuple[Value, Any]:
        """The mean loss and the outputs, computed from the inputs as Values.

        To the model they are the floats that they are in training: what it keeps of them is
        floats. Where it takes no Values, or does something else with them, it gets the floats.
        """
        run = mean_loss(self.model, self.loss, None)
        if self.is_stateless:
            return run(inputs, rows.ys)
        roots: list[tuple[Any, str]] = [(self.model, "model"), (self.loss, "loss")]
        lent = {id(v): v for v, x in zip(_flat(inputs), _flat(rows.xs), strict=True) if v is not x}
        before = reach(roots)
        chances = chances_in(before)
        try:
            with record() as seen, standing_in(lent.values()), Witness() as witness:
                ours = run(inputs, rows.ys)
        except Exception:
            put_back(before, chances)
            return run(rows.xs, rows.ys)
        after = reach(roots, witness.codes)
        settle(written(before, after), lent)
        if lent and kind_asked(after):
            put_back(before, chances)
            with record() as others:
                plain = run(rows.xs, rows.ys)
            known = [*lent.values(), *seen.made, *others.made]
            return ours if is_the_same(ours[:1], plain[:1], known) else plain
        return ours

    def forward(self, inputs: Sequence[Any], rows: Dataset) -> Value:
        """The loss on some rows; it and a single row's output get labels."""
        total, outputs = self.run(inputs, rows)
        if not isinstance(total, Value):
            raise TypeError(f"watch expected a loss that returns a Value, got {total!r:.60}")
        if len(outputs) == 1:
            output = outputs[0]
            several = output if isinstance(output, list | tuple) else [output]
            for value, name in zip(several, _output_names(rows, len(several)), strict=True):
                if isinstance(value, Value) and value.op and not value.label:
                    value.label = name
            if any(total is value for value in several):
                total.label = "loss"
        if not total.label:
            total.label = "loss"
        return total


def _output_names(rows: Dataset, count: int) -> Sequence[str]:
    """The classes, or the target; where the rows do not name them, "output"."""
    names = rows.classes or (rows.target or "output",)
    if len(names) == count:
        return names
    return [f"output{i}" for i in range(count)] if count > 1 else ["output"]


def _labelled(rows: Dataset) -> list[Any]:
    """The inputs as Values with the names of their columns."""

    def value(x: Any, name: str) -> Any:
        return x if isinstance(x, Value | str) else Value(x, name)

    inputs: list[Any] = []
    for n, row in enumerate(rows.xs):
        names = [f"{name} of {n}" if len(rows.xs) > 1 else name for name in rows.features]
        if isinstance(row, Sequence):
            inputs.append([value(x, name) for x, name in zip(row, names, strict=False)])
        else:
            inputs.append(value(row, names[0]))
    return inputs


def _flat(thing: Any) -> list[Any]:
    """What stands in lists in lists."""
    if isinstance(thing, list | tuple):
        return [part for each in thing for part in _flat(each)]
    return [thing]


def _is_plain(optimizer: Optimizer) -> bool:
    """Whether a step is `p - lr * gradient`, which the page can take too."""
    if type(optimizer) is not SGD:
        return False
    return not (optimizer.momentum or optimizer.weight_decay)


# --- what happens after the backward pass -------------------------------------------------------


def _leftovers(
    words: Words, grads: Sequence[float], held: Mapping[int, float | None]
) -> Iterator[Event]:
    """What parameters still hold of an earlier backward is added."""
    for place, old in held.items():
        if old is not None:
            numbers = {"old": old, "contribution": grads[place], "new": old + grads[place]}
            text = (
                f"{words.called[place]}.grad still holds {short(old)} of an earlier step: "
                f"{short(old)} + {short(grads[place])} = {short(numbers['new'])}"
            )
            yield Event(kind="leftover", node=place, **numbers, text=text)


@dataclass(frozen=True)
class _Update:
    """A step of an optimizer: the parameters before and after it, and why."""

    optimizer: Optimizer  # as it was then
    words: Words
    places: Sequence[int]
    grads: Sequence[float | None]
    before: Sequence[float]
    after: Sequence[float]
    refused: str

    def events(self) -> Iterator[Event]:
        """One for each parameter."""
        for k, (place, old, new) in enumerate(
            zip(self.places, self.before, self.after, strict=True)
        ):
            name, grad = self.words.called[place], self.grads[k]
            if self.refused:
                text = f"{name} stays, since {self.refused}: {name}"
                formula = "no step to nan or inf"
            elif grad is None:
                text, formula = f"{name} stays, it has no gradient: {name}", "no gradient, no step"
            else:
                text, formula = self.optimizer.update_in_words(k, name, old, grad, new)
            text += f" = {short(new)}"
            yield Event(kind="update", node=place, before=old, after=new, rule=formula, text=text)


def _take(optimizer: Optimizer, words: Words, places: Sequence[int]) -> _Update:
    """Takes the step, unless the optimizer refuses it."""
    parameters, refused = optimizer.parameters, ""
    before = [p.data for p in parameters]
    grads = [p.grad if p.has_grad else None for p in parameters]
    try:
        optimizer.step()
    except FloatingPointError as error:
        refused = str(error)
    after = [p.data for p in parameters]
    return _Update(copy(optimizer), words, places, grads, before, after, refused)


def _again(record: Record, again: Record, words: Words) -> Iterator[Event]:
    """The forward pass after the update; of a graph with another shape the loss alone."""
    same = again.graph.operands == record.graph.operands
    for p in again.operations if same else [again.root]:
        text = words.computed(p) if same else words.loss()
        place = p if same else record.root
        yield Event(kind="forward again", node=place, data=again.data[p], text=text)


def _done(record: Record, again: Record, refused: str) -> Event:
    loss_before, loss_after = record.data[-1], again.data[-1]
    text = f"done: the loss went from {short(loss_before)} to {short(loss_after)}"
    if refused:
        text = f"done: no step was taken, since {refused}; the loss is {short(loss_after)}"
    return Event(kind="done", loss_before=loss_before, loss_after=loss_after, text=text)
