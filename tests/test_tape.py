import contextvars
import copy
import math
import os
import pickle
import threading

import pytest
from graphs import GRAPHS, numbers, recorded

import engine
from engine import functions, value
from engine.functions import pick
from engine.integer import Integer
from engine.modes import modes
from engine.ops import OPS, PICK
from engine.replay import tape, watch
from engine.replay.tape import Bound, Guard
from engine.replay.watch import is_recording, record, standing_in
from engine.sweep import sort
from engine.value import Value, apply, toposort

HERE = __file__


def seen_in(f):
    with record() as seen:
        f()
    return seen


def compared(f):
    """The guards of a function as (left data, relation, right data, outcome)."""
    return [(value.data_of(a), r, value.data_of(b), c) for a, r, b, c in seen_in(f).guards]


def names(tape):
    return [(op.name, *places) for op, places in tape.rows]


# --- the list -----------------------------------------------------------------


def test_rows_refer_to_earlier_rows_and_to_leaves():
    x, w = Value(2.0), Value(3.0)
    of = recorded(([x], lambda: (x * w + 4.0) * x))
    assert names(of.tape) == [("mul", -1, -2), ("add", 0, -3), ("mul", 1, -1)]
    assert of.tape.leaves == (x, w, 4.0)
    assert (of.tape.inputs, of.tape.outputs, of.tape.order) == (1, (2,), (0, 1, 2))


def test_all_inputs_are_leaves_also_those_not_read():
    xs = numbers(3)
    of = recorded((xs, xs[2].exp))
    assert of.tape.leaves == tuple(xs)
    assert names(of.tape) == [("exp", -3)]


@pytest.mark.parametrize("grads", [(), (True, False)])
def test_gradients_of_inputs_are_wanted_when_asked_for(grads):
    xs = numbers(2)
    with record() as seen:
        y = xs[0] * xs[1]
    assert seen.tape(xs, [y], grads).input_grads == (grads or (False, False))


def test_rows_that_nothing_needs_are_left_out():
    x = Value(2.0)

    def f():
        x.exp().sin()
        return x * x

    assert names(recorded(([x], f)).tape) == [("mul", -1, -1)]


def test_operands_of_many_stand_as_they_are_given():
    x, y = Value(2.0), Value(3.0)
    of = recorded(([x], lambda: engine.dot([x, 7.0], [y, x], 1.5)))
    assert of.tape.leaves == (x, 7.0, y, 1.5)
    assert names(of.tape) == [("dot", -1, -2, -3, -1, -4)]
    of = recorded(([x, y], lambda: engine.sum([x, y, x])))
    assert names(of.tape) == [("sum", -1, -2, -1)]
    of = recorded(([x], lambda: 2.0 / x))
    assert names(of.tape) == [("div", -2, -1)]


def test_a_constant_met_again_is_one_leaf():
    x, half = Value(2.0), 0.5
    of = recorded(([x], lambda: x * half + x / half))
    assert of.tape.leaves == (x, 0.5)
    one, same = 1.25, float("1.25")
    of = recorded(([x], lambda: x * one + x / same))
    assert of.tape.leaves == (x, 1.25, 1.25)


def test_values_made_inside_are_constants():
    x, w = Value(2.0), Value(3.0)
    of = recorded(([x], lambda: [x * Value(5.0) + w, Value(6.0)]))
    assert of.tape.leaves == (x, 5.0, w, 6.0)
    assert of.program.parameters == (w,)
    assert of.tape.outputs == (1, -4)


def test_results_from_before_are_parameters_and_what_is_below_them_is_not_seen():
    w, x = Value(3.0), Value(2.0)
    h = w * w
    of = recorded(([x], lambda: h * x))
    assert of.tape.leaves == (x, h)
    assert (names(of.tape), of.tape.order) == ([("mul", -2, -1)], (0,))


