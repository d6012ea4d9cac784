"""The page around its rooms in a browser: addresses, keys, sizes, the score, edits by hand, ends of faders."""

import pytest
from midi_files import metre, save, tempo, track
from studio_page import RANGE, ROLL, Page, address, drag, inside, notes, outside, select_bars, settle, studio

__all__ = ["address", "studio"]  # fixtures
SCORE = "[aria-label='The piece as a score'] svg"


def test_rooms_are_in_the_address(studio, address):
    studio.get_by_role("button", name="Melody", exact=True).click()
    assert studio.url == f"{address}#melody"
    studio.get_by_role("button", name="Inspect").click()
    studio.wait_for_selector(".bars li", timeout=60000)
    studio.go_back()
    studio.wait_for_selector("#knob-pitch")
    studio.reload()
    studio.wait_for_selector("#knob-pitch")
    studio.go_back()
    studio.wait_for_selector(RANGE)


def test_keys_are_on_a_sheet(studio):
    studio.locator("h1").click()
    studio.keyboard.press("?")
    sheet = studio.get_by_role("dialog", name="Keys")
    assert sheet.is_visible()
    studio.keyboard.press(" ")  # keys of the page wait
    studio.keyboard.press("Escape")
    assert not sheet.is_visible()
    assert not studio.evaluate("() => window.studio.playing")


@pytest.mark.parametrize("size", [(1280, 800), (1680, 1050)])
def test_all_is_in_sight(chromium, address, size):
    width, height = size
    one = Page(chromium, address, viewport={"width": width, "height": height})
    page = one.open()
    drag(page, RANGE, 0.5)
    settle(page)
    names = page.evaluate("() => window.studio.about.attributes.map((one) => one.name)")
    assert len(names) == 8
    takes = page.get_by_role("button", name="Takes", exact=True)
    download = page.get_by_role("button", name="Download MIDI")
    for one_of in [*(page.locator(f"#fader-{name}") for name in names), takes, download]:
        box = one_of.bounding_box()
        assert box["x"] >= 0
        assert box["y"] + box["height"] <= height - 20
        assert box["x"] + box["width"] <= width
    roll = page.locator(ROLL).bounding_box()
    page.evaluate("() => (window.studio.notice = 'x'.repeat(500))")  # a message does not move the roll
    page.wait_for_timeout(100)
    assert page.locator(ROLL).bounding_box() == roll
    one.context.close()
    assert one.complaints == []


def test_the_score_has_a_playhead_and_a_click_seeks(studio):
    studio.get_by_role("button", name="Score", exact=True).click()
    studio.wait_for_selector(SCORE, timeout=60000)
    studio.wait_for_selector(".sheet .head")
    head = studio.locator(".sheet .head").bounding_box()
    box = studio.locator(".drawn").bounding_box()
    studio.mouse.click(box["x"] + box["width"] * 0.75, head["y"] + 30)
    assert studio.evaluate("() => window.studio.player.tick") > 1000
    assert studio.locator(".sheet .head").bounding_box()["x"] == pytest.approx(box["x"] + box["width"] * 0.75, abs=4)
    studio.keyboard.press("Home")
    assert studio.evaluate("() => window.studio.player.tick") == 0
    studio.keyboard.press("ArrowRight")
    assert studio.evaluate("() => window.studio.player.tick === window.studio.piece.bars[1]")


def test_a_fader_at_its_end_offers_ways_on(studio):
    studio.get_by_role("button", name="melody", exact=True).click()
    select_bars(studio, 5, 8)
    drag(studio, RANGE, 0.3)
    settle(studio)
    studio.get_by_text("a lock keeps the melody").wait_for()
    studio.get_by_role("button", name="Let melody go").click()
    settle(studio)
    assert studio.evaluate("() => window.studio.layers.keeps") == []
    assert studio.evaluate("() => Math.abs(window.studio.means.measured.rhythm_density - 0.3) < 0.1")
    drag(studio, "#fader-note_density", 1.0)
    settle(studio)
    studio.get_by_role("button", name="articulation", exact=True).click()
    assert studio.evaluate("() => document.activeElement.id") == "fader-articulation"


