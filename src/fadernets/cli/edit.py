"""The commands of one edit: `apply`, `mix`, `measure`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fadernets.cli import options as shared
from fadernets.cli.console import Add, check_output, progress, say, warn
from fadernets.cli.reading import (
    check_faithfulness,
    read_bars,
    read_faders,
    read_names,
    read_preset,
    read_tracks,
    register_attributes,
)
from fadernets.errors import FadernetsError

# What `apply --help` says of the attribute table, which would load numpy: a test holds it to the table's ranges.
FADERS = (
    "rhythm-density (onset steps a sixteenth, 0..2; a model of windows: 0..1), note-density (mean notes sounding a "
    "step, 0..15), syncopation (Longuet-Higgins and Lee, 0..16), pitch (mean MIDI number, 21..108; --set: or a note "
    "such as C4), key (a name such as a-minor; --move: semitones), dynamics (mean velocity, 1..127), articulation "
    "(duration over the time to the next onset, 0.05..1) or tempo (quarter notes a minute, 20..300)"
)


def register(add: Add) -> None:
    """Add the commands to the parser."""
    apply = add(
        "apply",
        _apply,
        "Edit a MIDI or MusicXML file with faders and presets. What no fader moves comes back note for note.",
        epilog=f"NAME is {FADERS}. OUT is a MIDI file, or a score where its name ends with .musicxml, .xml or .mxl.",
    )
    apply.add_argument("source", type=Path, metavar="IN")
    apply.add_argument("out", type=Path, metavar="OUT")
    apply.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="ask for a value, or for a ramp: 0.3..0.8"
    )
    apply.add_argument(
        "--move",
        action="append",
        default=[],
        metavar="NAME=DELTA",
        help="ask for a change from each segment's own value, or for a ramp of changes",
    )
    apply.add_argument(
        "--values", type=Path, metavar="FILE", help="one value a bar: CSV (bar,rhythm-density,...) or JSON"
    )
    apply.add_argument(
        "--preset",
        metavar="NAME=AMOUNT",
        help="move several faders together toward high (1) or low (-1) arousal, valence or tension, or as a file that "
        "`fadernets preset learn` wrote; fractions are allowed. `arousal-codes` is the paper's own: it shifts the two "
        "codes of `pop-lieder`",
    )
    apply.add_argument(
        "--control",
        choices=("closed", "paper"),
        default="closed",
        help="of a preset of codes, such as arousal-codes, with no other fader. closed: candidates are chosen and held "
        "to the source; paper: the shifted codes are decoded once, whatever the faithfulness (closed)",
    )
    apply.add_argument("--hold", metavar="LIST", help="faders that the preset leaves alone, separated by commas")
    apply.add_argument(
        "--bars", action="append", metavar="5-12", help="edit only segments that lie wholly in these bars; repeatable"
    )
    shared.add_beats(apply)
    apply.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="melody|bass|harmony|rhythm|NOTES",
        help="what must stay, in some bars (melody:5-8) or all; NOTES are numbers from 1 in the file's order, as in "
        "12,15-20, or bar.beat:pitch (5.1:60 or 5.1:C4). May be repeated; not with `pop-lieder`",
    )
    apply.add_argument(
        "--only",
        metavar="left|right|TRACK",
        help="edit one hand or track alone; one track of a piano is split into hands by a simple rule",
    )
    shared.add_faithfulness(apply, "how strongly the source's notes are kept, 0..1 (1)")
    apply.add_argument(
        "--variations",
        type=int,
        metavar="N",
        help="write N different edits, OUT-1.mid to OUT-N.mid, the likeliest first where the model has a critic",
    )
    apply.add_argument(
        "--regions",
        type=Path,
        metavar="FILE",
        help="apply the regions of a JSON file as layers, each with bars, tracks, faders, locks and a seed of its own, "
        "to what the earlier ones left; the same file gives the same bytes. It is given in place of those options",
    )
    apply.add_argument(
        "--all", action="store_true", help="print a row for every segment, not for the edited ones alone"
    )
    shared.add_tracks(apply)
    shared.add_model(apply)
    shared.add_attributes(apply)

    mix = add(
        "mix",
        _mix,
        "Write B with the rhythm of A, segment by segment (generation via analogy).",
        epilog="A segment is four quarter notes. OUT keeps B's tempo, tracks and everything else of its file. The "
        "shorter piece repeats from its start: A's rhythm begins again, or B's bars are played again. Where no note "
        "begins in A, B stays as it is. All three are MIDI or MusicXML files, OUT by the ending of its name.",
    )
    mix.add_argument("a", type=Path, metavar="A", help="where the rhythm comes from")
    mix.add_argument("b", type=Path, metavar="B", help="where notes and key come from")
    mix.add_argument("out", type=Path, metavar="OUT")
    mix.add_argument("--stretch", action="store_true", help="spread A over B instead: OUT is as long as B")
    mix.add_argument(
        "--control",
        choices=("closed", "paper"),
        default="closed",
        help="closed: lands on A's rhythm and B's density; paper: z_rhythm of A with z_note and key of B, decoded "
        "once (closed)",
    )
    shared.add_faithfulness(mix, "how strongly A's onsets and B's notes are kept, 0..1 (1); 0 follows the codes alone")
    mix.add_argument("--tracks-a", metavar="LIST", help="the same as --tracks, for A")
    shared.add_tracks(mix)
    shared.add_model(mix, default=shared.WINDOWS)

    measure = add(
        "measure",
        _measure,
        "Print the attributes and key of every segment, and the piece's means.",
        epilog="A segment is a bar; with a model of the paper's windows it is four quarter notes, and has arousal too.",
    )
    measure.add_argument("source", type=Path, metavar="IN")
    shared.add_beats(measure)
    shared.add_tracks(measure)
    shared.add_model(measure)
    shared.add_attributes(measure)


def _apply(options: argparse.Namespace) -> None:
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.editing import edit_report, fader_curves, file_edit, presets
    from fadernets.editing.requests import COMMAND_LINE, Faders
    from fadernets.rendering.score_files import as_named

    register_attributes(options.attributes)
    if options.regions is not None:
        _apply_regions(options)
        return
    name, amount = read_preset(options.preset)
    faders = Faders.checked(
        set=read_faders(options.set, "set"),
        move=read_faders(options.move, "move"),
        per_bar=fader_curves.read(options.values) if options.values else None,
        preset=name or None,
        amount=amount if name else 1.0,
        hold=read_names(options.hold, "hold"),
        faithfulness=options.faithfulness,
        bars=read_bars(options.bars),
        tracks=read_tracks(options.tracks),
        seed=options.seed,
        keep=options.keep,
        beats=options.beats,
        only=options.only,
        control=options.control,
        spelling=COMMAND_LINE,
        strict=True,
    )
    outs = _outputs(options.out, options.variations)
    engine = open_edit_model(options.model, moves_codes=bool(faders.arousal))
    made = file_edit.write_variations(engine, options.source, outs, faders, progress("segments"), as_named)
    warn(list(dict.fromkeys(warning for report in made.reports for warning in report.warnings)))
    if not (faders.set or faders.move or faders.per_bar or name):
        asks = "--set, --move, --values, --preset or --regions"
        say(f"nothing was asked (by {asks}): what was written is a copy of {options.source}")
    if options.variations:
        print(json.dumps(made.as_dict()) if options.json else file_edit.table_of(made))
    elif options.json:
        print(json.dumps(made.reports[0].as_dict()))
    else:
        report = made.reports[0]
        if faders.preset is not None and report.preset is not None:
            held = sorted(faders.hold | set(faders.set))
            print(presets.table(faders.preset, report.preset["amount"], held, report.preset["moves"]))
        print(edit_report.table(report, options.all))


# Options of an edit that each region has for itself.
_OF_REGIONS = (
    *("set", "move", "values", "preset", "hold", "bars", "tracks", "only", "keep"),
    *("faithfulness", "seed", "variations"),
)
_DEFAULTS: dict[str, object] = {"set": [], "move": [], "keep": [], "faithfulness": 1.0, "seed": 0}  # where not None


def _apply_regions(options: argparse.Namespace) -> None:
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.editing import region_edit
    from fadernets.editing.regions import RegionList
    from fadernets.files import write_atomic
    from fadernets.music.beat_times import BeatTimes
    from fadernets.music.opening import open_document
    from fadernets.rendering.endings import EDIT
    from fadernets.rendering.score_files import as_named

    for option in _OF_REGIONS:
        if getattr(options, option) != _DEFAULTS.get(option):
            raise FadernetsError(f"--regions: each region of the file has its own {option}; leave out --{option}")
    if options.control != "closed":
        raise FadernetsError("--regions: regions are edited with control closed; leave out --control")
    check_output(options.out, EDIT)
    listed = RegionList.read(options.regions)
    engine = open_edit_model(options.model or listed.bundled_model(), moves_codes=listed.moves_codes)
    beats = BeatTimes.read(options.beats) if options.beats else None
    source = open_document(options.source)
    edited = region_edit.edit_by_regions(engine, source, listed.regions, beats=beats, progress=progress("segments"))
    data, warnings = as_named(source, edited.data, options.out)
    write_atomic(options.out, data)
    warn([*edited.report.warnings, *warnings])
    print(json.dumps(edited.report.as_dict()) if options.json else region_edit.table(edited.report, options.all))


def _outputs(out: Path, variations: int | None) -> list[Path]:
    """The files that are written: OUT, or OUT-1, OUT-2, ... for variations. Raises FadernetsError."""
    from fadernets.editing.requests import COMMAND_LINE, check_variations
    from fadernets.rendering.endings import EDIT

    if variations is None:
        outs = [out]
    else:
        check_variations(variations, spelling=COMMAND_LINE)
        outs = [out.with_stem(f"{out.stem}-{i + 1}") for i in range(variations)]
    for path in outs:
        check_output(path, EDIT)
    return outs


def _mix(options: argparse.Namespace) -> None:
    from fadernets.editing import mix
    from fadernets.engines.grid import Engine
    from fadernets.files import write_atomic
    from fadernets.music.document import Document
    from fadernets.music.opening import open_document
    from fadernets.rendering.endings import MIX
    from fadernets.rendering.score_files import as_named

    check_faithfulness(options.faithfulness)
    choices = mix.Options(
        faithfulness=options.faithfulness,
        stretch=options.stretch,
        tracks_a=read_tracks(options.tracks_a, "--tracks-a"),
        tracks_b=read_tracks(options.tracks),
        seed=options.seed,
        control=options.control,
    )
    check_output(options.out, MIX)
    engine = Engine.open(options.model)
    frame = open_document(options.b)
    data, report = mix.mix_documents(engine, open_document(options.a), frame, choices, progress("segments"))
    source = Document(options.b, data) if report.plays_b_again else frame
    written, warnings = as_named(source, data, options.out)
    write_atomic(options.out, written)
    warn([*report.warnings, *warnings])
    print(json.dumps(report.as_dict()) if options.json else mix.table(report))


def _measure(options: argparse.Namespace) -> None:
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.editing import edit_report, file_edit
    from fadernets.music.beat_times import BeatTimes

    register_attributes(options.attributes)
    beats = BeatTimes.read(options.beats) if options.beats else None
    measured = file_edit.measure(open_edit_model(options.model), options.source, read_tracks(options.tracks), beats)
    warn(measured["warnings"])
    if options.json:
        print(json.dumps(measured))
        return
    names = [name for name in measured["means"] if name not in ("key", "arousal")]
    names += ["arousal"] if measured["means"]["arousal"] is not None else []
    widths = {name: max(len(name), 7) for name in names}
    head = [f"{'bar':>5} {'beat':>7}", *(f"{name.replace('_', ' '):>{widths[name]}}" for name in names)]
    print(" ".join(head) + "  key")
    for row in [*measured["segments"], {"bar": "mean", "start_beat": None, **measured["means"]}]:
        bars = edit_report.bars_of(row["bar"], row.get("last_bar"))
        beat = "" if row["start_beat"] is None else f"{row['start_beat']:g}"
        values = " ".join(f"{edit_report.cell(row[name]):>{widths[name]}}" for name in names)
        print(f"{bars:>5} {beat:>7} {values}  {row['key'] or '-'}")
