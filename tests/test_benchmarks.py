import importlib
import json
import math
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from multiprocessing import get_context

import pytest

from benchmarks import (
    __main__,
    alone,
    browser,
    child,
    chosen,
    microgpt,
    ours,
    peak,
    shards,
    tables,
    wasm,
    watching,
    whole,
)
from benchmarks.chart import draw
from benchmarks.contenders import CONTENDERS, is_there, of_folder
from benchmarks.gpt import GPT, HEAD, WIDTH, linear, normed, one_hot, surprise, total
from benchmarks.report import disagreement, fate, ratio, table
from benchmarks.turns import Measured, take_turns
from benchmarks.whole_tasks import COLUMNS, digits_task, made_up, table_task, words_task
from benchmarks.works import MAKING, WORKS, Goal, Net, Text, Work
from engine.ops import OPS
from engine.replay import backends
from engine.replay.backends import library
from engine.replay.replay import replay
from engine.replay.roll import Rolled
from engine.replay.views import View
from engine.sweep import set_each
from engine.value import Value
from nn.data import load_csv, moons
from nn.table import Table


def a_text() -> Text:
    """The GPT with a word of one letter."""
    text = one_hot(".a.")
    other = one_hot(".o.")
    return WORKS["W2"].task()._replace(batches=[(text[:-1], text[1:]), (other[:-1], other[1:])])


TINY = {
    "W1": Net(2, [3, 1], [0.1 * k - 0.5 for k in range(13)],
              [moons(6, noise=0.1, seed=1), moons(6, noise=0.1, seed=2)], 0.5),
    "W2": a_text(),
    "W3": Net(2, [3, 3], [0.1 * k - 0.9 for k in range(21)],
              [([[0.5, -1.0], [2.0, 0.25]], [2, 0]), ([[1.5, 1.0], [-2.0, 0.5]], [1, 0])], 0.5),
}  # fmt: skip


def numbers(training: ours.Training) -> list[float]:
    return [p.data for p in training.optimizer.parameters]


def losses_by_hand(work: str, steps: int) -> list[float]:
    """The same training, with gradients from central differences."""
    training = ours.TRAININGS[work](TINY[work])
    parameters, weights = training.optimizer.parameters, numbers(training)

    def loss(batch, at: list[float]) -> float:
        set_each("data", parameters, at)
        return training.loss(*batch).data

    def shifted(k: int, by: float) -> list[float]:
        return [w + by * (i == k) for i, w in enumerate(weights)]

    losses = []
    for number in range(steps):
        at = training.batches[number % 2]
        losses.append(loss(at, weights))
        slopes = [
            (loss(at, shifted(k, 1e-6)) - loss(at, shifted(k, -1e-6))) / 2e-6
            for k in range(len(weights))
        ]
        weights = [w - TINY[work].lr * slope for w, slope in zip(weights, slopes, strict=True)]
    return losses


