"""Sums of products as calls of NumPy: `matmul` where there is a matrix in them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from engine.replay.backends.steps import Writer
from engine.replay.views import View, is_matrix, laid, packed

Kind = tuple[bool, ...]  # of an axis: whether a, b and the result step along it
KINDS: list[Kind] = list(product((True, False), repeat=3))
EACH, INNER, ROW, LONELY_A, COLUMN, LONELY_B, REPEATED, COUNTED = KINDS


def contract(writer: Writer, a: View, b: View, out: View) -> None:
    """Steps for out = a * b, summed over the axes that `out` lacks.

    All three have the same axes; along one that an array lacks its stride is 0. What `out` alone
    has gets copies; along an axis that all three lack the same is added again and again.
    """
    a, b, out = laid([a, b, out])
    axes: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
    for k, steps in enumerate(zip(a.strides, b.strides, out.strides, strict=True)):
        axes[tuple(map(bool, steps))].append(k)
    rows, columns, inner = axes[ROW], axes[COLUMN], axes[INNER]
    if axes[REPEATED]:
        rest = _without(axes[REPEATED], out)
        moving = [k for k in rest if k in out.own]
        once = writer.temporary(out.along(moving).shape).over(moving, out.shape)
        contract(writer, a.along(rest), b.along(rest), once.along(rest))
        writer.do("np.copyto({0}, {1})", out.along(out.own), once.along(out.own))
    elif axes[COUNTED]:
        rest = _without(axes[COUNTED], out)
        contract(writer, a.along(rest), b.along(rest), out.along(rest))
        times = float(prod(out.shape[k] for k in axes[COUNTED]))
        writer.do("np.multiply({0}, {1}, out={0})", out.along(out.own), times)
    elif len(inner) > 1 and not (_is_packed(a) and _is_packed(b)):
        contract(writer, pack(writer, a), pack(writer, b), out)
    elif len(inner) > 1 or axes[LONELY_A] or axes[LONELY_B]:
        _einsum(writer, a, b, out)
    else:  # what is left are axes of EACH
        _products(writer, a, b, out, inner, rows, columns)


def _without(axes: Sequence[int], view: View) -> list[int]:
    return [k for k in range(len(view.shape)) if k not in axes]


def pack(writer: Writer, view: View) -> View:
    """A copy without gaps of what an array has; the axes along which it repeats stay so."""
    source = view.along(view.own)
    room = writer.temporary(source.shape)
    writer.do("np.copyto({0}, {1})", room, source)
    return room.over(view.own, view.shape)


def _is_packed(view: View) -> bool:
    own = view.along(view.own)
    return own.strides == packed(own.shape)


def _einsum(writer: Writer, a: View, b: View, out: View) -> None:
    views = (a, b, out)
    left, right, result = ("".join(chr(ord("a") + k) for k in view.own) for view in views)
    own = [view.along(view.own) for view in views]
    writer.do(f"np.einsum('{left},{right}->{result}', {{0}}, {{1}}, out={{2}})", *own)


def _products(
    writer: Writer,
    a: View,
    b: View,
    out: View,
    inner: Sequence[int],
    rows: Sequence[int],
    columns: Sequence[int],
) -> None:
    """At most one inner axis: a product of matrices, as many as the other axes say."""
    row, column = (sorted(axes, key=out.shape.__getitem__)[-1:] for axes in (rows, columns))
    if row > column and column:  # the result lies the other way
        a, b, row, column = b, a, column, row
    batch = [k for k in range(len(out.shape)) if k not in (*inner, *row, *column)]
    result = out.along([*batch, *row, *column])
    is_gapless = result.strides == packed(result.shape)
    if not inner and (batch or not (row and column) or not is_gapless):
        writer.do("np.multiply({0}, {1}, out={2})", a.least, b.least, out)
    elif not batch and is_gapless and not (row and column):
        writer.do(
            "np.dot({0}, {1}, out={2})", a.along([*row, *inner]), b.along([*inner, *column]), result
        )
    else:
        a, b, out = (
            _laid(a, batch, row, inner),
            _laid(b, batch, inner, column),
            _laid(out, batch, row, column),
        )
        if row and column and inner:
            a, b = (view if is_matrix(view) else pack(writer, view) for view in (a, b))
        if row and column and not is_matrix(out):
            room = writer.temporary(out.shape)
            writer.do("np.matmul({0}, {1}, out={2})", a, b, room)
            writer.do("np.copyto({0}, {1})", out, room)
        else:
            call = "np.matmul" if batch or not is_gapless or inner else "np.dot"
            writer.do(f"{call}({{0}}, {{1}}, out={{2}})", a, b, out)


def _laid(view: View, batch: Sequence[int], first: Sequence[int], second: Sequence[int]) -> View:
    """The view as matrices of (first, second), one for each step of the other axes."""
    axes = [(view.shape[k], view.strides[k]) for k in batch]
    axes += [
        (view.shape[axis[0]], view.strides[axis[0]]) if axis else (1, 1) for axis in (first, second)
    ]
    shape, strides = zip(*axes, strict=True)
    return View(view.memory, view.base, shape, strides)
