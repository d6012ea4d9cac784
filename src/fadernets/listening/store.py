"""The answers to a listening test (Section 5.2, ISMIR 2020), each stored in SQLite as soon as it is given.

A subject consents, answers one practice trial, then the trials in their own order, each with a direction (up, down,
none) and four ratings from 1 to 5, and finishes. A subject may give an answer in parts, change it until they finish,
leave and come back. A `State` never shows in which direction a trial was edited.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fadernets.errors import FadernetsError
from fadernets.listening import study_files
from fadernets.listening.answer_database import AnswerDatabase
from fadernets.listening.study_files import ANSWERS, ASPECTS, CHANGES, CONSENT, MEDIA, SCALE, Manifest

PLAYED = ("original", "transformed", "seconds")
MOST_PLAYED = 1e6  # times or seconds
STORE = """
INSERT INTO answers VALUES (:subject, :trial, :changed, :rhythm, :melody, :harmony, :naturalness,
    :original, :transformed, :seconds, :now, :now)
ON CONFLICT DO UPDATE SET changed = coalesce(excluded.changed, changed),
    rhythm = coalesce(excluded.rhythm, rhythm), melody = coalesce(excluded.melody, melody),
    harmony = coalesce(excluded.harmony, harmony), naturalness = coalesce(excluded.naturalness, naturalness),
    original = max(excluded.original, original), transformed = max(excluded.transformed, transformed),
    seconds = max(excluded.seconds, seconds), last = excluded.last
"""


class StudyError(FadernetsError):
    """A request of a subject's page that cannot be granted."""


class UnknownSubject(StudyError):
    """A token that belongs to no subject of the study."""


@dataclass(frozen=True)
class Played:
    """How often each sound of a trial was played to the end, and how long the trial was visible."""

    original: int = 0  # times
    transformed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Answer:
    """A subject's answer to a trial so far."""

    changed: str | None  # up, down or none; None before an answer
    ratings: dict[str, int | None]  # aspect -> 1..5
    played: Played

    @property
    def complete(self) -> bool:
        """Whether the direction and every rating are given."""
        return self.changed is not None and None not in self.ratings.values()

    def as_dict(self) -> dict[str, Any]:
        """The answer with `complete`, as the API gives it."""
        return {**asdict(self), "complete": self.complete}


@dataclass(frozen=True)
class TrialState:
    """A trial as a subject sees it."""

    id: str
    original: str  # id of a sound, for `Study.sound`
    transformed: str
    answer: Answer | None

    @property
    def complete(self) -> bool:
        """Whether there is a complete answer."""
        return self.answer is not None and self.answer.complete

    def as_dict(self) -> dict[str, Any]:
        """The trial as the API gives it."""
        return {**vars(self), "answer": self.answer and self.answer.as_dict()}


@dataclass(frozen=True)
class State:
    """A subject's progress."""

    subject: int  # from 1
    consent: bool
    practice: TrialState
    trials: list[TrialState]  # in this subject's order
    finished: bool

    @property
    def answered(self) -> int:
        """The number of complete answers, without that to the practice trial."""
        return sum(trial.complete for trial in self.trials)

    @property
    def next(self) -> str | None:
        """The id of the first trial without a complete answer; None when all have one."""
        return next((trial.id for trial in [self.practice, *self.trials] if not trial.complete), None)

    def as_dict(self) -> dict[str, Any]:
        """The progress as the API gives it."""
        return {
            "subject": self.subject,
            "consent": self.consent,
            "practice": self.practice.as_dict(),
            "trials": [trial.as_dict() for trial in self.trials],
            "answered": self.answered,
            "total": len(self.trials),
            "next": self.next,
            "finished": self.finished,
        }


@dataclass(frozen=True)
class Record:
    """One answer, for the report."""

    subject: int
    trial: str
    answer: Answer


