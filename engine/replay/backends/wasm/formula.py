"""Formulas as WebAssembly, for one number or for two at once.

The functions that they call are written once for each: rows, and those of `vectormath.h`, with all
that these call inside them. What is in neither is asked of Python, number by number, so results do
not depend on who runs the code.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache

from engine.ieee import OF_TWO
from engine.op import Op
from engine.replay.backends import vectormath
from engine.replay.backends.cformula import whole
from engine.replay.backends.wasm import mathematics
from engine.replay.backends.wasm.bytes import Function, Instruction, bits
from engine.replay.backends.wasm.lanes import BITS, CONDITION, NUMBER, ONE, PAIR, Lanes

ALL = 2**64 - 1
_ARITHMETIC = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_LOGIC = {ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor", ast.And: "and", ast.Or: "or"}
_SHIFTS = {ast.LShift: "shl", ast.RShift: "shr_u"}
_RELATIONS = {
    **{ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}
}
_SINGLE = {"abs": "abs", "__builtin_fabs": "abs", "sqrt": "sqrt", "round": "nearest"}
_FAR = {"sin", "cos", "tan"}  # note numbers that are too far from 0 for them
_READ_AS = {
    "v_bits": (BITS, "i64.reinterpret_f64"),
    "v_number": (NUMBER, "f64.reinterpret_i64"),
}
Known = tuple[str, str | float | int]  # what it is; the local that has it, or a constant


class Formulas:
    """The functions that expressions call, each written once, and those that are imported."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}
        self.imported: dict[str, Function] = {}

    def row(self, op: Op, lanes: Lanes) -> str:
        """The function of a row."""
        name = f"z_{op.key if op.key.isascii() else op.key.encode().hex()}{lanes.suffix}"
        if name not in self.functions:
            variables = "xy"[: len(op.partials)]
            made = Function(name, dict.fromkeys(variables, lanes.type), lanes.type)
            Writer(made, lanes, self).formula(op.formula, op, {v: v for v in variables})
            self.functions[name] = made  # after those it calls
        return name

    def mathematics(self, name: str, lanes: Lanes) -> str:
        """A function of `vectormath.h`."""
        called = f"{name}{lanes.suffix}"
        if called not in self.functions:
            own = _with_mathematics(name, lanes.width)
            self.functions |= own.functions
            self.imported |= own.imported
        return called

    def of_python(self, name: str) -> str:
        """A function of `ieee.py`."""
        variables = "xy" if name in OF_TWO else "x"
        called = f"python_{name}"
        self.imported[called] = Function(called, dict.fromkeys(variables, "f64"), "f64")
        return called


@cache
def _with_mathematics(name: str, width: int) -> Formulas:
    """A function of `vectormath.h` with those it calls, the same in all programs."""
    made, lanes, text = Formulas(), PAIR if width == 2 else ONE, mathematics.written(f"v_{name}")
    taken = [p for p in text.parameters if p not in text.pointers]
    function = Function(f"{name}{lanes.suffix}", dict.fromkeys(taken, lanes.type), lanes.type)
    _Mathematics(function, lanes, made).whole(name, taken)
    made.functions[function.name] = function
    return made


