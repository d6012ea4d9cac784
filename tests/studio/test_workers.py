"""Processes that compute: they answer, stop, and are ended where they do not stop, die, or take too much."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import hostile_studio
import pytest
from hostile_studio import BREAKS, DEAF, DIES, EATS, FAILS, OBEYS, make
from midi_files import metre, right, save, track

from fadernets.errors import FadernetsError
from fadernets.studio import workers
from fadernets.studio.calls import Call
from fadernets.studio.edit_types import EditRequest, RenderRequest
from fadernets.studio.stored_files import StoredFiles, UnknownPiece
from fadernets.studio.turns import Busy, StaleRequest, Stop
from fadernets.studio.workers import Worker, Workers

LINUX = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux says what a process has")


@pytest.fixture(scope="module")
def files():
    return StoredFiles()


@pytest.fixture
def worker(files, tmp_path):
    worker = Worker(make, files, tmp_path)
    yield worker
    worker.end()


def edit(seed=0, piece="k265"):
    return (EditRequest(piece=piece, faders={"seed": seed}),)


def in_thread(call):
    """A call in a thread, and where its end is found."""
    ended = []

    def work():
        try:
            ended.append(call())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, ended


def test_a_worker_reads_the_files_of_the_server(worker, files, tmp_path):
    data = save(tmp_path / "in.mid", track(right(16), metre(4))).read_bytes()
    info = worker.call(Call.ADD, ("in.mid", data, "me"), Stop())
    assert b'"title":"in.mid"' in info
    (piece,) = [name for name in files.ids("me") if name not in files.ids("")]
    assert files.get(piece).data == data
    assert worker.call(Call.PIECE, (piece,), Stop()) == info
    files.put("renamed.mid", data, "me")
    assert b'"title":"renamed.mid"' in worker.call(Call.PIECE, (piece,), Stop())
    with pytest.raises(UnknownPiece, match="is not here any more; open its file again"):
        worker.call(Call.PIECE, ("0" * 24,), Stop())


@pytest.mark.alone
@pytest.mark.parametrize(("seed", "within"), [(OBEYS, 0.5), (DEAF, workers.GRACE_SECONDS + 1.5)])
def test_a_call_that_nobody_waits_for_ends(worker, seed, within):
    worker.call(Call.EDIT, edit(), Stop())
    stop, first = Stop(), worker._process.pid
    thread, ended = in_thread(lambda: worker.call(Call.EDIT, edit(seed), stop))
    time.sleep(0.2)
    assert not ended
    stop.set()
    start = time.monotonic()
    thread.join(20)
    assert time.monotonic() - start < within
    assert isinstance(ended[0], StaleRequest)
    assert (worker._process.pid == first) == (seed == OBEYS)
    assert worker.call(Call.EDIT, edit(), Stop())


@pytest.mark.parametrize(
    ("seed", "kind", "message"),
    [
        (FAILS, FadernetsError, "^this cannot be done$"),
        (BREAKS, RuntimeError, "^a bug$"),
        (DIES, Busy, "^the request ended its process; ask for less at once$"),
        pytest.param(EATS, Busy, "^the answer takes more memory than the studio has; ", marks=LINUX),
    ],
)
def test_a_call_that_goes_wrong_is_a_line_and_the_next_is_answered(worker, monkeypatch, seed, kind, message):
    monkeypatch.setattr(workers, "MOST_MEMORY", 250 * 2**20)
    with pytest.raises(kind, match=message):
        worker.call(Call.EDIT, edit(seed), Stop())
    assert worker.call(Call.EDIT, edit(), Stop())
    assert worker.resident() < 250 * 2**20


@pytest.mark.parametrize("what", ["multiprocessing.context.SpawnProcess.start", "tempfile.mkdtemp"])
def test_a_worker_that_cannot_begin_again_begins_at_a_later_call(worker, tmp_path, monkeypatch, what):
    def fail(*arguments, **options):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(what, fail)
    with pytest.raises(Busy, match=r"^the request ended its process; ask for less at once$"):
        worker.call(Call.EDIT, edit(DIES), Stop())
    assert (worker.is_ready, worker.resident(), list(tmp_path.iterdir())) == (False, 0, [])
    worker.begun()  # which has nothing to wait for
    worker.begin_anew()
    for _ in range(2):
        with pytest.raises(Busy, match=r"be begun to compute this \(Resource temporarily unavailable\); try again"):
            worker.call(Call.EDIT, edit(), Stop())
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert worker.call(Call.EDIT, edit(), Stop())


def test_a_call_that_takes_too_long_is_ended(worker, monkeypatch):
    worker.call(Call.EDIT, edit(), Stop())
    monkeypatch.setattr(Call.EDIT, "_value_", Call.EDIT.value._replace(seconds=0.3))
    with pytest.raises(Busy, match=r"^the answer takes more than 0 seconds; ask for less at once$"):
        worker.call(Call.EDIT, edit(DEAF), Stop())
    monkeypatch.undo()
    assert worker.call(Call.EDIT, edit(), Stop())


@LINUX
def test_an_idle_worker_gives_way_where_another_wants_memory(files, monkeypatch):
    both = Workers(make, files)
    try:
        for worker in both._all:
            worker.begun()
        idle, busy = both._all
        first = idle._process.pid
        monkeypatch.setattr(workers, "MOST_MEMORY", 400 * 2**20)
        monkeypatch.setattr(workers, "IDLE_MEMORY", 1)
        with pytest.raises(Busy, match=r"^the answer takes more memory than the studio has; "):
            both.call(Call.EDIT, edit(EATS), Stop())
        assert idle._process.pid != first
        assert busy.resident() < 400 * 2**20
        for _ in range(3):
            stop = Stop()
            assert both.call(Call.EDIT, edit(), stop)
            both.settle(stop)
    finally:
        both.close()


def test_sound_outlives_the_worker_that_made_it(files, monkeypatch):
    both = Workers(make, files)
    try:
        asked = RenderRequest(piece="k265", faders={}, format="wav")
        answer = both.call(Call.RENDER, (asked,), Stop())
        for worker in both._all:
            worker.begin_anew()
        assert answer.path.read_bytes()[:4] == b"RIFF"
    finally:
        both.close()
    assert not answer.path.exists()


def test_folders_go_with_their_workers(files, tmp_path):
    worker = Worker(make, files, tmp_path)
    folder = worker._folder
    (folder / "left.wav").write_bytes(b"")
    worker.end()
    assert not folder.exists()


SERVER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from hostile_studio import DEAF, make
from fadernets.studio.calls import Call
from fadernets.studio.edit_types import EditRequest, RenderRequest
from fadernets.studio.stored_files import StoredFiles
from fadernets.studio.turns import Stop
from fadernets.studio.workers import Worker, Workers
if __name__ == "__main__":
    Path(sys.argv[3]).mkdir()
    worker = Worker(make, StoredFiles(), Path(sys.argv[3]))
    print(worker._process.pid, worker._folder, flush=True)
    if sys.argv[2] == "deaf":
        worker.call(Call.EDIT, (EditRequest(piece="k265", faders={"seed": DEAF}),), Stop())
    time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal")
@pytest.mark.parametrize("when", ["idle", "deaf"])
def test_workers_end_with_a_server_that_was_killed(tmp_path, when):
    (tmp_path / "server.py").write_text(SERVER)
    tests = str(Path(hostile_studio.__file__).parent)
    server = subprocess.Popen(
        [sys.executable, str(tmp_path / "server.py"), tests, when, str(tmp_path / "shared")],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid, folder = server.stdout.readline().split()
    time.sleep(3)
    os.kill(int(pid), 0)
    server.kill()
    server.communicate()
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the worker lives on")
    assert Path(folder).parent == tmp_path / "shared"
    assert not Path(folder).parent.exists()
