"""Commands that are killed, or that find the disk full: what is read afterwards is whole, the old or the new.

`apply`, `export`, `prepare` and `train` are ended at a random moment or before a random change of a file; or no file
can be made from some change on, or none can be longer than some bytes. Nothing may be left running. The same command
then ends as if nothing had been, and nothing is left lying. A server of a listening test is killed while subjects
answer: every answer that it acknowledged is there.
"""

import hashlib
import multiprocessing
import random
import signal
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from running_processes import session

from torture.outcome import Outcome

CASES = 250  # fifty of each command
WAIT = 300.0  # seconds for a command
HOWS = ("time", "event", "event", "full", "size")


def run(cases: int = CASES, seed: int = 0, first: int = 0) -> Outcome:
    """All cases, from number `first` on, one command after the other."""
    outcome = Outcome("kills", seed, first)
    if not Path("/proc/self/stat").exists():
        outcome.figures["skipped"] = "no /proc"
        return outcome
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torture.kill_targets"])
    with tempfile.TemporaryDirectory(prefix="torture-") as place:
        targets = [Target(context, Path(place)) for Target in (Apply, Prepare, Train, Export, Serve)]
        for number in range(first, first + cases):
            target = targets[number % len(targets)]
            rng, began = random.Random(f"{seed}/{number}"), time.monotonic()
            how, lines = target.case(rng)
            name = target.__class__.__name__.lower()
            outcome.add([f"case {number}: {name}, {how}: {line}" for line in lines], time.monotonic() - began)
            outcome.count(f"{name} {how.split(' ')[0]}")
        outcome.figures |= {f"answers of {name}": n for name, n in (("serve", targets[-1].acknowledged),)}
    return outcome


