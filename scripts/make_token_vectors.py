"""Writes tests/vectors/performance_tokens.json: made-up notes, some Mozart, and the tokens note-seq gives them.

note-seq 0.0.5 brings some 750 MB of dependencies, so the tests read this file and it is made elsewhere:

    python -m venv /tmp/oracle && /tmp/oracle/bin/pip install note-seq==0.0.5
    /tmp/oracle/bin/python scripts/make_token_vectors.py
"""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import note_seq  # type: ignore[import-not-found]

ASSETS = Path(__file__).parents[1] / "src" / "fadernets" / "assets"  # public-domain pieces of the package
OUT = Path(__file__).parents[1] / "tests" / "vectors" / "performance_tokens.json"
RESERVED = 2  # PAD and EOS come before note-seq's classes
EOS = 1

Row = tuple[float, float, int, int]  # onset and end in seconds, pitch, velocity


def oracle_tokens(notes: Iterable[Row], start: float = 0.0, end: float | None = None) -> list[int]:
    """Tokens of the notes, or of those that begin in start..end, by note-seq alone."""
    sequence = note_seq.NoteSequence()
    for onset, release, pitch, velocity in notes:
        sequence.notes.add(start_time=onset, end_time=release, pitch=pitch, velocity=velocity)
        sequence.total_time = max(sequence.total_time, release)
    if end is not None and sequence.total_time > start:
        sequence = note_seq.extract_subsequence(sequence, start, end)
    elif end is not None:
        sequence = note_seq.NoteSequence()  # extract_subsequence refuses to begin past the last note
    quantized = note_seq.quantize_note_sequence_absolute(sequence, steps_per_second=100)
    performance = note_seq.Performance(quantized_sequence=quantized, num_velocity_bins=64)
    return [RESERVED + _classes().encode_event(event) for event in performance] + [EOS]


def oracle_notes(tokens: Iterable[int], velocity: int) -> list[Row]:
    """Notes of a stream up to its first EOS, by note-seq alone; `velocity` holds until a token sets one."""
    performance = note_seq.Performance(steps_per_second=100, num_velocity_bins=64)
    for token in tokens:
        if token == EOS:
            break
        if token >= RESERVED:
            performance.append(_classes().decode_event(token - RESERVED))
    sequence = performance.to_sequence(velocity=velocity)
    return [(note.start_time, note.end_time, note.pitch, note.velocity) for note in sequence.notes]


def _classes() -> Any:
    return note_seq.PerformanceOneHotEncoding(num_velocity_bins=64, min_pitch=21, max_pitch=108)


def cases() -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {
        "nothing": {"notes": []},
        "one note": {"notes": [(0.0, 0.5, 60, 80)]},
        "lowest and highest key": {"notes": [(0.0, 0.1, 21, 64), (0.0, 0.2, 108, 64)]},
        "every velocity": {"notes": [(v / 100, v / 100 + 0.01, 60, v) for v in range(1, 128)]},
        "silence first": {"notes": [(0.37, 0.5, 60, 80)]},
        "shifts of 99, 100, 101, 200 and 300 steps": {
            "notes": [
                (0.99, 1.99, 50, 70),
                (3.0, 5.0, 51, 70),
                (8.0, 8.01, 52, 70),
            ]
        },
        "half steps": {"notes": [(k / 100 + 0.005, k / 100 + 0.015, 40 + k, 64) for k in range(12)]},
        "no length": {"notes": [(0.1, 0.1, 60, 64), (0.203, 0.204, 62, 64)]},
        "chord out of order": {"notes": [(0.0, 0.5, 67, 60), (0.0, 0.5, 60, 60), (0.0, 0.5, 64, 61)]},
        "rolled within a step": {"notes": [(0.003, 0.5, 60, 60), (0.002, 0.5, 64, 66), (0.001, 0.5, 67, 60)]},
        "struck again": {"notes": [(0.0, 0.5, 60, 64), (0.5, 1.0, 60, 64)]},
        "struck while sounding": {"notes": [(0.0, 0.5, 60, 64), (0.25, 1.0, 60, 90)]},
        "nested": {"notes": [(0.0, 1.0, 60, 64), (0.25, 0.5, 60, 90)]},
        "twice at once": {"notes": [(0.0, 1.0, 60, 64), (0.0, 0.5, 60, 90)]},
        "window: before, held over, at the edges": {
            "notes": [
                (1.9, 2.5, 48, 64),
                (2.0, 2.5, 50, 64),
                (3.5, 9.0, 52, 64),
                (3.997, 4.5, 53, 64),
                (4.0, 4.5, 55, 64),
            ],
            "start": 2.0,
            "end": 4.0,
        },
        "window with nothing": {"notes": [(0.0, 0.5, 60, 64)], "start": 2.0, "end": 4.0},
    }
    for seed in range(8):
        rng = random.Random(seed)
        notes = []
        for _ in range(40):
            onset = round(rng.uniform(0, 6), 4)
            length = round(rng.expovariate(3), 4)
            notes.append((onset, round(onset + length, 4), rng.randint(21, 108), rng.randint(1, 127)))
        made[f"random {seed}"] = {"notes": notes, "start": 2.0 * (seed % 3), "end": 2.0 * (seed % 3) + 2.0}
    for piece in ("k265", "k545"):
        played = [
            (note.start_time, note.end_time, note.pitch, note.velocity)
            for note in note_seq.midi_file_to_note_sequence(ASSETS / f"{piece}.mid").notes
        ]
        for start in (0.0, 6.0, 14.0):
            near = [note for note in played if start - 4 <= note[0] < start + 4]
            made[f"Mozart, {piece} from {start:g} s"] = {"notes": near, "start": start, "end": start + 2}
    return made


def main() -> None:
    rows = []
    for name, case in cases().items():
        whole = {"name": name, "start": 0.0, "end": None, **case}
        whole["tokens"] = oracle_tokens(whole["notes"], whole["start"], whole["end"])
        rows.append(json.dumps(whole))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("[\n" + ",\n".join(rows) + "\n]\n")
    print(f"{len(rows)} cases -> {OUT}")


if __name__ == "__main__":
    main()
