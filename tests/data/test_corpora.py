"""Each reader on a small corpus made here with its data set's layout and quirks, and on the real archives."""

import json
import os
from pathlib import Path

import mido
import numpy as np
import pytest

from fadernets.data.corpora import CORPORA, Source, beat_metre, find_root, split_of, step_means
from fadernets.errors import FadernetsError
from fadernets.music.notes import MetreMap, Piece, TempoMap, make_notes
from fadernets.music.segments import cut

TPQ = 480


def write_midi(path, tracks, *, tempo=None, signature=None, tpq=TPQ):
    """tracks: [(name, [(onset, end, pitch) in quarters], channel)]."""
    file = mido.MidiFile(type=1, ticks_per_beat=tpq)
    head = mido.MidiTrack()
    if tempo:
        head.append(mido.MetaMessage("set_tempo", tempo=tempo))
    if signature:
        head.append(mido.MetaMessage("time_signature", numerator=signature[0], denominator=signature[1]))
    file.tracks.append(head)
    for name, notes, channel in tracks:
        events = [(round(e * tpq), 0, p) for _, e, p in notes] + [(round(o * tpq), 80, p) for o, _, p in notes]
        track, now = mido.MidiTrack([mido.MetaMessage("track_name", name=name)]), 0
        for tick, velocity, pitch in sorted(events):
            message = mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)
            track.append(message.copy(time=tick - now))
            now = tick
        file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
    return path


def one(name, root):
    """The only piece of a corpus."""
    (source,) = CORPORA[name].sources(find_root(name, root))
    return CORPORA[name].read(source)


def pitches(item):
    return item.piece.notes["pitch"].tolist()


# POP909


def pop909_song(root, beats, number="001", tempo=500_000):
    folder = root / "POP909" / number
    notes = [(i, i + 1, 60) for i in range(20)]
    tracks = [("MELODY", notes, 0), ("BRIDGE", [(0, 1, 64)], 0), ("PIANO", [(0, 1, 48)], 0)]
    write_midi(folder / f"{number}.mid", tracks, tempo=tempo, signature=(2, 4))
    (folder / "beat_midi.txt").write_text("\n".join(" ".join(map(str, row)) for row in beats))
    (folder / "versions").mkdir()
    write_midi(folder / "versions" / f"{number}-v1.mid", [("PIANO", [(0, 1, 70)], 0)])
    return folder


def in_four(first, count, start=0.0, seconds=0.5):
    """Beats with a bar line on beat `first` and every four from there."""
    rows = range(count)
    return [(start + i * seconds, float((i - first) % 2 == 0), float((i - first) % 4 == 0)) for i in rows]


def test_pop909_merges_its_three_tracks_and_takes_no_other_version(tmp_path):
    pop909_song(tmp_path, in_four(0, 20))
    item = one("pop909", tmp_path)
    assert item.source.piece_id == item.source.group == "pop909-001"
    assert len(item.piece.notes) == 22
    assert set(pitches(item)) == {48, 60, 64}


def test_pop909_takes_bar_lines_from_the_beats_not_from_the_file(tmp_path):
    pop909_song(tmp_path, in_four(3, 20, start=0.05))
    piece = one("pop909", tmp_path).piece
    offset = round(0.05 / 0.5 * TPQ)
    assert piece.metre.ticks.tolist() == [offset + 3 * TPQ]
    assert (piece.metre.numerators.tolist(), piece.metre.denominators.tolist()) == ([4], [4])
    windows = cut(piece)
    assert windows.start[windows.full][:2].tolist() == [offset + 3 * TPQ, offset + 7 * TPQ]


def test_pop909_counts_beats_in_ticks_whatever_the_tempo_does():
    # 120 bpm for two quarters, then 60: beats are still a quarter apart.
    tempo = TempoMap.of([(0, 500_000), (2 * TPQ, 1_000_000)], TPQ)
    piece = Piece(make_notes([]), TPQ, tempo, MetreMap.of([], TPQ), [])
    times = [1.25, 2.25, 3.25, 4.25, 5.25, 6.25]  # 1.25 s is a quarter beat into the slower part
    beats = np.array([(t, 1.0 - i % 2, float(i == 2)) for i, t in enumerate(times)])
    assert beat_metre(beats, piece).ticks.tolist() == [round(2.25 * TPQ) + 2 * TPQ]


