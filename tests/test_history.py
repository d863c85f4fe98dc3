"""What a training leaves."""

import csv
import math

import pytest
from trainings import DOUBLES, Slope, iris_net, small_iris

from nn.history import History, Step
from nn.loss import cross_entropy, mse
from nn.train import fit, gradient_descent

# --- history ---------------------------------------------------------------------------------


def test_a_history_comes_back_from_its_csv(tmp_path):
    data = small_iris()
    history = fit(iris_net(), cross_entropy, data, lr=0.1, steps=4, batch_size=20, validation=data)
    history.to_csv(tmp_path / "history.csv")
    with open(tmp_path / "history.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == list(Step._fields)
    again = [Step(*(float(cell) if cell else None for cell in line)) for line in lines[1:]]
    assert again == [history[i] for i in range(4)]


def test_a_history_says_how_it_went():
    history = gradient_descent(Slope(), mse, DOUBLES, lr=0.1, steps=3)
    assert repr(history).startswith("History(3 steps; loss 0.0003687; ")
    assert repr(history).endswith(" s; all steps done)")
    assert repr(History()) == "History(0 steps; all steps done)"
    step = Step(7, 0.123456, 0.5, 1.0, 0.1, 0.01, 8, 0.2, 0.25)
    assert str(step) == "loss 0.1235, accuracy 50.0%, validation loss 0.2"


def test_elapsed_adds_up():
    history = gradient_descent(Slope(), mse, DOUBLES, lr=0.1, steps=3)
    assert history.elapsed()[-1] == pytest.approx(math.fsum(history.seconds))


# --- a loss that rises -------------------------------------------------------------------------


def test_a_history_says_that_the_loss_rose():
    line = Slope(1.0)
    risen = gradient_descent(line, mse, DOUBLES, lr=1.0, steps=4)
    assert risen.start_and_end() == (risen.loss[0], risen.loss[-1])
    assert f"the loss rose, {risen.loss[0]:.4g} -> {risen.loss[-1]:.4g}: try a smaller" in str(
        risen
    )
    assert "rose" not in str(gradient_descent(Slope(1.0), mse, DOUBLES, lr=0.01, steps=4))
    assert "rose" not in str(History())


def test_a_history_gives_one_step_at_a_time():
    history = gradient_descent(Slope(), mse, DOUBLES, lr=0.1, steps=3)
    assert history[1].step == 1
    with pytest.raises(TypeError, match=r"by its number, history\[-1\]: history\.loss is a list$"):
        history["loss"]
    with pytest.raises(TypeError, match=r"a History gives a step by its number, history\[-1\]$"):
        history["lost"]
    with pytest.raises(TypeError, match=r"slice a list: history\.loss\[:2\]"):
        history[0:2]
