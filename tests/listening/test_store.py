"""Answers: stored at once, in order, whoever else writes; and nothing in sight that tells a direction."""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import threading
from itertools import count

import numpy as np
import pytest
from listeners import answer, begin, rate, tokens_of, write_study

from fadernets.errors import FadernetsError
from fadernets.listening import answer_database, store, study_files
from fadernets.listening.store import Played, Study, StudyError, UnknownSubject
from fadernets.listening.study_files import ANSWERS, ASPECTS, TOKENS

WAYS = ["up", "down", "down", "up", "up", "down"]


@pytest.fixture
def folder(tmp_path):
    return write_study(tmp_path / "study", WAYS)


@pytest.fixture
def study(folder):
    with Study.open(folder) as study:
        yield study


@pytest.fixture
def token(folder):
    return tokens_of(folder)[0]


def test_a_subject_goes_through_a_study(study, token):
    state = study.subject(token)
    assert (state.subject, state.consent, state.answered, state.finished) == (1, False, 0, False)
    assert state.next == state.practice.id
    assert study.consent(token).consent
    state = answer(study, token, state.practice.id)
    assert state.practice.complete
    for i, trial in enumerate(state.trials):
        assert state.next == trial.id
        state = answer(study, token, trial.id, "none", rate(2, melody=5))
        assert state.answered == i + 1
    assert state.next is None
    assert not state.finished
    state = study.finish(token)
    assert state.finished
    assert study.finish(token) == state
    assert state == study.subject(token)
    given = state.trials[3].answer
    assert (given.changed, given.ratings) == ("none", rate(2, melody=5))
    assert given.played == Played(1, 1, 20.0)


def test_looking_makes_no_file(study, token, folder):
    study.subject(token)
    assert study.records() == []
    assert study.progress() == {"invited": 4, "consented": 0, "practised": 0, "complete": 0, "finished": 0}
    assert not (folder / ANSWERS).exists()


def test_what_must_come_first_comes_first(study, token):
    state = study.subject(token)
    practice, first = state.practice.id, state.trials[0].id
    for trial in (practice, first):
        with pytest.raises(StudyError, match="no consent yet: it comes before everything else"):
            answer(study, token, trial)
    with pytest.raises(StudyError, match="no consent yet"):
        study.finish(token)
    with pytest.raises(StudyError, match="no consent yet"):
        study.sound(token, state.practice.original)
    study.consent(token)
    study.answer(token, practice, changed="up", ratings={"rhythm": 3})
    with pytest.raises(StudyError, match="the practice trial comes first: it has no complete answer yet"):
        answer(study, token, first)
    answer(study, token, practice)
    answer(study, token, first)
    with pytest.raises(StudyError, match="5 of 7 trials have no complete answer yet"):
        study.finish(token)
    assert study.subject(token).answered == 1


def test_answers_may_change_until_the_end(study, token):
    state = begin(study, token)
    for trial in state.trials:
        answer(study, token, trial.id, "up")
    last = state.trials[-1].id
    state = answer(study, token, last, "down", rate(1))
    assert state.trials[-1].answer.changed == "down"
    assert len(study.records()) == len(WAYS)
    study.finish(token)
    with pytest.raises(StudyError, match="this subject has finished: answers can no longer be changed"):
        answer(study, token, last, "up")
    assert study.subject(token).trials[-1].answer.changed == "down"


