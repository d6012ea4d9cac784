"""A listening study on disk (Section 5.2, ISMIR 2020): trials with their directions, sounds, tokens and orders.

A trial is a pair of an original and its edit. A study is a folder:

| file           | what it holds                                                                           |
|----------------|-----------------------------------------------------------------------------------------|
| study.json     | the manifest: seed, model, preset, every trial with its direction, each subject's order  |
| tokens.csv     | the secret token of each subject, for the lab alone                                      |
| consent.txt    | the text to which a subject agrees before the first trial                                |
| media/ID.wav   | the sounds, with random names and equal loudness                                         |
| media/ID.mid   | the same as MIDI                                                                         |
| answers.sqlite | the answers, from the first one on (`listening.store`)                                   |
"""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fadernets import structured_text
from fadernets.editing.edit_report import Value
from fadernets.errors import FadernetsError
from fadernets.rendering import audio, loudness

FORMAT = 1
MANIFEST, TOKENS, CONSENT, MEDIA, ANSWERS = "study.json", "tokens.csv", "consent.txt", "media", "answers.sqlite"
UP, DOWN, NONE = "up", "down", "none"
DIRECTIONS = (DOWN, UP)
CHANGES = (DOWN, NONE, UP)  # the directions that a subject may answer
ASPECTS = ("rhythm", "melody", "harmony", "naturalness")
SCALE = range(1, 6)  # of ratings, a Likert scale
RATE = 32_000  # frames a second of the WAV files: 1 MB for eight seconds, and the piano has nothing above 16 kHz
ID_BYTES, TOKEN_BYTES = 6, 16
CONSENT_TEXT = """\
You will hear short pieces of piano music in pairs: an original, and the same after a computer program changed it. You
are asked whether and which way the arousal (how calm or how excited the music sounds) changed, and how good the second
one sounds. There are no right answers.

Your answers are stored under a number, without your name, at each click. You can stop at any time, come back by your
link, or withdraw, which deletes your answers.
"""


class Pair(NamedTuple):
    """Two MIDI files of which a trial is made, with the means of their attributes."""

    title: str
    direction: str
    direction_from: str
    original: bytes
    transformed: bytes
    before: dict[str, Value]
    after: dict[str, Value]


@dataclass(frozen=True)
class Trial:
    """One pair. A subject's page is given its three ids and nothing else."""

    id: str
    original: str  # ids of sounds: media/ID.wav and media/ID.mid
    transformed: str
    title: str
    direction: str  # in which the edit was meant to move the arousal: up or down
    direction_from: str  # rule, given or measured
    seconds: dict[str, float]  # original, transformed -> length of the WAV file
    before: dict[str, Value]  # every attribute's mean, the key and the arousal
    after: dict[str, Value]


@dataclass(frozen=True)
class About:
    """How the pairs were made."""

    seed: int
    model: dict[str, Any]  # name, and sha256 of each graph
    preset: str | None  # None for pairs of the lab's own
    amount: float
    moves: dict[str, float]  # attribute -> its change for amount 1 (log of a factor for tempo); empty for arousal-codes
    source: dict[str, Any]
    rule: str  # by which each trial got its direction
    warnings: list[str]
    control: str = "closed"  # of the edits; paper: one plain decode of shifted codes


@dataclass(frozen=True)
class Manifest:
    """The content of study.json."""

    name: str
    about: About
    loudness: float  # of every sound, in LUFS
    rate: int  # frames a second
    practice: Trial
    trials: list[Trial]
    orders: list[list[str]]  # for each subject, from 1 on, the ids of the trials

    def as_dict(self) -> dict[str, Any]:
        """The content of study.json."""
        return {"format": FORMAT, **asdict(self)}


