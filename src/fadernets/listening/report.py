"""What a listening test says: Figure 6 of the ISMIR paper with intervals, agreement between raters, and a table of all
answers.

An answer agrees where the subject heard the direction that was intended. T trials, S subjects. Ratings run from 1 to 5.
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
from numpy.typing import NDArray

from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.listening.store import Record, Study
from fadernets.listening.study_files import ASPECTS, CHANGES, DIRECTIONS, NONE, SCALE, Trial
from fadernets.metrics import statistics
from fadernets.metrics.statistics import Interval

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
    """A share of answers, 0..1; None where there is none."""

    count: int
    share: float | None
    wilson: Interval | None  # 95 %, answers as if independent
    bootstrap: Interval | None  # 95 %, subjects drawn anew


@dataclass(frozen=True)
class Mean:
    """A mean rating; None where there is none."""

    count: int
    mean: float | None
    bootstrap: Interval | None  # 95 %, subjects drawn anew
    each: list[int]  # [5] how often 1, 2, 3, 4 and 5 were given


@dataclass(frozen=True)
class OfTrial:
    """What was answered to one trial."""

    id: str
    title: str
    direction: str
    answers: dict[str, int]  # down, none, up -> how many
    agree: float | None


@dataclass(frozen=True)
class StudyReport:
    """All figures of a study; `as_dict` is the command line's --json."""

    study: str
    seed: int
    model: str
    preset: str | None
    amount: float
    subjects: dict[str, int]  # invited, consented, practised, answered (anything), complete, finished
    answers: int  # that say a direction
    expected: int  # of all who were invited
    agreement: dict[str, dict[str, Share]]  # down, up, all -> agree, none, opposite
    heat: dict[str, dict[str, float | None]]  # intended -> heard -> share of that row
    trials: list[OfTrial]
    ratings: dict[str, dict[str, Mean]]  # aspect -> down, up, all
    raters: dict[str, dict[str, float | None]]  # Krippendorff's alpha: direction nominal; ratings interval and ordinal
    unheard: int  # answers to trials of which a sound was never played
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def table(self) -> str:
        """The figures as text."""
        s = self.subjects
        by = "pairs of the lab's own" if self.preset is None else f"preset {self.preset} by {self.amount:g}"
        lines = [
            f"study {self.study}: {len(self.trials)} trials, {by}, model {self.model}, seed {self.seed}",
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
    """The figures of a study as its answers stand, complete or not. Raises FadernetsError.

    An answer counts for the direction once it says one, and for an aspect once that is rated, whether or not the rest
    was given. The practice trial never counts.
    """
    with Study.open(folder) as study:
        return _report(study, study.records())


def write(folder: str | Path, out: Path) -> tuple[StudyReport, list[str]]:
    """The report, and in the folder `out` answers.csv (a row an answer, subjects by number), report.json and, once
    there are answers, figure6.png (heat map and ratings) and trials.png. Returns it and the names of the files.

    Raises FadernetsError.
    """
    with Study.open(folder) as study:
        records = study.records()
        found = _report(study, records)
        table = _csv(study, records)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FadernetsError(f"{out}: cannot be made ({error.strerror})") from None
    write_atomic(out / ANSWERS_CSV, table.encode())
    write_atomic(out / REPORT_JSON, (json.dumps(found.as_dict(), indent=1) + "\n").encode())
    files = [ANSWERS_CSV, REPORT_JSON]
    if found.answers:
        _draw(found, out)
        files += [FIGURE, TRIALS_FIGURE]
    return found, files


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
    each = {t.id: dict.fromkeys(CHANGES, 0) for t in manifest.trials}
    for record, trial in directed:
        each[trial.id][str(record.answer.changed)] += 1
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
        heat=_heat(manifest.trials, each),
        trials=[
            OfTrial(t.id, t.title, t.direction, each[t.id], _ratio(each[t.id][t.direction], sum(each[t.id].values())))
            for t in order
        ],
        ratings={aspect: {group: _rated(records, trials, aspect, group) for group in GROUPS} for aspect in ASPECTS},
        raters=_alphas(records, manifest.trials, each),
        unheard=unheard,
        warnings=warnings,
    )


