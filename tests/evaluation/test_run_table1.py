"""Table 1 by one command: every step is done once, and again where what it was made from changed."""

import json
import shutil

import numpy as np
import pytest
import torch
from conftest import write_performances
from markdown_tables import parse
from toy_runs import SIZES, change_weights, write_toy

from fadernets import provenance
from fadernets.errors import FadernetsError
from fadernets.evaluation import code_hash, run_table1, table1, table1_tables
from fadernets.training import checkpoints
from fadernets.training import loop as training_loop

# The whole, on toy data

NAMES = [row.recipe for row in table1_tables.TABLE] + [run_table1.LANGUAGE_MODEL]
CLUSTERED = ("fadernets-gmvae", "gm-vae")
MODELS = {
    "fadernets-vae": ("music-fadernets", {"sub_decoder": 4, "clusters": 0, "attributes": False}),
    "fadernets-gmvae": ("music-fadernets", {"sub_decoder": 4, "clusters": 2, "attributes": False}),
    "pati": ("pati", {}),
    "cvae": ("cvae", {}),
    "fader-networks": ("fader-networks", {"adversary": 4}),
    "glsr-vae": ("glsr-vae", {"sub_decoder": 4}),
    "gm-vae": ("gm-vae", {}),
    "language-model": ("language-model", {}),
}
STEPS = 4


