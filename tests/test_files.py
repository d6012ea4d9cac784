"""Files are written whole or not at all, by any number of threads, on full disks and through links."""

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fadernets import files
from fadernets.errors import FadernetsError


def test_a_long_name_can_be_written(tmp_path):
    out = tmp_path / ("x" * 251 + ".mid")
    files.write_atomic(out, b"abc")
    assert out.read_bytes() == b"abc"


def test_many_threads_write_into_one_folder(tmp_path):
    """Each file holds its own bytes and nothing is left over, though all threads share one process."""
    wanted = {tmp_path / f"{i}.mid": bytes([i % 251]) * (1 + i * 997) for i in range(300)}
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(files.write_atomic, wanted, wanted.values()))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == wanted


def test_many_threads_write_one_file(tmp_path):
    out = tmp_path / "out.mid"
    contents = [bytes([i]) * 50_000 for i in range(64)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda data: files.write_atomic(out, data), contents))
    assert out.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_keeps_its_permissions_and_a_new_one_has_the_usual(tmp_path):
    out, usual = tmp_path / "out.mid", tmp_path / "usual"
    usual.write_bytes(b"")
    files.write_atomic(out, b"new")
    assert stat.S_IMODE(out.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)
    out.chmod(0o640)
    files.write_atomic(out, b"newer")
    assert (out.read_bytes(), stat.S_IMODE(out.stat().st_mode)) == (b"newer", 0o640)


def test_a_link_is_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "real.mid", tmp_path / "link.mid"
    target.write_bytes(b"old")
    link.symlink_to(target)
    files.write_atomic(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def stopped_by(path, error):
    """Half a file written, then an error."""
    with files.open_atomic(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, step):
    out = tmp_path / "out.mid"
    out.write_bytes(b"old")

    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full(*_, **__):
        raise error

    if step != "write":
        monkeypatch.setattr(os, step, full)
    with pytest.raises(FadernetsError, match=rf"^{out}: cannot be written \(No space left on device\)$"):
        files.write_atomic(out, b"new") if step != "write" else stopped_by(out, error)
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


def test_an_error_of_the_writer_is_its_own(tmp_path):
    with pytest.raises(KeyError):
        stopped_by(tmp_path / "out.mid", KeyError("of the writer"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FadernetsError, match=r"cannot be written \(No such file or directory\)$"):
        files.write_atomic(Path(tmp_path / "no" / "out.mid"), b"abc")
