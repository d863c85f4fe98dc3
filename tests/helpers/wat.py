"""WebAssembly of its text, by wasmtime."""

import importlib


def of_text(text: str) -> bytes:
    """The bytes of a text, without sections that only name things."""
    whole = bytes(importlib.import_module("wasmtime").wat2wasm(text))
    kept, at = whole[:8], 8
    while at < len(whole):
        size, stop, shift = 0, at + 1, 0
        while True:
            size |= (whole[stop] & 127) << shift
            shift, stop = shift + 7, stop + 1
            if whole[stop - 1] < 128:
                break
        if whole[at]:
            kept += whole[at : stop + size]
        at = stop + size
    return kept
