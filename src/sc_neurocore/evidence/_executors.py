"""Calls on executors: in this process, on local processes, or wherever an executor runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sc_neurocore import _checks
from sc_neurocore._runtime import get_threads, set_threads

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

# Executors take longer to import than the rest of the package: only who uses them waits.

# Calls that an executor holds at a time: all that is sent to a cluster waits in its scheduler.
_AHEAD = 256


@dataclass(frozen=True)
class Pool:
    """An executor, and whether its processes are ours to end."""

    executor: Executor
    own: bool


@contextmanager
def opened(executor: int | Executor | None) -> Iterator[Pool | None]:
    """Yield an executor, or one of new local processes; None stands for this process."""
    if executor is None:
        yield None
        return
    from concurrent.futures import Executor, ProcessPoolExecutor

    if isinstance(executor, Executor):
        yield Pool(executor, own=False)
        return
    n = _checks.integer("executor", executor, 1, 1024)
    import multiprocessing

    # A process that is forked from one with threads may lock up.
    threads = max(get_threads() // n, 1)
    with ProcessPoolExecutor(
        n, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(threads,)
    ) as processes:
        try:
            yield Pool(processes, own=True)
        except BaseException:
            # Ended now, and not when their calls return. The futures must not have been cancelled: the
            # pool would fail to mark them as broken, and would never end.
            for process in (processes._processes or {}).values():
                process.terminate()
            raise


def _begin(threads: int) -> None:
    """Begin a local process, which leaves Ctrl-C to its parent, and ends with it."""
    import signal
    from threading import Thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_threads(threads)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that has started it is killed."""
    import multiprocessing
    import os
    from multiprocessing.connection import wait

    if (parent := multiprocessing.parent_process()) is not None:
        wait([parent.sentinel])
        os._exit(1)


def finished(
    pool: Pool, function: Callable[..., Any], calls: Iterator[tuple[int, tuple[Any, ...]]]
) -> Iterator[tuple[int, Future[Any]]]:
    """Yield the number and the future of each call as they are finished; cancel the rest if stopped."""
    from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait

    futures: dict[Future[Any], int] = {}
    try:
        while True:
            while len(futures) < _AHEAD and (call := next(calls, None)) is not None:
                try:
                    future = pool.executor.submit(function, *call[1])
                except BrokenExecutor as error:  # since an earlier call
                    future = Future()
                    future.set_exception(error)
                futures[future] = call[0]
            if not futures:
                return
            for future in wait(futures, return_when=FIRST_COMPLETED).done:
                yield futures.pop(future), future
    finally:
        for future in futures if not pool.own else ():
            future.cancel()
