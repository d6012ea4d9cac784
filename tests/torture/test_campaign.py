"""Two minutes of the campaign, and that its checks find what is wrong."""

import os
import random
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from midi_files import PIECES

from fadernets.editing import file_edit
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.music.document import Document, Edit
from fadernets.music.segments import cut
from torture import edited_files, files, isolated, mutator, score_bytes, score_mutator, scores, threads, waiting
from torture.outcome import Outcome, write_table

SLICE = {
    "files": 300,
    "scores": 100,
    "kills": 15,
    "models": 60,
    "same_bytes": 4,
    "threads": 64,
    "server": 20,
}  # cases, of the server seconds
SEED = 5


@pytest.mark.parametrize("part", SLICE)
def test_a_slice_of_the_campaign_finds_nothing(part, tmp_path):
    command = [
        sys.executable,
        "-m",
        "torture",
        part,
        "--cases",
        SLICE[part],
        "--seed",
        SEED,
        "--out",
        tmp_path / "t.md",
    ]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), *sys.path]))
    }
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout.startswith(f"part: {part}; ")) == (0, True), done.stderr + done.stdout
    assert f"| {part} |" in (tmp_path / "t.md").read_text()


def test_the_mutator_draws_the_same_again():
    for number in range(40):
        one, other = (mutator.mutated(random.Random(f"7/{number}")) for _ in range(2))
        assert one == other
        assert one[1]
    assert len({mutator.mutated(random.Random(f"7/{number}"))[0] for number in range(40)}) == 40


@pytest.mark.parametrize("mutation", [*mutator.SCORES, *mutator.BYTES], ids=lambda mutation: mutation.__name__)
def test_every_mutation_gives_a_file(mutation):
    for seed in range(12):
        rng = random.Random(seed)
        score = mutator.small_piece(rng)
        plain = mutator.written(score)
        if mutation in mutator.BYTES:
            assert isinstance(mutation(rng, plain), bytes)
        else:
            mutation(rng, score)
            assert isinstance(mutator.written(score), bytes)


def test_the_mutator_of_scores_draws_the_same_again():
    drawn = [score_mutator.mutated(random.Random(f"7/{number}")) for number in range(40)]
    assert drawn == [score_mutator.mutated(random.Random(f"7/{number}")) for number in range(40)]
    assert len({data for data, _ in drawn}) == 40


MUTATIONS = sorted({*score_mutator.TREES, *score_bytes.TEXTS, *score_bytes.PACKINGS}, key=lambda each: each.__name__)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_every_mutation_of_a_score_gives_a_file(mutation):
    for seed in range(6):
        rng = random.Random(seed)
        root = score_mutator.small_score(rng)
        plain = score_mutator.written(root)
        if mutation in score_mutator.TREES:
            mutation(rng, root)
            assert isinstance(score_mutator.written(root), bytes)
        else:
            assert isinstance(mutation(rng, plain), bytes)


def test_scores_whose_notes_are_others_are_found():
    """The check of scores that are given back sees a note that moved, one that is gone and a measure that changed."""
    rng = random.Random(3)
    source = scores.opened(score_mutator.written(score_mutator.small_score(rng)))
    lanes = source.read().lanes
    moved, fewer = (Document.of_bytes(source.with_tracks({})).piece for _ in range(2))
    notes = moved.notes.copy()
    notes["onset"][0] += moved.tpq
    assert scores.same_notes(source.piece, source.piece, [lanes, lanes]) == []
    assert scores.same_notes(source.piece, replace(moved, notes=notes), [lanes, lanes])
    assert scores.same_notes(source.piece, replace(fewer, notes=fewer.notes[1:]), [lanes, lanes])
    other = source.read().file.root
    assert scores.other_measures(source, source, other) == []
    other.find("part/measure/note").append(score_mutator.note(60, 1))
    assert scores.other_measures(source, source, other)


def test_mutations_follow_each_other_in_any_order():
    for seed, first in enumerate(mutator.SCORES):
        for second in mutator.SCORES:
            rng = random.Random(seed)
            score = mutator.small_piece(rng)
            score.tpq = 0
            first(rng, score)
            second(rng, score)
            assert isinstance(mutator.written(score), bytes)


@pytest.fixture(scope="module")
def engine():
    return Engine.open().load()


@pytest.fixture
def edited(engine, tmp_path):
    """A document, the faders that moved it and the answer."""
    source = Document(PIECES["two_hands"](tmp_path / "in.mid"))
    faders = Faders.checked(move={"rhythm_density": 0.25}, bars=[(2, 3)])
    (answer,) = file_edit.edit_document(engine, source, faders)
    assert edited_files.check_edit(engine, source, answer, faders) == []
    return source, faders, answer


def spoilt(answer, change):
    """The answer with another file."""
    return replace(answer, data=change(Document.of_bytes(answer.data)))


def without_ends(document):
    """Half of the releases are gone."""
    events = document.paired.events[1]
    ends = [
        i for i, (_, message) in enumerate(events) if message[0] >> 4 == 8 or (message[0] >> 4 == 9 and not message[2])
    ]
    return document.with_tracks({1: [event for i, event in enumerate(events) if i not in ends[::2]]})


def with_one_note_louder(document):
    """A note of the first bar, which no fader reached."""
    note = document.piece.notes[:1].copy()
    note["velocity"] += 1
    return document.edited(replace(Edit.nothing(), changed=np.array([0]), becomes=note))


