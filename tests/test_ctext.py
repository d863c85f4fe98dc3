"""How long programs are as C text: what is shared, and what is data."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from engine.functions import dot, logsumexp
from engine.functions import sum as sum_of
from engine.replay.backends.contraction import Machine
from engine.replay.backends.ctext import TRAINING, Text, text
from engine.replay.roll import roll
from engine.replay.watch import record
from engine.value import Value
from nn.module import MLP

MACHINE = Machine(8, 20)


def written(f: Callable[[], Value], inputs: Sequence[Value]) -> Text:
    with record() as seen:
        result = f()
    return text(roll(seen.tape(inputs, [result], [True] * len(inputs))), MACHINE)


def batch(rows: int, width: int) -> list[list[Value]]:
    return [[Value(0.1 * i + j) for j in range(width)] for i in range(rows)]


def flat(xs: list[list[Value]]) -> list[Value]:
    return [x for row in xs for x in row]


def net(xs: list[list[Value]]) -> Callable[[], Value]:
    model = MLP(len(xs[0]), [16, 16, 4], seed=0)
    return lambda: sum_of([logsumexp(model(x)) for x in xs]) + dot(xs[0], xs[0])


@pytest.mark.whole
def test_a_larger_batch_is_no_longer_text() -> None:
    sources = [written(net(xs), flat(xs)).source for xs in (batch(40, 3), batch(400, 3))]
    assert len(sources[1]) < len(sources[0]) + 2000


def test_loops_that_differ_in_places_share_a_function() -> None:
    def deep(layers: int) -> str:
        model = MLP(16, [16] * layers, "tanh", seed=0)
        xs = batch(20, 16)
        return written(lambda: sum_of([y for x in xs for y in model(x)]), flat(xs)).source

    assert deep(12).count("static void") == deep(6).count("static void")


def test_no_adjoint_begins_with_zeros_where_one_is_the_first_to_come() -> None:
    x = Value(0.5)
    assert "zero(" not in written((x.sin() * x).exp, [x]).source.split("backward")[-1]


def test_zeros_of_all_lengths_are_of_one_function() -> None:
    x, y, z = (Value(v) for v in (0.5, 2.0, 3.0))

    def both() -> Value:  # adjoints that two loops add to, of one and of two values
        return sum_of([x * x.sin(), y * z, z * y, y.sin(), z.sin()])

    code = written(both, [x, y, z])
    assert any(call.function == "zero" for call in code.backward)
    assert not any(name.startswith("call_zero_") for name in code.functions)


def test_places_that_no_formula_gives_are_data() -> None:
    xs = [Value(float(i)) for i in range(2000)]
    wires = [(i * i * 7 + 3) % 2000 for i in range(4000)]
    code = written(
        lambda: sum_of([xs[p] * xs[q] for p, q in zip(wires, wires[::-1], strict=True)]), xs
    )
    assert len(code.table) >= 4000
    assert len(code.source) < 8000


def test_many_calls_are_no_longer_text() -> None:
    x = Value(0.5)

    def chain() -> Value:
        v: Any = x
        for _ in range(300):
            v = (v * x).sin()
        return v

    code = written(chain, [x])
    assert len(code.forward) == 600
    assert len(code.unit([name for name in code.functions if name not in TRAINING])) < 12_000


def test_programs_of_other_lengths_share_functions() -> None:
    def functions(rows: int) -> set[str]:
        model, xs = MLP(3, [4, 2], "tanh", seed=0), batch(rows, 3)
        with record() as seen:
            total = sum_of([y for x in xs for y in model(x)])
        program = roll(seen.tape(flat(xs), [total]))
        return set(text(program, MACHINE, many=True).functions)

    assert functions(7) == functions(9) == functions(23)
