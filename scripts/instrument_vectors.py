"""Write how loud some notes are over time where the package plays them: the page's synthesiser is held to it.

python scripts/instrument_vectors.py studio/src/lib/instruments.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from make_instruments import heard

from fadernets.rendering import sound_bank

NOTES = [  # program, key; None: a drum
    *((program, 60) for program in (0, 3, 4, 11, 12, 16, 24, 30, 48, 56, 71, 89, 105)),
    *((program, 72) for program in (40, 73, 80)),
    (33, 40),
    *((None, key) for key in (36, 38, 42, 46, 49, 56)),
]
WINDOW = 4_800  # frames at 48 kHz
WINDOWS = 8


def levels(program: int | None, key: int) -> list[float]:
    """dB of each tenth of a second, over both channels."""
    sound = heard(sound_bank.whole(), program or 0, key, drum=program is None)
    parts = sound[:, : WINDOW * WINDOWS].reshape(2, WINDOWS, WINDOW)
    return [round(float(level), 1) for level in 10 * np.log10((parts**2).mean((0, 2)) + 1e-12)]


if __name__ == "__main__":
    rows = [{"program": program, "key": key, "levels": levels(program, key)} for program, key in NOTES]
    Path(sys.argv[1]).write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")
