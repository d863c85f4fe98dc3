import builtins
import sys
from types import ModuleType

import pytest

import engine
from engine.names import no_such

NAMES = ["relu", "tan", "tanh", "Species"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rellu", "no name 'rellu', did you mean 'relu'? There are: relu, tan, tanh, Species"),
        ("TANH", "no name 'TANH', did you mean 'tanh'? There are: relu, tan, tanh, Species"),
        ("specis", "no name 'specis', did you mean 'Species'? There are: relu, tan, tanh, Species"),
        ("softmax", "no name 'softmax'. There are: relu, tan, tanh, Species"),
        ("tahn", "no name 'tahn', did you mean 'tanh'? There are: relu, tan, tanh, Species"),
        (7, "no name 7. There are: relu, tan, tanh, Species"),
        ("q" * 200, f"no name '{'q' * 79}. There are: relu, tan, tanh, Species"),
    ],
)
def test_the_nearest_name_and_all_of_them(name, words):
    assert no_such("name", name, NAMES) == words


STAR = "from engine import *"


def test_a_star_leaves_pythons_own_functions_alone():
    taken = {}
    exec(STAR, taken)
    assert not {"sum", "max", "min", "abs", "pow", "round"} & taken.keys()
    assert taken["exp"] is engine.exp
    assert eval("max([-2.0, 1.0], key=abs), sum([1j, 2.0])", taken) == (-2.0, 2.0 + 1j)
    shadowed = {name for name in taken if hasattr(builtins, name)} - {"__doc__", "__name__"}
    assert shadowed == set()


def test_a_star_takes_all_that_is_shown_but_pythons_own_and_no_module():
    taken = {}
    exec(STAR, taken)
    taken = {name for name in taken if not name.startswith("__")}
    shown = {name for name in dir(engine) if not name.startswith("__")}
    assert shown - taken == {name for name in shown if hasattr(builtins, name)}
    assert taken - shown == set()
    assert {"Value", "grad", "draw", "steps", "replay", "no_grad", "define"} <= taken


def test_dir_shows_functions_and_not_the_modules_behind_them():
    assert not [name for name in dir(engine) if isinstance(getattr(engine, name), ModuleType)]
    assert len(set(dir(engine))) == len(dir(engine))


def test_explicit_imports_and_modules_work_as_ever():
    from engine import max, min, sum
    from engine.pictures.draw import draw
    from engine.pictures.steps import steps
    from engine.replay.replay import replay

    assert (sum([1.0, 2.0]), max(1.0, 2.0), min(1.0, 2.0)) == (3.0, 2.0, 1.0)
    assert (engine.draw, engine.steps, engine.replay) == (draw, steps, replay)
    assert all(isinstance(sys.modules[f"engine.{name}"], ModuleType) for name in ("draw", "steps"))
    assert isinstance(engine.value, ModuleType)
