"""The studio's HTTP server: it parses, calls `studio` and answers. Types are in `api`, the page is in `page/`.

It serves loopback alone unless a host is named, and then only who has the token (`web`). Nothing is kept but pieces,
for a while (`uploads`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import FastAPI, Query, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from fadernets import __version__
from fadernets.errors import FadernetsError
from fadernets.studio import types
from fadernets.studio.service import File, Stale, Studio
from fadernets.studio.uploads import Unknown
from fadernets.web.guard import GONE, LOOPBACK, Guard, failed, first, one_line_errors, page_folder, problems
from fadernets.web.types import Failed

LIVE, PORT = "/api/live", "/api/port"  # the sockets
LOOK = 0.2  # seconds between looks at whether a client is still there
MOST_MESSAGE = 256 * 1024  # characters of a message over the socket
BROKEN = "something broke in the studio's server; its window says what"
T = TypeVar("T")
log = logging.getLogger("fadernets.server")


def create(studio: Studio | None = None, *, hosts: tuple[str, ...] = LOOPBACK, token: str | None = None) -> FastAPI:
    """The application. hosts: names that requests may be for; token: what they must bring, unless None."""
    studio = studio or Studio()
    work = threading.Lock()  # one computation at a time: there is one core

    async def run(call: Callable[..., T], *given: Any) -> T:
        def locked() -> T:
            with work:
                return call(*given)

        return await run_in_threadpool(locked)

    async def awaited(request: Request, call: Callable[..., T], *given: Any) -> T:
        """As `run`, ended when the client goes away."""
        gone = threading.Event()

        async def watch() -> None:
            while not await request.is_disconnected():
                await asyncio.sleep(LOOK)
            gone.set()

        watching = asyncio.create_task(watch())
        try:
            return await run(call, *given, gone.is_set)
        finally:
            watching.cancel()

    app = FastAPI(title="fadernets studio", version=__version__, docs_url=None, redoc_url=None)
    one_line_errors(app, _refusal)

    @app.exception_handler(Stale)
    async def vanished(request: Request, error: Stale) -> JSONResponse:
        return JSONResponse(failed(GONE).model_dump(), 400)

    @app.get("/api/about")
    async def about() -> types.About:
        """Models, attributes, presets and bundled pieces."""
        return await run_in_threadpool(studio.about)

    @app.post("/api/pieces", responses=problems(400, 413))
    async def upload(request: Request, name: Annotated[str, Query(max_length=200)] = "untitled") -> types.PieceInfo:
        """Take a MIDI file: its bytes are the body. It is kept while it is used."""
        data = await request.body()
        kept = await run_in_threadpool(studio.uploads.add, name, data)
        return await run(studio.piece, kept.id)

    @app.get("/api/pieces/{piece}", responses=problems(404))
    async def piece(piece: str, model: str = "pop-lieder") -> types.PieceInfo:
        """A bundled or uploaded piece."""
        return await run(studio.piece, piece, model)

    @app.get("/api/pieces/{piece}/midi", responses={200: {"content": {"audio/midi": {}}}, **problems(404)})
    async def source(piece: str) -> Response:
        """The file as it came."""
        kept = await run_in_threadpool(studio.uploads.get, piece)
        return _download(File(f"{kept.id}.mid", "audio/midi", kept.data))

    @app.post("/api/edit", responses=problems(400, 404))
    async def edit(request: Request, asked: types.EditAsked) -> types.Edited:
        """Move a piece's faders, once; `/api/live` is for moves that follow each other."""
        return await awaited(request, studio.move, asked)

    @app.post("/api/variations", responses=problems(400, 404))
    async def variations(
        request: Request, asked: types.EditAsked, count: Annotated[int, Query(ge=1, le=types.MOST_VARIATIONS)] = 4
    ) -> list[types.Edited]:
        """Different answers to one request."""
        return await awaited(request, studio.variations, asked, count)

    @app.post("/api/render", responses={200: {"content": {"application/octet-stream": {}}}, **problems(400, 404)})
    async def render(request: Request, asked: types.RenderAsked) -> Response:
        """An edit as a file: MIDI, MusicXML, WAV, or a JSON of what was asked and measured."""
        return _download(await awaited(request, studio.render, asked))

    @app.get("/api/pieces/{piece}/melody", responses=problems(400, 404))
    async def melody_of(piece: str, track: Annotated[str | None, Query(max_length=200)] = None) -> types.MelodyInfo:
        """A piece's melody as clips of two bars."""
        return await run(studio.melody_of, piece, track)

    @app.post("/api/melody/turn", responses=problems(400))
    async def turn(asked: types.TurnAsked) -> types.Turned:
        """Turn the knobs of a melody."""
        return await run(studio.turn, asked)

    @app.post("/api/melody/grid", responses={200: {"model": types.Cell}, **problems(400)})
    async def grid(asked: types.GridAsked) -> Response:
        """The cells between two melodies, a line of JSON each."""
        cells = await run(studio.grid, asked)

        def row() -> bytes:
            return b"".join(cell.model_dump_json().encode() + b"\n" for cell in islice(cells, asked.columns))

        async def lines() -> AsyncIterator[bytes]:
            while some := await run(row):
                yield some

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    @app.post("/api/melody/file", responses={200: {"content": {"application/octet-stream": {}}}, **problems(400)})
    async def melody_file(asked: types.MelodyFileAsked) -> Response:
        """A melody as a file."""
        return _download(await run(studio.melody_file, asked))

    @app.post("/api/melody/sing", responses={200: {"content": {"audio/midi": {}}}, **problems(400, 404)})
    async def sing(asked: types.MelodyEditAsked) -> Response:
        """A piece with its melody's knobs turned, as a MIDI file."""
        return _download(await run(studio.sing, asked))

    @app.get("/api/inspect/{model}", responses=problems(400))
    async def inspect(model: str) -> types.Inspected:
        """What a change of the music moves in a model's codes."""
        return await run(studio.inspect, model)

    @app.get("/api/map/{model}", responses=problems(400))
    async def latent_map(model: str, method: Annotated[str, Query(pattern="^(pca|tsne)$")] = "pca") -> types.MapInfo:
        """Segments' codes on a plane."""
        return await run(studio.map, model, method)

    @app.post("/api/map/decode", responses=problems(400))
    async def decode(asked: types.DecodeAsked) -> types.Heard:
        """What lies at a place of the plane."""
        return await run(studio.decode, asked)

    @app.websocket(LIVE)
    async def live(socket: WebSocket) -> None:
        """Messages are EditAsked, answers Edited or Failed. The newest move wins: older ones are dropped."""
        await socket.accept()
        await _Live(socket, studio, run).serve()

    @app.websocket(PORT)
    async def port(socket: WebSocket) -> None:
        """Messages are PortMessage, for the port that --midi-port opened; answers Failed, where one cannot be sent."""
        await socket.accept()
        if studio.port is None:
            await socket.close(1008, "the studio has no MIDI port of its own; start it with --midi-port NAME")
            return
        try:
            while True:
                try:
                    asked = types.PortMessage.model_validate_json(await socket.receive_text())
                    if asked.silence:
                        studio.port.silence()
                    for later, message in asked.messages:
                        studio.port.send(message, later)
                except ValidationError as error:
                    await socket.send_text(Failed(error=first(error.errors())).model_dump_json())
                except FadernetsError as error:
                    await socket.send_text(Failed(error=str(error)).model_dump_json())
        except (WebSocketDisconnect, RuntimeError):
            studio.port.silence()

    if page_folder().is_dir():
        app.mount("/", StaticFiles(directory=page_folder(), html=True), name="page")
    app.add_middleware(Guard, hosts=hosts, token=token, sockets=(LIVE, PORT), most=types.MOST_BYTES, broken=BROKEN)
    return app


