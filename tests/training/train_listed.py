"""Trains the recipes of a JSON list, as one of the processes that torchrun started; `stop_at` ends one early."""

import json
import sys
from pathlib import Path

from fadernets.errors import FadernetsError
from fadernets.training import loop, recipes


class Stopped(Exception):
    """A run was long enough."""


def stop(at):
    def progress(step, total):
        if step > at:
            raise Stopped

    return progress


for values in json.loads(Path(sys.argv[1]).read_text()):
    at = values.pop("stop_at", None)
    try:
        loop.train(recipes.check(values), progress=None if at is None else stop(at))
    except Stopped:
        sys.exit(0)
    except FadernetsError as error:
        sys.exit(str(error))
