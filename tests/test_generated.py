"""Row e2 of the battery: names in generated code are the library's own, constants are data."""

import ast
import math
import re
from collections import defaultdict
from functools import cache
from itertools import product

import pytest
from graphs import GRAPHS, Recorded, recorded
from hostile import HOSTILE

from engine import formula, operators
from engine.functions import define
from engine.op import CAREFUL, MANY, PLAIN
from engine.ops import OPS
from engine.replay import backends
from engine.replay.backends import pythontext, vectormath
from engine.value import Value

ARITHMETIC = {
    *(ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Name, ast.Load, ast.Store),
    *(ast.Assign, ast.AugAssign, ast.Tuple, ast.Constant, ast.NamedExpr, ast.Call, ast.Return),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.UnaryOp, ast.USub, ast.IfExp),
    *(ast.BoolOp, ast.And, ast.Or, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq),
    *(ast.NotEq, ast.Not),
}
FLOW = {ast.If, ast.While, ast.IsNot, ast.Yield, ast.Expr}
PICKS = {ast.Subscript, ast.List}
METHODS = {
    *ARITHMETIC,
    ast.Attribute,
    *(ast.If, ast.For, ast.Expr),
    ast.Is,
    ast.IsNot,
    ast.Try,
    ast.ExceptHandler,
    ast.Raise,
}
ARRAYS = {*ARITHMETIC, *FLOW, ast.Attribute, ast.Subscript, ast.Slice, ast.List, ast.keyword}
FUNCTIONS = "|".join({*PLAIN, *CAREFUL, *MANY, *OPS})
PARAMETERS = "|".join({op.parameter[0] for op in OPS.values() if op.parameter})
NAMES = {
    "python": rf"[advxstk]\d+|leaves|seeds|run|pool|[a-z]_part|({FUNCTIONS}|row_of)_|[a-z]_",
    "numpy": (
        r"d?[cmtwxz]\d+(_\d+)?|(ones|table|number)\d+|values|adjoints|scratch|masks|ones|zero|one"
        r"|seeds|forward|backward|np|ieee|view|total|row_places|erf|erfc|LARGEST|[a-z]_part"
    ),
    "methods": (
        r"Value|_new|number|data_of|active|see|modes|self|other|node|None|type|float"
        r"|AttributeError|TypeError|ArithmeticError|ValueError|NOT_COMPUTED|dot|xs|ys|bias(_data)?|[xy]\d+(_data)?|d?[xyz]"
        rf"|({'|'.join(OPS)})_(op|careful)|{FUNCTIONS}|[a-z]|apply|{PARAMETERS}"
    ),
}
ATTRIBUTES = {
    "python": "never",
    "numpy": (
        rf"np\.(errstate|dot|matmul|add|subtract|multiply|divide|power|maximum|minimum|negative|abs"
        r"|exp|expm1|log|log1p|sqrt|sin|cos|tan|sinh|cosh|tanh|arcsin|arccos|arctan|less|less_equal"
        r"|arcsinh|arccosh|arctanh|arctan2|cbrt|fmod|hypot|log10|log2|rint"
        r"|greater|greater_equal|equal|not_equal|logical_and|logical_or|logical_not|copyto|where"
        rf"|einsum|isfinite|isnan)|np\.(add|maximum|minimum)\.(reduce|at)|ieee\.({FUNCTIONS})"
        r"|(d?[ctwxz]\d+(_\d+)?|table\d+)\.(fill|take)"
    ),
    "methods": (
        r"(self|other|node|[xy]\d+|bias)\._data|node\.(x|y|_dx|_dy|op|_grad|label|adjoint)"
        r"|(self|other)\.(x|y|data)"
    ),
}
TEXTS = {
    "python": "never",
    "numpy": r"ignore|clip|[a-z]{0,4}(,[a-z]{0,4})*->[a-z]{0,4}",
    "methods": "",
}
NODES = {"python": ARITHMETIC | FLOW | PICKS, "numpy": ARRAYS, "methods": METHODS}
C_WORDS = re.compile(
    "auto|break|const|continue|double|else|float|for|if|int|long|return|sizeof|static"
    "|inline|struct|typedef|unsigned|void|while|restrict|uint64_t|int64_t|memcpy"
    "|memset|isfinite|isnan|INFINITY|NAN|pow|fabs|exp|expm1|log|log1p|sqrt|sin|cos|tan"
    "|sinh|cosh|tanh|asin|acos|atan|erf|erfc|v_exp|v_log1p"
    "|asinh|acosh|atanh|atan2|cbrt|fmod|hypot|lgamma|log10|log2|rint"
    "|INLINE|NULL|far|NEVER_INLINED|call|run|zero|seed|gather|largest|from|to|end|rows"
    "|count|width|places|found|index|row_of|place"
    "|lost|top|best|term|sum|table|work|values|adjoints"
    "|seeds|forward|backward|memory|calls|pass|Pass|Memory|PUBLIC|__attribute__"
    "|pick|__asm__|vector_size|aligned|may_alias|fmax|fmin"
)
C_NAMES = re.compile(
    rf"[a-z]{{1,2}}\d*(_at)?|part\d+|row_[a-z]|[A-Z]+\d+|(z|dx|dy)_({'|'.join(OPS)})"
    rf"|(call_)?({'|'.join([*OPS, 'pick'])})(_(dx|dy|adjoint))?_[0-9a-f]{{12}}"
    r"|(z_|dx_|call_)?pow_[0-9a-f]{16}(_dx)?(_[0-9a-f]{12})?"  # with an exponent that is known
    rf"|v_({FUNCTIONS}|sigmoid_slope)|call_zero|[a-z]_i|(call_)?(seed|share)_[0-9a-f]{{12}}"
)


