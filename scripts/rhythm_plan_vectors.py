"""Writes tests/vectors/rhythm_plan.json: how the bundled model of rhythm plans the onsets of a small made-up piece.

    python scripts/rhythm_plan_vectors.py

is to be run again whenever that model was fitted anew, or patterns are chosen in another way. The piece and the way in
which arrays are written are those of rewriter_vectors.py.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rewriter_vectors import DIGITS, made_task, restored, restored_task, stored, stored_all, stored_task

from fadernets.codecs.grid import ONSET
from fadernets.data.passages import segment_ends
from fadernets.decoding.rewrite_task import RewriteTask
from fadernets.decoding.rhythm_plan import planned
from fadernets.engines.rhythm import Rhythm, draw_pattern, step_features

OUT = Path(__file__).parents[1] / "tests" / "vectors" / "rhythm_plan.json"
SEGMENT = 2  # whose odds are written; the segment before the last one has the same steps
MOVES = (2, -2)  # onset steps by which bars are moved


def asked(move: int) -> RewriteTask:
    """The made-up task with its bars asked for so many onset steps more than they have."""
    task = made_task()
    onsets = task.measured()[0][task.edited]
    return replace(task, onsets=np.clip(onsets + move, 1, np.bincount(task.steps.segment)[task.edited]), seed=3)


def odds_of(task: RewriteTask) -> dict[str, Any]:
    """The odds of one segment of a task after a silent one and none, and a pattern drawn from them."""
    ends = segment_ends(task.steps)
    at = slice(int(ends[SEGMENT]), int(ends[SEGMENT + 1]))
    struck = (task.roll[at] == ONSET).any(-1)
    count = int(struck.sum()) + 2
    features = step_features(task.steps.take(at), count, [~struck, None])
    odds = Rhythm.bundled().log_odds(features)
    chances = np.random.default_rng([task.seed, SEGMENT]).random(len(struck))
    preferred = np.where(struck, 1.5, 0.0)
    pattern = draw_pattern(odds, count, preferred, chances)
    arrays = {"features": features, "log_odds": odds, "preferred": preferred, "chances": chances, "pattern": pattern}
    return stored_all(arrays) | {"count": count}


def plan_of(task: RewriteTask) -> dict[str, Any]:
    """Where the onsets of a task fall."""
    plan = planned(Rhythm.bundled(), task)
    return stored_all({"struck": plan.struck, "decided": plan.decided})


def vectors() -> dict[str, Any]:
    """All of the file."""
    tasks = [asked(move) for move in MOVES]
    plans = [{"task": stored_task(task), "outputs": plan_of(task)} for task in tasks]
    return {"digits": DIGITS, "odds": odds_of(tasks[0]), "plans": plans}


def main() -> None:
    """Write the file."""
    OUT.write_text(json.dumps(vectors(), separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{OUT.name}: {OUT.stat().st_size / 1000:.0f} kB")


__all__ = ["odds_of", "plan_of", "restored", "restored_task", "stored"]

if __name__ == "__main__":
    main()
