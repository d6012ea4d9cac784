"""Two melodies and the grid between them: the arcs, the corners, the cells, the files."""

import numpy as np
import pytest
from conftest import make_clip
from matplotlib.image import imread
from midi_files import PIECES, TPQ, metre, notes, paired, save, tempo, track
from toy_melody_engine import ToyMelodyEngine, clip

from fadernets.codecs import melody_states
from fadernets.codecs.melody_states import REST
from fadernets.errors import FadernetsError
from fadernets.melodies import blend, blend_files
from fadernets.melodies.blend import slerp
from fadernets.melodies.knob_settings import CONTROLS
from fadernets.music.document import Document


@pytest.fixture
def engine():
    return ToyMelodyEngine()


@pytest.fixture
def pair(tmp_path):
    """Two bars at 60 bpm, loud, not quite on the grid; four bars at 120 bpm, soft, 96 ticks a quarter note."""
    up = [(i + 0.02 * (i % 2), 0.9, 60 + 2 * i, 100 + i) for i in range(8)]
    down = [(i / 2, 0.5, 84 - i % 8, 40) for i in range(32)]
    return (
        save(tmp_path / "a.mid", track(up, tempo(60), metre(4), name="A")),
        save(tmp_path / "b.mid", track(down, tempo(120), metre(4), name="B", tpq=96), tpq=96),
    )


# Corners whose notes ring on


