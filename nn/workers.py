"""Runs trainings on any executor: one whose worker died runs again, one that raises is an error."""

import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, NoReturn

from engine.pictures.texts import many
from nn.ledger import Cell
from nn.one_run import Outcome, Train, run
from nn.processes import LISTEN, awaited, call_of, call_off, is_broken, line_of, ours, sent

Maker = Callable[[], Executor]
AHEAD = 64  # runs that an executor has at once, where it does not say how many workers it has
NUMBERS = count()  # of calls, in this process


class SweepError(RuntimeError):
    """A sweep that cannot go on; `sweep` has the runs that were done."""

    sweep: Any = None


class Here(Executor):
    """Runs each call at once, in this process."""

    _max_workers = 0  # `Workers.room` is one more

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """A future that is done."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def processes(number: int) -> Executor:
    """So many processes of Python, begun anew (not forked) on every system."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    return ProcessPoolExecutor(number, get_context("spawn"), _set_up)


def _set_up() -> None:
    """Ctrl-C is the owner's; a process whose owner was killed ends, which would wait forever."""
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if (parent := parent_process()) is not None:

        def wait() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=wait, daemon=True).start()


class Workers:
    """An executor, and another of its kind where it breaks; `given` is one, or makes one.

    One that was made here is closed here: at the end of all runs, or, when they end early, by
    ending its processes.
    """

    def __init__(self, given: Executor | Maker, train: bytes | Train) -> None:
        self.given, self.train = given, train
        self.done: SimpleQueue[Future[Any] | None] = SimpleQueue()
        self.executor: Executor | None = None
        self.is_stopped = self.may_raise = False

    @property
    def is_ours(self) -> bool:
        """Whether the executor was made here."""
        return not isinstance(self.given, Executor)

    def stop(self, number: int, frame: FrameType | None) -> None:
        """The handler of Ctrl-C: ends the wait for a run; raises in a run of this process.

        There a `fit` ends early, and what called it goes on. Elsewhere nothing is raised, so that
        no row is half written.
        """
        self.is_stopped = True
        self.done.put(None)  # first in the queue: a run that was cut short is never taken
        if self.may_raise:
            raise KeyboardInterrupt

    @contextmanager
    def _raising(self) -> Iterator[None]:
        """Inside, Ctrl-C raises."""
        self.may_raise = True
        try:
            yield
        finally:
            self.may_raise = False

    def begin(self) -> None:
        """Makes the executor, and sends an empty task; SweepError where it cannot run, and why."""
        for again in (True, False):
            made = self.given if isinstance(self.given, Executor) else _made(self.given)
            self.executor = made
            try:
                with self._raising():
                    answer_of(self._submitted(None), made)
                return
            except BrokenExecutor as error:
                self.close(is_early=True)
                if not (again and self.is_ours):
                    raise SweepError(
                        f"the workers ended before they ran anything ({line_of(error)}). A script "
                        "that sweeps needs the line if __name__ == '__main__': before it; else "
                        "look at what they printed"
                    ) from error

    def submit(self, setting: Mapping[str, Cell]) -> "Future[Any]":
        """A run that began; it is in `done` when it is."""
        if isinstance(self.executor, Here):
            with self._raising():
                future = self._submitted(setting)
        else:
            future = self._submitted(setting)
        future.add_done_callback(self.done.put)
        return future

    def _submitted(self, setting: Mapping[str, Cell] | None) -> "Future[Any]":
        assert self.executor is not None
        task: tuple[Any, ...] = run, ours(), (os.getpid(), next(NUMBERS)), self.train, setting
        if isinstance(self.train, bytes):
            task = call_of(*task)
        try:
            future: Future[Any] = sent(self.executor, *task)
        except BrokenExecutor as error:
            future = Future()
            future.set_exception(error)
        except Exception as error:
            raise SweepError(
                f"the executor takes no run ({line_of(error)}): give one that is open, or what "
                "makes one, such as partial(ProcessPoolExecutor, 4)"
            ) from error
        return future

    def next(self, flying: Iterable["Future[Any]"]) -> "Future[Any] | None":
        """What ends next; None where nothing did for a while, or Ctrl-C came.

        One of those in flight where a pool broke and forgot it. SweepError where nothing can end:
        a client of Dask that lost its scheduler leaves its runs as they are.
        """
        was_broken = is_broken(self.executor)
        with suppress(Empty):
            return self.done.get(timeout=LISTEN)
        if was_broken:
            return next(iter(flying), None)
        client = getattr(self.executor, "_client", None)
        if getattr(client, "status", "") in ("closed", "closing"):
            raise SweepError("the executor lost its scheduler: call again with one that is open")
        return None

    @property
    def room(self) -> int:
        """How many runs it gets at once: one more than it has workers."""
        known = getattr(self.executor, "_max_workers", None)
        return known + 1 if isinstance(known, int) else AHEAD

    def close(self, is_early: bool, flying: Iterable["Future[Any]"] = ()) -> None:
        """Lets go of the executor; `is_early` ends its processes now, where it was made here.

        Runs in flight are called off, but in processes that end.
        """
        executor, self.executor = self.executor, None
        processes = getattr(executor, "_processes", None) if self.is_ours else None
        if processes is None:
            call_off(executor, flying)
        elif is_early:
            for process in [*processes.values()]:
                with suppress(Exception):
                    process.kill()
        if executor is not None and self.is_ours:
            executor.shutdown(wait=not is_early)


