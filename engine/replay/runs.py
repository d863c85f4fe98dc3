"""A function run to be recorded: what it gave, what it set, and whether a replay can do that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import repeat
from types import CodeType
from typing import Any, NamedTuple, cast

from engine.integer import Integer
from engine.ops import OPS
from engine.replay.arguments import (
    Given,
    Shape,
    digest,
    identities,
    numbers_of,
    rebuild,
    settled,
)
from engine.replay.cells import SETTABLE, Cell, now, spelled
from engine.replay.compare import ReplayError
from engine.replay.reach import Reached, is_read, line_of, line_on, line_with, reach
from engine.replay.tape import Recording, Tape
from engine.replay.undo import is_data, settle
from engine.replay.watch import is_computed_from, record, standing_in
from engine.replay.witness import Witness
from engine.replay.world import Lent, is_filled, places_set, written
from engine.value import Operand, Value, node

LIMIT = 32  # recordings kept of one function
MANY_CODES = 10_000  # pieces of code that are remembered: more are made anew at each call
TOO_MANY = 9  # recordings of one function: a warning; of one shape: no more are made


class Run(NamedTuple):
    """One run of the function, seen while it ran."""

    seen: Recording
    result: Any
    results: list[Operand]  # the numbers in it, then those in what it set
    are_values: list[bool]  # the others are plain numbers to the caller
    forms: list[Any]  # of the result, then of what it set
    sets: list[Cell]
    state: list[tuple[Cell, Any]]  # what else it set, and to what
    refused: list[tuple[str, str]]  # what it called that no replay can repeat, and where
    new: set[int]  # ids of what stands now where it set something


class _Mark(NamedTuple):
    """A place that was set before: Values of our own stand there, to see whether they are read."""

    cell: Cell
    thing: Any
    values: list[Value]


class Runs:
    """Runs of one function, and what is known of them."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.codes: dict[CodeType, dict[str, Any]] = {}  # what ran so far, with its globals
        self.unsettled: dict[str, int] = {}  # shapes whose last run set something up, how often
        self.plain: set[Shape] = set()  # shapes whose integers all are: nothing may stand for them
        self.looks_around = False  # as runs so far did
        self._set: set[Any] = set()  # places that the last run set
        self._pinned: dict[Shape, set[int]] = {}  # which integers of a shape are part of it

    @property
    def name(self) -> str:
        """That of the function."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def digest(self, given: Given) -> str:
        """What tells such arguments from others, integers that are part of the shape among it."""
        pins = [given.numbers[k] for k in sorted(self._pinned.get(given.shape, ()))]
        return digest((given.shape, pins) if pins else given.shape)

    def pins(self, given: Given, seen: Recording) -> dict[int, str]:
        """The places of integers whose numbers a run asked for, and the lines where it did."""
        if given.shape in self.plain:
            return {k: "" for k, x in enumerate(given.numbers) if type(x) is int}
        return {k: i.pinned for k, i in enumerate(seen.integers) if i is not None and i.pinned}

    def note_pins(self, given: Given, seen: Recording) -> None:
        """Remembers which integers are part of the shape: they tell recordings apart."""
        pins = self.pins(given, seen).keys()
        if not pins:
            return
        if len(self._pinned) > LIMIT:
            self._pinned.clear()
            self.plain.clear()
        self._pinned.setdefault(given.shape, set()).update(pins)

    def roots(self, given: Given) -> list[tuple[Any, str]]:
        """What a walk through the world begins with: the function, and arguments but data."""
        keywords = given.keywords.items()
        named = [
            *((thing, "argument") for thing in given.arguments),
            *((b, a) for a, b in keywords),
        ]
        return [
            (self.function, ""),
            *(root for thing, name in named for root in _others(thing, name)),
        ]

    def before(self, given: Given) -> Reached:
        """The world before a run."""
        return reach(self.roots(given), known=self.codes, looks_around=self.looks_around)

    def witnessed(
        self,
        given: Given,
        inputs: Sequence[Value],
        places: Sequence[Cell],
        before: Reached,
        is_plain: bool = False,
    ) -> tuple[Run, Reached]:
        """A run with a look at the world before and after it; `is_plain`: on numbers as passed."""
        witness = Witness(self.codes if places else None)
        marks = [mark for key in self._set for mark in _marked(before.cells.get(key))]
        pairs = zip(inputs, given.numbers, strict=False)
        floats = {id(v): v for v, x in pairs if type(x) is not Value}
        try:
            seen, result = self.watched(given, inputs, places, marks, witness, is_plain)
        except ReplayError:  # the function ran: what it has set stays, as numbers
            self.codes = {**self.codes, **witness.codes}
            after = reach(self.roots(given), witness.codes, looks_around=True)
            settle(written(before, after), floats)
            raise
        self.codes = {**(self.codes if len(self.codes) < MANY_CODES else {}), **witness.codes}
        self.looks_around |= witness.looks_around
        roots = self.roots(given)
        looks = self.looks_around
        after = reach(roots, witness.codes, looks_around=looks, library=witness.library)
        unread = {mark.cell.key for mark in marks if not seen.has_used(mark.values)}
        changed = written(before, after)
        sets, state = [], []
        for cell, value in changed:
            places_in = places_set(cell, value)
            is_unread = cell.key in unread or not is_read(after, cell)
            if is_unread and all(map(is_data, places_in)):
                sets += places_in
            else:
                state.append((cell, value))
        self._set = {cell.key for cell, _ in changed}
        settle(state, floats)
        state = [(cell, now(cell)) for cell, _ in state]
        below = reach([(value, "") for _, value in changed], witness.codes, is_below=True)
        new = set(map(id, below.held)) - set(map(id, before.held))
        run = self.told(given, seen, result, inputs, places, sets)
        return run._replace(state=state, refused=witness.refused, new=new), after

    def watched(
        self,
        given: Given,
        inputs: Sequence[Value],
        places: Sequence[Cell],
        marks: Sequence[_Mark] = (),
        witness: Witness | None = None,
        is_plain: bool = False,
    ) -> tuple[Recording, Any]:
        """A run with Values in the places of numbers that are inputs, and with marks."""
        numbers = [now(place) for place in places]
        lent = [Value(float(x)) for x in numbers]
        cells = [*places, *(mark.cell for mark in marks)]
        integers = [
            Integer(x, v) if type(x) is int and given.shape not in self.plain else None
            for x, v in zip(given.numbers, inputs, strict=False)  # none where it runs on numbers
        ]
        passed = [v if i is None else i for i, v in zip(integers, inputs, strict=True)]
        with (
            record() as seen,
            Lent(cells, [*lent, *(mark.thing for mark in marks)]),
            standing_in(lent, map(type, numbers)),
            _alive(integers),
        ):
            values = given.numbers if is_plain else passed
            result = self.run(given, values, witness, is_plain)
        seen.lent, seen.integers = lent, integers
        if seen.escapes:
            what, line = seen.escapes[0]
            error = ReplayError(
                f"{self.name} {what} of a Value at {line}: the number would be frozen in every "
                "replay, and what is set would be set once; compute with Values (engine.max and "
                'engine.softmax choose by value), or use backend="eager"'
            )
            error.result = (self.own(given, inputs, result),)
            raise error
        return seen, result

    def told(
        self,
        given: Given,
        seen: Recording,
        result: Any,
        inputs: Sequence[Value],
        places: Sequence[Cell],
        sets: Sequence[Cell],
    ) -> Run:
        """What a run gave: the numbers in its result and in what it set, and their forms."""
        pairs = zip(inputs, given.numbers, strict=False)
        of_lent = {id(v): v for v in seen.lent}
        of_all = {**of_lent, **{id(v): v for v, x in pairs if type(x) is not Value}}
        is_whole = any(type(now(place)) is not float for place in places)
        parts = [result, *(now(cell) for cell in sets)]
        results, are_values = [], []
        for k, part in enumerate(parts):
            for x in numbers_of(part):
                if is_whole and is_computed_from(x, [of_lent]):
                    raise ReplayError("an integer would come back as a float")
                results.append(x)
                plain = is_computed_from(x, [of_all if k else of_lent])
                are_values.append(isinstance(x, Value) and not plain)
        forms = list(map(_form, parts))
        return Run(seen, result, results, are_values, forms, list(sets), [], [], set())

    def judge(self, given: Given, run: Run, before: Reached, after: Reached) -> bool:
        """Whether the run set something up; ReplayError where it does at every call."""
        shape, state = self.digest(given), run.state
        chance = [c for c, _ in state if c.kind == "random"]
        is_cache = bool(state) and all(is_filled(c, value) for c, value in state)
        unseen = [c for key, c in after.cells.items() if key not in before.cells]
        is_missed = not state and any(id(c.owner) not in run.new for c in unseen)
        times = self.unsettled.get(shape, 0) + 1
        most = TOO_MANY if is_cache else 2 if is_missed else 1
        only_asks = (run.refused or chance) and len(chance) == len(state)
        if (state or is_missed) and times <= most and not only_asks:
            if len(self.unsettled) > LIMIT:
                self.unsettled.clear()
            self.unsettled[shape] = times
            return True
        does = _refusal(run, after, chance, is_missed)
        if does:
            raise ReplayError(f'{self.name} {does}, or use backend="eager"')
        return False

    def run(
        self,
        given: Given,
        numbers: Iterable[Any],
        witness: Witness | None = None,
        is_plain: bool = False,
    ) -> Any:
        """The function itself; numbers come to it as Values, but integers; or all as they are."""
        values, floats = (given.numbers, []) if is_plain else _passed(numbers, given.numbers)
        unread = iter(values)
        arguments = rebuild(given.arguments, unread, True)
        keywords = rebuild(given.keywords, unread, True)
        before = identities(arguments, keywords)
        with standing_in(floats), witness or nullcontext():
            result = self.function(*arguments, **keywords)
        if identities(arguments, keywords) != before:
            raise ReplayError(
                f"{self.name} changes a list, a dict or an array that it was given: a replay has "
                "copies of them, so that its caller would not see it; change a copy, and return it"
            )
        return result

    def own(self, given: Given, inputs: Sequence[Value], result: Any) -> Any:
        """A run's own result, whose gradients arrive at the Values that were passed in."""
        for v, x in zip(inputs, given.numbers, strict=False):
            if isinstance(x, Value) and v.op is None:
                v.op, v.x, v.y, v.dx, v.dy = OPS["mul"], x, 1.0, 1.0, None
        return settled(result) if int in map(type, given.numbers) else result

    def tape(self, run: Run, given: Given, inputs: Sequence[Value]) -> Tape:
        """What a run computed, with gradients for the Values among what was passed in."""
        wanted = [isinstance(x, Value) for x in given.numbers]
        wanted += [False] * (len(inputs) - len(wanted))
        return run.seen.tape(inputs, run.results, wanted)


