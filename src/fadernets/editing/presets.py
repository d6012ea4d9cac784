"""Presets that use every fader: what tells high from low in labelled pieces, as moves of the faders.

One preset (amount 1) is the way from the mean of the segments labelled low to that of those labelled high, the paper's
shift vector (Section 5.2) in the faders' own units; tempo goes by a factor. A difference that does not hold from piece
to piece shrinks toward 0; one below its standard error (pieces drawn anew), or too small to hear, is none. The mode
goes along where the labels do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes.table import ATTRIBUTES
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic

Floats = NDArray[np.float64]
FORMAT = 1
RESAMPLED = 400  # draws of pieces for the standard error of a difference
SLIGHT = 0.05  # standard deviations: a smaller difference is none
MODE = 0.1  # a difference in the share of major segments that moves the mode
MOST = 4.0  # presets at once
MOST_BYTES = 2**20
FACTORS = ("tempo",)  # attributes that go by a factor
LEARNED = tuple(name for name, row in ATTRIBUTES.items() if not row.names)


@dataclass(frozen=True)
class Preset:
    """A direction in the faders."""

    name: str
    moves: dict[str, float]  # attribute -> its change for amount 1; for those of FACTORS, the log of a factor
    mode: float = 0.0  # share of major segments among the high ones, less that among the low ones
    about: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    def moved(self, name: str, own: Floats, amount: float) -> Floats:
        """Values [K] of an attribute after the preset, `amount` times."""
        step = amount * self.moves.get(name, 0.0)
        return np.asarray(own * np.exp(step) if name in FACTORS else own + step)

    def said(self, name: str, amount: float) -> str:
        """One fader's move in words: +12.5, or x1.32 for a factor."""
        step = amount * self.moves[name]
        return f"x{np.exp(step):.2f}" if name in FACTORS else f"{step:+.3g}"

    def key(self, home: int, amount: float) -> int:
        """The key that a piece in `home` (0..23) goes to: on the same tonic, major or minor."""
        way = amount * self.mode
        if abs(way) < MODE:
            return home
        return home % 12 if way > 0 else home % 12 + 12

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        found = {"format": FORMAT, **vars(self)}
        write_atomic(path, (json.dumps(found, indent=1) + "\n").encode())


def bundled() -> dict[str, Path]:
    """The presets inside the package: name -> file."""
    root = Path(str(resources.files("fadernets"))) / "assets" / "presets"
    return {file.stem: file for file in sorted(root.glob("*.json"))}


def load(name: str | Path) -> Preset:
    """A bundled preset by name, or a file that `fadernets preset learn` wrote. Raises FadernetsError."""
    path = bundled().get(str(name), Path(name))
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FadernetsError(f"--preset {name}: {path.stat().st_size} bytes; at most {MOST_BYTES} are read")
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("format") != FORMAT:
            raise FadernetsError(f"--preset {name}: is of another format; this version reads {FORMAT}")
        moves = {str(key): float(value) for key, value in found.pop("moves").items()}
        unknown = sorted(set(moves) - set(LEARNED))
        if unknown or not np.isfinite([*moves.values(), float(found["mode"])]).all():
            raise FadernetsError(f"--preset {name}: unknown fader or impossible move: {', '.join(unknown) or moves}")
        return Preset(str(found["name"]), moves, float(found["mode"]), str(found["about"]), dict(found["evidence"]))
    except OSError as error:
        known = ", ".join([*bundled(), "arousal-codes"])
        raise FadernetsError(f"--preset {name}: cannot be read ({error.strerror}); bundled: {known}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FadernetsError(f"--preset {name}: is no preset ({error}); `fadernets preset learn` writes one") from None


@dataclass(frozen=True)
class Labelled:
    """Segments with what was said of them. N segments."""

    values: Mapping[str, Floats]  # attribute -> [N]
    major: NDArray[np.bool_]  # [N]
    high: NDArray[np.bool_]  # [N]
    low: NDArray[np.bool_]  # [N]
    piece: NDArray  # [N] which piece each is of


def learn(name: str, rows: Labelled, about: str = "", seed: int = 0) -> Preset:
    """A preset from labelled segments. Raises FadernetsError where one of the two sides has none."""
    if not rows.high.any() or not rows.low.any():
        raise FadernetsError("a preset needs segments of both kinds, high and low")
    columns = [np.log(rows.values[n]) if n in FACTORS else rows.values[n] for n in LEARNED]
    table = np.column_stack([*columns, rows.major]).astype(np.float64)
    sides = [_sums(table, side, rows.piece) for side in (rows.high, rows.low)]
    step = _step(sides, np.arange(len(sides[0][0])))
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(len(sides[0][0]), size=len(sides[0][0])) for _ in range(RESAMPLED)]
    steps = np.array([_step(sides, pieces) for pieces in drawn])
    error = np.nanstd(steps, axis=0)
    least = np.maximum(error, SLIGHT * np.nanstd(table, axis=0))
    shrunk = np.where(np.abs(step) > least, step**3 / np.maximum(step**2 + error**2, 1e-12), 0.0)
    moves = {n: round(float(value), 5) + 0.0 for n, value in zip(LEARNED, shrunk, strict=False)}
    evidence = {
        "pieces": len(np.unique(rows.piece[rows.high | rows.low])),
        "segments": int((rows.high | rows.low).sum()),
        "unshrunk": {n: round(float(value), 5) for n, value in zip((*LEARNED, "mode"), step, strict=True)},
        "standard_error": {n: round(float(value), 5) for n, value in zip((*LEARNED, "mode"), error, strict=True)},
    }
    return Preset(name, moves, round(float(shrunk[-1]), 5), about, evidence)


