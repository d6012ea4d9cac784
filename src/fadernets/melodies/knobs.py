"""Pitch and rhythm knobs of a melody (Section 4 of the NIME paper).

The paper adds an amount to the few dimensions of a knob and decodes (control `paper`). The default, `knob`, moves along
the direction that the augmentations take and searches until the clip measures what was asked. It keeps what no knob
asks to change: the contour; with the rhythm knob at rest every onset; with the pitch knob at rest the pitches.
C clips of 32 states.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Bools, Indices, States
from fadernets.attributes.keys import estimate
from fadernets.codecs import melody_states
from fadernets.engines.melody import MelodyEngine
from fadernets.melodies.knob_search import search
from fadernets.melodies.knob_settings import Knobs, code_offset

BLOCK = 32  # clips at a time: a search holds a dozen arrays of [C, 9, 32, 130]
SCALES = (np.array([0, 2, 4, 5, 7, 9, 11]), np.array([0, 2, 3, 5, 7, 8, 10, 11]))  # major; minor with both sevenths


def turn(
    engine: MelodyEngine,
    clips: States,
    knobs: Knobs,
    classes: Bools | None = None,
    after_end: Bools | None = None,
) -> States:
    """[C, 32] the clips with knobs turned; those without an onset, and all at rest, come back as they are.

    classes [12], or [C, 12] of each clip: which pitch classes are in key (any, unless given). after_end [C, 32]: steps
    after the end of a clip's music, where no note can be (none, unless given).

    >>> turn(MelodyEngine.open(), clips, Knobs(pitch=2))  # two semitones up, on average
    """
    out = clips.copy()
    rows = np.flatnonzero(melody_states.onsets(clips) > 0)
    if knobs.at_rest or not len(rows):
        return out
    after_end = np.zeros(clips.shape, bool) if after_end is None else after_end
    for some in (rows[a : a + BLOCK] for a in range(0, len(rows), BLOCK)):
        codes = engine.encode(clips[some])
        if knobs.control == "paper":
            out[some] = melody_states.tidy(engine.decode(codes + code_offset(engine, knobs)).states, held=True)
            continue
        of_some = classes[some] if classes is not None and classes.ndim == 2 else classes
        out[some] = search(engine, clips[some], codes, knobs, of_some, after_end[some])
    return out


def key_pitch_classes(states: States, clips: States | None = None) -> Bools:
    """[12] the pitch classes of a melody's estimated key, and those that it has itself.

    With clips [C, 32] of it, [C, 12]: beside the key each clip has its own alone.
    """
    counts = _pitch_classes(states)
    key = int(estimate(counts[None].astype(np.float64))[0])
    own = counts if clips is None else np.array([_pitch_classes(clip) for clip in clips]).reshape(-1, 12)
    allowed = own > 0
    allowed[..., (SCALES[key // 12] + key) % 12] = True
    return np.asarray(allowed)


def _pitch_classes(states: States) -> Indices:
    """[12] how many steps each pitch class sounds."""
    sounding = melody_states.sounding(states)
    return np.bincount(sounding[sounding >= 0] % 12, minlength=12)
