"""Loops as C: compiled by the C compiler at hand, the fastest way to run a program."""

import ctypes
from array import array
from collections.abc import Sequence

from engine.backends import library
from engine.backends.contraction import Machine
from engine.backends.ctext import text
from engine.backends.kernel import Rows, memory
from engine.roll import Program
from engine.tape import Tape

NAME = "c"
PUBLIC = "forward", "backward", "gather", "largest"
pointer, number = ctypes.c_void_p, ctypes.c_int


def unavailable() -> str | None:
    """Why this backend cannot run here; None where it can."""
    try:
        if library.compiler() is not None:
            return None
    except RuntimeError as error:
        return str(error)
    return 'no C compiler was found: install gcc or clang, or pip install "brickgrad[native]"'


def compile(program: Program, tape: Tape) -> "CKernel":
    """The program as machine code; from the cache where it was compiled before.

    Raises RuntimeError where there is no compiler, or it does not do its work.
    """
    return _made(program, compiles=True)


def kept(program: Program, tape: Tape) -> "CKernel":
    """The same from the cache; RuntimeError where it was not compiled before."""
    return _made(program, compiles=False)


def _made(program: Program, compiles: bool) -> "CKernel":
    reason = unavailable()
    if reason:
        raise RuntimeError(reason)
    return CKernel(program, compiles)


class _Memory(ctypes.Structure):
    """The arrays of a kernel, as its functions find them."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("values", "adjoints", "work", "seeds", "table")),
        *((name, ctypes.c_void_p) for name in ("forward", "forward_end")),
        *((name, ctypes.c_void_p) for name in ("backward", "backward_end")),
    )


class CKernel:
    """A program as machine code, and the memory it works on."""

    def __init__(self, program: Program, compiles: bool = True) -> None:
        code = text(program, machine())
        self.source = code.source
        self.values = memory(program)
        self.adjoints = array("d", bytes(8 * program.size))
        self._seeds = array("d", bytes(8 * len(program.outputs)))
        self._last: Sequence[float] = ()  # seeds that are in memory
        self._kept = (array("d", bytes(8 * code.work)), code.table, *code.calls)
        work, table, *calls = self._kept
        places = [_start(numbers) for numbers in (self.values, self.adjoints, work, self._seeds)]
        self._memory = _Memory(*places, _start(table), *(p for c in calls for p in _ends(c)))
        self._library = library.load(code.source, PUBLIC, compiles)
        where = ctypes.byref(self._memory)
        run_forward, run_backward = self._library.forward, self._library.backward
        run_forward.restype = run_backward.restype = None
        self._run_forward, self._run_backward, self._where = run_forward, run_backward, where
        self._gather, self._largest = self._library.gather, self._library.largest
        self._gather.restype = self._largest.restype = None
        self._gather.argtypes = pointer, pointer, pointer, number, number
        self._largest.argtypes = pointer, pointer, pointer, number, number

    def forward(self) -> None:
        """Computes the results from the leaves."""
        self._run_forward(self._where)

    def backward(self, seeds: Sequence[float]) -> None:
        """Computes the gradients of the leaves at the values of the last forward."""
        if seeds is not self._last:
            self._seeds[:] = array("d", seeds)
            self._last = tuple(seeds)
        self._run_backward(self._where)

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
