"""A melody's knobs from file to file: what changes, what must not, and what the report says of it."""

import numpy as np
import pytest
from midi_files import BROKEN, ODDITIES, PIECES, TPQ, events, metre, notes, paired, save, tempo, track
from toy_melody_engine import ToyMelodyEngine, clip

from fadernets.codecs import melody_clips, melody_states
from fadernets.codecs.melody_states import HOLD, REST
from fadernets.errors import FadernetsError
from fadernets.melodies import edit_report, file_edit
from fadernets.melodies.file_edit import edit_melody, roll_of, within_keyboard
from fadernets.melodies.knob_settings import Knobs
from fadernets.music.document import Document

STEP = TPQ // 4


@pytest.fixture
def engine():
    return ToyMelodyEngine()


@pytest.fixture
def written(tmp_path, monkeypatch, engine):
    """Edit a file so that its clips are these -> (notes before, notes after, report)."""

    def written(source, *clips, **more):
        wanted = np.stack(clips)
        monkeypatch.setattr(file_edit, "turn", lambda engine, given, *rest: wanted)
        report = edit_melody(engine, source, tmp_path / "out.mid", Knobs(rhythm=-1), **more)
        return notes(source), notes(tmp_path / "out.mid"), report

    return written


# Notes of one key that meet


def test_a_note_that_is_held_on_takes_the_key_of_what_begins_under_it(tmp_path, written):
    """The first note of the melody goes on over a chord whose lower note has its key."""
    line = [(0, 1, 60, 80), (1, 1, 72, 80), (2, 2, 74, 80), (4, 4, 76, 80)]
    source = save(tmp_path / "in.mid", track([*line, (1, 0.5, 60, 50), (2, 2, 62, 50)], metre(4)))
    before, after, report = written(source, clip("60 - - - - - - - 74 - - - - - - - 76" + " -" * 15))
    assert [row[:4] for row in after] == [
        (0, 960, 60, 80), (960, 1920, 62, 50), (960, 1920, 74, 80), (1920, 3840, 76, 80)
    ]  # fmt: skip
    assert paired(tmp_path / "out.mid")
    assert report.clips[0].measured == {"pitch": 70.0, "onsets": 3.0}
    assert set(after) - set(before) == {(0, 960, 60, 80, 0, 0)}


def test_hidden_notes_that_give_way_are_still_no_melody(tmp_path, written):
    line = [(0, 4, 72, 80), (4, 4, 74, 80)]
    source = save(tmp_path / "in.mid", track([*line, (0, 4, 60, 50), (4, 4, 62, 50)], metre(4)))
    lower = clip(". . . . . . . . 60 - - - - - - - 62" + " -" * 15)
    _, after, report = written(source, lower)
    assert [row[:4] for row in after] == [(0, 960, 60, 50), (960, 1920, 60, 80), (1920, 3840, 62, 80)]
    assert report.clips[0].measured == {"pitch": 61.0, "onsets": 2.0}
    assert paired(tmp_path / "out.mid")


def test_voices_that_gave_way_are_counted(tmp_path, engine):
    line = track([(i, 1, 72, 80) for i in range(8)], metre(4), name="melody")
    others = track([(i, 1, 84, 40) for i in range(4)], name="others")
    report = edit_melody(engine, save(tmp_path / "in.mid", line, others), tmp_path / "out.mid", Knobs(pitch=12))
    assert report.warnings == ["notes of other voices on the melody's channel that gave way to it: 4"]
    assert [row[:4] for row in notes(tmp_path / "out.mid")] == [(480 * i, 480 * i + 480, 84, 80) for i in range(8)]
    apart = track([(i, 1, 84, 40) for i in range(4)], name="others", channel=1)
    report = edit_melody(engine, save(tmp_path / "in.mid", line, apart), tmp_path / "out.mid", Knobs(pitch=12))
    assert not report.warnings
    assert len(notes(tmp_path / "out.mid")) == 12


