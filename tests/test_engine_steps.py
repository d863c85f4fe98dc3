"""Steps: their plain data against backward(), files, terminals, notebooks, large graphs."""

import base64
import json
import math
import subprocess
import sys
import time
import timeit
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import needs
import pytest
from hostile import HOSTILE
from processes import printed
from tangles import tangle

from engine import steps as module_name_is_shadowed  # the function: names outlive modules
from engine.pictures.steps import MISTAKES, Event, mistake, steps
from engine.pictures.story.steps import MOST_EVENTS
from engine.value import Value, toposort
from nn.loss import mse
from nn.module import MLP

ROOT = Path(__file__).parents[1]


def net_loss():
    net = MLP(2, [8, 8, 1], "tanh", seed=1)
    return net, mse(net([Value(1.0, "x0"), Value(-2.0, "x1")]), 1.0)


def test_the_face_has_the_function():
    assert module_name_is_shadowed is steps


# --- the data against backward() --------------------------------------------------------------


def same_as_backward(document, root):
    """The nodes that are Values are those of the sort, with the numbers of backward()."""
    order = toposort(root)
    nodes = [node for node in document["nodes"] if node["kind"] != "constant"]
    nodes = nodes[len(nodes) - len(order) :]
    assert [node["data"] for node in nodes] == [v.data for v in order]
    assert [node["grad"] for node in nodes] == [v.grad for v in order]
    last = {e["to"]: e["new"] for e in document["events"] if e["kind"] == "backward"}
    for node, value in zip(nodes[:-1], order[:-1], strict=True):
        assert last[node["id"]] == value.grad


@pytest.mark.some(4)
@pytest.mark.parametrize("seed", range(40))
def test_json_equals_backward_on_random_graphs(seed):
    root, _ = tangle(seed)
    document = json.loads(steps(root).to_json())
    root.backward()
    same_as_backward(document, root)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "gelu"])
def test_json_equals_backward_on_nets(activation, fused):
    net = MLP(3, [5, 4, 1], activation, fused=fused, seed=3)
    loss = mse(net([Value(0.3), Value(-1.0), Value(2.0)]), 0.5)
    document = json.loads(steps(loss, net.named_parameters()).to_json())
    loss.backward()
    same_as_backward(document, loss)
    by_label = {node["label"]: node["grad"] for node in document["nodes"]}
    for name, p in net.named_parameters():
        assert by_label[name] == p.grad


@pytest.mark.parametrize("seed", range(10))
def test_events_chain(seed):
    document = json.loads(steps(tangle(seed)[0]).to_json())
    edges, nodes = document["edges"], document["nodes"]
    held = {document["nodes"][-1]["id"]: 1.0}
    for event in document["events"]:
        if event["kind"] == "forward":
            assert event["data"] == nodes[event["node"]]["data"]
        if event["kind"] == "backward":
            edge = edges[event["edge"]]
            assert (event["from"], event["to"]) == (edge["to"], edge["from"])
            assert event["partial"] == edge["partial"]
            assert event["adjoint"] == held.get(event["from"], 0.0)
            assert event["contribution"] == event["adjoint"] * event["partial"]
            assert event["old"] + event["contribution"] == event["new"]
            held[event["to"]] = event["new"]
    assert [n["grad"] for n in nodes if n["id"] in held] == [held[i] for i in sorted(held)]


def test_counts():
    net, loss = net_loss()
    document = steps(loss, net.named_parameters()).document()
    kinds = [event["kind"] for event in document["events"]]
    operations = sum(v.op is not None for v in toposort(loss))
    edges = sum(len(v._prev) for v in toposort(loss))
    assert kinds == [
        *["forward"] * operations, "loss", "seed", *["backward"] * edges, "done"
    ]  # fmt: skip
    assert [node["kind"] for node in document["nodes"]].count("parameter") == 8 * 3 + 8 * 9 + 9
    assert [n["id"] for n in document["nodes"]] == list(range(len(document["nodes"])))
    assert [e["id"] for e in document["edges"]] == list(range(len(document["edges"])))


