"""The codes of a model folder or a run, and the clips of a data set that they are looked at by.

N clips, Z latent size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Array, Bytes, Indices
from fadernets.codecs import melody_states
from fadernets.codecs.base import is_melodic
from fadernets.data.dataset import Dataset
from fadernets.errors import FadernetsError
from fadernets.melodies.inspection import Encode

CLIPS = 16_384  # drawn from a data set


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
    from fadernets.engines.model_folder import bundled, is_model

    folder = Path(model)
    if is_model(model):
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


@dataclass(frozen=True)
class RealClips:
    """Clips that were drawn from a data set."""

    clips: Bytes  # [N, ...]
    data: str  # the name of the data set's folder
    hash: str
    splits: dict[str, int]  # split -> how many of the clips are of it

    @property
    def distinct(self) -> int:
        """How many of the clips differ: tunes repeat their bars."""
        return len({clip.tobytes() for clip in self.clips})

    def as_dict(self) -> dict[str, Any]:
        """What a report says of them."""
        plain = {"data": self.data, "hash": self.hash, "splits": self.splits}
        return {**plain, "clips": len(self.clips), "distinct": self.distinct}


def clips_of(data: Path, codec: str, split: str = "test", count: int = CLIPS, seed: int = 0) -> RealClips:
    """Up to `count` random clips of a data set: of `split`, and of the others where it has too few.

    Raises FadernetsError for a data set of another codec.
    """
    dataset = Dataset.open(data)
    if dataset.codec.name != codec:
        raise FadernetsError(f"{data}: holds {dataset.codec}; this model reads {codec}")
    random = np.random.default_rng(seed)
    drawn: dict[str, Indices] = {}
    for name in (split, *(s for s in ("test", "validation", "train") if s != split)):
        rows = random.permutation(dataset.select(split=name))[: count - sum(map(len, drawn.values()))]
        if len(rows):
            drawn[name] = rows
    every = np.sort(np.concatenate([*drawn.values(), np.empty(0, np.int64)]))
    clips = np.asarray(dataset.codes[every]) if dataset.codec.melodic else dataset.cells(every)
    return RealClips(clips, data.absolute().name, dataset.hash, {name: len(rows) for name, rows in drawn.items()})


def has_data(space: CodeSpace, data: Path | None) -> bool:
    """Whether there are clips to draw from: a data set is named, or the one that the model was trained on is here."""
    return data is not None or (Path(space.data) / "manifest.json").exists()


def clips_for(space: CodeSpace, data: Path | None, **which: Any) -> RealClips:
    """`clips_of` the given data set, or of the one that the model was trained on. Raises FadernetsError."""
    if not has_data(space, data):
        raise FadernetsError(f"{space.name}: the data that it learned from, {space.data}, are not here; give --data")
    return clips_of(data or Path(space.data), space.codec, **which)
