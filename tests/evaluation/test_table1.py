"""The two protocols: where faders are slid to, what is chosen, and every figure worked out again the slow way."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from toy_runs import BY_CODE, GIVEN, TOYS, made_once, toy

from fadernets.attributes.table import CODED
from fadernets.codecs import grid, performance_tokens
from fadernets.evaluation import authors_protocol, checkpoint_codes, table1
from fadernets.evaluation.checkpoint import HeldOutSegments, Outputs
from fadernets.evaluation.table1 import LOOPS, FaderProtocols, choose_nearest, evaluate
from fadernets.metrics import cell_counts, fader_scores, frechet, note_features

FADERS = [*BY_CODE, "told", *GIVEN]
every_attribute = pytest.mark.parametrize("attribute", CODED)
PAPER = {"consistency", "restrictiveness", "linearity", "pooled_r2", "constant_share", "cut"}
STRICT = {
    "consistency", "restrictiveness", "linearity", "pooled_r2", "spearman", "leakage", "error", "response_range",
    "chroma_similarity", "groove_similarity", "note_f1", "failures", "cut",
}  # fmt: skip
QUALITY = {"frechet", "n", "clash_share", "isolated_share", "length_mean", "empty_share"}


@pytest.fixture(scope="module")
def trained(rated, tmp_path_factory):
    """A name of TOYS -> its checkpoint over the rated performances, made once."""
    return made_once(tmp_path_factory.mktemp("runs"), rated)


@pytest.fixture
def few(monkeypatch):
    """Runs of six segments."""
    for module in (table1, authors_protocol):
        monkeypatch.setattr(module, "M", 6)


def protocols_of(checkpoint, runs=2, seed=0, language_model=None):
    return FaderProtocols(checkpoint, checkpoint.measured_rows("test"), runs, seed, language_model)


def position_of(attribute):
    return list(CODED).index(attribute)


def filled(count, attribute):
    """Cells that measure count / 16: so many onset steps, or so many cells of at most fifteen a step."""
    cells = np.zeros((16, 88), np.uint8)
    if attribute == "rhythm_density":
        cells[:count, 40] = grid.ONSET
    else:
        cells[np.arange(count) // 15, 30 + np.arange(count) % 15] = grid.ONSET
    return cells


# Segments and levels


def test_segments_of_a_run_are_the_same_for_every_model_and_new_in_each(trained, few):
    rows = {name: [protocols_of(trained(name), runs=3).samples(r).rows for r in range(3)] for name in FADERS}
    first = rows[FADERS[0]]
    for name in FADERS:
        np.testing.assert_array_equal(rows[name], first)
    test = trained("pati").corpus_rows("test")
    for run in first:
        assert len(set(run)) == 6
        assert set(run) <= set(test)
    assert len({tuple(sorted(run)) for run in first}) == 3
    other = protocols_of(trained("pati"), runs=3, seed=1).samples(0).rows
    assert set(other) != set(first[0])
    np.testing.assert_array_equal(protocols_of(trained("pati"), runs=1).samples(0).rows, first[0])


@every_attribute
@pytest.mark.parametrize("name", FADERS)
def test_levels_of_the_paper_are_eighths_of_the_training_range(trained, rated, name, attribute):
    checkpoint = trained(name)
    rows = rated.select(split="train", corpus="maestro")
    if name in GIVEN:
        own = rated.attributes[rows, position_of(attribute)].astype(np.float64)
    else:
        code, dimension = checkpoint.model.faders[attribute]
        own = checkpoint.encode(rows, fast=True)[code][:, dimension].astype(np.float64)
    low, high = own.min(), own.max()
    expected = [low + t / 8 * (high - low) for t in range(1, 9)]
    found = protocols_of(checkpoint).paper_levels(attribute)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found[-1] == pytest.approx(high)


@pytest.mark.parametrize("name", ["pati", "cvae"])
def test_a_model_that_rebuilds_labelled_corpora_too_is_measured_on_the_others(rated, few, tmp_path, name):
    """Table 1's caption. Its segments, ranges and deviations are those of a model that rebuilds the others alone."""
    options = {"reconstruct_labelled": True, "labels": 0}
    found = evaluate(toy(tmp_path / "both", name, rated, **options), ("paper",), runs=1)
    alone = evaluate(toy(tmp_path / "alone", name, rated, label_share=0.0), ("paper",), runs=1)
    for key in ("spread", "reconstruction", "paper/rhythm_density", "paper/note_density"):
        assert found[key] == alone[key]
    every = rated.attributes[rated.split == 0].std(0)
    assert list(found["spread"].values()) != pytest.approx(every, rel=1e-3)


