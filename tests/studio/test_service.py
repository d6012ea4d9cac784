"""The studio without its server, on the shipped models: what it says of a piece, its edits and their files."""

import io
import itertools
import json
import shutil
import wave
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
from midi_files import ODDITIES, PIECES, TPQ, events, notes, save, track

from fadernets.attributes import of_segments
from fadernets.attributes.table import ATTRIBUTES, CODED
from fadernets.editing import file_edit, presets
from fadernets.editing.presets import PAPER_PRESET
from fadernets.engines.grid import Engine
from fadernets.engines.model_folder import DEFAULT_MODEL, DEFAULT_WINDOW_MODEL, bundled
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.smf import stamped
from fadernets.rendering.score_changes import COLOURS
from fadernets.studio.edit_types import EditRequest, FadersRequest, RenderRequest
from fadernets.studio.service import StaleRequest, Studio
from fadernets.studio.uploads import BUNDLED, UnknownPiece
from fadernets.web.fader_requests import to_faders

COLUMNS = ["onset", "end", "pitch", "velocity"]
MODELS = (DEFAULT_MODEL, DEFAULT_WINDOW_MODEL)


@pytest.fixture(scope="module")
def hands(upload):
    """Eight bars for two hands."""
    return upload("two_hands")


def ask(piece, of=EditRequest, draft=False, format=None, model=None, **faders):
    more = {name: value for name, value in (("format", format), ("model", model)) if value}
    return of.model_validate({"piece": piece, "faders": faders, "draft": draft, **more})


def rows(columns):
    """Sorted (onset, end, pitch, velocity, track) of the columns of an answer."""
    each = columns.model_dump()
    return sorted(zip(*(each[name] for name in (*COLUMNS, "track")), strict=True))


def inside(columns, bars, piece):
    """Those that begin in these bars."""
    lines = piece.bars
    return [row for row in rows(columns) if int(np.searchsorted(lines, row[0], side="right")) in bars]


# what there is


def test_about(studio):
    about = studio.about()
    assert [row.name for row in about.attributes] == list(ATTRIBUTES)
    assert [row.name for row in about.attributes if row.coded] == list(CODED)
    assert [row.name for row in about.presets] == [*presets.names(), PAPER_PRESET]
    assert [row.codes for row in about.presets] == [False] * len(presets.names()) + [True]
    arousal = next(row for row in about.presets if row.name == "arousal")
    assert set(arousal.moves) <= set(ATTRIBUTES)
    assert "rhythm_density" in arousal.moves
    codecs = {row.name: row.codec for row in about.models}
    assert codecs == {"pop-lieder": "grid", "rewriter": "grid", "melody": "melody"}
    assert about.models[0].name == DEFAULT_MODEL == ask("k545").model
    assert {row.name: row.codes for row in about.models} == {"rewriter": False, "pop-lieder": True, "melody": True}
    assert all(len(row.hash) == 12 for row in about.models)
    assert {row.id: row.title for row in about.pieces} == BUNDLED
    assert (about.most_bytes, about.most_bars, about.port) == (2097152, 1000, None)


def test_models_are_opened_once(studio):
    assert studio.models.engine() is studio.models.engine()
    assert studio.models.melody_engine() is studio.models.melody_engine()


@pytest.mark.parametrize("name", ["", "pop", "../pop-lieder", "/etc", "melody"])
def test_models_by_name_alone(studio, name):
    with pytest.raises(FadernetsError, match=r"^model .*allowed: rewriter, pop-lieder$") as error:
        studio.piece("k545", name)
    assert "/bundled" not in str(error.value)
    with pytest.raises(FadernetsError, match=r"^model .*allowed: melody$"):
        studio.models.melody_engine("pop-lieder")


