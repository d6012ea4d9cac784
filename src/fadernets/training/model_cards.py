"""Model cards, written with every checkpoint and every exported model.

A card opens with what Hugging Face's hub reads of it (YAML between two lines of dashes): licence, data, tags.
"""

from __future__ import annotations

import json
from typing import Any

from fadernets.codecs.base import find
from fadernets.data import labels

KINDS = {  # model -> what it is
    "music-fadernets": "Music FaderNets (Tan and Herremans, ISMIR 2020): a code for rhythm and a code for note "
    "density of a four-beat piano segment, each with one regularised dimension",
    "pati": "Pati and Lerch (2019): one code of a four-beat piano segment with two regularised dimensions",
    "cvae": "CVAE (Sohn et al., 2015): encoder and decoder are given the densities of a four-beat piano segment",
    "fader-networks": "Fader Networks (Lample et al., 2017): the decoder is given the densities, an adversary takes "
    "them out of the code",
    "glsr-vae": "GLSR-VAE (Hadjeres et al., 2017): Music FaderNets' architecture with the geodesic penalty",
    "gm-vae": "A GM-VAE with one code and no low-level features (Figure 4 of Music FaderNets)",
    "music-vae": "MusicVAE with GRUs (Roberts et al., 2017, as in the NIME 2019 paper): one code of a two-bar melody",
    "language-model": "An autoregressive model of four-beat piano segments, conditioned on nothing",
}
MIXTURES = ("music-fadernets", "gm-vae")
SHIPPABLE = "The weights are under this package's licence (MIT)."
UNSHIPPABLE = "Learned from music that may not be passed on freely (see above): for research, not for shipping."
OPENING = "---\n"  # of a card's front matter, and its end
NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}


def is_shippable(info: dict[str, Any]) -> bool:
    """Whether all music that a model learned to write may be passed on. `info`: of a checkpoint or a model.json."""
    return all(row.get("shippable", True) for row in _rebuilt(info).values())


def _rebuilt(info: dict[str, Any]) -> dict[str, Any]:
    """The corpora that the model learned to write: name -> row."""
    recipe = info["recipe"]
    left_out = () if recipe.get("reconstruct_labelled") else recipe.get("label_corpora", ())
    named = recipe.get("corpora")
    rows = info["data"]["corpora"].items()
    return {name: row for name, row in rows if name not in left_out and (not named or name in named)}


def front_matter(info: dict[str, Any]) -> str:
    """What the hub reads of a card. `info`: the config of a checkpoint, or what a model.json says."""
    kind = str(info.get("kind") or info["recipe"]["name"])
    licence = ["license: mit"] if is_shippable(info) else ["license: other", "license_name: research-only"]
    labelling = [] if info["recipe"].get("label_share") == 0 else info["recipe"].get("label_corpora", [])
    data = [name for name in info["data"]["corpora"] if name in {*_rebuilt(info), *labelling}]
    lines = [*licence, "library_name: fadernets", "tags:"]
    lines += [f"- {json.dumps(tag)}" for tag in ("symbolic-music", "midi", kind, str(info["codec"]))]
    lines += ["datasets:", *(f"- {json.dumps(name)}" for name in data)] if data else []
    return OPENING + "\n".join(lines) + "\n" + OPENING


def card(config: dict[str, Any], held_out: str = "") -> str:
    """A model card: what it is, what it learned from, what it scores, what it must not be trusted with.

    held_out: figures on test pieces, as markdown (evaluation.table).
    """
    recipe, data = config["recipe"], config["data"]
    kind, codec = recipe["name"], find(config["codec"])
    clustered = kind in MIXTURES and recipe["model"].get("clusters", 2) > 0
    label = labels.name_of(recipe.get("label", "arousal"))
    lines = [
        f"{front_matter(config)}\n# {config.get('name', kind)}",
        "",
        f"{KINDS.get(kind, f'The model `{kind}` of another package')}, {codec.card.place}.",
        *([_mixture(label, recipe["model"].get("clusters", 2))] if clustered else []),
        "",
        f"- codec: {codec} ({codec.card.form})",
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
        if name in recipe["label_corpora"] and not recipe.get("reconstruct_labelled"):
            used, count = "cluster and regulariser terms alone", config.get("segments", {}).get("labelled", 0)
        elif recipe["corpora"] and name not in recipe["corpora"]:
            continue
        if used != "reconstruction" and not clustered:
            continue
        lines.append(f"| {name} | {row['licence']} | {row['pieces']} | {count} | {used} |")
    lines += [
        "",
        codec.card.selection + (" Training transposes by -5 to +6 semitones." if recipe["transpose"] else ""),
        "",
        "## Figures",
        "",
    ]
    checked = config.get("figures", {})
    if held_out:
        lines += ["On test pieces, never trained on:", "", held_out, ""]
    if checked:
        lines += [
            "Terms of the loss on validation pieces, in nats a segment. beta is a weight; clips, states and note f1 "
            "are shares of what is rebuilt:",
            "",
        ]
        lines += [f"- {name.replace('_', ' ')}: {value:.4f}" for name, value in sorted(checked.items())]
    lines += [
        "",
        "## Licence",
        "",
        SHIPPABLE if is_shippable(config) else UNSHIPPABLE,
        *[
            f"No segment of {name} was reconstructed in training: its {_ratings(label)} placed the {_number(recipe)} "
            "clusters, no more."
            for name in recipe["label_corpora"]
            if clustered and name in data["corpora"] and not recipe.get("reconstruct_labelled")
        ],
        "",
        "## Limits",
        "",
        codec.card.limits,
        f"- Western {codec.card.music} of the kinds named above; other music is edited as if it were of these.",
        *(
            [
                "- Arousal was rated by listeners of video game music. Tempo and loudness, which carry most of it, are",
                "  not known to the grid's codes; read the cluster's probability as a hint.",
            ]
            if clustered and label == "arousal"
            else []
        ),
        "- That a fader reaches its value says nothing about taste: listen.",
        "",
    ]
    return "\n".join(lines)


def _number(recipe: dict[str, Any]) -> str:
    """How many clusters there are, in a word."""
    count = recipe["model"].get("clusters", 2)
    return NUMBERS.get(count, str(count))


def _mixture(label: str, count: int) -> str:
    """What the mixture's components are."""
    names = labels.class_names(count)
    if count == 2:
        return f"A mixture prior has two components: low and high {label}."
    return f"A mixture prior has {NUMBERS.get(count, count)} components, classes of {label}: {', '.join(names)}."


def _ratings(label: str) -> str:
    """What a label's values are called: listeners rated arousal and valence."""
    return f"{label} {'ratings' if label in labels.COLUMNS else 'values'}"
