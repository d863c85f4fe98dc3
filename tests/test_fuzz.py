"""Random DAGs: gradients beside exact ones, PyTorch's, a replay's, and beside each other.

Rows a1, a5, c, d1 and d5 of the battery. `e` is abs(g - g*) / (2**-53 * A), A the sum over paths
of the abs of their partials; it may be 10 for each operation. A DAG is left out where a share on a
path is no normal float.
"""

import hashlib
import itertools
import math
import random
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial, reduce
from operator import or_

import pytest
from dags import (
    ARITHMETIC,
    BOUND,
    CALLS,
    EXACT,
    NAMES,
    SIZES,
    Dag,
    Exact,
    Found,
    error,
    errors,
    exact,
    fuzz,
    grow,
    mp,
    steps_of,
)
from disturbed import in_threads, stopped
from graphs import Recorded, recorded
from oracles import torch_functions
from processes import printed

from engine import alone, sweep, value
from engine.ops import OPS
from engine.replay import backends
from engine.sweep import set_each
from engine.value import Value, toposort

pytest.importorskip("gmpy2")
CHUNK = 5_000


def gradients(values: list[Value], root: Value | None = None) -> list[float]:
    """The gradients of the root in all of its values, those from before forgotten."""
    for v in values:
        v.zero_grad()
    (values[-1] if root is None else root).backward()  # a root of 0 is falsy
    return [v.grad for v in values]


def fitting(
    row: str, count: int, wild: bool = False, names: Sequence[str] = NAMES
) -> Iterator[tuple[Dag, list[Value], Exact]]:
    """So many DAGs with their values and the exact backward; those that do not fit are left out."""
    dags = (grow(f"{row} {k}", names, wild) for k in itertools.count())
    whole = ((dag, made, exact(dag.steps, dag.constants, data(made))) for dag, made in dags)
    return itertools.islice((found for found in whole if found[2].fits), count)


def data(values: Iterable[Value]) -> list[float]:
    return [v.data for v in values]


# --- a1: the exact backward pass ------------------------------------------------------------------


def test_gradients_are_exact_up_to_rounding(amount, figure):
    count = amount(300, 2_100, 1_060_000)
    starts = range(0, count, CHUNK)
    stops = [min(start + CHUNK, count) for start in starts]
    if len(starts) == 1:
        found = [fuzz(0, count)]
    else:
        with ProcessPoolExecutor(2) as pool:
            found = list(pool.map(fuzz, starts, stops))
    total = reduce(or_, found, Found())
    what = f"exact backward ({total.skipped:,} more left out, worst at {total.seed})"
    figure("a1", what, total.count, total.worst, BOUND, "e/op")
    assert total.count + total.skipped == count
    assert total.skipped < 0.1 * count
    assert total.worst <= BOUND, total.seed


@pytest.mark.whole
def test_what_is_in_the_dags():
    """Every operation; most DAGs use a result twice, and have constants; bases below 0 too."""
    met, below, reused, constant, fit, count = set(), 0, 0, 0, 0, 500
    for k in range(count):
        dag, made = grow(f"a1 {k}", wild=k % 4 == 3)
        uses = Counter(p for _, picks in dag.steps for p in picks)
        reused += any(uses[p] > 1 for p in range(len(dag.leaves), len(made)))
        constant += any(p < 0 for p in uses)
        met |= {name for name, _ in dag.steps}
        below += sum(name == "pow" and made[picks[0]].data < 0 for name, picks in dag.steps)
        fit += exact(dag.steps, dag.constants, data(made)).fits
    assert met == set(OPS) == set(CALLS) == set(EXACT)
    assert reused >= 0.6 * count
    assert constant >= 0.5 * count
    assert fit > 0.9 * count
    assert below >= 25


def test_the_exact_pass_finds_a_wrong_gradient():
    dag, made = grow("a1 0")
    of = exact(dag.steps, dag.constants, data(made))
    wrong = [g * (1 + 1e-9) for g in gradients(made)]
    assert max(errors(of, wrong)) > BOUND * of.operations


# --- the same for replays -------------------------------------------------------------------------


def elsewhere(dag: Dag, seed: str) -> list[float]:
    """Leaves of the same signs, up to twice as large, at which the backward pass fits too."""
    rng = random.Random(seed)
    widths = (0.7**k for k in itertools.count())
    tries = ([x * 2 ** rng.uniform(-width, width) for x in dag.leaves] for width in widths)
    return next(leaves for leaves in tries if fits(dag, leaves))


