"""The studio in a real browser: what a composer does, by mouse and by keyboard."""

import io
import json
import re
import shutil
from pathlib import Path

import browsing
import mido
import pytest
from browsing import free_port, stop_server
from midi_files import metre, save, tempo, track
from studio_page import (
    RANGE,
    ROLL,
    Page,
    address,
    drag,
    notes,
    select_bars,
    settle,
    snapshots,
    start_again,
    start_server,
    studio,
)

from fadernets.engines.model_folder import bundled

__all__ = ["address", "studio"]  # fixtures


def test_a_piece_is_there_at_once_and_space_plays_it(studio):
    assert "K. 545" in studio.locator("header select").first.locator("option:checked").inner_text()
    assert len(notes(studio)) == 504
    studio.locator("h1").click()
    studio.keyboard.press(" ")
    studio.wait_for_function("() => window.studio.playing && window.studio.player.tick > 200", timeout=30000)
    loudest = studio.evaluate(
        """async () => {
            const level = window.studio.analyser, data = new Float32Array(level.fftSize)
            let most = 0
            for (const end = performance.now() + 3000; performance.now() < end && most <= 0.05; ) {
                level.getFloatTimeDomainData(data)
                for (const value of data) most = Math.max(most, Math.abs(value))
                await new Promise((resolve) => setTimeout(resolve, 20))
            }
            return most
        }"""
    )
    assert loudest > 0.05
    studio.keyboard.press(" ")
    assert not studio.evaluate("() => window.studio.player.playing")


def test_where_browsers_give_no_sound_the_page_says_why(chromium, address):
    one = Page(chromium, address)
    one.context.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page = one.open()
    page.locator("h1").click()
    page.keyboard.press(" ")
    page.wait_for_selector("text=browsers give this page sound only over https")
    drag(page, RANGE, 0.5)
    settle(page)
    melody_room(page)
    page.get_by_role("button", name="E5", exact=True).click()
    page.wait_for_selector("text=browsers give this page sound only over https")
    one.context.close()
    assert one.complaints == []


def test_a_piano_that_did_not_load_is_loaded_by_the_next_try(chromium, address):
    one = Page(chromium, address)
    page = one.open()
    melody_room(page)
    page.route("**/piano.sf3", lambda route: route.abort())
    page.get_by_role("button", name="▶ Play").click()
    page.wait_for_selector("text=the piano could not be loaded")
    page.unroute("**/piano.sf3")
    page.get_by_role("button", name="▶ Play").click()
    page.wait_for_selector("button:has-text('Stop')", timeout=30000)
    one.context.close()
    assert [text for text in one.complaints if "ERR_FAILED" not in text] == []


def test_a_fader_by_mouse(studio):
    before = notes(studio)
    drag(studio, RANGE, 0.5)
    settle(studio)
    info = studio.locator(RANGE).get_attribute("aria-valuetext")
    asked, measured = (float(x) for x in re.search(r"asked ([\d.]+), measured ([\d.]+)", info).groups())
    assert abs(asked - measured) < 0.05
    assert 0.4 < asked < 0.6
    assert len(notes(studio)) < len(before)
    assert studio.evaluate("() => window.studio.history.past.length") == 1
    studio.get_by_role("button", name="Undo").click()
    assert notes(studio) == before
    studio.keyboard.press("Control+Shift+Z")
    settle(studio)
    assert notes(studio) != before


def test_a_fader_by_keyboard_and_back_to_rest(studio):
    before = notes(studio)
    fader = studio.locator("#fader-tempo")
    fader.focus()
    for _ in range(3):
        studio.keyboard.press("ArrowRight")
    settle(studio)
    assert studio.evaluate("() => window.studio.edited.means.measured.tempo") > 133
    studio.keyboard.press("Delete")
    assert notes(studio) == before
    assert studio.evaluate("() => window.studio.resting")


def test_presses_that_follow_each_other_are_one_step(studio):
    before = notes(studio)
    studio.locator(RANGE).focus()
    for _ in range(5):
        studio.keyboard.press("ArrowLeft")
    settle(studio)
    assert studio.evaluate("() => window.studio.history.past.length") == 1
    studio.locator("#fader-tempo").focus()
    studio.keyboard.press("ArrowRight")
    studio.wait_for_timeout(1100)
    studio.keyboard.press("ArrowRight")
    settle(studio)
    assert studio.evaluate("() => window.studio.history.past.length") == 3
    for _ in range(3):
        studio.keyboard.press("Control+z")
    assert notes(studio) == before


def test_a_move_is_seen_and_heard_though_the_source_was(studio):
    drag(studio, RANGE, 0.5)
    settle(studio)
    studio.locator("h1").click()
    studio.keyboard.press("a")
    source = notes(studio)
    drag(studio, RANGE, 0.3)
    settle(studio)
    assert notes(studio) != source
    assert "edit" in studio.get_by_role("button", name="A/B").inner_text()


def test_space_plays_whatever_was_clicked(studio):
    studio.get_by_role("button", name="Loop").click()
    studio.keyboard.press(" ")
    studio.wait_for_function("() => window.studio.playing", timeout=30000)
    assert studio.evaluate("() => window.studio.looping")
    studio.keyboard.press(" ")
    studio.wait_for_function("() => !window.studio.playing")
    studio.keyboard.press("Shift")
    studio.get_by_role("button", name="Loop").focus()  # by keyboard, it is the button's
    studio.keyboard.press(" ")
    assert not studio.evaluate("() => window.studio.looping")
    assert not studio.evaluate("() => window.studio.playing")


