"""Units of work that end the process which does them, for workers of any kind: they import this module by its name."""

import os
import signal
import time

from fadernets.data import chunks
from fadernets.data.corpora import CORPORA

DEADLY = b"deadly"


def read_chunk(chunk):
    """As `chunks.read_chunk`; a file that holds the word `deadly` ends the process that reads it."""
    row = CORPORA["folder"]

    def read(source):
        if DEADLY in source.path.read_bytes():
            os.kill(os.getpid(), signal.SIGKILL)
        return row.read(source)

    CORPORA["folder"] = type(row)(row.name, row.marker, row.sources, read, row.licence, row.shippable)
    try:
        return chunks.read_chunk(chunk)
    finally:
        CORPORA["folder"] = row


def double(number):
    """Twice the number; a negative one ends the process, but for that of a test."""
    if number < 0:
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number
