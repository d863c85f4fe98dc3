"""Loops as functions of WebAssembly.

A function takes pointers to where the loop begins to read and to write. As in C heavy sums of
products are contractions that work in registers, and sums are added up in the same order as there
by a machine of two lanes. The others are written as they stand, two numbers at a time where those
that are written lie side by side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from math import inf, prod

from engine.replay.backends.cloops import SMALL, views
from engine.replay.backends.contraction import Plan, exponent, factors
from engine.replay.backends.wasm.bytes import Function
from engine.replay.backends.wasm.contraction import MACHINE, contract
from engine.replay.backends.wasm.formula import Formulas, Writer
from engine.replay.backends.wasm.lanes import ONE, PAIR, Lanes
from engine.replay.backends.wasm.walk import Walk
from engine.replay.loops import Loop
from engine.replay.views import View, laid, packed


class LoopFunction:
    """A loop as a function, and how much working memory it needs.

    It takes a pointer for each view, or two where there is a table, and then one to that memory.
    """

    def __init__(self, name: str, loop: Loop, formulas: Formulas) -> None:
        self.loop, self.formulas = loop, formulas
        every = views(loop)
        arrays = [View(name, 0, view.shape, view.strides) for name, view in every.items()]
        arrays = arrays if loop.pick else laid(arrays)
        self.function = Function(name, {})
        self.walk = Walk(self.function)
        for array, view in zip(arrays, every.values(), strict=True):
            start = self._parameter(f"p_{array.memory}")
            at = start if view.table is None else self._parameter(f"t_{array.memory}")
            self.walk.take(array.memory, array, at, "" if view.table is None else start)
        to = self.walk.arrays["to"]
        self.lengths, self.axes, self.outer = to.shape, range(len(to.shape)), to.own
        self.summed = [k for k in self.axes if k not in to.own]
        self.is_plain = bool(self.walk.starts) or prod(self.lengths) <= SMALL
        self.work = 0
        self._parameter("w")
        self._write()

    def _parameter(self, name: str) -> str:
        self.function.parameters[name] = "i32"
        return name

    def _write(self) -> None:
        loop = self.loop
        is_sum, multiplies = bool(self.summed or loop.starts), factors(loop) or exponent(loop)
        if loop.pick:
            self._pick()
        elif loop.fold == "logsumexp":
            self._logsumexp()
        elif loop.fold == "exact":
            self._exact()
        elif is_sum and self.is_plain:
            self._sum()
        elif is_sum or (not self.is_plain and len(self.axes) > 1 and multiplies):
            self._contraction()
        else:
            self._each("to", loop.sign, loop.expression)

    # --- values

    def _value(self, expression: str, lanes: Lanes = ONE, axis: int = 0) -> None:
        """Puts an expression at a point on the stack, or at two points of an axis."""
        walk, reads = self.walk, re.findall(r"\w+", expression)
        names = {}
        for name in self.loop.reads:
            if name in reads:
                walk.load(name, lanes, walk.arrays[name].strides[axis] if self.axes else 0)
                names[name] = walk.new(lanes.type, f"v_{name}")
        Writer(self.function, lanes, self.formulas).formula(expression, self.loop.op, names)

    def _term(self, name: str = "term") -> str:
        """A local with the expression at a point."""
        self._value(self.loop.expression)
        return self.walk.new("f64", name)

    def _constant(self, x: float, name: str) -> str:
        """A new local with a number."""
        Writer(self.function, ONE, self.formulas).number(x)
        return self.walk.new("f64", name)

    def _add(self, total: str, value: Callable[[], object]) -> None:
        self.walk.get(total)
        value()
        self.walk.do(("f64.add",), ("local.set", total))

    # --- kinds of loops

    def _each(self, to: str, sign: str, expression: str) -> None:
        """The expression set or added at each point; two at a time along the last axis."""
        walk = self.walk

        def store(lanes: Lanes) -> None:
            value = partial(self._value, expression, lanes, self.axes[-1] if self.axes else 0)
            walk.store(sign, value, lanes, to)

        if not self.axes or to in walk.starts or walk.arrays[to].strides[-1] != 1:
            walk.over(self.axes, partial(store, ONE))
            return
        *before, last = self.axes
        if any(walk.step(name, last) for name in walk.starts):
            walk.over(self.axes, partial(store, ONE))
            return
        n = self.lengths[last]
        turns = [(n // 2, 2, partial(store, PAIR)), (n % 2, 1, partial(store, ONE))]
        walk.over(before, partial(walk.along, last, turns))

    def _pick(self) -> None:
        """An indexed load or store: the last axis stands at one row; row 0 for what is none."""
        *rows, axis = self.axes
        walk, count = self.walk, float(self.lengths[axis])

        def store() -> None:
            walk.load("pick")
            names = {"x": walk.new("f64", "index")}
            wrapped = f"x + {count} if x < 0 else x"
            row = f"p if 0 <= (p := {wrapped}) < {count} and round(p) == p else 0.0"
            Writer(self.function, ONE, self.formulas).formula(row, None, names)
            walk.do(("i32.trunc_sat_f64_s",))
            chosen, before = walk.new("i32", "row"), dict(walk.at)
            for name in [name for name in walk.at if walk.step(name, axis)]:
                walk.get(walk.at[name], chosen)
                walk.number(walk.step(name, axis))
                walk.do(("i32.mul",), ("i32.add",))
                walk.at[name] = walk.new("i32", name)
            walk.store(self.loop.sign, partial(self._value, self.loop.expression))
            walk.at = before

        walk.over(rows, store)

    def _sum(self) -> None:
        """A sum as it stands: in a register, but for the last axes along which the target moves."""
        loop, walk = self.loop, self.walk
        value = partial(self._value, loop.expression)
        last = max(self.outer, default=-1)
        before, inner = self.axes[: last + 1], self.axes[last + 1 :]
        is_mixed = len(before) > len(self.outer)
        sign = "+=" if is_mixed else loop.sign
        if is_mixed and loop.sign == "=":
            walk.over(self.outer, partial(walk.store, "=", lambda: walk.do(("f64.const", 0))))
        if is_mixed and not inner:
            walk.over(before, partial(walk.store, "+=", value))
            return

        def whole() -> None:
            total = self._start()
            walk.over(inner, partial(self._add, total, value))
            walk.store(sign, partial(walk.get, total))

        walk.over(before, whole)

    def _start(self) -> str:
        """A local with what a sum begins with."""
        for k, name in enumerate(self.loop.starts):
            self.walk.load(name)
            self.walk.do(*[("f64.add",)] * bool(k))
        if not self.loop.starts:
            self.walk.do(("f64.const", 0))
        return self.walk.new("f64", "sum")

    def _exact(self) -> None:
        """What rounding loses is added at the end (Neumaier)."""
        walk = self.walk

        def term(total: str, lost: str) -> None:
            names = {"x": self._term(), "s": total, "l": lost}
            writer = Writer(self.function, ONE, self.formulas)
            walk.get(total, names["x"])
            walk.do(("f64.add",))
            names["t"] = walk.new("f64", "next")
            writer.formula("l + ((s - (t - (u := t - s))) + (x - u))", None, names)
            walk.set(lost)
            walk.get(names["t"])
            walk.set(total)

        def whole() -> None:
            total, lost = self._constant(0.0, "sum"), self._constant(0.0, "lost")
            walk.over(self.summed, partial(term, total, lost))
            writer = Writer(self.function, ONE, self.formulas)
            text, names = "s + l if l - l == 0 else s", {"s": total, "l": lost}
            walk.store("=", partial(writer.formula, text, None, names))

        walk.over(self.outer, whole)

    def _logsumexp(self) -> None:
        """The largest of each row; then the exps of all rows in one stretch; then their sums."""
        walk = self.walk
        gaps = View("gaps", 0, self.lengths, packed(self.lengths))
        self.work = prod(self.lengths)
        walk.take("gaps", gaps, "w")

        def larger(top: str, best: str) -> None:
            term = self._term()
            walk.get(term, top)
            walk.do(("f64.gt",))
            walk.get(term, term)
            walk.do(("f64.ne",), ("i32.or",))
            test = walk.new("i32", "larger")
            for kept, new in ((top, term), (best, walk.at["gaps"])):
                walk.get(new, kept, test)
                walk.do(("select",))
                walk.set(kept)

        def gap(top: str) -> None:
            self._value(self.loop.expression)
            walk.get(top)
            walk.do(("f64.sub",))

        def largest() -> None:
            top = self._constant(-inf, "top")
            walk.get(walk.at["gaps"])
            best = walk.new("i32", "best")
            walk.over(self.summed, partial(larger, top, best))
            walk.over(self.summed, partial(walk.store, "=", partial(gap, top), name="gaps"))
            walk.get(best, self._constant(-inf, "none"))  # log1p counts it as 1
            walk.do(("f64.store", 0))
            walk.store("=", partial(walk.get, top))

        def total() -> None:
            walk.load("to")
            names = {"top": walk.new("f64", "top"), "s": self._constant(0.0, "sum")}
            walk.over(self.summed, partial(self._add, names["s"], partial(walk.load, "gaps")))
            text = "top + log1p(s) if top - top == 0 else top"
            writer = Writer(self.function, ONE, self.formulas)
            walk.store("=", partial(writer.formula, text, None, names))

        walk.over(self.outer, largest)
        self._exps("w")
        walk.over(self.outer, total)

    # --- contractions

    def _contraction(self) -> None:
        """A sum in registers; of other than products it adds up numbers that were computed before.

        Of a softmax all exps are computed in one stretch.
        """
        walk, names, power = self.walk, factors(self.loop), exponent(self.loop)
        if names:
            self._contracted([walk.arrays[name] for name in names])
            return
        each = View("each", 0, self.lengths, packed(self.lengths))
        walk.take("each", each, "w")
        self.work = prod(self.lengths)
        self._each("each", "=", power or self.loop.expression)
        if power:
            self._exps("w")
        self._contracted([walk.arrays["g"], each] if power else [each])

    def _contracted(self, factors: Sequence[View]) -> None:
        starts = [self.walk.arrays[name] for name in self.loop.starts]
        plan = Plan(MACHINE, self.walk.arrays["to"], [*factors], starts, self.loop.sign)
        if plan.along is None:
            self._sum()
        else:
            self.work = contract(self.walk, plan, self.work)

    def _exps(self, pointer: str) -> None:
        functions = {lanes.width: self.formulas.mathematics("exp", lanes) for lanes in (ONE, PAIR)}
        self.walk.stretch(pointer, prod(self.lengths), functions)
