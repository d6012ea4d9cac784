"""What the tests of the commands share."""

import pytest
from midi_files import PIECES


@pytest.fixture
def run(run_here):
    return run_here


@pytest.fixture
def piece(tmp_path):
    return PIECES["two_hands"](tmp_path / "in.mid")


@pytest.fixture
def melody_run(melodies, tmp_path):
    from conftest import save_run

    from fadernets.models import build

    model = build("music-vae", {"z": 4, "encoder": 6, "decoder": 8, "embedding": 5}, "melody")
    return save_run(tmp_path / "runs" / "tune", model, melodies, name="music-vae", label_share=0.0)
