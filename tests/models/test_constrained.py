"""The constrained posterior (Xu et al., 2020): each term by hand, what lies on the simplex, what stays as it was."""

import json
from math import sqrt

import numpy as np
import pytest
import torch
from conftest import TINY, save_run
from torch.nn import functional as F

from fadernets.decoding import segment_decoding
from fadernets.decoding.segment_requests import SegmentRequest, encode_segments
from fadernets.engines.code_arithmetic import onto_simplex
from fadernets.engines.grid import Engine, ModelError
from fadernets.errors import FadernetsError
from fadernets.evaluation.checkpoint import Checkpoint
from fadernets.fitting.export import export
from fadernets.models import build, constrained
from fadernets.models.blocks import PosteriorHead
from fadernets.models.constrained import ConstrainedPosterior, SimplexHead
from fadernets.models.options import Options
from fadernets.training import checkpoints, recipes
from fadernets.training.loop import train

SMALL = {"posterior": "constrained", "simplex": 4, "vertices": 3, "alpha": 2.0}
TOY = TINY | {"embedding": 6} | SMALL


def make(name="music-fadernets", codec="grid", seed=0, **options):
    torch.manual_seed(seed)
    given = {k: v for k, v in (TOY | options).items() if name == "music-fadernets" or k != "sub_decoder"}
    return build(name, given, codec)


# The terms


def test_orthogonality_by_hand():
    """E E^T - 2 I = [[4 - 2, 2], [2, 2 - 2]]: the root of 4 + 4 + 4."""
    vertices = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    assert float(constrained.orthogonality(vertices, 2.0)) == pytest.approx(sqrt(12))


@pytest.mark.parametrize("alpha", [1.0, 10.0])
def test_orthogonal_vertices_of_the_right_length_cost_nothing(alpha):
    vertices = sqrt(alpha) * torch.eye(3, 5)
    assert float(constrained.orthogonality(vertices, alpha)) == pytest.approx(0, abs=1e-6)


def test_structure_by_hand():
    """Two rows, each at an angle of 60 degrees to its own mean and 90 to the other's: max(0, 1 - 1/2 + 0)."""
    said = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]])
    mean = torch.tensor([[1.0, sqrt(3), 0.0, 0.0], [0.0, 0.0, 5.0, 5 * sqrt(3)]])
    assert float(constrained.structure(said, mean)) == pytest.approx(0.5)


def test_structure_is_a_mean_over_rows_and_over_ten_others():
    random = torch.Generator().manual_seed(1)
    said, mean = torch.randn((2, 14, 4), generator=random)

    def cosine(a, b):
        return float(F.cosine_similarity(a, b, dim=0))

    each = [
        max(0.0, 1 - cosine(said[i], mean[i]) + cosine(said[i], mean[(i + k) % 14]))
        for i in range(14)
        for k in range(1, 11)
    ]
    assert float(constrained.structure(said, mean)) == pytest.approx(np.mean(each), rel=1e-5)


def test_structure_asks_rows_apart():
    same, apart = torch.ones(3, 4), torch.eye(3, 4)
    assert float(constrained.structure(same, same)) == pytest.approx(1)  # all alike: the margin
    assert float(constrained.structure(apart, apart)) == pytest.approx(0)
    assert float(constrained.structure(apart[:1], apart[:1])) == 0  # one row has no other


# The posterior


@pytest.fixture
def head():
    torch.manual_seed(0)
    return SimplexHead(5, 7, Options(simplex=4, vertices=3, alpha=2.0))


def test_the_mean_is_a_mix_of_vertices_by_what_the_encoder_says(head):
    last = torch.randn(6, 5)
    plain = PosteriorHead(5, 7)
    plain.load_state_dict({"weight": head.weight, "bias": head.bias})
    free, found = plain.eval().posterior(last), head.eval().posterior(last)
    torch.testing.assert_close(found.mean[:, :3], free.mean[:, :3])
    torch.testing.assert_close(found.log_variance, free.log_variance)
    torch.testing.assert_close(found.said, free.mean[:, 3:])
    shares = torch.softmax(free.mean[:, 3:] @ head.shares.weight.T + head.shares.bias, -1)
    torch.testing.assert_close(found.mean[:, 3:], shares @ head.vertices)
    torch.testing.assert_close(found.mean_on_simplex, found.mean[:, 3:])
    torch.testing.assert_close(found.z, found.mean)


