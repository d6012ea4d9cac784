"""Model cards, written with every checkpoint and every exported model."""

from __future__ import annotations

from typing import Any


def card(config: dict[str, Any], held_out: str = "") -> str:
    """A model card: what it is, what it learned from, what it scores, what it must not be trusted with.

    held_out: figures on test pieces, as markdown (evaluation.table).
    """
    recipe, data = config["recipe"], config["data"]
    clustered = recipe["model"].get("clusters", 2) > 0
    prior = (
        "under a mixture prior whose\ntwo components are low and high arousal."
        if clustered
        else "under a\nstandard normal prior."
    )
    lines = [
        f"# {config.get('name', recipe['name'])}",
        "",
        "Music FaderNets (Tan and Herremans, ISMIR 2020) on the sixteenth grid: a code for rhythm and a code for",
        f"note density of a four-beat piano segment, each with one regularised dimension, {prior}",
        "",
        f"- codec: {config['codec']} (16 steps x 88 pitches of off, onset, hold)",
        f"- recipe: {recipe['name']}, {config['step']} steps of batch {recipe['batch']}, seed {recipe['seed']}",
        f"- data set: {data['hash']}",
        "",
        "## Data",
        "",
        "| corpus | licence | pieces | training segments | used for |",
        "|---|---|---|---|---|",
    ]
    for name, row in data["corpora"].items():
        used, count = "reconstruction", row["train"]
        if name in recipe["label_corpora"]:
            used, count = "cluster and regulariser terms alone", config.get("segments", {}).get("labelled", 0)
        elif recipe["corpora"] and name not in recipe["corpora"]:
            continue
        lines.append(f"| {name} | {row['licence']} | {row['pieces']} | {count} | {used} |")
    lines += [
        "",
        "Pieces are split 80/10/10 as wholes; segments pass the paper's filter (a note, more than two pitches, three",
        "quarters of the steps sounding, an onset on the first step). Training transposes by -5 to +6 semitones.",
        "",
        "## Figures",
        "",
    ]
    checked = config.get("figures", {})
    if held_out:
        lines += ["On test pieces, never trained on:", "", held_out, ""]
    if checked:
        lines += ["On validation pieces, nats a segment unless named otherwise:", ""]
        lines += [f"- {name.replace('_', ' ')}: {value:.4f}" for name, value in sorted(checked.items())]
    lines += [
        "",
        "## Licence",
        "",
        "The weights are under this package's licence (MIT).",
        *[
            f"No segment of {name} was reconstructed in training: its arousal ratings placed the two clusters, no more."
            for name in recipe["label_corpora"]
            if clustered and name in data["corpora"]
        ],
        "",
        "## Limits",
        "",
        "- Sixteenth notes in four-beat segments: triplets and ornaments are read at the nearest step, and keep their",
        "  own timing where they survive.",
        "- Western keyboard music of the kinds named above; other music is edited by the same habits.",
        "- Arousal was rated by listeners of video game music. Tempo and loudness, which carry most of it, are not",
        "  known to these codes; read the cluster's probability as a hint.",
        "- A fader that lands says nothing about taste: listen.",
        "",
    ]
    return "\n".join(lines)
