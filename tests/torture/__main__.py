"""The campaign's command line."""

import argparse
import importlib
import sys
import time

from torture.outcome import write_table

PARTS = ("files", "scores", "kills", "server", "models", "same_bytes", "threads", "waiting")
CASE_BY_CASE = ("files", "scores", "kills", "models", "same_bytes", "waiting")  # a case of theirs can be run alone


def main(arguments=None):
    """Run some parts. Returns 1 where one of them found something."""
    parser = argparse.ArgumentParser(
        prog="python -m torture",
        description=importlib.import_module("torture").__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--cases", type=int, help="how many of each part (its own number); of the server, seconds")
    parser.add_argument("--share", type=float, default=1.0, help="a share of each part's own number of cases (1)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case (0)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", metavar="FILE.md", help="write the table and all findings there")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: no such part; there are {', '.join(PARTS)}")
    if options.first and (others := set(options.parts) - set(CASE_BY_CASE)):
        parser.error(f"--first: {', '.join(sorted(others))} has no cases that could be run alone")
    outcomes = []
    for name in options.parts:
        part = importlib.import_module(f"torture.{name}")
        cases = options.cases or max(round(part.CASES * options.share), 1)
        began = time.monotonic()
        outcome = part.run(cases, options.seed, **({"first": options.first} if options.first else {}))
        outcome.figures["minutes"] = f"{(time.monotonic() - began) / 60:.1f}"
        print(outcome.line(), flush=True)
        outcomes.append(outcome)
    if options.out:
        write_table(options.out, outcomes)
    return int(any(outcome.findings for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
