"""Pitch and rhythm knobs of a melody (Section 4 of the NIME paper): its own way, and a way that lands.

The paper adds an amount to the few dimensions of a knob and decodes. `knob`, the default, moves along the direction
that the augmentations take, searches the amount until the clip measures what was asked, and keeps what nobody
touched: the shape of the line; with the rhythm knob at rest every onset; with the pitch knob at rest the pitches.
C clips of 32 states, Z latent size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Latents
from fadernets.attributes.keys import estimate
from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import HOLD, ONSETS, REST, STATES, STEPS, States
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError

Floats = NDArray[np.float64]
CONTROLS = ("knob", "paper")
MOST_REST = 4.0  # standard deviations
NEVER = -1e4
MARGIN = 1.0  # nats that the source's own state is ahead by, at faithfulness 1
NEAR = 0.6  # nats a semitone, away from the source's line
AHEAD = 0.2  # semitones that the line leads by, so that of two pitches as near all its notes take the same
AMOUNTS = (0.6, 1.0, 1.5)  # times what is asked: the first round of the search
BIASES = (-2.5, 2.5)  # nats, on onsets: the first round where the rhythm is asked for
ROUNDS = 3
BLOCK = 128  # clips at a time: a search holds a dozen arrays of [C, 9, 32, 130]
ROUGH = 0.25  # semitones of mean pitch, and share of what is asked: nearer than this the line keeps its shape
FURTHEST = 3  # semitones that a note moves to land
ORDER = 10.0  # nats that it costs, at faithfulness 1, when two notes no longer rise, fall or repeat as they did
MISSED, FAR = 3.0, 15.0  # nats for each time that it is missed by so much, and more beyond the first
PITCH_NEAR, ONSETS_NEAR = 0.3, 0.12  # semitones, doublings: near enough for single notes to land
SCALES = (np.array([0, 2, 4, 5, 7, 9, 11]), np.array([0, 2, 3, 5, 7, 8, 10, 11]))  # major; minor with both sevenths


@dataclass(frozen=True)
class Turn:
    """How far each knob goes, in units of its mean effect."""

    pitch: float = 0.0  # semitones of mean pitch
    rhythm: float = 0.0  # doublings of the number of onsets
    rest: float = 0.0  # standard deviations of the codes, along a direction drawn by seed
    control: str = "knob"  # or "paper"
    faithfulness: float = 1.0
    chromatic: bool = False  # knob: leave the pitch classes of the melody's key
    seed: int = 0

    def __post_init__(self) -> None:
        if self.control not in CONTROLS:
            raise FadernetsError(f"control {self.control!r}; allowed: {', '.join(CONTROLS)}")

    @property
    def at_rest(self) -> bool:
        """Whether nothing is asked: a melody then stays as it is, also with the paper's control."""
        return not (self.pitch or self.rhythm or self.rest)


def turn(
    engine: MelodyEngine,
    clips: States,
    knobs: Turn,
    classes: NDArray[np.bool_] | None = None,
    behind: NDArray[np.bool_] | None = None,
) -> States:
    """[C, 32] the clips with knobs turned; those without an onset, and all at rest, come back as they are.

    classes [12], or [C, 12] of each clip: which pitch classes are in key (any, unless given). behind [C, 32]: steps
    behind the end of a clip's music, where no note can be (none, unless given).
    """
    out = clips.copy()
    rows = np.flatnonzero(melody_states.onsets(clips) > 0)
    if knobs.at_rest or not len(rows):
        return out
    codes = engine.encode(clips[rows])
    if classes is not None and classes.ndim == 2:
        classes = classes[rows]
    if knobs.control == "paper":
        z = codes + way(engine, knobs)
        out[rows] = melody_states.tidy(engine.decode(z).states, held=True)
        return out
    behind = np.zeros(clips.shape, bool) if behind is None else behind
    for a in range(0, len(rows), BLOCK):
        some = slice(a, a + BLOCK)
        own = classes[some] if classes is not None and classes.ndim == 2 else classes
        out[rows[some]] = _landed(engine, clips[rows[some]], codes[some], knobs, own, behind[rows[some]])
    return out


