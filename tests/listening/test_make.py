"""Making a study: half up and half down, equally loud, the seed's own, whole or not at all."""

import json
import shutil
import stat

import numpy as np
import pytest
from conftest import write_songs
from midi_files import BROKEN, PIECES, metre, notes, save, track

from fadernets.decoding.edit_models import open_edit_model
from fadernets.engines import model_folder
from fadernets.engines.model_folder import DEFAULT_WINDOW_MODEL
from fadernets.errors import FadernetsError
from fadernets.listening import make as study_maker
from fadernets.listening import study_files
from fadernets.listening.make import directions, make
from fadernets.listening.store import Study
from fadernets.rendering import audio, loudness, wav_files

FAST = {"segments": 2, "subjects": 2, "bars": 1}


@pytest.fixture
def quick(monkeypatch):
    """Sounds that take no time."""
    wav = wav_files.wav_bytes(np.full((2, 3200), 0.1, np.float32), study_files.RATE)
    monkeypatch.setattr(audio, "render", lambda _, path, **__: path.write_bytes(wav))


@pytest.fixture(scope="module")
def songs_to_test(tmp_path_factory):
    return write_songs(tmp_path_factory.mktemp("data") / "songs", labelled=(2,) * 4, bars=4)


@pytest.fixture(scope="module")
def made(songs_to_test, tmp_path_factory):
    """A study of a data set, with its sounds."""
    out = tmp_path_factory.mktemp("made") / "study"
    return make(out, songs_to_test.folder, segments=4, subjects=3, bars=2, seed=7)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("two_hands", "expressive", "waltz", "bare"):
        PIECES[name](folder / f"{name}.mid")
    return folder


