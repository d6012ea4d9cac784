"""The studio's HTTP server: it parses requests, has them computed and answers; the page is in `fadernets/page`.

What is computed waits for its turn (`turns`) and runs elsewhere (`calls`, `workers`), until nobody waits for it. It
serves loopback alone unless a host is named, and then only clients with the token (`fadernets.web.guard`). It stores
nothing but pieces, for a while (`stored_files`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Protocol
from urllib.parse import quote

from fastapi import FastAPI, Query, Request, Response, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from fadernets import __version__
from fadernets.editing.lock_requests import MOST_LOCKS
from fadernets.engines.model_folder import DEFAULT_MODEL
from fadernets.errors import FadernetsError
from fadernets.studio import edit_types, inspect_types, melody_types, types
from fadernets.studio.calls import Answer, Call, Computer, InThreads, Tell
from fadernets.studio.downloads import Download, original
from fadernets.studio.folder_routes import add_folder_routes
from fadernets.studio.service import Studio
from fadernets.studio.sockets import BROKEN, LIVE, MOST_MESSAGE, PORT, LiveEdits, serve_port
from fadernets.studio.stored_files import UnknownPiece, id_of
from fadernets.studio.turns import Busy, StaleRequest, Stop, Turns
from fadernets.studio.watched_folder import WatchedFolder
from fadernets.web.fader_requests import MOST_VARIATIONS
from fadernets.web.guard import (
    DISCONNECTED,
    LOOPBACK,
    Guard,
    client_of,
    error_response,
    one_line_errors,
    page_folder,
    problems,
    session_of,
)
from fadernets.web.piece_limits import MOST_BYTES

POLL_SECONDS = 0.2  # between two checks whether a client is still connected
MOST_TOLD = 16 * 2**20  # bytes of answers about pieces that are kept
MOST_BODIES = 24  # uploads that are received at once
CHUNK = 256 * 1024  # bytes of a file that are sent at once
FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
MIDI: dict[int | str, dict[str, Any]] = {200: {"content": {"audio/midi": {}}}}


class Compute(Protocol):
    """Has a call of the studio computed when it is its client's turn, until the client has gone."""

    async def __call__(self, request: Request, what: Call, *arguments: Any) -> Response:
        """The answer of the studio to a call."""


def create(
    studio: Studio | None = None,
    *,
    computer: Computer | None = None,
    hosts: tuple[str, ...] = LOOPBACK,
    token: str | None = None,
    https_hosts: tuple[str, ...] = (),
    folder: WatchedFolder | None = None,
) -> FastAPI:
    """The application.

    computer: what computes for the files of `studio`, which else does so itself, in this process. hosts: names that
    requests may be for. token: what they must bring, unless None. https_hosts: those of `hosts` that a reverse proxy
    shows by https. folder: whose files are pieces too, for every client.
    """
    studio = studio or Studio()
    computer = computer or InThreads(studio)
    turns, leaving = Turns(computer.places), set[asyncio.Task[None]]()

    async def leave(client: str, stop: Stop, computing: asyncio.Task[Answer]) -> None:
        try:
            await asyncio.wait([computing])
            unread = computing.exception() is None and stop.is_set()
            if unread and isinstance(answer := computing.result(), Download) and answer.path:
                answer.path.unlink(missing_ok=True)
            await run_in_threadpool(computer.settle, stop)
        finally:
            turns.leave(client)

    async def run(client: str, what: Call, arguments: tuple[Any, ...], stop: Stop, tell: Tell | None = None) -> Answer:
        await turns.take(client, stop)
        # A socket that closes cancels this while its thread computes: the place is free once the thread has ended.
        computing = asyncio.create_task(run_in_threadpool(computer.call, what, arguments, stop, tell))
        leaving.add(task := asyncio.create_task(leave(client, stop, computing)))
        task.add_done_callback(leaving.discard)
        try:
            return await asyncio.shield(computing)
        except asyncio.CancelledError:
            stop.set()
            raise

    async def computed(request: Request, what: Call, *arguments: Any) -> Answer:
        stop = Stop()

        async def watch() -> None:
            while not await request.is_disconnected():
                await asyncio.sleep(POLL_SECONDS)
            stop.set()

        watching = asyncio.create_task(watch())
        try:
            return await run(client_of(request), what, arguments, stop)
        finally:
            watching.cancel()

    async def compute(request: Request, what: Call, *arguments: Any) -> Response:
        answer = await computed(request, what, *arguments)
        return _attachment(answer) if isinstance(answer, Download) else Response(answer, media_type="application/json")

    app = FastAPI(title="fadernets studio", version=__version__, docs_url=None, redoc_url=None)
    one_line_errors(app, _refusal)

    @app.exception_handler(StaleRequest)
    async def disconnected(request: Request, error: StaleRequest) -> JSONResponse:
        return JSONResponse(error_response(DISCONNECTED).model_dump(), 400)

    async def render(request: Request, body: edit_types.RenderRequest) -> Download:
        answer = await computed(request, Call.RENDER, body)
        if not isinstance(answer, Download):
            raise TypeError("the studio's render gave no file")
        return answer

    _add_piece_routes(app, studio, compute)
    add_folder_routes(app, folder, render)
    _add_melody_routes(app, compute)
    _add_inspect_routes(app, compute)

    @app.websocket(LIVE)
    async def live(socket: WebSocket) -> None:
        """Messages are EditRequest, answers EditResponse or ErrorResponse. The newest request wins; "stop" ends it."""
        await socket.accept()
        await LiveEdits(socket, partial(run, client_of(socket), Call.EDIT)).serve()

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
        most=MOST_MESSAGE,
        most_at={"/api/pieces": MOST_BYTES},
        broken=BROKEN,
    )
    return app


