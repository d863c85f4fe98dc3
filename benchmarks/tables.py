"""How good a net is that is trained without any settings, on the same folds as scikit-learn's."""

import csv
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from benchmarks.turns import Measured, Step

FOLDS, TIMES = 5, 2
LINE = 2.0  # percent: so much worse than the better of a line and a constant is as good as it
MLP = 10.0  # percent: so much worse than scikit-learn's net
BESIDE = "worse than MLP(16, 16), %"
MOST_TEXTS = 32
GAPS = ("?", "NA", "N/A", "nan", "null", "None", "-", ".")


class Table(NamedTuple):
    """Rows to learn from: columns (a pandas frame), their target, and whether it is classes."""

    columns: Any
    target: Any
    is_classes: bool


def shipped(name: str) -> Table:
    """A table that scikit-learn ships."""
    from sklearn import datasets

    columns, target = getattr(datasets, f"load_{name}")(return_X_y=True, as_frame=True)
    return Table(columns, target, name != "diabetes")


def line(rows: int = 400) -> Table:
    """Ten columns of which the target is a weighted sum, and noise of half its size."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(0)
    xs = draw.normal(size=(rows, 10))
    ys = xs @ draw.normal(size=10) + 1.5 * draw.normal(size=rows)
    return Table(pd.DataFrame(xs).rename(columns=str), pd.Series(ys), False)


def curves(rows: int = 500) -> Table:
    """Friedman's first problem: sines, squares and lines of five columns, five others of noise."""
    import pandas as pd
    from sklearn.datasets import make_friedman1

    xs, ys = make_friedman1(rows, noise=1.0, random_state=0)
    return Table(pd.DataFrame(xs).rename(columns=str), pd.Series(ys), False)


def crescents(rows: int = 300) -> Table:
    """Two moons that noise runs into each other."""
    import pandas as pd

    from nn.data import moons

    xs, ys = moons(rows, noise=0.25, seed=0)
    return Table(pd.DataFrame(xs).rename(columns=str), pd.Series(ys), True)


def of_file(path: Path, target: str, is_classes: bool) -> Table:
    """A CSV file; rows without a target, indices, and texts that differ in most rows, left out."""
    import pandas as pd

    read = partial(pd.read_csv, path, sep=None, engine="python", na_values=GAPS)
    frame = read()
    if target not in frame:
        frame = read(header=None)
        frame.columns = [f"column {k}" for k in range(1, frame.shape[1] + 1)]
    frame = frame.dropna(subset=[target])
    ys = frame.pop(target)
    useless = [
        name
        for name in frame
        if str(name).startswith("Unnamed")
        or (not pd.api.types.is_numeric_dtype(frame[name]) and frame[name].nunique() > len(ys) / 2)
    ]
    return Table(frame.drop(columns=useless), ys, is_classes)


# fmt: off
TABLES: Mapping[str, Callable[[], Table]] = {
    **{name: partial(shipped, name)
       for name in ("iris", "wine", "breast_cancer", "diabetes", "digits")},
    "a line, 400 rows": line,
    "a line, 40 rows": partial(line, 40),
    "curves": curves,
    "crescents": crescents,
}
# fmt: on


def in_folder(folder: Path) -> dict[str, Callable[[], Table]]:
    """The tables that the targets.csv of a folder names: lines of file, target, kind.

    Raises ValueError where there is no targets.csv, or one without these names.
    """
    listed = folder / "targets.csv"
    try:
        with listed.open(encoding="utf-8", newline="") as file:
            lines = [*csv.DictReader(file)]
        return {
            at["file"]: partial(of_file, folder / at["file"], at["target"], at["kind"] == "classes")
            for at in lines
        }
    except (OSError, KeyError) as error:
        raise ValueError(
            f"--tables expected a folder with a targets.csv of file, target, kind "
            f"('classes' or 'number'), got {folder}: {error}"
        ) from None