def test_samples_lie_around_the_mean(head):
    last = torch.randn(1, 5).expand(20_000, -1)
    found = head.train().posterior(last)
    noise = (found.z - found.mean) / (0.5 * found.log_variance).exp()
    torch.testing.assert_close(noise.mean(0), torch.zeros(7), atol=0.03, rtol=0)
    torch.testing.assert_close(noise.std(0), torch.ones(7), atol=0.03, rtol=0)


def test_vertices_begin_orthogonal_and_of_the_asked_length(head):
    torch.testing.assert_close(head.vertices @ head.vertices.T, 2 * torch.eye(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"posterior": "tight"}, "posterior tight; must be free or constrained"),
        ({"vertices": 1}, "vertices 1, simplex 4: at least 2"),
        ({"vertices": 5}, "vertices 5, simplex 4: .* no more than dimensions"),
        ({"simplex": 6}, "simplex 6: .* fewer than the 6 of a code"),
        ({"alpha": 0.0}, "alpha 0.0; must be above 0"),
        ({"posterior": 3}, "posterior: 3 is not of type str"),
    ],
)
def test_what_cannot_be_constrained(options, message):
    with pytest.raises(FadernetsError, match=message):
        make(**options)


def test_faders_keep_their_dimensions():
    """The one code of Pati's model has two of them, and 12 dimensions."""
    make("pati", simplex=10)
    with pytest.raises(FadernetsError, match="simplex 11: takes the dimensions of faders"):
        make("pati", simplex=11)


# The models


def draw(data, codec):
    from fadernets.data.batches import Sampler

    rows, labelled = (data.select(split="train", corpus=name) for name in data.manifest["corpora"])
    labelled = labelled[np.abs(data.arousal[labelled]) > 0.1]
    return Sampler(data, rows, labelled, batch=12, labels=6, transpose=False).draw(0)


@pytest.mark.parametrize("codec", ["grid", "tokens"])
@pytest.mark.parametrize(("name", "clusters"), [("music-fadernets", 0), ("music-fadernets", 2), ("gm-vae", 2)])
def test_a_model_has_the_terms_of_each_code_at_their_weights(request, name, clusters, codec):
    batch = draw(request.getfixturevalue("songs" if codec == "grid" else "performances"), codec)
    model = make(name, codec, clusters=clusters, vertices_weight=3.0, structure_weight=5.0).eval()
    with torch.no_grad():
        model.encoders[next(iter(model.sizes))].head.vertices.mul_(1.5)
    terms = model.loss(batch, 5, 10)
    q = model.encode(batch.inputs, batch.lengths, batch.values)
    for code, p in q.items():
        assert isinstance(p, ConstrainedPosterior)
        vertices = model.encoders[code].head.vertices
        torch.testing.assert_close(terms[f"{code}_vertices"], constrained.orthogonality(vertices, 2.0))
        torch.testing.assert_close(terms[f"{code}_structure"], constrained.structure(p.said, p.mean[:, -4:]))
        shares = torch.linalg.lstsq(vertices.T, p.mean[:, -4:].T).solution
        torch.testing.assert_close(shares.sum(0), torch.ones(len(p.mean)), atol=1e-4, rtol=0)
        assert shares.min() > -1e-4
    extra = sum(3 * terms[f"{code}_vertices"] + 5 * terms[f"{code}_structure"] for code in q)
    model.options = type(model.options)(**vars(model.options) | {"vertices_weight": 0.0, "structure_weight": 0.0})
    torch.testing.assert_close(terms["loss"] - extra, model.loss(batch, 5, 10)["loss"], rtol=1e-4, atol=1e-4)


def test_without_the_option_nothing_changes(songs):
    """Neither weights nor terms, and no number that is drawn."""
    given = {k: v for k, v in TOY.items() if k not in SMALL}
    models = []
    for more in ({}, {"posterior": "free", "simplex": 3, "vertices": 2, "structure_weight": 9.0}):
        torch.manual_seed(0)
        models.append(build("music-fadernets", given | more).train())
    one, other = (model.state_dict() for model in models)
    assert list(one) == list(other)
    assert not any("vertices" in name for name in one)
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0)
    batch = draw(songs, "grid")
    losses = []
    for model in models:
        torch.manual_seed(1)
        losses.append(model.loss(batch, 5, 10))
    assert {k: v.item() for k, v in losses[0].items()} == {k: v.item() for k, v in losses[1].items()}
    assert not any(name.endswith(("_structure", "_vertices")) for name in losses[0])


