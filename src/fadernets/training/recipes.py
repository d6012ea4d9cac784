"""Recipes: one small YAML file an experiment. `base:` names another recipe that this one differs from.

Each field says what it may be, and pydantic holds it to that; a model's own options are checked by the model.
"""

from __future__ import annotations

from dataclasses import asdict, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BeforeValidator, ConfigDict, Field, Strict, ValidationError
from pydantic.dataclasses import dataclass

from fadernets import structured_text
from fadernets.errors import FadernetsError
from fadernets.models import models, reads_melodies


def _number(value: Any) -> Any:
    """A float of what YAML 1.1 reads as a string, such as 1e-3; anything else as it is."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


# Each type ends with the words by which a message says what is allowed.
Float = Annotated[float, BeforeValidator(_number)]
PositiveInt = Annotated[int, Field(gt=0), "must be above 0"]
AboveOne = Annotated[int, Field(gt=1), "must be above 1"]
Count = Annotated[int, Field(ge=0), "must not be negative"]
Positive = Annotated[Float, Field(gt=0), "must be above 0"]
NotNegative = Annotated[Float, Field(ge=0), "must not be negative"]
Share = Annotated[Float, Field(ge=0, le=1), "must lie in 0..1"]
ShareBelowOne = Annotated[Float, Field(ge=0, lt=1), "must be at least 0 and under 1"]
Names = Annotated[tuple[str, ...], Strict(False)]  # a list of YAML
Numbers = Annotated[tuple[Float, ...], Strict(False)]
Precision = Annotated[Literal["auto", "32-true", "bf16-mixed"], "allowed: auto, 32-true, bf16-mixed"]
Optimizer = Annotated[Literal["adamw", "adam"], "allowed: adamw, adam"]
Schedule = Annotated[Literal["cosine", "constant"], "allowed: cosine, constant"]
KINDS = ("int", "float", "bool", "string", "dict")  # pydantic's errors of a wrong type begin with these


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class Recipe:
    """What a training run needs to know; each field is a key of the file."""

    data: str = "data/pop-lieder"  # a prepared data set
    out: str = ""  # the run's folder; default runs/<name of the recipe>
    name: str = "music-fadernets"  # a row of the model table
    model: dict[str, Any] = field(default_factory=dict)  # its options
    corpora: Names = ()  # whose segments are reconstructed; empty: all of the data set
    label_corpora: Names = ("vgmidi",)  # whose labels guide the clusters, those of a file too; not reconstructed
    reconstruct_labelled: bool = False  # whether they are, and labelled rows lie among all rows of a batch
    label: str = "arousal"  # what they are of: arousal, valence or FILE.csv:COLUMN (see data.labels)
    label_edges: Numbers = (-0.1, 0.1)  # between its classes, in pairs: what lies between the two has none
    label_share: Share = 0.01  # labelled segments as a share of all training segments; 0: none
    segments: Count = 0  # training segments that are used, drawn by seed; 0: all
    seed: int = 0
    steps: PositiveInt = 20_000
    batch: AboveOne = 256
    labels: Count = 16  # labelled rows added to each batch
    pairs: Share = 0.0  # share of rows whose target is another bar of the same song
    transpose: bool = True
    learning_rate: Positive = 2e-3
    warmup: ShareBelowOne = 0.02
    weight_decay: NotNegative = 0.01
    clip: NotNegative = 1.0  # of the gradient's norm; 0: none
    optimizer: Optimizer = "adamw"
    schedule: Schedule = "cosine"  # of the learning rate; constant: the same at every step, without warm-up
    precision: Precision = "auto"
    validate: PositiveInt = 1000  # steps between validations (and checkpoints)
    patience: Count = 0  # validations without a better loss before the run stops; 0: never


KEYS = tuple(f.name for f in fields(Recipe))


def load(path: Path, overrides: list[str] | None = None, size: str | None = None) -> Recipe:
    """A recipe file, its bases, a size (a file of `sizes/` beside it) and `key=value` overrides.

    The later ones win; dots reach into `model`. Raises FadernetsError for a missing file, an unknown key, an
    impossible value, and a size with a z of its own over a recipe of melodies, whose z is what it is about.
    """
    values = _read(path, seen=())
    of_size: dict[str, Any] = {}
    if size is not None:
        folder = path.parent / "sizes"
        known = sorted(f.stem for f in folder.glob("*.yaml"))
        if size not in known:
            raise FadernetsError(f"--size {size}: {folder} has {', '.join(known) or 'none'}")
        of_size = _read(folder / f"{size}.yaml", seen=())
        values = _merge(values, of_size)
    for item in overrides or []:
        name, equals, text = item.partition("=")
        if not equals:
            raise FadernetsError(f"--set {item!r}: expected key=value, such as steps=5000 or model.z=64")
        _assign(values, name.strip(), _scalar(text))
    if not values.get("out"):
        values["out"] = f"runs/{path.stem}"
    recipe = check(values)
    if "z" in of_size.get("model", {}) and reads_melodies(recipe.name):
        raise FadernetsError(
            f"--size {size}: is of models of segments (z {of_size['model']['z']}), and {path.name} is of melodies; "
            "give its sizes by --set, such as --set model.encoder=512"
        )
    return recipe


def check(values: dict[str, Any]) -> Recipe:
    """A recipe of these values. Raises FadernetsError, with one line, for what cannot work."""
    for name in values:
        if name not in KEYS:
            raise FadernetsError(f"unknown recipe key {name!r}; known: {', '.join(KEYS)}")
    try:
        recipe = Recipe(**values)
    except ValidationError as error:
        raise FadernetsError(_one_line(error, values)) from None
    if recipe.name not in models():
        raise FadernetsError(f"recipe key name {recipe.name!r}; known models: {', '.join(models())}")
    return recipe


def _one_line(error: ValidationError, values: dict[str, Any]) -> str:
    """The first of pydantic's errors in the words of the field's type."""
    first = error.errors()[0]
    name, value = str(first["loc"][0]), first["input"]
    hint = get_type_hints(Recipe, include_extras=True)[name]
    if name == "label_edges":
        return f"recipe key {name}: {values[name]!r} is no list of numbers, such as [-0.1, 0.1]"
    if name in ("corpora", "label_corpora"):
        return f"recipe key {name}: {values[name]!r} is no list of names, such as [pop909]"
    kind = type(getattr(Recipe(), name))
    words = [text for text in getattr(hint, "__metadata__", ()) if isinstance(text, str)]
    if not words or first["type"].startswith(KINDS) or (kind is str and not isinstance(value, str)):
        return f"recipe key {name}: {value!r} is not of type {kind.__name__}"
    return f"recipe key {name} {kind(value)!r}; {words[0]}"


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
    if path.resolve() in seen:
        raise FadernetsError(f"{path}: its bases form a loop")
    try:
        values = structured_text.read_yaml(path) or {}
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise FadernetsError(f"{path}: is not YAML that can be read ({error})") from None
    if not isinstance(values, dict):
        raise FadernetsError(f"{path}: a recipe is a list of `key: value` lines")
    base = values.pop("base", None)
    if base is None:
        return values
    if not isinstance(base, str) or "\0" in base:
        raise FadernetsError(f"{path}: base {base!r} is no name of a file")
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
    try:
        value = structured_text.parse_yaml(text)
    except ValueError:
        return text
    if isinstance(value, str):
        try:
            return float(value)  # YAML 1.1 reads 1e-3 as a string
        except ValueError:
            return value
    return value
