"""What a client may take, by a clock that the test turns."""

from contextlib import ExitStack

import pytest

from fadernets.serving import client_limits
from fadernets.serving.client_limits import ClientLimits
from fadernets.serving.refusals import Refusal


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def refused(limits, name="a"):
    """The seconds that a client is told to wait; None where its request passes."""
    try:
        with limits.taken(name):
            return None
    except Refusal as error:
        return error.retry_after if error.status == 429 else f"status {error.status}"


def test_requests_at_once():
    limits = ClientLimits(2, 0)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(limits.taken("a"))
        with pytest.raises(Refusal, match=r"^2 requests of yours are being answered; wait for one of them$"):
            stack.enter_context(limits.taken("a"))
        assert refused(limits, "b") is None
    assert refused(limits) is None


def test_requests_a_second():
    clock = Clock()
    limits = ClientLimits(0, 0.5, clock)
    assert [refused(limits) for _ in range(6)] == [None] * 5 + [2]
    assert refused(limits, "b") is None
    clock.now += 1.5
    assert refused(limits) == 1
    clock.now += 0.5
    assert (refused(limits), refused(limits)) == (None, 2)
    clock.now += 1000  # no more is saved up than a span's
    assert [refused(limits) for _ in range(6)] == [None] * 5 + [2]


def test_zero_is_no_limit():
    limits = ClientLimits(0, 0)
    assert {refused(limits) for _ in range(1000)} == {None}


def test_only_so_many_clients_are_remembered(monkeypatch):
    monkeypatch.setattr(client_limits, "MOST_CLIENTS", 3)
    limits = ClientLimits(1, 0)
    with limits.taken("busy"):
        for number in range(10):
            assert refused(limits, str(number)) is None
        assert len(limits._clients) == 3
        assert refused(limits, "busy") == 1  # who has a request is not forgotten
