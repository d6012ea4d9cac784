"""The figures of ISMIR 2020, Section 5, of a trained run: Figures 3 to 5, and cluster separation by number of labels.

Each function writes PNG, SVG and JSON into a folder, and returns {"files": [...], ...} with the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Array, Bools, Floats, Indices, Latents
from fadernets.attributes.table import CODED
from fadernets.codecs import performance_tokens
from fadernets.data.dataset import Dataset
from fadernets.data.labels import name_of
from fadernets.engines.code_arithmetic import cluster_probability
from fadernets.errors import FadernetsError
from fadernets.evaluation import arousal_transfer as arousal
from fadernets.evaluation.checkpoint import Checkpoint
from fadernets.evaluation.checkpoint_codes import clusters, held_out_labels
from fadernets.figures import plots, rolls
from fadernets.figures.plots import Panel
from fadernets.files import write_atomic
from fadernets.provenance import provenance
from fadernets.training.recipes import as_dict

ROLLS = 4  # pairs of piano rolls before and after, half of them up and half down


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
    """Figure 3: each code by t-SNE, coloured by density, z^d and inferred cluster.

    With another run `beside` it also Figure 4: the clusters with and without low-level features, as each model infers
    them and, where held-out segments have labels of both kinds, these by their true label. Raises FadernetsError.
    """
    dataset = Dataset.open(data)
    checkpoint = Checkpoint(run, dataset, device)
    other = Checkpoint(beside, dataset, device) if beside is not None else None
    if not checkpoint.model.sizes:
        raise FadernetsError(f"{run}: {checkpoint.config['recipe']['name']} has no codes to draw")
    for one in (checkpoint, other):
        if one is not None and other is not None and not one.means:
            raise FadernetsError(f"--beside: both runs need arousal clusters; {one.folder} has none")
    first, second = _names(run, beside)
    out.mkdir(parents=True, exist_ok=True)
    rows = np.random.default_rng(seed).permutation(checkpoint.corpus_rows("test"))[:segments]
    numbers = {first: _clusters(checkpoint, seed)}
    if other is not None:
        numbers[second] = _clusters(other, seed)
    judged = other is not None and all(numbers.values())
    total = sum(len(one.model.sizes) for one in (checkpoint, other) if one is not None) * (1 + judged)
    done = 0

    def report_map() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    maps = _maps(checkpoint, rows, seed, report_map)
    values = np.asarray(dataset.attributes[rows], np.float64)
    files = [out / f"latents.{kind}" for kind in ("png", "svg")]
    plots.scatters(_panels(checkpoint, maps, values), files, f"{first}: codes of {len(rows)} held-out segments")
    if other is not None:
        runs = ((first, checkpoint, maps), (second, other, _maps(other, rows, seed, report_map)))
        lines = [
            [
                Panel(f"{title}: {name}, inferred", points, high, clusters=True)
                for title, _, run_maps in runs
                for name, (_, points, high) in run_maps.items()
                if high is not None
            ]
        ]
        if judged:
            lines.append([p for title, one, _ in runs for p in _by_label(title, one, numbers[title], seed, report_map)])
        pair = [out / f"clusters.{kind}" for kind in ("png", "svg")]
        plots.scatters(lines, pair, "Arousal clusters with and without low-level features")
        files += pair
    return _finish(out / "latents.json", files, {"clusters": numbers})


def _names(run: Path, beside: Path | None) -> tuple[str, str]:
    """Names of the two runs: of their folders, or the whole paths where these are equal."""
    if beside is None:
        return run.name, ""
    return (run.name, beside.name) if run.name != beside.name else (str(run), str(beside))


def _clusters(checkpoint: Checkpoint, seed: int) -> dict[str, Any]:
    """Figures of the clusters; empty for a model without them, and without held-out labels of both kinds."""
    if not checkpoint.means or len(np.unique(held_out_labels(checkpoint)[1])) < 2:
        return {}
    return clusters(checkpoint, checkpoint.corpus_rows("test"), seed)


# code -> its posterior means [S, Z], their map [S, 2], which segments lie in the high cluster [S]
Maps = dict[str, tuple[Latents, Floats, Bools | None]]


def _panels(checkpoint: Checkpoint, maps: Maps, values: Floats) -> list[list[Panel]]:
    """A row of panels per code: the attribute and z^d of its fader, or every attribute without one; the clusters."""
    rows = []
    for name, (code, points, high) in maps.items():
        dimensions = {attribute: d for attribute, (of, d) in checkpoint.model.faders.items() if of == name}
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


def _by_label(
    title: str, checkpoint: Checkpoint, figures: dict[str, Any], seed: int, report: Callable[[], None]
) -> list[Panel]:
    """A panel per code: the labelled held-out segments by their true label, and what the clusters tell of them."""
    rows, label = held_out_labels(checkpoint)
    panels = []
    for name, (_, points, _) in _maps(checkpoint, rows, seed, report).items():
        told, silhouette = figures[name]["balanced_accuracy"], figures[name]["silhouette_by_label"]
        about = f"by true label: {told:.3f} told, silhouette {silhouette:.3f}"
        panels.append(Panel(f"{title}: {name}\n{about}", points, label, clusters=True))
    return panels


def _maps(checkpoint: Checkpoint, rows: Indices, seed: int, report: Callable[[], None]) -> Maps:
    """Code -> its posterior means, their t-SNE map, and which segments lie in the high cluster."""
    maps: Maps = {}
    for name, code in checkpoint.encode(rows).items():
        high = cluster_probability(code, checkpoint.means[name]) >= 0.5 if checkpoint.means else None
        maps[name] = (code, plots.tsne(code, seed), high)
        report()
    return maps


def labels(
    runs: Sequence[Path],
    data: Path,
    out: Path,
    seed: int,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Cluster separation over the number of labels in training, one point a number, each run with clusters of its own.

    Runs with as many labels, which may differ in their seed alone, are one point of their means, with the 95 % interval
    of the mean over seeds; of one run the interval is over pieces. The keys: runs, by_labels, and table in Markdown.
    Raises FadernetsError.
    """
    dataset = Dataset.open(data)
    rows: list[dict[str, Any]] = []
    recipes: dict[int, dict[str, Any]] = {}  # number of labels -> what the runs have in common
    for i, run in enumerate(runs):
        checkpoint = Checkpoint(run, dataset, device)
        separation = _clusters(checkpoint, seed) if checkpoint.means else {}
        label = name_of(checkpoint.recipe.label)
        if not separation:
            raise FadernetsError(f"{run}: has no {label} clusters, or {data} no held-out labels of both kinds")
        count = separation["labelled_training_segments"]
        if not count:
            raise FadernetsError(f"plot labels: {run} was trained without labels")
        shared = {**as_dict(checkpoint.recipe), "seed": None, "out": None, "data": None}
        if recipes.setdefault(count, shared) != shared:
            differ = ", ".join(sorted(key for key in shared if recipes[count].get(key) != shared[key]))
            raise FadernetsError(
                f"plot labels: {run} and another run have {count} labels, but differ in more than their seed ({differ})"
            )
        codes = {name: separation[name] for name in checkpoint.model.sizes}
        if rows and list(codes) != list(rows[0]["codes"]):
            raise FadernetsError(f"plot labels: {run} has other codes ({', '.join(codes)}) than {rows[0]['run']}")
        rows.append(
            {
                "run": run.name,
                "labels": count,
                "share": count / len(checkpoint.rows.train),
                "balanced_accuracy": separation["balanced_accuracy"],
                "low": separation["low"],
                "high": separation["high"],
                "best_code": max(code["balanced_accuracy"] for code in codes.values()),
                "silhouette": float(np.mean([code["silhouette"] for code in codes.values()])),
                "silhouette_by_label": float(np.mean([code["silhouette_by_label"] for code in codes.values()])),
                "codes": {name: code["balanced_accuracy"] for name, code in codes.items()},
                "clusters": separation,
            }
        )
        if progress:
            progress(i + 1, len(runs))
    rows.sort(key=lambda row: row["labels"])
    grouped = [[row for row in rows if row["labels"] == count] for count in sorted(recipes)]
    points = [_point(group) for group in grouped]
    out.mkdir(parents=True, exist_ok=True)
    files = [out / f"labels.{kind}" for kind in ("png", "svg")]
    drawn = {
        "balanced accuracy, all codes": "balanced_accuracy",
        "balanced accuracy, best code": "best_code",
        "silhouette by inferred cluster": "silhouette",
        "silhouette by label": "silhouette_by_label",
    }
    plots.curves(
        [point["labels"] for point in points],
        {name: [point[key] for point in points] for name, key in drawn.items()},
        files,
        title=f"{label.capitalize()} clusters on held-out pieces",
        label="labelled segments in training",
        bands={"balanced accuracy, all codes": ([p["low"] for p in points], [p["high"] for p in points])},
        runs={
            name: [[row[key] for row in group] for group in grouped]
            for name, key in drawn.items()
            if len(rows) > len(points)
        },
        log=True,
    )
    table = "\n\n".join([_labels_table(points), *(_codes_table(group) for group in grouped)])
    figures = {"label": label, "runs": rows, "by_labels": points, "table": table}
    return _finish(out / "labels.json", files, figures)


