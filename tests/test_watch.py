"""watch(): a whole training step, a run of them, and the mistakes, against the plain loop."""

import itertools
import json
import math
import random
import re
from fractions import Fraction

import pytest

from engine import ops
from engine.functions import define, dot
from engine.pictures.steps import steps as record_steps
from engine.value import Value
from nn.data import Dataset, moons
from nn.loss import cross_entropy, mse
from nn.module import MLP, Module, Neuron
from nn.optim import SGD, Adam, AdamW, Optimizer
from nn.train import fit, gradient_descent, stochastic_gradient_descent
from nn.watch import MISTAKES, Run, watch

OPTIMIZERS = {
    "sgd": lambda ps: SGD(ps, lr=0.1),
    "decay": lambda ps: SGD(ps, lr=0.1, weight_decay=0.2),
    "momentum": lambda ps: SGD(ps, lr=0.1, momentum=0.9, dampening=0.1),
    "nesterov": lambda ps: SGD(ps, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda ps: Adam(ps, lr=0.1),
    "adam and decay": lambda ps: Adam(ps, lr=0.1, weight_decay=0.3),
    "adamw": lambda ps: AdamW(ps, lr=0.1, weight_decay=0.3),
}
X, Y = [1.0, -2.0], 0.5


def net(seed=1):
    return MLP(2, [3, 3, 1], "tanh", seed=seed)


def of_kind(steps, *kinds):
    return [event for event in steps if event["kind"] in kinds]


# --- one step ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_takes_the_very_step_of_the_plain_loop(name):
    watched, plain = net(), net()
    ours, theirs = (OPTIMIZERS[name](model.parameters()) for model in (watched, plain))
    for _ in range(4):
        steps = watch(watched, mse, (X, Y), ours)
        theirs.zero_grad()
        loss = mse(plain(X), Y)
        loss.backward()
        theirs.step()
        assert watched.state_dict() == plain.state_dict()
        assert [p.grad for p in watched.parameters()] == [p.grad for p in plain.parameters()]
        assert ours.state_dict() == theirs.state_dict()
        assert steps[-1]["loss_before"] == loss.data
        assert steps[-1]["loss_after"] == mse(plain(X), Y).data


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_update_in_numbers(name):
    model = net()
    optimizer = OPTIMIZERS[name](model.parameters())
    watch(model, mse, (X, Y), optimizer)
    before = model.state_dict()
    steps = watch(model, mse, (X, Y), optimizer)
    after = model.state_dict()
    updates = of_kind(steps, "update")
    labels = [steps.nodes[event["node"]]["label"] for event in updates]
    assert labels == list(before)
    for event, label in zip(updates, labels, strict=True):
        assert (event["before"], event["after"]) == (before[label], after[label])
        assert event["rule"]
        for equation in re.findall(r"= ([^=;]+?) = ([^;]+)", event["text"]):
            formula, result = equation
            assert eval(formula) == pytest.approx(float(result), rel=0.02, abs=2e-3)
        assert float(event["text"].rpartition(" = ")[2]) == pytest.approx(
            event["after"], rel=1e-3, abs=1e-12
        )


def test_the_story_in_order():
    model = net()
    steps = watch(model, mse, (X, Y), SGD(model.parameters(), lr=0.1))
    kinds = list(dict.fromkeys(event["kind"] for event in steps))
    assert kinds == [
        "zero", "forward", "loss", "seed", "backward", "update", "forward again", "done"
    ]  # fmt: skip
    forward, again = of_kind(steps, "forward"), of_kind(steps, "forward again")
    assert [event["node"] for event in forward] == [event["node"] for event in again]
    assert again[-1]["data"] == steps[-1]["loss_after"]
    assert forward[-1]["data"] == steps[-1]["loss_before"] != steps[-1]["loss_after"]
    assert str(steps[-1]) == f"done: the loss went from {forward[-1]['data']:.4g} to " + (
        f"{again[-1]['data']:.4g}"
    )


def test_names_of_inputs_outputs_and_the_loss():
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    labels = [node["label"] for node in watch(model, mse, (X, Y), optimizer).nodes]
    assert {"x0", "x1", "output", "loss", "layers.0.neurons.0.w.0"} <= set(labels)
    table = Dataset([[1.0, 2.0]], [0.5], ("height", "width"))
    labels = [node["label"] for node in watch(model, mse, table, optimizer).nodes]
    assert {"height", "width"} <= set(labels)
    several = MLP(2, [2], seed=0)
    steps = watch(several, cross_entropy, (X, 1), SGD(several.parameters(), lr=0.1))
    assert {"output0", "output1"} <= {node["label"] for node in steps.nodes}
    x = Value(3.0, "mine")
    line = Neuron(1, nonlin=False, seed=0)
    steps = watch(line, mse, ([x], 1.0), SGD(line.parameters(), lr=0.1))
    assert "mine" in [node["label"] for node in steps.nodes]


def test_gradients_of_a_step_before_do_not_matter():
    model = net()
    for p in model.parameters():
        p.grad = 100.0
    steps = watch(model, mse, (X, Y), SGD(model.parameters(), lr=0.1))
    fresh = net()
    mse(fresh(X), Y).backward()
    assert [p.grad for p in model.parameters()] == [p.grad for p in fresh.parameters()]
    assert not of_kind(steps, "leftover")


def test_many_points_in_one_step_are_gradient_descent():
    points = moons(6, seed=0)
    watched, plain = net(), net()
    steps = watch(watched, mse, points, SGD(watched.parameters(), lr=0.1))
    history = gradient_descent(plain, mse, points, lr=0.1, steps=1)
    assert watched.state_dict() == plain.state_dict()
    assert steps[-1]["loss_before"] == history.loss[0]
    assert "x0 of 5" in {node["label"] for node in steps.nodes}


def test_the_checks_agree():
    model = net()
    steps = watch(model, mse, (X, Y), SGD(model.parameters(), lr=0.1))
    assert all(node["check"] for node in steps.nodes if node["kind"] != "constant")


def test_a_parameter_that_is_not_used_stays():
    class Half(Module):
        def __init__(self):
            self.used, self.spare = Value(2.0), Value(3.0)

        def __call__(self, x):
            return self.used * x[0]

    model = Half()
    steps = watch(model, mse, ([1.0], 1.0), SGD(model.parameters(), lr=0.1))
    events = {steps.nodes[e["node"]]["label"]: e for e in of_kind(steps, "update")}
    assert (events["spare"]["before"], events["spare"]["after"]) == (3.0, 3.0)
    assert str(events["spare"]) == "spare stays, it has no gradient: spare = 3"
    assert events["used"]["after"] != 2.0


def test_a_model_without_names_and_an_optimizer_of_ones_own():
    w = Value(2.0)

    class Line:
        def parameters(self):
            return [w]

        def __call__(self, x):
            return w * x

    class Fixed(Optimizer):
        MEMORY = {}  # noqa: RUF012 (a class that people write)

        def rates(self, steps):
            return (0.5,)

        def moved(self, ps, gs, memory, rates):
            return ([p - rates[0] for p in ps],)

    steps = watch(Line(), mse, (3.0, 1.0), Fixed([w], lr=0.1))
    [update] = of_kind(steps, "update")
    assert str(update) == "parameter 0 = 2 + -0.5 = 1.5"
    assert update["rule"] == "Fixed.step()"
    assert "x" in [node["label"] for node in steps.nodes]


def test_a_model_that_changes_its_graph():
    w = Value(1.0)

    class Moody(Module):
        def __init__(self):
            self.w, self.calls = w, 0

        def __call__(self, x):
            self.calls += 1
            return self.w * x[0] if self.calls % 2 else (self.w * x[0]).tanh()

    steps = watch(Moody(), mse, ([2.0], 1.0), SGD([w], lr=0.1))
    [again] = of_kind(steps, "forward again")
    assert again["data"] == steps[-1]["loss_after"]


@pytest.mark.parametrize("data", [3, None, ([1.0], 2.0, 3.0), ([[1.0]], [])])
def test_data_that_is_none(data):
    model = Neuron(1)
    with pytest.raises(ValueError, match=r"expected|length|rows|pair"):
        watch(model, mse, data, SGD(model.parameters(), lr=0.001))


@pytest.mark.parametrize(("loss", "make", "message"), [
    ("mse", SGD, "expected a loss, a function such as nn.mse, got 'mse'"),
    (lambda z, y: 1.0, lambda ps: SGD(ps, lr=0.1), "a loss that returns a Value, got 1.0"),
    (mse, lambda ps: 0.1, r"an optimizer, such as SGD\(model.parameters\(\), lr=0.1\), got 0.1"),
    (mse, lambda ps: SGD, "an optimizer, such as .*, got <class 'nn.optim.SGD'>"),
])  # fmt: skip
def test_what_is_no_loss_or_no_optimizer(loss, make, message):
    model = net()
    with pytest.raises(TypeError, match=message):
        watch(model, loss, (X, Y), make(model.parameters()))


def test_arguments_that_are_missing_or_in_the_wrong_order():
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    words = r"^watch expected the model and then the loss, .* got mse and MLP: swap them"
    with pytest.raises(TypeError, match=words):
        watch(mse, model, (X, Y), optimizer)
    for data in [(), ((X, Y),)]:
        words = (
            r"^watch expected an optimizer, such as SGD\(model.parameters\(\), lr=0.1\), got None"
        )
        with pytest.raises(TypeError, match=words):
            watch(model, mse, *data)
    with pytest.raises(ValueError, match="watch expected an example"):
        watch(model, mse, optimizer=optimizer)


# --- mistakes ---------------------------------------------------------------------------------


def a_mistake(name, optimizer="sgd", seed=1):
    model = net(seed)
    return model, watch(model, mse, (X, Y), OPTIMIZERS[optimizer](model.parameters()), mistake=name)


@pytest.mark.some(16)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_leaves_everything_as_it_was(name, optimizer):
    model = net()
    made = OPTIMIZERS[optimizer](model.parameters())
    watch(model, mse, (X, Y), made)
    before = model.state_dict(), made.state_dict(), [p.grad for p in model.parameters()]
    watch(model, mse, (X, Y), made, mistake=name)
    assert (model.state_dict(), made.state_dict(), [p.grad for p in model.parameters()]) == before


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_of_an_optimizer_that_holds_iterators(name):
    class Counting(SGD):
        def __init__(self, parameters, lr):
            super().__init__(parameters, lr)
            self.names, self.taken = (f"step {k}" for k in range(9)), itertools.count(1)

        def step(self):
            self.at = next(self.taken)
            super().step()

    model = net()
    made = Counting(model.parameters(), 0.1)
    found = watch(model, mse, (X, Y), made, mistake=name)
    _, plain = a_mistake(name)
    assert str(found) == str(plain)
    assert next(made.taken) == 1
    assert not hasattr(made, "at")


@pytest.mark.some(3)
@pytest.mark.parametrize("name", MISTAKES)
def test_the_first_number_that_differs_is_one(name):
    _, found = a_mistake(name)
    first = found.first_difference
    assert found.wrong[first["event"]][first["key"]] == first["wrong"] != first["right"]
    assert found.right[first["right_event"]][first["key"]] == first["right"]
    partner = {
        (event["kind"], event.get("edge", event.get("node"))): event for event in found.right
    }
    for event in found.wrong[: first["event"]]:
        other = partner.get((event["kind"], event.get("edge", event.get("node"))))
        if other:
            assert {**event, "text": ""} == {**other, "text": ""}
    assert found.transcript().count("<--") == 1
    document = json.loads(found.to_json())
    assert document["mistake"]["first_difference"] == first
    assert found.right[-1]["loss_after"] != found.wrong[-1]["loss_after"]


@pytest.mark.some(3)
@pytest.mark.parametrize("name", MISTAKES)
def test_partners_are_about_the_same(name):
    _, found = a_mistake(name)
    document = json.loads(found.to_json())["mistake"]
    for event, partner in zip(document["wrong"]["events"], document["partners"], strict=True):
        other = document["right"]["events"][partner]
        place = event.get("to", event.get("node"))
        assert place == other.get("to", other.get("node"))
        assert event.get("edge") in (other.get("edge"), None)
    same = [n for n, partner in enumerate(document["partners"]) if n == partner]
    assert len(same) > 0.2 * len(document["partners"])


def test_forgotten_zero_grad_in_numbers():
    model, found = a_mistake("forgotten zero_grad")
    plain = net()
    optimizer = SGD(plain.parameters(), lr=0.1)
    for _ in range(2):
        mse(plain(X), Y).backward()
        optimizer.step()
    leftovers = of_kind(found.wrong, "leftover")
    assert [event["new"] for event in leftovers] == [p.grad for p in plain.parameters()]
    assert [e["after"] for e in of_kind(found.wrong, "update")] == [
        p.data for p in plain.parameters()
    ]
    assert found.first_difference["event"] == found.wrong.events.index(leftovers[0])
    for event in leftovers:
        assert event["old"] + event["contribution"] == event["new"]
        assert float(event["text"].rpartition(" = ")[2]) == pytest.approx(event["new"], rel=1e-3)
    once = net()
    optimizer = SGD(once.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        mse(once(X), Y).backward()
        optimizer.step()
    assert [e["after"] for e in of_kind(found.right, "update")] == [
        p.data for p in once.parameters()
    ]
    assert model.state_dict() == net().state_dict()


def test_what_is_left_over_is_in_the_gradient_that_is_checked():
    net = MLP(2, [2, 1], seed=10)
    optimizer = SGD(net.parameters(), lr=0.1)
    found = watch(net, mse, ([1.0, -2.0], 0.5), optimizer, mistake="forgotten zero_grad")
    left = {event["node"]: event for event in found.wrong if event["kind"] == "leftover"}
    assert any(event["old"] for event in left.values())
    for place, event in left.items():
        node = found.wrong.nodes[place]
        assert node["grad"] == event["new"]
        assert node["check"] is not (event["old"] != 0)  # False or None beside a wrong number
    assert all(node["check"] is not False for node in found.right.nodes)


@pytest.mark.parametrize("name", ["= instead of +=", "wrong order"])
@pytest.mark.parametrize(("nouts", "is_harmless"), [([2, 1], True), ([3, 3, 1], False)])
def test_a_mistake_that_harms_no_weight_says_so(name, nouts, is_harmless):
    net = MLP(2, nouts, "tanh", seed=1)
    found = watch(net, mse, ([1.0, -2.0], 0.5), SGD(net.parameters(), lr=0.1), mistake=name)
    assert ("every weight moves as it should" in found.text) == is_harmless


@pytest.mark.parametrize("name", ["= instead of +=", "wrong order"])
def test_mistakes_in_backward_move_the_weights(name):
    _, found = a_mistake(name)
    grads = {n["id"]: n["grad"] for n in found.wrong.nodes}
    for event in of_kind(found.wrong, "update"):
        assert event["after"] == event["before"] - 0.1 * grads[event["node"]]
    assert False in [node["check"] for node in found.wrong.nodes]
    assert False not in [node["check"] for node in found.right.nodes]


def test_without_plus_no_line_says_plus():
    _, found = a_mistake("= instead of +=")
    lines = [str(event) for event in of_kind(found.wrong, "backward")]
    assert not [line for line in lines if "+=" in line or "paths meet" in line]


def test_a_learning_rate_too_high_makes_the_loss_larger():
    _, found = a_mistake("learning rate too high")
    assert found.right[-1]["loss_after"] < found.right[-1]["loss_before"]
    assert found.wrong[-1]["loss_after"] > found.wrong[-1]["loss_before"]
    assert found.first_difference["key"] == "after"
    rate = re.search(r"learning rate is (\S+) instead of 0.1\.", found.text)[1]
    event = found.wrong[found.first_difference["event"]]
    grad = found.wrong.nodes[event["node"]]["grad"]
    assert event["after"] == pytest.approx(event["before"] - float(rate) * grad)


def test_a_learning_rate_of_zero_cannot_be_too_high():
    model = net()
    found = watch(
        model, mse, (X, Y), SGD(model.parameters(), lr=0.0), mistake="learning rate too high"
    )
    assert found.first_difference is None


def test_unknown_mistakes_and_both():
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"no mistake .*There are: forgotten zero_grad, "):
        watch(model, mse, (X, Y), optimizer, mistake="typo")
    with pytest.raises(ValueError, match="steps or a mistake, got both"):
        watch(model, mse, (X, Y), optimizer, mistake="wrong order", steps=2)


def test_a_loss_that_overflows_is_shown_as_it_is():
    model = Neuron(1, nonlin=False, seed=0)
    steps = watch(model, mse, ([1e200], 1.0), SGD(model.parameters(), lr=1.0))
    assert math.isinf(steps[-1]["loss_before"])
    assert '"loss_before":"inf"' in steps.to_json()
    update, *_ = of_kind(steps, "update")
    assert update["before"] == update["after"]
    assert str(update) == "w0 stays, since the data of parameter 0 would become -inf: w0 = 0.6888"
    assert str(steps[-1]) == (
        "done: no step was taken, since the data of parameter 0 would become -inf; the loss is inf"
    )


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf])
def test_inputs_that_are_not_finite(x):
    model = Neuron(1, nonlin=False, seed=0)
    before = model.state_dict()
    steps = watch(model, mse, ([x], 1.0), SGD(model.parameters(), lr=0.1))
    assert model.state_dict() == before
    json.loads(steps.to_json(), parse_constant=pytest.fail)
    assert len(of_kind(steps, "update")) == 2


