"""The whole of Table 1 by one command: prepare, train what is missing, evaluate all, write the tables.

Every step leaves a file and is passed over where that file is up to date: the data set's manifest, a run's last
checkpoint, a run's evaluation.json (which names the checkpoint it was made from). A table is rows of these files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fadernets.attributes.table import CODED
from fadernets.errors import FadernetsError
from fadernets.evaluation.model_folder import LOOPS
from fadernets.files import write_atomic
from fadernets.provenance import code_hash, provenance

EVALUATION = "evaluation.json"
JUDGE = "language-model"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """A model of Table 1: its recipe, what the paper calls it, and the paper's own row."""

    recipe: str
    title: str
    published: dict[str, tuple[float, float]] | None = None  # figure -> rhythm density, note density


def _published(*values: float) -> dict[str, tuple[float, float]]:
    names = ("consistency", "restrictiveness", "linearity")
    return {name: (values[2 * i], values[2 * i + 1]) for i, name in enumerate(names)}


TABLE = (
    Row("fadernets-vae", "Music FaderNets, vanilla VAE", _published(0.4367, 0.3490, 0.6645, 0.6481, 0.7805, 0.8255)),
    Row("fadernets-gmvae", "Music FaderNets, GM-VAE", _published(0.5096, 0.4207, 0.6603, 0.6457, 0.7580, 0.7792)),
    Row("pati", "Pati et al.", _published(0.4625, 0.5100, 0.6417, 0.5497, 0.7613, 0.8220)),
    Row("cvae", "CVAE", _published(0.2613, 0.4997, 0.6863, 0.7140, 0.4969, 0.3997)),
    Row("fader-networks", "Fader Networks", _published(0.2730, 0.4983, 0.6861, 0.7379, 0.5482, 0.4647)),
    Row("glsr-vae", "GLSR-VAE", _published(0.1891, 0.1969, 0.6365, 0.7136, 0.2465, 0.1799)),
    Row("gm-vae", "GM-VAE, single encoder"),
)

DATA = {"tokens": Path("data/performances"), "grid": Path("data/performances-grid")}  # codec -> its data set by default
PLAIN_RUN = ("small", "tokens")  # the size and codec whose runs lie in the folder itself


def run(
    *,
    size: str = "small",
    data: Path,
    roots: Mapping[str, Path],
    codec: str = "tokens",
    recipes_folder: Path = Path("recipes"),
    out: Path = Path("runs"),
    only: Sequence[str] = (),
    overrides: Sequence[str] = (),
    runs: int = 10,
    seed: int = 0,
    device: str = "cpu",
    train: bool = True,
    report: Report = print,
    progress: Callable[[str], Callable[[int, int], None]] | None = None,
) -> str:
    """Do what is missing and return the tables as markdown; they are in `out`/table1-SIZE.md as well.

    `seed` draws the segments of the evaluation; training has its own, a value of the recipe (`overrides`).
    A run of the small size on tokens lies in `out`/RECIPE, others in `out`/SIZE-CODEC/RECIPE.
    """
    names = [row.recipe for row in TABLE] + [JUDGE]
    unknown = sorted(set(only) - set(names))
    if unknown:
        raise FadernetsError(f"--only {unknown[0]}: allowed are {', '.join(names)}")
    folder = out if (size, codec) == PLAIN_RUN else out / f"{size}-{codec}"
    chosen = [name for name in names if not only or name in only]
    prepared(data, roots, codec, report)
    if train:
        for name in chosen:
            report(f"train {name}")
            bar = progress("steps") if progress else None
            trained(recipes_folder / f"{name}.yaml", size, data, folder / name, overrides, device, bar)
    lacking = {row.recipe: unfinished(folder / row.recipe) for row in TABLE}
    for name in chosen:
        if lacking.get(name):
            report(f"{name}: {lacking[name]}, left out")
    for name in chosen:
        if name != JUDGE and not lacking[name]:
            report(f"evaluate {name}")
            bar = progress("parts") if progress else None
            evaluated(folder / name, data, folder / JUDGE, runs=runs, seed=seed, device=device, progress=bar)
    found = {}
    for name in (name for name, lack in lacking.items() if not lack):
        if up_to_date(folder / name, data, folder / JUDGE, runs, seed):
            found[name] = read(folder / name)
        elif (folder / name / EVALUATION).exists():
            report(f"{name}: its figures are not of what is there now, left out")
    text = tables(found)
    write_atomic(folder / f"table1-{size}.md", (text + "\n").encode())
    return text