def fits(dag: Dag, leaves: list[float]) -> bool:
    made = data(dag.run([Value(x) for x in leaves]))
    return all(map(math.isfinite, made)) and exact(dag.steps, dag.constants, made).fits


def together(row: str, batch: int, size: int) -> tuple[list[tuple[Dag, int]], Recorded]:
    """Several DAGs, every fourth a wild one, each with the number of its operations; recorded as
    one function, and then run by the engine at other leaves than at the record.
    """
    seeds = [f"{row} {batch} {k}" for k in range(size)]
    found = [next(fitting(seed, 1, wild=k % 4 == 3)) for k, seed in enumerate(seeds)]
    several = [(dag, of.operations) for dag, _, of in found]

    def outputs(inputs: Iterator[Value]) -> list[Value]:
        return [dag.run(list(itertools.islice(inputs, len(dag.leaves))))[-1] for dag, _ in several]

    at_first = [Value(x) for dag, _ in several for x in dag.leaves]
    of = recorded((at_first, lambda: outputs(iter(at_first))), seeds=[1.0] * size)
    inputs = [
        Value(x)
        for (dag, _), seed in zip(several, seeds, strict=True)
        for x in elsewhere(dag, seed)
    ]
    return several, replace(of, inputs=inputs, outputs=outputs(iter(inputs)))


def replayed(of: Recorded, name: str) -> tuple[list[float], list[float]]:
    """All numbers of the forward pass, and the gradients of the leaves."""
    program = of.program
    kernel = backends.backend(name).compile(program, of.tape)
    first = len(program.constants)
    for place, leaf in enumerate(of.leaves, first):
        kernel.values[place] = leaf.data
    kernel.forward()
    kernel.backward(of.seeds)
    return list(kernel.values), list(kernel.adjoints[first : program.leaves])


def test_python_replays_bit_for_bit(amount, figure):
    count = 0
    for batch in range(amount(3, 7, 500)):
        several, of = together("replay", batch, 20)
        values, got = replayed(of, "python")
        outputs, want = of.eager()
        assert [values[place] for place in of.program.outputs] == outputs, batch
        assert list(map(repr, got)) == list(map(repr, want)), batch
        count += len(several)
    figure("c", "replay in Python at other numbers = eager, bit for bit", count)


@pytest.mark.whole
@pytest.mark.parametrize(
    ("name", "counts"),
    [("numpy", (3, 7, 1_000)), ("wasm", (2, 5, 500)), ("c", (1, 2, 160))],
    ids=["numpy", "wasm", "c"],
)
def test_other_backends_are_exact_up_to_rounding(name, counts, amount, figure):
    count, worst = 0, 0.0
    for batch in range(amount(*counts)):
        several, of = together("replay", batch, 20)
        values, got = replayed(of, name)
        program = of.program
        want = exact(list(steps_of(program)), (1.0,), values, program.outputs)
        first, at = len(program.constants), 0
        for k, (dag, operations) in enumerate(several):
            for _ in dag.leaves:
                g, path = want.gradients[first + at], want.paths[first + at]
                e = 0.0 if g is None else error(got[at], g, path) / max(operations, 1)
                assert e <= BOUND, (batch, k, dag)
                worst = max(worst, e)
                at += 1
        count += len(several)
    figure(
        "a1", f"exact backward of replays in {name} at other numbers", count, worst, BOUND, "e/op"
    )


# --- a5: PyTorch ----------------------------------------------------------------------------------

ROUGH = SIZES | {
    name: lambda o, z, f=EXACT[name]: [abs(slope) + 1e-6 for slope in f(o, z)]
    for name in ("tanh", "sigmoid", "expm1")
}


def test_gradients_are_those_of_torch(amount, figure):
    """Relative to A, and to how far the gradient moves when the leaves move by 1e-9 of their size:
    forward values differ by roundings. PyTorch's own 1 - z * z, z * (1 - z) and z + 1 lose the
    digits of flat ends: there A counts each partial as at least 1e-6. A rounding may take a number
    to the other side of a jump, such as that of fmod: few DAGs are left out for it.
    """
    torch = pytest.importorskip("torch")
    calls = torch_calls(torch)
    count, beside, worst, bound = 0, 0, 0.0, 1e-9
    for dag, made, _ in fitting("a5", amount(100, 300, 10_000), names=(*ARITHMETIC * 8, *calls)):
        mine = gradients(made)
        theirs = exact(dag.steps, dag.constants, data(made), sizes=ROUGH)
        leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in dag.leaves]
        there = dag.run(leaves, calls)
        there[-1].backward()
        near = dag.run([Value(x * (1 + 1e-9)) for x in dag.leaves])
        moved = gradients(near)
        count += 1
        if not all(map(partial(math.isclose, rel_tol=1e-6, abs_tol=1e-9), data(made), data(there))):
            beside += 1
            continue
        for k, leaf in enumerate(leaves):
            path = float(theirs.paths[k] or 0.0)
            want = 0.0 if leaf.grad is None else leaf.grad.item()
            shift = abs(moved[k] - mine[k])  # nan where the moved leaves leave a domain
            size = path + 1e5 * (shift if math.isfinite(shift) else 0.0)
            difference = abs(mine[k] - want)
            assert difference <= bound * size, (dag, mine, k, want)
            worst = max(worst, difference / size if size else 0.0)
    assert beside <= 1 + count / 1_000
    figure("a5", "the same DAGs in PyTorch float64", count, worst, bound, "of A")