def test_models_of_the_user_s_own(tmp_path):
    studio = Studio({"mine": Path(shutil.copytree(bundled()["pop-lieder"], tmp_path / "mine"))})
    assert [row.name for row in studio.about().models] == ["rewriter", "melody", "pop-lieder", "mine"]
    assert studio.piece("k265", "mine").model == "mine"
    moved = EditRequest(piece="k265", model="mine", faders=FadersRequest(move={"rhythm_density": 0.1}), draft=True)
    assert studio.edit(moved).notes.onset
    with pytest.raises(FadernetsError, match=r"^model no: is not known; allowed: rewriter, pop-lieder, mine$"):
        studio.models.engine("no")


# pieces


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", [*PIECES, "coarse", "stuck"])
def test_what_a_piece_says(studio, upload, tmp_path, name, model):
    source = (PIECES | ODDITIES)[name](tmp_path / "in.mid")
    document, info = Document(source), studio.piece(upload(name), model)
    own = document.piece
    assert (info.title, info.model, info.tpq, info.end) == (f"{name}.mid", model, own.tpq, own.end)
    found = {n: getattr(info.notes, n) for n in (*COLUMNS, "track")}
    assert found == {n: own.notes[n].tolist() for n in found}
    if name not in ("coarse", "stuck"):
        assert sorted(zip(*(found[n] for n in COLUMNS), strict=True)) == sorted(row[:4] for row in notes(source))
    assert info.seconds == round(own.seconds(), 3)
    assert info.bars[:-1] == own.metre.bar_starts(own.end).tolist()
    assert info.bars[-1] >= own.end
    assert len(info.channels) == len(info.tracks) == len(own.tracks)
    assert [t.number for t in info.tracks] == list(range(1, len(own.tracks) + 1))
    assert [i for i, t in enumerate(info.tracks) if t.edited] == file_edit.choose_tracks(own)
    measured = file_edit.measure(studio.models.engine(model), source)
    mine = [{"index": s.index, "bar": s.bar, **s.values, "arousal": s.arousal} for s in info.segments]
    beside = ("start_beat", "last_bar")
    assert mine == [{k: v for k, v in row.items() if k not in beside} for row in measured["segments"]]
    assert info.means == measured["means"]
    assert info.warnings == measured["warnings"]
    halves = {(a + b) // 2 for a, b in itertools.pairwise(info.bars)} | {
        *info.bars
    }  # what bounds a rewriter's segments
    for segment, row in zip(info.segments, measured["segments"], strict=True):
        assert segment.start == round(row["start_beat"] * own.tpq)
        if model == DEFAULT_WINDOW_MODEL:
            assert segment.end - segment.start == 4 * own.tpq
        else:
            assert {segment.start, segment.end} <= halves
        assert info.bars[segment.bar - 1] <= segment.start < info.bars[segment.bar]


def test_maps_of_a_piece(studio, upload):
    changing = studio.piece(upload("metre_change"))
    assert changing.metre == [(0, 4, 4), (8 * TPQ, 3, 4), (17 * TPQ, 4, 4)]
    assert changing.bars == [TPQ * at for at in (0, 4, 8, 11, 14, 17, 21, 25, 29)]  # the last chord ends at 25.5
    assert studio.piece(upload("tempi")).tempo[:3] == [(0, 1_000_000), (480, 428_571), (1921, 400_000)]
    assert studio.piece(upload("waltz")).bars == [3 * TPQ * i for i in range(9)]


def test_the_pedal_in_the_file_s_order(studio, upload, tmp_path):
    assert studio.piece(upload("dressed")).pedal == [(0, 0, 127), (1900, 0, 0), (1920, 0, 127)]
    press = [(tick, mido.Message("control_change", control=64, value=v)) for tick, v in ((0, 127), (480, 90), (480, 0))]
    path = save(tmp_path / "in.mid", track([(0, 4, 60, 80)], *press))
    assert Document(path).pedal() == [(0, 0, 127), (480, 0, 90), (480, 0, 0)]


def test_bundled_pieces_can_be_edited(studio):
    for piece in BUNDLED:
        info = studio.piece(piece)
        assert (info.id, info.title) == (piece, BUNDLED[piece])
        assert studio.edit(ask(piece, draft=True, move={"rhythm_density": 0.2})).notes != info.notes


