"""The page computes a step again from other numbers: as the engine does, in Node and a browser."""

import json
import math
import random
import shutil
import subprocess
from functools import partial

import pytest
from browsers import chromium

from engine.op import define
from engine.ops import OPS
from engine.pictures.page.page import HERE
from engine.replay.backends import javascript
from engine.value import Value, apply
from nn.loss import cross_entropy, mse
from nn.module import MLP
from nn.optim import SGD, Adam
from nn.watch import watch

SCRIPTS = "\n".join(
    (HERE / f"{name}.js").read_text() for name in ("numbers", "words", "state", "live")
)
AGAIN = """({ content, leaves, rate }) => {
  const story = makeStory(content);
  const numbers = recomputed(story, content.live.rows, leaves, rate);
  return { ...numbers, step: unpacked(content, packedAgain(story, numbers)) };
}"""


def ran(script, function, argument):
    """What a function of the page gives, in Node or, where that is not, in Chromium."""
    call = f"{script}\nconst FUNCTION = {function};"
    node = shutil.which("node")
    if node is None:
        with chromium() as browser:
            return browser.new_page().evaluate(f"x => {{ {call} return FUNCTION(x); }}", argument)
    tell = "(key, x) => typeof x === 'number' && !Number.isFinite(x) ? String(x) : x"
    program = f"{call}\nconst given = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
    program += f"process.stdout.write(JSON.stringify(FUNCTION(given), {tell}));"
    done = subprocess.run(
        [node, "--eval", program],
        input=json.dumps(argument),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def is_near(got, want):
    got, want = float(str(got).replace("Infinity", "inf")), float(want)
    if not math.isfinite(want):
        return got == want or (got != got and want != want)
    return got == pytest.approx(want, rel=1e-12, abs=1e-14)


def test_each_row_gives_what_the_engine_gives():
    cases = [(op, point) for op in OPS.values() for point in op.at]
    apply_all = "all => all.map(([key, operands]) => applied(ROWS[key], operands))"
    script = f"{SCRIPTS}\n{javascript.rows(OPS.values())}"
    found = ran(script, apply_all, [[op.key, point] for op, point in cases])
    assert len(found) == len(cases) > 60
    for (op, point), (z, slopes) in zip(cases, found, strict=True):
        want, *partials = op.forward(op.arguments(point))
        flat = partials[0] if op.many else partials
        assert is_near(z, want), (op, point)
        assert len(slopes) == len(flat)
        assert all(map(is_near, slopes, flat)), (op, point)


NETS = [
    ("tanh", mse, 1, 0.5),
    ("relu", cross_entropy, 3, 2),
    ("sigmoid", cross_entropy, 2, 0),
    ("relu", mse, 1, -2.0),
]


def a_net(kind):
    activation, loss, outputs, target = NETS[kind]
    net = MLP(2, [3, outputs], activation, seed=kind)
    return net, loss, target


@pytest.mark.some(2)
@pytest.mark.parametrize("kind", range(len(NETS)))
def test_a_step_from_other_numbers_is_that_of_the_engine(kind):
    """Every number, and every sentence."""
    draw = random.Random(kind)
    net, loss, target = a_net(kind)
    first = watch(net, loss, ([1.0, -2.0], target), SGD(net.parameters(), lr=0.1))
    content = json.loads(first.to_json())
    at = first.record.place_of()
    leaves = [node["data"] for node in content["nodes"]]
    example = [draw.uniform(-2, 2), draw.uniform(-2, 2)]
    for node in content["nodes"]:
        if node["kind"] == "input":
            leaves[node["id"]] = example[int(node["name"][1])]
    for p in net.parameters():
        p.data = leaves[at[p]] = draw.uniform(-1, 1)
    again = watch(net, loss, (example, target), SGD(net.parameters(), lr=0.3))
    found = ran(
        f"{SCRIPTS}\n{first.script}", AGAIN, {"content": content, "leaves": leaves, "rate": 0.3}
    )
    assert all(map(is_near, found["data"], again.record.data))
    assert all(map(is_near, found["grad"], again.sweep.grads))
    partials = [edge.partial for edge in again.record.edges]
    assert [x is None for x in found["partial"]] == [x is None for x in partials]
    assert all(
        is_near(a, b) for a, b in zip(found["partial"], partials, strict=True) if b is not None
    )
    for event, want in zip(found["step"]["events"], again, strict=True):
        assert event["text"] == want["text"]
        for key, number in want.items():
            if isinstance(number, float):
                assert is_near(event[key], number), (key, want)
    assert is_near(found["loss_after"], again[-1]["loss_after"])
    zeros = [node["zero"] for node in again.nodes]
    assert [node["zero"] for node in found["step"]["nodes"]] == zeros


def test_powers_and_rows_of_ones_own():
    """Negative numbers stand in brackets, and a row that a user defined is printed too."""
    bend = define("bend", "bend", "x + 0.5 * tanh(x)", "1 + 0.5 * (1 - tanh(x) ** 2)", at=[])
    w = Value(-1.5, "w")

    def model(x):
        return [apply(bend, w * x[0]) ** -3.0 + (w - 2.0) ** 2]

    def loss(output, target):
        return (output[0] - target) ** 2

    first = watch(model, loss, ([-0.5], 1.0), SGD([w], lr=0.001))
    w.data = -0.75
    again = watch(model, loss, ([-0.5], 1.0), SGD([w], lr=0.001))
    content = json.loads(first.to_json())
    leaves = [-0.75 if node["label"] == "w" else node["data"] for node in content["nodes"]]
    given = {"content": content, "leaves": leaves, "rate": 0.001}
    found = ran(f"{SCRIPTS}\n{first.script}", AGAIN, given)
    assert [event["text"] for event in found["step"]["events"]] == list(map(str, again))
    assert all(map(is_near, found["grad"], again.sweep.grads))


def test_only_plain_descent_can_be_computed_again():
    net = MLP(1, [1], seed=0)
    parameters = net.parameters()
    example = [2.0], 1.0
    plain, momentum, adam = (
        watch(net, mse, example, optimizer).document()["live"]
        for optimizer in (SGD(parameters, 0.1), SGD(parameters, 0.1, 0.9), Adam(parameters))
    )
    assert plain["rate"] == 0.1
    assert momentum is adam is None
    run = watch(net, mse, ([[1.0]], [2.0]), SGD(parameters, 0.1), steps=2)
    assert run.document()["live"] is None
    assert not run.script


def exported_by(page):
    page.locator("[name=export]").click()
    return json.loads(page.locator("[name=json]").input_value())


def lines_of(page):
    text = "[...li.querySelectorAll('span:not(.place)')].map(s => s.textContent).join('')"
    return page.evaluate(f"[...document.querySelectorAll('#transcript li')].map(li => {text})")


def test_a_page_changes_numbers_rewinds_and_exports(tmp_path):
    net, loss, target = a_net(0)
    step = watch(net, loss, ([1.0, -2.0], target), SGD(net.parameters(), lr=0.1))
    errors = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(step.save(tmp_path / "step.html").as_uri())
        page.locator("#bench summary").click()
        exported, lines = partial(exported_by, page), partial(lines_of, page)
        texts = [event["text"] for event in step]
        assert lines() == texts
        recorded = exported()
        assert recorded["loss"] == pytest.approx(step[-1]["loss_before"], rel=1e-12)
        for _ in range(3):
            page.locator("[name=take]").click()
        later = exported()
        assert later["steps_taken"] == 3
        assert later["loss"] < recorded["loss"]
        parameter = next(node for node in step.nodes if node["kind"] == "parameter")
        page.locator("[name=number]").select_option(str(parameter["id"]))
        page.locator("[name=value]").fill("0.75")
        page.locator("[name=rate]").fill("0.5")
        changed = exported()
        assert changed["data"][parameter["label"]] == 0.75
        assert changed["rate"] == 0.5
        assert changed["loss"] != later["loss"]
        page.locator("[name=value]").fill("-")  # not yet a number
        assert exported() == changed
        page.locator("#last").click()
        assert f"{changed['loss']:.4g} to {changed['loss_after']:.4g}" in lines()[-1]
        for _ in range(3):
            page.locator("[name=rewind]").click()
        assert exported() == recorded  # the same weights, to the last bit
        assert page.locator("[name=rewind]").is_disabled()
        assert lines() == texts
        card = page.locator(f"#n{step.nodes[-1]['id']} .grad")
        assert card.text_content() == "1.0000"
        page.locator("[name=reset]").click()
        assert exported() == recorded
    assert errors == []


def test_a_step_to_numbers_that_are_not_finite_is_refused():
    net = MLP(1, [1], seed=0)
    first = watch(net, mse, ([2.0], 1.0), SGD(net.parameters(), lr=0.1))
    content = json.loads(first.to_json())
    leaves = [1e200 if node["kind"] == "input" else node["data"] for node in content["nodes"]]
    given = {"content": content, "leaves": leaves, "rate": 0.1}
    found = ran(f"{SCRIPTS}\n{first.script}", AGAIN, given)
    assert found["refused"]
    assert found["loss_after"] == found["loss"] == "Infinity"
    told = [event["text"] for event in found["step"]["events"] if event["kind"] == "update"]
    assert all("stays" in text for text in told)
