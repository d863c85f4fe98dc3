"""What the nodes, edges and boxes of a picture say."""

import math

import pytest
from hostile import HOSTILE

from engine.functions import dot
from engine.pictures.drawing.picture import Picture, picture
from engine.pictures.texts import many, number, short, visible
from engine.value import Value
from nn.module import MLP


def of(root: Value, names: object = None, expand: bool = False, limit: int = 60) -> Picture:
    return picture(root, names, expand, limit)  # type: ignore[arg-type]


def titles(p: Picture) -> list[str]:
    return [node.title for node in p.nodes]


def test_kinds() -> None:
    w, x = Value(2.0), Value(3.0, label="x")
    p = of((w * x + 1.0).tanh(), {"w": w})
    assert [(n.kind, n.title, n.op) for n in p.nodes] == [
        ("parameter", "w", ""),
        ("input", "x", ""),
        ("value", "", "*"),
        ("constant", "1", ""),
        ("value", "", "+"),
        ("root", "", "tanh"),
    ]


def test_data_and_gradient_before_and_after_backward() -> None:
    a = Value(3.0)
    loss = a * a
    assert of(loss).nodes[0].rows == (("data", "3.0000"), ("grad", "not computed"))
    loss.backward()
    assert of(loss).nodes[0].rows == (("data", "3.0000"), ("grad", "6.0000"))
    a.zero_grad()
    assert of(loss).nodes[0].rows == (("data", "3.0000"), ("grad", "not computed"))


def test_a_zero_gradient_is_not_a_missing_one() -> None:
    a = Value(-1.0)
    a.relu().backward()
    assert of(a.relu()).nodes[0].rows[1] == ("grad", "0.0000")


def test_partials_stand_on_their_edges_and_constants_have_none() -> None:
    a, b = Value(2.0), Value(5.0)
    p = of(a * b - 3.0)
    assert [(e.tail, e.head, e.text) for e in p.edges] == [
        (0, 2, "5"),
        (1, 2, "2"),
        (2, 4, "1"),
        (3, 4, ""),
    ]


def test_a_plus_a_has_two_edges() -> None:
    a = Value(1.0)
    assert [(e.tail, e.head, e.text) for e in of(a + a).edges] == [(0, 1, "1"), (0, 1, "1")]


def test_a_single_leaf() -> None:
    p = of(Value(3.0, label="only"))
    assert [(n.kind, n.title) for n in p.nodes] == [("root", "only")]
    assert p.edges == []


def test_names_lose_what_their_boxes_say() -> None:
    model = MLP(2, [1], seed=1)
    p = of(model([Value(1.0), Value(2.0)]) * 2.0, model.named_parameters())
    assert [n.title for n in p.nodes if n.kind == "parameter"] == ["w0", "w1", "b"]
    assert p.nodes[0].hint.startswith("layers.0.neurons.0.w.0 data ")
    assert [(b.title, b.name, b.parent) for b in p.boxes] == [
        ("layer 0", "layers.0", None),
        ("neuron 0", "layers.0.neurons.0", 0),
    ]


def test_a_label_stands_before_a_name() -> None:
    w = Value(1.0, label="slope")
    node = of(w * 2.0, {"w": w}).nodes[0]
    assert (node.kind, node.title) == ("parameter", "slope")
    assert node.hint.startswith("w slope data")


def test_a_name_for_a_computed_value() -> None:
    a = Value(1.0)
    hidden = a.tanh()
    assert titles(of(hidden * 2.0, {"hidden": hidden}))[1] == "hidden"


def test_expanded() -> None:
    x, w = Value(2.0, "x"), Value(3.0, "w")
    z = dot([w, 4.0], [x, x], 0.5)
    z.backward()
    p = of(z, expand=True)
    assert [(n.op, n.rows[0][1], n.rows[1][1]) for n in p.nodes if n.op] == [
        ("*", "6.0000", "1.0000"),
        ("*", "8.0000", "1.0000"),
        ("+", "14.5000", "1.0000"),
    ]
    texts = [[e.text for e in p.edges if e.head == n] for n, node in enumerate(p.nodes) if node.op]
    assert [sorted(t) for t in texts] == [["2", "3"], ["", "4"], ["", "1", "1"]]


