"""Values read from the text of a command line. What cannot be read raises FadernetsError, one line that names the
option, what came and what is allowed.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fadernets.errors import FadernetsError, of_user_code

if TYPE_CHECKING:
    from fadernets.attributes.table import Attribute
    from fadernets.editing.requests import FaderValue

MOST_SEED = 2**32 - 1  # every generator in use takes seeds up to this one


def read_seed(text: str) -> int:
    """A whole number that every generator takes as a seed. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) > MOST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0 to {MOST_SEED}")
    return int(text)


def read_number(text: str, where: str) -> float:
    """A finite number; `where` begins the message of the error. Raises FadernetsError."""
    try:
        value = float(text)
    except ValueError:
        raise FadernetsError(f"{where}: {text!r} is not a number") from None
    if not math.isfinite(value):
        raise FadernetsError(f"{where}: {text!r} is not a finite number")
    return value


def check_finite(value: float, option: str) -> None:
    """Raises FadernetsError for a number that the parser read, but that is infinite or nan."""
    if not math.isfinite(value):
        raise FadernetsError(f"{option} {value:g}: is not a finite number")


def check_faithfulness(value: float) -> None:
    """Raises FadernetsError for a share that lies outside 0..1, nan among them."""
    from fadernets.editing import requests

    requests.check_faithfulness(value, requests.COMMAND_LINE)


def check_runs(runs: int) -> None:
    """Raises FadernetsError for a number of draws that is not positive."""
    if runs < 1:
        raise FadernetsError(f"--runs {runs}: must be at least 1")


def read_preset(text: str | None) -> tuple[str, float]:
    """`arousal=1` -> ("arousal", 1.0); None -> ("", 0.0). Raises FadernetsError."""
    if text is None:
        return "", 0.0
    name, equals, value = text.rpartition("=")
    if not equals or not name.strip():
        raise FadernetsError(f"--preset {text}: expected NAME=AMOUNT, such as arousal=1 or mine.json=-0.5")
    return name.strip(), read_number(value, f"--preset {text}")


def read_public(url: str) -> str:
    """A page's address with a / at its end, as a reverse proxy shows it. Raises FadernetsError."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
        good = good and "@" not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise FadernetsError(f"--public {url}: expected an address such as https://listen.example.org/")
    return url if url.endswith("/") else f"{url}/"


def read_faders(texts: list[str], option: str) -> dict[str, FaderValue]:
    """The faders of every `--set` or `--move`, as `read_fader`. Raises FadernetsError for one that is named twice."""
    faders: dict[str, FaderValue] = {}
    for text in texts:
        name, value = read_fader(text, option)
        if name in faders:
            raise FadernetsError(
                f"--{option} names {name.replace('_', '-')} twice; give one value, or a ramp: 0.3..0.8"
            )
        faders[name] = value
    return faders


def read_fader(text: str, option: str) -> tuple[str, FaderValue]:
    """A fader and its value, its ramp or its key's name, of `--set` or `--move`. Raises FadernetsError.

    `rhythm-density=0.5` -> ("rhythm_density", 0.5), `=0.3..0.8` -> (..., Ramp(0.3, 0.8)), `key=Am` -> ("key", "Am").
    `--set pitch` takes names of notes too: `pitch=C5` -> ("pitch", 72.0).
    """
    from fadernets.attributes.table import ATTRIBUTES
    from fadernets.editing.fader_curves import Ramp

    name, equals, value = text.partition("=")
    name, value = read_name(name, option), value.strip()
    attribute = ATTRIBUTES[name]
    if not equals:
        raise FadernetsError(f"--{option} {text}: expected {attribute.option}=NUMBER")
    _check_spelling(attribute, value, option, f"--{option} {text}")
    if attribute.names:
        return name, value if option == "set" else read_number(value, f"--{option} {text}")
    read = read_pitch if (option, name) == ("set", "pitch") else read_number
    first, dots, last = value.partition("..")
    if not dots:
        return name, read(value, f"--{option} {text}")
    return name, Ramp(*(read(end, f"--{option} {text}") for end in (first, last)))


def _check_spelling(attribute: Attribute, value: str, option: str, where: str) -> None:
    """Raises FadernetsError for what is often written in place of a value, a ramp or a change, and says how it is."""
    name, number = attribute.option, r"\d*\.?\d+"
    if option == "set" and attribute.low >= 0 and re.search(r"(?:^|\.\.)\s*[-+]", value):
        raise FadernetsError(f"{where}: a value has no sign here; did you mean --move {name}={value}?")
    if ends := re.fullmatch(rf"({number})\s*[-:]\s*({number})", value):
        raise FadernetsError(f"{where}: a ramp is written {name}={ends[1]}..{ends[2]}")
    if re.fullmatch(rf"[x*]\s*{number}|[-+]?{number}\s*%", value):
        change = f"--move {name}={2 * attribute.near:+g}"
        raise FadernetsError(f"{where}: takes no factor; a change is written in {attribute.unit}, as in {change}")
    if option == "move" and attribute.names and _is_key(value):
        raise FadernetsError(f"{where}: {value!r} is not a number; --set {name}={value} asks for a key by its name")


def _is_key(text: str) -> bool:
    """Whether a text names a key."""
    from fadernets.attributes import keys

    try:
        keys.parse(text)
    except ValueError:
        return False
    return True


def read_pitch(text: str, where: str) -> float:
    """A MIDI number, or the name of a note such as C4 (60); `where` begins the message. Raises FadernetsError."""
    from fadernets.music.note_names import note_number

    number = note_number(text)
    return read_number(text, where) if number is None else float(number)


def read_name(text: str, option: str) -> str:
    """`rhythm-density` or `rhythm_density` -> the attribute's name. Raises FadernetsError."""
    from fadernets.editing.requests import COMMAND_LINE, known_fader

    return known_fader(text.strip().replace("-", "_"), option, COMMAND_LINE).name


