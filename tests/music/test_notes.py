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
