"""Regions as layers in a browser: a selection is the scope of a fader, edits stack, and all of it can be undone."""

import io
import json
from pathlib import Path

import mido
import pytest
from studio_page import (
    RANGE,
    ROLL,
    Page,
    address,
    drag,
    inside,
    notes,
    outside,
    select_bars,
    settle,
    studio,
)

__all__ = ["address", "studio"]  # fixtures


def regions(page):
    return page.evaluate("() => window.studio.layers.regions.map((one) => [one.bars, one.bypass])")


def chip(page, name):
    return page.get_by_role("group", name="Regions").get_by_role("button", name=name)


def test_a_selection_is_the_scope_of_a_fader(studio):
    source = notes(studio)
    select_bars(studio, 5, 8)
    drag(studio, RANGE, 0.4)
    settle(studio)
    first = notes(studio)
    assert outside(studio, first, 5, 8) == outside(studio, source, 5, 8)
    assert inside(studio, first, 5, 8) != inside(studio, source, 5, 8)
    roll = studio.locator(ROLL)
    roll.focus()
    studio.keyboard.press("Escape")
    for _ in range(8):
        studio.get_by_role("button", name="Zoom out").click()
    select_bars(studio, 12, 14)
    assert studio.locator(RANGE).get_attribute("aria-valuetext").startswith("rhythm density: at rest")
    drag(studio, RANGE, 0.3)
    settle(studio)
    second = notes(studio)
    assert inside(studio, second, 5, 8) == inside(studio, first, 5, 8)
    assert inside(studio, second, 12, 14) != inside(studio, source, 12, 14)
    assert outside(studio, second, 12, 14) == outside(studio, first, 12, 14)
    assert regions(studio) == [[[5, 8], False], [[12, 14], False]]
    for _ in range(2):
        studio.get_by_role("button", name="Undo").click()
    assert notes(studio) == source
    for _ in range(2):
        studio.get_by_role("button", name="Redo").click()
    settle(studio)
    assert notes(studio) == second


def test_a_region_is_chosen_and_changed_again(studio):
    select_bars(studio, 5, 8)
    drag(studio, RANGE, 0.4)
    settle(studio)
    asked = studio.locator(RANGE).input_value()
    select_bars(studio, 2, 2)
    assert studio.locator(RANGE).input_value() != asked
    chip(studio, "Bars 5–8").click()
    assert studio.evaluate("() => window.studio.selection") == [5, 8]
    assert studio.locator(RANGE).input_value() == asked
    assert studio.evaluate("() => window.studio.own.segments.every((one) => one.bar >= 5 && one.bar <= 8)")
    drag(studio, RANGE, 0.6)
    settle(studio)
    assert len(regions(studio)) == 1
    info = studio.locator(RANGE).get_attribute("aria-valuetext")
    assert info != f"rhythm density: asked {asked}"
    assert studio.evaluate("() => Math.abs(window.studio.means.asked.rhythm_density - 0.6) < 0.05")


def test_a_region_is_named_turned_off_moved_and_removed(studio):
    source = notes(studio)
    select_bars(studio, 5, 8)
    drag(studio, RANGE, 0.4)
    settle(studio)
    edited = notes(studio)
    name = studio.get_by_role("textbox", name="Name of the region")
    name.fill("quiet bridge")
    name.press("Enter")
    assert chip(studio, "quiet bridge").count() == 1
    studio.get_by_role("button", name="On", exact=True).click()
    assert notes(studio) == source
    studio.get_by_role("button", name="Off", exact=True).click()
    settle(studio)
    assert notes(studio) == edited
    studio.get_by_role("button", name="Whole piece", exact=True).first.click()
    drag(studio, "#fader-dynamics", 0.8)
    settle(studio)
    assert [bars for bars, _ in regions(studio)] == [None, [5, 8]]  # the whole piece lies under its bars
    studio.get_by_role("button", name="Apply this region later").click()
    assert [bars for bars, _ in regions(studio)] == [[5, 8], None]
    studio.get_by_role("button", name="Remove", exact=True).click()
    settle(studio)
    assert notes(studio) == edited
    studio.keyboard.press("Control+z")
    assert len(regions(studio)) == 2


