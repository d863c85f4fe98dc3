"""Wrong engines: do the tests notice? Run as `python tests/helpers/mutants.py rows 60`.

Each mutant is one change in one file of a copy of the project. A process that has loaded the big
libraries forks a child for each, which runs the tests of that file there, the smallest first; a
mutant is killed where one fails, or where they take far longer than they do without a change.
"""

import ast
import compileall
import copy
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

ROOT = Path(__file__).parents[2]
PATIENCE = 3  # times as long as the tests of a right engine
MEMORY = 4 << 30  # bytes: a wrong engine may ask for all there is
BROKEN = 3  # the exit code where no test could begin


@dataclass(frozen=True)
class Mutant:
    file: str
    what: str
    text: str  # the whole file


@dataclass(frozen=True)
class Looked:
    """Who looks at a file, and the functions of it that are changed (all if none are named).

    Tests are named as pytest takes them: `file`, `file::test`, `file -k words`.
    """

    tests: tuple[str, ...]
    functions: tuple[str, ...] = ()


GRADIENTS = "tests/test_fuzz.py::test_gradients_are_exact_up_to_rounding"
TWICE = "tests/test_fuzz.py::test_a_second_backward_doubles_the_leaves_and_nothing_else"
REPLAYS = "tests/test_replay.py"
BITS = "tests/test_fuzz.py::test_python_replays_bit_for_bit"
OTHERS = "tests/test_fuzz.py::test_other_backends_are_exact_up_to_rounding"
CALLS = f"{REPLAYS} -k not (numpy or c] or [c or tensors or cycle or auto)"  # in Python
IN_C = f"{OTHERS}[c]"
OWN_ROWS = "tests/test_backends.py -k (of_something or two_is) and {}"  # rows that users define
KINDS = "tests/test_kinds.py -k not training"
WORLD = "tests/test_world.py -k module-python and ({})"
RECORDS = (
    "tests/test_runs.py",
    "tests/test_recorded.py -k python or calls",
    "tests/test_shown.py -k begins_with",
    *(KINDS, CALLS, WORLD.format("numbers-")),
)
GUARDS = (
    *(f"tests/test_{name}.py" for name in ("cells", "undo", "causes", "witness")),
    "tests/test_reach.py -k not file_of_nn",
    *(KINDS, CALLS),
    WORLD.format("absent- or containers- or functions- or asked or own")
    + " or guards_of_places or whose_numbers or is_filled or equal_number",
)
PRINTED = (
    "tests/test_javascript.py",
    "tests/test_live.py::test_each_row_gives_what_the_engine_gives",
)
STEPS = "tests/test_descent.py -k {} and not (interrupt or digits or bad_number or gathered)"
IN_PYTHON, IN_NUMPY = STEPS.format("python"), STEPS.format("numpy")
TOGETHER = "tests/test_link.py -k numpy or bounds or moment"
RESUMES = "tests/test_checkpoint.py"
CHECKS = (
    "tests/test_check.py -k not (every_row or model or a_constant or random)",
    "tests/test_check.py -k every_row or model or random or cut or wrong_formula",  # the slow ones
)


def _each(folder: str, files: str, *tests: str) -> dict[str, Looked]:
    """Files of a folder; the same tests look at each."""
    return {f"{folder}/{file}.py": Looked(tests) for file in files.split()}


def _own(folder: str, files: str, *tests: str) -> dict[str, Looked]:
    """Files of a folder; the test of its own looks at each first."""
    return {
        f"{folder}/{file}.py": Looked((f"tests/test_{Path(file).name}.py", *tests))
        for file in files.split()
    }