def test_pieces_that_are_not_here(studio):
    for call in (
        studio.piece,
        studio.melody.melody_of,
        lambda p: studio.edit(ask(p)),
        lambda p: studio.variations(ask(p)),
    ):
        with pytest.raises(UnknownPiece, match=r"^piece none: is not here any more; open its file again$"):
            call("none")


def test_pieces_without_a_full_segment(studio, tmp_path):
    kept = studio.uploads.add("one", save(tmp_path / "in.mid", track([(0, 0.25, 60, 80)])).read_bytes())
    assert studio.edit(ask(kept.id, move={"pitch": 2})).notes.pitch
    assert studio.melody.melody_of(kept.id).clips
    assert studio.render(ask(kept.id, RenderRequest, format="musicxml")).data


# moves


@pytest.mark.parametrize("name", PIECES)
def test_at_rest_the_notes_are_the_source_s(studio, upload, name):
    piece = upload(name)
    info = studio.piece(piece)
    for draft in (True, False):
        moved = studio.edit(ask(piece, draft=draft))
        assert (moved.notes, moved.tempo, moved.pedal, moved.end) == (info.notes, info.tempo, info.pedal, info.end)
        assert [s.before for s in moved.segments] == [s.values for s in info.segments]
        assert [s.measured for s in moved.segments] == [s.values for s in info.segments]
        assert set(moved.means.asked.values()) == {None}


def of_codes(faders):
    """Whether faders ask for the paper's preset, which a rewriter does not have."""
    return faders.get("preset", {}).get("name") == PAPER_PRESET


FADERS = [
    {"set": {"rhythm_density": 0.75}},
    {"move": {"note_density": 1.0}, "seed": 3},
    {"set": {"rhythm_density": [0.25, 1.0]}},
    {"set": {"key": "a minor", "tempo": 140}, "move": {"rhythm_density": 0.1}},
    {"move": {"key": 3, "pitch": -2.5, "dynamics": 10, "syncopation": 2}},
    {"set": {"articulation": 0.4}, "bars": [[3, 4], [6, 6]]},
    {"per_bar": {"rhythm_density": {"2": 0.25, "5": 0.875}}},
    {"preset": {"name": "arousal", "amount": 1.5, "hold": ["tempo", "key"]}},
    {"preset": {"name": PAPER_PRESET, "amount": -1.0}},
    {"move": {"rhythm_density": 0.3}, "faithfulness": 0.2, "tracks": ["left hand"]},
]


@pytest.mark.parametrize(
    ("model", "faders"),
    [(model, faders) for model in MODELS for faders in FADERS if model == DEFAULT_WINDOW_MODEL or not of_codes(faders)],
    ids=lambda each: each if isinstance(each, str) else "-".join(each),
)
def test_moves_are_those_of_apply(studio, hands, tmp_path, model, faders):
    """Note for note what `fadernets apply` writes for the same faders."""
    source, out = PIECES["two_hands"](tmp_path / "in.mid"), tmp_path / "out.mid"
    asked = ask(hands, model=model, **faders)
    report = file_edit.apply(
        studio.models.engine(model), source, out, to_faders(asked.faders, studio.uploads.get(hands).document.piece)
    )
    moved = studio.edit(asked)
    assert sorted(row[:4] for row in rows(moved.notes)) == sorted(row[:4] for row in notes(out))
    assert moved.tempo == [
        (int(a), int(b))
        for a, b in zip(*(vars(Document(out).piece.tempo)[n] for n in ("ticks", "micros")), strict=True)
    ]
    for mine, own in zip(moved.segments, report.segments, strict=True):
        assert (mine.index, mine.bar) == (own.index, own.bar)
        assert (mine.before, mine.asked, mine.measured) == (own.before, own.asked, own.measured)
    assert (moved.means.before, moved.means.measured) == (report.means["before"], report.means["measured"])
    assert moved.warnings == report.warnings
    assert rows(moved.notes) != rows(studio.piece(hands).notes) or "tempo" in str(faders)


