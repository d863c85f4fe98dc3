"""Random DAGs of up to 40 operations, and their backward pass done exactly.

A DAG is a plan: which operation takes which operands. The engine, PyTorch and a replay build the
same one. The exact pass takes the forward values as they were computed, and has the derivatives
from MPFR at 120 bits, written here without a look at the rows.
"""

import math
import operator
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import mpmath
import oracles
from bounds import FORWARD_ULPS, condition

import engine
from engine.op import Op
from engine.ops import OPS
from engine.replay.roll import Program
from engine.value import Value, call, data_of

try:
    import gmpy2
except ImportError:  # the tests that need it say so
    gmpy2 = None
else:
    gmpy2.get_context().precision = 120

U = 2.0**-53
BOUND = 10  # times the number of operations: the error a gradient may have, in units of u * A


def _halves(xs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Any]:
    half = len(xs) // 2
    return xs[:half], xs[half:-1], xs[-1]


ONE = tuple(op.name for op in OPS.values() if op.arity == 1)
TWO = tuple(op.name for op in OPS.values() if op.arity == 2)
CALLS: dict[str, Callable[..., Any]] = {
    **{"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv},
    **{name: partial(call, OPS[name]) for name in TWO},
    **{"pow": operator.pow, "max": engine.max, "min": engine.min},
    **{"mod": operator.mod, "floor_divide": operator.floordiv},
    **{name: getattr(Value, name) for name in ONE},
    "sum": lambda *xs: engine.sum(xs),
    "dot": lambda *xs: engine.dot(*_halves(xs)),
    "logsumexp": lambda *xs: engine.logsumexp(xs),
}
MANY = ("sum", "dot", "logsumexp")
ARITHMETIC = ("add", "sub", "mul", "div")
NAMES = (*ARITHMETIC * 8, "pow", "pow", *CALLS)  # often enough that most results come of it


def _has_power(x: float, y: float) -> bool:
    return x > 0 or (x < 0 and y.is_integer())


def _inside(op: Op, margin: float) -> Callable[..., bool]:
    """Whether operands lie in the domain of a row, and its result and slopes are finite."""
    low, high = op.domain[0] + margin, op.domain[1] - margin
    return lambda *at: low < at[0] < high and all(map(math.isfinite, op.forward(at)))


# Operands that an operation may have in an ordinary DAG, and those it may have in a wild one.
ORDINARY: dict[str, Callable[..., bool]] = {
    **{name: _inside(OPS[name], 1e-3) for name in (*ONE, *TWO)},
    **dict.fromkeys(["hypot", "atan2"], lambda x, y: abs(x) + abs(y) > 1e-3),
    **dict.fromkeys(["cbrt", "reciprocal"], lambda x: abs(x) > 1e-3),
    **dict.fromkeys(["mod", "fmod", "floor_divide", "copysign"], lambda x, y: abs(y) > 1e-3),
    "xlogy": lambda x, y: y > 1e-3,
    "digamma": lambda x: x > 1e-3,
    "trigamma": lambda x: x > 1e-3,
    **dict.fromkeys(["log", "sqrt"], lambda x: x > 1e-3),
    **dict.fromkeys(["asin", "acos"], lambda x: abs(x) < 0.999),
    **dict.fromkeys(["exp", "expm1", "sinh", "cosh"], lambda x: abs(x) < 20),
    **dict.fromkeys(["erf", "erfc", "gelu"], lambda x: abs(x) < 5),
    **dict.fromkeys(["sin", "cos", "tan"], lambda x: abs(x) < 1e3),
    "log1p": lambda x: x > -0.99,
    "div": lambda x, y: abs(y) > 1e-3,
    "pow": lambda x, y: _has_power(x, y) and abs(x) > 1e-3 and abs(y * math.log(abs(x))) < 20,
}
WILD: dict[str, Callable[..., bool]] = {
    **{name: _inside(OPS[name], 0.0) for name in (*ONE, *TWO)},
    **dict.fromkeys(["hypot", "atan2", "mod", "fmod", "floor_divide"], lambda x, y: x != 0 != y),
    "copysign": lambda x, y: y != 0,
    "xlogy": lambda x, y: y > 0,
    "digamma": lambda x: x > 0,
    "trigamma": lambda x: x > 0,
    **dict.fromkeys(["log", "sqrt"], lambda x: x > 0),
    **dict.fromkeys(["asin", "acos"], lambda x: abs(x) < 1),
    **dict.fromkeys(["exp", "expm1", "sinh", "cosh"], lambda x: abs(x) < 500),
    **dict.fromkeys(["sin", "cos", "tan"], lambda x: abs(x) < 1e9),
    **dict.fromkeys(["erf", "erfc", "gelu"], lambda x: abs(x) < 25),
    "log1p": lambda x: x > -1,
    "div": lambda x, y: y != 0,
    "pow": lambda x, y: _has_power(x, y) and abs(y * math.log(abs(x))) < 500,
}

Step = tuple[str, tuple[int, ...]]
Slopes = Callable[[Sequence[float], float], Sequence[Any]]


@dataclass(frozen=True)
class Dag:
    """Operands are places: of a leaf, of a result after the leaves, or -1 - k for constant k."""

    leaves: tuple[float, ...]
    constants: tuple[float, ...]
    steps: tuple[Step, ...]

    def run(self, leaves: Sequence[Any], calls: dict[str, Callable[..., Any]] = CALLS) -> list[Any]:
        """The leaves and all results, the root last."""
        made = list(leaves)
        constants = self.constants
        for name, picks in self.steps:
            made.append(calls[name](*[made[p] if p >= 0 else constants[-1 - p] for p in picks]))
        return made

    def values(self) -> list[Value]:
        return self.run([Value(x) for x in self.leaves])


def grow(
    seed: object, names: Sequence[str] = NAMES, wild: bool = False, most: int = 40
) -> tuple[Dag, list[Value]]:
    """A random DAG, and the engine's values for it."""
    rng = random.Random(str(seed))
    roll = rng.random
    fits = WILD if wild else ORDINARY
    count = 1 + int(4 * roll())

    def leaf() -> float:
        return (2 - 4 * roll()) * (10 ** (60 * roll() - 30) if wild else 1.0)

    leaves = [leaf() for _ in range(count)]
    constants = (0.5, 2.0, -1.5, leaf(), 3.0, -1.0, -2.0)
    made = [Value(x) for x in leaves]
    steps: list[Step] = []
    for _ in range(1 + int((most - 1) * roll())):
        name = names[int(len(names) * roll())]
        operands = 1 if name in ONE else 2 if name in TWO else 3 + 2 * int(2 * roll())
        size = len(made)
        picks = [int(size * roll()) if roll() < 0.5 else size - 1 - int(min(size, 3) * roll())
                 for _ in range(operands)]  # fmt: skip
        constant = -1 - int(len(constants) * roll())
        if name == "pow" and roll() < 0.75:
            picks[1] = constant
        elif operands > 1 and roll() < 0.25:
            picks[int(operands * roll())] = constant
        taken = [made[p] if p >= 0 else constants[-1 - p] for p in picks]
        fit = fits.get(name)
        # a power of a base below 0 has no slope with respect to its exponent
        slopes = name != "pow" or picks[1] < 0 or data_of(taken[0]) > 0
        if not slopes or (fit and not fit(*map(data_of, taken))):
            name, picks, taken = "tanh", [size - 1], [made[-1]]
        z = CALLS[name](*taken)
        if not 1e-100 < abs(z.data) < 1e100 and not (z.data == 0 and not wild):
            name, picks = "tanh", [size - 1]
            z = made[-1].tanh()
        made.append(z)
        steps.append((name, tuple(picks)))
    used = {p for _, picks in steps for p in picks}
    ends = [p for p in range(count, len(made)) if p not in used]
    if len(ends) > 1 and roll() < 0.75:  # else the root depends on few of the operations
        made.append(engine.sum([made[p] for p in ends]))
        steps.append(("sum", tuple(ends)))
    return Dag(tuple(leaves), constants, tuple(steps)), made


# --- the exact backward pass ----------------------------------------------------------------------


@cache
def _root(x: int) -> Any:
    return gmpy2.sqrt(gmpy2.mpfr(x))


@cache
def _pi() -> Any:
    return gmpy2.const_pi()


def mp(x: float) -> Any:
    return gmpy2.mpfr(x)


def _gauss(x: float) -> Any:
    """The density of the normal distribution."""
    return gmpy2.exp(-mp(x) * x / 2) / gmpy2.sqrt(2 * _pi())


def _normal(x: float) -> Any:
    return gmpy2.erfc(-mp(x) / _root(2)) / 2


def _round(x: float) -> Any:
    return 2 / gmpy2.sqrt(_pi()) * gmpy2.exp(-mp(x) * x)


def _bell(x: float) -> Any:
    return 1 / gmpy2.sqrt((1 - mp(x)) * (1 + mp(x)))


def _dot_slopes(operands: Sequence[float], z: float) -> list[float]:
    xs, ys, _ = _halves(operands)
    return [*ys, *xs, 1.0]


def _from_mpmath(x: Any) -> Any:
    if isinstance(x, mpmath.mpc):  # such as the logarithm of a negative number
        return gmpy2.nan()
    x = mpmath.mpf(x)
    if not mpmath.isfinite(x):
        return gmpy2.mpfr(float(x))
    if abs(x.exp) > 10_000:  # far outside the floats
        return gmpy2.mpfr(0 if x.exp < 0 else "inf")
    return gmpy2.mul_2exp(gmpy2.mpfr(x.man), x.exp) * (1 if x >= 0 else -1)


def _at(slope: Any, *operands: Any) -> Any:
    """A slope; mpmath raises where it is infinite, as that of atanh at 1."""
    try:
        return _from_mpmath(slope(*operands))
    except ZeroDivisionError:
        return gmpy2.inf()


def _slopes(name: str) -> Slopes:
    """Those of a row by its twin in mpmath, which is slower."""
    return lambda o, z: [_at(f, *map(mpmath.mpf, o)) for f in oracles.EXACT[name][1:]]


def _sizes(name: str) -> Slopes:
    """The same, each as much larger as its formula may be worse."""

    def sizes(o: Sequence[float], z: float) -> list[Any]:
        slopes = _slopes(name)(o, z)
        worse = [1 + condition(f, *o) for f in oracles.EXACT[name][1:]]
        return [abs(slope) * factor for slope, factor in zip(slopes, worse, strict=True)]

    return sizes


# d z / d operand for each operand, from the operands and the result as the engine has it
EXACT: dict[str, Slopes] = {
    **{name: _slopes(name) for name in (*ONE, *TWO)},
    "add": lambda o, z: (1.0, 1.0),
    "sub": lambda o, z: (1.0, -1.0),
    "mul": lambda o, z: (o[1], o[0]),
    "div": lambda o, z: (1 / mp(o[1]), -mp(o[0]) / mp(o[1]) ** 2),
    "pow": lambda o, z: (
        o[1] * mp(o[0]) ** (mp(o[1]) - 1),
        mp(o[0]) ** mp(o[1]) * gmpy2.log(mp(o[0])),
    ),
    "max": lambda o, z: (1.0, 0.0) if o[0] >= o[1] else (0.0, 1.0),
    "min": lambda o, z: (1.0, 0.0) if o[0] <= o[1] else (0.0, 1.0),
    "leaky_relu": lambda o, z: (1.0, 0.0) if o[0] > 0 else (o[1], o[0]),
    "neg": lambda o, z: (-1.0,),
    "abs": lambda o, z: ((o[0] > 0) - (o[0] < 0),),
    "relu": lambda o, z: (float(o[0] > 0),),
    "exp": lambda o, z: (gmpy2.exp(mp(o[0])),),
    "expm1": lambda o, z: (gmpy2.exp(mp(o[0])),),
    "log": lambda o, z: (1 / mp(o[0]),),
    "log1p": lambda o, z: (1 / (1 + mp(o[0])),),
    "sqrt": lambda o, z: (1 / (2 * gmpy2.sqrt(mp(o[0]))),),
    "sin": lambda o, z: (gmpy2.cos(mp(o[0])),),
    "cos": lambda o, z: (-gmpy2.sin(mp(o[0])),),
    "tan": lambda o, z: (gmpy2.sec(mp(o[0])) ** 2,),
    "sinh": lambda o, z: (gmpy2.cosh(mp(o[0])),),
    "cosh": lambda o, z: (gmpy2.sinh(mp(o[0])),),
    "tanh": lambda o, z: (gmpy2.sech(mp(o[0])) ** 2,),
    "asin": lambda o, z: (_bell(o[0]),),
    "acos": lambda o, z: (-_bell(o[0]),),
    "atan": lambda o, z: (1 / (1 + mp(o[0]) * o[0]),),
    "sigmoid": lambda o, z: (gmpy2.sech(mp(o[0]) / 2) ** 2 / 4,),
    "softplus": lambda o, z: (1 / (1 + gmpy2.exp(-mp(o[0]))),),
    "erf": lambda o, z: (_round(o[0]),),
    "erfc": lambda o, z: (-_round(o[0]),),
    "gelu": lambda o, z: (_normal(o[0]) + o[0] * _gauss(o[0]),),
    "sum": lambda o, z: (1.0,) * len(o),
    "dot": _dot_slopes,
    "logsumexp": lambda o, z: [gmpy2.exp(mp(x) - z) for x in o],
}
# What counts as the size of a partial whose formula cannot be better than its condition number:
# exp(t) turns an error of one rounding in t into abs(t) roundings.
SIZES: dict[str, Slopes] = {
    **{name: _sizes(name) for name in (*ONE, *TWO) if name not in FORWARD_ULPS},
    "erf": lambda o, z: (_round(o[0]) * (1 + o[0] * o[0]),),
    "erfc": lambda o, z: (_round(o[0]) * (1 + o[0] * o[0]),),
    "gelu": lambda o, z: ((_normal(o[0]) + abs(o[0]) * _gauss(o[0])) * (1 + o[0] * o[0]),),
    "logsumexp": lambda o, z: [gmpy2.exp(mp(x) - z) * (1 + abs(x - z)) for x in o],
}
SMALLEST, LARGEST = 1e-290, 1e290  # beyond, a float may have lost digits that MPFR has


@dataclass(frozen=True)
class Exact:
    """The exact gradient of every place, None where the root does not depend on it."""

    gradients: list[Any]
    paths: list[Any]  # the sum over paths of the abs of their partials
    operations: int  # those below the root
    fits: bool  # whether no share is too small or too large for a float


def exact(
    steps: Sequence[Step],
    constants: Sequence[float],
    data: Sequence[float],
    roots: Sequence[int] = (-1,),
    sizes: dict[str, Slopes] | None = None,
) -> Exact:
    """The backward pass of the roots' sum, in MPFR, at the forward values `data`.

    `sizes` has the operations whose partials count as larger than they are.
    """
    sizes = SIZES if sizes is None else sizes
    gradients: list[Any] = [None] * len(data)
    paths: list[Any] = [None] * len(data)
    for root in roots:
        gradients[root] = paths[root] = mp(1.0)
    place, operations, fits = len(data), 0, True
    for name, picks in reversed(steps):
        place -= 1
        g = gradients[place]
        if g is None:
            continue
        operations += 1
        a = paths[place]
        operands = [data[p] if p >= 0 else constants[-1 - p] for p in picks]
        slopes = EXACT[name](operands, data[place])
        weights = sizes[name](operands, data[place]) if name in sizes else slopes
        for p, slope, size in zip(picks, slopes, weights, strict=True):
            if p < 0:
                continue
            share, path = g * slope, a * abs(size)
            if gradients[p] is None:
                gradients[p], paths[p] = share, path
            else:
                gradients[p] += share
                paths[p] += path
            if path and not (SMALLEST < path < LARGEST and SMALLEST < abs(slope) < LARGEST):
                fits = False
            if share and abs(share) < SMALLEST:
                fits = False
    return Exact(gradients, paths, operations, fits)


def steps_of(program: Program) -> Iterator[Step]:
    """The rows of a rolled program as steps, for the constants (1.0,): each further summand of a
    dot is multiplied by it.
    """
    for loop in program.loops:
        terms = math.prod(loop.terms)
        scalars = [view.places() for view in loop.scalars]
        vectors = [view.places() for view in loop.vectors]
        for row in range(loop.rows):
            s = [places[row] for places in scalars]
            vs = [places[row * terms : (row + 1) * terms] for places in vectors]
            name = loop.op.name
            if name == "dot":
                bias, *summands = s or [-1]
                yield name, (*vs[0], *summands, *vs[1], *(-1 for _ in summands), bias)
            else:
                yield "sum" if name == "add" else name, (*s, *(p for v in vs for p in v))


@dataclass(frozen=True)
class Found:
    """What a number of DAGs gave."""

    count: int = 0
    skipped: int = 0
    worst: float = 0.0  # the largest e for each operation of its DAG
    seed: str = ""

    def __or__(self, other: "Found") -> "Found":
        worst = max(self, other, key=lambda found: found.worst)
        return Found(
            self.count + other.count, self.skipped + other.skipped, worst.worst, worst.seed
        )


def fuzz(first: int, last: int) -> Found:
    """The engine's gradients of so many DAGs, every fourth a wild one, beside the exact ones."""
    count = skipped = 0
    worst, worst_seed = 0.0, ""
    for k in range(first, last):
        seed = f"a1 {k}"
        dag, made = grow(seed, wild=k % 4 == 3)
        made[-1].backward()
        of = exact(dag.steps, dag.constants, [v.data for v in made])
        if not of.fits:
            skipped += 1
            continue
        count += 1
        e = max(errors(of, [v.grad for v in made])) / max(of.operations, 1)
        if not e <= worst:
            worst, worst_seed = e, seed
    return Found(count, skipped, worst, worst_seed)


def error(got: float, want: Any, path: Any) -> float:
    """The measure e: abs(g - g*) / (u * A)."""
    if got == want:
        return 0.0
    return float(abs(got - want) / (U * path)) if path and math.isfinite(got) else math.inf


def errors(of: Exact, got: Sequence[float | None]) -> Iterator[float]:
    """e of every place that the root depends on; None in `got` is a gradient nobody asked for."""
    for g, want, path in zip(got, of.gradients, of.paths, strict=True):
        if want is not None and g is not None:
            yield error(g, want, path)
