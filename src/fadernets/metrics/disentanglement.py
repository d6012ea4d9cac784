"""How well single dimensions of a code stand for single attributes, on the encoder's side: arrays in, numbers out.

The five figures of AR-VAE (Pati and Lerch, "Attribute-based regularization of latent spaces for variational
auto-encoders", 2020): interpretability, mutual information gap, separated attribute predictability, Spearman
correlation coefficient and modularity. All lie in 0..1 and more is better.

S segments, D dimensions of all codes side by side, A attributes. Codes are posterior means [S, D]; attributes are
name -> values [S], continuous, in any unit. A dimension or an attribute that never changes scores 0.

Mutual information is in nats, between histograms of 20 equal-width bins from the least to the greatest value, as
disentanglement_lib has it (Locatello et al. 2019). AR-VAE's own code estimates it from nearest neighbours instead, so
that its interpretability, gap and modularity compare with those here in kind, not to the last digit. A histogram
finds a little information where there is none: up to about 19 * 19 / (2 S) nats.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fadernets.arrays import Floats, Integers
from fadernets.metrics import statistics

Attributes = Mapping[str, ArrayLike]
BINS = 20
_FLAT = 1e-12  # a spread below this share of the greatest value is rounding
_TIE = 1e-9  # nats


def metrics(codes: ArrayLike, attributes: Attributes, faders: Mapping[str, int] | None = None) -> dict[str, float]:
    """Every figure of codes [S, D]; `faders` says which dimension regularises an attribute.

    `interpretability`, `mig`, `sap` and `scc` are means over the attributes, and `<metric>/<attribute>` is each one.
    `modularity` is a mean over dimensions; it takes two attributes and is left out for one.

    With faders also, mean and each: `regularised_dimension_is_best` (1 where no dimension is more informative than
    the fader's, else 0; the mean is a share), `regularised_r2` (0..1) and `regularised_spearman` (-1..1; a fader that
    rises with its attribute is above 0).

    Raises ValueError for arrays that do not fit each other, values that are not finite, and faders of unknown
    attributes or dimensions.
    """
    tables = {
        "interpretability": interpretability(codes, attributes),
        "mig": mig(codes, attributes),
        "sap": sap(codes, attributes),
        "scc": scc(codes, attributes),
    }
    if faders:
        tables |= _at_faders(codes, attributes, faders)
    out: dict[str, float] = {}
    for metric, each in tables.items():
        out[metric] = float(np.mean(list(each.values())))
        out |= {f"{metric}/{name}": value for name, value in each.items()}
    if len(attributes) > 1:
        out["modularity"] = modularity(codes, attributes)
    return out


def interpretability(codes: ArrayLike, attributes: Attributes) -> dict[str, float]:
    """Adel et al. 2018: R^2 of a line from the one dimension with the most information about each attribute.

    Of equally informative dimensions the one with the greatest R^2, whatever their order.
    """
    information = mutual_information(codes, attributes)  # [D, A]
    best = information >= information.max(0) - _TIE
    return _named(attributes, np.where(best, r_squared(codes, attributes), 0).max(0))


def mig(codes: ArrayLike, attributes: Attributes) -> dict[str, float]:
    """Chen et al. 2018: information of the best dimension less the second best, as a share of the entropy."""
    x, y = _columns(codes, attributes)
    values = _bins(y)
    entropy = _information(values, values).diagonal()  # [A]
    gap = _gap(_information(_bins(x), values))
    return _named(attributes, np.divide(gap, entropy, out=np.zeros_like(gap), where=entropy > 0))


def sap(codes: ArrayLike, attributes: Attributes) -> dict[str, float]:
    """Kumar et al. 2018: R^2 of the dimension that predicts each attribute best, less that of the second best."""
    return _named(attributes, _gap(r_squared(codes, attributes)))


def scc(codes: ArrayLike, attributes: Attributes) -> dict[str, float]:
    """Greatest size of a rank correlation over the dimensions.

    AR-VAE's code sets a correlation with p > 0.05 to 0; here it stays, as S is large.
    """
    return _named(attributes, np.abs(spearman(codes, attributes)).max(0))


def modularity(codes: ArrayLike, attributes: Attributes) -> float:
    """Ridgeway and Mozer 2018, Section 3: is each dimension informative about one attribute only? Mean over [D].

    1 - sum of (I / I_max)^2 over the other attributes / (A - 1). A dimension without any information counts as 0,
    as it does in AR-VAE's code and in disentanglement_lib. Raises ValueError for fewer than two attributes.
    """
    squared = mutual_information(codes, attributes) ** 2  # [D, A]
    if squared.shape[1] < 2:
        raise ValueError(f"modularity compares attributes: it takes at least 2, not {squared.shape[1]}")
    best = squared.max(1)  # [D]
    others = (squared.sum(1) - best) / (squared.shape[1] - 1)
    return float((1 - np.divide(others, best, out=np.ones_like(best), where=best > 0)).mean())


# --- what the metrics are made of: a number for each dimension and attribute


def mutual_information(codes: ArrayLike, attributes: Attributes) -> Floats:
    """[D, A] nats between the histograms of each dimension and each attribute, at least 0."""
    x, y = _columns(codes, attributes)
    return _information(_bins(x), _bins(y))


def r_squared(codes: ArrayLike, attributes: Attributes) -> Floats:
    """[D, A] R^2 of the least-squares line from each dimension alone to each attribute, 0..1."""
    return _correlation(*_columns(codes, attributes)) ** 2


def spearman(codes: ArrayLike, attributes: Attributes) -> Floats:
    """[D, A] Spearman's rank correlation, -1..1; 0 where either side is constant."""
    x, y = _columns(codes, attributes)
    return np.nan_to_num(statistics.spearman(x.T[:, None], y.T[None]))


