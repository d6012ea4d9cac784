"""The report on a listening test: Figure 6 of the ISMIR paper with intervals, agreement between raters, all answers.

An answer agrees where the subject heard the direction that was intended. Ratings run from 1 to 5; intervals cover 95 %.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Integers
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.listening.store import Record, Study
from fadernets.listening.study_files import ASPECTS, CHANGES, DIRECTIONS, NONE, SCALE, Trial
from fadernets.metrics import statistics
from fadernets.metrics.statistics import Interval
from fadernets.structured_text import safe_cell

GROUPS = (*DIRECTIONS, "all")
KINDS = ("agree", NONE, "opposite")
COLUMNS = (
    *("subject", "position", "trial", "excerpt", "intended", "changed", "agrees"),
    *ASPECTS,
    *("played_original", "played_transformed", "seconds"),
)
ANSWERS_CSV, REPORT_JSON, FIGURE, TRIALS_FIGURE = "answers.csv", "report.json", "figure6.png", "trials.png"


@dataclass(frozen=True)
class Share:
    """A share of answers, 0..1; None without answers."""

    count: int
    share: float | None
    wilson: Interval | None  # as if the answers were independent
    bootstrap: Interval | None  # over resampled subjects


@dataclass(frozen=True)
class Mean:
    """A mean rating; None without ratings."""

    count: int
    mean: float | None
    bootstrap: Interval | None  # over resampled subjects
    each: list[int]  # [5] how often 1, 2, 3, 4 and 5 were given


@dataclass(frozen=True)
class TrialReport:
    """The answers to one trial."""

    id: str
    title: str
    direction: str
    answers: dict[str, int]  # down, none, up -> how many
    agree: float | None  # share of the answers that agree


@dataclass(frozen=True)
class StudyReport:
    """All figures of a study; `as_dict` is the command line's --json."""

    study: str
    seed: int
    model: str
    preset: str | None
    amount: float
    subjects: dict[str, int]  # number of invited, consented, practised, answered (anything), complete, finished
    answers: int  # with a direction
    expected: int  # if every invited subject answers every trial
    agreement: dict[str, dict[str, Share]]  # down, up, all -> agree, none, opposite
    heat: dict[str, dict[str, float | None]]  # intended -> answered direction -> share of that row
    trials: list[TrialReport]
    ratings: dict[str, dict[str, Mean]]  # aspect -> down, up, all
    raters: dict[str, dict[str, float | None]]  # Krippendorff's alpha: direction nominal; ratings interval and ordinal
    unheard: int  # answers to trials with a sound that was never played
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """The figures as plain values."""
        return asdict(self)

    def table(self) -> str:
        """The figures as text."""
        s = self.subjects
        edit = "pairs of the lab's own" if self.preset is None else f"preset {self.preset} by {self.amount:g}"
        lines = [
            f"study {self.study}: {len(self.trials)} trials, {edit}, model {self.model}, seed {self.seed}",
            f"subjects: {s['invited']} invited, {s['consented']} consented, {s['answered']} answered, "
            f"{s['complete']} of them all trials; {self.answers} of {self.expected} answers",
        ]
        if not self.answers:
            return "\n".join([*lines, "no answers yet"])
        lines += ["", "heard, by the intended direction: share, Wilson's interval (answers as if independent),"]
        lines += ["bootstrap (subjects drawn anew), both 95 %", f"{'':9}" + "".join(f"{k:^34}" for k in KINDS)]
        for group, shares in self.agreement.items():
            lines.append(
                f"{group:5} {shares['agree'].count + _others(shares):>3}" + "".join(map(_share, shares.values()))
            )
        lines += ["", "ratings, 1 to 5: mean and bootstrap (subjects drawn anew), 95 %"]
        lines.append(f"{'':12}" + "".join(f"{group:^22}" for group in GROUPS))
        for aspect, means in self.ratings.items():
            lines.append(f"{aspect:12}" + "".join(f"{_mean(means[group]):^22}" for group in GROUPS))
        lines += ["", "agreement between raters, Krippendorff's alpha (1 agreement, 0 chance)"]
        for what, alphas in self.raters.items():
            lines.append(f"{what:12} " + ", ".join(f"{kind} {_number(value)}" for kind, value in alphas.items()))
        lines += ["", f"{'':6}{'down':>5}{'none':>5}{'up':>5}{'agree':>7}  excerpt"]
        for t in self.trials:
            counts = "".join(f"{t.answers[change]:>5}" for change in CHANGES)
            lines.append(f"{t.direction:6}{counts}{_number(t.agree):>7}  {t.title}")
        return "\n".join(lines)


