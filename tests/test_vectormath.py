"""The functions of mathematics in C: right, in vector registers, and no more than is needed."""

import math
import os
import random
import re
import subprocess
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import chain, product, takewhile
from pathlib import Path

import mpmath as mp
import pytest
import ran
from bounds import EDGES, exact, inside, numbers, off, powers
from oracles import EXACT, SPECIAL, ulps

from engine import functions as fn
from engine import ieee
from engine.formula import calls
from engine.op import Op
from engine.ops import OPS
from engine.replay.backends import c, ctext, library, vectormath, wasm
from engine.replay.roll import Program, roll
from engine.replay.watch import record
from engine.value import Value, apply

needs_compiler = [
    pytest.mark.skipif(c.unavailable() is not None, reason="no C compiler here"),
    pytest.mark.skipif(os.name == "nt", reason="commands of POSIX"),
]
ROWS = [op for op in OPS.values() if not op.many]
SINGLE = [op for op in ROWS if op.arity == 1]
NEAR = {"sin", "cos", "tan"}
OURS = {*vectormath.names(), "abs", "sqrt"}

ONE_BY_ONE = {"logit", "xlogy", "copysign"}  # gcc leaves a loop of these as it is


def is_ours(op: Op) -> bool:
    """Whether a row calls nothing in C but what is written here: no `lgamma` of its library."""
    called = set().union(*map(calls, (op.formula, *op.partials)))
    return all(is_ours(op.callees[f]) if f in op.callees else f in OURS for f in called)


HEADER = Path(vectormath.__file__).with_suffix(".h").read_text(encoding="ascii")
STATED = {
    name: float(ulp) for name, ulp in re.findall(r"/\* (\w+): (?:at most )?([\d.]+) ulp", HEADER)
}
SLOPES = {"sigmoid_slope": ("sigmoid", 1)}
BOUNDS = {SLOPES.get(name, (name, 0)): ulp for name, ulp in STATED.items()}  # by row and result
# where a function goes another way
CORNERS = (
    *(1e-17, math.sqrt(2) - 1, 0.5, math.sqrt(0.5), 0.65, math.sqrt(2), math.sqrt(2) + 1, 22.0),
    *(37.1, 40.0, 699.0, *(k * math.log(2) / 2 for k in range(1, 8))),
    *(k * math.pi / 4 for k in (1, 2, 3, 4, 5, 8, 1000, 10**6, 10**8)),
)


class Ran(ran.Ran):
    """A function run as C, or as WebAssembly, and eagerly, and both results."""

    backend = c


def points(op: Op, count: int) -> list[float]:
    """Numbers of all sizes, evenly spread ones, and the neighbours of corners."""
    spread = [k / 61 for k in range(-250, 250)]
    corners = [x * (1 + k * 2**-52) for x in (*CORNERS, *EDGES) for k in (-2, -1, 0, 1, 2)]
    found = numbers(op, 1, count)
    return [*found, *(x for x in [*spread, *corners, *(-x for x in corners)] if inside(op, x))]


def run_all(rows: Sequence[tuple[Op, list[float]]]) -> list[list[tuple[float, float]]]:
    """Result and slope in C of each row at its numbers, all in one program."""
    inputs = [[Value(x) for x in xs] for _, xs in rows]

    def run() -> list[Value]:
        each = zip(rows, inputs, strict=True)
        return [apply(op, x) for (op, _), xs in each for x in xs]

    done = Ran(run, [x for xs in inputs for x in xs])
    both = iter(zip(done.data, done.grads, strict=True))
    return [[next(both) for _ in xs] for _, xs in rows]


# --- right ---------------------------------------------------------------------------------------


