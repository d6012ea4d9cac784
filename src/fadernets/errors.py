"""The one exception whose message is for users: the command line prints it and exits with 2."""

from __future__ import annotations

from collections.abc import Iterable

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
    """What an error in a Python file of the user's becomes: one line that names the file once."""
    what = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
    return FadernetsError(f"{path}: {type(error).__name__}: {' '.join(what.split())}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What stands behind a misspelt name in an error: the nearest of those that are known, or nothing.

    >>> did_you_mean("temop", ("pitch", "tempo"))
    " (did you mean 'tempo'?)"
    """
    from difflib import get_close_matches

    by_small_letters = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), by_small_letters, 1)
    return f" (did you mean {by_small_letters[near[0]]!r}?)" if near else ""
