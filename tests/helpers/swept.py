"""Functions that a sweep calls in other processes, which note what they run in a folder."""

import os
import signal
import time
from pathlib import Path

from nn.data import xor
from nn.loss import mse
from nn.module import MLP
from nn.train import fit


def trained(lr, seed):
    """A small training, in Python alone: the same bits everywhere."""
    net = MLP(2, [2, 1], "tanh", seed=seed)
    history = fit(net, mse, xor(), lr=lr, steps=3, seed=seed, backend="eager")
    return {"loss": history.loss[-1], "steps": len(history), "kind": f"net {seed}"}


def reckoned(lr, seed):
    """No training at all, for sweeps whose end matters."""
    return {"loss": (lr - 0.1) ** 2 + seed / 3}


def note(folder, name, words):
    """Adds a line, whole: one call of the system."""
    file = os.open(Path(folder, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(file, f"{words}\n".encode())
    os.close(file)


def noted(folder, lr, seed, seconds=0.0):
    note(folder, "begun", f"{lr} {seed}")
    time.sleep(seconds)
    note(folder, "ended", f"{lr} {seed}")
    return reckoned(lr, seed)


def lines(folder, name):
    path = Path(folder, name)
    return path.read_text().splitlines() if path.exists() else []


def killed_once(folder, lr, seed):
    """The first time that it is called, its process ends as if the system had killed it."""
    if seed == 1 and not lines(folder, "killed"):
        note(folder, "killed", os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)
    return noted(folder, lr, seed)


def killed_always(folder, lr, seed):
    if seed == 1:
        note(folder, "killed", os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)
    return noted(folder, lr, seed, seconds=0.02)


def ends_at_0(lr, seed):
    if seed == 0:
        os._exit(1)
    time.sleep(0.2)
    return reckoned(lr, seed)


def failing(lr, seed):
    if seed == 1:
        raise ValueError(f"no luck\nwith {seed}, and a comma")
    return reckoned(lr, seed)


def leaving(lr, seed):
    raise SystemExit("gone")


def odd(lr, seed):
    """Results of other kinds, one of them in some rows only."""
    more = {"only": -0.0} if seed else {}
    kinds = {"nan": float("nan"), "flag": True, "none": None, "digits": "007", "text": 'a, "b"\n'}
    return {"loss": 0.1 + 0.2, "tiny": 5e-324, "count": 10**20, **kinds, **more}


def nothing(lr, seed):
    return None


def clashing(lr, seed):
    return {"lr": 1.0}