def test_pop909_a_bar_of_another_length_changes_the_metre_and_back():
    beats = np.array(in_four(0, 8) + in_four(2, 10, start=4.0))  # bars of 4, 4 + 2, 4 ...
    piece = Piece(make_notes([]), TPQ, TempoMap.of([], TPQ), MetreMap.of([], TPQ), [])
    metre = beat_metre(beats, piece)
    assert (metre.ticks / TPQ).tolist() == [0, 4, 10]
    assert metre.numerators.tolist() == [4, 6, 4]


def test_pop909_songs_in_three_take_the_middle_column():
    rows = [(0.5 * i, float(i % 3 == 1), float(i % 6 == 1)) for i in range(14)]
    piece = Piece(make_notes([]), TPQ, TempoMap.of([], TPQ), MetreMap.of([], TPQ), [])
    metre = beat_metre(np.array(rows), piece)
    assert (metre.ticks.tolist(), metre.numerators.tolist()) == ([TPQ], [3])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("\n", "shape"),
        ("1 2 3\n4 5\n", "rows of three"),
        ("0 1\n1 0\n", "shape"),
        ("a b c\n", "three numbers"),
        ("0 0 0\n1 0 0\n", "no downbeat"),
    ],
)
def test_pop909_a_bad_beat_file_is_an_error(tmp_path, text, match):
    (pop909_song(tmp_path, in_four(0, 20)) / "beat_midi.txt").write_text(text)
    with pytest.raises(FadernetsError, match=match):
        one("pop909", tmp_path)


def test_pop909_a_missing_beat_file_is_an_error(tmp_path):
    pop909_song(tmp_path, in_four(0, 20), "001")
    (pop909_song(tmp_path, in_four(0, 20), "002") / "beat_midi.txt").unlink()
    sources = CORPORA["pop909"].sources(tmp_path)
    with pytest.raises(FadernetsError, match=r"beat_midi\.txt"):
        CORPORA["pop909"].read(sources[1])


def test_pop909_cl_drops_chords_and_the_copy_and_shares_groups_with_pop909(tmp_path):
    folder = tmp_path / "POP909_processed"
    write_midi(folder / "001.mid", [("piano", [(0, 1, 60)], 0), ("chords", [(0, 4, 48)], 0)])
    write_midi(folder / "043 .mid", [("piano", [(0, 1, 61)], 0), ("MIDI 01", [(0, 4, 49)], 0)])
    write_midi(folder / "100.mid", [("chords", [(0, 4, 48)], 0)])
    row = CORPORA["pop909_cl"]
    sources = row.sources(find_root("pop909_cl", tmp_path))
    assert [s.piece_id for s in sources] == ["pop909_cl-001", "pop909_cl-043", "pop909_cl-100"]
    assert [s.group for s in sources] == ["pop909-001", "pop909-043", "pop909-100"]
    assert [pitches(row.read(source)) for source in sources[:2]] == [[60], [61]]
    with pytest.raises(FadernetsError, match=r"100\.mid: no track .*; its tracks: chords"):
        row.read(sources[2])
    for source in sources:
        assert split_of(source, 0) == split_of(Source("", source.group, Path()), 0)


# Scores


@pytest.mark.parametrize("name", ["Piano", "Pianoforte", "KLAVIER", "Grand\nPiano", "Klav."])
def test_lieder_takes_the_piano(tmp_path, name):
    tracks = [("Voice", [(0, 1, 72)], 0), (name, [(0, 4, 48), (0, 4, 60)], 1)]
    write_midi(tmp_path / "openscore_lieder" / "midi" / "lc1.mid", tracks, signature=(3, 4))
    item = one("lieder", tmp_path)
    assert pitches(item) == [48, 60]
    assert item.piece.metre.numerators.tolist() == [3]


def test_lieder_merges_two_pianos_and_names_the_tracks_where_there_is_none(tmp_path):
    two = [("Voice", [(0, 1, 72)], 0), ("Piano", [(0, 4, 48)], 1), ("Piano", [(0, 4, 60)], 2)]
    write_midi(tmp_path / "midi" / "lc1.mid", two)
    write_midi(tmp_path / "midi" / "lc2.mid", [("Voice", [(0, 1, 72)], 0), ("Guitar", [(0, 1, 60)], 1)])
    first, second = CORPORA["lieder"].sources(find_root("lieder", tmp_path))
    assert pitches(CORPORA["lieder"].read(first)) == [48, 60]
    with pytest.raises(FadernetsError, match="no track named piano; its tracks: Voice, Guitar"):
        CORPORA["lieder"].read(second)