@pytest.fixture
def given(tmp_path):
    """Three pairs: more notes, fewer notes, and one that says which way."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name, every in (("busier", (1, 0.25)), ("calmer", (0.25, 1)), ("said", (1, 1))):
        for part, step in zip(study_maker.PARTS, every, strict=True):
            rows = [(i * step, step, 60 + i % 5, 80) for i in range(round(8 / step))]
            save(folder / f"{name}-{part}.mid", track(rows, metre(4)))
    (folder / "said.json").write_text('{"direction": "down"}')
    return folder


# what is written


def test_a_study_is_all_there(made):
    folder, manifest = made.folder, made.manifest
    assert sorted(f.name for f in folder.iterdir()) == ["consent.txt", "media", "study.json", "tokens.csv"]
    assert study_files.read(folder) == manifest
    sounds = {s for t in [manifest.practice, *manifest.trials] for s in (t.original, t.transformed)}
    assert {f.name for f in (folder / "media").iterdir()} == {f"{s}.{k}" for s in sounds for k in ("mid", "wav")}
    assert len(sounds) == 10
    assert (folder / "consent.txt").read_text() == study_files.CONSENT_TEXT
    with Study.open(folder) as study:
        assert [len(study.subject(token).trials) for token in study_files.read_tokens(folder)] == [4, 4, 4]


def test_what_the_manifest_says(made, songs_to_test):
    about = made.manifest.about
    assert about.source == {
        "kind": "data set", "folder": "songs", "hash": songs_to_test.hash, "split": "test", "segments": 2,
    }  # fmt: skip
    assert (about.seed, about.preset, about.amount, about.rule) == (7, "arousal", 1.0, study_maker.RULE)
    assert about.model == {"name": "rewriter", "sha256": open_edit_model().info["sha256"]}
    trials = made.manifest.trials
    assert sorted(t.direction for t in trials) == ["down", "down", "up", "up"]
    assert {t.direction_from for t in trials} == {"rule"}
    assert len({t.title.split(",")[0] for t in trials}) == 4
    assert {t.before["arousal"] for t in trials} == {None}  # so that rhythm density ranks them
    ups, downs = ([t.before["rhythm_density"] for t in trials if t.direction == way] for way in ("up", "down"))
    assert max(ups) <= min(downs)
    for trial in trials:
        assert trial.before["tempo"] == pytest.approx(120)
        assert (trial.after["tempo"] > 120) == (trial.direction == "up")


def test_a_model_of_windows_ranks_by_arousal(quick, songs_to_test, tmp_path):
    options = {"segments": 4, "subjects": 1, "bars": 2, "seed": 7, "model": DEFAULT_WINDOW_MODEL}
    found = make(tmp_path / "study", songs_to_test.folder, **options).manifest
    model = open_edit_model(DEFAULT_WINDOW_MODEL)
    assert found.about.model == {"name": "pop-lieder", "sha256": model.info["sha256"]}
    ups, downs = ([t.before["arousal"] for t in found.trials if t.direction == way] for way in ("up", "down"))
    assert max(ups) <= min(downs)


def test_no_token_and_no_path_is_in_the_manifest(made):
    text = (made.folder / "study.json").read_text()
    assert not any(token in text for token in study_files.read_tokens(made.folder))
    assert str(made.folder.parent) not in text
    assert stat.S_IMODE((made.folder / "tokens.csv").stat().st_mode) == 0o600


def test_all_sounds_are_equally_loud(made):
    sounds = sorted((made.folder / "media").glob("*.wav"))
    assert len(sounds) == 10
    for sound in sounds:
        assert loudness.loudness(sound) == pytest.approx(made.manifest.loudness, abs=0.1)
        assert loudness.level(sound).peak <= loudness.CEILING + 0.05
    by_name = {sound.stem: loudness.level(sound).seconds for sound in sounds}
    for trial in made.manifest.trials:
        assert by_name[trial.original] == pytest.approx(trial.seconds["original"], abs=0.01)
        assert by_name[trial.transformed] == pytest.approx(trial.seconds["transformed"], abs=0.01)
        assert 3.5 < trial.seconds["original"] < 6.5  # four seconds and the tail


def test_the_midi_files_are_what_was_measured(made):
    model = open_edit_model()
    for trial in made.manifest.trials:
        for sound, means in ((trial.original, trial.before), (trial.transformed, trial.after)):
            found = study_maker.file_edit.measure(model, made.folder / "media" / f"{sound}.mid")["means"]
            assert found == means


def test_the_table_and_the_json_read(made):
    lines = made.table().splitlines()
    assert "4 trials (2 down, 2 up) and one for practice, 3 subjects" in lines[0]
    assert lines[1].startswith("preset arousal by 1, model rewriter, seed 7, -")
    assert len(lines) == 3 + 5
    assert lines[3].endswith("Mozart, Sonata K. 545, bars 1-4 (practice)")
    info = json.loads(json.dumps(made.as_dict()))
    assert (info["subjects"], len(info["trials"])) == (3, 4)
    assert "orders" not in info


def test_the_seed_makes_the_study(quick, songs_to_test, tmp_path):
    def music(name, seed):
        out = make(tmp_path / name, songs_to_test.folder, segments=4, subjects=3, bars=2, seed=seed)
        by_id = {t.id: t for t in out.manifest.trials}
        media = out.folder / "media"
        trials = sorted(
            (
                t.title,
                t.direction,
                (media / f"{t.original}.mid").read_bytes(),
                (media / f"{t.transformed}.mid").read_bytes(),
            )
            for t in by_id.values()
        )
        orders = [[by_id[trial].title for trial in order] for order in out.manifest.orders]
        return (trials, orders, out.manifest.practice.direction), {*by_id}, study_files.read_tokens(out.folder)

    one, again, other = music("a", 7), music("b", 7), music("c", 8)
    assert one[0] == again[0]
    assert one[0] != other[0]
    assert not one[1] & again[1]  # ids and tokens are nobody's to guess
    assert not set(one[2]) & set(again[2])


# sources


def test_a_folder_of_files(quick, files, tmp_path):
    found = make(tmp_path / "study", files, segments=5, subjects=1, bars=2, preset="arousal-codes", amount=2.0)
    about, trials = found.manifest.about, found.manifest.trials
    assert about.source == {"kind": "folder", "folder": "files", "bars": 2}
    assert (about.preset, about.amount) == ("arousal-codes", 2.0)
    assert about.model["name"] == DEFAULT_WINDOW_MODEL  # it has the codes that the preset moves
    assert len({t.title.split(",")[0] for t in trials}) == 4
    assert {len([t for t in trials if t.direction == way]) for way in ("up", "down")} == {2, 3}
    assert all(t.before["tempo"] == t.after["tempo"] for t in trials)  # codes move no tempo


def test_pairs_of_ones_own(quick, given, tmp_path):
    found = make(tmp_path / "study", pairs_folder=given, subjects=2)
    about = found.manifest.about
    assert (about.preset, about.amount, about.source) == (None, 0.0, {"kind": "pairs", "folder": "own"})
    assert {t.title: (t.direction, t.direction_from) for t in found.manifest.trials} == {
        "busier": ("up", "measured"),
        "calmer": ("down", "measured"),
        "said": ("down", "given"),
    }
    assert about.warnings == ["said: the edit changed nothing; no answer to this trial can be right"]
    (busier,) = (t for t in found.manifest.trials if t.title == "busier")
    assert len(notes(found.folder / "media" / f"{busier.transformed}.mid")) == 32
    assert "pairs of your own" in found.table()


def test_a_trial_that_hardly_moves_is_told(quick, given, tmp_path):
    (given / "busier.json").write_text('{"direction": "down"}')
    about = make(tmp_path / "study", pairs_folder=given, subjects=2).manifest.about
    told = [line for line in about.warnings if line.startswith("busier: meant to go down, but its")]
    assert len(told) == 1
    assert told[0].endswith("without tempo and loudness, listeners may hear no difference")


def test_which_way_cannot_be_told(quick, given, tmp_path):
    (given / "said.json").unlink()
    with pytest.raises(FadernetsError, match=r"said: which way .* cannot be measured; say it in said\.json"):
        make(tmp_path / "study", pairs_folder=given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "busier-original.mid").unlink(), "busier-original.mid is missing"),
        (lambda f: (f / "calmer-transformed.mid").unlink(), "calmer-transformed.mid is missing"),
        (lambda f: PIECES["bare"](f / "extra.mid"), "extra.mid: is no part of a pair"),
        (
            lambda f: (f / "said.json").write_text('{"direction": "high"}'),
            "direction 'high'; allowed: up, down",
        ),
        (lambda f: (f / "said.json").write_text("up"), 'said.json: expected {"direction": "up"} or "down"'),
        (lambda f: (f / "said.json").write_text("[1]"), 'said.json: expected {"direction": "up"} or "down"'),
        (lambda f: BROKEN["text"](f / "said-original.mid"), "said-original.mid: is not a MIDI file"),
        (
            lambda f: BROKEN["no_notes"](f / "said-transformed.mid"),
            "said-transformed.mid: the file has no notes",
        ),
        (lambda f: [file.unlink() for file in f.iterdir()], "holds 0 pairs of MIDI files; a study takes 2 to 200"),
    ],
)
def test_pairs_that_are_none(quick, given, tmp_path, change, message):
    change(given)
    with pytest.raises(FadernetsError) as error:
        make(tmp_path / "study", pairs_folder=given)
    assert message in str(error.value)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["own"]


# directions


def means(arousal, rhythm=0.5):
    return {"arousal": arousal, "rhythm_density": rhythm}


def test_the_low_half_goes_up():
    rng = np.random.default_rng(0)
    assert directions([means(v) for v in (0.9, 0.1, 0.8, 0.2)], rng) == ["down", "up", "down", "up"]
    assert directions([means(None, v) for v in (0.1, 0.5, 0.2, 0.9)], rng) == ["up", "down", "up", "down"]
    assert directions([means(0.9, 0.1), means(None, 0.5)], rng) == ["up", "down"]  # one unknown: by rhythm density


def test_where_all_are_alike_half_go_up():
    assert directions([means(0.5)] * 6, np.random.default_rng(0)) == ["up"] * 3 + ["down"] * 3


def test_an_odd_one_goes_where_the_seed_says():
    found = {tuple(directions([means(v) for v in (1, 2, 3)], np.random.default_rng(seed))) for seed in range(20)}
    assert found == {("up", "down", "down"), ("up", "up", "down")}


# what is refused, and what is left behind


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"segments": 1}, r"segments 1: must lie in 2\.\.200"),
        ({"segments": 201}, r"segments 201: must lie in 2\.\.200"),
        ({"subjects": 0}, r"subjects 0: must lie in 1\.\.1000"),
        ({"bars": 0}, r"bars 0: must lie in 1\.\.32"),
        ({"amount": 0.0}, "preset amount 0: must lie above 0, up to 4; the study takes both directions"),
        ({"amount": -1.0}, "preset amount -1: must lie above 0"),
        ({"amount": float("nan")}, "preset amount nan: must lie above 0"),
        ({"preset": "calm"}, "^preset calm: cannot be read"),
        ({"model": "no"}, "^model no: is neither a bundled model nor a folder"),
        ({"consent": " \n"}, "the consent text has 2 characters; 1 to 20000 are allowed"),
        ({"segments": 99}, "give 12 excerpts, 99 are wanted; ask for fewer"),
    ],
)
def test_what_no_study_can_be(quick, tmp_path, given, message):
    folder = tmp_path / "files"
    folder.mkdir()
    save(folder / "a.mid", track([(i, 1, 60, 80) for i in range(48)], metre(4)))
    with pytest.raises(FadernetsError, match=message):
        make(tmp_path / "study", folder, **FAST | given)
    assert [f.name for f in tmp_path.iterdir()] == ["files"]


def test_a_model_without_clusters(quick, files, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model_folder.find_folder("pop-lieder"), folder)
    info = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(info | {"means": None}))
    with pytest.raises(FadernetsError, match="has no arousal clusters: arousal-codes cannot be used"):
        make(tmp_path / "study", files, model=folder, preset="arousal-codes", **FAST)
    found = make(tmp_path / "study", files, model=folder, **FAST)
    assert [t.before["arousal"] for t in found.manifest.trials] == [None, None]
    assert {t.direction for t in found.manifest.trials} == {"up", "down"}


def test_where_a_study_may_go(quick, files, given, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    (tmp_path / "file").write_text("")
    for out, message in (("full", "is not empty"), ("file", "is a file"), ("no/where", "its folder .* does not exist")):
        with pytest.raises(FadernetsError, match=message):
            make(tmp_path / out, files, **FAST)
    for wrong in ({"source": None}, {"source": files, "pairs_folder": given}, {"source": tmp_path / "none"}):
        with pytest.raises(FadernetsError, match=r"give one of the two|no such folder"):
            make(tmp_path / "study", **FAST | wrong)
    (tmp_path / "empty").mkdir()
    assert make(tmp_path / "empty", files, **FAST).manifest.name == "empty"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_half_written(files, tmp_path, monkeypatch, error):
    calls = []

    def render(midi, wav, **_):
        calls.append(midi)
        wav.write_bytes(b"RIFF")
        if len(calls) == 4:
            raise error

    monkeypatch.setattr(audio, "render", render)
    with pytest.raises((FadernetsError, KeyboardInterrupt)) as raised:
        make(tmp_path / "study", files, **FAST)
    assert isinstance(error, KeyboardInterrupt) or "study: cannot be written (No space left" in str(raised.value)
    assert [f.name for f in tmp_path.iterdir()] == ["files"]


def test_progress_ends(quick, files, tmp_path):
    seen = []
    make(tmp_path / "study", files, **FAST, progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, 9))
    assert {total for _, total in seen} == {8}