# --- nets that were trained, and unusual graphs -----------------------------------------------


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("train", [gradient_descent, stochastic_gradient_descent])
def test_a_net_that_was_trained_by_replay(train, fused):
    points = moons(40, seed=0)
    model = MLP(2, [4, 4, 1], "relu", seed=0, fused=fused)
    train(model, mse, points, lr=0.05, steps=30)
    grads = [p.grad for p in model.parameters()]
    loss = mse(model(points[0][3]), points[1][3])
    found = json.loads(record_steps(loss, model).to_json())
    assert [p.grad for p in model.parameters()] == grads
    model.zero_grad()
    loss.backward()
    sums = {node["label"]: 0.0 for node in found["nodes"]}
    for event in found["events"]:
        if event["kind"] == "backward":
            sums[found["nodes"][event["to"]]["label"]] += event["contribution"]
    by_label = {node["label"]: node["grad"] for node in found["nodes"]}
    for name, p in model.named_parameters():
        assert by_label[name] == sums[name] == p.grad
    assert False not in [node["check"] for node in found["nodes"]]


def test_fit_and_watch_take_turns_with_one_optimizer():
    points, model, twin = moons(20, seed=0), net(), net()
    optimizer = Adam(model.parameters(), lr=0.01)
    fit(model, mse, points, steps=9, batch_size=5, optimizer=optimizer)
    theirs = Adam(twin.parameters(), lr=0.01)
    twin.load_state_dict(model.state_dict())
    theirs.load_state_dict(optimizer.state_dict())
    steps = watch(model, mse, (X, Y), optimizer)
    mse(twin(X), Y).backward()
    theirs.step()
    assert model.state_dict() == twin.state_dict()
    assert optimizer.state_dict() == theirs.state_dict()
    assert steps[-1]["loss_after"] == mse(twin(X), Y).data
    for trained, moved in ((model, optimizer), (twin, theirs)):
        fit(trained, mse, points, steps=3, optimizer=moved)
    assert model.state_dict() == twin.state_dict()


