"""The figures of a run: which panels, of which segments, and the numbers beside them."""

import json
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread
from sklearn.metrics import silhouette_score
from toy_runs import write_toy

from fadernets.codecs import performance_tokens
from fadernets.errors import FadernetsError
from fadernets.evaluation import arousal_transfer, checkpoint_codes, paper_figures, table1
from fadernets.evaluation.checkpoint import Checkpoint
from fadernets.figures import plots, rolls


@dataclass(frozen=True)
class Drawn:
    """A panel as it stands on the page: points [S, 2], and the value of each, or its cluster by its colour."""

    title: str
    points: np.ndarray
    values: np.ndarray
    clusters: bool
    unit: str

    @classmethod
    def of(cls, axes):
        """The scatters of one of a figure's axes."""
        marks = axes.collections
        points = np.concatenate([np.asarray(mark.get_offsets()) for mark in marks])
        if marks[0].colorbar:
            unit = marks[0].colorbar.ax.get_ylabel()
            return cls(axes.get_title(), points, np.asarray(marks[0].get_array()), False, unit)
        high = [to_hex(mark.get_facecolor()[0]) == plots.HIGH for mark in marks]
        counts = [len(mark.get_offsets()) for mark in marks]
        return cls(axes.get_title(), points, np.repeat(high, counts), True, "")


@pytest.fixture
def pages(monkeypatch):
    """Every figure that is written, as matplotlib has it, and its paths."""
    found, save = [], plots._save
    monkeypatch.setattr(plots, "_save", lambda figure, paths: found.append((figure, paths)) or save(figure, paths))
    return found


@pytest.fixture
def drawn(pages, monkeypatch):
    """The panels of every figure of scatters, row by row; a map is a code's first two dimensions."""
    monkeypatch.setattr(plots, "tsne", lambda code, seed: np.asarray(code[:, :2], np.float64) + seed)

    class Figures:
        def __iter__(self):
            for figure, paths in pages:
                own = [axes for axes in figure.axes if axes.get_visible() and axes.get_label() != "<colorbar>"]
                rows = groupby(own, key=lambda axes: axes.get_subplotspec().rowspan.start)
                yield [[Drawn.of(axes) for axes in row] for _, row in rows], paths, figure.get_suptitle()

    return Figures()


@pytest.fixture(scope="module")
def beside(rated, toys, tmp_path_factory):
    """Figures 3 and 4 of toy runs: (folder, what is returned, calls of progress)."""
    out, calls = tmp_path_factory.mktemp("figures") / "new" / "folder", []
    made = paper_figures.latents(
        toys("fadernets"),
        rated.folder,
        out,
        toys("single"),
        100,
        0,
        progress=lambda done, total: calls.append((done, total)),
    )
    return out, made, calls


@pytest.fixture(scope="module")
def transferred(rated, toys, tmp_path_factory):
    out = tmp_path_factory.mktemp("figures")
    return out, paper_figures.transfer(toys("fadernets"), rated.folder, out, 0)


def assert_files(out, made, names):
    assert sorted(p.name for p in out.iterdir()) == sorted(names)
    assert sorted(made["files"]) == sorted(str(out / name) for name in names)
    for path in out.iterdir():
        if path.suffix == ".png":
            assert imread(path).std() > 0.02
        elif path.suffix == ".svg":
            ElementTree.fromstring(path.read_text())
        else:
            assert json.loads(path.read_text()) == made
    assert made["command"].startswith("fadernets")
    assert made["commit"]


def test_latents_beside_another_run(beside, rated, toys):
    out, made, calls = beside
    assert_files(out, made, [f"{n}.{k}" for n in ("latents", "clusters") for k in ("png", "svg")] + ["latents.json"])
    assert calls == [(i + 1, 6) for i in range(6)]
    assert set(made["clusters"]) == {"fadernets", "single"}
    for toy, codes in (("fadernets", {"rhythm", "note"}), ("single", {"z"})):
        checkpoint = Checkpoint(toys(toy), rated)
        expected = table1.clusters(checkpoint, checkpoint.corpus_rows("test"), 0)
        assert made["clusters"][toy] == expected
        assert {name for name, value in expected.items() if isinstance(value, dict) and "silhouette" in value} == codes
    assert imread(out / "latents.png").shape[:2] == (2 * 540, 3 * 660)
    assert imread(out / "clusters.png").shape[:2] == (2 * 540, 3 * 660)


