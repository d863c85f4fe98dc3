"""Loops as C: compiled by the C compiler at hand, the fastest way to run a program."""

import ctypes
from array import array
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain

from engine.replay.backends import library
from engine.replay.backends.contraction import Machine
from engine.replay.backends.ctext import text
from engine.replay.backends.kernel import Kernel, Layout, Rows, Seen, Several, memory
from engine.replay.roll import Program
from engine.replay.tape import Tape

NAME = "c"
POINTER, NUMBER = ctypes.c_void_p, ctypes.c_int
RUN = ctypes.CFUNCTYPE(None)  # of a pass, by reference: ctypes is quickest with that
WIDE = ctypes.c_int64
SEVERAL = ctypes.CFUNCTYPE(None, POINTER, WIDE, WIDE, *[POINTER] * 5)
ROWS = ctypes.CFUNCTYPE(None, POINTER, POINTER, POINTER, NUMBER, NUMBER)


def unavailable() -> str | None:
    """Why this backend cannot run here; None where it can."""
    try:
        if library.compiler() is not None:
            return None
    except RuntimeError as error:
        return str(error)
    return 'no C compiler was found: install gcc or clang, or pip install "brickgrad[native]"'


def compile(program: Program, tape: Tape, many: bool = False) -> "CKernel":
    """The program as machine code; functions that were compiled before are used again.

    `many`: other programs like it will come, in other lengths. Raises RuntimeError where there is
    no compiler, or it does not do its work.
    """
    return CKernel(program, many)


def kept(program: Program, tape: Tape, many: bool = False) -> "CKernel":
    """The same of functions in the cache; RuntimeError where some were not compiled before."""
    return CKernel(program, many, compiles=False)


class _Memory(ctypes.Structure):
    """The arrays of a kernel, as its functions find them."""

    _fields_ = tuple(
        (name, ctypes.c_void_p) for name in ("values", "adjoints", "work", "seeds", "table")
    )


