"""Pieces with far too many notes: faders take about as much longer as there are more notes, leave what is too dense
with a clear line, and can be stopped. Times are generous: they say that nothing is quadratic, not how fast it is."""

import time

import numpy as np
import pytest

from fadernets.editing import cell_search, edit_plan, file_edit
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.music.document import Document

NOTE_FADERS = {"pitch": 5.0, "dynamics": 10.0, "articulation": -0.2, "tempo": 20.0, "key": 3.0}


@pytest.fixture(scope="module")
def engine():
    return Engine.open()


def dense(count, bars, seed=0):
    """A piece of random notes."""
    random = np.random.default_rng(seed)
    onset = np.sort(random.uniform(0, 4 * bars - 0.5, count))
    length = random.uniform(0.02, 0.3, count)
    return Document.of_notes(
        np.stack(
            [
                onset,
                onset + length,
                random.integers(21, 109, count),
                random.integers(1, 128, count),
            ],
            1,
        )
    )


def moved(engine, document, name, value, **options):
    return file_edit.edit_document(engine, document, Faders.checked(move={name: value}), **options)[0]


@pytest.mark.parametrize(("name", "value"), NOTE_FADERS.items())
def test_six_thousand_notes_in_a_bar_take_a_second_or_two(engine, name, value):
    document = dense(6000, 1)
    start = time.perf_counter()
    report = moved(engine, document, name, value).report
    assert time.perf_counter() - start < 4  # pitch took 40 seconds
    (segment,) = report.segments
    if name == "pitch":  # as far as notes that sound everywhere leave room
        assert segment.before[name] < segment.measured[name]
    elif name != "key":
        assert segment.measured[name] == pytest.approx(segment.asked[name], abs=0.5)


def test_twice_the_notes_take_about_twice_the_time(engine):
    def seconds(document):
        start = time.perf_counter()
        moved(engine, document, "pitch", 5.0)
        return time.perf_counter() - start

    few, many = dense(2000, 1), dense(8000, 1)
    assert min(seconds(many) for _ in range(2)) < 10 * min(seconds(few) for _ in range(2))  # quadratic: 16 times


@pytest.mark.parametrize(
    ("name", "value", "most"), [("pitch", 5.0, edit_plan.MOST_MOVED), ("syncopation", 1.0, cell_search.MOST_NOTES)]
)
def test_what_is_too_dense_stays_and_is_named(engine, name, value, most):
    documents = dense(most * 5 // 4, 1), dense(min(most, 100), 1, seed=1)
    notes = [document.piece.notes for document in documents]
    tpq = documents[0].piece.tpq
    rows = [(n["onset"] / tpq + 4 * i, n["end"] / tpq + 4 * i, n["pitch"], n["velocity"]) for i, n in enumerate(notes)]
    document = Document.of_notes(np.concatenate([np.stack(row, 1) for row in rows]))
    start = time.perf_counter()
    report = moved(engine, document, name, value).report
    assert time.perf_counter() - start < 10
    lines = [line for line in report.warnings if f"segments with more than {most} notes stay as they are" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"{name}: ")
    assert lines[0].endswith("(bars 1)")
    assert report.segments[0].asked[name] is None
    assert report.segments[0].measured[name] == report.segments[0].before[name]
    assert report.segments[1].asked[name] is not None


class StoppedError(Exception):
    """What a caller raises to end an edit."""


@pytest.mark.parametrize(("name", "value"), [("pitch", 5.0), ("syncopation", 1.0)])
def test_an_edit_ends_when_its_progress_raises(engine, name, value):
    document, calls = dense(1600, 16), []

    def progress(done, total):
        calls.append((done, total))
        if len(calls) > 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        moved(engine, document, name, value, progress=progress)
    assert calls[0] == calls[1]


@pytest.mark.parametrize("name", ["pitch", "syncopation"])
def test_it_is_asked_often_whether_to_go_on(engine, name):
    document, times = dense(9000 if name == "pitch" else 200, 4), []
    moved(engine, document, name, 2.0, progress=lambda done, total: times.append(time.perf_counter()))
    assert np.diff(times).max() < 1


def test_drafts_of_syncopation_cost_far_less_than_edits(engine):
    from importlib import resources
    from pathlib import Path

    document = Document(Path(str(resources.files("fadernets"))) / "assets" / "k545.mid")

    def seconds(draft):
        start = time.perf_counter()
        report = moved(engine, document, "syncopation", 1.0, quick=draft).report
        return time.perf_counter() - start, report.means

    (quick, drafted), (full, edited) = (
        min((seconds(draft) for _ in range(3)), key=lambda row: row[0]) for draft in (True, False)
    )
    assert quick < full / 2
    assert quick < 0.5  # of 28 bars
    assert (
        drafted["before"]["syncopation"] + 0.3 < drafted["measured"]["syncopation"] <= edited["measured"]["syncopation"]
    )
