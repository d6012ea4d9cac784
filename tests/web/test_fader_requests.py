"""Requests of clients as faders of an edit."""

from importlib import resources

import pytest

from fadernets.editing.fader_curves import Ramp
from fadernets.editing.requests import Faders
from fadernets.music.document import Document
from fadernets.web.fader_requests import FadersRequest, to_faders


@pytest.fixture(scope="module")
def piece():
    path = resources.files("fadernets") / "assets" / "k545.mid"
    return Document(path).piece


def test_both_set_and_move_take_ramps(piece):
    request = FadersRequest.model_validate({"set": {"tempo": [90, 120]}, "move": {"rhythm_density": [0, 0.25]}})
    faders = to_faders(request, piece)
    assert faders.set == {"tempo": Ramp(90, 120)}
    assert faders.move == {"rhythm_density": Ramp(0, 0.25)}


def test_where_all_bars_are_locked_nothing_moves_and_the_rest_of_the_request_stays(piece):
    rest = {"tracks": ["1"], "keep": ["melody"], "only": "left", "seed": 5, "faithfulness": 0.5, "bars": [(1, 4)]}
    moves = {
        "set": {"tempo": 90},
        "move": {"pitch": 1},
        "per_bar": {"dynamics": {2: 80}},
        "preset": {"name": "arousal", "amount": 2},
        "locked": list(range(1, 1000)),
    }
    assert to_faders(FadersRequest(**rest, **moves), piece) == Faders.checked(**rest, amount=0.0, preset_files=False)
    codes = {**moves, "preset": {"name": "arousal-codes", "amount": 2}}
    assert to_faders(FadersRequest(**rest, **codes), piece) == Faders.checked(**rest, amount=0.0, preset_files=False)
