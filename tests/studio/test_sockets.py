"""The socket of the MIDI port: whatever a page sends, and however it goes, its notes end."""

import asyncio
import json

import pytest

from fadernets.studio import sockets
from fadernets.studio.midi_port import PortError
from fadernets.studio.sockets import serve_port

SILENCE = "silence"


class Port:
    def __init__(self):
        self.done = []

    def send(self, message, later):
        if message == [0]:
            raise PortError("[0]: is no MIDI message")
        self.done.append(message)

    def silence(self):
        self.done.append(SILENCE)


class Page:
    """A page that sends these messages and closes, or fails as `end` says."""

    def __init__(self, messages, end=None):
        self.messages, self.end, self.answers = iter(messages), end, []

    async def receive(self):
        for message in self.messages:
            return {"type": "websocket.receive", **message}
        if self.end is not None:
            raise self.end
        return {"type": "websocket.disconnect"}

    async def send_text(self, text):
        self.answers.append(json.loads(text)["error"])


def text(**request):
    return {"text": json.dumps(request)}


NOTE = text(messages=[[0, [0x90, 60, 80]]])


def test_messages_that_are_no_requests_are_answered_and_the_next_is_played():
    port = Port()
    wrong = [{"bytes": b"x"}, {"text": "{"}, {"text": " " * (sockets.MOST_MESSAGE + 1)}, text(messages=[[0, [0]]])]
    page = Page([*wrong, NOTE])
    asyncio.run(serve_port(page, port))
    assert port.done == [[0x90, 60, 80], SILENCE]
    assert len(page.answers) == len(wrong)
    assert page.answers[0] == "a message of bytes; requests are text"
    assert page.answers[2] == f"a message of {sockets.MOST_MESSAGE + 1} characters; at most {sockets.MOST_MESSAGE}"


def test_the_notes_of_a_page_end_however_it_goes():
    for end in (None, RuntimeError("closed"), KeyError("text"), asyncio.CancelledError()):
        port = Port()
        if isinstance(end, KeyError | asyncio.CancelledError):
            with pytest.raises(type(end)):
                asyncio.run(serve_port(Page([NOTE], end), port))
        else:
            asyncio.run(serve_port(Page([NOTE], end), port))
        assert port.done == [[0x90, 60, 80], SILENCE]
