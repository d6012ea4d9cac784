"""What commands share: a parser with errors of one line, values read, checks before any work, warnings, progress."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from fadernets.errors import FadernetsError


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say it in one line and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def check_faithfulness(value: float) -> None:
    """Raises FadernetsError for a share that lies outside 0..1, nan among them."""
    if not 0 <= value <= 1:
        raise FadernetsError(f"--faithfulness {value:g}: must lie in 0..1")


def check_output(path: Path) -> None:
    """Refuse, before any work, a file that could not be written. Raises FadernetsError."""
    if path.is_dir():
        raise FadernetsError(f"{path}: is a folder; name a file")
    if path.exists() and not path.is_file():
        raise FadernetsError(f"{path}: is not a regular file")
    if not path.parent.is_dir():
        raise FadernetsError(f"{path}: its folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        raise FadernetsError(f"{path}: its folder {path.parent} cannot be written to")


def read_seed(text: str) -> int:
    """A number that every generator takes as a seed."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0 to {2**32 - 1}")
    return int(text)


def read_number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise FadernetsError(f"{where}: {text!r} is not a number") from None
    if not math.isfinite(value):
        raise FadernetsError(f"{where}: {text!r} is not a finite number")
    return value


def read_preset(text: str | None) -> tuple[str, float]:
    """`arousal=1` -> ("arousal", 1.0); ("", 0.0) for none. Raises FadernetsError."""
    if text is None:
        return "", 0.0
    name, equals, value = text.rpartition("=")
    if not equals or not name.strip():
        raise FadernetsError(f"--preset {text}: expected NAME=AMOUNT, such as arousal=1 or mine.json=-0.5")
    return name.strip(), read_number(value, f"--preset {text}")


def read_public(url: str) -> str:
    """A page's address with a / at its end, as a reverse proxy shows it. Raises FadernetsError."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
        good = good and "@" not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise FadernetsError(f"--public {url}: expected an address such as https://listen.example.org/")
    return url if url.endswith("/") else f"{url}/"


def warn(warnings: list[str]) -> None:
    """A line each on standard error."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def progress(unit: str) -> Callable[[int, int], None]:
    """A bar on standard error for whatever takes more than a second; in a log it comes once a minute."""
    from tqdm import tqdm

    bar: list[Any] = []
    pause = 0.1 if sys.stderr.isatty() else 60

    def report(done: int, total: int) -> None:
        if not bar:
            bar.append(tqdm(total=total, unit=f" {unit}", delay=1, mininterval=pause, leave=False, file=sys.stderr))
        bar[0].total = total
        bar[0].update(done - bar[0].n)
        if done >= total:
            bar[0].close()

    return report