class Writer:
    """Writes expressions into a function; each leaves its value on the stack."""

    def __init__(self, function: Function, lanes: Lanes, formulas: Formulas) -> None:
        self.function, self.lanes, self.formulas = function, lanes, formulas
        self.callees: Mapping[str, Op] = {}

    def formula(self, text: str, op: Op | None, names: Mapping[str, str]) -> None:
        """A formula of a row; `names` has the local of each of its variables."""
        self.callees = op.callees if op else {}
        self.put(whole(text, op), {name: (NUMBER, local) for name, local in names.items()})

    def put(self, node: ast.expr, known: dict[str, Known]) -> str:
        """A part; gives what it is: a number, a condition or bits."""
        constant = self._constant(node, known)
        if constant is not None:
            return self.number(constant)
        kind: str = getattr(self, f"_{type(node).__name__.lower()}")(node, known)
        return kind

    def number(self, x: float | int) -> str:
        """A constant: of a float its number, of an int these bits."""
        found = bits(x) if isinstance(x, float) else x & ALL
        if self.lanes is PAIR:
            self._do(("v128.const", found, found))
        elif isinstance(x, float):
            self._do(("f64.const", found))
        else:
            self._do(("i64.const", found - (found >> 63 << 64)))
        return NUMBER if isinstance(x, float) else BITS

    def keep(self, kind: str, name: str = "t") -> str:
        """A new local that takes what is on the stack."""
        local = self.function.local(self.lanes.types[kind], name)
        self._do(("local.set", local))
        return local

    def _do(self, *instructions: Instruction) -> None:
        self.function.do(*instructions)

    def _compute(self, kind: str, name: str) -> None:
        self._do((f"{self.lanes.prefixes[kind]}.{name}",))

    def _constant(self, node: ast.expr, known: Mapping[str, Known]) -> float | int | None:
        """What a part is worth, where that is known now."""
        match node:
            case ast.Constant(float() | int() as x):
                return x
            case ast.Name(name):
                _, value = known[name]
                return None if isinstance(value, str) else value
            case ast.UnaryOp(ast.USub(), operand):
                less = self._constant(operand, known)
                return less if less is None else -less
        return None

    # --- the parts of a formula

    def _name(self, node: ast.Name, known: dict[str, Known]) -> str:
        kind, local = known[node.id]
        self._do(("local.get", local))
        return kind

    def _namedexpr(self, node: ast.NamedExpr, known: dict[str, Known]) -> str:
        kind = self.put(node.value, known)
        local = self.function.local(self.lanes.types[kind], node.target.id)
        self._do(("local.tee", local))
        known[node.target.id] = kind, local
        return kind

    def _binop(self, node: ast.BinOp, known: dict[str, Known]) -> str:
        operation = type(node.op)
        kind = self.put(node.left, known)
        if operation in _SHIFTS:
            by = "i64.const" if self.lanes is ONE else "i32.const"
            self._do((by, self._constant(node.right, known)))
            self._compute(BITS, _SHIFTS[operation])
            return kind
        self.put(node.right, known)
        if operation in _ARITHMETIC:
            self._compute(kind, _ARITHMETIC[operation])
        else:
            self._compute("logic" if kind == BITS else kind, _LOGIC[operation])
        return kind

    def _unaryop(self, node: ast.UnaryOp, known: dict[str, Known]) -> str:
        kind = self.put(node.operand, known)
        if isinstance(node.op, ast.USub) and kind == NUMBER:
            self._compute(NUMBER, "neg")
        elif isinstance(node.op, ast.USub):  # ~x + 1
            self._invert(kind)
            self.number(1)
            self._compute(BITS, "add")
        else:
            self._invert(kind)
        return kind

    def _invert(self, kind: str) -> None:
        if self.lanes is PAIR:
            self._do(("v128.not",))
        elif kind == CONDITION:
            self._do(("i32.eqz",))
        else:
            self._do(("i64.const", -1), ("i64.xor",))

    def _ifexp(self, node: ast.IfExp, known: dict[str, Known]) -> str:
        """Both ways are computed; the test comes first, as it may name parts."""
        test = self.keep(self.put(node.test, known), "test")
        kind = self.put(node.body, known)
        self.put(node.orelse, known)
        self._do(("local.get", test), ("select" if self.lanes is ONE else "v128.bitselect",))
        return kind

    def _compare(self, node: ast.Compare, known: dict[str, Known]) -> str:
        left = node.left
        for k, (relation, right) in enumerate(zip(node.ops, node.comparators, strict=True)):
            self.put(left, known)
            kind = self.put(right, known)
            if k + 1 < len(node.ops):  # it is compared again
                name = f"side {self.function.name} {len(known)}"
                known[name] = kind, self.keep(kind)
                left = ast.Name(name)
                self.put(left, known)
            self._compute(kind, _RELATIONS[type(relation)])
            if k:
                self._compute(CONDITION, "and")
        return CONDITION

    def _boolop(self, node: ast.BoolOp, known: dict[str, Known]) -> str:
        for k, part in enumerate(node.values):
            self.put(part, known)
            if k:
                self._compute(CONDITION, _LOGIC[type(node.op)])
        return CONDITION

    def _call(self, node: ast.Call, known: dict[str, Known]) -> str:
        name = node.func.id  # type: ignore[attr-defined]
        if name in _SINGLE and name not in self.callees:
            self.put(node.args[0], known)
            self._compute(NUMBER, _SINGLE[name])
            return NUMBER
        return self._called(name, node.args, known)

    def _called(self, name: str, arguments: list[ast.expr], known: dict[str, Known]) -> str:
        own, mathematics = name in self.callees, name.removeprefix("v_")
        exponent = self._constant(arguments[1], known) if name == "pow" and not own else None
        if exponent == 2:
            kept = self.keep(self.put(arguments[0], known))
            self._do(("local.get", kept), ("local.get", kept))
            self._compute(NUMBER, "mul")
            return NUMBER
        for argument in arguments:
            self.put(argument, known)
        if own:
            self._do(("call", self.formulas.row(self.callees[name], self.lanes)))
        elif mathematics in vectormath.names():
            self._do(("call", self.formulas.mathematics(mathematics, self.lanes)))
        else:
            self.one_by_one(self.formulas.of_python(name), len(arguments))
        return NUMBER

    def one_by_one(self, function: str, count: int) -> None:
        """A call of a function of single numbers, for each of two."""
        if self.lanes is ONE:
            self._do(("call", function))
            return
        kept = [self.keep(NUMBER) for _ in range(count)][::-1]
        for lane in range(2):
            for local in kept:
                self._do(("local.get", local), ("f64x2.extract_lane", lane))
            self._do(("call", function), ("f64x2.replace_lane", 1) if lane else ("f64x2.splat",))


