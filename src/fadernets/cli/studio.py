"""The command `studio`: a local page for composers."""

from __future__ import annotations

import argparse
import secrets
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fadernets.cli import options as shared
from fadernets.cli.console import Add
from fadernets.cli.reading import read_public, register_attributes
from fadernets.errors import FadernetsError

if TYPE_CHECKING:
    from fadernets.studio.service import Studio
    from fadernets.studio.uploads import Uploads

PORT = 8765


def register(add: Add) -> None:
    """Add the command to the parser."""
    studio = add(
        "studio",
        _studio,
        "Open the studio: a page with faders, presets, piano roll and sound.",
        epilog="The page is served to this machine alone. With --host, others reach it by the address that is printed, "
        "which holds a token; browsers then need https for sound (--public). No request leaves this machine.",
    )
    studio.add_argument("--host", metavar="ADDRESS", help="serve at this address too, to those who have the token")
    studio.add_argument(
        "--public", metavar="URL", help="where a reverse proxy shows the page, to those who have the token"
    )
    studio.add_argument(
        "--port", type=int, default=PORT, metavar="N", help=f"the port ({PORT}); 0 takes any that is free"
    )
    studio.add_argument(
        "--model", type=Path, action="append", default=[], metavar="FOLDER", help="offer a model folder too; repeatable"
    )
    studio.add_argument("--data", type=Path, metavar="DATA", help="a data set whose segments the map shows")
    shared.add_attributes(studio)
    studio.add_argument("--midi-port", metavar="NAME", help="open a virtual MIDI port that a DAW can listen to")
    studio.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="its MIDI and MusicXML files are pieces of the studio as they appear; edits are written back beside them",
    )
    studio.add_argument("--no-browser", action="store_true", help="do not open the page in a browser")


def _studio(options: argparse.Namespace) -> None:
    from fadernets.codecs.base import is_melodic
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.engines.melody import MelodyEngine
    from fadernets.engines.model_folder import ModelFolder, folders_by_name
    from fadernets.studio import latent_map, midi_port, server, workers
    from fadernets.studio.service import Studio
    from fadernets.studio.watched_folder import WatchedFolder
    from fadernets.web import guard

    public = options.public and read_public(options.public)
    register_attributes(options.attributes)

    def check(folder: Path, info: dict[str, Any]) -> None:
        opened = MelodyEngine.open(folder) if is_melodic(info.get("codec")) else open_edit_model(folder)
        if isinstance(opened, ModelFolder):
            opened.load()  # or raise here

    models = folders_by_name(options.model, check)
    if options.data is not None:
        latent_map.check(options.data)
    host = (options.host or "127.0.0.1").lower()
    if options.folder is not None and (public or not guard.is_loopback(host)):
        raise FadernetsError(
            "--folder: edits are written into it, so the studio must be this machine's alone; leave out --host"
        )
    token = None if guard.is_loopback(host) and not public else secrets.token_urlsafe(16)
    studio = Studio(models, data=options.data)  # of this process, which computes nothing
    folder = None if options.folder is None else WatchedFolder(options.folder, studio.uploads.files)
    listener = guard.listen(host, options.port)
    address = (public or guard.address(host, listener.getsockname()[1])) + (f"?token={token}" if token else "")
    shown = (guard.hostname(urlsplit(public).netloc),) if public else ()
    if options.midi_port:
        studio.port = midi_port.open_virtual(options.midi_port)
    https = shown if public and urlsplit(public).scheme == "https" else ()
    make = partial(_studio_of_worker, models=models, data=options.data, attributes=options.attributes)
    computer = workers.Workers(make, studio.uploads.files)
    names = (*guard.hosts(host), *shown)
    app = server.create(studio, computer=computer, hosts=names, token=token, https_hosts=https, folder=folder)
    try:
        print(f"fadernets studio: {address}  (Ctrl-C ends it)", flush=True)
        if not options.no_browser:
            import webbrowser

            webbrowser.open(address)
        guard.serve(app, listener)
    except KeyboardInterrupt:
        pass
    finally:
        computer.close()
        if studio.port is not None:
            studio.port.close()


def _studio_of_worker(
    uploads: Uploads, folder: Path, models: dict[str, Path], data: Path | None, attributes: list[Path]
) -> Studio:
    """The studio that computes, in a process of its own."""
    from fadernets.studio.service import Studio

    register_attributes(attributes)
    return Studio(models, uploads, data, folder)


def plot(model: str, data: Path | None, seed: int) -> dict[str, Any]:
    """`fadernets plot map`: write the t-SNE of a data set beside it or, without one, that of the bundled pieces beside
    the model. Returns {"files": [the file]}.
    """
    from fadernets.engines.grid import Engine
    from fadernets.studio import latent_map
    from fadernets.studio.uploads import BUNDLED, Uploads

    engine = Engine.open(model)
    plot = latent_map.of_data(data) if data else latent_map.of_pieces(map(Uploads().get, BUNDLED))
    return {"files": [str(latent_map.write_tsne(data or engine.folder, engine, plot, seed))]}
