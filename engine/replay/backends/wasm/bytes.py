"""WebAssembly as bytes and as text: both are printed from the same instructions.

An instruction is a tuple: its name, then what it is given. Locals and functions go by names, which
become numbers in the bytes. A module has functions and a piece of data, and imports its memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Instruction = tuple[Any, ...]

TYPES = {"i32": b"\x7f", "i64": b"\x7e", "f64": b"\x7c", "v128": b"\x7b"}
NOTHING = b"\x40"  # the result of a block
SHOWN = 2000  # instructions of a function in the text
MOST = 10_000  # of all functions, about

# Opcodes in hexadecimal, and what an instruction is given: a local, a function, a whole number, the
# bits of a float or of two, a place in memory further than the address, that and a lane.
_OPCODES = """
03 loop block                   04 if block                     05 else
0b end                          0d br_if label                  0f return
10 call function                1b select                       20 local.get local
21 local.set local              22 local.tee local              28 i32.load offset
2b f64.load offset              36 i32.store offset             39 f64.store offset
41 i32.const whole              42 i64.const whole              44 f64.const float
45 i32.eqz                      46 i32.eq                       48 i32.lt_s
6a i32.add                      6b i32.sub                      6c i32.mul
71 i32.and                      72 i32.or                       7c i64.add
7d i64.sub                      83 i64.and                      84 i64.or
85 i64.xor                      86 i64.shl                      88 i64.shr_u
61 f64.eq                       62 f64.ne                       63 f64.lt
64 f64.gt                       65 f64.le                       66 f64.ge
99 f64.abs                      9a f64.neg                      9e f64.nearest
9f f64.sqrt                     a0 f64.add                      a1 f64.sub
a2 f64.mul                      a3 f64.div                      a6 f64.copysign
bd i64.reinterpret_f64          bf f64.reinterpret_i64          fc02 i32.trunc_sat_f64_s
fc0a memory.copy copied         fc0b memory.fill filled         fd00 v128.load pair
fd0a v128.load64_splat offset   fd0b v128.store pair            fd57 v128.load64_lane lane
fd0c v128.const vector          fd14 f64x2.splat                fd21 f64x2.extract_lane which
fd22 f64x2.replace_lane which   fd47 f64x2.eq                   fd48 f64x2.ne
fd49 f64x2.lt                   fd4a f64x2.gt                   fd4b f64x2.le
fd4c f64x2.ge                   fd4d v128.not                   fd4e v128.and
fd50 v128.or                    fd51 v128.xor                   fd52 v128.bitselect
fd53 v128.any_true              fd94 f64x2.nearest              fdcb i64x2.shl
fdcd i64x2.shr_u                fdce i64x2.add                  fdd1 i64x2.sub
fdec f64x2.abs                  fded f64x2.neg                  fdef f64x2.sqrt
fdf0 f64x2.add                  fdf1 f64x2.sub                  fdf2 f64x2.mul
fdf3 f64x2.div
"""
_BYTES = {"i32.load": 2, "i32.store": 2}  # the aligned bytes as a power of 2; others have 3


def unsigned(n: int) -> bytes:
    """A whole number of at least 0 in LEB128.

    >>> unsigned(300).hex()
    'ac02'
    """
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def signed(n: int) -> bytes:
    """A whole number of either sign in LEB128.

    >>> signed(-2).hex(), signed(64).hex()
    ('7e', 'c000')
    """
    out = bytearray()
    while not -64 <= n < 64:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n & 127)
    return bytes(out)


def bits(x: float) -> int:
    """The bits of a number."""
    found: int = struct.unpack("<Q", struct.pack("<d", x))[0]
    return found


def _opcodes() -> dict[str, tuple[bytes, str]]:
    """By name: the bytes, and what an instruction is given."""
    found: dict[str, tuple[bytes, str]] = {}
    words = _OPCODES.split()
    while words:
        code, name = words.pop(0), words.pop(0)
        given = words.pop(0) if words and words[0] in _SHOWN else ""
        first, rest = bytes.fromhex(code[:2]), code[2:]
        found[name] = first + (unsigned(int(rest, 16)) if rest else b""), given
    return found


_WRITTEN: dict[str, Callable[..., bytes]] = {
    "": lambda name: b"",
    "block": lambda name: NOTHING,
    "label": lambda name, n: unsigned(n),
    "which": lambda name, n: unsigned(n),
    "whole": lambda name, n: signed(n),
    "float": lambda name, x: struct.pack("<Q", x),
    "vector": lambda name, a, b: struct.pack("<QQ", a, b),
    "offset": lambda name, n: unsigned(_BYTES.get(name, 3)) + unsigned(n),
    "pair": lambda name, n: unsigned(3) + unsigned(n),
    "lane": lambda name, n, lane: unsigned(3) + unsigned(n) + unsigned(lane),
    "copied": lambda name: b"\0\0",
    "filled": lambda name: b"\0",
}
_SHOWN: dict[str, Callable[..., str]] = {
    "": lambda: "",
    "block": lambda: "",
    "label": lambda n: f" {n}",
    "which": lambda n: f" {n}",
    "whole": lambda n: f" {n}",
    "local": lambda name: f" ${name}",
    "function": lambda name: f" ${name}",
    "float": lambda x: f" {_float(x)}",
    "vector": lambda a, b: f" i64x2 {a:#x} {b:#x}",
    "offset": lambda n: f" offset={n}" * bool(n),
    "pair": lambda n: f"{f' offset={n}' * bool(n)} align=8",
    "lane": lambda n, lane: f" offset={n} {lane}",
    "copied": lambda: "",
    "filled": lambda: "",
}
OPCODES = _opcodes()


@dataclass
class Function:
    """A function: the types of its parameters and locals by their names, its instructions."""

    name: str
    parameters: dict[str, str]
    result: str = ""
    locals: dict[str, str] = field(default_factory=dict)
    code: list[Instruction] = field(default_factory=list)

    def local(self, kind: str, name: str = "t") -> str:
        """A new local of a type, which is called so or nearly so."""
        if name in self.locals or name in self.parameters:
            name = f"{name}_{len(self.locals)}"
        self.locals[name] = kind
        return name

    def do(self, *instructions: Instruction) -> None:
        """Adds instructions."""
        self.code += instructions

    @property
    def type(self) -> bytes:
        """What it takes and gives."""
        taken = b"".join(TYPES[kind] for kind in self.parameters.values())
        return (
            b"\x60"
            + unsigned(len(self.parameters))
            + taken
            + (b"\1" + TYPES[self.result] if self.result else b"\0")
        )

    def body(self, functions: Mapping[str, int]) -> bytes:
        """Its locals and instructions as bytes; `functions` has the number of each by its name."""
        numbers = {name: k for k, name in enumerate([*self.parameters, *self.locals])}
        runs: list[list[Any]] = []  # of locals of one type
        for kind in self.locals.values():
            if not runs or runs[-1][1] != kind:
                runs.append([0, kind])
            runs[-1][0] += 1
        out = bytearray(unsigned(len(runs)))
        for count, kind in runs:
            out += unsigned(count) + TYPES[kind]
        made = _Made({"local": numbers, "function": functions})
        out += b"".join(map(made.__getitem__, self.code))
        return _sized(out + b"\x0b")

    def text(self) -> str:
        """As text."""
        taken = "".join(f" (param ${name} {kind})" for name, kind in self.parameters.items())
        lines = [f"(func ${self.name}{taken}{f' (result {self.result})' * bool(self.result)}"]
        lines += [f"  (local ${name} {kind})" for name, kind in self.locals.items()]
        depth = 1
        for name, *given in self.code[:SHOWN]:
            depth -= name in ("end", "else")
            lines.append(f"{'  ' * depth}{name}{_SHOWN[OPCODES[name][1]](*given)}")
            depth += name in ("loop", "if", "else")
        left = len(self.code) - SHOWN
        lines += [f"  ;; and {left:,} instructions more"] * (left > 0)
        return "\n".join([*lines, ")"])


class _Made(dict[Instruction, bytes]):
    """The bytes of instructions, each made once; `numbers` has those of locals and functions."""

    def __init__(self, numbers: Mapping[str, Mapping[str, int]]) -> None:
        self.numbers = numbers

    def __missing__(self, instruction: Instruction) -> bytes:
        name, *given = instruction
        code, kind = OPCODES[name]
        if kind in self.numbers:
            made = code + unsigned(self.numbers[kind][given[0]])
        else:
            made = code + _WRITTEN[kind](name, *given)
        self[instruction] = made
        return made


@dataclass
class Module:
    """Functions; some that are imported, by their types alone; data, and where it is to lie."""

    functions: Sequence[Function]
    imported: Sequence[Function] = ()
    exported: Sequence[str] = ()
    data: tuple[int, bytes] | None = None

    def encoded(self) -> bytes:
        """As bytes."""
        every = [*self.imported, *self.functions]
        types = list(dict.fromkeys(function.type for function in every))
        kind_of = {kind: unsigned(k) for k, kind in enumerate(types)}
        numbers = {function.name: k for k, function in enumerate(every)}
        imports = [b"\3env\6memory\2\0\0"]
        imports += [b"\3env" + _named(f.name) + b"\0" + kind_of[f.type] for f in self.imported]
        exports = [_named(name) + b"\0" + unsigned(numbers[name]) for name in self.exported]
        sections = [
            (1, types),
            (2, imports),
            (3, [kind_of[function.type] for function in self.functions]),
            (7, exports),
            (10, [function.body(numbers) for function in self.functions]),
        ]
        if self.data:
            place, content = self.data
            at = b"\x41" + signed(wrapped(place)) + b"\x0b"
            sections.append((11, [b"\0" + at + unsigned(len(content)) + content]))
        return b"\0asm\1\0\0\0" + b"".join(
            bytes([number]) + _sized(unsigned(len(parts)) + b"".join(parts))
            for number, parts in sections
            if parts
        )

    def text(self) -> str:
        """In the text format (WAT)."""
        lines = ['(import "env" "memory" (memory 0))']
        for f in self.imported:
            taken = "".join(f" (param ${name} {kind})" for name, kind in f.parameters.items())
            given = f" (result {f.result})" * bool(f.result)
            lines.append(f'(import "env" "{f.name}" (func ${f.name}{taken}{given}))')
        written, left = 0, 0
        for function in self.functions:
            if written >= MOST:
                left += 1
                continue
            lines.append(function.text())
            written += min(len(function.code), SHOWN)
        lines += [f";; and {left:,} functions more"] * (left > 0)
        lines += [f'(export "{name}" (func ${name}))' for name in self.exported]
        if self.data:
            place, content = self.data
            shown = "".join(f"\\{byte:02x}" for byte in content)
            lines.append(f'(data (i32.const {wrapped(place)}) "{shown}")')
        return "\n".join(["(module", *_indented(lines), ")"])


def wrapped(place: int) -> int:
    """A place in memory as i32.const takes it: the upper half counts as negative."""
    return place - 2**32 if place >= 2**31 else place


def _indented(texts: Iterable[str]) -> list[str]:
    return [f"  {line}" for text in texts for line in text.splitlines()]


def _sized(content: bytes | bytearray) -> bytes:
    return unsigned(len(content)) + bytes(content)


def _named(name: str) -> bytes:
    return _sized(name.encode())


def _float(bits: int) -> str:
    x: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return x.hex() if x - x == 0 else str(x)
