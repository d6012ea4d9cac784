"""Measure `prepare` at scale: files made by transposing and splicing real ones, workers killed, files that kill.

    python scripts/prepare_at_scale.py files FOLDER --from MUSIC --count 100000
    python scripts/prepare_at_scale.py memory FOLDER OUT [--workers N | --cluster local:N]
    python scripts/prepare_at_scale.py speed FOLDER OUT
    python scripts/prepare_at_scale.py kills FOLDER OUT --times 20
    python scripts/prepare_at_scale.py deadly FOLDER OUT
    python scripts/prepare_at_scale.py sampler OUT --segments 100000 1000000 10000000

Each prints one line a measurement. Memory is anonymous memory (RssAnon of /proc): pages of mapped files are the
system's to take back. Needs Linux.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))
MADE_AT_ONCE = 1000  # files of a folder
PIECES_BEATS = 64  # quarter notes of a spliced piece: 16 segments, a tenth of a song


def anonymous(number="self"):
    """Bytes of anonymous memory of a process."""
    with suppress(OSError):
        for line in Path(f"/proc/{number}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) * 1024
    return 0


def children(number):
    """The processes that a process has started, and those that they have."""
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{number}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *children(child)]
    return found


class Watch:
    """The most anonymous memory that this process and any one of its workers have had, looked at 20 times a second."""

    def __enter__(self):
        self.own, self.worker, self.over = 0, 0, threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.over.wait(0.05):
            self.own = max(self.own, anonymous())
            self.worker = max([self.worker, *map(anonymous, children(os.getpid()))])

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def make_files(options):
    """Pieces of 64 beats cut from real ones at random bars, two of them spliced, and transposed."""
    import symusic

    sources = sorted(p for p in Path(options.music).rglob("*.mid"))
    rng, scores = random.Random(0), []
    for path in rng.sample(sources, min(len(sources), 400)):
        with suppress(Exception):
            score = symusic.Score(str(path)).resample(480)
            score = symusic.Score.from_midi(score.dumps_midi())
            if score.end() > 2 * PIECES_BEATS * 480:
                scores.append(score)
    for number in range(options.count):
        path = options.folder / f"{number // MADE_AT_ONCE:03d}" / f"{number:06d}.mid"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        made = symusic.Score(480)
        track = symusic.Track("piano", 0, False)
        shift, at = rng.randint(-5, 6), 0
        for score in rng.sample(scores, 2):
            start = 4 * 480 * rng.randrange(score.end() // (4 * 480) - PIECES_BEATS // 8)
            part = score.clip(start, start + PIECES_BEATS // 2 * 480, clip_end=True).shift_time(at - start)
            for one in part.tracks:
                if not one.is_drum:
                    track.notes.extend(one.shift_pitch(shift).notes)
            at += PIECES_BEATS // 2 * 480
        made.tracks.append(track)
        path.write_bytes(made.dumps_midi())


def prepared(options, **who):
    """Seconds and data set of one preparation into OUT anew."""
    from fadernets.data.prepare import prepare

    shutil.rmtree(options.out, ignore_errors=True)
    began = time.monotonic()
    data = prepare({"folder": options.folder}, options.out, **who)
    return time.monotonic() - began, data


def memory(options):
    """The most memory of a worker and of the command."""
    who = {"cluster": options.cluster} if options.cluster else {"workers": options.workers or 2}
    with Watch() as watch:
        seconds, data = prepared(options, **who)
    files = data.manifest["sources"]["folder"]["files"]
    print(
        f"{files} files, {len(data)} segments, {len(data.manifest['shards'])} shards, {seconds:.0f} s: "
        f"a worker {watch.worker / 1e6:.0f} MB, the command {watch.own / 1e6:.0f} MB, hash {data.hash[:12]}",
        flush=True,
    )


def speed(options):
    """Segments a second of the pool and of local clusters, in turns."""
    for turn in range(options.times):
        for count in (1, 2, 4):
            for who in ({"workers": count}, {"cluster": f"local:{count}"}):
                seconds, data = prepared(options, **who)
                print(f"turn {turn}, {who}: {len(data) / seconds:.0f} segments/s ({seconds:.1f} s)", flush=True)


PREPARE = """
import sys
from fadernets.data.prepare import prepare
if __name__ == "__main__":
    prepare({"folder": sys.argv[1]}, sys.argv[2], scheduler=sys.argv[3])
