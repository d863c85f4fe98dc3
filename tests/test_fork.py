import os

import pytest

from engine import fork


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_child_calls_what_was_registered():
    called = []
    assert fork.after_fork(lambda: called.append(1))() is None
    called.clear()
    child = os.fork()
    if child == 0:
        os._exit(len(called))
    _, status = os.waitpid(child, 0)
    assert (os.waitstatus_to_exitcode(status), called) == (1, [])


def test_systems_without_forks(monkeypatch):
    monkeypatch.delattr(os, "register_at_fork", raising=False)
    assert fork.after_fork(print) is print
