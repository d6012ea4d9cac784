"""Classifiers of labelled segments that see piano rolls alone: witnesses of a preset that know no fader.

A small convolution learns from the labels of training pieces, on one of two views of a segment and what is around it.
`score`: the sixteenths of the segment and of its neighbours, where notes begin and where they sound; neither tempo nor
loudness is in it. `performance`: the same in frames of an eighth of a second of played time, each note as loud as it
is, so that a quicker piece has more notes in view. Neither is given an attribute or a feature of notes.

S segments, N of those that a classifier learns from, F frames of a view, P = 88 pitches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Bools, Floats, Indices
from fadernets.codecs.grid import LOW, OFF, ONSET, PITCHES, STEPS
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.metrics.one_thread import one_thread

Rolls = NDArray[np.uint8]  # [S, 2, F, 88] where notes begin and where they sound, 0..127
View = Callable[[PieceOnGrid, Indices], Rolls]

LOUDEST = 127
FRAMES_PER_SECOND = 8
FRAMES = 64  # of the performance, four seconds on both sides of a segment's middle
NEIGHBOURS = 1  # segments of the score on each side
CHANNELS, DROPPED = (16, 32, 32), 0.4
REGISTERS = 6  # of the 88 pitches, after the strides
EPOCHS, BATCH, RATE, DECAY = 6, 64, 2e-3, 0.05
TRANSPOSED = 5  # semitones, most, either way: the label is that of the piece in another key
ASKED_AT_ONCE = 256  # segments


def score(piece: PieceOnGrid, segments: Indices) -> Rolls:
    """[S, 2, 48, 88] the sixteenths of windows and of those beside them; beyond the piece nothing sounds."""
    around = segments[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS + 1)  # S 3
    count = len(piece.windows.start)
    cells = piece.cells(np.clip(around, 0, count - 1).ravel())
    cells[((around < 0) | (around >= count)).ravel()] = OFF
    rows = cells.reshape(len(segments), around.shape[1] * STEPS, PITCHES)
    return np.stack([rows == ONSET, rows != OFF], axis=1).astype(np.uint8) * np.uint8(LOUDEST)


def performance(piece: PieceOnGrid, segments: Indices) -> Rolls:
    """[S, 2, 64, 88] the notes in played time around the middles of windows, as loud as they are."""
    tempo, notes = piece.piece.tempo, piece.piece.notes
    first, stop = (np.floor(tempo.seconds(notes[at]) * FRAMES_PER_SECOND).astype(np.int64) for at in ("onset", "end"))
    middle = (piece.windows.start[segments] + piece.windows.end[segments]) / 2
    begin = np.floor(tempo.seconds(middle) * FRAMES_PER_SECOND).astype(np.int64) - FRAMES // 2  # S
    pitch = notes["pitch"].astype(np.int64) - LOW
    heard = (pitch >= 0) & (pitch < PITCHES)
    rolls = np.zeros((len(segments), 2, FRAMES, PITCHES), np.uint8)
    for roll, at in zip(rolls, begin.tolist(), strict=True):
        for i in np.flatnonzero(heard & (first < at + FRAMES) & (stop >= at)).tolist():
            a, b, p = int(first[i]) - at, max(int(stop[i]), int(first[i]) + 1) - at, int(pitch[i])
            if a >= 0:
                roll[0, a, p] = max(roll[0, a, p], notes["velocity"][i])
            part = roll[1, max(a, 0) : max(b, 0), p]
            np.maximum(part, notes["velocity"][i], out=part)
    return rolls


VIEWS: dict[str, View] = {"score": score, "performance": performance}


@dataclass(frozen=True)
class RollClassifier:
    """A fitted network that says how likely a segment is labelled high."""

    view: View
    network: Any

    def __call__(self, piece: PieceOnGrid, segments: Indices) -> Floats:
        """[S] log odds that segments of a piece are high."""
        return self.log_odds(self.view(piece, segments))

    def log_odds(self, rolls: Rolls) -> Floats:
        """[S] those of segments in this classifier's view."""
        import torch

        parts = [rolls[a : a + ASKED_AT_ONCE] for a in range(0, len(rolls), ASKED_AT_ONCE)]
        with torch.no_grad():
            odds = [self.network(_scaled(torch.from_numpy(part))).squeeze(1).double().numpy() for part in parts]
        return np.concatenate(odds) if odds else np.zeros(0)


