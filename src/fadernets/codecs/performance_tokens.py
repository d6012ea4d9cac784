"""Performance tokens: the 342-word vocabulary of Music FaderNets, Section 4.1 (after Oore et al., 2018).

Units: seconds in and out, steps of 10 ms inside; velocity 1..127 in 64 bins of two.

| tokens  | meaning                                                            |
|---------|--------------------------------------------------------------------|
| 0, 1    | PAD, EOS                                                           |
| 2-89    | note-on, MIDI pitch 21-108                                         |
| 90-177  | note-off, MIDI pitch 21-108                                        |
| 178-277 | time shift of 1-100 steps                                          |
| 278-341 | velocity bin of the note-ons that follow, sent only when it changes |

Less the two reserved tokens, these are the classes and the order of events of note-seq's performance encoder.
"""

from collections import defaultdict, deque

import numpy as np

from fadernets.arrays import Array, Cells, Floats, Indices
from fadernets.codecs import grid
from fadernets.music.segments import STEPS

LOWEST_PITCH, HIGHEST_PITCH = 21, 108  # the 88 keys
STEPS_PER_SECOND = 100
MAX_SHIFT = 100  # steps in one time-shift token
VELOCITY_BINS = 64

PAD, EOS = 0, 1
NOTE_ON = 2
NOTE_OFF = NOTE_ON + HIGHEST_PITCH - LOWEST_PITCH + 1  # 90
TIME_SHIFT = NOTE_OFF + HIGHEST_PITCH - LOWEST_PITCH + 1  # 178
VELOCITY = TIME_SHIFT + MAX_SHIFT  # 278
VOCABULARY = VELOCITY + VELOCITY_BINS  # 342

MAX_TOKENS = 100  # longest segment the models take, EOS counted (Section 4.1); encode does not cut
DEFAULT_VELOCITY = 99  # of note-ons that no velocity token precedes, which only a model emits

SECONDS_NOTE = np.dtype([("onset", np.float64), ("end", np.float64), ("pitch", np.uint8), ("velocity", np.uint8)])


