"""The command `serve`: edits over HTTP for many clients, behind a proxy."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fadernets.cli.console import Add
from fadernets.cli.reading import check_finite, read_public
from fadernets.errors import FadernetsError

if TYPE_CHECKING:
    from fadernets.serving.stores import Backend

PORT = 8767
MEGABYTE = 2**20


def register(add: Add) -> None:
    """Add the command to the parser."""
    serve = add(
        "serve",
        _serve,
        "Serve edits over HTTP for many clients: stateless requests, worker processes, a queue with a bound.",
        epilog="It has no accounts and speaks plain HTTP: put a proxy before it. It logs a line of JSON "
        "a request to standard error, without anybody's music. SIGTERM finishes what was accepted.",
    )
    serve.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="listen there (127.0.0.1)")
    serve.add_argument("--port", type=int, default=PORT, metavar="N", help=f"the port ({PORT}); 0 takes any")
    serve.add_argument(
        "--public", action="append", default=[], metavar="URL", help="where a proxy shows the server; repeatable"
    )
    serve.add_argument("--workers", type=int, metavar="N", help="processes that compute (one a processor)")
    serve.add_argument("--queue", type=int, metavar="N", help="requests that may wait; beyond, 429 (64)")
    serve.add_argument(
        "--seconds", type=float, metavar="S", help="longest time of a request, waiting and computing (60)"
    )
    serve.add_argument(
        "--drain", type=float, metavar="S", help="time that accepted requests have to finish after SIGTERM (30)"
    )
    serve.add_argument(
        "--memory-mb", type=int, metavar="MB", help="most memory of a worker; one that takes more is ended (700)"
    )
    serve.add_argument(
        "--client-header", metavar="NAME", help="header, set by your proxy, whose last address names the client"
    )
    serve.add_argument(
        "--client-requests", type=int, metavar="N", help="most requests of one client at a time; 0: no limit (8)"
    )
    serve.add_argument(
        "--client-rate", type=float, metavar="R", help="most requests of one client a second; 0: no limit (10)"
    )
    serve.add_argument(
        "--store",
        metavar="FOLDER|sqlite:FILE|URL",
        help="where pieces are kept that clients send once and edit by id: a folder, a SQLite file, s3://..., another "
        "URL of fsspec, or redis://... (default: a folder that ends with the server)",
    )
    serve.add_argument(
        "--store-mb", type=int, metavar="MB", help="most memory of all stored pieces; the oldest go (1024)"
    )
    serve.add_argument(
        "--keep-hours", type=float, metavar="H", help="how long a piece is kept after it was last sent (24)"
    )
    serve.add_argument(
        "--model", type=Path, action="append", default=[], metavar="FOLDER", help="offer a model folder too; repeatable"
    )


def _serve(options: argparse.Namespace) -> None:
    import tempfile

    from fadernets.serving import client_limits, pool, server, stores, workers

    defaults = {
        "workers": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "queue": pool.MOST_WAITING,
        "seconds": pool.LONGEST,
        "drain": server.DRAIN,
        "memory_mb": workers.MOST_MEMORY // MEGABYTE,
        "client_requests": client_limits.AT_ONCE,
        "client_rate": client_limits.A_SECOND,
        "store_mb": stores.MOST_STORED // MEGABYTE,
        "keep_hours": stores.KEEP_HOURS,
    }
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    _check(options)
    if options.store is not None:
        _serve_with(options, stores.backend_of(options.store, options.keep_hours * 3600))
        return
    with tempfile.TemporaryDirectory(prefix="fadernets-pieces-") as folder:
        _serve_with(options, stores.Folder(Path(folder)))


# Option -> its lowest value, and whether that value itself may be.
_LOWEST = {
    "workers": (1, True),
    "queue": (1, True),
    "seconds": (0, False),
    "drain": (0, True),
    "memory_mb": (300, True),  # of which the shipped models take two thirds
    "client_requests": (0, True),
    "client_rate": (0, True),
    "store_mb": (1, True),
    "keep_hours": (0, False),
}


def _check(options: argparse.Namespace) -> None:
    """Raises FadernetsError for a number that makes no server."""
    for name, (lowest, included) in _LOWEST.items():
        value, option = getattr(options, name), f"--{name.replace('_', '-')}"
        check_finite(value, option)
        if value < lowest or (value == lowest and not included):
            raise FadernetsError(f"{option} {value:g}: must be {'at least' if included else 'more than'} {lowest}")


def _serve_with(options: argparse.Namespace, backend: Backend) -> None:
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.engines.model_folder import folders_by_name
    from fadernets.serving import app, client_limits, pool, request_log, server, stores, worker_process
    from fadernets.serving.metrics import Metrics
    from fadernets.web import guard

    folders = folders_by_name(options.model, lambda folder, _: open_edit_model(folder))  # or raise here
    host, public = options.host.lower(), [read_public(url) for url in options.public]
    hosts = (*guard.hosts(host), *(guard.hostname(urlsplit(url).netloc) for url in public))
    listener = guard.listen(host, options.port)
    metrics = Metrics()
    queue = pool.Pool(
        partial(worker_process.models_of, folders),
        options.workers,
        metrics,
        most_waiting=options.queue,
        longest=options.seconds,
        most_memory=options.memory_mb * MEGABYTE,
    )
    store = stores.PieceStore(backend, options.keep_hours * 3600, options.store_mb * MEGABYTE)
    limits = client_limits.ClientLimits(options.client_requests, options.client_rate)
    application = app.create(
        queue,
        store,
        worker_process.models_of(folders),
        metrics,
        limits=limits,
        hosts=hosts,
        client_header=options.client_header,
    )
    address = guard.address(host, listener.getsockname()[1])
    print(f"fadernets serve: {address}  ({options.workers} workers; Ctrl-C ends it)", flush=True)
    request_log.log_as_json()
    server.serve(application, queue, listener, drain=options.drain)
