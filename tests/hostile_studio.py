"""A studio for workers whose calls end badly or not at all, by the seed that they ask for; importable from another
process."""

import os
import time

from fadernets.errors import FadernetsError
from fadernets.studio.service import Studio
from fadernets.studio.turns import StaleRequest

OBEYS, DEAF, DIES, EATS, FAILS, BREAKS = range(4001, 4007)


class HostileStudio(Studio):
    """Edits that go on, fail or take too much."""

    def warm(self):
        """Open nothing."""

    def edit(self, request, is_stale=lambda: False, tell=None):
        seed, kept = request.faders.seed, []
        if seed == DIES:
            os._exit(3)
        if seed == FAILS:
            raise FadernetsError("this cannot be done")
        if seed == BREAKS:
            raise ZeroDivisionError("a bug")
        while seed in (OBEYS, DEAF, EATS):
            if seed == OBEYS and is_stale():
                raise StaleRequest
            if seed == EATS:
                kept.append(bytearray(os.urandom(2**20)) * 10)
            time.sleep(0.01)
        return self.uploads.get(request.piece).document and self.about()


def make(uploads, folder):
    return HostileStudio(uploads=uploads, folder=folder)
