"""Disentanglement against cases worked by hand, scikit-learn and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fadernets.metrics import disentanglement
from fadernets.metrics.disentanglement import BINS, metrics

S = 400
RISING, HALVES = [0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 1.0, 1.0]
SHUFFLED = [0.0, 3.0, 1.0, 2.0]  # tells every value of RISING, but correlates at 2 / 5 only


def columns(*rows):
    return np.array(rows, np.float64).T


def correlated(seed=0, size=S):
    """Six skewed dimensions and three attributes of them, one of a coarse grain."""
    random = np.random.default_rng(seed)
    codes = np.exp(random.normal(size=(size, 6)))
    return codes, {
        "smooth": codes[:, 1] - 0.6 * codes[:, 4] + random.normal(size=size),
        "coarse": np.clip(np.round(4 * codes[:, 2] + random.normal(size=size)), 0, 16) / 16,
        "falling": -codes[:, 5] + 0.5 * random.normal(size=size),
    }


def grid():
    """Two attributes that take all pairs of twenty values each: without any information about each other."""
    a, b = (m.ravel().astype(float) for m in np.meshgrid(np.arange(20), np.arange(20), indexing="ij"))
    return {"a": a, "b": b}


# --- by hand


def test_mutual_information_by_hand():
    """p(0, 0) = 1/2, p(0, 1) = 1/4, p(1, 1) = 1/4; p(x = 0) = 3/4, p(y = 0) = 1/2."""
    found = disentanglement.mutual_information(columns([0, 0, 0, 1]), {"y": [0, 0, 1, 1]})
    by_hand = 1 / 2 * math.log(4 / 3) + 1 / 4 * math.log(2 / 3) + 1 / 4 * math.log(2)
    np.testing.assert_allclose(found, [[by_hand]])


def test_mutual_information_has_a_row_for_each_dimension_and_a_column_for_each_attribute():
    found = disentanglement.mutual_information(columns(RISING, HALVES, [1] * 4), {"a": RISING, "b": HALVES})
    four, two = math.log(4), math.log(2)
    np.testing.assert_allclose(found, [[four, two], [two, two], [0, 0]])


@pytest.mark.parametrize("value", [0.0499, 0.9501])
def test_a_value_within_a_twentieth_of_an_end_shares_its_bin(value):
    """Two bins of 2 and 1 of three values, so their entropy."""
    found = disentanglement.mutual_information(columns([0, 1, value]), {"y": [0, 1, 2]})
    np.testing.assert_allclose(found, [[2 / 3 * math.log(3 / 2) + 1 / 3 * math.log(3)]])


@pytest.mark.parametrize("value", [0.05, 0.0501, 0.9499])
def test_a_value_beyond_or_on_the_edge_of_a_bin_is_in_the_next(value):
    found = disentanglement.mutual_information(columns([0, 1, value]), {"y": [0, 1, 2]})
    np.testing.assert_allclose(found, [[math.log(3)]])


def test_interpretability_follows_information_not_correlation():
    codes = columns(HALVES, SHUFFLED)
    assert disentanglement.interpretability(codes, {"y": RISING}) == pytest.approx({"y": (2 / 5) ** 2})


def test_mig_by_hand():
    """Information log 4 and log 2, entropy log 4; of the second attribute log 2 twice."""
    codes = columns(HALVES, SHUFFLED, [1, 1, 1, 1])
    assert disentanglement.mig(codes, {"y": RISING, "z": HALVES}) == pytest.approx({"y": 1 / 2, "z": 0})


def test_mig_is_a_share_of_the_entropy_of_the_attribute():
    """The code tells two of four values: log 2 of log 4, and the whole of log 2 the other way."""
    assert disentanglement.mig(columns(HALVES), {"y": RISING}) == pytest.approx({"y": 1 / 2})
    assert disentanglement.mig(columns(RISING), {"y": HALVES}) == pytest.approx({"y": 1})


def test_sap_by_hand():
    """Squared correlations with 0..3: of the halves 2^2 / (5 * 1), of the shuffle (2 / 5)^2."""
    codes = columns(SHUFFLED, [7] * 4, HALVES)
    np.testing.assert_allclose(disentanglement.r_squared(codes, {"y": RISING}), [[4 / 25], [0], [4 / 5]], atol=1e-12)
    assert disentanglement.sap(codes, {"y": RISING}) == pytest.approx({"y": 4 / 5 - 4 / 25})


def test_scc_by_hand():
    """Ranks of a falling cube are 3, 2, 1, 0; ties share theirs: 0.5, 0.5, 2.5, 2.5 correlates at 4 / sqrt(5 * 4)."""
    codes = columns(HALVES, [0, -1, -8, -27])
    np.testing.assert_allclose(disentanglement.spearman(codes, {"y": RISING}), [[4 / math.sqrt(20)], [-1]])
    assert disentanglement.scc(codes, {"y": RISING}) == pytest.approx({"y": 1})
    assert disentanglement.scc(codes[:, :1], {"y": RISING}) == pytest.approx({"y": 4 / math.sqrt(20)})


def test_modularity_by_hand():
    """The shuffle: log 4 and log 2, so 1 - 1/4. The halves: log 2 and log 2, so 0. A dead dimension: 0."""
    attributes = {"a": RISING, "b": HALVES}
    assert disentanglement.modularity(columns(SHUFFLED), attributes) == pytest.approx(3 / 4)
    assert disentanglement.modularity(columns(SHUFFLED, HALVES, [5] * 4), attributes) == pytest.approx((3 / 4) / 3)


def test_modularity_divides_by_the_number_of_other_attributes():
    attributes = {"a": RISING, "b": HALVES, "never": [1.0] * 4}
    found = disentanglement.modularity(columns(SHUFFLED, HALVES), attributes)
    assert found == pytest.approx(((1 - 1 / 8) + (1 - 1 / 2)) / 2)


def test_metrics_by_hand():
    """The shuffle does not correlate with the halves (-0.75 + 0.75 - 0.25 + 0.25), and tells them as well."""
    found = metrics(columns(SHUFFLED, HALVES), {"y": RISING, "z": HALVES}, {"z": 1, "y": 1})
    halves = 4 / math.sqrt(20)
    by_hand = {
        "interpretability/y": 4 / 25,
        "interpretability/z": 1,
        "mig/y": 1 / 2,
        "mig/z": 0,
        "sap/y": 4 / 5 - 4 / 25,
        "sap/z": 1,
        "scc/y": halves,
        "scc/z": 1,
        "regularised_dimension_is_best/y": 0,
        "regularised_dimension_is_best/z": 1,  # log 2 both: none is more informative
        "regularised_r2/y": 4 / 5,
        "regularised_r2/z": 1,
        "regularised_spearman/y": halves,
        "regularised_spearman/z": 1,
    }
    means = {
        key.removesuffix("/y"): (value + by_hand[key.replace("/y", "/z")]) / 2
        for key, value in by_hand.items()
        if key.endswith("/y")
    }
    assert found == pytest.approx(by_hand | means | {"modularity": (3 / 4 + 0) / 2}, abs=1e-12)


# --- against other people's code


def binned(values):
    return np.digitize(values, np.histogram(values, BINS)[1][:-1])


def reference():
    """Information [6, 3], entropy [3], R^2 [6, 3] and rank correlation [6, 3] of `correlated`, pair by pair."""
    from scipy.stats import spearmanr
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import mutual_info_score

    codes, attributes = correlated()
    ys = list(attributes.values())
    information = [[mutual_info_score(binned(x), binned(y)) for y in ys] for x in codes.T]
    entropy = [mutual_info_score(binned(y), binned(y)) for y in ys]
    r2 = [[LinearRegression().fit(x[:, None], y).score(x[:, None], y) for y in ys] for x in codes.T]
    rho = [[spearmanr(x, y).statistic for y in ys] for x in codes.T]
    return [np.array(table) for table in (information, entropy, r2, rho)]


def test_parity_with_scikit_learn_and_scipy():
    information, _, r2, rho = reference()
    given = correlated()
    np.testing.assert_allclose(disentanglement.mutual_information(*given), information, rtol=1e-9)
    np.testing.assert_allclose(disentanglement.r_squared(*given), r2, atol=1e-12)
    np.testing.assert_allclose(disentanglement.spearman(*given), rho, atol=1e-12)


def test_metrics_from_the_tables_of_the_reference():
    information, entropy, r2, rho = reference()
    found = metrics(*correlated())
    second, first = np.sort(information, axis=0)[-2:]
    worse, better = np.sort(r2, axis=0)[-2:]
    best = np.argmax(information, axis=0)
    modular = [1 - (sum((row / max(row)) ** 2) - 1) / 2 for row in information]
    for i, name in enumerate(("smooth", "coarse", "falling")):
        assert found[f"interpretability/{name}"] == pytest.approx(r2[best[i], i])
        assert found[f"mig/{name}"] == pytest.approx((first[i] - second[i]) / entropy[i])
        assert found[f"sap/{name}"] == pytest.approx(better[i] - worse[i])
        assert found[f"scc/{name}"] == pytest.approx(np.abs(rho[:, i]).max())
    assert found["mig"] == pytest.approx(np.mean((first - second) / entropy))
    assert found["modularity"] == pytest.approx(np.mean(modular))


def test_spearman_shares_ranks_between_ties():
    from scipy.stats import spearmanr

    random = np.random.default_rng(1)
    codes, y = random.integers(0, 5, (60, 3)).astype(float), random.integers(0, 4, 60).astype(float)
    expected = [[spearmanr(x, y).statistic] for x in codes.T]
    np.testing.assert_allclose(disentanglement.spearman(codes, {"y": y}), expected, atol=1e-12)


# --- what must not matter, and what must


def test_the_order_of_dimensions_does_not_matter():
    codes, attributes = correlated()
    order = np.random.default_rng(2).permutation(6)
    moved = {name: int(np.flatnonzero(order == d)[0]) for name, d in (("smooth", 1), ("falling", 5))}
    found = metrics(codes[:, order], attributes, moved)
    assert found == pytest.approx(metrics(codes, attributes, {"smooth": 1, "falling": 5}))


def test_equally_informative_dimensions_may_come_in_any_order():
    codes = columns(SHUFFLED, HALVES)
    for either in (codes, codes[:, ::-1]):
        assert disentanglement.interpretability(either, {"z": HALVES}) == pytest.approx({"z": 1})


def test_the_order_of_attributes_does_not_matter():
    codes, attributes = correlated()
    backwards = dict(reversed(attributes.items()))
    faders = {"smooth": 1, "coarse": 2}
    assert metrics(codes, backwards, faders) == pytest.approx(metrics(codes, attributes, faders))


def test_direction_does_not_matter_to_sap_and_scc_but_does_to_a_fader():
    codes, attributes = correlated()
    signs = np.array([1, -1, 1, -1, -1, 1])
    assert disentanglement.sap(codes * signs, attributes) == pytest.approx(disentanglement.sap(codes, attributes))
    assert disentanglement.scc(codes * signs, attributes) == pytest.approx(disentanglement.scc(codes, attributes))
    faders = {"smooth": 1}
    before, after = (metrics(c, attributes, faders) for c in (codes, codes * signs))
    assert before["regularised_spearman/smooth"] > 0.3
    assert after["regularised_spearman/smooth"] == pytest.approx(-before["regularised_spearman/smooth"])
    assert after["regularised_r2/smooth"] == pytest.approx(before["regularised_r2/smooth"])


@pytest.mark.parametrize("seed", range(8))
def test_rounding_makes_no_difference(seed):
    """A fader and its mirror image tell as much as each other, and a line explains no more than everything."""
    codes, attributes = correlated(seed, 100)
    mirrored = columns(codes[:, 1], -codes[:, 1])
    for fader in (0, 1):
        assert metrics(mirrored, attributes, {"smooth": fader})["regularised_dimension_is_best"] == 1
    lines = {f"{slope}": slope * codes[:, 1] + 1 for slope in (0.1, 3, -7)}
    for table in (disentanglement.r_squared, disentanglement.spearman):
        assert np.abs(table(mirrored, lines)).max() <= 1


def test_units_do_not_matter():
    codes, attributes = correlated()
    scaled = {name: 1024 * values for name, values in attributes.items()}
    assert metrics(codes / 4096, scaled) == pytest.approx(metrics(codes, attributes))


def test_a_second_dimension_of_the_same_attribute_closes_the_gaps_alone():
    attributes = grid()
    codes = columns(attributes["a"], attributes["b"], attributes["a"])
    found = metrics(codes, attributes)
    for metric, value in (("interpretability", 1), ("scc", 1), ("mig", 0), ("sap", 0)):
        assert found[f"{metric}/a"] == pytest.approx(value)
        assert found[f"{metric}/b"] == pytest.approx(1)
    assert found["modularity"] == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_a_disentangled_code_scores_one(sign):
    attributes = grid()
    found = metrics(columns(sign * attributes["b"], sign * attributes["a"]), attributes, {"a": 1, "b": 0})
    for key, value in found.items():
        assert value == pytest.approx(sign if key.startswith("regularised_spearman") else 1), key


def test_a_rotated_code_is_informative_but_neither_separate_nor_modular():
    a, b = grid().values()
    found = metrics(columns(a + b, a - b), grid())
    for metric in ("mig", "sap"):
        assert found[metric] == pytest.approx(0, abs=0.01)
    assert found["interpretability"] == pytest.approx(1 / 2)
    assert found["modularity"] == pytest.approx(0, abs=0.05)


def test_an_independent_code_scores_nothing():
    random = np.random.default_rng(3)
    found = metrics(random.normal(size=(5000, 8)), {"a": random.normal(size=5000), "b": random.random(5000)})
    for metric, limit in (("interpretability", 0.005), ("mig", 0.005), ("sap", 0.005), ("scc", 0.05)):
        assert 0 <= found[metric] < limit
    attributes = grid()
    exact = metrics(columns(attributes["a"]), {"b": attributes["b"], "never": np.zeros(S)})
    assert exact == pytest.approx(dict.fromkeys(exact, 0), abs=1e-12)
    assert exact["modularity"] == 0


def test_information_of_chance_is_within_the_bias_that_the_module_states():
    random = np.random.default_rng(4)
    found = disentanglement.mutual_information(random.random((5000, 20)), {"y": random.random(5000)})
    assert found.mean() == pytest.approx((BINS - 1) ** 2 / (2 * 5000), rel=0.1)


# --- constants, kinds and errors


@pytest.mark.parametrize("level", [0.0, 0.1, -3e7])
def test_what_never_changes_scores_zero(level):
    codes, attributes = correlated()
    dead = codes.copy()
    dead[:, 1] = level
    dead[::2, 1] *= 1 + 2e-16  # rounding
    attributes["never"] = np.full(S, level)
    found = metrics(dead, attributes, {"never": 0, "smooth": 1})
    never = {key: value for key, value in found.items() if key.endswith("/never")}
    assert never == dict.fromkeys(never, 0)
    assert len(never) == 7
    for key in ("dimension_is_best", "r2", "spearman"):
        assert found[f"regularised_{key}/smooth"] == 0
    for table in (disentanglement.mutual_information, disentanglement.r_squared, disentanglement.spearman):
        found = table(dead, attributes)
        assert not found[1].any()
        assert not found[:, 3].any()
        assert found[[0, 2, 3, 4, 5], :3].all()


def test_a_dead_dimension_lowers_nothing_but_modularity():
    attributes = grid()
    codes = columns(attributes["a"], attributes["b"])
    wider = np.pad(codes, ((0, 0), (0, 2)))
    found, expected = metrics(wider, attributes), metrics(codes, attributes)
    assert found.pop("modularity") == pytest.approx(expected.pop("modularity") / 2)
    assert found == pytest.approx(expected)


def test_all_constant_and_a_single_segment_score_zero():
    for codes, attributes in (
        (np.ones((9, 2)), {"a": np.ones(9), "b": np.zeros(9)}),
        ([[1.0, 2.0]], {"a": [1.0], "b": [2.0]}),
    ):
        found = metrics(codes, attributes, {"a": 0, "b": 1})
        assert found == dict.fromkeys(found, 0)


def test_one_dimension_has_no_second_best():
    found = metrics(columns(RISING), {"y": RISING, "z": HALVES})
    assert found["sap/z"] == pytest.approx(4 / 5)
    assert found["mig/y"] == pytest.approx(1)


def test_keys_are_those_that_were_asked_for():
    codes, attributes = correlated()
    plain = metrics(codes, attributes)
    means = {"interpretability", "mig", "sap", "scc"}
    assert set(plain) == means | {f"{m}/{a}" for m in means for a in attributes} | {"modularity"}
    assert metrics(codes, attributes, {}) == plain
    extra = set(metrics(codes, attributes, {"coarse": 2})) - set(plain)
    heads = {"regularised_dimension_is_best", "regularised_r2", "regularised_spearman"}
    assert extra == heads | {f"{head}/coarse" for head in heads}
    alone = metrics(codes, {"coarse": attributes["coarse"]})
    assert "modularity" not in alone
    assert alone["mig"] == plain["mig/coarse"]
    assert all(type(value) is float for value in plain.values())


def test_single_precision_and_lists_do_as_well_and_are_left_alone():
    codes, attributes = correlated(size=50)
    single = codes.astype(np.float32)
    single[:, 0] = 0.1
    before = single.copy()
    lists = {name: values.tolist() for name, values in attributes.items()}
    assert metrics(single, attributes) == metrics(single.astype(np.float64).tolist(), lists)
    np.testing.assert_array_equal(single, before)


def test_errors_say_what_came_and_what_is_allowed():
    codes = np.random.default_rng(0).normal(size=(6, 2))
    good = {"a": codes[:, 0]}
    broken = codes.copy()
    broken[2, 1] = np.nan
    for wrong, attributes, match in (
        (codes[:, 0], good, r"codes have shape \(6,\); expected \[segments, dimensions\]"),
        (codes[:0], {"a": []}, r"codes have shape \(0, 2\)"),
        (codes[:, :0], good, r"codes have shape \(6, 0\)"),
        (broken, good, "codes hold values that are not finite, first in dimension 1"),
        (codes, {}, "no attributes"),
        (codes, {"a": codes[:5, 0]}, r"attribute 'a' has shape \(5,\); expected \(6,\)"),
        (codes, {"a": codes}, r"attribute 'a' has shape \(6, 2\)"),
        (codes, {**good, "b": [0, 1, 2, 3, 4, np.inf]}, "attribute 'b' holds values that are not finite"),
    ):
        with pytest.raises(ValueError, match=match):
            metrics(wrong, attributes)
    with pytest.raises(ValueError, match="at least 2, not 1"):
        disentanglement.modularity(codes, good)
    with pytest.raises(ValueError, match="fader 'b' has no attribute; attributes are a"):
        metrics(codes, good, {"b": 0})
    for dimension in (2, -1):
        with pytest.raises(ValueError, match=rf"fader 'a' is dimension {dimension}; allowed is 0\.\.1"):
            metrics(codes, good, {"a": dimension})
