"""Writes tests/vectors/played_notes.json: made-up notes and how the bundled model plays new ones among them.

A port of `engines.played_notes` to another language must give the same; numbers are rounded to five digits.
"""

import json
from pathlib import Path

import numpy as np

from fadernets.data.played_notes import FEATURES, MANNER, GridNotes, surroundings
from fadernets.engines.played_notes import PlayedNotes

OUT = Path(__file__).parents[1] / "tests" / "vectors" / "played_notes.json"
KNOWN, ASKED, SEED = 90, 12, 7


def made_up(rng: np.random.Generator, count: int) -> GridNotes:
    """Notes in time order on segments of sixteen sixteenths."""
    time = np.sort(rng.integers(0, 48, count)).astype(np.float64)
    level = np.select([time % 16 == 0, time % 4 == 0, time % 2 == 0], [0, 1, 2], 3)
    pitch, length = rng.integers(40, 85, count).astype(np.float64), rng.integers(1, 9, count).astype(np.float64)
    return GridNotes(time, pitch, length, level, time % 16)


def columns(notes: GridNotes) -> dict[str, list[float]]:
    """The notes' fields as lists."""
    return {name: getattr(notes, name).tolist() for name in GridNotes.__dataclass_fields__}


def main() -> None:
    """Write the file."""
    rng = np.random.default_rng(0)
    known, asked = made_up(rng, KNOWN), made_up(rng, ASKED)
    played = np.column_stack([rng.integers(40, 100, KNOWN), rng.normal(0, 0.1, KNOWN), rng.normal(0, 0.2, KNOWN)])
    played = np.round(played, 3).astype(np.float32)
    model = PlayedNotes.bundled()
    vectors = {
        "features": list(FEATURES),
        "manner": list(MANNER),
        "seed": SEED,
        "known": columns(known) | {"played": played.round(3).tolist()},
        "asked": columns(asked),
        "expected": {
            "features": surroundings(known, played, asked).features.round(5).tolist(),
            "middle": model.predict(surroundings(known, played, asked)).middle.round(5).tolist(),
            "draws": model.draws(asked, SEED).round(5).tolist(),
            "played": model.play(known, played, asked, seed=SEED).round(5).tolist(),
        },
    }
    OUT.write_text(json.dumps(vectors) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
