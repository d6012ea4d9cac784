"""Lanes in a real browser: tracks and hands edited alone, kept, muted; notes picked and kept."""

import pytest
from midi_files import metre, save, tempo, track
from studio_page import RANGE, ROLL, address, drag, inside, lane, notes, select_bars, settle, studio

__all__ = ["address", "studio"]  # fixtures
RULED = 24  # pixels above the notes


def of_track(listed, index):
    return [n for n in listed if n["track"] == index]


@pytest.fixture
def piano(studio, tmp_path):
    """A piano on one track."""
    right = [(i / 2, 0.5, 72 + (i * 3) % 12, 80) for i in range(64)]
    left = [(i, 1, 48 + (i * 5) % 10, 70) for i in range(32)]
    path = save(tmp_path / "piano.mid", track([*right, *left], metre(4), tempo(100)))
    studio.locator("input[type=file]").set_input_files(path)
    studio.wait_for_function("() => window.studio.piece?.title === 'piano.mid'")
    return studio


def test_one_lane_is_edited_alone(studio):
    source = notes(studio)
    left = lane(studio, "Left hand")
    left.click()
    assert left.get_attribute("aria-pressed") == "true"
    drag(studio, RANGE, 0.6)
    settle(studio)
    assert of_track(notes(studio), 0) == of_track(source, 0)
    assert of_track(notes(studio), 1) != of_track(source, 1)
    assert studio.get_by_role("group", name="Regions").get_by_role("button", name="Left hand").count() == 1
    left.click()
    assert studio.evaluate("() => window.studio.region") is None


def test_a_lane_is_kept(studio):
    source = notes(studio)
    studio.get_by_role("button", name="Keep Right hand").click()
    drag(studio, RANGE, 0.4)
    settle(studio)
    assert of_track(notes(studio), 0) == of_track(source, 0)
    assert of_track(notes(studio), 1) != of_track(source, 1)


def test_mute_and_solo_are_heard_and_seen(studio):
    source = notes(studio)
    studio.get_by_role("button", name="Mute Left hand").click()
    assert notes(studio) == of_track(source, 0)
    studio.get_by_role("button", name="Mute Left hand").click()
    studio.get_by_role("button", name="Solo Left hand").click()
    assert notes(studio) == of_track(source, 1)
    studio.get_by_role("button", name="Solo Left hand").click()
    assert notes(studio) == source


def test_hands_inside_a_track(piano):
    source = notes(piano)
    piano.get_by_role("button", name="melody", exact=True).click()
    select_bars(piano, 3, 6)
    lane(piano, "left hand").click()
    drag(piano, RANGE, 0.6)
    settle(piano)
    now = notes(piano)
    high = [n for n in source if n["pitch"] >= 66]
    assert [n for n in now if n["pitch"] >= 66 and n in high] == high
    assert len(inside(piano, now, 3, 6)) > len(inside(piano, source, 3, 6))
    assert inside(piano, now, 1, 2) == inside(piano, source, 1, 2)
    assert piano.get_by_role("button", name="Mute right hand").count() == 1


def test_parts_are_kept_in_bars(studio):
    select_bars(studio, 5, 8)
    studio.get_by_role("button", name="rhythm", exact=True).click()
    sent = "() => window.studio.request(false).regions.map((one) => one.keep)"
    drag(studio, "#fader-pitch", 0.7)
    settle(studio)
    assert studio.evaluate(sent) == [["rhythm:5-8"]]
    onsets = [{n["onset"] for n in inside(studio, listed, 5, 8)} for listed in (notes(studio),)]
    studio.get_by_role("button", name="A/B").click()
    assert {n["onset"] for n in inside(studio, notes(studio), 5, 8)} == onsets[0]
    studio.locator(ROLL).focus()
    studio.keyboard.press("Escape")
    assert studio.get_by_role("button", name="rhythm", exact=True).get_attribute("aria-pressed") == "false"


def place(page, note):
    """Where a note lies in the window."""
    box = page.locator(ROLL).bounding_box()
    shown = float(page.locator(ROLL).get_attribute("data-per-tick"))
    low, high = map(int, page.locator(ROLL).get_attribute("data-pitches").split())
    tall = (box["height"] - RULED) / (high - low + 1)
    return box["x"] + note["onset"] * shown + 3, box["y"] + RULED + (high - note["pitch"] + 0.5) * tall


def test_notes_are_picked_and_kept(studio):
    source = notes(studio)
    first, second = [n for n in source if n["track"] == 0][:2]
    studio.mouse.click(*place(studio, first))
    assert studio.evaluate("() => [...window.studio.picked]") == [f"0:{first['onset']}:{first['pitch']}"]
    studio.keyboard.down("Shift")
    studio.mouse.click(*place(studio, second))
    studio.keyboard.up("Shift")
    studio.get_by_role("button", name="2 notes", exact=True).click()
    assert studio.evaluate("() => window.studio.layers.notes.length") == 2
    drag(studio, RANGE, 0.2)
    settle(studio)
    for one in (first, second):
        assert any((n["onset"], n["pitch"]) == (one["onset"], one["pitch"]) for n in notes(studio))
    studio.locator(ROLL).focus()
    studio.keyboard.press("Escape")
    studio.get_by_role("button", name="2 notes kept; let them go").click()
    assert studio.evaluate("() => window.studio.layers.notes") == []


def test_a_marquee_picks_and_keys_walk(studio):
    x, y = place(studio, {"onset": 0, "pitch": 80})
    studio.mouse.move(x - 3, y)
    studio.mouse.down()
    studio.mouse.move(x + 150, y + 200, steps=5)
    studio.mouse.up()
    assert studio.evaluate("() => window.studio.picked.size") > 3
    roll = studio.locator(ROLL)
    roll.focus()
    assert "picked" in roll.get_attribute("aria-valuetext")
    studio.keyboard.press("Escape")
    assert studio.evaluate("() => window.studio.picked.size") == 0
    studio.keyboard.press("n")
    one = studio.evaluate("() => [...window.studio.picked]")
    studio.keyboard.press("n")
    assert studio.evaluate("() => [...window.studio.picked]") != one
    studio.keyboard.press("p")
    assert studio.evaluate("() => [...window.studio.picked]") == one
    studio.keyboard.press("Shift+N")
    assert studio.evaluate("() => window.studio.picked.size") == 2
