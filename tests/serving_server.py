"""`fadernets serve` in a process of its own, for tests that ask it."""

import json
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx

COMMAND = [sys.executable, "-m", "fadernets.cli", "serve", "--port", "0"]


class Served:
    """A server that runs: `http` asks it, `log()` is what it has logged so far."""

    def __init__(self, process, address):
        self.process = process
        self.http = httpx.Client(base_url=address, trust_env=False, timeout=60)
        self.lines = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def ready(self, workers):
        while self.http.get("/healthz").json()["workers"] < workers:
            time.sleep(0.05)

    def log(self):
        return [json.loads(line) for line in self.lines]


@contextmanager
def opened(*options, workers=2):
    command = [*COMMAND, "--workers", str(workers), *map(str, options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    served = None
    try:
        found = re.fullmatch(r"fadernets serve: (\S+)  \(\d workers; Ctrl-C ends it\)\n", process.stdout.readline())
        served = Served(process, found[1])
        served.ready(workers)
        yield served
    finally:
        if served is not None:
            served.http.close()
        process.kill()
        process.wait()
        if served is not None:
            served._reading.join(10)
        process.stdout.close()
        process.stderr.close()
