"""The numbers of a story: those of backward() to the last bit, in the order of the layers."""

import random

import pytest
from tangles import tangle

from engine.functions import dot
from engine.pictures.story.record import hasty, in_layers, mirrored, record, replaced, sweep
from engine.value import Value, toposort
from nn.loss import mse
from nn.module import MLP


@pytest.mark.some(4)
@pytest.mark.parametrize("seed", range(60))
def test_gradients_are_those_of_backward_to_the_last_bit(seed):
    root, _ = tangle(seed)
    recorded = record(root)
    swept = sweep(recorded)
    root.backward()
    for value, place in recorded.place_of().items():
        assert swept.grads[place] == value.grad
        assert recorded.data[place] == value.data


@pytest.mark.parametrize("seed", range(10))
def test_each_sum_adds_up_share_by_share(seed):
    recorded = record(tangle(seed)[0])
    swept = sweep(recorded)
    held = {recorded.root: 1.0}
    for share in swept.shares:
        edge = recorded.edges[share.edge]
        assert share.adjoint == held.get(edge.head, 0.0)
        assert share.old == held.get(edge.tail, 0.0)
        assert share.contribution == share.adjoint * edge.partial
        held[edge.tail] = share.new
        assert share.new == share.old + share.contribution
    assert [held.get(place, 0.0) for place in range(len(swept.grads))] == swept.grads


@pytest.mark.parametrize("seed", range(20))
def test_every_edge_from_a_value_once_and_the_mirror_of_forward(seed):
    recorded = record(tangle(seed)[0])
    heads = [edge.head for _, edge in mirrored(recorded)]
    assert list(dict.fromkeys(reversed(heads))) == recorded.operations
    numbers = sorted(e for e, _ in mirrored(recorded))
    assert numbers == [e for e, edge in enumerate(recorded.edges) if edge.partial is not None]
    done = set()
    for place in recorded.operations:
        operands = recorded.graph.operands[place]
        assert all(o in done or not recorded.graph.operands[o] for o in operands)
        done.add(place)


def test_a_net_is_told_layer_by_layer():
    net = MLP(2, [3, 3, 1], "tanh", seed=0)
    recorded = record(mse(net([1.0, 2.0]), 0.5))
    rows = [recorded.graph.row(place) for place in recorded.operations]
    assert rows[:13] == ["dot"] * 3 + ["tanh"] * 3 + ["dot"] * 3 + ["tanh"] * 3 + ["dot"]
    first = [net.layers[0].neurons[i].w[0] for i in range(3)]
    places = recorded.place_of()
    for w, operation in zip(first, recorded.operations, strict=False):
        assert places[w] in recorded.graph.operands[operation]


def test_a_later_use_never_stands_before_an_earlier_one():
    x = Value(0.3)
    deep = x
    for _ in range(5):
        deep = deep.tanh()
    deep = deep * x
    recorded = record(deep + x.exp())
    assert [recorded.graph.row(p) for p in in_layers(recorded.graph)][-3:] == ["mul", "exp", "add"]


def test_a_record_does_not_change_with_the_values():
    w = Value(3.0, "w")
    loss = w * w
    recorded = record(loss)
    w.data, w.label, loss.label = 5.0, "v", "other"
    assert recorded.data == [3.0, 9.0]
    assert recorded.labels == ["w", ""]
    assert sweep(recorded).grads == [6.0, 1.0]


def test_it_changes_no_value():
    root, leaves = tangle(1)
    leaves[0].grad = 7.0
    before = [(v.data, v.grad, v.label, v.has_grad) for v in toposort(root)]
    sweep(record(root))
    assert [(v.data, v.grad, v.label, v.has_grad) for v in toposort(root)] == before


def test_values_without_a_path_come_first():
    a, b, c = Value(1.0), Value(2.0), Value(3.0)
    recorded = record(a * 2.0, [b, a, c, b])
    assert recorded.outside == 2
    assert recorded.graph.atoms[:2] == [b, c]
    assert sweep(recorded).grads[:2] == [0.0, 0.0]


def test_a_leaf_alone():
    recorded = record(Value(2.0))
    assert (recorded.outside, recorded.operations, sweep(recorded).grads) == (0, [], [1.0])


def test_a_zero_passes_through_dots_as_in_backward():
    inf = float("inf")
    w = Value(inf)
    x = Value(1.0)
    root = dot([w, x], [0.0, 1.0]).relu() * 0.0 + x
    recorded = record(root)
    root.backward()
    for value, place in recorded.place_of().items():
        assert repr(sweep(recorded).grads[place]) == repr(value.grad)


@pytest.mark.whole
def test_a_deep_graph():
    x = Value(1.0)
    for _ in range(20_000):
        x = x + 0.0
    recorded = record(x)
    assert sweep(recorded).grads[recorded.root] == 1.0
    assert sweep(recorded, hasty).shares == sweep(recorded).shares


# --- the mistakes -----------------------------------------------------------------------------


def doubled_twice():
    a = Value(3.0, "a")
    b = a + a
    return record(b + b)


@pytest.mark.parametrize(
    ("way", "combine", "expected"),
    [(mirrored, None, 4.0), (mirrored, replaced, 1.0), (hasty, None, 2.0)],
)
def test_mistakes_on_a_doubled_twice(way, combine, expected):
    settings = {"combine": combine} if combine else {}
    assert sweep(doubled_twice(), way, **settings).grads[0] == expected


@pytest.mark.parametrize("seed", range(10))
def test_the_wrong_order_takes_each_edge_once(seed):
    recorded = record(tangle(seed)[0])
    assert sorted(e for e, _ in hasty(recorded)) == sorted(e for e, _ in mirrored(recorded))


def test_in_a_tree_the_mistakes_make_no_difference():
    rng = random.Random(0)
    a, b, c = (Value(rng.random()) for _ in range(3))
    recorded = record((a * b + c.tanh()).exp())
    right = sweep(recorded).grads
    assert sweep(recorded, hasty).grads == right
    assert sweep(recorded, combine=replaced).grads == right
