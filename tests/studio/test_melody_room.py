"""The melody room without its server, on the shipped model: melodies, knobs, blends and files."""

import io
import json
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
from midi_files import metre, notes, save, tempo, track

from fadernets.codecs import melody_states
from fadernets.errors import FadernetsError
from fadernets.melodies.blend import different_steps
from fadernets.music.document import Document
from fadernets.rendering.musicxml import write_document
from fadernets.studio.downloads import MEDIA
from fadernets.studio.melody_types import BlendRequest, KnobsRequest, MelodyEditRequest, MelodyFileRequest, TurnRequest


@pytest.fixture(scope="module")
def tune(studio, tmp_path_factory):
    """Four bars of quarters, 96 to the minute."""
    path = tmp_path_factory.mktemp("tune") / "tune.mid"
    line = [(i, 1, (60, 64, 67, 65)[i % 4], 80) for i in range(16)]
    save(path, track(line, tempo(96), metre(4), name="tune"), track([(0, 16, 40, 70)], name="bass", channel=1))
    return studio.uploads.add("tune.mid", path.read_bytes()).id


def test_the_melody_of_a_piece(studio, tune):
    found = studio.melody.melody_of(tune)
    assert (found.piece, found.track, found.bars, found.tempo) == (tune, "tune", [1, 3], 96)
    assert [len(clip) for clip in found.clips] == [32, 32]
    assert found.clips[0][:8] == [60, 128, 128, 128, 64, 128, 128, 128]
    assert (found.pitch, found.onsets, found.warnings) == (64, 16, [])
    assert studio.melody.melody_of(tune, "2").track == studio.melody.melody_of(tune, "bass").track == "bass"
    for wanted in ("3", "../tune", "/etc/passwd", "9" * 200, ""):
        with pytest.raises(FadernetsError, match=r"track .*: no such pitched track.*; the file has 1 'tune', 2 'bass'"):
            studio.melody.melody_of(tune, wanted)


def test_long_melodies_are_cut(studio, tmp_path):
    data = save(tmp_path / "in.mid", track([(i, 1, 60 + i % 7, 80) for i in range(8 * 66)], metre(4))).read_bytes()
    found = studio.melody.melody_of(studio.uploads.add("long.mid", data).id)
    assert len(found.clips) == 64
    assert found.warnings == ["the melody has 66 clips; the first 64 are shown"]


def knobs(**given):
    return KnobsRequest(**given)


def test_turns_of_a_melody(studio, tune):
    clips = studio.melody.melody_of(tune).clips
    still = studio.melody.turn(TurnRequest(seq=4, clips=clips, knobs=knobs()))
    assert (still.seq, still.clips, still.pitch, still.onsets) == (4, clips, [64, None, 64], [16, None, 16])
    up = studio.melody.turn(TurnRequest(clips=clips, knobs=knobs(pitch=2, rhythm=1, seed=1)))
    assert up.pitch[:2] == [64, 66]
    assert abs(up.pitch[2] - 66) < 1
    assert up.onsets[1] == 32
    assert abs(up.onsets[2] - 32) <= 2
    assert up.clips == studio.melody.turn(TurnRequest(clips=clips, knobs=knobs(pitch=2, rhythm=1, seed=1))).clips
    assert sum(melody_states.onsets(np.array(up.clips, np.uint8))) == up.onsets[2]


@pytest.mark.parametrize("states", [[129] * 32, [128] * 32, [0] * 32, [127] + [128] * 31, [128, 60] * 16])
@pytest.mark.parametrize("control", ["knob", "paper"])
def test_any_states_can_be_turned(studio, states, control):
    turned = studio.melody.turn(TurnRequest(clips=[states], knobs=knobs(pitch=4, rhythm=0.5, rest=1, control=control)))
    assert len(turned.clips[0]) == 32
    assert all(0 <= state <= 129 for state in turned.clips[0])


