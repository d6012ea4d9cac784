"""Table 1 and beyond: every figure of a trained checkpoint on pieces it never saw (ISMIR 2020, Sections 4.2 and 5).

`paper` is Section 4.2 to the letter: T = 8 values of the fader between its training minimum (left out) and maximum,
M = 100 test segments, posterior means, 10 runs. `strict` asks for attribute values instead: T = 8, evenly spaced over
the training data's 5th to 95th percentile, the same segments for every model, in three loops. `open`: one decode at
the level that the training segments' own z^d give the value; `calibrated`: at the level whose decodes of validation
segments gave it; `closed`: of these decodes and the paper's, the one that measures nearest. Outputs are measured in
units of the training data's standard deviation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fadernets.attributes.table import CODED, measure
from fadernets.codecs import grid
from fadernets.data.dataset import attribute_statistics, label_of
from fadernets.engines.code_arithmetic import Calibration, cluster_probability
from fadernets.evaluation.checkpoint import Checkpoint, Looked, Outputs
from fadernets.evaluation.decoding_loops import LOOPS, values_to_ask
from fadernets.metrics import cell_counts, disentanglement, fader_scores, frechet, note_features
from fadernets.metrics.fader_scores import Figures

Floats = NDArray[np.float64]
PROTOCOLS = ("paper", "strict")
M, T = 100, 8
CALIBRATION_ROWS, CALIBRATION_LEVELS = 128, 16
SILHOUETTE_ROWS = 2000
Progress = Callable[[int, int], None]


def evaluate(
    subject: Checkpoint,
    protocols: tuple[str, ...] = PROTOCOLS,
    *,
    runs: int = 10,
    seed: int = 0,
    language_model: Checkpoint | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Every figure of a checkpoint on the test split of its data set.

    language_model: the independent one that rates outputs, over the same data set. Keys: reconstruction, encoder,
    clusters where the model has them and held-out pieces have labels of both kinds, `paper/ATTRIBUTE`,
    `strict/ATTRIBUTE/LOOP`, `quality/ATTRIBUTE/LOOP`, and `quality/real` for held-out segments themselves.
    """
    test = subject.corpus_rows("test")
    bench = Bench(subject, test, runs, seed, language_model)
    jobs: list[tuple[str, Callable[[], Any]]] = []
    if subject.model.sizes:
        jobs.append(("reconstruction", lambda: reconstruction(subject, test)))
        jobs.append(("encoder", lambda: encoder(subject, test)))
    if subject.model.sizes and len(np.unique(held_out_labels(subject)[1])) > 1 and means_of(subject):
        jobs.append(("clusters", lambda: clusters(subject, test, seed)))
    for name in subject.faders:
        jobs.append((name, lambda n=name: bench.fader(n, protocols)))  # type: ignore[misc]
    if subject.faders and "strict" in protocols:
        jobs.append(("quality/real", bench.floor))
    found: dict[str, Any] = {
        "model": subject.config["recipe"]["name"],
        "run": subject.folder.name,
        "step": subject.config["step"],
        "trained_at": subject.config.get("commit", ""),
        "data": subject.data.hash,
        "runs": runs,
        "seed": seed,
        "spread": dict(zip(CODED, bench.spread.tolist(), strict=True)),
    }
    for i, (name, job) in enumerate(jobs):
        figures = job()
        found |= figures if name in CODED else {name: figures}
        if progress:
            progress(i + 1, len(jobs))
    return found