def test_outputs_may_be_leaves_numbers_and_the_same_again():
    x, w = Value(2.0), Value(3.0)
    of = recorded(([x], lambda: [w, x, 0.5, w]))
    assert (of.tape.outputs, of.tape.leaves, of.tape.rows) == ((-2, -1, -3, -2), (x, w, 0.5), ())


@pytest.mark.some(3)
@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_the_order_is_that_of_a_backward(graph):
    of = recorded(graph())
    root = apply(OPS["sum"], *[v for v in of.outputs if isinstance(v, Value)])
    in_eager = [v.op.name for v in sort(root)[:-1] if v.op]
    assert [of.tape.rows[row][0].name for row in of.tape.order] == in_eager
    for_guards = {row for guard in of.tape.guards for row in (guard.left, guard.right)}
    for_guards |= {bound.place for bound in of.tape.bounds}
    assert len(set(of.tape.order)) == len(of.tape.order)
    assert set(range(len(of.tape.rows))) - set(of.tape.order) <= for_guards


def test_rows_for_guards_alone_are_not_in_the_order():
    x, w = Value(2.0), Value(3.0)
    of = recorded(([x], lambda: w * x if x.exp() < w.exp() * 5 else w))
    assert [op.name for op, _ in of.tape.rows] == ["exp", "exp", "mul", "mul"]
    assert of.tape.order == (3,)
    assert of.tape.guards == (Guard(0, "lt", 2, True),)


def test_a_tape_can_be_made_twice():
    x = Value(2.0)
    with record() as seen:
        y = x * x if x > 1 else x
    assert seen.tape([x], [y]) == seen.tape([x], [y])


@pytest.mark.some(3)
@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_the_order_below_one_output_is_that_of_its_own_backward(graph):
    of = recorded(graph())
    for k, z in enumerate(of.outputs):
        in_eager = [v.op.name for v in sort(z) if v.op] if isinstance(z, Value) else []
        assert [of.tape.rows[row][0].name for row in of.tape.order_below(k)] == in_eager


# --- guards -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "guards"),
    [
        (lambda x, y: x < y, [(1.0, "lt", 2.0, True)]),
        (lambda x, y: x <= 1, [(1.0, "le", 1.0, True)]),
        (lambda x, y: x > y, [(1.0, "gt", 2.0, False)]),
        (lambda x, y: x >= 3, [(1.0, "ge", 3.0, False)]),
        (lambda x, y: y < 3, [(2.0, "lt", 3.0, True)]),
        (lambda x, y: bool(x), [(1.0, "ne", 0.0, True)]),
        (lambda x, y: not (x * 0), [(0.0, "ne", 0.0, False)]),
        (lambda x, y: x and y, [(1.0, "ne", 0.0, True)]),
        (max, [(2.0, "gt", 1.0, True)]),
        (lambda x, y: min([y, x]), [(1.0, "lt", 2.0, True)]),
        (lambda x, y: sorted([y, x]), [(1.0, "lt", 2.0, True)]),
        (lambda x, y: x == y, []),
        (lambda x, y: x in [y], []),
        (lambda x, y: engine.max(x, y).relu(), []),
    ],
)
def test_comparisons(f, guards):
    x, y = Value(1.0), Value(2.0)
    assert compared(lambda: f(x, y)) == guards


def test_a_comparison_with_something_else_is_the_error_that_it_was():
    with pytest.raises(TypeError, match="expected a real number, got str"):
        compared(lambda: Value(1.0) < "a")


def test_nan_is_never_above_or_below():
    x = Value(math.nan)
    assert [c for *_, c in compared(lambda: (x < 1, x > 1, bool(x)))] == [False, False, True]


def test_formulas_on_values_leave_guards():
    x = Value(2.0)
    guards = compared(lambda: engine.grad(x.relu(), x))
    assert guards == [(2.0, "le", 0.0, False)]
    assert compared(lambda: engine.grad(x**3.0, x)) == []  # only the constant is compared
    p = Value(0.25)
    guards = compared(lambda: engine.grad(x**p, x))
    assert guards[:2] == [(0.25, "eq", 0.0, False), (0.25, "lt", 0.5, True)]
    assert [r for _, r, *_ in guards] == ["eq", "lt", "gt", "lt"]


