"""The command `evaluate`, one action for each thing that can be measured. docs/results is made of their output."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fadernets.cli import evaluate_passages
from fadernets.cli import options as shared
from fadernets.cli.console import Add, Parser, add_group, check_output, progress, warned
from fadernets.cli.presets import LABELS
from fadernets.cli.reading import check_runs, read_corpora, register_attributes
from fadernets.errors import FadernetsError

SEGMENTS = Path("data/pop-lieder")  # where README prepares the data set of the bundled model of segments
MELODIES = Path("data/melodies")  # and that of the bundled model of melodies
MODEL_LOOPS = ("open", "calibrated", "closed")
CHECKPOINT_LOOPS = ("open", "calibrated", "best-of-n")
PROTOCOLS = ("paper", "strict", "authors")


def register(add: Add) -> None:
    """Add the command and its actions to the parser."""
    action = add_group(
        add,
        "evaluate",
        "Measure a model, a trained run, faders or presets on held-out music.",
        "`fadernets evaluate model --help` lists the options of model; the same holds for the others.",
    )
    _register_model(action)
    _register_checkpoint(action)

    faders = action(
        "faders",
        _faders,
        "The faders beyond the model, or with --model those of a rewriter, on the test pieces of corpora.",
    )
    shared.add_corpora(faders, "a corpus and its folder; repeatable", required=True)
    shared.add_model(faders, default="none: the faders that move notes")
    faders.add_argument(
        "--straight",
        action="store_true",
        help="with --model: leave out bars with beats cut in threes, or finer than in sixteenths",
    )
    shared.add_runs(faders)
    shared.add_attributes(faders)

    presets = action(
        "presets",
        _presets,
        "Whether a classifier that was trained on other pieces agrees with a preset, on the test pieces of a corpus.",
    )
    presets.add_argument("label", choices=LABELS, metavar="LABEL", help=f"the preset: {', '.join(LABELS)}")
    shared.add_corpora(presets, "one corpus with labels, such as vgmidi=PATH", required=True)
    shared.add_model(presets)
    presets.add_argument("--segments", type=int, metavar="N", help="segments moved, at most twelve of a piece (200)")
    presets.add_argument(
        "--roll-runs",
        type=int,
        default=3,
        metavar="N",
        help="seeds of classifiers that see piano rolls alone and no fader (3; 0 leaves them out)",
    )
    shared.add_attributes(presets)

    melody = action("melody", _melody, "The knobs of a melody model, on held-out clips.")
    shared.add_model(melody, "model", "the bundled model of melodies")
    _add_data(melody, MELODIES)

    _register_realism(action)

    evaluate_passages.register_page(action)

    variations = action(
        "variations",
        _variations,
        "What Mozart's variations K. 265 keep of their theme, beside edits of the theme to the same densities.",
    )
    shared.add_model(variations, "model")
    shared.add_corpora(variations, "the corpus tavern_k265 and its folder", required=True)
    variations.add_argument("--beside", action="append", metavar="MODEL", help="one more model")

    _register_played_notes(action)

    analogies = action("analogies", _analogies, "Both controls of mix on pairs of held-out segments.")
    shared.add_model(analogies, "model", shared.WINDOWS)
    _add_data(analogies, SEGMENTS)
    analogies.add_argument("--pairs", type=int, default=100, metavar="N", help="pairs of test segments (100)")

    ablation = action("ablation", _ablation, "A model's loops, and the closed one with parts left out.")
    shared.add_model(ablation, "model", shared.WINDOWS)
    _add_data(ablation, SEGMENTS)
    shared.add_runs(ablation)
    _add_loop(ablation, MODEL_LOOPS, "measure this row alone")


def _register_played_notes(action: Add) -> None:
    played = action(
        "played-notes",
        _played_notes,
        "How near new notes are played to what players did: hidden notes of held-out performances.",
        epilog="copy plays a note as those beside it, mean as the mean of those around; model is the middle of the "
        "bundled model's prediction, drawn what an edit draws from it. Errors are mean absolute ones.",
    )
    shared.add_corpora(played, "performances and their folder; repeatable", required=True)
    played.add_argument("--model", type=Path, metavar="FILE.npz", help="a model of played notes (the bundled one)")
    played.add_argument(
        "--spread", type=float, metavar="SHARE", help="of the predicted deviation that is drawn (.5, as edits draw)"
    )
    played.add_argument("--split", choices=("train", "validation", "test"), default="test", help="which pieces (test)")
    played.add_argument("--every", type=int, default=1, metavar="N", help="take one piece in N (1)")


def _register_realism(action: Add) -> None:
    realism = action(
        "realism",
        _realism,
        "Moved segments beside real ones of the level that was asked for; or passages of edited pieces.",
        epilog="With --two-sample, whole test pieces of the corpora are edited, and judges that learn on other pieces "
        "try to tell their passages of four bars from real ones of the same densities: .5 where they cannot. A plain "
        "rule without any model stands beside the model.",
    )
    shared.add_model(realism, "model", f"{shared.WINDOWS}; for --two-sample {shared.EDITS}")
    _add_data(realism, SEGMENTS)
    _add_loop(realism, MODEL_LOOPS, "which loop moves the segments (closed)", default="closed")
    realism.add_argument("--rolls", type=Path, metavar="OUT.png", help="draw 24 pairs of segments, chosen by --seed")
    realism.add_argument("--language-model", type=Path, metavar="RUN", help="a language model that rates the segments")
    shared.add_device(realism)
    evaluate_passages.add_two_sample(realism)


def _register_model(action: Add) -> None:
    model = action(
        "model",
        _model,
        "How a model's faders land, on held-out segments.",
        epilog="open is one decode; calibrated is one decode, asked for through a curve of validation decodes; closed "
        "samples candidates and chooses among them, as an edit does.",
    )
    shared.add_model(model, "model", shared.WINDOWS)
    _add_data(model, SEGMENTS)
    shared.add_runs(model)
    _add_loop(model, MODEL_LOOPS, "measure this loop alone (default: all three)")
    model.add_argument(
        "--untouched", type=Path, metavar="OUT.png", help="draw the share of notes left alone over the size of a move"
    )
    model.add_argument("--card", action="store_true", help="write the figures into the model folder's card")


def _register_checkpoint(action: Add) -> None:
    checkpoint = action(
        "checkpoint",
        _checkpoint,
        "A trained run by the protocols of Table 1, on held-out segments.",
        epilog="open is one decode; calibrated is one decode, asked for through a curve of validation decodes; "
        "best-of-n is the nearest of a few decodes.",
    )
    checkpoint.add_argument("run_folder", type=Path, metavar="RUN", help="the folder of a run, or of its checkpoint")
    checkpoint.add_argument("--data", type=Path, metavar="DATA", help="where the run's data set is now")
    shared.add_runs(checkpoint)
    _add_loop(checkpoint, CHECKPOINT_LOOPS, "print this loop alone (default: all three)")
    checkpoint.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        help="paper: Section 4.2; strict: values that were asked for; authors: as their scripts measured "
        "(default: all)",
    )
    checkpoint.add_argument(
        "--language-model",
        type=Path,
        metavar="RUN",
        help="a language model that rates the outputs (default: language-model beside the run)",
    )
    shared.add_device(checkpoint)


def _add_data(command: Parser, default: Path) -> None:
    command.add_argument("--data", type=Path, default=default, metavar="DATA", help=f"the data set ({default})")


def _add_loop(command: Parser, loops: tuple[str, ...], help_text: str, default: str | None = None) -> None:
    command.add_argument("--loop", choices=loops, default=default, help=help_text)


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder is a run of `fadernets train`, or a checkpoint of one, and no model folder."""
    if (folder / "model.json").exists():
        return False
    return any((folder / name).exists() for name in ("config.json", "best/config.json"))


