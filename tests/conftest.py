"""Made-up songs as cells, as a prepared data set, and as a model folder exported from random weights.

Made-up performances as a data set of tokens, made-up melodies as one of states.
"""

import numpy as np
import pytest
from hypothesis import settings

from fadernets.attributes import of_cells, table
from fadernets.cli import main
from fadernets.codecs import grid, melody_states, performance_tokens
from fadernets.data.dataset import SPLITS, measured, write_dataset

settings.register_profile("fadernets", deadline=None)  # a busy machine is no failure
settings.load_profile("fadernets")

STEPS = 16
SECONDS = 2.0  # of a made-up performance's segment
TINY = {"z": 6, "encoder": 12, "decoder": 24, "plan": 8, "sub_decoder": 12}  # a model of toy size


def make_song(rng, bars):
    """[bars, 16, 88] chords of one key: each bar its pattern of onsets, now and then a bass held in."""
    tonic, cells = int(rng.integers(12)), []
    for bar in range(bars):
        root = 48 + tonic + (0, 5, 7, 0)[bar % 4]
        chord = [root, root + 4, root + 7, root + 12, root + 16][: int(rng.integers(3, 6))]
        every = int(rng.choice([1, 2, 4, 8]))
        struck = range(0, STEPS, every)
        rows = [(t, t + every, pitch) for t in struck for pitch in chord[int(rng.integers(len(chord))) :]]
        rows += [(0, every, pitch) for pitch in chord]
        rows.append((-1 if rng.random() < 0.3 else 0, 8, root - 12))
        cells.append(grid.from_notes(np.array(sorted(set(rows)))))
    return np.stack(cells)


def write_songs(folder, seed=0, bars=16, labelled=(0,) * 4):
    """Ten songs in the three splits, and more in the splits `labelled`, by default for training, with a label on every
    segment."""
    rng = np.random.default_rng(seed)
    splits = [0] * 8 + [1, 2, *labelled]
    corpora = [0] * 10 + [1] * len(labelled)
    songs = [make_song(rng, bars) for _ in splits]
    cells = np.concatenate(songs)
    arousal = np.clip(2 * table.measure(cells)["rhythm_density"] - 0.6 + rng.normal(0, 0.05, len(cells)), -1, 1)
    arousal[::7] = 0.05  # neither high nor low
    arrays = {"codes": grid.pack(cells)} | _measured(cells, arousal, corpora, splits)
    return write_dataset(folder, _manifest("grid", ["songs", "vgmidi"], corpora, splits, bars), arrays)


def _measured(cells, arousal, corpora, splits):
    """The arrays of a data set that every codec has, pieces of one length; arousal where the corpus is the second."""
    bars = len(cells) // len(splits)
    corpus = np.repeat(corpora, bars)
    return {
        "attributes": np.stack(list(table.measure(cells).values()), axis=1).astype(np.float32),
        "key": of_cells.key(cells),
        "arousal": np.where(corpus == 1, arousal, np.nan).astype(np.float32),
        "valence": np.full(len(cells), np.nan, np.float32),
        "piece": np.repeat(np.arange(len(splits)), bars).astype(np.int32),
        "index": np.tile(np.arange(bars), len(splits)).astype(np.int32),
        "split": np.repeat(splits, bars).astype(np.uint8),
        "corpus": corpus.astype(np.uint8),
    }


def _manifest(codec, names, corpora, splits, bars):
    pieces = [
        {"id": f"p{i}", "group": f"p{i}", "corpus": names[c], "split": SPLITS[s]}
        for i, (c, s) in enumerate(zip(corpora, splits, strict=True))
    ]
    own = list(zip(corpora, splits, strict=True))
    sources = {
        name: {"licence": "made here", "pieces": corpora.count(c), "train": own.count((c, 0)) * bars}
        for c, name in enumerate(names)
    }
    return {
        "codec": codec,
        "corpora": names,
        "attributes": list(measured(codec)),
        "pieces": pieces,
        "sources": sources,
    }


