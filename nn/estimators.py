"""Nets the way scikit-learn has models: `fit`, `predict`, `score`, in pipelines and searches.

Needs the extra `data`. What is read, scaled and trained is the same as by `brickgrad train`.
"""

from collections.abc import Sequence
from typing import Any

from engine.functions import softmax
from engine.modes import no_grad
from nn.data import Dataset
from nn.module import MLP
from nn.recipe import USUAL, recipe_for, train_by
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


class _Net(BaseEstimator):  # type: ignore[misc]
    """What both kinds share: settings, training, outputs.

    `hidden` are the sizes of the hidden layers. A setting that is None is that of the recipe (see
    `nn.recipe`): `lr` and its `schedule`, points in a `batch` (0: all), `steps` at most, the share
    of the rows to `hold_out` for an early stop. With a `backend` that is named, the same
    `random_state` gives the same bits.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (16, 16),
        optimizer: str = USUAL,
        *,
        lr: float | None = None,
        schedule: str | None = None,
        batch: int | None = None,
        steps: int | None = None,
        hold_out: float | None = None,
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
        self.backend = backend
        self.random_state = random_state

    def _train(self, xs: Any, ys: list[Any], classes: Sequence[str]) -> None:
        """Learns `ys` from the rows `xs`."""
        names = getattr(self, "feature_names_in_", None)
        features = [f"x{k}" for k in range(xs.shape[1])] if names is None else map(str, names)
        rows = Dataset(xs.tolist(), ys, tuple(features), tuple(classes), "y")
        wishes = ("lr", "schedule", "batch", "steps", "hold_out")
        recipe = recipe_for(
            len(rows.xs), self.optimizer, **{name: getattr(self, name) for name in wishes}
        )
        seed = self.random_state
        if not isinstance(seed, int):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        self.task_, scaled = prepared(rows)
        sizes = [*self.hidden, self.task_.outputs]
        self.model_ = MLP(xs.shape[1], sizes, "tanh", init="xavier", seed=seed)
        self.history_ = train_by(
            recipe,
            self.model_,
            self.task_.loss,
            scaled,
            seed,
            backend=self.backend,
            progress=False,
        )
        self.n_iter_ = len(self.history_)

    def _outputs(self, xs: Any) -> Any:
        """An array of what the net gives for each row."""
        check_is_fitted(self)
        xs = validate_data(self, xs, reset=False, dtype=float)
        with no_grad():
            return np.array(EachRow(self.model_)(self.task_.inputs(xs.tolist())), dtype=float)


class NetClassifier(ClassifierMixin, _Net):  # type: ignore[misc]
    """A net that tells classes apart, as scikit-learn has them.

    After `fit` there are `classes_`, the net `model_`, its `history_`, and the `task_`, with which
    `nn.save(net.model_, "model.json", net.task_.meta())` writes what `brickgrad predict` reads.
    Settings as in `_Net`: `hidden`, `optimizer`, `lr`, `schedule`, `batch`, `steps`, `hold_out`,
    `backend`, `random_state`.

    >>> from nn.data import iris
    >>> xs, ys = iris()
    >>> net = NetClassifier(hidden=(8,), steps=500).fit(xs, ys)
    >>> net.score(xs, ys) > 0.9
    True
    >>> net.predict_proba(xs[:2]).shape
    (2, 3)
    """

    def fit(self, X: Any, y: Any) -> "NetClassifier":  # noqa: N803 - scikit-learn's name
        """Learns the classes `y` of the rows `X` (rows, columns); returns itself.

        Raises ValueError for numbers that are not finite, and for fewer than 2 classes.
        """
        xs, labels = validate_data(self, X, y, dtype=float)
        check_classification_targets(labels)
        self.classes_, places = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"NetClassifier expected 2 classes or more, got 1 class, {str(self.classes_[0])!r}"
                ": there is nothing to tell apart"
            )
        self._train(xs, places.tolist(), [str(label) for label in self.classes_])
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        """The class of each row: that of the largest output."""
        places = self._outputs(X).argmax(axis=1)
        return self.classes_[places]

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        """The chance that the net gives to each of `classes_`, (rows, classes)."""
        return np.array([softmax(row) for row in self._outputs(X).tolist()], dtype=float)


class NetRegressor(RegressorMixin, _Net):  # type: ignore[misc]
    """A net that tells a number, as scikit-learn has them.

    The target is scaled while it is learned, and answers are in its own unit. After `fit` there
    are `model_`, `history_` and `task_`; settings as in `NetClassifier`. `score` is R2.

    >>> xs = [[k / 10] for k in range(30)]
    >>> ys = [100 + 7 * x for (x,) in xs]
    >>> NetRegressor(steps=500).fit(xs, ys).score(xs, ys) > 0.98
    True
    """

    def fit(self, X: Any, y: Any) -> "NetRegressor":  # noqa: N803
        """Learns the numbers `y` of the rows `X` (rows, columns); returns itself.

        Raises ValueError for numbers that are not finite.
        """
        xs, ys = validate_data(self, X, y, dtype=float, y_numeric=True)
        self._train(xs, ys.astype(float).tolist(), ())
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        """The number that the net gives for each row."""
        outputs = self._outputs(X)
        return self.task_.answers.means[0] + self.task_.answers.scales[0] * outputs
