"""What the tables of Table 1 say of figures, published ones and ours."""

from markdown_tables import parse

from fadernets.attributes.table import CODED
from fadernets.evaluation import table1, table1_tables


def spread(mean, std=0.01):
    return {"mean": mean, "std": std}


def figures(k, paper=True, strict=True, clusters=False):
    """Made-up figures of a run, the greater the greater k."""
    found = {
        "reconstruction": dict.fromkeys(table1_tables.RECONSTRUCTION, 0.1 * k),
        "encoder": dict.fromkeys(table1_tables.ENCODER[:-1], 0.01 * k),
    }
    for i, attribute in enumerate(CODED):
        if paper:
            names = ("consistency", "restrictiveness", "linearity", "pooled_r2")
            found[f"paper/{attribute}"] = {n: spread(0.1 * k + 0.01 * j + 0.001 * i) for j, n in enumerate(names)}
        if strict:
            for loop in table1.LOOPS:
                found[f"strict/{attribute}/{loop}"] = {name: spread(0.1 * k) for name in table1_tables.STRICT}
                found[f"quality/{attribute}/{loop}"] = dict.fromkeys(table1_tables.QUALITY, 2.0 * k)
    if strict:
        found["quality/real"] = dict.fromkeys(table1_tables.QUALITY, 0.5)
    if clusters:
        own = {"balanced_accuracy": 0.7, "silhouette": 0.3, "silhouette_by_label": 0.2}
        own |= {f"{a}_{side}": v for a in CODED for side, v in (("high", 0.6), ("low", 0.4))}
        found["clusters"] = {
            "learned": True, "labelled_training_segments": 26, "segments": 5, "pieces": 2, "balanced_accuracy": 0.8,
            "low": 0.75, "high": 0.85, "rhythm": own, "note": own,
        }  # fmt: skip
    return found


def test_published_numbers_are_the_papers():
    """Consistency, restrictiveness and linearity of rhythm and note density, as printed in Table 1."""
    published = {row.recipe: row.published for row in table1_tables.TABLE}
    assert published.pop("gm-vae") is None
    expected = {
        "fadernets-vae": [0.4367, 0.3490, 0.6645, 0.6481, 0.7805, 0.8255],
        "fadernets-gmvae": [0.5096, 0.4207, 0.6603, 0.6457, 0.7580, 0.7792],
        "pati": [0.4625, 0.5100, 0.6417, 0.5497, 0.7613, 0.8220],
        "cvae": [0.2613, 0.4997, 0.6863, 0.7140, 0.4969, 0.3997],
        "fader-networks": [0.2730, 0.4983, 0.6861, 0.7379, 0.5482, 0.4647],
        "glsr-vae": [0.1891, 0.1969, 0.6365, 0.7136, 0.2465, 0.1799],
    }
    assert list(CODED) == ["rhythm_density", "note_density"]
    for name, row in expected.items():
        three = [published[name][figure] for figure in ("consistency", "restrictiveness", "linearity")]
        assert [value for pair in three for value in pair] == row, name
        assert len(published[name]) == 3
    assert published.keys() == expected.keys()


def test_the_paper_table_stands_beside_the_published_one():
    found = {"glsr-vae": figures(1), "pati": figures(3), "cvae": figures(2), "mine": figures(2)}
    heads, rows = parse(table1_tables.tables(found))["`paper` protocol: ours (published)"]
    assert heads[:3] == ["consistency, rhythm density", "consistency, note density", "restrictiveness, rhythm density"]
    assert heads[-1] == "pooled r2, note density"
    # In the order of Table 1, then runs of other names.
    assert [name for name, _ in rows] == ["Pati et al.", "CVAE", "GLSR-VAE", "mine"]
    cells = dict(rows)
    assert cells["Pati et al."][0] == "**0.300 ± 0.010** (0.463)"
    assert cells["Pati et al."][1] == "**0.301 ± 0.010** (0.510)"
    assert cells["GLSR-VAE"][5] == "0.121 ± 0.010 (0.180)"
    assert cells["CVAE"][3] == "0.211 ± 0.010 (0.714)"
    assert cells["CVAE"][6] == "0.230 ± 0.010"  # the paper has no pooled R^2
    assert cells["mine"][0] == "0.200 ± 0.010"
    for column in range(len(heads)):
        assert [name for name, row in rows if "**" in row[column]] == ["Pati et al."]