def test_a_guard_of_a_formula_tells_when_a_replay_would_be_wrong():
    x = Value(2.0)
    of = recorded(([x], lambda: engine.grad(abs(x) * x.relu(), x)))
    assert {(g.left, g.relation, g.outcome) for g in of.tape.guards} == {
        (-1, "gt", True),
        (-1, "le", False),
    }


# --- escapes ------------------------------------------------------------------


def escape(f):
    """The line at which a number left the graph, from the first of the function."""
    escapes = [escape.line for escape in seen_in(f).escapes]
    first = f.__code__.co_firstlineno
    for line in escapes:
        assert line.rpartition(":")[0] == HERE
    return [int(line.rpartition(":")[2]) - first for line in escapes]


def test_a_look_at_data_is_noted_with_its_line():
    x = Value(2.0)

    def f():
        y = x * x
        return y * y.data + x.data

    assert escape(f) == [2, 2]
    assert escape(lambda: [v.data for v in (x, x)]) == [0, 0]


def test_what_the_engine_reads_is_no_escape():
    x, y = Value(2.0), Value(3.0)

    def f():
        engine.cross_entropy([x, y], 1)
        engine.sum([x, engine.dot([x, 1.0], [y, y]), -(abs(x) ** y), engine.max(x, y)])
        engine.hessian(x * y, [x, y])
        engine.softmax([x, y])

    assert escape(f) == []


@pytest.mark.parametrize(
    "cut",
    [
        lambda x: x.detach(),
        lambda x: (x * 2).detach() + 1,
        lambda x: copy.copy(x + 1),
        lambda x: math.exp(x.data),
        lambda x: f"{x:.3f}",
        lambda x: f"{x}",
        lambda x: repr(x),  # noqa: PLW0108 (the test reads its line)
        lambda x: pickle.dumps(x),  # noqa: PLW0108 (a function that people write)
        lambda x: x.grad,
        lambda x: x.has_grad,
        lambda x: x.zero_grad(),
        lambda x: (x * x).backward(),
        lambda x: (x * x).partials,
        lambda x: (x * x).dx,
        lambda x: (x * x).dy,
        lambda x: engine.sum([x, x]).dx,
        lambda x: setattr(x, "data", 3.0),
        lambda x: setattr(x, "grad", 3.0),
        lambda x: engine.draw(x * x),
    ],
)
def test_what_cuts_the_graph_is_an_escape(cut):
    x = Value(2.0)
    lines = {escape.line for escape in seen_in(lambda: cut(x)).escapes}
    assert lines == {f"{HERE}:{cut.__code__.co_firstlineno}"}


def test_deepcopies_and_no_grad_are_escapes():
    x = Value(2.0)

    def deep():
        copy.deepcopy([x])

    def without():
        with engine.no_grad():
            return x * 2

    assert set(escape(deep)) == {1}
    assert escape(without) == [2]


def test_no_grad_around_a_recording_is_an_escape():
    x = Value(2.0)
    with engine.no_grad():
        assert escape(lambda: x * 2) == [0]


# --- the watch ----------------------------------------------------------------


def test_the_watch_goes_away():
    before = dict(vars(Value))
    with record():
        assert dict(vars(Value)) != before
        with record():
            pass
        assert dict(vars(Value)) != before
    assert dict(vars(Value)) == before
    assert modes == []
    assert not is_recording()


def test_operators_pass_by_the_watch():
    for method in (Value.__mul__, Value.relu, functions.exp):  # a look costs more than a product
        assert "data" not in method.__code__.co_names


def test_the_watch_goes_away_after_an_error():
    before = dict(vars(Value))
    with pytest.raises(ZeroDivisionError), record():
        raise ZeroDivisionError
    assert dict(vars(Value)) == before
    assert not is_recording()