def _at_faders(codes: ArrayLike, attributes: Attributes, faders: Mapping[str, int]) -> dict[str, dict[str, float]]:
    information = mutual_information(codes, attributes)  # [D, A]
    names, size = list(attributes), len(information)
    for name, dimension in faders.items():
        if name not in attributes:
            raise ValueError(f"fader {name!r} has no attribute; attributes are {', '.join(names)}")
        if not 0 <= dimension < size:
            raise ValueError(f"fader {name!r} is dimension {dimension}; allowed is 0..{size - 1}")
    at = [faders[name] for name in faders], [names.index(name) for name in faders]
    most = information.max(0)[at[1]]
    best = (information[at] >= most - _TIE) & (most > 0)
    return {
        "regularised_dimension_is_best": _named(faders, best),
        "regularised_r2": _named(faders, r_squared(codes, attributes)[at]),
        "regularised_spearman": _named(faders, spearman(codes, attributes)[at]),
    }


def _named(names: Mapping[str, object], values: NDArray[np.generic]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values.tolist(), strict=True)}


def _columns(codes: ArrayLike, attributes: Attributes) -> tuple[Floats, Floats]:
    """Codes [S, D] and attributes [S, A], checked; a column that never changes becomes all 0."""
    x = np.array(codes, np.float64)
    if x.ndim != 2 or not x.size:
        raise ValueError(f"codes have shape {x.shape}; expected [segments, dimensions], at least one of each")
    if not np.isfinite(x).all():
        wrong = np.flatnonzero(~np.isfinite(x).all(0))
        raise ValueError(f"codes hold values that are not finite, first in dimension {wrong[0]}")
    if not attributes:
        raise ValueError("no attributes: give at least one name with its values")
    rows = []
    for name, given in attributes.items():
        values = np.array(given, np.float64)
        if values.shape != (len(x),):
            raise ValueError(f"attribute {name!r} has shape {values.shape}; expected ({len(x)},), one value a code")
        if not np.isfinite(values).all():
            raise ValueError(f"attribute {name!r} holds values that are not finite")
        rows.append(values)
    y = np.stack(rows, 1)  # [S, A]
    for table in (x, y):
        table[:, np.ptp(table, 0) <= _FLAT * np.abs(table).max(0)] = 0
    return x, y


def _bins(columns: Floats) -> Integers:
    """Bin 0..19 of each value in its column [S, N]; a value on an edge is in the bin above, the greatest in the last.

    Against the edges themselves, as `np.digitize` does: a quotient would round attributes of coarse grain off them.
    """
    edges = np.linspace(columns.min(0), columns.max(0), BINS + 1)  # [21, N]
    bins = np.zeros(columns.shape, np.int64)
    for edge in edges[1:-1]:
        bins += columns >= edge
    return bins


def _information(x: Integers, y: Integers) -> Floats:
    """Bins [S, D] and [S, A] to nats [D, A]: sum of p(i, j) log(p(i, j) / p(i) p(j))."""
    size, dimensions = x.shape
    cells = (np.arange(dimensions) * BINS + x) * BINS  # [S, D]
    out = np.empty((dimensions, y.shape[1]))
    for a in range(y.shape[1]):
        flat = np.bincount((cells + y[:, a, None]).ravel(), minlength=dimensions * BINS * BINS)
        joint = flat.reshape(dimensions, BINS, BINS).astype(np.float64)  # [D, bin of x, bin of y]
        apart = joint.sum(2, keepdims=True) * joint.sum(1, keepdims=True)
        # Whole numbers above and below: the quotient of independent bins is 1 exactly, their information 0.
        ratio = np.divide(joint * size, apart, out=np.ones_like(joint), where=joint > 0)
        out[:, a] = (joint * np.log(ratio)).sum((1, 2)) / size
    return np.maximum(out, 0)


def _correlation(x: Floats, y: Floats) -> Floats:
    """Pearson correlation of the columns, [S, D] and [S, A] to [D, A]; 0 where either never changes."""
    return np.clip(_unit(x).T @ _unit(y), -1, 1)


def _unit(columns: Floats) -> Floats:
    centred = columns - columns.mean(0)
    norm = np.sqrt((centred**2).sum(0))
    return centred / np.where(norm > 0, norm, 1)


def _gap(scores: Floats) -> Floats:
    """[D, A] to [A]: the best dimension less the second best, which is 0 where there is one dimension alone."""
    ordered = np.sort(np.vstack([scores, np.zeros(scores.shape[1])]), 0)
    return np.asarray(ordered[-1] - ordered[-2])
