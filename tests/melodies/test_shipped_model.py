"""The melody model that the package ships, on the bundled theme: what must hold with its weights."""

import json

import pytest

from fadernets.codecs import melody_clips, melody_states
from fadernets.engines.melody import MelodyEngine
from fadernets.engines.model_folder import DEFAULT_MELODY_MODEL, bundled
from fadernets.evaluation import melody_paper_figures
from fadernets.melodies.blend_files import blend
from fadernets.melodies.file_edit import edit_melody
from fadernets.melodies.knob_settings import Knobs
from fadernets.music.document import Document

THEME = melody_paper_figures.asset("k265.mid")


@pytest.fixture(scope="module")
def engine():
    return MelodyEngine.open()


def test_it_is_small_and_its_card_names_free_corpora():
    folder = bundled()[DEFAULT_MELODY_MODEL]
    assert sum(file.stat().st_size for file in folder.iterdir()) < 10e6
    card = (folder / "README.md").read_text()
    assert "| pop909 | MIT |" in card
    assert "| lieder | CC0-1.0 |" in card
    assert "under this package's licence (MIT)" in card
    assert json.loads((folder / "model.json").read_text())["recipe"]["corpora"] == []


def test_it_rebuilds_the_theme(engine):
    piece = Document(THEME).piece
    clips = melody_clips.read(piece, melody_clips.choose_track(piece)).clips
    found = engine.decode(engine.encode(clips)).states
    assert (found == clips).mean() > 0.95


@pytest.mark.parametrize("semitones", [-12.0, -3.0, 0.5, 2.0, 7.0])
def test_pitch_of_the_theme(engine, tmp_path, semitones):
    report = edit_melody(engine, THEME, tmp_path / "out.mid", Knobs(pitch=semitones))
    assert report.means["measured"]["pitch"] == pytest.approx(report.means["before"]["pitch"] + semitones, abs=0.25)
    assert report.means["measured"]["onsets"] == 49


@pytest.mark.parametrize(("doublings", "onsets"), [(-1.0, 25), (1.0, 98)])
def test_rhythm_of_the_theme(engine, tmp_path, doublings, onsets):
    report = edit_melody(engine, THEME, tmp_path / "out.mid", Knobs(rhythm=doublings))
    assert report.means["measured"]["onsets"] == pytest.approx(onsets, abs=2)
    assert report.means["measured"]["pitch"] == pytest.approx(report.means["before"]["pitch"], abs=1.5)


def test_the_theme_at_rest(engine, tmp_path):
    edit_melody(engine, THEME, tmp_path / "out.mid", Knobs())
    assert (tmp_path / "out.mid").read_bytes() == THEME.read_bytes()


def test_a_grid_goes_from_the_theme_to_the_sonata(engine):
    cells = blend(engine, (THEME, melody_paper_figures.asset("k545.mid")), (3, 3)).cells
    onsets = [int(melody_states.onsets(cells[1, j].reshape(-1))) for j in range(3)]
    assert onsets == sorted(onsets)
