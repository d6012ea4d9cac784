"""Small MIDI files, written with mido: one builder for each thing that an edit must get through.

A builder takes a path and returns it. Notes are rows (onset, length, pitch, velocity), times in quarter notes.
`PIECES` are sound files; `ODDITIES` can be played in spite of something; `BROKEN` cannot be used.
"""

import io
import random

import mido
import numpy as np

TPQ = 480
ROW = ["onset", "end", "pitch", "velocity"]
Meta = mido.MetaMessage


def track(notes=(), *events, channel=0, name=None, program=None, tpq=TPQ):
    """A track chunk of notes and of other events (tick, message); note-offs come first on their tick."""
    timed = [(tick, 1, message) for tick, message in events]
    if name is not None:
        timed.append((0, -2, Meta("track_name", name=name)))
    if program is not None:
        timed.append((0, -1, mido.Message("program_change", channel=channel, program=program)))
    for onset, length, pitch, velocity in notes:
        start, stop = round(onset * tpq), round((onset + length) * tpq)
        on = mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)
        off = mido.Message("note_off", channel=channel, note=pitch, velocity=64)
        timed += [(start, 2, on), (stop, 0 if stop > start else 3, off)]
    out, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(timed, key=lambda event: event[:2]):
        out.append(message.copy(time=tick - now))
        now = tick
    return out


def metre(numerator, denominator=4, tick=0):
    return tick, Meta("time_signature", numerator=numerator, denominator=denominator)


def tempo(bpm, tick=0):
    return tick, Meta("set_tempo", tempo=mido.bpm2tempo(bpm))


def save(path, *tracks, tpq=TPQ, kind=1):
    mido.MidiFile(type=kind, ticks_per_beat=tpq, tracks=list(tracks)).save(path)
    return path


def raw(path, *chunks, kind=1, division=TPQ, count=None):
    """A file of track chunks given as bytes, for what mido would not write."""
    head = b"MThd" + b"".join(n.to_bytes(size, "big") for n, size in ((6, 4), (kind, 2)))
    head += (len(chunks) if count is None else count).to_bytes(2, "big") + division.to_bytes(2, "big")
    path.write_bytes(head + b"".join(b"MTrk" + len(c).to_bytes(4, "big") + c for c in chunks))
    return path


# --- music


def right(beats=16, seed=0, start=0.0):
    """A melody of eighths and quarters with a chord on every first beat."""
    rng, notes, at = random.Random(seed), [], 0.0
    while at < beats:
        length = min(rng.choice([0.5, 0.5, 1.0]), beats - at)
        notes.append((start + at, length * 0.9, rng.choice([67, 69, 71, 72, 74, 76]), rng.randint(60, 100)))
        at += length
    chords = [(start + at, 1.5, pitch, 70) for at in range(0, int(beats), 4) for pitch in (64, 60)]
    return notes + chords


def left(beats=16, seed=1, start=0.0):
    """Broken chords in eighths over a bass of whole notes."""
    rng, notes = random.Random(seed), []
    for bar in range(0, int(beats), 4):
        root = rng.choice([48, 53, 55])
        length = min(4, beats - bar)
        notes.append((start + bar, length * 0.97, root - 12, 75))
        steps = range(1, int(2 * length))
        notes += [(start + bar + i / 2, 0.45, root + (0, 4, 7)[i % 3], 55 + i) for i in steps]
    return notes


def two_hands(path):
    """A piano on two channels: eight bars of 4/4 at 100 bpm."""
    return save(
        path,
        track((), tempo(100), metre(4)),
        track(right(32), name="right hand", channel=0, program=0),
        track(left(32), name="left hand", channel=1, program=0),
    )


def band(path):
    """Drums, bass and strings around a piano."""
    beat = [(i / 2, 0.1, 42 if i % 2 else 36, 90) for i in range(32)]
    return save(
        path,
        track((), tempo(120), metre(4)),
        track(beat, name="drums", channel=9),
        track([(i, 0.9, 36 + i % 5, 80) for i in range(16)], name="bass", channel=1, program=33),
        track([(4 * i, 4, 72 + i, 50) for i in range(4)], name="strings", channel=2, program=48),
        track(right(), name="Piano", channel=0, program=0),
    )


def quartet(path):
    """No keyboard at all: three strings."""
    return save(
        path,
        track(right(), metre(4), name="Violin", channel=0, program=40),
        track(left(), name="Viola", channel=1, program=41),
        track([(i, 1, 40 + i % 3, 70) for i in range(16)], name="Cello", channel=2, program=42),
    )