class Bench:
    """The faders of one model: levels worked out once, every run's decodes shared by the protocols."""

    def __init__(
        self, subject: Checkpoint, test: NDArray[np.int64], runs: int, seed: int, language_model: Checkpoint | None
    ) -> None:
        self.subject, self.test, self.runs, self.seed, self.judge = subject, test, runs, seed, language_model
        values = np.asarray(subject.data.attributes[subject.rows.train], np.float32)
        self.statistics = attribute_statistics(values, subject.data.manifest["attributes"])
        self.spread = np.array([self.statistics[name]["std"] for name in CODED])
        self.real = note_features.features(subject.data.cells(test))[0]
        self.real_scale = frechet.scale_of(self.real)
        self.draws: list[Looked] = []

    def samples(self, run: int) -> Looked:
        """The M segments of a run: the same for every fader and, with one seed, for every model."""
        if not self.draws:
            self.draws = [
                self.subject.look(np.random.default_rng([self.seed, r]).permutation(self.test)[:M])
                for r in range(self.runs)
            ]
        return self.draws[run]

    def fader(self, name: str, protocols: tuple[str, ...]) -> dict[str, Any]:
        """Every figure of one fader: `paper/NAME`, `strict/NAME/LOOP`, `quality/NAME/LOOP`."""
        levels = {"paper": self.paper_levels(name)}
        asked = values_to_ask(name, self.statistics[name])
        if "strict" in protocols:
            levels |= {"open": self.open_levels(name, asked), "calibrated": self.calibrated_levels(name, asked)}
        figures: dict[str, list[Figures]] = {}
        kept: dict[str, list[Outputs]] = {}
        for run in range(self.runs):
            looked = self.samples(run)
            out = {way: self.subject.slide(looked, name, where) for way, where in levels.items()}
            if "paper" in protocols:
                one = fader_scores.paper(out["paper"].cells, name, levels["paper"], self.spread)
                one["cut"] = cut_share(out["paper"].raw, self.subject.data.codec.end)
                figures.setdefault(f"paper/{name}", []).append(one)
            if "strict" in protocols:
                out["closed"] = choose(Outputs.join(list(out.values())), looked, name, asked, self.spread)
                for loop in LOOPS:
                    one = fader_scores.strict(out[loop].cells, looked.cells, name, asked, self.spread)
                    one["cut"] = cut_share(out[loop].raw, self.subject.data.codec.end)
                    figures.setdefault(f"strict/{name}/{loop}", []).append(one)
                    kept.setdefault(loop, []).append(out[loop])
        found: dict[str, Any] = {key: fader_scores.over_runs(each) for key, each in figures.items()}
        for loop, some in kept.items():
            raw, cells = (
                np.concatenate([getattr(o, kind).reshape(-1, *getattr(o, kind).shape[2:]) for o in some])
                for kind in ("raw", "cells")
            )
            found[f"quality/{name}/{loop}"] = self.quality(raw, cells)
        return found

    # --- levels: where a fader is slid to

    def range_of(self, name: str) -> tuple[float, float]:
        values, zd = self.subject.training
        own = zd[name] if name in zd else values[:, list(CODED).index(name)]
        return float(own.min()), float(own.max())

    def paper_levels(self, name: str) -> Floats:
        """min + t / T (max - min), t = 1..T, of z^d over the training set (Section 4.2), or of the attribute itself."""
        low, high = self.range_of(name)
        return low + np.arange(1, T + 1) / T * (high - low)

    def open_levels(self, name: str, asked: Floats) -> Floats:
        if self.subject.faders[name] == "given":
            return asked
        return np.asarray(self.subject.opened(name).to_zd(asked), np.float64)

    def calibrated_levels(self, name: str, asked: Floats) -> Floats:
        """Where decodes of validation segments, slid over the whole range, measured what is asked."""
        low, high = self.range_of(name)
        rows = np.random.default_rng(self.seed).permutation(self.subject.corpus_rows("validation"))
        looked = self.subject.look(rows[:CALIBRATION_ROWS])
        levels = np.linspace(low, high, CALIBRATION_LEVELS)
        measured = CODED[name].measure(self.subject.slide(looked, name, levels).cells)  # [S, levels]
        curve = Calibration.fit(np.tile(levels, len(looked.rows)), measured.reshape(-1))
        return np.clip(curve.to_value(asked), low, high)

    # --- quality

    def quality(self, raw: NDArray[Any], cells: NDArray[np.uint8]) -> Figures:
        """How like held-out real segments outputs are: Frechet distance at half the real segments' number, plain
        counts, and nats under the independent language model."""
        n = min(len(self.real) // 2, len(cells))
        pick = np.random.default_rng(self.seed)
        found, real = pick.permutation(note_features.features(cells)[0])[:n], pick.permutation(self.real)[:n]
        figures = {
            "frechet": frechet.distance(found, real, self.real_scale),
            "n": float(n),
            **cell_counts.counts(cells),
        }
        return figures | self.nats(raw)

    def nats(self, raw: NDArray[Any]) -> Figures:
        if self.judge is None:
            return {}
        return likelihood(self.judge, raw.reshape(-1, *raw.shape[-self.subject.coding.dimensions :]))

    def floor(self) -> Figures:
        """The same figures of real held-out segments, one half against the other."""
        n = min(len(self.real) // 2, self.runs * M * T)
        figures = {"frechet": frechet.split_floor(self.real, n, self.seed, self.real_scale), "n": float(n)}
        raw = self.subject.inputs(self.test)[0].cpu().numpy()
        return figures | cell_counts.counts(self.subject.data.cells(self.test)) | self.nats(raw)


def cut_share(raw: NDArray[Any], end: int | None) -> float:
    """Share of the decodes [..., 100] of tokens that reach the most a segment may have without its `end`: they count
    as they are. 0 for a codec whose segments need none."""
    return 0.0 if end is None else float((raw != end).all(-1).mean())


def choose(options: Outputs, looked: Looked, name: str, asked: Floats, spread: Floats) -> Outputs:
    """Closed loop: of each segment's candidates [M, C, ...] the one that measures nearest to each asked value [T];
    among equals, the one whose other attributes are nearest to the source's."""
    measured = np.stack([row.measure(options.cells) for row in CODED.values()], -1)  # [M, C, A]
    a = list(CODED).index(name)
    others = (np.abs(measured - looked.values[:, None]) / spread)[..., [i for i in range(len(CODED)) if i != a]]
    miss = np.abs(measured[:, None, :, a] - asked[None, :, None]) / spread[a]  # [M, T, C]
    best = (np.round(miss, 6) * 1e9 + others.sum(-1)[:, None]).argmin(-1)  # [M, T]
    rows = np.arange(len(best))[:, None]
    return Outputs(options.raw[rows, best], options.cells[rows, best])


@torch.no_grad()
def likelihood(judge: Checkpoint, raw: NDArray[Any]) -> Figures:
    """Mean nats of codes [N, ...] under a language model, a segment and a token (or step)."""
    nats, length = 0.0, 0
    counts = judge.coding.lengths(raw)
    order = np.argsort(counts, kind="stable")
    for a in range(0, len(raw), 512):
        part = order[a : a + 512]
        lengths = torch.from_numpy(counts[part]).to(judge.device)
        rows = judge.coding.decodes(raw[part], int(counts[part].max())).to(judge.device)
        key = torch.zeros(len(part), 24, device=judge.device)
        asked = torch.zeros(len(part), len(CODED), device=judge.device)
        loss = judge.model.decoder.loss(judge.model.condition({}, key, asked), asked, rows, lengths)
        nats += float(loss) * len(part)
        length += int(lengths.sum())
    return {"nats": nats / len(raw), "nats_a_token": nats / max(length, 1)}


def judge_of(judge: Checkpoint) -> Callable[[NDArray[np.uint8]], float]:
    """Mean nats a segment that a language model of the grid finds in cells [N, 16, 88]."""

    def nats(cells: NDArray[np.uint8]) -> float:
        planes = np.stack([cells == grid.ONSET, cells == grid.HOLD], 1)
        return likelihood(judge, planes)["nats"]

    return nats


# --- reconstruction, codes, clusters


@torch.no_grad()
def reconstruction(subject: Checkpoint, rows: NDArray[np.int64]) -> Figures:
    """From posterior means: teacher-forced accuracy and nats, note precision, recall and F1 of free decodes."""
    model, looked = subject.model, subject.look(rows)
    order = np.argsort(subject.data.lengths(rows), kind="stable")
    right, nats = np.zeros(2), 0.0
    for a in range(0, len(rows), 512):
        part = order[a : a + 512]
        inputs, lengths = subject.inputs(rows[part])
        codes, key, asked = subject.tensors(looked, looked.codes, looked.values, part)
        condition = model.condition(codes, key, asked)
        right += model.decoder.accuracy(condition, asked, inputs, lengths).sum(0).cpu().numpy()
        nats += float(model.decoder.loss(condition, asked, inputs, lengths)) * len(part)
    out = subject.decode(looked, looked.codes, looked.values)
    hits = fader_scores.note_hits(out.cells[:, 0], looked.cells)
    found = measure(out.cells[:, 0])
    errors = {f"{n}_error": float(np.abs(found[n] - looked.values[:, i]).mean()) for i, n in enumerate(CODED)}
    return {
        "segments": float(len(rows)),
        "accuracy": float(right[0] / right[1]),
        "nats": nats / len(rows),
        **fader_scores.pooled_f1(hits),
        "chroma_similarity": float(fader_scores.chroma_similarity(out.cells[:, 0], looked.cells).mean()),
        **errors,
    }


def encoder(subject: Checkpoint, rows: NDArray[np.int64]) -> Figures:
    """Metrics of the codes themselves, as in AR-VAE, over all dimensions side by side."""
    codes = subject.encode(rows)
    first, at = {}, 0
    for name, code in codes.items():
        first[name], at = at, at + code.shape[1]
    faders = {attribute: first[code] + d for attribute, (code, d) in subject.model.faders.items()}
    values = np.asarray(subject.data.attributes[rows], np.float64)
    return disentanglement.metrics(
        np.concatenate(list(codes.values()), 1).astype(np.float64),
        {name: values[:, i] for i, name in enumerate(CODED)},
        faders or None,
    )


def held_out_labels(subject: Checkpoint) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Test segments that are labelled low (0) or high (1), and these labels."""
    rows = subject.labelled_rows("test")
    label = label_of(np.asarray(subject.data.arousal[rows], np.float32))
    return rows[label >= 0], label[label >= 0]


def means_of(subject: Checkpoint) -> dict[str, NDArray[np.float32]]:
    """The means of the clusters: the mixture's, or for a model without one those of its labelled training segments."""
    return subject.means or subject.label_means


def clusters(subject: Checkpoint, rows: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """Arousal clusters (`means_of`) on labelled segments of held-out pieces: balanced accuracy of each code and of both
    together, silhouette by label; on the test segments `rows`: silhouette by inferred cluster, mean attributes."""
    from sklearn.metrics import silhouette_score

    means = means_of(subject)
    labelled, label = held_out_labels(subject)
    pieces = np.asarray(subject.data.piece[labelled])
    codes = subject.encode(labelled)
    high = {name: cluster_probability(code, means[name]) for name, code in codes.items()}
    found: dict[str, Any] = {
        "learned": bool(subject.means),
        "labelled_training_segments": len(subject.labelled),
        "segments": len(labelled),
        "pieces": len(np.unique(pieces)),
        **fader_scores.balanced_accuracy(subject.arousal(codes, means) >= 0.5, label, pieces),
    }
    rows = np.random.default_rng(seed).permutation(rows)[:SILHOUETTE_ROWS]
    unlabelled, values = subject.encode(rows), np.asarray(subject.data.attributes[rows], np.float64)
    for name, code in codes.items():
        inferred = cluster_probability(unlabelled[name], means[name]) >= 0.5
        own: dict[str, float] = {
            "balanced_accuracy": fader_scores.balanced_accuracy(high[name] >= 0.5, label, pieces)["balanced_accuracy"],
            "silhouette_by_label": float(silhouette_score(code, label)),
            "silhouette": float(silhouette_score(unlabelled[name], inferred))
            if 0 < inferred.sum() < len(rows)
            else 0.0,
            "high_share": float(inferred.mean()),
        }
        for i, attribute in enumerate(CODED):
            for side, mask in (("high", inferred), ("low", ~inferred)):
                if mask.any():
                    own[f"{attribute}_{side}"] = float(values[mask, i].mean())
        found[name] = own
    return found
