"""The command `fadernets`: parse, call, print. Nothing heavy is imported before a command runs.

Exit codes: 0 done, 2 input that cannot be used (one line on standard error), 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fadernets import __version__
from fadernets.cli import listen, melody, studio
from fadernets.cli.console import (
    Parser,
    check_faithfulness,
    check_output,
    progress,
    read_number,
    read_preset,
    read_seed,
    warn,
)
from fadernets.errors import FadernetsError

if TYPE_CHECKING:
    from fadernets.data.dataset import Dataset
    from fadernets.editing.fader_curves import FaderCurve
    from fadernets.engines.grid import Engine

MOST_VARIATIONS = 16
PAPER_PRESET = "arousal-codes"
EXTRAS = {  # what a command may need beside the runtime
    "train": ("torch", "lightning", "yaml", "safetensors", "onnx", "tensorboard"),
    "study": ("sklearn", "openTSNE"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except FadernetsError as error:
        return _fail(options.command, str(error))
    except ModuleNotFoundError as error:
        name = (error.name or "").split(".")[0]
        extra = next((extra for extra, names in EXTRAS.items() if name in names), None)
        if extra is None:
            raise
        return _fail(options.command, f"needs {error.name}: pip install 'fadernets[{extra}]'")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        return _fail(options.command, f"{error.filename or 'a file'}: {error.strerror or error}")
    return 0


def _fail(command: str, message: str) -> int:
    print(f"fadernets {command}: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _parser() -> Parser:
    parser = Parser(prog="fadernets", description="Turn the faders of a MIDI file.")
    parser.add_argument("--version", action="version", version=f"fadernets {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def add(name: str, run: Callable[[argparse.Namespace], None], summary: str, **more: Any) -> Parser:
        command: Parser = commands.add_parser(name, help=summary, description=summary, **more)
        command.set_defaults(run=run)
        command.add_argument("--json", action="store_true", help="print JSON for machines")
        command.add_argument(
            "--seed", type=read_seed, default=0, metavar="N", help="seed of anything random (default 0)"
        )
        return command

    apply = add(
        "apply",
        _apply,
        "Edit a MIDI file with faders and presets. What no fader moves comes back note for note.",
        epilog="NAME is rhythm-density (onset steps / 16, 0..1), note-density (mean notes sounding a step, 0..15), "
        "syncopation (0..16), pitch (mean MIDI number), key (a name such as a-minor; --move: semitones), dynamics "
        "(mean velocity), articulation (share of the time to the next onset near by, 0.05..1) or tempo (quarter-beats "
        "a minute).",
    )
    apply.add_argument("source", type=Path, metavar="IN.mid")
    apply.add_argument("out", type=Path, metavar="OUT.mid")
    apply.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="ask for a value, or for a ramp: 0.3..0.8"
    )
    apply.add_argument(
        "--move",
        action="append",
        default=[],
        metavar="NAME=DELTA",
        help="ask for a change from each segment's own, or for a ramp of changes",
    )
    apply.add_argument(
        "--values", type=Path, metavar="FILE", help="a value a bar: CSV (bar,rhythm-density,...) or JSON"
    )
    apply.add_argument(
        "--preset",
        metavar="NAME=AMOUNT",
        help="move every fader toward high (1) or low (-1) arousal, valence or tension, or as a file of `preset learn` "
        "says; fractions allowed. arousal-codes: the paper's preset, a shift of the model's two codes",
    )
    apply.add_argument("--hold", metavar="LIST", help="faders that the preset leaves alone, by comma")
    apply.add_argument("--bars", metavar="5-12", help="edit only segments that lie wholly in these bars")
    apply.add_argument("--faithfulness", type=float, default=1.0, metavar="F", help="pull to the source, 0..1 (1)")
    apply.add_argument(
        "--variations", type=int, metavar="N", help="N different edits, OUT-1.mid to OUT-N.mid, the likeliest first"
    )
    _add_piece_options(apply)
    _add_own_attributes(apply)

    mix = add(
        "mix",
        _mix,
        "Write B.mid with the rhythm of A.mid, segment by segment: generation via analogy.",
        epilog="A segment is four quarter-beats. OUT is B's file, tempo, tracks and all. The shorter piece repeats "
        "from its start: A's rhythm goes round, or B's bars are played again. Where no note begins in A, B stays.",
    )
    mix.add_argument("a", type=Path, metavar="A.mid", help="where the rhythm comes from")
    mix.add_argument("b", type=Path, metavar="B.mid", help="where notes and key come from")
    mix.add_argument("out", type=Path, metavar="OUT.mid")
    mix.add_argument("--stretch", action="store_true", help="spread A over B instead: OUT is as long as B")
    mix.add_argument(
        "--faithfulness",
        type=float,
        default=1.0,
        metavar="F",
        help="pull to A's onsets and B's notes, 0..1 (1); 0: what the codes say",
    )
    mix.add_argument("--tracks-a", metavar="LIST", help="as --tracks, for A")
    _add_piece_options(mix)

    measure = add("measure", _measure, "Print every segment's densities, key and arousal, and the piece's means.")
    measure.add_argument("source", type=Path, metavar="IN.mid")
    _add_piece_options(measure)
    _add_own_attributes(measure)

    preset = add(
        "preset",
        _preset,
        "List presets, or learn one from labelled music.",
        epilog="FOLDER has MIDI files in `high` and `low`, or labels.csv (file,label; labels around 0). A corpus "
        "with labels: --corpus vgmidi=PATH --label arousal or valence; --label tension is measured on any corpus.",
    )
    preset.add_argument("action", choices=("list", "learn"))
    preset.add_argument("out", type=Path, nargs="?", metavar="OUT.json", help="learn: where the preset goes")
    preset.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="learn: labelled files")
    preset.add_argument("--corpus", action="append", default=[], metavar="NAME=PATH", help="learn: from a corpus")
    preset.add_argument("--label", choices=("arousal", "valence", "tension"), default="arousal", help="default arousal")

    render = add("render", _render, "Play a MIDI file on the bundled piano into a WAV file.")
    render.add_argument("source", type=Path, metavar="IN.mid")
    render.add_argument("out", type=Path, metavar="OUT.wav")

    add("models", _models, "List the models inside the package.")

    melody.register(add)
    studio.register(add)
    listen.register(add)

    demo = add("demo", _demo, "Edit the bundled piece four ways: MIDI, WAV and pictures.")
    demo.add_argument("out", type=Path, nargs="?", default=Path("demo"), metavar="FOLDER")

    prepare = add("prepare", _prepare, "Make a data set from corpora.")
    prepare.add_argument("out", type=Path, metavar="FOLDER")
    prepare.add_argument(
        "--corpus",
        action="append",
        required=True,
        metavar="NAME=PATH",
        help="a corpus and its folder; repeatable",
    )
    prepare.add_argument("--codec", choices=("grid", "tokens", "melody"), default="grid", help="default grid")
    prepare.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core)")
    prepare.add_argument("--keep-all", action="store_true", help="keep segments that the paper's filter drops")

    train = add("train", _train, "Train a recipe; a stopped run goes on where it was.")
    train.add_argument("recipe", type=Path, metavar="RECIPE")
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a recipe's value")
    train.add_argument("--preset", metavar="NAME", help="a file of presets/ beside the recipe, such as paper")
    train.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="KEY=V,V",
        help="train every combination of these values and print their validation figures; repeatable",
    )
    train.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default cpu")
    train.add_argument("--devices", type=int, default=1, metavar="N", help="processes of a distributed run (1)")
    train.add_argument("--fresh", action="store_true", help="start anew even where the run can go on")

    export = add("export", _export, "Turn a trained run into a model folder.")
    export.add_argument("run_folder", type=Path, metavar="RUN")
    export.add_argument("folder", type=Path, metavar="FOLDER")
    export.add_argument("--name", help="the model's name (default: the folder's)")
    export.add_argument("--data", type=Path, metavar="DATA", help="where the run's data set is now")

    evaluate = add("evaluate", _evaluate, "Measure a model folder or a trained run on held-out segments.")
    evaluate.add_argument("model", nargs="?", default="pop-lieder", metavar="NAME_OR_FOLDER")
    evaluate.add_argument("--data", type=Path, metavar="DATA", help="default: a run's own; data/pop-lieder for a model")
    evaluate.add_argument("--runs", type=int, default=10, metavar="N", help="draws of 100 segments (10)")
    evaluate.add_argument(
        "--quality",
        action="store_true",
        help="of a model: moved segments beside real ones of the level that was asked, instead of its faders",
    )
    evaluate.add_argument(
        "--ablation",
        action="store_true",
        help="of a model: a table of its loops, and of the closed one with parts left out, instead of its figures",
    )
    evaluate.add_argument(
        "--loop",
        choices=("open", "calibrated", "closed"),
        help="one decode, one through a curve of validation decodes, or candidates chosen among as an edit does "
        "(default: all three, apart; with --quality: closed; with --ablation: that row alone)",
    )
    evaluate.add_argument(
        "--untouched",
        type=Path,
        metavar="OUT.png",
        help="of a model: draw the notes left alone over the size of a move",
    )
    evaluate.add_argument("--rolls", type=Path, metavar="OUT.png", help="with --quality: 24 pairs, drawn by seed")
    evaluate.add_argument("--card", action="store_true", help="put the figures into the model folder's card")
    evaluate.add_argument(
        "--protocol",
        choices=("paper", "strict"),
        help="of a run: Section 4.2 to the letter, or asked values (default: both); model folders know strict alone",
    )
    evaluate.add_argument(
        "--language-model", type=Path, metavar="RUN", help="rates outputs (default for a run: language-model beside it)"
    )
    evaluate.add_argument(
        "--added", action="store_true", help="the faders beyond the model, on the test pieces of --corpus"
    )
    evaluate.add_argument(
        "--agreement",
        choices=("arousal", "valence", "tension"),
        help="does a classifier of other pieces agree with a preset? On the test pieces of --corpus vgmidi=PATH",
    )
    evaluate.add_argument("--corpus", action="append", default=[], metavar="NAME=PATH", help="for these two")
    evaluate.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of a run (cpu)")

    bench = add("bench", _bench, "Table 1: prepare, train what is missing, evaluate all models, print the tables.")
    bench.add_argument("--preset", default="small", metavar="NAME", help="small or paper: sizes and steps (small)")
    bench.add_argument("--codec", choices=("tokens", "grid"), default="tokens", help="default tokens, the paper's")
    bench.add_argument("--data", type=Path, metavar="DATA", help="default data/performances or data/performances-grid")
    bench.add_argument("--corpus", action="append", default=[], metavar="NAME=PATH", help="to prepare DATA from")
    bench.add_argument("--recipes", type=Path, default=Path("recipes"), metavar="FOLDER", help="default recipes")
    bench.add_argument("--out", type=Path, default=Path("runs"), metavar="FOLDER", help="where runs lie (runs)")
    bench.add_argument("--only", action="append", default=[], metavar="RECIPE", help="this model alone; repeatable")
    bench.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of every recipe")
    bench.add_argument("--runs", type=int, default=10, metavar="N", help="draws of 100 segments (10)")
    bench.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default cpu")
    bench.add_argument("--no-train", action="store_true", help="evaluate what is trained already")

    plot = add(
        "plot",
        _plot,
        "Draw figures of trained runs: latents (Figures 3 and 4), transfer (Figure 5), labels; of a melody model pca "
        "(Figure 2) and theme (Figures 5 to 9); of a model folder map, the t-SNE that the studio shows, of its own "
        "pieces or with --data.",
    )
    plot.add_argument("figure", choices=("latents", "transfer", "labels", "pca", "theme", "map"))
    plot.add_argument("run_folders", type=Path, nargs="+", metavar="RUN", help="several for labels: one a label share")
    plot.add_argument("--out", type=Path, metavar="FOLDER", help="default: the (first) run's folder")
    plot.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default cpu")
    plot.add_argument(
        "--data", type=Path, metavar="DATA", help="where the run's data set is now; map: the studio's --data"
    )
    plot.add_argument("--beside", type=Path, metavar="RUN", help="latents: another run for Figure 4's right side")
    plot.add_argument("--segments", type=int, default=3000, metavar="N", help="latents: held-out segments drawn (3000)")
    return parser


def _add_piece_options(command: Parser) -> None:
    command.add_argument(
        "--tracks",
        metavar="LIST",
        help="numbers or names, by comma (default: keyboards, else all pitched tracks)",
    )
    command.add_argument("--model", default="pop-lieder", metavar="NAME_OR_FOLDER", help="default pop-lieder")


def _add_own_attributes(command: Parser) -> None:
    command.add_argument(
        "--attributes", type=Path, metavar="FILE.py", help="Python that adds attributes of your own (attributes.add)"
    )


# --- reading values


def read_attribute(text: str, option: str) -> tuple[str, FaderCurve]:
    """`rhythm-density=0.5` -> ("rhythm_density", 0.5), `=0.3..0.8` -> (..., Ramp(0.3, 0.8)), `key=Am` -> its class.

    Raises FadernetsError.
    """
    from fadernets.attributes.table import ATTRIBUTES
    from fadernets.editing.fader_curves import Ramp

    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if name not in ATTRIBUTES:
        known = ", ".join(row.option for row in ATTRIBUTES.values())
        raise FadernetsError(f"--{option} {text}: unknown fader {name.replace('_', '-')!r}; known: {known}")
    if not equals:
        raise FadernetsError(f"--{option} {text}: expected {ATTRIBUTES[name].option}=NUMBER")
    if name == "key":
        return name, read_key(value, option)
    first, dots, last = value.partition("..")
    if not dots:
        return name, read_number(value, f"--{option} {text}")
    return name, Ramp(*(read_number(end, f"--{option} {text}") for end in (first, last)))


def read_key(text: str, option: str) -> float:
    """The class of a key's name or, of a move, whole semitones. Raises FadernetsError."""
    from fadernets.attributes import keys

    if option == "move":
        semitones = read_number(text, f"--move key={text}")
        if semitones != round(semitones):
            raise FadernetsError(f"--move key={text}: a key moves by whole semitones; --set key=a-minor names one")
        return semitones
    try:
        return float(keys.parse(text))
    except ValueError as error:
        raise FadernetsError(f"--{option} key={text}: {error}") from None


