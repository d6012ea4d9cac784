"""Arousal transfer: which codes move and how far, the regressor that judges it, and the figures of both."""

import json
from dataclasses import replace

import numpy as np
import pytest
import toy_runs
from conftest import make_performance
from sklearn.metrics import r2_score
from toy_runs import toy

from fadernets.attributes.table import CODED, measure
from fadernets.codecs import grid, performance_tokens
from fadernets.engines import code_arithmetic
from fadernets.errors import FadernetsError
from fadernets.evaluation import arousal_transfer
from fadernets.evaluation.arousal_transfer import Regressor
from fadernets.evaluation.checkpoint import Checkpoint, Outputs
from fadernets.metrics import note_features

FIGURES = {"agreement_of_changed", "agreement", "low", "high", "changed", "chroma_similarity", "note_f1"}
BOTH = {f"{name}_{side}" for name in ("agreement", "predicted", *CODED) for side in ("up", "down")}
CENTRE = 40  # key that the made-up decode strikes


@pytest.fixture(scope="module", params=["fadernets", "single"])
def checkpoint(request, rated, toys):
    """A GM-VAE with two codes or with one."""
    return Checkpoint(toys(request.param), rated)


@pytest.fixture(scope="module")
def segments(checkpoint):
    return checkpoint.segments(checkpoint.corpus_rows("test"))


@pytest.fixture(scope="module")
def regressor(rated):
    return Regressor.fit(rated, ["vgmidi"])


@pytest.fixture(scope="module")
def evaluated(rated, toys, regressor):
    calls = []
    found = arousal_transfer.evaluate(
        Checkpoint(toys("fadernets"), rated), regressor, progress=lambda done, total: calls.append((done, total))
    )
    return found, calls


class Judge:
    """In a regressor's place: a function of cells."""

    figures = {"spearman": 1.0}  # noqa: RUF012

    def __init__(self, of):
        self.of = of

    def predict(self, cells, seconds):
        assert len(cells) == len(seconds)
        return np.asarray(self.of(cells), np.float64)


def onsets(cells):
    return (cells == grid.ONSET).sum((1, 2))


# Shift


def codes_of(checkpoint, segments, strength, monkeypatch):
    """The codes that a shift decodes."""
    given = []
    monkeypatch.setattr(checkpoint, "decode", lambda segments, codes, values: given.append((codes, values)))
    arousal_transfer.shift(checkpoint, segments, np.asarray(strength, np.float64))
    ((codes, values),) = given
    np.testing.assert_array_equal(values, segments.values)
    return codes


def test_a_shift_by_hand(checkpoint, segments, monkeypatch):
    """Each segment by its own strength, and only where its code is nearer to the other cluster."""
    strength = np.random.default_rng(0).choice([-2, -1, -0.25, 0, 0.5, 1, 1.75], len(segments.rows))
    found = codes_of(checkpoint, segments, strength, monkeypatch)
    assert (
        list(found) == list(segments.codes) == list(checkpoint.model.sizes)
    )  # the order in which a decoder takes them
    seen = set()
    for name, code in segments.codes.items():
        low, high = checkpoint.model.means[name].detach().numpy()
        for z, s, moved in zip(code, strength, found[name], strict=True):
            is_high = ((z - high) ** 2).sum() <= ((z - low) ** 2).sum()
            target, other = (high, low) if s > 0 else (low, high)
            stays = s == 0 or is_high == (s > 0)
            np.testing.assert_allclose(moved, z if stays else z + abs(s) * (target - other), atol=1e-5)
            seen.add((is_high, np.sign(s)))
        assert found[name].dtype == np.float32
    assert len(seen) == 6  # both clusters, each asked to go up, down and nowhere


def test_the_codes_of_a_segment_move_each_by_itself(rated, toys, monkeypatch):
    checkpoint = Checkpoint(toys("fadernets"), rated)
    segments = checkpoint.segments(checkpoint.corpus_rows("test"))
    found = codes_of(checkpoint, segments, np.ones(len(segments.rows)), monkeypatch)
    moved = {name: (found[name] != code).any(1) for name, code in segments.codes.items()}
    high = {n: code_arithmetic.cluster_probability(c, checkpoint.means[n]) >= 0.5 for n, c in segments.codes.items()}
    for name in segments.codes:
        np.testing.assert_array_equal(moved[name], ~high[name])
    assert (moved["rhythm"] != moved["note"]).any()


