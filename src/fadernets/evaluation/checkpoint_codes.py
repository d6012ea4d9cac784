"""A checkpoint's reconstruction, its codes, and its arousal clusters (ISMIR 2020, Sections 4.2, 5.1 and 5.2).

Figures of posterior means on held-out segments: how much of a segment comes back, how well single dimensions stand for
attributes, and how well the clusters agree with arousal labels. N segments, Z latent size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fadernets.arrays import Indices, Latents
from fadernets.attributes.table import CODED, measure
from fadernets.engines.code_arithmetic import class_probabilities
from fadernets.evaluation.checkpoint import Checkpoint
from fadernets.metrics import disentanglement, fader_scores
from fadernets.metrics.fader_scores import Figures

BATCH = 512  # segments at once
SILHOUETTE_ROWS = 2000  # unlabelled segments that silhouettes are measured on


@torch.no_grad()
def reconstruction(checkpoint: Checkpoint, rows: Indices) -> Figures:
    """From posterior means: teacher-forced accuracy and nats; note precision, recall and F1 of free decodes.

    rows: [N] segments of the data set.
    """
    model, segments = checkpoint.model, checkpoint.segments(rows)
    order = np.argsort(checkpoint.data.lengths(rows), kind="stable")
    right, nats = np.zeros(2), 0.0
    for a in range(0, len(rows), BATCH):
        part = order[a : a + BATCH]
        inputs, lengths = checkpoint.inputs(rows[part])
        codes, key, asked = checkpoint.tensors(segments, segments.codes, segments.values, part)
        condition = model.condition(codes, key, asked)
        right += model.decoder.accuracy(condition, asked, inputs, lengths).sum(0).cpu().numpy()
        nats += float(model.decoder.loss(condition, asked, inputs, lengths)) * len(part)
    out = checkpoint.decode(segments, segments.codes, segments.values)
    hits = fader_scores.note_hits(out.cells[:, 0], segments.cells)
    measured = measure(out.cells[:, 0])
    errors = {f"{n}_error": float(np.abs(measured[n] - segments.values[:, i]).mean()) for i, n in enumerate(CODED)}
    return {
        "segments": float(len(rows)),
        "accuracy": float(right[0] / right[1]),
        "nats": nats / len(rows),
        **fader_scores.pooled_f1(hits),
        "chroma_similarity": float(fader_scores.chroma_similarity(out.cells[:, 0], segments.cells).mean()),
        **errors,
    }


def encoder(checkpoint: Checkpoint, rows: Indices) -> Figures:
    """Metrics of the codes themselves, as in AR-VAE (`metrics.disentanglement`), over all dimensions side by side."""
    codes = checkpoint.encode(rows)
    first_dimension, count = {}, 0
    for name, code in codes.items():
        first_dimension[name], count = count, count + code.shape[1]
    faders = {attribute: first_dimension[code] + d for attribute, (code, d) in checkpoint.model.faders.items()}
    values = np.asarray(checkpoint.data.attributes[rows], np.float64)
    return disentanglement.metrics(
        np.concatenate(list(codes.values()), 1).astype(np.float64),
        {name: values[:, i] for i, name in enumerate(CODED)},
        faders or None,
    )


def held_out_labels(checkpoint: Checkpoint) -> tuple[Indices, Indices]:
    """[N] the test segments that are labelled, and [N] their classes: low (0), high (1), or 0 to K - 1."""
    rows = checkpoint.labelled_rows("test")
    label = checkpoint.classes[rows]
    return rows[label >= 0], label[label >= 0]


def means_of(checkpoint: Checkpoint) -> dict[str, Latents]:
    """The means of the clusters: the mixture's or, for a model without one, those of its labelled training segments."""
    return checkpoint.means or checkpoint.label_means


