"""Sums of products as C that keeps the sums in registers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from engine.replay.backends.contraction import Machine, Part, Piece, Plan
from engine.replay.views import View

_, PRELUDE = Path(__file__).with_suffix(".h").read_text(encoding="ascii").split("\n", 1)


def contraction(
    machine: Machine,
    result: View,
    factors: Sequence[View],
    starts: Sequence[View] = (),
    assign: str = "=",
) -> tuple[list[str], int]:
    """Lines that compute result (assign) starts + the sum of the products of the factors.

    Also returns how many numbers of the working memory `w` the lines use.
    """
    plan = Plan(machine, result, [*factors], [*starts], assign)
    return _Contraction(plan).lines(), plan.work


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


class _Contraction:
    def __init__(self, plan: Plan) -> None:
        self.plan, self.lengths = plan, plan.lengths
        self.along, self.down, self.outer, self.inner = (
            plan.along or 0,
            plan.down,
            plan.outer,
            plan.inner,
        )

    def lines(self) -> list[str]:
        if self.plan.along is None:
            return self._plain()
        packing = []
        for source, room, axes, used in self.plan.copies:
            packing.append(f"double *restrict {room.memory} = w + {used};")
            packing.extend(loops(self.lengths, axes, [f"{at(room, axes)} = {at(source, axes)};"]))
        return [*packing, *(self._across() if self.along in self.outer else self._lanes())]

    def _plain(self) -> list[str]:
        first = " + ".join(at(start, self.outer) for start in self.plan.starts) or "0.0"
        live = [*self.outer, *self.inner]
        product = " * ".join(at(factor, live) for factor in self.plan.factors)
        body = [
            f"double s = {first};",
            *loops(self.lengths, self.inner, [f"s += {product};"]),
            f"{at(self.plan.result, self.outer)} {self.plan.assign} s;",
        ]
        return loops(self.lengths, self.outer, body)

    def _across(self) -> list[str]:
        """Each lane has a result of its own."""
        outside = [k for k in self.outer if k not in (self.along, self.down)]
        lines: list[str] = []
        limit = 4 if self.down is not None else self.plan.machine.sums
        for head, pieces, live in self._chunks(limit):
            for rows_head, rows, more in self._rows(self.plan.machine.sums // len(pieces)):
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

    def _chunks(self, limit: int) -> Iterator[tuple[str, list[Piece], list[int]]]:
        """The axis along the lanes in parts of a few registers: a loop, and what is left over."""
        for part in self.plan.chunks(limit):
            head, start, live = _head(self.along, part)
            yield head, [(start + at, width) for at, width in part.pieces], live

    def _rows(self, limit: int) -> Iterator[tuple[str, range, list[int]]]:
        """The second axis in blocks of rows: a loop, and what is left over."""
        for part in self.plan.rows(limit):
            head, start, live = _head(self.down or 0, part)
            yield head, range(start, start + len(part.rows)), live

    def _load(self, part: View, row: int, piece: Piece, live: Sequence[int]) -> tuple[str, ...]:
        """A name, the type and the value of a factor for one row and one piece."""
        lane, width = piece
        step = part.strides[self.along]
        offset = self.plan.offset(part, row, lane)
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
                loads = [self._load(part, row, piece, live) for part in self.plan.factors]
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
            first = [self._load(part, row, (lane, width), live)[2] for part in self.plan.starts]
            start = " - ".join([" + ".join(first), _zero(width)] if first else [_zero(width)])
            lines.append(f"{_kind(width)} s{row}_{lane} = {start};")
        lines += self._sum(rows, pieces, live)
        step = self.plan.result.strides[self.along]
        for row, (lane, width) in cells:
            offset = self.plan.offset(self.plan.result, row, lane)
            if step == 1:
                where = f"{self.plan.result.memory} + {place(self.plan.result, live, offset)}"
                lines.append(f"AT{width}({where}) {self.plan.assign} s{row}_{lane};")
                continue
            for k in range(width):
                to = at(self.plan.result, live, offset + k * step)
                lines.append(f"{to} {self.plan.assign} s{row}_{lane}{f'[{k}]' * (width > 1)};")
        return lines

    def _sum(self, rows: range, pieces: Sequence[Piece], live: Sequence[int]) -> list[str]:
        """The loops over the terms; few sums are kept several times over, to wait less for each."""
        if not self.inner:
            return self._products(rows, pieces, live)
        *before, last = self.inner
        inside = [*live, *self.inner]
        cells = [(f"s{row}_{lane}", width) for row in rows for lane, width in pieces]
        n, copies = self.lengths[last], self.plan.copies_of(len(cells))
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
            terms = [at(part, live, self.plan.offset(part, row)) for part in self.plan.starts]
            for width in (8, 4, 2, 1):
                alike = [f"s{row}_{lane}" for lane, w in cells if w == width]
                terms += [f"SUM{width}(({' + '.join(alike)}))"] if alike else []
            to = at(self.plan.result, live, self.plan.offset(self.plan.result, row))
            lines.append(f"{to} {self.plan.assign} {' + '.join(terms)};")
        return lines


def _head(axis: int, part: Part) -> tuple[str, int, list[int]]:
    """The loop of a part, where it begins inside that, and its variable: no loop for one turn."""
    if part.turns == 1:
        return "", part.start, []
    end = part.turns * part.step
    return f"for (int i{axis} = 0; i{axis} < {end}; i{axis} += {part.step})", 0, [axis]


def _kind(width: int) -> str:
    """The type of so many lanes."""
    return "double" if width == 1 else f"V{width}"


def _zero(width: int) -> str:
    return "0.0" if width == 1 else f"({_kind(width)}){{}}"


def _wrapped(heads: Sequence[str], body: Sequence[str]) -> list[str]:
    """The body in a block of its own under each head."""
    lines = list(body)
    for head in reversed([head for head in heads if head] or [""]):
        lines = [f"{head} {{".lstrip(), *indented(lines), "}"]
    return lines
