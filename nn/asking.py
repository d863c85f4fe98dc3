"""Asks an executor to do tasks, in whatever process it does them, and says what went wrong."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from nn.checks import size
from nn.history import History
from nn.processes import awaited, call_of, call_off, line_of, sent
from nn.shard import Answer, Task, compute

# What an error of an executor means, by the name of its class or of one above: those of joblib and
# of Dask are not imported here.
CAUSES = {
    "BrokenExecutor": "a worker was lost, or cannot import brickgrad: make a new executor",
    "KilledWorker": "its workers were lost one after the other: have they memory enough?",
    "CancelledError": "the executor gave it up: is it closed? Make a new one",
    "ImportError": "a worker has no brickgrad, or another version: install the same in all",
    "AttributeError": "a worker has another version of brickgrad: install the same in all",
}


class ShardError(RuntimeError):
    """A step that workers could not finish, and that was not taken; `history` has those before."""

    history: History


class Executor(Protocol):
    """Who runs functions elsewhere, as those of `concurrent.futures`, joblib and Dask do."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Any:
        """A future of `fn(*args)`, with `result(timeout)`, `done()` and `cancel()`."""


class Shards(NamedTuple):
    """Into how many parts a batch is cut, and who computes them; None: this process."""

    number: int
    executor: Executor | None


def shards_of(shards: int | None, executor: Any) -> Shards | None:
    """What `fit` was given; None for neither; ValueError and TypeError for what cannot be.

    >>> shards_of(4, None).number
    4
    """
    is_class = isinstance(executor, type)
    if is_class or not (executor is None or callable(getattr(executor, "submit", None))):
        raise TypeError(
            "executor expected one with submit(), such as concurrent.futures.ProcessPoolExecutor, "
            f"got {executor!r:.60}"
        )
    if shards is None:
        if executor is not None:
            raise ValueError(
                "executor expected shards too, a number that you fix, such as shards=8: sums are "
                "added in the order of the shards, so that their number counts and that of the "
                "workers does not"
            )
        return None
    return Shards(size("shards", shards), executor)


def answers_of(executor: Executor | None, tasks: Sequence[Task]) -> list[Answer]:
    """What comes of tasks, in their order; ShardError where a worker or the executor fails.

    What is still to be done then is called off.
    """
    if executor is None:
        return [compute(*task) for task in tasks]
    futures: list[Any] = []
    try:
        for task in tasks:
            futures.append(sent(executor, *call_of(compute, *task)))  # noqa: PERF401 (some may be there)
        return [awaited(future, executor) for future in futures]
    except Exception as error:
        raise ShardError(_cause(error, len(futures) < len(tasks))) from error
    finally:
        call_off(executor, futures)


def _cause(error: Exception, is_refused: bool) -> str:
    """What an error of an executor means, and what to do; `is_refused`: it took no task."""
    names = [kind.__name__ for kind in type(error).__mro__]
    words = next((CAUSES[name] for name in names if name in CAUSES), "")
    if is_refused and "BrokenExecutor" not in names:
        words = "the executor takes no task: is it closed? Make a new one"
    return f"{words or 'the executor failed'} ({line_of(error)})"
