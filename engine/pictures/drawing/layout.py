"""The layered layout: where the nodes, wires and boxes of a picture stand.

`x` runs with the edges, `y` across them. Nodes stand in columns, by their longest way from a leaf.
A wire that passes a column has room of its own there (a bend), so nothing overlaps. Spots, nodes
and bends, are sorted by barycentre: one key for each box and each spot, compared box by box, gives
one order from top to bottom for all columns at once. Positions are the mean of two solutions of
the same constraints, everything pushed down and everything pushed up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float]
Path = tuple[int, ...]  # boxes, outermost first
Ends = list[tuple[int, float, float]]  # other ends of a spot's wires: spot, offset, weight

GAP = 8.0  # between neighbours in a column
COLUMN = 30.0  # between columns, where wires turn; more where they are steep
STEEP = 90.0
BEND = 4.0
BENDS = 20_000  # with more of them the longest wires go straight
STRAIGHT = 6.0  # how much more a wire inside a box should be straight than others
ROUNDS = 11  # odd: the last sweep for the order starts at the root
LARGE = 2000


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
class _Spot:
    """What takes room in a column."""

    column: int
    breadth: float
    path: Path
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class _Link:
    """A wire's piece between two columns: it ends `offset` below the middle of `right`."""

    left: int
    right: int
    offset: float
    weight: float


def layout(
    items: Sequence[Item],
    edges: Sequence[tuple[int, int]],
    parents: Sequence[int | None] = (),
    padding: Padding = Padding(),
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
        _Spot(column, item.breadth, () if item.box is None else paths[item.box])
        for item, column in zip(items, _columns(items, edges, paths), strict=True)
    ]
    ranges = _ranges(spots, len(parents))
    routes = _routes(spots, edges, ranges)
    links = _links(spots, edges, routes, entries)
    _arrange(spots, links, ranges, padding)
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


# ---- columns and wires


def _columns(
    items: Sequence[Item], edges: Sequence[tuple[int, int]], paths: list[Path]
) -> list[int]:
    """The longest way from a leaf; a leaf stands just before the first item that takes it.

    What comes into a box stays one column away from the leaves in the box.
    """
    tails: list[list[int]] = [[] for _ in items]
    for tail, head in edges:
        if tail < head:
            tails[head].append(tail)

    column = [0] * len(items)
    latest: dict[int, int] = {}
    for head, operands in enumerate(tails):
        box = items[head].box
        leaves = box is not None and any(items[t].box == box and not tails[t] for t in operands)
        steps = {}
        for tail in operands:
            inner = items[tail].box
            outside = leaves and (inner is None or box not in paths[inner])
            steps[tail] = 2 if outside else 1
        column[head] = max([column[tail] + n for tail, n in steps.items()], default=0)
        for tail, n in steps.items():
            if not tails[tail]:
                latest[tail] = min(latest.get(tail, column[head]), column[head] - n)
    for leaf, place in latest.items():
        column[leaf] = place
    first = min(column, default=0)
    return [place - first for place in column]


def _ranges(spots: list[_Spot], count: int) -> list[tuple[int, int]]:
    """The first and the last column of each box."""
    columns: list[list[int]] = [[] for _ in range(count)]
    for spot in spots:
        for box in spot.path:
            columns[box].append(spot.column)
    return [(min(found, default=0), max(found, default=-1)) for found in columns]


def _routes(
    spots: list[_Spot], edges: Sequence[tuple[int, int]], ranges: list[tuple[int, int]]
) -> list[list[int]]:
    """The spots each edge runs through. Adds bends to `spots`; wires of one tail share them."""
    passed = []
    for tail, head in edges:
        start, end = spots[tail].column, spots[head].column
        passed.append(range(start + 1, end) if tail < head else range(start, end - 1, -1))
    bends: dict[tuple[int, int, Path], int] = {}
    routes: list[list[int]] = [[] for _ in edges]
    for n in sorted(range(len(edges)), key=lambda n: len(passed[n])):
        tail, head = edges[n]
        routes[n] = [tail, head]
        if len(bends) + len(passed[n]) > BENDS:
            continue
        for column in passed[n]:
            path = _inside(spots[head].path, spots[tail].path, ranges, column)
            place = bends.setdefault((tail, column, path), len(spots))
            if place == len(spots):
                spots.append(_Spot(column, BEND, path))
            routes[n].insert(-1, place)
    return routes


