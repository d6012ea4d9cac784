"""What a caller may ask of an edit, checked in one place for the command line, the Python API, the studio and studies.

Values are in the attributes' own units; bars count from 1 and ranges of bars include both ends; keys are classes 0..23
(C major to B major, C minor to B minor). Whatever cannot be asked for raises FadernetsError, one line that names it as
the caller spells it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np

from fadernets.arrays import Array
from fadernets.attributes import keys
from fadernets.attributes.table import ATTRIBUTES, Attribute, is_movable
from fadernets.editing import fader_curves, presets, request_values
from fadernets.editing.fader_curves import FaderCurve, PerBar, Ramp
from fadernets.editing.hands import HANDS
from fadernets.editing.lock_requests import Lock, checked_locks
from fadernets.editing.presets import PAPER_PRESET, CodePreset, Preset
from fadernets.editing.request_values import Bars, BarsGiven, TracksGiven
from fadernets.errors import FadernetsError, did_you_mean
from fadernets.music.beat_times import BeatTimes

MOST_VARIATIONS = 16  # different answers to one request
CONTROLS = ("closed", "paper")  # candidates are chosen and land on what is asked; one plain decode of moved codes
FaderValue = float | Sequence[float] | Array | Ramp | str  # one value, a ramp, or the name of a key
PerBarGiven = PerBar | Mapping[str, Mapping[int, float] | Mapping[str, float]] | str | os.PathLike[str]  # or a file
PresetGiven = Preset | str | os.PathLike[str]  # its name or file
BeatsGiven = BeatTimes | str | os.PathLike[str]  # or a file of them


class RegionOptions(TypedDict, total=False):
    """The keywords of `Faders.checked` that a region has for itself."""

    set: Mapping[str, FaderValue] | None
    move: Mapping[str, FaderValue] | None
    per_bar: PerBarGiven | None
    preset: PresetGiven | None
    amount: float
    hold: Iterable[str] | None
    faithfulness: float
    bars: BarsGiven
    tracks: TracksGiven
    seed: int
    keep: Iterable[Lock | str] | Lock | str
    only: str | int | None


class FaderOptions(RegionOptions, total=False):
    """The keywords of an edit."""

    beats: BeatsGiven | None
    control: str


class Spelling(NamedTuple):
    """How one surface names what a request holds."""

    prefix: str  # before a field's name
    dashes: bool  # whether names of faders have dashes
    per_bar: str  # the field of values by bar

    def field(self, name: str) -> str:
        """A field's name: `--set` or `set`, `--track-a` or `track_a`."""
        return self.prefix + (self.per_bar if name == "per_bar" else self.fader(name))

    def fader(self, name: str) -> str:
        """A fader's name: `rhythm-density` or `rhythm_density`."""
        return name.replace("_", "-") if self.dashes else name


COMMAND_LINE = Spelling("--", True, "values")
FIELDS = Spelling("", False, "per_bar")