def test_no_strength_is_the_plain_decode(checkpoint, segments):
    plain = checkpoint.decode(segments, segments.codes, segments.values)
    out = arousal_transfer.shift(checkpoint, segments, np.zeros(len(segments.rows)))
    np.testing.assert_array_equal(out.raw, plain.raw)
    np.testing.assert_array_equal(out.cells, plain.cells)
    assert out.cells.shape == (len(segments.rows), 1, 16, 88)
    moved = arousal_transfer.shift(checkpoint, segments, np.ones(len(segments.rows)))
    assert (moved.raw != plain.raw).any()


# Features and regressor


def test_features(rated):
    cells, seconds = rated.cells(np.arange(50)), np.linspace(1, 3, 50)
    found = arousal_transfer.features(cells, seconds)
    table = note_features.features(cells)[0]
    assert found.shape == (50, table.shape[1] + 3)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, :-3], table)
    for row, cell, s in zip(found, cells, seconds, strict=True):
        steps = sum(any(step == grid.ONSET) for step in cell)
        np.testing.assert_allclose(row[-3:], [steps / s, (cell == grid.ONSET).sum() / s, s])


def test_features_of_silence_are_numbers():
    assert np.isfinite(arousal_transfer.features(np.full((2, 16, 88), grid.OFF, np.uint8), np.full(2, 2.0))).all()


def test_seconds(rated, songs):
    np.testing.assert_array_equal(arousal_transfer.seconds_of(rated, np.array([3, 1])), rated.seconds[[3, 1]])
    np.testing.assert_array_equal(arousal_transfer.seconds_of(songs, np.arange(3)), [2, 2, 2])


def test_the_regressor_knows_arousal_from_density(rated, regressor):
    """The made-up ratings rise with rhythm density; every seventh does not."""
    figures = regressor.figures
    print({name: round(value, 3) for name, value in figures.items()})
    test = rated.select(split="test", corpus="vgmidi")
    assert set(figures) == {"segments", "spearman", "r2", "balanced_accuracy", "low", "high"}
    assert figures["segments"] == len(test) == 72
    assert figures["spearman"] > 0.7
    assert 0.5 < figures["low"] <= figures["balanced_accuracy"] <= figures["high"]
    found = regressor.predict(rated.cells(test), arousal_transfer.seconds_of(rated, test))
    assert figures["r2"] == pytest.approx(r2_score(rated.arousal[test], found), abs=1e-6)
    assert figures["r2"] > 0.5


def test_the_regressor_hears_segments_that_are_of_no_data_set(regressor):
    rng, rows = np.random.default_rng(9), np.zeros((60, 100), np.int64)
    for row in rows:
        code = performance_tokens.encode(make_performance(rng), end=2.0)
        row[: len(code)] = code
    cells = performance_tokens.cells(rows, 2.0)
    density = measure(cells)["rhythm_density"]
    found = regressor.predict(cells, np.full(60, 2.0))
    assert found[density >= 0.5].mean() > found[density <= 0.3].mean() + 0.3


def test_the_regressor_learns_from_training_pieces_alone(rated, regressor, monkeypatch):
    """What the labels of test pieces say changes its figures and none of its predictions."""
    arousal = np.array(rated.arousal)
    test = rated.select(split="test", corpus="vgmidi")
    arousal[test] = -arousal[test]
    monkeypatch.setitem(rated.__dict__, "arousal", arousal)
    other = Regressor.fit(rated, ["vgmidi", "emopia"])  # the second is not here
    cells, seconds = rated.cells(test), arousal_transfer.seconds_of(rated, test)
    np.testing.assert_array_equal(other.predict(cells, seconds), regressor.predict(cells, seconds))
    assert other.figures["spearman"] == pytest.approx(-regressor.figures["spearman"], abs=1e-6)