@every_attribute
def test_asked_values_are_of_the_training_segments_in_the_attributes_grain(trained, rated, few, attribute, monkeypatch):
    seen = []
    strict = fader_scores.strict
    monkeypatch.setattr(fader_scores, "strict", lambda *args: seen.append(args) or strict(*args))
    protocols = protocols_of(trained("cvae"))
    protocols.fader(attribute, ("strict",))
    column = rated.attributes[rated.select(split="train", corpus="maestro"), position_of(attribute)].astype(float)
    expected = np.linspace(*np.percentile(column, [5, 95]), 8)
    if attribute == "rhythm_density":
        expected = np.round(expected * 16) / 16
    assert len(seen) == 2 * len(LOOPS)
    for _, _, name, values, spread in seen:
        assert name == attribute
        assert values == pytest.approx(expected)
        assert spread[position_of(attribute)] == pytest.approx(column.std())


@every_attribute
def test_open_levels(trained, attribute):
    asked = np.array([0.2, 0.3, 0.5])
    for name in GIVEN:
        np.testing.assert_array_equal(protocols_of(trained(name)).open_levels(attribute, asked), asked)
    checkpoint = trained("pati")
    found = protocols_of(checkpoint).open_levels(attribute, asked)
    np.testing.assert_array_equal(found, checkpoint.training_curve(attribute).to_zd(asked))


class Stub:
    """A checkpoint whose decodes measure table[level] / 16, whatever the segment; its training data say otherwise."""

    def __init__(self, data, table, kind="zd"):
        self.data, self.table, self.kind = data, np.asarray(table), kind
        self.measured_training_rows = self.measured_rows("train")
        self.rows_read = []
        self.faders = dict.fromkeys(CODED, kind)

    def measured_rows(self, split):
        return self.data.select(split=split, corpus="maestro")

    def segments(self, rows):
        self.rows_read.append(rows)
        values = np.asarray(self.data.attributes[rows], np.float64)
        return HeldOutSegments(rows, self.data.cells(rows), values, self.data.key[rows], np.full(len(rows), 2.0), {})

    @property
    def training(self):
        values = np.asarray(self.data.attributes[self.measured_training_rows], np.float64)
        levels = 15 * (values - values.min(0)) / np.ptp(values, axis=0)  # 0..15
        return values, dict(zip(CODED, levels.T, strict=True)) if self.kind == "zd" else {}

    def training_curve(self, attribute):
        values = np.asarray(self.data.attributes[self.measured_training_rows, position_of(attribute)], np.float64)
        low, size = values.min(), np.ptp(values)
        return SimpleNamespace(to_zd=lambda asked: 15 * (asked - low) / size)

    def slide(self, segments, attribute, positions):
        low, high = (0, 15) if self.kind == "zd" else self.told(attribute)
        levels = 15 * (positions - low) / (high - low)
        counts = np.interp(levels, np.arange(len(self.table)), self.table).round().astype(int)
        one = np.stack([filled(count, attribute) for count in counts])
        out = np.repeat(one[None], len(segments.rows), 0)
        return Outputs(np.broadcast_to(counts[:, None], (*out.shape[:2], 1)), out)

    def told(self, attribute):
        values = self.training[0][:, position_of(attribute)]
        return values.min(), values.max()