@pytest.fixture(scope="module")
def recipes_folder(tmp_path_factory):
    """The eight recipes of the table in toy size, and a size of two steps."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, (model, options) in MODELS.items():
        recipe = {
            "name": model, "steps": STEPS, "batch": 16, "labels": 4 * (name in CLUSTERED), "transpose": False,
            "label_share": 0.2 * (name in CLUSTERED), "validate": 2, "precision": "32-true", "model": SIZES | options,
        }  # fmt: skip
        (folder / f"{name}.yaml").write_text(json.dumps(recipe))
    (folder / "sizes").mkdir()
    (folder / "sizes" / "shorter.yaml").write_text("steps: 2")
    return folder


def lighten(patch):
    """Few segments and few levels."""
    for name, value in {"M": 4, "T": 3, "CALIBRATION_ROWS": 4, "CALIBRATION_LEVELS": 3}.items():
        patch.setattr(table1, name, value)


@pytest.fixture(autouse=True)
def light(monkeypatch):
    lighten(monkeypatch)


@pytest.fixture(scope="module")
def whole(performances, recipes_folder, tmp_path_factory):
    """The folder of a run of Table 1 over the made-up performances, what it reported and what it returned."""
    out, said = tmp_path_factory.mktemp("table1") / "runs", []
    with pytest.MonkeyPatch.context() as patch:
        lighten(patch)
        patch.setattr("sys.argv", ["fadernets", "table1", "--runs", "1"])
        text = call(performances, recipes_folder, out, said)
    return out, said, text


@pytest.fixture
def copy(whole, performances, tmp_path):
    """The same folder for this test to change."""
    out = tmp_path / "runs"
    shutil.copytree(whole[0], out)
    for path in out.glob("*/*/config.json"):  # a run knows its own folder
        config = json.loads(path.read_text())
        config["recipe"]["out"] = str(out / path.parent.parent.name)
        path.write_text(json.dumps(config))
    return out


def call(data, recipes_folder, out, said=None, **changes):
    options = {"roots": {}, "runs": 1, "report": lambda line: None if said is None else said.append(line)}
    folder = getattr(data, "folder", data)
    return run_table1.run(data=folder, recipes_folder=recipes_folder, out=out, **options | changes)


def without_runs(text):
    """The tables but the last, which says by which command each was made."""
    *tables, last = text.split("\n\n")
    assert last.startswith("| model | run |")
    return tables


def watch(monkeypatch):
    """Names of the runs that are trained a step and of those that are evaluated, as it happens."""
    trained, evaluated = [], []
    go, evaluate = training_loop._Run.go, table1.evaluate

    def watched_go(run, progress=None):
        trained.extend([run.out.name] if run.step < run.recipe.steps else [])
        return go(run, progress)

    def watched_evaluate(checkpoint, *args, **options):
        evaluated.append(checkpoint.folder.name)
        return evaluate(checkpoint, *args, **options)

    monkeypatch.setattr(training_loop._Run, "go", watched_go)
    monkeypatch.setattr(table1, "evaluate", watched_evaluate)
    return trained, evaluated


def figures_of(out, name):
    return json.loads((out / name / "evaluation.json").read_text())


def test_the_whole_table_in_one_call(whole, performances):
    out, said, text = whole
    assert said == [f"train {name}" for name in NAMES] + [f"evaluate {name}" for name in NAMES[:-1]]
    assert (out / "table1-small.md").read_text() == text + "\n"
    tables = parse(text)
    titles = {row.recipe: row.title for row in table1_tables.TABLE}
    with_faders = [title for name, title in titles.items() if name != "gm-vae"]
    assert [name for name, _ in tables["`paper` protocol: ours (published)"][1]] == with_faders
    assert [name for name, _ in tables["reconstruction; codes"][1]] == list(titles.values())
    for attribute in ("rhythm density", "note density"):
        assert [name for name, _ in tables[f"`strict`, {attribute}"][1]] == with_faders * 3
        assert len(tables[f"moved outputs, {attribute}"][1]) == 1 + 3 * len(with_faders)
    for name in NAMES:
        assert checkpoints.read_config(out / name / "last")["step"] == STEPS
    language_model = run_table1.weights_hash(out / run_table1.LANGUAGE_MODEL)
    for name in NAMES[:-1]:
        found = figures_of(out, name)
        assert (found["model"], found["run"]) == (MODELS[name][0], name)
        assert found["data"] == performances.hash
        assert found["made_from"] == {
            "data": performances.hash,
            "weights": run_table1.weights_hash(out / name),
            "language_model": language_model,
            "runs": 1,
            "seed": 0,
            "code": code_hash.code_hash(*run_table1.MEASURING_MODULES),
            "protocols": ["paper", "strict", "authors"],
        }
        assert found["command"] == "fadernets table1 --runs 1"
        assert found["commit"]
    assert not (out / run_table1.LANGUAGE_MODEL / "evaluation.json").exists()
    assert "nats_a_token" in figures_of(out, "pati")["quality/real"]


def test_a_second_call_trains_and_evaluates_nothing(copy, whole, performances, recipes_folder, monkeypatch):
    before = {path: path.read_bytes() for path in copy.glob("*/evaluation.json")}
    monkeypatch.setattr("fadernets.models.base.Model.loss", lambda *_: pytest.fail("trains"))
    monkeypatch.setattr(table1, "evaluate", lambda *_, **__: pytest.fail("evaluates"))
    assert call(performances, recipes_folder, copy) == whole[2]
    assert {path: path.read_bytes() for path in copy.glob("*/evaluation.json")} == before


def test_a_run_that_was_removed_comes_again(copy, whole, performances, recipes_folder, monkeypatch):
    shutil.rmtree(copy / "cvae")
    trained, evaluated = watch(monkeypatch)
    assert without_runs(call(performances, recipes_folder, copy)) == without_runs(whole[2])
    assert (trained, evaluated) == (["cvae"], ["cvae"])


def test_figures_that_were_removed_come_again(copy, whole, performances, recipes_folder, monkeypatch):
    (copy / "gm-vae" / "evaluation.json").unlink()
    trained, evaluated = watch(monkeypatch)
    assert without_runs(call(performances, recipes_folder, copy)) == without_runs(whole[2])
    assert (trained, evaluated) == ([], ["gm-vae"])


def test_changed_weights_are_evaluated_again(copy, performances, recipes_folder, monkeypatch):
    before = {name: figures_of(copy, name) for name in NAMES[:-1]}
    change_weights(copy / "pati" / "best")
    trained, evaluated = watch(monkeypatch)
    call(performances, recipes_folder, copy)
    assert (trained, evaluated) == ([], ["pati"])
    after = figures_of(copy, "pati")
    assert after["made_from"]["weights"] != before["pati"]["made_from"]["weights"]
    assert after["reconstruction"] != before["pati"]["reconstruction"]
    assert figures_of(copy, "cvae") == before["cvae"]
    change_weights(copy / run_table1.LANGUAGE_MODEL / "best")  # whose rating is a figure of every run
    evaluated.clear()
    call(performances, recipes_folder, copy, only=["cvae"])
    assert evaluated == ["cvae"]


@pytest.mark.parametrize("changes", [{"runs": 2}, {"seed": 1}])
def test_other_draws_are_evaluated_again(copy, performances, recipes_folder, monkeypatch, changes):
    trained, evaluated = watch(monkeypatch)
    call(performances, recipes_folder, copy, only=["cvae"], **changes)
    assert (trained, evaluated) == ([], ["cvae"])
    for key, value in changes.items():
        assert figures_of(copy, "cvae")[key] == value


def test_one_model_alone(performances, recipes_folder, tmp_path):
    said = []
    text = call(performances, recipes_folder, tmp_path / "runs", said, only=["pati"], overrides=["steps=1"])
    assert said == ["train pati", "evaluate pati"]
    assert checkpoints.read_config(tmp_path / "runs" / "pati" / "last")["step"] == 1
    assert [name for name, _ in parse(text)["reconstruction; codes"][1]] == ["Pati et al."]
    found = figures_of(tmp_path / "runs", "pati")
    assert found["made_from"]["language_model"] == ""
    assert "nats_a_token" not in found["quality/real"]


def test_a_size_has_a_folder_of_its_own(performances, recipes_folder, tmp_path):
    call(performances, recipes_folder, tmp_path, only=["cvae"], size="shorter")
    folder = tmp_path / "shorter-tokens"
    assert checkpoints.read_config(folder / "cvae" / "last")["step"] == 2
    assert (folder / "table1-shorter.md").exists()
    with pytest.raises(FadernetsError, match=r"--size larger: .* has shorter"):
        call(performances, recipes_folder, tmp_path, only=["cvae"], size="larger")


def test_several_seeds_are_means_over_runs(performances, recipes_folder, tmp_path, monkeypatch):
    trained, evaluated = watch(monkeypatch)
    out = tmp_path / "runs"
    text = call(performances, recipes_folder, out, seeds=range(2), only=["gm-vae", "pati"])
    assert trained == evaluated == ["pati-seed=0", "gm-vae-seed=0", "pati-seed=1", "gm-vae-seed=1"]
    runs = [run_table1.read(out / name) for name in ("pati-seed=0", "pati-seed=1")]
    of_runs = [run["reconstruction"]["nats"] for run in runs]
    assert of_runs[0] != of_runs[1]
    found = table1_tables.over_seeds(runs)
    assert found["reconstruction"]["nats"] == {"mean": np.mean(of_runs), "std": np.std(of_runs), "seeds": 2}
    (of_table,) = [cells for name, cells in parse(text)["reconstruction; codes"][1] if name == "Pati et al."]
    assert of_table[1] == f"{np.mean(of_runs):.3f} ± {np.std(of_runs):.3f}"
    assert found["paper/note_density"]["linearity"]["seeds"] == 2
    assert found["run"] == "pati-seed=0, pati-seed=1"
    for seed, step in ((0, 1), (1, 2)):  # two that were stopped
        path = out / f"pati-seed={seed}" / "last" / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "step": step}))
    text = call(performances, recipes_folder, out, seeds=range(2), only=["pati"], train=False, take_unfinished=True)
    assert "Pati et al. (1 of 4 steps, 2 of 4 steps)" in dict(parse(text)["reconstruction; codes"][1])


@pytest.mark.filterwarnings("ignore")  # Dask's own
def test_the_workers_of_a_cluster_make_the_same_table(copy, whole, performances, recipes_folder, monkeypatch):
    distributed = pytest.importorskip("distributed")
    shutil.rmtree(copy / "pati")
    (copy / "gm-vae" / run_table1.EVALUATION).unlink()
    trained, evaluated = watch(monkeypatch)
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(**options, set_as_default=False) as client:  # workers that see what is patched
        text = call(performances, recipes_folder, copy, said := [], client=client)
    assert trained == ["pati"]
    assert sorted(evaluated) == ["gm-vae", "pati"]
    assert without_runs(text) == without_runs(whole[2])
    assert sum(line.endswith(": done") for line in said) == len(NAMES) * 2 - 1


def test_without_training_what_is_there_is_evaluated(copy, performances, recipes_folder, monkeypatch):
    for name in ("cvae", "gm-vae"):
        shutil.rmtree(copy / name)
    (copy / "pati" / "evaluation.json").unlink()
    trained, evaluated = watch(monkeypatch)
    said = []
    text = call(performances, recipes_folder, copy, said, train=False)
    assert (trained, evaluated) == ([], ["pati"])
    assert said[:2] == ["cvae: not trained yet, left out", "gm-vae: not trained yet, left out"]
    assert "CVAE" not in text
    assert not (copy / "cvae").exists()


def test_a_run_that_is_not_finished_is_left_out(copy, performances, recipes_folder, monkeypatch):
    last = copy / "cvae" / "last"
    config = json.loads((last / "config.json").read_text())
    (last / "config.json").write_text(json.dumps({**config, "step": STEPS - 1}))
    _, evaluated = watch(monkeypatch)
    said = []
    assert "CVAE" not in call(performances, recipes_folder, copy, said, train=False)
    assert said[0] == f"cvae: trained for {STEPS - 1} of {STEPS} steps, left out"
    assert evaluated == []
    text = call(performances, recipes_folder, copy, said := [], train=False, take_unfinished=True)
    assert (said, evaluated) == ([f"evaluate {name}" for name in NAMES[:-1]], [])
    for heads, (_, rows) in parse(text).items():
        named = {name for name, _ in rows if name.startswith("CVAE")}
        assert named <= {f"CVAE ({STEPS - 1} of {STEPS} steps)"}, heads
    assert "| CVAE (3 of 4 steps) | cvae | 4 |" in text  # the best checkpoint is of step 4
    assert "Pati et al. (" not in text
    state = torch.load(last / "state.pt", weights_only=True)
    torch.save({**state, "waited": 3}, last / "state.pt")
    assert run_table1.unfinished(copy / "cvae")
    config["recipe"]["patience"] = 3  # it stopped because nothing got better
    (last / "config.json").write_text(json.dumps({**config, "step": STEPS - 1}))
    assert not run_table1.unfinished(copy / "cvae")


def test_rows_that_were_made_otherwise_are_left_out(copy, performances, recipes_folder):
    """Of one model alone: the others' figures stand beside it where they are of the same draws and weights."""
    change_weights(copy / "pati" / "best")
    said = []
    text = call(performances, recipes_folder, copy, said, only=["cvae"], train=False)
    assert "pati: its figures are not of what is there now, left out" in said
    assert "Pati" not in text
    assert "GLSR" in text
    alone = call(performances, recipes_folder, copy, only=["cvae"], train=False, runs=2)
    assert [name for name, _ in parse(alone)["reconstruction; codes"][1]] == ["CVAE"]


