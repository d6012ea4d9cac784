"""What lies between two melodies, as codes and states: the two-way interpolation of Section 4.4 of the NIME paper.

From the top row to the bottom the pitch group of the codes goes from A to B, from the left column to the right the
rhythm group, and what belongs to neither by the Manhattan distance: each group once, by SLERP with the true angle
between the two codes' groups. Top left is A and bottom right B: with the paper's control as the model decodes their
codes, else A and B themselves. R rows, K columns, C clips, Z latent size.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Array, Floats, Floats32, Indices, Latents, States
from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import STEPS
from fadernets.engines.melody import MelodyEngine
from fadernets.melodies import blend_landing

RHYTHM_PULL, CLASS_PULL, PITCH_PULL = 6.0, 10.0, 0.8  # nats: a step's kind; the commonest pitch class; a semitone away
BLOCK = 256  # clips decoded at a time: 100 MB


def groups(engine: MelodyEngine, control: str) -> dict[str, Indices]:
    """The dimensions of the pitch group and of the rhythm group: those that the model was trained to keep them in, or
    with the paper's control (and a model without such) those that augmentation found."""
    trained = engine.info.get("groups")
    if control != "paper" and trained:
        return {name: np.arange(*span) for name, span in trained.items()}
    dimensions = {name: np.array(row["dimensions"], np.int64) for name, row in engine.info["knobs"].items()}
    dimensions["rhythm"] = np.setdiff1d(dimensions["rhythm"], dimensions["pitch"])  # each dimension once
    return dimensions


def slerp(a: Array, b: Array, t: float) -> Floats:
    """[..., D] from a at t = 0 to b at t = 1 along the arc between them; along the line where they lie on one."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    lengths = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    cosine = np.clip((a * b).sum(-1, keepdims=True) / np.maximum(lengths, 1e-12), -1, 1)
    angle = np.arccos(cosine)
    sine = np.sin(angle)
    straight = (sine < 1e-6) | (lengths < 1e-12)
    safe = np.where(straight, 1.0, sine)
    first = np.where(straight, 1 - t, np.sin((1 - t) * angle) / safe)
    second = np.where(straight, t, np.sin(t * angle) / safe)
    return np.asarray(first * a + second * b)


def between(a: Latents, b: Latents, of: dict[str, Indices], rows: int, columns: int) -> Floats32:
    """[R, K, C, Z] the codes of every cell, of codes [C, Z]."""
    rest = np.setdiff1d(np.arange(a.shape[-1]), np.concatenate([of["pitch"], of["rhythm"]]))
    out = np.empty((rows, columns, *a.shape), np.float32)
    for i in range(rows):
        for j in range(columns):
            down, right = i / max(rows - 1, 1), j / max(columns - 1, 1)
            both = (i + j) / max(rows + columns - 2, 1)  # Manhattan distance to A over that between A and B
            for dimensions, t in ((of["pitch"], down), (of["rhythm"], right), (rest, both)):
                out[i, j][..., dimensions] = slerp(a[..., dimensions], b[..., dimensions], t)
    return out


def interpolate(engine: MelodyEngine, a: States, b: States, rows: int, columns: int, control: str = "knob") -> States:
    """[R, K, C, 32] every cell between clips a and b [C, 32].

    The paper decodes the codes as they are, its corners too, which are as near to a and b as the model rebuilds them
    (`corner_distances`). `knob` adds what A and B themselves have: onsets, holds and rests weigh by column, pitch
    classes and pitches by row, and notes land where each row's pitch classes are nearer to B's than those of the row
    above; its corners are a and b themselves.
    """
    codes = engine.encode(np.concatenate([a, b]))
    z = between(codes[: len(a)], codes[len(a) :], groups(engine, control), rows, columns)
    size = max(BLOCK // (rows * columns), 1)
    blended = np.empty((rows, columns, len(a), STEPS), np.uint8)
    for some in (slice(at, at + size) for at in range(0, len(a), size)):
        pull = None if control == "paper" else _pull(a[some], b[some], rows, columns)
        offset = None if pull is None else pull.reshape(-1, STEPS, melody_states.STATES)
        decoded = engine.decode(z[:, :, some].reshape(-1, engine.z), offset=offset)
        cells = melody_states.tidy(decoded.states.reshape(rows, columns, -1, STEPS), held=True)
        if pull is not None:
            scores = decoded.log_probabilities.reshape(pull.shape) + pull
            cells = blend_landing.land_rows(cells, scores, a[some], b[some])
        blended[:, :, some] = cells
    if control != "paper":
        blended[0, 0], blended[-1, -1] = a, b
    return blended


def different_steps(output: States, source: States) -> Floats:
    """[...] the share of the steps of clips [..., 32] that begin a note in one alone, or sound another pitch."""
    same_onset = (output < melody_states.ONSETS) == (source < melody_states.ONSETS)
    same_pitch = melody_states.sounding(output) == melody_states.sounding(source)
    return np.asarray(1 - (same_onset & same_pitch).mean(-1))


def corner_distances(cells: States, a: States, b: States) -> dict[str, dict[str, float]]:
    """How far the corners of cells [R, K, C, 32] are from clips a and b [C, 32]: `a` and `b`, each of which has

    steps: the share that differs; onsets: how many more; pitch: semitones of mean pitch, 0 where one is silent.
    """

    def of(corner: States, source: States) -> dict[str, float]:
        pitch, wanted = (x[x < melody_states.ONSETS] for x in (corner, source))
        return {
            "steps": float(different_steps(corner, source).mean()),
            "onsets": float(len(pitch) - len(wanted)),
            "pitch": float(pitch.mean() - wanted.mean()) if len(pitch) and len(wanted) else 0.0,
        }

    return {"a": of(cells[0, 0], a), "b": of(cells[-1, -1], b)}


def _pull(a: States, b: States, rows: int, columns: int) -> Floats32:
    """[R, K, C, 32, 130] nats toward A's and B's rhythm, weighed by column, and pitches, weighed by row."""
    down, right = np.linspace(0, 1, rows), np.linspace(0, 1, columns)
    rhythm, pitch = [], []
    for clips in (a, b):
        kind = np.stack(
            [clips < melody_states.ONSETS, clips == melody_states.HOLD, clips == melody_states.REST], -1
        )  # [C, 32, 3]
        rhythm.append(RHYTHM_PULL * kind.astype(np.float32))
        pitches = melody_states.sounding(clips)
        share = np.stack([((pitches >= 0) & (pitches % 12 == c)).sum(-1) for c in range(12)], -1) + 0.0
        share /= np.maximum(share.max(-1, keepdims=True), 1)
        classes = CLASS_PULL * np.tile(share, (1, 11))[:, None, : melody_states.ONSETS]  # [C, 1, 128]
        away = np.abs(np.arange(melody_states.ONSETS) - pitches[..., None])
        pitch.append((classes - PITCH_PULL * np.where(pitches[..., None] >= 0, away, 0)).astype(np.float32))
    by_column = rhythm[0] + right[:, None, None, None] * (rhythm[1] - rhythm[0])  # [K, C, 32, 3]
    by_row = pitch[0] + down[:, None, None, None] * (pitch[1] - pitch[0])  # [R, C, 32, 128]
    by_row -= by_row.max(-1, keepdims=True)  # which pitch, not whether one begins
    out = np.empty((rows, columns, len(a), STEPS, melody_states.STATES), np.float32)
    out[..., : melody_states.ONSETS] = by_row[:, None] + by_column[None, ..., :1]
    out[..., melody_states.HOLD :] = by_column[None, ..., 1:]
    return out
