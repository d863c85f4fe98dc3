"""One number or a pair of them: the types and the prefixes of what WebAssembly computes with."""

from collections.abc import Mapping
from typing import NamedTuple

NUMBER, CONDITION, BITS = "number", "condition", "bits"


class Lanes(NamedTuple):
    """How many numbers are computed at once, and what that is called."""

    width: int
    suffix: str
    types: Mapping[str, str]  # of a number, a condition, bits
    prefixes: Mapping[str, str]  # of what computes with them

    @property
    def type(self) -> str:
        """That of a number."""
        return self.types[NUMBER]


ONE = Lanes(
    *(1, "", {NUMBER: "f64", CONDITION: "i32", BITS: "i64"}),
    {NUMBER: "f64", CONDITION: "i32", BITS: "i64", "logic": "i64"},
)
PAIR = Lanes(
    *(2, "_pair", dict.fromkeys((NUMBER, CONDITION, BITS), "v128")),
    {NUMBER: "f64x2", CONDITION: "v128", BITS: "i64x2", "logic": "v128"},
)
