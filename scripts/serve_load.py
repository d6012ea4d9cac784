"""Many clients at `fadernets serve`, whose workers are killed meanwhile; prints figures as JSON.

    python scripts/serve_load.py --seconds 600 --kill-every 20
    python scripts/serve_load.py --overload --seconds 20

Every answer must be, byte for byte, what `fadernets.edit` gives for the same request in this process. With --overload
the queue holds four requests and one worker computes, so that most must be refused at once, and none may hang.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import httpx

CLIENTS, WORKERS = 64, 4
PAUSE = 8.0  # mean seconds between an answer and a client's next request
WAIT = 90.0  # seconds after which a request counts as hanging; the server's own limit is 60
COMMAND = [sys.executable, "-m", "fadernets.cli", "serve", "--port", "0"]
MOVES = ({"rhythm_density": 0.2}, {"note_density": 0.5}, {"pitch": 2.0}, {"dynamics": 10.0})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--kill-every", type=float, default=0.0, metavar="S")
    parser.add_argument("--pause", type=float, default=PAUSE, metavar="S")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--overload", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measured(options))
    print(json.dumps(found, indent=1))
    sys.exit(bool(found["errors"] or found["other bytes"] or found["hanging"]))


def requests():
    """Requests, each with the bytes that answer it: two bars of the bundled pieces, and now and then a whole one."""
    import fadernets

    made = []
    for number in range(16):
        name = ("k545", "k265")[number % 2]
        data = (resources.files("fadernets") / "assets" / f"{name}.mid").read_bytes()
        asked = {"move": MOVES[number // 2 % 4], "seed": number}
        if number != 15:
            asked["bars"] = [(1 + number % 4, 2 + number % 4)]
        made.append((data, asked, fadernets.edit(data, **asked).data))
    return made


class Load:
    def __init__(self, options, address, process):
        self.options, self.address, self.process = options, address, process
        self.end = time.monotonic() + options.seconds
        self.times, self.refused, self.memory, self.ids = [], [], [], {}
        self.statuses = {}
        self.errors = self.wrong = self.hanging = self.kills = self.without = 0

    async def client(self, number, all_requests):
        rng = random.Random(number)
        headers = {"x-forwarded-for": f"10.0.0.{number}"}
        async with httpx.AsyncClient(base_url=self.address, trust_env=False, timeout=WAIT, headers=headers) as http:
            while time.monotonic() < self.end:
                if not self.options.overload:
                    await asyncio.sleep(rng.uniform(0, 2 * self.options.pause))
                await self.one(http, rng, *rng.choice(all_requests))

    async def one(self, http, rng, data, asked, wanted):
        if data in self.ids and rng.random() < 0.5:
            body = {"piece": self.ids[data], **asked}
        else:
            body = {"midi": base64.b64encode(data).decode(), **asked}
        began = time.monotonic()
        try:
            response = await http.post("/v1/edit", json=body, headers={"accept": "audio/midi"})
        except httpx.TimeoutException:
            self.hanging += 1
            return
        except httpx.HTTPError as error:
            self.statuses[type(error).__name__] = self.statuses.get(type(error).__name__, 0) + 1
            self.errors += 1
            return
        took = time.monotonic() - began
        self.statuses[response.status_code] = self.statuses.get(response.status_code, 0) + 1
        if response.status_code == 200:
            self.times.append(took)
            self.wrong += response.content != wanted
        elif response.status_code == 429:
            self.refused.append(took)
            self.without += not response.headers.get("retry-after", "").isdecimal()
            self.errors += not self.options.overload
            await asyncio.sleep(0.2)  # less than it was told
        else:
            self.errors += 1

    async def kill(self):
        rng = random.Random(0)
        while self.options.kill_every:
            await asyncio.sleep(self.options.kill_every)
            workers = children(self.process.pid)
            if workers:
                os.kill(rng.choice(workers), signal.SIGKILL)
                self.kills += 1

    async def watch(self):
        while True:
            await asyncio.sleep(5)
            workers = [resident(pid) for pid in children(self.process.pid)]
            self.memory.append((resident(self.process.pid), sum(workers)))


async def measured(options):
    all_requests = requests()
    more = ["--workers", "1", "--queue", "4"] if options.overload else ["--workers", str(options.workers)]
    more += ["--client-header", "X-Forwarded-For"]
    log = Path("build/serve.log")
    log.parent.mkdir(exist_ok=True)
    with log.open("w") as errors, subprocess.Popen([*COMMAND, *more], stdout=subprocess.PIPE, stderr=errors) as process:
        try:
            address = re.search(r"http://\S+", process.stdout.readline().decode())[0]
            async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=WAIT) as http:
                while (await http.get("/healthz")).json()["workers"] < (1 if options.overload else options.workers):
                    await asyncio.sleep(0.1)
                load = Load(options, address, process)
                for data in {data for data, _, _ in all_requests}:
                    load.ids[data] = (await http.post("/v1/pieces", content=data)).json()["piece"]
                others = [asyncio.create_task(load.kill()), asyncio.create_task(load.watch())]
                await asyncio.gather(*(load.client(number, all_requests) for number in range(CLIENTS)))
                for task in others:
                    task.cancel()
                counted = (await http.get("/metrics")).text
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(60)
    return figures(load, counted, ended)


def figures(load, counted, ended):
    times, quarter = sorted(load.times), max(1, len(load.memory) // 4)
    totals = re.findall(r"^fadernets_(\w+)_total (\S+)", counted, re.MULTILINE)
    early, late = load.memory[quarter : 2 * quarter], load.memory[-quarter:]
    return {
        "seconds": load.options.seconds,
        "answers": len(times),
        "p50": round(statistics.median(times), 3) if times else None,
        "p95": round(times[int(0.95 * len(times))], 3) if times else None,
        "slowest": round(times[-1], 3) if times else None,
        "errors": load.errors,
        "other bytes": load.wrong,
        "hanging": load.hanging,
        "statuses": load.statuses,
        "kills": load.kills,
        **{name: int(float(value)) for name, value in totals},
        "429 without retry-after": load.without,
        "slowest 429": round(max(load.refused), 3) if load.refused else None,
        "server MB, 2nd and last quarter": [megabytes(row[0] for row in part) for part in (early, late)],
        "workers MB, 2nd and last quarter": [megabytes(row[1] for row in part) for part in (early, late)],
        "exit": ended,
    }


def megabytes(sizes):
    return round(statistics.mean([*sizes] or [0]) / 2**20, 1)


def children(pid):
    """The workers of a server: its children that are spawned, not the tracker that multiprocessing has."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():  # each thread has children of its own
        with contextlib.suppress(OSError):
            found += (task / "children").read_text().split()
    return [int(child) for child in found if b"spawn_main" in command_of(child)]


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def resident(pid):
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    main()
