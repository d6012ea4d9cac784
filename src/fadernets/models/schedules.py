"""Schedules as pure functions of the step. Their parts are shares of the run, so that presets scale, or steps."""

from __future__ import annotations

import math


def steps_of(part: float, total: int) -> float:
    """The steps of a part of a run: a share of it up to 1, above that steps."""
    return part * max(total, 1) if part <= 1 else part


def ramp(step: int, total: int, *, value: float, start: float = 0.0, ramp: float = 0.2) -> float:
    """A weight that is 0 for the first part of the run, `start`, then rises in a line to `value` over another, `ramp`.

    The KL weight of Section 4.1 is `start=1000, ramp=10000`, which are steps, whatever the length of the run; up to 1
    both are shares of it. Also the weight of an adversary.
    """
    waits, rises = steps_of(start, total), steps_of(ramp, total)
    if step < waits:
        return 0.0
    return value * min((step - waits) / rises, 1.0) if rises > 0 else value


def learning_rate(step: int, total: int, *, peak: float, warmup: float = 0.02, floor: float = 0.01) -> float:
    """One cosine cycle: linear to `peak` over `warmup` of the run, then down to `floor * peak`."""
    done = min(step / max(total, 1), 1.0)
    if done < warmup:
        return peak * (step + 1) / (warmup * total + 1)
    phase = (done - warmup) / (1 - warmup)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * phase)))
