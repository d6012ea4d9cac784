"""What every command shares: the parser, whose errors are one line, and what goes to standard error.

Nothing heavy is imported here: `fadernets --help` reads this module. The parser is argparse, since it starts in
milliseconds and comes with Python; errors of one line take it one method.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from fadernets.cli.reading import read_seed
from fadernets.errors import FadernetsError, did_you_mean

if TYPE_CHECKING:
    from fadernets.rendering.endings import Written

Command = Callable[[argparse.Namespace], None]
PAIRS = ("--set", "--move", "--preset")  # options that take NAME=VALUE
Add = Callable[..., "Parser"]  # add(name, command, summary, **more) -> the parser of that command


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and say what was meant where that is known."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse; `--move NAME VALUE`, whose value argparse takes for another argument, is refused."""
        words = list(sys.argv[1:] if args is None else args)
        for option, name, value in zip(words, words[1:], words[2:], strict=False):
            known = option in PAIRS and option in self._option_string_actions
            if known and "=" not in name and re.fullmatch(r"[-+]?\d[\d.]*", value):
                self.error(f"{option} {name} {value}: write {name}={value}")
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """Print the message in one line on standard error and exit with 2."""
        wrong = re.search(r"invalid choice: '([^']+)'(?= \(choose from (.+)\))", message)
        if wrong is not None:
            meant = did_you_mean(wrong[1], (name.strip("'") for name in wrong[2].split(", ")))
            message = message[: wrong.end()] + meant + message[wrong.end() :]
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def adder(commands: Any, *, json: Any = False, seed: Any = 0) -> Add:
    """A function that adds commands to what `add_subparsers` returned, each with --json and --seed.

    `json` and `seed` are the values of these two options where the command line does not give them.
    """

    def add(name: str, command: Command | None, summary: str, **more: Any) -> Parser:
        parser: Parser = commands.add_parser(name, help=summary, description=summary, **more)
        parser.set_defaults(run=command)
        parser.add_argument("--json", action="store_true", default=json, help="print JSON for machines")
        parser.add_argument(
            "--seed", type=read_seed, default=seed, metavar="N", help="seed of everything random (default 0)"
        )
        return parser

    return add


def add_group(add: Add, name: str, summary: str, epilog: str) -> Add:
    """Add a command that has actions of its own, such as `preset learn`; returns the function that adds an action.

    --json and --seed may stand before the action as well as after it.
    """
    group = add(name, None, summary, epilog=epilog)
    actions = group.add_subparsers(required=True, metavar="ACTION", parser_class=Parser)
    return adder(actions, json=argparse.SUPPRESS, seed=argparse.SUPPRESS)


def check_output(path: Path, written: Written | None = None, source: Path | None = None) -> None:
    """Refuse, before any work, a file that could not be written. Raises FadernetsError.

    written: what it gets, so that a name of another format is refused. source: the input that it may not replace.
    """
    if path.is_dir():
        raise FadernetsError(f"{path}: is a folder; name a file")
    if path.exists() and not path.is_file():
        raise FadernetsError(f"{path}: is not a regular file")
    if not path.parent.is_dir():
        raise FadernetsError(f"{path}: its folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        raise FadernetsError(f"{path}: its folder {path.parent} cannot be written to")
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise FadernetsError(f"{path}: is the input, which is of another format; name another file")
    if written is not None:
        from fadernets.rendering.endings import check_ending

        check_ending(path, written)


def check_output_folder(path: Path | None) -> None:
    """Refuse, before any work, a file where a folder is to be written. Raises FadernetsError."""
    if path is not None and path.exists() and not path.is_dir():
        raise FadernetsError(f"{path}: is a file; name a folder")


def warn(warnings: list[str]) -> None:
    """Print each warning as a line on standard error."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


@contextmanager
def warned() -> Iterator[Callable[[str], None]]:
    """A function that takes warnings; they are printed when the block ends, however it does."""
    warnings: list[str] = []
    try:
        yield warnings.append
    finally:
        warn(warnings)


def say(line: str) -> None:
    """Print a line on standard error."""
    print(line, file=sys.stderr, flush=True)


def progress(unit: str) -> Callable[[int, int], None]:
    """A function of (done, total) that shows a bar on standard error for whatever takes more than a second.

    In a log, where standard error is no terminal, the bar is printed once a minute.
    """
    from tqdm import tqdm

    bar: list[Any] = []
    pause = 0.1 if sys.stderr.isatty() else 60  # seconds

    def report(done: int, total: int) -> None:
        if not bar:
            bar.append(tqdm(total=total, unit=f" {unit}", delay=1, mininterval=pause, leave=False, file=sys.stderr))
        bar[0].total = total
        bar[0].update(done - bar[0].n)
        if done >= total:
            bar[0].close()

    return report
