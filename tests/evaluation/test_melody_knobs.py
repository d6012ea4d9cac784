"""Held-out figures of a melody model, on one written by hand whose knobs are known."""

import json
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from conftest import random_clips, write_melodies
from scipy.stats import spearmanr
from toy_melody_engine import ToyMelodyEngine, clip

from fadernets.codecs import melody_clips, melody_states
from fadernets.codecs.melody_states import ONSETS, REST
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError
from fadernets.evaluation import melody_dimension_draws, melody_knobs, melody_paper_figures
from fadernets.evaluation.melody_knobs import Estimate, contour, onset_f1, step_accuracy
from fadernets.melodies import blend, directions, knob_settings, knobs
from fadernets.music.document import Document


def test_the_knobs_are_measured_where_melody_says():
    ranges = {"pitch": melody_knobs.PITCHES, "rhythm": melody_knobs.RHYTHMS}
    assert {name: (min(values), max(values)) for name, values in ranges.items()} == knob_settings.MEASURED


@pytest.fixture
def engine():
    return ToyMelodyEngine()


@pytest.fixture
def clips():
    return random_clips(12, seed=8)


# What counts against a knob


def test_a_knob_that_moves_nothing_scores_nothing(clips, monkeypatch):
    """A clip of which nothing changes has no rank correlation, and is not left out for that."""
    half = len(clips) // 2

    def turn(engine, given, asked, classes):
        moved = (
            melody_states.transpose(given, int(asked.pitch))
            if asked.pitch
            else melody_states.split(given, round(2**asked.rhythm))
        )
        return np.concatenate([given[:half], moved[half:]])

    monkeypatch.setattr(knobs, "turn", turn)
    found = melody_knobs.pitch_knob(None, clips, "knob")
    assert found["spearman"].mean == 0.5
    assert melody_knobs.rhythm_knob(None, clips, "knob")["spearman"].mean < 0.5


def test_too_few_clips_are_refused(tmp_path):
    data = write_melodies(tmp_path / "melodies", clips=1)
    with pytest.raises(FadernetsError, match=r"melodies: 1 clips of two notes or more in its test split; at least 2"):
        melody_knobs.clips_of(data, 10, 0)


# Clips beside clips


def test_figures_of_steps_by_hand():
    source = clip("60 - - - 62 - . . 64 -")[None]
    assert step_accuracy(source, source).tolist() == onset_f1(source, source).tolist() == [1]
    found = clip("60 - - - 62 - - - 64 64")[None]  # two steps sound that were rests, one begins anew
    assert step_accuracy(found, source).tolist() == [29 / 32]
    assert onset_f1(found, source).tolist() == [2 * 3 / 7]
    assert step_accuracy(melody_states.transpose(source, 12), source).tolist() == [24 / 32]
    silent = clip("")[None]
    assert onset_f1(silent, silent).tolist() == [1]
    assert onset_f1(silent, source).tolist() == [0]


def test_the_contour_is_a_correlation_of_what_sounds_together():
    rng = np.random.default_rng(0)
    a, b = (rng.integers(50, 80, (20, 32)).astype(np.uint8) for _ in range(2))
    a[:, 5:9], b[:, 8:12] = REST, REST
    both = np.r_[0:5, 12:32]
    expected = [np.corrcoef(x[both], y[both])[0, 1] for x, y in zip(a.astype(float), b.astype(float), strict=True)]
    np.testing.assert_allclose(contour(a, b), expected)
    np.testing.assert_allclose(contour(melody_states.transpose(a, 7), a), 1)
    flat = clip("60 60 60 60")[None]
    assert np.isnan(contour(flat, a[:1]))[0]
    assert np.isnan(contour(clip("")[None], a[:1]))[0]


