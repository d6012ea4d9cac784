"""The figures of `passage_realism` as Markdown: editors beside each other and beside real music; then by class."""

from __future__ import annotations

from typing import Any

from fadernets.metrics.tables import markdown_table, spelled

Figures = dict[str, Any]


def table(figures: Figures) -> str:
    """A table of AUC and of what stays, with a row for each move of each editor, and one of AUC by class."""
    judges = list(figures["floor"])
    size = f"{len(figures['pieces'])} pieces, at most {figures['most']} passages a side, seed {figures['seed']}"
    return "\n\n".join([size, _main(figures, judges), _classes(figures)])


def _main(figures: Figures, judges: list[str]) -> str:
    head = [
        "moved by",
        "editor",
        *(f"AUC, {judge}" for judge in judges),
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
        "failures",
    ]
    floor = figures["floor"]
    pairs = str(next(iter(floor.values()))["passages"]) if floor else "-"
    rows = [["at rest", "real against real", *(_score(floor[judge]) for judge in judges), "-", pairs, *["-"] * 12]]
    for move in _moves(figures):
        for editor, each in figures["editors"].items():
            row = each[move]
            rows.append(
                [
                    _title(move),
                    editor,
                    *(_score(row[judge]) for judge in judges),
                    _score(row["as_level"]) if "as_level" in row else "-",
                    str(row[judges[0]]["passages"]) if judges else "-",
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
                    _number(row["failures"]),
                ]
            )
    return markdown_table(head, rows)


def _classes(figures: Figures) -> str:
    """AUC of the first judge by metre and by subdivision."""
    names = [name for each in figures["editors"].values() for row in each.values() for name in row["classes"]]
    classes = list(dict.fromkeys(names))
    rows = [
        [_title(move), editor, *(_of_class(each[move]["classes"].get(name)) for name in classes)]
        for move in _moves(figures)
        for editor, each in figures["editors"].items()
    ]
    first = next(iter(figures["floor"]), "none")
    return markdown_table([f"AUC, {first} (pairs)", "editor", *classes], rows)


def _moves(figures: Figures) -> list[str]:
    return list(next(iter(figures["editors"].values()), {}))


def _title(move: str) -> str:
    name, _, amount = move.partition("/")
    return f"{spelled(name)} {amount} sd"


def _score(score: Figures) -> str:
    return f"{_number(score['mean'])} ± {_number(score['deviation'])}"


def _of_class(score: Figures | None) -> str:
    return f"{_number(score['mean'])} ({score['passages']})" if score else "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
