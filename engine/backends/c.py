"""Loops as C: compiled by the C compiler at hand, the fastest way to run a program."""

import ctypes
from array import array
from collections.abc import Sequence
from itertools import chain

from engine.backends import library
from engine.backends.contraction import Machine
from engine.backends.ctext import text
from engine.backends.kernel import Rows, memory
from engine.roll import Program
from engine.tape import Tape

NAME = "c"
POINTER, NUMBER = ctypes.c_void_p, ctypes.c_int
RUN = ctypes.CFUNCTYPE(None, POINTER, POINTER, POINTER)
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
    return _made(program, many, compiles=True)


def kept(program: Program, tape: Tape, many: bool = False) -> "CKernel":
    """The same of functions in the cache; RuntimeError where some were not compiled before."""
    return _made(program, many, compiles=False)


def _made(program: Program, many: bool, compiles: bool) -> "CKernel":
    reason = unavailable()
    if reason:
        raise RuntimeError(reason)
    return CKernel(program, many, compiles)


class _Memory(ctypes.Structure):
    """The arrays of a kernel, as its functions find them."""

    _fields_ = tuple(
        (name, ctypes.c_void_p) for name in ("values", "adjoints", "work", "seeds", "table")
    )


class CKernel:
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
        self._forward, self._backward = ((where, *_ends(each)) for each in calls)
        self._gather, self._largest = (ROWS(places[name]) for name in ("gather", "largest"))

    @property
    def source(self) -> str:
        """The code, with what calls it."""
        return self._text.source

    def forward(self) -> None:
        """Computes the results from the leaves."""
        self._run(*self._forward)

    def backward(self, seeds: Sequence[float]) -> None:
        """Computes the gradients of the leaves at the values of the last forward."""
        if seeds is not self._last:
            self._seeds[:] = array("d", seeds)
            self._last = tuple(seeds)
        self._run(*self._backward)

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


def machine() -> Machine:
    """The vector registers of this processor."""
    command = library.compiler()
    assert command
    _, macros = library.target(command)
    if "__AVX512F__" in macros:
        return Machine(8, 20)
    if "__AVX__" in macros:
        return Machine(4, 10)
    return Machine(2, 20 if "__aarch64__" in macros else 10)


def _start(numbers: "array[float] | array[int]") -> int:
    return numbers.buffer_info()[0]


def _ends(numbers: "array[int]") -> tuple[int, int]:
    start, count = numbers.buffer_info()
    return start, start + count * numbers.itemsize
