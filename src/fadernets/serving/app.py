"""The HTTP API of `fadernets serve`: it parses requests, hands them to the pool and answers."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from fadernets import __version__
from fadernets.engines.model_folder import DEFAULT_MODEL
from fadernets.errors import FadernetsError, in_megabytes
from fadernets.serving import metrics as metrics_
from fadernets.serving import types
from fadernets.serving.client_limits import ClientLimits
from fadernets.serving.metrics import Metrics
from fadernets.serving.pool import Pool
from fadernets.serving.refusals import Refusal
from fadernets.serving.request_log import Requests, client_by
from fadernets.serving.stores import PieceStore
from fadernets.serving.worker_process import Answer
from fadernets.web.guard import LOOPBACK, Guard, error_response, one_line_errors, problems
from fadernets.web.models import Models
from fadernets.web.piece_limits import MOST_BYTES

BROKEN = "something broke in the server; its log says where"
MOST_BODY = types.MOST_BASE64 + 2**20  # bytes of a request: a file as base64, and faders for every bar
SWEEP_SECONDS = 60.0  # between two looks for stored pieces that are too old
MIDI = "audio/midi"

log = logging.getLogger("fadernets.serving")


def create(
    pool: Pool,
    store: PieceStore,
    models: Models,
    metrics: Metrics,
    *,
    limits: ClientLimits | None = None,
    hosts: tuple[str, ...] = LOOPBACK,
    client_header: str | None = None,
) -> FastAPI:
    """The application, which begins the pool and closes it. Its `state.open` holds a mark for each open request.

    hosts: names that requests may be for. client_header: in which a proxy says whom a request is from.
    """
    limits = limits or ClientLimits()
    client_of = client_by(client_header)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool.begin()
        sweeping = asyncio.create_task(_sweep(store))
        yield
        sweeping.cancel()
        await pool.close()

    app = FastAPI(title="fadernets serve", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.open = set()
    one_line_errors(app, lambda error: (400, str(error)))

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> JSONResponse:
        more = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
        return JSONResponse(error_response(str(error)).model_dump(), error.status, more)

    @app.post(
        "/v1/edit",
        response_model=types.EditResponse,
        responses={200: {"content": {MIDI: {}}}, **problems(400, 404, 413, 429, 500, 503, 504)},
    )
    async def edit(request: Request, body: types.EditRequest) -> Response:
        """Move the faders of a piece. With `Accept: audio/midi` the answer is the file itself."""
        with limits.taken(client_of(request)):
            data = body.brought()
            if data is None:
                data = await run_in_threadpool(store.get, body.piece or "")
            call = pool.call("edit", (body.model_copy(update={"midi": None}), data))
            answer: Answer = await _unless_gone(request, call)
        metrics.edits.labels(answer.model).inc()
        if MIDI in request.headers.get("accept", ""):
            return Response(answer.midi, media_type=MIDI)
        return Response(_json(answer), media_type="application/json")

    @app.post("/v1/pieces", status_code=201, responses=problems(400, 413, 429, 500, 503, 504))
    async def store_piece(request: Request) -> types.StoredPiece:
        """Store a MIDI or MusicXML file, whose bytes are the body, for edits to come."""
        with limits.taken(client_of(request)):
            data = await request.body()
            if len(data) > MOST_BYTES:
                raise Refusal(413, f"a file of {in_megabytes(len(data))}; at most {in_megabytes(MOST_BYTES)} are taken")
            await _unless_gone(request, pool.call("check", data))
            piece = await run_in_threadpool(store.put, data)
        return types.StoredPiece(piece=piece, bytes=len(data), hours=store.keep / 3600)

    @app.delete("/v1/pieces/{piece}", status_code=204, responses=problems(404, 429, 503))
    async def remove_piece(request: Request, piece: str) -> Response:
        """Forget a stored piece."""
        with limits.taken(client_of(request)):
            await run_in_threadpool(store.remove, piece)
        return Response(status_code=204)

    @app.get("/v1/models")
    async def list_models() -> types.ModelsResponse:
        """The models that the server offers."""
        offered = await run_in_threadpool(models.describe)
        return types.ModelsResponse(version=__version__, default=DEFAULT_MODEL, models=offered)

    @app.get("/healthz", response_model=types.Health, responses={503: {"model": types.Health}})
    async def health() -> JSONResponse:
        """Whether requests are taken: 503 before the first worker is ready, and once the server is stopping."""
        status = "stopping" if pool.is_stopping else "ok" if pool.alive else "starting"
        found = types.Health(status=status, workers=pool.alive, waiting=pool.waiting)
        return JSONResponse(found.model_dump(), 200 if status == "ok" else 503)

    @app.get("/metrics", include_in_schema=False)
    async def tell_metrics() -> Response:
        return Response(metrics.text(), headers={"content-type": metrics_.CONTENT_TYPE})

    app.add_middleware(Guard, hosts=hosts, most=MOST_BODY, most_at={"/v1/pieces": MOST_BYTES}, broken=BROKEN)
    app.add_middleware(Requests, metrics=metrics, client_of=client_of, open=app.state.open)
    return app


async def _unless_gone(request: Request, call: Awaitable[Any]) -> Any:
    """The result of a call, which is stopped once the client has gone."""
    calling = asyncio.ensure_future(call)

    async def watch() -> None:
        with suppress(Exception):
            while (await request.receive())["type"] != "http.disconnect":
                pass
        calling.cancel()

    watching = asyncio.create_task(watch())
    try:
        return await calling
    except asyncio.CancelledError:
        if watching.done():
            raise FadernetsError("the client went away") from None
        calling.cancel()
        raise
    finally:
        watching.cancel()


async def _sweep(store: PieceStore) -> None:
    while True:
        try:
            await run_in_threadpool(store.sweep)
        except Refusal:  # of a store that cannot be reached: requests say so
            pass
        except Exception:  # whatever it is, old pieces have to go the next time
            log.exception("old pieces could not be removed")
        await asyncio.sleep(SWEEP_SECONDS)


def _json(answer: Answer) -> bytes:
    """EditResponse of an answer, whose report is JSON already."""
    head = types.EditResponse(
        model=answer.model, midi=base64.b64encode(answer.midi).decode(), log_odds=answer.log_odds, report={}
    ).model_dump_json(exclude={"report"})
    return f'{head[:-1]},"report":{answer.report}}}'.encode()