def test_nottingham_takes_the_melodies(tmp_path):
    for folder, pitch in (("melody", 72), ("chords", 48), (".", 60)):
        write_midi(tmp_path / "MIDI" / folder / "jigs1.mid", [("", [(0, 1, pitch)], 0)], tpq=1024)
    item = one("nottingham", tmp_path)
    assert (pitches(item), item.source.group) == ([72], "nottingham-jigs1")


def test_tavern_is_the_one_file_in_two_four(tmp_path):
    hands = [("right", [(0, 1, 72)], 0), ("left", [(0, 1, 48)], 0)]
    write_midi(tmp_path / "Mozart" / "K265" / "Krn" / "K265.mid", hands, signature=(2, 4))
    item = one("tavern_k265", tmp_path)
    assert pitches(item) == [48, 72]
    assert item.piece.metre.numerators.tolist() == [2]


# Performances


def test_maestro_keeps_the_official_split_and_drops_the_dummy_signature(tmp_path):
    root = tmp_path / "maestro-v2.0.0-subset"
    write_midi(root / "2004" / "a.midi", [("", [(0, 8, 60)], 0)], signature=(3, 4))
    rows = "midi_filename,split,year\n2004/a.midi,validation,2004\n2004/b.midi,test,2004\n"
    (root / "maestro-v2.0.0.csv").write_text(rows)
    first, second = CORPORA["maestro"].sources(find_root("maestro", tmp_path))
    assert (first.piece_id, first.split) == ("maestro-2004/a", "validation")
    assert [split_of(first, seed) for seed in range(20)] == [1] * 20
    assert CORPORA["maestro"].read(first).piece.metre.numerators.tolist() == [4]
    with pytest.raises(FadernetsError, match="cannot be read"):
        CORPORA["maestro"].read(second)


@pytest.mark.parametrize(
    ("text", "match"),
    [("midi_filename\na.midi\n", "columns"), ("midi_filename,split\na.midi,dev\n", "'dev'; allowed: train")],
)
def test_maestro_a_bad_table_is_an_error(tmp_path, text, match):
    (tmp_path / "maestro-v2.0.0.csv").write_text(text)
    with pytest.raises(FadernetsError, match=match):
        CORPORA["maestro"].sources(tmp_path)


# VGMIDI


def vgmidi(root, annotations):
    """Two labelled pieces in two files of the same piece numbers, and one that nobody labelled."""
    for i, name in enumerate(["a", "b", "c"], start=1):
        hands = [
            ("Right Hand", [(0, 9, 60 + i)], 0),
            ("Left Hand", [(0, 4, 48)], 0),
            ("kit", [(0, 4, 36)], 9),
        ]
        write_midi(root / "labelled" / "midi" / f"{name}.mid", hands, signature=(3, 4))
    folder = root / "labelled" / "annotations"
    folder.mkdir()
    for i, name in enumerate(["a", "b"], start=1):
        entry = {"pieces": {"piece0": {"midi": f"{name}.mid"}}, "annotations": annotations[name]}
        (folder / f"vgmidi_raw_{i}.json").write_text(json.dumps(entry))


def test_vgmidi_labels_are_means_over_the_listeners_who_got_that_far(tmp_path):
    short = {"arousal": [-1.0, 0.0], "valence": [0.5, 0.5]}
    long = {"arousal": [0.0, 0.5, 1.0], "valence": [-0.5, 0.5, -1.0]}
    vgmidi(tmp_path, {"a": {"piece0_1": short, "piece0_12": long}, "b": {"piece0_3": long}})
    row = CORPORA["vgmidi"]
    a, b, c = row.sources(find_root("vgmidi", tmp_path))
    assert row.read(a).labels.arousal.tolist() == [-0.5, 0.25, 1.0]
    assert row.read(a).labels.valence.tolist() == [0.0, 0.5, -1.0]
    assert row.read(b).labels.arousal.tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(FadernetsError, match=r"c\.mid: the annotations do not name this file"):
        row.read(c)


def test_vgmidi_is_cut_in_four_quarters_from_the_start_with_both_hands_and_no_drums(tmp_path):
    one_label = {"piece0_1": {"arousal": [0.1], "valence": [0.2]}}
    vgmidi(tmp_path, {"a": one_label, "b": one_label})
    item = CORPORA["vgmidi"].read(CORPORA["vgmidi"].sources(tmp_path)[0])
    assert pitches(item) == [48, 61]
    windows = cut(item.piece)
    assert (windows.start / TPQ).tolist() == [0, 4, 8]
    assert windows.full.all()  # in the file's three-four the third would be a beat long


