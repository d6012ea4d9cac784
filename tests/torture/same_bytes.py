"""One request, one answer, byte for byte: by command line, Python and studio, by any number of threads, every time.

Each case is a piece and a request. Its answer by one thread in this process is compared with that of eight threads at
once, with three more runs, with a segment's place in a batch, with the command line under OMP_NUM_THREADS 1 and 2, and
with the studio's own. On another processor weights meet other instructions (AVX-512, AVX2, NEON), whose sums round
otherwise: there an answer is as deterministic, and need not be the same one. That is what is promised, and no more.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from torture import mutator
from torture.isolated import status
from torture.outcome import Outcome
from torture.random_edits import MOVE

CASES = 60
MODELS = ("pop-lieder", "rewriter")
THREADS, RUNS = 8, 3
BY_COMMAND = 8  # one case in so many goes through the command line too, which takes seconds to start


def run(cases: int = CASES, seed: int = 0, first: int = 0) -> Outcome:
    """All cases, from number `first` on."""
    from fadernets.errors import FadernetsError

    outcome = Outcome("same_bytes", seed, first)
    for number in range(first, first + cases):
        rng, began = random.Random(f"{seed}/{number}"), time.process_time()
        try:
            lines = case(rng, number, outcome)
        except FadernetsError as error:
            outcome.count("refused")
            lines = [] if "\n" not in str(error) else [repr(str(error))]
        outcome.add([f"case {number}: {line}" for line in lines], time.process_time() - began)
    outcome.memory = status("VmHWM") / 1024
    return outcome


def case(rng, number, outcome):
    """Lines on one request."""
    import fadernets

    name = MODELS[number % len(MODELS)]
    data = mutator.written(mutator.small_piece(rng))
    moves = {fader: rng.uniform(-1, 1) * MOVE[fader] for fader in rng.sample(list(MOVE), rng.choice((1, 2)))}
    options = {"move": moves, "seed": rng.randrange(1000)}
    if rng.random() < 0.4:
        options["bars"] = [(1, 2)]

    def edit(_=None):
        return fadernets.edit(data, model=engine(name), **options).data

    wanted, lines = edit(), []
    outcome.count(name)
    if any(edit() != wanted for _ in range(RUNS)):
        lines.append(f"{name}: another run gives other bytes; {options}")
    with ThreadPoolExecutor(THREADS) as threads:
        if any(found != wanted for found in threads.map(edit, range(THREADS))):
            lines.append(f"{name}: threads give other bytes; {options}")
    outcome.count("answers", 1 + RUNS + THREADS)
    if found := _other_than_studio(name, data, options, wanted):
        lines.append(f"{name}: the studio {found}; {options}")
    outcome.count("by the studio")
    if not _same_in_batches(data):
        lines.append("the place in a batch changes a segment's codes or cells")
    if number % BY_COMMAND < len(MODELS):
        for threads in (1, 2):
            outcome.count(f"OMP_NUM_THREADS={threads}")
            if _by_command_line(name, data, options, threads) != wanted:
                lines.append(f"{name}: the command line with {threads} threads gives other bytes; {options}")
    return lines


@cache
def engine(name):
    from fadernets.decoding.edit_models import open_edit_model

    return open_edit_model(name)


@cache
def _studio():
    from fadernets.studio.service import Studio

    return Studio()


def _other_than_studio(name, data, options, wanted):
    """What the studio's download has that the answer has not, but for the text that says where it comes from."""
    from fadernets.music.document import Document
    from fadernets.studio.edit_types import RenderRequest
    from torture.edited_files import other_events, rows_of

    piece = _studio().uploads.add("piece.mid", data).id
    request = {"piece": piece, "model": name, "faders": options, "format": "midi"}
    found = Document.of_bytes(_studio().render(RenderRequest.model_validate(request)).data)
    mine = Document.of_bytes(wanted)
    if rows_of(found) != rows_of(mine):
        return "has other notes"
    stamp = (0, b"\xff\x01")
    events = [[row for row in track if (row[0], row[1][:2]) != stamp] for track in other_events(found)]
    own = [[row for row in track if (row[0], row[1][:2]) != stamp] for track in other_events(mine)]
    return "has other events" if events != own else ""


def _same_in_batches(data):
    """Whether a segment gets the same codes and cells alone, first and last in a batch."""
    import numpy as np

    from fadernets.editing.file_edit import choose_tracks
    from fadernets.editing.piece_on_grid import PieceOnGrid
    from fadernets.music.document import Document

    piece = Document.of_bytes(data).piece
    on = PieceOnGrid.of(piece, choose_tracks(piece))
    cells = on.cells(on.full)
    if len(cells) < 2:
        return True
    model = engine("pop-lieder")
    alone, whole, turned = (model.encode(some) for some in (cells[:1], cells, cells[::-1].copy()))
    pairs = [(alone[code][0], one) for code in alone for one in (whole[code][0], turned[code][-1])]
    return all(np.array_equal(a, b) for a, b in pairs)


def _by_command_line(name, data, options, threads):
    with tempfile.TemporaryDirectory(prefix="torture-") as place:
        source, out = Path(place) / "in.mid", Path(place) / "out.mid"
        source.write_bytes(data)
        command = [sys.executable, "-c", "from fadernets.cli.main import main; raise SystemExit(main())", "apply"]
        command += [source, out, "--model", name, "--seed", str(options["seed"])]
        for fader, value in options["move"].items():
            command += ["--move", f"{fader.replace('_', '-')}={value!r}"]
        if "bars" in options:
            command += ["--bars", "1-2"]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=120)
        return out.read_bytes() if done.returncode == 0 else json.dumps(done.stderr)