def read_own_attributes(path: Path | None) -> None:
    """Run a user's Python file, which calls `attributes.add`. Raises FadernetsError."""
    import runpy

    if path is None:
        return
    if not path.is_file():
        raise FadernetsError(f"--attributes {path}: no such file")
    try:
        runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        raise FadernetsError(f"--attributes {path}: {type(error).__name__}: {error}") from None


def read_bars(text: str | None) -> list[tuple[int, int]] | None:
    """`5-12`, `7`, `1-4,9-12` -> inclusive ranges. Raises FadernetsError."""
    if text is None:
        return None
    ranges = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        try:
            a = int(first)
            b = int(last) if dash else a
        except ValueError:
            raise FadernetsError(f"--bars {text}: expected bar numbers such as 5-12 or 1-4,9-12") from None
        if a < 1 or b < a:
            raise FadernetsError(f"--bars {text}: bars count from 1, the first not behind the last")
        ranges.append((a, b))
    return ranges


def read_names(text: str | None, option: str) -> frozenset[str]:
    """`tempo,note-density` -> attributes. Raises FadernetsError."""
    from fadernets.attributes.table import ATTRIBUTES

    names = [part.strip().replace("-", "_") for part in (text or "").split(",") if part.strip()]
    for name in names:
        if name not in ATTRIBUTES:
            known = ", ".join(row.option for row in ATTRIBUTES.values())
            raise FadernetsError(f"--{option} {text}: unknown fader {name.replace('_', '-')!r}; known: {known}")
    return frozenset(names)


