"""The figures of ISMIR 2020, Section 5, for a trained run: what is drawn, of which segments, and the numbers beside.

Each writes PNG, SVG and JSON, and returns {"files": [...], ...}.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets import plots, rolls, tokens
from fadernets import transfer as arousal
from fadernets.attributes import ATTRIBUTES
from fadernets.controls import cluster_probability
from fadernets.dataset import Dataset
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.plots import Panel
from fadernets.protocols import clusters
from fadernets.subjects import Subject

ROLLS = 4  # before / after pictures, two a direction


def latents(run: Path, data: Path, out: Path, beside: Path | None, segments: int, seed: int) -> dict[str, Any]:
    """Figure 3 (each code by t-SNE, coloured by density, z^d and inferred cluster) and, with another run beside,
    Figure 4 (the clusters with and without low-level features)."""
    dataset = Dataset.open(data)
    subject = Subject(run, dataset)
    out.mkdir(parents=True, exist_ok=True)
    rows = np.random.default_rng(seed).permutation(subject.corpus_rows("test"))[:segments]
    maps = _maps(subject, rows, seed)
    values = np.asarray(dataset.attributes[rows], np.float64)
    figure = []
    faders = {code: (name, d) for name, (code, d) in subject.model.FADERS.items()}
    for name, (code, points, high) in maps.items():
        line = []
        shown = (
            [faders[name]]
            if len(maps) > 1 and name in faders
            else [(n, d) for n, (_, d) in subject.model.FADERS.items()]
        )
        for attribute, dimension in shown:
            title = attribute.replace("_", " ")
            i = list(ATTRIBUTES).index(attribute)
            line.append(Panel(f"{name}: {title}", points, values[:, i], unit=ATTRIBUTES[attribute].unit))
            line.append(Panel(f"{name}: z^d of {title}", points, code[:, dimension]))
        if not shown:
            for i, attribute in enumerate(ATTRIBUTES):
                title = attribute.replace("_", " ")
                line.append(Panel(f"{name}: {title}", points, values[:, i], unit=ATTRIBUTES[attribute].unit))
        if high is not None:
            line.append(Panel(f"{name}: inferred arousal", points, high, clusters=True))
        figure.append(line)
    files = [out / f"latents.{kind}" for kind in ("png", "svg")]
    plots.scatters(figure, files, f"{run.name}: codes of {len(rows)} held-out segments")
    numbers: dict[str, Any] = {run.name: clusters(subject, subject.corpus_rows("test"), seed) if subject.means else {}}
    if beside is not None:
        other = Subject(beside, dataset)
        if not (subject.means and other.means):
            raise FadernetsError("--beside: both runs need arousal clusters")
        numbers[beside.name] = clusters(other, other.corpus_rows("test"), seed)
        more = _maps(other, rows, seed)
        line = [
            Panel(f"{title}: {name}", points, high, clusters=True)
            for title, some in ((run.name, maps), (beside.name, more))
            for name, (_, points, high) in some.items()
            if high is not None
        ]
        pair = [out / f"clusters.{kind}" for kind in ("png", "svg")]
        plots.scatters([line], pair, "Arousal clusters with and without low-level features")
        files += pair
    return _finish(out / "latents.json", files, {"clusters": numbers})


def _maps(
    subject: Subject, rows: NDArray[np.int64], seed: int
) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_] | None]]:
    """Code -> its posterior means, their t-SNE map, and which segments lie in the high cluster."""
    found = {}
    for name, code in subject.encode(rows).items():
        high = cluster_probability(code, subject.means[name]) >= 0.5 if subject.means else None
        found[name] = (code, plots.tsne(code, seed), high)
    return found


def transfer(
    run: Path, data: Path, out: Path, seed: int, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Section 5.2: agreement of an independent regressor by strength, the curve of identity lost, rolls before and
    after (Figure 5)."""
    dataset = Dataset.open(data)
    subject = Subject(run, dataset)
    if not subject.means:
        raise FadernetsError(
            f"{run}: {subject.config['recipe']['name']} has no arousal clusters; train with clusters 2"
        )
    out.mkdir(parents=True, exist_ok=True)
    regressor = arousal.Regressor.fit(dataset, subject.config["recipe"]["label_corpora"], seed)
    numbers = arousal.evaluate(subject, regressor, seed=seed, progress=progress)
    sweep = numbers["sweep"]
    files = [out / f"transfer.{kind}" for kind in ("png", "svg")]
    lines = {
        "chroma similarity to the source": [row["chroma_similarity"] for row in sweep],
        "note F1 to the source": [row["note_f1"] for row in sweep],
        "agreement of the regressor": [row["agreement"] for row in sweep],
    }
    title = "Arousal transfer: direction and identity"
    plots.curves([row["strength"] for row in sweep], lines, files, title=title, label="strength")
    files += _rolls(subject, numbers["drawn"], out)
    return _finish(out / "transfer.json", files, numbers)


def _rolls(subject: Subject, drawn: list[dict[str, Any]], out: Path) -> list[Path]:
    """Source and transformed segment of the first drawn ones, two a direction; tokens alone keep their timing."""
    if subject.data.codec != "tokens":
        return []
    files = []
    for direction in ("up", "down"):
        for number, row in enumerate([r for r in drawn if r["direction"] == direction][: ROLLS // 2]):
            looked = subject.look(np.array([row["row"]]))
            after = arousal.shift(subject, looked, np.array([1.0 if direction == "up" else -1.0])).raw[0, 0]
            before = np.asarray(subject.data.codes[row["row"]])
            path = out / f"arousal-{direction}-{number + 1}.png"
            rolls.draw_pair(tokens.decode(before), tokens.decode(after), [], path, title=f"Arousal {direction}")
            files.append(path)
    return files


def _finish(path: Path, files: list[Path], numbers: dict[str, Any]) -> dict[str, Any]:
    from fadernets.bench import provenance

    found = {"files": [str(f) for f in [*files, path]], **numbers, **provenance()}
    write_atomic(path, (json.dumps(found, indent=1) + "\n").encode())
    return found
