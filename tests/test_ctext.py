"""Programs as C text: what is shared, what is data, which names occur."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from engine.functions import dot, logsumexp
from engine.functions import sum as sum_of
from engine.ops import OPS
from engine.replay.backends import vectormath
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
    return [[Value(0.1 * i + j, label="*/ evil(); /*") for j in range(width)] for i in range(rows)]


def flat(xs: list[list[Value]]) -> list[Value]:
    return [x for row in xs for x in row]


def net(xs: list[list[Value]]) -> Callable[[], Value]:
    model = MLP(len(xs[0]), [16, 16, 4], seed=0)
    return lambda: sum_of([logsumexp(model(x)) for x in xs]) + dot(xs[0], xs[0])


def test_only_names_of_the_library_occur() -> None:
    xs = batch(30, 3)
    source = written(net(xs), flat(xs)).source
    source = re.sub(r"/\*.*?\*/", "", source.replace(vectormath.needed(source), ""))
    ours = "|".join(
        [
            r"static|inline|double|const|void|return|int|for|while|if|else|restrict|sizeof",
            r"include|math|stdint|string|h|ifdef|ifndef|define|elif|endif|defined|typedef|struct",
            r"_WIN32|__declspec|dllexport|__attribute__|visibility|u?int64_t|memcpy|memset|default",
            r"NEVER_INLINED|noinline|run|call\w*|zero|seed|gather|largest|end|to|from|rows|count|width",
            r"found|places|j|and|more|Pass|pass|calls|memory",
            r"vector_size|aligned|may_alias|__AVX(512F)?__|__x86_64__|__asm__|PUBLIC|Memory",
            r"[VU][248]|KEEP[248]|AT[1248]|SUM[1248]|INFINITY|isfinite|INLINE|v_log1p|v_exp",
            r"row_of|index|place|rows",
            r"values|adjoints|work|seeds|table|forward(_end)?|backward(_end)?",
            r"top|best|lost|term|each|[xyzbgwvatsmnpku](\d+)?(_\w+)?|i\d*|part\d+",
            r"(?:" + "|".join([*OPS, "pick", "seed", "share"]) + r")(_d[xyb]\d?)?(_[0-9a-f]{12})?",
            r"e\d+|x[0-9a-f]+",
        ]
    )
    names = set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", source))
    assert {name for name in names if not re.fullmatch(ours, name)} == set()
    assert "evil" not in source


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
