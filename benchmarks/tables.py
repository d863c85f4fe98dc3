"""How good `brickgrad train` is without any settings, on the same folds as scikit-learn's models.

It reads the cells of a fold from a file, as the command does: kinds of columns, gaps and texts are
found there. Its peers get what a pipeline of scikit-learn makes of the same rows.
"""

import csv
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks.turns import Measured, Step

FOLDS, TIMES = 5, 2
LINE = 2.0  # percent: so much worse than the better of a line and a constant is as good as it
MLP = 10.0  # percent: so much worse than scikit-learn's net
BESIDE = "worse than MLP(16, 16), %"
MOST_TEXTS = 32
GAPS = ("?", "NA", "N/A", "nan", "null", "None", "-", ".")


class Table(NamedTuple):
    """Rows to learn from: columns (a pandas frame), their target, and whether it is classes.

    `cells` are columns and target as they stand in a file; None: as pandas writes them.
    """

    columns: Any
    target: Any
    is_classes: bool
    cells: Any = None


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


def _table(xs: Any, ys: Any, is_classes: bool) -> Table:
    """A table of arrays."""
    import pandas as pd

    return Table(pd.DataFrame(xs).rename(columns=str), pd.Series(ys), is_classes)


def rings(rows: int) -> Table:
    """A ring in a ring, with noise."""
    from sklearn.datasets import make_circles

    xs, ys = make_circles(rows, noise=0.1, factor=0.5, random_state=0)
    return _table(xs, ys, True)


def corners(rows: int) -> Table:
    """Exclusive or: opposite corners of a square are of one class, with noise."""
    import numpy as np

    draw = np.random.default_rng(0)
    bits = draw.integers(0, 2, (rows, 2))
    return _table(bits + 0.15 * draw.normal(size=(rows, 2)), bits[:, 0] ^ bits[:, 1], True)


def product(rows: int) -> Table:
    """The product of two columns, of which each alone says nothing; with a little noise."""
    import numpy as np

    draw = np.random.default_rng(0)
    xs = draw.normal(size=(rows, 2))
    return _table(xs, xs[:, 0] * xs[:, 1] + 0.1 * draw.normal(size=rows), False)


def mixed(rows: int = 600) -> Table:
    """A column, the product of two others, seven of noise; and noise of half a unit."""
    import numpy as np

    draw = np.random.default_rng(0)
    xs = draw.normal(size=(rows, 10))
    return _table(xs, xs[:, 0] + xs[:, 1] * xs[:, 2] + 0.5 * draw.normal(size=rows), False)


def flats(rows: int = 500) -> Table:
    """Prices of flats: lines of size and floor, a parabola of the year, a step for each district.

    As in the notebook on your own data; the noise is 20.
    """
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(0)
    extra = {"centre": 90, "river": 60, "station": 20, "hills": 0}
    size, floor = draw.uniform(25, 140, rows).round(), draw.integers(0, 7, rows)
    year, district = draw.integers(1890, 2025, rows), draw.choice([*extra], rows)
    price = 2.5 * size + 5 * floor + 60 * ((year - 1960) / 60) ** 2 + 20 * draw.normal(size=rows)
    price += [extra[name] for name in district]
    columns = pd.DataFrame({"size": size, "floor": floor, "year": year, "district": district})
    return Table(columns, pd.Series(price), False)


def of_file(path: Path, target: str, is_classes: bool) -> Table:
    """A CSV file; rows without a target, indices, and texts that differ in most rows, left out."""
    import pandas as pd

    read = partial(pd.read_csv, path, sep=None, engine="python", na_values=GAPS)
    frame = read()
    has_names = target in frame
    if not has_names:
        frame = read(header=None)
        frame.columns = [f"column {k}" for k in range(1, frame.shape[1] + 1)]
    as_they_are = {"dtype": str, "keep_default_na": False, "na_values": ()}
    cells = read(header=0 if has_names else None, **as_they_are)
    cells.columns = frame.columns
    frame = frame.dropna(subset=[target])
    cells = cells.loc[frame.index]
    ys = frame.pop(target)
    useless = [
        name
        for name in frame
        if str(name).startswith("Unnamed")
        or (not pd.api.types.is_numeric_dtype(frame[name]) and frame[name].nunique() > len(ys) / 2)
    ]
    return Table(frame.drop(columns=useless), ys, is_classes, cells)


