"""Random graphs: numbers used many times, skip connections, operations of many operands."""

import random

from engine.functions import dot, logsumexp
from engine.functions import sum as sum_of
from engine.value import Value


def tangle(seed: int, size: int = 40, smooth: bool = False) -> tuple[Value, list[Value]]:
    """A root and its leaves."""
    rng = random.Random(seed)
    leaves = [Value(rng.uniform(-1, 1), f"leaf{i}") for i in range(4)]
    nodes = list(leaves)

    def operand() -> Value | float:
        return rng.choice(nodes[-12:]) if rng.random() < 0.9 else rng.uniform(-1, 1)

    def some() -> list[Value]:
        return [rng.choice(nodes) for _ in range(rng.randint(1, 4))]

    makers = [
        lambda: rng.choice(nodes) + operand(),
        lambda: rng.choice(nodes) * operand(),
        lambda: operand() - rng.choice(nodes),
        lambda: rng.choice(nodes).tanh(),
        lambda: rng.choice(nodes).exp().tanh() if smooth else rng.choice(nodes).relu(),
        lambda: sum_of(some()),
        lambda: logsumexp(some()),
        lambda: dot(xs := some(), [operand() for _ in xs], operand()),
    ]
    while len(nodes) < size:
        nodes.append(rng.choice(makers)())
    root = sum_of(node.tanh() for node in nodes[-6:])
    return root, leaves
