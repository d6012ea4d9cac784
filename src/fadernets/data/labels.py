"""What a mixture's components stand for: the classes that a label's values fall into.

A label is a column of the data set, `arousal` or `valence`; or `tension`, which is measured in every segment; or a
column of a CSV file of the user's: `FILE.csv:COLUMN`. Its rows name a segment by `piece`, as the data set's manifest
has it, and `index`, its number in the piece. Edges come in pairs: a value below the first is of class 0, one above the
second and below the third of class 1, and so on; between the two of a pair it has no class. Section 4.1 has arousal
with edges -.1 and .1: two classes, low and high.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from fadernets import structured_text
from fadernets.arrays import Floats32, Indices
from fadernets.attributes.tension import tension
from fadernets.data.dataset import Dataset
from fadernets.errors import FadernetsError

COLUMNS = ("arousal", "valence")  # that every data set has
TENSION = "tension"  # of the spiral array (attributes.tension)
AT_ONCE = 4096  # segments
PAPER_EDGES = (-0.1, 0.1)


def count(edges: Sequence[float]) -> int:
    """How many classes edges make. Raises FadernetsError for edges that make none."""
    rises = all(a <= b for a, b in pairwise(edges))
    if not edges or len(edges) % 2 or not rises:
        raise FadernetsError(f"label_edges {list(edges)}: are pairs that rise, such as [-0.1, 0.1] between two classes")
    return len(edges) // 2 + 1


def class_names(count: int) -> tuple[str, ...]:
    """The names of `count` classes, the lowest first: low, high; low, middle, high; or numbers from 1."""
    return {2: ("low", "high"), 3: ("low", "middle", "high")}.get(count, tuple(str(k + 1) for k in range(count)))


def name_of(label: str) -> str:
    """What a label is called: its column's name, also of a file."""
    return label.rpartition(":")[2].strip()


def classes_of(values: Floats32, edges: Sequence[float] = PAPER_EDGES) -> Indices:
    """The class of each value, -1 between the two edges of a pair or where there is no label (NaN)."""
    known = count(edges)
    low, high = (np.asarray(edges[i::2], values.dtype) for i in (0, 1))  # as exact as the values are
    found = np.full(len(values), -1, np.int64)
    for k in range(known):
        inside = np.isfinite(values)
        if k > 0:
            inside &= values > high[k - 1]
        if k < known - 1:
            inside &= values < low[k]
        found[inside] = k
    return found


def classes(data: Dataset, label: str = "arousal", edges: Sequence[float] = PAPER_EDGES) -> Indices:
    """[N] the class of every segment of a data set, -1 without one. Raises FadernetsError for an unknown label."""
    return classes_of(values(data, label), edges)


def values(data: Dataset, label: str) -> Floats32:
    """[N] a label of every segment, NaN where it has none. Raises FadernetsError."""
    if label in COLUMNS:
        return np.asarray(getattr(data, label), np.float32)
    if label == TENSION:
        parts = [np.arange(a, min(a + AT_ONCE, len(data))) for a in range(0, len(data), AT_ONCE)]
        return np.concatenate([tension(data.cells(part)) for part in parts]).astype(np.float32)
    path, colon, column = label.rpartition(":")
    if not colon or not path.lower().endswith(".csv"):
        raise FadernetsError(f"label {label!r}: name {', '.join(COLUMNS)} or {TENSION}, or FILE.csv:COLUMN")
    return _of_file(data, Path(path), column)


def _of_file(data: Dataset, path: Path, column: str) -> Floats32:
    try:
        rows = list(structured_text.read_csv(path))
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise FadernetsError(f"{path}: is no CSV that can be read ({error})") from None
    missing = [name for name in ("piece", "index", column) if not rows or name not in rows[0]]
    if missing:
        raise FadernetsError(f"{path}: has no column {missing[0]!r}; piece, index and the label are needed")
    numbers = {str(piece["id"]): i for i, piece in enumerate(data.manifest["pieces"])}
    given: dict[tuple[int, int], float] = {}
    for line, row in enumerate(rows, 2):
        try:
            number, index, value = numbers[row["piece"]], int(row["index"]), float(row[column])
        except KeyError:
            raise FadernetsError(f"{path}, line {line}: piece {row['piece']!r} is not in {data.folder}") from None
        except (TypeError, ValueError):
            raise FadernetsError(f"{path}, line {line}: index and {column} must be numbers") from None
        given[number, index] = value
    places = zip(np.asarray(data.piece).tolist(), np.asarray(data.index).tolist(), strict=True)
    return np.array([given.get(place, np.nan) for place in places], np.float32)
