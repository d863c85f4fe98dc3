"""The scripts of the page that know of no page, without a browser: numbers, words, state."""

import json
import math
import random
import zlib
from base64 import b64encode

import pytest
from scripts import running

from engine.functions import dot, logsumexp
from engine.functions import sum as sum_of
from engine.pictures.page.page import HERE, packed
from engine.pictures.steps import mistake, steps
from engine.pictures.texts import number, short
from engine.value import Value
from nn.data import moons
from nn.loss import cross_entropy, mse
from nn.module import MLP
from nn.optim import SGD, Adam
from nn.watch import watch

SCRIPTS = "\n".join(
    (HERE / f"{name}.js").read_text(encoding="utf-8")
    for name in ("inflate", "numbers", "words", "state")
)
RUN = f"(() => {{\n{SCRIPTS}\nreturn ({{ of, given }}) => eval(of)(...given);\n}})()"


@pytest.fixture(scope="module")
def call():
    """Calls a function of the scripts, or one that is written in the test."""
    with running(RUN) as ask:
        yield lambda of, *given: ask({"of": of, "given": given})


def document(watchable):
    return json.loads(watchable.to_json())


def a_step(**options):
    net = MLP(2, [3, 1], "tanh", seed=1)
    return watch(net, mse, ([1.0, -2.0], 1.0), SGD(net.parameters(), lr=0.05), **options)


def a_shared_number():
    w, x = Value(3.0, "w"), Value(2.0, "x")
    return steps((w * x - 1) ** 2 + w, {"w": w})


def told(x):
    """A float as JSON has it."""
    return x if math.isfinite(x) else str(x)


# --- the record ---------------------------------------------------------------------------------


def texts():
    rng = random.Random(0)
    yield from ("", "a", "abc" * 30, "x" * 100_000, "\u05d0 \u2192 \U0001f642")
    yield "".join(chr(rng.randrange(32, 127)) for _ in range(70_000))
    yield " ".join(str(rng.choice([rng.random(), 0.5, "nodes"])) for _ in range(20_000))


def test_the_record_is_unpacked_to_the_last_letter(call):
    for text in texts():
        assert call("inflated", packed(text)) == text


STRATEGIES = [zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED]


@pytest.mark.some(3)
@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_kind_of_block_is_unpacked(call, level, strategy):
    for text in texts():
        deflate = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
        half = len(text) // 2
        content = deflate.compress(text[:half].encode()) + deflate.flush(zlib.Z_FULL_FLUSH)
        content += deflate.compress(text[half:].encode()) + deflate.flush()
        assert call("inflated", b64encode(content).decode()) == text


# --- numbers ------------------------------------------------------------------------------------

TIES = [0.03125, 0.09375, 0.28125, 0.34375, 100_500.0, 101_500.0, 1000.5, 1001.5, 10_005.0]
TIES += [10_015.0, 2.5, 0.5, 1.00048828125, 123_450.0, 1.5e22, 100.25, 100.75, 4097.5]
EDGES = [0.0, 1e-4, 9.99999e-5, 99_999.0, 99_999.99996, 1e5, 9999.0, 9999.4, 9999.5, 9999.6, 1e4]
EDGES += [1e-5, 5e-324, 1.7e308, 1e100, 1e-100, 20.0, 100.0, 1.10, 0.1 + 0.2, math.inf]


@pytest.mark.parametrize(("of", "want"), [("number", number), ("short", short)])
def test_numbers_are_written_as_python_writes_them(call, of, want):
    draw = random.Random(of)
    some = [draw.uniform(0.1, 1) * 10 ** draw.randint(-12, 12) for _ in range(500)]
    some += [draw.randint(1, 99_999) / 2 ** draw.randint(0, 12) for _ in range(500)]
    xs = [sign * x for x in (*EDGES, *TIES, *some) for sign in (1, -1)] + [math.nan]
    found = call(f"(xs) => xs.map({of})", list(map(told, xs)))
    assert found == list(map(want, xs))


def test_texts_of_numbers_are_read(call):
    read = "(xs) => xs.map(numeric).map((x) => [String(x), typeof x])"
    found = call(read, ["inf", "-inf", "nan", 2.5])
    assert found == [[text, "number"] for text in ("Infinity", "-Infinity", "NaN", "2.5")]


# --- state --------------------------------------------------------------------------------------

