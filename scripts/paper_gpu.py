"""Train all models of Table 1 as the paper has them, side by side on one accelerator, until a time is up.

Each model is a process of `fadernets train` that writes a checkpoint every few hundred steps and goes on from there
when this is called again; seven share the accelerator, since one keeps it busy for a small part of each step. At the
end it prints what each has come to.

    python scripts/paper_gpu.py DATA OUT [--minutes 12] [--device cuda] [--set KEY=VALUE]...
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

RECIPES = Path(__file__).parents[1] / "recipes/paper"
SEVEN = ("fadernets-vae", "fadernets-gmvae", "pati", "cvae", "fader-networks", "glsr-vae", "gm-vae")
GRACE = 20.0  # seconds that a process has to end
STEPS = 12_000  # a thousand behind the end of beta's rise; a run without patience takes them all


def main(arguments=None):
    """Train, wait, stop, report. Returns 1 where a process ended with an error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a prepared data set of performance tokens")
    parser.add_argument("out", type=Path, help="the folder of the runs")
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--only", action="append", default=[], choices=SEVEN, metavar="RECIPE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    names = options.only or SEVEN
    end = time.monotonic() + 60 * options.minutes
    runs = {name: _start(name, options) for name in names}
    try:
        while any(run.poll() is None for run in runs.values()) and time.monotonic() < end:
            time.sleep(0.5)
    finally:
        codes = {name: _stop(run) for name, run in runs.items()}
    for name in names:
        print(f"{name}: {_reached(options.out / name)}")
    failed = [name for name, code in codes.items() if code not in (0, None)]
    for name in failed:
        print(f"{name} ended with {codes[name]}: see {options.out / name}.log", file=sys.stderr)
    return int(bool(failed))


def _start(name, options):
    """The process that trains a model."""
    values = [f"steps={STEPS}", "patience=0", *options.set, f"data={options.data}", f"out={options.out / name}"]
    command = [sys.executable, "-c", "from fadernets.cli.main import main; raise SystemExit(main())"]
    command += ["train", str(RECIPES / f"{name}.yaml"), "--device", options.device]
    for value in values:
        command += ["--set", value]
    threads = {"OMP_NUM_THREADS": "2" if options.device == "cuda" else "1"}
    with (options.out / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | threads)


def _stop(run):
    """Its exit code; None where it was stopped since its time was up."""
    if run.poll() is not None:
        return run.returncode
    run.terminate()
    try:
        run.wait(GRACE)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
    return None


def _reached(folder):
    """The last step of a run and its validation loss."""
    log = folder / "log.jsonl"
    rows = [json.loads(row) for row in log.read_text().splitlines()] if log.exists() else []
    if not rows:
        return "no checkpoint yet"
    return f"step {rows[-1]['step']}, validation loss {rows[-1]['validation/loss']:.2f}"


if __name__ == "__main__":
    sys.exit(main())
