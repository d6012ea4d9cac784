"""The one exception that a user is meant to read: the command line prints it and exits with 2."""


class FadernetsError(ValueError):
    """Input that cannot be used: says what came, what is allowed, and what to do next."""
