"""Two attributes: one of the grid, moved by search, and one of a performance, moved by its own change of notes."""

from dataclasses import replace

import numpy as np

from fadernets import Attribute

ONSET = 1  # a cell in which a note begins


def chord_size(cells):
    """[K] how many notes begin together, mean over the steps of cells [K, 16, 88] in which any does; nan without."""
    struck = (cells == ONSET).sum(axis=2)  # [K, 16]
    return struck.sum(axis=1) / (struck > 0).sum(axis=1)


CHORD_SIZE = Attribute("chord_size", chord_size, 1.0, 8.0, "notes struck together", near=0.25)


def on_beat(performance):
    """[N] whether each note begins within a sixteenth of a quarter note of one."""
    tpq = performance.windows.tpq
    since_window = performance.notes["onset"] - performance.windows.start[performance.window]
    return np.abs((since_window + tpq // 2) % tpq - tpq // 2) <= tpq // 16


def accent(performance):
    """[W] how much louder notes on a quarter note are than the others, in velocity; nan where either is missing."""
    beat, velocity = on_beat(performance), performance.notes["velocity"].astype(float)
    windows = len(performance.windows.start)
    means = []
    for chosen in (beat, ~beat):
        count = np.bincount(performance.window[chosen], minlength=windows)
        means.append(np.bincount(performance.window[chosen], velocity[chosen], windows) / count)
    return means[0] - means[1]


def set_accent(performance, asked):
    """Make the notes on the beat louder or softer and the others the other way, so that each window's mean stays."""
    change, beat = np.nan_to_num(asked - accent(performance)), on_beat(performance)
    share = np.nan_to_num(performance.mean(beat.astype(float)))  # [W] of the notes that lie on the beat
    step = change[performance.window] * (beat - share[performance.window])
    notes = performance.notes.copy()
    notes["velocity"] = np.clip(np.round(notes["velocity"] + step), 1, 127)
    return replace(performance, notes=notes)


ACCENT = Attribute("accent", accent, -60.0, 60.0, "velocity", near=2.0, of="performance", change=set_accent)