def test_a_blend_has_its_corners(studio, tune):
    a = studio.melody.melody_of(tune).clips
    b = studio.melody.turn(TurnRequest(clips=a[:1], knobs=knobs(pitch=5))).clips
    cells = list(studio.melody.blend(BlendRequest(a=a, b=b, rows=2, columns=3)))
    assert [(cell.row, cell.column) for cell in cells] == [(i, j) for i in range(2) for j in range(3)]
    assert cells[0].clips == a
    assert cells[-1].clips == b + b  # the shorter one is repeated
    for cell in cells:
        assert cell.onsets == melody_states.onsets(np.array(cell.clips, np.uint8)).sum()
    assert [cell.differs for cell in cells] == [0.0, *[None] * 4, 0.0]


def test_the_paper_s_blend_says_how_far_its_corners_are(studio, tune):
    a = studio.melody.melody_of(tune).clips
    b = studio.melody.turn(TurnRequest(clips=a, knobs=knobs(pitch=5, rhythm=1))).clips
    cells = list(studio.melody.blend(BlendRequest(a=a, b=b, rows=2, columns=2, control="paper")))
    engine = studio.models.melody_engine()
    for cell, source in ((cells[0], a), (cells[-1], b)):
        wanted = melody_states.tidy(engine.decode(engine.encode(np.array(source, np.uint8))).states, held=True)
        assert cell.clips == wanted.tolist()
        assert cell.differs == pytest.approx(different_steps(wanted, np.array(source, np.uint8)).mean())
    assert cells[1].differs is cells[2].differs is None


def test_a_melody_as_a_file(studio, tune):
    clips = studio.melody.melody_of(tune).clips
    asked = MelodyFileRequest(clips=clips, tempo=96, name="My tune.x")
    file = studio.melody.file(asked)
    assert (file.name, file.media) == ("My tune.mid", "audio/midi")
    heard = pretty_midi.PrettyMIDI(io.BytesIO(file.data))
    assert heard.get_tempo_changes()[1].round(2).tolist() == [96]
    assert [n.pitch for n in heard.instruments[0].notes] == [60, 64, 67, 65] * 4
    np.testing.assert_allclose([n.start for n in heard.instruments[0].notes], np.arange(16) * 60 / 96, atol=1e-3)
    again = studio.melody.melody_of(studio.uploads.add("again.mid", file.data).id)
    assert again.clips == clips
    for format, start in (("musicxml", b"<?xml"), ("wav", b"RIFF")):
        other = studio.melody.file(asked.model_copy(update={"format": format}))
        assert other.data.startswith(start)
        assert other.name == f"My tune.{format}"


def told(data):
    """What a MIDI file says of where it comes from."""
    file = mido.MidiFile(file=io.BytesIO(data))
    return [json.loads(m.text.removeprefix("fadernets ")) for t in file.tracks for m in t if m.type == "text"]


def test_a_melody_s_file_says_where_it_comes_from(studio, tune):
    clips = studio.melody.melody_of(tune).clips
    made = MelodyFileRequest(clips=clips, knobs=knobs(pitch=2, seed=5), source="a tune")
    (info,) = told(studio.melody.file(made).data)
    assert (info["model"], info["source"], info["seed"], info["knobs"]) == (
        "melody",
        "a tune",
        5,
        {"pitch": 2, "seed": 5},
    )
    assert len(info["model_sha256"]["decoder.onnx"]) == 64
    assert told(studio.melody.file(MelodyFileRequest(clips=clips)).data) == []
    (info,) = told(studio.melody.edit_piece(MelodyEditRequest(piece=tune, knobs=knobs(rhythm=1))).data)
    assert (info["source"], info["source_id"], info["knobs"]) == (studio.uploads.get(tune).title, tune, {"rhythm": 1})


def test_a_melody_of_rests_as_a_file(studio):
    for format in ("midi", "musicxml", "wav"):
        assert studio.melody.file(MelodyFileRequest(clips=[[129] * 32], format=format)).data


