"""What the studio can do, without a server: pieces, edits of them, melodies; all from the shipped models."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets import __version__
from fadernets.attributes.keys import KEY_NAMES, parse, transpose
from fadernets.attributes.table import ATTRIBUTES, CODED
from fadernets.codecs import grid, melody_clips, melody_states
from fadernets.editing import file_edit, presets, segment_requests
from fadernets.editing.fader_curves import FaderCurve, PerBar, Ramp
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.engines.grid import Engine
from fadernets.engines.melody import MelodyEngine
from fadernets.engines.model_folder import DEFAULT_MODEL, bundled, codec_of, model_info
from fadernets.errors import FadernetsError
from fadernets.melodies import augmentations, blend, knobs
from fadernets.melodies import file_edit as melody_file_edit
from fadernets.music.document import Document
from fadernets.music.notes import Piece
from fadernets.music.smf import stamped
from fadernets.studio import latent_map, types
from fadernets.studio.midi_port import MidiPort
from fadernets.studio.uploads import BUNDLED, Kept, Uploads, plain

CODES_PRESET = "arousal-codes"  # the paper's: shift vectors of the codes
MELODY_MODEL = "melody"
INSPECTED = (55, 79)  # pitches of the whole notes that melodies are inspected by
MOST_INSPECTED = 256  # segments
TPQ = 480  # of what has no file
LOCKED = "no bar is free: all are locked, or share four beats with one that is"
MEDIA = {
    "midi": ("audio/midi", "mid"),
    "musicxml": ("application/vnd.recordare.musicxml+xml", "musicxml"),
    "wav": ("audio/wav", "wav"),
    "json": ("application/json", "json"),
}


class Stale(Exception):
    """A newer move has come: nobody waits for this one."""


@dataclass(frozen=True)
class File:
    """Something to download."""

    name: str
    media: str
    data: bytes


class Studio:
    """One for a server: models opened once, pieces kept a while. Raises FadernetsError for what cannot be done."""

    def __init__(
        self, models: dict[str, Path] | None = None, uploads: Uploads | None = None, data: Path | None = None
    ) -> None:
        self.uploads = uploads or Uploads()
        self._data = data
        self._maps: dict[str, tuple[tuple[str, ...], latent_map.LatentMap]] = {}
        self._inspected: dict[str, tuple[tuple[str, ...], types.Inspected]] = {}
        self.port: MidiPort | None = None
        self._models: dict[str, Path] = {**bundled(), **(models or {})}
        self._engines: dict[str, Engine] = {}
        self._singers: dict[str, MelodyEngine] = {}
        self._lock = threading.Lock()

    # --- what there is

    def about(self) -> types.About:
        models = []
        for name, folder in self._models.items():
            with model_info(folder) as (_, info):
                digest = info["sha256"].get("decoder.onnx", "")[:12]
                models.append(types.ModelInfo(name=name, codec=info["codec"], hash=digest))
        rows = [
            types.AttributeInfo(
                name=row.name,
                option=row.option,
                unit=row.unit,
                low=row.low,
                high=row.high,
                near=row.near,
                grain=row.grain,
                names=list(row.names),
                coded=row.name in CODED,
            )
            for row in ATTRIBUTES.values()
        ]
        found = []
        for name in presets.bundled():
            row = presets.load(name)
            moves = {n: row.said(n, 1.0) for n, step in row.moves.items() if step}
            found.append(types.PresetInfo(name=name, about=row.about, moves=moves, codes=False))
        about = "The paper's: the codes go by the difference between the clusters' means."
        found.append(types.PresetInfo(name=CODES_PRESET, about=about, moves={}, codes=True))
        return types.About(
            version=__version__,
            models=models,
            attributes=rows,
            presets=found,
            pieces=[types.PieceName(id=name, title=title) for name, title in BUNDLED.items()],
            most_bytes=types.MOST_BYTES,
            most_bars=types.MOST_BARS,
            port=self.port.name if self.port else None,
        )

    def warm(self) -> None:
        """Open the shipped models and the first piece, so that the page's first request finds them."""
        self.piece(next(iter(BUNDLED)))
        self.singer()

    def engine(self, name: str = DEFAULT_MODEL) -> Engine:
        """A model of segments by its name, opened once."""
        with self._lock:
            if name not in self._engines:
                self._engines[name] = Engine.open(self._folder(name, melodies=False)).load()
            return self._engines[name]

    def singer(self, name: str = MELODY_MODEL) -> MelodyEngine:
        """A model of melodies by its name, opened once."""
        with self._lock:
            if name not in self._singers:
                self._singers[name] = MelodyEngine.open(self._folder(name, melodies=True)).load()
            return self._singers[name]

    def _folder(self, name: str, melodies: bool | None = None) -> Path:
        """A model's folder by its name: one of melodies, or of segments, or either."""
        kinds = {n: codec_of(folder) == "melody" for n, folder in self._models.items()}
        allowed = [n for n, kind in kinds.items() if melodies in (None, kind)]
        if name not in allowed:
            kind = "serves melodies" if name in self._models else "is not known"
            raise FadernetsError(f"model {name}: {kind}; allowed: {', '.join(allowed)}")
        return self._models[name]

    # --- pieces and edits

    def piece(self, piece: str, model: str = DEFAULT_MODEL) -> types.PieceInfo:
        """A piece with its notes and what it measures."""
        kept, engine = self.uploads.get(piece), self.engine(model)
        document = kept.document
        chosen = file_edit.choose_tracks(document.piece)
        score = PieceOnGrid.of(document.piece, chosen)
        measured = file_edit.measured(engine, score)
        ticks = {int(w): (int(score.windows.start[w]), int(score.windows.end[w])) for w in score.full}
        segments = []
        for row in measured["segments"]:
            start, end = ticks[row["index"]]
            values = {name: row[name] for name in ATTRIBUTES}
            segments.append(
                types.SegmentInfo(
                    index=row["index"], bar=row["bar"], start=start, end=end, values=values, arousal=row["arousal"]
                )
            )
        own = document.piece
        lines = own.metre.bar_starts(own.end)
        last = int(own.metre.bar_lengths()[np.searchsorted(own.metre.ticks, lines[-1], side="right") - 1])
        metre = zip(own.metre.ticks, own.metre.numerators, own.metre.denominators, strict=True)
        return types.PieceInfo(
            id=kept.id,
            title=kept.title,
            model=model,
            tpq=own.tpq,
            end=own.end,
            seconds=round(own.seconds(), 3),
            bars=[*lines.tolist(), int(lines[-1]) + last],
            tempo=_tempo(own),
            metre=[(int(a), int(b), int(c)) for a, b, c in metre],
            pedal=document.pedal(),
            channels=[track.channel for track in own.tracks],
            tracks=[
                types.TrackInfo(number=i + 1, name=t.name, program=t.program or 0, drum=t.is_drum, edited=i in chosen)
                for i, t in enumerate(own.tracks)
            ],
            notes=notes_of(own),
            segments=segments,
            means=measured["means"],
            warnings=own.warnings,
        )

    def move(self, asked: types.EditAsked, stale: Callable[[], bool] = lambda: False) -> types.Edited:
        """Move a piece's faders. stale: whether a newer move has come; raises Stale then."""
        start = time.perf_counter()
        kept, answer = self._answer(asked, stale)
        return self._edited(asked, kept, answer, start)

    def variations(
        self, asked: types.EditAsked, count: int = 4, stale: Callable[[], bool] = lambda: False
    ) -> list[types.Edited]:
        """Different answers to one request, the likeliest first. One of them is asked for again as
        `faders.variation`."""
        start = time.perf_counter()
        kept = self.uploads.get(asked.piece)
        faders, engine = faders_of(asked.faders, kept), self.engine(asked.model)
        found = file_edit.answers(engine, kept.document, faders, count, progress=_unless(stale), look=kept.look)
        return [self._edited(asked, kept, answer, start) for answer in found]

    def render(self, asked: types.RenderAsked, stale: Callable[[], bool] = lambda: False) -> File:
        """An edit as a file, with where it comes from inside."""
        kept, answer = self._answer(asked, stale)
        said = self._said(asked, kept)
        media, suffix = MEDIA[asked.format]
        name = f"{_stem(kept)}-edited.{suffix}"
        data = _stamped(answer.data, said)
        if asked.format == "json":
            data = (json.dumps({**said, "report": answer.report.as_dict()}, indent=1) + "\n").encode()
        return File(name, media, _as(asked.format, data, kept.title))

    def _answer(self, asked: types.EditAsked, stale: Callable[[], bool]) -> tuple[Kept, file_edit.Answer]:
        kept = self.uploads.get(asked.piece)
        faders, engine = faders_of(asked.faders, kept), self.engine(asked.model)
        sampled = segment_requests.SAMPLED_WHILE_DRAGGING if asked.draft else segment_decoding.SAMPLED_FOR_EDIT
        one = asked.faders.variation
        count, index = (one.count, one.index) if one is not None and not asked.draft else (1, 0)
        if index >= count:
            raise FadernetsError(f"variation {index}: of {count} there are 0 to {count - 1}")
        progress = _unless(stale)
        found = file_edit.answers(
            engine, kept.document, faders, count, sampled=sampled, progress=progress, look=kept.look
        )
        return kept, found[index]

    def _edited(self, asked: types.EditAsked, kept: Kept, answer: file_edit.Answer, start: float) -> types.Edited:
        document = Document(kept.document.path, answer.data)
        report = answer.report
        rows = [
            types.Measured(index=s.index, bar=s.bar, before=s.before, asked=s.asked, measured=s.measured)
            for s in report.segments
        ]
        return types.Edited(
            seq=asked.seq,
            piece=kept.id,
            draft=asked.draft,
            notes=notes_of(document.piece),
            tempo=_tempo(document.piece),
            pedal=document.pedal(),
            end=document.piece.end,
            segments=rows,
            means=types.Means(asked=mean_asked(report.segments, report.means["before"]["key"]), **report.means),
            preset=report.preset["moves"] if report.preset else {},
            log_odds=answer.log_odds,
            warnings=[*report.warnings, *([LOCKED] if _locked_out(asked.faders, rows) else [])],
            milliseconds=round(1e3 * (time.perf_counter() - start), 1),
        )

    def _said(self, asked: types.EditAsked, kept: Kept) -> dict[str, Any]:
        """What a file says of itself: model, seed, faders and source."""
        faders = asked.faders.model_dump(exclude_defaults=True)
        return {
            **self._made_by(asked.model),
            "source": kept.title,
            "source_id": kept.id,
            "seed": asked.faders.seed,
            "faders": faders,
        }

    def _made_by(self, model: str) -> dict[str, Any]:
        opened = self.singer(model) if model == MELODY_MODEL else self.engine(model)
        return {"fadernets": __version__, "model": model, "model_sha256": opened.info["sha256"]}

    def _sung(self, knobs: types.KnobsAsked, source: str | None) -> dict[str, Any]:
        """The same of a melody."""
        turned = knobs.model_dump(exclude_defaults=True)
        return {**self._made_by(MELODY_MODEL), "source": source, "seed": knobs.seed, "knobs": turned}

    # --- melodies

    def melody_of(self, piece: str, track: str | None = None) -> types.MelodyInfo:
        """The melody of a piece, two bars a clip."""
        kept = self.uploads.get(piece)
        own = kept.document.piece
        number = melody_clips.choose_track(own, track, "track")
        tune = melody_clips.read(own, number, regrid=True)
        lines = own.metre.bar_starts(max(own.end, 1))
        starts = tune.windows.step_ticks(tune.at[:, 0])
        clips = tune.clips[: types.MOST_CLIPS]
        warnings = melody_file_edit.oddities(tune)
        if len(clips) < len(tune.clips):
            warnings.append(f"the melody has {len(tune.clips)} clips; the first {len(clips)} are shown")
        flat = clips.reshape(-1)
        return types.MelodyInfo(
            piece=kept.id,
            track=own.tracks[number].name or f"track {number + 1}",
            clips=clips.tolist(),
            bars=np.searchsorted(lines, starts, side="right").tolist(),
            tempo=round(6e7 / float(own.tempo.micros[0]), 2),
            pitch=melody_file_edit.number(melody_states.mean_pitch(flat)),
            onsets=int(melody_states.onsets(flat)),
            warnings=warnings,
        )

    def turn(self, asked: types.TurnAsked) -> types.Turned:
        """Knobs of a melody that is given as states."""
        start = time.perf_counter()
        clips = states_of(asked.clips)
        turned = knobs.turn(self.singer(), clips, turn_of(asked.knobs), knobs.classes_of(clips.reshape(-1)))
        before, after = clips.reshape(-1), turned.reshape(-1)
        own, now = (melody_file_edit.number(melody_states.mean_pitch(each)) for each in (before, after))
        had, has = (float(melody_states.onsets(each)) for each in (before, after))
        wanted = own + asked.knobs.pitch if asked.knobs.pitch and own is not None else None
        each = melody_states.onsets(clips)
        asked_onsets = np.where(each > 0, np.clip(np.round(each * 2.0**asked.knobs.rhythm), 1, melody_states.STEPS), 0)
        return types.Turned(
            seq=asked.seq,
            clips=turned.tolist(),
            pitch=[own, wanted, now],
            onsets=[had, float(asked_onsets.sum()) if asked.knobs.rhythm else None, has],
            milliseconds=round(1e3 * (time.perf_counter() - start), 1),
        )

    def grid(self, asked: types.GridAsked) -> Iterator[types.Cell]:
        """The cells between two melodies, row by row; the shorter melody is repeated."""
        a, b = states_of(asked.a), states_of(asked.b)
        longest = max(len(a), len(b))
        a, b = (each[np.arange(longest) % len(each)] for each in (a, b))
        cells = blend.interpolate(self.singer(), a, b, asked.rows, asked.columns, asked.control)
        for i in range(asked.rows):
            for j in range(asked.columns):
                flat = cells[i, j].reshape(-1)
                yield types.Cell(
                    row=i,
                    column=j,
                    clips=cells[i, j].tolist(),
                    pitch=melody_file_edit.number(melody_states.mean_pitch(flat)),
                    onsets=int(melody_states.onsets(flat)),
                )

    def melody_file(self, asked: types.MelodyFileAsked) -> File:
        """A melody as a file of one track; of one that knobs made, it says which."""
        data = blend.midi_of(states_of(asked.clips).reshape(-1), round(6e7 / asked.tempo))
        if asked.knobs is not None:
            data = _stamped(data, self._sung(asked.knobs, asked.source))
        media, suffix = MEDIA[asked.format]
        name = Path(plain(asked.name, "melody")).stem
        return File(f"{name}.{suffix}", media, _as(asked.format, data, asked.name))

    def sing(self, asked: types.MelodyEditAsked) -> File:
        """A piece with its melody's knobs turned; all else as it is."""
        kept = self.uploads.get(asked.piece)
        data, _ = melody_file_edit.sung(
            self.singer(), kept.document, turn_of(asked.knobs), asked.track, regrid=True, option="track"
        )
        if data != kept.data:  # at rest, it is the file as it came
            data = _stamped(data, {**self._sung(asked.knobs, kept.title), "source_id": kept.id})
        return File(f"{_stem(kept)}-melody.mid", MEDIA["midi"][0], data)

    # --- inspection

    def inspect(self, model: str) -> types.Inspected:
        """What augmentations move in a model's codes: of melodies by whole notes of two octaves; of segments by those
        of the map."""
        whole_notes = codec_of(self._folder(model)) == "melody"
        pieces = () if whole_notes else self._pieces()
        if model in self._inspected and self._inspected[model][0] == pieces:
            return self._inspected[model][1]
        codes: list[tuple[str, int]]
        if whole_notes:
            singer = self.singer(model)
            encode: augmentations.Encode = singer.encode
            codes, codec = [("z", singer.z)], "melody"
            clips = {
                name: augmentations.whole_notes_for(name, INSPECTED) for name in augmentations.AUGMENTATIONS[codec]
            }
        else:
            engine = self.engine(model)
            found, codec = self._map(model), "grid"
            half = found.codes.shape[1] // 2
            codes = [("z_rhythm", half), ("z_note", half)]
            cells = found.plot.cells[:MOST_INSPECTED]
            clips = dict.fromkeys(augmentations.AUGMENTATIONS[codec], cells)

            def encode(cells: NDArray[np.uint8]) -> NDArray[np.floating]:
                both = engine.encode(cells)
                return np.concatenate([both.rhythm, both.note], axis=-1)

        groups = []
        for name, row in augmentations.AUGMENTATIONS[codec].items():
            group = augmentations.inspect(encode, clips[name], row)
            groups.append(
                types.Group(
                    name=name,
                    unit=group.unit,
                    amounts=list(group.amounts),
                    change=group.mean.round(4).tolist(),
                    dimensions=group.dimensions.tolist(),
                    threshold=float(group.threshold),
                    linearity=file_edit.number(group.linearity) if np.isfinite(group.linearity) else None,
                    clips=group.clips,
                )
            )
        inspected = types.Inspected(model=model, codes=codes, groups=groups)
        self._inspected[model] = pieces, inspected
        return inspected

    def map(self, model: str = DEFAULT_MODEL, method: str = "pca") -> types.MapInfo:
        """Segments on a plane: those of the data set that the studio was given, else of the pieces that it holds."""
        found = self._map(model)
        engine = self.engine(model)
        tsne = latent_map.read_tsne(self._data or engine.folder, engine, found.plot)
        if method == "tsne" and tsne is None:
            raise FadernetsError(
                "there is no t-SNE of this map: `fadernets plot map` works it out for a data set and the bundled pieces"
            )
        xy = tsne if method == "tsne" and tsne is not None else found.xy.round(4).tolist()
        values = latent_map.values_of(found.plot.cells)
        points = [
            types.Point(
                title=title,
                bar=bar,
                x=float(xy[i][0]),
                y=float(xy[i][1]),
                values={**{name: row[i] for name, row in values.items()}, "arousal": _or_none(found.arousal[i])},
            )
            for i, (title, bar) in enumerate(zip(found.plot.titles, found.plot.bars, strict=True))
        ]
        return types.MapInfo(
            method="tsne" if method == "tsne" else "pca",
            methods=["pca", "tsne"] if tsne is not None else ["pca"],
            explained=[] if method == "tsne" else [round(share, 4) for share in found.explained],
            points=points,
        )

    def decode(self, asked: types.DecodeAsked) -> types.Heard:
        """A segment of the map, or what lies where it was moved to."""
        cells = self._map(asked.model).decode(self.engine(asked.model), asked.index, asked.x, asked.y)
        rows = grid.decode(cells)
        step = TPQ // 4
        columns = {"onset": rows[:, 0] * step, "end": rows[:, 1] * step, "pitch": rows[:, 2]}
        loud = {"velocity": [80] * len(rows), "track": [0] * len(rows)}
        notes = types.Notes(**{name: np.maximum(v, 0).tolist() for name, v in columns.items()}, **loud)
        values: dict[str, float | None] = {
            name: float(row[0]) for name, row in latent_map.values_of(cells[None]).items()
        }
        return types.Heard(tpq=TPQ, notes=notes, values=values)

    def _map(self, model: str) -> latent_map.LatentMap:
        """The map, made again where there are other pieces."""
        engine = self.engine(model)
        kept = self._pieces()
        if model not in self._maps or self._maps[model][0] != kept:
            pieces = map(self.uploads.get, kept)
            plot = latent_map.of_data(self._data) if self._data else latent_map.of_pieces(pieces)
            self._maps[model] = kept, latent_map.LatentMap.of(engine, plot)
        return self._maps[model][1]

    def _pieces(self) -> tuple[str, ...]:
        """What the map is made of, where no data set was given."""
        return () if self._data else tuple(self.uploads.ids())


