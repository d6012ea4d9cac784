"""A third fader in a code takes one row of the attribute table, new data and a training run, and nothing else."""

from dataclasses import replace
from pathlib import Path

import midi_files
import numpy as np
import pytest
from conftest import TINY, make_song

from fadernets.attributes import table
from fadernets.attributes.step_counts import StepCount
from fadernets.attributes.table import CODED, PAPER_FADERS, CodedAttribute
from fadernets.codecs import grid
from fadernets.data.batches import Sampler
from fadernets.data.dataset import ARRAYS, Dataset, write_dataset
from fadernets.data.prepare import prepare
from fadernets.decoding.candidate_choice import edit_segments
from fadernets.decoding.segment_requests import SegmentRequest
from fadernets.engines.code_arithmetic import move
from fadernets.engines.grid import Engine, ModelError
from fadernets.fitting import fit_critic
from fadernets.fitting.export import export
from fadernets.metrics import realism
from fadernets.models import build
from fadernets.training import checkpoints, recipes
from fadernets.training.loop import train

MIDDLE_C = 60 - grid.LOW
BASS = StepCount(6, high=MIDDLE_C)  # notes sounding below middle C, up to six a step
BIAS = 0.3  # on every score: so short a training leaves all cells improbable
PLACES = {"further dimension": ("note", 1), "own code": ("bass", 0)}


def bass_density(code: str, dimension: int) -> CodedAttribute:
    """Mean number of notes sounding below middle C, in this place."""
    return CodedAttribute(
        "bass_density",
        BASS.mean,
        0.0,
        6.0,
        "notes sounding below middle C a step",
        near=0.25,
        code=code,
        dimension=dimension,
        term="bass",
        count=BASS,
        gain=0.5,
        shift=0.5,
        reach=(1.5, 0.5),
    )


def forget(name: str) -> None:
    """Take a registered attribute out of the table."""
    table.USER_DEFINED.discard(name)
    del CODED[name], table.ATTRIBUTES[name]


def write_midi(path: Path, cells: np.ndarray) -> None:
    """Cells [S, 16, 88] as a MIDI file."""
    rows = grid.runs(cells.reshape(-1, grid.PITCHES))
    notes = [(start / 4, (end - start) / 4, pitch + grid.LOW, 80) for start, end, pitch in rows.tolist()]
    midi_files.save(path, midi_files.track(notes))


@pytest.fixture(scope="module", params=PLACES)
def trained(request, tmp_path_factory):
    """MIDI files with more or fewer bass notes -> data set -> run -> model folder. The attribute stays registered."""
    code, dimension = PLACES[request.param]
    root, rng = tmp_path_factory.mktemp("third"), np.random.default_rng(0)
    (root / "music").mkdir()
    for number in range(60):
        song = make_song(rng, 8)
        if number % 2:
            song[..., MIDDLE_C - 24 : MIDDLE_C - 12] |= song[..., MIDDLE_C : MIDDLE_C + 12]  # two octaves lower as well
        write_midi(root / "music" / f"{number}.mid", song)
    table.register(bass_density(code, dimension))
    patch = pytest.MonkeyPatch()
    patch.setattr(fit_critic, "STEPS_OF_FIT", 20)
    patch.setattr(realism, "MOST", 20)
    try:
        data = prepare({"folder": root / "music"}, root / "data", workers=1, keep_all=True)
        values = {
            "data": str(root / "data"),
            "out": str(root / "run"),
            "model": TINY | {"beta": 0.001},
            "steps": 150,
            "batch": 64,
            "labels": 0,
            "label_share": 0.0,
            "validate": 150,
            "learning_rate": 0.01,
            "precision": "32-true",
        }
        best = train(recipes.check(values))
        yield data, best, export(best, root / "model", name="toy"), (code, dimension)
    finally:
        patch.undo()
        forget("bass_density")


def test_data_hold_a_column_of_it_and_batches_measure_it(trained):
    data = trained[0]
    assert data.manifest["attributes"] == [*PAPER_FADERS, "bass_density"] == list(data.coded)
    cells = data.cells(np.arange(len(data)))
    np.testing.assert_allclose(data.attributes[:, 2], BASS.mean(cells), atol=1e-6)
    low, high = data.attributes[:, 2].min(), data.attributes[:, 2].max()
    assert low < 1 < high
    rows = data.select("train")
    batch = Sampler(data, rows, rows[:0], batch=32, transpose=False).draw(0)
    drawn = (batch.inputs[:, 0] * grid.ONSET + batch.inputs[:, 1] * grid.HOLD).numpy().astype(np.uint8)
    np.testing.assert_array_equal(batch.symbols["bass_density"], BASS.symbols(drawn))
    np.testing.assert_allclose(batch.values[:, 2], BASS.mean(drawn), atol=1e-6)