def read_tracks(text: str | None, option: str = "--tracks") -> list[str] | None:
    """`1,3` or `left hand` -> the parts. Raises FadernetsError."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise FadernetsError(f"{option} {text}: expected numbers or names by comma, such as 1,2")
    return parts


def read_corpora(texts: list[str]) -> dict[str, Path]:
    """`pop909=~/music/pop909` -> name and folder. Raises FadernetsError."""
    roots: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals:
            raise FadernetsError(f"--corpus {text}: expected NAME=PATH, such as pop909=~/music/pop909")
        roots[name] = Path(path).expanduser()
    return roots


# --- commands


def _apply(options: argparse.Namespace) -> None:
    from fadernets.editing import fader_curves, file_edit, presets
    from fadernets.engines.grid import Engine

    read_own_attributes(options.attributes)
    given = {name: [read_attribute(text, name) for text in getattr(options, name)] for name in ("set", "move")}
    both = {n for n, _ in given["set"]} & {n for n, _ in given["move"]}
    if both:
        raise FadernetsError(f"--set and --move both name {both.pop().replace('_', '-')}; give one of them")
    per_bar = fader_curves.read(options.values) if options.values else None
    both = set(per_bar.values if per_bar else ()) & {n for n, _ in given["set"]}
    if both:
        raise FadernetsError(f"--set and --values both name {both.pop().replace('_', '-')}; give one of them")
    check_faithfulness(options.faithfulness)
    name, amount = read_preset(options.preset)
    faders = file_edit.Faders(
        set=dict(given["set"]),
        move=dict(given["move"]),
        per_bar=per_bar,
        arousal=amount if name == PAPER_PRESET else 0.0,
        preset=presets.load(name) if name and name != PAPER_PRESET else None,
        amount=amount,
        hold=read_names(options.hold, "hold"),
        faithfulness=options.faithfulness,
        bars=read_bars(options.bars),
        tracks=read_tracks(options.tracks),
        seed=options.seed,
    )
    if options.variations is not None and not 1 <= options.variations <= MOST_VARIATIONS:
        raise FadernetsError(f"--variations {options.variations}: must lie in 1..{MOST_VARIATIONS}")
    count = options.variations or 1
    outs = [options.out.with_stem(f"{options.out.stem}-{i + 1}") for i in range(count)]
    outs = outs if options.variations else [options.out]
    for out in outs:
        check_output(out)
    made = file_edit.vary(Engine.open(options.model), options.source, outs, faders, progress("segments"))
    warn(list(dict.fromkeys(warning for report in made.reports for warning in report.warnings)))
    if options.variations:
        print(json.dumps(made.as_dict()) if options.json else file_edit.table_of(made))
    elif options.json:
        print(json.dumps(made.reports[0].as_dict()))
    else:
        if faders.preset is not None:
            print(presets.table(faders.preset, faders.amount, sorted(faders.hold | set(faders.set))))
        print(file_edit.table(made.reports[0]))


def _mix(options: argparse.Namespace) -> None:
    from fadernets.editing import mix
    from fadernets.engines.grid import Engine

    check_faithfulness(options.faithfulness)
    choices = mix.Options(
        faithfulness=options.faithfulness,
        stretch=options.stretch,
        tracks_a=read_tracks(options.tracks_a, "--tracks-a"),
        tracks_b=read_tracks(options.tracks),
        seed=options.seed,
    )
    check_output(options.out)
    engine = Engine.open(options.model)
    report = mix.mix(engine, options.a, options.b, options.out, choices, progress("segments"))
    warn(report.warnings)
    print(json.dumps(report.as_dict()) if options.json else mix.table(report))


def _measure(options: argparse.Namespace) -> None:
    from fadernets.editing import file_edit
    from fadernets.engines.grid import Engine

    read_own_attributes(options.attributes)
    found = file_edit.measure(Engine.open(options.model), options.source, read_tracks(options.tracks))
    warn(found["warnings"])
    if options.json:
        print(json.dumps(found))
        return
    names = [name for name in found["means"] if name not in ("key", "arousal")] + ["arousal"]
    wide = {name: max(len(name), 7) for name in names}
    print(" ".join([f"{'bar':>5} {'beat':>7}", *(f"{n.replace('_', ' '):>{wide[n]}}" for n in names)]) + "  key")
    for row in [*found["segments"], {"bar": "mean", "start_beat": None, **found["means"]}]:
        beat = "" if row["start_beat"] is None else f"{row['start_beat']:g}"
        values = " ".join(f"{file_edit.cell(row[name]):>{wide[name]}}" for name in names)
        print(f"{row['bar']:>5} {beat:>7} {values}  {row['key'] or '-'}")


def _preset(options: argparse.Namespace) -> None:
    from fadernets.editing import presets

    if options.action == "list":
        found = [presets.load(name) for name in presets.bundled()]
        if options.json:
            print(json.dumps({"presets": [vars(preset) for preset in found]}))
        else:
            print(
                "\n".join([*(presets.table(preset) for preset in found), f"preset {PAPER_PRESET}: the model's codes"])
            )
        return
    from fadernets.fitting import preset_data

    if options.out is None or bool(options.folder) == bool(options.corpus):
        raise FadernetsError("preset learn needs OUT.json and either FOLDER or --corpus NAME=PATH")
    check_output(options.out)
    roots = read_corpora(options.corpus)
    rows = (
        preset_data.of_folder(options.folder, progress("files"))
        if options.folder
        else preset_data.of_corpora(roots, options.label, progress=progress("files"))
    )
    where = str(options.folder.name) if options.folder else f"{options.label} in {', '.join(roots)}"
    learned = presets.learn(options.out.stem, rows, where, options.seed)
    learned.save(options.out)
    print(json.dumps(vars(learned)) if options.json else presets.table(learned))


def _render(options: argparse.Namespace) -> None:
    from fadernets.rendering import audio

    check_output(options.out)
    audio.render(options.source, options.out)
    level = audio.level(options.out)
    if options.json:
        print(json.dumps({"out": str(options.out), **level._asdict()}))
    else:
        print(f"{options.out}: {level.seconds:.1f} s, peak {level.peak:.1f} dBFS")


def _models(options: argparse.Namespace) -> None:
    from fadernets.engines import model_folder

    rows: list[dict[str, Any]] = []
    for name, folder in model_folder.bundled().items():
        size = sum(f.stat().st_size for f in folder.iterdir())
        rows.append({"name": name, "folder": str(folder), "bytes": size, "default": name == model_folder.DEFAULT_MODEL})
    if options.json:
        print(json.dumps({"models": rows}))
        return
    for row in rows:
        print(f"{row['name']}{' (default)' if row['default'] else ''}: {row['bytes'] / 1e6:.1f} MB, {row['folder']}")


def _demo(options: argparse.Namespace) -> None:
    from fadernets.cli import demo

    made = demo.make(options.out, progress("files"))
    print(json.dumps(made.as_dict()) if options.json else made.table())


def _prepare(options: argparse.Namespace) -> None:
    from fadernets.data import prepare

    roots = read_corpora(options.corpus)
    report = progress("files")
    data = prepare.prepare(
        roots,
        options.out,
        options.codec,
        workers=options.workers,
        seed=options.seed,
        keep_all=options.keep_all,
        progress=lambda done, total, _: report(done, total),
    )
    skipped = data.manifest["skipped"]
    warn([f"{row['id']}: {row['reason']}" for row in skipped])
    summary = {k: data.manifest[k] for k in ("segments", "splits", "sources", "statistics", "hash")}
    if options.json:
        print(json.dumps({**summary, "skipped": skipped}))
        return
    print(f"{options.out}: {len(data)} segments, {len(skipped)} files skipped, hash {data.hash[:12]}")
    for name, row in data.manifest["sources"].items():
        print(f"  {name}: {row['segments']} segments of {row['pieces']} pieces ({row['licence']})")


def _train(options: argparse.Namespace) -> None:
    from fadernets.training import recipes

    overrides = [*options.set, *([f"seed={options.seed}"] if options.seed else [])]
    each = [
        (choice, recipes.load(options.recipe, [*overrides, *choice], options.preset))
        for choice in recipes.grid(options.grid)
    ]
    from dataclasses import replace

    from fadernets.training import loop as training_loop

    rows: list[dict[str, Any]] = []
    for choice, recipe in each:
        if choice:
            recipe = replace(recipe, out="-".join([recipe.out, *choice]))
        best = training_loop.train(
            recipe,
            device=options.device,
            devices=options.devices,
            resume=not options.fresh,
            progress=progress("steps"),
        )
        rows.append({"best": str(best), **({"grid": choice, **training_loop.figures_of(best)} if choice else {})})
    if os.environ.get("LOCAL_RANK", "0") != "0":  # the other processes of a distributed run keep quiet
        return
    if options.json:
        print(json.dumps(rows if options.grid else rows[0]))
    elif not options.grid:
        print(f"best checkpoint: {rows[0]['best']}")
    else:
        for row in rows:
            names = ("loss", "reconstruction", "accuracy", "note_f1", "states", "clips")  # what a model has of these
            shown = ", ".join(f"{name} {row[name]:.4f}" for name in names if name in row)
            print(f"{' '.join(row['grid'])}: {shown} ({row['best']})")


def _export(options: argparse.Namespace) -> None:
    from fadernets.fitting import export

    folder = export.export(options.run_folder, options.folder, name=options.name, data=options.data)
    print(json.dumps({"folder": str(folder)}) if options.json else f"model folder: {folder}")


def _evaluate(options: argparse.Namespace) -> None:
    from fadernets.data.dataset import Dataset
    from fadernets.engines.grid import Engine
    from fadernets.engines.model_folder import codec_of
    from fadernets.evaluation import model_folder
    from fadernets.files import write_atomic

    if options.runs < 1:
        raise FadernetsError(f"--runs {options.runs}: must be at least 1")
    if bool(options.corpus) != bool(options.added or options.agreement):
        raise FadernetsError("--corpus NAME=PATH goes with --added or --agreement, and they with it")
    if options.corpus:
        _evaluate_corpora(options)
        return
    if any((Path(options.model) / name).exists() for name in ("config.json", "best/config.json")):
        _evaluate_run(options)
        return
    if options.protocol == "paper":
        raise FadernetsError(f"--protocol paper: is for trained runs; {options.model} is a model folder or its name")
    if codec_of(options.model) == "melody":
        melody.evaluate(options)
        return
    for option in ("language_model", "rolls"):
        if getattr(options, option) and not options.quality:
            raise FadernetsError(f"--{option.replace('_', '-')}: is for --quality, or for a run")
    for option in ("quality", "untouched", "card"):
        if options.ablation and getattr(options, option):
            raise FadernetsError(f"--{option}: does not go with --ablation")
    for option in ("untouched", "card"):
        if options.quality and getattr(options, option):
            raise FadernetsError(f"--{option}: does not go with --quality")
    if options.untouched:
        check_output(options.untouched)
    engine = Engine.open(options.model)
    data = Dataset.open(options.data or Path("data/pop-lieder"))
    if options.quality:
        _evaluate_quality(engine, data, options)
        return
    if options.ablation:
        from fadernets.evaluation import ablation

        figures = ablation.evaluate(
            engine, data, runs=options.runs, seed=options.seed, only=options.loop, progress=progress("parts")
        )
        print(json.dumps(figures) if options.json else ablation.table(figures))
        return
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


def _evaluate_corpora(options: argparse.Namespace) -> None:
    roots = read_corpora(options.corpus)
    if options.added:
        from fadernets.evaluation import note_faders

        figures = note_faders.evaluate(roots, runs=options.runs, seed=options.seed, progress=progress("runs"))
        print(json.dumps(figures) if options.json else note_faders.table(figures))
        return
    from fadernets.engines.grid import Engine
    from fadernets.evaluation import preset_agreement

    if len(roots) != 1:
        raise FadernetsError("--agreement takes one corpus with labels, such as --corpus vgmidi=PATH")
    ((corpus, root),) = roots.items()
    engine = Engine.open(options.model)
    found = preset_agreement.evaluate(engine, root, options.agreement, corpus, options.seed, progress("ways"))
    print(json.dumps(found) if options.json else preset_agreement.table(found))


def _evaluate_quality(engine: Engine, data: Dataset, options: argparse.Namespace) -> None:
    from fadernets.evaluation import model_realism
    from fadernets.metrics import realism

    nats = None
    if options.rolls:
        from fadernets.figures import rolls

        check_output(options.rolls)
        rolls.draw_sheet(model_realism.pairs(engine, data, seed=options.seed), options.rolls)
    if options.language_model:
        from fadernets.evaluation.checkpoint import Checkpoint
        from fadernets.evaluation.table1 import judge_of

        nats = judge_of(Checkpoint(options.language_model, data, options.device))
    loop = options.loop or "closed"
    figures = model_realism.evaluate(engine, data, loop=loop, seed=options.seed, nats=nats, progress=progress("moves"))
    print(json.dumps(figures) if options.json else realism.table(figures))


def _evaluate_run(options: argparse.Namespace) -> None:
    from fadernets.evaluation import run_table1

    export = "export the run first"
    reasons = {"card": "a run's card is in its checkpoint", "quality": export, "ablation": export, "untouched": export}
    for option, why in reasons.items():
        if getattr(options, option):
            raise FadernetsError(f"--{option}: is for a model folder; {why}")
    run = Path(options.model)
    figures = run_table1.evaluated(
        run,
        options.data or _data_of(run),
        options.language_model or run.parent / run_table1.JUDGE,
        runs=options.runs,
        seed=options.seed,
        protocols=[options.protocol] if options.protocol else None,
        device=options.device,
        progress=progress("parts"),
    )
    if options.loop:
        figures = run_table1.of_loop(figures, options.loop)
    print(json.dumps(figures) if options.json else run_table1.tables({run.name: figures}))


def _data_of(run: Path) -> Path:
    """The data set that a run was trained on."""
    from fadernets.training import checkpoints

    checkpoint = run / "best" if checkpoints.exists(run / "best") else run
    return Path(checkpoints.read_config(checkpoint)["recipe"]["data"])


def _bench(options: argparse.Namespace) -> None:
    from fadernets.evaluation import run_table1

    if options.runs < 1:
        raise FadernetsError(f"--runs {options.runs}: must be at least 1")
    default = Path("data/performances" if options.codec == "tokens" else "data/performances-grid")
    text = run_table1.run(
        preset=options.preset,
        data=options.data or default,
        roots=read_corpora(options.corpus),
        codec=options.codec,
        recipes_folder=options.recipes,
        out=options.out,
        only=options.only,
        overrides=options.set,
        runs=options.runs,
        seed=options.seed,
        device=options.device,
        train=not options.no_train,
        report=lambda line: print(line, file=sys.stderr),
        progress=progress,
    )
    print(json.dumps({"tables": text}) if options.json else text)


def _plot(options: argparse.Namespace) -> None:
    from fadernets.evaluation import paper_figures

    if options.segments < 100:
        raise FadernetsError(f"--segments {options.segments}: at least 100")
    run, *others = options.run_folders
    if others and options.figure != "labels":
        raise FadernetsError(f"plot {options.figure}: takes one run, not {len(options.run_folders)}; see --beside")
    if options.figure in ("pca", "theme"):
        made = melody.plot(options.figure, str(run), options.data, options.out, options.seed)
        print(json.dumps(made) if options.json else "\n".join(made["files"]))
        return
    if options.figure == "map":
        made = studio.plot(str(run), options.data, options.seed)
        print(json.dumps(made) if options.json else "\n".join(made["files"]))
        return
    out, data, device = options.out or run, options.data or _data_of(run), options.device
    if options.figure == "latents":
        made = paper_figures.latents(
            run, data, out, options.beside, options.segments, options.seed, device, progress("maps")
        )
    elif options.figure == "labels":
        made = paper_figures.labels(options.run_folders, data, out, options.seed, device, progress("runs"))
    else:
        made = paper_figures.transfer(run, data, out, options.seed, device, progress("parts"))
    print(json.dumps(made) if options.json else "\n".join(made["files"]))


# --- printing


if __name__ == "__main__":
    sys.exit(main())