def test_the_preset_moves_the_faders_it_implies(studio):
    tempo_before = float(studio.locator("#fader-tempo").input_value())
    strength = studio.locator("input[aria-label='Strength of arousal']")
    strength.focus()
    for _ in range(10):
        studio.keyboard.press("ArrowRight")
    settle(studio)
    studio.wait_for_function(f"() => Number(document.querySelector('#fader-tempo').value) > {tempo_before}")
    assert studio.locator(".fader.by-preset").count() >= 3
    assert "by the preset" in studio.locator("#fader-tempo").get_attribute("aria-valuetext")
    studio.get_by_role("button", name="Hold tempo against the preset").click()
    settle(studio)
    assert float(studio.locator("#fader-tempo").input_value()) == tempo_before


def test_a_preset_leaves_alone_what_was_moved_by_hand(studio):
    drag(studio, RANGE, 0.5)
    settle(studio)
    strength = studio.locator("input[aria-label='Strength of arousal']")
    strength.focus()
    for _ in range(10):
        studio.keyboard.press("ArrowRight")
    settle(studio)
    asked, measured = (studio.evaluate(f"() => window.studio.means.{m}.rhythm_density") for m in ("asked", "measured"))
    assert float(studio.locator(RANGE).input_value()) == pytest.approx(asked, abs=0.05)
    assert asked == pytest.approx(measured, abs=0.05)
    assert studio.evaluate("() => 'tempo' in window.studio.means.preset")
    assert not studio.evaluate("() => 'rhythm_density' in window.studio.means.preset")


def test_frozen_bars_keep_their_notes(studio):
    before = notes(studio)
    select_bars(studio, 1, 2)
    studio.get_by_role("button", name="Freeze").click()
    studio.get_by_role("button", name="Clear the selection").click()
    drag(studio, RANGE, 0.3)
    settle(studio)
    end = studio.evaluate("() => window.studio.piece.bars[2]")
    inside = [n for n in before if n["onset"] < end]
    assert [n for n in notes(studio) if n["onset"] < end] == inside
    assert [n for n in notes(studio) if n["onset"] >= end] != [n for n in before if n["onset"] >= end]


def test_a_loop_of_bars_and_the_source_at_the_same_place(studio):
    roll = studio.locator(ROLL)
    roll.focus()
    studio.keyboard.press("Shift+ArrowRight")
    assert studio.evaluate("() => window.studio.selection") == [1, 2]
    studio.keyboard.press("l")
    drag(studio, RANGE, 0.4)
    settle(studio)
    studio.locator("h1").click()
    studio.keyboard.press(" ")
    studio.wait_for_function("() => window.studio.player.tick > 300", timeout=30000)
    edited = notes(studio)
    studio.keyboard.press("a")
    at = studio.evaluate("() => window.studio.player.tick")
    assert at > 200
    assert notes(studio) != edited
    limit = studio.evaluate("() => window.studio.piece.bars[2]")
    for _ in range(6):
        studio.wait_for_timeout(300)
        assert studio.evaluate("() => window.studio.player.tick") <= limit


def test_a_file_is_dropped_and_taken_home(studio, tmp_path):
    path = save(
        tmp_path / "my piece.mid", track([(i / 2, 0.5, 60 + i % 8, 80) for i in range(32)], metre(4), tempo(90))
    )
    studio.locator("input[type=file]").set_input_files(path)
    studio.wait_for_function("() => window.studio.piece?.title === 'my piece.mid'")
    drag(studio, "#fader-pitch", 0.7)
    settle(studio)
    with studio.expect_download() as download:
        studio.get_by_role("button", name="Download MIDI").click()
    assert download.value.suggested_filename == "my piece-edited.mid"
    file = mido.MidiFile(file=io.BytesIO(Path(download.value.path()).read_bytes()))
    struck = [m.note for t in file.tracks for m in t if m.type == "note_on" and m.velocity]
    assert sorted(struck) == sorted(n["pitch"] for n in notes(studio))
    text = next(m.text for t in file.tracks for m in t if m.type == "text")
    info = json.loads(text.removeprefix("fadernets "))
    assert info["source"] == "my piece.mid"
    assert "pitch" in info["regions"]["regions"][0]["move"]
    assert len(info["model_sha256"]["decoder.onnx"]) == 64


def test_a_file_is_dropped_on_any_room(studio, tmp_path):
    path = save(tmp_path / "mine.mid", track([(i / 2, 0.5, 60 + i % 8, 80) for i in range(24)], metre(3)))
    melody_room(studio)
    event = """([kind, data]) => {
        const given = new DataTransfer()
        given.items.add(new File([Uint8Array.from(data)], 'mine.mid'))
        document.querySelector('h1').dispatchEvent(
            new DragEvent(kind, {dataTransfer: given, bubbles: true, cancelable: true}))
    }"""
    data = list(path.read_bytes())
    studio.evaluate(event, ["dragover", data])
    studio.wait_for_selector("text=Drop a MIDI or MusicXML file")
    studio.evaluate(event, ["drop", data])
    studio.get_by_role("button", name="mine.mid").click()
    studio.wait_for_function("() => document.querySelectorAll('svg rect.note').length === 24")
    assert studio.locator("text=Drop a MIDI or MusicXML file").count() == 0
    studio.get_by_role("button", name="Faders").click()
    assert studio.evaluate("() => [window.studio.piece.title, window.studio.bars]") == ["mine.mid", 4]