def dressed(path):
    """Everything else that a file can hold: lyrics, markers, keys, pedal, pitch bend, system exclusive, ..."""
    extra = [
        (0, Meta("copyright", text="nobody")),
        (0, Meta("key_signature", key="Ebm")),
        (0, Meta("smpte_offset", hours=1)),
        (0, Meta("sequencer_specific", data=(0, 1, 2, 127))),
        (960, Meta("key_signature", key="F#")),
        (1920, Meta("marker", text="B")),
        (1930, Meta("cue_marker", text="curtain")),
        (1930, mido.UnknownMetaMessage(0x60, data=(1, 2, 3))),
    ]
    words = [(480 * i, Meta("lyrics", text=word)) for i, word in enumerate(("Freu", "de", " sch\xf6", "ner"))]
    play = [
        (0, mido.Message("control_change", control=64, value=127)),
        (100, mido.Message("sysex", data=(1, 2, 3))),
        (100, mido.Message("pitchwheel", pitch=-500)),
        (200, mido.Message("aftertouch", value=9)),
        (200, mido.Message("polytouch", note=64, value=9)),
        (1900, mido.Message("control_change", control=64, value=0)),
        (1920, mido.Message("control_change", control=64, value=127)),
        (3840, mido.Message("program_change", program=4)),
        (9000, Meta("text", text="the end")),
    ]
    return save(
        path,
        track((), tempo(90), metre(4), *extra),
        track(right(), *play, *words, name="Klavier", program=0),
        track(left(), name="links", channel=1),
    )


def tempi(path):
    """Tempo changes, two of them on one tick, some outside the first track."""
    changes = [tempo(60), tempo(100, 480), tempo(140, 480), tempo(80, 1921), tempo(200, 5760)]
    return save(
        path,
        track((), *changes, metre(4)),
        track(right(), tempo(150, 1921), tempo(90, 3840), tempo(70, 3840), name="piano", program=0),
    )


def waltz(path):
    """3/4: windows of four beats run across the bar lines; 12 beats are three of them."""
    return save(path, track(right(24), tempo(150), metre(3), name="waltz"), track(left(24), channel=1))


def march(path):
    """2/4: two bars a window, and one bar over."""
    return save(path, track(right(18), tempo(110), metre(2), name="march"), track(left(18), channel=1))


def six_eight(path):
    return save(path, track(right(24), tempo(70), metre(6, 8), name="barcarole"), track(left(24), channel=1))


def pick_up(path):
    """One beat before the first bar of 4/4, in a signature of its own."""
    upbeat = [(0, 0.5, 67, 70), (0.5, 0.5, 69, 70)]
    return save(
        path,
        track([*upbeat, *right(16, start=1)], tempo(100), metre(1), metre(4, tick=TPQ), name="with upbeat"),
        track(left(16, start=1), channel=1),
    )


def metre_change(path):
    """Two bars of 4/4, three of 3/4 (nine beats: a short window in the middle), two of 4/4."""
    signatures = [metre(4), metre(3, tick=8 * TPQ), metre(4, tick=17 * TPQ)]
    return save(path, track(right(25), tempo(100), *signatures, name="changing"), track(left(25), channel=1))


def format_0(path):
    """One chunk for all: piano and drums."""
    both = track(right(), tempo(100), metre(4), name="all in one", program=0)
    beat = track([(i, 0.1, 38, 90) for i in range(16)], channel=9)
    return save(path, mido.merge_tracks([both, beat]), kind=0)


def tied(path):
    """Notes held over the bar lines, one of them through a whole bar."""
    long = [(2, 4, 60, 70), (3.5, 1, 64, 71), (7, 6, 55, 72), (11.75, 0.5, 67, 73), (15, 5, 62, 74)]
    short = [(i, 0.5, 76, 60) for i in range(20)]
    return save(path, track(long + short, tempo(100), metre(4), name="tied"))


def repeated(path):
    """Sixteenths on one key, each off on the tick of the next on."""
    notes = [(i / 4, 0.25, 60 + 12 * (i % 3 == 0), 80) for i in range(64)]
    return save(path, track(notes, tempo(100), metre(4), name="repeated"))


