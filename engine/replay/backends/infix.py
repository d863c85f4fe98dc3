"""Formulas as text in the languages that write them as C does."""

import ast
from collections.abc import Callable, Mapping
from functools import partial
from math import inf

SIGNS: dict[object, str] = {
    **{ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.USub: "-", ast.Not: "!"},
    **{ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="},
    **{ast.And: "&", ast.Or: "|", inf: "INFINITY"},
}
FORMS = {ast.BinOp: "({} {} {})", ast.UnaryOp: "({}{})", ast.IfExp: "({} ? {} : {})"}


def infix(
    formula: ast.AST,
    names: Mapping[str, str],
    call: Callable[[str, list[str]], str],
    part: Callable[[str, str], str],
    signs: Mapping[object, str] = SIGNS,
) -> str:
    """The text of a tree of `formula.tree` that has its powers as calls of `pow`.

    `names` are those of variables. `call` makes the text of a call, of its name and arguments, and
    `part` that of `(name := value)`; they are asked in the order in which Python computes.

    >>> from engine.formula import plain, tree
    >>> def call(name, arguments):
    ...     return f"{name}({', '.join(arguments)})"
    >>> infix(tree(plain("x ** 2 if 0 < x < y else -x")), {"x": "v[0]", "y": "v[1]"}, call, call)
    '(((0.0 < v[0]) & (v[0] < v[1])) ? pow(v[0], 2.0) : (-v[0]))'
    """
    text = partial(infix, names=names, call=call, part=part, signs=signs)
    match formula:
        case ast.Constant(number):
            made = signs.get(number) or repr(number)
        case ast.Name(name):
            made = names[name]
        case ast.NamedExpr(ast.Name(name), value):
            made = part(name, text(value))
        case ast.Call(ast.Name(name), arguments):
            made = call(name, list(map(text, arguments)))
        case ast.BoolOp(word, conditions):
            made = f"({f' {signs[type(word)]} '.join(map(text, conditions))})"
        case ast.Compare(left, relations, others):
            sides = list(map(text, (left, *others)))
            triples = zip(sides, relations, sides[1:], strict=False)
            pairs = [f"({a} {signs[type(relation)]} {b})" for a, relation, b in triples]
            made = f"({f' {signs[ast.And]} '.join(pairs)})" if len(pairs) > 1 else pairs[0]
        case _:
            children = ast.iter_child_nodes(formula)
            parts = [signs.get(type(child)) or text(child) for child in children]
            made = FORMS[type(formula)].format(*parts)
    return made