class Right:
    language = "C"

    @pytest.mark.whole
    def test_rows_keep_the_bounds_of_the_calculus_and_their_own(
        self, amount: Callable[..., int], figure: Callable[..., None]
    ) -> None:
        count, step = amount(150, 5_000), amount(9, 1, 1)
        rows = [(op, points(op, count)[::step]) for op in SINGLE]
        shares: list[list[float]] = [[], []]
        for (op, xs), results in zip(rows, run_all(rows), strict=True):
            for x, both in zip(xs, results, strict=True):
                for k, got in enumerate(both):
                    _, error, bound, _ = off(op, k, x, got)
                    assert error <= bound, (op, x, k, error)
                    shares[k].append(error / bound)
                    if (op.name, k) in BOUNDS:
                        error = ulps(got, exact(op.name, k, x)[0])
                        assert error <= BOUNDS[op.name, k], (op, x, k, error)
        for row, of in zip(("a2", "a3"), shares, strict=True):
            figure(
                row,
                f"rows of one operand in {self.language}, in their bounds",
                len(of),
                max(of),
                1.0,
            )

    def test_powers(self, amount: Callable[[int, int], int]) -> None:
        pairs = [pair for seed in range(amount(6, 200)) for pair in powers(seed, 50)]
        pairs += [(x, float(y)) for x in (0.1, 0.7, 1.3, 9.0) for y in range(-40, 41)]
        values = [(Value(x), Value(y)) for x, y in pairs]
        flat = [v for pair in values for v in pair]
        done = Ran(lambda: [apply(OPS["pow"], *pair) for pair in values], flat)
        for k, (x, y) in enumerate(pairs):
            got = done.data[k], *done.grads[2 * k : 2 * k + 2]
            wanted = [f(mp.mpf(x), mp.mpf(y)) for f in EXACT["pow"]]
            z, dx, dy = map(ulps, got, wanted)
            assert z <= STATED["pow"], (x, y, z)
            assert max(dx, dy) <= 4, (x, y, dx, dy)

    @pytest.mark.whole
    @pytest.mark.parametrize("name", ["hypot", "atan2"])
    def test_two_sides(self, name: str, amount: Callable[..., int]) -> None:
        draw = random.Random(name)
        sizes = (lambda: draw.uniform(-4, 4), lambda: math.ldexp(draw.uniform(-2, 2), size()))
        size = partial(draw.randint, -1060, 1000)
        pairs = [tuple(draw.choice(sizes)() for _ in "xy") for _ in range(amount(300, 9_000))]
        special = [*product((*SPECIAL, 1e-160, -1e160), repeat=2)]
        values = [[Value(x), Value(y)] for x, y in (*pairs, *special)]
        done = Ran(lambda: [apply(OPS[name], *pair) for pair in values], [*chain(*values)])
        for (x, y), got in zip(pairs, done.data, strict=False):
            assert ulps(got, EXACT[name][0](mp.mpf(x), mp.mpf(y))) <= STATED[name], (x, y, got)
        for at, got in zip(special, done.data[len(pairs) :], strict=True):
            want = OPS[name].forward(at)[0]
            assert is_same(got, want), (at, got, want)
            assert want or math.copysign(1, got) == math.copysign(1, want), at

    def test_whole_logs_and_roots_are_whole(self) -> None:
        whole = [
            *((OPS["log2"], [2.0**k for k in range(-1074, 1024)]),),
            *((OPS["log10"], [10.0**k for k in range(23)]),),
            *((OPS["cbrt"], [float(k**3) for k in range(-200, 201)]),),
        ]
        (twos, tens, roots) = ([z for z, _ in each] for each in run_all(whole))
        assert twos == [*range(-1074, 1024)]
        assert tens == [*range(23)]
        assert roots == [*range(-200, 201)]

    @pytest.mark.whole
    def test_special_values(self) -> None:
        tiny = [s * x for s in (1, -1) for x in (1e-320, 3e-310, 4e-17, 708.5, 709.9, 744.8, 1e9)]
        rows = [
            (op, [x for x in (*SPECIAL, *tiny) if op.name not in NEAR or not abs(x) > 1e9])
            for op in SINGLE
        ]
        for (op, xs), results in zip(rows, run_all(rows), strict=True):
            for x, got in zip(xs, results, strict=True):
                for k, (g, w) in enumerate(zip(got, op.forward((x,)), strict=True)):
                    assert is_same(g, w), (op, x, k, g, w)
                    assert k or w or math.copysign(1, g) == math.copysign(1, w), (op, x)

    def test_special_powers(self) -> None:
        special = (*SPECIAL, 3.0, -2.0, 2.0**52 + 1, 2.0**53 - 1, -(2.0**53), 0.25, 1e-320)
        pairs = [(Value(x), Value(y)) for x in special for y in special]
        flat = [v for pair in pairs for v in pair]
        done = Ran(lambda: [apply(OPS["pow"], *pair) for pair in pairs], flat)
        for (x, y), got, want in zip(pairs, done.data, done.want, strict=True):
            assert is_same(got, want), (x, y, got, want)
            assert want or math.copysign(1, got) == math.copysign(1, want), (x, y)

    @pytest.mark.whole
    @pytest.mark.some(10)
    @pytest.mark.parametrize("largest", [1e9, 1e16, -1.7e308, math.inf, math.nan])
    def test_numbers_far_from_0(self, largest: float) -> None:
        waves = fn.define(
            "waves_of_test_vectormath",
            "waves",
            "sin(x * x) + cos(y)",
            "2 * x * cos(x * x)",
            "-sin(y)",
            at=[(0.5, 0.2)],
        )
        xs = [Value(0.01 * k - 0.7) for k in range(150)]
        shared = Value(0.3)
        xs[77].data = largest

        def run() -> list[Value]:
            each = [f(x) for x in xs for f in (fn.sin, fn.cos, fn.tan)]
            return [*each, *(waves(shared, x) for x in xs), *(waves(x, shared) for x in xs)]

        done = Ran(run, [shared, *xs]).check()
        assert all(map(is_same, done.data, done.want))