@dataclass(frozen=True)
class Faders:
    """What the user asked for, in the attributes' own units. `Faders.checked` makes one of values from outside."""

    set: dict[str, FaderCurve] = field(default_factory=dict)  # attribute -> value, or a ramp; key: its class
    move: dict[str, FaderCurve] = field(default_factory=dict)  # attribute -> change of each segment; key: semitones
    per_bar: PerBar | None = None  # values by bar: bars without any stay, or are left to the other faders
    arousal: float = 0.0  # the paper's preset: shift vectors of the two codes, -4..4; of the label of `codes`
    codes: CodePreset | None = None  # which preset of codes; None: that of the model's own label
    preset: Preset | None = None  # of all faders
    amount: float = 0.0  # how many times the preset, -4..4
    hold: frozenset[str] = frozenset()  # attributes that the preset leaves alone
    faithfulness: float = 1.0  # pull to the source, 0..1
    bars: Bars | None = None  # None: all
    tracks: list[str] | None = None  # numbers (from 1) or names; None: keyboard tracks
    seed: int = 0
    keep: tuple[Lock, ...] = ()  # what the edit must keep
    beats: BeatTimes | None = None  # of a performance whose file does not know them
    home: int | None = None  # the key of the whole, where the piece is a part of one; None: of what is edited
    only: str | None = None  # the one hand or track that is edited: left, right, a number (from 1) or a name
    control: str = "closed"  # or `paper`: one plain decode of codes that a preset shifts (Section 5.2); nothing is kept
    spelling: Spelling = FIELDS  # of errors
    strict: bool = False  # whether values that all lie outside a fader's range are refused, where others are clamped

    def __post_init__(self) -> None:
        """Values as `checked` has them, whoever gave them. Raises FadernetsError."""
        spelling = self.spelling
        if not isinstance(self.per_bar, PerBar | None):
            raise request_values.wrong(self.per_bar, "per_bar", "a PerBar, or use Faders.checked")
        if not isinstance(self.preset, Preset | None):
            raise request_values.wrong(self.preset, "preset", "a Preset, or use Faders.checked")
        check_faithfulness(self.faithfulness, spelling)
        read: dict[str, Any] = {
            "set": _curves(self.set, "set", spelling),
            "move": _curves(self.move, "move", spelling),
            "per_bar": _values_by_bar(self.per_bar, spelling),
            "amount": request_values.finite(self.amount, f"{spelling.field('preset')} amount"),
            "arousal": request_values.finite(self.arousal, f"{spelling.field('preset')} amount"),
            "hold": _held(self.hold, spelling),
            "bars": request_values.bars(self.bars, spelling.field("bars")),
            "tracks": request_values.tracks(self.tracks, spelling.field("tracks")),
            "seed": read_seed(self.seed, spelling),
            "keep": checked_locks(self.keep, spelling.field("keep")),
            "beats": BeatTimes.of(self.beats),
            "only": None if self.only is None else request_values.track(self.only, spelling.field("only")),
        }
        for name, value in read.items():
            object.__setattr__(self, name, value)
        self._check_control()

    def _check_control(self) -> None:
        """Raises FadernetsError for an unknown control, and where the paper's has anything to do but shift codes."""
        control = self.spelling.field("control")
        if self.control not in CONTROLS:
            raise FadernetsError(f"{control} {self.control!r}; allowed: {', '.join(CONTROLS)}")
        if self.control == "paper" and (not self.arousal or self.set or self.move or self.per_bar or self.preset):
            preset = self.spelling.field("preset")
            raise FadernetsError(
                f"{control} paper: is one decode of shifted codes; it takes {preset} {PAPER_PRESET}, or another preset "
                "of codes, and no faders"
            )

    @property
    def only_track(self) -> str | None:
        """The track that `only` names; None where it names a hand, or nothing."""
        return None if self.only in HANDS else self.only

    @classmethod
    def checked(
        cls,
        *,
        set: Mapping[str, FaderValue] | None = None,
        move: Mapping[str, FaderValue] | None = None,
        per_bar: PerBarGiven | None = None,
        preset: PresetGiven | None = None,
        amount: float = 1.0,
        hold: Iterable[str] | None = (),
        faithfulness: float = 1.0,
        bars: BarsGiven = None,
        tracks: TracksGiven = None,
        seed: int = 0,
        keep: Iterable[Lock | str] | Lock | str = (),
        only: str | int | None = None,
        beats: BeatsGiven | None = None,
        control: str = "closed",
        spelling: Spelling = FIELDS,
        preset_files: bool = True,
        strict: bool = False,
    ) -> Faders:
        """Faders of values from outside, whose names may have dashes. `preset` is a name, a file (unless `preset_files`
        is False) or a Preset, or the paper's preset by its name, `amount` times; `control` paper is one plain
        decode of its shifted codes; `bars` and `tracks` are read by `request_values`. Raises FadernetsError.

            >>> Faders.checked(set={"key": "A minor"}, move={"pitch": (0, 7)}).set
            {'key': 21.0}
        """
        curves = {"set": _curves(set, "set", spelling), "move": _curves(move, "move", spelling)}
        by_bar = _values_by_bar(per_bar, spelling)
        named = {"move": curves["move"], "per_bar": by_bar.values if by_bar else {}}
        for other, given in named.items():
            check_apart("set", other, curves["set"].keys() & given.keys(), spelling)
        held = _held(hold, spelling)
        amount = request_values.finite(amount, f"{spelling.field('preset')} amount")
        of_codes, of_faders = preset_of(preset, spelling, preset_files)
        if preset is None:
            _check_no_preset(held, amount, spelling)
        return cls(
            set=curves["set"],
            move=curves["move"],
            per_bar=by_bar,
            arousal=amount if of_codes else 0.0,
            codes=of_codes,
            preset=of_faders,
            amount=amount if of_faders else 0.0,
            hold=held,
            faithfulness=faithfulness,
            bars=request_values.bars(bars, spelling.field("bars")),
            tracks=request_values.tracks(tracks, spelling.field("tracks")),
            seed=read_seed(seed, spelling),
            keep=checked_locks(keep, spelling.field("keep")),
            beats=BeatTimes.of(beats),
            only=None if only is None else request_values.track(only, spelling.field("only")),
            control=control,
            spelling=spelling,
            strict=strict,
        )

    def bars_apart(self) -> frozenset[int]:
        """The bars of which something is asked that is not asked of the next one, or the other way round.

        These are the ends of ranges of bars, and of runs of bars with values.
        """
        borders: set[int] = set()
        if self.bars is not None:
            ranges = self.bars
            inside = {n: any(a <= n <= b for a, b in ranges) for a, b in ranges for n in (a - 1, a, b, b + 1)}
            borders |= {n for n in inside if n + 1 in inside and inside[n] != inside[n + 1]}
        for values in self.per_bar.values.values() if self.per_bar is not None else ():
            borders |= {n for bar in values for n in (bar - 1, bar) if (n in values) != (n + 1 in values)}
        return frozenset(borders)

    def touches(self, name: str) -> bool:
        """Whether a fader was moved by itself."""
        return name in self.set or name in self.move or (self.per_bar is not None and name in self.per_bar.values)

    def is_moved_by_preset(self, name: str) -> bool:
        """Whether the preset moves a fader that was not set."""
        if self.preset is None or not self.amount or name in self.hold or name in self.set:
            return False
        return self.preset.moves.get(name, 0.0) != 0


