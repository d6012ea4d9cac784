"""An encoder of melodies that is linear in pitch and rhythm, whose inspection is known by hand."""

import numpy as np

from fadernets.codecs import melody_states

PITCH = np.array([0.0, 0.5, 0.0, 0.0, -0.25, 0.0])  # change of z by a semitone
RHYTHM = np.array([0.0, 0.0, 1.0, 0.001, 0.0, 0.0])  # by a doubling of onsets


def linear(clips):
    """z = mean pitch and doublings of onsets, each along its own direction."""
    pitch, count = np.nan_to_num(melody_states.mean_pitch(clips)), np.log2(np.maximum(melody_states.onsets(clips), 1))
    return pitch[:, None] * PITCH + count[:, None] * RHYTHM
