"""The table of what the studio computes."""

import inspect

import pytest

from fadernets.studio.calls import Call
from fadernets.studio.service import Studio


@pytest.fixture(scope="module")
def studio():
    return Studio()


@pytest.mark.parametrize("call", Call)
def test_every_call_is_a_method_that_takes_what_it_is_given(studio, call):
    row, named = call.value, {"is_stale": call.value.stops, "tell": call.value.tells}
    parameters = list(inspect.signature(row.method(studio)).parameters)
    last = [name for name, given in named.items() if given]
    assert parameters[len(parameters) - len(last) :] == last
    assert not {name for name, given in named.items() if not given} & set(parameters)
    assert row.stops >= row.tells