def test_vgmidi_damaged_annotations_are_an_error(tmp_path):
    vgmidi(tmp_path, {"a": {"piece0_1": {"arousal": [0.1]}}, "b": {}})
    with pytest.raises(FadernetsError, match=r"vgmidi_raw_1\.json: is damaged"):
        CORPORA["vgmidi"].sources(tmp_path)


def test_step_means_of_one_row_is_that_row():
    assert step_means([[0.5, -0.5]]).tolist() == [0.5, -0.5]


# Melodies


def melody_of(name, root):
    """The only piece of a corpus with its melodies alone."""
    (source,) = CORPORA[name].sources(find_root(name, root))
    return CORPORA[name].melodies(source)


def test_corpora_with_melodies():
    assert {row.name for row in CORPORA.values() if row.melodies} == {"pop909", "lieder", "nottingham", "folder"}


def test_the_melody_of_pop909_has_bar_lines_from_the_beats(tmp_path):
    pop909_song(tmp_path, in_four(3, 20))
    item = melody_of("pop909", tmp_path)
    assert (pitches(item), item.source.piece_id) == ([60] * 20, "pop909-001")
    assert item.piece.metre.ticks.tolist() == [3 * TPQ]


def test_pop909_without_a_melody_names_its_tracks(tmp_path):
    folder = pop909_song(tmp_path, in_four(0, 20))
    write_midi(folder / "001.mid", [("BRIDGE", [(0, 1, 64)], 0), ("PIANO", [(0, 1, 48)], 0)])
    with pytest.raises(FadernetsError, match=r"001\.mid: no track MELODY; its tracks: BRIDGE, PIANO"):
        melody_of("pop909", tmp_path)


def test_the_melodies_of_lieder_are_all_voices_beside_the_piano(tmp_path):
    voices = [("Soprano", [(0, 1, 72)], 0), ("Grand\nPiano", [(0, 4, 48)], 1), ("", [(0, 1, 60)], 2)]
    write_midi(tmp_path / "midi" / "lc1.mid", [*voices, ("kit", [(0, 1, 36)], 9)])
    item = melody_of("lieder", tmp_path)
    assert pitches(item) == [60, 72]
    assert len(set(item.piece.notes["track"].tolist())) == 2


def test_a_lied_for_the_piano_alone_has_no_melody(tmp_path):
    write_midi(tmp_path / "midi" / "lc1.mid", [("Piano", [(0, 4, 48)], 1)])
    with pytest.raises(FadernetsError, match=r"lc1\.mid: no track beside the piano's; its tracks: Piano"):
        melody_of("lieder", tmp_path)


def test_the_melody_of_nottingham_is_the_first_track(tmp_path):
    tracks = [("", [(0, 1, 72), (1, 2, 74)], 0), ("", [(0, 2, 48)], 0)]
    write_midi(tmp_path / "MIDI" / "melody" / "jigs1.mid", tracks, tpq=1024)
    assert pitches(melody_of("nottingham", tmp_path)) == [72, 74]


def test_the_melody_of_a_file_of_the_user_s_is_one_pitched_track(tmp_path):
    write_midi(tmp_path / "a.mid", [("kit", [(0, 1, 36)], 9), ("bass", [(0, 1, 40)], 0), ("Lead", [(0, 1, 80)], 1)])
    assert pitches(melody_of("folder", tmp_path)) == [80]
    write_midi(tmp_path / "a.mid", [("kit", [(0, 1, 36)], 9)])
    with pytest.raises(FadernetsError, match="only drums"):
        melody_of("folder", tmp_path)


# A folder, roots, splits


def test_a_folder_gives_every_midi_file_below_it_without_drums(tmp_path):
    write_midi(tmp_path / "b.MID", [("", [(0, 1, 60)], 0), ("kit", [(0, 1, 36)], 9)])
    write_midi(tmp_path / "deep" / "er" / "a.midi", [("", [(0, 1, 61)], 0)])
    (tmp_path / "notes.txt").write_text("no music")
    row = CORPORA["folder"]
    sources = row.sources(find_root("folder", tmp_path))
    assert [s.piece_id for s in sources] == ["b.MID", "deep/er/a.midi"]
    assert [pitches(row.read(source)) for source in sources] == [[60], [61]]


