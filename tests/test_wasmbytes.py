"""WebAssembly as bytes and as text, read by wasmtime."""

import math
import struct

import pytest
from wat import of_text

from engine.replay.backends.wasm.bytes import (
    OPCODES,
    SHOWN,
    Function,
    Module,
    bits,
    signed,
    unsigned,
)

wasmtime = pytest.importorskip("wasmtime")

GIVEN = {
    **{"": (), "block": (), "copied": (), "filled": (), "label": (0,), "which": (1,)},
    **{"whole": (-129,), "float": (bits(-0.1),), "vector": (bits(math.inf), 7)},
    **{"offset": (300,), "pair": (16,), "lane": (8, 1)},
}


@pytest.mark.parametrize("n", [0, 1, 63, 64, 127, 128, 8191, 8192, 2**31 - 1, 2**63 - 1])
def test_whole_numbers_are_read_back(n: int) -> None:
    def read(content: bytes, is_signed: bool) -> int:
        found = sum((byte & 127) << 7 * k for k, byte in enumerate(content))
        return found - (content[-1] >> 6 & is_signed) * (1 << 7 * len(content))

    assert read(unsigned(n), False) == n
    for m in (n, -n - 1):
        assert read(signed(m), True) == m
        assert -(2 ** (7 * len(signed(m)) - 1)) <= m  # no byte too many is needed


@pytest.mark.parametrize("name", OPCODES)
def test_each_instruction_means_what_its_name_says(name: str) -> None:
    """wasmtime makes the same bytes of the text, whether or not the operands are there."""
    function = Function("f", {"x": "i32"}, locals={"far": "v128"})
    kind = OPCODES[name][1]
    given = {**GIVEN, "local": ("far",), "function": ("f",)}[kind]
    function.do(*[("if",)] * (name in ("else", "end")), (name, *given))
    function.do(*[("end",)] * (name in ("loop", "if", "else")))
    module = Module([function], exported=["f"])
    assert of_text(module.text()) == module.encoded()


def test_a_module_with_all_that_it_may_have() -> None:
    asked = Function("python_sin", {"x": "f64"}, "f64")
    first = Function("first", {"x": "f64", "y": "f64"}, "f64")
    assert [first.local("f64", "x"), first.local("i32"), first.local("i32")] == ["x_0", "t", "t_2"]
    first.do(("local.get", "y"), ("call", "python_sin"))
    second = Function("second", {})
    second.do(("i32.const", 8), ("f64.const", bits(math.pi)), ("call", "python_sin"))
    second.do(("f64.store", 8))
    module = Module([first, second], [asked], ["second"], (32, b'\0"\xff'))
    assert of_text(module.text()) == module.encoded()
    store = wasmtime.Store()
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, None)))
    number = wasmtime.ValType.f64()
    sin = wasmtime.Func(store, wasmtime.FuncType([number], [number]), lambda x: -x)
    code = wasmtime.Module(store.engine, module.encoded())
    wasmtime.Instance(store, code, [memory, sin]).exports(store)["second"](store)
    assert memory.read(store, 16, 24) == struct.pack("<d", -math.pi)
    assert memory.read(store, 32, 35) == b'\0"\xff'


def test_data_may_lie_in_the_upper_half_of_memory() -> None:
    module = Module([], data=(2**31 + 8, b"x"))
    assert of_text(module.text()) == module.encoded()


@pytest.mark.parametrize("x", [0.1, -0.0, 5e-324, math.inf, -math.inf, math.nan])
def test_each_number_is_written_so_that_it_is_read_back(x: float) -> None:
    function = Function("f", {}, "f64")
    function.do(("f64.const", bits(x)))
    module = Module([function], exported=["f"])
    assert f"f64.const {x.hex() if math.isfinite(x) else x}" in module.text()
    assert of_text(module.text()) == module.encoded()


@pytest.mark.parametrize(("n", "last"), [(SHOWN, "i32.const 3"), (SHOWN + 7, ";; and 7 instr")])
def test_of_long_code_the_begin_is_shown(n: int, last: str) -> None:
    function = Function("f", {})
    function.do(*[("i32.const", 3)] * n)
    *_, line, end = function.text().splitlines()
    assert line.strip().startswith(last)
    assert end == ")"


@pytest.mark.parametrize(
    ("count", "words"), [(5, "functions more"), (9, ";; and 4 functions more")]
)
def test_of_many_long_functions_the_first_are_shown(count: int, words: str) -> None:
    functions = [Function(f"f{k}", {}) for k in range(count)]
    for function in functions:
        function.do(*[("i32.const", 3)] * SHOWN)
    text = Module(functions, exported=[]).text()
    assert (words in text) == (count > 5)
    assert text.count("(func ") == 5
