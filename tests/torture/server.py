"""The studio under sixteen clients and those who mean no good: no error of its own, memory flat, all others answered.

Sixteen clients, a session each, upload, drag, vary, render and sing for some seconds (`--cases`), and send what no page
sends: bodies without a length, JSON 10^5 deep, NaN and 10^400, lone surrogates, names with line ends, ways out, foreign
hosts and origins, pieces just under every cap. Two hundred connections say nothing, and some say it slowly. A client in
a process of its own asks for the list of models and for a piece all the time: its 95th percentile is stated.
"""

import contextlib
import itertools
import json
import multiprocessing
import random
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from torture import mutator
from torture.outcome import Outcome
from torture.random_edits import MOVE

CASES = 240  # seconds; 600 and 3600 are the long forms
CLIENTS, IDLE, SLOW = 16, 200, 8
MOST_MEMORY = 1024.0  # MB
GROWTH = 1.1  # of memory, from the second quarter of the time to the last
ACTIONS = {"upload": 3, "drag": 6, "edit": 3, "variations": 1, "render": 2, "melody": 2, "hostile": 6}
OWN_ERRORS = (500, 501, 502, 504)
DEEP = "[" * 100_000
START = "from fadernets.cli.main import main; raise SystemExit(main(['studio', '--no-browser', '--port', '0']))"


def run(cases: int = CASES, seed: int = 0) -> Outcome:
    """The load for `cases` seconds."""
    outcome = Outcome("server", seed)
    with Server() as server:
        load = Load(server.port, seed, outcome)
        threads = [threading.Thread(target=load.client, args=(i,), daemon=True) for i in range(CLIENTS)]
        threads += [threading.Thread(target=load.slow, args=(i,), daemon=True) for i in range(SLOW)]
        threads.append(threading.Thread(target=load.idle, daemon=True))
        times, other = multiprocessing.get_context("spawn").Pipe()
        probe = multiprocessing.get_context("spawn").Process(target=ask_all_the_time, args=(server.port, cases, other))
        probe.start()
        for thread in threads:
            thread.start()
        memory, end = [], time.monotonic() + cases
        while time.monotonic() < end:
            memory.append(server.memory())
            time.sleep(0.5)
        load.stop.set()
        for thread in threads:
            thread.join(30)
        answers = times.recv() if times.poll(60) else []
        probe.join(10)
        if server.process.poll() is not None:
            load.found("the server ended")
        server.stop()
        if tracebacks := server.text.count("Traceback"):
            load.found(f"{tracebacks} tracebacks in its window: {server.text[-300:]!r}")
        outcome.figures["lines in its window"] = server.text.count("\n")
    for finding in dict.fromkeys(load.findings):
        outcome.add([f"{finding} ({load.findings.count(finding)} times)"])
    outcome.cases = cases
    outcome.figures |= {"requests": load.requests, "refused": load.refused}
    _judge_times(outcome, answers)
    _judge_memory(outcome, memory)
    return outcome


def _judge_times(outcome, answers):
    known = sorted(seconds for seconds in answers if seconds is not None)
    if not known or len(known) < len(answers):
        outcome.add([f"{len(answers) - len(known)} of {len(answers)} requests of the quiet client got no answer"])
        outcome.cases -= 1
    if known:
        outcome.seconds = known[-1]
        outcome.figures["quiet client's GETs"] = len(known)
        outcome.figures["their p95 ms"] = round(1000 * known[int(0.95 * (len(known) - 1))])


