"""Features of a passage of four segments, for judges that are trees: of its segments, and of how alike they are.

Cells are [N, 4, n, 88]: passages, segments, sixteenth steps, piano keys; n may be any number up to 16, and a passage
has as many features whatever it is. A note that is held into a segment sounds there and is not struck there. Unlike
is 1 less the Jaccard index: 0 where two segments have all in common, 1 where they have nothing; 0 between two empty
ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Array, Bools, Cells, Floats, Indices, Integers
from fadernets.attributes import of_cells
from fadernets.codecs.grid import HOLD, ONSET, PITCHES
from fadernets.metrics import note_features
from fadernets.metrics.cell_counts import onset_steps, share

SEGMENTS = 4  # of a passage
MOST_STEPS = 16  # of a segment
PAIRS = ((0, 1), (1, 2), (2, 3), (0, 2), (1, 3))  # of segments that are held side by side; the first three neighbour
NEIGHBOURS = 3


def check_passages(cells: Cells) -> None:
    """Raise ValueError for cells that are not [N, 4, n, 88] with n in 1..16."""
    if cells.ndim != 4 or cells.shape[1] != SEGMENTS or cells.shape[3] != PITCHES or not 0 < cells.shape[2] <= 16:
        expected = f"[passages, {SEGMENTS}, 1 to {MOST_STEPS} steps, {PITCHES}]"
        raise ValueError(f"cells have shape {cells.shape}; expected {expected}")


@dataclass(frozen=True)
class Passages:
    """N passages with segments of whatever length, and where they come from."""

    cells: Cells  # [N, 4, 16, 88]; silent steps behind shorter segments
    steps: Integers  # [N] of a segment
    piece: Array  # [N] number or name
    kind: Array  # [N] passages of one kind are held against each other, such as those of one metre

    @classmethod
    def of(cls, cells: Cells, piece: Array, kind: Array | None = None) -> Passages:
        """Passages [N, 4, n, 88] of one length. Raises ValueError for cells of another shape."""
        check_passages(cells)
        steps = np.full(len(cells), cells.shape[2])
        wide = np.pad(cells, ((0, 0), (0, 0), (0, MOST_STEPS - cells.shape[2]), (0, 0)))
        return cls(wide, steps, np.asarray(piece), np.zeros(len(cells), np.int64) if kind is None else kind)

    def take(self, rows: Indices) -> Passages:
        """Some of them."""
        return Passages(self.cells[rows], self.steps[rows], self.piece[rows], self.kind[rows])

    def and_(self, others: Passages) -> Passages:
        """These and others behind them."""
        names = self.__dataclass_fields__
        return Passages(*(np.concatenate([getattr(self, name), getattr(others, name)]) for name in names))

    def densities(self) -> Floats:
        """[N, 2] mean rhythm density and note density: onset steps a step and sounding notes a step."""
        return self.segment_densities().mean(axis=1)

    def segment_densities(self) -> Floats:
        """[N, 4, 2] the same of each segment."""
        steps = np.maximum(self.steps, 1)[:, None]
        onsets = onset_steps(self.cells).sum(axis=2) / steps
        voices = of_cells.note_symbols(self.cells).sum(axis=2, dtype=np.int64) / steps
        return np.stack([onsets, voices], axis=2)

    def features(self) -> Floats:
        """[N, F] the features of each."""
        lengths = np.unique(self.steps).tolist() or [MOST_STEPS]
        parts = {n: features(self.cells[self.steps == n][:, :, :n])[0] for n in lengths}
        table = np.zeros((len(self.steps), parts[lengths[0]].shape[1]))
        for n, part in parts.items():
            table[self.steps == n] = part
        return table


def unlikeness(one: Bools, other: Bools) -> Floats:
    """[N] 1 less the Jaccard index of two sets, given as masks [N, ...]; 0 where both are empty."""
    axes = tuple(range(1, one.ndim))
    common, either = (one & other).sum(axis=axes), (one | other).sum(axis=axes)
    return np.where(either > 0, 1 - share(common, either), 0.0)


def pattern_difference(cells: Cells) -> Floats:
    """[N, 3] unlikeness of the onset patterns of neighbouring segments."""
    struck = onset_steps(cells)
    return np.stack([unlikeness(struck[:, a], struck[:, b]) for a, b in PAIRS[:NEIGHBOURS]], axis=1)


def features(cells: Cells) -> tuple[Floats, list[str]]:
    """[N, F] every feature of passages [N, 4, n, 88], and their names.

    Mean and deviation over the segments of each of `note_features.FEATURES`; the unlikeness of each of PAIRS in onset
    steps, pitch classes, and onsets with their pitches; the share of the sounding notes at the start of the second to
    fourth segment that are held over; the share of onset steps that lies at each position of a segment.
    """
    check_passages(cells)
    count, _, steps, _ = cells.shape
    each, names = note_features.features(cells.reshape(count * SEGMENTS, steps, PITCHES))
    each = each.reshape(count, SEGMENTS, len(names))
    table = {f"{name}_mean": each[:, :, i].mean(axis=1) for i, name in enumerate(names)}
    table |= {f"{name}_deviation": each[:, :, i].std(axis=1) for i, name in enumerate(names)}
    struck = onset_steps(cells)  # N 4 n
    kinds = {
        "onset_pattern": struck,
        "pitch_classes": of_cells.pitch_classes(cells) > 0,
        "onsets": cells == ONSET,
    }
    for kind, masks in kinds.items():
        for a, b in PAIRS:
            table[f"{kind}_unlike_{a}{b}"] = unlikeness(masks[:, a], masks[:, b])
        neighbours = [table[f"{kind}_unlike_{a}{b}"] for a, b in PAIRS[:NEIGHBOURS]]
        table[f"{kind}_unlike_mean"] = np.mean(neighbours, axis=0)
    borders = cells[:, 1:, 0]  # N 3 88
    table["held_over"] = share((borders == HOLD).sum(axis=(1, 2)), (borders != 0).sum(axis=(1, 2)))
    at = np.pad(struck.sum(axis=1), ((0, 0), (0, MOST_STEPS - steps)))
    shares = share(at, at.sum(axis=1, keepdims=True))
    table |= {f"onset_share_at_{t}": shares[:, t] for t in range(MOST_STEPS)}
    return np.stack(list(table.values()), axis=1), list(table)
