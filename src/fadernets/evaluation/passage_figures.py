"""Figures of edited passages beside their sources: how much stays, how near the asked value is, what repeats.

S segments of n sixteenths each, in cells [S, 16, 88] with silent steps behind shorter ones; moves in the attributes'
own units: onset steps a step, sounding notes a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fadernets.arrays import Array, Bools, Cells, Floats, Integers
from fadernets.attributes import of_cells
from fadernets.codecs.grid import OFF, ONSET, PITCHES
from fadernets.metrics import frechet, note_features
from fadernets.metrics.cell_counts import onset_steps
from fadernets.metrics.fader_scores import chroma_similarity, note_f1
from fadernets.metrics.passage_features import MOST_STEPS, SEGMENTS, Passages, pattern_difference
from fadernets.music.metric_grid import MetricGrid

MOST_VOICES = 15  # what note density counts at most
OFF_STEP = 1 / 8  # of a step: what a played onset may lie off it

Classes = tuple[str, ...]  # the names of the classes that a segment is of: its metre, its subdivision


def densities(cells: Cells, steps: Integers) -> dict[str, Floats]:
    """[S] rhythm density and note density of segments of `steps` [S] sixteenths."""
    return {
        "rhythm_density": onset_steps(cells).sum(axis=1) / steps,
        "note_density": of_cells.note_symbols(cells).sum(axis=1, dtype=np.int64) / steps,
    }


def asked(source: Floats, steps: Integers, attribute: str, move: float) -> Floats:
    """[S] what is asked of segments with the values `source` [S]: the value and the move, within what there can be.

    Rhythm density in whole onset steps, at least one where there was one.
    """
    value = source + move
    if attribute == "rhythm_density":
        return np.clip(np.floor(value * steps + 0.5), np.minimum(source * steps, 1), steps) / steps
    return np.clip(value, 0, MOST_VOICES)


def most_f1(cells: Cells, steps: Integers, attribute: str, value: Floats) -> Floats:
    """[S] the most note F1 to the source that an edit can have whose attribute has the `value` [S].

    Rhythm: an edit that adds one note in each onset step that is missing, or drops those onset steps that have the
    fewest notes. Notes: an edit that lengthens notes first and adds as few as can then be, or shortens them first and
    drops as few.
    """
    onsets = (cells == ONSET).sum(axis=-1)  # S 16
    count = onsets.sum(axis=1)  # S
    if attribute == "rhythm_density":
        wanted = np.round(value * steps).astype(np.int64)
        change = wanted - (onsets > 0).sum(axis=1)
        sizes = np.sort(np.where(onsets > 0, onsets, np.iinfo(np.int64).max // 64), axis=1)
        dropped = np.where(np.arange(MOST_STEPS) < -change[:, None], sizes, 0).sum(axis=1)
        added = np.maximum(change, 0)
    else:
        wanted = np.round(value * steps).astype(np.int64)  # cells that sound
        added = np.maximum(np.ceil((wanted - _longest(cells, steps)) / steps), 0).astype(np.int64)
        dropped = np.maximum(count - wanted, 0)
    kept = count - np.minimum(dropped, count)
    total = count + kept + added
    return np.where(total > 0, 2 * kept / np.maximum(total, 1), 1.0)


def _longest(cells: Cells, steps: Integers) -> Integers:
    """[S] how many cells sound when every note lasts until its pitch is struck again or the segment ends."""
    inside = np.arange(MOST_STEPS) < steps[:, None]  # S 16
    begun = np.logical_or.accumulate(cells != OFF, axis=1) & inside[..., None]
    return np.minimum(begun.sum(axis=2), MOST_VOICES).sum(axis=1)


def beside_source(source: Passages, edited: Passages, attribute: str, move: float) -> dict[str, float]:
    """Means over all segments of passages before and after an edit: what stays, and the errors of both densities."""
    steps = np.repeat(source.steps, SEGMENTS)
    before, after = (part.cells.reshape(-1, MOST_STEPS, PITCHES) for part in (source, edited))
    old, new = densities(before, steps), densities(after, steps)
    value = asked(old[attribute], steps, attribute, move)
    figures = {
        "n": float(len(source.steps)),
        "note_f1": float(note_f1(after, before).mean()),
        "note_f1_most": float(most_f1(before, steps, attribute, value).mean()),
        "chroma_similarity": float(chroma_similarity(after, before).mean()),
        "error": float(np.abs(new[attribute] - value).mean()),
    }
    others = [np.abs(new[name] - old[name]).mean() for name in old if name != attribute]
    return figures | {"other_error": float(np.mean(others)), "neighbours_source": neighbours(source)}


def distances(edited: Passages, real: Passages, other: Passages) -> dict[str, float]:
    """How far the segments of edited passages are from real ones of the same level, and these from other real ones.

    Frechet distances over `note_features` at equal numbers of segments of 16 sixteenths, or of 12 where no passage has
    16, in the deviations of both real sides; the shares of lone and clashing notes. Nothing where there are fewer
    segments than features.
    """
    count = min(len(side.steps) for side in (edited, real, other))
    if not count:
        return {}
    sides = [side.take(np.arange(count)) for side in (edited, real, other)]
    length = max(int(side.steps.max()) for side in sides)
    cells = [side.cells[side.steps == length, :, :length].reshape(-1, length, PITCHES) for side in sides]
    size = min(map(len, cells))
    if size <= len(note_features.FEATURES):
        return {}
    ours, theirs, others = (note_features.features(part[:size])[0] for part in cells)
    scale = frechet.scale_of(np.concatenate([theirs, others]))
    figures = {
        "frechet": frechet.distance(ours, theirs, scale),
        "frechet_real": frechet.distance(others, theirs, scale),
    }
    names = list(note_features.FEATURES)
    for name, feature in (("lone", "isolated_share"), ("clashes", "clash_share")):
        at = names.index(feature)
        figures |= {name: float(ours[:, at].mean()), f"{name}_real": float(theirs[:, at].mean())}
    return figures


def neighbours(passages: Passages) -> float:
    """Mean unlikeness of the onset patterns of neighbouring segments."""
    return float(pattern_difference(passages.cells).mean()) if len(passages.steps) else float("nan")


@dataclass
class Alike:
    """Whether an edit does the same to segments of a piece that are the same, summed over pieces."""

    repeats: list[tuple[bool, Classes]] = field(default_factory=list)
    transposed: list[tuple[bool, Classes]] = field(default_factory=list)

    def add(self, source: Sequence[tuple[bytes, Cells]], edited: Cells, classes: Sequence[Classes]) -> None:
        """One piece's S segments before and after an edit that asks the same move of all.

        source: of each segment how its beats are cut, and its cells [steps, 88] on the piece's own grid; edited: [S,
        16, 88]; classes: [S]. A segment repeats the first one before it that has the same cells, or the same but for a
        transposition; notes that are held in count as they sound. Segments in which nothing is struck are left out.
        """
        exact: dict[tuple[bytes, bytes], bytes] = {}
        shapes: dict[tuple[bytes, bytes], bytes] = {}
        for (beats, before), after, names in zip(source, edited, classes, strict=True):
            if not (before == ONSET).any():
                continue
            key = beats, before.tobytes()
            lowest = int((before != OFF).any(axis=0).argmax())
            shape = beats, _from(before, lowest)
            if key in exact:
                self.repeats.append((exact[key] == after.tobytes(), names))
            elif shape in shapes:
                self.transposed.append((shapes[shape] == _from(after, lowest), names))
            exact.setdefault(key, after.tobytes())
            shapes.setdefault(shape, _from(after, lowest))

    def figures(self, name: str | None = None) -> dict[str, float]:
        """Shares that are alike, of all segments or of one class, and how many there were; nan where none repeats."""
        figures = {}
        for what, seen in (("repeats", self.repeats), ("transposed", self.transposed)):
            alike = [is_alike for is_alike, classes in seen if name is None or name in classes]
            figures[f"{what}_alike"] = float(np.mean(alike)) if alike else float("nan")
            figures[what] = float(len(alike))
        return figures


@dataclass
class NewNotes:
    """How many notes that the source does not have begin on a beat's own steps, and on those of its next finer cut."""

    seen: list[tuple[Bools, Bools, list[Classes]]] = field(default_factory=list)  # of a piece: own, own or finer

    def add(self, own: MetricGrid, source: Array, edited: Array, classes: Sequence[Classes]) -> None:
        """The notes of an edit beside those of its source, whose grid is `own`, with the classes of its segments."""
        known = np.isin(*(notes["onset"].astype(np.int64) * 128 + notes["pitch"] for notes in (edited, source)))
        ticks = edited["onset"][~known]
        finer = own.refined(np.ones(len(own.divisions), bool))
        on_own, on_finer = (_on_steps(ticks, grid) for grid in (own, finer))
        segment = np.minimum(np.searchsorted(own.end, ticks, side="right"), len(own.end) - 1)
        self.seen.append((on_own, on_own | on_finer, [classes[i] for i in segment.tolist()]))

    def figures(self, name: str | None = None) -> dict[str, float]:
        """Both shares, of all new notes or of those in one class of segments, and how many; nan where none is new."""
        kept = [np.array([name is None or name in names for names in classes], bool) for *_, classes in self.seen]
        own, finer = (
            np.concatenate([part[i][k] for part, k in zip(self.seen, kept, strict=True)] or [np.zeros(0, bool)])
            for i in (0, 1)
        )
        count = len(own)
        shares = {
            name: float(on.mean()) if count else float("nan")
            for name, on in (("on_steps", own), ("on_finer_steps", finer))
        }
        return shares | {"new_notes": float(count)}


def _on_steps(ticks: Integers, grid: MetricGrid) -> Bools:
    """Whether ticks lie on steps of a grid, or nearly."""
    nearest = np.minimum(grid.nearest_step(ticks), grid.n_steps - 1)
    return np.asarray(np.abs(ticks - grid.step_ticks(nearest)) <= OFF_STEP * grid.step_size[nearest])


def _from(cells: Cells, lowest: int) -> bytes:
    """The cells as a pitch sees them that is taken for the lowest: what lies an interval away keeps its place."""
    wide = np.zeros((len(cells), 2 * PITCHES), np.uint8)
    wide[:, PITCHES - lowest : 2 * PITCHES - lowest] = cells
    return wide.tobytes()
