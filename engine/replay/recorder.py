"""Runs a function to record it, and beside a replay to compare the two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, cast

from engine.replay.arguments import Given, copies, digest, flatten, name_of, numbers_of
from engine.replay.backends.choice import first
from engine.replay.causes import is_of_the_house
from engine.replay.cells import PLAIN, SETTABLE, Cell, alike, now, spelled
from engine.replay.compare import Change, ReplayError, change
from engine.replay.kept import Kept
from engine.replay.kinds import is_the_same, kind_asked
from engine.replay.reach import Reached, is_read, is_standard, reach
from engine.replay.recorded import Leaves, Pin, Recorded
from engine.replay.roll import Program, roll
from engine.replay.runs import Run, Runs
from engine.replay.stretch import FEW, is_line, program_of
from engine.replay.tape import Tape
from engine.replay.undo import Chances, chances_in, do_again, put_back
from engine.replay.watch import record
from engine.replay.witness import Stopped
from engine.replay.world import World, is_free, written
from engine.value import Operand, Value, data_of

MANY = 2 * sum(FEW)  # examples; the program of more is taken from programs of a few
FROZEN = (
    "It reads what a recording cannot see (docs/fast.md): pass it as an argument, or use "
    'backend="eager"'
)
_NO_INT = (TypeError, AttributeError, IndexError)  # what C raises for what is no int to it


class _Try(NamedTuple):
    """A run that is to be recorded: what it is given, and what was there before it."""

    given: Given
    keeps_all: bool
    before: Reached
    chances: Chances
    inputs: list[Value]
    places: list[Cell]  # whose numbers are inputs
    is_strict: bool
    plain: tuple[Any, ...]  # the result of a run on numbers as they were passed, if there was one


class Recorder:
    """What it takes to record a function by a backend, and what former recordings taught."""

    def __init__(
        self, runs: Runs, kept: Kept, wanted: str, check: int | None, main: int | None
    ) -> None:
        """As `Replay`, for whose recordings there is `kept`."""
        self._runs, self._kept = runs, kept
        self._wanted, self._check, self._main = wanted, check, main
        self._moved: dict[Any, Cell] = {}  # places of plain numbers that were seen to change
        self._fixed: set[Any] = set()  # places of numbers that cannot be inputs
        self._waiting: list[tuple[Cell, Any]] = []  # such numbers as they were at the last call
        self._asks_identity = False  # as runs so far did

    # --- to record

    def record(
        self, given: Given, keeps_all: bool = False, lends: bool = True
    ) -> tuple[Recorded | None, Any]:
        """Runs the function and records it; the recording, and the function's own result.

        Where it may tell a number that is passed from a Value it runs on the number first, and
        again only if that run has no effects.

        A run that sets something up for the next ones, such as a layer that is built when first
        called, is not kept: its recording, made where `keeps_all`, is good for this call. `lends`:
        numbers outside that change become inputs where they can. Raises ReplayError, with the
        result, where the next run would set something again.
        """
        before = self._runs.before(given)
        if all(map(_is_value, given.numbers)) or not kind_asked(before):
            return self._recording(given, keeps_all, lends, before)
        run, after = self._runs.witnessed(given, [], [], before, is_plain=True)
        try:
            if self._runs.judge(given, run, before, after):
                return None, run.result
        except ReplayError as error:
            error.result = (run.result,)
            raise
        done = written(before, after)
        put_back(before, ())  # so that what the second run sets is seen
        try:
            return self._recording(given, keeps_all, lends, before, run, kind_asked(after))
        except ReplayError:
            do_again(done)
            raise

    def _recording(
        self,
        given: Given,
        keeps_all: bool,
        lends: bool,
        before: Reached,
        former: Run | None = None,
        line: str = "",
    ) -> tuple[Recorded | None, Any]:
        """The recording of a run. `former` is one on numbers as they were passed, without effects:

        at a `line` it asks what kind of things numbers are, so that both are to be compared.
        """
        is_strict = self._is_strict(before)
        inputs = copies(given.numbers, is_strict)
        self._moved |= {place.key: place for place in self._moving(given)}
        places = self._places(given, before) if lends and not line else []
        plain = (former.result,) if former else ()
        tried = _Try(given, keeps_all, before, chances_in(before), inputs, places, is_strict, plain)
        try:
            run, after = self._runs.witnessed(given, inputs, places, before)
            tells = places and (after.names.asks_kind or kind_asked(after))
            if places and (tells or run.state or run.seen.calculates_otherwise(_may_sum(after))):
                raise Stopped(is_for_good=True)
            if former and line and not _agree(given, inputs, run, former):
                raise self._asks(line)
        except (Exception, Stopped) as error:
            if plain and not (places or isinstance(error, _NO_INT)):
                put_back(before, tried.chances)
                failed = error if isinstance(error, ReplayError) else self._asks(line)
                failed.result = plain
                raise failed from None
            return self._otherwise(error, tried)
        return self._judged(tried, run, after, lends)

    def _judged(
        self, tried: _Try, run: Run, after: Reached, lends: bool
    ) -> tuple[Recorded | None, Any]:
        """The recording of a run that is over, if it may be kept, and the function's own result."""
        given, inputs, runs = tried.given, tried.inputs, self._runs
        if run.seen.asks_identity and not tried.is_strict and any(map(_is_value, given.numbers)):
            self._asks_identity = True
            if not (run.state or run.refused):
                return self.record(given, tried.keeps_all, lends)
        inputs += run.seen.lent
        runs.note_pins(given, run.seen)
        recorded = None
        try:
            is_set_up = runs.judge(given, run, tried.before, after)
            if not is_set_up:
                runs.unsettled.pop(runs.digest(given), None)
            if tried.keeps_all or not is_set_up:
                recorded = self._recorded(tried, run, after, is_set_up)
        except ReplayError as error:
            error.result = tried.plain or (runs.own(given, inputs, run.result),)
            raise
        return recorded, tried.plain[0] if tried.plain else runs.own(given, inputs, run.result)

    def _otherwise(self, error: BaseException, tried: _Try) -> tuple[Recorded | None, Any]:
        """After a run that failed another one, with fewer Values in the places of numbers.

        What the first one did is put back. Raises its error where there is no other way.
        """
        given, runs = tried.given, self._runs
        if tried.places:
            put_back(tried.before, tried.chances)
            if not isinstance(error, Stopped) or error.is_for_good:
                self._fixed |= {p.key for p in tried.places}  # as in math.exp(box.k)
            return self.record(given, tried.keeps_all, lends=False)
        stands_in = given.shape not in runs.plain and int in map(type, given.numbers)
        if stands_in and isinstance(error, _NO_INT):
            put_back(tried.before, tried.chances)
            runs.plain.add(given.shape)
            try:
                return self.record(given, tried.keeps_all)
            except _NO_INT:
                runs.plain.discard(given.shape)  # it was something else
                raise
        if tried.keeps_all and not isinstance(error, ReplayError):
            put_back(tried.before, tried.chances)  # the loops run it again
        raise error

    def _asks(self, line: str) -> ReplayError:
        return ReplayError(
            f"{self._runs.name} asks at {line} what kind of thing a number is, and does something "
            "else with a Value: a recording has Values in the places of numbers; pass Values, or "
            'use backend="eager"'
        )

    def _is_strict(self, before: Reached) -> bool:
        """Whether it matters which of the Values passed in are one: to `is`, or to last digits."""
        return self._wanted == "python" or self._asks_identity or before.names.asks_identity

    # --- numbers outside that change

    def is_restless(self, given: Given) -> bool:
        """Whether a number that cannot be an input is another one than at the call before.

        The function itself is to run then: a recording would not be used again.
        """
        fixed = [place for place in self._moving(given) if place.key in self._fixed]
        changes, before = [(place, now(place)) for place in fixed], self._waiting
        self._waiting = changes
        is_settled = len(changes) == len(before) and all(
            a.key == b.key and alike(x, y) for (a, x), (b, y) in zip(changes, before, strict=True)
        )
        return bool(changes) and not is_settled

    def _moving(self, given: Given) -> list[Cell]:
        """The places of plain numbers that changed since the last recording for such arguments."""
        newest = self._kept.candidates(given)[-1:]
        return [place for recorded in newest for place in recorded.world.moved()]

    def _places(self, given: Given, before: Reached) -> list[Cell]:
        """The places of numbers that change, which are inputs where no code can tell them apart.

        So a run with Values there has no effect that cannot be put back, and can be made anew.
        """
        places = [p for key, p in self._moved.items() if key not in self._fixed and is_free(now(p))]
        inner = {p.key for p in places if p.kind == "attribute" and is_standard(p.owner)}
        self._fixed |= inner  # such as the level of a logger
        places = [p for p in places if p.key not in inner]
        caches = (cell for cell in before.cells.values() if cell.kind == "cache")
        if not places or not all(map(is_of_the_house, caches)):
            return []
        runs = self._runs
        ran = reach(runs.roots(given), runs.codes, looks_around=runs.looks_around)
        holds_type = any(_holds(cell.value, type) for cell in ran.cells.values())
        if ran.unknown or ran.names.asks_kind or holds_type:
            self._fixed |= {p.key for p in places}
            return []
        return places

    # --- what is kept of a run

    def _recorded(self, tried: _Try, run: Run, after: Reached, is_set_up: bool) -> Recorded | None:
        given, inputs, places = tried.given, tried.inputs, tried.places
        shown = None if run.sets or places or is_set_up else self._shown(given, run)
        tape, program = shown or (self._runs.tape(run, given, inputs), None)
        pattern = self._runs.digest(given) + digest([guard.outcome for guard in tape.guards])
        if self._kept.is_spare(given, pattern):
            return None
        made, world = self._kept.made + 1, World(_guarded(run, after), places)
        spent = self._kept.spent
        recorded = Recorded(tape, run, self._wanted, world, made, self._main, spent, program)
        recorded.holds_integers = int in map(type, given.numbers)
        recorded.pins = {
            k: Pin(given.numbers[k], name_of(self._runs.function, given, k), line)
            for k, line in self._runs.pins(given, run.seen).items()
        }
        recorded.is_strict = self._is_strict(after)
        recorded.fit(given.numbers)
        recorded.due = self._check or 2
        leaves = [v.data for v in inputs], [p.data for p in recorded.program.parameters]
        self._check_kernel(recorded, leaves, inputs, run)
        asks = after.names.asks_identity or run.seen.asks_identity
        if recorded.grad_inputs and asks and not is_set_up:
            self._check_identity(given, run.results[: len(numbers_of(run.result))])
        if not is_set_up:
            self._kept.keep(given, recorded, pattern)
        return recorded

    def _shown(self, given: Given, run: Run) -> tuple[Tape, Program] | None:
        """The tape of a few examples, and the program of all, where what is done grows evenly.

        Not where a comparison or an integer of one of them counts, nor for Python, whose bits are
        those of a whole tape.
        """
        is_large = given.few and given.examples > MANY
        if not is_large or self._wanted == "python" or self._runs.pins(given, run.seen):
            return None
        few = {count: self._run_of(given, count) for count in FEW}
        sizes = [(count, len(each.seen.nodes)) for count, (_, each) in few.items()]
        sizes.append((given.examples, len(run.seen.nodes)))
        if run.seen.guards or not is_line(sizes):
            return None
        tapes = {count: tape.rooted(self._main)[0] for count, (tape, _) in few.items()}
        program = program_of({count: roll(tape) for count, tape in tapes.items()}, given.examples)
        if program is None or (self._wanted == "auto" and first(program) == "python"):
            return None
        return tapes[FEW[-1]], program

    def _run_of(self, given: Given, count: int) -> tuple[Tape, Run]:
        """A run with some of the examples alone, and its tape."""
        few = cast(Callable[[int], Given], given.few)(count)
        inputs = copies(few.numbers)
        run = self._runs.told(few, *self._runs.watched(few, inputs, ()), inputs, (), ())
        return self._runs.tape(run, few, inputs), run

    # --- to compare

    def compare(self, recorded: Recorded, leaves: Leaves, given: Given) -> tuple[Any] | None:
        """Runs the function itself beside a replay of it.

        None where they agree. Its own result, in a tuple, where it is another function by now,
        which the calls before did not miss: it is to be recorded anew. Raises ReplayError where
        they may have missed it, where numbers alone have changed, and where the kernel computes
        something else.
        """
        inputs = copies(given.numbers, recorded.is_strict)
        places = recorded.world.free
        run: Run | None = None
        try:
            seen, result = self._runs.watched(given, inputs, places)
            run = self._runs.told(given, seen, result, inputs, places, recorded.sets)
            inputs += seen.lent
            changed = self._changed(recorded, given, inputs, run)
            if changed is None:
                self._check_kernel(recorded, leaves, inputs, run)
        except ReplayError as error:
            self._kept.forget(recorded)
            if run:
                error.result = (self._runs.own(given, inputs, run.result),)
            raise
        compared, calls = recorded.compared, recorded.calls
        if changed is None:
            recorded.compared = calls
            recorded.due = calls + self._check if self._check else 10 * calls
            return None
        self._kept.forget(recorded)
        own = (self._runs.own(given, inputs, run.result),)
        was_missed = calls > compared + 1 and not changed.is_close
        if changed.is_frozen or was_missed:
            name = self._runs.name
            differs = ReplayError(
                f"the replay of {name} differs from {name} itself: {changed.words}. {FROZEN}"
            )
            differs.result = own
            raise differs
        self._kept.causes.append(changed.words)
        return own

    def _changed(
        self, recorded: Recorded, given: Given, inputs: Sequence[Value], run: Run
    ) -> Change | None:
        """How a run differs from the one that was recorded."""
        if recorded.shows_all:
            tape = self._runs.tape(run, given, inputs)
        else:
            tape, _ = self._run_of(given, FEW[-1])
        changed = change(recorded.tape, tape)
        if changed is None and flatten(run.forms, []) != flatten(list(recorded.forms), []):
            changed = Change("its result has another form", is_frozen=True)
        if changed is None and not recorded.pins.keys() >= self._runs.pins(given, run.seen).keys():
            changed = Change("it asks for the number of an integer that it picked with before")
        return changed

    def _check_kernel(
        self, recorded: Recorded, leaves: Leaves, inputs: Sequence[Value], run: Run
    ) -> None:
        name = self._runs.name
        wrong = recorded.difference(leaves, inputs, run.results, run.seen.order)
        if wrong:
            raise ReplayError(
                f"the {recorded.backend} kernel of {name} differs from {name} itself: {wrong}. "
                'Please report it, and use backend="eager"'
            )

    def _check_identity(self, given: Given, results: Sequence[Operand]) -> None:
        """Compares with a run on the Values that were passed, not on copies of them."""

        def gives(numbers: Iterable[Operand]) -> list[str]:
            with record():  # so that replays inside this one run as functions
                return [repr(data_of(x)) for x in numbers_of(self._runs.run(given, numbers))]

        wanted, name = [repr(data_of(x)) for x in results], self._runs.name
        if gives(given.numbers) != wanted:
            if gives(copies(given.numbers)) != wanted:
                raise ReplayError(f"{name} gives other numbers at each call. {FROZEN}")
            raise ReplayError(
                f"{name} asks whether an argument is a certain Value: a replay cannot, it passes "
                'others in; compare numbers, or use backend="eager"'
            )