def _check_model_of_segments(model: str | None) -> None:
    """Raises FadernetsError, with the command that fits, for a trained run and for a model of melodies."""
    from fadernets.codecs.base import is_melodic
    from fadernets.engines.model_folder import codec_of

    if model is None:
        return
    if is_checkpoint(Path(model)):
        raise FadernetsError(f"{model}: is a trained run; fadernets evaluate checkpoint {model} measures it")
    if is_melodic(codec_of(model)):
        raise FadernetsError(f"{model}: is a model of melodies; fadernets evaluate melody {model} measures it")


def _model(options: argparse.Namespace) -> None:
    from fadernets.data.dataset import Dataset
    from fadernets.engines.grid import Engine
    from fadernets.engines.model_folder import refuse_pulled
    from fadernets.evaluation import model_folder
    from fadernets.files import write_atomic

    check_runs(options.runs)
    _check_model_of_segments(options.model)
    if options.untouched:
        check_output(options.untouched)
    engine = Engine.open(options.model)
    if options.card:
        refuse_pulled(engine.folder, "a card")
    data = Dataset.open(options.data)
    figures = model_folder.evaluate(
        engine,
        data,
        loops=[options.loop] if options.loop else model_folder.LOOPS,
        runs=options.runs,
        seed=options.seed,
        progress=progress("parts"),
    )
    if options.untouched:
        from fadernets.figures import plots

        plots.curves(
            model_folder.MOVES,
            model_folder.untouched_lines(engine, data, options.seed),
            [options.untouched],
            title="Notes that an edit leaves alone",
            label="move, in standard deviations of the moved attribute",
        )
    if options.card:
        from fadernets.training.model_cards import card as make_card

        card = make_card(engine.info, model_folder.table(figures))
        write_atomic(engine.folder / "README.md", card.encode())
    print(json.dumps(figures) if options.json else model_folder.table(figures))