def _others(thing: Any, name: str) -> list[tuple[Any, str]]:
    """What is in an argument, but data."""
    if type(thing) in (list, tuple):
        return [root for part in thing for root in _others(part, name)]
    if type(thing) is dict:
        return [root for part in thing.values() for root in _others(part, name)]
    is_data = type(thing) in (float, Value, int, str, bool, type(None)) or hasattr(thing, "tolist")
    return [] if is_data else [(thing, name)]


def _marked(cell: Cell | None) -> list[_Mark]:
    """A mark for a cell that holds Values, and no other numbers; none for others."""
    if cell is None or cell.kind not in SETTABLE or cell.value is None:
        return []
    try:
        numbers = numbers_of(cell.value)
    except (TypeError, ValueError, RecursionError):
        return []
    if not numbers or not all(type(x) is Value for x in numbers):
        return []
    values = [node(OPS["mul"], v.data, v, 1.0, 1.0, None) for v in cast("list[Value]", numbers)]
    return [_Mark(cell, rebuild(cell.value, iter(values)), values)]


def _passed(numbers: Iterable[Any], given: Iterable[Any]) -> tuple[list[Any], list[Value]]:
    """Numbers as they come to a function, and those of them that are Values in place of others."""
    values: list[Any] = []
    stand_ins = []
    for x, own in zip(numbers, given, strict=True):
        if type(own) is int and type(x) is not Integer:
            values.append(own)
        else:
            values.append(Value(x) if type(x) is float else x)
        if type(own) is float:
            stand_ins.append(values[-1])
        elif type(x) is Integer and x.v is not None:
            stand_ins.append(x.v)
    return values, stand_ins


