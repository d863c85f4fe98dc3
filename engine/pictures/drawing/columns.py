"""Columns and wires of a layout: where each node stands along the edges, what each wire passes."""

from collections.abc import Sequence
from itertools import pairwise

from engine.pictures.drawing.places import Item, Link, Path, Spot

BEND = 4.0
BENDS = 20_000  # with more of them the longest wires go straight
STRAIGHT = 6.0  # how much more a wire inside a box should be straight than others


def columns_of(
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


def ranges_of(spots: list[Spot], count: int) -> list[tuple[int, int]]:
    """The first and the last column of each box."""
    columns: list[list[int]] = [[] for _ in range(count)]
    for spot in spots:
        for box in spot.path:
            columns[box].append(spot.column)
    return [(min(found, default=0), max(found, default=-1)) for found in columns]


def routes_of(
    spots: list[Spot], edges: Sequence[tuple[int, int]], ranges: list[tuple[int, int]]
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
                spots.append(Spot(column, BEND, path))
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


def links_of(
    spots: list[Spot],
    edges: Sequence[tuple[int, int]],
    routes: list[list[int]],
    entries: list[float],
) -> list[Link]:
    """The pieces of all wires, shared ones once; the middle of a wire is the straightest."""
    links: list[Link] = []
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
            links.append(Link(left, right, entry if right == head else 0.0, weight))
    return links
