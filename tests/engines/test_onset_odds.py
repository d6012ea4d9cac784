"""The table of onset habits: counted by hand on a few pairs."""

import numpy as np
import pytest

from fadernets.engines import onset_odds


def steps(*onsets: int) -> np.ndarray:
    row = np.zeros(16, bool)
    row[list(onsets)] = True
    return row


def test_odds_are_the_share_of_pairs_pulled_to_the_steps_mean():
    source = np.stack([steps(0), steps(0), steps(4), steps(4)] * 50)
    target = np.stack([steps(0, 8), steps(0, 8), steps(0, 4), steps(0, 4)] * 50)
    table = onset_odds.learn(source, target)
    assert table.shape == (17, 2, 16)
    # Step 4 of targets with two onsets: 100 of 100 where the source has one, 0 of 100 where it has none, mean 1/2.
    kept, new = (100 + 20 * 0.5) / 120, (0 + 20 * 0.5) / 120
    assert table[2, 1, 4] == pytest.approx(np.log(kept / (1 - kept)))
    assert table[2, 0, 4] == pytest.approx(np.log(new / (1 - new)))
    assert table[2, 0, 0] == pytest.approx(onset_odds.CERTAIN)
    assert table[2, 0, 3] == pytest.approx(-onset_odds.CERTAIN)


def test_look_up_reads_the_row_of_the_wanted_count_and_of_the_sources_own_onsets():
    table = np.arange(17 * 2 * 16, dtype=float).reshape(17, 2, 16)
    found = onset_odds.look_up(table, steps(3)[None], np.array([5]))
    assert found[0, 3] == table[5, 1, 3]
    assert found[0, 2] == table[5, 0, 2]
