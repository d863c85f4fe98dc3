import pytest

pytest.importorskip("numpy")

from engine import functions
from engine.backends import numpy as backend
from engine.roll import roll
from engine.tape import record
from engine.value import Value


def backward(f, inputs, wanted=True):
    """The lines of the backward function."""
    with record() as seen:
        result = f()
    outputs = result if isinstance(result, list) else [result]
    tape = seen.tape(inputs, outputs, [wanted] * len(inputs))
    source = backend.compile(roll(tape), tape).source
    return [line.strip() for line in source.split("def backward(seeds):\n")[1].splitlines()]


XS = [Value(float(k)) for k in range(1, 9)]
YS = [Value(float(k)) for k in range(11, 19)]


@pytest.mark.parametrize(
    ("f", "lines"),
    [
        pytest.param(
            lambda: functions.sum([x.exp() for x in XS]),
            ["adjoints[24] = seeds[0]", "np.multiply(dz2_1, z1_1, out=dx1)"],
            id="the adjoint of a sum is that of its summands: one number",
        ),
        pytest.param(
            lambda: functions.dot([x.exp() for x in XS], YS),
            [
                "adjoints[25] = seeds[0]",
                "np.multiply(dz2_1, x2, out=dz1_1)",
                "np.multiply(dz2_1, z1_1, out=dx1)",
                "np.multiply(dz1_1, z1_1, out=dx2)",
            ],
            id="the first share is assigned",
        ),
        pytest.param(
            lambda: functions.dot(XS, XS),
            [
                "adjoints[17] = seeds[0]",
                "np.add(dz1_1, dz1_1, out=t1)",
                "np.multiply(t2, x1, out=dx1)",
            ],
            id="a vector with itself gets twice one product",
        ),
        pytest.param(
            lambda: functions.sum([a - b for a, b in zip(XS, YS, strict=True)]),
            ["adjoints[24] = seeds[0]", "np.copyto(dx1, dz2_1)", "np.negative(dz2_1, out=dx2)"],
            id="differences need no product",
        ),
        pytest.param(
            lambda: functions.sum([x * YS[0] for x in XS]),
            [
                "adjoints[24] = seeds[0]",
                "np.multiply(dz2_1, x2, out=dx1)",
                "np.dot(dz2_2, x1, out=dx2)",
            ],
            id="what all rows share is a dot",
        ),
    ],
)
def test_no_line_too_many(f, lines):
    assert backward(f, [*XS, *YS]) == lines


def test_only_places_without_a_first_share_start_at_zero():
    def f():
        tanhs = [x.tanh() for x in XS]
        return functions.dot(tanhs[:6], YS[:6]) * functions.dot(tanhs[3:], YS[3:])

    assert sum("fill(0.0)" in line for line in backward(f, [*XS, *YS])) == 2  # of tanhs, of YS
    assert not any("fill" in line for line in backward(lambda: functions.dot(XS, YS), [*XS, *YS]))


def test_a_loop_that_no_seed_reaches_has_no_lines():
    def f():
        assert XS[0].exp() < 100
        return XS[2].tanh()

    assert len(backward(f, XS)) == 2


def test_without_wanted_gradients_nothing_runs():
    assert backward(lambda: functions.sum([x.exp() for x in XS]), XS, wanted=False) == [
        "adjoints[16] = seeds[0]"
    ]
