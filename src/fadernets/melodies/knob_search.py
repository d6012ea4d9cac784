"""The search of the `knob` control: codes and biases are tried until each clip measures what its knobs ask.

Every round decodes K candidates a clip with an offset that keeps them to their source: its contour; with the rhythm
knob at rest every onset; with the pitch knob at rest the pitches. `note_landing` does what is left. C clips of 32
states, Z latent size; scores and offsets in nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fadernets.arrays import Bools, Floats, Floats32, Latents, States
from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import HOLD, ONSETS, REST, STATES, STEPS
from fadernets.engines.melody import MelodyEngine
from fadernets.melodies import note_landing
from fadernets.melodies.knob_settings import Knobs, code_offset
from fadernets.melodies.note_landing import NEVER

MARGIN = 1.0  # nats that the source's own state is ahead by, at faithfulness 1
NEAR = 0.6  # nats a semitone, away from the source's line
AHEAD = 0.2  # semitones that the line leads by, so that of two pitches as near all its notes take the same
AMOUNTS = (0.6, 1.0, 1.5)  # times what is asked: the first round of the search
BIASES = (-2.5, 2.5)  # nats, on onsets: the first round where the rhythm is asked for
STEPS_ON = (0.5, 1.0, 2.0)  # of what is missing: the later rounds
BIAS_A_DOUBLING = 3.0  # nats on onsets for each doubling that is missing
ROUNDS = 3
TOLERANCE = 0.25  # semitones of mean pitch, and share of what is asked: nearer than this the contour is kept
CONTOUR_COST = 10.0  # nats, at faithfulness 1, when two notes no longer rise, fall or repeat as they did
PITCH_NEAR, ONSETS_NEAR = 0.3, 0.12  # semitones, doublings: near enough for single notes to land
DOUBLING_COST, LOST_COST = 6.0, 0.5  # semitones that a missed doubling, and the loss of every onset, count as
SILENT_COST = 12.0  # semitones that a clip without a note counts as


@dataclass(frozen=True)
class Candidates:
    """What is tried for each clip, [C, K] each."""

    pitch: Floats  # semitones
    rhythm: Floats  # doublings
    bias: Floats  # nats on onsets


def search(
    engine: MelodyEngine,
    clips: States,
    codes: Latents,
    knobs: Knobs,
    classes: Bools | None,
    after_end: Bools,
) -> States:
    """[C, 32] the clips as their knobs ask. No clip's answer depends on the others.

    codes [C, Z] of the clips; classes [12] or [C, 12] that notes may move to; after_end [C, 32] steps after the music.
    """
    pull = source_offset(engine, clips, codes, knobs, classes, after_end)
    count = melody_states.onsets(clips).astype(np.float64)
    asked_pitch = melody_states.mean_pitch(clips) + knobs.pitch
    asked_onsets = np.clip(np.round(count * 2.0**knobs.rhythm), 1, (~after_end).sum(-1))
    best, cost, scores = clips.copy(), np.full(len(clips), np.inf), pull.copy()
    at = np.zeros((3, len(clips)))  # amounts and bias of the best
    todo = np.arange(len(clips))  # clips that have not landed
    tried = first_candidates(len(clips), knobs)
    for _ in range(ROUNDS):
        size, each = tried.pitch.shape[1], np.arange(len(todo))
        z = codes[todo, None] + code_offset(engine, knobs, tried.pitch, tried.rhythm)
        offset = np.repeat(pull[todo, None], size, axis=1)
        offset[..., :ONSETS] += tried.bias[..., None, None]
        decoded = engine.decode(z.reshape(-1, engine.z), offset=offset.reshape(-1, STEPS, STATES))
        states = melody_states.tidy(decoded.states, held=True).reshape(len(todo), size, STEPS)
        costs = candidate_costs(states, clips[todo], asked_pitch[todo], asked_onsets[todo], knobs)
        pick = costs.argmin(1)
        better = costs[each, pick] < cost[todo]
        rows, picked = todo[better], (each[better], pick[better])
        best[rows], cost[rows] = states[picked], costs[picked]
        log_probabilities = decoded.log_probabilities.reshape(len(todo), size, STEPS, STATES)
        scores[rows] = log_probabilities[picked] + offset[picked]
        at[:, rows] = [values[picked] for values in (tried.pitch, tried.rhythm, tried.bias)]
        away_pitch = np.nan_to_num(asked_pitch - melody_states.mean_pitch(best))
        away_onsets = np.log2(asked_onsets / np.maximum(melody_states.onsets(best), 1))
        todo = todo[((np.abs(away_pitch) > PITCH_NEAR) | (np.abs(away_onsets) > ONSETS_NEAR))[todo]]
        if not len(todo):
            break
        tried = next_candidates(at[:, todo], away_pitch[todo], away_onsets[todo], knobs)
    for i in range(len(best)):
        if knobs.rhythm:
            note_landing.land_onsets(best[i], scores[i], int(asked_onsets[i]))
        if knobs.pitch:
            contour = melody_states.line(best[i] if knobs.rest else clips[i])
            tolerance = TOLERANCE * min(1.0, abs(knobs.pitch))
            note_landing.land_pitch(
                best[i], scores[i], asked_pitch[i], tolerance, contour, CONTOUR_COST * knobs.faithfulness
            )
    return best


def first_candidates(clips: int, knobs: Knobs) -> Candidates:
    """Amounts around the asked one; where the rhythm is asked for, also the asked amount with biases on onsets."""
    scale, bias = np.array(AMOUNTS), np.zeros(len(AMOUNTS))
    if knobs.rhythm:
        scale, bias = np.append(scale, np.ones(len(BIASES))), np.append(bias, BIASES)
    scale, bias = np.tile(scale, (clips, 1)), np.tile(bias, (clips, 1))
    return Candidates(scale * knobs.pitch, scale * knobs.rhythm, bias)


def next_candidates(at: Floats, away_pitch: Floats, away_onsets: Floats, knobs: Knobs) -> Candidates:
    """From the best so far, at [3, C], on by half, once and twice what it misses, away [C]."""
    steps = np.array(STEPS_ON)
    pitch, rhythm, bias = (np.repeat(values[:, None], len(steps), axis=1) for values in at)
    if knobs.pitch:
        pitch = pitch + away_pitch[:, None] * steps
    if knobs.rhythm:
        bias = bias + BIAS_A_DOUBLING * away_onsets[:, None] * steps
    return Candidates(pitch, rhythm, bias)


def candidate_costs(
    candidates: States, clips: States, asked_pitch: Floats, asked_onsets: Floats, knobs: Knobs
) -> Floats:
    """[C, K] how far candidates [C, K, 32] are from what is asked and, by little, from the source's onsets.

    In semitones; a missed doubling and a lost onset are converted.
    """
    pitch = np.abs(melody_states.mean_pitch(candidates) - asked_pitch[:, None])
    rhythm = np.abs(np.log2(np.maximum(melody_states.onsets(candidates), 0.5) / asked_onsets[:, None]))
    if knobs.rest:  # the rest of the code may take both along
        pitch, rhythm = pitch * bool(knobs.pitch), rhythm * bool(knobs.rhythm)
    lost = ((clips < ONSETS)[:, None] & (candidates >= ONSETS)).mean(-1)
    return np.asarray(np.nan_to_num(pitch, nan=SILENT_COST) + DOUBLING_COST * rhythm + LOST_COST * lost)


def source_offset(
    engine: MelodyEngine,
    clips: States,
    codes: Latents,
    knobs: Knobs,
    classes: Bools | None,
    after_end: Bools,
) -> Floats32:
    """[C, 32, 130] nats that keep a decode to its source; with all knobs at rest it is the source, state for state."""
    log_probabilities = engine.decode(codes, forced=clips).log_probabilities
    of_source = np.take_along_axis(log_probabilities, clips[..., None].astype(np.int64), -1)
    ahead = (log_probabilities.max(-1, keepdims=True) - of_source) + MARGIN
    offset = np.zeros_like(log_probabilities)
    np.put_along_axis(offset, clips[..., None].astype(np.int64), knobs.faithfulness * ahead, -1)
    onset = clips < ONSETS
    if not knobs.rhythm and not knobs.rest:  # every onset, hold and rest stays where it is
        offset[..., :ONSETS] = np.where(onset[..., None], offset[..., :ONSETS], NEVER)
        offset[..., HOLD] = np.where(clips == HOLD, 0.0, NEVER)
        offset[..., REST] = np.where(clips == REST, 0.0, NEVER)
    if knobs.faithfulness and not knobs.pitch and not knobs.rest:  # a note that stays keeps its pitch
        other = np.arange(ONSETS) != clips[..., None]
        offset[..., :ONSETS] = np.where(onset[..., None] & other, NEVER, offset[..., :ONSETS])
    if not knobs.rest:  # the source's line, as far up or down as it is asked to be
        sounding = melody_states.sounding(clips).astype(np.float32)
        line = sounding + knobs.pitch * (1 + AHEAD / max(abs(knobs.pitch), 1.0))
        away = np.abs(np.arange(ONSETS, dtype=np.float32) - line[..., None])
        offset[..., :ONSETS] -= np.where(sounding[..., None] >= 0, NEAR * knobs.faithfulness * away, 0.0)
    if classes is not None and not knobs.chromatic:
        source_pitches = np.zeros((len(clips), ONSETS), bool)
        rows, steps = np.nonzero(onset)
        source_pitches[rows, clips[rows, steps]] = True
        outside = ~classes[..., np.arange(ONSETS) % 12] & ~source_pitches
        offset[..., :ONSETS] += np.where(outside, NEVER, 0.0)[:, None]
    offset[after_end] = NEVER
    offset[after_end, REST] = 0.0
    return offset
