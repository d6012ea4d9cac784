"""The models that a server offers: the shipped ones and those named at its start, each opened once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from fadernets import __version__
from fadernets.attributes.of_segments import HIGHEST
from fadernets.codecs.base import is_melodic
from fadernets.decoding.edit_models import REWRITER, EditModel, open_edit_model
from fadernets.editing.presets import PAPER_PRESET, of_label
from fadernets.engines.grid import ClassLabel, Engine
from fadernets.engines.melody import MelodyEngine
from fadernets.engines.model_folder import (
    DEFAULT_MELODY_MODEL,
    DEFAULT_MODEL,
    DEFAULT_WINDOW_MODEL,
    ModelFolder,
    bundled,
    codec_of,
    model_info,
)
from fadernets.errors import FadernetsError
from fadernets.web.types import ModelInfo


class Models:
    """Models by name, safe to use from several threads; the first one is that on which edits run by default.

    folders: model folders by name, beside the shipped ones.
    """

    def __init__(self, folders: dict[str, Path] | None = None) -> None:
        shipped = bundled()
        self._folders: dict[str, Path] = {DEFAULT_MODEL: shipped[DEFAULT_MODEL], **shipped, **(folders or {})}
        self._engines: dict[str, EditModel] = {}
        self._melody_engines: dict[str, MelodyEngine] = {}
        self._lock = threading.Lock()

    def describe(self) -> list[ModelInfo]:
        """Name, codec and hash of each model, and whether it has codes."""
        models = []
        for name, folder in self._folders.items():
            with model_info(folder) as (_, info):
                digest = info["sha256"].get("decoder.onnx", "")[:12]
                codes = info.get("kind") != REWRITER
                high = {} if codes else HIGHEST
                models.append(ModelInfo(name=name, codec=info["codec"], hash=digest, codes=codes, high=high))
        return models

    def code_presets(self) -> dict[str, list[str]]:
        """Presets that shift codes, the paper's first, and the models whose clusters they belong to."""
        found: dict[str, list[str]] = {PAPER_PRESET: []}
        for name, folder in self._folders.items():
            with model_info(folder) as (_, info):
                means = list((info.get("means") or {}).values())
                label = ClassLabel.of(info.get("label"), len(means[0])) if means else None
            for preset in () if label is None else of_label(label):
                found.setdefault(preset.name, []).append(name)
        return found

    def engine(self, name: str = DEFAULT_MODEL) -> EditModel:
        """A model that edits pieces. Raises FadernetsError for a name that is not one of theirs."""
        with self._lock:
            if name not in self._engines:
                opened = open_edit_model(self._folder(name, melodies=False))
                self._engines[name] = opened.load() if isinstance(opened, ModelFolder) else opened
            return self._engines[name]

    def window_engine(self, name: str = DEFAULT_WINDOW_MODEL) -> Engine:
        """A model of the paper's windows, whose codes can be inspected. Raises FadernetsError for any other."""
        opened = self.engine(name)
        if not isinstance(opened, Engine):
            raise FadernetsError(f"model {name}: rewrites passages; it has no codes to inspect")
        return opened

    def melody_engine(self, name: str = DEFAULT_MELODY_MODEL) -> MelodyEngine:
        """A model of melodies. Raises FadernetsError for a name that is not one of theirs."""
        with self._lock:
            if name not in self._melody_engines:
                self._melody_engines[name] = MelodyEngine.open(self._folder(name, melodies=True)).load()
            return self._melody_engines[name]

    def is_melody(self, name: str) -> bool:
        """Whether a model is one of melodies. Raises FadernetsError for an unknown name."""
        return is_melodic(codec_of(self._folder(name)))

    def provenance(self, name: str) -> dict[str, Any]:
        """What a file says of the program and the model that made it."""
        opened = self.melody_engine(name) if name == DEFAULT_MELODY_MODEL else self.engine(name)
        return {"fadernets": __version__, "model": name, "model_sha256": opened.info["sha256"]}

    def _folder(self, name: str, melodies: bool | None = None) -> Path:
        """A model's folder; `melodies` restricts the names to models of melodies (True) or of segments (False)."""
        kinds = {n: is_melodic(codec_of(folder)) for n, folder in self._folders.items()}
        allowed = [n for n, kind in kinds.items() if melodies in (None, kind)]
        if name not in allowed:
            kind = "serves melodies" if name in self._folders else "is not known"
            raise FadernetsError(f"model {name}: {kind}; allowed: {', '.join(allowed)}")
        return self._folders[name]
