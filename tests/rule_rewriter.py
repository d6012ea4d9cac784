"""A rewriter without a model: notes are struck again, dropped, lengthened and doubled until the levels are met."""

import json

import numpy as np

from fadernets.attributes.table import PAPER_FADERS, coded
from fadernets.codecs.grid import HOLD, OFF, ONSET
from fadernets.decoding import edit_models

NEAR = 0.04  # voices


class RuleRewriter:
    """What an edit asks of a rewriter; `tasks` are those that it was given."""

    name = "rule"

    def __init__(self):
        self.info = {
            "statistics": {
                "rhythm_density": {"std": 0.2, "p5": 0.2, "p95": 0.9},
                "note_density": {"std": 0.8, "p5": 2.0, "p95": 5.0},
            }
        }
        self.coded = coded(PAPER_FADERS)
        self.tasks = []

    def rewrite(self, task):
        self.tasks.append(task)
        rng, roll = np.random.default_rng(task.seed), task.roll.copy()
        starts = np.append(task.steps.starts, len(roll))
        for w, onsets, voices in zip(task.edited.tolist(), task.onsets.tolist(), task.voices.tolist(), strict=True):
            part = slice(starts[w], starts[w + 1])
            _Segment(roll, part, task, rng).move_to(onsets, voices)
        return roll


class _Segment:
    def __init__(self, roll, part, task, rng):
        locks = task.locks
        self.roll, self.first, self.rng = roll, part.start, rng
        self.cells = roll[part]  # a view
        self.pinned, self.allowed = locks.pinned[part], locks.allowed[part]
        self.must, self.never = locks.must_onset[part], locks.never_onset[part]
        self.length = task.steps.sixteenths[part].astype(float)

    @property
    def onsets(self):
        return (self.cells == ONSET).any(1)

    @property
    def voices(self):
        return float(((self.cells != OFF).sum(1) * self.length).sum() / self.length.sum())

    def move_to(self, onsets, voices):
        while self.onsets.sum() < onsets and self._strike():
            pass
        while self.onsets.sum() > onsets and self._drop():
            pass
        for _ in range(4 * self.cells.size):
            if abs(self.voices - voices) <= NEAR or not (self._fill() if self.voices < voices else self._thin()):
                break

    def _free(self, steps):
        return self.rng.permutation(np.flatnonzero(steps)).tolist()

    def _strike(self):
        for t in self._free(~self.onsets & ~self.never):
            for kind in (HOLD, OFF):
                pitches = np.flatnonzero((self.cells[t] == kind) & ~self.pinned[t] & self.allowed[t])
                if kind == OFF:
                    sounding = np.flatnonzero((self.cells != OFF).any(0) & self.allowed[t])
                    pitches = np.intersect1d(pitches, sounding) if len(np.intersect1d(pitches, sounding)) else pitches
                if len(pitches):
                    self.cells[t, pitches[len(pitches) // 2]] = ONSET
                    return True
        return False

    def _drop(self):
        for t in self._free(self.onsets & ~self.must & ~((self.cells == ONSET) & self.pinned).any(1)):
            if all(self._can_go(t, p) for p in np.flatnonzero(self.cells[t] == ONSET)):
                for p in np.flatnonzero(self.cells[t] == ONSET).tolist():
                    self._remove(t, p)
                return True
        return False

    def _tail(self, t, p):
        end = t + 1
        while end < len(self.cells) and self.cells[end, p] == HOLD:
            end += 1
        return end

    def _can_go(self, t, p):
        return not self.pinned[t : self._tail(t, p), p].any()

    def _remove(self, t, p):
        self.cells[t : self._tail(t, p), p] = OFF

    def _fill(self):
        steps, pitches = np.nonzero((self.cells[:-1] != OFF) & (self.cells[1:] == OFF) & ~self.pinned[1:])
        if len(steps):
            i = int(self.rng.integers(len(steps)))
            self.cells[steps[i] + 1, pitches[i]] = HOLD
            return True
        for t in self._free(self.onsets & ~self.never):
            pitches = np.flatnonzero((self.cells[t] == OFF) & ~self.pinned[t] & self.allowed[t])
            if len(pitches):
                self.cells[t, self.rng.choice(pitches)] = ONSET
                return True
        return False

    def _thin(self):
        ends = np.vstack([self.cells[1:] != HOLD, np.ones((1, 88), bool)])
        steps, pitches = np.nonzero((self.cells == HOLD) & ends & ~self.pinned)
        if len(steps):
            i = int(self.rng.integers(len(steps)))
            self.cells[steps[i], pitches[i]] = OFF
            return True
        many = (self.cells == ONSET).sum(1) > 1
        for t in self._free(many):
            for p in np.flatnonzero(self.cells[t] == ONSET).tolist():
                if self._can_go(t, p):
                    self._remove(t, p)
                    return True
        return False


def folder_of_rule(folder, monkeypatch):
    """A model folder that opens as the rule."""
    folder.mkdir()
    info = {"format": 2, "name": "rule", "kind": "rewriter", "codec": "grid", "sha256": {}}
    (folder / "model.json").write_text(json.dumps(info))
    monkeypatch.setitem(edit_models.KINDS, "rewriter", "rule_rewriter:RuleRewriter")
    monkeypatch.setattr(RuleRewriter, "open", classmethod(lambda cls, model: cls()), raising=False)
    return folder
