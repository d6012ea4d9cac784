"""The report: what a panel of known rates said comes out again, with intervals that hold it."""

import csv
import json

import numpy as np
import pytest
from listeners import AGREE, OPINIONS, answer, begin, panel, rate, tokens_of, write_study

from fadernets import structured_text
from fadernets.errors import FadernetsError
from fadernets.listening import answer_database
from fadernets.listening import report as study_report
from fadernets.listening.report import report, write
from fadernets.listening.store import Study
from fadernets.listening.study_files import ASPECTS

WAYS = ["up"] * 10 + ["down"] * 10


@pytest.fixture(autouse=True)
def _no_power_cut(monkeypatch):
    monkeypatch.setattr(answer_database, "SYNCHRONOUS", "OFF")


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A study that sixty subjects have answered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer_database, "SYNCHRONOUS", "OFF")
        folder = write_study(tmp_path_factory.mktemp("panel") / "study", WAYS, subjects=60)
        with Study.open(folder) as study:
            panel(study)
    return folder


@pytest.fixture
def small(tmp_path):
    return write_study(tmp_path / "study", ["up", "down"], subjects=3)


def inside(value, span):
    return span[0] <= value <= span[1]


def test_a_panels_rates_come_out_again(asked):
    found = report(asked)
    assert (found.answers, found.expected) == (1200, 1200)
    assert found.subjects["finished"] == found.subjects["answered"] == 60
    assert found.warnings == []
    for way, true in AGREE.items():
        shares = found.agreement[way]
        for kind, share in (("agree", true), ("none", (1 - true) * 2 / 3), ("opposite", (1 - true) / 3)):
            assert inside(share, shares[kind].wilson), (way, kind)
            assert inside(share, shares[kind].bootstrap), (way, kind)
            assert shares[kind].share == pytest.approx(share, abs=0.04)
        assert sum(share.count for share in shares.values()) == 600
        assert sum(share.share for share in shares.values()) == pytest.approx(1)
        for span in (shares["agree"].wilson, shares["agree"].bootstrap):
            assert 0.04 < span[1] - span[0] < 0.10
    assert found.agreement["all"]["agree"].share == pytest.approx(0.75, abs=0.03)


def test_a_panels_ratings_come_out_again(asked):
    found = report(asked)
    hits = []
    for aspect, true in OPINIONS.items():
        for group in ("up", "down", "all"):
            mean = found.ratings[aspect][group]
            hits.append(inside(true, mean.bootstrap))
            assert mean.mean == pytest.approx(true, abs=0.12)
            assert mean.bootstrap[1] - mean.bootstrap[0] < 0.25
            assert mean.count == sum(mean.each)
    assert sum(hits) >= 10  # of twelve: one subject's kindness is in all of them


def test_intervals_cover_the_rate_in_nineteen_panels_of_twenty(tmp_path):
    """Ten panels through the whole of it: of forty intervals of a kind, two miss in the mean and six by bad luck."""
    shares, means = [], []
    for seed in range(10):
        folder = write_study(tmp_path / str(seed), ["up", "down"] * 2, subjects=20, seed=seed)
        with Study.open(folder) as study:
            panel(study, seed)
        found = report(folder)
        for way in AGREE:
            share = found.agreement[way]["agree"]
            shares += [inside(AGREE[way], share.wilson), inside(AGREE[way], share.bootstrap)]
        means += [inside(OPINIONS[aspect], found.ratings[aspect]["all"].bootstrap) for aspect in ASPECTS]
    assert sum(shares) >= 34
    assert sum(means) >= 34


def test_agreement_between_raters_tells_a_panel_that_hears_from_one_that_guesses(asked, tmp_path):
    heard = report(asked).raters
    assert 0.3 < heard["direction"]["nominal"] < 0.5
    folder = write_study(tmp_path / "study", WAYS, subjects=10)
    with Study.open(folder) as study:
        panel(study, agree={"up": 1 / 3, "down": 1 / 3})
    guessed = report(folder).raters
    assert abs(guessed["direction"]["nominal"]) < 0.1
    # Opinions that do not hang on the trial: no agreement beyond chance.
    for aspect in ASPECTS:
        assert abs(heard[aspect]["interval"]) < 0.05
        assert abs(heard[aspect]["ordinal"]) < 0.05


def test_by_hand(small):
    """Two subjects, two trials."""
    with Study.open(small) as study:
        ways = {t.id: t.direction for t in study.manifest.trials}
        says = [{"up": "up", "down": "down"}, {"up": "up", "down": "none"}]
        for token, info in zip(tokens_of(small)[:2], says, strict=True):
            for trial in begin(study, token).trials:
                answer(study, token, trial.id, info[ways[trial.id]], rate(2 if ways[trial.id] == "up" else 4, rhythm=5))
    found = report(small)
    assert [found.agreement[g]["agree"].share for g in ("up", "down", "all")] == [1.0, 0.5, 0.75]
    assert found.agreement["down"]["none"].share == 0.5
    assert found.agreement["all"]["opposite"].count == 0
    assert found.agreement["down"]["agree"].bootstrap == (0.0, 1.0)
    assert found.heat == {"down": {"down": 0.5, "none": 0.5, "up": 0.0}, "up": {"down": 0.0, "none": 0.0, "up": 1.0}}
    assert [(t.direction, t.answers, t.agree) for t in found.trials] == [
        ("down", {"down": 1, "none": 1, "up": 0}, 0.5),
        ("up", {"down": 0, "none": 0, "up": 2}, 1.0),
    ]
    assert found.ratings["melody"]["all"].mean == 3.0
    assert found.ratings["melody"]["up"].each == [0, 2, 0, 0, 0]
    # Units up up and down none: coincidences uu 2, dn 1, nd 1; n = 4. 1 - 3 * 2 / (16 - 4 - 1 - 1)
    assert found.raters["direction"]["nominal"] == pytest.approx(0.4)
    assert found.raters["melody"] == {"interval": 1.0, "ordinal": 1.0}
    assert found.raters["rhythm"] == {"interval": None, "ordinal": None}  # all info 5
    assert found.subjects == {
        "invited": 3, "consented": 2, "practised": 2, "complete": 2, "finished": 0, "answered": 2,
    }  # fmt: skip


