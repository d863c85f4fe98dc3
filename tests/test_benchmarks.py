import math
from functools import partial

import pytest

from benchmarks.__main__ import disagreement, fate, table
from benchmarks.contenders import CONTENDERS, is_installed
from benchmarks.turns import Measured, Turns, take_turns
from benchmarks.works import WORKS, Goal, Net, Work, times_less
from nn.data import moons
from nn.loss import cross_entropy, hinge, l2
from nn.module import MLP

TINY = {
    "W1": Net(2, [3, 1], [0.1 * k - 0.5 for k in range(13)], *moons(6, noise=0.1), [0.5, 0.4, 0.3]),
    "W3": Net(2, [3, 3], [0.1 * k - 0.9 for k in range(21)], [[0.5, -1.0], [2.0, 0.25]], [2, 0],
              [0.5, 0.4, 0.3]),
}  # fmt: skip


def losses_by_hand(work: str) -> list[float]:
    """The same training, with gradients from central differences."""
    net = TINY[work]
    model = MLP(net.nin, net.nouts)
    weights = list(net.weights)

    def loss(at: list[float]) -> float:
        for p, w in zip(model.parameters(), at, strict=True):
            p.data = w
        outputs = [model(x) for x in net.xs]
        if work == "W3":
            return cross_entropy(outputs, net.ys).data
        return (hinge(outputs, net.ys) + 1e-4 * l2(model.parameters())).data

    def shifted(k: int, by: float) -> list[float]:
        return [w + by * (i == k) for i, w in enumerate(weights)]

    losses = []
    for rate in net.learning_rates:
        losses.append(loss(weights))
        slopes = [
            (loss(shifted(k, 1e-6)) - loss(shifted(k, -1e-6))) / 2e-6 for k in range(len(weights))
        ]
        weights = [w - rate * slope for w, slope in zip(weights, slopes, strict=True)]
    return losses


@pytest.mark.parametrize("work", TINY)
def test_contenders_agree_on_every_loss_of_a_training(work):
    contests = {c.name: c.does[work] for c in CONTENDERS if is_installed(c)}
    measured = take_turns(contests, TINY[work], steps=3)
    assert list(measured) == [c.name for c in CONTENDERS if is_installed(c)]
    assert disagreement(measured) < 1e-12
    assert [m.result for m in measured["brickgrad"]] == pytest.approx(
        losses_by_hand(work), rel=1e-8
    )
    assert all(m.amount > 0 for steps in measured.values() for m in steps)


def test_micrograd_takes_part():
    pytest.importorskip("micrograd")
    assert is_installed(CONTENDERS[0])
    assert {"W1", "W3"} <= set(CONTENDERS[0].does)


def test_a_chain_of_nodes_stays_below_300_bytes_each():
    chain = next(c.does["million"] for c in CONTENDERS if c.name == "brickgrad")
    ((result, bytes_a_node),) = take_turns({"": chain}, 20_000, steps=1)[""]
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


def test_contenders_do_known_works_under_names_of_their_own():
    assert len({c.name for c in CONTENDERS}) == len(CONTENDERS)
    assert all(set(c.does) <= set(WORKS) for c in CONTENDERS)


def test_the_demo_has_its_337_weights_and_falling_rates():
    net = WORKS["W1"].task(3)
    assert (len(net.weights), len(net.xs)) == (337, 100)
    assert net.learning_rates == pytest.approx([1.0, 0.991, 0.982])


def test_digits_have_2410_weights_and_32_images():
    pytest.importorskip("sklearn")
    net = WORKS["W3"].task(1)
    assert (len(net.weights), len(net.xs), len(net.xs[0])) == (2410, 32, 64)


# --- turns ------------------------------------------------------------------------------------


def count(task: int, turns: Turns) -> None:
    turns.take(lambda number: task + number)


def stumble(task: int, turns: Turns) -> None:
    turns.take(lambda number: 1 / (1 - number))


def weigh(task: int, turns: Turns) -> None:
    for number in turns:
        turns.done(float(number), amount=7.0)


def leave(task: int, turns: Turns) -> None:
    raise SystemExit


def test_everyone_takes_all_steps():
    measured = take_turns({"a": count, "b": weigh}, 10, steps=3)
    assert [m.result for m in measured["a"]] == [10, 11, 12]
    assert measured["b"] == [Measured(0.0, 7.0), Measured(1.0, 7.0), Measured(2.0, 7.0)]


def test_a_failure_arrives_with_its_traceback():
    with pytest.raises(RuntimeError, match=r"(?s)clumsy failed:.*ZeroDivisionError"):
        take_turns({"fine": count, "clumsy": stumble}, 0, steps=2)


def test_a_contender_that_is_gone_is_noticed():
    with pytest.raises(RuntimeError, match="gone died without a word"):
        take_turns({"gone": leave}, 0, steps=1)


# --- the table --------------------------------------------------------------------------------


def steps(*amounts: float, result: float = 1.0) -> list[Measured]:
    return [Measured(result, amount) for amount in amounts]


def test_goals():
    faster, small = Goal("we", 20, against="they"), Goal("we", 300)
    assert faster.reached({"we": [5.0], "they": [100.0]})
    assert not faster.reached({"we": [5.01], "they": [100.0]})
    assert small.reached({"we": [1.0, 300.0, 900.0]})
    assert not small.reached({"we": [300.1]})
    assert fate(faster, {"we": [5.0], "they": [100.0]}, same=True) == "reached"
    assert fate(faster, {"we": [5.0], "they": [100.0]}, same=False) == "MISSED"
    assert "not installed" in fate(faster, {"we": [5.0]}, same=True)


def test_load_that_comes_and_goes_cancels_in_a_ratio():
    ours, theirs, load = [1.0, 1.0, 1.0, 1.0], [30.0, 30.0, 30.0, 30.0], [1.0, 9.0, 1.0, 4.0]
    loaded = [[x * slower for x, slower in zip(side, load, strict=True)] for side in (ours, theirs)]
    assert times_less(*loaded) == 30
    assert times_less([1.0, 2.0, 4.0], [9.0, 20.0, 12.0]) == 9  # the medians have 6


def test_the_first_step_is_a_warm_up_and_rounds_are_compared():
    work = Work("W", "", "ms", 3, partial(int), (Goal("brickgrad", 30, against="micrograd"),))
    measured = {
        "micrograd": steps(1, 90, 100, 200),
        "brickgrad": steps(999, 4, 3, 9),
    }  # 22.5, 33.3, 22.2 times
    head, theirs, ours = table(work, measured, same=True)
    assert head.split() == ["median", "lowest", "ms"]
    assert theirs.split() == ["micrograd", "100.00", "90.00", "1.0x"]
    assert ours.split()[:4] == ["brickgrad", "4.00", "3.00", "22.5x"]
    assert ours.endswith("at least 30x: MISSED")


def test_no_ratio_where_losses_differ():
    measured = {"micrograd": steps(1, 100), "brickgrad": steps(1, 1, result=1.1)}
    lines = table(WORKS["W1"], measured, same=False)
    assert not any(line.endswith("x") for line in lines)
    assert lines[2].endswith("MISSED")


@pytest.mark.parametrize(
    ("ours", "difference"), [(1.0, 0.0), (1.0 + 1e-9, 1e-9), (math.nan, math.inf)]
)
def test_disagreement_is_the_largest_of_all_steps(ours, difference):
    measured = {"a": [*steps(1, 1), Measured(ours, 1)], "b": steps(1, 1, 1)}
    assert disagreement(measured) == pytest.approx(difference, rel=1e-6)