def make_performance(rng):
    """Notes of one segment as SECONDS_NOTE: 3 to 15 of them, of one chord, the first within the first step."""
    count = int(rng.integers(3, 16))
    notes = np.empty(count, performance_tokens.SECONDS_NOTE)
    onset = np.round(rng.uniform(0, 0.95 * SECONDS, count), 2)
    onset -= onset.min()
    notes["onset"] = onset
    notes["end"] = onset + rng.uniform(0.1, 1.5, count)  # some are held beyond the end
    notes["pitch"] = int(rng.integers(40, 52)) + rng.choice([0, 4, 7, 12, 16, 19, 24, 28], count)
    notes["velocity"] = rng.integers(40, 110, count)
    return notes


def write_performances(folder, seed=0, bars=12, splits=(0,) * 8 + (1, 2) + (0,) * 4, labelled=4):
    """The same split and labels as `write_songs`, of performance tokens: ten of "maestro", four of "vgmidi"."""
    rng = np.random.default_rng(seed)
    splits, corpora = list(splits), [0] * (len(splits) - labelled) + [1] * labelled
    n = len(splits) * bars
    codes = np.full((n, performance_tokens.MAX_TOKENS), performance_tokens.PAD, np.uint16)
    for row in codes:
        code = performance_tokens.encode(make_performance(rng), end=SECONDS)
        row[: len(code)] = code
    seconds = np.full(n, SECONDS, np.float32)
    cells = performance_tokens.cells(codes, seconds)
    density = table.measure(cells)["rhythm_density"]
    arousal = np.clip(4 * (density - np.median(density)) + rng.normal(0, 0.05, n), -1, 1)
    arousal[::7] = 0.05  # neither high nor low
    arrays = {"codes": codes, "seconds": seconds} | _measured(cells, arousal, corpora, splits)
    return write_dataset(folder, _manifest("tokens", ["maestro", "vgmidi"], corpora, splits, bars), arrays)


def make_clip(rng):
    """[32] states: notes and rests of 1 to 8 steps in one key, now and then a note held in."""
    tonic, states, at = int(rng.integers(55, 67)), np.full(melody_states.STEPS, melody_states.HOLD, np.uint8), 0
    held = rng.random() < 0.3
    while at < melody_states.STEPS:
        if not (held and at == 0):
            states[at] = (
                melody_states.REST if rng.random() < 0.1 else tonic + int(rng.choice([0, 2, 4, 5, 7, 9, 11, 12]))
            )
        at += int(rng.choice([1, 2, 2, 4, 8]))
    states[16] = tonic  # at least one note begins
    return melody_states.tidy(states, held=True)


def random_clips(count, seed):
    """[count, 32] clips of `make_clip`."""
    rng = np.random.default_rng(seed)
    return np.stack([make_clip(rng) for _ in range(count)])


def write_melodies(folder, seed=0, clips=12):
    """Ten melodies in the three splits."""
    rng, splits = np.random.default_rng(seed), [0] * 8 + [1, 2]
    codes = np.stack([make_clip(rng) for _ in range(clips * len(splits))])
    nothing = np.full(len(codes), np.nan, np.float32)
    arrays = {
        "codes": codes,
        "attributes": np.column_stack([melody_states.mean_pitch(codes), melody_states.onsets(codes)]).astype(
            np.float32
        ),
        "key": np.zeros(len(codes), np.uint8),
        "arousal": nothing,
        "valence": nothing,
        "piece": np.repeat(np.arange(len(splits)), clips).astype(np.int32),
        "index": np.tile(np.arange(clips) + 1, len(splits)).astype(np.int32),
        "split": np.repeat(splits, clips).astype(np.uint8),
        "corpus": np.zeros(len(codes), np.uint8),
    }
    return write_dataset(folder, _manifest("melody", ["tunes"], [0] * len(splits), splits, clips), arrays)


LONGEST = ("torture", "studio", "listening", "training", "evaluation")  # folders of tests, the slowest first


def pytest_collection_modifyitems(config, items):
    """Deal the folders that take longest to the processes first, so that none is left with one at the end."""
    if hasattr(config, "workerinput"):  # in a process of xdist
        place = {name: at for at, name in enumerate(LONGEST)}
        items.sort(key=lambda item: place.get(item.path.parent.name, len(LONGEST)))


@pytest.fixture(scope="session")
def melodies(tmp_path_factory):
    """The data set of made-up melodies: 96, 12 and 12 clips."""
    return write_melodies(tmp_path_factory.mktemp("data") / "melodies")


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """The data set of made-up songs: 128, 16 and 16 segments to rebuild, 64 labelled ones."""
    return write_songs(tmp_path_factory.mktemp("data") / "songs")


