"""Schedules as pure functions of the step; each is a fraction of the run, so that presets scale."""

from __future__ import annotations

import math


def ramp(step: int, total: int, *, value: float, start: float = 0.0, ramp: float = 0.2) -> float:
    """A weight that is 0 for the first `start` of the run, then rises in a line to `value` over `ramp` of it.

    The KL weight of Section 4.1 (1,000 steps at 0, 10,000 of ramp), as fractions of its own run; also the
    weight of an adversary.
    """
    done = step / max(total, 1)
    if done < start:
        return 0.0
    return value * min((done - start) / ramp, 1.0) if ramp > 0 else value


def learning_rate(step: int, total: int, *, peak: float, warmup: float = 0.02, floor: float = 0.01) -> float:
    """One cosine cycle: linear to `peak` over `warmup` of the run, then down to `floor * peak`."""
    done = min(step / max(total, 1), 1.0)
    if done < warmup:
        return peak * (step + 1) / (warmup * total + 1)
    phase = (done - warmup) / (1 - warmup)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * phase)))
