"""The codes of a model folder or a run as numbers and figures (Section 3 of the NIME paper).

Principal components (Section 3.1, Figure 2), and the groups of dimensions that augmentation finds (Sections 3.2 to 3.5,
Figures 3 and 4): how many dimensions move with a change of the music, how straight, and how much of the change they
explain. It does not show what a decoder makes of them: see `melody_knobs`. N clips, Z latent size.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Array, Bytes
from fadernets.codecs import melody_states
from fadernets.codecs.base import is_melodic
from fadernets.data.dataset import Dataset
from fadernets.errors import FadernetsError
from fadernets.figures import plots
from fadernets.files import write_atomic
from fadernets.melodies import augmentations, inspection
from fadernets.melodies.augmentations import AUGMENTATIONS, Augmentation
from fadernets.melodies.inspection import DimensionGroup, Encode
from fadernets.provenance import provenance

CLIPS = 16_384  # drawn from a data set
SHARE = 0.99  # of the variance that components should hold (Section 3.1)
DRAWN = {"pitch": 5, "rhythm": 10}  # dimensions in Figures 3 and 4


@dataclass(frozen=True)
class CodeSpace:
    """The codes of a model folder or of a run, and the data set that it was trained on."""

    name: str
    codec: str
    encode: Encode  # clips -> [N, Z]
    data: str  # the folder of the data set that it was trained on
    pitches: tuple[int, int] = (
        0,
        melody_states.ONSETS - 1,
    )  # MIDI numbers, lowest and highest, that a melody model knows


def code_space(model: str | Path, device: str = "cpu") -> CodeSpace:
    """The codes of a bundled model, a model folder, or a run (its best checkpoint). Raises FadernetsError."""
    from fadernets.engines.model_folder import bundled

    folder = Path(model)
    if str(model) in bundled() or (folder / "model.json").exists():
        return _exported(model)
    if (folder / "best" / "config.json").exists() or (folder / "config.json").exists():
        return _trained(folder, device)
    raise FadernetsError(f"{model}: neither a bundled model, a model folder nor a run; bundled: {', '.join(bundled())}")


def _exported(model: str | Path) -> CodeSpace:
    from fadernets.engines.grid import Engine
    from fadernets.engines.melody import MelodyEngine
    from fadernets.engines.model_folder import codec_of

    codec = codec_of(model)
    if is_melodic(codec):
        melody_engine = MelodyEngine.open(model)
        return CodeSpace(
            melody_engine.name,
            codec,
            melody_engine.encode,
            str(melody_engine.info["recipe"]["data"]),
            melody_engine.pitches,
        )
    engine = Engine.open(model)

    def encode(cells: Bytes) -> Array:
        return engine.encode(cells).side_by_side()

    return CodeSpace(engine.name, codec, encode, str(engine.info["recipe"]["data"]))


def _trained(folder: Path, device: str) -> CodeSpace:
    import torch

    from fadernets.engines.melody import whole_semitones
    from fadernets.training import checkpoints

    model: Any
    model, config = checkpoints.load(folder / "best" if (folder / "best" / "config.json").exists() else folder, device)
    if not is_melodic(config["codec"]):
        raise FadernetsError(f"{folder}: a run over {config['codec']}; export it, or give a run of music-vae")

    @torch.no_grad()
    def encode(states: Bytes) -> Array:
        means = model.encode(torch.from_numpy(states.astype(np.int64)).to(device)).mean
        return np.asarray(means.cpu().numpy())

    pitches = whole_semitones(Dataset.open(config["recipe"]["data"]).statistics("pitch"))
    return CodeSpace(folder.name, config["codec"], encode, str(config["recipe"]["data"]), pitches)


def clips_of(data: Path, codec: str, split: str = "test", count: int = CLIPS, seed: int = 0) -> Bytes:
    """[N, ...] up to `count` random clips of a data set: of `split`, and of the others where it has too few.

    Raises FadernetsError for a data set of another codec.
    """
    dataset = Dataset.open(data)
    if dataset.codec.name != codec:
        raise FadernetsError(f"{data}: holds {dataset.codec}; this model reads {codec}")
    random = np.random.default_rng(seed)
    rows = random.permutation(dataset.select(split=split))
    if len(rows) < count:
        rest = np.concatenate([dataset.select(split=s) for s in ("test", "validation", "train") if s != split])
        rows = np.concatenate([rows, rest[: count - len(rows)]])
    rows = np.sort(rows[:count])
    return np.asarray(dataset.codes[rows]) if dataset.codec.melodic else dataset.cells(rows)


def _clips_for(space: CodeSpace, data: Path | None, **which: Any) -> Bytes:
    """`clips_of` the given data set, or of the one that the model was trained on. Raises FadernetsError."""
    if data is None and not (Path(space.data) / "manifest.json").exists():
        raise FadernetsError(f"{space.name}: the data that it learned from, {space.data}, are not here; give --data")
    return clips_of(data or Path(space.data), space.codec, **which)


@dataclass(frozen=True)
class Inspection:
    """The groups of dimensions that augmentation found in a model's codes."""

    model: str
    clips: str
    groups: dict[str, DimensionGroup]

    @property
    def shared(self) -> list[int]:
        """The dimensions in both of the first two groups (Section 3.5: how disentangled pitch and rhythm are)."""
        names = list(self.groups)
        return inspection.overlap(*(self.groups[name] for name in names[:2])) if len(names) > 1 else []

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for inspect.json and --json."""
        groups = {name: group.as_dict() for name, group in self.groups.items()}
        return {"model": self.model, "clips": self.clips, "groups": groups, "shared": self.shared}

    def table(self) -> str:
        """A line per group, with its strongest dimensions first, eight of them at most."""
        head = (
            f"{'group':<10} {'clips':>6} {'threshold':>9} {'dimensions':>10} {'of delta z':>10} {'linearity':>9} "
            f"{'explained by them':>17} {'by the direction':>16}  which"
        )
        rows = [head]
        for group in self.groups.values():
            shown = ", ".join(map(str, group.dimensions[:8].tolist())) + (", ..." if len(group.dimensions) > 8 else "")
            rows.append(
                f"{group.name:<10} {group.clips:>6} {group.threshold:>9.3f} {len(group.dimensions):>10} "
                f"{group.energy:>10.3f} {group.linearity:>9.3f} {group.explained['dimensions']:>17.3f} "
                f"{group.explained['direction']:>16.3f}  {shown}"
            )
        if len(self.groups) > 1:
            rows.append(f"shared: {', '.join(map(str, self.shared)) or 'none'}")
        return "\n".join(rows)


def inspect(
    model: str | Path,
    *,
    data: Path | None = None,
    clips: str = "whole-notes",
    basis: str = "standard",
    threshold: float | None = None,
    top: int | None = None,
    pitches: tuple[int, int] | None = None,
    user_defined: Augmentation | None = None,
    out: Path | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Disentanglement by augmentation of a model's codes; with `out`, the figures and the numbers are written there.

    data: the data set to draw clips from, the model's own unless given. clips: `whole-notes` or `real`. basis: of the
    dimensions, `standard` or `pca`. threshold or top: which dimensions belong to a group, `inspection.inspect`.
    pitches: lowest and highest of the whole notes, those of the model unless given. user_defined: an augmentation in
    place of the standard ones. Raises FadernetsError.
    """
    space = code_space(model)
    if clips == "whole-notes" and not is_melodic(space.codec):
        clips = "real"
    if user_defined is not None:
        user_defined = replace(user_defined, highest=augmentations.HIGHEST[space.codec])
    table = {user_defined.name: user_defined} if user_defined is not None else AUGMENTATIONS[space.codec]
    real = _clips_for(space, data, seed=seed) if clips == "real" or basis == "pca" else None
    axes = None
    if basis == "pca" and real is not None:
        axes = inspection.principal(inspection.encode_in_batches(space.encode, real))[0]
    groups, span = {}, pitches or space.pitches
    for done, (name, row) in enumerate(table.items()):
        encoded = real if clips == "real" and real is not None else augmentations.whole_notes_for(name, span)
        groups[name] = inspection.inspect(space.encode, encoded, row, basis=axes, threshold=threshold, top=top)
        if progress:
            progress(done + 1, len(table))
    result = Inspection(space.name, clips, groups)
    if out is not None:
        draw(result, out)
    return result