def _shares(directed: Sequence[tuple[Record, Trial]], group: str) -> dict[str, Share]:
    """Of the answers to trials of one direction, or all."""
    inside = [(r.subject, _kind(r, t)) for r, t in directed if group in (t.direction, "all")]
    subjects = sorted({subject for subject, _ in inside})
    counts = np.zeros((len(subjects), len(KINDS)))
    for subject, kind in inside:
        counts[subjects.index(subject), KINDS.index(kind)] += 1
    found = {}
    for i, kind in enumerate(KINDS):
        hits = int(counts[:, i].sum())
        bootstrap = statistics.over_subjects(counts[:, i], counts.sum(1))
        found[kind] = Share(hits, _ratio(hits, len(inside)), statistics.wilson(hits, len(inside)), bootstrap)
    return found


def _kind(record: Record, trial: Trial) -> str:
    changed = record.answer.changed
    return "agree" if changed == trial.direction else NONE if changed == NONE else "opposite"


def _heat(trials: Sequence[Trial], each: dict[str, dict[str, int]]) -> dict[str, dict[str, float | None]]:
    """Figure 6, left: the direction intended, and what was heard."""
    found = {}
    for direction in DIRECTIONS:
        counts = {c: sum(each[t.id][c] for t in trials if t.direction == direction) for c in CHANGES}
        found[direction] = {c: _ratio(n, sum(counts.values())) for c, n in counts.items()}
    return found


def _rated(records: Sequence[Record], trials: dict[str, Trial], aspect: str, group: str) -> Mean:
    """Figure 6, right: the mean of one aspect."""
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
    records: Sequence[Record], trials: Sequence[Trial], each: dict[str, dict[str, int]]
) -> dict[str, dict[str, float | None]]:
    directions = np.array([[each[t.id][c] for c in CHANGES] for t in trials])
    found: dict[str, dict[str, float | None]] = {"direction": {"nominal": statistics.krippendorff_alpha(directions)}}
    row = {trial.id: i for i, trial in enumerate(trials)}
    for aspect in ASPECTS:
        counts: NDArray[np.int64] = np.zeros((len(trials), len(SCALE)), np.int64)
        for r in records:
            if (value := r.answer.ratings[aspect]) is not None:
                counts[row[r.trial], SCALE.index(value)] += 1
        found[aspect] = {
            "interval": statistics.krippendorff_alpha(counts, statistics.interval),
            "ordinal": statistics.krippendorff_alpha(counts, statistics.ordinal),
        }
    return found


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
                *(r.subject, place, r.trial, trial.title, trial.direction, answer.changed, agrees),
                *(answer.ratings[aspect] for aspect in ASPECTS),
                *(played.original, played.transformed, round(played.seconds, 3)),
            )
        )
    return out.getvalue()


def _draw(found: StudyReport, out: Path) -> None:
    from fadernets.figures import plots

    title = f"{found.answers} answers of {found.subjects['answered']} subjects"
    heat = [[found.heat[d][c] for c in CHANGES] for d in DIRECTIONS]
    bars = {f"shifted {d}": [(m.mean, m.bootstrap) for m in (found.ratings[a][d] for a in ASPECTS)] for d in DIRECTIONS}
    plots.opinions(heat, (DIRECTIONS, CHANGES), bars, ASPECTS, [out / FIGURE], title=title)
    rows = [
        (t.direction, t.title, [_ratio(t.answers[c], sum(t.answers.values())) for c in CHANGES]) for t in found.trials
    ]
    plots.shares(
        [row[2] for row in rows],
        ([f"{way}  {_short(name)}" for way, name, _ in rows], CHANGES),
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
