"""Regions: edits of some bars on chosen tracks that lie over each other as layers, each on what the earlier ones left.

A region has faders, preset, locks, seed and faithfulness of its own. Outside its bars and tracks nothing changes. Bars
are those of the piece's own metre; where a lock names notes by number, they are those of the file that the region
meets. A list of regions is a JSON file:

    {"version": 1, "model": "rewriter", "regions": [{"name": "busier", "bars": [[5, 8]], "only": "left",
     "move": {"rhythm_density": 0.2}, "keep": ["bass"], "seed": 3}]}

Each has the fields of the faders in a request to the studio, and all may be left out; `model` is the
bundled model that the regions were made with. In place of faders a region may have `notes` (`note_layers`).
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from fadernets import structured_text
from fadernets.attributes.table import ATTRIBUTES
from fadernets.editing.edit_report import SegmentReport
from fadernets.editing.fader_curves import FaderCurve, Ramp
from fadernets.editing.lock_requests import Lock
from fadernets.editing.note_layers import NoteLayer
from fadernets.editing.presets import Preset
from fadernets.editing.requests import MOST_VARIATIONS, Faders, RegionOptions, check_options
from fadernets.engines.model_folder import bundled
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic

VERSION = 1  # of the file
MAX_FILE_BYTES = 2**22
MOST_REGIONS = 64  # of one piece
MOST_NAME = 200  # characters


@dataclass(frozen=True)
class Variation:
    """Which of several different answers to one request is meant."""

    index: int = 0
    of: int = 1


ONE = Variation()


@dataclass(frozen=True)
class Region:
    """One layer. `Region.checked` makes one of values from outside."""

    faders: Faders  # with its bars (None: all), tracks, locks and seed
    name: str = ""
    bypass: bool = False  # whether it is left out for now
    variation: Variation = ONE
    preset: str | None = None  # as it was named
    notes: NoteLayer | None = None  # notes that go and come, in place of faders

    def __post_init__(self) -> None:
        """Raises FadernetsError for a name or a variation that cannot be, and for faders beside notes."""
        if not isinstance(self.faders, Faders):
            raise FadernetsError(
                f"a Region has Faders; Region.checked takes values by keyword, not {self.faders!r:.40}"
            )
        if len(self.name) > MOST_NAME or not self.name.isprintable():
            raise FadernetsError(f"name: one line of at most {MOST_NAME} characters, not {self.name!r:.40}")
        index, of = self.variation.index, self.variation.of
        if not 1 <= of <= MOST_VARIATIONS or not 0 <= index < of:
            raise FadernetsError(
                f"variation {index} of {of}: counts go to {MOST_VARIATIONS}, indices from 0 to the count less 1"
            )
        if self.notes is not None:
            _check_at_rest(self)

    @classmethod
    def checked(
        cls,
        *,
        name: str = "",
        bypass: bool = False,
        variation: tuple[int, int] | None = None,
        notes: NoteLayer | Mapping[str, Any] | None = None,
        **faders: Unpack[RegionOptions],
    ) -> Region:
        """A region of values from outside; `faders` are the keywords of `edit` from `set` to `only`. A
        `variation` is the index, from 0, of one of so many different answers; `notes` are those of a `NoteLayer`, and
        its region has no faders. Raises FadernetsError.

        >>> region = Region.checked(name="busier", bars=[(5, 8)], only="left", move={"rhythm-density": 0.2}, seed=3)
        >>> region.faders.move
        {'rhythm_density': 0.2}
        """
        check_options("Region.checked", faders, RegionOptions)
        checked = Faders.checked(**faders)
        preset = faders.get("preset")
        named = None if preset is None else preset.name if isinstance(preset, Preset) else os.fspath(preset)
        layer = None if notes is None else NoteLayer.checked(notes)
        if not isinstance(name, str):
            raise FadernetsError(f"name: a text, not {name!r:.40}")
        return cls(checked, name, bool(bypass), _checked_variation(variation), named, layer)

    def label(self, number: int) -> str:
        """What errors and tables call the region with this number, from 1."""
        return label_of(self.name, number)

    def has(self, segment: SegmentReport) -> bool:
        """Whether a segment lies in the region's bars."""
        last = segment.bar if segment.last_bar is None else segment.last_bar
        return self.faders.bars is None or any(a <= segment.bar and last <= b for a, b in self.faders.bars)

    def as_dict(self) -> dict[str, Any]:
        """The region as a file has it, without what is as it is by default."""
        faders = self.faders
        out: dict[str, Any] = {"name": self.name, "bypass": self.bypass}
        out["bars"] = [list(bars) for bars in faders.bars] if faders.bars is not None else None
        out |= {"tracks": faders.tracks, "only": faders.only}
        out["set"] = {name: _value(name, curve) for name, curve in faders.set.items()}
        out["move"] = {name: _plain(curve) for name, curve in faders.move.items()}
        values = faders.per_bar.values if faders.per_bar is not None else {}
        out["per_bar"] = {name: {str(bar): value for bar, value in bars.items()} for name, bars in values.items()}
        if self.preset is not None:
            amount = faders.amount if faders.codes is None else faders.arousal
            out["preset"] = {"name": self.preset, "amount": amount}
            out["preset"] |= {"hold": sorted(faders.hold)} if faders.hold else {}
        out["keep"] = [_text_of(lock) for lock in faders.keep]
        out["faithfulness"] = None if faders.faithfulness == 1 else faders.faithfulness
        out["seed"] = faders.seed
        out["variation"] = (
            None if self.variation.of == 1 else {"index": self.variation.index, "count": self.variation.of}
        )
        out["notes"] = None if self.notes is None else self.notes.as_dict()
        return {key: value for key, value in out.items() if value or (key == "faithfulness" and value is not None)}


