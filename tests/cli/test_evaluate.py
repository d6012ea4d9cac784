"""The command `evaluate`: what its actions print, what they refuse, and what they leave behind."""

import json
import shutil

import pytest
from made_variations import write_variations

from fadernets.cli import evaluate

# Model folders


def test_errors_of_evaluate_are_one_line(refused, tmp_path):
    assert "model none: is neither" in refused("evaluate", "model", "none", "--data", tmp_path)
    assert str(tmp_path) in refused("evaluate", "model", "pop-lieder", "--data", tmp_path)
    for action in (("model",), ("ablation",), ("faders", "--corpus", "a=b"), ("checkpoint", tmp_path)):
        assert "--runs 0: must be at least 1" in refused("evaluate", *action, "--runs", "0")


def test_evaluate_realism(run, songs, tmp_path, exported, monkeypatch):
    """Of a model folder: a table of moves, and a picture of some."""
    from fadernets.metrics import realism

    monkeypatch.setattr(realism, "LEVEL", 2.0)
    monkeypatch.setattr(realism, "OTHERS", 9.0)
    folder, sheet = exported[True][0], tmp_path / "sheet.png"
    options = ("--data", songs.folder, "--loop", "open", "--rolls", sheet)
    code, out, err = run("evaluate", "realism", folder, *options)
    assert (code, err) == (0, [])
    assert out.startswith("| moved by |")
    assert sheet.stat().st_size > 0


@pytest.fixture
def few(monkeypatch):
    """Runs of three segments, and a handful for what a move leaves alone."""
    from fadernets.evaluation import model_folder

    monkeypatch.setattr(model_folder, "M", 3)
    monkeypatch.setattr(model_folder, "UNTOUCHED", 4)


def test_evaluate_one_loop_of_a_model_folder_and_draw_what_moves_leave_alone(run, songs, exported, few, tmp_path):
    folder, curve = exported[True][0], tmp_path / "curve.png"
    options = ("evaluate", "model", folder, "--data", songs.folder, "--runs", 1, "--loop", "calibrated")
    code, out, err = run(*options, "--untouched", curve)
    assert (code, err) == (0, [])
    assert "| fader, loop | rhythm density, calibrated | note density, calibrated |" in out
    assert "| notes left alone by a move of | -2 sd |" in out
    assert curve.stat().st_size > 0
    found = json.loads(run(*options, "--json")[1])
    assert found["untouched"]["note_density"]["+0"]["notes"] == 1
    assert {key for key in found if key.startswith("rhythm_density")} == {"rhythm_density/calibrated"}


def test_evaluate_puts_all_loops_into_the_card(run, songs, exported, few, tmp_path):
    folder = shutil.copytree(exported[True][0], tmp_path / "model")
    _, out, _ = run("evaluate", "model", folder, "--data", songs.folder, "--runs", 1, "--card")
    head = "| fader, loop | rhythm density, open | rhythm density, calibrated | rhythm density, closed |"
    assert head in out
    assert head in (folder / "README.md").read_text()


def test_evaluate_an_ablation(run, songs, exported, few):
    options = ("evaluate", "ablation", exported[True][0], "--data", songs.folder, "--runs", 1)
    code, out, err = run(*options)
    assert (code, err) == (0, [])
    assert out.startswith("| rhythm density | consistency |")
    assert "\n| closed, no critic | " in out
    assert {"open", "calibrated", "closed"} < set(json.loads(run(*options, "--json")[1])["variants"])
    assert list(json.loads(run(*options, "--loop", "open", "--json")[1])["variants"]) == ["open"]


@pytest.mark.parametrize(
    ("action", "option"),
    [
        ("model", "--rolls"), ("model", "--language-model"), ("model", "--protocol"), ("model", "--corpus"),
        ("realism", "--untouched"), ("realism", "--card"), ("realism", "--runs"), ("realism", "--protocol"),
        ("ablation", "--untouched"), ("ablation", "--card"), ("ablation", "--rolls"), ("ablation", "--protocol"),
        ("checkpoint", "--card"), ("checkpoint", "--untouched"), ("checkpoint", "--rolls"), ("checkpoint", "--corpus"),
        ("melody", "--loop"), ("melody", "--card"), ("melody", "--rolls"), ("melody", "--untouched"),
    ],
)  # fmt: skip
def test_an_action_has_the_options_that_apply_to_it(run, tmp_path, action, option):
    value = () if option == "--card" else (tmp_path / "a.png",)
    code, out, err = run("evaluate", action, "pop-lieder", option, *value)
    assert (code, out, len(err)) == (2, "", 1)
    assert f"unrecognized arguments: {option}" in err[0]


def test_a_picture_that_cannot_be_written(refused, songs, exported, tmp_path):
    options = ("--data", songs.folder, "--untouched", tmp_path / "none" / "a.png")
    assert "does not exist" in refused("evaluate", "model", exported[True][0], *options)


