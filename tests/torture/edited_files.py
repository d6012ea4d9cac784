"""What must hold of a MIDI file that an edit wrote, whatever file it was made of: each broken rule is a line.

mido and symusic read it as they read the source; notes that the edit does not reach, other events and untouched tracks
are as they were; every onset that it wrote is released; and the report says what a new measurement of the file says.
"""

import io
from collections import Counter, defaultdict

import mido
import numpy as np
import symusic

from fadernets.attributes.table import ATTRIBUTES
from fadernets.editing import file_edit
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.edit_report import shown
from fadernets.editing.locks import kept_parts, violations
from fadernets.editing.refinement import plan_on_fine_steps
from fadernets.engines.grid import Engine
from fadernets.music.document import Document

TEMPO, END = b"\xff\x51", b"\xff\x2f"


def read_by_mido(data):
    """The file as mido reads it; None where it cannot."""
    try:
        return mido.MidiFile(file=io.BytesIO(data), clip=True)
    except Exception:
        return None


def read_by_symusic(data):
    try:
        return symusic.Score.from_midi(data)
    except Exception:
        return None


def rows_of(document, scale=1):
    """Counted (onset, end, pitch, velocity, chunk, channel) of a document's notes, ticks times `scale`."""
    piece = document.piece
    where = [(t.chunk, t.channel) for t in piece.tracks]
    return Counter(
        (int(n["onset"]) * scale, int(n["end"]) * scale, int(n["pitch"]), int(n["velocity"]), *where[n["track"]])
        for n in piece.notes
    )


def other_events(document, but=(END,)):
    """Of each track chunk (tick, message) of all events but notes and those that begin with `but`."""
    return [
        [(tick, message) for tick, message in events if message[0] >> 4 not in (8, 9) and message[:2] not in but]
        for events in document.paired.events
    ]


def unreleased(document):
    """Counted (chunk, pitch) of the notes that are never released."""
    paired = document.paired
    return Counter((paired.note_events[i].chunk, int(paired.notes["pitch"][i])) for i in paired.unreleased)


def readers(source, data):
    """What the other readers make of a file that was written from `source`."""
    found = []
    before, after = read_by_mido(source), read_by_mido(data)
    if before is not None and after is None:
        found.append("mido cannot read it")
    if after is not None and any(message.time < 0 for track in after.tracks for message in track):
        found.append("a time is negative")
    if read_by_symusic(source) is not None and read_by_symusic(data) is None:
        found.append("symusic cannot read it")
    return found


def released(source, after):
    """Onsets without an end that the source did not have."""
    more = unreleased(after) - unreleased(source)
    return [f"{sum(more.values())} notes are never released"] if more else []


def surroundings(source, after, hands, chunks, tempo):
    """What no edit of these tracks may change.

    hands: (chunk, channel) that are edited. chunks: the track chunks that may change. tempo: whether tempo moves.
    """
    found = []
    if len(source.paired.events) != len(after.paired.events):
        return ["it has other track chunks"]
    scale = after.piece.tpq // source.piece.tpq
    but = (END, TEMPO) if tempo else (END,)
    is_finer = source_bytes(source)[12:14] != after.piece.tpq.to_bytes(2, "big")  # then every track is written anew
    for i, (old, new) in enumerate(zip(other_events(source, but), other_events(after, but), strict=True)):
        if old != new:
            found.append(f"events of track chunk {i + 1} that are no notes changed")
        if i not in chunks and _events_of(source, i, is_finer) != _events_of(after, i, is_finer):
            found.append(f"track chunk {i + 1} changed and was not edited")
    if scale != 1:
        found.append("its ticks changed")
    old, new = rows_of(source), rows_of(after)
    away = [row for row in [*(old - new), *(new - old)] if row[4:] not in hands]
    if away:
        found.append(f"{len(away)} notes of other tracks changed, such as {away[0]}")
    return found


def _events_of(document, chunk, without_ends):
    """A chunk's events; a track that is written anew has one end, where others may have had some in the middle."""
    return [event for event in document.paired.events[chunk] if not (without_ends and event[1][:2] == END)]


