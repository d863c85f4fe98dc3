"""What is measured: the works, their data, and the figures to reach."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from benchmarks import tables
from benchmarks.gpt import GPT, one_hot
from benchmarks.whole_tasks import digits_task, table_task, words_task
from nn.data import digits, moons
from nn.module import MLP

MAKING = "made, x gcc's time"
STEP, MADE, SIZE = "step, ms", "made, ms", "MB"  # in a browser


class Goal(NamedTuple):
    """A figure to reach: so many times as fast as `against`, or without one so much at most."""

    contender: str
    amount: float
    against: str | None = None
    moonshot: float | None = None
    at_least: bool = False
    of: str = ""  # which of the figures of a turn; "": its amount

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
        text = f"{self.of}: {text}" if self.of else text
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
    task: Callable[..., Any]  # what each contender is given
    goals: tuple[Goal, ...]
    alone: bool = False  # no contest: results are not compared, one step is warm-up enough
    whole: bool = False  # trainings from nothing, in processes of their own
    tolerance: float = 1e-12  # of what contenders compute, between each other
    quick: Mapping[str, int] = MappingProxyType({})  # for `task`, where figures do not matter

    @property
    def shown(self) -> list[str]:
        """The figures of a turn that get lines: the amount first."""
        processor = ["processor, s"] if self.whole else []
        return list(dict.fromkeys(["", *processor, *(goal.of for goal in self.goals)]))


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


def digits_work(activation: str, steps: int, *goals: Goal) -> Work:
    """T1: `fit` on the digits."""
    return Work(
        f"T1 {activation} {steps:,}",
        f"fit on digits 8x8, MLP 64-32-10 of {activation}, batches of 32, SGD: {steps:,} steps",
        "s",
        5 if steps < 2000 else 3,
        partial(digits_task, activation, steps=steps),
        goals,
        whole=True,
        tolerance=1e-9,
        quick={"steps": 60},
    )


def words_work(steps: int, *goals: Goal) -> Work:
    """T2: a GPT as people publish it."""
    return Work(
        f"T2 {steps:,}",
        f"a GPT of 4,192 parameters as published, Adam: {steps:,} words of 3 to 10 letters",
        "s",
        5 if steps < 2000 else 3,
        partial(words_task, steps=steps),
        goals,
        whole=True,
        tolerance=1e-9,
        quick={"steps": 20},
    )


def tables_work(name: str, title: str, contenders: Collection[str], folder: str = "") -> Work:
    """Training with no settings, table by table."""
    goals = (Goal(name, tables.LINE) for name in contenders)
    beside = (Goal(name, tables.MLP, of=tables.BESIDE) for name in contenders)
    return Work(
        name,
        f"{title}, no settings; % worse than the better of linear and constant (0: within 1 SE)",
        "%",
        1,
        partial(tables.task, folder),
        (*goals, *beside),
        alone=True,
        quick={"folds": 2, "times": 1, "steps": 20},
    )


# fmt: off
WORKS = {
    work.name: work
    for work in (
        *(work for activation in ("relu", "tanh") for work in (
            digits_work(activation, 1000, Goal("brickgrad", 1, "PyTorch", moonshot=1.5)),
            digits_work(activation, 6000,
                        Goal("brickgrad", 4, "PyTorch", moonshot=6),
                        Goal("brickgrad", 8, "PyTorch", moonshot=15, of="a step, ms")))),
        Work("T1 process", "fit on digits as a whole process, imports and all: 10 epochs",
             "s", 5, partial(digits_task, "relu", steps=570, process=True),
             (Goal("brickgrad", 1, "PyTorch", moonshot=2),
              Goal("brickgrad", 1, "scikit-learn", moonshot=2)),
             whole=True, tolerance=0.1),  # scikit-learn begins with weights of its own
        words_work(1000,
                   Goal("brickgrad", 0.5, "PyTorch", moonshot=1),
                   Goal("brickgrad, dot and softmax", 1, "PyTorch", moonshot=2)),
        words_work(5000,
                   Goal("brickgrad", 1.5, "PyTorch", moonshot=4),
                   Goal("brickgrad", 1, "JAX"),
                   Goal("brickgrad", 1, "JAX, scan"),
                   Goal("brickgrad, dot and softmax", 4, "PyTorch", moonshot=8)),
        Work("T3", "brickgrad train on 50,000 x 20, but for the training: a fifth as fast is "
             "5 times as long", "s", 3, table_task,
             (Goal("brickgrad train", 0.2, "pandas, scikit-learn", moonshot=0.5),),
             whole=True, tolerance=0.02, quick={"rows": 300}),
        Work("T4", "C in NumPy's time, 1,600 numbers; auto in the time of the best backend",
             "x", 5, partial(dict, steps=2000, measured=1000),
             (Goal("functions of one operand", 1.05),
              Goal("functions, both ways", 1.05),
              *(Goal(f"auto: {name}", 1.2) for name in ("moons", "digits", "digits, tanh", "xor"))),
             alone=True, quick={"steps": 30, "measured": 30}),
        Work("T5", "recording, rolling and a first result, W3, in eager forwards and backwards",
             "x", 5, dict,
             (Goal("first call", 20, moonshot=10),), alone=True),
        Work("W1", "micrograd's demo: moons 100, MLP 2-16-16-1, whole batch, hinge + L2, SGD",
             "ms a step", 30, moons_net,
             (Goal("brickgrad eager, unfused", 20, "micrograd"),
              Goal("brickgrad eager", 100, "micrograd"),
              Goal("brickgrad python", 800, "micrograd"),
              Goal("brickgrad numpy", 4, "PyTorch", moonshot=5),
              Goal("brickgrad c", 5, "JAX", moonshot=10),
              Goal("brickgrad numpy, own loop", 2, "PyTorch, own loop"),
              Goal("brickgrad c, own loop", 6, "PyTorch, own loop", moonshot=8))),
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
        Work("WASM", "WebAssembly by wasmtime beside C: forward and backward alone; made",
             "x C's time", 3, dict,
             tuple(goal for work in ("W1", "W2", "W3")
                   for goal in (Goal(work, 4, moonshot=2), Goal(work, 0.1, of=MAKING))),
             alone=True),
        Work("BROWSER", "in Chromium: the first output; a step as WebAssembly",
             "s, or x Python's speed", 1, dict,
             (Goal("playground", 10),
              Goal("playground", 12, of=SIZE),
              Goal("course", 60),
              Goal("W1, x Python's speed", 50, moonshot=200, at_least=True),
              *(Goal(f"{work}, x Python's speed", 100, of=MADE) for work in ("W1", "W2", "W3")),
              Goal("W2, x Python's speed", 1, of=STEP)), alone=True),
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
              Goal("page of 50 steps, kB", 700),
              Goal("layout of 5,000 nodes, s", 1),
              Goal("page opens, ms", 1000),
              Goal("page of 16-16-16-1 opens, ms", 1000),
              Goal("page steps, ms", 16),
              Goal("page of 16-16-16-1 steps, ms", 16),
              Goal("page of a mistake steps, ms", 16)), alone=True),
        tables_work("tables", "five folds, twice", tables.TABLES),
        Work("million", "1,000,000 nodes in a chain: built, differentiated, freed",
             "bytes a node", 2, lambda: 1_000_000,
             (Goal("brickgrad eager", 300),), alone=True),
    )
}
# fmt: on