def stability(inspections: Sequence[Inspection]) -> dict[str, dict[str, tuple[float, float]]]:
    """Group -> figure -> mean and standard deviation over models.

    The number of a dimension means nothing between two models, so how many there are is compared, not which.
    """
    figures: dict[str, Callable[[DimensionGroup], float]] = {
        "dimensions": lambda group: float(len(group.dimensions)),
        "of delta z": lambda group: group.energy,
        "linearity": lambda group: group.linearity,
        "explained by them": lambda group: group.explained["dimensions"],
        "explained by the direction": lambda group: group.explained["direction"],
    }
    together: dict[str, dict[str, tuple[float, float]]] = {}
    for name in inspections[0].groups:
        groups = [one.groups[name] for one in inspections if name in one.groups]
        together[name] = {title: _spread([of(group) for group in groups]) for title, of in figures.items()}
    together["both"] = {"shared": _spread([float(len(one.shared)) for one in inspections])}
    return together


def _spread(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values))


def stability_table(together: dict[str, dict[str, tuple[float, float]]]) -> str:
    """A line per group: mean and standard deviation of each figure over the models."""
    return "\n".join(
        f"{name}: " + ", ".join(f"{title} {mean:.3f} (sd {sd:.3f})" for title, (mean, sd) in figures.items())
        for name, figures in together.items()
    )