class _Live:
    """One page's moves."""

    def __init__(self, socket: WebSocket, studio: Studio, run: Callable[..., Any]) -> None:
        self.socket, self.studio, self.run = socket, studio, run
        self.newest: types.EditAsked | None = None
        self.come, self.gone = asyncio.Event(), False

    async def serve(self) -> None:
        tasks = [asyncio.create_task(self.listen()), asyncio.create_task(self.answer())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.gone = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def listen(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while (message := await self.socket.receive())["type"] == "websocket.receive":
                try:
                    text = message.get("text")
                    if text is None:
                        raise FadernetsError("a message of bytes; moves are text")
                    if len(text) > MOST_MESSAGE:
                        raise FadernetsError(f"a message of {len(text)} characters; at most {MOST_MESSAGE}")
                    self.newest = types.EditAsked.model_validate_json(text)
                    self.come.set()
                except ValidationError as error:
                    await self.send(failed(first(error.errors())))
                except FadernetsError as error:
                    await self.send(failed(str(error)))

    async def answer(self) -> None:
        while True:
            await self.come.wait()
            self.come.clear()
            asked, self.newest = self.newest, None
            if asked is None:
                continue
            with suppress(Stale):
                try:
                    await self.send(await self.run(self.studio.move, asked, partial(self.stale, asked)))
                except FadernetsError as error:
                    await self.send(failed(str(error), asked.seq))
                except Stale:
                    raise
                except Exception:  # one move must not end the others
                    log.exception("a move failed")
                    await self.send(failed(BROKEN, asked.seq))

    def stale(self, asked: types.EditAsked) -> bool:
        """Whether nobody waits for this move. A draft of the same piece does not end another: they may come faster
        than any is made, and the page is to follow them."""
        newest = self.newest
        if newest is None or (asked.draft and newest.draft and asked.piece == newest.piece):
            return self.gone
        return True

    async def send(self, message: types.Edited | Failed) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.socket.send_text(message.model_dump_json())


def _download(file: File) -> Response:
    plain = file.name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "_").replace("?", "_")
    names = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name)}"
    return Response(file.data, media_type=file.media, headers={"content-disposition": names})


def _refusal(error: FadernetsError) -> tuple[int, str]:
    return 404 if isinstance(error, Unknown) else 400, str(error)
