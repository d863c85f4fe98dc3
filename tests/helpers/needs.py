"""What a test needs and a browser does not have, where the test cannot be told by its error."""

import sys

import pytest


def _elsewhere(what):
    return pytest.mark.skipif(sys.platform == "emscripten", reason=f"needs {what}")


processes = _elsewhere("processes")
threads = _elsewhere("threads")
stack = _elsewhere("a deep stack")
wasmtime = _elsewhere("wasmtime, in the place of the browser's own WebAssembly")
speed = _elsewhere("the speed of CPython as a machine runs it")
names = _elsewhere("a file system that refuses long names")
