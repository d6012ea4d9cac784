"""Models for workers whose edits end badly or not at all, by the model that they ask for; importable from another
process."""

import os
import time
from functools import partial
from pathlib import Path

from fadernets.web.models import Models


class HostileModels(Models):
    """Models that sleep, die, eat memory or break. A death leaves a mark in `folder`, `dies-twice` at most two."""

    def __init__(self, folder):
        super().__init__()
        self._marks = folder

    def engine(self, name="rewriter"):
        if name == "sleeps":
            time.sleep(600)
        if name == "naps":
            time.sleep(0.3)
        if name in ("dies", "dies-twice"):
            marks = len(list(self._marks.iterdir()))
            if name == "dies" or marks < 2:
                (self._marks / str(marks)).touch()
                os._exit(3)
        if name == "breaks":
            raise ZeroDivisionError("a bug in My Song")
        kept = []
        while name == "eats":
            kept.append(os.urandom(2**24))
            time.sleep(0.01)
        return super().engine(name if name == "no" else "rewriter")


def make(folder):
    """What makes them in another process."""
    return partial(_make, Path(folder))


def _make(folder):
    return HostileModels(folder)
