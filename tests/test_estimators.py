import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_circles
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.estimator_checks import check_estimator

from nn.cli import main
from nn.data import iris
from nn.estimators import NetClassifier, NetRegressor
from nn.save import save

ROOT = Path(__file__).parents[1]
XS, YS = (np.array(part) for part in iris())
NAMES = np.array(iris().classes)[YS]


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("kind", [NetClassifier, NetRegressor])
def test_all_checks_of_scikit_learn_pass(kind, amount):
    steps = amount(100, 400, 400)
    checks = check_estimator(kind(steps=steps, start="straight"), on_skip=None)
    assert len(checks) > 40
    assert {check["status"] for check in checks} <= {"passed", "skipped"}


@pytest.mark.whole
def test_classes_may_be_texts():
    net = NetClassifier(steps=300).fit(XS, NAMES)
    assert list(net.classes_) == ["setosa", "versicolor", "virginica"]
    assert net.score(XS, NAMES) > 0.9
    chances = net.predict_proba(XS)
    assert chances.sum(axis=1) == pytest.approx(np.ones(150))
    assert (net.classes_[chances.argmax(axis=1)] == net.predict(XS)).all()


@pytest.mark.whole
def test_numbers_are_answered_in_their_own_unit():
    ys = 1e6 + 3e3 * XS[:, 0]
    net = NetRegressor(steps=600).fit(XS, ys)
    assert np.abs(net.predict(XS) - ys).max() < 1e3
    assert net.score(XS, ys) > 0.95


def test_settings_come_and_go_as_they_are():
    net = NetClassifier((5,), "sgd", lr=0.1, steps=7)
    given = {"hidden": (5,), "optimizer": "sgd", "lr": 0.1, "steps": 7}
    assert given.items() <= net.get_params().items()
    assert clone(net).get_params() == net.get_params()
    assert net.fit(XS, YS).n_iter_ == 7
    assert [len(layer.neurons) for layer in net.model_.layers] == [5, 3]


@pytest.mark.whole
def test_one_random_state_gives_one_net():
    nets = [NetClassifier(steps=50, random_state=seed).fit(XS, YS) for seed in (3, 3, 4)]
    first, same, other = (net.model_.state_dict() for net in nets)
    assert first == same != other
    whole = NetClassifier(steps=50, random_state=np.int64(3)).fit(XS, YS)
    assert whole.model_.state_dict() == first
    drawn = [
        NetClassifier(steps=5, random_state=np.random.RandomState(k)).fit(XS, YS) for k in (1, 1, 2)
    ]
    first, same, other = (net.model_.state_dict() for net in drawn)
    assert first == same != other


@pytest.mark.whole  # docs/your_own_data.md has a cross validation
def test_in_a_pipeline_and_a_search():
    """A rate of next to nothing learns nothing: the search finds the other."""
    steps = make_pipeline(PolynomialFeatures(2, include_bias=False), NetClassifier(steps=90))
    search = GridSearchCV(steps, {"netclassifier__lr": [1e-9, 0.02]}, cv=3).fit(XS, YS)
    assert search.best_params_ == {"netclassifier__lr": 0.02}
    assert search.score(XS, YS) > 0.9


def product_of(rows, seed):
    xs = np.random.default_rng(seed).normal(size=(rows, 2))
    return xs, xs[:, 0] * xs[:, 1]


@pytest.mark.whole
@pytest.mark.parametrize("rows", [150, 600])
def test_the_default_learns_what_no_line_can_see(rows):
    """Two circles, the corners of a square, a product: a line is as good as a coin or the mean."""
    for made in (partial(make_circles, factor=0.5, noise=0.1), corners_of):
        xs, ys = made(rows, random_state=0)
        assert NetClassifier().fit(xs, ys).score(*made(500, random_state=1)) > 0.95
    xs, ys = product_of(rows, 0)
    assert NetRegressor().fit(xs, ys).score(*product_of(500, 1)) > 0.8


def corners_of(rows, random_state):
    draw = np.random.default_rng(random_state)
    bits = draw.integers(0, 2, (rows, 2))
    return bits + 0.15 * draw.normal(size=(rows, 2)), bits[:, 0] ^ bits[:, 1]