@pytest.mark.parametrize(
    ("toy", "expected"),
    [
        (
            "fadernets",
            [
                ["rhythm: rhythm density", "rhythm: $z^d$ of rhythm density", "rhythm: inferred arousal"],
                ["note: note density", "note: $z^d$ of note density", "note: inferred arousal"],
            ],
        ),
        (
            "vanilla",
            [
                ["rhythm: rhythm density", "rhythm: $z^d$ of rhythm density"],
                ["note: note density", "note: $z^d$ of note density"],
            ],
        ),
        (
            "pati",
            [["z: rhythm density", "z: $z^d$ of rhythm density", "z: note density", "z: $z^d$ of note density"]],
        ),
        ("single", [["z: rhythm density", "z: note density", "z: inferred arousal"]]),
    ],
)
def test_the_panels_of_a_model(toy, expected, toys, rated, tmp_path, drawn):
    made = paper_figures.latents(toys(toy), rated.folder, tmp_path, None, 30, 5)
    ((rows, paths, title),) = drawn
    assert [[panel.title for panel in row] for row in rows] == expected
    assert [p.name for p in paths] == ["latents.png", "latents.svg"]
    assert title == f"{toy}: codes of 30 held-out segments"
    checkpoint = Checkpoint(toys(toy), rated)
    chosen = np.random.default_rng(5).permutation(rated.select(split="test", corpus="maestro"))[:30]
    codes = checkpoint.encode(chosen)
    for panel in (panel for row in rows for panel in row):
        code, _, what = panel.title.partition(": ")
        places = codes[code][:, :2] + np.float64(5)
        column = 1 if "note" in what else 0
        if panel.clusters:
            low, high = checkpoint.means[code]
            nearer = np.array([((z - high) ** 2).sum() <= ((z - low) ** 2).sum() for z in codes[code]])
            assert panel.values.sum() == nearer.sum()
            for cluster in (False, True):
                np.testing.assert_array_equal(panel.points[panel.values == cluster], places[nearer == cluster])
            continue
        np.testing.assert_array_equal(panel.points, places)
        if "z^d" in what:
            np.testing.assert_array_equal(panel.values, codes[code][:, column if toy == "pati" else 0])
            assert panel.unit == ""
        else:
            np.testing.assert_array_equal(panel.values, rated.attributes[chosen, column])
            assert panel.unit in ("onset steps a sixteenth", "notes sounding a step")
    assert set(made["clusters"]) == {toy}
    assert bool(made["clusters"][toy]) == (toy in ("fadernets", "single"))


def test_the_clusters_of_both_runs_are_of_the_same_segments(toys, rated, tmp_path, drawn):
    paper_figures.latents(toys("single"), rated.folder, tmp_path, toys("fadernets"), 3000, 0)
    ((_, _, title), (rows, paths, _)) = drawn
    assert title == "single: codes of 40 held-out segments"
    assert [panel.title for panel in rows[0]] == [
        "single: z, inferred", "fadernets: rhythm, inferred", "fadernets: note, inferred"
    ]  # fmt: skip
    assert all(panel.clusters and len(panel.points) == 40 for panel in rows[0])
    assert [p.name for p in paths] == ["clusters.png", "clusters.svg"]


def test_the_verdict_is_of_labelled_segments_by_their_label(toys, rated, tmp_path, drawn):
    paper_figures.latents(toys("single"), rated.folder, tmp_path, toys("fadernets"), 3000, 0)
    (_, ((_, panels), _, _)) = drawn
    of = [("single", "z"), ("fadernets", "rhythm"), ("fadernets", "note")]
    for panel, (toy, code) in zip(panels, of, strict=True):
        checkpoint = Checkpoint(toys(toy), rated)
        rows, label = checkpoint_codes.held_out_labels(checkpoint)
        z, means = checkpoint.encode(rows)[code], checkpoint.means[code]
        nearer = ((z[:, None] - means) ** 2).sum(-1).argmin(1)
        told = np.mean([(nearer[label == c] == c).mean() for c in (0, 1)])
        silhouette = silhouette_score(z, label)
        assert panel.title == f"{toy}: {code}\nby true label: {told:.3f} told, silhouette {silhouette:.3f}"
        for c in (0, 1):
            np.testing.assert_array_equal(panel.points[panel.values == c], z[label == c][:, :2].astype(np.float64))


def test_runs_of_the_same_name_are_told_apart(toys, rated, tmp_path, drawn):
    toys("single")
    one, other = (write_toy(tmp_path / f"{size}" / "gm-vae", "gm-vae", rated, seed=size) for size in (1, 2))
    made = paper_figures.latents(one, rated.folder, tmp_path / "out", other, 50, 0)
    assert set(made["clusters"]) == {str(one), str(other)}


