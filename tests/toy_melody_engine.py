"""A melody model written by hand: the meaning of its codes is known, and so is what its knobs must do.

z[0] is the mean pitch above 60 in units of six semitones, z[1] the doublings of onsets above eight; z[2:] tell clips
apart and have no meaning. No step depends on the one before it, so that all log-probabilities are known too.
"""

import numpy as np

from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import HOLD, ONSETS, REST, STATES, STEPS
from fadernets.engines.melody import Decoded

Z = 8
RANK = np.argsort(
    np.argsort([-16 if s == 0 else -(s & -s) for s in range(STEPS)], kind="stable")
)  # strongest step first
TIGHT = 0.3  # nats a squared semitone away from the clip's mean


def info(**changes):
    """Its model.json."""

    def knob(dimensions, change, at):
        direction = np.eye(Z)[at] * change[0]
        return {"dimensions": dimensions, "change": change, "threshold": 0.1, "direction": direction.tolist()}

    return {
        "format": 1,
        "name": "by hand",
        "codec": "melody",
        "recipe": {"data": "data/melodies"},
        "z": Z,
        "sha256": {},
        "spread": [1.0, 1.0, *[0.5] * (Z - 2)],
        "knobs": {"pitch": knob([0, 4], [1 / 6, 0.25], 0), "rhythm": knob([1], [1.0], 1)},
        **changes,
    }


class ToyMelodyEngine:
    """What knobs, edits of files and blends need of a `MelodyEngine`."""

    def __init__(self, rest=-3.0, **changes):
        self.info, self.name, self.z = info(**changes), "by hand", Z
        self.rest = rest  # nats of a rest; a hold has 0
        self.decoded = []  # every array of codes that it was given

    def encode(self, clips):
        z = np.zeros((len(clips), Z), np.float32)
        z[:, 0] = (np.nan_to_num(melody_states.mean_pitch(clips), nan=60) - 60) / 6
        z[:, 1] = np.log2(np.maximum(melody_states.onsets(clips), 1) / 8)
        z[:, 2:] = clips[:, : Z - 2] % 7 / 7
        return z

    def logits(self, z):
        z = np.asarray(z, np.float64)
        found = np.zeros((len(z), STEPS, STATES))
        away = np.arange(ONSETS) - (60 + 6 * z[:, 0])[:, None]  # [B, 128]
        begins = 8 * 2 ** z[:, 1][:, None] - RANK - 0.5  # [B, 32] above 0 on as many steps as there are onsets
        found[..., :ONSETS] = begins[..., None] - TIGHT * away[:, None] ** 2
        found[..., REST] = self.rest
        return found

    def decode(self, z, *, offset=None, forced=None):
        self.decoded.append(np.array(z))
        logits = self.logits(z)
        logits -= logits.max(-1, keepdims=True)
        logp = (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)
        states = (logp if offset is None else logp + offset).argmax(-1)
        if forced is not None:
            states = np.where(np.asarray(forced) < 0, states, forced)
        return Decoded(states.astype(np.uint8), logp)


def clip(text):
    """[32] states of words: a pitch, `-` a hold, `.` a rest; filled up with rests."""
    words = text.split()
    states = [HOLD if word == "-" else REST if word == "." else int(word) for word in words]
    return np.array(states + [REST] * (STEPS - len(states)), np.uint8)