def hash_of(path):
    """A digest of a file, or of the names and contents of a folder."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        digest.update(str(file.relative_to(path)).encode())
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


class Target:
    """A command that writes one file or folder, `out`, in a folder of its own."""

    def __init__(self, context, place):
        self.context = context
        self.folder = place / self.__class__.__name__.lower()
        self.folder.mkdir()
        self.out = self.folder / "out"
        self.old = self.new = None
        self.prepare(place)

    def prepare(self, place):
        """Make what the command reads, and know its result: `old`, `new`, `changes` and `seconds`."""
        raise NotImplementedError

    def restore(self):
        """The state before the command."""
        raise NotImplementedError

    def whole(self):
        """Lines on what is read now: it must be whole, and old or new."""
        raise NotImplementedError

    def know(self):
        """Run the command once to its end, for the numbers that the cases draw from."""
        self.restore()
        began = time.monotonic()
        code, lines, self.changes = self.command("count", 0)
        self.seconds = time.monotonic() - began
        if code:
            raise RuntimeError(f"{self.arguments}: {code} {lines}")
        self.left = self.listing()
        self.sizes = max(file.stat().st_size for file in [self.out, *self.out.rglob("*")] if file.is_file())

    def listing(self):
        """Names of what lies beside `out`, and inside it but for its own content."""
        return sorted(path.name for path in self.folder.iterdir())

    def command(self, how, at):
        """(exit code, lines of errors, changes) of the command; (None, [], 0) where it was killed."""
        from torture import kill_targets

        pipe, other = self.context.Pipe()
        arguments = (other, [str(a) for a in self.arguments], str(self.folder), how, at)
        process = self.context.Process(target=kill_targets.act, args=arguments, daemon=False)
        process.start()
        other.close()
        found = None, [], 0
        with suppress(EOFError, OSError):
            pipe.poll(WAIT)
            pipe.recv()
            if not pipe.poll(at if how == "time" else WAIT):
                process.kill()
            found = pipe.recv()
        process.join(WAIT)
        self.alive = self.remaining(process.pid)
        pipe.close()
        return found

    def remaining(self, leader):
        """What of a session is still alive after five seconds."""
        limit = time.monotonic() + 5
        while (alive := session(leader)) and time.monotonic() < limit:
            time.sleep(0.05)
        for number in alive:
            with suppress(ProcessLookupError):
                multiprocessing.process.os.kill(int(number), signal.SIGKILL)
        return alive

    def case(self, rng):
        """How the command was ended, and what is wrong afterwards."""
        how = rng.choice(HOWS)
        at = {
            "time": rng.uniform(0, self.seconds),
            "event": rng.randrange(max(self.changes, 1)),
            "full": rng.randrange(max(self.changes, 1)),
            "size": int(rng.choice((0, 1, rng.random(), rng.random())) * self.sizes),
        }[how]
        self.restore()
        code, errors, _ = self.command(how, at)
        lines = [f"{len(self.alive)} processes live on"] if self.alive else []
        if code is not None and code != 0:
            said = [line for line in errors if line.startswith(f"fadernets {self.arguments[0]}: error: ")]
            if code != 2 or said != errors[-1:] or any("Traceback" in line for line in errors):
                lines.append(f"exit code {code}, {len(errors)} lines: {' / '.join(errors)[-200:]}")
            if self.listing() != self.before:
                lines.append(f"it left {sorted(set(self.listing()) - set(self.before))}")
        lines += self.whole()
        code, errors, _ = self.command("count", 0)
        if code != 0:
            lines.append(f"the next run ends with {code}: {' / '.join(errors)[-200:]}")
        elif self.listing() != self.left:
            lines.append(f"after the next run there lies {sorted(set(self.listing()) - set(self.left))}")
        elif not self.is_new():
            lines.append("the next run gives something else")
        return f"{how} {at if isinstance(at, int) else round(at, 3)}", lines

    def is_new(self):
        """Whether `out` is what an undisturbed run gives."""
        return hash_of(self.out) == self.new


class Apply(Target):
    """An edit over a file that is there."""

    def prepare(self, place):
        from midi_files import PIECES

        PIECES["two_hands"](self.folder / "in.mid")
        self.out = self.folder / "out.mid"
        self.out.write_bytes(b"the old file")
        self.old, self.before = hash_of(self.out), self.listing()
        self.arguments = ["apply", self.folder / "in.mid", self.out, "--move", "rhythm-density=0.3"]
        self.arguments += ["--model", "pop-lieder"]
        self.know()
        self.new = hash_of(self.out)

    def restore(self):
        for path in self.folder.iterdir():
            if path.name != "in.mid":
                path.unlink()
        self.out.write_bytes(b"the old file")

    def whole(self):
        return [] if hash_of(self.out) in (self.old, self.new) else ["the file is neither the old nor the new one"]


class FolderTarget(Target):
    """A folder that takes the place of another one."""

    def restore(self):
        import shutil

        for path in self.folder.iterdir():
            if path.name not in ("in", "kept"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(self.folder / "kept", self.out)

    def keep(self):
        """Take what is there as what is old."""
        import shutil

        shutil.copytree(self.out, self.folder / "kept")
        self.old, self.before = hash_of(self.out), self.listing()


class Prepare(FolderTarget):
    """A data set of a folder of songs, over another one of the same songs."""

    def prepare(self, place):
        from midi_files import metre, right, save, track

        (self.folder / "in").mkdir()
        for i in range(24):
            save(self.folder / "in" / f"{i}.mid", track(right(64, seed=i), metre(4)))
        self.arguments = ["prepare", self.out, "--corpus", f"folder={self.folder / 'in'}", "--workers", "1"]
        self.arguments += ["--seed", "1"]
        self.command("count", 0)
        self.keep()
        self.arguments[-1] = "0"
        self.know()
        self.new = hash_of(self.out)

    def whole(self):
        from fadernets.data.dataset import Dataset
        from fadernets.errors import FadernetsError

        try:
            Dataset.open(self.out).verify()
        except FadernetsError as error:
            return [f"the data set cannot be read: {error}"]
        parts = self.out / ".parts"
        if parts.exists():  # what a run that goes on will use
            import shutil

            kept = self.folder / ".parts"
            shutil.move(parts, kept)
            found = hash_of(self.out)
            shutil.move(kept, parts)
        else:
            found = hash_of(self.out)
        return [] if found in (self.old, self.new) else ["the data set is neither the old nor the new one"]


class Train(Target):
    """A run of a toy model, which goes on where it was cut off."""

    def prepare(self, place):
        import json

        from conftest import TINY, write_songs

        write_songs(self.folder / "in")
        recipe = {"name": "music-fadernets", "data": str(self.folder / "in"), "out": str(self.out), "model": TINY}
        recipe |= {"steps": 12, "batch": 16, "labels": 4, "label_share": 0.2, "pairs": 0.5, "validate": 3}
        recipe |= {"precision": "32-true", "seed": 3}
        (self.folder / "recipe.yaml").write_text(json.dumps(recipe))
        self.arguments = ["train", self.folder / "recipe.yaml"]
        self.before = self.listing()
        self.know()
        self.new = self.weights()

    def restore(self):
        import shutil

        for path in self.folder.iterdir():
            if path.name not in ("in", "recipe.yaml"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def listing(self):
        """Without the run's own folder, which a run that was cut off leaves; of that, names that do not belong."""
        beside = [path.name for path in self.folder.iterdir() if path != self.out]
        inside = [path.name for path in self.out.glob(".*")] if self.out.exists() else []
        return sorted(beside + inside)

    def weights(self):
        return [hash_of(next((self.out / name).glob("*.safetensors"))) for name in ("last", "best")]

    def is_new(self):
        return self.weights() == self.new

    def whole(self):
        from fadernets.errors import FadernetsError
        from fadernets.training import checkpoints

        lines = []
        for name in ("last", "best"):
            if checkpoints.exists(self.out / name):
                try:
                    checkpoints.load(self.out / name)
                except FadernetsError as error:
                    lines.append(f"a checkpoint cannot be read: {error}")
        return lines


