"""Nothing overlaps, whatever the graph; wires run where they should; large graphs are quick."""

import random
import time
from itertools import combinations, pairwise

import pytest

from engine.pictures.drawing.layout import layout
from engine.pictures.drawing.places import Item, Layout, Padding, Rectangle


def apart(a: Rectangle, b: Rectangle) -> bool:
    return (
        a.x + a.length <= b.x + 1e-6
        or b.x + b.length <= a.x + 1e-6
        or a.y + a.breadth <= b.y + 1e-6
        or b.y + b.breadth <= a.y + 1e-6
    )


def holds(a: Rectangle, b: Rectangle) -> bool:
    return (
        a.x <= b.x + 1e-6
        and a.y <= b.y + 1e-6
        and a.x + a.length >= b.x + b.length - 1e-6
        and a.y + a.breadth >= b.y + b.breadth - 1e-6
    )


def around(parents: list[int | None], box: int | None) -> list[int]:
    path = []
    while box is not None:
        path.append(box)
        box = parents[box]
    return path


def graph(seed: int) -> tuple[list[Item], list[tuple[int, int]], list[int | None]]:
    """A random graph with boxes in boxes, edges back included."""
    draw = random.Random(seed)
    parents: list[int | None] = []
    for _ in range(draw.randrange(6)):
        parents.append(draw.choice([None, *range(len(parents))]))
    items, edges = [], []
    for head in range(draw.randrange(1, 40)):
        tails = [draw.randrange(head) for _ in range(draw.randrange(4)) if head]
        edges += [(tail, head) for tail in tails]
        entries = [14.0 * n - 7 * (len(tails) - 1) for n in range(len(tails))]
        breadth = max(draw.uniform(10, 60), 14.0 * len(tails))
        box = draw.choice([None, *range(len(parents))])
        items.append(Item(draw.uniform(20, 150), breadth, box, entries))
    items += [Item(40, 20, box) for box in range(len(parents))]  # no box is empty
    if len(items) > 3 and seed % 3 == 0:
        edges.append((len(items) - 1, 0))
    return items, edges, parents


@pytest.mark.some(4)
@pytest.mark.parametrize("seed", range(60))
def test_nothing_overlaps(seed: int) -> None:
    items, edges, parents = graph(seed)
    placed = layout(items, edges, parents)
    assert all(apart(a, b) for a, b in combinations(placed.items, 2))
    inside = [around(parents, item.box) for item in items]
    used = dict.fromkeys(box for boxes in inside for box in boxes)
    for box in used:
        frame = placed.boxes[box]
        for path, place in zip(inside, placed.items, strict=True):
            assert holds(frame, place) if box in path else apart(frame, place)
    for a, b in combinations(used, 2):
        if a in around(parents, b):
            assert holds(placed.boxes[a], placed.boxes[b])
        elif b not in around(parents, a):
            assert apart(placed.boxes[a], placed.boxes[b])


@pytest.mark.some(4)
@pytest.mark.parametrize("seed", range(60))
def test_wires_end_at_their_entries_and_pass_no_other_node(seed: int) -> None:
    items, edges, parents = graph(seed)
    placed = layout(items, edges, parents)
    taken = [0] * len(items)
    for (tail, head), wire in zip(edges, placed.wires, strict=True):
        a, b = placed.items[tail], placed.items[head]
        assert wire[0] == pytest.approx((a.x + a.length, a.y + a.breadth / 2))
        entries = items[head].entries
        entry = entries[taken[head]] if taken[head] < len(entries) else 0.0
        taken[head] += 1
        assert wire[-1] == pytest.approx((b.x, b.y + b.breadth / 2 + entry))
        for (x, y), (u, v) in pairwise(wire):
            if abs(y - v) > 1e-6:
                continue  # it turns between columns
            piece = Rectangle(min(x, u), y, abs(u - x), 0.0)
            others = [p for n, p in enumerate(placed.items) if n not in (tail, head)]
            assert all(apart(piece, other) for other in others)


@pytest.mark.parametrize("seed", range(20))
def test_edges_run_to_the_right(seed: int) -> None:
    items, edges, parents = graph(seed)
    placed = layout(items, edges, parents)
    for tail, head in edges:
        if tail < head:
            a, b = placed.items[tail], placed.items[head]
            assert a.x + a.length < b.x


def test_everything_starts_at_the_origin() -> None:
    items, edges, parents = graph(4)
    placed = layout(items, edges, parents)
    areas = placed.items + placed.boxes
    assert min(r.x for r in areas) >= 0
    assert min(r.y for r in areas) >= 0
    assert max(r.x + r.length for r in areas) <= placed.length + 1e-6
    assert max(r.y + r.breadth for r in areas) <= placed.breadth + 1e-6


def test_a_chain_is_straight() -> None:
    placed = layout([Item(30, 20)] * 6, [(n, n + 1) for n in range(5)])
    assert {r.y for r in placed.items} == {0.0}


def test_a_tree_has_no_crossing() -> None:
    """Leaves stand in the order in which they are taken."""
    items = [Item(30, 20)] * 4 + [Item(30, 30, entries=[-7, 7])] * 3
    edges = [(3, 4), (1, 4), (0, 5), (2, 5), (5, 6), (4, 6)]
    ys = [r.y for r in layout(items, edges).items]
    assert ys[0] < ys[2] < ys[3] < ys[1]


def test_padding_is_kept() -> None:
    pad = Padding(before=3, after=5, above=7, below=11)
    (frame,) = layout([Item(30, 20, box=0)], [], [None], pad).boxes
    assert (frame.length, frame.breadth) == (38, 38)


def test_what_enters_a_box_stays_outside_beside_its_leaves() -> None:
    """An input of a neuron stands left of its parameters."""
    items = [Item(30, 20), Item(30, 20, box=0), Item(30, 20, box=0, entries=[-5, 5])]
    placed = layout(items, [(0, 2), (1, 2)], [None])
    assert placed.items[0].x + 30 < placed.items[1].x
    assert apart(placed.boxes[0], placed.items[0])


def test_the_empty_graph_and_a_single_node() -> None:
    assert layout([], []) == Layout([], [], [], 0.0, 0.0)
    assert layout([Item(30, 20)], []).items == [Rectangle(0, 0, 30, 20)]


def test_the_same_graph_gives_the_same_layout() -> None:
    assert layout(*graph(7)) == layout(*graph(7))


@pytest.mark.whole
@pytest.mark.parametrize("reach", [200, 5000])
def test_five_thousand_nodes_in_seconds(reach: int) -> None:
    """Measured 0.7 s on the slower of two machines; the bound leaves room for a busy one."""
    draw = random.Random(1)
    edges = [
        (max(0, n - 1 - draw.randrange(min(reach, n))), n)
        for n in range(1, 5000)
        for _ in range(draw.choice([1, 2]))
    ]
    start = time.process_time()
    layout([Item(100, 40)] * 5000, edges)
    assert time.process_time() - start < 5
