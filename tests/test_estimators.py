import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

import numpy as np
from sklearn.base import clone
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


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("kind", [NetClassifier, NetRegressor])
def test_all_checks_of_scikit_learn_pass(kind):
    checks = check_estimator(kind(steps=400), on_skip=None)
    assert len(checks) > 40
    assert {check["status"] for check in checks} <= {"passed", "skipped"}


def test_classes_may_be_texts():
    net = NetClassifier(steps=300).fit(XS, NAMES)
    assert list(net.classes_) == ["setosa", "versicolor", "virginica"]
    assert net.score(XS, NAMES) > 0.9
    chances = net.predict_proba(XS)
    assert chances.sum(axis=1) == pytest.approx(np.ones(150))
    assert (net.classes_[chances.argmax(axis=1)] == net.predict(XS)).all()


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


def test_one_random_state_gives_one_net():
    nets = [NetClassifier(steps=50, random_state=seed).fit(XS, YS) for seed in (3, 3, 4)]
    first, same, other = (net.model_.state_dict() for net in nets)
    assert first == same != other
    drawn = np.random.RandomState(1)
    assert NetClassifier(steps=5, random_state=drawn).fit(XS, YS).n_iter_ == 5


def test_in_a_pipeline_and_a_search():
    steps = make_pipeline(PolynomialFeatures(2, include_bias=False), NetClassifier(steps=100))
    search = GridSearchCV(steps, {"netclassifier__hidden": [(2,), (8,)]}, cv=3).fit(XS, YS)
    assert search.best_params_["netclassifier__hidden"] in [(2,), (8,)]
    assert search.score(XS, YS) > 0.8


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


def test_the_extra_that_is_missing_is_named():
    program = "import sys; sys.modules['sklearn'] = None; import nn.estimators"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    last = done.stderr.splitlines()[-1]
    assert 'ImportError: nn.estimators needs scikit-learn 1.6 or later: pip install "bri' in last
