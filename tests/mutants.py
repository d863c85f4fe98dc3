"""Wrong engines: do the quick gradient tests notice? Run as `python tests/mutants.py rows 100`.

Each mutant is one change in one file of a copy of the project. A process that has loaded the big
libraries forks a child for each, which runs the tests there; a mutant is killed where one fails,
or where they take longer than a minute.
"""

import ast
import copy
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 60  # seconds; the tests of a right engine take a few


@dataclass(frozen=True)
class Mutant:
    file: str
    what: str
    text: str  # the whole file


@dataclass(frozen=True)
class Target:
    """Files, the functions of them that are changed (all if none are named), and who looks."""

    files: dict[str, tuple[str, ...]]
    tests: tuple[str, ...]


GRADIENTS = "tests/test_fuzz.py::test_gradients_are_exact_up_to_rounding"
TWICE = "tests/test_fuzz.py::test_a_second_backward_doubles_the_leaves_and_nothing_else"
BITS = "tests/test_fuzz.py::test_python_replays_bit_for_bit"
OTHERS = "tests/test_fuzz.py::test_other_backends_are_exact_up_to_rounding"
BACKENDS = "engine/backends"
TARGETS = {
    "rows": Target({"engine/ops.py": ()}, (GRADIENTS, "tests/test_ops.py")),
    "chain": Target(
        {
            "engine/value.py": ("backward", "sweep", "_sorted", "_sweep", "_summed", "apply",
                                "node", "node_of_many", "set_each", "_set_grad", "forget_each"),
            "engine/operators.py": ("_make", "_method", "source", "dot_source"),
        },
        (GRADIENTS, TWICE, "tests/test_operators.py", "tests/test_value.py"),
    ),
    "roller": Target({"engine/roll.py": ()}, (BITS, "tests/test_roll.py")),
    "python": Target(
        {f"{BACKENDS}/python.py": ()},
        (BITS, "tests/test_python.py::test_graphs", "tests/test_python.py"),
    ),
    "numpy": Target(
        {f"{BACKENDS}/{name}.py": () for name in ("adjoints", "arrays", "scalars", "matmul")},
        (f"{OTHERS}[numpy-10-500]", "tests/test_numpy.py"),
    ),
    "c": Target(
        {f"{BACKENDS}/{name}.py": () for name in ("cformula", "cloops", "ctext")},
        (f"{OTHERS}[c-2-40]", "tests/test_c.py"),
    ),
}  # fmt: skip

# One change each, written by hand: the mistakes that engines are known for.
BY_HAND = {
    "engine/value.py": [
        ("x.adjoint += g * v.dx", "x.adjoint = g * v.dx"),
        ("x.adjoint += g * v.dx", "x.adjoint -= g * v.dx"),
        ("x.adjoint += g * v.dx", "x.adjoint += v.dx"),
        ("x.adjoint += g * v.dx", "x.adjoint += g * v.dy"),
        ("x.adjoint += g * v.dx", "x.adjoint += g + v.dx"),
        ("y.adjoint += g * v.dy", "y.adjoint = g * v.dy"),
        ("y.adjoint += g * v.dy", "y.adjoint += g * v.dx"),
        ("y.adjoint += g * v.dy", "pass"),
        ("parent.adjoint += g * d", "parent.adjoint = g * d"),
        ("parent.adjoint += g * d", "parent.adjoint += d"),
        ("order[-1].adjoint = 1.0", "order[-1].adjoint = 2.0"),
        ("order[-1].adjoint = 1.0", "order[-1].adjoint = 0.0"),
        ("for v in reversed(order):\n        g, x, y", "for v in order:\n        g, x, y"),
        ("            v.grad = g\n", "            v.grad += g\n"),
        ("return grad + adjoint", "return adjoint"),
        ("return grad + adjoint", "return grad - adjoint"),
        ("if type(x) is Value and x.adjoint is not met:", "if type(x) is Value:"),
        ("elif type(y) is Value and y.adjoint is not met:", "elif False:"),
        ("if g == 0 and math.isfinite(v.data):", "if True:"),
    ],
    "engine/operators.py": [
        ("    node.x = self\n    node.y = other", "    node.x = other\n    node.y = self"),
        ("    node.x = other\n    node.y = self", "    node.x = self\n    node.y = other"),
        ("z += {p} * {q}", "z -= {p} * {q}"),
        ("compress([*y, *x, \"1.0\"]", "compress([*x, *y, \"1.0\"]"),
        ("compress([*y, *x, \"1.0\"]", "compress([*y, *x, \"0.0\"]"),
    ],
    "engine/ops.py": [
        ('"4 * (e := exp(-2 * abs(x))) / ((1 + e) * (1 + e))"', '"1 - z"'),
        ('"4 * (e := exp(-2 * abs(x))) / ((1 + e) * (1 + e))"', '"1 - z * z"'),
        ('"-z / y"', '"-x / y"'),
        ('"1 / y", "-z / y"', '"-z / y", "1 / y"'),
        ('"x * y",                       "y", "x"', '"x * y", "x", "y"'),
        ('"0.5 / z"', '"2 / z"'),
        ('"-sin(x)"', '"sin(x)"'),
        ('"exp(x - z)"', '"exp(x)"'),
        ('"1 + z * z"', '"1 - z * z"'),
        ('z * log(x)"', 'z * log(y)"'),
        ('"1.0 if x > 0 else y", "0.0 if x > 0 else x"', '"1.0 if x > 0 else y", "x"'),
        ('"1.1283791670955126 * exp(-x * x)"', '"1.1283791670955126 * exp(-x)"'),
        ('+ 0.3989422804014327 * x', '- 0.3989422804014327 * x'),
    ],
}  # fmt: skip
LOOKING = (GRADIENTS, TWICE, "tests/test_ops.py", "tests/test_functions.py")

