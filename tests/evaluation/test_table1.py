"""The two protocols: where faders are slid to, what is chosen, and every figure worked out again the slow way."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score
from torch.nn import functional as F
from toy_runs import BY_CODE, GIVEN, TOYS, made_once, toy

from fadernets.attributes.table import CODED, measure
from fadernets.codecs import grid, performance_tokens
from fadernets.evaluation import table1
from fadernets.evaluation.checkpoint import Checkpoint, Looked, Outputs
from fadernets.evaluation.table1 import LOOPS, Bench, choose, evaluate, likelihood
from fadernets.metrics import cell_counts, disentanglement, fader_scores, frechet, note_features
from fadernets.training.loop import choose_rows

FADERS = [*BY_CODE, "told", *GIVEN]
every_attribute = pytest.mark.parametrize("attribute", CODED)
PAPER = {"consistency", "restrictiveness", "linearity", "pooled_r2", "constant_share", "cut"}
STRICT = {
    "consistency", "restrictiveness", "linearity", "pooled_r2", "spearman", "leakage", "error", "response_range",
    "chroma_similarity", "groove_similarity", "note_f1", "failures", "cut",
}  # fmt: skip
QUALITY = {"frechet", "n", "clash_share", "isolated_share", "length_mean", "empty_share"}


@pytest.fixture(scope="module")
def subjects(rated, tmp_path_factory):
    """A name of TOYS -> its subject over the rated performances, made once."""
    return made_once(tmp_path_factory.mktemp("runs"), rated)


@pytest.fixture
def few(monkeypatch):
    """Runs of six segments."""
    monkeypatch.setattr(table1, "M", 6)


def bench_of(subject, runs=2, seed=0, judge=None):
    return Bench(subject, subject.corpus_rows("test"), runs, seed, judge)


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


def test_segments_of_a_run_are_the_same_for_every_model_and_new_in_each(subjects, few):
    rows = {name: [bench_of(subjects(name), runs=3).samples(r).rows for r in range(3)] for name in FADERS}
    first = rows[FADERS[0]]
    for name in FADERS:
        np.testing.assert_array_equal(rows[name], first)
    test = subjects("pati").corpus_rows("test")
    for run in first:
        assert len(set(run)) == 6
        assert set(run) <= set(test)
    assert len({tuple(sorted(run)) for run in first}) == 3
    other = bench_of(subjects("pati"), runs=3, seed=1).samples(0).rows
    assert set(other) != set(first[0])
    np.testing.assert_array_equal(bench_of(subjects("pati"), runs=1).samples(0).rows, first[0])


@every_attribute
@pytest.mark.parametrize("name", FADERS)
def test_levels_of_the_paper_are_eighths_of_the_training_range(subjects, rated, name, attribute):
    subject = subjects(name)
    rows = rated.select(split="train", corpus="maestro")
    if name in GIVEN:
        own = rated.attributes[rows, position_of(attribute)].astype(np.float64)
    else:
        code, dimension = subject.model.faders[attribute]
        own = subject.encode(rows, fast=True)[code][:, dimension].astype(np.float64)
    low, high = own.min(), own.max()
    expected = [low + t / 8 * (high - low) for t in range(1, 9)]
    found = bench_of(subject).paper_levels(attribute)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found[-1] == pytest.approx(high)


@every_attribute
def test_asked_values_are_of_the_training_segments_in_the_attributes_grain(
    subjects, rated, few, attribute, monkeypatch
):
    seen = []
    strict = fader_scores.strict
    monkeypatch.setattr(fader_scores, "strict", lambda *args: seen.append(args) or strict(*args))
    bench = bench_of(subjects("cvae"))
    bench.fader(attribute, ("strict",))
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
def test_open_levels(subjects, attribute):
    asked = np.array([0.2, 0.3, 0.5])
    for name in GIVEN:
        np.testing.assert_array_equal(bench_of(subjects(name)).open_levels(attribute, asked), asked)
    subject = subjects("pati")
    found = bench_of(subject).open_levels(attribute, asked)
    np.testing.assert_array_equal(found, subject.opened(attribute).to_zd(asked))


class Stub:
    """A subject whose decodes measure table[level] / 16, whatever the segment; its training data say otherwise."""

    def __init__(self, data, table, kind="zd"):
        self.data, self.table, self.kind = data, np.asarray(table), kind
        self.rows = SimpleNamespace(train=self.corpus_rows("train"))
        self.looked_at = []
        self.faders = dict.fromkeys(CODED, kind)

    def corpus_rows(self, split):
        return self.data.select(split=split, corpus="maestro")

    def look(self, rows):
        self.looked_at.append(rows)
        values = np.asarray(self.data.attributes[rows], np.float64)
        return Looked(rows, self.data.cells(rows), values, self.data.key[rows], np.full(len(rows), 2.0), {})

    @property
    def training(self):
        values = np.asarray(self.data.attributes[self.rows.train], np.float64)
        levels = 15 * (values - values.min(0)) / np.ptp(values, axis=0)  # 0..15
        return values, dict(zip(CODED, levels.T, strict=True)) if self.kind == "zd" else {}

    def opened(self, attribute):
        values = np.asarray(self.data.attributes[self.rows.train, position_of(attribute)], np.float64)
        low, size = values.min(), np.ptp(values)
        return SimpleNamespace(to_zd=lambda asked: 15 * (asked - low) / size)

    def slide(self, looked, attribute, positions):
        low, high = (0, 15) if self.kind == "zd" else self.told(attribute)
        levels = 15 * (positions - low) / (high - low)
        counts = np.interp(levels, np.arange(len(self.table)), self.table).round().astype(int)
        one = np.stack([filled(count, attribute) for count in counts])
        out = np.repeat(one[None], len(looked.rows), 0)
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
    subject = Stub(rated, table, kind)
    found = bench_of(subject).fader(attribute, ("strict",))
    calibrated, opened = (found[f"strict/{attribute}/{loop}"] for loop in ("calibrated", "open"))
    assert calibrated["error"]["mean"] <= near + 1e-9
    assert calibrated["consistency"]["mean"] == pytest.approx(1)
    assert calibrated["linearity"]["mean"] > 0.999
    assert opened["error"]["mean"] > 1.5 / 16
    closed = found[f"strict/{attribute}/closed"]
    assert closed["error"]["mean"] <= calibrated["error"]["mean"]
    assert set(subject.looked_at[0]) == set(rated.select(split="validation", corpus="maestro"))
    for rows in subject.looked_at[1:]:
        assert set(rows) <= set(rated.select(split="test", corpus="maestro"))


def test_calibrated_levels_stay_within_the_training_range(rated):
    """No level gives what is asked: the nearest ones are taken."""
    bench = bench_of(Stub(rated, [7] * 8 + [8] * 8))
    found = bench.calibrated_levels("rhythm_density", np.array([0.0, 7.5 / 16, 1.0]))
    assert found[0] == 0
    assert found[1] == pytest.approx(7.5, abs=0.6)
    assert found[2] == 15


# The choice of the closed loop


def picked(candidates, asked, source=(0.5, 1.0), name="rhythm_density", spread=(0.25, 1.0)):
    """Which of candidates (onset steps, notes in each) is chosen for each asked value."""
    cells = np.zeros((1, len(candidates), 16, 88), np.uint8)
    for c, (onsets, notes) in enumerate(candidates):
        cells[0, c, :onsets, 30 : 30 + notes] = grid.ONSET
    raw = np.arange(len(candidates))[None, :, None]
    looked = SimpleNamespace(values=np.array([source]))
    out = choose(Outputs(raw, cells), looked, name, np.array(asked), np.array(spread))
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
    looked = SimpleNamespace(values=np.zeros((2, 2)))
    raw = np.array([[[0], [1]], [[2], [3]]])
    out = choose(Outputs(raw, cells), looked, "rhythm_density", np.array([0.1, 0.6, 0.2]), np.ones(2))
    assert out.raw[..., 0].tolist() == [[0, 1, 0], [3, 2, 3]]


# Figures of a fader


@every_attribute
@pytest.mark.parametrize("name", ["mixture", "cvae"])
def test_figures_are_those_of_the_slides(subjects, few, name, attribute):
    subject = subjects(name)
    bench = bench_of(subject)
    found = bench.fader(attribute, table1.PROTOCOLS)
    asked = table1.values_to_ask(attribute, bench.statistics[attribute])
    levels = {
        "paper": bench.paper_levels(attribute),
        "open": bench.open_levels(attribute, asked),
        "calibrated": bench.calibrated_levels(attribute, asked),
    }
    papers, strict, outputs = [], {loop: [] for loop in LOOPS}, {loop: [] for loop in LOOPS}
    for run in range(2):
        looked = subject.look(bench.samples(run).rows)
        out = {way: subject.slide(looked, attribute, where) for way, where in levels.items()}
        one = fader_scores.paper(out["paper"].cells, attribute, levels["paper"], bench.spread)
        papers.append(one | {"cut": table1.cut_share(out["paper"].raw, "tokens")})
        out["closed"] = choose(Outputs.join(list(out.values())), looked, attribute, asked, bench.spread)
        for loop in LOOPS:
            one = fader_scores.strict(out[loop].cells, looked.cells, attribute, asked, bench.spread)
            strict[loop].append(one | {"cut": table1.cut_share(out[loop].raw, "tokens")})
            outputs[loop].append(out[loop].cells.reshape(-1, 16, 88))
    assert found.pop(f"paper/{attribute}") == fader_scores.over_runs(papers)
    for loop in LOOPS:
        assert found.pop(f"strict/{attribute}/{loop}") == fader_scores.over_runs(strict[loop])
        own = found.pop(f"quality/{attribute}/{loop}")
        counted = cell_counts.counts(np.concatenate(outputs[loop]))
        assert {key: own[key] for key in counted} == counted
    assert not found
    assert strict["closed"][0]["error"] <= strict["open"][0]["error"]


def test_the_distance_is_between_as_many_outputs_as_real_segments(subjects, rated):
    subject = subjects("pati")
    bench = bench_of(subject)
    test = rated.cells(subject.corpus_rows("test"))
    pick = np.random.default_rng(0).permutation(len(test))
    n = len(test) // 2
    assert bench.quality(np.zeros((len(test), 100), np.int16), test)["n"] == n
    assert bench.quality(np.zeros((3, 100), np.int16), test[:3])["n"] == 3
    found = note_features.features(test[pick])[0][:n]
    draws = np.random.default_rng(0)
    assert (draws.permutation(len(test)) == pick).all()
    real = note_features.features(test[draws.permutation(len(test))])[0][:n]
    expected = frechet.distance(found, real, frechet.scale_of(note_features.features(test)[0]))
    assert bench.quality(np.zeros((len(test), 100), np.int16), test)["frechet"] == pytest.approx(expected)
    floor = bench.floor()
    assert {"frechet", "n"} <= set(floor)
    assert floor["frechet"] == pytest.approx(
        frechet.split_floor(note_features.features(test)[0], n, 0, bench.real_scale)
    )


# The independent model


def slow_tokens(model, row):
    """Nats of a row of tokens, one at a time."""
    decoder, condition = model.decoder, torch.zeros(1, 24)
    state, before, nats = decoder.first_state(condition), 0, 0.0
    for token in row:
        x = torch.cat([decoder.embed(torch.tensor([[before]])), condition[:, None]], -1)
        y, state = decoder.gru(x, state)
        nats -= float(decoder.head(y)[0, 0].log_softmax(-1)[token])
        before = token
    return nats


@torch.no_grad()
def test_likelihood_of_tokens_is_that_of_each_by_itself(subjects, rated, monkeypatch):
    judge = subjects("language-model")
    rows = rated.select(split="test")[:9]
    real = rated.codes[rows].astype(np.int16)
    subject = subjects("pati")
    looked = subject.look(rows)
    made = subject.decode(looked, looked.codes, looked.values).raw[:, 0]
    full = made[(made != 0).all(1)]
    assert len(full)  # without an end
    raw = np.concatenate([real, made])
    nats = [slow_tokens(judge.model, row[row != 0].tolist()) for row in raw]
    expected = {"nats": np.mean(nats), "nats_a_token": np.sum(nats) / (raw != 0).sum()}
    assert likelihood(judge, raw) == pytest.approx(expected, rel=1e-5)
    assert likelihood(judge, raw[::-1]) == pytest.approx(expected, rel=1e-5)
    assert bench_of(subject, judge=judge).nats(raw[:, None]) == pytest.approx(expected, rel=1e-5)
    assert bench_of(subject).nats(raw) == {}


@torch.no_grad()
def test_likelihood_on_the_grid_is_that_of_each_step_by_itself(songs, tmp_path):
    judge = toy(tmp_path / "judge", "language-model", songs)
    decoder = judge.model.decoder
    planes = judge.inputs(np.arange(7))[0]
    nats = []
    for row in planes:
        plan, states, total = decoder.make_plan(torch.zeros(1, 24)), (None, None), 0.0
        before = torch.stack([torch.zeros(88), row[1, 0]])  # what step 0 holds
        for t in range(16):
            y1, h1 = decoder.gru1(torch.cat([before.flatten()[None], plan[:, t]], -1)[:, None], states[0])
            y2, h2 = decoder.gru2(torch.cat([y1, plan[:, t : t + 1]], -1), states[1])
            logits = F.pad(decoder.logits(y2[:, 0], plan[:, t])[0], (0, 0, 1, 0)).log_softmax(0)
            kind = row[0, t] + 2 * row[1, t]
            total -= float(logits.gather(0, kind.long()[None]).sum())
            states, before = (h1, h2), row[:, t]
        nats.append(total)
    expected = {"nats": np.mean(nats), "nats_a_token": np.mean(nats) / 16}
    assert likelihood(judge, planes.numpy().astype(np.int16)) == pytest.approx(expected, rel=1e-4)


# Reconstruction, codes, clusters


@torch.no_grad()
def test_reconstruction_row_by_row(subjects, rated):
    subject = subjects("cvae")
    rows = subject.corpus_rows("test")[:8]
    model, right, nats, found_cells = subject.model, np.zeros(2), [], []
    for row in rows:
        looked = subject.look(np.array([row]))
        inputs, lengths = subject.inputs(looked.rows)
        asked = torch.from_numpy(looked.values).float()
        codes = {"z": torch.from_numpy(looked.codes["z"])}
        condition = model.condition(codes, torch.eye(24)[None, int(looked.key[0])], asked)
        logits, truth = model.decoder.forced(condition, inputs, lengths)
        right += [(logits.argmax(-1) == truth).sum(), len(truth)]
        nats.append(F.cross_entropy(logits, truth, reduction="sum").item())
        found_cells.append(subject.decode(looked, looked.codes, looked.values).cells[0, 0])
    cells, found = rated.cells(rows), table1.reconstruction(subject, rows)
    made = np.stack(found_cells)
    assert found["segments"] == 8
    assert found["accuracy"] == pytest.approx(right[0] / right[1])
    assert found["nats"] == pytest.approx(np.mean(nats), rel=1e-5)
    assert found["chroma_similarity"] == pytest.approx(fader_scores.chroma_similarity(made, cells).mean())
    hits = fader_scores.note_hits(made, cells).sum(0)
    assert found["precision"] == pytest.approx(hits[2] / hits[0])
    assert found["recall"] == pytest.approx(hits[2] / hits[1])
    for name, values in measure(made).items():
        assert found[f"{name}_error"] == pytest.approx(np.abs(values - measure(cells)[name]).mean(), abs=1e-6)


@pytest.mark.parametrize(("name", "columns"), [("vanilla", (0, 4)), ("pati", (0, 1)), ("cvae", None)])
def test_metrics_of_codes_know_which_column_is_a_fader(subjects, rated, name, columns):
    subject = subjects(name)
    rows = subject.corpus_rows("test")
    codes = np.concatenate(list(subject.encode(rows).values()), 1).astype(np.float64)
    values = {n: rated.attributes[rows, i].astype(np.float64) for i, n in enumerate(CODED)}
    faders = dict(zip(CODED, columns, strict=True)) if columns else None
    found = table1.encoder(subject, rows)
    assert found == disentanglement.metrics(codes, values, faders)
    assert ("regularised_r2" in found) == (columns is not None)


def test_clusters_by_hand():
    """Eight labelled segments of four pieces, four more to test on; a code is above 0 where the high mean is near."""
    arousal = np.array([-0.5, -0.5, -0.5, 0.0, 0.5, 0.5, 0.5, 0.5, *[np.nan] * 4])  # row 3 is neither
    rhythm = np.array([-2, -2, 0.05, 9, 2, 2, 2, 2, 1, -1, 1, 1])  # of the low ones one is wrong, not by far
    note = np.array([-2, -2, -2, 9, 2, 2, -0.05, -0.05, -1, -1, -1, -1])  # two high ones are wrong, not by far
    codes = {
        name: np.stack([x, np.zeros(12)], 1).astype(np.float32) for name, x in (("rhythm", rhythm), ("note", note))
    }
    values = np.zeros((12, 2))
    values[8:] = [[0.1, 1], [0.2, 2], [0.3, 3], [0.5, 6]]
    mean = np.array([[-1, 0], [1, 0]], np.float32)
    subject = SimpleNamespace(
        means={"rhythm": mean, "note": mean},
        data=SimpleNamespace(arousal=arousal, piece=np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4]), attributes=values),
        labelled=np.arange(5),
        labelled_rows=lambda split: {"test": np.arange(8)}[split],
        encode=lambda rows: {name: code[rows] for name, code in codes.items()},
    )
    subject.arousal = lambda codes, means: Checkpoint.arousal(subject, codes, means)
    found = table1.clusters(subject, np.arange(8, 12), 0)
    assert (found["labelled_training_segments"], found["segments"], found["pieces"]) == (5, 7, 4)
    assert found["balanced_accuracy"] == 1  # together: the other code is surer
    assert found["high"] == 1
    assert found["rhythm"]["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["note"]["balanced_accuracy"] == pytest.approx((1 + 2 / 4) / 2)
    labelled, label = [0, 1, 2, 4, 5, 6, 7], [0, 0, 0, 1, 1, 1, 1]
    for name in codes:
        expected = silhouette_score(codes[name][labelled], label)
        assert found[name]["silhouette_by_label"] == pytest.approx(expected)
    own = found["rhythm"]  # rows 8, 10 and 11 are high, all in one place; row 9 is alone, which counts 0
    assert own["high_share"] == 0.75
    assert own["silhouette"] == pytest.approx(3 / 4)
    assert (own["rhythm_density_high"], own["rhythm_density_low"]) == pytest.approx((0.3, 0.2))
    assert (own["note_density_high"], own["note_density_low"]) == pytest.approx((10 / 3, 2))
    own = found["note"]  # none is high
    assert (own["high_share"], own["silhouette"]) == (0, 0)
    assert own["note_density_low"] == 3
    assert "note_density_high" not in own  # no segment is


@pytest.mark.parametrize("share", [0.3, 0.0])
def test_clusters_of_a_model_without_a_mixture(rated, tmp_path, monkeypatch, share):
    """The mean codes of the labelled training segments, its own or the paper's share, take the place of the means."""
    monkeypatch.setattr("fadernets.evaluation.checkpoint.LABEL_SHARE", 0.5)
    subject = toy(tmp_path / "run", "pati", rated, label_share=share)
    assert not subject.means
    rows = choose_rows(rated, replace(subject.recipe, label_share=share or 0.5)).labelled
    label = (rated.arousal[rows] > 0).astype(int)
    assert 0 < label.sum() < len(label)
    code = subject.encode(rows)["z"]
    expected = np.stack([code[label == 0].mean(0), code[label == 1].mean(0)])
    np.testing.assert_allclose(subject.label_means["z"], expected, rtol=1e-6)
    found = table1.clusters(subject, subject.corpus_rows("test"), 0)
    assert found["learned"] is False
    assert found["labelled_training_segments"] == len(rows)
    labelled, held_out = table1.held_out_labels(subject)
    near = [((z - expected) ** 2).sum(1).argmin() for z in subject.encode(labelled)["z"]]
    recalls = [np.mean(np.array(near)[held_out == c] == c) for c in (0, 1)]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))


