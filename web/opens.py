"""What of a page opens in the playground: a program that stands alone, or a notebook as one."""

import ast
import builtins
import symtable
import sys
from collections.abc import Iterator, Sequence

AT_HAND = {*sys.stdlib_module_names, "engine", "nn"}
GIVEN = {*dir(builtins), "__name__", "__file__", "display", "pad"}


def stands_alone(code: str) -> bool:
    """Whether code reads no name that it does not give itself, and imports what is at hand there.

    >>> stands_alone("import math\\nprint(math.pi)"), stands_alone("print(net)")
    (True, False)
    >>> stands_alone("import torch"), stands_alone(">>> 1 + 1")
    (False, False)
    """
    try:
        tree, table = ast.parse(code), symtable.symtable(code, "program", "exec")
    except SyntaxError:
        return False
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_local()}
    return {*_read(table)} <= own | GIVEN and {*_imported(tree)} <= AT_HAND and bool(tree.body)


def program(cells: Sequence[str]) -> str:
    """The cells of a notebook as one program; it shows what ends a cell, as a notebook does.

    >>> print(program(["x = 2", "x + 1"]))
    x = 2
    <BLANKLINE>
    display(x + 1)
    """
    return "\n\n".join(map(_shown, cells))


def _shown(cell: str) -> str:
    try:
        *_, last = ast.parse(cell).body
    except (SyntaxError, ValueError):  # a command of IPython, or nothing
        return cell
    if not isinstance(last, ast.Expr):
        return cell
    before = cell.splitlines()[: last.lineno - 1]
    return "\n".join([*before, f"display({ast.get_source_segment(cell, last)})"])


def _read(table: symtable.SymbolTable) -> Iterator[str]:
    """The names that a program reads as its own or Python's."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
            yield symbol.get_name()
    for inside in table.get_children():
        yield from _read(inside)


def _imported(tree: ast.Module) -> Iterator[str]:
    """The packages that a program imports from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