def _inside(head: Path, tail: Path, ranges: list[tuple[int, int]], column: int) -> Path:
    """The boxes around a wire: the head's, or else the tail's, that reach the column."""
    for path in (head, tail):
        for n in range(len(path), 0, -1):
            first, last = ranges[path[n - 1]]
            if first <= column <= last:
                return path[:n]
    return ()


def _links(
    spots: list[_Spot],
    edges: Sequence[tuple[int, int]],
    routes: list[list[int]],
    entries: list[float],
) -> list[_Link]:
    """The pieces of all wires, shared ones once; the middle of a wire is the straightest."""
    links: list[_Link] = []
    seen: dict[tuple[int, int], None] = {}
    for (tail, head), route, entry in zip(edges, routes, entries, strict=True):
        for a, b in pairwise(route):
            if b != head and (a, b) in seen:
                continue
            seen[a, b] = None
            weight = 1.0 + 2.0 * (a != tail) + 2.0 * (b != head)
            if spots[a].path and spots[a].path == spots[b].path:
                weight *= STRAIGHT
            left, right = (a, b) if spots[a].column < spots[b].column else (b, a)
            links.append(_Link(left, right, entry if right == head else 0.0, weight))
    return links


# ---- order and positions


def _arrange(
    spots: list[_Spot], links: list[_Link], ranges: list[tuple[int, int]], padding: Padding
) -> None:
    """Sets every `y`: sweeps find the order, and then how to make wires straight in that order."""
    before: list[Ends] = [[] for _ in spots]
    after: list[Ends] = [[] for _ in spots]
    for link in links:
        before[link.right].append((link.left, -link.offset, link.weight))
        after[link.left].append((link.right, link.offset, link.weight))
    both = [a + b for a, b in zip(before, after, strict=True)]
    columns: list[list[int]] = [[] for _ in range(1 + max([s.column for s in spots], default=0))]
    for n, spot in enumerate(spots):
        columns[spot.column].append(n)

    rounds = ROUNDS if len(spots) < LARGE else 3
    order = _Order([], [])
    for turn in range(rounds):
        back = turn % 2 == 0
        ends = after if back else before
        for column in reversed(columns) if back else columns:
            wishes = {n: _mean(spots, n, ends[n]) for n in column}
            _spread(spots, sorted(column, key=lambda n: (wishes[n], n)), wishes)
        order = _ordered(spots, ranges, padding)
        _settle(spots, order)
    for turn in range(rounds):
        _drift(spots, links)
        for column in columns if turn % 2 == 0 else reversed(columns):
            for n in column:
                spots[n].y = _median(spots, n, both[n])
        _settle(spots, order)


def _mean(spots: list[_Spot], n: int, ends: Ends) -> float:
    weights = sum(weight for _, _, weight in ends)
    if not weights:
        return spots[n].y
    return sum(weight * (spots[end].y + offset) for end, offset, weight in ends) / weights


def _median(spots: list[_Spot], n: int, ends: Ends) -> float:
    """The weighted median: unlike the mean it leaves the heavier wire straight."""
    if not ends:
        return spots[n].y
    found = sorted((spots[end].y + offset, weight) for end, offset, weight in ends)
    left = sum(weight for _, weight in found) / 2
    for (y, weight), (following, _) in zip(found, found[1:] + found[-1:], strict=True):
        left -= weight
        if left < 0:
            return y
        if left == 0:
            return (y + following) / 2
    return found[-1][0]


