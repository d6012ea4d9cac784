"""The table of codecs: what each row says, and what a row of another package can be."""

from dataclasses import replace

import numpy as np
import pytest

from fadernets.codecs import base, grid, performance_tokens
from fadernets.codecs.base import CODECS, find, imported, is_melodic
from fadernets.errors import FadernetsError


@pytest.fixture
def registered():
    """A made-up codec in the table."""
    row = replace(CODECS["grid"], name="wax")
    base.register(row)
    yield row
    del CODECS["wax"]


def test_rows_are_found_by_name_and_print_as_it():
    assert list(CODECS) == ["grid", "tokens", "melody"]
    for name, row in CODECS.items():
        assert find(name) is find(row) is row
        assert str(row) == f"{row}" == name


def test_an_unknown_codec_is_refused_with_those_there_are():
    with pytest.raises(FadernetsError, match="codec 'wax' is not known; allowed: grid, tokens, melody"):
        find("wax")


def test_a_row_is_registered_once(registered):
    assert find("wax") is registered
    with pytest.raises(ValueError, match="wax"):
        base.register(registered)


@pytest.mark.parametrize(
    ("name", "melodic"), [("melody", True), ("grid", False), ("wax", False), (None, False), (3, False)]
)
def test_only_the_name_of_a_melodic_codec_is_one(name, melodic):
    assert is_melodic(name) is melodic


@pytest.mark.parametrize("row", CODECS.values(), ids=str)
def test_everything_that_a_row_names_is_there(row):
    assert callable(imported(row.segmenter))
    for name in (row.batches, row.coding, row.engine):
        assert name is None or imported(name) is not None
    assert (row.batches is None) == (row.coding is None) == row.melodic


def test_lengths_and_cells_of_codes():
    cells = grid.from_notes(np.array([(0, 4, 60), (4, 16, 64)]))[None]
    packed = grid.pack(cells)
    assert find("grid").lengths(packed).tolist() == [16]
    np.testing.assert_array_equal(find("grid").unpack(packed, None), cells)
    notes = np.array([(0.0, 0.5, 60, 80)], performance_tokens.SECONDS_NOTE)
    code = performance_tokens.encode(notes, end=2.0)
    rows = np.full((1, 100), performance_tokens.PAD, np.uint16)
    rows[0, : len(code)] = code
    tokens = find("tokens")
    assert tokens.lengths(rows).tolist() == [len(code)]
    assert (rows == tokens.end).sum() == 1
    np.testing.assert_array_equal(tokens.unpack(rows, np.array([2.0])), grid.from_notes(np.array([(0, 4, 60)]))[None])
    with pytest.raises(ValueError, match="seconds of each segment are needed"):
        tokens.unpack(rows, None)
    assert find("melody").unpack is None
