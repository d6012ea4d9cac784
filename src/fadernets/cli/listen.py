"""The command of listening tests: `listen make`, `listen serve`, `listen report`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fadernets.cli.console import Parser, progress, read_preset, read_public, read_seed, warn
from fadernets.errors import FadernetsError

PORT = 8766


def register(add: Callable[..., Parser]) -> None:
    """Add the command and its actions to the parser."""
    listen = add(
        "listen",
        lambda options: options.action(options),
        "Make a listening test of edits, hold it, and report on it (Section 5.2, ISMIR 2020).",
        epilog="`fadernets listen make --help` says more; so of serve and report.",
    )
    actions = listen.add_subparsers(required=True, metavar="ACTION", parser_class=Parser)

    def act(name: str, action: Callable[[argparse.Namespace], None], summary: str, epilog: str) -> Parser:
        made: Parser = actions.add_parser(name, help=summary, description=summary, epilog=epilog)
        made.set_defaults(action=action)
        # As after `listen`, whose values hold where these are not given.
        made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON for machines")
        return made

    make = act(
        "make",
        _make,
        "Make a study: excerpts, half of them shifted up in arousal and half down, blinded, an order a subject.",
        "OUT gets study.json, the subjects' tokens (tokens.csv), what they agree to (consent.txt) and the sounds. Of "
        "the excerpts that were drawn, the half that is less aroused goes up.",
    )
    make.add_argument("out", type=Path, metavar="OUT")
    make.add_argument(
        "--from", dest="source", type=Path, metavar="FOLDER", help="a prepared data set, or a folder of MIDI files"
    )
    make.add_argument(
        "--own",
        type=Path,
        metavar="FOLDER",
        help='instead: your own pairs, NAME-original.mid and NAME-transformed.mid, with {"direction": "up"} or "down" '
        "in NAME.json (default: as the model's arousal goes)",
    )
    make.add_argument("--segments", type=int, default=20, metavar="N", help="excerpts (20)")
    make.add_argument("--subjects", type=int, default=20, metavar="N", help="tokens and orders (20)")
    make.add_argument("--bars", type=int, default=4, metavar="N", help="bars, or segments, of an excerpt (4)")
    make.add_argument(
        "--preset",
        default="arousal=1",
        metavar="NAME=AMOUNT",
        help="what shifts, and how far both ways (arousal=1); arousal-codes=1: the paper's",
    )
    make.add_argument("--model", default="pop-lieder", metavar="NAME_OR_FOLDER", help="default pop-lieder")
    make.add_argument("--consent", type=Path, metavar="FILE.txt", help="what subjects agree to (default: a short text)")
    make.add_argument(
        "--seed", type=read_seed, default=argparse.SUPPRESS, metavar="N", help="draws excerpts and shuffles orders (0)"
    )

    serve = act(
        "serve",
        _serve,
        "Hold a study: print each subject's link, and serve the page behind it until Ctrl-C.",
        "Only this machine is served, unless --host names an address of it that others reach (0.0.0.0: all of them). "
        "Answers are stored in the study's folder at each click.",
    )
    serve.add_argument("study", type=Path, metavar="STUDY")
    serve.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="serve there, to those who have a link")
    serve.add_argument("--port", type=int, default=PORT, metavar="N", help=f"({PORT}; 0: any that is free)")
    serve.add_argument(
        "--public", metavar="URL", help="where a reverse proxy shows the page: links begin with it, its name is served"
    )

    report = act(
        "report",
        _report,
        "Report on a study as its answers stand: agreement by direction, ratings, agreement between raters.",
        "--out writes answers.csv (a row an answer, subjects by number), report.json, figure6.png and trials.png.",
    )
    report.add_argument("study", type=Path, metavar="OUT")
    report.add_argument("--out", type=Path, metavar="FOLDER", help="write table, figures and numbers there")


def _make(options: argparse.Namespace) -> None:
    from fadernets.listening import make as study_maker

    if (options.source is None) == (options.own is None):
        raise FadernetsError("listen make needs --from FOLDER or --own FOLDER, one of the two")
    name, amount = read_preset(options.preset)
    more: dict[str, Any] = {}
    if options.consent is not None:
        try:
            more["consent"] = options.consent.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise FadernetsError(f"--consent {options.consent}: cannot be read ({reason})") from None
    made = study_maker.make(
        options.out,
        options.source,
        own=options.own,
        segments=options.segments,
        subjects=options.subjects,
        model=options.model,
        preset=name,
        amount=amount,
        bars=options.bars,
        seed=options.seed,
        progress=progress("sounds"),
        **more,
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
        found = study_report.report(options.study)
    else:
        if options.out.exists() and not options.out.is_dir():
            raise FadernetsError(f"{options.out}: is a file; name a folder")
        found, names = study_report.write(options.study, options.out)
        files = [str(options.out / name) for name in names]
    warn(found.warnings)
    print(json.dumps({**found.as_dict(), "files": files}) if options.json else "\n".join([found.table(), *files]))
