"""What it costs to watch a training step: recording it, its page, laying out a large picture."""

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

from benchmarks.turns import Measured, Step
from engine.pictures.drawing.layout import layout
from engine.pictures.drawing.looks import PADDING
from engine.pictures.drawing.picture import picture
from engine.pictures.drawing.places import Item
from engine.pictures.drawing.svg import svg
from engine.pictures.steps import steps
from engine.pictures.texts import many
from nn.data import moons
from nn.loss import mse
from nn.module import MLP
from nn.optim import SGD
from nn.watch import watch

POINT = [1.0, -2.0], 0.5
ROUNDS = 50


def recording(_: Any) -> Step:
    """`steps` beside the backward pass that it tells of: how many times as long."""
    net = _net()
    loss, names = mse(net(POINT[0]), POINT[1]), net.named_parameters()
    return _ratio(partial(steps, loss, names), loss.backward, "backward")


def a_step(_: Any) -> Step:
    """`watch` beside the same training step in a plain loop."""
    net = _net()
    optimizer = SGD(net.parameters(), lr=0.0)

    def plain() -> None:
        optimizer.zero_grad()
        mse(net(POINT[0]), POINT[1]).backward()
        optimizer.step()

    return _ratio(partial(watch, net, mse, POINT, optimizer), plain, "step")


def page(_: Any) -> Step:
    """The page of a step, in thousands of bytes."""

    def step(number: int) -> Measured:
        net = _net()
        seen = watch(net, mse, POINT, SGD(net.parameters(), lr=0.1))
        return _size(seen.html, f"{many(len(seen), 'event')}, {many(len(seen.nodes), 'node')}")

    return step


def page_of_a_run(_: Any) -> Step:
    """The page of 50 steps, in thousands of bytes."""

    def step(number: int) -> Measured:
        net = _net()
        run = watch(net, mse, moons(100, seed=0), SGD(net.parameters(), lr=0.1), steps=50)
        opened = run.document()["cut"] or "all steps can be opened"
        return _size(run.html, f"{many(sum(map(len, run)), 'event')}, {opened}")

    return step


def layout_of_many(_: Any) -> Step:
    """The layout of a net's whole graph, in seconds."""
    net = MLP(2, [60, 50, 40, 1], "tanh", seed=0)
    loss = mse(net(POINT[0]), POINT[1])

    def step(number: int) -> Measured:
        times = [time.perf_counter()]
        whole = picture(loss, net, expand=False, max_nodes=10_000)
        times.append(time.perf_counter())
        items = [Item(150.0, 40.0, node.box) for node in whole.nodes]
        ends = [(edge.tail, edge.head) for edge in whole.edges]
        layout(items, ends, [box.parent for box in whole.boxes], PADDING["LR"])
        times.append(time.perf_counter())
        svg(whole)
        times.append(time.perf_counter())
        finding, placing, writing = (b - a for a, b in pairwise(times))
        note = (
            f"{many(len(items), 'node')}; what is in it {finding:.2f}, layout and SVG {writing:.2f}"
        )
        return Measured([], placing, note)

    return step


def _net() -> MLP:
    return MLP(2, [8, 8, 1], "tanh", seed=0)


def _ratio(ours: Callable[[], Any], plain: Callable[[], Any], name: str) -> Step:
    """How many times as long ours takes, by turns."""

    def step(number: int) -> Measured:
        pairs = [(_seconds(ours), _seconds(plain)) for _ in range(ROUNDS)]
        note = f"{median(a for a, _ in pairs) * 1e6:.0f} us, the {name} alone "
        note += f"{median(b for _, b in pairs) * 1e6:.0f} us"
        return Measured([], median(a / b for a, b in pairs), note)

    return step


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _size(html: str, note: str) -> Measured:
    return Measured([], len(html.encode()) / 1000, note)