@pytest.mark.parametrize(
    ("data", "corpora", "message"),
    [
        ("performances", ["vgmidi"], "has 48 arousal labels to learn from and 0 to test on; the regressor needs 120"),
        ("rated", ["emopia"], "has 0 arousal labels to learn from and 0 to test on"),
        ("rated", [], "has 0 arousal labels"),
    ],
)
def test_too_few_labels(request, data, corpora, message):
    data = request.getfixturevalue(data)
    with pytest.raises(FadernetsError, match=message) as error:
        Regressor.fit(data, corpora)
    assert str(error.value).startswith(f"{data.folder}: ")
    assert "prepare it with vgmidi" in str(error.value)


# Figures


def test_what_an_evaluation_says(evaluated, regressor):
    found, calls = evaluated
    assert set(found) == {"regressor", "sweep", "drawn", "pieces", "agreement"}
    assert found["regressor"] == regressor.figures
    assert [row["strength"] for row in found["sweep"]] == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
    for row in found["sweep"]:
        assert set(row) == {"strength"} | FIGURES | BOTH
        assert 0 <= row["low"] <= row["agreement"] <= row["high"] <= 1
        assert row["agreement"] == pytest.approx((row["agreement_up"] + row["agreement_down"]) / 2)
        assert row["agreement"] <= row["changed"]
    assert found["agreement"] == found["sweep"][4]["agreement"]
    assert calls == [(i, 10) for i in range(1, 11)]
    json.dumps(found, allow_nan=False)


def test_no_strength_changes_nothing_and_agrees_with_nothing(evaluated):
    first, *rest = evaluated[0]["sweep"]
    assert first["changed"] == first["agreement"] == first["low"] == first["high"] == 0
    assert all(first[name] == 0 for name in BOTH)
    assert all(row["changed"] > 0 for row in rest)


def test_the_segments_that_are_drawn(evaluated, rated, toys, regressor):
    rows = evaluated[0]["drawn"]
    assert [row["direction"] for row in rows] == ["up", "down"] * 10
    assert len({row["row"] for row in rows}) == 20
    assert {row["row"] for row in rows} <= set(rated.select(split="test", corpus="maestro"))
    checkpoint = Checkpoint(toys("fadernets"), rated)
    segments = checkpoint.segments(np.array([row["row"] for row in rows]))
    plain = checkpoint.decode(segments, segments.codes, segments.values).cells[:, 0]
    out = arousal_transfer.shift(checkpoint, segments, np.array([1.0, -1.0] * 10)).cells[:, 0]
    for key, cells in (("before", plain), ("after", out)):
        for name, values in measure(cells).items():
            np.testing.assert_allclose([row[key][name] for row in rows], values)
    for i, cells in enumerate((plain, out)):
        np.testing.assert_allclose([row["predicted"][i] for row in rows], regressor.predict(cells, segments.seconds))


def test_whole_pieces(evaluated, rated, toys):
    found = evaluated[0]["pieces"]
    assert set(found) == {"pieces"} | BOTH
    assert found["pieces"] == 5
    checkpoint, test = Checkpoint(toys("fadernets"), rated), rated.select(split="test", corpus="maestro")
    assert arousal_transfer.whole_pieces(checkpoint, Judge(onsets), test, most=2)["pieces"] == 2
    moved, right = [], []
    drawn = np.random.default_rng(0).permutation(np.unique(rated.piece[test]))[:2]
    for piece in drawn:  # by hand, down
        segments = checkpoint.segments(test[rated.piece[test] == piece])
        plain = checkpoint.decode(segments, segments.codes, segments.values).cells[:, 0]
        out = arousal_transfer.shift(checkpoint, segments, -np.ones(len(segments.rows))).cells[:, 0]
        moved.append((measure(out)["note_density"] - measure(plain)["note_density"]).mean())
        right.append(onsets(out).mean() < onsets(plain).mean())
    two = arousal_transfer.whole_pieces(checkpoint, Judge(onsets), test, most=2)
    assert two["note_density_down"] == pytest.approx(np.mean(moved))
    others = [arousal_transfer.whole_pieces(checkpoint, Judge(onsets), test, most=2, seed=seed) for seed in range(1, 5)]
    assert len({other["note_density_down"] for other in others}) > 1  # other pieces
    assert two["agreement_down"] == np.mean(right)


