"""The rows of a tape as loops, as they were made."""

from collections.abc import Callable
from typing import Any

from engine.functions import dot, pick
from engine.op import Op
from engine.ops import OPS
from engine.replay.backends.unrolled import needs, unrolled
from engine.replay.loops import Loop, adjoint
from engine.replay.roll import roll, watched
from engine.replay.tape import Tape
from engine.replay.watch import record
from engine.value import Value

XS = [Value(float(k)) for k in range(1, 7)]


def taped(f: Callable[[], Any], inputs: list[Value] = XS, wanted: bool = True) -> Tape:
    with record() as seen:
        result = f()
    return seen.tape(inputs, [result], [wanted] * len(inputs))


def loops(tape: Tape) -> dict[tuple[Op, int], Loop]:
    """By operation and number of rows."""
    return {(op, loop.shape[0]): loop for op, loop in unrolled(tape, needs(tape))}


def test_rows_that_do_the_same_are_one_loop_whatever_lies_between_them() -> None:
    a, b, c = XS[:3]
    made = loops(taped(lambda: -((a * b).exp() * c).exp()))
    assert made.keys() == {(OPS["mul"], 2), (OPS["exp"], 2), (OPS["neg"], 1)}
    product = made[OPS["mul"], 2]
    assert product.target.places() == [0, 2]
    assert (product.reads["x"].places(), product.reads["y"].places()) == ([-1, 1], [-2, -3])


def test_no_sum_is_made_of_products_and_no_square_is_taken_together() -> None:
    a, b, c = XS[:3]
    tape = taped(lambda: a * a + b * b + c * c)
    assert [loop.op for loop in roll(tape).loops] == [OPS["dot"]]
    made = loops(tape)
    assert made.keys() == {(OPS["mul"], 3), (OPS["add"], 2)}
    shares = adjoint([made[OPS["mul"], 3]], squares=False)
    assert [share.expression for share in shares] == ["g * y", "g * x"]


def test_shares_come_in_the_order_of_eager_mode() -> None:
    tape = taped(lambda: dot(XS[:2], XS[2:4], XS[4]))
    (loop,) = loops(tape).values()
    shares = [(share.expression, share.target.places()) for share in adjoint([loop])]
    assert shares == [("g * y", [-1, -2]), ("g * x", [-3, -4]), ("g", [-5])]
    assert loop.starts == ("b0",)


def test_rows_that_pick_are_left_to_who_prints() -> None:
    tape = taped(lambda: pick(XS, 2) * XS[0])
    assert loops(tape).keys() <= {(OPS["mul"], 1)}


def test_gradients_are_needed_above_what_wants_one() -> None:
    w = Value(1.0)
    tape = taped(lambda: XS[0] * 2.0 + w, wanted=False)
    assert needs(tape)[:2] == [False, True]
    partials = {op.name: loop.partials for op, loop in unrolled(tape, needs(tape))}
    assert partials == {"mul": {}, "add": {"y": "1.0"}}


def test_what_the_caller_reads() -> None:
    def f() -> Value:
        y = XS[0] * XS[1]
        return XS[2] if y > XS[3] else y

    tape = taped(f)
    assert watched(tape) == [tape.outputs[0], 0, -4]