def check_options(function: str, given: Iterable[str], known: type) -> None:
    """Raises TypeError, as Python does, for a keyword that is none of those of a TypedDict."""
    names = known.__annotations__
    for name in given:
        if name not in names:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{did_you_mean(name, names)}")


def known_fader(name: str, where: str, spelling: Spelling = FIELDS) -> Attribute:
    """The row of a fader's name; `where` is the field that names it. Raises FadernetsError for an unknown one."""
    row = ATTRIBUTES.get(name)
    if row is None:
        fader, known = spelling.fader(name), [spelling.fader(each) for each in ATTRIBUTES]
        meant = did_you_mean(fader, known)
        raise FadernetsError(f"{spelling.field(where)}: unknown fader {fader!r}{meant}; known: {', '.join(known)}")
    return row


def check_apart(first: str, second: str, names: Collection[str], spelling: Spelling = FIELDS) -> None:
    """Raises FadernetsError where two fields name the same faders."""
    if names:
        fields = f"{spelling.field(first)} and {spelling.field(second)}"
        raise FadernetsError(f"{fields} both name {spelling.fader(min(names))}; give one of them")


def check_faithfulness(value: float, spelling: Spelling = FIELDS) -> None:
    """Raises FadernetsError for what is no share in 0..1, nan among them."""
    where = spelling.field("faithfulness")
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise request_values.wrong(value, where, "a number in 0..1")
    if not 0 <= value <= 1:
        raise FadernetsError(f"{where} {value:g}: must lie in 0..1")


def check_variations(count: int, most: int = MOST_VARIATIONS, spelling: Spelling = FIELDS) -> None:
    """Raises FadernetsError for a number of different answers outside 1..most."""
    if not 1 <= count <= most:
        raise FadernetsError(f"{spelling.field('variations')} {count}: must lie in 1..{most}")


def read_seed(seed: int, spelling: Spelling = FIELDS) -> int:
    """A whole number that every generator takes as a seed. Raises FadernetsError."""
    where = spelling.field("seed")
    number = request_values.whole(seed, where, f"a whole number in 0..{2**32 - 1}")
    if not 0 <= number < 2**32:
        raise FadernetsError(f"{where} {number}: must lie in 0..{2**32 - 1}")
    return number


def preset_of(
    preset: PresetGiven | None, spelling: Spelling = FIELDS, files: bool = True
) -> tuple[CodePreset | None, Preset | None]:
    """The preset as a shift of the model's codes, such as the paper's, or as a preset of faders; None for the other.

    files: whether the preset may be named by its file. Raises FadernetsError for one that does not exist.
    """
    if preset is None or isinstance(preset, Preset):
        return None, preset
    if not request_values.is_text_or_path(preset):
        raise request_values.wrong(preset, spelling.field("preset"), "the name of a preset, its file or a Preset")
    of_codes = CodePreset.parse(str(preset))
    if of_codes is not None:
        return of_codes, None
    if not files and str(preset) not in presets.names():
        known = [*presets.names(), PAPER_PRESET]
        meant = did_you_mean(str(preset), known)
        raise FadernetsError(f"{spelling.field('preset')} {preset}: is not known{meant}; allowed: {', '.join(known)}")
    return None, presets.load(os.fspath(preset), spelling.field("preset"))


