"""Exercises that check themselves: `check` says whether an answer is right, or why it is not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

from engine.check import GradientError, check_grads
from engine.names import no_such
from engine.number import number, short
from engine.pictures.steps import recorded_with_words
from engine.pictures.texts import many
from engine.value import Value
from nn.exercises.exercise import WAYS, Exercise
from nn.exercises.table import EXERCISES
from nn.homework import Row, note, rows_in
from nn.reply import HELP, OPEN, RIGHT, WRONG, Reply
from nn.slips import Slip, gradient_and_slips, why_wrong


def check(name: str, answer: object, loss: Value | None = None, **numbers: float) -> Reply:
    """Whether the answer to an exercise is right, or why it is not.

    `answer` is a number, a word, a function of one number, or a dict of several of them, as the
    exercise asks; where it asks for gradients, a dict of them by their Values, and `loss` is what
    they are gradients of. `numbers` are those of the notebook that the answer depends on. A number
    is right to four digits. What is left as `...` is not filled in yet.

    Each wrong answer brings one more hint, and after the last one a solution. What is right is
    kept in the file brickgrad-progress.json of the current folder; where it cannot be written,
    that is said once. ValueError for the name of no exercise, TypeError where the call lacks what
    the exercise needs.

    >>> a = Value(3.0, "a")
    >>> check("05.1", {a: ...}, a * a)
    05.1 not filled in yet: the slope of a * a at 3
    """
    exercise = _row(name)
    parts = [] if answer is ... else list(_parts(name, exercise, answer, loss, numbers))
    filled = [part for part in parts if part.answer is not ...]
    if not filled:
        return Reply(name, OPEN, (exercise.asks,))
    faults = [(part.label, why) for part in filled if (why := part.judge(part.answer))]
    if not faults and len(filled) < len(parts):
        missing = ", ".join(part.label for part in parts if part.answer is ...)
        return Reply(name, OPEN, (f"{missing}; the others are right",))
    if faults:
        row, unkept = note(Path(), name, lambda row: row._replace(hints=row.hints + 1))
        label, why = faults[0]
        lines = [": ".join(filter(None, (label, why)))]
        if len(parts) > 1:
            lines.append(f"{len(filled) - len(faults)} of {len(parts)} are right")
        if others := ", ".join(label for label, _ in faults[1:]):
            lines.append(f"not right either, perhaps for the same reason: {others}")
        return _with_hints(name, WRONG, [*lines, unkept], row.hints)
    _, unkept = note(Path(), name, lambda row: row._replace(done=True))
    return Reply(name, RIGHT, tuple(filter(None, [unkept])), solution=exercise.solution)


def hint(name: str) -> Reply:
    """The next hint of an exercise, below those before it.

    >>> from os import chdir
    >>> from tempfile import TemporaryDirectory
    >>> here = Path.cwd()
    >>> with TemporaryDirectory() as folder:
    ...     chdir(folder)
    ...     print(hint("02.3"))
    ...     chdir(here)
    02.3 help: a gradient after three passes without zero_grad
      hint 1 of 1: Each pass adds its own gradient to what is there already.
      solution("02.3") shows a solution
    """
    exercise = _row(name)
    row, unkept = note(Path(), name, lambda row: row._replace(hints=row.hints + 1))
    return _with_hints(name, HELP, [exercise.asks, unkept], row.hints)


def solution(name: str) -> Reply:
    """A solution of an exercise.

    >>> solution("02.3")
    02.3 help: a gradient after three passes without zero_grad
      the solution:
        after_three = 3 * right
    """
    exercise = _row(name)
    return Reply(name, HELP, (exercise.asks,), solution=exercise.solution, shows_solution=True)


def progress(folder: str | Path = ".") -> "Progress":
    """Which exercises are done in a folder of notebooks: a text, in a notebook a table.

    ValueError or OSError where its file is not one of brickgrad's, or cannot be read.
    """
    return Progress(rows_in(Path(folder).resolve()))


@dataclass(frozen=True, repr=False)
class Progress:
    """How far each exercise is, by its name."""

    rows: Mapping[str, Row]

    def __repr__(self) -> str:
        states = {name: self._state(name) for name in EXERCISES}
        width = max(map(len, states.values()))
        lines = (f"  {n}  {state:{width}}  {EXERCISES[n].asks}" for n, state in states.items())
        return "\n".join([self._count(), *lines])

    def _repr_html_(self) -> str:
        """The same as a table."""
        cells = ((name, self._state(name), row.asks) for name, row in EXERCISES.items())
        rows = (
            "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row)
            for row in cells
        )
        titles = ("exercise", "how far", "what is asked")
        head = "".join(f'<th style="text-align:left">{title}</th>' for title in titles)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<b>{self._count()}</b><table><tr>{head}</tr>{body}</table>"

    def _count(self) -> str:
        done = sum(self.rows[name].done for name in EXERCISES if name in self.rows)
        return f"{done} of {len(EXERCISES)} exercises done"

    def _state(self, name: str) -> str:
        row = self.rows.get(name, Row())
        hints = min(row.hints, len(EXERCISES[name].hints))
        return "done" if row.done else many(hints, "hint") if hints else ""


def _row(name: str) -> Exercise:
    if name not in EXERCISES:
        if (near := str(name).zfill(4)) in EXERCISES:
            raise ValueError(f"no exercise {name!r}, did you mean {near!r}?")
        raise ValueError(no_such("exercise", name, EXERCISES))
    return EXERCISES[name]


def _with_hints(name: str, verdict: str, lines: list[str], count: int) -> Reply:
    exercise = EXERCISES[name]
    hints = exercise.hints[:count]
    solution = exercise.solution if count >= len(exercise.hints) else ""
    return Reply(name, verdict, tuple(filter(None, lines)), hints, solution)


# --- the parts of an answer -----------------------------------------------------------------------


class Part(NamedTuple):
    """One answer: what it is called, and the function that says what is wrong with it."""

    label: str
    answer: Any
    judge: Callable[[Any], str]


def _parts(
    name: str, exercise: Exercise, answer: Any, loss: Value | None, numbers: Mapping[str, float]
) -> Iterator[Part]:
    if exercise.answer is None:
        yield from _gradients(name, exercise, answer, loss)
    elif exercise.points:
        blank = callable(answer) and _tried(answer, exercise.points[0]) is ...
        yield Part("", ... if blank else answer, partial(_judge_function, exercise=exercise))
    else:
        yield from _known(name, exercise, answer, numbers)


def _known(
    name: str, exercise: Exercise, answer: Any, numbers: Mapping[str, float]
) -> Iterator[Part]:
    """The parts of an answer that the table has, perhaps worked out from numbers."""
    right = exercise.answer
    names = set(signature(right).parameters) if callable(right) else set()
    if names != numbers.keys():
        wanted = ", ".join(f"{name}=..." for name in sorted(names)) or "no numbers"
        raise TypeError(f"check({name!r}, ...) expected {wanted}, got {sorted(numbers)}")
    right = _worked_out(right, numbers)
    if isinstance(right, Mapping):
        _check_dict(name, answer, "by name, such as " + repr(next(iter(right))))
        for label, one in right.items():
            yield Part(label, answer.get(label, ...), _judge_of(exercise, one, numbers))
    elif isinstance(right, list):
        if not isinstance(answer, list | tuple) or len(answer) != len(right):
            yield Part("", answer, lambda x: f"expected a list of {len(right)}, got {short(x)}")
            return
        for n, (got, one) in enumerate(zip(answer, right, strict=True), 1):
            yield Part(f"number {n}", got, _judge_of(exercise, one, numbers))
    else:
        yield Part("", answer, _judge_of(exercise, right, numbers))


def _gradients(name: str, exercise: Exercise, answer: Any, loss: Value | None) -> Iterator[Part]:
    """The parts of an answer that holds gradients, or the ways of a loss, by their Values."""
    if not isinstance(loss, Value):
        raise TypeError(
            f"check({name!r}, ...) expected a Value as loss, the end of the graph, got "
            f"{type(loss).__name__}"
        )
    _check_dict(name, answer, "of gradients by their Values, such as {w: ...}")
    record, words = recorded_with_words(loss, None)
    places = record.place_of()
    for value, got in answer.items():
        if value is loss:
            continue  # where the walk begins, with a blame of 1
        if value not in places:
            raise ValueError(
                f"check({name!r}, ...): {words.called[-1]} was computed without {value!r}"
            )
        label = words.called[places[value]]
        gradient, slips = gradient_and_slips(words, places[value])
        if exercise.words:
            way = WAYS[2 if gradient == 0 else gradient < 0]
            said = dict.fromkeys(WAYS, f"follow it through the picture, from {label} to the loss")
            yield Part(label, got, partial(_judge_word, right=way, choices=WAYS, said=said))
        else:
            yield Part(label, got, partial(_judge_number, right=gradient, slips=slips))


def _check_dict(name: str, answer: Any, of: str) -> None:
    if not isinstance(answer, Mapping):
        raise TypeError(f"check({name!r}, ...) expected a dict {of}, got {type(answer).__name__}")


def _worked_out(answer: Any, numbers: Mapping[str, float]) -> Any:
    """An answer of the table, or what it says of the numbers of a notebook."""
    return answer(**numbers) if callable(answer) else answer


def _judge_of(exercise: Exercise, right: Any, numbers: Mapping[str, float]) -> Callable[[Any], str]:
    slips = {said: _worked_out(slip, numbers) for said, slip in exercise.slips.items()}
    if choices := exercise.words:
        said = {word: text for text, word in slips.items()}
        return partial(_judge_word, right=right, choices=choices, said=said)
    tried = [([slip], said) for said, slip in slips.items()]
    return partial(_judge_number, right=right, slips=tried)


def _judge_word(word: Any, right: str, choices: Sequence[str], said: Mapping[str, str]) -> str:
    found = word.strip().lower() if isinstance(word, str) else word
    if found == right:
        return ""
    listed = ", ".join(map(repr, choices))
    if found not in choices:
        return f"expected one of {listed}, got {short(word)}"
    return said.get(found, f"it is another of {listed}")


def _judge_number(x: Any, right: float, slips: Sequence[Slip]) -> str:
    try:
        got = x.data if isinstance(x, Value) else number(x)
    except (TypeError, OverflowError):
        return f"expected a number such as 0.5, got {short(x)}"
    return why_wrong([got], [right], slips)


def _judge_function(f: Any, exercise: Exercise) -> str:
    """Compares a function with the right one at points, and its slope with small differences."""
    if not callable(f):
        return f"expected a function of one number, got {short(f)}"
    got = []
    for x in exercise.points:
        y = _tried(f, x)
        if isinstance(y, Exception):
            return f"at {x:g} it stops with {type(y).__name__}: {y}"
        try:
            got.append(number(y.data if isinstance(y, Value) else y))
        except (TypeError, OverflowError):
            return f"at {x:g} expected a number, got {short(y)}: does it return one?"
    right, *wrong = [
        [g(x) for x in exercise.points] for g in (exercise.answer, *exercise.slips.values())
    ]
    slips = list(zip(wrong, exercise.slips, strict=True))
    if fault := why_wrong(got, right, slips):
        return fault
    try:
        for x in exercise.points:
            check_grads(f, [x], order=1)
    except (GradientError, TypeError, ValueError) as error:
        return f"right at the points tried, but as a function of a Value: {error}"
    return ""


def _tried(f: Callable[[Any], Any], x: float) -> Any:
    """What a function of somebody's gives for a Value; an error is what it gives, too."""
    try:
        return f(Value(x, "x"))
    except Exception as error:
        return error
