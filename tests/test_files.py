"""Files are written whole or not at all, by any number of threads, on full disks and through links."""

import errno
import os
import signal
import stat
import subprocess
import sys
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


def test_a_pipe_is_not_replaced(tmp_path):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(FadernetsError, match=r"cannot be written \(it is no regular file\)"):
            files.write_atomic(path, b"new")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert set(tmp_path.iterdir()) == {pipe, link}


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


KILLED_WRITER = """
import os, pathlib, signal, sys
from fadernets import files
with files.open_atomic(pathlib.Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_removed_and_what_another_one_writes_is_not(tmp_path):
    pytest.importorskip("fcntl")
    out, other = tmp_path / "out.mid", tmp_path / "other.mid"
    out.write_bytes(b"old")
    assert subprocess.run([sys.executable, "-c", KILLED_WRITER, str(out)], timeout=60).returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    files._remove_parts.cache_clear()
    with files.open_atomic(other) as file:
        assert sorted(path.name for path in tmp_path.iterdir())[1:] == ["out.mid"]
        file.write(b"slow")
        files._remove_parts.cache_clear()
        files.write_atomic(out, b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"out.mid": b"new", "other.mid": b"slow"}


# Folders


def fill(folder, text):
    """Replace a folder by one that holds one file."""
    with files.open_folder(folder) as new:
        (new / "inside").mkdir()
        (new / "inside" / "file").write_text(text)


def content(folder):
    return (folder / "inside" / "file").read_text()


def test_a_folder_is_replaced(tmp_path):
    folder = tmp_path / "folder"
    for text in ("first", "second"):
        fill(folder, text)
        assert content(folder) == text
        assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_behind_a_link_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    fill(link, "new")
    assert link.is_symlink()
    assert content(tmp_path / "elsewhere") == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "link"]


def test_a_folder_whose_filling_fails_stays(tmp_path):
    folder = tmp_path / "folder"
    fill(folder, "old")

    def half():
        with files.open_folder(folder) as new:
            (new / "half").write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(FadernetsError, match=rf"^{folder}: cannot be written \(No space left on device\)$"):
        half()
    assert content(folder) == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_file_is_not_replaced_by_a_folder(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"kept")
    link.symlink_to(file)
    for path in (file, link):
        with pytest.raises(FadernetsError, match="is a file; expected a folder"), files.open_folder(path):
            pass
    assert file.read_bytes() == b"kept"
    assert set(tmp_path.iterdir()) == {file, link}


def test_the_root_is_no_folder_to_replace():
    with pytest.raises(FadernetsError, match=r"^/: cannot be replaced; name a folder in it$"):
        fill(Path("/"), "new")


KILLED = """
import os, pathlib, signal, sys
from fadernets import files
folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
replace = os.replace
def counted(*places):
    global count
    if count == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    count -= 1
    replace(*places)
os.replace = counted
with files.open_folder(folder) as new:
    (new / "inside").mkdir()
    (new / "inside" / "file").write_text("new")
"""


@pytest.mark.parametrize("error", [OSError(errno.EIO, "gone"), KeyboardInterrupt()])
def test_a_stop_between_the_renames_leaves_the_old_folder(tmp_path, monkeypatch, error):
    folder, replace = tmp_path / "folder", os.replace
    fill(folder, "old")

    def second_fails(source, target):
        if Path(source).name == files.NEW:
            raise error
        replace(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises((FadernetsError, KeyboardInterrupt)):
        fill(folder, "new")
    assert content(folder) == "old"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("rerun", [files.recover_folder, lambda folder: fill(folder, "new")])
@pytest.mark.parametrize("renames", [0, 1])
def test_a_kill_before_a_rename_leaves_the_old_folder(tmp_path, renames, rerun):
    """... after the next start, which leaves nothing behind."""
    folder = tmp_path / "folder"
    fill(folder, "old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(renames)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert folder.exists() == (renames == 0)
    rerun(folder)
    assert content(folder) == ("old" if rerun is files.recover_folder else "new")
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_that_is_being_written_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "CLAIM_PAUSE", 0.001)
    folder = tmp_path / "folder"
    fill(folder, "old")
    with files.open_folder(folder) as new:
        (new / "inside").mkdir()
        (new / "inside" / "file").write_text("new")
        files.recover_folder(folder)
        with pytest.raises(FadernetsError, match=rf"^{folder}: another process is writing it$"):
            fill(folder, "other")
        assert content(folder) == "old"
    assert content(folder) == "new"
    assert list(tmp_path.iterdir()) == [folder]


def test_many_threads_replace_one_folder(tmp_path):
    folder = tmp_path / "folder"

    def one(text):
        try:
            fill(folder, text)
        except FadernetsError as error:
            assert str(error) == f"{folder}: another process is writing it"  # noqa: PT017
            return None
        return text

    with ThreadPoolExecutor(8) as threads:
        written = [text for text in threads.map(one, [str(i) for i in range(40)]) if text]
    assert content(folder) in written
    assert list(tmp_path.iterdir()) == [folder]


def test_the_sole_use_of_a_folder(tmp_path):
    with (
        files.sole_use(tmp_path, "is busy"),
        pytest.raises(FadernetsError, match=rf"^{tmp_path}: is busy$"),
        files.sole_use(tmp_path, "is busy"),
    ):
        pass
    with files.sole_use(tmp_path, "is busy"):
        assert list(tmp_path.iterdir()) == []