@pytest.mark.parametrize("kind", ["zd", "given"])
@pytest.mark.parametrize(
    ("attribute", "table", "near"),
    [("rhythm_density", np.arange(1, 17), 0), ("note_density", np.arange(16) ** 2 + 1, 1 / 32)],
)
def test_a_calibrated_fader_lands_where_an_open_one_does_not(rated, attribute, table, near, kind):
    """Decodes of validation segments tell the curve; between two levels the nearest sixteenth of a note is meant."""
    checkpoint = Stub(rated, table, kind)
    found = protocols_of(checkpoint).fader(attribute, ("strict",))
    calibrated, opened = (found[f"strict/{attribute}/{loop}"] for loop in ("calibrated", "open"))
    assert calibrated["error"]["mean"] <= near + 1e-9
    assert calibrated["consistency"]["mean"] == pytest.approx(1)
    assert calibrated["linearity"]["mean"] > 0.999
    assert opened["error"]["mean"] > 1.5 / 16
    nearest = found[f"strict/{attribute}/best-of-n"]
    assert nearest["error"]["mean"] <= calibrated["error"]["mean"]
    assert set(checkpoint.rows_read[0]) == set(rated.select(split="validation", corpus="maestro"))
    for rows in checkpoint.rows_read[1:]:
        assert set(rows) <= set(rated.select(split="test", corpus="maestro"))


def test_calibrated_levels_stay_within_the_training_range(rated):
    """No level gives what is asked: the nearest ones are taken."""
    protocols = protocols_of(Stub(rated, [7] * 8 + [8] * 8))
    found = protocols.calibrated_levels("rhythm_density", np.array([0.0, 7.5 / 16, 1.0]))
    assert found[0] == 0
    assert found[1] == pytest.approx(7.5, abs=0.6)
    assert found[2] == 15


# The choice of the nearest of n decodes


def picked(candidates, asked, source=(0.5, 1.0), name="rhythm_density", spread=(0.25, 1.0)):
    """Which of candidates (onset steps, notes in each) is chosen for each asked value."""
    cells = np.zeros((1, len(candidates), 16, 88), np.uint8)
    for c, (onsets, notes) in enumerate(candidates):
        cells[0, c, :onsets, 30 : 30 + notes] = grid.ONSET
    raw = np.arange(len(candidates))[None, :, None]
    segments = SimpleNamespace(values=np.array([source]))
    out = choose_nearest(Outputs(raw, cells), segments, name, np.array(asked), np.array(spread))
    np.testing.assert_array_equal(out.cells, cells[:, out.raw[0, :, 0]])
    return out.raw[0, :, 0].tolist()


def test_the_nearest_candidate_is_chosen():
    candidates = [(2, 1), (6, 1), (12, 1)]
    assert picked(candidates, [0.0, 3.5 / 16, 4.5 / 16, 8.5 / 16, 9.5 / 16, 1.0]) == [0, 0, 1, 1, 2, 2]


def test_among_equals_the_one_whose_other_attribute_is_nearest_to_the_source():
    candidates = [(4, 1), (4, 3), (4, 8), (12, 2)]  # note densities 0.25, 0.75, 2 and 1.5
    assert picked(candidates, [0.25], source=(0.5, 1.0)) == [1]
    assert picked(candidates, [0.25], source=(0.5, 0.4)) == [0]
    assert picked(candidates, [0.25], source=(0.5, 1.6)) == [2]
    assert picked(candidates, [0.5], source=(0.5, 1.6)) == [3]  # 4 and 12 onsets are as far from 8
    assert picked([(4, 3), (4, 3)], [0.25]) == [0]


def test_a_nearer_candidate_wins_however_far_its_other_attribute_is():
    # 2 and 2.0625 notes; the nearer one has sixteen onset steps, the other what the source has.
    candidates = [(16, 2), (11, 3)]
    assert picked(candidates, [2.03], source=(11 / 16, 2.0), name="note_density", spread=(0.05, 1.0)) == [0]
    assert picked(candidates, [2.032], source=(11 / 16, 2.0), name="note_density", spread=(0.05, 1.0)) == [1]


