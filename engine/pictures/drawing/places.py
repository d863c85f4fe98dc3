"""What a layout is made of: nodes with their extents, rectangles, what takes room in a column."""

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Path = tuple[int, ...]  # boxes, outermost first

GAP = 8.0  # between neighbours in a column


@dataclass(frozen=True, slots=True)
class Item:
    """A node: its extent, its innermost box, and how far from its middle its edges enter."""

    length: float
    breadth: float
    box: int | None = None
    entries: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Padding:
    """Room in a box around what is in it: before and after in x, above and below in y."""

    before: float = 8.0
    after: float = 8.0
    above: float = 8.0
    below: float = 8.0


@dataclass(frozen=True, slots=True)
class Rectangle:
    """From (x, y), `length` in x and `breadth` in y."""

    x: float
    y: float
    length: float
    breadth: float

    def moved(self, x: float, y: float) -> "Rectangle":
        """The same rectangle elsewhere."""
        return Rectangle(self.x + x, self.y + y, self.length, self.breadth)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands; a wire is the points that its edge passes."""

    items: list[Rectangle]
    boxes: list[Rectangle]
    wires: list[list[Point]]
    length: float
    breadth: float


@dataclass(slots=True)
class Spot:
    """What takes room in a column."""

    column: int
    breadth: float
    path: Path
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    """A wire's piece between two columns: it ends `offset` below the middle of `right`."""

    left: int
    right: int
    offset: float
    weight: float
