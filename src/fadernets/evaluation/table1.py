"""Table 1 and more: every figure of a trained checkpoint on pieces it never saw (ISMIR 2020, Sections 4.2 and 5).

The `paper` protocol is Section 4.2: T = 8 positions of the fader between its training minimum (left out)
and maximum, M = 100 test segments, posterior means, 10 runs. The `strict` protocol asks for attribute values instead: T
= 8, evenly spaced over the training data's 5th to 95th percentile, the same segments for every checkpoint, in three
loops. `open` decodes once, at the position at which the training segments have the value; `calibrated` decodes once, at
the position whose decodes of validation segments measured the value; `best-of-n` takes, of these two decodes and those
of the `paper` protocol, the one that measures nearest. Outputs are measured in units of the training data's standard
deviation. All is measured on the corpora that give no labels, as the table's caption has it, also where labelled ones
are reconstructed. The `authors` protocol is that of their scripts: `authors_protocol`. No protocol shows how outputs
sound: see the listening studies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fadernets.arrays import Array, Cells, Floats, Indices
from fadernets.attributes.table import CODED
from fadernets.data.dataset import attribute_statistics
from fadernets.engines.code_arithmetic import Calibration
from fadernets.evaluation import authors_protocol
from fadernets.evaluation.checkpoint import Checkpoint, HeldOutSegments, Outputs
from fadernets.evaluation.checkpoint_codes import clusters, encoder, held_out_labels, means_of, reconstruction
from fadernets.evaluation.decoding_loops import values_to_ask
from fadernets.evaluation.likelihood import likelihood
from fadernets.evaluation.table1_tables import BEST_OF_N, LOOPS
from fadernets.metrics import cell_counts, fader_scores, frechet, note_features
from fadernets.metrics.fader_scores import Figures

PROTOCOLS = ("paper", "strict", "authors")
M, T = 100, 8  # segments of a run, positions of a fader (Section 4.2)
CALIBRATION_ROWS, CALIBRATION_LEVELS = 128, 16
MISS_DECIMALS = 6  # of a standard deviation: candidates that miss by the same are equally near
Progress = Callable[[int, int], None]


def evaluate(
    checkpoint: Checkpoint,
    protocols: tuple[str, ...] = PROTOCOLS,
    *,
    runs: int = 10,
    seed: int = 0,
    language_model: Checkpoint | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Every figure of a checkpoint on the test split of its data set.

    protocols: which of PROTOCOLS; runs: of M segments each; seed: draws the segments. language_model: an independent
    one over the same data set, which rates outputs. progress: called with the number of parts done and of all parts.
    Keys: reconstruction, encoder, clusters where the model has them and held-out pieces have labels of both kinds,
    `paper/ATTRIBUTE`, `authors/ATTRIBUTE`, `strict/ATTRIBUTE/LOOP`, `quality/ATTRIBUTE/LOOP`, and `quality/real` for
    held-out segments.
    """
    test = checkpoint.measured_rows("test")
    faders = FaderProtocols(checkpoint, test, runs, seed, language_model)
    jobs: list[tuple[str, Callable[[], Any]]] = []
    if checkpoint.model.sizes:
        jobs.append(("reconstruction", lambda: reconstruction(checkpoint, test)))
        jobs.append(("encoder", lambda: encoder(checkpoint, test)))
    if checkpoint.model.sizes and len(np.unique(held_out_labels(checkpoint)[1])) > 1 and means_of(checkpoint):
        jobs.append(("clusters", lambda: clusters(checkpoint, test, seed)))
    for name in checkpoint.faders:
        jobs.append((name, lambda n=name: faders.fader(n, protocols)))  # type: ignore[misc]
    if checkpoint.faders and "strict" in protocols:
        jobs.append(("quality/real", faders.floor))
    results: dict[str, Any] = {
        "model": checkpoint.config["recipe"]["name"],
        "run": checkpoint.folder.name,
        "step": checkpoint.config["step"],
        "trained_at": checkpoint.config.get("commit", ""),
        "data": checkpoint.data.hash,
        "runs": runs,
        "seed": seed,
        "spread": dict(zip(CODED, faders.deviations.tolist(), strict=True)),
    }
    for i, (name, job) in enumerate(jobs):
        figures = job()
        results |= figures if name in CODED else {name: figures}
        if progress:
            progress(i + 1, len(jobs))
    return results