def test_a_mean_and_its_interval():
    rng = np.random.default_rng(0)
    values = rng.normal(3, 2, 400)
    found = Estimate.of(np.append(values, np.nan))
    assert found.mean == pytest.approx(values.mean())
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.05)
    assert found.high == pytest.approx(values.mean() + half, abs=0.05)
    assert found == Estimate.of(values)
    assert str(Estimate(0.5, 0.25, 0.75)) == "0.500 (0.250..0.750)"
    assert np.isnan(Estimate.of(np.array([np.nan])).mean)


# The study


def test_clips_are_of_the_test_split_and_seeded(melodies, songs):
    found = melody_knobs.clips_of(melodies, 100, 0)
    rows = melodies.select(split="test")
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, np.asarray(melodies.codes)[rows].tolist()))
    assert np.array_equal(found, melody_knobs.clips_of(melodies, 100, 0))
    assert not np.array_equal(found, melody_knobs.clips_of(melodies, 100, 1))
    assert np.array_equal(melody_knobs.clips_of(melodies, 5, 0), found[:5])
    with pytest.raises(FadernetsError, match=r"holds grid; a melody model reads melodies"):
        melody_knobs.clips_of(songs, 5, 0)


def test_the_pitch_knob_s_figures(engine, clips):
    found = melody_knobs.pitch_knob(engine, clips, "knob")
    assert found["spearman"].mean > 0.97
    assert found["error"].mean < 0.3  # of what is asked, in key
    assert found["onset_f1"] == Estimate(1, 1, 1)
    classes = np.stack([knobs.key_pitch_classes(one) for one in clips])
    each = [contour(knobs.turn(engine, clips, knob_settings.Knobs(pitch=p), classes), clips) for p in range(-12, 13)]
    assert found["contour"].mean == pytest.approx(np.nan_to_num(each).mean())
    paper = melody_knobs.pitch_knob(engine, clips, "paper")
    assert paper["onset_f1"].mean < 0.95
    assert paper["contour"].mean < 0.1  # one pitch, over and over


def test_the_rhythm_knob_s_figures(engine, clips):
    found = melody_knobs.rhythm_knob(engine, clips, "knob")
    assert found["spearman"].mean == pytest.approx(1)
    assert found["error"].mean == pytest.approx(0)
    assert found["pitch_moved"].mean < 1.5
    assert 0.5 < found["contour"].mean < 1


def test_what_a_model_rebuilds(engine, clips, monkeypatch):
    states = clips.copy()
    states[:3, 31] = (states[:3, 31] + 1) % 128  # another kind or another pitch in three of twelve
    monkeypatch.setattr(engine, "decode", lambda z: type("Decoded", (), {"states": states}))
    found = melody_knobs.reconstruction(engine, clips)
    assert found["clips"].mean == pytest.approx(9 / 12)
    assert found["steps"].mean == pytest.approx(1 - 3 / 12 / 32)


FREE = [2, 3, 5, 6, 7]  # the dimensions of no knob


class MeaningfulRest(ToyMelodyEngine):
    """The same, in which each dimension of no knob moves pitch and rhythm too."""

    SEMITONES = (1.0, -1.5, 2.0, 1.0, -1.5)  # for one of the clips' deviations of each
    DOUBLINGS = (0.5, 0.5, -0.5, 0.5, -0.5)

    def logits(self, z):
        moved, deviations = np.array(z, np.float64), z[:, FREE] / np.array(self.info["spread"])[FREE]
        moved[:, 0] += deviations @ np.array(self.SEMITONES) / 6
        moved[:, 1] += deviations @ np.array(self.DOUBLINGS)
        return super().logits(moved)


def assert_random_ones_move(figures):
    """Every figure of random dimensions is of a change: where nothing changes, nothing is compared."""
    of_random = {
        f"{knob}/{what}": found["random"][what].mean
        for knob, found in figures.items()
        for what in ("pitch", "doublings", "steps")
    }
    assert len(of_random) == 9
    assert min(of_random.values()) > 0.01, of_random


