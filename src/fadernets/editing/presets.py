"""Presets that move every fader: what tells high from low in labelled pieces, as changes of the faders.

One preset (amount 1) is the way from the mean of the segments labelled low to that of those labelled high, the paper's
shift vector (Section 5.2) in the faders' own units; tempo changes by a factor. A difference that does not hold from
piece to piece shrinks toward 0; one below its standard error (pieces drawn anew), or too small to hear, counts as 0.
The mode (major or minor) moves where the labels go along with it. F learnable faders, P pieces, N segments.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from fadernets import plugins, structured_text
from fadernets.arrays import Array, Bools, Floats, Indices
from fadernets.attributes.table import ATTRIBUTES, is_movable
from fadernets.decoding.edit_models import EditModel
from fadernets.engines.grid import ClassLabel, Engine
from fadernets.errors import FadernetsError, did_you_mean
from fadernets.files import write_atomic

PAPER_PRESET = "arousal-codes"  # the paper's preset, a shift of the model's two codes: no Preset of faders
OF_CODES = (
    "-codes"  # ends the names of presets that shift codes; what comes before is the label of the model's clusters
)
FORMAT = 1  # of the files
RESAMPLED = 400  # draws of pieces for the standard error of a difference
SLIGHT = 0.05  # standard deviations: a smaller difference cannot be heard and counts as 0
LEAST_MODE = 0.1  # a difference in the share of major segments from which the mode moves
MOST_AMOUNT = 4.0  # how many times a preset can be applied, either way
MAX_FILE_BYTES = 2**20
MOST_STEP, MOST_LOG = 1e9, 100.0  # of a preset's move, and of the log of a factor: numbers that arithmetic can hold
FACTORS = ("tempo",)  # attributes that change by a factor
METRONOME = 40.0, 208.0  # quarter notes a minute: no preset takes a tempo out of a metronome's range
_plugin_presets: dict[str, Preset] = {}  # those of installed packages


@dataclass(frozen=True)
class Preset:
    """A direction in the faders. What is called `amount` is how many times it is applied; below 0, the other way."""

    name: str
    moves: dict[str, float]  # attribute -> its change for amount 1; for those of FACTORS, the log of a factor
    mode: float = 0.0  # share of major segments among the high ones, less that among the low ones
    about: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    def moved(self, name: str, values: Floats, amount: float) -> Floats:
        """Values [K] of an attribute after the preset. A tempo stays in METRONOME, or where it is outside of it."""
        step = amount * self.moves.get(name, 0.0)
        if name not in FACTORS:
            return np.asarray(values + step)
        slowest, fastest = METRONOME
        return np.asarray(np.clip(values * np.exp(step), np.minimum(values, slowest), np.maximum(values, fastest)))

    def move_text(self, name: str, amount: float, source: Floats | None = None) -> str:
        """One fader's change as text: +12.5, or x1.32 for a factor; the mean factor where METRONOME ends that of some
        of the values `source` [K] of a piece."""
        step = amount * self.moves[name]
        if name not in FACTORS:
            return f"{step:+.3g}"
        if source is not None and len(source):
            factors = self.moved(name, source, amount) / source
            if not np.allclose(factors, np.exp(step)):
                return f"x{factors.mean():.2f} (kept in {METRONOME[0]:g}..{METRONOME[1]:g})"
        return f"x{np.exp(step):.2f}"

    def key(self, home: int, amount: float) -> int:
        """The key that a piece in `home` (0..23) goes to: on the same tonic, major or minor."""
        shift = amount * self.mode
        if abs(shift) < LEAST_MODE:
            return home
        return home % 12 if shift > 0 else home % 12 + 12

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all. Raises FadernetsError."""
        record = {"format": FORMAT, **vars(self)}
        write_atomic(path, (json.dumps(record, indent=1) + "\n").encode())


@dataclass(frozen=True)
class CodePreset:
    """A shift of a model's codes between the means of its clusters (Section 5.2), for any label and any number of them.

    `mood-codes` goes toward the highest class of the label mood, or below 0 toward the lowest; `mood-codes:middle` goes
    toward the class of that name, and below 0 away from it.
    """

    label: str
    target: str = ""  # the name of a class, or its number from 1, the lowest first; "": the highest, or the lowest

    @classmethod
    def parse(cls, name: str) -> CodePreset | None:
        """The preset of that name; None for a name that no preset of codes has."""
        label, ends, target = name.rpartition(OF_CODES)
        if not ends or not label or (target and (target[0] != ":" or len(target) == 1)):
            return None
        return cls(label, target[1:])

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.label}{OF_CODES}{':' if self.target else ''}{self.target}"


