"""The studio as it is started, under the worst that it takes: another client is answered at once, what nobody waits for
ends, and all its processes together stay below 1 GB."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from fadernets.music.document import Document, Edit
from fadernets.web.piece_limits import MOST_BYTES, MOST_NOTES

pytestmark = pytest.mark.alone
MOST_MEMORY = 1_000_000_000  # bytes of all processes of a studio
AT_ONCE = 0.2  # seconds
COMMAND = [sys.executable, "-m", "fadernets.cli", "studio", "--no-browser", "--port", "0"]
linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux says what a process has")


def file_of(rows):
    """A MIDI file of notes [N, 4]: onset, end, pitch, velocity."""
    return Document.of_notes(rows).edited(Edit.nothing())


def dense(count, bars, seed=0):
    """Random notes, each a bit longer than a sixteenth at most."""
    random = np.random.default_rng(seed)
    onset = np.sort(random.uniform(0, 4 * bars - 0.5, count))
    columns = onset, onset + random.uniform(0.02, 0.3, count), random.integers(21, 109, count)
    return file_of(np.stack([*columns, random.integers(1, 128, count)], 1))


def chords(bars):
    """Bars of one chord that all keys but a few are in."""
    return file_of(np.array([(4 * bar, 4 * bar + 4, 40 + k, 80) for bar in range(bars) for k in range(48)]))


class Running:
    """A studio in processes of its own, and the most memory that they had together."""

    def __init__(self):
        self.process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True)
        self.address = re.search(r"http://\S+", self.process.stdout.readline())[0]
        self.most, self.watching = 0, True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def end(self):
        self.watching = False
        self.thread.join()
        self.process.terminate()
        self.process.communicate(timeout=30)

    def watch(self):
        while self.watching:
            self.most = max(self.most, self.memory())
            time.sleep(0.03)

    def memory(self):
        total = 0
        for pid in os.listdir("/proc") if Path("/proc/self/statm").exists() else []:
            with contextlib.suppress(OSError, ValueError, IndexError):
                parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
                if self.process.pid in (int(pid), parent):
                    total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return total

    @contextlib.contextmanager
    def client(self):
        """A browser of its own."""
        with httpx.Client(base_url=self.address, timeout=400, trust_env=False) as client:
            client.get("/api/about")
            yield client


@pytest.fixture(scope="module")
def running():
    running = Running()
    yield running
    running.end()


@pytest.fixture
def hostile(running):
    with running.client() as client:
        yield client


@pytest.fixture
def other(running):
    with running.client() as client:
        client.get("/api/pieces/k545").raise_for_status()
        yield client


def uploaded(client, data, name="in.mid"):
    response = client.post("/api/pieces", params={"name": name}, content=data)
    assert response.status_code == 200, response.text
    return response.json()["id"]


def ask(piece, **move):
    return {"piece": piece, "faders": {"move": move}}


def seconds_of_others(other, work):
    """How long each GET of another client took, and which, while some work was done, and the answer to that."""
    found, took = [], []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    paths = ["/api/about", "/api/pieces/k545", "/api/pieces/k265", "/api/pieces/k545/midi", "/api/pieces/k545/melody"]
    while thread.is_alive():
        for path in [*paths, "/"]:
            start = time.perf_counter()
            other.get(path).raise_for_status()
            took.append((time.perf_counter() - start, path))
        time.sleep(0.02)
    thread.join()
    return sorted(took), found[0]


WORST = {
    "pitch": lambda piece: ("/api/edit", ask(piece, pitch=5.0)),
    "key": lambda piece: ("/api/edit", ask(piece, key=3.0)),
    "syncopation": lambda piece: ("/api/edit", ask(piece, syncopation=1.0)),
    "densities": lambda piece: ("/api/variations?count=4", ask(piece, rhythm_density=0.2, note_density=1.0)),
    "sound": lambda piece: ("/api/render", {**ask(piece, dynamics=5.0), "format": "wav"}),
    "score": lambda piece: ("/api/render", {**ask(piece, dynamics=5.0), "format": "musicxml"}),
}


ALWAYS = ("pitch", "syncopation")  # the others, which are slow, are run with them in the long form


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in ALWAYS else pytest.mark.slow) for name in WORST]
)
def test_others_are_answered_at_once_while_the_worst_runs(running, hostile, other, name):
    """250 KB of dense notes; with pitch=5 it took 66 s, in which another client's GET waited."""
    data = dense(40_000, 8)
    assert 250_000 < len(data) < 280_000
    path, body = WORST[name](uploaded(hostile, data))
    took, response = seconds_of_others(other, lambda: hostile.post(path, json=body))
    assert response.status_code == 200, response.text
    assert len(took) > 5
    assert took[-1] < (AT_ONCE,), took[-5:]
    assert running.most < MOST_MEMORY


def test_what_is_uploaded_lets_others_be_answered_at_once(hostile, other):
    files = [dense(49_000, 900, seed) for seed in range(3)]
    took, _ = seconds_of_others(other, lambda: [uploaded(hostile, data) for data in files])
    assert took[-1] < (AT_ONCE,), took[-5:]