def _spread(spots: list[_Spot], ranked: list[int], wishes: dict[int, float]) -> None:
    """Puts a column's spots near their wishes, in this order, with room between them."""
    gaps = [(spots[a].breadth + spots[b].breadth) / 2 + GAP for a, b in pairwise(ranked)]
    down = [wishes[n] for n in ranked]
    up = down[:]
    for i, gap in enumerate(gaps):
        down[i + 1] = max(down[i + 1], down[i] + gap)
        up[-i - 2] = min(up[-i - 2], up[-i - 1] - gaps[-i - 1])
    for n, a, b in zip(ranked, down, up, strict=True):
        spots[n].y = (a + b) / 2


def _drift(spots: list[_Spot], links: list[_Link]) -> None:
    """Moves each outermost box, as a whole, towards what it is wired to."""
    pulls: dict[int, list[float]] = {}
    for link in links:
        left, right = spots[link.left], spots[link.right]
        pull = right.y + link.offset - left.y
        if left.path[:1] != right.path[:1]:
            for path, force in ((left.path, pull), (right.path, -pull)):
                if path:
                    pulls.setdefault(path[0], []).append(force)
    for spot in spots:
        forces = pulls.get(spot.path[0]) if spot.path else None
        if forces:
            spot.y += sum(forces) / len(forces)


@dataclass(frozen=True, slots=True)
class _Order:
    """Marks from top to bottom: a spot, or None for an edge of a box; and the room they keep.

    The rules, (upper mark, lower mark, distance), are sorted by their lower mark.
    """

    marks: list[int | None]
    rules: list[tuple[int, int, float]]


def _ordered(spots: list[_Spot], ranges: list[tuple[int, int]], padding: Padding) -> _Order:
    """The order by `y`, a box by the mean of what is in it."""
    inside: list[list[float]] = [[] for _ in ranges]
    paths: dict[int, Path] = {}
    for spot in spots:
        for n, box in enumerate(spot.path, 1):
            inside[box].append(spot.y)
            paths[box] = spot.path[:n]
    key = [(sum(ys) / len(ys) if ys else 0.0, box) for box, ys in enumerate(inside)]
    half = GAP / 2
    # sorting key, spot, columns, room above, room below
    Entry = tuple[list[tuple[float, int]], int | None, range, float, float]  # noqa: N806
    entries: list[Entry] = []
    for n, spot in enumerate(spots):
        room = spot.breadth / 2 + half
        place = (spot.y, len(ranges) + n)
        columns = range(spot.column, spot.column + 1)
        entries.append(([key[box] for box in spot.path] + [place], n, columns, room, room))
    for box, path in paths.items():
        around = [key[b] for b in path]
        columns = range(ranges[box][0], ranges[box][1] + 1)
        top, bottom = (float("-inf"), -1), (float("inf"), -1)
        entries.append(([*around, top], None, columns, half, padding.above - half))
        entries.append(([*around, bottom], None, columns, padding.below - half, half))
    entries.sort(key=lambda entry: entry[0])

    lowest: dict[int, tuple[int, float]] = {}  # in a column: a mark and the room below it
    rules = []
    for mark, (_, _, columns, above, below) in enumerate(entries):
        for column in columns:
            if column in lowest:
                upper, room = lowest[column]
                rules.append((upper, mark, room + above))
            lowest[column] = (mark, below)
    return _Order([entry[1] for entry in entries], rules)


def _settle(spots: list[_Spot], order: _Order) -> None:
    """The mean of two solutions near where the spots are; a mean of solutions is one, too."""
    down = [float("-inf") if n is None else spots[n].y for n in order.marks]
    up = [float("inf") if n is None else spots[n].y for n in order.marks]
    for upper, lower, distance in order.rules:
        down[lower] = max(down[lower], down[upper] + distance)
    for upper, lower, distance in reversed(order.rules):
        up[upper] = min(up[upper], up[lower] - distance)
    for mark, n in enumerate(order.marks):
        if n is not None:
            spots[n].y = (down[mark] + up[mark]) / 2


# ---- sizes


def _sides(
    items: Sequence[Item],
    spots: list[_Spot],
    links: list[_Link],
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
    spots: list[_Spot],
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
    spots: list[_Spot],
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
