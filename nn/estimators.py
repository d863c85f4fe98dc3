"""Nets the way scikit-learn has models: `fit`, `predict`, `score`, in pipelines and searches.

Needs the extra `data`. What is scaled, tried and trained is the same as by `brickgrad train`, but
nothing is kept aside: that is for scikit-learn's `train_test_split` and `cross_val_score`.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

from engine.functions import softmax
from engine.modes import no_grad
from engine.names import no_such
from engine.replay.witness import outside
from nn.by_recipe import train_by
from nn.choosing import TrialInterrupted, chosen
from nn.columns import Column, Reading
from nn.data import Dataset
from nn.extremes import extremes
from nn.history import TrainingInterrupted
from nn.learned import filled, learned, read_as
from nn.module import MLP
from nn.recipe import USUAL, Recipe, places, recipe_for
from nn.rows import EachRow
from nn.task import prepared

try:
    import numpy as np
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data
except ImportError as error:
    raise ImportError(
        f'nn.estimators needs scikit-learn 1.6 or later: pip install "brickgrad[data]" ({error})'
    ) from None

MISSING = ("error", "fill")
SEEDS = 2**32  # so many of them, as scikit-learn has it
SETTINGS = """

    Parameters
    ----------
    hidden : int or sequence of int, default=(16, 16)
        Sizes of the hidden layers; 16 is the same as (16,).
    optimizer : {"adam", "adamw", "sgd"}, default="adam"
        "sgd" takes single points at a constant rate, to see how descent works.
    lr : float, default=None
        Learning rate. This and what follows: None is what `nn.recipe` has for so many rows.
    schedule : {"constant", "linear", "cosine"}, default=None
        How the rate falls.
    batch : int, default=None
        Points in a step; 0 for all.
    steps : int, default=None
        Steps at most.
    hold_out : float, default=None
        Share of the rows that says when to stop, from 0 (none) to below 1.
    start : {"straight", "bent", "usual"}, default=None
        The weights to begin with; None tries two and takes the better one (see `nn.recipe`).
    missing : {"error", "fill"}, default="error"
        What becomes of nan in `X`. "fill" takes the median of the column, and gives each column
        with gaps a second input that says where they were.
    backend : {"numpy", "wasm", "c", "python", "auto"}, default="numpy"
        What runs the steps. With a name the same `random_state` gives the same bits.
    random_state : int, RandomState instance or None, default=0
        Start of the random numbers.

    Attributes
    ----------
    model_ : the net, a `nn.MLP`.
    task_ : the columns and how they are scaled. `nn.save(net.model_, "model.json",
        net.task_.meta())` writes what `brickgrad predict` reads.
    history_ : loss and more of each step.
    recipe_ : how it was trained; `str` of it says so in words.
    n_iter_ : steps taken.