# fmt: off
NODES = ("backward", "parents", "partials", "apply", "node", "node_of_many")
TARGETS = {
    "rows": {
        "engine/ops.py": Looked(("tests/test_ops.py", "tests/test_derivatives.py", GRADIENTS)),
    },
    "chain": {
        "engine/sweep.py": Looked((TWICE, GRADIENTS, "tests/test_value.py", REPLAYS)),
        "engine/value.py": Looked((TWICE, GRADIENTS, "tests/test_value.py", REPLAYS), NODES),
        "engine/graph.py": Looked((TWICE, GRADIENTS, "tests/test_value.py", REPLAYS),
                                  ("adjoints",)),
        "engine/operators.py": Looked(("tests/test_operators.py", GRADIENTS, "tests/test_value.py",
                                       "tests/test_functions.py")),
        "engine/op.py": Looked(("tests/test_ops.py", "tests/test_derivatives.py", GRADIENTS, BITS),
                                ("arguments", "columns", "edges")),
        "engine/derivatives.py": Looked(("tests/test_derivatives.py",)),
    },
    "roller": {
        "engine/replay/roll.py": Looked((BITS, "tests/test_roll.py", "tests/test_numpy.py")),
    },
    "python": {
        "engine/replay/backends/python.py": Looked((BITS, "tests/test_python.py")),
        **_own("engine/replay/backends", "pythontext unrolled blanks", BITS,
               "tests/test_python.py"),
    },
    "numpy": _own("engine/replay", "views backends/arrays backends/scalars backends/matmul "
                  "backends/ufuncs", f"{OTHERS}[numpy]", "tests/test_numpy.py"),
    "c": {
        **_own("engine/replay", "loops backends/infix backends/cformula backends/cloops "
               "backends/ctext backends/contraction", IN_C, OWN_ROWS.format("c]"),
               "tests/test_c.py"),
        **_each("engine/replay/backends", "ccontraction", "tests/test_contraction.py", IN_C,
                "tests/test_c.py"),
    },
    "wasm": _each("engine/replay/backends/wasm", "bytes mathematics formula lanes walk loops "
                  "contraction program several", "tests/test_wasmbytes.py",
                  OWN_ROWS.format("wasm"), "tests/test_wasm.py"),
    "javascript": {
        f"engine/replay/backends/javascript.{kind}": Looked(PRINTED) for kind in ("py", "js")
    },
    "loops": {
        **_own("engine/replay", "loops", BITS, IN_C),
        **_own("engine/replay", "stretch"),
    },
    "check": _each("engine", "check differences points", *CHECKS),
    "arguments": _own("engine/replay", "arguments", CALLS),
    "tape": {
        **_own("engine/replay", "tape", CALLS),
        "engine/replay/watch.py": Looked(("tests/test_tape.py", CALLS)),
    },
    "replay": {
        "engine/replay/asked.py": Looked(("tests/test_asked.py", CALLS)),
        "engine/replay/compare.py": Looked(("tests/test_compare.py", CALLS)),
        **_each("engine/replay", "replay kept recorder recorded runs", *RECORDS),
    },
    "guards": _each("engine/replay", "cells witness reach world undo kinds causes", *GUARDS),
    "checkpoint": {
        "nn/described.py": Looked(("tests/test_described.py", f"{RESUMES} -k of_one_name")),
        "nn/identity.py": Looked((
            f"{RESUMES} -k another or version_1 or two_parameters or other_data",
            f"{RESUMES} -k callbacks or model_of_other or besides_the_model",
        )),
        "nn/checkpoint.py": Looked((
            f"{RESUMES} -k documents or contents or early_stop or is_done or not_finite or glance",
            f"{RESUMES} -k other_data or version_1 or every_few or a_callback or another_training",
        )),
    },
    "descent": {
        "nn/mover.py": Looked(("tests/test_mover.py", "tests/test_flat.py", IN_PYTHON)),
        "nn/flat.py": Looked(("tests/test_flat.py", IN_NUMPY, TOGETHER)),
        "nn/link.py": Looked((TOGETHER, IN_NUMPY)),
        "nn/stepping.py": Looked(("tests/test_stepping.py", TOGETHER)),
        "nn/descent.py": Looked((IN_PYTHON, IN_NUMPY, TOGETHER)),
    },
    "data": _own("nn", "table data reading", "tests/test_data.py"),
    "page": {
        f"engine/pictures/page/{name}.js": Looked(("tests/test_page_scripts.py",))
        for name in ("numbers", "words", "state")
    },
}
# fmt: on