def test_what_is_asked_is_in_the_answer(studio, hands):
    moved = studio.edit(ask(hands, set={"rhythm_density": 0.75}))
    assert moved.means.asked["rhythm_density"] == 0.75
    assert abs(moved.means.measured["rhythm_density"] - 0.75) <= 1 / 16
    assert {s.asked["rhythm_density"] for s in moved.segments} == {0.75}
    assert {s.asked["pitch"] for s in moved.segments} == {None}
    assert (moved.seq, moved.piece, moved.draft) == (0, hands, False)
    assert moved.milliseconds > 0
    key = studio.edit(ask(hands, set={"key": "E-flat"}))
    assert (key.means.asked["key"], key.means.measured["key"]) == ("E-flat major", "E-flat major")
    minor = studio.edit(ask(hands, set={"key": "am"}))
    assert minor.means.asked["key"] == "A minor"
    up = studio.edit(ask(hands, move={"key": 2}))
    assert (up.means.before["key"], up.means.asked["key"], up.means.measured["key"]) == (
        "C major",
        "D major",
        "D major",
    )


def test_a_kept_piece_answers_as_a_fresh_one(exported, tmp_path):
    """Byte for byte, whatever was asked before of it, of another piece and of another model."""
    models = {"toy": exported[True][0]}
    files = [PIECES[name](tmp_path / f"{name}.mid").read_bytes() for name in ("two_hands", "waltz")]
    kept = Studio(models)
    pieces = [kept.uploads.add("a.mid", data).id for data in files]
    answers = {}
    for faders in (*FADERS[:2], {"set": {"rhythm_density": 0.75}, "bars": [[2, 4]]}, *FADERS[7:], FADERS[0]):
        for number, piece in enumerate(pieces):
            for model in ("pop-lieder", "toy"):
                asked = ask(piece, draft=True, **faders).model_copy(update={"model": model})
                if "left hand" in faders.get("tracks", []) and number:
                    continue
                fresh = Studio(models)
                fresh.models = kept.models  # opened once; encoded segments are kept with the piece
                assert fresh.uploads.add("a.mid", files[number]).id == piece
                mine, own = (each.edit(asked).model_dump(exclude={"milliseconds"}) for each in (kept, fresh))
                assert mine == own
                answers[number, model, str(faders)] = str(mine["notes"])
    assert len(set(answers.values())) == len(answers)


def test_a_drag_encodes_its_piece_once(monkeypatch, tmp_path):
    studio, encoded, decoded = Studio(), [], []
    encode, decode = Engine.encode, Engine.decode
    monkeypatch.setattr(Engine, "encode", lambda self, cells: encoded.append(len(cells)) or encode(self, cells))
    monkeypatch.setattr(Engine, "decode", lambda *given, **more: decoded.append(1) or decode(*given, **more))
    for value in (0.3, 0.5, 0.7):
        studio.edit(ask("k265", draft=True, model=DEFAULT_WINDOW_MODEL, set={"rhythm_density": value}))
    assert len(encoded) == 1
    assert len(decoded) == 1 + 3 * 2  # at rest once, then a first pass and the candidates


def test_drafts_have_fewer_candidates(studio, hands):
    faders = {"set": {"rhythm_density": 0.8125}}
    draft, full = (
        studio.edit(ask(hands, draft=draft, model=DEFAULT_WINDOW_MODEL, **faders)) for draft in (True, False)
    )
    assert (draft.draft, full.draft) == (True, False)
    assert rows(draft.notes) != rows(full.notes)
    assert [s.asked for s in draft.segments] == [s.asked for s in full.segments]
    assert full.log_odds > draft.log_odds


def test_bars(studio, hands):
    info = studio.piece(hands)
    moved = studio.edit(ask(hands, set={"rhythm_density": 1.0}, bars=[[2, 3], [7, 7]]))
    for bar in range(1, 9):
        same = inside(moved.notes, [bar], info) == inside(info.notes, [bar], info)
        assert same is (bar not in (2, 3, 7))
    assert [s.bar for s in moved.segments if s.asked["rhythm_density"] is not None] == [2, 3, 7]


