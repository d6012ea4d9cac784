"""Trainings and evaluations as tasks of a Dask cluster: one task a run, each on one worker.

A task may end with its worker at any point: runs go on from their last checkpoint, so that it is given to another
worker. All machines see the data set and the runs' folders by the same paths.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from fadernets.errors import FadernetsError
from fadernets.training.loggers import DEFAULT
from fadernets.training.recipes import Recipe

ATTEMPTS = 5  # how many workers may end under a run before it is given up
Report = Callable[[str], None]


def run_all(client: Any, jobs: Mapping[str, Callable[[], Any]], report: Report) -> dict[str, Any]:
    """What each job returns, by its name, as tasks of a Dask client's workers.

    jobs: functions that can be pickled. report: called with a line for each job that ended. The others go on where one
    fails; then raises FadernetsError with what failed. Where the block is left early, tasks that wait are cancelled.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    def submit(name: str) -> Any:
        return client.submit(jobs[name], key=f"{name}-{uuid4().hex[:8]}", pure=False, retries=0)

    results: dict[str, Any] = {}
    failed: list[str] = []
    attempts = Counter(list(jobs))
    waiting = {submit(name): name for name in jobs}
    try:
        done = as_completed(list(waiting), loop=client.loop)
        for future in done:
            name = waiting.pop(future)
            error = future.exception()
            if error is None:
                results[name] = future.result()
                report(f"{name}: done")
            elif isinstance(error, KilledWorker) and attempts[name] < ATTEMPTS:
                report(f"{name}: its worker ended; given to another one")
                attempts[name] += 1
                again = submit(name)
                waiting[again] = name
                done.add(again)
            else:
                ended = f"{ATTEMPTS} workers ended under it"
                reason = ended if isinstance(error, KilledWorker) else (str(error) or type(error).__name__)
                failed.append(f"{name}: {reason.splitlines()[0]}")
                report(failed[-1])
    finally:
        client.cancel(list(waiting))
    if failed:
        rest = f"; {len(results)} others ended well and are kept" if results else ""
        raise FadernetsError(f"{'; '.join(failed)}{rest}")
    return {name: results[name] for name in jobs}


def train(recipe: Recipe, device: str, resume: bool, logs: Sequence[str] = DEFAULT) -> dict[str, Any]:
    """Train one recipe where the task runs; the folder of the best checkpoint and its figures."""
    from fadernets.training import loop

    best = loop.train(recipe, device=device, resume=resume, logs=logs)
    return {"best": str(best), **loop.figures_of(best)}


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """The recipe with paths that mean the same in a worker, whose working folder is another."""
    return replace(recipe, data=str(Path(recipe.data).absolute()), out=str(Path(recipe.out).absolute()))
