"""The figures of `passage_realism` as Markdown: editors beside each other and beside real music; then by class."""

from __future__ import annotations

from typing import Any

from fadernets.metrics.tables import markdown_table, spelled

Figures = dict[str, Any]


def table(figures: Figures) -> str:
    """A table of AUC and of what stays, with a row for each move of each editor, and the same by class of bars."""
    judges = list(figures["floor"])
    size = f"{len(figures['pieces'])} pieces, at most {figures['most']} passages a side, seed {figures['seed']}"
    return "\n\n".join([size, _main(figures, judges), _classes(figures)])


FIGURES = [
    "real, as level",
    "pairs",
    "note F1 (most)",
    "chroma",
    "error",
    "other error",
    "neighbours / real",
    "Frechet / real",
    "lone / real",
    "clashes / real",
    "repeats alike (n)",
    "transposed alike (n)",
    "new notes on own, finer steps (n)",
]


def _main(figures: Figures, judges: list[str]) -> str:
    head = ["moved by", "editor", *(f"AUC, {judge}" for judge in judges), *FIGURES, "failures"]
    floor = figures["floor"]
    pairs = str(next(iter(floor.values()))["passages"]) if floor else "-"
    blank = ["-"] * (len(FIGURES) - 1)
    rows = [["at rest", "real against real", *(_score(floor[judge]) for judge in judges), "-", pairs, *blank]]
    rows += [
        [_title(move), editor, *(_score(row[judge]) for judge in judges), *_figures(row), _number(row["failures"])]
        for move, editor, row in _rows(figures)
    ]
    return markdown_table(head, rows)


def _classes(figures: Figures) -> str:
    """The same figures by metre and by subdivision, with the AUC of the first judge."""
    first = next(iter(figures["floor"]), "none")
    rows = [
        [_title(move), editor, name, _score(row.get(first)), *_figures(row)]
        for move, editor, whole in _rows(figures)
        for name, row in whole["classes"].items()
    ]
    return markdown_table(["moved by", "editor", "bars", f"AUC, {first}", *FIGURES], rows)


def _rows(figures: Figures) -> list[tuple[str, str, Figures]]:
    """Each move of each editor, and its figures."""
    return [(move, editor, each[move]) for move in _moves(figures) for editor, each in figures["editors"].items()]


def _figures(row: Figures) -> list[str]:
    """The cells of FIGURES."""
    return [
        _score(row.get("as_level")),
        str(row["pairs"]),
        f"{_number(row['note_f1'])} ({_number(row['note_f1_most'])})",
        _number(row["chroma_similarity"]),
        _number(row["error"]),
        _number(row["other_error"]),
        *(
            f"{_number(row.get(name))} / {_number(row.get(f'{name}_real'))}"
            for name in ("neighbours", "frechet", "lone", "clashes")
        ),
        f"{_number(row['repeats_alike'])} ({row['repeats']:.0f})",
        f"{_number(row['transposed_alike'])} ({row['transposed']:.0f})",
        f"{_number(row['on_steps'])}, {_number(row['on_finer_steps'])} ({row['new_notes']:.0f})",
    ]


def _moves(figures: Figures) -> list[str]:
    return list(next(iter(figures["editors"].values()), {}))


def _title(move: str) -> str:
    name, _, amount = move.partition("/")
    return f"{spelled(name)} {amount} sd"


def _score(score: Figures | None) -> str:
    """Mean and deviation over seeds; the mean alone where there is one seed, or all agree."""
    if not score or score["mean"] is None:
        return "-"
    return f"{score['mean']:.3f} ± {score['deviation']:.3f}" if score["deviation"] else f"{score['mean']:.3f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
