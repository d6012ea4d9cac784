"""A melody's knobs from file to file: what changes, what must not, and what the report says of it."""

import mido
import numpy as np
import pytest
from midi_files import BROKEN, ODDITIES, PIECES, TPQ, events, metre, notes, save, tempo, track
from singers import Singer, clip

from fadernets import melody, melody_edit, tunes
from fadernets.errors import FadernetsError
from fadernets.knobs import Turn
from fadernets.melody import HOLD, ONSETS, REST
from fadernets.melody_edit import folded, roll_of, sing
from fadernets.midi import Document

STEP = TPQ // 4


@pytest.fixture
def singer():
    return Singer()


@pytest.fixture
def written(tmp_path, monkeypatch, singer):
    """Edit a file so that its clips are these -> (notes before, notes after, report)."""

    def written(source, *clips, **more):
        wanted = np.stack(clips)
        monkeypatch.setattr(melody_edit, "turn", lambda engine, given, *rest: wanted)
        report = sing(singer, source, tmp_path / "out.mid", Turn(rhythm=-1), **more)
        return notes(source), notes(tmp_path / "out.mid"), report

    return written


def states_of(path, **more):
    piece = Document(path).piece
    return tunes.read(piece, tunes.choose_track(piece), **more).clips


def paired(path):
    """Whether with mido every note-on finds its note-off and no other note-off is left."""
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


def test_of_two_notes_alike_one_is_the_melody(tmp_path, singer):
    doubled = [(i, 1, 60 + i, 80) for i in range(8)] + [(2, 1, 62, 80), (5, 1, 65, 80)]
    source = save(tmp_path / "in.mid", track(doubled, metre(4)))
    report = sing(singer, source, tmp_path / "out.mid", Turn())
    assert (tmp_path / "out.mid").read_bytes() == source.read_bytes()
    assert report.clips[0].measured == report.clips[0].before == {"pitch": 63.5, "onsets": 8.0}
    report = sing(singer, source, tmp_path / "out.mid", Turn(pitch=-12))
    assert report.clips[0].measured == {"pitch": 51.5, "onsets": 8.0}
    assert [row[:3] for row in notes(tmp_path / "out.mid") if row[2] >= 60] == [(960, 1440, 62), (2400, 2880, 65)]


# What lies behind the end


def test_a_last_clip_of_one_bar_lands(tmp_path, singer):
    source = save(tmp_path / "in.mid", track([(i, 1, 60 + i % 5, 80) for i in range(12)], metre(4)))
    for asked, counts in ((1, [16, 8]), (2, [32, 16]), (3, [32, 16]), (-1, [4, 2])):
        report = sing(singer, source, tmp_path / "out.mid", Turn(rhythm=asked))
        assert [clip.measured["onsets"] for clip in report.clips] == counts
        assert [clip.asked["onsets"] for clip in report.clips] == counts
        assert report.means["measured"]["onsets"] == report.means["asked"]["onsets"] == sum(counts)


def test_figures_of_what_is_not_there_are_none(tmp_path, singer, monkeypatch, written):
    half_a_bar = save(tmp_path / "in.mid", track([(0, 1, 60, 80), (1, 1, 62, 80)], metre(2)))
    report = sing(singer, half_a_bar, tmp_path / "out.mid", Turn(pitch=0.5, rhythm=1))
    assert report.clips == []
    nothing = {"pitch": None, "onsets": 0.0}
    assert report.means == {"before": nothing, "measured": nothing, "asked": nothing}
    assert report.warnings == ["no two bars of the melody lie whole on the grid: nothing can be edited"]
    assert (tmp_path / "out.mid").read_bytes() == half_a_bar.read_bytes()
    source = save(tmp_path / "other.mid", track([(i, 1, 60, 80) for i in range(8)], metre(4)))
    _, after, report = written(source, clip(""))
    assert after == []
    assert report.clips[0].measured == report.means["measured"] == nothing
