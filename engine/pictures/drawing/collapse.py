"""Large graphs made small enough to read: many nodes drawn as one.

A partition is a list: for each atom the place of the atom that stands for it. Boxes are collapsed
first, the innermost before the outer; then operations that are alike, of one level and one symbol;
then the levels in the middle.
"""

from collections import Counter, deque
from collections.abc import Sequence, Sized

from engine.pictures.drawing.outline import Box, Graph

Below = dict[int, tuple[int, ...] | dict[int, None]]

EDGES = 6  # to a node: with more a picture is a hairball
COLUMNS = 3  # nodes to a column: with fewer a picture is too wide for a page
NARROW = 8  # columns that are never too many
ENDS = 5  # nodes to a column that stays where the middle is collapsed


def collapse(graph: Graph, boxes: list[Box], box: list[int | None], limit: int) -> list[int]:
    """A partition into `limit` parts or fewer; the root, the last atom, stays alone."""
    part = list(range(len(graph.atoms)))
    depths = [len(around(boxes, b)) for b in range(len(boxes))]
    for depth in sorted(dict.fromkeys(depths), reverse=True):
        if fits(graph, part, limit):
            return part
        stands: dict[int, int] = {}
        for place, inner in enumerate(box[:-1]):
            if inner is not None and depths[inner] >= depth:
                outer = around(boxes, inner)[depth - 1]
                part[place] = stands.setdefault(outer, place)
    return part if fits(graph, part, limit) else alike(graph, part, limit)


def around(boxes: list[Box], box: int | None) -> list[int]:
    """The box and all boxes around it, outermost first."""
    path: list[int] = []
    while box is not None:
        path.append(box)
        box = boxes[box].parent
    return path[::-1]


def fits(graph: Graph, part: list[int], limit: int) -> bool:
    """Whether the partition has few enough parts, edges between them, and levels."""
    if sum(p == place for place, p in enumerate(part)) > limit:
        return False
    below = operands_of(graph, part)
    edges = sum(len(dict.fromkeys(operands)) for operands in below.values())
    return edges <= EDGES * limit and max(levels(below).values()) < widest(limit)


def widest(limit: int) -> int:
    """How many columns a picture of `limit` nodes may have."""
    return max(limit // COLUMNS, min(limit, NARROW))


def alike(graph: Graph, part: list[int], limit: int) -> list[int]:
    """Parts of one level and one symbol become one; so do all levels that still do not fit."""
    level = levels(operands_of(graph, part))
    root = len(part) - 1
    top = max(level.values()) + 1
    ends = min(limit, top)  # no more levels than this can stay at either end
    columns: list[dict[object, int]] = [{} for _ in range(top)]
    stands: dict[int, int] = {}
    for place in level:
        if place != root and (level[place] < ends or level[place] >= top - ends):
            look = graph.symbol(place) or type(graph.atoms[place])
            stands[place] = columns[level[place]].setdefault(look, place)
    if len(columns) > widest(limit) or sum(map(len, columns)) > limit - 1:
        room, wide = limit - 2, max(limit // ENDS, min(limit, NARROW))
        first = _room(columns, room // 3, wide // 3)
        left = room - sum(map(len, columns[:first]))
        last = _room(columns[first:][::-1], left, wide - first - 1)
        middle = -1
        for place in level:
            if place != root and first <= level[place] < len(columns) - last:
                middle = place if middle < 0 else middle
                stands[place] = middle
    return [stands.get(p, p) for p in part]


def _room(columns: Sequence[Sized], room: int, wide: int) -> int:
    """How many of the columns, at most `wide`, hold at most `room` nodes together."""
    count = 0
    for column in columns:
        room -= len(column)
        if room < 0 or count == wide:
            break
        count += 1
    return count


def operands_of(graph: Graph, part: list[int]) -> Below:
    """For each part the parts that its atoms' operands are in, itself left out."""
    size = Counter(part)
    below: Below = {}
    for place, operands in enumerate(graph.operands):
        p = part[place]
        if size[p] == 1:
            below[p] = tuple([part[o] for o in operands])
        else:
            outside = below.setdefault(p, {})
            assert isinstance(outside, dict)
            outside.update((part[o], None) for o in operands if part[o] != p)
    return below


def ordered(below: Below) -> list[int]:
    """The parts, operands first; a circle (collapsing can close one) is cut at its first part."""
    if all(o < p for p, operands in below.items() for o in operands):
        return sorted(below)
    above: dict[int, list[int]] = {p: [] for p in below}
    waiting: dict[int, int] = {}
    for p, operands in below.items():
        waiting[p] = len(operands)
        for o in operands:
            above[o].append(p)
    ready = deque(p for p, count in waiting.items() if count == 0)
    rest = iter(sorted(below))
    order: dict[int, None] = {}
    while len(order) < len(below):
        p = ready.popleft() if ready else next(rest)
        if p in order:
            continue
        order[p] = None
        for head in above[p]:
            waiting[head] -= 1
            if waiting[head] == 0:
                ready.append(head)
    return list(order)


def levels(below: Below) -> dict[int, int]:
    """The longest way from a leaf; a leaf stands just before the first part that takes it."""
    level: dict[int, int] = {}
    for p in ordered(below):
        level[p] = max([level[o] + 1 for o in below[p] if o in level], default=0)
    first: dict[int, int] = {}
    for p, operands in below.items():
        for o in operands:
            if not below[o]:
                first[o] = min(first.get(o, level[p]), level[p])
    for leaf, head in first.items():
        level[leaf] = max(head - 1, 0)
    return level
