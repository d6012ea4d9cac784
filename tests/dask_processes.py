"""A Dask scheduler and its workers as processes of their own, on loopback, which a test can kill."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

SETTINGS = {
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "1.0",
}


def start_scheduler(address):
    """A scheduler at tcp://127.0.0.1:PORT."""
    port = address.rpartition(":")[2]
    return _start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")


def start_worker(address):
    """A worker of one thread, which a nanny starts anew where it is killed."""
    options = ("--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1", "--death-timeout", "60")
    return _start("distributed.cli.dask_worker", address, *options)


def _start(module, *arguments):
    environment = os.environ | SETTINGS | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def end(process):
    """Kill a process and those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
