"""The studio's HTTP server: it parses requests, calls `Studio` and answers; the page is in `fadernets/page`.

It serves loopback alone unless a host is named, and then only clients with the token (`fadernets.web.guard`). It stores
nothing but pieces, for a while (`uploads`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from itertools import islice
from typing import Annotated, Any, Protocol, TypeVar
from urllib.parse import quote

from fastapi import FastAPI, Query, Request, Response, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from fadernets import __version__
from fadernets.engines.model_folder import DEFAULT_MODEL
from fadernets.errors import FadernetsError
from fadernets.studio import edit_types, inspect_types, melody_types, types
from fadernets.studio.downloads import Download
from fadernets.studio.service import StaleRequest, Studio
from fadernets.studio.sockets import BROKEN, LIVE, PORT, LiveEdits, serve_port
from fadernets.studio.uploads import UnknownPiece
from fadernets.web.guard import (
    DISCONNECTED,
    LOOPBACK,
    Guard,
    error_response,
    one_line_errors,
    page_folder,
    problems,
    session_of,
)

POLL_SECONDS = 0.2  # between two checks whether a client is still connected
T = TypeVar("T")
FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
MIDI: dict[int | str, dict[str, Any]] = {200: {"content": {"audio/midi": {}}}}


class Run(Protocol):
    """Computes a call in a thread, one at a time for the whole server."""

    async def __call__(self, call: Callable[..., T], *arguments: Any) -> T:
        """The result of `call(*arguments)`."""


def create(
    studio: Studio | None = None,
    *,
    hosts: tuple[str, ...] = LOOPBACK,
    token: str | None = None,
    https_hosts: tuple[str, ...] = (),
) -> FastAPI:
    """The application.

    hosts: names that requests may be for. token: what they must bring, unless None. https_hosts: those of `hosts` that
    a reverse proxy shows by https.
    """
    studio = studio or Studio()
    lock = threading.Lock()  # one computation at a time: a second one would only slow down the first

    async def run(call: Callable[..., T], *arguments: Any) -> T:
        def locked() -> T:
            with lock:
                return call(*arguments)

        return await run_in_threadpool(locked)

    app = FastAPI(title="fadernets studio", version=__version__, docs_url=None, redoc_url=None)
    one_line_errors(app, _refusal)

    @app.exception_handler(StaleRequest)
    async def disconnected(request: Request, error: StaleRequest) -> JSONResponse:
        return JSONResponse(error_response(DISCONNECTED).model_dump(), 400)

    _add_piece_routes(app, studio, run)
    _add_melody_routes(app, studio, run)
    _add_inspect_routes(app, studio, run)

    @app.websocket(LIVE)
    async def live(socket: WebSocket) -> None:
        """Messages are EditRequest, answers EditResponse or ErrorResponse. The newest request wins."""
        await socket.accept()
        await LiveEdits(socket, studio, run).serve()

    @app.websocket(PORT)
    async def port(socket: WebSocket) -> None:
        """Messages are PortRequest, for the port that --midi-port opened; the only answers are ErrorResponse."""
        await socket.accept()
        await serve_port(socket, studio.port)

    if page_folder().is_dir():
        app.mount("/", StaticFiles(directory=page_folder(), html=True), name="page")
    app.add_middleware(
        Guard,
        hosts=hosts,
        token=token,
        sockets=(LIVE, PORT),
        https_hosts=https_hosts,
        sessions=True,
        most=types.MOST_BYTES,
        broken=BROKEN,
    )
    return app


def _add_piece_routes(app: FastAPI, studio: Studio, run: Run) -> None:
    """Pieces and edits of them: the faders' room."""

    async def run_while_connected(request: Request, call: Callable[..., T], *arguments: Any) -> T:
        """As `run`, with a last argument that tells the call whether the client has disconnected."""
        disconnected = threading.Event()

        async def watch() -> None:
            while not await request.is_disconnected():
                await asyncio.sleep(POLL_SECONDS)
            disconnected.set()

        watching = asyncio.create_task(watch())
        try:
            return await run(call, *arguments, disconnected.is_set)
        finally:
            watching.cancel()

    @app.get("/api/about")
    async def about() -> types.AboutResponse:
        """Models, attributes, presets and bundled pieces."""
        return await run_in_threadpool(studio.about)

    @app.post("/api/pieces", responses=problems(400, 413))
    async def upload(request: Request, name: Annotated[str, Query(max_length=200)] = "untitled") -> types.PieceInfo:
        """Take a MIDI file: its bytes are the body. It is stored as long as it is used."""
        data = await request.body()
        stored = await run_in_threadpool(studio.uploads.add, name, data, session_of(request))
        return await run(studio.piece, stored.id)

    @app.get("/api/pieces/{piece}", responses=problems(404))
    async def piece(piece: str, model: str = DEFAULT_MODEL) -> types.PieceInfo:
        """A bundled or uploaded piece."""
        return await run(studio.piece, piece, model)

    @app.get("/api/pieces/{piece}/midi", responses={**MIDI, **problems(404)})
    async def source(piece: str) -> Response:
        """The original file."""
        stored = await run_in_threadpool(studio.uploads.get, piece)
        return _attachment(Download(f"{stored.id}.mid", "audio/midi", stored.data))

    @app.post("/api/edit", responses=problems(400, 404))
    async def edit(request: Request, body: edit_types.EditRequest) -> edit_types.EditResponse:
        """Move a piece's faders, once; `/api/live` is for edits that follow each other."""
        return await run_while_connected(request, studio.edit, body)

    @app.post("/api/variations", responses=problems(400, 404))
    async def variations(
        request: Request,
        body: edit_types.EditRequest,
        count: Annotated[int, Query(ge=1, le=types.MOST_VARIATIONS)] = 4,
    ) -> list[edit_types.EditResponse]:
        """Different answers to one request."""
        return await run_while_connected(request, studio.variations, body, count)

    @app.post("/api/render", responses={**FILE, **problems(400, 404)})
    async def render(request: Request, body: edit_types.RenderRequest) -> Response:
        """An edit as a file: MIDI, MusicXML, WAV, or a JSON of the requested and measured values."""
        return _attachment(await run_while_connected(request, studio.render, body))