def test_a_data_set_without_held_out_labels_has_no_cluster_figures(performances, tmp_path, drawn):
    run = write_toy(tmp_path / "run", "mixture", performances)
    assert paper_figures.latents(run, performances.folder, tmp_path / "out", None, 50, 0)["clusters"] == {"run": {}}
    ((_, _, title),) = drawn
    assert title == "run: codes of 12 held-out segments"


def test_transfer(transferred, rated, toys):
    out, made = transferred
    pictures = [f"arousal-{direction}-{i}.png" for direction in ("up", "down") for i in (1, 2)]
    assert_files(out, made, ["transfer.png", "transfer.svg", "transfer.json", *pictures])
    assert made["regressor"] == arousal_transfer.Regressor.fit(rated, ["vgmidi"], 0).figures
    assert len(made["sweep"]) == 9
    assert len(made["drawn"]) == 20
    assert made["pieces"]["pieces"] == 5
    assert made["agreement"] == made["sweep"][4]["agreement"]


def shifted(checkpoint, row, direction):
    """Tokens of Section 5.2: codes nearer to the other cluster's mean moved by the difference of the two, decoded."""
    segments, to = checkpoint.segments(np.array([row])), int(direction == "up")
    codes = {}
    for name, code in segments.codes.items():
        own, target = checkpoint.means[name][1 - to], checkpoint.means[name][to]
        outside = ((code - own) ** 2).sum() < ((code - target) ** 2).sum()
        codes[name] = (code + outside * (target - own)).astype(np.float32)
    return checkpoint.decode(segments, codes, segments.values).raw[0, 0]


def test_the_rolls_are_of_the_drawn_segments(transferred, rated, toys, tmp_path, monkeypatch):
    """Two up, two down; nothing behind the segment's end, which an output may run past."""
    drawn = []
    monkeypatch.setattr(rolls, "draw_pair", lambda *given, title: drawn.append((*given, title)))
    checkpoint, rows = Checkpoint(toys("fadernets"), rated), transferred[1]["drawn"]
    paths = paper_figures._rolls(checkpoint, rows, tmp_path)
    assert [path for _, _, _, path, _ in drawn] == paths
    assert [path.name for path in paths] == [f"arousal-{d}-{i}.png" for d in ("up", "down") for i in (1, 2)]
    expected = [rows[0], rows[2], rows[1], rows[3]]  # they go up and down by turns
    for (before, after, bars, _, title), row in zip(drawn, expected, strict=True):
        tokens = (np.asarray(rated.codes[row["row"]]), shifted(checkpoint, row["row"], row["direction"]))
        for notes, of in zip((before, after), map(performance_tokens.decode, tokens), strict=True):
            kept = of[of["onset"] < 2]
            for field in ("onset", "pitch", "velocity"):
                assert np.array_equal(notes[field], kept[field])
            assert np.array_equal(notes["end"], np.minimum(kept["end"], 2))
        assert title == f"Arousal {row['direction']}: held-out segment {row['row']}, 2.0 s"
        assert bars == []
        for notes, cells in ((before, rated.cells(np.array([row["row"]]))), (after, None)):
            assert (notes["onset"] < 2).all()
            assert (notes["end"] <= 2).all()
            assert (notes["end"] > notes["onset"]).all()
            if cells is not None:
                assert len(notes) >= (cells == 1).sum() > 0
    assert any(len(after) for _, after, *_ in drawn)
    moved = [
        not np.array_equal(shifted(checkpoint, r["row"], "up"), shifted(checkpoint, r["row"], "down")) for r in rows
    ]
    assert any(moved)


def lines_of(figure):
    """Name -> (x, y) of the lines of a figure of curves, and name -> corners of the bands behind them."""
    (axes,) = figure.axes
    bands = {band.get_label(): band.get_paths()[0].vertices for band in axes.collections}
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}, bands


def test_the_curve_shows_the_sweep(rated, toys, tmp_path, monkeypatch, transferred, pages):
    monkeypatch.setattr(
        arousal_transfer,
        "evaluate",
        lambda *_, **__: {k: transferred[1][k] for k in ("sweep", "agreement")} | {"drawn": []},
    )
    paper_figures.transfer(toys("fadernets"), rated.folder, tmp_path, 0)
    ((figure, paths),) = pages
    lines, bands = lines_of(figure)
    sweep = transferred[1]["sweep"]
    x = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
    assert lines["agreement of the regressor"] == (x, [row["agreement"] for row in sweep])
    assert lines["chroma similarity to the source"] == (x, [row["chroma_similarity"] for row in sweep])
    assert lines["note F1 to the source"] == (x, [row["note_f1"] for row in sweep])
    corners = {(at, row[end]) for at, row in zip(x, sweep, strict=True) for end in ("low", "high")}
    assert corners <= set(map(tuple, bands["agreement of the regressor, 95 % interval"].tolist()))
    assert [p.name for p in paths] == ["transfer.png", "transfer.svg"]


