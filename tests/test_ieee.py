import itertools
import math
from itertools import product

import pytest
from oracles import SPECIAL, close

from engine import ieee

NUMPY_NAMES = {"acos": "arccos", "asin": "arcsin", "atan": "arctan", "round": "rint"}
NUMPY_NAMES |= {"acosh": "arccosh", "asinh": "arcsinh", "atanh": "arctanh", "atan2": "arctan2"}


def same(got: float, want: float) -> bool:
    signs = got != 0 or math.copysign(1, got) == math.copysign(1, want)
    return type(got) is float and signs and close(got, want, 1e-13)


@pytest.mark.parametrize("name", sorted(set(ieee.FUNCTIONS) - {"erf", "erfc", "lgamma"}))
def test_functions_against_numpy(name):
    np = pytest.importorskip("numpy")
    twin = getattr(np, NUMPY_NAMES.get(name, name))
    with np.errstate(all="ignore"):
        for x in SPECIAL:
            assert same(ieee.FUNCTIONS[name](x), float(twin(np.float64(x)))), x


@pytest.mark.parametrize("name", sorted(set(ieee.OF_TWO) - {"pow"}))
def test_functions_of_two_against_numpy(name):
    np = pytest.importorskip("numpy")
    twin = getattr(np, NUMPY_NAMES.get(name, name))
    with np.errstate(all="ignore"):
        for x, y in product(SPECIAL, SPECIAL):
            want = float(twin(np.float64(x), np.float64(y)))
            assert same(ieee.OF_TWO[name](x, y), want), (x, y)


@pytest.mark.parametrize("x", SPECIAL)
def test_log_gamma_never_raises(x):
    """It is infinite at the poles, and at both ends."""
    is_pole = math.isinf(x) or (x <= 0 and x == math.floor(x)) or x > 1e306
    assert math.isinf(ieee.FUNCTIONS["lgamma"](x)) == is_pole


@pytest.mark.parametrize("x", SPECIAL)
def test_error_functions_never_raise(x):
    erf, erfc = ieee.FUNCTIONS["erf"](x), ieee.FUNCTIONS["erfc"](x)
    assert close(erf + erfc, 1.0) or math.isnan(x)


@pytest.mark.parametrize(("name", "twin"), [("div", "divide"), ("pow", "float_power")])
def test_division_and_powers_against_numpy(name, twin):
    np = pytest.importorskip("numpy")
    extra = (3.0, -2.0, -0.5, 1 / 3, -1 / 3, 400.0, 401.0)
    with np.errstate(all="ignore"):
        for x, y in itertools.product((*SPECIAL, *extra), repeat=2):
            want = float(getattr(np, twin)(np.float64(x), np.float64(y)))
            assert same(getattr(ieee, name)(x, y), want), (x, y)


@pytest.mark.parametrize(
    ("x", "y", "want"),
    [
        (-8.0, 1 / 3, math.nan),
        (0.0, -1.0, math.inf),
        (-0.0, -1.0, -math.inf),
        (-0.0, -2.0, math.inf),
        (-0.0, -1.5, math.inf),
        (-10.0, 401.0, -math.inf),
        (-10.0, 400.0, math.inf),
        (0.0, 0.0, 1.0),
        (math.nan, 0.0, 1.0),
    ],
)
def test_powers(x, y, want):
    assert same(ieee.pow(x, y), want)


def test_names_are_those_of_math():
    assert all(f.__name__ == name for name, f in ieee.FUNCTIONS.items())