def learners(is_classes: bool, steps: int | None) -> dict[str, Any]:
    """brickgrad's net and its peers, all as they are unless told otherwise."""
    from sklearn import dummy, linear_model, neural_network
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    from nn.estimators import NetClassifier, NetRegressor

    if is_classes:
        return {
            "brickgrad": NetClassifier(steps=steps),
            "linear": linear_model.LogisticRegression(max_iter=1000),
            "constant": dummy.DummyClassifier(),
            "MLP": neural_network.MLPClassifier((16, 16), random_state=0),
        }
    net = neural_network.MLPRegressor(hidden_layer_sizes=(16, 16), random_state=0)
    return {
        "brickgrad": NetRegressor(steps=steps),
        "linear": linear_model.LinearRegression(),
        "constant": dummy.DummyRegressor(),
        "MLP": TransformedTargetRegressor(net, transformer=StandardScaler()),
    }


def prepared(columns: Any, learner: Any) -> Any:
    """A learner behind what all get: gaps filled by the median, scaling, a column for each text."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_column_selector(dtype_include=["number", "bool"])
    texts = make_column_selector(dtype_exclude=["number", "bool"])
    codes = OneHotEncoder(handle_unknown="ignore", max_categories=MOST_TEXTS, sparse_output=False)
    columns_ready = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (codes, texts),
    )
    return make_pipeline(columns_ready, learner)


def scores(table: Table, folds: int, times: int, steps: int | None) -> dict[str, list[float]]:
    """What each learner reaches on each fold: the share that is right, or the typical error."""
    from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

    kind = RepeatedStratifiedKFold if table.is_classes else RepeatedKFold
    parts = [*kind(n_splits=folds, n_repeats=times, random_state=0).split(*table[:2])]
    found: dict[str, list[float]] = {}
    for name, learner in learners(table.is_classes, steps).items():
        for here, there in parts:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of peers that stop before they have converged
                model = prepared(table.columns, learner)
                model.fit(table.columns.iloc[here], table.target.iloc[here])
                answers = model.predict(table.columns.iloc[there])
            right = table.target.iloc[there]
            figure = (
                (answers == right).mean()
                if table.is_classes
                else math.sqrt(((answers - right) ** 2).mean())
            )
            found.setdefault(name, []).append(float(figure))
    return found


def worse(ours: Sequence[float], theirs: Sequence[float], is_classes: bool) -> float:
    """How much worse ours are, in percent of theirs; at most 0 where that is a standard error.

    >>> worse([0.90, 0.90], [1.00, 1.00], True)
    10.0
    >>> worse([1.0, 9.0], [1.5, 8.0], False)  # two folds that disagree
    0.0
    """
    lost = [(b - a) if is_classes else (a - b) for a, b in zip(ours, theirs, strict=True)]
    mean, error = fmean(lost), stdev(lost) / math.sqrt(len(lost))
    percent = 100 * mean / (fmean(theirs) or 1.0)
    return round(percent if mean > error else min(percent, 0.0), 6) + 0.0


def fares(name: str, task: Any) -> Step:
    """A contest: percent worse than the better of a line and a constant, and than an MLP."""
    place = task.get("folder")
    make = in_folder(Path(place))[name] if place else TABLES[name]

    @cache  # a turn more finds the same
    def judged() -> Measured:
        table = make()
        found = scores(table, task["folds"], task["times"], task["steps"])
        means = {who: fmean(figures) for who, figures in found.items()}
        best = max if table.is_classes else min
        simple = best("linear", "constant", key=means.__getitem__)
        against = partial(worse, found["brickgrad"], is_classes=table.is_classes)
        unit = "right" if table.is_classes else "typical error"
        words = ", ".join(f"{who} {mean:.4g}" for who, mean in means.items())
        also = {BESIDE: against(found["MLP"])}
        return Measured([], against(found[simple]), f"{unit}: {words}", also)

    return lambda number: judged()


def task(folder: str = "", folds: int = FOLDS, times: int = TIMES, steps: int | None = None) -> Any:
    """What each contest is given; no `folder`: the tables that are shipped or made."""
    return {"folder": folder, "folds": folds, "times": times, "steps": steps}
