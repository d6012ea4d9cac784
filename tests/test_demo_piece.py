"""The bundled piece: what the script writes, note for note what Mozart wrote, and fit to be edited."""

import importlib.util
import sys
import warnings
from collections import Counter
from itertools import pairwise
from pathlib import Path

import mido
import pytest

from fadernets.rendering import audio, loudness

SCRIPT = Path(__file__).parents[1] / "scripts" / "make_demo_piece.py"
ASSET = Path(audio.__file__).parents[1] / "assets" / "k545.mid"
HANDS = ("Right hand", "Left hand")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_demo_piece", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def song():
    return mido.MidiFile(ASSET)


def sounded(track):
    """(start, end, pitch, velocity) in ticks; a key pressed while it is down is an error."""
    now, down, notes = 0, {}, []
    for message in track:
        now += message.time
        if message.type == "note_on":
            assert message.note not in down, (now, message.note)
            down[message.note] = now, message.velocity
        elif message.type == "note_off":
            start, velocity = down.pop(message.note)
            notes.append((start, now, message.note, velocity))
    assert not down
    return notes


def test_the_script_reproduces_the_asset_byte_for_byte(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["make_demo_piece.py", str(tmp_path / "k545.mid")])
    script.main()
    assert (tmp_path / "k545.mid").read_bytes() == ASSET.read_bytes()
    assert "28 bars, 504 notes" in capsys.readouterr().out


def test_two_hands_of_28_bars_in_c_at_132(song):
    assert (song.type, song.ticks_per_beat) == (1, 480)
    assert [track.name for track in song.tracks[1:]] == list(HANDS)
    meta = {message.type: message for message in song.tracks[0]}
    assert (meta["time_signature"].numerator, meta["time_signature"].denominator) == (4, 4)
    assert meta["key_signature"].key == "C"
    assert mido.tempo2bpm(meta["set_tempo"].tempo) == pytest.approx(132, abs=0.01)
    for track in song.tracks:
        assert sum(message.time for message in track) == 28 * 1920
    for track in song.tracks[1:]:
        assert [m.program for m in track if m.type == "program_change"] == [0]
        assert {m.channel for m in track if not m.is_meta} == {0}


def test_no_key_is_pressed_while_it_is_down_in_either_hand(song):
    notes = sorted(note for track in song.tracks[1:] for note in sounded(track))
    by_key = {}
    for start, end, pitch, _ in notes:
        assert start < end
        by_key.setdefault(pitch, []).append((start, end))
    assert all(a[1] <= b[0] for spans in by_key.values() for a, b in pairwise(spans))


def test_notes_are_a_little_late_and_never_leave_their_bar(script, song):
    for hand, track in enumerate(song.tracks[1:]):
        written = sorted(script.written(hand), key=lambda note: (note.start, note.pitch))
        played = sorted(sounded(track), key=lambda note: (note[0], note[2]))
        assert len(written) == len(played)
        for note, (start, end, pitch, _) in zip(written, played, strict=True):
            assert pitch == note.pitch
            assert 0 <= start - 120 * note.start <= 12
            assert end < 120 * (note.start + note.length)
        late = Counter(start - 120 * note.start for note, (start, *_) in zip(written, played, strict=True))
        assert len(late) > 6


def test_loudness_has_a_shape(song):
    notes = [note for track in song.tracks[1:] for note in sounded(track)]
    velocities = [velocity for *_, velocity in notes]
    assert 30 <= min(velocities) < max(velocities) <= 100
    assert len(set(velocities)) > 25
    soft = [velocity for start, *_, velocity in notes if start < 8 * 1920]
    close = [velocity for start, *_, velocity in notes if start >= 25 * 1920]
    assert sum(soft) / len(soft) + 10 < sum(close) / len(close)


def test_bars_1_to_12_agree_with_music21(script):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from music21 import corpus

        score = corpus.parse("mozart/k545/movement1_exposition")
    for hand, part in enumerate(score.parts):
        theirs = {
            (4 * float(chord.offset), 4 * float(chord.quarterLength), pitch.midi)
            for chord in part.flatten().notes
            for pitch in chord.pitches
        }
        ours = {note[:3] for note in script.written(hand) if note.start < 12 * 16}
        # bar 7: C in the editions, B in music21's corpus
        assert ours ^ theirs == ({(96, 4, 60), (96, 4, 59)} if hand else set())


@pytest.mark.parametrize(
    ("bar", "message"),
    [
        ("C5:8 E5:4", "bar 1, hand 0: 12.0 sixteenths"),
        ("C5 E5:4", "bar 1 starts without a length"),
        ("C5:8 H5:8", "bar 1: 'H5:8' is no note"),
    ],
)
def test_a_wrong_bar_is_told(script, monkeypatch, bar, message):
    monkeypatch.setattr(script, "BARS", [(bar, "-:16")])
    with pytest.raises(ValueError, match=message):
        list(script.written(0))


def test_it_sounds(tmp_path):
    audio.render(ASSET, tmp_path / "k545.wav")
    peak, rms, seconds = loudness.level(tmp_path / "k545.wav")
    assert -12 < peak < -3
    assert -34 < rms < -22
    assert seconds == pytest.approx(27.62 * 4 * 60 / 132 + 2, abs=0.1)