def _refusal(run: Run, after: Reached, chance: Sequence[Cell], is_missed: bool) -> str:
    """What a run does that no replay can do, and what to do instead; empty where it does not."""
    if run.refused or chance:
        what, line = run.refused[0] if run.refused else _drawn(after, chance[0])
        return (
            f"calls {what} at {line}: a replay would not call it again; call it outside and pass "
            "what it gives as an argument"
        )
    if run.state:
        cell, _ = run.state[0]
        return (
            f"changes {cell.words} at {line_of(after, cell)}, which it reads itself: each call "
            "needs a run of its own; pass it as an argument and return what it becomes"
        )
    if after.unknown or after.names.reads_globals or is_missed:
        kind, path = (*after.unknown, ("globals()", (None, "globals")))[0]
        what = f"the {kind} {spelled(path)} at {line_on(after, path)}"
        return (
            f"reads {'what no walk finds' if is_missed else what}: a replay cannot see it change; "
            "pass what it gives as an argument"
        )
    return ""


def _drawn(after: Reached, source: Cell) -> tuple[str, str]:
    """Which method of a source of random numbers was called, and the line."""
    ran = {code.co_name for code in after.codes}
    named = sorted(n for n in after.names.attributes - ran if hasattr(source.owner, n))
    drawn = [name for name in named if line_with(after, name)]
    return ", ".join(drawn) or "random numbers", line_with(after, (*drawn, "")[0])


def _form(result: Any) -> Any:
    """The result with all its numbers zero."""
    return rebuild(result, repeat(0.0))


@contextmanager
def _alive(integers: Iterable[Integer | None]) -> Iterator[None]:
    """Inside, comparisons of these are noted, and picks read what stands behind them."""
    try:
        yield
    finally:
        for i in integers:
            if i is not None:
                i.v = None
