"""Makes a listening test (Section 5.2, ISMIR 2020): half of the excerpts get more arousal, half get less.

`study_files` describes the folder that it writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from fadernets import structured_text
from fadernets.data.dataset import MANIFEST as DATASET
from fadernets.data.dataset import Dataset
from fadernets.decoding.edit_models import EditModel, open_edit_model
from fadernets.editing import edit_report, file_edit, presets
from fadernets.editing.edit_report import Value
from fadernets.editing.presets import CodePreset
from fadernets.editing.requests import Faders
from fadernets.errors import FadernetsError
from fadernets.files import open_folder, recover_folder
from fadernets.listening import excerpts, study_files
from fadernets.listening.excerpts import Excerpt
from fadernets.listening.study_files import CONSENT_TEXT, DIRECTIONS, DOWN, UP, About, Manifest, Pair
from fadernets.music.document import Document
from fadernets.music.smf import file_bytes

SEGMENTS, SUBJECTS = range(2, 201), range(1, 1001)
MOST_CONSENT = 20_000  # characters
PRACTICE, PRACTICE_BARS = "k545.mid", (0, 3)  # the bundled piece of the practice trial, and its bars
PARTS = ("original", "transformed")
LEAST = 0.01  # of arousal or rhythm density: a change that the table does not show is none
RULE = (
    "Excerpts are ranked by the model's arousal (probability of the high cluster, mean of the two codes and of the "
    "excerpt's windows; by rhythm density where the model has no clusters). The lower half goes up, the upper half "
    "goes down; of an odd number the one in the middle goes where the seed says. Equal ones rank as they were drawn."
)
GIVEN_RULE = (
    "As NAME.json said (given), or as the model's arousal went, or rhythm density where the model has no clusters "
    "(measured)."
)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class WrittenStudy:
    """A study and the folder to which `make` wrote it."""

    folder: Path
    manifest: Manifest

    def as_dict(self) -> dict[str, Any]:
        """The manifest, with the number of subjects in place of their orders."""
        content = self.manifest.as_dict()
        return {"folder": str(self.folder), "subjects": len(content.pop("orders")), **content}

    def table(self) -> str:
        """A line a trial: its direction, and the measured values before and after the edit."""
        m, about = self.manifest, self.manifest.about
        counts = ", ".join(f"{sum(t.direction == d for t in m.trials)} {d}" for d in DIRECTIONS)
        edit = "pairs of your own" if about.preset is None else f"preset {about.preset} by {about.amount:g}"
        edit += ", control paper" if about.control == "paper" else ""
        lines = [
            f"{self.folder}: {len(m.trials)} trials ({counts}) and one for practice, {len(m.orders)} subjects",
            f"{edit}, model {about.model['name']}, seed {about.seed}, {m.loudness:.1f} LUFS",
        ]
        names = ("arousal", "rhythm_density", "note_density", "pitch", "dynamics", "tempo")
        lines.append("      sec  " + "  ".join(f"{n.replace('_', ' '):^16}" for n in names) + "  excerpt")
        for t in [m.practice, *m.trials]:
            moves = (f"{edit_report.cell(t.before[n]):>7} > {edit_report.cell(t.after[n]):<6}" for n in names)
            title = f"{t.title} (practice)" if t is m.practice else t.title
            lines.append(f"{t.direction:4} {t.seconds['original']:4.1f}  {'  '.join(moves)}  {title}")
        return "\n".join(lines)


def make(
    out: Path,
    source: Path | None = None,
    *,
    pairs_folder: Path | None = None,
    segments: int = 20,
    subjects: int = 20,
    model: str | Path | None = None,
    preset: str = "arousal",
    amount: float = 1.0,
    control: str = "closed",
    bars: int = 4,
    seed: int = 0,
    consent: str = CONSENT_TEXT,
    progress: Progress | None = None,
) -> WrittenStudy:
    """Make a study in the folder `out`, which must be empty or not exist. A failure leaves `out` as it was.

    source: where excerpts are drawn from. The test split of a prepared data set gives runs of `bars` consecutive
    segments (four quarter notes each, two seconds without a tempo); a folder of MIDI files gives `bars` bars of each
    file as they were played (twice or four times as many where bars are short), of the tracks that `fadernets apply`
    would edit. `segments` excerpts are drawn by `seed`, each from another piece if there are enough, and edited by
    `preset` (a learned one, or the paper's `arousal-codes`), `amount` times: half of them up, half down, by `RULE`.
    `model` edits them: by default the bundled rewriter, or for `arousal-codes` the paper's model. `control` paper makes
    one plain decode of the shifted codes, as Section 5.2 does; closed chooses among candidates, held to the excerpt.

    pairs_folder: in place of a source, a folder of pairs NAME-original.mid and NAME-transformed.mid. NAME.json gives
    the direction ({"direction": "up"} or "down"); without it, the direction is that of the model's arousal, or of
    rhythm density where the model has no clusters.

    The practice trial is made from the bundled piece, not from the source. The subjects' tokens and the names of the
    sounds are random; everything else follows from the seed. Raises FadernetsError.
    """
    _check(source, pairs_folder, segments, subjects, amount, bars, consent)
    check_folder(out)
    engine = open_edit_model(model, moves_codes=CodePreset.parse(preset) is not None)
    faders = _faders(preset, amount, control, engine)
    rng = np.random.default_rng([seed, 1])
    warnings: list[str] = []
    with open_folder(out) as work:
        editor = _Editor(engine, faders, seed, work)
        practice = editor.edited(_practice(), str(rng.choice(DIRECTIONS)))
        if pairs_folder is not None:
            pairs, where = _read_pairs(pairs_folder, editor), {"kind": "pairs", "folder": pairs_folder.name}
            step = _steps(progress, 2 * len(pairs) + 2)
        else:
            drawn, where = _drawn(source or Path(), segments, bars, seed, warnings)
            step = _steps(progress, 3 * len(drawn) + 2)
            means = [editor.means(excerpt.data) for excerpt in drawn]
            pairs = []
            for excerpt, direction in zip(drawn, directions(means, rng), strict=True):
                pairs.append(editor.edited(excerpt, direction))
                step()
        for pair in pairs:
            if _music(pair.original) == _music(pair.transformed):
                warnings.append(f"{pair.title}: the edit changed nothing; no answer to this trial can be right")
            else:
                warnings += _doubt(pair)
        graphs = {"name": engine.name, "sha256": dict(engine.info["sha256"])}
        if pairs_folder is None:
            learned = faders[UP].preset
            name, moves = (learned.name, learned.moves) if learned else (preset, {})
            about = About(seed, graphs, name, amount, dict(moves), where, RULE, warnings, control)
        else:
            about = About(seed, graphs, None, 0.0, {}, where, GIVEN_RULE, warnings)
        manifest = study_files.write(work, out.absolute().name, about, practice, pairs, subjects, consent, step)
    return WrittenStudy(out, manifest)


def directions(before: Sequence[dict[str, Value]], rng: np.random.Generator) -> list[str]:
    """Up or down for each excerpt, half of each, by `RULE`; `before` holds the means of each excerpt."""
    known = [means["arousal"] for means in before]
    values = [m["rhythm_density"] for m in before] if None in known else known
    order = np.argsort(np.array([float(v or 0.0) for v in values]), kind="stable")
    lower = len(order) // 2 + (int(rng.integers(2)) if len(order) % 2 else 0)
    up = set(order[:lower].tolist())
    return [UP if i in up else DOWN for i in range(len(order))]


def check_folder(out: Path) -> None:
    """Raise FadernetsError for a folder to which a study cannot be written, before any work is done."""
    recover_folder(out)
    if out.is_dir() and any(out.iterdir()):
        raise FadernetsError(f"{out}: is not empty; name a new folder")
    if out.exists() and not out.is_dir():
        raise FadernetsError(f"{out}: is a file; name a folder")
    parent = out.absolute().parent
    if not parent.is_dir():
        raise FadernetsError(f"{out}: its folder {out.parent} does not exist")
    if not os.access(parent, os.W_OK):
        raise FadernetsError(f"{out}: its folder {out.parent} cannot be written to")


def _check(
    source: Path | None, pairs_folder: Path | None, segments: int, subjects: int, amount: float, bars: int, consent: str
) -> None:
    folders = [folder for folder in (source, pairs_folder) if folder is not None]
    if len(folders) != 1:
        raise FadernetsError("a study is made from a source or from pairs of your own: give one of the two")
    if not folders[0].is_dir():
        raise FadernetsError(f"{folders[0]}: no such folder")
    for name, value, allowed in (
        ("segments", segments, SEGMENTS),
        ("subjects", subjects, SUBJECTS),
        ("bars", bars, excerpts.SIZES),
    ):
        if value not in allowed:
            raise FadernetsError(f"{name} {value}: must lie in {allowed.start}..{allowed.stop - 1}")
    if not 0 < amount <= presets.MOST_AMOUNT:
        limits = f"above 0, up to {presets.MOST_AMOUNT:g}"
        raise FadernetsError(f"preset amount {amount:g}: must lie {limits}; the study takes both directions")
    if not consent.strip() or len(consent) > MOST_CONSENT:
        raise FadernetsError(f"the consent text has {len(consent)} characters; 1 to {MOST_CONSENT} are allowed")


def _faders(preset: str, amount: float, control: str, engine: EditModel) -> dict[str, Faders]:
    """The faders of each direction."""
    amounts = {UP: amount, DOWN: -amount}
    faders = {way: Faders.checked(preset=preset, amount=by, control=control) for way, by in amounts.items()}
    file_edit.check_codes(engine, faders[UP])
    return faders


def _drawn(source: Path, count: int, size: int, seed: int, warnings: list[str]) -> tuple[list[Excerpt], dict[str, Any]]:
    """The excerpts, and their source for the manifest."""
    if not (source / DATASET).exists():
        drawn, left_out = excerpts.of_folder(source, count, size, seed)
        warnings += left_out
        return drawn, {"kind": "folder", "folder": source.absolute().name, "bars": size}
    data = Dataset.open(source)
    where = {"kind": "data set", "folder": source.absolute().name, "hash": data.hash, "split": "test"}
    return excerpts.of_dataset(data, count, size, seed), {**where, "segments": size}


def _practice() -> Excerpt:
    document = Document(Path(str(resources.files("fadernets") / "assets" / PRACTICE)))
    data = excerpts.cut(document, file_edit.choose_tracks(document.piece), *PRACTICE_BARS)
    return Excerpt("Mozart, Sonata K. 545, bars 1-4", data)


@dataclass(frozen=True)
class _Editor:
    """Measures and edits excerpts, as files in the folder `work`."""

    engine: EditModel
    faders: dict[str, Faders]
    seed: int
    work: Path

    def means(self, data: bytes, name: Path | None = None) -> dict[str, Value]:
        """Every attribute's mean over a file, its key, and the model's arousal; `name` is the file in an error."""
        path = self.work / "measured.mid"
        path.write_bytes(data)
        try:
            return dict(file_edit.measure(self.engine, path)["means"])
        except FadernetsError as error:
            raise FadernetsError(f"{name}: {str(error).removeprefix(f'{path}: ')}") from None
        finally:
            path.unlink()

    def edited(self, excerpt: Excerpt, direction: str) -> Pair:
        """An excerpt and its edit in one direction."""
        original, transformed = (self.work / f"{part}.mid" for part in PARTS)
        original.write_bytes(excerpt.data)
        file_edit.apply(self.engine, original, transformed, replace(self.faders[direction], seed=self.seed))
        after = transformed.read_bytes()
        original.unlink()
        transformed.unlink()
        means = (self.means(data) for data in (excerpt.data, after))
        return Pair(excerpt.title, direction, "rule", excerpt.data, after, *means)


def _read_pairs(folder: Path, editor: _Editor) -> list[Pair]:
    """The pairs in a lab's own folder, sorted by name."""
    named: dict[str, dict[str, Path]] = {}
    for file in sorted(f for f in folder.iterdir() if f.suffix.lower() in (".mid", ".midi")):
        name, _, part = file.stem.rpartition("-")
        if part not in PARTS or not name:
            raise FadernetsError(f"{file}: is no part of a pair: NAME-original.mid and NAME-transformed.mid")
        named.setdefault(name, {})[part] = file
    for name, both in named.items():
        for part in PARTS:
            if part not in both:
                raise FadernetsError(f"{folder}: {name}-{part}.mid is missing")
    if len(named) not in SEGMENTS:
        allowed = f"{SEGMENTS.start} to {SEGMENTS.stop - 1}"
        raise FadernetsError(f"{folder}: holds {len(named)} pairs of MIDI files; a study takes {allowed}")
    pairs = []
    for name, both in named.items():
        original, transformed = (file_bytes(both[part]) for part in PARTS)
        before, after = editor.means(original, both["original"]), editor.means(transformed, both["transformed"])
        given = _given_direction(folder / f"{name}.json")
        direction = given or _measured_direction(name, before, after)
        pairs.append(Pair(name, direction, "given" if given else "measured", original, transformed, before, after))
    return pairs


def _given_direction(path: Path) -> str | None:
    """The direction in NAME.json; None without the file."""
    if not path.exists():
        return None
    try:
        direction = structured_text.read_json(path)["direction"]
    except (OSError, ValueError, KeyError, TypeError):
        raise FadernetsError(f'{path}: expected {{"direction": "up"}} or "down"') from None
    if direction not in DIRECTIONS:
        raise FadernetsError(f"{path}: direction {direction!r}; allowed: {UP}, {DOWN}")
    return str(direction)


def _doubt(pair: Pair) -> list[str]:
    """A line where what is measured does not go the way that the trial is meant to go."""
    attribute = "rhythm_density" if pair.before["arousal"] is None else "arousal"
    a, b = (float(means[attribute] or 0.0) for means in (pair.before, pair.after))
    if (b - a if pair.direction == UP else a - b) >= LEAST:
        return []
    way = f"meant to go {pair.direction}, but its {attribute.replace('_', ' ')} goes from {a:.2f} to {b:.2f}"
    return [f"{pair.title}: {way}; without tempo and loudness, listeners may hear no difference"]


def _measured_direction(name: str, before: dict[str, Value], after: dict[str, Value]) -> str:
    for attribute in ("arousal", "rhythm_density"):
        a, b = before[attribute], after[attribute]
        if a is not None and b is not None and a != b:
            return UP if float(b) > float(a) else DOWN
    raise FadernetsError(f"{name}: which way the arousal goes cannot be measured; say it in {name}.json")


def _music(data: bytes) -> list[Any]:
    """Notes and tempi: two files with the same sound alike."""
    piece = Document(Path("it.mid"), data).piece
    notes = piece.notes[["onset", "end", "pitch", "velocity"]]
    return [*notes.tolist(), *piece.tempo.micros.tolist()]


def _steps(progress: Progress | None, total: int) -> Callable[[], None]:
    """A function to call after each of `total` steps, which reports progress."""
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    return step
