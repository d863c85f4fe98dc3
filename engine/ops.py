"""The calculus: every primitive operation in one row.

A row holds the text of the result `z` and of its partial derivatives with respect to the operands
`x` and `y`; where textbooks write those in another way, that too. All else is read off it: the
methods of `Value`, the partials saved at the forward pass, derivatives of derivatives, the symbol
in a drawing, the sentences of a step, and the tests. The formulas are written for accuracy, of
their own derivatives too: `1 - z * z` for tanh would lose every digit where z is near 1, and the
slope of the other branch every digit where z is near 0.

A new operation of one operand or two is one row more; then `python -m engine.stubs` tells type
checkers of it. Its texts may call what `ieee.py` has and the rows above it. One of many operands
needs a function in `ieee.py` and in `functions.py` too, and its fold in `replay/loops.py` and the
printers. A user's own is made by `engine.define`.
"""

from math import inf

from engine.op import OPS, define, row
from engine.series import DIGAMMA, ERFINV, LGAMMA, SINC_SLOPE, TETRAGAMMA, TRIGAMMA

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
define("log",        "log",      "log(x)",     "1 / x",              at=[(0.3,), (5.0,)],
       domain=(0, inf))
define("log2",       "log2",     "log2(x)",    "1.4426950408889634 / x", at=[(0.3,), (5.0,)],
       domain=(0, inf), textbook=("1 / (x * log(2))",))
define("log10",      "log10",    "log10(x)",   "0.4342944819032518 / x", at=[(0.3,), (5.0,)],
       domain=(0, inf), textbook=("1 / (x * log(10))",))
define("pow",        "**",       "x ** y",
       "0.0 if y == 0"
       " else y * z / x"
       " if (y < 0.5 or y >= 9007199254740992) and 2.3e-308 < abs(z) < 1.7e308"
       " else -y * z if abs(y) >= 9007199254740992 and (x < 0 or 1 / x < 0)"
       " else y * x ** (y - 1)",
       "0.0 if x == 0 and y >= 0 else z * log(x)",
       at=[(1.5, 2.0), (2.0, -0.5), (0.7, 3.1)], textbook=("y * x ** (y - 1)", "z * log(x)"))
define("exp2",       "exp2",     "2 ** x",     "0.6931471805599453 * z", at=[(0.7,), (-2.0,)],
       textbook=("z * log(2)",))
define("expm1",      "expm1",    "expm1(x)",   "exp(x)",             at=[(0.7,), (-2.0,)])
define("log1p",      "log1p",    "log1p(x)",   "1 / (1 + x)",        at=[(0.3,), (-0.6,)],
       domain=(-1, inf))
define("sqrt",       "sqrt",     "sqrt(x)",    "0.5 / z",            at=[(0.3,), (5.0,)],
       domain=(0, inf))
define("cbrt",       "cbrt",
       "r - (r - x / (r * r)) / 3 if 0 < abs(r := cbrt(x)) < 1e200 else r",
       "1 / (3 * (z * z))",
       at=[(0.3,), (-5.0,)], textbook=("1 / (3 * z ** 2)",))
define("square",     "square",   "x * x",      "2 * x",              at=[(1.5,), (-3.0,)])
define("reciprocal", "reciprocal", "1 / x",    "-z / x",             at=[(1.5,), (-3.0,)])
define("hypot",      "hypot",    "hypot(x, y)",
       "x / z if z != 0 else 0.0", "y / z if z != 0 else 0.0",
       at=[(1.5, 2.0), (-3.0, 0.5)], textbook=("x / z", "y / z"))
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
       at=[(0.3,), (-0.6,)], domain=(-1, 1))
define("acos",       "acos",     "acos(x)",
       "-1 / sqrt((1 - x) * (1 + x) if 0.5 < abs(x) < 1 else 1 - x * x)",
       at=[(0.3,), (-0.6,)], domain=(-1, 1))
