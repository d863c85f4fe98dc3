"""Renews locks in the child of a fork, where the threads that held them are gone."""

import os
from collections.abc import Callable


def after_fork(renew: Callable[[], None]) -> Callable[[], None]:
    """Has a function called in the child of a fork, where there are forks (as a decorator)."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)
    return renew