# One change each, written by hand: the mistakes that engines are known for.
BY_HAND = {
    "engine/sweep.py": [
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
        ("order[-1].adjoint = gradient", "order[-1].adjoint = 2 * gradient"),
        ("order[-1].adjoint = gradient", "order[-1].adjoint = 1.0"),
        ("for v in reversed(order):\n        g, x, y", "for v in order:\n        g, x, y"),
        ("            v.grad = g\n", "            v.grad += g\n"),
        ("map(add, grads_of(leaves), shares)", "shares"),
        ("map(add, grads_of", "map(lambda a, b: a - b, grads_of"),
        ("if type(x) is node and x.adjoint is not met:", "if type(x) is node:"),
        ("elif type(y) is node and y.adjoint is not met:", "elif False:"),
        ("elif g != 0 or not math.isfinite(v.data):", "elif False:"),
        ("elif g != 0 or not math.isfinite(v.data):", "elif g != 0:"),
        ("v.dx.shares(g)", "v.dx.shares(1.0)"),
        ("parent.adjoint += share", "parent.adjoint = share"),
    ],
    "engine/operators.py": [
        ('"node.x = self",\n        "node.y = other"',
         '"node.x = other",\n        "node.y = self"'),
        ('"node.x = other",\n        "node.y = self"',
         '"node.x = self",\n        "node.y = other"'),
        ("z += {p} * {q}", "z -= {p} * {q}"),
        ("compress([*y, *x, \"1.0\"]", "compress([*x, *y, \"1.0\"]"),
        ("compress([*y, *x, \"1.0\"]", "compress([*y, *x, \"0.0\"]"),
    ],
    "engine/ops.py": [
        ('"1 - z * z if', '"1 - z if'),
        ("if -0.5 < z < 0.5 else 4", "if 1 > 0 else 4"),
        ("if -0.5 < z < 0.5 else 4", "if 1 < 0 else 4"),
        ('"-z / y"', '"-x / y"'),
        ('"1 / y", "-z / y"', '"-z / y", "1 / y"'),
        ('"x * y",      "y", "x"', '"x * y", "x", "y"'),
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
# fmt: off
# Changes that change no result, and why.
EQUIVALENT = {
    "roll.py: top + 1 -> top + 2": "levels need to rise, not by one",
    "pythontext.py: '{0} / {1}' -> '{0} * {1}'": "parentheses that are not needed",
    "python.py: 1 + max(map(levels.__getitem__, places)) -> "
    "2 + max(map(levels.__getitem__, places))": "levels need to rise, not by one",
    "python.py: slopes + 1 -> slopes + 2": "room that nobody reads",
    "tape.py: chosen(v) if v.op is PICK else tuple(_places(v, place)) -> "
    "tuple(_places(v, place)) if v.op is PICK else chosen(v)": "each is quick for its rows",
    "watch.py: frame is first -> frame is not first": "which readers are known without a look",
    "op.py: len(columns) - 1 -> len(columns) - 2": "of one column the last, of more the second",
    "ccontraction.py: ' - ' -> ' + '": "the sign of a sum of zeros (DIFFERENCES.md)",
    "mathematics.py: depth += (text[k] == '(') - (text[k] == ')') -> "
    "depth -= (text[k] == '(') - (text[k] == ')')": "it is asked whether it is 0",
    "walk.py: k + 1 -> k - 1": "a pointer that is moved once more, before it is put back",
    "program.py: view.table is None -> view.table is not None": "two answers, told apart as before",
    "loops.py: len(self.axes) > 1 -> len(self.axes) <= 1": "a guess of speed",
    "contraction.py: 6 * results -> 7 * results": "a guess of speed",
    "contraction.py: steps * self.machine.lanes -> steps / self.machine.lanes": "a guess of speed",
    **{f"javascript.js: {what}": "where two formulas meet that are both right" for what in (
        "if (abs(x) < 1e-20) return -log(abs(x)); -> if (abs(x) < 2e-20) return -log(abs(x));",
        "if (x < 0.5) return log(Math -> if (x < 1.0) return log(Math",
        "for (; w < 10; w++) product *= w; -> for (; w < 11; w++) product *= w;",
        "const c = Math.min(x, 28), near = Math.frou -> "
        "const c = Math.min(x, 29), near = Math.frou",
        "const pole = c < 6 ? 2 / expm1(4 * Math.PI * c) : 0; -> "
        "const pole = c < 7 ? 2 / expm1(4 * Math.PI * c) : 0;",
    )},
    **{f"javascript.js: {what}": "less than the last digit of a sum" for what in (
        "const last = 691 / 360360; -> const last = 692 / 360360;",
        "const last = 691 / 360360; -> const last = 691 / 360361;",
        "for (let n = 1; n < 13; n++) sum += (term -> for (let n = 1; n < 14; n++) sum += (term",
    )},
    "javascript.js: const steps = Array.from({ length: 13 }, (_, n) => exp(-n * n / 4)); -> "
    "const steps = Array.from({ length: 14 }, (_, n) => exp(-n * n / 4));": "a step nobody reads",
    "flat.py: places[0] + len(places) -> places[0] - len(places)": "a way that is slower",
    "arrays.py: factor and name != 'g' -> factor or name != 'g'": "a way that is slower",
    "check.py: i * GOLDEN -> i / GOLDEN": "1 / GOLDEN is 1 + GOLDEN: the same fractions",
}
# fmt: on

_ARITHMETIC: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
}
_COMPARISON: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
}
_CALLED = {
    **{"sin": "cos", "cos": "sin", "sinh": "cosh", "cosh": "sinh", "exp": "expm1", "log": "log1p"},
    **{"expm1": "exp", "log1p": "log", "sqrt": "exp", "tan": "tanh", "tanh": "tan", "erf": "erfc"},
    **{"asin": "acos", "acos": "asin", "atan": "sinh", "erfc": "erf", "sigmoid": "exp"},
}
_IN_TEXT = {  # of code that is written by the code
    **{" + ": " - ", " - ": " + ", " * ": " + ", " / ": " * ", " += ": " = ", " -= ": " += "},
    **{"np.add": "np.subtract", "np.subtract": "np.add", "np.multiply": "np.add"},
    **{"np.negative": "np.positive", "fill(0.0)": "fill(1.0)", "fmax": "fmin"},
}

