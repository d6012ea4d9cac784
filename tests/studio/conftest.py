"""The studio on the shipped models, for the tests of its rooms."""

import pytest
from midi_files import ODDITIES, PIECES

from fadernets.studio.service import Studio


@pytest.fixture(scope="module")
def studio():
    return Studio()


@pytest.fixture(scope="module")
def upload(studio, tmp_path_factory):
    """A name of PIECES -> the id of that piece, uploaded."""
    folder = tmp_path_factory.mktemp("pieces")

    def upload(name):
        data = (PIECES | ODDITIES)[name](folder / f"{name}.mid").read_bytes()
        return studio.uploads.add(f"{name}.mid", data).id

    return upload
