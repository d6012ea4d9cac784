"""Recipes: bases, overrides, and one clear line for each value that cannot work."""

from pathlib import Path

import pytest
import torch

from fadernets.errors import FadernetsError
from fadernets.models import build, reads_melodies
from fadernets.training import recipes
from fadernets.training.recipes import Recipe

MELODIES = ("melody", "musicvae", "musicvae-512", "musicvae-nottingham")
RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))


@pytest.fixture
def write(tmp_path):
    """Writes a recipe file and gives its path."""

    def writer(text, name="some.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return writer


def test_there_are_recipes():
    assert {"music-fadernets", "paper-grid", "vanilla"} <= {path.stem for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_loads_and_its_model_builds(path):
    recipe = recipes.load(path)
    assert recipe.out == f"runs/{path.stem}"
    build(recipe.name, recipe.model, "melody" if reads_melodies(recipe.name) else "grid")


def test_the_shipped_recipes_say_what_they_are():
    by_name = {path.stem: recipes.load(path) for path in RECIPES}
    full, paper, vanilla = (by_name[name] for name in ("music-fadernets", "paper-grid", "vanilla"))
    assert full.pairs > 0
    assert full.model.get("attributes", True)
    assert (paper.pairs, paper.model["attributes"]) == (0, False)
    assert paper.model.get("clusters", 2) == 2
    assert paper.label_share == pytest.approx(0.01)
    assert (vanilla.model["clusters"], vanilla.labels, vanilla.label_share) == (0, 0, 0)
    assert vanilla.model["attributes"] is False


def test_defaults_and_the_name_of_the_run(write):
    recipe = recipes.load(write("steps: 7\n", "my-run.yaml"))
    assert recipe == Recipe(steps=7, out="runs/my-run")
    assert recipes.load(write("")) == Recipe(out="runs/some")
    assert recipes.load(write("out: elsewhere\n")).out == "elsewhere"


def test_a_recipe_is_a_difference_to_its_base(write):
    write("steps: 100\nbatch: 8\nmodel:\n  z: 4\n  beta: 0.5\n", "base.yaml")
    write("base: base.yaml\nbatch: 16\nmodel:\n  beta: 0.1\n", "middle.yaml")
    recipe = recipes.load(write("base: ../middle.yaml\nmodel:\n  plan: 3\n", "deeper/top.yaml"))
    assert (recipe.steps, recipe.batch) == (100, 16)
    assert recipe.model == {"z": 4, "beta": 0.1, "plan": 3}
    assert recipe.out == "runs/top"


def test_overrides_come_last_and_dots_reach_into_the_model(write):
    path = write("steps: 100\nmodel:\n  z: 4\n")
    given = ["steps=5", "model.z=8", "model.beta = 0.3", "transpose=false", "corpora=[a, b]", "out=x", "out=y"]
    recipe = recipes.load(path, given)
    assert recipe.steps == 5
    assert recipe.model == {"z": 8, "beta": 0.3}
    assert recipe.transpose is False
    assert recipe.corpora == ("a", "b")
    assert recipe.out == "y"
    assert recipes.load(write("steps: 3\n"), ["model.z=9"]).model == {"z": 9}


@pytest.mark.parametrize("text", ["1e-3", "1.0e-3", "0.001", "1E-3"])
def test_small_numbers_in_a_file_and_in_an_override(write, text):
    assert recipes.load(write(f"learning_rate: {text}\n")).learning_rate == 0.001
    recipe = recipes.load(write(""), [f"learning_rate={text}", f"model.beta={text}"])
    assert recipe.learning_rate == 0.001
    assert build(recipe.name, recipe.model | {"z": 2}).options.beta == 0.001
    assert build("music-fadernets", recipes.load(write(f"model:\n  beta: {text}\n")).model).options.beta == 0.001


def test_whole_numbers_are_numbers(write):
    recipe = recipes.load(write("clip: 2\nlearning_rate: 1\n"))
    assert (recipe.clip, recipe.learning_rate) == (2.0, 1.0)
    assert isinstance(recipe.clip, float)


def test_a_recipe_survives_being_written_down(write):
    recipe = recipes.load(write("corpora: [a]\nmodel:\n  z: 3\n"))
    values = recipes.as_dict(recipe)
    assert values["corpora"] == ["a"]
    assert recipes.check(values) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepps: 3\n", "unknown recipe key 'stepps'; known: data, out, name"),
        ("1: 3\n", "unknown recipe key 1"),
        ("steps: many\n", "recipe key steps: 'many' is not of type int"),
        ("steps: 2.5\n", r"recipe key steps: 2\.5 is not of type int"),
        ("steps: true\n", "recipe key steps: True is not of type int"),
        ("steps:\n", "recipe key steps: None is not of type int"),
        ("learning_rate: fast\n", "recipe key learning_rate: 'fast' is not of type float"),
        ("learning_rate: true\n", "recipe key learning_rate: True is not of type float"),
        ("transpose: 1\n", "recipe key transpose: 1 is not of type bool"),
        ("data: 3\n", "recipe key data: 3 is not of type str"),
        ("model: 3\n", "recipe key model: 3 is not of type dict"),
        ("corpora: pop909\n", r"recipe key corpora: 'pop909' is no list of names, such as \[pop909\]"),
        ("label_corpora: 3\n", "recipe key label_corpora: 3 is no list"),
        ("corpora: [1, 2]\n", r"recipe key corpora: \[1, 2\] is no list of names"),
        ("name: glsr\n", "recipe key name 'glsr'; known models: music-fadernets"),
        ("steps: 0\n", "recipe key steps 0; must be above 0"),
        ("batch: 1\n", "recipe key batch 1; must be above 1"),
        ("labels: -1\n", "recipe key labels -1; must not be negative"),
        ("validate: 0\n", "recipe key validate 0; must be above 0"),
        ("learning_rate: 0\n", r"recipe key learning_rate 0\.0; must be above 0"),
        ("learning_rate: .nan\n", "recipe key learning_rate nan; must be above 0"),
        ("warmup: 1\n", r"recipe key warmup 1\.0; must be at least 0 and under 1"),
        ("weight_decay: -1\n", r"recipe key weight_decay -1\.0; must not be negative"),
        ("clip: -1\n", r"recipe key clip -1\.0; must not be negative"),
        ("optimizer: sgd\n", "recipe key optimizer 'sgd'; allowed: adamw, adam"),
        ("schedule: linear\n", "recipe key schedule 'linear'; allowed: cosine, constant"),
        ("reconstruct_labelled: 1\n", "recipe key reconstruct_labelled: 1 is not of type bool"),
        ("patience: -1\n", "recipe key patience -1; must not be negative"),
        ("pairs: 1.5\n", r"recipe key pairs 1\.5; must lie in 0\.\.1"),
        ("label_share: -0.1\n", r"recipe key label_share -0\.1; must lie in 0\.\.1"),
        ("precision: 16\n", "recipe key precision: 16 is not of type str"),
        ("precision: fp8\n", "recipe key precision 'fp8'; allowed: auto, 32-true, bf16-mixed"),
        ("- steps\n- batch\n", r"some\.yaml: a recipe is a list of `key: value` lines"),
        ("steps: [1\n", r"some\.yaml: is not YAML"),
    ],
)
def test_what_cannot_work_is_refused(write, text, message):
    with pytest.raises(FadernetsError, match=message) as error:
        recipes.load(write(text))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("steps", "--set 'steps': expected key=value, such as steps=5000 or model.z=64"),
        ("stepps=3", "unknown recipe key 'stepps'"),
        ("steps=few", "recipe key steps: 'few' is not of type int"),
        ("steps=1e3", r"recipe key steps: 1000\.0 is not of type int"),
        ("steps.x=3", "--set steps.x: 'steps' holds one value, not a group"),
    ],
)
def test_an_override_that_cannot_work_is_refused(write, item, message):
    with pytest.raises(FadernetsError, match=message):
        recipes.load(write("steps: 5\n"), [item])