def answer_of(future: "Future[Any]", executor: Executor | None) -> Any:
    """What a worker gave; BrokenExecutor where it was lost, SweepError where it can run nothing."""
    try:
        answer = awaited(future, executor)
    except BrokenExecutor:
        raise
    except CancelledError as error:
        raise SweepError(
            "the executor gave runs up, as it was closed or lost its workers: call again with one "
            "that is open"
        ) from error
    except ImportError as error:
        raise SweepError(
            f"a worker has no brickgrad, or another version ({line_of(error)}): here it is {ours()}"
            ", install the same there"
        ) from error
    except Exception as error:
        if type(error).__name__ == "KilledWorker":  # Dask's, when it gave a run to several
            return Outcome({}, "its worker was lost several times", 0.0)
        if "closed" in f"{type(error).__name__} {error}".lower():
            raise SweepError(f"the executor was closed ({line_of(error)})") from error
        raise SweepError(f"a run could not be sent to a worker: {line_of(error)}") from error
    if isinstance(answer, str) and answer:
        raise SweepError(answer)
    return answer


def _made(maker: Maker) -> Executor:
    """What a maker makes; TypeError where that is no executor."""
    try:
        made = maker()
    except TypeError as error:
        raise TypeError(
            f"executor expected to make an executor when it is called, and {maker!r:.60} did not "
            f"({line_of(error)}): give one that is open, or partial(ProcessPoolExecutor, 4)"
        ) from error
    if not isinstance(made, Executor):
        raise TypeError(f"executor expected to make an executor, got {made!r:.60} from it")
    return made


class Pending:
    """The runs that wait, those in flight, and those whose worker was lost."""

    def __init__(self, settings: Sequence[Mapping[str, Cell]], retries: int) -> None:
        self.settings, self.retries = settings, retries
        self.waiting, self.suspects = deque(range(len(settings))), deque[int]()
        self.flying: dict[Future[Any], int] = {}
        self.lost: Counter[int] = Counter()

    def go_on(self, workers: Workers) -> None:
        """Begins runs; after a loss one at a time, until it is known whose fault it was."""
        if self.suspects:
            if not self.flying:
                self._begin(workers, self.suspects.popleft())
            return
        while self.waiting and len(self.flying) < workers.room:
            self._begin(workers, self.waiting.popleft())

    def _begin(self, workers: Workers, k: int) -> None:
        self.flying[workers.submit(self.settings[k])] = k

    def lose(self, k: int) -> Iterator[tuple[int, Outcome]]:
        """Runs in flight as their executor broke: each is tried again, alone, or has failed."""
        gone = {
            f: j for f, j in self.flying.items() if not f.done() or f.cancelled() or f.exception()
        }
        for future in gone:
            del self.flying[future]
        for j in sorted([k, *gone.values()]):
            # beside others it may have been their fault, and the last try is one alone
            if not gone or self.lost[j] < self.retries:
                self.lost[j] += 1
            if self.lost[j] > self.retries:
                yield j, Outcome({}, f"its worker was lost {many(self.lost[j], 'time')}", 0.0)
            else:
                self.suspects.append(j)

    @property
    def is_over(self) -> bool:
        """Whether all runs are done."""
        return not (self.waiting or self.suspects or self.flying)


def outcomes(
    workers: Workers, settings: Sequence[Mapping[str, Cell]], retries: int
) -> Generator[tuple[int, Outcome], None, None]:
    """What each run gave, with its place among the settings, as they end.

    Ends early where `workers.is_stopped`. Raises SweepError where no run can go on.
    """
    pending, is_early = Pending(settings, retries), True
    try:
        workers.begin()
        while not pending.is_over:
            if workers.is_stopped:
                return
            pending.go_on(workers)
            future = workers.next(pending.flying)
            if future not in pending.flying:
                continue  # nothing, or of an executor that broke since
            k = pending.flying.pop(future)
            try:
                yield k, Outcome(*answer_of(future, workers.executor))
            except BrokenExecutor as error:
                yield from pending.lose(k)
                _begin_anew(workers, error)
        is_early = False
    finally:
        workers.close(is_early, pending.flying)


def _begin_anew(workers: Workers, error: BrokenExecutor) -> None:
    if not workers.is_ours:
        _refuse_broken(error)
    workers.close(is_early=True)
    workers.begin()


def _refuse_broken(error: BrokenExecutor) -> NoReturn:
    raise SweepError(
        f"the executor lost a worker, and is broken for good ({line_of(error)}): call "
        "again with another one, or give what makes one, such as partial(ProcessPoolExecutor, 4), "
        "to have that done here"
    ) from error


def given_or_made(executor: Executor | Maker | None, workers: int | None) -> Executor | Maker:
    """Where runs go: an executor, or what makes one; TypeError for anything else."""
    if executor is not None and workers is not None:
        raise ValueError("give executor or workers, not both")
    if workers is not None:
        return partial(processes, workers)
    if executor is None:
        return Here
    if not isinstance(executor, Executor) and not callable(executor):
        dask = ": write client.get_executor()" * hasattr(executor, "get_executor")
        raise TypeError(
            "executor expected one of concurrent.futures, or what makes one, such as "
            f"partial(ProcessPoolExecutor, 4), got {executor!r:.60}{dask}"
        )
    return executor