def test_what_random_dimensions_change_is_measured(clips):
    """The same figures clip by clip, with a model in which the dimensions that belong to no knob say something."""
    engine = MeaningfulRest()
    found = melody_dimension_draws.compare(engine, clips, draws=1)
    codes = engine.encode(clips)
    assert_random_ones_move(found)
    changes = {"pitch": [6 / 6, 6 * 0.25], "rhythm": [1.0]}
    own = {"pitch": [0, 4], "rhythm": [1]}
    moves = {(knob, "own"): (own[knob], changes[knob]) for knob in own}
    for knob, amount in (("pitch", 6), ("rhythm", 1)):
        direction = directions.random_dimensions(engine, knob, 0)
        drawn = np.flatnonzero(direction)
        assert sorted(amount * direction[drawn]) == sorted(changes[knob])  # as much, each in another dimension
        moves[knob, "random"] = (drawn, amount * direction[drawn])
    moves["rest", "own"] = (FREE, [0.5] * 5)  # a standard deviation of each
    moves["rest", "random"] = (FREE, directions.random_direction(engine, "paper", 0)[FREE])
    for (knob, name), (dimensions, change) in moves.items():
        assert len(dimensions) == len(change)
        if name == "random":
            assert set(dimensions) <= set(FREE)
        pitch, doublings, steps = [], [], []
        for code in codes:
            z = np.stack([code, code])
            z[1, dimensions] += np.array(change, np.float32)
            before, after = (melody_states.tidy(one, held=True) for one in engine.decode(z).states)
            pitch.append(abs(after[after < ONSETS].mean() - before[before < ONSETS].mean()))
            doublings.append(abs(np.log2((after < ONSETS).sum() / (before < ONSETS).sum())))
            steps.append(1 - step_accuracy(after[None], before[None])[0])
        for what, expected in (("pitch", pitch), ("doublings", doublings), ("steps", steps)):
            assert found[knob][name][what].mean == pytest.approx(np.mean(expected), abs=1e-6), f"{knob}/{name}/{what}"
    assert found["rest"]["own"]["pitch"].mean == pytest.approx(1, abs=0.3)


def test_the_shipped_model_s_knobs_change_more_than_random_dimensions():
    """Figures 6b and 7b with the bundled model, on clips of the bundled Mozart."""
    engine = MelodyEngine.open().load()
    some = []
    for name in ("k265.mid", "k545.mid"):
        piece = Document(melody_paper_figures.asset(name)).piece
        some.append(melody_clips.read(piece, melody_clips.choose_track(piece)).clips)
    clips = np.concatenate(some)
    found = melody_dimension_draws.compare(engine, clips[melody_states.onsets(clips) > 1], draws=5)
    for knob, what in (("pitch", "pitch"), ("rhythm", "doublings")):
        assert found[knob]["own"][what].low > found[knob]["random"][what].high  # more than by the best of the draws


