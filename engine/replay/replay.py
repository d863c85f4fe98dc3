"""Write scalars, run matrices: a function of Values is recorded once and replayed many times."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial, update_wrapper
from itertools import chain
from threading import RLock
from types import MethodType
from typing import Any, cast, overload
from weakref import WeakSet

from engine.fork import after_fork
from engine.modes import enable_grad, is_grad_enabled, is_watched
from engine.names import no_such
from engine.replay import backends, loops
from engine.replay.arguments import (
    Given,
    Shape,
    changed_argument,
    copies,
    digest,
    flatten,
    name_of,
    numbers_of,
    read,
    rebuild,
)
from engine.replay.backends import javascript
from engine.replay.backends.choice import Spent, first
from engine.replay.backends.kernel import Kernel
from engine.replay.causes import changed_guard, guarded, is_of_the_house
from engine.replay.cells import PLAIN, SETTABLE, Cell, alike, now, spelled
from engine.replay.compare import Change, ReplayError, change
from engine.replay.kinds import is_the_same, kind_asked
from engine.replay.reach import Reached, is_read, is_standard, reach
from engine.replay.recorded import Leaves, Pin, Recorded, rooted
from engine.replay.roll import Program, roll
from engine.replay.runs import LIMIT, TOO_MANY, Run, Runs
from engine.replay.stretch import FEW, is_line, program_of
from engine.replay.tape import Recording, Tape
from engine.replay.undo import Chances, chances_in, do_again, put_back
from engine.replay.watch import record, turn
from engine.replay.witness import Stopped, outside
from engine.replay.words import in_words
from engine.replay.world import World, is_free, written
from engine.value import Operand, Value, data_of

# What `source` shows beside the code of backends.
PRINTERS: dict[str, Callable[[Program, Iterable[tuple[str, Value]]], str]] = {
    "words": in_words,
    "loops": lambda program, names: loops.text(program),
    "javascript": lambda program, names: javascript.text(program),
}
MANY = 2 * sum(FEW)  # examples; the program of more is taken from programs of a few
FROZEN = (
    "It reads what a recording cannot see (docs/fast.md): pass it as an argument, or use "
    'backend="eager"'
)


class Replay:
    """A function that is recorded when first called with arguments of a shape, then replayed.

    Numbers in the arguments, also in nested lists, tuples, dicts and arrays, are inputs and come
    to the function as Values; texts and what else can be hashed are part of the shape. An integer
    is an input too where the function only picks or compares with it; one that sets a length,
    indexes a list, is a key or enters arithmetic belongs to the shape, and no other does. Values
    that the function takes from elsewhere are parameters. What comes back is a Value, or lists of
    Values, like any other. A function that changes its arguments is refused.

    What it reads elsewhere is guarded (see `world`), and asked before each replay. Each call runs
    the function once at most.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        backend: str = "auto",
        check: int | None = None,
        main: int | None = None,
    ) -> None:
        """As `replay`; `main` is the only output that `backward()` will be called on, if any is."""
        if backend not in ("auto", "eager", *backends.NAMES):
            names = ", ".join(("auto", "eager", *backends.NAMES))
            raise ValueError(f"replay expected a backend of {names}, got {backend!r}")
        if check is not None and check < 1:
            raise ValueError(f"replay expected check of 1 or more calls, got {check}")
        if not callable(function):
            raise TypeError(f"replay expected a function, got {type(function).__name__}")
        self.wanted, self.check = backend, check
        self.recordings: dict[Any, list[Recorded]] = {}
        self.made, self._main = 0, main
        self.patterns: list[str] = []  # shape and comparisons of each recording that counts
        self._lost: set[str] = set()  # those of a former run, not made again yet
        self._hits = 0  # calls that a recording answered
        self._runs = Runs(function)
        self._moved: dict[Any, Cell] = {}  # places of plain numbers that were seen to change
        self._fixed: set[Any] = set()  # places of numbers that cannot be inputs
        self._pinned: dict[Shape, set[int]] = {}  # which integers of a shape are part of it
        self._asks_identity = False  # as runs so far did
        self._waiting: list[tuple[Cell, Any]] = []  # such numbers as they were at the last call
        self._causes: deque[str] = deque(maxlen=8)  # why it was recorded anew, or not at all
        self._spent = Spent()
        self._lock = RLock()
        _living.add(self)
        self._inner = frozenset(vars(self)) | {"_inner"}  # all others are the user's
        update_wrapper(self, function)
        if backend in backends.NAMES:
            backends.backend(backend)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The function's result, by replay where a recording fits.

        Inside another recording or `detect_anomaly()` the function itself runs.
        """
        if not is_grad_enabled():
            with enable_grad():
                return _detached(self(*arguments, **keywords))
        given = read(arguments, keywords)
        if self.wanted == "eager" or is_watched():
            return self._runs.run(given, given.numbers)
        found = self._replayed(given)
        self.note_call(found is not None)
        if found:
            return found[0]
        with turn() as is_ours:  # another thread's recording may wait for this one
            is_full = self.wanted == "auto" and self.is_full(given)
            if not is_ours or self.is_busy or is_full or self.is_restless(given):
                return self._runs.run(given, given.numbers)
            return self._first(given)

    def _first(self, given: Given) -> Any:
        """Runs the function once, and records it; the result is the recording's where one fits."""
        try:
            recorded, own = self.record(given)
        except ReplayError as error:
            self._causes.append(f"refused: {error}")
            raise
        computed = recorded and recorded.compute(given.numbers, False)
        return recorded.result(given.numbers, *computed) if recorded and computed else own

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself."""
        return self._runs.function

    @function.setter
    def function(self, function: Callable[..., Any]) -> None:
        self._runs.function = function

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method, the instance is the first argument."""
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> Any:
        """A copy begins without recordings."""
        return partial(Replay, backend=self.wanted, check=self.check), (self.function,)

    @property
    def backend(self) -> str:
        """What runs the newest recording: "python", "numpy" or "c"; "eager" before one."""
        recorded = self._newest()
        return recorded.backend if recorded else "eager"

    def source(self, backend: str = "words", names: Iterable[tuple[str, Value]] = ()) -> str:
        """The loops of the newest recording: in words, as the code of a backend, or in JavaScript.

        "loops" has a line for each loop, those of the backward too: what they add up, and where
        that stands (docs/replay.md).

        `names` are those of parameters, such as `model.named_parameters()`: loops in words that
        read them are named by what the names have in common. Raises ReplayError before the first
        recording.

        "javascript" is a module for a browser or Node that needs nothing else. It exports

            size, outputs       how many numbers v and a hold; where the results are in v
            inputs, parameters  where those begin, in v and, their gradients, in a
            memory()            a v with the parameters as they stand now: put the inputs in
            forward(v)          computes the results
            backward(v, a, s)   after forward: a holds zeros, or what it left there;
                                s has a number for each output, 1 for a loss

        Its comparisons are those of the recording: none is asked again. Gradients of inputs are
        there where a Value was given.

        >>> from engine.value import Value
        >>> w = Value(0.5)
        >>> step = replay(lambda x: w * x)
        >>> step(2.0).data
        1.0
        >>> step.source()
        '1 mul'
        >>> step.source("javascript").splitlines()[3:6]
        ['export function forward(v) {', '  v[2] = (v[1] * v[0]);', '}']
        """
        recorded = self._newest()
        if recorded is None:
            raise ReplayError(f"{self._name} has no recording yet: call it first")
        if backend not in (*PRINTERS, *backends.NAMES):
            raise ValueError(no_such("source", backend, [*PRINTERS, *backends.NAMES]))
        if backend in PRINTERS:
            return PRINTERS[backend](recorded.program, names)
        if backend == recorded.backend:
            return recorded.kernel.source
        kernel: Kernel = backends.backend(backend).compile(recorded.program, recorded.tape)
        return kernel.source

    def candidates(self, given: Given) -> list[Recorded]:
        """The recordings for such arguments; which of them fits, the guards say."""
        alike = self.recordings.get(given.shape, ())
        return [recorded for recorded in alike if recorded.suits(given.numbers)]

    def note_call(self, is_answered: bool, calls: int = 1) -> None:
        """Counts a call, or some, that a recording answered or another."""
        self._spent.calls += calls
        self._hits += is_answered * calls

    def announce(self, calls: int) -> None:
        """Says how many calls are to come: "auto" compiles early where there are many."""
        self._spent.announced = self._spent.calls + calls

    @property
    def is_busy(self) -> bool:
        """Whether recordings took longer than they saved so far; "auto" makes no more then."""
        return self.wanted == "auto" and self.made >= TOO_MANY and self._hits < self.made

    def is_full(self, given: Given) -> bool:
        """Whether one more recording for such arguments would take longer than it saves."""
        return not self._lost and self._has_enough(given)

    def _has_enough(self, given: Given) -> bool:
        shape = self._digest(given)
        alike = [pattern for pattern in self.patterns if pattern.startswith(shape)]
        return len(alike) >= TOO_MANY or len(self.patterns) >= LIMIT

    def _digest(self, given: Given) -> str:
        """What tells such arguments from others, integers that are part of the shape among it."""
        pins = [given.numbers[k] for k in sorted(self._pinned.get(given.shape, ()))]
        return digest((given.shape, pins) if pins else given.shape)

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

    def recall(self, patterns: Iterable[str]) -> None:
        """Counts the recordings of a run before, and makes each again where it is needed."""
        self.patterns = list(patterns)
        self._lost = set(patterns)

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
            if self._runs.judge(self._digest(given), run, before, after):
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
        plain = (former.result,) if former else ()
        is_strict = self._is_strict(before)
        inputs = copies(given.numbers, is_strict)
        self._moved |= {place.key: place for place in self._moving(given)}
        places = self._places(given, before) if lends and not line else []
        chances = chances_in(before)
        try:
            run, after = self._runs.witnessed(given, inputs, places, before)
            tells = places and (after.names.asks_kind or kind_asked(after))
            if places and (tells or run.state or run.seen.calculates_otherwise()):
                raise Stopped(is_for_good=True)
            if former and line and not _agree(given, inputs, run, former):
                raise self._asks(line)
        except (Exception, Stopped) as error:
            if plain and not (places or isinstance(error, _NO_INT)):
                put_back(before, chances)
                failed = error if isinstance(error, ReplayError) else self._asks(line)
                failed.result = plain
                raise failed from None
            return self._otherwise(error, given, keeps_all, places, before, chances)
        if run.seen.asks_identity and not is_strict and any(map(_is_value, given.numbers)):
            self._asks_identity = True
            if not (run.state or run.refused):
                return self.record(given, keeps_all, lends)
        inputs += run.seen.lent
        self._note_pins(given, run.seen)
        recorded = None
        try:
            is_set_up = self._runs.judge(self._digest(given), run, before, after)
            if not is_set_up:
                self._runs.unsettled.pop(self._digest(given), None)
            if keeps_all or not is_set_up:
                recorded = self._recorded(given, inputs, run, after, places, is_set_up)
        except ReplayError as error:
            error.result = plain or (self._runs.own(given, inputs, run.result),)
            raise
        return recorded, plain[0] if plain else self._runs.own(given, inputs, run.result)

    def _otherwise(
        self,
        error: BaseException,
        given: Given,
        keeps_all: bool,
        places: Sequence[Cell],
        before: Reached,
        chances: Chances,
    ) -> tuple[Recorded | None, Any]:
        """After a run that failed another one, with fewer Values in the places of numbers.

        What the first one did is put back. Raises its error where there is no other way.
        """
        if places:
            put_back(before, chances)
            if not isinstance(error, Stopped) or error.is_for_good:
                self._fixed |= {p.key for p in places}  # as in math.exp(box.k): it takes no Value
            return self.record(given, keeps_all, lends=False)
        stands_in = given.shape not in self._runs.plain and int in map(type, given.numbers)
        if stands_in and isinstance(error, _NO_INT):
            put_back(before, chances)
            self._runs.plain.add(given.shape)
            try:
                return self.record(given, keeps_all)
            except _NO_INT:
                self._runs.plain.discard(given.shape)  # it was something else
                raise
        if keeps_all and not isinstance(error, ReplayError):
            put_back(before, chances)  # the loops run it again
        raise error

    def _asks(self, line: str) -> ReplayError:
        return ReplayError(
            f"{self._name} asks at {line} what kind of thing a number is, and does something else "
            "with a Value: a recording has Values in the places of numbers; pass Values, or use "
            'backend="eager"'
        )

    def _is_strict(self, before: Reached) -> bool:
        """Whether it matters which of the Values passed in are one: to `is`, or to last digits."""
        return self.wanted == "python" or self._asks_identity or before.names.asks_identity

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
        ran = reach(self._runs.roots(given), self._runs.codes, looks_around=self._runs.looks_around)
        holds_type = any(_holds(cell.value, type) for cell in ran.cells.values())
        if ran.unknown or ran.names.asks_kind or holds_type:
            self._fixed |= {p.key for p in places}
            return []
        return places

    def _moving(self, given: Given) -> list[Cell]:
        """The places of plain numbers that changed since the last recording for such arguments."""
        newest = self.candidates(given)[-1:]
        return [place for recorded in newest for place in recorded.world.moved()]

    def _recorded(
        self,
        given: Given,
        inputs: Sequence[Value],
        run: Run,
        after: Reached,
        places: Sequence[Cell],
        is_set_up: bool,
    ) -> Recorded | None:
        shown = None if run.sets or places or is_set_up else self._shown(given, run)
        tape, program = shown or (self._runs.tape(run, given, inputs), None)
        pattern = self._digest(given) + digest([guard.outcome for guard in tape.guards])
        if self._lost and pattern not in self._lost and self._has_enough(given):
            return None
        sets = {cell.key for cell in run.sets}
        owners = {id(cell.owner) for cell in run.sets if cell.kind == "item"}
        cells = [
            c
            for key, c in after.cells.items()
            if key not in sets and key[1] not in run.new and _is_guarded(after, c)
            if not (key[1] in owners and key[2] is None)
        ]
        asked = [cell for cell in run.sets if is_read(after, cell)]  # such as `self.h is None`
        cells += [Cell("form", cell, None, type(cell.value), cell.path) for cell in asked]
        world = World(cells, places)
        made = self.made + 1
        recorded = Recorded(tape, run, self.wanted, world, made, self._main, self._spent, program)
        recorded.holds_integers = int in map(type, given.numbers)
        recorded.pins = {
            k: Pin(given.numbers[k], name_of(self.function, given, k), line)
            for k, line in self._pins(given, run.seen).items()
        }
        recorded.is_strict = self._is_strict(after)
        recorded.fit(given.numbers)
        recorded.due = self.check or 2
        leaves = [v.data for v in inputs], [p.data for p in recorded.program.parameters]
        self._check_kernel(recorded, leaves, inputs, run)
        asks = after.names.asks_identity or run.seen.asks_identity
        if recorded.grad_inputs and asks and not is_set_up:
            self._check_identity(given, run.results[: len(numbers_of(run.result))])
        if not is_set_up:
            self._keep(given, recorded, pattern)
        return recorded

    def _shown(self, given: Given, run: Run) -> tuple[Tape, Program] | None:
        """The tape of a few examples, and the program of all, where what is done grows evenly.

        Not where a comparison or an integer of one of them counts, nor for Python, whose bits are
        those of a whole tape.
        """
        is_large = given.few and given.examples > MANY
        if not is_large or self.wanted == "python" or self._pins(given, run.seen):
            return None
        few = {count: self._run_of(given, count) for count in FEW}
        sizes = [(count, len(each.seen.nodes)) for count, (_, each) in few.items()]
        sizes.append((given.examples, len(run.seen.nodes)))
        if run.seen.guards or not is_line(sizes):
            return None
        tapes = {count: rooted(tape, self._main)[0] for count, (tape, _) in few.items()}
        program = program_of({count: roll(tape) for count, tape in tapes.items()}, given.examples)
        if program is None or (self.wanted == "auto" and first(program) == "python"):
            return None
        return tapes[FEW[-1]], program

    def _run_of(self, given: Given, count: int) -> tuple[Tape, Run]:
        """A run with some of the examples alone, and its tape."""
        few = cast(Callable[[int], Given], given.few)(count)
        inputs = copies(few.numbers)
        run = self._runs.told(few, *self._runs.watched(few, inputs, ()), inputs, (), ())
        return self._runs.tape(run, few, inputs), run

    def _pins(self, given: Given, seen: Recording) -> dict[int, str]:
        """The places of integers whose numbers a run asked for, and the lines where it did."""
        if given.shape in self._runs.plain:
            return {k: "" for k, x in enumerate(given.numbers) if type(x) is int}
        return {k: i.pinned for k, i in enumerate(seen.integers) if i is not None and i.pinned}

    def _note_pins(self, given: Given, seen: Recording) -> None:
        """Remembers which integers are part of the shape: they tell recordings apart."""
        pins = self._pins(given, seen).keys()
        if not pins:
            return
        if len(self._pinned) > LIMIT:
            self._pinned.clear()
            self._runs.plain.clear()
        self._pinned.setdefault(given.shape, set()).update(pins)

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
            if recorded.shows_all:
                tape = self._runs.tape(run, given, inputs)
            else:
                tape, _ = self._run_of(given, FEW[-1])
            changed = change(recorded.tape, tape)
            if changed is None and flatten(run.forms, []) != flatten(list(recorded.forms), []):
                changed = Change("its result has another form", is_frozen=True)
            if changed is None and not recorded.pins.keys() >= self._pins(given, seen).keys():
                changed = Change("it asks for the number of an integer that it picked with before")
            if changed is None:
                self._check_kernel(recorded, leaves, inputs, run)
        except ReplayError as error:
            self._forget(recorded, given)
            if run:
                error.result = (self._runs.own(given, inputs, run.result),)
            raise
        calls = recorded.compared, recorded.calls
        if changed is None:
            recorded.compared = recorded.calls
            recorded.due = calls[1] + self.check if self.check else 10 * calls[1]
            return None
        self._forget(recorded, given)
        own = (self._runs.own(given, inputs, run.result),)
        was_missed = calls[1] > calls[0] + 1 and not changed.is_close
        if changed.is_frozen or was_missed:
            differs = ReplayError(
                f"the replay of {self._name} differs from {self._name} itself: {changed.words}. "
                f"{FROZEN}"
            )
            differs.result = own
            raise differs
        self._causes.append(changed.words)
        return own

    def _forget(self, recorded: Recorded, given: Given) -> None:
        with self._lock:
            kept = self.recordings.get(given.shape, [])
            kept[:] = [other for other in kept if other is not recorded]

    def _check_kernel(
        self,
        recorded: Recorded,
        leaves: Leaves,
        inputs: Sequence[Value],
        run: Run,
    ) -> None:
        wrong = recorded.difference(leaves, inputs, run.results, run.seen.order)
        if wrong:
            raise ReplayError(
                f"the {recorded.backend} kernel of {self._name} differs from {self._name} itself: "
                f'{wrong}. Please report it, and use backend="eager"'
            )

    def _check_identity(self, given: Given, results: Sequence[Operand]) -> None:
        """Compares with a run on the Values that were passed, not on copies of them."""

        def gives(numbers: Iterable[Operand]) -> list[str]:
            with record():  # so that replays inside this one run as functions
                return [repr(data_of(x)) for x in numbers_of(self._runs.run(given, numbers))]

        wanted = [repr(data_of(x)) for x in results]
        if gives(given.numbers) != wanted:
            if gives(copies(given.numbers)) != wanted:
                raise ReplayError(f"{self._name} gives other numbers at each call. {FROZEN}")
            raise ReplayError(
                f"{self._name} asks whether an argument is a certain Value: a replay cannot, it "
                'passes others in; compare numbers, or use backend="eager"'
            )

    @property
    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _newest(self) -> Recorded | None:
        kept = [recorded for same_shape in self.recordings.values() for recorded in same_shape]
        return max(kept, key=lambda recorded: recorded.number, default=None)

    def _replayed(self, given: Given) -> tuple[Any] | None:
        """The result of the recording that fits, in a tuple."""
        for recorded in self.candidates(given):
            computed = recorded.world.holds() and recorded.compute(given.numbers)
            if computed:
                own = recorded.calls >= recorded.due and self.compare(recorded, computed[0], given)
                return own or (recorded.result(given.numbers, *computed),)
        return None

    def _keep(self, given: Given, recorded: Recorded, pattern: str) -> None:
        with self._lock:
            self.made += 1
            if self.made > 1:
                for other in chain.from_iterable(self.recordings.values()):
                    other.many = True
                self._causes.append(f"recorded anew: {self._cause(given, recorded)}")
            if self.made == TOO_MANY:
                self._warn(given, recorded)
            if pattern not in self._lost:
                self.patterns = [*self.patterns, pattern][:LIMIT]
            self._lost.discard(pattern)
            alike = self.recordings.setdefault(given.shape, [])
            alike.append(recorded)
            same = self.candidates(given)
            if len(same) == TOO_MANY and self.wanted == "auto":
                alike[:] = [other for other in alike if other not in same]
            kept = {old.number: s for s, olds in self.recordings.items() for old in olds}
            if len(kept) > LIMIT:
                shape = kept[min(kept)]
                self.recordings[shape].pop(0)
                if not self.recordings[shape]:
                    del self.recordings[shape]

    def _cause(self, given: Given, recorded: Recorded) -> str:
        """What makes a new recording differ from the one before, in words."""
        alike = self.candidates(given)
        others = {old.number: s for s, olds in self.recordings.items() for old in olds}
        of_shape = self.recordings.get(given.shape)
        if alike:
            changed = [cell.words for cell, _ in alike[-1].world.changed()]
            if changed:
                more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
                return f"{', '.join(changed[:3])}{more}, outside its arguments, changes"
            return changed_guard(alike[-1].tape, recorded.tape)
        if of_shape:
            pins = of_shape[-1].pins.items()
            k, pin = next((k, pin) for k, pin in pins if given.numbers[k] != pin.number)
            where = f", as at {pin.line}" if pin.line else ""
            return (
                f"{pin.name} changes, such as from {pin.number} to {given.numbers[k]}, and each "
                f"int is recorded for itself where more is done than to compare or pick{where}: "
                "pass a number as a float, and choose by engine.pick"
            )
        if others:
            return changed_argument(self.function, others[max(others)], given.shape)
        return "its parameters are others from call to call"

    def explain(self) -> str:
        """In words: the recordings, what each is guarded by, why it was recorded anew or refused.

        >>> w = Value(3.0)
        >>> step = replay(lambda x: w * x)
        >>> print(step.explain())
        <lambda> has not been recorded yet
        >>> _ = step(1.0), step(2.0)
        >>> print(step.explain())
        <lambda>: 1 recording, which answered 1 of 2 calls
        recording 1 runs on python; it holds while these are as they were: w
        """
        kept = [recorded for olds in self.recordings.values() for recorded in olds]
        lines = []
        if self.wanted == "eager":
            lines.append(f"{self._name} is not recorded: backend='eager'")
        elif not kept:
            none = "has no recording left" if self.made else "has not been recorded yet"
            lines.append(f"{self._name} {none}")
        else:
            count = "1 recording" if len(kept) == 1 else f"{len(kept)} recordings"
            calls = f"which answered {self._hits} of {self._spent.calls} calls"
            lines.append(f"{self._name}: {count}, {calls}")
        lines += [guarded(recorded) for recorded in sorted(kept, key=lambda r: r.number)]
        return "\n".join([*lines, *self._causes])

    def _warn(self, given: Given, recorded: Recorded) -> None:
        stays = "; what is new runs without a recording from here on" if self.is_busy else ""
        warnings.warn(
            f"{self._name} was recorded {TOO_MANY} times, which takes longer than it saves: "
            f"{self._cause(given, recorded)}{stays}",
            stacklevel=outside(),
        )


