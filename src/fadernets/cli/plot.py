"""The command `plot`: the papers' figures of trained runs and of model folders, and the studio's t-SNE."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from fadernets.cli import options as shared
from fadernets.cli import studio
from fadernets.cli.console import Add, progress
from fadernets.errors import FadernetsError

FIGURES = ("latents", "transfer", "analogy", "labels", "pca", "theme", "map")
LEAST_SEGMENTS = 100


def register(add: Add) -> None:
    """Add the command to the parser."""
    plot = add(
        "plot",
        _plot,
        "Draw a figure of trained runs or of a model folder.",
        epilog="Of trained runs (ISMIR 2020): latents is Figures 3 and 4, transfer is Figure 5, and labels draws the "
        "clusters over the number of labels. Of a melody model (NIME 2019, arXiv 1904.08842): pca is Figure 2, theme "
        "is Figures 5 to 9. Of a bundled model or a model folder: transfer is Figure 5 and analogy Section 5's "
        "generation via analogy, both on the bundled pieces of Mozart, and map is the t-SNE that the studio shows, "
        "of these or of --data. With --bundled-pieces a run over performance tokens draws these pieces too.",
    )
    plot.add_argument("figure", choices=FIGURES)
    plot.add_argument(
        "run_folders",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="labels takes several: of each label share one, or some seeds",
    )
    plot.add_argument("--out", type=Path, metavar="FOLDER", help="default: the folder of the first run")
    shared.add_device(plot)
    plot.add_argument(
        "--data", type=Path, metavar="DATA", help="where the run's data set is now; of map: the data set that is shown"
    )
    plot.add_argument(
        "--beside",
        type=Path,
        metavar="RUN",
        help="another run: of latents at the right of Figure 4, of transfer in a figure of both",
    )
    plot.add_argument(
        "--bundled-pieces",
        action="store_true",
        help="of transfer, of a run over performance tokens: draw the bundled pieces of Mozart in place of held-out "
        "segments; --data is not read",
    )
    plot.add_argument(
        "--segments", type=int, default=3000, metavar="N", help="of latents: number of held-out segments drawn (3000)"
    )


def _plot(options: argparse.Namespace) -> None:
    if options.segments < LEAST_SEGMENTS:
        raise FadernetsError(f"--segments {options.segments}: at least {LEAST_SEGMENTS}")
    if len(options.run_folders) > 1 and options.figure != "labels":
        raise FadernetsError(f"plot {options.figure}: takes one run, not {len(options.run_folders)}; see --beside")
    if options.bundled_pieces and (options.figure != "transfer" or options.beside is not None):
        raise FadernetsError("--bundled-pieces: is an option of plot transfer, of one run")
    made = _draw(options)
    print(json.dumps(made) if options.json else "\n".join([*made["files"], *made.get("table", "").splitlines()]))


def _draw(options: argparse.Namespace) -> dict[str, Any]:
    """Draw the figure; the dictionary names the files that were written."""
    run = options.run_folders[0]
    if options.figure in ("pca", "theme"):
        return _draw_melody_model(options.figure, str(run), options.data, options.out, options.seed)
    if options.figure == "map":
        return studio.plot(str(run), options.data, options.seed)
    if options.figure == "analogy" or (options.figure == "transfer" and _is_model_folder(run)):
        return _draw_bundled_pieces(options.figure, str(run), options.out)
    if options.bundled_pieces:
        from fadernets.evaluation import bundled_tokens

        return bundled_tokens.transfer(run, options.out or run, options.device)
    from fadernets.evaluation import paper_figures

    out, data, device = options.out or run, options.data or shared.data_of_run(run), options.device
    if options.figure == "latents":
        return paper_figures.latents(
            run, data, out, options.beside, options.segments, options.seed, device, progress("maps")
        )
    if options.figure == "labels":
        return paper_figures.labels(options.run_folders, data, out, options.seed, device, progress("runs"))
    return paper_figures.transfer(run, data, out, options.seed, device, progress("parts"), options.beside)


def _is_model_folder(model: Path) -> bool:
    from fadernets.engines.model_folder import is_model

    return is_model(model)


def _draw_bundled_pieces(figure: str, model: str, out: Path | None) -> dict[str, Any]:
    from fadernets.engines.grid import Engine
    from fadernets.evaluation import bundled_pieces

    draw = bundled_pieces.analogy if figure == "analogy" else bundled_pieces.transfer
    return draw(Engine.open(model), out or (Path(model) if Path(model).is_dir() else Path()))


def _draw_melody_model(figure: str, model: str, data: Path | None, out: Path | None, seed: int) -> dict[str, Any]:
    from fadernets.engines.melody import MelodyEngine

    folder = out or (Path(model) if Path(model).is_dir() else Path())
    if figure == "theme":
        from fadernets.evaluation import melody_paper_figures

        return {"files": melody_paper_figures.draw(MelodyEngine.open(model), folder)}
    from fadernets.evaluation import melody_codes

    return melody_codes.pca(model, data, folder, seed)
