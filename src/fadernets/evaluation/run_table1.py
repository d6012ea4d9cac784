"""The whole of Table 1 by one command: prepare, train what is missing, evaluate all, write the tables.

Every step leaves a file, and is passed over where that file is up to date: the data set's manifest, a run's last
checkpoint, a run's evaluation.json (which names the weights it was made from). The tables are made of these files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fadernets import structured_text
from fadernets.errors import FadernetsError
from fadernets.evaluation.code_hash import code_hash
from fadernets.evaluation.table1_tables import BEST_OF_N, TABLE, over_seeds, tables
from fadernets.files import write_atomic
from fadernets.provenance import provenance

EVALUATION = "evaluation.json"  # of a run: its figures, and what they were made from
LANGUAGE_MODEL = "language-model"  # the recipe of the model that rates outputs
Report = Callable[[str], None]
Jobs = dict[str, Callable[..., Any]]  # what is done -> that, which takes a `progress`


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
    seeds: Sequence[int] = (0,),
    device: str = "cpu",
    train: bool = True,
    take_unfinished: bool = False,
    report: Report = print,
    progress: Callable[[str], Callable[[int, int], None]] | None = None,
    client: Any = None,
) -> str:
    """Prepare, train and evaluate what is missing, and return the tables in Markdown; `out`/table1-SIZE.md holds them,
    too.

    size: of the recipes, `small`, `tiny` or `paper`. roots: name of a corpus -> its folder, to prepare `data` from.
    only: names of recipes. overrides: `KEY=VALUE` of the recipes. seed: draws the segments of the evaluation. seeds: of
    training; of several, each model has a run for each, and the tables give means and deviations over those that are
    there. take_unfinished: measure runs that were stopped before their end, too; the tables say after how many steps.
    client: of a Dask cluster (`data.clusters.connect`), whose workers train and evaluate. report: called with a line
    for each step. A run of the small size on tokens lies in `out`/RECIPE, others in `out`/SIZE-CODEC/RECIPE; of
    several seeds it is RECIPE-seed=SEED there. Raises FadernetsError.
    """
    names = [row.recipe for row in TABLE] + [LANGUAGE_MODEL]
    unknown = sorted(set(only) - set(names))
    if unknown:
        raise FadernetsError(f"--only {unknown[0]}: allowed are {', '.join(names)}")
    folder = out if (size, codec) == PLAIN_RUN else out / f"{size}-{codec}"
    chosen = [
        (name, of_seed)
        for of_seed in seeds
        for name in names
        if (not only or name in only) and (name != LANGUAGE_MODEL or of_seed == seeds[0])
    ]
    places = {
        (name, of_seed): folder / (name if len(seeds) == 1 or name == LANGUAGE_MODEL else f"{name}-seed={of_seed}")
        for name in names
        for of_seed in seeds
    }
    prepared(data, roots, codec, report)
    language_model = folder / LANGUAGE_MODEL
    if client is not None:  # workers have other working folders
        recipes_folder, data, language_model = (path.absolute() for path in (recipes_folder, data, language_model))
        places = {key: place.absolute() for key, place in places.items()}
    if train:
        jobs: Jobs = {}
        for name, of_seed in chosen:
            values = overrides if len(seeds) == 1 else [*overrides, f"seed={of_seed}"]
            recipe, place = recipes_folder / f"{name}.yaml", places[name, of_seed]
            jobs[f"train {place.name}"] = partial(trained, recipe, size, data, place, values, device)
        _do(jobs, client, report, progress, "steps")
    missing = {key: unfinished(place) for key, place in places.items() if key[0] != LANGUAGE_MODEL}
    stopped = {key: stopped_after(places[key]) for key in missing} if take_unfinished else {}
    missing |= {key: "" for key, steps in stopped.items() if steps}
    for key in chosen:
        if missing.get(key):
            report(f"{places[key].name}: {missing[key]}, left out")
    jobs = {
        f"evaluate {places[key].name}": partial(
            evaluated, places[key], data, language_model, runs=runs, seed=seed, device=device
        )
        for key in chosen
        if key in missing and not missing[key]
    }
    _do(jobs, client, report, progress, "parts")
    found: dict[str, list[dict[str, Any]]] = {}
    for key in (key for key, what in missing.items() if not what):
        if up_to_date(places[key], data, language_model, runs, seed):
            found.setdefault(key[0], []).append(read(places[key]))
        elif (places[key] / EVALUATION).exists():
            report(f"{places[key].name}: its figures are not of what is there now, left out")
    figures = {row.recipe: over_seeds(found[row.recipe]) for row in TABLE if row.recipe in found}
    for name in figures:
        each = [stopped.get((name, of_seed), "") for of_seed in seeds]
        figures[name]["stopped_after"] = ", ".join(dict.fromkeys(steps for steps in each if steps))
    text = tables(figures)
    write_atomic(folder / f"table1-{size}.md", (text + "\n").encode())
    return text


def _do(
    jobs: Jobs,
    client: Any,
    report: Report,
    progress: Callable[[str], Callable[[int, int], None]] | None,
    unit: str,
) -> None:
    """Do the jobs here, one after the other, or on the workers of a Dask client."""
    if client is not None:
        from fadernets.training import cluster_runs

        cluster_runs.run_all(client, jobs, report)
        return
    for name, job in jobs.items():
        report(name)
        job(progress=progress(unit) if progress else None)


def prepared(data: Path, roots: Mapping[str, Path], codec: str, report: Report) -> None:
    """Prepare the data set from its corpora where it is not there. Raises FadernetsError for one of another codec."""
    from fadernets.data.dataset import MANIFEST, Dataset

    if not (data / MANIFEST).exists():
        if not roots:
            raise FadernetsError(f"{data}: is not there; name the corpora to prepare it from, --corpus maestro=PATH")
        from fadernets.data.prepare import prepare

        report(f"prepare {data}")
        prepare(roots, data, codec)
    held = Dataset.open(data).codec.name
    if held != codec:
        raise FadernetsError(f"{data}: holds {held}, not {codec}; name another data set with --data")


def trained(
    recipe: Path,
    size: str,
    data: Path,
    out: Path,
    overrides: Sequence[str],
    device: str,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Train a recipe to its end into the folder `out`; a run that has ended stays as it is."""
    from fadernets.training import loop as training_loop
    from fadernets.training import recipes

    values = [*overrides, f"data={data}", f"out={out}"]
    loaded = recipes.load(recipe, values, None if size == "small" else size)
    training_loop.train(loaded, device=device, progress=progress)