class _Pass(ctypes.Structure):
    """The calls of a forward or of a backward, in a table."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("memory", "calls", "end"))


class _Span(ctypes.Structure):
    """Numbers that are copied: to where, from where, how many."""

    _fields_ = (("to", POINTER), ("source", POINTER), ("count", WIDE))


class _Plan(ctypes.Structure):
    """Steps of training, as the function `several` finds them."""

    _fields_ = (
        *((name, POINTER) for name in ("forward", "backward", "move")),
        *((name, POINTER) for name in ("loss", "squares", "size", "values")),
        *((name, _Span) for name in ("parameters", "gradient", "rates")),
        *((name, POINTER) for name in ("columns", "copies")),
        *((name, POINTER) for name in ("outputs", "labels")),
        *((name, WIDE) for name in ("column_count", "copy_count", "width", "is_single")),
        ("twice", ctypes.c_double),
        ("done", WIDE),
    )


class CKernel(Kernel):
    """A program as machine code, and the memory it works on."""

    def __init__(self, program: Program, many: bool = False, compiles: bool = True) -> None:
        self._text = code = text(program, machine(), many)
        places = library.places(code.functions, code.unit, compiles)
        self.values = memory(program)
        self.adjoints = array("d", bytes(8 * program.size))
        self._seeds = array("d", bytes(8 * len(program.outputs)))
        self._last: Sequence[float] = ()  # seeds that are in memory
        work = array("d", bytes(8 * code.work))
        calls = [
            array("q", chain.from_iterable(call.numbers(places) for call in each))
            for each in (code.forward, code.backward)
        ]
        self._kept = work, code.table, *calls
        arrays = [self.values, self.adjoints, work, self._seeds]
        self._memory = _Memory(*map(_start, arrays), _start(code.table))
        where = ctypes.addressof(self._memory)
        self._run = RUN(places["run"])
        self.passes = [_Pass(where, *_ends(c)) for c in calls]
        self._forward, self._backward = map(ctypes.byref, self.passes)
        self.call_several = SEVERAL(places["several"])
        self._gather, self._largest = (ROWS(places[name]) for name in ("gather", "largest"))

    @cached_property
    def source(self) -> str:  # type: ignore[override]
        """The code, with what calls it."""
        return self._text.source

    def forward(self) -> None:
        """Computes the results from the leaves."""
        self._run(self._forward)

    def backward(self, seeds: Sequence[float]) -> None:
        """Computes the gradients of the leaves at the values of the last forward."""
        self.sow(seeds)
        self._run(self._backward)

    def sow(self, seeds: Sequence[float]) -> None:
        """Puts the adjoints of the outputs into memory."""
        if seeds is not self._last:
            self._seeds[:] = array("d", seeds)
            self._last = tuple(seeds)

    def several(self, seeds: Sequence[float], mover: Kernel, layout: Layout) -> Several:
        """What takes steps of training with another kernel, which moves the parameters."""
        if isinstance(mover, CKernel):
            return CSeveral(self, seeds, mover, layout)
        return super().several(seeds, mover, layout)

    def gather(self, place: int, table: Rows, rows: "array[int]") -> None:
        """Writes rows of a table into `values`, side by side from a place on."""
        into = self._memory.values + 8 * place
        self._gather(into, _start(table.numbers), _start(rows), len(rows), table.width)

    def largest(self, places: "array[int]", width: int) -> Sequence[int]:
        """Which number is the largest of each `width` at these places; of equals the first."""
        count = len(places) // width
        found = array("i", bytes(4 * count))
        self._largest(_start(found), self._memory.values, _start(places), count, width)
        return found


class CSeveral(Several):
    """Steps of training in one call, which nothing interrupts."""

    def __init__(
        self, loss: CKernel, seeds: Sequence[float], mover: CKernel, layout: Layout
    ) -> None:
        self._c, self._seeds = loss, seeds
        at, its = _places(loss.values), _places(mover.values)
        n, rates, twice = len(layout.parameters), layout.rates, layout.twice
        spans = [
            [_Span(at(to), _start(rows.numbers), rows.width) for to, rows in layout.columns],
            [_Span(its(to), its(source), count) for to, source, count in layout.copies],
        ]
        tables = [(_Span * len(each))(*each) for each in spans]
        self._kept = mover, layout, tables
        self._plan = _Plan(
            *map(ctypes.addressof, (*loss.passes, mover.passes[0])),
            *(at(layout.loss), its(layout.squares), its(layout.size), at(0)),
            _Span(at(layout.parameters.start), its(layout.data), n),
            _Span(its(layout.gradient), _places(loss.adjoints)(layout.parameters.start), n),
            _Span(its(rates.start), None, len(rates)),
            *map(ctypes.addressof, tables),
            *(_start(layout.outputs), _start(layout.labels)),
            *map(len, spans),
            *(layout.width, twice is not None, twice or 0.0, 0),
        )

    @property
    def done(self) -> int:  # type: ignore[override]
        """How many steps of the last call were taken."""
        return int(self._plan.done)

    def __call__(
        self, steps: int, points: int, rows: "array[int] | None", rates: "array[float]"
    ) -> Seen:
        """Takes so many steps, or fewer: see `Several`."""
        found = array("d", bytes(8 * steps)), array("d", bytes(8 * steps)), array("i", [0] * steps)
        self._c.sow(self._seeds)
        self._plan.done = 0
        chosen = None if rows is None else _start(rows)
        given = chosen, _start(rates), *[_start(numbers) for numbers in found]
        self._c.call_several(ctypes.addressof(self._plan), steps, points, *given)
        return found


def machine() -> Machine:
    """The vector registers of this processor."""
    command = library.compiler()
    if command is None:
        raise RuntimeError(unavailable())
    _, macros = library.target(command)
    if "__AVX512F__" in macros:
        return Machine(8, 20)
    if "__AVX__" in macros:
        return Machine(4, 10)
    return Machine(2, 20 if "__aarch64__" in macros else 10)


def _start(numbers: "array[float] | array[int]") -> int:
    return numbers.buffer_info()[0]


def _places(numbers: "array[float]") -> Callable[[int], int]:
    """Where each of them is in memory."""
    start = _start(numbers)
    return lambda k: start + numbers.itemsize * k


def _ends(numbers: "array[int]") -> tuple[int, int]:
    start, count = numbers.buffer_info()
    return start, start + count * numbers.itemsize