def _guarded(run: Run, after: Reached) -> list[Cell]:
    """What a recording of a run depends on outside: what it set itself is set at each call."""
    sets = {cell.key for cell in run.sets}
    owners = {id(cell.owner) for cell in run.sets if cell.kind == "item"}
    cells = [
        c
        for key, c in after.cells.items()
        if key not in sets and key[1] not in run.new and _is_guarded(after, c)
        if not (key[1] in owners and key[2] is None)
    ]
    asked = [cell for cell in run.sets if is_read(after, cell)]  # such as `self.h is None`
    return cells + [Cell("form", cell, None, type(cell.value), cell.path) for cell in asked]


def _is_guarded(after: Reached, cell: Cell) -> bool:
    """Whether what stands in a cell matters: it is read, or may have been set to just that."""
    if is_read(after, cell):
        return True
    word = spelled(cell.path) if cell.kind == "closure" else cell.name
    names = after.names.set_attributes | after.names.set_globals | after.names.set_variables
    is_plain = cell.kind in SETTABLE and type(cell.value) in (*PLAIN, float)
    return is_plain and word in names


def _holds(value: Any, thing: object) -> bool:
    """Whether something, or a tuple of such, is this thing."""
    return value is thing or (type(value) is tuple and any(_holds(x, thing) for x in value))


def _may_sum(after: Reached) -> bool:
    """Whether the code may call Python's `sum`, by its name or by another one."""
    is_named = "sum" in after.names.globals | after.names.attributes
    return is_named or any(_holds(cell.value, sum) for cell in after.cells.values())


def _is_value(x: object) -> bool:
    return isinstance(x, Value)


def _agree(given: Given, inputs: Sequence[Value], run: Run, former: Run) -> bool:
    """Whether a run on Values gave what one on numbers gave, and set the same."""
    constants = [*inputs, *given.numbers, *run.seen.made, *former.seen.made]
    set_by = [([cell.key for cell in each.sets], repr(each.forms[1:])) for each in (run, former)]
    return set_by[0] == set_by[1] and is_the_same(run.results, former.results, constants)