def of_engine(engine: EditModel) -> list[CodePreset]:
    """The presets of codes that a model has: none, where it is no model of windows with clusters."""
    label = engine.label if isinstance(engine, Engine) else None
    return [] if label is None else of_label(label)


def of_label(label: ClassLabel) -> list[CodePreset]:
    """The presets of codes of a model whose clusters are of that label; of more than two classes, one for each too."""
    each = label.classes if len(label.classes) > 2 else ()
    return [CodePreset(label.name), *(CodePreset(label.name, name) for name in each)]


def target_class(label: ClassLabel, preset: CodePreset) -> int | None:
    """The class that a preset goes toward, None for the highest or the lowest. Raises FadernetsError."""
    if preset.label == label.name and not preset.target:
        return None
    names = label.classes
    if preset.label == label.name and preset.target in names:
        return names.index(preset.target)
    if preset.label == label.name and preset.target in map(str, range(1, len(names) + 1)):
        return int(preset.target) - 1
    known = ", ".join(one.name for one in of_label(label))
    raise FadernetsError(
        f"preset {preset.name}: the model's clusters are of {label.name} ({', '.join(names)}); it has {known}"
    )


def bundled() -> dict[str, Path]:
    """The presets inside the package: name -> file."""
    root = Path(str(resources.files("fadernets"))) / "assets" / "presets"
    return {file.stem: file for file in sorted(root.glob("*.json"))}


def names() -> list[str]:
    """The presets of faders that can be asked for by name: the bundled ones, then those of installed packages."""
    return [*bundled(), *_of_plugins()]


def learnable() -> tuple[str, ...]:
    """The attributes that a preset can move, as they are registered now: all faders whose values are numbers."""
    return tuple(name for name, row in ATTRIBUTES.items() if not row.names and is_movable(row))


def load(name: str | Path, where: str = "preset") -> Preset:
    """A preset by its name, or a file that `fadernets preset learn` wrote. Raises FadernetsError.

    A file may name attributes of the user's; they must be registered before it is loaded. where: what asks for the
    preset, in an error: a field, or an option of the command line.
    """
    preset = _of_plugins().get(str(name))
    return _read(bundled().get(str(name), Path(name)), f"{where} {name}") if preset is None else preset


