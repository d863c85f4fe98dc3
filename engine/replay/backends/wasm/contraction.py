"""Sums of products as WebAssembly that keeps the sums in registers of two numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

from engine.replay.backends.contraction import Machine, Part, Piece, Plan
from engine.replay.backends.wasm.lanes import ONE, PAIR, Lanes
from engine.replay.backends.wasm.walk import NUMBER, Turns, Walk
from engine.replay.views import View

MACHINE = Machine(2, 10)
Sums = dict[tuple[int, int], str]  # the local of each, by its row and its first lane


def contract(outside: Walk, plan: Plan, work: int = 0) -> int:
    """Writes a contraction; gives how many numbers of working memory are used then.

    `outside` has the pointers to the arrays, by their memories, and `work` is how many numbers were
    in use before.
    """
    walk = Walk(outside.function)
    for view in (plan.result, *[c.source for c in plan.copies], *plan.factors, *plan.starts):
        if view.memory in outside.at:
            walk.take(view.memory, view, outside.at[view.memory])
    for source, room, axes, used in plan.copies:
        walk.get("w")
        walk.number((work + used) * NUMBER)
        walk.do(("i32.add",))
        name = room.memory
        walk.take(name, room, walk.new("i32", name))
        walk.over(axes, partial(walk.store, "=", partial(walk.load, source.memory), name=name))
    written = _Contraction(walk, plan)
    written.across() if plan.along in plan.outer else written.lanes()
    return work + plan.work


def _lanes(width: int) -> Lanes:
    return PAIR if width == 2 else ONE


class _Contraction:
    def __init__(self, walk: Walk, plan: Plan) -> None:
        self.walk, self.plan = walk, plan
        self.axis = plan.along or 0

    def across(self) -> None:
        """Each lane has a result of its own."""
        plan = self.plan
        outside = [k for k in plan.outer if k not in (plan.along, plan.down)]
        limit = 4 if plan.down is not None else plan.machine.sums

        def chunk(part: Part) -> None:
            self._rows(plan.machine.sums // len(part.pieces), partial(self._block, part.pieces))

        def chunks() -> None:
            parts = plan.chunks(limit)
            self.walk.along(self.axis, [(p.turns, p.step, partial(chunk, p)) for p in parts])

        self.walk.over(outside, chunks)

    def lanes(self) -> None:
        """The lanes share the terms of one result, and are added at the end."""
        outside = [k for k in self.plan.outer if k != self.plan.down]
        self.walk.over(outside, partial(self._rows, 4, self._lane_block))

    def _rows(self, limit: int, block: Callable[[range], None]) -> None:
        """A block for each part of the second axis."""
        parts = list(self.plan.rows(limit))
        if self.plan.down is None:
            block(parts[0].rows)
            return
        turns = [(p.turns, p.step, partial(block, p.rows)) for p in parts]
        self.walk.along(self.plan.down, turns)

    def _load(self, part: View, row: int, piece: Piece, further: int, known: dict[str, str]) -> str:
        """The local of a factor for one row and one piece, loaded once."""
        lane, width = piece
        step, down = part.strides[self.axis], self.plan.down
        own = row if down is not None and part.strides[down] else 0
        name = f"{part.memory}_{own}_{lane if step else ''}_{width}"
        if name not in known:
            lanes, offset = _lanes(width), self.plan.offset(part, row, lane) + further
            self.walk.load(part.memory, lanes, step, offset)
            known[name] = self.walk.new(lanes.type, name)
        return known[name]

    def _products(
        self, rows: range, pieces: Sequence[Piece], sums: Sums, axis: int = 0, copy: int = 0
    ) -> None:
        """One step of the sum for all rows and pieces, `copy` steps on along an axis."""
        known: dict[str, str] = {}
        for row, piece in product(rows, pieces):
            kind, total = _lanes(piece[1]).prefixes["number"], sums[row, piece[0]]
            loaded = [
                self._load(part, row, piece, copy * part.strides[axis], known)
                for part in self.plan.factors
            ]
            self.walk.get(total)
            for k, local in enumerate(loaded):
                self.walk.get(local)
                if k:
                    self.walk.do((f"{kind}.mul",))
            self.walk.do((f"{kind}.add",), ("local.set", total))

    def _zeros(self, cells: Sequence[tuple[int, Piece]], name: str = "s") -> Sums:
        """Sums that begin with 0."""
        sums: Sums = {}
        for row, (lane, width) in cells:
            self.walk.do(("f64.const", 0) if width == 1 else ("v128.const", 0, 0))
            sums[row, lane] = self.walk.new(_lanes(width).type, f"{name}{row}_{lane}")
        return sums

    def _block(self, pieces: Sequence[Piece], rows: range) -> None:
        """The sums of some rows and pieces: started, added up and stored."""
        walk, plan = self.walk, self.plan
        cells = [(row, piece) for row in rows for piece in pieces]
        sums = self._zeros(cells)
        known: dict[str, str] = {}
        for row, piece in cells:
            kind = _lanes(piece[1]).prefixes["number"]
            for k, part in enumerate(plan.starts):
                walk.get(*([sums[row, piece[0]]] if k else []))
                walk.get(self._load(part, row, piece, 0, known))
                walk.do(*[(f"{kind}.add",)] * bool(k), ("local.set", sums[row, piece[0]]))
        self._sum(rows, pieces, sums)
        step = plan.result.strides[self.axis]
        for row, (lane, width) in cells:
            offset, total = plan.offset(plan.result, row, lane), partial(walk.get, sums[row, lane])
            if step == 1 or width == 1:
                walk.store(plan.assign, total, _lanes(width), further=offset)
                continue
            for k in range(width):
                walk.store(plan.assign, partial(self._lane, sums[row, lane], k), further=offset)
                offset += step

    def _lane(self, pair: str, lane: int) -> None:
        self.walk.get(pair)
        self.walk.do(("f64x2.extract_lane", lane))

    def _sum(self, rows: range, pieces: Sequence[Piece], sums: Sums) -> None:
        """The loops over the terms; few sums are kept several times over, to wait less for each."""
        plan, walk = self.plan, self.walk
        if not plan.inner:
            self._products(rows, pieces, sums)
            return
        *before, last = plan.inner
        cells = [(row, piece) for row in rows for piece in pieces]
        n, copies = plan.lengths[last], plan.copies_of(len(cells))
        kept = [sums, *(self._zeros(cells, f"s{copy}_") for copy in range(1, copies))]

        def several() -> None:
            for copy, own in enumerate(kept):
                self._products(rows, pieces, own, last, copy)

        one = partial(self._products, rows, pieces, sums)
        turns: list[Turns] = [(n // copies, copies, several), (n % copies, 1, one)]
        names = [part.memory for part in plan.factors]
        walk.over(before, partial(walk.along, last, turns, names))
        for row, (lane, width) in cells if copies > 1 else []:
            walk.get(sums[row, lane])
            self._add([own[row, lane] for own in kept[1:]], width)
            walk.do((f"{_lanes(width).prefixes['number']}.add",), ("local.set", sums[row, lane]))

    def _add(self, locals: Sequence[str], width: int) -> None:
        """Puts the sum of locals on the stack."""
        for k, local in enumerate(locals):
            self.walk.get(local)
            self.walk.do(*[(f"{_lanes(width).prefixes['number']}.add",)] * bool(k))

    def _lane_block(self, rows: range) -> None:
        """Some rows, each in a few registers whose lanes are added at the end."""
        walk, plan = self.walk, self.plan
        before = [k for k in plan.inner if k != self.axis]
        parts = list(plan.chunks(max(1, 8 // len(rows))))
        each = [self._zeros([*product(rows, part.pieces)]) for part in parts]
        turns = [
            (part.turns, part.step, partial(self._products, rows, part.pieces, sums))
            for part, sums in zip(parts, each, strict=True)
        ]
        names = [part.memory for part in plan.factors]
        walk.over(before, partial(walk.along, self.axis, turns, names))
        cells = [
            (row, width, sums[row, lane])
            for part, sums in zip(parts, each, strict=True)
            for row, (lane, width) in product(rows, part.pieces)
        ]
        for row in rows:
            terms: list[Callable[[], None]] = [
                partial(walk.load, part.memory, further=plan.offset(part, row))
                for part in plan.starts
            ]
            for width in (2, 1):
                alike = [local for own, w, local in cells if (own, w) == (row, width)]
                if alike:
                    terms.append(partial(self._total, alike, width))
            walk.store(
                plan.assign, partial(self._joined, terms), further=plan.offset(plan.result, row)
            )

    def _joined(self, terms: Sequence[Callable[[], None]]) -> None:
        """Puts the sum of terms on the stack."""
        for k, term in enumerate(terms):
            term()
            self.walk.do(*[("f64.add",)] * bool(k))

    def _total(self, alike: Sequence[str], width: int) -> None:
        """The sum of registers, and of their lanes."""
        self._add(alike, width)
        if width == 2:
            pair = self.walk.new("v128", "pair")
            self._lane(pair, 0)
            self._lane(pair, 1)
            self.walk.do(("f64.add",))
