"""`no_grad`, `enable_grad` and `detect_anomaly`: modes, which see every new node of a graph."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from engine.fork import after_fork
from engine.operators import GENERATED

Value = Any  # of engine/value.py, which is above this file
Mode = Callable[[Value], object]
modes: list[Mode] = []  # those active in any thread: while it is empty, nobody has to ask further
_HOUSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OURS = (*(os.path.join(_HOUSE, package, "") for package in ("engine", "nn")), GENERATED)
_active: ContextVar[tuple[Mode, ...]] = ContextVar("active", default=())
# Those of this thread. A partial: `sys.setprofile` is told of calls of builtins.
active = partial(_active.get)


@contextmanager
def mode(see: Mode) -> Iterator[None]:
    """Inside, `see` gets every new node of this thread."""
    all_of_them = sorted((*_active.get(), see), key=lambda see: see is _as_leaf)
    before = _active.set(tuple(all_of_them))  # leaves come last: they forget what made them
    modes.append(see)
    try:
        yield
    finally:
        modes.remove(see)
        _active.reset(before)


@after_fork
def _renew() -> None:
    """In the child of a fork other threads are gone, with the modes they held."""
    modes[:] = _active.get()


def is_watched() -> bool:
    """Whether a mode is active in this thread."""
    return bool(_active.get())


def no_grad() -> AbstractContextManager[None]:
    """Inside `with no_grad():` results are leaves: no graph is kept.

    >>> from engine.value import Value
    >>> with no_grad():
    ...     y = Value(3.0) * 2
    >>> y.parents
    ()
    """
    return mode(_as_leaf)


@contextmanager
def enable_grad() -> Iterator[None]:
    """Inside a `no_grad()`, graphs are kept again.

    >>> from engine.value import Value
    >>> with no_grad(), enable_grad():
    ...     y = Value(3.0) * 2
    >>> y.parents
    (Value(data=3.0, grad=0.0), 2.0)
    """
    before = _active.set(tuple(see for see in _active.get() if see is not _as_leaf))
    try:
        yield
    finally:
        _active.reset(before)


def is_grad_enabled() -> bool:
    """Whether graphs are kept: outside of `no_grad()`."""
    return _as_leaf not in _active.get()


def detect_anomaly() -> AbstractContextManager[None]:
    """Inside `with detect_anomaly():` the first nan or inf is a FloatingPointError.

    It names the operation, its operands and the line that made it; in a backward too.

    >>> from engine.value import Value
    >>> with detect_anomaly():  # doctest: +ELLIPSIS
    ...     Value(0.0).log()
    Traceback (most recent call last):
        ...
    FloatingPointError: log(0.0) gave -inf, at ...
    """
    return mode(examine)


def _as_leaf(v: Value) -> None:
    v.__init__(v.data)


def examine(v: Value) -> None:
    """Raises FloatingPointError where a new node is not finite; notes the line that made it."""
    if v.op:
        v.line = line_of_user()
        if not math.isfinite(v.data):
            raise FloatingPointError(f"{words_for(v)} gave {v.data}, at {v.line}")


def examine_backward(order: Sequence[Value]) -> None:
    """Raises at the first step of a backward that turned finite adjoints into nan or inf."""
    if examine not in _active.get():
        return
    for v in reversed(order):
        if not math.isfinite(v.adjoint):
            raise FloatingPointError(f"backward: the shares of {v!r} add up to {v.adjoint}")
        for slope in v.partials:
            if slope is not None:
                share = v.adjoint * slope
                if not math.isfinite(share):
                    raise FloatingPointError(
                        f"backward through {words_for(v)}: {v.adjoint} * {slope} gave {share}, "
                        f"made at {getattr(v, 'line', 'a line outside detect_anomaly')}"
                    )


def words_for(v: Value) -> str:
    """The call that made a node, with the numbers it had."""
    operands = [f"{getattr(p, 'data', p)}" for p in v.parents]
    name = v.op.name if v.op else "Value"
    shown = operands if len(operands) <= 4 else [*operands[:3], f"... {len(operands)} operands"]
    return f"{name}({', '.join(shown)})"


def line_of_user() -> str:
    """File and line of the innermost caller outside the library."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