def unison(path):
    """Both hands on one channel, on the same keys: together, overlapping, one inside the other."""
    one = [(0, 1, 60, 80), (2, 2, 62, 80), (4, 4, 64, 80), (8, 1, 65, 80), (10, 1, 60, 80), (12, 4, 67, 80)]
    two = [(0, 1, 60, 60), (3, 2, 62, 60), (5, 1, 64, 60), (9, 1, 65, 60), (10, 3, 60, 60), (12, 2, 67, 60)]
    bass = [(i, 1, 43, 70) for i in range(16)]
    return save(path, track(one, tempo(100), metre(4), name="upper"), track(two + bass, name="lower"))


def expressive(path):
    """Played, not typed: onsets and ends up to 60 ms off, velocities of every kind, 96 ticks a beat too."""
    rng = np.random.default_rng(7)

    def loose(notes):
        found = {}
        for onset, length, pitch, _ in notes:
            late, longer = rng.normal(0, 0.05, 2)
            start = max(onset + late, 0)
            row = (start, max(length + longer, 0.06), pitch, int(rng.integers(20, 120)))
            found[round(onset, 3), pitch] = row
        return list(found.values())

    return save(
        path,
        track((), tempo(97), metre(4), tpq=96),
        track(loose(right(32, 3)), name="Piano right", channel=0, program=0, tpq=96),
        track(loose(left(32, 4)), name="Piano left", channel=0, program=0, tpq=96),
        tpq=96,
    )


def staccato(path):
    """Every note much shorter than a step."""
    notes = [(i / 4, 0.05, 60 + i % 7, 80) for i in range(0, 64, 2)]
    return save(path, track(notes, tempo(100), metre(4), name="staccato"))


def bare(path):
    """Notes and nothing else: no tempo, no metre, no name, no program."""
    return save(path, track(right(8)))


def gaps(path):
    """A piece with two empty bars in it, and one more at its end but for a drum."""
    notes = [*right(4), *right(4, 5, start=12)]
    return save(path, track(notes, tempo(100), metre(4), name="gaps"), track([(20, 0.1, 36, 90)], channel=9))


def beyond(path):
    """Keys above and below the piano's."""
    notes = [(i, 1, pitch, 80) for i, pitch in enumerate((5, 20, 21, 108, 109, 127))]
    return save(path, track(notes + right(8), metre(4), name="beyond"))


PIECES = {
    f.__name__: f
    for f in (
        two_hands,
        band,
        quartet,
        dressed,
        tempi,
        waltz,
        march,
        six_eight,
        pick_up,
        metre_change,
        format_0,
        tied,
        repeated,
        unison,
        expressive,
        staccato,
        bare,
        gaps,
        beyond,
    )
}


# --- playable in spite of something


def stuck(path):
    """Two notes that are never released."""
    events = [(TPQ * at, mido.Message("note_on", note=pitch, velocity=70)) for at, pitch in ((2, 50), (7, 72))]
    return save(path, track(right(16), *events, metre(4), name="stuck"))


def zero_length(path):
    return save(path, track([*right(16), (1.5, 0, 80, 70), (5, 0, 81, 70)], metre(4), name="no length"))


def tempo_0(path):
    return save(path, track(right(16), (960, Meta("set_tempo", tempo=0)), metre(4), name="no time"))


def idle_offs(path):
    """Note-offs that release nothing, all over the piece."""
    events = [
        (60 * i + 30, mido.Message("note_off", note=pitch)) for i in range(0, 120, 7) for pitch in range(50, 90, 3)
    ]
    return save(path, track(right(16), *events, metre(4), name="idle"))


def coarse(path):
    """Two ticks a beat."""
    notes = [(i / 2, 0.5, 60 + i % 5, 80) for i in range(32)]
    return save(path, track(notes, metre(4), name="coarse", tpq=2), tpq=2)


def odd_meta(path):
    """A key with nine sharps, a signature of 4/2^40, one of 0/4, a short tempo, an unknown chunk, data behind."""
    events = b"\x00\xff\x59\x02\x09\x00\x00\xff\x58\x04\x04\x28\x18\x08\x00\xff\x58\x04\x00\x02\x18\x08"
    events += b"\x00\xff\x51\x01\x07\x00\xf0\x03\x01\x02\x03\x00\xf7\x02\xf3\x01"
    notes = b"".join(bytes((0, 0x90, 60 + i, 80, 120, 60 + i, 0)) for i in range(12))
    raw(path, events + notes * 4 + b"\x00\xff\x2f\x00")
    data = path.read_bytes()
    path.write_bytes(data[:14] + b"XFIH\x00\x00\x00\x03abc" + data[14:] + b"\x00\x00tail")
    return path