@pytest.fixture(scope="session")
def performances(tmp_path_factory):
    """The data set of made-up performances: 96, 12 and 12 segments to rebuild, 48 labelled ones."""
    return write_performances(tmp_path_factory.mktemp("data") / "performances")


@pytest.fixture(scope="session")
def segments(songs):
    """[40, 16, 88] cells of made-up songs, some with a note held in."""
    return songs.cells(np.arange(40))


def make_model(seed=0, **options):
    """A toy model with random weights wide enough that its decodes hold notes, holds and rests."""
    import torch

    from fadernets.models import build

    torch.manual_seed(seed)
    model = build("music-fadernets", TINY | options)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and not name.startswith("means"):
                weight.mul_(10 if name == "decoder.head.weight" else 2)
        model.decoder.head.bias.copy_(torch.tensor([-4.0, -1.0]).repeat_interleave(88))
    return model.eval()


def save_run(folder, model, songs, **recipe):
    """A checkpoint folder of a model, as training leaves it."""
    from dataclasses import asdict

    from fadernets.training import checkpoints, recipes

    values = {"data": str(songs.folder), "out": str(folder), "model": asdict(model.options)} | recipe
    config = {
        "codec": songs.codec.name,
        "recipe": recipes.as_dict(recipes.check(values)),
        "data": {"hash": songs.hash, "corpora": songs.manifest["sources"]},
        "segments": {"train": 128, "labelled": 0 if recipe.get("label_share") == 0 else 26},
        "step": 7,
        "figures": {"note_f1": 0.5},
    }
    checkpoints.save(folder, model, config)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _short_fits():
    """Exports of toy models learn their patterns in no time."""
    from fadernets.fitting import fit_patterns

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_patterns, "STEPS_OF_FIT", 20)
        yield


@pytest.fixture(scope="session")
def exported(songs, tmp_path_factory):
    """attributes True or False -> (model folder, its PyTorch model, whose weights have 16 bits)."""
    from fadernets.fitting.export import export

    root, found = tmp_path_factory.mktemp("models"), {}
    for attributes_in in (True, False):
        model = make_model(seed=4, attributes=attributes_in)
        model.load_state_dict({name: w.half().float() for name, w in model.state_dict().items()})
        run = save_run(root / f"run-{attributes_in}", model, songs)
        folder = export(run, root / f"model-{attributes_in}", name="toy")
        found[attributes_in] = (folder, model)
    return found


SONGBIRDS = {  # toy models of melodies: the paper's, and one with halves, plans and a look at all steps
    "plain": {"z": 8, "encoder": 12, "decoder": 16, "embedding": 6},
    "whole": {"z": 8, "encoder": 12, "decoder": 16, "embedding": 6, "axes": 1.0, "step_plan": 5, "look": 7},
}


@pytest.fixture(scope="session")
def songbirds(melodies, tmp_path_factory):
    """A name of SONGBIRDS -> (model folder, run folder, its PyTorch model of the same 16-bit weights)."""
    import torch

    from fadernets.fitting.export import export
    from fadernets.melodies import augmentations
    from fadernets.models import build

    root, found, whole_notes = tmp_path_factory.mktemp("songbirds"), {}, augmentations.whole_notes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augmentations, "whole_notes", lambda low, high: whole_notes(55, 66))  # of 13,456 pairs
        for name, options in SONGBIRDS.items():
            torch.manual_seed(2)
            model = build("music-vae", options, "melody")
            with torch.no_grad():
                for weight in model.parameters():
                    weight.mul_(3 if weight.ndim > 1 else 1)
                pitches = -(((torch.arange(melody_states.ONSETS) - 66) / 5) ** 2)
                model.decoder.head.bias.copy_(torch.cat([pitches, torch.tensor([1.5, 0.0])]))
            model.load_state_dict({key: w.half().float() for key, w in model.state_dict().items()})
            run = save_run(root / f"run-{name}", model, melodies, name="music-vae", label_share=0.0)
            found[name] = export(run, root / name, name=name), run, model.eval()
    return found


