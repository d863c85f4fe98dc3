import pytest
from graphs import GRAPHS, moons, recorded

from engine.functions import dot
from engine.replay.words import in_words
from engine.value import Value
from nn.module import MLP

MOONS = """\
1 dot of 337 terms
hidden layer 1: 100 x 16 dots of 2 terms, then relu
hidden layer 2: 100 x 16 dots of 16 terms, then relu
output layer: 100 dots of 16 terms
100 muls
100 subs, then relu
1 add of 100 terms
1 dot of 2 terms"""


@pytest.mark.some(2)
@pytest.mark.parametrize("fused", [True, False])
def test_a_net_is_told_layer_by_layer(fused):
    assert in_words(recorded(moons(fused)).program) == MOONS


def test_loops_are_named_by_what_their_parameters_have_in_common():
    net = MLP(2, [3, 2], seed=1)
    program = recorded(([], lambda: net([1.0, 2.0]))).program
    lines = in_words(program, net.named_parameters()).splitlines()
    assert lines[0] == "layers.0.neurons: 3 dots of 2 terms, then relu"
    assert lines[1] == "layers.1.neurons: 2 dots of 3 terms"


def test_what_is_no_chain_of_layers_gets_no_such_name():
    ws = [[Value(1.0), Value(2.0)] for _ in range(3)]
    xs = [Value(0.5), Value(0.25)]
    both = recorded((xs, lambda: [dot(w, xs).exp() for w in ws[:2]] + [dot(ws[2], xs, 1.0)]))
    assert "layer" not in in_words(recorded(GRAPHS["attention"]()).program)
    assert "hidden" not in in_words(both.program)


def test_one_of_a_kind_has_no_plural():
    x, y = Value(0.5), Value(2.0)
    assert in_words(recorded(([x, y], lambda: [(x * y).tanh()])).program) == "1 mul, then tanh"


def test_an_operation_on_some_of_the_results_or_on_others_is_a_line_of_its_own():
    x, y = Value(0.5), Value(2.0)
    some = recorded(([x, y], lambda: [(x * y).tanh(), y * y])).program
    others = recorded(([x, y], lambda: [x * y, (x.exp()).tanh()])).program
    assert in_words(some) == "2 muls\n1 tanh"
    assert in_words(others) == "1 exp\n1 mul\n1 tanh"


def test_a_program_without_loops_has_no_lines():
    x = Value(1.0)
    assert in_words(recorded(([x], lambda: x)).program) == ""