WALK = """(steps) => {
  const history = makeHistory(makeStory(steps)), seen = [];
  const note = (n) => {
    const { nodes, edges } = history.move(n);
    const changed = [nodes, edges].map((some) => [...some].sort((a, b) => a - b));
    seen.push([structuredClone(history.state), ...changed]);
  };
  for (let n = 0; n <= steps.events.length; n++) note(n);
  for (let n = steps.events.length; n-- > 0;) note(n);
  note(steps.events.length);
  return seen;
}"""


def states(known):
    """The numbers before each event and at the end, and the nodes and edges that each changes."""
    leaf = ("parameter", "input", "constant")
    data = [node["data"] if node["kind"] in leaf else None for node in known["nodes"]]
    grad, flow = [None] * len(known["nodes"]), [None] * len(known["edges"])
    seen, changes = [{"data": data[:], "grad": grad[:], "flow": flow[:]}], []
    for event in known["events"]:
        nodes, edges = [], []
        match event["kind"]:
            case "forward" | "loss" | "forward again":
                data[event["node"]], nodes = event["data"], [event["node"]]
            case "seed":
                grad[event["node"]], nodes = event["grad"], [event["node"]]
            case "leftover":
                grad[event["node"]], nodes = event["new"], [event["node"]]
            case "backward":
                grad[event["to"]], flow[event["edge"]] = event["new"], event["contribution"]
                nodes, edges = [event["to"]], [event["edge"]]
            case "update":
                data[event["node"]], nodes = event["after"], [event["node"]]
        seen.append({"data": data[:], "grad": grad[:], "flow": flow[:]})
        changes.append([nodes, edges])
    return seen, changes


def of_wrong(name):
    """The steps of a training step with a mistake."""
    return document(a_step(mistake=name))["mistake"]["wrong"]


STORIES = {
    "a step": lambda: document(a_step()),
    "a shared number": lambda: document(a_shared_number()),
    "forgotten zero_grad": lambda: of_wrong("forgotten zero_grad"),
}


@pytest.mark.parametrize("name", STORIES)
def test_the_numbers_at_each_moment_there_and_back(call, name):
    known = STORIES[name]()
    seen, changes = states(known)
    found = call(WALK, known)
    none = [[], []]
    last = [sorted(set().union(*part)) for part in zip(*changes, strict=True)]
    assert [state for state, *_ in found] == [*seen, *seen[-2::-1], seen[-1]]
    assert [rest for _, *rest in found[: len(seen)]] == [none, *changes]
    assert [rest for _, *rest in found[len(seen) : -1]] == changes[::-1]
    assert found[-1][1:] == last


@pytest.mark.parametrize("name", STORIES)
def test_a_story_says_when_gradients_are_final(call, name):
    known = STORIES[name]()
    story = call("(steps) => ({ ...makeStory(steps), brief: null })", known)
    events = list(enumerate(known["events"], 1))
    came = {n: [k for k, e in events if e.get("to") == n] for n in range(len(known["nodes"]))}
    alone = {e["node"]: k for k, e in events if e["kind"] in ("seed", "leftover")}
    settled = max(k for k, e in events if e["kind"] == "backward")
    last = {n: max([*came[n], alone.get(n, 0)]) or math.inf for n in came}
    for n, moments in came.items():
        assert story["into"][n] == [e["id"] for e in known["edges"] if e["to"] == n]
        assert story["arrived"][n] == {"count": len(moments), "last": min(last[n], settled)}
    flows = {e["edge"]: e["contribution"] for _, e in events if e["kind"] == "backward"}
    assert story["flows"] == [flows.get(edge["id"]) for edge in known["edges"]]
    updates = [k for k, e in events if e["kind"] == "update"]
    assert story["settled"] == settled
    assert story["updated"] == (updates[0] if updates else None)
    assert story["left"] == [n for n in came if last[n] > settled]


def test_what_comes_after_the_backward_pass_alone_is_left_over(call):
    """A parameter that this step does not use keeps the gradient of the step before."""
    nodes = [{"kind": "parameter", "label": x, "name": x, "group": []} for x in "ab"]
    events = [
        {"kind": "backward", "to": 0, "edge": 0, "contribution": 2.0},
        {"kind": "leftover", "node": 1, "new": 3.0},
    ]
    edges = [{"id": 0, "from": 0, "to": 0}]
    story = call("makeStory", {"nodes": nodes, "edges": edges, "events": events})
    assert (story["settled"], story["left"]) == (1, [1])
    assert story["arrived"] == [{"last": 1, "count": 1}, {"last": 1, "count": 0}]