@pytest.mark.parametrize("control", knob_settings.CONTROLS)
def test_a_knob_s_figures_by_hand(engine, clips, control):
    """Clip by clip and amount by amount, against what the two functions do with all at once."""
    pitch, rhythm = ({name: [] for name in ("moved", "asked", "error", "other", "contour")} for _ in range(2))
    for one in clips:
        key = knobs.key_pitch_classes(one)
        own, count = one[one < ONSETS].mean(), (one < ONSETS).sum()

        def answers(key=key, one=one, **amounts):
            return knobs.turn(engine, one[None], knob_settings.Knobs(control=control, **amounts), key)[0]

        found = [answers(pitch=float(p)) for p in range(-12, 13)]
        moved = [f[f < ONSETS].mean() - own for f in found]
        pitch["moved"].append(spearmanr(range(-12, 13), moved).statistic)
        pitch["error"].append(np.mean([abs(m - p) for m, p in zip(moved, range(-12, 13), strict=True)]))
        pitch["other"].append(np.mean([onset_f1(f[None], one[None]) for f in found]))
        pitch["contour"].append(np.mean(np.nan_to_num([contour(f[None], one[None]) for f in found])))
        found = [answers(rhythm=r) for r in (-1, -0.5, 0, 0.5, 1, 1.5, 2)]
        asked = [min(max(round(count * 2**r), 1), 32) for r in (-1, -0.5, 0, 0.5, 1, 1.5, 2)]
        got = [(f < ONSETS).sum() for f in found]
        rhythm["moved"].append(spearmanr(asked, got).statistic)
        rhythm["error"].append(np.mean([abs(np.log2(g / a)) for g, a in zip(got, asked, strict=True)]))
        rhythm["other"].append(np.mean([abs(f[f < ONSETS].mean() - own) for f in found]))
        rhythm["contour"].append(np.mean(np.nan_to_num([contour(f[None], one[None]) for f in found])))
    for found, expected, other in (
        (melody_knobs.pitch_knob(engine, clips, control), pitch, "onset_f1"),
        (melody_knobs.rhythm_knob(engine, clips, control), rhythm, "pitch_moved"),
    ):
        names = {"moved": "spearman", "error": "error", "other": other, "contour": "contour"}
        for name, figure in names.items():
            assert found[figure].mean == pytest.approx(np.mean(expected[name]), abs=1e-9)


@pytest.mark.parametrize("control", knob_settings.CONTROLS)
def test_the_grid_s_figures_by_hand(engine, clips, control):
    found = melody_knobs.blends(engine, clips, control, 3)
    a, b = clips[:6], clips[6:]
    cells = blend.interpolate(engine, a, b, 3, 3, control)

    def classes(states):
        heard = melody_states.sounding(states)
        return np.bincount(heard[heard >= 0] % 12, minlength=12).astype(float)

    def like(x, y):
        return x @ y / (np.linalg.norm(x) * np.linalg.norm(y))

    def rising(values):
        return [0.0] if len(set(values)) == 1 else [spearmanr(range(3), values).statistic]  # staying is not rising

    rows = np.array([[[like(classes(cells[r, k, n]), classes(b[n])) for n in range(6)] for k in range(3)]
                     for r in range(3)])  # fmt: skip
    begins = cells < ONSETS
    columns = np.array([[[like(begins[r, k, n] * 1.0, (b[n] < ONSETS) * 1.0) for n in range(6)] for k in range(3)]
                        for r in range(3)])  # fmt: skip
    down = [s for n in range(6) for k in range(3) for s in rising(rows[:, k, n].tolist())]
    right = [s for n in range(6) for r in range(3) for s in rising(columns[r, :, n].tolist())]
    assert found["rows"].mean == pytest.approx(np.mean(down))
    assert found["columns"].mean == pytest.approx(np.mean(right))

    def steady(lines):
        return np.mean([all(y >= x - 1e-9 for x, y in pairwise(line)) for line in lines])

    assert found["rows_monotone"] == pytest.approx(steady(rows.transpose(1, 2, 0).reshape(-1, 3)), abs=1e-4)
    assert found["columns_monotone"] == pytest.approx(steady(columns.transpose(0, 2, 1).reshape(-1, 3)), abs=1e-4)
    np.testing.assert_allclose(found["rows_mean"], [rows[r].mean() for r in range(3)], atol=1e-4)
    np.testing.assert_allclose(found["columns_mean"], [columns[:, k].mean() for k in range(3)], atol=1e-4)
    apart = {}
    for (r, k), (s, m) in combinations(product(range(3), repeat=2), 2):
        far = [1 - step_accuracy(cells[r, k, n][None], cells[s, m, n][None])[0] for n in range(6)]
        apart.setdefault(abs(r - s) + abs(k - m), []).append(np.mean(far))
    assert found["apart"] == {str(d): pytest.approx(np.mean(far), abs=1e-4) for d, far in apart.items()}
    assert found["corners"] is (control == "knob")
    far = {"a": cells[0, 0] != a, "b": cells[-1, -1] != b}
    for side, of in (("a", a), ("b", b)):
        corner = cells[0, 0] if side == "a" else cells[-1, -1]
        expected = np.mean([1 - step_accuracy(x[None], y[None])[0] for x, y in zip(corner, of, strict=True)])
        assert found["corner_distances"][side]["steps"] == pytest.approx(expected)
        assert (expected == 0) == (not far[side].any())