def test_a_single_size_is_a_single_layer():
    net = NetClassifier(hidden=5, steps=5).fit(XS, YS)
    assert [len(layer.neurons) for layer in net.model_.layers] == [5, 3]
    assert NetClassifier(hidden=np.array([4, 2]), steps=5).fit(XS, YS).n_iter_ == 5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optimizer": "Adam"}, "no optimizer 'Adam', did you mean 'adam'"),
        ({"optimizer": None}, "no optimizer None"),
        ({"schedule": "foo"}, "no schedule 'foo'"),
        ({"start": "foo"}, "no start 'foo'"),
        ({"missing": "drop"}, "no way for missing numbers 'drop'"),
        ({"hold_out": "a"}, "hold_out expected a share from 0 to below 1, or None, got 'a'"),
        ({"hold_out": 1.5}, "hold_out expected a share"),
        ({"lr": -1}, "lr expected a number above 0"),
        ({"lr": True}, "lr expected a number above 0"),
        ({"steps": 0}, "steps expected a whole number of at least 1"),
        ({"steps": 2.5}, "steps expected a whole number"),
        ({"batch": -1}, "batch expected 1 or more, 0 for all, or None, got -1"),
        ({"hidden": (4, 0)}, r"hidden expected a size .* got \(4, 0\)"),
        ({"hidden": None}, "hidden expected a size"),
        ({"hidden": "16"}, "hidden expected a size"),
        ({"random_state": -1}, "random_state expected a whole number from 0"),
        ({"random_state": 2**32}, "random_state expected a whole number from 0"),
    ],
)
def test_settings_that_are_none_are_named(settings, words):
    with pytest.raises(ValueError, match=words) as caught:
        NetClassifier(**settings).fit(XS, YS)
    assert "--" not in str(caught.value)


@pytest.mark.whole
def test_gaps_are_filled_where_that_is_asked_for(tmp_path, capsys):
    pandas = pytest.importorskip("pandas")
    xs = XS.copy()
    xs[::5, 2] = np.nan
    frame = pandas.DataFrame(xs, columns=list("abcd"))
    with pytest.raises(ValueError, match="NaN"):
        NetClassifier(steps=5).fit(frame, NAMES)
    net = NetClassifier(steps=300, missing="fill", start="straight").fit(frame, NAMES)
    assert net.score(frame, NAMES) > 0.9
    known = np.nanmedian(xs[:, 2])
    alike = frame.fillna({"c": known})
    here = ~np.isnan(xs[:, 2])
    assert (net.predict(frame)[here] == net.predict(alike)[here]).all()
    save(net.model_, tmp_path / "model.json", net.task_.meta())
    frame.assign(y=NAMES).to_csv(tmp_path / "data.csv", index=False)
    assert main(["predict", str(tmp_path / "model.json"), str(tmp_path / "data.csv")]) == 0
    answers = [line.split(",")[1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert answers == list(net.predict(frame))


def test_texts_are_told_of_with_what_to_do():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": [1.0, 2.0], "colour": ["red", "blue"]})
    with pytest.raises(ValueError, match=r"got texts in 'colour': .*OneHotEncoder.*\['colour'\]"):
        NetClassifier().fit(frame, [0, 1])
    with pytest.raises(ValueError, match=r"expected numbers, got texts: .*OneHotEncoder"):
        NetRegressor().fit([["red"], ["blue"]], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"numbers to learn, got texts such as 'setosa': NetCl"):
        NetRegressor().fit(XS, NAMES)


def test_a_number_that_hides_all_others_is_warned_of():
    xs = XS.copy()
    xs[7, 1] = 1e300
    with pytest.warns(UserWarning, match=r"'x1' \(1e\+300\) holds a number so far from the others"):
        NetClassifier(steps=5).fit(xs, YS)


@pytest.mark.parametrize("kind", [NetClassifier, NetRegressor])
def test_help_tells_of_the_settings(kind):
    for name in kind().get_params():
        assert f"\n    {name} : " in kind.__doc__
    assert "_Net" not in kind.__doc__


@pytest.mark.whole
def test_the_command_reads_a_net_that_was_fitted_here(tmp_path, capsys):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(XS, columns=list("abcd"))
    net = NetClassifier(steps=300).fit(frame, NAMES)
    save(net.model_, tmp_path / "model.json", net.task_.meta())
    frame.assign(y=NAMES).to_csv(tmp_path / "data.csv", index=False)
    assert main(["predict", str(tmp_path / "model.json"), str(tmp_path / "data.csv")]) == 0
    captured = capsys.readouterr()
    answers = [line.split(",")[1] for line in captured.out.splitlines()[1:]]
    assert answers == list(net.predict(frame))
    assert captured.err == f"accuracy on these 150 rows: {net.score(frame, NAMES):.1%}\n"


def test_what_cannot_be_learned_is_said():
    with pytest.raises(ValueError, match="2 classes or more, got 1 class, 'a'"):
        NetClassifier().fit([[1.0], [2.0]], ["a", "a"])
    with pytest.raises(ValueError, match="NaN"):
        NetRegressor().fit([[1.0], [np.nan]], [1.0, 2.0])
    with pytest.raises(NotFittedError):
        NetClassifier().predict([[1.0]])


@pytest.mark.whole
def test_the_extra_that_is_missing_is_named():
    program = "import sys; sys.modules['sklearn'] = None; import nn.estimators"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    last = done.stderr.splitlines()[-1]
    assert 'ImportError: nn.estimators needs scikit-learn 1.6 or later: pip install "bri' in last
