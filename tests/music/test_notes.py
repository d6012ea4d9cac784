"""Tempo and metre maps against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fadernets.music.notes import MetreMap, TempoMap, Track, make_notes


def test_without_a_tempo_a_quarter_takes_half_a_second():
    tempo = TempoMap.of([], 480)
    assert tempo.seconds([0, 480, 960]).tolist() == [0.0, 0.5, 1.0]


def test_seconds_follow_every_tempo_change():
    tempo = TempoMap.of([(0, 1_000_000), (480, 250_000)], 480)
    assert tempo.seconds([240, 480, 960, 1440]).tolist() == [0.5, 1.0, 1.25, 1.5]


def test_the_last_tempo_of_a_tick_holds():
    assert TempoMap.of([(0, 250_000), (0, 1_000_000)], 480).seconds(480) == pytest.approx(1.0)


def test_the_default_holds_until_the_first_tempo():
    assert TempoMap.of([(480, 1_000_000)], 480).seconds([480, 960]).tolist() == [0.5, 1.5]


def test_bars_start_anew_at_a_change_of_metre():
    metre = MetreMap.of([(0, 4, 4), (1920 + 960, 3, 4)], 480)
    assert metre.bar_starts(6000).tolist() == [0, 1920, 2880, 4320, 5760]
    assert metre.bar_lengths().tolist() == [1920, 1440]


def test_eighths_make_shorter_bars():
    assert MetreMap.of([(0, 6, 8)], 480).bar_lengths().tolist() == [1440]
    assert MetreMap.of([], 480).bar_lengths().tolist() == [1920]


def test_notes_come_in_order():
    notes = make_notes([(10, 20, 60, 80, 0), (0, 5, 64, 80, 0), (0, 9, 60, 80, 1), (0, 4, 60, 80, 0)])
    assert notes[["onset", "pitch", "end"]].tolist() == [(0, 60, 4), (0, 60, 9), (0, 64, 5), (10, 60, 20)]
    assert len(make_notes([])) == 0


def test_keyboards_and_drums():
    assert Track("", 0, 0, 0).is_keyboard
    assert Track("", 0, 0, 19).is_keyboard  # church organ
    assert not Track("", 0, 0, 40).is_keyboard  # violin
    assert Track("", 0, 9, 0).is_drum
    assert not Track("", 0, 9, 0).is_keyboard
    assert isinstance(make_notes([(0, 1, 60, 1, 0)])["onset"][0], np.integer)


def bars(end, *signatures):
    return MetreMap.of(list(signatures), 10).bar_starts(end).tolist()


def test_bar_lines():
    assert bars(100) == [0, 40, 80]
    assert bars(80) == [0, 40]
    assert bars(100, (0, 3, 4)) == [0, 30, 60, 90]
    assert bars(100, (0, 6, 8)) == [0, 30, 60, 90]
    assert bars(100, (0, 1, 4), (10, 4, 4)) == [0, 10, 50, 90]
    assert bars(100, (20, 3, 4)) == [0, 20, 50, 80]  # 4/4 until the first signature
    assert bars(100, (0, 4, 4), (50, 2, 4)) == [0, 40, 50, 70, 90]  # a change starts a bar
    assert bars(100, (0, 3, 4), (0, 4, 4)) == [0, 40, 80]  # the last on a tick holds


def test_a_signature_said_again_on_a_bar_line_is_no_change():
    assert MetreMap.of([(0, 3, 4), (60, 3, 4), (90, 3, 4)], 10).ticks.tolist() == [0]
    assert MetreMap.of([(0, 3, 4), (50, 3, 4)], 10).ticks.tolist() == [0, 50]
    assert MetreMap.of([(40, 4, 4), (80, 4, 4)], 10).ticks.tolist() == [0]
    assert MetreMap.of([(0, 3, 4), (30, 4, 4), (70, 3, 4)], 10).ticks.tolist() == [0, 30, 70]


def test_impossible_signatures_make_no_endless_bars():
    assert len(MetreMap.of([(0, 0, 2**200)], 480).bar_starts(480)) == 16
