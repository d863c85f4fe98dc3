"""Contractions in C against plain loops in Python."""

import ctypes
import random
import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from math import prod

import pytest
from contractions import case, check_sums, summed

from engine.replay.backends import contraction as plan
from engine.replay.backends import library
from engine.replay.backends.ccontraction import PRELUDE, contraction
from engine.replay.backends.contraction import Machine
from engine.replay.loops import Loop
from engine.replay.views import View

pytestmark = pytest.mark.skipif(library.compiler() is None, reason="no C compiler here")

Steps = tuple[int, ...]
WIDE, NARROW = Machine(8, 20), Machine(4, 10)


@pytest.mark.whole
def test_random_contractions() -> None:
    draw = random.Random(1)
    text, every = [PRELUDE], [case(draw) for _ in range(150)]
    for k, (machine, result, factors, starts, assign) in enumerate(every):
        lines, work = contraction(machine, result, factors, starts, assign)
        assert work < 100_000
        names = [view.memory for view in (*factors, *starts)]
        arguments = "".join(f"const double *restrict {name}, " for name in names)
        body = "\n".join(lines)
        text.append(f"void f{k}({arguments}double *z, double *restrict w)\n{{\n{body}\n}}\n")
    lib = library.load("\n".join(text))
    work_memory = (ctypes.c_double * 100_000)()
    for k, (_, result, factors, starts, assign) in enumerate(every):
        arrays, want, off = summed(draw, result, factors, starts, assign)
        given = {n: (ctypes.c_double * len(a))(*a) for n, a in arrays.items()}
        order = [given[view.memory] for view in (*factors, *starts)]
        getattr(lib, f"f{k}")(*order, given["z"], work_memory)
        check_sums(given["z"], want, off)


# What a line of C is in Python where only its loops count, and what it does.
AS_PYTHON = {
    r"for \(int (i\d) = 0; i\d < (\d+); i\d\+\+\) {": r"for \1 in range(\2):",
    r"for \(int (i\d) = 0; i\d < (\d+); i\d \+= (\d+)\) {": r"for \1 in range(0, \2, \3):",
    r"for \(; (i\d) < (\d+); i\d\+\+\) {": r"for \1 in range(\1, \2):",
    r"while \((i\d < \d+)\) {": r"while \1:",
    r"int (i\d) = 0;": r"\1 = 0",
    r"(i\d)\+\+;": r"\1 += 1",
    r"{": "if True:",
    r"}": "pass",
    r"(?:V(\d)|double) (s\w*) = .*": r"lanes['\2'] = int('\1' or 1); chain['\2'] = 0",
    r"(s\w*) \+= [xy].*": r"add('\1')",
    r"(?:V\d|double) [xy]_\w+ = .*": "met['loads'] += 1",
    r"KEEP\d\(.*": "met['kept'] += 1",
    r"\w+_packed\[.* = .*": "met['copies'] += 1",
    r"(?:AT\d\()?z.* \+?= .*": "met['stores'] += 1",
    r"s\w* \+= s.*|double \*restrict .*": "pass",
}


def met(lines: Sequence[str]) -> Counter[str]:
    """How often each kind of line is met when they run; how many sums one step adds to; and the
    longest chain of additions, each of which waits for the one before.
    """
    code = []
    for line in lines:
        bare = line.lstrip()
        tried = ((re.fullmatch(c, bare), python) for c, python in AS_PYTHON.items())
        found, python = next((found, python) for found, python in tried if found)
        code.append(line[: len(line) - len(bare)] + found.expand(python))
    is_sum = [re.fullmatch(r" *s\w* \+= [xy].*", line) is not None for line in lines]
    counts = Counter(at_once=max(len(list(group)) for adds, group in groupby(is_sum) if adds))
    lanes: dict[str, int] = {}
    chain: dict[str, int] = {}

    def add(to: str) -> None:
        counts["sums"] += 1
        counts["products"] += lanes[to]
        chain[to] += 1
        counts["chain"] = max(counts["chain"], chain[to])

    exec("\n".join(code), {"met": counts, "lanes": lanes, "chain": chain, "add": add})
    return counts


@pytest.mark.whole
def test_each_product_is_added_once() -> None:
    draw = random.Random(2)
    for _ in range(300):
        _, result, *rest = case(draw)
        machine = draw.choice([Machine(2, 10), Machine(2, 20), NARROW, WIDE])
        lines, _ = contraction(machine, result, *rest)
        counts = met(lines)
        assert counts["products"] == prod(result.shape)
        assert counts["at_once"] <= machine.sums


