"""Reconstruction, metrics of codes and clusters, worked out again the slow way."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score
from torch.nn import functional as F
from toy_runs import made_once, toy

from fadernets.attributes.table import CODED, measure
from fadernets.evaluation import checkpoint_codes
from fadernets.evaluation.checkpoint import Checkpoint
from fadernets.metrics import disentanglement, fader_scores
from fadernets.training.loop import choose_rows


@pytest.fixture(scope="module")
def trained(rated, tmp_path_factory):
    """A name of TOYS -> its checkpoint over the rated performances, made once."""
    return made_once(tmp_path_factory.mktemp("runs"), rated)


@torch.no_grad()
def test_reconstruction_row_by_row(trained, rated):
    checkpoint = trained("cvae")
    rows = checkpoint.corpus_rows("test")[:8]
    model, right, nats, found_cells = checkpoint.model, np.zeros(2), [], []
    for row in rows:
        segments = checkpoint.segments(np.array([row]))
        inputs, lengths = checkpoint.inputs(segments.rows)
        asked = torch.from_numpy(segments.values).float()
        codes = {"z": torch.from_numpy(segments.codes["z"])}
        condition = model.condition(codes, torch.eye(24)[None, int(segments.key[0])], asked)
        logits, truth = model.decoder.forced(condition, inputs, lengths)
        right += [(logits.argmax(-1) == truth).sum(), len(truth)]
        nats.append(F.cross_entropy(logits, truth, reduction="sum").item())
        found_cells.append(checkpoint.decode(segments, segments.codes, segments.values).cells[0, 0])
    cells, found = rated.cells(rows), checkpoint_codes.reconstruction(checkpoint, rows)
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
def test_metrics_of_codes_know_which_column_is_a_fader(trained, rated, name, columns):
    checkpoint = trained(name)
    rows = checkpoint.corpus_rows("test")
    codes = np.concatenate(list(checkpoint.encode(rows).values()), 1).astype(np.float64)
    values = {n: rated.attributes[rows, i].astype(np.float64) for i, n in enumerate(CODED)}
    faders = dict(zip(CODED, columns, strict=True)) if columns else None
    found = checkpoint_codes.encoder(checkpoint, rows)
    assert found == disentanglement.metrics(codes, values, faders)
    assert ("regularised_r2" in found) == (columns is not None)


def test_clusters_by_hand():
    """Eight labelled segments of four pieces, four more to test on; a code is above 0 where the high mean is near."""
    classes = np.array([0, 0, 0, -1, 1, 1, 1, 1, -1, -1, -1, -1])  # row 3 is neither low nor high
    rhythm = np.array([-2, -2, 0.05, 9, 2, 2, 2, 2, 1, -1, 1, 1])  # of the low ones one is wrong, not by far
    note = np.array([-2, -2, -2, 9, 2, 2, -0.05, -0.05, -1, -1, -1, -1])  # two high ones are wrong, not by far
    codes = {
        name: np.stack([x, np.zeros(12)], 1).astype(np.float32) for name, x in (("rhythm", rhythm), ("note", note))
    }
    values = np.zeros((12, 2))
    values[8:] = [[0.1, 1], [0.2, 2], [0.3, 3], [0.5, 6]]
    mean = np.array([[-1, 0], [1, 0]], np.float32)
    checkpoint = SimpleNamespace(
        means={"rhythm": mean, "note": mean},
        data=SimpleNamespace(piece=np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4]), attributes=values),
        classes=classes,
        labelled=np.arange(5),
        regularised={},
        labelled_rows=lambda split: {"test": np.arange(8)}[split],
        encode=lambda rows: {name: code[rows] for name, code in codes.items()},
    )
    checkpoint.class_probabilities = lambda codes, means: Checkpoint.class_probabilities(checkpoint, codes, means)
    found = checkpoint_codes.clusters(checkpoint, np.arange(8, 12), 0)
    assert (found["labelled_training_segments"], found["segments"], found["pieces"]) == (5, 7, 4)
    assert found["balanced_accuracy"] == 1  # together: the other code is surer
    assert found["high"] == 1
    assert found["rhythm"]["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["note"]["balanced_accuracy"] == pytest.approx((1 + 2 / 4) / 2)
    labelled, label = [0, 1, 2, 4, 5, 6, 7], [0, 0, 0, 1, 1, 1, 1]
    for name in codes:
        expected = silhouette_score(codes[name][labelled], label)
        assert found[name]["silhouette_by_label"] == pytest.approx(expected)
    assert found["attributes"]["note_density"]["balanced_accuracy"] == 0.5  # all are alike
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
    checkpoint = toy(tmp_path / "run", "pati", rated, label_share=share)
    assert not checkpoint.means
    rows = choose_rows(rated, replace(checkpoint.recipe, label_share=share or 0.5)).labelled
    label = (rated.arousal[rows] > 0).astype(int)
    assert 0 < label.sum() < len(label)
    code = checkpoint.encode(rows)["z"]
    expected = np.stack([code[label == 0].mean(0), code[label == 1].mean(0)])
    np.testing.assert_allclose(checkpoint.label_means["z"], expected, rtol=1e-6)
    found = checkpoint_codes.clusters(checkpoint, checkpoint.corpus_rows("test"), 0)
    assert found["learned"] is False
    assert found["labelled_training_segments"] == len(rows)
    labelled, held_out = checkpoint_codes.held_out_labels(checkpoint)
    near = [((z - expected) ** 2).sum(1).argmin() for z in checkpoint.encode(labelled)["z"]]
    recalls = [np.mean(np.array(near)[held_out == c] == c) for c in (0, 1)]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))


def test_too_few_labels_for_clusters(performances, tmp_path):
    checkpoint = toy(tmp_path / "run", "pati", performances, label_share=0.0, label_corpora=[])
    assert checkpoint_codes.means_of(checkpoint) == {}