def prepared(data: Path, roots: Mapping[str, Path], codec: str, report: Report) -> None:
    from fadernets.data.dataset import MANIFEST, Dataset

    if not (data / MANIFEST).exists():
        if not roots:
            raise FadernetsError(f"{data}: is not there; name the corpora to prepare it from, --corpus maestro=PATH")
        from fadernets.data.prepare import prepare

        report(f"prepare {data}")
        prepare(roots, data, codec)
    found = Dataset.open(data).codec.name
    if found != codec:
        raise FadernetsError(f"{data}: holds {found}, not {codec}; name another data set with --data")


def trained(
    recipe: Path,
    size: str,
    data: Path,
    out: Path,
    overrides: Sequence[str],
    device: str,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Train a recipe to its end; nothing to do where it is there already."""
    from fadernets.training import loop as training_loop
    from fadernets.training import recipes

    values = [*overrides, f"data={data}", f"out={out}"]
    loaded = recipes.load(recipe, values, None if size == "small" else size)
    training_loop.train(loaded, device=device, progress=progress)


def _checkpoint(folder: Path) -> Path:
    """The weights of a run, or of a folder that is a checkpoint itself."""
    best = folder / "best" / "model.safetensors"
    return best if best.exists() else folder / "model.safetensors"


def weights_hash(folder: Path) -> str:
    return hashlib.sha256(_checkpoint(folder).read_bytes()).hexdigest()[:16] if _checkpoint(folder).exists() else ""


def unfinished(folder: Path) -> str:
    """What a run lacks to stand in the table: nothing where it was trained to its end, or is a checkpoint by itself."""
    from fadernets.training import checkpoints

    if not _checkpoint(folder).is_file():
        return "not trained yet"
    if not checkpoints.exists(folder / "last"):
        return ""
    config, state = checkpoints.read_config(folder / "last"), checkpoints.load_state(folder / "last") or {}
    steps, patience = config["recipe"]["steps"], config["recipe"]["patience"]
    if config["step"] >= steps or (patience and state.get("waited", 0) >= patience):
        return ""
    return f"trained for {config['step']} of {steps} steps"


MEASURES = (
    "attributes.of_cells",
    "attributes.table",
    "engines.code_arithmetic",
    "metrics.disentanglement",
    "evaluation.table1",
    "metrics.statistics",
    "metrics.cell_counts",
    "metrics.frechet",
    "metrics.note_features",
    "metrics.fader_scores",
    "evaluation.checkpoint",
)


def origin(folder: Path, data: Path, judge: Path, runs: int, seed: int) -> dict[str, Any]:
    """What the figures of a run depend on, but for the protocols."""
    from fadernets.data.dataset import Dataset

    return {
        "data": Dataset.open(data).hash,
        "weights": weights_hash(folder),
        "language_model": weights_hash(judge),
        "runs": runs,
        "seed": seed,
        "code": code_hash(*MEASURES),
    }


def up_to_date(folder: Path, data: Path, judge: Path, runs: int, seed: int) -> list[str]:
    """The protocols of a run's evaluation.json; none where it was made from anything else than there is now."""
    before = dict(read(folder).get("made_from", {}))
    protocols: list[str] = before.pop("protocols", [])
    return protocols if before == origin(folder, data, judge, runs, seed) else []


def evaluated(
    folder: Path,
    data: Path,
    judge: Path,
    *,
    runs: int = 10,
    seed: int = 0,
    protocols: Sequence[str] | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """A run's figures, from its evaluation.json where that is up to date, else made now and written there."""
    from fadernets.data.dataset import Dataset
    from fadernets.evaluation import table1 as p
    from fadernets.evaluation.checkpoint import Checkpoint

    have = up_to_date(folder, data, judge, runs, seed)
    which = tuple(name for name in p.PROTOCOLS if name in (protocols or p.PROTOCOLS) or name in have)
    if list(which) == have:
        return read(folder)
    made_from = {**origin(folder, data, judge, runs, seed), "protocols": list(which)}
    dataset = Dataset.open(data)
    subject = Checkpoint(folder, dataset, device)
    language_model = Checkpoint(judge, dataset, device) if made_from["language_model"] else None
    found = p.evaluate(subject, which, runs=runs, seed=seed, language_model=language_model, progress=progress)
    found = {**found, "made_from": made_from, **provenance()}
    write_atomic(folder / EVALUATION, (json.dumps(found, indent=1) + "\n").encode())
    return found


def read(folder: Path) -> dict[str, Any]:
    path = folder / EVALUATION
    try:
        found = json.loads(path.read_text()) if path.exists() else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise FadernetsError(f"{path}: is damaged; remove it")
    return found


# --- tables


def tables(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Figures of runs, by name, as markdown: `paper` beside the published rows, `strict`, quality of moved outputs,
    reconstruction, clusters."""
    known = {row.recipe for row in TABLE}
    rows = [row for row in TABLE if row.recipe in found] + [Row(name, name) for name in found if name not in known]
    parts = [
        paper_table([row for row in rows if f"paper/{next(iter(CODED))}" in found[row.recipe]], found),
        *(strict_table(rows, found, name) for name in CODED),
        *(quality_table(rows, found, name) for name in CODED),
        reconstruction_table([row for row in rows if "reconstruction" in found[row.recipe]], found),
        cluster_table([row for row in rows if "clusters" in found[row.recipe]], found),
    ]
    if any(parts):
        parts.append(run_table(rows, found))
    return "\n\n".join(part for part in parts if part)


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    text = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(text + ["| " + " | ".join(line) + " |" for line in lines])


def _best(values: Sequence[float], greatest: bool = True) -> list[int]:
    """Which are to be bold; none of one alone, nor where all are equal."""
    best = max(values) if greatest else min(values)
    found = [i for i, value in enumerate(values) if value == best]
    return found if len(found) < len(values) else []


def run_table(rows: Sequence[Row], found: Mapping[str, Mapping[str, Any]]) -> str:
    """Which runs, and which commits trained and measured them."""
    lines = []
    for row in rows:
        one = found[row.recipe]
        if "commit" in one:
            trained = one.get("trained_at") or "-"
            lines.append([row.title, one["run"], str(one["step"]), trained, one["commit"], f"`{one['command']}`"])
    return _markdown(["model", "run", "steps", "trained at", "measured at", "by"], lines) if lines else ""


def paper_table(rows: Sequence[Row], found: Mapping[str, Mapping[str, Any]]) -> str:
    """Ours, mean ± standard deviation over the runs, and the paper's own in brackets; bold is the best of ours."""
    if not rows:
        return ""
    head, columns = ["`paper` protocol: ours (published)"], []
    for figure in ("consistency", "restrictiveness", "linearity", "pooled_r2"):
        for i, attribute in enumerate(CODED):
            head.append(f"{figure.replace('_', ' ')}, {attribute.replace('_', ' ')}")
            cells = [found[row.recipe][f"paper/{attribute}"][figure] for row in rows]
            best = _best([c["mean"] for c in cells])
            column = []
            for j, (row, c) in enumerate(zip(rows, cells, strict=True)):
                text = f"{c['mean']:.3f} ± {c['std']:.3f}"
                published = (row.published or {}).get(figure)
                text = f"**{text}**" if j in best else text
                column.append(text + (f" ({published[i]:.3f})" if published else ""))
            columns.append(column)
    return _markdown(head, [[row.title, *cells] for row, cells in zip(rows, zip(*columns, strict=True), strict=True)])


STRICT = {  # figure -> whether more is better
    "consistency": True,
    "restrictiveness": True,
    "linearity": True,
    "pooled_r2": True,
    "spearman": True,
    "leakage": False,
    "error": False,
    "response_range": True,
    "chroma_similarity": True,
    "groove_similarity": True,
    "note_f1": True,
    "failures": False,
    "cut": False,
}


def of_loop(figures: Mapping[str, Any], loop: str) -> dict[str, Any]:
    """The figures of a run without those of the other loops."""
    others = tuple(f"/{name}" for name in LOOPS if name != loop)
    return {key: value for key, value in figures.items() if not key.endswith(others)}


def strict_table(rows: Sequence[Row], found: Mapping[str, Mapping[str, Any]], attribute: str) -> str:
    lines, keys = [], [f"strict/{attribute}/{loop}" for loop in LOOPS]
    keys = [key for key in keys if any(key in found[row.recipe] for row in rows)]
    rows = [row for row in rows if keys and all(key in found[row.recipe] for key in keys)]
    if not rows:
        return ""
    for key in keys:
        best = {}
        for figure, greatest in STRICT.items():
            values = [found[row.recipe][key][figure]["mean"] for row in rows]
            values = [-abs(v - 1) for v in values] if figure == "response_range" else values
            best[figure] = _best(values, greatest)
        for j, row in enumerate(rows):
            cells = [f"{found[row.recipe][key][figure]['mean']:.3f}" for figure in STRICT]
            cells = [f"**{c}**" if j in best[f] else c for f, c in zip(STRICT, cells, strict=True)]
            lines.append([row.title, key.rpartition("/")[2], *cells])
    head = [f"`strict`, {attribute.replace('_', ' ')}", "loop", *(f.replace("_", " ") for f in STRICT)]
    return _markdown(head, lines)


QUALITY = ("frechet", "nats_a_token", "clash_share", "isolated_share", "length_mean", "empty_share")


def quality_table(rows: Sequence[Row], found: Mapping[str, Mapping[str, Any]], attribute: str) -> str:
    lines: list[list[str]] = []
    for row in rows:
        for loop in LOOPS:
            figures = found[row.recipe].get(f"quality/{attribute}/{loop}")
            if figures:
                lines.append([row.title, loop, *(_cell(figures.get(name)) for name in QUALITY)])
    if not lines:
        return ""
    real = next(found[row.recipe]["quality/real"] for row in rows if "quality/real" in found[row.recipe])
    lines.insert(0, ["held-out real segments", "-", *(_cell(real.get(name)) for name in QUALITY)])
    head = [f"moved outputs, {attribute.replace('_', ' ')}", "loop", *(f.replace("_", " ") for f in QUALITY)]
    return _markdown(head, lines)


RECONSTRUCTION = ("accuracy", "nats", "note_f1", "precision", "recall", "chroma_similarity")
ENCODER = ("interpretability", "mig", "sap", "scc", "modularity")


def reconstruction_table(rows: Sequence[Row], found: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        figures = found[row.recipe]
        cells = [_cell(figures["reconstruction"][name]) for name in RECONSTRUCTION]
        lines.append([row.title, *cells, *(_cell(figures["encoder"].get(name)) for name in ENCODER)])
    head = ["reconstruction; codes", *(f.replace("_", " ") for f in (*RECONSTRUCTION, *ENCODER))]
    return _markdown(head, lines) if lines else ""


def cluster_table(rows: Sequence[Row], found: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        c = found[row.recipe]["clusters"]
        for code in (name for name, value in c.items() if isinstance(value, dict)):
            own = c[code]
            density = [f"{_cell(own.get(f'{a}_high'))} / {_cell(own.get(f'{a}_low'))}" for a in CODED]
            means = "learned" if c["learned"] else "of labels"
            lines.append(
                [row.title, means, str(c["labelled_training_segments"]), code, f"{own['balanced_accuracy']:.3f}",
                 f"{c['balanced_accuracy']:.3f} [{c['low']:.3f}, {c['high']:.3f}]",
                 f"{own['silhouette']:.3f}", f"{own['silhouette_by_label']:.3f}", *density]
            )  # fmt: skip
    head = [
        "arousal clusters",
        "means",
        "labels in training",
        "code",
        "balanced accuracy",
        "all codes",
        "silhouette",
        "by label",
    ]
    head += [f"{a.replace('_', ' ')}, high / low" for a in CODED]
    return _markdown(head, lines) if lines else ""


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
