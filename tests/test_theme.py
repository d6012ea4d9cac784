"""The bundled theme is what its script writes, and what a public encoding of the piece has."""

import os
import sys
from pathlib import Path

import pytest

from fadernets.music.document import Document
from fadernets.music.reader import read

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
import make_theme

STEP = 120  # ticks


def heads(piece, bars=24):
    notes = piece.notes[piece.notes["onset"] < bars * 8 * STEP]
    return {(int(a) // STEP, round(int(b - a) / STEP), int(p)) for a, b, p in notes[["onset", "end", "pitch"]].tolist()}


def test_the_bundled_theme_is_what_the_script_writes(tmp_path):
    make_theme.piece().save(tmp_path / "k265.mid")
    assert (tmp_path / "k265.mid").read_bytes() == make_theme.ASSET.read_bytes()


def test_every_bar_is_full_and_the_tune_is_the_known_one():
    piece = Document(make_theme.ASSET).piece
    assert piece.end == 24 * 8 * STEP - 10
    melody = piece.notes["pitch"][piece.notes["track"] == 0].tolist()
    assert melody[:14] == [72, 72, 79, 79, 81, 81, 79, 79, 77, 77, 76, 76, 74, 74]


@pytest.mark.shared
def test_the_theme_is_the_one_of_a_public_encoding():
    found = next((Path(os.environ["FADERNETS_DATA"]) / "tavern_k265").rglob("K265.mid"))
    assert heads(read(found)) == heads(Document(make_theme.ASSET).piece)