@pytest.mark.parametrize(("sizes", "activation", "loss", "optimizer"), [
    ([3, 1], "tanh", mse, SGD),
    ([3, 2], "relu", cross_entropy, Adam),  # numbers that are dead in one step and not in another
])  # fmt: skip
def test_packed_steps_are_the_steps_to_the_last_bit(call, sizes, activation, loss, optimizer):
    xs, ys = moons(6, seed=0)
    if loss is cross_entropy:
        ys = [int(y > 0) for y in ys]
    net = MLP(2, sizes, activation, seed=3)
    run = watch(net, loss, (xs, ys), optimizer(net.parameters(), lr=0.1), steps=6)
    known = document(run)
    for entry, alone in zip(known["runs"], run, strict=True):
        want = document(alone)
        assert call("unpacked", known, entry) == {
            part: want[part] for part in ("nodes", "edges", "events")
        }


def test_numbers_that_are_not_finite_are_unpacked(call):
    """A gradient of 1e308 and one of inf are one of inf."""
    node = {"id": 0, "kind": "parameter", "grad": 1.0}
    events = [
        {"kind": "seed", "node": 0, "text": "s"},
        {"kind": "backward", "from": 0, "to": 0, "edge": 0, "text": "b"},
        {"kind": "zero", "text": "z"},
    ]
    first = {"nodes": [node], "edges": [{"id": 0}], "events": events}
    packed = {"data": [1.0], "partial": [2.0], "nodes": {}, "edges": {}, "texts": ["", "", ""]}
    packed |= {"contribution": ["inf"], "after": [], "again": []}
    found = call(
        "(first, run) => String(unpacked(first, run).events[1].new)", first, {"steps": packed}
    )
    assert found == "Infinity"


def test_what_an_event_is_about(call):
    known = document(a_step())
    about = call("(s) => s.events.map((e) => subject(makeStory(s), e))", known)
    for event, found in zip(known["events"], about, strict=True):
        edges = [e for e in known["edges"] if e["to"] == event.get("node")]
        match event["kind"]:
            case "backward":
                want = [event["from"], event["to"]], [event["edge"]], event["to"]
            case "forward" | "loss":
                operands = [e["from"] for e in edges]
                want = [*operands, event["node"]], [e["id"] for e in edges], event["node"]
            case "seed" | "update" | "forward again":
                want = [event["node"]], [], event["node"]
            case _:
                want = [], [], None
        assert (found["nodes"], found["edges"], found["target"]) == want
    nothing = {"nodes": [], "edges": [], "target": None}
    assert call("(s) => subject(makeStory(s), undefined)", known) == nothing


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("label", "want"), [
    ("tanh3", "data"), ("output", "output"), ("output1", "output1"), ("setosa", "setosa"),
    ("eleven char", "eleven char"), ("versicolor x2", "versicolor\u2026"),
    ("twelve chars", "twelve cha\u2026"),
])  # fmt: skip
def test_the_output_of_a_closed_box_has_the_name_that_a_person_gave_it(call, label, want):
    assert call("outputName", {"name": label}) == want


def test_counts_have_their_noun(call):
    found = [call("many", n, "edge") for n in (0, 1, 2)]
    assert found == ["0 edges", "1 edge", "2 edges"]


def test_events_are_told_in_short_names_and_their_places(call):
    known = document(a_step())
    found = call(
        "(s) => { const story = makeStory(s);"
        " return s.events.map((e) => [words(e), place(story, e), scene(story, e, 1)]); }",
        known,
    )
    boxes = [", ".join(node["group"]) for node in known["nodes"]]
    layers = [(node["group"] or [""])[0] for node in known["nodes"]]
    phases = {"zero": "Zero grad", "seed": "Backward", "loss": "Loss"}
    answers = {"forward": "data", "backward": "contribution", "update": "after"}
    for event, ((line, result), place, scene) in zip(known["events"], found, strict=True):
        kind = event["kind"]
        assert "neurons" not in line + result
        if kind in answers:
            assert line + result == event["text"]
            assert result.startswith(f" = {short(event[answers[kind]])}")  # a sum may follow
        else:
            assert result == ""
        phase = phases.get(kind, kind.capitalize())
        node = event.get("to", event.get("node"))
        assert scene == ",".join(filter(None, [phase, "" if node is None else layers[node]]))
        if kind == "backward":
            ends = dict.fromkeys([boxes[event["from"]], boxes[event["to"]]])
            assert place == " \u2192 ".join(filter(None, ends))
        else:
            assert place == ("" if node is None else boxes[node])
    lines = [line + result for (line, result), *_ in found]
    assert next(line for line in lines if line.startswith("tanh1")).startswith("tanh1 = tanh(dot1)")
    assert any(line.startswith("w0 = -0.7313 - 0.05 * ") for line in lines)


