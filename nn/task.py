"""What a net learns from a file: the columns it reads, what it answers, and how both are scaled."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from reprlib import repr as short
from typing import Any

from engine.functions import softmax
from engine.value import Value, data_of
from nn.checks import finite
from nn.columns import Reading
from nn.data import Dataset, Decision, Rows, Scaler, as_dataset
from nn.dataset import Columns, by_rows
from nn.loss import cross_entropy, mse
from nn.module import MLP
from nn.progress import Stage, no_stage
from nn.reading import Seen, as_named, read_again
from nn.readings import reading_of
from nn.save import load_with_meta
from nn.scaling import alike
from nn.sheet import FOUND, Format


@dataclass(frozen=True)
class Task:
    """Rows of `features` in, one of `classes` out; or an amount, where there are no classes.

    `inputs` scales rows. `answers` scales amounts, and leaves classes as they are. `reading` is
    how files are read; None for nets that were saved before it was kept.
    """

    features: tuple[str, ...]
    target: str
    classes: tuple[str, ...]
    inputs: Scaler
    answers: Scaler
    reading: Reading | None = None

    @property
    def outputs(self) -> int:
        """How many outputs the net has: one for each class."""
        return len(self.classes) or 1

    @property
    def measure(self) -> str:
        """The name of what `quality` gives."""
        return "accuracy" if self.classes else "typical error"

    def quality(self, loss: float, accuracy: float | None) -> str:
        """The share of right answers, or the root of the mean squared error in the target's unit.

        >>> from nn.data import iris
        >>> learn(iris()).quality(0.5, 0.98)
        '98.0%'
        """
        if not self.classes or accuracy is None:  # of amounts that are two, `fit` tells a share
            return f"{math.sqrt(loss) * self.answers.scales[0]:.4g}"
        return f"{accuracy:.1%}"

    @property
    def loss(self) -> Callable[[Any, Any], Value]:
        """How wrong an output is."""
        return cross_entropy if self.classes else mse

    @property
    def standardised(self) -> tuple[str, ...]:
        """What the inputs of the net are called."""
        return tuple(f"{name}, standardised" for name in self.features)

    def named(self, rows: Dataset) -> Dataset:
        """Scaled rows with the names of what goes into the net and of what comes out."""
        return replace(rows, features=self.standardised, classes=self.classes, target=self.target)

    def scaled(self, rows: Dataset, places: Sequence[int] | None = None) -> Dataset:
        """Rows of a file as the net reads them; ValueError where a number becomes too large.

        `places` has where each row stands in its file, from 0.
        """
        ys = rows.ys
        if not self.classes:
            known = [[y] for y in ys if y is not None]
            found = iter(_scaled(self.answers, (self.target,), known))
            ys = [None if y is None else next(found)[0] for y in ys]
        return replace(rows, xs=_scaled(self.inputs, self.features, rows.xs, places), ys=ys)

    def ready(self, seen: Seen) -> Seen:
        """Rows of a file, scaled; those whose numbers become too large are at fault."""
        try:
            return replace(seen, rows=self.scaled(seen.rows, seen.places))
        except ValueError:
            faults, kept = dict(seen.faults), []
        for k, place in enumerate(seen.places):
            try:
                self.scaled(seen.rows.pick([k]) if seen.rows.ys else _alone(seen.rows, k), [place])
                kept.append(k)
            except ValueError as error:
                faults[place] = str(error).partition(": ")[2]
        rows = seen.rows.pick(kept) if seen.rows.ys else _alone(seen.rows, *kept)
        places = [seen.places[k] for k in kept]
        return replace(seen, rows=self.scaled(rows, places), places=places, faults=faults)

    def answer(self, output: Any) -> tuple[str, str]:
        """What an output says, and the chance that the net gives it ("" for an amount).

        ValueError where it says nothing, as its numbers are not finite.
        """
        numbers = list(map(data_of, output if self.classes else [output]))
        numbers = numbers if self.classes else [self._amount(*numbers)]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(
                f"the net answers {short(numbers)}, expected finite numbers: its weights, its "
                "scaling or the numbers of the row are too large"
            )
        if not self.classes:
            return self.words(data_of(output)), ""
        best = Decision(range(self.outputs), 0.0)(output)
        return self.classes[best], f"{softmax(numbers)[best]:.4f}"

    def words(self, y: float) -> str:
        """A scaled target, in the words that a file has for it."""
        if self.classes:
            return self.classes[int(y)]
        return f"{self._amount(y):.6g}"

    def _amount(self, y: float) -> float:
        return self.answers.means[0] + self.answers.scales[0] * y

    def read(
        self, path: str | PathLike[str], told: Format = FOUND, stage: Stage = no_stage
    ) -> Seen:
        """A file's rows, those that can be read; where they cannot be scored, why.

        `told` says of the file what takes the place of what the model keeps. Raises DataError
        where a column that the net reads is missing.
        """
        reading = self.reading
        if reading is None:
            how = as_named(self.features, self.target, self.classes)
            return read_again(path, how, Format(header=True).but(told), stage)
        return read_again(path, lambda sheet: reading, reading.format.but(told), stage)

    def meta(self) -> dict[str, Any]:
        """The task as JSON can hold it, for `save`."""
        return {
            "columns": self.features,
            "target": self.target,
            "classes": self.classes,
            "scaling": vars(self.inputs),
            "target_scaling": vars(self.answers),
            **({"reading": self.reading.meta()} if self.reading else {}),
        }


def learn(rows: Dataset) -> Task:
    """The task of giving the target of `rows` from their other columns."""
    return prepared(rows)[0]


def prepared(rows: Dataset, places: Sequence[int] = ()) -> tuple[Task, Dataset]:
    """The same, and the rows as `scaled` of the task gives them.

    With `places` the rows there alone say by what all are scaled.
    """
    task, columns, ys = prepared_columns(rows, places)
    return task, replace(rows, xs=by_rows(columns), ys=ys)


def prepared_columns(
    rows: Dataset, places: Sequence[int] = (), columns: Columns = ()
) -> tuple[Task, Columns, list[Any]]:
    """The same, with the columns of the scaled rows, and the targets.

    `columns` are those of the rows, where they are at hand.
    """
    as_dataset(rows)
    places = () if len(places) == len(rows.xs) else places
    inputs, columns = alike(rows.xs, places, columns)
    answers, ys = Scaler((0.0,), (1.0,)), rows.ys
    if not rows.classes:
        answers, (ys,) = alike([[y] for y in rows.ys], places)
    task = Task(rows.features, rows.target, rows.classes, inputs, answers)
    reading: Reading | None = rows.reading
    if reading and _of_task(reading) == (task.features, task.target, task.classes):
        task = replace(task, reading=reading)
    if not math.isfinite(sum(map(sum, [*columns, () if rows.classes else ys]))):
        task.scaled(rows, [n - 1 for n in rows.numbers] or None)  # raises where one is not finite
    return task, columns, ys


def load_task(path: str | PathLike[str]) -> tuple[MLP, Task]:
    """The net and the task that `brickgrad train` saved; ValueError for any other file."""
    model, meta = load_with_meta(fspath(path))
    try:
        (target,) = _texts([meta["target"]])
        features, classes = _texts(meta["columns"]), _texts(meta["classes"])
        if len(classes) == 1:
            raise ValueError(f"expected no classes, or 2 and more, got {short(classes)}")
        inputs = _scaler(meta["scaling"], len(features))
        task = Task(features, target, classes, inputs, _scaler(meta["target_scaling"], 1))
        if "reading" in meta:
            task = replace(task, reading=reading_of(meta["reading"]))
            if _of_task(task.reading) != (features, target, classes):
                raise ValueError("its reading is of other columns, or of another target")
    except KeyError as error:
        raise ValueError(
            f"{path} holds a net, but not {error}: expected a model.json of `brickgrad train`"
        ) from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    shape = len(model.layers[0].neurons[0].w), len(model.layers[-1].neurons)
    if shape != (len(features), task.outputs):
        raise ValueError(
            f"{path}: its net of {shape[0]} inputs and {shape[1]} outputs does not fit its "
            f"{len(features)} columns and {task.outputs} answers"
        )
    return model, task


def _of_task(reading: Reading | None) -> tuple[tuple[str, ...], str, tuple[str, ...]] | None:
    """The features, the target and the classes that a reading gives; None without a target."""
    if reading is None or reading.target is None:
        return None
    return reading.features, reading.target.name, reading.target.texts


def _alone(rows: Dataset, *places: int) -> Dataset:
    """Rows without targets."""
    return replace(rows, xs=[rows.xs[k] for k in places], ys=[])


def _scaled(
    scaler: Scaler, names: Sequence[str], rows: Rows, places: Sequence[int] | None = None
) -> Rows:
    found = scaler(rows)
    if math.isfinite(sum(map(sum, found))):
        return found
    numbers = range(len(rows)) if places is None else places
    for number, row, scaled in zip(numbers, rows, found, strict=True):
        for name, x, z in zip(names, row, scaled, strict=True):
            if not math.isfinite(z):
                raise ValueError(
                    f"row {number + 1}: {name!r} is {x:g}, which becomes {z:g} when it is scaled: "
                    "this number, or the scaling of the net, is out of range"
                )
    return found


def _texts(texts: Sequence[Any]) -> tuple[str, ...]:
    """Texts of a file; ValueError for others, and for those that cannot be written as UTF-8."""
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"expected a list of texts, got {short(texts)}")
    for text in texts:
        text.encode()
    return tuple(texts)


def _scaler(scaling: dict[str, list[float]], columns: int) -> Scaler:
    means, scales = scaling["means"], scaling["scales"]
    if len(means) != columns or len(scales) != columns:
        raise ValueError(f"expected the scaling of {columns} columns, got {len(means)}")
    return Scaler(
        tuple(finite("a mean", mean) for mean in means),
        tuple(finite("a scale", scale, least=sys.float_info.min) for scale in scales),
    )
