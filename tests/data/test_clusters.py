"""The same data set by one process, by several, and by a Dask cluster; workers that end, and files that end them."""

import os
import re
import signal
import stat
import sys

import deadly_reader
import numpy as np
import pytest
from dask_processes import end, start_scheduler, start_worker
from short_songs import write_song

from fadernets.data import chunks, clusters, executors, prepare, shards
from fadernets.data.executors import Processes, ThisProcess
from fadernets.errors import FadernetsError


def content_of(folder):
    """Name -> bytes of all files of a data set."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def songs(tmp_path, monkeypatch):
    """Forty songs of four bars, three of them no music: three chunks."""
    monkeypatch.setattr(chunks, "CHUNK", 16)
    for i in range(40):
        write_song(tmp_path / "songs" / f"{i:02d}.mid", shift=i % 12)
    (tmp_path / "songs" / "07.mid").write_text("no music")
    return tmp_path / "songs"


# Files that end the process that reads them


def test_a_file_that_ends_its_reader_is_found_and_skipped(songs, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "read_chunk", deadly_reader.read_chunk)
    (songs / "21.mid").write_bytes(b"deadly")
    data = prepare.prepare({"folder": songs}, tmp_path / "out", workers=2)
    skipped = {entry["id"]: entry["reason"] for entry in data.manifest["skipped"]}
    assert skipped == {"07.mid": skipped["07.mid"], "21.mid": "ends the process that reads it"}
    assert len(data) == 38 * 4
    again = prepare.prepare({"folder": songs}, tmp_path / "again", workers=3)
    assert content_of(again.folder) == content_of(data.folder)


def test_what_was_found_is_known_when_a_run_goes_on(songs, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "read_chunk", deadly_reader.read_chunk)
    (songs / "39.mid").write_bytes(b"deadly")
    seen, real = [], prepare.Bisection.after
    monkeypatch.setattr(prepare.Bisection, "after", lambda self, chunk: seen.append(chunk) or real(self, chunk))

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "_assemble", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare({"folder": songs}, tmp_path / "out", workers=2)
    assert len(seen) > 5
    seen.clear()
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare({"folder": songs}, tmp_path / "out", workers=2)
    assert seen == []


@pytest.mark.parametrize("executor", [ThisProcess, lambda: Processes(1), lambda: Processes(3)])
def test_units_are_done_by_any_workers(executor):
    with executor() as workers:
        found = list(executors.run(workers, deadly_reader.double, range(1, 9), lambda unit: [unit]))
        assert sorted(found) == list(range(2, 17, 2))
        assert workers.busy == 0


def test_a_unit_whose_worker_ended_is_done_as_said():
    with Processes(2) as workers:
        found = executors.run(workers, deadly_reader.double, [1, -2, 3], lambda unit: [-unit, 10])
        assert sorted(found) == [2, 4, 6, 20]


def test_an_error_of_a_unit_ends_all():
    with Processes(2) as workers, pytest.raises(TypeError):
        list(executors.run(workers, deadly_reader.double, [1, "x"], lambda unit: []))


# Shards


@pytest.mark.parametrize("codec", ["grid", "tokens", "melody"])
def test_shards_are_the_same_for_any_number_of_workers(songs, tmp_path, monkeypatch, codec):
    whole = prepare.prepare({"folder": songs}, tmp_path / "whole", codec, workers=1)
    monkeypatch.setattr(shards, "SHARD_BYTES", 4000)
    alone = prepare.prepare({"folder": songs}, tmp_path / "alone", codec, workers=1)
    assert len(alone.manifest["shards"]) > 1
    assert alone.hash == whole.hash
    alone.verify()
    for name in ("codes", "piece", "split", "index"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(whole, name))


def test_a_run_stopped_among_its_shards_goes_on_there(songs, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 16_000)
    whole = prepare.prepare({"folder": songs}, tmp_path / "whole", workers=1)
    assert len(whole.manifest["shards"]) > 2
    written, real = [], prepare.assembly.write_shard

    def write(plan):
        written.append(plan.digest)
        if len(written) == 2:
            raise KeyboardInterrupt
        return real(plan)

    monkeypatch.setattr(prepare.assembly, "write_shard", write)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare({"folder": songs}, tmp_path / "out", workers=1)
    made = sorted((tmp_path / "out" / ".parts" / "shards").iterdir())
    assert [path.name for path in made] == written[:1]
    before = made[0].stat().st_ino
    prepare.prepare({"folder": songs}, tmp_path / "out", workers=1)
    assert content_of(tmp_path / "out") == content_of(tmp_path / "whole")
    first = tmp_path / "out" / "shards" / whole.manifest["shards"][0]["name"]
    assert first.stat().st_ino == before


def test_a_damaged_part_is_removed_and_said(songs, tmp_path, monkeypatch):
    real = prepare.assembly.write_shard

    def write(plan):
        part = plan.parts / plan.rows[1].name
        data = bytearray(part.read_bytes())
        data[len(data) // 3] ^= 255
        part.write_bytes(data)
        return real(plan)

    monkeypatch.setattr(prepare.assembly, "write_shard", write)
    with pytest.raises(FadernetsError, match="cannot be read back; run again"):
        prepare.prepare({"folder": songs}, tmp_path / "out", workers=1)
    monkeypatch.setattr(prepare.assembly, "write_shard", real)
    whole = prepare.prepare({"folder": songs}, tmp_path / "whole", workers=1)
    assert prepare.prepare({"folder": songs}, tmp_path / "out", workers=1).hash == whole.hash


# Dask


def test_a_cluster_that_cannot_be(tmp_path, refused):
    for options, match in [
        (["--cluster", "pbs"], "is not known; allowed: local[:N], slurm, ssh:HOST,HOST, kubernetes"),
        (["--cluster", "local:0"], "expected local[:N]"),
        (["--cluster", "ssh:"], "expected local[:N]"),
        (["--cluster", "slurm:4"], "expected local[:N]"),
        (["--cluster", "local:2", "--workers", "2"], "leave --workers out"),
        (["--cluster", "local", "--scheduler", "tcp://127.0.0.1:1"], "name one of them"),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "has its own workers"),
    ]:
        assert match in refused("prepare", tmp_path / "out", "--corpus", f"folder={tmp_path}", *options)


def test_without_dask_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(FadernetsError, match=re.escape("pip install 'fadernets[cluster]'")):
        clusters.connect(None, "local:1", None).__enter__()


@pytest.mark.parametrize(("cluster", "package"), [("ssh:one,two", "asyncssh"), ("kubernetes", "dask-kubernetes")])
def test_a_package_that_a_cluster_needs_is_named(monkeypatch, cluster, package):
    pytest.importorskip("distributed")
    monkeypatch.setitem(sys.modules, package.replace("-", "_"), None)
    with pytest.raises(FadernetsError, match=f"needs the package {package}; pip install {package}"):
        clusters.connect(None, cluster, None).__enter__()


def test_a_local_cluster_writes_the_same_bytes_and_finds_the_same_file(songs, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(prepare, "read_chunk", deadly_reader.read_chunk)
    (songs / "21.mid").write_bytes(b"deadly")
    by_processes = prepare.prepare({"folder": songs}, tmp_path / "processes", workers=2)
    by_dask = prepare.prepare({"folder": songs}, tmp_path / "dask", cluster="local:2")
    assert content_of(by_dask.folder) == content_of(by_processes.folder)


def test_a_local_cluster_without_a_worker_begins_others(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "WORKERLESS_SECONDS", 1.0)
    with clusters.connect(None, "local:1", None) as client:
        for nanny in client.cluster.workers.values():
            client.cluster.sync(nanny.close)
        with executors.DaskWorkers(client) as workers:
            workers.submit(abs, -1)
            assert workers.next() == (-1, 1)


def test_jobs_of_slurm(songs, tmp_path, monkeypatch):
    """dask-jobqueue submits its scripts to an `sbatch` that runs them here."""
    pytest.importorskip("dask_jobqueue")
    import dask.config

    programs = tmp_path / "bin"
    programs.mkdir()
    job = f"{tmp_path}/job"
    script = f'#!/bin/sh\ncp "$1" {job}.sh\nsetsid bash {job}.sh >{job}.log 2>&1 &\necho "job $!"\n'
    (programs / "sbatch").write_text(script)
    (programs / "scancel").write_text('#!/bin/sh\nkill -- "-$1" 2>/dev/null\nexit 0\n')
    for program in programs.iterdir():
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    settings = {"cores": 1, "processes": 1, "memory": "1GB", "interface": "lo", "log-directory": None}
    settings |= {"death-timeout": 20, "python": sys.executable}
    options = {f"jobqueue.slurm.{name}": value for name, value in settings.items()}
    options |= {"jobqueue.slurm.scheduler-options": {"dashboard_address": "127.0.0.1:0"}}
    with dask.config.set(options):
        data = prepare.prepare({"folder": songs}, tmp_path / "out", cluster="slurm", workers=1)
    assert data.hash == prepare.prepare({"folder": songs}, tmp_path / "here", workers=1).hash


def test_a_scheduler_that_is_gone_is_one_line(songs, tmp_path, monkeypatch):
    """And the run goes on with another one."""
    pytest.importorskip("distributed")
    from browsing import free_port

    address = f"tcp://127.0.0.1:{free_port()}"
    started = [start_scheduler(address), start_worker(address)]

    def kill_scheduler(*_):
        os.killpg(started[0].pid, signal.SIGKILL)

    with pytest.raises(FadernetsError, match="the scheduler of the cluster is gone; run again"):
        prepare.prepare({"folder": songs}, tmp_path / "out", scheduler=address, progress=kill_scheduler)
    started.append(start_scheduler(address))
    started.append(start_worker(address))
    data = prepare.prepare({"folder": songs}, tmp_path / "out", scheduler=address)
    assert data.hash == prepare.prepare({"folder": songs}, tmp_path / "here", workers=1).hash
    for process in started:
        end(process)
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 1)
    with pytest.raises(FadernetsError, match=f"--scheduler {address}: cannot be reached or started"):
        prepare.prepare({"folder": songs}, tmp_path / "out", scheduler=address)