def _judge_memory(outcome, memory):
    outcome.memory = max(memory, default=0.0)
    if outcome.memory > MOST_MEMORY:
        outcome.findings.append(f"the server took {outcome.memory:.0f} MB")
    quarter = len(memory) // 4
    if quarter > 100:  # shorter runs, of less than 200 seconds, are still warming up
        early, late = (sorted(part)[len(part) // 2] for part in (memory[quarter : 2 * quarter], memory[-quarter:]))
        outcome.figures["memory grew by"] = f"{late / early - 1:+.0%}"
        if late > GROWTH * early:
            outcome.findings.append(f"memory went from {early:.0f} to {late:.0f} MB")


class Server:
    """The command `fadernets studio` in a process of its own."""

    def __enter__(self):
        command = [sys.executable, "-c", START]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise RuntimeError(f"the studio says {line!r}")
        self.port, self.text = int(found[1]), ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def _read(self):
        for line in self.process.stdout:
            self.text += line

    def memory(self):
        """MB that it and the processes that it began hold."""
        return sum(map(_memory, _family(self.process.pid)))

    def stop(self):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()
        self.process.wait()
        self.reader.join(5)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        self.process.stdout.close()


def _family(leader):
    """A process and those that it began."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(") ")[2].split()[1])
    found = {leader}
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _memory(process):
    with contextlib.suppress(OSError):
        if found := re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text()):
            return int(found[1]) / 1024
    return 0.0


def ask_all_the_time(port, seconds, pipe):
    """Seconds of each GET of a client that does nothing else; None where none came."""
    import httpx

    times, end, paths = [], time.monotonic() + seconds, itertools.cycle(("/api/about", "/api/pieces/k545"))
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                good = http.get(next(paths)).status_code == 200
            except httpx.HTTPError:
                good = False
            times.append(time.monotonic() - began if good else None)
            time.sleep(0.05)
    pipe.send(times)


class Load:
    """Everybody who talks to the server."""

    def __init__(self, port, seed, outcome):
        self.port, self.seed, self.outcome = port, seed, outcome
        self.findings, self.stop, self.requests, self.refused = [], threading.Event(), 0, 0

    def found(self, text):
        self.findings.append(text)

    def client(self, number):
        """One page after the other, until the end."""
        import httpx

        rng = random.Random(f"{self.seed}/client {number}")
        while not self.stop.is_set():
            with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=120) as http:
                piece = "k545"
                for _ in range(40):
                    if self.stop.is_set():
                        return
                    try:
                        piece = self.step(rng, http, piece)
                    except httpx.HTTPError as error:
                        if not self.stop.is_set():
                            self.found(f"a request ended in {type(error).__name__}")
                    except Exception as error:
                        self.found(f"a client fell over {type(error).__name__}: {error}"[:200])

    def answered(self, what, response):
        """Note what came, and what must not."""
        self.requests += 1
        self.refused += int(response.status_code >= 400)
        if response.status_code in OWN_ERRORS:
            self.found(f"{what}: status {response.status_code}")
        if b"Traceback" in response.content or b"site-packages" in response.content:
            self.found(f"{what}: the answer has a traceback")
        if response.status_code >= 400 and "json" in response.headers.get("content-type", ""):
            error = response.json().get("error", "")
            if not isinstance(error, str) or len(error.splitlines()) != 1:
                self.found(f"{what}: its error is {error!r:.100}")
        return response

    def step(self, rng, http, piece):
        """One thing that a page, or somebody else, does. Gives the piece that is worked on then."""
        what = rng.choices(
            ("upload", "drag", "edit", "variations", "render", "melody", "hostile"), (3, 6, 3, 1, 2, 2, 6)
        )[0]
        if what == "upload":
            data = mutator.mutated(rng)[0] if rng.random() < 0.5 else mutator.written(mutator.small_piece(rng))
            name = rng.choice(NAMES)
            response = self.answered(what, http.post("/api/pieces", params={"name": name}, content=data[:2_000_000]))
            return response.json()["id"] if response.status_code == 200 else piece
        if what == "melody":
            clip = [rng.choice((60, 62, 64, 67, 128, 129)) for _ in range(32)]
            self.answered(what, http.get(f"/api/pieces/{piece}/melody"))
            self.answered(what, http.post("/api/melody/turn", json={"states": [clip], "knobs": {"pitch": 1}}))
            return piece
        if what == "hostile":
            name, act = rng.choice(HOSTILE)
            with contextlib.suppress(ConnectionError, TimeoutError):
                found = act(self, rng, http, piece)
                if found is not None:
                    self.answered(name, found)
                else:
                    self.requests += 1
            return piece
        body = {"piece": piece, "faders": {"move": moves(rng), "seed": rng.randrange(99)}, "draft": what == "drag"}
        if rng.random() < 0.7:  # whole long pieces now and then
            body["faders"]["bars"] = [[1, 4]]
        if what == "variations":
            self.answered(what, http.post("/api/variations", params={"count": 2}, json=body))
        elif what == "render":
            kind = rng.choices(("midi", "json", "musicxml", "wav"), (4, 3, 2, 1))[0]
            self.answered(f"{what} {kind}", http.post("/api/render", json={**body, "format": kind}))
        else:
            self.answered(what, http.post("/api/edit", json=body))
        return piece

    def idle(self):
        """Connections that say nothing, made again where the server closes them."""
        held = []
        while not self.stop.is_set():
            while len(held) < IDLE and not self.stop.is_set():
                with contextlib.suppress(OSError):
                    held.append(socket.create_connection(("127.0.0.1", self.port), timeout=5))
            self.stop.wait(1)
            alive = []
            for one in held:
                one.setblocking(False)
                try:
                    closed = one.recv(10) == b""
                except (BlockingIOError, InterruptedError):
                    closed = False
                except OSError:
                    closed = True
                one.close() if closed else alive.append(one)
            held = alive
        for one in held:
            one.close()

    def slow(self, number):
        """A request of which a byte comes now and then."""
        text = b"POST /api/edit HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100000\r\n\r\n" + b"{" * 100
        while not self.stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as one:
                for byte in itertools.cycle(text):
                    if self.stop.wait(0.2 + number / 10):
                        return
                    one.sendall(bytes([byte]))

    def raw(self, data):
        """What comes back for these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as wire:
            wire.sendall(data)
            wire.shutdown(socket.SHUT_WR)
            found = b""
            while part := wire.recv(65536):
                found += part
        if re.match(rb"HTTP/1\.1 50[0124]", found) or b"Traceback" in found:
            self.found(f"raw bytes {data[:60]!r}: {found[:60]!r}")

    def websocket(self, rng, origin):
        """A drag over the socket, by the page or by another site."""
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        try:
            with connect(f"ws://127.0.0.1:{self.port}/api/live", origin=origin, open_timeout=30) as live:
                if origin is not None:
                    self.found(f"a page of {origin} may open the socket")
                live.send(rng.choice(("NaN", DEEP, "\x00", '{"seq": 1e400}', "{}", json.dumps(EDIT))))
                if "Traceback" in live.recv(timeout=60):
                    self.found("a traceback over the socket")
        except (WebSocketException, OSError):
            pass


def moves(rng):
    return {name: rng.uniform(-1, 1) * MOVE[name] for name in rng.sample(list(MOVE), rng.choice((1, 2)))}


def post(content, path="/api/edit"):
    def act(load, rng, http, piece):
        return http.post(path, content=content, headers={"content-type": "application/json"})

    return act


def get(path, **headers):
    def act(load, rng, http, piece):
        response = http.get(path, headers=headers)
        if headers and response.status_code == 200:
            load.found(f"{headers} is served")
        return response

    return act


def raw(data):
    return lambda load, rng, http, piece: load.raw(data)


def dense(load, rng, http, piece):
    """A piece just under the caps, and the fader that costs most of it."""
    count = rng.choice((500, 3000, 8000))
    rows = [(t := rng.randrange(16 * 480), t + 1 + rng.randrange(480), rng.randint(21, 108), 80) for _ in range(count)]
    data = mutator.written(mutator.Score([mutator.track_of(rows)]))
    response = load.answered("dense upload", http.post("/api/pieces", params={"name": "dense"}, content=data))
    if response.status_code != 200:
        return
    fader = rng.choice(("pitch", "dynamics", "syncopation", "articulation"))
    body = {"piece": response.json()["id"], "faders": {"move": {fader: MOVE[fader]}}, "draft": rng.random() < 0.5}
    with contextlib.suppress(Exception):  # the client leaves before the answer now and then
        timeout = 1.0 if rng.random() < 0.5 else 120.0
        load.answered(f"dense {fader}", http.post("/api/edit", json=body, timeout=timeout))
    return


def long_note(load, rng, http, piece):
    """One note of an hour, as sound."""
    data = mutator.written(mutator.Score([mutator.track_of([(0, 480 * 7000, 60, 80)])]))
    response = load.answered("long upload", http.post("/api/pieces", params={"name": "long"}, content=data))
    if response.status_code == 200:
        body = {"piece": response.json()["id"], "faders": {}, "format": "wav"}
        load.answered("long wav", http.post("/api/render", json=body, timeout=300))


EDIT = {"piece": "k545", "faders": {"move": {"pitch": 1}, "bars": [[1, 2]]}, "draft": True}
NAMES = ("a.mid", "a\r\nset-cookie: x=y", "../../etc/passwd", "ä猫\u202e.mid", "", "x" * 200, '"; rm -rf', "a" * 5000)
HEAD = b"POST /api/pieces HTTP/1.1\r\nhost: 127.0.0.1\r\n"
HOSTILE = [
    ("deep JSON", post(DEEP)),
    ("deep faders", post('{"piece": "k545", "faders": ' + '{"move": ' * 50_000)),
    ("NaN", post('{"piece": "k545", "faders": {"move": {"pitch": NaN}}}')),
    ("10^400", post('{"piece": "k545", "faders": {"move": {"pitch": 1e400}}}')),
    ("5000 digits", post('{"piece": "k545", "faders": {"seed": ' + "9" * 5000 + "}}")),
    ("lone surrogate", post('{"piece": "\\ud800", "faders": {"keep": ["\\udfff"]}}')),
    ("not UTF-8", post(b'{"piece": "\xff\xfe"}')),
    ("no JSON", post(b"\x00" * 1000)),
    ("long model", post(json.dumps({**EDIT, "model": "../" * 60 + "etc"}))),
    ("way out", get("/api/pieces/..%2f..%2fetc%2fpasswd/midi")),
    ("way out of the page", get("/assets/..%2f..%2f..%2fetc/passwd")),
    ("foreign host", get("/api/about", host="evil.example")),
    ("rebinding", get("/api/about", host="127.0.0.1.evil.example:80")),
    ("foreign origin", get("/api/about", origin="https://evil.example")),
    ("no length", raw(HEAD + b"\r\nMThd")),
    ("two lengths", raw(HEAD + b"content-length: 1\r\ncontent-length: 9\r\n\r\nM")),
    ("chunks without end", raw(HEAD + b"transfer-encoding: chunked\r\n\r\nffffff\r\nM")),
    ("noise", raw(bytes(range(256)) * 40)),
    ("foreign socket", lambda load, rng, http, piece: load.websocket(rng, "https://evil.example")),
    ("socket", lambda load, rng, http, piece: load.websocket(rng, None)),
    ("dense", dense),
    ("long note", long_note),
]