class Study:
    """A study with its answers. Threads may share one; several processes may open the same folder."""

    def __init__(self, folder: Path, manifest: Manifest, tokens: Mapping[str, int], consent_text: str) -> None:
        self.folder, self.manifest, self.consent_text = folder, manifest, consent_text
        self._tokens = tokens
        self._trials = {trial.id: trial for trial in [manifest.practice, *manifest.trials]}
        self._sounds = {sound for t in self._trials.values() for sound in (t.original, t.transformed)}
        self._answers = AnswerDatabase(folder / ANSWERS)

    @classmethod
    def open(cls, folder: str | Path) -> Study:
        """Open a folder that `listening.make` wrote. Raises FadernetsError."""
        folder = Path(folder)
        manifest = study_files.read(folder)
        try:
            text = (folder / CONSENT).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise FadernetsError(f"{folder / CONSENT}: cannot be read ({error})") from None
        tokens = study_files.read_tokens(folder)
        unknown = set(tokens.values()) - set(range(1, len(manifest.orders) + 1))
        if unknown:
            raise FadernetsError(f"{folder}: has a token for subject {min(unknown)}, but {len(manifest.orders)} orders")
        return cls(folder, manifest, tokens, text)

    def close(self) -> None:
        """Close the database; the next call opens it again."""
        self._answers.close()

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- for subjects

    def subject(self, token: str) -> State:
        """The progress of the subject with this token. Raises UnknownSubject."""
        number = self._number(token)
        with self._answers.reading() as db:
            return self._state(db, number)

    def consent(self, token: str) -> State:
        """The subject agreed to the consent text; a repeated call is no error. Raises UnknownSubject."""
        number = self._number(token)
        with self._answers.writing() as db:
            db.execute("INSERT INTO subjects VALUES (?, ?, NULL) ON CONFLICT DO NOTHING", (number, _now()))
            return self._state(db, number)

    def answer(
        self,
        token: str,
        trial: str,
        *,
        changed: str | None = None,
        ratings: Mapping[str, int] | None = None,
        played: Mapping[str, float] | None = None,
    ) -> State:
        """Store a part of an answer; what is not given stays as it was.

        changed: up, down or none. ratings: any of rhythm, melody, harmony, naturalness, 1..5. played: how often the
        original and the transformed sound were played, and seconds, in total; of several calls, the largest number
        counts. Raises UnknownSubject; StudyError for an unknown trial, a value that is not allowed, and before consent,
        before the practice trial is complete, or after `finish`.
        """
        number = self._number(token)
        values = _values(changed, ratings or {}, played or {})
        if trial not in self._trials:
            raise StudyError(f"trial {trial!r} is not in this study")
        with self._answers.writing() as db:
            state = self._open_state(db, number)
            if trial != state.practice.id and not state.practice.complete:
                raise StudyError("the practice trial comes first: it has no complete answer yet")
            db.execute(STORE, {**values, "subject": number, "trial": trial, "now": _now()})
            return self._state(db, number)

    def finish(self, token: str) -> State:
        """The subject has finished, and answers can no longer be changed; a repeated call is no error.

        Raises UnknownSubject; StudyError before consent or while an answer is missing.
        """
        number = self._number(token)
        with self._answers.writing() as db:
            state = self._state(db, number)
            if not state.finished:
                state = self._open_state(db, number)
                missing = sum(not trial.complete for trial in [state.practice, *state.trials])
                if missing:
                    raise StudyError(f"{missing} of {len(state.trials) + 1} trials have no complete answer yet")
                db.execute("UPDATE subjects SET finished = ? WHERE subject = ?", (_now(), number))
            return self._state(db, number)

    def withdraw(self, token: str) -> State:
        """Delete the subject's consent and answers, finished or not; they may begin again. Raises UnknownSubject."""
        number = self._number(token)
        with self._answers.writing() as db:
            db.execute("DELETE FROM answers WHERE subject = ?", (number,))
            db.execute("DELETE FROM subjects WHERE subject = ?", (number,))
            return self._state(db, number)

    def sound(self, token: str, sound: str) -> Path:
        """The WAV file of a sound's id. Raises UnknownSubject; StudyError before consent or for an unknown sound."""
        number = self._number(token)
        if sound not in self._sounds:
            raise StudyError(f"sound {sound!r} is not in this study")
        with self._answers.reading() as db:
            if not self._state(db, number).consent:
                raise StudyError("no consent yet: it comes before everything else")
        return self.folder / MEDIA / f"{sound}.wav"

    # --- for the lab

    def links(self, base: str) -> list[tuple[int, str]]:
        """(subject, link) of every subject with a token; a link is `base` followed by the token."""
        return [(number, f"{base}{token}") for token, number in self._tokens.items()]

    def records(self) -> list[Record]:
        """Every answer except those to the practice trial, by subject and in the subject's order of trials."""
        with self._answers.reading() as db:
            rows = db.execute("SELECT * FROM answers").fetchall() if db else []
        records = [Record(row["subject"], row["trial"], _answer(row)) for row in rows if row["trial"] in self._trials]
        places = [{trial: i for i, trial in enumerate(order)} for order in self.manifest.orders]
        records = [r for r in records if r.trial != self.manifest.practice.id and 1 <= r.subject <= len(places)]
        return sorted(records, key=lambda r: (r.subject, places[r.subject - 1][r.trial]))

    def progress(self) -> dict[str, int]:
        """How many subjects were invited, consented, completed the practice trial, answered all, and finished."""
        with self._answers.reading() as db:
            states = [self._state(db, number) for number in range(1, len(self.manifest.orders) + 1)]
        return {
            "invited": len(states),
            "consented": sum(s.consent for s in states),
            "practised": sum(s.practice.complete for s in states),
            "complete": sum(s.answered == len(s.trials) for s in states),
            "finished": sum(s.finished for s in states),
        }

    # --- inside

    def _number(self, token: str) -> int:
        try:
            return self._tokens[token]
        except (KeyError, TypeError):
            raise UnknownSubject("this link belongs to no subject of this study") from None

    def _state(self, db: sqlite3.Connection | None, number: int) -> State:
        row, answers = None, {}
        if db is not None:
            row = db.execute("SELECT * FROM subjects WHERE subject = ?", (number,)).fetchone()
            rows = db.execute("SELECT * FROM answers WHERE subject = ?", (number,))
            answers = {r["trial"]: _answer(r) for r in rows}

        def trial_state(trial_id: str) -> TrialState:
            trial = self._trials[trial_id]
            return TrialState(trial_id, trial.original, trial.transformed, answers.get(trial_id))

        trials = [trial_state(trial) for trial in self.manifest.orders[number - 1]]
        finished = row is not None and row["finished"] is not None
        return State(number, row is not None, trial_state(self.manifest.practice.id), trials, finished)

    def _open_state(self, db: sqlite3.Connection, number: int) -> State:
        state = self._state(db, number)
        if not state.consent:
            raise StudyError("no consent yet: it comes before everything else")
        if state.finished:
            raise StudyError("this subject has finished: answers can no longer be changed")
        return state


