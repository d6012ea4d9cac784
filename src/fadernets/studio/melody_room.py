"""The melody room: a piece's melody, its knobs, blends of two melodies, and files of them.

Melodies are clips of 32 sixteenths: [C, 32] states, 0..127 begin a note, 128 holds it, 129 rests.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import States
from fadernets.codecs import melody_clips, melody_states
from fadernets.engines.model_folder import DEFAULT_MELODY_MODEL
from fadernets.errors import FadernetsError
from fadernets.melodies import blend, blend_files, dimension_sliders, edit_report, file_edit, knob_settings, knobs
from fadernets.music.score_midi import ScoreDocument
from fadernets.studio.downloads import MEDIA, Download, download, with_provenance
from fadernets.studio.melody_types import (
    BlendCell,
    BlendRequest,
    KnobsRequest,
    MelodyEditRequest,
    MelodyFileRequest,
    MelodyInfo,
    SliderGroupInfo,
    SlidersInfo,
    TurnRequest,
    TurnResponse,
)
from fadernets.studio.types import MOST_CLIPS
from fadernets.studio.uploads import Uploads, plain_name
from fadernets.web.models import Models


class MelodyRoom:
    """What the melody room can do; raises FadernetsError for what cannot be done."""

    def __init__(self, models: Models, uploads: Uploads, folder: Path | None = None) -> None:
        self._models, self._uploads, self._folder = models, uploads, folder

    def melody_of(self, piece_id: str, track: str | None = None) -> MelodyInfo:
        """The melody of a piece, two bars a clip; `track` is a number from 1 or a name."""
        stored = self._uploads.get(piece_id)
        piece = stored.document.piece
        number = melody_clips.choose_track(piece, track, "track")
        tune = melody_clips.read(piece, number, regrid=True)
        lines = piece.metre.bar_starts(max(piece.end, 1))
        starts = tune.windows.step_ticks(tune.at[:, 0])
        clips = tune.clips[:MOST_CLIPS]
        warnings = file_edit.reading_warnings(tune)
        if len(clips) < len(tune.clips):
            warnings.append(f"the melody has {len(tune.clips)} clips; the first {len(clips)} are shown")
        flat = clips.reshape(-1)
        return MelodyInfo(
            piece=stored.id,
            track=piece.tracks[number].name or f"track {number + 1}",
            clips=clips.tolist(),
            bars=np.searchsorted(lines, starts, side="right").tolist(),
            tempo=round(6e7 / float(piece.tempo.micros[0]), 2),
            pitch=edit_report.number(melody_states.mean_pitch(flat)),
            onsets=int(melody_states.onsets(flat)),
            warnings=warnings,
        )

    def sliders(self) -> SlidersInfo:
        """The dimensions of the model's code by group."""
        found = dimension_sliders.groups(self._models.melody_engine())
        return SlidersInfo(groups=[SliderGroupInfo(**vars(group)) for group in found])

    def turn(self, request: TurnRequest) -> TurnResponse:
        """Turn the knobs of a melody that is given as states."""
        start = time.perf_counter()
        engine, clips = self._models.melody_engine(), _states(request.clips)
        raw = request.knobs.control == "paper"
        moved = dimension_sliders.move(engine, clips, request.knobs.dimensions, raw)
        classes = knobs.key_pitch_classes(clips.reshape(-1), clips)
        turned = knobs.turn(engine, moved, _knobs(request.knobs), classes)
        before, after = clips.reshape(-1), turned.reshape(-1)
        pitch_before, pitch_after = (edit_report.number(melody_states.mean_pitch(each)) for each in (before, after))
        onsets_before, onsets_after = (float(melody_states.onsets(each)) for each in (before, after))
        pitch_asked = pitch_before + request.knobs.pitch if request.knobs.pitch and pitch_before is not None else None
        return TurnResponse(
            seq=request.seq,
            clips=turned.tolist(),
            pitch=[pitch_before, pitch_asked, pitch_after],
            onsets=[onsets_before, _onsets_asked(clips, request.knobs.rhythm), onsets_after],
            milliseconds=round(1e3 * (time.perf_counter() - start), 1),
        )

    def blend(self, request: BlendRequest) -> Iterator[BlendCell]:
        """The melodies between two, row by row; the shorter of the two is repeated."""
        a, b = _states(request.a), _states(request.b)
        longest = max(len(a), len(b))
        a, b = (each[np.arange(longest) % len(each)] for each in (a, b))
        engine = self._models.melody_engine()
        cells = blend.interpolate(engine, a, b, request.rows, request.columns, request.control)
        found = blend.corner_distances(cells, a, b)
        corners = {(0, 0): found["a"]["steps"], (request.rows - 1, request.columns - 1): found["b"]["steps"]}
        for row in range(request.rows):
            for column in range(request.columns):
                flat = cells[row, column].reshape(-1)
                yield BlendCell(
                    row=row,
                    column=column,
                    clips=cells[row, column].tolist(),
                    pitch=edit_report.number(melody_states.mean_pitch(flat)),
                    onsets=int(melody_states.onsets(flat)),
                    differs=corners.get((row, column)),
                )

    def file(self, request: MelodyFileRequest) -> Download:
        """A melody as a file of one track, with the knobs that made it, if any."""
        data = blend_files.midi_of(_states(request.clips).reshape(-1), round(6e7 / request.tempo))
        if request.knobs is not None:
            data = with_provenance(data, self._provenance(request.knobs, request.source))
        stem = Path(plain_name(request.name, "melody")).stem
        return download(stem, request.format, data, request.name, self._folder)

    def edit_piece(self, request: MelodyEditRequest) -> Download:
        """A piece with its melody's knobs turned and all else unchanged: a MIDI file, or the score that it came as."""
        if request.knobs.dimensions:
            raise FadernetsError("dimensions: they are moved in melodies alone; save the melody")
        stored = self._uploads.get(request.piece)
        data, _ = file_edit.edited_melody(
            self._models.melody_engine(),
            stored.document,
            _knobs(request.knobs),
            request.track,
            regrid=True,
            option="track",
        )
        if isinstance(stored.document, ScoreDocument):
            return download(f"{stored.stem}-melody", "score", data, stored.title, source=stored.document)
        if data != stored.data:  # with the knobs at rest, it is the original file
            data = with_provenance(data, {**self._provenance(request.knobs, stored.title), "source_id": stored.id})
        return Download(f"{stored.stem}-melody.mid", MEDIA["midi"][0], data)

    def _provenance(self, request: KnobsRequest, source: str | None) -> dict[str, Any]:
        """What a file says of itself: program, model, source, seed and knobs."""
        return {
            **self._models.provenance(DEFAULT_MELODY_MODEL),
            "source": source,
            "seed": request.seed,
            "knobs": request.model_dump(exclude_defaults=True),
        }


def _states(clips: list[list[int]]) -> States:
    """[C, 32] the states of a request; a hold that holds no note becomes a rest."""
    flat = melody_states.tidy(np.array(clips, np.uint8).reshape(-1))
    return flat.reshape(-1, melody_states.STEPS)


def _knobs(request: KnobsRequest) -> knob_settings.Knobs:
    return knob_settings.Knobs(**request.model_dump(exclude={"dimensions"}))


def _onsets_asked(clips: States, doublings: float) -> float | None:
    """The number of onsets that the rhythm knob asks for; None where it is at rest."""
    if not doublings:
        return None
    onsets = melody_states.onsets(clips)
    asked = np.where(onsets > 0, np.clip(np.round(onsets * 2.0**doublings), 1, melody_states.STEPS), 0)
    return float(asked.sum())