"""


def kills(options):
    """Kill workers, schedulers and the command itself until all is done: the bytes are those of an undisturbed run."""
    from browsing import free_port
    from dask_processes import end, start_scheduler, start_worker

    _, data = prepared(options, workers=2)
    expected = {str(p.relative_to(options.out)): p.read_bytes() for p in options.out.rglob("*") if p.is_file()}
    shutil.rmtree(options.out)
    rng, killed = random.Random(1), {"worker": 0, "scheduler": 0, "command": 0}
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler, workers = start_scheduler(address), [start_worker(address) for _ in range(2)]
    command = None
    while True:
        if command is None or command.poll() is not None:
            if command is not None and command.returncode == 0:
                break
            command = subprocess.Popen(
                [sys.executable, "-c", PREPARE, options.folder, options.out, address], stderr=subprocess.DEVNULL
            )
        time.sleep(rng.uniform(0.5, 2.5))
        what = rng.choice(["worker", "worker", "worker", "scheduler", "command"])
        if sum(killed.values()) >= options.times:
            what = "nothing more"
        elif what == "worker":
            found = [child for each in workers for child in children(each.pid)]
            if not found:
                continue
            with suppress(ProcessLookupError):
                os.kill(rng.choice(found), signal.SIGKILL)
        elif what == "scheduler":
            end(scheduler)
            scheduler = start_scheduler(address)
        else:
            command.kill()
            command.wait()
        if what in killed:
            killed[what] += 1
        for i, worker in enumerate(workers):
            if worker.poll() is not None:
                workers[i] = start_worker(address)
    for process in (scheduler, *workers):
        end(process)
    found = {str(p.relative_to(options.out)): p.read_bytes() for p in options.out.rglob("*") if p.is_file()}
    print(f"{killed}: {'the same bytes' if found == expected else 'OTHER BYTES'} ({len(data)} segments)", flush=True)


def deadly(options):
    """One file among the others ends the process that reads it."""
    import deadly_reader

    from fadernets.data import prepare as module

    poisoned = options.folder / "005" / "poisoned.mid"
    poisoned.write_bytes(b"deadly")
    module.read_chunk = deadly_reader.read_chunk
    try:
        for who in ({"workers": 2}, {"cluster": "local:2"}):
            seconds, data = prepared(options, **who)
            count = data.manifest["sources"]["folder"]["files"]
            print(f"{who}: {count} files, {seconds:.0f} s, skipped {data.manifest['skipped']}", flush=True)
            print(f"  hash {data.hash[:12]}", flush=True)
    finally:
        poisoned.unlink()


def synthetic(folder, segments):
    """A grid data set of random codes, shard by shard, 100 segments a piece."""
    from fadernets.data import dataset, shards

    pieces = [
        {"id": f"p{i}", "group": f"p{i}", "corpus": "folder", "split": dataset.SPLITS[i % 10 // 8]}
        for i in range(segments // 100)
    ]
    about = {"codec": "grid", "corpora": ["folder"], "attributes": list(dataset.measured("grid")), "pieces": pieces}
    types, rng = dataset.row_types(about), np.random.default_rng(0)
    step, entries = shards.rows_of_a_shard(types), []
    base = rng.integers(0, 256, (2**16, types["codes"][1][0]), np.uint8) & rng.integers(0, 256, 1, np.uint8)
    for start in range(0, segments, step):
        count = min(step, segments - start)
        with shards.ShardWriter(folder / "shards" / "new", types, count) as writer:
            for a in range(start, start + count, 2**16):
                rows = np.arange(a, min(a + 2**16, start + count))
                piece = rows // 100
                nothing = np.full(len(rows), np.nan, np.float32)
                writer.add(
                    {
                        "codes": np.roll(base, a // 2**16, 1)[: len(rows)],
                        "attributes": rng.integers(0, 17, (len(rows), 2)).astype(np.float32) / 16,
                        "key": (piece % 24).astype(np.uint8),
                        "arousal": nothing,
                        "valence": nothing,
                        "piece": piece.astype(np.int32),
                        "index": (rows % 100).astype(np.int32),
                        "split": (piece % 10 // 8).astype(np.uint8),
                        "corpus": np.zeros(len(rows), np.uint8),
                    }
                )
            entry = writer.finish()
        shards.settle(folder / "shards" / "new", folder / "shards" / entry["name"])
        entries.append(entry)
    dataset.write_manifest(folder, dataset.complete(about, folder / "shards", entries))


def draw(folder, pipe):
    """Draw batches and send how much memory that took, and how fast it was."""
    from fadernets.data.batches import Sampler
    from fadernets.data.dataset import Dataset

    data = Dataset.open(folder)
    data.manifest["pieces"].clear()
    opened = anonymous()
    rows = data.select(split="train")
    sampler = Sampler(data, rows, rows[:0], batch=512, rank=0, of=1)
    count = len(rows)
    del rows
    sampler.draw(0)
    before = anonymous()
    began, steps = time.monotonic(), 100
    most = 0
    for step in range(1, steps + 1):
        sampler.draw(step * 7)
        most = max(most, anonymous())
    pipe.send((type(sampler.source).__name__, count, opened, before, most, steps * 512 / (time.monotonic() - began)))


def sampler(options):
    """Memory of a rank that draws batches of 512, by the number of segments; a process each."""
    for segments in options.segments:
        folder = options.out / str(segments)
        if not (folder / "manifest.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            synthetic(folder, segments)
        for copied in (None, 0) if segments <= 10**6 else (None,):
            context = multiprocessing.get_context("spawn")
            pipe, other = context.Pipe()
            process = context.Process(target=draw_with, args=(folder, other, copied))
            process.start()
            other.close()
            kind, rows, opened, before, most, rate = pipe.recv()
            process.join()
            print(
                f"{segments} segments, {rows} rows, {kind.lower()}: {opened / 1e6:.0f} MB open, {before / 1e6:.0f} MB "
                f"with a sampler, at most {most / 1e6:.0f} MB in 100 batches; {rate:.0f} segments/s",
                flush=True,
            )


def draw_with(folder, pipe, copied):
    from fadernets.data import row_sources

    if copied is not None:
        row_sources.COPIED_BYTES = copied
    draw(folder, pipe)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("files", "memory", "speed", "kills", "deadly", "sampler"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--from", dest="music", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--cluster")
    parser.add_argument("--segments", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    options = parser.parse_args()
    if options.what == "sampler":
        options.out = options.folder
    doing = {"files": make_files, "memory": memory, "speed": speed, "kills": kills, "deadly": deadly}
    doing.get(options.what, sampler)(options)


if __name__ == "__main__":
    main()