def test_clips_are_named_by_the_bars_of_the_file(tmp_path, engine):
    waltz = save(tmp_path / "in.mid", track([(i, 1, 72, 80) for i in range(24)], metre(3)))
    report = edit_melody(engine, waltz, tmp_path / "out.mid", Knobs(pitch=2), regrid=True)
    assert [clip.bar for clip in report.clips] == [1, 3, 6]


def test_of_two_notes_alike_one_is_the_melody(tmp_path, engine):
    doubled = [(i, 1, 60 + i, 80) for i in range(8)] + [(2, 1, 62, 80), (5, 1, 65, 80)]
    source = save(tmp_path / "in.mid", track(doubled, metre(4)))
    report = edit_melody(engine, source, tmp_path / "out.mid", Knobs())
    assert (tmp_path / "out.mid").read_bytes() == source.read_bytes()
    assert report.clips[0].measured == report.clips[0].before == {"pitch": 63.5, "onsets": 8.0}
    report = edit_melody(engine, source, tmp_path / "out.mid", Knobs(pitch=-12))
    assert report.clips[0].measured == {"pitch": 51.5, "onsets": 8.0}
    assert [row[:3] for row in notes(tmp_path / "out.mid") if row[2] >= 60] == [(960, 1440, 62), (2400, 2880, 65)]


# What lies behind the end


def test_a_last_clip_of_one_bar_lands(tmp_path, engine):
    source = save(tmp_path / "in.mid", track([(i, 1, 60 + i % 5, 80) for i in range(12)], metre(4)))
    for asked, counts in ((1, [16, 8]), (2, [32, 16]), (3, [32, 16]), (-1, [4, 2])):
        report = edit_melody(engine, source, tmp_path / "out.mid", Knobs(rhythm=asked))
        assert [clip.measured["onsets"] for clip in report.clips] == counts
        assert [clip.asked["onsets"] for clip in report.clips] == counts
        assert report.means["measured"]["onsets"] == report.means["asked"]["onsets"] == sum(counts)


def test_figures_of_what_is_not_there_are_none(tmp_path, engine, monkeypatch, written):
    half_a_bar = save(tmp_path / "in.mid", track([(0, 1, 60, 80), (1, 1, 62, 80)], metre(2)))
    report = edit_melody(engine, half_a_bar, tmp_path / "out.mid", Knobs(pitch=0.5, rhythm=1))
    assert report.clips == []
    nothing = {"pitch": None, "onsets": 0.0}
    assert report.means == {"before": nothing, "measured": nothing, "asked": nothing}
    assert report.warnings == ["no two bars of the melody lie whole on the grid: nothing can be edited"]
    assert (tmp_path / "out.mid").read_bytes() == half_a_bar.read_bytes()
    source = save(tmp_path / "other.mid", track([(i, 1, 60, 80) for i in range(8)], metre(4)))
    _, after, report = written(source, clip(""))
    assert after == []
    assert report.clips[0].measured == report.means["measured"] == nothing


def test_two_bars_of_rest_are_asked_for_nothing(tmp_path, engine):
    line = [(i, 1, 60, 80) for i in range(8)] + [(16 + i, 1, 60, 80) for i in range(8)]
    source = save(tmp_path / "in.mid", track(line, metre(4)))
    report = edit_melody(engine, source, tmp_path / "out.mid", Knobs(rhythm=1, pitch=2))
    assert [clip.asked["onsets"] for clip in report.clips] == [16, 0, 16]
    assert [clip.asked["pitch"] for clip in report.clips] == [62, None, 62]
    assert report.means["asked"] == {"pitch": 62.0, "onsets": 32.0}
    assert report.clips[1].measured == {"pitch": None, "onsets": 0.0}


# What stays as it is

PLAIN = [name for name in PIECES if name not in ("waltz", "six_eight", "metre_change")]
TURNS = (
    Knobs(pitch=4.5),
    Knobs(rhythm=1, pitch=-12),
    Knobs(rhythm=-1),
    Knobs(rest=3, rhythm=2),
    Knobs(pitch=7, control="paper"),
)


