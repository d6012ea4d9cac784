"""What the hub reads of a card: licence, data and tags follow from what the model learned from."""

import json

import pytest
import yaml

from fadernets.engines.model_folder import bundled
from fadernets.training.model_cards import card, front_matter, is_shippable


def info_of(free=True, **recipe):
    corpora = {"songs": {"shippable": free}, "ratings": {"shippable": False}, "unused": {"shippable": False}}
    values = {"name": "music-fadernets", "corpora": ["songs", "ratings"], "label_corpora": ["ratings"], **recipe}
    return {"codec": "grid", "recipe": values, "data": {"corpora": corpora}}


def front(info):
    before, text, after = front_matter(info).split("---\n")
    assert (before, after) == ("", "")
    return yaml.safe_load(text)


def test_a_model_of_free_music():
    assert is_shippable(info_of())
    assert front(info_of()) == {
        "license": "mit",
        "library_name": "fadernets",
        "tags": ["symbolic-music", "midi", "music-fadernets", "grid"],
        "datasets": ["songs", "ratings"],
    }


@pytest.mark.parametrize("info", [info_of(free=False), info_of(reconstruct_labelled=True)])
def test_a_model_of_music_that_may_not_be_passed_on(info):
    assert not is_shippable(info)
    assert (front(info)["license"], front(info)["license_name"]) == ("other", "research-only")


def test_data_that_only_would_have_labelled_is_not_named():
    assert front(info_of(label_share=0))["datasets"] == ["songs"]


def test_names_stay_text():
    info = info_of(name="no: {")
    info["data"]["corpora"] = {"true": {}}
    info["recipe"]["corpora"] = []
    assert front(info)["tags"][2] == "no: {"
    assert front(info)["datasets"] == ["true"]


@pytest.mark.parametrize("name", bundled())
def test_the_bundled_cards_open_with_it(name):
    folder = bundled()[name]
    info = json.loads((folder / "model.json").read_text())
    text = (folder / "README.md").read_text()
    assert text.startswith(f"{front_matter(info)}\n# {name}\n")
    if info.get("kind") != "rewriter":
        assert card(info).startswith(f"{front_matter(info)}\n# {name}\n")