@dataclass(frozen=True)
class RegionList:
    """What a file of regions holds."""

    regions: list[Region]
    model: str | None = None  # the bundled model that they were made with

    @property
    def moves_codes(self) -> bool:
        """Whether a region has the paper's preset, which only a model with codes can move."""
        return any(region.faders.arousal for region in self.regions if not region.bypass)

    def bundled_model(self) -> str | None:
        """The model that the file names, for who names none. Raises FadernetsError for one that is not bundled."""
        if self.model is not None and self.model not in bundled():
            known = ", ".join(bundled())
            raise FadernetsError(
                f"model {self.model}: the regions were made with it, and it is none of {known}; name it"
            )
        return self.model

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        model = {} if self.model is None else {"model": self.model}
        return {"version": VERSION, **model, "regions": [region.as_dict() for region in self.regions]}

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all. Raises FadernetsError."""
        text = json.dumps(self.as_dict(), indent=1, ensure_ascii=False)
        write_atomic(path, (_NUMBERS.sub(_in_one_line, text) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> RegionList:
        """Read a file of regions, or one of the studio that holds them as `regions` beside what it reports. Raises
        FadernetsError for anything else."""
        try:
            content = structured_text.read_json(path, MAX_FILE_BYTES)
        except OSError as error:
            raise FadernetsError(f"{path}: cannot be read ({error.strerror or error})") from None
        except ValueError as error:
            raise FadernetsError(f"{path}: is not JSON that can be read ({error})") from None
        try:
            return cls.of_dict(content)
        except FadernetsError as error:
            raise FadernetsError(f"{path}: {error}") from None

    @classmethod
    def of_dict(cls, content: Any) -> RegionList:
        """The same of the value in a file. Raises FadernetsError."""
        if isinstance(content, dict) and isinstance(content.get("regions"), dict):
            content = content["regions"]
        if not isinstance(content, dict) or not isinstance(content.get("regions"), list):
            raise FadernetsError('expected {"version": 1, "regions": [...]}')
        version = content.get("version")
        if version is None:
            raise FadernetsError(f'the file has no version; add "version": {VERSION}')
        if type(version) is not int or version != VERSION:
            raise FadernetsError(f"version {version!r}: this program reads version {VERSION}")
        _check_known(content, ("version", "model", "regions"))
        model = _text(content["model"], "model") if content.get("model") is not None else None
        rows = content["regions"]
        if len(rows) > MOST_REGIONS:
            raise FadernetsError(f"{len(rows)} regions; at most {MOST_REGIONS}")
        return cls([_region_of(row, number) for number, row in enumerate(rows, 1)], model)


_NUMBERS = re.compile(r"\[\n[-\d.e,\s]+\]")  # a list of numbers over several lines; no text has such an end


def _in_one_line(numbers: re.Match[str]) -> str:
    return "[" + " ".join(numbers[0][1:-1].split()) + "]"


def _check_at_rest(region: Region) -> None:
    """Raises FadernetsError for what a region of notes has no use for."""
    faders = region.faders
    given = {
        "set": faders.set,
        "move": faders.move,
        "per_bar": faders.per_bar,
        "preset": region.preset is not None or faders.preset or faders.arousal,
        "hold": faders.hold,
        "keep": faders.keep,
        "tracks": faders.tracks is not None,
        "only": faders.only is not None,
        "faithfulness": faders.faithfulness != 1,
        "variation": region.variation != ONE,
    }
    for name, value in given.items():
        if value:
            raise FadernetsError(f"{name}: a region of notes has none; leave out {name}, or notes")


def _checked_variation(variation: tuple[int, int] | None) -> Variation:
    """Which of how many answers is meant. Raises FadernetsError."""
    if variation is None:
        return ONE
    if not isinstance(variation, (tuple, list)) or [type(each) for each in variation] != [int, int]:
        raise FadernetsError(f"variation: an index from 0 and a count, such as (1, 3), not {variation!r:.40}")
    return Variation(*variation)


def label_of(name: Any, number: int) -> str:
    """What errors call a region of that number, from 1, whose name may be anything."""
    named = isinstance(name, str) and name and len(name) <= MOST_NAME and name.isprintable()
    return f"region {number} ({name})" if named else f"region {number}"


def _region_of(row: Any, number: int) -> Region:
    """A region of its place in a file. Raises FadernetsError that names it."""
    name = row.get("name") if isinstance(row, dict) else None
    label = label_of(name, number)
    try:
        if not isinstance(row, dict):
            raise FadernetsError(f"expected an object with fields, not {row!r:.40}")
        _check_known(row, _FIELDS)
        given = {key: _FIELDS[key](value, key) for key, value in row.items() if value is not None}
        preset = given.pop("preset", None)
        return Region.checked(**given, **(preset or {}))
    except FadernetsError as error:
        raise FadernetsError(f"{label}: {error}") from None


def _check_known(row: Mapping[str, Any], known: Sequence[str] | Mapping[str, Any], where: str = "") -> None:
    """Raises FadernetsError for a field that is not known."""
    for name in row:
        if name not in known:
            raise FadernetsError(f"{where}unknown field {name!r:.40}; known: {', '.join(known)}")


# --- fields of a region: value in the file -> keyword of `Region.checked`


def _wrong(value: Any, where: str, expected: str) -> FadernetsError:
    shown = json.dumps(value, ensure_ascii=False)
    return FadernetsError(f"{where}: expected {expected}, not {shown if len(shown) <= 60 else shown[:57] + '...'}")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > MOST_NAME:
        raise _wrong(value, where, f"a text of at most {MOST_NAME} characters")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, where, "true or false")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _wrong(value, where, "a number")
    return value


def _whole(value: Any, where: str) -> int:
    if type(value) is not int:
        raise _wrong(value, where, "a whole number")
    return value


def _texts(value: Any, where: str) -> list[str]:
    if not isinstance(value, list):
        raise _wrong(value, where, "a list of texts")
    return [_text(each, where) for each in value]


def _tracks(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not value:
        raise _wrong(value, where, "a list of numbers or names of tracks")
    return [str(each) if type(each) is int else _text(each, where) for each in value]


def _track(value: Any, where: str) -> str:
    return str(value) if type(value) is int else _text(value, where)


def _bars(value: Any, where: str) -> list[tuple[int, int]]:
    pairs = value if isinstance(value, list) else []
    if not pairs or not all(isinstance(p, list) and len(p) == 2 and {*map(type, p)} == {int} for p in pairs):
        raise _wrong(value, where, "ranges of bars such as [[5, 8]]")
    return [(first, last) for first, last in pairs]


def _curves(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(value, where, 'values by fader such as {"rhythm_density": 0.2}')
    curves: dict[str, Any] = {}
    for name, curve in value.items():
        if isinstance(curve, list):
            curves[name] = tuple(_number(end, f"{where} {name}") for end in curve)
        else:
            curves[name] = curve if isinstance(curve, str) else _number(curve, f"{where} {name}")
    return curves


def _per_bar(value: Any, where: str) -> dict[str, dict[int, float]]:
    if not isinstance(value, dict) or not all(isinstance(bars, dict) for bars in value.values()):
        raise _wrong(value, where, 'values by fader and bar such as {"rhythm_density": {"5": 0.5}}')
    for name, bars in value.items():
        for bar in bars:
            if not (bar.isdecimal() and bar.isascii() and len(bar) < 10):
                raise _wrong(bar, f"{where} {name}", "numbers of bars")
    return {
        name: {int(bar): _number(each, f"{where} {name}") for bar, each in bars.items()} for name, bars in value.items()
    }


def _preset(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not {"name", "amount"} <= value.keys():
        raise _wrong(value, where, 'a preset such as {"name": "arousal", "amount": 0.5}')
    _check_known(value, ("name", "amount", "hold"), f"{where}: ")
    return {
        "preset": _text(value["name"], f"{where} name"),
        "amount": _number(value["amount"], f"{where} amount"),
        "hold": _texts(value.get("hold") or [], f"{where} hold"),
    }


def _variation(value: Any, where: str) -> tuple[int, int]:
    if not isinstance(value, dict) or value.keys() != {"index", "count"}:
        raise _wrong(value, where, 'a variation such as {"index": 2, "count": 4}')
    return _whole(value["index"], f"{where} index"), _whole(value["count"], f"{where} count")


def _notes(value: Any, where: str) -> NoteLayer:
    return NoteLayer.checked(value)


_FIELDS: dict[str, Callable[[Any, str], Any]] = {
    "name": _text,
    "bypass": _flag,
    "bars": _bars,
    "tracks": _tracks,
    "only": _track,
    "set": _curves,
    "move": _curves,
    "per_bar": _per_bar,
    "preset": _preset,
    "keep": _texts,
    "faithfulness": _number,
    "seed": _whole,
    "variation": _variation,
    "notes": _notes,
}


def _plain(curve: FaderCurve) -> float | list[float]:
    return [curve.first, curve.last] if isinstance(curve, Ramp) else curve


def _value(name: str, curve: FaderCurve) -> float | str | list[float]:
    """A value, a ramp, or the name of a key."""
    names = ATTRIBUTES[name].names
    return names[int(curve)] if names and not isinstance(curve, Ramp) else _plain(curve)


def _text_of(lock: Lock) -> str:
    """A lock as `Lock.read` takes it."""
    if lock.kind != "notes":
        ranges = ",".join(f"{a}-{b}" for a, b in lock.bars or ())
        return f"{lock.kind}:{ranges}" if ranges else lock.kind
    return ",".join([*map(str, lock.numbers), *(f"{bar}.{beat}:{pitch}" for bar, beat, pitch in lock.places)])