@pytest.mark.parametrize("name", [*PIECES, *ODDITIES])
def test_at_rest_a_file_comes_back_byte_for_byte(tmp_path, engine, name):
    source = (PIECES | ODDITIES)[name](tmp_path / "in.mid")
    report = edit_melody(engine, source, tmp_path / "out.mid", Knobs(), regrid=name not in PLAIN)
    assert (tmp_path / "out.mid").read_bytes() == source.read_bytes()
    assert report.means["measured"] == report.means["before"]
    assert all(clip.measured == clip.before and set(clip.asked.values()) == {None} for clip in report.clips)


@pytest.mark.parametrize("name", PIECES)
def test_all_but_the_melody_stays(tmp_path, engine, name):
    """Other tracks, notes under the skyline, and every event that is no note; but for notes of a key that the melody
    takes in their channel."""
    source, out = PIECES[name](tmp_path / "in.mid"), tmp_path / "out.mid"
    regrid = name not in PLAIN
    piece = Document(source).piece
    number = melody_clips.choose_track(piece)
    tune = melody_clips.read(piece, number, regrid=regrid)
    channel = [track.channel for track in piece.tracks]
    others = {tuple(row)[:4] for row in np.delete(piece.notes, tune.rows).tolist()}
    for asked in TURNS:
        edit_melody(engine, source, out, asked, regrid=regrid)
        assert events(out) == events(source)
        assert paired(out)
        now = Document(out).piece
        new = [row for row in now.notes.tolist() if tuple(row) not in piece.notes.tolist()]
        lost = others - {tuple(row)[:4] for row in now.notes.tolist()}
        for onset, end, pitch, _ in lost:
            assert any(p == pitch and a < end and b > onset and channel[t] == channel[number] for a, b, p, _, t in new)
        if name in ("two_hands", "band", "waltz", "march"):  # the other tracks have channels of their own
            assert all(row in now.notes.tolist() for row in piece.notes.tolist() if channel[row[4]] != channel[number])


@pytest.mark.parametrize("name", ["band", "tied", "repeated", "staccato", "pick_up", "expressive"])
@pytest.mark.parametrize("asked", [3, -7.5, 0.4])
def test_the_pitch_knob_keeps_every_onset(tmp_path, engine, name, asked):
    source = PIECES[name](tmp_path / "in.mid")
    edit_melody(engine, source, tmp_path / "out.mid", Knobs(pitch=asked))
    piece, now = Document(source).piece, Document(tmp_path / "out.mid").piece
    tune = melody_clips.read(piece, melody_clips.choose_track(piece))
    after = melody_clips.read(
        now, melody_clips.choose_track(now), windows=tune.windows, without=piece.notes[tune.hidden]
    )
    assert after.notes[:, 0].tolist() == tune.notes[:, 0].tolist()
    assert (after.notes[:, 2] != tune.notes[:, 2]).any()
    if not len(tune.hidden):  # else another voice may be the upper one now
        played = [sorted(line.piece.notes[["onset", "velocity"]].tolist()) for line in (tune, after)]
        assert played[0] == played[1]  # as the notes before were


