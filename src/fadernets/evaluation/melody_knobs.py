"""What a melody model's knobs do to held-out clips: both controls, the paper's own control, the grid between two clips.

N clips of 32 states. Means come with 95 % bootstrap intervals over the clips.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import ONSETS, States
from fadernets.data.dataset import Dataset
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError
from fadernets.melodies import blend, blend_landing, knobs
from fadernets.melodies.knobs import CONTROLS, Turn

Floats = NDArray[np.float64]
CLIPS = 1000
PAIRS = 200
PITCHES = tuple(float(p) for p in range(-12, 13))
RHYTHMS = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
COMPARED = (("pitch", 6.0), ("rhythm", 1.0))  # semitones, doublings: where random dimensions are compared
SIZE = 5
DRAWS = 1000  # of a bootstrap
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Figure:
    """A mean over clips and its 95 % interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Figure:
        """Of values [N] with those that are nan left out; nan where none is left."""
        values = values[~np.isnan(values)]
        if not len(values):
            return cls(float("nan"), float("nan"), float("nan"))
        drawn = np.random.default_rng(0).integers(0, len(values), (DRAWS, len(values)))
        low, high = np.percentile(values[drawn].mean(1), [2.5, 97.5])
        return cls(float(values.mean()), float(low), float(high))

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f}..{self.high:.3f})"


# --- figures of clips beside clips, each [N]


def step_accuracy(found: States, source: States) -> Floats:
    """Share of the steps that begin a note, or none, as the source's do and that sound its pitch."""
    same_onset = (found < ONSETS) == (source < ONSETS)
    return np.asarray((same_onset & (melody_states.sounding(found) == melody_states.sounding(source))).mean(-1))


def onset_f1(found: States, source: States) -> Floats:
    """F1 of the steps on which notes begin; 1 where neither has any."""
    a, b = found < ONSETS, source < ONSETS
    total = a.sum(-1) + b.sum(-1)
    return np.asarray(np.where(total > 0, 2 * (a & b).sum(-1) / np.maximum(total, 1), 1.0))


def contour(found: States, source: States) -> Floats:
    """Correlation of the pitches that sound where both do; nan where one of them stays on one pitch."""
    a, b = melody_states.sounding(found).astype(float), melody_states.sounding(source).astype(float)
    both = (a >= 0) & (b >= 0)
    n = np.maximum(both.sum(-1, keepdims=True), 1)
    a, b = (np.where(both, x - np.where(both, x, 0).sum(-1, keepdims=True) / n, 0) for x in (a, b))
    length = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    return np.asarray(np.where(length > 1e-9, (a * b).sum(-1) / np.maximum(length, 1e-9), np.nan))


def spearman(x: Floats, y: Floats) -> Floats:
    """[N] rank correlation of each row of [N, K] with ties at their mean rank; nan where one side does not change."""
    a, b = (_ranks(v) - (v.shape[1] - 1) / 2 for v in (x, y))
    length = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.asarray(np.where(length > 0, (a * b).sum(1) / np.maximum(length, 1e-12), np.nan))


def _ranks(v: Floats) -> Floats:
    less = (v[:, None, :] < v[:, :, None]).sum(-1)
    same = (v[:, None, :] == v[:, :, None]).sum(-1)
    return np.asarray(less + (same - 1) / 2)


# --- the study


def clips_of(data: Dataset, count: int, seed: int) -> States:
    """[N, 32] clips of the test split with two notes or more. Raises FadernetsError."""
    if not data.codec.melodic:
        raise FadernetsError(f"{data.folder}: holds {data.codec}; a melody model reads melodies")
    clips = melody_states.tidy(np.asarray(data.codes[np.sort(data.select(split="test"))]), held=True)
    clips = clips[np.random.default_rng(seed).permutation(len(clips))]
    clips = clips[melody_states.onsets(clips) > 1][:count]
    if len(clips) < 2:
        raise FadernetsError(f"{data.folder}: {len(clips)} clips of two notes or more in its test split; at least 2")
    return clips