def test_a_parameter_that_is_used_twice():
    class Tied(Module):
        def __init__(self):
            self.w = Value(0.5)
            self.same = self.w

        def __call__(self, x):
            return (self.w * x[0]).tanh() * self.same

    model = Tied()
    steps = watch(model, mse, ([2.0], 1.0), SGD(model.parameters(), lr=0.1))
    [update] = of_kind(steps, "update")
    shares = [e for e in of_kind(steps, "backward") if e["to"] == update["node"]]
    h = math.tanh(1.0)
    slope = 2 * (0.5 * h - 1)
    by_hand = [slope * h, slope * 0.5 * (1 - h * h) * 2.0]
    assert [e["contribution"] for e in shares] == pytest.approx(by_hand, rel=1e-14)
    assert update["after"] == pytest.approx(0.5 - 0.1 * sum(by_hand), rel=1e-14)


@pytest.fixture
def hump():
    yield define("hump", "hump", "exp(-x * x)", "-2 * x * z", at=[(0.5,), (-1.0,)])
    del ops.OPS["hump"]


def test_an_operation_of_ones_own(hump):
    steps = record_steps(hump(Value(0.3, "w")) * 2.0)
    assert str(steps[0]) == "hump1 = hump(w) = hump(0.3) = 0.9139"
    assert steps.edges[0]["partial_text"] == "d(hump1)/dw = -2 * w * hump1"
    assert steps.nodes[0]["grad"] == pytest.approx(-4 * 0.3 * math.exp(-0.09), rel=1e-15)
    assert steps.nodes[0]["check"] is True


