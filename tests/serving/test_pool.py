"""The queue and its workers: what is accepted is answered whatever ends, what is too much is refused at once."""

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager
from pathlib import Path

import hostile_models
import pytest

import fadernets
from fadernets.errors import FadernetsError
from fadernets.serving import pool as serving_pool
from fadernets.serving.metrics import Metrics
from fadernets.serving.pool import Pool
from fadernets.serving.refusals import Refusal
from fadernets.serving.types import EditRequest

pytestmark = pytest.mark.alone
LINUX = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux says what a process has")


@asynccontextmanager
async def pool_of(folder, count=1, **options):
    metrics = Metrics()
    pool = Pool(hostile_models.make(folder), count, metrics, **options)
    pool.begin()
    try:
        while pool.alive < count:
            await asyncio.sleep(0.02)
        yield pool, metrics
    finally:
        await pool.close()


def edit(theme, model="rewriter", **more):
    return EditRequest(model=model, move={"pitch": 1.0}, bars=[(1, 2)], **more), theme


def value(counter):
    return counter._value.get()


def test_what_ends_a_worker_is_given_to_another_and_at_last_refused(theme, tmp_path):
    async def run():
        async with pool_of(tmp_path, 1) as (pool, metrics):
            answer = await pool.call("edit", edit(theme, "dies-twice"))
            assert answer.midi == fadernets.edit(theme, move={"pitch": 1}, bars=[(1, 2)]).data
            assert (value(metrics.retries), value(metrics.restarts)) == (2, 2)
            with pytest.raises(Refusal, match=r"^the request ended 3 processes; it is not tried again$") as found:
                await pool.call("edit", edit(theme, "dies"))
            assert found.value.status == 500
            assert value(metrics.retries) == 4

    asyncio.run(run())


def test_workers_that_are_killed_lose_nothing(theme, tmp_path):
    async def run():
        async with pool_of(tmp_path, 2) as (pool, metrics):
            calls = [asyncio.create_task(pool.call("edit", edit(theme, "naps", seed=i))) for i in range(8)]
            for _ in range(2):
                await asyncio.sleep(0.15)
                for worker in pool._workers:
                    if worker.is_alive:
                        os.kill(worker.pid, signal.SIGKILL)
            answers = await asyncio.gather(*calls)
            assert len({answer.midi for answer in answers}) == 1  # a seed moves nothing where pitch alone does
            assert value(metrics.retries) >= 2

    asyncio.run(run())


def test_an_idle_worker_that_ends_is_begun_anew(theme, tmp_path):
    async def run():
        async with pool_of(tmp_path, 1) as (pool, metrics):
            first = pool._workers[0].pid
            os.kill(first, signal.SIGKILL)
            while value(metrics.restarts) < 1 or not pool.alive:
                await asyncio.sleep(0.02)
            assert pool._workers[0].pid != first
            assert (await pool.call("edit", edit(theme))).midi[:4] == b"MThd"
            assert value(metrics.retries) == 0

    asyncio.run(run())


@pytest.mark.parametrize("what", ["multiprocessing.context.SpawnProcess.start", "multiprocessing.Pipe"])
def test_a_worker_that_the_system_has_no_room_for_is_begun_later(theme, tmp_path, monkeypatch, what):
    monkeypatch.setattr(serving_pool, "PAUSE_SECONDS", 0.01)
    tries = []

    def fail(*arguments, **options):
        tries.append(1)
        raise OSError(11, "Resource temporarily unavailable")

    async def run():
        async with pool_of(tmp_path, 1) as (pool, _):
            monkeypatch.setattr(what, fail)
            os.kill(pool._workers[0].pid, signal.SIGKILL)
            while len(tries) < 2:
                await asyncio.sleep(0.02)
            monkeypatch.undo()
            assert (await pool.call("edit", edit(theme))).midi[:4] == b"MThd"

    asyncio.run(asyncio.wait_for(run(), 60))


def test_beyond_its_bound_the_queue_refuses_at_once(theme, tmp_path):
    async def run():
        async with pool_of(tmp_path, 1, most_waiting=2) as (pool, _):
            calls = [asyncio.create_task(pool.call("edit", edit(theme, "naps"))) for _ in range(3)]
            await asyncio.sleep(0.05)
            assert pool.waiting == 2
            began = time.monotonic()
            with pytest.raises(Refusal, match=r"^2 requests wait already; ask again later$") as found:
                await pool.call("edit", edit(theme))
            assert time.monotonic() - began < 0.05
            assert found.value.status == 429
            assert found.value.retry_after == 4  # two wait, one is computed, and one second is taken for each
            await asyncio.gather(*calls)
            pool.stop()
            with pytest.raises(Refusal, match=r"^the server is stopping; ask again$"):
                await pool.call("edit", edit(theme))

    asyncio.run(run())


def test_the_time_of_a_request_is_bounded_whether_it_waits_or_runs(theme, tmp_path):
    async def run():
        async with pool_of(tmp_path, 1, longest=0.4) as (pool, _):
            calls = [asyncio.create_task(pool.call("edit", edit(theme, "sleeps"))) for _ in range(2)]
            began = time.monotonic()
            for found in await asyncio.gather(*calls, return_exceptions=True):
                assert str(found) == "there was no answer within 0.4 seconds; ask for less, or later"
                assert found.status == 504
            assert time.monotonic() - began < 2
            assert pool.waiting == 0
            while pool.is_busy or not pool.alive:  # the sleeper's process is ended
                await asyncio.sleep(0.02)
            assert (await pool.call("check", theme)) is None

    asyncio.run(run())


def test_a_caller_who_goes_frees_the_worker(theme, tmp_path):
    async def run():
        async with pool_of(tmp_path, 1) as (pool, metrics):
            call = asyncio.create_task(pool.call("edit", edit(theme, "sleeps")))
            await asyncio.sleep(0.1)
            call.cancel()
            assert (await pool.call("edit", edit(theme))).midi[:4] == b"MThd"
            assert (value(metrics.restarts), value(metrics.retries)) == (1, 0)

    asyncio.run(run())


def test_errors_are_lines_and_the_worker_stays(theme, tmp_path, capfd):
    async def run():
        async with pool_of(tmp_path, 1) as (pool, metrics):
            with pytest.raises(FadernetsError, match=r"^model no: is not known; allowed: "):
                await pool.call("edit", edit(theme, "no"))
            with pytest.raises(Refusal, match=r"^something broke in the server; its log says where$") as found:
                await pool.call("edit", edit(theme, "breaks"))
            assert found.value.status == 500
            assert value(metrics.restarts) == 0

    asyncio.run(run())
    logged = capfd.readouterr().err
    assert '"exception": "ZeroDivisionError", "where": ' in logged
    assert "My Song" not in logged


@LINUX
def test_a_worker_that_takes_too_much_memory_is_ended(theme, tmp_path):
    async def run():
        async with pool_of(tmp_path, 1, most_memory=400 * 2**20) as (pool, metrics):
            with pytest.raises(Refusal, match=r"^the edit takes more memory than a worker has; ") as found:
                await pool.call("edit", edit(theme, "eats"))
            assert found.value.status == 503
            assert (await pool.call("check", theme)) is None
            assert value(metrics.restarts) == 1

    asyncio.run(run())