def write(
    folder: Path,
    name: str,
    about: About,
    practice: Pair,
    pairs: Sequence[Pair],
    subjects: int,
    consent: str = CONSENT_TEXT,
    step: Callable[[], None] = lambda: None,
) -> Manifest:
    """Fill an empty folder with a study; `step` is called after each rendered sound.

    Ids are random and of one length, trials are listed by id, and all sounds have the same loudness, so that nothing
    but the music tells a subject the direction. Each subject's order is shuffled by the seed.
    """
    (folder / MEDIA).mkdir()
    ids = _ids(3 * len(pairs) + 3)
    named = []
    for i, pair in enumerate([practice, *pairs]):
        trial, original, transformed = ids[3 * i : 3 * i + 3]
        for sound, data in ((original, pair.original), (transformed, pair.transformed)):
            midi = folder / MEDIA / f"{sound}.mid"
            midi.write_bytes(data)
            audio.render(midi, midi.with_suffix(".wav"), sample_rate=RATE)
            step()
        named.append((trial, original, transformed, pair))
    sounds = sorted((folder / MEDIA).glob("*.wav"))
    common_loudness = loudness.match(sounds)
    lengths = {file.stem: round(loudness.level(file).seconds, 2) for file in sounds}
    first, *trials = [
        Trial(
            trial,
            original,
            transformed,
            *(pair.title, pair.direction, pair.direction_from),
            {"original": lengths[original], "transformed": lengths[transformed]},
            pair.before,
            pair.after,
        )
        for trial, original, transformed, pair in named
    ]
    drawn = [trial.id for trial in trials]  # as drawn by the seed; sorted by the random ids, orders would differ
    orders = [
        [drawn[i] for i in np.random.default_rng([about.seed, 2, subject]).permutation(len(drawn))]
        for subject in range(subjects)
    ]
    trials.sort(key=lambda trial: trial.id)
    manifest = Manifest(name, about, round(common_loudness, 2), RATE, first, trials, orders)
    text = json.dumps(manifest.as_dict(), indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    (folder / CONSENT).write_text(consent, encoding="utf-8")
    _write_tokens(folder / TOKENS, subjects)
    return manifest


def _ids(count: int) -> list[str]:
    ids: dict[str, None] = {}
    while len(ids) < count:
        ids[secrets.token_hex(ID_BYTES)] = None
    return list(ids)


def _token() -> str:
    """A token that no spreadsheet takes for a formula."""
    token = "-"
    while token.startswith("-"):
        token = secrets.token_urlsafe(TOKEN_BYTES)
    return token


def _write_tokens(path: Path, subjects: int) -> None:
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(("subject", "token"))
    writer.writerows((i + 1, _token()) for i in range(subjects))
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(rows.getvalue())


def read(folder: Path) -> Manifest:
    """The manifest of a study. Raises FadernetsError."""
    path = Path(folder) / MANIFEST
    try:
        content = structured_text.read_json(path)
        if content.pop("format") != FORMAT:
            raise FadernetsError(f"{path}: is of another format; this version reads {FORMAT}")
        about, practice = About(**content.pop("about")), Trial(**content.pop("practice"))
        trials = [Trial(**trial) for trial in content.pop("trials")]
        manifest = Manifest(**content, about=about, practice=practice, trials=trials)
        ids = sorted(trial.id for trial in trials)
        if any(sorted(order) != ids for order in manifest.orders) or {t.direction for t in trials} - {*DIRECTIONS}:
            raise ValueError("it has orders or directions that no study has")
        return manifest
    except OSError as error:
        raise FadernetsError(f"{folder}: is no study: {MANIFEST} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, FadernetsError):
            raise
        raise FadernetsError(f"{path}: is damaged ({error})") from None


def read_tokens(folder: Path) -> dict[str, int]:
    """Token -> number of the subject, from 1; empty for a study that was passed on without its tokens.

    Raises FadernetsError.
    """
    path = Path(folder) / TOKENS
    try:
        return {row["token"]: int(row["subject"]) for row in structured_text.read_csv(path)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError):
        raise FadernetsError(f"{path}: is damaged; expected a CSV with columns subject and token") from None