def test_an_edit_as_other_files(studio):
    drag(studio, RANGE, 0.5)
    settle(studio)
    for kind, start in (("MusicXML", b"<?xml"), ("WAV", b"RIFF"), ("JSON", b"{")):
        with studio.expect_download(timeout=60000) as download:
            studio.get_by_role("button", name=re.compile(rf"^Download .*{kind}")).click()
        assert Path(download.value.path()).read_bytes().startswith(start)
        assert download.value.suggested_filename == f"k545-edited.{kind.lower()}"


def test_downloaded_work_goes_on_in_another_browser(chromium, address, tmp_path):
    tune = save(tmp_path / "tune.mid", track([(i, 0.9, 60 + 2 * (i % 5), 80) for i in range(32)], metre(4)))
    one, other = Page(chromium, address), Page(chromium, address)
    page = one.open()
    page.locator("input[type=file]").set_input_files(tune)
    page.wait_for_function(f"() => window.studio.piece?.title === {tune.name!r}")
    drag(page, RANGE, 0.5)
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download JSON").click()
    download.value.save_as(tmp_path / "work.json")
    made, layers = notes(page), page.evaluate("() => JSON.stringify(window.studio.layers)")
    page = other.open()
    page.locator("input[type=file]").set_input_files(tmp_path / "work.json")
    page.wait_for_function(f"() => window.studio.piece?.title === {tune.name!r} && !window.studio.busy")
    assert page.evaluate("() => JSON.stringify(window.studio.layers)") == layers
    settle(page)
    assert notes(page) == made
    (tmp_path / "other.json").write_text('{"report": {}}')
    page.locator("input[type=file]").set_input_files(tmp_path / "other.json")
    page.wait_for_selector("text=other.json: no work is in it")
    assert notes(page) == made
    for each in (one, other):
        each.context.close()
        assert each.complaints == []


def test_what_is_no_midi_is_refused_in_the_page(chromium, address, tmp_path):
    one = Page(chromium, address)
    page = one.open()
    (tmp_path / "song.mid").write_bytes(b"this is a text")
    page.locator("input[type=file]").set_input_files(tmp_path / "song.mid")
    page.wait_for_selector("text=song.mid: is not a MIDI file")
    (tmp_path / "big.mid").write_bytes(b"MThd" + bytes(3 * 2**20))
    page.locator("input[type=file]").set_input_files(tmp_path / "big.mid")
    page.wait_for_selector("text=at most 2 MB are taken")
    assert len(notes(page)) == 504
    one.context.close()
    assert [c for c in one.complaints if "400" not in c] == []


def test_a_model_of_ones_own_moves_the_faders(chromium, tmp_path):
    shutil.copytree(bundled()["pop-lieder"], tmp_path / "mine")
    process, address = start_server(0, "--model", tmp_path / "mine")
    one = Page(chromium, address)
    page = one.open()
    snapshots(page)
    page.get_by_label("Model").select_option("mine")
    page.wait_for_function("() => window.studio.piece.model === 'mine'")
    drag(page, RANGE, 0.5)
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download JSON").click()
    assert json.loads(Path(download.value.path()).read_text())["model"] == "mine"
    page.reload()
    page.wait_for_selector(RANGE)
    snapshots(page)
    assert page.get_by_label("Model").input_value() == "mine"
    mapped = []
    page.on("request", lambda request: mapped.append(request.url) if "/api/map/" in request.url else None)
    page.get_by_role("button", name="Inspect").click()
    page.wait_for_selector("canvas")
    assert all("/api/map/mine?" in url for url in mapped)
    one.context.close()
    stop_server(process)
    assert mapped
    assert one.complaints == []


def test_a_reload_keeps_the_work(chromium, address):
    one = Page(chromium, address)
    page = one.open()
    drag(page, RANGE, 0.5)
    settle(page)
    snapshots(page)
    page.get_by_role("textbox", name="Name of a snapshot").fill("sparse")
    page.keyboard.press("Enter")
    before = notes(page)
    page.wait_for_timeout(300)
    page.reload()
    page.wait_for_selector("text=Snapshots, model (1)")
    snapshots(page)
    settle(page)
    assert notes(page) == before
    page.get_by_role("button", name="Undo").click()
    assert page.evaluate("() => window.studio.resting")
    page.get_by_role("button", name="sparse", exact=True).click()
    settle(page)
    assert notes(page) == before
    one.context.close()
    assert one.complaints == []


def test_another_piece_does_not_cost_the_work_on_this_one(studio, tmp_path):
    path = save(tmp_path / "mine.mid", track([(i / 2, 0.5, 60 + i % 8, 80) for i in range(32)], metre(4)))
    studio.locator("input[type=file]").set_input_files(path)
    studio.wait_for_function("() => window.studio.piece?.title === 'mine.mid'")
    drag(studio, RANGE, 0.3)
    settle(studio)
    before = notes(studio)
    snapshots(studio)
    studio.get_by_role("textbox", name="Name of a snapshot").fill("sparse")
    studio.keyboard.press("Enter")
    piece = studio.get_by_label("Piece")
    piece.select_option("k265")
    studio.wait_for_function("() => window.studio.piece.id === 'k265'")
    assert studio.evaluate("() => window.studio.resting && !window.studio.snapshots.length")
    studio.wait_for_function("() => window.studio.earlier[0]?.piece === 'k265'")  # it is kept
    studio.reload()
    studio.wait_for_function("() => window.studio.piece?.id === 'k265'")
    piece.select_option(label="mine.mid")
    studio.wait_for_function("() => window.studio.piece.title === 'mine.mid'")
    settle(studio)
    assert notes(studio) == before
    snapshots(studio)
    assert studio.get_by_role("button", name="sparse", exact=True).count() == 1
    studio.get_by_role("button", name="Undo").click()
    assert studio.evaluate("() => window.studio.resting")
    studio.locator("input[type=file]").set_input_files(path)  # the same file is the same piece
    studio.wait_for_timeout(300)
    assert studio.evaluate("() => window.studio.history.future.length") == 1


