"""Takes in a real browser: heard at once, taken whole or bar by bar, frozen, described in words."""

import io
from pathlib import Path

import mido
import pytest
from studio_page import RANGE, ROLL, address, drag, inside, lane, notes, outside, select_bars, settle, studio

__all__ = ["address", "studio"]  # fixtures


def take(page, first=5, last=8, share=0.45, fader=RANGE):
    select_bars(page, first, last)
    drag(page, fader, share)
    settle(page)
    page.get_by_role("button", name="Takes", exact=True).click()
    page.wait_for_function("() => window.studio.takes.list.length === 4 && !window.studio.takes.asked", timeout=60000)


def of_take(page, number):
    return page.evaluate(f"() => window.studio.takes.list[{number - 1}].notes")


def changed(page, number):
    return page.evaluate(f"() => window.studio.takes.list[{number - 1}].bars")


@pytest.fixture
def second(studio):
    """The number of a take that differs from the edit, and its bars."""
    take(studio)
    number = next(n for n in (2, 3, 4, 1) if len(changed(studio, n)) >= 2)
    return number, changed(studio, number)


def test_takes_are_heard_by_number_keys_in_a_loop(studio, second):
    number, _ = second
    edit = notes(studio)
    studio.locator("h1").click()
    studio.keyboard.press(str(number))
    assert notes(studio) == of_take(studio, number)
    studio.wait_for_function("() => window.studio.playing", timeout=30000)
    assert studio.evaluate("() => window.studio.looping")
    at = studio.evaluate("() => window.studio.player.tick")
    lines = studio.evaluate("() => window.studio.piece.bars")
    assert lines[4] <= at < lines[8]
    studio.keyboard.press("a")  # against the source
    assert notes(studio) != of_take(studio, number)
    studio.keyboard.press("a")
    studio.keyboard.press("0")
    assert notes(studio) == edit
    words = studio.evaluate("() => window.studio.takes.list.map((one) => one.words)")
    assert all("chords" in one or one == "as it is now" for one in words)


def test_a_take_is_accepted(studio, second):
    number, _ = second
    wanted = of_take(studio, number)
    studio.get_by_role("button", name=f"Accept take {number}").click()
    settle(studio)
    assert notes(studio) == wanted
    assert studio.get_by_role("group", name="Takes").count() == 0
    studio.keyboard.press("Control+z")
    settle(studio)
    assert notes(studio) != wanted
    studio.keyboard.press("Control+Shift+z")
    settle(studio)
    assert notes(studio) == wanted


def test_a_bar_is_taken_and_nothing_else_changes(studio, second):
    number, bars = second
    bar = bars[-1]
    before, wanted = notes(studio), inside(studio, of_take(studio, number), bar, bar)
    studio.get_by_role("button", name=f"Take bar {bar} from take {number}").click()
    settle(studio)
    now = notes(studio)
    assert inside(studio, now, bar, bar) == wanted
    assert outside(studio, now, bar, bar) == outside(studio, before, bar, bar)
    assert studio.evaluate("() => Object.keys(window.studio.layers.frozen)") == [str(bar)]
    assert studio.get_by_role("group", name="Takes").count() == 1  # they stay
    pressed = studio.get_by_role("button", name=f"Take bar {bar} from take {number}")
    assert pressed.get_attribute("aria-pressed") == "true"
    drag(studio, RANGE, 0.8)  # it is frozen
    settle(studio)
    assert inside(studio, notes(studio), bar, bar) == wanted
    assert outside(studio, notes(studio), bar, bar) != outside(studio, now, bar, bar)


def test_others_are_asked_for_and_the_frozen_bar_stays(studio, second):
    number, bars = second
    studio.get_by_role("button", name=f"Take bar {bars[0]} from take {number}").click()
    settle(studio)
    kept = inside(studio, notes(studio), bars[0], bars[0])
    studio.get_by_role("button", name="Four others").click()
    ready = "() => window.studio.takes.list.length === 4 && !window.studio.takes.asked && window.studio.now.seed === 1"
    studio.wait_for_function(ready, timeout=60000)
    for n in range(1, 5):
        assert inside(studio, of_take(studio, n), bars[0], bars[0]) == kept
    studio.get_by_role("button", name="Close", exact=True).click()
    assert studio.get_by_role("group", name="Takes").count() == 0


def test_waiting_for_takes_can_end(studio):
    select_bars(studio, 5, 8)
    drag(studio, RANGE, 0.45)
    settle(studio)
    studio.route("**/api/edit", lambda route: None)  # it never answers
    studio.get_by_role("button", name="Takes", exact=True).click()
    studio.get_by_role("progressbar").wait_for()
    studio.get_by_role("button", name="Cancel", exact=True).click()
    assert studio.evaluate("() => window.studio.takes.isOpen") is False
    assert studio.evaluate("() => window.studio.problem") == ""


def test_the_way_of_a_composer(studio):
    """Protect the melody, left hand busier in bars 5-8, another region, bars of a take, one frozen, score, export."""
    source = notes(studio)
    studio.get_by_role("button", name="melody", exact=True).click()
    select_bars(studio, 5, 8)
    lane(studio, "Left hand").click()
    drag(studio, RANGE, 0.5)
    settle(studio)
    first = notes(studio)
    right = [n for n in source if n["track"] == 0]
    assert [n for n in first if n["track"] == 0] == right
    assert len(inside(studio, first, 5, 8)) > len(inside(studio, source, 5, 8))
    studio.get_by_role("button", name="Takes", exact=True).click()
    studio.wait_for_function("() => window.studio.takes.list.length === 4 && !window.studio.takes.asked", timeout=60000)
    number = next(n for n in (2, 3, 4) if len(changed(studio, n)) >= 3)
    for bar in changed(studio, number)[:3]:
        studio.get_by_role("button", name=f"Take bar {bar} from take {number}").click()
        settle(studio)
    studio.locator(ROLL).focus()
    studio.keyboard.press("Escape")
    lane(studio, "Left hand").click()  # both hands again
    select_bars(studio, 2, 3)
    drag(studio, "#fader-note_density", 0.6)
    settle(studio)
    select_bars(studio, 2, 2)
    studio.get_by_role("button", name="Freeze").click()
    settle(studio)
    edited = notes(studio)
    studio.get_by_role("button", name="Score", exact=True).click()
    studio.wait_for_selector("[aria-label='The piece as a score'] svg", timeout=60000)
    with studio.expect_download() as download:
        studio.get_by_role("button", name="Download MIDI").click()
    file = mido.MidiFile(file=io.BytesIO(Path(download.value.path()).read_bytes()))
    scale = file.ticks_per_beat / studio.evaluate("() => window.studio.piece.tpq")
    struck = []
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                struck.append((now / scale, message.note, message.velocity))
    assert sorted(struck) == sorted((n["onset"], n["pitch"], n["velocity"]) for n in edited)
    lines = studio.evaluate("() => window.studio.piece.bars")
    touched = [(lines[1], lines[3]), (lines[4], lines[8])]
    spared = [n for n in source if not any(a <= n["onset"] < b for a, b in touched)]
    assert [n for n in edited if not any(a <= n["onset"] < b for a, b in touched)] == spared
