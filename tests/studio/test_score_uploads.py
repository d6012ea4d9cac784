"""MusicXML in the studio: taken like MIDI, edited like MIDI, given back as the file that it was."""

import pytest
from made_scores import SONG, attributes, note, packed, score

from fadernets.errors import FadernetsError
from fadernets.music.opening import open_document
from fadernets.studio.downloads import original
from fadernets.studio.edit_types import RenderRequest
from fadernets.studio.service import Studio
from fadernets.web.piece_limits import MOST_XML


@pytest.fixture(scope="module")
def studio():
    return Studio()


def render(studio, piece, **faders):
    return studio.render(RenderRequest.model_validate({"piece": piece, "format": "score", "faders": faders}))


@pytest.mark.parametrize("data", [SONG, packed(SONG)])
def test_a_score_is_a_piece(studio, data):
    info = studio.add("song.musicxml", data)
    assert (info.title, info.is_score, len(info.bars)) == ("song.musicxml", True, 4)
    assert [track.name for track in info.tracks] == ["Part 1", "Part 2"]
    assert info.warnings == ["grace notes: 1, left out"]
    stored = studio.uploads.files.get(info.id)
    assert original("x", stored.data).data == data
    assert original("x", stored.data).name in ("x.musicxml", "x.mxl")
    assert original("x", b"MThd").name == "x.mid"
    assert not studio.piece("k545").is_score


def test_it_is_given_back_with_the_edit_in_it(studio):
    info = studio.add("song.musicxml", SONG)
    same = render(studio, info.id)
    assert (same.name, same.data) == ("song-edited.musicxml", SONG)
    louder = render(studio, info.id, set={"dynamics": 100}, bars=[[1, 1]])
    assert b"Somebody" in louder.data
    velocity = open_document(info_path(), louder.data).piece.notes["velocity"]
    assert velocity.max() >= 95
    small = studio.add("song.mxl", packed(SONG))
    assert render(studio, small.id).name == "song-edited.mxl"
    with pytest.raises(FadernetsError, match=r"^score: the piece did not come as MusicXML"):
        render(studio, "k545")


def info_path():
    from pathlib import Path

    return Path("song.musicxml")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<html/>", "x.musicxml: is no MusicXML score"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "x.musicxml: declares a document type"),
        (packed(b"<a>" + b" " * (MOST_XML + 1) + b"</a>"), "x.musicxml: unpacks to more than"),
        (score([attributes(1) + note("C4", 4)] * 1001), "x.musicxml: 1001 bars; the studio takes 1000"),
    ],
)
def test_what_is_refused(studio, data, message):
    with pytest.raises(FadernetsError) as error:
        studio.add("x.musicxml", data)
    assert str(error.value).startswith(message)