@pytest.fixture(scope="session")
def rated(tmp_path_factory):
    """Made-up performances with labels to learn from and to test on: 40 segments to rebuild are for testing, and
    192 labelled ones for training, 72 for testing."""
    splits = (0,) * 6 + (1,) + (2,) * 5 + (0,) * 24 + (2,) * 9
    return write_performances(tmp_path_factory.mktemp("data") / "rated", seed=1, bars=8, splits=splits, labelled=33)


TOYS = {  # toy runs over `rated`: model, options
    "fadernets": ("music-fadernets", {**TINY, "clusters": 2, "attributes": False}),
    "vanilla": ("music-fadernets", {**TINY, "clusters": 0, "attributes": False}),
    "pati": ("pati", {"z": 6, "encoder": 12, "decoder": 24}),
    "single": ("gm-vae", {"z": 6, "encoder": 12, "decoder": 24}),
    "language-model": ("language-model", {"z": 6, "encoder": 12, "decoder": 24}),
}


@pytest.fixture(scope="session")
def toys(rated, tmp_path_factory):
    """A name of TOYS -> the folder of a run of random weights, its clusters in the midst of its codes."""
    import torch

    from fadernets.evaluation.checkpoint import Checkpoint
    from fadernets.models import build

    root = tmp_path_factory.mktemp("toys")

    def make(toy):
        if (root / toy).exists():
            return root / toy
        name, options = TOYS[toy]
        torch.manual_seed(3)
        model = build(name, options, "tokens").eval()
        with torch.no_grad():
            for weight in model.parameters():
                if weight.ndim > 1:
                    weight.mul_(4)
        save_run(root / toy, model, rated, name=name, batch=8)
        if hasattr(model, "means"):
            codes = Checkpoint(root / toy, rated).encode(np.arange(len(rated)))
            for code, mean in model.means.items():
                middle, away = (torch.from_numpy(f(codes[code], axis=0)) for f in (np.median, np.std))
                mean.data = torch.stack([middle - away, middle + away])
            save_run(root / toy, model, rated, name=name, batch=8)
        return root / toy

    return make


@pytest.fixture(scope="module")
def chromium():
    """A browser, for the tests of one module."""
    from browsing import launched

    with launched() as found:
        yield found


@pytest.fixture
def older_savez(monkeypatch):
    """NumPy's `savez` as 1.26 has it, which stores every keyword as an array: none may be called `allow_pickle`."""
    for name in ("savez", "savez_compressed"):
        save = getattr(np, name)

        def older(file, _save=save, **arrays):
            assert "allow_pickle" not in arrays
            _save(file, **arrays)

        monkeypatch.setattr(np, name, older)


@pytest.fixture
def run_here(capsys):
    """Run fadernets here -> (exit code, standard output, lines of standard error)."""

    def run(*arguments):
        try:
            code = main.main([str(a) for a in arguments])
        except SystemExit as stop:  # from the argument parser
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


@pytest.fixture
def refused(run_here, tmp_path):
    """Run a command that must fail: exit code 2, one line, nothing left behind. Returns the line."""

    def refused(*arguments):
        before = {p: p.read_bytes() if p.is_file() else None for p in tmp_path.rglob("*")}
        code, out, err = run_here(*arguments)
        assert code == 2
        assert out == ""
        assert len(err) == 1, err
        assert err[0].startswith(f"fadernets {arguments[0]}: error: ")
        assert {p: p.read_bytes() if p.is_file() else None for p in tmp_path.rglob("*")} == before
        return err[0]

    return refused


@pytest.fixture
def hub_cache_folder(tmp_path, monkeypatch):
    """An empty cache of huggingface_hub, which reads its settings when it is imported; nothing can go out."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "hub"


@pytest.fixture
def stand_in(hub_cache_folder, monkeypatch):
    from hub_stand_in import TOKEN, served
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    with served() as made:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", made.address)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE
        _, _, rest = template.partition("/{repo_id}")
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", made.address + "/{repo_id}" + rest)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        close_session()
        yield made
        close_session()


@pytest.fixture
def model_files():
    """What a repository of the bundled model holds."""
    from hub_stand_in import MODEL

    from fadernets.fitting import publishing

    return publishing.files_to_push(MODEL)


@pytest.fixture
def pulled(stand_in, model_files):
    """The bundled model, pulled."""
    from hub_stand_in import NAME

    from fadernets.engines import hub

    stand_in.repository(NAME, model_files)
    return hub.pull(NAME)