def way(
    engine: MelodyEngine, knobs: Turn, pitch: Floats | float | None = None, rhythm: Floats | float | None = None
) -> Latents:
    """[..., Z] where the knobs lead; pitch and rhythm: amounts [...] in place of the asked ones."""
    amounts = {
        "pitch": np.asarray(knobs.pitch if pitch is None else pitch, np.float64),
        "rhythm": np.asarray(knobs.rhythm if rhythm is None else rhythm, np.float64),
    }
    total = np.zeros((*np.broadcast(*amounts.values()).shape, engine.z))
    for name, amount in amounts.items():
        total = total + amount[..., None] * unit(engine, name, knobs.control)
    if knobs.rest:
        total = total + knobs.rest * aside(engine, knobs.control, knobs.seed)
    return total.astype(np.float32)


def unit(engine: MelodyEngine, knob: str, control: str) -> Floats:
    """[Z] the change of z by a semitone or a doubling."""
    row = engine.info["knobs"][knob]
    if control == "knob":
        return np.asarray(row["direction"], np.float64)
    found = np.zeros(engine.z)
    found[row["dimensions"]] = row["change"]
    return found


def aside(engine: MelodyEngine, control: str, seed: int) -> Floats:
    """[Z] one standard deviation of the codes along a random direction that turns neither knob (Section 4.3)."""
    spread = np.asarray(engine.info["spread"], np.float64)
    found = np.random.default_rng([seed, 7]).standard_normal(engine.z) * spread
    if control == "paper":
        for row in engine.info["knobs"].values():
            found[row["dimensions"]] = 0.0
        return found
    basis = np.linalg.qr(np.stack([unit(engine, name, control) for name in engine.info["knobs"]]).T)[0]
    return np.asarray(found - basis @ (basis.T @ found))


