"""Beats of performances: files of them, the grid that they make, and a tracker."""

from itertools import pairwise

import numpy as np
import pytest
from midi_files import PIECES, metre, save, tempo, track

from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.music.beat_times import BeatTimes
from fadernets.music.beat_tracking import lacks_beats, track_beats
from fadernets.music.document import Document
from fadernets.music.notes import TempoMap

QUARTER = 0.5  # seconds at the 120 beats a minute of a file without a tempo


def played(path, beats, seed=0, per_beat=2, late=0.0):
    """A file without a tempo map in which notes are played `per_beat` a beat on these beats (seconds)."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, (a, b) in enumerate(pairwise(beats)):
        for k in range(per_beat):
            at = a + (b - a) * k / per_beat + rng.normal(0, late)
            rows.append(
                (max(at, 0) / QUARTER, (b - a) / per_beat / QUARTER, 60 + (i + 3 * k) % 12, 90 if k == 0 else 60)
            )
        rows.append((max(a, 0) / QUARTER, (b - a) / QUARTER, 40 + i % 5, 80))
    return Document(save(path / "played.mid", track(rows, metre(4))))


def uneven(count=33, seed=1):
    """Beats 0.6 s apart with rubato."""
    return 0.3 + np.cumsum(
        0.62 + 0.06 * np.sin(np.arange(count) / 3) + np.random.default_rng(seed).normal(0, 0.01, count)
    )


# --- files


def test_files_come_back_as_they_were_written(tmp_path):
    for beats in (BeatTimes(np.array([0.5, 1.0, 1.625])), BeatTimes(np.array([0.5, 1.0]), np.array([False, True]))):
        beats.write(tmp_path / "beats.txt")
        again = BeatTimes.read(tmp_path / "beats.txt")
        assert again.seconds.tolist() == beats.seconds.tolist()
        assert (again.downbeat is None) == (beats.downbeat is None)
        assert again.downbeat is None or again.downbeat.tolist() == beats.downbeat.tolist()


def test_commas_tabs_and_comments_are_read(tmp_path):
    (tmp_path / "beats.csv").write_text("# seconds, downbeat\n0.5,1\n1.0\t0\n\n1.5 0\n")
    beats = BeatTimes.read(tmp_path / "beats.csv")
    assert beats.seconds.tolist() == [0.5, 1, 1.5]
    assert beats.downbeat.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 beats; at least 2"),
        ("1.0\n", "1 beats; at least 2"),
        ("1.0\n0.5\n", "rise from 0 on"),
        ("-1\n0.5\n", "rise from 0 on"),
        ("1\nnan\n", "rise from 0 on"),
        ("1\n50\n", "rise from 0 on"),
        ("1\ntwo\n", "'two' is no time"),
        ("1 1\n2\n", "beat 2: expected seconds"),
        ("1 5\n2 0\n", "beat 1: expected seconds"),
        ("1 0\n2 0\n", "none of the beats begins a bar"),
    ],
)
def test_what_are_no_beats_says_so(tmp_path, text, message):
    (tmp_path / "beats.txt").write_text(text)
    with pytest.raises(FadernetsError, match=message):
        BeatTimes.read(tmp_path / "beats.txt")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FadernetsError, match="cannot be read"):
        BeatTimes.read(tmp_path / "none.txt")
    write_atomic(tmp_path / "binary.txt", b"\xff\xfe\x00")
    with pytest.raises(FadernetsError, match="is not text"):
        BeatTimes.read(tmp_path / "binary.txt")
    write_atomic(tmp_path / "long.txt", b"1\n" * 2**22)
    with pytest.raises(FadernetsError, match="are read"):
        BeatTimes.read(tmp_path / "long.txt")


# --- the grid


def test_ticks_are_the_inverse_of_seconds():
    tempos = TempoMap.of([(0, 600_000), (960, 400_000), (2000, 700_000)], 480)
    ticks = np.array([0, 100, 960, 1500, 2000, 5000])
    assert tempos.ticks_at(tempos.seconds(ticks)) == pytest.approx(ticks)


def test_bars_and_steps_follow_the_beats(tmp_path):
    beats = uneven()
    document = played(tmp_path, beats)
    downbeat = np.arange(len(beats)) % 3 == 1
    own = BeatTimes(beats, downbeat).grid(document.piece)
    assert (np.diff(own.start) > 0).all()
    assert own.end[:-1].tolist() == own.start[1:].tolist()
    lines = np.round(document.piece.tempo.ticks_at(beats[downbeat]))
    assert np.isin(lines, own.start).all()
    inner = (own.start > lines[0]) & (own.start < lines[-1])
    assert own.steps[inner].tolist() == [12] * inner.sum()
    assert own.sixteenths[own.beat > 1][:40] == pytest.approx([1.0] * 40)
    onset = np.unique(document.piece.notes["onset"])
    off = np.abs(onset - own.step_ticks(own.nearest_step(onset)))
    assert off.max() <= 2  # ticks: every note is on a step


def test_without_downbeats_the_metre_of_the_file_counts(tmp_path):
    beats = uneven(17)
    own = BeatTimes(beats).grid(played(tmp_path, beats).piece)
    first = int(np.round(played(tmp_path, beats).piece.tempo.ticks_at(beats[0])))
    assert first in own.start
    assert own.bar.tolist() == sorted(own.bar.tolist())
    assert np.bincount(own.beats.segment)[1:-1].tolist() == [4] * (len(own.start) - 2)


def test_long_bars_are_halved_and_the_piece_is_covered(tmp_path):
    beats = uneven(25)
    document = played(tmp_path, beats)
    own = BeatTimes(beats, np.arange(25) % 6 == 0).grid(document.piece)
    assert np.bincount(own.beats.segment).max() == 3
    assert own.bar.tolist().count(2) == 2
    assert own.start[0] == 0
    assert own.end[-1] >= document.piece.end
    assert own.refined(own.beats.segment == 1).steps[1] == 2 * own.steps[1]


def test_of_beats_on_one_tick_the_downbeats_stay_where_they_are(tmp_path):
    rows = [(i, 1, 60 + i, 80) for i in range(12)]
    slow = track(rows, metre(4), tempo(5), tpq=24)  # two ticks a second
    piece = Document(save(tmp_path / "in.mid", slow, tpq=24)).piece
    seconds = np.array([0, 0.1, 2, 4, 6, 8, 8.1, 10, 12, 14])
    for marked in ([2, 5, 8], [2, 6, 8]):  # of the beats on one tick the first, or the second, begins a bar
        own = BeatTimes(seconds, np.isin(np.arange(10), marked)).grid(piece)
        assert own.start[1:4].tolist() == [4, 16, 24]


# --- the tracker


def test_the_tracker_finds_even_beats(tmp_path):
    beats = 0.4 + 0.55 * np.arange(60)
    found = track_beats(played(tmp_path, beats, late=0.01).piece).seconds
    assert np.mean([np.abs(found - beat).min() < 0.07 for beat in beats]) > 0.9
    assert np.mean([np.abs(beats - beat).min() < 0.07 for beat in found]) > 0.9


def test_the_tracker_follows_a_little_rubato(tmp_path):
    beats = uneven(60)
    found = track_beats(played(tmp_path, beats, late=0.01).piece).seconds
    assert np.mean([np.abs(found - beat).min() < 0.07 for beat in beats]) > 0.85


def test_too_few_notes_have_no_beats(tmp_path):
    path = save(tmp_path / "in.mid", track([(0, 1, 60, 80), (1, 1, 60, 80)]))
    with pytest.raises(FadernetsError, match="too few notes"):
        track_beats(Document(path).piece)


def test_performances_without_a_tempo_map_are_told_from_scores(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(at, 0.3, 60 + i % 12, 80) for i, at in enumerate(np.sort(rng.uniform(0, 60, 200)).tolist())]
    loose = Document(save(tmp_path / "loose.mid", track(rows, metre(4)))).piece
    assert lacks_beats(loose)
    assert not lacks_beats(Document(save(tmp_path / "known.mid", track(rows, metre(4), tempo(97)))).piece)
    triplets = [(i / 3, 0.3, 60 + i % 12, 80) for i in range(120)]
    assert not lacks_beats(Document(save(tmp_path / "triplets.mid", track(triplets, metre(4)))).piece)
    for name in ("two_hands", "waltz", "tempi"):
        assert not lacks_beats(Document(PIECES[name](tmp_path / f"{name}.mid")).piece)