"""


class _Net(BaseEstimator):  # type: ignore[misc]
    """What both kinds share: settings, training, outputs."""

    def __init__(  # noqa: PLR0913 (settings, by keyword)
        self,
        hidden: int | Sequence[int] = (16, 16),
        optimizer: str = USUAL,
        *,
        lr: float | None = None,
        schedule: str | None = None,
        batch: int | None = None,
        steps: int | None = None,
        hold_out: float | None = None,
        start: str | None = None,
        missing: str = "error",
        backend: str = "numpy",
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.batch = batch
        self.steps = steps
        self.hold_out = hold_out
        self.start = start
        self.missing = missing
        self.backend = backend
        self.random_state = random_state

    def __init_subclass__(cls, **named: Any) -> None:
        """Writes the settings into the docstring, where `help` looks for them."""
        super().__init_subclass__(**named)
        about, example, code = (cls.__doc__ or "").partition("\n\n    >>>")
        cls.__doc__ = f"{about}{SETTINGS}{example}{code}"

    def __sklearn_tags__(self) -> Any:
        """Tells scikit-learn that gaps are allowed where they are filled."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "fill"
        return tags

    def _numbers(self, xs: Any, *ys: Any, **settings: Any) -> Any:
        """Data as arrays of numbers, as scikit-learn checks them; texts are told of."""
        finite = "allow-nan" if self.missing == "fill" else True
        try:
            return validate_data(self, xs, *ys, dtype=float, ensure_all_finite=finite, **settings)
        except ValueError as error:
            if "Input X contains NaN" in str(error):
                raise ValueError(
                    f"Input X contains NaN: {type(self).__name__}(missing='fill') puts the median "
                    "of the column there, with a second input that says where; or fill it before"
                ) from error
            dtypes: Any = getattr(xs, "dtypes", None)
            kinds = dtypes.items() if hasattr(dtypes, "items") else ()
            texts = [str(name) for name, kind in kinds if _is_text(kind)]
            if "could not convert" not in str(error) or (dtypes is not None and not texts):
                raise
            where = f" in {', '.join(map(repr, texts[:4]))}" if texts else ""
            raise ValueError(
                f"{type(self).__name__} expected numbers, got texts{where}: make columns of 0 and "
                "1 of them, make_pipeline(make_column_transformer((OneHotEncoder("
                f"handle_unknown='ignore'), {texts or ['the column']}), remainder='passthrough'), "
                f"{type(self).__name__}()); or let `nn.load_csv` read the file"
            ) from error

    def _recipe(self, rows: int) -> Recipe:
        """The recipe for so many rows; ValueError for a setting that is none."""
        wishes = {
            "lr": _wish("lr", self.lr, "a number above 0", lambda x: 0 < x < math.inf, float),
            "schedule": self.schedule,
            "batch": _wish("batch", self.batch, "1 or more, 0 for all", lambda n: n >= 0),
            "steps": _wish("steps", self.steps, "a whole number of at least 1", lambda n: n >= 1),
            "hold_out": _wish(
                "hold_out", self.hold_out, "a share from 0 to below 1", lambda x: 0 <= x < 1, float
            ),
            "start": self.start,
        }
        if self.missing not in MISSING:
            raise ValueError(no_such("way for missing numbers", self.missing, MISSING))
        return recipe_for(rows, self.optimizer, **wishes)

    def _sizes(self) -> list[int]:
        """The sizes of the hidden layers; ValueError for others."""
        hidden: Any = self.hidden
        try:
            found: list[Any] = [hidden] if isinstance(hidden, Integral) else list(hidden)
        except TypeError:
            found = [None]
        if not all(_is_whole(n) and n >= 1 for n in found):
            raise ValueError(
                "hidden expected a size of at least 1 such as 16, or some such as (16, 16), "
                f"got {hidden!r:.60}"
            )
        return list(map(int, found))

    def _seed(self) -> int:
        """The start of the random numbers; ValueError for what is none."""
        state = self.random_state
        if _is_whole(state):
            seed = int(state)
            if not 0 <= seed < SEEDS:
                raise ValueError(
                    f"random_state expected a whole number from 0 to {SEEDS - 1}, got {seed}"
                )
            return seed
        return int(check_random_state(state).randint(2**31 - 1))

    def _train(self, xs: Any, ys: list[Any], classes: Sequence[str]) -> None:
        """Learns `ys` from the rows `xs`."""
        recipe, hidden, seed = self._recipe(len(xs)), self._sizes(), self._seed()
        names = getattr(self, "feature_names_in_", None)
        features = [f"x{k}" for k in range(xs.shape[1])] if names is None else map(str, names)
        rows = Dataset(xs.tolist(), ys, tuple(features), tuple(classes), "y")
        learning, _ = places(recipe, rows, seed)
        rows = _filled(rows, learning) if self.missing == "fill" else rows
        self.task_, scaled = prepared(rows, learning)
        for line in extremes(rows, scaled):
            warnings.warn(line, stacklevel=outside())
        sizes = [*hidden, self.task_.outputs]
        self.model_ = MLP(len(rows.features), sizes, "tanh", init="xavier", seed=seed)
        training = self.model_, self.task_.loss, scaled, seed
        settings: dict[str, Any] = {"backend": self.backend, "progress": False}
        try:
            self.recipe_ = chosen(recipe, *training, **settings)
            self.history_ = train_by(self.recipe_, *training, **settings)
        except TrialInterrupted as stopped:
            warnings.warn(str(stopped), TrainingInterrupted, stacklevel=outside())
            self.recipe_, self.history_ = stopped.recipe, stopped.history
        self.n_iter_ = len(self.history_)

    def _outputs(self, xs: Any) -> Any:
        """An array of what the net gives for each row."""
        check_is_fitted(self)
        rows = Dataset(self._numbers(xs, reset=False).tolist(), [])
        if self.task_.reading:
            names = tuple(column.name for column in self.task_.reading.columns)
            rows = replace(rows, features=names, reading=_reading(names, self.task_.classes))
            rows = filled(read_as(rows, self.task_.reading))[0]
        with no_grad():
            return np.array(EachRow(self.model_)(self.task_.inputs(rows.xs)), dtype=float)


