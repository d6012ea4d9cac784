"""What an edit of a melody did: pitch (mean MIDI number) and onsets of each clip that was to be turned and of all.

A clip is two bars of 32 sixteenth steps. Values are None where there is nothing to measure or nothing was asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fadernets.arrays import Floats, Integers, States
from fadernets.codecs import melody_states
from fadernets.codecs.melody_clips import Melody
from fadernets.editing.edit_report import bars_of, named_bars
from fadernets.melodies.knob_settings import Knobs

NEAR = {"pitch": (0.5, "semitones"), "onsets": (0.5, "notes")}  # clips further than this from what is asked are named
ROUNDING = 1e-6
Value = float | None


@dataclass(frozen=True)
class ClipReport:
    """One clip: `pitch` and `onsets` before the edit, as asked, and after it."""

    index: int  # among those that were turned
    bar: int  # in which it begins
    last_bar: int  # in which it ends
    before: dict[str, Value]
    asked: dict[str, Value]
    measured: dict[str, Value]

    @property
    def bars(self) -> str:
        """The bars as a range."""
        return bars_of(self.bar, self.last_bar)


@dataclass(frozen=True)
class MelodyEditReport:
    """What an edit of a melody did; `as_dict` is the command line's --json.

    track: the melody's, by name or number. knobs: how far each was turned. clips: those that were to be turned, two
    bars each. means: `before`, `asked` and `measured` of all these clips, `pitch` as a mean MIDI number and `onsets` as
    their number. warnings: sentences on what the piece or the edit could not do.
    """

    model: str
    track: str
    knobs: dict[str, Any]
    clips: list[ClipReport]
    means: dict[str, dict[str, Value]]
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "clips": [vars(clip) for clip in self.clips]}


def report(
    model: str, track: str, knobs: Knobs, melody: Melody, after: Melody | None, bars: Integers, warnings: list[str]
) -> MelodyEditReport:
    """A report on a melody before and `after` its knobs were turned (None: it has no note any more).

    bars [C, 2]: in which each clip begins and ends. Clips that missed what was asked, or were asked for less than the
    rhythm knob says, are added to the warnings.
    """
    clips_after = after.clips if after is not None else np.full_like(melody.clips, melody_states.REST)
    before, measured = _by_clip(melody.clips), _by_clip(clips_after)
    asked: dict[str, Floats] = {}
    if knobs.pitch:
        asked["pitch"] = before["pitch"] + knobs.pitch
    if knobs.rhythm:
        steps = (melody.at >= 0).sum(1)
        scaled = before["onsets"] * 2**knobs.rhythm
        asked["onsets"] = np.where(before["onsets"] > 0, np.clip(scaled, 1, steps), 0)
        warnings = [*warnings, *_out_of_reach(knobs.rhythm, scaled[before["onsets"] > 0], steps[before["onsets"] > 0])]
    clips = [
        ClipReport(
            i,
            int(bar),
            int(last_bar),
            {name: number(values[i]) for name, values in before.items()},
            {name: number(asked[name][i]) if name in asked else None for name in before},
            {name: number(values[i]) for name, values in measured.items()},
        )
        for i, (bar, last_bar) in enumerate(bars.tolist())
    ]
    means = {"before": _of_whole(melody.clips), "measured": _of_whole(clips_after)}
    pitch = means["before"]["pitch"]
    means["asked"] = {
        "pitch": number(pitch + knobs.pitch) if knobs.pitch and pitch is not None else None,
        "onsets": number(np.sum(asked["onsets"])) if "onsets" in asked else None,
    }
    return MelodyEditReport(model, track, vars(knobs), clips, means, [*warnings, *_misses(clips)])


def _out_of_reach(rhythm: float, onsets: Floats, steps: Integers) -> list[str]:
    """A warning where clips with so many steps cannot have the onsets that the rhythm knob says."""
    return [
        f"rhythm {rhythm:g}: {count} of {len(steps)} clips cannot have so {many} onsets; asked there is {asked}"
        for many, asked, count in (
            ("many", "one a sixteenth", int((onsets > steps).sum())),
            ("few", "one", int((onsets < 1).sum())),
        )
        if count
    ]


def _misses(clips: list[ClipReport]) -> list[str]:
    """A warning for each measure of which clips ended further than NEAR from what was asked."""
    warnings = []
    for name, (near, unit) in NEAR.items():
        values = [(clip.bars, clip.asked[name], clip.measured[name]) for clip in clips]
        missed = [bars for bars, asked, measured in values if asked is not None and _is_far(asked, measured, near)]
        if missed:
            warnings.append(
                f"{name}: clips that ended more than {near:g} {unit} from the asked: {len(missed)} "
                f"(bars {named_bars(missed)})"
            )
    return warnings


def _is_far(asked: float, measured: Value, near: float) -> bool:
    return measured is None or abs(measured - asked) > near + ROUNDING


def _by_clip(clips: States) -> dict[str, Floats]:
    """Pitch and onsets of clips [C, 32]: name -> [C]."""
    return {"pitch": melody_states.mean_pitch(clips), "onsets": melody_states.onsets(clips).astype(np.float64)}


def _of_whole(clips: States) -> dict[str, Value]:
    """Pitch and onsets of clips [C, 32] as one melody."""
    states = clips.reshape(-1)
    return {"pitch": number(melody_states.mean_pitch(states)), "onsets": number(melody_states.onsets(states))}


def table(edited: MelodyEditReport) -> str:
    """A line a clip and one for all of them: pitch and onsets before, as asked, and measured."""
    lines = [f"{'bar':>5} {'pitch':>8} {'asked':>8} {'measured':>8} {'onsets':>8} {'asked':>8} {'measured':>8}"]
    rows = [(clip.bars, clip.before, clip.asked, clip.measured) for clip in edited.clips]
    rows.append(("all", edited.means["before"], edited.means["asked"], edited.means["measured"]))
    for name, *each in rows:
        cells = [values.get(which) for which in ("pitch", "onsets") for values in each]
        lines.append(" ".join([f"{name:>5}", *(f"{'-' if value is None else f'{value:g}':>8}" for value in cells)]))
    return "\n".join(lines)


def number(value: Any) -> Value:
    """A number as reports have it: five decimals, None for nan."""
    return None if np.isnan(value) else round(float(value), 5)
