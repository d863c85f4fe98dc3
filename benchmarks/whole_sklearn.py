"""scikit-learn's whole trainings, and what it does with a table that pandas reads."""

import json
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.child import Halfway, Outcome, Training

warnings.simplefilter("ignore", ConvergenceWarning)  # so many passes are wanted


def digits(task: Any) -> Training:
    """Plain descent. It starts from weights of its own, and tells the mean loss of each pass."""
    from sklearn.datasets import load_digits

    found = load_digits()
    xs, ys = found.data / 16, found.target

    def train(halfway: Halfway) -> Outcome:
        model = MLPClassifier(
            (32,),
            task["activation"],
            solver="sgd",
            alpha=0.0,
            batch_size=task["batch"],
            learning_rate_init=task["lr"],
            momentum=0.0,
            max_iter=task["steps"] // task["pass"],
            n_iter_no_change=task["steps"],  # it would stop early
            random_state=task["seed"],
        )
        model.fit(xs, ys)
        return Outcome(model.loss_curve_[-1:])

    return train


def table(task: Any) -> Training:
    """Reads the file, scales it, predicts and scores with the net that `brickgrad train` left."""
    import pandas as pd
    from sklearn.preprocessing import StandardScaler

    net = _trained(Path(task["out"], "model.json"))

    def train(halfway: Halfway) -> Outcome:
        rows = pd.read_csv(task["path"])
        xs = StandardScaler().fit_transform(rows.drop(columns=task["target"]))
        net.predict(xs)
        return Outcome([], [net.score(xs, rows[task["target"]])])

    return train


def _trained(path: Path) -> MLPClassifier:
    """A net with the weights of a file; a step on a row for each class gives it its shape."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    sizes = [saved["model"]["nin"], *saved["model"]["nouts"]]
    classes = saved["meta"]["classes"]
    net = MLPClassifier(sizes[1:-1], saved["model"]["activation"], solver="sgd", max_iter=1)
    net.fit([[0.0] * sizes[0]] * len(classes), classes)
    weights = iter(saved["weights"].values())
    for layer, (ins, outs) in enumerate(pairwise(sizes)):
        for neuron in range(outs):
            net.coefs_[layer][:, neuron] = [next(weights) for _ in range(ins)]
            net.intercepts_[layer][neuron] = next(weights)
    return net