@pytest.mark.parametrize(
    ("name", "called"), [("../../x", "x"), ("", "melody"), ("..", "melody"), ("a\r\nb", "a b"), ("C:\\x\\y.mid", "y")]
)
def test_names_of_melody_files(studio, name, called):
    for format in ("midi", "musicxml"):
        file = studio.melody.file(MelodyFileRequest(clips=[[60] * 32], name=name, format=format))
        assert file.name.rpartition(".")[0] == called


def test_singing_a_piece(studio, tune):
    source = studio.uploads.get(tune).data
    asked = MelodyEditRequest(piece=tune, knobs=knobs(pitch=3))
    file = studio.melody.edit_piece(asked)
    assert (file.name, file.media) == ("tune-melody.mid", "audio/midi")
    assert [row for row in notes(file.data) if row[5] == 1] == [row for row in notes(source) if row[5] == 1]
    own, now = ([row for row in notes(data) if row[5] == 0] for data in (source, file.data))
    assert [row[0] for row in now] == [row[0] for row in own]
    assert abs(np.mean([row[2] for row in now]) - np.mean([row[2] for row in own]) - 3) < 0.5
    assert studio.melody.edit_piece(MelodyEditRequest(piece=tune, knobs=knobs())).data == source
    with pytest.raises(FadernetsError, match=r"^track x: no such pitched track"):
        studio.melody.edit_piece(MelodyEditRequest(piece=tune, track="x", knobs=knobs(pitch=1)))


def test_a_score_is_given_back_with_its_melody_turned(studio):
    score = write_document(Document(Path("tune.mid"), studio.uploads.get("k265").data), "tune")
    piece = studio.uploads.add("tune.musicxml", score).id
    file = studio.melody.edit_piece(MelodyEditRequest(piece=piece, knobs=knobs(pitch=3)))
    assert (file.name, file.media) == ("tune-melody.musicxml", MEDIA["score"][0])
    assert b"score-partwise" in file.data
    assert studio.melody.edit_piece(MelodyEditRequest(piece=piece, knobs=knobs())).data == score


def test_single_dimensions_are_moved_before_the_knobs_turn(studio, tune):
    pitch, rhythm = studio.melody.sliders().groups
    assert (pitch.name, rhythm.name) == ("pitch", "rhythm")
    assert not set(pitch.dimensions) & set(rhythm.dimensions)
    assert pitch.significant >= 1 <= rhythm.significant
    clips = studio.melody.melody_of(tune).clips

    def turned(**given):
        return studio.melody.turn(TurnRequest(clips=clips, knobs=knobs(**given)))

    assert turned(dimensions={pitch.dimensions[0]: 0.0}).clips == clips
    far = [turned(dimensions={pitch.dimensions[0]: amount}) for amount in (-4, 4)]
    assert far[0].clips != clips != far[1].clips
    assert abs(far[1].pitch[2] - far[0].pitch[2]) > 1
    busy = [turned(dimensions={rhythm.dimensions[0]: amount}, control="paper").onsets[2] for amount in (-3, 3)]
    assert busy[0] != busy[1]
    both = turned(dimensions={pitch.dimensions[0]: 2.0}, pitch=3)
    assert both.clips != turned(pitch=3).clips
    with pytest.raises(FadernetsError, match="dimension 4000: the model has 0 to"):
        turned(dimensions={4000: 1.0})
    asked = knobs(dimensions={0: 1.0})
    with pytest.raises(FadernetsError, match="dimensions: they are moved in melodies alone"):
        studio.melody.edit_piece(MelodyEditRequest(piece=tune, knobs=asked))
    data = studio.melody.file(MelodyFileRequest(clips=clips, knobs=asked, source="tune")).data
    texts = [m.text for m in mido.MidiFile(file=io.BytesIO(data)).tracks[0] if m.type == "text"]
    assert json.loads(texts[0].removeprefix("fadernets "))["knobs"] == {"dimensions": {"0": 1.0}}
