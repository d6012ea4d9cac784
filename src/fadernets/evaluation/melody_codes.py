"""The codes of a model folder or a run as numbers and figures (Section 3 of the NIME paper).

Principal components (Section 3.1, Figure 2), and the groups of dimensions that augmentation finds (Sections 3.2 to 3.5,
Figures 3 and 4): how many dimensions move with a change of the music, how straight, and how much of the change they
explain. It does not show what a decoder makes of them: see `melody_knobs`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.codecs.base import is_melodic
from fadernets.evaluation.code_spaces import CLIPS, RealClips, clips_for, code_space, has_data
from fadernets.figures import plots
from fadernets.files import write_atomic
from fadernets.melodies import augmentations, inspection
from fadernets.melodies.augmentations import AUGMENTATIONS, Augmentation
from fadernets.melodies.inspection import DimensionGroup
from fadernets.provenance import provenance

PITCH_CLIPS = 10_000  # real ones with the paper's choice (Section 3.3)
PAPER, WHOLE_NOTES, REAL = "paper", "whole-notes", "real"
CHANGED = {"pitch": REAL, "rhythm": WHOLE_NOTES}  # what the paper changes, by group (Sections 3.3 and 3.4)
SHARE = 0.99  # of the variance that components should hold (Section 3.1)
DRAWN = {"pitch": 5, "rhythm": 10}  # dimensions in Figures 3 and 4


@dataclass(frozen=True)
class Inspection:
    """The groups of dimensions that augmentation found in a model's codes."""

    model: str
    clips: str  # which were chosen: paper, whole-notes or real
    groups: dict[str, DimensionGroup]
    changed: dict[str, str]  # group -> the clips that were changed for it: whole-notes or real
    drawn: RealClips | None = None  # the real ones among them, and those of the principal components

    @property
    def shared(self) -> list[int]:
        """The dimensions in both of the first two groups (Section 3.5: how disentangled pitch and rhythm are)."""
        names = list(self.groups)
        return inspection.overlap(*(self.groups[name] for name in names[:2])) if len(names) > 1 else []

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for inspect.json and --json."""
        groups = {name: group.as_dict() for name, group in self.groups.items()}
        for name, group in groups.items():
            group["changed"] = self.changed[name]
        drawn = None if self.drawn is None else self.drawn.as_dict()
        return {"model": self.model, "clips": self.clips, "groups": groups, "shared": self.shared, "drawn": drawn}

    def table(self) -> str:
        """A line per group, with its strongest dimensions first, eight of them at most; then what each amount moves."""
        head = (
            f"{'group':<10} {'clips':>6} {'of':<11} {'threshold':>9} {'dimensions':>10} {'of delta z':>10} "
            f"{'linearity':>9} {'explained by them':>17} {'by the direction':>16}  which"
        )
        rows = [head]
        for group in self.groups.values():
            shown = ", ".join(map(str, group.dimensions[:8].tolist())) + (", ..." if len(group.dimensions) > 8 else "")
            rows.append(
                f"{group.name:<10} {group.clips:>6} {self.changed[group.name]:<11} {group.threshold:>9.3f} "
                f"{len(group.dimensions):>10} "
                f"{group.energy:>10.3f} {group.linearity:>9.3f} {group.explained['dimensions']:>17.3f} "
                f"{group.explained['direction']:>16.3f}  {shown}"
            )
        for group in self.groups.values():
            if len(group.amounts) > 1:
                amounts, reached = (
                    ", ".join(f"{x:g}" for x in xs) for xs in (group.amounts, map(len, group.by_amount))
                )
                rows.append(
                    f"{group.name} at {amounts} {group.unit}: {reached} of its dimensions reach the threshold, "
                    f"{', '.join(map(str, group.among_strongest))} are among the {len(group.dimensions)} "
                    "that change most"
                )
        if len(self.groups) > 1:
            rows.append(f"shared: {', '.join(map(str, self.shared)) or 'none'}")
        if self.drawn is not None:
            splits = ", ".join(f"{count} {name}" for name, count in self.drawn.splits.items())
            rows.append(
                f"real clips: {len(self.drawn.clips)} of {self.drawn.data} ({self.drawn.hash[:12]}; {splits}), "
                f"{self.drawn.distinct} of them distinct"
            )
        return "\n".join(rows)


def inspect(
    model: str | Path,
    *,
    data: Path | None = None,
    clips: str | None = None,
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

    data: the data set to draw clips from, the model's own unless given. clips: `paper`, 10,000 real clips for pitch and
    two whole notes for rhythm (Sections 3.3 and 3.4); `whole-notes` or `real` for both. Unless it is given it is
    `paper` where there are data to draw from, else `whole-notes`. Segments are always real. basis: of the dimensions,
    `standard` or `pca`. threshold or top: which dimensions belong to a group, `inspection.inspect`. pitches: lowest and
    highest of the whole notes, those of the model unless given. user_defined: an augmentation in place of the standard
    ones, of real clips with `paper`. Raises FadernetsError.
    """
    space = code_space(model)
    if not is_melodic(space.codec):
        clips = REAL
    elif clips is None:
        clips = PAPER if has_data(space, data) else WHOLE_NOTES
    if user_defined is not None:
        user_defined = replace(user_defined, highest=augmentations.HIGHEST[space.codec])
    table = {user_defined.name: user_defined} if user_defined is not None else AUGMENTATIONS[space.codec]
    changed = {name: CHANGED.get(name, REAL) if clips == PAPER else clips for name in table}
    real = None
    if REAL in changed.values() or basis == "pca":
        real = clips_for(space, data, count=PITCH_CLIPS if clips == PAPER else CLIPS, seed=seed)
    axes = None
    if basis == "pca" and real is not None:
        axes = inspection.principal(inspection.encode_in_batches(space.encode, real.clips))[0]
    groups, span = {}, pitches or space.pitches
    for done, (name, row) in enumerate(table.items()):
        if changed[name] == REAL and real is not None:
            encoded = real.clips
        else:
            encoded = augmentations.whole_notes_for(name, span)
        groups[name] = inspection.inspect(space.encode, encoded, row, basis=axes, threshold=threshold, top=top)
        if progress:
            progress(done + 1, len(table))
    result = Inspection(space.name, clips, groups, changed, real)
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
    clips = clips_for(space, data, split="train", seed=seed).clips
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
