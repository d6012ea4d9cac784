"""The command `fadernets`: parse, call, print. Nothing heavy is imported before a command runs.

Exit codes: 0 done, 2 input that cannot be used (one line on standard error), 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fadernets import __version__
from fadernets.cli import (
    convert,
    demo,
    edit,
    evaluate,
    listen,
    melody,
    models,
    old_commands,
    plot,
    presets,
    rewriter,
    roll,
    serve,
    studio,
    table1,
    training,
)
from fadernets.cli.console import Parser, adder
from fadernets.errors import FadernetsError

GROUPS = (
    edit,
    convert,
    roll,
    presets,
    melody,
    studio,
    serve,
    listen,
    demo,
    models,
    training,
    rewriter,
    evaluate,
    table1,
    plot,
)
EXTRAS = {  # modules that only an optional part of the installation has
    "train": ("torch", "lightning", "yaml", "safetensors", "onnx", "tensorboard"),
    "study": ("sklearn", "openTSNE"),
    "hub": ("huggingface_hub",),
    "serve": ("fsspec", "prometheus_client"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    moved = old_commands.successor(given)
    if moved is not None:
        print(moved, file=sys.stderr)
        return 2
    options = _parser().parse_args(given)
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
    """Print an error in one line; the exit code."""
    print(f"fadernets {command}: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _parser() -> Parser:
    parser = Parser(prog="fadernets", description="Turn the faders of a MIDI file.")
    parser.add_argument("--version", action="version", version=f"fadernets {__version__}")
    add = adder(parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser))
    for group in GROUPS:
        group.register(add)
    return parser


if __name__ == "__main__":
    sys.exit(main())