def clusters(checkpoint: Checkpoint, rows: Indices, seed: int) -> dict[str, Any]:
    """Clusters (`means_of`) of the label that the recipe names on held-out pieces.

    On labelled segments: balanced accuracy and silhouette by label, of each code and of all together; for a model with
    faders the same without its regularised dimensions (`without_faders`), which lie much wider than the others, and the
    silhouettes of these alone (`faders_alone`); and what the attributes themselves tell, without a model
    (`attributes`). On the test segments `rows`: silhouette by inferred cluster, and the mean attributes of the
    clusters: `low` and `high`, or 0 to K - 1.
    """
    from sklearn.metrics import silhouette_score

    means = means_of(checkpoint)
    labelled, label = held_out_labels(checkpoint)
    pieces = np.asarray(checkpoint.data.piece[labelled])
    codes = checkpoint.encode(labelled)
    kinds = len(next(iter(means.values())))
    sides = ("low", "high") if kinds == 2 else tuple(map(str, range(kinds)))
    figures: dict[str, Any] = {
        "learned": bool(checkpoint.means),
        "labelled_training_segments": len(checkpoint.labelled),
        "segments": len(labelled),
        "pieces": len(np.unique(pieces)),
        **_told(checkpoint, codes, means, label, pieces),
    }
    figures["attributes"] = _attributes(checkpoint, labelled, label, pieces, kinds)
    rows = np.random.default_rng(seed).permutation(rows)[:SILHOUETTE_ROWS]
    unlabelled, values = checkpoint.encode(rows), np.asarray(checkpoint.data.attributes[rows], np.float64)
    for name, code in codes.items():
        inferred = class_probabilities(unlabelled[name], means[name]).argmax(-1)
        of_code: dict[str, float] = {
            "balanced_accuracy": _accuracy_of(codes[name], means[name], label, pieces),
            "silhouette_by_label": float(silhouette_score(code, label)),
            "silhouette": float(silhouette_score(unlabelled[name], inferred)) if len(np.unique(inferred)) > 1 else 0.0,
            "high_share": float((inferred == kinds - 1).mean()),
        }
        for i, attribute in enumerate(CODED):
            for c, side in reversed(list(enumerate(sides))):
                if (inferred == c).any():
                    of_code[f"{attribute}_{side}"] = float(values[inferred == c, i].mean())
        figures[name] = of_code
    if regularised := checkpoint.regularised:
        codes_left, means_left = (
            {name: np.delete(of[name], regularised.get(name, []), axis=-1) for name in codes} for of in (codes, means)
        )
        figures["without_faders"] = _told(checkpoint, codes_left, means_left, label, pieces) | {
            name: {
                "balanced_accuracy": _accuracy_of(code, means_left[name], label, pieces),
                "silhouette_by_label": float(silhouette_score(code, label)),
            }
            for name, code in codes_left.items()
        }
        figures["faders_alone"] = {n: float(silhouette_score(codes[n][:, d], label)) for n, d in regularised.items()}
    return figures


def _told(
    checkpoint: Checkpoint,
    codes: dict[str, Latents],
    means: dict[str, Latents],
    label: Indices,
    pieces: NDArray[np.integer],
) -> dict[str, Any]:
    """What all codes together tell of labelled segments: by their clusters, and as one space."""
    from sklearn.metrics import silhouette_score

    told = fader_scores.balanced_accuracy(checkpoint.class_probabilities(codes, means).argmax(-1), label, pieces)
    together = np.concatenate(list(codes.values()), 1)
    return {**told, "silhouette_by_label": float(silhouette_score(together, label))}


def _attributes(
    checkpoint: Checkpoint, rows: Indices, label: Indices, pieces: NDArray[np.integer], kinds: int
) -> dict[str, Figures]:
    """What each attribute tells of labelled rows: the class of the nearest mean of the labelled training segments.

    Empty where these have no segment of some class.
    """
    from sklearn.metrics import silhouette_score

    values = np.asarray(checkpoint.data.attributes, np.float64)
    known = checkpoint.classes[checkpoint.labelled]
    found: dict[str, Figures] = {}
    if len(np.unique(known[known >= 0])) < kinds:
        return found
    for i, name in enumerate(CODED):
        column = values[:, i : i + 1]
        taught = column[checkpoint.labelled]
        means = np.stack([taught[known == c].mean(0) for c in range(kinds)])
        found[name] = {
            "balanced_accuracy": _accuracy_of(column[rows], means, label, pieces),
            "silhouette_by_label": float(silhouette_score(column[rows], label)),
        }
    return found


def _accuracy_of(
    code: NDArray[np.floating], means: NDArray[np.floating], label: Indices, pieces: NDArray[np.integer]
) -> float:
    guess = class_probabilities(code, means).argmax(-1)
    return fader_scores.balanced_accuracy(guess, label, pieces)["balanced_accuracy"]