def test_transfer_of_two_runs(rated, toys, tmp_path, monkeypatch, transferred, pages):
    """Each by its own clusters and one regressor; the figure has what is returned."""
    sweep = transferred[1]["sweep"]
    other = [row | {"agreement": 0.25, "note_f1": 0.75} for row in sweep]
    monkeypatch.setattr(arousal_transfer, "evaluate", lambda *_, **__: {"sweep": sweep, "drawn": []})
    judged = []
    monkeypatch.setattr(arousal_transfer, "sweep", lambda one, *_, **__: judged.append(one.folder) or other)
    made = paper_figures.transfer(toys("fadernets"), rated.folder, tmp_path, 0, beside=toys("single"))
    assert judged == [toys("single")]
    assert made["sweeps"] == {"fadernets": sweep, "single": other}
    assert made["label"] == "arousal"
    (figure, paths) = pages[1]
    lines, _ = lines_of(figure)
    assert [path.name for path in paths] == ["transfer-beside.png", "transfer-beside.svg"]
    assert lines["fadernets: agreement"][1] == [row["agreement"] for row in sweep]
    assert lines["fadernets: note F1"][1] == [row["note_f1"] for row in sweep]
    assert lines["single: agreement"][1] == [0.25] * 9
    assert lines["single: note F1"][1] == [0.75] * 9
    valence = write_toy(tmp_path / "run", "mixture", rated, label="valence")
    with pytest.raises(FadernetsError, match="its clusters are of valence, not of arousal"):
        paper_figures.transfer(toys("fadernets"), rated.folder, tmp_path, 0, beside=valence)


def test_a_sweep_is_that_of_the_evaluation(rated, toys, transferred):
    checkpoint = Checkpoint(toys("fadernets"), rated)
    regressor = arousal_transfer.Regressor.fit(rated, ["vgmidi"], 0)
    assert arousal_transfer.sweep(checkpoint, regressor, seed=0) == transferred[1]["sweep"]


def test_labels(rated, tmp_path, pages):
    """A point a run, by its number of labels; what is drawn is what is returned."""
    runs = [write_toy(tmp_path / str(share), "mixture", rated, label_share=share) for share in (0.4, 0.1)]
    told = []
    made = paper_figures.labels(runs, rated.folder, tmp_path / "out", 0, progress=lambda *now: told.append(now))
    assert told == [(1, 2), (2, 2)]
    first, second = made["runs"]
    assert (first["run"], second["run"]) == ("0.1", "0.4")
    assert 0 < first["labels"] < second["labels"]
    assert first["share"] == pytest.approx(0.1, abs=0.005)
    for row in made["runs"]:
        each = [row["clusters"][name] for name in ("rhythm", "note")]
        assert row["balanced_accuracy"] == row["clusters"]["balanced_accuracy"]
        assert row["best_code"] == max(code["balanced_accuracy"] for code in each)
        assert row["silhouette"] == pytest.approx(np.mean([code["silhouette"] for code in each]))
        assert row["silhouette_by_label"] != row["silhouette"]
    ((figure, paths),) = pages
    lines, _ = lines_of(figure)
    x = [first["labels"], second["labels"]]
    for name, key in (
        ("balanced accuracy, all codes", "balanced_accuracy"),
        ("balanced accuracy, best code", "best_code"),
        ("silhouette by inferred cluster", "silhouette"),
        ("silhouette by label", "silhouette_by_label"),
    ):
        assert lines[name] == (x, [first[key], second[key]])
    assert figure.axes[0].get_xscale() == "log"
    assert [path.name for path in paths] == ["labels.png", "labels.svg"]
    assert json.loads((tmp_path / "out" / "labels.json").read_text())["runs"] == made["runs"]