@pytest.mark.parametrize("terms", [
    lambda u, v: dot([u, v], [2.0, 3.0], 1.0),
    lambda u, v: dot([u, v], [2.0, u]),
    lambda u, v: dot([1.0, 2.0], [u, v], u),
    lambda u, v: dot([u, v], [u, v], u),
    lambda u, v: dot([2.0], [u]) + v,
])  # fmt: skip
def test_dots_with_constants(terms):
    leaves = Value(0.5, "u"), Value(-1.0, "v")
    loss = terms(*leaves).tanh()
    steps = record_steps(loss)
    loss.backward()
    found = {node["label"]: node for node in steps.nodes}
    for leaf in leaves:
        assert found[leaf.label]["grad"] == leaf.grad
        assert found[leaf.label]["check"] is True
    assert len(steps.picture.nodes) == len(steps.nodes)


@pytest.mark.whole
def test_a_net_of_3000_parameters_is_collapsed():
    model = MLP(10, [50, 45, 2], "tanh", seed=0)
    x = [0.1 * i for i in range(10)]
    steps = watch(model, cross_entropy, (x, 1), SGD(model.parameters(), lr=0.01))
    document = steps.document()
    assert len(of_kind(steps, "update")) == len(model.parameters()) == 2937
    assert len(steps.picture.nodes) <= 60
    assert set(document["shown"]) == set(range(len(steps.picture.nodes)))
    assert steps[-1]["loss_after"] < steps[-1]["loss_before"]