def _is_whole(x: Any) -> bool:
    return isinstance(x, Integral) and not isinstance(x, bool)


def _wish(
    name: str, wish: Any, expected: str, holds: Callable[[Any], bool], kind: type = int
) -> Any:
    """A setting as a number of its kind, or None; ValueError where it is neither."""
    if wish is None:
        return None
    is_number = _is_whole(wish) or (kind is float and isinstance(wish, Real))
    if isinstance(wish, bool) or not is_number or not holds(wish):
        raise ValueError(f"{name} expected {expected}, or None, got {wish!r:.60}")
    return kind(wish)


def _is_text(kind: Any) -> bool:
    return getattr(kind, "kind", "O") not in "biufc"


def _reading(names: Sequence[str], classes: Sequence[str]) -> Reading:
    """How columns of numbers are read whose gaps are to be filled."""
    target = Column("y", "text" if classes else "number", texts=tuple(classes))
    return Reading(tuple(map(Column, names)), target, "fill")


def _filled(rows: Dataset, places: Sequence[int]) -> Dataset:
    """Rows whose gaps hold the medians of those learned from; inputs say where gaps were."""
    rows = replace(rows, reading=_reading(rows.features, rows.classes))
    return filled(read_as(rows, learned(rows.pick(places)).reading))[0]


class NetClassifier(ClassifierMixin, _Net):  # type: ignore[misc]
    """A net that tells classes apart, as scikit-learn has them.

    `classes_` are those that `fit` met, in the order of the chances of `predict_proba`.

    >>> from nn.data import iris
    >>> xs, ys = iris()
    >>> net = NetClassifier(hidden=(8,), steps=200).fit(xs, ys)
    >>> net.score(xs, ys) > 0.9
    True
    >>> net.predict_proba(xs[:2]).shape
    (2, 3)
    """

    def fit(self, X: Any, y: Any) -> "NetClassifier":  # noqa: N803 (scikit-learn's name)
        """Learns the classes `y` of the rows `X` (rows, columns); returns itself.

        Raises ValueError for numbers that are not finite, and for fewer than 2 classes.
        """
        xs, labels = self._numbers(X, y)
        check_classification_targets(labels)
        self.classes_, places = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"NetClassifier expected 2 classes or more, got 1 class, {str(self.classes_[0])!r}"
                ": there is nothing to tell apart"
            )
        self._train(xs, places.tolist(), [str(label) for label in self.classes_])
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803 (scikit-learn's name)
        """The class of each row: that of the largest output."""
        places = self._outputs(X).argmax(axis=1)
        return self.classes_[places]

    def predict_proba(self, X: Any) -> Any:  # noqa: N803 (scikit-learn's name)
        """The chance that the net gives to each of `classes_`, (rows, classes)."""
        return np.array([softmax(row) for row in self._outputs(X).tolist()], dtype=float)


class NetRegressor(RegressorMixin, _Net):  # type: ignore[misc]
    """A net that tells a number, as scikit-learn has them.

    The target is scaled while it is learned, and answers are in its own unit. `score` is R2.

    >>> xs = [[k / 10] for k in range(30)]
    >>> ys = [100 + 7 * x for (x,) in xs]
    >>> NetRegressor(steps=300).fit(xs, ys).score(xs, ys) > 0.98
    True
    """

    def fit(self, X: Any, y: Any) -> "NetRegressor":  # noqa: N803 (scikit-learn's name)
        """Learns the numbers `y` of the rows `X` (rows, columns); returns itself.

        Raises ValueError for numbers that are not finite.
        """
        xs, ys = self._numbers(X, y, y_numeric=True)
        try:
            amounts = ys.astype(float)
        except ValueError:
            raise ValueError(
                f"NetRegressor expected numbers to learn, got texts such as {str(ys[0])!r:.60}: "
                "NetClassifier learns classes"
            ) from None
        self._train(xs, amounts.tolist(), ())
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803 (scikit-learn's name)
        """The number that the net gives for each row."""
        outputs = self._outputs(X)
        return self.task_.answers.means[0] + self.task_.answers.scales[0] * outputs
