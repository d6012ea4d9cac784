"""Which candidate of a passage is taken: the one that lands, and that a critic of passages takes for real music.

K candidates, n steps, P = 88 pitches.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fadernets.arrays import Bools, Cells, Floats
from fadernets.codecs.grid import OFF, ONSET
from fadernets.data.passage_batches import UNKNOWN
from fadernets.data.passages import MAX_VOICES
from fadernets.decoding.passage_drawing import Drawing
from fadernets.decoding.rewrite_task import RewriteTask
from fadernets.engines.rewriter import RewriterEngine

# Chosen on validation pieces (docs/lab.md).
TEMPERATURE = 0.5  # of which notes are struck; how many are keeps the model's own odds
LENGTH_TEMPERATURE = 0.85
KEEP = (1.5, 1.0, 0.5)  # nats, where onset steps are taken away the second, where note density falls the third
KEEP_TOP = 1.0  # nats more for the top line, where note density falls: listeners know a piece by it
TEMPERATURE_OF_VARIATIONS = 1.0  # of which notes are struck, where there are variations to keep away from
OF_VARIATIONS = 4  # candidates, where there are variations to keep away from
VOICES_PRICE = 2.0  # nats a voice by which a candidate misses the note density, mean over the steps
ALIKE_PRICE = 4.0  # nats for a candidate that has all of its notes in common with a variation to keep away from


def drawing(task: RewriteTask) -> Drawing:
    """How the candidates of a task are drawn."""
    if not len(task.others):
        return settings(task.candidates, task.seed)
    return replace(settings(max(task.candidates, OF_VARIATIONS), task.seed), temperature=TEMPERATURE_OF_VARIATIONS)


def settings(candidates: int, seed: int) -> Drawing:
    """How passages are drawn in an edit."""
    return Drawing(
        count=candidates,
        seed=seed,
        temperature=TEMPERATURE,
        length_temperature=LENGTH_TEMPERATURE,
        keep=KEEP,
        keep_top=KEEP_TOP,
    )


def kept_share(task: RewriteTask) -> float:
    """The share of common notes that the model is asked for."""
    return 0.5 + 0.5 * task.faithfulness if task.faithfulness > 0 else UNKNOWN


def best(engine: RewriterEngine, task: RewriteTask, options: Cells, voices: Floats, free: Bools, at: slice) -> int:
    """The candidate to take of `options` [K, n, 88], whose `free` [n] steps are new and lie at the steps `at`."""
    if len(options) == 1:
        return 0
    length = task.steps.sixteenths[at][free].astype(np.float64)
    segment = task.steps.segment[at][free]
    segment = segment - segment[0]
    sounding = np.minimum((options[:, free] != OFF).sum(-1), MAX_VOICES) - voices[free]
    off = np.stack([np.abs(np.bincount(segment, x * length)) for x in sounding]).sum(1) / length.sum()
    score = -VOICES_PRICE * off
    if engine.has_critic:
        score = score + engine.rate(options, task.steps.take(at))
    for other in task.others:
        score = score - ALIKE_PRICE * np.array([_common(x[free], other[at][free]) for x in options])
    return int(score.argmax())


def _common(one: Cells, other: Cells) -> float:
    """Share of struck notes that two passages have in common, 0..1."""
    a, b = one == ONSET, other == ONSET
    return float(2 * (a & b).sum() / max(a.sum() + b.sum(), 1))
