"""Many edits at once into one folder: every file holds its own edit's bytes, whole, and nothing else lies there.

Each case is a call of `apply` that writes a file of its own. The requests differ in piece, faders, seed and model;
their answers are made one after the other first, and the calls then run on sixteen threads, in an order drawn from the
seed.
"""

import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from torture import mutator
from torture.isolated import status
from torture.outcome import Outcome
from torture.random_edits import MOVE
from torture.same_bytes import engine

CASES = 848
THREADS = 16
CALLS_OF_A_REQUEST = 8
REWRITTEN = 10  # one request in so many goes to the rewriter


def run(cases: int = CASES, seed: int = 0) -> Outcome:
    """All cases."""
    from fadernets.editing import file_edit

    outcome = Outcome("threads", seed)
    rng = random.Random(f"{seed}/threads")
    with tempfile.TemporaryDirectory(prefix="torture-") as place:
        sources, folder = Path(place) / "in", Path(place) / "out"
        sources.mkdir()
        folder.mkdir()
        requests = [request(seed, number, sources) for number in range(-(-cases // CALLS_OF_A_REQUEST))]
        alone = Path(place) / "alone.mid"
        wanted = []
        for model, source, faders in requests:
            file_edit.apply(engine(model), source, alone, faders)
            wanted.append(alone.read_bytes())
        outcome.count("requests", len(requests))
        outcome.count("different answers", len(set(wanted)))

        def call(number):
            model, source, faders = requests[number % len(requests)]
            began = time.monotonic()
            try:
                file_edit.apply(engine(model), source, folder / f"{number}.mid", faders)
            except Exception as error:
                return [f"{type(error).__name__}: {error}"], time.monotonic() - began
            return [], time.monotonic() - began

        numbers = rng.sample(range(cases), cases)
        with ThreadPoolExecutor(THREADS) as threads:
            found = dict(zip(numbers, threads.map(call, numbers), strict=True))
        for number in range(cases):
            lines, seconds = found[number]
            outcome.add([f"case {number}: {line}" for line in lines + held(folder, number, wanted)], seconds)
        outcome.figures["right files"] = cases - len({line.partition(":")[0] for line in outcome.findings})
        names = {path.name for path in folder.iterdir()} - {f"{number}.mid" for number in range(cases)}
        outcome.findings += [f"it left {name}" for name in sorted(names)]
    outcome.memory = status("VmHWM") / 1024
    return outcome


def request(seed, number, folder):
    """A model, a file and faders."""
    from fadernets.editing.requests import Faders

    rng = random.Random(f"{seed}/{number}")
    source = folder / f"{number}.mid"
    source.write_bytes(mutator.written(mutator.small_piece(rng)))
    moves = {name: rng.uniform(-1, 1) * MOVE[name] for name in rng.sample(list(MOVE), 2)}
    model = "rewriter" if number % REWRITTEN == 0 else "pop-lieder"
    return model, source, Faders.checked(move=moves, seed=rng.randrange(1000))


def held(folder, number, wanted):
    """What is wrong with the file of a case, given the bytes `wanted` of each request."""
    path = folder / f"{number}.mid"
    data = path.read_bytes() if path.exists() else None
    if data == wanted[number % len(wanted)]:
        return []
    if data is None:
        return ["its file is not there"]
    return ["its file holds another edit" if data in wanted else "its file holds no edit"]
