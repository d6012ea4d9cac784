"""Codes of model folders and runs, and clips of data sets."""

import numpy as np
import pytest
from conftest import make_model, save_run

from fadernets.errors import FadernetsError
from fadernets.evaluation.code_spaces import RealClips, clips_of, code_space


def test_a_folder_and_its_run_have_the_same_codes(songbirds, melodies):
    folder, run, _ = songbirds["whole"]
    exported, trained = code_space(folder), code_space(run)
    assert (exported.name, exported.codec, exported.data) == ("whole", "melody", str(melodies.folder))
    assert (trained.name, trained.codec, trained.data) == ("run-whole", "melody", str(melodies.folder))
    clips = np.asarray(melodies.codes[:5])
    np.testing.assert_allclose(exported.encode(clips), trained.encode(clips), atol=1e-4)


def test_a_bundled_fadernets_has_both_its_codes(segments):
    found = code_space("pop-lieder")
    assert found.codec == "grid"
    assert found.encode(segments[:3]).shape[0] == 3
    assert found.encode(segments[:3]).shape[1] % 2 == 0


def test_what_has_no_codes_to_look_into(songs, tmp_path):
    with pytest.raises(
        FadernetsError, match=r"nothing: neither a bundled model, a model folder nor a run; bundled: .*pop-lieder"
    ):
        code_space("nothing")
    run = save_run(tmp_path / "grid-run", make_model(), songs)
    with pytest.raises(FadernetsError, match="grid-run: a run over grid; export it, or give a run of music-vae"):
        code_space(run)


def test_clips_come_from_a_split_and_then_from_the_others(melodies, songs):
    codes = np.asarray(melodies.codes)
    splits = {s: codes[np.sort(melodies.select(split=s))] for s in ("test", "validation", "train")}
    held_out = clips_of(melodies.folder, "melody", count=12)
    assert np.array_equal(held_out.clips, splits["test"])
    assert held_out.splits == {"test": 12}
    found = clips_of(melodies.folder, "melody", count=24)
    assert len(found.clips) == sum(found.splits.values()) == 24
    assert list(found.splits)[:2] == ["test", "validation"]
    assert {tuple(c) for c in splits["test"].tolist()} <= {tuple(c) for c in found.clips.tolist()}
    every = clips_of(melodies.folder, "melody")
    assert np.array_equal(every.clips, codes)
    assert every.splits == {name: len(clips) for name, clips in splits.items()}
    few, again, other = (clips_of(melodies.folder, "melody", count=5, seed=s).clips for s in (0, 0, 1))
    assert np.array_equal(few, again)
    assert not np.array_equal(few, other)
    assert clips_of(songs.folder, "grid", count=7).clips.shape == (7, 16, 88)
    with pytest.raises(FadernetsError, match="holds grid; this model reads melody"):
        clips_of(songs.folder, "melody")


def test_clips_that_are_alike_count_once():
    found = RealClips(np.array([[1, 2], [1, 2], [2, 1]], np.uint8), "tunes", "abc", {"test": 3})
    assert found.distinct == 2
    said = {"data": "tunes", "hash": "abc", "splits": {"test": 3}, "clips": 3, "distinct": 2}
    assert found.as_dict() == said