_IN_SCRIPTS = {  # of JavaScript; ` | 1 ? ` takes the first branch always
    **{" + ": " - ", " - ": " + ", " * ": " + ", " / ": " * ", " += ": " -= ", "-": "+"},
    **{" === ": " !== ", " !== ": " === ", " && ": " || ", " || ": " && ", "!": ""},
    **{" < ": " >= ", " >= ": " < ", " > ": " <= ", " <= ": " > ", " ? ": " | 1 ? "},
}
_SCRIPT = re.compile(
    r"""//[^\n]* | /\*.*?\*/  # what stays: comments, texts, patterns
      | "(?:\\.|[^"\\])*" | `(?:\\.|[^`\\])*` | /(?![ ])(?:\\.|\[[^\]]*\]|[^/\\\n])+/
      | (?P<number> (?<![\w.]) \d+ (?:\.\d+)? (?:e-?\d+)? (?!\w))
      | (?P<sign> [ ](?:[-+*/<>?]|[+<>]=|[!=]==|&&|\|\|)[ ] | (?<=[ (\[])-(?=[\w(]) | !(?=[\w(/]))
    """,
    re.DOTALL | re.VERBOSE,
)


def _wrongs(node: ast.AST, is_formula: bool) -> Iterator[ast.AST]:
    """The node with one change each: a sign, a factor, an operand, a side."""

    def but(**fields: object) -> ast.AST:
        other = copy.copy(node)
        for name, value in fields.items():
            setattr(other, name, value)
        return other

    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op):
            yield from (but(op=other()) for other in _ARITHMETIC.get(type(op), ()))
        case ast.UnaryOp(op=ast.USub()):
            yield but(op=ast.UAdd())
        case ast.Compare(ops=[op]) if type(op) in _COMPARISON:
            yield but(ops=[_COMPARISON[type(op)]()])
        case ast.BoolOp(op=op):
            yield but(op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.IfExp():
            yield but(body=node.orelse, orelse=node.body)
    for name, value in _wrong_operands(node) if is_formula else _wrong_texts(node):
        yield but(**{name: value})


def _wrong_operands(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Other numbers, variables and functions of a formula."""
    match node:
        case ast.Constant(value=float() | int() as number):
            yield from (("value", wrong) for wrong in ((-number, 2 * number) if number else (1.0,)))
        case ast.Name(id="x" | "y" | "z" as name):
            yield "id", {"x": "y", "y": "x", "z": "x"}[name]
        case ast.Call(func=ast.Name(id=name)) if name in _CALLED:
            yield "func", ast.Name(_CALLED[name], ast.Load())


def _wrong_texts(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Other numbers in arithmetic, and other signs in code that is written by the code."""
    match node:
        case ast.BinOp():
            for side in ("left", "right"):
                match getattr(node, side):
                    case ast.Constant(value=int(number)):
                        yield side, ast.Constant(number + 1)
        case ast.Constant(value=str(text)):
            yield from (("value", wrong) for wrong in _with_another_sign(text))
        case ast.JoinedStr(values=parts):
            for k, part in enumerate(parts):
                if isinstance(part, ast.Constant):
                    for wrong in _with_another_sign(part.value):
                        yield "values", [*parts[:k], ast.Constant(wrong), *parts[k + 1 :]]


def _with_another_sign(text: str) -> Iterator[str]:
    for right, wrong in _IN_TEXT.items():
        pieces = text.split(right)
        for k in range(1, len(pieces)):
            yield right.join(pieces[:k]) + wrong + right.join(pieces[k:])


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """All below a node but docstrings, errors, types, and what stands within an f-string."""
    yield node
    if isinstance(node, ast.JoinedStr | ast.Raise):
        return
    for field, child in ast.iter_fields(node):
        for part in child if isinstance(child, list) else [child]:
            is_text = isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
            if isinstance(part, ast.AST) and not is_text and field not in ("annotation", "returns"):
                yield from _parts(part)


def _changed(text: str, within: ast.AST, is_formula: bool) -> Iterator[tuple[str, str]]:
    """The text with one change each, and what was changed."""
    for node in _parts(within):
        for wrong in _wrongs(node, is_formula):
            now = ast.unparse(wrong)
            yield (
                _put(text, node, f"({now})" if isinstance(wrong, ast.expr) else now),
                _difference(ast.unparse(node), now),
            )


def _put(text: str, node: ast.AST, new: str) -> str:
    """The text with something else where a node stands; columns are those of bytes."""
    lines = text.encode().splitlines(keepends=True)
    before = b"".join(lines[: node.lineno - 1]) + lines[node.lineno - 1][: node.col_offset]
    after = lines[node.end_lineno - 1][node.end_col_offset :] + b"".join(lines[node.end_lineno :])
    return (before + new.encode() + after).decode()


def _difference(was: str, now: str) -> str:
    """`a + b -> a - b`; of long texts the place where they differ."""
    if len(was) > 70:
        start = next((k for k, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), 0)
        was, now = (text[max(0, start - 30) : start + 20] for text in (was, now))
    return f"{was} -> {now}"


def of_formulas(file: str) -> Iterator[Mutant]:
    """Each formula of each row, changed in each place."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for call in ast.walk(ast.parse(text)):
        if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "define"):
            continue
        name, _, *formulas = [a for a in call.args if isinstance(a, ast.Constant)]
        for node in formulas:
            inner = ast.parse(node.value, mode="eval").body
            for wrong in dict.fromkeys(wrong for wrong, _ in _changed(node.value, inner, True)):
                if "y" not in wrong or len(formulas) > 2:  # a row of one operand has no y
                    what = f"{name.value}: {node.value} -> {wrong}"
                    yield Mutant(file, what, _put(text, node, repr(wrong)))


def of_code(file: str, functions: tuple[str, ...]) -> Iterator[Mutant]:
    """Each sign, factor and comparison of the functions, and of the code that they write."""
    text = (ROOT / file).read_text(encoding="utf-8")
    tree = ast.parse(text)
    named = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name in functions)
    for part in named if functions else [tree]:
        for wrong, difference in _changed(text, part, False):
            yield Mutant(file, f"{Path(file).name}: {difference}", wrong)


def of_script(file: str) -> Iterator[Mutant]:
    """Each sign, comparison, branch and number of a script."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for found in _SCRIPT.finditer(text):
        if found["sign"]:
            wrong = _IN_SCRIPTS[found["sign"]]
        elif found["number"]:
            number = ast.literal_eval(found["number"])
            wrong = repr(number + 1 if isinstance(number, int) else 2 * number)
        else:
            continue
        changed = text[: found.start()] + wrong + text[found.end() :]
        line = text.count("\n", 0, found.start())
        was, now = (each.splitlines()[line].strip() for each in (text, changed))
        yield Mutant(file, f"{Path(file).name}: {_difference(was, now)}", changed)


def _of(target: str, file: str, looked: Looked) -> Iterator[Mutant]:
    if target == "rows":
        return of_formulas(file)
    return of_script(file) if file.endswith(".js") else of_code(file, looked.functions)


def every(target: str) -> list[Mutant]:
    found = {}
    for file, looked in TARGETS[target].items():
        found |= {mutant.text: mutant for mutant in _of(target, file, looked)}
    return list(found.values())


def generated(target: str) -> list[Mutant]:
    """All but those that change no result."""
    return [mutant for mutant in every(target) if mutant.what not in EQUIVALENT]


def by_hand() -> list[Mutant]:
    """ValueError where the code has changed so that a change no longer fits."""
    found = []
    for file, pairs in BY_HAND.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        for right, wrong in pairs:
            if right not in text:
                raise ValueError(f"{file} has no {right!r} any more: renew this mutant")
            found.append(
                Mutant(file, f"{file}: {right!r} -> {wrong!r}", text.replace(right, wrong))
            )
    return found


def copied(to: Path) -> None:
    """The engine, the nets, and what the tests need; compiled, to be known by their hashes."""
    for part in ("engine", "nn", "tests", "benchmarks", "docs"):
        shutil.copytree(ROOT / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
    (to / "pytest.ini").write_text(
        "[pytest]\npythonpath = . tests/helpers\nfilterwarnings = error\n"
    )
    compileall.compile_dir(to, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)


def _preload() -> None:
    """What is not ours, so that a child need not load it."""
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    for name in ("gmpy2", "mpmath", "numpy", "hypothesis.strategies", "torch", "_pytest.doctest"):
        try:
            __import__(name)
        except ImportError:
            print(f"without {name}", file=sys.stderr)


def looks(house: Path, tests: Sequence[str], patience: int) -> tuple[str, int]:
    """Runs the tests in the copy of the project: "sound", "failed" or "late", and the seconds."""
    child = os.fork()
    if child == 0:
        _look(house, tests, patience)
    _, status, used = os.wait4(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == BROKEN:
        raise RuntimeError("no test could begin: nothing is known of this mutant, nor of others")
    is_late = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGALRM)
    return "late" if is_late else "failed" if status else "sound", round(used.ru_utime)


def _look(house: Path, tests: Sequence[str], patience: int) -> None:
    """In the child: runs the tests and ends."""
    import pytest

    code = BROKEN
    try:
        _prepare(house, patience)
        code = 1
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
        slow = "million or 100_000 or deep or wide or whole_batches or threads or interrupts"
        slow += " or page_of_differences"
        for test in tests:
            file, _, words = test.partition(" -k ")
            code = pytest.main([*options, "-k", f"({words or 'test'}) and not ({slow})", file])
            if code:
                code = 1
                break
    finally:
        os._exit(code)


def _prepare(house: Path, patience: int) -> None:
    """Sets the bounds of a child, and makes it quiet and at home in the copy."""
    import resource  # not on Windows

    resource.setrlimit(resource.RLIMIT_CPU, (patience, patience))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    signal.alarm(20 * patience)  # where it sleeps
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    os.chdir(house)
    sys.path[:] = [str(house), str(house / "tests/helpers"), *sys.path[1:]]


def main(target: str, most: str = "1000000") -> None:
    """Prints the outcome as JSON: of a seeded sample of `most`, how many, and the survivors."""
    wanted = by_hand() if target == "hand" else generated(target)
    random.Random(target).shuffle(wanted)
    targets = [TARGETS[target]] if target in TARGETS else TARGETS.values()
    looked = {file: who.tests for files in targets for file, who in files.items()}
    outcome: dict[str, list[str]] = {"failed": [], "late": [], "sound": []}
    patience: dict[tuple[str, ...], int] = {}
    _preload()
    with tempfile.TemporaryDirectory() as room:
        house = Path(room)
        copied(house)
        for mutant in wanted[: int(most)]:
            file, tests = house / mutant.file, looked[mutant.file]
            if tests not in patience:
                sys.dont_write_bytecode = False  # pytest keeps the tests as it compiles them
                found, seconds = looks(house, tests, 1000)
                sys.dont_write_bytecode = True  # but no mutant
                if found != "sound":
                    raise RuntimeError(f"{tests} fail without a change")
                patience[tests] = PATIENCE * (10 + seconds)
            right = file.read_text(encoding="utf-8")
            file.write_text(mutant.text, encoding="utf-8")
            found, seconds = looks(house, tests, patience[tests])
            file.write_text(right, encoding="utf-8")
            outcome[found].append(mutant.what)
            print(f"{found:>6} {seconds:3} s  {mutant.what}", file=sys.stderr, flush=True)
    killed = len(outcome["failed"]) + len(outcome["late"])
    print(json.dumps({"killed": killed, "late": outcome["late"], "survivors": outcome["sound"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