def report(folder: str | Path) -> StudyReport:
    """The figures of a study from the answers so far, complete or not. Raises FadernetsError.

    An answer counts for the direction once that is given, and for an aspect once that is rated, even if the rest is
    missing. The practice trial never counts.
    """
    with Study.open(folder) as study:
        return _report(study, study.records())


def write(folder: str | Path, out: Path) -> tuple[StudyReport, list[str]]:
    """Write the report into the folder `out`. Returns the report and the names of the files. Raises FadernetsError.

    The files are answers.csv (a row an answer, subjects by number), report.json and, once there are answers,
    figure6.png (heat map and ratings) and trials.png.
    """
    with Study.open(folder) as study:
        records = study.records()
        figures = _report(study, records)
        table = _csv(study, records)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FadernetsError(f"{out}: cannot be made ({error.strerror})") from None
    write_atomic(out / ANSWERS_CSV, table.encode())
    write_atomic(out / REPORT_JSON, (json.dumps(figures.as_dict(), indent=1) + "\n").encode())
    files = [ANSWERS_CSV, REPORT_JSON]
    if figures.answers:
        _draw(figures, out)
        files += [FIGURE, TRIALS_FIGURE]
    return figures, files


def _report(study: Study, records: Sequence[Record]) -> StudyReport:
    manifest = study.manifest
    about, trials = manifest.about, {trial.id: trial for trial in manifest.trials}
    directed = [(r, trials[r.trial]) for r in records if r.answer.changed is not None]
    progress = study.progress()
    answered = {r.subject for r in records}
    warnings = list(about.warnings)
    if left := len(answered) - progress["complete"]:
        warnings.append(f"subjects who stopped before the last trial: {left}; what they answered counts")
    if len(answered) == 1:
        warnings.append("one subject alone: no bootstrap and no agreement between raters")
    unheard = sum(min(r.answer.played.original, r.answer.played.transformed) < 1 for r, _ in directed)
    if unheard:
        warnings.append(f"answers without both sounds having been played: {unheard} of {len(directed)}")
    agreement = {group: _shares(directed, group) for group in GROUPS}
    answers = {t.id: dict.fromkeys(CHANGES, 0) for t in manifest.trials}
    for record, trial in directed:
        answers[trial.id][str(record.answer.changed)] += 1
    order = sorted(manifest.trials, key=lambda t: (DIRECTIONS.index(t.direction), t.title))
    return StudyReport(
        study=manifest.name,
        seed=about.seed,
        model=str(about.model["name"]),
        preset=about.preset,
        amount=about.amount,
        subjects={**progress, "answered": len(answered)},
        answers=len(directed),
        expected=len(manifest.orders) * len(trials),
        agreement=agreement,
        heat=_heat(manifest.trials, answers),
        trials=[
            TrialReport(t.id, t.title, t.direction, counts, _ratio(counts[t.direction], sum(counts.values())))
            for t, counts in ((t, answers[t.id]) for t in order)
        ],
        ratings={aspect: {group: _rated(records, trials, aspect, group) for group in GROUPS} for aspect in ASPECTS},
        raters=_alphas(records, manifest.trials, answers),
        unheard=unheard,
        warnings=warnings,
    )


def _shares(directed: Sequence[tuple[Record, Trial]], group: str) -> dict[str, Share]:
    """The share of each of KINDS among the answers to trials of one direction, or all."""
    inside = [(r.subject, _kind(r, t)) for r, t in directed if group in (t.direction, "all")]
    subjects = sorted({subject for subject, _ in inside})
    counts = np.zeros((len(subjects), len(KINDS)))
    for subject, kind in inside:
        counts[subjects.index(subject), KINDS.index(kind)] += 1
    shares = {}
    for i, kind in enumerate(KINDS):
        hits = int(counts[:, i].sum())
        bootstrap = statistics.over_subjects(counts[:, i], counts.sum(1))
        shares[kind] = Share(hits, _ratio(hits, len(inside)), statistics.wilson(hits, len(inside)), bootstrap)
    return shares


def _kind(record: Record, trial: Trial) -> str:
    changed = record.answer.changed
    return "agree" if changed == trial.direction else NONE if changed == NONE else "opposite"


