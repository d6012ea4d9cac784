"""JSON, YAML and CSV in files of users: whatever a file holds, reading it ends, and is a value or one error.

A text that is too long, nested too deeply, or whose numbers have too many digits is refused, and so are YAML's aliases:
a few hundred bytes of them can stand for a value of any size. Every function raises ValueError with one line for text
that cannot be read, and lets OSError through, so that callers say which file it was and what to do.
"""

from __future__ import annotations

import csv
import io
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from fadernets.errors import first_line, in_megabytes

MOST_BYTES = 64 * 2**20  # of JSON and CSV: a manifest of a hundred thousand pieces has 20 MB
MOST_YAML_BYTES = 2**18  # YAML is read slowly, and recipes are short
MOST_DEPTH = 64  # of lists and groups in each other
MOST_DIGITS = 25  # of a whole number
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]+|[\]}]+', re.DOTALL)


def read_text(path: Path, most: int = MOST_BYTES, encoding: str = "utf-8") -> str:
    """The text of a file of at most so many bytes. Raises OSError and ValueError."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it is longer than {in_megabytes(most)}")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


def read_json(path: Path, most: int = MOST_BYTES) -> Any:
    """The value in a JSON file. Raises OSError and ValueError."""
    return parse_json(read_text(path, most))


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError."""
    if text.count("[") + text.count("{") > MOST_DEPTH:
        _check_depth(text)
    try:
        value = json.loads(text, parse_int=_whole_number)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError(_too_deep()) from None
    except UnicodeEncodeError:
        raise ValueError("a text holds half a character (a lone surrogate)") from None
    return value


def read_yaml(path: Path) -> Any:
    """The value in a YAML file. Raises OSError, ValueError and ModuleNotFoundError."""
    return parse_yaml(read_text(path, MOST_YAML_BYTES))


def parse_yaml(text: str) -> Any:
    """The value of a YAML text without aliases. Raises ValueError, and ModuleNotFoundError without PyYAML."""
    import yaml

    try:
        return yaml.load(text, _yaml_loader())
    except yaml.YAMLError as error:
        raise ValueError(first_line(error)) from None
    except (TypeError, AttributeError, OverflowError) as error:  # PyYAML, of impossible keys, dates and numbers
        raise ValueError(f"a value cannot be read: {error}") from None


def read_csv(path: Path, encoding: str = "utf-8") -> list[dict[str, str]]:
    """The rows of a CSV file with a head. Raises OSError and ValueError."""
    return parse_csv(read_text(path, encoding=encoding))


def parse_csv(text: str) -> list[dict[str, str]]:
    """The rows of a CSV text with a head; of a short row the last values are None, as csv.DictReader has it.

    Raises ValueError, for a head whose columns are separated by semicolons too.
    """
    head = text.partition("\n")[0]
    if ";" in head and "," not in head:
        raise ValueError("separate by commas, not by semicolons")
    try:
        return list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise ValueError(str(error)) from None


def safe_cell(text: str) -> str:
    """A text for a cell of a CSV file: an apostrophe goes before what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _too_deep() -> str:
    return f"lists and groups lie more than {MOST_DEPTH} deep in each other"


def _check_depth(text: str) -> None:
    """Raises ValueError for JSON that is nested too deeply, without reading it."""
    depth = 0
    for match in _STRUCTURE.finditer(text):
        first = text[match.start()]
        if first in "[{":
            depth += match.end() - match.start()
            if depth > MOST_DEPTH:
                raise ValueError(_too_deep())
        elif first in "]}":
            depth -= match.end() - match.start()


def _whole_number(digits: str) -> int:
    """The number of these digits. Raises ValueError."""
    if len(digits) > MOST_DIGITS:
        raise ValueError(_too_many_digits(digits))
    return int(digits)


def _too_many_digits(digits: str) -> str:
    return f"a whole number has {len(digits)} digits; at most {MOST_DIGITS} are read"


@cache
def _yaml_loader() -> Any:
    """The class of PyYAML's loader that holds to the limits above."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Plain values alone, no aliases, within MOST_DEPTH and MOST_DIGITS."""

        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases (*name) are not read")
            self.depth += 1
            if self.depth > MOST_DEPTH:
                raise yaml.YAMLError(_too_deep())
            try:
                return super().compose_node(parent, index)
            finally:
                self.depth -= 1

        def construct_yaml_int(self, node: Any) -> int:
            if len(node.value) > MOST_DIGITS:
                raise yaml.YAMLError(_too_many_digits(node.value))
            return int(super().construct_yaml_int(node))

    Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)
    return Loader
