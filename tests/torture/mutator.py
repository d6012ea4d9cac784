"""MIDI files that break the grammar of MIDI, or keep it and are absurd: a small piece, and then some mutations.

`mutated(rng)` draws one. A track is a list of [ticks since the event before, message]; a `Score` may state anything of
itself that is not so. `rng` is a random.Random.
"""

import random
import struct
from dataclasses import dataclass, field

END = b"\xff\x2f\x00"
FAR = 2**28 - 1  # the longest time that an event can state
TPQS = (1, 2, 3, 23, 24, 25, 96, 120, 480, 960, 32767)
METRES = ((0, 2), (1, 2), (255, 7), (5, 3), (7, 3), (3, 2), (4, 255), (1, 6), (12, 3), (64, 2), (1, 0))
TEXTS = (b"", b"\xff\xfe\x00\x80", b"../../etc/passwd", b"a\nb\rc", "Flöte 猫\u202e".encode(), b"=1+1", b"x" * 70_000)


@dataclass
class Score:
    """What is written."""

    tracks: list[list[list]]
    tpq: int = 480
    kind: int = 1
    count: int | None = None  # of tracks, as the header has it
    running: bool = True  # whether a status byte that repeats is left out
    lie: int = 0  # added to the length of a track chunk
    chunks: list[bytes] = field(default_factory=list)  # of other kinds, between the tracks
    tail: bytes = b""
    riff: int | None = None  # a RIFF wrapper, with this added to its length


def variable_length(value):
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def meta(kind, content):
    return bytes((0xFF, kind)) + variable_length(len(content)) + content


def tempo(micros):
    return meta(0x51, micros.to_bytes(3, "big"))


def metre(numerator, power):
    return meta(0x58, bytes((numerator, power, 24, 8)))


def note_on(pitch, velocity=80, channel=0):
    return bytes((0x90 | channel, pitch, velocity))


def note_off(pitch, channel=0):
    return bytes((0x80 | channel, pitch, 64))


def track_of(notes, extra=(), channel=0):
    """Rows (onset, end, pitch, velocity) in ticks and (tick, message) as a track."""
    timed = [(tick, 0, message) for tick, message in extra]
    for onset, end, pitch, velocity in notes:
        timed += [
            (onset, 2, note_on(pitch, velocity, channel)),
            (end, 3 if end == onset else 1, note_off(pitch, channel)),
        ]
    track, now = [], 0
    for tick, _, message in sorted(timed, key=lambda event: event[:2]):
        track.append([tick - now, message])
        now = tick
    return [*track, [0, END]]


def small_piece(rng):
    """Two hands, four to eight bars, on a grid or played; sometimes all in one track, sometimes drums beside them."""
    tpq = rng.choice((96, 120, 480, 480))
    beats = 4 * rng.randint(2, 6)
    loose = rng.random() < 0.3
    divisions = rng.choice((1, 2, 2, 4, 4, 3))

    def at(beat):
        late = rng.gauss(0, 0.04) if loose else 0.0
        return max(round((beat + late) * tpq), 0)

    right, left, tonic = [], [], rng.randint(55, 67)
    for i in range(beats * divisions):
        if rng.random() < 0.7:
            length = rng.choice((0.4, 0.9, 1, 1, 2)) / divisions
            onset = at(i / divisions)
            pitch = tonic + rng.choice((0, 2, 4, 5, 7, 9, 11, 12, 14, 16))
            right.append((onset, max(at(i / divisions + length), onset + 1), pitch, rng.randint(40, 110)))
    for beat in range(0, beats, rng.choice((1, 2, 4))):
        for step in (0, 7, 12)[: rng.randint(1, 3)]:
            onset = at(beat)
            left.append(
                (onset, max(at(beat + rng.choice((0.9, 1.9, 4))), onset + 1), tonic - 24 + step, rng.randint(40, 90))
            )
    first = [
        (0, tempo(rng.choice((400_000, 500_000, 857_142)))),
        (0, metre(*rng.choice(((4, 2), (4, 2), (3, 2), (6, 3))))),
    ]
    if rng.random() < 0.5:
        first += [(0, meta(0x03, b"Piano")), (0, b"\xc0\x00"), (tpq, b"\xb0\x40\x7f"), (3 * tpq, b"\xb0\x40\x00")]
    if rng.random() < 0.3:
        tracks = [track_of(right + left, first)]
    else:
        tracks = [track_of(right, first), track_of(left, channel=rng.choice((0, 1)))]
    if rng.random() < 0.15:
        tracks.append(track_of([(beat * tpq, beat * tpq + 10, 36, 90) for beat in range(beats)], channel=9))
    return Score(tracks, tpq, kind=1 if len(tracks) > 1 else rng.choice((0, 1)))


