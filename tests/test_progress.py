import gc
import io
import signal
import sys
import time
from contextlib import redirect_stderr

import pytest

from nn.progress import WIDTH, Interrupt, collector_put_off, reporting, stages


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def _no_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)


def shown(wanted, total=5, until=5, stream=None):
    """What a loop of so many steps writes to stderr."""
    stream = stream or Terminal()
    with redirect_stderr(stream), reporting(wanted, total) as report:
        for done in range(1, until + 1):
            report(done, f"loss {1 / done:.2f}")
    return stream.getvalue()


def test_a_bar_with_tqdm():
    pytest.importorskip("tqdm")
    last = shown(True).rsplit("\r", 1)[-1]
    assert "100%" in last
    assert "5/5" in last
    assert "loss 0.20" in last


def test_a_bar_that_ends_early_shows_where():
    pytest.importorskip("tqdm")
    assert "3/5" in shown(True, until=3).rsplit("\r", 1)[-1]


@pytest.mark.usefixtures("_no_tqdm")
def test_a_plain_line_without_tqdm():
    text = shown(True)
    _, *lines = text.split("\r")
    assert lines[0].rstrip() == "1 of 5: loss 1.00"
    assert lines[-1].rstrip() == "5 of 5: loss 0.20"
    assert text.endswith("\n")
    assert {len(line.rstrip("\n")) for line in lines} == {WIDTH}


@pytest.mark.usefixtures("_no_tqdm")
def test_a_fast_loop_writes_few_lines():
    text = shown(True, total=5000, until=5000)
    assert 2 <= text.count("\r") < 50
    assert "5000 of 5000" in text


@pytest.mark.usefixtures("_no_tqdm")
def test_a_line_stays_on_its_line():
    stream = Terminal()
    with redirect_stderr(stream), reporting(True, 3) as report:
        report(1, "x" * 500)
    assert max(map(len, stream.getvalue().split("\r"))) <= WIDTH + 1


@pytest.mark.usefixtures("_no_tqdm")
def test_the_line_ends_after_an_error():
    def fail():
        with redirect_stderr(stream), reporting(True, 3) as report:
            report(1, "loss 1")
            report(2, "loss 2")
            raise KeyError

    stream = Terminal()
    with pytest.raises(KeyError):
        fail()
    assert "2 of 3: loss 2" in stream.getvalue()
    assert stream.getvalue().endswith("\n")


@pytest.mark.usefixtures("_no_tqdm")
def test_unless_told_a_terminal_decides():
    assert "5 of 5" in shown(None)
    assert shown(None, stream=io.StringIO()) == ""


def test_a_file_gets_whole_lines_of_a_long_loop_and_none_of_a_short_one(monkeypatch):
    assert shown(True, stream=io.StringIO()) == ""
    clock = iter(range(0, 100, 2))  # a report every 2 seconds
    monkeypatch.setattr("nn.progress.time.monotonic", lambda: next(clock))
    lines = shown(True, total=5000, until=8, stream=io.StringIO()).splitlines()
    assert lines == [f"{done} of 5,000: loss {1 / done:.2f}" for done in (3, 6, 8)]


def test_no_report_when_told_so():
    assert shown(False) == ""


def test_a_program_without_stderr_is_silent():
    with redirect_stderr(None), reporting(None, 3) as report:
        report(1, "loss 1")


def test_the_first_ctrl_c_is_noted_and_the_second_raises():
    with Interrupt() as interrupt:
        assert not interrupt.asked
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_program_stays_in_charge():
    asked = []
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
        assert asked == [signal.SIGINT]
        assert not interrupt.asked
    finally:
        signal.signal(signal.SIGINT, before)


def test_stages_are_told_once_work_takes_long(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stage = stages()
    told = []
    for k in range(100):
        clock[0] = k / 10
        stage(f"column {k}")
        told.append(capsys.readouterr().err)
    assert [k for k, line in enumerate(told) if line] == [10, 60]
    assert told[10] == "column 10 ...\n"
    stage("a long one", is_long=True)
    assert capsys.readouterr().err == "a long one ...\n"
    monkeypatch.setattr(sys, "stderr", None)
    stage("another", is_long=True)


class Ring:
    """A cycle that says when it is collected."""

    collected = 0

    def __init__(self):
        self.ring = self

    def __del__(self):
        Ring.collected += 1


@pytest.fixture
def _nothing_frozen(monkeypatch):
    """As in a program; here the tests themselves are."""
    gc.unfreeze()
    monkeypatch.setattr(gc, "get_freeze_count", lambda: 0)
    yield
    gc.freeze()


@pytest.mark.whole
@pytest.mark.usefixtures("_nothing_frozen")
def test_a_collector_that_is_put_off_finds_cycles_later(monkeypatch):
    monkeypatch.setattr(Ring, "collected", 0)
    gc.collect()
    with collector_put_off():
        Ring()
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.collect(0)
    assert not Ring.collected
    gc.collect()
    assert Ring.collected == 1
