"""How long the text of straight lines is; what it computes is judged in test_python."""

import pytest
from graphs import numbers, recorded, total

import engine
from engine import formula
from engine.replay.backends.pythontext import ONE_LINE, Writer
from engine.value import Value


def lines(graph):
    of = recorded(graph)
    return Writer(of.program, of.tape, formula.plain).source().splitlines()


def test_a_neuron_is_two_lines_and_no_product_is_made_twice():
    w, b, xs = numbers(2, 1), Value(0.5), numbers(2)
    v = numbers(2, 3)

    def f():
        h = (w[0] * xs[0] + w[1] * xs[1] + b).relu()
        return h * v[0] + h * v[1] + total(w)

    forward, backward = "\n".join(lines((xs, f))).split("while seeds")
    assert forward.count("\n  v") == 3
    assert (forward.count(" * "), backward.count(" * ")) == (4, 9)
    assert backward.count("\n   if ") == 2  # where what came to w may not be added to


def test_long_expressions_are_cut_into_few_lines():
    xs = numbers(1000)
    x = Value(0.5)
    for f, parts in ((lambda: total(xs), 2), (lambda: total(x * y for y in xs), 4)):
        source = lines(([x, *xs], f))
        assert max(line.count("+") for line in source if "yield" not in line) <= ONE_LINE
        forward = source[: source.index("  while seeds is not None:")]
        assert len(forward) <= parts * len(xs) / ONE_LINE + 5


@pytest.mark.parametrize(
    ("f", "count", "tables"),
    [
        (lambda i, xs: engine.pick(xs, i), 4, 0),
        (lambda i, xs: engine.pick(xs[::2], i), 2, 0),
        (lambda i, xs: engine.pick(xs[:1], i), 1, 0),
        (lambda i, xs: engine.pick(xs, i) * engine.pick(xs[1::2], i), 2, 0),
        (lambda i, xs: engine.pick(xs, i) * engine.pick(xs[::-1], i), 4, 1),
        (lambda i, xs: engine.pick([*xs[:2], 0.5, xs[2]], i), 4, 1),
    ],
)
def test_what_was_picked_finds_its_adjoint(f, count, tables):
    """By arithmetic where the rows lie evenly, else in a table."""
    xs = numbers(4)
    i = Value(0.0)
    text = "\n".join(lines(([i, *xs], lambda: f(i, xs))))
    assert text.count("pool[(") == tables
    step = engine.replay(f, backend="python")
    for k in range(count):
        gradients = []
        for g in (f, step):
            for x in xs:
                x.zero_grad()
            g(Value(float(k)), xs).backward()
            gradients.append([x.grad for x in xs])
        assert gradients[0] == gradients[1]
