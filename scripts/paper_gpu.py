"""Train all models of Table 1 as the paper has them side by side on one accelerator, measure them and print the tables.

A process a model: it trains until the time for training is up, measures its best checkpoint by the protocols `authors`,
`paper` and `strict`, and keeps to itself the checkpoint, which it goes on from when this is called again. Seven share
the accelerator, since one keeps it busy for a small part of each step. OUT gets what is small: table1.md, and of each
model evaluation.json, log.jsonl, recipe.json and what it printed.

    python scripts/paper_gpu.py DATA OUT [--checkpoints FOLDER] [--minutes 9] [--device cuda] [--set KEY=VALUE]...
"""

import argparse
import contextlib
import importlib.util
import multiprocessing
import os
import shutil
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[1] / "recipes/paper"
SEVEN = ("fadernets-vae", "fadernets-gmvae", "pati", "cvae", "fader-networks", "glsr-vae", "gm-vae")
SMALL = ("evaluation.json", "log.jsonl", "recipe.json")  # of a run
# A thousand steps behind the end of beta's rise; a run without patience takes them all. A run that is stopped goes on
# from its last checkpoint, which costs a validation.
VALUES = ("steps=12000", "patience=0", "validate=250")
GRACE = 10.0  # seconds that a process has to end
TABLES = 15.0  # seconds kept for the tables
IMPORTED = ("lightning.fabric", "fadernets.training.loop", "fadernets.evaluation.table1", "fadernets.cli.evaluate")


@dataclass(frozen=True)
class Job:
    """A model to train and measure, and until when, in seconds since the epoch."""

    name: str
    data: Path
    checkpoints: Path
    out: Path
    device: str
    values: tuple[str, ...]  # of its recipe
    runs: int  # draws of 100 segments
    weights: bool
    trained_by: float

    @property
    def run(self):
        """The folder of the run."""
        return self.checkpoints / self.name


class TimeIsUpError(Exception):
    """Ends a training."""


class Clock:
    """Called at each step: ends a training in time, behind a checkpoint already where the next would come too late."""

    def __init__(self, until, every):
        """until: by `time.time`; every: steps between two checkpoints."""
        self.until, self.every, self.checkpoint = until, every, None

    def __call__(self, step, steps):
        """Raises TimeIsUpError."""
        now, interval = time.time(), 0.0
        if (step - 1) % self.every == 0:  # the step before this one wrote a checkpoint
            interval = now - self.checkpoint if self.checkpoint else 0.0
            self.checkpoint = now
        if now + interval > self.until:
            raise TimeIsUpError


