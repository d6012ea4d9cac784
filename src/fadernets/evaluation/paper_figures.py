"""The figures of ISMIR 2020, Section 5, for a trained run: what is drawn, of which segments, and the numbers beside.

Each writes PNG, SVG and JSON, and returns {"files": [...], ...}.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes.table import CODED
from fadernets.codecs import performance_tokens
from fadernets.data.dataset import Dataset
from fadernets.engines.code_arithmetic import cluster_probability
from fadernets.errors import FadernetsError
from fadernets.evaluation import arousal_transfer as arousal
from fadernets.evaluation.checkpoint import Checkpoint
from fadernets.evaluation.table1 import clusters, held_out_labels
from fadernets.figures import plots, rolls
from fadernets.figures.plots import Panel
from fadernets.files import write_atomic
from fadernets.provenance import provenance

ROLLS = 4  # before / after pictures, two a direction


def latents(
    run: Path,
    data: Path,
    out: Path,
    beside: Path | None,
    segments: int,
    seed: int,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Figure 3 (each code by t-SNE, coloured by density, z^d and inferred cluster) and, with another run beside,
    Figure 4 (the clusters with and without low-level features)."""
    dataset = Dataset.open(data)
    subject = Checkpoint(run, dataset, device)
    other = Checkpoint(beside, dataset, device) if beside is not None else None
    if not subject.model.sizes:
        raise FadernetsError(f"{run}: {subject.config['recipe']['name']} has no codes to draw")
    for one in (subject, other):
        if one is not None and other is not None and not one.means:
            raise FadernetsError(f"--beside: both runs need arousal clusters; {one.folder} has none")
    first, second = _names(run, beside)
    out.mkdir(parents=True, exist_ok=True)
    rows = np.random.default_rng(seed).permutation(subject.corpus_rows("test"))[:segments]
    total, done = sum(len(one.model.sizes) for one in (subject, other) if one is not None), 0

    def mapped() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    maps = _maps(subject, rows, seed, mapped)
    values = np.asarray(dataset.attributes[rows], np.float64)
    files = [out / f"latents.{kind}" for kind in ("png", "svg")]
    plots.scatters(_panels(subject, maps, values), files, f"{first}: codes of {len(rows)} held-out segments")
    numbers = {first: _clusters(subject, seed)}
    if other is not None:
        numbers[second] = _clusters(other, seed)
        line = [
            Panel(f"{title}: {name}", points, high, clusters=True)
            for title, some in ((first, maps), (second, _maps(other, rows, seed, mapped)))
            for name, (_, points, high) in some.items()
            if high is not None
        ]
        pair = [out / f"clusters.{kind}" for kind in ("png", "svg")]
        plots.scatters([line], pair, "Arousal clusters with and without low-level features")
        files += pair
    return _finish(out / "latents.json", files, {"clusters": numbers})


def _names(run: Path, beside: Path | None) -> tuple[str, str]:
    """What the two runs are called: by their folders, in full where these are called alike."""
    if beside is None:
        return run.name, ""
    return (run.name, beside.name) if run.name != beside.name else (str(run), str(beside))


def _clusters(subject: Checkpoint, seed: int) -> dict[str, Any]:
    """Figures of the clusters; none where a model has none, or held-out pieces have no labels of both kinds."""
    if not subject.means or len(np.unique(held_out_labels(subject)[1])) < 2:
        return {}
    return clusters(subject, subject.corpus_rows("test"), seed)


Maps = dict[str, tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_] | None]]


def _panels(subject: Checkpoint, maps: Maps, values: NDArray[np.float64]) -> list[list[Panel]]:
    """A row a code: its own fader's attribute and z^d; every attribute where the code has no fader; the clusters."""
    rows = []
    for name, (code, points, high) in maps.items():
        dimensions = {attribute: d for attribute, (of, d) in subject.model.faders.items() if of == name}
        row = []
        for i, (attribute, about) in enumerate(CODED.items()):
            title = attribute.replace("_", " ")
            if attribute in dimensions or not dimensions:
                row.append(Panel(f"{name}: {title}", points, values[:, i], unit=about.unit))
            if attribute in dimensions:
                row.append(Panel(f"{name}: $z^d$ of {title}", points, code[:, dimensions[attribute]]))
        if high is not None:
            row.append(Panel(f"{name}: inferred arousal", points, high, clusters=True))
        rows.append(row)
    return rows


def _maps(subject: Checkpoint, rows: NDArray[np.int64], seed: int, report: Callable[[], None]) -> Maps:
    """Code -> its posterior means, their t-SNE map, and which segments lie in the high cluster."""
    found: Maps = {}
    for name, code in subject.encode(rows).items():
        high = cluster_probability(code, subject.means[name]) >= 0.5 if subject.means else None
        found[name] = (code, plots.tsne(code, seed), high)
        report()
    return found