_OTHER: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
}
_FORMULA_OTHER: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    **_OTHER,
    **{ast.Lt: (ast.Gt,), ast.Gt: (ast.Lt,), ast.LtE: (ast.Gt,), ast.GtE: (ast.Lt,)},
    **{ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,)},
}
_CALLED = {
    **{"sin": "cos", "cos": "sin", "sinh": "cosh", "cosh": "sinh", "exp": "expm1", "log": "log1p"},
    **{"expm1": "exp", "log1p": "log", "sqrt": "exp", "tan": "tanh", "tanh": "tan", "erf": "erfc"},
    **{"asin": "acos", "acos": "asin", "atan": "sinh", "erfc": "erf", "sigmoid": "exp"},
}


def _changes(node: ast.AST, is_formula: bool) -> Iterator[tuple[str, object]]:
    """The wrong ones of one node: a field, and what to put there."""
    others = _FORMULA_OTHER if is_formula else _OTHER
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for other in others.get(type(node.op), ()):
            yield "op", other()
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "op", ast.UAdd()
    if not is_formula:
        return
    if isinstance(node, ast.Compare):
        for other in others.get(type(node.ops[0]), ()):
            yield "ops", [other()]
    if isinstance(node, ast.Constant):
        yield "value", node.value * 2 if node.value else 1.0
        if node.value:
            yield "value", -node.value
    if isinstance(node, ast.Name) and node.id in ("x", "y", "z"):
        yield "id", {"x": "y", "y": "x", "z": "x"}[node.id]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        yield "func", ast.Name(_CALLED[node.func.id], ast.Load())
    if isinstance(node, ast.IfExp):
        yield "body", node.orelse


def _mutated(tree: ast.AST, within: ast.AST, is_formula: bool) -> Iterator[tuple[str, int]]:
    """Changes the tree in place, one node at a time, and says what it reads as meanwhile."""
    for node in list(ast.walk(within)):
        for field, wrong in list(_changes(node, is_formula)):
            right = getattr(node, field)
            setattr(node, field, wrong)
            yield (
                ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree))),
                getattr(node, "lineno", 0),
            )
            setattr(node, field, right)


def of_formulas(file: str) -> Iterator[Mutant]:
    """Each formula of each row, changed in each place."""
    text = (ROOT / file).read_text()
    tree = ast.parse(text)
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "define"):
            continue
        name, _, *formulas = [a.value for a in call.args if isinstance(a, ast.Constant)]
        constants = [a for a in call.args if isinstance(a, ast.Constant)][2:]
        for node, formula in zip(constants, formulas, strict=True):
            inner = ast.parse(formula, mode="eval")
            wrongs = {wrong for wrong, _ in _mutated(inner, inner, True)}
            for wrong in sorted(wrongs - {ast.unparse(inner)}):
                if wrong.count("y") and len(formulas) == 2:
                    continue  # a row of one operand has no y
                node.value = wrong
                yield Mutant(file, f"{name}: {formula!r} -> {wrong!r}", ast.unparse(tree))
            node.value = formula


