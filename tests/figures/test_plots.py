"""The figures' drawing: maps that come again for a seed, and files that say the same each time they are written."""

import struct
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from fadernets.errors import FadernetsError
from fadernets.figures import plots
from fadernets.figures.plots import Panel

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def blobs():
    """[120, 8] two far groups, and which segment is of which."""
    rng = np.random.default_rng(0)
    second = np.arange(120) % 2 == 1
    return rng.normal(0, 1, (120, 8)) + 20 * second[:, None], second


@pytest.fixture(scope="module")
def points(blobs):
    return plots.tsne(blobs[0], seed=3)


def size_of(png):
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def words(svg):
    """The texts of an SVG: their letters are shapes, each text behind a comment of what it says."""
    root = ElementTree.fromstring(svg.read_text())
    assert root.tag == f"{SVG}svg"
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    tree = ElementTree.fromstring(svg.read_text(), parser)
    return {e.text.strip() for e in tree.iter(ElementTree.Comment)}


def count(path, colour):
    """Pixels of that colour on white, drawn at full strength or thinned."""
    image = imread(path)[..., :3]
    thin = 1 - 0.6 * (1 - np.array(to_rgb(colour)))
    return sum(int((np.abs(image - c).max(-1) < 0.02).sum()) for c in (np.array(to_rgb(colour)), thin))


def panels(blobs, points):
    codes, second = blobs
    return [
        [
            Panel("rhythm: rhythm density", points, codes[:, 0], unit="onset steps a sixteenth"),
            Panel("rhythm: $z^d$", points, codes[:, 1]),
            Panel("rhythm: inferred arousal", points, second, clusters=True),
        ],
        [Panel("z: inferred arousal", points, second, clusters=True)],
    ]


# t-SNE


def test_a_map_comes_again_for_its_seed(blobs, points):
    assert points.shape == (120, 2)
    assert np.isfinite(points).all()
    np.testing.assert_array_equal(plots.tsne(blobs[0], seed=3), points)
    assert np.isfinite(plots.tsne(blobs[0].astype(np.float32))).all()


def test_far_groups_stay_apart(blobs, points):
    second = blobs[1]
    a, b = points[~second], points[second]
    apart = np.linalg.norm(a.mean(0) - b.mean(0))
    assert apart > 2 * max(np.linalg.norm(x - x.mean(0), axis=1).max() for x in (a, b))


# Scatters


def test_scatters_of_rows_that_are_not_equally_long(blobs, points, tmp_path):
    plots.scatters(panels(blobs, points), [tmp_path / "a.png", tmp_path / "a.svg"], "All codes")
    assert size_of(tmp_path / "a.png") == (3 * 660, 2 * 540)
    found = words(tmp_path / "a.svg")
    assert {"All codes", "rhythm: rhythm density", "onset steps a sixteenth", "z: inferred arousal"} <= found
    assert {"low arousal", "high arousal"} <= found
    image = imread(tmp_path / "a.png")[..., :3]
    assert (image[650:, 700:] == 1).all()  # no panel stands there, and no empty frame
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "a.svg"]


def test_clusters_are_told_apart_by_colour_and_by_shape(blobs, points, tmp_path):
    second = blobs[1]
    for name, values in (("both", second), ("low", np.zeros(120, bool)), ("high", np.ones(120, bool))):
        plots.scatters([[Panel("c", points, values, clusters=True)]], [tmp_path / f"{name}.png"])
    shares = {
        name: [count(tmp_path / f"{name}.png", colour) for colour in (plots.LOW, plots.HIGH)]
        for name in ("both", "low", "high")
    }
    assert shares["both"][0] > 1000
    assert shares["both"][1] > 1000
    assert 5 * shares["low"][1] < shares["both"][1] < shares["high"][1]
    assert 5 * shares["high"][0] < shares["both"][0] < shares["low"][0]
    plots.scatters([[Panel("c", points, second, clusters=True)]], [tmp_path / "c.svg"])
    groups = [
        g
        for g in ElementTree.fromstring((tmp_path / "c.svg").read_text()).iter(f"{SVG}g")
        if g.get("id", "").startswith("PathCollection")
    ]
    marks = [[use.get("{http://www.w3.org/1999/xlink}href") for use in g.iter(f"{SVG}use")] for g in groups]
    assert [len(m) for m in marks] == [60, 60, 1, 1]  # two clusters, and the legend's two
    assert not set(marks[0]) & set(marks[1])


def test_a_point_lies_where_its_map_says(tmp_path):
    """Left to right and bottom to top: the lone one of the high cluster is at the top right."""
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    one = Panel("c", corners, np.array([0, 0, 0, 1]), clusters=True)
    plots.scatters([[one]], [tmp_path / "c.png"])
    image = imread(tmp_path / "c.png")[..., :3]
    thin = 1 - 0.6 * (1 - np.array(to_rgb(plots.HIGH)))
    rows, columns = np.nonzero(np.abs(image[:460] - thin).max(-1) < 0.02)  # above the legend
    assert len(rows) > 20
    assert rows.max() < 150
    assert columns.min() > 500


def test_few_points_are_drawn_larger_than_many(blobs, tmp_path):
    few, many = np.random.default_rng(0).normal(size=(60, 2)), np.random.default_rng(0).normal(size=(3000, 2))
    sizes = []
    for i, some in enumerate((few, many)):
        plots.scatters([[Panel("c", some, np.zeros(len(some)), clusters=True)]], [tmp_path / f"{i}.png"])
        sizes.append(count(tmp_path / f"{i}.png", plots.LOW) / len(some))
    assert sizes[0] > 3 * sizes[1]


