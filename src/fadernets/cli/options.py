"""Options that several commands share, added to a command's parser."""

from __future__ import annotations

from pathlib import Path

from fadernets.cli.console import Parser

EDITS = "rewriter"  # the bundled model that edits run on, as its option's help names it
WINDOWS = "pop-lieder, the paper's"  # the bundled model of windows


def add_model(command: Parser, option: str = "--model", default: str = EDITS) -> None:
    """A model's name or folder; None where it is not given."""
    more = {} if option.startswith("-") else {"nargs": "?"}
    command.add_argument(
        option,
        metavar="NAME_OR_FOLDER",
        help=f"a model of `fadernets models`, a model folder, or OWNER/NAME as pulled (default: {default})",
        **more,  # type: ignore[arg-type]
    )


def add_tracks(command: Parser) -> None:
    """The tracks that are edited."""
    command.add_argument(
        "--tracks",
        metavar="LIST",
        help="numbers or names of tracks, separated by commas (default: keyboards, else all pitched tracks)",
    )


def add_beats(command: Parser) -> None:
    """The times of a performance's beats."""
    command.add_argument(
        "--beats",
        type=Path,
        metavar="FILE",
        help="times of the beats in seconds, a line each, with 1 or 0 after it for downbeats; for performances whose "
        "tempo map is none. Needs a model that rewrites passages",
    )


def add_faithfulness(command: Parser, help_text: str) -> None:
    """How strongly the source pulls."""
    command.add_argument("--faithfulness", type=float, default=1.0, metavar="F", help=help_text)


def add_attributes(command: Parser) -> None:
    """Files of user-defined attributes."""
    command.add_argument(
        "--attributes",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.py",
        help="run this Python file, which registers attributes of your own (fadernets.register); repeatable; it may do "
        "anything: name no file that you do not trust",
    )


def add_corpora(command: Parser, help_text: str, required: bool = False) -> None:
    """Corpora by name and folder; the option may be repeated."""
    command.add_argument(
        "--corpus", action="append", default=[], required=required, metavar="NAME=PATH", help=help_text
    )


def add_runs(command: Parser) -> None:
    """How often an evaluation draws its segments."""
    command.add_argument("--runs", type=int, default=10, metavar="N", help="number of draws of 100 segments (10)")


def add_device(command: Parser) -> None:
    """Where PyTorch computes."""
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where PyTorch computes (cpu)")


def add_cluster(command: Parser, what: str) -> None:
    """The Dask cluster whose workers do the work."""
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help=f"let the workers of this Dask scheduler {what}, such as tcp://HOST:8786"
    )
    command.add_argument(
        "--cluster", metavar="KIND", help="start a Dask cluster: local[:N], slurm, ssh:HOST,HOST or kubernetes"
    )


def add_loggers(command: Parser) -> None:
    """Where the figures of a training run go."""
    command.add_argument(
        "--logger",
        action="append",
        default=[],
        metavar="NAME",
        help="where figures go beside log.jsonl: tensorboard, csv, wandb, mlflow; repeatable (tensorboard)",
    )


def data_of_run(run: Path) -> Path:
    """The data set that a run was trained on. Raises FadernetsError for a folder that holds no checkpoint."""
    from fadernets.training import checkpoints

    checkpoint = run / "best" if checkpoints.exists(run / "best") else run
    return Path(checkpoints.read_config(checkpoint)["recipe"]["data"])
