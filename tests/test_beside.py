"""Work in threads: one piece at a time, whatever comes of it, and no end that waits for it."""

import os
import subprocess
import sys
import threading
import time

import needs
import pytest

from engine.replay import beside
from engine.replay.beside import Work


def result(work):
    for _ in range(2000):
        if work.is_done:
            return work.error or work.result
        time.sleep(0.005)
    raise TimeoutError


@needs.threads
def test_work_runs_in_another_thread():
    assert result(Work(threading.current_thread)) is not threading.current_thread()


@needs.threads
@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("no"), KeyboardInterrupt("no")])
def test_an_error_is_kept_in_words(error):
    def fail():
        raise error

    work = Work(fail)
    assert (result(work), work.result) == ("no", None)


@needs.threads
def test_one_piece_at_a_time():
    running, most = [], []

    def work():
        running.append(1)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()

    for each in [Work(work) for _ in range(5)]:
        result(each)
    assert most == [1] * 5


@needs.threads
def test_without_threads_it_is_an_error(monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(beside._Thread, "start", start)
    work = Work(int)
    assert (work.is_done, work.error) == (True, "can't start new thread")
    work.wait(1.0)


@needs.threads
def test_waiting_ends_with_the_work_or_with_the_time():
    goes_on = threading.Event()
    work = Work(lambda: goes_on.wait(30) and 7)
    work.wait(0.01)
    assert not work.is_done
    goes_on.set()
    work.wait(30)
    assert (work.is_done, work.result) == (True, 7)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_in_the_child_of_a_fork_it_is_lost_and_other_work_can_be_done():
    goes_on = threading.Event()
    work = Work(lambda: goes_on.wait(30))
    child = os.fork()
    if child == 0:
        os._exit(0 if work.is_lost and not work.is_done and result(Work(lambda: 7)) == 7 else 1)
    _, status = os.waitpid(child, 0)
    goes_on.set()
    assert os.waitstatus_to_exitcode(status) == 0
    assert (result(work), work.is_lost) == (True, False)


@pytest.mark.whole
@pytest.mark.some(3)
@pytest.mark.parametrize(
    "work",
    ["time.sleep(1000)", "[0 for _ in iter(int, 1)]", "None"],
    ids=["sleeps", "computes", "is done"],
)
def test_the_end_of_the_program_is_quiet_and_does_not_wait(work):
    code = (
        "import time\nfrom engine.replay import beside\nbeside.PATIENCE = 0.2\n"
        f"kept = [beside.Work(lambda: {work}) for _ in range(3)]\n"
        "time.sleep(0.1)\nbeside._stops.clear()\nprint('end')"
    )
    ended = subprocess.run(  # the work takes for longer than this waits
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (ended.stdout, ended.stderr) == ("end\n", "")