# Curves


def test_curves_of_shares(tmp_path):
    x = [0, 0.5, 1]
    lines = {"agreement": [0.5, 0.7, 0.8], "identity": [1, 0.6, 0.4]}
    bands = {"agreement": ([0.4, 0.6, 0.7], [0.6, 0.8, 0.9])}
    paths = [tmp_path / "c.png", tmp_path / "c.svg"]
    plots.curves(x, lines, paths, title="Transfer", label="strength", bands=bands)
    assert size_of(paths[0]) == (975, 720)
    found = words(paths[1])
    assert {"Transfer", "strength", "agreement", "identity", "agreement, 95 % interval"} <= found
    assert {"0.0", "1.0"} <= found  # the whole range of a share
    plots.curves(x, lines, paths, title="Transfer", label="strength")
    assert "agreement, 95 % interval" not in words(paths[1])


def test_runs_behind_a_mean_are_rings_of_its_colour(tmp_path):
    lines, paths = {"agreement": [0.5, 0.6]}, [tmp_path / "c.png", tmp_path / "d.png"]
    plots.curves([0, 1], lines, paths[:1], title="", label="")
    plots.curves([0, 1], lines, paths[1:], title="", label="", runs={"agreement": [[0.1, 0.9], [0.2, 0.8, 0.8]]})
    plain, ringed = (count(path, plots.COLOURS[0]) for path in paths)
    assert ringed > plain + 20


def test_each_line_has_its_own_colour(tmp_path):
    lines = {name: [i / 5, i / 5 + 0.1] for i, name in enumerate("abcd", start=1)}
    plots.curves([0, 1], lines, [tmp_path / "c.png"], title="", label="")
    assert all(count(tmp_path / "c.png", colour) > 300 for colour in plots.COLOURS)
    assert len(set(plots.COLOURS)) == 4


# Files


def test_the_same_figure_is_the_same_file(blobs, points, tmp_path):
    written = []
    for _ in range(2):
        paths = [tmp_path / f"{name}.{kind}" for name in ("scatters", "curves") for kind in ("png", "svg")]
        plots.scatters(panels(blobs, points), paths[:2], "T")
        plots.curves([0, 1], {"a": [0, 1]}, paths[2:], title="T", label="x", bands={"a": ([0, 0.9], [0.1, 1])})
        written.append([path.read_bytes() for path in paths])
    assert written[0] == written[1]
    assert b"Date" not in written[0][0] + written[0][2]
    assert b"<dc:date>" not in written[0][1] + written[0][3]


def test_a_folder_that_is_not_there_is_one_error(tmp_path):
    with pytest.raises(FadernetsError, match=r"c\.png: cannot be written"):
        plots.curves([0, 1], {"a": [0, 1]}, [tmp_path / "none" / "c.png"], title="", label="")


# Figures 2 to 4 of the NIME paper


def test_the_changes_of_dimensions(tmp_path):
    paths = [tmp_path / f"a.{kind}" for kind in ("png", "svg")]
    lines = {"1": [0.5, 0.2, 0.1], "12": [3.0, 1.0, 0.5]}
    look = {"title": "pitch: mean change", "legend": "semitones", "threshold": 0.9}
    plots.dimensions([41, 7, 100], lines, paths, **look)
    assert size_of(paths[0]) == (975, 630)
    said = words(paths[1])
    assert {"41", "7", "100", "1", "12", "semitones", "threshold", "pitch: mean change", "latent dimension"} <= said
    plots.dimensions([41, 7, 100], lines, [tmp_path / "b.svg"], **look)
    assert (tmp_path / "b.svg").read_bytes() == paths[1].read_bytes()
    plots.dimensions([41, 7, 100], lines, [tmp_path / "c.svg"], **{**look, "threshold": 2.0})
    assert (tmp_path / "c.svg").read_bytes() != paths[1].read_bytes()
    plots.dimensions([0], {"1": [0.0]}, [tmp_path / "one.png"], **look)  # one amount of one dimension


def test_a_name_of_the_user_s_is_no_formula(tmp_path):
    plots.dimensions([0], {"1": [0.1]}, [tmp_path / "a.svg"], title="$\\frac$", legend="amount", threshold=0.05)
    plots.variances([1.0, 0.5], 2, [tmp_path / "b.svg"], title="$x$ and $y")
    assert "$\\frac$" in words(tmp_path / "a.svg")
    assert "$x$ and $y" in words(tmp_path / "b.svg")


def test_the_variances_of_components(tmp_path):
    paths = [tmp_path / f"a.{kind}" for kind in ("png", "svg")]
    values = [9.0, 4.0, 1.0, 0.1]
    plots.variances(values, 3, paths, title="melody: variance of 4 components")
    assert size_of(paths[0]) == (975, 570)
    assert {"99 % in 3", "melody: variance of 4 components", "component", "variance"} <= words(paths[1])
    plots.variances(values, 2, [tmp_path / "b.png"], title="melody: variance of 4 components")
    first, second = (imread(path)[..., :3] for path in (paths[0], tmp_path / "b.png"))
    columns = np.nonzero((first != second).any(-1))[1]
    assert np.ptp(columns) > 100  # the line stands elsewhere
