"""From a rewriter's run to a model folder: three graphs, a critic if one was fitted, statistics and a card."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fadernets import files
from fadernets.arrays import Cells, Floats32
from fadernets.codecs.grid import ONSET
from fadernets.data.corpora import CORPORA
from fadernets.data.dataset import SPLITS
from fadernets.data.passage_batches import PassageBatch
from fadernets.data.passage_sampler import default_tracks
from fadernets.data.passages import GridPiece, densities, segment_ends
from fadernets.decoding.passage_drawing import Constraints, Drawing, draw
from fadernets.engines.model_folder import FORMAT
from fadernets.engines.rewriter import RewriterEngine
from fadernets.errors import FadernetsError
from fadernets.fitting import fit_passage_critic, onnx_rewriter
from fadernets.fitting.onnx_builder import save, weights_of
from fadernets.models.rewriter import Rewriter
from fadernets.provenance import commit
from fadernets.training import checkpoints, rewriter_loop
from fadernets.training.model_cards import SHIPPABLE, UNSHIPPABLE, front_matter, is_shippable


def export(run: Path, pieces: Sequence[GridPiece], folder: Path, name: str = "") -> Path:
    """Write the model folder of a run that was trained on these pieces. Raises FadernetsError where there is no run."""
    state = run / "state.pt"
    if not state.exists():
        raise FadernetsError(f"{run}: has no state.pt; train with `fadernets rewriter train`")
    model, step, recipe = rewriter_loop.load_run(state)
    graphs = onnx_rewriter.graphs(weights_of(model), model.size)
    critic = fit_passage_critic.load(run)
    if critic is not None:
        size = critic.size
        graphs["critic"] = onnx_rewriter.critic(weights_of(critic), size.width, size.heads, size.layers)
    info: dict[str, Any] = {
        "format": FORMAT,
        "kind": "rewriter",
        "name": name or folder.name,
        "codec": "grid",
        "size": model.size.as_dict(),
        "recipe": recipe,
        "step": step,
        "data": _corpora(pieces),
        "statistics": statistics(pieces),
    }
    with files.open_folder(folder) as new:
        hashes = save(graphs, new)
        known = ("kind", "name", "codec", "size", "recipe", "step", "data")
        config = {**{key: info[key] for key in known}, "commit": commit()}
        written = {"sha256": hashes, "checkpoint": checkpoints.write_weights(new, model.state_dict(), config)}
        (new / "model.json").write_text(json.dumps({**info, **written}) + "\n", encoding="utf-8")
        (new / "README.md").write_text(card(info, critic is not None), encoding="utf-8")
    return folder


def edited(
    model: Rewriter, batch: PassageBatch, onsets: Floats32, voices: Floats32, temperature: float, seed: int
) -> Cells:
    """[B, T, 88] passages as the model edits them, drawn by its own exported graphs.

    The passages get `onsets` [B, T] steps and about `voices` [B, T] in each step's segment. No plan is told.
    """
    with tempfile.TemporaryDirectory() as folder:
        hashes = save(onnx_rewriter.graphs(weights_of(model), model.size), Path(folder))
        engine = RewriterEngine(Path(folder), {"name": "in training", "size": model.size.as_dict(), "sha256": hashes})
        drawing = Drawing(1, seed, temperature, temperature, temperature, told=False)
        return draw(engine, batch, onsets, voices, Constraints.none(batch), drawing).cells[:, 0]


def statistics(pieces: Sequence[GridPiece]) -> dict[str, dict[str, float]]:
    """Mean, deviation and percentiles of both densities over the segments of training pieces, of the default tracks."""
    rhythm, voices = [], []
    for piece in pieces:
        if piece.split != SPLITS.index("train") or not len(piece.notes):
            continue
        ends = segment_ends(piece.steps)
        roll = piece.roll(default_tracks(piece)[0], 0, int(ends[-1]))
        onsets, sounding = densities(roll, ends[:-1], piece.steps.sixteenths)
        whole = np.add.reduceat(piece.steps.sixteenths, ends[:-1])
        heard = np.add.reduceat((roll == ONSET).any(-1), ends[:-1]) > 0
        rhythm.append((onsets / whole)[heard])
        voices.append(sounding[heard])
    return {
        name: _described(np.concatenate(values))
        for name, values in (("rhythm_density", rhythm), ("note_density", voices))
    }


def _described(values: np.ndarray) -> dict[str, float]:
    p5, p95 = np.percentile(values, [5, 95])
    figures = {"mean": values.mean(), "std": values.std(), "p5": p5, "p95": p95, "min": values.min()}
    return {k: round(float(v), 6) for k, v in {**figures, "max": values.max()}.items()}


def _corpora(pieces: Sequence[GridPiece]) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for piece in pieces:
        row = rows.setdefault(
            piece.corpus,
            {
                "licence": CORPORA[piece.corpus].licence,
                "shippable": CORPORA[piece.corpus].shippable,
                "pieces": 0,
                "train": 0,
            },
        )
        row["pieces"] += 1
        row["train"] += len(piece.steps.starts) if piece.split == SPLITS.index("train") else 0
    return {"corpora": rows}


def card(info: dict[str, Any], has_critic: bool) -> str:
    """The model's card."""
    corpora = info["data"]["corpora"]
    rows = [f"| {name} | {r['licence']} | {r['pieces']} | {r['train']} |" for name, r in corpora.items()]
    hours = info["recipe"]["hours"]
    return "\n".join(
        [
            f"{front_matter(info)}\n# {info['name']}",
            "",
            "A rewriter of passages: it reads some bars of a piece, with the bars around them, the other tracks and",
            "bars like them from elsewhere in the piece, and writes them at the rhythm density and note density",
            "that are asked. It learned by denoising and back-translation (Lample et al., ICLR 2019): every passage",
            "that it was to write is real music.",
            "",
            f"- steps: {info['step']} of {info['recipe']['batch']} passages, a budget of {hours:g} hours on one core",
            f"- size: {', '.join(f'{k} {v}' for k, v in info['size'].items())}",
            "- grid: the piece's own bars; beats cut in 4, 3, 6, 8 steps as their notes cut them",
            *(
                ["- a critic of passages ranks what it draws; it was fitted on pieces that the test does not use"]
                * has_critic
            ),
            "",
            "## Data",
            "",
            "| corpus | licence | pieces | training segments |",
            "|---|---|---|---|",
            *rows,
            "",
            "Whole pieces are split 80/10/10. Training transposes by -5 to +6 semitones.",
            "",
            "## Licence",
            "",
            SHIPPABLE if is_shippable(info) else UNSHIPPABLE,
            "",
            "## Limits",
            "",
            "- Western songs and piano accompaniments; other music is edited as if it were of these.",
            "- The figures of docs/results say how far its edits can still be told from real music.",
            "- That a fader reaches its value says nothing about taste: listen.",
            "",
        ]
    )
