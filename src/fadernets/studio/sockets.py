"""The studio's two WebSockets: `/api/live` for edits that follow each other, `/api/port` for the MIDI port."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from fadernets.errors import FadernetsError
from fadernets.studio.edit_types import EditRequest, EditResponse, PortRequest
from fadernets.studio.midi_port import MidiPort
from fadernets.studio.service import StaleRequest, Studio
from fadernets.web.guard import error_response, first_problem
from fadernets.web.types import ErrorResponse

LIVE, PORT = "/api/live", "/api/port"
MOST_MESSAGE = 256 * 1024  # characters of one message
BROKEN = "something broke in the studio's server; its window says what"
log = logging.getLogger("fadernets.server")


class LiveEdits:
    """The edits that one page requests while its faders move: the newest request wins, and older ones are dropped.

    run: computes a call in a thread, one at a time for the whole server.
    """

    def __init__(self, socket: WebSocket, studio: Studio, run: Callable[..., Any]) -> None:
        self.socket, self.studio, self.run = socket, studio, run
        self.newest: EditRequest | None = None
        self.arrived, self.closed = asyncio.Event(), False

    async def serve(self) -> None:
        """Answer until the page closes the socket."""
        tasks = [asyncio.create_task(self.receive_all()), asyncio.create_task(self.answer_all())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.closed = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def receive_all(self) -> None:
        """Keep the newest request; answer messages that are none with an error."""
        with suppress(WebSocketDisconnect, RuntimeError):
            while (message := await self.socket.receive())["type"] == "websocket.receive":
                try:
                    text = message.get("text")
                    if text is None:
                        raise FadernetsError("a message of bytes; moves are text")
                    if len(text) > MOST_MESSAGE:
                        raise FadernetsError(f"a message of {len(text)} characters; at most {MOST_MESSAGE}")
                    self.newest = EditRequest.model_validate_json(text)
                    self.arrived.set()
                except ValidationError as error:
                    await self.send(error_response(first_problem(error.errors())))
                except FadernetsError as error:
                    await self.send(error_response(str(error)))

    async def answer_all(self) -> None:
        """Answer the newest request, again and again; a request that fails does not end the others."""
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            request, self.newest = self.newest, None
            if request is None:
                continue
            with suppress(StaleRequest):
                try:
                    await self.send(await self.run(self.studio.edit, request, partial(self.is_stale, request)))
                except FadernetsError as error:
                    await self.send(error_response(str(error), request.seq))
                except StaleRequest:
                    raise
                except Exception:
                    log.exception("an edit failed")
                    await self.send(error_response(BROKEN, request.seq))

    def is_stale(self, request: EditRequest) -> bool:
        """Whether nobody waits for the answer to a request any more.

        A draft does not make another draft of the same piece stale: drafts may come faster than they can be computed,
        and the page is to show some of them.
        """
        newest = self.newest
        if newest is None or (request.draft and newest.draft and request.piece == newest.piece):
            return self.closed
        return True

    async def send(self, message: EditResponse | ErrorResponse) -> None:
        """Send a message unless the page has closed the socket."""
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.socket.send_text(message.model_dump_json())


async def serve_port(socket: WebSocket, port: MidiPort | None) -> None:
    """Send a page's messages to the MIDI port until the page closes the socket; then end every note."""
    if port is None:
        await socket.close(1008, "the studio has no MIDI port of its own; start it with --midi-port NAME")
        return
    try:
        while True:
            try:
                request = PortRequest.model_validate_json(await socket.receive_text())
                if request.silence:
                    port.silence()
                for seconds, message in request.messages:
                    port.send(message, seconds)
            except ValidationError as error:
                await socket.send_text(ErrorResponse(error=first_problem(error.errors())).model_dump_json())
            except FadernetsError as error:
                await socket.send_text(ErrorResponse(error=str(error)).model_dump_json())
    except (WebSocketDisconnect, RuntimeError):
        port.silence()
