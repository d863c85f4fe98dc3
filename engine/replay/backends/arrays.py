"""The loops of a program as steps of NumPy, forward and backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from engine.replay.backends import scalars
from engine.replay.backends.matmul import contract
from engine.replay.backends.steps import Writer
from engine.replay.backends.ufuncs import Formula, Number
from engine.replay.loops import Loop, backward, constant, lower
from engine.replay.roll import Program
from engine.replay.views import Lengths, View, is_one_to_one, joined, laid, packed

FEW = 4  # numbers in a loop that is not worth a call of NumPy
SLICES = 64  # windows that overlap are added one by one up to here, then place by place

Arrays = Mapping[str, View]


class Plan:
    """The steps of a program, and the memories that they need besides its own."""

    def __init__(self, program: Program) -> None:
        self.program, self.writer = program, Writer()
        self.tables: dict[str, NDArray[np.intp]] = {}
        self.shared: dict[tuple[int, Lengths], View] = {}  # tables of the program, by identity
        self.taken: dict[tuple[View, ...], View] = {}  # where what a forward picked stands
        forward = lower(program)
        self._write(forward)
        cut = len(self.writer.steps)
        self._write(backward(program, forward))
        steps, self.room = self.writer.steps, self.writer.room
        self.steps = {"forward": steps[:cut], "backward": steps[cut:]}

    def _write(self, written: Sequence[Loop]) -> None:
        for loop in written:
            if loop.pick:
                self._pick(loop)
            elif prod(loop.shape) <= FEW:
                scalars.write(self.writer, loop)
            elif not loop.reads:
                self.writer.do("{0}.fill(0.0)", loop.target)
            elif loop.fold == "exact":
                self.writer.do("total({0}, out={1})", self._matrix(loop), self._results(loop))
            elif loop.fold == "logsumexp":
                self._logsumexp(loop)
            else:
                self._loop(loop)
            self.writer.clear()

    # --- arrays ---

    def _everything(self, memory: str) -> View:
        return View(memory, 0, (self.program.size,), (1,))

    def _table(self, places: Sequence[int] | NDArray[np.intp], shape: Lengths) -> View:
        """Places as an array of their own."""
        name = f"table{len(self.tables) + 1}"
        self.tables[name] = np.array(places, dtype=np.intp).reshape(shape)
        return View(name, 0, shape, packed(shape))

    def _read(self, view: View) -> View:
        """What a loop reads, as an array with all its axes."""
        if view.memory == "s":
            room, end = self.writer.temporary(view.shape), view.base + prod(view.shape)
            self.writer.do(f"np.copyto({{0}}, seeds[{view.base}:{end}])", room)
            return room
        if view.table is None:
            return view
        moving = view.own
        shape = tuple(view.shape[k] for k in moving)
        key = id(view.table), shape
        if key not in self.shared:
            self.shared[key] = self._table(view.table, shape)
        room, table = self.writer.temporary(shape), self.shared[key]
        everything = self._everything(view.memory)
        self.writer.do("{0}.take({1}, out={2}, mode='clip')", everything, table, room)
        return room.over(moving, view.shape)

    def _results(self, loop: Loop) -> View:
        """The results of a row of many operands, in one row."""
        rows = prod(loop.shape[: loop.rows])
        return View("v", loop.target.base, (rows,), (1,))

    # --- numbers that are set or added ---

    def _loop(self, loop: Loop) -> None:
        """The expression, summed over axes where the target stands still."""
        reads = {n: self._read(v) for n, v in loop.reads.items()}
        target = loop.target
        target, *views = laid([target, *reads.values()])
        arrays = dict(zip(reads, views, strict=True))
        to = target.along(target.own)
        if loop.target.table is not None:
            self._scatter(loop, self._number(loop, arrays, target, None))
        elif not is_one_to_one(to):
            self._add_windows(to, self._number(loop, arrays, target, None))
        elif loop.sign == "=":
            self._number(loop, arrays, target, to)
        elif loop.expression == "-g" and to.shape == target.shape:
            self.writer.do("np.subtract({0}, {1}, out={0})", to, arrays["g"].least)
        else:
            share = self._number(loop, arrays, target, None)
            self.writer.do("np.add({0}, {1}, out={0})", to, share.least)
        for name in loop.starts:
            if constant(self.program, loop.reads[name]) != 0:
                bias = arrays[name].along(target.own)
                self.writer.do("np.add({0}, {1}, out={0})", to, bias.least)

    def _number(self, loop: Loop, arrays: Arrays, target: View, out: View | None) -> View:
        """The array of the sums, left in `out` if that is given."""
        shape, own = target.shape, target.own
        names = loop.expression.split(" * ")
        if len(names) == 2 and set(names) <= arrays.keys():
            room = out or self.writer.temporary(target.along(own).shape)
            self._multiply(arrays[names[0]], arrays[names[1]], target, room)
            return room
        operands = {name: array.least for name, array in arrays.items()}
        formula = Formula(loop.callees, self.writer, shape, operands, self._known(loop))
        name, _, factor = loop.expression.partition(" * ")
        if loop.expression == "-g":
            name, factor = "g", "-1.0"
        is_whole = len(own) == len(shape)
        first = arrays.get(name)
        number: Number = 1.0
        if first is None or (factor and name != "g"):
            first = (is_whole and out) or self.writer.temporary(shape)
            formula.result(loop.expression, first)
        elif factor:
            number = formula.factor(factor)
        if is_whole:
            return first if first == out else self._product(first, number, out)
        room = out or self.writer.temporary(target.along(own).shape)
        self._sum(own, first, number, room)
        return room

    def _multiply(self, a: View, b: View, target: View, out: View) -> None:
        """The sums of products of two arrays."""
        own, axes = target.own, len(target.shape)
        if axes == 1 and not own:
            self.writer.do("np.dot({0}, {1}, out={2})", a, b, out)
        elif len(own) == axes and not (a.own and b.own):
            self.writer.do("np.multiply({0}, {1}, out={2})", a.least, b.least, out)
        else:
            contract(self.writer, self._stepping(a, b, target), b, out.over(own, target.shape))

    def _stepping(self, a: View, b: View, target: View) -> View:
        """The same with steps along sums in which `b` has some: that is a product of matrices."""
        axes = [k for k in b.own if k not in target.own]
        if any(a.strides) or not axes:
            return a
        room = self.writer.temporary(tuple(a.shape[k] for k in axes))
        self.writer.do("np.copyto({0}, {1})", room, a.least)
        return room.over(axes, a.shape)

    def _known(self, loop: Loop) -> dict[str, float]:
        """Of what is read that which is one constant in all rows."""
        numbers = {name: constant(self.program, view) for name, view in loop.reads.items()}
        return {name: number for name, number in numbers.items() if number is not None}

    def _product(self, g: View, factor: Number, out: View | None) -> View:
        if factor == 1.0 and out is None:
            return g
        room = out or self.writer.temporary(g.shape)
        if factor == 1.0:
            self.writer.do("np.copyto({0}, {1})", room, g.least)
        elif factor == -1.0:
            self.writer.do("np.negative({0}, out={1})", g.least, room)
        else:
            self.writer.do("np.multiply({0}, {1}, out={2})", g.least, factor, room)
        return room

    def _sum(self, axes: Sequence[int], g: View, factor: Number, out: View) -> None:
        """g * factor, summed over all but these axes."""
        summed = tuple(k for k in range(len(g.shape)) if k not in axes)
        if len(summed) == len(g.shape) == 1 and isinstance(factor, View) and factor.shape:
            self.writer.do("np.dot({0}, {1}, out={2})", g, factor, out)
            return
        product = self._product(g, factor, None)
        if len(g.shape) == 1:
            ones = self.writer.ones(g.shape[0])
            self.writer.do("np.dot({0}, {1}, out={2})", product, ones, out)
        elif len(g.shape) == 2 and len(summed) == 1:
            ones = self.writer.ones(g.shape[summed[0]])
            sides = (ones, product) if summed == (0,) else (product, ones)
            self.writer.do("np.matmul({0}, {1}, out={2})", *sides, out)
        else:
            self.writer.do(f"np.add.reduce({{0}}, axis={summed}, out={{1}})", product, out)

    def _scatter(self, loop: Loop, shares: View) -> None:
        """Sets or adds shares at places in a table, which may come several times."""
        places = loop.target.table or ()
        target = self._everything(loop.target.memory), self._table(places, shares.shape), shares
        if len(set(places)) < len(places):
            self.writer.do("np.add.at({0}, {1}, {2})", *target)
        else:
            self.writer.do(f"{{0}}[{{1}}] {loop.sign} {{2}}", *target)

    def _add_windows(self, target: View, shares: View) -> None:
        """Adds shares to windows that overlap: those of one offset do not."""
        axes = sorted(range(len(target.shape)), key=target.shape.__getitem__)
        outer: list[int] = []
        while not is_one_to_one(target.along(axes)):
            outer.append(axes.pop(0))
        offsets = list(np.ndindex(*target.along(outer).shape))
        if len(offsets) > SLICES:
            table = self._table(target.places(), target.shape)
            self.writer.do("np.add.at({0}, {1}, {2})", self._everything("a"), table, shares)
            return
        for offset in offsets:
            at = list(zip(outer, offset, strict=True))
            window, share = (whole.at(at).along(axes) for whole in (target, shares))
            self.writer.do("np.add({0}, {1}, out={0})", window, share)

    # --- rows of many operands ---

    def _pick(self, loop: Loop) -> None:
        """Rows are taken from where integers say; each adjoint goes there, and to no other row."""
        axes = len(loop.shape) - 1
        rows = loop.shape[:axes]
        assert loop.pick
        if loop.target.memory == "a":
            taken = self.taken[loop.pick, loop.target._replace(memory="v")]
            g = loop.reads["g"].first(axes)
            self.writer.do("np.add.at({0}, {1}, {2})", self._everything("a"), taken, g)
            return
        x, count = loop.reads["x"], loop.shape[-1]
        first = x._replace(table=None).first(axes).places()
        asked = self._read(loop.pick.first(axes))
        taken = self._table(first, rows)
        where = self._table(first, rows), x.strides[-1], taken
        self.writer.do("row_places({0}, {1}, {2}, {3}, out={4})", asked, count, *where)
        if x.table is not None:
            places, at = self._table(x.table, (len(x.table),)), taken
            taken = self._table(first, rows)
            self.writer.do("{0}.take({1}, out={2}, mode='clip')", places, at, taken)
        out = loop.target.first(axes)
        self.writer.do("{0}.take({1}, out={2}, mode='clip')", self._everything("v"), taken, out)
        self.taken[loop.pick, x] = taken

    def _matrix(self, loop: Loop) -> View:
        """What is summed, as (rows, terms)."""
        x, cut = self._read(loop.reads["x"]), loop.rows
        rows, (down,) = joined(x.shape[:cut], x.strides[:cut])
        terms, (right,) = joined(x.shape[cut:], x.strides[cut:])
        shape = prod(rows), prod(terms)
        if len(rows) > 1 or len(terms) > 1:
            room = self.writer.temporary(x.shape)
            self.writer.do("np.copyto({0}, {1})", room, x)
            return room._replace(shape=shape, strides=packed(shape))
        return x._replace(shape=shape, strides=(*(down or (1,)), *(right or (1,))))

    def _logsumexp(self, loop: Loop) -> None:
        writer, x, z = self.writer, self._matrix(loop), self._results(loop)
        top, powers = writer.temporary(z.shape), writer.temporary(x.shape)
        column = top._replace(shape=(*top.shape, 1), strides=(1, 1))
        writer.do("np.maximum.reduce({0}, axis=1, out={1}, initial=-LARGEST)", x, top)
        writer.do("np.minimum({0}, LARGEST, out={0})", top)
        writer.do("np.subtract({0}, {1}, out={2})", x, column, powers)
        writer.do("np.exp({0}, out={0})", powers)
        writer.do("np.dot({0}, {1}, out={2})", powers, writer.ones(x.shape[1]), z)
        writer.do("np.log({0}, out={0})", z)
        writer.do("np.add({0}, {1}, out={0})", z, top)