_living: WeakSet[Replay] = WeakSet()


@after_fork
def _renew() -> None:
    """In the child of a fork the thread that held a lock is gone."""
    for replayed in list(_living):
        replayed._lock = RLock()


def _detached(result: Any) -> Any:
    """The result as leaves."""
    numbers = (x.detach() if isinstance(x, Value) else x for x in numbers_of(result))
    return rebuild(result, numbers)


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


def _is_value(x: object) -> bool:
    return isinstance(x, Value)


_NO_INT = (TypeError, AttributeError, IndexError)  # what C raises for what is no int to it


def _agree(given: Given, inputs: Sequence[Value], run: Run, former: Run) -> bool:
    """Whether a run on Values gave what one on numbers gave, and set the same."""
    constants = [*inputs, *given.numbers, *run.seen.made, *former.seen.made]
    set_by = [([cell.key for cell in each.sets], repr(each.forms[1:])) for each in (run, former)]
    return set_by[0] == set_by[1] and is_the_same(run.results, former.results, constants)


@overload
def replay(function: Callable[..., Any], /) -> Replay: ...
@overload
def replay(
    function: None = None, /, *, backend: str = "auto", check: int | None = None
) -> Callable[[Callable[..., Any]], Replay]: ...
@overload
def replay(
    function: Callable[..., Any], /, *, backend: str = "auto", check: int | None = None
) -> Replay: ...
def replay(
    function: Callable[..., Any] | None = None,
    /,
    *,
    backend: str = "auto",
    check: int | None = None,
) -> Replay | Callable[[Callable[..., Any]], Replay]:
    """Makes a function of Values fast: it is recorded once and replayed; `@replay` works too.

    `backend` is "python", "numpy", "c", "eager" (no replay) or "auto": that begins with what is
    made in no time, makes others in a thread once they are worth it, measures, and keeps the
    fastest. "python" gives eager mode's bits; for graphs of more than 400,000 operands, such as 90
    digits through a net 64-32-10, it is no faster. What the function reads outside its arguments
    may change: it is looked at before each replay, and the function recorded anew where something
    is another. Each recording is also compared with the function itself when it is made and at the
    calls 2, 20, 200, ..., or at every `check`-th call. An integer among the arguments may change as
    floats may, where the function only picks (see `pick`) or compares with it.

    Raises ReplayError, at that call, where the function cannot be replayed: it changes what it
    reads, draws random numbers, looks at `.data`, and the like. Raises RuntimeError where a backend
    asked for by name cannot run, ValueError for other settings.

    >>> w = Value(3.0)
    >>> @replay
    ... def loss(xs, ys):
    ...     return sum((w * x - y) ** 2 for x, y in zip(xs, ys))
    >>> for _ in range(3):
    ...     total = loss([1.0, 2.0], [2.0, 4.0])
    >>> total.backward()
    >>> total.data, w.grad
    (5.0, 10.0)
    """
    if function is None:
        return partial(Replay, backend=backend, check=check)
    return Replay(function, backend=backend, check=check)