@pytest.fixture(scope="module")
def elsewhere():
    """Calls in one other process, which imports each peer once."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        yield lambda function, *arguments: process.submit(function, *arguments).result()


@pytest.fixture
def together(elsewhere):
    """The first steps of all contenders in one other process."""
    return lambda contests, task: {
        name: [elsewhere(first_steps, contest, task)] for name, contest in contests.items()
    }


@pytest.fixture
def apart():
    """Turns of contenders in processes of their own, as they are measured."""
    return partial(take_turns, rounds=1, warm_up=4)


def first_steps(contest, task) -> Measured:
    step = contest(task)
    return Measured([step(number) for number in range(5)], 1.0)


@pytest.mark.some(4)
@pytest.mark.parametrize("way", ["together", pytest.param("apart", marks=pytest.mark.nightly)])
@pytest.mark.parametrize("work", TINY)
def test_contenders_agree_on_every_loss_of_a_training(work, way, request):
    """The losses after steps 1, 2 and 3 are right only if the gradients before them are."""
    contests = {c.name: c.does[work] for c in CONTENDERS if work in c.does and is_there(c)}
    assert {f"brickgrad {kind}" for kind in ("eager, unfused", "python")} <= contests.keys()
    measured = request.getfixturevalue(way)(contests, TINY[work])
    difference, steps = disagreement(measured)
    assert difference < 1e-12
    assert steps >= 5
    assert all(turn.amount > 0 for turns in measured.values() for turn in turns[1:])
    if work != "W2":
        eager = measured["brickgrad eager"][0].results
        assert eager[:4] == pytest.approx(losses_by_hand(work, steps=4), rel=1e-8)


@pytest.mark.some(9)
@pytest.mark.parametrize("work", ["W1", "W2", "W3"])
@pytest.mark.parametrize("backend", ["python", "numpy", "c"])
def test_gradients_after_three_steps_are_those_of_eager_steps(work, backend):
    if not any(c.name == f"brickgrad {backend}" and is_there(c) for c in CONTENDERS):
        pytest.skip(f"{backend} cannot run here")
    eager, replayed = (ours.TRAININGS[work](TINY[work]) for _ in range(2))
    steps = ours.bound(replayed, backend)
    for number in range(3):
        eager.optimizer.zero_grad()
        eager.loss(*eager.batches[number % 2]).backward()
        eager.optimizer.step()
        steps.step(Table(*replayed.batches[number % 2]))
    steps.store()
    gradients = [p.grad for p in eager.optimizer.parameters]
    size = max(map(abs, gradients))
    assert size > 0
    assert [p.grad for p in replayed.optimizer.parameters] == pytest.approx(
        gradients, rel=0, abs=1e-12 * size
    )
    assert numbers(replayed) == pytest.approx(numbers(eager), rel=0, abs=1e-12)


def test_peers_take_part():
    does = {c.name: set(c.does) for c in CONTENDERS}
    for peer in ("micrograd", "PyTorch", "JAX"):
        assert {"W1", "W2", "W3"} <= does[peer]


def test_a_chain_of_nodes_stays_below_300_bytes_each():
    (result,), bytes_a_node, *_ = alone.memory(20_000)(0)
    expected = 0.999
    for _ in range(10_000):
        expected = math.tanh(expected * 0.999)
    assert result == pytest.approx(expected, rel=1e-12)
    assert 100 < bytes_a_node < 300


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_every_goal_names_contenders_of_its_work(work):
    names = {c.name for c in CONTENDERS if work.name in c.does}
    assert work.goals
    for goal in work.goals:
        assert {goal.contender, goal.against or goal.contender} <= names


def test_contenders_do_known_works_once():
    pairs = [(c.name, work) for c in CONTENDERS for work in c.does]
    assert len(set(pairs)) == len(pairs)
    assert {work for _, work in pairs} == set(WORKS)


def test_the_demo_has_its_337_weights_and_two_batches():
    net = WORKS["W1"].task()
    assert (len(net.weights), [len(xs) for xs, _ in net.batches]) == (337, [100, 100])
    assert net.batches[0] != net.batches[1]


def test_digits_have_2410_weights_and_two_batches_of_32_images():
    pytest.importorskip("sklearn")
    net = WORKS["W3"].task()
    assert (len(net.weights), [len(xs) for xs, _ in net.batches]) == (2410, [32, 32])
    assert len(net.batches[0][0][0]) == 64


def test_a_digits_training_is_given_the_weights_and_the_order_of_fit():
    pytest.importorskip("sklearn")
    task = digits_task("tanh", steps=120)
    assert [len(rows) for rows in task["order"][55:58]] == [32, 5, 32]
    assert sorted(chain(*task["order"][:57])) == list(range(1797))
    assert [len(weights) for weights in task["weights"]] == [32, 32, 10, 10]


def test_words_of_a_training_have_3_to_10_letters_and_come_again():
    words = made_up(1000)
    assert {len(word) for word in words} == set(range(3, 11))
    assert set("".join(words)) <= set(microgpt.LETTERS[1:])
    assert made_up(2000)[:1000] == words
    assert len(set(words)) > 700
    task = words_task(steps=30)
    assert sorted(task["texts"]) == sorted(map(microgpt.letters, words[:30]))


def test_a_table_has_classes_to_learn():
    rows = load_csv(table_task(rows=500)["path"], "kind")
    assert len(rows.features) == COLUMNS
    assert rows.classes == ("high", "low", "middle")
    assert min(map(rows.ys.count, range(3))) > 50


def test_words_have_8_letters():
    text = WORKS["W2"].task()
    assert [len(read) for read, _ in text.batches] == [9, 9]
    assert sum(len(row) for rows in text.weights.values() for row in rows) == 4192


# --- the GPT ----------------------------------------------------------------------------------


def test_the_gpt_is_that_of_matrices():
    np = pytest.importorskip("numpy")
    model, rows = GPT(seed=3), one_hot(".brick")
    w = {k: np.array([[v.data for v in row] for row in m]) for k, m in model.weights.items()}

    def scaled(x):
        return x / np.sqrt((x * x).mean(1, keepdims=True) + 1e-5)

    x = scaled(np.array(rows) @ w["character"].T + w["position"][:6])
    q, k, v = (scaled(x) @ w[name].T for name in ("query", "key", "value"))
    mixed = np.zeros_like(x)
    for head in (slice(start, start + HEAD) for start in range(0, WIDTH, HEAD)):
        scores = q[:, head] @ k[:, head].T / np.sqrt(HEAD)
        shares = np.tril(np.exp(scores))
        mixed[:, head] = shares / shares.sum(1, keepdims=True) @ v[:, head]
    x = x + mixed @ w["mixed"].T
    x = x + np.maximum(scaled(x) @ w["up"].T, 0) @ w["down"].T
    expected = x @ w["guess"].T
    logits = [[z.data for z in row] for row in model(rows)]
    assert np.allclose(logits, expected, rtol=0, atol=1e-13)


def test_the_gpt_looks_back_only():
    model = GPT(seed=1)
    a, b = model(one_hot(".ab")), model(one_hot(".az"))
    assert [z.data for z in a[1]] == [z.data for z in b[1]]
    assert [z.data for z in a[2]] != [z.data for z in b[2]]


def test_the_gpt_of_equal_guesses_is_surprised_by_log_27():
    rows = one_hot(".a.")
    logits = [[Value(7.0)] * 27 for _ in rows]
    assert surprise(logits, rows).data == pytest.approx(math.log(27), rel=1e-14)


@pytest.mark.whole
def test_one_recording_serves_all_words_of_a_length():
    model = GPT(seed=1)
    loss = replay(lambda read, comes: surprise(model(read), comes), backend="python")
    for word in (".ab.", ".yz.", ".qq."):
        text = one_hot(word)
        total_loss = loss(text[:-1], text[1:])
        assert total_loss.data == surprise(model(text[:-1]), text[1:]).data
    assert loss.made == 1


def test_parts_of_the_gpt():
    assert total([1.0, 2.0], [3.0, 4.0]) == 11.0
    assert linear([[1.0, 0.0], [1.0, 1.0]], [2.0, 3.0]) == [2.0, 5.0]
    squares = [x * x for x in normed([3.0, 4.0])]
    assert sum(squares) / 2 == pytest.approx(1.0, rel=1e-6)


# --- the GPT as published ---------------------------------------------------------------------


@pytest.mark.some(2)
@pytest.mark.parametrize("sums", [microgpt.PUBLISHED, microgpt.FUSED], ids=["sums", "dot"])
def test_the_published_gpt_is_that_of_w2(sums):
    """Whose letters are one-hot rows, and whose table of letters is turned."""
    rows, text = one_hot(".brick."), microgpt.letters("brick")
    other, model = GPT(seed=1), microgpt.GPT(0, sums)
    turned = {**other.weights, "letter": list(zip(*other.weights["character"], strict=True))}
    for name, weights in model.weights.items():
        for row, numbers in zip(weights, turned[name], strict=True):
            set_each("data", row, [w.data for w in numbers])
    expected = surprise(other(rows[:-1]), rows[1:])
    loss = microgpt.surprise(model(text[:-1]), text[1:])
    assert loss.data == pytest.approx(expected.data, rel=1e-14)
    expected.backward()
    loss.backward()
    for name, weights in model.weights.items():
        for row, others in zip(weights, turned[name], strict=True):
            slopes = [w.grad for w in others]
            assert [w.grad for w in row] == pytest.approx(slopes, rel=0, abs=1e-14)


def test_rows_that_a_word_does_not_pick_have_a_gradient_of_0():
    model = microgpt.GPT(seed=1)
    microgpt.surprise(model([0, 1]), [1, 0]).backward()
    for name, picked in (("letter", [0, 1]), ("position", [0, 1])):
        for place, row in enumerate(model.weights[name]):
            assert all(w.has_grad for w in row)
            assert any(w.grad for w in row) is (place in picked)


# --- whole trainings --------------------------------------------------------------------------


SHORT = {
    "T1 relu 1,000": partial(digits_task, "relu", steps=60),
    "T1 tanh 1,000": partial(digits_task, "tanh", steps=60),
    "T2 1,000": partial(words_task, steps=2, words=["ana", "leo"]),  # of one length: one recording
}


def trained(module: str, function: str, task) -> tuple[list[float], bool]:
    """What a training is compared by, and whether its steps are timed: from half of them on."""
    contest, half = getattr(importlib.import_module(f"benchmarks.{module}"), function), []
    outcome = contest(task)(half.append)
    is_timed = outcome.a_step > 0 if module == "whole_ours" else half == [task.get("steps", 0) // 2]
    return child.results(task, outcome), is_timed


@pytest.mark.whole
@pytest.mark.parametrize("work", SHORT)
def test_whole_trainings_agree_on_losses_and_accuracy(work, elsewhere):
    pytest.importorskip("sklearn")
    task = SHORT[work]()
    there = [c for c in CONTENDERS if work in c.does and is_there(c)]
    results = {}
    for contest in dict.fromkeys(c.does[work].args for c in there):
        results[contest], is_timed = elsewhere(trained, *contest, task)
        assert is_timed
    assert ("whole_ours", "digits" if "T1" in work else "fused") in results
    measured = {name: [Measured(losses, 1.0)] for name, losses in results.items()}
    difference, count = disagreement(measured)
    assert difference < WORKS[work].tolerance
    assert count == (3 if "T1" in work else 2)


@pytest.mark.whole
def test_scikit_learn_and_ours_learn_as_much_in_10_epochs(elsewhere):
    pytest.importorskip("sklearn")
    task = WORKS["T1 process"].task()
    contests = [("whole_ours", "digits"), ("whole_sklearn", "digits")]
    measured = {name: [Measured(elsewhere(trained, *name, task)[0], 1.0)] for name in contests}
    difference, count = disagreement(measured)
    assert 0.01 < difference < WORKS["T1 process"].tolerance
    assert count == 1


@pytest.mark.whole
def test_scikit_learn_scores_the_net_that_the_command_left(elsewhere):
    pytest.importorskip("pandas")
    task = table_task(rows=1000)
    ((ours,), _) = elsewhere(trained, "whole_ours", "command", task)
    ((theirs,), _) = elsewhere(trained, "whole_sklearn", "table", task)
    assert theirs == pytest.approx(ours, rel=WORKS["T3"].tolerance)
    assert 0.6 < ours <= 1


@pytest.mark.whole
def test_a_training_runs_in_a_process_of_its_own_with_an_empty_cache_or_a_warm_one():
    pytest.importorskip("sklearn")
    task = digits_task(steps=3)
    cold, warm = (
        whole.training("whole_ours", "digits", task, warm=is_warm) for is_warm in (False, True)
    )
    kept = whole.scratch() / "whole_ours.digits" / "brickgrad" / "native" / "kept.lib"
    first = cold(0)
    assert len(first.results) == 3  # the first loss, the last, the share of right answers
    assert 0 < first.amount < first.also["process, s"]
    names = {"imports, s", "data, s", "a step, ms", "processor, s", "process, s"}
    assert first.also.keys() == names
    assert all(amount > 0 for amount in first.also.values())
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.touch()
    assert warm(0).results == first.results
    assert kept.exists()
    whole_process = whole.training("whole_ours", "digits", {**task, "process": True})(0)
    assert not kept.exists()
    assert whole_process.amount > whole_process.also["training, s"] > 0


def test_a_training_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(whole, "LIMIT", 0.01)
    turn = whole.training("whole_ours", "digits", {})(0)
    assert (turn.results, turn.amount, turn.note) == ([], math.inf, "stopped after 0.01 s")
    measured = {"we": [Measured([], math.nan), turn], "they": turns(1, 2.0, result=3.0)}
    assert disagreement(measured) == (0.0, 2)
    assert fate(Goal("we", 1, "they"), measured, same=True) == "0x, MISSED"
    assert fate(Goal("we", 1, "they", of="a step, ms"), measured, same=True) == "nanx, MISSED"


@pytest.mark.whole
def test_a_training_that_fails_says_why():
    with pytest.raises(RuntimeError, match=r"(?s)whole_ours.digits failed:.*KeyError"):
        whole.training("whole_ours", "digits", {})(0)


def test_trainings_take_turns_and_slow_ones_sit_out(monkeypatch):
    taken = []

    def contest(name, task):
        return lambda number: taken.append((name, number)) or Measured([1.0], 2.0)

    contests = {name: partial(contest, name) for name in "ab"}
    measured = whole.take_whole(contests, {}, rounds=2)
    assert taken == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert [turn.amount for turn in measured["a"]][1:] == [2.0, 2.0]
    monkeypatch.setattr(whole, "PATIENCE", 0.0)
    assert len(whole.take_whole(contests, {}, rounds=5)["b"]) == 1


# --- alone ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "terms", "wanted", "expected"),
    [
        ("dot", (3, 4), (5,), (True, True), 3 * 4 * 5 * 2 * 3),
        ("dot", (3, 4), (5,), (True, False), 3 * 4 * 5 * 2 * 2),
        ("mul", (7,), (), (False, False), 7),
        ("exp", (7,), (), (True,), 0),
    ],
)
def test_flops_count_products_and_sums_of_both_passes(name, shape, terms, wanted, expected):
    lengths = shape + terms
    views = (View("v", 0, lengths, (1,) * len(lengths)),) * len(wanted)
    scalars, vectors = ((), views) if terms else (views, ())
    assert alone.flops(Rolled(OPS[name], shape, terms, scalars, vectors, 0, wanted)) == expected


@pytest.mark.whole
def test_the_kernel_stays_below_the_peak():
    if library.compiler() is None:
        pytest.skip("no C compiler")
    most = max(run() for run in peak.programs().values())
    assert 0.1 < most < 10_000
    share = alone.kernel("W1", {})(0)
    assert 0 < share.amount < 100
    assert "products and sums" in share.note


@pytest.mark.whole
def test_guards_and_the_witness_are_measured():
    if library.compiler():
        guards = alone.guards("W1", {})(0)
        assert 0 < guards.amount < 100
        assert "places" in guards.note
    assert 0 < alone.witnessing("W1", {})(0).amount < 100


@pytest.mark.whole
def test_a_first_call_and_a_first_step_are_measured():
    pytest.importorskip("sklearn")
    for is_training in (False, True):
        turn = alone.start(is_training, {})(0)
        assert 0.1 < turn.amount < 1000
        assert turn.note.endswith(" ms")


def test_functions_of_numpy_are_those_that_it_has():
    np = pytest.importorskip("numpy")
    theirs = {name for name, op in OPS.items() if op.arity == 1 and chosen.in_numpy(op)}
    assert {"exp", "tanh", "asin", "neg"} <= theirs
    assert not {"erf", "gelu", "sigmoid", "relu"} & theirs
    assert all(hasattr(np, name) or name == "neg" for name in theirs)


@pytest.mark.some(3)
@pytest.mark.parametrize("backend", ["python", "numpy", "c"])
def test_the_kernel_of_a_function_has_its_numbers(backend):
    if not chosen.runs(backend):
        pytest.skip(f"{backend} cannot run here")
    kernel = chosen._kernel(OPS["tanh"], backend)
    kernel.forward()
    kernel.backward(chosen.ONES)
    numbers = [-2.0 + 2.3 * k / (chosen.SIZE - 1) for k in range(chosen.SIZE)]
    slopes = [1 - math.tanh(x) ** 2 for x in numbers]
    assert list(kernel.adjoints)[: chosen.SIZE] == pytest.approx(slopes, rel=1e-13)


@pytest.mark.whole
def test_auto_is_measured_beside_each_backend():
    turn = chosen.auto("xor", {"steps": 3, "measured": 5})(0)
    assert turn.amount > 0
    assert all(name in turn.note for name in backends.NAMES if chosen.runs(name))


@pytest.mark.whole
def test_webassembly_is_measured_beside_c(monkeypatch):
    pytest.importorskip("wasmtime")
    if not library.compiler():
        pytest.skip("no C compiler here")
    monkeypatch.setattr(library, "folders", library.folders)
    turn = wasm.beside_c("W1", {})(0)
    assert 0.1 < turn.amount < 100
    assert 0 < turn.also[MAKING] < 1
    assert "for two calls, C " in turn.note


@pytest.mark.whole
def test_making_and_rolling_are_measured(monkeypatch):
    monkeypatch.setattr(library, "folders", library.folders)
    if library.compiler():
        seconds = alone.making("W1", {})(0)
        assert 0 < seconds.amount < 60
    rolled = alone.rolling("W1", {})(0)
    assert 0 < rolled.amount < 1000
    assert rolled.note.startswith("65,175 nodes: recording ")


@pytest.mark.some(4)
@pytest.mark.parametrize("function", ["recording", "a_step", "page", "page_of_a_run"])
def test_watching_is_measured_in_the_unit_of_its_goal(function):
    contests = {c.does["watching"]: c.name for c in CONTENDERS if "watching" in c.does}
    contest = getattr(watching, function)
    [goal] = [goal for goal in WORKS["watching"].goals if goal.contender == contests[contest]]
    measured = contest({})(0)
    assert 0 < measured.amount < 5 * goal.amount  # other programs run beside the tests
    assert measured.note


@pytest.mark.whole
def test_the_layout_is_that_of_a_net_of_5000_nodes(monkeypatch):
    monkeypatch.setattr(watching.time, "perf_counter", time.process_time)  # others run beside it
    measured = watching.layout_of_many({})(0)
    assert int(measured.note.partition(" nodes")[0].replace(",", "")) > 5000
    assert 0 < measured.amount < 5


@pytest.mark.parametrize("name", ["page opens, ms", "page of a mistake steps, ms"])
def test_pages_open_and_step_in_a_browser(name):
    [contender] = [c for c in CONTENDERS if c.name == name]
    if not is_there(contender):
        pytest.skip(f"no {contender.needs}")
    [goal] = [goal for goal in WORKS["watching"].goals if goal.contender == name]
    measured = contender.does["watching"]({})(0)
    assert 0 < measured.amount < 5 * goal.amount  # other programs run beside the tests
    assert measured.note


def test_without_playwright_there_is_no_browser(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    contenders = [c for c in CONTENDERS if c.needs == browser.NEEDS]
    assert contenders
    assert not any(map(is_there, contenders))


# --- tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "is_classes", "percent"),
    [
        ([0.8, 0.9], [0.9, 1.0], True, 200.0),
        ([0.96, 0.96], [0.98, 0.98], True, 100.0),  # twice as many are wrong
        ([0.9, 1.0], [0.8, 0.9], True, -66.666667),
        ([0.9, 0.8], [1.0, 1.0], True, 15.0),  # where theirs have no error, points of a hundred
        ([2.2, 2.4], [2.0, 2.0], False, 15.0),
        ([1.0, 9.0], [1.5, 8.0], False, 0.0),  # within a standard error
        ([0.0, 0.0], [0.0, 0.0], False, 0.0),
    ],
)
def test_so_much_worse_is_a_net(ours, theirs, is_classes, percent):
    assert tables.worse(ours, theirs, is_classes) == percent


def test_folds_that_share_rows_count_for_less():
    """Of ten folds that differ by 1 on average, spread 2: 0.63 alone, 1.18 as they share rows."""
    ours = [3.0, -1.0] * 5
    assert tables.worse(ours, [0.0] * 10, False, folds=5) == 0
    assert tables.worse(ours, [0.0] * 10, False, folds=10**9) == 100


@pytest.mark.whole
def test_a_table_is_read_as_the_command_reads_it():
    """Texts, gaps and an index are found in the cells; a row of an unknown text gets an answer."""
    pandas = pytest.importorskip("pandas")
    kinds = ["a", "b", "c"] * 20
    cells = pandas.DataFrame(
        {
            "": map(str, range(60)),
            "kind": kinds,
            "size": [str(k) if k % 7 else "?" for k in range(60)],
            "y": [str(3 * ord(kind)) for kind in kinds],
        }
    )
    table = tables.Table(cells[["kind"]], cells["y"].astype(float).rename("y"), False, cells)
    error = tables.by_command(table, range(50), range(50, 60), 300)
    assert error < 1.0
    odd = cells.copy()
    odd.loc[55, "kind"] = "never seen"
    lost = tables.by_command(table._replace(cells=odd), range(50), range(50, 60), 300)
    assert error < lost < 3.0


@pytest.mark.whole
def test_a_table_is_judged_on_the_same_folds_for_all():
    pytest.importorskip("pandas")
    found = tables.scores(tables.TABLES["iris"](), folds=3, times=1, steps=200)
    assert {name: len(figures) for name, figures in found.items()} == dict.fromkeys(
        ["brickgrad", "linear", "constant", "MLP"], 3
    )
    assert found["constant"] == pytest.approx([0.32] * 3)  # 16 of 50 in each fold
    assert min(found["brickgrad"]) > 0.8
    turn = tables.fares("a line, 40 rows", tables.task(folds=2, times=1, steps=20))(0)
    assert turn.note.startswith("typical error: brickgrad ")
    assert turn.also.keys() == {tables.BESIDE}


def test_tables_of_a_folder_are_read_as_its_list_says(tmp_path):
    pandas = pytest.importorskip("pandas")
    (tmp_path / "a.csv").write_text(",size;name;y\n".replace(",", "id;") + "".join(
        f"{k};{k}.5;{'name' + str(k)};{'ab'[k % 2]}\n" for k in range(12)
    ))  # fmt: skip
    (tmp_path / "b.csv").write_text("".join(f"{k},?,{k * k}\n" for k in range(12)))
    lines = ["file,target,kind,note", "a.csv,y,classes,", "b.csv,column 3,number,no header"]
    (tmp_path / "targets.csv").write_text("\n".join(lines))
    work, contenders = of_folder(tmp_path)
    assert [c.name for c in contenders] == ["a.csv", "b.csv"]
    assert {goal.contender for goal in work.goals} == {"a.csv", "b.csv"}
    made = tables.in_folder(tmp_path)
    first, second = made["a.csv"](), made["b.csv"]()
    assert ([*first.columns], first.is_classes) == (["id", "size"], True)
    assert [*second.target] == [k * k for k in range(12)]
    assert pandas.isna(second.columns["column 2"]).all()
    with pytest.raises(ValueError, match=r"--tables expected a folder with a targets\.csv of file"):
        tables.in_folder(tmp_path / "none")


# --- turns ------------------------------------------------------------------------------------


def count(task: int):
    return lambda number: task + number


def stumble(task: int):
    return lambda number: 1 / (1 - number)


def weigh(task: int):
    return lambda number: Measured([float(number)], 7.0, "heavy")


def leave(task: int):
    raise SystemExit


@pytest.mark.whole
def test_the_warm_up_comes_first_and_fast_contenders_take_many_steps():
    measured = take_turns({"a": count}, 10, rounds=2, warm_up=3)["a"]
    assert measured[0].results == [10, 11, 12]
    steps = [result for turn in measured for result in turn.results]
    assert steps == list(range(10, 10 + len(steps)))
    assert len(measured) == 3
    assert len(measured[1].results) == len(measured[2].results) > 100
    assert 0 < measured[1].amount < 1


@pytest.mark.whole
def test_a_contender_may_measure_for_itself(monkeypatch):
    monkeypatch.setattr("benchmarks.turns.BURST", 0)
    turn = take_turns({"b": weigh}, 10, rounds=1, warm_up=1)["b"][1]
    assert (turn.amount, turn.note) == (7.0, "heavy")


@pytest.mark.whole
def test_a_slow_contender_sits_out(monkeypatch):
    monkeypatch.setattr("benchmarks.turns.PATIENCE", 0.0)
    assert len(take_turns({"a": count}, 0, rounds=5)["a"]) == 1


@pytest.mark.whole
def test_a_failure_arrives_with_its_traceback():
    with pytest.raises(RuntimeError, match=r"(?s)clumsy failed:.*ZeroDivisionError"):
        take_turns({"fine": count, "clumsy": stumble}, 0, rounds=1)


@pytest.mark.whole
def test_a_contender_that_is_gone_is_noticed():
    with pytest.raises(RuntimeError, match="gone died without a word"):
        take_turns({"gone": leave}, 0, rounds=1)


# --- the report -------------------------------------------------------------------------------


def turns(*amounts: float, result: float = 1.0) -> list[Measured]:
    return [Measured([result], amount) for amount in amounts]


def test_goals():
    faster, small = Goal("we", 20, "they", moonshot=40), Goal("we", 300)
    share = Goal("we", 15, at_least=True)
    assert [faster.fate(x) for x in (40, 39.9, 20, 19.9)] == [
        "moonshot", "reached", "reached", "MISSED"
    ]  # fmt: skip
    assert [small.fate(x) for x in (300, 300.1)] == ["reached", "MISSED"]
    assert [share.fate(x) for x in (15, 14.9)] == ["reached", "MISSED"]
    assert str(faster) == "at least 20x they (moonshot 40)"
    assert str(small) == "at most 300"
    assert str(share) == "at least 15"


def test_a_fate_is_that_of_the_ratio():
    goal = Goal("we", 20, "they")
    measured = {"we": turns(1, 5.0), "they": turns(1, 100.0)}
    assert fate(goal, measured, same=True) == "20x, reached"
    assert fate(goal, measured, same=False) == "MISSED, the losses differ"
    assert fate(goal, {"we": turns(1, 5.0)}, same=True) == "unknown, they is not here"


def test_load_that_comes_and_goes_cancels_in_a_ratio():
    load = [9.0, 1.0, 9.0, 1.0, 4.0]
    assert ratio(turns(*(30 * x for x in load)), turns(*load)) == 30
    assert ratio(turns(1, 9, 20, 12), turns(1, 1, 2, 4)) == 9  # the medians have 6
    assert ratio(turns(1, 9, 20), turns(1, 1, 2, 4)) == 9.5  # a slow one took fewer turns


def test_the_warm_up_does_not_count():
    work = Work("W", "", "ms", 3, partial(int), (Goal("we", 30, "they"),))
    measured = {"they": turns(1, 90, 100, 200), "we": turns(999, 4, 3, 9)}
    head, theirs, ours, goal = table(work, measured, same=True)
    assert head.split() == ["median", "lowest", "ms", "they"]
    assert theirs.split() == ["they", "100", "90", "1x"]
    assert ours.split() == ["we", "4", "3", "22.5x"]  # 22.5, 33.3 and 22.2
    assert goal.strip() == "we  at least 30x they: 22.5x, MISSED"


def test_no_ratio_where_losses_differ():
    measured = {"micrograd": turns(1, 100), "brickgrad c": turns(1, 1, result=1.1)}
    lines = table(WORKS["W1"], measured, same=False)
    assert not any(line.endswith("x") for line in lines)


def test_other_figures_of_a_turn_get_lines_or_remarks():
    goals = (Goal("we", 4, "they"), Goal("we", 8, "they", moonshot=15, of="a step, ms"))
    work = Work("W", "", "s", 3, partial(int), goals, whole=True)
    also = {"imports, s": 0.5, "processor, s": 1.0, "a step, ms": 0.25}
    others = {**also, "processor, s": 3.0, "a step, ms": 2.5}
    measured = {
        "they": [Measured([], math.nan), Measured([1.0], 6.0, "", others)],
        "we": [Measured([], math.nan), Measured([1.0], 2.0, "warned", also)],
    }
    lines = [line.split() for line in table(work, measured, same=True)]
    assert lines == [
        ["median", "lowest", "s", "they"],
        ["they", "6", "6", "1x", "imports", "0.5", "s"],
        ["we", "2", "2", "3x", "imports", "0.5", "s;", "warned"],
        ["processor,", "s", "median", "lowest", "they"],
        ["they", "3", "3", "1x"],
        ["we", "1", "1", "3x"],
        ["a", "step,", "ms", "median", "lowest", "they"],
        ["they", "2.5", "2.5", "1x"],
        ["we", "0.25", "0.25", "10x"],
        ["we", "at", "least", "4x", "they:", "3x,", "MISSED"],
        ["we", "a", "step,", "ms:", "at", "least", "8x", "they", "(moonshot", "15):", "10x,",
         "reached"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "difference"), [(1.0, 0.0), (1.0 + 1e-9, 1e-9), (math.nan, math.inf)]
)
def test_disagreement_is_the_largest_of_the_steps_that_all_took(ours, difference):
    measured = {
        "a": [Measured([1.0, ours], 1), Measured([5.0], 1)],
        "b": [Measured([1.0, 1.0], 1)],
    }
    largest, steps = disagreement(measured)
    assert largest == pytest.approx(difference, rel=1e-6)
    assert steps == 2


def test_the_chart_has_a_bar_for_each_contender(tmp_path):
    measured = {
        "W1": {"micrograd": turns(1, 1400.0), "brickgrad c": turns(1, 0.01)},
        "kernel": {"W1": turns(1, 20.0)},
        "T3": {"pandas": turns(1, 0.125), "endless": turns(1, math.inf)},
    }
    draw(measured, "a machine", tmp_path / "bars.svg")
    text = (tmp_path / "bars.svg").read_text()
    for word in ("micrograd: 1,400", "brickgrad c: 0.01", "pandas: 0.125", "a machine"):
        assert f">{word}</text>" in text
    assert text.index(">brickgrad c: ") < text.index(">micrograd: ")  # the fastest on top
    assert "kernel" not in text
    assert "endless" not in text
    with pytest.raises(ValueError, match="run T1, T2, T3, W1, W2 or W3"):
        draw({"kernel": measured["kernel"]}, "", tmp_path / "none.svg")


@pytest.mark.whole
def test_the_command_prints_and_keeps_the_figures(tmp_path, monkeypatch, capsys):
    path = tmp_path / "figures.json"
    monkeypatch.setattr(
        sys, "argv", ["benchmarks", "--only", "rolling", "--rounds", "1", "--json", str(path)]
    )
    __main__.main()
    printed = capsys.readouterr().out
    assert "W3  at most 4 (moonshot 2): " in printed
    assert printed.count("reached") + printed.count("MISSED") + printed.count("shot\n") >= 2
    kept = json.loads(path.read_text())
    assert kept["works"]["rolling"]["W1"][1][1] > 0


@pytest.mark.nightly
def test_the_command_runs_whole_trainings_quickly(tmp_path, monkeypatch, capsys):
    path = tmp_path / "figures.json"
    given = ["--quick", "--rounds", "1", "--only", "T1 relu", "--only", "T3", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["benchmarks", *given])
    __main__.main()
    printed = capsys.readouterr().out
    assert "Quick: the figures mean nothing.\n" in printed
    assert "DIFFER" not in printed
    assert json.loads(path.read_text())["works"].keys() == {"T1 relu 1,000", "T1 relu 6,000", "T3"}


@pytest.mark.whole
def test_the_table_of_shards_has_a_line_for_each_net(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["shards", "--quick"])
    monkeypatch.setitem(sys.modules, "distributed", None)
    shards.main()
    *_, line = capsys.readouterr().out.splitlines()
    weights, rows, alone, there, ratio, without = line.strip("| ").split(" | ")
    assert int(weights) == len(shards.net(shards.QUICK[0]).parameters())
    assert (int(rows), without) == (8, "not installed")
    assert float(there) / float(alone) == pytest.approx(float(ratio.rstrip("x")), rel=0.1)


@pytest.mark.whole
def test_a_work_that_is_unknown_is_said(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "T9"])
    with pytest.raises(SystemExit):
        __main__.main()
    assert "there is no 'T9', there are T1 relu 1,000, " in capsys.readouterr().err


@pytest.mark.whole
def test_a_peer_that_is_missing_is_said(monkeypatch, capsys):
    monkeypatch.setattr(__main__, "is_there", lambda c: c.name == "brickgrad eager")
    monkeypatch.setattr(__main__, "run", lambda *given: {"brickgrad eager": turns(1, 9.0)})
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "W1"])
    __main__.main()
    printed = capsys.readouterr().out
    assert "  without JAX: jax is not installed\n" in printed
    assert "brickgrad eager            at least 100x micrograd: unknown" in printed
