"""Programs as C text: what is shared, what is data, which names occur."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from engine.backends import vectormath
from engine.backends.contraction import Machine
from engine.backends.ctext import TRAINING, Text, _runs, _Written, text
from engine.functions import dot, logsumexp
from engine.functions import sum as sum_of
from engine.ops import OPS
from engine.roll import Access, roll
from engine.tape import record
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
            r"top|best|lost|term|row_[gz]|d?[xyzbgwvatsmnpku](\d+)?(_\w+)?|i\d*|part\d+",
            r"(z_|dx_|dy_)?(?:" + "|".join([*OPS, "pick"]) + ")"
            r"(_d[xyb]\d?|_adjoint)?(_[0-9a-f]{12})?",
            r"e\d+|x[0-9a-f]+",
        ]
    )
    names = set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", source))
    assert {name for name in names if not re.fullmatch(ours, name)} == set()
    assert "evil" not in source


def test_a_larger_batch_is_no_longer_text() -> None:
    sources = [written(net(xs), flat(xs)).source for xs in (batch(40, 3), batch(400, 3))]
    assert abs(len(sources[0]) - len(sources[1])) < 2000


def test_loops_that_differ_in_places_share_a_function() -> None:
    def deep(layers: int) -> str:
        model = MLP(16, [16] * layers, "tanh", seed=0)
        xs = batch(20, 16)
        return written(lambda: sum_of([y for x in xs for y in model(x)]), flat(xs)).source

    assert deep(12).count("static void") == deep(6).count("static void")


def test_adjoints_begin_with_zeros_only_where_seeds_are_added() -> None:
    x = Value(0.5)
    with record() as seen:
        result = (x.sin() * x).exp()
    program = roll(seen.tape([x], [result], [True]))
    source = text(program, MACHINE).source
    (output,) = program.outputs
    assert re.findall("zero.*;", source.split("backward")[-1]) == [f"zero({output}, 1);"]


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


@pytest.mark.parametrize(
    ("strides", "lengths", "runs", "distinct"),
    [
        ((1,), (5,), [(7, 12)], True),
        ((0, 1), (3, 4), [(7, 11)], True),
        ((4, 1), (3, 4), [(7, 19)], True),
        ((1, 1), (3, 3), [(7, 12)], False),  # overlapping windows
        ((17, 1), (2, 3), [(7, 10), (24, 27)], True),
        ((-2,), (3,), [(3, 4), (5, 6), (7, 8)], True),
        ((2, 1), (3, 3), [(7, 14)], False),
        ((2,), (4096,), [(7 + 2 * k, 8 + 2 * k) for k in range(4096)], True),
        ((2,), (5000,), [(7, 7 + 9999)], False),  # too many stretches: as one
    ],
)
def test_runs_of_memory(
    strides: tuple[int, ...],
    lengths: tuple[int, ...],
    runs: list[tuple[int, int]],
    distinct: bool,
) -> None:
    found, once = _runs(Access(7, strides, None, True), lengths)
    assert (sorted(found), once) == (runs, distinct)


def test_a_table_covers_what_lies_between_its_ends() -> None:
    access = Access(0, (1,), (5, 3, 9), True)
    assert _runs(access, (3,)) == ([(3, 10)], False)


def test_the_first_writer_sets_and_later_ones_add() -> None:
    written = _Written(20)
    line = Access(2, (1,), None, True)
    assert written.claim(line, (5,)) == "="
    assert written.claim(line, (5,)) == "+="
    assert written.zeros == []
    assert written.claim(Access(5, (1,), None, True), (6,)) == "+="  # 7 to 10 hold nothing yet
    assert written.zeros == [(7, 11)]
    assert written.claim(Access(12, (1,), None, True), (3,), may_set=False) == "+="
    assert written.zeros == [(7, 11), (12, 15)]