def test_clusters_without_the_dimensions_of_the_faders(rated, tmp_path):
    """Without z^d, by it alone, and of the attribute itself, computed here from the codes."""
    checkpoint = Checkpoint(write_toy(tmp_path / "run", "mixture", rated, label_share=0.4), rated)
    found = checkpoint_codes.clusters(checkpoint, checkpoint.corpus_rows("test"), 0)
    rows, label = checkpoint_codes.held_out_labels(checkpoint)
    assert set(np.unique(label)) == {0, 1}
    codes, (code, d) = checkpoint.encode(rows), checkpoint.model.faders["rhythm_density"]
    left, means = np.delete(codes[code], d, 1), np.delete(checkpoint.means[code], d, 1)
    nearer_to_high = ((left - means[1]) ** 2).sum(1) < ((left - means[0]) ** 2).sum(1)
    right = [(nearer_to_high[label == c] == c).mean() for c in (0, 1)]
    assert found["without_faders"][code] == pytest.approx(
        {"balanced_accuracy": np.mean(right), "silhouette_by_label": silhouette_score(left, label)}
    )
    assert found["faders_alone"][code] == pytest.approx(silhouette_score(codes[code][:, [d]], label))
    densities = np.asarray(rated.attributes[rows], np.float64)[:, [0]]
    own = found["attributes"]["rhythm_density"]
    assert own["silhouette_by_label"] == pytest.approx(silhouette_score(densities, label))
    taught = checkpoint.labelled
    low, high = (rated.attributes[taught][checkpoint.classes[taught] == c, 0].mean() for c in (0, 1))
    right = [
        (((densities[label == c, 0] - high) ** 2 < (densities[label == c, 0] - low) ** 2) == c).mean() for c in (0, 1)
    ]
    assert own["balanced_accuracy"] == pytest.approx(np.mean(right))
    assert found["silhouette_by_label"] == pytest.approx(silhouette_score(np.hstack(list(codes.values())), label))


def test_runs_that_differ_in_their_seed_are_one_point(rated, tmp_path, pages):
    runs = [write_toy(tmp_path / str(seed), "mixture", rated, label_share=0.1, seed=seed) for seed in range(3)]
    made = paper_figures.labels(runs, rated.folder, tmp_path / "out", 0)
    (point,) = made["by_labels"]
    each = np.array([row["balanced_accuracy"] for row in made["runs"]])
    assert point["runs"] == 3
    assert point["balanced_accuracy"] == pytest.approx(each.mean())
    assert point["deviations"]["balanced_accuracy"] == pytest.approx(each.std())
    half = 4.302653 * each.std(ddof=1) / np.sqrt(3)  # Student's t of two degrees of freedom
    assert (point["low"], point["high"]) == pytest.approx((max(each.mean() - half, 0), min(each.mean() + half, 1)))
    assert f"{each.mean():.3f} ± {each.std():.3f}" in made["table"]
    without = [f"{row['clusters']['without_faders']['note']['balanced_accuracy']:.3f}" for row in made["runs"]]
    (line,) = (line for line in made["table"].splitlines() if line.startswith("| note |"))
    assert f"({', '.join(without)})" in line
    ((figure, _),) = pages
    assert lines_of(figure)[0]["balanced accuracy, all codes"] == ([point["labels"]], [each.mean()])


def test_labels_need_clusters_labels_and_one_kind_of_model(rated, toys, tmp_path):
    def drawn(*runs):
        paper_figures.labels(runs, rated.folder, tmp_path / "out", 0)

    with pytest.raises(FadernetsError, match="vanilla: has no arousal clusters"):
        drawn(toys("vanilla"))
    short, long = (write_toy(tmp_path / str(n), "mixture", rated, label_share=0.1, steps=n) for n in (8, 9))
    with pytest.raises(FadernetsError, match=r"labels, but differ in more than their seed \(steps\)"):
        drawn(short, long)
    with pytest.raises(FadernetsError, match="without labels"):
        drawn(write_toy(tmp_path / "none", "mixture", rated, label_share=0.0))
    with pytest.raises(FadernetsError, match="has other codes"):
        drawn(short, write_toy(tmp_path / "one", "gm-vae", rated, label_share=0.4))
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_drawn_is_refused(rated, toys, performances, tmp_path):
    out, fadernets, vanilla = tmp_path / "out", toys("fadernets"), toys("vanilla")
    with pytest.raises(FadernetsError, match="music-fadernets has no arousal clusters; train with clusters 2"):
        paper_figures.transfer(vanilla, rated.folder, out, 0)
    with pytest.raises(FadernetsError, match=r"--beside: both runs need arousal clusters; .*vanilla has none"):
        paper_figures.latents(fadernets, rated.folder, out, vanilla, 100, 0)
    with pytest.raises(FadernetsError, match=r"--beside: both runs need arousal clusters; .*vanilla has none"):
        paper_figures.latents(vanilla, rated.folder, out, fadernets, 100, 0)
    with pytest.raises(FadernetsError, match="language-model has no codes to draw"):
        paper_figures.latents(toys("language-model"), rated.folder, out, None, 100, 0)
    with pytest.raises(FadernetsError, match="has 48 arousal labels to learn from and 0 to test on"):
        paper_figures.transfer(write_toy(tmp_path / "run", "mixture", performances), performances.folder, out, 0)
    assert not out.exists()