def strange(source, kind):
    """What in the text of a program is not on the list."""
    nodes = defaultdict(list)
    for n in ast.walk(ast.parse(source)):
        nodes[type(n)].append(n)
    yield from (of.__name__ for of in nodes.keys() - NODES[kind])
    names = {n.id for n in nodes[ast.Name]}
    yield from (name for name in names if not re.fullmatch(NAMES[kind], name))
    attributes = {ast.unparse(n) for n in nodes[ast.Attribute]}
    yield from (text for text in attributes if not _is_known(text, kind))
    yield from (repr(n.value) for n in nodes[ast.Constant] if not _is_number(n.value, kind))
    if kind == "methods":
        made = {n.name for n in nodes[ast.FunctionDef]}
        yield from (name for name in made if not re.fullmatch(r"__[a-z]+__|[a-z_0-9]+", name))
    called = {ast.unparse(n.value) for n in nodes[ast.Expr]}
    yield from (text for text in called if "__" in text)


def _is_known(text, kind):
    """An attribute, or the beginning of one that is."""
    return re.fullmatch(ATTRIBUTES[kind], text) or text in ("np.add", "np.maximum", "np.minimum")


def _is_number(value, kind):
    if isinstance(value, str):
        return re.fullmatch(TEXTS[kind], value) is not None
    return value is None or value is True or (type(value) in (int, float) and math.isfinite(value))


def strange_c(source):
    """Words of a C text that are not on the list, and brackets that make it another language."""
    own = source.replace(vectormath.needed(source), "")
    code = re.sub(r"/\*.*?\*/", " ", own, flags=re.S)
    lines = [line for line in code.splitlines() if not line.lstrip().startswith("#")]
    code = "\n".join(lines)
    for word in {*re.findall(r"(?<![\w.])[A-Za-z_]\w*", code)}:
        if not (C_WORDS.fullmatch(word) or C_NAMES.fullmatch(word)):
            yield word
    yield from re.findall(r"[\"'`$@\\]+|\?\?.", re.sub(r'__asm__\s*\("[^"]*"[^;]*;|""', "", code))


def source(r: Recorded, backend):
    try:
        return backends.backend(backend).compile(r.program, r.tape).source
    except RuntimeError as reason:
        pytest.skip(str(reason))


@cache
def programs():
    return {name: recorded(graph()) for name, graph in GRAPHS.items()}


