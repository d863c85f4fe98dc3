"""NumPy's functions of Values: `np.sin(v)` is `v.sin()`; in an array each number for itself."""

import operator
import sys
from collections.abc import Callable
from functools import partial, partialmethod
from typing import Any

from engine.number import number
from engine.ops import OPS

# NumPy's names of rows that are called otherwise here.
NAMES = {
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{"absolute": "abs", "fabs": "abs", "arctan2": "atan2", "deg2rad": "radians"},
    **{"maximum": "max", "minimum": "min", "rad2deg": "degrees", "rint": "round"},
}
OPERATORS: dict[str, Callable[..., Any]] = {
    **{"add": operator.add, "subtract": operator.sub, "multiply": operator.mul},
    **{"divide": operator.truediv, "power": operator.pow, "remainder": operator.mod},
    **{"floor_divide": operator.floordiv, "negative": operator.neg, "positive": operator.pos},
    **{"equal": operator.is_, "not_equal": operator.is_not},
    **{"less": operator.lt, "less_equal": operator.le},
    **{"greater": operator.gt, "greater_equal": operator.ge},
}


def methods(call: Callable[..., Any]) -> dict[str, Any]:
    """The methods by which NumPy computes with Values; `call` computes a row."""
    functions: dict[str, Callable[..., Any]] = {
        **{name: partial(call, op) for name, op in OPS.items() if op.arity},
        **{name: partial(call, OPS[row]) for name, row in NAMES.items()},
        **OPERATORS,
    }

    def ufunc_of_values(self: Any, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        f = functions.get(ufunc.__name__)
        if f is None or method != "__call__" or options:
            return NotImplemented
        if any(getattr(x, "shape", ()) for x in inputs):
            np = sys.modules["numpy"]
            return np.frompyfunc(f, len(inputs), 1)(*[np.array(x, dtype=object) for x in inputs])
        return f(*[number(x.item()) if hasattr(x, "shape") else x for x in inputs])

    # on arrays of objects NumPy calls methods of its own names
    own = {name: partialmethod(functions[name]) for name in (*NAMES, "fmod", "hypot")}
    return {"__array_ufunc__": ufunc_of_values, **own}