def draw(inspection: Inspection, out: Path) -> list[str]:
    """Write Figures 3 and 4 and their numbers into a folder; return the files."""
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for name, group in inspection.groups.items():
        order = np.argsort(-np.abs(group.mean).max(0), kind="stable")[: DRAWN.get(name, 10)]
        paths = [out / f"inspect-{name}.{kind}" for kind in ("png", "svg")]
        plots.dimensions(
            order.tolist(),
            {f"{amount:g}": np.abs(group.mean[i, order]).tolist() for i, amount in enumerate(group.amounts)},
            paths,
            title=f"{name}: mean change of the {len(order)} dimensions that change most",
            legend=group.unit,
            threshold=group.threshold,
        )
        files += paths
    report = out / "inspect.json"
    write_atomic(report, (json.dumps({**inspection.as_dict(), **provenance()}, indent=1) + "\n").encode())
    return [str(path) for path in [*files, report]]


def pca(model: str | Path, data: Path | None, out: Path, seed: int = 0) -> dict[str, Any]:
    """Figure 2: the sorted variances of the codes' principal components, and how many hold 99 % of them.

    Writes the figure and its numbers into `out`. Raises FadernetsError.
    """
    space = code_space(model)
    clips = _clips_for(space, data, split="train", seed=seed)
    _, variances = inspection.principal(inspection.encode_in_batches(space.encode, clips))
    count = inspection.components_for(variances, SHARE)
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"pca.{kind}" for kind in ("png", "svg")]
    plots.variances(variances.tolist(), count, paths, title=f"{space.name}: variance of {len(variances)} components")
    numbers = {
        "model": space.name,
        "clips": len(clips),
        "components": len(variances),
        "for_99_percent": count,
        "variances": variances.round(6).tolist(),
        **provenance(),
    }
    write_atomic(out / "pca.json", (json.dumps(numbers, indent=1) + "\n").encode())
    return {"files": [str(path) for path in [*paths, out / "pca.json"]], "for_99_percent": count}
