"""The command of listening tests: `listen make`, `listen serve`, `listen report`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from urllib.parse import urlsplit

from fadernets.cli import options as shared
from fadernets.cli.console import Add, add_group, check_output_folder, progress, warn
from fadernets.cli.reading import read_preset, read_public
from fadernets.errors import FadernetsError

PORT = 8766


def register(add: Add) -> None:
    """Add the command and its actions to the parser."""
    action = add_group(
        add,
        "listen",
        "Make a listening test of edits, hold it, and report on it (Section 5.2, ISMIR 2020).",
        "`fadernets listen make --help` lists the options of make; the same holds for serve and report.",
    )
    make = action(
        "make",
        _make,
        "Make a study: excerpts, half of them shifted up in arousal and half down, blinded, in an order of its own for "
        "each subject.",
        epilog="OUT gets study.json, the subjects' tokens (tokens.csv), the text that they agree to (consent.txt) and "
        "the sounds. Of the excerpts that were drawn, the half that is less aroused goes up; where the model has no "
        "arousal, the half of lower rhythm density.",
    )
    make.add_argument("out", type=Path, metavar="OUT")
    make.add_argument(
        "--from", dest="source", type=Path, metavar="FOLDER", help="a prepared data set, or a folder of MIDI files"
    )
    make.add_argument(
        "--own",
        dest="pairs_folder",
        type=Path,
        metavar="FOLDER",
        help='instead: your own pairs, NAME-original.mid and NAME-transformed.mid, with {"direction": "up"} or "down" '
        "in NAME.json (default: as the model's arousal goes, or rhythm density where it has none)",
    )
    make.add_argument("--segments", type=int, default=20, metavar="N", help="number of excerpts (20)")
    make.add_argument("--subjects", type=int, default=20, metavar="N", help="number of tokens and orders (20)")
    make.add_argument("--bars", type=int, default=4, metavar="N", help="bars, or segments, of an excerpt (4)")
    make.add_argument(
        "--preset",
        default="arousal=1",
        metavar="NAME=AMOUNT",
        help="which preset shifts the excerpts, and how far up and down (arousal=1). arousal-codes=1 shifts "
        "the codes of the paper's model by one vector; `fadernets preset list` has them all",
    )
    make.add_argument(
        "--control",
        choices=("closed", "paper"),
        default="closed",
        help="of a preset of codes, such as arousal-codes. closed: candidates are chosen and held to the excerpt; "
        "paper: the shifted codes are decoded once, as in Section 5.2 (closed)",
    )
    shared.add_model(make)
    make.add_argument(
        "--consent", type=Path, metavar="FILE.txt", help="the text that subjects agree to (default: a short one)"
    )

    serve = action(
        "serve",
        _serve,
        "Hold a study: print each subject's link, and serve the page behind it until Ctrl-C.",
        epilog="Only this machine is served, unless --host names an address of it that others reach (0.0.0.0: all of "
        "them). Answers are stored in the study's folder at each click.",
    )
    serve.add_argument("study", type=Path, metavar="STUDY")
    serve.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="serve at this address, to those who have a link"
    )
    serve.add_argument(
        "--port", type=int, default=PORT, metavar="N", help=f"the port ({PORT}); 0 takes any that is free"
    )
    serve.add_argument(
        "--public",
        metavar="URL",
        help="where a reverse proxy shows the page: links begin with it, and its host name is served",
    )

    report = action(
        "report",
        _report,
        "Report on a study as its answers stand: agreement by direction, ratings, agreement between raters.",
        epilog="--out writes answers.csv (a row for each answer, subjects by number), report.json, figure6.png and "
        "trials.png.",
    )
    report.add_argument("study", type=Path, metavar="STUDY")
    report.add_argument("--out", type=Path, metavar="FOLDER", help="write tables, figures and numbers there")


def _make(options: argparse.Namespace) -> None:
    from fadernets.listening import make as study_maker

    if (options.source is None) == (options.pairs_folder is None):
        raise FadernetsError("listen make needs --from FOLDER or --own FOLDER, one of the two")
    name, amount = read_preset(options.preset)
    consent: dict[str, str] = {}  # empty: the text of the package
    if options.consent is not None:
        try:
            consent["consent"] = options.consent.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise FadernetsError(f"--consent {options.consent}: cannot be read ({reason})") from None
    made = study_maker.make(
        options.out,
        options.source,
        pairs_folder=options.pairs_folder,
        segments=options.segments,
        subjects=options.subjects,
        model=options.model,
        preset=name,
        amount=amount,
        control=options.control,
        bars=options.bars,
        seed=options.seed,
        progress=progress("sounds"),
        **consent,
    )
    warn(made.manifest.about.warnings)
    print(json.dumps(made.as_dict()) if options.json else made.table())


def _serve(options: argparse.Namespace) -> None:
    from fadernets.listening import server
    from fadernets.listening.store import Study
    from fadernets.web import guard

    public = options.public and read_public(options.public)
    if not (guard.page_folder() / server.PAGE).is_file():
        raise FadernetsError("the page was not built: make page")
    with Study.open(options.study) as study:
        if not study.links(""):
            raise FadernetsError(f"{options.study}: has no tokens (tokens.csv): nobody could take part")
        listener = guard.listen(options.host, options.port)
        links = study.links((public or guard.address(options.host, listener.getsockname()[1])) + server.LINK)
        names = (*guard.hosts(options.host), *([guard.hostname(urlsplit(public).netloc)] if public else []))
        app = server.create(study, hosts=names)
        if options.json:
            print(json.dumps([{"subject": subject, "link": link} for subject, link in links]), flush=True)
        else:
            print("\n".join(f"{subject:>4}  {link}" for subject, link in links), flush=True)
        guard.serve(app, listener)


def _report(options: argparse.Namespace) -> None:
    from fadernets.listening import report as study_report

    files: list[str] = []
    if options.out is None:
        report = study_report.report(options.study)
    else:
        check_output_folder(options.out)
        report, names = study_report.write(options.study, options.out)
        files = [str(options.out / name) for name in names]
    warn(report.warnings)
    print(json.dumps({**report.as_dict(), "files": files}) if options.json else "\n".join([report.table(), *files]))