def evaluate(
    engine: MelodyEngine, data: Dataset, *, count: int = CLIPS, seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Every figure of the test split: name -> value, or control -> name -> value."""
    clips = clips_of(data, count, seed)
    parts: list[tuple[str, Callable[[], Any]]] = [("reconstruction", lambda: reconstruction(engine, clips))]
    for control in CONTROLS:
        parts.append(
            (
                control,
                lambda control=control: {  # type: ignore[misc]
                    "pitch": pitch_knob(engine, clips, control),
                    "rhythm": rhythm_knob(engine, clips, control),
                    "grid": grid(engine, clips, control),
                },
            )
        )
    parts.append(("random", lambda: random_dimensions(engine, clips)))
    found: dict[str, Any] = {"model": engine.name, "data": data.hash, "clips": len(clips), "seed": seed}
    for i, (name, run) in enumerate(parts):
        found[name] = run()
        if progress:
            progress(i + 1, len(parts))
    return found


def reconstruction(engine: MelodyEngine, clips: States) -> dict[str, Figure]:
    """From posterior means, each step fed with the decoder's own."""
    found = melody_states.tidy(engine.decode(engine.encode(clips)).states, held=True)
    return {
        "steps": Figure.of(step_accuracy(found, clips)),
        "clips": Figure.of((found == clips).all(-1).astype(float)),
    }


def pitch_knob(engine: MelodyEngine, clips: States, control: str) -> dict[str, Figure]:
    """The pitch knob over -12..12 semitones."""
    own = melody_states.mean_pitch(clips)
    turned = [_turned(engine, clips, Turn(pitch=p, control=control)) for p in PITCHES]
    moved = np.stack([np.nan_to_num(melody_states.mean_pitch(t) - own) for t in turned], 1)
    return {
        "spearman": Figure.of(_known(spearman(np.tile(PITCHES, (len(clips), 1)), moved))),
        "error": Figure.of(np.abs(moved - PITCHES).mean(1)),
        "onset_f1": Figure.of(np.mean([onset_f1(t, clips) for t in turned], 0)),
        "contour": Figure.of(np.nanmean([_known(contour(t, clips)) for t in turned], 0)),
    }


def rhythm_knob(engine: MelodyEngine, clips: States, control: str) -> dict[str, Figure]:
    """The rhythm knob over -1..2 doublings; contour and pitch beside the source's."""
    own, count = melody_states.mean_pitch(clips), melody_states.onsets(clips).astype(float)
    asked = np.clip(np.round(count[:, None] * 2.0 ** np.array(RHYTHMS)), 1, melody_states.STEPS)
    turned = [_turned(engine, clips, Turn(rhythm=r, control=control)) for r in RHYTHMS]
    got = np.stack([melody_states.onsets(t).astype(float) for t in turned], 1)
    return {
        "spearman": Figure.of(_known(spearman(asked, got))),
        "error": Figure.of(np.abs(np.log2(np.maximum(got, 0.5) / asked)).mean(1)),
        "pitch_moved": Figure.of(
            np.mean([np.abs(np.nan_to_num(melody_states.mean_pitch(t) - own)) for t in turned], 0)
        ),
        "contour": Figure.of(np.nanmean([_known(contour(t, clips)) for t in turned], 0)),
    }


def _known(values: Floats) -> Floats:
    """Figures with 0 in place of what has none, so that a clip that went flat, or stayed, counts against the knob."""
    return np.nan_to_num(values)


def _turned(engine: MelodyEngine, clips: States, turn: Turn) -> States:
    """Clips turned one by one as an edit does, each in its own key."""
    classes = np.stack([knobs.classes_of(clip) for clip in clips])
    return knobs.turn(engine, clips, turn, classes)


def random_dimensions(engine: MelodyEngine, clips: States) -> dict[str, Figure]:
    """The paper's control of its control (Figures 6b and 7b): a knob's own dimensions, and as many others moved by as
    much, both by the paper's plain decode. What each changes: mean pitch, onsets, and steps that differ."""
    codes, found = engine.encode(clips), {}
    still = melody_states.tidy(engine.decode(codes).states, held=True)
    for knob, amount in COMPARED:
        ways = {
            "knob": knobs.unit(engine, knob, "paper"),
            "random": knobs.random_dimensions(engine, knob, 0).astype(np.float64),
        }
        for name, way in ways.items():
            moved = melody_states.tidy(engine.decode(codes + (amount * way).astype(np.float32)).states, held=True)
            pitch = np.abs(melody_states.mean_pitch(moved) - melody_states.mean_pitch(still))
            ratio = np.maximum(melody_states.onsets(moved), 0.5) / np.maximum(melody_states.onsets(still), 0.5)
            found[f"{knob}/{name}/pitch"] = Figure.of(pitch)
            found[f"{knob}/{name}/doublings"] = Figure.of(np.abs(np.log2(ratio)))
            found[f"{knob}/{name}/steps"] = Figure.of(1 - step_accuracy(moved, still))
    return found


def grid(engine: MelodyEngine, clips: States, control: str, size: int = SIZE) -> dict[str, Any]:
    """The grid between pairs of clips: how steadily rows go to B in pitch classes and columns in rhythm, and how far
    cells are from each other by steps apart."""
    pairs = min(PAIRS, len(clips) // 2)
    a, b = clips[:pairs], clips[pairs : 2 * pairs]
    cells = blend.interpolate(engine, a, b, size, size, control)  # [R, K, N, 32]
    classes, rhythm = blend_landing.content(cells), (cells < ONSETS).astype(float)
    to_b = {
        "rows": blend_landing.likeness(classes, blend_landing.content(b)),
        "columns": blend_landing.likeness(rhythm, (b < ONSETS).astype(float)),
    }
    steps = np.arange(size, dtype=float)
    down = to_b["rows"].transpose(2, 1, 0).reshape(-1, size)  # a column of a pair each
    right = to_b["columns"].transpose(2, 0, 1).reshape(-1, size)
    found: dict[str, Any] = {
        "rows": Figure.of(_known(spearman(np.tile(steps, (len(down), 1)), down))),
        "columns": Figure.of(_known(spearman(np.tile(steps, (len(right), 1)), right))),
        "rows_monotone": _never_back(down),
        "columns_monotone": _never_back(right),
        "rows_mean": np.nanmean(to_b["rows"], axis=(1, 2)).round(4).tolist(),
        "columns_mean": np.nanmean(to_b["columns"], axis=(0, 2)).round(4).tolist(),
        "corners": bool((cells[0, 0] == a).all() and (cells[-1, -1] == b).all()),
    }
    apart: dict[int, list[float]] = {}
    for i in range(size * size):
        for j in range(i):
            (r, k), (s, m) = divmod(i, size), divmod(j, size)
            different = 1 - step_accuracy(cells[r, k], cells[s, m])
            apart.setdefault(abs(r - s) + abs(k - m), []).append(float(different.mean()))
    found["apart"] = {str(steps): round(float(np.mean(values)), 4) for steps, values in sorted(apart.items())}
    return found


def _never_back(likeness: Floats) -> float:
    """The share of lines [N, K] of the grid of which no step goes away from B."""
    return round(float((np.diff(likeness, axis=1) >= -1e-9).all(1).mean()), 4)


def table(figures: dict[str, Any]) -> str:
    """Markdown tables: reconstruction, the knobs, the random dimensions, the grid."""
    rebuilt = figures["reconstruction"]
    lines = [
        f"{figures['clips']} held-out clips rebuilt: steps {rebuilt['steps']}, whole clips {rebuilt['clips']}.",
        "",
        "| knob, control | Spearman | error | onset F1 or pitch moved | contour |",
        "|---|---|---|---|---|",
    ]
    for knob, other in (("pitch", "onset_f1"), ("rhythm", "pitch_moved")):
        for control in CONTROLS:
            one = figures[control][knob]
            cells = [one["spearman"], one["error"], one[other], one["contour"]]
            lines.append(f"| {knob}, {control} | {' | '.join(map(str, cells))} |")
    lines += ["", "| moved | mean pitch, semitones | onsets, doublings | steps that differ |", "|---|---|---|---|"]
    for knob in ("pitch", "rhythm"):
        for which in ("knob", "random"):
            cells = [figures["random"][f"{knob}/{which}/{what}"] for what in ("pitch", "doublings", "steps")]
            lines.append(
                f"| {knob}: {'its own' if which == 'knob' else 'random'} dimensions | {' | '.join(map(str, cells))} |"
            )
    lines += [
        "",
        "| grid, control | rows to B's pitch classes | never back | columns to B's rhythm | never back | corners exact "
        "| apart by 1, 4, 8 |",
        "|---|---|---|---|---|---|---|",
    ]
    for control in CONTROLS:
        one = figures[control]["grid"]
        apart = ", ".join(f"{one['apart'][s]:.3f}" for s in ("1", "4", "8"))
        cells = [one["rows"], f"{one['rows_monotone']:.3f}", one["columns"], f"{one['columns_monotone']:.3f}"]
        cells += ["yes" if one["corners"] else "no", apart]
        lines.append(f"| {control} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def as_dict(figures: dict[str, Any]) -> dict[str, Any]:
    """The same for JSON, where a figure of nothing is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, Figure):
            return {name: None if math.isnan(number) else number for name, number in vars(value).items()}
        return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value

    return {name: plain(value) for name, value in figures.items()}