LOUD = {"set": {"rhythm_density": 0.9, "articulation": 0.3, "dynamics": 30, "pitch": 60, "key": "F#"}}


def test_locked_bars_keep_every_note(studio, hands):
    info = studio.piece(hands)
    moved = studio.edit(ask(hands, **LOUD, move={"tempo": 30}, locked=[1, 4, 5]))
    assert inside(moved.notes, [1, 4, 5], info) == inside(info.notes, [1, 4, 5], info)
    assert inside(moved.notes, [2], info) != inside(info.notes, [2], info)
    for before, after in zip(info.segments, moved.segments, strict=True):
        if after.bar in (1, 4, 5):  # how long notes are counts to the next onset, which may be another bar's
            assert after.measured | {"articulation": 0} == before.values | {"articulation": 0}
    alike = studio.edit(ask(hands, **LOUD, move={"tempo": 30}, bars=[[2, 3], [6, 8]]))
    assert rows(alike.notes) == rows(moved.notes)


def test_locks_inside_bars(studio, hands):
    one = studio.edit(ask(hands, set={"rhythm_density": 1.0}, bars=[[2, 4], [7, 7]], locked=[3, 7, 8, 99]))
    other = studio.edit(ask(hands, set={"rhythm_density": 1.0}, bars=[[2, 2], [4, 4]]))
    assert one.notes == other.notes
    assert one.segments == other.segments


@pytest.mark.parametrize("more", [{}, {"bars": [[2, 3]]}])
def test_all_bars_locked(studio, hands, more):
    preset = {"name": "arousal", "amount": 2.0}
    moved = studio.edit(ask(hands, **LOUD, preset=preset, locked=list(range(1, 9)), **more))
    assert moved.notes == studio.piece(hands).notes
    assert moved.preset == {}
    assert set(moved.means.asked.values()) == {None}
    assert moved.warnings[-1].startswith("no bar is free")
    assert studio.edit(ask(hands, locked=list(range(1, 9)))).warnings == []  # nobody asked for anything


def test_locked_bars_of_a_waltz(studio, upload):
    """Segments of four beats run over its bar lines: none that reaches into a locked bar is edited."""
    waltz = upload("waltz")
    info = studio.piece(waltz)
    moved = studio.edit(ask(waltz, set={"rhythm_density": 1.0, "dynamics": 20}, locked=[3]))
    assert inside(moved.notes, [3], info) == inside(info.notes, [3], info)
    assert rows(moved.notes) != rows(info.notes)


def test_values_by_bar(studio, hands):
    info = studio.piece(hands)
    moved = studio.edit(ask(hands, per_bar={"rhythm_density": {"2": 0.25, "5": 0.875}}))
    assert [s.asked["rhythm_density"] for s in moved.segments] == [None, 0.25, None, None, 0.875, None, None, None]
    untouched = [1, 3, 4, 6, 7, 8]
    assert inside(moved.notes, untouched, info) == inside(info.notes, untouched, info)


def test_ramps(studio, hands):
    moved = studio.edit(ask(hands, set={"rhythm_density": [0.25, 1.0]}))
    asked = [s.asked["rhythm_density"] for s in moved.segments]
    np.testing.assert_allclose(asked, np.linspace(0.25, 1, 8), atol=1e-6)


def test_a_preset_moves_faders_and_holds_others(studio, hands):
    free = studio.edit(ask(hands, preset={"name": "arousal", "amount": 1.0}))
    assert free.preset == next(row.moves for row in studio.about().presets if row.name == "arousal")
    names = set(free.preset) - {"key"}
    held = studio.edit(ask(hands, preset={"name": "arousal", "amount": 1.0, "hold": sorted(names - {"dynamics"})}))
    assert set(held.preset) & names == {"dynamics"}
    assert held.means.asked["dynamics"] == free.means.asked["dynamics"] is not None
    assert held.means.asked["tempo"] is None
    none = studio.edit(ask(hands, preset={"name": "arousal", "amount": 0.0}))
    assert none.preset == {}
    assert none.notes == studio.piece(hands).notes