def test_collapsed_neurons_and_layers_say_what_they_hold() -> None:
    model = MLP(2, [8, 8, 1], seed=1)
    loss = model([Value(1.0), Value(2.0)]) ** 2
    loss.backward()
    p = of(loss, model.named_parameters(), limit=60)
    summaries = [n for n in p.nodes if n.kind == "summary"]
    assert len(summaries) == 17
    assert summaries[0].title == "neuron 0"
    assert summaries[0].rows[0] == ("", "3 parameters")
    p = of(loss, model.named_parameters(), limit=10)
    layers = [n for n in p.nodes if n.kind == "summary"]
    blame = [sum(abs(v.grad) for v in layer.parameters()) for layer in model.layers]
    assert [n.rows[-1] for n in layers] == [("sum|grad|", number(b)) for b in blame]
    assert [n.rows[0][1] for n in layers[:2]] == ["8 neurons", "8 neurons"]
    assert "collapsed: layers.0: 8 neurons, sum|grad| " in p.text


def test_a_collapsed_neuron_shows_its_output() -> None:
    model = MLP(2, [30, 1], seed=1)
    out = model([Value(1.0), Value(2.0)])
    p = of(out**2, model.named_parameters())
    rows = [n.rows for n in p.nodes if n.hint == "layers.1.neurons.0"]
    assert rows == [(("", "31 parameters"), ("data", number(out.data)), ("grad", "not computed"))]


def test_edges_of_summaries_are_counted() -> None:
    xs = [Value(float(n)) for n in range(100)]
    p = of(dot(xs, [x.tanh() for x in xs]), limit=10)
    assert sorted(e.text for e in p.edges) == ["100\u00d7"] * 3


def test_edges_stand_in_the_order_of_operands_with_summaries_too() -> None:
    model = MLP(2, [20, 1], seed=1)
    out, target = model([Value(1.0), Value(2.0)]), Value(1.0, label="target")
    p = of(out - target, model.named_parameters())
    last = [p.nodes[e.tail].title for e in p.edges if e.head == len(p.nodes) - 1]
    assert last == ["neuron 0", "target"]
    assert [e.text for e in p.edges if e.head == len(p.nodes) - 1] == ["1", "-1"]


def test_the_text_counts_the_whole_graph() -> None:
    w, x = Value(2.0), Value(3.0)
    loss = (w * x - 1.0) ** 2
    loss.label = "loss"
    loss.backward()
    assert of(loss, {"w": w}).text == (
        "loss: data 25.0000, grad 1.0000\n1 parameter, 1 input, 2 constants, 3 operations"
    )


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0.0000"),
        (-0.0, "-0.0000"),
        (1.5, "1.5000"),
        (1e-5, "1.00e-05"),
        (99999.0, "99999.0000"),
        (1e5, "1.00e+05"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers(x: float, text: str) -> None:
    assert number(x) == text


def test_short_numbers_and_counts() -> None:
    assert [short(x) for x in (1.0, -0.33333, 1e20, math.nan)] == ["1", "-0.3333", "1e+20", "nan"]
    assert [many(n, "edge") for n in (0, 1, 2, 1234)] == [
        "0 edges",
        "1 edge",
        "2 edges",
        "1,234 edges",
    ]


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, 0x80, 0x9F, 0xD800, 0xDFFF, 0xFFFE, 0x1FFFF])
def test_no_character_that_xml_cannot_hold(code: int) -> None:
    (shown,) = visible(chr(code))
    expected = chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
    assert shown == expected


@pytest.mark.parametrize("text", ["plain", "é 日本", "<b> & \\", "\u00a0\u2028"])
def test_other_text_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_labels_and_names_change_nothing_else(text: str) -> None:
    def shape(label: str, name: str) -> tuple[int, int]:
        a, w = Value(1.0, label=label), Value(2.0)
        root = (a * w).tanh()
        root.label = label
        p = of(root, [(name, w)])
        assert p.nodes[0].title == visible(label)
        return len(p.nodes), len(p.edges)

    assert shape(text, text) == shape("a", "w") == (4, 3)


def test_later_changes_do_not_show() -> None:
    a = Value(3.0)
    p = of(a * 2.0)
    a.data = 4.0
    assert p.nodes[0].rows[0] == ("data", "3.0000")
