from importlib.util import find_spec

import pytest

from nn.data import iris, standardise
from nn.ground import ground
from nn.judging import judging
from nn.loss import cross_entropy, l2, mse
from nn.module import MLP
from nn.optim import Adam
from nn.train import fit


def made():
    rows = standardise(iris())[0]
    return MLP(4, [3, 3], "tanh", seed=0), rows.pick(range(0, 150, 2)), rows.pick(range(1, 150, 2))


def test_trainings_of_one_model_share_it():
    """What comes out is what data as it is gives, to the last bit."""
    net, learned, others = made()
    start = net.state_dict()
    settings = {"lr": 0.1, "steps": 30, "batch_size": 10, "backend": "python"}
    grounds = ground(net, cross_entropy, learned), ground(net, cross_entropy, others)
    found = []
    for data, validation in ((learned, others), grounds, grounds):
        net.load_state_dict(start)
        history = fit(net, cross_entropy, data, validation=validation, **settings)
        found.append((history.loss, history.validation_loss, history.accuracy, net.state_dict()))
    assert found[0] == found[1] == found[2]


@pytest.mark.skipif(not find_spec("numpy"), reason="needs NumPy")
def test_what_was_recorded_serves_the_next_training(tmp_path):
    net, learned, _ = made()
    ours, settings = ground(net, cross_entropy, learned), {"lr": 0.1, "steps": 30, "batch_size": 15}

    def trained(**others):
        fit(net, cross_entropy, ours, backend="numpy", **settings, **others)
        return ours.replays["numpy"].made if ours.replays else 0

    assert trained(checkpoint=tmp_path / "run.json") == 0
    assert trained(penalty=lambda net: 0.1 * l2(net.parameters())) == 0
    assert [trained(), trained(), trained(optimizer=Adam(net.parameters()))] == [1, 1, 1]


def test_the_first_rows_of_it():
    net, learned, _ = made()
    first, whole = ground(net, cross_entropy, learned).first(40), learned.pick(range(40))
    assert first.plain == (whole.xs, whole.ys)
    assert [rows.numbers for rows in first.table.columns] == [
        rows.numbers for rows in ground(net, cross_entropy, whole).table.columns
    ]
    judged = first.judge(first.table.xs, first.table.ys)
    assert judged == judging(net, cross_entropy)(whole.xs, whole.ys)


def test_what_is_a_ground_stays_it():
    net, learned, _ = made()
    found = ground(net, cross_entropy, learned)
    assert ground(net, cross_entropy, found) is found


def test_data_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match="validation has no rows"):
        ground(MLP(1, [1]), mse, ([], []), "validation")
    with pytest.raises(ValueError, match="example 0 does not fit"):
        ground(MLP(1, [1]), mse, ([[1.0, 2.0]], [1.0]))


def test_hits_are_the_rows_that_the_model_names_right_as_it_stands():
    net, learned, _ = made()
    data = ground(net, cross_entropy, learned)
    for looks in range(3):
        fit(net, cross_entropy, data, lr=0.1, steps=20)
        scores = [[score.data for score in net(x)] for x in learned.xs]
        wanted = [row.index(max(row)) == y for row, y in zip(scores, learned.ys, strict=True)]
        assert data.hits(looks) == wanted
    with pytest.raises(ValueError, match="hits expected targets that are classes, got amounts"):
        ground(MLP(1, [1]), mse, ([[1.0], [2.0]], [0.5, 0.7])).hits()