def classes_of(states: States) -> NDArray[np.bool_]:
    """[12] the pitch classes of a melody's key, and those that it has itself."""
    heard = melody_states.sounding(states)
    weights = np.bincount(heard[heard >= 0] % 12, minlength=12).astype(np.float64)
    key = int(estimate(weights[None])[0])
    allowed = weights > 0
    allowed[(SCALES[key // 12] + key) % 12] = True
    return np.asarray(allowed)


# --- landing


@dataclass(frozen=True)
class _Try:
    """Candidates of each clip. K a clip."""

    pitch: Floats  # [C, K] amounts
    rhythm: Floats
    bias: Floats  # [C, K] nats, on onsets


def _landed(
    engine: MelodyEngine,
    clips: States,
    codes: Latents,
    knobs: Turn,
    classes: NDArray[np.bool_] | None,
    behind: NDArray[np.bool_],
) -> States:
    """Each clip's answer is its own, whichever clips it is turned with."""
    sway = _sway(engine, clips, codes, knobs, classes, behind)
    count = melody_states.onsets(clips).astype(np.float64)
    asked_pitch = melody_states.mean_pitch(clips) + knobs.pitch
    asked_onsets = np.clip(np.round(count * 2.0**knobs.rhythm), 1, (~behind).sum(-1))
    best, cost, scores = clips.copy(), np.full(len(clips), np.inf), sway.copy()
    at = np.zeros((3, len(clips)))  # amounts and bias of the best
    todo = np.arange(len(clips))  # clips that have not landed
    trial = _first(len(clips), knobs)
    for _ in range(ROUNDS):
        size, some = trial.pitch.shape[1], np.arange(len(todo))
        z = codes[todo, None] + way(engine, knobs, trial.pitch, trial.rhythm)
        offset = np.repeat(sway[todo, None], size, axis=1)
        offset[..., :ONSETS] += trial.bias[..., None, None]
        sung = engine.decode(z.reshape(-1, engine.z), offset=offset.reshape(-1, STEPS, STATES))
        found = melody_states.tidy(sung.states, held=True).reshape(len(todo), size, STEPS)
        costs = _cost(found, clips[todo], asked_pitch[todo], asked_onsets[todo], knobs)
        pick = costs.argmin(1)
        better = costs[some, pick] < cost[todo]
        rows, picked = todo[better], (some[better], pick[better])
        best[rows], cost[rows] = found[picked], costs[picked]
        logp = sung.log_probabilities.reshape(len(todo), size, STEPS, STATES)
        scores[rows] = logp[picked] + offset[picked]
        at[:, rows] = [each[picked] for each in (trial.pitch, trial.rhythm, trial.bias)]
        away_pitch = np.nan_to_num(asked_pitch - melody_states.mean_pitch(best))
        away_onsets = np.log2(asked_onsets / np.maximum(melody_states.onsets(best), 1))
        todo = todo[((np.abs(away_pitch) > PITCH_NEAR) | (np.abs(away_onsets) > ONSETS_NEAR))[todo]]
        if not len(todo):
            break
        trial = _next(at[:, todo], away_pitch[todo], away_onsets[todo], knobs)
    for i in range(len(best)):
        if knobs.rhythm:
            _land_onsets(best[i], scores[i], int(asked_onsets[i]))
        if knobs.pitch:
            line = melody_states.line(best[i] if knobs.rest else clips[i])
            rough = ROUGH * min(1.0, abs(knobs.pitch))
            _land_pitch(best[i], scores[i], asked_pitch[i], rough, line, ORDER * knobs.faithfulness)
    return best


def _land_onsets(states: States, scores: NDArray[np.float32], asked: int) -> None:
    """Split or join the notes of a clip [32] where that costs least score [32, 130] until as many begin as asked; where
    no note is left to split rests become notes, where all stand apart from the one before notes become rests."""
    while (count := int(melody_states.onsets(states))) != asked:
        heard, onset = melody_states.sounding(states), states < ONSETS
        if count < asked:
            steps = np.flatnonzero((states == HOLD) & (heard >= 0))
            becomes = heard[steps].astype(np.int64)
            if not len(steps):
                steps = np.flatnonzero(~onset & (scores[:, :ONSETS].max(1) > NEVER / 2))
                becomes = scores[steps, :ONSETS].argmax(1)
        else:
            steps = np.flatnonzero(onset & np.append(False, states[:-1] != REST))
            becomes = np.full(len(steps), HOLD)
            if not len(steps):
                steps = np.flatnonzero(onset)
                becomes = np.full(len(steps), REST)
        if not len(steps):
            return
        i = int(np.argmax(scores[steps, becomes] - scores[steps, states[steps]]))
        states[steps[i]] = becomes[i]
        states[:] = melody_states.tidy(states, held=True)


def _land_pitch(
    states: States,
    scores: NDArray[np.float32],
    asked: float,
    rough: float,
    line: NDArray[np.integer],
    order: float,
) -> None:
    """Move the notes of a clip [32] by up to FURTHEST semitones, all decided together: least score [32, 130] lost, at
    a cost of `order` wherever two neighbours no longer rise, fall or repeat as `line` [32] does between them, and
    their mean within about `rough` semitones of what is asked. A clip that fell silent stays so."""
    steps = np.flatnonzero(states < ONSETS)
    if not len(steps):
        return
    own, trend = states[steps].astype(np.int64), np.sign(np.diff(line[steps].astype(np.int64)))
    reach = np.arange(-FURTHEST, FURTHEST + 1)
    pitches = own[:, None] + reach  # [N, K]
    inside = (pitches >= 0) & (pitches < ONSETS)
    pitches = np.clip(pitches, 0, ONSETS - 1)
    score = scores[steps[:, None], pitches]
    gain = np.where(inside & ((score > NEVER / 2) | (reach == 0)), score - scores[steps, own][:, None], -np.inf)
    total = np.full((len(reach), (len(reach) - 1) * len(steps) + 1), -np.inf)  # best score of each sum of moves so far
    total[np.arange(len(reach)), np.arange(len(reach))] = gain[0]
    back = np.zeros((len(steps), *total.shape), np.int8)
    for n in range(1, len(steps)):
        broken = np.sign(pitches[n][None] - pitches[n - 1][:, None]) != trend[n - 1]  # [K before, K]
        each = total[:, None] - order * broken[..., None]
        back[n], best = each.argmax(0), each.max(0)
        total = np.full_like(total, -np.inf)
        for k in range(len(reach)):
            total[k, k:] = best[k, : total.shape[1] - k] + gain[n, k]
    means = own.mean() + np.arange(total.shape[1]) / len(steps) - FURTHEST
    away = np.abs(means - asked) / rough
    cost = MISSED * away + FAR * np.maximum(away - 1, 0)
    k, moved = divmod(int(np.argmax(total - cost)), len(means))
    for n in range(len(steps) - 1, -1, -1):
        states[steps[n]] = pitches[n, k]
        k, moved = int(back[n, k, moved - k]), moved - k


def _first(clips: int, knobs: Turn) -> _Try:
    """Amounts around the asked one; where the rhythm is asked for, biases around none beside them."""
    scale, bias = np.array(AMOUNTS), np.zeros(len(AMOUNTS))
    if knobs.rhythm:
        scale, bias = np.append(scale, np.ones(len(BIASES))), np.append(bias, BIASES)
    scale, bias = np.tile(scale, (clips, 1)), np.tile(bias, (clips, 1))
    return _Try(scale * knobs.pitch, scale * knobs.rhythm, bias)


def _next(at: Floats, away_pitch: Floats, away_onsets: Floats, knobs: Turn) -> _Try:
    """Steps from the best, about as far as it is away: half, once and twice."""
    steps = np.array([0.5, 1.0, 2.0])
    pitch, rhythm, bias = (np.repeat(v[:, None], len(steps), axis=1) for v in at)
    if knobs.pitch:
        pitch = pitch + away_pitch[:, None] * steps
    if knobs.rhythm:
        bias = bias + 3.0 * away_onsets[:, None] * steps
    return _Try(pitch, rhythm, bias)


def _cost(found: States, clips: States, asked_pitch: Floats, asked_onsets: Floats, knobs: Turn) -> Floats:
    """[C, K] how far candidates [C, K, 32] are from what is asked and, by little, from the source's line."""
    pitch = np.abs(melody_states.mean_pitch(found) - asked_pitch[:, None])
    rhythm = np.abs(np.log2(np.maximum(melody_states.onsets(found), 0.5) / asked_onsets[:, None]))
    if knobs.rest:  # the rest may take both along
        pitch, rhythm = pitch * bool(knobs.pitch), rhythm * bool(knobs.rhythm)
    lost = ((clips < ONSETS)[:, None] & (found >= ONSETS)).mean(-1)
    return np.asarray(np.nan_to_num(pitch, nan=12.0) + 6.0 * rhythm + 0.5 * lost)


def _sway(
    engine: MelodyEngine,
    clips: States,
    codes: Latents,
    knobs: Turn,
    classes: NDArray[np.bool_] | None,
    behind: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """[C, 32, 130] nats that keep a decode to its source: at rest they make it the source, state for state."""
    logp = engine.decode(codes, forced=clips).log_probabilities
    own = np.take_along_axis(logp, clips[..., None].astype(np.int64), -1)
    ahead = (logp.max(-1, keepdims=True) - own) + MARGIN
    sway = np.zeros_like(logp)
    np.put_along_axis(sway, clips[..., None].astype(np.int64), knobs.faithfulness * ahead, -1)
    onset = clips < ONSETS
    if not knobs.rhythm and not knobs.rest:  # every onset, hold and rest stays where it is
        sway[..., :ONSETS] = np.where(onset[..., None], sway[..., :ONSETS], NEVER)
        sway[..., HOLD] = np.where(clips == HOLD, 0.0, NEVER)
        sway[..., REST] = np.where(clips == REST, 0.0, NEVER)
    if not knobs.rest:  # the source's line, as far up or down as it is asked to be
        heard = melody_states.sounding(clips).astype(np.float32)
        line = heard + knobs.pitch * (1 + AHEAD / max(abs(knobs.pitch), 1.0))
        away = np.abs(np.arange(ONSETS, dtype=np.float32) - line[..., None])
        sway[..., :ONSETS] -= np.where(heard[..., None] >= 0, NEAR * knobs.faithfulness * away, 0.0)
    if classes is not None and not knobs.chromatic:
        own_pitches = np.zeros((len(clips), ONSETS), bool)
        rows, steps = np.nonzero(onset)
        own_pitches[rows, clips[rows, steps]] = True
        outside = ~classes[..., np.arange(ONSETS) % 12] & ~own_pitches
        sway[..., :ONSETS] += np.where(outside, NEVER, 0.0)[:, None]
    sway[behind] = NEVER
    sway[behind, REST] = 0.0
    return sway


def random_dimensions(engine: MelodyEngine, knob: str, seed: int) -> Latents:
    """[Z] the paper's control of its control (Figures 6b and 7b): the same change as a unit of the knob, in as many
    dimensions drawn from those that belong to neither. Raises FadernetsError where there are fewer of these."""
    row = engine.info["knobs"][knob]
    taken = {d for other in engine.info["knobs"].values() for d in other["dimensions"]}
    free = np.array([d for d in range(engine.z) if d not in taken])
    if len(free) < len(row["dimensions"]):
        raise FadernetsError(
            f"{engine.name}: {len(free)} dimensions belong to no knob, {knob} has {len(row['dimensions'])}: "
            "random ones cannot be compared with them"
        )
    found = np.zeros(engine.z, np.float32)
    chosen = np.random.default_rng([seed, 11]).choice(free, len(row["dimensions"]), replace=False)
    found[chosen] = row["change"]
    return found