def test_an_override_that_is_no_yaml_is_text(write):
    assert recipes.load(write(""), ["data=["]).data == "["


def test_a_missing_file_and_a_missing_base(write, tmp_path):
    with pytest.raises(FadernetsError, match=r"none\.yaml: cannot be read \(No such file or directory\)"):
        recipes.load(tmp_path / "none.yaml")
    with pytest.raises(FadernetsError, match=r"gone\.yaml: cannot be read"):
        recipes.load(write("base: gone.yaml\n"))
    with pytest.raises(FadernetsError, match="cannot be read"):
        recipes.load(tmp_path)


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FadernetsError, match="is not YAML"):
        recipes.load(path)


@pytest.mark.parametrize("loop", ["a.yaml", "b.yaml", "../{folder}/b.yaml"])
def test_a_loop_of_bases(write, tmp_path, loop):
    write(f"base: {loop.format(folder=tmp_path.name)}\n", "a.yaml")
    write("base: a.yaml\n", "b.yaml")
    with pytest.raises(FadernetsError, match="its bases form a loop"):
        recipes.load(tmp_path / "a.yaml")


# Sizes and sweeps


def test_a_size_is_a_file_beside_the_recipe(write):
    """Over the recipe and its bases, under the overrides, group by group."""
    write("steps: 100\nmodel:\n  z: 4\n  beta: 0.5\n", "base.yaml")
    path = write("base: base.yaml\nbatch: 8\nseed: 1\n")
    write("steps: 9\nseed: 2\nmodel:\n  z: 64\n", "sizes/large.yaml")
    assert recipes.load(path).steps == 100
    recipe = recipes.load(path, ["seed=3"], "large")
    assert (recipe.steps, recipe.batch, recipe.seed) == (9, 8, 3)
    assert recipe.model == {"z": 64, "beta": 0.5}
    assert recipe.out == "runs/some"