def test_the_runs_stand_below(whole):
    heads, rows = parse(whole[2])["model"]
    assert heads == ["run", "steps", "trained at", "measured at", "by"]
    assert len(rows) == 7
    for _, (_, steps, trained, measured, command) in rows:
        assert steps == str(STEPS)
        assert trained == measured == provenance.commit()
        assert command == "`fadernets table1 --runs 1`"


def test_clusters_in_the_table(rated, recipes_folder, tmp_path):
    """Of performances that have held-out labels; of several seeds with deviations."""
    text = call(rated, recipes_folder, tmp_path, only=["gm-vae"])
    found = run_table1.read(tmp_path / "gm-vae")
    other = json.loads(json.dumps(found))
    other["clusters"] |= {"balanced_accuracy": 0.25, "low": 0.0, "high": 1.0}
    other["clusters"]["z"]["silhouette"] = 0.5
    both = table1_tables.tables({"gm-vae": table1_tables.over_seeds([found, other])})
    ((_, row),) = parse(both)["arousal clusters"][1]
    accuracy = [found["clusters"]["balanced_accuracy"], 0.25]
    assert row[4].startswith(f"{np.mean(accuracy):.3f} ± {np.std(accuracy):.3f} [")
    ((name, row),) = parse(text)["arousal clusters"][1]
    assert (name, row[0], row[2]) == ("GM-VAE, single encoder", "learned", "z")
    assert row[1] == str(checkpoints.read_config(tmp_path / "gm-vae" / "best")["segments"]["labelled"])