def _answer(row: sqlite3.Row) -> Answer:
    played = Played(row["original"], row["transformed"], row["seconds"])
    return Answer(row["changed"], {aspect: row[aspect] for aspect in ASPECTS}, played)


def _values(changed: str | None, ratings: Mapping[str, int], played: Mapping[str, float]) -> dict[str, Any]:
    """The values of a row of answers. Raises StudyError for what is not allowed."""
    if changed is not None and changed not in CHANGES:
        raise StudyError(f"changed {changed!r}: allowed are up, down and none")
    for kind, names, known in (("rating", ratings, ASPECTS), ("played", played, PLAYED)):
        unknown = [str(name) for name in names if name not in known]
        if unknown:
            raise StudyError(f"{kind} {unknown[0]!r} is not known; allowed: {', '.join(known)}")
    for name, value in ratings.items():
        if type(value) is not int or value not in SCALE:
            raise StudyError(f"rating {name} {value!r}: must be a whole number from {SCALE[0]} to {SCALE[-1]}")
    for name, number in played.items():
        valid_type = name == "seconds" or (isinstance(number, int) and type(number) is not bool)
        if not isinstance(number, (int, float)) or not valid_type or not math.isfinite(number):
            raise StudyError(f"played {name} {number!r}: must be a {'number' if name == 'seconds' else 'whole number'}")
        if not 0 <= number <= MOST_PLAYED:
            raise StudyError(f"played {name} {number!r}: must lie in 0..{MOST_PLAYED:g}")
    unrated = dict.fromkeys(ASPECTS)
    return {"changed": changed, **unrated, **dict.fromkeys(PLAYED, 0), **ratings, **played}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