def test_a_file_that_the_server_let_go_of_is_given_again(chromium, address, tmp_path):
    one = Page(chromium, address)
    page = one.open()
    path = save(tmp_path / "mine.mid", track([(i / 2, 0.5, 60 + i % 8, 80) for i in range(32)], metre(4)))
    page.locator("input[type=file]").set_input_files(path)
    page.wait_for_function("() => window.studio.piece?.title === 'mine.mid'")
    gone = json.dumps({"seq": None, "error": "piece: is not here any more; open its file again"})
    asked = []

    def answer(route):
        if "describe" not in route.request.url:  # what faders can reach is asked when nothing moves
            asked.append(route.request.url.removeprefix(address))
        if len(asked) == 1 and "render" in route.request.url:
            route.fulfill(status=404, body=gone)
        else:
            route.continue_()

    page.route("**/api/**", answer)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download MIDI").click()
    assert mido.MidiFile(download.value.path()).tracks
    assert asked == ["api/render", "api/pieces?name=mine.mid", "api/render"]
    assert page.evaluate("() => window.studio.problem") == ""
    one.context.close()
    assert [text for text in one.complaints if "404" not in text] == []


def test_a_server_that_comes_back_finds_the_page_s_work(chromium, tmp_path):
    port = free_port()
    process, address = start_server(port)
    one = Page(chromium, address)
    page = one.open()
    path = save(tmp_path / "mine.mid", track([(i / 2, 0.5, 60 + i % 8, 80) for i in range(32)], metre(4)))
    page.locator("input[type=file]").set_input_files(path)
    page.wait_for_function("() => window.studio.piece?.title === 'mine.mid'")
    drag(page, RANGE, 0.3)
    settle(page)
    stop_server(process)
    page.wait_for_selector("text=The server is away")
    process = start_again(port)
    page.wait_for_function("() => window.studio.online", timeout=20000)
    drag(page, RANGE, 0.6)
    settle(page)
    assert page.evaluate("() => window.studio.problem") == ""
    assert page.evaluate("() => window.studio.edited.means.measured.rhythm_density") == pytest.approx(0.6, abs=0.1)
    stop_server(process)
    one.context.close()


PORTS = """
window.sent = []
const send = (data, time) => window.sent.push([time ?? performance.now(), ...data])
const output = {id: 'p', name: 'a synthesiser', send}
window.keyboard = {id: 'k', name: 'a keyboard', onmidimessage: null}
const given = {outputs: new Map([['p', output]]), inputs: new Map([['k', window.keyboard]])}
navigator.requestMIDIAccess = async () => given
"""


@pytest.fixture
def ported(chromium, address):
    """The studio on a computer with a MIDI port and a MIDI keyboard."""
    one = Page(chromium, address)
    one.context.add_init_script(PORTS)
    yield one.open()
    one.context.close()
    assert one.complaints == []


def sent(page, status):
    """Messages of a kind, with their times in milliseconds."""
    return [m for m in page.evaluate("() => window.sent") if m[1] == status]


def clock_bpm(page):
    """The tempo of the last two quarter notes of MIDI clock."""
    times = [m[0] for m in sent(page, 0xF8)][-49:]
    return 6e4 * 2 / (times[-1] - times[0])


def test_what_was_asked_of_a_server_that_was_away_is_asked_again(chromium):
    port = free_port()
    process, address = start_server(port)
    one = Page(chromium, address)
    page = one.open()
    melody_room(page)
    stop_server(process)
    page.wait_for_selector("text=The server is away")
    page.locator("#knob-pitch").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    process = start_again(port)
    page.wait_for_function("() => document.querySelectorAll('svg rect.moved').length > 20", timeout=20000)
    stop_server(process)
    page.wait_for_selector("text=The server is away")
    page.get_by_role("button", name="Inspect").click()
    process = start_again(port)
    page.wait_for_selector(".bars li", timeout=20000)
    page.wait_for_selector("canvas")
    stop_server(process)
    one.context.close()


@pytest.mark.alone
def test_notes_go_to_a_midi_port_with_its_clock(ported):
    ported.get_by_role("button", name="MIDI out").click()
    ported.get_by_label("Play to").select_option("p")
    ported.locator("h1").click()
    ported.keyboard.press(" ")
    ported.wait_for_function("() => window.studio.player.tick > 1400", timeout=30000)
    kinds = {message[1] for message in ported.evaluate("() => window.sent")}
    assert {0x90, 0x80, 0xFA, 0xF8} <= kinds
    assert len(sent(ported, 0x90)) >= 3
    assert clock_bpm(ported) == pytest.approx(132, abs=1)
    drag(ported, "#fader-tempo", 0.2)
    settle(ported)
    ported.evaluate("() => (window.sent.length = 0)")
    ported.wait_for_function("() => window.sent.filter((m) => m[1] === 0xf8).length > 60", timeout=30000)
    asked = ported.evaluate("() => window.studio.edited.means.measured.tempo")
    assert asked < 100
    assert clock_bpm(ported) == pytest.approx(asked, abs=1)
    ported.locator(ROLL).focus()
    ported.keyboard.press("End")  # it goes on from there, to the end
    ported.wait_for_function("() => !window.studio.playing", timeout=30000)
    assert len(sent(ported, 0xF2)) == len(sent(ported, 0xFB)) == 1
    ported.wait_for_timeout(200)
    ported.evaluate("() => (window.sent.length = 0)")
    ported.wait_for_timeout(300)
    assert ported.evaluate("() => window.sent") == []


