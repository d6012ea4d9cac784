"""The studio's HTTP server: it parses, calls `studio` and answers. Types are in `api`, the page is in `page/`.

It serves loopback alone unless a host is named, and then only who has the token. Requests for another host or from a
page of another origin are refused. Nothing is kept but pieces, for a while (`uploads`).
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Query, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fadernets import __version__, api
from fadernets.errors import FadernetsError
from fadernets.studio import File, Stale, Studio
from fadernets.uploads import Unknown

PORT = 8765
LIVE = "/api/live"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
COOKIE = "fadernets-token"
LOOK = 0.2  # seconds between looks at whether a client is still there
MOST_SAID = f"at most {api.MOST_BYTES} bytes are taken"
MOST_MESSAGE = 256 * 1024  # characters of a message over the socket
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}
BROKEN = "something broke in the studio's server; its window says what"
T = TypeVar("T")
log = logging.getLogger("fadernets.server")


def page_folder() -> Path:
    """Where the built page is."""
    return Path(str(resources.files("fadernets"))) / "page"


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
    _errors(app)

    @app.get("/api/about")
    async def about() -> api.About:
        """Models, attributes, presets and bundled pieces."""
        return await run_in_threadpool(studio.about)

    @app.post("/api/pieces", responses=_problems(400, 413))
    async def upload(request: Request, name: Annotated[str, Query(max_length=200)] = "untitled") -> api.PieceInfo:
        """Take a MIDI file: its bytes are the body. It is kept while it is used."""
        data = await request.body()
        kept = await run_in_threadpool(studio.uploads.add, name, data)
        return await run(studio.piece, kept.id)

    @app.get("/api/pieces/{piece}", responses=_problems(404))
    async def piece(piece: str, model: str = "pop-lieder") -> api.PieceInfo:
        """A bundled or uploaded piece."""
        return await run(studio.piece, piece, model)

    @app.get("/api/pieces/{piece}/midi", responses={200: {"content": {"audio/midi": {}}}, **_problems(404)})
    async def source(piece: str) -> Response:
        """The file as it came."""
        kept = await run_in_threadpool(studio.uploads.get, piece)
        return _download(File(f"{kept.id}.mid", "audio/midi", kept.data))

    @app.post("/api/edit", responses=_problems(400, 404))
    async def edit(request: Request, asked: api.EditAsked) -> api.Edited:
        """Move a piece's faders, once; `/api/live` is for moves that follow each other."""
        return await awaited(request, studio.move, asked)

    @app.post("/api/variations", responses=_problems(400, 404))
    async def variations(
        request: Request, asked: api.EditAsked, count: Annotated[int, Query(ge=1, le=api.MOST_VARIATIONS)] = 4
    ) -> list[api.Edited]:
        """Different answers to one request."""
        return await awaited(request, studio.variations, asked, count)

    @app.post("/api/render", responses={200: {"content": {"application/octet-stream": {}}}, **_problems(400, 404)})
    async def render(request: Request, asked: api.RenderAsked) -> Response:
        """An edit as a file: MIDI, MusicXML, WAV, or a JSON of what was asked and measured."""
        return _download(await awaited(request, studio.render, asked))

    @app.get("/api/pieces/{piece}/melody", responses=_problems(400, 404))
    async def melody_of(piece: str, track: Annotated[str | None, Query(max_length=200)] = None) -> api.MelodyInfo:
        """A piece's melody as clips of two bars."""
        return await run(studio.melody_of, piece, track)

    @app.post("/api/melody/turn", responses=_problems(400))
    async def turn(asked: api.TurnAsked) -> api.Turned:
        """Turn the knobs of a melody."""
        return await run(studio.turn, asked)

    @app.post("/api/melody/grid", responses={200: {"model": api.Cell}, **_problems(400)})
    async def grid(asked: api.GridAsked) -> Response:
        """The cells between two melodies, a line of JSON each."""
        cells = await run(studio.grid, asked)

        async def lines() -> AsyncIterator[bytes]:
            while (cell := await run(next, cells, None)) is not None:
                yield cell.model_dump_json().encode() + b"\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    @app.post("/api/melody/file", responses={200: {"content": {"application/octet-stream": {}}}, **_problems(400)})
    async def melody_file(asked: api.MelodyFileAsked) -> Response:
        """A melody as a file."""
        return _download(await run(studio.melody_file, asked))

    @app.post("/api/melody/sing", responses={200: {"content": {"audio/midi": {}}}, **_problems(400, 404)})
    async def sing(asked: api.MelodyEditAsked) -> Response:
        """A piece with its melody's knobs turned, as a MIDI file."""
        return _download(await run(studio.sing, asked))

    @app.get("/api/inspect/{model}", responses=_problems(400))
    async def inspect(model: str) -> api.Inspected:
        """What a change of the music moves in a model's codes."""
        return await run(studio.inspect, model)

    @app.get("/api/map/{model}", responses=_problems(400))
    async def latent_map(model: str, method: Annotated[str, Query(pattern="^(pca|tsne)$")] = "pca") -> api.MapInfo:
        """Segments' codes on a plane."""
        return await run(studio.map, model, method)

    @app.post("/api/map/decode", responses=_problems(400))
    async def decode(asked: api.DecodeAsked) -> api.Heard:
        """What lies at a place of the plane."""
        return await run(studio.decode, asked)

    @app.websocket(LIVE)
    async def live(socket: WebSocket) -> None:
        """Messages are EditAsked, answers Edited or Failed. The newest move wins: older ones are dropped."""
        await socket.accept()
        await _Live(socket, studio, run).serve()

    @app.websocket("/api/port")
    async def port(socket: WebSocket) -> None:
        """Messages are PortMessage, for the port that --midi-port opened; answers Failed, where one cannot be sent."""
        await socket.accept()
        if studio.port is None:
            await socket.close(1008, "the studio has no MIDI port of its own; start it with --midi-port NAME")
            return
        try:
            while True:
                try:
                    asked = api.PortMessage.model_validate_json(await socket.receive_text())
                    if asked.silence:
                        studio.port.silence()
                    for later, message in asked.messages:
                        studio.port.send(message, later)
                except ValidationError as error:
                    await socket.send_text(api.Failed(error=_first(error.errors())).model_dump_json())
                except FadernetsError as error:
                    await socket.send_text(api.Failed(error=str(error)).model_dump_json())
        except (WebSocketDisconnect, RuntimeError):
            studio.port.silence()

    if page_folder().is_dir():
        app.mount("/", StaticFiles(directory=page_folder(), html=True), name="page")
    app.add_middleware(Guard, hosts=hosts, token=token)
    return app