def test_too_few_labels_for_clusters(performances, tmp_path):
    subject = toy(tmp_path / "run", "pati", performances, label_share=0.0, label_corpora=[])
    assert table1.means_of(subject) == {}


def test_what_is_cut():
    """A row of tokens without an end reached the most there may be."""
    raw = np.full((2, 3, 100), 50)
    raw[0, 0, 7] = raw[1, 2, 99] = performance_tokens.EOS
    assert table1.cut_share(raw, "tokens") == pytest.approx(4 / 6)
    assert table1.cut_share(np.zeros((2, 3, 2, 16, 88)), "grid") == 0


# The whole


def numbers(found):
    return [x for v in found.values() for x in (numbers(v) if isinstance(v, dict) else [v]) if not isinstance(x, str)]


@pytest.mark.parametrize("name", TOYS)
def test_every_documented_figure_is_there_and_finite(subjects, rated, few, name):
    subject, told = subjects(name), []
    judge = subjects("language-model")
    found = evaluate(subject, runs=1, seed=3, language_model=judge, progress=lambda *now: told.append(now))
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
    if name != "language-model" and table1.means_of(subject):  # a toy recipe gives hardly a label
        expected |= {"clusters"}
        assert set(subject.model.sizes) <= set(found["clusters"])
        assert found["clusters"]["learned"] == (name in ("mixture", "told", "gm-vae"))
    if name in FADERS:
        expected |= {"quality/real"}
        assert set(found["quality/real"]) == QUALITY | {"nats", "nats_a_token"}
        for attribute in CODED:
            expected.add(f"paper/{attribute}")
            assert set(found[f"paper/{attribute}"]) == PAPER
            for loop in LOOPS:
                expected |= {f"strict/{attribute}/{loop}", f"quality/{attribute}/{loop}"}
                assert set(found[f"strict/{attribute}/{loop}"]) == STRICT
                assert set(found[f"quality/{attribute}/{loop}"]) == QUALITY | {"nats", "nats_a_token"}
    assert set(found) == expected
    assert told == [(i + 1, len(told)) for i in range(len(told))]