def check_edit(engine, source, answer, faders):
    """Lines on the answer of `file_edit.edit_document` to these faders."""
    after = Document.of_bytes(answer.data)
    faders = file_edit._within_limits(faders, [])
    found = readers(source_bytes(source), answer.data) + released(source, after)
    piece = source.piece
    tracks = file_edit.tracks_of(piece, faders)
    before, plan = plan_on_fine_steps(engine, placed_for(engine, piece, tracks, faders), faders, [])
    keyed = plan.targets.key is not None  # by a fader or by the mode that a preset asks for
    if keyed and faders.tracks is None and faders.only is None:
        tracks = [i for i, track in enumerate(piece.tracks) if not track.is_drum]
    hands = {(piece.tracks[i].chunk, piece.tracks[i].channel) for i in tracks}
    tempo = faders.touches("tempo") or faders.is_moved_by_preset("tempo")
    chunks = {chunk for chunk, _ in hands}
    if tempo:
        chunks = set(range(len(source.paired.events)))
    found += surroundings(source, after, hands, chunks, tempo)
    found += outside_the_bars(before.windows, plan, source, after, keyed)
    found += report_is_true(engine, answer, before, after, faders)
    if faders.keep:
        kept = kept_parts(piece, before, faders.keep)
        broken = violations(before, before.reread(after.piece), kept)
        found += [f"{broken} locks are broken"] if broken else []
    return found


def source_bytes(document):
    """The bytes of a document that nothing changed."""
    return document.with_tracks({})


def outside_the_bars(windows, plan, source, after, keyed):
    """Notes that went or came and do not begin in a segment that is edited.

    A note that sounds on into one may end where the edit strikes its key.
    """
    old, new = rows_of(source), rows_of(after)
    gone, come = old - new, new - old
    struck = {(row[0], row[2], row[5]) for row in come}  # onset, pitch and channel
    alike = defaultdict(list)  # those that came, by all but their end
    for other in come:
        alike[other[0], *other[2:]].append(other)
    for row in [row for row in list(gone.elements()) if row not in come]:
        for short in [other for other in alike[row[0], *row[2:]] if other in come and other[1] < row[1]]:
            if (short[1], short[2], short[5]) in struck:
                for rows, one in ((gone, row), (come, short)):
                    rows[one] -= 1
                    if not rows[one]:
                        del rows[one]
                break
    changed = [*gone, *come]
    if not changed:
        return []
    inside = np.append(plan.inside, False)
    onset = np.array([row[0] for row in changed])
    within = np.searchsorted(windows.start, onset, side="right") - 1
    behind = onset >= windows.end[within]
    # The key also moves what begins behind the last window.
    wrong = ~inside[within] | (within < 0) | (behind & (not keyed))
    if wrong.any():
        row = changed[int(np.flatnonzero(wrong)[0])]
        return [f"{int(wrong.sum())} notes outside the edited segments changed, such as {row}"]
    return []


def report_is_true(engine, answer, before, after, faders):
    """What the report says, and what the file says."""
    found = []
    again = before.reread(after.piece)
    values = again.measure(again.full)
    where = {int(w): i for i, w in enumerate(again.full.tolist())}
    wrong = [
        (segment.bars, name)
        for segment in answer.report.segments
        for name in ATTRIBUTES
        if shown(name, values[name][where[segment.index]]) != segment.measured[name]
    ]
    if wrong:
        found.append(f"{len(wrong)} values of the report are not those of the file, such as {wrong[0]}")
    numbers = [(track.chunk, track.channel) for track in before.piece.tracks]
    same = numbers == [(track.chunk, track.channel) for track in after.piece.tracks]  # or names mean other tracks
    if isinstance(engine, Engine) and faders.only is None and same:
        new = file_edit.measure_document(
            engine, after, None if faders.tracks is None else list(faders.tracks), "tracks"
        )
        measured = {segment["index"]: segment for segment in new["segments"]}
        wrong = [
            (segment.bars, name)
            for segment in answer.report.segments
            for name, value in segment.measured.items()
            if segment.index in measured and measured[segment.index][name] != value
        ]
        if wrong:
            found.append(f"{len(wrong)} values of the report are not what measure says, such as {wrong[0]}")
    return found
