"""The one exception whose message is for users: the command line prints it and exits with 2."""


class FadernetsError(ValueError):
    """Input that cannot be used: says what came, what is allowed, and what to do next."""


def of_user_code(path: object, error: BaseException) -> FadernetsError:
    """What an error in a Python file of the user's becomes: one line that names the file once."""
    what = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
    return FadernetsError(f"{path}: {type(error).__name__}: {' '.join(what.split())}")
