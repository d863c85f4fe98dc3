"""A function of WebAssembly that steps through memory: loops, and what they load and store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from engine.replay.backends.wasm.bytes import Function
from engine.replay.backends.wasm.lanes import ONE, PAIR, Lanes
from engine.replay.views import Lengths, View

NUMBER, PLACE = 8, 4  # bytes of a number, and of an entry of a table
Turns = tuple[int, int, Callable[[], None]]  # how many, how far each goes, what it does


class Walk:
    """A function whose pointers go along the axes of arrays.

    `at` has the local that points to where each array is read or written now.
    """

    def __init__(self, function: Function) -> None:
        self.function, self.do = function, function.do
        self.shape: Lengths = ()
        self.arrays: dict[str, View] = {}
        self.at: dict[str, str] = {}
        self.starts: dict[str, str] = {}  # of arrays by a table: where the memory begins

    def take(self, name: str, array: View, pointer: str, start: str = "") -> None:
        """Notes an array and its pointer; with a start that goes through a table."""
        self.arrays[name], self.at[name], self.shape = array, pointer, array.shape
        if start:
            self.starts[name] = start

    def step(self, name: str, axis: int) -> int:
        """How many bytes the pointer goes along an axis."""
        return self.arrays[name].strides[axis] * (PLACE if name in self.starts else NUMBER)

    def number(self, value: int) -> None:
        """Puts a whole number on the stack."""
        self.do(("i32.const", value))

    def get(self, *locals: str) -> None:
        """Puts locals on the stack."""
        self.function.code += [("local.get", local) for local in locals]

    def set(self, local: str) -> None:
        """Takes what is on the stack."""
        self.do(("local.set", local))

    def new(self, kind: str, name: str) -> str:
        """A local that takes what is on the stack."""
        local = self.function.local(kind, name)
        self.set(local)
        return local

    # --- loops

    def turns(self, count: int, body: Callable[[], None]) -> None:
        """So many turns of a loop."""
        if count == 1:
            body()
            return
        self.number(count)
        left = self.new("i32", "left")
        self.do(("loop",))
        body()
        self.get(left)
        self.number(1)
        self.do(("i32.sub",), ("local.tee", left), ("br_if", 0), ("end",))

    def along(self, axis: int, parts: Sequence[Turns], names: Iterable[str] = ()) -> None:
        """Goes along an axis in parts, one after the other; the pointers are as before then."""
        moving = [n for n in names or self.at if self.step(n, axis)]
        parts = [part for part in parts if part[0]]
        if len(parts) == 1 and parts[0][0] == 1:
            parts[0][2]()
            return
        before = dict(self.at)
        for name in moving:
            self.get(self.at[name])
            self.at[name] = self.new("i32", name)
        for k, (count, far, body) in enumerate(parts):
            is_last = k + 1 == len(parts) and count == 1

            def turn(far: int = far, body: Callable[[], None] = body, ends: bool = is_last) -> None:
                body()
                for name in [] if ends else moving:
                    self.move(self.at[name], far * self.step(name, axis))

            self.turns(count, turn)
        self.at = before

    def over(self, axes: Sequence[int], body: Callable[[], None]) -> None:
        """The body at each point of these axes."""
        if not axes:
            body()
            return
        axis, *others = axes
        count = self.shape[axis]
        self.along(axis, [(count, 1, partial(self.over, others, body))])

    def move(self, pointer: str, far: int) -> None:
        """Moves a pointer by so many bytes."""
        self.get(pointer)
        self.number(far)
        self.do(("i32.add",), ("local.set", pointer))

    # --- memory

    def point(self, name: str, further: int = 0) -> int:
        """Puts the address of a number on the stack; gives how far on it stands, in bytes.

        `further` counts numbers from where the pointer is.
        """
        self.get(self.at[name])
        if name in self.starts:
            self.do(("i32.load", further * PLACE))
            self.get(self.starts[name])
            self.do(("i32.add",))
            return 0
        if further < 0:
            self.number(further * NUMBER)
            self.do(("i32.add",))
            return 0
        return further * NUMBER

    def load(self, name: str, lanes: Lanes = ONE, step: int = 0, further: int = 0) -> None:
        """Puts a number on the stack, or two that lie a step apart."""
        if lanes is ONE:
            self.do(("f64.load", self.point(name, further)))
        elif step == 1:
            self.do(("v128.load", self.point(name, further)))
        elif not step:
            self.do(("v128.load64_splat", self.point(name, further)))
        else:
            second = self.point(name, further + step)
            self.do(("v128.load64_splat", self.point(name, further)))
            self.do(("v128.load64_lane", second, 1))

    def store(
        self,
        sign: str,
        value: Callable[[], object],
        lanes: Lanes = ONE,
        name: str = "to",
        further: int = 0,
    ) -> None:
        """Sets a number in memory, or two that lie side by side, or adds to it."""
        place = self.point(name, further)
        if sign == "+=":
            self.load(name, lanes, 1, further)
        value()
        if sign == "+=":
            self.do((f"{lanes.prefixes['number']}.add",))
        self.do(("f64.store" if lanes is ONE else "v128.store", place))

    def stretch(self, pointer: str, count: int, function: dict[int, str]) -> None:
        """Has a function of each number in a stretch of memory in its place, two at a time."""
        self.get(pointer)
        here = self.new("i32", "here")

        def turn(lanes: Lanes) -> None:
            kind = "f64" if lanes is ONE else "v128"
            self.get(here, here)
            self.do((f"{kind}.load", 0), ("call", function[lanes.width]), (f"{kind}.store", 0))
            self.move(here, lanes.width * NUMBER)

        for lanes, turns in ((PAIR, count // 2), (ONE, count % 2)):
            if turns:
                self.turns(turns, partial(turn, lanes))
