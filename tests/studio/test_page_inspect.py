"""The room for researchers in a browser, and single dimensions, blends and ports in the melody room."""

import csv
import io
from pathlib import Path

import pytest
from midi_files import metre, save, tempo, track
from studio_page import Page, address, studio

__all__ = ["address", "studio"]  # fixtures
PORT = """
window.sent = []
const output = {id: 'p', name: 'a synthesiser', send: (bytes) => window.sent.push([...bytes])}
navigator.requestMIDIAccess = async () => ({outputs: new Map([['p', output]]), inputs: new Map()})
"""


def inspect(page):
    page.get_by_role("button", name="Inspect").click()
    page.wait_for_selector(".bars li", timeout=60000)
    page.wait_for_selector("canvas[aria-label='Map of segments']", timeout=60000)


def saved(page, name):
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).click()
    return download.value.suggested_filename, Path(download.value.path()).read_text(encoding="utf-8")


def test_figures_are_taken_away_and_repeat(studio, tmp_path):
    inspect(studio)
    assert studio.get_by_text("principal component 1,").count() == 1
    assert studio.get_by_text("your pieces").count() == 0
    studio.get_by_role("combobox", name="Model").select_option("pop-lieder")
    studio.wait_for_selector(".bars li", timeout=60000)
    name, table = saved(studio, "CSV: What moves, a table")
    assert name == "pop-lieder-pitch.csv"
    rows = [*csv.reader(io.StringIO(table))]
    assert (len(rows), len(rows[0])) == (257, 14)
    map_name, points = saved(studio, "CSV: The map, a table")
    assert map_name == "pop-lieder-map.csv"
    assert len(points.splitlines()) == 41
    for figure in ("What moves", "The map"):
        picture_name, picture = saved(studio, f"SVG: {figure}, a picture")
        assert picture_name.endswith(".svg")
        assert picture.startswith("<svg ")
        assert studio.evaluate(
            "text => !new DOMParser().parseFromString(text, 'image/svg+xml').querySelector('parsererror')", picture
        )
    path = save(tmp_path / "mine.mid", track([(i / 2, 0.5, 60 + i % 8, 80) for i in range(64)], metre(4), tempo(100)))
    studio.locator("input[type=file]").set_input_files(path)
    studio.wait_for_function("() => window.studio.piece?.title === 'mine.mid'", timeout=60000)
    studio.get_by_role("button", name="Again").click()
    studio.get_by_text("your pieces").wait_for(timeout=60000)
    again = [row.split(",") for row in saved(studio, "CSV: The map, a table")[1].splitlines()[1:]]
    assert {row[0] for row in again if row[-6] == "1" or "mine.mid" in row[0]} == {"mine.mid"}
    assert saved(studio, "CSV: What moves, a table")[1] == table


def melody(page):
    page.get_by_role("button", name="Melody", exact=True).click()
    page.wait_for_function("() => document.querySelectorAll('svg rect.note').length === 49", timeout=30000)


def test_a_slider_a_dimension(studio):
    melody(studio)
    studio.get_by_text("Single dimensions").click()
    slider = studio.locator("li input[type=range]").first
    slider.focus()
    before = studio.locator("svg rect.note").evaluate_all("all => all.map((one) => one.getAttribute('y'))")
    for _ in range(8):
        studio.keyboard.press("ArrowRight")
    studio.get_by_text("Single dimensions: 1 moved").wait_for()
    studio.wait_for_selector("rect.moved", timeout=30000)
    assert slider.get_attribute("aria-valuetext") == "2 deviations"
    assert studio.get_by_role("button", name="Whole piece").is_disabled()
    studio.get_by_role("group", name="Dimensions of").get_by_role("button", name="At rest").click()
    studio.wait_for_function("() => !document.querySelector('rect.moved')", timeout=30000)
    assert studio.locator("svg rect.note").evaluate_all("all => all.map((one) => one.getAttribute('y'))") == before
    studio.get_by_role("group", name="Dimensions of").get_by_role("button", name="All 64").click()
    assert studio.locator("li input[type=range]").count() == 64


def test_a_blend_says_what_it_needs_and_is_one_stop_of_the_tab_key(studio):
    melody(studio)
    draw = studio.get_by_role("button", name="Draw the blend")
    assert draw.is_disabled()
    studio.get_by_text("choose a second melody first").wait_for()
    studio.get_by_role("button", name="Keep this as B").click()
    assert studio.get_by_text("choose a second melody first").count() == 0
    draw.click()
    studio.wait_for_function("() => document.querySelectorAll('[data-cell]').length === 25", timeout=60000)
    stops = "() => [...document.querySelectorAll('[data-cell]')].filter((one) => one.tabIndex === 0).length"
    assert studio.evaluate(stops) == 1
    studio.locator("[data-cell='0-0']").focus()
    studio.keyboard.press("ArrowRight")
    studio.wait_for_function("() => document.activeElement.dataset.cell === '0-1'")
    assert studio.evaluate(stops) == 1
    assert studio.evaluate("() => document.activeElement.tabIndex") == 0


@pytest.fixture
def ported(chromium, address):
    one = Page(chromium, address)
    one.context.add_init_script(PORT)
    yield one.open()
    one.context.close()
    assert one.complaints == []


def test_a_melody_goes_to_the_chosen_port(ported):
    ported.get_by_role("button", name="MIDI out…").click()
    ported.get_by_label("Play to").select_option("p")
    melody(ported)
    ported.get_by_role("button", name="E5", exact=True).click()
    ported.wait_for_function("() => window.sent.some((one) => one[0] === 0x90 && one[1] === 76)", timeout=30000)
    ported.evaluate("() => (window.sent.length = 0)")
    ported.get_by_role("button", name="▶ Play").click()
    ported.wait_for_function("() => window.sent.filter((one) => one[0] === 0x90).length > 3", timeout=30000)
