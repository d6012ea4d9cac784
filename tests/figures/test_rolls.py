"""The picture of an edit: which notes it marks as what, and that it is drawn at all, in every case."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from fadernets.figures import roll_axes, rolls
from fadernets.figures.note_marks import compare
from fadernets.figures.rolls import draw_pair

NOTE = np.dtype([("onset", float), ("end", float), ("pitch", np.uint8), ("velocity", np.uint8)])


def notes(*rows):
    return np.array([(*row, 100) for row in rows], NOTE)


def bars(count, asked=0.5, attributes=("rhythm_density", "note_density")):
    return [
        {
            "index": i,
            "bar": i + 1,
            "start_beat": 4.0 * i,
            "before": dict.fromkeys(attributes, 0.25),
            "asked": dict.fromkeys(attributes, asked),
            "measured": dict.fromkeys(attributes, 0.4 + 0.02 * i),
        }
        for i in range(count)
    ]


BEFORE = notes((0, 1, 60), (1, 2, 62), (2, 4, 64), (4, 8, 48))
AFTER = notes((0, 1, 60), (1, 3, 62), (3, 4, 64), (4, 8, 48))


def pixels(path, color):
    """How many pixels are of a colour, within what rounding to 8 bits does."""
    image = imread(path)[..., :3]
    return int((np.abs(image - np.array(to_rgb(color))).max(axis=-1) < 0.01).sum())


def picture(tmp_path, before=BEFORE, after=AFTER, rows=None, name="a.png", size=(800, 600)):
    path = tmp_path / name
    draw_pair(before, after, bars(2) if rows is None else rows, path, title="A title", size=size)
    return path


def test_every_note_is_kept_changed_new_or_removed():
    marks = compare(BEFORE, AFTER)
    assert marks.kept.tolist() == [True, False, False, True]
    assert marks.changed.tolist() == [False, True, False, False]
    assert marks.new.tolist() == [False, False, True, False]
    assert marks.removed.tolist() == [False, False, True, False]


def test_a_note_pairs_once_with_the_nearest_end_of_its_pitch_and_onset():
    before = notes((0, 1, 60), (0, 4, 60))
    marks = compare(before, notes((0, 4, 60)))
    assert (marks.kept.tolist(), marks.removed.tolist()) == ([True], [True, False])
    marks = compare(notes((0, 1, 60)), notes((0, 1, 60), (0, 1, 60)))
    assert marks.kept.sum() == marks.new.sum() == 1


def test_another_pitch_or_onset_is_another_note_and_a_hair_is_not():
    before = notes((1, 2, 60))
    assert compare(before, notes((1, 2, 61))).new.all()
    assert compare(before, notes((1.25, 2, 60))).new.all()
    assert compare(before, notes((1.01, 1.99, 60))).kept.all()


def test_the_picture_has_its_size_and_shows_every_kind_of_note(tmp_path):
    draw_pair(BEFORE, AFTER, bars(2), tmp_path / "a.png", title="A title")
    assert imread(tmp_path / "a.png").shape[:2] == (1000, 1600)
    for color in (roll_axes.KEPT, roll_axes.CHANGED, roll_axes.NEW):
        assert pixels(tmp_path / "a.png", color) > 200, color
    assert imread(picture(tmp_path, name="b.png")).shape[:2] == (600, 800)


def test_kinds_that_do_not_occur_are_in_the_legend_alone(tmp_path):
    same = picture(tmp_path, after=BEFORE)
    edited = picture(tmp_path, name="b.png")
    for color in (roll_axes.CHANGED, roll_axes.NEW):
        assert 0 < pixels(same, color) < pixels(edited, color)


def test_softer_notes_are_lighter(tmp_path):
    loud, soft = BEFORE.copy(), BEFORE.copy()
    soft["velocity"] = 40
    full = pixels(picture(tmp_path, loud, loud, []), roll_axes.KEPT)
    assert pixels(picture(tmp_path, soft, soft, [], name="b.png"), roll_axes.KEPT) < full / 3


def test_the_same_edit_gives_the_same_bytes(tmp_path):
    first = picture(tmp_path).read_bytes()
    assert picture(tmp_path, name="b.png").read_bytes() == first
    moved = picture(tmp_path, rows=bars(2, asked=0.9), name="c.png").read_bytes()
    assert moved != first


def test_bars_with_nothing_asked_are_not_tinted(tmp_path):
    some = bars(2)
    some[1]["asked"] = {"rhythm_density": None, "note_density": None}
    assert pixels(picture(tmp_path, rows=some), roll_axes.ASKED_BARS) > 3_000
    for number, rows in enumerate((bars(2), bars(2, asked=None))):
        assert pixels(picture(tmp_path, rows=rows, name=f"{number}.png"), roll_axes.ASKED_BARS) == 0


@pytest.mark.parametrize(
    ("before", "after", "rows"),
    [
        (BEFORE, AFTER, []),
        (BEFORE, BEFORE[:0], bars(2)),
        (BEFORE[:0], BEFORE[:0], []),
        (BEFORE, AFTER, bars(1, attributes=("spread", "rhythm_density", "note_density"))),
        (BEFORE, AFTER, [*bars(9)[:2], *bars(9)[7:]]),
        (BEFORE, AFTER, bars(90)),
    ],
    ids=["no bars", "nothing left", "nothing at all", "another attribute", "bars left out", "many bars"],
)
def test_it_draws_whatever_comes(tmp_path, before, after, rows):
    image = imread(picture(tmp_path, before, after, rows))
    assert image.shape[:2] == (600, 800)
    assert 0.005 < np.mean(image[..., :3].min(axis=-1) < 0.9) < 0.5


@pytest.mark.parametrize("count", [32, 150])
def test_words_do_not_overlap(tmp_path, monkeypatch, count):
    from matplotlib.figure import Figure

    boxes = []

    def keep(figure, *_, **__):  # in place of writing the file
        figure.draw_without_rendering()
        renderer = figure.canvas.get_renderer()
        for axes in figure.axes:
            words = [*axes.texts, *axes.get_yticklabels(), axes.yaxis.label]
            words += axes.get_legend().get_texts() if axes.get_legend() else []
            boxes.extend((word.get_text(), word.get_window_extent(renderer)) for word in words if word.get_text())

    monkeypatch.setattr(Figure, "savefig", keep)
    rng = np.random.default_rng(0)
    onsets = np.sort(rng.uniform(0, 4 * count, 3_000))
    crowd = np.array([(o, o + 0.5, rng.integers(21, 109), 80) for o in onsets], NOTE)
    picture(tmp_path, crowd, crowd[::2], bars(count), size=(1600, 1000))
    assert len(boxes) > 64
    for i, (word, box) in enumerate(boxes):
        assert 0 <= box.x0 < box.x1 <= 1600, word
        assert 0 <= box.y0 < box.y1 <= 1000, word
        for other, there in boxes[:i]:
            assert not box.overlaps(there), (word, other)


def test_matplotlib_is_imported_late_and_pyplot_never(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from fadernets.figures.rolls import draw_pair\n"
        "assert 'matplotlib' not in sys.modules\n"
        "none = np.zeros(0, [('onset', float), ('end', float), ('pitch', int), ('velocity', int)])\n"
        "draw_pair(none, none, [], sys.argv[1], title='')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.png")], check=True)


# Sheets


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 6, 1), (7, 3, 3), (6, 6, 1)])
def test_a_sheet_has_room_for_every_pair(tmp_path, count, columns, rows):
    path = tmp_path / "sheet.png"
    rolls.draw_sheet([(f"pair {i}", BEFORE, AFTER) for i in range(count)], path, columns=columns)
    image = imread(path)
    assert image.shape[:2] == (rows * rolls.PANEL[1] + rolls.SHEET_TOP, columns * rolls.PANEL[0])
    one = tmp_path / "one.png"
    rolls.draw_sheet([("pair", BEFORE, AFTER)], one, columns=1)
    sample = 200  # pixels of a colour in the legend, at most
    for colour in (roll_axes.KEPT, roll_axes.NEW):
        assert pixels(path, colour) > count * (pixels(one, colour) - sample) * 0.8


def test_a_sheet_of_empty_pairs(tmp_path):
    rolls.draw_sheet([("nothing", BEFORE[:0], AFTER[:0]), ("came", BEFORE[:0], AFTER)], tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 0


# A grid of rolls


def test_a_grid_has_a_cell_each_over_the_same_time_and_pitches(tmp_path):
    low, high = notes((0, 4, 60)), notes((4, 8, 70))
    rolls.draw_cells([("a", low), ("b", high), ("c", notes())], tmp_path / "grid.png", columns=2, cell=(200, 100))
    image = imread(tmp_path / "grid.png")[..., :3]
    assert image.shape[:2] == (2 * 100 + 10, 2 * 200 + 10)
    blue = (np.abs(image - np.array(to_rgb(roll_axes.KEPT))) < 0.02).all(-1)

    def middle(mask):
        rows, columns = np.nonzero(mask)
        return rows.mean() / 100, columns.mean() / 200

    first, second = blue[:105, :205], blue[:105, 205:]
    assert blue.sum() == first.sum() + second.sum()  # nothing in the third cell, none in the fourth
    assert middle(first)[0] > 0.5 > middle(second)[0]  # low and high
    assert middle(first)[1] < 0.5 < middle(second)[1]  # early and late
    rolls.draw_cells([("a", low)], tmp_path / "one.png", columns=1)
    assert imread(tmp_path / "one.png").shape[:2] == (160, 260)
    again = tmp_path / "again.png"
    rolls.draw_cells([("a", low)], again, columns=1)
    assert again.read_bytes() == (tmp_path / "one.png").read_bytes()


def test_a_grid_s_titles_are_drawn(tmp_path):
    for name, title in (("without", ""), ("with", "5: the theme")):
        rolls.draw_cells([(title, notes((0, 4, 60)))], tmp_path / f"{name}.png", columns=1)
    without, titled = (imread(tmp_path / f"{name}.png")[..., :3] for name in ("without", "with"))
    different = np.nonzero((without != titled).any(-1))
    assert different[0].max() < 35  # the line over the roll