def test_what_is_downloaded_is_what_is_heard(studio):
    select_bars(studio, 5, 8)
    drag(studio, RANGE, 0.4)
    settle(studio)
    select_bars(studio, 3, 6)
    drag(studio, "#fader-pitch", 0.6)
    settle(studio)
    select_bars(studio, 5, 5)
    studio.get_by_role("button", name="Freeze").click()
    settle(studio)
    with studio.expect_download() as download:
        studio.get_by_role("button", name="Download MIDI").click()
    file = mido.MidiFile(file=io.BytesIO(Path(download.value.path()).read_bytes()))
    struck, scale = [], file.ticks_per_beat / studio.evaluate("() => window.studio.piece.tpq")
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                struck.append((now / scale, message.note, message.velocity))
    assert sorted(struck) == sorted((n["onset"], n["pitch"], n["velocity"]) for n in notes(studio))
    text = next(m.text for track in file.tracks for m in track if m.type == "text" and m.text.startswith("fadernets "))
    listed = json.loads(text.removeprefix("fadernets "))["regions"]["regions"]
    assert [one["bars"] for one in listed] == [[[5, 8]], [[3, 6]], [[5, 5]]]


def test_regions_outlive_a_reload(chromium, address):
    one = Page(chromium, address)
    page = one.open()
    select_bars(page, 5, 8)
    drag(page, RANGE, 0.4)
    settle(page)
    select_bars(page, 2, 3)
    drag(page, RANGE, 0.3)
    settle(page)
    before = notes(page)
    page.wait_for_timeout(300)
    page.reload()
    page.wait_for_selector(RANGE)
    settle(page)
    assert notes(page) == before
    assert len(regions(page)) == 2
    page.get_by_role("button", name="Undo").click()
    assert len(regions(page)) == 1
    one.context.close()
    assert one.complaints == []


OLD = """async (state) => {
    const request = indexedDB.open('fadernets', 1)
    const database = await new Promise((done) => (request.onsuccess = () => done(request.result)))
    const work = { piece: 'k545', title: 'K. 545', data: null, snapshots: [{ name: 'old', state }],
        history: { past: [], now: state, future: [] } }
    const store = database.transaction('session', 'readwrite').objectStore('session')
    await new Promise((done) => (store.put(work, 'work k545').onsuccess = done))
    database.close()
}"""


def test_work_of_an_earlier_version_opens(chromium, address):
    one = Page(chromium, address)
    page = one.open()
    mean = page.evaluate("() => window.studio.piece.means.rhythm_density")
    rest = {"absolute": [], "perBar": {}, "preset": None, "hold": [], "faithfulness": 1, "seed": 0, "variation": None}
    page.wait_for_timeout(300)
    page.evaluate(OLD, rest | {"values": {"rhythm_density": mean - 0.3}, "bars": [5, 8], "locked": [6]})
    page.reload()
    page.wait_for_selector(RANGE)
    settle(page)
    assert regions(page) == [[[5, 8], False]]
    assert page.evaluate("() => window.studio.layers.regions[0].faders.moves.rhythm_density") == pytest.approx(-0.3)
    assert page.evaluate("() => Object.keys(window.studio.layers.frozen)") == ["6"]
    one.context.close()
    assert one.complaints == []


def test_two_tabs_see_each_other_s_work(chromium, address):
    one = Page(chromium, address)
    first = one.open()
    second = one.context.new_page()
    second.goto(address)
    second.wait_for_selector(RANGE)
    first.wait_for_function("() => window.studio.elsewhere")
    drag(first, RANGE, 0.4)
    settle(first)
    second.wait_for_function("() => window.studio.layers.regions.length === 1")
    settle(second)
    second.wait_for_selector("text=open in another tab, too")
    assert notes(second) == notes(first)
    one.context.close()
    assert one.complaints == []
