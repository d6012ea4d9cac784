"""What a fader in a code counts at each sixteenth: the quantity that its attribute is the mean of.

It is declared and not programmed, so that NumPy, PyTorch (`data.batches`) and the exported graph (`fitting.onnx_grid`)
count alike. Cells are [..., 16, 88] of 0 off, 1 onset, 2 hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Bytes, Cells, Floats
from fadernets.codecs.grid import HOLD, ONSET, PITCHES

STATES = 3  # rest, onset, hold


@dataclass(frozen=True)
class StepCount:
    """How many notes of a range of pitches begin, or sound, at a step; counted up to a limit.

    The limit and the range decide the symbols that a sub-decoder learns to say (Section 4.1, Figure 1 of the ISMIR
    paper): the count itself or, with `states`, whether there is a rest (0), an onset (1) or a hold (2).
    """

    limit: int  # a step counts at most this
    holds: bool = True  # notes held into a step count as well; False: onsets alone
    low: int = 0  # first pitch of the range, 0..87
    high: int = PITCHES  # the pitch behind the last one
    states: bool = False  # symbols are rest, onset and hold; with `limit` 1 and no holds

    @property
    def classes(self) -> int:
        """How many symbols there are."""
        return STATES if self.states else self.limit + 1

    def symbols(self, cells: Cells) -> Bytes:
        """[..., 16] the symbol of each step."""
        part = cells[..., self.low : self.high]
        onset, hold = part == ONSET, part == HOLD
        if self.states:
            return np.asarray(np.where(onset.any(axis=-1), 1, np.where(hold.any(axis=-1), 2, 0)), np.uint8)
        counted = onset | hold if self.holds else onset
        return np.asarray(np.minimum(counted.sum(axis=-1), self.limit), np.uint8)

    def mean(self, cells: Cells) -> Floats:
        """[...] the attribute: the mean count of the sixteen steps."""
        symbols = self.symbols(cells)
        return np.asarray((symbols == 1 if self.states else symbols).mean(axis=-1))
