"""The calculus: every primitive operation in one row.

A row holds the text of the result `z` and of its partial derivatives with respect to the operands
`x` and `y`; where textbooks write those in another way, that too. All else is read off it: the
methods of `Value`, the partials saved at the forward pass, derivatives of derivatives, the symbol
in a drawing, the sentences of a step, and the tests. The formulas are written for accuracy, of
their own derivatives too: `1 - z * z` for tanh would lose every digit where z is near 1, and the
slope of the other branch every digit where z is near 0.
"""

from engine.op import OPS, define, row

__all__ = ["OPS", "PICK"]

# fmt: off
#      name          symbol      z             dz/dx, dz/dy          points to test at
define("add",        "+",        "x + y",      "1.0", "1.0",         at=[(1.5, 2.0), (-3.0, 0.5)])
define("sub",        "-",        "x - y",      "1.0", "-1.0",        at=[(1.5, 2.0), (-3.0, 0.5)])
define("mul",        "*",        "x * y",      "y", "x",             at=[(1.5, 2.0), (-3.0, 0.5)])
define("div",        "/",        "x / y",      "1 / y", "-z / y",    at=[(1.5, 2.0), (-3.0, 0.5)])
define("neg",        "-",        "-x",         "-1.0",               at=[(1.5,), (-3.0,)])
define("abs",        "abs",      "abs(x)",
       "1.0 if x > 0 else -1.0 if x < 0 else 0.0 * x",
       at=[(1.5,), (-3.0,)], textbook=("1 if x > 0 else -1",))
define("max",        "max",      "x if x >= y or x != x else y",
       "1.0 if x >= y or x != x else 0.0", "0.0 if x >= y or x != x else 1.0",
       at=[(1.5, 2.0), (0.5, -3.0)], textbook=("1 if x >= y else 0", "0 if x >= y else 1"))
define("min",        "min",      "x if x <= y or x != x else y",
       "1.0 if x <= y or x != x else 0.0", "0.0 if x <= y or x != x else 1.0",
       at=[(1.5, 2.0), (0.5, -3.0)], textbook=("1 if x <= y else 0", "0 if x <= y else 1"))
define("exp",        "exp",      "exp(x)",     "z",                  at=[(0.7,), (-2.0,)])
define("log",        "log",      "log(x)",     "1 / x",              at=[(0.3,), (5.0,)])
define("pow",        "**",       "x ** y",
       "0.0 if y == 0"
       " else y * z / x"
       " if (y < 0.5 or y >= 9007199254740992) and 2.3e-308 < abs(z) < 1.7e308"
       " else -y * z if abs(y) >= 9007199254740992 and (x < 0 or 1 / x < 0)"
       " else y * x ** (y - 1)",
       "0.0 if x == 0 and y >= 0 else z * log(x)",
       at=[(1.5, 2.0), (2.0, -0.5), (0.7, 3.1)], textbook=("y * x ** (y - 1)", "z * log(x)"))
define("expm1",      "expm1",    "expm1(x)",   "exp(x)",             at=[(0.7,), (-2.0,)])
define("log1p",      "log1p",    "log1p(x)",   "1 / (1 + x)",        at=[(0.3,), (-0.6,)])
define("sqrt",       "sqrt",     "sqrt(x)",    "0.5 / z",            at=[(0.3,), (5.0,)])
define("sin",        "sin",      "sin(x)",     "cos(x)",             at=[(0.7,), (-2.0,)])
define("cos",        "cos",      "cos(x)",     "-sin(x)",            at=[(0.7,), (-2.0,)])
define("tan",        "tan",      "tan(x)",     "1 + z * z",          at=[(0.7,), (-2.0,)])
define("sinh",       "sinh",     "sinh(x)",    "cosh(x)",            at=[(0.7,), (-2.0,)])
define("cosh",       "cosh",     "cosh(x)",    "sinh(x)",            at=[(0.7,), (-2.0,)])
define("tanh",       "tanh",     "tanh(x)",
       "1 - z * z if -0.5 < z < 0.5 else 4 * (e := exp(-2 * abs(x))) / ((1 + e) * (1 + e))",
       at=[(0.3,), (-2.0,)], textbook=("1 - z ** 2",))
define("asin",       "asin",     "asin(x)",
       "1 / sqrt((1 - x) * (1 + x) if 0.5 < abs(x) < 1 else 1 - x * x)",
       at=[(0.3,), (-0.6,)])
define("acos",       "acos",     "acos(x)",
       "-1 / sqrt((1 - x) * (1 + x) if 0.5 < abs(x) < 1 else 1 - x * x)",
       at=[(0.3,), (-0.6,)])
define("atan",       "atan",     "atan(x)",    "1 / (1 + x * x)",    at=[(0.3,), (-2.0,)])
define("sigmoid",    "sigmoid",  "1 / (1 + exp(-x)) if x >= 0 else (e := exp(x)) / (1 + e)",
       "0.25 - 0.25 * (t := tanh(0.5 * x)) * t if -1 < x < 1"
       " else (e := exp(-abs(x))) / ((1 + e) * (1 + e))",
       at=[(0.3,), (-2.0,)], textbook=("z * (1 - z)",))
define("softplus",   "softplus", "x + log1p(exp(-x)) if x > 0 else log1p(exp(x))",
       "sigmoid(x)",
       at=[(0.3,), (-2.0,)])
define("relu",       "relu",     "0.0 if x <= 0 else x",
       "0.0 if x <= 0 else 1.0",
       at=[(0.3,), (-2.0,)], textbook=("1 if x > 0 else 0",))
define("leaky_relu", "leaky_relu", "x if x > 0 else y * x",
       "1.0 if x > 0 else y", "0.0 if x > 0 else x",
       at=[(0.3, 0.1), (-2.0, 0.1)], textbook=("1 if x > 0 else y", "0 if x > 0 else x"),
       parameter=("slope", 0.01))
define("erf",        "erf",      "erf(x)",
       "1.1283791670955126 * exp(-x * x)",
       at=[(0.3,), (-1.2,)])
define("erfc",       "erfc",     "erfc(x)",
       "-1.1283791670955126 * exp(-x * x)",
       at=[(0.3,), (-1.2,)])
define("gelu",       "gelu",     "0.5 * x * erfc(-0.7071067811865476 * x)",
       "0.5 * erfc(-0.7071067811865476 * x) + 0.3989422804014327 * x * exp(-0.5 * x * x)",
       at=[(0.3,), (-1.2,)])

#      many operands; the partials are those of one x, one y, the bias
define("sum",        "sum",      "fsum(xs)",
       "1.0",
       at=[(0.5, -1.25, 2.0)], many=True)
define("dot",        "dot",      "inner(xs, ys, bias)",
       "y", "x", "1.0",
       at=[(0.5, -1.25, 2.0, 3.0, 0.1)], many=True)
define("logsumexp",  "logsumexp", "logsumexp(xs)",
       "exp(x - z)",
       at=[(0.5, -1.25, 2.0)], many=True)
# fmt: on

# One of several rows that an integer names: to what looks at a graph it has one operand, the one
# that was taken; in a tape the integer comes first, and then all that could have been.
PICK = row("pick", "pick", "x", "1.0", at=[(1.5,), (-3.0,)])