def test_an_answer_may_come_in_parts(study, token):
    trial = begin(study, token).trials[0].id
    assert study.answer(token, trial, played={"original": 1}).trials[0].answer.changed is None
    study.answer(token, trial, changed="down")
    for i, aspect in enumerate(ASPECTS):
        state = study.answer(token, trial, ratings={aspect: i + 1})
        assert state.trials[0].complete == (i == 3)
    study.answer(token, trial, played={"transformed": 4, "seconds": 9.5})
    study.answer(token, trial, played={"transformed": 2, "original": 3})  # late on its way
    given = study.subject(token).trials[0].answer
    assert (given.changed, given.ratings) == ("down", {"rhythm": 1, "melody": 2, "harmony": 3, "naturalness": 4})
    assert given.played == Played(3, 4, 9.5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"changed": "higher"}, "changed 'higher': allowed are up, down and none"),
        ({"ratings": {"rhythm": 0}}, "rating rhythm 0: must be a whole number from 1 to 5"),
        ({"ratings": {"rhythm": 6}}, "rating rhythm 6: must be a whole number from 1 to 5"),
        ({"ratings": {"melody": 2.5}}, "rating melody 2.5: must be a whole number"),
        ({"ratings": {"melody": True}}, "rating melody True: must be a whole number"),
        ({"ratings": {"melody": "3"}}, "rating melody '3': must be a whole number"),
        ({"ratings": {"beauty": 3}}, "rating 'beauty' is not known; allowed: rhythm, melody, harmony, naturalness"),
        ({"played": {"both": 3}}, "played 'both' is not known; allowed: original, transformed, seconds"),
        ({"played": {"original": -1}}, "played original -1: must lie in"),
        ({"played": {"original": 1.5}}, "played original 1.5: must be a whole number"),
        ({"played": {"seconds": float("nan")}}, "played seconds nan: must be a number"),
        ({"played": {"seconds": "9"}}, "played seconds '9': must be a number"),
    ],
)
def test_what_no_answer_can_be(study, token, given, message):
    trial = begin(study, token).trials[0].id
    with pytest.raises(StudyError) as error:
        study.answer(token, trial, **given)
    assert message in str(error.value)
    assert study.subject(token).trials[0].answer is None


@pytest.mark.parametrize("wrong", ["", "no", None, 3, "' OR 1=1 --"])
def test_unknown_tokens(study, token, wrong):
    sound = study.manifest.practice.original
    calls = [study.subject, study.consent, study.finish, study.withdraw]
    calls += [lambda t: study.sound(t, sound), lambda t: answer(study, t, study.manifest.practice.id)]
    for call in calls:
        with pytest.raises(UnknownSubject, match="this link belongs to no subject of this study"):
            call(wrong)


@pytest.mark.parametrize("wrong", ["", "x", "../study", "'; DROP TABLE answers; --"])
def test_unknown_trials_and_sounds(study, token, wrong):
    begin(study, token)
    with pytest.raises(StudyError, match="is not in this study"):
        answer(study, token, wrong)
    with pytest.raises(StudyError, match="is not in this study"):
        study.sound(token, wrong)


def test_sounds_are_files(study, token):
    study.consent(token)
    state = study.subject(token)
    found = [study.sound(token, name) for t in [state.practice, *state.trials] for name in (t.original, t.transformed)]
    assert len(set(found)) == 14
    assert all(path.suffix == ".wav" and path.is_file() for path in found)


def test_subjects_keep_out_of_each_others_way(study, folder):
    one, two = tokens_of(folder)[:2]
    trial = begin(study, one).trials[0].id
    answer(study, one, trial)
    assert study.subject(two).answered == 0
    assert not study.subject(two).consent


def test_who_withdraws_is_gone(study, token, folder):
    state = begin(study, token)
    other = begin(study, tokens_of(folder)[1])
    answer(study, token, state.trials[0].id)
    answer(study, tokens_of(folder)[1], other.trials[0].id)
    state = study.withdraw(token)
    assert (state.consent, state.answered, state.practice.answer) == (False, 0, None)
    assert [r.subject for r in study.records()] == [2]
    study.close()
    with sqlite3.connect(folder / ANSWERS) as db:
        assert db.execute("SELECT DISTINCT subject FROM answers").fetchall() == [(2,)]
    db.close()


def test_practice_is_no_record_and_records_come_in_order(study, folder):
    for token in reversed(tokens_of(folder)):
        for trial in reversed(begin(study, token).trials):
            answer(study, token, trial.id)
    found = [(r.subject, r.trial) for r in study.records()]
    assert found == [(i + 1, trial) for i, order in enumerate(study.manifest.orders) for trial in order]


# --- blindness


