"""What type checkers know of the rows: `python -m engine.stubs` writes it into `typed.pyi`."""

from pathlib import Path

from engine.op import Op
from engine.operators import COMPARISONS, INFIX, PREFIX, function_name
from engine.ops import OPS

PATH = Path(__file__).with_name("typed.pyi")
HEAD = '''\
"""The functions and methods of the rows, for type checkers. Written by `python -m engine.stubs`."""

from typing import Protocol, overload

from engine.value import Value

class Function(Protocol):
    """A function of one operand: a Value gives a Value, a float gives a float."""

    @overload
    def __call__(self, x: Value, /) -> Value: ...
    @overload
    def __call__(self, x: float, /) -> float: ...

class FunctionOfTwo(Protocol):
    """A function of two operands: a Value among them gives a Value."""

    @overload
    def __call__(self, x: Value, y: Value | float) -> Value: ...
    @overload
    def __call__(self, x: float, y: Value) -> Value: ...
    @overload
    def __call__(self, x: float, y: float) -> float: ...

'''
PARAMETRIC = """\
@overload
def {name}(x: Value, {parameter}: Value | float = {default!r}) -> Value: ...
@overload
def {name}(x: float, {parameter}: Value) -> Value: ...
@overload
def {name}(x: float, {parameter}: float = {default!r}) -> float: ...
"""


def text() -> str:
    """The text of the stub."""
    rows = [op for op in OPS.values() if op.arity]
    return "".join(
        [
            HEAD,
            *(_function(op) for op in rows if not op.parameter),
            "\n",
            *(_function(op) for op in rows if op.parameter),
            "\nclass Methods:\n",
            '    """Those of Value that are made from the rows."""\n\n',
            *(f"    def __{name}__(self, other: Value | float) -> Value: ...\n" for name in INFIX),
            *(f"    def __r{name}__(self, other: float) -> Value: ...\n" for name in INFIX),
            *(f"    def __{name}__(self) -> Value: ...\n" for name in PREFIX),
            *(
                f"    def __{name}__(self, other: Value | float) -> bool: ...\n"
                for name in COMPARISONS
            ),
            *(
                f"    def {op.name}({_parameters(op)}) -> Value: ...\n"
                for op in rows
                if op.takes_one
            ),
        ]
    )


def _function(op: Op) -> str:
    if op.parameter:
        parameter, default = op.parameter
        return PARAMETRIC.format(name=op.name, parameter=parameter, default=default)
    return f"{function_name(op)}: {'Function' if op.arity == 1 else 'FunctionOfTwo'}\n"


def _parameters(op: Op) -> str:
    if not op.parameter:
        return "self"
    parameter, default = op.parameter
    return f"self, {parameter}: Value | float = {default!r}"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="ascii")