@pytest.fixture
def made_up(rated, toys, monkeypatch):
    """A checkpoint whose decodes strike one key, and whose shifts move it by 16 keys a strength."""
    checkpoint = Checkpoint(toys("fadernets"), rated)

    def struck(strength):
        cells = np.full((len(strength), 1, 16, 88), grid.OFF, np.uint8)
        cells[np.arange(len(strength)), 0, 0, CENTRE + np.round(16 * strength).astype(int)] = grid.ONSET
        return Outputs(cells, cells)

    monkeypatch.setattr(checkpoint, "decode", lambda segments, codes, values: struck(np.zeros(len(segments.rows))))
    monkeypatch.setattr(arousal_transfer, "shift", lambda checkpoint, segments, strength: struck(strength))
    return checkpoint


def key(cells):
    return (cells == grid.ONSET).any(1).argmax(1)


@pytest.mark.parametrize(
    ("of", "up", "down"),
    [
        (key, 1, 1),
        (lambda cells: -key(cells), 0, 0),
        (lambda cells: np.abs(key(cells) - CENTRE), 1, 0),
        (lambda cells: -np.abs(key(cells) - CENTRE), 0, 1),
        (lambda cells: np.zeros(len(cells)), 0, 0),
    ],
)
def test_agreement_is_what_the_regressor_says(made_up, of, up, down):
    found = arousal_transfer.evaluate(made_up, Judge(of))
    for row in found["sweep"][1:]:
        assert (row["agreement_up"], row["agreement_down"]) == (up, down)
        assert row["agreement"] == (up + down) / 2
        assert row["low"] <= row["agreement"] <= row["high"]
        assert row["changed"] == 1
    assert (found["pieces"]["agreement_up"], found["pieces"]["agreement_down"]) == (up, down)
    assert found["agreement"] == (up + down) / 2
    assert found["sweep"][0]["agreement"] == 0
    if (up, down) == (1, 1):
        assert found["sweep"][4]["predicted_up"] == 16
        assert found["sweep"][4]["predicted_down"] == -16
        assert found["drawn"][1]["predicted"] == [CENTRE, CENTRE - 16]


def test_the_seed_draws_the_segments(made_up):
    rows = [[row["row"] for row in arousal_transfer.evaluate(made_up, Judge(key), seed=s)["drawn"]] for s in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]


