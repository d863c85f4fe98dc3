"""A single step lowers the loss."""

import pytest

from engine.value import Value
from nn.falling import falling_rate
from nn.loss import mse
from nn.module import MLP
from nn.optim import SGD


@pytest.mark.parametrize("slope", [0.1, 1.0, 30.0, 1e4])
def test_a_step_at_this_rate_lowers_the_loss_and_one_at_twice_it_does_not(slope):
    w = Value(3.0)

    def loss():
        return slope * w * w / 2

    rate = falling_rate(loss, [w], 0.05)
    assert (w.data, 2 / slope > rate) == (3.0, True)
    assert rate == 0.05 or 2 * rate >= 2 / slope


def test_a_net_far_from_its_target():
    net = MLP(2, [4, 1], "tanh", init="xavier", seed=0)
    before = net.state_dict()
    rate = falling_rate(lambda: mse(net([1.0, 2.0]), 50.0), net.parameters(), 0.5)
    assert 0 < rate < 0.5
    assert net.state_dict() == before
    first = mse(net([1.0, 2.0]), 50.0)
    net.zero_grad()
    first.backward()
    SGD(net.parameters(), lr=rate).step()
    assert mse(net([1.0, 2.0]), 50.0).data < first.data


def test_at_the_bottom_no_step_is_smaller():
    w = Value(0.0)
    assert falling_rate(lambda: w * w, [w], 0.05) == 0.05
