"""What is measured: the works, their data, and the figures to reach."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from nn.data import digits, moons
from nn.module import MLP


class Goal(NamedTuple):
    """At least `amount` times as fast as contender `against`; without one, at most `amount`."""

    contender: str
    amount: float
    against: str | None = None

    def reached(self, amounts: Mapping[str, Sequence[float]]) -> bool:
        """Whether what the rounds of all contenders cost satisfies it."""
        own = amounts[self.contender]
        if self.against:
            return times_less(own, amounts[self.against]) >= self.amount
        return median(own) <= self.amount

    def __str__(self) -> str:
        return f"at least {self.amount:g}x" if self.against else f"at most {self.amount:g}"


def times_less(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many times less a round costs us: the median of the ratios, round by round.

    The steps of one round are taken one after the other, so what slows the machine slows both.
    """
    return median(their / our for our, their in zip(ours, theirs, strict=True))


class Net(NamedTuple):
    """A net to train, in plain numbers and lists: all that a contender is given."""

    nin: int
    nouts: list[int]
    weights: list[float]  # neuron by neuron: the weights and then the bias
    xs: list[list[float]]
    ys: list[int]
    learning_rates: list[float]  # one for each step


class Work(NamedTuple):
    """One piece of work: what it is, the unit it is measured in, how often, what to reach."""

    name: str
    title: str
    unit: str
    rounds: int
    task: Callable[[int], Any]  # the number of steps -> what each contender is given
    goals: tuple[Goal, ...]


def moons_net(steps: int) -> Net:
    """micrograd's demo: 100 points, and a learning rate from 1.0 down by 0.009 a step."""
    rates = [1.0 - 0.9 * step / 100 for step in range(steps)]
    return _net(2, [16, 16, 1], "uniform", moons(100, noise=0.1, seed=1), rates)


def digits_net(steps: int) -> Net:
    """The first 32 of scikit-learn's handwritten digits."""
    images, labels = digits()
    return _net(64, [32, 10], "he", (images[:32], labels[:32]), [0.1] * steps)


def _net(nin: int, nouts: list[int], init: str, data: tuple[Any, Any], rates: list[float]) -> Net:
    weights = [p.data for p in MLP(nin, nouts, init=init, seed=1337).parameters()]
    return Net(nin, nouts, weights, *data, rates)


# fmt: off
WORKS = {
    work.name: work
    for work in (
        Work("W1", "micrograd's demo: moons 100, MLP 2-16-16-1, whole batch, hinge + L2",
             "ms a step", 15, moons_net,
             (Goal("brickgrad fused=False", 20, against="micrograd"),
              Goal("brickgrad", 100, against="micrograd"))),
        Work("W3", "digits 8x8, MLP 64-32-10, batch 32, cross-entropy",
             "ms a step", 12, digits_net,
             (Goal("brickgrad", 200, against="micrograd"),)),
        Work("million", "1,000,000 nodes in a chain: built, differentiated, freed",
             "bytes a node", 3, lambda steps: 1_000_000,
             (Goal("brickgrad", 300),)),
    )
}
# fmt: on
