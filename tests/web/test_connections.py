"""Slow and many connections: a server stays there for those who ask, and says little of those who do not."""

import logging
import socket
import threading
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request

from fadernets.web import connections, guard

HEAD = b"POST /length HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 10\r\n"


@pytest.fixture
def address(monkeypatch):
    """Where a server listens that takes 20 connections and does not wait long."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.4)
    app = FastAPI()

    @app.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.get("/later")
    def later() -> str:
        time.sleep(1)
        return "done"

    guard.one_line_errors(app, lambda error: (400, str(error)))
    app.add_middleware(guard.Guard, hosts=guard.LOOPBACK, most=100_000, broken="broken")
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    server = uvicorn.Server(connections.settings(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()
    server.should_exit = True
    thread.join()
    listener.close()


@contextmanager
def client(address):
    with httpx.Client(base_url=f"http://127.0.0.1:{address[1]}", trust_env=False, timeout=10) as found:
        yield found


def ended_after(one):
    """Seconds until the other side has closed."""
    began = time.monotonic()
    one.settimeout(10)
    try:
        while one.recv(1000):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - began


@pytest.mark.parametrize("sent", [b"", b"GET / HT", HEAD])
def test_the_head_of_a_request_must_come_soon(address, sent):
    with socket.create_connection(address) as one:
        one.sendall(sent)
        assert ended_after(one) < 3


def test_one_byte_now_and_then_is_too_slow(address):
    with socket.create_connection(address) as one:
        began = time.monotonic()
        with pytest.raises(ConnectionError):  # noqa: PT012
            for byte in HEAD * 10:
                one.sendall(bytes([byte]))
                time.sleep(0.05)
        assert time.monotonic() - began < 3


def test_a_body_must_come_soon(address):
    with socket.create_connection(address) as one:
        one.sendall(HEAD + b"\r\n12345")
        one.settimeout(10)
        assert one.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_an_answer_may_take_its_time(address):
    with client(address) as http:
        assert http.get("/later").json() == "done"
        assert http.post("/length", content=b"x" * 50_000).json() == 50_000


def test_many_idle_connections_keep_nobody_out(address, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60)
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(address)) for _ in range(100)]
        for one in idle[::2]:
            one.sendall(b"GET / HT")
        with client(address) as http:
            began = time.monotonic()
            for _ in range(20):
                assert http.post("/length", content=b"abc").json() == 3
            assert time.monotonic() - began < 5
        assert sum(ended_after(one) < 1 for one in idle[:60]) == 60


def test_the_descriptors_of_the_system_are_enough(monkeypatch):
    resource = pytest.importorskip("resource")
    for limit, expected in ((1024, 256), (200, 72), (64, 1), (resource.RLIM_INFINITY, 256)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert connections.most_connections() == expected


def test_each_warning_is_logged_once_a_minute():
    now = [0.0]
    once = connections.OnceAMinute(lambda: now[0])

    def passes(text):
        return once.filter(logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, text, (), None))

    assert [passes("a"), passes("a"), passes("b"), passes("a")] == [True, False, True, False]
    now[0] = 61.0
    assert passes("a")