define("atan",       "atan",     "atan(x)",    "1 / (1 + x * x)",    at=[(0.3,), (-2.0,)])
define("atan2",      "atan2",    "atan2(x, y)",
       "y / h / h if (h := hypot(x, y)) != 0 else 0.0",
       "-x / h / h if (h := hypot(x, y)) != 0 else 0.0",
       at=[(1.5, 2.0), (-3.0, -0.5)],
       textbook=("y / (x ** 2 + y ** 2)", "-x / (x ** 2 + y ** 2)"))
define("asinh",      "asinh",    "asinh(x)",   "1 / hypot(1, x)",    at=[(0.3,), (-2.0,)],
       textbook=("1 / sqrt(1 + x ** 2)",))
define("acosh",      "acosh",    "acosh(x)",   "1 / (sqrt(x - 1) * sqrt(x + 1))",
       at=[(1.3,), (5.0,)], domain=(1, inf), textbook=("1 / sqrt(x ** 2 - 1)",))
define("atanh",      "atanh",    "atanh(x)",
       "1 / ((1 - x) * (1 + x) if 0.5 < abs(x) < 1 else 1 - x * x)",
       at=[(0.3,), (-0.6,)], domain=(-1, 1), textbook=("1 / (1 - x ** 2)",))
define("sinc",       "sinc",
       "sin(3.141592653589793 * (x - (n := round(x)))) * (1 - 2 * abs(n - 2 * round(0.5 * n)))"
       " / (3.141592653589793 * x) if x != 0 else 1.0",
       SINC_SLOPE,
       at=[(0.3,), (-1.2,)], textbook=("(cos(pi * x) - z) / x",))
define("radians",    "radians",  "x * 0.017453292519943295", "0.017453292519943295",
       at=[(30.0,), (-200.0,)], textbook=("pi / 180",))
define("degrees",    "degrees",  "x * 57.29577951308232", "57.29577951308232",
       at=[(0.5,), (-3.0,)], textbook=("180 / pi",))
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

define("normal_cdf", "normal_cdf", "0.5 * erfc(-0.7071067811865476 * x)",
       "0.3989422804014327 * exp(-0.5 * x * x)",
       at=[(0.3,), (-1.2,)])
define("erfinv",     "erfinv",   ERFINV,       "0.886226925452758 * exp(z * z)",
       at=[(0.3,), (-0.9,)], domain=(-1, 1))
define("logit",      "logit",
       "-log1p((1 - 2 * x) / x) if 0.25 < x < 0.5 else "
       "log1p((2 * x - 1) / (1 - x)) if 0.5 <= x < 0.75 else log(x / (1 - x))",
       "1 / (x * (1 - x))",
       at=[(0.3,), (0.6,), (0.9,)], domain=(0, 1))
define("trigamma",   "trigamma", TRIGAMMA,     TETRAGAMMA,
       at=[(0.3,), (-1.2,), (12.0,)],
       domain=(-1000, inf))
define("digamma",    "digamma",  DIGAMMA,      "trigamma(x)",
       at=[(0.3,), (-1.2,), (12.0,)],
       domain=(-1000, inf))
define("lgamma",     "lgamma",   LGAMMA,       "digamma(x)",
       at=[(0.3,), (1.4,), (12.0,)],
       domain=(0, inf))

#      more activations
define("silu",       "silu",
       "x / (1 + exp(-x)) if x >= 0 else x * (e := exp(x)) / (1 + e)",
       "(s := sigmoid(x)) * (1 + x * sigmoid(-x))",
       at=[(0.3,), (-2.0,)], textbook=("z + sigmoid(x) * (1 - z)",))
define("mish",       "mish",
       "x * (1 + 2 * (e := exp(-x))) / (1 + 2 * e * (1 + e)) if x > 0"
       " else x * (p := (q := exp(x)) * (q + 2)) / (p + 2)",
       "1 + 4 * (e := exp(-x)) * e / (d := 1 + 2 * e * (1 + e)) * ((1 + e) * x / d - 0.5)"
       " if x > 0 else"
       " ((q := exp(x)) * q * (q * (q + 4) + 6) + 4 * (q * (1 + x + x * q)))"
       " / (f := q * (q + 2) + 2) / f",
       at=[(0.3,), (-2.0,)])
