"""The protocol of the authors' own evaluation scripts, which Table 1 of the paper was probably printed from.

It departs from Section 4.2 in five places: a fader's range is that of codes sampled for the test segments, positions
begin at its end (t = 0 to 7 of 8), codes are sampled from the posterior anew at every position, a segment of which any
output has no note is left out and another one drawn, and CVAE and Fader Networks, whose decoders are told the value,
slide over .125 to 1 for either fader (voices too, far below what the music has) with codes sampled once a segment.

Two things in their scripts are not done here: they divide an output's onsets and notes by the length of its own piano
roll, here by the segment's four beats; and their script for Pati et al. slides the note fader over the range of the
rhythm fader, and takes as units the deviations of symbols in place of densities.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Floats, Indices
from fadernets.codecs import grid
from fadernets.evaluation.checkpoint import Checkpoint, Outputs
from fadernets.metrics import fader_scores
from fadernets.metrics.fader_scores import Figures

M, T = 100, 8  # segments of a run, positions of a fader
MOST_DRAWN = 4  # times M: a model that fails on more segments has fewer of them in its figures


def positions(checkpoint: Checkpoint, name: str, test: Indices, random: np.random.Generator) -> Floats:
    """[T] min + t / T (max - min), t = 0..T - 1, of z^d sampled for the test segments.

    Of an attribute that the decoder is told: t / T, t = 1..T.
    """
    if checkpoint.faders[name] == "given":
        return np.asarray(np.arange(1, T + 1) / T)
    code, dimension = checkpoint.model.faders[name]
    mean, deviation = (of[code][:, dimension] for of in checkpoint.posteriors(test, fast=True))
    where = mean + deviation * random.standard_normal(len(test))
    return np.asarray(where.min() + np.arange(T) / T * (where.max() - where.min()), np.float64)


def figures(
    checkpoint: Checkpoint, order: Indices, name: str, where: Floats, deviations: Floats, random: np.random.Generator
) -> Figures:
    """The figures of one run of a fader at the positions [T].

    order: [N] test segments in the order in which they are drawn; deviations: [A] those of the training data. Beside
    the figures of `fader_scores.paper`: `dropped`, the share of the segments drawn that any output failed of.
    """
    kept: list[Outputs] = []
    drawn = count = 0
    while count < M and drawn < min(len(order), MOST_DRAWN * M):
        rows = order[drawn : drawn + M - count]
        drawn += len(rows)
        out = sampled_slide(checkpoint, rows, name, where, random)
        whole = (out.cells == grid.ONSET).any((2, 3)).all(1)  # [rows]
        kept.append(Outputs(out.raw[whole], out.cells[whole]))
        count += int(whole.sum())
    cells = np.concatenate([each.cells for each in kept]) if kept else np.zeros((0, T, 16, 88), np.uint8)
    dropped = {"dropped": 1 - count / max(drawn, 1)}
    if not count:
        names = ("consistency", "restrictiveness", "linearity", "pooled_r2", "constant_share")
        return dict.fromkeys(names, 0.0) | dropped
    return fader_scores.paper(cells, name, where, deviations) | dropped


def sampled_slide(
    checkpoint: Checkpoint, rows: Indices, name: str, where: Floats, random: np.random.Generator
) -> Outputs:
    """Outputs [S, T, ...] of segments with their fader at the positions [T].

    Codes are sampled anew at each, or once a segment where the decoder is told the value.
    """
    segments = checkpoint.segments(rows)
    repeated = segments.take(np.repeat(np.arange(len(rows)), len(where)))
    for code, deviation in checkpoint.deviations(rows).items():
        once = checkpoint.faders[name] == "given"
        noise = random.standard_normal((len(rows), 1 if once else len(where), deviation.shape[-1]))
        moved = np.broadcast_to(noise * deviation[:, None], (len(rows), len(where), deviation.shape[-1]))
        repeated.codes[code] = repeated.codes[code] + moved.reshape(repeated.codes[code].shape).astype(np.float32)
    out = checkpoint.slide(repeated, name, np.tile(where, len(rows))[:, None])
    shape = (len(rows), len(where))
    return Outputs(out.raw.reshape(*shape, *out.raw.shape[2:]), out.cells.reshape(*shape, *out.cells.shape[2:]))
