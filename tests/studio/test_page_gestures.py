"""Pointers, fingers and views in the faders' room: what a drag, a tap and a scroll do, and what they leave alone."""

import pytest
from midi_files import metre, save, tempo, track
from studio_page import RANGE, ROLL, Page, address, drag, notes, select_bars, settle, studio

__all__ = ["address", "studio"]  # fixtures


def point(page, bar, share=0.5):
    """The x of a place in a bar of the roll."""
    roll = page.locator(ROLL)
    at = page.evaluate(
        "([i, share]) => { const { bars } = window.studio.piece; return bars[i] + share * (bars[i + 1] - bars[i]) }",
        [bar - 1, share],
    )
    shown = [float(roll.get_attribute(name)) for name in ("data-start", "data-per-tick")]
    return roll.bounding_box()["x"] + (at - shown[0]) * shown[1]


def test_a_fader_that_is_dragged_back_to_its_start_asks_for_nothing(studio):
    before = notes(studio)
    box = studio.locator(RANGE).bounding_box()
    now = studio.locator(RANGE).evaluate("e => (e.value - e.min) / (e.max - e.min)")
    x, y = box["x"] + 8 + (box["width"] - 16) * now, box["y"] + box["height"] / 2
    studio.mouse.move(x, y)
    studio.mouse.down()
    studio.mouse.move(x + 40, y, steps=4)
    studio.wait_for_function("() => window.studio.draft !== null")
    studio.mouse.move(x, y, steps=4)
    studio.mouse.up()
    assert studio.evaluate("() => [window.studio.draft, window.studio.history.past.length]") == [None, 0]
    studio.wait_for_function("() => !window.studio.busy && !window.studio.edited")
    assert notes(studio) == before
    drag(studio, RANGE, 0.5)  # and one that is let go elsewhere is released, once
    settle(studio)
    assert studio.evaluate("() => window.studio.history.past.length") == 1


def test_many_notes_are_kept(studio):
    studio.evaluate(
        "() => window.studio.pick(window.studio.source.slice(0, 200).map((n) => `${n.track}:${n.onset}:${n.pitch}`))"
    )
    studio.get_by_role("button", name="200 notes").click()
    drag(studio, RANGE, 0.3)
    settle(studio)
    assert studio.evaluate("() => window.studio.problem") == ""
    kept = {(n["onset"], n["pitch"]) for n in studio.evaluate("() => window.studio.source.slice(0, 200)")}
    assert kept <= {(n["onset"], n["pitch"]) for n in notes(studio)}


def test_the_playhead_moves_in_the_score_and_the_view_stays(studio):
    roll = studio.locator(ROLL)
    roll.hover()
    studio.mouse.wheel(400, 0)
    studio.wait_for_function("() => window.studio.timeline.time.start > 0")
    place = studio.evaluate("() => ({ ...window.studio.timeline.time })")
    studio.get_by_role("button", name="Score", exact=True).click()
    studio.wait_for_selector("[aria-label='The piece as a score'] svg", timeout=60000)
    studio.wait_for_function("() => !document.querySelector('.score [role=status]')", timeout=60000)
    studio.locator("h1").click()
    studio.keyboard.press(" ")
    head = "() => document.querySelector('.sheet .head')?.style.left"
    studio.wait_for_function("() => window.studio.playing && window.studio.player.tick > 100", timeout=60000)
    first = studio.evaluate(head)
    studio.wait_for_function(f"first => ({head})() !== first", arg=first)
    studio.keyboard.press(" ")
    widths = "() => document.querySelector('[aria-label=\"The piece as a score\"] svg').getBoundingClientRect().width"
    wide = studio.evaluate(widths)
    studio.set_viewport_size({"width": 1000, "height": 760})
    studio.wait_for_function(f"wide => ({widths})() < wide - 100", arg=wide)
    studio.set_viewport_size({"width": 1280, "height": 760})
    studio.evaluate("() => window.studio.seek(window.studio.timeline.time.start)")
    studio.get_by_role("button", name="Score", exact=True).click()
    studio.wait_for_selector(ROLL)
    assert studio.evaluate("() => window.studio.timeline.time.perTick") == pytest.approx(place["perTick"])


def test_the_view_does_not_follow_after_a_scroll_until_the_next_play(studio):
    studio.locator("h1").click()
    studio.keyboard.press(" ")
    studio.wait_for_function("() => window.studio.playing && window.studio.player.tick > 0", timeout=60000)
    studio.locator(ROLL).hover()
    studio.mouse.wheel(900, 0)
    studio.wait_for_function("() => window.studio.timeline.time.start > 0")
    start = studio.evaluate("() => window.studio.timeline.time.start")
    assert studio.evaluate("() => window.studio.player.tick") < start
    studio.wait_for_timeout(300)
    assert studio.evaluate("() => window.studio.timeline.time.start") == start
    studio.keyboard.press(" ")
    studio.keyboard.press(" ")
    studio.wait_for_function("() => window.studio.timeline.time.start < window.studio.player.tick")


