"""A server of two workers, for the tests that only ask it."""

from importlib import resources

import pytest
from serving_server import opened


@pytest.fixture(scope="session")
def served():
    with opened("--client-header", "X-Forwarded-For", "--client-rate", 0) as served:
        yield served


@pytest.fixture(scope="session")
def theme():
    """The bytes of a bundled piece."""
    return (resources.files("fadernets") / "assets" / "k265.mid").read_bytes()