def test_a_size_that_is_not_there(write):
    path = write("steps: 100\n")
    with pytest.raises(FadernetsError, match=r"--size huge: .*sizes has none"):
        recipes.load(path, size="huge")
    write("steps: 9\n", "sizes/small.yaml")
    write("steps: 99\n", "sizes/large.yaml")
    for name in ("huge", "", "small.yaml", "../some"):
        with pytest.raises(FadernetsError, match=r"--size .*: .*sizes has large, small"):
            recipes.load(path, size=name)


def test_a_size_is_checked_as_a_recipe_is(write):
    path = write("steps: 100\n")
    write("volume: 11\n", "sizes/loud.yaml")
    with pytest.raises(FadernetsError, match="unknown recipe key 'volume'"):
        recipes.load(path, size="loud")


@pytest.mark.parametrize("path", [p for p in RECIPES if p.stem not in MELODIES], ids=lambda path: path.stem)
def test_the_paper_s_sizes_fit_every_recipe_of_segments(path):
    recipe = recipes.load(path, size="paper")
    assert (recipe.steps, recipe.patience) == (15_000, 5)
    with torch.device("meta"):  # without memory for the weights
        model = build(recipe.name, recipe.model, "tokens" if "performances" in recipe.data else "grid")
    assert sum(model.sizes.values()) in (0, 256)  # two codes of 128, or one of 256; none of a language model
    hidden = {name: part.hidden_size for name, part in model.named_modules() if isinstance(part, torch.nn.GRU)}
    whole = {name: size for name, size in hidden.items() if not name.startswith("sub_decoders")}
    assert set(whole.values()) == {512}, hidden


@pytest.mark.parametrize("path", [p for p in RECIPES if p.stem in MELODIES], ids=lambda path: path.stem)
def test_a_recipe_of_melodies_keeps_its_own_z(path):
    """The NIME paper's two models differ in nothing else (Section 3.1)."""
    for size in ("paper", "small", "tiny"):
        with pytest.raises(FadernetsError, match=rf"--size {size}: is of models of segments .*{path.name} is of mel"):
            recipes.load(path, size=size)
    seeds = recipes.load(path, size="seeds")
    assert (seeds.model["z"], seeds.model["encoder"]) == (512 if path.stem == "musicvae-512" else 128, 128)


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([], [[]]),
        (["a=1,2"], [["a=1"], ["a=2"]]),
        (["a=1,2", "model.b=3"], [["a=1", "model.b=3"], ["a=2", "model.b=3"]]),
        (["a=1,2", "b= x , y"], [["a=1", "b=x"], ["a=1", "b=y"], ["a=2", "b=x"], ["a=2", "b=y"]]),
    ],
)
def test_a_sweep_is_every_combination(choices, expected):
    assert recipes.sweep(choices) == expected


@pytest.mark.parametrize("text", ["a", "a=", "a=1,,2", "a=1,", ""])
def test_a_sweep_that_makes_no_sense(text):
    with pytest.raises(FadernetsError, match=r"expected key=value,value, such as model\.beta"):
        recipes.sweep([text])