def test_the_strict_table_marks_the_best_of_each_loop():
    one, other = figures(1), figures(1)
    for loop, better in (("open", one), ("calibrated", other), ("best-of-n", one)):
        worse = other if better is one else one
        for figure, greatest in table1_tables.STRICT.items():
            good, bad = (0.9, 0.2) if greatest else (0.2, 0.9)
            better[f"strict/note_density/{loop}"][figure] = spread(good)
            worse[f"strict/note_density/{loop}"][figure] = spread(bad)
    one["strict/note_density/open"]["response_range"] = spread(0.9)
    other["strict/note_density/open"]["response_range"] = spread(1.05)  # nearer to 1
    heads, rows = parse(table1_tables.tables({"pati": one, "cvae": other}))["`strict`, note density"]
    assert heads == ["loop", *(name.replace("_", " ") for name in table1_tables.STRICT)]
    assert [(name, row[0]) for name, row in rows] == [
        ("Pati et al.", "open"),
        ("CVAE", "open"),
        ("Pati et al.", "calibrated"),
        ("CVAE", "calibrated"),
        ("Pati et al.", "best-of-n"),
        ("CVAE", "best-of-n"),
    ]
    for i, (_, row) in enumerate(rows):
        best = {head for head, cell in zip(heads, row, strict=True) if cell.startswith("**")}
        expected = {*heads[1:]} if i in (0, 3, 4) else set()
        if i < 2:  # the slope alone is better where the rest is worse
            expected ^= {"response range"}
        assert best == expected, i
    leakage, slope = heads.index("leakage"), heads.index("response range")
    assert (rows[0][1][leakage], rows[1][1][leakage]) == ("**0.200**", "0.900")
    assert (rows[0][1][slope], rows[1][1][slope]) == ("0.900", "**1.050**")


def test_tables_of_one_loop():
    """The other loops are left out; what has none stays."""
    whole = figures(1)
    found = {name: table1_tables.of_loop(figures(i), "calibrated") for i, name in enumerate(("pati", "cvae"))}
    assert set(whole) - set(found["pati"]) == {key for key in whole if key.endswith(("/open", "/best-of-n"))}
    tables = parse(table1_tables.tables(found))
    assert [row[0] for _, row in tables["`strict`, note density"][1]] == ["calibrated"] * 2
    rows = tables["moved outputs, rhythm density"][1]
    assert [row[0] for _, row in rows] == ["-", "calibrated", "calibrated"]
    assert tables["`paper` protocol: ours (published)"]


def test_quality_stands_beside_that_of_real_segments():
    some = figures(1)
    del some["quality/note_density/open"]["nats_a_token"]
    heads, rows = parse(table1_tables.tables({"pati": some}))["moved outputs, note density"]
    assert [(name, row[0]) for name, row in rows] == [
        ("held-out real segments", "-"),
        *(("Pati et al.", loop) for loop in table1.LOOPS),
    ]
    column = heads.index("nats a token")
    assert [row[column] for _, row in rows] == ["0.500", "-", "2.000", "2.000"]


def test_reconstruction_and_clusters():
    found = parse(table1_tables.tables({"gm-vae": figures(1, False, False, True), "pati": figures(2, True, False)}))
    heads, rows = found["reconstruction; codes"]
    assert rows[0][0] == "Pati et al."
    assert rows[1] == ("GM-VAE, single encoder", ["0.100"] * 6 + ["0.010"] * 4 + ["-"])
    assert heads[-1] == "modularity"
    heads, rows = found["arousal clusters"]
    row = ["0.700", "0.800 [0.750, 0.850]", "0.300", "0.200", "0.600 / 0.400", "0.600 / 0.400"]
    assert rows == [("GM-VAE, single encoder", ["learned", "26", code, *row]) for code in ("rhythm", "note")]
    # Neither of the two protocols of GM-VAE, one of Pati's.
    assert [name for name, _ in found["`paper` protocol: ours (published)"][1]] == ["Pati et al."]
    assert set(found) == {"`paper` protocol: ours (published)", "reconstruction; codes", "arousal clusters"}


def test_tables_of_nothing():
    assert table1_tables.tables({}) == ""
    assert table1_tables.tables({"language-model": {"model": "language-model", "runs": 1}}) == ""