def test_nodes_and_edges_are_those_of_the_picture():
    net, loss = net_loss()
    found = steps(loss, net.named_parameters())
    picture = found.picture
    assert len(picture.nodes) == len(found.nodes)
    assert [(e.tail, e.head) for e in picture.edges] == [(e["from"], e["to"]) for e in found.edges]
    loss.backward()
    grads = [f"grad {v.grad!r}" for v in toposort(loss)]
    hints = [node.hint for node in picture.nodes if node.kind != "constant"]
    assert [hint[hint.index("grad ") :] for hint in hints] == grads
    for node, drawn in zip(found.nodes, picture.nodes, strict=True):
        inside = [] if drawn.box is None else [picture.boxes[drawn.box].title]
        assert node["group"][-1:] == inside


def test_all_checks_agree():
    net, loss = net_loss()
    marks = [
        n["check"] for n in steps(loss, net.named_parameters()).nodes if n["kind"] != "constant"
    ]
    assert marks
    assert all(marks)


def test_unused_parameters_are_there():
    net, loss = net_loss()
    spare = Value(4.0)
    found = steps(loss, [*net.named_parameters(), ("spare", spare)])
    [node] = [node for node in found.nodes if node["label"] == "spare"]
    assert (node["grad"], node["zero"], node["kind"]) == (0.0, "no path", "parameter")
    assert len(found.picture.nodes) == len(found.nodes)


def test_names_may_be_a_mapping():
    w = Value(2.0)
    assert steps(w * 3.0, {"weight": w}).nodes[0]["label"] == "weight"


@pytest.mark.parametrize("root", [1.0, None, [Value(1.0)]])
def test_only_values(root):
    with pytest.raises(TypeError, match=f"steps expected a Value.*{type(root).__name__}"):
        steps(root)


# --- nothing changes, and nothing changes it ---------------------------------------------------


def test_grad_stays_as_it_was():
    root, leaves = tangle(4)
    leaves[0].grad = 3.5
    before = [(v.data, v.grad, v.has_grad, v.label) for v in toposort(root)]
    found = steps(root)
    assert found.html
    found.to_json()
    assert [(v.data, v.grad, v.has_grad, v.label) for v in toposort(root)] == before


def test_the_numbers_are_those_of_the_moment():
    w = Value(3.0, "w")
    loss = w * w
    found = steps(loss)
    loss.backward()
    w.data, w.label = 100.0, "other"
    text = steps(Value(3.0, "w") * Value(3.0, "w")).to_json()
    assert "100" not in found.to_json()
    assert "other" not in found.to_json()
    assert found.nodes[0]["label"] == json.loads(text)["nodes"][0]["label"] == "w"
    assert "data 3.0, grad 6.0" in found.picture.nodes[0].hint


PROGRAM = """
import sys
from engine.pictures.steps import steps
from engine.value import Value
from nn.loss import mse
from nn.module import MLP
net = MLP(2, [4, 4, 1], "relu", seed=5)
found = steps(mse(net([Value(1.0, "a"), Value(2.0, "b")]), 1.0), net.named_parameters())
sys.stdout.buffer.write((found.to_json() + found.html + found.transcript()).encode())
"""


@pytest.mark.whole
def test_two_processes_write_the_same_bytes():
    assert len({printed(PROGRAM, seed) for seed in (0, 1, 77)}) == 1


# --- JSON -------------------------------------------------------------------------------------


def test_nan_and_inf_are_texts():
    root = Value(0.0, "a").log() * 0.0
    document = json.loads(steps(root).to_json(), parse_constant=pytest.fail)
    assert [node["data"] for node in document["nodes"]] == [0.0, "-inf", 0.0, "nan"]
    assert "inf" in {node["grad"] for node in document["nodes"]} | {"inf"}


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_are_text(label):
    a = Value(2.0, label)
    loss = (a * 3.0).tanh()
    loss.label = label
    found = steps(loss)
    found.to_json().encode("ascii")
    document = json.loads(found.to_json())
    assert len(document["nodes"]) == 4
    assert len(document["edges"]) == 3
    assert document["nodes"][0]["label"].isprintable() or not label.isprintable()
    assert len(document["nodes"][0]["label"]) == len(label)
    data = found._repr_mimebundle_()
    assert data["text/html"].count("<iframe") == data["text/html"].count("<img") == 1
    assert "<script" not in data["text/html"]
    assert found.html.count("<script>alert") == 0