def chunk(kind, body, lie=0):
    return kind + max(len(body) + lie, 0).to_bytes(4, "big") + body


def written(score):
    """The bytes of a score."""
    found = []
    for i, track in enumerate(score.tracks):
        body, status = bytearray(), 0
        for delta, message in track:
            body += variable_length(min(max(delta, 0), 2**31))
            leave_out = score.running and message[:1] and message[0] == status and 0x80 <= status < 0xF0
            body += message[1:] if leave_out else message
            status = message[0] if message[:1] and message[0] < 0xF0 else 0
        found.append(chunk(b"MTrk", bytes(body), score.lie if i == len(score.tracks) - 1 else 0))
        if i < len(score.chunks):
            found.append(score.chunks[i])
    count = len(score.tracks) if score.count is None else score.count
    header = struct.pack(">HHH", score.kind & 0xFFFF, count & 0xFFFF, score.tpq & 0xFFFF)
    data = chunk(b"MThd", header) + b"".join(found) + score.tail
    if score.riff is not None:
        size = max(len(data) + score.riff, 0)
        data = b"RIFF" + (size + 12).to_bytes(4, "little") + b"RMIDdata" + size.to_bytes(4, "little") + data
    return data


# --- mutations of a score; each takes (rng, score) and changes it


def some_track(rng, score):
    return rng.choice(score.tracks)


def insert(rng, track, events):
    """Put events (message each) at places of a track, at no distance from what stands there."""
    for message in events:
        track.insert(rng.randint(0, max(len(track) - 1, 0)), [0, message])


def sysex_flood(rng, score):
    size = rng.choice((0, 3, 40))
    body = bytes(rng.randrange(128) for _ in range(size)) + b"\xf7"
    message = bytes((rng.choice((0xF0, 0xF7)),)) + variable_length(len(body)) + body
    insert(rng, some_track(rng, score), [message] * rng.choice((1, 30, 2000)))


def tempo_flood(rng, score):
    values = [
        rng.choice((0, 1, 250_000, 500_000, 2**24 - 1, rng.randrange(2**24))) for _ in range(rng.choice((1, 9, 3000)))
    ]
    insert(rng, some_track(rng, score), [tempo(value) for value in values])


def metre_flood(rng, score):
    values = [rng.choice(METRES) for _ in range(rng.choice((1, 3, 9, 2000)))]
    insert(rng, some_track(rng, score), [metre(*value) for value in values])


def metre_a_bar(rng, score):
    """A metre of its own for each bar of five eighths, and others between."""
    bar = score.tpq * 5 // 2
    score.tracks.append(
        [
            [0 if i == 0 else bar, metre(*rng.choice(((5, 3), (5, 3), (4, 2), (7, 4))))]
            for i in range(rng.choice((5, 60)))
        ]
    )
    score.kind = 1


def resolution(rng, score):
    """Another number of ticks, times scaled to it or as they are."""
    tpq = rng.choice(TPQS)
    if rng.random() < 0.6:
        for track in score.tracks:
            for event in track:
                event[0] = event[0] * tpq // max(score.tpq, 1)
    score.tpq = tpq


def far_away(rng, score):
    """A long silence, up to the end of what ticks can count."""
    track = some_track(rng, score)
    if track:
        rng.choice(track)[0] += rng.choice((FAR, 40_000 * score.tpq, 4000 * score.tpq, *[400 * score.tpq] * 3))


