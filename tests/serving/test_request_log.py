"""Lines of the log, and whom a request counts for."""

import io
import json
import logging

import pytest
from starlette.requests import Request

from fadernets.serving.request_log import JsonLines, client_by


def written(call):
    """The line that a call of a logger leaves."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.Logger("fadernets.test")
    logger.addHandler(handler)
    call(logger)
    (line,) = stream.getvalue().splitlines()
    return json.loads(line)


def test_values_and_messages_of_exceptions_are_left_out():
    def fail(logger):
        try:
            raise ValueError("My Song")
        except ValueError:
            logger.exception("a request failed: %s\nand more", "My Song")

    line = written(fail)
    assert (line["level"], line["logger"], line["event"]) == ("error", "fadernets.test", "a request failed: %s")
    assert line["exception"] == "ValueError"
    assert line["where"].endswith(f"test_request_log.py:{fail.__code__.co_firstlineno + 2}")
    assert "My Song" not in json.dumps(line)


def test_a_request_s_line_is_its_fields():
    line = written(lambda logger: logger.info({"route": "/v1/edit", "status": 200}))
    assert list(line) == ["time", "level", "route", "status"]


@pytest.mark.parametrize(
    ("header", "values", "client"),
    [
        (None, ["1.1.1.1"], "9.9.9.9"),
        ("X-Forwarded-For", ["1.1.1.1, 2.2.2.2"], "2.2.2.2"),
        ("X-Forwarded-For", ["1.1.1.1", "3.3.3.3"], "3.3.3.3"),
        ("X-Forwarded-For", [], "9.9.9.9"),
        ("X-Forwarded-For", ["1.1.1.1,"], "9.9.9.9"),
        ("X-Forwarded-For", ["x" * 5000], "x" * 200),
    ],
)
def test_a_request_counts_for_whom_the_proxy_names(header, values, client):
    headers = [(b"x-forwarded-for", value.encode()) for value in values]
    scope = {"type": "http", "headers": headers, "client": ("9.9.9.9", 1)}
    assert client_by(header)(Request(scope)) == client