def test_only_what_can_be_predicted_is_asked_for(call):
    events = [
        {"kind": "forward", "data": 1.5}, {"kind": "backward", "contribution": "-inf"},
        {"kind": "update", "after": 0.0}, {"kind": "loss", "data": 2.0},
        {"kind": "seed", "grad": 1.0}, {"kind": "done"},
    ]  # fmt: skip
    found = call("(es) => [undefined, ...es].map(answer).map(String)", events)
    assert found == ["null", "1.5", "-Infinity", "0", "null", "null", "null"]


@pytest.mark.parametrize(("terms", "want"), [
    (1, "s = w0"),
    (4, "s = w0 + w1 + w2 + w3"),
    (5, "s = w0 + w1 + w2 + ... (5 terms)"),
    (9, "s = w0 + w1 + w2 + ... (9 terms)"),
])  # fmt: skip
def test_a_long_sum_is_cut(call, terms, want):
    story, text = {"nodes": [{"name": "s"}]}, "s = " + " + ".join(f"w{n}" for n in range(terms))
    assert call("glance", story, {"node": 0}, f"{text}") == want
    assert call("glance", story, {}, "Nothing is computed yet.") == "Nothing is computed yet."
    other = f"t{text}"  # not of this node
    assert call("glance", story, {"node": 0}, other) == other


def test_long_names_are_cut_in_a_formula_and_the_longest_is_found_first(call):
    names = ["a" * 18, "b" * 19, f"{'b' * 19}.c(d)", "b" * 19]
    nodes = [{"name": name} for name in names]
    text = f"s = {names[0]} * {names[1]} + {names[2]}"
    found = call(
        "(nodes, text) => glance({ nodes, long: longNames(nodes) }, {}, text)", nodes, text
    )
    assert found == f"s = {names[0]} * bbbbbbbb\u2026bbbb + bbbbbbbb\u2026c(d)"
    assert call("longNames", nodes[:1]) is None


def test_an_event_in_full_has_the_paths_of_its_parameters(call):
    nodes = [
        {"kind": "parameter", "name": "layers.0.w", "label": "w0"},
        {"kind": "parameter", "name": "b", "label": "b"},
        {"kind": "operation", "name": "sum of all", "label": "sum1"},
    ]
    event = {"kind": "backward", "from": 0, "to": 2, "edge": 0, "text": "w0 gets 1"}
    assert call("inFull", {"nodes": nodes}, event) == "w0 gets 1\nlayers.0.w: w0"
    assert call("inFull", {"nodes": nodes}, {**event, "from": 1}) == "w0 gets 1"


def tiles(call, watchable, kind):
    """The tiles of the events of a kind, and these."""
    known = document(watchable) if not isinstance(watchable, dict) else watchable
    found = call(
        "(s) => { const story = makeStory(s);"
        " return s.events.map((e) => TILES[e.kind](e, story)); }",
        known,
    )
    return [(e, f) for e, f in zip(known["events"], found, strict=True) if e["kind"] == kind]


def test_tiles_of_an_operation_of_two_stand_around_its_sign(call):
    a, b = Value(3.0, "a"), Value(2.0, "b")
    for loss, want in {
        a * b: [[3.0, "a"], "\u00d7", [2.0, "b"]],
        a - b: [[3.0, "a"], "\u2212", [2.0, "b"]],
        a / b: [[3.0, "a"], "\u00f7", [2.0, "b"]],
        a + 4.0: [[3.0, "a"], "+", [4.0, "constant"]],
        a.relu(): ["relu", [3.0, "a"]],
        -a: ["\u2212", [3.0, "a"]],
        sum_of([a, b, a]): ["sum", [3.0, "a"], ",", [2.0, "b"], ",", [3.0, "a"]],
        logsumexp([a, b]): ["logsumexp", [3.0, "a"], ",", [2.0, "b"]],
    }.items():
        [(_, found)] = tiles(call, steps(loss), "forward")
        assert found == [*want, "=", [loss.data, f"{loss.op.name}1", "answer"]]