def test_a_port_is_chosen_while_it_plays(ported):
    ported.locator("h1").click()
    ported.keyboard.press(" ")
    ported.wait_for_function("() => window.studio.player.tick > 200", timeout=30000)
    ported.get_by_role("button", name="MIDI out").click()
    ported.get_by_label("Play to").select_option("p")
    ported.wait_for_function("() => window.sent.some((m) => m[1] === 0x90)", timeout=30000)
    ported.get_by_label("Play to").select_option("")
    ported.wait_for_timeout(200)
    ported.evaluate("() => (window.sent.length = 0)")
    ported.wait_for_timeout(300)
    assert ported.evaluate("() => [window.studio.playing, window.sent.length]") == [True, 0]


def test_the_score(chromium, address):
    one = Page(chromium, address, bypass_csp=True)
    page = one.open()
    page.get_by_role("button", name="Score", exact=True).click()
    drawn = "[aria-label='The piece as a score'] svg"
    page.wait_for_selector(drawn, timeout=60000)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/render") else None)
    drag(page, RANGE, 0.3)
    settle(page)
    page.wait_for_function("() => !document.querySelector('.score [role=status]')", timeout=60000)
    assert len(asked) == 1  # when the fader is let go, and not before
    assert page.locator(drawn).count() == 1
    one.add_axe()
    assert one.violations() == []
    one.context.close()
    assert one.complaints == []


