"""The steps of a program backward: each loop hands its adjoint on to what it has read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from engine.backends import scalars
from engine.backends.arrays import FEW, Plan, accesses, is_small
from engine.backends.called import view
from engine.backends.matmul import contract
from engine.backends.strides import Lengths, View, is_one_to_one, joined, laid, packed
from engine.backends.ufuncs import Formula, Number, variables
from engine.ops import OPS, PICK
from engine.roll import Access, Loop

DOT = OPS["dot"]
SLICES = 64  # windows that overlap are added one by one up to here, then place by place


class Backward:
    """Writes the backward steps: each loop hands its adjoint on to what it has read.

    The first share that a place gets is assigned, so that nothing has to be zero before. Where a
    result is read once, by an addition, its adjoint is that of the sum: no number is copied.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.program = plan.program
        self.writer = plan.backward
        size = self.program.size
        self.places = np.arange(size)
        self.written = np.zeros(size, dtype=bool)
        self.readers = np.zeros(size, dtype=np.int32)
        self.made = {loop.out: loop for loop in self.program.loops}
        self.adjoint = {loop.out: (loop.out, 1) for loop in self.program.loops}  # first, step
        self.everything = View("adjoints", 0, (size,), (1,))

    def write(self) -> None:
        """All steps, from the seeds to the leaves."""
        self._count_readers()
        self._seed()
        for loop in reversed(self.program.loops):
            wanted = any(access.needs_grad for access in (*loop.scalars, *loop.vectors))
            if wanted and self._is_reached(loop):
                if is_small(loop):
                    self._small(loop)
                else:
                    self._loop(loop)
                self.writer.clear()
        parameters = slice(len(self.program.constants) + self.program.inputs, self.program.leaves)
        self._zero(self.places[parameters])

    # --- places: who reads them, and which have a share ----------------------------------------

    def _count_readers(self) -> None:
        for loop in self.program.loops:
            for access, lengths in accesses(loop):
                if not access.needs_grad:
                    continue
                if access.table:
                    np.add.at(self.readers, list(access.table), 1)
                else:
                    seen = View("", access.base, lengths, access.strides)
                    counts: NDArray[np.int32] = view(self.readers, *seen[1:])
                    counts += 1 if is_one_to_one(seen) else 2

    def _is_first(self, target: View) -> bool:
        """Whether no place of the target has a share yet; if only some have, the others get 0."""
        written = view(self.written, *target[1:])
        if written.all():
            return False
        if written.any():
            self._prepare(target)
            return False
        written[...] = True
        return True

    def _prepare(self, target: View) -> None:
        """Lets all places of the target have a share: 0 where there is none yet."""
        self._zero(_distinct(view(self.places, *target[1:])))

    def _zero(self, places: NDArray[np.intp]) -> None:
        """Sets those of the places to 0, sorted, that have no share yet."""
        places = places[~self.written[places]]
        self.written[places] = True
        if not places.size:
            return
        first, last = int(places[0]), int(places[-1])
        if last - first + 1 == places.size:
            self.writer.do("{0}.fill(0.0)", View("adjoints", first, (places.size,), (1,)))
        else:
            table = self.plan.table(places, places.shape)
            self.writer.do("{0}[{1}] = 0.0", self.everything, table)

    def _seed(self) -> None:
        outputs: dict[int, list[int]] = {}
        for k, place in enumerate(self.program.outputs):
            if place >= len(self.program.constants):
                outputs.setdefault(place, []).append(k)
        places = np.array(sorted(outputs), dtype=np.intp)
        if len(self.program.outputs) > FEW:
            self._zero(places)
            table = self.plan.table(self.program.outputs, (len(self.program.outputs),))
            self.writer.do("np.add.at({0}, {1}, seeds)", self.everything, table)
        else:
            self.written[places] = True
            for place, seeds in outputs.items():
                total = " + ".join(f"seeds[{k}]" for k in seeds)
                self.writer.do(f"adjoints[{{0}}] = {total}", place)

    def _is_reached(self, loop: Loop) -> bool:
        """Whether a share has come to any result of the loop; the others then get 0."""
        results = slice(loop.out, loop.out + loop.rows)
        if not self.written[results].any():
            return False
        if not self.written[results].all():
            self._zero(self.places[results])
        return True

    def _is_passed_on(self, access: Access, g: View) -> bool:
        """Lets the adjoint of a loop be that of its only reader, where it lies at one step."""
        loop = self.made.get(access.base)
        if access.table or loop is None or loop.rows != prod(g.shape):
            return False
        _, (own, theirs) = joined(g.shape, access.strides, g.strides)
        results = slice(loop.out, loop.out + loop.rows)
        if own not in ((), (1,)) or self.readers[results].max() > 1 or self.written[results].any():
            return False
        self.adjoint[loop.out] = (g.base, theirs[0] if theirs else 1)
        self.written[results] = True
        return True

    # --- shares: adjoint of an operand += adjoint of the result * partial derivative ------------

    def _small(self, loop: Loop) -> None:
        first, step = self.adjoint[loop.out]
        for share in scalars.shares(loop):
            plain = share.factor == "1.0"
            if plain and self._is_passed_on(share.access, self._adjoint(loop, share.terms)):
                continue
            for row, place, operands in share.places:
                sign = "+=" if self.written[place] else "="
                self.written[place] = True
                factor = "" if plain else f" * {share.factor}"
                text = f"adjoints[{{0}}] {sign} adjoints[{{1}}]{factor}"
                self.writer.do(text, place, first + step * row, *operands)

    def _loop(self, loop: Loop) -> None:
        if loop.op is PICK:
            self._pick(loop)
            return
        if loop.op is DOT:
            for access in loop.scalars:
                self._share(loop, access, "1.0", {})
            if prod(loop.terms):
                self._dot(loop)
            return
        operands = loop.scalars or loop.vectors
        named = dict(zip("xy", operands, strict=False))
        for access, partial in zip(operands, loop.op.partials, strict=False):
            self._share(loop, access, partial, named)

    def _share(self, loop: Loop, access: Access, partial: str, named: Mapping[str, Access]) -> None:
        """What one operand gets from a loop: the adjoint of its results times a partial."""
        if not access.needs_grad:
            return
        terms = () if loop.scalars else loop.terms
        lengths = (*loop.shape, *terms)
        g = self._adjoint(loop, terms)
        if partial == "1.0" and self._is_passed_on(access, g):
            return
        read = variables(partial)
        reads = {
            name: self.plan.read(self.writer, operand, lengths)
            for name, operand in named.items()
            if name in read
        }
        if "z" in read:
            strides = (*packed(loop.shape), *[0] * len(terms))
            reads["z"] = View("values", loop.out, lengths, strides)
        places = packed(lengths) if access.table else access.strides
        target = View("adjoints", access.base, lengths, places)
        g, target, *views = laid([g, target, *reads.values()])
        operands = {name: view.least for name, view in zip(reads, views, strict=True)}
        known = self.plan.known(named, lengths)
        factor = Formula(loop.op, self.writer, g.shape, operands, known).factor(partial)
        own = target.own
        if access.table:
            self._scatter(access.table, self._product(g, factor))
        elif len(own) == len(g.shape) and is_one_to_one(target):
            self._assign(target, g, factor)
        else:
            self._put(target.along(own), lambda out: self._sum(own, g, factor, out))

    def _pick(self, loop: Loop) -> None:
        """Each adjoint goes to the row that was picked; no place of the others is left out."""
        (candidates,) = loop.vectors
        if candidates.table is None:
            lengths = (*loop.shape, *loop.terms)
            self._prepare(View("adjoints", candidates.base, lengths, candidates.strides))
        else:
            self._zero(_distinct(np.array(candidates.table, dtype=np.intp)))
        target = self.everything, self.plan.taken[loop.out], self._adjoint(loop, ())
        self.writer.do("np.add.at({0}, {1}, {2})", *target)

    def _dot(self, loop: Loop) -> None:
        """The adjoints of two vectors are products of matrices again."""
        x, y = loop.vectors
        g = self._adjoint(loop, loop.terms)
        if x == y:
            self._dot_share(self._copied("np.add({0}, {0}, out={1})", g, len(loop.shape)), x, y)
            return
        if not any(g.strides):
            g = self._copied("np.copyto({1}, {0})", g, len(loop.shape))
        self._dot_share(g, x, y)
        self._dot_share(g, y, x)

    def _dot_share(self, g: View, access: Access, other: Access) -> None:
        if not access.needs_grad:
            return
        factor = self.plan.read(self.writer, other, g.shape)
        if access.table:
            shares = self.writer.temporary(g.shape)
            contract(self.writer, g, factor, shares)
            self._scatter(access.table, shares)
        else:
            target = View("adjoints", access.base, g.shape, access.strides)
            self._put(
                target.along(target.own),
                lambda out: contract(self.writer, g, factor, out.over(target.own, g.shape)),
            )

    def _adjoint(self, loop: Loop, terms: Lengths) -> View:
        """The adjoints of the results of a loop, the same for all terms."""
        first, step = self.adjoint[loop.out]
        strides = (*[step * s for s in packed(loop.shape)], *[0] * len(terms))
        return View("adjoints", first, (*loop.shape, *terms), strides)

    def _copied(self, text: str, g: View, rows: int) -> View:
        """A copy by one step; the first axes are those of the rows."""
        axes = range(rows)
        source = g.along(axes)
        room = self.writer.temporary(source.shape)
        self.writer.do(text, source.least, room)
        return room.over(axes, g.shape)

    def _put(self, target: View, write: Callable[[View], None]) -> None:
        """Adds what `write` leaves in a view to the target, or leaves it there at once."""
        if not is_one_to_one(target):
            room = self.writer.temporary(target.shape)
            write(room)
            self._add_windows(target, room)
        elif self._is_first(target):
            write(target)
        else:
            room = self.writer.temporary(target.shape)
            write(room)
            self.writer.do("np.add({0}, {1}, out={0})", target, room)

    def _assign(self, target: View, g: View, factor: Number) -> None:
        if factor not in (1.0, -1.0):
            self._put(
                target,
                lambda out: self.writer.do("np.multiply({0}, {1}, out={2})", g.least, factor, out),
            )
            return
        calls = {
            (1.0, True): "np.copyto({0}, {1})",
            (1.0, False): "np.add({0}, {1}, out={0})",
            (-1.0, True): "np.negative({1}, out={0})",
            (-1.0, False): "np.subtract({0}, {1}, out={0})",
        }
        self.writer.do(calls[factor, self._is_first(target)], target, g.least)

    def _product(self, g: View, factor: Number) -> View:
        if factor == 1.0:
            return g
        room = self.writer.temporary(g.shape)
        self.writer.do("np.multiply({0}, {1}, out={2})", g.least, factor, room)
        return room

    def _sum(self, axes: Sequence[int], g: View, factor: Number, out: View) -> None:
        """g * factor, summed over all but these axes."""
        summed = tuple(k for k in range(len(g.shape)) if k not in axes)
        if len(summed) == len(g.shape) == 1 and isinstance(factor, View) and factor.shape:
            self.writer.do("np.dot({0}, {1}, out={2})", g, factor, out)
            return
        product = self._product(g, factor)
        if not summed:
            self.writer.do("np.copyto({0}, {1})", out, product)
        elif len(g.shape) == 1:
            ones = self.writer.ones(g.shape[0])
            self.writer.do("np.dot({0}, {1}, out={2})", product, ones, out)
        elif len(g.shape) == 2 and len(summed) == 1:
            ones = self.writer.ones(g.shape[summed[0]])
            sides = (ones, product) if summed == (0,) else (product, ones)
            self.writer.do("np.matmul({0}, {1}, out={2})", *sides, out)
        else:
            self.writer.do(f"np.add.reduce({{0}}, axis={summed}, out={{1}})", product, out)

    def _scatter(self, table: Sequence[int], shares: View) -> None:
        """Adds shares at places in a table, which may come several times."""
        places = np.array(table, dtype=np.intp)
        target = (self.everything, self.plan.table(places, shares.shape), shares)
        distinct = _distinct(places)
        if distinct.size < places.size:
            self._zero(distinct)
            self.writer.do("np.add.at({0}, {1}, {2})", *target)
        elif self.written[distinct].any():
            self._zero(distinct)
            self.writer.do("{0}[{1}] += {2}", *target)
        else:
            self.written[distinct] = True
            self.writer.do("{0}[{1}] = {2}", *target)

    def _add_windows(self, target: View, shares: View) -> None:
        """Adds shares to windows that overlap: those of one offset do not."""
        self._prepare(target)
        axes = sorted(range(len(target.shape)), key=target.shape.__getitem__)
        outer: list[int] = []
        while not is_one_to_one(target.along(axes)):
            outer.append(axes.pop(0))
        offsets = list(np.ndindex(*target.along(outer).shape))
        if len(offsets) > SLICES:
            table = self.plan.table(view(self.places, *target[1:]), target.shape)
            self.writer.do("np.add.at({0}, {1}, {2})", self.everything, table, shares)
            return
        for offset in offsets:
            at = list(zip(outer, offset, strict=True))
            window, share = (whole.at(at).along(axes) for whole in (target, shares))
            self.writer.do("np.add({0}, {1}, out={0})", window, share)


def _distinct(places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Each place once, in order; `np.unique` would import masked arrays, which takes long."""
    found: NDArray[np.intp] = np.sort(places, axis=None)
    is_new = np.ones(found.size, dtype=bool)
    np.not_equal(found[1:], found[:-1], out=is_new[1:])
    return found[is_new]
