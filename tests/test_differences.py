"""The check of every gradient by differences: it finds what is wrong and accepts what is right."""

import math
import time

import pytest
from tangles import tangle

from engine.pictures.story import differences
from engine.pictures.story.differences import checks
from engine.pictures.story.record import hasty, record, replaced, sweep
from engine.value import Value
from nn.loss import cross_entropy, mse
from nn.module import MLP


def checked(root, change=None):
    recorded = record(root)
    grads = sweep(recorded).grads
    if change:
        grads = change(grads)
    return recorded, checks(recorded, grads)


@pytest.mark.parametrize("seed", range(30))
def test_right_gradients_agree(seed):
    recorded, found = checked(tangle(seed, smooth=True)[0])
    for atom, mark in zip(recorded.graph.atoms, found, strict=True):
        assert mark is (True if isinstance(atom, Value) else None)


@pytest.mark.some(4)
@pytest.mark.parametrize("seed", range(60))
def test_no_right_gradient_is_marked_wrong(seed):
    assert False not in checked(tangle(seed)[0])[1]


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "gelu"])
def test_every_node_of_a_net_agrees(activation):
    net = MLP(3, [5, 4, 3], activation, seed=2)
    loss = cross_entropy(net([Value(0.3), Value(-0.4), Value(1.2)]), 1)
    assert all(checked(loss)[1])


@pytest.mark.parametrize("factor", [-1.0, 0.0, 1.001, 2.0])
def test_wrong_gradients_do_not(factor):
    net = MLP(2, [3, 1], "tanh", seed=0)
    loss = mse(net([Value(0.5), Value(-1.5)]), 1.0)
    _, found = checked(loss, lambda grads: [g * factor for g in grads])
    assert set(found) == {False, None}


@pytest.mark.parametrize(("settings", "wrong"), [
    ({"combine": replaced}, [False, False, True]),
    ({"way": hasty}, [False, True, True]),
])  # fmt: skip
def test_mistakes_are_marked(settings, wrong):
    a = Value(3.0)
    b = a + a
    recorded = record(b + b)
    assert checks(recorded, sweep(recorded, **settings).grads) == wrong


@pytest.mark.parametrize("kink", [
    lambda x: x.relu(), lambda x: x.leaky_relu(0.1), lambda x: x.relu().relu()
])  # fmt: skip
def test_at_a_kink_there_is_nothing_to_check(kink):
    recorded, found = checked(kink(Value(0.0)) * 2.0)
    assert found[recorded.place_of()[recorded.graph.atoms[0]]] is None


def test_a_gradient_outside_the_two_slopes_of_a_kink_is_wrong():
    assert checked(Value(0.0).relu(), lambda grads: [3.0, 1.0])[1] == [False, True]


@pytest.mark.parametrize("x", [math.inf, math.nan, -math.inf])
def test_without_finite_numbers_nothing_is_checked(x):
    assert checked(Value(x) * 2.0)[1] == [None, None, None]


def test_where_the_loss_is_undefined_nearby_nothing_is_checked():
    assert checked(Value(0.0).sqrt() + 1.0)[1][0] is None


def test_large_and_small_numbers():
    for scale in (1e-6, 1.0, 1e6):
        assert False not in checked((Value(scale) * 3.0).tanh() + Value(scale))[1]


def test_a_large_graph_is_not_checked():
    x = Value(1.0)
    for _ in range(differences.LARGE):
        x = x + 0.0
    assert set(checked(x)[1]) == {None}


def test_the_price():
    net = MLP(4, [16, 16, 3], "tanh", seed=0)
    loss = cross_entropy(net([Value(0.1)] * 4), 0)
    start = time.process_time()
    assert all(checked(loss)[1])
    assert time.process_time() - start < 3
