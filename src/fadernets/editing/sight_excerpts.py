"""Some bars of a piece as a piece of their own, and faders of the piece as those of that excerpt."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fadernets.decoding.edit_models import EditModel
from fadernets.editing import edit_plan, file_edit
from fadernets.editing.drawn_segments import DrawnSegments
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.fader_curves import PerBar
from fadernets.editing.lock_requests import Lock
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.request_values import Bars
from fadernets.editing.requests import Faders
from fadernets.music.document import Document
from fadernets.music.excerpt import excerpt

AROUND = 2  # segments on each side that are not edited, as many as a passage sees
MOST_EXCERPTS = 4  # that are kept


@dataclass(frozen=True)
class Excerpt:
    """Some segments of a piece as a piece of their own."""

    document: Document
    tracks: list[int]  # in the piece, of the file's track chunks from the second on
    first_segment: int  # of the piece
    bars_before: int
    bars: tuple[int, int]  # those that are edited, of the piece
    start: int  # tick of the piece at which the excerpt begins
    shown: tuple[int, int]  # ticks of the bars that are edited

    def number(self, track: int) -> int | None:
        """The number, from 1, that a track of the piece has here; None where it has no note here."""
        chunks = [one.chunk for one in self.document.piece.tracks]
        chunk = self.tracks.index(track) + 1
        return chunks.index(chunk) + 1 if chunk in chunks else None


@dataclass(frozen=True)
class Below:
    """What the regions below those that are drafted left."""

    key: str  # names it
    document: Callable[[], Document]


@dataclass
class Sight:
    """What drafts of one piece know of it. For one thread."""

    excerpts: OrderedDict[tuple[object, ...], Excerpt] = field(default_factory=OrderedDict)
    drawn: DrawnSegments = field(default_factory=DrawnSegments)
    homes: dict[tuple[object, ...], int] = field(default_factory=dict)  # keys of wholes of which parts are drafted
    model: str = ""  # that drew them

    def by(self, model: str) -> None:
        """Forget what another model drew."""
        if model != self.model:
            self.clear()
        self.model = model

    def clear(self) -> None:
        """Forget it."""
        self.excerpts.clear()
        self.homes.clear()
        self.drawn.clear()

    @property
    def bytes_taken(self) -> int:
        """About how many bytes it takes."""
        notes = sum(len(one.document.piece.notes) for one in self.excerpts.values())
        return self.drawn.bytes_taken + 1000 * notes  # of a note: its row and its two events

    def excerpt(self, key: tuple[object, ...], make: Callable[[], Excerpt]) -> Excerpt:
        """The excerpt of this key, made where it is not known."""
        if key not in self.excerpts:
            self.excerpts[key] = make()
            while len(self.excerpts) > MOST_EXCERPTS:
                self.excerpts.popitem(last=False)
        self.excerpts.move_to_end(key)
        return self.excerpts[key]


def excerpt_of(document: Document, source: PieceOnGrid, first: int, behind: int) -> Excerpt:
    """The segments first..behind of a document, with some around them."""
    grid = source.windows
    lines = set(document.piece.metre.bar_starts(source.piece.end).tolist())
    a = max(first - AROUND, 0)
    while a > 0 and int(grid.start[a]) not in lines:  # half of a long bar
        a -= 1
    b = min(behind + AROUND, len(grid.start))
    tracks = [*range(len(document.piece.tracks))]
    data = excerpt(document, tracks, int(grid.start[a]), int(grid.end[b - 1]))
    return Excerpt(
        Document(document.path, data),
        tracks,
        a,
        int(grid.bar[a]) - 1,
        (int(grid.bar[first]), int(grid.last_bar[behind - 1])),
        int(grid.start[a]),
        (int(grid.start[first]), int(grid.end[behind - 1])),
    )


def own_faders(engine: EditModel, faders: Faders, below: Below, piece: Excerpt, sight: Sight) -> Faders | None:
    """Faders of the whole piece as those of an excerpt; None where they move nothing there."""
    first, last = piece.bars
    ranges = [(max(a, first), min(b, last)) for a, b in faders.bars or [(first, last)]]
    bars = [(a - piece.bars_before, b - piece.bars_before) for a, b in ranges if a <= b]
    tracks = _tracks(faders, below.document if _needs_whole(faders) else None, piece)
    if not bars or tracks == []:
        return None
    per_bar = faders.per_bar
    if per_bar is not None:
        values = {
            name: {bar - piece.bars_before: value for bar, value in rows.items() if first <= bar <= last}
            for name, rows in per_bar.values.items()
        }
        per_bar = PerBar(per_bar.path, {name: rows for name, rows in values.items() if rows}, {})
        per_bar = per_bar if per_bar.values else None
        if per_bar is None and not (faders.set or faders.move or faders.amount):
            return None
    keep = tuple(own for lock in faders.keep if (own := _lock(lock, piece)) is not None)
    only = faders.only
    if faders.only_track is not None:
        only, tracks = tracks[0] if tracks else None, None
    return replace(
        faders,
        bars=bars,
        tracks=tracks,
        only=only,
        per_bar=per_bar,
        keep=keep,
        home=_home(engine, faders, below, sight),
    )


def _needs_whole(faders: Faders) -> bool:
    return faders.tracks is not None or faders.only_track is not None


def _tracks(faders: Faders, whole: Callable[[], Document] | None, piece: Excerpt) -> list[str] | None:
    """The numbers here of the tracks that are edited; None where that is not said."""
    if whole is None:
        return None
    chosen = file_edit.tracks_of(whole().piece, faders)
    return [str(number) for track in chosen if (number := piece.number(track)) is not None]


def _lock(lock: Lock, piece: Excerpt) -> Lock | None:
    """A lock as one of an excerpt; None where it keeps nothing there."""
    count = piece.bars[1] - piece.bars_before
    if lock.kind == "notes":
        places = [(bar - piece.bars_before, beat, pitch) for bar, beat, pitch in lock.places]
        inside = tuple(place for place in places if 1 <= place[0] <= count)
        return replace(lock, places=inside) if inside else None
    if lock.bars is None:
        return lock
    moved = [(max(a - piece.bars_before, 1), min(b - piece.bars_before, count)) for a, b in lock.bars]
    bars = tuple((a, b) for a, b in moved if a <= b)
    return replace(lock, bars=bars) if bars else None


def _home(engine: EditModel, faders: Faders, below: Below, sight: Sight) -> int | None:
    """The key of what faders edit in the whole piece, where it matters."""
    by_preset = faders.preset is not None and bool(faders.amount) and "key" not in faders.hold
    if not faders.touches("key") and not by_preset:
        return None
    ranges: Bars | None = faders.bars
    key = below.key, repr(ranges), repr(faders.tracks), faders.only
    if key not in sight.homes:
        whole = below.document().piece
        placed = placed_for(engine, whole, file_edit.tracks_of(whole, faders), faders)
        sight.homes[key] = edit_plan.home_of(placed, faders)
    return sight.homes[key]