def riff(path):
    """The same wrapped as RMID."""
    data = two_hands(path).read_bytes()
    body = b"RMIDdata" + len(data).to_bytes(4, "little") + data
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    return path


ODDITIES = {f.__name__: f for f in (stuck, zero_length, tempo_0, idle_offs, coarse, odd_meta)}


# --- not to be used


def empty(path):
    path.write_bytes(b"")
    return path


def text(path):
    path.write_text("This is no music.\n" * 20)
    return path


def truncated(path):
    data = two_hands(path).read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return path


def no_notes(path):
    return save(path, track((), tempo(100), metre(4)))


def only_drums(path):
    return save(path, track([(i, 0.1, 38, 90) for i in range(16)], channel=9))


def noise(path):
    path.write_bytes(random.Random(0).randbytes(5_000_000))
    return path


def noise_with_header(path):
    return raw(path, random.Random(1).randbytes(5_000_000))


def smpte(path):
    return raw(path, b"\x00\x90\x3c\x40\x60\x3c\x00\x00\xff\x2f\x00", division=0xE728)


def no_division(path):
    return raw(path, b"\x00\x90\x3c\x40\x60\x3c\x00\x00\xff\x2f\x00", division=0)


def format_2(path):
    return save(path, track(right(8)), track(right(8)), kind=2)


def endless(path):
    """A note that begins after 60,000 beats."""
    return save(path, track([(60_000, 1, 60, 80)], tpq=96), tpq=96)


BROKEN = {
    f.__name__: f
    for f in (
        empty,
        text,
        truncated,
        no_notes,
        only_drums,
        noise,
        noise_with_header,
        smpte,
        no_division,
        format_2,
        endless,
    )
}


def three_hours(path):
    """60,000 notes at 120 bpm."""
    rng, rows = np.random.default_rng(3), []
    for beat in range(0, 21_600, 4):
        root = int(rng.integers(36, 48))
        rows += [(beat, 3.9, root, 70), (beat + 2, 1.9, root + 7, 64)]
        rows += [(beat + i / 2, 0.45, root + 24 + int(rng.integers(12)), 80) for i in range(8)]
        rows.append((beat, 1.9, root + 40, 75))
    return save(path, track(rows, tempo(120), metre(4), name="long", program=0))


# --- reading back, with mido alone


def events(source):
    """Per track chunk of a file or of bytes: (tick, message with its time left out) of all events but notes."""
    file = mido.MidiFile(file=io.BytesIO(source if isinstance(source, bytes) else source.read_bytes()), clip=True)
    found = []
    for messages in file.tracks:
        now, rows = 0, []
        for message in messages:
            now += message.time
            if message.type not in ("note_on", "note_off", "end_of_track"):
                rows.append((now, message.copy(time=0)))
        found.append(rows)
    return found


def notes(source):
    """Sorted (onset, end, pitch, velocity, chunk, channel) in ticks; overlapping notes pair first in, first out."""
    file = mido.MidiFile(file=io.BytesIO(source if isinstance(source, bytes) else source.read_bytes()), clip=True)
    found = []
    for chunk, messages in enumerate(file.tracks):
        now, open_ = 0, {}
        for message in messages:
            now += message.time
            if message.type == "note_on" and message.velocity:
                open_.setdefault((message.channel, message.note), []).append((now, message.velocity))
            elif message.type in ("note_on", "note_off") and open_.get((message.channel, message.note)):
                onset, velocity = open_[message.channel, message.note].pop(0)
                found.append((onset, now, message.note, velocity, chunk, message.channel))
    return sorted(found)


def piece_rows(piece):
    """The notes of a `Piece` as `notes` gives those of a file."""
    where = [(t.chunk, t.channel) for t in piece.tracks]
    return sorted((*(int(n[k]) for k in ROW), *where[n["track"]]) for n in piece.notes)


def paired(path):
    """Whether every note-on of a file finds its note-off, and no note-off is left."""
    for messages in mido.MidiFile(path).tracks:
        sounding = {}
        for message in messages:
            if message.type in ("note_on", "note_off"):
                key = message.channel, message.note
                begins = message.type == "note_on" and message.velocity > 0
                sounding[key] = sounding.get(key, 0) + (1 if begins else -1)
                if sounding[key] < 0:
                    return False
        if any(sounding.values()):
            return False
    return True