def _checkpoint(options: argparse.Namespace) -> None:
    from fadernets.evaluation import run_table1, table1_tables

    check_runs(options.runs)
    run = options.run_folder
    if not is_checkpoint(run) and (run / "model.json").exists():
        raise FadernetsError(f"{run}: is a model folder; fadernets evaluate model {run} measures it")
    figures = run_table1.evaluated(
        run,
        options.data or shared.data_of_run(run),
        options.language_model or run.parent / run_table1.LANGUAGE_MODEL,
        runs=options.runs,
        seed=options.seed,
        protocols=[options.protocol] if options.protocol else None,
        device=options.device,
        progress=progress("parts"),
    )
    if options.loop:
        figures = table1_tables.of_loop(figures, options.loop)
    print(json.dumps(figures) if options.json else table1_tables.tables({run.name: figures}))


def _faders(options: argparse.Namespace) -> None:
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.evaluation import note_faders, piece_faders

    check_runs(options.runs)
    register_attributes(options.attributes)
    roots = read_corpora(options.corpus)
    if options.model:
        engine = open_edit_model(options.model)
        moved = piece_faders.evaluate(
            engine,
            roots,
            runs=options.runs,
            seed=options.seed,
            straight=options.straight,
            progress=progress("runs"),
        )
        print(json.dumps(moved) if options.json else piece_faders.table(moved))
        return
    if options.straight:
        raise FadernetsError("--straight: only with --model")
    figures = note_faders.evaluate(roots, runs=options.runs, seed=options.seed, progress=progress("runs"))
    print(json.dumps(figures) if options.json else note_faders.table(figures))


def _presets(options: argparse.Namespace) -> None:
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.evaluation import preset_agreement

    if options.segments is not None and options.segments < 1:
        raise FadernetsError(f"--segments {options.segments}: must be at least 1")
    if options.roll_runs < 0:
        raise FadernetsError(f"--roll-runs {options.roll_runs}: must be at least 0")
    register_attributes(options.attributes)
    roots = read_corpora(options.corpus)
    if len(roots) != 1:
        raise FadernetsError("evaluate presets takes one corpus with labels, such as --corpus vgmidi=PATH")
    ((corpus, root),) = roots.items()
    with warned() as skip:
        figures = preset_agreement.evaluate(
            open_edit_model(options.model),
            root,
            options.label,
            corpus,
            options.seed,
            progress("ways"),
            segments=options.segments,
            roll_seeds=range(options.roll_runs),
            skip=skip,
        )
    print(json.dumps(figures) if options.json else preset_agreement.table(figures))