# --- between the types and the package


def _stamped(data: bytes, said: dict[str, Any]) -> bytes:
    """A MIDI file's bytes with a text event that says where it comes from."""
    return stamped(data, "fadernets " + json.dumps(said, separators=(",", ":")))


def _locked_out(asked: types.FadersAsked, rows: list[types.Measured]) -> bool:
    """Whether locks leave nothing of what is asked for."""
    moved = asked.set or asked.move or asked.per_bar or asked.preset
    return bool(asked.locked and moved) and not any(value is not None for row in rows for value in row.asked.values())


def _unless(stale: Callable[[], bool]) -> file_edit.Progress:
    """Progress that raises Stale once nobody waits for the answer."""

    def progress(done: int, total: int) -> None:
        if stale():
            raise Stale

    return progress


def _or_none(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _stem(kept: Kept) -> str:
    """What files made of a piece are called after."""
    return kept.id if kept.id in BUNDLED else Path(kept.title).stem or "piece"


def faders_of(asked: types.FadersAsked, kept: Kept) -> file_edit.Faders:
    """The faders as edits take them. Raises FadernetsError for names and values that nobody knows."""
    for name in {*asked.set, *asked.move, *asked.per_bar, *(asked.preset.hold if asked.preset else ())}:
        if name not in ATTRIBUTES:
            raise FadernetsError(f"fader {name}: is not known; allowed: {', '.join(ATTRIBUTES)}")
    for first, second, names in (("set", "move", asked.move), ("set", "per_bar", asked.per_bar)):
        if both := sorted(set(asked.set) & set(names)):
            raise FadernetsError(f"{first} and {second} both name {both[0]}; give one of them")
    for number in (asked.set.get("key"), asked.move.get("key")):
        if isinstance(number, float) and not number.is_integer():
            raise FadernetsError(f"key {number:g}: keys and their moves are whole semitones")
    if isinstance(number := asked.set.get("key"), float) and not 0 <= number < len(KEY_NAMES):
        raise FadernetsError(f"key {number:g}: must lie in 0..{len(KEY_NAMES) - 1}, or be a name such as a-minor")
    own = kept.document.piece
    last = len(own.metre.bar_starts(own.end))
    bars = asked.bars
    if any(not 1 <= a <= b for a, b in bars or ()):
        raise FadernetsError("bars: ranges go from a bar to the same or a later one, and count from 1")
    if asked.locked:
        free = {bar for a, b in bars or [(1, last)] for bar in range(a, min(b, last) + 1)} - set(asked.locked)
        if not free:
            return file_edit.Faders(seed=asked.seed)
        bars = _ranges(sorted(free))
    preset = asked.preset
    codes = preset is not None and preset.name == CODES_PRESET
    known = presets.bundled()
    if preset is not None and not codes and preset.name not in known:
        raise FadernetsError(f"preset {preset.name}: is not known; allowed: {', '.join([*known, CODES_PRESET])}")
    return file_edit.Faders(
        set={name: _course(name, value) for name, value in asked.set.items()},
        move=dict(asked.move),
        per_bar=PerBar(Path("per_bar"), asked.per_bar, {}) if asked.per_bar else None,
        arousal=preset.amount if preset is not None and codes else 0.0,
        preset=presets.load(preset.name) if preset is not None and not codes else None,
        amount=preset.amount if preset is not None else 0.0,
        hold=frozenset(preset.hold) if preset is not None else frozenset(),
        faithfulness=asked.faithfulness,
        bars=bars,
        tracks=asked.tracks,
        seed=asked.seed,
    )


def _ranges(bars: list[int]) -> list[tuple[int, int]]:
    """Numbers in order as inclusive ranges."""
    each = np.split(np.array(bars), np.flatnonzero(np.diff(bars) != 1) + 1)
    return [(int(run[0]), int(run[-1])) for run in each]


def _course(name: str, value: float | tuple[float, float] | str) -> FaderCurve:
    if isinstance(value, str):
        if not ATTRIBUTES[name].names:
            raise FadernetsError(f"{name} {value}: takes a number")
        try:
            return float(parse(value))
        except ValueError as error:
            raise FadernetsError(f"{name}: {error}") from None
    if isinstance(value, tuple):
        return Ramp(*value)
    return value


def mean_asked(segments: list[file_edit.SegmentReport], home: types.Value) -> dict[str, types.Value]:
    """The mean of what was asked of each attribute, and the key asked of what was in `home`; None where nothing was."""
    found: dict[str, types.Value] = {}
    for name, row in ATTRIBUTES.items():
        known = [float(v) for s in segments if (v := s.asked[name]) is not None and not row.names]
        found[name] = file_edit.number(np.mean(known)) if known else None
    moves = [(s.before["key"], s.asked["key"]) for s in segments if s.asked["key"] is not None]
    if moves and home is not None:
        before, asked = next((each for each in moves if each[0] == home), moves[0])
        a, b, own = (KEY_NAMES.index(str(key)) for key in (before, asked, home))
        found["key"] = KEY_NAMES[b if before == home else int(transpose(own, b - a))]
    return found


def notes_of(piece: Piece) -> types.Notes:
    notes = piece.notes
    return types.Notes(**{name: notes[name].tolist() for name in ("onset", "end", "pitch", "velocity", "track")})


def _tempo(piece: Piece) -> list[tuple[int, int]]:
    return [(int(tick), int(micros)) for tick, micros in zip(piece.tempo.ticks, piece.tempo.micros, strict=True)]


def states_of(clips: list[list[int]]) -> NDArray[np.uint8]:
    """[C, 32] of the states that came in, holds that hold nothing as rests."""
    flat = melody_states.tidy(np.array(clips, np.uint8).reshape(-1))
    return flat.reshape(-1, melody_states.STEPS)


def turn_of(asked: types.KnobsAsked) -> knobs.Turn:
    return knobs.Turn(**asked.model_dump())


def _as(kind: str, data: bytes, title: str) -> bytes:
    """A MIDI file's bytes in another format."""
    if kind == "musicxml":
        from fadernets.rendering import musicxml

        return musicxml.write(Document(Path(title), data).piece, Path(title).stem)
    if kind == "wav":
        from fadernets.rendering import audio

        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
            source.write_bytes(data)
            audio.render(source, target)
            return target.read_bytes()
    return data
