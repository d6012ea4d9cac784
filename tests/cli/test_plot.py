"""The command `plot`: what it prints, what it refuses, and what it leaves behind."""

import json
import shutil


def test_plot_latents_prints_the_files_that_it_wrote(run, toys, tmp_path):
    folder = shutil.copytree(toys("single"), tmp_path / "single")
    names = [f"latents.{kind}" for kind in ("png", "svg", "json")]
    code, out, _ = run("plot", "latents", folder)
    assert code == 0
    assert out.splitlines() == [str(folder / name) for name in names]
    assert all((folder / name).stat().st_size > 100 for name in names)
    made = json.loads(run("plot", "latents", folder, "--out", tmp_path / "other", "--json")[1])
    assert made["files"] == [str(tmp_path / "other" / name) for name in names]
    assert (tmp_path / "other" / "latents.png").read_bytes() == (folder / "latents.png").read_bytes()


def test_plot_refuses_what_it_cannot_draw(refused, toys, tmp_path):
    run, out = toys("vanilla"), ("--out", tmp_path / "out")
    assert "has no arousal clusters; train with clusters 2" in refused("plot", "transfer", run, *out)
    assert "both runs need arousal clusters" in refused("plot", "latents", run, *out, "--beside", toys("single"))
    assert "is no checkpoint" in refused("plot", "latents", run, *out, "--beside", tmp_path / "none")
    assert "--segments 99: at least 100" in refused("plot", "latents", run, *out, "--segments", "99")
    assert "invalid choice: 'rolls'" in refused("plot", "rolls", run, *out)


def test_figures_of_the_bundled_pieces(run, refused, exported, tmp_path):
    for figure, name in (("analogy", "analogy"), ("transfer", "arousal")):
        code, out, _ = run("plot", figure, "pop-lieder", "--out", tmp_path / "out")
        assert code == 0
        lines = out.splitlines()
        assert lines[:2] == [str(tmp_path / "out" / f"{name}.{kind}") for kind in ("png", "json")]
        assert lines[2].startswith("| ")
    assert "none: " in refused("plot", "analogy", tmp_path / "none", "--out", tmp_path / "out")


def test_figure_5_of_a_run_on_the_bundled_pieces(run, refused, toys, tmp_path):
    code, out, _ = run("plot", "transfer", toys("fadernets"), "--bundled-pieces", "--out", tmp_path / "out")
    assert code == 0
    lines = out.splitlines()
    assert lines[:2] == [str(tmp_path / "out" / f"arousal-tokens.{kind}") for kind in ("png", "json")]
    assert lines[2].startswith("| piece |")
    assert len(lines) == 2 + 2 + 8
    line = "--bundled-pieces: is an option of plot transfer, of one run"
    assert line in refused("plot", "latents", toys("fadernets"), "--bundled-pieces")
    assert line in refused("plot", "transfer", toys("fadernets"), "--bundled-pieces", "--beside", toys("single"))
    assert "is no checkpoint" in refused("plot", "transfer", tmp_path / "none", "--bundled-pieces")
