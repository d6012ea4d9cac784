"""A small piano roll as SVG text, for pages that show many: bar lines, beats, keys, and what became of each note.

Notes are arrays of `ROLL_NOTE`, in quarter notes from the left edge. Colours are those of `roll_axes`: a note is kept,
of another length, new, or gone (an empty dashed box). Other tracks stand grey behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fadernets.arrays import Array
from fadernets.figures.note_marks import compare
from fadernets.figures.roll_axes import BLACK_KEYS, CHANGED, KEPT, LINE, MUTED, NEW, OTHERS, key_range

SIZE = (480, 170)  # pixels
BEATS = "#eceef1"
NARROWEST = 2.0  # pixels of a note
BLACK = (1, 3, 6, 8, 10)  # pitch classes
LEGEND = (("kept", KEPT), ("other length", CHANGED), ("new", NEW), ("gone", "none"), ("other tracks", OTHERS))


def roll(
    before: Array,
    after: Array | None,
    context: Array,
    bars: Sequence[float],
    keys: tuple[int, int] | None = None,
    size: tuple[int, int] = SIZE,
) -> str:
    """An `<svg>` of the notes `after` beside those `before`, or of those before alone.

    context: notes of other tracks. bars: where bars begin, and the end, in quarter notes. keys: the lowest and the
    highest MIDI pitch; those of the notes unless given.
    """
    width, height = size
    low, high = key_range(before, before if after is None else after) if keys is None else keys
    across, tall = width / (bars[-1] - bars[0]), height / (high - low + 1)

    def box(note: Array, style: str) -> str:
        x = (max(float(note["onset"]), bars[0]) - bars[0]) * across
        w = max((min(float(note["end"]), bars[-1]) - bars[0]) * across - x, NARROWEST)
        y = (high - int(note["pitch"])) * tall
        return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{tall:.1f}" {style}/>'

    def line(beat: float, colour: str) -> str:
        x = (beat - bars[0]) * across
        return f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height}" stroke="{colour}"/>'

    parts = [f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">']
    for key in range(low, high + 1):
        if key % 12 in BLACK:
            y = (high - key) * tall
            parts.append(f'<rect x="0" y="{y:.1f}" width="{width}" height="{tall:.1f}" fill="{BLACK_KEYS}"/>')
    beats = [bar + k for bar, stop in pairwise(bars) for k in range(1, int(stop - bar - 1e-6) + 1)]
    parts += [line(beat, BEATS) for beat in beats] + [line(bar, LINE) for bar in bars]
    parts += [box(note, f'fill="{OTHERS}"') for note in context if low <= note["pitch"] <= high]
    if after is None:
        parts += [box(note, f'fill="{KEPT}" stroke="white" stroke-width=".4"') for note in before]
    else:
        marks = compare(before, after)
        gone = f'fill="none" stroke="{MUTED}" stroke-dasharray="2.5 1.5" stroke-width=".8"'
        parts += [box(note, gone) for note in before[marks.removed]]
        for mask, colour in ((marks.kept, KEPT), (marks.changed, CHANGED), (marks.new, NEW)):
            parts += [box(note, f'fill="{colour}" stroke="white" stroke-width=".4"') for note in after[mask]]
    return "".join([*parts, "</svg>"])


def legend() -> str:
    """The names of the colours, as HTML."""
    dashed = f"outline:1px dashed {MUTED}"
    boxes = [
        f'<span style="display:inline-block;width:1.4em;height:.7em;'
        f'{dashed if colour == "none" else f"background:{colour}"}"></span> {name}'
        for name, colour in LEGEND
    ]
    return " &nbsp; ".join(boxes)