define("elu",        "elu",      "x if x > 0 else y * expm1(x)",
       "1.0 if x > 0 else y * exp(x)", "0.0 if x > 0 else expm1(x)",
       at=[(0.3, 1.5), (-2.0, 1.5)], parameter=("alpha", 1.0),
       textbook=("1 if x > 0 else z + y", "0 if x > 0 else z / y"))
define("selu",       "selu",
       "1.0507009873554805 * x if x > 0 else 1.7580993408473768 * expm1(x)",
       "1.0507009873554805 if x > 0 else 1.7580993408473768 * exp(x)",
       at=[(0.3,), (-2.0,)])
define("log_sigmoid", "log_sigmoid", "0 - softplus(-x)", "sigmoid(-x)", at=[(0.3,), (-2.0,)])
define("hard_tanh",  "hard_tanh", "-1.0 if x < -1 else 1.0 if x > 1 else x",
       "0.0 if x <= -1 or x >= 1 else 1.0",
       at=[(0.3,), (-2.0,)], textbook=("1 if abs(x) < 1 else 0",))
define("logaddexp",  "logaddexp",
       "x + 0.6931471805599453 if x == y"
       " else x + log1p(exp(y - x)) if x > y else y + log1p(exp(x - y))",
       "sigmoid(x - y)", "sigmoid(y - x)",
       at=[(1.5, 2.0), (-3.0, -4.5)], textbook=("exp(x - z)", "exp(y - z)"))
define("xlogy",      "xlogy",    "0.0 if x == 0 and y == y else x * log(y)",
       "0.0 if x == 0 and y <= 0 else log(y)", "0.0 if x == 0 and y == y else x / y",
       at=[(1.5, 2.0), (-3.0, 0.5)], textbook=("log(y)", "x / y"))

#      steps: their slopes are 0
define("round",      "round",    "round(x)",   "0.0",                at=[(1.7,), (-3.2,)])
define("floor",      "floor",    "r - 1 if (r := round(x)) > x else r", "0.0",
       at=[(1.7,), (-3.2,)])
define("ceil",       "ceil",     "-floor(-x)", "0.0",
       at=[(1.7,), (-3.2,)])
define("trunc",      "trunc",    "floor(x) if x > 0 else ceil(x)", "0.0",
       at=[(1.7,), (-3.2,)])
define("sign",       "sign",     "1.0 if x > 0 else -1.0 if x < 0 else x + 0", "0.0",
       at=[(1.7,), (-3.2,)])
define("step",       "step",     "1.0 if x > 0 else 0.0 if x <= 0 else x", "0.0",
       at=[(1.7,), (-3.2,)])
define("truth",      "truth",    "1.0 if x != 0 else 0.0", "0.0", at=[(1.7,), (-3.2,)])
define("copysign",   "copysign", "-abs(x) if y < 0 or y == 0 and 1 / y < 0 else abs(x)",
       "x if x == 0 or x != x else 1.0 if (x < 0) == (z < 0) else -1.0", "0.0",
       at=[(1.7, -2.0), (-3.2, -0.5)], textbook=("z / x", "0"))
define("fmod",       "fmod",     "fmod(x, y)", "1.0", "-round((x - z) / y)",
       at=[(7.5, 2.0), (-3.2, 0.75)], textbook=("1", "-trunc(x / y)"))
define("floor_divide", "//",
       "x / y if x == 0 or y == 0 else round((x - (m := fmod(x, y))) / y + 0)"
       " - (1.0 if m < 0 < y or y < 0 < m else 0.0)",
       "0.0", "0.0",
       at=[(7.5, 2.0), (-3.2, 0.75)])
define("mod",        "%",
       "m + y if (m := fmod(x, y)) < 0 < y or y < 0 < m else m if m != 0 else copysign(0.0, y)",
       "1.0", "-floor_divide(x, y)",
       at=[(7.5, 2.0), (-3.2, 0.75)], textbook=("1", "-(x // y)"))

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