def sixteen_channels(rng, score):
    """One pitch on all channels, in one track or in sixteen, together or a tick apart."""
    pitch, tpq = rng.randint(0, 127), score.tpq
    length = rng.choice((tpq, tpq // 2, 1, 0))
    tracks = [
        track_of(
            [(i * tpq + channel * rng.choice((0, 1)), i * tpq + channel + length, pitch, 80) for i in range(8)],
            channel=channel,
        )
        for channel in range(16)
    ]
    if rng.random() < 0.5:
        score.tracks = tracks
    else:
        score.tracks.append([event for track in tracks for event in track[:-1]])
    score.kind = 1


def zero_lengths(rng, score):
    """Notes whose end comes at once."""
    for track in score.tracks:
        for i, (_, message) in enumerate(track):
            if message[:1] and message[0] >> 4 == 8 and rng.random() < 0.4:
                following = track[i + 1][0] if i + 1 < len(track) else 0
                if i + 1 < len(track):
                    track[i + 1][0] = following + track[i][0]
                track[i][0] = 0


def never_released(rng, score):
    for track in score.tracks:
        track[:] = [event for event in track if not (event[1][:1] and event[1][0] >> 4 == 8 and rng.random() < 0.15)]


def velocity_0(rng, score):
    """Note-offs as note-ons of velocity 0."""
    for track in score.tracks:
        for event in track:
            if event[1][:1] and event[1][0] >> 4 == 8:
                event[1] = bytes((0x90 | event[1][0] & 0xF, event[1][1], 0))


def shuffled(rng, score):
    """The messages of a track in another order, at the same times."""
    track = some_track(rng, score)
    a = rng.randrange(max(len(track), 1))
    part = [event[1] for event in track[a : a + 12]]
    rng.shuffle(part)
    for event, message in zip(track[a : a + 12], part, strict=True):
        event[1] = message


def struck_twice(rng, score):
    """Keys struck again while they sound, and released more often than struck."""
    track = some_track(rng, score)
    notes = [event[1] for event in track if event[1][:1] and event[1][0] >> 4 in (8, 9)]
    if notes:
        insert(rng, track, rng.choices(notes, k=rng.choice((1, 5, 40))))


def dense(rng, score):
    """Hundreds of notes in one bar."""
    count = rng.choice((50, 200, 800))
    bar = max(4 * score.tpq, 1)  # `resolution` may have left no ticks
    rows = [
        (t := rng.randrange(bar), t + rng.randint(1, bar), rng.randint(21, 108), rng.randint(1, 127))
        for _ in range(count)
    ]
    score.tracks.append(track_of(rows))
    score.kind = 1


def wild_pitches(rng, score):
    for track in score.tracks:
        for event in track:
            if event[1][:1] and event[1][0] >> 4 in (8, 9) and rng.random() < 0.5:
                pitch = (event[1][1] * 7 + 3) % 128
                event[1] = bytes((event[1][0], pitch, *event[1][2:]))


def all_drums(rng, score):
    for track in score.tracks:
        for event in track:
            if event[1][:1] and 0x80 <= event[1][0] < 0xF0:
                event[1] = bytes((event[1][0] & 0xF0 | 9, *event[1][1:]))


def texts(rng, score):
    insert(
        rng,
        some_track(rng, score),
        [meta(rng.choice((1, 2, 3, 4, 5, 0x7F, 0x20)), rng.choice(TEXTS)) for _ in range(rng.choice((1, 6)))],
    )


def odd_metas(rng, score):
    """Metas that are too short, too long, or of kinds that nobody knows."""
    found = [
        meta(
            rng.choice((0x51, 0x58, 0x59, 0x2F, 0x00, 0x54, 0x60)),
            bytes(rng.randrange(256) for _ in range(rng.choice((0, 1, 2, 5, 200)))),
        )
        for _ in range(rng.choice((1, 4)))
    ]
    insert(rng, some_track(rng, score), found)


def programs(rng, score):
    insert(
        rng,
        some_track(rng, score),
        [bytes((0xC0 | rng.randrange(16), rng.randrange(128))) for _ in range(rng.choice((1, 20)))],
    )


def controllers(rng, score):
    insert(
        rng,
        some_track(rng, score),
        [
            bytes((rng.choice((0xA0, 0xB0, 0xE0)) | rng.randrange(16), rng.randrange(128), rng.randrange(128)))
            for _ in range(rng.choice((1, 1000)))
        ],
    )


def ends(rng, score):
    """No end of a track, two of them, or one in the middle."""
    track = some_track(rng, score)
    how = rng.randrange(3)
    if how == 0:
        track[:] = [event for event in track if event[1] != END]
    else:
        track.insert(rng.randint(0, len(track)), [0, END])


def more_tracks(rng, score):
    """Empty ones, or the same again and again."""
    score.kind = 1
    if rng.random() < 0.5:
        score.tracks += [[[0, END]] if rng.random() < 0.5 else [] for _ in range(rng.choice((1, 50, 1000)))]
    else:
        score.tracks += [[list(event) for event in rng.choice(score.tracks[:8])] for _ in range(rng.choice((1, 6)))]


def header(rng, score):
    """A header that says what is not so."""
    score.kind = rng.choice((0, 1, 2, 3, 65535))
    score.count = rng.choice((None, 0, 1, len(score.tracks) + 1, 65535))
    if rng.random() < 0.3:
        score.tpq = rng.choice((0, 0x8000, 0xE728, 65535))


def other_chunks(rng, score):
    score.chunks = [chunk(b"XFIH", b"abc" * rng.randrange(9), rng.choice((0, 0, 0, 1, -1))) for _ in range(3)]
    score.tail = rng.choice((b"", b"\x00\x00tail", b"MTrk\xff\xff\xff\xff"))


def lying_length(rng, score):
    score.lie = rng.choice((-(10**9), -5, -1, 1, 4, 1000, 2**31))


def rmid(rng, score):
    score.riff = rng.choice((0, 0, -1, 1, 2**20))


def no_running_status(rng, score):
    score.running = False


def begins_late(rng, score):
    """All of it some bars later."""
    later = rng.choice((1, score.tpq // 3, 7 * score.tpq, 300 * score.tpq))
    for track in score.tracks:
        if track:
            track[0][0] += later


def slow(rng, score):
    """All times longer."""
    factor = rng.choice((2, 3, 30, 200))
    for track in score.tracks:
        for event in track:
            event[0] *= factor


SCORES = (
    sysex_flood, tempo_flood, metre_flood, metre_a_bar, resolution, far_away, sixteen_channels, zero_lengths,
    never_released, velocity_0, shuffled, struck_twice, dense, wild_pitches, all_drums, texts, odd_metas, programs,
    controllers, ends, more_tracks, header, other_chunks, lying_length, rmid, no_running_status, begins_late, slow,
)  # fmt: skip
BREAKING = (header, lying_length, rmid)  # of these most are refused, so that they are drawn less often


# --- mutations of bytes; each takes (rng, data) and gives others


def flipped(rng, data):
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 20))):
        out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


def cut(rng, data):
    return data[: rng.randrange(len(data))]


def without_a_part(rng, data):
    a = rng.randrange(len(data))
    return data[:a] + data[a + rng.choice((1, 2, 7, 100)) :]


def with_a_part_twice(rng, data):
    a = rng.randrange(len(data))
    size = rng.choice((1, 4, 30, 300))
    return data[:a] + data[a : a + size] * 2 + data[a + size :]


def long_numbers(rng, data):
    """Bytes that begin a number which does not end."""
    a = rng.randrange(len(data))
    return data[:a] + b"\xff" * rng.randrange(1, 6) + data[a:]


BYTES = (flipped, flipped, cut, without_a_part, with_a_part_twice, long_numbers)


def mutated(rng: random.Random) -> tuple[bytes, list[str]]:
    """A file, and the names of what was done to it."""
    score, done = small_piece(rng), []
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3))):
        mutation = rng.choice(SCORES)
        if mutation in BREAKING and rng.random() < 0.5:
            mutation = rng.choice(SCORES)
        mutation(rng, score)
        done.append(mutation.__name__)
    data = written(score)
    if rng.random() < 0.2 or not done:
        mutation = rng.choice(BYTES)
        data = mutation(rng, data)
        done.append(mutation.__name__)
    return data, done