@pytest.mark.parametrize(
    ("count", "bias"), [(1, True), (2, False), (4, True), (5, True), (7, False)]
)
def test_tiles_of_a_dot_are_its_products_and_the_rest_of_them(call, count, bias):
    xs = [Value(n + 1.0, f"x{n}") for n in range(count)]
    ys = [Value(0.5 - n, f"y{n}") for n in range(count)]
    out = dot(xs, ys, Value(0.25, "b")) if bias else dot(xs, ys)
    [(_, found)] = tiles(call, steps(out), "forward")
    want = [[0.25, "b"]] * bias
    shown = 3 if count > 4 else count
    for n in range(shown):
        want.append([f"{short(n + 1.0)} \u00d7 {short(0.5 - n)}", f"x{n} \u00d7 y{n}"])
    if count > shown:
        rest = sum((n + 1.0) * (0.5 - n) for n in range(shown, count))
        want.append([rest, f"{count - shown} more products"])
    between = [part for tile in want for part in ("+", tile)][1:]
    assert found[:-2] == between
    assert found[-2:] == ["=", [out.data, found[-1][1], "answer"]]


def test_tiles_of_a_backward_step_add_where_more_than_one_comes(call):
    seen = tiles(call, a_shared_number(), "backward")
    counts = [sum(other["to"] == e["to"] for other, _ in seen) for e, _ in seen]
    assert set(counts) == {1, 2}
    for (e, found), count in zip(seen, counts, strict=True):
        answer = [e["contribution"], "contribution", "answer"]
        chain = [
            [e["adjoint"], "gradient from above"], "\u00d7", [e["partial"], "local slope"], "=",
            answer,
        ]  # fmt: skip
        now = [[e["old"], "so far"], "+", answer, "=", [e["new"], "gradient now", "answer"]]
        assert found == (chain if count < 2 else [*chain, "", *now])


def test_a_gradient_that_replaces_another_is_said_to(call):
    a = Value(3.0, "a")
    wrong = document(mistake(a * a + a, "= instead of +="))["mistake"]["wrong"]
    signs = {
        found[7]: (e["old"] + e["contribution"] == e["new"])
        for e, found in tiles(call, wrong, "backward")
        if len(found) > 5
    }
    assert signs == {"+": True, "replaced by": False}


@pytest.mark.some(3)
@pytest.mark.parametrize(("old", "new", "sign"), [
    (1e9, 1e9 + 1.9, "+"),  # 1e-9 of them
    (1e9, 1e9 + 3.0, "replaced by"),
    (-1e9, -1e9 + 1.9, "+"),
    (2.0, 3.0, "+"),
    (2.0, 1.0, "replaced by"),
    (0.0, -1.0, "replaced by"),
])  # fmt: skip
def test_rounding_replaces_nothing(call, old, new, sign):
    e = {"kind": "backward", "to": 0, "adjoint": 1.0, "partial": 1.0, "contribution": 1.0}
    story = {"arrived": [{"count": 2}]}
    assert call("TILES.backward", e | {"old": old, "new": new}, story)[7] == sign


@pytest.mark.whole
def test_tiles_of_the_other_events(call):
    known = document(a_step())
    last = known["events"][-1]
    assert tiles(call, known, "zero")[0][1] == []
    for kind, key, name in [
        ("seed", "grad", "gradient of the loss by itself"), ("forward again", "data", "value now"),
    ]:  # fmt: skip
        assert all(found == [[e[key], name]] for e, found in tiles(call, known, kind))
    assert all(f == [[e["data"], "loss", "answer"]] for e, f in tiles(call, known, "loss"))
    for e, found in tiles(call, known, "update"):
        assert found == [[e["before"], "before"], "\u2192", [e["after"], "after", "answer"]]
    ends = [[last["loss_before"], "loss before"], "\u2192", [last["loss_after"], "loss after"]]
    assert tiles(call, known, "done")[0][1] == ends
    assert tiles(call, a_shared_number(), "done")[0][1] == []
    left = tiles(call, of_wrong("forgotten zero_grad"), "leftover")
    assert left
    for e, found in left:
        assert found == [
            [e["old"], "still there"], "+", [e["contribution"], "gradient of this step"],
            "=", [e["new"], "gradient now", "answer"],
        ]  # fmt: skip
