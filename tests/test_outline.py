"""Graphs as lists, and which neuron or layer their nodes belong to."""

import pytest

from engine.functions import dot
from engine.functions import sum as add_up
from engine.pictures.drawing.outline import boxes_of, graph_of, named, steps_of
from engine.value import Value
from nn.module import MLP


def boxed(root: Value, names: dict[str, Value]) -> dict[str, str]:
    """For each labelled Value the full name of its box."""
    graph = graph_of(root, expand=False)
    boxes, box = boxes_of(graph, named(names))
    return {
        atom.label: boxes[b].name if b is not None else ""
        for atom, b in zip(graph.atoms, box, strict=True)
        if isinstance(atom, Value) and atom.label
    }


def test_operands_stand_before_what_takes_them() -> None:
    a = Value(2.0)
    graph = graph_of(a * a + 3.0, expand=False)
    assert graph.operands == [(), (0, 0), (), (1, 2)]
    assert graph.atoms[2] == 3.0


def test_each_use_of_a_constant_is_an_atom() -> None:
    a = Value(2.0)
    graph = graph_of((a + 3.0) * 3.0, expand=False)
    assert graph.atoms.count(3.0) == 2


def test_a_dot_expands_to_products_and_a_sum() -> None:
    x, w, b = Value(2.0), Value(3.0), Value(0.5)
    graph = graph_of(dot([x, 4.0], [w, x], b), expand=True)
    assert [graph.symbol(n) for n in range(len(graph.atoms))][-3:] == ["*", "*", "+"]
    assert len(graph.operands[-1]) == 3
    assert [getattr(graph.atoms[n], "data", None) for n in graph.operands[-1]] == [6.0, 8.0, 0.5]


def test_an_expanded_dot_of_nothing_but_a_bias() -> None:
    graph = graph_of(dot([], [], Value(0.5)), expand=True)
    assert graph.atoms[-1].data == 0.5  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("layers.0.neurons.2.w.1", [("layers", "0"), ("neurons", "2")]),
        ("layers.0.neurons.2.b", [("layers", "0"), ("neurons", "2")]),
        ("neurons.3.w.0", [("neurons", "3")]),
        ("w.1", []),
        ("b", []),
        ("w.1.2", []),
        ("head.scale", [("head", "")]),
        ("", []),
        ("0", []),
        ("a..b", [("a", ""), ("", "")]),
        ("7.x", [("7", "")]),
    ],
)
def test_steps_of_a_name(name: str, steps: list[tuple[str, str]]) -> None:
    assert steps_of(name) == steps


def test_a_neuron_holds_its_products_sums_and_activation() -> None:
    x, y = Value(1.0, "x"), Value(2.0, "y")
    w, v, b = Value(0.5, "w"), Value(0.25, "v"), Value(0.1, "b")
    p, q = w * x, v * y
    s = p + q
    t = s + b
    out = t.tanh()
    loss = out * 3
    for value, label in [(p, "p"), (q, "q"), (s, "s"), (t, "t"), (out, "out"), (loss, "loss")]:
        value.label = label
    found = boxed(loss, {"neurons.0.w.0": w, "neurons.0.w.1": v, "neurons.0.b": b})
    inside = [label for label, box in found.items() if box == "neurons.0"]
    assert sorted(inside) == sorted(["w", "v", "b", "p", "q", "s", "t", "out"])


def test_a_loss_on_a_linear_neuron_stays_outside() -> None:
    w, b, x = Value(0.5), Value(0.1), Value(1.0)
    out = dot([w], [x], b)
    error = out - 2.0
    loss = error**2
    out.label, error.label, loss.label = "out", "error", "loss"
    found = boxed(loss, {"n.0.w.0": w, "n.0.b": b})
    assert found == {"out": "n.0", "error": "", "loss": ""}


def test_an_activation_with_another_user_stays_outside() -> None:
    w, x = Value(0.5), Value(1.0)
    s = dot([w], [x])
    act = s.relu()
    total = act + s
    s.label, act.label = "s", "act"
    assert boxed(total, {"n.0.w.0": w}) == {"s": "n.0", "act": ""}


def test_a_sum_over_two_neurons_is_in_neither() -> None:
    w, v, x = Value(0.5), Value(0.25), Value(1.0)
    both = w * x + v * x
    both.label = "both"
    assert boxed(both, {"n.0.w": w, "n.1.w": v}) == {"both": ""}


@pytest.mark.parametrize("fused", [True, False])
def test_every_operation_of_a_net_is_in_its_layer(fused: bool) -> None:
    model = MLP(2, [3, 1], seed=1, fused=fused)
    graph = graph_of(model([Value(1.0), Value(2.0)]), expand=False)
    boxes, box = boxes_of(graph, named(model.named_parameters()))
    assert {b.name for b in boxes if b.parent is None} == {"layers.0", "layers.1"}
    outside = [a for a, b in zip(graph.atoms, box, strict=True) if b is None]
    assert [a.data for a in outside] == [1.0, 2.0]  # type: ignore[union-attr]
    assert {boxes[b].title for b in box if b is not None} == {"neuron 0", "neuron 1", "neuron 2"}


def test_a_neuron_holds_all_examples_of_a_batch() -> None:
    model = MLP(2, [1], seed=1)
    total = add_up([model([1.0, float(n)]) for n in range(5)])
    graph = graph_of(total, expand=False)
    _, box = boxes_of(graph, named(model.named_parameters()))
    rows = [graph.row(n) for n, b in enumerate(box) if b is not None and graph.row(n)]
    assert rows.count("dot") == 5
    assert box[-1] is None


@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize(("bias", "constants"), [(0.0, 0), (2.0, 1), (Value(0.0), 0)])
def test_the_zero_that_a_dot_starts_from_is_left_out(
    bias: Value | float, constants: int, expand: bool
) -> None:
    x, y = Value(1.0), Value(3.0)
    graph = graph_of(dot([x, y], [y, x], bias), expand)
    assert sum(isinstance(atom, float) for atom in graph.atoms) == constants
    assert graph.row(len(graph.atoms) - 1) == "dot"
    assert graph.symbol(len(graph.atoms) - 1) == ("+" if expand else "dot")
    assert len(graph.operands[-1]) == (2 if expand else 4) + (bias != 0.0)


def test_names_as_pairs_or_mapping() -> None:
    a, b = Value(1.0), Value(2.0)
    assert named([("a", a), ("b", b)]) == named({"a": a, "b": b}) == {a: "a", b: "b"}
    assert named(None) == {}
    assert named([("a", a), ("again", a)]) == {a: "a"}


def test_names_of_a_model() -> None:
    model = MLP(2, [2, 1], seed=0)
    assert named(model) == named(model.named_parameters())
    assert named(model)[model.layers[1].neurons[0].b] == "layers.1.neurons.0.b"


@pytest.mark.parametrize(
    "names", [["a"], [("a", 1.0)], [(1, Value(1.0))], {"a": 3}, [Value(1.0)], Value(1.0), 3]
)
def test_other_names_are_refused(names: object) -> None:
    with pytest.raises(
        TypeError, match=r"names expected a model, a mapping or \(name, Value\) pairs"
    ):
        named(names)  # type: ignore[arg-type]
