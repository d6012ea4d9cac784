"""Command lines of versions before 0.2, each answered with the line that replaced it.

The answers are to go with version 1.0.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from fadernets import structured_text
from fadernets.cli.evaluate import is_checkpoint

ACTIONS = (
    "model",
    "checkpoint",
    "faders",
    "presets",
    "melody",
    "realism",
    "page",
    "variations",
    "played-notes",
    "ablation",
    "analogies",
)  # of evaluate
RENAMED = {  # options of commands
    "bench": {"--preset": "--size"},
    "train": {"--preset": "--size", "--grid": "--sweep"},
    "blend": {"--grid": "--cells"},
}
BECAME_ACTIONS = {  # options of the old evaluate
    "--agreement": "presets",
    "--added": "faders",
    "--quality": "realism",
    "--ablation": "ablation",
}
VALUES = (  # options of the old evaluate that took a value
    "--data", "--runs", "--seed", "--loop", "--untouched", "--rolls", "--protocol", "--language-model", "--agreement",
    "--corpus", "--device",
)  # fmt: skip


def successor(arguments: Sequence[str]) -> str | None:
    """The line to print for an old command line, `fadernets OLD: is now fadernets NEW`; None for one of today's."""
    if not arguments:
        return None
    command, *rest = arguments
    if command == "evaluate":
        return _of_evaluate(rest)
    old = [name for name in RENAMED.get(command, {}) if any(_name(word) == name for word in rest)]
    if command != "bench" and not old:
        return None
    new = ["table1" if command == "bench" else command]
    for word in rest:
        name, equals, value = word.partition("=")
        new.append(RENAMED[command].get(name, name) + equals + value)
    return _line([command, *old], new)


def _of_evaluate(rest: Sequence[str]) -> str | None:
    """The answer to `evaluate` as it was: with a model or a run, and with options for what is an action now."""
    options: dict[str, list[str]] = {}  # each option with the values that it was given; a flag has none
    positional: list[str] = []
    words = iter(rest)
    for word in words:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            if not positional and word in ACTIONS:
                return None
            positional.append(word)
        elif name in ("-h", "--help"):
            return None
        elif name in VALUES:
            options.setdefault(name, []).append(value if equals else next(words, ""))
        else:
            options.setdefault(word, [])
    model = positional[0] if positional else None
    option = next((option for option in BECAME_ACTIONS if option in options), None)
    action = BECAME_ACTIONS[option] if option else _action_of(model, options)
    label = options.pop(option, []) if option else []
    new = ["evaluate", action, *label]
    if model is not None and action != "faders":
        new += ["--model", model] if action == "presets" else [model]
    for name, values in options.items():
        for value in values:
            new += [name, "best-of-n" if (action, name, value) == ("checkpoint", "--loop", "closed") else value]
        new += [] if values else [name]
    return _line(["evaluate", *([option] if option else positional[:1])], new)


def _action_of(model: str | None, options: Collection[str]) -> str:
    """The action that measures what an old line of `evaluate` named."""
    if "--protocol" in options or "--language-model" in options or (model is not None and is_checkpoint(Path(model))):
        return "checkpoint"
    return "melody" if model is not None and _is_of_melodies(Path(model)) else "model"


def _is_of_melodies(folder: Path) -> bool:
    """Whether a folder holds a model of melodies."""
    from fadernets.codecs.base import is_melodic

    try:
        return is_melodic(structured_text.read_json(folder / "model.json")["codec"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _name(word: str) -> str:
    """The option's name of `--name` or `--name=value`."""
    return word.partition("=")[0]


def _line(old: Sequence[str], new: Sequence[str]) -> str:
    """The answer, in one line."""
    return f"fadernets {shlex.join(old)}: is now fadernets {shlex.join(new)}"
