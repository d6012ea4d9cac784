"""The command `studio`: a local page for composers."""

from __future__ import annotations

import argparse
import secrets
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from fadernets.console import Parser
from fadernets.errors import FadernetsError

PORT = 8765


def register(add: Callable[..., Parser]) -> None:
    """Add the command to the parser."""
    studio = add(
        "studio",
        _studio,
        "Open the studio: a page with faders, presets, roll and sound.",
        epilog="The page is served to this machine alone. With --host, others reach it with the address that is "
        "printed: it holds a token. No request leaves the machine.",
    )
    studio.add_argument("--host", metavar="ADDRESS", help="serve there too, to those who have the token")
    studio.add_argument("--port", type=int, default=PORT, metavar="N", help=f"({PORT}; 0: any that is free)")
    studio.add_argument(
        "--model", type=Path, action="append", default=[], metavar="FOLDER", help="offer a model of yours; repeatable"
    )
    studio.add_argument("--data", type=Path, metavar="DATA", help="a data set whose segments the map shows")
    studio.add_argument("--midi-port", metavar="NAME", help="open a virtual MIDI port, for a DAW to listen to")
    studio.add_argument("--no-browser", action="store_true", help="do not open the page")


def _studio(options: argparse.Namespace) -> None:
    import uvicorn

    from fadernets import latent_map, midi_port, server
    from fadernets.engine import Engine, described
    from fadernets.melody_engine import MelodyEngine
    from fadernets.studio import Studio

    models = {}
    for folder in options.model:
        with described(folder) as (found, info):
            (MelodyEngine if info.get("codec") == "melody" else Engine).open(found).load()  # or raise here
            models[found.resolve().name] = found
    if options.data is not None:
        latent_map.check(options.data)
    host = (options.host or "127.0.0.1").lower()
    open_to_all = not server.is_loopback(host)
    token = secrets.token_urlsafe(16) if open_to_all else None
    listener = _listen(host, options.port)
    port = listener.getsockname()[1]
    names = (*server.LOOPBACK, host) if not open_to_all else (*server.LOOPBACK, host, *_names())
    shown = _names()[0] if host in ("0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown else shown
    address = f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
    studio = Studio(models, data=options.data)
    if options.midi_port:
        studio.port = midi_port.open_virtual(options.midi_port)
    app = server.create(studio, hosts=names, token=token)
    config = uvicorn.Config(app, log_level="warning", access_log=False, ws_max_size=2**20, timeout_graceful_shutdown=2)
    try:
        print(f"fadernets studio: {address}  (Ctrl-C ends it)", flush=True)
        if not options.no_browser:
            import webbrowser

            webbrowser.open(address)
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        sys.exit(0)
    finally:
        if studio.port is not None:
            studio.port.close()


def plot(model: str, data: Path | None, seed: int) -> dict[str, Any]:
    """`fadernets plot map`: the file that was written, beside the data set."""
    from fadernets import latent_map
    from fadernets.engine import Engine

    engine = Engine.open(model)
    folder = data or Path(engine.info["recipe"]["data"])
    return {"files": [str(latent_map.write_tsne(folder, engine, seed))]}


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises FadernetsError."""
    if not 0 <= port <= 65535:
        raise FadernetsError(f"--port {port}: must lie in 0..65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()  # who comes before the server is up waits for it
        except OSError:
            listener.close()
            raise
    except (OSError, ValueError) as error:
        more = "; --port 0 takes any that is free" if port else ""
        why = error.strerror if isinstance(error, OSError) else "no address has such a name"
        raise FadernetsError(f"--host {host} --port {port}: cannot listen there ({why}){more}") from None
    return listener


def _names() -> list[str]:
    """What this machine is called by others."""
    found = [socket.gethostname().lower()]
    with suppress(OSError):
        found += sorted({str(row[4][0]) for row in socket.getaddrinfo(socket.gethostname(), None)})
    return found
