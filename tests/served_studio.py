"""A studio served on a free port of this machine, in a thread."""

import socket
import threading
import time
from contextlib import contextmanager

import uvicorn

from fadernets.studio import server
from fadernets.web import connections


@contextmanager
def served(studio, **options):
    """The address of the studio's server."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = uvicorn.Server(connections.settings(server.create(studio, **options), log_config=None))
    thread = threading.Thread(target=app.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not app.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        app.should_exit = True
        thread.join()
