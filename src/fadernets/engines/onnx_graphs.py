"""An ONNX graph of a model folder, run as what it is: a file that may come from anywhere.

It must be the file that model.json names by its hash, and whole: a graph that reads other files is refused. Whatever it
does, a call ends, with arrays of finite numbers or with one line: ONNX Runtime's errors are translated, and a graph
that does not end is stopped.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Array
from fadernets.errors import MOST_QUOTED, FadernetsError, first_line

SECONDS_OF_CALL, SECONDS_OF_ROW = 60.0, 0.5  # after which a call is stopped; a row takes milliseconds
SECONDS_BETWEEN_LOOKS = 1.0  # at the time that a call has taken
EXTERNAL = b"location"  # the key by which a tensor of an ONNX file names another file; no graph of ours has the word


class ModelError(FadernetsError):
    """A model folder that cannot be used."""


class Graph:
    """A graph, ready to run on one thread."""

    def __init__(self, path: Path, sha256: str | None) -> None:
        """Read and open the graph. Raises ModelError where it cannot be read or has another hash."""
        import onnxruntime

        self.path, self._runtime = path, onnxruntime
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ModelError(f"{path}: is damaged (its hash is not the one in model.json); export it again")
        if EXTERNAL in data:
            raise ModelError(f"{path}: keeps weights in other files (external data), which are not read; put them in")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # fatal ones alone: what goes wrong is said by ModelError
        options.add_session_config_entry("session.load_model_format", "ONNX")
        providers = ["CPUExecutionProvider"]
        try:  # without a second try of the runtime's own, which it announces on standard output
            self.session = onnxruntime.InferenceSession(data, options, providers=providers, enable_fallback=0)
        except Exception as error:  # the runtime's kinds share no base of their own
            raise ModelError(
                f"{path}: is no graph that can be run ({first_line(error, MOST_QUOTED)}); export it again"
            ) from None

    def run(
        self,
        outputs: Sequence[str] | None,
        feeds: Mapping[str, Any],
        shapes: Sequence[Sequence[int | None]] | None = None,
    ) -> list[Array]:
        """The arrays of these outputs, or of all, as ONNX Runtime's own `run` gives them.

        shapes: what they must have, None for any size. Raises ModelError where the graph has other inputs or outputs,
        fails, takes too long, or gives what is no number; where shapes are given, infinite ones too.
        """
        options = self._runtime.RunOptions()
        options.log_severity_level = 4
        rows = max((len(value) for value in feeds.values() if np.ndim(value)), default=1)
        limit = SECONDS_OF_CALL + SECONDS_OF_ROW * rows
        try:
            with _watch.limit(options, limit):
                arrays: list[Array] = self.session.run(outputs and list(outputs), dict(feeds), options)
        except Exception as error:  # the runtime's kinds share no base of their own
            if options.terminate:
                raise ModelError(f"{self.path}: did not end in {limit:.0f} seconds and was stopped") from None
            raise ModelError(
                f"{self.path}: does not fit this model ({first_line(error, MOST_QUOTED)}); export it again"
            ) from None
        for i, array in enumerate(arrays):
            self._check(array, None if shapes is None else shapes[i])
        return arrays

    def width(self, output: str) -> int:
        """The last size of an output. Raises ModelError where the graph does not say it."""
        for found in self.session.get_outputs():
            if found.name == output and found.shape and isinstance(found.shape[-1], int):
                return int(found.shape[-1])
        raise ModelError(f"{self.path}: does not say how long {output} is; export it again")

    def _check(self, array: Any, shape: Sequence[int | None] | None) -> None:
        """Raises ModelError for an output that is not what the engine expects."""
        if shape is not None:
            found = array.shape if isinstance(array, np.ndarray) else ()
            if len(found) != len(shape) or any(n not in (None, m) for n, m in zip(shape, found, strict=True)):
                wanted = ["any" if n is None else n for n in shape]
                raise ModelError(f"{self.path}: gave an array of shape {list(found)}, not {wanted}; export it again")
        whole = array.dtype.kind in "iub"
        if not whole and (array.dtype.kind != "f" or (np.isnan(array) if shape is None else ~np.isfinite(array)).any()):
            raise ModelError(f"{self.path}: gave what is no number; export it again")


class _Watch:
    """Stops calls that take too long. Its one thread lives while there are calls, so that a call costs no thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[int, tuple[float, Any]] = {}  # the options of each call, and when it is stopped
        self._thread: threading.Thread | None = None

    @contextmanager
    def limit(self, options: Any, seconds: float) -> Iterator[None]:
        """Set `terminate` of these options where the block takes longer."""
        with self._lock:
            self._calls[id(options)] = time.monotonic() + seconds, options
            if self._thread is None or not self._thread.is_alive():  # not in a process forked since
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._calls[id(options)]

    def _look(self) -> None:
        while True:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            with self._lock:
                for due, options in self._calls.values():
                    if time.monotonic() > due:
                        options.terminate = True
                if not self._calls:
                    self._thread = None
                    return


_watch = _Watch()
