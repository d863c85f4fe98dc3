"""Expressions as Python with blanks."""

import ast

import pytest

from engine.op import Op
from engine.replay.backends.blanks import with_blanks


@pytest.mark.parametrize(
    ("text", "names", "filled"),
    [
        ("x * y + x", "xy", "{0} * {1} + {0}"),
        ("g * (-z / y)", "gyz", "{0} * (-{2} / {1})"),
        ("1.0 if x > 0.0 else y", "xy", "1.0 if {0} > 0.0 else {1}"),
        ("(e := exp(x)) / (1.0 + e)", "x", "(e_part := exp_({0})) / (1.0 + e_part)"),
    ],
)
def test_names_that_are_read_become_blanks_and_all_others_get_an_ending(
    text: str, names: str, filled: str
) -> None:
    assert ast.unparse(with_blanks(text, {}, names)) == filled


def test_rows_are_called_by_their_keys_as_the_caller_wants() -> None:
    old = Op("mine", "mine", "x", ("1.0",), ())
    new = Op("mine", "mine", "2 * x", ("2.0",), ())
    for op in (old, new):
        found = with_blanks("mine(x)", {"mine": op}, "x", "ieee.{}")
        assert ast.unparse(found) == f"ieee.{op.key}({{0}})"
