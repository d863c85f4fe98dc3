"""A run against the training loop, and its packed steps against each step's own plain data."""

import json
import random
import re
from pathlib import Path

import pytest
from processes import printed

from engine.value import Value
from nn.data import moons
from nn.loss import cross_entropy, hinge, mse
from nn.module import MLP, Module
from nn.optim import SGD, Adam
from nn.timeline import MOST_EVENTS, packed
from nn.train import stochastic_gradient_descent
from nn.watch import watch

ROOT = Path(__file__).parents[1]
X, Y = [1.0, -2.0], 0.5


def net(seed=1):
    return MLP(2, [3, 3, 1], "tanh", seed=seed)


def number(x):
    return float(x) if isinstance(x, str) else x


def unpacked_text(known, text):
    """A text of which only the words are written that are others than before."""
    spaces = re.sub(r"\t(\d+)", lambda found: " " * (int(found[1]) - 1), text)
    old, new = known.split(" "), spaces.split(" ")
    if len(old) == len(new):
        new = [b or a for a, b in zip(old, new, strict=True)]
    return " ".join(new)


def unpacked(first, run):
    """A step of a run, put together again by the rules of a training step."""
    packed = run["steps"]
    nodes = [
        {**node, "data": packed["data"][n], **packed["nodes"].get(str(n), {})}
        for n, node in enumerate(first["nodes"])
    ]
    edges = [
        {**edge, "partial": packed["partial"][e], **packed["edges"].get(str(e), {})}
        for e, edge in enumerate(first["edges"])
    ]
    columns = {
        "backward": iter(packed["contribution"]),
        "update": iter(packed["after"]),
        "forward again": iter(packed["again"]),
    }
    grad = [0.0] * len(nodes)
    events = []
    for known, text in zip(first["events"], packed["texts"], strict=True):
        event = {**known, "text": unpacked_text(known["text"], text)}
        match event["kind"]:
            case "forward" | "loss":
                event["data"] = nodes[event["node"]]["data"]
            case "seed":
                grad[event["node"]] = event["grad"]
            case "backward":
                event["adjoint"], event["old"] = grad[event["from"]], grad[event["to"]]
                event["partial"] = edges[event["edge"]]["partial"]
                event["contribution"] = next(columns["backward"])
                event["new"] = event["old"] + number(event["contribution"])
                grad[event["to"]] = event["new"]
            case "update":
                event["before"] = nodes[event["node"]]["data"]
                event["after"] = next(columns["update"])
            case "forward again":
                event["data"] = next(columns["forward again"])
            case "done":
                event["loss_before"], event["loss_after"] = run["loss"], run["loss_after"]
        events.append(event)
    assert not [left for column in columns.values() for left in column]
    for node in nodes:
        if node["kind"] != "constant":
            node["grad"] = grad[node["id"]]
    return {"nodes": nodes, "edges": edges, "events": events}


@pytest.mark.some(2)
@pytest.mark.parametrize(("sizes", "activation", "loss", "optimizer"), [
    ([3, 3, 1], "tanh", mse, SGD),
    ([3, 3, 1], "relu", hinge, Adam),  # numbers that are dead in one step and not in another
    ([4, 2], "relu", cross_entropy, SGD),
])  # fmt: skip
def test_packed_steps_are_the_steps_to_the_last_bit(sizes, activation, loss, optimizer):
    xs, ys = moons(9, seed=0)
    if loss is cross_entropy:
        ys = [int(y > 0) for y in ys]
    model, points = MLP(2, sizes, activation, seed=3), (xs, ys)
    run = watch(model, loss, points, optimizer(model.parameters(), lr=0.1), steps=9)
    document = json.loads(run.to_json())
    for entry, steps in zip(document["runs"], run, strict=True):
        alone = json.loads(steps.to_json())
        for part, found in unpacked(document, entry).items():
            assert found == alone[part]


def test_dead_numbers_of_one_step_are_told():
    model = MLP(2, [4, 4, 1], "relu", seed=0)
    run = watch(model, mse, moons(9, seed=0), SGD(model.parameters(), lr=0.1), steps=9)
    changed = [
        fields for entry in run.document()["runs"] for fields in entry["steps"]["nodes"].items()
    ]
    assert {"zero", "why"} <= {key for _, fields in changed for key in fields}


def test_the_title_compares_the_loss_of_all_points_with_itself():
    model, (xs, ys) = net(), moons(9, seed=0)

    def mean():
        return sum(mse(model(x), y).data for x, y in zip(xs, ys, strict=True)) / 9

    before = mean()
    run = watch(model, mse, (xs, ys), SGD(model.parameters(), lr=0.1), steps=5)
    assert run.mean_losses == pytest.approx((before, mean()), rel=1e-12)
    words = f"mean loss of 9 points from {before:.4g} to {mean():.4g}"
    assert run.document()["title"] == f"5 training steps: {words}"


def test_words_that_are_the_same_are_left_out():
    model = net()
    run = watch(model, mse, moons(9, seed=0), SGD(model.parameters(), lr=0.1), steps=2)
    same, other = (packed(run[0], steps)["texts"] for steps in run)
    assert not re.sub(r"\t\d+", "", "".join(same)).strip()
    again = [event["kind"] for event in run[0]].index("forward again")
    text = str(run[1][again])
    assert text.startswith("dot1 = b + w0 * x0")
    assert re.sub(r"\t\d+", "", other[again]).split() == [
        word
        for word, old in zip(text.split(), str(run[0][again]).split(), strict=True)
        if word != old
    ]


