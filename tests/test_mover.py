"""What moves the parameters in lists of floats."""

import pytest

from engine.replay.compare import ReplayError
from engine.value import Value
from nn import mover
from nn.history import TrainingInterrupted
from nn.loss import mse
from nn.module import MLP
from nn.mover import Mover, check_finite, length
from nn.optim import SGD, Adam, AdamW
from nn.train import fit

KINDS = {
    "sgd": lambda ps: SGD(ps, lr=0.1),
    "momentum": lambda ps: SGD(ps, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda ps: Adam(ps, lr=0.1, weight_decay=0.01),
    "adamw": lambda ps: AdamW(ps, lr=0.1),
}
XOR = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0]
GRADIENTS = [[0.5, -2.0, 1e-3], [-0.25, 0.0, 7.0], [3.0, 0.125, -1.0]]


def moved(kind, order):
    """The parameters and the memory after steps of a mover, and after those of the optimizer."""
    found = []
    for is_mover in (True, False):
        ps = [Value(0.1 * k + 0.05) for k in range(3)]
        optimizer = KINDS[kind](ps)
        ours = Mover(optimizer, tuple(ps[k] for k in order))
        ours.load()
        for gradient in GRADIENTS:
            if is_mover:
                ours.gradient = [gradient[k] for k in order]
                assert ours.move() == pytest.approx(length(gradient))
            else:
                for p, g in zip(ps, gradient, strict=True):
                    p.grad = g
                optimizer.step()
        if is_mover:
            ours.store()
        memory = [getattr(optimizer, name) for name in ("steps", *optimizer.MEMORY)]
        found.append(([p.data for p in ps], [p.grad for p in ps], memory))
    return found


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_it_moves_as_the_optimizer_does_to_the_last_bit(kind, order):
    ours, theirs = moved(kind, order)
    assert ours == theirs


def test_parameters_that_a_loss_does_not_read_stay():
    ps = [Value(1.0), Value(2.0)]
    ours = Mover(SGD(ps, lr=0.5), (ps[1],))
    ours.load()
    ours.gradient = [2.0]
    ours.move()
    ours.store()
    assert [p.data for p in ps] == [1.0, 1.0]
    assert not ps[0].has_grad


def test_parameters_moved_unequally_often_matter_where_rates_differ_by_that():
    for kind in (SGD, Adam):
        ps = [Value(1.0), Value(2.0)]
        optimizer = kind(ps, lr=0.5)
        optimizer.steps = [1, 3]
        ours = Mover(optimizer, tuple(ps))
        ours.load()
        ours.gradient = [1.0, 1.0]
        if kind is Adam:
            with pytest.raises(ReplayError, match="moved more often than others"):
                ours.move()
            continue
        ours.move()
        ours.store()
        assert [p.data for p in ps] == [0.5, 1.5]
        assert optimizer.steps == [2, 4]


def test_a_mover_of_nothing_says_what_to_do():
    with pytest.raises(ValueError, match="build the optimizer from"):
        Mover(SGD([Value(1.0)], lr=0.1), ())


def test_the_length_of_what_has_no_squares():
    assert length([3e-200, 4e-200]) == pytest.approx(5e-200, rel=1e-15)
    assert length([3e200, 4e200]) == pytest.approx(5e200, rel=1e-15)
    with pytest.raises(FloatingPointError, match="the length of the gradient is nan"):
        length([float("nan")])
    with pytest.raises(FloatingPointError, match="the loss is inf"):
        check_finite("the loss", float("inf"))


@pytest.mark.parametrize("backend", ["python", "numpy"])
def test_an_interrupt_while_numbers_are_given_back_parts_nothing(backend, monkeypatch):
    model = MLP(2, [2, 1], seed=0)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.5)
    given_back = mover.set_each
    times = []

    def interrupted(slot, values, numbers):
        given_back(slot, values, numbers)
        times.append(slot)
        if times == ["data", "grad"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(mover, "set_each", interrupted)
    settings = {"optimizer": optimizer, "callbacks": [str], "backend": backend}
    with pytest.warns(TrainingInterrupted):
        fit(model, mse, XOR, steps=3, **settings)
    plain = MLP(2, [2, 1], seed=0)
    other = SGD(plain.parameters(), lr=0.1, momentum=0.5)
    fit(plain, mse, XOR, steps=1, optimizer=other, backend="eager")
    assert optimizer.steps == other.steps
    assert optimizer.velocity == pytest.approx(other.velocity)
    assert list(model.state_dict().values()) == pytest.approx(list(plain.state_dict().values()))
