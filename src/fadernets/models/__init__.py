"""The table of models: name -> class. A model owns its `loss(batch, step, total)`; the loop knows no more.

A new one is a file beside these and a row here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any

from fadernets import plugins
from fadernets.attributes.table import PAPER_FADERS, coded
from fadernets.codecs.base import find, imported
from fadernets.errors import FadernetsError

MODELS = {
    "music-fadernets": "fadernets.models.music_fadernets:FaderNets",
    "pati": "fadernets.models.pati:Pati",
    "cvae": "fadernets.models.cvae:CVAE",
    "fader-networks": "fadernets.models.fader_networks:FaderNetworks",
    "glsr-vae": "fadernets.models.glsr_vae:GLSRVAE",
    "gm-vae": "fadernets.models.gm_vae:GMVAE",
    "music-vae": "fadernets.models.music_vae:MusicVAE",
    "language-model": "fadernets.models.language_model:LanguageModel",
}


def models() -> Mapping[str, str]:
    """Name -> "module:class" of every model, those of installed packages included."""
    plugins.adopt_targets(plugins.MODELS, _accept)
    return MODELS


def _accept(name: str, target: str) -> None:
    if name in MODELS:
        raise ValueError(f"model {name}: is there already, as one of {', '.join(MODELS)}")
    MODELS[name] = target


def model_class(name: str) -> Any:
    """The class of a model, imported. Raises FadernetsError for an unknown name."""
    known = models()
    if name not in known:
        raise FadernetsError(f"unknown model {name!r}; known: {', '.join(known)}")
    try:
        model = imported(known[name])
        if not (isinstance(model, type) and is_dataclass(getattr(model, "OPTIONS", None))):
            raise TypeError("is no class derived from fadernets.models.base.Model with OPTIONS of its own")
    except Exception as error:
        raise plugins.blamed(plugins.MODELS, name, error) from error
    return model


def reads_melodies(name: str) -> bool:
    """Whether a model reads data sets of melodies, and no others. Raises FadernetsError for an unknown name."""
    return bool(getattr(model_class(name), "MELODIC", False))


def build(name: str, options: dict[str, Any], codec: str = "grid", attributes: Sequence[str] = PAPER_FADERS) -> Any:
    """A model of that name over that codec: a `base.Model`, or a `MusicVAE` over melodies.

    attributes: what the data set measures, which are the faders of a model of segments. Raises FadernetsError for an
    unknown name or option, a codec that the model does not take, or an attribute that lives in no code.
    """
    model = model_class(name)
    if find(codec).melodic != reads_melodies(name):
        raise FadernetsError(f"model {name} over {codec}: music-vae takes data sets of melodies, the others do not")
    known = {f.name: f.default for f in fields(model.OPTIONS)}
    for option in options:
        if option not in known:
            hint = "; write name: at the top level of the recipe" if option == "name" else ""
            raise FadernetsError(f"unknown model option {option!r}; known: {', '.join(known)}{hint}")
    values = {option: typed(f"model option {option}", v, known[option]) for option, v in options.items()}
    for option, value in values.items():
        possible(option, value)
    if find(codec).melodic:
        return model(model.OPTIONS(**values), codec)
    return model(model.OPTIONS(**values), codec, coded(attributes))


SHARES = ("input_dropout", "sampled", "sampled_ramp")
POSITIVE = ("rhythm_slope", "note_slope", "delta", "alpha")
POSTERIORS = ("free", "constrained")


def possible(option: str, value: Any) -> None:
    """Raises FadernetsError for a model option's value that cannot work."""
    rules = [
        (option != "clusters" or value == 0 or value >= 2, "must be 2 or more (low, ..., high) or 0"),
        (option not in SHARES or 0 <= value <= 1, "must lie in 0..1"),
        (option not in POSITIVE or value > 0, "must be above 0"),
        (option != "posterior" or value in POSTERIORS, f"must be {' or '.join(POSTERIORS)}"),
        (type(value) is not float or value >= 0, "must not be negative"),
        (type(value) is not int or option in ("clusters", "step_plan", "look") or value >= 1, "must be at least 1"),
    ]
    for holds, message in rules:
        if not holds:
            raise FadernetsError(f"model option {option} {value}; {message}")


def typed(name: str, value: Any, default: Any) -> Any:
    """The value as the type of its default. Raises FadernetsError where it is of another."""
    kind = type(default)
    if kind is float and isinstance(value, (int, str)) and not isinstance(value, bool):
        with suppress(ValueError):  # YAML 1.1 reads 1e-3 as a string
            return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise FadernetsError(f"{name}: {value!r} is not of type {kind.__name__}")
    return value
