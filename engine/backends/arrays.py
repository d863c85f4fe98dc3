"""The steps of a program forward, in NumPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from engine.backends import scalars
from engine.backends.matmul import contract
from engine.backends.steps import Writer
from engine.backends.strides import Lengths, View, joined, laid, packed
from engine.backends.ufuncs import Formula
from engine.ops import OPS, PICK
from engine.roll import Access, Loop, Program

DOT, SUM, LOGSUMEXP = OPS["dot"], OPS["sum"], OPS["logsumexp"]
FEW = 4  # numbers in a loop that is not worth a call of NumPy


class Plan:
    """The steps of a program, and the memories that they need besides its own.

    The backward ones are left to `adjoints`.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.room: Counter[str] = Counter()
        self.tables: dict[str, NDArray[np.intp]] = {}
        self.shared: dict[tuple[int, Lengths], View] = {}  # tables of the program, by identity
        self.taken: dict[int, View] = {}  # of a loop of picks, where its rows stand in a forward
        self.forward = Writer(self.room)
        self.backward = Writer(self.room)
        self.everything = View("values", 0, (program.size,), (1,))
        for loop in program.loops:
            if is_small(loop):
                scalars.forward(self.forward, loop)
            else:
                self._forward(loop)
            self.forward.clear()

    def table(self, places: Sequence[int] | NDArray[np.intp], shape: Lengths) -> View:
        """Places as an array of their own."""
        name = f"table{len(self.tables) + 1}"
        self.tables[name] = np.array(places, dtype=np.intp).reshape(shape)
        return View(name, 0, shape, packed(shape))

    def read(self, writer: Writer, access: Access, lengths: Lengths) -> View:
        """What a loop reads, as an array with all its axes."""
        if access.table is None:
            return View("values", access.base, lengths, access.strides)
        room = writer.temporary(lengths)
        key = id(access.table), lengths
        if key not in self.shared:
            self.shared[key] = self.table(access.table, lengths)
        table = self.shared[key]
        writer.do("{0}.take({1}, out={2}, mode='clip')", self.everything, table, room)
        return room

    def known(self, operands: Mapping[str, Access], lengths: Lengths) -> dict[str, float]:
        """Of the operands those that are one constant in all rows."""
        numbers = {
            name: self.program.constant(access, lengths) for name, access in operands.items()
        }
        return {name: number for name, number in numbers.items() if number is not None}

    def _forward(self, loop: Loop) -> None:
        writer = self.forward
        lengths = (*loop.shape, *loop.terms)
        out = View("values", loop.out, loop.shape, packed(loop.shape))
        if not loop.vectors:
            self._elementwise(loop, out)
        elif loop.op is PICK:
            self._pick(loop, out)
        elif loop.op is SUM:
            writer.do(
                "total({0}, out={1})",
                self._matrix(loop),
                out._replace(shape=(loop.rows,), strides=(1,)),
            )
        elif loop.op is LOGSUMEXP:
            self._logsumexp(loop)
        else:
            self._sums_of_products(loop, lengths, out)

    def _elementwise(self, loop: Loop, out: View) -> None:
        named = dict(zip("xy", loop.scalars, strict=False))
        reads = [self.read(self.forward, access, loop.shape) for access in loop.scalars]
        out, *views = laid([out, *reads])
        operands = {name: view.least for name, view in zip(named, views, strict=True)}
        known = self.known(named, loop.shape)
        Formula(loop.op, self.forward, out.shape, operands, known).result(loop.op.formula, out)

    def _sums_of_products(self, loop: Loop, lengths: Lengths, out: View) -> None:
        """A loop of dots, or of sums: those are dots with ones."""
        writer = self.forward
        biases = [a for a in loop.scalars if self.program.constant(a, loop.shape) != 0]
        if prod(loop.terms):
            a, *others = [self.read(writer, vector, lengths) for vector in loop.vectors]
            ones = writer.ones(prod(loop.terms))
            strides = (*[0] * len(loop.shape), *packed(loop.terms))
            b = others[0] if others else ones._replace(shape=lengths, strides=strides)
            full = out._replace(shape=lengths, strides=(*out.strides, *[0] * len(loop.terms)))
            contract(writer, a, b, full)
        elif biases:
            writer.do("np.copyto({0}, {1})", out, self.read(writer, biases.pop(0), loop.shape))
        else:
            writer.do("{0}.fill(0.0)", out)
        for access in biases:
            sums, bias = laid([out, self.read(writer, access, loop.shape)])
            writer.do("np.add({0}, {1}, out={0})", sums, bias.least)

    def _pick(self, loop: Loop, out: View) -> None:
        (index,), (rows,), (candidates,) = loop.scalars, loop.terms, loop.vectors
        if candidates.table is None:
            strides, step = candidates.strides[:-1], candidates.strides[-1]
            first = Access(candidates.base, strides, None, False).places(loop.shape)
        else:
            first, step = list(range(0, loop.rows * rows, rows)), 1
        taken = self.table(first, loop.shape)
        asked = self.read(self.forward, index, loop.shape)
        where = self.table(first, loop.shape), step, taken
        self.forward.do("row_places({0}, {1}, {2}, {3}, out={4})", asked, rows, *where)
        if candidates.table is not None:
            places, at = self.table(candidates.table, (loop.rows * rows,)), taken
            taken = self.table(first, loop.shape)
            self.forward.do("{0}.take({1}, out={2}, mode='clip')", places, at, taken)
        self.forward.do("{0}.take({1}, out={2}, mode='clip')", self.everything, taken, out)
        self.taken[loop.out] = taken

    def _matrix(self, loop: Loop) -> View:
        """What is summed, as (rows, terms)."""
        lengths = (*loop.shape, *loop.terms)
        x = self.read(self.forward, loop.vectors[0], lengths)
        cut = len(loop.shape)
        rows, (down,) = joined(loop.shape, x.strides[:cut])
        terms, (right,) = joined(loop.terms, x.strides[cut:])
        shape = (loop.rows, prod(loop.terms))
        if len(rows) > 1 or len(terms) > 1:
            room = self.forward.temporary(lengths)
            self.forward.do("np.copyto({0}, {1})", room, x)
            return room._replace(shape=shape, strides=packed(shape))
        return x._replace(shape=shape, strides=(*(down or (1,)), *(right or (1,))))

    def _logsumexp(self, loop: Loop) -> None:
        writer = self.forward
        x = self._matrix(loop)
        z = View("values", loop.out, (loop.rows,), (1,))
        top, powers = writer.temporary(z.shape), writer.temporary(x.shape)
        column = top._replace(shape=(loop.rows, 1), strides=(1, 1))
        writer.do("np.maximum.reduce({0}, axis=1, out={1}, initial=-LARGEST)", x, top)
        writer.do("np.minimum({0}, LARGEST, out={0})", top)
        writer.do("np.subtract({0}, {1}, out={2})", x, column, powers)
        writer.do("np.exp({0}, out={0})", powers)
        writer.do("np.dot({0}, {1}, out={2})", powers, writer.ones(x.shape[1]), z)
        writer.do("np.log({0}, out={0})", z)
        writer.do("np.add({0}, {1}, out={0})", z, top)


def is_small(loop: Loop) -> bool:
    """Whether a loop has so few numbers that Python's floats are faster."""
    return loop.op is not PICK and loop.rows * max(1, prod(loop.terms)) <= FEW


def accesses(loop: Loop) -> Iterator[tuple[Access, Lengths]]:
    """All that a loop reads, with the lengths of its axes."""
    for access in loop.scalars:
        yield access, loop.shape
    for access in loop.vectors:
        yield access, (*loop.shape, *loop.terms)