def labels(
    runs: Sequence[Path],
    data: Path,
    out: Path,
    seed: int,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Cluster separation over the number of labels in training: one point a run, each with clusters of its own."""
    dataset = Dataset.open(data)
    rows: list[dict[str, Any]] = []
    for i, run in enumerate(runs):
        subject = Checkpoint(run, dataset, device)
        found = _clusters(subject, seed) if subject.means else {}
        if not found:
            raise FadernetsError(f"{run}: has no arousal clusters, or {data} no held-out labels of both kinds")
        count = found["labelled_training_segments"]
        codes = [found[name] for name in subject.model.sizes]
        best = max(codes, key=lambda code: code["balanced_accuracy"])
        rows.append(
            {
                "run": run.name,
                "labels": count,
                "share": count / len(subject.rows.train),
                "balanced_accuracy": found["balanced_accuracy"],
                "low": found["low"],
                "high": found["high"],
                "best_code": best["balanced_accuracy"],
                "silhouette": float(np.mean([code["silhouette"] for code in codes])),
                "silhouette_by_label": float(np.mean([code["silhouette_by_label"] for code in codes])),
                "clusters": found,
            }
        )
        if progress:
            progress(i + 1, len(runs))
    rows.sort(key=lambda row: row["labels"])
    if not rows[0]["labels"] or len({row["labels"] for row in rows}) < len(rows):
        raise FadernetsError("plot labels: the runs need unlike numbers of labels, each above 0 (train --sweep)")
    out.mkdir(parents=True, exist_ok=True)
    files = [out / f"labels.{kind}" for kind in ("png", "svg")]
    plots.curves(
        [row["labels"] for row in rows],
        {
            "balanced accuracy, all codes": [row["balanced_accuracy"] for row in rows],
            "balanced accuracy, best code": [row["best_code"] for row in rows],
            "silhouette by inferred cluster": [row["silhouette"] for row in rows],
            "silhouette by label": [row["silhouette_by_label"] for row in rows],
        },
        files,
        title="Arousal clusters on held-out pieces",
        label="labelled segments in training",
        bands={"balanced accuracy, all codes": ([row["low"] for row in rows], [row["high"] for row in rows])},
        log=True,
    )
    return _finish(out / "labels.json", files, {"runs": rows})


def transfer(
    run: Path,
    data: Path,
    out: Path,
    seed: int,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Section 5.2: agreement of an independent regressor by strength, the curve of identity lost, rolls before and
    after (Figure 5)."""
    dataset = Dataset.open(data)
    subject = Checkpoint(run, dataset, device)
    if not subject.means:
        raise FadernetsError(
            f"{run}: {subject.config['recipe']['name']} has no arousal clusters; train with clusters 2"
        )
    regressor = arousal.Regressor.fit(dataset, subject.config["recipe"]["label_corpora"], seed)
    out.mkdir(parents=True, exist_ok=True)
    numbers = arousal.evaluate(subject, regressor, seed=seed, progress=progress)
    sweep = numbers["sweep"]
    files = [out / f"transfer.{kind}" for kind in ("png", "svg")]
    lines = {
        "chroma similarity to the source": [row["chroma_similarity"] for row in sweep],
        "note F1 to the source": [row["note_f1"] for row in sweep],
        "agreement of the regressor": [row["agreement"] for row in sweep],
    }
    bands = {"agreement of the regressor": ([row["low"] for row in sweep], [row["high"] for row in sweep])}
    plots.curves(
        [row["strength"] for row in sweep],
        lines,
        files,
        title="Arousal transfer: direction and identity",
        label="strength, in shift vectors",
        bands=bands,
    )
    files += _rolls(subject, numbers["drawn"], out)
    return _finish(out / "transfer.json", files, numbers)


def _rolls(subject: Checkpoint, drawn: list[dict[str, Any]], out: Path) -> list[Path]:
    """Source and transformed segment of the first drawn ones, two a direction; tokens alone keep their timing."""
    if not subject.data.codec.timed:
        return []
    files = []
    for direction in ("up", "down"):
        for number, row in enumerate([r for r in drawn if r["direction"] == direction][: ROLLS // 2]):
            looked = subject.look(np.array([row["row"]]))
            after = arousal.shift(subject, looked, np.array([1.0 if direction == "up" else -1.0])).raw[0, 0]
            before = np.asarray(subject.data.codes[row["row"]])
            pair = [_within(performance_tokens.decode(some), looked.seconds[0]) for some in (before, after)]
            path = out / f"arousal-{direction}-{number + 1}.png"
            title = f"Arousal {direction}: held-out segment {row['row']}, {looked.seconds[0]:.1f} s"
            rolls.draw_pair(pair[0], pair[1], [], path, title=title)
            files.append(path)
    return files


def _within(notes: NDArray[Any], seconds: float) -> NDArray[Any]:
    """Notes as a segment of that length is read: what begins behind its end is not of it, what is held is cut."""
    notes = notes[notes["onset"] < seconds]
    notes["end"] = np.minimum(notes["end"], seconds)
    return notes


def _finish(path: Path, files: list[Path], numbers: dict[str, Any]) -> dict[str, Any]:
    found = {"files": [str(f) for f in [*files, path]], **numbers, **provenance()}
    write_atomic(path, (json.dumps(found, indent=1) + "\n").encode())
    return found
