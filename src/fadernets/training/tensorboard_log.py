"""The figures of a run as TensorBoard reads them, written at once: no thread of its own whose errors nobody hears."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path


class TensorboardLog:
    """An events file in a folder that is made where it is missing. Raises OSError where it cannot be written.

    Its methods are those of Fabric's loggers.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"events.out.tfevents.{time.time_ns()}").open("ab")
        self._records, self._event = RecordWriter(self._file), Event
        self._records.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Add the figures of a step."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        for name, value in metrics.items():
            summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
            event = self._event(wall_time=time.time(), step=step, summary=summary)
            self._records.write(event.SerializeToString())
        self._records.flush()

    def finalize(self, status: str) -> None:
        """Close the file."""
        self._file.close()