def test_the_data_set_is_prepared_where_it_is_not_there(recipes_folder, tmp_path, monkeypatch):
    asked, said = [], []

    def prepare(roots, folder, codec):
        asked.append((roots, folder, codec))
        return write_performances(folder)

    monkeypatch.setattr("fadernets.data.prepare.prepare", prepare)
    roots = {"maestro": tmp_path / "maestro"}
    run_table1.prepared(tmp_path / "data", roots, "tokens", said.append)
    assert asked == [(roots, tmp_path / "data", "tokens")]
    assert said == [f"prepare {tmp_path / 'data'}"]
    run_table1.prepared(tmp_path / "data", roots, "tokens", said.append)
    assert len(asked) == 1


# Refused


def refusal(*args, **changes):
    with pytest.raises(FadernetsError) as error:
        call(*args, **changes)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_no_data_and_nothing_to_prepare_it_from(recipes_folder, tmp_path):
    said = refusal(tmp_path / "none", recipes_folder, tmp_path)
    assert said == f"{tmp_path / 'none'}: is not there; name the corpora to prepare it from, --corpus maestro=PATH"


def test_a_data_set_of_another_codec(songs, performances, recipes_folder, tmp_path):
    said = refusal(songs, recipes_folder, tmp_path / "runs")
    assert said == f"{songs.folder}: holds grid, not tokens; name another data set with --data"
    assert "holds tokens, not grid" in refusal(performances, recipes_folder, tmp_path / "runs", codec="grid")
    assert not (tmp_path / "runs").exists()