def test_the_paper_s_preset_moves_codes(studio, hands):
    up, down = (
        studio.edit(ask(hands, model=DEFAULT_WINDOW_MODEL, preset={"name": PAPER_PRESET, "amount": a}))
        for a in (1.5, -1.5)
    )
    assert up.preset == down.preset == {}
    assert set(up.means.asked.values()) == {None}
    assert up.means.measured["rhythm_density"] > down.means.measured["rhythm_density"]
    with pytest.raises(FadernetsError, match="model rewriter has no arousal clusters: arousal-codes cannot be used"):
        studio.edit(ask(hands, preset={"name": PAPER_PRESET, "amount": 1.0}))


def test_presets_are_clamped(studio, hands):
    for name, model in (
        ("arousal", DEFAULT_MODEL),
        ("arousal", DEFAULT_WINDOW_MODEL),
        (PAPER_PRESET, DEFAULT_WINDOW_MODEL),
    ):
        far, most = (
            studio.edit(ask(hands, draft=True, model=model, preset={"name": name, "amount": a})) for a in (1e300, 4.0)
        )
        assert far.notes == most.notes
        assert any("clamped" in warning for warning in far.warnings)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("value", [1e308, -1e308, [1e308, -1e308], [-1e308, 1e308]])
@pytest.mark.parametrize("name", ["rhythm_density", "pitch", "tempo"])
def test_values_beyond_all_bounds_are_clamped(studio, hands, name, value, model):
    moved = studio.edit(ask(hands, draft=True, model=model, set={name: value}))
    row = ATTRIBUTES[name]
    high = row.high if model == DEFAULT_WINDOW_MODEL else of_segments.HIGHEST.get(name, row.high)
    own = [s.before[name] for s in moved.segments]
    assert all(min(row.low, *own) <= s.asked[name] <= max(high, *own) for s in moved.segments)
    if not isinstance(value, list):
        moved = studio.edit(ask(hands, draft=True, model=model, move={name: value}))
        assert moved.means.asked[name] is not None


@pytest.mark.parametrize("model", MODELS)
def test_variations_can_be_asked_for_again(studio, hands, model):
    faders = {"set": {"rhythm_density": 0.75}, "seed": 5, "model": model}
    found = studio.variations(ask(hands, **faders), 3)
    assert len(found) == 3
    if model == DEFAULT_WINDOW_MODEL:
        assert found[0].log_odds >= found[1].log_odds >= found[2].log_odds
    else:
        assert {one.log_odds for one in found} == {None}  # it comes without a critic
    assert len({str(one.notes) for one in found}) == 3
    for index, one in enumerate(found):
        again = studio.edit(ask(hands, **faders, variation={"index": index, "count": 3}))
        assert again.notes == one.notes
        assert again.segments == one.segments
        file = studio.render(ask(hands, RenderRequest, **faders, variation={"index": index, "count": 3}))
        assert sorted(row[:4] for row in notes(file.data)) == sorted(row[:4] for row in rows(one.notes))
    with pytest.raises(FadernetsError, match=r"^variation 3: of 3 there are 0 to 2$"):
        studio.edit(ask(hands, **faders, variation={"index": 3, "count": 3}))


def test_seeds_differ_and_hold(studio, hands):
    one, two, again = (studio.edit(ask(hands, set={"rhythm_density": 0.6}, seed=s)) for s in (0, 2**32 - 1, 0))
    assert one.notes == again.notes != two.notes


@pytest.mark.parametrize("model", MODELS)
def test_a_newer_move_ends_an_older_one(studio, hands, model):
    faders = {"set": {"rhythm_density": 0.75}, "model": model}
    with pytest.raises(StaleRequest):
        studio.edit(ask(hands, **faders), lambda: True)
    with pytest.raises(StaleRequest):
        studio.variations(ask(hands, **faders), 2, lambda: True)
    with pytest.raises(StaleRequest):
        studio.render(ask(hands, RenderRequest, **faders), lambda: True)
    calls = []
    assert studio.edit(ask(hands, **faders), lambda: bool(calls.append(1))).notes
    assert calls


