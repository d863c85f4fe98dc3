"""A race of two ways down: all points before each step, or one at random."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nn.data import Data
from nn.history import History, Step
from nn.judging import Loss, Model
from nn.train import evaluate, gradient_descent, stochastic_gradient_descent

WAYS = {"all points": gradient_descent, "stochastic": stochastic_gradient_descent}


class Race(NamedTuple):
    """The trained models, their histories, and the points that each looked at until the goal."""

    models: dict[str, Model]
    histories: dict[str, History]
    needed: dict[str, int]  # without those that never got there


def race(
    model_of: Callable[[], Model],
    loss: Loss,
    data: Data,
    *,
    goal: float,
    gd: Mapping[str, Any],
    sgd: Mapping[str, Any],
) -> Race:
    """Gradient descent and stochastic gradient descent from the same start on the same points.

    `model_of` gives the model at its start; `gd` and `sgd` are the settings of the two ways, as
    `fit` takes them. What a way needed is counted in points looked at, since a step of one costs
    as much as many of the other: each time that as many were looked at as there are, the loss of
    all of them is taken, and the first that is below `goal` counts.

    >>> from nn.loss import mse
    >>> from nn.module import Neuron
    >>> line = [[-1.0], [0.0], [1.0]], [-1.0, 1.0, 3.0]
    >>> ran = race(lambda: Neuron(1, nonlin=False, seed=0), mse, line, goal=0.01,
    ...            gd={"lr": 0.2, "steps": 50}, sgd={"lr": 0.2, "steps": 150})
    >>> ran.needed
    {'all points': 24, 'stochastic': 6}
    """
    ran, (xs, _) = Race({}, {}, {}), data
    for (name, way), settings in zip(WAYS.items(), (gd, sgd), strict=True):
        model = ran.models[name] = model_of()

        def look(step: Step, name: str = name, model: Model = model) -> None:
            is_due = step.points_seen % len(xs) == 0 and name not in ran.needed
            if is_due and evaluate(model, loss, data)[0] < goal:
                ran.needed[name] = step.points_seen

        ran.histories[name] = way(model, loss, data, callbacks=[look], **settings)
    return ran
