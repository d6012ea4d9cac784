"""Which code figures were measured with."""

from fadernets.evaluation import code_hash, run_table1


def test_code_is_known_by_its_source(tmp_path, monkeypatch):
    """... and by that of what it imports."""
    one = code_hash.code_hash("metrics.fader_scores", "metrics.note_features")
    assert one == code_hash.code_hash("metrics.fader_scores", "metrics.note_features")
    assert one != code_hash.code_hash("metrics.fader_scores")
    real = code_hash._file
    for changed in ("fadernets.metrics.fader_scores", "fadernets.arrays"):
        source = tmp_path / f"{changed}.py"
        source.write_bytes(real(changed).read_bytes() + b"# changed")
        monkeypatch.setattr(
            code_hash, "_file", lambda name, at=(changed, source): at[1] if name == at[0] else real(name)
        )
        assert code_hash.code_hash("metrics.fader_scores", "metrics.note_features") != one


def test_code_is_all_that_is_needed_and_no_more():
    """What is imported late, by its name, is needed too."""
    files = code_hash.code_files(*run_table1.MEASURING_MODULES)
    needed = (
        "codecs.grid",
        "codecs.performance_tokens",
        "models.music_fadernets",
        "models.token_coding",
        "data.batches",
    )
    assert {f"fadernets.{name}" for name in needed} < set(files)
    assert {name.split(".")[1] for name in files}.isdisjoint({"cli", "studio", "web", "listening", "figures"})
    assert files["fadernets.models"].name == "__init__.py"
    assert code_hash.code_files("none") == {}
