"""Entry points by which an installed package adds attributes, models, corpora, presets and codecs to fadernets.

A package names its objects in its `pyproject.toml`, and the name that it gives there is the name by which users ask:

    [project.entry-points."fadernets.attributes"]
    repeated_notes = "my_package.attributes:REPEATED_NOTES"

| group | the entry point is |
|---|---|
| `fadernets.attributes` | a `fadernets.Attribute` whose `name` equals the entry point's |
| `fadernets.models` | a class derived from `fadernets.models.base.Model`; imported (with torch) when one is built |
| `fadernets.corpora` | a `fadernets.data.corpora.Corpus`, a row of the table of corpora |
| `fadernets.presets` | a `fadernets.editing.presets.Preset`, or the path of a file by `fadernets preset learn` |
| `fadernets.codecs` | a `fadernets.codecs.base.Codec`, a row of the table of codecs |

Each group is read once in a process, by the first look-up that needs it; `import fadernets` and `--help` read none. A
plugin that cannot be loaded or used is left out, and one line in the log of `fadernets.plugins` (standard error, where
logging is not configured) names the distribution that it comes from.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, TypeVar

from fadernets.errors import FadernetsError, said_of

ATTRIBUTES = "fadernets.attributes"
MODELS = "fadernets.models"
CORPORA = "fadernets.corpora"
PRESETS = "fadernets.presets"
CODECS = "fadernets.codecs"
GROUPS = (ATTRIBUTES, MODELS, CORPORA, PRESETS, CODECS)

Row = TypeVar("Row")

_log = logging.getLogger(__name__)
_lock = threading.RLock()
_begun: set[str] = set()  # groups that are being read, or were
_read: set[str] = set()


@dataclass(frozen=True)
class Plugin:
    """One entry point of an installed distribution, not yet imported."""

    group: str
    name: str
    target: str  # "package.module:object"
    distribution: str  # its name and version
    entry: metadata.EntryPoint

    def load(self) -> Any:
        """Import the object. Raises whatever the plugin's module raises."""
        return self.entry.load()

    def report(self, error: BaseException) -> None:
        """Log in one line that this plugin is left out, where it comes from, and why."""
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        _log.warning(
            "%s: its entry point %s (%s = %s) is left out: %s",
            self.distribution,
            self.name,
            self.group,
            self.target,
            reason,
        )


def blamed(group: str, name: str, error: Exception) -> Exception:
    """What an error of a row becomes that an installed package offers by this name: one line that names the package.

    Any other error, and one that is for users already, comes back as it is.
    """
    plugin = next((each for each in of(group) if each.name == name), None)
    if plugin is None or isinstance(error, FadernetsError):
        return error
    entry = f"{plugin.distribution}: its entry point {name} ({group} = {plugin.target})"
    return FadernetsError(f"{entry} cannot be used: {said_of(error)}")


def of(group: str) -> list[Plugin]:
    """The plugins of a group by name, none of them imported. Raises ValueError for a group that does not exist."""
    if group not in GROUPS:
        raise ValueError(f"{group}: no group of plugins; groups: {', '.join(GROUPS)}")
    return [
        Plugin(group, entry.name, entry.value, _distribution(entry), entry)
        for entry in sorted(metadata.entry_points(group=group), key=lambda entry: (entry.name, entry.value))
    ]


def adopt(group: str, accept: Callable[[str, Any], None]) -> None:
    """Load the plugins of a group and hand each to `accept(name, object)`, the first time that this is called.

    Later calls return at once, so a table calls it before every look-up. `accept` puts the object into the table, and
    raises for one that does not belong there, such as a second one of the same name; that plugin is then reported and
    left out. Raises ValueError for a group that is not one of GROUPS.
    """
    _once(group, lambda plugin: accept(plugin.name, plugin.load()))


def adopt_targets(group: str, accept: Callable[[str, str], None]) -> None:
    """As `adopt`, without importing: `accept(name, "package.module:object")`. For tables that import late."""
    _once(group, lambda plugin: accept(plugin.name, plugin.target))


class Table(MutableMapping[str, Row]):
    """Name -> row, in their order; the rows of installed packages join behind them at the first look-up."""

    def __init__(self, group: str, kind: type[Row], rows: Mapping[str, Row]) -> None:
        """`group` is one of GROUPS, `kind` the class of a row, whose `name` must be the entry point's."""
        self._group, self._kind, self._rows = group, kind, dict(rows)

    def accept(self, name: str, value: Any) -> None:
        """Take in an entry point's object. Raises TypeError or ValueError for one that cannot be a row."""
        self.check(name, value)
        self._rows[name] = value

    def check(self, name: str, value: Any) -> None:
        """Raises TypeError for an object that is no row, ValueError for a name that is taken or not its own."""
        if not isinstance(value, self._kind):
            raise TypeError(f"is of type {type(value).__name__}, not {self._kind.__name__}")
        if getattr(value, "name", name) != name:
            raise ValueError(f"the row's own name is {getattr(value, 'name', name)}")
        if name in self._rows:
            raise ValueError(f"a row of the name {name} exists already")

    def _all(self) -> dict[str, Row]:
        adopt(self._group, self.accept)
        return self._rows

    def __getitem__(self, name: str) -> Row:
        return self._all()[name]

    def __setitem__(self, name: str, row: Row) -> None:
        self._rows[name] = row

    def __delitem__(self, name: str) -> None:
        del self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _once(group: str, take: Callable[[Plugin], None]) -> None:
    if group in _read:
        return
    with _lock:
        if group in _begun:  # by a look-up of a plugin's own, while it is imported
            return
        _begun.add(group)
        for plugin in of(group):
            try:
                take(plugin)
            except Exception as error:
                plugin.report(error)
        _read.add(group)


def _distribution(entry: metadata.EntryPoint) -> str:
    """The name and version of the distribution that an entry point belongs to."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"
