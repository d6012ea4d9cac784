"""The studio's two WebSockets: `/api/live` for edits that follow each other, `/api/port` for the MIDI port."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError
from starlette.types import Message

from fadernets.errors import FadernetsError
from fadernets.studio.calls import Answer, Tell
from fadernets.studio.edit_types import EditRequest, PortRequest
from fadernets.studio.midi_port import MidiPort
from fadernets.studio.turns import StaleRequest, Stop
from fadernets.web.guard import error_response, first_problem
from fadernets.web.types import ErrorResponse

LIVE, PORT = "/api/live", "/api/port"
MOST_MESSAGE = 768 * 1024  # characters of one message: a layer of 20,000 notes has up to 600,000
STOP = '"stop"'  # the message that nobody waits any more
LONGEST_SEND = 10.0  # seconds that what is told may wait for a slow page
BROKEN = "something broke in the studio's server; its window says what"
SEQ = re.compile(r'"seq"\s*:\s*(\d{1,15})\s*[,}]')  # in a message that may not be JSON at all
log = logging.getLogger("fadernets.server")


class LiveEdits:
    """The edits that one page requests while its faders move: the newest request wins, and older ones are dropped.

    run: computes an edit when it is the page's turn, until nobody waits for it; it tells, in another thread, of what is
    there before the answer.
    """

    def __init__(self, socket: WebSocket, run: Callable[[tuple[EditRequest], Stop, Tell], Awaitable[Answer]]) -> None:
        self.socket, self.run = socket, run
        self.newest: EditRequest | None = None
        self.running: tuple[EditRequest, Stop] | None = None
        self.arrived = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    async def serve(self) -> None:
        """Answer until the page closes the socket."""
        tasks = [asyncio.create_task(self.receive_all()), asyncio.create_task(self.answer_all())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self.running:
                self.running[1].set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def receive_all(self) -> None:
        """Keep the newest request; answer messages that are none with an error."""
        with suppress(WebSocketDisconnect, RuntimeError):
            while (message := await self.socket.receive())["type"] == "websocket.receive":
                try:
                    text = _text(message)
                    if text == STOP:
                        self.stop()
                        continue
                    self.newest = EditRequest.model_validate_json(text)
                    self.arrived.set()
                    self.stop_older(self.newest)
                except ValidationError as error:
                    await self.send(error_response(first_problem(error.errors()), _seq_of(message.get("text"))))
                except FadernetsError as error:
                    await self.send(error_response(str(error), _seq_of(message.get("text"))))

    async def answer_all(self) -> None:
        """Answer the newest request, again and again; a request that fails does not end the others."""
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            request, self.newest = self.newest, None
            if request is None:
                continue
            stop = Stop()
            self.running = request, stop
            with suppress(StaleRequest):
                try:
                    await self.send(await self.run((request,), stop, self.tell))
                except FadernetsError as error:
                    await self.send(error_response(str(error), request.seq))
                except StaleRequest:
                    raise
                except Exception:
                    log.exception("an edit failed")
                    await self.send(error_response(BROKEN, request.seq))

    def tell(self, message: bytes) -> None:
        """Send a message from another thread, and wait until it is sent, so that what is told comes in order."""
        sent = asyncio.run_coroutine_threadsafe(self.send(message), self.loop)
        with suppress(TimeoutError):
            sent.result(LONGEST_SEND)

    def stop(self) -> None:
        """End what is computed and what waits."""
        self.newest = None
        if self.running:
            self.running[1].set()

    def stop_older(self, newest: EditRequest) -> None:
        """End what is computed, since a newer request has come.

        A draft does not end another draft of the same piece: drafts may come faster than they can be computed, and the
        page is to show some of them.
        """
        if self.running:
            request, stop = self.running
            if not (request.draft and newest.draft and request.piece == newest.piece):
                stop.set()

    async def send(self, message: ErrorResponse | Answer) -> None:
        """Send a message unless the page has closed the socket."""
        with suppress(WebSocketDisconnect, RuntimeError):
            if isinstance(message, ErrorResponse):
                message = message.model_dump_json().encode()
            if isinstance(message, bytes):
                await self.socket.send_text(message.decode())


def _seq_of(text: str | None) -> int | None:
    """The number of a message that is no request, so that its page knows which was refused; None: it has none."""
    found = SEQ.search(text or "")
    return None if found is None else int(found[1])


async def serve_port(socket: WebSocket, port: MidiPort | None) -> None:
    """Send a page's messages to the MIDI port until the page closes the socket; then end every note."""
    if port is None:
        await socket.close(1008, "the studio has no MIDI port of its own; start it with --midi-port NAME")
        return
    try:
        with suppress(WebSocketDisconnect, RuntimeError):
            while (message := await socket.receive())["type"] == "websocket.receive":
                try:
                    request = PortRequest.model_validate_json(_text(message))
                    if request.silence:
                        port.silence()
                    for seconds, sent in request.messages:
                        port.send(sent, seconds)
                except ValidationError as error:
                    await socket.send_text(ErrorResponse(error=first_problem(error.errors())).model_dump_json())
                except FadernetsError as error:
                    await socket.send_text(ErrorResponse(error=str(error)).model_dump_json())
    finally:
        port.silence()


def _text(message: Message) -> str:
    """The text of a message of a page. Raises FadernetsError for bytes and for one that is too long."""
    text: str | None = message.get("text")
    if text is None:
        raise FadernetsError("a message of bytes; requests are text")
    if len(text) > MOST_MESSAGE:
        raise FadernetsError(f"a message of {len(text)} characters; at most {MOST_MESSAGE}")
    return text