@pytest.mark.parametrize(
    ("faders", "message"),
    [
        ({"set": {"loudness": 1}}, "^set: unknown fader 'loudness'; known: rhythm_density, "),
        ({"move": {"rhythm density": 1}}, "^move: unknown fader 'rhythm density' .*; known: "),
        ({"per_bar": {"../x": {"1": 1}}}, "^per_bar: unknown fader '../x'; known: "),
        ({"preset": {"name": "arousal", "amount": 1, "hold": ["x"]}}, "^hold: unknown fader 'x'; known: "),
        ({"preset": {"name": "../arousal", "amount": 1}}, "^preset ../arousal: is not known .*; allowed: arousal, "),
        ({"set": {"tempo": 100}, "move": {"tempo": 5}}, "^set and move both name tempo; give one of them$"),
        ({"set": {"tempo": 100}, "per_bar": {"tempo": {"1": 5}}}, "^set and per_bar both name tempo"),
        ({"set": {"tempo": "fast"}}, "^tempo fast: takes a number$"),
        ({"set": {"tempo": "100"}}, "^tempo 100: takes a number$"),
        ({"set": {"key": "H"}}, "^key: 'H' is not a key"),
        ({"set": {"key": 24}}, "^key 24: "),
        ({"set": {"key": -1}}, "^key -1: "),
        ({"set": {"key": 1.5}}, "^key 1.5: "),
        ({"set": {"key": 1e300}}, "^key 1e"),
        ({"move": {"key": 0.5}}, "^key 0.5: "),
        ({"set": {"key": [0, 4]}}, "^key: takes one value"),
        ({"per_bar": {"key": {"1": 1}}}, "^key: takes one value"),
        ({"per_bar": {"tempo": {"9": 1}}}, "bar 9; the piece has bars 1 to 8"),
        ({"per_bar": {"tempo": {"0": 1}}}, "bar 0; the piece has bars 1 to 8"),
        ({"bars": [[0, 1]]}, "^bars 0-1: bars count from 1, the first not behind the last$"),
        ({"bars": [[3, 2]]}, "^bars 3-2: bars count from 1, the first not behind the last$"),
        ({"bars": [[9, 9]]}, "9-9: the piece has 8 bars"),
        ({"tracks": ["3"]}, "tracks 3: no such pitched track; the file has 1 'right hand', 2 'left hand'"),
        ({"tracks": ["../left hand"]}, "no such pitched track"),
    ],
    ids=str,
)
def test_what_is_refused(studio, hands, faders, message):
    with pytest.raises(FadernetsError, match=message) as error:
        studio.edit(ask(hands, **faders))
    assert len(str(error.value).splitlines()) == 1


# files


def test_a_file_at_rest_is_the_source_with_a_stamp(studio, hands):
    source = studio.uploads.get(hands).data
    file = studio.render(ask(hands, RenderRequest))
    assert (file.name, file.media) == ("two_hands-edited.mid", "audio/midi")
    assert notes(file.data) == notes(source)
    first, *others = events(file.data)
    assert [first[1:], *others] == events(source)


@pytest.mark.parametrize("model", MODELS)
def test_midi_says_where_it_comes_from(studio, hands, model):
    faders = {"set": {"rhythm_density": 0.75}, "seed": 9, "locked": [2]}
    file = studio.render(ask(hands, RenderRequest, model=model, **faders))
    heard = pretty_midi.PrettyMIDI(io.BytesIO(file.data))
    moved = studio.edit(ask(hands, model=model, **faders))
    assert sum(len(each.notes) for each in heard.instruments) == len(moved.notes.onset)
    assert sorted(row[:4] for row in notes(file.data)) == sorted(row[:4] for row in rows(moved.notes))
    text = next(m.text for _, m in events(file.data)[0] if m.type == "text")
    record = json.loads(text.removeprefix("fadernets "))
    assert (record["model"], record["source"], record["source_id"], record["seed"]) == (
        model,
        "two_hands.mid",
        hands,
        9,
    )
    assert record["model_sha256"] == studio.models.engine(model).info["sha256"]
    assert FadersRequest.model_validate(record["faders"]) == FadersRequest.model_validate(faders)