def test_a_stroke_sets_every_bar_that_it_passes(studio):
    curve = studio.locator("svg[height='84']")
    box = curve.bounding_box()
    y = box["y"] + box["height"] / 2
    studio.mouse.move(point(studio, 2), y)
    studio.mouse.down(button="right")
    studio.mouse.up(button="right")
    assert studio.evaluate("() => [window.studio.draft, window.studio.history.past.length]") == [None, 0]
    studio.mouse.down()
    studio.mouse.move(point(studio, 5), y - 20)  # at once
    studio.mouse.up()
    settle(studio)
    assert studio.evaluate("() => Object.keys(window.studio.now.perBar.rhythm_density)") == ["2", "3", "4", "5"]
    assert studio.evaluate("() => window.studio.history.past.length") == 1


def test_bars_are_selected_and_shown_by_key(studio):
    select_bars(studio, 2, 3)
    studio.keyboard.press("z")
    x = "() => window.studio.piece.bars.slice(1, 4).map((at) => Math.round(window.studio.timeline.x(at)))"
    first, _, last = studio.evaluate(x)
    assert first == 0
    assert abs(last - studio.locator(ROLL).bounding_box()["width"]) < 2
    studio.keyboard.press("Control+a")
    assert studio.evaluate("() => window.studio.selection") == [1, 28]


@pytest.fixture
def touched(chromium, address):
    """The studio on a screen that is touched."""
    one = Page(chromium, address, has_touch=True)
    page = one.open()
    yield page
    one.context.close()
    assert one.complaints == []


def test_a_finger_picks_a_note_and_draws_none(touched):
    before = len(notes(touched))
    top, low = touched.locator(ROLL).bounding_box(), touched.locator(ROLL).get_attribute("data-pitches").split()
    found = touched.evaluate("() => window.studio.source.find((n) => n.onset > 0)")
    start, per_tick = (float(touched.locator(ROLL).get_attribute(name)) for name in ("data-start", "data-per-tick"))
    high = (top["height"] - 24) / (int(low[1]) - int(low[0]) + 1)
    x = top["x"] + ((found["onset"] + found["end"]) / 2 - start) * per_tick
    y = top["y"] + 24 + (int(low[1]) - found["pitch"] + 0.5) * high
    touched.touchscreen.tap(x, y)
    key = f"{found['track']}:{found['onset']}:{found['pitch']}"
    assert touched.evaluate("() => [...window.studio.picked]") == [key]
    empty = (top["x"] + 60, top["y"] + 30)
    touched.touchscreen.tap(*empty)
    touched.touchscreen.tap(*empty)
    touched.wait_for_timeout(100)
    assert touched.evaluate("() => window.studio.picked.size") == 0
    assert len(notes(touched)) == before
    assert touched.evaluate("() => window.studio.history.past.length") == 0


def test_an_upbeat_is_bar_1_in_the_roll_and_in_the_score(studio, tmp_path):
    tune = [(at, 0.9, 60 + at % 12, 80) for at in range(41)]
    path = save(tmp_path / "upbeat.mid", track(tune, metre(1), metre(4, tick=480), tempo(120), name="upbeat"))
    studio.locator("input[type=file]").set_input_files(path)
    studio.wait_for_function("() => window.studio.piece.title === 'upbeat.mid'")
    assert studio.evaluate("() => window.studio.piece.bars.slice(0, 3)") == [0, 480, 2400]
    studio.get_by_role("button", name="Score", exact=True).click()
    studio.wait_for_selector("[aria-label='The piece as a score'] svg", timeout=60000)
    studio.wait_for_function("() => !document.querySelector('.score [role=status]')", timeout=60000)
    # Each number stands over the left end of its bar; OSMD's own ids of the first bars are 0, 1, 2.
    places = studio.evaluate(
        """() => {
            const left = (one) => one.getBoundingClientRect().left, top = (one) => one.getBoundingClientRect().top
            const bars = [...document.querySelectorAll('.score .vf-measure')]
            const texts = [...document.querySelectorAll('.score svg text')]
            return texts.filter((text) => /^\\d+$/.test(text.textContent)).map((text) => {
                const line = bars.filter((bar) => Math.abs(top(bar) - top(text)) < 60)
                const away = (bar) => Math.abs(left(bar) - left(text))
                return [Number(text.textContent), Number(line.sort((a, b) => away(a) - away(b))[0].id)]
            })
        }"""
    )
    assert len(places) > 3
    assert [number for number, _ in places] == [bar + 1 for _, bar in places]