def _melody(options: argparse.Namespace) -> None:
    from fadernets.data.dataset import Dataset
    from fadernets.engines.melody import MelodyEngine
    from fadernets.evaluation import melody_knobs

    engine = MelodyEngine.open(options.model)
    data = Dataset.open(options.data)
    figures = melody_knobs.evaluate(engine, data, seed=options.seed, progress=progress("parts"))
    print(json.dumps(melody_knobs.as_dict(figures)) if options.json else melody_knobs.table(figures))


def _variations(options: argparse.Namespace) -> None:
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.evaluation import editors, human_variations

    roots = read_corpora(options.corpus)
    if list(roots) != [human_variations.CORPUS]:
        raise FadernetsError(f"evaluate variations takes one corpus: --corpus {human_variations.CORPUS}=PATH")
    compared = [editors.model(open_edit_model(name)) for name in (options.model, *(options.beside or ()))]
    root = roots[human_variations.CORPUS]
    figures = human_variations.evaluate(root, [*compared, editors.rule()], seed=options.seed)
    print(json.dumps(figures) if options.json else human_variations.table(figures))


def _played_notes(options: argparse.Namespace) -> None:
    from fadernets.engines.played_notes import SPREAD, PlayedNotes
    from fadernets.evaluation import played_notes
    from fadernets.provenance import provenance

    spread = SPREAD if options.spread is None else options.spread
    if not 0 <= spread <= 1:
        raise FadernetsError(f"--spread {spread:g}: outside 0..1")
    if options.every < 1:
        raise FadernetsError(f"--every {options.every}: must be at least 1")
    model = PlayedNotes.open(options.model) if options.model else PlayedNotes.bundled()
    found = {
        name: played_notes.measure(name, root, model, split=options.split, every=options.every, spread=spread)
        for name, root in read_corpora(options.corpus).items()
    }
    about = {"commit": provenance()["commit"], "spread": spread}
    print(json.dumps({**about, **found}) if options.json else played_notes.table(found))


def _realism(options: argparse.Namespace) -> None:
    if options.two_sample:
        evaluate_passages.two_sample(options)
        return
    _check_model_of_segments(options.model)
    evaluate_passages.check_none(options)
    from fadernets.data.dataset import Dataset
    from fadernets.engines.grid import Engine
    from fadernets.evaluation import model_realism
    from fadernets.metrics import realism

    engine = Engine.open(options.model)
    data = Dataset.open(options.data)
    nats = None
    if options.rolls:
        from fadernets.figures import rolls

        check_output(options.rolls)
        rolls.draw_sheet(model_realism.pairs(engine, data, seed=options.seed), options.rolls)
    if options.language_model:
        from fadernets.evaluation.checkpoint import Checkpoint
        from fadernets.evaluation.likelihood import nats_of_cells

        nats = nats_of_cells(Checkpoint(options.language_model, data, options.device))
    figures = model_realism.evaluate(
        engine, data, loop=options.loop, seed=options.seed, nats=nats, progress=progress("moves")
    )
    print(json.dumps(figures) if options.json else realism.table(figures))


def _analogies(options: argparse.Namespace) -> None:
    from fadernets.data.dataset import Dataset
    from fadernets.engines.grid import Engine
    from fadernets.evaluation import analogies

    if options.pairs < 1:
        raise FadernetsError(f"--pairs {options.pairs}: must be at least 1")
    _check_model_of_segments(options.model)
    engine, data = Engine.open(options.model), Dataset.open(options.data)
    figures = analogies.evaluate(engine, data, pairs=options.pairs, seed=options.seed)
    print(json.dumps(figures) if options.json else analogies.table(figures))


def _ablation(options: argparse.Namespace) -> None:
    from fadernets.data.dataset import Dataset
    from fadernets.engines.grid import Engine
    from fadernets.evaluation import ablation

    check_runs(options.runs)
    _check_model_of_segments(options.model)
    figures = ablation.evaluate(
        Engine.open(options.model),
        Dataset.open(options.data),
        runs=options.runs,
        seed=options.seed,
        only=options.loop,
        progress=progress("parts"),
    )
    print(json.dumps(figures) if options.json else ablation.table(figures))
