"""Which model a folder holds, and edits by either kind through the command line, the Python API and the studio."""

import json
import shutil
from pathlib import Path

import pytest
from midi_files import PIECES
from rule_rewriter import RuleRewriter, folder_of_rule

import fadernets
from fadernets.decoding.edit_models import Rewriter, kind_of, open_edit_model
from fadernets.engines.grid import Engine
from fadernets.engines.model_folder import DEFAULT_WINDOW_MODEL, ModelError, find_folder
from fadernets.errors import FadernetsError
from fadernets.studio.edit_types import EditRequest
from fadernets.studio.service import Studio


@pytest.fixture
def rule(tmp_path, monkeypatch):
    return folder_of_rule(tmp_path / "rule", monkeypatch)


def test_a_model_without_a_kind_is_of_windows():
    assert kind_of(DEFAULT_WINDOW_MODEL) == "windows"
    assert isinstance(open_edit_model(DEFAULT_WINDOW_MODEL), Engine)


def test_a_folder_of_another_kind_says_what_is_known(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"format": 2, "kind": "oracle"}))
    with pytest.raises(ModelError, match="'oracle'; known are windows, rewriter"):
        open_edit_model(tmp_path)


def test_the_kind_chooses_the_model(rule):
    assert kind_of(rule) == "rewriter"
    assert isinstance(open_edit_model(rule), RuleRewriter)


def test_a_rewriter_moves_both_densities():
    size = {"width": 4, "heads": 1, "decoder": 1}
    model = Rewriter(Path(), {"name": "r", "sha256": {}, "size": size})
    assert list(model.coded) == ["rhythm_density", "note_density"]


def test_a_rewriter_is_no_model_of_windows(rule):
    with pytest.raises(ModelError, match="rewrites passages"):
        Engine.open(rule)
    with pytest.raises(FadernetsError, match="model rule: rewrites passages"):
        fadernets.mix([[0, 1, 60, 80]], [[0, 1, 60, 80]], model=rule)


def test_command_line_and_api_take_either_kind(tmp_path, rule, run_here):
    source = PIECES["waltz"](tmp_path / "in.mid")
    code, out, err = run_here(
        "apply", source, tmp_path / "out.mid", "--model", rule, "--move", "rhythm-density=0.1", "--bars", "2", "--json"
    )
    assert (code, err) == (0, [])
    report = json.loads(out)
    assert report["model"] == "rule"
    assert [s["bar"] for s in report["segments"] if s["asked"]["rhythm_density"] is not None] == [2]
    made = fadernets.edit(source, move={"rhythm_density": 0.1}, bars=[(2, 2)], model=rule)
    assert made.data == (tmp_path / "out.mid").read_bytes()
    assert made.report.as_dict() == report
    code, out, _ = run_here("measure", source, "--model", rule, "--json")
    measured = json.loads(out)
    assert measured == fadernets.measure(source, model=rule)
    assert [s["bar"] for s in measured["segments"]] == list(range(1, len(measured["segments"]) + 1))
    assert all(s["arousal"] is None for s in measured["segments"])


def test_the_studio_takes_either_kind(tmp_path, rule):
    studio = Studio({"rule": rule})
    piece = studio.uploads.add("waltz.mid", PIECES["waltz"](tmp_path / "in.mid").read_bytes()).id
    info = studio.piece(piece, "rule")
    assert [(s.start, s.end) for s in info.segments] == list(zip(info.bars, info.bars[1:], strict=False))
    faders = {"move": {"rhythm_density": 0.1}}
    for draft in (False, True):
        answer = studio.edit(EditRequest(piece=piece, model="rule", faders=faders, draft=draft))
        assert len(answer.segments) == len(info.segments)
        assert answer.log_odds is None
    with pytest.raises(FadernetsError, match="no codes to inspect"):
        studio.inspect.map("rule")


def test_locks_reach_the_edit_from_every_side(tmp_path, rule, run_here):
    source = PIECES["two_hands"](tmp_path / "in.mid")
    options = ["--move", "note-density=0.5", "--keep", "melody:1-4", "--keep", "bass", "--only", "right"]
    code, _, err = run_here("apply", source, tmp_path / "out.mid", "--model", rule, *options)
    assert (code, [line for line in err if "rule" not in line and "segments" not in line]) == (0, [])
    data = (tmp_path / "out.mid").read_bytes()
    keep = ["melody:1-4", "bass"]
    made = fadernets.edit(source, move={"note_density": 0.5}, keep=keep, only="right", model=rule)
    assert made.data == data
    assert fadernets.edit(source, move={"note_density": 0.5}, model=rule).data != data
    studio = Studio({"rule": rule})
    piece = studio.uploads.add("in.mid", source.read_bytes()).id
    faders = {"move": {"note_density": 0.5}, "keep": keep, "only": "right"}
    answer = studio.edit(EditRequest(piece=piece, model="rule", faders=faders))
    assert answer.notes.onset == made.document.piece.notes["onset"].tolist()
    with pytest.raises(FadernetsError, match="keep tune: expected melody, bass"):
        studio.edit(EditRequest(piece=piece, model="rule", faders={"keep": ["tune"]}))


@pytest.mark.parametrize("size", [None, [], {}, {"width": "x", "heads": 4, "decoder": 4}, {"width": 256, "heads": 0}])
def test_a_rewriter_whose_size_is_damaged_is_refused(tmp_path, size):
    folder = shutil.copytree(find_folder("rewriter"), tmp_path / "damaged")
    info = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**info, "size": size}))
    with pytest.raises(ModelError, match="is damaged"):
        open_edit_model(folder)
