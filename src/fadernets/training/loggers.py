"""Where the figures of a run go beside its log.jsonl: TensorBoard, a CSV file, Weights & Biases, MLflow.

The loggers are Lightning's own, but for TensorBoard's. A run that resumes goes on in the same log: the CSV file is
written anew from log.jsonl, and `loggers.json` in the run's folder keeps the names by which Weights & Biases and MLflow
know the run.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from fadernets import structured_text
from fadernets.errors import MOST_QUOTED, FadernetsError, first_line
from fadernets.files import write_atomic
from fadernets.training.tensorboard_log import TensorboardLog

DEFAULT = ("tensorboard",)
NEEDED = {"tensorboard": "tensorboard", "csv": "lightning", "wandb": "wandb", "mlflow": "mlflow"}  # logger -> module
INSTALLED_BY = {"tensorboard": "'fadernets[train]'", "csv": "'fadernets[train]'", "mlflow": "'fadernets[mlflow]'"}
PROJECT = "fadernets"  # the project of Weights & Biases, and MLflow's experiment
KNOWN_AS = "loggers.json"  # logger -> what it calls the run


class Logger(Protocol):
    """What a run asks of a logger; `lightning.fabric.loggers.Logger` has it."""

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Add the figures of a step."""

    def finalize(self, status: str) -> None:
        """Close the log of a run that ended as `success` or `failed`."""


def check(names: Sequence[str]) -> None:
    """Raises FadernetsError for an unknown logger, one that is named twice, and one that is not installed."""
    for name in names:
        if name not in NEEDED:
            raise FadernetsError(f"--logger {name}: is not known; allowed: {', '.join(NEEDED)}")
        if names.count(name) > 1:
            raise FadernetsError(f"--logger {name}: is named twice")
        if find_spec(NEEDED[name]) is None:
            raise FadernetsError(
                f"--logger {name}: needs {NEEDED[name]}: pip install {INSTALLED_BY.get(name, NEEDED[name])}"
            )


class Loggers:
    """The loggers of a run, open until its `with` block ends.

    What TensorBoard's file and the CSV file raise (OSError) ends the run. Weights & Biases and MLflow may be services
    of other machines: one that fails is left out from then on, with a line on standard error.
    """

    def __init__(
        self,
        names: Sequence[str],
        out: Path,
        settings: Mapping[str, Any],
        earlier: Iterable[Mapping[str, Any]] = (),
        *,
        resume: bool = True,
    ) -> None:
        """out: the run's folder. settings: the recipe. earlier: the rows of log.jsonl that stay, each with its step.

        resume: go on with what Weights & Biases and MLflow have of this run. Raises FadernetsError where a logger
        cannot be opened.
        """
        check(names)
        self.out, self.settings, self.earlier, self.resume = out, settings, earlier, resume
        self._open: dict[str, Logger] = {name: self._opened(name) for name in names}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        status = "success" if kind is None else "failed"
        for name in list(self._open):
            self._try(name, lambda logger: logger.finalize(status))
        self._open.clear()

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Add the figures of a step to every log."""
        for name in list(self._open):
            self._try(name, lambda logger: logger.log_metrics(dict(figures), step))

    def _try(self, name: str, action: Callable[[Logger], None]) -> None:
        try:
            action(self._open[name])
        except Exception as error:  # whatever a service's library raises
            if name not in SERVICES:
                raise
            del self._open[name]
            reason = first_line(error, MOST_QUOTED)
            print(f"warning: --logger {name}: is left out from here on ({reason}); log.jsonl has all", file=sys.stderr)

    def _opened(self, name: str) -> Logger:
        if name == "tensorboard":
            return TensorboardLog(self.out / "tensorboard")
        if name == "csv":
            return self._csv()
        try:
            return SERVICES[name](self)
        except Exception as error:  # whatever a service's library raises
            raise FadernetsError(f"--logger {name}: cannot be opened ({first_line(error, MOST_QUOTED)})") from None

    def _csv(self) -> Logger:
        from lightning.fabric.loggers import CSVLogger

        (self.out / "csv" / "metrics.csv").unlink(missing_ok=True)  # it warns of one that it is to replace
        logger: Logger = CSVLogger(self.out, name="csv", version="", flush_logs_every_n_steps=1)
        for row in self.earlier:
            figures = {name: value for name, value in row.items() if name != "step"}
            logger.log_metrics(figures, row["step"])
        return logger

    def _wandb(self) -> Logger:
        from lightning.pytorch.loggers import WandbLogger

        known = self.known_as("wandb") or secrets.token_hex(4)
        logger = WandbLogger(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=self.out.name,
            save_dir=self.out,
            id=known,
            resume="allow",
            log_model=False,
        )
        logger.log_hyperparams(dict(self.settings))
        self.remember("wandb", known)
        return _FinishedWandb(logger)

    def _mlflow(self) -> Logger:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from lightning.pytorch.loggers import MLFlowLogger

        store = os.environ.get("MLFLOW_TRACKING_URI") or (self.out / "mlruns").absolute().as_uri()
        known = self.known_as("mlflow")
        logger = MLFlowLogger(
            experiment_name=os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT),
            run_name=self.out.name,
            tracking_uri=store,
            run_id=known,
        )
        if known is None:
            logger.log_hyperparams(dict(self.settings))
            self.remember("mlflow", logger.run_id)
        else:
            logger.experiment.set_terminated(known, "RUNNING")
        return logger

    def known_as(self, name: str) -> str | None:
        """What a logger calls this run; None where it does not know it."""
        return self._known().get(name) if self.resume else None

    def remember(self, name: str, known: str) -> None:
        """Keep what a logger calls this run."""
        write_atomic(self.out / KNOWN_AS, f"{json.dumps({**self._known(), name: known})}\n".encode())

    def _known(self) -> dict[str, str]:
        path = self.out / KNOWN_AS
        try:
            found = structured_text.read_json(path)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise FadernetsError(f"{path}: is damaged; remove it, and the loggers begin anew")
        return found


SERVICES: dict[str, Callable[[Loggers], Logger]] = {"wandb": Loggers._wandb, "mlflow": Loggers._mlflow}


def trim(log: Path, step: int) -> list[dict[str, Any]]:
    """Drop what a log.jsonl has of steps after this one, since a run that resumes takes them again; gives its rows.

    A last row that was cut off goes too. Raises FadernetsError for a damaged log.
    """
    try:
        lines = structured_text.read_text(log).splitlines(keepends=True) if log.exists() else []
        rows = [structured_text.parse_json(line) for line in lines if line.endswith("\n")]
        kept = [row for row in rows if row["step"] <= step]
    except (ValueError, KeyError, TypeError):
        raise FadernetsError(f"{log}: is damaged; remove it, or start the run anew") from None
    if len(kept) < len(lines):
        write_atomic(log, "".join(f"{json.dumps(row)}\n" for row in kept).encode())
    return kept


class _FinishedWandb:
    """A WandbLogger that ends its run, which Lightning leaves open for whatever the process does next."""

    def __init__(self, logger: Any) -> None:
        self.logger = logger

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.logger.log_metrics(metrics, step)

    def finalize(self, status: str) -> None:
        self.logger.finalize(status)
        self.logger.experiment.finish(exit_code=0 if status == "success" else 1)