@pytest.fixture
def plain(studio, tmp_path):
    """Four bars of quarters on C5."""
    path = save(tmp_path / "plain.mid", track([(i, 0.9, 72, 80) for i in range(16)], metre(4), tempo(100)))
    studio.locator("input[type=file]").set_input_files(path)
    studio.wait_for_function("() => window.studio.piece?.title === 'plain.mid'")
    return studio


def at(page, onset, pitch):
    """The window's place of a tick and a pitch."""
    box, roll = page.locator(ROLL).bounding_box(), page.locator(ROLL)
    low, high = map(int, roll.get_attribute("data-pitches").split())
    tall = (box["height"] - 24) / (high - low + 1)
    return box["x"] + onset * float(roll.get_attribute("data-per-tick")) + 3, box["y"] + 24 + (
        high - pitch + 0.5
    ) * tall


def test_notes_are_edited_by_hand(plain):
    before = notes(plain)
    plain.mouse.click(*at(plain, 480, 72))
    plain.locator(ROLL).focus()
    plain.keyboard.press("ArrowUp")
    plain.keyboard.press("ArrowUp")
    settle(plain)
    assert [n["pitch"] for n in notes(plain)[:3]] == [72, 74, 72]
    assert plain.evaluate("() => window.studio.history.past.length") == 1
    assert outside(plain, notes(plain), 1, 1) == outside(plain, before, 1, 1)
    plain.keyboard.press("]")
    settle(plain)
    plain.keyboard.press(">")
    settle(plain)
    changed = notes(plain)[1]
    assert (changed["end"], changed["velocity"]) == (before[1]["end"] + 120, 88)
    plain.keyboard.press("Delete")
    settle(plain)
    assert len(notes(plain)) == len(before) - 1
    for _ in range(4):
        plain.keyboard.press("Control+z")
    plain.wait_for_function("count => window.studio.music().notes.length === count", arg=len(before))
    assert notes(plain) == before


def test_notes_are_dragged_and_drawn(plain):
    before = notes(plain)
    x, y = at(plain, 480, 72)
    plain.mouse.move(x, y)
    plain.mouse.down()
    plain.mouse.move(*at(plain, 720, 75), steps=6)
    plain.mouse.up()
    settle(plain)
    assert (notes(plain)[1]["onset"], notes(plain)[1]["pitch"]) == (720, 75)
    plain.mouse.dblclick(*at(plain, 2400, 64))
    settle(plain)
    drawn = [n for n in inside(plain, notes(plain), 2, 2) if n["pitch"] == 64]
    assert [(n["onset"], n["end"]) for n in drawn] == [(2400, 2400 + before[0]["end"])]
    drag(plain, RANGE, 0.6)  # what was done by hand stays
    settle(plain)
    assert [n for n in inside(plain, notes(plain), 2, 2) if n["pitch"] == 64] == drawn
    assert len(inside(plain, notes(plain), 3, 4)) > 8


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out_of_any_state(chromium, address, scheme):
    one = Page(chromium, address, color_scheme=scheme, bypass_csp=True, viewport={"width": 1280, "height": 800})
    page = one.open()
    one.add_axe()
    page.get_by_role("button", name="melody", exact=True).click()
    select_bars(page, 5, 8)
    drag(page, RANGE, 0.3)
    settle(page)
    page.get_by_text("a lock keeps the melody").wait_for()
    assert one.violations() == []
    page.get_by_role("button", name="Let melody go").click()
    settle(page)
    page.get_by_role("button", name="Takes", exact=True).click()
    page.wait_for_function("() => window.studio.takes.list.length === 4 && !window.studio.takes.asked", timeout=60000)
    page.locator(ROLL).focus()
    page.keyboard.press("n")
    for width, height in ((1280, 800), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(200)
        assert one.violations() == []
        assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_role("button", name="Keys").click()
    assert one.violations() == []
    one.context.close()
    assert one.complaints == []
