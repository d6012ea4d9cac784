"""Recipes: one small YAML file an experiment. `base:` names another recipe that this one differs from.

Values are checked by hand and not by pydantic: models bring option classes of their own, YAML's `1e-3` is a string, and
a table that turns pydantic's errors into one line each is longer than the checks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from fadernets.errors import FadernetsError
from fadernets.models import models, typed


@dataclass(frozen=True)
class Recipe:
    """What a training run needs to know; each field is a key of the file."""

    data: str = "data/pop-lieder"  # a prepared data set
    out: str = ""  # the run's folder; default runs/<name of the recipe>
    name: str = "music-fadernets"  # a row of the model table
    model: dict[str, Any] = field(default_factory=dict)  # its options
    corpora: tuple[str, ...] = ()  # whose segments are reconstructed; empty: all of the data set
    label_corpora: tuple[str, ...] = ("vgmidi",)  # whose labels guide the clusters, never reconstructed
    label_share: float = 0.01  # labelled segments as a share of all training segments; 0: none
    segments: int = 0  # training segments that are used, drawn by seed; 0: all
    seed: int = 0
    steps: int = 20_000
    batch: int = 256
    labels: int = 16  # labelled rows added to each batch
    pairs: float = 0.0  # share of rows whose target is another bar of the same song
    transpose: bool = True
    learning_rate: float = 2e-3
    warmup: float = 0.02
    weight_decay: float = 0.01
    clip: float = 1.0
    precision: str = "auto"  # auto, 32-true, bf16-mixed
    validate: int = 1000  # steps between validations (and checkpoints)
    patience: int = 0  # validations without a better loss before the run stops; 0: never


def load(path: Path, overrides: list[str] | None = None, size: str | None = None) -> Recipe:
    """A recipe file, its bases, a size (a file of `sizes/` beside it) and `key=value` overrides.

    The later ones win; dots reach into `model`. Raises FadernetsError for a missing file, an unknown key or an
    impossible value.
    """
    values = _read(path, seen=())
    if size is not None:
        folder = path.parent / "sizes"
        known = sorted(f.stem for f in folder.glob("*.yaml"))
        if size not in known:
            raise FadernetsError(f"--size {size}: {folder} has {', '.join(known) or 'none'}")
        values = _merge(values, _read(folder / f"{size}.yaml", seen=()))
    for item in overrides or []:
        name, equals, text = item.partition("=")
        if not equals:
            raise FadernetsError(f"--set {item!r}: expected key=value, such as steps=5000 or model.z=64")
        _assign(values, name.strip(), _scalar(text))
    if not values.get("out"):
        values["out"] = f"runs/{path.stem}"
    return check(values)


def check(values: dict[str, Any]) -> Recipe:
    """A recipe of these values. Raises FadernetsError, with one line, for what cannot work."""
    known = {f.name: f for f in fields(Recipe)}
    for name in values:
        if name not in known:
            raise FadernetsError(f"unknown recipe key {name!r}; known: {', '.join(known)}")
    default = Recipe()
    for name, value in values.items():
        if name in ("corpora", "label_corpora"):
            if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
                raise FadernetsError(f"recipe key {name}: {value!r} is no list of names, such as [pop909]")
            values[name] = tuple(value)
        else:
            values[name] = typed(f"recipe key {name}", value, getattr(default, name))
    recipe = Recipe(**values)
    rules = [
        (recipe.name in models(), f"name {recipe.name!r}; known models: {', '.join(models())}"),
        (recipe.segments >= 0, f"segments {recipe.segments}; must not be negative"),
        (recipe.steps > 0, f"steps {recipe.steps}; must be above 0"),
        (recipe.batch > 1, f"batch {recipe.batch}; must be above 1"),
        (recipe.labels >= 0, f"labels {recipe.labels}; must not be negative"),
        (recipe.validate > 0, f"validate {recipe.validate}; must be above 0"),
        (recipe.learning_rate > 0, f"learning_rate {recipe.learning_rate}; must be above 0"),
        (0 <= recipe.warmup < 1, f"warmup {recipe.warmup}; must be at least 0 and under 1"),
        (recipe.weight_decay >= 0, f"weight_decay {recipe.weight_decay}; must not be negative"),
        (recipe.clip > 0, f"clip {recipe.clip}; must be above 0"),
        (recipe.patience >= 0, f"patience {recipe.patience}; must not be negative"),
        (0 <= recipe.pairs <= 1, f"pairs {recipe.pairs}; must lie in 0..1"),
        (0 <= recipe.label_share <= 1, f"label_share {recipe.label_share}; must lie in 0..1"),
        (
            recipe.precision in ("auto", "32-true", "bf16-mixed"),
            f"precision {recipe.precision!r}; allowed: auto, 32-true, bf16-mixed",
        ),
    ]
    for holds, message in rules:
        if not holds:
            raise FadernetsError(f"recipe key {message}")
    return recipe


def sweep(choices: list[str]) -> list[list[str]]:
    """`key=a,b` choices -> the overrides of each combination, the last key fastest. Raises FadernetsError."""
    from itertools import product

    axes = []
    for text in choices:
        name, equals, values = text.partition("=")
        if not equals or not all(value.strip() for value in values.split(",")):
            raise FadernetsError(f"--sweep {text!r}: expected key=value,value, such as model.beta=0.01,0.03")
        axes.append([f"{name.strip()}={value.strip()}" for value in values.split(",")])
    return [list(combination) for combination in product(*axes)]


def as_dict(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain values, such as JSON holds; `check` reads them back."""
    values = asdict(recipe)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The values of a recipe file over those of its bases; `seen` are the files that led here."""
    import yaml

    if path.resolve() in seen:
        raise FadernetsError(f"{path}: its bases form a loop")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FadernetsError(f"{path}: is not YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(values, dict):
        raise FadernetsError(f"{path}: a recipe is a list of `key: value` lines")
    base = values.pop("base", None)
    if base is None:
        return values
    return _merge(_read(path.parent / str(base), (*seen, path.resolve())), values)


def _merge(merged: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The values of the second over those of the first; groups are merged key by key."""
    for name, value in values.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = {**merged[name], **value}
        else:
            merged[name] = value
    return merged


def _assign(values: dict[str, Any], name: str, value: Any) -> None:
    """Set a value by its name, whose dots reach into groups."""
    *parents, last = name.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise FadernetsError(f"--set {name}: {parent!r} holds one value, not a group")
    values[last] = value


def _scalar(text: str) -> Any:
    """The value of a `key=value` override, read as YAML."""
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):
        try:
            return float(value)  # YAML 1.1 reads 1e-3 as a string
        except ValueError:
            return value
    return value
