"""Disentanglement by augmentation on an encoder that is linear in what the augmentations change."""

import numpy as np
import pytest
from conftest import make_clip

from fadernets import inspection, melody
from fadernets.errors import FadernetsError
from fadernets.inspection import AUGMENTATIONS, Augmentation, inspect

TABLE = AUGMENTATIONS["melody"]
PITCH = np.array([0.0, 0.5, 0.0, 0.0, -0.25, 0.0])  # change of z by a semitone
RHYTHM = np.array([0.0, 0.0, 1.0, 0.001, 0.0, 0.0])  # by a doubling of onsets


def linear(clips):
    """z = mean pitch and doublings along a way each, and noise that says where a clip is, the same whatever moves."""
    pitch, count = np.nan_to_num(melody.mean_pitch(clips)), np.log2(np.maximum(melody.onsets(clips), 1))
    return pitch[:, None] * PITCH + count[:, None] * RHYTHM


@pytest.fixture
def clips():
    return inspection.whole_notes(48, 60)


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
    found = inspect(linear, clips, own(up, (1.0, 2.0, 3.0), far=TABLE["pitch"].far))
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
        (lambda x, a: x.no_such_thing, "AttributeError: 'numpy.ndarray' object has no attribute"),
        (lambda x: x, "TypeError"),
        (lambda x, a: x, "changes no clip's code; there is nothing to inspect"),
    ],
)
def test_a_function_that_does_not_fit(clips, change, message):
    with pytest.raises(FadernetsError, match=f"^augmentation own: .*{message}"):
        inspect(linear, clips, own(change, highest=melody.REST))


def test_what_a_clip_holds_at_most():
    assert inspection.HIGHEST == {"melody": 129, "grid": 2}
    assert own(None).highest == 255


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"cannot be read \(No such file or directory\)"),
        ("def augment(clips, amount:", "SyntaxError: "),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('no')", "SystemExit: no"),
        ("def change(clips, amount): return clips", r"has no function augment\(clips, amount\)"),
        ("augment = 3", "has no function augment"),
        ("AMOUNTS = 3\ndef augment(clips, amount): ...", r"AMOUNTS are numbers other than 0, such as \(1, 2, 4\)"),
        ("AMOUNTS = ()\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
        ("AMOUNTS = 1, 0\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
        ("AMOUNTS = 1, float('nan')\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
        ("AMOUNTS = 1, 'two'\ndef augment(clips, amount): ...", "AMOUNTS are numbers"),
    ],
)
def test_a_file_of_the_user_s_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(FadernetsError, match=rf"mine\.py: .*{message}"):
        inspection.own_augmentation(path)