def test_the_model_has_a_sub_decoder_and_a_regularised_dimension_for_it(trained):
    _, best, _, place = trained
    model, config = checkpoints.load(best)
    assert config["attributes"] == [*PAPER_FADERS, "bass_density"]
    assert model.faders["bass_density"] == place
    assert list(model.sizes) == list(dict.fromkeys(("rhythm", "note", place[0])))
    assert model.sub_decoders["bass"].classes == 7
    assert {"bass_symbols", "bass_regulariser"} <= set(config["figures"])
    assert config["figures"]["bass_regulariser"] < 0.5  # 1: the dimension says nothing of the attribute


def test_the_graphs_are_the_models(trained):
    """Decodes of the exported graph, which counts bass notes in its loop, equal PyTorch's but for rounding."""
    import torch

    data, best, folder, _ = trained
    model, engine = checkpoints.load(best)[0], Engine.open(folder)
    rows = data.select("validation")
    cells = data.cells(rows)
    codes, key = engine.encode(cells), np.asarray(data.key[rows])
    values = np.asarray(data.attributes[rows], np.float32)
    ours = engine.decode(codes, key, values, cells[:, 0] == grid.HOLD).cells
    held = torch.zeros(len(rows), 2, 88)
    held[:, 1] = torch.from_numpy(cells[:, 0] == grid.HOLD)
    given = {name: torch.from_numpy(code) for name, code in codes.items()}
    theirs = model.decode(given, torch.eye(24)[key.astype(int)], torch.from_numpy(values), held)
    assert (ours == model.coding.cells(theirs, 2.0)).mean() > 0.998


def test_the_engine_moves_it(trained):
    data, _, folder, (code, dimension) = trained
    engine = Engine.open(folder)
    assert list(engine.coded) == [*PAPER_FADERS, "bass_density"]
    rows = np.concatenate([data.select("validation"), data.select("test")])
    cells, key = data.cells(rows), np.asarray(data.key[rows])
    codes, values = engine.encode(cells), np.asarray(data.attributes[rows], np.float64)
    measured = []
    for asked in (1.0, 2.0, 3.0):
        target = np.full(len(rows), asked)
        moved = move(codes[code], engine.calibration["bass_density"], values[:, 2], target, dimension)
        told = np.column_stack([values[:, :2], target])
        moved_codes, held = type(codes)({**codes, code: moved}), cells[:, 0] == grid.HOLD
        out = engine.decode(moved_codes, key, told, held, bias=np.full(len(rows), BIAS))
        measured.append(BASS.mean(out.cells).mean())
    assert (np.diff(measured) > 0.4).all()
    assert np.mean(measured) == pytest.approx(2, abs=0.6)


def test_an_edit_moves_it(trained):
    data, _, folder, _ = trained
    engine = Engine.open(folder)
    cells = data.cells(data.select("test")[:12])
    low, high = (
        BASS.mean(edit_segments(engine, cells, SegmentRequest({"bass_density": asked}, faithfulness=0.0))).mean()
        for asked in (np.full(len(cells), 0.25), np.full(len(cells), 3.0))
    )
    assert low + 1 < high


def test_models_and_data_of_two_faders_open_beside_it(trained, tmp_path):
    data = trained[0]
    arrays = {name: np.array(getattr(data, name)) for name in ARRAYS}
    arrays["attributes"] = arrays["attributes"][:, :2]
    old = write_dataset(tmp_path / "old", data.manifest | {"attributes": list(PAPER_FADERS)}, arrays)
    assert list(Dataset.open(old.folder).coded) == list(PAPER_FADERS)
    model = build("music-fadernets", TINY, "grid", old.manifest["attributes"])
    assert list(model.faders) == list(PAPER_FADERS)
    rows = old.select("train")
    batch = Sampler(old, rows, rows[:0], batch=16).draw(0)
    assert batch.values.shape == (16, 2)
    assert np.isfinite(model.loss(batch, 1, 2)["loss"].item())
    engine = Engine.open("pop-lieder")
    assert list(engine.coded) == list(PAPER_FADERS)
    cells = data.cells(np.arange(4))
    out = edit_segments(engine, cells, SegmentRequest({"note_density": np.full(4, 5.0)}))
    assert np.abs(CODED["note_density"].measure(out) - 5).max() < 1


def test_a_model_folder_that_moves_an_unknown_attribute_is_refused(trained):
    row = CODED["bass_density"]
    folder = trained[2]
    forget("bass_density")
    try:
        with pytest.raises(ModelError, match="moves bass_density; no attribute of that name lives in a code"):
            Engine.open(folder)
    finally:
        table.register(row)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimension": 0, "term": "low"}, "dimension 0 of note is that of note_density"),
        ({"dimension": 5, "term": "note"}, "terms of a loss are named note by note_density already"),
    ],
)
def test_two_rows_need_two_places(changes, message):
    before = list(CODED)
    with pytest.raises(ValueError, match=message):
        table.register(replace(bass_density("note", 1), name="low_notes", **changes))
    assert list(CODED) == before
