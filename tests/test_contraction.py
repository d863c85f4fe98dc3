"""Contractions in C against plain loops in Python."""

import ctypes
import operator
import random
from collections.abc import Sequence
from itertools import product
from math import prod

import pytest

from engine.backends import library
from engine.backends.contraction import PRELUDE, Machine, Part, contraction, merged

pytestmark = pytest.mark.skipif(library.compiler() is None, reason="no C compiler here")

Case = tuple[Machine, tuple[int, ...], Part, list[Part], list[Part], str]


def places(part: Part, lengths: Sequence[int]) -> list[int]:
    """All places in the order of the axes."""
    every = product(*map(range, lengths))
    return [sum(i * s for i, s in zip(at, part.steps, strict=True)) for at in every]


def steps(draw: random.Random, lengths: Sequence[int], keep: float) -> tuple[int, ...]:
    """Steps along the axes in any order; none along some."""
    found, size = [0] * len(lengths), draw.choice([1, 1, 3])
    for k in draw.sample(range(len(lengths)), len(lengths)):
        if draw.random() < keep:
            found[k] = size
            size *= lengths[k]
    return tuple(found)


def case(draw: random.Random) -> Case:
    lengths = [draw.choice([1, 2, 3, 5, 8, 9, 17, 40]) for _ in range(draw.randint(1, 3))]
    if draw.random() < 0.3:
        lengths.append(draw.choice([1, 2, 7, 30]))
    result = Part("z", steps(draw, lengths, 0.6))
    factors = [Part(name, steps(draw, lengths, 0.7)) for name in "xy"[: draw.randint(1, 2)]]
    starts = [Part(f"b{k}", steps(draw, lengths, 0.8)) for k in range(draw.randint(0, 2))]
    rows = [bool(step) for step in result.steps]
    starts = [Part(b.name, tuple(map(operator.mul, b.steps, rows))) for b in starts]
    machine = Machine(draw.choice([2, 4, 8]), draw.choice([10, 20]))
    return machine, tuple(lengths), result, factors, starts, draw.choice(["=", "+="])


def test_random_contractions() -> None:
    draw = random.Random(1)
    text, every = [PRELUDE], [case(draw) for _ in range(150)]
    for k, (machine, lengths, result, factors, starts, assign) in enumerate(every):
        lines, work = contraction(machine, lengths, result, factors, starts, assign)
        assert work < 100_000
        names = [part.name for part in (*factors, *starts)]
        arguments = "".join(f"const double *restrict {name}, " for name in names)
        body = "\n".join(lines)
        text.append(f"void f{k}({arguments}double *z, double *restrict w)\n{{\n{body}\n}}\n")
    lib = library.load("\n".join(text))
    work_memory = (ctypes.c_double * 100_000)()
    for k, (_, lengths, result, factors, starts, assign) in enumerate(every):
        arrays = {}
        for part in (result, *factors, *starts):
            size = max(places(part, lengths)) + 1
            arrays[part.name] = [draw.uniform(-1, 1) for _ in range(size)]
        want = list(arrays["z"])
        outer = [n if s else 1 for n, s in zip(lengths, result.steps, strict=True)]
        first = {p.name: places(p, outer) for p in (result, *starts)}
        for row in range(prod(outer)):
            start = sum(arrays[b.name][first[b.name][row]] for b in starts)
            at = first["z"][row]
            want[at] = start if assign == "=" else want[at] + start
        of = {part.name: places(part, lengths) for part in (result, *factors)}
        for i in range(prod(lengths)):
            want[of["z"][i]] += prod(arrays[part.name][of[part.name][i]] for part in factors)
        given = {n: (ctypes.c_double * len(a))(*a) for n, a in arrays.items()}
        order = [given[part.name] for part in (*factors, *starts)]
        getattr(lib, f"f{k}")(*order, given["z"], work_memory)
        assert list(given["z"]) == pytest.approx(want, rel=1e-12, abs=1e-12), every[k]


def test_a_matrix_product_loads_whole_registers() -> None:
    lengths = (32, 16, 64)
    lines, work = contraction(
        Machine(8, 20),
        lengths,
        Part("z", (16, 1, 0)),
        [Part("x", (0, 64, 1)), Part("y", (64, 0, 1))],
    )
    assert work == 16 * 64  # the matrix lies across the lanes once, side by side
    assert (
        sum(line.strip().startswith("s") for line in lines) == 2 * 8
    )  # 8 rows of 2 registers at a time


def test_even_axes_are_merged() -> None:
    lengths, (z, x) = merged((4, 1, 5, 6), [Part("z", (30, 9, 6, 1)), Part("x", (0, 9, 6, 1))])
    assert lengths == (4, 30)
    assert (z.steps, x.steps) == ((30, 1), (0, 1))