# --- reading ----------------------------------------------------------------------------------


def small():
    w, x = Value(0.5, "w"), Value(2.0, "x")
    loss = (w * x - 3.0) ** 2
    loss.label = "loss"
    return steps(loss)


def test_a_sequence_of_events():
    found = small()
    assert len(found) == 10
    assert [str(event) for event in found] == [event["text"] for event in found[:]]
    assert found[-1]["kind"] == "done"
    assert [event["kind"] for event in found[3:5]] == ["loss", "seed"]
    assert isinstance(found[2], Event)
    with pytest.raises(IndexError):
        found[10]


def test_the_transcript_is_numbered_from_1():
    found = small()
    lines = found.transcript().splitlines()
    assert lines == [f"{n:>2}. {event}" for n, event in enumerate(found, 1)]
    assert lines[7] == " 8. dL/dw += dL/d(mul1) * d(mul1)/dw = dL/d(mul1) * x = -4 * 2 = -8"
    assert repr(found) == found.transcript()


def test_a_long_transcript_is_cut_in_a_terminal():
    x = Value(1.0)
    for _ in range(600):
        x = x + 1.0
    found = steps(x)
    lines = repr(found).splitlines()
    assert len(lines) == 1001
    assert lines[500] == "... 203 lines more in transcript() ..."
    assert len(found.transcript().splitlines()) == 1203


