"""What faders ask of every segment and window of one piece, inside each attribute's range.

W windows, S edited segments (full windows with a note, inside the chosen bars); values in the attributes' own units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fadernets.arrays import Bools, Floats, Indices, Integers
from fadernets.attributes.keys import transpose
from fadernets.attributes.of_segments import highest
from fadernets.attributes.table import ATTRIBUTES, PAPER_FADERS, Attribute, is_movable
from fadernets.codecs.grid import ONSET
from fadernets.decoding.edit_models import EditModel
from fadernets.editing.beyond_model import FaderTargets
from fadernets.editing.cell_search import MOST_NOTES
from fadernets.editing.edit_report import named_bars
from fadernets.editing.fader_curves import PerBar, values_at
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders
from fadernets.errors import FadernetsError

MOST_MOVED = 10_000  # notes that begin in a segment whose notes are moved: two seconds


@dataclass(frozen=True)
class EditPlan:
    """What every fader asks of one piece."""

    inside: Bools  # [W] the windows that lie wholly in the chosen bars
    edited: Indices  # [S]
    coded: dict[str, Floats]  # the model's faders -> [S]
    targets: FaderTargets  # of the faders beyond the model
    asked: dict[str, Floats]  # every fader that moves -> [S], nan where it asks for nothing
    home: int  # the key of what is edited

    @property
    def is_empty(self) -> bool:
        """Whether the chosen bars hold nothing that could be edited."""
        return not len(self.edited) and all(np.isnan(values).all() for values in self.targets.windows.values())

    @property
    def shares_ends(self) -> bool:
        """Whether a model asked for a note density and a fader behind it both decide where notes end."""
        return bool(len(self.edited)) and "note_density" in self.coded and "articulation" in self.targets.windows

    def asking_more(self, notes: Floats) -> EditPlan:
        """The plan with a model that is asked for so many notes [S] more at once, of what a later fader takes away."""
        name = PAPER_FADERS[1]
        row, asked = ATTRIBUTES[name], self.coded[name]
        more = np.clip(asked + notes, np.fmin(row.low, asked), np.fmax(row.high, asked))
        return replace(self, coded={**self.coded, name: more})


def plan_edit(engine: EditModel, piece: PieceOnGrid, faders: Faders, warnings: list[str]) -> EditPlan:
    """What faders ask of a piece. Adds to `warnings` what had to be clamped or brought together.

    Raises FadernetsError for bars that the piece does not have, and for faders that cannot be moved like that.
    """
    inside = _inside(piece, faders)
    _warn_of_missing_bars(piece, faders, warnings)
    edited = _editable(piece, inside)
    values, performance = piece.measure(edited), piece.performance
    home = faders.home if faders.home is not None else _home(piece, edited)
    coded: dict[str, Floats] = {}
    cells: dict[str, Floats] = {}
    windows: dict[str, Floats] = {}
    asked: dict[str, Floats] = {}
    for name, row in ATTRIBUTES.items():
        if row.names or not (faders.touches(name) or faders.is_moved_by_preset(name)):
            continue
        if not is_movable(row):
            raise FadernetsError(f"{row.option}: can be measured and not moved; its Attribute has no `change` of notes")
        if row.of == "performance":
            source = np.where(inside, row.measure(performance), np.nan)
            windows[name] = _asked(row, source, piece, np.arange(len(source)), edited, faders, warnings)
            asked[name] = windows[name][edited]
        else:
            asked[name] = _asked(row, values[name], piece, edited, edited, faders, warnings)
            (coded if name in engine.coded else cells)[name] = asked[name]
    if not faders.arousal or set(coded) >= set(PAPER_FADERS):
        shifted = [name for name in coded if not _has_own_value(name, faders)]
        _keep_an_onset(coded, shifted, values, piece, edited, warnings)
        _bring_together(coded, shifted, values, piece, edited, engine, warnings)
        asked |= coded
    _leave_dense(cells, windows, asked, piece, edited, warnings)
    key = _key_asked(faders, home)
    if key is not None:
        asked["key"] = _keys_asked(values["key"].astype(np.int64), home, key)
    targets = FaderTargets(cells, windows, key if len(edited) else None)
    return EditPlan(inside, edited, coded, targets, asked, home)


def home_of(piece: PieceOnGrid, faders: Faders) -> int:
    """The key, 0..23, of what faders edit of a piece. Raises FadernetsError for bars that the piece does not have."""
    return _home(piece, _editable(piece, _inside(piece, faders)))


def _home(piece: PieceOnGrid, edited: Indices) -> int:
    return piece.key(edited) if len(edited) else 0


def _inside(piece: PieceOnGrid, faders: Faders) -> Bools:
    """[W] which windows lie wholly inside the asked bars. Raises FadernetsError for bars that the piece has not."""
    w = piece.windows
    inside = np.ones(len(w.start), bool)
    last = int(w.last_bar.max())
    if faders.bars is not None:
        for a, b in faders.bars:
            if a > last:
                raise FadernetsError(f"{faders.spelling.field('bars')} {a}-{b}: the piece has {last} bars")
        inside = np.any([(w.bar >= a) & (w.last_bar <= b) for a, b in faders.bars], axis=0)
    if faders.per_bar is not None:
        faders.per_bar.check(last)
        if not (faders.set or faders.move or faders.amount or faders.arousal):  # else these reach the other bars too
            named = [_values_by_bar(piece, faders.per_bar, name) for name in ATTRIBUTES]
            inside &= ~np.isnan(named).all(0)
    return inside


def _warn_of_missing_bars(piece: PieceOnGrid, faders: Faders, warnings: list[str]) -> None:
    """Add which ranges of bars end behind the piece."""
    last = int(piece.windows.last_bar.max())
    for a, b in faders.bars or ():
        if b > last:
            warnings.append(f"{faders.spelling.field('bars')} {a}-{b}: the piece has {last} bars")


def _editable(piece: PieceOnGrid, inside: Bools) -> Indices:
    """[S] the full windows with a note in them, of those `inside` [W]."""
    full = piece.full
    return np.asarray(full[inside[full] & piece.sounding(full)])


def _values_by_bar(piece: PieceOnGrid, per_bar: PerBar, name: str) -> Floats:
    """[W] the value of an attribute that a file gives each segment, nan where it gives none.

    A window takes that of the bar in which it starts, a segment of two bars the mean of theirs.
    """
    w = piece.windows
    return per_bar.at(name, w.bar.tolist(), None if piece.is_in_windows else w.last_bar.tolist())


def _key_asked(faders: Faders, home: int) -> int | None:
    """The key that what is edited goes to; None where it stays. Raises FadernetsError for a key that changes on the
    way."""
    if faders.touches("key"):
        curve = faders.set.get("key", faders.move.get("key"))
        if not isinstance(curve, (int, float)):
            raise FadernetsError("key: takes one value for all bars that are edited")
        return int(curve) if "key" in faders.set else int(transpose(home, int(curve) % 12))
    if faders.preset is None or "key" in faders.hold:
        return None
    key = faders.preset.key(home, faders.amount)
    return None if key == home else key


def _asked(
    row: Attribute,
    source: Floats,
    piece: PieceOnGrid,
    windows: Indices,
    edited: Indices,
    faders: Faders,
    warnings: list[str],
) -> Floats:
    """[K] the value asked of each of these windows, whose values are `source` [K]; nan where those are.

    Values stay inside the attribute's range, or where the source is outside it. A ramp runs over the `edited` windows.
    Raises FadernetsError where the faders are strict and no value that was asked for lies there.
    """
    name, starts = row.name, piece.windows.start_beat()
    beats, span = starts[windows], starts[edited]
    values = values_at(faders.set[name], beats, span) if name in faders.set else source.copy()
    named = np.full(len(values), name in faders.set)  # which of them are asked for by value
    if faders.preset is not None and faders.is_moved_by_preset(name):
        values = faders.preset.moved(name, values, faders.amount)
        values = np.round(values / row.grain) * row.grain if row.grain else values
    if faders.per_bar is not None and name in faders.per_bar.values:
        by_bar = _values_by_bar(piece, faders.per_bar, name)[windows]
        named = ~np.isnan(by_bar)
        values = np.where(named, by_bar, values)
    values = np.where(np.isnan(source), np.nan, values + values_at(faders.move.get(name, 0.0), beats, span))
    high = highest(row, piece.windows)
    asked = np.clip(values, np.fmin(row.low, source), np.fmax(high, source))
    known = ~np.isnan(values)
    outside, limits = (asked != values) & known, f"outside {row.low:g}..{high:g} ({row.unit})"
    if faders.strict and (named & known).any() and outside[named & known].all():
        ends = values[named & known].min(), values[named & known].max()
        came = " to ".join(dict.fromkeys(f"{end:g}" for end in ends))
        raise FadernetsError(f"{row.option}: all that was asked, {came}, lies {limits}")
    if outside.any():
        warnings.append(
            f"{row.option}: {outside.sum()} of {known.sum()} segments were asked for values {limits}; clamped"
        )
    return asked


def _has_own_value(name: str, faders: Faders) -> bool:
    """Whether an attribute is asked for by value, not by how far it is to move."""
    return name in faders.set or (faders.per_bar is not None and name in faders.per_bar.values)


def _keep_an_onset(
    coded: dict[str, Floats],
    shifted: list[str],
    source: dict[str, Floats],
    piece: PieceOnGrid,
    edited: Indices,
    warnings: list[str],
) -> None:
    """No segment is emptied by how far rhythm density is to move; changes `coded`."""
    name = PAPER_FADERS[0]
    if name not in shifted:
        return
    least = np.minimum(source[name], 1 / _steps_of(piece, edited)[1])
    emptied = coded[name] < least - 1e-9
    if emptied.any():
        coded[name] = np.maximum(coded[name], least)
        warnings.append(f"{ATTRIBUTES[name].option}: {int(emptied.sum())} segments keep one onset")


def _bring_together(
    coded: dict[str, Floats],
    shifted: list[str],
    source: dict[str, Floats],
    piece: PieceOnGrid,
    edited: Indices,
    engine: EditModel,
    warnings: list[str],
) -> None:
    """Densities that no segment can have together become the nearest that one can; changes `coded`.

    A step with an onset has a note that sounds: note density is at least rhythm density times the sixteenths that a
    step lasts, which are 1 in a window. Where one of the two was asked, the other follows, but for a note density that
    was only to move (`shifted`): it goes as far as the onsets let it. Where both were, the nearest pair counts in
    standard deviations.
    """
    if not coded:
        return
    r, n = (coded.get(name, source[name]) for name in PAPER_FADERS)
    step, length = _steps_of(piece, edited)
    apart = n < r * step - 1e-9
    if not apart.any():
        return
    both = set(coded) >= set(PAPER_FADERS)
    if both:
        weights = [float(engine.info["statistics"][name]["std"]) ** -2 for name in PAPER_FADERS]
        nearest = (weights[0] * r + weights[1] * step * n) / (weights[0] + weights[1] * step**2)
        together = np.floor(nearest * length + 0.5) / length
    elif shifted == [PAPER_FADERS[1]]:
        coded[PAPER_FADERS[1]] = np.where(apart, r * step, n)
        warnings.append(
            f"{ATTRIBUTES[PAPER_FADERS[1]].option}: {int(apart.sum())} segments stay at "
            f"{(r * step)[apart].mean():.2f} in the mean, since a step with an onset sounds"
        )
        return
    else:  # what was asked holds
        together = r if "rhythm_density" in coded else n / step
    for name, values, brought in zip(PAPER_FADERS, (r, n), (together, together * step), strict=True):
        coded[name] = np.where(apart, brought, values)
    pair = f"rhythm-density {r[apart].mean():.2f} and note-density {n[apart].mean():.2f}"
    warnings.append(
        f"{pair} (means of {int(apart.sum())} segments) contradict each other, since a step with an onset sounds: "
        f"{'both are' if both else 'the one not asked for is'} brought to {together[apart].mean():.2f} there"
    )


def _leave_dense(
    cells: dict[str, Floats],
    windows: dict[str, Floats],
    asked: dict[str, Floats],
    piece: PieceOnGrid,
    edited: Indices,
    warnings: list[str],
) -> None:
    """Segments with so many notes that search or the faders of notes would take too long stay; changes all three."""
    begun = np.bincount(piece.performance.window, minlength=len(piece.windows.start))
    onsets = (piece.cells(edited) == ONSET).sum((1, 2)) if cells else np.zeros(len(edited), np.int64)
    for moved, dense, most in ((cells, onsets > MOST_NOTES, MOST_NOTES), (windows, begun > MOST_MOVED, MOST_MOVED)):
        for name in moved:
            moved[name] = np.where(dense, np.nan, moved[name])
            asked[name] = moved[name] if moved is cells else moved[name][edited]
        if moved and dense.any():
            names = ", ".join(ATTRIBUTES[name].option for name in moved)
            bars = named_bars([str(bar) for bar in piece.windows.bar[edited[dense] if moved is cells else dense]])
            warnings.append(f"{names}: segments with more than {most} notes stay as they are (bars {bars})")


def _steps_of(piece: PieceOnGrid, segments: Indices) -> tuple[Floats, Floats]:
    """[S] how many sixteenths a step of each segment lasts in the mean, and [S] how many the segment lasts."""
    whole = piece.sixteenths()[segments]
    return whole / piece.windows.steps[segments], whole


def _keys_asked(source: Integers, home: int, key: int) -> Floats:
    """[S] the key of each segment, which was `source` [S], after the piece went from `home` to `key`.

    From one mode to the other only segments in `home` have one answer; the others are nan.
    """
    moved = transpose(source, key % 12 - home % 12).astype(np.float64)
    if home // 12 != key // 12:
        moved = np.where(source == home, float(key), np.nan)
    return np.asarray(moved)
