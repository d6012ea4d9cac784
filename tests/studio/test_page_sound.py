"""What the page plays, in a browser: the programs of tracks, drums, mute and solo; what of it is loaded when."""

import mido
import pytest
from midi_files import metre, save, tempo, track
from studio_page import address, notes, studio

__all__ = ["address", "studio"]  # fixtures
LOUDEST = """async (seconds) => {
    const level = window.studio.analyser, data = new Float32Array(level.fftSize)
    let most = 0
    for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
        level.getFloatTimeDomainData(data)
        for (const value of data) most = Math.max(most, Math.abs(value))
        await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return most
}"""


@pytest.fixture
def band(studio, tmp_path):
    """A flute, a guitar that becomes an organ, and drums."""
    flute = track(
        [(i, 0.9, 72 + i % 5, 90) for i in range(64)],
        metre(4),
        tempo(100),
        (0, mido.Message("program_change", program=73)),
    )
    changing = [(0, mido.Message("program_change", channel=1, program=24))]
    changing.append((480 * 8, mido.Message("program_change", channel=1, program=19)))
    guitar = track([(i, 1, 48 + i % 7, 90) for i in range(64)], *changing, channel=1)
    drums = track([(i / 2, 0.2, 36 if i % 2 == 0 else 42, 100) for i in range(128)], channel=9)
    path = save(tmp_path / "band.mid", flute, guitar, drums)
    studio.locator("input[type=file]").set_input_files(path)
    studio.wait_for_function("() => window.studio.piece?.title === 'band.mid'")
    return studio


def test_instruments_and_drums_are_heard(band):
    band.evaluate("() => performance.clearResourceTimings()")
    band.locator("h1").click()
    band.keyboard.press(" ")
    band.wait_for_function("() => window.studio.playing && window.studio.player.tick > 200", timeout=60000)
    names = band.evaluate("() => performance.getEntriesByType('resource').map((one) => one.name.split('/').pop())")
    assert "instruments.sf2" in names
    assert band.evaluate(LOUDEST, 0.8) > 0.03
    lanes = band.get_by_role("list", name="Lanes")
    assert lanes.get_by_text("Drums").count() == 1
    band.get_by_role("button", name="Solo Drums").click()
    assert {n["track"] for n in notes(band)} == {2}
    band.wait_for_timeout(400)
    assert band.evaluate(LOUDEST, 1.0) > 0.03
    band.get_by_role("button", name="Mute Drums").click()
    fallen_silent(band)
    assert band.evaluate("() => window.studio.playing")


def test_the_volume_is_kept(band):
    volume = band.get_by_label("Volume")
    volume.fill("0")
    band.locator("h1").click()
    band.keyboard.press(" ")
    band.wait_for_function("() => window.studio.playing && window.studio.player.tick > 200", timeout=60000)
    fallen_silent(band)
    volume.fill("1")
    band.wait_for_timeout(200)
    assert band.evaluate(LOUDEST, 1.0) > 0.03
    volume.fill("0.5")
    band.reload()
    band.wait_for_function("() => window.studio.piece")
    assert volume.input_value() == "0.5"


def fallen_silent(page):
    """Wait until what sounded has died away."""
    for _ in range(10):
        if page.evaluate(LOUDEST, 0.5) < 0.003:
            return
    raise AssertionError("it sounds on")


def test_a_piano_piece_loads_the_piano_alone(studio):
    studio.locator("h1").click()
    studio.keyboard.press(" ")
    studio.wait_for_function("() => window.studio.playing && window.studio.player.tick > 100", timeout=60000)
    names = studio.evaluate("() => performance.getEntriesByType('resource').map((one) => one.name.split('/').pop())")
    assert "piano.sf3" in names
    assert "instruments.sf2" not in names


def test_lanes_that_faders_leave_alone_are_there_and_say_so(band):
    lanes = band.get_by_role("list", name="Lanes")
    drums = lanes.locator("li", has_text="Drums")
    assert drums.locator(".name").get_attribute("title") == "Drums: faders leave it alone"
    assert drums.get_by_role("button").all_inner_texts() == ["M", "S"]
    for lane in band.evaluate("() => window.studio.lanes"):
        assert lane["editable"] == (lane["track"] < 2)
