"""The studio's page in a browser, and what the tests of its faders' room do there."""

import re
import time

import browsing
import pytest
from browsing import stop_server

RANGE = "#fader-rhythm_density"
ROLL = "canvas.notes"
RULER = 10  # pixels below the top of the roll: in the ruler


def start_server(port, *more):
    process, line = browsing.start("studio", "--no-browser", "--port", port, *more)
    assert line.startswith("fadernets studio: http://127.0.0.1:"), line
    return process, re.search(r"http://\S+", line)[0]


def start_again(port):
    for _ in range(50):
        try:
            return start_server(port)[0]
        except AssertionError:  # the port is not free yet
            time.sleep(0.2)
    raise AssertionError(port)


class Page(browsing.Page):
    def open(self):
        page = super().open()
        page.wait_for_selector(RANGE)
        return page


@pytest.fixture(scope="module")
def address():
    process, found = start_server(0)
    yield found
    stop_server(process)


@pytest.fixture
def studio(chromium, address):
    one = Page(chromium, address)
    yield one.open()
    one.context.close()
    assert one.complaints == []
    assert one.outside == []


def settle(page):
    """Wait until the last move was answered in full."""
    page.wait_for_function("() => !window.studio.busy && window.studio.edited && !window.studio.edited.draft")


def notes(page):
    return page.evaluate("() => window.studio.music().notes")


def drag(page, selector, share):
    page.wait_for_function("selector => !document.querySelector(selector).disabled", arg=selector)
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    y = box["y"] + box["height"] / 2
    now = page.locator(selector).evaluate("e => (e.value - e.min) / (e.max - e.min)")
    page.mouse.move(box["x"] + 8 + (box["width"] - 16) * now, y)
    page.mouse.down()
    for step in range(1, 6):
        at = now + (share - now) * step / 5
        page.mouse.move(box["x"] + 8 + (box["width"] - 16) * at, y)
        page.wait_for_timeout(30)
    page.mouse.up()


def inside(page, listed, first, last):
    """Those of some notes that begin in these bars."""
    lines = page.evaluate("() => window.studio.piece.bars")
    return [n for n in listed if lines[first - 1] <= n["onset"] < lines[last]]


def outside(page, listed, first, last):
    """Those of some notes that do not begin in these bars."""
    chosen = {tuple(n.items()) for n in inside(page, listed, first, last)}
    return [n for n in listed if tuple(n.items()) not in chosen]


def select_bars(page, first, last):
    """Drag over the ruler."""
    box = page.locator(ROLL).bounding_box()
    middle = "bar => { const { piece } = window.studio; return (piece.bars[bar - 1] + piece.bars[bar]) / 2 }"
    shown = (
        float(page.locator(ROLL).get_attribute("data-per-tick")),
        float(page.locator(ROLL).get_attribute("data-start")),
    )
    at = [box["x"] + (page.evaluate(middle, bar) - shown[1]) * shown[0] for bar in (first, last)]
    page.mouse.move(at[0], box["y"] + RULER)
    page.mouse.down()
    page.mouse.move(at[1], box["y"] + RULER, steps=5)
    page.mouse.up()
    assert page.evaluate("() => window.studio.selection") == [first, last]


def lane(page, name):
    """The button that chooses a lane."""
    return page.get_by_role("list", name="Lanes").get_by_role("button", name=name, exact=True)


def snapshots(page):
    """Unfold the snapshots and the model."""
    page.locator("summary").click()
