"""Whose turn it is: a client has one place at a time, others find one, and what is too much is refused in a line."""

import asyncio
import pickle

import pytest

from fadernets.studio import turns
from fadernets.studio.turns import Busy, StaleRequest, Stop, Turns


def run(story):
    asyncio.run(asyncio.wait_for(story(), 10))


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


class Line:
    """Requests that say when they have a place, and keep it until they are told to leave."""

    def __init__(self, places):
        self.turns, self.inside, self.leave, self.stops, self.tasks = Turns(places), [], {}, {}, {}

    async def come(self, client, name):
        self.leave[name], self.stops[name] = asyncio.Event(), Stop()

        async def stay():
            await self.turns.take(client, self.stops[name])
            try:
                self.inside.append(name)
                await self.leave[name].wait()
                self.inside.remove(name)
            finally:
                self.turns.leave(client)

        self.tasks[name] = asyncio.create_task(stay())
        await settle()

    async def go(self, name):
        self.leave[name].set()
        await self.tasks[name]
        await settle()


def test_a_client_has_one_place_and_others_find_one():
    async def story():
        line = Line(2)
        for name in ("a1", "a2", "b1", "c1"):
            await line.come(name[0], name)
        assert line.inside == ["a1", "b1"]
        await line.go("b1")
        assert line.inside == ["a1", "c1"]  # not a2, which came first
        await line.go("c1")
        assert line.inside == ["a1"]
        await line.go("a1")
        assert line.inside == ["a2"]
        await line.go("a2")

    run(story)


def test_one_that_nobody_waits_for_leaves_the_line():
    async def story():
        line = Line(1)
        for name in ("a1", "b1", "c1"):
            await line.come(name[0], name)
        line.stops["b1"].set()
        with pytest.raises(StaleRequest):
            await line.tasks["b1"]
        await line.go("a1")
        assert line.inside == ["c1"]
        await line.go("c1")
        await line.come("d", "d1")
        assert line.inside == ["d1"]

    run(story)


@pytest.mark.parametrize("when", ["waiting", "given", "inside"])
def test_one_that_is_cancelled_gives_its_place_back(when):
    async def story():
        line = Line(1)
        await line.come("a", "a1")
        await line.come("b", "b1")
        if when != "waiting":
            line.leave["a1"].set()
            await line.tasks["a1"]  # b1's turn has come; it does not know yet
            if when == "inside":
                await settle()
        line.tasks["b1"].cancel()
        with pytest.raises(asyncio.CancelledError):
            await line.tasks["b1"]
        if when == "waiting":
            await line.go("a1")
        await line.come("c", "c1")
        assert "c1" in line.inside

    run(story)


def test_too_many_are_refused_in_a_line():
    async def story():
        line = Line(1)
        for i in range(turns.MOST_OF_CLIENT):
            await line.come("a", f"a{i}")
        await line.come("a", "more")
        with pytest.raises(Busy, match=r"^8 requests of yours are being answered; wait for one of them$") as error:
            await line.tasks["more"]
        assert error.value.status == 429
        for i in range(turns.MOST_WAITING - turns.MOST_OF_CLIENT + 1):
            await line.come(f"client {i}", f"b{i}")
        await line.come("b", "last")
        with pytest.raises(Busy, match=r"^the studio has too much to do; try again in a moment$") as error:
            await line.tasks["last"]
        assert error.value.status == 503
        assert line.inside == ["a0"]
        for task in line.tasks.values():
            task.cancel()

    run(story)


def test_refusals_reach_other_processes():
    again = pickle.loads(pickle.dumps(Busy(503, "too much")))
    assert (again.status, str(again)) == (503, "too much")