def test_corners_that_are_not_a_and_b_are_told(engine, clips, monkeypatch):
    exact = blend.interpolate(engine, clips[:6], clips[6:], 5, 5, "knob")
    for corner in ((0, 0), (4, 4)):
        cells = exact.copy()
        cells[corner][3, 16] ^= 1
        monkeypatch.setattr(blend, "interpolate", lambda *a, cells=cells: cells)
        assert melody_knobs.blends(engine, clips, "knob")["corners"] is False


def test_the_grid_s_figures(engine, clips):
    found = melody_knobs.blends(engine, clips, "knob")
    assert found["corners"] is True
    plain = melody_knobs.blends(engine, clips, "paper")
    for way in ("columns", "rows"):  # what A and B have themselves makes each step one toward B
        assert found[way].mean > max(plain[way].mean, 0.5)
    assert list(found["apart"]) == [str(steps) for steps in range(1, 9)]
    apart = list(found["apart"].values())
    assert apart[0] < apart[3] < apart[7]
    assert (len(found["rows_mean"]), len(found["columns_mean"])) == (5, 5)
    assert found["columns_mean"][-1] > found["columns_mean"][0]


def test_everything_at_once(melodies):
    engine = MeaningfulRest()
    told = []
    figures = melody_knobs.evaluate(engine, melodies, count=4, progress=lambda *at: told.append(at))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (figures["model"], figures["data"], figures["clips"], figures["seed"]) == ("by hand", melodies.hash, 4, 0)
    unknown = Estimate.of(np.array([np.nan]))
    assert melody_knobs.as_dict({"a": {"b": unknown}}) == {"a": {"b": dict.fromkeys(("mean", "low", "high"))}}
    said = json.loads(json.dumps(melody_knobs.as_dict(figures)))
    assert said["knob"]["pitch"]["onset_f1"] == {"mean": 1, "low": 1, "high": 1}
    assert said["paper"]["grid"]["corners"] is False
    assert said["paper"]["grid"]["corner_distances"]["a"]["steps"] > 0
    assert set(said) == {"model", "data", "clips", "seed", "reconstruction", "knob", "paper", "random"}
    table = melody_knobs.table(figures)
    assert table.startswith("4 held-out clips rebuilt: steps ")
    for line in ("pitch, knob", "pitch, paper", "rhythm, knob", "rhythm, paper"):
        one = figures[line.split(", ")[1]][line.split(", ")[0]]
        assert f"| {line} | {one['spearman']} | {one['error']} | " in table
    assert f"| pitch: its own dimensions | {figures['random']['pitch']['own']['pitch']} | " in table
    assert_random_ones_move(figures["random"])
    for knob in ("pitch", "rhythm"):
        cells = [str(figures["random"][knob]["random"][what]) for what in melody_dimension_draws.CHANGES]
        assert f"| {knob}: random dimensions | {' | '.join(cells)} | " in table
    assert f"| rest: all up by 1 sd | {figures['random']['rest']['own']['pitch']} | " in table
    one = figures["knob"]["grid"]
    rows, columns = f"{one['rows']} | {one['rows_monotone']:.3f}", f"{one['columns']} | {one['columns_monotone']:.3f}"
    assert f"| knob | {rows} | {columns} | exact | " in table
    far = " and ".join(f"{one['steps']:.3f}" for one in figures["paper"]["grid"]["corner_distances"].values())
    assert f" | {far} | " in table