def test_each_segment_has_its_own_choice():
    cells = np.stack([[filled(2, "rhythm_density"), filled(9, "rhythm_density")]] * 2)
    cells[1] = cells[1, ::-1]
    segments = SimpleNamespace(values=np.zeros((2, 2)))
    raw = np.array([[[0], [1]], [[2], [3]]])
    out = choose_nearest(Outputs(raw, cells), segments, "rhythm_density", np.array([0.1, 0.6, 0.2]), np.ones(2))
    assert out.raw[..., 0].tolist() == [[0, 1, 0], [3, 2, 3]]


# Figures of a fader


@every_attribute
@pytest.mark.parametrize("name", ["mixture", "cvae"])
def test_figures_are_those_of_the_slides(trained, few, name, attribute):
    checkpoint = trained(name)
    protocols = protocols_of(checkpoint)
    found = protocols.fader(attribute, ("paper", "strict"))
    asked = table1.values_to_ask(attribute, protocols.statistics[attribute])
    levels = {
        "paper": protocols.paper_levels(attribute),
        "open": protocols.open_levels(attribute, asked),
        "calibrated": protocols.calibrated_levels(attribute, asked),
    }
    papers, strict, outputs = [], {loop: [] for loop in LOOPS}, {loop: [] for loop in LOOPS}
    for run in range(2):
        segments = checkpoint.segments(protocols.samples(run).rows)
        out = {way: checkpoint.slide(segments, attribute, where) for way, where in levels.items()}
        one = fader_scores.paper(out["paper"].cells, attribute, levels["paper"], protocols.deviations)
        papers.append(one | {"cut": table1.cut_share(out["paper"].raw, performance_tokens.EOS)})
        out["best-of-n"] = choose_nearest(
            Outputs.join(list(out.values())), segments, attribute, asked, protocols.deviations
        )
        for loop in LOOPS:
            one = fader_scores.strict(out[loop].cells, segments.cells, attribute, asked, protocols.deviations)
            strict[loop].append(one | {"cut": table1.cut_share(out[loop].raw, performance_tokens.EOS)})
            outputs[loop].append(out[loop].cells.reshape(-1, 16, 88))
    assert found.pop(f"paper/{attribute}") == fader_scores.over_runs(papers)
    for loop in LOOPS:
        assert found.pop(f"strict/{attribute}/{loop}") == fader_scores.over_runs(strict[loop])
        own = found.pop(f"quality/{attribute}/{loop}")
        counted = cell_counts.counts(np.concatenate(outputs[loop]))
        assert {key: own[key] for key in counted} == counted
    assert not found
    assert strict["best-of-n"][0]["error"] <= strict["open"][0]["error"]


def test_the_distance_is_between_as_many_outputs_as_real_segments(trained, rated):
    checkpoint = trained("pati")
    protocols = protocols_of(checkpoint)
    test = rated.cells(checkpoint.corpus_rows("test"))
    pick = np.random.default_rng(0).permutation(len(test))
    n = len(test) // 2
    assert protocols.quality(np.zeros((len(test), 100), np.int16), test)["n"] == n
    assert protocols.quality(np.zeros((3, 100), np.int16), test[:3])["n"] == 3
    found = note_features.features(test[pick])[0][:n]
    draws = np.random.default_rng(0)
    assert (draws.permutation(len(test)) == pick).all()
    real = note_features.features(test[draws.permutation(len(test))])[0][:n]
    expected = frechet.distance(found, real, frechet.scale_of(note_features.features(test)[0]))
    assert protocols.quality(np.zeros((len(test), 100), np.int16), test)["frechet"] == pytest.approx(expected)
    floor = protocols.floor()
    assert {"frechet", "n"} <= set(floor)
    assert floor["frechet"] == pytest.approx(
        frechet.split_floor(note_features.features(test)[0], n, 0, protocols.real_scale)
    )


def test_what_is_cut():
    """A row of tokens without an end reached the most there may be."""
    raw = np.full((2, 3, 100), 50)
    raw[0, 0, 7] = raw[1, 2, 99] = performance_tokens.EOS
    assert table1.cut_share(raw, performance_tokens.EOS) == pytest.approx(4 / 6)
    assert table1.cut_share(np.zeros((2, 3, 2, 16, 88)), None) == 0