def test_a_loop_has_its_own_name_for_checkpoints(run):
    for action, loop in (("model", "best-of-n"), ("realism", "best-of-n"), ("checkpoint", "closed")):
        code, out, err = run("evaluate", action, "x", "--loop", loop)
        assert (code, out, len(err)) == (2, "", 1)
        assert f"invalid choice: '{loop}'" in err[0]


def test_loops_and_protocols_on_offer_are_those_that_there_are():
    from fadernets.evaluation import model_folder, table1

    assert tuple(model_folder.LOOPS) == evaluate.MODEL_LOOPS
    assert tuple(table1.LOOPS) == evaluate.CHECKPOINT_LOOPS
    assert tuple(table1.PROTOCOLS) == evaluate.PROTOCOLS


# Trained runs


def test_evaluate_a_run_by_the_papers_protocol(run, toys, tmp_path):
    folder = shutil.copytree(toys("fadernets"), tmp_path / "fadernets-gmvae")
    code, out, err = run("evaluate", "checkpoint", folder, "--protocol", "paper", "--runs", 2, "--seed", 3)
    assert (code, err) == (0, [])
    assert "| `paper` protocol: ours (published) | consistency, rhythm density |" in out
    assert "| Music FaderNets, GM-VAE | " in out
    assert "| arousal clusters |" in out
    assert "`strict`" not in out
    options = ("--protocol", "paper", "--runs", 2, "--seed", 3, "--json")
    found = json.loads(run("evaluate", "checkpoint", folder, *options)[1])
    assert found == json.loads((folder / "evaluation.json").read_text())
    assert (found["runs"], found["seed"]) == (2, 3)
    assert {"paper/rhythm_density", "paper/note_density", "clusters", "encoder", "reconstruction"} <= set(found)
    assert not [key for key in found if key.startswith(("strict", "quality"))]


def test_evaluate_finds_the_language_model_beside_a_run(run, toys, tmp_path):
    """And refuses one that was named and is no run of this data set."""
    for name in ("language-model", "pati"):
        shutil.copytree(toys(name), tmp_path / name / "best")
    options = ("evaluate", "checkpoint", tmp_path / "pati", "--protocol", "strict", "--runs", 1, "--json")
    found = json.loads(run(*options)[1])
    assert found["made_from"]["language_model"]
    assert found["quality/real"]["nats_a_token"] > 0
    found = json.loads(run(*options, "--language-model", tmp_path / "none")[1])
    assert found["made_from"]["language_model"] == ""
    assert "nats_a_token" not in found["quality/real"]
    found = json.loads(run(*options, "--loop", "calibrated")[1])
    assert "strict/note_density/calibrated" in found
    assert not [key for key in found if key.endswith(("/open", "/best-of-n"))]


def test_what_is_of_another_kind_is_told_its_action(refused, toys, songbirds, tmp_path):
    run = shutil.copytree(toys("fadernets"), tmp_path / "run")
    bird = songbirds["whole"][0]
    for action in ("model", "realism", "ablation"):
        message = refused("evaluate", action, run)
        assert message.endswith(f"{run}: is a trained run; fadernets evaluate checkpoint {run} measures it")
        message = refused("evaluate", action, bird)
        assert message.endswith(f"{bird}: is a model of melodies; fadernets evaluate melody {bird} measures it")
    message = refused("evaluate", "checkpoint", bird)
    assert message.endswith(f"{bird}: is a model folder; fadernets evaluate model {bird} measures it")
    assert "model pop-lieder: a model of grid" in refused("evaluate", "melody", "pop-lieder", "--data", tmp_path)


RUN_COMMANDS = [("evaluate", "checkpoint"), ("plot", "latents"), ("plot", "transfer")]


@pytest.mark.parametrize("command", RUN_COMMANDS, ids=" ".join)
def test_a_run_that_cannot_be_used_is_one_line(refused, toys, songs, performances, tmp_path, command):
    run = shutil.copytree(toys("fadernets"), tmp_path / "run")
    missing = refused(*command, tmp_path / "none")
    assert str(tmp_path / "none") in missing
    assert "is no checkpoint" in missing
    assert f"a model of tokens; {songs.folder} holds grid" in refused(*command, run, "--data", songs.folder)
    message = refused(*command, run, "--data", performances.folder)
    assert "was trained on data set" in message
    assert f"{performances.folder} is {performances.hash[:12]}. Name the right one with --data" in message
    assert "is not a prepared data set" in refused(*command, run, "--data", tmp_path)
    (run / "model.safetensors").write_bytes(b"no")
    assert "does not fit its config" in refused(*command, run)
    (run / "config.json").write_text("{")
    assert "config.json: cannot be read" in refused(*command, run)


# Melodies where something else is expected