def read_names(text: str | None, option: str) -> frozenset[str]:
    """`tempo,note-density` -> the attributes' names; None -> none. Raises FadernetsError."""
    return frozenset(read_name(part, option) for part in (text or "").split(",") if part.strip())


def read_bars(texts: list[str] | None) -> list[tuple[int, int]] | None:
    """`5-12`, `7` or `1-4,9-12`, of every `--bars` -> ranges of bars that count from 1, both ends included; None where
    it is not given. Raises FadernetsError."""
    from fadernets.editing.request_values import bar_ranges

    return None if texts is None else [bars for text in texts for bars in bar_ranges(text, "--bars")]


def read_tracks(text: str | None, option: str = "--tracks") -> list[str] | None:
    """`1,3` or `left hand` -> numbers or names of tracks; of a name with commas its parts, which
    `track_names.find_tracks` puts together. Raises FadernetsError."""
    if text is None:
        return None
    tracks = [part.strip() for part in text.split(",")]
    if not all(tracks):
        raise FadernetsError(f"{option} {text}: expected numbers or names by comma, such as 1,2")
    return tracks


def read_corpora(texts: list[str]) -> dict[str, Path]:
    """`pop909=~/music/pop909` -> name and folder. Raises FadernetsError."""
    return {name: Path(path).expanduser() for name, path in _corpora(texts)}


def read_sources(texts: list[str]) -> dict[str, Path | str]:
    """As `read_corpora`; `folder=@FILE`, a list of files, and URLs stay text. Raises FadernetsError."""
    return {
        name: path if path.startswith("@") or "://" in path else Path(path).expanduser()
        for name, path in _corpora(texts)
    }


def _corpora(texts: list[str]) -> list[tuple[str, str]]:
    found = []
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals:
            raise FadernetsError(f"--corpus {text}: expected NAME=PATH, such as pop909=~/music/pop909")
        found.append((name, path))
    return found


def read_cells(text: str) -> tuple[int, int]:
    """`5x5` -> rows and columns of a blend. Raises FadernetsError."""
    match = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text.strip().lower())
    if match is None:
        raise FadernetsError(f"--cells {text}: expected rows x columns, such as 5x5")
    return int(match[1]), int(match[2])


def read_pitches(text: str | None) -> tuple[int, int] | None:
    """`48-84` -> the lowest and the highest MIDI number. Raises FadernetsError."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,3})-(\d{1,3})", text.strip())
    low, high = (int(match[1]), int(match[2])) if match else (0, 0)
    if high > 127 or high - low < 13:
        raise FadernetsError(f"--pitches {text}: expected two MIDI numbers more than an octave apart, such as 48-84")
    return low, high


def register_attributes(paths: Sequence[Path]) -> None:
    """Run the Python files of `--attributes`, which register attributes of the user's. Raises FadernetsError."""
    for path in paths:
        _register_attributes(path)


def _register_attributes(path: Path) -> None:
    """Run one such file. Raises FadernetsError for one that fails, or registers nothing."""
    import runpy

    from fadernets.attributes.table import ATTRIBUTES

    if not path.is_file():
        raise FadernetsError(f"--attributes {path}: no such file")
    before = dict(ATTRIBUTES)
    try:
        runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        raise of_user_code(f"--attributes {path}", error) from None
    if all(before.get(name) is row for name, row in ATTRIBUTES.items()):
        raise FadernetsError(f"--attributes {path}: registers no attribute; call fadernets.register(Attribute(...))")