def test_json_says_what_was_asked_and_measured(studio, hands):
    faders = {"move": {"pitch": 3}, "seed": 2}
    file = studio.render(ask(hands, RenderRequest, format="json", **faders))
    info = json.loads(file.data)
    moved = studio.edit(ask(hands, **faders))
    assert (file.name, file.media) == ("two_hands-edited.json", "application/json")
    assert info["faders"] == faders
    assert [row["measured"] for row in info["report"]["segments"]] == [s.measured for s in moved.segments]
    assert info["report"]["means"]["measured"] == moved.means.measured


def test_wav_lasts_as_long_as_the_piece(studio, upload):
    piece = upload("bare")
    file = studio.render(ask(piece, RenderRequest, format="wav", move={"pitch": 1}))
    assert (file.name, file.media) == ("bare-edited.wav", "audio/wav")
    with wave.open(io.BytesIO(file.data)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
        frames = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
    assert studio.piece(piece).seconds <= seconds <= studio.piece(piece).seconds + 4
    assert 1000 < np.abs(frames).max() < 32768
    assert np.sqrt(np.mean(frames**2)) > 100


def test_musicxml_has_the_edit_s_notes(studio, hands):
    import music21

    file = studio.render(ask(hands, RenderRequest, format="musicxml", move={"pitch": 5}))
    assert (file.name, file.media) == ("two_hands-edited.musicxml", "application/vnd.recordare.musicxml+xml")
    score = music21.converter.parseData(file.data, format="musicxml")
    moved = studio.edit(ask(hands, move={"pitch": 5}))
    pitches = {p.midi for n in score.recurse().notes for p in n.pitches}
    assert pitches == set(moved.notes.pitch)
    assert score.metadata.title == "two_hands"


def test_musicxml_shows_what_the_edit_changed(studio, hands):
    kept = studio.render(ask(hands, RenderRequest, format="musicxml"))
    assert b'color="' not in kept.data
    louder = studio.render(ask(hands, RenderRequest, format="musicxml", set={"dynamics": 40}, bars=[[2, 3]]))
    assert COLOURS["changed"].encode() in louder.data
    assert COLOURS["new"].encode() not in louder.data
    busier = studio.render(ask(hands, RenderRequest, format="musicxml", move={"rhythm_density": 0.3}, bars=[[2, 3]]))
    assert COLOURS["new"].encode() in busier.data


def test_models_on_bars_have_ends_of_their_own(studio):
    high = {row.name: row.high for row in studio.about().models}
    assert high[DEFAULT_MODEL] == {"rhythm_density": 2.0}
    assert high[DEFAULT_WINDOW_MODEL] == high["melody"] == {}


@pytest.mark.parametrize("format", ["midi", "musicxml", "wav", "json"])
def test_files_are_always_the_same(studio, upload, format):
    asked = ask(upload("bare"), RenderRequest, format=format, set={"rhythm_density": 0.5}, seed=1)
    assert studio.render(asked).data == studio.render(asked).data


@pytest.mark.parametrize("name", ["odd_meta", "coarse", "stuck", "zero_length", "tempo_0", "idle_offs"])
def test_odd_files_are_rendered(studio, upload, name):
    piece = upload(name)
    for faders in ({}, {"move": {"rhythm_density": 0.2}}):
        file = studio.render(ask(piece, RenderRequest, **faders))
        assert b'fadernets {"fadernets":' in file.data
        assert Document("out.mid", file.data).piece.end > 0


def test_a_stamp_goes_into_the_first_track(tmp_path):
    data = PIECES["bare"](tmp_path / "in.mid").read_bytes()
    other = b"XFIH\0\0\0\6..MTrk"
    assert stamped(data[:14] + other + data[14:], "Grüße") == data[:14] + other + stamped(data, "Grüße")[14:]
    long = "x" * 20_000
    assert next(m.text for _, m in events(stamped(data, long))[0] if m.type == "text") == long
