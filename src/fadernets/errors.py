"""The one exception whose message is for users: the command line prints it and exits with 2."""


class FadernetsError(ValueError):
    """Input that cannot be used: says what came, what is allowed, and what to do next."""
