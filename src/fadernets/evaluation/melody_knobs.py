"""What a melody model's knobs do to held-out clips (Section 4 of the NIME paper): both controls, and blends.

Protocol: up to 1,000 clips of the test split with two notes or more, each turned over the knob's whole range, in its
own key, as an edit does. N clips of 32 states; pitch in semitones, rhythm in doublings of the number of onsets. Means
come with 95 % bootstrap intervals over the pieces that the clips are of. It does not show how the results sound: see
the listening studies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fadernets.arrays import Floats, Integers, States
from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import ONSETS
from fadernets.data.dataset import Dataset
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError
from fadernets.evaluation import melody_dimension_draws
from fadernets.evaluation.clip_estimates import Estimate, Spread
from fadernets.melodies import blend, blend_landing, knobs
from fadernets.melodies.knob_settings import CONTROLS, Knobs
from fadernets.metrics import statistics
from fadernets.metrics.tables import markdown_table

CLIPS = 1000
PAIRS = 200  # of clips that are blended
PITCHES = tuple(float(p) for p in range(-12, 13))  # semitones
RHYTHMS = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)  # doublings
SIZE = 5  # rows and columns of a blend
Progress = Callable[[int, int], None]


# --- clips beside clips [N, 32], each figure [N]


def step_accuracy(output: States, source: States) -> Floats:
    """Share of the steps that begin a note where the source's do, begin none where they do not, and sound its pitch."""
    return 1 - blend.different_steps(output, source)


def onset_f1(output: States, source: States) -> Floats:
    """F1 of the steps on which notes begin; 1 where neither has any."""
    return statistics.f1(output < ONSETS, source < ONSETS)


def contour(output: States, source: States) -> Floats:
    """Correlation of the pitches over the steps on which both sound; NaN where one of them stays on one pitch."""
    a, b = melody_states.sounding(output).astype(float), melody_states.sounding(source).astype(float)
    both = (a >= 0) & (b >= 0)
    n = np.maximum(both.sum(-1, keepdims=True), 1)
    a, b = (np.where(both, x - np.where(both, x, 0).sum(-1, keepdims=True) / n, 0) for x in (a, b))
    length = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    return np.asarray(np.where(length > 1e-9, (a * b).sum(-1) / np.maximum(length, 1e-9), np.nan))


# --- the study


def clips_of(data: Dataset, count: int, seed: int) -> States:
    """[N, 32] up to `count` random clips of the test split with two notes or more. Raises FadernetsError."""
    return clips_and_pieces(data, count, seed)[0]


def clips_and_pieces(data: Dataset, count: int, seed: int) -> tuple[States, Integers]:
    """The clips of `clips_of`, and [N] which piece each is of. Raises FadernetsError."""
    if not data.codec.melodic:
        raise FadernetsError(f"{data.folder}: holds {data.codec}; a melody model reads melodies")
    rows = np.sort(data.select(split="test"))
    clips = melody_states.tidy(np.asarray(data.codes[rows]), held=True)
    order = np.random.default_rng(seed).permutation(len(clips))
    order = order[melody_states.onsets(clips[order]) > 1][:count]
    clips, pieces = clips[order], np.asarray(data.piece[rows[order]], np.int64)
    if len(clips) < 2:
        raise FadernetsError(f"{data.folder}: {len(clips)} clips of two notes or more in its test split; at least 2")
    return clips, pieces