PROGRAM = """
import sys
from nn.data import moons
from nn.loss import mse
from nn.module import MLP
from nn.optim import Adam
from nn.watch import watch
net = MLP(2, [4, 1], "relu", seed=5)
optimizer = Adam(net.parameters(), lr=0.1)
run = watch(net, mse, moons(9, seed=0), optimizer, steps=4)
wrong = watch(net, mse, ([1.0, 2.0], 0.5), optimizer, mistake="wrong order")
sys.stdout.buffer.write((run.html + wrong.html + repr(run) + repr(wrong)).encode())
"""


@pytest.mark.whole
def test_two_processes_write_the_same_bytes():
    (text,) = {printed(PROGRAM, seed) for seed in (0, 1, 77)}
    assert text.startswith("<!doctype html>")


@pytest.mark.whole
def test_a_run_of_50_steps_is_a_page_of_less_than_700_kb_and_half_of_them_can_be_opened():
    model = MLP(2, [8, 8, 1], "tanh", seed=0)
    run = watch(model, mse, moons(50, seed=0), SGD(model.parameters(), lr=0.05), steps=50)
    opened = [entry["step"] for entry in run.document()["runs"] if entry["steps"]]
    assert len(opened) >= 25
    assert len(run.html) < 700_000
    assert len(run.html) < len(run[0].html) + len(opened) * len(run[0].to_json()) / 8


def test_a_run_is_that_of_stochastic_gradient_descent():
    points = moons(20, seed=0)
    watched, plain = net(), net()
    run = watch(watched, mse, points, SGD(watched.parameters(), lr=0.05), steps=12, seed=7)
    history = stochastic_gradient_descent(plain, mse, points, lr=0.05, steps=12, seed=7)
    assert run.losses == history.loss
    assert watched.state_dict() == plain.state_dict()
    rng = random.Random(7)
    assert run.points == [[int(rng.random() * 20)] for _ in range(12)]
    for steps, (point,) in zip(run, run.points, strict=True):
        inputs = {n["label"]: n["data"] for n in steps.nodes if n["kind"] == "input"}
        assert [inputs["x0"], inputs["x1"]] == points[0][point]


@pytest.mark.parametrize(("batch", "sizes"), [(None, [6] * 3), (4, [4, 2, 4]), (1, [1] * 3)])
def test_batches(batch, sizes):
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    run = watch(model, mse, moons(6, seed=0), optimizer, steps=3, batch_size=batch)
    assert [len(points) for points in run.points] == sizes


def test_a_run_is_a_sequence_with_a_timeline():
    model = net()
    run = watch(model, mse, moons(9, seed=0), SGD(model.parameters(), lr=0.1), steps=11)
    assert len(run) == 11
    assert run[2:4] == run.steps[2:4]
    lines = run.transcript().splitlines()
    assert repr(run).splitlines() == lines
    first, last = run[0][-1], run[10][-1]
    text = f"loss {first['loss_before']:.4g} -> {first['loss_after']:.4g}"
    assert lines[0] == f" 1. point {run.points[0][0]}: {text}"
    assert lines[10].startswith("11. ")
    assert f"{last['loss_before']:.4g}" in lines[10]
    whole = watch(
        model, mse, moons(9, seed=0), SGD(model.parameters(), lr=0.001), steps=1, batch_size=None
    )
    assert whole.transcript().startswith("1. 9 points: loss ")


def test_the_document_of_a_run(tmp_path):
    model, points = net(), moons(9, seed=0)
    run = watch(model, hinge, points, SGD(model.parameters(), lr=0.1), steps=5)
    document = json.loads(run.to_json())
    assert document["events"] == json.loads(run[0].to_json())["events"]
    for n, entry in enumerate(document["runs"]):
        assert entry["step"] == n
        assert entry["loss"] == run.losses[n]
        assert entry["loss_after"] == run[n][-1]["loss_after"]
        assert [entry["point"]] == entry["points"] == run.points[n]
    known = {"features": ["x0", "x1"], "x": points[0], "y": points[1], "classes": []}
    assert document["data"] == known
    assert document["cut"] is None
    assert run.save(tmp_path / "run.html").read_text(encoding="utf-8") == run.html


@pytest.mark.whole
def test_a_long_run_keeps_some_steps_open():
    model = MLP(2, [8, 8, 1], "tanh", seed=0)
    run = watch(model, mse, moons(9, seed=0), SGD(model.parameters(), lr=0.01), steps=140)
    document = run.document()
    kept = [entry["step"] for entry in document["runs"] if entry["steps"]]
    assert (kept[0], kept[-1]) == (0, 139)
    assert len(kept) == MOST_EVENTS // len(run[0])
    assert document["cut"].startswith(f"{len(kept)} of 140 training steps can be opened")


def test_steps_of_another_shape_cannot_be_opened_in_one_picture():
    w = Value(1.0)

    class Growing(Module):
        def __init__(self):
            self.w, self.calls = w, 0

        def __call__(self, x):
            self.calls += 1
            return self.w * x[0] if self.calls < 4 else (self.w * x[0]).tanh()

    run = watch(Growing(), mse, ([[1.0], [2.0]], [1.0, 2.0]), SGD([w], lr=0.01), steps=4)
    assert [bool(entry["steps"]) for entry in run.document()["runs"]] == [True, True, False, False]


def test_one_example_again_and_again():
    model = net()
    run = watch(model, mse, (X, Y), SGD(model.parameters(), lr=0.05), steps=6)
    assert run.points == [[0]] * 6
    assert run.losses == sorted(run.losses, reverse=True)


@pytest.mark.parametrize("steps", [0, -1])
def test_steps_are_counted_from_one(steps):
    model = net()
    with pytest.raises(ValueError, match="at least 1"):
        watch(model, mse, (X, Y), SGD(model.parameters(), lr=0.001), steps=steps)