def _weights(folder: Path) -> Path:
    """The file of weights of a run, or of a folder that is a checkpoint itself."""
    best = folder / "best" / "model.safetensors"
    return best if best.exists() else folder / "model.safetensors"


def weights_hash(folder: Path) -> str:
    """Hash of the weights of a run; empty without any."""
    return hashlib.sha256(_weights(folder).read_bytes()).hexdigest()[:16] if _weights(folder).exists() else ""


def unfinished(folder: Path) -> str:
    """Why a run cannot stand in the table; empty for one that was trained to its end, or is a checkpoint by itself."""
    if not _weights(folder).is_file():
        return "not trained yet"
    steps = stopped_after(folder)
    return f"trained for {steps}" if steps else ""


def stopped_after(folder: Path) -> str:
    """How far a run with a checkpoint came that was stopped before its end, as "2000 of 12000 steps"; else empty."""
    from fadernets.training import checkpoints

    if not _weights(folder).is_file() or not checkpoints.exists(folder / "last"):
        return ""
    config = checkpoints.read_config(folder / "last")
    steps, patience = config["recipe"]["steps"], config["recipe"]["patience"]
    if config["step"] >= steps:
        return ""
    if patience and (checkpoints.load_state(folder / "last") or {}).get("waited", 0) >= patience:
        return ""
    return f"{config['step']} of {steps} steps"


# The modules that figures depend on: figures made by other versions of them are made again.
MEASURING_MODULES = (
    "attributes.of_cells",
    "attributes.table",
    "engines.code_arithmetic",
    "metrics.disentanglement",
    "evaluation.table1",
    "evaluation.authors_protocol",
    "evaluation.checkpoint_codes",
    "evaluation.likelihood",
    "evaluation.decoding_loops",
    "metrics.statistics",
    "metrics.cell_counts",
    "metrics.frechet",
    "metrics.note_features",
    "metrics.fader_scores",
    "evaluation.checkpoint",
)


def origin(folder: Path, data: Path, language_model: Path, runs: int, seed: int) -> dict[str, Any]:
    """What the figures of a run depend on, apart from the protocols."""
    from fadernets.data.dataset import Dataset

    return {
        "data": Dataset.open(data).hash,
        "weights": weights_hash(folder),
        "language_model": weights_hash(language_model),
        "runs": runs,
        "seed": seed,
        "code": code_hash(*MEASURING_MODULES),
    }


def up_to_date(folder: Path, data: Path, language_model: Path, runs: int, seed: int) -> list[str]:
    """The protocols in a run's evaluation.json; none where it was made from anything else than what is there now."""
    before = dict(read(folder).get("made_from", {}))
    protocols: list[str] = before.pop("protocols", [])
    return protocols if before == origin(folder, data, language_model, runs, seed) else []


def evaluated(
    folder: Path,
    data: Path,
    language_model: Path,
    *,
    runs: int = 10,
    seed: int = 0,
    protocols: Sequence[str] | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """A run's figures: from its evaluation.json where that is up to date, otherwise made now and written there.

    data: the data set that it was trained on; language_model: the run that rates outputs. Raises FadernetsError.
    """
    from fadernets.data.dataset import Dataset
    from fadernets.evaluation import table1
    from fadernets.evaluation.checkpoint import Checkpoint

    have = up_to_date(folder, data, language_model, runs, seed)
    which = tuple(name for name in table1.PROTOCOLS if name in (protocols or table1.PROTOCOLS) or name in have)
    if list(which) == have:
        return read(folder)
    made_from = {**origin(folder, data, language_model, runs, seed), "protocols": list(which)}
    dataset = Dataset.open(data)
    checkpoint = Checkpoint(folder, dataset, device)
    rater = Checkpoint(language_model, dataset, device) if made_from["language_model"] else None
    figures = table1.evaluate(checkpoint, which, runs=runs, seed=seed, language_model=rater, progress=progress)
    figures = {**figures, "made_from": made_from, **provenance()}
    write_atomic(folder / EVALUATION, (json.dumps(figures, indent=1) + "\n").encode())
    return figures


def read(folder: Path) -> dict[str, Any]:
    """The figures in a run's evaluation.json, empty without one. Raises FadernetsError for a damaged file.

    Files of before 0.2 call the loop `best-of-n` "closed".
    """
    path = folder / EVALUATION
    try:
        figures = structured_text.read_json(path) if path.exists() else {}
    except ValueError:
        figures = None
    if not isinstance(figures, dict):
        raise FadernetsError(f"{path}: is damaged; remove it")
    return {_todays_key(key): value for key, value in figures.items()}


def _todays_key(key: str) -> str:
    head, slash, loop = key.rpartition("/")
    return f"{head}/{BEST_OF_N}" if slash and loop == "closed" else key
