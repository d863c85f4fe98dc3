"""A function of one row over many rows: in blocks that are replayed, or else row by row."""

import warnings
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from engine.functions import sum as sum_of
from engine.modes import enable_grad, is_watched, mode
from engine.replay import backends
from engine.replay.arguments import Given, Shape, numbers_of, read, rebuild
from engine.replay.compare import ReplayError, gradients
from engine.replay.recorded import Leaves, Recorded
from engine.replay.replay import Replay
from engine.replay.watch import turn
from engine.replay.witness import outside
from engine.value import Value, data_of
from nn.block import Block, Results, no_leaves
from nn.module import MLP
from nn.progress import collector_paused

NODES = 3000  # of a block, about: with more it costs more to record, with fewer more to run
MOST = 256  # rows of a block
FAST = ("numpy", "wasm")  # made in no time, and so with the same bits on each machine that has one
PAYS = 20  # to record a block takes as long as to compute so many of them row by row

Function = Callable[..., Any]
Columns = Sequence[Sequence[Any]]


class EachRow:
    """`[function(*row) for row in zip(*columns)]`, with numbers in the places of Values.

    The first row is computed as it is. The others go in blocks of one length, each by a replay of
    the function, where there are so many that recording a block pays; the last block begins among
    the rows of the one before. A function that cannot be replayed (it draws random numbers,
    counts, prints) runs once for each row, in their order, as any does with `backend="eager"`.

    "auto" is NumPy where it is installed, else WebAssembly where that runs (in a web page), else
    Python: never by the clock, so that the same rows give the same numbers in each run. Those of
    Python are eager mode's to the last bit, those of other backends within rounding.

    >>> w = Value(3.0)
    >>> triple = EachRow(lambda x, y: (w * x - y, w * x))
    >>> triple([1.0, 2.0], [3.0, 5.0])
    [(0.0, 3.0), (1.0, 6.0)]
    """

    def __init__(self, function: Function, backend: str = "auto", has_slopes: bool = False) -> None:
        """`has_slopes`: `slopes` will be asked for; numbers of the first column come as Values."""

        def block(*columns: Any) -> tuple[Any, Results]:
            results = [function(*row) for row in zip(*columns, strict=True)]
            return sum_of(list(chain.from_iterable(map(_leading, results)))), results

        self.function = function
        self._has_slopes = has_slopes
        self._is_eager = backend == "eager"
        self._replay = Replay(block, backend=usual() if backend == "auto" else backend, main=0)
        self._most = 0  # rows of a block; 0: nobody knows yet
        self._shapes: dict[Shape, Shape] = {}  # of a block; and as it was recorded
        self._runs: dict[Recorded, Block] = {}
        self._tries = self._answered = 0  # recordings, and the rows that they computed

    def __call__(self, *columns: Sequence[Any], before: int = 0) -> Results:
        """The results. So many rows were computed `before`: recording pays with all together."""
        return self._all(columns, before, RESULTS)

    def slopes(self, *columns: Sequence[Any], before: int = 0) -> Results:
        """The gradient of each row's result for the numbers in its first column.

        That of the sum of its numbers, or, where it is a tuple, of those in its first part.

        >>> EachRow(lambda x: x[0] * x[0] * x[1], has_slopes=True).slopes([[1.0, 2.0], [3.0, 4.0]])
        [[4.0, 1.0], [24.0, 9.0]]
        """
        return self._all(columns, before, SLOPES)

    def _all(self, columns: Columns, before: int, way: "_Way") -> Results:
        n = len(columns[0])
        found: Results = []
        with enable_grad():
            is_watched_here = is_watched()
        with collector_paused():
            if n and not (self._is_eager or is_watched_here):
                self._look_at([column[0] for column in columns], found, way)
                size = min(self._most, n - 1)
                if size > 0 and before + n >= PAYS * size:
                    try:
                        self._by_blocks(columns, size, found, way)
                    except ReplayError as error:  # of a comparison: earlier results may be wrong
                        words = f"rows are computed anew without replay, slower: {error}"
                        warnings.warn(words, stacklevel=outside())
                        self._is_eager, found = True, []
            return found + self._row_by_row(columns, len(found), n, way)

    def _row_by_row(self, columns: Columns, start: int, stop: int, way: "_Way") -> Results:
        rows = zip(*(column[start:stop] for column in columns), strict=True)
        return [way.of_row(self.function, row) for row in rows]

    def _look_at(self, row: Sequence[Any], found: Results, way: "_Way") -> None:
        """Computes the first row; how much there is to do says how many make a block."""
        if self._most:
            found.append(way.of_row(self.function, row))
            return
        nodes = 0

        def count(node: Value) -> Value:
            nonlocal nodes
            nodes += 1
            return node

        with mode(count):
            found.append(way.of_row(self.function, row))
        try:
            self._is_eager = not (nodes and numbers_of(found))
        except TypeError:  # more than numbers
            self._is_eager = True
        if not self._is_eager:
            self._most = min(MOST, 1 << max(NODES // nodes, 1).bit_length() - 1)

    def _by_blocks(self, columns: Columns, size: int, found: Results, way: "_Way") -> None:
        """Adds what is still to be found, until no more can be replayed."""
        n, leaves = len(columns[0]), no_leaves()
        while len(found) < n and not self._is_eager:
            done = len(found)
            start, stop = min(done, n - size), done + size
            part, given = None, _read(columns, start, size)
            if given:
                part = self._replayed(given, leaves, way)
                if part is None and start == done and self._is_worth_it(columns, stop, given):
                    part = self._recorded(given, leaves, way)
            if part is None:
                start, part = done, self._row_by_row(columns, done, min(stop, n), way)
            found += part[done - start :]

    def _is_worth_it(self, columns: Columns, stop: int, given: Given) -> bool:
        """Whether the next block has the shape of this one, or this is the only one."""
        size = len(given.arguments[0])
        other = _read(columns, stop, size) if stop + size <= len(columns[0]) else None
        return stop == 1 + size if other is None else other.shape == given.shape

    def _replayed(
        self, given: Given, leaves: Leaves, way: "_Way", counts: bool = True
    ) -> Results | None:
        """A block by the recording that fits; None where none does."""
        shape = self._shapes.get(given.shape)
        for recorded in tuple(self._replay.kept.by_shape.get(shape, ())) if shape else ():
            if not (recorded.suits(given.numbers) and recorded.world.holds()):
                continue
            run = self._runs.get(recorded)
            run = run or self._runs.setdefault(recorded, Block(recorded, given))
            with recorded.lock:
                part = way.of_run(run, leaves) if run.forward(given.numbers, leaves) else None
            if part is None:
                continue
            self._answered += len(part)
            if counts and recorded.count():
                its_leaves = run.leaves(given.numbers)
                with enable_grad():
                    own = self._replay.recorder.compare(recorded, its_leaves, self._lifted(given))
                if own:
                    return way.of_own(own[0])
            return part
        return None

    def _recorded(self, given: Given, leaves: Leaves, way: "_Way") -> Results | None:
        """A block that is recorded; None where the function did not run, and is to run eagerly."""
        size = len(given.arguments[0])
        if self._answered < PAYS * size * self._tries or self._replay.recorder.is_restless(given):
            return None
        with turn() as is_ours, enable_grad():
            if not is_ours:
                return None
            self._tries += 1
            lifted = self._lifted(given)
            try:
                recorded, own = self._replay.recorder.record(lifted)
            except ReplayError as error:
                self._is_eager = True
                return way.of_own(error.result[0]) if error.result else None
        if recorded:
            self._shapes[given.shape] = lifted.shape
            found = self._replayed(given, leaves, way, counts=False)
            if found is not None:
                return found
        return way.of_own(own)

    def _lifted(self, given: Given) -> Given:
        """The same with Values for the numbers of the first column, where slopes are wanted."""
        if not self._has_slopes:
            return given
        first, *others = given.arguments
        return read((rebuild(first, iter(_values(first))), *others), {})


class _Way(NamedTuple):
    """How to come to what is wanted of a row: with the function, a run, or its own results."""

    of_row: Callable[[Function, Sequence[Any]], Any]
    of_run: Callable[[Block, Leaves], Results]
    of_own: Callable[[Any], Results | None]


def _result(function: Function, row: Sequence[Any]) -> Any:
    return plain(function(*row))


def _slopes(function: Function, row: Sequence[Any]) -> list[float]:
    first, *others = row
    values = _values(first)
    with enable_grad():
        result = function(rebuild(first, iter(values)), *others)
    return gradients(sum_of(_leading(result)), values)


def _values(thing: Any) -> list[Value]:
    """The numbers of a thing as Values of their own."""
    return [Value(data_of(x)) for x in numbers_of(thing)]


RESULTS = _Way(_result, Block.results, lambda own: plain(own[1]))
SLOPES = _Way(_slopes, Block.slopes, lambda own: None)


def with_floats(model: object, xs: Sequence[Any]) -> Sequence[Any]:
    """Examples with floats where a model takes floats as well as integers.

    Integers are part of the shape of a recording, so that each of them would need its own.
    """
    if not isinstance(model, MLP):
        return xs
    if {*map(type, chain.from_iterable(xs))} == {float}:
        return xs
    return [list(map(float, x)) for x in xs]


def _read(columns: Columns, start: int, size: int) -> Given | None:
    """A block of rows as arguments; None where they hold more than numbers."""
    try:
        return read(tuple([column[start : start + size] for column in columns]), {})
    except (TypeError, ValueError):
        return None


def usual() -> str:
    """The backend of "auto"."""
    return next(name for name in (*FAST, "python") if backends._runs(name))


def _leading(result: Any) -> list[Any]:
    """The numbers of a result, or of the first part of a tuple."""
    return numbers_of(result[:1] if type(result) is tuple else result)


def plain(result: Any) -> Any:
    """A result with numbers in the places of Values."""
    kind = type(result)
    if kind is Value:
        return result.data
    if kind is list or kind is tuple:
        return kind(map(plain, result))
    if kind is dict:
        return {key: plain(part) for key, part in result.items()}
    return result