def words(value):
    """Every word and number in a JSON value."""
    if isinstance(value, dict):
        return [*value, *(w for v in value.values() for w in words(v))]
    return [w for v in value for w in words(v)] if isinstance(value, list) else [value]


def test_what_a_subject_sees_is_the_same_whichever_way_trials_go(tmp_path, monkeypatch):
    """The study and its mirror image differ in nothing that is served."""
    seen = []
    for name, ways in (("a", WAYS), ("b", [{"up": "down", "down": "up"}[way] for way in WAYS])):
        numbers = count(1)
        monkeypatch.setattr(secrets, "token_hex", lambda n, numbers=numbers: f"{next(numbers) * 7919:0{2 * n}x}")
        folder = write_study(tmp_path / name, ways)
        monkeypatch.undo()
        with Study.open(folder) as study:
            states = [study.subject(token).as_dict() for token in tokens_of(folder)]
            states += [begin(study, token).as_dict() for token in tokens_of(folder)]
        media = sorted((f.name, f.stat().st_size) for f in (folder / "media").iterdir())
        seen.append((states, media, study.consent_text))
    assert seen[0] == seen[1]


def test_no_state_says_a_direction_or_a_title(study, token):
    info = words(study.subject(token).as_dict())
    assert not {"up", "down", "direction", "title", "before", "after"} & set(map(str, info))
    assert not any("piece" in str(word) for word in info)


def test_ids_say_nothing(tmp_path):
    ways = ["up"] * 100 + ["down"] * 100
    manifest = study_files.read(write_study(tmp_path / "study", ways, subjects=2))
    ids = [name for t in manifest.trials for name in (t.id, t.original, t.transformed)]
    assert len(set(ids)) == 600
    assert {len(name) for name in ids} == {12}
    assert [t.id for t in manifest.trials] == sorted(t.id for t in manifest.trials)
    up = np.array([t.direction == "up" for t in manifest.trials])
    for names in (lambda t: t.id, lambda t: t.original, lambda t: t.transformed):
        rank = np.argsort(np.argsort([names(t) for t in manifest.trials]))
        # The difference of mean ranks of two hundreds has a standard deviation of 8.2.
        assert abs(rank[up].mean() - rank[~up].mean()) < 5 * 8.2


def test_orders_are_the_seeds_and_favour_no_direction(tmp_path):
    ways = ["up"] * 10 + ["down"] * 10
    titles = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        manifest = study_files.read(write_study(tmp_path / name, ways, subjects=200, seed=seed))
        by_id = {t.id: t for t in manifest.trials}
        titles.append([[by_id[trial].title for trial in order] for order in manifest.orders])
    assert titles[0] == titles[1]
    assert titles[0] != titles[2]
    assert len({tuple(order) for order in titles[0]}) == 200
    place = np.array([[by_id[trial].direction == "up" for trial in order] for order in manifest.orders])
    # How many of 200 subjects hear one that goes up at each place: 100 with a standard deviation of 7.1.
    assert np.abs(place.sum(0) - 100).max() < 30
    # And whether one that goes up follows one that does: 9 in 19.
    assert place[:, 1:][place[:, :-1]].mean() == pytest.approx(9 / 19, abs=0.04)


# --- nothing is lost


def test_threads_lose_nothing(tmp_path, monkeypatch):
    """Twelve subjects at once, half of them through one Study, the others through one each; all of them at first."""
    monkeypatch.setattr(answer_database, "SYNCHRONOUS", "OFF")
    folder = write_study(tmp_path / "study", WAYS * 2, subjects=12)
    shared, errors = Study.open(folder), []
    start = threading.Barrier(12)

    def answers(i, token):
        try:
            study = shared if i % 2 else Study.open(folder)
            start.wait()
            state = begin(study, token)
            for k, trial in enumerate(state.trials):
                answer(study, token, trial.id, ["up", "down", "none"][(i + k) % 3], rate(1 + (i + k) % 5))
            study.finish(token)
            if not i % 2:
                study.close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=answers, args=row) for row in enumerate(tokens_of(folder))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = shared.records()
    assert len(found) == 12 * 12
    for i, record in enumerate(found):
        k = i % 12 + i // 12
        assert record.answer.changed == ["up", "down", "none"][k % 3]
        assert record.answer.ratings == rate(1 + k % 5)
    assert shared.progress()["finished"] == 12
    shared.close()