def of_code(file: str, functions: tuple[str, ...]) -> Iterator[Mutant]:
    """Each sign and factor of the functions."""
    text = (ROOT / file).read_text()
    tree = ast.parse(text)
    parts = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (not functions or node.name in functions)
    ]
    whole = ast.unparse(tree).splitlines()
    seen = set()
    for part in parts:
        for wrong, line in _mutated(tree, part, False):
            if wrong in seen:
                continue
            seen.add(wrong)
            lines = wrong.splitlines()
            was, now = next((a, b) for a, b in zip(whole, lines, strict=False) if a != b)
            yield Mutant(file, f"{file}:{line} {was.strip()} -> {now.strip()}", wrong)


def generated(target: str) -> list[Mutant]:
    files = TARGETS[target].files
    if target == "rows":
        return list(of_formulas("engine/ops.py"))
    return [mutant for file, functions in files.items() for mutant in of_code(file, functions)]


def by_hand() -> list[Mutant]:
    """ValueError where the code has changed so that a change no longer fits."""
    found = []
    for file, pairs in BY_HAND.items():
        text = (ROOT / file).read_text()
        for right, wrong in pairs:
            if right not in text:
                raise ValueError(f"{file} has no {right!r} any more: renew this mutant")
            found.append(
                Mutant(file, f"{file}: {right!r} -> {wrong!r}", text.replace(right, wrong))
            )
    return found


def copied(to: Path) -> None:
    """The engine, the nets and the tests."""
    for part in ("engine", "nn", "tests"):
        shutil.copytree(ROOT / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
    (to / "pytest.ini").write_text("[pytest]\npythonpath = . tests\n")


def _preload() -> None:
    """What is not ours, so that a child need not load it."""
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    sys.dont_write_bytecode = True  # a .pyc of the same second would stand for the next mutant
    for name in ("gmpy2", "mpmath", "numpy", "hypothesis.strategies", "torch", "_pytest.doctest"):
        try:
            __import__(name)
        except ImportError:
            print(f"without {name}", file=sys.stderr)


def survives(house: Path, mutant: Mutant | None, tests: tuple[str, ...]) -> bool:
    """Whether the tests pass in the copy of the project with this change."""
    former = (house / mutant.file).read_text() if mutant else ""
    if mutant:
        (house / mutant.file).write_text(mutant.text)
    child = os.fork()
    if child == 0:
        _look(house, tests)
    status = os.waitpid(child, 0)[1]
    if mutant:
        (house / mutant.file).write_text(former)
    return status == 0


def _look(house: Path, tests: tuple[str, ...]) -> None:
    """In the child: runs the tests and ends."""
    import pytest

    code = 1
    try:
        signal.alarm(PATIENCE)
        silence = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(silence, stream)
        os.chdir(house)
        sys.path[:] = [str(house), str(house / "tests"), *sys.path[1:]]
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
        slow = "million or 100_000 or deep or wide or whole_batches or threads or interrupts"
        code = any(pytest.main([*options, "-k", f"not ({slow})", test]) for test in tests)
    finally:
        os._exit(bool(code))


def main(target: str, most: str = "1000000", part: str = "0/1") -> None:
    """Prints the outcome as JSON: how many, and the survivors; of a seeded sample of `most`."""
    wanted = by_hand() if target == "hand" else generated(target)
    tests = LOOKING if target == "hand" else TARGETS[target].tests
    random.Random(target).shuffle(wanted)
    which, parts = map(int, part.split("/"))
    wanted = wanted[: int(most)][which::parts]
    _preload()
    with tempfile.TemporaryDirectory() as room:
        house = Path(room)
        copied(house)
        is_sound = survives(house, None, tests)
        left = []
        for k, mutant in enumerate(wanted):
            if survives(house, mutant, tests):
                left.append(mutant.what)
                print(f"{k}: survived: {mutant.what}", file=sys.stderr, flush=True)
    print(json.dumps({"sound": is_sound, "count": len(wanted), "survivors": left}))


if __name__ == "__main__":
    main(*sys.argv[1:])