def main(arguments=None):
    """Train, measure, print. Returns 1 where a process ended with an error."""
    options = _options(arguments)
    began = time.time()
    until = began + 60 * options.minutes - TABLES
    trained_by = began + 60 * (options.minutes - options.measuring)
    values, how = (*VALUES, *options.set), (options.runs, options.weights, trained_by)
    job = Job("", options.data, options.checkpoints, options.out, options.device, values, *how)
    # A process that has an accelerator must not come of another by a fork; on the CPU that saves most of a dry run.
    context = multiprocessing.get_context("spawn" if options.device == "cuda" else "forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    names = options.only or SEVEN
    processes = {name: context.Process(target=train_and_measure, args=(replace(job, name=name),)) for name in names}
    for name in names:
        (options.checkpoints / name).mkdir(parents=True, exist_ok=True)
        (options.out / name).mkdir(parents=True, exist_ok=True)
        processes[name].start()
    try:
        for process in processes.values():
            process.join(max(until - time.time(), 0))
    finally:
        codes = _stopped(processes)
    for name in names:
        for file in SMALL:
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(options.checkpoints / name / file, options.out / name / file)
    tables = context.Process(target=print_tables, args=(job, names))
    tables.start()
    tables.join()
    failed = [name for name, code in codes.items() if code not in (0, None)]
    for name in failed:
        print(f"{name} ended with {codes[name]}: see {options.out / name}/output.log", file=sys.stderr)
    return int(bool(failed or tables.exitcode))


def _options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a prepared data set of performance tokens")
    parser.add_argument("out", type=Path, help="where the tables and the figures of each model go")
    parser.add_argument("--checkpoints", type=Path, default=Path("runs/paper"), help="the runs' folder (runs/paper)")
    parser.add_argument("--minutes", type=float, default=9.0, help="for all of it (9)")
    parser.add_argument("--measuring", type=float, default=2.5, help="minutes of these in which none is trained (2.5)")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--only", action="append", default=[], choices=SEVEN, metavar="RECIPE", help="repeatable")
    parser.add_argument("--runs", type=int, default=10, help="draws of 100 segments to measure (10)")
    parser.add_argument("--weights", action="store_true", help="keep the weights in OUT, too, in half precision")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of every recipe")
    options = parser.parse_args(arguments)
    if not (options.data / "manifest.json").exists():
        parser.error(f"{options.data}: is not there; fadernets prepare {options.data} --codec tokens --corpus ...")
    missing = [name for name in ("fadernets", "torch", "lightning") if importlib.util.find_spec(name) is None]
    if missing:
        parser.error(f"{sys.executable} has no {missing[0]}; name another interpreter, as make paper-gpu PYTHON=...")
    return options


def train_and_measure(job):
    """Train a model until its time is up, then measure it. Its output goes to a file."""
    with (job.out / job.name / "output.log").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    import torch

    from fadernets.cli.main import main as fadernets
    from fadernets.errors import FadernetsError
    from fadernets.training import checkpoints

    torch.set_num_threads(2 if job.device == "cuda" else 1)
    failed = 0
    try:
        _train(job)
    except FadernetsError as error:  # such as a loss that is not a number; what was good before is measured
        print(f"{job.name}: {error}", file=sys.stderr, flush=True)
        failed = 1
    if not checkpoints.exists(job.run / "best"):
        sys.exit(failed)
    if job.weights:
        model, config = checkpoints.load(job.run / "best")
        checkpoints.save(job.out / job.name / "half", model.half(), config)
    command = ["evaluate", "checkpoint", str(job.run), "--data", str(job.data), "--runs", str(job.runs)]
    sys.argv = ["fadernets", *command, "--device", job.device]  # which the figures name
    sys.exit(fadernets(sys.argv[1:]) or failed)


def _train(job):
    """Train until the time is up; a run that had all its steps is left as it is."""
    from fadernets.training import checkpoints, loop, recipes

    values = [*job.values, f"data={job.data}", f"out={job.run}"]
    recipe = recipes.load(RECIPES / f"{job.name}.yaml", values)
    last = job.run / "last"
    had = checkpoints.read_config(last)["step"] if checkpoints.exists(last) else 0
    if had >= recipe.steps or time.time() > job.trained_by:
        return
    with contextlib.suppress(TimeIsUpError):
        loop.train(recipe, device=job.device, progress=Clock(job.trained_by, recipe.validate))


def print_tables(job, names):
    """Say how far each model came, and print and keep the tables of those that are measured."""
    from fadernets.errors import FadernetsError
    from fadernets.evaluation import run_table1
    from fadernets.training import checkpoints

    measured, rater = [], job.checkpoints / run_table1.LANGUAGE_MODEL
    try:
        for name in names:
            run, said = job.checkpoints / name, "no checkpoint yet"
            if checkpoints.exists(run / "last"):
                config = checkpoints.read_config(run / "last")
                of, loss = config["recipe"]["steps"], config["figures"]["loss"]
                said = f"step {config['step']} of {of}, validation loss {loss:.2f}"
                done = run_table1.up_to_date(run, job.data, rater, job.runs, seed=0)
                measured += [name] if done else []
                said += "" if done else ", not measured yet: call again"
            print(f"{name}: {said}", flush=True)
        if measured:
            where = {"data": job.data, "roots": {}, "out": job.checkpoints, "only": measured}
            text = run_table1.run(**where, runs=job.runs, device=job.device, train=False, take_unfinished=True)
            (job.out / "table1.md").write_text(text + "\n", encoding="utf-8")
            print(text)
    except FadernetsError as error:
        sys.exit(f"tables: {error}")


def _stopped(processes):
    """Their exit codes by name; None of those that had to be stopped."""
    late = {name for name, process in processes.items() if process.is_alive()}
    for name in late:
        processes[name].terminate()
    end = time.time() + GRACE
    for name in late:
        processes[name].join(max(end - time.time(), 0))
        processes[name].kill()
        processes[name].join()
    return {name: None if name in late else process.exitcode for name, process in processes.items()}


if __name__ == "__main__":
    sys.exit(main())
