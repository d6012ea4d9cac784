"""Songs of a few bars, as MIDI files, whose every bar passes the paper's filter."""

import mido

TPQ = 480


def write_song(path, n_bars=4, shift=0):
    """A chord a bar."""
    file, track, now = mido.MidiFile(ticks_per_beat=TPQ), mido.MidiTrack(), 0
    file.tracks.append(track)
    for bar in range(n_bars):
        chord = [60 + shift + bar % 3, 64 + shift, 67 + shift]
        events = [(4 * bar, "note_on", p) for p in chord] + [(4 * bar + 4, "note_off", p) for p in chord]
        for beat, kind, pitch in events:
            track.append(mido.Message(kind, note=pitch, velocity=80, time=beat * TPQ - now))
            now = beat * TPQ
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
