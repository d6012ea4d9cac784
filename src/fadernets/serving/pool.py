"""The queue: what is accepted is computed by one of several processes, and by another one where that ends.

An edit is a function of its request, so it may be computed twice. What is beyond the queue's bound is refused at once,
with the seconds after which there should be room, by the pace that was measured.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fadernets.errors import FadernetsError
from fadernets.serving.metrics import Metrics
from fadernets.serving.refusals import Refusal
from fadernets.serving.worker_process import Make
from fadernets.serving.workers import MOST_MEMORY, CallStopped, Worker, WorkerDied

MOST_WAITING = 64  # requests that no worker has begun
LONGEST = 60.0  # seconds of a request, from its acceptance to its answer
MOST_RETRIES = 2  # of a request whose worker ended
LOOK_SECONDS = 0.25  # between two looks whether idle workers live
PAUSE_SECONDS = 1.0  # before a worker that could not begin is begun again
LONGEST_RETRY_AFTER = 60  # seconds
PACE_SHARE = 0.1  # of the newest call in the measured pace
FIRST_PACE = 1.0  # seconds of a call, before any was measured

log = logging.getLogger("fadernets.serving")


@dataclass(eq=False)
class _Job:
    kind: str
    content: Any
    answer: asyncio.Future[Any]
    stop: threading.Event = field(default_factory=threading.Event)
    retries: int = 0


class Pool:
    """`count` workers and the requests that wait for them. For one event loop, between `begin` and `close`."""

    def __init__(
        self,
        make: Make,
        count: int,
        metrics: Metrics,
        *,
        most_waiting: int = MOST_WAITING,
        longest: float = LONGEST,
        most_memory: int = MOST_MEMORY,
    ) -> None:
        self._most_waiting, self._longest, self._metrics = most_waiting, longest, metrics
        self._workers = [Worker(make, most_memory) for _ in range(count)]
        self._threads = ThreadPoolExecutor(count, "fadernets worker")
        self._idle: list[Worker] = []
        self._waiting: deque[_Job] = deque()
        self._running: set[_Job] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pace = FIRST_PACE
        self.is_stopping = False

    def begin(self) -> None:
        """Start all workers; requests wait for them meanwhile."""
        for worker in self._workers:
            self._do(self._begin(worker))
        self._do(self._watch())

    async def close(self) -> None:
        """End all workers, whatever they compute."""
        for task in list(self._tasks):
            task.cancel()
        for worker in self._workers:
            worker.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        for worker in self._workers:
            worker.end()

    def stop(self) -> None:
        """Accept nothing more; what was accepted is computed."""
        self.is_stopping = True

    @property
    def waiting(self) -> int:
        """Requests that no worker has begun."""
        return len(self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether an accepted request has no answer yet."""
        return bool(self._waiting or self._running)

    @property
    def alive(self) -> int:
        """Workers that can take a request, or have one."""
        return sum(worker.is_alive for worker in self._idle) + len(self._running)

    async def call(self, kind: str, content: Any) -> Any:
        """The answer to a call of a worker. Raises FadernetsError, among them Refusal.

        A caller that is cancelled stops the call.
        """
        if self.is_stopping:
            raise Refusal(503, "the server is stopping; ask again", 1)
        if len(self._waiting) >= self._most_waiting:
            raise Refusal(429, f"{len(self._waiting)} requests wait already; ask again later", self.retry_after())
        job = _Job(kind, content, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._give()
        try:
            return await asyncio.wait_for(job.answer, self._longest)
        except TimeoutError:
            raise Refusal(
                504, f"there was no answer within {self._longest:g} seconds; ask for less, or later", self.retry_after()
            ) from None
        finally:
            job.stop.set()
            with suppress(ValueError):
                self._waiting.remove(job)
            self._count()

    def retry_after(self) -> int:
        """Whole seconds after which a worker should be free, by the mean time of the last calls."""
        ahead = (len(self._waiting) + len(self._running) + 1) * self._pace / len(self._workers)
        return min(max(1, math.ceil(ahead)), LONGEST_RETRY_AFTER)

    def _do(self, what: Any) -> None:
        task = asyncio.create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _give(self) -> None:
        """Give what waits to workers without a call."""
        while self._waiting and self._idle:
            worker, job = self._idle.pop(), self._waiting.popleft()
            self._running.add(job)
            self._do(self._compute(worker, job))
        self._count()

    async def _compute(self, worker: Worker, job: _Job) -> None:
        began = time.monotonic()
        try:
            result = await self._in_thread(worker.call, job.kind, job.content, job.stop)
            self._pace += PACE_SHARE * (time.monotonic() - began - self._pace)
            _settle(job, result)
        except WorkerDied:
            self._retry(job)
        except CallStopped:
            pass
        except FadernetsError as error:
            _settle(job, error=error)
        except Exception as error:
            if not isinstance(error, RuntimeError):  # which the worker has logged
                log.exception("a call could not be handed to its worker")
                worker.end()
            _settle(job, error=Refusal(500, "something broke in the server; its log says where"))
        finally:
            self._running.discard(job)
        await self._free(worker)

    def _retry(self, job: _Job) -> None:
        """Put a request whose worker ended before all others, unless it ended several."""
        if job.answer.done():
            return
        if job.retries >= MOST_RETRIES:
            _settle(job, error=Refusal(500, f"the request ended {job.retries + 1} processes; it is not tried again"))
            return
        job.retries += 1
        self._metrics.retries.inc()
        self._waiting.appendleft(job)

    async def _free(self, worker: Worker) -> None:
        """A worker whose call has ended: it takes the next one, once it is begun again where it must be."""
        if not worker.is_alive or worker.is_large:
            self._metrics.restarts.inc()
            self._give()
            await self._begin(worker)
            return
        self._idle.append(worker)
        self._give()

    async def _begin(self, worker: Worker) -> None:
        while True:
            try:
                await self._in_thread(worker.begin)
                break
            except WorkerDied:
                log.error("a worker could not begin")
                await asyncio.sleep(PAUSE_SECONDS)
        self._idle.append(worker)
        self._give()

    async def _watch(self) -> None:
        """Begin workers anew that ended without a call."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for worker in [worker for worker in self._idle if not worker.is_alive]:
                self._idle.remove(worker)
                self._metrics.restarts.inc()
                self._do(self._begin(worker))
            self._count()

    def _count(self) -> None:
        self._metrics.waiting.set(self.waiting)
        self._metrics.workers.set(self.alive)

    async def _in_thread(self, call: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)


def _settle(job: _Job, result: Any = None, error: Exception | None = None) -> None:
    if job.answer.done():
        return
    if error is None:
        job.answer.set_result(result)
    else:
        job.answer.set_exception(error)