def test_no_answer_yet(small, tmp_path):
    found, files = write(small, tmp_path / "out")
    assert files == ["answers.csv", "report.json"]
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == files
    assert found.table().splitlines()[-1] == "no answers yet"
    assert found.agreement["all"]["agree"] == study_report.Share(0, None, None, None)
    assert found.ratings["rhythm"]["up"] == study_report.Mean(0, None, None, [0] * 5)
    assert found.raters["direction"]["nominal"] is None
    assert (tmp_path / "out" / "answers.csv").read_text().splitlines() == [",".join(study_report.COLUMNS)]
    assert "NaN" not in (tmp_path / "out" / "report.json").read_text()


def test_practice_and_consent_alone_are_no_answers(small):
    with Study.open(small) as study:
        begin(study, tokens_of(small)[0])
    found = report(small)
    assert (found.answers, found.subjects["practised"], found.subjects["answered"]) == (0, 1, 0)


def test_one_subject(small, tmp_path):
    with Study.open(small) as study:
        token = tokens_of(small)[0]
        for trial in begin(study, token).trials:
            answer(study, token, trial.id)
    found, files = write(small, tmp_path / "out")
    assert found.warnings == ["one subject alone: no bootstrap and no agreement between raters"]
    assert found.agreement["up"]["agree"].bootstrap is None
    assert found.agreement["up"]["agree"].wilson[1] == 1.0
    assert found.raters["direction"]["nominal"] is None
    assert "figure6.png" in files
    assert "nan" not in found.table().lower()


def test_who_stopped_half_way_counts_as_far_as_they_came(small):
    with Study.open(small) as study:
        one, two, three = tokens_of(small)
        answer(study, one, begin(study, one).trials[0].id)
        study.answer(two, begin(study, two).trials[0].id, changed="none")  # and no rating
        study.answer(three, begin(study, three).trials[1].id, ratings={"melody": 5})  # and no direction
    found = report(small)
    assert (found.answers, found.subjects["answered"], found.subjects["complete"]) == (2, 3, 0)
    assert found.warnings == [
        "subjects who stopped before the last trial: 3; what they answered counts",
        "answers without both sounds having been played: 1 of 2",
    ]
    assert sum(found.ratings["melody"]["all"].each) == 2
    assert found.ratings["melody"]["all"].mean == 4.0
    assert found.table()


def test_the_table_reads(asked):
    lines = report(asked).table().splitlines()
    assert lines[0] == "study study: 20 trials, preset arousal by 1, model toy, seed 0"
    assert lines[1] == ("subjects: 60 invited, 60 consented, 60 answered, 60 of them all trials; 1200 of 1200 answers")
    rows = {line.split()[0]: line for line in lines if line}
    assert {"down", "up", "all", *ASPECTS, "direction"} <= set(rows)
    assert all(len(line) <= 120 for line in lines)


def test_files(asked, tmp_path):
    found, files = write(asked, tmp_path / "deep" / "out")
    out = tmp_path / "deep" / "out"
    assert files == ["answers.csv", "report.json", "figure6.png", "trials.png"]
    assert json.loads((out / "report.json").read_text()) == json.loads(json.dumps(found.as_dict()))
    for name in files[2:]:
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    before = {name: (out / name).read_bytes() for name in files}
    write(asked, out)
    assert before == {name: (out / name).read_bytes() for name in files}
    with (out / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1200
    assert {row["subject"] for row in rows} == {str(i + 1) for i in range(60)}
    assert [int(row["position"]) for row in rows[:20]] == list(range(1, 21))
    agrees = np.mean([int(row["agrees"]) for row in rows if row["intended"] == "up"])
    assert agrees == pytest.approx(found.agreement["up"]["agree"].share)
    assert all(row["agrees"] == str(int(row["changed"] == row["intended"])) for row in rows)
    assert np.mean([int(row["melody"]) for row in rows]) == pytest.approx(found.ratings["melody"]["all"].mean)
    info = b"".join(before.values())
    assert not any(token.encode() in info for token in tokens_of(asked))


def test_a_title_in_any_script_and_with_dollars(tmp_path, monkeypatch):
    folder = write_study(tmp_path / "study", ["up", "down"], subjects=2)
    found = json.loads((folder / "study.json").read_text())
    found["trials"][0]["title"], found["trials"][1]["title"] = "月光, $1 and $2_{x", '=1+1,\n"a" ' + "long " * 30
    (folder / "study.json").write_text(json.dumps(found))
    with Study.open(folder) as study:
        panel(study)
    write(folder, tmp_path / "out")
    with (tmp_path / "out" / "answers.csv").open(newline="") as file:
        titles = {row["excerpt"] for row in csv.DictReader(file)}
    assert titles == {structured_text.safe_cell(trial["title"]) for trial in found["trials"]}
    assert found["trials"][1]["title"][0] == "=" not in {title[0] for title in titles}


def test_a_report_that_cannot_be_written(small, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(FadernetsError, match="out/in: cannot be made"):
        write(small, tmp_path / "out" / "in")
    with pytest.raises(FadernetsError, match="is no study"):
        report(tmp_path)