def _sums(table: Floats, side: NDArray[np.bool_], piece: NDArray) -> tuple[Floats, Floats]:
    """[P, F] sums of the rows of one side by piece, and how many each sums."""
    names, index = np.unique(piece, return_inverse=True)
    known = np.isfinite(table) & side[:, None]
    total, count = np.zeros((2, len(names), table.shape[1]))
    np.add.at(total, index, np.where(known, table, 0))
    np.add.at(count, index, known)
    return total, count


def _step(sides: list[tuple[Floats, Floats]], pieces: NDArray[np.int64]) -> Floats:
    """[F] from the mean of the low side to that of the high one, of some pieces; nan where a side has none."""
    means = []
    for total, count in sides:
        seen = count[pieces].sum(0)
        means.append(np.divide(total[pieces].sum(0), seen, out=np.full(len(seen), np.nan), where=seen > 0))
    return np.asarray(means[0] - means[1])


def of_labels(values: Mapping[str, Floats], key: Floats, label: Floats, piece: NDArray, margin: float) -> Labelled:
    """Segments outside -margin..margin of a label that runs from low to high around 0; the others are left out."""
    return Labelled(values, np.asarray(key) < 12, label > margin, label < -margin, piece)


def of_measure(values: Mapping[str, Floats], key: Floats, measured: Floats, piece: NDArray) -> Labelled:
    """The upper and the lower third of a measure, each piece against itself: what is high in one may be low in another
    piece."""
    high, low = np.zeros((2, len(measured)), bool)
    for p in np.unique(piece):
        own = np.flatnonzero(piece == p)
        if len(own) < 3:
            continue
        first, last = np.quantile(measured[own], [1 / 3, 2 / 3])
        if last > first:
            high[own], low[own] = measured[own] >= last, measured[own] <= first
    return Labelled(values, np.asarray(key) < 12, high, low, piece)


def table(preset: Preset, amount: float = 1.0, held: Sequence[str] = ()) -> str:
    """What each fader does, in words."""
    moves = [n for n, step in preset.moves.items() if step * amount and n not in held]
    parts = [f"{ATTRIBUTES[n].option} {preset.said(n, amount)}" for n in moves]
    if abs(amount * preset.mode) >= MODE and "key" not in held:
        parts.append(f"key to {'major' if amount * preset.mode > 0 else 'minor'}")
    holds = f"; held: {', '.join(ATTRIBUTES[n].option for n in held)}" if held else ""
    return f"preset {preset.name}={amount:g}: {', '.join(parts) or 'nothing'}{holds}"
