"""The page of passages on made-up pieces: what it holds, what it quotes, and what it refuses."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from midi_files import metre, save, track
from rule_rewriter import RuleRewriter, folder_of_rule

from fadernets.errors import FadernetsError
from fadernets.evaluation import editors, passage_page
from fadernets.evaluation.editors import Editor
from fadernets.figures import roll_svg
from fadernets.music.notes import ROLL_NOTE

DEVIATIONS = {"rhythm_density": 0.2, "note_density": 0.8}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Forty tunes of chords in quarters and eighths, with a voice of another track."""
    monkeypatch.setattr(passage_page, "EACH", 1)
    monkeypatch.setattr(passage_page, "MOVES", passage_page.MOVES[:2])
    rng = np.random.default_rng(0)
    folder = tmp_path / "tunes"
    folder.mkdir()
    for i in range(40):
        notes = []
        for bar in range(8):
            at = np.arange(0, 4, (0.5, 1)[rng.integers(2)]).tolist()
            notes += [(bar * 4 + t, 0.5, 48 + p, 80) for t in at for p in (0, 4, 7, 12)]
        voice = track([(4 * bar, 4, 72, 70) for bar in range(8)], channel=1, name="Voice", program=40)
        save(folder / f"{i}.mid", track(notes, metre(4), name="Piano", program=0), voice)
    return {"folder": folder}


def drawn(corpus, seed=0):
    return list(passage_page.draw(editors.model(RuleRewriter()), corpus, DEVIATIONS, seed))


def test_pieces_and_bars_are_drawn_by_seed(corpus):
    first, second = drawn(corpus)
    names = [first.name, second.name]
    assert names[0].endswith("rhythm density +1 sd")
    assert names[1].endswith("rhythm density -1 sd")
    assert names == [passage.name for passage in drawn(corpus)]
    assert names != [passage.name for passage in drawn(corpus, seed=1)]
    before, after, rule = first.versions
    assert first.bars == [0, 4, 8, 12, 16]
    for version in (after, rule):
        assert len(np.unique(version.notes["onset"])) > len(np.unique(before.notes["onset"]))
        assert version.others.tolist() == before.others.tolist()
        assert len(version.others) == 4


def test_a_model_that_refuses_is_named(corpus):
    def refuse(document, moves, seed):
        raise FadernetsError("the model is ill")

    with pytest.raises(FadernetsError, match=r"lack 2 of the passages \(the model is ill\)"):
        next(passage_page.draw(Editor("none", refuse), corpus, DEVIATIONS))


def test_the_page_holds_rolls_sound_and_remarks(corpus, tmp_path):
    passages, out = drawn(corpus), tmp_path / "page"
    remark = 'a "clash" <there>'
    names = passage_page.write(iter(passages), out, "Passages & more", {passages[1].name: remark})
    page = (out / "index.html").read_text()
    assert "<h1>Passages &amp; more</h1>" in page
    assert page.count("<svg") == page.count("<audio") == 6
    assert "a &quot;clash&quot; &lt;there&gt;" in page
    assert page.count('class="remark"') == 1
    assert "note F1 1.00" not in page.partition("after:")[0]
    for number in (1, 2):
        for version in ("before", "after", "rule"):
            assert f'src="{number:02}-{version}.wav"' in page
            assert (out / f"{number:02}-{version}.wav").stat().st_size > 10_000
            assert (out / f"{number:02}-{version}.mid").exists()
    assert (out / ".gitignore").read_text() == "*\n"
    assert list(passage_page.read_remarks(out / "remarks.yaml")) == [names[1]]
    assert names[0] in (out / "remarks.yaml").read_text()


def test_remarks_are_lines_by_name(tmp_path):
    path = tmp_path / "remarks.yaml"
    for text in ("- a\n", "a: [1]\n", "a: {b: c}\n"):
        path.write_text(text)
        with pytest.raises(FadernetsError, match="expected a line of text for each name"):
            passage_page.read_remarks(path)
    path.write_text("a: *b\n")
    with pytest.raises(FadernetsError, match="cannot be read as YAML"):
        passage_page.read_remarks(path)
    path.write_text("a: jars\nb:\nc: ''\n")
    assert passage_page.read_remarks(path) == {"a": "jars"}
    path.write_text("# none\n")
    assert passage_page.read_remarks(path) == {}


def test_the_command(run_here, corpus, tmp_path, monkeypatch):
    folder, out = folder_of_rule(tmp_path / "model", monkeypatch), tmp_path / "page"
    remarks = tmp_path / "remarks.yaml"
    remarks.write_text("nothing of that name: jars\n")
    options = ("--model", folder, "--corpus", f"folder={corpus['folder']}", "--remarks", remarks)
    code, printed, err = run_here("evaluate", "page", out, *options, "--json")
    assert code == 0, err
    assert len(json.loads(printed)["passages"]) == 2
    assert err == [f"warning: {remarks}: no passage of this page is 'nothing of that name'"]
    few = tmp_path / "few"
    few.mkdir()
    save(few / "a.mid", track([(0, 1, 60, 80)]))
    code, _, err = run_here("evaluate", "page", tmp_path / "other", "--model", folder, "--corpus", f"folder={few}")
    assert code == 2
    assert "test pieces of folder lack 2 of the passages (there are no more)" in err[0]


def test_a_roll_shows_what_became_of_each_note():
    rows = np.array([(0, 1, 60, 80), (1, 2, 62, 80), (2, 3, 64, 80)], ROLL_NOTE)
    after = np.array([(0, 1, 60, 80), (1, 4, 62, 80), (3, 4, 65, 80)], ROLL_NOTE)
    none = rows[:0]
    root = ElementTree.fromstring(roll_svg.roll(rows, after, none, [0.0, 4.0]))
    fills = [box.get("fill") for box in root.iter("rect")]
    for colour in (roll_svg.KEPT, roll_svg.CHANGED, roll_svg.NEW, "none"):
        assert fills.count(colour) == 1
    assert [float(line.get("x1")) for line in root.iter("line")] == [120, 240, 360, 0, 480]
    alone = ElementTree.fromstring(roll_svg.roll(rows, None, after, [0.0, 4.0]))
    assert [box.get("fill") for box in alone.iter("rect")].count(roll_svg.KEPT) == 3
    assert [box.get("fill") for box in alone.iter("rect")].count(roll_svg.OTHERS) == 3
    wide = next(box for box in root.iter("rect") if box.get("fill") == roll_svg.CHANGED)
    assert (float(wide.get("x")), float(wide.get("width"))) == (120, 360)