# fmt: off
WORK = [  # of lanes, lengths, z, x, y: sums, loads, kept, copies, stores, at once, chain
    # a matrix product: 8 rows by 2 registers at a time, so 10 loads serve 16 sums
    (8, (32, 16, 64), (16, 1, 0), (64, 0, 1), (0, 1, 16), (4096, 2560, 512, 0, 64, 16, 64)),
    (4, (32, 16, 64), (16, 1, 0), (64, 0, 1), (0, 1, 16), (8192, 6144, 4096, 0, 128, 8, 64)),
    # of odd lengths: rows of 11, and what is left over of a row in a register of 1
    (8, (33, 17, 65), (17, 1, 0), (65, 0, 1), (0, 1, 17), (6435, 3315, 780, 0, 99, 18, 65)),
    (8, (7, 100, 65), (100, 1, 0), (65, 0, 1), (0, 1, 100), (5915, 3445, 1625, 0, 91, 16, 65)),
    # a matrix that lies across the lanes is copied once
    (8, (32, 16, 64), (16, 1, 0), (64, 0, 1), (0, 64, 1), (4096, 2560, 512, 1024, 64, 16, 64)),
    (4, (32, 16, 64), (16, 1, 0), (64, 0, 1), (0, 64, 1), (8192, 6144, 4096, 1024, 128, 8, 64)),
    # ... and of two that could lie along the lanes the one that does so in z
    (8, (16, 16, 64), (1, 16, 0), (64, 0, 1), (0, 64, 1), (2048, 1280, 256, 1024, 32, 16, 64)),
    (8, (16, 16, 64), (16, 1, 0), (64, 0, 1), (0, 64, 1), (2048, 1280, 256, 1024, 32, 16, 64)),
    # as many rows at a time as leave none over, if that is more than half of the most
    (8, (44, 16, 64), (16, 1, 0), (64, 0, 1), (0, 1, 16), (5632, 3456, 640, 0, 88, 18, 64)),
    (8, (35, 16, 64), (16, 1, 0), (64, 0, 1), (0, 1, 16), (4480, 2880, 640, 0, 70, 14, 64)),
    (8, (18, 16, 64), (16, 1, 0), (64, 0, 1), (0, 1, 16), (2304, 1408, 256, 0, 36, 18, 64)),
    (8, (10, 48, 20), (48, 1, 0), (20, 0, 1), (0, 1, 48), (1200, 640, 240, 0, 60, 15, 20)),
    (8, (10, 88, 20), (88, 1, 0), (20, 0, 1), (0, 1, 88), (2200, 1040, 440, 0, 110, 20, 20)),
    # a matrix times a vector, which is kept for 4 rows
    (8, (64, 16), (1, 0), (16, 1), (0, 1), (128, 160, 32, 0, 64, 8, 1)),
    (8, (5, 1000), (1, 0), (1000, 1), (0, 1), (625, 875, 250, 0, 5, 8, 62)),
    (8, (11, 300), (1, 0), (300, 1), (0, 1), (418, 532, 114, 0, 11, 8, 18)),
    (8, (11, 300), (1, 0), (1, 11), (0, 1), (900, 1200, 0, 0, 3, 3, 150)),
    (8, (300, 10), (1, 0), (1, 300), (0, 1), (380, 480, 0, 0, 38, 4, 5)),
    (4, (300, 10), (1, 0), (1, 300), (0, 1), (750, 1000, 0, 0, 75, 3, 5)),
    # one dot, side by side and in steps of 3
    (8, (1003,), (0,), (1,), (1,), (127, 254, 0, 0, 1, 4, 31)),
    (8, (1003,), (0,), (3,), (1,), (127, 254, 0, 0, 1, 4, 31)),
    # sums of one factor, stored side by side and in steps of 5
    (8, (337, 100), (1, 0), (1, 337), (), (4300, 4300, 0, 0, 43, 3, 50)),
    (8, (337, 101), (5, 0), (1, 337), (), (4343, 4343, 0, 0, 337, 3, 51)),
    (8, (300, 8), (1, 0), (1, 300), (0, 1), (304, 384, 0, 0, 38, 4, 4)),
    (8, (8, 40), (1, 0), (1, 8), (), (40, 40, 0, 0, 1, 1, 5)),
    # several axes of terms
    (8, (6, 7, 9), (0, 0, 0), (63, 9, 1), (63, 9, 1), (48, 96, 0, 0, 1, 4, 11)),
    (8, (40, 6, 5), (0, 0, 1), (30, 5, 1), (5, 0, 1), (480, 960, 0, 0, 2, 2, 240)),
    (8, (40, 6, 5), (0, 5, 1), (30, 5, 1), (5, 0, 1), (480, 560, 40, 0, 12, 12, 40)),
    (8, (3, 2, 3, 5), (3, 0, 1, 0), (30, 15, 5, 1), (10, 5, 0, 1), (36, 48, 6, 0, 9, 6, 2)),
    # too short for registers
    (8, (3, 2), (1, 0), (2, 1), (2, 1), (6, 0, 0, 0, 3, 1, 2)),
]
# fmt: on


@pytest.mark.parametrize(("lanes", "lengths", "z", "x", "y", "work"), WORK)
def test_how_much_work_it_is(
    lanes: int, lengths: Steps, z: Steps, x: Steps, y: Steps, work: tuple[int, ...]
) -> None:
    result, *factors = [
        View(name, 0, lengths, steps) for name, steps in (("z", z), ("x", x), ("y", y)) if steps
    ]
    machine = {8: WIDE, 4: NARROW}[lanes]
    lines, memory = contraction(machine, result, factors)
    counts = met(lines)
    kinds = "sums", "loads", "kept", "copies", "stores", "at_once", "chain"
    assert tuple(counts[kind] for kind in kinds) == work
    assert memory == counts["copies"]


ONE = View("v", 0, (4,), (1,))


@pytest.mark.parametrize(
    ("expression", "product", "power"),
    [
        ("x * y", ["x", "y"], ""),
        ("x", ["x"], ""),
        ("x + y", [], ""),
        ("x * exp", [], ""),
        ("g * exp(x - z)", [], "x - z"),
        ("g * exp(x) * y", [], ""),
    ],
)
def test_what_is_a_product_and_what_the_slope_of_a_softmax(
    expression: str, product: list[str], power: str
) -> None:
    loop = Loop("dot", ONE, "=", expression, {"x": ONE, "y": ONE})
    assert (plan.factors(loop), plan.exponent(loop)) == (product, power)