def test_recording_changes_no_result():
    xs, special = numbers(4), [math.inf, -math.inf, math.nan, -0.0, 1e308]
    for name, op in OPS.items():
        for point in [*op.at, *((s,) * len(op.at[0]) for s in special)]:
            values = [Value(x) for x in point]
            plain = apply(op, *values)
            method = getattr(Value, name, None)
            with record() as seen:
                watched = apply(op, *values)
                if method and op.arity == 1:
                    again = getattr(values[0], name)()
                    assert repr((again.data, again.partials)) == repr((plain.data, plain.partials))
            assert repr((watched.data, watched.partials)) == repr((plain.data, plain.partials))
            assert watched.parents == plain.parents
            assert seen.nodes[0] is watched
    x, y = xs[:2]
    for f in (
        *(lambda: x + y, lambda: x - y, lambda: x * y, lambda: x / y, lambda: abs(x) ** y),
        *(lambda: 1 + x, lambda: 1 - x, lambda: 2 * x, lambda: 2 / x, lambda: 2**x, lambda: -x),
    ):
        plain = f()
        with record():
            watched = f()
        assert (watched.data, watched.op, watched.partials) == (
            plain.data,
            plain.op,
            plain.partials,
        )


def test_recordings_inside_recordings_see_the_same():
    x = Value(2.0)
    with record() as outer:
        with record() as inner:
            y = x * Value(3.0) if x > 1 else x
            _ = y.data
        assert is_recording()
        z = y + 1.0
    assert (len(inner.nodes), len(outer.nodes)) == (1, 2)
    for seen in (inner, outer):
        assert (len(seen.made), len(seen.guards), len(seen.escapes)) == (1, 1, 1)
    assert names(outer.tape([x], [z])) == [("mul", -1, -2), ("add", 0, -3)]


def in_thread(f):
    out = []
    thread = threading.Thread(target=lambda: out.append(f()))
    thread.start()
    thread.join(30)
    return out[0]


def test_other_threads_are_not_seen():
    x = Value(2.0)
    with record() as seen:
        assert in_thread(lambda: (x.data, (x * 2).data, x > 1, bool(x), is_recording())) == (
            *(2.0, 4.0, True, True, False),
        )
        in_thread(lambda: Value(1.0).detach())
    assert (seen.nodes, seen.made, seen.guards, seen.escapes) == ([], [], [], [])


def test_one_thread_records_at_a_time():
    x = Value(2.0)
    order = []

    def other():
        with record() as seen:
            order.append("other")
            _ = x * x
        return len(seen.nodes)

    counts = []
    with record() as seen:
        thread = threading.Thread(target=lambda: counts.append(other()))
        thread.start()
        thread.join(0.2)
        order.append("first")
        _ = x + x
    thread.join(30)
    assert (order, counts, len(seen.nodes)) == (["first", "other"], [1], 1)


def test_a_context_of_its_own_is_not_recorded():
    x = Value(2.0)
    outside = contextvars.copy_context()
    with record() as seen:
        outside.run(lambda: x * x)
    assert seen.nodes == []


def test_operations_of_users_are_recorded():
    name = "halved"
    half = functions.define(name, name, "x / 2", "0.5", at=[(0.3,)])
    x = Value(3.0)
    assert names(recorded(([x], lambda: half(x) + half(half(x)))).tape)[0] == (name, -1)


def test_the_engine_is_its_own_folder():
    assert watch.__file__.startswith(watch._ENGINE)
    assert not HERE.startswith(watch._ENGINE)
    beside = os.path.dirname(engine.__file__) + "_of_mine.py"
    assert not beside.startswith(watch._ENGINE)


# --- picks, and numbers outside that are lent as Values ------------------------------------------


def test_a_pick_by_a_value_is_a_row_with_bounds():
    rows, k = [Value(x) for x in (1.0, 5.0, 7.0)], Value(1.0)
    with record() as seen:
        y = pick(rows, k) * 2.0
    tape = seen.tape([k], [y])
    assert tape.bounds == (Bound(-1, -3, 2),)
    assert tape.rows[0] == (PICK, (-1, -2, -3, -4))
    assert list(tape.leaves[:4]) == [k, *rows]