def test_the_page_of_a_step_is_small():
    model = MLP(2, [8, 8, 1], "tanh", seed=0)
    steps = watch(model, mse, (X, Y), SGD(model.parameters(), lr=0.1))
    assert len(steps.html) < 500_000


def test_the_types():
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    assert isinstance(watch(model, mse, (X, Y), optimizer, steps=1), Run)


def test_the_optimizer_of_another_net_is_refused():
    net, other = MLP(2, [2, 1], seed=0), MLP(2, [2, 1], seed=0)
    with pytest.raises(ValueError, match="gave no parameter of the optimizer a gradient"):
        watch(net, mse, ([1.0, 2.0], 1.0), SGD(other.parameters(), lr=0.1))


# --- models that remember, and that take floats ------------------------------------------------


class Running(Module):
    """Counts its calls, and takes the mean of an input away."""

    def __init__(self):
        self.net, self.mean, self.calls, self.rng = net(), 0.0, 0, random.Random(1)
        self.seen = []

    def __call__(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x[0]
        self.calls += 1
        self.seen.append(x[1])
        return self.net([x[0] - self.mean, x[1] + 0.1 * self.rng.random()])

    def state(self):
        floats = [self.mean, *self.seen]
        assert {*map(type, floats)} == {float}
        return floats, self.calls, self.rng.getstate(), self.state_dict()


POINTS = [[0.1 * i, 0.2 - 0.05 * i] for i in range(10)], [0.3 * i - 1 for i in range(10)]


@pytest.mark.whole
def test_a_model_that_remembers_is_as_after_training():
    watched, plain = Running(), Running()
    run = watch(watched, mse, POINTS, SGD(watched.parameters(), lr=0.05), steps=3)
    history = stochastic_gradient_descent(
        plain, mse, POINTS, lr=0.05, steps=3, backend="eager", seed=0
    )
    assert watched.state() == plain.state()
    assert watched.calls == 3
    assert [steps[-1]["loss_before"] for steps in run.steps] == history.loss


@pytest.mark.whole
def test_a_mistake_puts_the_state_of_a_model_back():
    for mistake in MISTAKES:
        model = Running()
        model([1.0, 2.0])
        before = model.state()
        watch(model, mse, (X, Y), SGD(model.parameters(), lr=0.05), mistake=mistake)
        assert model.state() == before


TAKES = {
    "math.sin": math.sin,
    "an error of a Value": lambda v: float(Fraction(v)),
    "isinstance": lambda v: v if isinstance(v, Value) else 3.0 * v,
    "isinstance float": lambda v: 3.0 * v if isinstance(v, float) else v,
    "round": lambda v: round(v, 1),
}


@pytest.mark.some(4)
@pytest.mark.parametrize("name", TAKES)
def test_a_model_that_takes_floats_takes_the_step_of_training(name):
    class Taking(Module):
        def __init__(self):
            self.net, self.calls = net(), 0

        def __call__(self, x):
            self.calls += 1
            return self.net([TAKES[name](v) for v in x])

    watched, plain = Taking(), Taking()
    steps = watch(watched, mse, (X, Y), SGD(watched.parameters(), lr=0.05))
    optimizer = SGD(plain.parameters(), lr=0.05)
    loss = mse(plain(X), Y)
    loss.backward()
    optimizer.step()
    assert watched.state_dict() == plain.state_dict()
    assert watched.calls == plain.calls == 1
    assert steps[-1]["loss_before"] == loss.data
