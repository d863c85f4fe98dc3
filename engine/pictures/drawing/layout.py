"""The layered layout: where the nodes, wires and boxes of a picture stand.

`x` runs with the edges, `y` across them. Nodes stand in columns, by their longest way from a leaf.
A wire that passes a column has room of its own there (a bend), so nothing overlaps. Spots, nodes
and bends, are sorted by barycentre: one key for each box and each spot, compared box by box, gives
one order from top to bottom for all columns at once. Positions are the mean of two solutions of
the same constraints, everything pushed down and everything pushed up.
"""

from collections.abc import Sequence

from engine.pictures.drawing.columns import columns_of, links_of, ranges_of, routes_of
from engine.pictures.drawing.order import arrange
from engine.pictures.drawing.places import Item, Layout, Link, Padding, Path, Point, Rectangle, Spot

COLUMN = 30.0  # between columns, where wires turn; more where they are steep
STEEP = 90.0
USUAL = Padding()


def layout(
    items: Sequence[Item],
    edges: Sequence[tuple[int, int]],
    parents: Sequence[int | None] = (),
    padding: Padding = USUAL,
) -> Layout:
    """Places items, operands first; the n-th edge into an item ends at its n-th entry.

    An edge against the order of the items runs back. `parents[b]` is the box around box b; every
    box holds an item.

    >>> layout([Item(10, 10), Item(10, 10)], [(0, 1)]).wires
    [[(10.0, 5.0), (40.0, 5.0)]]
    """
    paths = [_path(parents, box) for box in range(len(parents))]
    entries = _entries(items, edges)
    spots = [
        Spot(column, item.breadth, () if item.box is None else paths[item.box])
        for item, column in zip(items, columns_of(items, edges, paths), strict=True)
    ]
    ranges = ranges_of(spots, len(parents))
    routes = routes_of(spots, edges, ranges)
    links = links_of(spots, edges, routes, entries)
    arrange(spots, links, ranges, padding)
    left, right = _sides(items, spots, links, ranges, paths, padding)
    places = [
        Rectangle(right[s.column] - i.length, s.y - i.breadth / 2, i.length, i.breadth)
        for i, s in zip(items, spots, strict=False)
    ]
    frames = _frames(spots, ranges, parents, padding, left, right)
    wires = [_wire(spots, places, routes[n], entries[n], left, right) for n in range(len(edges))]
    return _from_origin(places, frames, wires)


def _path(parents: Sequence[int | None], box: int | None) -> Path:
    path: list[int] = []
    while box is not None:
        path.append(box)
        box = parents[box]
    return tuple(reversed(path))


def _entries(items: Sequence[Item], edges: Sequence[tuple[int, int]]) -> list[float]:
    """Where each edge ends, from its head's middle."""
    taken = [iter(item.entries) for item in items]
    return [next(taken[head], 0.0) for _, head in edges]


# ---- sizes


def _sides(
    items: Sequence[Item],
    spots: list[Spot],
    links: list[Link],
    ranges: list[tuple[int, int]],
    paths: list[Path],
    padding: Padding,
) -> tuple[list[float], list[float]]:
    """The left and the right side of each column."""
    count = 1 + max([spot.column for spot in spots], default=0)
    width, steep = [0.0] * count, [0.0] * count
    opened, closed = [0.0] * count, [0.0] * (count + 1)
    for item, spot in zip(items, spots, strict=False):
        width[spot.column] = max(width[spot.column], item.length)
    for (first, last), path in zip(ranges, paths, strict=True):
        opened[first] = max(opened[first], len(path) * padding.before)
        closed[last + 1] = max(closed[last + 1], len(path) * padding.after)
    for link in links:
        rise = abs(spots[link.right].y + link.offset - spots[link.left].y)
        column = spots[link.right].column
        steep[column] = max(steep[column], min(rise / 8, STEEP))
    left, right = [], [-COLUMN]
    for column in range(count):
        room = COLUMN + steep[column] if column else COLUMN
        left.append(right[-1] + room + opened[column] + closed[column])
        right.append(left[-1] + width[column])
    return left, right[1:]


def _frames(
    spots: list[Spot],
    ranges: list[tuple[int, int]],
    parents: Sequence[int | None],
    padding: Padding,
    left: list[float],
    right: list[float],
) -> list[Rectangle]:
    """The boxes, each around what is in it."""
    top = [float("inf")] * len(ranges)
    bottom = [float("-inf")] * len(ranges)
    start = [left[first] for first, _ in ranges]
    end = [right[last] for _, last in ranges]
    for spot in spots:
        for box in spot.path[-1:]:
            top[box] = min(top[box], spot.y - spot.breadth / 2)
            bottom[box] = max(bottom[box], spot.y + spot.breadth / 2)
    for box in range(len(ranges) - 1, -1, -1):
        top[box] -= padding.above
        bottom[box] += padding.below
        start[box] -= padding.before
        end[box] += padding.after
        parent = parents[box]
        if parent is not None:
            top[parent] = min(top[parent], top[box])
            bottom[parent] = max(bottom[parent], bottom[box])
            start[parent] = min(start[parent], start[box])
            end[parent] = max(end[parent], end[box])
    return [
        Rectangle(a, b, c - a, d - b) for a, b, c, d in zip(start, top, end, bottom, strict=True)
    ]


def _wire(
    spots: list[Spot],
    places: list[Rectangle],
    route: list[int],
    entry: float,
    left: list[float],
    right: list[float],
) -> list[Point]:
    """From the tail's right side to the head's left, straight through every column between."""
    tail, *bends, head = route
    points = [(places[tail].x + places[tail].length, spots[tail].y)]
    for n in bends:
        sides = (left[spots[n].column], right[spots[n].column])
        points += [(x, spots[n].y) for x in (sides if tail < head else sides[::-1])]
    y = spots[head].y + entry
    ends = dict.fromkeys((left[spots[head].column], places[head].x))
    return points + [(x, y) for x in ends]


def _from_origin(
    places: list[Rectangle], frames: list[Rectangle], wires: list[list[Point]]
) -> Layout:
    """Moved so that everything starts at (0, 0)."""
    areas = places + frames
    points = [(r.x, r.y) for r in areas] + [(r.x + r.length, r.y + r.breadth) for r in areas]
    points += [point for wire in wires for point in wire]
    xs, ys = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
    x, y = min(xs), min(ys)
    return Layout(
        [r.moved(-x, -y) for r in places],
        [r.moved(-x, -y) for r in frames],
        [[(a - x, b - y) for a, b in wire] for wire in wires],
        max(xs) - x,
        max(ys) - y,
    )