def test_parts_of_one_answer_at_once_all_arrive(study, token):
    trial = begin(study, token).trials[0].id
    parts = [{"ratings": {aspect: 4}} for aspect in ASPECTS]
    parts += [{"changed": "up"}, {"played": {"original": 2}}, {"played": {"transformed": 3}}]
    threads = [threading.Thread(target=study.answer, args=(token, trial), kwargs=part) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    given = study.subject(token).trials[0].answer
    assert (given.changed, given.ratings, given.played) == ("up", rate(4), Played(2, 3, 0.0))


def test_an_answer_outlives_its_process(folder, token):
    """A server that dies right behind an answer has stored it, and the subject goes on there."""
    code = (
        "import os, sys; from fadernets.listening.store import Study; s = Study.open(sys.argv[1]); t = sys.argv[2];"
        "s.consent(t); r = dict(rhythm=1, melody=2, harmony=3, naturalness=4);"
        "s.answer(t, s.subject(t).practice.id, changed='up', ratings=r);"
        "s.answer(t, s.subject(t).next, changed='none', ratings=r); os._exit(9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(folder), token], env=os.environ, timeout=60)
    assert ended.returncode == 9
    with Study.open(folder) as study:
        state = study.subject(token)
        assert (state.answered, state.next) == (1, state.trials[1].id)


def test_an_error_in_mid_answer_stores_nothing(study, token, monkeypatch):
    trial = begin(study, token).trials[0].id
    monkeypatch.setattr(store, "STORE", store.STORE.replace(":now, :now", ":now"))
    with pytest.raises(FadernetsError, match=r"answers\.sqlite"):
        answer(study, token, trial)
    monkeypatch.undo()
    assert study.subject(token).trials[0].answer is None
    assert answer(study, token, trial).answered == 1


# --- folders


def test_a_study_passed_on_without_tokens_can_be_read(folder):
    (folder / TOKENS).unlink()
    with Study.open(folder) as study:
        assert study.records() == []
        with pytest.raises(UnknownSubject):
            study.subject("x")


def test_links(study, folder):
    assert study.links("http://lab/listen/") == [
        (i + 1, f"http://lab/listen/{token}") for i, token in enumerate(tokens_of(folder))
    ]
    assert len({link for _, link in study.links("")}) == 4
    assert all(len(link) >= 20 for _, link in study.links(""))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("study.json", None, "is no study: study.json cannot be read"),
        ("study.json", "{", "is damaged"),
        ("study.json", "[]", "is damaged"),
        ("study.json", '{"format": 2}', "is of another format; this version reads 1"),
        ("study.json", '{"format": 1}', "is damaged"),
        ("consent.txt", None, "consent.txt: cannot be read"),
        ("tokens.csv", "a,b\n1,2\n", "tokens.csv: is damaged; expected a CSV with columns subject and token"),
        ("tokens.csv", "subject,token\n7,abc\n", "has a token for subject 7, but 4 orders"),
        ("answers.sqlite", "no data base" * 100, "answers.sqlite: file is not a database"),
    ],
)
def test_damaged_studies(folder, token, name, text, message):
    (folder / name).write_text(text) if text is not None else (folder / name).unlink()
    with pytest.raises(FadernetsError) as error, Study.open(folder) as study:
        study.subject(token)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_orders_that_are_not_the_trials(folder):
    found = json.loads((folder / "study.json").read_text())
    found["orders"][0][0] = found["orders"][0][1]
    (folder / "study.json").write_text(json.dumps(found))
    with pytest.raises(FadernetsError, match="is damaged"):
        Study.open(folder)


def test_answers_of_a_later_version(folder, token):
    db = sqlite3.connect(folder / ANSWERS)
    db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(FadernetsError, match="is of format 9; this version reads 1"), Study.open(folder) as study:
        study.subject(token)
