"""What is measured: the works, their data, and the figures to reach."""

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.gpt import GPT, one_hot
from nn.data import digits, moons
from nn.module import MLP


class Goal(NamedTuple):
    """A figure to reach: so many times as fast as `against`, or without one so much at most."""

    contender: str
    amount: float
    against: str | None = None
    moonshot: float | None = None
    at_least: bool = False

    def fate(self, figure: float) -> str:
        """Whether a figure, a ratio or an amount, is good enough."""
        if self.moonshot and self._holds(figure, self.moonshot):
            return "moonshot"
        return "reached" if self._holds(figure, self.amount) else "MISSED"

    def _holds(self, figure: float, bound: float) -> bool:
        return figure >= bound if self.against or self.at_least else figure <= bound

    def __str__(self) -> str:
        text = f"{self.amount:g}" + (f"x {self.against}" if self.against else "")
        text = f"at {'least' if self.against or self.at_least else 'most'} {text}"
        return f"{text} (moonshot {self.moonshot:g})" if self.moonshot else text


class Net(NamedTuple):
    """A net to train, in plain numbers and lists: all that a contender is given."""

    nin: int
    nouts: list[int]
    weights: list[float]  # neuron by neuron: the weights and then the bias
    batches: list[tuple[list[list[float]], list[int]]]  # one a step, in turn
    lr: float


class Text(NamedTuple):
    """A GPT to train on words, a word a step, as one-hot rows: what it reads, and what comes."""

    weights: dict[str, list[list[float]]]
    batches: list[tuple[list[list[float]], list[list[float]]]]
    lr: float


class Work(NamedTuple):
    """One piece of work: what it is, the unit it is measured in, how often, what to reach."""

    name: str
    title: str
    unit: str
    rounds: int
    task: Callable[[], Any]  # what each contender is given
    goals: tuple[Goal, ...]
    alone: bool = False  # no contest: results are not compared, one step is warm-up enough


def moons_net() -> Net:
    """micrograd's demo: 100 points of two moons, and another 100."""
    batches = [moons(100, noise=0.1, seed=seed) for seed in (1, 2)]
    return _net(2, [16, 16, 1], "uniform", batches, 0.1)


def digits_net() -> Net:
    """The first 32 of scikit-learn's handwritten digits, and the next."""
    images, labels = digits()
    halves = (slice(0, 32), slice(32, 64))
    return _net(64, [32, 10], "he", [(images[half], labels[half]) for half in halves], 0.1)


def words() -> Text:
    """Two names of 8 letters."""
    texts = [one_hot(f".{name}.") for name in ("isabella", "benjamin")]
    weights = {
        name: [[w.data for w in row] for row in rows] for name, rows in GPT(seed=1).weights.items()
    }
    return Text(weights, [(text[:-1], text[1:]) for text in texts], 0.01)


def _net(nin: int, nouts: list[int], init: str, batches: list[Any], lr: float) -> Net:
    weights = [p.data for p in MLP(nin, nouts, init=init, seed=1337).parameters()]
    return Net(nin, nouts, weights, batches, lr)


# fmt: off
WORKS = {
    work.name: work
    for work in (
        Work("W1", "micrograd's demo: moons 100, MLP 2-16-16-1, whole batch, hinge + L2, SGD",
             "ms a step", 30, moons_net,
             (Goal("brickgrad eager, unfused", 20, "micrograd"),
              Goal("brickgrad eager", 100, "micrograd"),
              Goal("brickgrad python", 800, "micrograd"),
              Goal("brickgrad numpy", 4, "PyTorch", moonshot=5),
              Goal("brickgrad c", 5, "JAX", moonshot=10),
              Goal("brickgrad numpy, own loop", 2, "PyTorch, own loop"),
              Goal("brickgrad c, own loop", 5, "PyTorch, own loop"))),
        Work("W2", "a GPT of 4,192 parameters, a word of 8 letters, Adam",
             "ms a step", 30, words,
             (Goal("brickgrad python", 400, "micrograd"),
              Goal("brickgrad numpy", 1.4, "PyTorch", moonshot=2),
              Goal("brickgrad c", 4, "JAX", moonshot=10))),
        Work("W3", "digits 8x8, MLP 64-32-10, batch 32, cross-entropy, SGD",
             "ms a step", 30, digits_net,
             (Goal("brickgrad eager", 200, "micrograd"),
              Goal("brickgrad python", 1000, "micrograd"),
              Goal("brickgrad numpy", 2, "PyTorch", moonshot=3),
              Goal("brickgrad c", 5, "JAX", moonshot=10))),
        Work("kernel", "C, forward and backward alone, share of the core's peak",
             "% of peak", 5, dict,
             (Goal("W1", 15, moonshot=40, at_least=True),
              Goal("W2", 6, moonshot=15, at_least=True),
              Goal("W3", 20, moonshot=40, at_least=True)), alone=True),
        Work("making", "recording, rolling and compiling for C, nothing cached",
             "s", 3, dict,
             (Goal("W1", 1, moonshot=0.5),
              Goal("W2", 2, moonshot=1),
              Goal("W3", 1.5, moonshot=0.75)), alone=True),
        Work("guards", "looking at what a loss reads outside, in a loop of one's own in C",
             "% of the rest of a step", 5, dict,
             (Goal("W1", 8, moonshot=4),
              Goal("W3", 8, moonshot=4)), alone=True),
        Work("witnessing", "the run that is recorded, with its walks, in plain runs",
             "x", 3, dict,
             (Goal("W1", 6, moonshot=3),
              Goal("W3", 6, moonshot=3)), alone=True),
        Work("rolling", "recording and rolling, a node for each product and each sum",
             "us a node", 5, dict,
             (Goal("W1", 4, moonshot=2),
              Goal("W3", 4, moonshot=2)), alone=True),
        Work("watching", "watching a step of an MLP 2-8-8-1: record, page, in Chromium; a layout",
             "", 5, dict,
             (Goal("recording, x a backward", 20),
              Goal("watch, x a step", 20),
              Goal("page of a step, kB", 500),
              Goal("page of 50 steps, kB", 2000),
              Goal("layout of 5,000 nodes, s", 1),
              Goal("page opens, ms", 1000),
              Goal("page of 16-16-16-1 opens, ms", 1000),
              Goal("page steps, ms", 16),
              Goal("page of 16-16-16-1 steps, ms", 16),
              Goal("page of a mistake steps, ms", 16)), alone=True),
        Work("million", "1,000,000 nodes in a chain: built, differentiated, freed",
             "bytes a node", 2, lambda: 1_000_000,
             (Goal("brickgrad eager", 300),), alone=True),
    )
}
# fmt: on
