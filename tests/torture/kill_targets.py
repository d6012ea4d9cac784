"""Commands that are killed or that find the disk full, run in a process of their own with all libraries loaded.

`act` runs in a child of multiprocessing's fork server, which imports this module once. It can end itself before its
N-th change of a file, be told that the disk is full from there on, or have a limit on the size of a file.
"""

import contextlib
import errno
import importlib
import io
import os
import signal
import sys

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "os.symlink", "sqlite3.connect")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
LIBRARIES = (
    "torch",
    "lightning",
    "onnx",
    "safetensors.torch",
    "symusic",
    "uvicorn",
    "fadernets.cli.main",
    "fadernets.data.prepare",
    "fadernets.training.loop",
    "fadernets.fitting.export",
    "fadernets.editing.file_edit",
    "fadernets.listening.server",
)

for _name in LIBRARIES:
    importlib.import_module(_name)


def act(pipe, arguments, folder, how, at):
    """Run `fadernets ARGUMENTS` and send its exit code, its lines of errors and how many changes it made in `folder`.

    how: `count`, `time` (the parent kills), `event` (SIGKILL before change number `at`), `full` (no file can be made
    from change `at` on), `size` (no file can be longer than `at` bytes).
    """
    os.setsid()
    from fadernets.cli import main
    from fadernets.fitting import fit_patterns

    fit_patterns.STEPS_OF_FIT = 5
    seen = _watch(folder, how, at)
    out, err = io.StringIO(), io.StringIO()
    pipe.send("begun")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main.main(arguments)
        except SystemExit as stop:
            code = stop.code
        except BaseException as error:
            code = f"{type(error).__name__}: {error}"
    with contextlib.suppress(BrokenPipeError):  # nobody waits any more
        pipe.send((code, err.getvalue().splitlines(), seen[0]))


def _watch(folder, how, at):
    """Count the changes of files in a folder, and do something at one of them. Returns the list that has the count."""
    seen, folder = [0], str(folder)
    if how == "size":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (at, resource.RLIM_INFINITY))

    def hook(event, arguments):
        if event == "open":
            is_change = bool(arguments[2] & WRITING) and str(arguments[0]).startswith(folder)
        else:
            is_change = event in CHANGES and folder in str(arguments[0])
        if not is_change:
            return
        seen[0] += 1
        if how == "event" and seen[0] > at:
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "full" and seen[0] > at and event in ("open", "os.mkdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sys.addaudithook(hook)
    return seen