def _read(path: Path, where: str) -> Preset:
    """The preset in a file; `where` begins the message of an error, and ends with the name. Raises FadernetsError."""
    try:
        record = structured_text.read_json(path, MAX_FILE_BYTES)
        if record.pop("format") != FORMAT:
            raise FadernetsError(f"{where}: is of another format; this version reads {FORMAT}")
        moves = {str(key): float(value) for key, value in record.pop("moves").items()}
        about, evidence = str(record["about"]), dict(record["evidence"])
        return _checked(Preset(str(record["name"]), moves, float(record["mode"]), about, evidence), where)
    except FadernetsError:
        raise
    except OSError as error:
        known = [*names(), PAPER_PRESET]
        meant = did_you_mean(str(path), known)
        raise FadernetsError(
            f"{where}: cannot be read ({error.strerror}){meant}; bundled: {', '.join(known)}"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FadernetsError(f"{where}: is no preset ({error}); `fadernets preset learn` writes one") from None


def _checked(preset: Preset, where: str) -> Preset:
    """The preset, if every fader that it moves can be moved like that. Raises FadernetsError."""
    unknown = sorted(set(preset.moves) - set(learnable()))
    possible = all(abs(step) <= (MOST_LOG if key in FACTORS else MOST_STEP) for key, step in preset.moves.items())
    if unknown or not possible or not abs(preset.mode) <= 1:
        hint = "; attributes of your own are registered first (--attributes)" if unknown else ""
        moves = ", ".join(unknown) or preset.moves
        raise FadernetsError(f"{where}: unknown fader or impossible move: {moves}{hint}")
    return preset


def _of_plugins() -> dict[str, Preset]:
    """The presets of installed packages, by name."""
    plugins.adopt(plugins.PRESETS, _adopt)
    return _plugin_presets


def _adopt(name: str, value: Any) -> None:
    """Take in an entry point's object. Raises ValueError, FadernetsError or TypeError for one that is no preset."""
    if name in bundled() or name in _plugin_presets or CodePreset.parse(name) is not None:
        raise ValueError(f"a preset of the name {name} exists already, or is one of a model's codes")
    if not isinstance(value, (Preset, str, os.PathLike)):
        raise TypeError(f"is of type {type(value).__name__}, not a Preset or the path of one")
    where = f"preset {name}"
    _plugin_presets[name] = _checked(value, where) if isinstance(value, Preset) else _read(Path(value), where)


@dataclass(frozen=True)
class LabelledValues:
    """Segments with their labels. N segments."""

    values: Mapping[str, Floats]  # attribute -> [N]
    major: Bools  # [N]
    high: Bools  # [N]
    low: Bools  # [N]
    piece: Array  # [N] which piece each is of


def learn(name: str, segments: LabelledValues, about: str = "", seed: int = 0) -> Preset:
    """A preset from labelled segments. Raises FadernetsError where one of the two sides has none."""
    if not segments.high.any() or not segments.low.any():
        raise FadernetsError("a preset needs segments of both kinds, high and low")
    faders = learnable()
    columns = [np.log(segments.values[n]) if n in FACTORS else segments.values[n] for n in faders]
    table = np.column_stack([*columns, segments.major]).astype(np.float64)  # [N, F + 1]
    sides = [_sums_by_piece(table, side, segments.piece) for side in (segments.high, segments.low)]
    pieces = len(sides[0][0])
    step = _difference(sides, np.arange(pieces))
    rng = np.random.default_rng(seed)
    draws = [rng.integers(pieces, size=pieces) for _ in range(RESAMPLED)]
    error = np.nanstd([_difference(sides, draw) for draw in draws], axis=0)  # [F + 1]
    least = np.maximum(error, SLIGHT * np.nanstd(table, axis=0))
    shrunk = np.where(np.abs(step) > least, step**3 / np.maximum(step**2 + error**2, 1e-12), 0.0)
    moves = {n: round(float(value), 5) + 0.0 for n, value in zip(faders, shrunk, strict=False)}
    evidence = {
        "pieces": len(np.unique(segments.piece[segments.high | segments.low])),
        "segments": int((segments.high | segments.low).sum()),
        "unshrunk": {n: round(float(value), 5) for n, value in zip((*faders, "mode"), step, strict=True)},
        "standard_error": {n: round(float(value), 5) for n, value in zip((*faders, "mode"), error, strict=True)},
    }
    return Preset(name, moves, round(float(shrunk[-1]), 5), about, evidence)


def _sums_by_piece(table: Floats, side: Bools, piece: Array) -> tuple[Floats, Floats]:
    """[P, F + 1] sums of one side's rows of each piece, and how many values each sums."""
    pieces, index = np.unique(piece, return_inverse=True)
    known = np.isfinite(table) & side[:, None]
    total, count = np.zeros((2, len(pieces), table.shape[1]))
    np.add.at(total, index, np.where(known, table, 0))
    np.add.at(count, index, known)
    return total, count


def _difference(sides: list[tuple[Floats, Floats]], pieces: Indices) -> Floats:
    """[F + 1] from the mean of the low side to that of the high one, over some pieces; nan where a side has none."""
    means = []
    for total, count in sides:
        known = count[pieces].sum(0)
        means.append(np.divide(total[pieces].sum(0), known, out=np.full(len(known), np.nan), where=known > 0))
    return np.asarray(means[0] - means[1])


def of_labels(values: Mapping[str, Floats], key: Floats, label: Floats, piece: Array, margin: float) -> LabelledValues:
    """Segments outside -margin..margin of a label that runs from low to high around 0; the others are left out."""
    return LabelledValues(values, np.asarray(key) < 12, label > margin, label < -margin, piece)


def of_measure(values: Mapping[str, Floats], key: Floats, measured: Floats, piece: Array) -> LabelledValues:
    """The upper and the lower third of a measure [N] within each piece: what is high in one piece may be low in
    another. Pieces of fewer than three segments are left out."""
    high, low = np.zeros((2, len(measured)), bool)
    for p in np.unique(piece):
        inside = np.flatnonzero(piece == p)
        if len(inside) < 3:
            continue
        first, last = np.quantile(measured[inside], [1 / 3, 2 / 3])
        if last > first:
            high[inside], low[inside] = measured[inside] >= last, measured[inside] <= first
    return LabelledValues(values, np.asarray(key) < 12, high, low, piece)


def table(preset: Preset, amount: float = 1.0, held: Sequence[str] = (), moves: Mapping[str, str] | None = None) -> str:
    """What the preset does to each fader, in one line. moves: what it did to those of a piece, as a report has it."""
    moves = moves or {}
    moved = [n for n, step in preset.moves.items() if step * amount and n not in held]
    parts = [f"{ATTRIBUTES[n].option} {moves.get(n) or preset.move_text(n, amount)}" for n in moved]
    if abs(amount * preset.mode) >= LEAST_MODE and "key" not in held:
        parts.append(f"key to {'major' if amount * preset.mode > 0 else 'minor'}")
    holds = f"; held: {', '.join(ATTRIBUTES[n].option for n in held)}" if held else ""
    return f"preset {preset.name}={amount:g}: {', '.join(parts) or 'nothing'}{holds}"