def test_play_waits_for_enter(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("builtins.input", lambda line: asked.append(line) or "")
    found = small()
    found.play()
    assert asked == found.transcript().splitlines()


def test_play_ends_at_q(monkeypatch):
    asked = []
    answers = iter(["", "Q"])
    monkeypatch.setattr("builtins.input", lambda line: asked.append(line) or next(answers))
    small().play()
    assert len(asked) == 2


def test_play_goes_back(monkeypatch):
    asked = []
    answers = iter(["b", "", "", "B", "q"])
    monkeypatch.setattr("builtins.input", lambda line: asked.append(line) or next(answers))
    found = small()
    found.play()
    first, second, third = found.transcript().splitlines()[:3]
    assert asked == [first, first, second, third, second]


def test_play_ends_at_ctrl_c(monkeypatch):
    def stop(line):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", stop)
    small().play()


@pytest.mark.whole
@pytest.mark.some(2)
@pytest.mark.parametrize("typed", ["", "\n\n"])
def test_play_without_a_keyboard_prints_all_lines(typed):
    program = (
        "from engine.pictures.steps import steps\nfrom engine.value import Value\n"
        "steps(Value(2.0, 'w') * 3.0).play()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=typed,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert [line[:2] for line in done.stdout.splitlines()] == ["1.", "2.", "3.", "4.", "5."]


# --- pages ------------------------------------------------------------------------------------


def test_the_title_says_what_the_page_is_about():
    found = small()
    title = json.loads(found.to_json())["title"]
    found.about = "row 3, setosa"
    assert json.loads(found.to_json())["title"] == f"row 3, setosa: {title}"


def test_save(tmp_path):
    found = small()
    path = found.save(tmp_path / "step.html")
    assert path.read_text(encoding="utf-8") == found.html
    assert found.save(str(tmp_path / "STEP.HTML")).exists()
    with pytest.raises(ValueError, match=r"name ending in .html, got 'step.svg'"):
        found.save(tmp_path / "step.svg")


def test_the_page_holds_the_steps_and_the_picture():
    net, loss = net_loss()
    found = steps(loss, net.named_parameters())
    assert "<svg" in found.html
    for event in found[:3]:
        assert json.dumps(event["text"])[1:-1] in found.html
    assert len(found.html) < 500_000


def test_a_notebook_gets_the_page_over_a_picture():
    found = small()
    data = found._repr_mimebundle_()
    assert data["text/plain"] == found.transcript()
    tags = {}
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.setdefault(tag, dict(attributes))
    parser.feed(data["text/html"])
    assert list(tags) == ["div", "img", "iframe"]
    assert tags["iframe"]["sandbox"] == "allow-scripts"
    assert tags["iframe"]["srcdoc"] == found.html
    still = base64.b64decode(tags["img"]["src"].removeprefix("data:image/svg+xml;base64,"))
    assert ET.fromstring(still).tag.endswith("svg")


# --- large graphs -----------------------------------------------------------------------------


@needs.speed
@pytest.mark.whole
def test_5000_nodes():
    net = MLP(8, [60, 50, 40, 1], "tanh", seed=0)
    loss = mse(net([Value(0.1 * i) for i in range(8)]), 1.0)
    assert len(toposort(loss)) > 5000
    start = time.process_time()
    found = steps(loss, net.named_parameters())
    document = json.loads(found.to_json())
    assert time.process_time() - start < 5
    assert max(document["shown"]) < len(found.picture.nodes) <= 60
    assert len(document["shown"]) == len(document["nodes"])
    assert document["cut"] is None
    assert {node["check"] for node in document["nodes"]} == {None}


def test_a_whole_picture_needs_no_list_of_what_shows_what():
    assert small().document()["shown"] is None


@pytest.mark.whole
def test_too_many_events_are_cut_with_a_word():
    x = Value(1.0)
    for _ in range(MOST_EVENTS // 2 + 10):
        x = x + 1.0
    found = steps(x)
    document = found.document()
    assert len(document["events"]) == MOST_EVENTS < len(found)
    assert document["cut"].startswith("20,023 steps are too many for a page")
    assert document["events"][-1]["kind"] == "done"


def test_recording_takes_at_most_20_times_the_backward():
    net, loss = net_loss()
    names = net.named_parameters()

    def best(work):
        return min(timeit.repeat(work, timer=time.process_time, number=10, repeat=30))

    assert best(lambda: steps(loss, names)) < 20 * best(loss.backward)


# --- mistakes ---------------------------------------------------------------------------------


def doubled_twice():
    a = Value(3.0, "a")
    b = a + a
    b.label = "b"
    return b + b


@pytest.mark.parametrize(("name", "grad", "event"), [
    ("= instead of +=", 1.0, 5), ("wrong order", 2.0, 5)
])  # fmt: skip
def test_the_first_number_that_differs(name, grad, event):
    found = mistake(doubled_twice(), name)
    assert (found.right.nodes[0]["grad"], found.wrong.nodes[0]["grad"]) == (4.0, grad)
    first = found.first_difference
    assert (first["event"], first["right"], first["wrong"]) == (event, 2.0, 1.0)
    assert found.wrong[first["event"]][first["key"]] == first["wrong"]
    assert found.right[first["right_event"]][first["key"]] == first["right"]
    assert found.transcript().count("<--") == 1


@pytest.mark.parametrize("name", MISTAKES)
def test_right_and_wrong_in_one_document(name):
    net = MLP(2, [3, 3, 1], "tanh", seed=0)
    found = mistake(mse(net([1.0, 2.0]), 1.0), name, net.named_parameters())
    document = json.loads(found.to_json())
    both = document["mistake"]
    assert (both["name"], both["text"]) == (name, MISTAKES[name][0])
    assert document["events"] == both["right"]["events"] != both["wrong"]["events"]
    assert both["right"]["edges"] == both["wrong"]["edges"]
    assert False in [node["check"] for node in both["wrong"]["nodes"]]
    assert False not in [node["check"] for node in both["right"]["nodes"]]
    assert "<svg" in found.html


def test_where_nothing_differs_it_says_so():
    found = mistake(Value(2.0, "w") * 3.0, "wrong order")
    assert found.first_difference is None
    assert found.transcript().endswith("no number differs: this graph does not show the mistake")


def test_unknown_mistakes():
    with pytest.raises(ValueError, match=r"no mistake .*There are: = instead of \+=, wrong order"):
        mistake(Value(1.0) * 2.0, "typo")


def test_nan_is_no_difference():
    a = Value(math.nan, "a")
    assert mistake(a * 2.0, "wrong order").first_difference is None


def test_the_picture_names_what_the_transcript_names():
    loss = Value(1.0) * Value(2.0, "x") + Value(3.0)
    titles = [node.title for node in steps(loss).picture.nodes]
    assert titles == ["input1", "x", "mul1", "input2", "add1"]
