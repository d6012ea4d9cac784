"""The demonstration writes what the README says, and its table shows what the files hold."""

from __future__ import annotations

import pytest

from fadernets.decoding.edit_models import open_edit_model
from fadernets.editing import file_edit
from fadernets.errors import FadernetsError
from fadernets.rendering import demonstration


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return demonstration.make(tmp_path_factory.mktemp("demo") / "out")


def test_original_and_three_edits_as_midi_wav_and_pictures(made):
    names = {path.name for path in made.folder.iterdir()}
    edits = [f"k545-{name}" for name in demonstration.EDITS]
    expected = {f"{name}.{kind}" for name in ["k545", *edits] for kind in ("mid", "wav")}
    assert names == expected | {f"{name}.png" for name in edits}


def test_the_edits_differ_from_the_source_in_the_asked_direction(made):
    def change(name: str, attribute: str) -> float:
        rows = made.reports[name].segments
        return sum(row.measured[attribute] - row.before[attribute] for row in rows) / len(rows)

    assert len(made.reports["busier"].segments) >= 16
    assert change("busier", "rhythm_density") > 0
    assert change("busier", "note_density") > 0
    assert change("sparser", "rhythm_density") < 0
    assert change("sparser", "note_density") < 0


def test_measured_is_what_the_files_hold(made):
    found = file_edit.measure(open_edit_model(), made.folder / "k545-busier.mid")
    for row, again in zip(made.reports["busier"].segments, found["segments"], strict=True):
        assert row.measured == {name: again[name] for name in row.measured}


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FadernetsError, match="cannot be made"):
        demonstration.make(tmp_path / "file" / "out")


def test_the_table_has_every_bar_of_every_edit(made):
    lines = made.table().splitlines()
    assert sum(line.startswith(tuple(f"{name}:" for name in demonstration.EDITS)) for line in lines) == len(
        demonstration.EDITS
    )
    assert sum(line.lstrip()[:2].strip().isdigit() for line in lines) == 28 * len(demonstration.EDITS)