def with_a_text(document):
    events = document.paired.events[0]
    return document.with_tracks({0: [(0, b"\xff\x01\x01x"), *events]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_ends, "are never released"),
        (with_one_note_louder, "notes outside the edited segments changed"),
        (with_a_text, "events of track chunk 1 that are no notes changed"),
        (lambda document: document.with_tracks({})[:-30], ""),
    ],
)
def test_the_checks_find_what_is_wrong(engine, edited, change, message):
    source, faders, answer = edited
    if message:
        found = edited_files.check_edit(engine, source, spoilt(answer, change), faders)
    else:
        found, message = edited_files.readers(edited_files.source_bytes(source), change(source)), "cannot read"
    assert any(message in line for line in found), found


def test_a_report_that_is_not_of_the_file_is_found(engine, edited):
    source, faders, answer = edited
    answer.report.segments[1].measured["pitch"] = 3.0
    found = edited_files.check_edit(engine, source, answer, faders)
    assert any("values of the report are not those of the file" in line for line in found)


@pytest.mark.parametrize(("struck", "count"), [(67, 0), (69, 2)])
def test_held_notes_may_end_where_their_key_is_struck_and_nowhere_else(struck, count):
    """Two that are alike begin before the second bar and end at its start."""
    held, low = (3, 6, 67, 80), (0, 16, 36, 60)
    source = Document.of_notes([low, held, held, (4, 5, 65, 80)])
    after = Document.of_notes([low, *[(3, 4, 67, 80)] * 2, (4, 5, struck, 80)])
    plan = SimpleNamespace(inside=np.array([False, True, False, False]))
    found = edited_files.outside_the_bars(cut(source.piece), plan, source, after, keyed=False)
    assert [int(line.split()[0]) for line in found if "outside the edited segments" in line] == [count] * (count > 0)


def test_a_preset_may_take_all_tracks_to_another_mode():
    assert files.case(0, 9254).findings == []


def fails(seed, number):
    """Cases that go wrong, each in its own way."""
    isolated.doing(f"case of {seed}")
    if number == 0:
        raise KeyError("a bug")
    if number == 1:
        os._exit(7)
    return isolated.Case("good")


def test_a_case_that_ends_its_process_is_a_finding():
    found = dict(isolated.run("torture.test_campaign:fails", 3, range(3)))
    assert [line for line in found[0].findings if line.startswith("case of 3: KeyError in test_campaign.py")]
    assert found[1].findings == ["its process died (exit code 7)"]
    assert found[2].findings == []


def test_files_that_threads_take_from_each_other_are_found(monkeypatch):
    """Temporary files named by their process alone, as they once were."""

    def write_by_process(path, data):
        part = path.with_name(f".{os.getpid()}")
        part.write_bytes(data)
        time.sleep(0.02)
        os.replace(part, path)

    monkeypatch.setattr(file_edit, "write_atomic", write_by_process)
    outcome = threads.run(48, SEED)
    assert outcome.findings
    assert outcome.figures["right files"] < 48


def test_a_file_is_held_to_its_own_edit(tmp_path):
    wanted = [b"one", b"another"]
    (tmp_path / "0.mid").write_bytes(b"another")
    (tmp_path / "1.mid").write_bytes(b"another")
    (tmp_path / "2.mid").write_bytes(b"half")
    found = [threads.held(tmp_path, number, wanted) for number in range(4)]
    assert found == [["its file holds another edit"], [], ["its file holds no edit"], ["its file is not there"]]


def test_who_waits_for_another_one_s_request_is_found(monkeypatch):
    assert len(waiting.WORST) == waiting.CASES
    monkeypatch.setattr(waiting, "LONGEST_WAIT", 0.0)
    monkeypatch.setattr(waiting, "MOST_MEMORY", 1.0)
    outcome = waiting.run(1, SEED, first=1)
    assert outcome.cases == 1
    assert " GETs, median " in outcome.figures["pitch of 6,000 notes in a bar"]
    assert [line.split(" took ")[0].split(" of /")[0] for line in outcome.findings] == [
        "pitch of 6,000 notes in a bar: a GET",
        "pitch of 6,000 notes in a bar: its processes",
    ]


def test_a_case_can_be_run_alone():
    found = files.run(2, 1, first=643)
    assert (found.cases, found.findings) == (2, [])
    assert found.command == "python -m torture files --cases 2 --first 643 --seed 1"


def test_the_tests_that_the_page_of_results_names_are_there():
    root, file, named = Path(__file__).parents[2], "", set()
    for path, name in re.findall(r"`(tests/[\w/]+\.py)?::(\w+)`", (root / "docs" / "torture.md").read_text()):
        file = path or file
        assert f"def {name}(" in (root / file).read_text(), (file, name)
        named.add(name)
    assert len(named) > 50


def test_a_table_has_a_row_for_each_part(tmp_path):
    outcome = Outcome("files", 5)
    outcome.add(["something"], 1.234, 99.4)
    outcome.count("refused")
    write_table(tmp_path / "t.md", [outcome])
    text = (tmp_path / "t.md").read_text()
    assert "| files | 1 | 1 | 1.23 | 99 | refused 1 | 5 | python -m torture files --cases 1 --seed 5 |" in text
    assert "- something" in text
    assert outcome.line().startswith("part: files; cases: 1; findings: 1; worst seconds: 1.23; peak MB: 99")


def test_every_kind_of_case_is_drawn():
    assert set(files.ACTIONS) == set(files.KINDS)