def _point(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means of runs with as many labels, their deviations, and the 95 % interval of the balanced accuracy."""
    keys = ("balanced_accuracy", "best_code", "silhouette", "silhouette_by_label")
    each = [{key: row[key] for key in keys} | row["codes"] for row in rows]
    values = {key: np.array([row[key] for row in each]) for key in each[0]}
    point: dict[str, Any] = {"labels": rows[0]["labels"], "share": rows[0]["share"], "runs": len(rows)}
    point |= {key: float(found.mean()) for key, found in values.items()}
    point["deviations"] = {key: float(found.std()) for key, found in values.items()}
    point["codes"] = list(rows[0]["codes"])
    point["low"], point["high"] = rows[0]["low"], rows[0]["high"]
    if len(rows) > 1:
        from scipy.stats import t  # type: ignore[import-untyped]

        found = values["balanced_accuracy"]
        half = t.ppf(0.975, len(rows) - 1) * found.std(ddof=1) / np.sqrt(len(rows))
        point["low"], point["high"] = (float(x) for x in np.clip([found.mean() - half, found.mean() + half], 0, 1))
    return point


def _labels_table(points: list[dict[str, Any]]) -> str:
    codes = points[0]["codes"]
    heads = ["all codes", *(f"code {name}" for name in codes), "silhouette by inferred cluster", "by label"]
    lines = [f"| labels (share) | runs | balanced accuracy, {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    for point in points:
        interval = f" [{point['low']:.3f}, {point['high']:.3f}]"
        cells = []
        for key in ("balanced_accuracy", *codes, "silhouette", "silhouette_by_label"):
            spread = f" ± {point['deviations'][key]:.3f}" if point["runs"] > 1 else ""
            cells.append(f"{point[key]:.3f}{spread}{interval if key == 'balanced_accuracy' else ''}")
        lines.append(f"| {point['labels']} ({point['share']:.1%}) | {point['runs']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _codes_table(rows: list[dict[str, Any]]) -> str:
    """What runs with as many labels tell by each code: with all dimensions, without the regularised ones, by these.

    The last rows are attributes themselves, which need no model.
    """
    heads = ["balanced accuracy", "silhouette by label", "without z^d: balanced accuracy", "silhouette", "z^d alone"]
    columns = [(which, key) for which in (False, True) for key in ("balanced_accuracy", "silhouette_by_label")]
    lines = [f"| code, {rows[0]['labels']} labels | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for code in ("all", *rows[0]["codes"]):
        cells = []
        for is_without, key in columns:
            found = [row["clusters"].get("without_faders", {}) if is_without else row["clusters"] for row in rows]
            values = [(of if code == "all" else of.get(code, {})).get(key) for of in found]
            cells.append("-" if None in values else _spread(np.array(values, np.float64)))
        alone = [row["clusters"].get("faders_alone", {}).get(code) for row in rows]
        cells.append("-" if None in alone else _spread(np.array(alone)))
        lines.append(f"| {code} | {' | '.join(cells)} |")
    for name in CODED if all(row["clusters"]["attributes"] for row in rows) else ():
        own = [row["clusters"]["attributes"][name] for row in rows]
        cells = [_spread(np.unique([of[key] for of in own])) for key in ("balanced_accuracy", "silhouette_by_label")]
        lines.append(f"| {name.replace('_', ' ')} itself | {' | '.join(cells)} | - | - | - |")
    return "\n".join(lines)


def _spread(values: Floats) -> str:
    """Of runs: the values one by one, and their mean and deviation where there are several."""
    each = ", ".join(f"{value:.3f}" for value in values)
    return each if len(values) == 1 else f"{values.mean():.3f} ± {values.std():.3f} ({each})"


def transfer(
    run: Path,
    data: Path,
    out: Path,
    seed: int,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    beside: Path | None = None,
) -> dict[str, Any]:
    """Section 5.2: agreement of an independent regressor by strength, similarity to the source, and Figure 5.

    Figure 5 shows piano rolls before and after. With another run `beside` it also a figure of both, such as with and
    without a constrained posterior: each moves segments by its own clusters, and one regressor judges them. Raises
    FadernetsError.
    """
    dataset = Dataset.open(data)
    checkpoint = Checkpoint(run, dataset, device)
    other = Checkpoint(beside, dataset, device) if beside is not None else None
    recipe = checkpoint.recipe
    label = name_of(recipe.label)
    for one in (checkpoint, other):
        if one is not None and not one.means:
            raise FadernetsError(f"{one.folder}: {one.recipe.name} has no arousal clusters; train with clusters 2")
    if other is not None and name_of(other.recipe.label) != label:
        raise FadernetsError(f"--beside {beside}: its clusters are of {name_of(other.recipe.label)}, not of {label}")
    regressor = arousal.Regressor.fit(dataset, recipe.label_corpora, seed, recipe.label, recipe.label_edges)
    out.mkdir(parents=True, exist_ok=True)
    numbers = {"label": label, **arousal.evaluate(checkpoint, regressor, seed=seed, progress=progress)}
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
        title=f"{label.capitalize()} transfer: direction and identity",
        label="strength, in shift vectors",
        bands=bands,
    )
    if other is not None:
        pair = dict(zip(_names(run, beside), (sweep, arousal.sweep(other, regressor, seed=seed)), strict=True))
        numbers["sweeps"] = pair
        both = [out / f"transfer-beside.{kind}" for kind in ("png", "svg")]
        plots.curves(
            [row["strength"] for row in sweep],
            {
                f"{name}: {what}": [row[key] for row in rows]
                for key, what in (("agreement", "agreement"), ("note_f1", "note F1"))
                for name, rows in pair.items()
            },
            both,
            title=f"{label.capitalize()} transfer of two runs",
            label="strength, in shift vectors",
        )
        files += both
    files += _rolls(checkpoint, numbers["drawn"], out)
    return _finish(out / "transfer.json", files, numbers)


def _rolls(checkpoint: Checkpoint, drawn: list[dict[str, Any]], out: Path) -> list[Path]:
    """Source and moved segment of the first drawn ones, two up and two down; nothing for a codec without timing."""
    if not checkpoint.data.codec.timed:
        return []
    files = []
    for direction in ("up", "down"):
        for number, row in enumerate([r for r in drawn if r["direction"] == direction][: ROLLS // 2]):
            segments = checkpoint.segments(np.array([row["row"]]))
            after = arousal.shift(checkpoint, segments, np.array([1.0 if direction == "up" else -1.0])).raw[0, 0]
            before = np.asarray(checkpoint.data.codes[row["row"]])
            pair = [_within(performance_tokens.decode(tokens), segments.seconds[0]) for tokens in (before, after)]
            path = out / f"arousal-{direction}-{number + 1}.png"
            title = f"Arousal {direction}: held-out segment {row['row']}, {segments.seconds[0]:.1f} s"
            rolls.draw_pair(pair[0], pair[1], [], path, title=title)
            files.append(path)
    return files


def _within(notes: Array, seconds: float) -> Array:
    """Notes of a segment of that length: those that begin after its end are left out, those that are held are cut."""
    notes = notes[notes["onset"] < seconds]
    notes["end"] = np.minimum(notes["end"], seconds)
    return notes


def _finish(path: Path, files: list[Path], numbers: dict[str, Any]) -> dict[str, Any]:
    figures = {"files": [str(f) for f in [*files, path]], **numbers, **provenance()}
    write_atomic(path, (json.dumps(figures, indent=1) + "\n").encode())
    return figures
