"""Processes of a server: they end with it, and their memory is known where the system tells."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def end_with_server(before: Callable[[], object] = lambda: None) -> None:
    """Watch, in a thread, the process that began this one: once it has ended, call `before` and end this one too."""
    threading.Thread(target=_end_with_server, args=(before,), daemon=True).start()


def _end_with_server(before: Callable[[], object]) -> None:
    server = multiprocessing.parent_process()
    if server is not None:
        wait([server.sentinel])
        before()
        os._exit(1)


def resident(pid: int | None) -> int:
    """Bytes of memory that a process has; 0 where the system does not say, or the process has gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def begin(work: Callable[..., None], *arguments: Any) -> tuple[BaseProcess, Connection]:
    """A process that does `work(pipe, *arguments)`, and this end of the pipe.

    Raises OSError where the system has no room for another process, or for its files; then neither is left.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=work, args=(theirs, *arguments), name="fadernets worker", daemon=True
    )
    try:
        with theirs:
            process.start()
    except OSError:
        ours.close()
        raise
    return process, ours


def kill(process: BaseProcess, pipe: Connection) -> None:
    """Kill the process, and close both."""
    process.kill()
    process.join()
    process.close()
    pipe.close()