# fmt: off
TABLES: Mapping[str, Callable[[], Table]] = {
    **{name: partial(shipped, name)
       for name in ("iris", "wine", "breast_cancer", "diabetes", "digits")},
    "a line, 400 rows": line,
    "a line, 40 rows": partial(line, 40),
    "curves": curves,
    "crescents": crescents,
    **{f"{name}, {rows} rows": partial(make, rows)
       for name, make in (("rings", rings), ("corners", corners), ("product", product))
       for rows in (150, 600)},
    "a column and a product": mixed,
    "flats": flats,
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


def learners(is_classes: bool) -> dict[str, Any]:
    """The peers of brickgrad's net, all as they are unless told otherwise."""
    from sklearn import dummy, linear_model, neural_network
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    if is_classes:
        return {
            "linear": linear_model.LogisticRegression(max_iter=1000),
            "constant": dummy.DummyClassifier(),
            "MLP": neural_network.MLPClassifier((16, 16), random_state=0),
        }
    net = neural_network.MLPRegressor(hidden_layer_sizes=(16, 16), random_state=0)
    return {
        "linear": linear_model.LinearRegression(),
        "constant": dummy.DummyRegressor(),
        "MLP": TransformedTargetRegressor(net, transformer=StandardScaler()),
    }


def by_command(table: Table, here: Sequence[int], there: Sequence[int], steps: int | None) -> float:
    """What `brickgrad train` reaches: it learns from the rows here, and is judged by those there.

    As the command does, but that nothing is kept aside of the rows here. A row that it cannot
    answer counts as wrong, or as the mean.
    """
    from nn.by_recipe import train_by
    from nn.found import Wishes
    from nn.plan import plan_for
    from nn.reading import read_rows
    from nn.recipe import recipe_for
    from nn.rows import EachRow
    from nn.verdict import answers_of

    cells, target = table.cells, table.target.name or "target"
    if cells is None:
        cells = table.columns.assign(**{target: table.target})
    with TemporaryDirectory() as folder:
        learned, judged = Path(folder, "learned.csv"), Path(folder, "judged.csv")
        cells.iloc[here].to_csv(learned, index=False)
        cells.iloc[there].to_csv(judged, index=False)
        wishes = Wishes(as_classes=table.is_classes, missing="fill")
        rows, _ = read_rows(learned, target, wishes)
        recipe_of = partial(recipe_for, steps=steps)
        plan = plan_for(rows, (16, 16), 0.0, 0, recipe_of)
        net, recipe, task = plan.net(), recipe_of(len(rows.xs)), plan.task
        train_by(recipe, net, task.loss, plan.training, 0, backend="numpy", progress=False)
        seen = task.ready(task.read(judged))
    answers = answers_of(task, EachRow(net)(seen.rows.xs)) if seen.places else []
    pairs = [(a, y) for a, y in zip(answers, seen.rows.ys, strict=True) if y is not None]
    if table.is_classes:
        return float(sum(a == y for a, y in pairs) / len(there))
    lost = math.fsum((a - y) ** 2 for a, y in pairs) + (len(there) - len(pairs))
    return math.sqrt(lost / len(there)) * task.answers.scales[0]


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
    found: dict[str, list[float]] = {"brickgrad": []}
    for here, there in parts:
        found["brickgrad"].append(by_command(table, here, there, steps))
    for name, learner in learners(table.is_classes).items():
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


def worse(
    ours: Sequence[float], theirs: Sequence[float], is_classes: bool, folds: int = FOLDS
) -> float:
    """How much worse ours are, in percent of their error; at most 0 where that may be chance.

    The error of classes is the share that is wrong: 96% right is twice as bad as 98%. Chance is a
    standard error of the difference. Folds share most of the rows that they learn from, so their
    differences are alike; the error is that of Nadeau and Bengio (2003), who add the share of a
    fold to that of the count.

    >>> worse([0.96, 0.96], [0.98, 0.98], True)
    100.0
    >>> worse([1.0, 9.0], [1.5, 8.0], False)  # two folds that disagree
    0.0
    """
    errors = [[1 - x for x in part] if is_classes else [*part] for part in (ours, theirs)]
    lost = [a - b for a, b in zip(*errors, strict=True)]
    error = stdev(lost) * math.sqrt(1 / len(lost) + 1 / (folds - 1))
    mean, whole = fmean(lost), fmean(errors[1])
    percent = 100 * mean / whole if whole else 100 * mean
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
        against = partial(
            worse, found["brickgrad"], is_classes=table.is_classes, folds=task["folds"]
        )
        unit = "right" if table.is_classes else "typical error"
        words = ", ".join(f"{who} {mean:.4g}" for who, mean in means.items())
        also = {BESIDE: against(found["MLP"])}
        return Measured([], against(found[simple]), f"{unit}: {words}", also)

    return lambda number: judged()


def task(folder: str = "", folds: int = FOLDS, times: int = TIMES, steps: int | None = None) -> Any:
    """What each contest is given; no `folder`: the tables that are shipped or made."""
    return {"folder": folder, "folds": folds, "times": times, "steps": steps}
