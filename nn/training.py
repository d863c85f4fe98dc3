"""A training on its way: its history, its looks at validation data, its checkpoints."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

from engine.sweep import set_each
from engine.value import Value
from nn import checkpoint as checkpoints
from nn.checkpoint import EarlyStop, TrainingState
from nn.checks import size
from nn.data import Decision
from nn.descent import Descent
from nn.ground import Ground
from nn.history import ALL_DONE, INTERRUPTED, History, Step
from nn.identity import Identity, weights_of
from nn.judging import Model, mean_and_accuracy
from nn.optim import Optimizer
from nn.stepping import Stepping


@dataclass
class Validation:
    """Looks at the validation data, and keeps the parameters of the lowest loss."""

    look: Callable[[int], tuple[float, float | None]]
    data: tuple[list[Any], list[Any]]
    parameters: list[Value]
    patience: int | None
    seen: EarlyStop = field(default_factory=EarlyStop)
    before: EarlyStop = field(default_factory=EarlyStop)  # the last look

    def look_after(self, step: Step, before: int) -> Step:
        """The step with a look; so many looks were `before`."""
        loss, accuracy = self.look(before)
        self.before = self.seen
        if loss < self.seen.lowest:
            self.seen = EarlyStop(loss, 0, tuple([p.data for p in self.parameters]))
        else:
            self.seen = self.seen._replace(looks_since=self.seen.looks_since + 1)
        return step._replace(validation_loss=loss, validation_accuracy=accuracy)

    @property
    def tired(self) -> bool:
        """Whether `patience` looks have passed without a lower loss: time to stop."""
        return self.patience is not None and self.seen.looks_since >= self.patience

    def restore(self, losses: list[float | None]) -> int | None:
        """Goes back to the parameters of the lowest of the losses; which one that is."""
        if not self.seen.best:
            return None
        set_each("data", self.parameters, self.seen.best)
        return next((k for k, loss in enumerate(losses) if loss == self.seen.lowest), None)


@dataclass
class Training:
    """A training on its way: takes its steps, and knows what a checkpoint has to hold."""

    model: Model
    optimizer: Optimizer
    validation: Validation | None
    per_pass: int
    total: int
    identity: Identity = field(default_factory=Identity)
    history: History = field(default_factory=History)
    recorded: Sequence[str] = ()  # in the part before this one

    @property
    def left(self) -> int:
        """How many steps are still to be taken."""
        return self.total - len(self.history)

    def looked_after(
        self, steps: Stepping, descent: Descent, lookers: Sequence[object], pause: int
    ) -> Iterator[Step]:
        """Takes the steps that are left; gives the last of each group, when all are in the history.

        The parameters are set where somebody looks at them: at each step if there are `lookers`,
        else after a pass. A group ends there, and after each `pause` steps, if it is not 0.
        """
        if self.validation is not None and self.validation.tired:
            return
        while (done := len(self.history)) < self.total:
            rests = [self.total - done]
            rests += [self.per_pass - done % self.per_pass] if self.validation else []
            rests += [pause - done % pause] if pause else []
            self.history.extend(steps.take(done, 1 if lookers else min(rests)))
            done = len(self.history)
            look = self.validation and (done % self.per_pass == 0 or done == self.total)
            if look or lookers:
                descent.store()
            if look:
                self.history.replace_last(self._seen(self.history[-1]))
            yield self.history[-1]

    def _seen(self, step: Step) -> Step:
        """The step with a look at the validation data, if there are any."""
        passes = step.step // self.per_pass
        return self.validation.look_after(step, passes) if self.validation else step

    def ending(self, is_called_off: bool, is_interrupted: bool) -> str:
        """Why training ends after this step, or `ALL_DONE`."""
        is_tired = self.validation is not None and self.validation.tired
        reasons = {
            "a callback said so": is_called_off,
            "early stop": is_tired,
            INTERRUPTED: is_interrupted,
        }
        return next((reason for reason, holds in reasons.items() if holds), ALL_DONE)

    def save(self, path: str | PathLike[str] | None, descent: Descent) -> None:
        """Writes it. A look at the end is left out within a pass: longer training has none there.

        Raises OSError, naming the file, where that fails; the former one is as it was.
        """
        if path is None:
            return
        descent.store()
        columns = {name: getattr(self.history, name) for name in Step._fields}
        seen = self.validation.seen if self.validation else EarlyStop()
        if self.validation and len(self.history) % self.per_pass:
            if columns["validation_loss"][-1] is not None:
                seen = self.validation.before
            for name in ("validation_loss", "validation_accuracy"):
                columns[name] = [*columns[name][:-1], None]
        weights = weights_of(self.model, self.optimizer)
        state = TrainingState(columns, seen, descent.backend, descent.recorded)
        checkpoints.save(path, self.identity, weights, self.optimizer, state)

    def go_on(self, path: str | PathLike[str], backend: str) -> str:
        """Goes back to where the file stands; the backend to go on with."""
        weights = weights_of(self.model, self.optimizer)
        training = self.identity, weights, self.optimizer
        state = checkpoints.resume(path, *training, most=self.total)
        self.history = History()
        vars(self.history).update(state.columns)
        if self.validation:
            self.validation.seen = state.early_stop
            if len(self.history) == self.total and self.total % self.per_pass:
                step = self._seen(self.history[-1])
                self.history.validation_loss[-1] = step.validation_loss
                self.history.validation_accuracy[-1] = step.validation_accuracy
            self.history.ended = self.ending(False, False)
        if backend != "auto":
            self.recorded = state.recorded
        former = state.backend
        return former if former == "eager" or (backend, former) == ("auto", "c") else backend


def validation_of(
    held_out: Ground | None,
    patience: int | None,
    decide: Decision | None,
    parameters: list[Value],
) -> Validation | None:
    """Looks at such data, if there are any, whose classes are those of `decide`."""
    if held_out is None:
        if patience is not None:
            raise ValueError("early_stop expected validation data to look at")
        return None
    (xs, ys), table, _, judge, _ = held_out

    def look(before: int) -> tuple[float, float | None]:
        judged = judge(table.xs, table.ys, before=before * len(xs))
        return mean_and_accuracy(judged, decide, ys)

    if patience is not None:
        size("looks before an early stop", patience)
    return Validation(look, (xs, ys), parameters, patience)