def encode(notes: Array, *, start: float = 0.0, end: float | None = None) -> Array:
    """Tokens of the notes that begin in start <= onset < end, EOS last; uint16, time counted from `start`.

    notes: structured array with the fields of SECONDS_NOTE, in any order.

    - Times go to the nearest step, halves up; a note shorter than a step gets one step.
    - A note that began before `start` is left out. A note still held at `end` gets its note-off there, so an
      onset less than half a step before `end` is released one step after it. Silence after the last
      note-off is not written.
    - A pitch struck again while it sounds gets its second note-on with no note-off before it. `decode` pairs
      note-offs with note-ons first in, first out: a note nested in another of its pitch swaps ends with it.
    - Within a step note-offs come first, in the order their notes began, then note-ons by exact onset and
      pitch.
    - ValueError for a pitch off the 88 keys, a velocity outside 1..127 (0 is a note-off in MIDI), an end
      before its onset or a time that is not finite: no note is dropped for them, filter first.
    """
    missing = [name for name in SECONDS_NOTE.names or () if name not in (notes.dtype.names or ())]
    if missing:
        raise ValueError(f"notes lack {', '.join(missing)}; give a structured array with {SECONDS_NOTE.names}")
    if end is not None and not end > start:
        raise ValueError(f"the segment ends at {end} s, which is not after its start at {start} s")

    outside = notes["onset"] < start
    if end is not None:
        outside |= notes["onset"] >= end
    notes = notes[~outside]
    onset = notes["onset"].astype(np.float64)  # N
    release = notes["end"].astype(np.float64)  # N
    if end is not None:
        release = np.minimum(release, end)
    pitch, velocity = notes["pitch"].astype(np.int64), notes["velocity"].astype(np.int64)  # N
    _check(onset, release, pitch, velocity)

    onset, release = onset - start, release - start
    order = np.lexsort((pitch, onset))
    key = pitch[order] - LOWEST_PITCH
    velocity_bin = (velocity[order] - 1) // 2
    on_step = _steps(onset[order])
    off_step = np.maximum(_steps(release[order]), on_step + 1)

    # Two events a note, sorted by step and then by note. Every note lasts at least a step, so the note-offs
    # of a step belong to earlier notes than its note-ons and come before them.
    count = len(key)
    note = np.tile(np.arange(count), 2)  # 2N
    step = np.concatenate([on_step, off_step])
    events = np.lexsort((note, step))
    step, note, is_on = step[events], note[events], events < count

    gap = np.diff(step, prepend=0)
    shifts = -(-gap // MAX_SHIFT)
    louder = np.zeros(2 * count, dtype=bool)
    louder[is_on] = np.diff(velocity_bin, prepend=-1) != 0

    stop = np.cumsum(shifts + louder + 1)  # each event is [full shifts, last shift, velocity, note]
    tokens = np.full(int(stop[-1]) + 1 if count else 1, TIME_SHIFT + MAX_SHIFT - 1, dtype=np.uint16)  # T
    shifted = shifts > 0
    tokens[(stop - louder - 2)[shifted]] = TIME_SHIFT + (gap[shifted] - 1) % MAX_SHIFT
    tokens[(stop - 2)[louder]] = VELOCITY + velocity_bin[note[louder]]
    tokens[stop - 1] = np.where(is_on, NOTE_ON, NOTE_OFF) + key[note]
    tokens[-1] = EOS
    return tokens


def decode(tokens: Array) -> Array:
    """Notes of a token stream up to its first EOS, as SECONDS_NOTE sorted by onset and pitch.

    Every stream over the vocabulary decodes, since models emit ungrammatical ones: PAD says nothing; a
    note-off that ends nothing is ignored; a note never ended stops at the stream's last time shift; a note
    of no length is dropped. A velocity is the lower edge of its bin. ValueError for tokens outside 0..341.
    """
    tokens = np.asarray(tokens)
    if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
        raise ValueError(f"tokens are a row of integers, not {tokens.dtype} of shape {tokens.shape}")
    if tokens.size and not 0 <= tokens.min() <= tokens.max() < VOCABULARY:
        raise ValueError(f"tokens run from {tokens.min()} to {tokens.max()}; allowed is 0..{VOCABULARY - 1}")

    step, velocity = 0, DEFAULT_VELOCITY
    onsets: list[int] = []
    ends: list[int | None] = []
    pitches: list[int] = []
    velocities: list[int] = []
    sounding: defaultdict[int, deque[int]] = defaultdict(deque)  # pitch -> rows above, oldest first
    for token in tokens.tolist():
        if token == EOS:
            break
        if token >= VELOCITY:
            velocity = 2 * (token - VELOCITY) + 1
        elif token >= TIME_SHIFT:
            step += token - TIME_SHIFT + 1
        elif token >= NOTE_OFF:
            waiting = sounding[token - NOTE_OFF + LOWEST_PITCH]
            if waiting:
                ends[waiting.popleft()] = step
        elif token >= NOTE_ON:
            pitch = token - NOTE_ON + LOWEST_PITCH
            sounding[pitch].append(len(onsets))
            onsets.append(step)
            ends.append(None)
            pitches.append(pitch)
            velocities.append(velocity)

    notes = np.empty(len(onsets), dtype=SECONDS_NOTE)
    notes["onset"] = np.array(onsets, dtype=np.float64) / STEPS_PER_SECOND
    notes["end"] = np.array([step if end is None else end for end in ends], dtype=np.float64) / STEPS_PER_SECOND
    notes["pitch"], notes["velocity"] = pitches, velocities
    notes = notes[notes["end"] > notes["onset"]]
    return notes[np.lexsort((notes["pitch"], notes["onset"]))]


def cells(rows: Array, seconds: Array | float) -> Cells:
    """Token rows [S, T] as grid cells [S, 16, 88]: each row's `seconds` are its sixteen steps.

    Rows are read as `decode` reads them, all at once. A note goes to its nearest step and lasts at least one;
    what begins at the end or behind it is left out.
    """
    rows = np.asarray(rows).astype(np.int64)
    found = np.full((len(rows), STEPS, grid.PITCHES), grid.OFF, np.uint8)
    row, pitch, onset, end = _notes(rows)
    step = np.broadcast_to(np.asarray(seconds, np.float64), len(rows)) * STEPS_PER_SECOND / STEPS
    inside = onset < step[row] * STEPS - 0.5
    row, pitch, onset, end = row[inside], pitch[inside], onset[inside], end[inside]
    first = np.minimum(np.floor(onset / step[row] + 0.5).astype(np.int64), STEPS - 1)
    last = np.clip(np.floor(end / step[row] + 0.5).astype(np.int64), first + 1, STEPS)
    edges = np.zeros((len(rows), STEPS + 1, grid.PITCHES), np.int16)
    np.add.at(edges, (row, first, pitch), 1)
    np.add.at(edges, (row, last, pitch), -1)
    found[np.cumsum(edges[:, :-1], axis=1) > 0] = grid.HOLD
    found[row, first, pitch] = grid.ONSET
    return found


def _notes(rows: Array) -> tuple[Indices, Indices, Indices, Indices]:
    """Row, key 0..87, onset and end in steps of every note in token rows [S, T], as `decode` pairs them."""
    stop = np.cumsum(rows == EOS, axis=1) > 0
    rows = np.where(stop, PAD, rows)
    is_shift = (rows >= TIME_SHIFT) & (rows < VELOCITY)
    now = np.cumsum(np.where(is_shift, rows - TIME_SHIFT + 1, 0), axis=1)  # [S, T] steps
    row, place = np.nonzero((rows >= NOTE_ON) & (rows < TIME_SHIFT))
    token, when = rows[row, place], now[row, place]
    is_on = token < NOTE_OFF
    key = np.where(is_on, token - NOTE_ON, token - NOTE_OFF)
    voice = row * grid.PITCHES + key
    order = np.lexsort((place, voice))  # each key of each row by itself, in its order
    row, key, when, is_on, voice = row[order], key[order], when[order], is_on[order], voice[order]
    # First in, first out: an off below the level at which a voice began ends nothing.
    new = np.diff(voice, prepend=-1) != 0
    group = np.cumsum(new) - 1
    level = np.cumsum(np.where(is_on, 1, -1))
    level -= (level - np.where(is_on, 1, -1))[new][group] if len(level) else 0
    drop = rows.shape[1] + 1
    lowest = np.minimum.accumulate(np.minimum(level, 0) - drop * group) + drop * group
    before = np.where(new, 0, np.concatenate([[0], lowest[:-1]]))
    ends = ~is_on & (lowest == before)
    n_on, n_off = (np.cumsum(kind) - (np.cumsum(kind) - kind)[new][group] for kind in (is_on * 1, ends * 1))
    end = now[row[is_on], -1]
    # The n-th on of a voice pairs with its n-th counting off.
    at = {(g, n): t for g, n, t in zip(group[ends].tolist(), n_off[ends].tolist(), when[ends].tolist(), strict=True)}
    pairs = zip(group[is_on].tolist(), n_on[is_on].tolist(), end.tolist(), strict=True)
    end = np.array([at.get((g, n), last) for g, n, last in pairs], np.int64)
    row, key, onset = row[is_on], key[is_on], when[is_on]
    sounds = end > onset
    return row[sounds], key[sounds], onset[sounds], end[sounds]


def _steps(seconds: Floats) -> Indices:
    """Seconds to the nearest step of 10 ms, halves up."""
    return np.floor(seconds * STEPS_PER_SECOND + 0.5).astype(np.int64)


def _check(onset: Floats, release: Floats, pitch: Indices, velocity: Indices) -> None:
    """Raise ValueError for a note that has no tokens."""
    if not (np.isfinite(onset).all() and np.isfinite(release).all()):
        raise ValueError("a note's onset or end is not a finite number of seconds")
    if (release < onset).any():
        worst = int(np.argmax(onset - release))
        raise ValueError(f"a note ends at {release[worst]} s, before its onset at {onset[worst]} s")
    for name, values, low, high in (
        ("pitch", pitch, LOWEST_PITCH, HIGHEST_PITCH),
        ("velocity", velocity, 1, 127),
    ):
        wrong = values[(values < low) | (values > high)]
        if wrong.size:
            raise ValueError(f"{name} {wrong[0]} has no token; allowed is {low}..{high}, drop or move the note first")
