"""A file of each kind that a document must get through."""

import pytest
from midi_files import PIECES


@pytest.fixture(params=PIECES)
def piece_file(request, tmp_path):
    return PIECES[request.param](tmp_path / "in.mid")
