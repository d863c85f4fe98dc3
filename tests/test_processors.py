"""The generated C on processors that this machine may not have: compiled, and run where it can."""

import os
from random import Random
from typing import Any

import pytest
import ran
from processors import LANES

from engine import functions as fn
from engine.ops import OPS
from engine.replay.backends import c
from engine.replay.backends.contraction import Machine
from engine.value import Value, apply
from nn.module import MLP

pytestmark = [
    pytest.mark.skipif(c.unavailable() is not None, reason="no C compiler here"),
    pytest.mark.skipif(os.name == "nt", reason="commands of POSIX"),
]


class Ran(ran.Ran):
    """A function run as C and eagerly, and both results."""

    backend = c


@pytest.mark.whole
@pytest.mark.parametrize("wide", [False, True], ids=["its own registers", "wider than registers"])
def test_c_is_right_on(processor: str, wide: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert c.machine().lanes == LANES[processor]
    if wide:
        monkeypatch.setattr(c, "machine", lambda: Machine(8, 20))
    draw = Random(8)
    xs = [[Value(draw.uniform(-1, 1)) for _ in range(20)] for _ in range(19)]
    points = [[op, *map(Value, at)] for op in OPS.values() if not op.many for at in op.at * 9]
    model = MLP(20, [33, 7], "tanh", seed=1)

    def run() -> list[Any]:
        softmaxes = [y for x in xs for y in fn.softmax(model(x))]
        return [*softmaxes, *(apply(op, *at) for op, *at in points)]

    Ran(run, [*(v for x in xs for v in x), *(v for _, *at in points for v in at)]).check()