class Export(FolderTarget):
    """A model folder over another one of the same run."""

    def prepare(self, place):
        from conftest import make_model, save_run, write_songs

        from fadernets.data.dataset import Dataset

        (self.folder / "in").mkdir()
        songs = write_songs(self.folder / "in" / "songs")
        songs = songs if isinstance(songs, Dataset) else Dataset.open(self.folder / "in" / "songs")
        run = save_run(self.folder / "in" / "run", make_model(seed=4, attributes=True), songs)
        self.arguments = ["export", run, self.out, "--name", "old"]
        code, lines, _ = self.command("count", 0)
        if code:
            raise RuntimeError(f"{code} {lines}")
        self.keep()
        self.arguments[-1] = "new"
        self.know()
        self.new = hash_of(self.out)

    def whole(self):
        from fadernets.engines.grid import Engine
        from fadernets.errors import FadernetsError

        try:
            Engine.open(self.out).load()
        except FadernetsError as error:
            return [f"the model cannot be opened: {error}"]
        return [] if hash_of(self.out) in (self.old, self.new) else ["the model is neither the old nor the new one"]


class Serve(Target):
    """A listening test whose subjects answer until its server is killed."""

    def prepare(self, place):
        self.acknowledged, self.study = 0, 0

    def case(self, rng):
        from browsing import free_port
        from listeners import tokens_of, write_study

        from fadernets.listening.store import Study

        self.study += 1
        folder, port = self.folder / f"study {self.study}", free_port()
        write_study(folder, ["up", "down", "up", "down"], subjects=3)
        self.arguments = ["listen", "serve", folder, "--port", port]
        tokens, given, stop = tokens_of(folder), {}, threading.Event()
        subjects = [threading.Thread(target=answer, args=(port, token, given, stop)) for token in tokens]
        for subject in subjects:
            subject.start()
        at = rng.uniform(0.4, 2.0)
        self.command("time", at)
        stop.set()
        for subject in subjects:
            subject.join()
        lines = [f"{len(self.alive)} processes live on"] if self.alive else []
        self.acknowledged += sum(map(len, given.values()))
        with Study.open(folder) as study:
            for token, answers in given.items():
                state = study.subject(token)
                stored = {trial.id: trial.answer for trial in [state.practice, *state.trials]}
                for trial, melody in answers.items():
                    if stored[trial] is None or stored[trial].ratings["melody"] != melody:
                        lines.append(f"an answer that was acknowledged is lost ({trial})")
        return f"time {at:.2f}", lines


def answer(port, token, given, stop):
    """Answer trial after trial, and note what the server acknowledged: trial -> the last rating of the melody."""
    import httpx
    from listeners import rate

    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/", params={"s": token}, trust_env=False) as http:
        state, rating, kept = None, 0, given.setdefault(token, {})
        while not stop.is_set():
            try:
                if state is None:
                    state = http.post("consent").raise_for_status().json()
                for trial in [state["practice"], *state["trials"]]:
                    rating = rating % 5 + 1
                    body = {"trial": trial["id"], "changed": "up", "ratings": rate(melody=rating)}
                    body["played"] = {"original": 1, "transformed": 1, "seconds": 20.0}
                    before = kept.pop(trial["id"], None)  # while it is on its way either may be stored
                    http.post("answer", json=body).raise_for_status()
                    kept[trial["id"]] = rating
                    del before
            except httpx.HTTPError:
                time.sleep(0.02)