def test_what_is_below_the_first_output_is_kept():
    x = Value(2.0)
    with record() as seen:
        y = x * x + 1.0
        z = y.exp()
    seen.tape([x], [y, z])
    assert seen.order[-1] is y
    assert set(seen.order) == set(toposort(y))
    seen.tape([x], [1.0, z])
    assert seen.order == []


@pytest.mark.parametrize(("f", "otherwise"), [
    (lambda k, w: [k * 2.0 - 1.0, -k, abs(k), k / 2.0, w * k, k + k], False),
    (lambda k, w: [(w * k).exp(), w.exp(), 1.0 / w], False),  # as Values do
    (lambda k, w: [w * (k + 1.0), w + k * 2.0], False),
    (lambda k, w: [(k * 2.0).exp()], True),
    (lambda k, w: [1.0 / k], True),
    (lambda k, w: [k / k], True),
    (lambda k, w: [k**2.0], True),
])  # fmt: skip
def test_numbers_do_not_all_that_values_do(f, otherwise):
    """1 / 0 is an error of theirs, and sum() of three may round otherwise."""
    assert do_otherwise(f) is otherwise


def do_otherwise(f, sums=True):
    k, w = Value(3.0), Value(0.5)
    with record() as seen:
        f(k, w)
    seen.lent.append(k)
    return seen.calculates_otherwise(sums)


@pytest.mark.parametrize(("f", "is_sum"), [
    (lambda k, _: k + k + k, True),
    (lambda k, _: k + 1.0 - k + k, False),
    (lambda k, _: 3.0 + k, True),  # 3.0 may be a sum already
    (lambda k, _: k * 2.0 + (k + k), False),  # of two nothing is lost
    (lambda k, _: k + k, False),
    (lambda k, _: k + 1.0, False),
    (lambda k, _: k * 2.0 - k, False),
])  # fmt: skip
def test_sums_of_numbers_may_lose_less_than_those_of_values(f, is_sum, monkeypatch):
    assert (sum([1e16, 1.0, -1e16]) == 1.0) is tape.SUMS_BETTER
    for better in (True, False):
        monkeypatch.setattr(tape, "SUMS_BETTER", better)
        assert do_otherwise(f) is (is_sum and better)
        assert not do_otherwise(f, sums=False)


def by_the_engine(text, **names):
    """What a line of the engine would give."""
    return eval(compile(text, value.__file__, "eval"), names)


def test_a_stand_in_is_a_number_to_the_user_and_a_value_to_the_engine():
    v, w = Value(3.0), Value(2.0)
    with record() as seen, standing_in([v]):
        assert v.__class__ is float
        assert (v * 2.0).__class__ is float
        assert w.__class__ is (v * w).__class__ is Value
        assert by_the_engine("v.__class__", v=v) is Value
        assert not seen.escapes
        assert f"{v}" == "3.0"
        assert [escape.what for escape in seen.escapes] == ["uses the format"]
        assert v.is_integer()
        assert [escape.what for escape in seen.escapes[1:]] == ["uses the is_integer"]
        assert v == 3.0
        assert [guard[1:] for guard in seen.guards] == [("eq", 3.0, True)]
        with pytest.raises(AttributeError):
            w.is_integer()
    assert v.__class__ is Value


def test_who_compares_values_for_identity_is_noted_but_for_the_engine():
    v, w = Value(3.0), Value(3.0)
    with record() as seen:
        assert not by_the_engine("v == w", v=v, w=w)
        by_the_engine("hash(v)", v=v)
        assert not seen.asks_identity
        assert v != w
        assert seen.asks_identity


def test_an_integer_is_compared_by_the_value_behind_it_while_there_is_one():
    x, behind = Value(2.0), Value(3.0)
    with record() as seen:
        assert x < Integer(3, behind)
        assert x < Integer(3, None)
    assert [guard[2] for guard in seen.guards] == [behind, 3]
    assert seen.guards[0][2] is behind