def _heat(trials: Sequence[Trial], answers: dict[str, dict[str, int]]) -> dict[str, dict[str, float | None]]:
    """Figure 6, left: the shares of the answered directions for each intended one."""
    rows = {}
    for direction in DIRECTIONS:
        counts = {c: sum(answers[t.id][c] for t in trials if t.direction == direction) for c in CHANGES}
        rows[direction] = {c: _ratio(n, sum(counts.values())) for c, n in counts.items()}
    return rows


def _rated(records: Sequence[Record], trials: dict[str, Trial], aspect: str, group: str) -> Mean:
    """Figure 6, right: the mean rating of one aspect, of trials of one direction or all."""
    inside = [
        (r.subject, value)
        for r in records
        if group in (trials[r.trial].direction, "all") and (value := r.answer.ratings[aspect]) is not None
    ]
    subjects = sorted({subject for subject, _ in inside})
    sums, counts = np.zeros((2, len(subjects)))
    for subject, value in inside:
        sums[subjects.index(subject)] += value
        counts[subjects.index(subject)] += 1
    values = [value for _, value in inside]
    mean = float(np.mean(values)) if values else None
    return Mean(len(values), mean, statistics.over_subjects(sums, counts), [values.count(point) for point in SCALE])


def _alphas(
    records: Sequence[Record], trials: Sequence[Trial], answers: dict[str, dict[str, int]]
) -> dict[str, dict[str, float | None]]:
    """Krippendorff's alpha of the directions and of each aspect, by level of measurement."""
    directions = np.array([[answers[t.id][c] for c in CHANGES] for t in trials])
    alphas: dict[str, dict[str, float | None]] = {"direction": {"nominal": statistics.krippendorff_alpha(directions)}}
    row = {trial.id: i for i, trial in enumerate(trials)}
    for aspect in ASPECTS:
        counts: Integers = np.zeros((len(trials), len(SCALE)), np.int64)
        for r in records:
            if (value := r.answer.ratings[aspect]) is not None:
                counts[row[r.trial], SCALE.index(value)] += 1
        alphas[aspect] = {
            "interval": statistics.krippendorff_alpha(counts, statistics.interval),
            "ordinal": statistics.krippendorff_alpha(counts, statistics.ordinal),
        }
    return alphas


def _csv(study: Study, records: Sequence[Record]) -> str:
    trials = {trial.id: trial for trial in study.manifest.trials}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for r in records:
        trial, answer = trials[r.trial], r.answer
        place = study.manifest.orders[r.subject - 1].index(r.trial) + 1
        agrees = None if answer.changed is None else int(answer.changed == trial.direction)
        played = answer.played
        writer.writerow(
            (
                *(r.subject, place, r.trial, safe_cell(trial.title), trial.direction, answer.changed, agrees),
                *(answer.ratings[aspect] for aspect in ASPECTS),
                *(played.original, played.transformed, round(played.seconds, 3)),
            )
        )
    return out.getvalue()


def _draw(figures: StudyReport, out: Path) -> None:
    from fadernets.figures import plots

    title = f"{figures.answers} answers of {figures.subjects['answered']} subjects"
    heat = [[figures.heat[d][c] for c in CHANGES] for d in DIRECTIONS]
    bars = {
        f"shifted {d}": [(m.mean, m.bootstrap) for m in (figures.ratings[a][d] for a in ASPECTS)] for d in DIRECTIONS
    }
    plots.opinions(heat, (DIRECTIONS, CHANGES), bars, ASPECTS, [out / FIGURE], title=title)
    rows = [
        (t.direction, t.title, [_ratio(t.answers[c], sum(t.answers.values())) for c in CHANGES]) for t in figures.trials
    ]
    plots.shares(
        [row[2] for row in rows],
        ([f"{direction}  {_short(title)}" for direction, title, _ in rows], CHANGES),
        [out / TRIALS_FIGURE],
        title="heard, by trial",
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _short(title: str, most: int = 48) -> str:
    return title if len(title) <= most else f"...{title[3 - most :]}"


def _others(shares: dict[str, Share]) -> int:
    return sum(share.count for kind, share in shares.items() if kind != "agree")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _span(span: Interval | None, digits: int) -> str:
    return "-" if span is None else f"[{span[0]:.{digits}f}, {span[1]:.{digits}f}]"


def _share(share: Share) -> str:
    return f"  {_number(share.share):>5} {_span(share.wilson, 2):>12} {_span(share.bootstrap, 2):>13}"


def _mean(mean: Mean) -> str:
    return f"{_number(mean.mean)} {_span(mean.bootstrap, 2)}"