def _add_piece_routes(app: FastAPI, studio: Studio, compute: Compute) -> None:
    """Pieces and edits of them: the faders' room."""
    told = _Told()
    bodies = asyncio.Semaphore(MOST_BODIES)

    @app.get("/api/about")
    async def about() -> types.AboutResponse:
        """Models, attributes, presets and bundled pieces."""
        return await run_in_threadpool(studio.about)

    @app.post("/api/pieces", response_model=types.PieceInfo, responses=problems(400, 413, 429, 503))
    async def upload(request: Request, name: Annotated[str, Query(max_length=200)] = "untitled") -> Response:
        """Take a MIDI or MusicXML file: its bytes are the body. It is stored as long as it is used."""
        if bodies.locked():
            raise Busy(503, "the studio receives too many files at once; try again in a moment")
        async with bodies:
            data = await request.body()
        owner = session_of(request)
        told.forget(id_of(data, owner))
        return await compute(request, Call.ADD, name, data, owner)

    @app.get("/api/pieces/{piece}", response_model=types.PieceInfo, responses=problems(404, 429, 503))
    async def piece(request: Request, piece: str, model: str = DEFAULT_MODEL) -> Response:
        """A bundled or uploaded piece."""
        studio.uploads.files.title(piece)
        known = told.answers.get((piece, model))
        if known is not None:
            return Response(known, media_type="application/json")
        response = await compute(request, Call.PIECE, piece, model)
        told.keep(piece, model, bytes(response.body))
        return response

    @app.get("/api/pieces/{piece}/midi", responses={**MIDI, **problems(404)})
    async def source(piece: str) -> Response:
        """The original file."""
        stored = studio.uploads.files.get(piece)
        return _attachment(original(stored.id, stored.data))

    @app.get("/api/describe", response_model=edit_types.DescribeResponse, responses=problems(400, 404, 429, 503))
    async def describe(
        request: Request,
        piece: Annotated[str, Query(max_length=200)],
        model: Annotated[str, Query(max_length=200)] = DEFAULT_MODEL,
        tracks: Annotated[str | None, Query(max_length=200)] = None,
        bars: Annotated[str | None, Query(max_length=200)] = None,
        only: Annotated[str | None, Query(max_length=200)] = None,
        keep: Annotated[list[str] | None, Query(max_length=MOST_LOCKS)] = None,
    ) -> Response:
        """Each fader's unit, range and value, and how far it can go in bars (5-8) on tracks (1,3) under locks."""
        return await compute(request, Call.DESCRIBE, piece, model, tracks, bars, only, keep)

    @app.post("/api/describe", response_model=edit_types.DescribeResponse, responses=problems(400, 404, 429, 503))
    async def describe_region(request: Request, body: edit_types.DescribeRequest) -> Response:
        """The same of a region's bars, tracks and locks, on what the earlier regions left."""
        return await compute(request, Call.DESCRIBE_REGION, body)

    @app.post("/api/edit", response_model=edit_types.EditResponse, responses=problems(400, 404, 429, 503))
    async def edit(request: Request, body: edit_types.EditRequest) -> Response:
        """Move a piece's faders, once; `/api/live` is for edits that follow each other."""
        return await compute(request, Call.EDIT, body)

    @app.post("/api/variations", response_model=list[edit_types.EditResponse], responses=problems(400, 404, 429, 503))
    async def variations(
        request: Request,
        body: edit_types.EditRequest,
        count: Annotated[int, Query(ge=1, le=MOST_VARIATIONS)] = 4,
    ) -> Response:
        """Different answers to one request."""
        return await compute(request, Call.VARIATIONS, body, count)

    @app.post("/api/render", responses={**FILE, **problems(400, 404, 429, 503)})
    async def render(request: Request, body: edit_types.RenderRequest) -> Response:
        """An edit as a file: MIDI, MusicXML, WAV, or a JSON of the requested and measured values."""
        return await compute(request, Call.RENDER, body)