def test_a_protocol_by_itself(subjects, few):
    subject = subjects("pati")
    both = evaluate(subject, runs=1)
    one, other = (evaluate(subject, (protocol,), runs=1) for protocol in ("paper", "strict"))
    assert {key for key in one if "/" in key} == {f"paper/{attribute}" for attribute in CODED}
    assert one == {key: both[key] for key in one}
    assert not [key for key in other if key.startswith("paper/")]
    assert set(one) | set(other) == set(both)
    assert "nats" not in both["quality/real"]


def test_figures_are_the_same_again(subjects, few):
    one, again, other = (evaluate(subjects("cvae"), ("paper",), runs=2, seed=seed) for seed in (0, 0, 1))
    assert one == again
    assert one["paper/note_density"] != other["paper/note_density"]


def test_clusters_need_held_out_labels_of_both_kinds(performances, tmp_path, few):
    """Every labelled segment of these performances is for training."""
    found = evaluate(toy(tmp_path / "run", "mixture", performances), ("paper",), runs=1)
    assert "clusters" not in found
    assert "reconstruction" in found


def test_evaluation_on_the_grid(songs, tmp_path, few):
    judge = toy(tmp_path / "judge", "language-model", songs)
    found = evaluate(toy(tmp_path / "run", "fader-networks", songs), runs=1, language_model=judge)
    assert np.isfinite(numbers(found)).all()
    floor = found["quality/real"]
    assert floor["nats_a_token"] == pytest.approx(floor["nats"] / 16)