def test_low_goes_up_and_high_goes_down(rated, toys):
    """In turn, and as many of one as of the other, by the mean probability of both codes."""
    checkpoint = Checkpoint(toys("fadernets"), rated)
    test = checkpoint.corpus_rows("test")
    rows, sign = arousal_transfer.draw(checkpoint, test, 0)
    assert sign.tolist() == [1, -1] * (len(rows) // 2)
    assert len(set(rows)) == len(rows)
    codes = checkpoint.encode(test)
    each = [code_arithmetic.cluster_probability(codes[n], checkpoint.means[n]) for n in codes]
    np.testing.assert_array_equal(checkpoint.arousal(codes), np.mean(each, axis=0))
    high = dict(zip(test, np.mean(each, axis=0) >= 0.5, strict=True))
    assert [high[row] for row in rows] == (sign < 0).tolist()
    counts = [sum(high.values()), len(test) - sum(high.values())]
    assert len(rows) == 2 * min(counts)


def test_draws_are_no_more_than_needed(rated, toys, monkeypatch):
    checkpoint = Checkpoint(toys("fadernets"), rated)
    monkeypatch.setattr(arousal_transfer, "MANY", 10)
    rows, _ = arousal_transfer.draw(checkpoint, checkpoint.corpus_rows("test"), 0)
    assert len(rows) <= 10


def test_one_cluster_alone(rated, toys, monkeypatch):
    checkpoint = Checkpoint(toys("fadernets"), rated)
    monkeypatch.setattr(
        checkpoint, "class_probabilities", lambda codes, _: np.eye(2)[np.ones(len(codes["rhythm"]), int)]
    )
    with pytest.raises(FadernetsError, match="held-out segments lie in one arousal cluster; train it longer"):
        arousal_transfer.draw(checkpoint, checkpoint.corpus_rows("test"), 0)


def test_of_three_clusters_the_lowest_and_the_highest_are_moved(rated, tmp_path, monkeypatch):
    """Of any label; its regressor learns that label, and is judged between the lowest class and the highest."""
    recipe = {"label": "valence", "label_edges": [-0.1, -0.1, 0.1, 0.1]}
    monkeypatch.setitem(toy_runs.TOYS, "three", ("music-fadernets", {"sub_decoder": 5, "clusters": 3}))
    checkpoint = toy(tmp_path / "run", "three", rated, **recipe)
    shares = np.eye(3)[np.arange(len(checkpoint.corpus_rows("test"))) % 3]
    monkeypatch.setattr(checkpoint, "class_probabilities", lambda codes, means: shares[: len(codes["rhythm"])])
    rows, sign = arousal_transfer.draw(checkpoint, checkpoint.corpus_rows("test"), 0)
    pool = np.random.default_rng(0).permutation(checkpoint.corpus_rows("test"))
    assert rows[::2].tolist() == pool[::3][: len(rows) // 2].tolist()
    assert rows[1::2].tolist() == pool[2::3][: len(rows) // 2].tolist()
    assert sign.tolist() == [1, -1] * (len(rows) // 2)
    monkeypatch.setattr(checkpoint, "class_probabilities", lambda codes, _: shares[[1] * len(codes["rhythm"])])
    with pytest.raises(FadernetsError, match="outside the lowest or the highest valence cluster"):
        arousal_transfer.draw(checkpoint, checkpoint.corpus_rows("test"), 0)


def test_a_regressor_of_another_label(rated):
    """Valence, here the other way round: what it predicts falls where arousal rises."""
    turned = replace(rated, valence=-np.asarray(rated.arousal))
    up, down = (Regressor.fit(turned, ["vgmidi"], 0, label, (-0.1, 0.1)) for label in ("arousal", "valence"))
    rows = rated.select(split="test")
    cells, seconds = rated.cells(rows), arousal_transfer.seconds_of(rated, rows)
    assert np.corrcoef(up.predict(cells, seconds), down.predict(cells, seconds))[0, 1] < -0.9
    assert down.figures["balanced_accuracy"] == pytest.approx(up.figures["balanced_accuracy"], abs=0.1)


def test_codes_of_a_constrained_posterior_stay_on_their_simplex(rated, tmp_path, monkeypatch):
    given = {"sub_decoder": 5, "clusters": 2, "posterior": "constrained", "simplex": 3, "vertices": 2, "alpha": 2.0}
    monkeypatch.setitem(toy_runs.TOYS, "tight", ("music-fadernets", given))
    checkpoint = toy(tmp_path / "run", "tight", rated)
    segments = checkpoint.segments(checkpoint.corpus_rows("test"))
    for strength in (-2.0, 0.5, 2.0):
        found = codes_of(checkpoint, segments, np.full(len(segments.rows), strength), monkeypatch)
        for name, code in found.items():
            np.testing.assert_array_equal(code[:, :1], segments.codes[name][:, :1])
            on_simplex = code_arithmetic.onto_simplex(code, checkpoint.vertices[name])
            np.testing.assert_allclose(code, on_simplex, atol=1e-4)


def test_a_data_set_of_few_test_segments(performances, tmp_path):
    """Twelve, and the fewer of the two clusters decide how many are drawn."""
    checkpoint = toy(tmp_path / "run", "mixture", performances)
    high = (checkpoint.arousal(checkpoint.encode(checkpoint.corpus_rows("test"))) >= 0.5).sum()
    found = arousal_transfer.evaluate(checkpoint, Judge(onsets))
    assert [row["direction"] for row in found["drawn"]] == ["up", "down"] * min(high, 12 - high)
    assert found["pieces"]["pieces"] == 1


def test_the_interval_draws_whole_pieces():
    pieces = np.repeat(np.arange(12), 10)
    agree = np.random.default_rng(0).random(120) < 0.7
    low, high = arousal_transfer._interval(agree, pieces, 0)
    assert low < agree.mean() < high
    assert (low, high) == arousal_transfer._interval(agree, pieces, 0)
    of_one_mind = pieces % 2 == 0  # all segments of a piece alike: wider than where they are mixed
    mixed = np.arange(120) % 2 == 0
    wide, narrow = (np.subtract(*arousal_transfer._interval(a, pieces, 0)[::-1]) for a in (of_one_mind, mixed))
    assert wide > 0.4
    assert narrow == 0
    assert arousal_transfer._interval(agree, np.zeros(120, int), 0) == (agree.mean(), agree.mean())