FITS = "() => document.documentElement.scrollWidth <= window.innerWidth"  # nothing sticks out to the right


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(chromium, address, scheme):
    one = Page(chromium, address, color_scheme=scheme, bypass_csp=True)
    page = one.open()
    drag(page, RANGE, 0.5)
    settle(page)
    one.add_axe()
    for width, height in ((1280, 720), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(200)
        assert page.evaluate(FITS)
        assert one.violations() == []
        melody_room(page)
        page.wait_for_timeout(200)
        assert page.evaluate(FITS)
        assert one.violations() == []
        page.get_by_role("button", name="Inspect").click()
        page.wait_for_selector(".bars li", timeout=60000)
        page.wait_for_timeout(200)
        assert page.evaluate(FITS)
        assert one.violations() == []
        page.get_by_role("button", name="Faders").click()
    one.context.close()


# The melody room


def melody_room(page):
    page.get_by_role("button", name="Melody", exact=True).click()
    page.wait_for_function("() => document.querySelectorAll('svg rect.note').length === 49")


LANDED = "() => /asked 78.6, measured 78.[3-8]/.test(document.querySelector('#knob-pitch').ariaValueText)"


def heights(page):
    return page.evaluate("() => [...document.querySelectorAll('svg rect.note')].map((r) => +r.getAttribute('y'))")


def test_knobs_of_a_melody(studio):
    melody_room(studio)
    knob = studio.locator("#knob-pitch")
    knob.focus()
    for _ in range(4):
        studio.keyboard.press("ArrowRight")
    studio.wait_for_function(LANDED)
    assert studio.locator("svg rect.moved").count() > 20
    assert studio.locator("svg rect.ghost").count() == 49
    studio.get_by_role("button", name="At rest").click()
    studio.wait_for_function("() => document.querySelectorAll('svg rect.ghost').length === 0")
    knob = studio.locator("#knob-rhythm")
    knob.focus()
    for _ in range(4):
        studio.keyboard.press("ArrowRight")
    studio.wait_for_function(
        "() => /onsets 49 → asked 98, measured 98/.test(document.querySelector('#knob-rhythm').ariaValueText)"
    )


def test_a_melody_is_entered_by_keys(studio, tmp_path):
    melody_room(studio)
    studio.get_by_role("button", name="New").click()
    studio.get_by_role("button", name="1/8", exact=True).click()
    studio.locator("h1").click()
    for key in ("a", "s", "d", ".", "x", "a"):
        studio.keyboard.press(key)
    studio.get_by_role("button", name="E5", exact=True).click()
    assert studio.locator("svg rect.note").count() == 5
    studio.keyboard.press("Backspace")
    assert studio.locator("svg rect.note").count() == 4
    with studio.expect_download() as download:
        studio.get_by_role("button", name="MIDI", exact=True).click()
    file = mido.MidiFile(download.value.path())
    now, found = 0, []
    for message in file.tracks[0]:
        now += message.time
        if message.type == "note_on" and message.velocity:
            found.append((now, message.note))
    assert found == [(0, 60), (240, 62), (480, 64), (960, 72)]


def test_an_own_melody_is_undone_and_outlives_a_reload(studio):
    melody_room(studio)
    assert studio.get_by_role("button", name="Undo").is_disabled()
    studio.get_by_role("button", name="New").click()
    knob = studio.locator("#knob-pitch")
    knob.click()  # a slider has the focus: letters are notes none the less
    for key in ("a", "s", "d", "f"):
        studio.keyboard.press(key)
    assert studio.locator("svg rect.note").count() == 4
    studio.keyboard.press("Control+z")
    assert studio.locator("svg rect.note").count() == 3
    studio.get_by_role("button", name="K. 545").click()
    studio.wait_for_function("() => document.querySelectorAll('svg rect.note').length > 20")
    studio.get_by_role("button", name="Undo").click()
    assert studio.locator("svg rect.note").count() == 3
    studio.keyboard.press("Control+Shift+z")
    assert studio.locator("svg rect.note").count() > 20
    studio.keyboard.press("Control+z")
    studio.get_by_label("Tempo").fill("77")
    studio.keyboard.press("Enter")
    studio.wait_for_timeout(300)
    studio.reload()
    studio.get_by_role("button", name="Melody", exact=True).click()
    studio.wait_for_function("() => document.querySelectorAll('svg rect.note').length === 3")
    assert studio.get_by_label("Tempo").input_value() == "77"
    studio.get_by_role("button", name="Redo").click()
    assert studio.locator("svg rect.note").count() > 20


def test_knobs_are_part_of_what_is_undone(studio):
    melody_room(studio)
    studio.locator("#knob-pitch").focus()
    for _ in range(4):
        studio.keyboard.press("ArrowRight")
    studio.wait_for_function(LANDED)
    turned = heights(studio)
    studio.get_by_role("button", name="Take as the melody").click()
    assert studio.locator("#knob-pitch").input_value() == "0"
    studio.get_by_role("button", name="Undo").click()
    assert studio.locator("#knob-pitch").input_value() == "2"
    studio.wait_for_function(LANDED)
    assert heights(studio) == turned


def test_numbers_that_cannot_be_become_those_that_can(studio):
    melody_room(studio)
    for label, typed, taken in [
        *(("sixteenths", "", "4"), ("sixteenths", "5", "5"), ("sixteenths", "0", "1"), ("sixteenths", "2.6", "3")),
        *(("sixteenths", "-3", "1"), ("sixteenths", "99", "32"), ("Tempo", "", "96"), ("Tempo", "0", "20")),
        *(("rows", "9", "8"), ("columns", "1", "2")),
    ]:
        field = studio.get_by_label(label)
        field.fill(typed)
        field.press("Enter")
        assert field.input_value() == taken, (label, typed)


def test_a_midi_keyboard_enters_notes_in_its_room_alone(ported):
    melody_room(ported)
    ported.get_by_role("button", name="New").click()
    ported.get_by_role("button", name="MIDI keyboard").click()
    ported.wait_for_selector("text=listening to a keyboard")
    play = "(pitch) => window.keyboard.onmidimessage?.({ data: [0x90, pitch, 80] })"
    for pitch in (60, 64, 67):
        ported.evaluate(play, pitch)
    ported.evaluate("() => window.keyboard.onmidimessage({ data: [0x90, 67, 0] })")  # a note that ends
    assert ported.locator("svg rect.note").count() == 3
    ported.get_by_role("button", name="Faders").click()
    ported.evaluate(play, 72)
    ported.get_by_role("button", name="Melody", exact=True).click()
    ported.wait_for_selector("text=listening to a keyboard")
    assert ported.locator("svg rect.note").count() == 3
    ported.evaluate(play, 72)
    assert ported.locator("svg rect.note").count() == 4


def test_the_blend_stays_as_it_was_drawn(studio):
    melody_room(studio)
    studio.get_by_label("from this one to").select_option("k545")
    studio.get_by_label("rows").fill("8")
    studio.get_by_label("columns").fill("8")
    studio.get_by_role("button", name="Draw the blend").click()
    studio.wait_for_function("() => document.querySelectorAll('.cell').length === 64", timeout=30000)
    studio.get_by_label("columns").fill("3")
    studio.keyboard.press("Enter")
    columns = "() => getComputedStyle(document.querySelector('.blend')).gridTemplateColumns.split(' ').length"
    assert studio.evaluate(columns) == 8


def test_the_blend_is_drawn_by_the_control_that_is_chosen(studio):
    melody_room(studio)
    studio.get_by_label("from this one to").select_option("k545")
    for field in ("rows", "columns"):
        studio.get_by_label(field).fill("2")
    studio.get_by_role("button", name="Draw the blend").click()
    studio.wait_for_selector("text=the corners are A and B", timeout=30000)
    studio.get_by_label("Control").select_option("paper")
    studio.get_by_role("button", name="Draw the blend").click()
    studio.wait_for_selector(r"text=/the corners are decoded: \d+ % of the steps differ from A, \d+ % from B/")
    assert studio.get_by_role("button", name="Another direction").is_disabled()


def test_the_blend_is_walked_by_arrows(studio):
    melody_room(studio)
    studio.get_by_label("from this one to").select_option("k545")
    studio.get_by_label("rows").fill("3")
    studio.get_by_label("columns").fill("4")
    studio.get_by_role("button", name="Draw the blend").click()
    studio.wait_for_function("() => document.querySelectorAll('.cell').length === 12", timeout=30000)
    studio.locator("[data-cell='0-0']").click()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown"):
        studio.keyboard.press(key)
    assert studio.evaluate("() => document.activeElement.dataset.cell") == "2-1"
    studio.wait_for_selector("button:has-text('Stop')", timeout=30000)
    studio.get_by_role("button", name="Take cell 3, 2").click()
    assert studio.locator("#knob-pitch").input_value() == "0"


# The inspect room


def test_a_map_of_segments_is_walked_and_heard(studio):
    studio.get_by_role("button", name="Inspect").click()
    studio.wait_for_selector(".bars li", timeout=60000)
    assert studio.locator(".bars li").count() == 14
    studio.get_by_role("button", name="All dimensions").click()
    assert studio.locator(".bars li").count() == 256
    studio.get_by_role("button", name="All dimensions").click()
    studio.get_by_role("button", name="rhythm", exact=True).click()
    assert studio.locator(".bars .strong .name").first.inner_text() == "z_rhythm 0"
    board = studio.locator("canvas")
    board.focus()
    studio.keyboard.press("ArrowRight")
    first = board.get_attribute("aria-valuetext")
    studio.wait_for_function("() => /notes, rhythm density/.test(document.body.innerText)", timeout=30000)
    studio.keyboard.press("Shift+ArrowRight")
    studio.wait_for_function("() => / moved$/.test(document.querySelector('canvas').ariaValueText)")
    studio.keyboard.press("ArrowDown")
    studio.keyboard.press("ArrowUp")
    studio.keyboard.press("ArrowLeft")
    assert board.get_attribute("aria-valuetext") != f"{first}, moved"
    box = board.bounding_box()
    studio.get_by_label("Model").select_option("melody")
    studio.wait_for_function("() => /z 0/.test(document.querySelector('.bars li .name')?.innerText)", timeout=60000)
    assert box["width"] > 300


def test_a_map_by_t_sne_while_the_pieces_are_the_bundled_ones(chromium, tmp_path):
    process, address = start_server(0)
    one = Page(chromium, address)
    page = one.open()
    page.get_by_role("button", name="Inspect").click()
    page.get_by_label("Method").select_option("tsne")
    page.wait_for_function("() => !/of the variance/.test(document.body.innerText)", timeout=30000)
    page.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => /notes, rhythm density/.test(document.body.innerText)", timeout=30000)
    page.keyboard.press("Shift+ArrowRight")
    assert "moved" not in page.locator("canvas").get_attribute("aria-valuetext")
    song = save(tmp_path / "song.mid", track([(i, 1, 60 + i % 5, 80) for i in range(32)], metre(4)))
    headers = {"content-type": "application/octet-stream"}
    assert page.request.post(f"{address}api/pieces", data=song.read_bytes(), headers=headers).ok
    page.get_by_role("button", name="Again").click()
    page.wait_for_function("() => /of the variance/.test(document.body.innerText)", timeout=30000)
    assert page.get_by_label("Method").count() == 0
    one.context.close()
    stop_server(process)
    assert [line for line in one.complaints if "400" not in line] == []
    assert one.outside == []


def test_a_point_of_the_map_is_clicked_and_dragged(studio):
    studio.get_by_role("button", name="Inspect").click()
    studio.wait_for_selector(".bars li", timeout=60000)
    board = studio.locator("canvas")
    box = board.bounding_box()
    studio.wait_for_timeout(300)  # it is drawn in the size it has
    rightmost = studio.evaluate(
        """() => {
            const board = document.querySelector('canvas')
            const { data, width } = board.getContext('2d').getImageData(0, 0, board.width, board.height)
            let found = [0, 0]
            for (let i = 3; i < data.length; i += 4) {
                const [x, y] = [((i - 3) / 4) % width, Math.floor((i - 3) / 4 / width)]
                if (data[i] && x > found[0]) found = [x, y]
            }
            return found.map((at) => at / (window.devicePixelRatio || 1))
        }"""
    )
    x, y = box["x"] + rightmost[0] - 3, box["y"] + rightmost[1]
    studio.mouse.click(x, y)
    studio.wait_for_function("() => / bar \\d+$/.test(document.querySelector('canvas').ariaValueText)")
    studio.wait_for_function("() => /notes, rhythm density/.test(document.body.innerText)", timeout=30000)
    studio.wait_for_function("() => window.studio.analyser", timeout=30000)
    studio.mouse.move(x, y)
    studio.mouse.down()
    studio.mouse.move(x - 150, y + 20, steps=6)
    studio.mouse.up()
    studio.wait_for_function("() => / moved$/.test(document.querySelector('canvas').ariaValueText)")


def test_the_map_of_a_data_set(chromium, songs, tmp_path, run_here):
    data = shutil.copytree(songs.folder, tmp_path / "data")
    assert run_here("plot", "map", "pop-lieder", "--data", data)[0] == 0
    process, address = start_server(0, "--data", data)
    one = Page(chromium, address)
    page = one.open()
    page.get_by_role("button", name="Inspect").click()
    page.get_by_text("224 segments of four beats. Click one to hear it; drag it").wait_for(timeout=60000)
    page.get_by_label("Method").select_option("tsne")
    page.get_by_text("224 segments of four beats. Click one to hear it.").wait_for(timeout=60000)
    board = page.locator("canvas")
    board.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => /notes, rhythm density/.test(document.body.innerText)", timeout=30000)
    before = board.get_attribute("aria-valuetext")
    page.keyboard.press("Shift+ArrowRight")  # there is no way back from t-SNE: it walks
    assert "moved" not in board.get_attribute("aria-valuetext")
    assert board.get_attribute("aria-valuetext") != before
    one.context.close()
    stop_server(process)
    assert one.complaints == []


# More of the faders' room


def test_values_are_drawn_by_bar(studio):
    svg = studio.locator(".axis svg")
    box = svg.bounding_box()
    bar = studio.evaluate("() => window.studio.piece.bars[1]") * float(
        studio.locator(ROLL).get_attribute("data-per-tick")
    )
    y = box["y"] + box["height"] * 0.75
    studio.mouse.move(box["x"] + bar * 1.4, y)
    studio.mouse.down()
    studio.mouse.move(box["x"] + bar * 3.6, y, steps=12)
    studio.mouse.up()
    settle(studio)
    drawn = studio.evaluate("() => window.studio.now.perBar.rhythm_density")
    assert set(drawn) == {"2", "3", "4"}
    near = {s["bar"]: s for s in studio.evaluate("() => window.studio.own.segments")}
    for number, value in drawn.items():
        assert near[int(number)]["asked"]["rhythm_density"] == pytest.approx(value)
        assert near[int(number)]["measured"]["rhythm_density"] == pytest.approx(value, abs=1 / 16)
    assert near[8]["measured"] == near[8]["before"]
    studio.get_by_role("button", name="Clear", exact=True).click()
    assert studio.evaluate("() => window.studio.resting")


def test_bars_get_a_value_by_keyboard(studio):
    studio.locator(ROLL).focus()
    studio.keyboard.press("Shift+ArrowRight")
    value = studio.get_by_label("Value for the selected bars")
    value.fill("0.25")
    studio.get_by_role("button", name="Set", exact=True).click()
    settle(studio)
    assert studio.evaluate("() => window.studio.now.perBar.rhythm_density") == {"1": 0.25, "2": 0.25}


def test_zoom_scroll_and_the_whole(studio):
    roll = studio.locator(ROLL)

    def width():
        return studio.evaluate("() => document.querySelector('canvas.notes').toDataURL().length")

    first = width()
    studio.get_by_role("button", name="Whole", exact=True).click()
    studio.wait_for_timeout(100)
    assert width() != first
    studio.get_by_role("button", name="Zoom in").click()
    roll.hover()
    studio.mouse.wheel(300, 0)
    studio.wait_for_timeout(100)
    roll.focus()
    studio.keyboard.press("End")
    assert roll.get_attribute("aria-valuenow") == "28"
    studio.keyboard.press("PageUp")
    assert roll.get_attribute("aria-valuenow") == "27"
    studio.keyboard.press("Home")
    assert roll.get_attribute("aria-valuenow") == "1"


def bar_at(page, share):
    """The bar at a share of the roll's width, by a click there."""
    box = page.locator(ROLL).bounding_box()
    page.mouse.click(box["x"] + box["width"] * share, box["y"] + 27)  # where no note is
    return int(page.locator(ROLL).get_attribute("aria-valuenow"))


def test_the_playhead_goes_where_the_buttons_say(studio):
    roll = studio.locator(ROLL)
    roll.focus()
    studio.keyboard.press("End")
    assert roll.get_attribute("aria-valuenow") == "28"
    studio.get_by_role("button", name="Back to the start").click()
    assert roll.get_attribute("aria-valuenow") == "1"
    assert bar_at(studio, 0.02) == 1


def test_the_zoom_stays_where_the_roll_gets_another_size(studio):
    studio.get_by_role("button", name="Whole", exact=True).click()
    assert bar_at(studio, 0.98) == 28
    studio.set_viewport_size({"width": 1100, "height": 600})
    studio.wait_for_timeout(100)
    assert bar_at(studio, 0.98) == 28
    for _ in range(8):
        studio.get_by_role("button", name="Zoom in").click()
    near = bar_at(studio, 0.9)
    assert near < 20
    studio.set_viewport_size({"width": 1100, "height": 660})
    studio.wait_for_timeout(100)
    assert bar_at(studio, 0.9) == near


def test_a_finger_moves_the_roll(chromium, address):
    one = Page(chromium, address, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = one.open()
    fingers = one.context.new_cdp_session(page)
    box = page.locator(ROLL).bounding_box()

    def touch(first, last, down):
        for i in range(9):
            at = box["x"] + first + (last - first) * i / 8
            points = [{"x": at, "y": box["y"] + down}]
            kind = "touchMove" if i else "touchStart"
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(50)

    touch(300, 20, 150)  # to the left: later bars come
    assert page.evaluate("() => window.studio.player.tick") == 0
    touch(60, 60, 150)
    assert page.evaluate("() => window.studio.player.tick") > 5000
    touch(40, 200, 10)
    first, last = page.evaluate("() => window.studio.selection")
    assert first > 3
    assert last > first
    drag(page, "#fader-tempo", 0.7)  # far below the roll, which stays in sight
    settle(page)
    assert page.evaluate("() => scrollY") > 300
    assert page.locator(ROLL).bounding_box()["y"] >= 0
    one.context.close()
    assert one.complaints == []


def test_the_file_can_be_dragged_out(studio):
    drag(studio, RANGE, 0.5)
    settle(studio)
    handle = studio.get_by_text("drag MIDI")
    handle.hover()
    found = ""
    for _ in range(100):  # the file is made when the pointer comes near
        found = handle.evaluate(
            """(element) => {
                const data = new DataTransfer()
                element.dispatchEvent(new DragEvent('dragstart', {dataTransfer: data, bubbles: true}))
                return data.getData('DownloadURL')
            }"""
        )
        if found:
            break
        studio.wait_for_timeout(100)
    assert re.fullmatch(r"audio/midi:k545-edited\.mid:blob:http://\S+", found)


def test_the_token_leaves_the_address(chromium):
    """... once the page has it as a cookie, with which a reload opens the page again."""
    port = free_port()
    process, line = browsing.start("studio", "--no-browser", "--port", port, "--public", f"http://localhost:{port}/")
    try:
        address = re.search(r"http://\S+", line)[0]
        assert re.fullmatch(rf"http://localhost:{port}/\?token=\S+", address)
        one = Page(chromium, address)
        page = one.open()
        for _ in range(2):
            assert page.url == f"http://localhost:{port}/"
            assert "token" not in page.evaluate("document.documentElement.outerHTML + document.cookie")
            page.reload()
            page.wait_for_selector(RANGE)
        one.context.close()
        assert (one.complaints, one.outside) == ([], [])
    finally:
        stop_server(process)
