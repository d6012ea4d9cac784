"""Who does the units of work of `prepare`: this process, several of them, or the workers of a Dask cluster.

All three do the same function of one unit and say the same of a unit whose worker ended while it had it. `run` is what
they share: no more units are under way than there are workers for, and what becomes of such a unit is decided once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Protocol

from fadernets.errors import FadernetsError

MOST_ENDS = 40  # workers that may end one after the other without a unit done: it is not the files then
LOOK_SECONDS = 1.0  # between two looks at how many workers a cluster has, and whether its scheduler is there
WORKERLESS_SECONDS = (
    30.0  # in which a local cluster should have begun workers anew that ended; on a busy machine it may fail
)


class Executor(Protocol):
    """A number of workers. Used in a `with` statement, at whose end no worker of its own is left.

    exact: that only the unit which a worker was doing counts as having ended it, and none that waited there.
    """

    exact: bool

    def __enter__(self) -> Executor: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    @property
    def room(self) -> int:
        """How many more units should be under way now."""

    @property
    def busy(self) -> int:
        """How many units are under way."""

    def submit(self, function: Callable[[Any], Any], unit: Any) -> None:
        """Let a worker do the unit."""

    def next(self) -> tuple[Any, Any]:
        """Wait for a unit; it and its result, None where its worker ended. Raises what the function raised."""


def run(
    executor: Executor,
    function: Callable[[Any], Any],
    units: Iterable[Any],
    ended: Callable[[Any], list[Any]],
) -> Iterator[Any]:
    """The results of all units, in the order in which they are done.

    `ended` is given a unit whose worker ended, and says which units are to be done instead: itself, its parts, or
    another. Those are done alone where the executor is not exact, so that none is blamed for another.
    Raises FadernetsError where workers end and no unit is done.
    """
    waiting, again, ends = iter(units), deque[Any](), 0
    more, alone = True, False
    while True:
        alone = alone and executor.busy > 0
        while executor.room > 0 and (again or more) and not alone:
            if again and not executor.exact:
                if executor.busy:
                    break
                alone = True
            unit = again.popleft() if again else next(waiting, None)
            more = more and unit is not None
            if unit is not None:
                executor.submit(function, unit)
        if not executor.busy:
            return
        unit, result = executor.next()
        if result is not None:
            ends = 0
            yield result
            continue
        ends += 1
        if ends > MOST_ENDS:
            raise FadernetsError(
                "workers end one after the other (out of memory?); run again to go on, with fewer workers"
            )
        again.extend(ended(unit))


class ThisProcess:
    """No worker but the process itself."""

    exact = True

    def __init__(self) -> None:
        self._given: deque[tuple[Callable[[Any], Any], Any]] = deque()

    def __enter__(self) -> ThisProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._given.clear()

    @property
    def room(self) -> int:
        """One unit at a time."""
        return 1 - len(self._given)

    @property
    def busy(self) -> int:
        """0 or 1."""
        return len(self._given)

    def submit(self, function: Callable[[Any], Any], unit: Any) -> None:
        """Keep the unit for `next`."""
        self._given.append((function, unit))

    def next(self) -> tuple[Any, Any]:
        """Do the unit."""
        function, unit = self._given.popleft()
        return unit, function(unit)


class Processes:
    """Processes of this machine, each a pool of its own, so that one which ends says which unit it had."""

    exact = True

    def __init__(self, workers: int) -> None:
        self._free: list[ProcessPoolExecutor] = []
        self._unstarted = workers
        self._running: dict[Future[Any], tuple[ProcessPoolExecutor, Any]] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (*self._free, *(pool for pool, _ in self._running.values())):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (*self._free, *(pool for pool, _ in self._running.values())):
            pool.shutdown(wait=True)

    @property
    def room(self) -> int:
        """The number of idle workers."""
        return len(self._free) + self._unstarted

    @property
    def busy(self) -> int:
        """The number of workers with a unit."""
        return len(self._running)

    def submit(self, function: Callable[[Any], Any], unit: Any) -> None:
        """Give the unit to an idle worker."""
        if self._free:
            pool = self._free.pop()
        else:
            self._unstarted -= 1
            context = multiprocessing.get_context("spawn")  # safe with threads, and the same on every system
            pool = ProcessPoolExecutor(1, context, _begin_worker)
        try:
            future = pool.submit(function, unit)
        except BrokenProcessPool:  # it ended while it was idle
            pool.shutdown()
            self._unstarted += 1
            self.submit(function, unit)
            return
        self._running[future] = pool, unit

    def next(self) -> tuple[Any, Any]:
        """Wait for the first worker that is done or has ended."""
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        future = done.pop()
        pool, unit = self._running.pop(future)
        try:
            result = future.result()
        except BrokenProcessPool:
            pool.shutdown()
            self._unstarted += 1
            return unit, None
        except BaseException:
            self._free.append(pool)
            raise
        self._free.append(pool)
        return unit, result


def _begin_worker() -> None:
    """Set a worker process up: it leaves interrupts to its parent, and ends when its parent has ended.

    After an interrupt, the workers finish the chunks that they have begun.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # also where it was killed
        os._exit(1)


class DaskWorkers:
    """The workers of a Dask cluster, by its client (`clusters.connect`)."""

    exact = False

    def __init__(self, client: Any) -> None:
        self._client = client
        self._done: Queue[Any] = Queue()  # of futures
        self._units: dict[Any, Any] = {}  # future -> unit
        self._workers, self._counted = 1, float("-inf")
        self._seen = time.monotonic()  # when there was a worker

    def __enter__(self) -> DaskWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._units and self._client.status == "running":
            self._client.cancel(list(self._units))
        self._units.clear()

    @property
    def room(self) -> int:
        """Two units a thread: one that is done, and one that is there when it is."""
        if time.monotonic() > self._counted + LOOK_SECONDS:
            try:
                self._workers = max(sum(self._client.ncores().values()), 1)
            except (OSError, TimeoutError):
                raise self._lost() from None
            self._counted = time.monotonic()
        return 2 * self._workers - len(self._units)

    @property
    def busy(self) -> int:
        """The number of units that the scheduler has."""
        return len(self._units)

    def submit(self, function: Callable[[Any], Any], unit: Any) -> None:
        """Give the unit to the scheduler."""
        future = self._client.submit(function, unit, pure=False, retries=0)
        self._units[future] = unit
        future.add_done_callback(self._done.put)

    def next(self) -> tuple[Any, Any]:
        """Wait for the first unit that is done, or whose workers ended as often as the scheduler allows."""
        from distributed import KilledWorker

        while True:
            try:
                future = self._done.get(timeout=LOOK_SECONDS)
                break
            except Empty:
                if self._client.status != "running":
                    raise self._lost() from None
                self._look_after_workers()
        unit = self._units.pop(future)
        if future.status not in ("finished", "error"):
            raise self._lost()
        try:
            return unit, future.result()
        except KilledWorker:
            return unit, None
        except OSError:
            raise self._lost() from None
        finally:
            future.release()

    def _look_after_workers(self) -> None:
        """Begin other workers where a local cluster has none left, and does not begin them by itself."""
        from distributed import LocalCluster

        cluster = self._client.cluster
        if not isinstance(cluster, LocalCluster):
            return
        if self._client.ncores():
            self._seen = time.monotonic()
        elif time.monotonic() > self._seen + WORKERLESS_SECONDS:
            count = len(cluster.worker_spec)
            cluster.scale(0)
            cluster.scale(count)
            self._seen = time.monotonic()

    def _lost(self) -> FadernetsError:
        return FadernetsError("the scheduler of the cluster is gone; run again to go on where this run stopped")