def test_an_unknown_model(performances, recipes_folder, tmp_path):
    said = refusal(performances, recipes_folder, tmp_path / "runs", only=["pati", "vae"])
    assert said == f"--only vae: allowed are {', '.join(NAMES)}"


def test_a_recipe_that_is_not_there(performances, tmp_path):
    assert "pati.yaml: cannot be read" in refusal(performances, tmp_path, tmp_path / "runs", only=["pati"])


@pytest.mark.parametrize("content", [b"", b'{"runs": ', b"[1, 2]", b"\xff\xfe"])
def test_a_damaged_evaluation_is_named(copy, performances, recipes_folder, content):
    (copy / "cvae" / "evaluation.json").write_bytes(content)
    expected = f"{copy / 'cvae' / 'evaluation.json'}: is damaged; remove it"
    assert refusal(performances, recipes_folder, copy, train=False) == expected


def test_a_run_over_another_data_set_is_refused(copy, recipes_folder, tmp_path):
    other = write_performances(tmp_path / "data", seed=5)
    (copy / "cvae" / "evaluation.json").unlink()
    assert "was trained on data set" in refusal(other, recipes_folder, copy, only=["cvae"], train=False)
    assert "was trained on data set" in refusal(other, recipes_folder, copy, only=["cvae"])


# A run by itself


def test_evaluation_of_a_checkpoint_that_is_no_run(performances, tmp_path, monkeypatch):
    """Its weights and those of the language model are read where they lie, and seen when they change."""
    run, language_model = (write_toy(tmp_path / name, name, performances) for name in ("cvae", "language-model"))
    found = run_table1.evaluated(run, performances.folder, language_model, runs=1, protocols=["paper"])
    assert found["made_from"]["weights"] == run_table1.weights_hash(run) != ""
    assert found["made_from"]["language_model"] == run_table1.weights_hash(language_model) != ""
    assert [key for key in found if "/" in key] == ["paper/rhythm_density", "paper/note_density"]
    kept = (run / "evaluation.json").read_bytes()
    change_weights(run)
    (run / "evaluation.json").write_bytes(kept)
    again = run_table1.evaluated(run, performances.folder, language_model, runs=1, protocols=["paper"])
    assert again["reconstruction"] != found["reconstruction"]
    both = run_table1.evaluated(
        run, performances.folder, language_model, runs=1, protocols=["strict"]
    )  # and keeps the other
    assert both["made_from"]["protocols"] == ["paper", "strict"]
    assert both["paper/note_density"] == again["paper/note_density"]
    assert "strict/note_density/best-of-n" in both
    monkeypatch.setattr(table1, "evaluate", lambda *_, **__: pytest.fail("evaluates"))
    assert run_table1.evaluated(run, performances.folder, language_model, runs=1, protocols=["paper"]) == both


def test_figures_of_before_call_best_of_n_closed(tmp_path):
    """A file that an earlier version wrote is read with today's name of the loop."""
    old = {"model": "pati", "strict/note_density/closed": {"error": 1}, "quality/note_density/closed": {"frechet": 2}}
    (tmp_path / "evaluation.json").write_text(json.dumps({**old, "strict/note_density/open": {"error": 3}}))
    assert run_table1.read(tmp_path) == {
        "model": "pati",
        "strict/note_density/best-of-n": {"error": 1},
        "quality/note_density/best-of-n": {"frechet": 2},
        "strict/note_density/open": {"error": 3},
    }


def test_a_language_model_by_itself(performances, tmp_path):
    run = write_toy(tmp_path / "language_model", "language-model", performances)
    found = run_table1.evaluated(run, performances.folder, tmp_path / "none", runs=1)
    assert found["made_from"]["language_model"] == ""
    assert table1_tables.tables({"language_model": found}) == ""


def test_figures_come_back_from_their_file_as_they_were_made(performances, tmp_path):
    run = write_toy(tmp_path / "run", "pati", performances)
    found = run_table1.evaluated(run, performances.folder, tmp_path / "none", runs=2)
    assert run_table1.read(run) == found
    assert table1_tables.tables({"run": run_table1.read(run)}) == table1_tables.tables({"run": found})
    assert run_table1.read(tmp_path / "none") == {}
