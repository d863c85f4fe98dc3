"""Sums of products as C that keeps the sums in registers.

A loop of dots over rows, and each of its adjoints, is a contraction: a result with steps along
some axes, summed over the others. One axis is laid along the lanes of a vector register, a second
one over several registers, so that each number that is loaded is used several times.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

from engine.replay.views import View, laid, packed

_, PRELUDE = Path(__file__).with_suffix(".h").read_text(encoding="ascii").split("\n", 1)


@dataclass(frozen=True)
class Machine:
    """How many doubles a vector register holds, and how many sums may be kept in registers."""

    lanes: int
    sums: int


Piece = tuple[int, int]  # the first lane and the number of lanes


def contraction(
    machine: Machine,
    result: View,
    factors: Sequence[View],
    starts: Sequence[View] = (),
    assign: str = "=",
) -> tuple[list[str], int]:
    """Lines that compute result (assign) starts + the sum of the products of the factors.

    All have the same axes, and their memories are pointers to their first numbers. The sum runs
    over the axes along which the result has no step. Also returns how many numbers of the working
    memory `w` the lines use.
    """
    result, *views = laid([result, *factors, *starts])
    cut = len(factors)
    return _Contraction(machine, result, views[:cut], views[cut:], assign).lines()


def at(view: View, live: Sequence[int], offset: int = 0) -> str:
    """The number at the loop variables of the axes `live`, and `offset` further."""
    return f"{view.memory}[{place(view, live, offset)}]"


def place(view: View, live: Sequence[int], offset: int = 0) -> str:
    """How far that is from the first number."""
    steps = [(f"i{k}", view.strides[k]) for k in live if view.strides[k]]
    text = [i if step == 1 else f"{i} * {step}" for i, step in steps]
    return " + ".join([*text, str(offset)] if offset or not text else text)


def loops(
    lengths: Sequence[int] | Mapping[int, str], axes: Sequence[int], body: Sequence[str]
) -> list[str]:
    """The body inside loops over these axes."""
    lines = list(body)
    for k in reversed(axes):
        head = f"for (int i{k} = 0; i{k} < {lengths[k]}; i{k}++)"
        lines = [head + " {", *indented(lines), "}"]
    return lines


def indented(lines: Sequence[str]) -> list[str]:
    """The lines one step to the right."""
    return ["    " + line for line in lines]


@dataclass
class _Contraction:
    machine: Machine
    result: View
    factors: list[View]
    starts: list[View]
    assign: str
    along: int = field(init=False)  # the axis along the lanes
    down: int | None = field(init=False)  # the axis over several registers

    def lines(self) -> tuple[list[str], int]:
        self.lengths = self.result.shape
        axes = range(len(self.lengths))
        self.outer = self.result.own
        self.inner = [k for k in axes if k not in self.outer]
        costs = {k: self._cost(k) for k in axes}
        along = min(costs, key=lambda k: costs[k], default=None)
        if along is None or costs[along] > 1.5 * prod(self.lengths):
            return self._plain(), 0
        self.along = along
        self.down = self._second([k for k in self.outer if k != along])
        packing, used = self._pack()
        body = self._across() if along in self.outer else self._lanes()
        return [*packing, *body], used

    def _cost(self, along: int) -> float:
        """A guess at the number of instructions with this axis laid along the lanes."""
        others = prod(self.lengths) // self.lengths[along]
        steps = others * len(_pieces(self.lengths[along], self.machine.lanes))
        cost = float(steps)
        for part in (*self.factors, *self.starts):
            if part.strides[along] not in (0, 1):
                loads = steps * self.machine.lanes
                cost += _size(part) if self._is_reused(part) else loads
        results = _size(self.result)
        if along in self.inner:
            return cost + 6 * results
        return cost + (results if self.result.strides[along] != 1 else 0)

    def _is_reused(self, part: View) -> bool:
        return not all(part.strides)

    def _plain(self) -> list[str]:
        first = " + ".join(at(start, self.outer) for start in self.starts) or "0.0"
        live = [*self.outer, *self.inner]
        product = " * ".join(at(factor, live) for factor in self.factors)
        body = [
            f"double s = {first};",
            *loops(self.lengths, self.inner, [f"s += {product};"]),
            f"{at(self.result, self.outer)} {self.assign} s;",
        ]
        return loops(self.lengths, self.outer, body)

    def _pack(self) -> tuple[list[str], int]:
        """Copies what is used again but does not lie along the lanes side by side."""
        lines: list[str] = []
        used = 0

        def copied(view: View) -> View:
            nonlocal used
            if view.strides[self.along] in (0, 1) or not self._is_reused(view):
                return view
            axes = [*(k for k in view.own if k != self.along), self.along]
            shape = view.along(axes).shape
            room = View(f"{view.memory}_packed", 0, shape, packed(shape)).over(axes, view.shape)
            lines.append(f"double *restrict {room.memory} = w + {used};")
            lines.extend(loops(self.lengths, axes, [f"{at(room, axes)} = {at(view, axes)};"]))
            used += prod(shape)
            return room

        self.factors = list(map(copied, self.factors))
        self.starts = list(map(copied, self.starts))
        return lines, used

    def _across(self) -> list[str]:
        """Each lane has a result of its own."""
        outside = [k for k in self.outer if k not in (self.along, self.down)]
        lines: list[str] = []
        limit = 4 if self.down is not None else self.machine.sums
        for head, pieces, live in self._chunks(limit):
            for rows_head, rows, more in self._rows(self.machine.sums // len(pieces)):
                body = self._block(rows, pieces, [*outside, *live, *more])
                lines += _wrapped([head, rows_head], body)
        return loops(self.lengths, outside, lines)

    def _lanes(self) -> list[str]:
        """The lanes share the terms of one result, and are added at the end."""
        outside = [k for k in self.outer if k != self.down]
        lines: list[str] = []
        for head, rows, more in self._rows(4):
            lines += _wrapped([head], self._lane_block(rows, [*outside, *more]))
        return loops(self.lengths, outside, lines)

    def _second(self, axes: Sequence[int]) -> int | None:
        """The axis of results to lay over several registers: one where a factor is used again."""

        def gain(k: int) -> tuple[bool, int]:
            return any(not part.strides[k] for part in self.factors), self.lengths[k]

        return max(axes, key=gain, default=None)

    def _chunks(self, limit: int) -> Iterator[tuple[str, list[Piece], list[int]]]:
        """The axis along the lanes in parts of a few registers: a loop, and what is left over."""
        along, lanes = self.along, self.machine.lanes
        n = self.lengths[along]
        pieces = _pieces(n, lanes)
        if len(pieces) <= limit or n < lanes:
            yield "", pieces, []
            return
        full = n // lanes
        most = min(limit, full, 4)
        each = next((k for k in range(most, most // 2, -1) if full % k == 0), most)
        step = each * lanes
        end = n // step * step
        yield (
            f"for (int i{along} = 0; i{along} < {end}; i{along} += {step})",
            _pieces(step, lanes),
            [along],
        )
        if end < n:
            yield "", [(end + at, width) for at, width in _pieces(n - end, lanes)], []

    def _rows(self, limit: int) -> Iterator[tuple[str, range, list[int]]]:
        """The second axis in blocks of rows: a loop, and what is left over."""
        down = self.down
        if down is None:
            yield "", range(1), []
            return
        n = self.lengths[down]
        limit = max(1, limit)
        blocks = -(-n // limit)
        rows = next(
            (r for r in range(min(limit, n), limit // 2, -1) if n % r == 0), -(-n // blocks)
        )
        end = n // rows * rows
        if end == rows:
            yield "", range(rows), []
        else:
            head = f"for (int i{down} = 0; i{down} < {end}; i{down} += {rows})"
            yield head, range(rows), [down]
        if end < n:
            yield "", range(end, n), []

    def _offset(self, part: View, row: int, lane: int = 0) -> int:
        """How far on the array stands in this row, at this lane."""
        step = part.strides[self.down] if self.down is not None else 0
        return step * row + part.strides[self.along] * lane

    def _load(self, part: View, row: int, piece: Piece, live: Sequence[int]) -> tuple[str, ...]:
        """A name, the type and the value of a factor for one row and one piece."""
        lane, width = piece
        step = part.strides[self.along]
        offset = self._offset(part, row, lane)
        name = f"{part.memory}_{row if self.down is not None and part.strides[self.down] else 0}"
        if not step:
            return name, "double", at(part, live, offset)
        if step == 1:
            value = f"AT{width}({part.memory} + {place(part, live, offset)})"
        else:
            numbers = ", ".join(at(part, live, offset + k * step) for k in range(width))
            value = f"({_kind(width)}){{{numbers}}}" if width > 1 else numbers
        return f"{name}_{lane}", _kind(width), value

    def _products(
        self, rows: range, pieces: Sequence[Piece], live: Sequence[int], copy: str = ""
    ) -> list[str]:
        """One step of the sum for all rows and pieces, each number loaded once."""
        loaded: dict[str, str] = {}
        vectors: list[tuple[str, int]] = []
        sums: list[str] = []
        for row in rows:
            for piece in pieces:
                loads = [self._load(part, row, piece, live) for part in self.factors]
                loaded |= {name: f"{kind} {name} = {value};" for name, kind, value in loads}
                vectors += [(name, piece[1]) for name, kind, _ in loads if kind != "double"]
                product = " * ".join(name for name, _, _ in loads)
                sums.append(f"s{row}_{piece[0]}{copy} += {product};")
        kept = [f"KEEP{n}({name});" for (name, n), uses in Counter(vectors).items() if uses > 1]
        return [*loaded.values(), *kept, *sums]

    def _block(self, rows: range, pieces: Sequence[Piece], live: Sequence[int]) -> list[str]:
        """The sums of some rows and pieces: started, added up and stored."""
        lines: list[str] = []
        cells = [(row, piece) for row in rows for piece in pieces]
        for row, (lane, width) in cells:
            first = [self._load(part, row, (lane, width), live)[2] for part in self.starts]
            start = " - ".join([" + ".join(first), _zero(width)] if first else [_zero(width)])
            lines.append(f"{_kind(width)} s{row}_{lane} = {start};")
        lines += self._sum(rows, pieces, live)
        step = self.result.strides[self.along]
        for row, (lane, width) in cells:
            offset = self._offset(self.result, row, lane)
            if step == 1:
                where = f"{self.result.memory} + {place(self.result, live, offset)}"
                lines.append(f"AT{width}({where}) {self.assign} s{row}_{lane};")
                continue
            for k in range(width):
                to = at(self.result, live, offset + k * step)
                lines.append(f"{to} {self.assign} s{row}_{lane}{f'[{k}]' * (width > 1)};")
        return lines

    def _sum(self, rows: range, pieces: Sequence[Piece], live: Sequence[int]) -> list[str]:
        """The loops over the terms; few sums are kept several times over, to wait less for each."""
        if not self.inner:
            return self._products(rows, pieces, live)
        *before, last = self.inner
        n = self.lengths[last]
        inside = [*live, *self.inner]
        cells = [(f"s{row}_{lane}", width) for row in rows for lane, width in pieces]
        copies = max(1, min(8 // len(cells), n // 4))
        if copies == 1:
            return loops(self.lengths, self.inner, self._products(rows, pieces, inside))
        names = ["", *(f"_{copy}" for copy in range(1, copies))]
        start = [f"{_kind(w)} {s}{copy} = {_zero(w)};" for copy in names[1:] for s, w in cells]
        body: list[str] = []
        for copy in names:
            body += _wrapped([""], [*self._products(rows, pieces, inside, copy), f"i{last}++;"])
        end = n // copies * copies
        main = [f"int i{last} = 0;", *_wrapped([f"while (i{last} < {end})"], body)]
        if end < n:
            step = self._products(rows, pieces, inside)
            main += _wrapped([f"for (; i{last} < {n}; i{last}++)"], step)
        total = [f"{s} += {' + '.join(s + copy for copy in names[1:])};" for s, _ in cells]
        return [*start, *_wrapped([""], loops(self.lengths, before, main)), *total]

    def _lane_block(self, rows: range, live: Sequence[int]) -> list[str]:
        """Some rows, each in a few registers whose lanes are added at the end."""
        before = [k for k in self.inner if k != self.along]
        body: list[str] = []
        cells: list[Piece] = []
        for head, pieces, more in self._chunks(max(1, 8 // len(rows))):
            step = self._products(rows, pieces, [*live, *before, *more])
            body += _wrapped([head], step)
            cells += pieces
        lines = [f"{_kind(w)} s{row}_{lane} = {_zero(w)};" for row in rows for lane, w in cells]
        lines += loops(self.lengths, before, body)
        for row in rows:
            terms = [at(part, live, self._offset(part, row)) for part in self.starts]
            for width in (8, 4, 2, 1):
                alike = [f"s{row}_{lane}" for lane, w in cells if w == width]
                terms += [f"SUM{width}(({' + '.join(alike)}))"] if alike else []
            to = at(self.result, live, self._offset(self.result, row))
            lines.append(f"{to} {self.assign} {' + '.join(terms)};")
        return lines


def _size(view: View) -> int:
    """How many different numbers it shows."""
    return prod(view.along(view.own).shape)


def _kind(width: int) -> str:
    """The type of so many lanes."""
    return "double" if width == 1 else f"V{width}"


def _zero(width: int) -> str:
    return "0.0" if width == 1 else f"({_kind(width)}){{}}"


def _pieces(n: int, lanes: int) -> list[Piece]:
    """n lanes as registers, full ones first.

    >>> _pieces(11, 4)
    [(0, 4), (4, 4), (8, 2), (10, 1)]
    """
    pieces = []
    at = 0
    while lanes:
        while n - at >= lanes:
            pieces.append((at, lanes))
            at += lanes
        lanes //= 2
    return pieces


def _wrapped(heads: Sequence[str], body: Sequence[str]) -> list[str]:
    """The body in a block of its own under each head."""
    lines = list(body)
    for head in reversed([head for head in heads if head] or [""]):
        lines = [f"{head} {{".lstrip(), *indented(lines), "}"]
    return lines