def test_clusters_are_of_the_simplex_alone(songs):
    """The free part of the means is 0 and stays so; the others learn."""
    model = make().train()
    before = {name: mean.detach().clone() for name, mean in model.means.items()}
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    batch = draw(songs, "grid")
    for step in range(3):
        optimizer.zero_grad()
        model.loss(batch, 5 + step, 10)["loss"].backward()
        optimizer.step()
    for name, mean in model.means.items():
        assert (mean[:, :2] == 0).all()
        assert (mean[:, 2:] != before[name][:, 2:]).all()


# Trained, exported, moved


@pytest.fixture(scope="module")
def run(songs, tmp_path_factory):
    root = tmp_path_factory.mktemp("constrained")
    recipe = {"data": str(songs.folder), "out": str(root / "run"), "model": TOY | {"beta": 0.01}, "labels": 8}
    recipe |= {"label_share": 0.3, "steps": 40, "batch": 32, "validate": 20, "precision": "32-true"}
    train(recipes.check(recipe))
    return root / "run"


def test_a_run_writes_its_terms_and_loads_again(run):
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    for code in ("rhythm", "note"):
        assert rows[1][f"train/{code}_structure"] < rows[0][f"train/{code}_structure"]
        assert rows[1][f"validation/{code}_vertices"] < 1
    model, config = checkpoints.load(run / "best")
    assert config["recipe"]["model"]["posterior"] == "constrained"
    assert isinstance(model.encoders["note"].head, SimplexHead)


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    return export(run, tmp_path_factory.mktemp("folder") / "model")


def test_the_exported_encoder_is_pytorch_s(run, folder, segments):
    model, engine = checkpoints.load(run / "best")[0], Engine.open(folder)
    planes = torch.from_numpy(np.stack([segments == 1, segments == 2], 1)).float()
    with torch.no_grad():
        expected = model.encode(planes)
    for name, code in engine.encode(segments).items():
        np.testing.assert_allclose(code, expected[name].mean, atol=5e-3)
        np.testing.assert_allclose(engine.vertices[name], model.encoders[name].head.vertices.detach(), atol=1e-6)
        np.testing.assert_allclose(onto_simplex(code, engine.vertices[name]), code, atol=1e-4)


def test_a_strong_preset_stays_on_the_simplex(folder, segments):
    """What the clusters do not know stays, however strong the shift is."""
    engine = Engine.open(folder)
    source = encode_segments(engine, segments)
    for amount in (1.0, 4.0, -4.0):
        codes, _ = segment_decoding.moved_codes(engine, source, SegmentRequest(arousal=amount))
        for name, code in codes.items():
            np.testing.assert_allclose(code[:, :2], source.codes[name][:, :2], atol=1e-5)
            np.testing.assert_allclose(onto_simplex(code, engine.vertices[name]), code, atol=1e-4)
    assert any(np.abs(code - source.codes[name]).max() > 0.01 for name, code in codes.items())


def test_evaluation_knows_the_simplex(run, songs, tmp_path):
    checkpoint = Checkpoint(run, songs)
    assert {name: v.shape for name, v in checkpoint.vertices.items()} == {"rhythm": (3, 4), "note": (3, 4)}
    free = save_run(tmp_path / "run", build("music-fadernets", TINY), songs)
    assert Checkpoint(free, songs).vertices == {}


@pytest.mark.parametrize("vertices", [{"rhythm": [[1.0] * 4] * 3}, {"rhythm": 1, "note": 2}, 7])
def test_vertices_that_are_none(folder, tmp_path, vertices):
    info = json.loads((folder / "model.json").read_text()) | {"vertices": vertices}
    (tmp_path / "model.json").write_text(json.dumps(info))
    with pytest.raises(ModelError, match="is damaged"):
        Engine.open(tmp_path)