def _check_no_preset(held: Collection[str], amount: float, spelling: Spelling) -> None:
    """Raises FadernetsError for what only a preset has a use for."""
    preset = spelling.field("preset")
    if held:
        names = ", ".join(map(spelling.fader, sorted(held)))
        raise FadernetsError(
            f"{spelling.field('hold')} {names}: holds faders that a preset moves; name one with {preset}"
        )
    if amount not in (0, 1):  # no preset at all, and the default
        raise FadernetsError(f"amount {amount:g}: is how many times a preset is applied; name one with {preset}")


def _curves(values: Any, option: str, spelling: Spelling) -> dict[str, FaderCurve]:
    """Faders and their values or ramps, of `set` or `move`. Raises FadernetsError."""
    named = request_values.by_name(values, spelling.field(option), f"{option}={{'rhythm_density': 0.2}}")
    for name in named:
        known_fader(name, option, spelling)
    return {name: _curve(name, value, option, spelling) for name, value in named.items()}


def _held(hold: Any, spelling: Spelling) -> frozenset[str]:
    """The names of faders that a preset leaves alone. Raises FadernetsError."""
    named = request_values.names(hold, spelling.field("hold"))
    return frozenset(known_fader(name, "hold", spelling).name for name in named)


def _curve(name: str, value: Any, option: str, spelling: Spelling) -> FaderCurve:
    """One fader's value or ramp, a key by its class. Raises FadernetsError."""
    row = ATTRIBUTES[name]
    fader = spelling.fader(name)
    where = f"{spelling.prefix}{option} {fader}=" if spelling.prefix else f"{fader} "
    if not is_movable(row):
        raise FadernetsError(f"{fader}: can be measured and not moved; its Attribute has no `change` of notes")
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, str):
        if not row.names or option != "set":
            raise FadernetsError(f"{where}{value}: takes a number")
        try:
            return float(keys.parse(value))
        except ValueError as error:
            raise FadernetsError(f"{where}{value}: {error}" if spelling.prefix else f"{fader}: {error}") from None
    if isinstance(value, (tuple, list, Ramp)):
        if row.names:
            raise FadernetsError(f"{fader}: takes one value for all bars that are edited")
        ends = (value.first, value.last) if isinstance(value, Ramp) else value
        if len(ends) != 2:
            raise FadernetsError(f"{where}{value}: a ramp has a first and a last value")
        first, last = (request_values.finite(end, where.rstrip("= ")) for end in ends)
        return Ramp(first, last)
    number = request_values.finite(value, where.rstrip("= "))
    if row.names:
        if number != round(number):
            raise FadernetsError(
                f"{where}{number:g}: a key moves by whole semitones; {spelling.field('set')} key=a-minor names one"
            )
        if option == "set" and not 0 <= number < len(row.names):
            raise FadernetsError(
                f"{where}{number:g}: must lie in 0..{len(row.names) - 1}, or be a name such as a-minor"
            )
    return number


def _values_by_bar(per_bar: Any, spelling: Spelling) -> PerBar | None:
    """Values by bar with faders that can have them, or those of a file. Raises FadernetsError."""
    where = spelling.field("per_bar")
    if request_values.is_text_or_path(per_bar):
        per_bar = fader_curves.read(Path(per_bar))
    if isinstance(per_bar, PerBar):
        given: Mapping[str, Any] = per_bar.values
    else:
        given = request_values.by_name(per_bar, where, f"{where}={{'dynamics': {{5: 60}}}}")
    if not given:
        return None
    values: dict[str, dict[int, float]] = {}
    for name, by_bar in given.items():
        row, fader = known_fader(name, "per_bar", spelling), spelling.fader(name)
        if row.names:
            raise FadernetsError(f"{fader}: takes one value for all bars that are edited")
        if not is_movable(row):
            raise FadernetsError(f"{fader}: can be measured and not moved; it has no `change` of notes")
        if not isinstance(by_bar, Mapping):
            raise request_values.wrong(by_bar, f"{where} {fader}", "a value for each bar, as in {5: 60}")
        place = f"{where} {fader}"
        values[name] = {_bar(bar, place): request_values.finite(value, place) for bar, value in by_bar.items()}
    if isinstance(per_bar, PerBar):
        return per_bar
    return PerBar(Path(spelling.per_bar), values, {})


def _bar(bar: Any, where: str) -> int:
    """The number of a bar, which may be text. Raises FadernetsError."""
    if isinstance(bar, str) and bar.strip().isdecimal() and bar.isascii() and len(bar) < 10:
        return int(bar)
    return request_values.whole(bar, where, "numbers of bars")
