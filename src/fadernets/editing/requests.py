"""What a caller may ask of an edit, checked in one place for the command line, the Python API, the studio and studies.

Values are in the attributes' own units; bars count from 1 and ranges of bars include both ends; keys are classes 0..23
(C major to B major, C minor to B minor). Whatever cannot be asked for raises FadernetsError, one line that names it as
the caller spells it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fadernets.attributes import keys
from fadernets.attributes.table import ATTRIBUTES, Attribute, is_movable
from fadernets.editing import presets
from fadernets.editing.fader_curves import FaderCurve, PerBar, Ramp
from fadernets.editing.hands import HANDS
from fadernets.editing.lock_requests import Lock, checked_locks
from fadernets.editing.presets import PAPER_PRESET, CodePreset, Preset
from fadernets.errors import FadernetsError, did_you_mean
from fadernets.music.beat_times import BeatTimes

MOST_VARIATIONS = 16  # different answers to one request
Bars = list[tuple[int, int]]  # inclusive ranges
FaderValue = float | tuple[float, float] | Ramp | str  # one value, a ramp, or the name of a key


def bar_ranges(text: str, name: str) -> Bars:
    """`5-12`, `7` or `1-4,9-12` as ranges of bars. Raises FadernetsError, which calls the text `name`."""
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part.strip())
        if match is None:
            raise FadernetsError(f"{name} {text}: expected bar numbers such as 5-12 or 1-4,9-12")
        ranges.append((int(match[1]), int(match[2] or match[1])))
    return ranges


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
    spelling: Spelling = COMMAND_LINE  # of errors
    strict: bool = False  # whether values that all lie outside a fader's range are refused, where others are clamped

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
        per_bar: PerBar | Mapping[str, Mapping[int, float]] | None = None,
        preset: Preset | str | Path | None = None,
        amount: float = 1.0,
        hold: Iterable[str] = (),
        faithfulness: float = 1.0,
        bars: Sequence[tuple[int, int]] | None = None,
        tracks: Iterable[str | int] | None = None,
        seed: int = 0,
        keep: Iterable[Lock | str] | str = (),
        only: str | int | None = None,
        beats: BeatTimes | Path | str | None = None,
        spelling: Spelling = FIELDS,
        preset_files: bool = True,
        strict: bool = False,
    ) -> Faders:
        """Faders of values from outside. `preset` is a name, a file (unless `preset_files` is False) or a Preset, or
        the paper's preset by its name, `amount` times. Raises FadernetsError.

            >>> Faders.checked(set={"key": "A minor"}, move={"pitch": (0, 7)}).set
            {'key': 21.0}
        """
        curves: dict[str, dict[str, FaderCurve]] = {}
        for option, values in (("set", set or {}), ("move", move or {})):
            for name in values:
                known_fader(name, option, spelling)
            curves[option] = {name: _curve(name, value, option, spelling) for name, value in values.items()}
        by_bar = _values_by_bar(per_bar, spelling)
        named = {"move": curves["move"], "per_bar": by_bar.values if by_bar else {}}
        for other, names in named.items():
            check_apart("set", other, curves["set"].keys() & names.keys(), spelling)
        held = frozenset(known_fader(name, "hold", spelling).name for name in hold)
        check_faithfulness(faithfulness, spelling)
        check_seed(seed, spelling)
        check_bars(bars, spelling)
        _check_finite(amount, f"{spelling.field('preset')} amount")
        of_codes, of_faders = preset_of(preset, spelling, preset_files)
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
            bars=None if bars is None else [(int(a), int(b)) for a, b in bars],
            tracks=None if tracks is None else [str(track) for track in tracks],
            seed=seed,
            keep=checked_locks(keep, spelling.field("keep")),
            beats=BeatTimes.of(beats),
            only=None if only is None else str(only),
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
    """Raises FadernetsError for a share that lies outside 0..1, nan among them."""
    if not 0 <= value <= 1:
        raise FadernetsError(f"{spelling.field('faithfulness')} {value:g}: must lie in 0..1")


def check_variations(count: int, most: int = MOST_VARIATIONS, spelling: Spelling = FIELDS) -> None:
    """Raises FadernetsError for a number of different answers outside 1..most."""
    if not 1 <= count <= most:
        raise FadernetsError(f"{spelling.field('variations')} {count}: must lie in 1..{most}")


def check_seed(seed: int, spelling: Spelling = FIELDS) -> None:
    """Raises FadernetsError for a number that not every generator takes as a seed."""
    if not 0 <= seed < 2**32:
        raise FadernetsError(f"{spelling.field('seed')} {seed}: must lie in 0..{2**32 - 1}")


def check_bars(bars: Sequence[tuple[int, int]] | None, spelling: Spelling = FIELDS) -> None:
    """Raises FadernetsError for ranges of bars that no piece has."""
    for first, last in bars or ():
        if not 1 <= first <= last:
            where = f"{spelling.field('bars')} {first}-{last}"
            raise FadernetsError(f"{where}: bars count from 1, the first not behind the last")


def preset_of(
    preset: Preset | str | Path | None, spelling: Spelling = FIELDS, files: bool = True
) -> tuple[CodePreset | None, Preset | None]:
    """The preset as a shift of the model's codes, such as the paper's, or as a preset of faders; None for the other.

    files: whether the preset may be named by its file. Raises FadernetsError for one that does not exist.
    """
    if preset is None or isinstance(preset, Preset):
        return None, preset
    of_codes = CodePreset.parse(str(preset))
    if of_codes is not None:
        return of_codes, None
    if not files and str(preset) not in presets.names():
        known = [*presets.names(), PAPER_PRESET]
        meant = did_you_mean(str(preset), known)
        raise FadernetsError(f"{spelling.field('preset')} {preset}: is not known{meant}; allowed: {', '.join(known)}")
    return None, presets.load(preset, spelling.field("preset"))


def _curve(name: str, value: FaderValue, option: str, spelling: Spelling) -> FaderCurve:
    """One fader's value or ramp, a key by its class. Raises FadernetsError."""
    row = ATTRIBUTES[name]
    fader = spelling.fader(name)
    where = f"{spelling.prefix}{option} {fader}=" if spelling.prefix else f"{fader} "
    if not is_movable(row):
        raise FadernetsError(f"{fader}: can be measured and not moved; its Attribute has no `change` of notes")
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
        for end in ends:
            _check_finite(end, where.rstrip("= "))
        return Ramp(float(ends[0]), float(ends[1]))
    _check_finite(value, where.rstrip("= "))
    if row.names:
        if value != round(value):
            raise FadernetsError(
                f"{where}{value:g}: a key moves by whole semitones; {spelling.field('set')} key=a-minor names one"
            )
        if option == "set" and not 0 <= value < len(row.names):
            raise FadernetsError(f"{where}{value:g}: must lie in 0..{len(row.names) - 1}, or be a name such as a-minor")
    return float(value)


def _values_by_bar(per_bar: PerBar | Mapping[str, Mapping[int, float]] | None, spelling: Spelling) -> PerBar | None:
    """Values by bar with faders that can have them. Raises FadernetsError."""
    if not per_bar:
        return None
    if isinstance(per_bar, PerBar):
        values = per_bar
    else:
        values = PerBar(Path(spelling.per_bar), {name: dict(bars) for name, bars in per_bar.items()}, {})
    for name, bars in values.values.items():
        row = known_fader(name, "per_bar", spelling)
        if row.names:
            raise FadernetsError(f"{spelling.fader(name)}: takes one value for all bars that are edited")
        if not is_movable(row):
            raise FadernetsError(f"{spelling.fader(name)}: can be measured and not moved; it has no `change` of notes")
        for value in bars.values():
            _check_finite(value, f"{spelling.field('per_bar')} {spelling.fader(name)}")
    return values


def _check_finite(value: float, where: str) -> None:
    """Raises FadernetsError for what is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        raise FadernetsError(f"{where}: {value!r} is not a finite number")
