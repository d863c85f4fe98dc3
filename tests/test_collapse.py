"""Large graphs made small: what is collapsed, in which order, within which bounds."""

import random

import pytest

from engine.pictures.drawing.collapse import alike, collapse, levels, operands_of, ordered
from engine.pictures.drawing.outline import Graph, boxes_of, graph_of, named
from engine.value import Value
from nn.module import MLP


def parts(root: Value, limit: int, model: MLP | None = None) -> tuple[Graph, list[int]]:
    graph = graph_of(root, expand=False)
    boxes, box = boxes_of(graph, named(model.named_parameters() if model else None))
    return graph, collapse(graph, boxes, box, limit)


def chain(length: int) -> Value:
    value = Value(1.0)
    for _ in range(length):
        value = value * 1.5
    return value


def tangle(seed: int) -> Value:
    draw = random.Random(seed)
    values = [Value(draw.random()) for _ in range(5)]
    for _ in range(draw.randrange(5, 200)):
        a, b = draw.choice(values), draw.choice(values)
        values.append(draw.choice([a * b, a + b, a.tanh(), a - 2.0, a.relu()]))
    while len(values) > 1:
        values.append(values.pop(0) + values.pop(0))
    return values[0]


def test_a_small_graph_stays_as_it_is() -> None:
    _, part = parts(chain(3), 60)
    assert part == list(range(7))


@pytest.mark.some(4)
@pytest.mark.parametrize("limit", [2, 3, 5, 8, 20, 60, 500])
@pytest.mark.parametrize("seed", range(8))
def test_at_most_so_many_parts_and_no_circle(seed: int, limit: int) -> None:
    graph, part = parts(tangle(seed), limit)
    assert len(set(part)) <= limit
    assert part.count(len(part) - 1) == 1, "the root stays alone"
    below = operands_of(graph, part)
    place = {p: n for n, p in enumerate(ordered(below))}
    assert all(place[o] < place[p] for p, operands in below.items() for o in operands)


def test_neurons_come_before_layers() -> None:
    model = MLP(2, [8, 8, 1], seed=1)
    out = model([Value(1.0), Value(2.0)])
    assert len(set(parts(out * 2.0, 2000, model)[1])) > 100
    assert len(set(parts(out * 2.0, 60, model)[1])) == 2 + 17 + 2
    assert len(set(parts(out * 2.0, 10, model)[1])) == 2 + 3 + 2


def test_operations_that_are_alike() -> None:
    xs = [Value(float(n)) for n in range(50)]
    total = xs[0].tanh()
    for x in xs[1:]:
        total = total + x.tanh()
    graph = graph_of(total, expand=False)
    part = alike(graph, list(range(len(graph.atoms))), 40)
    tanhs = {part[n] for n in range(len(part)) if graph.row(n) == "tanh"}
    assert len(tanhs) == 1
    assert len(set(part)) <= 40


def test_the_middle_of_a_long_chain() -> None:
    _, part = parts(chain(5000), 60)
    assert part[0] == 0
    assert part[-1] == len(part) - 1
    sizes = [part.count(p) for p in set(part)]
    assert max(sizes) > 9900
    assert sorted(sizes)[:-1] == [1] * (len(sizes) - 1)


def test_levels_are_longest_ways_and_leaves_stand_near_their_use() -> None:
    a, late = Value(1.0), Value(2.0)
    graph = graph_of((a.exp().exp().exp()) + late, expand=False)
    level = levels(operands_of(graph, list(range(len(graph.atoms)))))
    at = {id(atom): level[n] for n, atom in enumerate(graph.atoms)}
    assert at[id(a)] == 0
    assert at[id(late)] == 3
    assert level[len(graph.atoms) - 1] == 4


def test_a_circle_is_cut() -> None:
    below = {0: (), 1: (0, 2), 2: (1,), 3: (2,)}
    order = ordered(dict(below))
    assert sorted(order) == [0, 1, 2, 3]
    assert order.index(3) > order.index(2)


def test_a_recurrent_net_collapses() -> None:
    model = MLP(2, [2], seed=1)
    state = [Value(0.1), Value(0.2)]
    for _ in range(20):
        state = model(state)
    _, part = parts(state[0] * state[1], 8, model)
    assert len(set(part)) <= 8
