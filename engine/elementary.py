"""`exp(x)`, `maximum(x, y)`: the rows of one operand or two as functions, of Values or floats."""

from typing import TYPE_CHECKING

from engine import operators
from engine.ops import OPS
from engine.value import call, written

if TYPE_CHECKING:
    from engine.typed import *  # noqa: F403 (written by `python -m engine.stubs`)
else:
    made = written(operators.functions(), f"{operators.GENERATED}: functions", call=call)
    rows = {operators.function_name(op): op for op in OPS.values()}
    for name, function in made.items():
        globals()[name] = operators.described(function, rows[name], __name__)
    __all__ = tuple(made)
