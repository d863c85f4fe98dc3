"""One run of a function, seen."""

import random

import pytest

from engine.replay.arguments import copies, read
from engine.replay.compare import ReplayError
from engine.replay.runs import Runs
from engine.value import Value


def seen(function, *arguments):
    """What a run on Values tells, and how it is judged."""
    runs = Runs(function)
    given = read(arguments, {})
    before = runs.before(given)
    run, after = runs.witnessed(given, copies(given.numbers), [], before)
    return run, lambda: runs.judge(given, run, before, after)


def test_what_it_gave_has_a_form_and_numbers():
    w = Value(3.0)
    run, judge = seen(lambda x: {"loss": w * x, "kept": [x, 2.0], "name": "a"}, 5.0)
    assert run.forms == [{"loss": 0.0, "kept": [0.0, 0.0], "name": "a"}]
    assert [getattr(x, "data", x) for x in run.results] == [15.0, 5.0, 2.0]
    assert run.are_values == [True, True, False]
    assert not judge()


class Net:
    def __init__(self):
        self.w, self.hidden, self.calls = Value(3.0), None, 0

    def keeps(self, x):
        h = self.hidden = self.w * x
        return h + 1.0

    def notes(self, x):
        self.last = x * 2.0
        return self.w * x

    def starts(self, x):
        if self.hidden is None:
            self.hidden = x * 2.0
        return self.w * x + self.hidden

    def counts(self, x):
        self.calls += 1
        return self.w * x * self.calls


def test_what_nobody_reads_is_set_by_a_replay_too():
    run, judge = seen(Net().keeps, 2.0)
    assert [cell.name for cell in run.sets] == ["hidden"]
    assert run.state == []
    assert not judge()


@pytest.mark.parametrize(("x", "is_value"), [(2.0, False), (Value(2.0), True)])
def test_what_is_set_to_a_plain_number_is_none_but_where_a_value_is_passed(x, is_value):
    run, judge = seen(Net().notes, x)
    assert run.are_values == [True, is_value]
    assert not judge()
    net = Net()
    run, judge = seen(net.starts, x)
    assert [cell.name for cell, _ in run.state] == ["hidden"]
    assert judge()
    assert isinstance(net.hidden, Value) == is_value


def test_what_it_reads_and_sets_may_be_set_up_once():
    run, judge = seen(Net().counts, 2.0)
    assert [cell.name for cell, _ in run.state] == ["calls"]
    assert judge()  # the first time it may be a layer that is built
    with pytest.raises(ReplayError, match=r"changes .*calls.*each call needs a run of its own"):
        judge()


def test_what_no_replay_can_repeat_is_refused_with_its_name():
    run, judge = seen(lambda x: x * random.random(), 2.0)
    with pytest.raises(ReplayError, match=r"calls random.* a replay would not call it again"):
        judge()
    run, judge = seen(lambda x: print("now") or x * 2.0, 2.0)
    assert run.refused[0][0] == "print"
    with pytest.raises(ReplayError, match="calls print"):
        judge()


def test_a_number_that_is_taken_out_is_refused_with_its_line():
    with pytest.raises(ReplayError, match=r"looks at the .data of a Value at .*test_runs.py:\d+"):
        seen(lambda x: Value(x.data) * 2.0, 2.0)


def test_an_argument_that_is_changed_is_refused():
    with pytest.raises(ReplayError, match="changes a list, a dict or an array"):
        seen(lambda xs: xs.append(xs[0]) or xs[0] * 2.0, [1.0, 2.0])


def test_gradients_of_its_own_result_arrive_at_the_values_passed_in():
    x, runs = Value(2.0), Runs(lambda x: x * x)
    given = read((x,), {})
    inputs = copies(given.numbers)
    run, _ = runs.witnessed(given, inputs, [], runs.before(given))
    runs.own(given, inputs, run.result).backward()
    assert x.grad == 4.0


def test_integers_that_are_part_of_a_shape_tell_arguments_apart():
    runs = Runs(lambda x, n: x * (n[0] if isinstance(n, list) else n))
    for n in (3, [3]):
        given = read((2.0, n), {})
        run, _ = runs.witnessed(given, copies(given.numbers), [], runs.before(given))
        runs.note_pins(given, run.seen)
    for a, b in ((3, 4), ([3], [4])):
        digests = [runs.digest(read((x, n), {})) for n in (a, b) for x in (2.0, 5.0)]
        assert digests[0] == digests[1] != digests[2] == digests[3]
