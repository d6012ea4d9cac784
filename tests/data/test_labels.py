"""Classes of labels: edges in pairs, columns of a data set, a user's file."""

import numpy as np
import pytest

from fadernets.attributes.tension import tension
from fadernets.data import labels
from fadernets.errors import FadernetsError


def test_two_classes_are_those_of_the_paper():
    values = np.array([-1, -0.11, -0.1, 0, 0.1, 0.11, 1, np.nan], np.float32)
    assert labels.classes_of(values).tolist() == [0, 0, -1, -1, -1, 1, 1, -1]


def test_any_number_of_classes():
    """The values between the two edges of a pair have no class; a pair of equal edges leaves out that value alone."""
    edges = (-0.5, -0.3, 0.2, 0.2)
    assert labels.count(edges) == 3
    values = np.array([-0.6, -0.5, -0.4, -0.29, 0.19, 0.2, 0.21, np.nan], np.float64)
    assert labels.classes_of(values, edges).tolist() == [0, -1, -1, 1, 1, -1, 2, -1]
    assert labels.classes_of(np.array([3.0, 5.0]), (4, 4)).tolist() == [0, 1]


@pytest.mark.parametrize("edges", [(), (0.1,), (0.1, -0.1), (-1, 0, 0.5, 0.2), (0, 1, 2)])
def test_edges_that_make_no_classes(edges):
    with pytest.raises(FadernetsError, match="are pairs that rise"):
        labels.count(edges)


def test_columns_of_a_data_set(rated):
    assert (labels.classes(rated) == labels.classes_of(np.asarray(rated.arousal))).all()
    assert (labels.classes(rated, "valence", (0, 0)) == labels.classes_of(np.asarray(rated.valence), (0, 0))).all()
    with pytest.raises(FadernetsError, match="label 'joy': name arousal, valence or tension, or FILE"):
        labels.classes(rated, "joy")


def test_tension_is_measured_in_every_segment(songs, monkeypatch):
    monkeypatch.setattr(labels, "AT_ONCE", 100)
    found = labels.values(songs, "tension")
    np.testing.assert_allclose(found, tension(songs.cells(np.arange(len(songs)))), rtol=1e-6)
    low, high = np.quantile(found, [1 / 3, 2 / 3])
    assert set(labels.classes(songs, "tension", (low, low, high, high))) == {0, 1, 2}


def test_names_of_labels_and_of_classes():
    assert [labels.name_of(label) for label in ("arousal", "my.csv:joy", "/a:b/my.csv: joy ")] == [
        "arousal",
        "joy",
        "joy",
    ]
    assert labels.class_names(2) == ("low", "high")
    assert labels.class_names(3) == ("low", "middle", "high")
    assert labels.class_names(5) == ("1", "2", "3", "4", "5")


def test_a_file_of_the_user_s(rated, tmp_path):
    piece = rated.manifest["pieces"][int(rated.piece[3])]["id"]
    path = tmp_path / "joy.csv"
    path.write_text(f"piece,index,joy,note\n{piece},{int(rated.index[3])},0.7,hm\n{piece},9999,0.1,\n")
    found = labels.values(rated, f"{path}:joy")
    assert found[3] == pytest.approx(0.7)
    assert np.isfinite(found).sum() == 1
    assert labels.classes(rated, f"{path}:joy", (0.5, 0.5))[3] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("piece,index\n", "has no column"),
        ("piece,index,mood\nx,1,2\n", "has no column 'joy'"),
        ("piece,index,joy\nnobody,1,2\n", "line 2: piece 'nobody' is not in"),
        ("piece,index,joy\n{piece},one,2\n", "line 2: index and joy must be numbers"),
        ("piece,index,joy\n{piece},1\n", "line 2: index and joy must be numbers"),
    ],
)
def test_files_that_cannot_be_used(rated, tmp_path, text, message):
    path = tmp_path / "joy.csv"
    path.write_text(text.format(piece=rated.manifest["pieces"][0]["id"]))
    with pytest.raises(FadernetsError, match=message) as error:
        labels.values(rated, f"{path}:joy")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(rated, tmp_path):
    with pytest.raises(FadernetsError, match="cannot be read"):
        labels.values(rated, f"{tmp_path / 'none.csv'}:joy")