def fit(view: View, rolls: Rolls, high: Bools, seed: int) -> RollClassifier:
    """A classifier of N segments in a view, high or low; both sides weigh the same. One thread."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    with one_thread(seed):
        rng = np.random.default_rng(seed)
        network = _layers()
        steps = EPOCHS * -(-len(rolls) // BATCH)
        optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
        weight = torch.from_numpy(np.where(high, 0.5 / max(high.mean(), 1e-9), 0.5 / max(1 - high.mean(), 1e-9)))
        network.train()
        for _ in range(EPOCHS):
            order = rng.permutation(len(rolls))
            for rows in (order[a : a + BATCH] for a in range(0, len(order), BATCH)):
                batch = _scaled(torch.from_numpy(_transposed(rolls[rows], rng)))
                truth = torch.from_numpy(high[rows]).float()
                odds = network(batch).squeeze(1)
                loss = binary_cross_entropy_with_logits(odds, truth, weight=weight[rows].float())
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
        return RollClassifier(view, network.eval())


def balanced_accuracy(log_odds: Floats, high: Bools) -> float:
    """The mean of the shares of high and of low segments that are told right; of those sides that there are."""
    right = (log_odds > 0) == high
    return float(np.mean([right[side].mean() for side in (high, ~high) if side.any()]))


def joined(view: View, pieces: Sequence[tuple[PieceOnGrid, Indices]]) -> Rolls:
    """[S, 2, F, 88] segments of several pieces in a view."""
    return np.concatenate([view(piece, segments) for piece, segments in pieces])


def _scaled(rolls: Any) -> Any:
    return rolls.float() / LOUDEST


def _transposed(rolls: Rolls, rng: np.random.Generator) -> Rolls:
    """Each segment moved by a drawn number of semitones; what leaves the keys is gone."""
    out = np.zeros_like(rolls)
    for to, roll, by in zip(out, rolls, rng.integers(-TRANSPOSED, TRANSPOSED + 1, len(rolls)).tolist(), strict=True):
        to[..., max(by, 0) : PITCHES + min(by, 0)] = roll[..., max(-by, 0) : PITCHES + min(-by, 0)]
    return out


def _layers() -> Any:
    """Convolutions over time and pitch, then mean and maximum over time: registers stay apart, moments do not."""
    import torch
    from torch import Tensor, nn

    a, b, c = CHANNELS

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.roll = nn.Sequential(
                nn.Conv2d(2, a, (3, 13), stride=(1, 4), padding=(1, 6)),  # an octave
                nn.BatchNorm2d(a),
                nn.ReLU(),
                nn.Conv2d(a, b, (4, 4), stride=(2, 4), padding=(1, 1)),  # a beat, of two octaves
                nn.BatchNorm2d(b),
                nn.ReLU(),
                nn.Conv2d(b, c, (4, 1), stride=(2, 1), padding=(1, 0)),
                nn.BatchNorm2d(c),
                nn.ReLU(),
            )
            self.odds = nn.Sequential(nn.Dropout(DROPPED), nn.Linear(2 * c * REGISTERS, 1))

        def forward(self, rolls: Tensor) -> Tensor:
            found = self.roll(rolls)  # B c F/4 6
            whole = torch.cat([found.mean(2), found.amax(2)], 1).flatten(1)
            odds: Tensor = self.odds(whole)
            return odds

    return Network()