@pytest.mark.some(4)
@pytest.mark.usefixtures("processor")
class TestRight(Right):
    pytestmark = needs_compiler


@pytest.mark.some(2)
@pytest.mark.skipif(wasm.unavailable() is not None, reason="no wasmtime here")
class TestRightAsWebAssembly(Right):
    language = "WebAssembly"

    @pytest.fixture(autouse=True)
    def backend(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In two lanes or one, as the numbers come."""
        monkeypatch.setattr(Ran, "backend", wasm)


def is_same(got: float, want: float) -> bool:
    """Whether two results agree, in what is not finite and where digits are lost, too."""
    if not math.isfinite(want):
        return got == want or (got != got and want != want)
    return abs(got - want) <= max(8 * math.ulp(want), 1e-323)


# --- in vector registers -------------------------------------------------------------------------


@pytest.mark.usefixtures("processor")
class TestVectors:
    pytestmark = needs_compiler

    @pytest.mark.whole
    def test_loops_run_in_vector_registers(self, tmp_path: Path) -> None:
        """All but those of numbers far from 0, by what gcc says of itself."""
        if not is_gcc():
            pytest.skip("only gcc says which loops it laid into vector registers")
        lines = rows_as_text().splitlines()
        said = compiled("\n".join(lines), tmp_path, "-fopt-info-vec-optimized").stderr
        found = {int(k) for k in re.findall(r":(\d+):\d+: optimized: loop vectorized", said)}
        start = next(k for k, line in enumerate(lines) if "NEVER_INLINED void" in line)
        loops = [k for k, line in enumerate(lines) if k >= start and "for (int i0" in line]
        assert len(loops) > 70
        for k in loops:
            body = "".join(takewhile(lambda line: line.strip() != "}", lines[k + 1 :]))
            is_vector = bool(found & {k + 1, k + 2})  # lines count from 1
            assert is_vector == ("NULL" not in body), body

    @pytest.mark.whole
    def test_no_function_of_c_is_called_but_for_numbers_far_from_0(self, tmp_path: Path) -> None:
        assembly = Path(tmp_path, "kernel.s")
        compiled(rows_as_text(), tmp_path, "-S", to=assembly)
        parts = re.split(r"^(\w+):$", assembly.read_text(), flags=re.MULTILINE)
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            called = set(re.findall(r"\b(?:call|jmp|bl)q?\s+([a-z]\w*)", body)) & set(dir(math))
            allowed = NEAR if any(f"_{near}" in f"_{name}" for near in NEAR) else set()
            assert called <= allowed, name
            if re.search(r"%[yz]mm", body):  # wide registers, left clean
                assert "vzeroupper" in body, name


def is_gcc() -> bool:
    _, macros = library.target(library.compiler() or [])
    return "__GNUC__" in macros and "__clang__" not in macros


@cache
def rows_as_program() -> Program:
    """128 rows of each kind, with the adjoints of all operands."""

    def column() -> list[Value]:
        return [Value(0.3 + 0.001 * k) for k in range(128)]

    rows = [
        (op, [column() for _ in op.partials])
        for op in ROWS
        if is_ours(op) and op.name not in ONE_BY_ONE
    ]
    with record() as seen:
        zs = [apply(op, *xs) for op, columns in rows for xs in zip(*columns, strict=True)]
    flat = [x for _, columns in rows for xs in columns for x in xs]
    return roll(seen.tape(flat, zs, [True] * len(flat)))


def rows_as_text() -> str:
    return ctext.text(rows_as_program(), c.machine()).source


def compiled(
    text: str, folder: Path, *flags: str, to: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = library.compiler() or []
    native, _ = library.target(command)
    path = folder / "kernel.c"
    path.write_text(text)
    options = [*library.FLAGS, *native, *flags, str(path), "-o", str(to or folder / "kernel.lib")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


# --- no more than is needed ----------------------------------------------------------------------


def test_only_what_is_called_is_there() -> None:
    def functions(source: str) -> list[str]:
        return re.findall(r"^INLINE \w+ (\w+)", vectormath.needed(source), re.MULTILINE)

    assert functions("x * y") == []
    assert functions("v_either(x)") == ["v_bits", "v_number", "v_either"]
    assert functions("v_exp(x)") == [
        *("v_bits", "v_number", "v_fused", "v_four", "v_exp_tail", "v_exp_times", "v_exp")
    ]
    everything = functions(" ".join(f"v_{name}" for name in STATED))
    assert len(everything) == HEADER.count("INLINE ") - 1  # that word is defined once


def test_each_function_says_how_far_it_may_be_off() -> None:
    of_formulas = {*ieee.FUNCTIONS, *ieee.OF_TWO} & {*vectormath.names()}
    assert set(STATED) == of_formulas | {"sigmoid", "sigmoid_slope", "softplus"}
    assert all(math.isfinite(ulp) and ulp < 5 for ulp in STATED.values())
