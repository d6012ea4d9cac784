"""Options that run a file of the user's say so."""

import pytest


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["apply"], "--attributes"),
        (["measure"], "--attributes"),
        (["studio"], "--attributes"),
        (["preset", "learn"], "--attributes"),
        (["evaluate", "faders"], "--attributes"),
        (["evaluate", "presets"], "--attributes"),
        (["inspect"], "--augmentation"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_says_that_a_file_is_run(run, command, option):
    code, out, _ = run(*command, "--help")
    text = " ".join(out.split())
    assert code == 0
    told = text.partition(f" {option} FILE.py ")[2]
    assert told.startswith("run this Python file, ")
    assert "it may do anything: name no file that you do not trust" in told
