"""The one exception whose message is for users: the command line prints it and exits with 2."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from traceback import FrameSummary

_PACKAGE = os.path.dirname(__file__) + os.sep
MOST_QUOTED = 200  # characters of a library's message, which may quote a whole graph or answer


class FadernetsError(ValueError):
    """Input that cannot be used: says what came, what is allowed, and what to do next."""


def first_line(error: BaseException, most: int | None = None) -> str:
    """The first line of an error's message, cut to `most` characters; its class where it has no message.

    >>> first_line(ValueError("  no such mode\\n(see the manual)"))
    'no such mode'
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:most]


def of_user_code(path: object, error: BaseException) -> FadernetsError:
    """What an error in a Python file of the user's becomes: one line that names the file, and where in it."""
    what = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
    is_placed = isinstance(error, SyntaxError) or (what.endswith(")") and ", line " in what)
    where = "" if is_placed else place_of(error)
    return FadernetsError(f"{path}: {type(error).__name__}: {' '.join(what.split())}{where}")


def place_of(error: BaseException) -> str:
    """Where in a user's own code an error arose, as ` (thickness.py, line 9)`; nothing where none of it is theirs."""
    from traceback import extract_tb

    frames = extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(("<", _PACKAGE)) and not _is_library(frame)]
    return f" ({os.path.basename(own[-1].filename)}, line {own[-1].lineno})" if own else ""


def said_of(error: BaseException) -> str:
    """An error of a user's function in one line: its class, its message, and where it arose."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place_of(error)}"


def _is_library(frame: FrameSummary) -> bool:
    """Whether a line is one of NumPy's, or of Python's own library."""
    of_python = frame.filename.startswith(os.path.dirname(os.__file__)) and "site-packages" not in frame.filename
    return of_python or f"{os.sep}numpy{os.sep}" in frame.filename


def in_megabytes(count: int) -> str:
    """So many bytes as a person reads them, rounded up; a megabyte has 2**20, a kilobyte 2**10.

    >>> in_megabytes(2**21), in_megabytes(2**21 + 1), in_megabytes(5_007), in_megabytes(3)
    ('2 MB', '2.1 MB', '4.9 kB', '3 bytes')
    """
    size, unit = (2**20, "MB") if count >= 2**20 else (2**10, "kB")
    return f"{-(-10 * count // size) / 10:g} {unit}" if count >= 2**10 else f"{count} bytes"


def of_archive(error: Exception) -> str:
    """Why NumPy cannot read an archive of arrays, in one line, without its advice to unpickle what is none."""
    text = " ".join(str(error).split())
    return "it is no archive of arrays" if "allow_pickle" in text else f"{type(error).__name__}: {text}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What stands behind a misspelt name in an error: the nearest of those that are known, or nothing.

    >>> did_you_mean("temop", ("pitch", "tempo"))
    " (did you mean 'tempo'?)"
    """
    from difflib import get_close_matches

    by_small_letters = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), by_small_letters, 1)
    return f" (did you mean {by_small_letters[near[0]]!r}?)" if near else ""