class FaderProtocols:
    """The protocols over the faders of one checkpoint; both measure the same decodes of each run."""

    def __init__(
        self, checkpoint: Checkpoint, test: Indices, runs: int, seed: int, language_model: Checkpoint | None
    ) -> None:
        self.checkpoint, self.test, self.runs, self.seed = checkpoint, test, runs, seed
        self.language_model = language_model
        values = np.asarray(checkpoint.data.attributes[checkpoint.measured_training_rows], np.float32)
        self.statistics = attribute_statistics(values, checkpoint.data.manifest["attributes"])
        self.deviations = np.array([self.statistics[name]["std"] for name in CODED])
        self.real = note_features.features(checkpoint.data.cells(test))[0]
        self.real_scale = frechet.scale_of(self.real)
        self.drawn: list[HeldOutSegments] = []

    def samples(self, run: int) -> HeldOutSegments:
        """The M segments of a run: the same for every fader and, with the same seed, for every checkpoint."""
        if not self.drawn:
            self.drawn = [
                self.checkpoint.segments(np.random.default_rng([self.seed, r]).permutation(self.test)[:M])
                for r in range(self.runs)
            ]
        return self.drawn[run]

    def fader(self, name: str, protocols: tuple[str, ...]) -> dict[str, Any]:
        """Every figure of one fader: `paper/NAME`, `strict/NAME/LOOP`, `quality/NAME/LOOP`, `authors/NAME`."""
        levels = {"paper": self.paper_levels(name)} if {"paper", "strict"} & set(protocols) else {}
        asked = values_to_ask(name, self.statistics[name])
        if "strict" in protocols:
            levels |= {"open": self.open_levels(name, asked), "calibrated": self.calibrated_levels(name, asked)}
        figures: dict[str, list[Figures]] = {}
        outputs: dict[str, list[Outputs]] = {}
        for run in range(self.runs):
            segments = self.samples(run)
            wanted = {
                loop: at for loop, at in levels.items() if loop != "paper" or {"paper", "strict"} & set(protocols)
            }
            out = {loop: self.checkpoint.slide(segments, name, positions) for loop, positions in wanted.items()}
            if "paper" in protocols:
                run_figures = fader_scores.paper(out["paper"].cells, name, levels["paper"], self.deviations)
                run_figures["cut"] = cut_share(out["paper"].raw, self.checkpoint.data.codec.end)
                figures.setdefault(f"paper/{name}", []).append(run_figures)
            if "authors" in protocols:
                draws = np.random.default_rng([self.seed, run])
                where = authors_protocol.positions(self.checkpoint, name, self.test, np.random.default_rng(self.seed))
                of_run = authors_protocol.figures(
                    self.checkpoint, draws.permutation(self.test), name, where, self.deviations, draws
                )
                figures.setdefault(f"authors/{name}", []).append(of_run)
            if "strict" in protocols:
                candidates = Outputs.join(list(out.values()))
                out[BEST_OF_N] = choose_nearest(candidates, segments, name, asked, self.deviations)
                for loop in LOOPS:
                    run_figures = fader_scores.strict(out[loop].cells, segments.cells, name, asked, self.deviations)
                    run_figures["cut"] = cut_share(out[loop].raw, self.checkpoint.data.codec.end)
                    figures.setdefault(f"strict/{name}/{loop}", []).append(run_figures)
                    outputs.setdefault(loop, []).append(out[loop])
        results: dict[str, Any] = {key: fader_scores.over_runs(each) for key, each in figures.items()}
        for loop, of_runs in outputs.items():
            raw, cells = (
                np.concatenate([getattr(o, kind).reshape(-1, *getattr(o, kind).shape[2:]) for o in of_runs])
                for kind in ("raw", "cells")
            )
            results[f"quality/{name}/{loop}"] = self.quality(raw, cells)
        return results

    # --- the positions of a fader

    def range_of(self, name: str) -> tuple[float, float]:
        """Least and greatest z^d of a fader over the training set, or of the attribute that the decoder is given."""
        values, zd = self.checkpoint.training
        positions = zd[name] if name in zd else values[:, list(CODED).index(name)]
        return float(positions.min()), float(positions.max())

    def paper_levels(self, name: str) -> Floats:
        """min + t / T (max - min), t = 1..T, of z^d over the training set (Section 4.2), or of the attribute itself."""
        low, high = self.range_of(name)
        return low + np.arange(1, T + 1) / T * (high - low)

    def open_levels(self, name: str, asked: Floats) -> Floats:
        """[T] the positions at which the training segments have the asked values [T]."""
        if self.checkpoint.faders[name] == "given":
            return asked
        return np.asarray(self.checkpoint.training_curve(name).to_zd(asked), np.float64)

    def calibrated_levels(self, name: str, asked: Floats) -> Floats:
        """[T] the positions at which decodes of validation segments measured the asked values [T]."""
        low, high = self.range_of(name)
        rows = np.random.default_rng(self.seed).permutation(self.checkpoint.measured_rows("validation"))
        segments = self.checkpoint.segments(rows[:CALIBRATION_ROWS])
        levels = np.linspace(low, high, CALIBRATION_LEVELS)
        measured = CODED[name].measure(self.checkpoint.slide(segments, name, levels).cells)  # [S, levels]
        curve = Calibration.fit(np.tile(levels, len(segments.rows)), measured.reshape(-1))
        return np.clip(curve.to_value(asked), low, high)

    # --- quality

    def quality(self, raw: Array, cells: Cells) -> Figures:
        """How near outputs [N, ...] are to held-out real segments.

        Frechet distance at up to half as many outputs as there are real segments, plain counts, and nats under the
        independent language model.
        """
        n = min(len(self.real) // 2, len(cells))
        pick = np.random.default_rng(self.seed)
        outputs, real = pick.permutation(note_features.features(cells)[0])[:n], pick.permutation(self.real)[:n]
        figures = {
            "frechet": frechet.distance(outputs, real, self.real_scale),
            "n": float(n),
            **cell_counts.counts(cells),
        }
        return figures | self.nats(raw)

    def nats(self, raw: Array) -> Figures:
        """`likelihood` of outputs under the language model; nothing without one."""
        if self.language_model is None:
            return {}
        return likelihood(self.language_model, raw.reshape(-1, *raw.shape[-self.checkpoint.coding.dimensions :]))

    def floor(self) -> Figures:
        """`quality` of held-out real segments, one half beside the other."""
        n = min(len(self.real) // 2, self.runs * M * T)
        figures = {"frechet": frechet.split_floor(self.real, n, self.seed, self.real_scale), "n": float(n)}
        raw = self.checkpoint.inputs(self.test)[0].cpu().numpy()
        return figures | cell_counts.counts(self.checkpoint.data.cells(self.test)) | self.nats(raw)


def cut_share(raw: Array, end: int | None) -> float:
    """Share of the decodes [..., 100] that fill a segment without its `end` token: they are measured as they are.

    0 for a codec whose segments have no end token.
    """
    return 0.0 if end is None else float((raw != end).all(-1).mean())


def choose_nearest(
    candidates: Outputs, segments: HeldOutSegments, name: str, asked: Floats, deviations: Floats
) -> Outputs:
    """Best of n: of each segment's candidates [M, C, ...] the one that measures nearest to each asked value [T].

    Between candidates equally near (to 6 decimals of a standard deviation), the one whose other attributes are nearest
    to the source's; between these, the first. deviations: [A] standard deviations of the training data.
    """
    measured = np.stack([row.measure(candidates.cells) for row in CODED.values()], -1)  # [M, C, A]
    a = list(CODED).index(name)
    moved = np.abs(measured - segments.values[:, None]) / deviations
    others = np.delete(moved, a, axis=-1).sum(-1)  # [M, C]
    miss = np.abs(measured[:, None, :, a] - asked[None, :, None]) / deviations[a]  # [M, T, C]
    miss = miss.round(MISS_DECIMALS)
    nearest = miss == miss.min(-1, keepdims=True)
    best = np.where(nearest, others[:, None], np.inf).argmin(-1)  # [M, T]
    rows = np.arange(len(best))[:, None]
    return Outputs(candidates.raw[rows, best], candidates.cells[rows, best])