def torch_calls(torch):
    """The operations for tensors; constants become tensors."""

    def tensor(x):
        return x if isinstance(x, torch.Tensor) else torch.tensor(x, dtype=torch.float64)

    twins = torch_functions(torch)
    many = {
        "sum": lambda *xs: torch.stack(xs).sum(),
        "dot": lambda *xs: (torch.stack(xs[: len(xs) // 2]) * torch.stack(xs[len(xs) // 2 : -1]))
        .sum() + xs[-1],
        "logsumexp": lambda *xs: torch.logsumexp(torch.stack(xs), 0),
    }  # fmt: skip
    two = torch.tensor(2.0, dtype=torch.float64)

    def sinc(x):
        y = math.pi * x
        is_near = y.abs() < 1e-2
        far = torch.where(is_near, torch.ones_like(y), y)
        near = 1 - y**2 / 6 + y**4 / 120 - y**6 / 5040
        whole = torch.round(x)
        sine = (1 - 2 * (whole % 2)) * torch.sin(math.pi * (x - whole))  # 0 at whole numbers
        return torch.where(is_near, near, sine / far)

    # Where PyTorch's own lose digits: polygamma has 9; sinc has none at whole numbers, and none of
    # its slope near 0; ndtr has few far below 0.
    of_one = {
        "trigamma": lambda x: torch.special.zeta(two, x),
        "sinc": sinc,
        "normal_cdf": lambda x: torch.erfc(-x / math.sqrt(2)) / 2,
    }
    calls = {**twins, "max": torch.maximum, "min": torch.minimum, **many, **of_one}
    return {name: lambda *xs, f=f: f(*map(tensor, xs)) for name, f in calls.items()}


# --- c: metamorphic -------------------------------------------------------------------------------


def test_a_gradient_is_linear(amount, figure):
    count, worst = 0, 0.0
    for dag, made, of in fitting("linear", amount(100, 300, 10_500)):
        rng = random.Random(count)
        a, b = rng.uniform(-3, 3), rng.uniform(-3, 3)
        mid = made[len(made) - 1 - rng.randrange(len(dag.steps))]
        at_root, at_mid = gradients(made), gradients(made, mid)
        both = gradients(made, a * made[-1] + b * mid)
        index = made.index(mid) if mid is not made[-1] else -1
        half = exact(dag.steps, dag.constants, data(made), (index,))
        if not half.fits:
            continue
        for k in range(len(dag.leaves)):
            path = abs(a) * (of.paths[k] or 0) + abs(b) * (half.paths[k] or 0)
            want = a * mp(at_root[k]) + b * mp(at_mid[k])
            e = error(both[k], want, path) / (of.operations + 3)
            assert e <= BOUND, (dag, a, b)
            worst = max(worst, e)
        count += 1
    figure("c", "linearity", count, worst, BOUND, "e/op")


def test_the_product_rule(amount, figure):
    count, worst = 0, 0.0
    for dag, made, of in fitting("product", amount(100, 300, 10_500)):
        mid = made[len(dag.leaves)]
        f, g = made[-1].data, mid.data
        df, dg = gradients(made), gradients(made, mid)
        both = gradients(made, made[-1] * mid)
        other = exact(dag.steps, dag.constants, data(made), (len(dag.leaves),))
        if not other.fits:
            continue
        for k in range(len(dag.leaves)):
            path = abs(g) * (of.paths[k] or 0) + abs(f) * (other.paths[k] or 0)
            want = g * mp(df[k]) + f * mp(dg[k])
            e = error(both[k], want, path) / (of.operations + 1)
            assert e <= BOUND, dag
            worst = max(worst, e)
        count += 1
    figure("c", "product rule", count, worst, BOUND, "e/op")


def test_the_order_of_operands_does_not_matter(amount, figure):
    count, worst = 0, 0.0
    for dag, made, of in fitting("order", amount(100, 300, 10_000)):
        swapped = Dag(dag.leaves, dag.constants, tuple(map(turned, dag.steps)))
        twin = swapped.values()
        assert data(twin) == data(made), dag
        got = gradients(twin)
        for e in errors(of, got):
            assert e <= BOUND * of.operations, dag
            worst = max(worst, e / max(of.operations, 1))
        count += 1
    figure("c", "permutation of operands (data bit for bit)", count, worst, BOUND, "e/op")


def turned(step):
    name, picks = step
    if name == "dot":  # the factors of each product
        half = len(picks) // 2
        return name, (*picks[half:-1], *picks[:half], picks[-1])
    return (name, picks[::-1]) if name in {"add", "mul", "sum"} else step


def test_scaling_by_powers_of_two_is_exact(amount, figure):
    count = 0
    for _, made, _ in fitting("scale", amount(100, 300, 10_000)):
        k = random.Random(count).randint(-30, 30)
        plain = gradients(made)
        scaled = gradients([*made, made[-1] * 2.0**k])[:-1]
        assert scaled == [g * 2.0**k for g in plain]
        count += 1
    figure("c", "scaling by powers of two, bit for bit", count)


def test_a_second_backward_doubles_the_leaves_and_nothing_else(amount, figure):
    count = 0
    for dag, made, _ in fitting("twice", amount(100, 300, 10_000)):
        once = gradients(made)
        made[-1].backward()
        leaves = len(dag.leaves)
        assert [v.grad for v in made[:leaves]] == [2 * g for g in once[:leaves]]
        assert [v.grad for v in made[leaves:]] == once[leaves:]
        count += 1
    figure("c", "repeated backward, bit for bit", count)


def digest(count: int) -> str:
    """The bits of all gradients of so many DAGs."""
    bits = hashlib.sha256()
    for k in range(count):
        _, made = grow(f"process {k}")
        bits.update(repr(gradients(made)).encode())
    return bits.hexdigest()


@pytest.mark.whole
def test_another_process_computes_the_same_bits(amount, figure):
    count = amount(100, 300, 10_000)
    program = f"from test_fuzz import digest; print(digest({count}))"
    assert printed(program, 7).strip() == digest(count)
    figure("c", "another process, bit for bit", count)


# --- d5: threads ----------------------------------------------------------------------------------


def test_two_threads_compute_what_one_does(amount, figure):
    count = amount(100, 300, 10_000)

    def work(thread: int) -> list[float]:
        return [g for k in range(count) for g in gradients(grow(f"thread {thread} {k}")[1])]

    assert in_threads(work, 2) == list(map(work, range(2)))
    figure("d5", "graphs of two threads, bit for bit", 2 * count)


# --- d1: exceptions -------------------------------------------------------------------------------


def graph_of(seed: str, depth: int) -> list[Value]:
    """The values below the root of a random DAG, which ends in a chain of so many operations."""
    _, made = grow(seed)
    for _ in range(depth):
        made.append(made[-1].tanh() + made[-1])
    return toposort(made[-1])


@pytest.mark.some(2)
@pytest.mark.parametrize(("depth", "stride"), [(0, 1), (300, 301)])
def test_an_exception_anywhere_in_a_backward_leaves_gradients_old_or_complete(
    depth, stride, amount, figure, monkeypatch
):
    """Before every line that runs; in deep graphs before one in 301."""
    # a trace may raise where nothing else can: before the lock is released
    monkeypatch.setattr(alone, "lock", threading.RLock())
    library = value.__file__, sweep.__file__
    stops, unchanged = 0, 0
    for k in range(amount(3, 100)):
        values = graph_of(f"d1 {k}", depth)
        passed = gradients(values)
        old = [5.0 + i for i in range(len(values))]
        new = [g if v.op else g + was for v, g, was in zip(values, passed, old, strict=True)]
        for line in itertools.count(step=stride):
            set_each("grad", values, old)
            try:
                with stopped(lambda code: code.co_filename in library, line):
                    values[-1].backward()
            except KeyboardInterrupt:
                stops += 1
            else:
                break
            outcome = [v.grad for v in values]
            assert outcome in (old, new), (k, line)
            unchanged += outcome == old
            set_each("grad", values, old)
            values[-1].backward()
            assert [v.grad for v in values] == new, (k, line)
        assert [v.grad for v in values] == new, k
    assert unchanged > 25
    figure("d1", "Ctrl-C at the lines of a backward of random DAGs: torn gradients", stops)
