"""A place at which requests are computed is free once its computer is, whoever left before."""

import contextlib
import json
import socket
import threading
import time

import httpx
import uvicorn
from websockets.sync.client import connect

from fadernets.studio import server
from fadernets.web import connections

ASK = {"piece": "k265", "seq": 1}


class Slow:
    """A computer with one place whose calls take a moment, whether somebody waits for them or not."""

    places = 1

    def __init__(self):
        self.lock, self.now, self.most, self.calls = threading.Lock(), 0, 0, 0

    def call(self, name, arguments, stop, tell=None):
        with self.lock:
            self.now, self.calls = self.now + 1, self.calls + 1
            self.most = max(self.most, self.now)
        time.sleep(0.2)
        with self.lock:
            self.now -= 1
        return b"{}"

    def settle(self, stop):
        """There is nothing to wait for."""

    def close(self):
        """There is nothing to end."""


@contextlib.contextmanager
def served(app):
    """The address of a server in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(connections.settings(app, log_config=None))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    while not running.started:
        time.sleep(0.01)
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join()


def test_a_socket_that_closes_keeps_its_place_until_its_call_has_ended():
    """Pages that come, ask and go: never are two calls computed at the one place."""
    computer = Slow()
    with served(server.create(computer=computer)) as host:
        for _ in range(4):
            with connect(f"ws://{host}/api/live") as live:
                live.send(json.dumps(ASK))
                time.sleep(0.05)
        answer = httpx.post(f"http://{host}/api/edit", json={"piece": "k265"}, trust_env=False, timeout=20)
        assert answer.status_code == 200, answer.text
    assert computer.calls > 1
    assert computer.most == 1