def test_a_run_over_melodies_is_not_measured_as_one_of_segments(refused, melody_run, songs, performances, tmp_path):
    from toy_runs import write_toy

    known = f"{melody_run}: a model over melody; this measures models over grid and tokens. Export it to measure it"
    write_toy(melody_run.with_name("language-model"), "language-model", performances)  # found beside it, and no matter
    assert refused("evaluate", "checkpoint", melody_run).endswith(known)
    for figure in ("latents", "transfer", "labels"):
        assert refused("plot", figure, melody_run).endswith(known)
    assert "a model of melody; " in refused("evaluate", "checkpoint", melody_run, "--data", songs.folder)
    grid_run = write_toy(tmp_path / "runs" / "vanilla", "vanilla", songs)
    assert "a model of melody; " in refused("evaluate", "checkpoint", grid_run, "--language-model", melody_run)
    assert "a model of melody; " in refused("plot", "latents", grid_run, "--beside", melody_run)


def test_a_data_set_of_melodies_does_not_take_another_s_place(refused, exported, melodies, songs, tmp_path):
    from toy_runs import write_toy

    grid_run, data = write_toy(tmp_path / "vanilla", "vanilla", songs), ("--data", melodies.folder)
    assert f"a model of grid; {melodies.folder} holds melody" in refused("evaluate", "checkpoint", grid_run, *data)
    assert f"a model of grid; {melodies.folder} holds melody" in refused("plot", "latents", grid_run, *data)
    assert "was trained on" in refused("export", grid_run, tmp_path / "model", *data)
    assert "holds melody, not tokens" in refused("table1", *data, "--out", tmp_path, "--no-train")
    for action in ("model", "realism", "ablation"):
        assert "holds melodies, which have no grid of 88 pitches" in refused("evaluate", action, *data)


def test_what_belongs_to_the_two_sample_test_needs_it(refused, tmp_path):
    for option in (("--pieces", "3"), ("--judge", "trees"), ("--corpus", f"lieder={tmp_path}"), ("--beside", "a")):
        assert f"{option[0]} is of --two-sample" in refused("evaluate", "realism", *option)
    assert "name one, such as --corpus lieder=PATH" in refused("evaluate", "realism", "--two-sample")
    given = ("evaluate", "realism", "--two-sample", "--corpus", f"folder={tmp_path}")
    assert "--pieces 0: must be at least 1" in refused(*given, "--pieces", "0")
    assert "--judge-runs -1: must be at least 1" in refused(*given, "--judge-runs", "-1")
    assert "--two-sample takes neither" in refused(*given, "--rolls", tmp_path / "a.png")


def test_evaluate_two_samples(run, exported, tmp_path, monkeypatch):
    from fadernets.evaluation import passage_realism

    seen = {}

    def evaluate(editors, roots, deviations, **more):
        seen.update(more, editors=[editor.name for editor in editors], roots=roots, deviations=deviations)
        return {"pieces": [], "most": more["most"], "seed": more["seed"], "floor": {}, "editors": {}}

    monkeypatch.setattr(passage_realism, "evaluate", evaluate)
    (tmp_path / "a.mid").write_bytes(b"")
    options = ("--two-sample", "--corpus", f"folder={tmp_path}", "--most", 50, "--judge", "trees", "--judge-runs", 2)
    code, out, _ = run("evaluate", "realism", exported[True][0], *options, "--json")
    assert code == 0
    assert json.loads(out)["most"] == 50
    assert seen["editors"] == ["toy", "rule"]
    assert seen["judges"] == {"trees": (0, 1)}
    assert (seen["pieces"], seen["seed"]) == (passage_realism.PIECES, 0)
    assert set(seen["deviations"]) >= {"rhythm_density", "note_density"}
    run("evaluate", "realism", exported[True][0], *options[:3], "--beside", "pop-lieder")
    assert seen["judges"] == passage_realism.SEEDS
    assert seen["editors"] == ["toy", "pop-lieder", "rule"]


def test_evaluate_variations(run, refused, exported, tmp_path):
    """A model's edits of a made-up theme beside its variations and the rule."""
    assert "takes one corpus: --corpus tavern_k265=PATH" in refused(
        "evaluate", "variations", "--corpus", f"folder={tmp_path}"
    )
    corpus = write_variations(tmp_path / "k265")
    given = ("evaluate", "variations", exported[True][0], "--corpus", f"tavern_k265={corpus}")
    found = json.loads(run(*given, "--json")[1])
    assert found["theme"] == {"rhythm_density": 0.25, "note_density": 3.0}
    assert set(found["variation 2"]) == {"Mozart", "toy", "rule"}
    assert found["variation 2"]["Mozart"]["rhythm_density"] == 0.75
    assert found["variation 1"]["rule"] == found["variation 1"]["Mozart"]  # the theme once more
    assert found["variation 2"]["toy"] != found["variation 1"]["toy"]
    lines = run(*given)[1].splitlines()
    assert lines[0].startswith("| bars | by | rhythm density |")
    assert [line.split(" | ")[1] for line in lines if "variation 2" in line][:3] == ["Mozart", "toy", "rule"]