class _Live:
    """One page's moves."""

    def __init__(self, socket: WebSocket, studio: Studio, run: Callable[..., Any]) -> None:
        self.socket, self.studio, self.run = socket, studio, run
        self.newest: api.EditAsked | None = None
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
                    self.newest = api.EditAsked.model_validate_json(text)
                    self.come.set()
                except ValidationError as error:
                    await self.send(_failed(_first(error.errors())))
                except FadernetsError as error:
                    await self.send(_failed(str(error)))

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
                    await self.send(_failed(str(error), asked.seq))
                except Stale:
                    raise
                except Exception:  # one move must not end the others
                    log.exception("a move failed")
                    await self.send(_failed(BROKEN, asked.seq))

    def stale(self, asked: api.EditAsked) -> bool:
        """Whether nobody waits for this move. A draft of the same piece does not end another: they may come faster
        than any is made, and the page is to follow them."""
        newest = self.newest
        if newest is None or (asked.draft and newest.draft and asked.piece == newest.piece):
            return self.gone
        return True

    async def send(self, message: api.Edited | api.Failed) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.socket.send_text(message.model_dump_json())


class Guard:
    """Refuses requests for other hosts, from pages of other origins, and without the token; adds the headers that keep
    the page to itself."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...], token: str | None) -> None:
        self.app, self.hosts, self.token = app, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        why = self.refuses(headers, scope)
        given, read, begun = _query(scope).get("token"), 0, False

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > api.MOST_BYTES:
                raise HTTPException(413, f"the body is longer than may be; {MOST_SAID}")
            return message

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                more = dict(HEADERS)
                if scope["path"].startswith("/api/"):
                    more["cache-control"] = "no-store"
                elif "/assets/" not in scope["path"]:
                    more["cache-control"] = "no-cache"
                if self.token is not None and given is not None and why is None:
                    more["set-cookie"] = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict"
                added = [(name.encode(), value.encode()) for name, value in more.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        if why:
            await self.refuse(scope, receive, sent, *why)
        elif scope["type"] == "websocket":
            await self.app(scope, receive, sent)
        else:
            try:
                await self.app(scope, limited, sent)
            except Exception:
                if begun:
                    raise
                log.exception("a request failed")
                await JSONResponse(_failed(BROKEN).model_dump(), 500)(scope, receive, sent)

    def refuses(self, headers: dict[str, str], scope: Scope) -> tuple[int, str] | None:
        """Status and reason, None for what may pass."""
        host = headers.get("host", "")
        if hostname(host) not in self.hosts:
            return 421, f"host {host[:100]!r} is not served here"
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != host:
            return 403, f"origin {origin[:100]!r} is another page's"
        if self.token is not None and not self._known(headers, scope):
            return (
                401,
                "this studio needs the token that its address was given out with: open it as http://...?token=...",
            )
        if scope["type"] == "websocket" and scope["path"] != LIVE:
            return 403, f"there is no socket but {LIVE}"
        said = headers.get("content-length", "")
        if said.isdecimal() and int(said) > api.MOST_BYTES:
            return 413, f"a file of {said} bytes; {MOST_SAID}"
        return None

    def _known(self, headers: dict[str, str], scope: Scope) -> bool:
        cookies = [part.strip().partition("=") for part in headers.get("cookie", "").split(";")]
        brought = [value for name, _, value in cookies if name == COOKIE]
        brought += [headers.get("authorization", "").removeprefix("Bearer "), _query(scope).get("token", "")]
        return any(hmac.compare_digest(each.encode(), (self.token or "").encode()) for each in brought)

    async def refuse(self, scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": why[:120]})
            return
        await JSONResponse(_failed(why).model_dump(), status)(scope, receive, send)


def hostname(host: str) -> str:
    """The name in a Host header, without the port."""
    return host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0].lower()


def _netloc(origin: str) -> str | None:
    with suppress(ValueError):
        return urlsplit(origin).netloc
    return None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound there."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _query(scope: Scope) -> dict[str, str]:
    from urllib.parse import parse_qsl

    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))


def _download(file: File) -> Response:
    plain = file.name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "_").replace("?", "_")
    names = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name)}"
    return Response(file.data, media_type=file.media, headers={"content-disposition": names})


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": api.Failed} for status in (*statuses, 422)}


def _errors(app: FastAPI) -> None:
    """Every error is one line of JSON."""

    def failed(status: int, text: str) -> JSONResponse:
        return JSONResponse(_failed(text).model_dump(), status)

    @app.exception_handler(FadernetsError)
    async def refused(request: Request, error: FadernetsError) -> JSONResponse:
        return failed(404 if isinstance(error, Unknown) else 400, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return failed(422, _first(error.errors()))

    @app.exception_handler(ClientDisconnect)
    @app.exception_handler(Stale)
    async def vanished(request: Request, error: Exception) -> JSONResponse:
        return failed(400, "the client went away")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return failed(error.status_code, str(error.detail))


def _failed(text: str, seq: int | None = None) -> api.Failed:
    """Why, in one line of characters that can be sent."""
    return api.Failed(seq=seq, error=" ".join(text.split()).encode(errors="replace").decode())


def _first(errors: Any) -> str:
    """The first problem with what came in, in one line."""
    row = errors[0]
    where = ".".join(str(part) for part in row["loc"] if part != "body")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{where}: {row['msg']}{more}" if where else f"{row['msg']}{more}"