class _Mathematics(Writer):
    """Writes a function of `vectormath.h`; those that it calls stand inside it."""

    def whole(self, name: str, taken: list[str]) -> None:
        """The function itself."""
        known: dict[str, Known] = {p: (NUMBER, p) for p in taken}
        known["far"] = NUMBER, 0.0
        arguments: list[ast.expr] = [
            ast.Name(p) for p in mathematics.written(f"v_{name}").parameters
        ]
        self._inside(f"v_{name}", arguments, known)
        if name in _FAR:
            self._ask_if_far(name, known)

    def _ask_if_far(self, name: str, known: dict[str, Known]) -> None:
        """Has numbers too far from 0 computed by Python."""
        found = self.keep(NUMBER, "found")
        self.put(ast.Compare(ast.Name("far"), [ast.NotEq()], [ast.Constant(0.0)]), known)
        if self.lanes is ONE:
            self._do(("if",), ("local.get", "x"), ("call", self.formulas.of_python(name)))
        else:
            self._do(("v128.any_true",), ("if",), ("local.get", "x"))
            self.one_by_one(self.formulas.mathematics(name, ONE), 1)
        self._do(("local.set", found), ("end",), ("local.get", found))

    def _called(self, name: str, arguments: list[ast.expr], known: dict[str, Known]) -> str:
        if name == "__builtin_copysign":
            return self._copysign(arguments[0], arguments[1], known)
        if name not in _READ_AS:
            return self._inside(name, arguments, known)
        self.put(arguments[0], known)
        kind, instruction = _READ_AS[name]
        self._do(*[(instruction,)] * (self.lanes is ONE))
        return kind

    def _copysign(self, size: ast.expr, sign: ast.expr, known: dict[str, Known]) -> str:
        if self.lanes is ONE:
            self.put(size, known)
            self.put(sign, known)
            self._do(("f64.copysign",))
            return NUMBER
        self.put(sign, known)
        self.put(size, known)
        self.number(1 << 63)
        self._do(("v128.bitselect",))
        return NUMBER

    def _inside(self, name: str, arguments: list[ast.expr], known: dict[str, Known]) -> str:
        """A call as the statements of what is called."""
        text = mathematics.written(name)
        given = dict(zip(text.parameters, arguments, strict=True))
        own: dict[str, Known] = {n: (NUMBER, x) for n, x in mathematics.constants().items()}
        for parameter, argument in given.items():
            if parameter not in text.pointers:
                own[parameter] = self._value(parameter, argument, known)
            elif argument.id in known:  # type: ignore[attr-defined]
                own[parameter] = known[argument.id]  # type: ignore[attr-defined]
        for target, value in text.statements:
            own[target] = self._value(target, value, own)
        kind = self.put(text.value, own)
        for pointer in text.pointers:
            known[given[pointer].id] = own[pointer]  # type: ignore[attr-defined]
        return kind

    def _value(self, name: str, node: ast.expr, known: dict[str, Known]) -> Known:
        """What a part is, in a local of its own if it is neither known nor in one."""
        constant = self._constant(node, known)
        if constant is not None:
            return (NUMBER if isinstance(constant, float) else BITS), constant
        if isinstance(node, ast.Name):
            return known[node.id]
        kind = self.put(node, known)
        return kind, self.keep(kind, name)

    def _constant(self, node: ast.expr, known: Mapping[str, Known]) -> float | int | None:
        """What a part is worth, where that is known now; sums of constants, too."""
        match node:
            case ast.Call(ast.Name("v_bits"), [argument]):
                x = self._constant(argument, known)
                return None if x is None else bits(float(x))
            case ast.BinOp(left, ast.Add() | ast.Sub() | ast.LShift() as operation, right):
                a, b = self._constant(left, known), self._constant(right, known)
                if a is None or b is None:
                    return None
                if isinstance(operation, ast.LShift):
                    return int(a) << int(b)
                return a + b if isinstance(operation, ast.Add) else a - b
        return super()._constant(node, known)
