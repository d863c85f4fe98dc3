"""Steps of training as one function of WebAssembly, which calls the passes of two kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.replay.backends.kernel import TINY, Layout
from engine.replay.backends.wasm.bytes import Function, Module, bits, wrapped
from engine.replay.backends.wasm.formula import Formulas, Writer
from engine.replay.backends.wasm.lanes import ONE
from engine.replay.backends.wasm.walk import NUMBER, PLACE, Walk

PASSES = ("forward", "backward", "move")
GIVEN = ("steps", "points", "rows", "rates", "losses", "squares", "rights", "done")  # in this order
EXACT = (  # x is the sum of squares, y what is finite if all that was moved is
    f"1.0 if ((x > {TINY} and x - x == 0) or (not x > {TINY} and g == 0)) and y - y == 0 else 0.0"
)


class Places(NamedTuple):
    """Where a loss and its mover have their numbers, as addresses.

    `columns` has those of the data, and `outputs` and `labels` tables: of addresses, of integers.
    """

    values: int
    adjoints: int
    mover: int
    columns: Sequence[int]
    outputs: int
    labels: int


def module(layout: Layout, places: Places) -> Module:
    """The module; its function `several` takes GIVEN, addresses but for the first two."""
    formulas = Formulas()
    made = _Steps(layout, places, formulas).function
    passes = [Function(name, {}) for name in PASSES]
    return Module([made], passes, [made.name])


class _Steps:
    def __init__(self, layout: Layout, places: Places, formulas: Formulas) -> None:
        self.layout, self.places, self.formulas = layout, places, formulas
        self.function = Function("several", dict.fromkeys(GIVEN, "i32"))
        self.walk = Walk(self.function)
        self._over("steps", lambda step: self._step())

    def _step(self) -> None:
        """One step; where it is not to be taken, the function ends."""
        walk, layout = self.walk, self.layout
        n, its = len(layout.parameters), self._its
        walk.get("rows")
        walk.do(("if",))
        for (place, rows), source in zip(layout.columns, self.places.columns, strict=True):
            self._gather(self.places.values + NUMBER * place, source, rows.width)
        walk.do(("end",))
        parameters = NUMBER * layout.parameters.start
        self._copy(self.places.values + parameters, its(layout.data), n)
        walk.do(("call", "forward"))
        loss = self._number(self.places.values + NUMBER * layout.loss, "loss")
        self._end_unless("1.0 if x - x == 0 else 0.0", {"x": loss})
        walk.do(("call", "backward"))
        self._copy(its(layout.gradient), self.places.adjoints + parameters, n)
        self._address(its(layout.rates.start))
        walk.get("rates")
        walk.number(NUMBER * len(layout.rates))
        walk.do(("memory.copy",), ("call", "move"))
        squares = self._number(its(layout.squares), "squared")
        size = self._number(its(layout.size), "size")
        self._end_unless(EXACT, {"x": squares, "y": size, "g": self._sizes(squares)})
        for pointer, value in (("losses", loss), ("squares", squares)):
            walk.get(pointer, value)
            walk.do(("f64.store", 0))
        count = self._right() if layout.width else None
        if count:
            walk.get("rights", count)
            walk.do(("i32.store", 0))
        for to, source, numbers in layout.copies:
            self._copy(its(to), its(source), numbers)
        self._go_on()

    def _go_on(self) -> None:
        """Counts a step that was taken, and moves to the numbers of the next."""
        walk = self.walk
        walk.get("done", "done")
        walk.do(("i32.load", 0))
        walk.number(1)
        walk.do(("i32.add",), ("i32.store", 0))
        for pointer in ("losses", "squares"):
            walk.move(pointer, NUMBER)
        walk.move("rights", PLACE)
        walk.move("rates", NUMBER * len(self.layout.rates))
        walk.get("rows")
        walk.do(("if",))
        walk.get("rows", "points")
        walk.number(PLACE)
        walk.do(("i32.mul",), ("i32.add",), ("local.set", "rows"), ("end",))

    # --- parts of a step

    def _gather(self, to: int, source: int, width: int) -> None:
        """Copies rows of a table side by side."""
        walk = self.walk
        self._address(to)
        here = walk.new("i32", "to")

        def row(k: str) -> None:
            walk.get(here)
            self._address(source)
            self._entry("rows", k)
            walk.number(NUMBER * width)
            walk.do(("i32.mul",), ("i32.add",))
            walk.number(NUMBER * width)
            walk.do(("memory.copy",))
            walk.move(here, NUMBER * width)

        self._over("points", row)

    def _sizes(self, squares: str) -> str:
        """The sum of the sizes of the gradient, where its squares have lost digits."""
        walk = self.walk
        walk.do(("f64.const", 0))
        total = walk.new("f64", "sizes")
        walk.get(squares)
        walk.do(("f64.const", bits(TINY)), ("f64.gt",), ("i32.eqz",), ("if",))
        self._address(self._its(self.layout.gradient))
        here = walk.new("i32", "here")

        def add() -> None:
            walk.get(total, here)
            walk.do(("f64.load", 0), ("f64.abs",), ("f64.add",), ("local.set", total))
            walk.move(here, NUMBER)

        walk.turns(len(self.layout.parameters), add)
        walk.do(("end",))
        return total

    def _right(self) -> str:
        """How many points have the largest output where their label is."""
        walk, width = self.walk, self.layout.width
        walk.number(0)
        count = walk.new("i32", "right")
        self._address(self.places.outputs)
        here = walk.new("i32", "here")

        def point(k: str) -> None:
            best = self._best(here)
            walk.get("rows")
            walk.do(("if",))
            self._entry("rows", k)
            walk.do(("local.set", label), ("else",), ("local.get", k), ("local.set", label))
            walk.do(("end",))
            walk.get(count, best)
            self._address(self.places.labels)
            walk.get(label)
            walk.number(PLACE)
            walk.do(("i32.mul",), ("i32.add",), ("i32.load", 0), ("i32.eq",), ("i32.add",))
            walk.set(count)
            walk.move(here, PLACE * width)

        label = self.function.local("i32", "label")
        self._over("points", point)
        return count

    def _best(self, here: str) -> str:
        """Which output of a point is the largest; of a single one whether it is large."""
        walk, twice = self.walk, self.layout.twice

        def output(k: int) -> str:
            walk.get(here)
            walk.do(("i32.load", PLACE * k), ("f64.load", 0))
            return walk.new("f64", "output")

        top = output(0)
        if twice is not None:
            walk.get(top)
            walk.do(("f64.const", bits(twice)))
            walk.get(top)
            walk.do(("f64.sub",), ("f64.gt",))
            return walk.new("i32", "best")
        walk.number(0)
        best = walk.new("i32", "best")
        for k in range(1, self.layout.width):
            next_ = output(k)
            walk.get(next_, top)
            walk.do(("f64.gt",), ("if",))
            walk.number(k)
            walk.set(best)
            walk.get(next_)
            walk.set(top)
            walk.do(("end",))
        return best

    # --- text

    def _its(self, place: int) -> int:
        """The address of a number of the mover."""
        return self.places.mover + NUMBER * place

    def _address(self, place: int) -> None:
        self.walk.number(wrapped(place))

    def _number(self, place: int, name: str) -> str:
        """A local with the number at an address."""
        self._address(place)
        self.walk.do(("f64.load", 0))
        return self.walk.new("f64", name)

    def _entry(self, table: str, k: str) -> None:
        """Puts entry k of a table of integers on the stack."""
        self.walk.get(table, k)
        self.walk.number(PLACE)
        self.walk.do(("i32.mul",), ("i32.add",), ("i32.load", 0))

    def _copy(self, to: int, source: int, count: int) -> None:
        self._address(to)
        self._address(source)
        self.walk.number(NUMBER * count)
        self.walk.do(("memory.copy",))

    def _end_unless(self, text: str, names: dict[str, str]) -> None:
        """Ends the function where a formula is 0."""
        Writer(self.function, ONE, self.formulas).formula(text, None, names)
        self.walk.do(("f64.const", 0), ("f64.eq",), ("if",), ("return",), ("end",))

    def _over(self, count: str, body: Callable[[str], None]) -> None:
        """A loop of at least one turn, as many as a local says; the body gets its counter."""
        walk = self.walk
        walk.number(0)
        k = walk.new("i32", "k")
        walk.do(("loop",))
        body(k)
        walk.get(k)
        walk.number(1)
        walk.do(("i32.add",), ("local.tee", k))
        walk.get(count)
        walk.do(("i32.lt_s",), ("br_if", 0), ("end",))