def test_a_root_is_the_corpus_or_the_folder_that_holds_it(tmp_path):
    own = tmp_path / "any name"
    write_midi(own / "midi" / "lc1.mid", [("Piano", [(0, 1, 60)], 0)])
    assert find_root("lieder", own) == find_root("lieder", tmp_path) == own


@pytest.mark.parametrize("name", [name for name in CORPORA if name != "folder"])
def test_a_missing_corpus_says_what_was_looked_for(tmp_path, name):
    (tmp_path / "something").mkdir()
    with pytest.raises(FadernetsError, match="looked for") as caught:
        find_root(name, tmp_path)
    assert CORPORA[name].marker in str(caught.value)


def test_other_wrong_roots(tmp_path):
    with pytest.raises(FadernetsError, match="no such folder"):
        find_root("lieder", tmp_path / "nowhere")
    with pytest.raises(FadernetsError, match="allowed: pop909, "):
        find_root("pop", tmp_path)


def test_the_table_s_keys_are_its_names_and_only_open_licences_may_be_shipped():
    assert [row.name for row in CORPORA.values()] == list(CORPORA)
    assert {row.name for row in CORPORA.values() if row.shippable} == {"pop909", "pop909_cl", "lieder"}


def test_splits_are_80_10_10_fixed_and_turn_with_the_seed():
    sources = [Source(f"p{i}", f"g{i}", Path()) for i in range(5000)]
    splits = np.array([split_of(source, 0) for source in sources])
    assert np.bincount(splits) / 5000 == pytest.approx([0.8, 0.1, 0.1], abs=0.02)
    assert [split_of(Source("x", f"g{i}", Path()), 0) for i in range(8)] == splits[:8].tolist()
    assert splits[:8].tolist() == [0, 2, 1, 2, 0, 0, 2, 0]  # the same on every machine
    assert (np.array([split_of(source, 1) for source in sources]) != splits).mean() > 0.2


# The archives themselves

ARCHIVES = Path(os.environ.get("FADERNETS_DATA", "data"))


def windows_of(name):
    row = CORPORA[name]
    found, skipped = {}, []
    for source in row.sources(find_root(name, ARCHIVES)):
        try:
            item = row.read(source)
        except FadernetsError:
            skipped.append(source.piece_id)
            continue
        found[source.piece_id] = (item, int(cut(item.piece).full.sum()))
    return found, skipped


def longest_metre(piece):
    """The beats a bar of the metre that holds longest without a change."""
    lengths = np.diff(np.append(piece.metre.ticks, piece.end))
    return int(piece.metre.numerators[lengths.argmax()])


@pytest.mark.shared
def test_archive_pop909():
    found, skipped = windows_of("pop909")
    assert (len(found), skipped) == (909, [])
    assert sum(windows for _, windows in found.values()) == pytest.approx(73_000, rel=0.03)
    usual = [longest_metre(item.piece) for item, _ in found.values()]
    assert usual.count(4) + usual.count(3) > 900
    assert usual.count(3) == pytest.approx(30, abs=8)


@pytest.mark.shared
def test_archive_lieder():
    found, skipped = windows_of("lieder")
    assert len(found) + len(skipped) == 1460
    assert len(skipped) == 30


@pytest.mark.shared
def test_archive_vgmidi_labels_are_as_long_as_the_pieces():
    found, skipped = windows_of("vgmidi")
    assert (len(found), len(skipped)) == (200, 4)
    labels = sum(len(item.labels.arousal) for item, _ in found.values())
    assert labels == pytest.approx(10_800, rel=0.03)
    lengths = [(len(item.labels.arousal), windows) for item, windows in found.values()]
    assert sum(abs(a - b) <= 1 for a, b in lengths) >= 195
    values = np.concatenate([item.labels.arousal for item, _ in found.values()])
    assert np.isfinite(values).all()
    assert np.abs(values).max() <= 1


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "pieces", "skipped"),
    [("pop909_cl", 908, 1), ("nottingham", 1034, 0), ("maestro", 530, 0), ("tavern_k265", 1, 0)],
)
def test_other_archives(name, pieces, skipped):
    found, missed = windows_of(name)
    assert (len(found), len(missed)) == (pieces, skipped)
    if name == "maestro":
        counts = np.bincount([split_of(item.source, 0) for item, _ in found.values()])
        assert counts.tolist() == [400, 60, 70]