# The whole


def numbers(found):
    return [x for v in found.values() for x in (numbers(v) if isinstance(v, dict) else [v]) if not isinstance(x, str)]


@pytest.mark.parametrize("name", TOYS)
def test_every_documented_figure_is_there_and_finite(trained, rated, few, name):
    checkpoint, told = trained(name), []
    language_model = trained("language-model")
    found = evaluate(checkpoint, runs=1, seed=3, language_model=language_model, progress=lambda *now: told.append(now))
    assert np.isfinite(numbers(found)).all()
    head = {key: found.pop(key) for key in ("model", "run", "step", "trained_at", "data", "runs", "seed", "spread")}
    spread = rated.attributes[rated.select(split="train", corpus="maestro")].astype(float).std(0)
    assert head.pop("spread") == pytest.approx(dict(zip(CODED, spread, strict=True)))
    assert head == {"model": TOYS[name][0], "run": name, "step": 7, "trained_at": ""} | {
        "data": rated.hash, "runs": 1, "seed": 3
    }  # fmt: skip
    expected = set()
    if name != "language-model":
        expected |= {"reconstruction", "encoder"}
    if name != "language-model" and checkpoint_codes.means_of(checkpoint):  # a toy recipe gives hardly a label
        expected |= {"clusters"}
        assert set(checkpoint.model.sizes) <= set(found["clusters"])
        assert found["clusters"]["learned"] == (name in ("mixture", "told", "gm-vae"))
    if name in FADERS:
        expected |= {"quality/real"}
        assert set(found["quality/real"]) == QUALITY | {"nats", "nats_a_token"}
        for attribute in CODED:
            expected |= {f"paper/{attribute}", f"authors/{attribute}"}
            assert set(found[f"authors/{attribute}"]) == PAPER - {"cut"} | {"dropped"}
            assert set(found[f"paper/{attribute}"]) == PAPER
            for loop in LOOPS:
                expected |= {f"strict/{attribute}/{loop}", f"quality/{attribute}/{loop}"}
                assert set(found[f"strict/{attribute}/{loop}"]) == STRICT
                assert set(found[f"quality/{attribute}/{loop}"]) == QUALITY | {"nats", "nats_a_token"}
    assert set(found) == expected
    assert told == [(i + 1, len(told)) for i in range(len(told))]


def test_a_protocol_by_itself(trained, few):
    checkpoint = trained("pati")
    both = evaluate(checkpoint, runs=1)
    one, other, third = (evaluate(checkpoint, (protocol,), runs=1) for protocol in ("paper", "strict", "authors"))
    assert {key for key in one if "/" in key} == {f"paper/{attribute}" for attribute in CODED}
    assert one == {key: both[key] for key in one}
    assert not [key for key in other if key.startswith("paper/")]
    assert {key for key in third if "/" in key} == {f"authors/{attribute}" for attribute in CODED}
    assert third == {key: both[key] for key in third}
    assert set(one) | set(other) | set(third) == set(both)
    assert "nats" not in both["quality/real"]


def test_figures_are_the_same_again(trained, few):
    one, again, other = (evaluate(trained("cvae"), ("paper",), runs=2, seed=seed) for seed in (0, 0, 1))
    assert one == again
    assert one["paper/note_density"] != other["paper/note_density"]


def test_clusters_need_held_out_labels_of_both_kinds(performances, tmp_path, few):
    """Every labelled segment of these performances is for training."""
    found = evaluate(toy(tmp_path / "run", "mixture", performances), ("paper",), runs=1)
    assert "clusters" not in found
    assert "reconstruction" in found


def test_evaluation_on_the_grid(songs, tmp_path, few):
    language_model = toy(tmp_path / "language_model", "language-model", songs)
    found = evaluate(toy(tmp_path / "run", "fader-networks", songs), runs=1, language_model=language_model)
    assert np.isfinite(numbers(found)).all()
    floor = found["quality/real"]
    assert floor["nats_a_token"] == pytest.approx(floor["nats"] / 16)
