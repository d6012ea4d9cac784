"""Music FaderNets: faders and presets for symbolic music, from MIDI file to MIDI file.

    >>> import fadernets
    >>> edited = fadernets.edit("in.mid", move={"rhythm_density": 0.2}, preset="arousal")
    >>> path = edited.save("out.mid")

Everything in `__all__` is imported when it is first used, so that `import fadernets` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fadernets.api import (
        Blended,
        Edited,
        apply,
        apply_regions,
        blend,
        document_of,
        edit,
        evaluate,
        list_faders,
        list_models,
        list_presets,
        measure,
        mix,
        turn,
    )
    from fadernets.attributes.table import Attribute, register
    from fadernets.data.dataset import Dataset
    from fadernets.editing.regions import Region
    from fadernets.editing.requests import Faders
    from fadernets.engines.grid import Engine
    from fadernets.engines.melody import MelodyEngine
    from fadernets.errors import FadernetsError
    from fadernets.music.document import Document

__version__ = "0.2.0"

__all__ = [
    "Attribute",
    "Blended",
    "Dataset",
    "Document",
    "Edited",
    "Engine",
    "FadernetsError",
    "Faders",
    "MelodyEngine",
    "Region",
    "apply",
    "apply_regions",
    "blend",
    "document_of",
    "edit",
    "evaluate",
    "list_faders",
    "list_models",
    "list_presets",
    "measure",
    "mix",
    "register",
    "turn",
]

_MODULES = {  # where each name lies; all others are in `api`
    "Attribute": "attributes.table",
    "Dataset": "data.dataset",
    "Document": "music.document",
    "Engine": "engines.grid",
    "FadernetsError": "errors",
    "Faders": "editing.requests",
    "MelodyEngine": "engines.melody",
    "Region": "editing.regions",
    "register": "attributes.table",
}


def __getattr__(name: str) -> Any:
    """One of `__all__`, imported and kept (PEP 562). Raises AttributeError for any other name."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'api')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for completion."""
    return [*__all__, "__version__"]