def _add_melody_routes(app: FastAPI, compute: Compute) -> None:
    @app.get(
        "/api/pieces/{piece}/melody",
        response_model=melody_types.MelodyInfo,
        responses=problems(400, 404, 429, 503),
    )
    async def melody_of(
        request: Request, piece: str, track: Annotated[str | None, Query(max_length=200)] = None
    ) -> Response:
        """A piece's melody as clips of two bars."""
        return await compute(request, Call.MELODY, piece, track)

    @app.get("/api/melody/dimensions", response_model=melody_types.SlidersInfo, responses=problems(400, 429, 503))
    async def dimensions(request: Request) -> Response:
        """The dimensions of a melody's code by the knob that they belong to."""
        return await compute(request, Call.SLIDERS)

    @app.post("/api/melody/turn", response_model=melody_types.TurnResponse, responses=problems(400, 429, 503))
    async def turn(request: Request, body: melody_types.TurnRequest) -> Response:
        """Turn the knobs of a melody."""
        return await compute(request, Call.TURN, body)

    @app.post("/api/melody/grid", include_in_schema=False)  # the path until 0.2
    @app.post("/api/melody/blend", responses={200: {"model": melody_types.BlendCell}, **problems(400, 429, 503)})
    async def blend(request: Request, body: melody_types.BlendRequest) -> Response:
        """The melodies between two, a line of JSON each."""
        response = await compute(request, Call.BLEND, body)
        response.headers["content-type"] = "application/x-ndjson"
        return response

    @app.post("/api/melody/file", responses={**FILE, **problems(400, 429, 503)})
    async def melody_file(request: Request, body: melody_types.MelodyFileRequest) -> Response:
        """A melody as a file."""
        return await compute(request, Call.MELODY_FILE, body)

    @app.post("/api/melody/sing", responses={**FILE, **problems(400, 404, 429, 503)})
    async def edit_piece(request: Request, body: melody_types.MelodyEditRequest) -> Response:
        """A piece with its melody's knobs turned, as a MIDI file, or as the score that it came as."""
        return await compute(request, Call.EDIT_MELODY, body)


def _add_inspect_routes(app: FastAPI, compute: Compute) -> None:
    @app.get(
        "/api/inspect/{model:path}", response_model=inspect_types.InspectResponse, responses=problems(400, 429, 503)
    )
    async def inspect(request: Request, model: str) -> Response:
        """What a change of the music moves in a model's codes."""
        return await compute(request, Call.INSPECT, model)

    @app.get("/api/map/{model:path}", response_model=inspect_types.MapInfo, responses=problems(400, 429, 503))
    async def latent_map(
        request: Request, model: str, method: Annotated[str, Query(pattern="^(pca|tsne)$")] = "pca"
    ) -> Response:
        """Segments' codes on a plane."""
        return await compute(request, Call.MAP, model, method, session_of(request))

    @app.post("/api/map/decode", response_model=inspect_types.DecodeResponse, responses=problems(400, 429, 503))
    async def decode(request: Request, body: inspect_types.DecodeRequest) -> Response:
        """What lies at a place of the plane."""
        return await compute(request, Call.DECODE, body, session_of(request))


class _Told:
    """Answers about pieces, up to MOST_TOLD bytes of them: a piece that was told of before waits for nobody."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], bytes] = {}  # by piece and model, the oldest first

    def keep(self, piece: str, model: str, answer: bytes) -> None:
        """Keep an answer, and let go of the oldest where they are too many."""
        self.answers[piece, model] = answer
        while sum(map(len, self.answers.values())) > MOST_TOLD:
            del self.answers[next(iter(self.answers))]

    def forget(self, piece: str) -> None:
        """Let go of the answers about a piece."""
        for key in [key for key in self.answers if key[0] == piece]:
            del self.answers[key]


def _attachment(file: Download) -> Response:
    plain = file.name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "_").replace("?", "_")
    names = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name)}"
    headers = {"content-disposition": names}
    if file.path is None:
        return Response(file.data, media_type=file.media, headers=headers)
    headers["content-length"] = str(file.path.stat().st_size)
    return StreamingResponse(_chunks(file.path), media_type=file.media, headers=headers)


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, which is removed."""
    try:
        with path.open("rb") as file:
            with suppress(OSError):  # a system that keeps open files removes it below
                path.unlink()
            while chunk := file.read(CHUNK):
                yield chunk
    finally:
        path.unlink(missing_ok=True)


def _refusal(error: FadernetsError) -> tuple[int, str]:
    """The status and the text of an error."""
    status = error.status if isinstance(error, Busy) else 404 if isinstance(error, UnknownPiece) else 400
    return status, str(error)
