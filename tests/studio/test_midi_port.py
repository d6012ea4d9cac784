"""A port of the program's own: what it sends, and when."""

import threading
import time

import mido
import pytest

from fadernets.studio import midi_port
from fadernets.studio.midi_port import MidiPort, PortError


class Output:
    def __init__(self):
        self.sent, self.closed = [], False

    def send(self, message):
        assert not self.closed
        self.sent.append((time.monotonic(), message.bytes()))

    def close(self):
        self.closed = True


@pytest.fixture
def output():
    return Output()


@pytest.fixture
def port(output):
    found = MidiPort("p", output)
    yield found
    found.close()


def wait(output, count):
    for _ in range(200):
        if len(output.sent) >= count:
            return [message for _, message in output.sent[:count]]
        time.sleep(0.01)
    raise AssertionError(output.sent)


def test_messages_go_at_their_times_in_order(port, output):
    begin = time.monotonic()
    port.send([0x80, 60, 64], 0.12)
    port.send([0x90, 60, 80], 0.04)
    port.send([0xF8])
    assert wait(output, 3) == [[0xF8], [0x90, 60, 80], [0x80, 60, 64]]
    times = [at - begin for at, _ in output.sent]
    assert times[1] >= 0.04
    assert times[2] >= 0.12


def test_messages_of_one_time_keep_their_order(port, output):
    for pitch in range(40):
        port.send([0x90, pitch, 80], 0.05)
    assert [m[1] for m in wait(output, 40)] == list(range(40))


def test_silence_forgets_and_ends(port, output):
    port.send([0x90, 60, 80], 0.2)
    port.silence()
    time.sleep(0.3)
    kinds = {tuple(m[:2]) for _, m in output.sent}
    assert kinds == {(0xB0 | c, n) for c in range(16) for n in (64, 123)}


def test_no_note_begins_behind_a_silence_that_came_after_it(port, output, monkeypatch):
    """A note whose time has come while silence is made is either ended by it or dropped."""
    send, sending = Output.send, threading.Event()

    def slow(self, message):
        if message.type == "note_on":
            sending.set()
            time.sleep(0.2)  # in which a silence may come
        send(self, message)

    monkeypatch.setattr(Output, "send", slow)
    port.send([0x90, 60, 80])
    assert sending.wait(5)
    port.silence()
    assert wait(output, 33)[0] == [0x90, 60, 80]


def test_what_the_driver_refuses_is_told_once_and_the_next_is_sent(port, output, monkeypatch, caplog):
    refused, send = [], Output.send

    def refuse(self, message):
        if len(refused) < 2:
            refused.append(message)
            raise RuntimeError("the device is gone")
        send(self, message)

    monkeypatch.setattr(Output, "send", refuse)
    for pitch in (60, 61, 62):
        port.send([0x90, pitch, 80])
    assert wait(output, 1) == [[0x90, 62, 80]]
    assert [record.getMessage() for record in caplog.records] == [
        "the MIDI port p takes no message (the device is gone)"
    ]


def test_a_port_whose_driver_fails_can_be_silenced_and_closed(output, monkeypatch):
    def refuse(self, message):
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(Output, "send", refuse)
    port = MidiPort("p", output)
    port.silence()
    port.close()
    assert output.closed


def test_a_port_that_is_closed_is_silent(output):
    port = MidiPort("p", output)
    port.send([0x90, 60, 80], 5)
    port.close()
    assert output.closed
    assert len(output.sent) == 32


def test_a_clock_that_begins_in_the_middle(port, output):
    for message in ([0xF2, 5, 1], [0xFB], [0xF8], [0xFC]):
        port.send(message)
    assert wait(output, 4) == [[0xF2, 5, 1], [0xFB], [0xF8], [0xFC]]


@pytest.mark.parametrize(
    "message",
    [
        *([], [0x90], [0x90, 60], [0x90, 128, 1], [0x90, 60, -1], [60, 60, 60], [0xF0, 1, 0xF7], [0xFF], [0x90] * 9),
        *([0xF2], [0xF2, 5], [0xF8, 0], [0xC0, 1]),
    ],
)
def test_what_is_no_message(port, message):
    with pytest.raises(PortError, match="is no MIDI message"):
        port.send(message)


@pytest.mark.parametrize("later", [-1, 11, float("nan")])
def test_what_is_no_time(port, later):
    with pytest.raises(PortError, match="s ahead; 0 to 10 can be"):
        port.send([0xF8], later)


def test_no_more_than_can_wait(port, monkeypatch):
    monkeypatch.setattr(midi_port, "MOST_WAITING", 3)
    for _ in range(3):
        port.send([0xF8], 5)
    with pytest.raises(PortError, match="3 messages wait already"):
        port.send([0xF8], 5)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModuleNotFoundError("No module named 'rtmidi'"), "needs the package python-rtmidi"),
        (OSError("no ALSA\nat all"), "opens no virtual port .no ALSA.$"),
        (SystemError(), "opens no virtual port .SystemError.$"),
    ],
)
def test_where_there_is_no_port(monkeypatch, error, message):
    def refuse(name, virtual):
        assert virtual
        raise error

    monkeypatch.setattr(mido, "open_output", refuse)
    with pytest.raises(PortError, match=message):
        midi_port.open_virtual("studio")