def _add_melody_routes(app: FastAPI, studio: Studio, run: Run) -> None:
    @app.get("/api/pieces/{piece}/melody", responses=problems(400, 404))
    async def melody_of(
        piece: str, track: Annotated[str | None, Query(max_length=200)] = None
    ) -> melody_types.MelodyInfo:
        """A piece's melody as clips of two bars."""
        return await run(studio.melody.melody_of, piece, track)

    @app.post("/api/melody/turn", responses=problems(400))
    async def turn(body: melody_types.TurnRequest) -> melody_types.TurnResponse:
        """Turn the knobs of a melody."""
        return await run(studio.melody.turn, body)

    @app.post("/api/melody/grid", include_in_schema=False)  # the path until 0.2
    @app.post("/api/melody/blend", responses={200: {"model": melody_types.BlendCell}, **problems(400)})
    async def blend(body: melody_types.BlendRequest) -> Response:
        """The melodies between two, a line of JSON each."""
        cells = await run(studio.melody.blend, body)

        def next_row() -> bytes:
            return b"".join(cell.model_dump_json().encode() + b"\n" for cell in islice(cells, body.columns))

        async def lines() -> AsyncIterator[bytes]:
            while row := await run(next_row):
                yield row

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    @app.post("/api/melody/file", responses={**FILE, **problems(400)})
    async def melody_file(body: melody_types.MelodyFileRequest) -> Response:
        """A melody as a file."""
        return _attachment(await run(studio.melody.file, body))

    @app.post("/api/melody/sing", responses={**MIDI, **problems(400, 404)})
    async def edit_piece(body: melody_types.MelodyEditRequest) -> Response:
        """A piece with its melody's knobs turned, as a MIDI file."""
        return _attachment(await run(studio.melody.edit_piece, body))


def _add_inspect_routes(app: FastAPI, studio: Studio, run: Run) -> None:
    @app.get("/api/inspect/{model}", responses=problems(400))
    async def inspect(request: Request, model: str) -> inspect_types.InspectResponse:
        """What a change of the music moves in a model's codes."""
        return await run(studio.inspect.inspect, model, session_of(request))

    @app.get("/api/map/{model}", responses=problems(400))
    async def latent_map(
        request: Request, model: str, method: Annotated[str, Query(pattern="^(pca|tsne)$")] = "pca"
    ) -> inspect_types.MapInfo:
        """Segments' codes on a plane."""
        return await run(studio.inspect.map, model, method, session_of(request))

    @app.post("/api/map/decode", responses=problems(400))
    async def decode(request: Request, body: inspect_types.DecodeRequest) -> inspect_types.DecodeResponse:
        """What lies at a place of the plane."""
        return await run(studio.inspect.decode, body, session_of(request))


def _attachment(file: Download) -> Response:
    plain = file.name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "_").replace("?", "_")
    names = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name)}"
    return Response(file.data, media_type=file.media, headers={"content-disposition": names})


def _refusal(error: FadernetsError) -> tuple[int, str]:
    """The status and the text of an error."""
    return 404 if isinstance(error, UnknownPiece) else 400, str(error)