@pytest.mark.whole
@pytest.mark.some(2)
@pytest.mark.parametrize("rewrite", [formula.plain, formula.careful])
def test_lines_of_python_are_arithmetic_and_hold_no_data(rewrite):
    """Also those that are taken where a number is not finite, which a kernel makes later."""
    texts = [text for op in OPS.values() for text in (op.formula, *op.partials)]
    ours = {float(x) for text in texts for x in constants(text)}
    for name, r in programs().items():
        text = pythontext.Writer(r.program, r.tape, rewrite).source()
        assert set(strange(text, "python")) == set(), name
        found = {x for x in constants(text) if type(x) is not int}  # those of a pick are places
        assert found <= ours | {True, None}, name


def constants(text):
    return [n.value for n in ast.walk(ast.parse(text)) if type(n) is ast.Constant]


@pytest.mark.whole
@pytest.mark.some(2)
@pytest.mark.parametrize("backend", ["python", "numpy"])
def test_replays_are_arithmetic_on_names_of_the_library(backend, figure):
    for name, r in programs().items():
        text = source(r, backend)
        assert set(strange(text, backend)) == set(), name
    figure("e2", f"programs of {backend} read back against a list: strange parts", len(GRAPHS))


@pytest.mark.whole
def test_c_is_arithmetic_on_names_of_the_library(figure):
    some = [*programs().items()][::4]
    for name, r in some:
        assert not set(strange_c(source(r, "c"))), name
    figure("e2", "programs of c, word by word against a list: strange words", len(some))


def test_methods_and_dots_are_what_a_person_would_write(figure):
    texts = [operators.source()]
    flags = list(product((True, False), repeat=3))
    texts += [operators.dot_source(n, *f) for n in (1, 2, 3, 16) for f in flags if any(f[:2])]
    for text in texts:
        assert set(strange(text, "methods")) == set()
    figure("e2", "methods and dots, written out: strange parts", len(texts))


CODE = [
    "__import__('os').system('true')",
    "v0.__class__",
    "exec(leaves)",
    "open(x0)",
    "lambda: x0",
    "[x0 for x0 in x1]",
    "import os",
    "x0 = 'text'",
    "f'{x0}'",
    "del x0",
]


@pytest.mark.parametrize("text", CODE)
@pytest.mark.parametrize("kind", NODES)
def test_the_list_refuses_other_code(text, kind):
    assert set(strange(text, kind))


@pytest.mark.parametrize("text", ['system("true");', "int main() {}", "asm(x);", "char *x;"])
def test_the_list_refuses_other_c(text):
    assert set(strange_c(text))


# --- what users give ----------------------------------------------------------------------------

CONSTANTS = [0.1234567, 7.654321, math.inf, -math.inf, math.nan, 5e-324, 1.7e308, -0.0]


@pytest.mark.some(4)
@pytest.mark.parametrize("backend", backends.NAMES)
def test_constants_and_labels_are_not_in_the_text(backend):
    def text(constant, label):
        x, w = Value(0.5, label), Value(2.0, label)
        return source(recorded(([x], lambda: (w * x * constant + constant).tanh() * w)), backend)

    texts = {text(constant, label) for constant in CONSTANTS for label in ("a", *HOSTILE[::3])}
    assert len(texts) == 1


LEGAL = ["int", "main", "system", "exec", "memcpy", "values", "run", "np", "é", "x0", "_"]


@pytest.mark.some(3)
@pytest.mark.parametrize("backend", backends.NAMES)
@pytest.mark.parametrize("name", LEGAL[:-1])
def test_names_of_operations_cannot_take_the_place_of_others(backend, name):
    """Such as functions of C, keywords, and the variables of the generated code."""
    operation = define(name, name, "x * exp(x)", "(1 + x) * exp(x)", at=[(0.3,)])
    x = Value(0.5)
    r = recorded(([x], lambda: operation(operation(x)) * 3.0))
    kernel = backends.backend(backend).compile(r.program, r.tape)
    kernel.values[r.program.leaves - 1] = 0.5
    kernel.forward()
    kernel.backward([1.0])
    (want,), (slope,) = r.eager()
    assert kernel.values[r.program.outputs[0]] == pytest.approx(want, rel=1e-14)
    assert kernel.adjoints[r.program.leaves - 1] == pytest.approx(slope, rel=1e-14)