def test_bars_that_are_not_named_stay(tmp_path, engine):
    tune = [(i, 1, 60 + i % 7, 80) for i in range(32)]
    source = save(tmp_path / "in.mid", track(tune, metre(4)))
    report = edit_melody(engine, source, tmp_path / "out.mid", Knobs(pitch=2), bars=[(3, 4), (6, 8)])
    assert [clip.bars for clip in report.clips] == ["3-4", "7-8"]  # a clip of bars 5 and 6 reaches out of them
    assert [clip.measured["pitch"] - clip.before["pitch"] for clip in report.clips] == pytest.approx([2, 2], abs=0.5)
    before, after = notes(source), notes(tmp_path / "out.mid")
    moved = {onset // (4 * TPQ) + 1 for onset, *_ in set(before) ^ set(after)}
    assert moved <= {3, 4, 7, 8}
    assert report.means["before"]["onsets"] == 16


@pytest.mark.parametrize(
    ("bars", "message"),
    [
        ([(3, 3)], "--bars 3-3: no clip of the melody, two bars of 4/4, lies wholly in these bars"),
        ([(1, 2), (9, 9)], "--bars 9-9: the piece has 8 bars"),
        ([(0, 2)], "--bars 0-2: bars count from 1"),
    ],
)
def test_bars_without_a_clip_are_refused(tmp_path, engine, bars, message):
    source = save(tmp_path / "in.mid", track([(i, 1, 60 + i % 7, 80) for i in range(32)], metre(4)))
    with pytest.raises(FadernetsError, match=message):
        edit_melody(engine, source, tmp_path / "out.mid", Knobs(pitch=2), bars=bars)
    assert not (tmp_path / "out.mid").exists()


def test_notes_outside_the_clips_stay(tmp_path, engine):
    """A pick-up, a bar of 2/4 that no window has whole, and a note that rings into it."""
    upbeat = [(0, 1, 67, 70)]
    bars = [(1 + i, 1, 60 + i % 5, 80) for i in range(7)] + [(8, 1.5, 72, 80), (9.5, 0.5, 74, 80), (10, 1, 76, 80)]
    source = save(tmp_path / "in.mid", track([*upbeat, *bars], metre(1), metre(4, tick=TPQ), metre(2, tick=9 * TPQ)))
    before = notes(source)
    for asked in (Knobs(pitch=5), Knobs(rhythm=1), Knobs(rest=2, rhythm=-1)):
        edit_melody(engine, source, tmp_path / "out.mid", asked)
        after = notes(tmp_path / "out.mid")
        stay = [row for row in before if row[0] == 0 or row[0] >= 8 * TPQ]
        assert all(row in after for row in stay)
        assert [row for row in after if row[0] == 0 or row[0] >= 8 * TPQ] == stay
        assert after != before


def test_a_note_held_over_the_border_of_clips_stays_one_note(tmp_path, engine):
    line = [(0, 3, 60, 80), (3, 4, 62, 80), (7, 4, 64, 80), (11, 5, 65, 80)]
    source = save(tmp_path / "in.mid", track(line, metre(4)))
    report = edit_melody(engine, source, tmp_path / "out.mid", Knobs(pitch=2))
    after = notes(tmp_path / "out.mid")
    assert [row[:2] for row in after] == [row[:2] for row in notes(source)]
    assert [clip.measured["onsets"] for clip in report.clips] == [3, 1]
    assert [row[2] for row in after] != [60, 62, 64, 65]
    edit_melody(engine, source, tmp_path / "out.mid", Knobs(rhythm=-1))
    assert [row[:2] for row in notes(tmp_path / "out.mid") if row[1] > 8 * TPQ > row[0]] != []


def test_clips_that_come_again_are_answered_alike(tmp_path, engine):
    line = [(8 * k + at, length, pitch, 80) for k in range(4) for at, length, pitch, _ in [
        (0, 1, 60, 0), (1, 1, 67, 0), (2, 2, 64, 0), (4, 0.5, 65, 0), (4.5, 0.5, 62, 0), (5, 3, 60, 0)]]  # fmt: skip
    source = save(tmp_path / "in.mid", track(line, metre(4)))
    for asked in (
        Knobs(pitch=3.4),
        Knobs(rhythm=1),
        Knobs(rest=2),
        Knobs(pitch=3, control="paper"),
    ):
        report = edit_melody(engine, source, tmp_path / "out.mid", asked)
        after = notes(tmp_path / "out.mid")
        passes = [[(a - k * 8 * TPQ, b - k * 8 * TPQ, p) for a, b, p, *_ in after if 0 <= a - k * 8 * TPQ < 8 * TPQ]
                  for k in range(4)]  # fmt: skip
        assert passes[0] == passes[1] == passes[2] == passes[3]
        assert len({str(clip.measured) for clip in report.clips}) == 1


# What the report says


@pytest.mark.parametrize("name", ["band", "march", "tied", "repeated", "staccato", "pick_up", "bare", "gaps"])
def test_what_is_measured_is_what_the_file_says(tmp_path, engine, name):
    source, out = PIECES[name](tmp_path / "in.mid"), tmp_path / "out.mid"
    piece = Document(source).piece
    tune = melody_clips.read(piece, melody_clips.choose_track(piece))
    skipped = 0
    for asked in (*TURNS, Knobs(pitch=30)):
        report = edit_melody(engine, source, out, asked)
        now = Document(out).piece
        again = melody_clips.read(
            now, melody_clips.choose_track(now), windows=tune.windows, without=piece.notes[tune.hidden]
        )
        if len(again.hidden):  # an under-voice that gave way is no longer the one it was
            skipped += 1
            continue
        lines = again.clips
        assert [clip.measured["onsets"] for clip in report.clips] == melody_states.onsets(lines).tolist()
        pitches = [None if np.isnan(p) else round(float(p), 5) for p in melody_states.mean_pitch(lines)]
        assert [clip.measured["pitch"] for clip in report.clips] == pitches
        assert report.means["measured"]["onsets"] == melody_states.onsets(lines).sum()
    assert skipped <= 1


def test_the_report_of_a_file(tmp_path, engine):
    source = save(
        tmp_path / "in.mid",
        track((), metre(4), tempo(100)),
        track([(i, 1, 48, 60) for i in range(16)], name="bass", channel=1),
        track([(i, 1, 60 + 2 * (i // 8), 80) for i in range(16)], name="Gesang"),
    )
    report = edit_melody(engine, source, tmp_path / "out.mid", Knobs(pitch=1.5, rhythm=1, seed=4))
    said = report.as_dict()
    assert (said["model"], said["track"], said["warnings"]) == ("by hand", "Gesang", [])
    assert said["knobs"] == {
        "pitch": 1.5, "rhythm": 1, "rest": 0.0, "control": "knob", "faithfulness": 1.0, "chromatic": False, "seed": 4
    }  # fmt: skip
    assert [clip["bar"] for clip in said["clips"]] == [1, 3]
    assert said["clips"][1] == {
        "index": 1,
        "bar": 3,
        "last_bar": 4,
        "before": {"pitch": 62.0, "onsets": 8.0},
        "asked": {"pitch": 63.5, "onsets": 16.0},
        "measured": {"pitch": 63.5, "onsets": 16.0},
    }
    assert said["means"]["before"] == {"pitch": 61.0, "onsets": 16.0}
    assert said["means"]["asked"] == said["means"]["measured"] == {"pitch": 62.5, "onsets": 32.0}
    lines = edit_report.table(report).splitlines()
    assert lines[0].split() == ["bar", "pitch", "asked", "measured", "onsets", "asked", "measured"]
    assert [line.split() for line in lines[1:]] == [
        ["1-2", "60", "61.5", "61.5", "8", "16", "16"],
        ["3-4", "62", "63.5", "63.5", "8", "16", "16"],
        ["all", "61", "62.5", "62.5", "16", "32", "32"],
    ]
    rest = edit_melody(engine, source, tmp_path / "out.mid", Knobs(rest=1), "bass")
    assert rest.track == "bass"
    assert rest.means["asked"] == {"pitch": None, "onsets": None}
    assert edit_report.table(rest).splitlines()[-1].split()[2] == "-"


def test_what_a_listener_is_told(tmp_path, engine):
    loose = [(i + 0.05 * (i % 3 == 1), 0.9, 60 + i % 5, 80) for i in range(8)]
    source = save(tmp_path / "in.mid", track([*loose, (0, 4, 48, 50), (4, 4, 47, 50)], metre(4)))
    report = edit_melody(engine, source, tmp_path / "out.mid", Knobs(pitch=60, rhythm=-9, rest=-5))
    assert report.warnings == [
        "the melody's track is polyphonic: its skyline is the melody, 2 notes stay",
        "notes off the sixteenth grid: 3 of 8, read at the nearest step",
        "pitch 60: outside -48..48; clamped",
        "rhythm -9: outside -5..5; clamped",
        "rest -5: outside -4..4; clamped",
        "pitch 48: the knob was measured in -12..12 alone",
        "rhythm -5: the knob was measured in -1..2 alone",
        "rhythm -5: 1 of 1 clips cannot have so few onsets; asked there is one",
        "pitch: clips that ended more than 0.5 semitones from the asked: 1 (bars 1-2)",
    ]
    assert [report.knobs[name] for name in ("pitch", "rhythm", "rest")] == [48, -5, -4]
    assert report.clips[0].asked == {"pitch": pytest.approx(report.clips[0].before["pitch"] + 48), "onsets": 1.0}


def test_bars_that_miss_are_named(tmp_path, engine, written):
    source = save(tmp_path / "in.mid", track([(i, 1, 60, 80) for i in range(16)], metre(4)))
    _, _, report = written(source, clip("60 - - - " * 8), clip("60 - - - " * 4 + ". " * 16))
    said = "onsets: clips that ended more than 0.5 notes from the asked: 1 (bars 1-2)"  # half of 8 were asked for
    assert report.warnings == [said]


def test_a_note_that_leaves_the_piano_comes_back_by_octaves():
    source = np.array([60, 110, 20, 60, HOLD, REST], np.uint8)
    given = np.array([109, 110, 20, 127, HOLD, REST], np.uint8)
    assert within_keyboard(given, source).tolist() == [97, 110, 20, 103, HOLD, REST]  # what was there stays
    assert within_keyboard(np.array([20, 9, 8, 0, 21, 108], np.uint8), np.full(6, 60, np.uint8)).tolist() == [
        32,
        21,
        32,
        24,
        21,
        108,
    ]


def test_a_melody_as_cells():
    cells = roll_of(np.array([60, HOLD, 60, 62, REST, 21, 108, HOLD], np.uint8))
    assert cells.shape == (8, 88)
    assert {(int(t), int(p)): int(cells[t, p]) for t, p in np.argwhere(cells)} == {
        (0, 39): 1, (1, 39): 2, (2, 39): 1, (3, 41): 1, (5, 0): 1, (6, 87): 1, (7, 87): 2
    }  # fmt: skip


# What cannot be used


@pytest.mark.parametrize("name", [*BROKEN, "waltz"])
def test_nothing_is_written_of_a_file_that_cannot_be_used(tmp_path, engine, name):
    source, out = (BROKEN | PIECES)[name](tmp_path / "in.mid"), tmp_path / "out.mid"
    out.write_bytes(b"as it was")
    with pytest.raises(FadernetsError, match=r"^[^\n]+$"):
        edit_melody(engine, source, out, Knobs(pitch=1))
    assert out.read_bytes() == b"as it was"
    assert {p.name for p in tmp_path.iterdir()} == {"in.mid", "out.mid"}


def test_a_track_of_keys_that_no_piano_has(tmp_path, engine):
    source = save(tmp_path / "in.mid", track([(i, 1, 110 + i, 80) for i in range(8)], metre(4)))
    with pytest.raises(FadernetsError, match="the melody's track has no note on the piano's 88 keys"):
        edit_melody(engine, source, tmp_path / "out.mid", Knobs(pitch=1))


def test_one_note_goes_up_by_whole_semitones(tmp_path, engine):
    source = save(tmp_path / "in.mid", track([(0, 1, 60, 80)], metre(4)))
    report = edit_melody(engine, source, tmp_path / "out.mid", Knobs(pitch=2))
    assert [row[:4] for row in notes(tmp_path / "out.mid")] == [(0, TPQ, 62, 80)]
    assert report.clips[0].measured == {"pitch": 62.0, "onsets": 1.0}