def test_no_corner_s_note_sounds_over_the_next_of_its_key(tmp_path, engine):
    """A's last note rings on into a bar that is left out; A is repeated, and in all.mid the next cell follows."""
    line = [(i, 1, 60 + i, 80) for i in range(7)] + [(7, 3, 60, 80)]
    a = save(tmp_path / "a.mid", track(line, metre(4), metre(2, tick=8 * TPQ)))
    b = save(tmp_path / "b.mid", track([(i, 1, 60 + i % 3, 70) for i in range(16)], metre(4)))
    made = blend_files.blend(engine, (a, b), (2, 2))
    blend_files.write(made, tmp_path / "out")
    first = [row[:3] for row in notes(tmp_path / "out" / "cell-1-1.mid")]
    assert [row for row in first if row[2] == 60] == [
        (0, 480, 60), (3360, 3840, 60), (3840, 4320, 60), (7200, 7680, 60)
    ]  # fmt: skip
    assert all(end <= (at // 7680 + 1) * 7680 for at, end, *_ in notes(tmp_path / "out" / "all.mid"))
    assert all(paired(path) for path in (tmp_path / "out").glob("*.mid"))


def test_a_long_melody_is_decoded_in_parts(tmp_path, engine, monkeypatch):
    rng = np.random.default_rng(0)
    a, b = (np.stack([make_clip(rng) for _ in range(5)]) for _ in range(2))
    whole = [blend.interpolate(engine, a, b, 2, 3, control) for control in CONTROLS]
    for block, most in ((13, 12), (1, 6)):
        monkeypatch.setattr(blend, "BLOCK", block)
        engine.decoded.clear()
        assert np.array_equal([blend.interpolate(engine, a, b, 2, 3, control) for control in CONTROLS], whole)
        assert max(len(z) for z in engine.decoded) == most


# The arc


def test_an_arc_by_hand():
    """Between two of unequal length a quarter turn apart: sines of the parts of the angle over that of the whole."""
    a, b, half = np.array([2.0, 0.0]), np.array([0.0, 1.0]), np.sqrt(0.5)
    np.testing.assert_allclose(slerp(a, b, 0.5), [2 * half, half])
    np.testing.assert_allclose(slerp(a, b, 1 / 3), [2 * np.sin(np.pi / 3), np.sin(np.pi / 6)])
    sixty = np.array([np.cos(np.pi / 3), np.sin(np.pi / 3)])  # the true angle, whatever their lengths
    np.testing.assert_allclose(slerp(np.array([5.0, 0.0]), 5 * sixty, 0.5), 5 * np.array([np.cos(np.pi / 6), 0.5]))
    np.testing.assert_allclose(slerp(np.array([1.0, 0.0]), np.array([-1.0, 1e-3]), 0.5)[1], 1, atol=1e-2)


@pytest.mark.parametrize("b", [[3.0, 6.0], [-2.0, -4.0], [0.0, 0.0]], ids=["one way", "opposite", "nothing"])
def test_along_the_line_where_there_is_no_arc(b):
    a, b = np.array([1.0, 2.0]), np.array(b)
    for t in (0, 0.25, 1):
        np.testing.assert_allclose(slerp(a, b, t), (1 - t) * a + t * b, atol=1e-12)
        np.testing.assert_allclose(slerp(b, a, t), (1 - t) * b + t * a, atol=1e-12)


def test_arcs_of_many_codes_end_where_they_should():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 3))
    a[2], b[3] = 0, a[3]
    np.testing.assert_allclose(slerp(a, b, 0), a, atol=1e-12)
    np.testing.assert_allclose(slerp(a, b, 1), b, atol=1e-12)
    each = [slerp(x, y, 0.3) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(slerp(a, b, 0.3), each)
    assert slerp(a[:, :0], b[:, :0], 0.3).shape == (6, 0)


# The codes of a grid


def test_each_group_goes_its_own_way():
    """Pitch by row, rhythm by column, the rest by the Manhattan distance; codes of A and B at right angles."""
    a = np.tile([1.0, 0, 1, 0, 1, 0], (2, 1)).astype(np.float32)
    b = np.tile([0.0, 1, 0, 1, 0, 1], (2, 1)).astype(np.float32)
    of = {"pitch": np.array([0, 1]), "rhythm": np.array([2, 3])}
    found = blend.between(a, b, of, 3, 5)
    assert (found.shape, found.dtype) == ((3, 5, 2, 6), np.float32)
    for i in range(3):
        for j in range(5):
            angles = np.pi / 2 * np.array([i / 2, j / 4, (i + j) / 6])
            expected = np.stack([np.cos(angles), np.sin(angles)], -1).ravel()
            np.testing.assert_allclose(found[i, j], np.tile(expected, (2, 1)), atol=1e-6)


def test_the_groups_of_a_model(engine):
    assert {name: found.tolist() for name, found in blend.groups(engine, "knob").items()} == {
        "pitch": [0, 4], "rhythm": [1]
    }  # fmt: skip
    engine.info["knobs"]["rhythm"]["dimensions"] = [4, 1, 6]
    assert blend.groups(engine, "paper")["rhythm"].tolist() == [1, 6]  # each dimension once
    trained = ToyMelodyEngine(groups={"pitch": [0, 4], "rhythm": [4, 8]})
    assert blend.groups(trained, "knob")["rhythm"].tolist() == [4, 5, 6, 7]
    assert blend.groups(trained, "paper")["pitch"].tolist() == [0, 4]


def test_the_paper_s_cells_are_plain_decodes(engine):
    rng = np.random.default_rng(1)
    a, b = (np.stack([make_clip(rng) for _ in range(3)]) for _ in range(2))
    found = blend.interpolate(engine, a, b, 3, 4, "paper")
    codes = blend.between(engine.encode(a), engine.encode(b), blend.groups(engine, "paper"), 3, 4)
    expected = melody_states.tidy(engine.decode(codes.reshape(-1, 8)).states.reshape(3, 4, 3, 32), held=True)
    assert np.array_equal(found, expected)
    assert not np.array_equal(found[0, 0], a)  # the model does not rebuild A and B: its corners are its own
    assert not np.array_equal(found[-1, -1], b)
    assert not np.array_equal(found, blend.interpolate(engine, a, b, 3, 4))


def test_what_a_cell_is_pulled_to():
    """By row the pitches of A and B, an octave away before a semitone; by column onsets, holds and rests."""
    a, b = clip("60 - - - . . . .")[None], clip("67 67 . . 67 - - -")[None]
    pull = blend._pull(a, b, 3, 3)[:, :, 0]  # [R, K, 32, 130]
    for row, own, steps in ((0, 60, (0, 1, 3)), (2, 67, (0, 1, 4, 7))):
        order = pull[row, :, steps][..., [own, own + 12, own + 1, own + 2]]
        assert (np.diff(order) < 0).all()
    np.testing.assert_allclose(pull[:, 0, 1, melody_states.HOLD], 6)  # A's
    np.testing.assert_allclose(pull[:, 1, 1, melody_states.HOLD], 3)
    np.testing.assert_allclose(pull[:, 2, 1, melody_states.HOLD], 0)
    np.testing.assert_allclose(pull[:, 0, 4, REST], 6)
    np.testing.assert_allclose(pull[:, 2, 2, REST], 6)  # B's
    for row in range(3):  # which pitch, not whether one begins: the best has what the rhythm says
        np.testing.assert_allclose(pull[row, :, :, : melody_states.ONSETS].max(-1)[:, [0, 1, 4]],
                                   [[6, 0, 0], [6, 3, 3], [6, 6, 6]], atol=1e-5)  # fmt: skip


def test_rows_go_by_pitch_and_columns_by_rhythm(engine):
    """From four low notes to sixteen high ones."""
    a, b = clip("60 - - - - - - - " * 4)[None], clip("72 - " * 16)[None]
    for control in CONTROLS:
        found = blend.interpolate(engine, a, b, 5, 5, control)[:, :, 0]
        pitch, count = melody_states.mean_pitch(found), melody_states.onsets(found)
        assert (np.diff(pitch, axis=0) >= 0).all()
        assert (pitch[4] - pitch[0] > 9).all()
        assert (np.diff(count, axis=1) >= 0).all()
        assert (count[:, 4] - count[:, 0] >= 10).all()
        if control == "knob":
            assert np.array_equal(found[0, 0], a[0])
            assert np.array_equal(found[-1, -1], b[0])


def test_how_far_corners_are():
    a, b = clip("60 - - - 64 - - -")[None], clip("67 - 67 -")[None]
    cells = np.zeros((2, 2, 1, 32), np.uint8)
    cells[0, 0], cells[1, 1] = clip("60 - - - 62 - - -"), b
    assert blend.corner_distances(cells, a, b) == {
        "a": {"steps": 4 / 32, "onsets": 0, "pitch": -1},
        "b": {"steps": 0, "onsets": 0, "pitch": 0},
    }
    cells[0, 0] = clip("60 - 60 - 64 - - -")
    cells[1, 1] = REST
    found = blend.corner_distances(cells, a, b)
    assert found["a"] == {"steps": 1 / 32, "onsets": 1, "pitch": pytest.approx(184 / 3 - 62)}
    assert found["b"] == {"steps": 4 / 32, "onsets": -2, "pitch": 0}


def test_the_paper_s_corners_are_decoded_and_said_to_be(tmp_path, engine, pair):
    """What is written of them is what the model says, and the report tells how far that is from A and B."""
    made = blend_files.blend(engine, pair, (2, 3), control="paper")
    report = blend_files.write(made, tmp_path / "out")
    for side, (row, column), name in (("a", (0, 0), "cell-1-1.mid"), ("b", (1, 2), "cell-2-3.mid")):
        states = made.cells[row, column].reshape(-1)
        decoded = [(120 * on, pitch) for on, _, pitch in melody_states.decode(melody_states.tidy(states)).tolist()]
        assert [(n[0], n[2]) for n in notes(tmp_path / "out" / name)] == decoded
        own = getattr(made, side).clips
        assert report["corners"][side]["steps"] == pytest.approx(
            blend.different_steps(made.cells[row, column], own).mean()
        )
        assert report["corners"][side]["steps"] > 0
    said = blend_files.table(report, tmp_path).splitlines()[-2:]
    assert said[0].startswith(f"corner A as decoded: {100 * report['corners']['a']['steps']:.1f} % of the steps differ")
    knob = blend_files.write(blend_files.blend(engine, pair, (2, 3)), tmp_path / "knob")
    assert {far["steps"] for far in knob["corners"].values()} == {0}
    assert "decoded" not in blend_files.table(knob, tmp_path)


# From files to files


def test_corners_are_the_melodies_themselves(tmp_path, engine, pair):
    made = blend_files.blend(engine, pair, (2, 3))
    assert made.warnings == ["a.mid: 2 bars, repeated from the start to 4"]
    report = blend_files.write(made, tmp_path / "out")
    own = notes(pair[0])
    again = [(a + 8 * TPQ, b + 8 * TPQ, *rest) for a, b, *rest in own]
    assert [row[:4] for row in notes(tmp_path / "out" / "cell-1-1.mid")] == [row[:4] for row in [*own, *again]]
    b = [(5 * onset, 5 * end, pitch, velocity) for onset, end, pitch, velocity, *_ in notes(pair[1])]
    assert [row[:4] for row in notes(tmp_path / "out" / "cell-2-3.mid")] == b
    assert report["pitch"][0][0] == 67.0
    assert report["onsets"][0][0] == 16
    assert report["onsets"][1][2] == 32


def test_cells_go_from_a_s_tempo_and_loudness_to_b_s(tmp_path, engine, pair):
    blend_files.write(blend_files.blend(engine, pair, (3, 3)), tmp_path / "out")
    for i in range(3):
        for j in range(3):
            piece = Document(tmp_path / "out" / f"cell-{i + 1}-{j + 1}.mid").piece
            share = (i + j) / 4
            assert piece.tempo.micros.tolist() == [round(1e6 * (1 - share) + 5e5 * share)]
            assert (piece.metre.numerators.tolist(), piece.metre.denominators.tolist()) == ([4], [4])
            loud = piece.notes["velocity"].astype(float)
            assert loud.min() >= 100 * (1 - share) + 40 * share - 1
            assert loud.max() <= 107 * (1 - share) + 40 * share + 1
    middle = notes(tmp_path / "out" / "cell-2-2.mid")
    assert all(onset % 120 == 0 and (end + 1) % 120 == 0 for onset, end, *_ in middle)
    assert {round(100 * 0.5 + 40 * 0.5), round(107 * 0.5 + 40 * 0.5)} & {row[3] for row in middle}


def test_corners_keep_their_own_tempo_changes(tmp_path, engine):
    line = [(i, 1, 60 + i % 5, 80) for i in range(16)]
    a = save(tmp_path / "a.mid", track(line, metre(4), tempo(60), tempo(120, 4 * TPQ)))
    b = save(tmp_path / "b.mid", track(line, metre(4), tempo(120), tempo(60, 12 * TPQ)))
    blend_files.write(blend_files.blend(engine, (a, b), (2, 2)), tmp_path / "out")

    def of(name):
        found = Document(tmp_path / "out" / name).piece.tempo
        return list(zip(found.ticks.tolist(), found.micros.tolist(), strict=True))

    assert of("cell-1-1.mid") == [(0, 1_000_000), (4 * TPQ, 500_000)]
    assert of("cell-1-2.mid") == of("cell-2-1.mid") == [(0, 750_000), (4 * TPQ, 500_000), (12 * TPQ, 750_000)]
    assert of("cell-2-2.mid") == [(0, 500_000), (12 * TPQ, 1_000_000)]


def test_a_grid_of_two_rows_and_three_columns(tmp_path, engine, pair):
    made = blend_files.blend(engine, pair, (2, 3), control="paper")
    assert made.cells.shape == (2, 3, 2, 32)
    report = blend_files.write(made, tmp_path / "new" / "out")
    cells = [f"cell-{i}-{j}.mid" for i in (1, 2) for j in (1, 2, 3)]
    assert report["files"] == [*cells, "all.mid", "grid.png"]
    assert {p.name for p in (tmp_path / "new" / "out").iterdir()} == set(report["files"])
    assert (report["rows"], report["columns"], report["clips"]) == (2, 3, 2)
    assert all(paired(path) for path in (tmp_path / "new" / "out").glob("*.mid"))
    every = notes(tmp_path / "new" / "out" / "all.mid")
    one_by_one = [
        (row[0] + 7680 * k, row[1] + 7680 * k, row[2], row[3])
        for k, name in enumerate(cells)
        for row in notes(tmp_path / "new" / "out" / name)
    ]
    assert [row[:4] for row in every] == sorted(one_by_one)
    tempos = Document(tmp_path / "new" / "out" / "all.mid").piece.tempo
    assert tempos.ticks.tolist() == [7680 * k for k in range(6)]
    assert tempos.micros.tolist() == [1_000_000, 833333, 666667, 833333, 666667, 500_000]
    picture = imread(tmp_path / "new" / "out" / "grid.png")
    assert picture.shape[:2] == (2 * 150 + 10, 3 * 250 + 10)
    assert picture[..., :3].min() < 0.5
    lines = blend_files.table(report, tmp_path / "out").splitlines()
    assert lines[0] == f"2 x 3 cells of 4 bars in {tmp_path / 'out'}"
    assert [len(line.split()) for line in lines[2:4]] == [3, 3]
    assert lines[2].split()[0] == f"{report['pitch'][0][0]:g}"
    assert lines[6].split()[2] == f"{report['onsets'][1][2]:g}"


def test_the_shorter_melody_is_repeated_whichever_it_is(tmp_path, engine):
    short = save(tmp_path / "short.mid", track([(i, 1, 60, 80) for i in range(8)], metre(4)))
    long = save(tmp_path / "long.mid", track([(i, 1, 64 + i % 2, 80) for i in range(20)], metre(4)))
    for pair in ((short, long), (long, short)):
        made = blend_files.blend(engine, pair, (2, 2))
        assert made.warnings == ["short.mid: 2 bars, repeated from the start to 6"]
        side = made.a if pair[0] == short else made.b
        assert np.array_equal(side.clips, np.tile(side.clips[:1], (3, 1)))
        assert len(side.velocity) == 96


def test_what_is_reported_is_what_is_written(tmp_path, engine, pair):
    """Also where a cell has no note."""
    made = blend_files.blend(engine, pair, (3, 2))
    made.cells[1, 0] = REST
    report = blend_files.write(made, tmp_path / "out")
    for i in range(3):
        for j in range(2):
            its = notes(tmp_path / "out" / f"cell-{i + 1}-{j + 1}.mid")
            assert report["onsets"][i][j] == len(its)
            mean = np.mean([row[2] for row in its]) if its else None
            assert report["pitch"][i][j] == (None if mean is None else pytest.approx(mean, abs=1e-5))
    assert (report["pitch"][1][0], report["onsets"][1][0]) == (None, 0)


def test_cells_of_an_earlier_grid_go_and_nothing_else(tmp_path, engine, pair):
    out = tmp_path / "out"
    (out / "cell-9-8.mid").mkdir(parents=True)
    for name in ("cell-3-3.mid", "cell-phone-ring.mid", "cell-1-1-mine.mid", "notes.txt"):
        (out / name).write_text("mine")
    report = blend_files.write(blend_files.blend(engine, pair, (2, 2)), out)
    kept = {"cell-9-8.mid", "cell-phone-ring.mid", "cell-1-1-mine.mid", "notes.txt"}
    assert {p.name for p in out.iterdir()} == kept | set(report["files"])


def test_behind_the_end_it_is_as_loud_as_at_the_end(tmp_path, engine):
    """A's last clip has one bar; what the other melody goes on with there is as loud as A's last note."""
    a = save(tmp_path / "a.mid", track([(i, 1, 60, 20 if i < 10 else 100) for i in range(12)], metre(4)))
    b = save(tmp_path / "b.mid", track([(i, 1, 64, 60) for i in range(16)], metre(4)))
    side = blend_files.blend(engine, (a, b), (2, 2)).a
    assert side.velocity[32 + 8 :].tolist() == [100.0] * 24
    near = [20.0] * 7 + [100.0] * 25  # 36 and 40 of the second clip's steps: half way is the earlier's
    assert side.velocity[32:].tolist() == near


def test_empty_bars_around_a_melody_are_left_out(tmp_path, engine):
    late = save(
        tmp_path / "late.mid", track([(16 + i, 1, 60 + i, 80) for i in range(8)] + [(48, 0.1, 20, 9)], metre(4))
    )
    other = save(tmp_path / "other.mid", track([(i, 1, 70, 80) for i in range(8)], metre(4)))
    made = blend_files.blend(engine, (late, other), (2, 2))
    assert made.cells.shape == (2, 2, 1, 32)
    assert "late.mid: empty bars before and behind the melody are left out" in made.warnings
    assert [row[:3] for row in blend_files.notes_of(made, 0, 0).tolist()] == [
        (480 * i, 480 * (i + 1), 60 + i) for i in range(8)
    ]


def test_what_cannot_be_blended(tmp_path, engine, pair):
    silent = save(tmp_path / "half.mid", track([(0, 1, 60, 80)], metre(2)))
    drums = save(tmp_path / "drums.mid", track([(0, 1, 38, 80)], channel=9))
    waltz = PIECES["waltz"](tmp_path / "waltz.mid")
    for other, message in (
        (silent, "half.mid: no two bars of its melody lie whole on the grid"),
        (drums, "drums.mid: the file has only drums"),
        (waltz, "waltz.mid: the metre is 3/4 from bar 1 on"),
    ):
        for both in ((other, pair[1]), (pair[0], other)):
            with pytest.raises(FadernetsError, match=f"^{message}"):
                blend_files.blend(engine, both, (2, 2))
    with pytest.raises(FadernetsError, match=r"^b.mid: --track-b 7: no such pitched track"):
        blend_files.blend(engine, pair, (2, 2), tracks=(None, "7"))
    for size in ((1, 1), (1, 5), (5, 1), (0, 5), (17, 2), (99, 99)):
        with pytest.raises(FadernetsError, match=f"--cells {size[0]}x{size[1]}: needs 2..16 rows and columns"):
            blend_files.blend(engine, pair, size)
    with pytest.raises(FadernetsError, match="control 'own'; allowed: knob, paper"):
        blend_files.blend(engine, pair, (2, 2), control="own")
    made = blend_files.blend(engine, (waltz, pair[1]), (2, 2), regrid=True)
    assert made.cells.shape[2] == 3


def test_a_folder_that_cannot_be_made(tmp_path, engine, pair):
    made = blend_files.blend(engine, pair, (2, 2))
    (tmp_path / "file").write_text("")
    with pytest.raises(FadernetsError, match="file/out: cannot be written"):
        blend_files.write(made, tmp_path / "file" / "out")


@pytest.mark.parametrize("name", ["$a_b^$.mid", "$\\frac$.mid", "a\u4e00.mid", "x" * 60 + ".mid"])
def test_a_title_is_the_file_s_name_whatever_it_is(tmp_path, engine, pair, name):
    source = pair[0].rename(tmp_path / name)
    report = blend_files.write(blend_files.blend(engine, (source, pair[1]), (2, 2)), tmp_path / "out")
    assert report["files"][-1] == "grid.png"