def evaluate(
    engine: MelodyEngine, data: Dataset, *, count: int = CLIPS, seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Every figure of a melody model on up to `count` clips of the test split of a data set of melodies.

    Keys: reconstruction, each control (`pitch`, `rhythm` and `grid`, the blend, each name -> figure), random. Raises
    FadernetsError.
    """
    clips, pieces = clips_and_pieces(data, count, seed)
    parts: list[tuple[str, Callable[[], Any]]] = [("reconstruction", lambda: reconstruction(engine, clips, pieces))]
    for control in CONTROLS:
        parts.append(
            (
                control,
                lambda control=control: {  # type: ignore[misc]
                    "pitch": pitch_knob(engine, clips, control, pieces),
                    "rhythm": rhythm_knob(engine, clips, control, pieces),
                    "grid": blends(engine, clips, control, pieces=pieces),
                },
            )
        )
    parts.append(("random", lambda: melody_dimension_draws.compare(engine, clips, pieces)))
    figures: dict[str, Any] = {"model": engine.name, "data": data.hash, "clips": len(clips), "seed": seed}
    for i, (name, run) in enumerate(parts):
        figures[name] = run()
        if progress:
            progress(i + 1, len(parts))
    return figures


def reconstruction(engine: MelodyEngine, clips: States, pieces: Integers | None = None) -> dict[str, Estimate]:
    """Free decodes from posterior means: the share of steps, and of whole clips, that come back."""
    output = melody_states.tidy(engine.decode(engine.encode(clips)).states, held=True)
    return {
        "steps": Estimate.of(step_accuracy(output, clips), pieces),
        "clips": Estimate.of((output == clips).all(-1).astype(float), pieces),
    }


def pitch_knob(
    engine: MelodyEngine, clips: States, control: str, pieces: Integers | None = None
) -> dict[str, Estimate]:
    """The pitch knob over -12..12 semitones: does the mean pitch follow it, and do rhythm and contour stay?"""
    source_pitch = melody_states.mean_pitch(clips)
    turned = [_turned(engine, clips, Knobs(pitch=p, control=control)) for p in PITCHES]
    moved = np.stack([np.nan_to_num(melody_states.mean_pitch(t) - source_pitch) for t in turned], 1)
    return {
        "spearman": Estimate.of(_nan_as_0(statistics.spearman(np.array(PITCHES), moved)), pieces),
        "error": Estimate.of(np.abs(moved - PITCHES).mean(1), pieces),
        "onset_f1": Estimate.of(np.mean([onset_f1(t, clips) for t in turned], 0), pieces),
        "contour": Estimate.of(np.nanmean([_nan_as_0(contour(t, clips)) for t in turned], 0), pieces),
    }


def rhythm_knob(
    engine: MelodyEngine, clips: States, control: str, pieces: Integers | None = None
) -> dict[str, Estimate]:
    """The rhythm knob over -1..2 doublings: does the number of onsets follow it, and do pitch and contour stay?"""
    source_pitch, count = melody_states.mean_pitch(clips), melody_states.onsets(clips).astype(float)
    asked = np.clip(np.round(count[:, None] * 2.0 ** np.array(RHYTHMS)), 1, melody_states.STEPS)
    turned = [_turned(engine, clips, Knobs(rhythm=r, control=control)) for r in RHYTHMS]
    measured = np.stack([melody_states.onsets(t).astype(float) for t in turned], 1)
    return {
        "spearman": Estimate.of(_nan_as_0(statistics.spearman(asked, measured)), pieces),
        "error": Estimate.of(np.abs(np.log2(np.maximum(measured, 0.5) / asked)).mean(1), pieces),
        "pitch_moved": Estimate.of(
            np.mean([np.abs(np.nan_to_num(melody_states.mean_pitch(t) - source_pitch)) for t in turned], 0), pieces
        ),
        "contour": Estimate.of(np.nanmean([_nan_as_0(contour(t, clips)) for t in turned], 0), pieces),
    }


def _nan_as_0(values: Floats) -> Floats:
    """Correlations with 0 in place of NaN, so that a clip that became flat or did not move counts against a knob."""
    return np.nan_to_num(values)


def _turned(engine: MelodyEngine, clips: States, turn: Knobs) -> States:
    """[N, 32] clips turned one by one as an edit does, each in its own key."""
    classes = np.stack([knobs.key_pitch_classes(clip) for clip in clips])
    return knobs.turn(engine, clips, turn, classes)


def blends(
    engine: MelodyEngine, clips: States, control: str, size: int = SIZE, pieces: Integers | None = None
) -> dict[str, Any]:
    """Blends of pairs of clips A and B (Section 4.4, Figure 9): rows go to B in pitch classes, columns in rhythm.

    rows, columns: rank correlation of the likeness to B with the row (column); `_monotone`: share of the lines of which
    no step goes back. `apart`: how many steps differ between two cells, by how many rows and columns lie between them.
    """
    pairs = min(PAIRS, len(clips) // 2)
    a, b = clips[:pairs], clips[pairs : 2 * pairs]
    cells = blend.interpolate(engine, a, b, size, size, control)  # [R, K, N, 32]
    classes, rhythm = blend_landing.pitch_class_durations(cells), (cells < ONSETS).astype(float)
    to_b = {
        "rows": blend_landing.likeness(classes, blend_landing.pitch_class_durations(b)),
        "columns": blend_landing.likeness(rhythm, (b < ONSETS).astype(float)),
    }
    steps = np.arange(size, dtype=float)
    lines = None if pieces is None else np.repeat(pieces[:pairs], size)  # intervals draw the pieces of A anew
    down = to_b["rows"].transpose(2, 1, 0).reshape(-1, size)  # a column of a pair each
    right = to_b["columns"].transpose(2, 0, 1).reshape(-1, size)
    figures: dict[str, Any] = {
        "rows": Estimate.of(_nan_as_0(statistics.spearman(steps, down)), lines),
        "columns": Estimate.of(_nan_as_0(statistics.spearman(steps, right)), lines),
        "rows_monotone": _never_back(down),
        "columns_monotone": _never_back(right),
        "rows_mean": np.nanmean(to_b["rows"], axis=(1, 2)).round(4).tolist(),
        "columns_mean": np.nanmean(to_b["columns"], axis=(0, 2)).round(4).tolist(),
        "corners": bool((cells[0, 0] == a).all() and (cells[-1, -1] == b).all()),
        "corner_distances": blend.corner_distances(cells, a, b),
    }
    apart: dict[int, list[float]] = {}
    for i in range(size * size):
        for j in range(i):
            (r, k), (s, m) = divmod(i, size), divmod(j, size)
            different = 1 - step_accuracy(cells[r, k], cells[s, m])
            apart.setdefault(abs(r - s) + abs(k - m), []).append(float(different.mean()))
    figures["apart"] = {str(steps): round(float(np.mean(values)), 4) for steps, values in sorted(apart.items())}
    return figures


def _never_back(likeness: Floats) -> float:
    """The share of lines [N, K] of a blend of which no step goes away from B."""
    return round(float((np.diff(likeness, axis=1) >= -1e-9).all(1).mean()), 4)


def table(figures: dict[str, Any]) -> str:
    """Markdown: reconstruction, and a table each of the knobs, the random dimensions and the blends."""
    rebuilt = figures["reconstruction"]
    first = f"{figures['clips']} held-out clips rebuilt: steps {rebuilt['steps']}, whole clips {rebuilt['clips']}."
    knob_rows = []
    for knob, other in (("pitch", "onset_f1"), ("rhythm", "pitch_moved")):
        for control in CONTROLS:
            one = figures[control][knob]
            knob_rows.append(
                [f"{knob}, {control}", *(str(one[name]) for name in ("spearman", "error", other, "contour"))]
            )
    blend_rows = []
    for control in CONTROLS:
        one = figures[control]["grid"]
        apart = ", ".join(f"{one['apart'][steps]:.3f}" for steps in ("1", "4", "8"))
        cells = [str(one["rows"]), f"{one['rows_monotone']:.3f}", str(one["columns"]), f"{one['columns_monotone']:.3f}"]
        far = " and ".join(f"{corner['steps']:.3f}" for corner in one["corner_distances"].values())
        blend_rows.append([control, *cells, "exact" if one["corners"] else far, apart])
    knobs_head = ["knob, control", "Spearman", "error", "onset F1 or pitch moved", "contour"]
    blends_head = ["blend, control", "rows to B's pitch classes", "never back", "columns to B's rhythm", "never back"]
    blends_head += ["steps of the corners that differ from A and B", "apart by 1, 4, 8"]
    drawn = melody_dimension_draws.table(figures["random"])
    return "\n\n".join([first, markdown_table(knobs_head, knob_rows), drawn, markdown_table(blends_head, blend_rows)])


def as_dict(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures of `evaluate` as plain values for JSON, NaN as null."""

    def plain(value: Any) -> Any:
        if isinstance(value, Estimate | Spread):
            return {name: None if math.isnan(number) else number for name, number in vars(value).items()}
        return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value

    return {name: plain(value) for name, value in figures.items()}
