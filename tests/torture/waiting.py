"""How long others wait while the studio does the worst that it can be asked for, and what memory that takes.

Each case is one such request to a studio of its own. Another client, in a process of its own, asks for pieces and pages
all the while: none of its GETs may take 200 ms of the clock, and all processes together may not hold more than 1 GB.
Times are of the clock, so that a machine which is busy with something else makes findings of its own.
"""

import itertools
import multiprocessing
import random
import sys
import threading
import time
from statistics import median

from torture import mutator
from torture.outcome import Outcome
from torture.server import MOST_MEMORY, Server

CASES = 9
LONGEST_WAIT = 0.2  # seconds
PATHS = ("/api/about", "/api/pieces/k545", "/api/pieces/k265", "/api/pieces/k545/midi", "/api/pieces/k545/melody", "/")
TPQ = 480


def run(cases: int = CASES, seed: int = 0, first: int = 0) -> Outcome:
    """The worst requests, from number `first` on."""
    outcome = Outcome("waiting", seed, first)
    for name in list(WORST)[first : first + cases]:
        with Server() as server:
            case(outcome, name, server, random.Random(f"{seed}/{name}"))
    return outcome


def case(outcome, name, server, rng):
    """One request, and what came of it."""
    import httpx

    here, there = multiprocessing.get_context("spawn").Pipe()
    quiet = multiprocessing.get_context("spawn").Process(target=ask, args=(server.port, there), daemon=True)
    quiet.start()
    here.recv()  # it is ready
    memory, stop = [0.0], threading.Event()
    watch = threading.Thread(
        target=lambda: [memory.append(server.memory()) for _ in iter(lambda: stop.wait(0.1), True)]
    )
    watch.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=600) as http:
        http.get("/api/about")
        here.send("begin")
        began = time.monotonic()
        try:
            statuses = WORST[name](http, rng)
        except httpx.HTTPStatusError as error:
            statuses = [error.response.status_code]
        seconds = time.monotonic() - began
        here.send("end")
    times = here.recv()
    stop.set()
    watch.join()
    quiet.join(10)
    worst, peak = max(times, default=(float("inf"), "no GET")), max(memory)
    lines = [f"{name}: a GET of {worst[1]} took {1000 * worst[0]:.0f} ms"] if worst[0] > LONGEST_WAIT else []
    lines += [f"{name}: its processes took {peak:.0f} MB"] if peak > MOST_MEMORY else []
    lines += [f"{name}: status {status}" for status in sorted({*statuses} - {200})]
    outcome.add(lines, worst[0], peak)
    waits = [1000 * each for each, _ in times] or [float("nan")]
    took = f"{seconds:.1f} s, {peak:.0f} MB; {len(times)} GETs"
    outcome.figures[name] = f"{took}, median {median(waits):.0f} ms, worst {max(waits):.0f} ms"
    print(f"  waiting: {name}: {outcome.figures[name]}", file=sys.stderr, flush=True)


def ask(port, pipe):
    """Another client: (seconds, path) of each of its GETs between two messages."""
    import httpx

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as http:
        for path in PATHS:
            http.get(path).raise_for_status()
        pipe.send("ready")
        pipe.recv()
        times = []
        for path in itertools.cycle(PATHS):
            if pipe.poll():
                break
            began = time.monotonic()
            http.get(path).raise_for_status()
            times.append((time.monotonic() - began, path))
            time.sleep(0.005)
        pipe.send(times)


def dense(rng, count, bars):
    """The file of so many random notes, each a bit longer than a sixteenth at most."""
    ticks = bars * 4 * TPQ
    rows = [(t := rng.randrange(ticks - TPQ), t + rng.randint(10, 144), rng.randint(21, 108), 80) for _ in range(count)]
    return mutator.written(mutator.Score([mutator.track_of(rows)]))


def uploaded(http, data):
    return http.post("/api/pieces", params={"name": "in.mid"}, content=data).raise_for_status().json()["id"]


def edit(path, count=40_000, bars=8, **move):
    """A request for an edit of dense notes: 250 KB of them."""

    def act(http, rng):
        kind = {"format": path.partition(" ")[2]} if " " in path else {}
        body = {"piece": uploaded(http, dense(rng, count, bars)), "faders": {"move": move}, **kind}
        return [http.post(path.partition(" ")[0], json=body).status_code]

    return act


def long_note(http, rng):
    """A note of an hour, as sound: 600 MB."""
    note, slow = (0, 872 * TPQ, 60, 80), (0, mutator.tempo(4_000_000))  # in as many bars as the studio takes
    piece = uploaded(http, mutator.written(mutator.Score([mutator.track_of([note], [slow])])))
    body = {"piece": piece, "faders": {}, "format": "wav"}
    with http.stream("POST", "/api/render", json=body) as response:
        for _ in response.iter_bytes():
            pass
        return [response.status_code]


def full_uploads(http, rng):
    """Thirty-two files just under the caps, one after the other."""
    for _ in range(32):
        uploaded(http, dense(rng, 49_900, 900))
    return [200]


WORST = {
    "pitch of 40,000 notes": edit("/api/edit", pitch=5.0),
    "pitch of 6,000 notes in a bar": edit("/api/edit", 6000, 1, pitch=5.0),
    "key of 40,000 notes": edit("/api/edit", key=3.0),
    "syncopation of 40,000 notes": edit("/api/edit", syncopation=1.0),
    "4 variations of 40,000 notes": edit("/api/variations?count=4", rhythm_density=0.2, note_density=1.0),
    "score of 40,000 notes": edit("/api/render musicxml", dynamics=5.0),
    "sound of 40,000 notes": edit("/api/render wav", dynamics=5.0),
    "sound of one note of 3,488 s": long_note,
    "32 uploads under the caps": full_uploads,
}
