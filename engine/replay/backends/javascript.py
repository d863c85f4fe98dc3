"""Loops and rows as JavaScript: a text for browsers and Node, which nothing here runs."""

import ast
import json
import re
from collections.abc import Iterable, Sequence
from functools import partial
from math import inf
from pathlib import Path

from engine.formula import plain, tree
from engine.op import Op
from engine.replay.backends import infix
from engine.replay.loops import Loop, backward, lower
from engine.replay.roll import Program
from engine.replay.views import View

SIGNS = infix.SIGNS | {
    ast.And: "&&",
    ast.Or: "||",
    ast.Eq: "===",
    ast.NotEq: "!==",
    inf: "Infinity",
}
MANY = """// What the formulas of many operands call, beside logsumexp.
const fsum = (terms) => exact(terms);
const inner = (xs, ys, bias) => xs.reduce((sum, x, k) => sum + x * ys[k], bias);"""
EXPORTED = "size", "outputs", "inputs", "parameters", "memory", "forward", "backward"
Shared = dict[Op | tuple[int, ...], tuple[str, str]]  # rows and tables: their names and texts


def text(program: Program) -> str:
    """The module of a program, its parameters as they stand now; it exports what to call."""
    first, forward, shared = len(program.constants), lower(program), Shared()
    leaves = [*program.constants, *[0.0] * program.inputs, *[p.data for p in program.parameters]]
    lines = [
        f"export const size = {program.size}, outputs = {json.dumps(program.outputs)};",
        f"export const inputs = {first}, parameters = {first + program.inputs}; // first places",
        f"export const memory = () => Object.assign(new Float64Array(size), {json.dumps(leaves)});",
    ]
    passes = {"forward(v)": forward, "backward(v, a, s)": backward(program, forward)}
    for head, loops in passes.items():
        body = [line for loop in loops for line in _loop(loop, shared)]
        lines += _inside([f"export function {head} {{"], body)
    lines += [declared for _, declared in shared.values()]
    return "\n".join([*lines, "", Path(__file__).with_suffix(".js").read_text(encoding="ascii")])


def script(program: Program) -> str:
    """The same for a page of one file: a script whose `PROGRAM` has what the module exports."""
    inside = re.sub(r"^export ", "", text(program), flags=re.MULTILINE)
    return f"const PROGRAM = (() => {{\n{inside}\nreturn {{ {', '.join(EXPORTED)} }};\n}})();"


def rows(ops: Iterable[Op]) -> str:
    """A script whose `ROWS` has each row's functions, by its key: `value` and `slopes`.

    `value` takes the operands, in a row of `many` lists of them; a slope takes x, y and z.

    >>> from engine.ops import OPS
    >>> rows([OPS["exp"]]).splitlines()[2][:53]
    '"exp": { many: false, value: (x) => { return exp(x); '
    """
    shared, entries = Shared(), list[str]()
    for op in dict.fromkeys(ops):
        value = f"{{ return {op.formula}; }}" if op.many else _body(op.formula, op, shared)
        slopes = ", ".join(f"(x, y, z) => {_body(text, op, shared)}" for text in op.partials)
        many = json.dumps(op.many)
        head = f"{json.dumps(op.key)}: {{ many: {many}, value: ({op.variables}) => {value}"
        entries.append(f"{head}, slopes: [{slopes}] }},")
    helpers = Path(__file__).with_suffix(".js").read_text(encoding="ascii")
    called = [declared for _, declared in shared.values()]
    return "\n".join(
        [
            "const ROWS = (() => {",
            "const rows = {",
            *entries,
            "};",
            *called,
            MANY,
            helpers,
            "return rows;",
            "})();",
        ]
    )


def _body(text: str, op: Op, shared: Shared) -> str:
    """What follows the arrow of a function."""
    lines = _line("return {};", text, {name: name for name in "xyz"}, op, shared)
    return f"{{ {' '.join(lines)} }}"


def _loop(loop: Loop, shared: Shared) -> list[str]:
    """The lines of a loop; an axis of one point has none."""
    axes = {k: n for k, n in enumerate(loop.shape) if n > 1}
    heads = {k: f"for (let i{k} = 0; i{k} < {n}; i{k}++) {{" for k, n in axes.items()}
    if loop.pick and (last := len(loop.shape) - 1) in axes:
        heads[last] = f"{{ const i{last} = rowOf({_at(loop.pick, shared)}, {axes[last]});"
    inner = [heads.pop(k) for k in axes if not (loop.pick or loop.target.strides[k])]
    at = {name: _at(view, shared) for name, view in loop.reads.items()}
    value = partial(_line, text=loop.expression, names=at, op=loop.op, shared=shared)
    put = f"{_at(loop.target, shared)} {loop.sign} {{}};"
    if not (inner or loop.starts):
        return _inside([*heads.values()], value(put))
    start, add, total = "const terms = [];", "terms.push({});", f"{loop.fold}(terms)"
    if loop.fold == "+":
        starts = " + ".join(at[name] for name in loop.starts) or "-0"  # which changes no term
        start, add, total = f"let sum = {starts};", "sum += {};", "sum"
    return _inside([*heads.values()], [start, *_inside(inner, value(add)), put.format(total)])


def _inside(heads: Sequence[str], lines: list[str]) -> list[str]:
    """Lines inside loops, or in braces where there is none and they have names of their own."""
    for head in reversed(heads or ["{"] * (len(lines) > 1)):
        lines = [head, *(f"  {line}" for line in lines), "}"]
    return lines


def _at(view: View, shared: Shared) -> str:
    """The number at the point of the loop variables."""
    axes = [(s, f"i{k}") for k, s in enumerate(view.strides) if s and view.shape[k] > 1]
    steps = [name if s == 1 else f"{s} * {name}" for s, name in axes]
    place = " + ".join([str(view.base)] * (view.base > 0 or not steps) + steps)
    if view.table is not None:
        name = f"table{len(shared)}"
        name, _ = shared.setdefault(view.table, (name, f"const {name} = {json.dumps(view.table)};"))
        place = f"{name}[{place}]"
    return f"{view.memory}[{place}]"


def _line(form: str, text: str, names: dict[str, str], op: Op | None, shared: Shared) -> list[str]:
    """A line with the value of a formula in it, after one that declares the parts it names."""
    known = dict(names)

    def call(name: str, arguments: list[str]) -> str:
        called = _row(op.callees[name], shared) if op and name in op.callees else name
        return f"{called}({', '.join(arguments)})"

    def part(name: str, value: str) -> str:
        known[name] = f"{name}_part"
        return f"({name}_part = {value})"

    value = infix.infix(tree(plain(text)), known, call, part, SIGNS)
    parts = ", ".join([*known.values()][len(names) :])
    return [*[f"let {parts};"] * bool(parts), form.format(value)]


def _row(op: Op, shared: Shared) -> str:
    """The function of a row that formulas call."""
    if op not in shared:
        body = _line("return {};", op.formula, {"x": "x", "y": "y"}, op, shared)
        name = f"{op.key}_{len(shared)}"
        shared[op] = name, "\n".join(_inside([f"function {name}(x, y) {{"], body))
    return shared[op][0]
