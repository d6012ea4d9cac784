"""Augmentations: the table's rows on cases worked by hand, and a user's own function."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import make_clip, make_song
from linear_codes import PITCH, linear

from fadernets.codecs import grid, melody_states
from fadernets.codecs.melody_states import HOLD, REST
from fadernets.errors import FadernetsError
from fadernets.melodies import augmentations, inspection
from fadernets.melodies.augmentations import AUGMENTATIONS, Augmentation
from fadernets.melodies.inspection import inspect

TABLE = AUGMENTATIONS["melody"]


@pytest.fixture
def music():
    rng = np.random.default_rng(3)
    return np.stack([make_clip(rng) for _ in range(40)])


def own(change, amounts=(1.0,), **more):
    return Augmentation("own", change, amounts, "amount", **more)


# A function of the user's


def test_a_function_may_change_what_it_is_given(clips):
    """Clips stay those of the data set, for the next amount and for how far each went."""

    def up(x, amount):
        x[x < 128] += int(amount)
        return x

    before = clips.copy()
    found = inspect(linear, clips, own(up, (1.0, 2.0, 3.0), distance=TABLE["pitch"].distance))
    assert np.array_equal(clips, before)
    np.testing.assert_allclose(found.mean, np.outer([1, 2, 3], PITCH), atol=1e-9)
    assert found.scale.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, a: x[:1], r"gave \(1, 32\) of uint8; numbers \(169, 32\) are needed"),
        (lambda x, a: x.astype(str), r"gave \(169, 32\) of <U3; numbers"),
        (lambda x, a: [object()], r"gave \(1,\) of object"),
        (lambda x, a: None, "of object; numbers"),
        (lambda x, a: x.astype(int) + 130, r"gave 178\.\.258; 0\.\.129 are what a clip can hold"),
        (lambda x, a: x.astype(int) - 100, r"gave -52\.\.28; 0\.\.129"),
        (lambda x, a: x * np.nan, r"gave nan\.\.nan; 0\.\.129"),
        (lambda x, a: x + 0.5 * (x < 100), "gave numbers that are not whole"),
        (lambda x, a: sys.exit(3), "SystemExit: 3"),
        (lambda x, a: x.no_such_thing, "AttributeError: 'numpy.ndarray' object has no attribute"),
        (lambda x: x, "TypeError"),
        (lambda x, a: x, "changes no clip's code; there is nothing to inspect"),
    ],
)
def test_a_function_that_does_not_fit(clips, change, message):
    with pytest.raises(FadernetsError, match=f"^augmentation own: .*{message}"):
        inspect(linear, clips, own(change, highest=melody_states.REST))


def test_what_a_clip_holds_at_most():
    assert augmentations.HIGHEST == {"melody": 129, "grid": 2}
    assert own(None).highest == 255


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"cannot be read \(No such file or directory\)"),
        ("def augment(clips, amount:", r"SyntaxError: line 1: '\(' was never closed$"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('no')", "SystemExit: no"),
        ("def change(clips, amount): return clips", r"has no function augment\(clips, amount\)"),
        ("augment = 3", "has no function augment"),
        ("AMOUNTS = 3\ndef augment(clips, amount): ...", r"AMOUNTS are numbers other than 0, such as \(1, 2, 4\)"),
        ("AMOUNTS = ()\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
        ("AMOUNTS = 1, 0\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
        ("AMOUNTS = 1, float('nan')\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
        ("AMOUNTS = 1, 'two'\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
        ("NAME = 'a/b'\ndef augment(clips, amount): ...", r"NAME 'a/b' must serve in a file's name: 1\.\.200 bytes"),
        ("NAME = ' '\ndef augment(clips, amount): ...", "NAME ' ' must serve"),
        ("NAME = 'a\\n'\ndef augment(clips, amount): ...", "NAME 'a.*' must serve"),
        ("NAME = 'x' * 201\ndef augment(clips, amount): ...", "must serve"),
    ],
)
def test_a_file_of_the_user_s_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(FadernetsError, match=rf"mine\.py: .*{message}"):
        augmentations.load_augmentation(path)


def test_a_file_of_the_user_s(tmp_path, clips):
    path = tmp_path / "octaves.py"
    path.write_text("def augment(clips, amount):\n    return clips + 12 * int(amount) * (clips < 128)\n")
    row = augmentations.load_augmentation(path)
    assert (row.name, row.amounts, row.unit, row.distance) == ("octaves", (1.0,), "amount", None)
    found = inspect(linear, clips, row)
    np.testing.assert_allclose(found.direction, 12 * PITCH, atol=1e-9)
    path.write_text(path.read_text() + "AMOUNTS = [1, '2', 3]\nNAME = 'up'\n")
    row = augmentations.load_augmentation(path)
    assert (row.name, row.amounts) == ("up", (1.0, 2.0, 3.0))
    np.testing.assert_allclose(inspect(linear, clips, row).mean, np.outer([12, 24, 36], PITCH), atol=1e-9)


# Clips and augmentations


def test_all_pairs_of_two_whole_notes():
    found = augmentations.whole_notes(60, 62)
    assert found.shape == (9, 32)
    assert sorted(map(tuple, found[:, [0, 16]].tolist())) == [(a, b) for a in (60, 61, 62) for b in (60, 61, 62)]
    assert (np.delete(found, [0, 16], axis=1) == HOLD).all()


def test_amounts_on_real_clips(music):
    """How far a clip went is measured on it: short notes cannot be split in four, and a merged one goes down."""
    _, scale = inspection.deltas(linear, music, replace(TABLE["rhythm"], amounts=(0.5, 2.0, 4.0)))
    for row, amount in zip(scale, (0.5, 2.0, 4.0), strict=True):
        after = augmentations._share_of_notes(music, amount)
        np.testing.assert_allclose(row, np.log2(melody_states.onsets(after) / melody_states.onsets(music)))
    assert (scale[0] <= 0).all()
    assert (scale[2] >= scale[1]).all()
    assert (scale[2] < 2).any()
    _, scale = inspection.deltas(linear, music, TABLE["pitch"])
    np.testing.assert_allclose(scale, np.tile(np.arange(1, 13)[:, None], (1, len(music))), atol=1e-9)
    silent = np.full((2, 32), REST, np.uint8)
    moved, scale = inspection.deltas(linear, silent, TABLE["pitch"])
    assert (scale == 0).all()
    assert (moved == 0).all()


def cells_of(*rows):
    return grid.from_notes(np.array(sorted(rows)))


def rows_of(cells):
    return sorted(map(tuple, grid.decode(cells).tolist()))


def test_segments_are_transposed():
    cells = np.stack([cells_of((0, 4, 60), (0, 8, 64), (-1, 3, 30)), cells_of((2, 3, 21), (4, 16, 108))])
    up = augmentations.transpose_cells(cells, 3.0)
    assert rows_of(up[0]) == [(-1, 3, 33), (0, 4, 63), (0, 8, 67)]
    assert rows_of(up[1]) == [(2, 3, 24), (4, 16, 99)]  # an octave back
    assert rows_of(augmentations.transpose_cells(cells, -13)[1]) == [(2, 3, 32), (4, 16, 95)]
    assert rows_of(augmentations.transpose_cells(cells, 25)[1]) == [(2, 3, 46), (4, 16, 97)]
    assert np.array_equal(augmentations.transpose_cells(cells, 0), cells)


def test_notes_of_segments_are_split():
    cells = cells_of((0, 4, 60), (0, 8, 64), (-1, 4, 30), (5, 6, 60), (8, 11, 60))[None]
    assert rows_of(augmentations.split_cells(cells, 2.0)[0]) == [
        (-1, 4, 30), (0, 2, 60), (0, 4, 64), (2, 4, 60), (4, 8, 64), (5, 6, 60), (8, 10, 60), (10, 11, 60)
    ]  # fmt: skip
    assert rows_of(augmentations.split_cells(cells, 8.0)[0])[:3] == [(-1, 4, 30), (0, 1, 60), (0, 1, 64)]


def test_how_far_segments_went():
    rng = np.random.default_rng(4)
    segments = make_song(rng, 12)
    segments[3] = 0
    rows = AUGMENTATIONS["grid"]
    for amount in (1.0, 7.0):
        after = augmentations.apply_augmentation(segments, rows["pitch"], amount)
        far = rows["pitch"].distance(segments, after)
        assert far[3] == 0
        np.testing.assert_allclose(np.delete(far, 3), amount, atol=1e-9)
    after = augmentations.apply_augmentation(segments, rows["rhythm"], 2.0)
    onsets = [(cells == grid.ONSET).sum((1, 2)) for cells in (segments, after)]
    far = rows["rhythm"].distance(segments, after)
    np.testing.assert_allclose(2 ** far[onsets[0] > 0], (onsets[1] / np.maximum(onsets[0], 1))[onsets[0] > 0])
    assert far[3] == 0
    assert far.max() > 0.3
