"""Processes of a server: they end with it, and their memory is known where the system tells."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path

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