@pytest.mark.parametrize("how", ["post", "live"])
def test_what_nobody_waits_for_ends(running, hostile, how):
    """The client has one place: once it has left its long request, the next one has it."""
    piece = uploaded(hostile, chords(990))
    cookie = "; ".join(f"{name}={value}" for name, value in hostile.cookies.items())
    body, port = json.dumps(ask(piece, rhythm_density=0.2)), httpx.URL(running.address).port
    start = time.monotonic()
    if how == "post":
        head = f"POST /api/edit HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
        with socket.create_connection(("127.0.0.1", port)) as wire:
            kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            wire.sendall((head + kind + body).encode())
            time.sleep(1.5)
    else:
        # The long answer is larger than what the client takes by itself: a fast machine has it before the newer one.
        with connect(f"ws://127.0.0.1:{port}/api/live", additional_headers={"cookie": cookie}, max_size=None) as live:
            live.send(body)
            time.sleep(0.5)
            live.send(json.dumps({**ask("k265", pitch=1.0), "seq": 2}))  # a newer one: the long one is dropped
            while json.loads(live.recv(timeout=30)).get("seq") != 2:  # decided bars of the long one, or all of it
                assert time.monotonic() - start < 15
            live.send(body)
            time.sleep(0.5)
    assert hostile.post("/api/edit", json=ask("k265", pitch=1.0)).status_code == 200
    assert time.monotonic() - start < 15


@linux
@pytest.mark.slow
def test_all_processes_stay_below_a_gigabyte(running, hostile):
    """32 files just under the caps took 7.7 GB, and one note of an hour as sound 4.0 GB."""
    for seed in range(32):
        uploaded(hostile, dense(MOST_NOTES - 1, 100, seed), f"{seed}.mid")
    assert running.most < MOST_MEMORY
    full = dense(MOST_NOTES - 1, 990) + bytes(8)  # and something behind it
    full += bytes(MOST_BYTES - len(full))
    piece = uploaded(hostile, full)
    hostile.post("/api/edit", json=ask(piece, pitch=5.0))
    hostile.get("/api/map/pop-lieder")
    # A quarter note of a second, and a note of an hour.
    chunk = b"\0\xff\x51\3\x0f\x42\x40" + b"\0\x90\x3c\x64" + _delta(3488 * 96) + b"\x80\x3c\0" + b"\0\xff\x2f\0"
    note = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk" + len(chunk).to_bytes(4, "big") + chunk
    piece = uploaded(hostile, note, "note.mid")
    with hostile.stream("POST", "/api/render", json={**ask(piece), "format": "wav"}) as response:
        assert response.status_code == 200
        size = sum(len(part) for part in response.iter_bytes())
    assert size == int(response.headers["content-length"]) == pytest.approx(3490 * 44_100 * 4, rel=1e-4)
    assert running.most < MOST_MEMORY
    assert hostile.get("/api/about").status_code == 200


def melody(bars):
    """Bars of sixteenths, one at a time."""
    onset = np.arange(16 * bars) / 4
    pitch = np.random.default_rng(0).integers(50, 80, len(onset))
    return file_of(np.stack([onset, onset + 0.24, pitch, np.full(len(onset), 80)], 1))


@linux
@pytest.mark.slow
def test_every_room_has_its_share_of_a_gigabyte(running, hostile):
    """One after another, the largest that each takes: what a process remembers gives way to the next."""
    tune, piece = uploaded(hostile, melody(990)), uploaded(hostile, dense(990 * 14, 990))
    random = np.random.default_rng(0)
    one, other = ([random.integers(50, 80, 32).tolist() for _ in range(64)] for _ in range(2))
    knobs = {"pitch": 3, "rhythm": 1}
    asked = [
        ("/api/melody/turn", {"clips": one, "knobs": knobs}),
        ("/api/melody/blend", {"a": one, "b": other, "rows": 8, "columns": 8}),
        ("/api/melody/sing", {"piece": tune, "knobs": knobs}),
        ("/api/edit", ask(piece, rhythm_density=0.1, note_density=0.5)),
        ("/api/edit", {**ask(piece, rhythm_density=0.1, note_density=0.5), "model": "rewriter"}),
        ("/api/variations?count=8", ask("k545", rhythm_density=0.1)),
    ]
    for path, body in asked:
        response = hostile.post(path, json=body)
        assert response.status_code == 200, (path, response.text)
        assert running.most < MOST_MEMORY, path
    for path in ("/api/inspect/melody", "/api/inspect/pop-lieder", "/api/map/pop-lieder"):
        assert hostile.get(path).status_code == 200
        assert running.most < MOST_MEMORY, path


def _delta(number):
    """A variable-length number."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def test_a_client_that_asks_for_too_much_at_once_is_told_to_wait(running, hostile):
    piece = uploaded(hostile, chords(200))
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: hostile.post("/api/edit", json=ask(piece, pitch=1.0)), range(20)))
    refused = [each for each in found if each.status_code == 429]
    assert refused
    assert {each.status_code for each in found} == {200, 429}
    assert all(len(each.json()["error"].splitlines()) == 1 for each in refused)
